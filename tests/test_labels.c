/* Networks that are told the class. */
#include "models.h"

enum { CLASSES = 4 };
static vae_desc class_desc(void) {
    vae_desc d = small_desc();
    d.encoder = "flatten, label 4, dense 12 tanh", d.decoder = "label 4, dense 9 relu";
    return d;
}
static void class_labels(int32_t *labels, size_t count) {
    size_t i;
    for (i = 0; i < count; i++) labels[i] = (int32_t)((i * i + i / 3) % CLASSES);
}

#define LABELS(array) .labels = array, .label_count = sizeof array / sizeof array[0]

TEST(networks_with_labels_must_be_told_the_class) {
    vae_desc d = class_desc();
    float x[8 * 30], z[24] = {0}, out[8 * 30] = {5};
    const int32_t good[] = {3, 0}, high[] = {0, 1, 4}, low[] = {-1};
    double worst;
    size_t size;
    unsigned char *bytes;
    vae_info info;
    vae *m = NULL, *twin, *plain = small_model();
    small_images(x, 8, 30);
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    vae_get_info(m, &info);
    CHECK_EQ(info.classes, CLASSES);
    CHECK_STATUS(vae_train_step(m, BATCH(x, 8), NULL), VAE_ERR_STATE);
    CHECK_SAYS(*vae_last_report(m), "give labels");
    CHECK_STATUS(vae_check_gradients(m, BATCH(x, 8), 1, &worst), VAE_ERR_STATE);
    CHECK_STATUS(vae_encode(m, BATCH(x, 8), out, NULL), VAE_ERR_STATE);
    CHECK_STATUS(vae_posterior(m, BATCH(x, 8, .eps = z), out), VAE_ERR_STATE);
    CHECK_STATUS(vae_decode(m, BATCH(z, 8), out), VAE_ERR_STATE);
    CHECK_STATUS(vae_decode_logits(m, BATCH(z, 8), out), VAE_ERR_STATE);
    CHECK_STATUS(vae_draw(m, BATCH(z, 8), 1, out), VAE_ERR_STATE);
    CHECK_STATUS(vae_reconstruct(m, BATCH(x, 8), out), VAE_ERR_STATE);
    CHECK_STATUS(vae_sample_prior(m, BATCH(NULL, 8), 1, out), VAE_ERR_STATE);
    CHECK_STATUS(vae_score(m, BATCH(x, 8), out, NULL, NULL), VAE_ERR_STATE);
    CHECK_STATUS(vae_bound(m, BATCH(x, 8), 2, out), VAE_ERR_STATE);
    CHECK(out[0] == 5 && out[1] == 0);
    CHECK_STATUS(vae_encode(m, BATCH(x, 8, .label_count = 2), out, NULL), VAE_ERR_STATE);
    CHECK_STATUS(vae_encode(m, BATCH(x, 8, .labels = good), out, NULL), VAE_ERR_STATE);
    CHECK_STATUS(vae_encode(m, BATCH(x, 8, LABELS(high)), out, NULL), VAE_ERR_VALUE);
    CHECK_SAYS(*vae_last_report(m), "row 2: class 4; the networks know 0 to 3");
    CHECK_STATUS(vae_train_step(m, BATCH(x, 8, LABELS(high)), NULL), VAE_ERR_VALUE);
    CHECK_STATUS(vae_check_gradients(m, BATCH(x, 8, LABELS(high)), 1, &worst), VAE_ERR_VALUE);
    CHECK_STATUS(vae_posterior(m, BATCH(x, 8, LABELS(high)), out), VAE_ERR_VALUE);
    CHECK_STATUS(vae_decode(m, BATCH(z, 8, LABELS(high)), out), VAE_ERR_VALUE);
    CHECK_STATUS(vae_decode_logits(m, BATCH(z, 8, LABELS(high)), out), VAE_ERR_VALUE);
    CHECK_STATUS(vae_draw(m, BATCH(z, 8, LABELS(high)), 1, out), VAE_ERR_VALUE);
    CHECK_STATUS(vae_reconstruct(m, BATCH(x, 8, LABELS(low)), out), VAE_ERR_VALUE);
    CHECK_SAYS(*vae_last_report(m), "row 0: class -1");
    CHECK_STATUS(vae_sample_prior(m, BATCH(NULL, 8, LABELS(low)), 1, out), VAE_ERR_VALUE);
    CHECK_STATUS(vae_score(m, BATCH(x, 8, LABELS(low)), out, NULL, NULL), VAE_ERR_VALUE);
    CHECK_STATUS(vae_bound(m, BATCH(x, 8, LABELS(low)), 2, out), VAE_ERR_VALUE);
    CHECK(out[0] == 5 && out[1] == 0);
    CHECK_STATUS(vae_train_step(m, BATCH(x, 8, LABELS(good)), NULL), VAE_OK);
    CHECK_STATUS(vae_encode(m, BATCH(x, 2, LABELS(high)), out, NULL), VAE_OK); /* of 2 rows */
    CHECK_STATUS(vae_encode(m, BATCH(x, 8), out, NULL), VAE_ERR_STATE); /* nothing is kept */
    CHECK_STATUS(vae_prior(m, BATCH(NULL, 8), 1, out), VAE_OK); /* the prior knows no class */
    bytes = file_of(m, 0, &size);
    twin = obj_twin(bytes, size, 0, 1, VAE_ISA_AUTO, 1);
    vae_get_info(twin, &info);
    CHECK_EQ(info.classes, CLASSES);
    CHECK_STATUS(vae_encode(twin, BATCH(x, 8), out, NULL), VAE_ERR_STATE); /* files know no rows */
    CHECK_STATUS(vae_encode(plain, BATCH(x, 8, LABELS(low)), out, NULL), VAE_OK); /* not read */
    vae_get_info(plain, &info);
    CHECK_EQ(info.classes, 0);
    free(bytes);
    vae_destroy(m), vae_destroy(twin), vae_destroy(plain);
}

