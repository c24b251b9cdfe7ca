/* Codes that are categories: the posteriors `categorical K`, `fsq` and `none`. */
#include "models.h"

/* ---- the formulas in double ---- */

/* log softmax(a) of k numbers. */
static void cat_log_softmax(size_t k, const double *a, double *y) {
    double top = a[0], sum = 0;
    size_t i;
    for (i = 1; i < k; i++) top = a[i] > top ? a[i] : top;
    for (i = 0; i < k; i++) sum += exp(a[i] - top);
    for (i = 0; i < k; i++) y[i] = a[i] - top - log(sum);
}
/* softmax((a + g) / tau), g = -log(-log u); u NULL: g = 0. */
static void cat_softmax(size_t k, const double *a, const double *u, double tau, double *y) {
    size_t i;
    for (i = 0; i < k; i++) y[i] = (a[i] + (u ? -log(-log(u[i])) : 0)) / tau;
    cat_log_softmax(k, y, y);
    for (i = 0; i < k; i++) y[i] = exp(y[i]);
}
/* KL( softmax(a) || 1/k ) */
static double cat_kl(size_t k, const double *a) {
    double p[64], sum = 0;
    size_t i;
    cat_log_softmax(k, a, p);
    for (i = 0; i < k; i++) sum += exp(p[i]) * (p[i] + log((double)k));
    return sum;
}

/* ---- the kernels ---- */

static const size_t cat_sizes[][2] = {{1, 2}, {3, 2}, {2, 3}, {5, 7}, {2, 8}, {30, 10}, {1, 15},
                                      {3, 16}, {2, 17}, {4, 31}, {2, 33}, {1, 64}};
enum { CAT_SIZES = sizeof cat_sizes / sizeof cat_sizes[0], CAT_MAX = 300 };

TEST(the_softmax_of_noisy_logits_matches_the_formula_and_the_portable_pass) {
    const vae__kernels *k;
    uint64_t state = 11;
    size_t s, i, j;
    int way;
    for (s = 0; s < CAT_SIZES; s++) {
        const size_t n = cat_sizes[s][0], wide = cat_sizes[s][1], all = n * wide;
        for (way = 0; way < 4; way++) {
            const float inverse = way < 2 ? 1 : way == 2 ? 10 : 0.7f;
            float *a = ref_floats(all), *u = ref_floats(all), *want = ref_floats(all);
            ref_fill_normal(&state, a, all, way == 3 ? 20 : 2);
            ref_fill_uniform(&state, u, all, 0.001, 0.999);
            vae__kernels_of(VAE_ISA_PORTABLE)->softmax(n, wide, a, way ? u : NULL, inverse, want);
            for (j = 0; j < n; j++) {
                double da[64], du[64], y[64], sum = 0;
                for (i = 0; i < wide; i++)
                    da[i] = (double)a[j * wide + i], du[i] = (double)u[j * wide + i];
                cat_softmax(wide, da, way ? du : NULL, 1 / (double)inverse, y);
                for (i = 0; i < wide; i++) {
                    /* a logit of size t has an error of some 2^-24 t, and so has the exponent */
                    const double t = 1 + (fabs(da[i]) + 7) * (double)inverse;
                    CHECK_NEAR((double)want[j * wide + i], y[i], 3e-7 * t);
                    sum += (double)want[j * wide + i];
                }
                CHECK_NEAR(sum, 1, 2e-6 * (1 + (way == 3 ? 20 : 3) * (double)inverse));
            }
            for (k = NULL; (k = ref_next_isa(k));) {
                float *y = ref_floats(all);
                k->softmax(n, wide, a, way ? u : NULL, inverse, y);
                CHECK_EQ(ref_differ(all, y, want), all);
                memcpy(y, a, all * sizeof *y); /* in place */
                k->softmax(n, wide, y, way ? u : NULL, inverse, y);
                CHECK_EQ(ref_differ(all, y, want), all);
                free(y);
            }
            free(a), free(u), free(want);
        }
    }
}

TEST(noise_at_the_ends_of_its_range_stays_finite) {
    const vae__kernels *k;
    for (k = NULL; (k = ref_next_isa(k));) {
        float a[3] = {1, -2, 0.5f}, u[3] = {0, 1, 0x1p-25f}, y[3], z[3];
        const float same[3] = {0x1p-25f, 0.99999994f, 0x1p-25f};
        k->softmax(1, 3, a, u, 10, y);
        k->softmax(1, 3, a, same, 10, z);
        CHECK(k->within(3, 1, y) && y[1] > 0.999f);
        CHECK_EQ(ref_differ(3, y, z), 3);
        u[2] = vae__float_of(0x7fc00000u);
        k->softmax(1, 3, a, u, 10, y);
        CHECK(ref_is_nan(y[0]) && ref_is_nan(y[2])); /* noise that is no number is not hidden */
    }
}

