/* Every kernel of the table, on every instruction set: near the formula in double, the same bits as
 * the portable pass, and nothing touched beyond n. (Products: test_gemm.c. Draws: test_rng.c.
 * Functions of one argument: test_math.c.) */
#include "reference.h"

static const size_t kern_sizes[] = {
    1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23,
    24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 63, 64, 65, 100, 257, 784};
enum { KERN_SIZES = sizeof kern_sizes / sizeof kern_sizes[0], KERN_MAX = 784 };

/* A sanitizer sees what is read beyond n only at the end of a block: each array gets its own, and
 * begins one float into it, so that it is not aligned to a vector. */
static float *kern_room(size_t n) { return ref_floats(n + 1) + 1; }
static float *kern_copy(size_t n, const float *x) {
    float *p = kern_room(n);
    memcpy(p, x, n * sizeof *p);
    return p;
}
static void kern_free(float *p) { free(p - 1); }

/* An output array with a mark in front of it and behind it. */
static const uint32_t kern_mark = 0x7fc0beef;
static float *kern_out(size_t n) {
    float *p = ref_floats(n + 3) + 1;
    size_t i;
    for (i = 0; i < n + 2; i++) p[(ptrdiff_t)i - 1] = vae__float_of(kern_mark);
    return p;
}
#define CHECK_MARKS(p, n) \
    CHECK(vae__bits_f((p)[-1]) == kern_mark && vae__bits_f((p)[n]) == kern_mark)

static const vae__kernels *kern_portable(void) { return vae__kernels_of(VAE_ISA_PORTABLE); }

/* 16 interleaved partial sums and the tree 8-4-2-1, each addition rounded to float. */
static float kern_tree(float parts[16]) {
    int i, half;
    for (half = 8; half; half /= 2) {
        for (i = 0; i < half; i++) {
            volatile float sum = parts[i] + parts[i + half];
            parts[i] = sum;
        }
    }
    return parts[0];
}

/* ---- likelihoods ---- */

TEST(bernoulli_matches_the_formula_and_the_portable_pass) {
    static float logits[KERN_MAX], x[KERN_MAX], portable[KERN_MAX];
    const vae__kernels *k;
    uint64_t state = 31;
    size_t s, i;
    for (i = 0; i < KERN_MAX; i++) {
        logits[i] = (float)(ref_normal(&state) * (i % 5 ? 3 : 30));
        x[i] = (float)(i % 3 == 0 ? 0 : i % 3 == 1 ? 1 : ref_uniform(&state, 0, 1));
        if (i % 17 == 4) logits[i] = 0;
    }
    for (s = 0; s < KERN_SIZES; s++) {
        const size_t n = kern_sizes[s];
        const float scale = 0.37f;
        const float first = kern_portable()->bernoulli(n, logits, x, scale, portable);
        double want = 0, size = 0;
        for (i = 0; i < n; i++) {
            const double a = (double)logits[i], t = (double)x[i];
            const double g = (ref_sigmoid(a) - t) * (double)scale;
            want += ref_softplus(a) - a * t;
            size += ref_softplus(a) + fabs(a * t);
            /* sigmoid to a few ulp of 1, and the product */
            CHECK_NEAR((double)portable[i], g, 4e-7 * (double)scale);
        }
        /* each term to 3 ulp of its parts, and log2(16) + n / 16 additions */
        CHECK_NEAR((double)first, want, (3 + 4 + (double)n / 16) * 0x1p-24 * size);
        for (k = NULL; (k = ref_next_isa(k));) {
            float *l = kern_copy(n, logits), *t = kern_copy(n, x), *out = kern_out(n);
            CHECK(ref_same(k->bernoulli(n, l, t, scale, out), first));
            CHECK_EQ(ref_differ(n, out, portable), n);
            CHECK_MARKS(out, n);
            CHECK(ref_same(k->bernoulli(n, l, t, scale, NULL), first)); /* the value alone */
            kern_free(l), kern_free(t), kern_free(out);
        }
    }
}

TEST(bernoulli_is_exact_where_logits_are_extreme) {
    const vae__kernels *k;
    for (k = NULL; (k = ref_next_isa(k));) {
        float a[4] = {200, -200, 1e30f, -1e30f}, x[4] = {1, 0, 1, 0}, d[4];
        CHECK(k->bernoulli(4, a, x, 1, d) == 0); /* certain and right */
        CHECK(d[0] == 0 && d[1] == 0 && d[2] == 0 && d[3] == 0);
        a[0] = 200, x[0] = 0;
        CHECK(k->bernoulli(1, a, x, 1, d) == 200);
        CHECK(d[0] == 1);
        a[0] = -200, x[0] = 1;
        CHECK(k->bernoulli(1, a, x, 1, d) == 200);
        CHECK(d[0] == -1);
        a[0] = 0, x[0] = 0.5f;
        CHECK_NEAR((double)k->bernoulli(1, a, x, 1, d), 0.69314718055994531, 6e-8);
        CHECK(d[0] == 0);
        a[0] = -60, x[0] = 0; /* e^-60, not 0: the tail keeps its digits */
        CHECK_NEAR((double)k->bernoulli(1, a, x, 1, d) * exp(60), 1, 4e-7);
        CHECK_NEAR((double)d[0] * exp(60), 1, 4e-7);
        a[0] = vae__float_of(0x7fc00000u);
        CHECK(ref_is_nan(k->bernoulli(1, a, x, 1, d)));
        CHECK(ref_is_nan(d[0]));
    }
}

TEST(gaussian_sums_squares_in_sixteen_parts) {
    static float mean[KERN_MAX], x[KERN_MAX];
    const vae__kernels *k;
    uint64_t state = 32;
    size_t s, i;
    ref_fill_normal(&state, mean, KERN_MAX, 2);
    ref_fill_uniform(&state, x, KERN_MAX, 0, 1);
    for (s = 0; s < KERN_SIZES; s++) {
        const size_t n = kern_sizes[s];
        const float scale = -0.7f;
        float parts[16] = {0}, grads[KERN_MAX], sum;
        double want = 0;
        for (i = 0; i < n; i++) {
            volatile float d = mean[i] - x[i], g = d * scale;
            parts[i % 16] = ref_fma(d, d, parts[i % 16]);
            grads[i] = g;
            want += ((double)mean[i] - (double)x[i]) * ((double)mean[i] - (double)x[i]);
        }
        sum = kern_tree(parts);
        CHECK_NEAR((double)sum, want, (6 + (double)n / 16) * 0x1p-24 * want);
        for (k = NULL; (k = ref_next_isa(k));) {
            float *m = kern_copy(n, mean), *t = kern_copy(n, x), *out = kern_out(n);
            CHECK(ref_same(k->gaussian(n, m, t, scale, out), sum)); /* bit for bit */
            CHECK_EQ(ref_differ(n, out, grads), n);
            CHECK_MARKS(out, n);
            CHECK(ref_same(k->gaussian(n, m, t, scale, NULL), sum));
            kern_free(m), kern_free(t), kern_free(out);
        }
    }
}

/* ---- densities of numbers with parameters of their own ---- */

enum { KERN_CB = VAE__DENSITY_CONTINUOUS, KERN_LOGISTIC = VAE__DENSITY_LOGISTIC_PIXEL,
       KERN_PIXEL = VAE__DENSITY_GAUSSIAN_PIXEL };
static const int kern_densities[] = {KERN_CB, KERN_LOGISTIC, KERN_PIXEL};

static float kern_call(const vae__kernels *k, int kind, size_t n, size_t c, const float *out,
                       const float *x, float scale, float *dout) {
    return k->density(kind, n, c, out, 0, x, scale, dout, NULL);
}

/* -log p of one number under parameters a and b, its gradient, and how far floats may be from it:
 * [0] the value, [1] and [2] the gradients. */
static double kern_density(int kind, double a, double b, double x, double *da, double *db,
                           double near[3]) {
    double want, l, u, w;
    *db = 0;
    if (kind == KERN_CB) {
        want = ref_cb(a, x, da);
        /* (1 - e^-|a|) / |a| to 3 ulp, its logarithm, and three roundings of at most |a| */
        near[0] = 4e-7 + 2e-7 * fabs(a) + 1e-7 * log1p(fabs(a));
        near[1] = 3e-7, near[2] = 0; /* both terms are at most 2, to 1 ulp */
    } else if (kind == KERN_LOGISTIC) {
        want = ref_logistic(a, b, x, da, db);
        l = ref_clamp(b, -7, 20), w = exp(-l) / 255;
        u = (fabs(x - a) + 1.0 / 510) * exp(-l);
        /* ends of the level to 4 ulp of the further one, which everything follows with slope 1 */
        near[0] = 6e-7 * (1 + 2 * u) + 1.5e-7 * fabs(log(w < 1 ? w : 1));
        near[1] = 6e-7 * (1 + u) * exp(-l), near[2] = 1e-6 * (1 + 2 * u);
    } else {
        l = ref_clamp(b, -30, 20);
        want = ref_gaussian(1, &a, &x, l, 1, (*da = 0, da), db);
        if (l != b) *db = 0;
        /* e^-l to 2 ulp, and a few roundings of each part */
        near[0] = 4e-7 * (pow(a - x, 2) * exp(-l) + fabs(l) + 2);
        near[1] = 4e-7 * fabs(*da), near[2] = 4e-7 * (1 + pow(a - x, 2) * exp(-l));
    }
    return want;
}

