/* Loss and gradients of whole models against the reference in double, and the reference against
 * finite differences of itself. */
#include "reference.h"

enum { LOSSES_INPUT = 7, LOSSES_LATENT = 3, LOSSES_ROWS = 5, LOSSES_HIDDEN = 6 };

/* ---- one small model, and the reference of it ---- */

typedef struct losses_case {
    vae_act act;
    vae_likelihood likelihood;
    int no_noise, no_kl, samples;
    double beta;
    uint64_t warmup, step; /* the model stands before this step */
    vae_isa isa;
} losses_case;

/* The kinds of objective, for each activation and likelihood. */
static const losses_case losses_kinds[] = {
    {VAE_ACT_IDENTITY, VAE_LIKELIHOOD_BERNOULLI, 0, 0, 1, 1, 0, 0, VAE_ISA_AUTO},
    {VAE_ACT_IDENTITY, VAE_LIKELIHOOD_BERNOULLI, 1, 0, 1, 1, 0, 0, VAE_ISA_AUTO},   /* no noise */
    {VAE_ACT_IDENTITY, VAE_LIKELIHOOD_BERNOULLI, 0, 1, 1, 1, 0, 0, VAE_ISA_AUTO},   /* no KL */
    {VAE_ACT_IDENTITY, VAE_LIKELIHOOD_BERNOULLI, 1, 1, 1, 1, 0, 0, VAE_ISA_AUTO},   /* plain */
    {VAE_ACT_IDENTITY, VAE_LIKELIHOOD_BERNOULLI, 0, 0, 3, 1, 0, 0, VAE_ISA_AUTO},   /* L = 3 */
    {VAE_ACT_IDENTITY, VAE_LIKELIHOOD_BERNOULLI, 0, 0, 2, 4, 0, 3, VAE_ISA_AUTO},   /* beta 4 */
    {VAE_ACT_IDENTITY, VAE_LIKELIHOOD_BERNOULLI, 0, 0, 1, 0.5, 8, 2, VAE_ISA_AUTO}, /* warm-up */
};
enum { LOSSES_KINDS = sizeof losses_kinds / sizeof losses_kinds[0] };

typedef struct losses_world {
    vae *m;
    ref_vae ref;
    ref_layer enc[3], dec[3];
    float x[LOSSES_ROWS * LOSSES_INPUT];
    double *params, *inputs, *eps, *grad; /* in double; eps after a forward pass */
    size_t count;
    vae_stats stats;
} losses_world;

/* beta of this step: rising linearly from 0 over the warm-up. */
static double losses_beta(const losses_case *c) {
    if (c->no_kl) return 0;
    return c->step < c->warmup ? c->beta * (double)c->step / (double)c->warmup : c->beta;
}

/* "dense 6 ACT, ACT" and back: the activation once behind a layer, once alone. */
static int losses_open(losses_world *w, const losses_case *c) {
    const char *name = vae_choice_name(VAE_CHOICE_ACT, (int)c->act);
    uint64_t state = 60 + (uint64_t)c->act;
    char text[60];
    vae_desc d;
    vae_info info;
    vae_report r;
    size_t i;
    memset(w, 0, sizeof *w);
    memset(&d, 0, sizeof d);
    memset(&r, 0, sizeof r);
    strcpy(text, "dense 6 "), strcat(text, name), strcat(text, ", "), strcat(text, name);
    d.input = "7", d.encoder = d.decoder = text;
    d.latent = LOSSES_LATENT, d.likelihood = c->likelihood, d.variance = 0.3;
    d.beta = c->beta, d.no_kl = c->no_kl, d.no_noise = c->no_noise, d.samples = c->samples;
    d.warmup = c->warmup, d.batch = LOSSES_ROWS, d.seed = 5, d.isa = c->isa;
    d.keep_gradients = 1;
    CHECK_STATUS(vae_create(&d, &w->m, &r), VAE_OK);
    if (!w->m) return 0;
    w->m->step = c->step;
    vae_get_info(w->m, &info);
    w->count = info.parameters;
    for (i = 0; i < w->count; i++) /* biases too, away from 0 */
        w->m->w[i] = (float)((double)w->m->w[i] + 0.3 * ref_normal(&state));
    for (i = 0; i < LOSSES_ROWS * LOSSES_INPUT; i++)
        w->x[i] = (float)(i % 4 ? ref_uniform(&state, 0, 1) : (double)(i / 4 % 2));
    w->params = ref_doubles(w->count), w->grad = ref_doubles(w->count);
    w->inputs = ref_doubles(LOSSES_ROWS * LOSSES_INPUT);
    w->eps = ref_doubles(LOSSES_ROWS * (size_t)c->samples * LOSSES_LATENT);
    for (i = 0; i < w->count; i++) w->params[i] = (double)w->m->w[i];
    for (i = 0; i < LOSSES_ROWS * LOSSES_INPUT; i++) w->inputs[i] = (double)w->x[i];
    w->enc[0].width = w->dec[0].width = LOSSES_HIDDEN;
    w->enc[0].act = w->dec[0].act = w->enc[1].act = w->dec[1].act = c->act;
    w->enc[2].width = 2 * LOSSES_LATENT, w->dec[2].width = LOSSES_INPUT;
    w->ref.input = LOSSES_INPUT, w->ref.latent = LOSSES_LATENT, w->ref.rows = LOSSES_ROWS;
    w->ref.samples = (size_t)c->samples, w->ref.enc = w->enc, w->ref.dec = w->dec;
    w->ref.enc_count = w->ref.dec_count = 3;
    w->ref.likelihood = c->likelihood, w->ref.variance = 0.3;
    w->ref.beta = losses_beta(c), w->ref.no_noise = c->no_noise;
    return 1;
}

