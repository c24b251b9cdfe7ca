/* 20 Flows in the posterior: q(z|x) of other shapes than a normal's.
 *
 * Rezende & Mohamed 2015, "Variational inference with normalizing flows" (arXiv:1505.05770); Kingma
 * et al. 2016, "Improving variational inference with inverse autoregressive flow"
 * (arXiv:1606.04934).
 *
 *   cc examples/20_flows.c && ./a.out [FOLDER OF MNIST]
 *
 * The true posterior p(z|x) is seldom a normal with independent latents, and the ELBO lies below
 * log p(x) by KL(q(z|x) || p(z|x)). Steps behind the normal bend it, and the gap becomes smaller:
 *   planar  z + u tanh(w z + b)
 *   IAF     s z + (1 - s) m, where s and m of a latent come from the latents before it
 * Here one decoder of two latents is trained first and then kept. Three encoders are trained for
 * it, with no step, planar ones and IAF. So log p(x) is the same for all three, and only the gap
 * differs. The picture shows p(z|x) of one image as a map, and draws of each q(z|x) on it. The
 * draws lie a little beside it, because the encoder never saw this image.
 *
 * The number: the gap with IAF, divided by that of the normal alone (test images). The gap with IAF
 * must be below 3 nats, or the encoders are not trained. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "common.h"

enum { TRAIN = 5000, TEST = 200, DRAWS = 120, GRID = 60, CELLS = GRID * GRID, MOST = 500 };
static float x[TRAIN * PIXELS], test[TEST * PIXELS], same[DRAWS * PIXELS];
static float elbo[TEST], bound[TEST], draws[DRAWS * 2], z[CELLS * 2], logits[CELLS * PIXELS];
static float map[CELLS], decoder[10][64 * PIXELS]; /* its tensors, as they were learned first */

/* Stores the decoder's tensors (store = 1), or gives them back to a model. */
static void keep_decoder(vae *model, int store) {
    vae_tensor t;
    for (size_t i = 0, n = 0; vae_tensor_at(model, i, &t) == VAE_OK; i++) {
        if (strncmp(t.name, "decoder.", 8)) continue;
        if (store) memcpy(decoder[n], t.data, t.count * sizeof(float));
        else memcpy(t.data, decoder[n], t.count * sizeof(float));
        n++;
    }
}
static int undo(vae *model, const vae_progress *p, void *user) { /* what a step did to it */
    (void)p, (void)user;
    keep_decoder(model, 0);
    return 0;
}

static vae *train(const char *posterior, int first) {
    vae_desc desc = {0};
    desc.input = "784", desc.latent = 2, desc.posterior = posterior;
    desc.encoder = "dense 200 relu, dense 64 relu";
    desc.decoder = "dense 64 relu, dense 64 relu";
    desc.visible_bias = VAE_BIAS_MEAN, desc.lr = 2e-3, desc.epochs = 10;
    vae *model = create(&desc);
    vae_data data = wrap(x, TRAIN, PIXELS);
    if (!first) keep_decoder(model, 0);
    ok(model, vae_fit(model, &data, NULL, first ? NULL : undo, NULL));
    return model;
}

/* p(z|x) = p(x|z) p(z) / p(x) of an image at the middles of GRID x GRID cells, the largest 1. */
static void true_posterior(vae *model, const float *image, const double from[2], double width) {
    float most = -1e9f;
    for (int i = 0; i < CELLS; i++) {
        z[2 * i] = (float)(from[0] + (i % GRID + .5) * width / GRID);
        z[2 * i + 1] = (float)(from[1] + width - (i / GRID + .5) * width / GRID);
    }
    ok(model, vae_decode_logits(model, &(vae_batch){.x = z, .rows = CELLS}, logits));
    for (int i = 0; i < CELLS; i++) { /* first log p(z) + log p(x|z), with x 0 or 1 */
        map[i] = -(z[2 * i] * z[2 * i] + z[2 * i + 1] * z[2 * i + 1]) / 2;
        for (int p = 0; p < PIXELS; p++) {
            const double a = (double)logits[i * PIXELS + p];
            map[i] -= (float)natural_log(1 + exponential(image[p] > 0 ? -a : a));
        }
        if (map[i] > most) most = map[i];
    }
    for (int i = 0; i < CELLS; i++) map[i] = (float)exponential((double)(map[i] - most));
}

int main(int argc, char **argv) {
    const char *const posteriors[] = {"normal", "normal, planar 8", "normal, iaf 32 4"};
    const char *folder = argc > 1 ? argv[1] : NULL;
    double mean_elbo[3], log_p = -1e9, a[2], b[2], from[2] = {0}, width = 0;
    images(folder, 0, TRAIN, x, NULL);
    images(folder, 1, TEST, test, NULL);
    for (int i = 0; i < TRAIN * PIXELS; i++) x[i] = x[i] > .5f;
    for (int i = 0; i < TEST * PIXELS; i++) test[i] = test[i] > .5f;
    for (int i = 0; i < DRAWS * PIXELS; i++) same[i] = test[i % PIXELS];
    vae *first = train("normal", 1);
    keep_decoder(first, 1);

    figure *f = figure_new(960, 380, "What q(z|x) can be, for one decoder and one image",
                           "Map: the true posterior p(z|x). Dots: 120 draws of q(z|x), by an "
                           "encoder that never saw this image.");
    for (int k = 0; k < 3; k++) {
        vae *model = train(posteriors[k], 0);
        vae_batch batch = {.x = test, .rows = TEST};
        ok(model, vae_score(model, &batch, elbo, NULL, NULL));
        ok(model, vae_bound(model, &batch, MOST, bound));
        ok(model, vae_posterior(model, &(vae_batch){.x = same, .rows = DRAWS}, draws));
        vae_destroy(model);
        mean_elbo[k] = mean_of(elbo, TEST);
        log_p = figure__max(log_p, mean_of(bound, TEST)); /* all lie below the same log p(x) */
        printf("%-17s -ELBO %.2f, bound of %d draws %.2f\n", posteriors[k], -mean_elbo[k], MOST,
               -mean_of(bound, TEST));
        if (k == 0) { /* the map: a square around the normal's draws */
            figure_range(draws, DRAWS, 2, .3, a), figure_range(draws + 1, DRAWS, 2, .3, b);
            width = figure__max(a[1] - a[0], b[1] - b[0]);
            from[0] = (a[0] + a[1] - width) / 2, from[1] = (b[0] + b[1] - width) / 2;
            true_posterior(first, test, from, width);
        }
        figure_panel(f, k / 3.0, 0, (k + 1) / 3.0, 1, posteriors[k]);
        figure_axes(f, "z1", from[0], from[0] + width, k ? NULL : "z2", from[1], from[1] + width,
                    FIGURE_EQUAL);
        figure_heat(f, map, GRID, GRID, 0, 1, NULL);
        figure_scatter(f, draws, DRAWS, 2, NULL, 1, NULL);
    }
    save(f, "20_flows");
    vae_destroy(first);
    const double gap = log_p - mean_elbo[2], of_normal = log_p - mean_elbo[0];
    const int learned = mean_elbo[0] > -200 && gap < 3;
    if (!learned) puts("FAIL: the decoder or the encoders have not learned enough");
    return at_most("gap log p(x) - ELBO with IAF over that of the normal alone", gap / of_normal,
                   .7) || !learned;
}
