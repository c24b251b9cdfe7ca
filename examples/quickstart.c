/* Trains on handwritten digits that the program draws itself, then invents new ones.
 *   cc examples/quickstart.c && ./a.out            (clang: add -O1, or it takes minutes) */
#include <stdio.h>
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "../tools/digits.h"
#include "../tools/picture.h"

enum { IMAGES = 20000, SAMPLES = 100 };
static uint8_t images[IMAGES * DIGITS_PIXELS];
static float samples[SAMPLES * DIGITS_PIXELS];

static int show(vae *model, const vae_progress *p, void *user) {
    (void)model, (void)user;
    if (p->epoch_done) printf("epoch %2d  -ELBO %6.2f\n", (int)p->epoch + 1, -p->train.elbo);
    return 0; /* go on */
}

int main(void) {
    const size_t dims[] = {IMAGES, 28, 28};
    vae_desc desc = {0}; /* what stays zero has its default */
    vae_report report;
    vae_data data;
    vae_batch batch = {0};
    vae *model;
    const char *error;
    desc.input = "28x28x1", desc.latent = 10, desc.lr = 3e-3, desc.ema = 0.99;
    desc.encoder = "dense 400 relu, dense 200 relu";
    desc.decoder = "dense 200 relu, dense 400 relu";
    digits_fill(1, 0, IMAGES, images, NULL);
    if (vae_data_wrap(VAE_U8, 3, dims, images, &data, &report) ||
        vae_create(&desc, &model, &report))
        return fprintf(stderr, "%s\n", report.text), 1;
    batch.rows = SAMPLES;
    if (vae_fit(model, &data, NULL, show, NULL) || vae_sample_prior(model, &batch, 1, samples))
        return fprintf(stderr, "%s\n", vae_last_report(model)->text), 1;
    error = picture_save_grid("samples.png", samples, SAMPLES, 28, 28, 1, 10, 3);
    if (error) return fprintf(stderr, "%s\n", error), 1;
    printf("wrote samples.png: %d digits that nobody ever wrote\n", SAMPLES);
    return vae_destroy(model), 0;
}
