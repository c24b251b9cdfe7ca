/* 07 Clusters in the latent space, before training and after.
 *
 * Kingma & Welling 2014, "Auto-encoding variational Bayes".
 *
 *   cc examples/07_clusters.c && ./a.out [FOLDER OF MNIST]
 *
 * Nobody tells the model which digit an image shows, and yet digits of one class come to lie
 * together: similar images cost least when they have similar codes. Each point is the mean of
 * q(z|x) of a test image, with the class as its mark.
 *
 * The number: how often the nearest other code is of the same class. 0.1 is chance; a random
 * encoder already keeps some neighbours together. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "common.h"

enum { TRAIN = 5000, TEST = 1000 };
static float x[TRAIN * PIXELS], test[TEST * PIXELS], z[2][TEST * 2];
static int32_t labels[TEST];

int main(int argc, char **argv) {
    const char *folder = argc > 1 ? argv[1] : NULL;
    double share[2];
    images(folder, 0, TRAIN, x, NULL);
    images(folder, 1, TEST, test, labels);

    vae_desc desc = {0};
    desc.input = "784", desc.latent = 2;
    desc.encoder = "dense 256 relu, dense 64 relu";
    desc.decoder = "dense 64 relu, dense 256 relu";
    desc.visible_bias = VAE_BIAS_MEAN;
    desc.batch = 50, desc.epochs = 15, desc.lr = 2e-3;
    desc.schedule = VAE_SCHEDULE_COSINE, desc.lr_steps = 15 * TRAIN / 50;
    vae *model = create(&desc);
    vae_data data = wrap(x, TRAIN, PIXELS);
    vae_batch batch = {.x = test, .rows = TEST};
    ok(model, vae_encode(model, &batch, z[0], NULL));
    ok(model, vae_fit(model, &data, NULL, NULL, NULL));
    ok(model, vae_encode(model, &batch, z[1], NULL));
    for (int after = 0; after < 2; after++) share[after] = same_class(z[after], TEST, labels);
    printf("nearest code of the same class: %.3f before training\n", share[0]);

    figure *f = figure_new(1080, 520, "Codes of test images, before training and after",
                           "No label was used in training. Two latents, 1000 test images.");
    const char *const titles[] = {"before training", "after training"};
    for (int after = 0; after < 2; after++) {
        double a[2], b[2];
        figure_range(z[after], TEST, 2, .04, a), figure_range(z[after] + 1, TEST, 2, .04, b);
        figure_panel(f, after ? .46 : 0, 0, after ? 1 : .46, 1, titles[after]);
        figure_axes(f, "z1", a[0], a[1], "z2", b[0], b[1], after ? FIGURE_ROOM : 0);
        figure_scatter(f, z[after], TEST, 2, labels, 10, NULL);
    }
    figure_legend(f, FIGURE_BESIDE);
    save(f, "07_clusters");
    vae_destroy(model);
    return at_least("nearest code of the same class after training", share[1], .5);
}
