/* 20. Flows in the posterior. A normal q(z|x) with a diagonal covariance is often the wrong shape;
 * steps behind it bend it, and the ELBO comes closer to log p(x).
 *   planar  z + u tanh(w z + b). Rezende & Mohamed 2015 (arXiv:1505.05770)
 *   IAF     s z + (1 - s) m, s and m from the latents before. Kingma et al. 2016 (arXiv:1606.04934)
 *
 *   cc examples/20_flows.c && ./a.out
 *
 * One decoder of two latents is trained and then kept, and three encoders are trained for it: so
 * log p(x) is the same for all, and the gap log p(x) - ELBO is KL(q(z|x) || p(z|x)).
 *
 * Picture: for one image the true posterior p(z|x) as a map, and draws of each q(z|x) on it.
 * Number: the gap with IAF, divided by that of the normal alone. */
#include <stdio.h>
#include <string.h>
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "../tools/digits.h"
#include "../tools/picture.h"
#include "../tools/figures.h"

enum { IMAGES = 5000, TEST = 200, PIXELS = DIGITS_PIXELS, DRAWS = 120, GRID = 60, K = 500 };
static const char *const posteriors[3] = {"normal", "normal, planar 8", "normal, iaf 32 4"};
static uint8_t images[(IMAGES + TEST) * PIXELS];
static float x[TEST * PIXELS], elbo[TEST], bound[TEST], draws[DRAWS * 2], same[DRAWS * PIXELS];
static float grid[GRID * GRID * 2], decoded[GRID * GRID * PIXELS], map[GRID * GRID];
static float decoder[10][200 * PIXELS]; /* its tensors, as they were learned first */

static int fail(const char *what) { return fprintf(stderr, "20_flows: %s\n", what), 1; }

static double exp_of(double a) {
    double y = a / 1024, e = 1 + y * (1 + y / 2 * (1 + y / 3 * (1 + y / 4)));
    for (int i = 0; i < 10; i++) e *= e;
    return a < -700 ? 0 : e;
}
static double log_of(double a) { /* Newton's iteration on e^y = a, for a from 1e-200 to 1 */
    double y = 0, thousands = 0;
    while (a < 1e-3) a *= 1000, thousands++;
    for (int k = 0; k < 8; k++) y += 2 * (a - exp_of(y)) / (a + exp_of(y));
    return y - thousands * 6.907755278982137;
}

/* Stores the decoder's tensors (save = 1), or gives them back to a model. */
static void keep_decoder(vae *model, int save) {
    vae_tensor t;
    for (size_t i = 0, n = 0; !vae_tensor_at(model, i, &t); i++) {
        if (strncmp(t.name, "decoder.", 8)) continue;
        if (save) memcpy(decoder[n], t.data, t.count * sizeof(float));
        else memcpy(t.data, decoder[n], t.count * sizeof(float));
        n++;
    }
}
static int after_step(vae *model, const vae_progress *p, void *user) {
    (void)p, (void)user;
    keep_decoder(model, 0); /* undoes what the step did to it */
    return 0;
}

/* p(z|x) = p(x|z) p(z) / p(x) of the first test image at GRID x GRID places, the largest 1. */
static int true_posterior(vae *model, const double *from, double width) {
    vae_batch batch = {0};
    double most = -1e9;
    for (int i = 0; i < GRID * GRID; i++) {
        grid[2 * i] = (float)(from[0] + (i % GRID + 0.5) * width / GRID);
        grid[2 * i + 1] = (float)(from[1] + width - (i / GRID + 0.5) * width / GRID);
    }
    batch.x = grid, batch.rows = GRID * GRID;
    if (vae_decode(model, &batch, decoded)) return 1;
    for (int i = 0; i < GRID * GRID; i++) {
        const double z1 = grid[2 * i], z2 = grid[2 * i + 1];
        double log_p = -0.5 * (z1 * z1 + z2 * z2), p = 1;
        for (int k = 0; k < PIXELS; k++) { /* the logarithm of the product of 16 pixels at a time */
            const double at = decoded[i * PIXELS + k];
            p *= x[k] > 0 ? at : 1 - at;
            if (p < 1e-200) p = 1e-200;
            if (k % 16 == 15) log_p += log_of(p), p = 1;
        }
        map[i] = (float)log_p;
        if (log_p > most) most = log_p;
    }
    for (int i = 0; i < GRID * GRID; i++) map[i] = (float)exp_of(map[i] - most);
    return 0;
}

