/* >>train: steps, epochs, what stops them, what must come out. */
#include "models.h"

TEST(training_lowers_the_loss_on_digits) {
    vae_data data = digit_data(640);
    vae_desc d = digit_desc();
    vae_stats before, after;
    vae *m = NULL;
    d.epochs = 6;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    CHECK_STATUS(vae_evaluate(m, &data, &before), VAE_OK);
    CHECK_STATUS(vae_fit(m, &data, NULL, NULL, NULL), VAE_OK);
    CHECK_STATUS(vae_evaluate(m, &data, &after), VAE_OK);
    CHECK(-before.elbo > 500 && -after.elbo < 250 && after.kl > 1);
    CHECK_NEAR(after.elbo, -(after.recon + after.kl), 1e-9);
    vae_destroy(m);
    free((void *)(size_t)data.bytes);
}

TEST(progress_is_called_after_each_step_and_each_epoch) {
    vae_data data = digit_data(100); /* 3 batches of 32 and one of 4 */
    vae_desc d = digit_desc();
    watcher w;
    vae_info info;
    vae *m = NULL;
    memset(&w, 0, sizeof w);
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    CHECK_STATUS(vae_fit(m, &data, &data, watch, &w), VAE_OK);
    CHECK_EQ(w.calls, 2 * (4 + 1));
    CHECK_EQ(w.epochs_done, 2);
    CHECK_EQ(w.images, 100);
    CHECK(w.last.has_test && w.last.test.images == 100 && w.last.train.images == 100);
    CHECK(w.last.epoch == 1 && w.last.epochs == 2 && w.last.steps == 4);
    vae_get_info(m, &info);
    CHECK(info.step == 8 && info.epoch == 2);
    CHECK_STATUS(vae_fit(m, &data, NULL, watch, &w), VAE_OK); /* done already */
    CHECK_EQ(w.calls, 10);
    vae_destroy(m);
    free((void *)(size_t)data.bytes);
}

/* Every way of stopping, through memory: the end is the same. */
TEST(a_stopped_run_goes_on_to_the_same_bits) {
    static const vae_optimizer optimizers[] = {VAE_OPTIMIZER_ADAM, VAE_OPTIMIZER_ADAMW,
                                               VAE_OPTIMIZER_SGD};
    vae_data data = digit_data(100);
    size_t o;
    for (o = 0; o < 3; o++) {
        vae_desc d = digit_desc();
        uint64_t want, at;
        vae_progress end;
        watcher w;
        vae *m = NULL;
        d.optimizer = optimizers[o];
        d.momentum = 0.9, d.lr = o == 2 ? 1e-5 : 1e-3, d.weight_decay = 1e-4;
        d.binarize = VAE_BINARIZE_DYNAMIC, d.ema = 0.9, d.warmup_steps = 5, d.clip = 100;
        d.visible_bias = VAE_BIAS_MEAN, d.likelihood = o == 1 ? "gaussian_learned" : "bernoulli";
        d.schedule = VAE_SCHEDULE_COSINE, d.lr_steps = 10;
        memset(&w, 0, sizeof w);
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        CHECK_STATUS(vae_fit(m, &data, &data, watch, &w), VAE_OK);
        want = vae_params_hash(m);
        end = w.last;
        vae_destroy(m);
        for (at = 1; at < 10; at++) {
            size_t size = 0;
            void *bytes;
            memset(&w, 0, sizeof w);
            w.stop_at = at;
            CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
            CHECK_STATUS(vae_fit(m, &data, &data, watch, &w), VAE_STOPPED);
            CHECK_EQ(w.calls, at); /* also at the last step of an epoch: its end comes later */
            CHECK_STATUS(vae_save_size(m, 0, &size), VAE_OK);
            bytes = malloc(size);
            CHECK_STATUS(vae_save_memory(m, 0, bytes, size), VAE_OK);
            vae_destroy(m);
            m = NULL;
            CHECK_STATUS(vae_load_memory(bytes, size, NULL, &m, NULL), VAE_OK);
            free(bytes);
            if (!m) return;
            CHECK_STATUS(vae_fit(m, &data, &data, watch, &w), VAE_OK);
            CHECK(vae_params_hash(m) == want);
            /* the figures of the epoch too, not only the weights */
            CHECK(!memcmp(&w.last.train, &end.train, sizeof end.train));
            CHECK(!memcmp(&w.last.test, &end.test, sizeof end.test));
            vae_destroy(m);
        }
    }
    free((void *)(size_t)data.bytes);
}

