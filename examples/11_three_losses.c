/* 11 Three losses: only reconstruction, only KL, both.
 *
 * Kingma & Welling 2014, "Auto-encoding variational Bayes".
 *
 *   cc examples/11_three_losses.c && ./a.out [FOLDER OF MNIST]
 *
 * Reconstruction alone pulls codes apart: clusters with holes between them, far from 0, and a prior
 * draw lands anywhere. The KL alone makes all codes the prior: nothing is told about the image.
 * Both together: clusters that touch, in a cloud that looks like N(0, I).
 *
 * The number: the KL to N(0, I) of a normal fitted to codes z ~ q(z|x) of the third model, latents
 * summed. The second model would pass that, so codes must also keep the classes: the nearest code
 * must be of the same class more often than 0.5. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "common.h"

enum { TRAIN = 4000, TEST = 800, EPOCHS = 12 };
static float x[TRAIN * PIXELS], test[TEST * PIXELS], z[3][TEST * 2];
static int32_t labels[TEST];

int main(int argc, char **argv) {
    const char *const titles[] = {"only reconstruction", "only KL", "both"};
    const char *folder = argc > 1 ? argv[1] : NULL;
    double off[3], same[3];
    images(folder, 0, TRAIN, x, NULL);
    images(folder, 1, TEST, test, labels);
    figure *f = figure_new(1200, 470, "What each part of the loss does to the codes",
                           "Codes z ~ q(z|x) of 800 test images; the axes differ in scale.");
    for (int m = 0; m < 3; m++) {
        vae_desc desc = {0};
        desc.input = "784", desc.latent = 2;
        desc.encoder = "dense 200 relu, dense 64 relu";
        desc.decoder = "dense 64 relu, dense 200 relu";
        desc.no_kl = m == 0, desc.no_recon = m == 1;
        desc.batch = 50, desc.epochs = EPOCHS, desc.lr = 2e-3, desc.visible_bias = VAE_BIAS_MEAN;
        vae *model = create(&desc);
        vae_data data = wrap(x, TRAIN, PIXELS);
        vae_batch batch = {.x = test, .rows = TEST};
        ok(model, vae_fit(model, &data, NULL, NULL, NULL));
        ok(model, vae_posterior(model, &batch, z[m]));
        vae_destroy(model);

        off[m] = 0; /* the KL of N(mean, v) to N(0, 1) is (mean^2 + v - 1 - log v) / 2 */
        for (int k = 0; k < 2; k++) {
            double mean = 0, variance = 0;
            for (int i = 0; i < TEST; i++) mean += (double)z[m][2 * i + k] / TEST;
            for (int i = 0; i < TEST; i++) {
                double d = (double)z[m][2 * i + k] - mean;
                variance += d * d / TEST;
            }
            off[m] += (mean * mean + variance - 1 - natural_log(variance)) / 2;
        }
        same[m] = same_class(z[m], TEST, labels);
        printf("%-20s KL of all codes to N(0, I) %.3f, nearest of the same class %.3f\n", titles[m],
               off[m], same[m]);

        double a[2], b[2], left = m * .31, right = m < 2 ? left + .31 : 1;
        figure_range(z[m], TEST, 2, .04, a), figure_range(z[m] + 1, TEST, 2, .04, b);
        figure_panel(f, left, 0, right, 1, titles[m]);
        figure_axes(f, "z1", a[0], a[1], "z2", b[0], b[1], m == 2 ? FIGURE_ROOM : 0);
        figure_scatter(f, z[m], TEST, 2, labels, 10, NULL);
    }
    figure_legend(f, FIGURE_BESIDE);
    save(f, "11_three_losses");
    if (!(same[2] > .5)) puts("FAIL: the codes say nothing about the class");
    return at_most("KL of all codes to N(0, I), both losses", off[2], .3) || !(same[2] > .5);
}
