/* 14 Plain Monte Carlo of log p(x) from the prior, and why its variance is too high.
 *
 * Kingma & Welling 2014; Burda, Grosse & Salakhutdinov 2016; Doersch 2016, "Tutorial on variational
 * autoencoders", section 2.
 *
 *   cc examples/14_monte_carlo.c && ./a.out [FOLDER OF MNIST]
 *
 * p(x) is the mean of p(x|z) over z ~ p(z), but nearly all z of the prior give p(x|z) near 0: a few
 * lucky draws make the whole sum. Drawing z from q(z|x), where p(x|z) is large, and dividing by how
 * often q draws it, has the same mean and needs far fewer draws. With a linear decoder and normal
 * noise the truth is known: x ~ N(b, W W' + s^2 I), as in 15_gap.c.
 *
 * The number: the error of log p(x) of 10 importance samples over that of 1000 plain ones (root
 * mean square, test images). */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "common.h"

enum { TRAIN = 2000, TEST = 100, K = 6, EPOCHS = 30, SIZES = 7, TURNS = 4, DRAWS = TURNS * 1000 };
static float x[TRAIN * PIXELS], test[TEST * PIXELS], z[DRAWS * K], m[DRAWS * PIXELS];
static float dots[TEST * DRAWS], bound[TEST], w[K * PIXELS], b[PIXELS];
static double log_p[TEST][DRAWS]; /* log p(x|z) of each image and each z */
static const double s2 = .05, log_2pi = 1.8378770664093453;

/* log N(x; b, W W' + s^2 I), by M = W'W + s^2 I = L L': 15_gap.c has the formula. */
static double exact(const float *image) {
    double l[K][K], u[K] = {0}, square = 0, log_det = (PIXELS - K) * natural_log(s2);
    for (int p = 0; p < PIXELS; p++) {
        double d = (double)image[p] - (double)b[p];
        square += d * d;
        for (int k = 0; k < K; k++) u[k] += (double)w[k * PIXELS + p] * d;
    }
    for (int i = 0; i < K; i++) {
        for (int j = 0; j <= i; j++) {
            l[i][j] = i == j ? s2 : 0;
            for (int p = 0; p < PIXELS; p++)
                l[i][j] += (double)w[i * PIXELS + p] * (double)w[j * PIXELS + p];
            for (int k = 0; k < j; k++) l[i][j] -= l[i][k] * l[j][k];
            l[i][j] = i == j ? square_root(l[i][i]) : l[i][j] / l[j][j];
        }
        for (int k = 0; k < i; k++) u[i] -= l[i][k] * u[k];
        u[i] /= l[i][i], square -= u[i] * u[i], log_det += 2 * natural_log(l[i][i]);
    }
    return -(PIXELS * log_2pi + log_det + square / s2) / 2;
}

/* The logarithm of the mean of exp(terms). */
static double log_mean(const double *terms, int count) {
    double most = terms[0], sum = 0;
    for (int i = 1; i < count; i++) most = terms[i] > most ? terms[i] : most;
    for (int i = 0; i < count; i++)
        if (terms[i] > most - 40) sum += exponential(terms[i] - most);
    return most + natural_log(sum / count);
}

int main(int argc, char **argv) {
    const int sizes[SIZES] = {1, 3, 10, 30, 100, 300, 1000};
    const char *folder = argc > 1 ? argv[1] : NULL;
    double truth[TEST], number[SIZES], plain[SIZES], weighted[SIZES];
    vae_desc desc = {0};
    vae_tensor t;
    images(folder, 0, TRAIN, x, NULL);
    images(folder, 1, TEST, test, NULL);
    desc.input = "784", desc.encoder = "", desc.decoder = "", desc.latent = K;
    desc.likelihood = "gaussian 0.05", desc.visible_bias = VAE_BIAS_MEAN;
    desc.batch = 50, desc.epochs = EPOCHS, desc.lr = 4e-3;
    desc.schedule = VAE_SCHEDULE_COSINE, desc.lr_steps = EPOCHS * TRAIN / 50;
    vae *model = create(&desc);
    vae_data data = wrap(x, TRAIN, PIXELS);
    ok(model, vae_fit(model, &data, NULL, NULL, NULL));
    for (size_t i = 0; vae_tensor_at(model, i, &t) == VAE_OK; i++) {
        if (strcmp(t.name, "decoder.head.weight") == 0) memcpy(w, t.data, sizeof w);
        if (strcmp(t.name, "decoder.head.bias") == 0) memcpy(b, t.data, sizeof b);
    }
    for (int i = 0; i < TEST; i++) truth[i] = exact(test + i * PIXELS);

    /* draws of the prior, decoded; log p(x|z) = -|x - m|^2 / (2 s^2) - PIXELS / 2 log(2 pi s^2),
     * with |x - m|^2 = |x|^2 + |m|^2 - 2 x m */
    normals(5, DRAWS * K, z);
    ok(model, vae_decode(model, &(vae_batch){.x = z, .rows = DRAWS}, m));
    multiply(TEST, DRAWS, PIXELS, test, 0, m, 1, dots);
    for (int s = 0; s < DRAWS; s++) {
        double mm = 0;
        for (int p = 0; p < PIXELS; p++)
            mm += (double)m[s * PIXELS + p] * (double)m[s * PIXELS + p];
        for (int i = 0; i < TEST; i++) log_p[i][s] = mm - 2 * (double)dots[i * DRAWS + s];
    }
    for (int i = 0; i < TEST; i++) {
        double xx = 0;
        for (int p = 0; p < PIXELS; p++)
            xx += (double)test[i * PIXELS + p] * (double)test[i * PIXELS + p];
        for (int s = 0; s < DRAWS; s++)
            log_p[i][s] = -((log_p[i][s] + xx) / s2 + PIXELS * (log_2pi + natural_log(s2))) / 2;
    }

    for (int n = 0; n < SIZES; n++) {
        double off[2] = {0};
        number[n] = sizes[n];
        for (int turn = 0; turn < TURNS; turn++) { /* estimates of each image, of other draws */
            vae_batch batch = {.x = test, .rows = TEST, .first = (uint32_t)(turn * TEST)};
            ok(model, vae_bound(model, &batch, sizes[n], bound));
            for (int i = 0; i < TEST; i++) {
                double p = log_mean(log_p[i] + turn * 1000, sizes[n]), q = (double)bound[i];
                off[0] += (p - truth[i]) * (p - truth[i]) / (TURNS * TEST);
                off[1] += (q - truth[i]) * (q - truth[i]) / (TURNS * TEST);
            }
        }
        plain[n] = square_root(off[0]), weighted[n] = square_root(off[1]);
        printf("%5d samples: error %8.3f from the prior, %7.4f by importance\n", sizes[n], plain[n],
               weighted[n]);
    }
    figure *f = figure_new(720, 460, "log p(x): draws from the prior, and from q(z|x)",
                           "Root mean square error, 100 test images; 6 latents, a linear decoder.");
    figure_panel(f, 0, 0, 1, 1, NULL);
    figure_axes(f, "samples", 1, 1000, "error of log p(x), nats", weighted[SIZES - 1] / 2,
                plain[0] * 2, FIGURE_LOG_X | FIGURE_LOG_Y);
    figure_curve(f, number, plain, SIZES, "z from the prior");
    figure_curve(f, number, weighted, SIZES, "z from q(z|x), weighted");
    figure_legend(f, FIGURE_BOTTOM_LEFT);
    save(f, "14_monte_carlo");
    vae_destroy(model);
    return at_most("error of 10 importance samples over that of 1000 plain ones",
                   weighted[2] / plain[SIZES - 1], .1);
}
