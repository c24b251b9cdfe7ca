/* libFuzzer target: any bytes as a PNG, PGM, PPM, NPY or CIFAR-10 file.
 *     clang -g -O1 -fsanitize=fuzzer,address,undefined tests/fuzz_images.c -o fuzz_images
 *     ./fuzz_images -max_len=4096 work tests/seeds/images
 * Builds for fuzzing do not compare CRCs and sums. What is refused must say why and leave the
 * output alone; what is read must be whole, every pixel of it. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "../tools/images.h"

static volatile unsigned fuzz_sum;

static void fuzz_touch(const uint8_t *bytes, size_t size) {
    size_t i;
    for (i = 0; i < size; i++) fuzz_sum += bytes[i];
}

static void fuzz_picture(const uint8_t *bytes, size_t size) {
    images_picture p, before;
    char error[IMAGES_ERROR];
    memset(&p, 0x5A, sizeof p);
    memset(error, 0x5A, sizeof error);
    before = p;
    if (images_decode(bytes, size, &p, error)) {
        if (p.channels != 1 && p.channels != 3) __builtin_trap();
        if (!p.width || !p.height || p.width * p.height > IMAGES_MAX_PIXELS) __builtin_trap();
        if (p.width * p.height > 1032 * 8 * (size + 1)) __builtin_trap(); /* out of nothing */
        fuzz_touch(p.pixels, p.width * p.height * p.channels);
        free(p.pixels);
    } else {
        if (memcmp(&p, &before, sizeof p)) __builtin_trap();
        if (!memchr(error, 0, sizeof error) || !error[0]) __builtin_trap();
    }
}

static void fuzz_npy(const uint8_t *bytes, size_t size) {
    uint8_t *copy = (uint8_t *)malloc(size + !size);
    char error[IMAGES_ERROR];
    vae_data d, before;
    memset(&d, 0x5A, sizeof d);
    memset(error, 0x5A, sizeof error);
    before = d;
    if (size) memcpy(copy, bytes, size);
    if (images_npy(copy, size, &d, error)) {
        if (d.rank < 2 || d.count * d.item * (d.type == VAE_U8 ? 1 : 4) > size) __builtin_trap();
        fuzz_touch((const uint8_t *)d.bytes, d.count * d.item * (d.type == VAE_U8 ? 1 : 4));
        vae_data_free(&d);
    } else {
        if (memcmp(&d, &before, sizeof d)) __builtin_trap();
        if (!memchr(error, 0, sizeof error) || !error[0]) __builtin_trap();
        free(copy);
    }
}

static void fuzz_cifar(const uint8_t *bytes, size_t size) {
    size_t most = size / IMAGES_CIFAR_RECORD, count;
    uint8_t *pixels = (uint8_t *)malloc(most * IMAGES_CIFAR_BYTES + 1);
    uint8_t *labels = (uint8_t *)malloc(most + 1);
    char error[IMAGES_ERROR];
    count = images_cifar(bytes, size, pixels, labels, error);
    if (count && count != most) __builtin_trap();
    fuzz_touch(pixels, count * IMAGES_CIFAR_BYTES);
    fuzz_touch(labels, count);
    free(pixels);
    free(labels);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    fuzz_picture(bytes, size);
    fuzz_npy(bytes, size);
    fuzz_cifar(bytes, size);
    return 0;
}
