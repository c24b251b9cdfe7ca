/* >>eval: encode, decode, sample, score. */

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

TESTS(eval) {
    RUN(results_do_not_depend_on_the_size_of_the_batch);
    RUN(a_row_alone_has_the_bits_it_has_among_others);
    RUN(a_draw_from_the_prior_has_an_address);
    RUN(means_are_the_sigmoid_of_the_logits);
    RUN(evaluation_leaves_training_alone);
    RUN(score_is_the_mean_that_evaluate_gives);
    RUN(averaged_weights_are_used_and_can_be_turned_off);
    RUN(without_noise_the_mean_is_decoded);
    RUN(wrong_calls_to_a_model_are_told);
}
