/* The matrix product: bit for bit the chain of fused multiply-adds that the manual prescribes. */
#include <fenv.h>
#include "reference.h"

/* A product with all that surrounds it. Matrices lie in blocks of exactly the floats they span, so
 * that a sanitizer sees a read beyond; between a row's end and the next row lies NaN. */
typedef struct gemm_case {
    int flags, with_bias;
    vae_act act;
    size_t m, n, k, lda, ldb, ldc;
    float *a, *b, *bias, *c, *want; /* c and want begin equal */
} gemm_case;

/* Floats that a (rows, cols) matrix with rows `ld` apart spans. */
static size_t gemm_span(size_t rows, size_t cols, size_t ld) {
    return rows && cols ? (rows - 1) * ld + cols : 0;
}

static float *gemm_matrix(uint64_t *state, size_t rows, size_t cols, size_t ld) {
    const size_t span = gemm_span(rows, cols, ld);
    float *x = ref_floats(span);
    size_t i;
    for (i = 0; i < span; i++) {
        x[i] = (float)ref_normal(state);
        if (i % ld >= cols) x[i] = vae__float_of(0x7fc0dead);
        else if (i % 11 == 3) x[i] = 0;
    }
    return x;
}

/* One chain of FMAs per output, k ascending, from C, bias or 0; + 0 at the end (see the manual). */
static void gemm_expect(gemm_case *g) {
    const vae__kernels *portable = vae__kernels_of(VAE_ISA_PORTABLE);
    size_t i, j, kk;
    for (i = 0; i < g->m; i++) {
        float *row = g->want + i * g->ldc;
        for (j = 0; j < g->n; j++) {
            float sum = g->flags & VAE__GEMM_ADD ? row[j] : g->bias ? g->bias[j] : 0;
            for (kk = 0; kk < g->k; kk++) {
                const int ta = g->flags & VAE__GEMM_TRANS_A, tb = g->flags & VAE__GEMM_TRANS_B;
                const float a = g->a[ta ? kk * g->lda + i : i * g->lda + kk];
                const float b = g->b[tb ? j * g->ldb + kk : kk * g->ldb + j];
                sum = ref_fma(a, b, sum);
            }
            row[j] = vae__bits_f(sum) << 1 ? sum : 0; /* -0 becomes +0 */
        }
        portable->map((int)g->act, g->n, row, row); /* tests/test_math.c checks the functions */
    }
}

static void gemm_make(gemm_case *g, uint64_t *state, int flags, int with_bias, vae_act act,
                      size_t m, size_t n, size_t k, size_t extra) {
    const int ta = flags & VAE__GEMM_TRANS_A, tb = flags & VAE__GEMM_TRANS_B;
    g->flags = flags, g->with_bias = with_bias, g->act = act;
    g->m = m, g->n = n, g->k = k;
    g->lda = (ta ? m : k) + extra, g->ldb = (tb ? k : n) + extra, g->ldc = n + extra;
    if (!g->lda) g->lda = 1; /* k is 0: any */
    if (!g->ldb) g->ldb = 1;
    if (!g->ldc) g->ldc = 1;
    g->a = gemm_matrix(state, ta ? k : m, ta ? m : k, g->lda);
    g->b = gemm_matrix(state, tb ? n : k, tb ? k : n, g->ldb);
    g->bias = with_bias ? ref_floats(n) : NULL;
    if (with_bias) ref_fill_normal(state, g->bias, n, 1);
    g->c = gemm_matrix(state, m, n, g->ldc);
    g->want = ref_floats(gemm_span(m, n, g->ldc));
    memcpy(g->want, g->c, gemm_span(m, n, g->ldc) * sizeof(float));
    gemm_expect(g);
}

static void gemm_free(gemm_case *g) {
    free(g->a), free(g->b), free(g->bias), free(g->c), free(g->want);
}

