/* Learning rates, clipping, and ten steps of each optimiser against PyTorch's formulas. */
#include "reference.h"

enum { OPTIM_INPUT = 9, OPTIM_ROWS = 4 };

/* A small model, its parameters not zero. */
static vae *optim_open(const vae_desc *settings) {
    vae_desc d = *settings;
    uint64_t state = 71;
    size_t i;
    vae *m = NULL;
    vae_report r;
    d.input = "9", d.encoder = "dense 6 tanh", d.decoder = "dense 5 silu", d.latent = 2;
    d.batch = OPTIM_ROWS;
    memset(&r, 0, sizeof r);
    CHECK_STATUS(vae_create(&d, &m, &r), VAE_OK);
    if (!m) {
        test_report(__FILE__, __LINE__, "%s", r.text);
        return NULL;
    }
    for (i = 0; i < m->parameters; i++) m->w[i] = (float)(0.5 * ref_normal(&state));
    if (m->average) memcpy(m->average, m->w, m->parameters * sizeof(float));
    return m;
}

static void optim_update(vae *m, float gscale) {
    CHECK(!vae__update(m, 1, gscale));
    m->step++;
}

static vae_desc optim_desc(vae_optimizer optimizer) {
    vae_desc d;
    memset(&d, 0, sizeof d);
    d.optimizer = optimizer;
    d.keep_gradients = 1;
    return d;
}

/* ---- ten steps against the reference ---- */

typedef struct optim_case {
    vae_optimizer optimizer;
    double lr, beta1, beta2, eps, momentum, decay, ema; /* 0: the default */
} optim_case;

static const optim_case optim_cases[] = {
    {VAE_OPTIMIZER_ADAM, 0, 0, 0, 0, 0, 0, 0},
    {VAE_OPTIMIZER_ADAM, 0.02, 0.8, 0.99, 1e-4, 0, 0, 0},
    {VAE_OPTIMIZER_ADAM, 0.01, 0, 0, 0, 0, 0.1, 0}, /* L2 */
    {VAE_OPTIMIZER_ADAM, 0.01, 1e-30, 0, 0, 0, 0, 0}, /* no momentum at all */
    {VAE_OPTIMIZER_ADAMW, 0.01, 0, 0, 0, 0, 0.1, 0},
    {VAE_OPTIMIZER_ADAMW, 0.01, 0.5, 0.9, 1e-3, 0, 1, 0.9},
    {VAE_OPTIMIZER_ADAMW, 0.01, 0, 0, 0, 0, 0, 0.5},
    {VAE_OPTIMIZER_SGD, 0.1, 0, 0, 0, 0, 0, 0},
    {VAE_OPTIMIZER_SGD, 0.1, 0, 0, 0, 0.9, 0, 0},
    {VAE_OPTIMIZER_SGD, 0.1, 0, 0, 0, 0.9, 0.01, 0.99},
};

