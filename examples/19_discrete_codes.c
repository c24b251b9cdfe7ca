/* 19. Discrete codes. Two ways to make a code that can be counted in bits:
 *   categorical  each latent is one of K; training uses a relaxed draw, softmax((logits + Gumbel
 *                noise) / temperature). Jang et al. 2017 (arXiv:1611.01144), Maddison et al. 2017
 *   FSQ          four numbers rounded to 8, 5, 5, 5 levels: 1000 codes, 10 bits; the gradient goes
 *                straight through the rounding. Mentzer et al. 2023 (arXiv:2309.15505)
 *
 *   cc examples/19_discrete_codes.c && ./a.out
 *
 * Picture: test digits; what FSQ makes of them by one code of 1000; what three categorical latents
 * of 10 do (also 1000 codes); the nearest of 1000 training images, which is a code of as many bits.
 * Number: FSQ's squared error per image beside that of the 1000 images. */
#include <stdio.h>
#include <string.h>
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "../tools/digits.h"
#include "../tools/picture.h"
#include "../tools/figures.h"

enum { IMAGES = 10000, TEST = 500, PIXELS = DIGITS_PIXELS, CODES = 1000, SHOWN = 10 };
static uint8_t images[IMAGES * PIXELS], test_images[TEST * PIXELS];
static float x[TEST * PIXELS], by_fsq[TEST * PIXELS], by_categories[TEST * PIXELS];
static float by_image[TEST * PIXELS], codes[2][TEST * 30];
static float rows[4 * SHOWN * PIXELS];

static int fail(const char *what) { return fprintf(stderr, "19_discrete_codes: %s\n", what), 1; }

static double error_of(const float *y) {
    double sum = 0;
    for (int i = 0; i < TEST * PIXELS; i++) sum += (double)(x[i] - y[i]) * (x[i] - y[i]);
    return sum / TEST;
}

/* Trains, encodes the test images, rounds probabilities of categories to 0 or 1, decodes. */
static int train(const char *posterior, int latent, const vae_data *data, float *z, float *out) {
    vae_desc desc = {0};
    vae_report report;
    vae_batch batch = {0};
    vae *model;
    desc.input = "28x28x1", desc.posterior = posterior, desc.latent = latent;
    desc.encoder = "dense 200 relu, dense 100 relu";
    desc.decoder = "dense 100 relu, dense 200 relu";
    desc.visible_bias = VAE_BIAS_MEAN; /* so that the first steps do not drive all codes one way */
    if (latent) desc.temperature = 1, desc.temperature_end = 0.5, desc.temperature_steps = 400;
    desc.lr = 4e-3, desc.ema = 0.99, desc.epochs = 8;
    if (vae_create(&desc, &model, &report)) return fail(report.text);
    batch.x = x, batch.rows = TEST;
    if (vae_fit(model, data, NULL, NULL, NULL) || vae_encode(model, &batch, z, NULL))
        return fail(vae_last_report(model)->text);
    for (int n = 0; n < TEST * latent; n++) { /* ten probabilities: the largest becomes 1 */
        int best = 0;
        for (int k = 1; k < 10; k++) best = z[n * 10 + k] > z[n * 10 + best] ? k : best;
        for (int k = 0; k < 10; k++) z[n * 10 + k] = k == best;
    }
    batch.x = z;
    if (vae_decode(model, &batch, out)) return fail(vae_last_report(model)->text);
    vae_destroy(model);
    return 0;
}

int main(void) {
    const size_t dims[] = {IMAGES, 28, 28}, test_dims[] = {TEST, 28, 28};
    static const char *const names[4] = {"test digits", "FSQ 8 5 5 5", "3 categories of 10",
                                         "nearest of 1000"};
    const float *const of_rows[4] = {x, by_fsq, by_categories, by_image};
    vae_report report;
    vae_data data, test;
    int used = 0;
    const char *error;
    figure *f;
    figure_sheet sheet = {0};

    digits_fill(1, 0, IMAGES, images, NULL);
    digits_fill(1, DIGITS_TEST, TEST, test_images, NULL);
    if (vae_data_wrap(VAE_U8, 3, dims, images, &data, &report) ||
        vae_data_wrap(VAE_U8, 3, test_dims, test_images, &test, &report) ||
        vae_data_read(&test, 0, TEST, x))
        return fail("the digits cannot be used");
    if (train("fsq 8 5 5 5", 0, &data, codes[0], by_fsq) ||
        train("categorical 10", 3, &data, codes[1], by_categories))
        return 1;

    for (int n = 0; n < TEST; n++) { /* the nearest of the first 1000 training images */
        long nearest = 1L << 30;
        for (int c = 0; c < CODES; c++) {
            long d = 0;
            for (int i = 0; i < PIXELS && d < nearest; i++) {
                const int off = images[c * PIXELS + i] - test_images[n * PIXELS + i];
                d += off * off;
            }
            if (d >= nearest) continue;
            nearest = d;
            for (int i = 0; i < PIXELS; i++)
                by_image[n * PIXELS + i] = images[c * PIXELS + i] / 255.0f;
        }
    }
    for (int n = 0, m; n < TEST; n++) { /* how many different codes the test images have */
        for (m = 0; m < n && memcmp(codes[0] + m * 4, codes[0] + n * 4, 4 * sizeof(float)); m++) {}
        used += m == n;
    }
    for (int r = 0; r < 4; r++)
        memcpy(rows + r * SHOWN * PIXELS, of_rows[r], SHOWN * PIXELS * sizeof *rows);
    f = figure_new(760, 300, "Test digits by codes of 10 bits", NULL);
    sheet.images = rows, sheet.count = 4 * SHOWN, sheet.columns = SHOWN;
    sheet.height = sheet.width = 28, sheet.beside = names;
    figure_panel(f, 0, 0, 1, 1, NULL);
    figure_images(f, &sheet);
    error = figure_save(f, "out/examples/19_discrete_codes.png");
    if (error) return fail(error);
    printf("%d test images have %d different codes of %d\n", TEST, used, CODES);
    printf("squared error: categorical %.2f, FSQ %.2f, nearest of 1000 images %.2f\n",
           error_of(by_categories), error_of(by_fsq), error_of(by_image));
    printf("FSQ's error is %.2f of that of 1000 images (at most 0.95)\n",
           error_of(by_fsq) / error_of(by_image));
    return !(error_of(by_fsq) <= 0.95 * error_of(by_image));
}