TEST(training_gives_the_same_bits_on_every_instruction_set) {
    vae_data data = digit_data(100);
    static const char *const nets[] = {"dense 40 relu", "dense 33 gelu, dense 17 silu, tanh",
                                       "dense 20 elu, dense 20 leaky_relu, softplus", ""};
    size_t n;
    for (n = 0; n < 4; n++) {
        uint64_t first = 0;
        int isa;
        for (isa = VAE_ISA_PORTABLE; isa < VAE_ISA_COUNT; isa++) {
            vae_desc d = digit_desc();
            vae *m = NULL;
            vae_stats s;
            uint64_t hash;
            if (!vae_isa_available((vae_isa)isa)) continue;
            d.isa = (vae_isa)isa, d.encoder = d.decoder = nets[n], d.latent = 5 + (int)n;
            d.samples = 1 + (int)n % 2;
            d.likelihood = ref_kind((ref_likelihood)(n % 3), 0), d.epochs = 1;
            CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
            CHECK_STATUS(vae_fit(m, &data, NULL, NULL, NULL), VAE_OK);
            CHECK_STATUS(vae_evaluate(m, &data, &s), VAE_OK);
            hash = vae__hash(vae_params_hash(m), &s, sizeof s);
            if (isa == VAE_ISA_PORTABLE) first = hash;
            CHECK(hash == first);
            vae_destroy(m);
        }
    }
    free((void *)(size_t)data.bytes);
}

/* So many activations that the weights at the end of the decoder are updated before the gradient has
 * come to its beginning; with gradients that are stored all updates come last. */
TEST(weights_updated_on_the_way_back_are_those_updated_after_it) {
    enum { ROWS = 64, STEPS = 3 };
    float *x = (float *)malloc(sizeof(float) * ROWS * 16 * 16 * 2);
    uint64_t state = 5;
    int run, how;
    ref_fill_uniform(&state, x, ROWS * 16 * 16 * 2, 0, 1);
    for (how = 0; how < 3; how++) {
        uint64_t hash[5];
        for (run = 0; run < 5; run++) {
            vae_desc d;
            vae *m = NULL;
            int i;
            memset(&d, 0, sizeof d);
            d.input = "16x16x2", d.batch = ROWS, d.latent = 5, d.seed = 11;
            d.encoder = "conv 16 3x3, batchnorm relu, res(conv 16 3x3 tanh), maxpool 2, dropout 0.2, "
                        "conv 8 3x3/2 silu, flatten, dense 40 tanh";
            d.decoder = "dense 512 relu, reshape 8x8x8, convt 16 4x4/2, layernorm relu, noise 0.1, "
                        "res(conv 16 3x3 relu, conv 16 3x3)";
            if (how == 1) d.free_bits = 0.05, d.likelihood = "logistic";
            if (how == 2) d.objective = VAE_OBJECTIVE_IWAE, d.samples = 3;
            d.keep_gradients = run & 1;
            d.threads = run > 1 ? run : 1;
            CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
            for (i = 0; i < STEPS; i++)
                CHECK_STATUS(vae_train_step(m, BATCH(x, ROWS), NULL), VAE_OK);
            hash[run] = vae_params_hash(m);
            vae_destroy(m);
        }
        for (run = 1; run < 5; run++) CHECK(hash[run] == hash[0]);
    }
    free(x);
}

