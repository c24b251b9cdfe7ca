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

/* ---- a whole model in double: 30 numbers, 12 tanh, the head; the code, 9 tanh, 30 logits ---- */

enum { CAT_IN = 30, CAT_ROWS = 4, CAT_CODE = 24 };

typedef struct cat_model {
    const char *posterior;
    size_t latent, k;       /* k categories of each; 0: */
    int levels[4];          /* fsq */
    int through, samples;
    double tau, beta, free_bits;
} cat_model;

/* What a head gives: the relaxed code. */
static void cat_soft(const cat_model *c, const double *head, const float *u, double *z) {
    size_t i, j;
    for (j = 0; j < c->latent; j++) {
        double du[64];
        for (i = 0; c->k && i < c->k; i++) du[i] = (double)u[j * c->k + i];
        if (c->k) cat_softmax(c->k, head + j * c->k, du, c->tau, z + j * c->k);
        else z[j] = tanh(head[j]);
    }
}
/* Whole categories or levels, in place. */
static void cat_hard(const cat_model *c, double *z) {
    size_t i, j, top;
    for (j = 0; j < c->latent; j++) {
        const int levels = c->levels[j];
        for (i = top = 0; i < c->k; i++) top = z[j * c->k + i] > z[j * c->k + top] ? i : top;
        for (i = 0; i < c->k; i++) z[j * c->k + i] = i == top;
        if (!c->k) z[j] = 2 * floor((z[j] + 1) / 2 * (levels - 1) + 0.5) / (levels - 1) - 1;
    }
}
/* The loss; with straight-through gradients the whole codes of the weights `frozen` move as the
 * relaxed ones of `w` do. */
static double cat_loss(const cat_model *c, const double *w, const double *frozen, const float *x,
                       const float *u, double *recon, double *kl) {
    const size_t wide = c->k ? c->latent * c->k : c->latent;
    const int hard = c->through || !c->k;
    double unit[4] = {0}, counted = 0;
    size_t i, j, s;
    *recon = *kl = 0;
    for (i = 0; i < CAT_ROWS; i++) {
        double in[CAT_IN], head[2][CAT_CODE], hid[12], mid[9], out[30];
        int pass;
        for (j = 0; j < CAT_IN; j++) in[j] = (double)x[i * CAT_IN + j];
        for (pass = 0; pass < 2; pass++) {
            const double *p = pass ? frozen : w;
            ref_dense_fwd(1, CAT_IN, 12, in, p, p + CAT_IN * 12, hid);
            for (j = 0; j < 12; j++) hid[j] = tanh(hid[j]);
            p += CAT_IN * 12 + 12;
            ref_dense_fwd(1, 12, wide, hid, p, p + 12 * wide, head[pass]);
        }
        for (j = 0; c->k && j < c->latent; j++) unit[j] += cat_kl(c->k, head[0] + j * c->k) / CAT_ROWS;
        for (s = 0; s < (size_t)c->samples; s++) {
            const float *noise = u + (i * (size_t)c->samples + s) * wide;
            const double *p = w + CAT_IN * 12 + 12 + 12 * wide + wide;
            double z[CAT_CODE], soft[CAT_CODE], whole[CAT_CODE];
            cat_soft(c, head[0], noise, z);
            cat_soft(c, head[1], noise, soft);
            memcpy(whole, soft, sizeof whole);
            cat_hard(c, whole);
            for (j = 0; hard && j < wide; j++) z[j] += whole[j] - soft[j];
            ref_dense_fwd(1, wide, 9, z, p, p + wide * 9, mid);
            for (j = 0; j < 9; j++) mid[j] = tanh(mid[j]);
            p += wide * 9 + 9;
            ref_dense_fwd(1, 9, CAT_IN, mid, p, p + 9 * CAT_IN, out);
            *recon += ref_bernoulli(CAT_IN, out, in, 0, NULL) / CAT_ROWS / c->samples;
        }
    }
    for (j = 0; j < c->latent; j++)
        *kl += unit[j], counted += unit[j] > c->free_bits ? unit[j] : c->free_bits;
    return *recon + c->beta * (c->free_bits > 0 ? counted : *kl);
}

