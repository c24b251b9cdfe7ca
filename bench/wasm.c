/* A training step and a decode by each instruction set of a small build: for WebAssembly (SPEED=1 sh
 * tests/wasm.sh) and for x86-64 as it is without AVX2 (-DVAE_SSE2). MNIST's shape, dense 400 relu each way,
 * 20 latents; the fastest of TURNS. A single row is decoded once after the 64,
 * and REPEATS times in a row. */
#include <stdio.h>
#ifdef __wasm__
#include <wasi/api.h>
#else
#include <time.h>
#endif
#define VAE_IMPLEMENTATION
#include "../vae.h"

enum { ROWS = 100, NUMBERS = 784, LATENT = 20, TURNS = 15, REPEATS = 20 };

static double seconds(void) {
#ifdef __wasm__ /* CPU time, which wasi-libc does not give */
    __wasi_timestamp_t t = 0;
    (void)__wasi_clock_time_get(2, 1, &t);
    return 1e-9 * (double)t;
#else
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
#endif
}

int main(void) {
    static float x[ROWS * NUMBERS], z[ROWS * LATENT], y[ROWS * NUMBERS];
    int isa, i, q;
    for (i = 0; i < ROWS * NUMBERS; i++) x[i] = i % 5 ? 0 : (float)(i % 251) / 250;
    for (i = 0; i < ROWS * LATENT; i++) z[i] = (float)(i * 7 % 251) / 100 - 1.25f;
    for (isa = VAE_ISA_PORTABLE; isa < VAE_ISA_COUNT; isa++) {
        double best[4] = {1e9, 1e9, 1e9, 1e9};
        vae_desc desc = {0};
        vae_batch batch = {0}, one = {0};
        vae *m;
        if (!vae_isa_available((vae_isa)isa)) continue;
        desc.input = "28x28x1", desc.encoder = desc.decoder = "dense 400 relu";
        desc.isa = (vae_isa)isa, desc.batch = ROWS;
        if (vae_create(&desc, &m, NULL)) return 1;
        one.x = z, one.rows = 1;
        for (i = 0; i < TURNS; i++) {
            double t[5];
            batch.x = x, batch.rows = ROWS;
            t[0] = seconds();
            if (vae_train_step(m, &batch, NULL)) return 1;
            t[1] = seconds();
            batch.x = z, batch.rows = 64;
            if (vae_decode(m, &batch, y)) return 1;
            t[2] = seconds();
            if (vae_decode(m, &one, y)) return 1;
            t[3] = seconds();
            for (q = 0; q < REPEATS; q++)
                if (vae_decode(m, &one, y)) return 1;
            t[4] = t[3] + (seconds() - t[3]) / REPEATS;
            for (q = 0; q < 4; q++)
                if (t[q + 1] - t[q] < best[q]) best[q] = t[q + 1] - t[q];
        }
        printf("%s: step of 100 %.2f ms, decode of 64 %.2f ms, of 1 %.3f ms, in a row %.3f ms\n",
               vae_choice_name(VAE_CHOICE_ISA, isa), best[0] * 1e3, best[1] * 1e3, best[2] * 1e3, best[3] * 1e3);
        vae_destroy(m);
    }
    return 0;
}
