/* 22 PixelCNN: no latents, every pixel from those before it.
 *
 * van den Oord, Kalchbrenner & Kavukcuoglu 2016, "Pixel recurrent neural networks"
 * (arXiv:1601.06759); the blind spot: van den Oord et al. 2016 (arXiv:1606.05328).
 *
 *   cc examples/22_pixelcnn.c && ./a.out [FOLDER OF MNIST]
 *
 * p(x) is the product over pixels of p(pixel | all pixels before it in reading order). Convolutions
 * whose masks hide the pixels that come later give all these factors in one pass. So log p(x) is
 * exact, where a VAE has only a bound. Drawing an image is slow: it goes pixel by pixel. Masked
 * windows on top of each other do not reach all earlier pixels: the blind spot is above to the
 * right.
 *
 * The number: by how many nats the exact -log p(x) of test images lies below the bound of 100 draws
 * that a VAE has after as many passes over the same images. They have 14 x 14 pixels of 0 or 1.
 * That log p is exact is seen on images of 3 x 3 pixels: all 512 together must weigh 1. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "common.h"

enum { TRAIN = 4000, TEST = 500, SHOWN = 40, MIDDLE = 8 * HALF + 6, TINY = 512 };
static const char net[] = "image, maskconv 16 7x7 a relu, maskconv 16 5x5 b relu, "
                          "maskconv 16 3x3 b relu";
static float x[TRAIN * HALF_PIXELS], test[TEST * HALF_PIXELS], made[SHOWN * HALF_PIXELS];
static float score[TINY], tiny[TINY * 9], sees[HALF_PIXELS];

/* Marks the pixels that the output of `layer` (2, 1, 0) at a place depends on. It sees its window
 * down to that place; the first layer (mask a) does not see the place itself. */
static void look(int layer, int row, int column) {
    const int reach[3] = {3, 2, 1}, r = reach[layer]; /* half windows of 7x7, 5x5, 3x3 */
    for (int y = row - r; y <= row; y++)
        for (int at = column - r; at <= column + r; at++) {
            const int hidden = y == row && at >= column + (layer > 0);
            if (y < 0 || at < 0 || at >= HALF || hidden) continue;
            if (layer) look(layer - 1, y, at);
            else sees[y * HALF + at] = .6f;
        }
}

static vae *train(vae_desc desc) {
    desc.input = "14x14x1", desc.visible_bias = VAE_BIAS_MEAN, desc.epochs = 8, desc.batch = 50;
    vae *model = create(&desc);
    vae_data data = wrap(x, TRAIN, HALF_PIXELS);
    ok(model, vae_fit(model, &data, NULL, NULL, NULL));
    return model;
}

int main(int argc, char **argv) {
    const char *folder = argc > 1 ? argv[1] : NULL;
    vae_batch batch = {.x = test, .rows = TEST};
    half_images(folder, 0, TRAIN, x);
    half_images(folder, 1, TEST, test);

    vae_desc by_pixel = {.posterior = "none", .encoder = "", .decoder = net, .lr = 8e-3};
    vae *pixelcnn = train(by_pixel);
    ok(pixelcnn, vae_score(pixelcnn, &batch, score, NULL, NULL));
    const double exact = -mean_of(score, TEST);
    ok(pixelcnn, vae_sample_prior(pixelcnn, &(vae_batch){.rows = SHOWN}, 1, made));

    vae_desc by_code = {.encoder = "dense 200 relu", .decoder = "dense 200 relu", .lr = 2e-3};
    vae *by_latents = train(by_code);
    ok(by_latents, vae_bound(by_latents, &batch, 100, score));
    const double bound = -mean_of(score, TEST);

    double all = 0; /* p of all images of 3 x 3 pixels, by such a net with its first weights */
    vae_desc of_nine = {.input = "3x3x1", .posterior = "none", .encoder = "", .decoder = net};
    vae *model = create(&of_nine);
    for (int i = 0; i < TINY * 9; i++) tiny[i] = (float)(i / 9 >> i % 9 & 1);
    ok(model, vae_score(model, &(vae_batch){.x = tiny, .rows = TINY}, score, NULL, NULL));
    for (int i = 0; i < TINY; i++) all += exponential((double)score[i]);
    printf("exact -log p(x) of PixelCNN %.2f, bound of the VAE %.2f; all tiny images weigh %.6f\n",
           exact, bound, all);

    look(2, MIDDLE / HALF, MIDDLE % HALF);
    sees[MIDDLE] = -1;
    figure *f = figure_new(900, 430, "PixelCNN: what one pixel sees, and images drawn", NULL);
    figure_panel(f, 0, 0, .45, 1, "what the dark blue pixel sees: the orange ones");
    figure_images(f, &(figure_sheet){.images = sees, .count = 1, .height = HALF, .width = HALF,
                                     .columns = 1, .both = 1, .zoom = 24});
    figure_panel(f, .45, 0, 1, 1, "drawn pixel by pixel");
    figure_images(f, &(figure_sheet){.images = made, .count = SHOWN, .height = HALF,
                                     .width = HALF, .columns = 8});
    save(f, "22_pixelcnn");
    vae_destroy(pixelcnn), vae_destroy(by_latents), vae_destroy(model);
    const int one = all > .9999 && all < 1.0001;
    if (!one) puts("FAIL: the probabilities do not sum to 1");
    return at_least("nats of the exact -log p(x) below the bound of a VAE", bound - exact, 1) ||
           !one;
}
