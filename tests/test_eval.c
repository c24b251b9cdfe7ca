/* >>eval: encode, decode, sample, score. */
#include "models.h"

/* The same figures whether rows come alone, in odd portions or all at once. */
TEST(results_do_not_depend_on_the_size_of_the_batch) {
    enum { ROWS = 21, DIM = 30, L = 3 };
    vae *m = small_model();
    float x[ROWS * DIM], all[ROWS * DIM], one[DIM], mu[ROWS * L], lv[ROWS * L], z[L], l[L];
    float elbo[ROWS], recon[ROWS], kl[ROWS], e, r, k;
    size_t i;
    small_images(x, ROWS, DIM);
    CHECK_STATUS(vae_encode(m, BATCH(x, ROWS), mu, lv), VAE_OK);
    CHECK_STATUS(vae_score(m, BATCH(x, ROWS, .first = 40), elbo, recon, kl), VAE_OK);
    CHECK_STATUS(vae_reconstruct(m, BATCH(x, ROWS), all), VAE_OK);
    for (i = 0; i < ROWS; i++) {
        CHECK_STATUS(vae_encode(m, BATCH(x + i * DIM, 1), z, l), VAE_OK);
        CHECK(!memcmp(z, mu + i * L, sizeof z) && !memcmp(l, lv + i * L, sizeof l));
        CHECK_STATUS(vae_decode(m, BATCH(z, 1), one), VAE_OK);
        CHECK(!memcmp(one, all + i * DIM, sizeof one));
        CHECK_STATUS(vae_score(m, BATCH(x + i * DIM, 1, .first = 40 + (uint32_t)i), &e, &r, &k),
                     VAE_OK);
        CHECK(e == elbo[i] && r == recon[i] && k == kl[i]);
        CHECK_NEAR((double)e, -((double)r + (double)k), 1e-5 * (double)r);
    }
    memcpy(all, x, sizeof x);
    CHECK_STATUS(vae_reconstruct(m, BATCH(all, ROWS), all), VAE_OK); /* in place */
    CHECK(!memcmp(one, all + 20 * DIM, sizeof one));
    vae_destroy(m);
}

/* A row alone leaves out the weights of pixels and hidden units that are 0. */
TEST(a_row_alone_has_the_bits_it_has_among_others) {
    enum { ROWS = 9, L = 5 };
    const vae__kernels *k;
    vae_data data = digit_data(ROWS);
    float *x = ref_floats(ROWS * 784), *all = ref_floats(ROWS * 784), *one = ref_floats(784);
    float mu[ROWS * L], lv[ROWS * L], m1[L], l1[L];
    size_t i;
    CHECK_STATUS(vae_data_read(&data, 0, ROWS, x), VAE_OK);
    for (k = NULL; (k = ref_next_isa(k));) {
        vae_desc d = digit_desc();
        vae *m = NULL;
        d.encoder = "dense 300 relu", d.decoder = "dense 300 relu, dense 260 relu";
        d.latent = L, d.batch = ROWS, d.inference = 1, d.isa = k->isa;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        CHECK_STATUS(vae_encode(m, BATCH(x, ROWS), mu, lv), VAE_OK);
        CHECK_STATUS(vae_decode(m, BATCH(mu, ROWS), all), VAE_OK);
        for (i = 0; i < ROWS; i++) {
            CHECK_STATUS(vae_encode(m, BATCH(x + i * 784, 1), m1, l1), VAE_OK);
            CHECK(!memcmp(m1, mu + i * L, sizeof m1) && !memcmp(l1, lv + i * L, sizeof l1));
            CHECK_STATUS(vae_decode(m, BATCH(m1, 1), one), VAE_OK);
            CHECK(!memcmp(one, all + i * 784, 784 * sizeof(float)));
        }
        vae_destroy(m);
    }
    free(x), free(all), free(one);
    free((void *)(size_t)data.bytes);
}

TEST(a_draw_from_the_prior_has_an_address) {
    vae *m = small_model();
    float z[40 * 3], x[40 * 30], z17[3], x17[30];
    vae_stream s;
    CHECK_STATUS(vae_prior(m, BATCH(NULL, 40), 9, z), VAE_OK);
    CHECK_STATUS(vae_sample_prior(m, BATCH(NULL, 40), 9, x), VAE_OK);
    CHECK_STATUS(vae_prior(m, BATCH(NULL, 1, .first = 17), 9, z17), VAE_OK);
    CHECK_STATUS(vae_sample_prior(m, BATCH(NULL, 1, .first = 17), 9, x17), VAE_OK);
    CHECK(!memcmp(z17, z + 17 * 3, sizeof z17) && !memcmp(x17, x + 17 * 30, sizeof x17));
    memset(&s, 0, sizeof s);
    s.seed = 9, s.purpose = VAE_PURPOSE_PRIOR_Z, s.sample = 17;
    vae_random_normal(&s, 0, 3, z17);
    CHECK(!memcmp(z17, z + 17 * 3, sizeof z17));
    vae_destroy(m);
}