/* Where one op fills a stage of the way back, gradients of activations take turns with a few
 * buffers. That follows from the rows that a model has room for, so the same steps by a model with
 * less room keep each gradient in a buffer of its own. */
TEST(gradients_that_take_turns_with_a_buffer_are_those_that_have_their_own) {
    enum { ROWS = 6, ROOM = 64, STEPS = 2 };
    static const struct {
        const char *encoder, *decoder, *prior;
        double contract;
        int samples;
    } nets[] = {
        {"conv 32 3x3, res(conv 32 1x1 relu, conv 32 3x3), res(conv 32 1x1), relu, dense 8",
         "dense 8192, reshape 16x16x32, res(res(conv 32 1x1), tanh, conv 32 1x1), "
         "res(res(conv 32 1x1 relu, res(conv 32 1x1)), silu), conv 2 3x3", NULL, 0, 2},
        {"conv 32 3x3 tanh, layernorm, res(layernorm, conv 32 1x1), gelu, conv 4 1x1, conv 32 1x1",
         "dense 8192 relu, reshape 16x16x32, flatten, res(flatten, relu), reshape 16x16x32, "
         "convt 32 3x3, conv 32 1x1, conv 2 1x1", "vamp 3", 0, 1},
        {"conv 32 3x3, res(conv 32 1x1, dropout 0.2), z 4, dense 8192, reshape 16x16x32, "
         "res(conv 32 1x1, elu), dense 9 tanh",
         "dense 8192, z 4, dense 8192, res(noise 0.1, elu), dense 20 relu", NULL, 0, 1},
        {"conv 32 3x3, conv 32 1x1 silu, conv 32 1x1", "dense 6 relu", NULL, 0.1, 1},
        {NULL, "image, maskconv 32 3x3 a, res(maskconv 64 3x3 b, gated, maskconv 32 1x1 b), "
         "res(maskconv 32 1x1 b), relu, diaglstm 32, maskconv 32 1x1 b relu", NULL, 0, 1},
    };
    float *x = (float *)malloc(sizeof(float) * ROWS * 16 * 16);
    uint64_t state = 7;
    size_t i;
    ref_fill_uniform(&state, x, ROWS * 16 * 16, 0, 1);
    for (i = 0; i < sizeof nets / sizeof *nets; i++) {
        uint64_t hash[3];
        size_t memory[3];
        int run, step;
        for (run = 0; run < 3; run++) {
            vae_desc d;
            vae_info info;
            vae *m = NULL;
            memset(&d, 0, sizeof d);
            d.input = "16x16x1", d.latent = 5, d.seed = 3, d.threads = run + 1;
            d.batch = run ? ROOM : ROWS;
            d.encoder = nets[i].encoder, d.decoder = nets[i].decoder, d.prior = nets[i].prior;
            d.contract = nets[i].contract, d.samples = nets[i].samples;
            if (!d.encoder) d.posterior = "none";
            CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
            if (!m) break;
            for (step = 0; step < STEPS; step++)
                CHECK_STATUS(vae_train_step(m, BATCH(x, ROWS), NULL), VAE_OK);
            vae_get_info(m, &info);
            hash[run] = vae_params_hash(m), memory[run] = info.memory_activations;
            vae_destroy(m);
        }
        CHECK(hash[1] == hash[0] && hash[2] == hash[0]);
        CHECK(memory[1] * ROWS < memory[0] * ROOM * 24 / 25); /* some did take turns */
    }
    free(x);
}

