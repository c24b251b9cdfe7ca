/* ======================================================================================
 * study.h   what vae report finds out about a model, before anything of it is drawn
 * uses: platform.h screen.h text.h targets.h statistics.h options.h paths.h datasets.h images.h
 * uses: models.h progress.h sheets.h verdicts.h solvers.h page.h
 * tests: tests/test_tool_report.sh
 * ==================================================================================== */
#ifndef VAE_TOOL_STUDY_H
#define VAE_TOOL_STUDY_H
#include "platform.h"
#include "screen.h"
#include "text.h"
#include "targets.h"
#include "statistics.h"
#include "options.h"
#include "paths.h"
#include "datasets.h"
#include "images.h"
#include "models.h"
#include "progress.h"
#include "sheets.h"
#include "verdicts.h"
#include "solvers.h"
#include "page.h"

enum {
    SAMPLES = 64,       /* drawn of each model */
    MAPPED = 1500,      /* images whose codes are mapped */
    MOST_MAPPED = 1024, /* numbers of a code; more are not mapped */
    BOUND_IMAGES = 500,
    NEAREST = 12,       /* samples that are shown beside their nearest training image */
    EXTREMES = 12,      /* images from best to worst, and strangest ones */
    MOST_ROWS = 10      /* latents that are traversed, classes that are sampled */
};

typedef enum log_column { /* of a row of --log, as far as it is drawn */
    LOG_EPOCH, LOG_STEP, LOG_LR = 3, LOG_TRAIN, LOG_TRAIN_RECON, LOG_TRAIN_KL, LOG_TEST = 9,
    LOG_TEST_RECON, LOG_TEST_KL
} log_column;

/* A sample, or an image of the data, and the image nearest to it. */
typedef struct neighbour {
    size_t index[2];    /* of the training images, of the test images */
    double square[2];   /* the squared distance */
} neighbour;

typedef struct study {
    use u;
    options o;              /* those of the command, of this model */
    const char *name;       /* of its file, without folders */
    page_shape shape;       /* of an image; height 0: it is no picture */
    verdict v;
    const char *no_bound;   /* why there is none; NULL: there is one */
    size_t bound_images;
    double *figures[4];     /* (images): -ELBO, recon, KL, mse of the reconstruction */
    size_t *by_recon;       /* (images): their numbers, best reconstruction first */
    double *codes;          /* (mapped, code) */
    size_t mapped;
    double *map;            /* (mapped, 2): the first two principal codes; NULL: none */
    double map_share;       /* of the variance, that is in these two */
    double *log;            /* (log_rows, LOG_COLUMNS); values that are missing are below -1e300 */
    size_t log_rows;
    char *log_path;         /* NULL: there is no log */
    float *samples;         /* (SAMPLES, input_dim) */
    int32_t *sample_classes; /* (SAMPLES), or NULL */
    neighbour *nearest;     /* (SAMPLES); NULL: not compared */
    double near_median[2];  /* distance to the nearest training image: of samples, of the data */
    size_t nearer;          /* samples that a training image is nearest to, of so many of each */
    size_t compared;        /* 0: the data are the training images */
} study;

static void tell_stage(const study *s, const char *what)
{
    char line[300];
    if (!screen.terminal || screen.quiet) return;
    snprintf(line, sizeof line, "%s: %s", s->name, what);
    screen_line(line, 0);
}

/* ---- the log ---- */

#define MISSING -1e308
static int is_missing(double v) { return v < -1e300; }