/* Both passes of the library over some rows, as a training step runs them. */
static void losses_pass(vae *m, const float *x, size_t rows, vae_stats *stats) {
    vae__pass pass;
    memset(&pass, 0, sizeof pass);
    pass.m = m, pass.x = x, pass.rows = rows, pass.backward = 1;
    CHECK(vae__run_pass(&pass, stats));
    if (m->g) CHECK(vae__run_gradients(m, x, rows, NULL) == NULL);
}
static void losses_run(losses_world *w) {
    size_t i;
    const size_t noise = LOSSES_ROWS * w->ref.samples * LOSSES_LATENT;
    losses_pass(w->m, w->x, LOSSES_ROWS, &w->stats);
    if (!w->ref.no_noise)
        for (i = 0; i < noise; i++) w->eps[i] = (double)w->m->eps[i];
}

static void losses_close(losses_world *w) {
    vae_destroy(w->m);
    free(w->params), free(w->grad), free(w->inputs), free(w->eps);
}

/* Case number i of all: activation x likelihood x kind. */
enum { LOSSES_LIKELIHOODS = 3 }; /* those of the reference; the others are below */
enum { LOSSES_CASES = VAE_ACT_COUNT * LOSSES_LIKELIHOODS * LOSSES_KINDS };
static losses_case losses_at(int i) {
    losses_case c = losses_kinds[i % LOSSES_KINDS];
    c.likelihood = (vae_likelihood)(i / LOSSES_KINDS % LOSSES_LIKELIHOODS);
    c.act = (vae_act)(i / LOSSES_KINDS / LOSSES_LIKELIHOODS);
    return c;
}

/* ---- the tests ---- */

/* Along a random direction, and along each single parameter, the reference's loss changes as its
 * gradient says. Central differences in double: h^2 of truncation, 1e-16 / h of rounding. */
TEST(the_reference_has_the_gradient_of_its_own_loss) {
    const double h = 1e-5;
    uint64_t state = 61;
    int n;
    for (n = 0; n < LOSSES_CASES; n++) {
        const losses_case c = losses_at(n);
        losses_world w;
        size_t i, j;
        double *moved, *along;
        if (!losses_open(&w, &c)) return;
        losses_run(&w); /* for eps */
        moved = ref_doubles(w.count), along = ref_doubles(w.count);
        ref_vae_loss(&w.ref, w.params, w.inputs, w.eps, w.grad);
        for (i = 0; i < 4 + (n % LOSSES_KINDS == 4 ? w.count : 0); i++) {
            double slope = 0, quotient, norm = 0;
            for (j = 0; j < w.count; j++) {
                along[j] = i < 4 ? ref_normal(&state) : (double)(j == i - 4);
                slope += along[j] * w.grad[j], norm += w.grad[j] * w.grad[j];
            }
            for (j = 0; j < w.count; j++) moved[j] = w.params[j] + h * along[j];
            quotient = ref_vae_loss(&w.ref, moved, w.inputs, w.eps, NULL).loss;
            for (j = 0; j < w.count; j++) moved[j] = w.params[j] - h * along[j];
            quotient -= ref_vae_loss(&w.ref, moved, w.inputs, w.eps, NULL).loss;
            CHECK_NEAR(quotient / (2 * h), slope, 1e-6 * (1 + sqrt(norm)));
        }
        free(moved), free(along);
        losses_close(&w);
    }
}