TEST(host_rounding_and_flush_modes_do_not_reach_the_results) {
#if defined(VAE__X64) && (defined(VAE__GCC) || defined(VAE__CLANG))
    static const unsigned modes[] = {0x1f80, 0x9fc0 /* flush, denormals are zero */,
                                     0x7f80 /* toward zero */, 0x3f80 /* down */};
    uint64_t first = 0;
    size_t i;
    for (i = 0; i < 4; i++) {
        vae_desc d = small_desc();
        float x[8 * 30];
        vae *m = NULL;
        unsigned kept = _mm_getcsr();
        int step;
        small_images(x, 8, 30);
        d.lr = 1e-2;
        _mm_setcsr(modes[i]);
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        for (step = 0; step < 5; step++) vae_train_step(m, BATCH(x, 8), NULL);
        CHECK_EQ(_mm_getcsr() & 0xffc0, modes[i] & 0xffc0); /* put back */
        _mm_setcsr(kept);
        if (!i) first = vae_params_hash(m);
        CHECK(vae_params_hash(m) == first);
        vae_destroy(m);
    }
#else
    SKIP("no access to the modes here");
#endif
}

TEST(a_pixel_that_is_not_finite_is_named) {
    float x[10 * 30] = {0};
    vae_data data = float_data(x, 10, 30);
    vae *m = small_model();
    uint64_t before = vae_params_hash(m);
    vae_stats s;
    small_images(x, 10, 30);
    x[7 * 30 + 11] = vae__float_of(0x7fc00000u);
    CHECK_STATUS(vae_fit(m, &data, NULL, NULL, NULL), VAE_ERR_NONFINITE);
    CHECK_SAYS(*vae_last_report(m), "image 7: number 11 is NaN");
    CHECK_STATUS(vae_evaluate(m, &data, &s), VAE_ERR_NONFINITE);
    CHECK_SAYS(*vae_last_report(m), "image 7: number 11 is NaN");
    vae_destroy(m);
    m = small_model();
    CHECK_STATUS(vae_train_step(m, BATCH(x + 7 * 30, 1), NULL), VAE_ERR_NONFINITE);
    CHECK_SAYS(*vae_last_report(m), "image 0: number 11 is NaN");
    {
        const uint32_t index[2] = {5, 777}; /* training and use call an image by one number */
        CHECK_STATUS(vae_train_step(m, BATCH(x + 6 * 30, 2, .index = index), NULL),
                     VAE_ERR_NONFINITE);
        CHECK_SAYS(*vae_last_report(m), "image 777: number 11 is NaN");
    }
    CHECK(vae_params_hash(m) == before); /* as it was */
    CHECK_STATUS(vae_train_step(m, BATCH(x, 7), NULL), VAE_OK);
    {
        float elbo[8] = {3}; /* untouched on failure */
        CHECK_STATUS(vae_score(m, BATCH(x, 8), elbo, NULL, NULL), VAE_ERR_NONFINITE);
        CHECK(elbo[0] == 3);
        x[7 * 30 + 11] = 2;
        CHECK_STATUS(vae_score(m, BATCH(x, 8), elbo, NULL, NULL), VAE_ERR_VALUE);
        CHECK_STATUS(vae_train_step(m, BATCH(x, 8), NULL), VAE_ERR_VALUE);
        x[3] = vae__float_of(0x7f800000u);
        CHECK_STATUS(vae_set_visible_bias(m, x), VAE_ERR_NONFINITE);
    }
    vae_destroy(m);
}

TEST(a_weight_that_is_not_finite_is_found_behind_a_relu) {
    vae_desc d = small_desc();
    float x[8 * 30];
    vae *m = NULL;
    small_images(x, 8, 30);
    d.encoder = "dense 12 relu, dense 7 leaky_relu";
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    if (!m) return;
    m->w[5] = vae__float_of(0x7fc00000u);
    CHECK_STATUS(vae_train_step(m, BATCH(x, 8), NULL), VAE_ERR_NONFINITE);
    CHECK_SAYS(*vae_last_report(m), "encoder.0.weight");
    vae_destroy(m);
}