/* As vae__normal_draw, by way of its scratch. */
static void eval_roomy_draw(const vae__code *c, const float *w, const vae__address *at, float *z) {
    (void)w;
    CHECK(c->room != NULL);
    if (!c->room) return;
    c->k->draw(VAE__DRAW_NORMAL, at, 0, c->latent, c->room);
    memcpy(z, c->room, c->latent * sizeof(float));
}
TEST(a_prior_may_use_its_scratch_to_draw) {
    float want[5 * 30], got[5 * 30];
    vae_desc d = small_desc();
    vae__prior roomy;
    vae *m = NULL;
    d.encoder = "dense 12 tanh, batchnorm"; /* whose scratch serves the prior too */
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    if (!m) return;
    CHECK(m->room_floats >= 3);
    roomy = *m->code.prior;
    roomy.room = 1, roomy.draw = eval_roomy_draw;
    CHECK_STATUS(vae_prior(m, BATCH(NULL, 5), 8, want), VAE_OK);
    m->code.prior = &roomy;
    CHECK_STATUS(vae_prior(m, BATCH(NULL, 5), 8, got), VAE_OK);
    CHECK(!memcmp(want, got, 5 * 3 * sizeof(float)));
    CHECK_STATUS(vae_sample_prior(m, BATCH(NULL, 5), 8, got), VAE_OK);
    CHECK_STATUS(vae_decode(m, BATCH(want, 5), want), VAE_OK);
    CHECK(!memcmp(want, got, sizeof got));
    vae_destroy(m);
}

/* In a model that trains, one for inference and a shared one. */
TEST(pixels_outside_the_unit_interval_are_for_encoders_trained_with_noise) {
    static const struct {
        const char *encoder;
        double contract;
        vae_corrupt corrupt;
        int takes;
    } cases[] = {
        {"dense 12 tanh", 0, VAE_CORRUPT_NONE, 0},
        {"dense 12 tanh, noise 0.1", 0, VAE_CORRUPT_NONE, 0},
        {"dense 12 tanh", 0, VAE_CORRUPT_MASK, 0},
        {"dense 12 tanh", 0, VAE_CORRUPT_GAUSSIAN, 1},
        {"noise 0.1, dense 12 tanh", 0, VAE_CORRUPT_NONE, 1},
        {"flatten, noise 0.1, dense 12 tanh", 0, VAE_CORRUPT_NONE, 1},
        {"dense 12 tanh, dense 4", 0.1, VAE_CORRUPT_NONE, 1},
        {"", 0.1, VAE_CORRUPT_NONE, 1},
    };
    size_t n;
    int way;
    for (n = 0; n < sizeof cases / sizeof *cases; n++) {
        const vae_status want = cases[n].takes ? VAE_OK : VAE_ERR_VALUE;
        vae *m[3] = {NULL, NULL, NULL};
        vae_desc d = small_desc();
        float x[30], out[30];
        d.encoder = cases[n].encoder, d.contract = cases[n].contract, d.corrupt = cases[n].corrupt;
        CHECK_STATUS(vae_create(&d, &m[0], NULL), VAE_OK);
        CHECK_STATUS(vae_share(m[0], NULL, &m[1], NULL), VAE_OK);
        d.inference = 1;
        CHECK_STATUS(vae_create(&d, &m[2], NULL), VAE_OK);
        small_images(x, 1, 30);
        x[7] = 1.5f;
        for (way = 0; way < 3; way++) {
            CHECK_STATUS(vae_encode(m[way], BATCH(x, 1), out, NULL), want);
            CHECK_STATUS(vae_posterior(m[way], BATCH(x, 1), out), want);
            CHECK_STATUS(vae_reconstruct(m[way], BATCH(x, 1), out), want);
            CHECK_STATUS(vae_score(m[way], BATCH(x, 1), out, NULL, NULL), VAE_ERR_VALUE);
        }
        for (way = 2; way >= 0; way--) vae_destroy(m[way]);
    }
}

TEST(means_are_the_sigmoid_of_the_logits) {
    vae *m = small_model();
    float z[3] = {0.3f, -1, 2}, logits[30], p[30];
    int i;
    CHECK_STATUS(vae_decode(m, BATCH(z, 1), p), VAE_OK);
    CHECK_STATUS(vae_decode_logits(m, BATCH(z, 1), logits), VAE_OK);
    for (i = 0; i < 30; i++) CHECK_NEAR((double)p[i], 1 / (1 + exp(-(double)logits[i])), 2e-7);
    vae_destroy(m);
}

