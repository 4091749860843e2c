// Written by `python -m gatewise.backends.native cpp`: not to be changed by hand.
// Included by level.cpp only, inside the level's namespace.
#pragma once

template <typename Lines>
void native_0(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = load(p + 0 * BLOCK * L + s);
            const V v1 = read(a4 + s);
            const V v2 = v0 + v1;
            const V v3 = Functions<S>::sigmoid(v2);
            const V v4 = load(p + 1 * BLOCK * L + s);
            const V v5 = read(a5 + s);
            const V v6 = v4 + v5;
            const V v7 = Functions<S>::sigmoid(v6);
            const V v8 = load(p + 2 * BLOCK * L + s);
            const V v9 = read(a6 + s);
            const V v10 = v8 + v9;
            const V v11 = rounded(Functions<S>::tanh(v10));
            const V v12 = load(p + 3 * BLOCK * L + s);
            const V v13 = read(a7 + s);
            const V v14 = v12 + v13;
            const V v15 = Functions<S>::sigmoid(v14);
            const V v16 = read(a8 + s);
            const V v17 = rounded(v7 * v16);
            const V v18 = rounded(v3 * v11);
            const V v19 = v17 + v18;
            write(a9 + s, v19);
            const V v20 = rounded(Functions<S>::tanh(v19));
            const V v21 = rounded(v15 * v20);
            write(a10 + s, v21);
        });
    }
}

template <typename Lines>
void native_1(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    const auto at13 = lines.at(program.arrays[13]);
    const auto at14 = lines.at(program.arrays[14]);
    const auto at15 = lines.at(program.arrays[15]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        S *const a13 = at13(line + r) + unit;
        S *const a14 = at14(line + r) + unit;
        S *const a15 = at15(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = load(p + 0 * BLOCK * L + s);
            const V v1 = read(a4 + s);
            const V v2 = v0 + v1;
            const V v3 = Functions<S>::sigmoid(v2);
            write(a9 + s, v3);
            const V v4 = load(p + 1 * BLOCK * L + s);
            const V v5 = read(a5 + s);
            const V v6 = v4 + v5;
            const V v7 = Functions<S>::sigmoid(v6);
            write(a10 + s, v7);
            const V v8 = load(p + 2 * BLOCK * L + s);
            const V v9 = read(a6 + s);
            const V v10 = v8 + v9;
            const V v11 = rounded(Functions<S>::tanh(v10));
            write(a11 + s, v11);
            const V v12 = load(p + 3 * BLOCK * L + s);
            const V v13 = read(a7 + s);
            const V v14 = v12 + v13;
            const V v15 = Functions<S>::sigmoid(v14);
            write(a12 + s, v15);
            const V v16 = read(a8 + s);
            const V v17 = rounded(v7 * v16);
            const V v18 = rounded(v3 * v11);
            const V v19 = v17 + v18;
            write(a13 + s, v19);
            const V v20 = rounded(Functions<S>::tanh(v19));
            write(a14 + s, v20);
            const V v21 = rounded(v15 * v20);
            write(a15 + s, v21);
        });
    }
}

template <typename Lines>
void native_2(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at0 = lines.at(program.arrays[0]);
    const auto at1 = lines.at(program.arrays[1]);
    const auto at2 = lines.at(program.arrays[2]);
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    const auto at13 = lines.at(program.arrays[13]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a0 = at0(line + r) + unit;
        S *const a1 = at1(line + r) + unit;
        S *const a2 = at2(line + r) + unit;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        S *const a13 = at13(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = read(a0 + s);
            const V v1 = rounded(v0 * v0);
            const V v2 = splat(S(1.0));
            const V v3 = v2 - v1;
            const V v4 = read(a1 + s);
            const V v5 = rounded(v4 * v4);
            const V v6 = v2 - v5;
            const V v7 = read(a2 + s);
            const V v8 = v2 - v7;
            const V v9 = rounded(v7 * v8);
            const V v10 = read(a3 + s);
            const V v11 = v2 - v10;
            const V v12 = rounded(v10 * v11);
            const V v13 = read(a4 + s);
            const V v14 = v2 - v13;
            const V v15 = rounded(v13 * v14);
            const V v16 = read(a5 + s);
            const V v17 = read(a6 + s);
            const V v18 = v16 + v17;
            const V v19 = rounded(v18 * v13);
            const V v20 = rounded(v19 * v3);
            const V v21 = read(a7 + s);
            const V v22 = v21 + v20;
            const V v23 = rounded(v22 * v7);
            const V v24 = rounded(v23 * v6);
            write(a9 + s, v24);
            const V v25 = rounded(v22 * v4);
            const V v26 = rounded(v25 * v9);
            write(a10 + s, v26);
            const V v27 = read(a8 + s);
            const V v28 = rounded(v22 * v27);
            const V v29 = rounded(v28 * v12);
            write(a11 + s, v29);
            const V v30 = rounded(v18 * v0);
            const V v31 = rounded(v30 * v15);
            write(a12 + s, v31);
            const V v32 = rounded(v22 * v10);
            write(a13 + s, v32);
        });
    }
}

template <typename Lines>
void native_3(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = load(p + 0 * BLOCK * L + s);
            const V v1 = v0;
            const V v2 = Functions<S>::sigmoid(v1);
            const V v3 = load(p + 1 * BLOCK * L + s);
            const V v4 = v3;
            const V v5 = Functions<S>::sigmoid(v4);
            const V v6 = load(p + 2 * BLOCK * L + s);
            const V v7 = v6;
            const V v8 = rounded(Functions<S>::tanh(v7));
            const V v9 = load(p + 3 * BLOCK * L + s);
            const V v10 = v9;
            const V v11 = Functions<S>::sigmoid(v10);
            const V v12 = read(a4 + s);
            const V v13 = rounded(v5 * v12);
            const V v14 = rounded(v2 * v8);
            const V v15 = v13 + v14;
            write(a5 + s, v15);
            const V v16 = rounded(Functions<S>::tanh(v15));
            const V v17 = rounded(v11 * v16);
            write(a6 + s, v17);
        });
    }
}

template <typename Lines>
void native_4(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = load(p + 0 * BLOCK * L + s);
            const V v1 = v0;
            const V v2 = Functions<S>::sigmoid(v1);
            write(a5 + s, v2);
            const V v3 = load(p + 1 * BLOCK * L + s);
            const V v4 = v3;
            const V v5 = Functions<S>::sigmoid(v4);
            write(a6 + s, v5);
            const V v6 = load(p + 2 * BLOCK * L + s);
            const V v7 = v6;
            const V v8 = rounded(Functions<S>::tanh(v7));
            write(a7 + s, v8);
            const V v9 = load(p + 3 * BLOCK * L + s);
            const V v10 = v9;
            const V v11 = Functions<S>::sigmoid(v10);
            write(a8 + s, v11);
            const V v12 = read(a4 + s);
            const V v13 = rounded(v5 * v12);
            const V v14 = rounded(v2 * v8);
            const V v15 = v13 + v14;
            write(a9 + s, v15);
            const V v16 = rounded(Functions<S>::tanh(v15));
            write(a10 + s, v16);
            const V v17 = rounded(v11 * v16);
            write(a11 + s, v17);
        });
    }
}

template <typename Lines>
void native_5(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    const auto at13 = lines.at(program.arrays[13]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        S *const a13 = at13(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = load(p + 0 * BLOCK * L + s);
            const V v1 = read(a4 + s);
            const V v2 = v0 + v1;
            const V v3 = read(a5 + s);
            const V v4 = read(a6 + s);
            const V v5 = rounded(v3 * v4);
            const V v6 = v2 + v5;
            const V v7 = Functions<S>::sigmoid(v6);
            const V v8 = load(p + 1 * BLOCK * L + s);
            const V v9 = read(a7 + s);
            const V v10 = v8 + v9;
            const V v11 = read(a8 + s);
            const V v12 = rounded(v11 * v4);
            const V v13 = v10 + v12;
            const V v14 = Functions<S>::sigmoid(v13);
            const V v15 = load(p + 2 * BLOCK * L + s);
            const V v16 = read(a9 + s);
            const V v17 = v15 + v16;
            const V v18 = rounded(Functions<S>::tanh(v17));
            const V v19 = load(p + 3 * BLOCK * L + s);
            const V v20 = read(a10 + s);
            const V v21 = v19 + v20;
            const V v22 = rounded(v14 * v4);
            const V v23 = rounded(v7 * v18);
            const V v24 = v22 + v23;
            write(a12 + s, v24);
            const V v25 = read(a11 + s);
            const V v26 = rounded(v25 * v24);
            const V v27 = v21 + v26;
            const V v28 = Functions<S>::sigmoid(v27);
            const V v29 = rounded(Functions<S>::tanh(v24));
            const V v30 = rounded(v28 * v29);
            write(a13 + s, v30);
        });
    }
}

template <typename Lines>
void native_6(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    const auto at13 = lines.at(program.arrays[13]);
    const auto at14 = lines.at(program.arrays[14]);
    const auto at15 = lines.at(program.arrays[15]);
    const auto at16 = lines.at(program.arrays[16]);
    const auto at17 = lines.at(program.arrays[17]);
    const auto at18 = lines.at(program.arrays[18]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        S *const a13 = at13(line + r) + unit;
        S *const a14 = at14(line + r) + unit;
        S *const a15 = at15(line + r) + unit;
        S *const a16 = at16(line + r) + unit;
        S *const a17 = at17(line + r) + unit;
        S *const a18 = at18(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = load(p + 0 * BLOCK * L + s);
            const V v1 = read(a4 + s);
            const V v2 = v0 + v1;
            const V v3 = read(a5 + s);
            const V v4 = read(a6 + s);
            const V v5 = rounded(v3 * v4);
            const V v6 = v2 + v5;
            const V v7 = Functions<S>::sigmoid(v6);
            write(a12 + s, v7);
            const V v8 = load(p + 1 * BLOCK * L + s);
            const V v9 = read(a7 + s);
            const V v10 = v8 + v9;
            const V v11 = read(a8 + s);
            const V v12 = rounded(v11 * v4);
            const V v13 = v10 + v12;
            const V v14 = Functions<S>::sigmoid(v13);
            write(a13 + s, v14);
            const V v15 = load(p + 2 * BLOCK * L + s);
            const V v16 = read(a9 + s);
            const V v17 = v15 + v16;
            const V v18 = rounded(Functions<S>::tanh(v17));
            write(a14 + s, v18);
            const V v19 = load(p + 3 * BLOCK * L + s);
            const V v20 = read(a10 + s);
            const V v21 = v19 + v20;
            const V v22 = rounded(v14 * v4);
            const V v23 = rounded(v7 * v18);
            const V v24 = v22 + v23;
            write(a15 + s, v24);
            const V v25 = read(a11 + s);
            const V v26 = rounded(v25 * v24);
            const V v27 = v21 + v26;
            const V v28 = Functions<S>::sigmoid(v27);
            write(a16 + s, v28);
            const V v29 = rounded(Functions<S>::tanh(v24));
            write(a17 + s, v29);
            const V v30 = rounded(v28 * v29);
            write(a18 + s, v30);
        });
    }
}

template <typename Lines>
void native_7(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at0 = lines.at(program.arrays[0]);
    const auto at1 = lines.at(program.arrays[1]);
    const auto at2 = lines.at(program.arrays[2]);
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    const auto at13 = lines.at(program.arrays[13]);
    const auto at14 = lines.at(program.arrays[14]);
    const auto at15 = lines.at(program.arrays[15]);
    const auto at16 = lines.at(program.arrays[16]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a0 = at0(line + r) + unit;
        S *const a1 = at1(line + r) + unit;
        S *const a2 = at2(line + r) + unit;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        S *const a13 = at13(line + r) + unit;
        S *const a14 = at14(line + r) + unit;
        S *const a15 = at15(line + r) + unit;
        S *const a16 = at16(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = read(a0 + s);
            const V v1 = rounded(v0 * v0);
            const V v2 = splat(S(1.0));
            const V v3 = v2 - v1;
            const V v4 = read(a1 + s);
            const V v5 = v2 - v4;
            const V v6 = rounded(v4 * v5);
            const V v7 = read(a2 + s);
            const V v8 = rounded(v7 * v7);
            const V v9 = v2 - v8;
            const V v10 = read(a3 + s);
            const V v11 = v2 - v10;
            const V v12 = rounded(v10 * v11);
            const V v13 = read(a4 + s);
            const V v14 = v2 - v13;
            const V v15 = rounded(v13 * v14);
            const V v16 = read(a5 + s);
            const V v17 = read(a6 + s);
            const V v18 = v16 + v17;
            const V v19 = rounded(v18 * v4);
            const V v20 = rounded(v19 * v3);
            const V v21 = read(a7 + s);
            const V v22 = v21 + v20;
            const V v23 = rounded(v18 * v0);
            const V v24 = rounded(v23 * v6);
            write(a12 + s, v24);
            const V v25 = read(a8 + s);
            const V v26 = rounded(v24 * v25);
            const V v27 = v22 + v26;
            const V v28 = rounded(v27 * v10);
            const V v29 = rounded(v28 * v9);
            write(a13 + s, v29);
            const V v30 = rounded(v27 * v7);
            const V v31 = rounded(v30 * v12);
            write(a14 + s, v31);
            const V v32 = read(a9 + s);
            const V v33 = rounded(v27 * v32);
            const V v34 = rounded(v33 * v15);
            write(a15 + s, v34);
            const V v35 = read(a10 + s);
            const V v36 = rounded(v31 * v35);
            const V v37 = rounded(v27 * v13);
            const V v38 = v36 + v37;
            const V v39 = read(a11 + s);
            const V v40 = rounded(v34 * v39);
            const V v41 = v38 + v40;
            write(a16 + s, v41);
        });
    }
}

template <typename Lines>
void native_8(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at0 = lines.at(program.arrays[0]);
    const auto at1 = lines.at(program.arrays[1]);
    const auto at2 = lines.at(program.arrays[2]);
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a0 = at0(line + r) + unit;
        S *const a1 = at1(line + r) + unit;
        S *const a2 = at2(line + r) + unit;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = read(a0 + s);
            const V v1 = read(a1 + s);
            const V v2 = rounded(v0 * v1);
            write(a5 + s, v2);
            const V v3 = read(a2 + s);
            const V v4 = rounded(v3 * v1);
            write(a6 + s, v4);
            const V v5 = read(a3 + s);
            const V v6 = read(a4 + s);
            const V v7 = rounded(v5 * v6);
            write(a7 + s, v7);
        });
    }
}

template <typename Lines>
void native_9(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = load(p + 0 * BLOCK * L + s);
            const V v1 = v0;
            const V v2 = read(a4 + s);
            const V v3 = read(a5 + s);
            const V v4 = rounded(v2 * v3);
            const V v5 = v1 + v4;
            const V v6 = Functions<S>::sigmoid(v5);
            const V v7 = load(p + 1 * BLOCK * L + s);
            const V v8 = v7;
            const V v9 = read(a6 + s);
            const V v10 = rounded(v9 * v3);
            const V v11 = v8 + v10;
            const V v12 = Functions<S>::sigmoid(v11);
            const V v13 = load(p + 2 * BLOCK * L + s);
            const V v14 = v13;
            const V v15 = rounded(Functions<S>::tanh(v14));
            const V v16 = load(p + 3 * BLOCK * L + s);
            const V v17 = v16;
            const V v18 = rounded(v12 * v3);
            const V v19 = rounded(v6 * v15);
            const V v20 = v18 + v19;
            write(a8 + s, v20);
            const V v21 = read(a7 + s);
            const V v22 = rounded(v21 * v20);
            const V v23 = v17 + v22;
            const V v24 = Functions<S>::sigmoid(v23);
            const V v25 = rounded(Functions<S>::tanh(v20));
            const V v26 = rounded(v24 * v25);
            write(a9 + s, v26);
        });
    }
}

