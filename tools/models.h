/* ======================================================================================
 * models.h   opens a model file, and gives it data
 * uses: platform.h screen.h text.h targets.h options.h datasets.h
 * tests: tests/test_tool.sh, tests/test_tool_runs.sh
 * ==================================================================================== */
#ifndef VAE_TOOL_MODELS_H
#define VAE_TOOL_MODELS_H
#include "platform.h"
#include "screen.h"
#include "text.h"
#include "targets.h"
#include "options.h"
#include "datasets.h"

static void check(const vae *model, vae_status status)
{
    if (status != VAE_OK) die(FAILED, "%s", vae_last_report(model)->text);
}

/* The same of work on rows of a file from number `first` on. The library counts those that it was
 * given; how many these were must not show, as it depends on how fast they were. */
static void check_on(const char *file, size_t first, const vae *model, vae_status status)
{
    const char *said = vae_last_report(model)->text;
    char *end = NULL;
    const size_t row = strncmp(said, "row ", 4) ? 0 : (size_t)strtoul(said + 4, &end, 10);
    if (status == VAE_OK) return;
    if (end && *end == ':') die(FAILED, "%s: row %zu%s", file, first + row, end);
    if (first) die(FAILED, "%s, from row %zu on: %s", file, first, said);
    die(FAILED, "%s: %s", file, said);
}

static const char *isa_name(vae_isa isa) { return vae_choice_name(VAE_CHOICE_ISA, (int)isa); }

/* As many as asked for, exactly; or, below 0, at most one for each processor that this process may
 * use: as many as the system grants. */
static int threads_of(const options *o)
{
    long n = 1;
#if defined(__linux__)
    cpu_set_t may;
    if (sched_getaffinity(0, sizeof may, &may) == 0) n = CPU_COUNT(&may);
#elif defined(HAVE_POSIX)
    n = sysconf(_SC_NPROCESSORS_ONLN);
#elif defined(_WIN32)
    n = (long)GetActiveProcessorCount(0xffff);
#endif
#ifndef VAE__THREADS
    n = 1; /* a build without threads */
#endif
    if (o->desc.threads) return o->desc.threads;
    return n < 1 ? -1 : n > 16 ? -16 : (int)-n;
}

/* A model file as --max-memory allows it. */
static void load_file(const options *o, const char *path, vae_load_options *how, vae **model)
{
    vae_report report;
    how->max_memory = o->max_memory < SIZE_MAX ? (size_t)o->max_memory : SIZE_MAX;
    if (vae_load(path, how, model, &report) != VAE_OK)
        die(FAILED, "%s%s", report.text,
            report.status == VAE_ERR_SIZE ? "; --max-memory N allows more" : "");
}

typedef struct use {
    vae *model;
    vae_desc desc;
    vae_info info;
    dataset data;
} use;

/* With buffers of `batch` rows; 0: as the library thinks best. */
static void load_model(use *u, const options *o, int batch)
{
    vae_load_options how;
    memset(&how, 0, sizeof how);
    how.inference = o->command == INFO ? 2 : 1; /* 2: to look at, without buffers */
    how.isa = o->desc.isa, how.threads = threads_of(o), how.batch = batch;
    load_file(o, o->operand, &how, &u->model);
    vae_get_desc(u->model, &u->desc);
    vae_get_info(u->model, &u->info);
    if (o->mode && !u->info.by_pixel)
        die(FAILED, "--mode: the decoder of %s has no layer `image`: it does not draw pixels one "
            "by one", o->operand);
    if (o->mode && !u->info.latent && o->command != COMPLETE)
        die(FAILED, "--mode: %s has no latents; all its images would be the same one", o->operand);
}

static void open_model(use *u, const options *o)
{
    memset(u, 0, sizeof *u);
    load_model(u, o, 0);
    if (o->command & OF_CODES && !u->info.latent) die(FAILED, "%s has no latents", o->operand);
    if (o->command & (READS & ~REPORT) && given(o, "--labels") && !u->info.classes)
        die(MISUSED, "--labels: %s was made without classes", o->operand);
    if (o->command & OF_A_CLASS && given(o, "--class") && o->label >= u->info.classes) {
        if (!u->info.classes) die(MISUSED, "--class: %s was made without classes", o->operand);
        die(MISUSED, "--class %d: %s knows classes 0 to %d", o->label, o->operand,
            u->info.classes - 1);
    }
}

/* Rows without images: z (rows, latent) to decode, or z NULL to draw. `label` is their class, which
 * a conditional model must be told; NULL: none is known. */
static vae_batch rows_of_class(const use *u, const options *o, const float *z, size_t rows,
                               const int32_t *label)
{
    vae_batch b;
    memset(&b, 0, sizeof b);
    b.x = z, b.rows = rows;
    if (!u->info.classes) return b;
    if (!label)
        die(MISUSED, "%s draws one of %d classes: say which with --class 0 to %d", o->operand,
            u->info.classes, u->info.classes - 1);
    b.labels = label, b.label_count = 1;
    return b;
}

