/* 27 Disentanglement: each factor of the images in a latent of its own.
 *
 * Higgins et al. 2017, "beta-VAE: learning basic visual concepts with a constrained variational
 * framework"; the mutual information gap (MIG): Chen et al. 2018, "Isolating sources of
 * disentanglement in VAEs" (arXiv:1802.04942). Seeds decide much: Locatello et al. 2019
 * (arXiv:1811.12359).
 *
 *   cc examples/27_disentanglement.c && ./a.out [SEEDS]      1 to 10, or else three
 *
 * A KL that weighs more (beta > 1) makes latents cost. Then each of the factors of the images tends
 * to get one latent of its own, at the price of sharpness. The images are all ellipses of one
 * angle: their factors are size, x and y. p(x|z) has the variance 0.01, so the loss is
 * 50 |x - m|^2 + beta KL.
 *
 * The number: the mean MIG over seeds of the largest beta minus that of beta 1. MIG is 1 when one
 * latent tells all about a factor and no other latent anything. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "common.h"
#include "../tools/shapes.h"
#include "../tools/statistics.h"

enum { IMAGES = 6 * 16 * 16, GREY = 16 * 16, K = 6, FACTORS = 3, BETAS = 3, MOST = 10 };
enum { STEPS = 7, SHEET = K * STEPS };
static const int asked[FACTORS] = {SHAPES_SIZE, SHAPES_X, SHAPES_Y};
static uint8_t bins[IMAGES * K], truth[IMAGES * FACTORS];
static float x[IMAGES * GREY], mu[IMAGES * K], made[BETAS][SHEET * GREY];

/* All ellipses of angle 0, of each size and place once. */
static void draw_shapes(void) {
    for (int n = 0; n < IMAGES; n++) {
        uint8_t rgb[SHAPES_BYTES], factors[SHAPES_FACTORS] = {1};
        factors[SHAPES_SIZE] = (uint8_t)(n / 256);
        factors[SHAPES_X] = (uint8_t)(n / 16 % 16), factors[SHAPES_Y] = (uint8_t)(n % 16);
        for (int k = 0; k < FACTORS; k++) truth[n * FACTORS + k] = factors[asked[k]];
        shapes_draw(factors, rgb);
        half_grey(rgb, x + n * GREY);
    }
}

/* The MIG of the codes mu, each latent cut into bins of equal width. */
static double gap(void) {
    double mig = 0, error2;
    int values[FACTORS];
    for (int j = 0; j < K; j++) {
        double range[2];
        figure_range(mu + j, IMAGES, K, 0, range);
        for (int n = 0; n < IMAGES; n++)
            bins[n * K + j] = stats_bin((double)mu[n * K + j], range[0], range[1]);
    }
    for (int k = 0; k < FACTORS; k++) values[k] = (int)shapes_values(asked[k]);
    stats_mig(IMAGES, K, bins, FACTORS, truth, values, &mig, &error2);
    return mig;
}

int main(int argc, char **argv) {
    const char *const names[BETAS] = {FIGURE_BETA " 1", FIGURE_BETA " 8", FIGURE_BETA " 60"};
    const double betas[BETAS] = {1, 8, 60};
    const int wanted = argc > 1 ? atoi(argv[1]) : 3;
    const int seeds = wanted >= 1 && wanted <= MOST ? wanted : 3;
    float moved[SHEET * K] = {0}; /* row j of the sheet: latent j from -2 to 2, the others 0 */
    double mean[BETAS] = {0}, mig[MOST], number[MOST];
    draw_shapes();
    for (int i = 0; i < SHEET; i++) moved[i * K + i / STEPS] = (float)(i % STEPS - 3) * 2 / 3;

    figure *f = figure_new(1000, 400, "Mutual information gap, and what the latents do", NULL);
    figure_panel(f, 0, 0, .36, 1, NULL);
    figure_axes(f, "seed", .5, seeds + .5, "MIG", 0, .3, 0);
    for (int b = 0; b < BETAS; b++) {
        printf("beta %2.0f: MIG", betas[b]);
        for (int s = 0; s < seeds; s++) {
            vae_desc desc = {0};
            desc.input = "256", desc.latent = K, desc.encoder = desc.decoder = "dense 100 relu";
            desc.likelihood = "gaussian 0.01", desc.beta = betas[b], desc.seed = (uint64_t)s + 1;
            desc.lr = 3e-3, desc.epochs = 60, desc.batch = 64;
            vae *model = create(&desc);
            vae_data data = wrap(x, IMAGES, GREY);
            ok(model, vae_fit(model, &data, NULL, NULL, NULL));
            ok(model, vae_encode(model, &(vae_batch){.x = x, .rows = IMAGES}, mu, NULL));
            vae_batch sheet = {.x = moved, .rows = SHEET};
            if (s == 0) ok(model, vae_decode(model, &sheet, made[b]));
            vae_destroy(model);
            mig[s] = gap(), mean[b] += mig[s] / seeds, number[s] = s + 1;
            printf(" %.3f", mig[s]);
        }
        printf(", mean %.3f\n", mean[b]);
        figure_curve(f, number, mig, seeds, names[b]);
    }
    figure_legend(f, FIGURE_TOP_LEFT);
    const char *const rows[K] = {"z1", "z2", "z3", "z4", "z5", "z6"};
    for (int k = 0; k < 2; k++) {
        figure_panel(f, .38 + .31 * k, 0, .69 + .31 * k, 1,
                     k ? FIGURE_BETA " 60: the same" : FIGURE_BETA " 1: each latent from -2 to 2");
        figure_images(f, &(figure_sheet){.images = made[k ? BETAS - 1 : 0], .count = SHEET,
                                         .height = 16, .width = 16, .columns = STEPS,
                                         .beside = rows});
    }
    save(f, "27_disentanglement");
    return at_least("mean MIG of beta 60 minus that of beta 1", mean[BETAS - 1] - mean[0], .06);
}
