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

/* What deflate gave, without deflate, which a fuzzer seldom gets right: a small image of any kind,
 * its filters and its palette. */
static void fuzz_rows(const uint8_t *bytes, size_t size) {
    uint8_t head[13] = {0}, *rows, *zeros, *pixels;
    char error[IMAGES_ERROR];
    images__png g;
    size_t n, i;
    if (size < 24) return;
    memset(&g, 0, sizeof g);
    g.error = error;
    head[3] = (uint8_t)(1 + bytes[0] % 40), head[7] = (uint8_t)(1 + bytes[1] % 8);
    head[8] = (uint8_t)(1 << bytes[2] % 5), head[9] = bytes[3] % 7;
    if (!images__png_head(&g, head)) return;
    g.colours = bytes[4];
    if (bytes[5] & 1)
        (void)images__png_transparency(&g, bytes + 6, g.colour == 3 ? bytes[5] % 16
                                                                    : 2 * g.samples);
    n = (g.row + 1) * g.p.height;
    rows = (uint8_t *)malloc(n), zeros = (uint8_t *)calloc(g.row, 1);
    pixels = (uint8_t *)malloc(g.p.width * g.p.height * g.p.channels);
    for (i = 0; i < n; i++) {
        rows[i] = bytes[16 + i % (size - 16)];
        if (i % (g.row + 1) == 0 && !(bytes[5] & 2)) rows[i] %= 5;
    }
    if (images__png_filters(&g, rows, zeros) && images__png_pixels(&g, rows, pixels))
        fuzz_touch(pixels, g.p.width * g.p.height * g.p.channels);
    free(rows);
    free(zeros);
    free(pixels);
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
    fuzz_rows(bytes, size);
    fuzz_npy(bytes, size);
    fuzz_cifar(bytes, size);
    return 0;
}