TEST(loss_and_every_gradient_match_the_reference_in_double) {
    const vae__kernels *k;
    double worst = 0;
    int n;
    for (k = NULL; (k = ref_next_isa(k));) {
        for (n = 0; n < LOSSES_CASES; n++) {
            losses_case c = losses_at(n);
            losses_world w;
            ref_losses want;
            vae_tensor t;
            size_t at, i;
            c.isa = k->isa;
            if (!losses_open(&w, &c)) return;
            losses_run(&w);
            want = ref_vae_loss(&w.ref, w.params, w.inputs, w.eps, w.grad);
            /* sums of some 40 terms, each a chain of a few dozen roundings of 6e-8 */
            CHECK_NEAR(w.stats.recon, want.recon, 2e-6 * (1 + fabs(want.recon)));
            CHECK_NEAR(w.stats.kl, want.kl, 2e-6 * (1 + want.kl));
            CHECK_NEAR(w.stats.loss, want.loss, 2e-6 * (1 + fabs(want.recon) + c.beta * want.kl));
            CHECK_NEAR(w.stats.loss, w.stats.recon + losses_beta(&c) * w.stats.kl,
                       1e-12 * (1 + fabs(w.stats.loss)));
            CHECK_NEAR(w.stats.elbo, -(w.stats.recon + w.stats.kl), 1e-12 * (1 + fabs(want.recon)));
            CHECK_EQ(w.stats.images, LOSSES_ROWS);
            for (at = 0, i = 0; vae_tensor_at(w.m, i, &t) == VAE_OK; at += t.count, i++) {
                double most = 0;
                size_t j;
                for (j = 0; j < t.count; j++)
                    if (fabs(w.grad[at + j]) > most) most = fabs(w.grad[at + j]);
                for (j = 0; j < t.count; j++) {
                    /* relative to the largest of the tensor: others are sums that cancel */
                    const double gap = fabs((double)t.grad[j] - w.grad[at + j]);
                    if (!(gap <= 5e-6 * most + 1e-7))
                        test_report(__FILE__, __LINE__, "case %d, %s[%d] is %.9g, not %.9g", n,
                                    t.name, (int)j, (double)t.grad[j], w.grad[at + j]);
                    if (gap / (most + 1e-2) > worst) worst = gap / (most + 1e-2);
                }
            }
            CHECK_EQ(at, w.count);
            losses_close(&w);
        }
    }
    CHECK(worst > 1e-8); /* it was compared */
}

TEST(loss_and_gradients_have_the_same_bits_on_every_instruction_set) {
    const vae__kernels *k;
    int n;
    for (n = 0; n < LOSSES_CASES; n++) {
        uint64_t portable = 0;
        for (k = NULL; (k = ref_next_isa(k));) {
            losses_case c = losses_at(n);
            losses_world w;
            uint64_t hash;
            c.isa = k->isa;
            if (!losses_open(&w, &c)) return;
            losses_run(&w);
            hash = vae__hash_floats(VAE__FNV, w.m->g, w.count);
            hash = vae__hash(hash, &w.stats.loss, sizeof w.stats.loss);
            hash = vae__hash(hash, &w.stats.kl, sizeof w.stats.kl);
            if (k->isa == VAE_ISA_PORTABLE) portable = hash;
            CHECK(hash == portable);
            losses_close(&w);
        }
    }
}

TEST(noise_is_addressed_by_step_row_and_draw) {
    const vae__kernels *k;
    for (k = NULL; (k = ref_next_isa(k));) {
        losses_case c = losses_kinds[4]; /* three draws */
        losses_world w;
        size_t row, l, j;
        c.isa = k->isa;
        c.step = 11;
        if (!losses_open(&w, &c)) return;
        losses_run(&w);
        for (row = 0; row < LOSSES_ROWS; row++) {
            for (l = 0; l < 3; l++) {
                float want[LOSSES_LATENT];
                vae_stream s;
                memset(&s, 0, sizeof s);
                s.seed = 5, s.purpose = VAE_PURPOSE_EPS, s.time = 11;
                s.sample = (uint32_t)row, s.replica = (uint32_t)l;
                vae_random_normal(&s, 0, LOSSES_LATENT, want);
                for (j = 0; j < LOSSES_LATENT; j++)
                    CHECK(ref_same(w.m->eps[(row * 3 + l) * LOSSES_LATENT + j], want[j]));
            }
        }
        losses_close(&w);
    }
}

