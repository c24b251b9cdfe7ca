/* ======================================================================================
 * probe.h   the command probe: what the codes of a model are good for, with few labels
 * uses: platform.h screen.h text.h targets.h json.h mathematics.h statistics.h options.h datasets.h
 * uses: models.h solvers.h
 * tests: tests/test_tool_probe.sh
 *
 * A probe is a linear classifier of codes: softmax regression, or ridge regression of 1 for an
 * image's class and 0 for others. Some training images have labels, as many of each class (or one
 * more); which ones is drawn from the seed. The weight of the penalty |W|^2 is the one with the
 * lowest loss on labels held out, a fifth at a time; then all labels are fitted.
 * ==================================================================================== */
#ifndef VAE_TOOL_PROBE_H
#define VAE_TOOL_PROBE_H
#include "platform.h"
#include "screen.h"
#include "text.h"
#include "targets.h"
#include "json.h"
#include "mathematics.h"
#include "statistics.h"
#include "options.h"
#include "datasets.h"
#include "models.h"
#include "solvers.h"

enum { MOST_COUNTS = 8, FOLDS = 5 };
enum { SOFTMAX, RIDGE, CLASSIFIERS };
enum { RAW, STANDARDISED, SCALINGS };

static const char *const classifier_names[CLASSIFIERS] = {"softmax", "ridge"};
static const char *const scaling_names[SCALINGS] = {"raw", "standardised"};

/* Weights of the penalty, for codes whose variance is 1. The largest comes first: each fit begins
 * where the one before it ended. */
static const double penalties[] = {3, 1, 0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5};
enum { PENALTIES = sizeof penalties / sizeof *penalties };

/* Codes and classes of images. */
typedef struct coded {
    float *codes;       /* (count, width) */
    int32_t *classes;   /* (count), from 0 on without gaps */
    size_t count, width;
} coded;

typedef struct probing {
    coded train, test;
    int classes;
    size_t counts[MOST_COUNTS]; /* of labels; 0: all */
    size_t count_count;
    int draws;
    uint64_t seed;
    int32_t *names;     /* (classes) their numbers in the file of labels */
    double *mean, *scale[SCALINGS]; /* (width) each */
    stats_sample accuracy[MOST_COUNTS][CLASSIFIERS][SCALINGS];
} probing;

/* The images that one fit sees. */
typedef struct fit {
    const double *x;        /* (count, width) */
    const int32_t *y;       /* (count) */
    size_t count, width, classes;
    double penalty, exact;  /* the gradient's norm where softmax regression ends */
} fit;

/* log sum e^a of an image, whose logits become probabilities. */
static double softmax(double *a, size_t classes)
{
    double most = a[0], sum = 0;
    for (size_t c = 1; c < classes; c++)
        if (a[c] > most) most = a[c];
    for (size_t c = 0; c < classes; c++) {
        a[c] = exponential(vae__add_d(a[c], -most));
        sum = vae__add_d(sum, a[c]);
    }
    for (size_t c = 0; c < classes; c++) a[c] = vae__div_d(a[c], sum);
    return vae__add_d(most, logarithm(sum));
}

/* Logits of an image: w (width + 1, classes), of which the last row is the bias. */
static void logits(const fit *f, const double *w, const double *x, double *a)
{
    memcpy(a, w + f->width * f->classes, f->classes * sizeof *a);
    for (size_t j = 0; j < f->width; j++) add_scaled(a, x[j], w + j * f->classes, f->classes);
}

/* The mean cross-entropy of softmax regression, and half the penalty. */
static double softmax_loss(const double *w, double *dw, void *user)
{
    const fit *f = (const fit *)user;
    const size_t C = f->classes, weights = f->width * C;
    double *a = doubles(C, 1), sum = 0, norm2 = dot(w, w, weights);
    memset(dw, 0, (weights + C) * sizeof *dw);
    for (size_t i = 0; i < f->count; i++) {
        const double *x = f->x + i * f->width;
        double own, all;
        logits(f, w, x, a);
        own = a[f->y[i]];
        all = softmax(a, C);
        sum = vae__add_d(sum, vae__add_d(all, -own));
        a[f->y[i]] = vae__add_d(a[f->y[i]], -1);
        for (size_t j = 0; j < f->width; j++) add_scaled(dw + j * C, x[j], a, C);
        add_scaled(dw + weights, 1, a, C);
    }
    for (size_t k = 0; k < weights + C; k++) dw[k] = vae__div_d(dw[k], (double)f->count);
    add_scaled(dw, f->penalty, w, weights);
    free(a);
    return add_product(vae__div_d(sum, (double)f->count), vae__mul_d(0.5, f->penalty), norm2);
}

