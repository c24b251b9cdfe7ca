/* Loss and gradients of whole models against the reference in double, and the reference against
 * finite differences of itself. */
#include "reference.h"

enum { LOSSES_INPUT = 7, LOSSES_LATENT = 3, LOSSES_ROWS = 5, LOSSES_HIDDEN = 6 };

/* ---- one small model, and the reference of it ---- */

typedef struct losses_case {
    vae_act act;
    ref_likelihood likelihood;
    int no_noise, no_kl, samples;
    double beta;
    uint64_t warmup, step; /* the model stands before this step */
    vae_isa isa;
} losses_case;

/* The kinds of objective, for each activation and likelihood. */
static const losses_case losses_kinds[] = {
    {VAE_ACT_IDENTITY, REF_BERNOULLI, 0, 0, 1, 1, 0, 0, VAE_ISA_AUTO},
    {VAE_ACT_IDENTITY, REF_BERNOULLI, 1, 0, 1, 1, 0, 0, VAE_ISA_AUTO},   /* no noise */
    {VAE_ACT_IDENTITY, REF_BERNOULLI, 0, 1, 1, 1, 0, 0, VAE_ISA_AUTO},   /* no KL */
    {VAE_ACT_IDENTITY, REF_BERNOULLI, 1, 1, 1, 1, 0, 0, VAE_ISA_AUTO},   /* plain */
    {VAE_ACT_IDENTITY, REF_BERNOULLI, 0, 0, 3, 1, 0, 0, VAE_ISA_AUTO},   /* L = 3 */
    {VAE_ACT_IDENTITY, REF_BERNOULLI, 0, 0, 2, 4, 0, 3, VAE_ISA_AUTO},   /* beta 4 */
    {VAE_ACT_IDENTITY, REF_BERNOULLI, 0, 0, 1, 0.5, 8, 2, VAE_ISA_AUTO}, /* warm-up */
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
    d.latent = LOSSES_LATENT, d.likelihood = ref_kind(c->likelihood, 0.3);
    d.beta = c->beta, d.no_kl = c->no_kl, d.no_noise = c->no_noise, d.samples = c->samples;
    d.warmup_steps = c->warmup, d.batch = LOSSES_ROWS, d.seed = 5, d.isa = c->isa;
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
    vae__pass_begin(&pass, m, NULL, BATCH(x, rows), (uint32_t)m->step);
    pass.backward = 1;
    CHECK_STATUS(vae__run_pass(&pass, stats), VAE_OK);
    if (m->g) CHECK(vae__run_gradients(m, &pass, NULL) == NULL);
}
static void losses_run(losses_world *w) {
    size_t i;
    const size_t noise = LOSSES_ROWS * w->ref.samples * LOSSES_LATENT;
    losses_pass(w->m, w->x, LOSSES_ROWS, &w->stats);
    if (!w->ref.no_noise)
        for (i = 0; i < noise; i++) w->eps[i] = (double)w->m->terms.eps[i];
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
    c.likelihood = (ref_likelihood)(i / LOSSES_KINDS % LOSSES_LIKELIHOODS);
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
                    CHECK(ref_same(w.m->terms.eps[(row * 3 + l) * LOSSES_LATENT + j], want[j]));
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

static vae *losses_zero(ref_likelihood likelihood, double variance) {
    vae_desc d;
    vae *m = NULL;
    memset(&d, 0, sizeof d);
    d.input = "28x28x1", d.encoder = d.decoder = "dense 8 relu", d.latent = 4, d.batch = 6;
    d.init = VAE_INIT_ZERO, d.likelihood = ref_kind(likelihood, variance);
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    return m;
}

TEST(a_network_of_zeros_costs_784_ln_2) {
    float x[6 * 784];
    uint64_t state = 62;
    vae *m = losses_zero(REF_BERNOULLI, 0);
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
    for (kind = REF_GAUSSIAN; kind <= REF_GAUSSIAN_LEARNED; kind++) {
        for (v = 0; v < 4; v++) {
            vae *m = losses_zero((ref_likelihood)kind, variances[v]);
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
            CHECK_STATUS(vae_check_gradients(w.m, BATCH(w.x, LOSSES_ROWS), 3, &worst), VAE_OK);
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
            const vae__slot *slot = &w.m->tensors[t];
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
                    seen = vae__probe(w.m, BATCH(w.x, LOSSES_ROWS), slot, copy, q,
                                      w.stats.loss);
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
    CHECK_STATUS(vae_check_gradients(NULL, BATCH(w.x, 1), 1, &worst), VAE_ERR_NULL);
    CHECK_STATUS(vae_check_gradients(w.m, BATCH(NULL, 1), 1, &worst), VAE_ERR_NULL);
    CHECK_STATUS(vae_check_gradients(w.m, BATCH(w.x, 1), 1, NULL), VAE_ERR_NULL);
    CHECK_STATUS(vae_check_gradients(w.m, BATCH(w.x, 0), 1, &worst), VAE_ERR_VALUE);
    CHECK_STATUS(vae_check_gradients(w.m, BATCH(w.x, LOSSES_ROWS + 1), 1, &worst), VAE_ERR_VALUE);
    CHECK_STATUS(vae_check_gradients(w.m, BATCH(w.x, 1), 0, &worst), VAE_ERR_VALUE);
    w.x[3] = vae__float_of(0x7fc00000u);
    CHECK_STATUS(vae_check_gradients(w.m, BATCH(w.x, 1), 1, &worst), VAE_ERR_NONFINITE);
    CHECK(worst == -7);
    w.x[3] = 0;
    vae_get_desc(w.m, &d);
    d.inference = 1;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    if (m) CHECK_STATUS(vae_check_gradients(m, BATCH(w.x, 1), 1, &worst), VAE_ERR_STATE);
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

/* ---- what each likelihood looks like: means, draws, biases ---- */

enum { LOOK_NUMBERS = 12, LOOK_DRAWS = 6000 };

/* A likelihood and, for 2x2x3 numbers, parameters of the first and of the second kind. */
typedef struct look {
    ref_likelihood likelihood;
    int levels;                 /* 0: real numbers */
    double a[LOOK_NUMBERS], b[LOOK_NUMBERS]; /* categorical: logits are made of a */
} look;
static const look looks[] = {
    {REF_BERNOULLI, 2, {-30, -4, -1, -.1, 0, .1, .5, 1, 2, 4, 8, 30}, {0}},
    {REF_GAUSSIAN, 0, {-3, -1, -.5, 0, .1, .2, .5, .7, 1, 2, 9, 50}, {0}},
    {REF_GAUSSIAN_LEARNED, 0, {-3, -1, -.5, 0, .1, .2, .5, .7, 1, 2, 9, 50}, {0}},
    {REF_GAUSSIAN_PIXEL, 0, {-3, -1, -.5, 0, .1, .2, .5, .7, 1, 2, 9, 0},
     {-9, -5, -3, -1, 0, 1, 2, 5, 9, -2, 19, -40}},
    {REF_CONTINUOUS_BERNOULLI, 0,
     {-1e4, -50, -5, -1, -1e-3, 0, 1e-3, .7, 1, 5, 50, 1e4}, {0}},
    {REF_LOGISTIC_PIXEL, 256, {-1, 0, .002, .1306, .5, .5, .37, .7, .9, 1, 1.2, 3},
     {-3, -7, -6, -5, -4, -2, -12, -1, 0, -2, 5, 0}},
    {REF_CATEGORICAL, 2, {0, .1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, {0}},
    {REF_CATEGORICAL, 5, {0, .1, .2, .3, .5, .7, 1, 1.5, 2, 3, 5, 10}, {0}},
    {REF_CATEGORICAL, 256, {0, .1, .2, .3, .5, .7, 1, 1.5, 2, 3, 5, 10}, {0}},
};
enum { LOOKS = sizeof looks / sizeof looks[0] };

/* Where a row of the decoder holds number i's (first) parameter. */
static size_t look_place(const look *k, size_t i) {
    const int two = k->likelihood == REF_GAUSSIAN_PIXEL ||
                    k->likelihood == REF_LOGISTIC_PIXEL;
    return two ? i / 3 * 6 + i % 3 : i;
}
static double look_logit(const look *k, int number, int level) {
    return k->a[number] * sin(1.7 * level + number);
}

/* A model without hidden layers that gives these parameters whatever z is, or with weights that
 * are not 0 when `move` is not. */
static vae *look_open(const look *k, vae_isa isa, double move) {
    uint64_t state = 64;
    vae_desc d;
    vae_info info;
    vae_tensor w, bias;
    vae *m = NULL;
    size_t i;
    memset(&d, 0, sizeof d);
    d.input = "2x2x3", d.encoder = d.decoder = "", d.latent = 2, d.batch = 64, d.isa = isa;
    d.likelihood = ref_kind(k->likelihood, k->likelihood == REF_CATEGORICAL ? k->levels : 0.3);
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    if (!m) return NULL;
    vae_get_info(m, &info);
    CHECK(vae_tensor_at(m, 2, &w) == VAE_OK && vae_tensor_at(m, 3, &bias) == VAE_OK);
    CHECK(!strcmp(bias.name, "decoder.head.bias") && bias.count == info.outputs);
    for (i = 0; i < w.count; i++) w.data[i] = (float)(move * ref_normal(&state));
    for (i = 0; i < LOOK_NUMBERS; i++) {
        if (k->likelihood == REF_CATEGORICAL) {
            int j;
            for (j = 0; j < k->levels; j++)
                bias.data[(int)i * k->levels + j] = (float)look_logit(k, (int)i, j);
        } else {
            bias.data[look_place(k, i)] = (float)k->a[i];
            if (info.outputs == 2 * LOOK_NUMBERS) bias.data[look_place(k, i) + 3] = (float)k->b[i];
        }
    }
    return m;
}

/* p of each level; the mean and deviation of a number; P(number <= x), of the real ones. The
 * parameters of number `i` come from a row of the decoder. */
static double look_cdf(const look *k, double a, double b, double x) {
    if (k->likelihood == REF_CONTINUOUS_BERNOULLI) {
        if (fabs(a) < 1e-6) return x;
        return a < 0 ? expm1(a * x) / expm1(a) : (exp(a * (x - 1)) - exp(-a)) / -expm1(-a);
    }
    return 0.5 * erfc(-(x - a) * exp(-0.5 * ref_clamp(b, -30, 20)) * sqrt(0.5));
}
static void look_levels(const look *k, const float *row, size_t i, double *p) {
    double rest, rest2;
    int j;
    for (j = 0; j < k->levels; j++) {
        if (k->likelihood == REF_LOGISTIC_PIXEL)
            p[j] = exp(-ref_logistic((double)row[look_place(k, i)],
                                     (double)row[look_place(k, i) + 3], j / 255.0, &rest, &rest2));
        else if (k->likelihood == REF_BERNOULLI)
            p[j] = ref_sigmoid(j ? (double)row[i] : -(double)row[i]);
        else
            p[j] = exp(-ref_categorical((size_t)k->levels, row + i * (size_t)k->levels, (size_t)j,
                                        NULL));
    }
}
static double look_mean(const look *k, const float *row, size_t i, double *deviation) {
    const int two = k->likelihood == REF_GAUSSIAN_PIXEL;
    const double a = (double)row[look_place(k, i)];
    double p[256], mean = 0, square = 0;
    int j;
    if (k->levels) {
        look_levels(k, row, i, p);
        for (j = 0; j < k->levels; j++) {
            const double x = (double)j / (k->levels - 1);
            mean += p[j] * x, square += p[j] * x * x;
        }
        *deviation = sqrt(square > mean * mean ? square - mean * mean : 0);
        return mean;
    }
    if (k->likelihood == REF_CONTINUOUS_BERNOULLI) {
        *deviation = 1 / (fabs(a) > 3.5 ? fabs(a) : 3.5); /* at most */
        return ref_cb_mean(a);
    }
    *deviation = sqrt(two ? exp(ref_clamp((double)row[look_place(k, i) + 3], -30, 20)) : 0.3);
    return a;
}

/* A level's share of the logistic is cut from the density: the mean of levels is that of the
 * logistic folded at 0 and 1 but for h^2 / 24 / 4s, and some more where s is less than h / 4. */
static double look_gap(const look *k, const float *row, size_t i) {
    if (k->likelihood != REF_LOGISTIC_PIXEL) return 0;
    return 2.4e-7 * exp(-ref_clamp((double)row[look_place(k, i) + 3], -7, 20));
}

TEST(decoding_gives_the_mean_of_each_likelihood) {
    enum { ROWS = 150, MOST = 256 * LOOK_NUMBERS };
    static float logits[ROWS * MOST], x[ROWS * LOOK_NUMBERS], z[ROWS * 2];
    const vae__kernels *k;
    size_t n, i, j;
    for (n = 0; n < LOOKS; n++) {
        uint64_t portable = 0, state = 65;
        ref_fill_normal(&state, z, ROWS * 2, 1);
        for (k = NULL; (k = ref_next_isa(k));) {
            vae *m = look_open(&looks[n], k->isa, 0.3);
            vae_info info;
            vae_tensor w, bias;
            uint64_t hash;
            if (!m) return;
            vae_get_info(m, &info);
            CHECK_EQ(info.outputs, LOOK_NUMBERS *
                     (looks[n].likelihood == REF_CATEGORICAL ? looks[n].levels
                      : looks[n].likelihood == REF_GAUSSIAN_PIXEL ||
                        looks[n].likelihood == REF_LOGISTIC_PIXEL ? 2 : 1));
            for (i = 0; i < ROWS * MOST; i++) logits[i] = vae__float_of(0x7fc0beefu);
            CHECK_STATUS(vae_decode_logits(m, BATCH(z, ROWS), logits), VAE_OK);
            if (info.outputs < MOST) CHECK(ref_is_nan(logits[ROWS * info.outputs])); /* no more */
            CHECK_STATUS(vae_decode(m, BATCH(z, ROWS), x), VAE_OK);
            hash = vae__hash_floats(VAE__FNV, x, ROWS * LOOK_NUMBERS);
            hash = vae__hash_floats(hash, logits, ROWS * info.outputs);
            if (k->isa == VAE_ISA_PORTABLE) portable = hash;
            CHECK(hash == portable);
            vae_tensor_at(m, 2, &w), vae_tensor_at(m, 3, &bias);
            for (i = 0; i < ROWS * info.outputs; i++) {
                const size_t row = i / info.outputs, o = i % info.outputs;
                const double a = (double)z[2 * row] * (double)w.data[o];
                const double b = (double)z[2 * row + 1] * (double)w.data[info.outputs + o];
                CHECK_NEAR((double)logits[i], (double)bias.data[o] + a + b,
                           1.3e-7 * (fabs((double)bias.data[o]) + fabs(a) + fabs(b)));
            }
            for (i = 0; i < ROWS; i++)
                for (j = 0; j < LOOK_NUMBERS && k->isa == VAE_ISA_PORTABLE; j++) {
                    const float *row = logits + i * info.outputs, got = x[i * LOOK_NUMBERS + j];
                    double spread, want = look_mean(&looks[n], row, j, &spread);
                    /* a few roundings of 1; the logistic multiplies s with a difference, the
                     * categorical adds up its levels */
                    double near = looks[n].levels || looks[n].likelihood ==
                                  REF_CONTINUOUS_BERNOULLI ? 4e-7 : 0;
                    if (looks[n].likelihood == REF_CATEGORICAL)
                        near = 4e-7 + 2.5e-8 * looks[n].levels;
                    if (looks[n].likelihood == REF_LOGISTIC_PIXEL)
                        near = 4e-7 * (1 + exp((double)row[look_place(&looks[n], j) + 3])) +
                               2e-7 * fabs((double)row[look_place(&looks[n], j)]);
                    CHECK_NEAR((double)got, want, near + look_gap(&looks[n], row, j));
                    if (near > 0) CHECK(got >= 0 && got <= 1);
                }
            vae_destroy(m);
        }
    }
}

static int look_order(const void *a, const void *b) {
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Chi-square over levels, those expected less than 8 times together with their neighbours; its
 * distance from the mean in deviations. */
static double look_chi_square(const look *k, const double *p, const float *draws) {
    double counts[256] = {0}, sum = 0, seen = 0, want = 0;
    int j, cells = 0;
    size_t i;
    for (i = 0; i < LOOK_DRAWS; i++) {
        const double level = (double)draws[i] * (k->levels - 1);
        const int at = (int)(level + 0.5);
        if (!(at >= 0 && at < k->levels && fabs(level - at) < 1e-4)) return 1e9; /* no level */
        counts[at]++;
    }
    for (j = 0; j < k->levels; j++) {
        seen += counts[j], want += p[j] * LOOK_DRAWS;
        if (want >= 8) {
            sum += (seen - want) * (seen - want) / want, cells++;
            seen = want = 0;
        }
    }
    if (want > 0) sum += (seen - want) * (seen - want) / (want + 8);
    return cells > 1 ? (sum - cells + 1) / sqrt(2.0 * cells) : sum;
}
/* Kolmogorov and Smirnov's sqrt(n) sup |F_n - F|; below 1.95 in 999 of 1000. */
static double look_smirnov(const look *k, double a, double b, float *draws) {
    double most = 0;
    size_t i;
    qsort(draws, LOOK_DRAWS, sizeof *draws, look_order);
    for (i = 0; i < LOOK_DRAWS; i++) {
        const double f = look_cdf(k, a, b, (double)draws[i]) * LOOK_DRAWS;
        if (!(f - (double)i <= most)) most = f - (double)i;
        if (!((double)(i + 1) - f <= most)) most = (double)(i + 1) - f;
    }
    return most / sqrt(LOOK_DRAWS);
}

TEST(draws_follow_the_density_and_their_address) {
    static float x[LOOK_DRAWS * LOOK_NUMBERS], z[LOOK_DRAWS * 2], row[256 * LOOK_NUMBERS];
    static float column[LOOK_DRAWS];
    const vae__kernels *k;
    size_t n, i, j;
    for (n = 0; n < LOOKS; n++) {
        const look *now = &looks[n];
        uint64_t portable = 0;
        for (k = NULL; (k = ref_next_isa(k));) {
            vae *m = look_open(now, k->isa, 0);
            float mean[LOOK_NUMBERS], one[70 * LOOK_NUMBERS];
            uint64_t hash;
            if (!m) return;
            CHECK_STATUS(vae_draw(m, BATCH(z, LOOK_DRAWS), 9, x), VAE_OK);
            hash = vae__hash_floats(VAE__FNV, x, LOOK_DRAWS * LOOK_NUMBERS);
            if (k->isa == VAE_ISA_PORTABLE) portable = hash;
            CHECK(hash == portable);
            CHECK_STATUS(vae_draw(m, BATCH(z, 1, .first = 17), 9, one),
                         VAE_OK); /* alone and among a thousand */
            CHECK_EQ(ref_differ(LOOK_NUMBERS, one, x + 17 * LOOK_NUMBERS), LOOK_NUMBERS);
            CHECK_STATUS(vae_draw(m, BATCH(z, 70, .first = 955), 9, one), VAE_OK);
            CHECK_EQ(ref_differ(70 * LOOK_NUMBERS, one, x + 955 * LOOK_NUMBERS),
                     70 * LOOK_NUMBERS);
            CHECK_STATUS(vae_draw(m, BATCH(z, 70), 10, one), VAE_OK); /* another seed */
            CHECK(ref_differ(70 * LOOK_NUMBERS, one, x) < 70 * LOOK_NUMBERS);
            if (k->isa == VAE_ISA_PORTABLE) {
                CHECK_STATUS(vae_decode(m, BATCH(z, 1), mean), VAE_OK);
                CHECK_STATUS(vae_decode_logits(m, BATCH(z, 1), row), VAE_OK);
                for (j = 0; j < LOOK_NUMBERS; j++) {
                    double p[256], sum = 0, deviation, want = look_mean(now, row, j, &deviation);
                    double far;
                    for (i = 0; i < LOOK_DRAWS; i++) {
                        column[i] = x[i * LOOK_NUMBERS + j];
                        sum += (double)column[i] / LOOK_DRAWS;
                    }
                    if (now->levels) {
                        look_levels(now, row, j, p);
                        far = look_chi_square(now, p, column) / 4; /* 4 deviations */
                    } else {
                        far = look_smirnov(now, (double)row[look_place(now, j)],
                                           now->likelihood == REF_GAUSSIAN_PIXEL
                                           ? (double)row[look_place(now, j) + 3] : log(0.3),
                                           column) / 1.95;
                    }
                    if (!(far < 1))
                        test_report(__FILE__, __LINE__, "likelihood %d, number %d: %g times what "
                                    "may be", (int)now->likelihood, (int)j, far);
                    /* four standard errors, and what float makes of a mean */
                    CHECK_NEAR(sum, (double)mean[j], 4 * deviation / sqrt(LOOK_DRAWS) +
                               1e-6 * (1 + fabs(want)) + look_gap(now, row, j));
                }
            }
            vae_destroy(m);
        }
    }
}

TEST(the_visible_bias_yields_the_mean_pixels) {
    float mean[LOOK_NUMBERS], z[2] = {0.3f, -1}, x[LOOK_NUMBERS];
    size_t n, i;
    for (i = 0; i < LOOK_NUMBERS; i++) mean[i] = (float)i / 11;
    for (n = 0; n < LOOKS; n++) {
        vae *m = look_open(&looks[n], VAE_ISA_AUTO, 0);
        const ref_likelihood kind = looks[n].likelihood;
        vae_tensor b;
        uint64_t before;
        if (!m) return;
        before = vae_params_hash(m);
        if (kind == REF_CATEGORICAL) {
            CHECK_STATUS(vae_set_visible_bias(m, mean), VAE_ERR_STATE);
            CHECK_SAYS(*vae_last_report(m), "the likelihood is categorical");
            CHECK(vae_params_hash(m) == before);
            vae_destroy(m);
            continue;
        }
        CHECK_STATUS(vae_set_visible_bias(m, mean), VAE_OK);
        vae_tensor_at(m, 3, &b);
        for (i = 0; i < LOOK_NUMBERS; i++) {
            const double q = ref_clamp((double)mean[i], 0.001, 0.999);
            const int logit = kind == REF_BERNOULLI;
            const float *at = b.data + look_place(&looks[n], i);
            if (kind != REF_CONTINUOUS_BERNOULLI)
                CHECK_NEAR((double)*at, logit ? log(q / (1 - q)) : (double)mean[i], 1e-6);
            if (b.count == 2 * LOOK_NUMBERS) CHECK(at[3] == (float)looks[n].b[i]); /* as it was */
        }
        CHECK_STATUS(vae_decode(m, BATCH(z, 1), x), VAE_OK);
        for (i = 0; i < LOOK_NUMBERS; i++) /* a logistic has its centre there, not its mean */
            if (kind != REF_LOGISTIC_PIXEL)
                CHECK_NEAR((double)x[i], kind == REF_BERNOULLI ||
                           kind == REF_CONTINUOUS_BERNOULLI
                           ? ref_clamp((double)mean[i], 0.001, 0.999) : (double)mean[i], 1e-6);
        CHECK_STATUS(vae_set_visible_bias(NULL, mean), VAE_ERR_NULL);
        CHECK_STATUS(vae_set_visible_bias(m, NULL), VAE_ERR_NULL);
        vae_destroy(m);
    }
}

TEST(a_visible_bias_that_pixels_share_is_their_mean) {
    static const char *const ends[] = {"dense 16 relu, reshape 2x2x4, convt 3 2x2/2",
                                       "dense 16 relu, reshape 2x2x4, convt 6 2x2/2",
                                       "dense 16 relu, reshape 2x2x4, convt 3 2x2/2",
                                       "dense 12, reshape 2x2x3, upsample 2"}; /* no bias */
    float mean[48];
    size_t n, i;
    for (i = 0; i < 48; i++)
        mean[i] = (float)(i % 3 == 0 ? 0.1 : i % 3 == 1 ? 0.002 * (double)i : 1);
    for (n = 0; n < 4; n++) {
        vae_desc d;
        vae_tensor t;
        vae *m = NULL;
        float shared[3];
        double middle = 0;
        memset(&d, 0, sizeof d), memset(&t, 0, sizeof t);
        d.input = "4x4x3", d.latent = 2, d.decoder = ends[n], d.encoder = "";
        d.likelihood = n == 1 ? "gaussian_pixel" : n ? "gaussian" : "bernoulli";
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        if (!m) return;
        CHECK_STATUS(vae_set_visible_bias(m, mean), n == 3 ? VAE_ERR_STATE : VAE_OK);
        if (n == 3) {
            CHECK_SAYS(*vae_last_report(m), "the decoder's last layer has none");
            vae_destroy(m);
            continue;
        }
        for (i = 0; vae_tensor_at(m, i, &t) == VAE_OK && strcmp(t.name, "decoder.2.bias");) i++;
        CHECK_EQ(t.count, n == 1 ? 6 : 3);
        for (i = 1; i < 48; i += 3) middle += 0.002 * (double)i / 16;
        shared[0] = 0.1f, shared[1] = (float)middle, shared[2] = 1;
        for (i = 0; i < 3; i++) {
            const double q = ref_clamp((double)shared[i], 0.001, 0.999);
            CHECK_NEAR((double)t.data[i], n ? (double)shared[i] : log(q / (1 - q)), 1e-6);
            if (n == 1) CHECK(t.data[3 + i] == 0);
        }
        vae_destroy(m);
    }
}

/* Parameters that no float can answer for are told. Where the loss is what fails, the model stays as it
 * was; where a gradient has no square, it is known to be invalid. */
TEST(extreme_parameters_train_or_are_told) {
    static const ref_likelihood kinds[] = {REF_GAUSSIAN_PIXEL, REF_LOGISTIC_PIXEL,
                                           REF_CONTINUOUS_BERNOULLI,
                                           REF_CATEGORICAL};
    static const float values[] = {1e4f, -1e4f, 1e30f, -1e30f};
    float x[LOOK_NUMBERS];
    size_t n, v, i, which;
    for (i = 0; i < LOOK_NUMBERS; i++) x[i] = (float)(i % 4) / 3;
    for (n = 0; n < 4; n++)
        for (v = 0; v < 4; v++)
            for (which = 0; which < 2; which++) {
                vae_desc d;
                vae_tensor t;
                vae_stats s;
                vae *m = NULL;
                uint64_t before;
                const int huge = v > 1 && !which, steep = huge && kinds[n] == REF_LOGISTIC_PIXEL;
                const int over = huge && kinds[n] == REF_GAUSSIAN_PIXEL;
                vae_info info;
                memset(&d, 0, sizeof d);
                d.input = "2x2x3", d.encoder = d.decoder = "", d.latent = 2;
                d.likelihood = ref_kind(kinds[n], 4);
                CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
                if (!m) return;
                vae_tensor_at(m, 3, &t);
                for (i = 0; i < t.count; i++) /* one kind of parameter, or every other logit */
                    if (i / 3 % 2 == which) t.data[i] = values[v];
                before = vae_params_hash(m);
                CHECK_STATUS(vae_train_step(m, BATCH(x, 1), &s),
                             over || steep ? VAE_ERR_NONFINITE : VAE_OK);
                vae_get_info(m, &info);
                CHECK_EQ(info.invalid, steep);
                if (over) CHECK(vae_params_hash(m) == before);
                else if (!steep) CHECK(fabs(s.loss) < 1e37);
                vae_destroy(m);
            }
}

TEST(heads_reach_the_posterior_they_name) {
    static const double raw[] = {0, 0.0005, -0.0005, 0.002, -0.3, 1, -2, 40, -40, 3};
    int head;
    size_t j;
    for (head = VAE__SPREAD_NONE; head <= VAE__SPREAD_SOFTPLUS; head++) {
        vae_desc d;
        vae_tensor w, b;
        vae *m = NULL;
        float x[3] = {0, 1, 0.5f}, mu[10], logvar[10];
        double worst = 1;
        memset(&d, 0, sizeof d);
        d.input = "3", d.encoder = d.decoder = "", d.latent = 10;
        d.posterior = ref_posterior(head, VAE_ACT_IDENTITY);
        d.likelihood = "gaussian", d.batch = 4;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        if (!m) return;
        vae_tensor_at(m, 0, &w), vae_tensor_at(m, 1, &b);
        CHECK_STATUS(vae_check_gradients(m, BATCH(x, 1), 4, &worst), VAE_OK);
        CHECK(worst < 3e-2); /* abs and relu have kinks */
        memset(w.data, 0, w.count * sizeof(float));
        for (j = 0; j < 10; j++) b.data[10 + j] = (float)raw[j];
        CHECK_STATUS(vae_encode(m, BATCH(x, 1), mu, logvar), VAE_OK);
        for (j = 0; j < 10; j++) {
            const double a = (double)(float)raw[j];
            double dev = head == VAE__SPREAD_ABS ? fabs(a)
                         : head == VAE__SPREAD_RELU ? a : ref_softplus(a);
            if (dev < 0.001) dev = 0.001;
            CHECK_NEAR((double)logvar[j], head ? 2 * log(dev) : ref_clamp(a, -30, 20), 3e-6);
        }
        vae_destroy(m);
    }
}

/* From pixels to losses in one range of ops, or in two that are cut before any op. */
TEST(a_range_of_ops_can_be_cut_anywhere) {
    enum { ROWS = 5, DIM = 48 };
    vae_desc d = {0};
    vae *m = NULL;
    uint64_t state = 99;
    float *x = ref_floats(ROWS * DIM);
    double whole[ROWS];
    size_t cut;
    ref_fill_uniform(&state, x, ROWS * DIM, 0, 1);
    d.input = "4x4x3", d.latent = 3, d.batch = ROWS, d.samples = 2, d.posterior = "normal abs";
    d.encoder = "res(conv 3 3x3 tanh, layernorm), dense 7 gelu", d.decoder = "dense 9 relu, batchnorm";
    d.likelihood = "gaussian_pixel";
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    for (cut = 0; m && cut < m->count; cut++) {
        const vae_batch *b = BATCH(x, ROWS);
        vae__pass p;
        vae__use_begin(&p, m, b, 0);
        if (!cut) {
            CHECK_STATUS(vae__forward(&p, 0, m->count, x, 0, ROWS), VAE_OK);
            memcpy(whole, m->terms.recon, sizeof whole);
            continue;
        }
        memset(m->terms.recon, 0, sizeof whole);
        CHECK_STATUS(vae__forward(&p, 0, cut, x, 0, ROWS), VAE_OK);
        vae__use_begin(&p, m, b, 0);
        p.images = x;
        CHECK_STATUS(vae__forward(&p, cut, m->count, m->ops[cut - 1].y, 0, ROWS), VAE_OK);
        CHECK(!memcmp(whole, m->terms.recon, sizeof whole));
    }
    vae_destroy(m);
    free(x);
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
    RUN(decoding_gives_the_mean_of_each_likelihood);
    RUN(draws_follow_the_density_and_their_address);
    RUN(the_visible_bias_yields_the_mean_pixels);
    RUN(a_visible_bias_that_pixels_share_is_their_mean);
    RUN(extreme_parameters_train_or_are_told);
    RUN(heads_reach_the_posterior_they_name);
    RUN(a_range_of_ops_can_be_cut_anywhere);
    vae__fp_leave(&env);
}