/* Every instruction set gives the expected bits and leaves what lies between the rows. */
static void gemm_check(const gemm_case *g) {
    const size_t span = gemm_span(g->m, g->n, g->ldc);
    const vae__kernels *k;
    for (k = NULL; (k = ref_next_isa(k));) {
        float *c = ref_floats(span);
        size_t at, i;
        memcpy(c, g->c, span * sizeof(float));
        CHECK_STATUS(ref_gemm(k->isa, g->flags, g->m, g->n, g->k, g->a, g->lda, g->b, g->ldb,
                              g->bias, g->act, c, g->ldc), VAE_OK);
        at = ref_differ(span, c, g->want);
        if (at < span)
            test_report(__FILE__, __LINE__, "%s, flags %d, %s, %lu x %lu x %lu: C[%lu][%lu] is "
                        "%.9g, not %.9g", vae_choice_name(VAE_CHOICE_ISA, (int)k->isa), g->flags,
                        vae_choice_name(VAE_CHOICE_ACT, (int)g->act), (unsigned long)g->m,
                        (unsigned long)g->n, (unsigned long)g->k, (unsigned long)(at / g->ldc),
                        (unsigned long)(at % g->ldc), (double)c[at], (double)g->want[at]);
        for (i = 0; i < span; i++) /* not even another NaN */
            if (i % g->ldc >= g->n) CHECK_EQ(vae__bits_f(c[i]), 0x7fc0dead);
        free(c);
    }
}

static const size_t gemm_sizes[] = {0,  1,  2,  3,  4,  5,  6,  7,  8,   11,  12,  13,  15,  16,
                                    17, 23, 24, 25, 31, 32, 33, 47, 48,  49,  63,  64,  65,  100,
                                    127, 128, 129, 257, 300};
enum { GEMM_SIZES = sizeof gemm_sizes / sizeof gemm_sizes[0] };

TEST(gemm_is_the_chain_of_fmas_on_odd_sizes) {
    uint64_t state = 21;
    int i;
    for (i = 0; i < 700; i++) {
        gemm_case g;
        const int flags = i & 7;
        const int with_bias = !(flags & VAE__GEMM_ADD) && i & 8;
        /* one small side is common, three large ones are dear */
        const size_t m = gemm_sizes[ref_pick(&state, i % 3 ? GEMM_SIZES : 20)];
        const size_t n = gemm_sizes[ref_pick(&state, i % 3 == 1 ? 24 : GEMM_SIZES)];
        const size_t k = gemm_sizes[ref_pick(&state, i % 3 == 2 ? 24 : GEMM_SIZES)];
        gemm_make(&g, &state, flags, with_bias, VAE_ACT_IDENTITY, m, n, k, ref_pick(&state, 4));
        gemm_check(&g);
        gemm_free(&g);
    }
}

TEST(gemm_is_right_at_every_small_size) {
    uint64_t state = 22;
    size_t m, n, k;
    for (m = 1; m <= 27; m++) /* all the heights of tiles and what is left over */
        for (n = 1; n <= 70; n += m < 4 ? 1 : 1 + ref_pick(&state, 9)) {
            gemm_case g;
            k = ref_pick(&state, 6);
            gemm_make(&g, &state, (int)ref_pick(&state, 8), 0, VAE_ACT_IDENTITY, m, n, k, m & 1);
            gemm_check(&g);
            gemm_free(&g);
        }
}

/* One row, as in decoding one image, has a way of its own. */
TEST(gemm_of_one_row_is_right_at_every_length) {
    uint64_t state = 31;
    size_t n, k;
    for (n = 1; n <= 290; n += n < 70 ? 1 : 1 + ref_pick(&state, 20)) {
        for (k = 0; k <= 40; k += 1 + ref_pick(&state, 8)) {
            gemm_case g;
            const int flags = (int)ref_pick(&state, 8);
            gemm_make(&g, &state, flags, !(flags & VAE__GEMM_ADD) && ref_pick(&state, 2),
                      n % 5 ? VAE_ACT_IDENTITY : VAE_ACT_TANH, 1, n, k, ref_pick(&state, 3));
            gemm_check(&g);
            gemm_free(&g);
        }
    }
}

/* The reduction is cut into runs that fit the cache; C carries the chain across. */
TEST(gemm_with_a_long_reduction_is_still_one_chain) {
    static const size_t ks[] = {127, 128, 129, 255, 256, 257, 511, 512, 513, 1024, 1025, 2000};
    uint64_t state = 23;
    size_t i;
    int flags;
    for (i = 0; i < sizeof ks / sizeof ks[0]; i++) {
        for (flags = 0; flags < 8; flags++) {
            gemm_case g;
            gemm_make(&g, &state, flags, !(flags & VAE__GEMM_ADD), VAE_ACT_IDENTITY,
                      1 + ref_pick(&state, 40), 1 + ref_pick(&state, 40), ks[i], 1);
            gemm_check(&g);
            gemm_free(&g);
        }
    }
}

