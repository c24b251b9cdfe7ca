/* 12 The weight of the KL: a rate-distortion curve.
 *
 * Higgins et al. 2017, "beta-VAE"; Alemi et al. 2018, "Fixing a broken ELBO".
 *
 *   cc examples/12_rate_distortion.c && ./a.out [FOLDER OF MNIST]
 *
 * The loss is D + beta R: distortion D, what a reconstruction costs, and rate R, the KL, what the
 * code tells. A large beta makes codes dear: few nats, blurred images. Each beta ends at the point
 * of the curve D(R) where the slope is -beta: there one more nat of code saves beta nats of
 * reconstruction. So the line between the points of two betas must have a slope between them.
 *
 * The number: the worst of those slopes, as a factor by which it lies outside its two betas, 1 when
 * all lie within. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "common.h"

enum { TRAIN = 2000, K = 8, EPOCHS = 20, BETAS = 6, SHOWN = 7 };
static float x[TRAIN * PIXELS], shown[(BETAS + 1) * SHOWN * PIXELS];

int main(int argc, char **argv) {
    const double betas[BETAS] = {.25, .5, 1, 2, 4, 8};
    const char *const rows[] = {"image", FIGURE_BETA " .25", FIGURE_BETA " .5", FIGURE_BETA " 1",
                                FIGURE_BETA " 2", FIGURE_BETA " 4", FIGURE_BETA " 8"};
    double rate[BETAS], distortion[BETAS], worst = 1;
    images(argc > 1 ? argv[1] : NULL, 0, TRAIN, x, NULL);
    memcpy(shown, x, SHOWN * PIXELS * sizeof *x);
    for (int b = 0; b < BETAS; b++) {
        vae_desc desc = {0};
        vae_stats stats;
        desc.input = "784", desc.latent = K, desc.beta = betas[b];
        desc.encoder = "dense 200 relu", desc.decoder = "dense 200 relu";
        desc.batch = 50, desc.epochs = EPOCHS, desc.lr = 3e-3, desc.visible_bias = VAE_BIAS_MEAN;
        desc.schedule = VAE_SCHEDULE_COSINE, desc.lr_steps = EPOCHS * TRAIN / 50;
        vae *model = create(&desc);
        vae_data data = wrap(x, TRAIN, PIXELS);
        vae_batch batch = {.x = x, .rows = SHOWN};
        ok(model, vae_fit(model, &data, NULL, NULL, NULL));
        ok(model, vae_evaluate(model, &data, &stats)); /* on what was minimised: training images */
        ok(model, vae_reconstruct(model, &batch, shown + (b + 1) * SHOWN * PIXELS));
        rate[b] = stats.kl, distortion[b] = stats.recon;
        printf("beta %4.2f: rate %6.2f, distortion %6.2f", betas[b], rate[b], distortion[b]);
        if (b > 0) {
            double slope = (distortion[b] - distortion[b - 1]) / (rate[b - 1] - rate[b]);
            double below = betas[b - 1] / slope, above = slope / betas[b];
            if (!(slope > 0)) below = 1e9;
            worst = figure__max(worst, figure__max(below, above));
            printf("   slope since the last %.3f", slope);
        }
        puts("");
        vae_destroy(model);
    }

    figure *f = figure_new(1060, 530, "What the weight of the KL trades: rate against distortion",
                           "2000 training images; 8 latents. The slope at each point is -"
                           FIGURE_BETA ".");
    figure_panel(f, 0, 0, .52, 1, "rate and distortion");
    figure_axes(f, "rate: KL, nats", 0, rate[0] * 1.25, "distortion: -log p(x|z), nats",
                distortion[0] * .9, distortion[BETAS - 1] * 1.05, 0);
    figure_curve(f, rate, distortion, BETAS, NULL);
    for (int b = 0; b < BETAS; b++) {
        char text[40];
        snprintf(text, sizeof text, FIGURE_BETA " = %g", betas[b]);
        figure_text(f, figure__x(f, rate[b]) + 8, figure__y(f, distortion[b]) - 6, 1, 0, text);
    }
    figure_panel(f, .52, 0, 1, 1, "reconstructions");
    figure_images(f, &(figure_sheet){.images = shown, .count = (BETAS + 1) * SHOWN, .height = SIDE,
                                     .width = SIDE, .columns = SHOWN, .beside = rows});
    save(f, "12_rate_distortion");
    return at_most("factor by which the worst slope lies outside its betas", worst, 1.1);
}
