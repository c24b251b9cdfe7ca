/* Several stochastic layers: items `z N` in both strings. */
#include "models.h"

/* ---- a model of two layers in plain loops ---- */

enum { DEEP_D = 30, DEEP_N = 4, DEEP_L = 3, DEEP_EPS = DEEP_L + DEEP_N, DEEP_MAPS = 8 };
/* Its eight dense maps, in the order of their tensors: numbers in and out. */
static const size_t deep_sizes[DEEP_MAPS][2] = {
    {DEEP_D, 6}, {6, 2 * DEEP_N}, {DEEP_N, 5}, {5, 2 * DEEP_L},
    {DEEP_L, 5}, {5, 2 * DEEP_N}, {DEEP_N, 7}, {7, DEEP_D}};
static const char *const deep_names[DEEP_MAPS] = {
    "encoder.0", "encoder.1", "encoder.3", "encoder.head",
    "decoder.0", "decoder.1", "decoder.3", "decoder.head"};

static vae_desc deep_desc(void) {
    vae_desc d = small_desc();
    d.encoder = "dense 6 tanh, z 4, dense 5 tanh", d.decoder = "dense 5 tanh, z 4, dense 7 tanh";
    d.latent = DEEP_L;
    return d;
}

static size_t deep_map(const double *w, size_t map, int tanh_too, const double *x, double *y) {
    const size_t in = deep_sizes[map][0], out = deep_sizes[map][1];
    size_t i, j;
    for (j = 0; j < out; j++) {
        y[j] = w[in * out + j];
        for (i = 0; i < in; i++) y[j] += x[i] * w[i * out + j];
        if (tanh_too) y[j] = tanh(y[j]);
    }
    return (in + 1) * out;
}

/* What a pass gives: sums over its draws. */
typedef struct deep_figures {
    double recon, kl[2], elbo, bound, loss;
} deep_figures;

/* Of images x with the noise eps, `k` draws of each (a draw's: the code's, then that of `z 4`); the
 * KL of the code in closed form, or, where weights are importance weights, at its draws. */
static deep_figures deep_pass(const double *w, int weighs, double beta, size_t rows, size_t k,
                              const float *x, const float *eps) {
    deep_figures f;
    size_t i, j, s;
    memset(&f, 0, sizeof f);
    for (i = 0; i < rows; i++) {
        double pixels[DEEP_D], h[DEEP_D], q1[2 * DEEP_N], logw[64], top = -1e300, sum = 0;
        const double *at = w;
        for (j = 0; j < DEEP_D; j++) pixels[j] = (double)x[i * DEEP_D + j];
        at += deep_map(at, 0, 1, pixels, h);
        at += deep_map(at, 1, 0, h, q1);
        for (s = 0; s < k; s++) {
            const float *e = eps + (i * k + s) * DEEP_EPS;
            const double *to = at;
            double z1[DEEP_N], q2[2 * DEEP_L], z2[DEEP_L], p1[2 * DEEP_N], a[DEEP_D];
            double recon = 0, kl = 0, ratio = 0, term = 0;
            for (j = 0; j < DEEP_N; j++)
                z1[j] = q1[j] + exp(0.5 * q1[DEEP_N + j]) * (double)e[DEEP_L + j];
            to += deep_map(to, 2, 1, z1, h);
            to += deep_map(to, 3, 0, h, q2);
            for (j = 0; j < DEEP_L; j++) {
                const double l = q2[DEEP_L + j];
                z2[j] = q2[j] + exp(0.5 * l) * (double)e[j];
                kl += 0.5 * (q2[j] * q2[j] + exp(l) - 1 - l);
                ratio += 0.5 * (z2[j] * z2[j] - (double)e[j] * (double)e[j] - l);
            }
            to += deep_map(to, 4, 1, z2, h);
            to += deep_map(to, 5, 0, h, p1);
            for (j = 0; j < DEEP_N; j++)
                term += 0.5 * (pow(z1[j] - p1[j], 2) / exp(p1[DEEP_N + j]) + p1[DEEP_N + j] -
                               pow((double)e[DEEP_L + j], 2) - q1[DEEP_N + j]);
            to += deep_map(to, 6, 1, z1, h);
            (void)deep_map(to, 7, 0, h, a);
            for (j = 0; j < DEEP_D; j++) recon += ref_softplus(a[j]) - pixels[j] * a[j];
            f.recon += recon / (double)(rows * k);
            f.kl[0] += kl / (double)(rows * k), f.kl[1] += term / (double)(rows * k);
            logw[s] = -(recon + beta * (ratio + term));
            if (logw[s] > top) top = logw[s];
        }
        for (s = 0; s < k; s++) sum += exp(logw[s] - top);
        f.bound += (top + log(sum / (double)k)) / (double)rows;
    }
    f.elbo = -(f.recon + f.kl[0] + f.kl[1]);
    f.loss = weighs ? -f.bound : f.recon + beta * (f.kl[0] + f.kl[1]);
    return f;
}

/* The parameters of a model, which must be those of the sizes above. */
static double *deep_params(vae *m, size_t *count) {
    vae_info info;
    vae_tensor t;
    double *w;
    size_t i;
    char name[40];
    vae_get_info(m, &info);
    for (i = 0; i < DEEP_MAPS; i++) {
        CHECK_STATUS(vae_tensor_at(m, 2 * i, &t), VAE_OK);
        snprintf(name, sizeof name, "%s.weight", deep_names[i]);
        CHECK(!strcmp(t.name, name));
        CHECK(t.shape[0] == deep_sizes[i][0] && t.shape[1] == deep_sizes[i][1]);
    }
    CHECK_EQ(info.tensors, 2 * DEEP_MAPS);
    CHECK_STATUS(vae_tensor_at(m, 0, &t), VAE_OK);
    w = (double *)malloc(info.parameters * sizeof *w);
    for (i = 0; i < info.parameters; i++) w[i] = (double)t.data[i];
    *count = info.parameters;
    return w;
}
/* Weights that are neither 0 nor small. */
static void deep_stir(vae *m, uint64_t seed) {
    vae_info info;
    vae_tensor t;
    vae_get_info(m, &info);
    CHECK_STATUS(vae_tensor_at(m, 0, &t), VAE_OK);
    ref_fill_normal(&seed, t.data, info.parameters, 0.5);
}

