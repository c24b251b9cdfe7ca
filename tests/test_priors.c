/* Priors other than N(0, I): mixture and vamp, against sums in double. */
#include "models.h"

enum { PRIOR_D = 6, PRIOR_L = 2, PRIOR_K = 3, PRIOR_ROWS = 8, PRIOR_MOST = 400 };

/* ---- references in double: a linear encoder and decoder, gaussian likelihood of variance 1 ---- */

typedef struct prior_case {
    const char *prior;
    int vamp, samples; /* vamp 2: a full covariance, whose A has one number */
    size_t k;
    vae_objective objective;
} prior_case;

static double prior_normal(const double *mean, const double *logvar, const double *z) {
    double sum = 0;
    int j;
    for (j = 0; j < PRIOR_L; j++)
        sum += (z[j] - mean[j]) * (z[j] - mean[j]) * exp(-logvar[j]) + logvar[j] + log(2 * acos(-1));
    return -0.5 * sum;
}
static void prior_head(const double *w, const double *x, double head[2 * PRIOR_L]) {
    int i, j;
    for (j = 0; j < 2 * PRIOR_L; j++) {
        head[j] = w[PRIOR_D * 2 * PRIOR_L + j];
        for (i = 0; i < PRIOR_D; i++) head[j] += x[i] * w[i * 2 * PRIOR_L + j];
    }
}
/* log p(z); `w` are all parameters. */
static double prior_log_p(const prior_case *c, const double *w, const double *z) {
    const double *p = w + (PRIOR_D + 1) * 2 * PRIOR_L;
    double top = -1e300, norm = 0, sum = 0, a[16];
    size_t k;
    for (k = 0; k < c->k; k++) {
        if (c->vamp == 1) {
            double head[2 * PRIOR_L];
            prior_head(w, p + k * PRIOR_D, head);
            a[k] = prior_normal(head, head + PRIOR_L, z);
            norm += 1;
        } else {
            const double *mean = p + c->k + k * PRIOR_L;
            double u[PRIOR_L];
            memcpy(u, z, sizeof u);
            if (c->vamp) u[1] += p[c->k * (1 + 2 * PRIOR_L) + k] * (z[0] - mean[0]);
            a[k] = p[k] + prior_normal(mean, p + c->k + (c->k + k) * PRIOR_L, u);
            norm += exp(p[k]);
        }
        top = a[k] > top ? a[k] : top;
    }
    for (k = 0; k < c->k; k++) sum += exp(a[k] - top);
    return top + log(sum) - log(norm);
}
static size_t prior_floats(const prior_case *c) {
    return c->vamp == 1 ? c->k * PRIOR_D : c->k * (1 + 2 * PRIOR_L + (c->vamp == 2));
}
/* The loss of a batch, beta 1. */
static double prior_loss(const prior_case *c, const double *w, const float *x, const float *eps) {
    const double *dec = w + (PRIOR_D + 1) * 2 * PRIOR_L + prior_floats(c);
    double loss = 0;
    size_t r, s;
    int i, j;
    for (r = 0; r < PRIOR_ROWS; r++) {
        double head[2 * PRIOR_L], xs[PRIOR_D], draws[8], sum = 0, top = -1e300;
        for (i = 0; i < PRIOR_D; i++) xs[i] = (double)x[r * PRIOR_D + i];
        prior_head(w, xs, head);
        for (s = 0; s < (size_t)c->samples; s++) {
            double z[PRIOR_L], term;
            for (j = 0; j < PRIOR_L; j++)
                z[j] = head[j] + exp(0.5 * head[PRIOR_L + j]) *
                       (double)eps[(r * (size_t)c->samples + s) * PRIOR_L + (size_t)j];
            term = prior_normal(head, head + PRIOR_L, z) - prior_log_p(c, w, z);
            for (i = 0; i < PRIOR_D; i++) {
                double m = dec[PRIOR_L * PRIOR_D + i];
                for (j = 0; j < PRIOR_L; j++) m += z[j] * dec[j * PRIOR_D + i];
                term += 0.5 * ((xs[i] - m) * (xs[i] - m) + log(2 * acos(-1)));
            }
            draws[s] = -term, sum += term;
            top = -term > top ? -term : top;
        }
        if (c->objective == VAE_OBJECTIVE_ELBO) {
            loss += sum / c->samples;
        } else {
            for (s = 0, sum = 0; s < (size_t)c->samples; s++) sum += exp(draws[s] - top);
            loss -= top + log(sum / c->samples);
        }
    }
    return loss / PRIOR_ROWS;
}

