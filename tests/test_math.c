/* >>functions: error bounds over all floats, special values, equal bits on every
 * instruction set, tails, and the portable fused multiply-add. */
#include "test.h"

static int math_is_nan(uint32_t u) { return (u & 0x7fffffffu) > 0x7f800000u; }
static uint32_t math_bits(float x) { /* one NaN for all */
    uint32_t u = vae__bits_f(x);
    return math_is_nan(u) ? 0x7fc00000u : u;
}

static const double math_pi = 3.14159265358979323846;
static double math_sigmoid(double x) { return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)); }
static double math_softplus(double x) { return (x > 0 ? x : 0) + log1p(exp(-fabs(x))); }
static double math_silu(double x) { return x * math_sigmoid(x); }
static double math_gelu(double x) { return x * 0.5 * erfc(-x * 0.70710678118654752440); }
static double math_elu(double x) { return x > 0 ? x : expm1(x); }
static double math_leaky(double x) { return x > 0 ? x : x * (double)0.01f; }
static double math_relu(double x) { return x > 0 ? x : 0; }
static double math_identity(double x) { return x; }
static double math_sinpi(double x) {
    double a = fabs(x), s;
    if (a == 1) return 0;
    s = a < 0.25 ? sin(math_pi * a) : a < 0.75 ? cos(math_pi * (0.5 - a)) : sin(math_pi * (1 - a));
    return x < 0 ? -s : s;
}
static double math_cospi(double x) {
    double a = fabs(x);
    if (a < 0.25) return cos(math_pi * a);
    return a < 0.75 ? sin(math_pi * (0.5 - a)) : -cos(math_pi * (1 - a));
}

/* Every function, the largest error promised (ulp), and the floats it is swept over. */
static const struct math_row {
    const char *name;
    int fn;
    double (*reference)(double);
    double ulp, from, to;
} math_table[] = {
    {"identity", VAE_ACT_IDENTITY, math_identity, 0, -4e38, 4e38},
    {"relu", VAE_ACT_RELU, math_relu, 0, -4e38, 4e38},
    {"leaky_relu", VAE_ACT_LEAKY_RELU, math_leaky, 0.501, -4e38, 4e38},
    {"elu", VAE_ACT_ELU, math_elu, 1.25, -4e38, 4e38},
    {"tanh", VAE_ACT_TANH, tanh, 1.5, -4e38, 4e38},
    {"sigmoid", VAE_ACT_SIGMOID, math_sigmoid, 0.9, -4e38, 4e38},
    {"softplus", VAE_ACT_SOFTPLUS, math_softplus, 1.6, -4e38, 4e38},
    {"silu", VAE_ACT_SILU, math_silu, 2.1, -87, 4e38},
    {"silu below", VAE_ACT_SILU, math_silu, 60, -4e38, -87}, /* the sigmoid is subnormal */
    {"gelu", VAE_ACT_GELU, math_gelu, 2.1, -1, 4e38},
    {"gelu below", VAE_ACT_GELU, math_gelu, 8, -4e38, -1},
    {"exp", VAE__FN_EXP, exp, 0.9, -4e38, 4e38},
    {"expm1", VAE__FN_EXPM1, expm1, 1.25, -4e38, 4e38},
    {"log", VAE__FN_LOG, log, 1.0, 1e-45, 4e38},
    {"log1p", VAE__FN_LOG1P, log1p, 1.3, -0.99999999, 4e38},
    {"erf", VAE__FN_ERF, erf, 1.6, -4e38, 4e38},
    {"sinpi", VAE__FN_SINPI, math_sinpi, 1.0, -1, 1},
    {"cospi", VAE__FN_COSPI, math_cospi, 0.9, -1, 1},
    {"sqrt", VAE__FN_SQRT, sqrt, 0.501, 0, 4e38}};
enum { MATH_ROWS = sizeof math_table / sizeof *math_table, MATH_BLOCK = 1024 };

