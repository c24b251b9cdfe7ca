/* 13 L samples per image, and k importance samples.
 *
 * Kingma & Welling 2014 (L = 1 is enough for minibatches of 100); Burda, Grosse & Salakhutdinov
 * 2016, "Importance weighted autoencoders".
 *
 *   cc examples/13_samples_per_image.c && ./a.out [FOLDER OF MNIST]
 *
 * Several draws z_s of an image have the log weights w_s = log p(x, z_s) / q(z_s|x). These can be
 * used in two ways:
 *   L averages the logarithms, 1/L sum w_s: the ELBO again, with less noise.
 *   k averages the weights themselves, log 1/k sum exp w_s: a tighter bound, which training can
 *     maximise too (objective iwae).
 * The same eight draws of a trained model are used both ways. Then models trained with L = 1, L = 8
 * and k = 8 are compared by the bound of 64 samples.
 *
 * The number: by how many nats the bound of k = 8 lies above the mean of L = 8 (test images). L
 * must leave the mean where it is, and make it less noisy: by the root of 8 in theory. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "common.h"

enum { TRAIN = 2500, TEST = 200, K = 8, EPOCHS = 8, MODELS = 3, S = 8 };
static float x[TRAIN * PIXELS], test[TEST * PIXELS], bound[TEST], w[2 * S][TEST];
static double loss[MODELS][EPOCHS], epochs[EPOCHS];

static int note(vae *model, const vae_progress *p, void *user) {
    vae_batch batch = {.x = test, .rows = TEST};
    if (!p->epoch_done) return 0;
    ok(model, vae_bound(model, &batch, 64, bound));
    double sum = 0;
    for (int i = 0; i < TEST; i++) sum -= (double)bound[i] / TEST;
    ((double *)user)[p->epoch] = sum, epochs[p->epoch] = (double)p->epoch + 1;
    return 0;
}

int main(int argc, char **argv) {
    const int samples[MODELS] = {1, S, S};
    const char *const names[MODELS] = {"L = 1", "L = 8", "k = 8"};
    const char *folder = argc > 1 ? argv[1] : NULL;
    double mean[3] = {0}, noise[2] = {0};
    images(folder, 0, TRAIN, x, NULL);
    images(folder, 1, TEST, test, NULL);
    for (int m = 0; m < MODELS; m++) {
        vae_desc desc = {0};
        desc.input = "784", desc.latent = K, desc.samples = samples[m];
        desc.objective = m == 2 ? VAE_OBJECTIVE_IWAE : VAE_OBJECTIVE_ELBO;
        desc.encoder = "dense 200 relu", desc.decoder = "dense 100 relu";
        desc.batch = 50, desc.epochs = EPOCHS, desc.lr = 2e-3, desc.visible_bias = VAE_BIAS_MEAN;
        vae *model = create(&desc);
        vae_data data = wrap(x, TRAIN, PIXELS);
        ok(model, vae_fit(model, &data, NULL, note, loss[m]));
        printf("trained with %s: -log p(x) of test images %.2f\n", names[m], loss[m][EPOCHS - 1]);
        for (int s = 0; s < 2 * S && m == 0; s++) { /* two lots of S draws */
            vae_batch batch = {.x = test, .rows = TEST, .first = (uint32_t)(s * TEST)};
            ok(model, vae_score(model, &batch, w[s], NULL, NULL));
        }
        vae_destroy(model);
    }
    for (int i = 0; i < TEST; i++) {
        double most = (double)w[0][i], lot[2] = {0}, weights = 0, off;
        for (int s = 0; s < S; s++) most = figure__max(most, (double)w[s][i]);
        for (int s = 0; s < S; s++) {
            lot[0] += (double)w[s][i] / S, lot[1] += (double)w[S + s][i] / S;
            weights += exponential((double)w[s][i] - most) / S;
        }
        mean[0] += (double)w[0][i] / TEST;
        mean[1] += lot[0] / TEST;
        mean[2] += (most + natural_log(weights)) / TEST;
        /* half the squared difference of two independent estimates is their variance */
        off = (double)w[0][i] - (double)w[S][i], noise[0] += off * off / 2 / TEST;
        off = lot[0] - lot[1], noise[1] += off * off / 2 / TEST;
    }
    const double calmer = square_root(noise[0] / noise[1]);
    printf("L = 1: %.2f, L = 8: %.2f, less noisy by %.2f; k = 8: %.2f\n", mean[0], mean[1], calmer,
           mean[2]);

    double high = 0, low = 1e9, shown[3];
    for (int m = 0; m < MODELS; m++) {
        high = figure__max(high, loss[m][0]), low = figure__min(low, loss[m][EPOCHS - 1]);
        shown[m] = -mean[m];
    }
    figure *f = figure_new(1020, 430, "Several draws for each image: a mean, or a tighter bound",
                           "200 test images; 8 latents. The bars do not begin at 0.");
    figure_panel(f, 0, 0, .6, 1, "trained with L or k samples");
    figure_axes(f, "epoch", 1, EPOCHS, "-log p(x) by 64 samples, nats", low - 1, high + 1, 0);
    for (int m = 0; m < MODELS; m++) figure_curve(f, epochs, loss[m], EPOCHS, names[m]);
    figure_legend(f, FIGURE_TOP_RIGHT);
    figure_panel(f, .6, 0, 1, 1, "one model (L = 1), the same draws");
    figure_axes(f, NULL, -.6, 2.6, "-bound, nats", shown[2] - 3, shown[0] + 1.5, FIGURE_NO_X);
    figure_bars(f, shown, 3, 0, 1, "%.2f", NULL);
    figure_names(f, names, 3);
    save(f, "13_samples_per_image");
    const int steady = mean[1] - mean[0] < 1 && mean[0] - mean[1] < 1 && calmer > 2;
    if (!steady) puts("FAIL: L moved the mean, or did not make it less noisy");
    return at_least("nats of the bound of k = 8 above the mean of L = 8", mean[2] - mean[1], 1) ||
           !steady;
}
