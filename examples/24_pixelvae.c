/* 24 PixelVAE: a VAE whose decoder is a PixelCNN.
 *
 * Gulrajani et al. 2017, "PixelVAE: a latent variable model for natural images" (arXiv:1611.05013);
 * why a code dies beside such a decoder: Chen et al. 2017 (arXiv:1611.02731).
 *
 *   cc examples/24_pixelvae.c && ./a.out [FOLDER OF MNIST]
 *
 * The decoder draws each pixel given the code and the pixels before it. So the code can leave the
 * details to the pixels, and keep what the whole image shares. A decoder whose pixels see far
 * would need no code at all: the KL falls to 0. Here a pixel sees two pixels far.
 *
 * The number: by how many nats the bound of -log p(x) of test images lies below the better of its
 * two parts alone. These are the same PixelCNN without a code, whose -log p(x) is exact, and the
 * same VAE with pixels that do not see each other. The KL must be 4 nats at least, or the code is
 * not in use. The images have 14 x 14 pixels of 0 or 1. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "common.h"

enum { TRAIN = 4000, TEST = 500, K = 8, WAYS = 3, DRAWS = 50 };
enum { ROWS = 6, COLUMNS = 12, SHOWN = ROWS * COLUMNS };
static float x[TRAIN * HALF_PIXELS], test[TEST * HALF_PIXELS], made[SHOWN * HALF_PIXELS];
static float bound[TEST], kl[TEST], row_codes[ROWS * K], z[SHOWN * K];

int main(int argc, char **argv) {
    const char *const names[WAYS] = {"PixelCNN", "VAE", "PixelVAE"};
    const char *const decoders[WAYS] = {
        "image, maskconv 16 5x5 a relu, maskconv 16 1x1 b relu",
        "dense 200 relu",
        ("dense 200 relu, dense 784, reshape 14x14x4, image, maskconv 16 5x5 a relu, "
         "maskconv 16 1x1 b relu")};
    const char *folder = argc > 1 ? argv[1] : NULL;
    double nats[WAYS], used[WAYS];
    half_images(folder, 0, TRAIN, x);
    half_images(folder, 1, TEST, test);
    for (int w = 0; w < WAYS; w++) {
        vae_desc desc = {0};
        desc.input = "14x14x1", desc.decoder = decoders[w];
        if (w == 0) desc.posterior = "none", desc.encoder = "";
        else desc.encoder = "dense 200 relu", desc.latent = K;
        desc.visible_bias = VAE_BIAS_MEAN, desc.lr = 4e-3, desc.epochs = 8, desc.batch = 50;
        vae *model = create(&desc);
        vae_data data = wrap(x, TRAIN, HALF_PIXELS);
        vae_batch batch = {.x = test, .rows = TEST};
        ok(model, vae_fit(model, &data, NULL, NULL, NULL));
        ok(model, vae_bound(model, &batch, w ? DRAWS : 1, bound));
        ok(model, vae_score(model, &batch, NULL, NULL, kl));
        nats[w] = -mean_of(bound, TEST), used[w] = mean_of(kl, TEST);
        printf("%-8s  -log p(x) %s %.2f, KL %.2f\n", names[w], w ? "at most" : "exactly", nats[w],
               used[w]);
        if (w == 2) { /* draws with one code for each row */
            ok(model, vae_prior(model, &(vae_batch){.rows = ROWS}, 3, row_codes));
            for (int i = 0; i < SHOWN; i++)
                memcpy(z + i * K, row_codes + i / COLUMNS * K, K * sizeof *z);
            ok(model, vae_draw(model, &(vae_batch){.x = z, .rows = SHOWN}, 1, made));
        }
        vae_destroy(model);
    }
    figure *f = figure_new(760, 470, "PixelVAE: each row is drawn from one code",
                           "Along a row only the draws of the pixels differ.");
    figure_panel(f, 0, 0, 1, 1, NULL);
    figure_images(f, &(figure_sheet){.images = made, .count = SHOWN, .height = HALF,
                                     .width = HALF, .columns = COLUMNS});
    save(f, "24_pixelvae");
    if (!(used[2] >= 4)) puts("FAIL: the code is not in use");
    return at_least("nats of the bound below the better of its two parts",
                    figure__min(nats[0], nats[1]) - nats[2], 2) || !(used[2] >= 4);
}