/* |got - want| in units of the last place that a float near `want` has. A large number for what no
 * rounding can explain: NaN, a wrong infinity, a wrong sign. */
static double math_error(float got, double want) {
    const uint32_t g = vae__bits_f(got);
    const uint64_t w = vae__bits_d(want);
    int e = (int)(w >> 52 & 0x7ff) - 1023;
    if (math_is_nan(g)) return 1e9;
    if (!(w << 1)) return g << 1 ? 1e9 : 0;
    if (g << 1 && (int)(g >> 31) != (int)(w >> 63)) return 1e9;
    if (e > 127 || (w << 1 >> 1) >= 0x47effffff0000000u) /* from half an ulp below 2^128 on */
        return (g & 0x7fffffffu) == 0x7f800000u ? 0 : 1e9;
    if ((g & 0x7fffffffu) == 0x7f800000u) return (double)(w << 1 >> 1 < 0x47efffffe0000000u) * 1e9;
    if (e < -126) e = -126;
    return fabs((double)got - want) * vae__double_of((uint64_t)(1023 + 23 - e) << 52);
}

/* Fills x with the next finite floats of the row, `stride` apart in bits; 0 at the end. */
static size_t math_fill(const struct math_row *row, uint64_t *u, uint64_t stride, float *x) {
    size_t n = 0;
    for (; n < MATH_BLOCK && *u <= 0xffffffffu; *u += stride) {
        float v = vae__float_of((uint32_t)*u);
        if (vae__finite_f(v) && (double)v >= row->from && (double)v <= row->to) x[n++] = v;
    }
    return n;
}

static void math_sweep(vae_isa isa, const struct math_row *row, uint64_t stride) {
    static float x[MATH_BLOCK], y[MATH_BLOCK];
    const vae__kernels *k = vae__kernels_of(isa);
    const char *isa_name = vae_choice_name(VAE_CHOICE_ISA, (int)isa);
    double worst = 0;
    float where = 0;
    uint64_t u = 0;
    size_t n, i;
    while ((n = math_fill(row, &u, stride, x)) > 0) {
        k->map(row->fn, n, x, y);
        for (i = 0; i < n; i++) {
            double error = math_error(y[i], row->reference((double)x[i]));
            if (error > worst) worst = error, where = x[i];
        }
    }
    if (test_long)
        printf("    %s, %s: %.3f ulp at %.9g\n", row->name, isa_name, worst, (double)where);
    if (!(worst < row->ulp || worst == row->ulp))
        test_report(__FILE__, __LINE__, "%s, %s: error %.3f ulp at %.9g, promised %.3f", row->name,
                    isa_name, worst, (double)where, row->ulp);
}

TEST(functions_keep_their_error_bounds) {
    vae__fpenv env;
    int isa;
    size_t i;
    vae__fp_enter(&env);
    for (isa = VAE_ISA_PORTABLE; isa < VAE_ISA_COUNT; isa++) {
        /* strides are prime, so that all bits of the floats vary */
        uint64_t stride = test_long ? 257 : 16411;
        if (isa == (int)vae_isa_best()) stride = test_long ? 1 : 2503;
        if (!vae_isa_available((vae_isa)isa)) {
            printf("    %s skipped: not available\n", vae_choice_name(VAE_CHOICE_ISA, isa));
            continue;
        }
        if (isa == VAE_ISA_PORTABLE) stride = test_long ? 9973 : 40009;
        for (i = 0; i < MATH_ROWS; i++) math_sweep((vae_isa)isa, &math_table[i], stride);
    }
    vae__fp_leave(&env);
}

