/* 19 Discrete codes, which can be counted in bits: categories, and FSQ.
 *
 * Jang, Gu & Poole 2017, "Categorical reparameterization with Gumbel-softmax" (arXiv:1611.01144);
 * Maddison et al. 2017; Mentzer et al. 2023, "Finite scalar quantization" (arXiv:2309.15505).
 *
 *   cc examples/19_discrete_codes.c && ./a.out [FOLDER OF MNIST]
 *
 * A choice has no slope, so a gradient cannot pass it. Two ways round that:
 *   categorical  each latent is one of K. Training decodes softmax((logits + Gumbel noise) /
 *                temperature), which has a slope, and comes close to a choice as temperatures fall
 *   FSQ          each latent is rounded to one of a few levels; the gradient passes as if it had
 *                not been rounded
 * Both get 1000 codes, about 10 bits: three latents of 10 categories, and latents of 8, 5, 5, 5
 * levels. A third code of 1000 needs no training: the nearest of 1000 training images.
 *
 * The number: FSQ's squared error on test images, divided by that of the nearest of 1000. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "common.h"

enum { TRAIN = 10000, TEST = 500, CODES = 1000, SHOWN = 10 };
static float x[TRAIN * PIXELS], test[TEST * PIXELS], by_fsq[TEST * PIXELS];
static float by_categories[TEST * PIXELS], by_image[TEST * PIXELS], apart[TEST * CODES];
static float levels[TEST * 4], choices[TEST * 30], shown[4 * SHOWN * PIXELS];

/* A trained model with such codes; z: those of the test images. */
static vae *train(const char *posterior, int latent, float *z) {
    vae_desc desc = {0};
    desc.input = "784", desc.posterior = posterior, desc.latent = latent;
    desc.encoder = "dense 200 relu, dense 100 relu";
    desc.decoder = "dense 100 relu, dense 200 relu";
    desc.visible_bias = VAE_BIAS_MEAN; /* so that the first steps do not drive all codes one way */
    if (latent) desc.temperature = 1, desc.temperature_end = 0.5, desc.temperature_steps = 400;
    desc.lr = 4e-3, desc.ema = 0.99, desc.epochs = 8;
    vae *model = create(&desc);
    vae_data data = wrap(x, TRAIN, PIXELS);
    ok(model, vae_fit(model, &data, NULL, NULL, NULL));
    ok(model, vae_encode(model, &(vae_batch){.x = test, .rows = TEST}, z, NULL));
    return model;
}

int main(int argc, char **argv) {
    const char *folder = argc > 1 ? argv[1] : NULL;
    images(folder, 0, TRAIN, x, NULL);
    images(folder, 1, TEST, test, NULL);

    vae *fsq = train("fsq 8 5 5 5", 0, levels); /* one latent for each count of levels */
    ok(fsq, vae_decode(fsq, &(vae_batch){.x = levels, .rows = TEST}, by_fsq));

    vae *categories = train("categorical 10", 3, choices);
    for (float *p = choices; p < choices + TEST * 30; p += 10) { /* ten probabilities */
        int best = 0;
        for (int k = 1; k < 10; k++) best = p[k] > p[best] ? k : best;
        for (int k = 0; k < 10; k++) p[k] = k == best; /* the most probable category becomes 1 */
    }
    ok(categories, vae_decode(categories, &(vae_batch){.x = choices, .rows = TEST}, by_categories));

    distances(TEST, test, CODES, x, PIXELS, apart);
    for (int n = 0; n < TEST; n++)
        memcpy(by_image + n * PIXELS, x + smallest(apart + n * CODES, CODES) * PIXELS,
               PIXELS * sizeof *x);

    int used = 0;
    for (int n = 0, m; n < TEST; n++) { /* a code counts where it appears first */
        for (m = 0; memcmp(levels + m * 4, levels + n * 4, 4 * sizeof *levels); m++) {}
        used += m == n;
    }
    printf("FSQ: %d test images have %d different codes of %d\n", TEST, used, CODES);
    const char *const names[] = {"test images", "FSQ 8 5 5 5", "3 categories of 10",
                                 "nearest of 1000"};
    const float *const rows[] = {test, by_fsq, by_categories, by_image};
    double error[4];
    for (int r = 0; r < 4; r++) {
        memcpy(shown + r * SHOWN * PIXELS, rows[r], SHOWN * PIXELS * sizeof *shown);
        error[r] = squared_distance(test, rows[r], TEST * PIXELS) / TEST;
        if (r) printf("%-19s squared error per image %.2f\n", names[r], error[r]);
    }
    figure *f = figure_new(760, 300, "Test images by codes of 10 bits", NULL);
    figure_panel(f, 0, 0, 1, 1, NULL);
    figure_images(f, &(figure_sheet){.images = shown, .count = 4 * SHOWN, .height = SIDE,
                                     .width = SIDE, .columns = SHOWN, .beside = names});
    save(f, "19_discrete_codes");
    vae_destroy(fsq), vae_destroy(categories);
    return at_most("error of FSQ over that of the nearest of 1000 images",
                   error[1] / error[3], .95);
}