static vae_desc prior_desc(const prior_case *c) {
    vae_desc d;
    memset(&d, 0, sizeof d);
    d.input = "6", d.encoder = d.decoder = "", d.likelihood = "gaussian";
    d.latent = PRIOR_L, d.batch = PRIOR_ROWS, d.seed = 3, d.samples = c->samples;
    d.prior = c->prior, d.objective = c->objective, d.lr = 1e-30, d.keep_gradients = 1;
    return d;
}
/* The model, with random parameters; these too as doubles. */
static vae *prior_model(const prior_case *c, double *w) {
    const vae_desc d = prior_desc(c);
    uint64_t state = 11;
    vae_tensor t;
    vae_info info;
    vae *m = NULL;
    size_t i, n = 0;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    if (!m) return NULL;
    vae_get_info(m, &info);
    CHECK_EQ(info.parameters, (PRIOR_D + 1) * 2 * PRIOR_L + prior_floats(c) +
                                  (PRIOR_L + 1) * PRIOR_D);
    for (i = 0; i < info.tensors; i++) {
        CHECK_STATUS(vae_tensor_at(m, i, &t), VAE_OK);
        if (strcmp(t.name, "prior.input")) ref_fill_normal(&state, t.data, t.count, 0.5);
        else ref_fill_uniform(&state, t.data, t.count, 0.1, 0.9);
        for (n = 0; n < t.count; n++) w[(size_t)(t.data - m->w) + n] = (double)t.data[n];
    }
    return m;
}
static const prior_case prior_cases[] = {
    {"mixture 3", 0, 1, 3, VAE_OBJECTIVE_ELBO}, {"mixture 3", 0, 3, 3, VAE_OBJECTIVE_ELBO},
    {"mixture 1", 0, 2, 1, VAE_OBJECTIVE_ELBO}, {"mixture 3", 0, 4, 3, VAE_OBJECTIVE_IWAE},
    {"vamp 4", 1, 1, 4, VAE_OBJECTIVE_ELBO}, {"vamp 4", 1, 3, 4, VAE_OBJECTIVE_IWAE},
    {"vamp 12", 1, 2, 12, VAE_OBJECTIVE_ELBO}, {"mixture 3 full", 2, 2, 3, VAE_OBJECTIVE_IWAE},
    {"mixture 4 full", 2, 3, 4, VAE_OBJECTIVE_ELBO}
};
enum { PRIOR_CASES = sizeof prior_cases / sizeof *prior_cases };