template <typename Lines>
void native_10(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    const auto at13 = lines.at(program.arrays[13]);
    const auto at14 = lines.at(program.arrays[14]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        S *const a13 = at13(line + r) + unit;
        S *const a14 = at14(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = load(p + 0 * BLOCK * L + s);
            const V v1 = v0;
            const V v2 = read(a4 + s);
            const V v3 = read(a5 + s);
            const V v4 = rounded(v2 * v3);
            const V v5 = v1 + v4;
            const V v6 = Functions<S>::sigmoid(v5);
            write(a8 + s, v6);
            const V v7 = load(p + 1 * BLOCK * L + s);
            const V v8 = v7;
            const V v9 = read(a6 + s);
            const V v10 = rounded(v9 * v3);
            const V v11 = v8 + v10;
            const V v12 = Functions<S>::sigmoid(v11);
            write(a9 + s, v12);
            const V v13 = load(p + 2 * BLOCK * L + s);
            const V v14 = v13;
            const V v15 = rounded(Functions<S>::tanh(v14));
            write(a10 + s, v15);
            const V v16 = load(p + 3 * BLOCK * L + s);
            const V v17 = v16;
            const V v18 = rounded(v12 * v3);
            const V v19 = rounded(v6 * v15);
            const V v20 = v18 + v19;
            write(a11 + s, v20);
            const V v21 = read(a7 + s);
            const V v22 = rounded(v21 * v20);
            const V v23 = v17 + v22;
            const V v24 = Functions<S>::sigmoid(v23);
            write(a12 + s, v24);
            const V v25 = rounded(Functions<S>::tanh(v20));
            write(a13 + s, v25);
            const V v26 = rounded(v24 * v25);
            write(a14 + s, v26);
        });
    }
}

template <typename Lines>
void native_11(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = load(p + 0 * BLOCK * L + s);
            const V v1 = read(a3 + s);
            const V v2 = v0 + v1;
            const V v3 = Functions<S>::sigmoid(v2);
            const V v4 = splat(S(1.0));
            const V v5 = v4 - v3;
            const V v6 = load(p + 1 * BLOCK * L + s);
            const V v7 = read(a4 + s);
            const V v8 = v6 + v7;
            const V v9 = rounded(Functions<S>::tanh(v8));
            const V v10 = load(p + 2 * BLOCK * L + s);
            const V v11 = read(a5 + s);
            const V v12 = v10 + v11;
            const V v13 = Functions<S>::sigmoid(v12);
            const V v14 = read(a6 + s);
            const V v15 = rounded(v5 * v14);
            const V v16 = rounded(v3 * v9);
            const V v17 = v15 + v16;
            write(a7 + s, v17);
            const V v18 = rounded(Functions<S>::tanh(v17));
            const V v19 = rounded(v13 * v18);
            write(a8 + s, v19);
        });
    }
}

template <typename Lines>
void native_12(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = load(p + 0 * BLOCK * L + s);
            const V v1 = read(a3 + s);
            const V v2 = v0 + v1;
            const V v3 = Functions<S>::sigmoid(v2);
            write(a7 + s, v3);
            const V v4 = splat(S(1.0));
            const V v5 = v4 - v3;
            const V v6 = load(p + 1 * BLOCK * L + s);
            const V v7 = read(a4 + s);
            const V v8 = v6 + v7;
            const V v9 = rounded(Functions<S>::tanh(v8));
            write(a8 + s, v9);
            const V v10 = load(p + 2 * BLOCK * L + s);
            const V v11 = read(a5 + s);
            const V v12 = v10 + v11;
            const V v13 = Functions<S>::sigmoid(v12);
            write(a9 + s, v13);
            const V v14 = read(a6 + s);
            const V v15 = rounded(v5 * v14);
            const V v16 = rounded(v3 * v9);
            const V v17 = v15 + v16;
            write(a10 + s, v17);
            const V v18 = rounded(Functions<S>::tanh(v17));
            write(a11 + s, v18);
            const V v19 = rounded(v13 * v18);
            write(a12 + s, v19);
        });
    }
}

template <typename Lines>
void native_13(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at0 = lines.at(program.arrays[0]);
    const auto at1 = lines.at(program.arrays[1]);
    const auto at2 = lines.at(program.arrays[2]);
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a0 = at0(line + r) + unit;
        S *const a1 = at1(line + r) + unit;
        S *const a2 = at2(line + r) + unit;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = read(a0 + s);
            const V v1 = rounded(v0 * v0);
            const V v2 = splat(S(1.0));
            const V v3 = v2 - v1;
            const V v4 = read(a1 + s);
            const V v5 = rounded(v4 * v4);
            const V v6 = v2 - v5;
            const V v7 = read(a2 + s);
            const V v8 = v2 - v7;
            const V v9 = rounded(v7 * v8);
            const V v10 = read(a3 + s);
            const V v11 = v2 - v10;
            const V v12 = rounded(v10 * v11);
            const V v13 = read(a4 + s);
            const V v14 = read(a5 + s);
            const V v15 = v13 + v14;
            const V v16 = rounded(v15 * v10);
            const V v17 = rounded(v16 * v3);
            const V v18 = read(a6 + s);
            const V v19 = v18 + v17;
            const V v20 = rounded(v19 * v7);
            const V v21 = rounded(v20 * v6);
            write(a8 + s, v21);
            const V v22 = rounded(v19 * v4);
            const V v23 = read(a7 + s);
            const V v24 = rounded(v19 * v23);
            const V v25 = v22 - v24;
            const V v26 = rounded(v25 * v9);
            write(a9 + s, v26);
            const V v27 = rounded(v15 * v0);
            const V v28 = rounded(v27 * v12);
            write(a10 + s, v28);
            const V v29 = rounded(v19 * v8);
            write(a11 + s, v29);
        });
    }
}

template <typename Lines>
void native_14(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = load(p + 0 * BLOCK * L + s);
            const V v1 = v0;
            const V v2 = Functions<S>::sigmoid(v1);
            const V v3 = splat(S(1.0));
            const V v4 = v3 - v2;
            const V v5 = load(p + 1 * BLOCK * L + s);
            const V v6 = v5;
            const V v7 = rounded(Functions<S>::tanh(v6));
            const V v8 = load(p + 2 * BLOCK * L + s);
            const V v9 = v8;
            const V v10 = Functions<S>::sigmoid(v9);
            const V v11 = read(a3 + s);
            const V v12 = rounded(v4 * v11);
            const V v13 = rounded(v2 * v7);
            const V v14 = v12 + v13;
            write(a4 + s, v14);
            const V v15 = rounded(Functions<S>::tanh(v14));
            const V v16 = rounded(v10 * v15);
            write(a5 + s, v16);
        });
    }
}

template <typename Lines>
void native_15(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = load(p + 0 * BLOCK * L + s);
            const V v1 = v0;
            const V v2 = Functions<S>::sigmoid(v1);
            write(a4 + s, v2);
            const V v3 = splat(S(1.0));
            const V v4 = v3 - v2;
            const V v5 = load(p + 1 * BLOCK * L + s);
            const V v6 = v5;
            const V v7 = rounded(Functions<S>::tanh(v6));
            write(a5 + s, v7);
            const V v8 = load(p + 2 * BLOCK * L + s);
            const V v9 = v8;
            const V v10 = Functions<S>::sigmoid(v9);
            write(a6 + s, v10);
            const V v11 = read(a3 + s);
            const V v12 = rounded(v4 * v11);
            const V v13 = rounded(v2 * v7);
            const V v14 = v12 + v13;
            write(a7 + s, v14);
            const V v15 = rounded(Functions<S>::tanh(v14));
            write(a8 + s, v15);
            const V v16 = rounded(v10 * v15);
            write(a9 + s, v16);
        });
    }
}

template <typename Lines>
void native_16(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at0 = lines.at(program.arrays[0]);
    const auto at1 = lines.at(program.arrays[1]);
    const auto at2 = lines.at(program.arrays[2]);
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    const auto at13 = lines.at(program.arrays[13]);
    const auto at14 = lines.at(program.arrays[14]);
    const auto at15 = lines.at(program.arrays[15]);
    const auto at16 = lines.at(program.arrays[16]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a0 = at0(line + r) + unit;
        S *const a1 = at1(line + r) + unit;
        S *const a2 = at2(line + r) + unit;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        S *const a13 = at13(line + r) + unit;
        S *const a14 = at14(line + r) + unit;
        S *const a15 = at15(line + r) + unit;
        S *const a16 = at16(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = read(a0 + s);
            const V v1 = read(a1 + s);
            const V v2 = rounded(v0 * v1);
            const V v3 = read(a2 + s);
            const V v4 = v2 + v3;
            const V v5 = read(a3 + s);
            const V v6 = read(a4 + s);
            const V v7 = rounded(v5 * v6);
            const V v8 = read(a5 + s);
            const V v9 = v7 + v8;
            const V v10 = read(a6 + s);
            const V v11 = read(a7 + s);
            const V v12 = rounded(v10 * v11);
            const V v13 = read(a8 + s);
            const V v14 = v12 + v13;
            const V v15 = read(a9 + s);
            const V v16 = read(a10 + s);
            const V v17 = rounded(v15 * v16);
            const V v18 = v4 + v17;
            const V v19 = Functions<S>::sigmoid(v18);
            const V v20 = read(a11 + s);
            const V v21 = read(a12 + s);
            const V v22 = rounded(v20 * v21);
            const V v23 = v9 + v22;
            const V v24 = Functions<S>::sigmoid(v23);
            const V v25 = read(a13 + s);
            const V v26 = read(a14 + s);
            const V v27 = rounded(v25 * v26);
            const V v28 = v14 + v27;
            const V v29 = rounded(Functions<S>::tanh(v28));
            const V v30 = read(a15 + s);
            const V v31 = rounded(v24 * v30);
            const V v32 = rounded(v19 * v29);
            const V v33 = v31 + v32;
            write(a16 + s, v33);
        });
    }
}

template <typename Lines>
void native_17(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at0 = lines.at(program.arrays[0]);
    const auto at1 = lines.at(program.arrays[1]);
    const auto at2 = lines.at(program.arrays[2]);
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a0 = at0(line + r) + unit;
        S *const a1 = at1(line + r) + unit;
        S *const a2 = at2(line + r) + unit;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = read(a0 + s);
            const V v1 = read(a1 + s);
            const V v2 = rounded(v0 * v1);
            const V v3 = read(a2 + s);
            const V v4 = v2 + v3;
            const V v5 = read(a3 + s);
            const V v6 = read(a4 + s);
            const V v7 = rounded(v5 * v6);
            const V v8 = v4 + v7;
            const V v9 = Functions<S>::sigmoid(v8);
            const V v10 = read(a5 + s);
            const V v11 = read(a6 + s);
            const V v12 = rounded(v10 * v11);
            const V v13 = read(a7 + s);
            const V v14 = v12 + v13;
            const V v15 = rounded(Functions<S>::tanh(v14));
            const V v16 = rounded(v9 * v15);
            write(a8 + s, v16);
        });
    }
}

template <typename Lines>
void native_18(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at0 = lines.at(program.arrays[0]);
    const auto at1 = lines.at(program.arrays[1]);
    const auto at2 = lines.at(program.arrays[2]);
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    const auto at13 = lines.at(program.arrays[13]);
    const auto at14 = lines.at(program.arrays[14]);
    const auto at15 = lines.at(program.arrays[15]);
    const auto at16 = lines.at(program.arrays[16]);
    const auto at17 = lines.at(program.arrays[17]);
    const auto at18 = lines.at(program.arrays[18]);
    const auto at19 = lines.at(program.arrays[19]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a0 = at0(line + r) + unit;
        S *const a1 = at1(line + r) + unit;
        S *const a2 = at2(line + r) + unit;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        S *const a13 = at13(line + r) + unit;
        S *const a14 = at14(line + r) + unit;
        S *const a15 = at15(line + r) + unit;
        S *const a16 = at16(line + r) + unit;
        S *const a17 = at17(line + r) + unit;
        S *const a18 = at18(line + r) + unit;
        S *const a19 = at19(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = read(a0 + s);
            const V v1 = read(a1 + s);
            const V v2 = rounded(v0 * v1);
            const V v3 = read(a2 + s);
            const V v4 = v2 + v3;
            const V v5 = read(a3 + s);
            const V v6 = read(a4 + s);
            const V v7 = rounded(v5 * v6);
            const V v8 = read(a5 + s);
            const V v9 = v7 + v8;
            const V v10 = read(a6 + s);
            const V v11 = read(a7 + s);
            const V v12 = rounded(v10 * v11);
            const V v13 = read(a8 + s);
            const V v14 = v12 + v13;
            const V v15 = read(a9 + s);
            const V v16 = read(a10 + s);
            const V v17 = rounded(v15 * v16);
            const V v18 = v4 + v17;
            const V v19 = Functions<S>::sigmoid(v18);
            write(a16 + s, v19);
            const V v20 = read(a11 + s);
            const V v21 = read(a12 + s);
            const V v22 = rounded(v20 * v21);
            const V v23 = v9 + v22;
            const V v24 = Functions<S>::sigmoid(v23);
            write(a17 + s, v24);
            const V v25 = read(a13 + s);
            const V v26 = read(a14 + s);
            const V v27 = rounded(v25 * v26);
            const V v28 = v14 + v27;
            const V v29 = rounded(Functions<S>::tanh(v28));
            write(a18 + s, v29);
            const V v30 = read(a15 + s);
            const V v31 = rounded(v24 * v30);
            const V v32 = rounded(v19 * v29);
            const V v33 = v31 + v32;
            write(a19 + s, v33);
        });
    }
}

template <typename Lines>
void native_19(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at0 = lines.at(program.arrays[0]);
    const auto at1 = lines.at(program.arrays[1]);
    const auto at2 = lines.at(program.arrays[2]);
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a0 = at0(line + r) + unit;
        S *const a1 = at1(line + r) + unit;
        S *const a2 = at2(line + r) + unit;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = read(a0 + s);
            const V v1 = read(a1 + s);
            const V v2 = rounded(v0 * v1);
            const V v3 = read(a2 + s);
            const V v4 = v2 + v3;
            const V v5 = read(a3 + s);
            const V v6 = read(a4 + s);
            const V v7 = rounded(v5 * v6);
            const V v8 = v4 + v7;
            const V v9 = Functions<S>::sigmoid(v8);
            write(a8 + s, v9);
            const V v10 = read(a5 + s);
            const V v11 = read(a6 + s);
            const V v12 = rounded(v10 * v11);
            const V v13 = read(a7 + s);
            const V v14 = v12 + v13;
            const V v15 = rounded(Functions<S>::tanh(v14));
            write(a9 + s, v15);
            const V v16 = rounded(v9 * v15);
            write(a10 + s, v16);
        });
    }
}

