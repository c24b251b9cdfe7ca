/* 26. Regression on codes. A VAE that never saw a label: do its codes tell size and place of a
 * shape? A linear function of the codes, fitted to 1000 labelled shapes, is asked.
 *   Bengio, Courville & Vincent 2013, "Representation learning"; linear probes: Alain & Bengio 2016
 *   (arXiv:1610.01644).
 *
 *   cc examples/26_regression.c && ./a.out
 *
 * Picture: predicted against true size, x and y of shapes that the fit has not seen.
 * Number: the smallest of the three R^2, the part of the variance that is explained. */
#include <stdio.h>
#include <string.h>
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "../tools/shapes.h"
#include "../tools/picture.h"
#include "../tools/figures.h"

enum { IMAGES = 8000, FIT = 1000, TEST = 1000, SHOWN = 500 };
enum { SIDE = 16, PIXELS = SIDE * SIDE, LATENT = 10 };
static uint8_t large[SHAPES_BYTES], factors[IMAGES + TEST][SHAPES_FACTORS];
static float x[(IMAGES + TEST) * PIXELS], codes[(IMAGES + TEST) * LATENT];

static int fail(const char *what) { return fprintf(stderr, "26_regression: %s\n", what), 1; }

/* Grey, of half the size: the mean of four pixels, each the largest of its three colours. */
static void draw_shapes(void) {
    for (int n = 0; n < IMAGES + TEST; n++) {
        shapes_fill(1, (n < IMAGES ? 0 : SHAPES_TEST) + (uint32_t)n, 1, large, factors[n]);
        for (int i = 0; i < PIXELS; i++)
            for (int k = 0; k < 4; k++) {
                const uint8_t *p = large + (i / SIDE * 2 + k / 2) * 96 + (i % SIDE * 2 + k % 2) * 3;
                const int most = p[0] > p[1] ? p[0] : p[1];
                x[n * PIXELS + i] += (float)(most > p[2] ? most : p[2]) / 1020;
            }
    }
}

/* Least squares: w solves (C'C) w = C'y for codes C with a column of ones; Gauss's elimination. */
static void fit_line(int factor, double w[LATENT + 1]) {
    enum { N = LATENT + 1 };
    double a[N][N + 1] = {{0}};
    for (int n = 0; n < FIT; n++)
        for (int i = 0; i < N; i++) {
            const double ci = i < LATENT ? codes[n * LATENT + i] : 1;
            for (int j = 0; j < N; j++) a[i][j] += ci * (j < LATENT ? codes[n * LATENT + j] : 1);
            a[i][N] += ci * factors[n][factor];
        }
    for (int i = 0; i < N; i++) a[i][i] += 1e-6 * FIT;
    for (int i = 0; i < N; i++)
        for (int r = 0; r < N; r++) {
            const double part = a[r][i] / a[i][i];
            for (int j = i; j <= N && r != i; j++) a[r][j] -= part * a[i][j];
        }
    for (int i = 0; i < N; i++) w[i] = a[i][N] / a[i][i];
}

int main(void) {
    static const int asked[3] = {SHAPES_SIZE, SHAPES_X, SHAPES_Y};
    static const char *const names[3] = {"size", "x", "y"};
    const size_t dims[] = {IMAGES, PIXELS};
    double least = 1;
    vae_desc desc = {0};
    vae_report report;
    vae_data data;
    vae_batch batch = {0};
    vae *model;
    const char *error;
    figure *f = figure_new(960, 370, "Factors of new shapes, by a linear function of their codes",
                           NULL);

    draw_shapes();
    desc.input = "16x16x1", desc.latent = LATENT;
    desc.encoder = desc.decoder = "dense 200 relu, dense 100 relu";
    desc.lr = 2e-3, desc.epochs = 15, desc.likelihood = "gaussian 0.01";
    if (vae_data_wrap(VAE_F32, 2, dims, x, &data, &report) || vae_create(&desc, &model, &report))
        return fail(report.text);
    batch.x = x, batch.rows = IMAGES + TEST;
    if (vae_fit(model, &data, NULL, NULL, NULL) || vae_encode(model, &batch, codes, NULL))
        return fail(vae_last_report(model)->text);

    for (int k = 0; k < 3; k++) {
        float dots[SHOWN][2];
        double w[LATENT + 1], sum = 0, squares = 0, missed = 0, range[2];
        fit_line(asked[k], w);
        for (int n = IMAGES; n < IMAGES + TEST; n++) {
            const double y = factors[n][asked[k]];
            double guess = w[LATENT];
            for (int j = 0; j < LATENT; j++) guess += w[j] * codes[n * LATENT + j];
            if (n - IMAGES < SHOWN)
                dots[n - IMAGES][0] = (float)y, dots[n - IMAGES][1] = (float)guess;
            sum += y, squares += y * y, missed += (y - guess) * (y - guess);
        }
        figure_panel(f, k / 3.0, 0, (k + 1) / 3.0, 1, names[k]);
        figure_range(&dots[0][1], SHOWN, 2, 0.05, range);
        figure_axes(f, "true", -0.5, shapes_values(asked[k]) - 0.5, k ? NULL : "from the codes",
                    range[0], range[1], 0);
        figure_scatter(f, dots[0], SHOWN, 2, NULL, 1, NULL);
        missed /= squares - sum * sum / TEST;
        printf("%-4s  R^2 %.3f\n", names[k], 1 - missed);
        if (1 - missed < least) least = 1 - missed;
    }
    error = figure_save(f, "out/examples/26_regression.png");
    if (error) return fail(error);
    printf("smallest R^2 of a linear function of the codes: %.3f (at least 0.8)\n", least);
    vae_destroy(model);
    return !(least >= 0.8);
}