/* The bits of a step's images: the same batch, drawn afresh. */
TEST(dynamic_binarisation_is_fresh_at_every_step) {
    vae_desc d = small_desc();
    float x[8 * 30], seen[3][8 * 30];
    uint32_t index[8] = {3, 1, 4, 1, 5, 9, 2, 6};
    vae *m = NULL;
    int i;
    small_images(x, 8, 30);
    d.binarize = VAE_BINARIZE_DYNAMIC;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    for (i = 0; i < 3; i++) {
        CHECK_STATUS(vae_train_step(m, BATCH(x, 8, .index = index), NULL), VAE_OK);
        memcpy(seen[i], m->x, sizeof seen[i]);
    }
    CHECK(memcmp(seen[0], seen[1], sizeof x) && memcmp(seen[1], seen[2], sizeof x));
    vae_destroy(m);
}

/* Every part of a job has scratch of its own, also where rows meet and channels are divided. */
static void train_most_parts(void (*job)(void *arg, int part), void *arg, int parts, void *user) {
    int *most = (int *)user, i;
    if (parts > *most) *most = parts;
    for (i = 0; i < parts; i++) job(arg, i);
}
TEST(no_job_has_more_parts_than_the_model_has_scratch_for) {
    float x[4 * 6];
    vae_desc d = small_desc();
    vae *m = NULL;
    int most = 1;
    small_images(x, 4, 6);
    d.input = "6", d.encoder = "dense 128, batchnorm relu", d.batch = 4;
    d.parallel.parts = 8, d.parallel.run = train_most_parts, d.parallel.user = &most;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    if (!m) return;
    CHECK_STATUS(vae_train_step(m, BATCH(x, 4), NULL), VAE_OK);
    CHECK(most <= m->parts);
    vae_destroy(m);
}

TEST(a_probability_outside_the_unit_interval_is_named) {
    float x[10 * 30] = {0};
    vae_data data = float_data(x, 10, 30);
    vae_desc d = small_desc();
    vae *m = small_model();
    small_images(x, 10, 30);
    if (!m) return;
    x[3 * 30 + 4] = 2.5f;
    CHECK_STATUS(vae_fit(m, &data, NULL, NULL, NULL), VAE_ERR_VALUE);
    CHECK_SAYS(*vae_last_report(m), "image 3: number 4 is 2.5; bernoulli takes numbers from 0 to 1");
    vae_destroy(m);
    d.likelihood = "gaussian", d.epochs = 1;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    CHECK_STATUS(vae_fit(m, &data, NULL, NULL, NULL), VAE_OK);
    vae_destroy(m);
}

TEST(a_diverging_rate_stops_with_step_and_tensor_and_is_not_saved) {
    vae_data data = digit_data(100);
    vae_desc d = digit_desc();
    vae *m = NULL;
    vae_status status;
    d.lr = 1e12, d.epochs = 50;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    status = vae_fit(m, &data, NULL, NULL, NULL);
    CHECK(status == VAE_ERR_NONFINITE);
    CHECK_SAYS(*vae_last_report(m), "step ");
    CHECK_SAYS(*vae_last_report(m), "coder.");
    vae_destroy(m);
    d.optimizer = VAE_OPTIMIZER_SGD;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    CHECK_STATUS(vae_fit(m, &data, NULL, NULL, NULL), VAE_ERR_NONFINITE);
    m->w[17] = vae__float_of(0x7f800000u); /* whatever it left behind: this must not be saved */
    CHECK_STATUS(vae_save(m, "/nonexistent/never", 0), VAE_ERR_NONFINITE);
    CHECK_SAYS(*vae_last_report(m), "encoder.0.weight");
    vae_destroy(m);
    free((void *)(size_t)data.bytes);
}

/* Left-out zeros would hide a weight that is not finite: the step that made it must tell. */
TEST(an_update_that_overflows_is_told_at_once) {
    float x[8 * 30] = {0};
    int keep;
    for (keep = 0; keep < 2; keep++) {
        vae_desc d = small_desc();
        vae *m = NULL;
        d.optimizer = VAE_OPTIMIZER_SGD, d.lr = 1e30, d.keep_gradients = keep;
        d.weight_decay = 1e6;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        if (!m) return;
        m->w[0] = 1000; /* its input is dark: its gradient is the decay alone */
        CHECK_STATUS(vae_train_step(m, BATCH(x, 8), NULL), VAE_ERR_NONFINITE);
        CHECK_SAYS(*vae_last_report(m), "step 0: the update of encoder.0.weight is not finite");
        vae_destroy(m);
    }
}