TEST(ten_steps_of_each_optimizer_match_pytorchs_formulas) {
    const vae__kernels *k;
    size_t c, i;
    int step;
    for (k = NULL; (k = ref_next_isa(k));) {
        for (c = 0; c < sizeof optim_cases / sizeof optim_cases[0]; c++) {
            const optim_case *o = &optim_cases[c];
            const double lr = o->lr > 0 ? o->lr : 1e-3, beta1 = o->beta1 > 0 ? o->beta1 : 0.9;
            const double beta2 = o->beta2 > 0 ? o->beta2 : 0.999, eps = o->eps > 0 ? o->eps : 1e-8;
            vae_desc d = optim_desc(o->optimizer);
            const double rounding = o->optimizer == VAE_OPTIMIZER_ADAMW ? 1.6e-7 : 6e-8;
            const double largest = o->optimizer == VAE_OPTIMIZER_SGD ? 10 : 1;
            uint64_t state = 72;
            double *w, *g, *m, *v, *average, *start;
            vae *model;
            size_t n;
            d.isa = k->isa, d.lr = o->lr, d.beta1 = o->beta1, d.beta2 = o->beta2;
            d.adam_eps = o->eps, d.momentum = o->momentum, d.weight_decay = o->decay;
            d.ema = o->ema;
            model = optim_open(&d);
            if (!model) return;
            n = model->parameters;
            w = ref_doubles(n), g = ref_doubles(n), m = ref_doubles(n), v = ref_doubles(n);
            average = ref_doubles(n), start = ref_doubles(n);
            for (i = 0; i < n; i++) start[i] = average[i] = w[i] = (double)model->w[i];
            for (step = 1; step <= 10; step++) {
                /* gradients of one sign mostly, so that steps add up; some far smaller */
                for (i = 0; i < n; i++) {
                    const double size = i % 5 == 4 ? 1e-6 : i % 5 == 3 ? 30 : 0.3;
                    model->g[i] = (float)(size * (ref_normal(&state) + (i % 2 ? 1 : -1)));
                    g[i] = (double)model->g[i];
                }
                optim_update(model, 1);
                if (o->optimizer == VAE_OPTIMIZER_SGD)
                    ref_sgd(n, w, g, m, lr, o->momentum, o->decay);
                else
                    ref_adam(n, w, g, m, v, step, lr, beta1, beta2, eps, o->decay,
                             o->optimizer == VAE_OPTIMIZER_ADAMW);
                if (o->ema > 0) ref_ema(n, w, average, o->ema);
                for (i = 0; i < n; i++) {
                    /* w is rounded once a step, by half an ulp (AdamW: decayed first, by a rounded
                     * factor); what moves it is good to some 1e-6 of itself, and SGD moves it by
                     * gradients of up to 30 / (1 - momentum) */
                    const double size = fabs(w[i]) > fabs(start[i]) ? fabs(w[i]) : fabs(start[i]);
                    const double tol = step * (rounding * size + 1e-6 * lr * largest);
                    CHECK_NEAR((double)model->w[i], w[i], tol);
                    if (o->ema > 0) CHECK_NEAR((double)model->average[i], average[i], 2 * tol);
                }
            }
            CHECK_EQ(model->step, 10);
            if (o->optimizer != VAE_OPTIMIZER_SGD) {
                CHECK_NEAR(model->b1t, pow(beta1, 10), 1e-14);
                CHECK_NEAR(model->b2t, pow(beta2, 10), 1e-14);
            }
            free(w), free(g), free(m), free(v), free(average), free(start);
            vae_destroy(model);
        }
    }
}

/* |m| / sqrt(v) is 1 after one step, whatever the gradient's size. */
TEST(the_first_step_of_adam_has_the_size_of_the_learning_rate) {
    static const double sizes[] = {1e-5, 1e-3, 1, 1e3, 1e15};
    vae_desc d = optim_desc(VAE_OPTIMIZER_ADAM);
    size_t s, i;
    d.lr = 0.0078125;
    for (s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        vae *m = optim_open(&d);
        if (!m) return;
        for (i = 0; i < m->parameters; i++) {
            m->w[i] = 0;
            m->g[i] = (float)(i & 1 ? sizes[s] : -sizes[s]);
        }
        m->g[2] = 0;
        optim_update(m, 1);
        for (i = 0; i < m->parameters; i++) {
            const double want = i == 2 ? 0 : (i & 1 ? -1 : 1) * d.lr * sizes[s] / (sizes[s] + 1e-8);
            CHECK_NEAR((double)m->w[i], want, 1e-6 * d.lr);
        }
        vae_destroy(m);
    }
}

/* ---- learning rates ---- */

static double optim_lr_at(vae *m, uint64_t step) {
    m->step = step;
    return vae__lr_now(m);
}

TEST(a_constant_rate_is_constant) {
    vae_desc d = optim_desc(VAE_OPTIMIZER_SGD);
    vae *m = optim_open(&d);
    if (!m) return;
    CHECK(optim_lr_at(m, 0) == 1e-3); /* the default */
    CHECK(optim_lr_at(m, 1000000) == 1e-3);
    CHECK(optim_lr_at(m, UINT64_MAX) == 1e-3);
    vae_destroy(m);
    d.lr = 0.25;
    m = optim_open(&d);
    if (!m) return;
    CHECK(optim_lr_at(m, 3) == 0.25);
    vae_destroy(m);
}

