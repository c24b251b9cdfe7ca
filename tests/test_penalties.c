/* What weighs on the code: beta, free bits, the penalties of autoencoders; and corrupted inputs. */
#include "models.h"

/* ---- what settings do to a run ---- */

/* Images of three hidden numbers, in [0,1]; `mix` of each pixel is fixed. */
static void hidden_images(float *x, size_t rows) {
    uint64_t state = 95;
    double mix[4][30];
    size_t i, j;
    for (i = 0; i < 4; i++)
        for (j = 0; j < 30; j++) mix[i][j] = 2 * ref_normal(&state);
    for (i = 0; i < rows; i++) {
        const double a = ref_normal(&state), b = ref_normal(&state), c = ref_normal(&state);
        for (j = 0; j < 30; j++)
            x[i * 30 + j] = (float)ref_sigmoid(mix[3][j] / 2 + a * mix[0][j] + b * mix[1][j] +
                                               c * mix[2][j]);
    }
}
enum { HIDDEN = 64 };
/* Trained on them; figures and each latent's KL. */
static void hidden_run(const vae_desc *d, int epochs, vae_stats *s, double *kl, vae **keep) {
    static float x[HIDDEN * 30];
    vae_data data = float_data(x, HIDDEN, 30);
    vae_desc own = *d;
    vae *m = NULL;
    hidden_images(x, HIDDEN);
    own.lr = 1e-2, own.epochs = epochs;
    CHECK_STATUS(vae_create(&own, &m, NULL), VAE_OK);
    CHECK_STATUS(vae_fit(m, &data, NULL, NULL, NULL), VAE_OK);
    CHECK_STATUS(vae_evaluate(m, &data, s), VAE_OK);
    CHECK_STATUS(vae_units(m, &data, kl, NULL), VAE_OK);
    if (keep) *keep = m;
    else vae_destroy(m);
}

TEST(free_bits_that_no_latent_exceeds_leave_reconstruction_alone) {
    float x[8 * 30];
    uint64_t hash = 0;
    vae_stats s;
    int way, step;
    small_images(x, 8, 30);
    for (way = 0; way < 3; way++) {
        vae_desc d = small_desc();
        vae *m = NULL;
        if (way == 0) d.no_kl = 1;
        if (way == 1) d.free_bits = 1000, d.beta = 3;
        if (way == 2) d.free_bits = 1e-9, d.beta = 3; /* and what all exceed changes nothing */
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        for (step = 0; step < 5; step++) CHECK_STATUS(vae_train_step(m, BATCH(x, 8), &s), VAE_OK);
        if (way == 0) hash = vae_params_hash(m);
        if (way == 1) CHECK_NEAR(s.loss, s.recon + 3 * 3 * 1000.0, 1e-9);
        if (way == 2) CHECK_NEAR(s.loss, s.recon + 3 * s.kl, 1e-6 * s.loss);
        CHECK((vae_params_hash(m) == hash) == (way < 2));
        if (way == 2) { /* the same bits as without them */
            hash = vae_params_hash(m);
            vae_destroy(m);
            d.free_bits = 0;
            CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
            for (step = 0; step < 5; step++)
                CHECK_STATUS(vae_train_step(m, BATCH(x, 8), &s), VAE_OK);
            CHECK(vae_params_hash(m) == hash);
        }
        vae_destroy(m);
    }
}

TEST(free_bits_keep_latents_that_beta_collapses) {
    vae_desc d = small_desc();
    vae_stats s;
    double kl[3];
    int j;
    d.beta = 30;
    hidden_run(&d, 80, &s, kl, NULL);
    for (j = 0; j < 3; j++) CHECK(kl[j] < 0.05);
    d.free_bits = 0.6;
    hidden_run(&d, 80, &s, kl, NULL);
    for (j = 0; j < 3; j++) CHECK(kl[j] > 0.5 && kl[j] < 0.8); /* pushed down to it, no further */
}

TEST(a_larger_beta_has_a_lower_rate_and_a_higher_distortion) {
    static const double betas[] = {0.1, 1, 6};
    vae_stats s[3];
    double kl[3];
    int i;
    for (i = 0; i < 3; i++) {
        vae_desc d = small_desc();
        d.beta = betas[i];
        hidden_run(&d, 80, &s[i], kl, NULL);
    }
    for (i = 1; i < 3; i++)
        CHECK(s[i].kl < s[i - 1].kl - 0.2 && s[i].recon > s[i - 1].recon + 0.2);
}