static const cat_model cat_models[] = {
    {"categorical 4", 3, 4, {0}, 0, 1, 0.5, 1, 0},
    {"categorical 2", 4, 2, {0}, 0, 2, 1.3, 0.4, 0},
    {"categorical 7", 2, 7, {0}, 0, 1, 0.7, 1, 0.05},
    {"categorical 5", 3, 5, {0}, 1, 2, 0.6, 1, 0},
    {"fsq 5 4 7", 3, 0, {5, 4, 7}, 0, 1, 1, 1, 0},
    {"fsq 2", 4, 0, {2, 2, 2, 2}, 0, 1, 1, 1, 0},
};
enum { CAT_MODELS = sizeof cat_models / sizeof cat_models[0] };

static vae_desc cat_desc(const cat_model *c) {
    vae_desc d = obj_still();
    d.decoder = "dense 9 tanh", d.batch = CAT_ROWS, d.posterior = c->posterior;
    d.latent = (int)c->latent, d.samples = c->samples, d.straight_through = c->through;
    d.temperature = c->k ? c->tau : 0, d.beta = c->beta, d.free_bits = c->free_bits;
    return d;
}

/* Figures to some float roundings; slopes along random directions as in test_objectives.c. */
TEST(losses_and_gradients_of_categories_are_those_of_the_formulas) {
    const double h = 1e-5;
    uint64_t state = 14;
    size_t n, i, j;
    for (n = 0; n < CAT_MODELS; n++) {
        const cat_model *c = &cat_models[n];
        const size_t wide = c->k ? c->latent * c->k : c->latent;
        vae_desc d = cat_desc(c);
        float x[CAT_ROWS * CAT_IN], u[CAT_ROWS * 2 * CAT_CODE] = {0};
        double *w, *moved, recon, kl, loss;
        vae_info info;
        vae_stats s;
        vae_tensor t;
        vae *m = NULL;
        size_t at = 0, tensor;
        small_images(x, CAT_ROWS, CAT_IN);
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        if (!m) return;
        vae_get_info(m, &info);
        CHECK(info.code == wide && info.head == wide && info.eps == (c->k ? wide : 0));
        for (i = 0; i < info.parameters; i++) m->w[i] *= 2; /* away from equal categories */
        for (i = 0; i < CAT_ROWS * (size_t)c->samples && c->k; i++) {
            vae_stream stream;
            memset(&stream, 0, sizeof stream);
            stream.seed = 5, stream.purpose = VAE_PURPOSE_EPS;
            stream.sample = (uint32_t)(i / (size_t)c->samples);
            stream.replica = (uint32_t)(i % (size_t)c->samples);
            vae_random_uniform(&stream, 0, wide, u + i * wide);
        }
        w = ref_doubles(info.parameters), moved = ref_doubles(info.parameters);
        for (i = 0; i < info.parameters; i++) w[i] = (double)m->w[i];
        CHECK_STATUS(vae_train_step(m, BATCH(x, CAT_ROWS), &s), VAE_OK);
        loss = cat_loss(c, w, w, x, u, &recon, &kl);
        CHECK_NEAR(s.recon, recon, 2e-6 * recon);
        CHECK_NEAR(s.kl, kl, 1e-5);
        CHECK_NEAR(s.loss, loss, 2e-6 * loss + 1e-5);
        CHECK(!c->k || kl > 0.1);
        for (tensor = 0; vae_tensor_at(m, tensor, &t) == VAE_OK; at += t.count, tensor++) {
            double norm = 0;
            for (j = 0; j < t.count; j++) norm += pow((double)t.grad[j], 2);
            CHECK(norm > 1e-9);
            for (i = 0; i < 4; i++) {
                double slope = 0, quotient, a, b, step;
                memcpy(moved, w, info.parameters * sizeof *moved);
                for (j = 0; j < t.count; j++) {
                    step = ref_normal(&state), slope += step * (double)t.grad[j];
                    moved[at + j] += h * step;
                }
                quotient = cat_loss(c, moved, w, x, u, &a, &b);
                for (j = 0; j < t.count; j++) moved[at + j] = 2 * w[at + j] - moved[at + j];
                quotient = (quotient - cat_loss(c, moved, w, x, u, &a, &b)) / (2 * h);
                CHECK_NEAR(slope, quotient, 2e-5 * sqrt(norm) + 4e-7);
            }
        }
        CHECK_EQ(at, info.parameters);
        free(w), free(moved);
        vae_destroy(m);
    }
}