TEST(a_cosine_rate_falls_to_zero_and_stays) {
    static const uint64_t lengths[] = {1, 2, 1000, 1001, 10000000000u};
    size_t i;
    for (i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        const uint64_t t = lengths[i];
        vae_desc d = optim_desc(VAE_OPTIMIZER_ADAM);
        vae *m;
        uint64_t step;
        double before = 2, pi = 3.14159265358979323846;
        d.lr = 0.5, d.schedule = VAE_SCHEDULE_COSINE, d.lr_steps = t;
        m = optim_open(&d);
        if (!m) return;
        CHECK(optim_lr_at(m, 0) == 0.5);
        if (t % 2 == 0) CHECK_NEAR(optim_lr_at(m, t / 2), 0.25, 1e-8);
        CHECK(optim_lr_at(m, t) == 0);
        CHECK(optim_lr_at(m, t + 1) == 0);
        CHECK(optim_lr_at(m, UINT64_MAX) == 0);
        for (step = 0; step < t; step += t / 500 + 1) {
            const double lr = optim_lr_at(m, step);
            /* the cosine is taken in single precision */
            CHECK_NEAR(lr, 0.25 * (1 + cos(pi * (double)step / (double)t)), 1e-7);
            CHECK(lr >= 0 && lr < before + 1e-7);
            before = lr;
        }
        vae_destroy(m);
    }
}

TEST(a_rate_of_stages_changes_at_their_ends_and_the_last_stays) {
    vae_desc d = optim_desc(VAE_OPTIMIZER_SGD);
    vae *m;
    uint64_t end = 0;
    int i;
    d.schedule = VAE_SCHEDULE_STAGES, d.stage_count = 8;
    d.lr = 77; /* not looked at */
    for (i = 0; i < 8; i++) { /* 3^i passes at 1e-4 10^(1 - i/7) (Burda et al. 2016) */
        d.stages[i].steps = (uint64_t)(pow(3, i) + 0.5);
        d.stages[i].lr = 1e-4 * pow(10, 1 - i / 7.0);
    }
    m = optim_open(&d);
    if (!m) return;
    for (i = 0; i < 8; i++) {
        CHECK(optim_lr_at(m, end) == d.stages[i].lr);
        end += d.stages[i].steps;
        CHECK(optim_lr_at(m, end - 1) == d.stages[i].lr);
    }
    CHECK_EQ(end, 3280);
    CHECK(optim_lr_at(m, end) == d.stages[7].lr);
    CHECK(optim_lr_at(m, UINT64_MAX) == d.stages[7].lr);
    vae_destroy(m);
    d.stage_count = 1;
    d.stages[0].lr = 0; /* a rate of 0 is a rate */
    m = optim_open(&d);
    if (!m) return;
    CHECK(optim_lr_at(m, 0) == 0);
    CHECK(optim_lr_at(m, 100) == 0);
    vae_destroy(m);
}

/* The schedule reaches the update: with plain SGD a step is rate times gradient. */
TEST(the_model_tells_the_rate_of_the_step_it_has_done) {
    static const vae_schedule schedules[] = {VAE_SCHEDULE_CONSTANT, VAE_SCHEDULE_COSINE,
                                             VAE_SCHEDULE_STAGES};
    size_t i;
    for (i = 0; i < 3; i++) {
        vae_desc d = optim_desc(VAE_OPTIMIZER_ADAM);
        vae *m;
        uint64_t step;
        vae_info before, after;
        d.lr = 0.5, d.schedule = schedules[i], d.lr_steps = i == 1 ? 5 : 0;
        if (i == 2) {
            d.stage_count = 2;
            d.stages[0].steps = 2, d.stages[0].lr = 0.25;
            d.stages[1].steps = 2, d.stages[1].lr = 0.125;
        }
        m = optim_open(&d);
        if (!m) return;
        vae_get_info(m, &before);
        CHECK(before.last_lr == before.lr); /* of no step: that of the first */
        for (step = 1; step < 8; step++) {
            m->step = step;
            vae_get_info(m, &after);
            CHECK(after.last_lr == before.lr);
            before = after;
        }
        vae_destroy(m);
    }
}

