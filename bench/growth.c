/* growth: what an image costs as the work grows: batch, hidden units, latents, size of the data.
 *
 *   make bench-growth                    into bench/results: growth.txt, .json, growth-*.png
 *   build/growth [--images N] [--threads 1|2] [--text FILE] [--json FILE] [--pictures PREFIX]
 *                [WORD]                  some of it: batch, hidden, latent, images
 *
 * The network is 784-H-Z-H-784 with relu, input dense, in a step and in decoding on batches of the
 * same size. One thread is measured in its CPU time, two in wall time. Floors are those of
 * bench/work.h for one thread. A figure is marked * where it moved 1.5 times more or less than its
 * floor since the row before: there something else than the work has changed. */
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
#include "plot.h"

enum { IN = 784, ROWS = 4096, POINTS = 20, CURVES = 6 };
static const double jump = 1.5;
static const char *pictures;     /* how the names of the plots begin; NULL: none */
static int threads_from = 1, threads_to = 2;
static float *images, *codes, *out; /* (ROWS, IN), (ROWS, 512), (ROWS, IN) */

/* One line of a table and of a plot: seconds per image at each point; 0 where not measured. */
typedef struct curve {
    const char *name;
    int colour, bare; /* bare: a floor, dashed */
    double best[POINTS], median[POINTS];
    int floor;        /* the number of its floor among the curves; -1: none */
} curve;

typedef struct table {
    const char *name, *title, *x_label;
    int count;
    double x[POINTS], tick[POINTS];
    int ticks, curves;
    curve curve[CURVES];
} table;

static void add_curve(table *t, const char *name, int colour, int bare, int floor) {
    curve *c = &t->curve[t->curves++];
    memset(c, 0, sizeof *c);
    c->name = name, c->colour = colour, c->bare = bare, c->floor = floor;
}

/* How far the figure moved since the point before, over what its floor did; 1 if not known. */
static double moved(const table *t, const curve *c, int i) {
    double ratio = 1;
    if (i == 0 || c->bare || !(c->best[i] > 0) || !(c->best[i - 1] > 0)) return 1;
    ratio = c->best[i] / c->best[i - 1];
    if (c->floor >= 0 && t->curve[c->floor].best[i - 1] > 0)
        ratio /= t->curve[c->floor].best[i] / t->curve[c->floor].best[i - 1];
    return ratio;
}
static int jumps(double ratio) { return ratio > jump || ratio * jump < 1; }

/* ---- a table as text, JSON and picture ---- */

static void write_text(const table *t) {
    int c, i, any = 0;
    say("\n%s, us per image: best (x: over the floor of one thread)\n\n  %9s", t->title, t->name);
    for (c = 0; c < t->curves; c++)
        if (t->curve[c].best[0] > 0) say("  %19s", t->curve[c].name);
    say("\n");
    for (i = 0; i < t->count; i++) {
        say("  %9.0f", t->x[i]);
        for (c = 0; c < t->curves; c++) {
            const curve *k = &t->curve[c];
            if (!(k->best[0] > 0)) continue;
            say("  %10.3f%c", k->best[i] * 1e6, jumps(moved(t, k, i)) ? '*' :
                k->bare ? ' ' : unsteady(k->best[i], k->median[i]));
            if (k->floor >= 0 && t->curve[k->floor].best[i] > 0)
                say(" %6.2fx", k->best[i] / t->curve[k->floor].best[i]);
            else say("        ");
        }
        say("\n");
    }
    for (c = 0; c < t->curves; c++) {
        for (i = 0; i < t->count; i++) {
            const double ratio = moved(t, &t->curve[c], i);
            if (!jumps(ratio)) continue;
            say("%s  * %s, %s %.0f to %.0f: %.2f times %s\n", any++ ? "" : "\n", t->curve[c].name,
                t->name, t->x[i - 1], t->x[i], ratio,
                t->curve[c].floor >= 0 ? "what the floor did" : "the time");
        }
    }
    fflush(stdout);
}

static void write_json(const table *t) {
    int c, i;
    if (!json) return;
    for (i = 0; i < t->count; i++) {
        fprintf(json_row(t->name), ", \"%s\": %.0f", t->name, t->x[i]);
        for (c = 0; c < t->curves; c++) {
            const curve *k = &t->curve[c];
            if (k->best[i] > 0 && k->bare) fprintf(json, ", \"%s\": %.4g", k->name, k->best[i]);
            else if (k->best[i] > 0) json_time(k->name, k->best[i], k->median[i]);
        }
        fputs("}", json);
    }
}

