/* 13 L samples per image, and k importance samples.
 *
 * Kingma & Welling 2014 (L = 1 is enough for minibatches of 100); Burda, Grosse & Salakhutdinov
 * 2016, "Importance weighted autoencoders".
 *
 *   cc examples/13_samples_per_image.c && ./a.out [FOLDER OF MNIST]
 *
 * Both draw several z for each image. L averages the losses: the same objective, with a little less
 * noise in its gradient. k averages the likelihoods inside the logarithm: another objective, a
 * tighter bound, -log 1/k sum p(x,z)/q(z|x), which leaves q more freedom. So more L hardly helps,
 * and more k does.
 *
 * The number: by how many nats k = 8 betters the estimate of -log p(x) of test images (64 samples)
 * of the model with L = 8, which costs as much. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "common.h"

enum { TRAIN = 3000, TEST = 200, K = 8, EPOCHS = 8, MODELS = 3, BOUND = 64 };
static float x[TRAIN * PIXELS], test[TEST * PIXELS], bound[TEST];
static double loss[MODELS][EPOCHS], epochs[EPOCHS];

static int note(vae *model, const vae_progress *p, void *user) {
    vae_batch batch = {.x = test, .rows = TEST};
    if (!p->epoch_done) return 0;
    ok(model, vae_bound(model, &batch, BOUND, bound));
    double sum = 0;
    for (int i = 0; i < TEST; i++) sum -= (double)bound[i] / TEST;
    ((double *)user)[p->epoch] = sum, epochs[p->epoch] = (double)p->epoch + 1;
    return 0;
}

int main(int argc, char **argv) {
    const int samples[MODELS] = {1, 8, 8};
    const char *const names[MODELS] = {"L = 1", "L = 8", "k = 8"};
    const char *folder = argc > 1 ? argv[1] : NULL;
    images(folder, 0, TRAIN, x, NULL);
    images(folder, 1, TEST, test, NULL);
    for (int m = 0; m < MODELS; m++) {
        vae_desc desc = {0};
        desc.input = "784", desc.latent = K, desc.samples = samples[m];
        desc.objective = m == 2 ? VAE_OBJECTIVE_IWAE : VAE_OBJECTIVE_ELBO;
        desc.encoder = "dense 200 relu", desc.decoder = "dense 100 relu";
        desc.batch = 50, desc.epochs = EPOCHS, desc.lr = 3e-3, desc.visible_bias = VAE_BIAS_MEAN;
        vae *model = create(&desc);
        vae_data data = wrap(x, TRAIN);
        ok(model, vae_fit(model, &data, NULL, note, loss[m]));
        printf("%s: -log p(x) of test images, by %d samples: %.2f\n", names[m], BOUND,
               loss[m][EPOCHS - 1]);
        vae_destroy(model);
    }
    double high = 0, low = 1e9;
    for (int m = 0; m < MODELS; m++)
        high = figure__max(high, loss[m][0]), low = figure__min(low, loss[m][EPOCHS - 1]);
    figure *f = figure_new(720, 440, "Several draws for each image: their mean, or a tighter bound",
                           "200 test images, 64 importance samples each; 8 latents.");
    figure_panel(f, 0, 0, 1, 1, NULL);
    figure_axes(f, "epoch", 1, EPOCHS, "-log p(x) of test images, nats", low - 1, high + 1, 0);
    for (int m = 0; m < MODELS; m++) figure_curve(f, epochs, loss[m], EPOCHS, names[m]);
    figure_legend(f, FIGURE_TOP_RIGHT);
    save(f, "13_samples_per_image");
    return at_least("nats that k = 8 is better than L = 8",
                    loss[1][EPOCHS - 1] - loss[2][EPOCHS - 1], .3);
}