static void fit_softmax(fit *f, double *w)
{
    minimise(softmax_loss, f, w, (f->width + 1) * f->classes, f->exact);
}

/* (X^t X / n + penalty) W = X^t Y / n, X and Y without their means. */
static void fit_ridge(fit *f, double *w)
{
    const size_t n = f->width, C = f->classes;
    double *a = doubles(n, n), *mean = doubles(n, 1), *x = doubles(n, 1), *share = doubles(C, 1);
    const double count = (double)f->count;
    memset(w, 0, (n + 1) * C * sizeof *w);
    for (size_t i = 0; i < f->count; i++) {
        add_scaled(mean, 1, f->x + i * n, n);
        share[f->y[i]] += 1;
    }
    for (size_t j = 0; j < n; j++) mean[j] = vae__div_d(mean[j], count);
    for (size_t c = 0; c < C; c++) share[c] = vae__div_d(share[c], count);
    for (size_t i = 0; i < f->count; i++) {
        for (size_t j = 0; j < n; j++) x[j] = vae__add_d(f->x[i * n + j], -mean[j]);
        for (size_t j = 0; j < n; j++) {
            add_scaled(a + j * n, x[j], x, j + 1);
            w[j * C + (size_t)f->y[i]] = vae__add_d(w[j * C + (size_t)f->y[i]], x[j]);
        }
    }
    for (size_t j = 0; j < n; j++) {
        for (size_t k = 0; k <= j; k++) a[j * n + k] = vae__div_d(a[j * n + k], count);
        for (size_t k = 0; k < j; k++) a[k * n + j] = a[j * n + k];
        a[j * n + j] = vae__add_d(a[j * n + j], f->penalty);
        for (size_t c = 0; c < C; c++) w[j * C + c] = vae__div_d(w[j * C + c], count);
    }
    if (!solve_symmetric(a, n, w, C)) die(FAILED, "ridge regression: the codes are too large");
    for (size_t c = 0; c < C; c++) { /* the bias */
        double *bias = &w[n * C + c];
        *bias = share[c];
        for (size_t j = 0; j < n; j++) *bias = add_product(*bias, -mean[j], w[j * C + c]);
    }
    free(a);
    free(mean);
    free(x);
    free(share);
}

/* Images put to a classifier: the sum of its losses, and how many it gets right. */
typedef struct judged {
    double loss;
    size_t right;
} judged;

static judged judge(const fit *f, int classifier, const double *w)
{
    judged j = {0, 0};
    double *a = doubles(f->classes, 1);
    for (size_t i = 0; i < f->count; i++) {
        const size_t own = (size_t)f->y[i];
        size_t most = 0;
        logits(f, w, f->x + i * f->width, a);
        for (size_t c = 1; c < f->classes; c++)
            if (a[c] > a[most]) most = c;
        j.right += most == own;
        if (classifier == SOFTMAX) {
            const double logit = a[own];
            j.loss = vae__add_d(j.loss, vae__add_d(softmax(a, f->classes), -logit));
            continue;
        }
        a[own] = vae__add_d(a[own], -1);
        j.loss = vae__add_d(j.loss, dot(a, a, f->classes));
    }
    free(a);
    return j;
}

static void fit_one(fit *f, int classifier, double *w)
{
    if (classifier == SOFTMAX) fit_softmax(f, w);
    else fit_ridge(f, w);
}

/* f without (or, with `held`, only) the images of fold number `fold`: x and y are new. */
static fit part_of(const fit *f, const uint8_t *folds, int fold, int held)
{
    fit part = *f;
    double *x = doubles(f->count, f->width);
    int32_t *y = (int32_t *)need(f->count, sizeof *y);
    part.count = 0;
    for (size_t i = 0; i < f->count; i++) {
        if ((folds[i] == fold) != held) continue;
        memcpy(x + part.count * f->width, f->x + i * f->width, f->width * sizeof *x);
        y[part.count++] = f->y[i];
    }
    part.x = x, part.y = y;
    return part;
}

static void drop_fit(fit *f)
{
    free((void *)(uintptr_t)f->x);
    free((void *)(uintptr_t)f->y);
}

