/* train_step: how long the training steps and decodes of bench/tasks.h take, beside a floor.
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
#include "tasks.h"

enum { GROUPS = 20 };

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

/* ---- masked convolutions by themselves ---- */

typedef struct layer_run {
    vae *m;
    size_t i;   /* the op's number */
    float *dw;
} layer_run;

/* Forward, dx and dW of one op of a training step; dx is left out where no weight needs it. */
static void run_layer(void *arg) {
    const layer_run *r = (const layer_run *)arg;
    const vae__op *op = &r->m->ops[r->i];
    vae__walk c = vae__train_walk(r->m, r->m->rows, 1);
    int t;
    vae__ops_fwd(&c, r->m->ops, r->i, r->i + 1, NULL);
    vae__ops_bwd(&c, r->m->ops, 2 * r->i + 1, 2 * r->i, NULL, NULL);
    vae__stand(&c, op);
    for (t = 0; t < op->tensor_count; t++) {
        const vae__slot *w = &r->m->tensors[op->tensor + (size_t)t];
        op->layer->grad(&c, op, t, 0, w->count / w->shape[w->rank - 1], op[-1].y, op->dy, r->dw);
    }
}

/* Each masked convolution of a PixelCNN's first block, beside its products of weights that are not
 * masked at the ceiling, plus the bytes of x and y for each of forward, dx and dW. */
static void layer_table(vae_isa only) {
    static const int batches[] = {16, 100};
    int b, i;
    size_t at, n;
    say("\n1 thread, CPU time: masked convolutions, forward + dx + dW\n");
    for (b = 0; b < 2; b++) {
        vae_desc desc = {0};
        vae *m;
        desc.input = "28x28x1", desc.posterior = "none", desc.batch = batches[b];
        desc.decoder = "image, maskconv 64 7x7 a, maskconv 32 1x1 b, maskconv 32 3x3 b, "
                       "maskconv 64 1x1 b, maskconv 1 1x1 b";
        for (i = 0; i < isa_count; i++) {
            if (!ceiling[isas[i]] || (only != VAE_ISA_AUTO && isas[i] != only)) continue;
            desc.isa = isas[i];
            if (vae_create(&desc, &m, NULL)) fail("out of memory");
            for (at = m->dec.first; at < m->dec.first + m->dec.count; at++)
                for (n = 0; n < m->rows * m->ops[at].out.dim; n++)
                    m->ops[at].y[n] = m->ops[at].dy[n] = (float)(n % 13) * 0.1f - 0.6f;
            for (at = m->dec.first + 1; at + 1 < m->dec.first + m->dec.count; at++) {
                const vae__op *op = &m->ops[at];
                const double passes = op->first ? 2 : 3, rows = batches[b];
                const double numbers = rows * (double)(op->in.dim + op->out.dim);
                layer_run run;
                racer r = {0};
                double floor;
                run.m = m, run.i = at, run.dw = out, r.run = run_layer, r.work = &run;
                race(&r, 1);
                floor = 2 * passes * rows * (double)m->tensors[op->tensor].count *
                            (double)(op->out.h * op->out.w) / ceiling[isas[i]] +
                        4 * passes * numbers / bandwidth((size_t)(4 * numbers));
                say("  %dx%d %c, %3zu -> %3zu channels, batch %3d       %-9s%9.3f%c%9.3f ms "
                    "            %9.3f %6.2f\n", op->kh, op->kw, op->mask, op->in.c, op->out.c,
                    batches[b], isa_name(i), r.best * 1e3, unsteady(r.best, r.median),
                    r.median * 1e3, floor * 1e3, r.best / floor);
                if (json) {
                    fprintf(json_row("masked"), ", \"isa\": \"%s\", \"window\": \"%dx%d\", "
                            "\"in\": %zu, \"out\": %zu, \"rows\": %d, \"floor\": %.4g",
                            isa_name(i), op->kh, op->kw, op->in.c, op->out.c, batches[b], floor);
                    json_time("time", r.best, r.median);
                    fputs("}", json);
                }
            }
            vae_destroy(m);
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
    if (threads == 1 && (!word || strstr("masked", word))) layer_table(only);
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
