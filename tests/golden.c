/* The golden runs with the library alone, which builds in half the time of the command:
 *     golden [ISA FILE] RUN...
 * prints for each run the hash that is its line of tests/golden.txt. With ISA and FILE a line begins with
 * the run's number. There are two threads, where a build has any; the model is saved as FILE and loaded
 * again, and the line ends with a hash of the bytes as which the loaded model is saved. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "golden.h"

/* 0 when it cannot be had. */
static uint64_t hash_of_file(vae *model, const char *path) {
    vae *loaded = NULL;
    unsigned char *bytes;
    size_t size;
    uint64_t hash = 0;
    if (vae_save(model, path, 0) || vae_load(path, NULL, &loaded, NULL) || vae_save_size(loaded, 0, &size))
        return 0;
    bytes = (unsigned char *)malloc(size);
    if (bytes && vae_save_memory(loaded, 0, bytes, size) == VAE_OK) hash = vae__hash(VAE__FNV, bytes, size);
    free(bytes);
    vae_destroy(loaded);
    return hash;
}

static void put(uint64_t hash) {
    printf("%08lx%08lx", (unsigned long)(hash >> 32), (unsigned long)(hash & 0xffffffffu));
}

static int golden(int run, int isa, const char *path) {
    static uint8_t pixels[GOLDEN_MOST * DIGITS_PIXELS];
    static int32_t labels[GOLDEN_MOST];
    size_t dims[3] = {0, DIGITS_HEIGHT, DIGITS_WIDTH};
    vae_desc desc = golden_desc(run);
    vae_report report;
    vae_data data;
    vae *model;
    desc.isa = (vae_isa)isa;
#ifdef VAE__THREADS
    if (path) desc.threads = 2;
#endif
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
    if (path) printf("%d ", run + 1);
    put(vae_params_hash(model));
    if (path) {
        const uint64_t file = hash_of_file(model, path);
        if (!file) return 1;
        printf(" "), put(file);
    }
    printf("\n");
    vae_destroy(model);
    return 0;
}

int main(int argc, char **argv) {
    int i = 1, isa = VAE_ISA_AUTO;
    const char *path = NULL;
    if (argc > 3 && (isa = vae_choice_find(VAE_CHOICE_ISA, argv[1])) >= 0) path = argv[2], i = 3;
    else isa = VAE_ISA_AUTO;
    for (; i < argc; i++) {
        const int run = atoi(argv[i]);
        if (run < 1 || run > GOLDEN || golden(run - 1, isa, path)) return 1;
    }
    return 0;
}