TEST(densities_match_the_formulas_on_grids) {
    static const double cb[] = {0, 1e-8, 1e-4, 9.9e-5, 1.01e-4, 1e-3, 0.01, 0.3, 0.5, 0.999, 1,
                                1.001, 2, 5, 17, 50, 88, 89, 104, 200, 1e4, 1e10, 1e30};
    static const double means[] = {-1e30, -1e4, -3, -0.2, 0, 0.002, 0.13, 0.5, 0.7, 1, 1.4, 20,
                                   1e30};
    static const double logs[] = {-1e30, -31, -30, -29.9, -12, -7.01, -7, -6.99, -5, -2, 0, 1, 4,
                                  10, 19.9, 20, 20.1, 80, 1e30};
    static const int levels[] = {0, 1, 2, 33, 100, 128, 200, 253, 254, 255};
    const vae__kernels *k;
    size_t kind, i, j, t;
    for (k = NULL; (k = ref_next_isa(k));) {
        for (kind = 0; kind < 3; kind++) {
            const int is = kern_densities[kind];
            const size_t rows = is == KERN_CB ? 2 * sizeof cb / sizeof *cb
                                              : sizeof means / sizeof *means;
            for (i = 0; i < rows; i++)
                for (j = 0; j < (is == KERN_CB ? 1 : sizeof logs / sizeof *logs); j++)
                    for (t = 0; t < 10; t++) {
                        float out[2], grad[2] = {7, 7}, x = (float)levels[t] / 255.0f, value;
                        double da, db, want, near[3];
                        out[0] = (float)(is != KERN_CB ? means[i] : i % 2 ? -cb[i / 2] : cb[i / 2]);
                        out[1] = (float)logs[j];
                        value = kern_call(k, is, 1, 1, out, &x, 1, grad);
                        want = kern_density(is, (double)out[0], (double)out[1], (double)x, &da, &db,
                                            near);
                        if (is == KERN_PIXEL && !(want < 1e38)) { /* the square is beyond float */
                            CHECK(vae__bits_f(value) == 0x7f800000u);
                            continue;
                        }
                        if (!(fabs((double)value - want) <= near[0]))
                            test_report(__FILE__, __LINE__, "kind %d at (%g, %g), x %g: %.9g, not "
                                        "%.9g within %.3g", is, (double)out[0], (double)out[1],
                                        (double)x, (double)value, want, near[0]);
                        if (!(fabs((double)grad[0] - da) <= near[1]) ||
                            (is != KERN_CB && !(fabs((double)grad[1] - db) <= near[2])))
                            test_report(__FILE__, __LINE__, "kind %d at (%g, %g), x %g: gradient "
                                        "(%.9g, %.9g), not (%.9g, %.9g)", is, (double)out[0],
                                        (double)out[1], (double)x, (double)grad[0],
                                        (double)grad[1], da, db);
                        if (is != KERN_CB && !(logs[j] >= (is == KERN_PIXEL ? -30 : -7) &&
                                               logs[j] <= 20))
                            CHECK(grad[1] == 0); /* clamped */
                    }
        }
    }
}

/* c values of each kind in turn, whole vectors and runs or not, in place or elsewhere. */
TEST(densities_add_up_numbers_wherever_they_lie) {
    static const size_t channels[] = {1, 3, 5, 300}, pixels[] = {1, 2, 7, 16, 17, 51, 53, 103, 257};
    enum { MOST = 1542 };
    const vae__kernels *k;
    uint64_t state = 42;
    size_t kind, ci, pi, i;
    for (kind = 0; kind < 3; kind++)
        for (ci = 0; ci < 4; ci++)
            for (pi = 0; pi < 9; pi++) {
                const int is = kern_densities[kind];
                const size_t c = channels[ci], n = c * pixels[pi], all = is == KERN_CB ? n : 2 * n;
                const float scale = 0.37f;
                float out[2 * MOST], x[MOST], portable[2 * MOST], first = 0;
                double want = 0, size = 0, far = 0;
                if (n > MOST) continue;
                ref_fill_normal(&state, out, all, 2);
                ref_fill_uniform(&state, x, n, 0, 1);
                for (k = NULL; (k = ref_next_isa(k));) {
                    float *o = kern_copy(all, out), *t = kern_copy(n, x), *d = kern_out(all);
                    const float got = kern_call(k, is, n, c, o, t, scale, d);
                    if (k->isa == VAE_ISA_PORTABLE)
                        first = got, memcpy(portable, d, all * sizeof *d);
                    CHECK(ref_same(got, first));
                    CHECK_EQ(ref_differ(all, d, portable), all);
                    CHECK_MARKS(d, all);
                    CHECK(ref_same(kern_call(k, is, n, c, o, t, scale, NULL), first));
                    CHECK_EQ(ref_differ(all, o, out), all); /* untouched */
                    CHECK(ref_same(kern_call(k, is, n, c, o, t, scale, o), first));
                    CHECK_EQ(ref_differ(all, o, portable), all); /* in place */
                    kern_free(o), kern_free(t), kern_free(d);
                }
                for (i = 0; i < n; i++) {
                    const size_t at = is == KERN_CB ? i : i / c * 2 * c + i % c;
                    double da, db, near[3];
                    const double v = kern_density(is, (double)out[at], (double)out[is == KERN_CB
                                                  ? at : at + c], (double)x[i], &da, &db, near);
                    want += v, size += fabs(v), far += near[0];
                    CHECK_NEAR((double)portable[at], (double)scale * da,
                               (double)scale * (near[1] + 1e-7 * fabs(da)));
                    if (is != KERN_CB)
                        CHECK_NEAR((double)portable[at + c], (double)scale * db,
                                   (double)scale * (near[2] + 1e-7 * fabs(db)));
                }
                CHECK_NEAR((double)first, want, far + (4 + (double)n / 16) * 0x1p-24 * size);
            }
}

TEST(categorical_matches_the_formula_and_the_portable_pass) {
    static const size_t levels[] = {2, 3, 5, 16, 17, 100, 256};
    static const double spreads[] = {0, 1, 10, 1e4, 1e30};
    enum { N = 19 };
    static float out[N * 256], portable[N * 256];
    const vae__kernels *k;
    uint64_t state = 43;
    size_t c, s, i, j;
    for (c = 0; c < 7; c++)
        for (s = 0; s < 5; s++) {
            const size_t count = levels[c], all = N * count;
            const float scale = 0.37f;
            float x[N], first = 0;
            double want = 0, far = 0;
            ref_fill_normal(&state, out, all, spreads[s]);
            for (i = 0; i < N; i++)
                x[i] = (float)((double)ref_pick(&state, count) / (double)(count - 1));
            for (k = NULL; (k = ref_next_isa(k));) {
                float *o = kern_copy(all, out), *t = kern_copy(N, x), *d = kern_out(all);
                const float got = k->categorical(N, count, o, t, scale, d);
                if (k->isa == VAE_ISA_PORTABLE)
                    first = got, memcpy(portable, d, all * sizeof *d);
                CHECK(ref_same(got, first));
                CHECK_EQ(ref_differ(all, d, portable), all);
                CHECK_MARKS(d, all);
                CHECK(ref_same(k->categorical(N, count, o, t, scale, NULL), first));
                CHECK(ref_same(k->categorical(N, count, o, t, scale, o), first)); /* in place */
                CHECK_EQ(ref_differ(all, o, portable), all);
                kern_free(o), kern_free(t), kern_free(d);
            }
            for (i = 0; i < N; i++) {
                const size_t level = (size_t)((double)x[i] * (double)(count - 1) + 0.5);
                double grad[256] = {0};
                want += ref_categorical(count, out + i * count, level, grad);
                far += 1e-6;
                for (j = 0; j < count; j++)
                    CHECK_NEAR((double)portable[i * count + j], (double)scale * grad[j],
                               (double)scale * 5e-7);
            }
            CHECK_NEAR((double)first, want, far + (4 + N / 16.0) * 0x1p-24 * fabs(want));
        }
}

