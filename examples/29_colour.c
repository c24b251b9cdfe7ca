/* 29 Colour: pictures of 32 x 32 pixels with three channels, and a convolution.
 *
 * Kingma & Welling 2014, "Auto-encoding variational Bayes" (arXiv:1312.6114); the pictures of the
 * folder: Krizhevsky 2009, "Learning multiple layers of features from tiny images".
 *
 *   cc examples/29_colour.c && ./a.out                          shapes that the program draws
 *   cc examples/29_colour.c && ./a.out FOLDER OF CIFAR-10       FOLDER/data_batch_1.bin
 *
 * The shapes have one size and one angle, but move and change their colour. No linear map follows
 * that, and PCA with as many numbers blurs them. The encoder begins with a convolution, which sees
 * the same things wherever they are.
 *
 * The variance of p(x|z) is larger than the error that is left, so that the KL weighs enough for
 * the codes to come near the prior. Even so some new pictures are no shapes: after seconds of
 * training the codes leave holes, and draws of the prior fall into them.
 *
 * The number: the squared error of the reconstructions of test pictures, divided by that of PCA.
 * CIFAR-10 has no bound: there PCA is hard to beat within seconds. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "common.h"
#include "../tools/images.h"
#include "../tools/shapes.h"

enum { TRAIN = 4000, TEST = 500, WIDTH = 32 * 32 * 3, K = 6, SHOWN = 12, FOR_PCA = 600 };
static uint8_t drawn[(TRAIN + TEST) * WIDTH];
static float x[(TRAIN + TEST) * WIDTH], by_vae[TEST * WIDTH], by_pca[TEST * WIDTH];
static float mean[WIDTH], v[K * WIDTH], codes[TEST * K], shown[4 * SHOWN * WIDTH];

/* Pictures for training, then those for testing, as numbers from 0 to 1. */
static void read_pictures(const char *folder) {
    const size_t dims[] = {TRAIN + TEST, 32, 32, 3};
    char error[IMAGES_ERROR] = "the folder holds no batches of CIFAR-10";
    vae_data data;
    if (folder) {
        if (images_batches(folder, 0, TRAIN + TEST, &data, NULL, error) < 1) stop(error);
    } else {
        int n = 0;
        for (uint32_t i = 0; n < TRAIN + TEST; i++) { /* all different: no index gives one twice */
            uint8_t f[SHAPES_FACTORS];
            shapes_factors(1, i, f);
            if (f[SHAPES_ANGLE] == 0 && f[SHAPES_SIZE] == 5) shapes_draw(f, drawn + n++ * WIDTH);
        }
        if (vae_data_wrap(VAE_U8, 4, dims, drawn, &data, NULL)) stop("the shapes cannot be used");
    }
    if (vae_data_read(&data, 0, TRAIN + TEST, x) != VAE_OK) stop("there are too few pictures");
    vae_data_free(&data);
}

int main(int argc, char **argv) {
    const char *const names[] = {"test", "VAE", "PCA", "new"};
    const float *test = x + TRAIN * WIDTH;
    read_pictures(argc > 1 ? argv[1] : NULL);

    vae_desc desc = {0};
    desc.input = "32x32x3", desc.latent = K, desc.likelihood = "gaussian 0.05";
    desc.encoder = "conv 16 4x4/2 relu, dense 128 relu";
    desc.decoder = "dense 128 relu, dense 256 relu";
    desc.lr = 2e-3, desc.epochs = 8, desc.batch = 32, desc.visible_bias = VAE_BIAS_MEAN;
    vae *model = create(&desc);
    vae_data data = wrap(x, TRAIN, WIDTH);
    ok(model, vae_fit(model, &data, NULL, NULL, NULL));
    ok(model, vae_reconstruct(model, &(vae_batch){.x = test, .rows = TEST}, by_vae));
    ok(model, vae_sample_prior(model, &(vae_batch){.rows = SHOWN}, 1, shown + 3 * SHOWN * WIDTH));
    vae_destroy(model);

    principal(x, FOR_PCA, WIDTH, K, mean, v);
    project(test, TEST, WIDTH, K, mean, v, codes, by_pca);
    const double of_vae = squared_distance(test, by_vae, TEST * WIDTH) / (TEST * WIDTH);
    const double of_pca = squared_distance(test, by_pca, TEST * WIDTH) / (TEST * WIDTH);
    printf("squared error of a number: VAE %.5f, PCA %.5f\n", of_vae, of_pca);

    memcpy(shown, test, SHOWN * WIDTH * sizeof *shown);
    memcpy(shown + SHOWN * WIDTH, by_vae, SHOWN * WIDTH * sizeof *shown);
    memcpy(shown + 2 * SHOWN * WIDTH, by_pca, SHOWN * WIDTH * sizeof *shown);
    figure *f = figure_new(900, 360, "Colour pictures, 6 numbers each", NULL);
    figure_panel(f, 0, 0, 1, 1, NULL);
    figure_images(f, &(figure_sheet){.images = shown, .count = 4 * SHOWN, .height = 32, .width = 32,
                                     .channels = 3, .columns = SHOWN, .beside = names});
    save(f, "29_colour");
    if (argc > 1) return printf("error %.3f of that of PCA (no bound)\n", of_vae / of_pca) < 0;
    return at_most("error over that of PCA with as many numbers", of_vae / of_pca, .5);
}