/* Pixel by pixel the channels, then as many planes as there are classes. */
TEST(a_label_is_one_hot_planes_behind_the_channels) {
    enum { NUMBERS = 2 * 2 * (3 + 3) };
    vae_desc d = small_desc();
    float x[2 * 12], mu[2 * NUMBERS];
    const int32_t classes[] = {2, 0};
    vae_tensor t;
    vae *m = NULL;
    size_t i, p, j;
    d.input = "2x2x3", d.encoder = "label 3", d.latent = NUMBERS;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    CHECK_STATUS(vae_tensor_at(m, 0, &t), VAE_OK);
    CHECK(t.shape[0] == NUMBERS && t.shape[1] == 2 * NUMBERS);
    memset(t.data, 0, t.count * sizeof(float));
    for (j = 0; j < NUMBERS; j++) t.data[j * 2 * NUMBERS + j] = 1; /* mu is what the head sees */
    small_images(x, 2, 12);
    CHECK_STATUS(vae_encode(m, BATCH(x, 2, LABELS(classes)), mu, NULL), VAE_OK);
    for (i = 0; i < 2; i++)
        for (p = 0; p < 4; p++)
            for (j = 0; j < 6; j++)
                CHECK(mu[i * NUMBERS + p * 6 + j] ==
                      (j < 3 ? x[i * 12 + p * 3 + j] : (float)(classes[i] == (int32_t)j - 3)));
    vae_destroy(m);
}

