/* 29. Colour. A convolutional VAE on colour pictures of 32 x 32 pixels: the built-in shapes, or
 * CIFAR-10, of which a folder with its binary batches is given.
 *   Kingma & Welling 2014, "Auto-encoding variational Bayes" (arXiv:1312.6114); the pictures:
 *   Krizhevsky 2009, "Learning multiple layers of features from tiny images".
 *
 *   cc examples/29_colour.c && ./a.out                          the shapes
 *   cc examples/29_colour.c && ./a.out FOLDER                   FOLDER/data_batch_1.bin
 *
 * Picture: test pictures, their reconstructions, those of PCA with as many numbers, new pictures
 * (poor ones: after seconds of training the codes do not fill the prior).
 * Number: squared error of the reconstructions over that of PCA with as many numbers: the shapes
 * move, and no linear map follows. CIFAR-10 has no bound: there PCA is hard to beat in seconds. */
#include <stdio.h>
#include <string.h>
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "../tools/shapes.h"
#include "../tools/picture.h"
#include "../tools/figures.h"

enum { IMAGES = 4000, TEST = 500, PIXELS = SHAPES_BYTES, LATENT = 8, SHOWN = 12, ROUNDS = 3 };
static uint8_t image[SHAPES_BYTES], record[1 + SHAPES_BYTES];
static float x[(IMAGES + TEST) * PIXELS], again[TEST * PIXELS], shown[4][SHOWN][PIXELS];
static float axes[LATENT][PIXELS], next[LATENT][PIXELS], mean[PIXELS];

static int fail(const char *what) { return fprintf(stderr, "29_colour: %s\n", what), 1; }

/* A record of CIFAR-10 is a label, then 1024 bytes each of red, green and blue. */
static int read_cifar(const char *folder) {
    char path[1000];
    FILE *file;
    snprintf(path, sizeof path, "%s/data_batch_1.bin", folder);
    if (!(file = fopen(path, "rb"))) return 0;
    for (int n = 0; n < IMAGES + TEST; n++) {
        if (fread(record, 1, sizeof record, file) != sizeof record) return fclose(file), 0;
        for (int i = 0; i < PIXELS; i++)
            x[n * PIXELS + i] = record[1 + i % 3 * 1024 + i / 3] / 255.0f;
    }
    fclose(file);
    return 1;
}

static void draw_shapes(void) {
    for (int n = 0; n < IMAGES + TEST; n++) {
        uint8_t factors[SHAPES_FACTORS];
        shapes_fill(1, (n < IMAGES ? 0 : SHAPES_TEST) + (uint32_t)n, 1, image, factors);
        for (int i = 0; i < PIXELS; i++) x[n * PIXELS + i] = image[i] / 255.0f;
    }
}

static float dot(const float *a, const float *b) {
    float sum[8] = {0};
    for (int i = 0; i < PIXELS; i++) sum[i % 8] += a[i] * b[i];
    return sum[0] + sum[1] + sum[2] + sum[3] + sum[4] + sum[5] + sum[6] + sum[7];
}

/* The mean and the first principal axes of 600 pictures: by turns multiplied by their covariance
 * and made orthonormal. */
static void find_axes(void) {
    enum { USED = 600 };
    for (int n = 0; n < USED; n++)
        for (int i = 0; i < PIXELS; i++) mean[i] += x[n * PIXELS + i] / USED;
    for (int k = 0; k < LATENT; k++)
        for (int i = 0; i < PIXELS; i++) axes[k][i] = x[k * PIXELS + i] - mean[i];
    for (int r = 0; r <= ROUNDS; r++) {
        for (int k = 0; k < LATENT; k++) { /* Gram and Schmidt */
            float length = 1;
            for (int j = 0; j <= k; j++) {
                const float d = dot(axes[k], axes[j]);
                for (int i = 0; i < PIXELS && j < k; i++) axes[k][i] -= d * axes[j][i];
                if (j == k) length = d;
            }
            length = (float)figure__root(length);
            for (int i = 0; i < PIXELS; i++) axes[k][i] /= length;
        }
        if (r == ROUNDS) return;
        memset(next, 0, sizeof next);
        for (int n = 0; n < USED; n++)
            for (int k = 0; k < LATENT; k++) {
                const float c = dot(x + n * PIXELS, axes[k]) - dot(mean, axes[k]);
                for (int i = 0; i < PIXELS; i++) next[k][i] += c * (x[n * PIXELS + i] - mean[i]);
            }
        memcpy(axes, next, sizeof axes);
    }
}

