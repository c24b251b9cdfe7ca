/* Prior `mixture K full`: its density against doubles, its gradients, draws, bits; mixtures whose A
 * is 1 against `mixture K`. */
#include "models.h"

enum { MIX_L = 5, MIX_K = 3, MIX_BELOW = MIX_L * (MIX_L - 1) / 2, MIXED_ROWS = 40 };

static vae_tensor mix_tensor(vae *m, const char *name) {
    vae_tensor t;
    size_t i;
    memset(&t, 0, sizeof t);
    for (i = 0; !vae_tensor_at(m, i, &t) && strcmp(t.name, name); i++) {}
    CHECK(t.name && !strcmp(t.name, name));
    return t;
}
/* A model with random components; the posterior of every image is N(0, I) when `standard`. */
static vae *mix_model(const char *prior, int standard) {
    static const char *const names[] = {"prior.logit", "prior.mean", "prior.logvar", "prior.lower"};
    vae_desc d = small_desc();
    uint64_t state = 8;
    vae_tensor t;
    vae *m = NULL;
    int i;
    d.latent = MIX_L, d.prior = prior, d.keep_gradients = 1, d.samples = 2;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    if (!m) return NULL;
    for (i = 0; i < 3 + (strstr(prior, "full") != NULL); i++) {
        t = mix_tensor(m, names[i]);
        ref_fill_normal(&state, t.data, t.count, i == 1 ? 1 : 0.7);
    }
    if (standard)
        for (i = 0; i < 2; i++) {
            t = mix_tensor(m, i ? "encoder.head.bias" : "encoder.head.weight");
            memset(t.data, 0, t.count * sizeof(float));
        }
    return m;
}
/* u = A (z - mean) of component k. */
static void mix_u(vae *m, int k, const float *z, double u[MIX_L]) {
    const float *mean = mix_tensor(m, "prior.mean").data + k * MIX_L;
    const float *below = mix_tensor(m, "prior.lower").data + k * MIX_BELOW;
    int i, j;
    for (i = 0; i < MIX_L; i++) u[i] = (double)z[i] - (double)mean[i];
    for (j = 0; j < MIX_L; j++)
        for (i = j + 1; i < MIX_L; i++)
            u[i] += (double)*below++ * ((double)z[j] - (double)mean[j]);
}
static double mix_log_p(vae *m, const float *z) {
    const float *logit = mix_tensor(m, "prior.logit").data;
    const float *logvar = mix_tensor(m, "prior.logvar").data;
    double sum = 0, norm = 0, u[MIX_L];
    int k, j;
    for (k = 0; k < MIX_K; k++) {
        double log = (double)logit[k];
        norm += exp(log);
        mix_u(m, k, z, u);
        for (j = 0; j < MIX_L; j++) {
            const double v = (double)logvar[k * MIX_L + j];
            log -= 0.5 * (u[j] * u[j] * exp(-v) + v + 1.8378770664093454836);
        }
        sum += exp(log);
    }
    return log(sum) - log(norm);
}

/* kl = log N(z) - log p(z) where the posterior is N(0, I). */
TEST(a_full_mixture_has_its_density_in_double) {
    vae *m = mix_model("mixture 3 full", 1);
    float x[MIXED_ROWS * 30], eps[MIXED_ROWS * MIX_L], kl[MIXED_ROWS];
    uint64_t state = 3;
    int r, j;
    if (!m) return;
    small_images(x, MIXED_ROWS, 30);
    ref_fill_normal(&state, eps, MIXED_ROWS * MIX_L, 1.5);
    CHECK_STATUS(vae_score(m, BATCH(x, MIXED_ROWS, .eps = eps), NULL, NULL, kl), VAE_OK);
    for (r = 0; r < MIXED_ROWS; r++) {
        const float *z = eps + r * MIX_L;
        double log_n = 0;
        for (j = 0; j < MIX_L; j++)
            log_n -= 0.5 * ((double)z[j] * (double)z[j] + 1.8378770664093454836);
        CHECK_NEAR(log_n - (double)kl[r], mix_log_p(m, z), 2e-5 + 1e-6 * fabs(log_n));
    }
    vae_destroy(m);
}