TEST(every_row_keeps_its_class_whatever_the_buffers) {
    enum { ROWS = 21, L = 3 };
    static const char *const encoders[] = {"flatten, label 4, dense 12 tanh",
                                           "label 4, conv 3 3x3/2 relu, label 4",
                                           "dense 12 tanh"};
    static const char *const decoders[] = {"label 4, dense 9 relu", "dense 9 relu",
                                           "dense 9 relu, label 4"};
    int way, run;
    for (way = 0; way < 3; way++) {
        vae_desc d = class_desc();
        float x[ROWS * 30], eps[ROWS * L], z[ROWS * L], mu[ROWS * L], lv[ROWS * L];
        float mean[ROWS * 30], logits[ROWS * 30], draw[ROWS * 30], again[ROWS * 30];
        float prior[ROWS * 30], elbo[ROWS], bound[ROWS], one[30];
        int32_t labels[ROWS];
        uint64_t state = 94;
        size_t size, i;
        unsigned char *bytes;
        vae *m = NULL;
        d.encoder = encoders[way], d.decoder = decoders[way];
        small_images(x, ROWS, 30);
        ref_fill_normal(&state, eps, ROWS * L, 1);
        class_labels(labels, ROWS);
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        for (i = 0; i < 4; i++)
            CHECK_STATUS(vae_train_step(m, BATCH(x, 8, LABELS(labels)), NULL), VAE_OK);
        bytes = file_of(m, 0, &size);
        for (run = 0; run < 4; run++) {
            vae *twin = run ? obj_twin(bytes, size, run == 1 ? 64 : 5, run == 1 ? 1 : 3,
                                       VAE_ISA_AUTO, run > 1) : m;
            vae_batch of_x = *BATCH(x, ROWS, .first = 9, LABELS(labels)), of_z = of_x;
            vae_batch noisy = of_x;
            of_z.x = eps, noisy.eps = eps;
            CHECK_STATUS(vae_encode(twin, &of_x, mu, lv), VAE_OK);
            CHECK_STATUS(vae_posterior(twin, &noisy, z), VAE_OK);
            CHECK_STATUS(vae_decode(twin, &of_z, mean), VAE_OK);
            CHECK_STATUS(vae_decode_logits(twin, &of_z, logits), VAE_OK);
            CHECK_STATUS(vae_draw(twin, &of_z, 3, draw), VAE_OK);
            CHECK_STATUS(vae_reconstruct(twin, &of_x, again), VAE_OK);
            CHECK_STATUS(vae_sample_prior(twin, &of_x, 3, prior), VAE_OK);
            CHECK_STATUS(vae_score(twin, &of_x, elbo, NULL, NULL), VAE_OK);
            CHECK_STATUS(vae_bound(twin, &of_x, 4, bound), VAE_OK);
            for (i = 0; i < ROWS; i++) {
                of_x = *BATCH(x + i * 30, 1, .first = 9 + (uint32_t)i, .labels = labels + i,
                              .label_count = 1);
                of_z = noisy = of_x, of_z.x = noisy.eps = eps + i * L;
                CHECK_STATUS(vae_encode(m, &of_x, one, one + L), VAE_OK);
                CHECK(!memcmp(one, mu + i * L, sizeof(float) * L));
                CHECK(!memcmp(one + L, lv + i * L, sizeof(float) * L));
                CHECK_STATUS(vae_posterior(m, &noisy, one),
                             VAE_OK);
                CHECK(!memcmp(one, z + i * L, sizeof(float) * L));
                CHECK_STATUS(vae_decode(m, &of_z, one), VAE_OK);
                CHECK(!memcmp(one, mean + i * 30, sizeof one));
                CHECK_STATUS(vae_decode_logits(m, &of_z, one), VAE_OK);
                CHECK(!memcmp(one, logits + i * 30, sizeof one));
                CHECK_STATUS(vae_draw(m, &of_z, 3, one), VAE_OK);
                CHECK(!memcmp(one, draw + i * 30, sizeof one));
                CHECK_STATUS(vae_reconstruct(m, &of_x, one), VAE_OK);
                CHECK(!memcmp(one, again + i * 30, sizeof one));
                CHECK_STATUS(vae_sample_prior(m, &of_x, 3, one), VAE_OK);
                CHECK(!memcmp(one, prior + i * 30, sizeof one));
                CHECK_STATUS(vae_score(m, &of_x, one, NULL, NULL),
                             VAE_OK);
                CHECK(ref_same(one[0], elbo[i]));
                CHECK_STATUS(vae_bound(m, &of_x, 4, one), VAE_OK);
                CHECK(ref_same(one[0], bound[i]));
            }
            if (run) vae_destroy(twin);
        }
        {   /* the class matters to both nets that have it, and one is enough for all rows */
            const int32_t two[] = {1, 2}, many[] = {2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2};
            const int32_t last[] = {2};
            CHECK_STATUS(vae_reconstruct(m, BATCH(x, 11, LABELS(many)), again), VAE_OK);
            CHECK_STATUS(vae_reconstruct(m, BATCH(x, 11, LABELS(last)), mean), VAE_OK);
            CHECK(!memcmp(mean, again, sizeof(float) * 11 * 30));
            CHECK_STATUS(vae_decode(m, BATCH(eps, 1, LABELS(last)), logits), VAE_OK);
            CHECK_STATUS(vae_encode(m, BATCH(x, 1, LABELS(last)), mu, NULL), VAE_OK);
            CHECK_STATUS(vae_decode(m, BATCH(eps, 1, LABELS(two)), draw), VAE_OK);
            CHECK_STATUS(vae_encode(m, BATCH(x, 1, LABELS(two)), lv, NULL), VAE_OK);
            CHECK(!memcmp(draw, logits, sizeof one) == (way == 1));
            CHECK(!memcmp(mu, lv, sizeof(float) * L) == (way == 2));
        }
        free(bytes);
        vae_destroy(m);
    }
}

