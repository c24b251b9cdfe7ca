/* train_step: what a user waits for: training steps and decoding, through the public API alone.
 *
 *   make bench-step [DATA=folder]        all of it, into bench/results/step.txt and step.json
 *   build/train_step [--data FOLDER] [--isa NAME] [--threads 1|2] [--text FILE] [--json FILE]
 *                    [WORD]              some of it: rows whose name holds WORD
 *   build/train_step --serve [--data FOLDER]    answers bench/torch_compare.py, see serve()
 *
 * A step is vae_train_step on the next batch of IMAGES images that lie in memory as floats. One
 * thread is measured in its CPU time, two in wall time. The floor is that of bench/work.h, on two
 * threads half of it. Pixels are from the IDX files of --data, else the built-in digits. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "../tools/digits.h"
#include "race.h"
#include "work.h"

enum { IN = 784, IMAGES = 8192, DECODE = 1024, NORMALS = 1 << 20, GROUPS = 20 };
enum { STEP, DECODE_MEAN, DECODE_LOGITS, NORMAL };

typedef struct task {
    const char *name, *what;
    const char *layers; /* of the encoder, and of the decoder unless that is given */
    int kind, rows, latent, samples, pixels;
    const char *decoder;
} task;

#define RELU "dense 400 relu"
#define TANH "dense 200 tanh, dense 200 tanh"
#define CONV "conv 32 4x4/2 relu, conv 64 4x4/2 relu, dense 256 relu"
#define CONVT "dense 256 relu, dense 3136 relu, reshape 7x7x64, convt 32 4x4/2 relu, convt 1 4x4/2"
static const task tasks[] = {
    {"vae-dense", "VAE step, batch 128, dense input", RELU, STEP, 128, 20, 1, 0, NULL},
    {"vae-pixels", "VAE step, batch 128, %s", RELU, STEP, 128, 20, 1, 1, NULL},
    {"iwae-1", "IWAE net step, batch 20, L = 1", TANH, STEP, 20, 50, 1, 0, NULL},
    {"iwae-5", "IWAE net step, batch 20, L = 5", TANH, STEP, 20, 50, 5, 0, NULL},
    {"iwae-50", "IWAE net step, batch 20, L = 50", TANH, STEP, 20, 50, 50, 0, NULL},
    {"conv", "convolutional VAE step, batch 128", CONV, STEP, 128, 16, 1, 1, CONVT},
    {"decode-1", "decode, batch 1", RELU, DECODE_MEAN, 1, 20, 1, 0, NULL},
    {"decode-1-logits", "decode, batch 1, logits", RELU, DECODE_LOGITS, 1, 20, 1, 0, NULL},
    {"decode-1024", "decode, batch 1024", RELU, DECODE_MEAN, DECODE, 20, 1, 0, NULL},
    {"decode-1024-logits", "decode, batch 1024, logits", RELU, DECODE_LOGITS, DECODE, 20, 1, 0,
     NULL},
    {"normals", "2^20 standard normals", "", NORMAL, NORMALS, 1, 1, 0, NULL},
};
enum { TASKS = sizeof tasks / sizeof *tasks };

/* ---- what is fed in ---- */

static const char *folder;      /* of the pixels; NULL: the built-in digits */
static const char *pixels_name = "built-in digits";
static uint8_t *pixels;         /* (IMAGES, IN) */
static float *images[2], *out;  /* (IMAGES, IN) dense, pixels; what tasks write */
static double not_zero;         /* part of the pixels */

static void load_pixels(void) {
    static const char *const files[] = {"train-images-idx3-ubyte.gz", "train-images-idx3-ubyte"};
    vae_report report;
    vae_data data;
    char path[1024];
    size_t i, seen = 0;
    pixels = (uint8_t *)room((size_t)IMAGES * IN);
    images[1] = floats((size_t)IMAGES * IN);
    if (!folder) {
        digits_fill(1, 0, IMAGES, pixels, NULL);
    } else {
        static char name[64];
        const char *end = folder + strlen(folder), *begin;
        for (i = 0; i < 2; i++) {
            snprintf(path, sizeof path, "%s/%s", folder, files[i]);
            if (!vae_data_load(path, NULL, &data, &report)) break;
            if (i || report.status != VAE_ERR_OPEN) fail(report.text);
        }
        if (data.type != VAE_U8 || data.item != IN || data.count < IMAGES)
            fail("--data: not 8192 or more images of 784 bytes");
        memcpy(pixels, data.bytes, (size_t)IMAGES * IN);
        vae_data_free(&data);
        while (end > folder && end[-1] == '/') end--;
        for (begin = end; begin > folder && begin[-1] != '/'; begin--) {}
        snprintf(name, sizeof name, "%.*s pixels", (int)(end - begin), begin);
        for (i = 0; name[i]; i++) /* stands in JSON */
            if (name[i] == '"' || name[i] == '\\' || name[i] < ' ') name[i] = '_';
        pixels_name = name;
    }
    for (i = 0; i < (size_t)IMAGES * IN; i++) {
        images[1][i] = (float)pixels[i] / 255;
        seen += pixels[i] != 0;
    }
    not_zero = (double)seen / IMAGES / IN;
}

