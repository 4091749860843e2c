// Vectors of one level, and functions of one unit. Included by level.cpp only, inside the level's namespace.
#pragma once

// Inlined by force: vectors by value have no calling convention that all compilers and levels agree on.
#define GW_INLINE inline __attribute__((always_inline))
#define GW_LAMBDA __attribute__((always_inline))

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

// A product that no sum takes in before it is rounded: so that a value is the same bits wherever it is computed.
template <typename V>
GW_INLINE V rounded(V v) {
#if GW_BYTES == 64
    asm("" : "+v"(v));
#elif defined(__x86_64__)
    asm("" : "+x"(v));
#elif defined(__aarch64__)
    asm("" : "+w"(v));
#endif
    return v;
}

typedef Vec<float>::type vf;
typedef int32_t vi __attribute__((vector_size(GW_BYTES)));

GW_INLINE vf choose(vi condition, vf a, vf b) {
    return (vf)((condition & (vi)a) | (~condition & (vi)b));
}
// A bound that lets NaN through: it is neither below nor above.
GW_INLINE vf at_most(vf x, float bound) {
    vf b = splat(bound);
    return b < x ? b : x;
}
GW_INLINE vf at_least(vf x, float bound) {
    vf b = splat(bound);
    return b > x ? b : x;
}

// 1 / x for x between 2^-120 and 2^120.
GW_INLINE vf reciprocal(vf x) {
#if GW_BYTES == 64
    // An estimate of 14 bits and a step of Newton's: a third of the time of a division.
    vf y = __builtin_ia32_rcp14ps512_mask(x, vf{}, (unsigned short)-1);
    return y + y * (1.0f - x * y);
#else
    return 1.0f / x;
#endif
}

// 2^x for x in [-126, 127]: a polynomial of degree 6 on [-1/2, 1/2] (Cephes' exp2f). Adding 1.5 * 2^23 leaves
// the nearest whole number in the lowest bits, and from there it goes to the exponent.
GW_INLINE vf exp2_inside(vf x) {
    const vf magic = splat(12582912.0f);
    vf shifted = x + magic, r = x - (shifted - magic);
    vf p = splat(1.535336188319500e-4f);
    p = p * r + 1.339887440266574e-3f;
    p = p * r + 9.618437357674640e-3f;
    p = p * r + 5.550332471162809e-2f;
    p = p * r + 2.402264791363012e-1f;
    p = p * r + 6.931472028550421e-1f;
    p = p * r + 1.0f;
    return (vf)((vi)p + ((vi)shifted << 23));
}
GW_INLINE vf exp_(vf x) {
    // In two factors, so that results down to the smallest normal number and up to infinity come out.
    vf y = at_least(at_most(x, 89.0f), -104.0f);
    // x * log2(e) in two parts: the product's rounding would cost the last digits of large results.
    const vf magic = splat(12582912.0f);
    vf n = (y * 1.44269504088896341f + magic) - magic;
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
    vf y = at_least(at_most(x, 80.0f), -80.0f);
#if (defined(__FMA__) || defined(__ARM_FEATURE_FMA)) && !defined(GW_CHECKED)
    vf result = reciprocal(1.0f + exp2_inside(y * -1.44269504088896341f));
#else
    // The exponent's product would be rounded before its fraction is taken (where code is watched, it may be).
    vf result = reciprocal(1.0f + exp_(-y));
#endif
    return choose(x != x, x, result);  // a NaN's own digits would be taken for an exponent
}
// A quotient of polynomials in x^2 (coefficients as in Eigen's `generic_fast_tanh_float`), 1 beyond what float can tell.
GW_INLINE vf tanh_(vf x) {
    vf y = at_least(at_most(x, 7.90531110763549805f), -7.90531110763549805f);
    vf z = y * y;
    vf p = splat(-2.76076847742355e-16f);
    p = p * z + 2.00018790482477e-13f;
    p = p * z - 8.60467152213735e-11f;
    p = p * z + 5.12229709037114e-08f;
    p = p * z + 1.48572235717979e-05f;
    p = p * z + 6.37261928875436e-04f;
    p = p * z + 4.89352455891786e-03f;
    vf q = splat(1.19825839466702e-06f);
    q = q * z + 1.18534705686654e-04f;
    q = q * z + 2.26843463243900e-03f;
    q = q * z + 4.89352518554385e-03f;
    return y * p * reciprocal(q);
}