static const struct { vae_objective objective; int k; double beta; } deep_ways[] = {
    {VAE_OBJECTIVE_ELBO, 1, 1}, {VAE_OBJECTIVE_ELBO, 3, 0.7}, {VAE_OBJECTIVE_IWAE, 1, 0.7},
    {VAE_OBJECTIVE_IWAE, 4, 1}, {VAE_OBJECTIVE_IWAE, 3, 0.7}};

TEST(two_layers_have_the_figures_of_plain_loops) {
    size_t way, count;
    for (way = 0; way < 5; way++) {
        enum { ROWS = 8 };
        const size_t k = (size_t)deep_ways[way].k;
        float x[ROWS * DEEP_D], eps[ROWS * 4 * DEEP_EPS], recon[ROWS], kl[ROWS], bound[ROWS];
        vae_desc d = deep_desc();
        deep_figures f;
        vae_stats s;
        double *w, mean[3] = {0, 0, 0};
        uint64_t state = 3 + way;
        size_t i;
        vae *m = NULL;
        d.objective = deep_ways[way].objective, d.samples = (int)k, d.beta = deep_ways[way].beta;
        d.lr = 1e-30;
        small_images(x, ROWS, DEEP_D);
        ref_fill_normal(&state, eps, ROWS * k * DEEP_EPS, 1);
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        deep_stir(m, way);
        w = deep_params(m, &count);
        f = deep_pass(w, k > 1 && d.objective, d.beta, ROWS, k, x, eps);
        CHECK_STATUS(vae_train_step(m, BATCH(x, ROWS, .eps = eps), &s), VAE_OK);
        /* sums of 30 floats of up to 3, and of some tens of latents' terms, to 1e-6 each */
        CHECK_NEAR(s.recon, f.recon, 1e-5);
        CHECK_NEAR(s.layer_kl[0], f.kl[0], 1e-5);
        CHECK_NEAR(s.layer_kl[1], f.kl[1], 1e-5);
        CHECK_NEAR(s.elbo, f.elbo, 2e-5);
        CHECK_NEAR(s.loss, f.loss, 2e-5);
        CHECK_NEAR(s.bound, k > 1 && d.objective ? f.bound : f.elbo, 2e-5);
        CHECK(s.layer_kl[0] + s.layer_kl[1] == s.kl);
        /* in use: one draw, the code's KL closed; and k draws */
        CHECK_STATUS(vae_score(m, BATCH(x, ROWS, .eps = eps), NULL, recon, kl), VAE_OK);
        f = deep_pass(w, 0, 1, ROWS, 1, x, eps);
        for (i = 0; i < ROWS; i++)
            mean[0] += (double)recon[i] / ROWS, mean[1] += (double)kl[i] / ROWS;
        CHECK_NEAR(mean[0], f.recon, 1e-5);
        CHECK_NEAR(mean[1], f.kl[0] + f.kl[1], 1e-5);
        CHECK_STATUS(vae_bound(m, BATCH(x, ROWS, .eps = eps), (int)k, bound), VAE_OK);
        f = deep_pass(w, 1, 1, ROWS, k, x, eps);
        for (i = 0; i < ROWS; i++) mean[2] += (double)bound[i] / ROWS;
        CHECK_NEAR(mean[2], f.bound, 5e-5); /* the fast log of a product */
        free(w);
        vae_destroy(m);
    }
}

/* Along a direction through each tensor: the library's gradient against central differences of the
 * loss in double, with the same noise. */
TEST(gradients_of_two_layers_are_slopes_of_the_loss_in_double) {
    size_t way, count;
    for (way = 0; way < 5; way++) {
        enum { ROWS = 8 };
        const size_t k = (size_t)deep_ways[way].k;
        const int weighs = k > 1 && deep_ways[way].objective;
        float x[ROWS * DEEP_D], eps[ROWS * 4 * DEEP_EPS];
        vae_desc d = deep_desc();
        double *w;
        uint64_t state = 30 + way;
        size_t i, n, begin = 0;
        vae_tensor t;
        vae *m = NULL;
        d.objective = deep_ways[way].objective, d.samples = (int)k, d.beta = deep_ways[way].beta;
        d.lr = 1e-30, d.keep_gradients = 1;
        small_images(x, ROWS, DEEP_D);
        ref_fill_normal(&state, eps, ROWS * k * DEEP_EPS, 1);
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        deep_stir(m, 10 + way);
        w = deep_params(m, &count);
        CHECK_STATUS(vae_train_step(m, BATCH(x, ROWS, .eps = eps), NULL), VAE_OK);
        for (n = 0; n < 2 * DEEP_MAPS; n++, begin += t.count) {
            double slope = 0, length = 0, up, down;
            double *r;
            const double h = 1e-5;
            CHECK_STATUS(vae_tensor_at(m, n, &t), VAE_OK);
            r = (double *)malloc(t.count * sizeof *r);
            for (i = 0; i < t.count; i++) {
                r[i] = ref_normal(&state) * 0.3 + (t.grad[i] > 0 ? 1 : -1);
                slope += r[i] * (double)t.grad[i], length += fabs(r[i] * (double)t.grad[i]);
            }
            for (i = 0; i < t.count; i++) w[begin + i] += h * r[i];
            up = deep_pass(w, weighs, d.beta, ROWS, k, x, eps).loss;
            for (i = 0; i < t.count; i++) w[begin + i] -= 2 * h * r[i];
            down = deep_pass(w, weighs, d.beta, ROWS, k, x, eps).loss;
            for (i = 0; i < t.count; i++) w[begin + i] += h * r[i];
            /* a gradient is a sum of floats over rows, to some 1e-6 of what is added */
            CHECK_NEAR((up - down) / (2 * h), slope, 1e-5 * length + 1e-7);
            CHECK(length > 1e-4);
            free(r);
        }
        CHECK_EQ(begin, count);
        free(w);
        vae_destroy(m);
    }
}