TEST(beta_rises_in_a_sawtooth) {
    static const uint64_t settings[][2] = {{4, 7}, {6, 0}, {9, 5}, {1, 3}};
    float x[8 * 30];
    size_t n;
    small_images(x, 8, 30);
    for (n = 0; n < 4; n++) {
        const uint64_t warmup = settings[n][0], cycle = settings[n][1];
        vae_desc d = obj_still();
        uint64_t step;
        vae *m = NULL;
        d.beta = 0.5, d.warmup_steps = warmup, d.cycle_steps = cycle;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        for (step = 0; step < 24; step++) {
            const uint64_t tooth = cycle ? step % cycle : step;
            const double want = tooth < warmup ? 0.5 * (double)tooth / (double)warmup : 0.5;
            vae_stats s;
            CHECK_STATUS(vae_train_step(m, BATCH(x, 8), &s), VAE_OK);
            CHECK_NEAR((s.loss - s.recon) / s.kl, want, 1e-12 * s.loss / s.kl);
        }
        vae_destroy(m);
    }
}

/* ---- penalties ---- */

TEST(the_sparse_penalty_has_no_pull_at_zero_and_shrinks_codes) {
    vae_desc d = small_desc();
    float x[8 * 30], mu[HIDDEN * 3];
    uint64_t hash = 0;
    double mean[3];
    int way;
    small_images(x, 8, 30);
    for (way = 0; way < 2; way++) { /* codes of 0 are not pulled: the same step */
        vae *m = NULL;
        d.init = VAE_INIT_ZERO, d.sparse = way ? 10 : 0;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        CHECK_STATUS(vae_train_step(m, BATCH(x, 8), NULL), VAE_OK);
        if (!way) hash = vae_params_hash(m);
        CHECK(vae_params_hash(m) == hash);
        vae_destroy(m);
    }
    for (way = 0; way < 3; way++) {
        static float images[HIDDEN * 30];
        vae_desc own = small_desc();
        vae_stats s;
        double kl[3];
        vae *m = NULL;
        int i;
        own.no_noise = own.no_kl = 1, own.sparse = way ? way * way * 0.5 : 0;
        hidden_run(&own, 60, &s, kl, &m);
        hidden_images(images, HIDDEN);
        CHECK_STATUS(vae_encode(m, BATCH(images, HIDDEN), mu, NULL), VAE_OK);
        for (i = 0, mean[way] = 0; i < HIDDEN * 3; i++)
            mean[way] += fabs((double)mu[i]) / HIDDEN;
        vae_destroy(m);
    }
    CHECK(mean[1] < 0.8 * mean[0] && mean[2] < 0.8 * mean[1]);
}

/* Sum over rows and codes of the squared Jacobian, by central differences of vae_encode; without
 * its check, since a pixel may leave [0,1] by h. */
static double jacobian_of(vae *m, const float *x, size_t rows, size_t dim, size_t latent) {
    const float h = 0x1p-7f; /* differences to 1e-7 / h, 1e-5 of a slope; h^2 of curvature, 6e-5 */
    float *moved = ref_floats(dim), *up = ref_floats(latent), *down = ref_floats(latent);
    double sum = 0;
    size_t i, j, q;
    for (i = 0; i < rows; i++)
        for (q = 0; q < dim; q++) {
            memcpy(moved, x + i * dim, dim * sizeof(float));
            moved[q] = x[i * dim + q] + h;
            CHECK_STATUS(vae__encode(m, BATCH(moved, 1), moved, 0, 1, up, NULL), VAE_OK);
            moved[q] = x[i * dim + q] - h;
            CHECK_STATUS(vae__encode(m, BATCH(moved, 1), moved, 0, 1, down, NULL), VAE_OK);
            for (j = 0; j < latent; j++)
                sum += pow(((double)up[j] - (double)down[j]) / (2 * (double)h), 2);
        }
    free(moved), free(up), free(down);
    return sum;
}

TEST(the_contractive_penalty_in_closed_form_is_the_squared_jacobian) {
    static const vae_act codes[] = {VAE_ACT_IDENTITY, VAE_ACT_TANH, VAE_ACT_SIGMOID, VAE_ACT_RELU};
    float x[8 * 30];
    size_t n, i;
    for (n = 0; n < 4; n++) {
        vae_desc d = obj_still();
        vae_stats s;
        vae *m = NULL;
        double want;
        d.encoder = "", d.posterior = ref_posterior(VAE__SPREAD_NONE, codes[n]), d.contract = 0.5, d.beta = 2;
        small_images(x, 8, 30);
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        for (i = 0; i < 3; i++) m->w[30 * 6 + i] = (float)i - 1; /* biases: relus open and shut */
        CHECK_STATUS(vae_train_step(m, BATCH(x, 8), &s), VAE_OK);
        want = jacobian_of(m, x, 8, 30, 3) / 8;
        CHECK(want > 0.1);
        CHECK_NEAR((s.loss - s.recon - 2 * s.kl) / 0.5, want, 1e-3 * want);
        vae_destroy(m);
    }
}

