/* 23. PixelRNN. A PixelCNN's windows leave a blind spot. Two LSTMs that run along the diagonals of
 * the image, one from the left and one from the right, see all earlier pixels, but the last of the
 * line above where the first window does not reach it. p(x) is exact.
 *   van den Oord, Kalchbrenner & Kavukcuoglu 2016, "Pixel recurrent neural networks"
 *   (arXiv:1601.06759), the Diagonal BiLSTM.
 *
 *   cc examples/23_pixelrnn.c && ./a.out
 *
 * Picture: how one pixel's logit changes with each pixel, in a PixelCNN and in the PixelRNN, and
 * digits drawn by the PixelRNN.
 * Number: nats by which the exact -log p(x) of test digits lies below that of the PixelCNN of
 * 22_pixelcnn.c after as many passes over the same digits; and the earlier pixels that one sees. */
#include <stdio.h>
#include <string.h>
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "../tools/digits.h"
#include "../tools/picture.h"
#include "../tools/figures.h"

enum { IMAGES = 2500, TEST = 400, SIDE = 14, PIXELS = SIDE * SIDE };
enum { SHOWN = 30, MIDDLE = 8 * SIDE + 6 }; /* the pixel whose logit is asked for */
static const char cnn[] = "image, maskconv 16 7x7 a relu, maskconv 16 5x5 b relu, "
                          "maskconv 16 3x3 b relu";
static const char rnn[] = "image, maskconv 16 7x7 a, diaglstm 16, maskconv 16 1x1 b relu";
static uint8_t large[DIGITS_PIXELS];
static float x[(IMAGES + TEST) * PIXELS], score[TEST], drawn[SHOWN * PIXELS];
static float probe[(PIXELS + 1) * PIXELS], sees[2][PIXELS];

static int fail(const char *what) { return fprintf(stderr, "23_pixelrnn: %s\n", what), 1; }

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

static vae_desc described(const char *decoder) {
    vae_desc desc = {0};
    desc.input = "14x14x1", desc.posterior = "none", desc.encoder = "", desc.decoder = decoder;
    desc.visible_bias = VAE_BIAS_MEAN, desc.lr = 8e-3, desc.epochs = 8, desc.batch = 50;
    return desc;
}

/* Trains on the digits; the mean of -log p(x) of test digits. */
static double nats(const char *decoder, vae **model) {
    const size_t dims[] = {IMAGES, PIXELS};
    const vae_desc desc = described(decoder);
    vae_report report;
    vae_data data;
    vae_batch test = {0};
    double sum = 0;
    if (vae_data_wrap(VAE_F32, 2, dims, x, &data, &report) || vae_create(&desc, model, &report))
        return fail(report.text), -1;
    test.x = x + IMAGES * PIXELS, test.rows = TEST;
    if (vae_fit(*model, &data, NULL, NULL, NULL) || vae_score(*model, &test, score, NULL, NULL))
        return fail(vae_last_report(*model)->text), -1;
    for (int n = 0; n < TEST; n++) sum -= score[n] / TEST;
    return sum;
}

/* The same weights with a gaussian likelihood: the most probable next pixel then is the logit. Row
 * i has pixel i of a digit flipped, the last row none. How many pixels matter; -1: failed. */
static int look(vae *trained, const char *decoder, float *seen) {
    vae_desc desc = described(decoder);
    vae_batch batch = {0};
    vae_tensor t;
    vae *model;
    int count = 0;
    desc.likelihood = "gaussian", desc.visible_bias = VAE_BIAS_ZERO;
    if (vae_create(&desc, &model, NULL)) return -1;
    for (size_t i = 0; !vae_tensor_at(trained, i, &t); i++)
        if (vae_tensor_set(model, i, t.data)) return -1;
    for (int n = 0; n <= PIXELS; n++) {
        memcpy(probe + n * PIXELS, x + IMAGES * PIXELS, PIXELS * sizeof *x);
        if (n < PIXELS) probe[n * PIXELS + n] = 1 - probe[n * PIXELS + n];
    }
    batch.x = probe, batch.rows = PIXELS + 1;
    if (vae_complete(model, &batch, MIDDLE, NULL, probe)) return -1;
    for (int n = 0; n < PIXELS; n++) {
        seen[n] = probe[n * PIXELS + MIDDLE] - probe[PIXELS * PIXELS + MIDDLE];
        count += seen[n] != 0;
    }
    vae_destroy(model);
    return count;
}

int main(void) {
    static const char *const names[2] = {"PixelCNN", "PixelRNN"};
    static const char *const nets[2] = {cnn, rnn};
    double exact[2];
    int seen[2];
    static float colour[PIXELS][3];
    vae *model[2];
    vae_batch batch = {0};
    const char *error;
    figure *f = figure_new(1060, 420, "What the black pixel's logit depends on",
                           "its change when another pixel of a test digit is flipped: red up, blue "
                           "down; paler below 1, 0.1, 0.01; white: none; grey: later pixels");
    figure_sheet sheet = {0};

    draw_digits();
    for (int k = 0; k < 2; k++) {
        exact[k] = nats(nets[k], &model[k]), seen[k] = look(model[k], nets[k], sees[k]);
        if (exact[k] < 0 || seen[k] < 0) return fail("the network cannot be used");
        printf("%s: exact -log p(x) %.2f nats, sees %d of the %d earlier pixels\n", names[k],
               exact[k], seen[k], MIDDLE);
        for (int n = 0; n < PIXELS; n++) { /* white where it does not matter, grey behind it */
            const float v = sees[k][n], size = v < 0 ? -v : v;
            const float pale = v == 0 ? 1 : size < 0.01f ? 0.85f : size < 0.1f ? 0.65f
                             : size < 1 ? 0.4f : 0;
            colour[n][0] = v < 0 ? pale : 1, colour[n][1] = pale, colour[n][2] = v > 0 ? pale : 1;
            for (int c = 0; c < 3 && n >= MIDDLE; c++) colour[n][c] = n > MIDDLE ? 0.8f : 0;
        }
        figure_panel(f, k * 0.32, 0, (k + 1) * 0.32, 1, names[k]);
        sheet.images = colour[0], sheet.count = sheet.columns = 1, sheet.channels = 3;
        sheet.height = sheet.width = SIDE;
        figure_images(f, &sheet);
    }
    batch.rows = SHOWN;
    if (vae_sample_prior(model[1], &batch, 1, drawn)) return fail(vae_last_report(model[1])->text);
    figure_panel(f, 0.66, 0, 1, 1, "digits drawn by the PixelRNN");
    sheet.images = drawn, sheet.count = SHOWN, sheet.columns = 5, sheet.channels = 1;
    figure_images(f, &sheet);
    error = figure_save(f, "out/examples/23_pixelrnn.png");
    if (error) return fail(error);
    vae_destroy(model[0]), vae_destroy(model[1]);
    printf("sees %d of %d pixels (PixelCNN %d; at least %d); %.2f nats lower (at least 1)\n",
           seen[1], MIDDLE, seen[0], MIDDLE - 1, exact[0] - exact[1]);
    return !(exact[0] - exact[1] >= 1 && seen[1] >= MIDDLE - 1);
}