/* Rows pass through the decoder 256 at a time: classes and importance weights must keep step. */
TEST(batches_larger_than_a_portion_keep_their_rows_together) {
    enum { ROWS = 601, L = 3, DIM = 6 };
    static const int threads[] = {1, 7, 2};
    float *x = ref_floats(ROWS * DIM), *z = ref_floats(ROWS * L), *out[2][5];
    int32_t labels[ROWS];
    uint64_t state = 97, hash = 0;
    size_t i, j;
    int way, run;
    ref_fill_uniform(&state, x, ROWS * DIM, 0, 1);
    ref_fill_normal(&state, z, ROWS * L, 1);
    for (i = 0; i < 5; i++) out[0][i] = ref_floats(ROWS * DIM), out[1][i] = ref_floats(ROWS * DIM);
    class_labels(labels, ROWS);
    for (run = 0; run < 2; run++) {
        vae_desc d = class_desc();
        vae *m = NULL;
        d.input = "6", d.encoder = "label 4", d.batch = run ? ROWS : 7, d.inference = 1;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        CHECK_STATUS(vae_decode(m, BATCH(z, ROWS, LABELS(labels)), out[run][0]), VAE_OK);
        CHECK_STATUS(vae_reconstruct(m, BATCH(x, ROWS, LABELS(labels)), out[run][1]), VAE_OK);
        CHECK_STATUS(vae_draw(m, BATCH(z, ROWS, LABELS(labels)), 1, out[run][2]), VAE_OK);
        CHECK_STATUS(vae_score(m, BATCH(x, ROWS, LABELS(labels)), out[run][3], NULL, NULL), VAE_OK);
        CHECK_STATUS(vae_bound(m, BATCH(x, ROWS, LABELS(labels)), 2, out[run][4]), VAE_OK);
        vae_destroy(m);
    }
    for (i = 0; i < 5; i++) CHECK_EQ(ref_differ(ROWS * DIM, out[0][i], out[1][i]), ROWS * DIM);
    for (way = 0; way < 3; way++)
        for (run = 0; run < 3; run++) {
            vae_desc d = class_desc();
            vae_stats s;
            vae *m = NULL;
            d.input = "6", d.encoder = "label 4", d.batch = ROWS, d.samples = 3;
            d.objective = (vae_objective)way;
#ifdef VAE__THREADS
            d.threads = threads[run];
#endif
            CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
            CHECK_STATUS(vae_train_step(m, BATCH(x, ROWS, LABELS(labels)), &s), VAE_OK);
            if (!run) hash = vae_params_hash(m);
            CHECK(vae_params_hash(m) == hash);
            vae_destroy(m);
        }
    { /* more draws of an image than a portion */
        vae_desc d = small_desc();
        float eps[2 * 400 * L];
        vae_stats s;
        vae *m = NULL;
        double want = 0;
        d.input = "6", d.samples = 400, d.batch = 2, d.objective = VAE_OBJECTIVE_IWAE;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        ref_fill_normal(&state, eps, 2 * 400 * L, 1);
        for (i = 0; i < 2; i++) { /* the bound from its definition, by encoder and decoder */
            float head[2 * L], v[L], p[DIM];
            double logw[400], sum = 0;
            CHECK_STATUS(vae_encode(m, BATCH(x + i * DIM, 1), head, head + L), VAE_OK);
            for (j = 0; j < 400; j++) {
                const float *e = eps + (i * 400 + j) * L;
                size_t q;
                CHECK_STATUS(vae_posterior(m, BATCH(x + i * DIM, 1, .eps = e), v), VAE_OK);
                CHECK_STATUS(vae_decode(m, BATCH(v, 1), p), VAE_OK);
                for (q = 0, logw[j] = 0; q < L; q++)
                    logw[j] -= 0.5 * (pow((double)v[q], 2) - pow((double)e[q], 2) -
                                      (double)head[L + q]);
                for (q = 0; q < DIM; q++)
                    logw[j] += (double)x[i * DIM + q] * log((double)p[q]) +
                               (1 - (double)x[i * DIM + q]) * log(1 - (double)p[q]);
                sum += exp(logw[j]);
            }
            want += 0.5 * log(sum / 400);
        }
        CHECK_STATUS(vae_train_step(m, BATCH(x, 2, .eps = eps), &s), VAE_OK);
        CHECK_NEAR(s.bound, want, 1e-5);
        vae_destroy(m);
    }
    for (i = 0; i < 5; i++) free(out[0][i]), free(out[1][i]);
    free(x), free(z);
}

