/* vae_complete: images whose beginning is given. The buffers of models that draw pixel by pixel. */
#include "models.h"

static vae *complete_make(const char *input, const char *decoder, const char *likelihood,
                          vae_binarize binarize, int inference, int threads) {
    vae_desc d;
    vae_report r;
    vae_tensor t;
    vae *m = NULL;
    size_t i, j;
    memset(&d, 0, sizeof d);
    d.input = input, d.decoder = decoder, d.likelihood = likelihood, d.posterior = "none";
    d.binarize = binarize, d.batch = 4, d.seed = 5, d.inference = inference, d.threads = threads;
    if (vae_create(&d, &m, &r)) {
        test_report(__FILE__, __LINE__, "\"%s\": %s", decoder, r.text);
        return NULL;
    }
    for (i = 0; i < m->slot_count; i++) {
        CHECK_STATUS(vae_tensor_at(m, i, &t), VAE_OK);
        for (j = 0; t.rank == 1 && j < t.count; j++) t.data[j] = (float)(j * 5 % 7) * 0.2f - 0.5f;
    }
    return m;
}

static const char complete_net[] = "image, maskconv 6 3x3 a, res(maskconv 6 3x3 b, gated, maskconv "
                                   "6 1x1 b), tanh, maskconv 4 3x5 b elu, res(maskconv 4 1x1 b)";

/* A full pass at the completed images must give back what was drawn, with the same noise; so by
 * induction each drawn number is that of full recomputation. */
TEST(what_is_given_stays_and_the_rest_is_drawn_after_it) {
    static const char *const inputs[] = {"5x4x1", "4x3x2"}, *const decoders[] = {complete_net,
        "image, maskconv 8 3x3 a, res(maskconv 8 3x3 b, gated, maskconv 8 1x1 b), tanh"};
    enum { ROWS = 11, MOST = 24 };
    float x[ROWS * MOST], got[ROWS * MOST], again[MOST], u[MOST];
    uint64_t seed = 12;
    size_t n, given, i, j, dim, differ = 0, kept = 0, changed = 0;
    for (n = 0; n < 4; n++) {
        vae *m = complete_make(inputs[n & 1], decoders[n & 1], NULL, VAE_BINARIZE_NONE,
                               (int)(n >> 1), 0);
        if (!m) return;
        dim = m->input.dim;
        for (i = 0; i < ROWS * dim; i++) x[i] = (float)(i * i % 3 == 1);
        for (given = 0; given <= dim; given += 3) {
            vae__density l;
            CHECK_STATUS(vae_complete(m, BATCH(x, ROWS, .first = 2), given, &seed, got), VAE_OK);
            l = vae__density_now(m, m->w);
            for (i = 0; i < ROWS; i++) {
                vae__address at = vae__address_for(seed, VAE_PURPOSE_DRAW_X, 0, (uint32_t)i + 2, 0);
                CHECK_STATUS(vae_score(m, BATCH(got + i * dim, 1), NULL, NULL, NULL), VAE_OK);
                m->k->draw(l.row->noise, &at, 0, dim, u);
                l.row->observe(&l, m->ops[m->count - 1].y, u, again);
                kept += memcmp(got + i * dim, x + i * dim, given * sizeof(float)) != 0;
                for (j = given; j < dim; j++) {
                    differ += memcmp(again + j, got + i * dim + j, sizeof(float)) != 0;
                    changed += memcmp(x + i * dim + j, got + i * dim + j, sizeof(float)) != 0;
                }
            }
        }
        vae_destroy(m);
    }
    CHECK_EQ(kept, 0);
    CHECK_EQ(differ, 0);
    CHECK(changed > 100);
}

TEST(completing_does_not_depend_on_portions_threads_and_place) {
    enum { ROWS = 13, DIM = 20 };
    float x[ROWS * DIM], want[ROWS * DIM], got[ROWS * DIM];
    static const int threads[] = {1, 2, 5};
    uint64_t seed = 3;
    int i;
    for (i = 0; i < ROWS * DIM; i++) x[i] = (float)(i % 11) / 10;
    for (i = 0; i < 3; i++) {
        vae *m;
#ifndef VAE__THREADS
        if (threads[i] > 1) continue;
#endif
        m = complete_make("5x4x1", complete_net, NULL, VAE_BINARIZE_DYNAMIC, 1, threads[i]);
        if (!m) return;
        memcpy(got, x, sizeof x);
        CHECK_STATUS(vae_complete(m, BATCH(got, ROWS), 9, &seed, got), VAE_OK); /* in place */
        if (!i) memcpy(want, got, sizeof got);
        CHECK(!memcmp(got, want, sizeof got));
        CHECK_STATUS(vae_complete(m, BATCH(x + 7 * DIM, 1, .first = 7), 9, &seed, got), VAE_OK);
        CHECK(!memcmp(got, want + 7 * DIM, DIM * sizeof(float)));
        vae_destroy(m);
    }
}