static void write_picture(const table *t) {
    double low = 1e30, high = 0, y[POINTS];
    char path[1024];
    const char *error;
    plot p;
    int c, i;
    if (!pictures) return;
    for (c = 0; c < t->curves; c++) {
        for (i = 0; i < t->count; i++) {
            const double us = t->curve[c].best[i] * 1e6;
            if (us > 0 && us < low) low = us;
            if (us > high) high = us;
        }
    }
    p = plot_begin(t->title, t->x_label, "microseconds per image", t->x[0] / 1.15,
                   t->x[t->count - 1] * 1.15, low / 1.3, high * 1.3, t->tick, t->ticks);
    for (c = 0; c < t->curves; c++) {
        for (i = 0; i < t->count; i++) y[i] = t->curve[c].best[i] * 1e6;
        if (y[0] > 0)
            plot_curve(&p, t->curve[c].name, t->curve[c].colour, t->curve[c].bare, t->x, y,
                       t->count);
    }
    snprintf(path, sizeof path, "%s-%s.png", pictures, t->name);
    error = plot_save(&p, path);
    if (error) fail(error);
}

static void write_table(const table *t) { write_text(t), write_json(t), write_picture(t); }

/* ---- steps and decoding ---- */

typedef struct runner {
    vae *model;
    size_t rows, at;
    int decodes;
} runner;

static void run_model(void *work) {
    runner *r = (runner *)work;
    vae_status bad;
    if (r->decodes) {
        bad = vae_decode(r->model, &(vae_batch){.x = codes, .rows = r->rows}, out);
    } else {
        bad = vae_train_step(r->model, &(vae_batch){.x = images + r->at * IN, .rows = r->rows}, NULL);
        r->at = r->at + 2 * r->rows <= ROWS ? r->at + r->rows : 0;
    }
    if (bad) fail(vae_last_report(r->model)->text);
}

/* NULL when this build has no such number of threads. */
static vae *model_of(int batch, int hidden, int latent, int threads) {
    vae_desc desc = {0};
    vae_report report;
    vae *model = NULL;
    char layers[32];
    snprintf(layers, sizeof layers, "dense %d relu", hidden);
    desc.input = "784", desc.encoder = desc.decoder = layers;
    desc.latent = latent, desc.batch = batch, desc.threads = threads, desc.epochs = 1000000;
    if (vae_create(&desc, &model, &report) &&
        (report.status != VAE_ERR_UNSUPPORTED || threads == 1))
        fail(report.text);
    return model;
}

enum { VARY_BATCH, VARY_HIDDEN, VARY_LATENT };
/* Curves by number; 0 and 1 are steps, or vae_fit, on 1 and 2 threads. */
enum { DECODE = 2, GATHER = 2, ORDER, FLOOR, FLOOR_2 };

static void sweep(int vary, table *t) {
    int i, threads;
    add_curve(t, "step, 1 thread", 0x1c4f96, 0, FLOOR);
    add_curve(t, "step, 2 threads", 0x49a6e0, 0, FLOOR);
    add_curve(t, "decode, 1 thread", 0xb5450f, 0, FLOOR_2);
    add_curve(t, "decode, 2 threads", 0xf0a040, 0, FLOOR_2);
    add_curve(t, "step floor", 0x1c4f96, 1, -1);
    add_curve(t, "decode floor", 0xb5450f, 1, -1);
    for (i = 0; i < t->count; i++) {
        const int x = (int)t->x[i];
        const size_t rows = (size_t)(vary == VARY_BATCH ? x : 128);
        for (threads = threads_from; threads <= threads_to; threads++) {
            runner runners[2] = {{0}};
            racer racers[2] = {{0}};
            work w;
            int which;
            vae *model = model_of((int)rows, vary == VARY_HIDDEN ? x : 400,
                                  vary == VARY_LATENT ? x : 20, threads);
            if (!model) continue;
            w = work_of(model);
            race_clock = CLOCK_PROCESS_CPUTIME_ID;
            t->curve[FLOOR].best[i] = step_floor(&w, rows, vae_isa_best()) / (double)rows;
            t->curve[FLOOR_2].best[i] = decode_floor(&w, rows, vae_isa_best()) / (double)rows;
            if (threads > 1) race_clock = CLOCK_MONOTONIC;
            for (which = 0; which < 2; which++) {
                runners[which].model = model, runners[which].rows = rows;
                runners[which].decodes = which;
                racers[which].run = run_model, racers[which].work = &runners[which];
            }
            /* not in turns: a step would push what decoding reads out of the cache */
            for (which = 0; which < 2; which++) {
                curve *c = &t->curve[(which ? DECODE : 0) + threads - 1];
                race(&racers[which], 1);
                c->best[i] = racers[which].best / (double)rows;
                c->median[i] = racers[which].median / (double)rows;
            }
            vae_destroy(model);
        }
    }
    write_table(t);
}