TEST(evaluation_leaves_training_alone) {
    vae *a = small_model(), *b = small_model();
    float x[8 * 30], out[8 * 30];
    vae_data data = float_data(x, 8, 30);
    vae_stats s;
    int i;
    small_images(x, 8, 30);
    for (i = 0; i < 4; i++) {
        CHECK_STATUS(vae_train_step(a, BATCH(x, 8), NULL), VAE_OK);
        CHECK_STATUS(vae_train_step(b, BATCH(x, 8), NULL), VAE_OK);
        vae_evaluate(b, &data, &s);
        vae_sample_prior(b, BATCH(NULL, 8), 1, out);
        vae_reconstruct(b, BATCH(x, 8), out);
    }
    CHECK(vae_params_hash(a) == vae_params_hash(b));
    vae_destroy(a);
    vae_destroy(b);
}

TEST(score_is_the_mean_that_evaluate_gives) {
    vae *m = small_model();
    float x[19 * 30], elbo[19];
    vae_data data = float_data(x, 19, 30);
    vae_stats s;
    double sum = 0;
    int i;
    small_images(x, 19, 30);
    CHECK_STATUS(vae_evaluate(m, &data, &s), VAE_OK);
    CHECK_STATUS(vae_score(m, BATCH(x, 19), elbo, NULL, NULL), VAE_OK);
    for (i = 0; i < 19; i++) sum += (double)elbo[i];
    CHECK_NEAR(sum / 19, s.elbo, 1e-5);
    CHECK_EQ(s.images, 19);
    vae_destroy(m);
}

TEST(averaged_weights_are_used_and_can_be_turned_off) {
    vae_desc d = small_desc();
    float x[8 * 30], with[30], without[30];
    vae *m = NULL;
    int i;
    small_images(x, 8, 30);
    d.ema = 0.9, d.lr = 1e-2;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    for (i = 0; i < 5; i++) CHECK_STATUS(vae_train_step(m, BATCH(x, 8), NULL), VAE_OK);
    CHECK_STATUS(vae_reconstruct(m, BATCH(x, 1), with), VAE_OK);
    CHECK_STATUS(vae_reconstruct(m, BATCH(x, 1, .no_ema = 1), without), VAE_OK);
    CHECK(memcmp(with, without, sizeof with) != 0);
    CHECK_STATUS(vae_reconstruct(m, BATCH(x, 1), without), VAE_OK); /* of that call alone */
    CHECK(!memcmp(with, without, sizeof with));
    vae_destroy(m);
}

TEST(without_noise_the_mean_is_decoded) {
    vae_desc d = small_desc();
    float x[30], mu[3], p[30], recon;
    double want = 0;
    vae *m = NULL;
    int i;
    small_images(x, 1, 30);
    d.no_noise = 1;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    CHECK_STATUS(vae_encode(m, BATCH(x, 1), mu, NULL), VAE_OK);
    CHECK_STATUS(vae_decode(m, BATCH(mu, 1), p), VAE_OK);
    CHECK_STATUS(vae_score(m, BATCH(x, 1), NULL, &recon, NULL), VAE_OK);
    for (i = 0; i < 30; i++)
        want -= (double)x[i] * log((double)p[i]) + (1 - (double)x[i]) * log(1 - (double)p[i]);
    CHECK_NEAR((double)recon, want, 1e-5 * want);
    vae_destroy(m);
}

TEST(wrong_calls_to_a_model_are_told) {
    vae *m = small_model();
    float x[30];
    vae_stats s;
    CHECK_STATUS(vae_encode(NULL, BATCH(x, 1), x, NULL), VAE_ERR_NULL);
    CHECK_STATUS(vae_encode(m, BATCH(NULL, 1), x, NULL), VAE_ERR_NULL);
    CHECK_STATUS(vae_decode(m, BATCH(NULL, 1), x), VAE_ERR_NULL);
    CHECK_STATUS(vae_decode(m, BATCH(x, 1), NULL), VAE_ERR_NULL);
    CHECK_STATUS(vae_reconstruct(m, BATCH(x, 1), NULL), VAE_ERR_NULL);
    CHECK_STATUS(vae_score(m, BATCH(NULL, 1), x, NULL, NULL), VAE_ERR_NULL);
    CHECK_STATUS(vae_evaluate(m, NULL, &s), VAE_ERR_NULL);
    CHECK_STATUS(vae_sample_prior(m, BATCH(NULL, 1), 1, NULL), VAE_ERR_NULL);
    CHECK_STATUS(vae_encode(m, BATCH(x, 0), NULL, NULL), VAE_OK); /* no rows: nothing to do */
    vae_destroy(m);
}

/* ---- the rows of a call ---- */

enum { BATCH_ROWS = 11, BATCH_IN = 30, BATCH_L = 3 };

