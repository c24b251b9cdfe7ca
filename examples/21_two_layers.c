/* 21. Two stochastic layers: pixels <- z1 (20 latents) <- z2 (10 latents). The upper layer is a
 * learned prior of the lower one. It easily stays unused; a slow rise of the KL's weight keeps it
 * alive.
 *   Burda et al. 2016 (arXiv:1509.00519); Sonderby et al. 2016, "Ladder variational autoencoders".
 *
 *   cc examples/21_two_layers.c && ./a.out
 *
 * Picture: a row for each draw of z2; along a row only z1 is drawn again. Beside it the KL of each
 * latent of both layers.
 * Number: the KL of the upper layer, in nats: 0 when it is unused. A model that explains the digits
 * badly (-ELBO above 110) fails as well. */
#include <stdio.h>
#include <string.h>
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "../tools/digits.h"
#include "../tools/picture.h"
#include "../tools/figures.h"

enum { IMAGES = 10000, TEST = 2000, PIXELS = DIGITS_PIXELS, LOWER = 20, UPPER = 10, ROWS = 8 };
static uint8_t images[IMAGES * PIXELS], test_images[TEST * PIXELS];
static float z[ROWS * ROWS * UPPER], drawn[ROWS * ROWS * PIXELS];
static double kl[LOWER + UPPER], variance[LOWER + UPPER];

static int fail(const char *what) { return fprintf(stderr, "21_two_layers: %s\n", what), 1; }

int main(void) {
    const size_t dims[] = {IMAGES, 28, 28}, test_dims[] = {TEST, 28, 28};
    vae_desc desc = {0};
    vae_report report;
    vae_data data, test;
    vae_batch batch = {0};
    vae_stats s;
    vae_info info;
    vae *model;
    const char *error;
    figure *f;
    figure_sheet sheet = {0};
    int active[2] = {0};

    digits_fill(1, 0, IMAGES, images, NULL);
    digits_fill(1, DIGITS_TEST, TEST, test_images, NULL);
    desc.input = "28x28x1", desc.latent = UPPER; /* the code is the upper layer, z2 */
    desc.encoder = "dense 200 relu, z 20, dense 100 relu";
    desc.decoder = "dense 100 relu, z 20, dense 200 relu"; /* p(z1|z2) in its middle */
    desc.binarize = VAE_BINARIZE_DYNAMIC, desc.visible_bias = VAE_BIAS_MEAN;
    desc.lr = 2e-3, desc.epochs = 8, desc.warmup_steps = 500;
    if (vae_data_wrap(VAE_U8, 3, dims, images, &data, &report) ||
        vae_data_wrap(VAE_U8, 3, test_dims, test_images, &test, &report) ||
        vae_create(&desc, &model, &report))
        return fail(report.text);
    batch.rows = ROWS;
    if (vae_fit(model, &data, NULL, NULL, NULL) || vae_evaluate(model, &test, &s) ||
        vae_units(model, &test, kl, variance) || vae_prior(model, &batch, 1, z))
        return fail(vae_last_report(model)->text);
    vae_get_info(model, &info);
    for (int j = 0; j < UPPER + LOWER; j++) active[j >= UPPER] += variance[j] > 0.01;
    for (int i = ROWS * ROWS - 1; i >= 0; i--) /* each z2 for a row of images */
        memmove(z + i * UPPER, z + i / ROWS * UPPER, UPPER * sizeof *z);
    batch.x = z, batch.rows = ROWS * ROWS;
    if (vae_draw(model, &batch, 1, drawn)) return fail(vae_last_report(model)->text);

    f = figure_new(1040, 560, "Two stochastic layers",
                   "left: a row for each draw of z2; along it only z1 is drawn again");
    figure_panel(f, 0, 0, 0.48, 1, NULL);
    sheet.images = drawn, sheet.count = ROWS * ROWS, sheet.columns = ROWS;
    sheet.height = sheet.width = 28;
    figure_images(f, &sheet);
    figure_panel(f, 0.48, 0, 1, 1, "KL of each latent, nats");
    figure_axes(f, "z2 (10 latents), then z1 (20 latents)", -0.6, UPPER + LOWER - 0.4, NULL, 0,
                1.5, FIGURE_NO_X);
    figure_bars(f, kl, UPPER + LOWER, 0, 1, NULL, NULL);
    error = figure_save(f, "out/examples/21_two_layers.png");
    if (error) return fail(error);
    printf("-ELBO %.2f nats; active are %d of %d units of z2 and %d of %d of z1\n", -s.elbo,
           active[0], UPPER, active[1], LOWER);
    printf("KL of the upper layer: %.2f nats (at least 5)\n", s.layer_kl[0]);
    vae_destroy(model);
    return !(s.layer_kl[0] >= 5 && s.elbo > -110);
}