/* Reads the rows of a log into s->log. 0: it is none, or not of this model. */
static int parse_log(study *s, const text *all)
{
    const size_t head = sizeof log_head - 1;
    size_t at = head, lines = 0;
    int ours = 0;
    if (all->count < head || memcmp(all->at, log_head, head) != 0) return 0;
    for (size_t i = head; i < all->count; i++) lines += all->at[i] == '\n';
    s->log = doubles(lines, LOG_COLUMNS);
    while (at < all->count) {
        double *row = s->log + s->log_rows * LOG_COLUMNS;
        const char *line = all->at + at, *rest;
        const char *end = (const char *)memchr(line, '\n', all->count - at);
        char copy[400], field[40];
        int k = 0;
        if (!end || (size_t)(end - line) >= sizeof copy) break; /* cut short by a kill */
        memcpy(copy, line, (size_t)(end - line));
        copy[end - line] = '\0';
        for (rest = copy; k < LOG_COLUMNS && next_piece(&rest, ',', field, sizeof field); k++)
            if (!read_real(field, &row[k])) row[k] = MISSING;
        if (!s->u.info.latent) /* -ELBO is all that it has */
            row[LOG_TRAIN_RECON] = row[LOG_TRAIN_KL] = row[LOG_TEST_RECON] = row[LOG_TEST_KL] =
                MISSING;
        if (k < LOG_COLUMNS || is_missing(row[LOG_EPOCH]) || is_missing(row[LOG_STEP])) break;
        ours |= row[LOG_STEP] > (double)s->u.info.step - 0.5
                && row[LOG_STEP] < (double)s->u.info.step + 0.5;
        s->log_rows++;
        at += (size_t)(end - line) + 1;
    }
    if (ours && s->log_rows) return 1;
    free(s->log);
    s->log = NULL, s->log_rows = 0;
    return 0;
}

/* The log of --log, or the one that stands beside the model. */
static void find_log(study *s)
{
    const char *model = s->o.operand;
    const int typed = given(&s->o, "--log");
    for (int i = 0; i < 2 && !s->log_path; i++) {
        char *path = typed ? joined(s->o.log, "", "") : joined(model, ".csv", "");
        char error[IMAGES_ERROR];
        text all = {NULL, 0, 0};
        if (!typed && !i && ends_with(model, ".safetensors"))
            memcpy(path + strlen(model) - 12, ".csv", 5);
        if (typed || kind_of(path) == REGULAR) {
            if (same_file(path, s->o.out))
                die(MISUSED, "--out %s is the log of %s", s->o.out, model);
            all.at = (char *)images_read(path, &all.count, error);
            if (!all.at && typed) die(FAILED, "--log %s", error);
        }
        if (all.at && parse_log(s, &all)) s->log_path = path, path = NULL;
        else if (typed)
            die(FAILED, "%s is not the log of %s: a log of vae train with a row for step %llu",
                path, model, (ull)s->u.info.step);
        free(all.at);
        free(path);
    }
}

/* ---- images of the data ---- */

static void add_figures(use *u, const vae_batch *images, void *user)
{
    study *s = (study *)user;
    const size_t dim = u->info.input_dim, rows = images->rows;
    float *parts = floats(3, rows), *y = floats(rows, dim);
    score_images(u, images, parts);
    if (u->info.latent)
        check_on(u->data.name, images->first, u->model, vae_reconstruct(u->model, images, y));
    for (size_t i = 0; i < rows; i++) {
        const size_t at = images->first + i;
        double sum = 0;
        for (size_t j = i * dim; j < (i + 1) * dim; j++) {
            const double off = vae__add_d((double)images->x[j], -(double)y[j]);
            sum = add_product(sum, off, off);
        }
        s->figures[0][at] = -(double)parts[i];
        s->figures[1][at] = (double)parts[rows + i];
        s->figures[2][at] = (double)parts[2 * rows + i];
        s->figures[3][at] = vae__div_d(sum, (double)dim);
        stats_add(&s->v.elbo, (double)parts[i]);
        stats_add(&s->v.recon, (double)parts[rows + i]);
        stats_add(&s->v.kl, (double)parts[2 * rows + i]);
        stats_add(&s->v.mse, s->figures[3][at]);
    }
    free(parts);
    free(y);
}