/* Everything that noise is addressed in: rows of x or z, side by side in out. */
enum { BATCH_CALLS = 5, BATCH_WIDTH = BATCH_L + 1 + 1 + BATCH_IN + BATCH_IN };
static void batch_call(vae *m, const vae_batch *of_x, const vae_batch *of_z, float *out) {
    const size_t rows = of_x->rows;
    float *score = out + rows * BATCH_L, *bound = score + rows, *draw = bound + rows;
    CHECK_STATUS(vae_posterior(m, of_x, out), VAE_OK);
    CHECK_STATUS(vae_score(m, of_x, score, NULL, NULL), VAE_OK);
    CHECK_STATUS(vae_bound(m, of_x, 3, bound), VAE_OK);
    CHECK_STATUS(vae_draw(m, of_z, 7, draw), VAE_OK);
    CHECK_STATUS(vae_sample_prior(m, of_z, 7, draw + rows * BATCH_IN), VAE_OK);
}
/* Whether row i of such results of `rows` rows is what a row alone has, in call number `call`. */
static int batch_same(const float *all, size_t rows, size_t i, const float *one, int call) {
    static const size_t widths[BATCH_CALLS] = {BATCH_L, 1, 1, BATCH_IN, BATCH_IN};
    int before;
    for (before = 0; before < call; before++) all += rows * widths[before], one += widths[before];
    return !memcmp(all + i * widths[call], one, widths[call] * sizeof *one);
}

TEST(rows_are_numbered_by_first_or_by_index) {
    static const uint32_t numbers[BATCH_ROWS] = {9, 3, 3, 4294967295u, 0, 12, 5, 70000, 1, 8, 2};
    vae_desc d = small_desc();
    float x[BATCH_ROWS * BATCH_IN], z[BATCH_ROWS * BATCH_L], one[BATCH_WIDTH];
    float all[BATCH_ROWS * BATCH_WIDTH], wrapped[BATCH_ROWS * BATCH_WIDTH];
    size_t i;
    int call;
    vae *m = NULL;
    d.binarize = VAE_BINARIZE_DYNAMIC, d.batch = 4; /* portions end within the batch */
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    small_images(x, BATCH_ROWS, BATCH_IN);
    CHECK_STATUS(vae_prior(m, BATCH(NULL, BATCH_ROWS, .index = numbers), 4, z), VAE_OK);
    for (i = 0; i < BATCH_ROWS; i++) {
        CHECK_STATUS(vae_prior(m, BATCH(NULL, 1, .first = numbers[i]), 4, one), VAE_OK);
        CHECK(!memcmp(one, z + i * BATCH_L, BATCH_L * sizeof *z));
    }
    CHECK(!memcmp(z + BATCH_L, z + 2 * BATCH_L, BATCH_L * sizeof *z)); /* the same number */
    batch_call(m, BATCH(x, BATCH_ROWS, .first = 5, .index = numbers),
               BATCH(z, BATCH_ROWS, .first = 5, .index = numbers), all);
    batch_call(m, BATCH(x, BATCH_ROWS, .first = 4294967292u),
               BATCH(z, BATCH_ROWS, .first = 4294967292u), wrapped); /* the 5th is number 0 */
    for (i = 0; i < BATCH_ROWS; i++) {
        batch_call(m, BATCH(x + i * BATCH_IN, 1, .first = numbers[i]),
                   BATCH(z + i * BATCH_L, 1, .first = numbers[i]), one);
        for (call = 0; call < BATCH_CALLS; call++)
            CHECK(batch_same(all, BATCH_ROWS, i, one, call));
        batch_call(m, BATCH(x + i * BATCH_IN, 1, .first = 4294967292u + (uint32_t)i),
                   BATCH(z + i * BATCH_L, 1, .first = 4294967292u + (uint32_t)i), one);
        for (call = 0; call < BATCH_CALLS; call++) {
            CHECK(batch_same(wrapped, BATCH_ROWS, i, one, call));
            if (4294967292u + (uint32_t)i != numbers[i]) /* another number has other noise */
                CHECK(!batch_same(all, BATCH_ROWS, i, one, call));
        }
    }
    x[4 * BATCH_IN] = 7; /* sentences name images by their numbers */
    CHECK_STATUS(vae_score(m, BATCH(x, BATCH_ROWS, .first = 40), one, NULL, NULL), VAE_ERR_VALUE);
    CHECK_SAYS(*vae_last_report(m), "image 44: number 0 is 7");
    CHECK_STATUS(vae_encode(m, BATCH(x, BATCH_ROWS, .index = numbers), z, NULL), VAE_ERR_VALUE);
    CHECK_SAYS(*vae_last_report(m), "image 0: number 0 is 7");
    vae_destroy(m);
}