/* Loss and every tensor's gradient, the encoder's and the pseudo-inputs' too, as in double. */
TEST(priors_have_the_gradients_of_directional_differences_in_double) {
    int n;
    for (n = 0; n < PRIOR_CASES; n++) {
        const prior_case *c = &prior_cases[n];
        float x[PRIOR_ROWS * PRIOR_D], eps[PRIOR_ROWS * 4 * PRIOR_L];
        double w[PRIOR_MOST], moved[PRIOR_MOST];
        uint64_t state = 21;
        vae *m = prior_model(c, w);
        vae_stats s;
        vae_info info;
        vae_tensor t;
        size_t i, j;
        int turn;
        if (!m) continue;
        vae_get_info(m, &info);
        ref_fill_uniform(&state, x, PRIOR_ROWS * PRIOR_D, 0, 1);
        ref_fill_normal(&state, eps, PRIOR_ROWS * 4 * PRIOR_L, 1);
        CHECK_STATUS(vae_train_step(m, BATCH(x, PRIOR_ROWS, .eps = eps), &s), VAE_OK);
        CHECK_NEAR(s.loss, prior_loss(c, w, x, eps), 2e-5);
        for (i = 0; i < info.tensors; i++) {
            CHECK_STATUS(vae_tensor_at(m, i, &t), VAE_OK);
            for (turn = 0; turn < 3; turn++) {
                const size_t at = (size_t)(t.data - m->w);
                double slope = 0, length = 0, high, low, along[PRIOR_MOST];
                for (j = 0; j < t.count; j++) {
                    along[j] = turn ? ref_normal(&state) : (double)t.grad[j];
                    length += along[j] * along[j];
                }
                if (!(length > 1e-20)) continue; /* mixture 1: its logit has no gradient */
                length = sqrt(length);
                for (j = 0; j < t.count; j++) slope += (double)t.grad[j] * along[j] / length;
                memcpy(moved, w, sizeof w);
                for (j = 0; j < t.count; j++) moved[at + j] = w[at + j] + 1e-5 * along[j] / length;
                high = prior_loss(c, moved, x, eps);
                for (j = 0; j < t.count; j++) moved[at + j] = w[at + j] - 1e-5 * along[j] / length;
                low = prior_loss(c, moved, x, eps);
                if (!(fabs(slope - (high - low) / 2e-5) <= 3e-6 * (1 + fabs(slope))))
                    test_report(__FILE__, __LINE__, "%s, %d draws, %s: %.9g, not %.9g", c->prior,
                                c->samples, t.name, slope, (high - low) / 2e-5);
            }
        }
        vae_destroy(m);
    }
}

/* A posterior of N(0, I) makes z of the given noise, so that -kl = log p(z) - log N(z): p(z) on a
 * grid adds up to one, and is the density of the reference. */
static void prior_standard(vae *m) {
    vae_tensor t;
    size_t i;
    for (i = 0; i < 2; i++) {
        CHECK_STATUS(vae_tensor_at(m, i, &t), VAE_OK);
        memset(t.data, 0, t.count * sizeof(float));
    }
}
TEST(densities_of_priors_integrate_to_one) {
    static float x[160 * PRIOR_D], eps[160 * PRIOR_L], kl[160];
    prior_case c = {"mixture 3", 0, 1, 3, VAE_OBJECTIVE_ELBO};
    double w[PRIOR_MOST], sum = 0, z[PRIOR_L];
    vae *m = prior_model(&c, w);
    int i, j;
    if (!m) return;
    prior_standard(m);
    for (i = -80; i < 80; i++) {
        for (j = -80; j < 80; j++)
            eps[2 * (j + 80)] = (float)i * 0.1f, eps[2 * (j + 80) + 1] = (float)j * 0.1f;
        CHECK_STATUS(vae_score(m, BATCH(x, 160, .eps = eps), NULL, NULL, kl), VAE_OK);
        for (j = 0; j < 160; j++) {
            double log_p;
            z[0] = (double)eps[2 * j], z[1] = (double)eps[2 * j + 1];
            log_p = -0.5 * (z[0] * z[0] + z[1] * z[1]) - log(2 * acos(-1)) - (double)kl[j];
            sum += exp(log_p) * 0.01;
            if (j % 7 == 0) CHECK_NEAR(log_p, prior_log_p(&c, w, z), 2e-5 + 3e-7 * fabs(log_p));
        }
    }
    CHECK_NEAR(sum, 1, 1e-4);
    vae_destroy(m);
}

/* Draws in cells of the plane, against the density in the cells' middles: chi squared, with the
 * cells that expect fewer than 10 together. */