TEST(the_rate_of_the_step_is_the_one_that_moves_the_weights) {
    vae_desc d = optim_desc(VAE_OPTIMIZER_SGD);
    vae *m;
    int step;
    size_t i;
    d.schedule = VAE_SCHEDULE_STAGES, d.stage_count = 2;
    d.stages[0].steps = 2, d.stages[0].lr = 0.5;
    d.stages[1].steps = 1, d.stages[1].lr = 0.125;
    m = optim_open(&d);
    if (!m) return;
    for (step = 0; step < 4; step++) {
        for (i = 0; i < m->parameters; i++) m->w[i] = 1, m->g[i] = 0.25f;
        optim_update(m, 1);
        for (i = 0; i < m->parameters; i++) CHECK(m->w[i] == (step < 2 ? 0.875f : 0.96875f));
    }
    vae_destroy(m);
}

/* ---- clipping ---- */

static void optim_images(float *x) {
    uint64_t state = 73;
    ref_fill_uniform(&state, x, OPTIM_ROWS * OPTIM_INPUT, 0, 1);
}

/* Ten real steps; the hash of what came out. */
static uint64_t optim_train(const vae_desc *d, double *norm) {
    float x[OPTIM_ROWS * OPTIM_INPUT];
    vae *m = optim_open(d);
    vae_stats s;
    uint64_t hash;
    int step;
    if (!m) return 0;
    optim_images(x);
    memset(&s, 0, sizeof s);
    for (step = 0; step < 10; step++)
        CHECK_STATUS(vae_train_step(m, BATCH(x, OPTIM_ROWS), &s), VAE_OK);
    if (norm) *norm = s.grad_norm;
    hash = vae_params_hash(m);
    if (m->average) hash = vae__hash_floats(hash, m->average, m->parameters);
    vae_destroy(m);
    return hash;
}

TEST(a_limit_that_is_not_reached_leaves_the_same_bits) {
    int o;
    for (o = 0; o < VAE_OPTIMIZER_COUNT; o++) {
        vae_desc d = optim_desc((vae_optimizer)o);
        uint64_t free_hash, loose, tight;
        double norm = -1;
        d.lr = 0.01, d.momentum = 0.5, d.weight_decay = 0.01, d.ema = 0.9;
        free_hash = optim_train(&d, NULL);
        d.clip = 1e6;
        loose = optim_train(&d, &norm);
        CHECK(loose == free_hash);
        CHECK(norm > 0 && norm < 1e6); /* the norm is told */
        d.clip = norm / 100;
        tight = optim_train(&d, NULL);
        CHECK(tight != free_hash);
    }
}

TEST(clipping_scales_the_whole_gradient_to_the_limit) {
    static const double limits[] = {0.001, 0.1, 1};
    float x[OPTIM_ROWS * OPTIM_INPUT];
    size_t l, i;
    optim_images(x);
    for (l = 0; l < 3; l++) {
        vae_desc d = optim_desc(VAE_OPTIMIZER_SGD);
        vae *m;
        float *before;
        double squares = 0, moved = 0, norm;
        vae_stats s;
        d.lr = 0.5, d.clip = limits[l];
        m = optim_open(&d);
        if (!m) return;
        before = ref_floats(m->parameters);
        memcpy(before, m->w, m->parameters * sizeof *before);
        CHECK_STATUS(vae_train_step(m, BATCH(x, OPTIM_ROWS), &s), VAE_OK);
        for (i = 0; i < m->parameters; i++) squares += (double)m->g[i] * (double)m->g[i];
        norm = sqrt(squares);
        CHECK_NEAR(s.grad_norm, norm, 1e-12 * norm);
        CHECK(norm > 1.5); /* each of the limits bites */
        for (i = 0; i < m->parameters; i++) {
            const double step = d.lr * limits[l] / norm * (double)m->g[i];
            CHECK_NEAR((double)m->w[i], (double)before[i] - step,
                       6e-8 * fabs((double)before[i]) + 3e-7 * fabs(step));
            moved += step * step;
        }
        CHECK_NEAR(sqrt(moved), d.lr * limits[l], 1e-6 * limits[l]);
        free(before);
        vae_destroy(m);
    }
}

/* As in PyTorch, where the norm is clipped before the optimiser adds the decay. */
TEST(weight_decay_is_not_clipped) {
    vae_desc d = optim_desc(VAE_OPTIMIZER_SGD);
    vae *m;
    size_t i;
    d.lr = 1, d.weight_decay = 0.5, d.clip = 1;
    m = optim_open(&d);
    if (!m) return;
    for (i = 0; i < m->parameters; i++) m->w[i] = 2, m->g[i] = 8;
    optim_update(m, 0.0625f);
    for (i = 0; i < m->parameters; i++) CHECK(m->w[i] == 0.5f); /* 2 - (8 / 16 + 1) */
    vae_destroy(m);
}