TEST(labels_of_a_batch_are_taken_in_turn) {
    static const int32_t two[] = {2, 0}, all[BATCH_ROWS] = {2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2};
    static const int32_t more[BATCH_ROWS + 1] = {2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 77};
    const int32_t *const labels[] = {all, two, more};
    const size_t counts[] = {BATCH_ROWS, 2, BATCH_ROWS + 1};
    vae_desc d = small_desc();
    float x[BATCH_ROWS * BATCH_IN], z[BATCH_ROWS * BATCH_L];
    float want[BATCH_ROWS * BATCH_WIDTH], got[BATCH_ROWS * BATCH_WIDTH];
    vae *m = NULL;
    int way;
    d.encoder = "flatten, label 3, dense 7 tanh", d.decoder = "label 3, dense 7 tanh", d.batch = 4;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    small_images(x, BATCH_ROWS, BATCH_IN);
    CHECK_STATUS(vae_prior(m, BATCH(NULL, BATCH_ROWS), 4, z), VAE_OK);
    for (way = 0; way < 3; way++) {
        batch_call(m, BATCH(x, BATCH_ROWS, .labels = labels[way], .label_count = counts[way]),
                   BATCH(z, BATCH_ROWS, .labels = labels[way], .label_count = counts[way]),
                   way ? got : want);
        if (way) CHECK(!memcmp(want, got, sizeof want));
    }
    batch_call(m, BATCH(x, BATCH_ROWS, .labels = all, .label_count = 1),
               BATCH(z, BATCH_ROWS, .labels = all, .label_count = 1), got);
    CHECK(memcmp(want, got, sizeof want));
    vae_destroy(m);
}

/* A twin without an average has the same weights: the average takes no part in training. */
TEST(no_ema_means_the_weights_themselves_in_every_call) {
    float x[BATCH_ROWS * BATCH_IN], z[BATCH_ROWS * BATCH_L], mu[3][BATCH_ROWS * BATCH_L];
    float out[3][BATCH_ROWS * BATCH_WIDTH], mean[3][BATCH_ROWS * BATCH_IN * 3];
    int way;
    small_images(x, BATCH_ROWS, BATCH_IN);
    for (way = 0; way < 3; way++) {
        vae_desc d = small_desc();
        const int no_ema = way == 1;
        vae *m = NULL;
        int step;
        d.lr = 1e-2;
        if (way) d.ema = 0.9;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        for (step = 0; step < 5; step++)
            CHECK_STATUS(vae_train_step(m, BATCH(x, 8, .no_ema = step & 1), NULL), VAE_OK);
        CHECK_STATUS(vae_prior(m, BATCH(NULL, BATCH_ROWS), 4, z), VAE_OK);
        batch_call(m, BATCH(x, BATCH_ROWS, .no_ema = no_ema),
                   BATCH(z, BATCH_ROWS, .no_ema = no_ema), out[way]);
        CHECK_STATUS(vae_encode(m, BATCH(x, BATCH_ROWS, .no_ema = no_ema), mu[way], NULL), VAE_OK);
        CHECK_STATUS(vae_decode(m, BATCH(z, BATCH_ROWS, .no_ema = no_ema), mean[way]), VAE_OK);
        CHECK_STATUS(vae_decode_logits(m, BATCH(z, BATCH_ROWS, .no_ema = no_ema),
                                       mean[way] + BATCH_ROWS * BATCH_IN), VAE_OK);
        CHECK_STATUS(vae_reconstruct(m, BATCH(x, BATCH_ROWS, .no_ema = no_ema),
                                     mean[way] + 2 * BATCH_ROWS * BATCH_IN), VAE_OK);
        vae_destroy(m);
    }
    CHECK(!memcmp(out[0], out[1], sizeof out[0]) && memcmp(out[0], out[2], sizeof out[0]));
    CHECK(!memcmp(mu[0], mu[1], sizeof mu[0]) && memcmp(mu[0], mu[2], sizeof mu[0]));
    for (way = 0; way < 3; way++) { /* decode, logits, reconstruct */
        const size_t from = (size_t)way * BATCH_ROWS * BATCH_IN, size = sizeof mean[0] / 3;
        CHECK(!memcmp(mean[0] + from, mean[1] + from, size));
        CHECK(memcmp(mean[0] + from, mean[2] + from, size));
    }
}