static void make_data(void) {
    vae_stream s = {0};
    s.seed = 1, s.purpose = VAE_PURPOSE_USER;
    images[0] = floats((size_t)IMAGES * IN);
    vae_random_uniform(&s, 0, (size_t)IMAGES * IN, images[0]);
    load_pixels();
    out = floats(NORMALS > DECODE * IN ? NORMALS : DECODE * IN);
}

/* ---- one contender ---- */

typedef struct runner {
    const task *t;
    vae *model; /* NULL for normals */
    const float *x, *z;
    size_t at;  /* the next image */
} runner;

static void run_task(void *arg) {
    runner *r = (runner *)arg;
    const size_t rows = (size_t)r->t->rows;
    vae_status bad = VAE_OK;
    vae_stream s = {0};
    switch (r->t->kind) {
    case STEP:
        bad = vae_train_step(r->model, r->x + r->at * IN, NULL, rows, NULL);
        r->at = r->at + 2 * rows <= IMAGES ? r->at + rows : 0;
        break;
    case DECODE_MEAN:
    case DECODE_LOGITS: /* other codes every time: which hidden units are 0 changes */
        if (r->t->kind == DECODE_MEAN)
            bad = vae_decode(r->model, r->z + r->at * (size_t)r->t->latent, rows, out);
        else bad = vae_decode_logits(r->model, r->z + r->at * (size_t)r->t->latent, rows, out);
        r->at = (r->at + rows) % DECODE;
        break;
    default:
        s.seed = 1, s.purpose = VAE_PURPOSE_USER;
        vae_random_normal(&s, 0, NORMALS, out);
    }
    if (bad) fail(vae_last_report(r->model)->text);
}

/* VAE_ERR_UNSUPPORTED is the caller's to explain; other errors end the program. */
static vae_status begin_task(runner *r, const task *t, vae_isa isa, int threads) {
    static float *z;
    vae_desc desc = {0};
    vae_report report;
    vae_status bad;
    if (!z) z = normals((size_t)DECODE * 50, 0);
    memset(r, 0, sizeof *r);
    r->t = t, r->x = images[t->pixels], r->z = z;
    if (t->kind == NORMAL) return threads > 1 ? VAE_ERR_UNSUPPORTED : VAE_OK;
    desc.input = t->decoder ? "28x28x1" : "784";
    desc.encoder = t->layers, desc.decoder = t->decoder ? t->decoder : t->layers;
    desc.latent = t->latent, desc.samples = t->samples, desc.batch = t->rows;
    desc.inference = t->kind != STEP;
    desc.isa = isa, desc.threads = threads;
    bad = vae_create(&desc, &r->model, &report);
    if (bad && (bad != VAE_ERR_UNSUPPORTED || threads == 1)) fail(report.text);
    return bad;
}

/* ---- tables ---- */

static void read_weights(void *loop) {
#if defined(VAE__HAVE_AVX)
    if (vae_isa_available(VAE_ISA_AVX512)) read_avx512(loop);
    else read_avx2(loop);
#elif defined(VAE__HAVE_NEON)
    read_neon(loop);
#else
    read_plain(loop);
#endif
}

/* One row on each instruction set asked for, each by itself: in turns they would push each other's
 * parameters out of the cache. For batch 1 also the time to read the decoder's own parameters, again
 * and again where they lie; this takes turns with decoding, which reads the same. */
