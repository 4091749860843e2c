// Threads that work on one thing. Included by level.cpp only, inside the level's namespace.
#pragma once

#if defined(GW_CHECKED) && defined(__SANITIZE_THREAD__)

// `body` on so many threads, each with its number. (OpenMP's threads wait for one another in ways that what watches for
// races does not see.)
template <typename Body>
bool team(int64_t threads, const Body &body) {
    struct Member {
        const Body *body;
        int64_t number;
        pthread_t thread;
    };
    constexpr int64_t MOST = 64;
    Member members[MOST];
    if (threads > MOST) return false;
    auto begin = [](void *given) -> void * {
        const Member &own = *static_cast<Member *>(given);
        (*own.body)(own.number);
        return nullptr;
    };
    for (int64_t t = 1; t < threads; t++) {
        members[t].body = &body;
        members[t].number = t;
        if (pthread_create(&members[t].thread, nullptr, begin, &members[t]) != 0) __builtin_trap();
    }
    body(0);
    for (int64_t t = 1; t < threads; t++) pthread_join(members[t].thread, nullptr);
    return true;
}

#else

// `body` on so many threads, each with its number; false where there were not as many, and nothing was done.
template <typename Body>
bool team(int64_t threads, const Body &body) {
    if (threads == 1) {
        body(0);
        return true;
    }
#ifdef _OPENMP
    int64_t there = 0;
#pragma omp parallel num_threads(int(threads))
    {
        // The threads wait for one another, so none may be missing.
#pragma omp single
        there = omp_get_num_threads();
        if (there == threads) body(omp_get_thread_num());
    }
    return there == threads;
#else
    return false;
#endif
}

#endif