/* In the buffers of a step: relaxed codes, or whole ones. */
TEST(training_decodes_relaxed_categories_and_straight_through_whole_ones) {
    float x[CAT_ROWS * CAT_IN];
    int way;
    size_t i, j;
    small_images(x, CAT_ROWS, CAT_IN);
    for (way = 0; way < 2; way++) {
        cat_model c = cat_models[0];
        vae_desc d;
        vae *m = NULL;
        size_t whole = 0;
        c.through = way;
        d = cat_desc(&c);
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        CHECK_STATUS(vae_train_step(m, BATCH(x, CAT_ROWS), NULL), VAE_OK);
        for (i = 0; i < CAT_ROWS * 3; i++) {
            double sum = 0;
            for (j = 0; j < 4; j++) sum += (double)m->z[i * 4 + j], whole += m->z[i * 4 + j] >= 1;
            CHECK_NEAR(sum, 1, way ? 0 : 1e-6);
        }
        if (way) CHECK_EQ(whole, CAT_ROWS * 3);
        else CHECK_EQ(whole, 0);
        vae_destroy(m);
    }
}

/* ---- draws ---- */

/* Pearson's statistic of counts against probabilities. */
static double cat_chi(size_t k, const double *count, const double *p, double all) {
    double sum = 0;
    size_t i;
    for (i = 0; i < k; i++) sum += pow(count[i] - all * p[i], 2) / (all * p[i]);
    return sum;
}

/* The 1e-6 quantile of chi-square with 3 degrees of freedom is 30.7. */
TEST(draws_of_categories_match_their_probabilities_and_the_kl_is_their_mean) {
    enum { ROWS = 4000, L = 3, K = 4, WIDE = L * K };
    vae_desc d = small_desc();
    static float x[ROWS * CAT_IN], z[ROWS * WIDE];
    float mean[WIDE], kl[1], bound[1], elbo[ROWS];
    double count[WIDE] = {0}, p[WIDE], equal[K] = {0.25, 0.25, 0.25, 0.25}, rate = 0, spread = 0;
    double average = 0;
    vae *m = NULL;
    size_t i, j;
    d.posterior = "categorical 4";
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    for (i = 0; i < m->parameters; i++) m->w[i] *= 2;
    small_images(x, 1, CAT_IN);
    for (i = 1; i < ROWS; i++) memcpy(x + i * CAT_IN, x, CAT_IN * sizeof *x);
    CHECK_STATUS(vae_encode(m, BATCH(x, 1), mean, NULL), VAE_OK);
    CHECK_STATUS(vae_score(m, BATCH(x, 1), NULL, NULL, kl), VAE_OK);
    CHECK_STATUS(vae_posterior(m, BATCH(x, ROWS), z), VAE_OK);
    for (i = 0; i < WIDE; i++) p[i] = (double)mean[i];
    for (i = 0; i < ROWS; i++) {
        double term = 0;
        for (j = 0; j < WIDE; j++) {
            CHECK(z[i * WIDE + j] >= 1 || (z[i * WIDE + j] >= 0 && z[i * WIDE + j] <= 0));
            count[j] += (double)z[i * WIDE + j];
            if (z[i * WIDE + j] > 0) term += log(p[j] * K);
        }
        rate += term / ROWS, spread += term * term / ROWS;
    }
    for (j = 0; j < L; j++) {
        double all = 0;
        for (i = 0; i < K; i++) all += count[j * K + i];
        CHECK_EQ(all, ROWS);
        CHECK(cat_chi(K, count + j * K, p + j * K, ROWS) < 30.7);
    }
    CHECK(kl[0] > 0.1f);
    CHECK_NEAR(rate, (double)kl[0], 5 * sqrt((spread - rate * rate) / ROWS));
    CHECK_STATUS(vae_prior(m, BATCH(NULL, ROWS), 9, z), VAE_OK);
    memset(count, 0, sizeof count);
    for (i = 0; i < ROWS * WIDE; i++) count[i % WIDE] += (double)z[i];
    for (j = 0; j < L; j++) CHECK(cat_chi(K, count + j * K, equal, ROWS) < 30.7);
    CHECK_STATUS(vae_score(m, BATCH(x, ROWS), elbo, NULL, NULL), VAE_OK);
    for (i = 0; i < ROWS; i++) average += (double)elbo[i] / ROWS;
    CHECK_STATUS(vae_bound(m, BATCH(x, 1), 4000, bound), VAE_OK);
    CHECK((double)bound[0] > average && (double)bound[0] < average + (double)kl[0] + 1);
    vae_destroy(m);
}