template <typename Lines>
void native_20(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at0 = lines.at(program.arrays[0]);
    const auto at1 = lines.at(program.arrays[1]);
    const auto at2 = lines.at(program.arrays[2]);
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a0 = at0(line + r) + unit;
        S *const a1 = at1(line + r) + unit;
        S *const a2 = at2(line + r) + unit;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = read(a0 + s);
            const V v1 = rounded(v0 * v0);
            const V v2 = splat(S(1.0));
            const V v3 = v2 - v1;
            const V v4 = read(a1 + s);
            const V v5 = read(a2 + s);
            const V v6 = v4 + v5;
            write(a6 + s, v6);
            const V v7 = read(a3 + s);
            const V v8 = rounded(v6 * v7);
            const V v9 = rounded(v8 * v3);
            write(a7 + s, v9);
            const V v10 = read(a4 + s);
            const V v11 = rounded(v9 * v10);
            write(a8 + s, v11);
            const V v12 = read(a5 + s);
            const V v13 = rounded(v11 * v12);
            write(a9 + s, v13);
        });
    }
}

template <typename Lines>
void native_21(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at0 = lines.at(program.arrays[0]);
    const auto at1 = lines.at(program.arrays[1]);
    const auto at2 = lines.at(program.arrays[2]);
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    const auto at13 = lines.at(program.arrays[13]);
    const auto at14 = lines.at(program.arrays[14]);
    const auto at15 = lines.at(program.arrays[15]);
    const auto at16 = lines.at(program.arrays[16]);
    const auto at17 = lines.at(program.arrays[17]);
    const auto at18 = lines.at(program.arrays[18]);
    const auto at19 = lines.at(program.arrays[19]);
    const auto at20 = lines.at(program.arrays[20]);
    const auto at21 = lines.at(program.arrays[21]);
    const auto at22 = lines.at(program.arrays[22]);
    const auto at23 = lines.at(program.arrays[23]);
    const auto at24 = lines.at(program.arrays[24]);
    const auto at25 = lines.at(program.arrays[25]);
    const auto at26 = lines.at(program.arrays[26]);
    const auto at27 = lines.at(program.arrays[27]);
    const auto at28 = lines.at(program.arrays[28]);
    const auto at29 = lines.at(program.arrays[29]);
    const auto at30 = lines.at(program.arrays[30]);
    const auto at31 = lines.at(program.arrays[31]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a0 = at0(line + r) + unit;
        S *const a1 = at1(line + r) + unit;
        S *const a2 = at2(line + r) + unit;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        S *const a13 = at13(line + r) + unit;
        S *const a14 = at14(line + r) + unit;
        S *const a15 = at15(line + r) + unit;
        S *const a16 = at16(line + r) + unit;
        S *const a17 = at17(line + r) + unit;
        S *const a18 = at18(line + r) + unit;
        S *const a19 = at19(line + r) + unit;
        S *const a20 = at20(line + r) + unit;
        S *const a21 = at21(line + r) + unit;
        S *const a22 = at22(line + r) + unit;
        S *const a23 = at23(line + r) + unit;
        S *const a24 = at24(line + r) + unit;
        S *const a25 = at25(line + r) + unit;
        S *const a26 = at26(line + r) + unit;
        S *const a27 = at27(line + r) + unit;
        S *const a28 = at28(line + r) + unit;
        S *const a29 = at29(line + r) + unit;
        S *const a30 = at30(line + r) + unit;
        S *const a31 = at31(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = splat(S(1.0));
            const V v1 = read(a0 + s);
            const V v2 = v0 - v1;
            const V v3 = rounded(v1 * v2);
            const V v4 = read(a1 + s);
            const V v5 = v0 - v4;
            const V v6 = rounded(v4 * v5);
            const V v7 = read(a2 + s);
            const V v8 = v0 - v7;
            const V v9 = rounded(v7 * v8);
            const V v10 = read(a3 + s);
            const V v11 = rounded(v10 * v10);
            const V v12 = v0 - v11;
            const V v13 = read(a4 + s);
            const V v14 = read(a5 + s);
            const V v15 = rounded(v13 * v14);
            const V v16 = rounded(v15 * v3);
            write(a21 + s, v16);
            const V v17 = read(a6 + s);
            const V v18 = rounded(v16 * v17);
            write(a22 + s, v18);
            const V v19 = read(a7 + s);
            const V v20 = read(a8 + s);
            const V v21 = v19 - v20;
            const V v22 = read(a9 + s);
            const V v23 = read(a10 + s);
            const V v24 = rounded(v22 * v23);
            const V v25 = v21 - v24;
            const V v26 = read(a11 + s);
            const V v27 = rounded(v26 * v25);
            const V v28 = read(a12 + s);
            const V v29 = v28 + v27;
            write(a23 + s, v29);
            const V v30 = read(a13 + s);
            const V v31 = rounded(v29 * v30);
            const V v32 = rounded(v31 * v6);
            write(a24 + s, v32);
            const V v33 = read(a14 + s);
            const V v34 = rounded(v32 * v33);
            write(a25 + s, v34);
            const V v35 = v18 + v34;
            const V v36 = rounded(v29 * v10);
            const V v37 = rounded(v36 * v9);
            write(a26 + s, v37);
            const V v38 = read(a15 + s);
            const V v39 = rounded(v37 * v38);
            write(a27 + s, v39);
            const V v40 = v35 + v39;
            const V v41 = rounded(v29 * v7);
            const V v42 = rounded(v41 * v12);
            write(a28 + s, v42);
            const V v43 = read(a16 + s);
            const V v44 = rounded(v42 * v43);
            write(a29 + s, v44);
            const V v45 = v40 + v44;
            write(a30 + s, v45);
            const V v46 = read(a17 + s);
            const V v47 = rounded(v18 * v46);
            const V v48 = read(a18 + s);
            const V v49 = rounded(v34 * v48);
            const V v50 = v47 + v49;
            const V v51 = read(a19 + s);
            const V v52 = rounded(v39 * v51);
            const V v53 = v50 + v52;
            const V v54 = read(a20 + s);
            const V v55 = rounded(v44 * v54);
            const V v56 = v53 + v55;
            write(a31 + s, v56);
        });
    }
}

template <typename Lines>
void native_22(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at0 = lines.at(program.arrays[0]);
    const auto at1 = lines.at(program.arrays[1]);
    const auto at2 = lines.at(program.arrays[2]);
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    const auto at13 = lines.at(program.arrays[13]);
    const auto at14 = lines.at(program.arrays[14]);
    const auto at15 = lines.at(program.arrays[15]);
    const auto at16 = lines.at(program.arrays[16]);
    const auto at17 = lines.at(program.arrays[17]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a0 = at0(line + r) + unit;
        S *const a1 = at1(line + r) + unit;
        S *const a2 = at2(line + r) + unit;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        S *const a13 = at13(line + r) + unit;
        S *const a14 = at14(line + r) + unit;
        S *const a15 = at15(line + r) + unit;
        S *const a16 = at16(line + r) + unit;
        S *const a17 = at17(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = read(a0 + s);
            const V v1 = splat(S(0.25));
            const V v2 = rounded(v0 * v1);
            const V v3 = read(a1 + s);
            const V v4 = v3 - v2;
            const V v5 = read(a2 + s);
            const V v6 = rounded(v5 * v1);
            const V v7 = read(a3 + s);
            const V v8 = rounded(v7 * v6);
            const V v9 = v4 - v8;
            const V v10 = read(a4 + s);
            const V v11 = rounded(v10 * v9);
            write(a13 + s, v11);
            const V v12 = read(a5 + s);
            const V v13 = v12 - v2;
            const V v14 = read(a6 + s);
            const V v15 = rounded(v14 * v6);
            const V v16 = v13 - v15;
            const V v17 = rounded(v10 * v16);
            write(a14 + s, v17);
            const V v18 = read(a7 + s);
            const V v19 = v18 - v2;
            const V v20 = read(a8 + s);
            const V v21 = rounded(v20 * v6);
            const V v22 = v19 - v21;
            const V v23 = rounded(v10 * v22);
            write(a15 + s, v23);
            const V v24 = read(a9 + s);
            const V v25 = v24 - v2;
            const V v26 = read(a10 + s);
            const V v27 = rounded(v26 * v6);
            const V v28 = v25 - v27;
            const V v29 = rounded(v10 * v28);
            write(a16 + s, v29);
            const V v30 = read(a11 + s);
            const V v31 = read(a12 + s);
            const V v32 = rounded(v30 * v31);
            write(a17 + s, v32);
        });
    }
}

template <typename Lines>
void native_23(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at0 = lines.at(program.arrays[0]);
    const auto at1 = lines.at(program.arrays[1]);
    const auto at2 = lines.at(program.arrays[2]);
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    const auto at13 = lines.at(program.arrays[13]);
    const auto at14 = lines.at(program.arrays[14]);
    const auto at15 = lines.at(program.arrays[15]);
    const auto at16 = lines.at(program.arrays[16]);
    const auto at17 = lines.at(program.arrays[17]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a0 = at0(line + r) + unit;
        S *const a1 = at1(line + r) + unit;
        S *const a2 = at2(line + r) + unit;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        S *const a13 = at13(line + r) + unit;
        S *const a14 = at14(line + r) + unit;
        S *const a15 = at15(line + r) + unit;
        S *const a16 = at16(line + r) + unit;
        S *const a17 = at17(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = read(a0 + s);
            const V v1 = read(a1 + s);
            const V v2 = rounded(v0 * v1);
            write(a12 + s, v2);
            const V v3 = read(a2 + s);
            const V v4 = read(a3 + s);
            const V v5 = rounded(v3 * v4);
            write(a13 + s, v5);
            const V v6 = v2 + v5;
            const V v7 = read(a4 + s);
            const V v8 = read(a5 + s);
            const V v9 = rounded(v7 * v8);
            write(a14 + s, v9);
            const V v10 = v6 + v9;
            const V v11 = read(a6 + s);
            const V v12 = read(a7 + s);
            const V v13 = rounded(v11 * v12);
            write(a15 + s, v13);
            const V v14 = v10 + v13;
            write(a16 + s, v14);
            const V v15 = read(a8 + s);
            const V v16 = rounded(v2 * v15);
            const V v17 = read(a9 + s);
            const V v18 = rounded(v5 * v17);
            const V v19 = v16 + v18;
            const V v20 = read(a10 + s);
            const V v21 = rounded(v9 * v20);
            const V v22 = v19 + v21;
            const V v23 = read(a11 + s);
            const V v24 = rounded(v13 * v23);
            const V v25 = v22 + v24;
            write(a17 + s, v25);
        });
    }
}

template <typename Lines>
void native_24(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at0 = lines.at(program.arrays[0]);
    const auto at1 = lines.at(program.arrays[1]);
    const auto at2 = lines.at(program.arrays[2]);
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    const auto at13 = lines.at(program.arrays[13]);
    const auto at14 = lines.at(program.arrays[14]);
    const auto at15 = lines.at(program.arrays[15]);
    const auto at16 = lines.at(program.arrays[16]);
    const auto at17 = lines.at(program.arrays[17]);
    const auto at18 = lines.at(program.arrays[18]);
    const auto at19 = lines.at(program.arrays[19]);
    const auto at20 = lines.at(program.arrays[20]);
    const auto at21 = lines.at(program.arrays[21]);
    const auto at22 = lines.at(program.arrays[22]);
    const auto at23 = lines.at(program.arrays[23]);
    const auto at24 = lines.at(program.arrays[24]);
    const auto at25 = lines.at(program.arrays[25]);
    const auto at26 = lines.at(program.arrays[26]);
    const auto at27 = lines.at(program.arrays[27]);
    const auto at28 = lines.at(program.arrays[28]);
    const auto at29 = lines.at(program.arrays[29]);
    const auto at30 = lines.at(program.arrays[30]);
    const auto at31 = lines.at(program.arrays[31]);
    const auto at32 = lines.at(program.arrays[32]);
    const auto at33 = lines.at(program.arrays[33]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a0 = at0(line + r) + unit;
        S *const a1 = at1(line + r) + unit;
        S *const a2 = at2(line + r) + unit;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        S *const a13 = at13(line + r) + unit;
        S *const a14 = at14(line + r) + unit;
        S *const a15 = at15(line + r) + unit;
        S *const a16 = at16(line + r) + unit;
        S *const a17 = at17(line + r) + unit;
        S *const a18 = at18(line + r) + unit;
        S *const a19 = at19(line + r) + unit;
        S *const a20 = at20(line + r) + unit;
        S *const a21 = at21(line + r) + unit;
        S *const a22 = at22(line + r) + unit;
        S *const a23 = at23(line + r) + unit;
        S *const a24 = at24(line + r) + unit;
        S *const a25 = at25(line + r) + unit;
        S *const a26 = at26(line + r) + unit;
        S *const a27 = at27(line + r) + unit;
        S *const a28 = at28(line + r) + unit;
        S *const a29 = at29(line + r) + unit;
        S *const a30 = at30(line + r) + unit;
        S *const a31 = at31(line + r) + unit;
        S *const a32 = at32(line + r) + unit;
        S *const a33 = at33(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = read(a0 + s);
            const V v1 = splat(S(0.25));
            const V v2 = rounded(v0 * v1);
            const V v3 = read(a1 + s);
            const V v4 = v3 - v2;
            const V v5 = read(a2 + s);
            const V v6 = rounded(v5 * v1);
            const V v7 = read(a3 + s);
            const V v8 = rounded(v7 * v6);
            const V v9 = v4 - v8;
            const V v10 = read(a4 + s);
            const V v11 = rounded(v10 * v9);
            write(a21 + s, v11);
            const V v12 = read(a5 + s);
            const V v13 = v12 - v2;
            const V v14 = read(a6 + s);
            const V v15 = rounded(v14 * v6);
            const V v16 = v13 - v15;
            const V v17 = rounded(v10 * v16);
            write(a22 + s, v17);
            const V v18 = read(a7 + s);
            const V v19 = v18 - v2;
            const V v20 = read(a8 + s);
            const V v21 = rounded(v20 * v6);
            const V v22 = v19 - v21;
            const V v23 = rounded(v10 * v22);
            write(a23 + s, v23);
            const V v24 = read(a9 + s);
            const V v25 = v24 - v2;
            const V v26 = read(a10 + s);
            const V v27 = rounded(v26 * v6);
            const V v28 = v25 - v27;
            const V v29 = rounded(v10 * v28);
            write(a24 + s, v29);
            const V v30 = read(a11 + s);
            const V v31 = rounded(v30 * v26);
            write(a25 + s, v31);
            const V v32 = read(a12 + s);
            const V v33 = rounded(v30 * v32);
            write(a26 + s, v33);
            const V v34 = read(a13 + s);
            const V v35 = rounded(v34 * v20);
            write(a27 + s, v35);
            const V v36 = read(a14 + s);
            const V v37 = rounded(v34 * v36);
            write(a28 + s, v37);
            const V v38 = read(a15 + s);
            const V v39 = rounded(v38 * v14);
            write(a29 + s, v39);
            const V v40 = read(a16 + s);
            const V v41 = rounded(v38 * v40);
            write(a30 + s, v41);
            const V v42 = read(a17 + s);
            const V v43 = rounded(v42 * v7);
            write(a31 + s, v43);
            const V v44 = read(a18 + s);
            const V v45 = rounded(v42 * v44);
            write(a32 + s, v45);
            const V v46 = read(a19 + s);
            const V v47 = read(a20 + s);
            const V v48 = rounded(v46 * v47);
            write(a33 + s, v48);
        });
    }
}