/* What PCA makes of a picture. */
static void project(const float *picture, float *out) {
    memcpy(out, mean, sizeof mean);
    for (int k = 0; k < LATENT; k++) {
        const float c = dot(picture, axes[k]) - dot(mean, axes[k]);
        for (int i = 0; i < PIXELS; i++) out[i] += c * axes[k][i];
    }
}

static double error_of(const float *a, const float *b) {
    double sum = 0;
    for (int i = 0; i < PIXELS; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum / PIXELS;
}

int main(int argc, char **argv) {
    static const char *const names[] = {"test", "VAE", "PCA", "new"};
    static float linear[PIXELS];
    const size_t dims[] = {IMAGES, PIXELS};
    double by_vae = 0, by_pca = 0, by_mean = 0;
    vae_desc desc = {0};
    vae_report report;
    vae_data data;
    vae_batch batch = {0};
    vae *model;
    const char *error;
    figure *f;
    figure_sheet sheet = {0};

    if (argc < 2) draw_shapes();
    else if (!read_cifar(argv[1])) return fail("the folder has no whole data_batch_1.bin");
    desc.input = "32x32x3", desc.latent = LATENT, desc.likelihood = "gaussian 0.003";
    desc.encoder = "conv 16 4x4/2 relu, conv 24 4x4/2 relu, dense 128 relu";
    desc.decoder = "dense 128 relu, dense 1024 relu, reshape 8x8x16, convt 16 4x4/2 relu, "
                   "convt 3 4x4/2";
    desc.lr = 2e-3, desc.epochs = 9, desc.batch = 20, desc.visible_bias = VAE_BIAS_MEAN;
    if (vae_data_wrap(VAE_F32, 2, dims, x, &data, &report) || vae_create(&desc, &model, &report))
        return fail(report.text);
    batch.x = x + IMAGES * PIXELS, batch.rows = TEST;
    if (vae_fit(model, &data, NULL, NULL, NULL) || vae_reconstruct(model, &batch, again))
        return fail(vae_last_report(model)->text);
    batch.rows = SHOWN;
    if (vae_sample_prior(model, &batch, 1, shown[3][0])) return fail(vae_last_report(model)->text);
    find_axes();
    for (int n = 0; n < TEST; n++) {
        const float *picture = x + (IMAGES + n) * PIXELS;
        project(picture, linear);
        by_vae += error_of(picture, again + n * PIXELS), by_pca += error_of(picture, linear);
        by_mean += error_of(picture, mean);
        if (n >= SHOWN) continue;
        memcpy(shown[0][n], picture, sizeof linear);
        memcpy(shown[1][n], again + n * PIXELS, sizeof linear);
        memcpy(shown[2][n], linear, sizeof linear);
    }
    printf("squared error of a number: VAE %.5f, PCA %.5f, mean picture %.5f\n", by_vae / TEST,
           by_pca / TEST, by_mean / TEST);
    f = figure_new(900, 360, "Colour pictures, 8 numbers each", NULL);
    figure_panel(f, 0, 0, 1, 1, NULL);
    sheet.images = shown[0][0], sheet.count = 4 * SHOWN, sheet.columns = SHOWN;
    sheet.height = sheet.width = 32, sheet.channels = 3, sheet.beside = names;
    figure_images(f, &sheet);
    error = figure_save(f, "out/examples/29_colour.png");
    if (error) return fail(error);
    vae_destroy(model);
    printf("error %.2f of that of PCA with as many numbers (%s)\n", by_vae / by_pca,
           argc < 2 ? "at most 0.95" : "no bound");
    return argc < 2 && !(by_vae <= 0.95 * by_pca);
}