static void prior_check_draws(const prior_case *c, vae *m, const double *w, float *z, size_t n) {
    double expect[400], chi = 0, rest = (double)n;
    size_t i, count[400], left = n;
    int cells = 0, j, a, b;
    memset(count, 0, sizeof count);
    CHECK_STATUS(vae_prior(m, BATCH(NULL, n), 5, z), VAE_OK);
    for (j = 0; j < 400; j++) {
        expect[j] = 0;
        for (a = 0; a < 10; a++)
            for (b = 0; b < 10; b++) {
                double at[PRIOR_L];
                at[0] = -5 + 0.5 * (j / 20) + 0.05 * (a + 0.5);
                at[1] = -5 + 0.5 * (j % 20) + 0.05 * (b + 0.5);
                expect[j] += exp(prior_log_p(c, w, at)) * 0.0025 * (double)n;
            }
    }
    for (i = 0; i < n; i++) {
        const double u = ((double)z[2 * i] + 5) * 2, v = ((double)z[2 * i + 1] + 5) * 2;
        if (u >= 0 && u < 20 && v >= 0 && v < 20) count[(int)u * 20 + (int)v]++;
    }
    for (j = 0; j < 400; j++) {
        if (expect[j] < 10) continue;
        chi += pow((double)count[j] - expect[j], 2) / expect[j];
        rest -= expect[j], left -= count[j], cells++;
    }
    chi += pow((double)left - rest, 2) / (rest > 1 ? rest : 1);
    CHECK(cells > 40);
    CHECK_NEAR(chi, cells, 4.5 * sqrt(2. * cells));
}
TEST(draws_of_priors_have_their_density) {
    static float z[20000 * PRIOR_L];
    int n;
    for (n = 0; n < PRIOR_CASES; n += 4) {
        double w[PRIOR_MOST];
        vae *m = prior_model(&prior_cases[n], w);
        if (!m) continue;
        prior_check_draws(&prior_cases[n], m, w, z, 20000);
        vae_destroy(m);
    }
}

/* One image, 20,000 draws: their mean log q - log p is the KL by quadrature. */
TEST(the_kl_of_draws_is_the_kl_by_quadrature) {
    static float x[2000 * PRIOR_D], kl[2000];
    int n;
    for (n = 0; n < PRIOR_CASES; n += 4) {
        const prior_case *c = &prior_cases[n];
        double w[PRIOR_MOST], xs[PRIOR_D], head[2 * PRIOR_L], z[PRIOR_L], want = 0, sum = 0,
            square = 0, deviation;
        vae *m = prior_model(c, w);
        size_t i, turn;
        int a, b;
        if (!m) continue;
        for (i = 0; i < PRIOR_D; i++) xs[i] = 0.1 + 0.15 * (double)i;
        for (i = 0; i < 2000 * PRIOR_D; i++) x[i] = (float)xs[i % PRIOR_D];
        prior_head(w, xs, head);
        for (a = -160; a <= 160; a++)
            for (b = -160; b <= 160; b++) {
                const double u = a / 20., v = b / 20.;
                const double q = exp(-0.5 * (u * u + v * v)) / (2 * acos(-1)) / 400;
                z[0] = head[0] + exp(0.5 * head[2]) * u, z[1] = head[1] + exp(0.5 * head[3]) * v;
                want += q * (prior_normal(head, head + 2, z) - prior_log_p(c, w, z));
            }
        for (turn = 0; turn < 10; turn++) {
            CHECK_STATUS(vae_score(m, BATCH(x, 2000, .first = (uint32_t)turn * 2000), NULL, NULL,
                                   kl), VAE_OK);
            for (i = 0; i < 2000; i++)
                sum += (double)kl[i] / 20000, square += (double)kl[i] * (double)kl[i] / 20000;
        }
        deviation = sqrt((square - sum * sum) / 20000);
        CHECK(deviation < 0.02);
        CHECK_NEAR(sum, want, 4 * deviation);
        vae_destroy(m);
    }
}

/* mixture 1 at mean 0 and log variance 0, and vamp where every pseudo-input's posterior is
 * N(0, I): draws, bounds and an importance-weighted step are those of `normal`, but for rounding in
 * another order. */