TEST(gemm_applies_the_activation_after_the_sum) {
    uint64_t state = 24;
    int act, flags;
    for (act = 0; act < VAE_ACT_COUNT; act++) {
        for (flags = 0; flags < 8; flags++) {
            gemm_case g;
            gemm_make(&g, &state, flags, !(flags & VAE__GEMM_ADD), (vae_act)act,
                      1 + ref_pick(&state, 30), 1 + ref_pick(&state, 70), ref_pick(&state, 50), 2);
            gemm_check(&g);
            gemm_free(&g);
        }
    }
}

TEST(gemm_is_near_the_product_in_double) {
    uint64_t state = 25;
    int round;
    for (round = 0; round < 30; round++) {
        gemm_case g;
        size_t i, j, kk;
        gemm_make(&g, &state, 0, 1, VAE_ACT_IDENTITY, 1 + ref_pick(&state, 30),
                  1 + ref_pick(&state, 30), 1 + ref_pick(&state, 300), 1);
        ref_gemm(VAE_ISA_AUTO, 0, g.m, g.n, g.k, g.a, g.lda, g.b, g.ldb, g.bias, VAE_ACT_IDENTITY,
                 g.c, g.ldc);
        for (i = 0; i < g.m; i++) {
            for (j = 0; j < g.n; j++) {
                double sum = (double)g.bias[j], size = fabs((double)g.bias[j]);
                for (kk = 0; kk < g.k; kk++) {
                    const double p = (double)g.a[i * g.lda + kk] * (double)g.b[kk * g.ldb + j];
                    sum += p, size += fabs(p);
                }
                /* one rounding a step, each at most half an ulp of a partial sum <= size */
                CHECK_NEAR((double)g.c[i * g.ldc + j], sum, (double)g.k * 0x1p-24 * size);
            }
        }
        gemm_free(&g);
    }
}

TEST(large_products_have_the_same_hash_on_every_instruction_set) {
    static const size_t shapes[][3] = {
        {128, 400, 200}, {128, 40, 400}, {20, 784, 200}, {1, 784, 400}};
    const vae__kernels *k;
    uint64_t state = 26;
    size_t i;
    int flags;
    for (i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        const size_t m = shapes[i][0], n = shapes[i][1], kk = shapes[i][2];
        float *a = ref_floats(m * kk), *b = ref_floats(kk * n), *c = ref_floats(m * n);
        ref_fill_normal(&state, a, m * kk, 1);
        ref_fill_normal(&state, b, kk * n, 1);
        for (flags = 0; flags < 4; flags++) {
            uint64_t portable = 0, hash;
            for (k = NULL; (k = ref_next_isa(k));) {
                ref_gemm(k->isa, flags, m, n, kk, a, flags & VAE__GEMM_TRANS_A ? m : kk, b,
                         flags & VAE__GEMM_TRANS_B ? kk : n, NULL, VAE_ACT_TANH, c, n);
                hash = vae__hash_floats(VAE__FNV, c, m * n);
                if (k->isa == VAE_ISA_PORTABLE) portable = hash;
                CHECK(hash == portable);
            }
        }
        free(a), free(b), free(c);
    }
}