static table table_of(const char *name, const char *title, const char *x_label, const double *x,
                      int count) {
    table t;
    int i;
    memset(&t, 0, sizeof t);
    t.name = name, t.title = title, t.x_label = x_label, t.count = count;
    for (i = 0; i < count; i++) {
        const unsigned n = (unsigned)x[i];
        t.x[i] = x[i];
        /* powers of two, or of four where those would not leave room for their names */
        if (!(n & (n - 1)) && (n & 0x55555555 || x[count - 1] <= 1000 * x[0]))
            t.tick[t.ticks++] = x[i];
    }
    return t;
}

#define COUNT(list) ((int)(sizeof(list) / sizeof *(list)))

static void batch(void) {
    static const double x[] = {1, 2, 4, 8, 16, 20, 32, 64, 100, 128, 256, 512, 1000, 1024, 2048,
                               4096};
    table t = table_of("batch", "784-400-20-400-784 as the batch grows", "images in a batch", x,
                       COUNT(x));
    sweep(VARY_BATCH, &t);
}
static void hidden(void) {
    static const double x[] = {64, 100, 128, 200, 256, 400, 512, 784, 1000, 1024, 2048, 4096};
    table t = table_of("hidden", "784-h-20-h-784, batch 128, as h grows", "hidden units h", x,
                       COUNT(x));
    sweep(VARY_HIDDEN, &t);
}
static void latent(void) {
    static const double x[] = {2, 4, 8, 10, 16, 20, 32, 50, 64, 100, 128, 256, 512};
    table t = table_of("latent", "784-400-z-400-784, batch 128, as z grows", "latents z", x,
                       COUNT(x));
    sweep(VARY_LATENT, &t);
}

/* ---- how many images there are to choose from ---- */

enum { WARM = 4096, PART = 4096, PARTS = 7 }; /* images before the clock starts, of each sample */

typedef struct stopwatch {
    uint64_t images, next;
    clockid_t clock;
    double began, sample[PARTS];
    int samples;
} stopwatch;

/* Called after each step. PART images are a whole number of batches only where an epoch is; else
 * the sample is divided by the images it has. */
static int watch(vae *model, const vae_progress *now, void *user) {
    stopwatch *s = (stopwatch *)user;
    uint64_t done = now->epoch * now->total + now->images;
    double t;
    (void)model;
    if (now->epoch_done || done < s->next) return 0;
    t = seconds_of(s->clock);
    if (s->images) s->sample[s->samples++] = (t - s->began) / (double)(done - s->images);
    s->images = done, s->next = done + PART, s->began = t;
    return s->samples == PARTS;
}

static void summary(double *sample, int count, curve *c, int i) {
    qsort(sample, (size_t)count, sizeof *sample, by_value);
    c->best[i] = sample[0], c->median[i] = sample[count / 2];
}

/* A pass over `count` images in the order of training: the order alone, or the images as floats. */
static void time_order(const vae_data *data, uint32_t *index, curve *order, curve *gather, int i) {
    double sample[2][PARTS];
    uint32_t sum = 0;
    int part, k;
    for (part = 0; part < PARTS; part++) {
        const double begin = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
        double middle;
        for (k = 0; k < PART; k++) {
            const size_t place = ((size_t)part * PART + (size_t)k) % data->count;
            index[k] = (uint32_t)vae_shuffle(1, (uint32_t)part, data->count, place);
            sum += index[k];
        }
        middle = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
        for (k = 0; k < PART; k++) /* 128 rows of the buffer, as in a step */
            if (vae_data_read(data, index[k], 1, out + (size_t)(k % 128) * IN)) fail("no image");
        sample[0][part] = (middle - begin) / PART;
        sample[1][part] = (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - middle) / PART;
    }
    if (sum == 1) say(" "); /* so that the order is used */
    summary(sample[0], PARTS, order, i);
    summary(sample[1], PARTS, gather, i);
}