/* A model of three stochastic layers with all that may stand between them. */
static vae_desc deep_busy(void) {
    vae_desc d = small_desc();
    d.encoder = "flatten, label 3, dense 9 tanh, dropout 0.25, z 5, batchnorm, dense 8 elu, "
                "label 3, z 4, res(dense 4 tanh), layernorm";
    d.decoder = "label 3, dense 6 tanh, z 4, dense 8 silu, noise 0.1, z 5, tanh, dense 9 tanh";
    d.beta = 0.5;
    return d;
}
static const int32_t deep_labels[8] = {0, 1, 2, 2, 1, 0, 1, 1};

TEST(gradients_hold_beside_other_layers_and_settings) {
    float x[8 * 30];
    int way;
    small_images(x, 8, 30);
    for (way = 0; way < 6; way++) {
        vae_desc d = deep_busy();
        double worst = 9;
        vae_stats s;
        vae *m = NULL;
        int step;
        d.samples = way % 3 + 1;
        d.objective = way > 2 ? VAE_OBJECTIVE_IWAE : VAE_OBJECTIVE_ELBO;
        if (way == 1) d.likelihood = "gaussian_learned", d.posterior = "normal softplus code tanh";
        if (way == 2) d.warmup_steps = 10, d.posterior = "normal full";
        if (way == 3) d.posterior = "normal, planar 2";
        if (way == 4) d.posterior = "normal, iaf 8 2";
        if (way == 5) d.binarize = VAE_BINARIZE_DYNAMIC;
        d.lr = 1e-2;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        for (step = 0; step < 4; step++)
            CHECK_STATUS(vae_train_step(m, BATCH(x, 8, .labels = deep_labels, .label_count = 8),
                                        &s), VAE_OK);
        CHECK_STATUS(vae_check_gradients(m, BATCH(x, 8, .labels = deep_labels, .label_count = 8),
                                         2, &worst), VAE_OK);
        CHECK_NEAR(worst, 0, 1e-2); /* what the call says of right gradients */
        vae_destroy(m);
    }
}

/* ---- layers that are ignored ---- */

/* With the code's posterior its prior, and a standard p(z 4|code), the model is the one without the
 * code: the same bound and the same gradients, up to the rounding of other sums. */
TEST(an_upper_layer_that_is_ignored_gives_the_figures_of_one_layer) {
    enum { ROWS = 8, K = 5 };
    static const size_t pairs[4][2] = {{0, 0}, {1, 1}, {6, 2}, {7, 3}}; /* maps of deep, of flat */
    vae_desc d = deep_desc(), flat = small_desc();
    float x[ROWS * DEEP_D], eps[ROWS * K * DEEP_EPS], some[ROWS * K * DEEP_N];
    float bound[2][ROWS], recon[2][ROWS];
    uint64_t state = 4;
    vae_stats s[2];
    vae_tensor a, b;
    size_t i, j;
    vae *two = NULL, *one = NULL;
    flat.encoder = "dense 6 tanh", flat.decoder = "dense 7 tanh", flat.latent = DEEP_N;
    d.objective = flat.objective = VAE_OBJECTIVE_IWAE, d.samples = flat.samples = K;
    d.lr = flat.lr = 1e-30, d.keep_gradients = flat.keep_gradients = 1;
    CHECK_STATUS(vae_create(&d, &two, NULL), VAE_OK);
    CHECK_STATUS(vae_create(&flat, &one, NULL), VAE_OK);
    deep_stir(two, 8);
    for (i = 0; i < 4; i++) { /* heads of q(code|z 4) and p(z 4|code) */
        CHECK_STATUS(vae_tensor_at(two, i < 2 ? 6 + i : 8 + i, &a), VAE_OK);
        memset(a.data, 0, a.count * sizeof(float));
    }
    for (i = 0; i < 8; i++) {
        CHECK_STATUS(vae_tensor_at(two, 2 * pairs[i / 2][0] + i % 2, &a), VAE_OK);
        CHECK_STATUS(vae_tensor_at(one, 2 * pairs[i / 2][1] + i % 2, &b), VAE_OK);
        CHECK_EQ(a.count, b.count);
        memcpy(b.data, a.data, a.count * sizeof(float));
    }
    small_images(x, ROWS, DEEP_D);
    ref_fill_normal(&state, eps, ROWS * K * DEEP_EPS, 1);
    for (i = 0; i < ROWS * K; i++)
        for (j = 0; j < DEEP_N; j++) some[i * DEEP_N + j] = eps[i * DEEP_EPS + DEEP_L + j];
    CHECK_STATUS(vae_bound(two, BATCH(x, ROWS, .eps = eps), K, bound[0]), VAE_OK);
    CHECK_STATUS(vae_bound(one, BATCH(x, ROWS, .eps = some), K, bound[1]), VAE_OK);
    CHECK_STATUS(vae_train_step(two, BATCH(x, ROWS, .eps = eps), &s[0]), VAE_OK);
    CHECK_STATUS(vae_train_step(one, BATCH(x, ROWS, .eps = some), &s[1]), VAE_OK);
    CHECK(s[0].layer_kl[0] == 0 && s[0].recon == s[1].recon);
    CHECK_NEAR(s[0].loss, s[1].loss, 2e-6); /* terms of some nats, as floats */
    for (i = 0; i < ROWS; i++) CHECK_NEAR((double)bound[0][i], (double)bound[1][i], 4e-6);
    for (i = 0; i < 8; i++) {
        CHECK_STATUS(vae_tensor_at(two, 2 * pairs[i / 2][0] + i % 2, &a), VAE_OK);
        CHECK_STATUS(vae_tensor_at(one, 2 * pairs[i / 2][1] + i % 2, &b), VAE_OK);
        for (j = 0; j < a.count; j++)
            CHECK_NEAR((double)a.grad[j], (double)b.grad[j], 2e-6);
    }
    /* the mean of q is decoded in both */
    CHECK_STATUS(vae_reconstruct(two, BATCH(x, 1), x), VAE_OK);
    memcpy(recon[0], x, sizeof recon[0]);
    small_images(x, ROWS, DEEP_D);
    CHECK_STATUS(vae_reconstruct(one, BATCH(x, 1), x), VAE_OK);
    CHECK(!memcmp(recon[0], x, sizeof recon[0]));
    vae_destroy(two), vae_destroy(one);
}