template <typename Lines>
void native_25(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at0 = lines.at(program.arrays[0]);
    const auto at1 = lines.at(program.arrays[1]);
    const auto at2 = lines.at(program.arrays[2]);
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    const auto at13 = lines.at(program.arrays[13]);
    const auto at14 = lines.at(program.arrays[14]);
    const auto at15 = lines.at(program.arrays[15]);
    const auto at16 = lines.at(program.arrays[16]);
    const auto at17 = lines.at(program.arrays[17]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a0 = at0(line + r) + unit;
        S *const a1 = at1(line + r) + unit;
        S *const a2 = at2(line + r) + unit;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        S *const a13 = at13(line + r) + unit;
        S *const a14 = at14(line + r) + unit;
        S *const a15 = at15(line + r) + unit;
        S *const a16 = at16(line + r) + unit;
        S *const a17 = at17(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = read(a0 + s);
            const V v1 = read(a1 + s);
            const V v2 = rounded(v0 * v1);
            write(a12 + s, v2);
            const V v3 = read(a2 + s);
            const V v4 = read(a3 + s);
            const V v5 = rounded(v3 * v4);
            write(a13 + s, v5);
            const V v6 = read(a4 + s);
            const V v7 = read(a5 + s);
            const V v8 = rounded(v6 * v7);
            write(a14 + s, v8);
            const V v9 = v5 + v8;
            const V v10 = v9 + v2;
            const V v11 = read(a6 + s);
            const V v12 = read(a7 + s);
            const V v13 = rounded(v11 * v12);
            write(a15 + s, v13);
            const V v14 = v10 + v13;
            write(a16 + s, v14);
            const V v15 = read(a8 + s);
            const V v16 = rounded(v5 * v15);
            const V v17 = read(a9 + s);
            const V v18 = rounded(v8 * v17);
            const V v19 = v16 + v18;
            const V v20 = read(a10 + s);
            const V v21 = rounded(v2 * v20);
            const V v22 = v19 + v21;
            const V v23 = read(a11 + s);
            const V v24 = rounded(v13 * v23);
            const V v25 = v22 + v24;
            write(a17 + s, v25);
        });
    }
}

template <typename Lines>
void native_26(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at0 = lines.at(program.arrays[0]);
    const auto at1 = lines.at(program.arrays[1]);
    const auto at2 = lines.at(program.arrays[2]);
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    const auto at13 = lines.at(program.arrays[13]);
    const auto at14 = lines.at(program.arrays[14]);
    const auto at15 = lines.at(program.arrays[15]);
    const auto at16 = lines.at(program.arrays[16]);
    const auto at17 = lines.at(program.arrays[17]);
    const auto at18 = lines.at(program.arrays[18]);
    const auto at19 = lines.at(program.arrays[19]);
    const auto at20 = lines.at(program.arrays[20]);
    const auto at21 = lines.at(program.arrays[21]);
    const auto at22 = lines.at(program.arrays[22]);
    const auto at23 = lines.at(program.arrays[23]);
    const auto at24 = lines.at(program.arrays[24]);
    const auto at25 = lines.at(program.arrays[25]);
    const auto at26 = lines.at(program.arrays[26]);
    const auto at27 = lines.at(program.arrays[27]);
    const auto at28 = lines.at(program.arrays[28]);
    const auto at29 = lines.at(program.arrays[29]);
    const auto at30 = lines.at(program.arrays[30]);
    const auto at31 = lines.at(program.arrays[31]);
    const auto at32 = lines.at(program.arrays[32]);
    const auto at33 = lines.at(program.arrays[33]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a0 = at0(line + r) + unit;
        S *const a1 = at1(line + r) + unit;
        S *const a2 = at2(line + r) + unit;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        S *const a13 = at13(line + r) + unit;
        S *const a14 = at14(line + r) + unit;
        S *const a15 = at15(line + r) + unit;
        S *const a16 = at16(line + r) + unit;
        S *const a17 = at17(line + r) + unit;
        S *const a18 = at18(line + r) + unit;
        S *const a19 = at19(line + r) + unit;
        S *const a20 = at20(line + r) + unit;
        S *const a21 = at21(line + r) + unit;
        S *const a22 = at22(line + r) + unit;
        S *const a23 = at23(line + r) + unit;
        S *const a24 = at24(line + r) + unit;
        S *const a25 = at25(line + r) + unit;
        S *const a26 = at26(line + r) + unit;
        S *const a27 = at27(line + r) + unit;
        S *const a28 = at28(line + r) + unit;
        S *const a29 = at29(line + r) + unit;
        S *const a30 = at30(line + r) + unit;
        S *const a31 = at31(line + r) + unit;
        S *const a32 = at32(line + r) + unit;
        S *const a33 = at33(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = read(a0 + s);
            const V v1 = splat(S(0.25));
            const V v2 = rounded(v0 * v1);
            const V v3 = read(a1 + s);
            const V v4 = v3 - v2;
            const V v5 = read(a2 + s);
            const V v6 = rounded(v5 * v1);
            const V v7 = read(a3 + s);
            const V v8 = rounded(v7 * v6);
            const V v9 = v4 - v8;
            const V v10 = read(a4 + s);
            const V v11 = rounded(v10 * v9);
            write(a21 + s, v11);
            const V v12 = read(a5 + s);
            const V v13 = v12 - v2;
            const V v14 = read(a6 + s);
            const V v15 = rounded(v14 * v6);
            const V v16 = v13 - v15;
            const V v17 = rounded(v10 * v16);
            write(a22 + s, v17);
            const V v18 = read(a7 + s);
            const V v19 = v18 - v2;
            const V v20 = read(a8 + s);
            const V v21 = rounded(v20 * v6);
            const V v22 = v19 - v21;
            const V v23 = rounded(v10 * v22);
            write(a23 + s, v23);
            const V v24 = read(a9 + s);
            const V v25 = v24 - v2;
            const V v26 = read(a10 + s);
            const V v27 = rounded(v26 * v6);
            const V v28 = v25 - v27;
            const V v29 = rounded(v10 * v28);
            write(a24 + s, v29);
            const V v30 = read(a11 + s);
            const V v31 = rounded(v30 * v7);
            write(a25 + s, v31);
            const V v32 = read(a12 + s);
            const V v33 = rounded(v30 * v32);
            write(a26 + s, v33);
            const V v34 = read(a13 + s);
            const V v35 = rounded(v34 * v14);
            write(a27 + s, v35);
            const V v36 = read(a14 + s);
            const V v37 = rounded(v34 * v36);
            write(a28 + s, v37);
            const V v38 = read(a15 + s);
            const V v39 = rounded(v38 * v20);
            write(a29 + s, v39);
            const V v40 = read(a16 + s);
            const V v41 = rounded(v38 * v40);
            write(a30 + s, v41);
            const V v42 = read(a17 + s);
            const V v43 = rounded(v42 * v26);
            write(a31 + s, v43);
            const V v44 = read(a18 + s);
            const V v45 = rounded(v42 * v44);
            write(a32 + s, v45);
            const V v46 = read(a19 + s);
            const V v47 = read(a20 + s);
            const V v48 = rounded(v46 * v47);
            write(a33 + s, v48);
        });
    }
}

template <typename Lines>
void native_27(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at0 = lines.at(program.arrays[0]);
    const auto at1 = lines.at(program.arrays[1]);
    const auto at2 = lines.at(program.arrays[2]);
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    const auto at13 = lines.at(program.arrays[13]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a0 = at0(line + r) + unit;
        S *const a1 = at1(line + r) + unit;
        S *const a2 = at2(line + r) + unit;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        S *const a13 = at13(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = read(a0 + s);
            const V v1 = read(a1 + s);
            const V v2 = rounded(v0 * v1);
            const V v3 = read(a2 + s);
            const V v4 = read(a3 + s);
            const V v5 = rounded(v3 * v4);
            const V v6 = read(a4 + s);
            const V v7 = read(a5 + s);
            const V v8 = rounded(v6 * v7);
            const V v9 = read(a6 + s);
            const V v10 = read(a7 + s);
            const V v11 = rounded(v9 * v10);
            const V v12 = v2 + v11;
            const V v13 = Functions<S>::sigmoid(v12);
            const V v14 = read(a8 + s);
            const V v15 = read(a9 + s);
            const V v16 = rounded(v14 * v15);
            const V v17 = v5 + v16;
            const V v18 = Functions<S>::sigmoid(v17);
            const V v19 = read(a10 + s);
            const V v20 = read(a11 + s);
            const V v21 = rounded(v19 * v20);
            const V v22 = v8 + v21;
            const V v23 = rounded(Functions<S>::tanh(v22));
            const V v24 = read(a12 + s);
            const V v25 = rounded(v18 * v24);
            const V v26 = rounded(v13 * v23);
            const V v27 = v25 + v26;
            write(a13 + s, v27);
        });
    }
}

template <typename Lines>
void native_28(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at0 = lines.at(program.arrays[0]);
    const auto at1 = lines.at(program.arrays[1]);
    const auto at2 = lines.at(program.arrays[2]);
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a0 = at0(line + r) + unit;
        S *const a1 = at1(line + r) + unit;
        S *const a2 = at2(line + r) + unit;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = read(a0 + s);
            const V v1 = read(a1 + s);
            const V v2 = rounded(v0 * v1);
            const V v3 = read(a2 + s);
            const V v4 = read(a3 + s);
            const V v5 = rounded(v3 * v4);
            const V v6 = v2 + v5;
            const V v7 = Functions<S>::sigmoid(v6);
            const V v8 = read(a4 + s);
            const V v9 = read(a5 + s);
            const V v10 = rounded(v8 * v9);
            const V v11 = read(a6 + s);
            const V v12 = v10 + v11;
            const V v13 = rounded(Functions<S>::tanh(v12));
            const V v14 = rounded(v7 * v13);
            write(a7 + s, v14);
        });
    }
}

template <typename Lines>
void native_29(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at0 = lines.at(program.arrays[0]);
    const auto at1 = lines.at(program.arrays[1]);
    const auto at2 = lines.at(program.arrays[2]);
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    const auto at13 = lines.at(program.arrays[13]);
    const auto at14 = lines.at(program.arrays[14]);
    const auto at15 = lines.at(program.arrays[15]);
    const auto at16 = lines.at(program.arrays[16]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a0 = at0(line + r) + unit;
        S *const a1 = at1(line + r) + unit;
        S *const a2 = at2(line + r) + unit;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        S *const a13 = at13(line + r) + unit;
        S *const a14 = at14(line + r) + unit;
        S *const a15 = at15(line + r) + unit;
        S *const a16 = at16(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = read(a0 + s);
            const V v1 = read(a1 + s);
            const V v2 = rounded(v0 * v1);
            const V v3 = read(a2 + s);
            const V v4 = read(a3 + s);
            const V v5 = rounded(v3 * v4);
            const V v6 = read(a4 + s);
            const V v7 = read(a5 + s);
            const V v8 = rounded(v6 * v7);
            const V v9 = read(a6 + s);
            const V v10 = read(a7 + s);
            const V v11 = rounded(v9 * v10);
            const V v12 = v2 + v11;
            const V v13 = Functions<S>::sigmoid(v12);
            write(a13 + s, v13);
            const V v14 = read(a8 + s);
            const V v15 = read(a9 + s);
            const V v16 = rounded(v14 * v15);
            const V v17 = v5 + v16;
            const V v18 = Functions<S>::sigmoid(v17);
            write(a14 + s, v18);
            const V v19 = read(a10 + s);
            const V v20 = read(a11 + s);
            const V v21 = rounded(v19 * v20);
            const V v22 = v8 + v21;
            const V v23 = rounded(Functions<S>::tanh(v22));
            write(a15 + s, v23);
            const V v24 = read(a12 + s);
            const V v25 = rounded(v18 * v24);
            const V v26 = rounded(v13 * v23);
            const V v27 = v25 + v26;
            write(a16 + s, v27);
        });
    }
}

template <typename Lines>
void native_30(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at0 = lines.at(program.arrays[0]);
    const auto at1 = lines.at(program.arrays[1]);
    const auto at2 = lines.at(program.arrays[2]);
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a0 = at0(line + r) + unit;
        S *const a1 = at1(line + r) + unit;
        S *const a2 = at2(line + r) + unit;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = read(a0 + s);
            const V v1 = read(a1 + s);
            const V v2 = rounded(v0 * v1);
            const V v3 = read(a2 + s);
            const V v4 = read(a3 + s);
            const V v5 = rounded(v3 * v4);
            const V v6 = v2 + v5;
            const V v7 = Functions<S>::sigmoid(v6);
            write(a7 + s, v7);
            const V v8 = read(a4 + s);
            const V v9 = read(a5 + s);
            const V v10 = rounded(v8 * v9);
            const V v11 = read(a6 + s);
            const V v12 = v10 + v11;
            const V v13 = rounded(Functions<S>::tanh(v12));
            write(a8 + s, v13);
            const V v14 = rounded(v7 * v13);
            write(a9 + s, v14);
        });
    }
}

template <typename Lines>
void native_31(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = read(a3 + s);
            const V v1 = read(a4 + s);
            const V v2 = v0 + v1;
            const V v3 = load(p + 0 * BLOCK * L + s);
            const V v4 = read(a5 + s);
            const V v5 = v3 + v4;
            const V v6 = Functions<S>::sigmoid(v5);
            const V v7 = load(p + 1 * BLOCK * L + s);
            const V v8 = read(a6 + s);
            const V v9 = v7 + v8;
            const V v10 = Functions<S>::sigmoid(v9);
            const V v11 = load(p + 2 * BLOCK * L + s);
            const V v12 = read(a7 + s);
            const V v13 = v11 + v12;
            const V v14 = rounded(v6 * v13);
            const V v15 = v2 + v14;
            const V v16 = rounded(Functions<S>::tanh(v15));
            const V v17 = splat(S(1.0));
            const V v18 = v17 - v10;
            const V v19 = rounded(v18 * v16);
            const V v20 = read(a8 + s);
            const V v21 = rounded(v10 * v20);
            const V v22 = v19 + v21;
            write(a9 + s, v22);
        });
    }
}

template <typename Lines>
void native_32(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = read(a3 + s);
            const V v1 = read(a4 + s);
            const V v2 = v0 + v1;
            const V v3 = load(p + 0 * BLOCK * L + s);
            const V v4 = read(a5 + s);
            const V v5 = v3 + v4;
            const V v6 = Functions<S>::sigmoid(v5);
            write(a9 + s, v6);
            const V v7 = load(p + 1 * BLOCK * L + s);
            const V v8 = read(a6 + s);
            const V v9 = v7 + v8;
            const V v10 = Functions<S>::sigmoid(v9);
            write(a10 + s, v10);
            const V v11 = load(p + 2 * BLOCK * L + s);
            const V v12 = read(a7 + s);
            const V v13 = v11 + v12;
            const V v14 = rounded(v6 * v13);
            const V v15 = v2 + v14;
            const V v16 = rounded(Functions<S>::tanh(v15));
            write(a11 + s, v16);
            const V v17 = splat(S(1.0));
            const V v18 = v17 - v10;
            const V v19 = rounded(v18 * v16);
            const V v20 = read(a8 + s);
            const V v21 = rounded(v10 * v20);
            const V v22 = v19 + v21;
            write(a12 + s, v22);
        });
    }
}