static void prior_same(vae *m, vae *plain) {
    float x[40 * 30], z[40 * 3], y[40 * 3], a[40], b[40];
    vae_stats s, t;
    size_t i;
    small_images(x, 40, 30);
    CHECK_STATUS(vae_prior(m, BATCH(NULL, 40), 4, z), VAE_OK);
    CHECK_STATUS(vae_prior(plain, BATCH(NULL, 40), 4, y), VAE_OK);
    CHECK(!memcmp(z, y, sizeof z));
    CHECK_STATUS(vae_bound(m, BATCH(x, 40), 6, a), VAE_OK);
    CHECK_STATUS(vae_bound(plain, BATCH(x, 40), 6, b), VAE_OK);
    for (i = 0; i < 40; i++) CHECK_NEAR((double)a[i], (double)b[i], 2e-5);
    for (i = 0; i < 5; i++) {
        CHECK_STATUS(vae_train_step(m, BATCH(x, 8), &s), VAE_OK);
        CHECK_STATUS(vae_train_step(plain, BATCH(x, 8), &t), VAE_OK);
        CHECK_NEAR(s.bound, t.bound, 2e-5);
    }
}
TEST(a_prior_that_is_standard_gives_the_figures_of_normal) {
    int way;
    for (way = 0; way < 2; way++) {
        vae_desc d = small_desc();
        vae *m = NULL, *plain = NULL;
        vae_tensor t;
        vae_info info;
        size_t i;
        d.samples = 4, d.objective = VAE_OBJECTIVE_IWAE, d.lr = 1e-30;
        CHECK_STATUS(vae_create(&d, &plain, NULL), VAE_OK);
        d.prior = way ? "vamp 3" : "mixture 1";
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        if (!m) continue;
        vae_get_info(m, &info);
        for (i = 0; i < info.tensors; i++) {
            vae_tensor from;
            size_t j;
            CHECK_STATUS(vae_tensor_at(m, i, &t), VAE_OK);
            if (!strncmp(t.name, "prior.", 6)) {
                if (!way) memset(t.data, 0, t.count * sizeof(float));
                continue;
            }
            for (j = 0; j < info.tensors; j++)
                if (!vae_tensor_at(plain, j, &from) && !strcmp(from.name, t.name))
                    memcpy(t.data, from.data, t.count * sizeof(float));
            if (!way || strncmp(t.name, "encoder.head", 12)) continue;
            memset(t.data, 0, t.count * sizeof(float)); /* every posterior is N(0, I) */
            for (j = 0; j < info.tensors; j++)
                if (!vae_tensor_at(plain, j, &from) && !strcmp(from.name, t.name))
                    memset(from.data, 0, t.count * sizeof(float));
        }
        prior_same(m, plain);
        vae_destroy(m), vae_destroy(plain);
    }
}