/* The penalty with the lowest loss on held-out labels, each fold of `fold_count` in turn. */
static double choose_penalty(const fit *all, int classifier, const uint8_t *folds, int fold_count)
{
    const size_t size = (all->width + 1) * all->classes;
    double loss[PENALTIES] = {0};
    int best = 0;
    for (int fold = 0; fold < fold_count; fold++) {
        fit some = part_of(all, folds, fold, 0), held = part_of(all, folds, fold, 1);
        double *w = doubles(size, 1);
        for (int p = 0; p < PENALTIES && some.count && held.count; p++) {
            some.penalty = penalties[p], some.exact = 1e-3; /* enough to compare losses */
            fit_one(&some, classifier, w);
            loss[p] = vae__add_d(loss[p], judge(&held, classifier, w).loss);
        }
        free(w);
        drop_fit(&some);
        drop_fit(&held);
    }
    for (int p = 1; p < PENALTIES; p++)
        if (loss[p] < loss[best]) best = p;
    return penalties[best];
}

/* Codes of some images as doubles, (code - mean) / scale. rows NULL: all of them. */
static fit scaled_codes(const probing *p, const coded *of, int scaling, const uint32_t *rows,
                        size_t count)
{
    fit f = {NULL, NULL, count, of->width, (size_t)p->classes, 0, 0};
    double *x = doubles(count, of->width);
    int32_t *y = (int32_t *)need(count, sizeof *y);
    for (size_t i = 0; i < count; i++) {
        const size_t row = rows ? rows[i] : i;
        for (size_t j = 0; j < of->width; j++)
            x[i * of->width + j] = vae__div_d(
                vae__add_d((double)of->codes[row * of->width + j], -p->mean[j]),
                p->scale[scaling][j]);
        y[i] = of->classes[row];
    }
    f.x = x, f.y = y;
    return f;
}

/* The mean of each code over the training images, and what codes are divided by: the root of the
 * mean variance of all (raw), or each by its own deviation. */
static void find_scales(probing *p)
{
    const coded *t = &p->train;
    double all = 0;
    p->mean = doubles(t->width, 1);
    for (int s = 0; s < SCALINGS; s++) p->scale[s] = doubles(t->width, 1);
    for (size_t j = 0; j < t->width; j++) {
        double sum = 0, squares = 0;
        for (size_t i = 0; i < t->count; i++)
            sum = vae__add_d(sum, (double)t->codes[i * t->width + j]);
        p->mean[j] = vae__div_d(sum, (double)t->count);
        for (size_t i = 0; i < t->count; i++) {
            const double off = vae__add_d((double)t->codes[i * t->width + j], -p->mean[j]);
            squares = add_product(squares, off, off);
        }
        squares = vae__div_d(squares, (double)t->count);
        all = vae__add_d(all, squares);
        p->scale[STANDARDISED][j] = squares > 0 ? vae__sqrt_d(squares) : 1;
    }
    if (!(all > 0)) die(FAILED, "all images have the same code: there is nothing to probe");
    for (size_t j = 0; j < t->width; j++)
        p->scale[RAW][j] = vae__sqrt_d(vae__div_d(all, (double)t->width));
}

/* Which images have labels in draw number `draw`: out rows (count), as many of each class as of the
 * others or one more, and the fold of each (count). */
static void draw_labels(const probing *p, size_t count, int draw, uint32_t *rows, uint8_t *folds)
{
    const size_t C = (size_t)p->classes;
    size_t *have = (size_t *)need(C, sizeof *have), got = 0;
    for (size_t at = 0; at < p->train.count && got < count; at++) {
        const size_t i = (size_t)vae_shuffle(p->seed, (uint32_t)draw, p->train.count, at);
        const size_t c = (size_t)p->train.classes[i], quota = count / C + (c < count % C);
        if (have[c] >= quota && count < p->train.count) continue;
        folds[got] = (uint8_t)((have[c]++ + c) % FOLDS);
        rows[got++] = (uint32_t)i;
    }
    if (got < count) {
        size_t few = 0;
        while (have[few] >= count / C + (few < count % C)) few++;
        die(FAILED, "%zu labels would be %zu images of class %d, but there are only %zu of it",
            count, count / C + (few < count % C), (int)p->names[few], have[few]);
    }
    free(have);
}

/* A draw of labels, put to each classifier with each scaling. */
static void probe_draw(probing *p, size_t which, int draw)
{
    const int all = !p->counts[which];
    const size_t count = all ? p->train.count : p->counts[which];
    uint32_t *rows = (uint32_t *)need(count, sizeof *rows);
    uint8_t *folds = (uint8_t *)need(count, 1);
    double *w = doubles((p->train.width + 1) * (size_t)p->classes, 1);
    draw_labels(p, count, draw, rows, folds);
    for (int s = 0; s < SCALINGS; s++) {
        fit train = scaled_codes(p, &p->train, s, rows, count);
        fit test = scaled_codes(p, &p->test, s, NULL, p->test.count);
        for (int c = 0; c < CLASSIFIERS; c++) {
            train.penalty = choose_penalty(&train, c, folds, all ? 1 : FOLDS);
            train.exact = 1e-6;
            memset(w, 0, (train.width + 1) * train.classes * sizeof *w);
            fit_one(&train, c, w);
            stats_add(&p->accuracy[which][c][s],
                        (double)judge(&test, c, w).right / (double)test.count);
        }
        drop_fit(&train);
        drop_fit(&test);
    }
    free(rows);
    free(folds);
    free(w);
}

