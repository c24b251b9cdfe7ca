/* z and its noise: that of the caller, draws of the posterior; and the figures of each latent. */
#include "models.h"

/* ---- vae_units ---- */

TEST(units_are_means_of_the_kl_and_variances_of_the_mean_of_each_latent) {
    enum { ROWS = 37, L = 3 };
    float x[ROWS * 30] = {0}, mu[ROWS * L], lv[ROWS * L];
    vae_data data = float_data(x, ROWS, 30);
    int way;
    small_images(x, ROWS, 30);
    for (way = 0; way < 3; way++) {
        vae_desc d = small_desc();
        double kl[L], variance[L], alone[L], total = 0;
        size_t i, j, size;
        unsigned char *bytes;
        vae_stats s;
        vae *m = NULL, *twin;
        if (way == 1) d.posterior = "normal softplus code sigmoid";
        if (way == 2) d.binarize = VAE_BINARIZE_DYNAMIC;
        m = trained_model(&d);
        CHECK_STATUS(vae_units(m, &data, kl, variance), VAE_OK);
        CHECK_STATUS(vae_evaluate(m, &data, &s), VAE_OK);
        CHECK_STATUS(vae_encode(m, BATCH(x, ROWS), mu, lv), VAE_OK);
        for (j = 0; j < L; j++) {
            double mean = 0, spread = 0, rate = 0;
            for (i = 0; i < ROWS; i++) mean += (double)mu[i * L + j] / ROWS;
            for (i = 0; i < ROWS; i++) {
                const double u = (double)mu[i * L + j], l = (double)lv[i * L + j];
                spread += (u - mean) * (u - mean) / ROWS;
                rate += 0.5 * (u * u + expm1(l) - l) / ROWS;
            }
            total += kl[j];
            if (way == 2) continue; /* encode was given the grey pixels */
            CHECK_NEAR(variance[j], spread, 1e-12 * (1 + mean * mean));
            CHECK_NEAR(kl[j], rate, 3e-7 * (1 + rate));
        }
        CHECK_NEAR(total, s.kl, 1e-6 * (1 + s.kl));
        CHECK_STATUS(vae_units(m, &data, alone, NULL), VAE_OK);
        CHECK(!memcmp(alone, kl, sizeof kl));
        CHECK_STATUS(vae_units(m, &data, NULL, alone), VAE_OK);
        CHECK(!memcmp(alone, variance, sizeof kl));
        bytes = file_of(m, 0, &size);
        for (i = 0; i < 4; i++) { /* the same bits whatever the buffers */
            twin = obj_twin(bytes, size, i % 2 ? 64 : 5, i / 2 ? 3 : 1, VAE_ISA_AUTO, (int)i / 2);
            CHECK_STATUS(vae_units(twin, &data, alone, NULL), VAE_OK);
            CHECK(!memcmp(alone, kl, sizeof kl));
            CHECK_STATUS(vae_units(twin, &data, NULL, alone), VAE_OK);
            CHECK(!memcmp(alone, variance, sizeof kl));
            vae_destroy(twin);
        }
        free(bytes);
        vae_destroy(m);
    }
}

TEST(units_of_a_constant_mean_are_not_active) {
    enum { ROWS = 11, L = 3 };
    vae_desc d = small_desc();
    float x[ROWS * 30] = {0};
    vae_data data = float_data(x, ROWS, 30);
    double kl[L] = {5}, variance[L];
    vae_tensor t;
    vae *m = NULL;
    int j;
    small_images(x, ROWS, 30);
    d.encoder = "", d.init = VAE_INIT_ZERO;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    CHECK_STATUS(vae_tensor_at(m, 1, &t), VAE_OK);
    for (j = 0; j < L; j++) t.data[j] = 100.1f + (float)j; /* squares alone would cancel */
    CHECK_STATUS(vae_units(m, &data, kl, variance), VAE_OK);
    for (j = 0; j < L; j++) {
        CHECK(variance[j] >= 0 && variance[j] < 1e-20);
        CHECK_NEAR(kl[j], 0.5 * pow(100.1 + j, 2), 1e-3);
    }
    kl[0] = 5;
    x[10 * 30] = 3;
    CHECK_STATUS(vae_units(m, &data, kl, NULL), VAE_ERR_VALUE);
    CHECK_SAYS(*vae_last_report(m), "image 10");
    CHECK_STATUS(vae_units(m, NULL, kl, NULL), VAE_ERR_NULL);
    CHECK_STATUS(vae_units(NULL, &data, kl, NULL), VAE_ERR_NULL);
    CHECK(kl[0] == 5);
    vae_destroy(m);
}

/* ---- the caller's noise, and z ---- */