TEST(levels_of_a_density_sum_to_one) {
    static const double means[] = {-1e4, -2, 0, 1.0 / 510, 0.1306, 0.5, 0.99, 1, 1.003, 5, 1e30};
    static const double logs[] = {-20, -7, -6, -5, -4, -2.5, -1, 0, 2, 5, 12, 20, 30};
    static const size_t counts[] = {2, 5, 256};
    static const double spreads[] = {0, 1, 10, 80};
    const vae__kernels *k;
    uint64_t state = 44;
    size_t i, j, level;
    for (k = NULL; (k = ref_next_isa(k));) {
        for (i = 0; i < sizeof means / sizeof *means; i++)
            for (j = 0; j < sizeof logs / sizeof *logs; j++) {
                double sum = 0, far = 1e-6;
                float out[2];
                out[0] = (float)means[i], out[1] = (float)logs[j];
                for (level = 0; level < 256; level++) {
                    const float x = (float)level / 255.0f;
                    double da, db, near[3];
                    const double p =
                        exp(-(double)kern_call(k, KERN_LOGISTIC, 1, 1, out, &x, 1, NULL));
                    (void)kern_density(KERN_LOGISTIC, (double)out[0], (double)out[1], (double)x,
                                       &da, &db, near);
                    /* p itself, and x off its level by half an ulp on a slope of p / s */
                    sum += p, far += p * (near[0] < 1 ? near[0] : 0) +
                                     p * 6e-8 * exp(-ref_clamp(logs[j], -7, 20));
                }
                CHECK_NEAR(sum, 1, far);
            }
        for (i = 0; i < 3; i++)
            for (j = 0; j < 4; j++) {
                float out[256];
                double sum = 0;
                ref_fill_normal(&state, out, 256, spreads[j]);
                for (level = 0; level < counts[i]; level++) {
                    const float x = (float)((double)level / (double)(counts[i] - 1));
                    sum += exp(-(double)k->categorical(1, counts[i], out, &x, 1, NULL));
                }
                CHECK_NEAR(sum, 1, 1e-6 + 6e-7 * spreads[j]); /* logits of up to 4 spreads */
            }
    }
}

TEST(densities_of_real_numbers_integrate_to_one) {
    static const double logs[] = {-50, -30, -20, -5, -1, 0, 3, 20, 60};
    enum { STEPS = 1000 };
    const vae__kernels *k;
    size_t i, t;
    double a;
    for (k = NULL; (k = ref_next_isa(k));) {
        for (a = -50; a <= 50; a += fabs(a) < 1.2 ? 0.0101 : 0.37) { /* Simpson */
            const float logit = (float)a;
            double sum = 0;
            for (t = 0; t <= STEPS; t++) {
                const float x = (float)t / STEPS;
                const double p = exp(-(double)kern_call(k, KERN_CB, 1, 1, &logit, &x, 1, NULL));
                sum += p * (t == 0 || t == STEPS ? 1 : t % 2 ? 4 : 2) / (3.0 * STEPS);
            }
            /* as the value above; (a / 1000)^4 / 180 of Simpson's rule, x rounded by 3e-8 */
            CHECK_NEAR(sum, 1, 1e-6 + 2.6e-7 * fabs(a));
        }
        for (i = 0; i < sizeof logs / sizeof *logs; i++) { /* trapezium over 12 deviations */
            const double s = exp(0.5 * ref_clamp(logs[i], -30, 20));
            float out[2];
            double sum = 0;
            out[0] = logs[i] < -5 ? 0 : 0.3f, out[1] = (float)logs[i];
            for (t = 0; t <= STEPS; t++) {
                const float x = (float)((double)out[0] + s * (24.0 * (double)t / STEPS - 12));
                sum += exp(-(double)kern_call(k, KERN_PIXEL, 1, 1, out, &x, 1, NULL)) * s * 24 /
                       STEPS;
            }
            CHECK_NEAR(sum, 1, 2e-5); /* |l| <= 30 to an ulp of 4e-6, twice */
        }
    }
}

TEST(a_nan_among_the_parameters_of_a_density_stays_one) {
    const vae__kernels *k;
    size_t kind, at;
    for (k = NULL; (k = ref_next_isa(k));)
        for (kind = 0; kind < 4; kind++)
            for (at = 0; at < (kind ? 10 : 5); at++) {
                float out[10] = {0}, x[5] = {0, 1, 0.5f, 0, 1}, d[10], value;
                out[at] = vae__float_of(0x7fc00000u);
                value = kind == 3 ? k->categorical(5, 2, out, x, 1, d)
                                  : kern_call(k, kern_densities[kind], 5, 1, out, x, 1, d);
                CHECK(ref_is_nan(value));
                CHECK(ref_is_nan(d[at]));
            }
}

/* ---- the deviation of q(z|x) ---- */

static double kern_deviation(int head, double a, double *slope) {
    double s = fabs(a);
    *slope = a < 0 ? -1 : 1;
    if (head == VAE__SPREAD_RELU) s = a, *slope = 1;
    if (head == VAE__SPREAD_SOFTPLUS) s = ref_softplus(a), *slope = ref_sigmoid(a);
    return s;
}

TEST(heads_give_the_log_variance_of_their_deviation) {
    static const float special[] = {0, -0.0f, 0.001f, -0.001f, 0.00099f, 0.00101f, -0.00101f, 1, -1,
                                    -6.9f, -6.91f, -7, 88, -88, 1e4f, -1e4f, 1e30f, -1e30f, 1e-40f};
    enum { SPECIAL = sizeof special / sizeof special[0] };
    static float a[KERN_MAX], dl[KERN_MAX], logvar[KERN_MAX], da[KERN_MAX];
    const vae__kernels *k;
    uint64_t state = 45;
    size_t s, i;
    int head;
    ref_fill_normal(&state, a, KERN_MAX, 3);
    ref_fill_normal(&state, dl, KERN_MAX, 1);
    memcpy(a, special, sizeof special);
    for (head = VAE__SPREAD_ABS; head <= VAE__SPREAD_SOFTPLUS; head++) {
        kern_portable()->spread(head, KERN_MAX, a, logvar);
        kern_portable()->spread_bwd(head, KERN_MAX, a, dl, da);
        for (i = 0; i < KERN_MAX; i++) {
            double slope, dev = kern_deviation(head, (double)a[i], &slope);
            const double least = (double)0.001f, want = 2 * log(dev > least ? dev : least);
            /* the deviation to 3 ulp, and the logarithm */
            CHECK_NEAR((double)logvar[i], want, 5e-7 + 1.2e-7 * fabs(want));
            if (!(dev > least)) CHECK(da[i] == 0);
            else CHECK_NEAR((double)da[i], 2 * (double)dl[i] * slope / dev,
                            8e-7 * fabs(2 * (double)dl[i] * slope / dev));
        }
        for (s = 0; s < KERN_SIZES; s++) {
            const size_t n = kern_sizes[s];
            for (k = NULL; (k = ref_next_isa(k));) {
                float *p = kern_copy(n, a), *q = kern_copy(n, dl), *out = kern_out(n);
                k->spread(head, n, p, out);
                CHECK_EQ(ref_differ(n, out, logvar), n);
                CHECK_MARKS(out, n);
                k->spread_bwd(head, n, p, q, out);
                CHECK_EQ(ref_differ(n, out, da), n);
                CHECK_MARKS(out, n);
                k->spread(head, n, p, p); /* in place, as the network does it */
                CHECK_EQ(ref_differ(n, p, logvar), n);
                kern_free(p), kern_free(q), kern_free(out);
            }
        }
    }
}

/* ---- latents ---- */

/* mu, then logvar, as a head gives them. */
static void kern_head(uint64_t *state, size_t n, float *head) {
    size_t i;
    for (i = 0; i < n; i++) {
        head[i] = (float)ref_normal(state);
        head[n + i] = (float)(ref_normal(state) * (i % 7 == 6 ? 20 : 2)); /* some far out */
    }
}

TEST(latents_are_mu_plus_sigma_eps) {
    float head[2 * KERN_MAX], eps[KERN_MAX], portable[KERN_MAX];
    const vae__kernels *k;
    uint64_t state = 33;
    size_t s, i;
    for (s = 0; s < KERN_SIZES; s++) {
        const size_t n = kern_sizes[s];
        kern_head(&state, n, head);
        ref_fill_normal(&state, eps, n, 1);
        kern_portable()->latent_fwd(n, head, eps, portable);
        for (i = 0; i < n; i++) {
            const double sigma = exp(0.5 * ref_clamp((double)head[n + i], -30, 20));
            /* logvar / 2 is exact, sigma good to 1 ulp, one rounding */
            CHECK_NEAR((double)portable[i], (double)head[i] + sigma * (double)eps[i],
                       1.5e-7 * sigma * fabs((double)eps[i]) + 6e-8 * fabs((double)portable[i]));
        }
        for (k = NULL; (k = ref_next_isa(k));) {
            float *h = kern_copy(2 * n, head), *e = kern_copy(n, eps), *z = kern_out(n);
            k->latent_fwd(n, h, e, z);
            CHECK_EQ(ref_differ(n, z, portable), n);
            CHECK_MARKS(z, n);
            k->latent_fwd(n, h, NULL, z); /* without noise, mu itself */
            CHECK_EQ(ref_differ(n, z, head), n);
            CHECK_MARKS(z, n);
            kern_free(h), kern_free(e), kern_free(z);
        }
    }
}