// e^x - 1. Parted as e^x is, 2^n (e^r - 1) + (2^n - 1): near 0, where digits would be lost, n is 0.
GW_INLINE vf expm1_(vf x) {
    vf y = at_least(at_most(x, 40.0f), -20.0f);  // -1 below; above, 1 is less than the last digit
    const vf magic = splat(12582912.0f);
    vf n = (y * 1.44269504088896341f + magic) - magic;
    vf r = y - n * 0.693359375f;
    r = r + n * 2.12194440e-4f;
    vf p = splat(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r;
    vf power = (vf)((__builtin_convertvector(n, vi) + 127) << 23);
    vf result = p * power + (power - 1.0f);
    return choose(x > 40.0f, exp_(x), choose(x != x, x, result));
}
// log(1 + e^x) = max(x, 0) + log1p(e^-|x|), and with s = u / (2 + u) log1p(u) = 2 artanh(s): s is at most 1/3.
GW_INLINE vf softplus_(vf x) {
    vf u = exp_(choose(x > 0.0f, -x, x));
    vf s = u * reciprocal(2.0f + u), z = s * s;
    vf p = splat(2.0f / 13.0f);
    p = p * z + 2.0f / 11.0f;
    p = p * z + 2.0f / 9.0f;
    p = p * z + 2.0f / 7.0f;
    p = p * z + 2.0f / 5.0f;
    p = p * z + 2.0f / 3.0f;
    p = p * z + 2.0f;
    return choose(x > 0.0f, x, choose(x != x, x, vf{})) + rounded(p * s);
}

// Functions that are rare in cells, and all of double precision, go lane by lane through the C library.
template <typename S, typename F>
GW_INLINE typename Vec<S>::type each(typename Vec<S>::type x, F function) {
    typename Vec<S>::type result{};
    for (int lane = 0; lane < Vec<S>::lanes; lane++) result[lane] = function(x[lane]);
    return result;
}

template <typename S>
struct Functions;
template <>
struct Functions<float> {
    static GW_INLINE vf exp(vf x) { return exp_(x); }
    static GW_INLINE vf sigmoid(vf x) { return sigmoid_(x); }
    static GW_INLINE vf tanh(vf x) { return tanh_(x); }
    static GW_INLINE vf expm1(vf x) { return expm1_(x); }
    static GW_INLINE vf softplus(vf x) { return softplus_(x); }
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
    static GW_INLINE vd expm1(vd x) {
        return each<double>(x, [](double a) { return std::expm1(a); });
    }
    static GW_INLINE vd softplus(vd x) {
        return each<double>(x, [](double a) { return (a > 0 ? a : 0.0) + std::log1p(std::exp(a > 0 ? -a : a)); });
    }
};

// What a comparison says of each unit, as 1 or 0; and one of two values for each unit.
template <typename S>
struct Choices {
    typedef typename Vec<S>::type V;
    typedef decltype(V{} < V{}) Mask;
    static GW_INLINE V pick(Mask condition, V yes, V no) { return (V)((condition & (Mask)yes) | (~condition & (Mask)no)); }
    static GW_INLINE V truth(Mask condition) { return pick(condition, splat(S(1)), V{}); }
    static GW_INLINE V where(V condition, V yes, V no) { return pick(condition != V{}, yes, no); }
    // As torch: a NaN on either side stays.
    static GW_INLINE V maximum(V x, V y) { return pick((x > y) | (x != x), x, y); }
    static GW_INLINE V minimum(V x, V y) { return pick((x < y) | (x != x), x, y); }
    static GW_INLINE V relu(V x) { return pick((x > V{}) | (x != x), x, V{}); }
    static GW_INLINE V sign(V x) { return truth(x > V{}) - truth(x < V{}); }
};