template <typename Lines>
void native_33(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at0 = lines.at(program.arrays[0]);
    const auto at1 = lines.at(program.arrays[1]);
    const auto at2 = lines.at(program.arrays[2]);
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a0 = at0(line + r) + unit;
        S *const a1 = at1(line + r) + unit;
        S *const a2 = at2(line + r) + unit;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = splat(S(1.0));
            const V v1 = read(a0 + s);
            const V v2 = v0 - v1;
            const V v3 = read(a1 + s);
            const V v4 = rounded(v3 * v3);
            const V v5 = v0 - v4;
            const V v6 = read(a2 + s);
            const V v7 = read(a3 + s);
            const V v8 = v6 + v7;
            const V v9 = read(a4 + s);
            const V v10 = v0 - v9;
            const V v11 = rounded(v9 * v10);
            const V v12 = rounded(v1 * v2);
            const V v13 = read(a5 + s);
            const V v14 = read(a6 + s);
            const V v15 = v13 + v14;
            write(a8 + s, v15);
            const V v16 = rounded(v15 * v2);
            const V v17 = rounded(v16 * v5);
            write(a9 + s, v17);
            const V v18 = rounded(v17 * v9);
            write(a10 + s, v18);
            const V v19 = rounded(v17 * v8);
            const V v20 = rounded(v19 * v11);
            write(a11 + s, v20);
            const V v21 = read(a7 + s);
            const V v22 = rounded(v15 * v21);
            const V v23 = rounded(v15 * v3);
            const V v24 = v22 - v23;
            const V v25 = rounded(v24 * v12);
            write(a12 + s, v25);
        });
    }
}

template <typename Lines>
void native_34(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at1 = lines.at(program.arrays[1]);
    const auto at2 = lines.at(program.arrays[2]);
    const auto at3 = lines.at(program.arrays[3]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a1 = at1(line + r) + unit;
        S *const a2 = at2(line + r) + unit;
        S *const a3 = at3(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = read(a1 + s);
            const V v1 = read(a2 + s);
            const V v2 = rounded(v0 * v1);
            const V v3 = load(p + 0 * BLOCK * L + s);
            const V v4 = v2 + v3;
            write(a3 + s, v4);
        });
    }
}

template <typename Lines>
void native_35(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = load(p + 0 * BLOCK * L + s);
            const V v1 = v0;
            const V v2 = Functions<S>::sigmoid(v1);
            const V v3 = load(p + 1 * BLOCK * L + s);
            const V v4 = v3;
            const V v5 = Functions<S>::sigmoid(v4);
            const V v6 = load(p + 2 * BLOCK * L + s);
            const V v7 = rounded(v2 * v6);
            const V v8 = read(a3 + s);
            const V v9 = v8 + v7;
            const V v10 = rounded(Functions<S>::tanh(v9));
            const V v11 = splat(S(1.0));
            const V v12 = v11 - v5;
            const V v13 = rounded(v12 * v10);
            const V v14 = read(a4 + s);
            const V v15 = rounded(v5 * v14);
            const V v16 = v13 + v15;
            write(a5 + s, v16);
        });
    }
}

template <typename Lines>
void native_36(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = load(p + 0 * BLOCK * L + s);
            const V v1 = v0;
            const V v2 = Functions<S>::sigmoid(v1);
            write(a5 + s, v2);
            const V v3 = load(p + 1 * BLOCK * L + s);
            const V v4 = v3;
            const V v5 = Functions<S>::sigmoid(v4);
            write(a6 + s, v5);
            const V v6 = load(p + 2 * BLOCK * L + s);
            const V v7 = rounded(v2 * v6);
            const V v8 = read(a3 + s);
            const V v9 = v8 + v7;
            const V v10 = rounded(Functions<S>::tanh(v9));
            write(a7 + s, v10);
            const V v11 = splat(S(1.0));
            const V v12 = v11 - v5;
            const V v13 = rounded(v12 * v10);
            const V v14 = read(a4 + s);
            const V v15 = rounded(v5 * v14);
            const V v16 = v13 + v15;
            write(a8 + s, v16);
        });
    }
}

template <typename Lines>
void native_37(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at0 = lines.at(program.arrays[0]);
    const auto at1 = lines.at(program.arrays[1]);
    const auto at2 = lines.at(program.arrays[2]);
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a0 = at0(line + r) + unit;
        S *const a1 = at1(line + r) + unit;
        S *const a2 = at2(line + r) + unit;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = splat(S(1.0));
            const V v1 = read(a0 + s);
            const V v2 = v0 - v1;
            const V v3 = read(a1 + s);
            const V v4 = rounded(v3 * v3);
            const V v5 = v0 - v4;
            const V v6 = read(a2 + s);
            const V v7 = v0 - v6;
            const V v8 = rounded(v6 * v7);
            const V v9 = rounded(v1 * v2);
            const V v10 = read(a3 + s);
            const V v11 = read(a4 + s);
            const V v12 = v10 + v11;
            write(a7 + s, v12);
            const V v13 = rounded(v12 * v2);
            const V v14 = rounded(v13 * v5);
            write(a8 + s, v14);
            const V v15 = rounded(v14 * v6);
            write(a9 + s, v15);
            const V v16 = read(a5 + s);
            const V v17 = rounded(v14 * v16);
            const V v18 = rounded(v17 * v8);
            write(a10 + s, v18);
            const V v19 = read(a6 + s);
            const V v20 = rounded(v12 * v19);
            const V v21 = rounded(v12 * v3);
            const V v22 = v20 - v21;
            const V v23 = rounded(v22 * v9);
            write(a11 + s, v23);
        });
    }
}

template <typename Lines>
void native_38(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at1 = lines.at(program.arrays[1]);
    const auto at2 = lines.at(program.arrays[2]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a1 = at1(line + r) + unit;
        S *const a2 = at2(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = load(p + 0 * BLOCK * L + s);
            const V v1 = read(a1 + s);
            const V v2 = v0 + v1;
            const V v3 = rounded(Functions<S>::tanh(v2));
            write(a2 + s, v3);
        });
    }
}

template <typename Lines>
void native_39(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at0 = lines.at(program.arrays[0]);
    const auto at1 = lines.at(program.arrays[1]);
    const auto at2 = lines.at(program.arrays[2]);
    const auto at3 = lines.at(program.arrays[3]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a0 = at0(line + r) + unit;
        S *const a1 = at1(line + r) + unit;
        S *const a2 = at2(line + r) + unit;
        S *const a3 = at3(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = read(a0 + s);
            const V v1 = rounded(v0 * v0);
            const V v2 = splat(S(1.0));
            const V v3 = v2 - v1;
            const V v4 = read(a1 + s);
            const V v5 = read(a2 + s);
            const V v6 = v4 + v5;
            const V v7 = rounded(v6 * v3);
            write(a3 + s, v7);
        });
    }
}

template <typename Lines>
void native_40(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = load(p + 0 * BLOCK * L + s);
            const V v1 = read(a3 + s);
            const V v2 = v0 + v1;
            const V v3 = Functions<S>::sigmoid(v2);
            const V v4 = load(p + 1 * BLOCK * L + s);
            const V v5 = read(a4 + s);
            const V v6 = v4 + v5;
            const V v7 = rounded(Functions<S>::tanh(v6));
            const V v8 = load(p + 2 * BLOCK * L + s);
            const V v9 = read(a5 + s);
            const V v10 = v8 + v9;
            const V v11 = Functions<S>::sigmoid(v10);
            const V v12 = rounded(v3 * v7);
            const V v13 = read(a6 + s);
            const V v14 = v13 + v12;
            write(a7 + s, v14);
            const V v15 = rounded(Functions<S>::tanh(v14));
            const V v16 = rounded(v11 * v15);
            write(a8 + s, v16);
        });
    }
}

template <typename Lines>
void native_41(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = load(p + 0 * BLOCK * L + s);
            const V v1 = read(a3 + s);
            const V v2 = v0 + v1;
            const V v3 = Functions<S>::sigmoid(v2);
            write(a7 + s, v3);
            const V v4 = load(p + 1 * BLOCK * L + s);
            const V v5 = read(a4 + s);
            const V v6 = v4 + v5;
            const V v7 = rounded(Functions<S>::tanh(v6));
            write(a8 + s, v7);
            const V v8 = load(p + 2 * BLOCK * L + s);
            const V v9 = read(a5 + s);
            const V v10 = v8 + v9;
            const V v11 = Functions<S>::sigmoid(v10);
            write(a9 + s, v11);
            const V v12 = rounded(v3 * v7);
            const V v13 = read(a6 + s);
            const V v14 = v13 + v12;
            write(a10 + s, v14);
            const V v15 = rounded(Functions<S>::tanh(v14));
            write(a11 + s, v15);
            const V v16 = rounded(v11 * v15);
            write(a12 + s, v16);
        });
    }
}

template <typename Lines>
void native_42(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at0 = lines.at(program.arrays[0]);
    const auto at1 = lines.at(program.arrays[1]);
    const auto at2 = lines.at(program.arrays[2]);
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a0 = at0(line + r) + unit;
        S *const a1 = at1(line + r) + unit;
        S *const a2 = at2(line + r) + unit;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = read(a0 + s);
            const V v1 = rounded(v0 * v0);
            const V v2 = splat(S(1.0));
            const V v3 = v2 - v1;
            const V v4 = read(a1 + s);
            const V v5 = rounded(v4 * v4);
            const V v6 = v2 - v5;
            const V v7 = read(a2 + s);
            const V v8 = v2 - v7;
            const V v9 = rounded(v7 * v8);
            const V v10 = read(a3 + s);
            const V v11 = v2 - v10;
            const V v12 = rounded(v10 * v11);
            const V v13 = read(a4 + s);
            const V v14 = read(a5 + s);
            const V v15 = v13 + v14;
            const V v16 = rounded(v15 * v10);
            const V v17 = rounded(v16 * v3);
            const V v18 = read(a6 + s);
            const V v19 = v18 + v17;
            write(a7 + s, v19);
            const V v20 = rounded(v19 * v7);
            const V v21 = rounded(v20 * v6);
            write(a8 + s, v21);
            const V v22 = rounded(v19 * v4);
            const V v23 = rounded(v22 * v9);
            write(a9 + s, v23);
            const V v24 = rounded(v15 * v0);
            const V v25 = rounded(v24 * v12);
            write(a10 + s, v25);
        });
    }
}

template <typename Lines>
void native_43(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = load(p + 0 * BLOCK * L + s);
            const V v1 = read(a3 + s);
            const V v2 = v0 + v1;
            const V v3 = read(a4 + s);
            const V v4 = read(a5 + s);
            const V v5 = rounded(v3 * v4);
            const V v6 = v2 + v5;
            const V v7 = Functions<S>::sigmoid(v6);
            const V v8 = load(p + 1 * BLOCK * L + s);
            const V v9 = read(a6 + s);
            const V v10 = v8 + v9;
            const V v11 = rounded(Functions<S>::tanh(v10));
            const V v12 = load(p + 2 * BLOCK * L + s);
            const V v13 = read(a7 + s);
            const V v14 = v12 + v13;
            const V v15 = rounded(v7 * v4);
            const V v16 = v15 + v11;
            write(a9 + s, v16);
            const V v17 = read(a8 + s);
            const V v18 = rounded(v17 * v16);
            const V v19 = v14 + v18;
            const V v20 = Functions<S>::sigmoid(v19);
            const V v21 = rounded(Functions<S>::tanh(v16));
            const V v22 = rounded(v20 * v21);
            write(a10 + s, v22);
        });
    }
}

template <typename Lines>
void native_44(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    const auto at13 = lines.at(program.arrays[13]);
    const auto at14 = lines.at(program.arrays[14]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        S *const a13 = at13(line + r) + unit;
        S *const a14 = at14(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = load(p + 0 * BLOCK * L + s);
            const V v1 = read(a3 + s);
            const V v2 = v0 + v1;
            const V v3 = read(a4 + s);
            const V v4 = read(a5 + s);
            const V v5 = rounded(v3 * v4);
            const V v6 = v2 + v5;
            const V v7 = Functions<S>::sigmoid(v6);
            write(a9 + s, v7);
            const V v8 = load(p + 1 * BLOCK * L + s);
            const V v9 = read(a6 + s);
            const V v10 = v8 + v9;
            const V v11 = rounded(Functions<S>::tanh(v10));
            write(a10 + s, v11);
            const V v12 = load(p + 2 * BLOCK * L + s);
            const V v13 = read(a7 + s);
            const V v14 = v12 + v13;
            const V v15 = rounded(v7 * v4);
            const V v16 = v15 + v11;
            write(a11 + s, v16);
            const V v17 = read(a8 + s);
            const V v18 = rounded(v17 * v16);
            const V v19 = v14 + v18;
            const V v20 = Functions<S>::sigmoid(v19);
            write(a12 + s, v20);
            const V v21 = rounded(Functions<S>::tanh(v16));
            write(a13 + s, v21);
            const V v22 = rounded(v20 * v21);
            write(a14 + s, v22);
        });
    }
}

template <typename Lines>
void native_45(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at0 = lines.at(program.arrays[0]);
    const auto at1 = lines.at(program.arrays[1]);
    const auto at2 = lines.at(program.arrays[2]);
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    const auto at13 = lines.at(program.arrays[13]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a0 = at0(line + r) + unit;
        S *const a1 = at1(line + r) + unit;
        S *const a2 = at2(line + r) + unit;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        S *const a13 = at13(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = read(a0 + s);
            const V v1 = rounded(v0 * v0);
            const V v2 = splat(S(1.0));
            const V v3 = v2 - v1;
            const V v4 = read(a1 + s);
            const V v5 = v2 - v4;
            const V v6 = rounded(v4 * v5);
            const V v7 = read(a2 + s);
            const V v8 = rounded(v7 * v7);
            const V v9 = v2 - v8;
            const V v10 = read(a3 + s);
            const V v11 = v2 - v10;
            const V v12 = rounded(v10 * v11);
            const V v13 = read(a4 + s);
            const V v14 = read(a5 + s);
            const V v15 = v13 + v14;
            const V v16 = rounded(v15 * v4);
            const V v17 = rounded(v16 * v3);
            const V v18 = read(a6 + s);
            const V v19 = v18 + v17;
            const V v20 = rounded(v15 * v0);
            const V v21 = rounded(v20 * v6);
            write(a10 + s, v21);
            const V v22 = read(a7 + s);
            const V v23 = rounded(v21 * v22);
            const V v24 = v19 + v23;
            const V v25 = rounded(v24 * v9);
            write(a11 + s, v25);
            const V v26 = read(a8 + s);
            const V v27 = rounded(v24 * v26);
            const V v28 = rounded(v27 * v12);
            write(a12 + s, v28);
            const V v29 = rounded(v24 * v10);
            const V v30 = read(a9 + s);
            const V v31 = rounded(v28 * v30);
            const V v32 = v29 + v31;
            write(a13 + s, v32);
        });
    }
}

template <typename Lines>
void native_46(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at0 = lines.at(program.arrays[0]);
    const auto at1 = lines.at(program.arrays[1]);
    const auto at2 = lines.at(program.arrays[2]);
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a0 = at0(line + r) + unit;
        S *const a1 = at1(line + r) + unit;
        S *const a2 = at2(line + r) + unit;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = read(a0 + s);
            const V v1 = read(a1 + s);
            const V v2 = rounded(v0 * v1);
            write(a4 + s, v2);
            const V v3 = read(a2 + s);
            const V v4 = read(a3 + s);
            const V v5 = rounded(v3 * v4);
            write(a5 + s, v5);
        });
    }
}

