/* 18 Priors that are learned: a mixture of normals, and VampPrior.
 *
 * Tomczak & Welling 2018, "VAE with a VampPrior" (arXiv:1705.07120); mixtures: Dilokthanakul et al.
 * 2016 (arXiv:1611.02648).
 *
 *   cc examples/18_priors.c && ./a.out [FOLDER OF MNIST]
 *
 * The prior N(0, I) asks all codes together to look like one normal. A learned prior goes to where
 * the codes are, so the codes can say more for the same KL:
 *   mixture   sum over k of w_k N(mean_k, variance_k); all of these are learned
 *   vamp      the mean of q(z|u_k) over images u_k; these pseudo-inputs are learned
 * The picture shows, for each prior, its density p(z) as a map and the codes of test images on it.
 *
 * The number: by how many nats VampPrior lowers -ELBO of test images. Pixels are binarised afresh
 * at every use, so that -ELBO bounds -log p(x), the logarithm of a probability. On MNIST the prior
 * matters less after so short a training, and the bound is lower. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "common.h"

enum { TRAIN = 10000, TEST = 2000, PRIORS = 3, DRAWS = 40000, CELLS = 40, SHOWN = 300 };
static float x[TRAIN * PIXELS], test[TEST * PIXELS], codes[TEST * 2], draws[DRAWS * 2];
static int32_t labels[TEST];

int main(int argc, char **argv) {
    const char *const priors[PRIORS] = {"normal", "mixture 30", "vamp 30"};
    const char *folder = argc > 1 ? argv[1] : NULL;
    vae_stats stats[PRIORS];
    images(folder, 0, TRAIN, x, NULL);
    images(folder, 1, TEST, test, labels);
    figure *f = figure_new(1040, 390, "Codes of test images, and their prior",
                           "Map: p(z), from 40,000 draws. Marks: means of q(z|x), by class.");
    for (int p = 0; p < PRIORS; p++) {
        vae_desc desc = {0};
        desc.input = "784", desc.latent = 2, desc.prior = priors[p];
        desc.binarize = VAE_BINARIZE_DYNAMIC, desc.visible_bias = VAE_BIAS_MEAN;
        desc.encoder = desc.decoder = "dense 128 relu, dense 64 relu";
        desc.lr = 2e-3, desc.epochs = 6;
        vae *model = create(&desc);
        vae_data data = wrap(x, TRAIN, PIXELS), held = wrap(test, TEST, PIXELS);
        ok(model, vae_fit(model, &data, NULL, NULL, NULL));
        ok(model, vae_evaluate(model, &held, &stats[p]));
        ok(model, vae_encode(model, &(vae_batch){.x = test, .rows = TEST}, codes, NULL));
        ok(model, vae_prior(model, &(vae_batch){.rows = DRAWS}, 1, draws));
        vae_destroy(model);
        printf("%-10s  -ELBO %.2f = reconstruction %.2f + KL %.2f\n", priors[p], -stats[p].elbo,
               stats[p].recon, stats[p].kl);

        float map[CELLS * CELLS] = {0}; /* how many of the draws lie in each cell */
        double range[2], most = 0;
        figure_range(codes, 2 * TEST, 1, 0.05, range);
        for (int n = 0; n < DRAWS; n++) {
            const double cell = (range[1] - range[0]) / CELLS;
            const double u = ((double)draws[2 * n] - range[0]) / cell;
            const double v = (range[1] - (double)draws[2 * n + 1]) / cell;
            if (u >= 0 && v >= 0 && u < CELLS && v < CELLS) map[(int)v * CELLS + (int)u]++;
        }
        for (int i = 0; i < CELLS * CELLS; i++) most = figure__max(most, (double)map[i]);
        const double left = p * .308, right = p < PRIORS - 1 ? left + .308 : 1;
        figure_panel(f, left, 0, right, 1, priors[p]);
        figure_axes(f, "z1", range[0], range[1], p ? NULL : "z2", range[0], range[1],
                    FIGURE_EQUAL | (p == PRIORS - 1 ? FIGURE_ROOM : 0));
        figure_heat(f, map, CELLS, CELLS, 0, most, NULL);
        figure_scatter(f, codes, SHOWN, 2, labels, 10, NULL);
    }
    figure_legend(f, FIGURE_BESIDE);
    save(f, "18_priors");
    return at_least("nats by which VampPrior lowers the -ELBO of N(0, I)",
                    stats[2].elbo - stats[0].elbo, folder ? 1 : 5);
}
