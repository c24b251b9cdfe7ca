/* 25. Features from images without labels, a classifier from few with: an encoder trained on 10,000
 * unlabelled digits, then the nearest labelled neighbour: in the codes, beside in the pixels.
 *   Kingma et al. 2014, "Semi-supervised learning with deep generative models"
 *   (arXiv:1406.5298), model M1.
 *
 *   cc examples/25_few_labels.c && ./a.out
 *
 * Picture: test error against the number of labels, on codes and on pixels.
 * Number: error with 200 labels, on codes divided by that on pixels. */
#include <stdio.h>
#include <string.h>
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "../tools/digits.h"
#include "../tools/picture.h"
#include "../tools/figures.h"

enum { IMAGES = 10000, TEST = 500, PIXELS = DIGITS_PIXELS, LATENT = 16 };
enum { STEPS = 6, MOST = 800, ASKED = 3 }; /* 25, 50, 100, ... 800 labels */
static uint8_t images[(IMAGES + TEST) * PIXELS], labels[IMAGES + TEST];
static float x[(MOST + TEST) * PIXELS], codes[(MOST + TEST) * LATENT];

static int fail(const char *what) { return fprintf(stderr, "25_few_labels: %s\n", what), 1; }

/* The class of each test row is that of the nearest of `count` labelled rows: the error in percent,
 * the mean over as many different choices of labelled rows as there are, 8 at most. */
static double error_with(int count, const float *rows, int width) {
    int wrong = 0, choices = MOST / count < 8 ? MOST / count : 8;
    for (int n = 0; n < choices * TEST; n++) {
        const float *v = rows + (MOST + n % TEST) * width;
        float nearest = 1e9f;
        int label = -1;
        for (int m = n / TEST * count; m < (n / TEST + 1) * count; m++) {
            float d = 0;
            for (int i = 0; i < width && d < nearest; i++) {
                const float off = rows[m * width + i] - v[i];
                d += off * off;
            }
            if (d < nearest) nearest = d, label = labels[m];
        }
        wrong += label != labels[IMAGES + n % TEST];
    }
    return 100.0 * wrong / (choices * TEST);
}

int main(void) {
    const size_t dims[] = {IMAGES, 28, 28}, all_dims[] = {IMAGES + TEST, 28, 28};
    double counts[STEPS], on_codes[STEPS], on_pixels[STEPS];
    const char *error;
    figure *f;
    vae_desc desc = {0};
    vae_report report;
    vae_data data, all;
    vae_batch batch = {0};
    vae *model;

    digits_fill(1, 0, IMAGES, images, labels);
    digits_fill(1, DIGITS_TEST, TEST, images + IMAGES * PIXELS, labels + IMAGES);
    desc.input = "28x28x1", desc.latent = LATENT, desc.encoder = desc.decoder = "dense 200 relu";
    desc.lr = 2e-3, desc.epochs = 8;
    if (vae_data_wrap(VAE_U8, 3, dims, images, &data, &report) ||
        vae_data_wrap(VAE_U8, 3, all_dims, images, &all, &report) ||
        vae_create(&desc, &model, &report))
        return fail(report.text);
    batch.x = x, batch.rows = MOST + TEST;
    if (vae_fit(model, &data, NULL, NULL, NULL) || vae_data_read(&all, 0, MOST, x) ||
        vae_data_read(&all, IMAGES, TEST, x + MOST * PIXELS) ||
        vae_encode(model, &batch, codes, NULL))
        return fail(vae_last_report(model)->text);

    for (int s = 0, count = 25; s < STEPS; s++, count *= 2) {
        counts[s] = count;
        on_codes[s] = error_with(count, codes, LATENT);
        on_pixels[s] = error_with(count, x, PIXELS);
        printf("%4d labels: error on codes %5.1f %%, on pixels %5.1f %%\n", count, on_codes[s],
               on_pixels[s]);
    }
    f = figure_new(720, 440, "Nearest labelled neighbour: test error by labels", NULL);
    figure_panel(f, 0, 0, 1, 1, NULL);
    figure_axes(f, "labelled digits", 22, 900, "error, %", 4, 60, FIGURE_LOG_X | FIGURE_LOG_Y);
    figure_curve(f, counts, on_pixels, STEPS, "in the pixels");
    figure_curve(f, counts, on_codes, STEPS, "in the codes of a VAE");
    figure_legend(f, FIGURE_TOP_RIGHT);
    error = figure_save(f, "out/examples/25_few_labels.png");
    if (error) return fail(error);
    printf("200 labels: the error on codes is %.2f of that on pixels (at most 0.9)\n",
           on_codes[ASKED] / on_pixels[ASKED]);
    vae_destroy(model);
    return !(on_codes[ASKED] <= 0.9 * on_pixels[ASKED]);
}