template <typename Lines>
void native_47(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = load(p + 0 * BLOCK * L + s);
            const V v1 = read(a3 + s);
            const V v2 = v0 + v1;
            const V v3 = read(a4 + s);
            const V v4 = read(a5 + s);
            const V v5 = rounded(v3 * v4);
            const V v6 = v2 + v5;
            const V v7 = Functions<S>::sigmoid(v6);
            const V v8 = load(p + 1 * BLOCK * L + s);
            const V v9 = read(a6 + s);
            const V v10 = v8 + v9;
            const V v11 = rounded(Functions<S>::tanh(v10));
            const V v12 = load(p + 2 * BLOCK * L + s);
            const V v13 = read(a7 + s);
            const V v14 = v12 + v13;
            const V v15 = rounded(v7 * v11);
            const V v16 = v4 + v15;
            write(a9 + s, v16);
            const V v17 = read(a8 + s);
            const V v18 = rounded(v17 * v16);
            const V v19 = v14 + v18;
            const V v20 = Functions<S>::sigmoid(v19);
            const V v21 = rounded(Functions<S>::tanh(v16));
            const V v22 = rounded(v20 * v21);
            write(a10 + s, v22);
        });
    }
}

template <typename Lines>
void native_48(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    const auto at13 = lines.at(program.arrays[13]);
    const auto at14 = lines.at(program.arrays[14]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        S *const a13 = at13(line + r) + unit;
        S *const a14 = at14(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = load(p + 0 * BLOCK * L + s);
            const V v1 = read(a3 + s);
            const V v2 = v0 + v1;
            const V v3 = read(a4 + s);
            const V v4 = read(a5 + s);
            const V v5 = rounded(v3 * v4);
            const V v6 = v2 + v5;
            const V v7 = Functions<S>::sigmoid(v6);
            write(a9 + s, v7);
            const V v8 = load(p + 1 * BLOCK * L + s);
            const V v9 = read(a6 + s);
            const V v10 = v8 + v9;
            const V v11 = rounded(Functions<S>::tanh(v10));
            write(a10 + s, v11);
            const V v12 = load(p + 2 * BLOCK * L + s);
            const V v13 = read(a7 + s);
            const V v14 = v12 + v13;
            const V v15 = rounded(v7 * v11);
            const V v16 = v4 + v15;
            write(a11 + s, v16);
            const V v17 = read(a8 + s);
            const V v18 = rounded(v17 * v16);
            const V v19 = v14 + v18;
            const V v20 = Functions<S>::sigmoid(v19);
            write(a12 + s, v20);
            const V v21 = rounded(Functions<S>::tanh(v16));
            write(a13 + s, v21);
            const V v22 = rounded(v20 * v21);
            write(a14 + s, v22);
        });
    }
}

template <typename Lines>
void native_49(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at0 = lines.at(program.arrays[0]);
    const auto at1 = lines.at(program.arrays[1]);
    const auto at2 = lines.at(program.arrays[2]);
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a0 = at0(line + r) + unit;
        S *const a1 = at1(line + r) + unit;
        S *const a2 = at2(line + r) + unit;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = read(a0 + s);
            const V v1 = rounded(v0 * v0);
            const V v2 = splat(S(1.0));
            const V v3 = v2 - v1;
            const V v4 = read(a1 + s);
            const V v5 = v2 - v4;
            const V v6 = rounded(v4 * v5);
            const V v7 = read(a2 + s);
            const V v8 = rounded(v7 * v7);
            const V v9 = v2 - v8;
            const V v10 = read(a3 + s);
            const V v11 = v2 - v10;
            const V v12 = rounded(v10 * v11);
            const V v13 = read(a4 + s);
            const V v14 = read(a5 + s);
            const V v15 = v13 + v14;
            const V v16 = rounded(v15 * v4);
            const V v17 = rounded(v16 * v3);
            const V v18 = read(a6 + s);
            const V v19 = v18 + v17;
            const V v20 = rounded(v15 * v0);
            const V v21 = rounded(v20 * v6);
            write(a9 + s, v21);
            const V v22 = read(a7 + s);
            const V v23 = rounded(v21 * v22);
            const V v24 = v19 + v23;
            const V v25 = rounded(v24 * v10);
            const V v26 = rounded(v25 * v9);
            write(a10 + s, v26);
            const V v27 = rounded(v24 * v7);
            const V v28 = rounded(v27 * v12);
            write(a11 + s, v28);
            const V v29 = read(a8 + s);
            const V v30 = rounded(v28 * v29);
            const V v31 = v24 + v30;
            write(a12 + s, v31);
        });
    }
}

template <typename Lines>
void native_50(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = load(p + 0 * BLOCK * L + s);
            const V v1 = read(a3 + s);
            const V v2 = v0 + v1;
            const V v3 = read(a4 + s);
            const V v4 = read(a5 + s);
            const V v5 = rounded(v3 * v4);
            const V v6 = v2 + v5;
            const V v7 = Functions<S>::sigmoid(v6);
            const V v8 = load(p + 1 * BLOCK * L + s);
            const V v9 = read(a6 + s);
            const V v10 = v8 + v9;
            const V v11 = read(a7 + s);
            const V v12 = rounded(v11 * v4);
            const V v13 = v10 + v12;
            const V v14 = Functions<S>::sigmoid(v13);
            const V v15 = load(p + 2 * BLOCK * L + s);
            const V v16 = read(a8 + s);
            const V v17 = v15 + v16;
            const V v18 = rounded(Functions<S>::tanh(v17));
            const V v19 = rounded(v14 * v4);
            const V v20 = rounded(v7 * v18);
            const V v21 = v19 + v20;
            write(a9 + s, v21);
            const V v22 = rounded(Functions<S>::tanh(v21));
            write(a10 + s, v22);
        });
    }
}

template <typename Lines>
void native_51(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    const auto at13 = lines.at(program.arrays[13]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        S *const a13 = at13(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = load(p + 0 * BLOCK * L + s);
            const V v1 = read(a3 + s);
            const V v2 = v0 + v1;
            const V v3 = read(a4 + s);
            const V v4 = read(a5 + s);
            const V v5 = rounded(v3 * v4);
            const V v6 = v2 + v5;
            const V v7 = Functions<S>::sigmoid(v6);
            write(a9 + s, v7);
            const V v8 = load(p + 1 * BLOCK * L + s);
            const V v9 = read(a6 + s);
            const V v10 = v8 + v9;
            const V v11 = read(a7 + s);
            const V v12 = rounded(v11 * v4);
            const V v13 = v10 + v12;
            const V v14 = Functions<S>::sigmoid(v13);
            write(a10 + s, v14);
            const V v15 = load(p + 2 * BLOCK * L + s);
            const V v16 = read(a8 + s);
            const V v17 = v15 + v16;
            const V v18 = rounded(Functions<S>::tanh(v17));
            write(a11 + s, v18);
            const V v19 = rounded(v14 * v4);
            const V v20 = rounded(v7 * v18);
            const V v21 = v19 + v20;
            write(a12 + s, v21);
            const V v22 = rounded(Functions<S>::tanh(v21));
            write(a13 + s, v22);
        });
    }
}

template <typename Lines>
void native_52(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at0 = lines.at(program.arrays[0]);
    const auto at1 = lines.at(program.arrays[1]);
    const auto at2 = lines.at(program.arrays[2]);
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    const auto at13 = lines.at(program.arrays[13]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a0 = at0(line + r) + unit;
        S *const a1 = at1(line + r) + unit;
        S *const a2 = at2(line + r) + unit;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        S *const a13 = at13(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = read(a0 + s);
            const V v1 = rounded(v0 * v0);
            const V v2 = splat(S(1.0));
            const V v3 = v2 - v1;
            const V v4 = read(a1 + s);
            const V v5 = rounded(v4 * v4);
            const V v6 = v2 - v5;
            const V v7 = read(a2 + s);
            const V v8 = v2 - v7;
            const V v9 = rounded(v7 * v8);
            const V v10 = read(a3 + s);
            const V v11 = v2 - v10;
            const V v12 = rounded(v10 * v11);
            const V v13 = read(a4 + s);
            const V v14 = read(a5 + s);
            const V v15 = v13 + v14;
            const V v16 = rounded(v15 * v3);
            const V v17 = read(a6 + s);
            const V v18 = v17 + v16;
            const V v19 = rounded(v18 * v7);
            const V v20 = rounded(v19 * v6);
            write(a10 + s, v20);
            const V v21 = rounded(v18 * v4);
            const V v22 = rounded(v21 * v9);
            write(a11 + s, v22);
            const V v23 = read(a7 + s);
            const V v24 = rounded(v18 * v23);
            const V v25 = rounded(v24 * v12);
            write(a12 + s, v25);
            const V v26 = read(a8 + s);
            const V v27 = rounded(v22 * v26);
            const V v28 = rounded(v18 * v10);
            const V v29 = v27 + v28;
            const V v30 = read(a9 + s);
            const V v31 = rounded(v25 * v30);
            const V v32 = v29 + v31;
            write(a13 + s, v32);
        });
    }
}

template <typename Lines>
void native_53(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at0 = lines.at(program.arrays[0]);
    const auto at1 = lines.at(program.arrays[1]);
    const auto at2 = lines.at(program.arrays[2]);
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a0 = at0(line + r) + unit;
        S *const a1 = at1(line + r) + unit;
        S *const a2 = at2(line + r) + unit;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = read(a0 + s);
            const V v1 = read(a1 + s);
            const V v2 = rounded(v0 * v1);
            write(a3 + s, v2);
            const V v3 = read(a2 + s);
            const V v4 = rounded(v3 * v1);
            write(a4 + s, v4);
        });
    }
}

template <typename Lines>
void native_54(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    const auto at13 = lines.at(program.arrays[13]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        S *const a13 = at13(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = load(p + 0 * BLOCK * L + s);
            const V v1 = read(a4 + s);
            const V v2 = v0 + v1;
            const V v3 = read(a5 + s);
            const V v4 = read(a6 + s);
            const V v5 = rounded(v3 * v4);
            const V v6 = v2 + v5;
            const V v7 = Functions<S>::sigmoid(v6);
            const V v8 = load(p + 1 * BLOCK * L + s);
            const V v9 = read(a7 + s);
            const V v10 = v8 + v9;
            const V v11 = read(a8 + s);
            const V v12 = rounded(v11 * v4);
            const V v13 = v10 + v12;
            const V v14 = Functions<S>::sigmoid(v13);
            const V v15 = load(p + 2 * BLOCK * L + s);
            const V v16 = read(a9 + s);
            const V v17 = v15 + v16;
            const V v18 = load(p + 3 * BLOCK * L + s);
            const V v19 = read(a10 + s);
            const V v20 = v18 + v19;
            const V v21 = rounded(v14 * v4);
            const V v22 = rounded(v7 * v17);
            const V v23 = v21 + v22;
            write(a12 + s, v23);
            const V v24 = read(a11 + s);
            const V v25 = rounded(v24 * v23);
            const V v26 = v20 + v25;
            const V v27 = Functions<S>::sigmoid(v26);
            const V v28 = rounded(Functions<S>::tanh(v23));
            const V v29 = rounded(v27 * v28);
            write(a13 + s, v29);
        });
    }
}

template <typename Lines>
void native_55(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    const auto at13 = lines.at(program.arrays[13]);
    const auto at14 = lines.at(program.arrays[14]);
    const auto at15 = lines.at(program.arrays[15]);
    const auto at16 = lines.at(program.arrays[16]);
    const auto at17 = lines.at(program.arrays[17]);
    const auto at18 = lines.at(program.arrays[18]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        S *const a13 = at13(line + r) + unit;
        S *const a14 = at14(line + r) + unit;
        S *const a15 = at15(line + r) + unit;
        S *const a16 = at16(line + r) + unit;
        S *const a17 = at17(line + r) + unit;
        S *const a18 = at18(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = read(a4 + s);
            const V v1 = read(a5 + s);
            const V v2 = v0 + v1;
            const V v3 = load(p + 0 * BLOCK * L + s);
            const V v4 = read(a6 + s);
            const V v5 = v3 + v4;
            const V v6 = read(a7 + s);
            const V v7 = read(a8 + s);
            const V v8 = rounded(v6 * v7);
            const V v9 = v5 + v8;
            const V v10 = Functions<S>::sigmoid(v9);
            write(a13 + s, v10);
            const V v11 = load(p + 1 * BLOCK * L + s);
            const V v12 = read(a9 + s);
            const V v13 = v11 + v12;
            const V v14 = read(a10 + s);
            const V v15 = rounded(v14 * v7);
            const V v16 = v13 + v15;
            const V v17 = Functions<S>::sigmoid(v16);
            write(a14 + s, v17);
            const V v18 = load(p + 2 * BLOCK * L + s);
            const V v19 = v2 + v18;
            const V v20 = load(p + 3 * BLOCK * L + s);
            const V v21 = read(a11 + s);
            const V v22 = v20 + v21;
            const V v23 = rounded(v17 * v7);
            const V v24 = rounded(v10 * v19);
            const V v25 = v23 + v24;
            write(a15 + s, v25);
            const V v26 = read(a12 + s);
            const V v27 = rounded(v26 * v25);
            const V v28 = v22 + v27;
            const V v29 = Functions<S>::sigmoid(v28);
            write(a16 + s, v29);
            const V v30 = rounded(Functions<S>::tanh(v25));
            write(a17 + s, v30);
            const V v31 = rounded(v29 * v30);
            write(a18 + s, v31);
        });
    }
}

template <typename Lines>
void native_56(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at0 = lines.at(program.arrays[0]);
    const auto at1 = lines.at(program.arrays[1]);
    const auto at2 = lines.at(program.arrays[2]);
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    const auto at13 = lines.at(program.arrays[13]);
    const auto at14 = lines.at(program.arrays[14]);
    const auto at15 = lines.at(program.arrays[15]);
    const auto at16 = lines.at(program.arrays[16]);
    const auto at17 = lines.at(program.arrays[17]);
    const auto at18 = lines.at(program.arrays[18]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a0 = at0(line + r) + unit;
        S *const a1 = at1(line + r) + unit;
        S *const a2 = at2(line + r) + unit;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        S *const a13 = at13(line + r) + unit;
        S *const a14 = at14(line + r) + unit;
        S *const a15 = at15(line + r) + unit;
        S *const a16 = at16(line + r) + unit;
        S *const a17 = at17(line + r) + unit;
        S *const a18 = at18(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = read(a0 + s);
            const V v1 = rounded(v0 * v0);
            const V v2 = splat(S(1.0));
            const V v3 = v2 - v1;
            const V v4 = read(a1 + s);
            const V v5 = v2 - v4;
            const V v6 = rounded(v4 * v5);
            const V v7 = read(a2 + s);
            const V v8 = read(a3 + s);
            const V v9 = v7 + v8;
            const V v10 = read(a4 + s);
            const V v11 = v9 + v10;
            const V v12 = read(a5 + s);
            const V v13 = v2 - v12;
            const V v14 = rounded(v12 * v13);
            const V v15 = read(a6 + s);
            const V v16 = v2 - v15;
            const V v17 = rounded(v15 * v16);
            const V v18 = read(a7 + s);
            const V v19 = read(a8 + s);
            const V v20 = v18 + v19;
            const V v21 = rounded(v20 * v4);
            const V v22 = rounded(v21 * v3);
            const V v23 = read(a9 + s);
            const V v24 = v23 + v22;
            const V v25 = rounded(v20 * v0);
            const V v26 = rounded(v25 * v6);
            write(a14 + s, v26);
            const V v27 = read(a10 + s);
            const V v28 = rounded(v26 * v27);
            const V v29 = v24 + v28;
            const V v30 = rounded(v29 * v12);
            write(a15 + s, v30);
            const V v31 = rounded(v29 * v11);
            const V v32 = rounded(v31 * v14);
            write(a16 + s, v32);
            const V v33 = read(a11 + s);
            const V v34 = rounded(v29 * v33);
            const V v35 = rounded(v34 * v17);
            write(a17 + s, v35);
            const V v36 = read(a12 + s);
            const V v37 = rounded(v32 * v36);
            const V v38 = rounded(v29 * v15);
            const V v39 = v37 + v38;
            const V v40 = read(a13 + s);
            const V v41 = rounded(v35 * v40);
            const V v42 = v39 + v41;
            write(a18 + s, v42);
        });
    }
}

