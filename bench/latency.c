/* latency: how long one decode and one encode of one row take, and how long at worst.
 *
 *   make bench-latency     the table, into bench/results/latency.txt
 *   build/latency [CALLS] [--text FILE]
 *
 * Each call is timed by itself (CALLS of each kind, default 1000000), on one thread, with data that
 * change. Memory is locked, and the first thousand calls are not counted. p99.9 is what one call of
 * a thousand passes. On a machine that does other work the worst is that of its scheduler: the
 * library makes no call of the system that could give the processor away (tests/realtime.c). */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "race.h"

static const struct net {
    const char *name, *encoder, *decoder;
    int latent;
} nets[] = {
    {"784-64-8", "dense 64 relu", "dense 64 relu", 8},
    {"784-400-20, the recipe", "dense 400 relu", "dense 400 relu", 20},
    {"convolutions, 16 latents", "conv 32 4x4/2 relu, conv 64 4x4/2 relu, dense 256 relu",
     "dense 256 relu, dense 3136 relu, reshape 7x7x64, convt 32 4x4/2 relu, convt 1 4x4/2", 16}};

enum { WARM = 1000, VARIANTS = 64 };

/* Times `calls` calls, sorts them and says three of them, in microseconds. */
static void row(const struct net *n, vae *m, int encode, const float *data, size_t width,
                double *times, size_t calls) {
    static float x[784], mu[64];
    vae_batch b = {0};
    size_t i;
    b.rows = 1;
    for (i = 0; i < calls + WARM; i++) {
        double begin;
        b.x = data + i % VARIANTS * width;
        begin = seconds_of(CLOCK_MONOTONIC);
        if (encode ? vae_encode(m, &b, mu, NULL) : vae_decode(m, &b, x))
            fail(vae_last_report(m)->text);
        if (i >= WARM) times[i - WARM] = (seconds_of(CLOCK_MONOTONIC) - begin) * 1e6;
    }
    qsort(times, calls, sizeof *times, by_value);
    say("  %-26s %-8s %9.1f %9.1f %9.0f %9zu\n", n->name, encode ? "encode" : "decode",
        times[calls / 2], times[calls - 1 - calls / 1000], times[calls - 1], calls);
    fflush(stdout);
}

int main(int argc, char **argv) {
    size_t calls = 1000000, i;
    float *images = floats(VARIANTS * 784), *codes = normals(VARIANTS * 64, 1);
    double *times;
    int a;
    for (a = 1; a < argc; a++) {
        if (!strcmp(argv[a], "--text") && a + 1 < argc) race_text = open_result(argv[++a]);
        else calls = (size_t)strtoul(argv[a], NULL, 10);
    }
    if (calls < 1000) fail("usage: latency [CALLS, at least 1000] [--text FILE]");
    times = (double *)room(calls * sizeof *times);
    for (i = 0; i < VARIANTS * 784; i++) images[i] = i * 7 % 31 < 9 ? (float)(i % 8) / 8 : 0;
    say("one row, one thread, %s, %s, %s\n", cpu_name(), RACE_COMPILER,
        vae_choice_name(VAE_CHOICE_ISA, (int)vae_isa_best()));
    say("memory is %s; us\n\n", mlockall(MCL_CURRENT | MCL_FUTURE) ? "not locked" : "locked");
    say("  %-26s %-8s %9s %9s %9s %9s\n", "", "", "p50", "p99.9", "worst", "calls");
    for (i = 0; i < sizeof nets / sizeof *nets; i++) {
        const size_t some = i == 2 && calls > 10000 ? calls / 10 : calls;
        vae_desc d = {0};
        vae_report why;
        vae *m;
        d.input = "28x28x1", d.encoder = nets[i].encoder, d.decoder = nets[i].decoder;
        d.latent = nets[i].latent, d.batch = 1;
        if (vae_create(&d, &m, &why)) fail(why.text);
        row(&nets[i], m, 0, codes, 64, times, some);
        row(&nets[i], m, 1, images, 784, times, some);
        vae_destroy(m);
    }
    if (race_text) fclose(race_text);
    return 0;
}