TEST(noise_of_the_caller_takes_the_place_of_that_of_the_number) {
    enum { K = 3 };
    float x[BATCH_ROWS * BATCH_IN], eps[BATCH_ROWS * K * BATCH_L], first[BATCH_ROWS * BATCH_L];
    float z[2][BATCH_ROWS * BATCH_L], parts[2][3 * BATCH_ROWS], bound[2][BATCH_ROWS];
    double worst[2];
    vae_desc d = small_desc();
    vae *m = NULL;
    size_t i, k;
    int way;
    d.batch = 4;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    small_images(x, BATCH_ROWS, BATCH_IN);
    for (i = 0; i < BATCH_ROWS; i++)
        for (k = 0; k < K; k++) {
            vae_stream s;
            memset(&s, 0, sizeof s);
            s.seed = 5, s.purpose = VAE_PURPOSE_EVAL, s.sample = 70 + (uint32_t)i;
            s.replica = (uint32_t)k;
            vae_random_normal(&s, 0, BATCH_L, eps + (i * K + k) * BATCH_L);
            if (!k) memcpy(first + i * BATCH_L, eps + i * K * BATCH_L, BATCH_L * sizeof *eps);
        }
    for (way = 0; way < 3; way++) {
        const float *of_one = way ? first : NULL, *of_k = way ? eps : NULL;
        const uint32_t number = way ? 3 : 70; /* with eps, numbers do not matter */
        const int to = way > 0;
        if (way == 2) eps[BATCH_ROWS * K * BATCH_L - 1] += 1, first[BATCH_ROWS * BATCH_L - 1] += 1;
        CHECK_STATUS(vae_posterior(m, BATCH(x, BATCH_ROWS, .first = number, .eps = of_one), z[to]),
                     VAE_OK);
        CHECK_STATUS(vae_score(m, BATCH(x, BATCH_ROWS, .first = number, .eps = of_one), parts[to],
                               parts[to] + BATCH_ROWS, parts[to] + 2 * BATCH_ROWS), VAE_OK);
        CHECK_STATUS(vae_bound(m, BATCH(x, BATCH_ROWS, .first = number, .eps = of_k), K,
                               bound[to]), VAE_OK);
        if (way == 1) {
            CHECK(!memcmp(z[0], z[1], sizeof z[0]) && !memcmp(parts[0], parts[1], sizeof *parts));
            CHECK(!memcmp(bound[0], bound[1], sizeof *bound));
        } else if (way == 2) { /* the last row's alone is another */
            CHECK_EQ(ref_differ(BATCH_ROWS * BATCH_L, z[0], z[1]), BATCH_ROWS * BATCH_L - 1);
            CHECK_EQ(ref_differ(BATCH_ROWS, parts[0], parts[1]), BATCH_ROWS - 1);
            CHECK_EQ(ref_differ(BATCH_ROWS, bound[0], bound[1]), BATCH_ROWS - 1);
        }
    }
    vae_destroy(m);
    for (way = 0; way < 2; way++) { /* the check's loss depends on it */
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        CHECK_STATUS(vae_check_gradients(m, BATCH(x, 4, .eps = way ? first : NULL), 1, worst + way),
                     VAE_OK);
        CHECK(worst[way] < 1e-2);
        vae_destroy(m);
    }
    CHECK(worst[0] != worst[1]);
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    eps[5] = vae__float_of(0x7fc00000u); /* draw 1 of row 0, row 1 of single draws */
    CHECK_STATUS(vae_score(m, BATCH(x, BATCH_ROWS, .eps = eps), parts[0], NULL, NULL),
                 VAE_ERR_NONFINITE);
    CHECK_SAYS(*vae_last_report(m), "eps: number 2 of row 1 is ");
    CHECK_STATUS(vae_bound(m, BATCH(x, BATCH_ROWS, .eps = eps), K, bound[0]), VAE_ERR_NONFINITE);
    CHECK_STATUS(vae_check_gradients(m, BATCH(x, 4, .eps = eps), 1, worst), VAE_ERR_NONFINITE);
    /* where there is none to replace it is not read */
    CHECK_STATUS(vae_encode(m, BATCH(x, 4, .eps = eps), z[0], NULL), VAE_OK);
    CHECK_STATUS(vae_reconstruct(m, BATCH(x, 1, .eps = eps), x), VAE_OK);
    CHECK_STATUS(vae_decode(m, BATCH(first, 1, .eps = eps), x), VAE_OK);
    CHECK_STATUS(vae_decode_logits(m, BATCH(first, 1, .eps = eps), parts[0]), VAE_OK);
    CHECK_STATUS(vae_draw(m, BATCH(first, 1, .eps = eps), 1, x), VAE_OK);
    CHECK_STATUS(vae_prior(m, BATCH(NULL, 1, .eps = eps), 1, z[0]), VAE_OK);
    CHECK_STATUS(vae_sample_prior(m, BATCH(NULL, 1, .eps = eps), 1, x), VAE_OK);
    vae_destroy(m);
    d.no_noise = 1;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    CHECK_STATUS(vae_posterior(m, BATCH(x, 4, .eps = eps), z[0]), VAE_OK);
    CHECK_STATUS(vae_encode(m, BATCH(x, 4), z[1], NULL), VAE_OK);
    CHECK(!memcmp(z[0], z[1], 4 * BATCH_L * sizeof(float)));
    CHECK_STATUS(vae_score(m, BATCH(x, 4, .eps = eps), parts[0], NULL, NULL), VAE_OK);
    vae_destroy(m);
}

