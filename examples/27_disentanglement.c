/* 27. Disentanglement. A KL that weighs more (beta > 1) makes latents cost: each of the factors of
 * the images then tends to have one latent of its own, at the price of sharpness.
 *   Higgins et al. 2017, "beta-VAE: learning basic visual concepts with a constrained variational
 *   framework"; the mutual information gap (MIG): Chen et al. 2018, "Isolating sources of
 *   disentanglement in VAEs" (arXiv:1802.04942). Seeds decide much: Locatello et al. 2019
 *   (arXiv:1811.12359).
 *
 *   cc examples/27_disentanglement.c && ./a.out         three seeds; ./a.out 10 takes ten
 *
 * Picture: MIG of every seed by beta; for the least and the largest beta each latent of seed 1,
 * moved from -2 to 2.
 * Number: the mean MIG over seeds of the largest beta minus that of beta 1. The images are the
 * ellipses of one angle: size, x and y, each of which one latent can follow. Both have the variance
 * 0.01: with beta the sum of squares weighs 50 / beta. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "../tools/shapes.h"
#include "../tools/picture.h"
#include "../tools/figures.h"
#include "../tools/statistics.h"

enum { IMAGES = 6 * 16 * 16, SIDE = 16, PIXELS = SIDE * SIDE, LATENT = 6, FACTORS = 3 };
enum { BETAS = 3, SEEDS = 10, STEPS = 7, SHEET = LATENT * STEPS };
static const int asked[FACTORS] = {SHAPES_SIZE, SHAPES_X, SHAPES_Y};
static const double betas[BETAS] = {1, 8, 60};
static uint8_t large[SHAPES_BYTES], bins[IMAGES * LATENT], truth[IMAGES * FACTORS];
static float x[IMAGES * PIXELS], mu[IMAGES * LATENT], codes[SHEET * LATENT];
static float moved[BETAS][SHEET * PIXELS];

static int fail(const char *what) { return fprintf(stderr, "27_disentanglement: %s\n", what), 1; }

/* All ellipses of angle 0, grey, of half the size: a pixel is the mean of four, each the largest of
 * its three colours. */
static void draw_shapes(void) {
    for (int n = 0; n < IMAGES; n++) {
        uint8_t factors[SHAPES_FACTORS] = {1};
        factors[SHAPES_SIZE] = (uint8_t)(n / 256), factors[SHAPES_X] = (uint8_t)(n / 16 % 16);
        factors[SHAPES_Y] = (uint8_t)(n % 16);
        shapes_draw(factors, large);
        for (int k = 0; k < FACTORS; k++) truth[n * FACTORS + k] = factors[asked[k]];
        for (int i = 0; i < PIXELS; i++)
            for (int k = 0; k < 4; k++) {
                const uint8_t *p = large + (i / SIDE * 2 + k / 2) * 96 + (i % SIDE * 2 + k % 2) * 3;
                const int most = p[0] > p[1] ? p[0] : p[1];
                x[n * PIXELS + i] += (float)(most > p[2] ? most : p[2]) / 1020;
            }
    }
}

/* The MIG of a VAE trained with this beta and seed; -1: it failed. `sheet`, unless NULL, gets one
 * row of images for each latent, the others 0. */
static double gap_of(double beta, int seed, float *sheet) {
    const size_t dims[] = {IMAGES, PIXELS};
    int values[FACTORS];
    double gap = -1, error2;
    vae_desc desc = {0};
    vae_report report;
    vae_data data;
    vae_batch batch = {0};
    vae *model;
    desc.input = "16x16x1", desc.encoder = desc.decoder = "dense 100 relu", desc.latent = LATENT;
    desc.likelihood = "gaussian 0.01", desc.beta = beta, desc.seed = (uint64_t)seed;
    desc.lr = 3e-3, desc.epochs = 60, desc.batch = 64;
    if (vae_data_wrap(VAE_F32, 2, dims, x, &data, &report) || vae_create(&desc, &model, &report))
        return fail(report.text), -1;
    batch.x = x, batch.rows = IMAGES;
    if (vae_fit(model, &data, NULL, NULL, NULL) || vae_encode(model, &batch, mu, NULL))
        return fail(vae_last_report(model)->text), -1;
    for (int j = 0; j < LATENT; j++) {
        float low = mu[j], high = mu[j];
        for (int n = 0; n < IMAGES; n++) {
            const float v = mu[n * LATENT + j];
            low = v < low ? v : low, high = v > high ? v : high;
        }
        for (int n = 0; n < IMAGES; n++)
            bins[n * LATENT + j] = stats_bin(mu[n * LATENT + j], low, high);
    }
    for (int k = 0; k < FACTORS; k++) values[k] = (int)shapes_values(asked[k]);
    stats_mig(IMAGES, LATENT, bins, FACTORS, truth, values, &gap, &error2);
    for (int i = 0; i < SHEET; i++) codes[i * LATENT + i / STEPS] = (float)(i % STEPS - 3) * 2 / 3;
    batch.x = codes, batch.rows = SHEET;
    if (sheet && vae_decode(model, &batch, sheet)) return -1;
    vae_destroy(model);
    return gap;
}

int main(int argc, char **argv) {
    const int seeds = argc > 1 && atoi(argv[1]) > 0 && atoi(argv[1]) <= SEEDS ? atoi(argv[1]) : 3;
    double mean[BETAS] = {0}, gaps[SEEDS], number[SEEDS];
    static const char *const names[] = {FIGURE_BETA " 1", FIGURE_BETA " 8", FIGURE_BETA " 60"};
    const char *error;
    figure *f = figure_new(1000, 400, "Mutual information gap and what the latents do", NULL);
    figure_sheet sheet = {0};

    draw_shapes();
    figure_panel(f, 0, 0, 0.36, 1, NULL);
    figure_axes(f, "seed", 0.5, seeds + 0.5, "MIG", 0, 0.4, 0);
    for (int b = 0; b < BETAS; b++) {
        printf("beta %2.0f: MIG", betas[b]);
        for (int s = 0; s < seeds; s++) {
            if ((gaps[s] = gap_of(betas[b], s + 1, s ? NULL : moved[b])) < 0) return 1;
            mean[b] += gaps[s] / seeds, number[s] = s + 1;
            printf(" %.3f", gaps[s]);
        }
        printf(", mean %.3f\n", mean[b]);
        figure_curve(f, number, gaps, seeds, names[b]);
    }
    figure_legend(f, FIGURE_TOP_LEFT);
    for (int k = 0; k < 2; k++) {
        figure_panel(f, 0.38 + 0.31 * k, 0, 0.69 + 0.31 * k, 1,
                     k ? FIGURE_BETA " 60: the same" : FIGURE_BETA " 1: each latent from -2 to 2");
        sheet.images = moved[k ? BETAS - 1 : 0], sheet.count = SHEET, sheet.columns = STEPS;
        sheet.height = sheet.width = SIDE;
        figure_images(f, &sheet);
    }
    error = figure_save(f, "out/examples/27_disentanglement.png");
    if (error) return fail(error);
    printf("mean MIG of beta 60 minus that of beta 1: %.3f (at least 0.06)\n",
           mean[BETAS - 1] - mean[0]);
    return !(mean[BETAS - 1] - mean[0] >= 0.06);
}
