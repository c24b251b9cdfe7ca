/* 22. PixelCNN. No latents: p(x) is a product over pixels, each given those before it in reading
 * order, from convolutions whose masks hide the rest. So log p(x) is exact and costs one pass;
 * drawing an image goes pixel by pixel.
 *   van den Oord, Kalchbrenner & Kavukcuoglu 2016, "Pixel recurrent neural networks"
 *   (arXiv:1601.06759); the blind spot: van den Oord et al. 2016 (arXiv:1606.05328).
 *
 *   cc examples/22_pixelcnn.c && ./a.out
 *
 * Picture: what one pixel sees (the blind spot is above it to the right), and images drawn.
 * Number: nats by which the exact -log p(x) of test digits lies below the bound of 100 draws that a
 * VAE has after as many passes over the same digits.
 * That it is exact is seen on a net for images of 3 x 3 pixels: its 512 images weigh 1 together. */
#include <stdio.h>
#include <string.h>
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "../tools/digits.h"
#include "../tools/picture.h"
#include "../tools/figures.h"

enum { IMAGES = 4000, TEST = 500, SIDE = 14, PIXELS = SIDE * SIDE };
enum { SHOWN = 40, MIDDLE = 8 * SIDE + 6 };
static const char net[] = "image, maskconv 16 7x7 a relu, maskconv 16 5x5 b relu, "
                          "maskconv 16 3x3 b relu";
static const int reach[3] = {3, 2, 1}; /* half windows of these layers */
static uint8_t large[DIGITS_PIXELS];
static float x[(IMAGES + TEST) * PIXELS], score[512], drawn[SHOWN * PIXELS], tiny[512 * 9];
static float sees[PIXELS];

static int fail(const char *what) { return fprintf(stderr, "22_pixelcnn: %s\n", what), 1; }

static double exp_of(double a) {
    double y = a / 1024, e = 1 + y * (1 + y / 2 * (1 + y / 3 * (1 + y / 4)));
    for (int i = 0; i < 10; i++) e *= e;
    return a < -700 ? 0 : e;
}

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

/* What `layer` gives at a pixel depends on pixels before it in its window: marks them, down to the
 * image. Only the first layer (mask a) does not see the middle pixel itself. */
static void look(int layer, int row, int column) {
    const int r = reach[layer];
    for (int dy = -r; dy <= 0; dy++)
        for (int dx = -r; dx <= r; dx++) {
            const int y = row + dy, at = column + dx;
            if (y < 0 || at < 0 || at >= SIDE || (dy == 0 && dx > (layer ? 0 : -1))) continue;
            if (layer) look(layer - 1, y, at);
            else sees[y * SIDE + at] = 0.6f;
        }
}

/* Trains on the digits; the mean of -log p(x), or of its bound of `draws` draws, on test digits. */
static double nats(vae_desc *desc, int draws, vae **model) {
    const size_t dims[] = {IMAGES, PIXELS};
    vae_report report;
    vae_data data;
    vae_batch test = {0};
    double sum = 0;
    desc->input = "14x14x1", desc->visible_bias = VAE_BIAS_MEAN;
    if (vae_data_wrap(VAE_F32, 2, dims, x, &data, &report) || vae_create(desc, model, &report))
        return fail(report.text), -1;
    test.x = x + IMAGES * PIXELS, test.rows = TEST;
    if (vae_fit(*model, &data, NULL, NULL, NULL) || vae_bound(*model, &test, draws, score))
        return fail(vae_last_report(*model)->text), -1;
    for (int n = 0; n < TEST; n++) sum -= score[n] / TEST;
    return sum;
}

int main(void) {
    vae_desc by_pixel = {0}, by_code = {0}, small = {0};
    vae_batch batch = {0};
    double exact, bound, all = 0;
    vae *model, *other;
    const char *error;
    figure *f;
    figure_sheet field = {0}, sheet = {0};

    draw_digits();
    by_pixel.posterior = "none", by_pixel.encoder = "", by_pixel.decoder = net;
    by_pixel.lr = 8e-3, by_pixel.epochs = 8, by_pixel.batch = 50;
    by_code.encoder = by_code.decoder = "dense 200 relu", by_code.latent = 20;
    by_code.lr = 2e-3, by_code.epochs = 8, by_code.batch = 50;
    exact = nats(&by_pixel, 1, &model), bound = nats(&by_code, 100, &other);
    if (exact < 0 || bound < 0) return 1;
    batch.rows = SHOWN;
    if (vae_sample_prior(model, &batch, 1, drawn)) return fail(vae_last_report(model)->text);
    vae_destroy(model), vae_destroy(other);

    small.input = "3x3x1", small.posterior = "none", small.encoder = "", small.decoder = net;
    for (int i = 0; i < 512 * 9; i++) tiny[i] = (float)(i / 9 >> i % 9 & 1);
    batch.x = tiny, batch.rows = 512;
    if (vae_create(&small, &model, NULL) || vae_score(model, &batch, score, NULL, NULL)) return 1;
    for (int i = 0; i < 512; i++) all += exp_of(score[i]);
    vae_destroy(model);
    printf("exact -log p(x) of PixelCNN %.2f, bound of the VAE %.2f; the 512 images weigh %.6f\n",
           exact, bound, all);

    f = figure_new(900, 430, "PixelCNN", NULL);
    look(2, MIDDLE / SIDE, MIDDLE % SIDE);
    sees[MIDDLE] = -1;
    figure_panel(f, 0, 0, 0.45, 1, "what the blue pixel sees: the orange ones");
    field.images = sees, field.count = field.columns = 1, field.both = 1;
    field.height = field.width = SIDE, field.zoom = 24;
    figure_images(f, &field);
    figure_panel(f, 0.45, 0, 1, 1, "digits drawn pixel by pixel");
    sheet.images = drawn, sheet.count = SHOWN, sheet.columns = 8;
    sheet.height = sheet.width = SIDE;
    figure_images(f, &sheet);
    error = figure_save(f, "out/examples/22_pixelcnn.png");
    if (error) return fail(error);
    printf("exact -log p(x) lies %.2f nats below the VAE's bound (at least 1)\n", bound - exact);
    return !(bound - exact >= 1 && all > 0.9999 && all < 1.0001);
}
