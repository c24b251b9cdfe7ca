/* 06 A contractive autoencoder: codes that hardly change when the image does.
 *
 * Rifai, Vincent, Muller, Glorot & Bengio 2011, "Contractive auto-encoders".
 *
 *   cc examples/06_contractive_autoencoder.c && ./a.out [FOLDER OF MNIST]
 *
 * The penalty contract * |dh/dx|^2 makes the derivatives of the codes h small. Reconstruction needs
 * those along directions in which images differ, and the decoder can make up for small codes. So
 * all singular values of the Jacobian shrink, and the net reconstructs nearly as well as before.
 *
 * With h = sigmoid(W x + b) the Jacobian is J = diag(h (1 - h)) W. Its singular values are the
 * roots of the eigenvalues of J J'.
 *
 * The number: the mean of |J|^2, the sum of the squared singular values, on test images, divided by
 * that of a plain autoencoder. The contractive one must still reconstruct. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "common.h"

enum { TRAIN = 3000, TEST = 200, PROBES = 40, K = 32, EPOCHS = 20 };
static float x[TRAIN * PIXELS], test[TEST * PIXELS], y[TEST * PIXELS], h[TEST * K];
static float w[K * PIXELS], j[K * PIXELS], jj[K * K];

/* The eigenvalues of a symmetric matrix, largest first: Jacobi's rotations turn one pair of rows
 * and columns after another until nothing is left beside the diagonal. */
static void eigenvalues(double a[K][K], double *values) {
    for (int sweep = 0; sweep < 8; sweep++)
        for (int p = 0; p < K; p++)
            for (int q = p + 1; q < K; q++) {
                if (a[p][q] * a[p][q] < 1e-24) continue;
                double theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
                double t = 1 / ((theta < 0 ? -theta : theta) + square_root(theta * theta + 1));
                if (theta < 0) t = -t;
                double c = 1 / square_root(t * t + 1), s = t * c;
                for (int i = 0; i < K; i++) {
                    double u = a[i][p], v = a[i][q];
                    a[i][p] = c * u - s * v, a[i][q] = s * u + c * v;
                }
                for (int i = 0; i < K; i++) {
                    double u = a[p][i], v = a[q][i];
                    a[p][i] = c * u - s * v, a[q][i] = s * u + c * v;
                }
            }
    for (int i = 0; i < K; i++) {
        int at = i;
        for (; at > 0 && values[at - 1] < a[i][i]; at--) values[at] = values[at - 1];
        values[at] = a[i][i];
    }
}

int main(int argc, char **argv) {
    const char *folder = argc > 1 ? argv[1] : NULL;
    double singular[2][K] = {{0}}, norm[2] = {0}, error[2], number[K];
    images(folder, 0, TRAIN, x, NULL);
    images(folder, 1, TEST, test, NULL);
    for (int contractive = 0; contractive < 2; contractive++) {
        vae_desc desc = {0};
        desc.input = "784", desc.latent = K, desc.encoder = "", desc.decoder = "";
        desc.posterior = "normal code sigmoid";
        desc.likelihood = "gaussian", desc.visible_bias = VAE_BIAS_MEAN;
        desc.no_kl = desc.no_noise = 1;
        desc.contract = contractive ? 1 : 0;
        desc.batch = 100, desc.epochs = EPOCHS, desc.lr = 5e-3;
        desc.schedule = VAE_SCHEDULE_COSINE, desc.lr_steps = EPOCHS * TRAIN / 100;
        vae *model = create(&desc);
        vae_data data = wrap(x, TRAIN, PIXELS);
        vae_batch batch = {.x = test, .rows = TEST};
        vae_tensor t;
        ok(model, vae_fit(model, &data, NULL, NULL, NULL));
        ok(model, vae_encode(model, &batch, h, NULL));
        ok(model, vae_reconstruct(model, &batch, y));
        error[contractive] = squared_distance(test, y, TEST * PIXELS) / TEST / PIXELS;

        /* the head's weight is (PIXELS, 2 K); its first K columns make the codes */
        ok(model, vae_tensor_at(model, 0, &t));
        for (int k = 0; k < K; k++)
            for (int p = 0; p < PIXELS; p++)
                w[k * PIXELS + p] = t.data[(size_t)p * t.shape[1] + (size_t)k];
        for (int i = 0; i < PROBES; i++) {
            double a[K][K], values[K];
            for (int k = 0; k < K; k++) {
                const float slope = h[i * K + k] * (1 - h[i * K + k]);
                for (int p = 0; p < PIXELS; p++) j[k * PIXELS + p] = slope * w[k * PIXELS + p];
            }
            multiply(K, K, PIXELS, j, 0, j, 1, jj);
            for (int k = 0; k < K * K; k++) a[k / K][k % K] = (double)jj[k];
            eigenvalues(a, values);
            for (int k = 0; k < K; k++) {
                norm[contractive] += values[k] / PROBES;
                singular[contractive][k] += square_root(values[k]) / PROBES;
            }
        }
        printf("%s: |J|^2 %.3f, mean squared error per pixel %.5f\n",
               contractive ? "contractive" : "plain", norm[contractive], error[contractive]);
        vae_destroy(model);
    }

    for (int k = 0; k < K; k++) number[k] = k + 1;
    figure *f = figure_new(680, 440, "Singular values of the encoder's Jacobian",
                           "Means over 40 test images; 32 sigmoid codes.");
    figure_panel(f, 0, 0, 1, 1, NULL);
    figure_axes(f, "number of the singular value", 1, K, "singular value", singular[1][K - 1] * .7,
                singular[0][0] * 1.5, FIGURE_LOG_Y);
    figure_curve(f, number, singular[0], K, "plain autoencoder");
    figure_curve(f, number, singular[1], K, "contractive");
    figure_legend(f, FIGURE_TOP_RIGHT);
    save(f, "06_contractive_autoencoder");
    if (!(error[1] < 1.5 * error[0])) puts("FAIL: it does not reconstruct any more");
    return at_most("|J|^2 of the contractive autoencoder over that of the plain one",
                   norm[1] / norm[0], .3) || !(error[1] < 1.5 * error[0]);
}