static const double *ranked; /* for compare_ranks */
static int compare_ranks(const void *a, const void *b)
{
    const size_t i = *(const size_t *)a, k = *(const size_t *)b;
    return ranked[i] < ranked[k] ? -1 : ranked[i] > ranked[k] ? 1 : i < k ? -1 : i > k;
}

/* The numbers 0 .. count - 1 in ascending order of their values, for the caller to free(). */
static size_t *rank_images(const double *values, size_t count)
{
    size_t *order = (size_t *)need(count, sizeof *order);
    for (size_t i = 0; i < count; i++) order[i] = i;
    ranked = values;
    qsort(order, count, sizeof *order, compare_ranks);
    return order;
}

/* Bounds of the first images; why there are none is asked of the library. */
static void find_some_bounds(study *s)
{
    use few = s->u;
    float *x = floats(few.info.input_dim, 1), bound;
    const vae_batch one = read_images(&few, 0, 1, x);
    if (few.data.images.count > BOUND_IMAGES)
        few.data.images.count = few.data.images.dims[0] = BOUND_IMAGES;
    s->bound_images = few.data.images.count;
    if (!few.info.latent)
        s->no_bound = "it has no latents, so -recon is log p(x) itself";
    else if (few.desc.no_noise)
        s->no_bound = "it was trained without noise: an autoencoder has no bound of log p(x)";
    else if (vae_bound(few.model, &one, 1, &bound) != VAE_OK)
        s->no_bound = vae_last_report(few.model)->text;
    else s->v.bound_count = read_draws(s->o.draws, s->v.draws);
    find_bounds(&few, &s->v);
    free(x);
}

/* ---- codes ---- */

static void take_codes(study *s)
{
    const size_t code = s->u.info.code, dim = s->u.info.input_dim;
    const size_t most = (size_t)s->u.desc.batch;
    float *x = floats(most, dim), *mu = floats(most, code);
    s->mapped = s->u.data.images.count < MAPPED ? s->u.data.images.count : MAPPED;
    s->codes = doubles(s->mapped, code);
    for (size_t first = 0; first < s->mapped; first += most) {
        const size_t rows = s->mapped - first < most ? s->mapped - first : most;
        const vae_batch images = read_images(&s->u, first, rows, x);
        encode_images(&s->u, &images, mu, NULL);
        for (size_t i = 0; i < rows * code; i++) s->codes[first * code + i] = (double)mu[i];
    }
    free(x);
    free(mu);
}

/* The mean of each number of the codes, and its variance: (code) each. */
static void code_moments(const study *s, double *mean, double *variance)
{
    const size_t code = s->u.info.code;
    for (size_t j = 0; j < code; j++) {
        double sum = 0, squares = 0;
        for (size_t i = 0; i < s->mapped; i++) sum = vae__add_d(sum, s->codes[i * code + j]);
        mean[j] = vae__div_d(sum, (double)s->mapped);
        for (size_t i = 0; i < s->mapped; i++) {
            const double off = vae__add_d(s->codes[i * code + j], -mean[j]);
            squares = add_product(squares, off, off);
        }
        variance[j] = vae__div_d(squares, (double)s->mapped);
    }
}

/* Puts eigenvector k of the largest value but `less` into axis; of its numbers the largest in
 * magnitude is positive. Returns which one it was. */
static size_t take_axis(const double *values, const double *vectors, size_t n, size_t less,
                        double *axis)
{
    size_t best = less == 0 ? n > 1 : 0, largest = 0;
    for (size_t k = 0; k < n; k++)
        if (k != less && values[k] > values[best]) best = k;
    for (size_t j = 0; j < n; j++)
        if (square(vectors[best * n + j]) > square(vectors[best * n + largest])) largest = j;
    for (size_t j = 0; j < n; j++)
        axis[j] = vectors[best * n + largest] < 0 ? -vectors[best * n + j] : vectors[best * n + j];
    return best;
}