/* E |J u|^2 over normal u is |J|^2; 8 rows and 2000 steps are 16000 of them, each off by its own
 * size at most twice over: 1.2 %. The 0.01 between the views bends it far less. */
TEST(the_contractive_penalty_of_two_views_has_the_squared_jacobian_as_mean) {
    enum { STEPS = 2000 };
    float x[8 * 30];
    vae_desc d = obj_still();
    double sum = 0, want;
    vae *m = NULL;
    int n;
    d.encoder = "dense 12 tanh, dense 6 sigmoid", d.contract = 0.5, d.posterior = "normal code tanh";
    small_images(x, 8, 30);
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    for (n = 0; n < STEPS; n++) {
        vae_stats s;
        CHECK_STATUS(vae_train_step(m, BATCH(x, 8), &s), VAE_OK);
        sum += (s.loss - s.recon - s.kl) / 0.5 / STEPS;
    }
    want = jacobian_of(m, x, 8, 30, 3) / 8;
    CHECK_NEAR(sum, want, 0.05 * want);
    vae_destroy(m);
}

TEST(a_contractive_weight_flattens_the_encoder) {
    static float x[HIDDEN * 30];
    vae_stats s;
    double kl[3], square[2];
    int way;
    for (way = 0; way < 4; way++) {
        vae_desc d = small_desc();
        vae *m = NULL;
        d.no_noise = d.no_kl = 1, d.contract = way % 2 ? 0.3 : 0;
        if (way / 2) d.encoder = "", d.posterior = "normal code tanh";
        hidden_run(&d, 40, &s, kl, &m);
        hidden_images(x, HIDDEN);
        square[way % 2] = jacobian_of(m, x, 16, 30, 3);
        if (way % 2) CHECK(square[1] < 0.7 * square[0]);
        vae_destroy(m);
    }
}

/* ---- corruption ---- */

TEST(corruption_hits_its_part_of_the_input_and_leaves_the_target_clean) {
    enum { STEPS = 50, N = 8 * 30 };
    static const vae_corrupt kinds[] = {VAE_CORRUPT_GAUSSIAN, VAE_CORRUPT_MASK,
                                        VAE_CORRUPT_SALT_PEPPER, VAE_CORRUPT_MASK};
    float x[N], first[N];
    size_t way, n, i;
    small_images(x, 8, 30);
    for (i = 0; i < N; i++) x[i] = 0.25f + 0.5f * x[i]; /* neither 0 nor 1 */
    for (way = 0; way < 4; way++) {
        const double part = way == 3 ? 1 : 0.3; /* 0.3 is the default */
        vae_desc d = obj_still();
        double black = 0, white = 0, off = 0, squares = 0;
        vae *m = NULL, *plain = NULL;
        vae_tensor t;
        vae_stats clean, s;
        CHECK_STATUS(vae_create(&d, &plain, NULL), VAE_OK);
        d.corrupt = kinds[way], d.corruption = way == 3 ? 1 : 0;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        for (n = 0; n < 2; n++) { /* a decoder that ignores what it is given */
            CHECK_STATUS(vae_tensor_at(n ? plain : m, 4, &t), VAE_OK);
            CHECK(!strcmp(t.name, "decoder.0.weight"));
            memset(t.data, 0, t.count * sizeof(float));
        }
        for (n = 0; n < STEPS; n++) {
            CHECK_STATUS(vae_train_step(m, BATCH(x, 8), &s), VAE_OK);
            CHECK_STATUS(vae_train_step(plain, BATCH(x, 8), &clean), VAE_OK);
            CHECK(s.recon == clean.recon && s.kl != clean.kl);
            if (n == 1) CHECK(way == 3 || memcmp(first, m->seen, sizeof first));
            if (n == 0) memcpy(first, m->seen, sizeof first);
            for (i = 0; i < N; i++) {
                const double gap = (double)m->seen[i] - (double)x[i];
                if (m->seen[i] == 0 && way) black += 1.0 / (STEPS * N);
                else if (m->seen[i] == 1 && way) white += 1.0 / (STEPS * N);
                else if (way) CHECK(gap == 0);
                off += gap / (STEPS * N), squares += gap * gap / (STEPS * N);
            }
        }
        /* 12000 numbers: a probability of 0.3 is off by 0.0042, a mean by 0.3 / sqrt(12000) =
         * 0.0027, a square of deviation 0.3 by 0.09 sqrt(2 / 12000) = 0.0012; four of each */
        if (way == 0) {
            CHECK_NEAR(off, 0, 0.011);
            CHECK_NEAR(squares, 0.09, 0.005);
        }
        if (way == 1 || way == 3) CHECK_NEAR(black, part, way == 3 ? 1e-9 : 0.017);
        if (way == 1 || way == 3) CHECK(white == 0);
        if (way == 2) {
            CHECK_NEAR(black, 0.15, 0.013);
            CHECK_NEAR(white, 0.15, 0.013);
        }
        vae_destroy(m), vae_destroy(plain);
    }
}

