/* 24. PixelVAE. A VAE whose decoder is a PixelCNN: the pixels settle the details, so the code may
 * keep what all of them share. A decoder that sees far would leave nothing to the code; this one
 * sees two pixels far.
 *   Gulrajani et al. 2017, "PixelVAE: a latent variable model for natural images"
 *   (arXiv:1611.05013); why the code dies otherwise: Chen et al. 2017 (arXiv:1611.02731).
 *
 *   cc examples/24_pixelvae.c && ./a.out
 *
 * Picture: draws with one code for each row: what the code fixes, and what the pixels decide.
 * Number: the KL, which tells that the code is in use, and nats by which the bound of -log p(x) of
 * test digits lies below the better of its two parts alone: the same PixelCNN without a code
 * (whose -log p(x) is exact), the same VAE with pixels that do not see each other. */
#include <stdio.h>
#include <string.h>
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "../tools/digits.h"
#include "../tools/picture.h"
#include "../tools/figures.h"

enum { IMAGES = 4000, TEST = 500, SIDE = 14, PIXELS = SIDE * SIDE, LATENT = 8 };
enum { ROWS = 6, COLUMNS = 12, SHOWN = ROWS * COLUMNS };
static uint8_t large[DIGITS_PIXELS];
static float x[(IMAGES + TEST) * PIXELS], score[TEST], kl[TEST];
static float codes[SHOWN * LATENT], drawn[SHOWN * PIXELS];

static int fail(const char *what) { return fprintf(stderr, "24_pixelvae: %s\n", what), 1; }

/* Digits of half the size, black and white. */
static void draw_digits(void) {
    for (int n = 0; n < IMAGES + TEST; n++) {
        digits_fill(1, (n < IMAGES ? 0 : DIGITS_TEST) + (uint32_t)n, 1, large, NULL);
        for (int i = 0; i < PIXELS; i++) {
            const uint8_t *p = large + i / SIDE * 2 * 28 + i % SIDE * 2;
            x[n * PIXELS + i] = p[0] + p[1] + p[28] + p[29] > 510;
        }
    }
}

/* Trains on the digits; the mean over test digits of -log p(x), or of its bound of 50 draws, and of
 * the KL. */
static double nats(vae_desc *desc, vae **model, double *mean_kl) {
    const size_t dims[] = {IMAGES, PIXELS};
    vae_report report;
    vae_data data;
    vae_batch test = {0};
    double sum = 0;
    desc->input = "14x14x1", desc->visible_bias = VAE_BIAS_MEAN;
    desc->lr = 4e-3, desc->epochs = 8, desc->batch = 50;
    if (vae_data_wrap(VAE_F32, 2, dims, x, &data, &report) || vae_create(desc, model, &report))
        return fail(report.text), -1;
    test.x = x + IMAGES * PIXELS, test.rows = TEST;
    if (vae_fit(*model, &data, NULL, NULL, NULL) ||
        vae_bound(*model, &test, desc->posterior ? 1 : 50, score) ||
        vae_score(*model, &test, NULL, NULL, kl))
        return fail(vae_last_report(*model)->text), -1;
    *mean_kl = 0;
    for (int n = 0; n < TEST; n++) sum -= score[n] / TEST, *mean_kl += kl[n] / TEST;
    return sum;
}

int main(void) {
    vae_desc both = {0}, by_pixel = {0}, by_code = {0};
    vae_batch batch = {0};
    double of_both, of_pixel, of_code, held, none, all, better;
    vae *model, *other;
    const char *error;
    figure *f;
    figure_sheet sheet = {0};

    draw_digits();
    both.latent = by_code.latent = LATENT;
    both.encoder = by_code.encoder = "dense 200 relu";
    both.decoder = "dense 200 relu, dense 784, reshape 14x14x4, image, maskconv 16 5x5 a relu, "
                   "maskconv 16 1x1 b relu";
    by_code.decoder = "dense 200 relu";
    by_pixel.posterior = "none", by_pixel.encoder = "";
    by_pixel.decoder = "image, maskconv 16 5x5 a relu, maskconv 16 1x1 b relu";
    if ((of_pixel = nats(&by_pixel, &other, &none)) < 0) return 1;
    vae_destroy(other);
    if ((of_code = nats(&by_code, &other, &all)) < 0) return 1;
    vae_destroy(other);
    if ((of_both = nats(&both, &model, &held)) < 0) return 1;
    printf("-log p(x): PixelCNN %.2f; VAE at most %.2f, KL %.2f; PixelVAE at most %.2f, KL %.2f\n",
           of_pixel, of_code, all, of_both, held);

    batch.rows = ROWS;
    if (vae_prior(model, &batch, 3, codes)) return fail(vae_last_report(model)->text);
    for (int n = SHOWN - 1; n >= 0; n--) /* the code of a row, again and again */
        memmove(codes + n * LATENT, codes + n / COLUMNS * LATENT, LATENT * sizeof *codes);
    batch.x = codes, batch.rows = SHOWN;
    if (vae_draw(model, &batch, 1, drawn)) return fail(vae_last_report(model)->text);
    vae_destroy(model);
    f = figure_new(760, 470, "PixelVAE: each row is drawn from one code",
                   "along a row only the draws of the pixels differ");
    figure_panel(f, 0, 0, 1, 1, NULL);
    sheet.images = drawn, sheet.count = SHOWN, sheet.columns = COLUMNS;
    sheet.height = sheet.width = SIDE;
    figure_images(f, &sheet);
    error = figure_save(f, "out/examples/24_pixelvae.png");
    if (error) return fail(error);
    better = of_pixel < of_code ? of_pixel : of_code;
    printf("KL %.1f nats (at least 4), bound %.2f nats below its better part (at least 2)\n",
           held, better - of_both);
    return !(held >= 4 && better - of_both >= 2);
}