TEST(gradients_of_latents_are_added_to_those_of_the_head) {
    float head[2 * KERN_MAX], eps[KERN_MAX], dz[KERN_MAX], before[2 * KERN_MAX];
    float portable[2 * KERN_MAX];
    const vae__kernels *k;
    uint64_t state = 34;
    size_t s, i;
    for (s = 0; s < KERN_SIZES; s++) {
        const size_t n = kern_sizes[s];
        kern_head(&state, n, head);
        ref_fill_normal(&state, eps, n, 1);
        ref_fill_normal(&state, dz, n, 1);
        ref_fill_normal(&state, before, 2 * n, 1);
        memcpy(portable, before, sizeof portable);
        kern_portable()->latent_bwd(VAE_OBJECTIVE_ELBO, n, head, eps, dz, 0, 0, portable);
        for (i = 0; i < n; i++) {
            double l = (double)head[n + i], e = (double)eps[i], d = (double)dz[i];
            double dmu = (double)before[i], dl = (double)before[n + i];
            const double size = fabs(d * 0.5 * e * exp(0.5 * ref_clamp(l, -30, 20)));
            ref_draw_bwd(1, &l, &e, &d, &dmu, &dl);
            CHECK_NEAR((double)portable[i], dmu, 6e-8 * fabs(dmu));
            CHECK_NEAR((double)portable[n + i], dl, 2.5e-7 * size + 6e-8 * fabs(dl));
        }
        for (k = NULL; (k = ref_next_isa(k));) {
            float *h = kern_copy(2 * n, head), *e = kern_copy(n, eps), *d = kern_copy(n, dz);
            float *out = kern_out(2 * n);
            memcpy(out, before, 2 * n * sizeof *out);
            k->latent_bwd(VAE_OBJECTIVE_ELBO, n, h, e, d, 0, 0, out);
            CHECK_EQ(ref_differ(2 * n, out, portable), 2 * n);
            CHECK_MARKS(out, 2 * n);
            memcpy(out, before, 2 * n * sizeof *out);
            k->latent_bwd(VAE_OBJECTIVE_ELBO, n, h, NULL, d, 0, 0, out); /* z = mu: no logvar */
            CHECK_EQ(ref_differ(n, out, portable), n);
            CHECK_EQ(ref_differ(n, out + n, before + n), n);
            kern_free(h), kern_free(e), kern_free(d), kern_free(out);
        }
    }
}

TEST(kl_matches_the_formula_and_the_portable_pass) {
    float head[2 * KERN_MAX], before[2 * KERN_MAX], portable[2 * KERN_MAX];
    const vae__kernels *k;
    uint64_t state = 35;
    size_t s, i;
    for (s = 0; s < KERN_SIZES; s++) {
        const size_t n = kern_sizes[s];
        const float scale = 0.23f;
        double want = 0, size = 0;
        float first;
        kern_head(&state, n, head);
        ref_fill_normal(&state, before, 2 * n, 1);
        memcpy(portable, before, sizeof portable);
        first = kern_portable()->kl(n, head, scale, NULL, portable);
        for (i = 0; i < n; i++) {
            double mu = (double)head[i], l = (double)head[n + i], c = ref_clamp(l, -30, 20);
            double dmu = (double)before[i], dl = (double)before[n + i];
            want += ref_kl(1, &mu, &l, (double)scale, &dmu, &dl);
            size += 0.5 * (mu * mu + fabs(expm1(c)) + fabs(c));
            CHECK_NEAR((double)portable[i], dmu, 6e-8 * fabs(dmu));
            CHECK_NEAR((double)portable[n + i], dl,
                       1.5e-7 * (double)scale * fabs(expm1(c)) + 6e-8 * fabs(dl));
        }
        CHECK_NEAR((double)first, want, (3 + 4 + (double)n / 16) * 0x1p-24 * size);
        for (k = NULL; (k = ref_next_isa(k));) {
            float *h = kern_copy(2 * n, head), *out = kern_out(2 * n);
            memcpy(out, before, 2 * n * sizeof *out);
            CHECK(ref_same(k->kl(n, h, scale, NULL, out), first));
            CHECK_EQ(ref_differ(2 * n, out, portable), 2 * n);
            CHECK_MARKS(out, 2 * n);
            CHECK(ref_same(k->kl(n, h, 0, NULL, NULL), first));
            kern_free(h), kern_free(out);
        }
    }
}

TEST(kl_is_zero_when_posterior_is_prior) {
    const vae__kernels *k;
    float head[80], grad[80];
    size_t n, i;
    for (k = NULL; (k = ref_next_isa(k));) {
        for (n = 1; n <= 40; n++) {
            memset(head, 0, sizeof head);
            memset(grad, 0, sizeof grad);
            CHECK_EQ(vae__bits_f(k->kl(n, head, 1, NULL, grad)), 0);
            for (i = 0; i < 2 * n; i++) CHECK_EQ(vae__bits_f(grad[i]), 0);
        }
    }
}

/* e^l - 1 - l is l^2 / 2: what is left of numbers of size l must be good to their last place. */
TEST(kl_keeps_its_digits_near_logvar_zero) {
    const vae__kernels *k;
    double l;
    for (k = NULL; (k = ref_next_isa(k));) {
        for (l = -0.3; l < 0.3; l += 0.00037) {
            float head[2], grad[2] = {0, 0};
            double exact, got;
            head[0] = 0, head[1] = (float)l;
            exact = (double)head[1];
            got = (double)k->kl(1, head, 1, NULL, grad);
            CHECK_NEAR(got, 0.5 * (expm1(exact) - exact), 0x1p-24 * fabs(exact));
            CHECK_NEAR((double)grad[1], 0.5 * expm1(exact), 1.3e-7 * fabs(exact));
            CHECK(got >= -0x1p-24 * fabs(exact)); /* not negative but for rounding */
        }
    }
}

TEST(logvar_counts_as_clamped_and_has_no_gradient_outside) {
    static const float values[] = {-30, 20, -29.99f, 19.99f, /* inside, the ends included */
                                   -30.001f, -31, -1e30f, 20.001f, 21, 88, 100, 1e30f, FLT_MAX};
    const vae__kernels *k;
    size_t i;
    int side;
    for (k = NULL; (k = ref_next_isa(k));) {
        for (i = 0; i < sizeof values / sizeof values[0] + 2; i++) {
            for (side = 0; side < 2; side++) {
                float head[2], eps = 0.75f, dz = 2, grad[2], z;
                const float raw = i < sizeof values / sizeof values[0] ? values[i]
                                  : vae__float_of(i & 1 ? 0x7f800000u : 0xff800000u);
                const double l = ref_clamp((double)raw, -30, 20);
                head[0] = 0.5f, head[1] = raw;
                k->latent_fwd(1, head, &eps, &z);
                CHECK_NEAR((double)z, 0.5 + 0.75 * exp(0.5 * l), 2e-7 * (0.5 + exp(0.5 * l)));
                grad[0] = 7, grad[1] = -3;
                if (side) k->latent_bwd(VAE_OBJECTIVE_ELBO, 1, head, &eps, &dz, 0, 0, grad);
                else k->kl(1, head, 2, NULL, grad);
                CHECK_NEAR((double)grad[0], side ? 9 : 8, 0);
                if (i < 4)
                    CHECK_NEAR((double)grad[1], -3 + (side ? 0.75 * exp(0.5 * l) : expm1(l)),
                               3e-7 * (3 + exp(side ? 0.5 * l : l)));
                else CHECK_NEAR((double)grad[1], -3, 0);
                CHECK_NEAR((double)k->kl(1, head, 0, NULL, NULL), 0.5 * (0.25 + (expm1(l) - l)),
                           3e-7 * (fabs(l) + exp(l)));
            }
        }
    }
}

TEST(a_nan_among_the_latents_stays_one) {
    const vae__kernels *k;
    const float not_a_number = vae__float_of(0x7fc00000u);
    int n, at;
    for (k = NULL; (k = ref_next_isa(k));) {
        for (n = 1; n <= 20; n++) {
            for (at = 0; at < 2 * n; at++) {
                float head[40] = {0}, eps[20], dz[20], grad[40] = {0}, z[20];
                int i;
                for (i = 0; i < n; i++) eps[i] = dz[i] = 1;
                head[at] = not_a_number;
                CHECK(ref_is_nan(k->kl((size_t)n, head, 1, NULL, grad)));
                for (i = 0; i < 2 * n; i++) CHECK_EQ(ref_is_nan(grad[i]), i == at);
                k->latent_fwd((size_t)n, head, eps, z);
                for (i = 0; i < n; i++) CHECK_EQ(ref_is_nan(z[i]), i == at % n);
                memset(grad, 0, sizeof grad);
                k->latent_bwd(VAE_OBJECTIVE_ELBO, (size_t)n, head, eps, dz, 0, 0, grad);
                for (i = 0; i < 2 * n; i++) CHECK_EQ(ref_is_nan(grad[i]), i == at && at >= n);
            }
        }
    }
}

/* ---- activations ---- */

