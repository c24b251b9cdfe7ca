/* 05 A denoising autoencoder learns what images look like, not how to copy them.
 *
 * Vincent, Larochelle, Lajoie, Bengio & Manzagol 2010, "Stacked denoising autoencoders".
 *
 *   cc examples/05_denoising_autoencoder.c && ./a.out [FOLDER OF MNIST]
 *
 * The encoder sees x + 0.5 times a normal; the target is the clean x. So the net must move an input
 * back to where images are. A plain autoencoder, trained on clean images, is given the same noisy
 * test images.
 *
 * The number: what is left of the noise, the squared error of the restored images divided by that
 * of the noisy ones. The plain autoencoder leaves more. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "common.h"

enum { TRAIN = 4000, TEST = 500, SHOWN = 12, EPOCHS = 10 };
static float x[TRAIN * PIXELS], test[TEST * PIXELS], noisy[TEST * PIXELS];
static float restored[2][TEST * PIXELS], shown[4 * SHOWN * PIXELS];

int main(int argc, char **argv) {
    const char *folder = argc > 1 ? argv[1] : NULL;
    double left[2];
    images(folder, 0, TRAIN, x, NULL);
    images(folder, 1, TEST, test, NULL);
    normals(7, TEST * PIXELS, noisy);
    for (size_t i = 0; i < TEST * PIXELS; i++) noisy[i] = test[i] + 0.5f * noisy[i];
    const double noise = squared_distance(test, noisy, TEST * PIXELS);

    for (int denoises = 0; denoises < 2; denoises++) {
        vae_desc desc = {0};
        desc.input = "784", desc.latent = 32;
        desc.encoder = "dense 256 relu", desc.decoder = "dense 256 relu";
        desc.likelihood = "gaussian", desc.visible_bias = VAE_BIAS_MEAN;
        desc.no_kl = desc.no_noise = 1;
        desc.batch = 100, desc.epochs = EPOCHS, desc.lr = 2e-3;
        desc.schedule = VAE_SCHEDULE_COSINE, desc.lr_steps = EPOCHS * TRAIN / 100;
        desc.corrupt = VAE_CORRUPT_GAUSSIAN;            /* what the encoder sees in training */
        desc.corruption = denoises ? 0.5 : 1e-6;        /* 1e-6: the plain one, nearly no noise */
        vae *model = create(&desc);
        vae_data data = wrap(x, TRAIN, PIXELS);
        vae_batch batch = {.x = noisy, .rows = TEST};
        ok(model, vae_fit(model, &data, NULL, NULL, NULL));
        ok(model, vae_reconstruct(model, &batch, restored[denoises]));
        left[denoises] = squared_distance(test, restored[denoises], TEST * PIXELS) / noise;
        printf("%s autoencoder leaves %.3f of the noise\n", denoises ? "denoising" : "plain",
               left[denoises]);
        vae_destroy(model);
    }

    const float *const lines[] = {test, noisy, restored[0], restored[1]};
    const char *const rows[] = {"clean", "noisy", "plain autoencoder", "denoising"};
    for (int i = 0; i < 4; i++)
        memcpy(shown + i * SHOWN * PIXELS, lines[i], SHOWN * PIXELS * sizeof *shown);
    figure *f = figure_new(900, 320, "A denoising autoencoder, and one that never saw noise",
                           "Test images with gaussian noise of deviation 0.5.");
    figure_panel(f, 0, 0, 1, 1, NULL);
    figure_images(f, &(figure_sheet){.images = shown, .count = 4 * SHOWN, .height = SIDE,
                                     .width = SIDE, .columns = SHOWN, .beside = rows});
    save(f, "05_denoising_autoencoder");
    return at_most("share of the noise that is left", left[1], .2);
}