/* The better of raw and standardised. */
static int better_scaling(const stats_sample of[SCALINGS])
{
    return stats_mean(&of[STANDARDISED]) > stats_mean(&of[RAW]) ? STANDARDISED : RAW;
}

/* The counts of --label-counts. */
static void read_counts(probing *p, const char *list)
{
    char piece[32];
    uint64_t value;
    while (next_piece(&list, ',', piece, sizeof piece)) {
        const int all = strcmp(piece, "all") == 0;
        if (!all && (!read_whole(piece, &value) || value < 2 || value > UINT32_MAX))
            die(MISUSED, "--label-counts: '%s' is neither a whole number from 2 on nor 'all'",
                piece);
        if (p->count_count == MOST_COUNTS)
            die(MISUSED, "--label-counts: at most %d numbers", MOST_COUNTS);
        p->counts[p->count_count++] = all ? 0 : (size_t)value;
    }
}

static void keep_codes(use *u, const vae_batch *images, void *user)
{
    coded *c = (coded *)user;
    encode_images(u, images, c->codes + images->first * c->width, NULL);
}

/* The codes of a set of images by a model, or those of an NPY file. */
static void find_codes(use *u, const options *o, const char *file, coded *c)
{
    c->count = u->data.images.count;
    if (!file) {
        check_images(&u->data, u->model, o->operand);
        check_values(&u->data, &u->desc, encoder_takes_unit(u));
        c->width = u->info.code;
        c->codes = floats(c->count, c->width);
        each_batch(u, keep_codes, c);
    } else {
        size_t rows;
        load_table(file, &c->codes, &rows, &c->width);
        if (rows != c->count)
            die(FAILED, "%s holds codes of %zu images, but %s %zu images", file, rows, u->data.name,
                c->count);
    }
    c->classes = (int32_t *)need(c->count, sizeof *c->classes);
    memcpy(c->classes, u->data.labels, c->count * sizeof *c->classes);
}

/* Numbers the classes that occur in training from 0 on. A probe cannot know others. */
static void number_classes(probing *p)
{
    int32_t *number = (int32_t *)need(MOST_CLASSES, sizeof *number);
    for (size_t i = 0; i < p->train.count; i++) number[p->train.classes[i]] = 1;
    p->names = (int32_t *)need(MOST_CLASSES, sizeof *p->names);
    for (int32_t c = 0; c < MOST_CLASSES; c++) {
        if (number[c]) p->names[p->classes] = c;
        number[c] = number[c] ? p->classes++ : -1;
    }
    if (p->classes < 2)
        die(FAILED, "all training images are of class %d: a probe needs two classes at least",
            (int)p->names[0]);
    for (int t = 0; t < 2; t++) {
        coded *of = t ? &p->test : &p->train;
        for (size_t i = 0; i < of->count; i++) {
            const int32_t name = of->classes[i];
            of->classes[i] = number[name];
            if (number[name] < 0)
                die(FAILED, "test image %zu is of class %d, of which there is no training image", i,
                    (int)name);
        }
    }
    free(number);
    for (size_t k = 0; k < p->count_count; k++) {
        if (p->counts[k] > p->train.count)
            die(FAILED, "%zu labels are asked for, but there are only %zu training images; "
                "--label-counts N,N,all asks for others", p->counts[k], p->train.count);
        if (p->counts[k] && p->counts[k] < (size_t)p->classes)
            die(FAILED, "%zu labels are too few for %d classes", p->counts[k], p->classes);
    }
}

