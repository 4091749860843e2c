// Vectors of one level, and functions of one unit. Included by level.cpp only, inside the level's namespace.
#pragma once

// Inlined by force: vectors by value have no calling convention that all compilers and levels agree on.
#define GW_INLINE inline __attribute__((always_inline))

template <typename S>
struct Vec {
    static constexpr int lanes = GW_BYTES / sizeof(S);
    typedef S type __attribute__((vector_size(GW_BYTES)));
    typedef S loose __attribute__((vector_size(GW_BYTES), aligned(sizeof(S)), may_alias));
};

template <typename S>
GW_INLINE typename Vec<S>::type load(const S *p) {
    return *reinterpret_cast<const typename Vec<S>::loose *>(p);
}
template <typename S>
GW_INLINE void store(S *p, typename Vec<S>::type v) {
    *reinterpret_cast<typename Vec<S>::loose *>(p) = v;
}
template <typename S>
GW_INLINE typename Vec<S>::type splat(S x) {
    return x - typename Vec<S>::type{};
}

typedef Vec<float>::type vf;
typedef int32_t vi __attribute__((vector_size(GW_BYTES)));

GW_INLINE vf choose(vi condition, vf a, vf b) {
    return (vf)((condition & (vi)a) | (~condition & (vi)b));
}
GW_INLINE vf smallest(vf a, vf b) { return choose(a < b, a, b); }
GW_INLINE vf largest(vf a, vf b) { return choose(a > b, a, b); }
GW_INLINE vf round_nearest(vf x) {
    // Adding and taking away 1.5 * 2^23 leaves the nearest whole number, for |x| < 2^22.
    const vf magic = splat(12582912.0f);
    return (x + magic) - magic;
}

// 2^x for x in [-126, 128): a polynomial of degree 6 on [-1/2, 1/2] (Cephes' exp2f), relative error below 2e-7.
GW_INLINE vf exp2_inside(vf x) {
    vf n = round_nearest(x), r = x - n;
    vf p = splat(1.535336188319500e-4f);
    p = p * r + 1.339887440266574e-3f;
    p = p * r + 9.618437357674640e-3f;
    p = p * r + 5.550332471162809e-2f;
    p = p * r + 2.402264791363012e-1f;
    p = p * r + 6.931472028550421e-1f;
    p = p * r + 1.0f;
    vi e = __builtin_convertvector(n, vi);
    return p * (vf)((e + 127) << 23);
}
GW_INLINE vf exp_(vf x) {
    // In two factors, so that results down to the smallest normal number and up to infinity come out.
    vf y = largest(smallest(x, splat(89.0f)), splat(-104.0f));
    // x * log2(e) in two parts: the product's rounding would cost the last digits of large results.
    vf n = round_nearest(y * 1.44269504088896341f);
    vf r = y - n * 0.693359375f;
    r = r + n * 2.12194440e-4f;
    vf p = splat(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    vi e = __builtin_convertvector(n, vi);
    vi half = e >> 1;
    vf result = p * (vf)((half + 127) << 23) * (vf)((e - half + 127) << 23);
    return choose(x != x, x, result);
}
GW_INLINE vf sigmoid_(vf x) {
    vf y = largest(smallest(x, splat(87.0f)), splat(-87.0f));
    vf result = 1.0f / (1.0f + exp2_inside(y * -1.44269504088896341f));
    return choose(x != x, x, result);
}
GW_INLINE vf tanh_(vf x) {
    // Near 0, where (e - 1) / (e + 1) cancels, the odd polynomial of Cephes' tanhf.
    vf z = x * x;
    vf p = splat(-5.70498872745e-3f);
    p = p * z + 2.06390887954e-2f;
    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    vf near = p * z * x + x;
    vf y = largest(smallest(x, splat(9.0f)), splat(-9.0f));
    vf e = exp2_inside(y * 2.88539008177792681f);
    vf far = 1.0f - 2.0f / (e + 1.0f);
    vf magnitude = choose(x < 0.0f, -x, x);
    vf result = choose(magnitude < 0.625f, near, far);
    return choose(x != x, x, result);
}

// Functions that are rare in cells, and all of double precision, go lane by lane through the C library.
template <typename S, typename F>
GW_INLINE typename Vec<S>::type each(typename Vec<S>::type x, F function) {
    typename Vec<S>::type result;
    for (int lane = 0; lane < Vec<S>::lanes; lane++) result[lane] = function(x[lane]);
    return result;
}

template <typename S>
GW_INLINE S softplus_of(S x) {
    return (x > 0 ? x : S(0)) + std::log1p(std::exp(x > 0 ? -x : x));
}

template <typename S>
struct Functions;
template <>
struct Functions<float> {
    static GW_INLINE vf exp(vf x) { return exp_(x); }
    static GW_INLINE vf sigmoid(vf x) { return sigmoid_(x); }
    static GW_INLINE vf tanh(vf x) { return tanh_(x); }
};
typedef Vec<double>::type vd;
template <>
struct Functions<double> {
    static GW_INLINE vd exp(vd x) {
        return each<double>(x, [](double a) { return std::exp(a); });
    }
    static GW_INLINE vd sigmoid(vd x) {
        return each<double>(x, [](double a) { return a >= 0 ? 1 / (1 + std::exp(-a)) : std::exp(a) / (1 + std::exp(a)); });
    }
    static GW_INLINE vd tanh(vd x) {
        return each<double>(x, [](double a) { return std::tanh(a); });
    }
};