TEST(the_kl_of_categories_matches_the_formula_and_the_portable_pass) {
    const vae__kernels *k;
    uint64_t state = 12;
    size_t s, i, j;
    int way;
    for (s = 0; s < CAT_SIZES; s++) {
        const size_t n = cat_sizes[s][0], wide = cat_sizes[s][1], all = n * wide;
        for (way = 0; way < 3; way++) {
            float *a = ref_floats(all), *p = ref_floats(all), *excess = ref_floats(all);
            float *kl = ref_floats(n);
            ref_fill_normal(&state, a, all, way == 0 ? 1e-3 : way == 1 ? 2 : 40);
            vae__kernels_of(VAE_ISA_PORTABLE)->categories(n, wide, a, p, excess, kl);
            for (j = 0; j < n; j++) {
                double da[64], lp[64];
                for (i = 0; i < wide; i++) da[i] = (double)a[j * wide + i];
                cat_log_softmax(wide, da, lp);
                for (i = 0; i < wide; i++) {
                    const double size = 1 + fabs(lp[i]) + log((double)wide);
                    CHECK_NEAR((double)excess[j * wide + i], lp[i] + log((double)wide),
                               2.4e-7 * size); /* four roundings */
                    CHECK_NEAR((double)p[j * wide + i], exp(lp[i]), 4e-7);
                }
                CHECK_NEAR((double)kl[j], cat_kl(wide, da), 2e-6);
            }
            for (k = NULL; (k = ref_next_isa(k));) {
                float *q = ref_floats(all), *e = ref_floats(all), *l = ref_floats(n);
                k->categories(n, wide, a, q, e, l);
                CHECK_EQ(ref_differ(all, q, p), all);
                CHECK_EQ(ref_differ(all, e, excess), all);
                CHECK_EQ(ref_differ(n, l, kl), n);
                free(q), free(e), free(l);
            }
            free(a), free(p), free(excess), free(kl);
        }
    }
}

TEST(the_gradient_of_a_softmax_matches_differences_and_the_portable_pass) {
    const vae__kernels *k;
    uint64_t state = 13;
    size_t s, i, j, q;
    for (s = 0; s < CAT_SIZES; s++) {
        const size_t n = cat_sizes[s][0], wide = cat_sizes[s][1], all = n * wide;
        const float scale = 0.3f;
        float *a = ref_floats(all), *y = ref_floats(all), *dy = ref_floats(all);
        float *before = ref_floats(all), *want = ref_floats(all), *keep = ref_floats(n);
        ref_fill_normal(&state, a, all, 1);
        ref_fill_normal(&state, dy, all, 1);
        ref_fill_normal(&state, before, all, 1);
        for (j = 0; j < n; j++) keep[j] = (float)(ref_next(&state) % 3 > 0);
        vae__kernels_of(VAE_ISA_PORTABLE)->softmax(n, wide, a, NULL, 1, y);
        memcpy(want, before, all * sizeof *want);
        vae__kernels_of(VAE_ISA_PORTABLE)->softmax_bwd(n, wide, y, dy, scale, NULL, want);
        for (j = 0; j < n; j++) {
            double da[64], up[64], down[64];
            for (i = 0; i < wide; i++) da[i] = (double)a[j * wide + i];
            for (i = 0; i < wide; i++) { /* sum dy y along logit i */
                const double h = 1e-5, old = da[i];
                double slope = 0;
                da[i] = old + h, cat_softmax(wide, da, NULL, 1, up);
                da[i] = old - h, cat_softmax(wide, da, NULL, 1, down);
                da[i] = old;
                for (q = 0; q < wide; q++)
                    slope += (double)dy[j * wide + q] * (up[q] - down[q]) / (2 * h);
                CHECK_NEAR((double)want[j * wide + i] - (double)before[j * wide + i],
                           (double)scale * slope, 1e-6);
            }
        }
        for (k = NULL; (k = ref_next_isa(k));) {
            float *d = ref_floats(all);
            memcpy(d, before, all * sizeof *d);
            k->softmax_bwd(n, wide, y, dy, scale, NULL, d);
            CHECK_EQ(ref_differ(all, d, want), all);
            memcpy(d, before, all * sizeof *d);
            k->softmax_bwd(n, wide, y, dy, scale, keep, d);
            for (i = 0; i < all; i++)
                CHECK(ref_same(d[i], keep[i / wide] > 0 ? want[i] : before[i]));
            free(d);
        }
        free(a), free(y), free(dy), free(before), free(want), free(keep);
    }
}