TEST(a_fit_takes_the_labels_of_its_images) {
    enum { ROWS = 21 };
    float x[ROWS * 30] = {0}, batch[8 * 30];
    int32_t labels[ROWS], other[ROWS], of_batch[8];
    vae_data data = float_data(x, ROWS, 30);
    vae_desc d = class_desc();
    uint64_t hash = 0;
    vae *m = NULL;
    size_t i, at, n;
    int way;
    small_images(x, ROWS, 30);
    class_labels(labels, ROWS);
    for (i = 0; i < ROWS; i++) other[i] = (labels[i] + (i == 20)) % CLASSES; /* one of them */
    d.epochs = 1;
    for (way = 0; way < 3; way++) {
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        data.labels = way == 1 ? other : labels;
        if (way < 2) CHECK_STATUS(vae_fit(m, &data, NULL, NULL, NULL), VAE_OK);
        for (at = 0; way == 2 && at < ROWS; at += n) { /* the same by hand */
            uint32_t index[8];
            n = ROWS - at < 8 ? ROWS - at : 8;
            for (i = 0; i < n; i++) {
                index[i] = (uint32_t)vae_shuffle(5, 0, ROWS, at + i);
                of_batch[i] = labels[index[i]];
                memcpy(batch + i * 30, x + index[i] * 30, 30 * sizeof(float));
            }
            CHECK_STATUS(vae_train_step(m, BATCH(batch, n, .index = index, .labels = of_batch,
                                                 .label_count = n), NULL), VAE_OK);
        }
        if (!way) hash = vae_params_hash(m);
        CHECK((vae_params_hash(m) == hash) == (way != 1));
        vae_destroy(m);
    }
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    other[5] = 9, data.labels = other;
    CHECK_STATUS(vae_fit(m, &data, NULL, NULL, NULL), VAE_ERR_VALUE);
    CHECK_SAYS(*vae_last_report(m), "training data: label 5 is 9; the networks know 0 to 3");
    other[5] = -1;
    CHECK_STATUS(vae_fit(m, &data, NULL, NULL, NULL), VAE_ERR_VALUE);
    {
        vae_data test = data;
        vae_stats s;
        double kl[3];
        data.labels = labels;
        CHECK_STATUS(vae_fit(m, &data, &test, NULL, NULL), VAE_ERR_VALUE);
        CHECK_SAYS(*vae_last_report(m), "test data: label 5 is -1");
        CHECK_STATUS(vae_evaluate(m, &test, &s), VAE_ERR_VALUE);
        CHECK_STATUS(vae_units(m, &test, kl, NULL), VAE_ERR_VALUE);
        data.labels = NULL;
        CHECK_STATUS(vae_evaluate(m, &data, &s), VAE_ERR_STATE);
        CHECK_STATUS(vae_fit(m, &data, NULL, NULL, NULL), VAE_ERR_STATE);
        CHECK_SAYS(*vae_last_report(m), "training data has no labels");
    }
    vae_destroy(m);
}