TEST(a_batch_that_lacks_something_is_told) {
    vae *m = small_model();
    float x[8 * 30], out[8 * 30] = {5};
    double worst = 5;
    small_images(x, 8, 30);
#define LACKS(call, want, sentence) \
    do { \
        CHECK_STATUS(call, want); \
        CHECK_EQ(vae_last_report(m)->status, want); \
        CHECK_SAYS(*vae_last_report(m), sentence); \
    } while (0)
    LACKS(vae_train_step(m, NULL, NULL), VAE_ERR_NULL, "the batch is NULL");
    LACKS(vae_check_gradients(m, NULL, 1, &worst), VAE_ERR_NULL, "the batch is NULL");
    LACKS(vae_encode(m, NULL, out, NULL), VAE_ERR_NULL, "the batch is NULL");
    LACKS(vae_posterior(m, NULL, out), VAE_ERR_NULL, "the batch is NULL");
    LACKS(vae_decode(m, NULL, out), VAE_ERR_NULL, "the batch is NULL");
    LACKS(vae_decode_logits(m, NULL, out), VAE_ERR_NULL, "the batch is NULL");
    LACKS(vae_draw(m, NULL, 1, out), VAE_ERR_NULL, "the batch is NULL");
    LACKS(vae_reconstruct(m, NULL, out), VAE_ERR_NULL, "the batch is NULL");
    LACKS(vae_prior(m, NULL, 1, out), VAE_ERR_NULL, "the batch is NULL");
    LACKS(vae_sample_prior(m, NULL, 1, out), VAE_ERR_NULL, "the batch is NULL");
    LACKS(vae_score(m, NULL, out, NULL, NULL), VAE_ERR_NULL, "the batch is NULL");
    LACKS(vae_bound(m, NULL, 1, out), VAE_ERR_NULL, "the batch is NULL");
    LACKS(vae_train_step(m, BATCH(NULL, 8), NULL), VAE_ERR_NULL, "batch.x (pixels) is NULL");
    LACKS(vae_encode(m, BATCH(NULL, 8), out, NULL), VAE_ERR_NULL, "batch.x (pixels) is NULL");
    LACKS(vae_decode(m, BATCH(NULL, 8), out), VAE_ERR_NULL, "batch.x (z) is NULL");
    LACKS(vae_draw(m, BATCH(NULL, 8), 1, out), VAE_ERR_NULL, "batch.x (z) is NULL");
    LACKS(vae_check_gradients(m, BATCH(x, 8), 1, NULL), VAE_ERR_NULL, "worst is NULL");
    LACKS(vae_posterior(m, BATCH(x, 8), NULL), VAE_ERR_NULL, "z is NULL");
    LACKS(vae_draw(m, BATCH(x, 8), 1, NULL), VAE_ERR_NULL, "the output is NULL");
    LACKS(vae_prior(m, BATCH(NULL, 8), 1, NULL), VAE_ERR_NULL, "z is NULL");
    LACKS(vae_sample_prior(m, BATCH(NULL, 8), 1, NULL), VAE_ERR_NULL, "x is NULL");
    LACKS(vae_reconstruct(m, BATCH(x, 8), NULL), VAE_ERR_NULL, "out is NULL");
    LACKS(vae_bound(m, BATCH(x, 8), 1, NULL), VAE_ERR_NULL, "bound is NULL");
    LACKS(vae_train_step(m, BATCH(x, 8, .first = 3), NULL), VAE_ERR_VALUE, "first is 3");
    LACKS(vae_check_gradients(m, BATCH(x, 8, .first = 3), 1, &worst), VAE_ERR_VALUE, "first is 3");
    LACKS(vae_check_gradients(m, BATCH(x, 8), 0, &worst), VAE_ERR_VALUE, "directions is 0");
#undef LACKS
    CHECK(out[0] == 5 && worst == 5);
    {
        const uint32_t index[8] = {0};
        CHECK_STATUS(vae_train_step(m, BATCH(x, 8, .first = 3, .index = index), NULL), VAE_OK);
    }
    CHECK_STATUS(vae_score(m, BATCH(x, 0), out, NULL, NULL), VAE_OK); /* no rows are no error */
    CHECK_STATUS(vae_decode(m, BATCH(x, 0), out), VAE_OK);
    CHECK_STATUS(vae_sample_prior(m, BATCH(NULL, 0), 1, out), VAE_OK);
    CHECK(out[0] == 5);
    vae_destroy(m);
}