static void data_size(size_t most) {
    static const double x[] = {1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000, 500000,
                               1000000};
    const size_t shape[3] = {0, 28, 28};
    uint8_t *pixels;
    uint32_t index[PART];
    table t;
    int i, threads, count = 0;
    while (count < COUNT(x) && x[count] <= (double)most) count++;
    if (!count) return;
    t = table_of("images", "784-16-2-16-784, batch 128, as the data grow", "images of the data",
                 x, count);
    t.ticks = 0;
    for (i = 0; i < count; i++) t.tick[t.ticks++] = x[i];
    add_curve(&t, "fit, 1 thread", 0x1c4f96, 0, FLOOR);
    add_curve(&t, "fit, 2 threads", 0x49a6e0, 0, FLOOR);
    add_curve(&t, "gather, to floats", 0xb5450f, 0, FLOOR_2);
    add_curve(&t, "order", 0x5a8f29, 0, -1);
    add_curve(&t, "fit floor", 0x1c4f96, 1, -1);
    add_curve(&t, "gather floor", 0xb5450f, 1, -1);
    pixels = (uint8_t *)room((size_t)x[count - 1] * IN);
    digits_fill(1, 0, (size_t)x[count - 1], pixels, NULL);
    for (i = 0; i < count; i++) {
        size_t dims[3];
        vae_data data;
        vae_report report;
        memcpy(dims, shape, sizeof dims), dims[0] = (size_t)x[i];
        if (vae_data_wrap(VAE_U8, 3, dims, pixels, &data, &report)) fail(report.text);
        for (threads = threads_from; threads <= threads_to; threads++) {
            stopwatch s = {0};
            vae *model = model_of(128, 16, 2, threads);
            vae_status bad;
            work w;
            if (!model) continue;
            w = work_of(model);
            race_clock = CLOCK_PROCESS_CPUTIME_ID;
            /* an image is read as bytes from among all, and written as floats to a batch */
            t.curve[FLOOR_2].best[i] = IN / bandwidth((size_t)x[i] * IN) +
                                       IN * 4 / bandwidth((size_t)128 * IN * 4);
            t.curve[FLOOR].best[i] =
                step_floor(&w, 128, vae_isa_best()) / 128 + t.curve[FLOOR_2].best[i];
            s.clock = threads > 1 ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID;
            s.next = WARM;
            bad = vae_fit(model, &data, NULL, watch, &s);
            if (bad != VAE_STOPPED) fail(vae_last_report(model)->text);
            summary(s.sample, s.samples, &t.curve[threads - 1], i);
            vae_destroy(model);
        }
        time_order(&data, index, &t.curve[ORDER], &t.curve[GATHER], i);
    }
    write_table(&t);
    say("\n  order: vae_shuffle permutes as many places as the next power of 4 has, and asks again "
        "until\n  one holds an image: quick just below a power of 4, slow just above\n");
}

int main(int argc, char **argv) {
    const double begin = seconds_of(CLOCK_MONOTONIC);
    const char *word = NULL;
    size_t most = 1000000;
    vae *model;
    int i;
    for (i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (argv[i][0] != '-') word = argv[i];
        else if (!value) fail("usage: growth [--images N] [--threads 1|2] [--text FILE] "
                              "[--json FILE] [--pictures PREFIX] [batch|hidden|latent|images]");
        else if (!strcmp(argv[i], "--images")) most = (size_t)atol(value), i++;
        else if (!strcmp(argv[i], "--threads")) threads_from = threads_to = atoi(value), i++;
        else if (!strcmp(argv[i], "--text")) race_text = open_result(value), i++;
        else if (!strcmp(argv[i], "--json")) json = open_result(value), i++;
        else if (!strcmp(argv[i], "--pictures")) pictures = value, i++;
        else fail("unknown option");
    }
    images = floats((size_t)ROWS * IN), out = floats((size_t)ROWS * IN);
    codes = normals((size_t)ROWS * 512, 0);
    {
        vae_stream s = {0};
        s.seed = 1, s.purpose = VAE_PURPOSE_USER;
        vae_random_uniform(&s, 0, (size_t)ROWS * IN, images);
    }
    race_sample_seconds = 3e-3, race_patience = 0.2;
    measure_machine();
    say_machine("cost as the work grows", "");
    say("*: moved 1.5 times more or less than the floor since the row before; ~: the median was "
        "more than\n15 %% slower than the best\n");
    model = threads_to > 1 ? model_of(1, 1, 1, 2) : NULL;
    if (threads_to > 1 && !model) say("2 threads: not in this build\n");
    vae_destroy(model);
    if (!word || !strcmp(word, "batch")) batch();
    if (!word || !strcmp(word, "hidden")) hidden();
    if (!word || !strcmp(word, "latent")) latent();
    if (!word || !strcmp(word, "images")) data_size(most);
    say("\n%.0f s in all\n", seconds_of(CLOCK_MONOTONIC) - begin);
    close_results();
    return 0;
}
