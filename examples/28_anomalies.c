/* 28. Anomalies. A VAE that has seen nine of the ten digits explains the tenth badly: -ELBO, a
 * bound of -log p(x), is a score of strangeness.
 *   An & Cho 2015, "Variational autoencoder based anomaly detection using reconstruction
 *   probability". examples/anomaly.c is the same for any digit and for MNIST.
 *
 *   cc examples/28_anomalies.c && ./a.out
 *
 * Picture: histograms of the score of the nine known classes and of the unknown one; below, the
 * strangest and the most ordinary of the test images.
 * Number: the AUC, the chance that an unknown digit scores higher than a known one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "../tools/digits.h"
#include "../tools/picture.h"
#include "../tools/figures.h"

enum { DRAWN = 12000, TEST = 2000, PIXELS = DIGITS_PIXELS, UNKNOWN = 0, BINS = 25, SHOWN = 10 };
static uint8_t drawn[DRAWN * PIXELS], classes[DRAWN];
static float x[TEST * PIXELS], elbo[TEST];
static float shown[2 * SHOWN * PIXELS];
static int order[TEST];

static int fail(const char *what) { return fprintf(stderr, "28_anomalies: %s\n", what), 1; }

static int by_strangeness(const void *a, const void *b) {
    const float p = elbo[*(const int *)a], q = elbo[*(const int *)b];
    return p < q ? -1 : p > q;
}

int main(void) {
    size_t dims[] = {0, 28, 28};
    vae_desc desc = {0};
    vae_report report;
    vae_data data, test;
    vae_batch batch = {0};
    vae *model;
    double wins = 0, pairs = 0, count[2][BINS] = {{0}}, total[2] = {0}, middle[BINS];
    static const char *const names[2] = {"strangest", "most ordinary"};
    const char *error;
    figure *f;
    figure_sheet sheet = {0};

    digits_fill(1, 0, DRAWN, drawn, classes);
    for (int n = 0; n < DRAWN; n++) /* keep the nine */
        if (classes[n] != UNKNOWN) memmove(drawn + dims[0]++ * PIXELS, drawn + n * PIXELS, PIXELS);
    desc.input = "28x28x1", desc.latent = 10, desc.encoder = desc.decoder = "dense 200 relu";
    desc.lr = 2e-3, desc.epochs = 8;
    if (vae_data_wrap(VAE_U8, 3, dims, drawn, &data, &report) ||
        vae_create(&desc, &model, &report))
        return fail(report.text);
    if (vae_fit(model, &data, NULL, NULL, NULL)) return fail(vae_last_report(model)->text);

    digits_fill(1, DIGITS_TEST, TEST, drawn, classes); /* all ten classes */
    dims[0] = TEST;
    if (vae_data_wrap(VAE_U8, 3, dims, drawn, &test, &report) || vae_data_read(&test, 0, TEST, x))
        return fail("the digits cannot be used");
    batch.x = x, batch.rows = TEST;
    if (vae_score(model, &batch, elbo, NULL, NULL)) return fail(vae_last_report(model)->text);

    for (int a = 0; a < TEST; a++) /* all pairs of an unknown and a known digit; a tie is half */
        for (int b = 0; b < TEST && classes[a] == UNKNOWN; b++) {
            if (classes[b] == UNKNOWN) continue;
            wins += elbo[a] < elbo[b] ? 1 : elbo[a] == elbo[b] ? 0.5 : 0;
            pairs++;
        }
    for (int n = 0; n < TEST; n++) order[n] = n;
    qsort(order, TEST, sizeof *order, by_strangeness);

    for (int n = 0; n < TEST; n++) { /* of each group the part of its images in each bin */
        const double at = (-elbo[n] - 40) / (200.0 / BINS);
        const int bin = at < 0 ? 0 : at >= BINS ? BINS - 1 : (int)at, known = classes[n] != UNKNOWN;
        count[known][bin]++, total[known]++;
    }
    for (int b = 0; b < BINS; b++)
        count[0][b] /= total[0], count[1][b] /= total[1], middle[b] = 40 + (b + 0.5) * 200 / BINS;
    for (int i = 0; i < SHOWN; i++) {
        memcpy(shown + i * PIXELS, x + order[i] * PIXELS, PIXELS * sizeof *x);
        memcpy(shown + (SHOWN + i) * PIXELS, x + order[TEST - 1 - i] * PIXELS, PIXELS * sizeof *x);
    }
    f = figure_new(900, 520, "Zeros, for a VAE that was trained on 1 to 9",
                   "the last point of a curve counts all that lies further right, too");
    figure_panel(f, 0, 0, 1, 0.66, NULL);
    figure_axes(f, "-ELBO, nats", 40, 240, "part of the images", 0, 0.25, 0);
    figure_curve(f, middle, count[1], BINS, "1 to 9");
    figure_curve(f, middle, count[0], BINS, "0");
    figure_legend(f, FIGURE_TOP_RIGHT);
    figure_panel(f, 0, 0.67, 1, 1, NULL);
    sheet.images = shown, sheet.count = 2 * SHOWN, sheet.columns = SHOWN;
    sheet.height = sheet.width = 28, sheet.beside = names;
    figure_images(f, &sheet);
    error = figure_save(f, "out/examples/28_anomalies.png");
    if (error) return fail(error);
    printf("AUC of digit %d among the others: %.3f (at least 0.85)\n", UNKNOWN, wins / pairs);
    vae_destroy(model);
    return !(wins >= 0.85 * pairs);
}
