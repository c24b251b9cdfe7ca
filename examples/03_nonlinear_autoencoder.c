/* 03 A non-linear autoencoder loses less than PCA with as many codes.
 *
 * Hinton & Salakhutdinov 2006, "Reducing the dimensionality of data with neural networks".
 *
 *   cc examples/03_nonlinear_autoencoder.c && ./a.out [FOLDER OF MNIST]
 *
 * Two numbers for each image. PCA puts them on a flat plane; an encoder and a decoder with hidden
 * layers bend the plane so that it passes closer to the images. The test images tell that this is
 * no learning by heart.
 *
 * The number: the squared error of the autoencoder on test images, divided by that of PCA. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "common.h"

enum { TRAIN = 5000, TEST = 1000, SHOWN = 10 };
static float x[TRAIN * PIXELS], test[TEST * PIXELS], y[TEST * PIXELS], z[TEST * 2];
static float mean[PIXELS], v[2 * PIXELS], flat[TEST * 2], from_pca[TEST * PIXELS];
static float shown[3 * SHOWN * PIXELS];
static int32_t labels[TEST];

int main(int argc, char **argv) {
    const char *folder = argc > 1 ? argv[1] : NULL;
    images(folder, 0, TRAIN, x, NULL);
    images(folder, 1, TEST, test, labels);

    /* PCA, fitted to the training images, on the test images */
    principal(x, TRAIN, PIXELS, 2, mean, v);
    for (size_t i = 0; i < TEST * PIXELS; i++) y[i] = test[i] - mean[i % PIXELS];
    multiply(TEST, 2, PIXELS, y, 0, v, 1, flat);            /* encode */
    multiply(TEST, PIXELS, 2, flat, 0, v, 0, from_pca);     /* decode */
    for (size_t i = 0; i < TEST * PIXELS; i++) from_pca[i] += mean[i % PIXELS];
    const double pca = squared_distance(test, from_pca, TEST * PIXELS) / TEST / PIXELS;

    vae_desc desc = {0};
    desc.input = "784", desc.latent = 2;
    desc.encoder = "dense 256 relu, dense 64 relu";
    desc.decoder = "dense 64 relu, dense 256 relu";
    desc.likelihood = "gaussian", desc.visible_bias = VAE_BIAS_MEAN;
    desc.no_kl = desc.no_noise = 1;
    desc.batch = 100, desc.epochs = 24, desc.lr = 2e-3;
    desc.schedule = VAE_SCHEDULE_COSINE, desc.lr_steps = 24 * TRAIN / 100;
    vae *model = create(&desc);
    vae_data data = wrap(x, TRAIN, PIXELS);
    ok(model, vae_fit(model, &data, NULL, NULL, NULL));

    vae_batch batch = {.x = test, .rows = TEST};
    ok(model, vae_encode(model, &batch, z, NULL));
    ok(model, vae_reconstruct(model, &batch, y));
    const double net = squared_distance(test, y, TEST * PIXELS) / TEST / PIXELS;
    printf("mean squared error per pixel of test images: PCA %.5f, autoencoder %.5f\n", pca, net);

    memcpy(shown, test, SHOWN * PIXELS * sizeof *test);
    memcpy(shown + SHOWN * PIXELS, from_pca, SHOWN * PIXELS * sizeof *test);
    memcpy(shown + 2 * SHOWN * PIXELS, y, SHOWN * PIXELS * sizeof *test);
    figure *f = figure_new(1080, 660, "Two codes for an image: PCA and a deep autoencoder",
                           "1000 test images. Both were fitted to other images.");
    const char *const rows[] = {"image", "PCA", "autoencoder"};
    double a[2], b[2];
    figure_panel(f, 0, 0, .46, .64, "PCA");
    figure_range(flat, TEST, 2, .04, a), figure_range(flat + 1, TEST, 2, .04, b);
    figure_axes(f, "code 1", a[0], a[1], "code 2", b[0], b[1], 0);
    figure_scatter(f, flat, TEST, 2, labels, 10, NULL);
    figure_panel(f, .46, 0, 1, .64, "autoencoder");
    figure_range(z, TEST, 2, .04, a), figure_range(z + 1, TEST, 2, .04, b);
    figure_axes(f, "code 1", a[0], a[1], "code 2", b[0], b[1], FIGURE_ROOM);
    figure_scatter(f, z, TEST, 2, labels, 10, NULL);
    figure_legend(f, FIGURE_BESIDE);
    figure_panel(f, 0, .66, 1, 1, NULL);
    figure_images(f, &(figure_sheet){.images = shown, .count = 3 * SHOWN, .height = SIDE,
                                     .width = SIDE, .columns = SHOWN, .zoom = 2, .beside = rows});
    save(f, "03_nonlinear_autoencoder");
    vae_destroy(model);
    return at_most("error of the autoencoder over that of PCA", net / pca, .85);
}
