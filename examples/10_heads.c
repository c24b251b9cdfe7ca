/* 10 How a net gives a deviation, which must be above 0: abs, ReLU, log variance.
 *
 * Kingma & Welling 2014, appendix C (log variance); lectures name the others for contrast.
 *
 *   cc examples/10_heads.c && ./a.out [FOLDER OF MNIST]
 *
 * The encoder's last layer gives any number a. The deviation of q(z|x) can be
 *   |a|           not smooth at 0, and its slope changes its sign there
 *   max(a, 0)     no gradient below 0: such a latent keeps the smallest deviation for that image
 *   exp(a / 2)    a is the log variance: smooth, above 0 everywhere, and the KL is simple in a
 * The library keeps the first two at 0.001 or more, or the KL would be infinite. ReLU comes close
 * here, because the KL pushes every deviation up before it can die.
 *
 * The number: by how many nats the log variance ends below |a|, in -ELBO of test images. ReLU must
 * not be better either. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "common.h"

enum { TRAIN = 3000, TEST = 500, K = 8, EPOCHS = 10, HEADS = 3 };
static float x[TRAIN * PIXELS], test[TEST * PIXELS];
static double loss[HEADS][EPOCHS], epochs[EPOCHS];

static int note(vae *model, const vae_progress *p, void *user) {
    (void)model;
    if (p->epoch_done) ((double *)user)[p->epoch] = -p->test.elbo;
    return 0;
}

int main(int argc, char **argv) {
    const char *const posteriors[] = {"normal abs", "normal relu", "normal"};
    const char *const names[] = {"abs", "ReLU", "log variance"};
    const char *folder = argc > 1 ? argv[1] : NULL;
    double last[HEADS];
    images(folder, 0, TRAIN, x, NULL);
    images(folder, 1, TEST, test, NULL);
    for (int e = 0; e < EPOCHS; e++) epochs[e] = e + 1;
    for (int h = 0; h < HEADS; h++) {
        vae_desc desc = {0};
        desc.input = "784", desc.latent = K, desc.posterior = posteriors[h];
        desc.encoder = "dense 200 relu", desc.decoder = "dense 200 relu";
        desc.batch = 50, desc.epochs = EPOCHS, desc.lr = 2e-3, desc.visible_bias = VAE_BIAS_MEAN;
        vae *model = create(&desc);
        vae_data data = wrap(x, TRAIN, PIXELS), held = wrap(test, TEST, PIXELS);
        ok(model, vae_fit(model, &data, &held, note, loss[h]));
        last[h] = loss[h][EPOCHS - 1];
        printf("%-12s -ELBO of test images %.2f\n", names[h], last[h]);
        vae_destroy(model);
    }
    double low = last[2], high = loss[0][0];
    for (int h = 0; h < HEADS; h++) high = figure__max(high, loss[h][0]);
    figure *f = figure_new(1000, 420, "Three heads for the deviation of q(z|x)",
                           "8 latents; the same seed and settings. The bars do not begin at 0.");
    figure_panel(f, 0, 0, .62, 1, "-ELBO of test images by epoch");
    figure_axes(f, "epoch", 1, EPOCHS, "nats", low - 4, high + 4, 0);
    for (int h = 0; h < HEADS; h++) figure_curve(f, epochs, loss[h], EPOCHS, names[h]);
    figure_legend(f, FIGURE_TOP_RIGHT);
    figure_panel(f, .62, 0, 1, 1, "at the end");
    figure_axes(f, NULL, -.6, 2.6, "nats", low - 4, last[0] + 2, FIGURE_NO_X);
    figure_bars(f, last, HEADS, 0, 1, "%.2f", NULL);
    figure_names(f, names, HEADS);
    save(f, "10_heads");
    if (!(last[2] < last[1])) puts("FAIL: ReLU is better");
    return at_least("nats that the log variance is better than |a|", last[0] - last[2], 3) ||
           !(last[2] < last[1]);
}