/* ---- bounds ---- */

TEST(bounds_of_two_layers_rise_from_the_elbo) {
    enum { ROWS = 200, KS = 4 };
    static const int ks[KS] = {1, 5, 50, 500};
    static float x[ROWS * 30], bound[KS][ROWS], elbo[ROWS];
    vae_desc d = deep_desc();
    size_t i, n, k;
    vae *m = NULL;
    d.lr = 1e-2;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    small_images(x, ROWS, 30);
    for (i = 0; i < ROWS * 30; i++) x[i] = x[i] > 0.5f + 0.3f * (float)(i / 30 % 2 ? 1 : -1);
    for (n = 0; n < 300; n++)
        CHECK_STATUS(vae_train_step(m, BATCH(x + n % 25 * 240, 8), NULL), VAE_OK);
    CHECK_STATUS(vae_score(m, BATCH(x, ROWS), elbo, NULL, NULL), VAE_OK);
    for (k = 0; k < KS; k++) {
        double gap = 0, squares = 0, error;
        CHECK_STATUS(vae_bound(m, BATCH(x, ROWS), ks[k], bound[k]), VAE_OK);
        for (i = 0; i < ROWS; i++) {
            const double off = (double)bound[k][i] - (double)(k ? bound[k - 1][i] : elbo[i]);
            gap += off / ROWS, squares += off * off / ROWS;
        }
        error = sqrt((squares - gap * gap) / ROWS);
        /* one draw: the elbo with the code's KL drawn too; more draws raise it */
        if (!k) CHECK_NEAR(gap, 0, 4 * error);
        else CHECK(gap > -3 * error);
        if (k == 1) CHECK(gap > 3 * error);
    }
    vae_destroy(m);
}

/* ---- bits ---- */

TEST(several_layers_have_the_same_bits_on_every_machine) {
    static const int threads[] = {1, 2, 3, 7};
    float x[8 * 30], want[8 * 30], got[8 * 30], bound[2][8];
    int way, isa, t;
    small_images(x, 8, 30);
    for (way = 0; way < 2; way++) {
        uint64_t hash = 0;
        vae_stats first, s;
        memset(&first, 0, sizeof first);
        for (isa = VAE_ISA_PORTABLE; isa < VAE_ISA_COUNT; isa++) {
            if (!vae_isa_available((vae_isa)isa)) continue;
            for (t = 0; t < 4; t++) {
                const int start = isa == VAE_ISA_PORTABLE && t == 0;
                vae_desc d = deep_busy();
                int step;
                vae *m = NULL;
                d.isa = (vae_isa)isa, d.samples = 3, d.lr = 1e-2, d.warmup_steps = 4;
                d.objective = way ? VAE_OBJECTIVE_IWAE : VAE_OBJECTIVE_ELBO;
#ifdef VAE__THREADS
                d.threads = threads[t];
#else
                (void)threads;
#endif
                CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
                for (step = 0; step < 5; step++)
                    CHECK_STATUS(vae_train_step(m, BATCH(x, 8, .labels = deep_labels,
                                                         .label_count = 8), &s), VAE_OK);
                CHECK_STATUS(vae_bound(m, BATCH(x, 8, .labels = deep_labels, .label_count = 8), 9,
                                       bound[1]), VAE_OK);
                CHECK_STATUS(vae_sample_prior(m, BATCH(NULL, 8, .labels = deep_labels,
                                                       .label_count = 8), 4, got), VAE_OK);
                if (start) {
                    hash = vae_params_hash(m), first = s;
                    memcpy(bound[0], bound[1], sizeof bound[0]);
                    memcpy(want, got, sizeof want);
                }
                CHECK(vae_params_hash(m) == hash);
                CHECK(!memcmp(&s, &first, sizeof s));
                CHECK_EQ(ref_differ(8, bound[0], bound[1]), 8);
                CHECK_EQ(ref_differ(240, want, got), 240);
                vae_destroy(m);
            }
        }
    }
}