/* The first two principal codes of the images that are mapped. */
static void find_map(study *s)
{
    const size_t n = s->u.info.code, count = s->mapped;
    double *mean = doubles(n, 1), *variance = doubles(n, 1), *a = doubles(n, n);
    double *off = doubles(n, 1), *values = doubles(n, 1), *vectors = doubles(n, n);
    double *axes = doubles(2, n), all = 0, kept;
    size_t first, second = n;
    code_moments(s, mean, variance);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < n; j++) off[j] = vae__add_d(s->codes[i * n + j], -mean[j]);
        for (size_t j = 0; j < n; j++) add_scaled(a + j * n, off[j], off, n);
    }
    for (size_t j = 0; j < n; j++) all = vae__add_d(all, a[j * n + j]);
    find_eigenvectors(a, n, values, vectors);
    first = take_axis(values, vectors, n, n, axes);
    if (n > 1) second = take_axis(values, vectors, n, first, axes + n);
    kept = values[first] + (n > 1 ? values[second] : 0);
    s->map_share = all > 0 ? vae__div_d(kept, all) : 1;
    s->map = doubles(count, 2);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < n; j++) off[j] = vae__add_d(s->codes[i * n + j], -mean[j]);
        for (int k = 0; k < 2; k++) s->map[2 * i + (size_t)k] = dot(axes + (size_t)k * n, off, n);
    }
    free(mean);
    free(variance);
    free(a);
    free(off);
    free(values);
    free(vectors);
    free(axes);
}

/* ---- samples and their neighbours ---- */

static void draw_samples(study *s)
{
    vae_batch b = {0};
    s->samples = floats(SAMPLES, s->u.info.input_dim);
    b.rows = SAMPLES;
    if (s->u.info.classes) {
        s->sample_classes = (int32_t *)need(SAMPLES, sizeof *s->sample_classes);
        for (int i = 0; i < SAMPLES; i++)
            s->sample_classes[i] = (int32_t)(i % s->u.info.classes);
        b.labels = s->sample_classes, b.label_count = SAMPLES;
    }
    check(s->u.model, vae_sample_prior(s->u.model, &b, s->o.seed, s->samples));
}

/* The sum of squares of each row of x (rows, dim): out (rows). */
static void square_lengths(const float *x, size_t rows, size_t dim, double *out)
{
    for (size_t i = 0; i < rows; i++) {
        double sum = 0;
        for (size_t j = i * dim; j < (i + 1) * dim; j++)
            sum = add_product(sum, (double)x[j], (double)x[j]);
        out[i] = sum;
    }
}

/* For each row of q (rows, dim) the nearest of the first `count` images of a set: `which` of the
 * members of nearest (rows) it becomes. Distances are those of |x|^2 + |q|^2 - 2 x q. */
static void find_nearest(const float *q, size_t rows, const vae_data *set, size_t count, int which,
                         neighbour *nearest)
{
    enum { PART = 512 };
    const size_t dim = set->item;
    float *x = floats(PART, dim), *products = floats(PART, rows);
    double *of_q = doubles(rows, 1), *of_x = doubles(PART, 1);
    square_lengths(q, rows, dim, of_q);
    for (size_t first = 0; first < count; first += PART) {
        const size_t part = count - first < PART ? count - first : PART;
        vae_gemm_desc d;
        vae_report report;
        memset(&d, 0, sizeof d);
        vae_data_read(set, first, part, x);
        square_lengths(x, part, dim, of_x);
        d.m = part, d.n = rows, d.k = dim, d.a = x, d.b = q, d.c = products, d.trans_b = 1;
        if (vae_gemm(&d, &report) != VAE_OK) die(FAILED, "%s", report.text);
        for (size_t i = 0; i < part * rows; i++) {
            neighbour *n = &nearest[i % rows];
            const double length = vae__add_d(of_x[i / rows], of_q[i % rows]);
            double far2 = vae__add_d(length, vae__mul_d(-2, (double)products[i]));
            if (far2 < 0) far2 = 0; /* rounding */
            if ((first == 0 && i < rows) || far2 < n->square[which])
                n->square[which] = far2, n->index[which] = first + i / rows;
        }
    }
    free(x);
    free(products);
    free(of_q);
    free(of_x);
}