TEST(a_full_mixture_has_the_gradients_of_differences) {
    vae *m = mix_model("mixture 3 full", 0);
    float x[8 * 30];
    double worst = 7;
    if (!m) return;
    small_images(x, 8, 30);
    CHECK_STATUS(vae_check_gradients(m, BATCH(x, 8), 6, &worst), VAE_OK);
    CHECK(worst < 1e-2);
    vae_destroy(m);
}

/* The same noise makes u of both: what is solved gives u of the diagonal mixture back. */
TEST(draws_of_a_full_mixture_solve_for_those_of_a_diagonal_one) {
    vae *full = mix_model("mixture 3 full", 0), *plain = mix_model("mixture 3", 0);
    float z[MIXED_ROWS * MIX_L], y[MIXED_ROWS * MIX_L];
    int r, k, j, found[MIX_K] = {0, 0, 0}, missed = 0;
    if (!full || !plain) return;
    CHECK_STATUS(vae_prior(full, BATCH(NULL, MIXED_ROWS), 4, z), VAE_OK);
    CHECK_STATUS(vae_prior(plain, BATCH(NULL, MIXED_ROWS), 4, y), VAE_OK);
    for (r = 0; r < MIXED_ROWS; r++) {
        int of = -1;
        for (k = 0; k < MIX_K; k++) {
            const float *mean = mix_tensor(plain, "prior.mean").data + k * MIX_L;
            double u[MIX_L], gap = 0;
            mix_u(full, k, z + r * MIX_L, u);
            for (j = 0; j < MIX_L; j++)
                gap += fabs(u[j] + (double)mean[j] - (double)y[r * MIX_L + j]);
            if (gap < 1e-4) of = k;
        }
        if (of < 0) missed++;
        else found[of]++;
    }
    CHECK_EQ(missed, 0);
    CHECK(found[0] && found[1] && found[2]);
    CHECK(memcmp(z, y, sizeof z));
    vae_destroy(full), vae_destroy(plain);
}

/* A = 1: density, draws and gradients have the bits of the diagonal mixture. */
TEST(a_full_mixture_without_correlations_is_the_diagonal_one) {
    static const char *const names[] = {"prior.logit", "prior.mean", "prior.logvar",
                                        "encoder.head.weight"};
    vae *m[2];
    vae_tensor t;
    float x[8 * 30], kl[2][8], z[2][8 * MIX_L], grad[200];
    int way, i;
    m[0] = mix_model("mixture 3", 0), m[1] = mix_model("mixture 3 full", 0);
    if (!m[0] || !m[1]) return;
    memset(mix_tensor(m[1], "prior.lower").data, 0, MIX_K * MIX_BELOW * sizeof(float));
    for (i = 0; !vae_tensor_at(m[0], (size_t)i, &t); i++)
        memcpy(mix_tensor(m[1], t.name).data, t.data, t.count * sizeof(float));
    small_images(x, 8, 30);
    for (way = 0; way < 2; way++) {
        CHECK_STATUS(vae_score(m[way], BATCH(x, 8), NULL, NULL, kl[way]), VAE_OK);
        CHECK_STATUS(vae_prior(m[way], BATCH(NULL, 8), 2, z[way]), VAE_OK);
        CHECK_STATUS(vae_train_step(m[way], BATCH(x, 8), NULL), VAE_OK);
    }
    CHECK(!memcmp(kl[0], kl[1], sizeof kl[0]) && !memcmp(z[0], z[1], sizeof z[0]));
    for (i = 0; i < 4; i++) {
        const vae_tensor a = mix_tensor(m[0], names[i]), b = mix_tensor(m[1], names[i]);
        CHECK_EQ(a.count, b.count);
        CHECK(a.count <= 200);
        memcpy(grad, a.grad, a.count * sizeof(float));
        CHECK_EQ(ref_differ(a.count, grad, b.grad), a.count);
    }
    CHECK_NEAR((double)mix_tensor(m[1], "prior.lower").grad[0], 0, 10); /* finite */
    vae_destroy(m[0]), vae_destroy(m[1]);
}