/* The class of --class, or NULL. */
static const int32_t *class_given(const options *o, int32_t *label)
{
    *label = (int32_t)o->label;
    return given(o, "--class") ? label : NULL;
}

/* Whether the encoder takes numbers from 0 to 1 alone: one that was trained with noise takes others
 * too. The library is asked, with an image of others. */
static int encoder_takes_unit(use *u)
{
    float *x = floats(u->info.input_dim, 1);
    vae_batch b = {0};
    vae_status got;
    for (size_t i = 0; i < u->info.input_dim; i++) x[i] = 2;
    b.x = x, b.rows = 1;
    got = vae_encode(u->model, &b, NULL, NULL);
    free(x);
    return got == VAE_ERR_VALUE;
}

static void open_data(use *u, const options *o)
{
    if (is_one_file(o->data)) {
        if (o->split != SPLIT_AUTO)
            die(MISUSED, "--split chooses from a folder or a built-in set; %s is one file",
                o->data);
        load_images(&u->data, o->data, o->images);
    } else {
        const int test = o->split == SPLIT_TEST
                         || (o->split == SPLIT_AUTO && o->command != PRIOR);
        int found = test && find_images(&u->data, o->data, 1, o->images);
        if (!found && o->split != SPLIT_TEST) found = find_images(&u->data, o->data, 0, o->images);
        if (!found) no_images(o->data, o->split == SPLIT_TEST);
    }
    check_images(&u->data, u->model, o->operand);
    check_values(&u->data, &u->desc,
                 o->command & (EVAL | SCORE | COMPLETE | REPORT) ? takes_unit(&u->desc)
                                                                 : encoder_takes_unit(u));
    if (u->info.classes) {
        find_labels(&u->data, "--labels", o->labels);
        check_labels(&u->data, u->info.classes);
    }
}

/* What train, probe and pca work with. A set without a name is not there. */
typedef struct sets {
    dataset images;     /* to train on */
    dataset test;
    dataset held;       /* held out of `images` by --validate */
} sets;

/* Reads --data and --test. */
static void find_sets(const options *o, sets *s)
{
    if (is_one_file(o->data)) load_images(&s->images, o->data, o->images);
    else if (!find_images(&s->images, o->data, 0, o->images)) no_images(o->data, 0);
    if (given(o, "--test-images") && o->test_images == 0) return;
    if (o->test && is_one_file(o->test)) load_images(&s->test, o->test, o->test_images);
    else if (o->test) {
        if (!find_images(&s->test, o->test, 1, o->test_images)
            && !find_images(&s->test, o->test, 0, o->test_images)) no_images(o->test, 0);
    }
    else if (!is_one_file(o->data)) find_images(&s->test, o->data, 1, o->test_images);
}

static void open_both(use *u, const options *o)
{
    open_model(u, o);
    open_data(u, o);
}

static int close_use(use *u)
{
    drop(&u->data);
    vae_destroy(u->model);
    return 0;
}

/* Images first .. first + rows - 1 of the data, of which x (rows, input_dim) are the numbers. */
static vae_batch read_images(const use *u, size_t first, size_t rows, float *x)
{
    vae_batch b;
    memset(&b, 0, sizeof b);
    vae_data_read(&u->data.images, first, rows, x);
    b.x = x, b.rows = rows, b.first = (uint32_t)first;
    if (u->info.classes) b.labels = u->data.labels + first, b.label_count = rows;
    return b;
}

/* Image `index` of the data: x (input_dim) */
static vae_batch read_image(const use *u, uint64_t index, float *x)
{
    if (index >= u->data.images.count)
        die(MISUSED, "there is no image %llu: %s holds %zu, counted from 0", (ull)index,
            u->data.name, u->data.images.count);
    return read_images(u, (size_t)index, 1, x);
}

/* mu (rows, latent) of images of the data, and logvar (rows, latent) unless that is NULL. */
static void encode_images(const use *u, const vae_batch *images, float *mu, float *logvar)
{
    check_on(u->data.name, images->first, u->model, vae_encode(u->model, images, mu, logvar));
}

/* Something done with some images of the data. */
typedef void batch_work(use *u, const vae_batch *images, void *user);

static void each_batch(use *u, batch_work *work, void *user)
{
    const size_t most = (size_t)u->desc.batch, count = u->data.images.count;
    float *x = floats(most, u->info.input_dim);
    for (size_t first = 0; first < count; first += most) {
        const vae_batch images = read_images(u, first, count - first < most ? count - first : most,
                                             x);
        work(u, &images, user);
    }
    free(x);
}

#endif