/* Resumed, shared, loaded for inference, in portions, row by row: the same bits. */
TEST(files_and_shared_models_of_several_layers_keep_their_bits) {
    float x[8 * 30], want[4][240], got[4][240];
    vae_desc d = deep_busy(), found;
    size_t size, way, i;
    unsigned char *bytes;
    vae *m = NULL, *twin = NULL;
    int step;
    d.samples = 2, d.ema = 0.5;
    small_images(x, 8, 30);
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    for (step = 0; step < 3; step++)
        CHECK_STATUS(vae_train_step(m, BATCH(x, 8, .labels = deep_labels, .label_count = 8), NULL),
                     VAE_OK);
    bytes = file_of(m, 0, &size);
    for (way = 0; way < 4; way++) {
        const vae_batch *b = BATCH(x, 8, .labels = deep_labels, .label_count = 8);
        vae_batch row = *b;
        if (way == 1) twin = obj_twin(bytes, size, 3, 1, VAE_ISA_AUTO, 1);
        if (way == 2) CHECK_STATUS(vae_share(m, NULL, &twin, NULL), VAE_OK);
        if (way == 3) twin = obj_twin(bytes, size, 5, 2, VAE_ISA_AUTO, 0);
        memset(got, 0, sizeof got);
        CHECK_STATUS(vae_reconstruct(way ? twin : m, b, got[0]), VAE_OK);
        CHECK_STATUS(vae_bound(way ? twin : m, b, 7, got[1]), VAE_OK);
        CHECK_STATUS(vae_score(way ? twin : m, b, got[1] + 8, got[1] + 16, got[1] + 24), VAE_OK);
        CHECK_STATUS(vae_posterior(way ? twin : m, b, got[2]), VAE_OK);
        CHECK_STATUS(vae_encode(way ? twin : m, b, got[2] + 24, got[2] + 48), VAE_OK);
        CHECK_STATUS(vae_sample_prior(way ? twin : m, b, 9, got[3]), VAE_OK);
        if (!way) memcpy(want, got, sizeof want);
        for (i = 0; i < 4; i++) CHECK_EQ(ref_differ(240, want[i], got[i]), 240);
        for (i = 0; way && i < 8; i++) { /* an image alone */
            row.x = x + i * 30, row.rows = 1, row.first = (uint32_t)i;
            row.labels = deep_labels + i, row.label_count = 1;
            CHECK_STATUS(vae_score(twin, &row, got[0], NULL, NULL), VAE_OK);
            CHECK(ref_same(got[0][0], want[1][8 + i]));
            CHECK_STATUS(vae_bound(twin, &row, 7, got[0]), VAE_OK);
            CHECK(ref_same(got[0][0], want[1][i]));
        }
        if (twin) vae_destroy(twin);
        twin = NULL;
    }
    twin = obj_twin(bytes, size, 0, 1, VAE_ISA_AUTO, 0); /* and it goes on as if nothing had been */
    vae_get_desc(twin, &found);
    CHECK(!strcmp(found.encoder, d.encoder));
    CHECK(!strcmp(found.decoder, d.decoder));
    for (step = 0; step < 3; step++) {
        CHECK_STATUS(vae_train_step(m, BATCH(x, 8, .labels = deep_labels, .label_count = 8), NULL),
                     VAE_OK);
        CHECK_STATUS(vae_train_step(twin, BATCH(x, 8, .labels = deep_labels, .label_count = 8),
                                    NULL), VAE_OK);
    }
    CHECK(vae_params_hash(m) == vae_params_hash(twin));
    vae_destroy(m), vae_destroy(twin);
    free(bytes);
}

/* ---- addresses and samplers ---- */

static void deep_normals(uint32_t purpose, uint64_t seed, uint32_t layer, uint32_t time,
                         uint32_t sample, uint32_t draw, size_t n, float *out) {
    vae_stream s;
    memset(&s, 0, sizeof s);
    s.purpose = purpose, s.seed = seed, s.layer = layer, s.time = time, s.sample = sample;
    s.replica = draw;
    vae_random_normal(&s, 0, n, out);
}

TEST(noise_of_each_layer_has_its_address) {
    enum { ROWS = 8, K = 2 };
    vae_desc d = deep_desc();
    float x[ROWS * 30], eps[ROWS * K * DEEP_EPS], a[ROWS], b[ROWS], z[2][ROWS * DEEP_L];
    vae_stats s[2];
    uint32_t i, draw;
    vae *m = NULL;
    d.samples = K, d.lr = 1e-30;
    small_images(x, ROWS, 30);
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    for (i = 0; i < ROWS; i++)
        for (draw = 0; draw < K; draw++) {
            float *to = eps + (i * K + draw) * DEEP_EPS;
            deep_normals(VAE_PURPOSE_EPS, 5, 0, 0, i, draw, DEEP_L, to);
            deep_normals(VAE_PURPOSE_EPS, 5, 1, 0, i, draw, DEEP_N, to + DEEP_L);
        }
    CHECK_STATUS(vae_train_step(m, BATCH(x, ROWS), &s[0]), VAE_OK);
    vae_destroy(m);
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    CHECK_STATUS(vae_train_step(m, BATCH(x, ROWS, .eps = eps), &s[1]), VAE_OK);
    CHECK(!memcmp(&s[0], &s[1], sizeof s[0]));
    for (i = 0; i < ROWS; i++)
        for (draw = 0; draw < K; draw++) {
            float *to = eps + (i * K + draw) * DEEP_EPS;
            deep_normals(VAE_PURPOSE_EVAL, 5, 0, 0, 40 + i, draw, DEEP_L, to);
            deep_normals(VAE_PURPOSE_EVAL, 5, 1, 0, 40 + i, draw, DEEP_N, to + DEEP_L);
        }
    CHECK_STATUS(vae_bound(m, BATCH(x, ROWS, .first = 40), K, a), VAE_OK);
    CHECK_STATUS(vae_bound(m, BATCH(x, ROWS, .eps = eps), K, b), VAE_OK);
    CHECK_EQ(ref_differ(ROWS, a, b), ROWS);
    for (i = 1; i < ROWS; i++) /* one draw */
        memcpy(eps + i * DEEP_EPS, eps + i * K * DEEP_EPS, DEEP_EPS * sizeof(float));
    CHECK_STATUS(vae_posterior(m, BATCH(x, ROWS, .first = 40), z[0]), VAE_OK);
    CHECK_STATUS(vae_posterior(m, BATCH(x, ROWS, .eps = eps), z[1]), VAE_OK);
    CHECK_EQ(ref_differ(ROWS * DEEP_L, z[0], z[1]), ROWS * DEEP_L);
    eps[4] = vae__float_of(0x7f800000u);
    CHECK_STATUS(vae_posterior(m, BATCH(x, ROWS, .eps = eps), z[1]), VAE_ERR_NONFINITE);
    CHECK_SAYS(*vae_last_report(m), "eps: number 4 of row 0");
    vae_destroy(m);
}