/* Numbers that belong together: training finds the correlation, and a bound above `mixture 1`'s. */
TEST(training_a_full_mixture_finds_correlations) {
    static const char *const priors[] = {"mixture 1", "mixture 1 full"};
    vae_data data = digit_data(200);
    double elbo[2];
    int n;
    for (n = 0; n < 2; n++) {
        vae_desc d = digit_desc();
        vae_stats s;
        vae *m = NULL;
        d.prior = priors[n], d.epochs = 20, d.latent = 4, d.lr = 3e-3;
        d.posterior = "normal full";
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        if (!m) return;
        CHECK_STATUS(vae_fit(m, &data, NULL, NULL, NULL), VAE_OK);
        CHECK_STATUS(vae_evaluate(m, &data, &s), VAE_OK);
        elbo[n] = s.elbo;
        if (n) CHECK(fabs((double)mix_tensor(m, "prior.lower").data[0]) > 1e-3);
        vae_destroy(m);
    }
    CHECK(elbo[1] > elbo[0] - 1);
    free((void *)(size_t)data.bytes);
}

TEST(a_full_mixture_is_written_and_refused_by_its_rules) {
    static const struct { const char *prior; int latent; const char *says; } rows[] = {
        {"mixture 3 full", 65, "at most 64 latents"}, {"mixture 3 wide", 3, "full or the end"},
        {"mixture full", 3, "the number K"}, {"mixture 3 full 2", 3, "the end"},
        {"vamp 3 full", 3, "the end"}};
    vae_desc d = small_desc(), got;
    vae_report r;
    vae *m = NULL;
    size_t i;
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        d.prior = rows[i].prior, d.latent = rows[i].latent;
        CHECK(vae_create(&d, &m, &r) != VAE_OK);
        CHECK_SAYS(r, rows[i].says);
    }
    for (i = 0; i < 2; i++) { /* a single latent has no correlations */
        d.prior = " mixture  2full", d.latent = i ? 64 : 1;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        vae_get_desc(m, &got);
        CHECK(!strcmp(got.prior, "mixture 2 full"));
        vae_destroy(m);
    }
}

/* Solving with large numbers below the diagonal overflows. */
TEST(codes_of_a_prior_that_are_not_finite_are_an_error) {
    vae_desc d;
    vae *m = NULL;
    float z[3 * 4], *lower;
    size_t i;
    memset(&d, 0, sizeof d);
    d.input = "4", d.encoder = "", d.decoder = "", d.latent = 3, d.prior = "mixture 2 full";
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    if (!m) return;
    CHECK_STATUS(vae_prior(m, BATCH(NULL, 4), 3, z), VAE_OK);
    lower = m->w + m->tensors[m->ops[m->dec.first - 1].tensor + 3].offset;
    for (i = 0; i < 6; i++) lower[i] = 3e38f;
    CHECK_STATUS(vae_prior(m, BATCH(NULL, 4), 3, z), VAE_ERR_NONFINITE);
    vae_destroy(m);
}

TESTS(mixtures) {
    vae__fpenv env;
    vae__fp_enter(&env); /* see reference.h */
    RUN(a_full_mixture_has_its_density_in_double);
    RUN(a_full_mixture_has_the_gradients_of_differences);
    RUN(draws_of_a_full_mixture_solve_for_those_of_a_diagonal_one);
    RUN(a_full_mixture_without_correlations_is_the_diagonal_one);
    RUN(training_a_full_mixture_finds_correlations);
    RUN(a_full_mixture_is_written_and_refused_by_its_rules);
    RUN(codes_of_a_prior_that_are_not_finite_are_an_error);
    vae__fp_leave(&env);
}