template <typename Lines>
void native_57(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    const auto at13 = lines.at(program.arrays[13]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        S *const a13 = at13(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = load(p + 0 * BLOCK * L + s);
            const V v1 = read(a4 + s);
            const V v2 = v0 + v1;
            const V v3 = read(a5 + s);
            const V v4 = read(a6 + s);
            const V v5 = rounded(v3 * v4);
            const V v6 = v2 + v5;
            const V v7 = Functions<S>::sigmoid(v6);
            const V v8 = load(p + 1 * BLOCK * L + s);
            const V v9 = read(a7 + s);
            const V v10 = v8 + v9;
            const V v11 = read(a8 + s);
            const V v12 = rounded(v11 * v4);
            const V v13 = v10 + v12;
            const V v14 = Functions<S>::sigmoid(v13);
            const V v15 = load(p + 2 * BLOCK * L + s);
            const V v16 = read(a9 + s);
            const V v17 = v15 + v16;
            const V v18 = rounded(Functions<S>::tanh(v17));
            const V v19 = load(p + 3 * BLOCK * L + s);
            const V v20 = read(a10 + s);
            const V v21 = v19 + v20;
            const V v22 = rounded(v14 * v4);
            const V v23 = rounded(v7 * v18);
            const V v24 = v22 + v23;
            write(a12 + s, v24);
            const V v25 = read(a11 + s);
            const V v26 = rounded(v25 * v24);
            const V v27 = v21 + v26;
            const V v28 = Functions<S>::sigmoid(v27);
            const V v29 = rounded(v28 * v24);
            write(a13 + s, v29);
        });
    }
}

template <typename Lines>
void native_58(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    const auto at13 = lines.at(program.arrays[13]);
    const auto at14 = lines.at(program.arrays[14]);
    const auto at15 = lines.at(program.arrays[15]);
    const auto at16 = lines.at(program.arrays[16]);
    const auto at17 = lines.at(program.arrays[17]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        S *const a13 = at13(line + r) + unit;
        S *const a14 = at14(line + r) + unit;
        S *const a15 = at15(line + r) + unit;
        S *const a16 = at16(line + r) + unit;
        S *const a17 = at17(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = load(p + 0 * BLOCK * L + s);
            const V v1 = read(a4 + s);
            const V v2 = v0 + v1;
            const V v3 = read(a5 + s);
            const V v4 = read(a6 + s);
            const V v5 = rounded(v3 * v4);
            const V v6 = v2 + v5;
            const V v7 = Functions<S>::sigmoid(v6);
            write(a12 + s, v7);
            const V v8 = load(p + 1 * BLOCK * L + s);
            const V v9 = read(a7 + s);
            const V v10 = v8 + v9;
            const V v11 = read(a8 + s);
            const V v12 = rounded(v11 * v4);
            const V v13 = v10 + v12;
            const V v14 = Functions<S>::sigmoid(v13);
            write(a13 + s, v14);
            const V v15 = load(p + 2 * BLOCK * L + s);
            const V v16 = read(a9 + s);
            const V v17 = v15 + v16;
            const V v18 = rounded(Functions<S>::tanh(v17));
            write(a14 + s, v18);
            const V v19 = load(p + 3 * BLOCK * L + s);
            const V v20 = read(a10 + s);
            const V v21 = v19 + v20;
            const V v22 = rounded(v14 * v4);
            const V v23 = rounded(v7 * v18);
            const V v24 = v22 + v23;
            write(a15 + s, v24);
            const V v25 = read(a11 + s);
            const V v26 = rounded(v25 * v24);
            const V v27 = v21 + v26;
            const V v28 = Functions<S>::sigmoid(v27);
            write(a16 + s, v28);
            const V v29 = rounded(v28 * v24);
            write(a17 + s, v29);
        });
    }
}

template <typename Lines>
void native_59(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at0 = lines.at(program.arrays[0]);
    const auto at1 = lines.at(program.arrays[1]);
    const auto at2 = lines.at(program.arrays[2]);
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    const auto at13 = lines.at(program.arrays[13]);
    const auto at14 = lines.at(program.arrays[14]);
    const auto at15 = lines.at(program.arrays[15]);
    const auto at16 = lines.at(program.arrays[16]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a0 = at0(line + r) + unit;
        S *const a1 = at1(line + r) + unit;
        S *const a2 = at2(line + r) + unit;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        S *const a13 = at13(line + r) + unit;
        S *const a14 = at14(line + r) + unit;
        S *const a15 = at15(line + r) + unit;
        S *const a16 = at16(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = splat(S(1.0));
            const V v1 = read(a0 + s);
            const V v2 = v0 - v1;
            const V v3 = rounded(v1 * v2);
            const V v4 = read(a1 + s);
            const V v5 = rounded(v4 * v4);
            const V v6 = v0 - v5;
            const V v7 = read(a2 + s);
            const V v8 = v0 - v7;
            const V v9 = rounded(v7 * v8);
            const V v10 = read(a3 + s);
            const V v11 = v0 - v10;
            const V v12 = rounded(v10 * v11);
            const V v13 = read(a4 + s);
            const V v14 = read(a5 + s);
            const V v15 = v13 + v14;
            const V v16 = rounded(v15 * v1);
            const V v17 = read(a6 + s);
            const V v18 = v17 + v16;
            const V v19 = read(a7 + s);
            const V v20 = rounded(v15 * v19);
            const V v21 = rounded(v20 * v3);
            write(a12 + s, v21);
            const V v22 = read(a8 + s);
            const V v23 = rounded(v21 * v22);
            const V v24 = v18 + v23;
            const V v25 = rounded(v24 * v7);
            const V v26 = rounded(v25 * v6);
            write(a13 + s, v26);
            const V v27 = rounded(v24 * v4);
            const V v28 = rounded(v27 * v9);
            write(a14 + s, v28);
            const V v29 = read(a9 + s);
            const V v30 = rounded(v24 * v29);
            const V v31 = rounded(v30 * v12);
            write(a15 + s, v31);
            const V v32 = read(a10 + s);
            const V v33 = rounded(v28 * v32);
            const V v34 = rounded(v24 * v10);
            const V v35 = v33 + v34;
            const V v36 = read(a11 + s);
            const V v37 = rounded(v31 * v36);
            const V v38 = v35 + v37;
            write(a16 + s, v38);
        });
    }
}

template <typename Lines>
void native_60(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = load(p + 0 * BLOCK * L + s);
            const V v1 = read(a3 + s);
            const V v2 = v0 + v1;
            const V v3 = read(a4 + s);
            const V v4 = read(a5 + s);
            const V v5 = rounded(v3 * v4);
            const V v6 = v2 + v5;
            const V v7 = Functions<S>::sigmoid(v6);
            const V v8 = splat(S(1.0));
            const V v9 = v8 - v7;
            const V v10 = load(p + 1 * BLOCK * L + s);
            const V v11 = read(a6 + s);
            const V v12 = v10 + v11;
            const V v13 = rounded(Functions<S>::tanh(v12));
            const V v14 = load(p + 2 * BLOCK * L + s);
            const V v15 = read(a7 + s);
            const V v16 = v14 + v15;
            const V v17 = rounded(v9 * v4);
            const V v18 = rounded(v7 * v13);
            const V v19 = v17 + v18;
            write(a9 + s, v19);
            const V v20 = read(a8 + s);
            const V v21 = rounded(v20 * v19);
            const V v22 = v16 + v21;
            const V v23 = Functions<S>::sigmoid(v22);
            const V v24 = rounded(Functions<S>::tanh(v19));
            const V v25 = rounded(v23 * v24);
            write(a10 + s, v25);
        });
    }
}

template <typename Lines>
void native_61(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    const auto at13 = lines.at(program.arrays[13]);
    const auto at14 = lines.at(program.arrays[14]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        S *const a13 = at13(line + r) + unit;
        S *const a14 = at14(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = load(p + 0 * BLOCK * L + s);
            const V v1 = read(a3 + s);
            const V v2 = v0 + v1;
            const V v3 = read(a4 + s);
            const V v4 = read(a5 + s);
            const V v5 = rounded(v3 * v4);
            const V v6 = v2 + v5;
            const V v7 = Functions<S>::sigmoid(v6);
            write(a9 + s, v7);
            const V v8 = splat(S(1.0));
            const V v9 = v8 - v7;
            const V v10 = load(p + 1 * BLOCK * L + s);
            const V v11 = read(a6 + s);
            const V v12 = v10 + v11;
            const V v13 = rounded(Functions<S>::tanh(v12));
            write(a10 + s, v13);
            const V v14 = load(p + 2 * BLOCK * L + s);
            const V v15 = read(a7 + s);
            const V v16 = v14 + v15;
            const V v17 = rounded(v9 * v4);
            const V v18 = rounded(v7 * v13);
            const V v19 = v17 + v18;
            write(a11 + s, v19);
            const V v20 = read(a8 + s);
            const V v21 = rounded(v20 * v19);
            const V v22 = v16 + v21;
            const V v23 = Functions<S>::sigmoid(v22);
            write(a12 + s, v23);
            const V v24 = rounded(Functions<S>::tanh(v19));
            write(a13 + s, v24);
            const V v25 = rounded(v23 * v24);
            write(a14 + s, v25);
        });
    }
}

template <typename Lines>
void native_62(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at0 = lines.at(program.arrays[0]);
    const auto at1 = lines.at(program.arrays[1]);
    const auto at2 = lines.at(program.arrays[2]);
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    const auto at13 = lines.at(program.arrays[13]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a0 = at0(line + r) + unit;
        S *const a1 = at1(line + r) + unit;
        S *const a2 = at2(line + r) + unit;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        S *const a13 = at13(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = read(a0 + s);
            const V v1 = rounded(v0 * v0);
            const V v2 = splat(S(1.0));
            const V v3 = v2 - v1;
            const V v4 = read(a1 + s);
            const V v5 = v2 - v4;
            const V v6 = rounded(v4 * v5);
            const V v7 = read(a2 + s);
            const V v8 = rounded(v7 * v7);
            const V v9 = v2 - v8;
            const V v10 = read(a3 + s);
            const V v11 = v2 - v10;
            const V v12 = rounded(v10 * v11);
            const V v13 = read(a4 + s);
            const V v14 = read(a5 + s);
            const V v15 = v13 + v14;
            const V v16 = rounded(v15 * v4);
            const V v17 = rounded(v16 * v3);
            const V v18 = read(a6 + s);
            const V v19 = v18 + v17;
            const V v20 = rounded(v15 * v0);
            const V v21 = rounded(v20 * v6);
            write(a10 + s, v21);
            const V v22 = read(a7 + s);
            const V v23 = rounded(v21 * v22);
            const V v24 = v19 + v23;
            const V v25 = rounded(v24 * v10);
            const V v26 = rounded(v25 * v9);
            write(a11 + s, v26);
            const V v27 = rounded(v24 * v7);
            const V v28 = read(a8 + s);
            const V v29 = rounded(v24 * v28);
            const V v30 = v27 - v29;
            const V v31 = rounded(v30 * v12);
            write(a12 + s, v31);
            const V v32 = rounded(v24 * v11);
            const V v33 = read(a9 + s);
            const V v34 = rounded(v31 * v33);
            const V v35 = v32 + v34;
            write(a13 + s, v35);
        });
    }
}

template <typename Lines>
void native_63(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at2 = lines.at(program.arrays[2]);
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a2 = at2(line + r) + unit;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = load(p + 0 * BLOCK * L + s);
            const V v1 = read(a2 + s);
            const V v2 = v0 + v1;
            const V v3 = Functions<S>::sigmoid(v2);
            const V v4 = load(p + 1 * BLOCK * L + s);
            const V v5 = read(a3 + s);
            const V v6 = v4 + v5;
            const V v7 = rounded(Functions<S>::tanh(v6));
            const V v8 = read(a4 + s);
            const V v9 = rounded(v3 * v8);
            const V v10 = splat(S(1.0));
            const V v11 = v10 - v2;
            const V v12 = Functions<S>::sigmoid(v11);
            const V v13 = rounded(v12 * v7);
            const V v14 = v9 + v13;
            write(a5 + s, v14);
        });
    }
}

template <typename Lines>
void native_64(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at2 = lines.at(program.arrays[2]);
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a2 = at2(line + r) + unit;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = load(p + 0 * BLOCK * L + s);
            const V v1 = read(a2 + s);
            const V v2 = v0 + v1;
            const V v3 = Functions<S>::sigmoid(v2);
            write(a5 + s, v3);
            const V v4 = load(p + 1 * BLOCK * L + s);
            const V v5 = read(a3 + s);
            const V v6 = v4 + v5;
            const V v7 = rounded(Functions<S>::tanh(v6));
            write(a6 + s, v7);
            const V v8 = read(a4 + s);
            const V v9 = rounded(v3 * v8);
            const V v10 = splat(S(1.0));
            const V v11 = v10 - v2;
            const V v12 = Functions<S>::sigmoid(v11);
            write(a7 + s, v12);
            const V v13 = rounded(v12 * v7);
            const V v14 = v9 + v13;
            write(a8 + s, v14);
        });
    }
}

template <typename Lines>
void native_65(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at0 = lines.at(program.arrays[0]);
    const auto at1 = lines.at(program.arrays[1]);
    const auto at2 = lines.at(program.arrays[2]);
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a0 = at0(line + r) + unit;
        S *const a1 = at1(line + r) + unit;
        S *const a2 = at2(line + r) + unit;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = read(a0 + s);
            const V v1 = rounded(v0 * v0);
            const V v2 = splat(S(1.0));
            const V v3 = v2 - v1;
            const V v4 = read(a1 + s);
            const V v5 = v2 - v4;
            const V v6 = rounded(v4 * v5);
            const V v7 = read(a2 + s);
            const V v8 = v2 - v7;
            const V v9 = rounded(v7 * v8);
            const V v10 = read(a3 + s);
            const V v11 = read(a4 + s);
            const V v12 = v10 + v11;
            write(a6 + s, v12);
            const V v13 = rounded(v12 * v7);
            const V v14 = rounded(v13 * v3);
            write(a7 + s, v14);
            const V v15 = read(a5 + s);
            const V v16 = rounded(v12 * v15);
            const V v17 = rounded(v16 * v6);
            const V v18 = rounded(v12 * v0);
            const V v19 = rounded(v18 * v9);
            const V v20 = v17 - v19;
            write(a8 + s, v20);
        });
    }
}