int main(void) {
    const size_t dims[] = {IMAGES, 28, 28};
    double mean_elbo[3] = {0}, log_p = -1e9, x_range[2], y_range[2], from[2], width = 0;
    const char *error;
    figure *f;
    vae_report report;
    vae_data data;

    digits_fill(1, 0, IMAGES, images, NULL);
    digits_fill(1, DIGITS_TEST, TEST, images + IMAGES * PIXELS, NULL);
    for (size_t i = 0; i < sizeof images; i++) images[i] = images[i] > 127 ? 255 : 0;
    for (int i = 0; i < TEST * PIXELS; i++) x[i] = images[IMAGES * PIXELS + i] / 255.0f;
    for (int i = 0; i < DRAWS; i++) memcpy(same + i * PIXELS, x, PIXELS * sizeof *x);
    if (vae_data_wrap(VAE_U8, 3, dims, images, &data, &report)) return fail(report.text);
    f = figure_new(960, 380, "What q(z|x) can be, for one decoder and one image",
                   "map: the true posterior p(z|x); dots: 120 draws of q(z|x), by "
                   "an encoder that never saw this image");
    for (int k = -1; k < 3; k++) { /* -1: the decoder is learned */
        vae_desc desc = {0};
        vae_batch test = {0}, one = {0};
        double mean_bound = 0;
        vae *model;
        desc.input = "28x28x1", desc.latent = 2, desc.posterior = posteriors[k < 0 ? 0 : k];
        desc.encoder = "dense 200 relu, dense 64 relu";
        desc.decoder = "dense 64 relu, dense 64 relu";
        desc.visible_bias = VAE_BIAS_MEAN, desc.lr = 2e-3, desc.epochs = 10;
        if (vae_create(&desc, &model, &report)) return fail(report.text);
        if (k >= 0) keep_decoder(model, 0);
        if (vae_fit(model, &data, NULL, k < 0 ? NULL : after_step, NULL))
            return fail(vae_last_report(model)->text);
        keep_decoder(model, k < 0);
        test.x = x, test.rows = TEST, one.x = same, one.rows = DRAWS;
        if (k >= 0 && (vae_score(model, &test, elbo, NULL, NULL) ||
                       vae_bound(model, &test, K, bound) || vae_posterior(model, &one, draws)))
            return fail(vae_last_report(model)->text);
        if (k == 0) { /* a square around the normal's draws */
            figure_range(draws, DRAWS, 2, 0.3, x_range);
            figure_range(draws + 1, DRAWS, 2, 0.3, y_range);
            width = x_range[1] - x_range[0];
            if (y_range[1] - y_range[0] > width) width = y_range[1] - y_range[0];
            from[0] = (x_range[0] + x_range[1] - width) / 2;
            from[1] = (y_range[0] + y_range[1] - width) / 2;
            if (true_posterior(model, from, width)) return fail(vae_last_report(model)->text);
        }
        for (int n = 0; n < TEST && k >= 0; n++)
            mean_bound += bound[n] / TEST, mean_elbo[k] += elbo[n] / TEST;
        if (k >= 0) {
            printf("%-17s -ELBO %.2f, bound of %d draws %.2f\n", posteriors[k], -mean_elbo[k], K,
                   -mean_bound);
            if (mean_bound > log_p) log_p = mean_bound; /* all lie below the same log p(x) */
            figure_panel(f, k / 3.0, 0, (k + 1) / 3.0, 1, posteriors[k]);
            figure_axes(f, "z1", from[0], from[0] + width, k ? NULL : "z2", from[1],
                        from[1] + width, FIGURE_EQUAL);
            figure_heat(f, map, GRID, GRID, 0, 1, NULL);
            figure_scatter(f, draws, DRAWS, 2, NULL, 1, NULL);
        }
        vae_destroy(model);
    }
    error = figure_save(f, "out/examples/20_flows.png");
    if (error) return fail(error);
    log_p = (log_p - mean_elbo[2]) / (log_p - mean_elbo[0]);
    printf("the gap log p(x) - ELBO with IAF is %.2f of the normal's (at most 0.7)\n", log_p);
    return !(log_p <= 0.7 && mean_elbo[0] > -200); /* and the normal has learned something */
}