static double median_distance(const neighbour *nearest, size_t count)
{
    double *values = doubles(count, 1), middle;
    size_t *order;
    for (size_t i = 0; i < count; i++) values[i] = nearest[i].square[0];
    order = rank_images(values, count);
    middle = root(values[order[count / 2]]);
    free(order);
    free(values);
    return middle;
}

/* `train`: the images that the model was trained on, as far as is known; `tested`: the data are
 * others, to compare with. */
static void find_neighbours(study *s, const vae_data *train, int tested)
{
    const vae_data *test = &s->u.data.images;
    const size_t rows = test->count < SAMPLES ? test->count : SAMPLES;
    neighbour *of_test = (neighbour *)need(rows, sizeof *of_test);
    neighbour *both = (neighbour *)need(SAMPLES, sizeof *both);
    float *x = floats(rows, test->item);
    s->nearest = (neighbour *)need(SAMPLES, sizeof *s->nearest);
    s->compared = !tested ? 0 : train->count < test->count ? train->count : test->count;
    find_nearest(s->samples, SAMPLES, train, train->count, 0, s->nearest);
    s->near_median[0] = median_distance(s->nearest, SAMPLES);
    vae_data_read(test, 0, rows, x);
    find_nearest(x, rows, train, train->count, 0, of_test);
    s->near_median[1] = median_distance(of_test, rows);
    find_nearest(s->samples, SAMPLES, train, s->compared, 0, both);
    find_nearest(s->samples, SAMPLES, test, s->compared, 1, both);
    for (int i = 0; i < SAMPLES; i++) s->nearer += both[i].square[0] < both[i].square[1];
    free(x);
    free(both);
    free(of_test);
}

/* ---- all of it ---- */

/* All that needs the model; `train` without a name: the training images are not known. */
static void find_all(study *s, const dataset *train)
{
    const size_t count = s->u.data.images.count;
    const sheet shape = image_shape(&s->u);
    s->shape.height = shape.height, s->shape.width = shape.width;
    s->shape.channels = shape.channels;
    if (shape.channels != 1 && shape.channels != 3) s->shape.height = 0;
    find_log(s);
    tell_stage(s, "scores");
    for (int i = 0; i < 4; i++) s->figures[i] = doubles(count, 1);
    check_on(s->u.data.name, 0, s->u.model,
             vae_evaluate(s->u.model, &s->u.data.images, &s->v.stats));
    each_batch(&s->u, add_figures, s);
    s->by_recon = rank_images(s->figures[1], count);
    tell_stage(s, "latents");
    if (s->u.info.latent) {
        find_units(&s->u, &s->v);
        find_levels(&s->u, &s->v);
        take_codes(s);
        if (s->u.info.code <= MOST_MAPPED && s->mapped > 2) find_map(s);
    }
    tell_stage(s, "bounds");
    find_some_bounds(s);
    tell_stage(s, "samples");
    draw_samples(s);
    tell_stage(s, "neighbours");
    if (train->name) find_neighbours(s, &train->images, strcmp(train->name, s->u.data.name) != 0);
    screen_clear();
}

static void drop_study(study *s)
{
    for (int i = 0; i < 4; i++) free(s->figures[i]);
    free(s->v.unit_kl);
    free(s->v.variance);
    free(s->by_recon);
    free(s->codes);
    free(s->map);
    free(s->log);
    free(s->log_path);
    free(s->samples);
    free(s->sample_classes);
    free(s->nearest);
    vae_destroy(s->u.model);
}

#endif