TEST(a_null_model_is_an_error_in_every_call) {
    float x[30] = {0}, out[30];
    double figure;
    size_t size = 7;
    uint64_t count;
    vae_data data;
    vae_stats s;
    vae_desc d = small_desc();
    vae_info info;
    vae_tensor t;
    vae_claim claim = {0};
    const size_t dims[] = {1, 30};
    CHECK_STATUS(vae_data_wrap(VAE_F32, 2, dims, x, &data, NULL), VAE_OK);
    CHECK_STATUS(vae_train_step(NULL, BATCH(x, 1), &s), VAE_ERR_NULL);
    CHECK_STATUS(vae_check_gradients(NULL, BATCH(x, 1), 1, &figure), VAE_ERR_NULL);
    CHECK_STATUS(vae_encode(NULL, BATCH(x, 1), out, NULL), VAE_ERR_NULL);
    CHECK_STATUS(vae_posterior(NULL, BATCH(x, 1), out), VAE_ERR_NULL);
    CHECK_STATUS(vae_decode(NULL, BATCH(x, 1), out), VAE_ERR_NULL);
    CHECK_STATUS(vae_decode_logits(NULL, BATCH(x, 1), out), VAE_ERR_NULL);
    CHECK_STATUS(vae_draw(NULL, BATCH(x, 1), 1, out), VAE_ERR_NULL);
    CHECK_STATUS(vae_reconstruct(NULL, BATCH(x, 1), out), VAE_ERR_NULL);
    CHECK_STATUS(vae_prior(NULL, BATCH(x, 1), 1, out), VAE_ERR_NULL);
    CHECK_STATUS(vae_sample_prior(NULL, BATCH(x, 1), 1, out), VAE_ERR_NULL);
    CHECK_STATUS(vae_score(NULL, BATCH(x, 1), out, NULL, NULL), VAE_ERR_NULL);
    CHECK_STATUS(vae_bound(NULL, BATCH(x, 1), 1, out), VAE_ERR_NULL);
    CHECK_STATUS(vae_fit(NULL, &data, NULL, NULL, NULL), VAE_ERR_NULL);
    CHECK_STATUS(vae_evaluate(NULL, &data, &s), VAE_ERR_NULL);
    CHECK_STATUS(vae_units(NULL, &data, &figure, NULL), VAE_ERR_NULL);
    CHECK_STATUS(vae_units_clamped(NULL, &data, &count), VAE_ERR_NULL);
    CHECK_STATUS(vae_set_epochs(NULL, 3), VAE_ERR_NULL);
    CHECK_STATUS(vae_set_visible_bias(NULL, x), VAE_ERR_NULL);
    CHECK_STATUS(vae_tensor_at(NULL, 0, &t), VAE_ERR_NULL);
    CHECK_STATUS(vae_save_size(NULL, 0, &size), VAE_ERR_NULL);
    CHECK_STATUS(vae_save_memory(NULL, 0, x, sizeof x), VAE_ERR_NULL);
    CHECK_EQ(size, 7);
#ifndef VAE_NO_STDIO
    CHECK_STATUS(vae_save(NULL, "null-model", 0), VAE_ERR_NULL);
    CHECK_STATUS(vae_claim_save_model(&claim, NULL, 0), VAE_ERR_NULL);
#endif
    CHECK(vae_last_report(NULL) == NULL);
    CHECK(vae_params_hash(NULL) == 0);
    vae_get_desc(NULL, &d);
    CHECK(d.seed == 0 && d.input == NULL);
    memset(&info, 3, sizeof info);
    vae_get_info(NULL, &info);
    CHECK(info.epoch == 0 && info.parameters == 0);
    vae_destroy(NULL);
    {
        vae *m = small_model();
        vae_get_desc(m, NULL), vae_get_info(m, NULL); /* nowhere to put it: nothing */
        vae_destroy(m);
    }
}

TESTS(eval) {
    RUN(results_do_not_depend_on_the_size_of_the_batch);
    RUN(a_row_alone_has_the_bits_it_has_among_others);
    RUN(a_draw_from_the_prior_has_an_address);
    RUN(a_prior_may_use_its_scratch_to_draw);
    RUN(pixels_outside_the_unit_interval_are_for_encoders_trained_with_noise);
    RUN(means_are_the_sigmoid_of_the_logits);
    RUN(evaluation_leaves_training_alone);
    RUN(score_is_the_mean_that_evaluate_gives);
    RUN(averaged_weights_are_used_and_can_be_turned_off);
    RUN(without_noise_the_mean_is_decoded);
    RUN(wrong_calls_to_a_model_are_told);
    RUN(rows_are_numbered_by_first_or_by_index);
    RUN(labels_of_a_batch_are_taken_in_turn);
    RUN(no_ema_means_the_weights_themselves_in_every_call);
    RUN(noise_of_the_caller_takes_the_place_of_that_of_the_number);
    RUN(a_batch_that_lacks_something_is_told);
    RUN(a_null_model_is_an_error_in_every_call);
}