TEST(without_noise_or_kl_the_logvar_half_of_the_head_has_no_gradient) {
    losses_case c = losses_kinds[3];
    losses_world w;
    vae_tensor t;
    size_t i;
    if (!losses_open(&w, &c)) return;
    losses_run(&w);
    CHECK_STATUS(vae_tensor_at(w.m, 2, &t), VAE_OK);
    CHECK(!strcmp(t.name, "encoder.head.weight"));
    for (i = 0; i < t.count; i++)
        if (i % (2 * LOSSES_LATENT) >= LOSSES_LATENT) CHECK(t.grad[i] == 0);
    losses_close(&w);
}

TEST(fewer_rows_than_the_batch_are_averaged_over_themselves) {
    losses_case c = losses_kinds[0];
    losses_world w;
    ref_losses want;
    size_t i;
    if (!losses_open(&w, &c)) return;
    losses_run(&w); /* whole, so that stale activations are there */
    losses_pass(w.m, w.x, 2, &w.stats);
    w.ref.rows = 2;
    want = ref_vae_loss(&w.ref, w.params, w.inputs, w.eps, w.grad);
    CHECK_NEAR(w.stats.loss, want.loss, 2e-6 * want.loss);
    CHECK_EQ(w.stats.images, 2);
    for (i = 0; i < w.count; i++) CHECK_NEAR((double)w.m->g[i], w.grad[i], 5e-6);
    losses_close(&w);
}

static vae *losses_zero(vae_likelihood likelihood, double variance) {
    vae_desc d;
    vae *m = NULL;
    memset(&d, 0, sizeof d);
    d.input = "28x28x1", d.encoder = d.decoder = "dense 8 relu", d.latent = 4, d.batch = 6;
    d.init = VAE_INIT_ZERO, d.likelihood = likelihood, d.variance = variance;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    return m;
}

TEST(a_network_of_zeros_costs_784_ln_2) {
    float x[6 * 784];
    uint64_t state = 62;
    vae *m = losses_zero(VAE_LIKELIHOOD_BERNOULLI, 0);
    vae_stats s;
    if (!m) return;
    ref_fill_uniform(&state, x, 6 * 784, 0, 1);
    losses_pass(m, x, 6, &s);
    CHECK_NEAR(s.recon, 784 * log(2), 784 * 1e-6);
    CHECK(s.kl == 0);
    CHECK_NEAR(s.elbo, -784 * log(2), 784 * 1e-6);
    CHECK(s.loss == s.recon);
    vae_destroy(m);
}

/* 1/2 log(2 pi s^2) + (x - 0)^2 / (2 s^2) per pixel. */
TEST(a_gaussian_of_zeros_costs_what_the_density_says) {
    static const double variances[] = {1, 0.05, 0.25, 3};
    float x[6 * 784];
    uint64_t state = 63;
    int kind;
    size_t v, i;
    ref_fill_uniform(&state, x, 6 * 784, 0, 1);
    for (kind = VAE_LIKELIHOOD_GAUSSIAN; kind <= VAE_LIKELIHOOD_GAUSSIAN_LEARNED; kind++) {
        for (v = 0; v < 4; v++) {
            vae *m = losses_zero((vae_likelihood)kind, variances[v]);
            double want = 0;
            vae_stats s;
            if (!m) return;
            for (i = 0; i < 6 * 784; i++)
                want += 0.5 * ((double)x[i] * (double)x[i] / variances[v] + log(variances[v]) +
                               REF_LOG_2PI) / 6;
            losses_pass(m, x, 6, &s);
            CHECK_NEAR(s.recon, want, 1e-6 * (784 + fabs(want)));
            vae_destroy(m);
        }
    }
}

TEST(check_gradients_finds_right_gradients_right) {
    const vae__kernels *k;
    int n;
    for (k = NULL; (k = ref_next_isa(k));) {
        for (n = 0; n < LOSSES_CASES; n++) {
            losses_case c = losses_at(n);
            losses_world w;
            double worst = -1;
            size_t i;
            c.isa = k->isa;
            if (!losses_open(&w, &c)) return;
            CHECK_STATUS(vae_check_gradients(w.m, w.x, LOSSES_ROWS, 3, &worst), VAE_OK);
            /* a step of the probe may cross a kink, which so small a network feels */
            if (!(worst >= 0 && worst < (c.act == VAE_ACT_RELU || c.act == VAE_ACT_LEAKY_RELU
                                         ? 3e-2 : 1e-2)))
                test_report(__FILE__, __LINE__, "case %d: worst is %g", n, worst);
            for (i = 0; i < w.count; i++) /* parameters are put back */
                CHECK((double)w.m->w[i] == w.params[i]);
            CHECK_EQ(w.m->step, c.step);
            losses_close(&w);
        }
    }
}