/* What a prior goes together with, for bits: labels, an average of the weights, draws, a spread. */
static int prior_net(int n, vae_desc *d) {
    *d = small_desc();
    d->lr = 1e-2;
    switch (n) {
    case 0: d->prior = "mixture 5"; return 1;
    case 1: d->prior = "mixture 3", d->samples = 3, d->objective = VAE_OBJECTIVE_IWAE; return 1;
    case 2: d->prior = "mixture 2", d->ema = 0.9, d->decoder = "label 3, dense 9 relu"; return 1;
    case 3:
        d->prior = "mixture 4", d->posterior = "normal softplus code tanh";
        d->encoder = "conv 4 3x3/2, batchnorm relu, dropout 0.2, label 3";
        return 1;
    case 4: d->prior = "vamp 5"; return 1;
    case 5:
        d->prior = "vamp 20", d->samples = 3, d->objective = VAE_OBJECTIVE_IWAE, d->ema = 0.9;
        d->encoder = "conv 4 3x3/2, layernorm relu, dropout 0.2";
        return 1;
    case 6:
        d->prior = "vamp 3", d->posterior = "normal softplus code tanh", d->corrupt = VAE_CORRUPT_MASK;
        d->decoder = "label 3, dense 9 relu", d->likelihood = "gaussian";
        return 1;
    case 7:
        d->prior = "mixture 3 full", d->posterior = "normal full, planar 2", d->samples = 2;
        d->ema = 0.9;
        return 1;
    default: return 0;
    }
}
static const int32_t prior_labels[] = {2, 0, 1, 1};
static void prior_steps(vae *m, int steps) {
    float x[11 * 30];
    int i;
    small_images(x, 11, 30);
    for (i = 0; i < steps; i++)
        CHECK_STATUS(vae_train_step(m, BATCH(x, i % 2 ? 5 : 8, .labels = prior_labels,
                                             .label_count = 4), NULL), VAE_OK);
}
enum { PRIOR_OUT = 19 * (3 + 3 + 3 + 30 + 30 + 3 + 1) };
static void prior_use(vae *m, float *out) {
    float x[19 * 30];
    const vae_batch b = *BATCH(x, 19, .first = 40, .labels = prior_labels, .label_count = 4);
    small_images(x, 19, 30);
    CHECK_STATUS(vae_encode(m, &b, out, NULL), VAE_OK);
    CHECK_STATUS(vae_posterior(m, &b, out + 57), VAE_OK);
    CHECK_STATUS(vae_prior(m, &b, 6, out + 114), VAE_OK);
    CHECK_STATUS(vae_sample_prior(m, &b, 6, out + 171), VAE_OK);
    CHECK_STATUS(vae_reconstruct(m, &b, out + 171 + 570), VAE_OK);
    CHECK_STATUS(vae_score(m, &b, out + 1311, out + 1330, out + 1349), VAE_OK);
    CHECK_STATUS(vae_bound(m, &b, 5, out + 1368), VAE_OK);
}
TEST(priors_have_equal_bits_on_every_isa_and_number_of_threads) {
    int n, run;
    vae_desc d;
    for (n = 0; prior_net(n, &d); n++) {
        float first[PRIOR_OUT], out[PRIOR_OUT];
        uint64_t hash = 0;
        for (run = VAE_ISA_PORTABLE; run < VAE_ISA_COUNT + 3; run++) {
            vae *m = NULL;
            if (run < VAE_ISA_COUNT && !vae_isa_available((vae_isa)run)) continue;
            d.isa = run < VAE_ISA_COUNT ? (vae_isa)run : VAE_ISA_AUTO;
#ifdef VAE__THREADS
            d.threads = run < VAE_ISA_COUNT ? 1 : run - VAE_ISA_COUNT + 2;
#endif
            CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
            if (!m) break;
            prior_steps(m, 6);
            prior_use(m, out);
            if (run == VAE_ISA_PORTABLE) {
                memcpy(first, out, sizeof out);
                hash = vae_params_hash(m);
            }
            if (hash != vae_params_hash(m) || memcmp(first, out, sizeof out))
                test_report(__FILE__, __LINE__, "prior %d, isa %d, threads %d: other bits", n,
                            (int)d.isa, d.threads);
            vae_destroy(m);
        }
    }
}

/* Files, and a run that is resumed; other buffers, for inference, shared. */
TEST(priors_are_saved_resumed_and_shared_with_their_bits) {
    int n, way;
    vae_desc d;
    for (n = 0; prior_net(n, &d); n++) {
        float first[PRIOR_OUT], out[PRIOR_OUT];
        unsigned char *bytes;
        size_t size;
        vae_load_options o;
        vae_desc got;
        vae *m = NULL, *twin = NULL;
        memset(&o, 0, sizeof o);
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        if (!m) continue;
        prior_steps(m, 4);
        prior_use(m, first);
        bytes = file_of(m, 0, &size);
        for (way = 0; way < 4; way++) {
            twin = obj_twin(bytes, size, way % 2 ? 64 : 5, way / 2 ? 3 : 1, VAE_ISA_AUTO, way / 2);
            vae_get_desc(twin, &got);
            CHECK(!strcmp(got.prior, d.prior));
            prior_use(twin, out);
            CHECK_EQ(ref_differ(PRIOR_OUT, out, first), PRIOR_OUT);
            vae_destroy(twin);
        }
        CHECK_STATUS(vae_share(m, &o, &twin, NULL), VAE_OK);
        prior_use(twin, out);
        CHECK_EQ(ref_differ(PRIOR_OUT, out, first), PRIOR_OUT);
        vae_destroy(twin);
        twin = obj_twin(bytes, size, 8, 2, VAE_ISA_PORTABLE, 0);
        prior_steps(m, 4), prior_steps(twin, 4);
        CHECK(vae_params_hash(m) == vae_params_hash(twin));
        vae_destroy(twin);
        free(bytes);
        bytes = file_of(m, VAE_SAVE_WEIGHTS_ONLY, &size);
        twin = obj_twin(bytes, size, 8, 1, VAE_ISA_AUTO, 0);
        prior_use(m, first), prior_use(twin, out);
        CHECK_EQ(ref_differ(PRIOR_OUT, out, first), PRIOR_OUT);
        free(bytes);
        vae_destroy(m), vae_destroy(twin);
    }
}