TEST(noise_of_the_caller_takes_the_place_of_its_address) {
    enum { K = 3, L = 3 };
    float x[8 * 30], eps[8 * K * L];
    uint64_t hash[3];
    int way;
    small_images(x, 8, 30);
    for (way = 0; way < 3; way++) {
        vae_desc d = small_desc();
        vae *m = NULL;
        size_t i;
        d.samples = K;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        CHECK_STATUS(vae_train_step(m, BATCH(x, 8), NULL), VAE_OK);
        for (i = 0; i < 8 * K; i++) {
            vae_stream s;
            memset(&s, 0, sizeof s);
            s.seed = 5, s.purpose = VAE_PURPOSE_EPS, s.time = 1;
            s.sample = (uint32_t)(i / K), s.replica = (uint32_t)(i % K);
            vae_random_normal(&s, 0, L, eps + i * L);
        }
        if (way == 2) eps[8 * K * L - 1] += 0.5f; /* another last number */
        CHECK_STATUS(vae_train_step(m, BATCH(x, 8, .eps = way ? eps : NULL), NULL), VAE_OK);
        for (i = 0; i < 8 * K * L; i++) eps[i] = 9;
        CHECK_STATUS(vae_train_step(m, BATCH(x, 8), NULL), VAE_OK); /* its own again */
        hash[way] = vae_params_hash(m);
        vae_destroy(m);
    }
    CHECK(hash[1] == hash[0] && hash[2] != hash[0]);
    {
        vae_desc d = small_desc();
        vae *m = NULL;
        double worst;
        d.no_noise = 1;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        CHECK_STATUS(vae_train_step(m, BATCH(x, 8, .eps = eps), NULL), VAE_ERR_STATE);
        CHECK_SAYS(*vae_last_report(m), "no noise");
        CHECK_STATUS(vae_check_gradients(m, BATCH(x, 8, .eps = eps), 1, &worst), VAE_ERR_STATE);
        CHECK_STATUS(vae_train_step(m, BATCH(x, 8), NULL), VAE_OK);
        vae_destroy(m);
    }
}

TEST(a_posterior_draw_is_the_z_of_training) {
    enum { ROWS = 19, L = 3 };
    int way;
    for (way = 0; way < 3; way++) {
        vae_desc d = obj_still();
        float x[ROWS * 30], eps[ROWS * L], z[ROWS * L], mu[ROWS * L], lv[ROWS * L], one[L];
        uint64_t state = 96;
        size_t i, size;
        unsigned char *bytes;
        vae *m = NULL, *twin;
        if (way == 1) d.posterior = "normal abs code sigmoid";
        if (way == 2) d.no_noise = 1;
        small_images(x, ROWS, 30);
        ref_fill_normal(&state, eps, ROWS * L, 1);
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        CHECK_STATUS(vae_posterior(m, BATCH(x, ROWS, .eps = eps), z), VAE_OK);
        CHECK_STATUS(vae_encode(m, BATCH(x, ROWS), mu, lv), VAE_OK);
        for (i = 0; i < ROWS * L; i++) {
            const double s = way == 2 ? 0 : exp(0.5 * (double)lv[i]);
            CHECK_NEAR((double)z[i], (double)mu[i] + s * (double)eps[i],
                       2e-7 * (fabs((double)mu[i]) + s * fabs((double)eps[i])));
        }
        CHECK_STATUS(vae_train_step(m, BATCH(x, 8, .eps = way < 2 ? eps : NULL), NULL), VAE_OK);
        CHECK_EQ(ref_differ(8 * L, m->z, z), 8 * L);
        for (i = 0; i < ROWS; i++) {
            CHECK_STATUS(vae_posterior(m, BATCH(x + i * 30, 1, .eps = eps + i * L), one), VAE_OK);
            CHECK(!memcmp(one, z + i * L, sizeof one));
        }
        bytes = file_of(m, 0, &size);
        twin = obj_twin(bytes, size, 5, 3, VAE_ISA_PORTABLE, 1);
        memcpy(lv, eps, sizeof lv);
        CHECK_STATUS(vae_posterior(twin, BATCH(x, ROWS, .eps = lv), lv), VAE_OK); /* in place */
        CHECK_EQ(ref_differ(ROWS * L, lv, z), ROWS * L);
        CHECK_STATUS(vae_posterior(NULL, BATCH(x, 1, .eps = eps), z), VAE_ERR_NULL);
        CHECK_STATUS(vae_posterior(m, BATCH(NULL, 1, .eps = eps), z), VAE_ERR_NULL);
        CHECK_STATUS(vae_posterior(m, BATCH(x, 1, .eps = eps), NULL), VAE_ERR_NULL);
        free(bytes);
        vae_destroy(m), vae_destroy(twin);
    }
}

TESTS(codes) {
    vae__fpenv env;
    vae__fp_enter(&env); /* see reference.h */
    RUN(units_are_means_of_the_kl_and_variances_of_the_mean_of_each_latent);
    RUN(units_of_a_constant_mean_are_not_active);
    RUN(noise_of_the_caller_takes_the_place_of_its_address);
    RUN(a_posterior_draw_is_the_z_of_training);
    vae__fp_leave(&env);
}