/* ---- none: the decoder alone ---- */

TEST(a_model_without_latents_learns_independent_pixels) {
    enum { ROWS = 8, N = 30 };
    vae_desc d = small_desc(), got;
    float x[ROWS * N], bound[ROWS], out[ROWS * N];
    vae_info info;
    vae_stats s;
    vae *m = NULL;
    double want = 0;
    int i, j;
    d.posterior = "none", d.encoder = NULL, d.decoder = "", d.lr = 0.1, d.latent = 0;
    small_images(x, ROWS, N);
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    vae_get_info(m, &info), vae_get_desc(m, &got);
    CHECK(info.latent == 0 && info.head == 0 && info.eps == 0 && info.tensors == 2);
    CHECK(!strcmp(got.encoder, "") && !strcmp(got.posterior, "none"));
    for (i = 0; i < 400; i++) CHECK_STATUS(vae_train_step(m, BATCH(x, ROWS), &s), VAE_OK);
    for (j = 0; j < N; j++) { /* the entropy of the mean image */
        double p = 0;
        for (i = 0; i < ROWS; i++) p += (double)x[i * N + j] / ROWS;
        want -= p * log(p) + (1 - p) * log(1 - p);
    }
    CHECK_NEAR(s.recon, want, 1e-3 * want);
    CHECK(s.kl >= 0 && s.kl <= 0 && s.elbo >= -s.recon && s.elbo <= -s.recon);
    CHECK_STATUS(vae_score(m, BATCH(x, ROWS), out, NULL, NULL), VAE_OK);
    CHECK_STATUS(vae_bound(m, BATCH(x, ROWS), 7, bound), VAE_OK); /* log p(x) itself */
    CHECK_EQ(ref_differ(ROWS, out, bound), ROWS);
    CHECK_STATUS(vae_sample_prior(m, BATCH(NULL, 3), 1, out), VAE_OK);
    CHECK_EQ(ref_differ(N, out, out + N), N);
    vae_destroy(m);
}

TEST(calls_about_codes_refuse_a_model_without_latents) {
    vae_desc d = small_desc();
    float x[8 * 30], out[8 * 30];
    vae_data data = float_data(x, 8, 30);
    double kl[3];
    vae *m = NULL;
    d.posterior = "none", d.encoder = NULL;
    small_images(x, 8, 30);
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    CHECK_STATUS(vae_encode(m, BATCH(x, 8), out, NULL), VAE_ERR_STATE);
    CHECK_SAYS(*vae_last_report(m), "has no code");
    CHECK_STATUS(vae_posterior(m, BATCH(x, 8), out), VAE_ERR_STATE);
    CHECK_STATUS(vae_decode(m, BATCH(x, 8), out), VAE_ERR_STATE);
    CHECK_STATUS(vae_decode_logits(m, BATCH(x, 8), out), VAE_ERR_STATE);
    CHECK_STATUS(vae_draw(m, BATCH(x, 8), 1, out), VAE_ERR_STATE);
    CHECK_STATUS(vae_reconstruct(m, BATCH(x, 8), out), VAE_ERR_STATE);
    CHECK_STATUS(vae_prior(m, BATCH(NULL, 8), 1, out), VAE_ERR_STATE);
    CHECK_STATUS(vae_units(m, &data, kl, NULL), VAE_ERR_STATE);
    CHECK_STATUS(vae_units(m, &data, NULL, NULL), VAE_ERR_STATE);
    CHECK_STATUS(vae_train_step(m, BATCH(x, 8, .eps = out), NULL), VAE_ERR_STATE);
    vae_destroy(m);
}

TESTS(categories) {
    vae__fpenv env;
    vae__fp_enter(&env); /* see reference.h */
    RUN(the_softmax_of_noisy_logits_matches_the_formula_and_the_portable_pass);
    RUN(noise_at_the_ends_of_its_range_stays_finite);
    RUN(the_kl_of_categories_matches_the_formula_and_the_portable_pass);
    RUN(the_gradient_of_a_softmax_matches_differences_and_the_portable_pass);
    RUN(a_model_without_latents_learns_independent_pixels);
    RUN(calls_about_codes_refuse_a_model_without_latents);
    vae__fp_leave(&env);
}