TEST(slopes_match_the_derivatives) {
    enum { N = 4001 };
    static float x[N], y[N], dy[N], portable[N];
    const vae__kernels *k;
    uint64_t state = 36;
    size_t s, i;
    int act;
    for (i = 0; i < N; i++) x[i] = (float)(((double)i - 2000) / 125); /* -16 .. 16 */
    ref_fill_normal(&state, dy, N, 1);
    for (act = 0; act < VAE_ACT_COUNT; act++) {
        const int keeps_input = act == VAE_ACT_SILU || act == VAE_ACT_GELU;
        const float *kept = keeps_input ? x : y;
        kern_portable()->map(act, N, x, y);
        memcpy(portable, dy, sizeof portable);
        kern_portable()->act_bwd(act, N, kept, portable);
        for (i = 0; i < N; i++) {
            /* from an output that was rounded (half an ulp of at most 16), and a few roundings */
            const double slope = ref_act_slope((vae_act)act, (double)x[i]);
            CHECK_NEAR((double)portable[i], slope * (double)dy[i], 5e-7 * fabs((double)dy[i]));
            if (act == VAE_ACT_RELU || act == VAE_ACT_LEAKY_RELU) { /* a product, -0 included */
                volatile float factor = (float)slope, product = factor * dy[i];
                CHECK(ref_same(portable[i], product));
            }
        }
        for (s = 0; s < KERN_SIZES; s++) {
            const size_t n = kern_sizes[s], at = ref_pick(&state, N - n);
            for (k = NULL; (k = ref_next_isa(k));) {
                float *p = kern_copy(n, kept + at), *out = kern_out(n);
                memcpy(out, dy + at, n * sizeof *out);
                k->act_bwd(act, n, p, out);
                CHECK_EQ(ref_differ(n, out, portable + at), n);
                CHECK_MARKS(out, n);
                kern_free(p), kern_free(out);
            }
        }
        for (k = NULL; (k = ref_next_isa(k));) {
            float *out = kern_copy(N, dy);
            k->act_bwd(act, N, kept, out);
            CHECK_EQ(ref_differ(N, out, portable), N);
            kern_free(out);
        }
    }
}

TEST(slopes_at_zero_and_far_out_are_those_of_the_limit) {
    static const float xs[] = {0, -0.0f, 50, -50, 1e30f, -1e30f};
    const vae__kernels *k;
    size_t i;
    int act;
    for (k = NULL; (k = ref_next_isa(k));) {
        for (act = 0; act < VAE_ACT_COUNT; act++) {
            for (i = 0; i < sizeof xs / sizeof xs[0]; i++) {
                const double limit = xs[i] > 100 ? 50 : xs[i] < -100 ? -50 : (double)xs[i];
                float kept = xs[i], d = 1;
                if (act != VAE_ACT_SILU && act != VAE_ACT_GELU) k->map(act, 1, &kept, &kept);
                k->act_bwd(act, 1, &kept, &d);
                CHECK_NEAR((double)d, ref_act_slope((vae_act)act, limit), 2e-7);
            }
        }
    }
}

/* ---- sums over rows, optimisers ---- */

TEST(bias_gradients_are_chains_over_the_rows) {
    static const size_t heights[] = {0, 1, 2, 3, 5, 20, 128};
    static float dy[128 * KERN_MAX];
    const vae__kernels *k;
    uint64_t state = 37;
    size_t h, s, i, j;
    ref_fill_normal(&state, dy, 128 * KERN_MAX, 1);
    for (h = 0; h < sizeof heights / sizeof heights[0]; h++) {
        for (s = 0; s < KERN_SIZES; s += h == 6 ? 9 : 1) {
            const size_t n = kern_sizes[s], rows = heights[h];
            float want[KERN_MAX], ones[128];
            for (i = 0; i < 128; i++) ones[i] = 1;
            for (j = 0; j < n; j++) {
                volatile float sum = 0;
                for (i = 0; i < rows; i++) sum = sum + dy[i * n + j];
                want[j] = sum;
            }
            for (k = NULL; (k = ref_next_isa(k));) {
                float *d = kern_copy(rows * n, dy), *out = kern_out(n), *other = kern_out(n);
                k->bias_bwd(rows, n, d, out);
                CHECK_EQ(ref_differ(n, out, want), n);
                CHECK_MARKS(out, n);
                /* a weight gradient whose input is 1 */
                ref_gemm(k->isa, VAE__GEMM_TRANS_A, 1, n, rows, ones, 1, d, n, NULL,
                         VAE_ACT_IDENTITY, other, n);
                CHECK_EQ(ref_differ(n, out, other), n);
                kern_free(d), kern_free(out), kern_free(other);
            }
        }
    }
    for (k = NULL; (k = ref_next_isa(k));) {
        float minus[2], out[1];
        minus[0] = minus[1] = vae__float_of(0x80000000u);
        k->bias_bwd(2, 1, minus, out);
        CHECK_EQ(vae__bits_f(out[0]), 0);
    }
}

/* One step of a kernel on four arrays, from the same start on every instruction set. */
typedef struct kern_step {
    float w[KERN_MAX], g[KERN_MAX], m[KERN_MAX], v[KERN_MAX];
} kern_step;
static kern_step kern_start, kern_portable_end;

static void kern_step_start(uint64_t *state) {
    size_t i;
    ref_fill_normal(state, kern_start.w, KERN_MAX, 1);
    ref_fill_normal(state, kern_start.g, KERN_MAX, 0.1);
    ref_fill_normal(state, kern_start.m, KERN_MAX, 0.1);
    for (i = 0; i < KERN_MAX; i++) {
        kern_start.v[i] = (float)(0.01 * pow(ref_normal(state), 2));
        if (i % 19 == 5) kern_start.g[i] = kern_start.m[i] = kern_start.v[i] = 0;
        if (i % 19 == 6) kern_start.g[i] = (float)(ref_normal(state) * 1e-25); /* squares to 0 */
    }
}

TEST(adam_matches_the_formula_and_the_portable_pass) {
    static const double settings[][3] = {
        /* weight decay, decoupled, gscale */
        {0, 0, 1}, {0.1, 0, 1}, {0.1, 1, 1}, {0, 0, 0.125}, {0.1, 0, 0.3}, {0.1, 1, 0.3}};
    const double lr = 2e-3, b1 = 0.9, b2 = 0.999, eps = 1e-8, t = 7;
    const vae__kernels *k;
    uint64_t state = 38;
    size_t c, i, s;
    for (c = 0; c < sizeof settings / sizeof settings[0]; c++) {
        const double wd = settings[c][0], gscale = settings[c][2];
        const int decoupled = settings[c][1] > 0;
        vae__adam_step a;
        kern_step *e = &kern_portable_end;
        a.gscale = (float)gscale;
        a.b1 = (float)b1, a.one_minus_b1 = (float)(1 - b1);
        a.b2 = (float)b2, a.one_minus_b2 = (float)(1 - b2);
        a.rate = (float)(lr / (1 - pow(b1, t))), a.inv_bias = (float)(1 / sqrt(1 - pow(b2, t)));
        a.eps = (float)eps, a.decay = decoupled ? (float)(1 - lr * wd) : 1;
        a.l2 = decoupled ? 0 : (float)wd;
        kern_step_start(&state);
        *e = kern_start;
        CHECK(kern_portable()->adam(KERN_MAX, e->w, e->g, e->m, e->v, &a));
        CHECK_EQ(ref_differ(KERN_MAX, e->g, kern_start.g), KERN_MAX);
        for (i = 0; i < KERN_MAX; i++) {
            double w = (double)kern_start.w[i], m = (double)kern_start.m[i];
            double v = (double)kern_start.v[i], g = gscale * (double)kern_start.g[i], step, full;
            const double old = w;
            full = fabs(g) + (decoupled ? 0 : wd * fabs(w));
            ref_adam(1, &w, &g, &m, &v, t, lr, b1, b2, eps, wd, decoupled);
            step = fabs(w - old);
            /* constants and products are rounded once each: a few 2^-24 of every part */
            CHECK_NEAR((double)e->m[i], m,
                       3e-7 * (0.9 * fabs((double)kern_start.m[i]) + 0.1 * full));
            CHECK_NEAR((double)e->v[i], v,
                       3e-7 * ((double)kern_start.v[i] + 1e-3 * full * full) + 1e-45);
            CHECK_NEAR((double)e->w[i], w, 1.3e-7 * fabs(w) + 2e-6 * (step + lr));
        }
        for (k = NULL; (k = ref_next_isa(k));) {
            for (s = 0; s < KERN_SIZES; s++) {
                const size_t n = kern_sizes[s];
                float *w = kern_out(n), *m = kern_out(n), *v = kern_out(n);
                float *g = kern_copy(n, kern_start.g);
                memcpy(w, kern_start.w, n * sizeof *w);
                memcpy(m, kern_start.m, n * sizeof *m);
                memcpy(v, kern_start.v, n * sizeof *v);
                CHECK(k->adam(n, w, g, m, v, &a));
                CHECK_EQ(ref_differ(n, w, e->w), n);
                CHECK_EQ(ref_differ(n, m, e->m), n);
                CHECK_EQ(ref_differ(n, v, e->v), n);
                CHECK_MARKS(w, n);
                CHECK_MARKS(m, n);
                CHECK_MARKS(v, n);
                kern_free(w), kern_free(m), kern_free(v), kern_free(g);
            }
        }
    }
}