/* ---- levels ---- */

TEST(levels_are_equally_far_apart_and_nearest_to_the_tanh) {
    static const int levels[] = {2, 3, 4, 5, 8, 255};
    enum { ROWS = 3000 };
    static float x[ROWS * CAT_IN], z[ROWS * 2], prior[ROWS * 2];
    size_t n, i;
    for (n = 0; n < sizeof levels / sizeof *levels; n++) {
        const int count = levels[n];
        char text[20];
        vae_desc d = small_desc();
        vae *m = NULL;
        int seen[255] = {0}, drawn[255] = {0}, all = 0, k;
        snprintf(text, sizeof text, "fsq %d", count);
        d.posterior = text, d.latent = 2, d.encoder = "", d.input = "30";
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        small_images(x, ROWS, CAT_IN);
        for (i = 0; i < m->parameters; i++) m->w[i] *= 3;
        CHECK_STATUS(vae_encode(m, BATCH(x, ROWS), z, NULL), VAE_OK);
        for (i = 0; i < ROWS; i++) {
            double sum[2], w[60], in[30], place;
            size_t j;
            for (j = 0; j < 60; j++) w[j] = (double)m->w[j];
            for (j = 0; j < 30; j++) in[j] = (double)x[i * 30 + j];
            sum[0] = 0;
            for (j = 0; j < 30; j++) sum[0] += in[j] * w[2 * j];
            place = (tanh(sum[0]) + 1) / 2 * (count - 1) + 0.5;
            if (fabs(place - floor(place + 0.5)) > 1e-4) /* a float may round the other way there */
                CHECK_NEAR((double)z[2 * i], 2 * floor(place) / (count - 1) - 1, 1e-7);
            seen[(int)(((double)z[2 * i] + 1) / 2 * (count - 1) + 0.5)]++;
        }
        CHECK_STATUS(vae_posterior(m, BATCH(x, ROWS), prior), VAE_OK); /* there is no noise */
        CHECK_EQ(ref_differ(2 * ROWS, z, prior), 2 * ROWS);
        CHECK_STATUS(vae_prior(m, BATCH(NULL, ROWS), 3, prior), VAE_OK);
        for (i = 0; i < 2 * ROWS; i++) {
            const double place = ((double)prior[i] + 1) / 2 * (count - 1);
            CHECK_NEAR(place, floor(place + 0.5), 1e-4);
            drawn[(int)(place + 0.5)]++;
        }
        for (k = 0; k < count; k++) {
            all += seen[k] > 0;
            CHECK(fabs(drawn[k] - 2.0 * ROWS / count) < 6 * sqrt(2.0 * ROWS / count));
        }
        if (count < 9) CHECK_EQ(all, count);
        vae_destroy(m);
    }
}

/* Differences know nothing of a gradient that goes straight through whole numbers. */
TEST(gradients_straight_through_whole_codes_are_not_checked_by_differences) {
    static const struct { const char *posterior; int through; vae_status status; } rows[] = {
        {"fsq 5", 0, VAE_ERR_UNSUPPORTED}, {"fsq 3 4 5", 0, VAE_ERR_UNSUPPORTED},
        {"categorical 4", 1, VAE_ERR_UNSUPPORTED}, {"categorical 4", 0, VAE_OK}};
    float x[8 * 30];
    size_t i;
    small_images(x, 8, 30);
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        vae_desc d = small_desc();
        double worst = 7;
        vae *m = NULL;
        d.posterior = rows[i].posterior, d.straight_through = rows[i].through;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        if (!m) continue;
        CHECK_STATUS(vae_check_gradients(m, BATCH(x, 8), 2, &worst), rows[i].status);
        if (rows[i].status) CHECK_SAYS(*vae_last_report(m), "not the derivative of the loss");
        CHECK(rows[i].status ? worst == 7 : worst < 3e-2);
        vae_destroy(m);
    }
}