/* A decoder that shows its `z 3`: decoding gives the mean, sampling and drawing give draws of
 * N(mean, variance), at PRIOR_Z of layer 1. */
TEST(a_decoder_alone_draws_or_passes_on_the_mean) {
    enum { N = 4000 };
    static const float mean[3] = {0.5f, -2, 3}, logvar[3] = {0, -1.5f, 1};
    static float x[N * 3], z[N * 2];
    double sum[3] = {0, 0, 0}, squares[3] = {0, 0, 0};
    vae_desc d = small_desc();
    vae_tensor t;
    size_t i, j;
    vae *m = NULL;
    d.input = "3", d.encoder = "z 3", d.decoder = "z 3", d.likelihood = "gaussian", d.latent = 2;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    for (i = 4; i < 8; i++) { /* decoder.0, decoder.head */
        CHECK_STATUS(vae_tensor_at(m, i, &t), VAE_OK);
        for (j = 0; j < t.count; j++)
            t.data[j] = i == 5 ? (j < 3 ? mean[j] : logvar[j - 3]) :
                        i == 6 ? (float)(j % 4 == 0) : 0;
    }
    CHECK_STATUS(vae_prior(m, BATCH(NULL, N), 3, z), VAE_OK);
    CHECK_STATUS(vae_decode(m, BATCH(z, N), x), VAE_OK);
    for (i = 0; i < N * 3; i++) CHECK(x[i] == mean[i % 3]);
    CHECK_STATUS(vae_sample_prior(m, BATCH(NULL, N, .first = 7), 3, x), VAE_OK);
    for (i = 0; i < N; i++) {
        float eps[3];
        deep_normals(VAE_PURPOSE_PRIOR_Z, 3, 1, 0, 7 + (uint32_t)i, 0, 3, eps);
        for (j = 0; j < 3; j++) {
            const double v = (double)x[i * 3 + j];
            CHECK_NEAR(v, (double)mean[j] + exp(0.5 * (double)logvar[j]) * (double)eps[j], 2e-6);
            sum[j] += v, squares[j] += v * v;
        }
    }
    for (j = 0; j < 3; j++) { /* five standard errors of 4000 draws */
        const double of = sum[j] / N, spread = squares[j] / N - of * of;
        CHECK_NEAR(of, (double)mean[j], 5 * exp(0.5 * (double)logvar[j]) / sqrt(N));
        CHECK_NEAR(spread / exp((double)logvar[j]), 1, 5 * sqrt(2.0 / N));
    }
    CHECK_STATUS(vae_draw(m, BATCH(z, N), 5, x), VAE_OK); /* and N(0, 1) of the pixels upon it */
    for (j = 0; j < 3; j++) {
        double of = 0, spread = 0, all = exp((double)logvar[j]) + 1;
        for (i = 0; i < N; i++)
            of += (double)x[i * 3 + j] / N, spread += pow((double)x[i * 3 + j], 2) / N;
        CHECK_NEAR(of, (double)mean[j], 5 * sqrt(all / N));
        CHECK_NEAR((spread - of * of) / all, 1, 5 * sqrt(2.0 / N));
    }
    vae_destroy(m);
}

/* vae_encode and vae_reconstruct draw nothing: each layer passes on its mean. */
TEST(encoding_and_reconstructing_pass_on_means) {
    enum { ROWS = 5 };
    float x[ROWS * 30], mu[ROWS * DEEP_L], lv[ROWS * DEEP_L], out[ROWS * 30];
    double *w;
    size_t count, i, j;
    vae_desc d = deep_desc();
    vae *m = NULL;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    deep_stir(m, 77);
    w = deep_params(m, &count);
    small_images(x, ROWS, 30);
    CHECK_STATUS(vae_encode(m, BATCH(x, ROWS), mu, lv), VAE_OK);
    CHECK_STATUS(vae_reconstruct(m, BATCH(x, ROWS), out), VAE_OK);
    for (i = 0; i < ROWS; i++) {
        double pixels[30], h[30], q1[2 * DEEP_N], q2[2 * DEEP_L], a[30];
        const double *at = w;
        for (j = 0; j < 30; j++) pixels[j] = (double)x[i * 30 + j];
        at += deep_map(at, 0, 1, pixels, h);
        at += deep_map(at, 1, 0, h, q1);
        at += deep_map(at, 2, 1, q1, h);
        at += deep_map(at, 3, 0, h, q2);
        for (j = 4; j < 6; j++) at += (deep_sizes[j][0] + 1) * deep_sizes[j][1];
        at += deep_map(at, 6, 1, q1, h);
        (void)deep_map(at, 7, 0, h, a);
        for (j = 0; j < DEEP_L; j++) {
            CHECK_NEAR((double)mu[i * DEEP_L + j], q2[j], 2e-6);
            CHECK_NEAR((double)lv[i * DEEP_L + j], q2[DEEP_L + j], 2e-6);
        }
        for (j = 0; j < 30; j++) CHECK_NEAR((double)out[i * 30 + j], 1 / (1 + exp(-a[j])), 2e-6);
    }
    free(w);
    vae_destroy(m);
}