TEST(a_negative_zero_becomes_a_positive_one) {
    const float minus = vae__float_of(0x80000000u);
    const vae__kernels *k;
    float a[20], b[20], bias[20], c[20], tiny[20];
    size_t n, i;
    for (i = 0; i < 20; i++) a[i] = 0, b[i] = -1, bias[i] = minus, tiny[i] = 0x1p-100f;
    for (k = NULL; (k = ref_next_isa(k));) {
        for (n = 1; n <= 20; n++) {
            ref_gemm(k->isa, 0, 1, n, 0, NULL, 0, NULL, n, bias, VAE_ACT_IDENTITY, c, n);
            for (i = 0; i < n; i++) CHECK_EQ(vae__bits_f(c[i]), 0); /* bias -0, no product */
            ref_gemm(k->isa, 0, 1, n, 1, a, 1, b, n, bias, VAE_ACT_IDENTITY, c, n);
            for (i = 0; i < n; i++) CHECK_EQ(vae__bits_f(c[i]), 0); /* 0 * -1 + -0 */
            for (i = 0; i < n; i++) c[i] = minus;
            ref_gemm(k->isa, VAE__GEMM_ADD, 1, n, 1, a, 1, b, n, NULL, VAE_ACT_IDENTITY, c, n);
            for (i = 0; i < n; i++) CHECK_EQ(vae__bits_f(c[i]), 0);
            a[0] = -0x1p-100f; /* underflows to -0 */
            ref_gemm(k->isa, 0, 1, n, 1, a, 1, tiny, n, bias, VAE_ACT_IDENTITY, c, n);
            for (i = 0; i < n; i++) CHECK_EQ(vae__bits_f(c[i]), 0);
            a[0] = 0;
        }
    }
}

TEST(nan_and_infinity_reach_exactly_the_outputs_they_belong_to) {
    const float bad[3] = {vae__float_of(0x7fc00000u), vae__float_of(0x7f800000u),
                          vae__float_of(0xff800000u)};
    enum { M = 19, N = 37, K = 9 };
    const vae__kernels *k;
    float a[M * K], b[K * N], c[M * N];
    uint64_t state = 27;
    size_t i, j;
    int which, side;
    for (k = NULL; (k = ref_next_isa(k));) {
        for (which = 0; which < 3; which++) {
            for (side = 0; side < 2; side++) { /* in A: a row; in B: a column */
                const size_t at = ref_pick(&state, side ? N : M), depth = ref_pick(&state, K);
                ref_fill_uniform(&state, a, M * K, 0.5, 1);
                ref_fill_uniform(&state, b, K * N, 0.5, 1);
                if (side) b[depth * N + at] = bad[which];
                else a[at * K + depth] = bad[which];
                ref_gemm(k->isa, 0, M, N, K, a, K, b, N, NULL, VAE_ACT_IDENTITY, c, N);
                for (i = 0; i < M; i++)
                    for (j = 0; j < N; j++) {
                        if ((side ? j : i) == at) CHECK(ref_same(c[i * N + j], bad[which]));
                        else CHECK(vae__finite_f(c[i * N + j]));
                    }
            }
        }
        a[0] = 0, b[0] = bad[1]; /* 0 * inf */
        ref_gemm(k->isa, 0, 1, 1, 1, a, 1, b, 1, NULL, VAE_ACT_IDENTITY, c, 1);
        CHECK(ref_is_nan(c[0]));
        a[0] = FLT_MAX, b[0] = 2; /* overflow */
        ref_gemm(k->isa, 0, 1, 1, 1, a, 1, b, 1, NULL, VAE_ACT_IDENTITY, c, 1);
        CHECK(ref_same(c[0], bad[1]));
    }
}

/* Subnormals count, and the chain rounds once a step also where sums cancel. */
TEST(gemm_rounds_once_a_step_also_at_the_ends_of_the_range) {
    uint64_t state = 28;
    int round;
    size_t i;
    for (round = 0; round < 40; round++) {
        gemm_case g;
        gemm_make(&g, &state, 0, 0, VAE_ACT_IDENTITY, 7, 33, 12, 0);
        for (i = 0; i < 7 * 12; i++)
            g.a[i] = (float)ldexp(ref_uniform(&state, -1, 1), (int)ref_pick(&state, 90) - 80);
        for (i = 0; i < 12 * 33; i++)
            g.b[i] = (float)ldexp(ref_uniform(&state, -1, 1), (int)ref_pick(&state, 90) - 80);
        if (round & 1) /* a sum that cancels all but the last digits */
            for (i = 0; i < 7; i++) g.a[i * 12 + 1] = -g.a[i * 12];
        if (round & 1)
            for (i = 0; i < 33; i++) g.b[33 + i] = g.b[i];
        gemm_expect(&g);
        gemm_check(&g);
        gemm_free(&g);
    }
}

/* Where a product in double, added in double and rounded to float would be wrong: the sum lies half
 * way between two floats but for a part too small for a double. One step, C = a B + bias. */