/* Bits of x, bits of f(x). */
static const struct math_case {
    int fn;
    uint32_t x, y;
} math_cases[] = {
    {VAE_ACT_RELU, 0x7fc00000, 0x7fc00000}, /* V_MAX(0, x) is 0 > x ? 0 : x */
    {VAE_ACT_RELU, 0x80000000, 0x80000000}, {VAE_ACT_RELU, 0xff800000, 0},
    {VAE_ACT_RELU, 0x7f800000, 0x7f800000}, {VAE_ACT_RELU, 1, 1}, {VAE_ACT_RELU, 0x80000001, 0},
    {VAE_ACT_LEAKY_RELU, 0xff800000, 0xff800000}, {VAE_ACT_LEAKY_RELU, 0x7f800000, 0x7f800000},
    {VAE_ACT_ELU, 0xff800000, 0xbf800000}, {VAE_ACT_ELU, 0x7f800000, 0x7f800000},
    {VAE_ACT_ELU, 0x80000000, 0x80000000}, {VAE_ACT_LEAKY_RELU, 0x80000000, 0x80000000},
    {VAE_ACT_TANH, 0xff800000, 0xbf800000}, {VAE_ACT_TANH, 0x7f800000, 0x3f800000},
    {VAE_ACT_TANH, 0x80000000, 0x80000000}, {VAE_ACT_TANH, 0, 0},
    {VAE_ACT_TANH, 0x80000001, 0x80000001}, {VAE_ACT_TANH, 0x7f7fffff, 0x3f800000},
    {VAE_ACT_SIGMOID, 0xff800000, 0}, {VAE_ACT_SIGMOID, 0x7f800000, 0x3f800000},
    {VAE_ACT_SIGMOID, 0, 0x3f000000}, {VAE_ACT_SIGMOID, 0x80000000, 0x3f000000},
    {VAE_ACT_SOFTPLUS, 0xff800000, 0}, {VAE_ACT_SOFTPLUS, 0x7f800000, 0x7f800000},
    {VAE_ACT_SILU, 0xff800000, 0x80000000}, {VAE_ACT_SILU, 0x7f800000, 0x7f800000},
    {VAE_ACT_SILU, 0, 0}, {VAE_ACT_SILU, 0x80000000, 0x80000000},
    {VAE_ACT_GELU, 0xff800000, 0x80000000}, {VAE_ACT_GELU, 0x7f800000, 0x7f800000},
    {VAE_ACT_GELU, 0, 0}, {VAE_ACT_GELU, 0x80000000, 0x80000000},
    {VAE__FN_EXP, 0xff800000, 0}, {VAE__FN_EXP, 0x7f800000, 0x7f800000},
    {VAE__FN_EXP, 0, 0x3f800000}, {VAE__FN_EXP, 0x80000000, 0x3f800000},
    {VAE__FN_EXP, 0x42b17217, 0x7f7fff84}, /* the largest x without overflow */
    {VAE__FN_EXP, 0x42b17218, 0x7f800000}, {VAE__FN_EXP, 0xff7fffff, 0},
    {VAE__FN_EXP, 0xc2cff1b4, 1}, {VAE__FN_EXP, 0xc2cff1b5, 0}, /* where it becomes 0 */
    {VAE__FN_EXPM1, 0xff800000, 0xbf800000}, {VAE__FN_EXPM1, 0x7f800000, 0x7f800000},
    {VAE__FN_EXPM1, 0x80000000, 0x80000000}, {VAE__FN_EXPM1, 0x42b17218, 0x7f800000},
    {VAE__FN_LOG, 0, 0xff800000}, {VAE__FN_LOG, 0x80000000, 0xff800000},
    {VAE__FN_LOG, 0x80000001, 0x7fc00000}, {VAE__FN_LOG, 0xff800000, 0x7fc00000},
    {VAE__FN_LOG, 0x7f800000, 0x7f800000}, {VAE__FN_LOG, 0x3f800000, 0},
    {VAE__FN_LOG1P, 0xbf800000, 0xff800000}, {VAE__FN_LOG1P, 0xbf800001, 0x7fc00000},
    {VAE__FN_LOG1P, 0xff800000, 0x7fc00000}, {VAE__FN_LOG1P, 0x7f800000, 0x7f800000},
    {VAE__FN_LOG1P, 0, 0}, {VAE__FN_LOG1P, 0x80000000, 0x80000000},
    {VAE__FN_LOG1P, 1, 1}, {VAE__FN_LOG1P, 0x80000001, 0x80000001},
    {VAE__FN_ERF, 0xff800000, 0xbf800000}, {VAE__FN_ERF, 0x7f800000, 0x3f800000},
    {VAE__FN_ERF, 0, 0}, {VAE__FN_ERF, 0x80000000, 0x80000000},
    {VAE__FN_SINPI, 0, 0}, {VAE__FN_SINPI, 0x80000000, 0x80000000},
    {VAE__FN_SINPI, 0x3f000000, 0x3f800000}, {VAE__FN_SINPI, 0xbf000000, 0xbf800000},
    {VAE__FN_SINPI, 0x3f800000, 0}, {VAE__FN_SINPI, 0xbf800000, 0x80000000},
    {VAE__FN_COSPI, 0, 0x3f800000}, {VAE__FN_COSPI, 0x80000000, 0x3f800000},
    {VAE__FN_COSPI, 0x3f000000, 0}, {VAE__FN_COSPI, 0xbf000000, 0},
    {VAE__FN_COSPI, 0x3f800000, 0xbf800000}, {VAE__FN_COSPI, 0xbf800000, 0xbf800000},
    {VAE__FN_SQRT, 0x80000000, 0x80000000}, {VAE__FN_SQRT, 0x7f800000, 0x7f800000},
    {VAE__FN_SQRT, 0xbf800000, 0x7fc00000}, {VAE__FN_SQRT, 1, 0x1a3504f3}};

