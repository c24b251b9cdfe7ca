/* 28 Anomalies: what a VAE explains badly is strange to it.
 *
 * An & Cho 2015, "Variational autoencoder based anomaly detection using reconstruction
 * probability".
 *
 *   cc examples/28_anomalies.c && ./a.out [FOLDER OF MNIST]
 *
 * A VAE is trained on nine of the ten digits, and never sees a 0. -ELBO bounds -log p(x) from
 * above: it is small for what the model knows, and serves as a score of strangeness for any image.
 * No label and no 0 is needed to compute it. examples/anomaly.c does the same for any digit.
 *
 * The number: the AUC, the chance that a 0 scores higher than a known digit; .5 is guessing. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "common.h"

enum { TRAIN = 12000, TEST = 2000, UNKNOWN = 0, BINS = 25, SHOWN = 10 };
static float x[TRAIN * PIXELS], test[TEST * PIXELS], elbo[TEST], shown[2 * SHOWN * PIXELS];
static int32_t labels[TRAIN], truth[TEST];

static int by_strangeness(const void *a, const void *b) {
    const float p = elbo[*(const int *)a], q = elbo[*(const int *)b];
    return p < q ? -1 : p > q;
}

int main(int argc, char **argv) {
    const char *folder = argc > 1 ? argv[1] : NULL;
    size_t kept = 0;
    images(folder, 0, TRAIN, x, labels);
    images(folder, 1, TEST, test, truth);
    for (int n = 0; n < TRAIN; n++)
        if (labels[n] != UNKNOWN)
            memmove(x + kept++ * PIXELS, x + n * PIXELS, PIXELS * sizeof *x);

    vae_desc desc = {0};
    desc.input = "784", desc.latent = 10, desc.encoder = desc.decoder = "dense 200 relu";
    desc.lr = 2e-3, desc.epochs = 8;
    vae *model = create(&desc);
    vae_data data = wrap(x, kept, PIXELS);
    ok(model, vae_fit(model, &data, NULL, NULL, NULL));
    ok(model, vae_score(model, &(vae_batch){.x = test, .rows = TEST}, elbo, NULL, NULL));
    vae_destroy(model);

    double wins = 0, pairs = 0; /* all pairs of a 0 and a known digit; a tie is half */
    for (int a = 0; a < TEST; a++)
        for (int b = 0; b < TEST && truth[a] == UNKNOWN; b++) {
            if (truth[b] == UNKNOWN) continue;
            wins += elbo[a] < elbo[b] ? 1 : elbo[a] == elbo[b] ? .5 : 0;
            pairs++;
        }

    static int order[TEST];
    for (int n = 0; n < TEST; n++) order[n] = n;
    qsort(order, TEST, sizeof *order, by_strangeness);
    for (int i = 0; i < SHOWN; i++) {
        memcpy(shown + i * PIXELS, test + order[i] * PIXELS, PIXELS * sizeof *x);
        memcpy(shown + (SHOWN + i) * PIXELS, test + order[TEST - 1 - i] * PIXELS,
               PIXELS * sizeof *x);
    }
    double share[2][BINS] = {{0}}, total[2] = {0}, middle[BINS]; /* the unknown one, the others */
    for (int n = 0; n < TEST; n++) total[truth[n] != UNKNOWN]++;
    for (int n = 0; n < TEST; n++) {
        const double at = (-(double)elbo[n] - 40) / 8;
        const int bin = at < 0 ? 0 : at >= BINS ? BINS - 1 : (int)at, known = truth[n] != UNKNOWN;
        share[known][bin] += 1 / total[known];
    }
    for (int b = 0; b < BINS; b++) middle[b] = 40 + (b + .5) * 8;
    const char *const names[2] = {"strangest", "most ordinary"};
    figure *f = figure_new(900, 520, "Zeros, for a VAE that was trained on 1 to 9",
                           "The last point of a curve counts all that lies further right, too.");
    figure_panel(f, 0, 0, 1, .66, NULL);
    figure_axes(f, "-ELBO, nats", 40, 240, "share of the images", 0, .25, 0);
    figure_curve(f, middle, share[1], BINS, "1 to 9");
    figure_curve(f, middle, share[0], BINS, "0");
    figure_legend(f, FIGURE_TOP_RIGHT);
    figure_panel(f, 0, .67, 1, 1, NULL);
    figure_images(f, &(figure_sheet){.images = shown, .count = 2 * SHOWN, .height = SIDE,
                                     .width = SIDE, .columns = SHOWN, .beside = names});
    save(f, "28_anomalies");
    return at_least("AUC of zeros among the other digits", wins / pairs, .85);
}