/* Every way to break a gradient, in every tensor in turn, must show. */
TEST(check_gradients_finds_wrong_gradients_wrong) {
    int n, kind;
    for (n = 0; n < LOSSES_CASES; n++) {
        losses_case c = losses_at(n);
        losses_world w;
        size_t t, i;
        float *copy;
        if (n % LOSSES_KINDS != 0) continue;
        if (!losses_open(&w, &c)) return;
        copy = ref_floats(2 * w.count);
        for (t = 0; t < w.m->slot_count; t++) {
            const vae__slot *slot = &w.m->slots[t];
            float *g;
            for (kind = 0; kind < 4; kind++) {
                double most = 0, seen;
                int q;
                losses_run(&w);
                g = w.m->g + slot->offset;
                for (i = 0; i < slot->count; i++) {
                    if (kind == 0) g[i] = -g[i];
                    if (kind == 1) g[i] *= 2;
                    if (kind == 2) g[i] *= 0.5f;
                    if (kind == 3) g[i] = 0;
                }
                for (q = 0; q < 8; q++) {
                    seen = vae__probe(w.m, w.x, LOSSES_ROWS, slot, copy, q, w.stats.loss);
                    if (!(seen <= most)) most = seen;
                }
                if (!(most > 0.05))
                    test_report(__FILE__, __LINE__, "case %d, %s broken in way %d: only %g", n,
                                slot->name, kind, most);
            }
        }
        free(copy);
        losses_close(&w);
    }
}

TEST(check_gradients_refuses_what_it_cannot_check) {
    losses_case c = losses_kinds[0];
    losses_world w;
    double worst = -7;
    vae_desc d;
    vae *m = NULL;
    if (!losses_open(&w, &c)) return;
    CHECK_STATUS(vae_check_gradients(NULL, w.x, 1, 1, &worst), VAE_ERR_NULL);
    CHECK_STATUS(vae_check_gradients(w.m, NULL, 1, 1, &worst), VAE_ERR_NULL);
    CHECK_STATUS(vae_check_gradients(w.m, w.x, 1, 1, NULL), VAE_ERR_NULL);
    CHECK_STATUS(vae_check_gradients(w.m, w.x, 0, 1, &worst), VAE_ERR_VALUE);
    CHECK_STATUS(vae_check_gradients(w.m, w.x, LOSSES_ROWS + 1, 1, &worst), VAE_ERR_VALUE);
    CHECK_STATUS(vae_check_gradients(w.m, w.x, 1, 0, &worst), VAE_ERR_VALUE);
    w.x[3] = vae__float_of(0x7fc00000u);
    CHECK_STATUS(vae_check_gradients(w.m, w.x, 1, 1, &worst), VAE_ERR_NONFINITE);
    CHECK(worst == -7);
    w.x[3] = 0;
    vae_get_desc(w.m, &d);
    d.inference = 1;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    if (m) CHECK_STATUS(vae_check_gradients(m, w.x, 1, 1, &worst), VAE_ERR_STATE);
    vae_destroy(m);
    losses_close(&w);
}

TEST(beta_rises_linearly_over_the_warm_up_and_stays) {
    losses_case c = losses_kinds[6]; /* beta 0.5, warm-up 8 */
    losses_world w;
    uint64_t step;
    for (step = 0; step < 12; step++) {
        c.step = step;
        if (!losses_open(&w, &c)) return;
        losses_run(&w);
        CHECK_NEAR(w.stats.loss,
                   w.stats.recon + (step < 8 ? 0.0625 * (double)step : 0.5) * w.stats.kl,
                   1e-13 * fabs(w.stats.loss));
        losses_close(&w);
    }
}

TESTS(losses) {
    vae__fpenv env;
    vae__fp_enter(&env); /* see reference.h */
    RUN(the_reference_has_the_gradient_of_its_own_loss);
    RUN(loss_and_every_gradient_match_the_reference_in_double);
    RUN(loss_and_gradients_have_the_same_bits_on_every_instruction_set);
    RUN(noise_is_addressed_by_step_row_and_draw);
    RUN(without_noise_or_kl_the_logvar_half_of_the_head_has_no_gradient);
    RUN(fewer_rows_than_the_batch_are_averaged_over_themselves);
    RUN(a_network_of_zeros_costs_784_ln_2);
    RUN(a_gaussian_of_zeros_costs_what_the_density_says);
    RUN(check_gradients_finds_right_gradients_right);
    RUN(check_gradients_finds_wrong_gradients_wrong);
    RUN(check_gradients_refuses_what_it_cannot_check);
    RUN(beta_rises_linearly_over_the_warm_up_and_stays);
    vae__fp_leave(&env);
}