template <typename Lines>
void native_66(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    const auto at13 = lines.at(program.arrays[13]);
    const auto at14 = lines.at(program.arrays[14]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        S *const a13 = at13(line + r) + unit;
        S *const a14 = at14(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = load(p + 0 * BLOCK * L + s);
            const V v1 = read(a4 + s);
            const V v2 = v0 + v1;
            const V v3 = load(p + 1 * BLOCK * L + s);
            const V v4 = read(a5 + s);
            const V v5 = v3 + v4;
            const V v6 = -Functions<S>::softplus(-v5);
            const V v7 = read(a6 + s);
            const V v8 = v6 + v7;
            const V v9 = Choices<S>::maximum(v8, v2);
            write(a11 + s, v9);
            const V v10 = v2 - v9;
            const V v11 = rounded(Functions<S>::exp(v10));
            const V v12 = v8 - v9;
            const V v13 = rounded(Functions<S>::exp(v12));
            const V v14 = load(p + 2 * BLOCK * L + s);
            const V v15 = read(a7 + s);
            const V v16 = v14 + v15;
            const V v17 = rounded(Functions<S>::tanh(v16));
            const V v18 = load(p + 3 * BLOCK * L + s);
            const V v19 = read(a8 + s);
            const V v20 = v18 + v19;
            const V v21 = Functions<S>::sigmoid(v20);
            const V v22 = read(a9 + s);
            const V v23 = rounded(v13 * v22);
            const V v24 = rounded(v11 * v17);
            const V v25 = v23 + v24;
            write(a12 + s, v25);
            const V v26 = read(a10 + s);
            const V v27 = rounded(v13 * v26);
            const V v28 = v27 + v11;
            write(a13 + s, v28);
            const V v29 = v25 / v28;
            const V v30 = rounded(v21 * v29);
            write(a14 + s, v30);
        });
    }
}

template <typename Lines>
void native_67(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    const auto at13 = lines.at(program.arrays[13]);
    const auto at14 = lines.at(program.arrays[14]);
    const auto at15 = lines.at(program.arrays[15]);
    const auto at16 = lines.at(program.arrays[16]);
    const auto at17 = lines.at(program.arrays[17]);
    const auto at18 = lines.at(program.arrays[18]);
    const auto at19 = lines.at(program.arrays[19]);
    const auto at20 = lines.at(program.arrays[20]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        S *const a13 = at13(line + r) + unit;
        S *const a14 = at14(line + r) + unit;
        S *const a15 = at15(line + r) + unit;
        S *const a16 = at16(line + r) + unit;
        S *const a17 = at17(line + r) + unit;
        S *const a18 = at18(line + r) + unit;
        S *const a19 = at19(line + r) + unit;
        S *const a20 = at20(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = read(a4 + s);
            const V v1 = read(a5 + s);
            const V v2 = v0 + v1;
            const V v3 = load(p + 0 * BLOCK * L + s);
            const V v4 = v2 + v3;
            const V v5 = load(p + 1 * BLOCK * L + s);
            const V v6 = read(a6 + s);
            const V v7 = v5 + v6;
            const V v8 = -Functions<S>::softplus(-v7);
            write(a12 + s, v8);
            const V v9 = read(a7 + s);
            const V v10 = v8 + v9;
            const V v11 = Choices<S>::maximum(v10, v4);
            write(a13 + s, v11);
            const V v12 = v4 - v11;
            const V v13 = rounded(Functions<S>::exp(v12));
            write(a14 + s, v13);
            const V v14 = v10 - v11;
            const V v15 = rounded(Functions<S>::exp(v14));
            write(a15 + s, v15);
            const V v16 = load(p + 2 * BLOCK * L + s);
            const V v17 = read(a8 + s);
            const V v18 = v16 + v17;
            const V v19 = rounded(Functions<S>::tanh(v18));
            write(a16 + s, v19);
            const V v20 = load(p + 3 * BLOCK * L + s);
            const V v21 = read(a9 + s);
            const V v22 = v20 + v21;
            const V v23 = Functions<S>::sigmoid(v22);
            write(a17 + s, v23);
            const V v24 = read(a10 + s);
            const V v25 = rounded(v15 * v24);
            const V v26 = rounded(v13 * v19);
            const V v27 = v25 + v26;
            write(a18 + s, v27);
            const V v28 = read(a11 + s);
            const V v29 = rounded(v15 * v28);
            const V v30 = v29 + v13;
            write(a19 + s, v30);
            const V v31 = v27 / v30;
            const V v32 = rounded(v23 * v31);
            write(a20 + s, v32);
        });
    }
}

template <typename Lines>
void native_68(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit,
              int side, const float *products) {
    typedef float S;
    typedef Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const auto at0 = lines.at(program.arrays[0]);
    const auto at1 = lines.at(program.arrays[1]);
    const auto at2 = lines.at(program.arrays[2]);
    const auto at3 = lines.at(program.arrays[3]);
    const auto at4 = lines.at(program.arrays[4]);
    const auto at5 = lines.at(program.arrays[5]);
    const auto at6 = lines.at(program.arrays[6]);
    const auto at7 = lines.at(program.arrays[7]);
    const auto at8 = lines.at(program.arrays[8]);
    const auto at9 = lines.at(program.arrays[9]);
    const auto at10 = lines.at(program.arrays[10]);
    const auto at11 = lines.at(program.arrays[11]);
    const auto at12 = lines.at(program.arrays[12]);
    const auto at13 = lines.at(program.arrays[13]);
    const auto at14 = lines.at(program.arrays[14]);
    const auto at15 = lines.at(program.arrays[15]);
    const auto at16 = lines.at(program.arrays[16]);
    const auto at17 = lines.at(program.arrays[17]);
    const auto at18 = lines.at(program.arrays[18]);
    const auto at19 = lines.at(program.arrays[19]);
    const auto at20 = lines.at(program.arrays[20]);
    const auto at21 = lines.at(program.arrays[21]);
    const auto at22 = lines.at(program.arrays[22]);
    const auto at23 = lines.at(program.arrays[23]);
    const auto at24 = lines.at(program.arrays[24]);
    for (int64_t r = 0; r < count; r++) {
        const S *p = products + r * side * L;
        (void)p;
        S *const a0 = at0(line + r) + unit;
        S *const a1 = at1(line + r) + unit;
        S *const a2 = at2(line + r) + unit;
        S *const a3 = at3(line + r) + unit;
        S *const a4 = at4(line + r) + unit;
        S *const a5 = at5(line + r) + unit;
        S *const a6 = at6(line + r) + unit;
        S *const a7 = at7(line + r) + unit;
        S *const a8 = at8(line + r) + unit;
        S *const a9 = at9(line + r) + unit;
        S *const a10 = at10(line + r) + unit;
        S *const a11 = at11(line + r) + unit;
        S *const a12 = at12(line + r) + unit;
        S *const a13 = at13(line + r) + unit;
        S *const a14 = at14(line + r) + unit;
        S *const a15 = at15(line + r) + unit;
        S *const a16 = at16(line + r) + unit;
        S *const a17 = at17(line + r) + unit;
        S *const a18 = at18(line + r) + unit;
        S *const a19 = at19(line + r) + unit;
        S *const a20 = at20(line + r) + unit;
        S *const a21 = at21(line + r) + unit;
        S *const a22 = at22(line + r) + unit;
        S *const a23 = at23(line + r) + unit;
        S *const a24 = at24(line + r) + unit;
        each_vector<S>(unit, side, program.width, [&](auto read, auto write, int64_t s) GW_LAMBDA {
            const V v0 = read(a0 + s);
            const V v1 = rounded(v0 * v0);
            const V v2 = splat(S(1.0));
            const V v3 = v2 - v1;
            const V v4 = read(a1 + s);
            const V v5 = read(a2 + s);
            const V v6 = v4 / v5;
            const V v7 = v6 / v5;
            const V v8 = read(a3 + s);
            const V v9 = read(a4 + s);
            const V v10 = v8 + v9;
            const V v11 = read(a5 + s);
            const V v12 = v10 + v11;
            const V v13 = read(a6 + s);
            const V v14 = read(a7 + s);
            const V v15 = v13 + v14;
            const V v16 = Choices<S>::truth(v12 > v15);
            const V v17 = Choices<S>::truth(v12 < v15);
            const V v18 = Choices<S>::truth(v15 > v12);
            const V v19 = Choices<S>::truth(v15 < v12);
            const V v20 = Functions<S>::expm1(v13);
            const V v21 = read(a8 + s);
            const V v22 = v2 - v21;
            const V v23 = rounded(v21 * v22);
            const V v24 = read(a9 + s);
            const V v25 = read(a10 + s);
            const V v26 = v24 + v25;
            const V v27 = rounded(v26 * v21);
            const V v28 = v27 / v5;
            const V v29 = read(a11 + s);
            const V v30 = v29 + v28;
            const V v31 = read(a12 + s);
            const V v32 = rounded(v30 * v31);
            const V v33 = rounded(v32 * v3);
            write(a18 + s, v33);
            const V v34 = rounded(v27 * v7);
            const V v35 = read(a13 + s);
            const V v36 = v35 - v34;
            const V v37 = rounded(v30 * v0);
            const V v38 = v36 + v37;
            const V v39 = rounded(v38 * v31);
            const V v40 = read(a14 + s);
            const V v41 = v40 - v39;
            const V v42 = read(a15 + s);
            const V v43 = rounded(v36 * v42);
            const V v44 = read(a16 + s);
            const V v45 = rounded(v30 * v44);
            const V v46 = v43 + v45;
            const V v47 = read(a17 + s);
            const V v48 = rounded(v46 * v47);
            const V v49 = v41 - v48;
            const V v50 = splat(S(0.5));
            const V v51 = rounded(v50 * v49);
            const V v52 = splat(S(0.0));
            const V v53 = Choices<S>::where(v17, v52, v51);
            const V v54 = Choices<S>::where(v16, v49, v53);
            const V v55 = v39 + v54;
            write(a19 + s, v55);
            const V v56 = Choices<S>::where(v19, v52, v51);
            const V v57 = Choices<S>::where(v18, v49, v56);
            const V v58 = v48 + v57;
            write(a20 + s, v58);
            const V v59 = rounded(v58 * v20);
            const V v60 = -v59;
            write(a21 + s, v60);
            const V v61 = rounded(v26 * v6);
            const V v62 = rounded(v61 * v23);
            write(a22 + s, v62);
            const V v63 = rounded(v30 * v47);
            write(a23 + s, v63);
            const V v64 = rounded(v36 * v47);
            write(a24 + s, v64);
        });
    }
}

// False where there is no function for the program: in float64 there is none.
template <typename S>
bool native(const Program &program, const TurnLines<S> &lines, int64_t line, int64_t count, int64_t unit,
            int side, const S *products) {
    if constexpr (sizeof(S) == sizeof(float)) switch (program.native) {
        case 0: native_0(program, lines, line, count, unit, side, products); return true;
        case 1: native_1(program, lines, line, count, unit, side, products); return true;
        case 2: native_2(program, lines, line, count, unit, side, products); return true;
        case 3: native_3(program, lines, line, count, unit, side, products); return true;
        case 4: native_4(program, lines, line, count, unit, side, products); return true;
        case 5: native_5(program, lines, line, count, unit, side, products); return true;
        case 6: native_6(program, lines, line, count, unit, side, products); return true;
        case 7: native_7(program, lines, line, count, unit, side, products); return true;
        case 9: native_9(program, lines, line, count, unit, side, products); return true;
        case 10: native_10(program, lines, line, count, unit, side, products); return true;
        case 11: native_11(program, lines, line, count, unit, side, products); return true;
        case 12: native_12(program, lines, line, count, unit, side, products); return true;
        case 13: native_13(program, lines, line, count, unit, side, products); return true;
        case 14: native_14(program, lines, line, count, unit, side, products); return true;
        case 15: native_15(program, lines, line, count, unit, side, products); return true;
        case 16: native_16(program, lines, line, count, unit, side, products); return true;
        case 17: native_17(program, lines, line, count, unit, side, products); return true;
        case 18: native_18(program, lines, line, count, unit, side, products); return true;
        case 19: native_19(program, lines, line, count, unit, side, products); return true;
        case 20: native_20(program, lines, line, count, unit, side, products); return true;
        case 21: native_21(program, lines, line, count, unit, side, products); return true;
        case 22: native_22(program, lines, line, count, unit, side, products); return true;
        case 27: native_27(program, lines, line, count, unit, side, products); return true;
        case 28: native_28(program, lines, line, count, unit, side, products); return true;
        case 29: native_29(program, lines, line, count, unit, side, products); return true;
        case 30: native_30(program, lines, line, count, unit, side, products); return true;
        case 31: native_31(program, lines, line, count, unit, side, products); return true;
        case 32: native_32(program, lines, line, count, unit, side, products); return true;
        case 33: native_33(program, lines, line, count, unit, side, products); return true;
        case 34: native_34(program, lines, line, count, unit, side, products); return true;
        case 35: native_35(program, lines, line, count, unit, side, products); return true;
        case 36: native_36(program, lines, line, count, unit, side, products); return true;
        case 37: native_37(program, lines, line, count, unit, side, products); return true;
        case 38: native_38(program, lines, line, count, unit, side, products); return true;
        case 39: native_39(program, lines, line, count, unit, side, products); return true;
        case 40: native_40(program, lines, line, count, unit, side, products); return true;
        case 41: native_41(program, lines, line, count, unit, side, products); return true;
        case 42: native_42(program, lines, line, count, unit, side, products); return true;
        case 43: native_43(program, lines, line, count, unit, side, products); return true;
        case 44: native_44(program, lines, line, count, unit, side, products); return true;
        case 45: native_45(program, lines, line, count, unit, side, products); return true;
        case 47: native_47(program, lines, line, count, unit, side, products); return true;
        case 48: native_48(program, lines, line, count, unit, side, products); return true;
        case 49: native_49(program, lines, line, count, unit, side, products); return true;
        case 50: native_50(program, lines, line, count, unit, side, products); return true;
        case 51: native_51(program, lines, line, count, unit, side, products); return true;
        case 52: native_52(program, lines, line, count, unit, side, products); return true;
        case 54: native_54(program, lines, line, count, unit, side, products); return true;
        case 55: native_55(program, lines, line, count, unit, side, products); return true;
        case 56: native_56(program, lines, line, count, unit, side, products); return true;
        case 57: native_57(program, lines, line, count, unit, side, products); return true;
        case 58: native_58(program, lines, line, count, unit, side, products); return true;
        case 59: native_59(program, lines, line, count, unit, side, products); return true;
        case 60: native_60(program, lines, line, count, unit, side, products); return true;
        case 61: native_61(program, lines, line, count, unit, side, products); return true;
        case 62: native_62(program, lines, line, count, unit, side, products); return true;
        case 63: native_63(program, lines, line, count, unit, side, products); return true;
        case 64: native_64(program, lines, line, count, unit, side, products); return true;
        case 65: native_65(program, lines, line, count, unit, side, products); return true;
        case 66: native_66(program, lines, line, count, unit, side, products); return true;
        case 67: native_67(program, lines, line, count, unit, side, products); return true;
        case 68: native_68(program, lines, line, count, unit, side, products); return true;
        default: break;
    }
    return false;
}

// False where there is no function for the program: in float64 there is none.
template <typename S>
bool native(const Program &program, const ChunkLines<S> &lines, int64_t line, int64_t count, int64_t unit,
            int side, const S *products) {
    if constexpr (sizeof(S) == sizeof(float)) switch (program.native) {
        case 8: native_8(program, lines, line, count, unit, side, products); return true;
        case 23: native_23(program, lines, line, count, unit, side, products); return true;
        case 24: native_24(program, lines, line, count, unit, side, products); return true;
        case 25: native_25(program, lines, line, count, unit, side, products); return true;
        case 26: native_26(program, lines, line, count, unit, side, products); return true;
        case 46: native_46(program, lines, line, count, unit, side, products); return true;
        case 53: native_53(program, lines, line, count, unit, side, products); return true;
        default: break;
    }
    return false;
}
