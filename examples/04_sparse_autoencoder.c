/* 04 A sparse autoencoder: more codes than pixels, nearly all of them 0 for any one image.
 *
 * Olshausen & Field 1996, "Emergence of simple-cell receptive field properties by learning a sparse
 * code for natural images"; Ng 2011, lecture notes "Sparse autoencoder".
 *
 *   cc examples/04_sparse_autoencoder.c && ./a.out [FOLDER OF MNIST]
 *
 * With 1000 codes for 784 pixels an autoencoder could copy its input and learn nothing. The penalty
 * sparse * sum |code| makes each code that is not 0 cost something. So an image is put together
 * from few features, and features look like strokes and whole digits.
 *
 * The number: the share of codes that are exactly 0 on test images. Codes that are all 0 would be
 * easy, so the reconstructions must also be better than those of PCA with 30 numbers. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "common.h"

enum { TRAIN = 3000, TEST = 500, CODES = 1000, FEATURES = 60, SHOWN = 12, PCA = 30 };
static float x[TRAIN * PIXELS], test[TEST * PIXELS], y[TEST * PIXELS], z[TEST * CODES];
static float mean[PIXELS], v[PCA * PIXELS], drawn[FEATURES * PIXELS], shown[2 * SHOWN * PIXELS];

int main(int argc, char **argv) {
    const char *folder = argc > 1 ? argv[1] : NULL;
    images(folder, 0, TRAIN, x, NULL);
    images(folder, 1, TEST, test, NULL);
    const double pca = principal(x, TRAIN, PIXELS, PCA, mean, v);

    vae_desc desc = {0};
    desc.input = "784", desc.encoder = "", desc.decoder = "", desc.latent = CODES;
    desc.posterior = "normal code relu";    /* codes below 0 become exactly 0 */
    desc.likelihood = "gaussian", desc.no_kl = desc.no_noise = 1;
    desc.sparse = 0.12;                     /* the penalty on each code */
    desc.batch = 100, desc.epochs = 12, desc.lr = 2e-3;
    desc.schedule = VAE_SCHEDULE_COSINE, desc.lr_steps = 12 * TRAIN / 100;
    vae *model = create(&desc);
    vae_data data = wrap(x, TRAIN, PIXELS);
    ok(model, vae_fit(model, &data, NULL, NULL, NULL));

    vae_batch batch = {.x = test, .rows = TEST};
    ok(model, vae_encode(model, &batch, z, NULL));
    ok(model, vae_reconstruct(model, &batch, y));
    const double error = squared_distance(test, y, TEST * PIXELS) / TEST / PIXELS;
    double zeros = 0, used[CODES] = {0};
    for (int i = 0; i < TEST * CODES; i++) {
        if (z[i] > 0) used[i % CODES] += z[i];
        else zeros++;
    }
    const double share = zeros / (TEST * CODES);
    printf("%.1f of %d codes are not 0; mean squared error per pixel %.5f (PCA of %d: %.5f)\n",
           (1 - share) * CODES, CODES, error, PCA, pca);

    /* the features: rows of the decoder, those first that do most */
    vae_tensor t, decoder = {0};
    for (size_t i = 0; vae_tensor_at(model, i, &t) == VAE_OK; i++)
        if (strcmp(t.name, "decoder.head.weight") == 0) decoder = t;
    for (int k = 0; k < FEATURES; k++) {
        int most = 0;
        float top = 0;
        for (int j = 1; j < CODES; j++)
            if (used[j] > used[most]) most = j;
        used[most] = -1;
        const float *row = decoder.data + most * PIXELS;
        for (int p = 0; p < PIXELS; p++)
            top = row[p] > top ? row[p] : -row[p] > top ? -row[p] : top;
        for (int p = 0; p < PIXELS; p++) drawn[k * PIXELS + p] = row[p] / (top > 0 ? top : 1);
    }
    memcpy(shown, test, SHOWN * PIXELS * sizeof *test);
    memcpy(shown + SHOWN * PIXELS, y, SHOWN * PIXELS * sizeof *test);
    figure *f = figure_new(960, 500, "A sparse autoencoder: 1000 codes, few at a time",
                           "The 60 features that test images use most. Blue below 0, orange "
                           "above.");
    const char *const rows[] = {"image", "from its codes"};
    figure_panel(f, 0, 0, 1, .66, "features: rows of the decoder");
    figure_images(f, &(figure_sheet){.images = drawn, .count = FEATURES, .height = SIDE, .both = 1,
                                     .width = SIDE, .columns = 15, .zoom = 2});
    figure_panel(f, 0, .68, 1, 1, NULL);
    figure_images(f, &(figure_sheet){.images = shown, .count = 2 * SHOWN, .height = SIDE,
                                     .width = SIDE, .columns = SHOWN, .beside = rows});
    save(f, "04_sparse_autoencoder");
    vae_destroy(model);
    if (!(error < pca)) puts("FAIL: PCA with 30 numbers reconstructs better");
    return at_least("share of codes that are 0", share, .85) || !(error < pca);
}