TEST(sgd_matches_the_formula_and_the_portable_pass) {
    static const double settings[][3] = {
        /* momentum, decay, gscale */
        {0, 0, 1}, {0.9, 0, 1}, {0, 0.01, 1}, {0.9, 0.01, 0.25}};
    const double lr = 0.05;
    const vae__kernels *k;
    uint64_t state = 39;
    size_t c, i, s;
    for (c = 0; c < sizeof settings / sizeof settings[0]; c++) {
        const double momentum = settings[c][0], decay = settings[c][1], gscale = settings[c][2];
        kern_step *e = &kern_portable_end;
        kern_step_start(&state);
        *e = kern_start;
        CHECK(kern_portable()->sgd(KERN_MAX, e->w, e->g, e->m, (float)lr, (float)momentum,
                                   (float)decay, (float)gscale));
        for (i = 0; i < KERN_MAX; i++) {
            double w = (double)kern_start.w[i], m = (double)kern_start.m[i], size;
            double g = gscale * (double)kern_start.g[i];
            size = fabs(momentum * m) + fabs(g) + fabs(decay * w);
            ref_sgd(1, &w, &g, &m, lr, momentum, decay);
            CHECK_NEAR((double)e->m[i], m, 3e-7 * size);
            CHECK_NEAR((double)e->w[i], w, 6e-8 * fabs(w) + 5e-7 * lr * size);
        }
        for (k = NULL; (k = ref_next_isa(k));) {
            for (s = 0; s < KERN_SIZES; s++) {
                const size_t n = kern_sizes[s];
                float *w = kern_out(n), *m = kern_out(n), *g = kern_copy(n, kern_start.g);
                memcpy(w, kern_start.w, n * sizeof *w);
                memcpy(m, kern_start.m, n * sizeof *m);
                CHECK(k->sgd(n, w, g, m, (float)lr, (float)momentum, (float)decay,
                             (float)gscale));
                CHECK_EQ(ref_differ(n, w, e->w), n);
                CHECK_EQ(ref_differ(n, m, e->m), n);
                CHECK_MARKS(w, n);
                CHECK_MARKS(m, n);
                kern_free(w), kern_free(m), kern_free(g);
            }
        }
    }
}

/* One gradient that is not finite, at every place of rows of many sizes. With eps = 0 the lanes
 * behind the last weight divide 0 by 0, which is nobody's concern. */
TEST(updates_tell_whether_every_weight_is_finite) {
    static const float wrong[] = {INFINITY, -INFINITY, NAN};
    const vae__kernels *k;
    vae__adam_step a = {1, 0.9f, 0.1f, 0.999f, 0.001f, 1e-3f, 1, 0, 1, 0};
    size_t n, i, c;
    for (k = NULL; (k = ref_next_isa(k));) {
        for (n = 1; n < 40; n++) {
            for (i = 0; i <= n; i++) { /* i = n: all are good */
                float w[2][40], g[40], m[2][40] = {{0}}, v[40] = {0};
                for (c = 0; c < 40; c++) w[0][c] = w[1][c] = 1, g[c] = 2;
                if (i < n) g[i] = wrong[(n + i) % 3];
                else w[0][n] = w[1][n] = g[n] = NAN; /* beyond the last */
                CHECK_EQ(k->adam(n, w[0], g, m[0], v, &a), i == n);
                CHECK_EQ(k->sgd(n, w[1], g, m[1], 0.1f, 0.9f, 0, 1), i == n);
            }
        }
    }
}

TEST(the_running_average_matches_the_formula_and_the_portable_pass) {
    static const float decays[] = {0.5f, 0.9f, 0.999f, 0.9999f};
    const vae__kernels *k;
    uint64_t state = 40;
    size_t c, i, s;
    for (c = 0; c < sizeof decays / sizeof decays[0]; c++) {
        kern_step *e = &kern_portable_end;
        kern_step_start(&state);
        *e = kern_start;
        kern_portable()->ema(KERN_MAX, e->w, e->m, decays[c]);
        CHECK_EQ(ref_differ(KERN_MAX, e->w, kern_start.w), KERN_MAX);
        for (i = 0; i < KERN_MAX; i++) {
            double a = (double)kern_start.m[i], w = (double)kern_start.w[i];
            const double size = fabs(a) + (1 - (double)decays[c]) * fabs(w);
            ref_ema(1, &w, &a, (double)decays[c]);
            CHECK_NEAR((double)e->m[i], a, 1.3e-7 * size);
        }
        for (k = NULL; (k = ref_next_isa(k));) {
            for (s = 0; s < KERN_SIZES; s++) {
                const size_t n = kern_sizes[s];
                float *a = kern_out(n), *w = kern_copy(n, kern_start.w);
                memcpy(a, kern_start.m, n * sizeof *a);
                k->ema(n, w, a, decays[c]);
                CHECK_EQ(ref_differ(n, a, e->m), n);
                CHECK_MARKS(a, n);
                kern_free(a), kern_free(w);
            }
        }
    }
}

/* ---- checks over whole arrays ---- */

TEST(sum_of_squares_is_exact_in_sixteen_doubles) {
    static float x[KERN_MAX];
    const vae__kernels *k;
    uint64_t state = 41;
    size_t s, i;
    for (i = 0; i < KERN_MAX; i++)
        x[i] = (float)ldexp(ref_uniform(&state, -1, 1), (int)ref_pick(&state, 200) - 100);
    for (s = 0; s < KERN_SIZES; s++) {
        const size_t n = kern_sizes[s];
        double parts[16] = {0}, plain = 0;
        int half, q;
        for (i = 0; i < n; i++) {
            volatile double sum = parts[i % 16] + (double)x[i] * (double)x[i];
            parts[i % 16] = sum;
            plain += (double)x[i] * (double)x[i];
        }
        for (half = 8; half; half /= 2) {
            for (q = 0; q < half; q++) {
                volatile double sum = parts[q] + parts[q + half];
                parts[q] = sum;
            }
        }
        CHECK_NEAR(parts[0], plain, 1e-13 * plain);
        for (k = NULL; (k = ref_next_isa(k));) {
            float *p = kern_copy(n, x);
            CHECK(vae__bits_d(k->sum_squares(n, p)) == vae__bits_d(parts[0]));
            kern_free(p);
        }
    }
    for (k = NULL; (k = ref_next_isa(k));) {
        x[0] = FLT_MAX, x[1] = FLT_MAX; /* would be infinite in float */
        CHECK(vae__finite_d(k->sum_squares(2, x)));
        CHECK(k->sum_squares(0, x) == 0);
    }
}

TEST(within_finds_a_nan_or_infinity_at_every_place) {
    static const uint32_t bad[] = {0x7f800000u, 0xff800000u, 0x7fc00000u, 0xffc00000u, 0x7f800001u,
                                   0xffffffffu};
    static const uint32_t good[] = {0, 0x80000000u, 1, 0x80000001u, 0x7f7fffffu, 0xff7fffffu,
                                    0x3f800000u};
    const vae__kernels *k;
    size_t n, at, i;
    for (k = NULL; (k = ref_next_isa(k));) {
        CHECK(k->within(0, FLT_MAX, NULL));
        for (n = 1; n <= 40; n++) {
            float *x = kern_room(n), more[60];
            for (i = 0; i < n; i++) x[i] = vae__float_of(good[i % (sizeof good / sizeof good[0])]);
            CHECK(k->within(n, FLT_MAX, x) == 1);
            for (at = 0; at < n; at++) {
                const float before = x[at];
                for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
                    memcpy(&x[at], &bad[i], 4);
                    CHECK(k->within(n, FLT_MAX, x) == 0);
                }
                x[at] = before;
            }
            memcpy(more, x, n * sizeof *x);
            for (i = n; i < 60; i++) memcpy(&more[i], &bad[2], 4); /* beyond n: not asked */
            CHECK(k->within(n, FLT_MAX, more) == 1);
            kern_free(x);
        }
    }
}

TEST(pixels_are_checked_and_counted_exactly) {
    static const float good[] = {0, -0.0f, 1, 0.5f, 1e-45f, 0.99999994f};
    float bad[] = {-1e-45f, 1.0000001f, 2, -1, 0, 0, 0};
    const vae__kernels *k;
    size_t n, i, at;
    bad[4] = vae__float_of(0x7fc00000), bad[5] = vae__float_of(0xff800000);
    bad[6] = vae__float_of(0x7f800000);
    for (k = NULL; (k = ref_next_isa(k));) {
        for (n = 0; n < 70; n++) {
            float x[70];
            size_t count = 0;
            for (i = 0; i < n; i++) x[i] = good[i % 6], count += i % 6 > 1;
            CHECK(k->in_unit(n, x));
            CHECK_EQ(k->nonzeros(n, x), count);
            for (at = 0; at < n; at += 3) {
                for (i = 0; i < 7; i++) {
                    x[at] = bad[i];
                    CHECK(!k->in_unit(n, x));
                    CHECK_EQ(k->nonzeros(n, x), count + (at % 6 < 2));
                }
                x[at] = good[at % 6];
            }
        }
    }
}