/* ---- what is told ---- */

TEST(info_lists_the_stochastic_layers) {
    vae_desc d = deep_busy();
    vae_info info;
    vae *m = NULL;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    vae_get_info(m, &info);
    CHECK_EQ(info.layers, 3);
    CHECK_EQ(info.eps, 12);
    CHECK(info.layer[0].latents == 3 && info.layer[0].code == 3 && info.layer[0].head == 6 &&
          info.layer[0].eps == 3);
    CHECK(info.layer[1].latents == 5 && info.layer[1].head == 10 && info.layer[1].eps == 5);
    CHECK(info.layer[2].latents == 4 && info.layer[2].code == 4 && info.layer[3].latents == 0);
    vae_destroy(m);
    m = small_model();
    vae_get_info(m, &info);
    CHECK(info.layers == 1 && info.eps == 3 && info.layer[0].head == 6);
    vae_destroy(m);
}

TEST(strings_and_settings_that_do_not_fit_several_layers_are_told) {
    static const struct {
        const char *encoder, *decoder;
        vae_status status;
        const char *says;
    } strings[] = {
        {"z 4", "dense 9", VAE_ERR_SHAPE, "decoder: z 4 of the encoder has no partner"},
        {"dense 9", "dense 9, z 4", VAE_ERR_SHAPE, "decoder, column 10: z 4 has no partner"},
        {"z 4", "z 5", VAE_ERR_SHAPE, "decoder, column 1: z 5 meets z 4"},
        {"z 4, z 5", "z 4, z 5", VAE_ERR_SHAPE, "in reverse order"},
        {"z 4, z 5", "z 5", VAE_ERR_SHAPE, "z 4 of the encoder has no partner"},
        {"z 4", "z 4, z 4", VAE_ERR_SHAPE, "column 6: z 4 has no partner"},
        {"z 4 tanh", "z 4", VAE_ERR_SYNTAX, "encoder, column 1: z 4 takes no activation"},
        {"dense 6, res(z 6)", "z 6", VAE_ERR_SHAPE, "inside a group"},
        {"z", "z 4", VAE_ERR_SYNTAX, "encoder, column 2: expected a width, found the end"},
        {"z 0", "z 0", VAE_ERR_SYNTAX, "a width must lie from 1"},
        {"z 1,z 1,z 1,z 1,z 1,z 1,z 1,z 1", "", VAE_ERR_SIZE, "more than 8 stochastic layers"}};
    static const struct { const char *name, *value, *says; } settings[] = {
        {"objective", "dreg", "dreg"}, {"free_bits", "0.1", "free_bits"}, {"sparse", "1", "sparse"},
        {"contract", "1", "contract"}, {"no_noise", "1", "no_noise"}};
    vae_report r;
    size_t i, size;
    for (i = 0; i < sizeof strings / sizeof *strings; i++) {
        vae_desc d = small_desc();
        d.encoder = strings[i].encoder, d.decoder = strings[i].decoder;
        CHECK_STATUS(vae_size(&d, &size, &r), strings[i].status);
        CHECK_SAYS(r, strings[i].says);
    }
    for (i = 0; i < sizeof settings / sizeof *settings; i++) {
        vae_desc d = deep_desc();
        d.samples = 2;
        CHECK_STATUS(vae_desc_set(&d, settings[i].name, settings[i].value, &r), VAE_OK);
        CHECK_STATUS(vae_size(&d, &size, &r), VAE_ERR_VALUE);
        CHECK_SAYS(r, "z N");
        CHECK_SAYS(r, settings[i].says);
    }
}