/* Numbers given are binarised as evaluation binarises those of the same image. */
TEST(what_is_given_is_binarised_as_in_evaluation) {
    enum { DIM = 20 };
    float x[DIM], got[DIM], other[DIM], a, b;
    uint64_t seed = 3;
    int i, grey = 0;
    vae *m = complete_make("5x4x1", complete_net, NULL, VAE_BINARIZE_DYNAMIC, 0, 0);
    vae *plain = complete_make("5x4x1", complete_net, NULL, VAE_BINARIZE_NONE, 0, 0);
    if (!m || !plain) return;
    for (i = 0; i < DIM; i++) x[i] = (float)(i % 5) / 4;
    CHECK_STATUS(vae_complete(m, BATCH(x, 1, .first = 6), DIM, &seed, got), VAE_OK);
    for (i = 0; i < DIM; i++) grey += got[i] > 0 && got[i] < 1;
    CHECK_EQ(grey, 0);
    CHECK_STATUS(vae_score(m, BATCH(x, 1, .first = 6), NULL, &a, NULL), VAE_OK);
    CHECK_STATUS(vae_score(plain, BATCH(got, 1), NULL, &b, NULL), VAE_OK);
    CHECK(!memcmp(&a, &b, sizeof a));
    CHECK_STATUS(vae_complete(m, BATCH(x, 1, .first = 7), DIM, &seed, other), VAE_OK);
    CHECK(memcmp(got, other, sizeof got) != 0); /* another image, other noise */
    vae_destroy(m), vae_destroy(plain);
}

TEST(the_most_probable_rest_does_not_depend_on_a_seed) {
    enum { ROWS = 3, DIM = 20 };
    float x[ROWS * DIM], got[ROWS * DIM], one[ROWS * DIM];
    vae *m = complete_make("5x4x1", complete_net, NULL, VAE_BINARIZE_NONE, 0, 0);
    size_t i, j, differ = 0;
    if (!m) return;
    for (i = 0; i < ROWS * DIM; i++) x[i] = (float)(i % 3 == 0);
    CHECK_STATUS(vae_complete(m, BATCH(x, ROWS), 7, NULL, got), VAE_OK);
    CHECK_STATUS(vae_complete(m, BATCH(x, ROWS, .first = 9), 7, NULL, one), VAE_OK);
    CHECK(!memcmp(got, one, sizeof got));
    for (i = 0; i < ROWS; i++) {
        CHECK_STATUS(vae_score(m, BATCH(got + i * DIM, 1), NULL, NULL, NULL), VAE_OK);
        for (j = 7; j < DIM; j++)
            differ += got[i * DIM + j] != (float)(m->ops[m->count - 1].y[j] > 0);
    }
    CHECK_EQ(differ, 0);
    vae_destroy(m);
}

/* The density of what is drawn, over all ends of a beginning: chi-square. */
TEST(completions_have_the_conditional_density_of_the_model) {
    enum { DRAWS = 20000, GIVEN = 4, ENDS = 32 };
    static float x[DRAWS * 9];
    float all[ENDS * 9], recon[ENDS];
    double count[ENDS] = {0}, sum = 0, chi = 0;
    uint64_t seed = 8;
    int i, j;
    vae *m = complete_make("3x3x1", "image, maskconv 6 3x3 a tanh, maskconv 4 3x3 b tanh", NULL,
                           VAE_BINARIZE_NONE, 0, 0);
    if (!m) return;
    for (i = 0; i < DRAWS * 9; i++) x[i] = (float)(i % 9 == 1 || i % 9 == 2);
    for (i = 0; i < ENDS; i++)
        for (j = 0; j < 9; j++)
            all[i * 9 + j] = j < GIVEN ? x[j] : (float)(i >> (j - GIVEN) & 1);
    CHECK_STATUS(vae_score(m, BATCH(all, ENDS), NULL, recon, NULL), VAE_OK);
    for (i = 0; i < ENDS; i++) sum += exp(-(double)recon[i]);
    CHECK_STATUS(vae_complete(m, BATCH(x, DRAWS), GIVEN, &seed, x), VAE_OK);
    for (i = 0; i < DRAWS; i++) {
        int end = 0;
        for (j = GIVEN; j < 9; j++) end |= (x[i * 9 + j] > 0.5f) << (j - GIVEN);
        count[end] += 1;
    }
    for (i = 0; i < ENDS; i++) {
        const double want = DRAWS * exp(-(double)recon[i]) / sum;
        CHECK(want > 5);
        chi += (count[i] - want) * (count[i] - want) / want;
    }
    CHECK(chi < ENDS + 5 * sqrt(2.0 * ENDS)); /* 5 standard deviations */
    vae_destroy(m);
}

