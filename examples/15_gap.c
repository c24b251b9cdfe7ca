/* 15 The gap between the ELBO and log p(x), and how k samples close it.
 *
 * Burda, Grosse & Salakhutdinov 2016, "Importance weighted autoencoders"; Tipping & Bishop 1999,
 * "Probabilistic principal component analysis", for the exact value.
 *
 *   cc examples/15_gap.c && ./a.out [FOLDER OF MNIST]
 *
 * ELBO <= bound of k = 2 <= bound of k = 3 ... -> log p(x). For most models nobody knows log p(x).
 * With a linear decoder and normal noise it has a closed form: x ~ N(b, W W' + s^2 I). So the
 * bounds can be seen to arrive. Training stops early here: q is not yet the true posterior, which
 * leaves a gap.
 *
 * The number: how far the bound of 3000 samples is from the exact log p(x), as a share of the gap
 * of one sample (test images). Bounds must rise with k. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "common.h"

enum { TRAIN = 2000, TEST = 100, K = 4, SIZES = 8 };
static float x[TRAIN * PIXELS], test[TEST * PIXELS], bound[TEST], w[K * PIXELS], b[PIXELS];

int main(int argc, char **argv) {
    const char *folder = argc > 1 ? argv[1] : NULL;
    const int sizes[SIZES] = {1, 3, 10, 30, 100, 300, 1000, 3000};
    const double s2 = .05;
    double number[SIZES], gap[SIZES], exact = 0, ww[K][K];
    images(folder, 0, TRAIN, x, NULL);
    images(folder, 1, TEST, test, NULL);
    vae_desc desc = {0};
    desc.input = "784", desc.encoder = "", desc.decoder = "", desc.latent = K;
    desc.likelihood = "gaussian 0.05", desc.visible_bias = VAE_BIAS_MEAN;
    desc.batch = 50, desc.epochs = 12, desc.lr = 2e-3;
    vae *model = create(&desc);
    vae_data data = wrap(x, TRAIN, PIXELS);
    ok(model, vae_fit(model, &data, NULL, NULL, NULL));

    /* log N(x; b, C) with C = W W' + s^2 I, W (PIXELS, K): with M = W'W + s^2 I = L L',
     * log |C| = (PIXELS - K) log s^2 + log |M| and d' C^-1 d = (d'd - |L^-1 W'd|^2) / s^2 */
    vae_tensor t;
    for (size_t i = 0; vae_tensor_at(model, i, &t) == VAE_OK; i++) {
        if (strcmp(t.name, "decoder.head.weight") == 0) memcpy(w, t.data, sizeof w);
        if (strcmp(t.name, "decoder.head.bias") == 0) memcpy(b, t.data, sizeof b);
    }
    for (int i = 0; i < K; i++)
        for (int j = 0; j < K; j++) {
            ww[i][j] = i == j ? s2 : 0;
            for (int p = 0; p < PIXELS; p++)
                ww[i][j] += (double)w[i * PIXELS + p] * (double)w[j * PIXELS + p];
        }
    for (int i = 0; i < K; i++) /* Cholesky: the lower half becomes L */
        for (int j = 0; j <= i; j++) {
            for (int k = 0; k < j; k++) ww[i][j] -= ww[i][k] * ww[j][k];
            ww[i][j] = i == j ? square_root(ww[i][i]) : ww[i][j] / ww[j][j];
        }
    for (int n = 0; n < TEST; n++) {
        double square = 0, u[K] = {0};
        for (int p = 0; p < PIXELS; p++) {
            double d = (double)test[n * PIXELS + p] - (double)b[p];
            square += d * d;
            for (int k = 0; k < K; k++) u[k] += (double)w[k * PIXELS + p] * d;
        }
        double log_det = (PIXELS - K) * natural_log(s2);
        for (int i = 0; i < K; i++) {
            for (int k = 0; k < i; k++) u[i] -= ww[i][k] * u[k];
            u[i] /= ww[i][i];
            square -= u[i] * u[i];
            log_det += 2 * natural_log(ww[i][i]);
        }
        exact -= (PIXELS * 1.8378770664093453 + log_det + square / s2) / 2 / TEST;
    }

    int rises = 1;
    vae_batch batch = {.x = test, .rows = TEST};
    printf("exact log p(x) of test images: %.4f\n", exact);
    for (int n = 0; n < SIZES; n++) {
        double mean = 0;
        ok(model, vae_bound(model, &batch, sizes[n], bound));
        for (int i = 0; i < TEST; i++) mean += (double)bound[i] / TEST;
        number[n] = sizes[n], gap[n] = exact - mean;
        if (n > 0 && gap[n] > gap[n - 1]) rises = 0;
        printf("bound of %4d samples: %.4f, %.4f below\n", sizes[n], mean, gap[n]);
    }
    double bounds[SIZES], shown[SIZES];
    for (int n = 0; n < SIZES; n++)
        bounds[n] = exact - gap[n], shown[n] = figure__max(gap[n], 1e-4);
    figure *f = figure_new(1000, 420, "Bounds by the number of samples approach the exact log p(x)",
                           "A linear decoder: its log p(x) is known. 100 test images, 4 latents.");
    figure_panel(f, 0, 0, .5, 1, "the bound");
    figure_axes(f, "importance samples k", 1, 3000, "nats", bounds[0] - .3, exact + .8,
                FIGURE_LOG_X);
    figure_curve(f, number, bounds, SIZES, NULL);
    figure_rule(f, exact, "exact log p(x)", 0);
    figure_panel(f, .5, 0, 1, 1, "the gap");
    figure_axes(f, "importance samples k", 1, 3000, "log p(x) less the bound, nats",
                shown[SIZES - 1] / 2, gap[0] * 2, FIGURE_LOG_X | FIGURE_LOG_Y);
    figure_curve(f, number, shown, SIZES, NULL);
    save(f, "15_gap");
    vae_destroy(model);
    if (!rises) puts("FAIL: more samples gave a lower bound");
    double rest = gap[SIZES - 1] < 0 ? -gap[SIZES - 1] : gap[SIZES - 1];
    return at_most("share of the gap that 3000 samples leave", rest / gap[0], .1) || !rises;
}