/* Over a data set: the KL of each layer and of each of its latents; which latents are active. */
TEST(layers_and_latents_have_their_kl_over_a_data_set) {
    enum { ROWS = 70, N = 9, L = 6 };
    vae_desc d = digit_desc();
    vae_data data = digit_data(ROWS);
    vae_stats s;
    vae_info info;
    vae_tensor t;
    float elbo[ROWS], recon[ROWS], kl[ROWS], mu[ROWS * L];
    float *x = (float *)malloc(ROWS * 784 * sizeof(float));
    double sum[4] = {0, 0, 0, 0}, unit[2][N + L], alone[N + L];
    size_t i, j;
    vae *m = NULL;
    d.encoder = "dense 40 relu, z 9, dense 20 relu";
    d.decoder = "dense 20 relu, z 9, dense 40 relu";
    d.epochs = 5, d.lr = 3e-3;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    CHECK_STATUS(vae_fit(m, &data, NULL, NULL, NULL), VAE_OK);
    for (i = 0; vae_tensor_at(m, i, &t) == VAE_OK; i++) /* latent 2 of `z 9` has mu 0, logvar 0 */
        for (j = 0; !strncmp(t.name, "encoder.1.", 10) && j < t.count; j++)
            if (j % N == 2) t.data[j] = 0;
    CHECK_STATUS(vae_evaluate(m, &data, &s), VAE_OK);
    CHECK_STATUS(vae_data_read(&data, 0, ROWS, x), VAE_OK);
    CHECK_STATUS(vae_score(m, BATCH(x, ROWS), elbo, recon, kl), VAE_OK);
    for (i = 0; i < ROWS; i++)
        sum[0] += (double)recon[i] / ROWS, sum[1] += (double)kl[i] / ROWS;
    CHECK_NEAR(s.recon, sum[0], 1e-3); /* floats of some hundred nats */
    CHECK_NEAR(s.kl, sum[1], 1e-4);
    CHECK(s.layer_kl[0] + s.layer_kl[1] == s.kl);
    CHECK(s.layer_kl[0] > 0 && s.layer_kl[1] > 0 && s.layer_kl[2] == 0);
    vae_get_info(m, &info);
    CHECK_EQ(info.units, N + L);
    CHECK_STATUS(vae_units(m, &data, unit[0], unit[1]), VAE_OK);
    for (j = 0; j < N + L; j++) sum[2 + (j >= L)] += unit[0][j];
    CHECK_NEAR(sum[2], s.layer_kl[0], 1e-5); /* floats, summed in another order */
    CHECK_NEAR(sum[3], s.layer_kl[1], 1e-5);
    CHECK(unit[1][L + 2] == 0 && unit[1][L + 3] > 0);
    CHECK_STATUS(vae_encode(m, BATCH(x, ROWS), mu, NULL), VAE_OK);
    for (j = 0; j < L; j++) {
        double mean = 0, square = 0;
        for (i = 0; i < ROWS; i++)
            mean += (double)mu[i * L + j] / ROWS, square += pow((double)mu[i * L + j], 2) / ROWS;
        CHECK_NEAR(unit[1][j], square - mean * mean, 1e-9 * (1 + square));
    }
    for (i = 0; i < 2; i++) { /* each alone */
        CHECK_STATUS(vae_units(m, &data, i ? NULL : alone, i ? alone : NULL), VAE_OK);
        CHECK(!memcmp(alone, unit[i], sizeof alone));
    }
    vae_destroy(m);
    free(x);
    free((void *)(size_t)data.bytes);
}

#define ZERO "0000000000000000"
/* The sums of an epoch are saved with the rest; a file without them, of an earlier build, loads. */
TEST(training_has_the_kl_of_each_layer_across_a_resume) {
    float x[21 * DEEP_D];
    vae_data data;
    vae_desc d = deep_desc();
    vae_progress end;
    uint64_t at;
    watcher w;
    vae *m = NULL;
    small_images(x, 21, DEEP_D);
    data = float_data(x, 21, DEEP_D);
    d.epochs = 2;
    memset(&w, 0, sizeof w);
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    CHECK_STATUS(vae_fit(m, &data, NULL, watch, &w), VAE_OK);
    vae_destroy(m);
    end = w.last;
    CHECK(end.train.layer_kl[0] > 0 && end.train.layer_kl[1] > 0 && end.train.layer_kl[2] == 0);
    CHECK_NEAR(end.train.layer_kl[0] + end.train.layer_kl[1], end.train.kl, 1e-12 * end.train.kl);
    for (at = 1; at < w.calls; at++) {
        int older;
        size_t size;
        unsigned char *bytes;
        watcher rest;
        memset(&rest, 0, sizeof rest);
        rest.stop_at = at;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        CHECK_STATUS(vae_fit(m, &data, NULL, watch, &rest), VAE_STOPPED);
        bytes = file_of(m, 0, &size);
        vae_destroy(m);
        for (older = 0; older < 2; older++) {
            if (older) patch(bytes, size, "\"vae.layer_kl\"", "\"vae.LAYER_kl\"");
            m = obj_twin(bytes, size, 0, 1, VAE_ISA_AUTO, 0);
            CHECK_STATUS(vae_fit(m, &data, NULL, watch, &rest), VAE_OK);
            CHECK(older || !memcmp(&rest.last.train, &end.train, sizeof end.train));
            CHECK(rest.last.train.kl == end.train.kl);
            vae_destroy(m);
        }
        patch(bytes, size, "\"vae.LAYER_kl\"", "\"vae.layer_kl\"");
        patch(bytes, size, ZERO " " ZERO " " ZERO, ZERO " " ZERO " 000000000000000x"); /* unused */
        m = NULL;
        CHECK_STATUS(vae_load_memory(bytes, size, NULL, &m, NULL), VAE_ERR_FORMAT);
        free(bytes);
    }
    d.encoder = d.decoder = "dense 6 tanh"; /* one layer: no sums of its own */
    memset(&w, 0, sizeof w);
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    CHECK_STATUS(vae_fit(m, &data, NULL, watch, &w), VAE_OK);
    CHECK(w.last.train.layer_kl[0] == w.last.train.kl && w.last.train.layer_kl[1] == 0);
    vae_destroy(m);
}

TESTS(stochastic) {
    vae__fpenv env;
    vae__fp_enter(&env); /* see reference.h */
    RUN(two_layers_have_the_figures_of_plain_loops);
    RUN(gradients_of_two_layers_are_slopes_of_the_loss_in_double);
    RUN(gradients_hold_beside_other_layers_and_settings);
    RUN(an_upper_layer_that_is_ignored_gives_the_figures_of_one_layer);
    RUN(bounds_of_two_layers_rise_from_the_elbo);
    RUN(several_layers_have_the_same_bits_on_every_machine);
    RUN(files_and_shared_models_of_several_layers_keep_their_bits);
    RUN(noise_of_each_layer_has_its_address);
    RUN(a_decoder_alone_draws_or_passes_on_the_mean);
    RUN(encoding_and_reconstructing_pass_on_means);
    RUN(info_lists_the_stochastic_layers);
    RUN(strings_and_settings_that_do_not_fit_several_layers_are_told);
    RUN(layers_and_latents_have_their_kl_over_a_data_set);
    RUN(training_has_the_kl_of_each_layer_across_a_resume);
    vae__fp_leave(&env);
}