/* ---- the running average ---- */

TEST(the_running_average_begins_at_the_initial_weights_and_follows) {
    vae_desc d = optim_desc(VAE_OPTIMIZER_SGD);
    vae *m = NULL;
    size_t i;
    d.input = "9", d.latent = 2, d.encoder = d.decoder = "dense 4", d.batch = 4;
    d.ema = 0.75, d.lr = 1;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    if (!m) return;
    for (i = 0; i < m->parameters; i++) CHECK(ref_same(m->average[i], m->w[i]));
    for (i = 0; i < m->parameters; i++) m->w[i] = m->average[i] = 4, m->g[i] = 4;
    optim_update(m, 1); /* w becomes 0 */
    for (i = 0; i < m->parameters; i++) CHECK(m->w[i] == 0 && m->average[i] == 3);
    memset(m->g, 0, m->parameters * sizeof(float));
    optim_update(m, 1);
    for (i = 0; i < m->parameters; i++) CHECK(m->w[i] == 0 && m->average[i] == 2.25f);
    vae_destroy(m);
}

/* ---- bits ---- */

TEST(training_has_the_same_bits_on_every_instruction_set) {
    const vae__kernels *k;
    int o;
    for (o = 0; o < VAE_OPTIMIZER_COUNT; o++) {
        uint64_t portable = 0;
        for (k = NULL; (k = ref_next_isa(k));) {
            vae_desc d = optim_desc((vae_optimizer)o);
            uint64_t hash;
            d.isa = k->isa, d.lr = 0.01, d.momentum = 0.9, d.weight_decay = 0.1, d.clip = 0.5;
            d.ema = 0.9, d.schedule = VAE_SCHEDULE_COSINE, d.lr_steps = 12;
            hash = optim_train(&d, NULL);
            if (k->isa == VAE_ISA_PORTABLE) portable = hash;
            CHECK(hash == portable);
        }
    }
}

/* A square that overflows leaves the weights finite: they stand still for ever, and no file is written. */
TEST(a_gradient_without_a_square_is_told_at_its_step) {
    vae_desc d;
    vae *m = NULL;
    float x[16];
    vae_status status = VAE_OK;
    int i;
    memset(&d, 0, sizeof d);
    d.input = "16", d.encoder = d.decoder = "", d.likelihood = "gaussian_pixel", d.lr = 1;
    for (i = 0; i < 16; i++) x[i] = (float)(i % 5) - 1.5f;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    for (i = 0; i < 50 && !status; i++) {
        status = vae_train_step(m, BATCH(x, 1), NULL);
        if (!status) CHECK(m->k->within(m->parameters, FLT_MAX, m->v));
    }
    CHECK_STATUS(status, VAE_ERR_NONFINITE);
    CHECK_SAYS(*vae_last_report(m), "step ");
    CHECK_SAYS(*vae_last_report(m), "decoder.head");
    vae_destroy(m);
}

TESTS(optim) {
    RUN(a_gradient_without_a_square_is_told_at_its_step);
    vae__fpenv env;
    vae__fp_enter(&env); /* see reference.h */
    RUN(ten_steps_of_each_optimizer_match_pytorchs_formulas);
    RUN(the_first_step_of_adam_has_the_size_of_the_learning_rate);
    RUN(a_constant_rate_is_constant);
    RUN(a_cosine_rate_falls_to_zero_and_stays);
    RUN(a_rate_of_stages_changes_at_their_ends_and_the_last_stays);
    RUN(the_model_tells_the_rate_of_the_step_it_has_done);
    RUN(the_rate_of_the_step_is_the_one_that_moves_the_weights);
    RUN(a_limit_that_is_not_reached_leaves_the_same_bits);
    RUN(clipping_scales_the_whole_gradient_to_the_limit);
    RUN(weight_decay_is_not_clipped);
    RUN(the_running_average_begins_at_the_initial_weights_and_follows);
    RUN(training_has_the_same_bits_on_every_instruction_set);
    vae__fp_leave(&env);
}
