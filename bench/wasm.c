/* A training step and a decode by each instruction set of a small build: for WebAssembly (SPEED=1 sh
 * tests/wasm.sh), for Windows (bench/msvc.sh), and for x86-64 as it is without AVX2 (-DVAE_SSE2). MNIST's
 * shape, dense 400 relu each way, 20 latents; the fastest of TURNS. */
#include <stdio.h>
#ifdef __wasm__
#include <wasi/api.h>
#elif defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>
#else
#include <time.h>
#endif
#define VAE_IMPLEMENTATION
#include "../vae.h"

#ifdef _WIN32 /* CPU time has ticks of 10 ms there */
enum { TURNS = 3, REPEATS = 10 };
#else
enum { TURNS = 15, REPEATS = 1 };
#endif
enum { ROWS = 100, NUMBERS = 784, LATENT = 20, SINGLES = 20 }; /* singles: decodes of one row in turn */

static double seconds(void) {
#ifdef __wasm__ /* CPU time, which wasi-libc does not give */
    __wasi_timestamp_t t = 0;
    (void)__wasi_clock_time_get(2, 1, &t);
    return 1e-9 * (double)t;
#elif defined(_WIN32)
    FILETIME begun, ended, kernel, user;
    GetThreadTimes(GetCurrentThread(), &begun, &ended, &kernel, &user);
    return 1e-7 * ((double)user.dwHighDateTime * 4294967296.0 + (double)user.dwLowDateTime);
#else
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
#endif
}

int main(void) {
    static float x[ROWS * NUMBERS], z[ROWS * LATENT], y[ROWS * NUMBERS];
    int isa, i, r;
    for (i = 0; i < ROWS * NUMBERS; i++) x[i] = i % 5 ? 0 : (float)(i % 251) / 250;
    for (i = 0; i < ROWS * LATENT; i++) z[i] = (float)(i * 7 % 251) / 100 - 1.25f;
    for (isa = VAE_ISA_PORTABLE; isa < VAE_ISA_COUNT; isa++) {
        double best[3] = {1e9, 1e9, 1e9};
        vae_desc desc = {0};
        vae_batch batch = {0}, one = {0};
        vae *m;
        if (!vae_isa_available((vae_isa)isa)) continue;
        desc.input = "28x28x1", desc.encoder = desc.decoder = "dense 400 relu";
        desc.isa = (vae_isa)isa, desc.batch = ROWS;
        if (vae_create(&desc, &m, NULL)) return 1;
        one.x = z, one.rows = 1;
        for (i = 0; i < TURNS; i++) {
            double t[4];
            batch.x = x, batch.rows = ROWS;
            t[0] = seconds();
            for (r = 0; r < REPEATS; r++)
                if (vae_train_step(m, &batch, NULL)) return 1;
            t[1] = seconds();
            batch.x = z, batch.rows = 64;
            for (r = 0; r < REPEATS; r++)
                if (vae_decode(m, &batch, y)) return 1;
            t[2] = seconds();
            for (r = 0; r < SINGLES * REPEATS; r++)
                if (vae_decode(m, &one, y)) return 1;
            t[3] = seconds();
            if (t[1] - t[0] < best[0]) best[0] = t[1] - t[0];
            if (t[2] - t[1] < best[1]) best[1] = t[2] - t[1];
            if (t[3] - t[2] < best[2]) best[2] = t[3] - t[2];
        }
        printf("%s: step of 100 %.2f ms, decode of 64 %.2f ms, of 1 %.3f ms\n",
               vae_choice_name(VAE_CHOICE_ISA, isa), best[0] * 1e3 / REPEATS, best[1] * 1e3 / REPEATS,
               best[2] * 1e3 / (SINGLES * REPEATS));
        vae_destroy(m);
    }
    return 0;
}