TEST(functions_have_the_right_special_values) {
    static const uint32_t nans[] = {0x7fc00000, 0xffc00000, 0x7f800001, 0xff800001, 0x7fffffff};
    vae__fpenv env;
    int isa;
    size_t i, j;
    vae__fp_enter(&env);
    for (isa = VAE_ISA_PORTABLE; isa < VAE_ISA_COUNT; isa++) {
        const vae__kernels *k = vae__kernels_of((vae_isa)isa);
        if (!k) continue;
        for (i = 0; i < sizeof math_cases / sizeof *math_cases; i++) {
            float x = vae__float_of(math_cases[i].x), y;
            k->map(math_cases[i].fn, 1, &x, &y);
            if (math_bits(y) != math_cases[i].y)
                test_report(__FILE__, __LINE__, "%s, function %d of %08x is %08x, not %08x",
                            vae_choice_name(VAE_CHOICE_ISA, isa), math_cases[i].fn,
                            (unsigned)math_cases[i].x, (unsigned)math_bits(y),
                            (unsigned)math_cases[i].y);
        }
        for (i = 0; i < MATH_ROWS; i++)
            for (j = 0; j < sizeof nans / sizeof *nans; j++) {
                float x = vae__float_of(nans[j]), y;
                k->map(math_table[i].fn, 1, &x, &y);
                if (math_bits(y) != 0x7fc00000u)
                    test_report(__FILE__, __LINE__, "%s, %s of a NaN is %08x",
                                vae_choice_name(VAE_CHOICE_ISA, isa), math_table[i].name,
                                (unsigned)math_bits(y));
            }
    }
    vae__fp_leave(&env);
}

static const uint32_t math_special[] = {
    0,          0x80000000, 1,          0x80000001, 0x007fffff, 0x00800000, 0x807fffff, 0x3f800000,
    0xbf800000, 0x3f800001, 0x3f7fffff, 0x3f000000, 0xbf000000, 0x33800000, 0xb3800000, 0x34000001,
    0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000, 0x7fc00000, 0x1f800000, 0x00000003};
enum { MATH_SPECIALS = sizeof math_special / sizeof *math_special };