/* One log scale for all numbers is the same as that one beside each of them. */
TEST(a_shared_scale_is_the_scale_of_every_number) {
    enum { N = 537 };
    float out[N], both[2 * N], x[N], d[N], dboth[2 * N], u[N], a[N], b[N];
    const vae__kernels *k;
    uint64_t state = 77;
    size_t i;
    for (k = NULL; (k = ref_next_isa(k));) {
        const float shared[] = {-8, -4.25f, -1, 0, 3};
        size_t q;
        ref_fill_uniform(&state, x, N, 0, 1), ref_fill_uniform(&state, out, N, -0.2, 1.2);
        ref_fill_uniform(&state, u, N, 0, 1);
        for (q = 0; q < 5; q++) {
            float dshared = 9;
            double sum = 0, size = 0;
            for (i = 0; i < N; i++) { /* three channels */
                both[i / 3 * 6 + i % 3] = out[i];
                both[i / 3 * 6 + 3 + i % 3] = shared[q];
            }
            CHECK(ref_same(k->density(VAE__DENSITY_LOGISTIC, N, 3, out, shared[q], x, 0.5f, d,
                                      &dshared),
                           kern_call(k, VAE__DENSITY_LOGISTIC_PIXEL, N, 3, both, x, 0.5f, dboth)));
            for (i = 0; i < N; i++) {
                CHECK(ref_same(d[i], dboth[i / 3 * 6 + i % 3]));
                sum += (double)dboth[i / 3 * 6 + 3 + i % 3];
                size += fabs((double)dboth[i / 3 * 6 + 3 + i % 3]);
            }
            CHECK_NEAR((double)dshared, sum, 1e-6 * (1 + size));
            k->observe(VAE__DENSITY_LOGISTIC, N, 3, 2, shared[q], out, u, a);
            k->observe(VAE__DENSITY_LOGISTIC_PIXEL, N, 3, 2, 1, both, u, b);
            CHECK_EQ(ref_differ(N, a, b), N);
            k->observe(VAE__DENSITY_LOGISTIC, N, 3, 2, shared[q], out, NULL, a);
            k->observe(VAE__DENSITY_LOGISTIC_PIXEL, N, 3, 2, 1, both, NULL, b);
            CHECK_EQ(ref_differ(N, a, b), N);
        }
    }
}

/* ---- the kernels of importance weights, free bits and sparse codes ---- */

TEST(the_sum_of_bernoulli_alone_is_near_the_formula_and_the_portable_pass) {
    static float logits[KERN_MAX + 16], x[KERN_MAX + 16];
    const vae__kernels *k;
    uint64_t state = 47;
    size_t s, i, way;
    for (way = 0; way < 4; way++) {
        for (i = 0; i < KERN_MAX; i++) {
            logits[i] = (float)(ref_normal(&state) * (way == 0 ? 3 : way == 1 ? 1e-3 : 60));
            x[i] = (float)(i % 3 == 0 ? 0 : i % 3 == 1 ? 1 : ref_uniform(&state, 0, 1));
            if (way == 3) logits[i] = i % 2 ? 0.0f : -0.0f; /* products of 2 to the 64th */
        }
        for (s = 0; s < KERN_SIZES; s++) {
            const size_t n = kern_sizes[s];
            const float first = kern_portable()->bernoulli_sum(n, logits, x);
            double want = 0, size = 0;
            for (i = 0; i < n; i++) {
                const double a = (double)logits[i], t = (double)x[i];
                want += t * ref_softplus(-a) + (1 - t) * ref_softplus(a);
                size += fabs(a) + log(2);
            }
            /* a factor of the product is good to some 1e-7, and so is its share of the log; the
             * sum's 16 parts round n / 16 times */
            CHECK_NEAR((double)first, want,
                       1.5e-7 * (double)n + (4 + (double)n / 16) * 6e-8 * size);
            if (way < 2) CHECK_NEAR((double)first, want, 1e-4); /* as is promised of an image */
            CHECK_NEAR((double)first, (double)kern_portable()->bernoulli(n, logits, x, 0, NULL),
                       2e-7 * (double)n + (8 + (double)n / 8) * 6e-8 * size);
            for (k = NULL; (k = ref_next_isa(k));) {
                float *a = kern_copy(n, logits), *t = kern_copy(n, x);
                CHECK(ref_same(k->bernoulli_sum(n, a, t), first));
                kern_free(a), kern_free(t);
            }
        }
    }
}

/* Longer than 64 numbers in each of the 16 parts: the product starts anew. */
TEST(the_sum_of_bernoulli_alone_does_not_overflow_on_large_images) {
    enum { N = 5000 };
    float *a = ref_floats(N), *x = ref_floats(N);
    const vae__kernels *k;
    size_t i;
    for (i = 0; i < N; i++) x[i] = (float)(i % 2);
    for (k = NULL; (k = ref_next_isa(k));)
        CHECK_NEAR((double)k->bernoulli_sum(N, a, x), N * log(2), 2e-6 * N);
    free(a), free(x);
}

TEST(extreme_logits_of_the_sum_of_bernoulli_are_linear_and_a_nan_stays_one) {
    static const float far[] = {81, 100, 1e4f, 1e30f, 3e38f};
    const vae__kernels *k;
    size_t n, at, i;
    for (k = NULL; (k = ref_next_isa(k));) {
        for (i = 0; i < 5; i++) {
            float a[2], x[2] = {1, 0};
            a[0] = far[i], a[1] = -far[i]; /* right with certainty: nothing but 1e-35 is left */
            CHECK_NEAR((double)k->bernoulli_sum(2, a, x), 0, 1e-30);
            x[0] = 0;
            CHECK_NEAR((double)k->bernoulli_sum(2, a, x), (double)far[i], 1e-7 * (double)far[i]);
            CHECK(ref_same(k->bernoulli_sum(2, a, x), k->bernoulli(2, a, x, 0, NULL)));
        }
        for (n = 1; n < 35; n++)
            for (at = 0; at < n; at++) {
                float a[35] = {0}, x[35] = {0};
                a[at] = vae__float_of(0x7fc00000u);
                CHECK(ref_is_nan(k->bernoulli_sum(n, a, x)));
            }
    }
}

TEST(latents_alone_and_together_have_one_kl) {
    float head[2 * KERN_MAX], portable[KERN_MAX];
    const vae__kernels *k;
    uint64_t state = 48;
    size_t s, i;
    for (s = 0; s < KERN_SIZES; s++) {
        const size_t n = kern_sizes[s];
        kern_head(&state, n, head);
        kern_portable()->kl_terms(n, head, portable);
        for (i = 0; i < n; i++) {
            const double mu = (double)head[i], l = ref_clamp((double)head[n + i], -30, 20);
            const double size = 0.5 * (mu * mu + fabs(expm1(l)) + fabs(l));
            float one[2], alone;
            one[0] = head[i], one[1] = head[n + i];
            /* expm1 to 2 ulp, three roundings */
            CHECK_NEAR((double)portable[i], 0.5 * (mu * mu + expm1(l) - l), 3e-7 * size);
            alone = kern_portable()->kl(1, one, 0, NULL, NULL);
            CHECK_NEAR((double)alone, (double)portable[i], 2e-7 * size);
        }
        for (k = NULL; (k = ref_next_isa(k));) {
            float *h = kern_copy(2 * n, head), *out = kern_out(n);
            k->kl_terms(n, h, out);
            CHECK_EQ(ref_differ(n, out, portable), n);
            CHECK_MARKS(out, n);
            h[n - 1] = vae__float_of(0x7fc00000u); /* the last mu */
            k->kl_terms(n, h, out);
            CHECK_EQ(ref_differ(n, out, portable), n - 1);
            CHECK(ref_is_nan(out[n - 1]));
            kern_free(h), kern_free(out);
        }
    }
}

TEST(kl_pushes_latents_that_are_kept_alone) {
    float head[2 * KERN_MAX], before[2 * KERN_MAX], all[2 * KERN_MAX], keep[KERN_MAX];
    const vae__kernels *k;
    uint64_t state = 49;
    size_t s, i;
    for (s = 0; s < KERN_SIZES; s++) {
        const size_t n = kern_sizes[s];
        float value;
        kern_head(&state, n, head);
        ref_fill_normal(&state, before, 2 * n, 1);
        for (i = 0; i < n; i++) keep[i] = (float)(ref_next(&state) % 3 > 0);
        memcpy(all, before, sizeof all);
        value = kern_portable()->kl(n, head, 0.23f, NULL, all);
        for (k = NULL; (k = ref_next_isa(k));) {
            float *h = kern_copy(2 * n, head), *w = kern_copy(n, keep), *out = kern_out(2 * n);
            memcpy(out, before, 2 * n * sizeof *out);
            CHECK(ref_same(k->kl(n, h, 0.23f, w, out), value)); /* the value is of all of them */
            for (i = 0; i < 2 * n; i++)
                CHECK(ref_same(out[i], keep[i % n] > 0 ? all[i] : before[i]));
            CHECK_MARKS(out, 2 * n);
            kern_free(h), kern_free(w), kern_free(out);
        }
    }
}

