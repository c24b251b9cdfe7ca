/* Wide images go through the layers a few at a time: a walk within the rows of a part. */
#include "models.h"

enum { WIDE_BATCH = 7, WIDE_DIM = 26 * 26 };

/* A model for use has the same scores, and its figures do not depend on how many rows it has room
 * for. */
static void wide_use(vae *m, const vae_batch *b, const float *scores) {
    enum { DIM = WIDE_BATCH * WIDE_DIM };
    size_t size = 0;
    unsigned char *bytes;
    float *x = (float *)malloc(4 * DIM * sizeof *x), bound[2][WIDE_BATCH];
    int room;
    CHECK_STATUS(vae_save_size(m, 0, &size), VAE_OK);
    bytes = (unsigned char *)malloc(size);
    CHECK_STATUS(vae_save_memory(m, 0, bytes, size), VAE_OK);
    for (room = 0; room < 2; room++) {
        vae_load_options options;
        float of_use[WIDE_BATCH];
        vae *use = NULL;
        memset(&options, 0, sizeof options);
        options.inference = 1, options.batch = room ? WIDE_BATCH : 1;
        CHECK_STATUS(vae_load_memory(bytes, size, &options, &use, NULL), VAE_OK);
        if (!use) break;
        CHECK_STATUS(vae_score(use, b, of_use, NULL, NULL), VAE_OK);
        CHECK(!memcmp(of_use, scores, sizeof of_use));
        CHECK_STATUS(vae_bound(use, b, 3, bound[room]), VAE_OK);
        CHECK_STATUS(vae_reconstruct(use, b, x + 2 * room * DIM), VAE_OK);
        CHECK_STATUS(vae_sample_prior(use, b, 5, x + (2 * room + 1) * DIM), VAE_OK);
        vae_destroy(use);
    }
    CHECK(!memcmp(bound[0], bound[1], sizeof bound[0]));
    CHECK(!memcmp(x, x + 2 * DIM, 2 * DIM * sizeof *x));
    free(bytes), free(x);
}

/* The hash after some steps, then the scores of all images. */
static uint64_t wide_run(const char *encoder, const char *decoder, int samples, int threads,
                         float *scores) {
    static const int32_t labels[WIDE_BATCH] = {0, 2, 1, 1, 0, 2, 2};
    static float x[WIDE_BATCH * WIDE_DIM];
    vae_desc d;
    vae *m = NULL;
    uint64_t hash = 0;
    int i;
    memset(&d, 0, sizeof d);
    d.input = "26x26x1", d.decoder = decoder, d.batch = WIDE_BATCH, d.threads = threads;
    d.samples = samples, d.seed = 4;
    if (encoder) d.encoder = encoder, d.latent = 3;
    else d.posterior = "none";
    small_images(x, WIDE_BATCH, WIDE_DIM);
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    if (!m) return 0;
    for (i = 0; i < 2; i++)
        CHECK_STATUS(vae_train_step(m, BATCH(x, WIDE_BATCH, .labels = labels,
                                             .label_count = WIDE_BATCH), NULL), VAE_OK);
    CHECK_STATUS(vae_score(m, BATCH(x, WIDE_BATCH, .labels = labels, .label_count = WIDE_BATCH),
                           scores, NULL, NULL), VAE_OK);
    if (encoder)
        wide_use(m, BATCH(x, WIDE_BATCH, .labels = labels, .label_count = WIDE_BATCH), scores);
    hash = vae_params_hash(m);
    vae_destroy(m);
    return hash;
}

/* With as many threads as images a part has one image, and nothing is left to be divided. */
TEST(a_few_wide_images_at_a_time_give_the_bits_of_one_by_one) {
    static const struct {
        const char *encoder, *decoder;
        int samples;
    } cases[] = {
        {NULL, "label 3, image, maskconv 32 5x5 a relu, res(maskconv 8 1x1 b relu, maskconv 32 3x3 "
               "b), res(gated, maskconv 32 1x1 b), relu", 1},
        {"label 3, conv 32 3x3 relu, res(dropout 0.2, conv 32 1x1), flatten, dense 4 tanh",
         "label 3, dense 2028 relu, reshape 26x26x3, res(res(conv 32 3x3 silu, dropout 0.3, "
         "conv 3 1x1)), image, maskconv 32 3x3 a, res(maskconv 32 1x1 b)", 2},
        {"label 3, dense 9 tanh", "dense 676, reshape 26x26x1, conv 40 3x3 relu, conv 1 1x1", 1},
        {"conv 40 3x3/2 relu, dense 6, z 4, label 3, dense 5", "dense 9, z 4, dense 676 relu, "
         "reshape 26x26x1, conv 40 3x3 relu, conv 1 1x1", 1}};
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        float few[WIDE_BATCH], one[WIDE_BATCH];
        const uint64_t hash = wide_run(cases[i].encoder, cases[i].decoder, cases[i].samples, 1, few);
        CHECK(hash == wide_run(cases[i].encoder, cases[i].decoder, cases[i].samples, WIDE_BATCH,
                               one));
        CHECK(!memcmp(few, one, sizeof few));
    }
}

TESTS(wide) {
    RUN(a_few_wide_images_at_a_time_give_the_bits_of_one_by_one);
}