/* The same hash on every instruction set, compiler, flag set and byte order: it may only change
 * together with the major version of the results. */
#define MATH_GOLDEN 0xbc8edef405f28df5u

TEST(functions_give_the_same_bits_everywhere) {
    static float x[MATH_BLOCK], y[MATH_BLOCK];
    vae__fpenv env;
    int isa, fn;
    vae__fp_enter(&env);
    for (isa = VAE_ISA_PORTABLE; isa < VAE_ISA_COUNT; isa++) {
        const vae__kernels *k = vae__kernels_of((vae_isa)isa);
        uint64_t hash = VAE__FNV;
        if (!k) continue;
        for (fn = 0; fn < VAE__FN_COUNT; fn++) {
            const int turns = fn == VAE__FN_SINPI || fn == VAE__FN_COSPI; /* of [-1, 1] */
            uint64_t u = 0;
            size_t n = 0, i;
            for (i = 0; i < MATH_SPECIALS; i++)
                if (!turns || (math_special[i] & 0x7fffffffu) <= 0x3f800000u)
                    x[n++] = vae__float_of(math_special[i]);
            while (n) {
                k->map(fn, n, x, y);
                hash = vae__hash_floats(hash, y, n);
                for (n = 0; n < MATH_BLOCK && u <= 0xffffffffu; u += 20011)
                    if (!turns || ((uint32_t)u & 0x7fffffffu) <= 0x3f800000u)
                        x[n++] = vae__float_of((uint32_t)u);
            }
        }
        if (hash != MATH_GOLDEN)
            test_report(__FILE__, __LINE__, "%s: hash 0x%08lx%08lx",
                        vae_choice_name(VAE_CHOICE_ISA, isa), (unsigned long)(hash >> 32),
                        (unsigned long)(hash & 0xffffffffu));
    }
    vae__fp_leave(&env);
}

TEST(functions_meet_tails_and_odd_addresses_like_whole_vectors) {
    enum { ROOM = 80 };
    float x[ROOM], y[ROOM], want[ROOM];
    vae__fpenv env;
    int isa, fn;
    size_t n, i, at;
    vae__fp_enter(&env);
    for (i = 0; i < ROOM; i++) x[i] = ((float)(i * 37 % 80) - 40) * 0.2f;
    for (isa = VAE_ISA_PORTABLE; isa < VAE_ISA_COUNT; isa++) {
        const vae__kernels *k = vae__kernels_of((vae_isa)isa);
        if (!k) continue;
        for (fn = 0; fn < VAE__FN_COUNT; fn++) {
            vae__kernels_of(VAE_ISA_PORTABLE)->map(fn, ROOM, x, want);
            for (n = 0; n <= 33; n++)
                for (at = 0; at < 4; at++) {
                    int bad = 0;
                    for (i = 0; i < ROOM; i++) y[i] = 7;
                    k->map(fn, n, x + 3 + at, y + 9 - at);
                    for (i = 0; i < n; i++)
                        bad |= math_bits(y[9 - at + i]) != math_bits(want[3 + at + i]);
                    for (i = 0; i < ROOM; i++)
                        if (i < 9 - at || i >= 9 - at + n) bad |= vae__bits_f(y[i]) != 0x40e00000u;
                    memcpy(y, x, sizeof y);
                    k->map(fn, n, y + at, y + at); /* in place */
                    for (i = 0; i < ROOM; i++)
                        bad |= math_bits(y[i]) !=
                               math_bits(i >= at && i < at + n ? want[i] : x[i]);
                    if (bad)
                        test_report(__FILE__, __LINE__, "%s, function %d, n %d, offset %d",
                                    vae_choice_name(VAE_CHOICE_ISA, isa), fn, (int)n, (int)at);
                }
        }
    }
    vae__fp_leave(&env);
}