/* What the manual says of noise outside [0,1], and of `latent` beside a list of levels. */
TEST(noise_of_categories_is_clamped_and_levels_set_the_latents) {
    static const int latents[] = {0, 20, 3, 4};
    float x[30], eps[2][12], z[2][12];
    vae_desc d = small_desc();
    vae_info info;
    vae *m = NULL;
    int way, i;
    small_images(x, 1, 30);
    d.posterior = "categorical 4";
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    if (!m) return;
    for (i = 0; i < 12; i++) {
        eps[0][i] = i % 3 ? 2 : -1;
        eps[1][i] = i % 3 ? 0.99999994f : 2.98023224e-08f;
    }
    for (way = 0; way < 2; way++)
        CHECK_STATUS(vae_posterior(m, BATCH(x, 1, .eps = eps[way]), z[way]), VAE_OK);
    CHECK(!memcmp(z[0], z[1], sizeof z[0]));
    vae_destroy(m);
    for (way = 0; way < 4; way++) {
        d.posterior = "fsq 3 4 5", d.latent = latents[way];
        CHECK_STATUS(vae_create(&d, &m, NULL), way < 3 ? VAE_OK : VAE_ERR_VALUE);
        if (way == 3) continue;
        vae_get_info(m, &info);
        CHECK_EQ(info.latent, 3);
        vae_destroy(m);
    }
}

/* ---- the temperature, and going on in the middle of its fall ---- */

TEST(the_temperature_falls_by_the_same_factor_each_step) {
    float x[CAT_ROWS * CAT_IN];
    vae_desc d = cat_desc(&cat_models[0]);
    vae *m = NULL;
    int step;
    small_images(x, CAT_ROWS, CAT_IN);
    d.temperature = 2, d.temperature_end = 0.25, d.temperature_steps = 6;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    for (step = 0; step < 9; step++) {
        const double want = step < 6 ? 2 * pow(0.125, step / 6.0) : 0.25;
        CHECK_NEAR(1 / (double)vae__sharpness_now(m), want, 4e-7 * want);
        CHECK_STATUS(vae_train_step(m, BATCH(x, CAT_ROWS), NULL), VAE_OK);
    }
    vae_destroy(m);
}

/* Everything that a run can show: its parameters, figures, codes. */
static uint64_t cat_show(vae *m, const vae_data *data) {
    float z[8 * 32] = {0}, x[8 * 30], out[8 * 30] = {0};
    vae_stats s;
    uint64_t hash = vae_params_hash(m);
    memset(&s, 0, sizeof s);
    small_images(x, 8, 30);
    CHECK_STATUS(vae_evaluate(m, data, &s), VAE_OK);
    CHECK_STATUS(vae_sample_prior(m, BATCH(NULL, 8), 4, out), VAE_OK);
    if (m->code.latent) CHECK_STATUS(vae_posterior(m, BATCH(x, 8), z), VAE_OK);
    hash = vae__hash_floats(hash, z, 8 * 32);
    hash = vae__hash_floats(hash, out, 8 * 30);
    return hash ^ vae__bits_d(s.recon) ^ vae__bits_d(s.kl) << 1;
}
static const char *const cat_kinds[] = {"categorical 5", "categorical 10", "fsq 5 4 7", "fsq 3",
                                        "none"};
static vae_desc cat_small(int way) {
    vae_desc d = small_desc();
    d.posterior = cat_kinds[way % 5], d.batch = 8, d.epochs = 4, d.samples = way == 1 ? 2 : 1;
    if (way % 5 < 2)
        d.temperature_steps = 20, d.straight_through = way > 4, d.free_bits = way == 1 ? 0.1 : 0;
    if (way % 5 == 4) d.encoder = NULL;
    return d;
}

