// Numbers with an exponent of their own, in vectors, and exp; included by what is compiled once for each
// instruction-set level (GW_LEVEL names it, GW_BYTES is its vector's size).
#pragma once
#include <cstdint>

#ifndef GW_LEVEL
#define GW_LEVEL baseline
#define GW_BYTES 16
#endif

namespace gatewise {
namespace GW_LEVEL {
namespace {

// Inlined by force: vectors by value have no calling convention that all compilers and levels agree on.
#define GW_INLINE inline __attribute__((always_inline))

// How a floating-point number is made of bits; and exp on [-ln(2)/2, ln(2)/2] as 1 + r + r^2/2! + ..., as far as the
// format's precision reaches.
template <typename S>
struct Format;
template <>
struct Format<float> {
    typedef int32_t Int;
    typedef uint32_t Unsigned;
    static constexpr int mantissa = 23, bias = 127, terms = 8;
    static constexpr float magic = 12582912.0f;  // 1.5 * 2^23: adding and taking it away rounds to a whole number
    static constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
    static constexpr int most = 1 << 21, budget = 1 << 29;  // exponents of one factor, and of all T together
    static constexpr int none = -(1 << 30);                 // the exponent of 0
};
template <>
struct Format<double> {
    typedef int64_t Int;
    typedef uint64_t Unsigned;
    static constexpr int mantissa = 52, bias = 1023, terms = 14;
    static constexpr double magic = 6755399441055744.0;
    static constexpr double ln2_high = 0.69314718036912382, ln2_low = 1.9082149292705877e-10;
    static constexpr int64_t most = int64_t(1) << 50, budget = int64_t(1) << 60;
    static constexpr int64_t none = -(int64_t(1) << 61);
};
constexpr double INVERSE_FACTORIALS[] = {1.0,
                                         1.0,
                                         1.0 / 2,
                                         1.0 / 6,
                                         1.0 / 24,
                                         1.0 / 120,
                                         1.0 / 720,
                                         1.0 / 5040,
                                         1.0 / 40320,
                                         1.0 / 362880,
                                         1.0 / 3628800,
                                         1.0 / 39916800,
                                         1.0 / 479001600,
                                         1.0 / 6227020800.0};
constexpr double LN2 = 0.69314718055994530942, LOG2E = 1.44269504088896340736;

template <typename S>
struct Lane {
    static constexpr int count = GW_BYTES / sizeof(S);
    typedef typename Format<S>::Int Int;
    typedef typename Format<S>::Unsigned Unsigned;
    typedef S real __attribute__((vector_size(GW_BYTES)));
    typedef Int whole __attribute__((vector_size(GW_BYTES)));
    typedef Unsigned bits __attribute__((vector_size(GW_BYTES)));
    typedef S loose_real __attribute__((vector_size(GW_BYTES), aligned(sizeof(S)), may_alias));
    typedef Int loose_whole __attribute__((vector_size(GW_BYTES), aligned(sizeof(S)), may_alias));
};
template <typename S>
using Real = typename Lane<S>::real;
template <typename S>
using Whole = typename Lane<S>::whole;

template <typename S>
GW_INLINE Real<S> get(const S *p) {
    return *reinterpret_cast<const typename Lane<S>::loose_real *>(p);
}
template <typename S>
GW_INLINE void put(S *p, Real<S> v) {
    *reinterpret_cast<typename Lane<S>::loose_real *>(p) = v;
}
template <typename S>
GW_INLINE Whole<S> get_whole(const typename Lane<S>::Int *p) {
    return *reinterpret_cast<const typename Lane<S>::loose_whole *>(p);
}
template <typename S>
GW_INLINE void put_whole(typename Lane<S>::Int *p, Whole<S> v) {
    *reinterpret_cast<typename Lane<S>::loose_whole *>(p) = v;
}
template <typename S>
GW_INLINE Real<S> splat(S x) {
    return x - Real<S>{};
}
template <typename S>
GW_INLINE Whole<S> splat_whole(typename Lane<S>::Int x) {
    return x - Whole<S>{};
}
template <typename S>
GW_INLINE Real<S> choose(Whole<S> condition, Real<S> a, Real<S> b) {
    return (Real<S>)((condition & (Whole<S>)a) | (~condition & (Whole<S>)b));
}
template <typename S>
GW_INLINE Whole<S> choose_whole(Whole<S> condition, Whole<S> a, Whole<S> b) {
    return (condition & a) | (~condition & b);
}
template <typename S>
GW_INLINE Whole<S> larger(Whole<S> a, Whole<S> b) {
    return choose_whole<S>(a > b, a, b);
}

// Numbers mantissa * 2^exponent, lane by lane.
template <typename S>
struct Scaled {
    Real<S> mantissa;
    Whole<S> exponent;
};

// e^x, its mantissa within [0.7, 1.42]; x below -`lowest` counts as that. NaN stays.
template <typename S>
GW_INLINE Scaled<S> exp_scaled(Real<S> x, S lowest) {
    typedef Format<S> F;
    const Real<S> bound = splat<S>(-lowest);
    x = choose<S>(x < bound, bound, x);
    const Real<S> magic = splat<S>(F::magic);
    Real<S> shifted = x * S(LOG2E) + magic, n = shifted - magic;
    Real<S> r = (x - n * F::ln2_high) - n * F::ln2_low;
    Real<S> p = splat<S>(S(INVERSE_FACTORIALS[F::terms - 1]));
    for (int k = F::terms - 2; k >= 0; k--) p = p * r + S(INVERSE_FACTORIALS[k]);
    return {p, (Whole<S>)shifted - (Whole<S>)magic};
}

// 2^k for k up to 0; 0 below the smallest normal number.
template <typename S>
GW_INLINE Real<S> power_of_two(Whole<S> k) {
    typedef Format<S> F;
    return (Real<S>)((larger<S>(k, splat_whole<S>(-F::bias)) + F::bias) << F::mantissa);
}

// The plain number, for numbers up to about 1.
template <typename S>
GW_INLINE Real<S> plain(Scaled<S> a) {
    return a.mantissa * power_of_two<S>(choose_whole<S>(a.exponent > 0, splat_whole<S>(0), a.exponent));
}

// The same number with a mantissa in [1, 2).
template <typename S>
GW_INLINE Scaled<S> normalised(Scaled<S> a) {
    typedef Format<S> F;
    typedef typename Lane<S>::bits Bits;
    typedef typename Lane<S>::Unsigned Unsigned;
    const Unsigned fraction = (Unsigned(1) << F::mantissa) - 1, one = Unsigned(F::bias) << F::mantissa;
    Bits bits = (Bits)a.mantissa;
    Whole<S> zero = a.mantissa == Real<S>{};
    Whole<S> exponent = a.exponent + (Whole<S>)(bits >> F::mantissa) - F::bias;
    Real<S> mantissa = (Real<S>)(((bits & fraction) | one) & (Bits)~zero);
    return {mantissa, choose_whole<S>(zero, splat_whole<S>(F::none), exponent)};
}

template <typename S>
GW_INLINE Scaled<S> sum(Scaled<S> a, Scaled<S> b) {
    Whole<S> e = larger<S>(a.exponent, b.exponent);
    return {a.mantissa * power_of_two<S>(a.exponent - e) + b.mantissa * power_of_two<S>(b.exponent - e), e};
}
template <typename S>
GW_INLINE Scaled<S> sum(Scaled<S> a, Scaled<S> b, Scaled<S> c) {
    Whole<S> e = larger<S>(larger<S>(a.exponent, b.exponent), c.exponent);
    return {a.mantissa * power_of_two<S>(a.exponent - e) + b.mantissa * power_of_two<S>(b.exponent - e) +
                c.mantissa * power_of_two<S>(c.exponent - e),
            e};
}
// The number where the condition holds, 0 elsewhere.
template <typename S>
GW_INLINE Scaled<S> where(Whole<S> condition, Scaled<S> a) {
    return {choose<S>(condition, a.mantissa, Real<S>{}),
            choose_whole<S>(condition, a.exponent, splat_whole<S>(Format<S>::none))};
}
template <typename S>
GW_INLINE Scaled<S> product(Scaled<S> a, Scaled<S> b) {
    return {a.mantissa * b.mantissa, a.exponent + b.exponent};
}

// An array of scaled numbers.
template <typename S>
struct Line {
    typedef typename Lane<S>::Int Int;
    S *mantissas;
    Int *exponents;

    GW_INLINE Scaled<S> at(int64_t j) const { return {get<S>(mantissas + j), get_whole<S>(exponents + j)}; }
    GW_INLINE void set(int64_t j, Scaled<S> a) const {
        put<S>(mantissas + j, a.mantissa);
        put_whole<S>(exponents + j, a.exponent);
    }
    void set_one(int64_t j) const {
        mantissas[j] = 1;
        exponents[j] = 0;
    }
    void clear(int64_t first, int64_t last) const {
        for (int64_t j = first; j < last; j++) {
            mantissas[j] = 0;
            exponents[j] = Format<S>::none;
        }
    }
};

// The sum of a vector's lanes, in their order.
template <typename S>
GW_INLINE S total(Real<S> v) {
    S result = 0;
    for (int lane = 0; lane < Lane<S>::count; lane++) result += v[lane];
    return result;
}

// The last, incomplete vector of a row; what lies beyond it is -inf.
template <typename S>
GW_INLINE Real<S> tail(const S *row, int64_t count) {
    Real<S> v = splat<S>(-S(__builtin_inf()));
    for (int lane = 0; lane < count; lane++) v[lane] = row[lane];
    return v;
}

}  // namespace
}  // namespace GW_LEVEL
}  // namespace gatewise
