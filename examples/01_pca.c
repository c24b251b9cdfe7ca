/* 01 Principal component analysis: the straight line that loses least.
 *
 * Pearson 1901, "On lines and planes of closest fit to systems of points in space".
 *
 *   cc examples/01_pca.c && ./a.out [FOLDER OF MNIST]
 *
 * PCA is the autoencoder that needs no training. Its encoder projects x on the eigenvectors of the
 * covariance with the largest eigenvalues, its decoder is the transpose. First five points in the
 * plane, by hand; then digits, whose eigenvectors are images themselves.
 *
 * The number: the squared distances of the five points from their line, summed. No line through
 * the mean has less than 0.042353. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "common.h"

enum { TRAIN = 2000, K = 10 };
static float x[TRAIN * PIXELS], mean[PIXELS], v[K * PIXELS], codes[TRAIN * K];
static float shown[(K + 1) * PIXELS];

int main(int argc, char **argv) {
    /* ---- five points ---- */
    const double point[5][2] = {{-.5, -.4}, {-.4, -.1}, {.1, 0}, {.3, .3}, {.5, .2}}; /* mean 0 */
    double cov[2][2] = {{0}}, w[2] = {1, 0}, residual = 0, seen[2][5];
    for (int i = 0; i < 5; i++)
        for (int a = 0; a < 2; a++)
            for (int b = 0; b < 2; b++) cov[a][b] += point[i][a] * point[i][b] / 5;
    for (int i = 0; i < 100; i++) { /* power iteration: multiply, normalise */
        double u0 = cov[0][0] * w[0] + cov[0][1] * w[1], u1 = cov[1][0] * w[0] + cov[1][1] * w[1];
        double length = square_root(u0 * u0 + u1 * u1);
        w[0] = u0 / length, w[1] = u1 / length;
    }
    printf("first direction (%.6f, %.6f)\n", w[0], w[1]);
    puts("point              code       reconstruction");
    for (int i = 0; i < 5; i++) {
        double z = point[i][0] * w[0] + point[i][1] * w[1];             /* encode */
        double r[2] = {z * w[0], z * w[1]};                             /* decode */
        residual += (point[i][0] - r[0]) * (point[i][0] - r[0]) +
                    (point[i][1] - r[1]) * (point[i][1] - r[1]);
        seen[0][i] = r[0], seen[1][i] = r[1];
        printf("%c (%4.1f, %4.1f)  %9.6f  (%.5f, %.5f)\n", 'A' + i, point[i][0], point[i][1], z,
               r[0], r[1]);
    }

    /* ---- digits: the K largest eigenvectors of X'X, all at once ---- */
    images(argc > 1 ? argv[1] : NULL, 0, TRAIN, x, NULL);
    for (size_t i = 0; i < TRAIN * PIXELS; i++) mean[i % PIXELS] += x[i] / TRAIN;
    for (size_t i = 0; i < TRAIN * PIXELS; i++) x[i] -= mean[i % PIXELS];
    normals(1, K * PIXELS, v);
    for (int step = 0; step < 30; step++) {
        multiply(TRAIN, K, PIXELS, x, 0, v, 1, codes);                  /* codes = X v' */
        if (step == 29) break;
        multiply(K, PIXELS, TRAIN, codes, 1, x, 0, v);                  /* v = codes' X */
        for (int k = 0; k < K; k++) {                                   /* Gram and Schmidt */
            float *row = v + k * PIXELS;
            double length = 0;
            for (int j = 0; j < k; j++) {
                double dot = 0;
                for (int p = 0; p < PIXELS; p++) dot += row[p] * v[j * PIXELS + p];
                for (int p = 0; p < PIXELS; p++) row[p] -= (float)dot * v[j * PIXELS + p];
            }
            for (int p = 0; p < PIXELS; p++) length += row[p] * row[p];
            for (int p = 0; p < PIXELS; p++) row[p] /= (float)square_root(length);
        }
    }
    double total = 0, kept[K + 1], number[K + 1];
    for (size_t i = 0; i < TRAIN * PIXELS; i++) total += x[i] * x[i];
    kept[0] = number[0] = 0;
    for (int k = 0; k < K; k++) {
        double sum = 0;
        for (int i = 0; i < TRAIN; i++) sum += codes[i * K + k] * codes[i * K + k];
        kept[k + 1] = kept[k] + sum / total, number[k + 1] = k + 1;
    }
    printf("%d components keep %.1f %% of the variance of the digits\n", K, 100 * kept[K]);

    /* ---- the picture ---- */
    figure *f = figure_new(1180, 400, "PCA: the line that loses least, the directions in which "
                           "digits differ", "Middle: the mean image and ten eigenvectors, blue "
                           "below 0, orange above. Right: 2000 images.");
    float xy[10];
    const char *const names[] = {"reconstruction", "point"};
    for (int i = 0; i < 5; i++) xy[2 * i] = (float)seen[0][i], xy[2 * i + 1] = (float)seen[1][i];
    figure_panel(f, 0, 0, .33, 1, "five points");
    figure_axes(f, "x", -.7, .7, "y", -.6, .6, FIGURE_EQUAL);
    figure_scatter(f, xy, 5, 2, NULL, 1, names);
    for (int i = 0; i < 5; i++) xy[2 * i] = (float)point[i][0], xy[2 * i + 1] = (float)point[i][1];
    const double slope = w[1] / w[0], ends[2] = {-.68, .68}, at[2] = {-.68 * slope, .68 * slope};
    figure_scatter(f, xy, 5, 2, NULL, 1, names + 1);
    figure_curve(f, ends, at, 2, "first direction");
    figure_legend(f, FIGURE_TOP_LEFT);
    memcpy(shown, mean, sizeof mean);
    for (int i = 0; i < K * PIXELS; i++) shown[PIXELS + i] = 8 * v[i];
    figure_panel(f, .33, 0, .66, 1, "digits: the mean, then the directions");
    figure_images(f, &(figure_sheet){.images = shown, .count = K + 1, .height = SIDE, .width = SIDE,
                                     .columns = 4, .both = 1});
    figure_panel(f, .66, 0, 1, 1, "share of the variance");
    figure_axes(f, "components", 0, K, "share kept", 0, .6, 0);
    figure_curve(f, number, kept, K + 1, NULL);
    save(f, "01_pca");
    return at_most("squared distances from the first direction, summed", residual, 0.042354);
}