TEST(categories_train_to_the_same_bits_on_every_isa_and_number_of_threads) {
    static float x[64 * 30];
    vae_data data = float_data(x, 64, 30);
    int way, run;
    small_images(x, 64, 30);
    for (way = 0; way < 7; way++) {
        uint64_t want = 0;
        for (run = 1; run < VAE_ISA_COUNT + 3; run++) {
            vae_desc d = cat_small(way);
            uint64_t hash;
            vae *m = NULL;
            if (run < VAE_ISA_COUNT && !vae_isa_available((vae_isa)run)) continue;
            d.isa = run < VAE_ISA_COUNT ? (vae_isa)run : VAE_ISA_AUTO;
#ifdef VAE__THREADS
            d.threads = run < VAE_ISA_COUNT ? 1 : run == VAE_ISA_COUNT ? 2 : 7;
#endif
            CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
            CHECK_STATUS(vae_fit(m, &data, NULL, NULL, NULL), VAE_OK);
            hash = cat_show(m, &data);
            if (run == 1) want = hash;
            CHECK(hash == want);
            vae_destroy(m);
        }
    }
}

TEST(runs_stopped_while_the_temperature_falls_go_on_with_the_same_bits) {
    static float x[64 * 30];
    vae_data data = float_data(x, 64, 30);
    int way;
    small_images(x, 64, 30);
    for (way = 0; way < 7; way++) {
        vae_desc d = cat_small(way), got;
        watcher w = {0, 11, 0, 0, {0}};
        unsigned char *bytes;
        vae *m = NULL, *twin;
        uint64_t want;
        size_t size;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        CHECK_STATUS(vae_fit(m, &data, NULL, NULL, NULL), VAE_OK);
        want = cat_show(m, &data);
        vae_destroy(m);
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        CHECK_STATUS(vae_fit(m, &data, NULL, watch, &w), VAE_STOPPED);
        bytes = file_of(m, 0, &size);
        twin = obj_twin(bytes, size, 8, 2, VAE_ISA_AUTO, 0);
        vae_get_desc(twin, &got);
        CHECK(!strcmp(got.posterior, d.posterior) && got.temperature_steps == d.temperature_steps);
        CHECK(got.straight_through == d.straight_through && got.latent == m->desc.latent);
        CHECK_STATUS(vae_fit(twin, &data, NULL, NULL, NULL), VAE_OK);
        CHECK(cat_show(twin, &data) == want);
        vae_destroy(m), vae_destroy(twin);
        m = obj_twin(bytes, size, 8, 1, VAE_ISA_AUTO, 1); /* for use, and shared */
        CHECK_STATUS(vae_share(m, NULL, &twin, NULL), VAE_OK);
        CHECK(cat_show(m, &data) == cat_show(twin, &data));
        vae_destroy(twin), vae_destroy(m);
        free(bytes);
    }
}

TEST(files_name_the_temperature_only_where_it_is_set) {
    int way;
    for (way = 0; way < 2; way++) {
        vae_desc d = small_desc();
        unsigned char *bytes;
        size_t size, i;
        int found = 0;
        vae *m = NULL;
        d.posterior = "categorical 3", d.temperature_end = way ? 0.2 : 0.1;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        bytes = file_of(m, 0, &size);
        for (i = 0; i + 16 < size; i++) found += !memcmp(bytes + i, "temperature_end=", 16);
        CHECK_EQ(found, way);
        for (i = 0; i + 11 < size; i++) found += !memcmp(bytes + i, "temperature", 11);
        CHECK_EQ(found, 2 * way);
        free(bytes);
        vae_destroy(m);
    }
}

/* ---- what cannot be ---- */