TEST(evaluation_does_not_corrupt) {
    float x[9 * 30], a[9 * 30], b[9 * 30];
    vae_data data;
    vae_stats s, t;
    int way;
    small_images(x, 9, 30);
    data = float_data(x, 9, 30);
    for (way = VAE_CORRUPT_GAUSSIAN; way < VAE_CORRUPT_COUNT; way++) {
        vae_desc d = small_desc();
        vae *m = NULL, *plain = small_model();
        d.corrupt = (vae_corrupt)way, d.contract = 0.5;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        CHECK(vae_params_hash(m) == vae_params_hash(plain));
        CHECK_STATUS(vae_evaluate(m, &data, &s), VAE_OK);
        CHECK_STATUS(vae_evaluate(plain, &data, &t), VAE_OK);
        CHECK(!memcmp(&s, &t, sizeof s));
        CHECK_STATUS(vae_encode(m, BATCH(x, 9), a, NULL), VAE_OK);
        CHECK_STATUS(vae_encode(plain, BATCH(x, 9), b, NULL), VAE_OK);
        CHECK(!memcmp(a, b, 9 * 3 * sizeof(float)));
        CHECK_STATUS(vae_reconstruct(m, BATCH(x, 9), a), VAE_OK);
        CHECK_STATUS(vae_reconstruct(plain, BATCH(x, 9), b), VAE_OK);
        CHECK(!memcmp(a, b, sizeof a));
        CHECK_STATUS(vae_bound(m, BATCH(x, 9), 3, a), VAE_OK);
        CHECK_STATUS(vae_bound(plain, BATCH(x, 9), 3, b), VAE_OK);
        CHECK(!memcmp(a, b, 9 * sizeof(float)));
        vae_destroy(m), vae_destroy(plain);
    }
}

/* A probability of 1 leaves nothing, and one-hot planes are no head. */
TEST(everything_is_masked_with_certainty_and_a_label_is_no_head) {
    float x[8 * 30];
    vae_desc d = small_desc();
    vae *m = NULL;
    vae_info info;
    size_t i;
    small_images(x, 8, 30);
    d.corrupt = VAE_CORRUPT_MASK, d.corruption = 1;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    CHECK_STATUS(vae_train_step(m, BATCH(x, 8), NULL), VAE_OK);
    for (i = 0; i < 8 * 30; i++) CHECK(vae__bits_f(m->seen[i]) == 0);
    vae_destroy(m);
    d = small_desc();
    d.input = "30", d.decoder = "dense 26 tanh, label 4";
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    vae_get_info(m, &info);
    CHECK(!strcmp(m->tensors[info.tensors - 1].name, "decoder.head.bias"));
    vae_destroy(m);
}

TESTS(penalties) {
    vae__fpenv env;
    vae__fp_enter(&env); /* see reference.h */
    RUN(everything_is_masked_with_certainty_and_a_label_is_no_head);
    RUN(free_bits_that_no_latent_exceeds_leave_reconstruction_alone);
    RUN(free_bits_keep_latents_that_beta_collapses);
    RUN(a_larger_beta_has_a_lower_rate_and_a_higher_distortion);
    RUN(beta_rises_in_a_sawtooth);
    RUN(the_sparse_penalty_has_no_pull_at_zero_and_shrinks_codes);
    RUN(the_contractive_penalty_in_closed_form_is_the_squared_jacobian);
    RUN(the_contractive_penalty_of_two_views_has_the_squared_jacobian_as_mean);
    RUN(a_contractive_weight_flattens_the_encoder);
    RUN(corruption_hits_its_part_of_the_input_and_leaves_the_target_clean);
    RUN(evaluation_does_not_corrupt);
    vae__fp_leave(&env);
}