static void table_row(const task *t, vae_isa only, int threads) {
    const int reads = t->rows == 1 && threads == 1;
    const double unit = t->rows == 1 ? 1e6 : 1e3; /* shown in us or ms */
    race_loop loop = {0};
    racer first = {0}; /* reads the weights */
    double decoding = 0;
    char what[96];
    int i, count = 0;
    snprintf(what, sizeof what, t->what, pixels_name);
    for (i = 0; i < isa_count; i++) {
        racer racers[2] = {{0}};
        double floor = 0, sparse = 0, best, median;
        const char *isa = isa_name(i);
        runner r;
        work w;
        if (only != VAE_ISA_AUTO && isas[i] != only) continue;
        if (t->kind == NORMAL && i) continue; /* the public call takes the best there is */
        if (begin_task(&r, t, isas[i], threads)) continue;
        if (r.model) w = work_of(r.model);
        racers[0].run = run_task, racers[0].work = &r;
        if (reads) {
            loop.in = w.weights, loop.n = w.decoder / 256 * 256, loop.out = out;
            racers[1].run = read_weights, racers[1].work = &loop;
        }
        race(racers, 1 + reads);
        best = racers[0].best, median = racers[0].median;
        if (t->kind == STEP) floor = step_floor(&w, (size_t)t->rows, isas[i]);
        else if (r.model) floor = decode_floor(&w, (size_t)t->rows, isas[i]);
        if (t->pixels && w.first > 0 && floor > 0)
            sparse = floor - 2 * t->rows * w.first * (1 - not_zero) / ceiling[isas[i]];
        floor /= threads, sparse /= threads;
        say("  %-38s %-9s%9.3f%c%9.3f %s %11.0f", count ? "" : what, isa, best * unit,
            unsteady(best, median), median * unit, t->rows == 1 ? "us" : "ms", t->rows / best);
        if (floor > 0) say(" %9.3f %6.2f", floor * unit, best / floor);
        if (sparse > 0) say("  without the zeros %.3f %.2f", sparse * unit, best / sparse);
        say("\n");
        if (json) {
            fprintf(json_row(t->name), ", \"isa\": \"%s\", \"threads\": %d, \"rows\": %d, "
                    "\"samples\": %d, \"floor\": %.4g", isa, threads, t->rows, t->samples, floor);
            if (sparse > 0) fprintf(json, ", \"floor_without_zeros\": %.4g", sparse);
            json_time("time", best, median);
            fputs("}", json);
        }
        if (!count++) first = racers[1], decoding = best;
        vae_destroy(r.model);
    }
    if (reads && count) {
        say("  %-38s %-9s%9.3f%c%9.3f us %11.0f GB/s, %.2f MB; decoding takes %.2f times that\n",
            "  to read the weights once", "", first.best * 1e6,
            unsteady(first.best, first.median), first.median * 1e6,
            (double)loop.n * 4e-9 / first.best, (double)loop.n * 4e-6, decoding / first.best);
        if (json) {
            fprintf(json_row(t->name), ", \"read_bytes\": %.0f", (double)loop.n * 4);
            json_time("time", first.best, first.median);
            fputs("}", json);
        }
    }
    fflush(stdout);
}

static void tables(vae_isa only, int threads, const char *word) {
    runner r;
    int t;
    if (begin_task(&r, &tasks[0], VAE_ISA_AUTO, threads)) {
        say("\n%d threads: not in this build\n", threads);
        return;
    }
    vae_destroy(r.model);
    race_clock = threads > 1 ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID;
    say("\n%d thread%s, %s time\n  %-38s %-9s%9s %9s    %11s %9s %6s\n", threads,
        threads > 1 ? "s" : "", threads > 1 ? "wall" : "CPU", "", "", "best", "median",
        "a second", "floor", "x");
    for (t = 0; t < TASKS; t++)
        if (!word || strstr(tasks[t].name, word)) table_row(&tasks[t], only, threads);
}

/* ---- for bench/torch_compare.py ---- */

/* One line in, one line out:
 *     about                  JSON: versions, processor, name of the pixels
 *     pixels FILE            ok, when the images are in that file, (IMAGES, 784) bytes
 *     MODEL THREADS STEPS    best and median seconds a step of about GROUPS groups of steps, or
 *                            "unsupported"; CPU time on one thread, wall time on more */