TEST(evaluation_takes_the_labels_of_the_data) {
    enum { ROWS = 21 };
    float x[ROWS * 30] = {0};
    int32_t labels[ROWS];
    vae_data data = float_data(x, ROWS, 30);
    vae_desc d = class_desc();
    vae_stats s;
    double kl[3], sum;
    float elbo[ROWS];
    vae *m = NULL;
    int i;
    small_images(x, ROWS, 30);
    class_labels(labels, ROWS);
    data.labels = labels;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    CHECK_STATUS(vae_evaluate(m, &data, &s), VAE_OK);
    CHECK_STATUS(vae_score(m, BATCH(x, ROWS, LABELS(labels)), elbo, NULL, NULL), VAE_OK);
    for (i = 0, sum = 0; i < ROWS; i++) sum += (double)elbo[i] / ROWS;
    CHECK_NEAR(s.elbo, sum, 1e-5);
    CHECK_STATUS(vae_units(m, &data, kl, NULL), VAE_OK);
    CHECK_NEAR(kl[0] + kl[1] + kl[2], s.kl, 1e-6 * (1 + s.kl));
    vae_destroy(m);
}

TEST(a_conditional_network_trains_and_resumes_to_the_same_bits) {
    enum { ROWS = 21 };
    static const char *const encoders[] = {"flatten, label 4, dense 12 tanh",
                                           "label 4, conv 3 3x3/2 relu, batchnorm"};
    float x[ROWS * 30] = {0};
    int32_t labels[ROWS];
    vae_data data = float_data(x, ROWS, 30);
    int way, isa;
    small_images(x, ROWS, 30);
    class_labels(labels, ROWS);
    data.labels = labels;
    for (way = 0; way < 2; way++) {
        vae_desc d = class_desc();
        uint64_t hash = 0, at;
        double worst = 1;
        watcher w;
        vae *m = NULL;
        d.encoder = encoders[way], d.epochs = 2, d.samples = 2;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        CHECK_STATUS(vae_check_gradients(m, BATCH(x, 8, LABELS(labels)), 3, &worst), VAE_OK);
        CHECK(worst < (way ? 3e-2 : 1e-2));
        vae_destroy(m);
        for (isa = VAE_ISA_PORTABLE; isa < VAE_ISA_COUNT + 1; isa++) {
            if (isa < VAE_ISA_COUNT && !vae_isa_available((vae_isa)isa)) continue;
            d.isa = isa < VAE_ISA_COUNT ? (vae_isa)isa : VAE_ISA_AUTO;
#ifdef VAE__THREADS
            d.threads = isa < VAE_ISA_COUNT ? 1 : 3;
#endif
            CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
            CHECK_STATUS(vae_fit(m, &data, &data, NULL, NULL), VAE_OK);
            if (isa == VAE_ISA_PORTABLE) hash = vae_params_hash(m);
            CHECK(vae_params_hash(m) == hash);
            vae_destroy(m);
        }
        for (at = 1; at < 8; at++) {
            size_t size;
            unsigned char *bytes;
            memset(&w, 0, sizeof w);
            w.stop_at = at;
            CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
            CHECK_STATUS(vae_fit(m, &data, &data, watch, &w), VAE_STOPPED);
            bytes = file_of(m, 0, &size);
            vae_destroy(m);
            m = obj_twin(bytes, size, 0, 1, VAE_ISA_AUTO, 0);
            free(bytes);
            CHECK_STATUS(vae_fit(m, &data, &data, NULL, NULL), VAE_OK);
            CHECK(vae_params_hash(m) == hash);
            vae_destroy(m);
        }
    }
}

TESTS(labels) {
    vae__fpenv env;
    vae__fp_enter(&env); /* see reference.h */
    RUN(networks_with_labels_must_be_told_the_class);
    RUN(a_label_is_one_hot_planes_behind_the_channels);
    RUN(every_row_keeps_its_class_whatever_the_buffers);
    RUN(batches_larger_than_a_portion_keep_their_rows_together);
    RUN(a_fit_takes_the_labels_of_its_images);
    RUN(evaluation_takes_the_labels_of_the_data);
    RUN(a_conditional_network_trains_and_resumes_to_the_same_bits);
    vae__fp_leave(&env);
}
