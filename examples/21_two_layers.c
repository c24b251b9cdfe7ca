/* 21 Two stochastic layers: the upper one is a learned prior of the lower one.
 *
 * Burda, Grosse & Salakhutdinov 2016, "Importance weighted autoencoders" (arXiv:1509.00519);
 * Sonderby et al. 2016, "Ladder variational autoencoders".
 *
 *   cc examples/21_two_layers.c && ./a.out [FOLDER OF MNIST]
 *
 * To draw an image, z2 (10 latents) is drawn from N(0, I), then z1 (20 latents) from p(z1|z2), then
 * the pixels from p(x|z1). The upper layer easily stays unused: p(z1|z2) can ignore z2, and then
 * its KL costs nothing. A weight of the KL that rises slowly from 0 gives z2 the time to become
 * useful. In the picture each row has one z2; along the row only z1 is drawn again.
 *
 * The number: the KL of the upper layer, in nats; 0 when it is unused. -ELBO must be below 120 as
 * well, or the model has not learned the images. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "common.h"

enum { TRAIN = 10000, TEST = 2000, LOWER = 20, UPPER = 10, ALL = UPPER + LOWER, ROWS = 8 };
static float x[TRAIN * PIXELS], test[TEST * PIXELS];
static float z2[ROWS * UPPER], z[ROWS * ROWS * UPPER], made[ROWS * ROWS * PIXELS];

int main(int argc, char **argv) {
    const char *folder = argc > 1 ? argv[1] : NULL;
    images(folder, 0, TRAIN, x, NULL);
    images(folder, 1, TEST, test, NULL);

    vae_desc desc = {0};
    desc.input = "784", desc.latent = UPPER; /* the code is the upper layer, z2 */
    desc.encoder = "dense 200 relu, z 20, dense 100 relu";
    desc.decoder = "dense 100 relu, z 20, dense 200 relu"; /* p(z1|z2) in its middle */
    desc.binarize = VAE_BINARIZE_DYNAMIC, desc.visible_bias = VAE_BIAS_MEAN;
    desc.lr = 2e-3, desc.epochs = 8, desc.warmup_steps = 500;
    vae *model = create(&desc);
    vae_data data = wrap(x, TRAIN, PIXELS), held = wrap(test, TEST, PIXELS);
    ok(model, vae_fit(model, &data, NULL, NULL, NULL));

    vae_stats stats;
    double kl[ALL], variance[ALL]; /* of z2, then of z1 */
    int active[2] = {0};
    ok(model, vae_evaluate(model, &held, &stats));
    ok(model, vae_units(model, &held, kl, variance));
    for (int j = 0; j < ALL; j++) active[j >= UPPER] += variance[j] > 0.01;
    printf("-ELBO %.2f nats; active are %d of %d units of z2 and %d of %d of z1\n", -stats.elbo,
           active[0], UPPER, active[1], LOWER);

    ok(model, vae_prior(model, &(vae_batch){.rows = ROWS}, 1, z2));
    for (int i = 0; i < ROWS * ROWS; i++)
        memcpy(z + i * UPPER, z2 + i / ROWS * UPPER, UPPER * sizeof *z);
    ok(model, vae_draw(model, &(vae_batch){.x = z, .rows = ROWS * ROWS}, 1, made));

    double most = 0;
    for (int j = 0; j < ALL; j++) most = figure__max(most, kl[j]);
    figure *f = figure_new(1040, 560, "Two stochastic layers",
                           "Left: a row for each draw of z2; along it only z1 is drawn again.");
    figure_panel(f, 0, 0, .48, 1, NULL);
    figure_images(f, &(figure_sheet){.images = made, .count = ROWS * ROWS, .height = SIDE,
                                     .width = SIDE, .columns = ROWS});
    figure_panel(f, .48, 0, 1, 1, "KL of each latent");
    figure_axes(f, "latent", -.6, ALL - .4, "nats", 0, most * 1.25, FIGURE_NO_X);
    double lower[ALL] = {0}, upper[ALL] = {0};
    memcpy(upper, kl, UPPER * sizeof *kl), memcpy(lower + UPPER, kl + UPPER, LOWER * sizeof *kl);
    figure_bars(f, upper, ALL, 0, 1, NULL, "z2");
    figure_bars(f, lower, ALL, 0, 1, NULL, "z1");
    figure_legend(f, FIGURE_TOP_LEFT);
    save(f, "21_two_layers");
    vae_destroy(model);
    if (!(stats.elbo > -120)) puts("FAIL: it explains the images badly");
    return at_least("KL of the upper layer, nats", stats.layer_kl[0], 5) || !(stats.elbo > -120);
}