TEST(training_a_prior_raises_the_bound_above_that_of_normal) {
    static const char *const priors[] = {"normal", "mixture 10", "vamp 20"};
    vae_data data = digit_data(200);
    double elbo[3];
    int n;
    for (n = 0; n < 3; n++) {
        vae_desc d = digit_desc();
        vae_stats s;
        vae *m = NULL;
        d.prior = priors[n], d.epochs = 30, d.latent = 2, d.lr = 3e-3;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        if (!m) return;
        CHECK_STATUS(vae_fit(m, &data, NULL, NULL, NULL), VAE_OK);
        CHECK_STATUS(vae_evaluate(m, &data, &s), VAE_OK);
        elbo[n] = s.elbo;
        vae_destroy(m);
    }
    CHECK(elbo[1] > elbo[0] + 0.5 && elbo[2] > elbo[0] + 0.5);
    free((void *)(size_t)data.bytes);
}

/* vae_fit begins them as images; those that the caller gave stay. */
TEST(pseudo_inputs_that_were_given_stay) {
    vae_data data = digit_data(40);
    int way;
    for (way = 0; way < 3; way++) { /* 0: none is given; 2: through a file */
        static float image[784];
        double off = 0, least = 1e9; /* from what was given, from the nearest image */
        void *file = NULL;
        size_t size = 0;
        vae_desc d = digit_desc();
        vae *m = NULL;
        vae_tensor t;
        size_t i, k;
        d.prior = "vamp 3", d.epochs = 1, d.lr = 1e-30;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        if (!m) break;
        for (i = 0; !vae_tensor_at(m, i, &t) && strcmp(t.name, "prior.input"); i++) {}
        for (k = 0; k < 784; k++) image[k] = (float)(k % 7) / 8;
        if (way) memcpy(t.data, image, sizeof image);
        if (way) CHECK_STATUS(vae_tensor_set(m, i, t.data), VAE_OK);
        if (way == 2) {
            CHECK_STATUS(vae_save_size(m, 0, &size), VAE_OK);
            file = malloc(size);
            CHECK_STATUS(vae_save_memory(m, 0, file, size), VAE_OK);
            vae_destroy(m);
            CHECK_STATUS(vae_load_memory(file, size, NULL, &m, NULL), VAE_OK);
            CHECK_STATUS(vae_tensor_at(m, i, &t), VAE_OK);
        }
        CHECK_STATUS(vae_fit(m, &data, NULL, NULL, NULL), VAE_OK);
        for (k = 0; k < 784; k++) off += fabs((double)t.data[k] - (double)image[k]);
        for (i = 0; i < data.count; i++) {
            double apart = 0;
            CHECK_STATUS(vae_data_read(&data, i, 1, image), VAE_OK);
            for (k = 0; k < 784; k++) apart += fabs((double)t.data[k] - (double)image[k]);
            least = apart < least ? apart : least;
        }
        CHECK(way ? off < 1e-6 && least > 1 : off > 1 && least < 1e-6);
        for (k = 784; way && k < 2352; k += 784) { /* the others are images */
            for (i = 0, least = 1e9; i < data.count; i++) {
                double apart = 0;
                size_t j;
                CHECK_STATUS(vae_data_read(&data, i, 1, image), VAE_OK);
                for (j = 0; j < 784; j++)
                    apart += fabs((double)t.data[k + j] - (double)image[j]);
                least = apart < least ? apart : least;
            }
            CHECK(least < 1e-6);
        }
        vae_destroy(m);
        free(file);
    }
    free((void *)(size_t)data.bytes);
}