/* Labels, codes and classes of --data and --test. */
static void open_probed(use *u, const options *o, probing *p)
{
    const int table = is_npy(o->operand);
    sets s;
    memset(&s, 0, sizeof s);
    memset(u, 0, sizeof *u);
    if (!table && given(o, "--test-codes"))
        die(MISUSED, "--test-codes: %s is a model, which makes the test images' codes itself",
            o->operand);
    if (table && !given(o, "--test-codes"))
        die(MISUSED, "%s holds codes of the training images; those of the test images are needed "
            "too: --test-codes FILE.npy", o->operand);
    if (!table) load_model(u, o, 0);
    if (u->info.classes)
        die(FAILED, "%s is told the class of each image; a probe of its codes would say nothing",
            o->operand);
    find_sets(o, &s);
    if (!s.test.name) die(MISUSED, "probe needs test images: --test WHERE");
    for (int t = 0; t < 2; t++) {
        u->data = t ? s.test : s.images;
        find_labels(&u->data, t ? "--test-labels" : "--labels", t ? o->test_labels : o->labels);
        find_codes(u, o, !table ? NULL : t ? o->test_codes : o->operand, t ? &p->test : &p->train);
        drop(&u->data);
    }
    if (p->test.width != p->train.width)
        die(FAILED, "%s holds codes of %zu numbers, but %s of %zu", o->test_codes, p->test.width,
            o->operand, p->train.width);
}

static void print_accuracy(const stats_sample *of)
{
    const double error2 = stats_error2(of);
    say("   %5.2f", 100 * stats_mean(of));
    if (error2 < 0) say("        ");
    else say(" +- %4.2f", 100 * root(error2));
}

static void print_probe(const options *o, const probing *p)
{
    say("codes        %s: %zu numbers of each of %zu training and %zu test images, %d classes\n",
        o->operand, p->train.width, p->train.count, p->test.count, p->classes);
    say("labels       %d draws, the same number of each class\n\n", p->draws);
    say("accuracy, %%          softmax regression                 ridge regression\n"
        "    labels         raw      standardised             raw      standardised\n");
    for (size_t k = 0; k < p->count_count; k++) {
        char name[24] = "all";
        if (p->counts[k]) snprintf(name, sizeof name, "%zu", p->counts[k]);
        say("%10s", name);
        for (int c = 0; c < CLASSIFIERS; c++) {
            say("%s", c ? "  " : "");
            for (int s = 0; s < SCALINGS; s++) print_accuracy(&p->accuracy[k][c][s]);
        }
        say("\n");
    }
}

static void save_probe(const options *o, const probing *p, double seconds)
{
    text t = {NULL, 0, 0};
    text_print(&t, "{\n  \"command\": \"probe\",\n  \"version\": \"%s\",\n  ", VAE_VERSION_TEXT);
    json_string(&t, "model", o->operand, ",\n");
    text_print(&t, "  \"codes\": %zu,\n  \"train_images\": %zu,\n  \"test_images\": %zu,\n"
               "  \"classes\": %d,\n  \"draws\": %d,\n  ", p->train.width, p->train.count,
               p->test.count, p->classes, p->draws);
    json_number(&t, "seconds", seconds, ",\n  \"probes\": [");
    for (size_t k = 0; k < p->count_count; k++)
        for (int c = 0; c < CLASSIFIERS; c++)
            for (int s = 0; s < SCALINGS; s++) {
                const stats_sample *of = &p->accuracy[k][c][s];
                const double error2 = stats_error2(of);
                text_print(&t, "%s\n    {\"labels\": %zu, \"probe\": \"%s\", \"codes\": \"%s\", ",
                           k || c || s ? "," : "", p->counts[k] ? p->counts[k] : p->train.count,
                           classifier_names[c], scaling_names[s]);
                json_number(&t, "accuracy", stats_mean(of), ", ");
                json_error(&t, "se", error2 < 0 ? -1 : root(error2), ", ");
                text_print(&t, "\"better\": %s}",
                           better_scaling(p->accuracy[k][c]) == s ? "true" : "false");
            }
    text_print(&t, "\n  ]\n}\n");
    text_save(&t, o->json);
}

static int probe(options *o)
{
    use u;
    probing p;
    const double begun = now();
    memset(&p, 0, sizeof p);
    p.draws = o->label_draws, p.seed = o->seed;
    read_counts(&p, o->label_counts);
    open_probed(&u, o, &p);
    number_classes(&p);
    find_scales(&p);
    for (size_t k = 0; k < p.count_count; k++)
        for (int draw = 0; draw < (p.counts[k] ? p.draws : 1); draw++) {
            char line[80];
            snprintf(line, sizeof line, "probe  %zu labels, draw %d of %d", p.counts[k], draw + 1,
                     p.draws);
            if (screen.terminal && !screen.quiet) screen_line(line, 0);
            probe_draw(&p, k, draw);
        }
    screen_clear();
    print_probe(o, &p);
    if (o->json) save_probe(o, &p, now() - begun);
    free(p.train.codes);
    free(p.train.classes);
    free(p.test.codes);
    free(p.test.classes);
    free(p.names);
    free(p.mean);
    for (int s = 0; s < SCALINGS; s++) free(p.scale[s]);
    return close_use(&u);
}

#endif
