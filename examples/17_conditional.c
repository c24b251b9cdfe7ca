/* 17. The conditional VAE. Both nets are told the class, so the latents keep what the class does
 * not say (slant, width, thickness), and a digit can be asked for by name.
 *   Sohn, Lee & Yan 2015, "Learning structured output representation using deep conditional
 *   generative models"; Kingma et al. 2014 (arXiv:1406.5298), model M2 with all labels given.
 *
 *   cc examples/17_conditional.c && ./a.out
 *
 * Picture: a column for each class, a row for each draw of the latents. Along a row the latents are
 * the same, and so is the handwriting.
 * Number: how many of 300 digits asked for look like what was asked for. The judge is the nearest
 * of 2000 training images. */
#include <stdio.h>
#include <string.h>
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "../tools/digits.h"
#include "../tools/picture.h"
#include "../tools/figures.h"

enum { IMAGES = 10000, PIXELS = DIGITS_PIXELS, CLASSES = 10, HANDS = 30, LATENT = 6 };
static uint8_t images[IMAGES * PIXELS], classes[IMAGES];
static int32_t labels[IMAGES];
static float hands[HANDS * LATENT], z[CLASSES * LATENT], asked[HANDS * CLASSES * PIXELS];

static int fail(const char *what) { return fprintf(stderr, "17_conditional: %s\n", what), 1; }

/* The class of the training image that is nearest to x. */
static int looks_like(const float *x) {
    float nearest = 1e9f;
    int label = -1;
    for (int n = 0; n < 2000; n++) {
        float d = 0;
        for (int i = 0; i < PIXELS && d < nearest; i++) {
            const float off = x[i] - images[n * PIXELS + i] / 255.0f;
            d += off * off;
        }
        if (d < nearest) nearest = d, label = classes[n];
    }
    return label;
}

int main(void) {
    const size_t dims[] = {IMAGES, 28, 28};
    const int32_t each[CLASSES] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    static const char *const names[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
    vae_desc desc = {0};
    vae_report report;
    vae_data data;
    vae_batch draws = {0}, hand = {0};
    vae *model;
    figure *f;
    figure_sheet sheet = {0};
    const char *error;
    int right = 0;

    digits_fill(1, 0, IMAGES, images, classes);
    for (int n = 0; n < IMAGES; n++) labels[n] = classes[n];
    desc.input = "28x28x1", desc.latent = LATENT, desc.lr = 3e-3, desc.epochs = 10;
    desc.encoder = "flatten, label 10, dense 200 relu"; /* the class as ten more inputs, 0 or 1 */
    desc.decoder = "label 10, dense 200 relu";
    desc.beta = 4; /* at a high price latents do not repeat what the class says already */
    if (vae_data_wrap(VAE_U8, 3, dims, images, &data, &report) ||
        vae_create(&desc, &model, &report))
        return fail(report.text);
    data.labels = labels;
    if (vae_fit(model, &data, NULL, NULL, NULL)) return fail(vae_last_report(model)->text);

    draws.rows = HANDS;
    if (vae_prior(model, &draws, 1, hands)) return fail(vae_last_report(model)->text);
    hand.x = z, hand.rows = CLASSES, hand.labels = each, hand.label_count = CLASSES;
    for (int h = 0; h < HANDS; h++) { /* one draw of the latents, decoded as each of the classes */
        float *row = asked + h * CLASSES * PIXELS;
        for (int c = 0; c < CLASSES; c++)
            memcpy(z + c * LATENT, hands + h * LATENT, LATENT * sizeof *z);
        if (vae_decode(model, &hand, row)) return fail(vae_last_report(model)->text);
        for (int c = 0; c < CLASSES; c++) right += looks_like(row + c * PIXELS) == c;
    }

    f = figure_new(640, 580, "Digits that were asked for",
                   "a column for each class, a row for each draw of the latents");
    sheet.images = asked, sheet.count = 8 * CLASSES, sheet.columns = CLASSES;
    sheet.height = sheet.width = 28, sheet.above = names;
    figure_panel(f, 0, 0, 1, 1, NULL);
    figure_images(f, &sheet);
    error = figure_save(f, "out/examples/17_conditional.png");
    if (error) return fail(error);
    printf("digits that are what was asked for: %.1f %% (at least 80 %%)\n",
           100.0 * right / (HANDS * CLASSES));
    vae_destroy(model);
    return right < 0.8 * HANDS * CLASSES;
}