TEST(the_ratio_of_densities_matches_the_formula_and_the_portable_pass) {
    float head[2 * KERN_MAX], eps[KERN_MAX], at[KERN_MAX];
    const vae__kernels *k;
    uint64_t state = 50;
    size_t s, i;
    for (s = 0; s < KERN_SIZES; s++) {
        const size_t n = kern_sizes[s];
        double want = 0, size = 0;
        float first;
        kern_head(&state, n, head);
        ref_fill_normal(&state, eps, n, 1);
        kern_portable()->latent_fwd(n, head, eps, at);
        first = kern_portable()->ratio(n, head, eps, at);
        for (i = 0; i < n; i++) {
            const double l = ref_clamp((double)head[n + i], -30, 20), e = (double)eps[i];
            const double z = (double)head[i] + exp(0.5 * l) * e;
            const double ends = fabs((double)head[i]) + exp(0.5 * l) * fabs(e);
            want += 0.5 * (z * z - e * e - l);
            size += 0.5 * (z * z + 2 * fabs(z) * ends + e * e + fabs(l));
        }
        CHECK_NEAR((double)first, want, (5 + (double)n / 16) * 6e-8 * size);
        for (k = NULL; (k = ref_next_isa(k));) {
            float *h = kern_copy(2 * n, head), *e = kern_copy(n, eps), *z = kern_copy(n, at);
            CHECK(ref_same(k->ratio(n, h, e, z), first));
            h[n + (n - 1) / 2] = vae__float_of(0x7fc00000u);
            CHECK(ref_is_nan(k->ratio(n, h, e, z)));
            memcpy(h, head, 2 * n * sizeof *h);
            e[n - 1] = vae__float_of(0x7fc00000u);
            CHECK(ref_is_nan(k->ratio(n, h, e, z)));
            e[n - 1] = eps[n - 1], z[0] = vae__float_of(0x7fc00000u);
            CHECK(ref_is_nan(k->ratio(n, h, e, z)));
            kern_free(h), kern_free(e), kern_free(z);
        }
    }
}

TEST(absolute_values_are_summed_and_zero_is_not_pulled) {
    float x[KERN_MAX], before[KERN_MAX], portable[KERN_MAX];
    const float scale = 0.37f;
    const vae__kernels *k;
    uint64_t state = 51;
    size_t s, i;
    for (s = 0; s < KERN_SIZES; s++) {
        const size_t n = kern_sizes[s];
        double want = 0;
        float first;
        ref_fill_normal(&state, x, n, 1);
        ref_fill_normal(&state, before, n, 1);
        for (i = 0; i < n; i++) {
            if (i % 5 == 1) x[i] = i % 2 ? 0.0f : -0.0f;
            if (i % 7 == 3) x[i] = i % 2 ? 1e-44f : -1e-44f; /* a subnormal has a sign */
            want += fabs((double)x[i]);
        }
        memcpy(portable, before, sizeof portable);
        first = kern_portable()->sum_abs(n, x, scale, portable);
        CHECK_NEAR((double)first, want, (4 + (double)n / 16) * 6e-8 * want);
        for (i = 0; i < n; i++) {
            volatile float up = before[i] + scale, down = before[i] - scale;
            CHECK(ref_same(portable[i], x[i] > 0 ? up : x[i] < 0 ? down : before[i]));
        }
        for (k = NULL; (k = ref_next_isa(k));) {
            float *p = kern_copy(n, x), *out = kern_out(n);
            memcpy(out, before, n * sizeof *out);
            CHECK(ref_same(k->sum_abs(n, p, scale, out), first));
            CHECK_EQ(ref_differ(n, out, portable), n);
            CHECK_MARKS(out, n);
            CHECK(ref_same(k->sum_abs(n, p, scale, NULL), first));
            p[n - 1] = vae__float_of(0x7fc00000u);
            CHECK(ref_is_nan(k->sum_abs(n, p, scale, NULL)));
            kern_free(p), kern_free(out);
        }
    }
}

/* One draw's share of the head's gradient: through z, d = dz + pull (z - prior's and posterior's
 * pull), and for iwae what q(z|x) as a density has of its own: log q is -eps^2 / 2 - logvar / 2. */
TEST(weighted_gradients_of_latents_match_the_formulas_and_the_portable_pass) {
    static const int objectives[] = {VAE_OBJECTIVE_IWAE, VAE_OBJECTIVE_DREG};
    float head[2 * KERN_MAX], eps[KERN_MAX], dz[KERN_MAX], before[2 * KERN_MAX];
    float portable[2 * KERN_MAX];
    const float pull = 0.21f, weight = 0.6f;
    const vae__kernels *k;
    uint64_t state = 52;
    size_t s, i, way;
    for (way = 0; way < 2; way++) {
        for (s = 0; s < KERN_SIZES; s++) {
            const size_t n = kern_sizes[s];
            const int objective = objectives[way];
            kern_head(&state, n, head);
            ref_fill_normal(&state, eps, n, 1);
            ref_fill_normal(&state, dz, n, 1);
            ref_fill_normal(&state, before, 2 * n, 1);
            memcpy(portable, before, sizeof portable);
            kern_portable()->latent_bwd(objective, n, head, eps, dz, pull, weight, portable);
            for (i = 0; i < n; i++) {
                const double raw = (double)head[n + i], l = ref_clamp(raw, -30, 20);
                const double e = (double)eps[i], p = (double)pull, sigma = exp(0.5 * l);
                const double z = (double)head[i] + sigma * e;
                const double own = way ? e / sigma : 0;
                const double f = way ? (double)weight : 1;
                const double d = f * ((double)dz[i] + p * (z - own));
                const double size = f * (fabs((double)dz[i]) + p * (fabs((double)head[i]) +
                                                                    sigma * fabs(e) + fabs(own)));
                const double slope = l == raw ? 0.5 * sigma * e : 0;
                const double rest = l == raw && !way ? 0.5 * p : 0;
                CHECK_NEAR((double)portable[i], (double)before[i] + d,
                           4e-7 * size + 6e-8 * fabs((double)before[i]));
                CHECK_NEAR((double)portable[n + i], (double)before[n + i] + slope * d - rest,
                           6e-7 * fabs(slope) * size + 1.3e-7 * (fabs((double)before[n + i]) + 1));
            }
            for (k = NULL; (k = ref_next_isa(k));) {
                float *h = kern_copy(2 * n, head), *e = kern_copy(n, eps), *d = kern_copy(n, dz);
                float *out = kern_out(2 * n);
                memcpy(out, before, 2 * n * sizeof *out);
                k->latent_bwd(objective, n, h, e, d, pull, weight, out);
                CHECK_EQ(ref_differ(2 * n, out, portable), 2 * n);
                CHECK_MARKS(out, 2 * n);
                d[n - 1] = vae__float_of(0x7fc00000u);
                memcpy(out, before, 2 * n * sizeof *out);
                k->latent_bwd(objective, n, h, e, d, pull, weight, out);
                CHECK_EQ(ref_differ(n, out, portable), n - 1);
                CHECK(ref_is_nan(out[n - 1]) && ref_is_nan(out[2 * n - 1]));
                kern_free(h), kern_free(e), kern_free(d), kern_free(out);
            }
        }
    }
}

TESTS(kernels) {
    RUN(a_shared_scale_is_the_scale_of_every_number);
    vae__fpenv env;
    vae__fp_enter(&env); /* see reference.h */
    RUN(pixels_are_checked_and_counted_exactly);
    RUN(bernoulli_matches_the_formula_and_the_portable_pass);
    RUN(bernoulli_is_exact_where_logits_are_extreme);
    RUN(gaussian_sums_squares_in_sixteen_parts);
    RUN(densities_match_the_formulas_on_grids);
    RUN(densities_add_up_numbers_wherever_they_lie);
    RUN(categorical_matches_the_formula_and_the_portable_pass);
    RUN(levels_of_a_density_sum_to_one);
    RUN(densities_of_real_numbers_integrate_to_one);
    RUN(a_nan_among_the_parameters_of_a_density_stays_one);
    RUN(heads_give_the_log_variance_of_their_deviation);
    RUN(latents_are_mu_plus_sigma_eps);
    RUN(gradients_of_latents_are_added_to_those_of_the_head);
    RUN(kl_matches_the_formula_and_the_portable_pass);
    RUN(kl_is_zero_when_posterior_is_prior);
    RUN(kl_keeps_its_digits_near_logvar_zero);
    RUN(logvar_counts_as_clamped_and_has_no_gradient_outside);
    RUN(a_nan_among_the_latents_stays_one);
    RUN(slopes_match_the_derivatives);
    RUN(slopes_at_zero_and_far_out_are_those_of_the_limit);
    RUN(bias_gradients_are_chains_over_the_rows);
    RUN(adam_matches_the_formula_and_the_portable_pass);
    RUN(sgd_matches_the_formula_and_the_portable_pass);
    RUN(updates_tell_whether_every_weight_is_finite);
    RUN(the_running_average_matches_the_formula_and_the_portable_pass);
    RUN(sum_of_squares_is_exact_in_sixteen_doubles);
    RUN(within_finds_a_nan_or_infinity_at_every_place);
    RUN(the_sum_of_bernoulli_alone_is_near_the_formula_and_the_portable_pass);
    RUN(the_sum_of_bernoulli_alone_does_not_overflow_on_large_images);
    RUN(extreme_logits_of_the_sum_of_bernoulli_are_linear_and_a_nan_stays_one);
    RUN(latents_alone_and_together_have_one_kl);
    RUN(kl_pushes_latents_that_are_kept_alone);
    RUN(the_ratio_of_densities_matches_the_formula_and_the_portable_pass);
    RUN(absolute_values_are_summed_and_zero_is_not_pulled);
    RUN(weighted_gradients_of_latents_match_the_formulas_and_the_portable_pass);
    vae__fp_leave(&env);
}
#undef CHECK_MARKS