TEST(codes_without_reals_refuse_what_needs_them_with_the_reason) {
    static const struct {
        const char *posterior, *name, *value, *says;
        int latent;
    } list[] = {
        {"categorical 4", "objective", "iwae", "density that has a gradient", 3},
        {"categorical 4", "objective", "dreg", "dreg", 3},
        {"categorical 4", "no_noise", "1", "are of mu", 3},
        {"categorical 4", "sparse", "1", "are of mu", 3},
        {"categorical 4", "contract", "1", "are of mu", 3},
        {"categorical 4", "prior", "mixture 3", "takes prior normal", 3},
        {"fsq 5", "objective", "iwae", "density that has a gradient", 3},
        {"fsq 5", "free_bits", "0.1", "KL of each latent", 3},
        {"fsq 5", "no_noise", "1", "are of mu", 3},
        {"fsq 5", "sparse", "1", "are of mu", 3},
        {"fsq 5", "prior", "vamp 3", "prior", 3},
        {"fsq 5", "straight_through", "1", "relaxed categories", 3},
        {"fsq 5 4", "beta", "1", "another number of latents", 3},
        {"none", "encoder", "dense 7 relu", "has no encoder", 3},
        {"none", "corrupt", "mask", "of the encoder", 3},
        {"none", "free_bits", "0.1", "KL of each latent", 3},
        {"none", "objective", "iwae", "density that has a gradient", 3},
        {"normal", "temperature_steps", "9", "relaxed categories", 3},
        {"normal", "straight_through", "1", "relaxed categories", 3},
        {"normal", "temperature", "0.3", "relaxed categories, which posterior normal", 3},
        {"fsq 5", "temperature_end", "0.2", "relaxed categories, which posterior fsq 5", 3},
        {"categorical", "beta", "1", "expected a number of categories", 3},
        {"categorical 1", "beta", "1", "2 to 256", 3},
        {"fsq", "beta", "1", "expected a number of levels", 3},
        {"fsq 1", "beta", "1", "2 to 255", 3},
        {"fsq 2 2 2 2 2 2 2 2 2 2 2 2 2", "beta", "1", "12 numbers", 13},
        {"categorical 4, planar 2", "beta", "1", "behind posterior normal", 3},
    };
    size_t i;
    for (i = 0; i < sizeof list / sizeof *list; i++) {
        vae_desc d = small_desc();
        vae_report r;
        vae *m = NULL;
        vae_status got;
        memset(&r, 0, sizeof r);
        d.posterior = list[i].posterior, d.latent = list[i].latent;
        if (!strcmp(d.posterior, "none")) d.encoder = NULL;
        CHECK_STATUS(vae_desc_set(&d, list[i].name, list[i].value, NULL), VAE_OK);
        got = vae_create(&d, &m, &r);
        CHECK(got == VAE_ERR_VALUE || got == VAE_ERR_SYNTAX);
        CHECK(!m);
        CHECK_SAYS(r, list[i].says);
    }
}

TEST(calls_about_mu_refuse_categories_and_levels) {
    float x[8 * 30], out[8 * 30], lv[8 * 30];
    vae_data data = float_data(x, 8, 30);
    double kl[3], variance[3];
    int way;
    small_images(x, 8, 30);
    for (way = 0; way < 2; way++) {
        vae_desc d = small_desc();
        uint64_t clamped[3] = {9, 9, 9};
        vae *m = NULL;
        d.posterior = way ? "fsq 5" : "categorical 4";
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        CHECK_STATUS(vae_encode(m, BATCH(x, 8), out, lv), VAE_ERR_STATE);
        CHECK_SAYS(*vae_last_report(m), "no log variance");
        CHECK_STATUS(vae_units(m, &data, NULL, variance), VAE_ERR_STATE);
        CHECK_STATUS(vae_units(m, &data, kl, NULL), way ? VAE_ERR_STATE : VAE_OK);
        CHECK_STATUS(vae_bound(m, BATCH(x, 8), 5, out), way ? VAE_ERR_STATE : VAE_OK);
        CHECK_STATUS(vae_units_clamped(m, &data, clamped), VAE_OK);
        CHECK(!clamped[0] && !clamped[1] && !clamped[2]);
        vae_destroy(m);
    }
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
    RUN(losses_and_gradients_of_categories_are_those_of_the_formulas);
    RUN(training_decodes_relaxed_categories_and_straight_through_whole_ones);
    RUN(draws_of_categories_match_their_probabilities_and_the_kl_is_their_mean);
    RUN(levels_are_equally_far_apart_and_nearest_to_the_tanh);
    RUN(noise_of_categories_is_clamped_and_levels_set_the_latents);
    RUN(gradients_straight_through_whole_codes_are_not_checked_by_differences);
    RUN(the_temperature_falls_by_the_same_factor_each_step);
    RUN(categories_train_to_the_same_bits_on_every_isa_and_number_of_threads);
    RUN(runs_stopped_while_the_temperature_falls_go_on_with_the_same_bits);
    RUN(files_name_the_temperature_only_where_it_is_set);
    RUN(codes_without_reals_refuse_what_needs_them_with_the_reason);
    RUN(calls_about_mu_refuse_categories_and_levels);
    vae__fp_leave(&env);
}