TEST(wrong_calls_are_told) {
    vae *m = small_model();
    vae_desc d = small_desc();
    float x[9 * 30];
    vae_data data = float_data(x, 9, 30), wrong = float_data(x, 10, 27);
    small_images(x, 9, 30);
    CHECK_STATUS(vae_train_step(NULL, BATCH(x, 1), NULL), VAE_ERR_NULL);
    CHECK_STATUS(vae_train_step(m, BATCH(NULL, 1), NULL), VAE_ERR_NULL);
    CHECK_STATUS(vae_train_step(m, BATCH(x, 0), NULL), VAE_ERR_VALUE);
    CHECK_STATUS(vae_train_step(m, BATCH(x, 9), NULL), VAE_ERR_VALUE);
    CHECK_STATUS(vae_fit(m, &wrong, NULL, NULL, NULL), VAE_ERR_SHAPE);
    CHECK_SAYS(*vae_last_report(m), "27 numbers");
    CHECK_STATUS(vae_fit(m, &data, &wrong, NULL, NULL), VAE_ERR_SHAPE);
    CHECK_STATUS(vae_fit(m, NULL, NULL, NULL, NULL), VAE_ERR_NULL);
    vae_destroy(m);
    d.inference = 1;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    CHECK_STATUS(vae_train_step(m, BATCH(x, 8), NULL), VAE_ERR_STATE);
    CHECK_STATUS(vae_fit(m, &data, NULL, NULL, NULL), VAE_ERR_STATE);
    vae_destroy(m);
}

/* Means with the visible bias at the logit of the mean: the loss starts at the entropy of independent
 * pixels plus a small KL; with zero weights exactly at 784 ln 2. */
TEST(the_loss_starts_where_algebra_says) {
    vae_data data = digit_data(200);
    vae_desc d = digit_desc();
    vae_stats s;
    vae *m = NULL;
    d.init = VAE_INIT_ZERO;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    CHECK_STATUS(vae_evaluate(m, &data, &s), VAE_OK);
    CHECK_NEAR(s.recon, 784 * log(2.0), 1e-3);
    CHECK_NEAR(s.kl, 0, 0);
    {
        double mean[784] = {0}, want = 0;
        float x[784], p[784];
        size_t i, j;
        for (i = 0; i < 200; i++) {
            vae_data_read(&data, i, 1, x);
            for (j = 0; j < 784; j++) mean[j] += (double)x[j] / 200;
        }
        for (j = 0; j < 784; j++) {
            double q = mean[j] < 0.001 ? 0.001 : mean[j] > 0.999 ? 0.999 : mean[j];
            p[j] = (float)mean[j];
            want -= mean[j] * log(q) + (1 - mean[j]) * log(1 - q);
        }
        CHECK_STATUS(vae_set_visible_bias(m, p), VAE_OK);
        CHECK_STATUS(vae_evaluate(m, &data, &s), VAE_OK);
        CHECK_NEAR(s.recon, want, 1e-3);
    }
    vae_destroy(m);
    free((void *)(size_t)data.bytes);
}

TEST(gradient_checker_is_small_on_every_likelihood) {
    int k;
    for (k = 0; k < REF_LIKELIHOODS; k++) {
        vae_desc d = small_desc();
        float x[8 * 30];
        double worst = 1;
        vae *m = NULL;
        uint64_t before;
        small_images(x, 8, 30);
        d.likelihood = ref_kind((ref_likelihood)k, 0), d.encoder = "dense 12 tanh, dense 7 gelu", d.samples = 2;
        d.decoder = "dense 9 softplus";
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        before = vae_params_hash(m);
        CHECK_STATUS(vae_check_gradients(m, BATCH(x, 8), 3, &worst), VAE_OK);
        CHECK(worst < 1e-2);
        CHECK(vae_params_hash(m) == before);
        vae_destroy(m);
    }
}