TEST(gemm_fuses_also_where_rounding_twice_would_show) {
    enum { N = 37 };
    uint64_t state = 30;
    int round, twice = 0;
    for (round = 0; round < 3000; round++) {
        /* a normal result or a subnormal one; the product is half an ulp of the bias, or that but
         * for some 2^-46 of it */
        const int deep = round % 3 == 0, low = deep ? -149 : -40 + (int)ref_pick(&state, 80);
        const double ulp = ldexp(1, low);
        const vae__kernels *k;
        float a, b[N], bias[N], want[N], c[N];
        size_t i;
        const double part = (double)(1 + ref_pick(&state, 3)) * 0x1p-23;
        const int half = (low - 1) / 2;
        a = (float)ldexp(1 + part, half);
        for (i = 0; i < N; i++) {
            const double digits = deep ? (double)ref_pick(&state, (size_t)1 << 22)
                                       : (double)((1 << 23) + ref_pick(&state, (size_t)1 << 23));
            const double sign = ref_pick(&state, 2) ? 1 : -1;
            bias[i] = (float)(sign * digits * ulp);
            b[i] = (float)ldexp(ref_pick(&state, 2) ? 1 - part : 1 / (1 + part), low - 1 - half);
            if (ref_pick(&state, 2)) b[i] = -b[i];
            want[i] = ref_fma(a, b[i], bias[i]);
            if (!(vae__bits_f(want[i]) << 1)) want[i] = 0;
            {
                volatile double sum = (double)a * (double)b[i] + (double)bias[i];
                twice += (float)sum != want[i];
            }
        }
        for (k = NULL; (k = ref_next_isa(k));) {
            ref_gemm(k->isa, 0, 1, N, 1, &a, 1, b, N, bias, VAE_ACT_IDENTITY, c, N);
            CHECK_EQ(ref_differ(N, c, want), N);
        }
    }
    CHECK(twice > 1000); /* such cases were among them */
}

TEST(gemm_does_not_depend_on_the_rounding_mode_of_the_caller) {
    /* the library knows how to set the mode on these */
#if defined(FE_UPWARD) && (defined(VAE__X64) || defined(__aarch64__)) && !defined(VAE__TCC)
    uint64_t state = 29;
    volatile float one = 1, tiny = 0x1p-30f;
    gemm_case g;
    gemm_make(&g, &state, 0, 1, VAE_ACT_TANH, 9, 40, 50, 0);
    if (fesetround(FE_UPWARD)) {
        gemm_free(&g);
        SKIP("the rounding mode cannot be set here");
    }
    gemm_check(&g);
    CHECK(one + tiny > 1); /* and it is put back */
    fesetround(FE_TONEAREST);
    gemm_free(&g);
#else
    SKIP("only on x86-64 and aarch64");
#endif
}

TEST(gemm_does_not_flush_subnormals_when_the_caller_does) {
#if defined(VAE__X64) && !defined(VAE__TCC)
    const vae__kernels *k;
    const unsigned before = _mm_getcsr(), flush = before | 0x8040; /* FTZ and DAZ */
    float a[2], b[40], c[40];
    int i;
    a[0] = 0x1p-70f, a[1] = 0x1p-140f; /* a product that is subnormal, a factor that is */
    for (i = 0; i < 20; i++) b[i] = 0x1p-70f, b[20 + i] = 1;
    for (k = NULL; (k = ref_next_isa(k));) {
        _mm_setcsr(flush);
        ref_gemm(k->isa, 0, 1, 20, 2, a, 2, b, 20, NULL, VAE_ACT_IDENTITY, c, 20);
        CHECK_EQ(_mm_getcsr() & 0xffc0, flush & 0xffc0);
        _mm_setcsr(before);
        for (i = 0; i < 20; i++) CHECK_EQ(vae__bits_f(c[i]), 0x200 + 0x200);
    }
#else
    SKIP("only on x86, with intrinsics");
#endif
}

