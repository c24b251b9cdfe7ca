/* The recipe that the field compares with, on MNIST: 784-400-20-400-784, ReLU, Bernoulli pixels,
 * Adam at 1e-3, batches of 128, 10 epochs, weights drawn as PyTorch draws them. Published logs of
 * it end at a test -ELBO of 105.56 and 105.59 nats per image.
 *
 *   cc examples/mnist.c && ./a.out FOLDER [EPOCHS]          (clang: add -O1)
 *
 * FOLDER holds train-images-idx3-ubyte and t10k-images-idx3-ubyte, plain or as .gz; other sets of
 * 28 x 28 images in the same form will do (Fashion-MNIST). Writes mnist.safetensors, which the vae
 * command also reads, mnist-samples.png and mnist-reconstructions.png. */
#include <stdio.h>
#include <stdlib.h>
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "../tools/picture.h"

enum { PIXELS = 28 * 28, COUNT = 100, COLUMNS = 20 };
static float samples[COUNT * PIXELS], pairs[2 * COUNT * PIXELS];

static int fail(const char *what) {
    fprintf(stderr, "mnist: %s\n", what);
    return 1;
}

/* FOLDER/NAME, or if that is not there FOLDER/NAME.gz; the report names what failed. */
static vae_status load(const char *folder, const char *name, vae_data *data, vae_report *report) {
    char path[1000];
    vae_status status;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    status = vae_data_load(path, NULL, data, report);
    if (status != VAE_ERR_OPEN) return status;
    snprintf(path, sizeof path, "%s/%s.gz", folder, name);
    return vae_data_load(path, NULL, data, report);
}

static int show(vae *model, const vae_progress *p, void *user) {
    (void)model, (void)user;
    if (!p->epoch_done) return 0;
    printf("epoch %2d  train -ELBO %.2f   test -ELBO %.2f = recon %.2f + KL %.2f\n",
           (int)p->epoch + 1, -p->train.elbo, -p->test.elbo, p->test.recon, p->test.kl);
    fflush(stdout);
    return 0;
}

int main(int argc, char **argv) {
    const size_t row = COLUMNS * PIXELS;
    vae_report report;
    vae_data train, test;
    vae_desc desc = {0};
    vae *model;
    const char *error;

    if (argc < 2) return fail("which folder? Usage: ./a.out FOLDER [EPOCHS]");
    if (load(argv[1], "train-images-idx3-ubyte", &train, &report) ||
        load(argv[1], "t10k-images-idx3-ubyte", &test, &report))
        return fail(report.text);
    if (test.count < COUNT) return fail("the test set has fewer than 100 images");

    desc.input = "28x28x1"; /* the rest of the recipe is the default */
    desc.init = VAE_INIT_PYTORCH;
    desc.epochs = argc > 2 ? atoi(argv[2]) : 10;
    if (vae_create(&desc, &model, &report)) return fail(report.text);

    /* the test set, read with the same scale as in training, becomes rows of images, each with a
     * row of reconstructions below */
    if (vae_fit(model, &train, &test, show, NULL) || vae_save(model, "mnist.safetensors", 0) ||
        vae_sample_prior(model, &(vae_batch){.rows = COUNT}, 1, samples))
        return fail(vae_last_report(model)->text);
    for (size_t i = 0; i < COUNT / COLUMNS; i++) {
        float *images = pairs + 2 * i * row;
        if (vae_data_read(&test, i * COLUMNS, COLUMNS, images)) return fail("no such test images");
        if (vae_reconstruct(model, &(vae_batch){.x = images, .rows = COLUMNS}, images + row))
            return fail(vae_last_report(model)->text);
    }
    error = picture_save_grid("mnist-samples.png", samples, COUNT, 28, 28, 1, COLUMNS, 2);
    if (!error)
        error = picture_save_grid("mnist-reconstructions.png", pairs, 2 * COUNT, 28, 28, 1,
                                  COLUMNS, 2);
    if (error) return fail(error);
    puts("wrote mnist.safetensors, mnist-samples.png and mnist-reconstructions.png");

    vae_destroy(model);
    vae_data_free(&test);
    vae_data_free(&train);
    return 0;
}