static void serve(void) {
    char line[1200], name[64], path[1024];
    int threads, steps, t;
    while (fgets(line, sizeof line, stdin)) {
        if (!strncmp(line, "about", 5)) {
            printf("{\"version\": \"%s\", \"compiler\": \"%s\", \"flags\": \"%s\", "
                   "\"cpu\": \"%s\", \"pixels\": \"%s\", \"isa\": \"%s\"}\n", VAE_VERSION_TEXT,
                   RACE_COMPILER, BENCH_FLAGS, cpu_name(), pixels_name,
                   vae_choice_name(VAE_CHOICE_ISA, (int)vae_isa_best()));
        } else if (sscanf(line, "pixels %1023[^\n]", path) == 1) {
            FILE *file = fopen(path, "wb");
            int bad = !file || fwrite(pixels, IN, IMAGES, file) != IMAGES;
            if (file) bad |= fclose(file);
            puts(bad ? "the pixels cannot be written" : "ok");
        } else if (sscanf(line, "%63s %d %d", name, &threads, &steps) == 3 && steps > 0) {
            runner r;
            for (t = 0; t < TASKS && strcmp(name, tasks[t].name); t++) {}
            if (t == TASKS) fail("serve: no such model");
            if (begin_task(&r, &tasks[t], VAE_ISA_AUTO, threads)) {
                puts("unsupported");
            } else {
                const clockid_t clock = threads > 1 ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID;
                const int group = steps / GROUPS ? steps / GROUPS : 1;
                double seconds[2 * GROUPS];
                int count = 0, i;
                for (i = 0; i < 3; i++) run_task(&r);
                for (; steps >= group; steps -= group) {
                    const double begin = seconds_of(clock);
                    for (i = 0; i < group; i++) run_task(&r);
                    seconds[count++] = (seconds_of(clock) - begin) / group;
                }
                qsort(seconds, (size_t)count, sizeof *seconds, by_value);
                printf("%.6g %.6g\n", seconds[0], seconds[count / 2]);
                vae_destroy(r.model); /* nor do its threads wait beside PyTorch's */
            }
        } else {
            fail("serve: not a request");
        }
        fflush(stdout);
    }
}

int main(int argc, char **argv) {
    const double begin = seconds_of(CLOCK_MONOTONIC);
    const char *word = NULL;
    vae_isa isa = VAE_ISA_AUTO;
    int threads = 0, served = 0, i, found;
    for (i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!strcmp(argv[i], "--serve")) served = 1;
        else if (argv[i][0] != '-') word = argv[i];
        else if (!value) fail("usage: train_step [--data FOLDER] [--isa NAME] [--threads 1|2] "
                              "[--text FILE] [--json FILE] [--serve] [WORD]");
        else if (!strcmp(argv[i], "--data")) folder = *value ? value : NULL, i++;
        else if (!strcmp(argv[i], "--text")) race_text = open_result(value), i++;
        else if (!strcmp(argv[i], "--json")) json = open_result(value), i++;
        else if (!strcmp(argv[i], "--threads")) threads = atoi(value), i++;
        else if (!strcmp(argv[i], "--isa")) {
            found = vae_choice_find(VAE_CHOICE_ISA, value), i++;
            if (found < 0 || !vae_isa_available((vae_isa)found)) fail("--isa: not on this machine");
            isa = (vae_isa)found;
        } else fail("unknown option");
    }
    make_data();
    if (served) return serve(), 0;
    race_samples = RACE_SAMPLES, race_sample_seconds = 5e-3, race_patience = 0.4;
    measure_machine();
    say_machine("training steps and decoding", "");
    say("VAE: 784-400-20-400-784, relu. IWAE net: 784-200-200-50-200-200-784, tanh, trained on the "
        "ELBO with L\ndraws, which has the products of the importance-weighted bound with k = L. "
        "Convolutional\nVAE: 4x4/2 32, 4x4/2 64, 256, latent 16, mirrored. Adam. Of the %s\n%.0f %% are not zero. x: best over floor, which two threads may halve; "
        "below 1 where products\nrun while bytes arrive, and where one row is decoded: weights that a zero of the relu would "
        "take\nare not read. Every decode has another z.\n", pixels_name, 100 * not_zero);
    {
        static const char *const what[] = {"training, batch 128", "inference, batch 1"};
        for (i = 0; i < 2; i++) {
            vae_desc desc = {0};
            vae_info info;
            vae *m;
            desc.input = "784", desc.inference = i, desc.batch = i ? 1 : 0;
            if (vae_create(&desc, &m, NULL)) fail("out of memory");
            vae_get_info(m, &info);
            say("memory of the VAE, %s: %.2f MB in all; activations, their gradients and scratch "
                "%.2f\n", what[i], (double)info.memory * 1e-6,
                (double)info.memory_activations * 1e-6);
            vae_destroy(m);
        }
    }
    if (threads != 2) tables(isa, 1, word);
    if (threads != 1) tables(isa, 2, word);
    say("\n%.0f s in all; ~: the median was more than 15 %% slower than the best\n",
        seconds_of(CLOCK_MONOTONIC) - begin);
    close_results();
    return 0;
}