/* Five points in the plane, one code: a linear autoencoder must reach the residual of PCA. */
TEST(linear_autoencoder_reaches_the_five_point_pca) {
    static const float points[10] = {-.5f, -.4f, -.4f, -.1f, .1f, 0, .3f, .3f, .5f, .2f};
    vae_desc d;
    vae *m = NULL;
    vae_stats s;
    float out[10];
    double rss = 0;
    int i;
    memset(&d, 0, sizeof d);
    d.input = "2", d.encoder = "", d.decoder = "", d.latent = 1, d.batch = 5;
    d.likelihood = "gaussian", d.no_noise = 1, d.no_kl = 1, d.lr = 1e-2;
    d.schedule = VAE_SCHEDULE_COSINE, d.lr_steps = 3000;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    for (i = 0; i < 3000; i++) CHECK_STATUS(vae_train_step(m, BATCH(points, 5), &s), VAE_OK);
    CHECK_STATUS(vae_reconstruct(m, BATCH(points, 5), out), VAE_OK);
    for (i = 0; i < 10; i++)
        rss += ((double)out[i] - (double)points[i]) * ((double)out[i] - (double)points[i]);
    CHECK_NEAR(rss, .042353, 2e-6);
    CHECK_NEAR((double)out[0], -.54427, 2e-3);
    CHECK_NEAR((double)out[1], -.32612, 2e-3);
    vae_destroy(m);
}

TEST(reference_recipe_on_mnist_ends_below_106_nats) {
    vae_data train, test;
    vae_desc d;
    vae_stats s;
    vae *m = NULL;
    if (!test_long) SKIP("long suite only");
    if (!mnist(&train, &test)) SKIP("DATA does not name a folder with MNIST");
    memset(&d, 0, sizeof d);
    d.input = "28x28x1", d.init = VAE_INIT_PYTORCH;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    CHECK_STATUS(vae_fit(m, &train, NULL, NULL, NULL), VAE_OK);
    CHECK_STATUS(vae_evaluate(m, &test, &s), VAE_OK);
    CHECK(-s.elbo <= 106.0 && -s.elbo >= 104.5); /* published logs: 105.56 and 105.59 */
    vae_destroy(m);
    vae_data_free(&train);
    vae_data_free(&test);
}

/* Mean squared error per pixel of an autoencoder of `codes` numbers after training. */
static double autoencoder_error(const vae_data *train, const char *layers, int codes, int epochs) {
    static float x[784 * 100], y[784 * 100];
    vae_desc d;
    vae *m = NULL;
    double squares = 0;
    size_t i, j;
    memset(&d, 0, sizeof d);
    d.input = "784", d.encoder = d.decoder = layers, d.latent = codes, d.epochs = epochs;
    d.likelihood = "gaussian", d.no_noise = 1, d.no_kl = 1;
    d.schedule = VAE_SCHEDULE_COSINE, d.lr_steps = (uint64_t)epochs * 469;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    CHECK_STATUS(vae_fit(m, train, NULL, NULL, NULL), VAE_OK);
    for (i = 0; i < 60000; i += 100) {
        vae_data_read(train, i, 100, x);
        vae_reconstruct(m, BATCH(x, 100), y);
        for (j = 0; j < 78400; j++) {
            const double off = (double)x[j] - (double)y[j];
            squares += off * off;
        }
    }
    vae_destroy(m);
    return squares / 60000 / 784;
}