/* The normal generator calls the core alone, for uniforms from 2^-33 to 1. */
TEST(log_core_is_log_on_the_unit_interval) {
    uint32_t u;
    vae__fpenv env;
    vae__fp_enter(&env);
    for (u = 0x2f000000u; u <= 0x3f800000u; u += u < 0x3f7ff000u ? 4096 : 1) {
        float x = vae__float_of(u), y;
        vae__kernels_of(VAE_ISA_PORTABLE)->map(VAE__FN_LOG, 1, &x, &y);
        CHECK(vae__bits_f(y) == vae__bits_f(test_portable_log(u)));
    }
    vae__fp_leave(&env);
}

static uint32_t math_draw(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33) << 16 ^ (uint32_t)(*state >> 40);
}

static void math_check_fma(uint32_t a, uint32_t b, uint32_t c) {
    volatile float va = vae__float_of(a), vb = vae__float_of(b), vc = vae__float_of(c);
    uint32_t got = math_bits(test_portable_fma(va, vb, vc)), want = math_bits(fmaf(va, vb, vc));
    if (got != want)
        test_report(__FILE__, __LINE__, "fma(%08x, %08x, %08x) is %08x, not %08x", (unsigned)a,
                    (unsigned)b, (unsigned)c, (unsigned)got, (unsigned)want);
}

TEST(portable_fma_rounds_once) {
    /* just below a tie, closer than a double can tell: 2^18 (1 + 2^-23) * 2^18 (1 - 2^-23) + .. */
    volatile float a0 = vae__float_of(0x48800001u), b0 = vae__float_of(0x487ffffeu),
                   c0 = vae__float_of(0x5d800001u), a1, b1;
    uint64_t state = 1;
    vae__fpenv env;
    size_t i, j, k;
    vae__fp_enter(&env);
    CHECK(vae__bits_f(test_portable_fma(a0, b0, c0)) == 0x5d800001u);
    a1 = vae__float_of(0x1a000001u), b1 = vae__float_of(0x19fffffeu); /* the same, subnormal */
    CHECK(vae__bits_f(test_portable_fma(a1, b1, vae__float_of(0x80001u))) == 0x80001u);
    if (vae__bits_f(fmaf(a0, b0, c0)) != 0x5d800001u) {
        vae__fp_leave(&env);
        SKIP("this platform's fmaf rounds twice");
    }
    for (i = 0; i < MATH_SPECIALS; i++)
        for (j = 0; j < MATH_SPECIALS; j++)
            for (k = 0; k < MATH_SPECIALS; k++)
                math_check_fma(math_special[i], math_special[j], math_special[k]);
    for (i = 0; i < 250000; i++) {
        uint32_t a = math_draw(&state), b = math_draw(&state), c = math_draw(&state), e;
        /* any bits; then a c of the product's size; then ties; then subnormal results */
        math_check_fma(a, b, c);
        a = (a & 0x807fffffu) | (100 + a % 50) << 23, b = (b & 0x807fffffu) | (100 + b % 50) << 23;
        e = (a >> 23 & 255) + (b >> 23 & 255) - 127;
        c = (c & 0x807fffffu) | (e + c % 60 - 30) << 23;
        math_check_fma(a, b, c);
        a &= 0xfffff000u, b &= 0xfffff000u, c = (c & 0x80000000u) | (e + 24 - c % 50) << 23;
        math_check_fma(a, b, c);
        a = (a & 0x807fffffu) | (40 + c % 30) << 23, b = (b & 0x807fffffu) | (60 + a % 7) << 23;
        c = math_draw(&state) & 0x80ffffffu;
        math_check_fma(a, b, c);
    }
    vae__fp_leave(&env);
}

TESTS(math) {
    RUN(portable_fma_rounds_once);
    RUN(log_core_is_log_on_the_unit_interval);
    RUN(functions_have_the_right_special_values);
    RUN(functions_meet_tails_and_odd_addresses_like_whole_vectors);
    RUN(functions_give_the_same_bits_everywhere);
    RUN(functions_keep_their_error_bounds);
}
