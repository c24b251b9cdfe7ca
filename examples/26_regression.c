/* 26 Regression on codes: what the codes of a VAE tell about size and place of a shape.
 *
 * Bengio, Courville & Vincent 2013, "Representation learning"; linear probes: Alain & Bengio 2016
 * (arXiv:1610.01644).
 *
 *   cc examples/26_regression.c && ./a.out
 *
 * A VAE is trained on shapes and never sees a label. Then a linear function of its codes is fitted
 * to 1000 labelled shapes by least squares, and asked for size, x and y of new shapes. If so simple
 * a function finds them, the codes hold them in plain sight.
 *
 * The number: the smallest of the three R^2, the share of the variance that is explained. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "common.h"
#include "../tools/shapes.h"

enum { TRAIN = 8000, FIT = 1000, TEST = 1000, SHOWN = 500, GREY = 16 * 16, K = 10, N = K + 1 };
static uint8_t factors[TRAIN + TEST][SHAPES_FACTORS];
static float x[(TRAIN + TEST) * GREY], codes[(TRAIN + TEST) * K];

/* A linear function of a code: the last weight is the constant. */
static double linear(const double w[N], const float *code) {
    double sum = w[K];
    for (int j = 0; j < K; j++) sum += w[j] * (double)code[j];
    return sum;
}

/* Least squares: w solves (C'C) w = C'y for codes C with a column of ones; Gauss's elimination. */
static void fit(int factor, double w[N]) {
    double a[N][N + 1] = {{0}};
    for (int n = 0; n < FIT; n++)
        for (int i = 0; i < N; i++) {
            const double ci = i < K ? (double)codes[n * K + i] : 1;
            for (int j = 0; j < N; j++) a[i][j] += ci * (j < K ? (double)codes[n * K + j] : 1);
            a[i][N] += ci * factors[n][factor];
        }
    for (int i = 0; i < N; i++) a[i][i] += 1e-6 * FIT; /* also when a latent is always 0 */
    for (int i = 0; i < N; i++)
        for (int r = 0; r < N; r++) {
            const double part = a[r][i] / a[i][i];
            for (int j = i; j <= N && r != i; j++) a[r][j] -= part * a[i][j];
        }
    for (int i = 0; i < N; i++) w[i] = a[i][N] / a[i][i];
}

int main(void) {
    const int asked[3] = {SHAPES_SIZE, SHAPES_X, SHAPES_Y};
    const char *const names[3] = {"size", "x", "y"};
    for (int n = 0; n < TRAIN + TEST; n++) {
        uint8_t rgb[SHAPES_BYTES];
        shapes_fill(1, (n < TRAIN ? 0 : SHAPES_TEST) + (uint32_t)n, 1, rgb, factors[n]);
        half_grey(rgb, x + n * GREY);
    }
    vae_desc desc = {0};
    desc.input = "256", desc.latent = K, desc.likelihood = "gaussian 0.01";
    desc.encoder = desc.decoder = "dense 200 relu, dense 100 relu";
    desc.lr = 2e-3, desc.epochs = 15;
    vae *model = create(&desc);
    vae_data data = wrap(x, TRAIN, GREY);
    ok(model, vae_fit(model, &data, NULL, NULL, NULL));
    ok(model, vae_encode(model, &(vae_batch){.x = x, .rows = TRAIN + TEST}, codes, NULL));
    vae_destroy(model);

    double least = 1;
    figure *f = figure_new(960, 370, "Factors of new shapes, by a linear function of their codes",
                           "The codes are of a VAE that saw no label.");
    for (int k = 0; k < 3; k++) {
        float dots[SHOWN][2];
        double w[N], sum = 0, squares = 0, missed = 0, range[2];
        fit(asked[k], w);
        for (int n = 0; n < TEST; n++) {
            const double truth = factors[TRAIN + n][asked[k]];
            const double guess = linear(w, codes + (TRAIN + n) * K);
            if (n < SHOWN) dots[n][0] = (float)truth, dots[n][1] = (float)guess;
            sum += truth, squares += truth * truth;
            missed += (truth - guess) * (truth - guess);
        }
        const double r2 = 1 - missed / (squares - sum * sum / TEST);
        printf("%-4s  R^2 %.3f\n", names[k], r2);
        least = figure__min(least, r2);
        figure_panel(f, k / 3.0, 0, (k + 1) / 3.0, 1, names[k]);
        figure_range(&dots[0][1], SHOWN, 2, .05, range);
        figure_axes(f, "true", -.5, shapes_values(asked[k]) - .5, k ? NULL : "from the codes",
                    range[0], range[1], 0);
        figure_scatter(f, dots[0], SHOWN, 2, NULL, 1, NULL);
    }
    save(f, "26_regression");
    return at_least("smallest R^2 of a linear function of the codes", least, .8);
}
