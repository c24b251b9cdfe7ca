/* What tests/old/make.c trained and tests/test_old.c goes on with: images, names of runs. */
#ifndef VAE_TEST_OLD_DATA_H
#define VAE_TEST_OLD_DATA_H
#include <stdint.h>
#include <string.h>

enum { OLD_SIDE = 6, OLD_ITEM = OLD_SIDE * OLD_SIDE, OLD_CLASSES = 4 };
enum { OLD_TRAIN = 90, OLD_TEST = 20 };

static const char *const old_names[] = {
    "dense",          "conv",      "iwae",       "dreg",  "residual", "labels", "logistic",
    "logistic_pixel", "denoising", "continuous", "ended", "weights",  NULL};

/* Stripes that lean differently; images `first` .. `first + count - 1` and their classes. */
static void old_images(size_t first, size_t count, unsigned char *pixels, int32_t *classes) {
    size_t i, y, x;
    for (i = 0; i < count; i++) {
        const size_t n = first + i, lean = n % OLD_CLASSES, shift = n * n % 11;
        for (y = 0; y < OLD_SIDE; y++)
            for (x = 0; x < OLD_SIDE; x++)
                pixels[i * OLD_ITEM + y * OLD_SIDE + x] =
                    (unsigned char)((x * (lean + 1) + y * (5 - lean) + shift) % 7 * 42);
        classes[i] = (int32_t)lean;
    }
}

/* FNV-1a, 64 bit. */
static uint64_t old_hash(uint64_t hash, const void *bytes, size_t size) {
    const unsigned char *p = (const unsigned char *)bytes;
    size_t i;
    for (i = 0; i < size; i++) hash = (hash ^ p[i]) * 0x100000001b3u;
    return hash;
}
static uint64_t old_hash_doubles(const double *x, size_t count) { /* as little-endian bytes */
    uint64_t hash = 0xcbf29ce484222325u, bits;
    size_t i, j;
    for (i = 0; i < count; i++) {
        memcpy(&bits, &x[i], 8);
        for (j = 0; j < 8; j++) hash = (hash ^ (bits >> 8 * j & 255)) * 0x100000001b3u;
    }
    return hash;
}
#define OLD_HASH 0xcbf29ce484222325u
#endif