/* An autoencoder has no draws for the KL; its prior is there for sampling alone. */
TEST(an_autoencoder_may_have_a_prior_to_sample_from) {
    vae_desc d = small_desc();
    float x[8 * 30], kl[8], before[64];
    vae_stats s;
    vae_tensor t;
    vae_report r;
    vae *m = NULL;
    size_t i;
    small_images(x, 8, 30);
    d.no_noise = 1, d.prior = "mixture 4";
    CHECK_STATUS(vae_create(&d, &m, &r), VAE_ERR_VALUE);
    CHECK_SAYS(r, "no_noise");
    d.no_kl = 1;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    for (i = 0; i < 20 && !vae_tensor_at(m, i, &t); i++)
        if (!strcmp(t.name, "prior.mean")) break;
    memcpy(before, t.data, t.count * sizeof(float));
    CHECK_STATUS(vae_train_step(m, BATCH(x, 8), &s), VAE_OK);
    CHECK(s.kl == 0 && s.loss > 0);
    CHECK(!memcmp(before, t.data, t.count * sizeof(float)));
    CHECK_STATUS(vae_score(m, BATCH(x, 8), NULL, NULL, kl), VAE_OK);
    CHECK(kl[7] == 0);
    CHECK_STATUS(vae_sample_prior(m, BATCH(NULL, 8), 1, x), VAE_OK);
    vae_destroy(m);
}

TEST(priors_refuse_what_makes_no_sense) {
    static const struct { const char *prior, *encoder, *says; int way; vae_status status; } rows[] = {
        {"mixture", "dense 4", "the number K", 0, VAE_ERR_SYNTAX},
        {"mixture 0", "dense 4", "must lie from 1 to 4096", 0, VAE_ERR_SYNTAX},
        {"mixture 5000", "dense 4", "must lie from 1 to 4096", 0, VAE_ERR_SYNTAX},
        {"mixture 3 fully", "dense 4", "full or the end", 0, VAE_ERR_SYNTAX},
        {"mixture 3", "dense 4", "free_bits", 1, VAE_ERR_VALUE},
        {"mixture 3", "dense 4", "dreg", 2, VAE_ERR_VALUE},
        {"vamp", "dense 4", "the number K", 0, VAE_ERR_SYNTAX},
        {"vamp 3", "label 3, dense 4", "label", 0, VAE_ERR_VALUE},
        {"vamp 3", "batchnorm, dense 4", "batchnorm", 0, VAE_ERR_VALUE},
        {"vamp 3", "dense 4", "contract", 3, VAE_ERR_VALUE},
    };
    size_t i;
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        vae_desc d = small_desc();
        vae_report r;
        vae *m = NULL;
        d.prior = rows[i].prior, d.encoder = rows[i].encoder;
        if (rows[i].way == 1) d.free_bits = 0.1;
        if (rows[i].way == 2) d.objective = VAE_OBJECTIVE_DREG, d.samples = 3;
        if (rows[i].way == 3) d.contract = 0.1;
        CHECK_STATUS(vae_create(&d, &m, &r), rows[i].status);
        CHECK_SAYS(r, rows[i].says);
    }
}

TESTS(priors) {
    vae__fpenv env;
    vae__fp_enter(&env); /* see reference.h */
    RUN(priors_have_the_gradients_of_directional_differences_in_double);
    RUN(densities_of_priors_integrate_to_one);
    RUN(draws_of_priors_have_their_density);
    RUN(the_kl_of_draws_is_the_kl_by_quadrature);
    RUN(a_prior_that_is_standard_gives_the_figures_of_normal);
    RUN(priors_have_equal_bits_on_every_isa_and_number_of_threads);
    RUN(priors_are_saved_resumed_and_shared_with_their_bits);
    RUN(training_a_prior_raises_the_bound_above_that_of_normal);
    RUN(pseudo_inputs_that_were_given_stay);
    RUN(an_autoencoder_may_have_a_prior_to_sample_from);
    RUN(priors_refuse_what_makes_no_sense);
    vae__fp_leave(&env);
}