TEST(completing_is_refused_where_there_is_no_such_density) {
    float x[30] = {0}, got[30];
    uint64_t seed = 1;
    vae_desc d = small_desc();
    vae *m = NULL;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    CHECK_STATUS(vae_complete(m, BATCH(x, 1), 1, &seed, got), VAE_ERR_STATE);
    CHECK_SAYS(*vae_last_report(m), "no layer `image`");
    vae_destroy(m);
    memset(&d, 0, sizeof d);
    d.input = "5x4x1", d.encoder = "", d.latent = 2, d.decoder = complete_net;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    CHECK_STATUS(vae_complete(m, BATCH(x, 1), 1, &seed, got), VAE_ERR_STATE);
    CHECK_SAYS(*vae_last_report(m), "posterior none");
    vae_destroy(m);
    m = complete_make("5x4x1", complete_net, NULL, VAE_BINARIZE_NONE, 0, 0);
    if (!m) return;
    CHECK_STATUS(vae_complete(m, BATCH(x, 1), 21, &seed, got), VAE_ERR_VALUE);
    CHECK_SAYS(*vae_last_report(m), "given is 21; an image has 20 numbers");
    CHECK_STATUS(vae_complete(m, BATCH(x, 1), 20, &seed, NULL), VAE_ERR_NULL);
    CHECK_STATUS(vae_complete(m, NULL, 20, &seed, got), VAE_ERR_NULL);
    CHECK_STATUS(vae_complete(NULL, BATCH(x, 1), 20, &seed, got), VAE_ERR_NULL);
    x[3] = 2;
    CHECK_STATUS(vae_complete(m, BATCH(x, 1), 1, &seed, got), VAE_ERR_VALUE);
    CHECK_STATUS(vae_complete(m, BATCH(x, 0), 1, &seed, got), VAE_OK);
    vae_destroy(m);
    x[3] = 0;
    m = complete_make("3x3x3", "image, maskconv 12 3x3 a tanh", "logistic_mixture 2",
                      VAE_BINARIZE_NONE, 0, 0);
    if (!m) return;
    CHECK_STATUS(vae_complete(m, BATCH(x, 1), 4, &seed, got), VAE_ERR_VALUE);
    CHECK_SAYS(*vae_last_report(m), "whole pixels");
    CHECK_STATUS(vae_complete(m, BATCH(x, 1), 6, &seed, got), VAE_OK);
    CHECK(!memcmp(got, x, 6 * sizeof(float)));
    vae_destroy(m);
}

/* For use alone a model keeps what is read at other pixels: a deep one of 1x1 layers and gates
 * needs little more than one of its buffers. */
TEST(a_model_for_drawing_keeps_only_what_other_pixels_read) {
    static char decoder[2000] = "image, maskconv 16 3x3 a";
    vae_desc d;
    size_t size[2], i;
    memset(&d, 0, sizeof d);
    d.input = "28x28x1", d.posterior = "none", d.decoder = decoder, d.batch = 8, d.inference = 1;
    CHECK_STATUS(vae_size(&d, &size[0], NULL), VAE_OK);
    for (i = 0; i < 20; i++)
        strcat(decoder, ", res(maskconv 8 1x1 b elu, maskconv 32 1x1 b, gated, maskconv 16 1x1 b)");
    CHECK_STATUS(vae_size(&d, &size[1], NULL), VAE_OK);
    CHECK(size[1] < size[0] + 8 * 784 * 80 * sizeof(float)); /* all would be 8 * 784 * 1900 floats */
}

TESTS(complete) {
    RUN(what_is_given_stays_and_the_rest_is_drawn_after_it);
    RUN(completing_does_not_depend_on_portions_threads_and_place);
    RUN(what_is_given_is_binarised_as_in_evaluation);
    RUN(the_most_probable_rest_does_not_depend_on_a_seed);
    RUN(completions_have_the_conditional_density_of_the_model);
    RUN(completing_is_refused_where_there_is_no_such_density);
    RUN(a_model_for_drawing_keeps_only_what_other_pixels_read);
}
