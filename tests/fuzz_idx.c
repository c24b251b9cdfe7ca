/* libFuzzer target: any bytes as an IDX or gzip file.
 *     clang -g -O1 -fsanitize=fuzzer,address,undefined tests/fuzz_idx.c -o fuzz_idx
 *     ./fuzz_idx -max_len=4096 work tests/seeds/idx
 * What opens must be whole: its size follows from its shape, every number can be read, and the
 * block is not larger than the input can hold. */
#define VAE_IMPLEMENTATION
#include "../vae.h"

#include <stdint.h>
#include <stdlib.h>

typedef struct fuzz_memory {
    size_t blocks, bytes, limit;
} fuzz_memory;

static void *fuzz_alloc(size_t size, void *user) {
    fuzz_memory *m = (fuzz_memory *)user;
    if (size > m->limit) __builtin_trap(); /* checks let through what cannot come */
    m->blocks++, m->bytes += size;
    return malloc(size);
}

static void fuzz_release(void *p, size_t size, void *user) {
    fuzz_memory *m = (fuzz_memory *)user;
    m->blocks--, m->bytes -= size;
    free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const size_t width[16] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 2, 4, 4, 8, 0};
    fuzz_memory m = {0, 0, 0};
    vae_allocator a;
    vae_data d, before;
    vae_report r;
    vae_status status;
    m.limit = 1032 * (size + 1) + 1000000;
    a.alloc = fuzz_alloc, a.release = fuzz_release, a.user = &m;
    memset(&d, 0x5A, sizeof d);
    memset(&r, 0x5A, sizeof r);
    before = d;
    status = vae_data_from_memory(bytes, size, "fuzz", &a, &d, &r);
    if (status) {
        if (status != VAE_ERR_FORMAT || r.status != status) __builtin_trap();
        if (memcmp(&d, &before, sizeof d)) __builtin_trap();
        if (!memchr(r.text, 0, sizeof r.text)) __builtin_trap();
        if (strncmp(r.text, "fuzz: byte ", 11)) __builtin_trap();
    } else {
        size_t n = 1, i;
        float *out;
        for (i = 0; i < (size_t)d.rank; i++) n *= d.dims[i];
        if (d.count * d.item != n || d.block_size != n * width[d.type]) __builtin_trap();
        out = (float *)malloc(n * sizeof *out);
        if (out && vae_data_read(&d, 0, d.count, out)) __builtin_trap();
        for (i = 0; out && i < n; i++) /* integers land in [0, 1] */
            if (d.type <= VAE_I32 && !(out[i] >= 0 && out[i] <= 1)) __builtin_trap();
        free(out);
        (void)vae_data_label(&d, d.count - 1, d.item - 1);
        vae_data_free(&d);
    }
    if (m.blocks || m.bytes) __builtin_trap();
    return 0;
}