TEST(gemm_refuses_what_it_cannot_do_and_leaves_c) {
    float a[64], b[64], bias[8], c[64];
    int i, isa;
    for (i = 0; i < 64; i++) a[i] = b[i] = 1, c[i] = -7;
    for (i = 0; i < 8; i++) bias[i] = 1;
#define GEMM(flags, m, n, k, a, lda, b, ldb, bias, act, c, ldc) \
    ref_gemm(VAE_ISA_AUTO, flags, m, n, k, a, lda, b, ldb, bias, act, c, ldc)
    CHECK_STATUS(GEMM(0, 2, 3, 4, NULL, 4, b, 3, NULL, VAE_ACT_IDENTITY, c, 3), VAE_ERR_NULL);
    CHECK_STATUS(GEMM(0, 2, 3, 4, a, 4, NULL, 3, NULL, VAE_ACT_IDENTITY, c, 3), VAE_ERR_NULL);
    CHECK_STATUS(GEMM(0, 2, 3, 4, a, 4, b, 3, NULL, VAE_ACT_IDENTITY, NULL, 3), VAE_ERR_NULL);
    CHECK_STATUS(GEMM(0, 2, 3, 4, a, 4, b, 3, NULL, VAE_ACT_COUNT, c, 3), VAE_ERR_VALUE);
    CHECK_STATUS(GEMM(0, 2, 3, 4, a, 4, b, 3, NULL, (vae_act)-1, c, 3), VAE_ERR_VALUE);
    CHECK_STATUS(GEMM(VAE__GEMM_ADD, 2, 3, 4, a, 4, b, 3, bias, VAE_ACT_IDENTITY, c, 3),
                 VAE_ERR_VALUE);
    CHECK_STATUS(GEMM(0, 2, 3, 4, a, 3, b, 3, NULL, VAE_ACT_IDENTITY, c, 3), VAE_ERR_SHAPE);
    CHECK_STATUS(GEMM(0, 2, 3, 4, a, 4, b, 2, NULL, VAE_ACT_IDENTITY, c, 3), VAE_ERR_SHAPE);
    CHECK_STATUS(GEMM(0, 2, 3, 4, a, 4, b, 3, NULL, VAE_ACT_IDENTITY, c, 2), VAE_ERR_SHAPE);
    CHECK_STATUS(GEMM(VAE__GEMM_TRANS_A, 2, 3, 4, a, 1, b, 3, NULL, VAE_ACT_IDENTITY, c, 3),
                 VAE_ERR_SHAPE);
    CHECK_STATUS(GEMM(VAE__GEMM_TRANS_B, 2, 3, 4, a, 4, b, 3, NULL, VAE_ACT_IDENTITY, c, 3),
                 VAE_ERR_SHAPE);
    CHECK_STATUS(ref_gemm(VAE_ISA_COUNT, 0, 2, 3, 4, a, 4, b, 3, NULL, VAE_ACT_IDENTITY, c, 3),
                 VAE_ERR_UNSUPPORTED);
    for (isa = 0; isa < VAE_ISA_COUNT; isa++)
        if (!vae_isa_available((vae_isa)isa))
            CHECK_STATUS(ref_gemm((vae_isa)isa, 0, 2, 3, 4, a, 4, b, 3, NULL, VAE_ACT_IDENTITY, c,
                                  3), VAE_ERR_UNSUPPORTED);
    for (i = 0; i < 64; i++) CHECK(c[i] == -7);
    CHECK_STATUS(GEMM(0, 2, 3, 4, a, 4, b, 3, bias, VAE_ACT_IDENTITY, c, 3), VAE_OK);
    for (i = 0; i < 6; i++) CHECK(c[i] == 5);
    CHECK_STATUS(GEMM(VAE__GEMM_TRANS_A, 2, 3, 4, a, 2, b, 3, NULL, VAE_ACT_IDENTITY, c, 3),
                 VAE_OK);
    for (i = 0; i < 6; i++) CHECK(c[i] == 4);
}

