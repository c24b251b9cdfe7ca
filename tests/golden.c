/* The golden runs with the library alone, for machines where the command would take long to build:
 *     golden 1 2 7     prints the hash of each run, which is its line of tests/golden.txt */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "golden.h"

static int golden(int run) {
    static uint8_t pixels[GOLDEN_MOST * DIGITS_PIXELS];
    static int32_t labels[GOLDEN_MOST];
    size_t dims[3] = {0, DIGITS_HEIGHT, DIGITS_WIDTH};
    vae_desc desc = golden_desc(run);
    vae_report report;
    vae_data data;
    vae *model;
    uint64_t hash;
    dims[0] = golden_images[run];
    digits_fill(1, 0, golden_images[run], pixels, NULL);
    golden_labels(golden_images[run], labels);
    if (vae_data_wrap(VAE_U8, 3, dims, pixels, &data, &report) ||
        vae_create(&desc, &model, &report)) {
        printf("%s\n", report.text);
        return 1;
    }
    data.labels = labels;
    if (vae_fit(model, &data, NULL, NULL, NULL)) {
        printf("%s\n", vae_last_report(model)->text);
        return 1;
    }
    hash = vae_params_hash(model);
    printf("%08lx%08lx\n", (unsigned long)(hash >> 32), (unsigned long)(hash & 0xffffffffu));
    vae_destroy(model);
    return 0;
}

int main(int argc, char **argv) {
    int i;
    for (i = 1; i < argc; i++) {
        const int run = atoi(argv[i]);
        if (run < 1 || run > GOLDEN || golden(run - 1)) return 1;
    }
    return 0;
}
