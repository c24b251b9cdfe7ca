/* 14 Plain Monte Carlo of log p(x) from the prior, and why its variance is too high.
 *
 * Kingma & Welling 2014; Burda, Grosse & Salakhutdinov 2016; Doersch 2016, "Tutorial on variational
 * autoencoders", section 2.
 *
 *   cc examples/14_monte_carlo.c && ./a.out [FOLDER OF MNIST]
 *
 * p(x) is the mean of p(x|z) over z ~ p(z), but nearly all z of the prior give p(x|z) near 0: a few
 * lucky draws make the whole sum. Drawing z from q(z|x), where p(x|z) is large, and dividing by how
 * often q draws it, gives the same mean with far fewer draws. With two latents the truth can be had
 * as well: a sum over a fine grid of z.
 *
 * The number: the error of log p(x) of 100 importance samples over that of 1000 plain ones (root
 * mean square, test images). */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "common.h"

enum { TRAIN = 2000, TEST = 40, EPOCHS = 10, GRID = 100, CHUNK = 1000, SIZES = 7, PLAIN = 4000 };
static float x[TRAIN * PIXELS], test[TEST * PIXELS], z[CHUNK * 2], a[CHUNK * PIXELS];
static float soft[CHUNK * PIXELS], ones[PIXELS], base[CHUNK], dots[TEST * CHUNK];
static double log_p[TEST][GRID * GRID];     /* log p(x|z) of each z asked for */
static float drawn[PLAIN * 2], bound[TEST];

/* log p(x|z) = sum of x a - softplus(a) over the pixels, a the logits that z gives */
static void likelihoods(vae *model, const float *codes, int count) {
    for (int first = 0; first < count; first += CHUNK) {
        vae_batch batch = {.x = codes + 2 * first, .rows = CHUNK};
        vae_gemm_desc softplus = {.m = CHUNK * PIXELS, .n = 1, .k = 1, .a = a, .b = ones,
                                  .c = soft, .act = VAE_ACT_SOFTPLUS};
        ok(model, vae_decode_logits(model, &batch, a));
        if (vae_gemm(&softplus, NULL) != VAE_OK) stop("the product failed");
        multiply(CHUNK, 1, PIXELS, soft, 0, ones, 0, base);
        multiply(TEST, CHUNK, PIXELS, test, 0, a, 1, dots);
        for (int i = 0; i < TEST; i++)
            for (int s = 0; s < CHUNK; s++)
                log_p[i][first + s] = (double)dots[i * CHUNK + s] - (double)base[s];
    }
}

/* The logarithm of the sum of exp(terms). */
static double log_sum(const double *terms, int count) {
    double most = -1e300, sum = 0;
    for (int i = 0; i < count; i++) most = terms[i] > most ? terms[i] : most;
    for (int i = 0; i < count; i++)
        if (terms[i] > most - 40) sum += exponential(terms[i] - most);
    return most + natural_log(sum);
}

int main(int argc, char **argv) {
    const int sizes[SIZES] = {1, 3, 10, 30, 100, 300, 1000};
    const char *folder = argc > 1 ? argv[1] : NULL;
    static float grid[GRID * GRID * 2];
    double truth[TEST], number[SIZES], plain[SIZES], weighted[SIZES];
    images(folder, 0, TRAIN, x, NULL);
    images(folder, 1, TEST, test, NULL);
    for (int p = 0; p < PIXELS; p++) ones[p] = 1;
    vae_desc desc = {0};
    desc.input = "784", desc.latent = 2;
    desc.encoder = "dense 200 relu, dense 64 relu", desc.decoder = "dense 64 relu";
    desc.batch = 50, desc.epochs = EPOCHS, desc.lr = 2e-3, desc.visible_bias = VAE_BIAS_MEAN;
    vae *model = create(&desc);
    vae_data data = wrap(x, TRAIN);
    ok(model, vae_fit(model, &data, NULL, NULL, NULL));

    /* the truth: cells of a grid from -4.5 to 4.5, each log p(x|z) + log N(z; 0, I) + log area */
    const double step = 9.0 / GRID;
    for (int i = 0; i < GRID * GRID; i++) {
        grid[2 * i] = (float)(-4.5 + (i % GRID + .5) * step);
        grid[2 * i + 1] = (float)(-4.5 + (i / GRID + .5) * step);
    }
    likelihoods(model, grid, GRID * GRID);
    for (int i = 0; i < TEST; i++) {
        for (int k = 0; k < GRID * GRID; k++)
            log_p[i][k] += -(double)(grid[2 * k] * grid[2 * k] + grid[2 * k + 1] * grid[2 * k + 1]) / 2 -
                           1.8378770664093453 + 2 * natural_log(step);
        truth[i] = log_sum(log_p[i], GRID * GRID);
    }

    normals(5, PLAIN * 2, drawn);
    likelihoods(model, drawn, PLAIN);
    for (int n = 0; n < SIZES; n++) {
        double off[2] = {0};
        number[n] = sizes[n];
        for (int turn = 0; turn < 4; turn++) { /* four estimates of each image, of other draws */
            vae_batch batch = {.x = test, .rows = TEST, .first = (uint32_t)(turn * TEST)};
            ok(model, vae_bound(model, &batch, sizes[n], bound));
            for (int i = 0; i < TEST; i++) {
                double p = log_sum(log_p[i] + turn * 1000, sizes[n]) - natural_log(sizes[n]);
                off[0] += (p - truth[i]) * (p - truth[i]) / (4 * TEST);
                off[1] += ((double)bound[i] - truth[i]) * ((double)bound[i] - truth[i]) / (4 * TEST);
            }
        }
        plain[n] = square_root(off[0]), weighted[n] = square_root(off[1]);
        printf("%5d samples: error %8.3f from the prior, %7.4f by importance\n", sizes[n], plain[n],
               weighted[n]);
    }
    figure *f = figure_new(720, 460, "log p(x): draws from the prior, and from q(z|x)",
                           "Root mean square error, 40 test images; 2 latents; truth by a grid.");
    figure_panel(f, 0, 0, 1, 1, NULL);
    figure_axes(f, "samples", 1, 1000, "error of log p(x), nats", weighted[SIZES - 1] / 2,
                plain[0] * 2, FIGURE_LOG_X | FIGURE_LOG_Y);
    figure_curve(f, number, plain, SIZES, "z from the prior");
    figure_curve(f, number, weighted, SIZES, "z from q(z|x), weighted");
    figure_legend(f, FIGURE_BOTTOM_LEFT);
    save(f, "14_monte_carlo");
    vae_destroy(model);
    return at_most("error of 100 importance samples over that of 1000 plain ones",
                   weighted[4] / plain[6], .2);
}
