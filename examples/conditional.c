/* A conditional VAE: both nets are told the class, so the latents keep what the class does not say,
 * and a digit can be asked for by name.
 *   cc examples/conditional.c && ./a.out           (clang: add -O1, or it takes minutes)
 * conditional.png: a column for each class, a row for each draw of the latents. Along a row the
 * latents are the same, and so is the handwriting. */
#include <stdio.h>
#include <string.h>
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "../tools/digits.h"
#include "../tools/picture.h"

enum { IMAGES = 20000, CLASSES = 10, HANDS = 8, LATENT = 6 };
static uint8_t images[IMAGES * DIGITS_PIXELS], classes[IMAGES];
static int32_t labels[IMAGES];
static float hands[HANDS * LATENT], z[CLASSES * LATENT], out[HANDS * CLASSES * DIGITS_PIXELS];

static int show(vae *model, const vae_progress *p, void *user) {
    (void)model, (void)user;
    if (p->epoch_done) printf("epoch %2d  -ELBO %6.2f\n", (int)p->epoch + 1, -p->train.elbo);
    return 0; /* go on */
}

int main(void) {
    const size_t dims[] = {IMAGES, 28, 28};
    int32_t each[CLASSES];
    vae_desc desc = {0};
    vae_report report;
    vae_data data;
    vae_batch all = {0}, hand = {0};
    vae *model;
    const char *error;
    int i, c, bad = 0;
    desc.input = "28x28x1", desc.latent = LATENT, desc.lr = 3e-3;
    desc.beta = 2; /* dear latents do not repeat what the class says already */
    desc.encoder = "flatten, label 10, dense 400 relu, dense 200 relu";
    desc.decoder = "label 10, dense 400 relu, dense 200 relu";
    digits_fill(1, 0, IMAGES, images, classes);
    for (i = 0; i < IMAGES; i++) labels[i] = classes[i];
    if (vae_data_wrap(VAE_U8, 3, dims, images, &data, &report) ||
        vae_create(&desc, &model, &report))
        return fprintf(stderr, "%s\n", report.text), 1;
    data.labels = labels;
    all.rows = HANDS; /* all hands from the prior; then each hand, once for every class */
    bad = vae_fit(model, &data, NULL, show, NULL) || vae_prior(model, &all, 1, hands);
    for (c = 0; c < CLASSES; c++) each[c] = c;
    hand.x = z, hand.rows = CLASSES, hand.labels = each, hand.label_count = CLASSES;
    for (i = 0; i < HANDS && !bad; i++) {
        for (c = 0; c < CLASSES; c++)
            memcpy(z + c * LATENT, hands + i * LATENT, LATENT * sizeof(float));
        bad = vae_decode(model, &hand, out + i * CLASSES * DIGITS_PIXELS) != VAE_OK;
    }
    if (bad) return fprintf(stderr, "%s\n", vae_last_report(model)->text), 1;
    error = picture_save_grid("conditional.png", out, HANDS * CLASSES, 28, 28, 1, CLASSES, 3);
    if (error) return fprintf(stderr, "%s\n", error), 1;
    printf("wrote conditional.png: %d classes in %d hands\n", CLASSES, HANDS);
    return vae_destroy(model), 0;
}
