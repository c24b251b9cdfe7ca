/* 02 A linear autoencoder finds the subspace of PCA.
 *
 * Baldi & Hornik 1989, "Neural networks and principal component analysis: learning from examples
 * without local minima"; Bourlard & Kamp 1988.
 *
 *   cc examples/02_linear_autoencoder.c && ./a.out [FOLDER OF MNIST]
 *
 * Encoder and decoder are one matrix each, without activations; training minimises the squared
 * error. The best that they can do is to project on the first K principal directions. The codes
 * may be any basis of that subspace: the rows of the decoder are not the eigenvectors, but they
 * span the same space.
 *
 * The number: the largest principal angle between the decoder's rows and the K eigenvectors. It is
 * 0 degrees when the subspaces are the same, and 90 when one direction is missed. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "common.h"

enum { TRAIN = 2000, K = 6, MOST = 100 };
static float x[TRAIN * PIXELS], mean[PIXELS], v[K * PIXELS], w[K * PIXELS], shown[2 * K * PIXELS];
static double epochs[MOST], error[MOST];

static int note(vae *model, const vae_progress *p, void *user) { /* the error of each epoch */
    (void)model, (void)user;
    /* recon = 1/2 sum (x - m)^2 + 1/2 log 2 pi for each pixel, the variance being 1 */
    if (p->epoch_done)
        error[p->epoch] = (p->train.recon / PIXELS - 0.91893853320467) * 2,
        epochs[p->epoch] = (double)p->epoch + 1;
    return 0;
}

int main(int argc, char **argv) {
    images(argc > 1 ? argv[1] : NULL, 0, TRAIN, x, NULL);
    const double best = principal(x, TRAIN, PIXELS, K, mean, v);

    vae_desc desc = {0};
    desc.input = "784", desc.encoder = "", desc.decoder = "", desc.latent = K;
    desc.likelihood = "gaussian";           /* the squared error */
    desc.no_kl = desc.no_noise = 1;         /* an autoencoder: z = mu, no prior */
    desc.visible_bias = VAE_BIAS_MEAN;      /* the decoder's bias begins as the mean image */
    desc.batch = 250, desc.epochs = MOST, desc.lr = 4e-3;
    desc.schedule = VAE_SCHEDULE_COSINE, desc.lr_steps = MOST * TRAIN / 250;
    vae *model = create(&desc);
    vae_data data = wrap(x, TRAIN, PIXELS);
    ok(model, vae_fit(model, &data, NULL, note, NULL));

    /* the decoder's weight, (K, PIXELS), as an orthonormal basis of its rows */
    vae_tensor t;
    for (size_t i = 0; vae_tensor_at(model, i, &t) == VAE_OK; i++)
        if (strcmp(t.name, "decoder.head.weight") == 0) memcpy(w, t.data, sizeof w);
    memcpy(shown + K * PIXELS, w, sizeof w);
    orthonormal(w, K, PIXELS);

    /* m = w v', the cosines between the bases. Its smallest singular value is the cosine of the
     * largest angle, so the largest eigenvalue of 1 - m m' is the square of its sine. */
    float m[K * K];
    double a[K], sine2 = 0;
    multiply(K, K, PIXELS, w, 0, v, 1, m);
    for (int i = 0; i < K; i++) a[i] = 1 + i;
    for (int step = 0; step < 200; step++) { /* power iteration */
        double b[K], length = 0;
        for (int i = 0; i < K; i++) {
            b[i] = a[i];
            for (int j = 0; j < K; j++)
                for (int k = 0; k < K; k++)
                    b[i] -= (double)m[i * K + k] * (double)m[j * K + k] * a[j];
            length += b[i] * b[i];
        }
        sine2 = square_root(length);
        for (int i = 0; i < K && sine2 > 0; i++) a[i] = b[i] / sine2;
    }
    double low = 0, high = 90; /* the angle of this sine, by halving */
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2, s = sine(middle * 3.14159265358979324 / 180);
        if (s * s < sine2) low = middle;
        else high = middle;
    }
    printf("mean squared error per pixel: PCA %.6f, autoencoder %.6f\n", best, error[MOST - 1]);

    for (int i = 0; i < K * PIXELS; i++) shown[i] = 8 * v[i];
    for (int k = 0; k < K; k++) { /* rows of the decoder, all of the same length */
        float *row = shown + (K + k) * PIXELS;
        double length = 0;
        for (int p = 0; p < PIXELS; p++) length += (double)row[p] * (double)row[p];
        length = square_root(length);
        for (int p = 0; p < PIXELS; p++) row[p] *= (float)(8 / length);
    }
    figure *f = figure_new(1000, 380, "A linear autoencoder ends in the subspace of PCA",
                           "The same space, another basis: the decoder's rows mix the eigenvectors."
                           " Blue below 0, orange above.");
    const char *const rows[] = {"eigenvectors", "decoder"};
    figure_panel(f, 0, 0, .55, 1, "directions");
    figure_images(f, &(figure_sheet){.images = shown, .count = 2 * K, .height = SIDE, .both = 1,
                                     .width = SIDE, .columns = K, .beside = rows});
    figure_panel(f, .55, 0, 1, 1, "error by epoch");
    figure_axes(f, "epoch", 1, MOST, "mean squared error per pixel", best * .9, best * 2,
                FIGURE_LOG_X | FIGURE_LOG_Y);
    figure_curve(f, epochs, error, MOST, "autoencoder");
    figure_rule(f, best, "PCA", 1);
    save(f, "02_linear_autoencoder");
    vae_destroy(model);
    return at_most("largest angle between decoder and eigenvectors, degrees", low, 2);
}
