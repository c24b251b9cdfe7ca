/* libFuzzer target: any bytes as a safetensors file, and as a model.
 *     clang -g -O1 -fsanitize=fuzzer,address,undefined -o fuzz_safetensors \
 *         tests/fuzz_safetensors.c
 *     ./fuzz_safetensors -max_len=4096 work tests/seeds/safetensors
 * What opens must tile its data, and each of its names must lead back to its tensor. */
#define VAE_IMPLEMENTATION
#include "../vae.h"

#include <stdint.h>
#include <stdlib.h>

static size_t fuzz_blocks;

static void *fuzz_alloc(size_t size, void *user) {
    void *p;
    (void)user;
    if (size > (size_t)1 << 26) return NULL; /* a model may be as large as its description says */
    p = malloc(size);
    fuzz_blocks += p != NULL;
    return p;
}

static void fuzz_release(void *p, size_t size, void *user) {
    (void)size, (void)user;
    fuzz_blocks--;
    free(p);
}

static int fuzz_holds_zero(const uint8_t *bytes, size_t size) {
    size_t i;
    for (i = 0; i + 6 <= size; i++)
        if (!memcmp(bytes + i, "\\u0000", 6)) return 1;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const char *const keys[] = {"vae.format", "vae.desc", "vae.step", "", "k"};
    vae_allocator a = {fuzz_alloc, fuzz_release, NULL};
    vae_load_options options;
    vae *model = NULL;
    vae__st st;
    vae_report r;
    vae_status status;
    int inference;
    status = vae__st_open(&st, bytes, size, "fuzz", &a, &r);
    if (fuzz_blocks != (status == VAE_OK)) __builtin_trap();
    if (status) {
        if (status != VAE_ERR_FORMAT || r.status != status) __builtin_trap();
        if (!memchr(r.text, 0, sizeof r.text)) __builtin_trap();
        if (strncmp(r.text, "fuzz: ", 6)) __builtin_trap();
    } else {
        char name[401], text[64];
        vae__st_tensor t;
        vae__st_item item, again;
        vae__st_scan s = vae__st_scan_of(&st);
        size_t covered = 0, tensors = 0, k;
        int step;
        while ((step = vae__st_step(&s, &item)) != VAE__ST_END) {
            if (step != VAE__ST_TENSOR) continue;
            (void)vae__st_copy(item.key, name, sizeof name);
            t = item.tensor;
            tensors++, covered += t.end - t.begin;
            if (t.begin > t.end || t.end > st.data_size || t.rank < 0 || t.rank > VAE_MAX_RANK)
                __builtin_trap();
            /* unless a zero byte in a name hides its end from C strings */
            if (tensors < 20 && !fuzz_holds_zero(bytes, size) &&
                (vae__st_look_up(&st, VAE__ST_TENSOR, name, &again) != 1 ||
                 t.begin != again.tensor.begin || t.end != again.tensor.end))
                __builtin_trap();
        }
        if (tensors != st.tensors || covered != st.data_size) __builtin_trap();
        if (st.data_at + st.data_size != size) __builtin_trap();
        for (k = 0; k < sizeof keys / sizeof *keys; k++) {
            const int found = vae__st_look_up(&st, VAE__ST_PAIR, keys[k], &item);
            ptrdiff_t n = found ? vae__st_copy(item.value, text, sizeof text) : -1;
            if (n < -2 || n >= (ptrdiff_t)sizeof text || (n >= 0 && text[n])) __builtin_trap();
        }
        vae__st_close(&st, &a);
    }
    for (inference = 0; inference < 3; inference++) {
        size_t k;
        memset(&options, 0, sizeof options);
        options.inference = inference, options.borrow = inference > 0;
        options.allocator = a;
        status = vae_load_memory(bytes, size, &options, &model, &r);
        if (!status) {
            vae_info info;
            vae_get_info(model, &info);
            vae_destroy(model);
        } else {
            for (k = 0; r.text[k]; k++) /* nothing for a terminal to obey */
                if ((unsigned char)r.text[k] < 0x20 || r.text[k] == 0x7F) __builtin_trap();
        }
        if (fuzz_blocks) __builtin_trap();
    }
    return 0;
}
