/* 18. Priors that are learned. N(0, I) asks all codes together to look like one normal. A mixture
 * of normals, or VampPrior (a mixture of the posteriors of learned images), goes to where the codes
 * are: the same nets then explain more for the same KL.
 *   Tomczak & Welling 2018, "VAE with a VampPrior" (arXiv:1705.07120); Dilokthanakul et al. 2016
 *   (arXiv:1611.02648) for mixtures.
 *
 *   cc examples/18_priors.c && ./a.out
 *
 * Picture: for each of three priors, codes of test digits (marks by class) on the density of the
 * prior, p(z), in two latents.
 * Number: nats of -ELBO on test digits that VampPrior saves. Pixels are binarised afresh at every
 * use, so -ELBO bounds a likelihood. */
#include <stdio.h>
#include <string.h>
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "../tools/digits.h"
#include "../tools/picture.h"
#include "../tools/figures.h"

enum { IMAGES = 10000, TEST = 2000, PIXELS = DIGITS_PIXELS, DRAWS = 40000, GRID = 40, SHOWN = 300 };
static const char *const priors[3] = {"normal", "mixture 30", "vamp 30"};
static uint8_t images[IMAGES * PIXELS], test_images[TEST * PIXELS], classes[TEST];
static int32_t labels[SHOWN];
static float x[TEST * PIXELS], codes[TEST * 2], draws[DRAWS * 2];
static float map[GRID * GRID];

static int fail(const char *what) { return fprintf(stderr, "18_priors: %s\n", what), 1; }

int main(void) {
    const size_t dims[] = {IMAGES, 28, 28}, test_dims[] = {TEST, 28, 28};
    vae_report report;
    vae_data data, test;
    vae_stats stats[3];
    const char *error;
    figure *f = figure_new(960, 390, "Codes of test digits, and their prior",
                           "map: p(z), from 40,000 draws; marks: means of q(z|x), by class");

    digits_fill(1, 0, IMAGES, images, NULL);
    digits_fill(1, DIGITS_TEST, TEST, test_images, classes);
    for (int n = 0; n < SHOWN; n++) labels[n] = classes[n];
    if (vae_data_wrap(VAE_U8, 3, dims, images, &data, &report) ||
        vae_data_wrap(VAE_U8, 3, test_dims, test_images, &test, &report) ||
        vae_data_read(&test, 0, TEST, x))
        return fail("the digits cannot be used");
    for (int p = 0; p < 3; p++) {
        vae_desc desc = {0};
        vae_batch batch = {0}, all = {0};
        double range[2], most = 0;
        vae *model;
        desc.input = "28x28x1", desc.latent = 2, desc.binarize = VAE_BINARIZE_DYNAMIC;
        desc.encoder = desc.decoder = "dense 128 relu, dense 64 relu";
        desc.visible_bias = VAE_BIAS_MEAN, desc.lr = 2e-3, desc.epochs = 6;
        desc.prior = priors[p];
        if (vae_create(&desc, &model, &report)) return fail(report.text);
        batch.x = x, batch.rows = TEST;
        all.rows = DRAWS;
        if (vae_fit(model, &data, NULL, NULL, NULL) || vae_evaluate(model, &test, &stats[p]) ||
            vae_encode(model, &batch, codes, NULL) || vae_prior(model, &all, 1, draws))
            return fail(vae_last_report(model)->text);
        printf("%-10s  -ELBO %.2f = reconstruction %.2f + KL %.2f\n", priors[p], -stats[p].elbo,
               stats[p].recon, stats[p].kl);
        figure_range(codes, 2 * TEST, 1, 0.05, range);
        memset(map, 0, sizeof map);
        for (int n = 0; n < DRAWS; n++) { /* how many of the draws lie in each cell */
            const double cell = (range[1] - range[0]) / GRID;
            const double u = (draws[2 * n] - range[0]) / cell;
            const double v = (range[1] - draws[2 * n + 1]) / cell;
            if (u >= 0 && v >= 0 && u < GRID && v < GRID) map[(int)v * GRID + (int)u]++;
        }
        for (int i = 0; i < GRID * GRID; i++) most = map[i] > most ? map[i] : most;
        figure_panel(f, p / 3.0, 0, (p + 1) / 3.0, 1, priors[p]);
        figure_axes(f, "z1", range[0], range[1], p ? NULL : "z2", range[0], range[1],
                    FIGURE_EQUAL);
        figure_heat(f, map, GRID, GRID, 0, most, NULL);
        figure_scatter(f, codes, SHOWN, 2, labels, 10, NULL);
        vae_destroy(model);
    }
    error = figure_save(f, "out/examples/18_priors.png");
    if (error) return fail(error);
    printf("VampPrior saves %.2f nats of N(0, I)'s -ELBO (at least 5)\n",
           stats[2].elbo - stats[0].elbo);
    return !(stats[2].elbo - stats[0].elbo >= 5);
}