TEST(gemm_says_what_is_wrong_and_zero_is_packed) {
    static const float a[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    const float eye[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    float c[12] = {0}, one = 1;
    vae_gemm_desc d = {.m = 4, .n = 3, .k = 3, .a = a, .b = eye, .c = c}, e;
    vae_report r;
    int i;
    CHECK_STATUS(vae_gemm(NULL, &r), VAE_ERR_NULL);
    CHECK_SAYS(r, "desc is NULL");
    CHECK_STATUS(vae_gemm(NULL, NULL), VAE_ERR_NULL);
#define WRONG(change, want, sentence) \
    do { \
        e = d, change; \
        CHECK_STATUS(vae_gemm(&e, &r), want); \
        CHECK_EQ(r.status, want); \
        CHECK_SAYS(r, sentence); \
    } while (0)
    WRONG(e.a = NULL, VAE_ERR_NULL, "a is NULL");
    WRONG(e.b = NULL, VAE_ERR_NULL, "b is NULL");
    WRONG(e.c = NULL, VAE_ERR_NULL, "c is NULL");
    WRONG(e.lda = 2, VAE_ERR_SHAPE, "lda is 2, but a stored row of a has 3 numbers");
    WRONG((e.lda = 3, e.trans_a = 1), VAE_ERR_SHAPE, "lda is 3, but a stored row of a has 4");
    WRONG(e.ldb = 1, VAE_ERR_SHAPE, "ldb is 1, but a stored row of b has 3");
    WRONG((e.ldb = 2, e.trans_b = 1), VAE_ERR_SHAPE, "ldb is 2, but a stored row of b has 3");
    WRONG(e.ldc = 2, VAE_ERR_SHAPE, "ldc is 2, but a stored row of c has 3");
    WRONG(e.act = VAE_ACT_COUNT, VAE_ERR_VALUE, "act is 9");
    WRONG((e.bias = &one, e.add = 1), VAE_ERR_VALUE, "bias and add");
    WRONG(e.isa = (vae_isa)99, VAE_ERR_UNSUPPORTED, "isa is 99");
#undef WRONG
    for (i = 0; i < 12; i++) CHECK(c[i] == 0);
    CHECK_STATUS(vae_gemm(&d, &r), VAE_OK);
    for (i = 0; i < 12; i++) CHECK(c[i] == a[i]);
    d.add = 1;
    CHECK_STATUS(vae_gemm(&d, NULL), VAE_OK);
    for (i = 0; i < 12; i++) CHECK(c[i] == 2 * a[i]);
    d.add = 0, d.trans_a = 1; /* a is now (3, 4): its transpose comes out */
    CHECK_STATUS(vae_gemm(&d, NULL), VAE_OK);
    for (i = 0; i < 12; i++) CHECK(c[i] == a[i % 3 * 4 + i / 3]);
}

TEST(gemm_of_nothing_does_nothing) {
    float c[40], bias[40];
    const vae__kernels *k;
    int i;
    for (i = 0; i < 40; i++) c[i] = -7, bias[i] = (float)i;
    for (k = NULL; (k = ref_next_isa(k));) {
        CHECK_STATUS(ref_gemm(k->isa, 0, 0, 3, 4, NULL, 4, NULL, 3, NULL, VAE_ACT_IDENTITY, NULL,
                              3), VAE_OK);
        CHECK_STATUS(ref_gemm(k->isa, 0, 2, 0, 4, NULL, 4, NULL, 0, NULL, VAE_ACT_IDENTITY, NULL,
                              0), VAE_OK);
        for (i = 0; i < 40; i++) CHECK(c[i] == -7 || c[i] == (float)i);
        /* an empty sum: the bias, or C as it is; A and B may be NULL */
        CHECK_STATUS(ref_gemm(k->isa, 0, 1, 40, 0, NULL, 0, NULL, 40, bias, VAE_ACT_IDENTITY, c,
                              40), VAE_OK);
        for (i = 0; i < 40; i++) CHECK(c[i] == (float)i);
        CHECK_STATUS(ref_gemm(k->isa, VAE__GEMM_ADD, 1, 40, 0, NULL, 0, NULL, 40, NULL,
                              VAE_ACT_IDENTITY, c, 40), VAE_OK);
        for (i = 0; i < 40; i++) CHECK(c[i] == (float)i);
        CHECK_STATUS(ref_gemm(k->isa, VAE__GEMM_TRANS_A | VAE__GEMM_TRANS_B, 1, 40, 0, NULL, 1,
                              NULL, 0, NULL, VAE_ACT_IDENTITY, c, 40), VAE_OK);
        for (i = 0; i < 40; i++) CHECK(c[i] == 0);
        for (i = 0; i < 40; i++) c[i] = -7;
    }
}

#undef GEMM

/* Zeros may be left out: every density, both layouts, rows of zeros only, -0, odd sizes. */
TEST(leaving_out_zeros_does_not_change_a_bit) {
    static const size_t shapes[][3] = {{128, 400, 784}, {96, 400, 128}, {1, 33, 50}, {37, 7, 129},
                                       {1, 400, 61}, {1, 1000, 8}, {1, 257, 300}, {1, 300, 2500},
                                       {300, 130, 61}, {23, 257, 1024}, {5, 16, 3}, {70, 19, 2000},
                                       {64, 40, 17}, {80, 24, 20}, {50, 33, 31}, {784, 40, 100}};
    static const double densities[] = {0, 0.05, 0.2, 0.32, 0.35, 1, -1}; /* -1: full rows between */
    const vae__kernels *k;
    size_t s, d, i;
    int flags;
    for (k = NULL; (k = ref_next_isa(k));) {
        for (s = k->isa == VAE_ISA_PORTABLE ? 1 : 0; s < sizeof shapes / sizeof *shapes; s++) {
            const size_t m = shapes[s][0], n = shapes[s][1], depth = shapes[s][2];
            float *a = ref_floats(m * depth), *b = ref_floats(depth * n), *bias = ref_floats(n);
            float *want = ref_floats(m * n), *got = ref_floats(m * n);
            uint64_t state = 77 + s;
            ref_fill_uniform(&state, b, depth * n, -1, 1);
            ref_fill_uniform(&state, bias, n, -1e-3, 1e-3);
            for (d = 0; d < sizeof densities / sizeof *densities; d++) {
                for (flags = 0; flags <= 3; flags++) { /* 1: A turned over, 2: added to C */
                    const int turned = flags & 1, add = flags >> 1;
                    const int all = (turned ? VAE__GEMM_TRANS_A : 0) | (add ? VAE__GEMM_ADD : 0);
                    const size_t lda = turned ? m : depth;
                    const float *start = d % 2 && !add ? bias : NULL;
                    for (i = 0; i < m * depth; i++) {
                        const size_t row = turned ? i % m : i / depth;
                        const double part = densities[d] >= 0 ? densities[d] : row % 8 < 2 ? 1 : .02;
                        const int on = ref_uniform(&state, 0, 1) < part && row % 9 != 4;
                        a[i] = on ? (float)ref_uniform(&state, -1, 1) : i % 3 ? 0.0f : -0.0f;
                    }
                    if (add) ref_fill_uniform(&state, want, m * n, -1, 1);
                    memset(got, 0xff, m * n * sizeof(float));
                    if (add) memcpy(got, want, m * n * sizeof(float));
                    k->gemm(all, m, n, depth, a, lda, b, n, start, VAE_ACT_RELU, want, n);
                    k->gemm(all | VAE__GEMM_SKIP, m, n, depth, a, lda, b, n, start,
                            VAE_ACT_RELU, got, n);
                    CHECK_EQ(ref_differ(m * n, want, got), m * n);
                }
            }
            free(a), free(b), free(bias), free(want), free(got);
        }
    }
}

TESTS(gemm) {
    RUN(leaving_out_zeros_does_not_change_a_bit);
    vae__fpenv env;
    vae__fp_enter(&env); /* see reference.h */
    RUN(gemm_is_the_chain_of_fmas_on_odd_sizes);
    RUN(gemm_is_right_at_every_small_size);
    RUN(gemm_of_one_row_is_right_at_every_length);
    RUN(gemm_with_a_long_reduction_is_still_one_chain);
    RUN(gemm_applies_the_activation_after_the_sum);
    RUN(gemm_is_near_the_product_in_double);
    RUN(large_products_have_the_same_hash_on_every_instruction_set);
    RUN(a_negative_zero_becomes_a_positive_one);
    RUN(nan_and_infinity_reach_exactly_the_outputs_they_belong_to);
    RUN(gemm_rounds_once_a_step_also_at_the_ends_of_the_range);
    RUN(gemm_fuses_also_where_rounding_twice_would_show);
    RUN(gemm_does_not_depend_on_the_rounding_mode_of_the_caller);
    RUN(gemm_does_not_flush_subnormals_when_the_caller_does);
    RUN(gemm_refuses_what_it_cannot_do_and_leaves_c);
    RUN(gemm_says_what_is_wrong_and_zero_is_packed);
    RUN(gemm_of_nothing_does_nothing);
    vae__fp_leave(&env);
}
