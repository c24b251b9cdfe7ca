/* 17 The conditional VAE: digits that can be asked for by name.
 *
 * Sohn, Lee & Yan 2015, "Learning structured output representation using deep conditional
 * generative models"; Kingma et al. 2014 (arXiv:1406.5298), model M2 with all labels given.
 *
 *   cc examples/17_conditional.c && ./a.out [FOLDER OF MNIST]
 *
 * Both nets are told the class, so the latents only have to keep what the class does not say:
 * slant, width, thickness. To ask for a digit, draw the latents and name the class. In the picture
 * each column is a class and each row is one draw of the latents: along a row the digits differ,
 * the handwriting does not.
 *
 * The number: how many of 300 digits asked for look like what was asked for. The judge is the
 * nearest of 2000 training images. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "common.h"

enum { TRAIN = 10000, JUDGES = 2000, CLASSES = 10, HANDS = 30, K = 6, ASKED = HANDS * CLASSES };
static float x[TRAIN * PIXELS], hands[HANDS * K], z[ASKED * K], made[ASKED * PIXELS];
static float apart[ASKED * JUDGES];
static int32_t labels[TRAIN], asked[ASKED];

int main(int argc, char **argv) {
    images(argc > 1 ? argv[1] : NULL, 0, TRAIN, x, labels);
    vae_desc desc = {0};
    desc.input = "784", desc.latent = K;
    desc.encoder = "label 10, dense 200 relu"; /* the class as ten more inputs, 0 or 1 */
    desc.decoder = "label 10, dense 200 relu";
    desc.beta = 4; /* at this price the latents do not repeat what the class says already */
    desc.lr = 3e-3, desc.epochs = 10;
    vae *model = create(&desc);
    vae_data data = wrap(x, TRAIN, PIXELS);
    data.labels = labels;
    ok(model, vae_fit(model, &data, NULL, NULL, NULL));

    /* each draw of the latents is decoded as each of the ten classes */
    ok(model, vae_prior(model, &(vae_batch){.rows = HANDS}, 1, hands));
    for (int i = 0; i < ASKED; i++) {
        memcpy(z + i * K, hands + i / CLASSES * K, K * sizeof *z);
        asked[i] = i % CLASSES;
    }
    vae_batch batch = {.x = z, .rows = ASKED, .labels = asked, .label_count = ASKED};
    ok(model, vae_decode(model, &batch, made));

    int right = 0;
    distances(ASKED, made, JUDGES, x, PIXELS, apart);
    for (int i = 0; i < ASKED; i++)
        right += labels[smallest(apart + i * JUDGES, JUDGES)] == asked[i];

    const char *const names[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
    figure *f = figure_new(640, 580, "Digits that were asked for",
                           "A column for each class, a row for each draw of the latents.");
    figure_panel(f, 0, 0, 1, 1, NULL);
    figure_images(f, &(figure_sheet){.images = made, .count = 8 * CLASSES, .height = SIDE,
                                     .width = SIDE, .columns = CLASSES, .above = names});
    save(f, "17_conditional");
    vae_destroy(model);
    return at_least("share of digits that are what was asked for", (double)right / ASKED, .8);
}