/* Principal components, computed from the data: nothing linear can do better. */
TEST(linear_autoencoders_reach_the_pca_of_mnist_and_deeper_ones_pass_it) {
    static const int codes[4] = {2, 10, 20, 50};
    static const double pca[4] = {.055953, .034423, .023970, .011793};
    vae_data train, test;
    int i;
    if (!test_long) SKIP("long suite only");
    if (!mnist(&train, &test)) SKIP("DATA does not name a folder with MNIST");
    for (i = 0; i < 4; i++) {
        const double linear = autoencoder_error(&train, "", codes[i], 15);
        CHECK(linear > pca[i] * 0.9999);
        CHECK_NEAR(linear, pca[i], pca[i] * 0.01);
        if (codes[i] < 50)
            CHECK(autoencoder_error(&train, "dense 400 relu", codes[i], 10) < pca[i]);
    }
    vae_data_free(&train), vae_data_free(&test);
}

/* Independent pixels with the training means, clipped to .001 and .999: where a VAE begins. */
TEST(bernoulli_pixels_at_the_mean_of_mnist_cost_205_97_nats) {
    vae_data train, test;
    double sum[784] = {0};
    float mean[784];
    size_t i;
    int run;
    if (!mnist(&train, &test)) SKIP("DATA does not name a folder with MNIST");
    for (i = 0; i < train.count * 784; i++)
        sum[i % 784] += ((const unsigned char *)train.bytes)[i];
    for (i = 0; i < 784; i++) mean[i] = (float)(sum[i] / 255 / (double)train.count);
    for (run = 0; run < 2; run++) { /* grey, which is the expectation of: binarised */
        vae_desc d = digit_desc();
        vae_stats s;
        vae *m = NULL;
        d.encoder = d.decoder = "", d.init = VAE_INIT_ZERO;
        d.binarize = run ? VAE_BINARIZE_DYNAMIC : VAE_BINARIZE_NONE;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        if (!m) break;
        CHECK_STATUS(vae_evaluate(m, &test, &s), VAE_OK);
        CHECK_NEAR(s.recon, 784 * log(2), 1e-3);
        CHECK_STATUS(vae_set_visible_bias(m, mean), VAE_OK);
        CHECK_STATUS(vae_evaluate(m, &test, &s), VAE_OK);
        /* the table has two digits; an image's bits move it by about 10, 10^4 images by 0.1 */
        CHECK_NEAR(s.recon, 205.97, run ? 0.4 : 0.006);
        CHECK(s.kl == 0);
        vae_destroy(m);
    }
    vae_data_free(&train);
    vae_data_free(&test);
}

TESTS(train) {
    RUN(training_lowers_the_loss_on_digits);
    RUN(progress_is_called_after_each_step_and_each_epoch);
    RUN(a_stopped_run_goes_on_to_the_same_bits);
    RUN(training_gives_the_same_bits_on_every_instruction_set);
    RUN(weights_updated_on_the_way_back_are_those_updated_after_it);
    RUN(gradients_that_take_turns_with_a_buffer_are_those_that_have_their_own);
    RUN(host_rounding_and_flush_modes_do_not_reach_the_results);
    RUN(a_pixel_that_is_not_finite_is_named);
    RUN(a_weight_that_is_not_finite_is_found_behind_a_relu);
    RUN(dynamic_binarisation_is_fresh_at_every_step);
    RUN(no_job_has_more_parts_than_the_model_has_scratch_for);
    RUN(a_probability_outside_the_unit_interval_is_named);
    RUN(a_diverging_rate_stops_with_step_and_tensor_and_is_not_saved);
    RUN(an_update_that_overflows_is_told_at_once);
    RUN(wrong_calls_are_told);
    RUN(the_loss_starts_where_algebra_says);
    RUN(gradient_checker_is_small_on_every_likelihood);
    RUN(linear_autoencoder_reaches_the_five_point_pca);
    RUN(reference_recipe_on_mnist_ends_below_106_nats);
    RUN(linear_autoencoders_reach_the_pca_of_mnist_and_deeper_ones_pass_it);
    RUN(bernoulli_pixels_at_the_mean_of_mnist_cost_205_97_nats);
}
