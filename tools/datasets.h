/* ======================================================================================
 * datasets.h   data sets: built-in ones, files and folders; labels, factors, tables
 * uses: platform.h screen.h text.h files.h targets.h digits.h shapes.h faces.h images.h npy.h
 * tests: tests/test_tool_data.sh, tests/test_tool.sh, tests/test_images.c, tests/test_shapes.c
 * ==================================================================================== */
#ifndef VAE_TOOL_DATASETS_H
#define VAE_TOOL_DATASETS_H
#include "platform.h"
#include "screen.h"
#include "text.h"
#include "files.h"
#include "targets.h"
#include "digits.h"
#include "shapes.h"
#include "faces.h"
#include "images.h"
#include "npy.h"

enum { BUILT_IN_SEED = 1, MOST_CLASSES = 65536 };

typedef struct dataset {
    vae_data images;
    char *name;             /* for messages; NULL: there is none */
    char *path;             /* of the one file that holds them; NULL: there is no such file */
    uint8_t *classes;       /* of the images, when these come with them; NULL: they do not */
    int32_t *labels;        /* of the images, once find_labels has been asked */
    const char *built_in;   /* the word for it; NULL: files */
    int test;               /* 1: its images for testing */
    int limited;            /* 1: perhaps not all that there are */
} dataset;

enum { STEMS = 4 };
static const char *const stems[2][STEMS] = {
    {"/train-images-idx3-ubyte", "/train-images.idx3-ubyte", "/train-images-idx4-ubyte",
     "/train-images.idx4-ubyte"},
    {"/t10k-images-idx3-ubyte", "/t10k-images.idx3-ubyte", "/t10k-images-idx4-ubyte",
     "/t10k-images.idx4-ubyte"}
};

/* Whether a folder's file of this name is one of a set: images or labels in IDX, or CIFAR-10's. */
static int is_of_a_set(const char *name)
{
    static const char *const labels[4] = {"train-labels-idx1-ubyte", "train-labels.idx1-ubyte",
                                          "t10k-labels-idx1-ubyte", "t10k-labels.idx1-ubyte"};
    const size_t n = strlen(name) - (ends_with(name, ".gz") ? 3 : 0);
    for (int i = 0; i < 2 * STEMS; i++) {
        const char *stem = stems[i / STEMS][i % STEMS] + 1;
        if (strlen(stem) == n && strncmp(name, stem, n) == 0) return 1;
    }
    for (int i = 0; i < 4; i++)
        if (strlen(labels[i]) == n && strncmp(name, labels[i], n) == 0) return 1;
    return strcmp(name, "test_batch.bin") == 0
           || (strncmp(name, "data_batch_", 11) == 0 && name[11] >= '1' && name[11] <= '5'
               && strcmp(name + 12, ".bin") == 0);
}

enum { BUILT_IN_FACTORS = FACES_FACTORS }; /* the most that a built-in set has */

/* One image of a set: its factors and, unless `pixels` is NULL, the image itself. */
static void draw_digit(uint64_t seed, uint32_t index, uint8_t *pixels, int32_t *factors)
{
    uint8_t image[DIGITS_PIXELS];
    digits_factors f;
    digits_draw(seed, index, pixels ? pixels : image, &f);
    factors[0] = f.label, factors[1] = f.slant, factors[2] = f.scale;
    factors[3] = f.thickness, factors[4] = f.x, factors[5] = f.y;
}

static void draw_shape(uint64_t seed, uint32_t index, uint8_t *pixels, int32_t *factors)
{
    uint8_t f[SHAPES_FACTORS];
    shapes_factors(seed, index, f);
    if (pixels) shapes_draw(f, pixels);
    for (int k = 0; k < SHAPES_FACTORS; k++) factors[k] = f[k];
}

static void draw_face(uint64_t seed, uint32_t index, uint8_t *pixels, int32_t *factors)
{
    uint8_t f[FACES_FACTORS];
    faces_factors(seed, index, f);
    if (pixels) faces_draw(f, pixels);
    for (int k = 0; k < FACES_FACTORS; k++) factors[k] = f[k];
}

/* A built-in set. The first factor of an image is its class. */
typedef struct built_in {
    const char *name;
    size_t dims[3];             /* height, width, channels; 0 channels: images of rank 2 */
    size_t factors;
    uint32_t test;              /* index of the first test image */
    size_t most[2];             /* images for training and for testing; 0: no limit */
    const char *images_name, *factors_name; /* of the files that the command writes */
    void (*draw)(uint64_t seed, uint32_t index, uint8_t *pixels, int32_t *factors);
} built_in;

static const built_in built_in_sets[] = {
    {"digits", {DIGITS_HEIGHT, DIGITS_WIDTH, 0}, DIGITS_FACTORS, DIGITS_TEST, {0, 0},
     "images-idx3-ubyte", "factors-idx2-int", draw_digit},
    {"shapes", {SHAPES_HEIGHT, SHAPES_WIDTH, SHAPES_CHANNELS}, SHAPES_FACTORS, SHAPES_TEST,
     {SHAPES_TEST, SHAPES_COUNT - SHAPES_TEST}, "images-idx4-ubyte", "factors.npy", draw_shape},
    {"faces", {FACES_HEIGHT, FACES_WIDTH, FACES_CHANNELS}, FACES_FACTORS, FACES_TEST,
     {FACES_TEST, FACES_COUNT - FACES_TEST}, "images-idx4-ubyte", "factors.npy", draw_face},
};

/* The set of that name, or NULL. */
static const built_in *find_built_in(const char *name)
{
    for (size_t i = 0; i < sizeof built_in_sets / sizeof *built_in_sets; i++)
        if (strcmp(name, built_in_sets[i].name) == 0) return &built_in_sets[i];
    return NULL;
}

static int is_built_in(const char *where) { return find_built_in(where) != NULL; }

/* The images of a built-in set: dims (4) for vae_data_wrap. Returns their rank. */
static int built_in_shape(const built_in *s, int test, size_t count, size_t *dims)
{
    const size_t most = s->most[test];
    if (most && count > most)
        die(MISUSED, "%zu images: there are %zu different %s for %s", count, most, s->name,
            test ? "testing" : "training");
    dims[0] = count, dims[1] = s->dims[0], dims[2] = s->dims[1], dims[3] = s->dims[2];
    return s->dims[2] ? 4 : 3;
}

static void draw_built_in(dataset *d, const char *name, int test, size_t count)
{
    size_t dims[4], size;
    const built_in *s = find_built_in(name);
    int rank = built_in_shape(s, test, count, dims);
    uint8_t *pixels;
    vae_report report;
    size = dims[1] * dims[2] * (rank == 4 ? dims[3] : 1);
    pixels = (uint8_t *)need(count, size);
    d->classes = (uint8_t *)need(count, 1);
    d->built_in = name, d->test = test;
    for (size_t i = 0; i < count; i++) {
        int32_t f[BUILT_IN_FACTORS];
        s->draw(BUILT_IN_SEED, (test ? s->test : 0) + (uint32_t)i, pixels + i * size, f);
        d->classes[i] = (uint8_t)f[0];
    }
    if (vae_data_wrap(VAE_U8, rank, dims, pixels, &d->images, &report) != VAE_OK)
        die(FAILED, "%s", report.text);
    d->images.block = pixels, d->images.block_size = count * size;
    d->name = joined(name, test ? " (test)" : "", "");
}

/* What an opened set needs before it is one: images, not too many of them, and a name. */
static void finish_images(dataset *d, const char *path, uint64_t limit)
{
    if (d->images.rank < 2)
        die(FAILED, "%s holds one number per entry: labels, not images", path);
    if (d->images.count == 0 || d->images.item == 0) die(FAILED, "%s holds no images", path);
    if (limit && limit < d->images.count)
        d->images.count = d->images.dims[0] = (size_t)limit;
    d->limited = limit != 0;
    d->name = joined(path, "", "");
}

/* The first bytes of a file, as many as it has, and zeros. Of a pipe, where no byte must be lost,
 * zeros alone. */
static void read_begin(const char *path, uint8_t *begin, size_t size)
{
    FILE *file = kind_of(path) == REGULAR ? files_open(path, "rb") : NULL;
    size_t got = 0;
    int code = EINTR;
    memset(begin, 0, size);
    while (file && code == EINTR) {
        clearerr(file);
        errno = 0;
        got += fread(begin + got, 1, size - got, file);
        code = ferror(file) ? errno ? errno : EIO : 0;
    }
    if (file) fclose(file);
    if (file && code) die(FAILED, "%s: it cannot be read: %s", path, strerror(code));
}

/* One file: NPY and pictures by their first bytes, or else IDX. */
static void load_images(dataset *d, const char *path, uint64_t limit)
{
    uint8_t begin[8], *bytes = NULL;
    char error[IMAGES_ERROR];
    size_t size = 0;
    vae_report report;
    int picture;
    read_begin(path, begin, sizeof begin);
    picture = memcmp(begin, "\x89PNG\r\n\x1a\n", 8) == 0
           || (begin[0] == 'P' && begin[1] >= '1' && begin[1] <= '7');
    if (memcmp(begin, "\x93NUMPY", 6) == 0) {
        bytes = images_read(path, &size, error);
        if (!bytes) die(FAILED, "%s", error);
        if (!images_npy(bytes, size, &d->images, error)) die(FAILED, "%s: %s", path, error);
    } else if (picture) {
        if (!images_files(&path, 1, &d->images, error)) die(FAILED, "%s", error);
    } else if (vae_data_load(path, NULL, &d->images, &report) != VAE_OK) {
        die(FAILED, "%s", report.text);
    }
    finish_images(d, path, limit);
    d->path = joined(path, "", "");
}

/* The training or test images of `where`, a folder or a built-in set: IDX files come first, then
 * CIFAR-10's, then pictures, which are all for training. 0 if there are none. */
static int find_images(dataset *d, const char *where, int test, uint64_t limit)
{
    char error[IMAGES_ERROR] = "";
    int found = 0;
    if (is_built_in(where)) {
        draw_built_in(d, where, test, (size_t)(limit ? limit : test ? 2000 : 10000));
        return 1;
    }
    if (!is_folder(where)) return 0;
    for (int i = 0; i < 2 * STEMS && !d->name; i++) {
        const char *name = stems[test][i / 2] + !files_between(where)[0]; /* they begin with '/' */
        char *path = joined(where, name, i % 2 ? ".gz" : "");
        if (kind_of(path) == REGULAR) load_images(d, path, limit);
        free(path);
    }
    if (d->name) return 1;
    found = images_batches(where, test, (size_t)limit, &d->images, &d->classes, error);
    if (found == 0 && !test) found = images_folder(where, (size_t)limit, &d->images, error);
    if (found < 0) die(FAILED, "%s", error);
    if (found) finish_images(d, where, limit);
    return found;
}

NORETURN static void no_images(const char *where, int test)
{
    die(FAILED, "%s holds no %s images: looked for %s[.gz] (or idx4), %s%s", where,
        test ? "test" : "training", stems[test][0] + 1,
        test ? "test_batch.bin" : "data_batch_1.bin",
        test ? "" : " and pictures (.png, .pgm, .ppm)");
}

static int is_one_file(const char *where)
{
    return !is_built_in(where) && !is_folder(where);
}

static void drop(dataset *d)
{
    vae_data_free(&d->images);
    free(d->name);
    free(d->path);
    free(d->classes);
    free(d->labels);
    memset(d, 0, sizeof *d);
}

/* Colours are 1 or 3, and more often behind the sides than before them. */
static int channels_first(const vae_data *d)
{
    return d->rank == 4 && (d->dims[1] == 1 || d->dims[1] == 3) && d->dims[3] != 1
           && d->dims[3] != 3;
}

/* Dies where the shape of the images, from which that of a model is taken, has its axes in another
 * order, as far as can be seen. */
static void check_axes(const dataset *d)
{
    const size_t *dims = d->images.dims;
    const int grey = dims[1] == 1; /* then the numbers come in the same order either way */
    if (channels_first(&d->images))
        die(FAILED, "%s holds images of %zu x %zu x %zu, which looks like channels first, and "
            "expected is height x width x channels: save x.transpose(0, 2, 3, 1), or say --input "
            "%zux%zux%zu if that is meant", d->name, dims[1], dims[2], dims[3],
            dims[grey ? 2 : 1], dims[grey ? 3 : 2], dims[grey ? 1 : 3]);
}

/* The shape of its images as the library wants it. */
static void shape_text(const vae_data *data, char *out, size_t size)
{
    if (data->rank > 4)
        die(FAILED, "images with %d dimensions need --input HxWxC", data->rank - 1);
    if (data->rank == 2) snprintf(out, size, "%zu", data->dims[1]);
    else snprintf(out, size, "%zux%zux%zu", data->dims[1], data->dims[2],
                  data->rank == 4 ? data->dims[3] : 1);
}

/* The first word of a likelihood: "gaussian" of "gaussian 0.1". */
static const char *kind_name(const char *kind, char name[40])
{
    size_t n;
    kind += strspn(kind, " ");
    n = strcspn(kind, " ");
    snprintf(name, 40, "%.*s", n < 40 ? (int)n : 39, kind);
    return name;
}

/* Whether it is one of some words. */
static int is_likelihood(const vae_desc *d, const char *words)
{
    char name[40], word[40];
    kind_name(d->likelihood, name);
    while (next_piece(&words, '|', word, sizeof word))
        if (strcmp(word, name) == 0) return 1;
    return 0;
}

/* Whether the likelihood takes numbers from 0 to 1 alone. */
static int takes_unit(const vae_desc *d)
{
    return !is_likelihood(d, "gaussian|gaussian_learned|gaussian_pixel");
}

/* Numbers that the library would refuse in the middle of the work are told here, by file, image and
 * place. Integers become what it takes. `unit`: it takes those from 0 to 1 alone. */
static void check_values(const dataset *d, const vae_desc *desc, int unit)
{
    const size_t item = d->images.item;
    char name[40];
    float *x;
    if (d->images.type != VAE_F32 && d->images.type != VAE_F64) return;
    x = floats(item, 1);
    for (size_t i = 0; i < d->images.count; i++) {
        vae_data_read(&d->images, i, 1, x);
        for (size_t k = 0; k < item; k++) {
            const double number = (double)x[k];
            if (fits(x[k], unit)) continue;
            free(x);
            if (!is_finite(number))
                die(FAILED, "%s: image %zu: number %zu is %s", d->name, i, k, odd_name(number));
            if (unit)
                die(FAILED, "%s: image %zu: number %zu is %.9g; %s takes numbers from 0 to 1",
                    d->name, i, k, number,
                    kind_name(desc->likelihood, name));
            die(FAILED, "%s: image %zu: number %zu is %.9g, which is too large: at most 1e18 (is "
                "it a fill value?)", d->name, i, k, number);
        }
    }
    free(x);
}

/* Where the images do not fit a model, says so before the work begins. */
static void check_images(const dataset *d, const vae *model, const char *which)
{
    const size_t *dims = d->images.dims;
    vae_info at;
    vae_get_info(model, &at);
    if (d->images.item != at.input_dim)
        die(FAILED, "%s holds images of %zu numbers, but %s takes %zu", d->name, d->images.item,
            which, at.input_dim);
    if (channels_first(&d->images) && at.channels == dims[1] && at.channels > 1
        && at.height == dims[2] && at.width == dims[3])
        die(FAILED, "%s holds images of %zu x %zu x %zu, channels first, but %s takes %zu x %zu x "
            "%zu: save x.transpose(0, 2, 3, 1)", d->name, dims[1], dims[2], dims[3], which,
            at.height, at.width, at.channels);
}

/* Number i of a table of any type, as it stands there. */
static double number_at(const vae_data *t, size_t i)
{
    switch (t->type) {
    case VAE_U8: return ((const uint8_t *)t->bytes)[i];
    case VAE_I8: return ((const int8_t *)t->bytes)[i];
    case VAE_I16: return ((const int16_t *)t->bytes)[i];
    case VAE_I32: return ((const int32_t *)t->bytes)[i];
    case VAE_F32: return (double)((const float *)t->bytes)[i];
    case VAE_F64: return ((const double *)t->bytes)[i];
    default: return 0;
    }
}

static size_t size_of(vae_type type)
{
    return type == VAE_U8 || type == VAE_I8 ? 1 : type == VAE_I16 ? 2 : type == VAE_F64 ? 8 : 4;
}

/* The file of labels that stands beside a file of images, by the standard names: images becomes
 * labels and idx3 or idx4 becomes idx1, with or without .gz. For the caller to free(); or NULL. */
static char *labels_beside(const char *path)
{
    char *beside = path ? joined(path, "", ".gz") : NULL, *at = NULL, *next = beside;
    size_t n = path ? strlen(path) : 0;
    while (next && (next = strstr(next, "images")) != NULL) at = next++;
    if (at) memcpy(at, "labels", 6), at = strstr(at, "idx");
    if (at && (at[3] == '3' || at[3] == '4')) {
        at[3] = '1';
        if (!ends_with(path, ".gz") && kind_of(beside) == REGULAR) return beside;
        beside[n] = '\0';
        if (kind_of(beside) == REGULAR) return beside;
        if (ends_with(path, ".gz")) beside[n - 3] = '\0';
        if (kind_of(beside) == REGULAR) return beside;
    }
    free(beside);
    return NULL;
}

/* The class of each image: those that come with the images, or a file's. */
static void find_labels(dataset *d, const char *flag_name, const char *where)
{
    const size_t count = d->images.count;
    const int automatic = strcmp(where, "auto") == 0;
    char *path = automatic ? labels_beside(d->path) : joined(where, "", "");
    vae_data file;
    vae_report report;
    d->labels = (int32_t *)need(count, sizeof *d->labels);
    d->images.labels = d->labels;
    if (automatic && d->classes) {
        for (size_t i = 0; i < count; i++) d->labels[i] = d->classes[i];
        free(path);
        return;
    }
    if (!path)
        die(FAILED, "%s comes without labels; name a file of them: %s FILE", d->name, flag_name);
    if (vae_data_load(path, NULL, &file, &report) != VAE_OK) die(FAILED, "%s", report.text);
    if (file.item != 1 || file.type == VAE_F32 || file.type == VAE_F64)
        die(FAILED, "%s holds no labels: those are whole numbers, one for each image", path);
    if (file.count < count || (file.count > count && !d->limited))
        die(FAILED, "%s holds %zu labels, but %s %zu images", path, file.count, d->name, count);
    for (size_t i = 0; i < count; i++) {
        double label = number_at(&file, i);
        if (label < 0 || label >= MOST_CLASSES)
            die(FAILED, "%s: label %zu is %.0f; classes are counted from 0 to %d", path, i, label,
                MOST_CLASSES - 1);
        d->labels[i] = (int32_t)label;
    }
    vae_data_free(&file);
    free(path);
}

static int most_label(const dataset *d)
{
    int32_t most = 0;
    for (size_t i = 0; i < d->images.count; i++)
        if (d->images.labels[i] > most) most = d->images.labels[i];
    return (int)most;
}

/* Where a network of `classes` does not know the label of an image. */
static void check_labels(const dataset *d, int classes)
{
    for (size_t i = 0; i < d->images.count; i++)
        if (d->images.labels[i] >= classes)
            die(FAILED, "image %zu of %s is of class %d, but the network knows 0 to %d", i, d->name,
                (int)d->images.labels[i], classes - 1);
}

/* Moves the last `count` images to a set of their own, which borrows them. */
static void hold_out(dataset *from, size_t count, dataset *held)
{
    size_t left = from->images.count - count;
    char what[60];
    if (count >= from->images.count)
        die(MISUSED, "--validate %zu leaves none of the %zu training images", count,
            from->images.count);
    snprintf(what, sizeof what, " (the last %zu)", count);
    held->name = joined(from->name, what, "");
    held->images = from->images;
    held->images.block = NULL;
    held->images.bytes = (const char *)from->images.bytes
                       + left * from->images.item * size_of(from->images.type);
    if (from->labels) held->images.labels = from->labels + left;
    held->images.count = held->images.dims[0] = count;
    from->images.count = from->images.dims[0] = left;
}

static void load_table(const char *path, float **values, size_t *rows, size_t *cols)
{
    char error[IMAGES_ERROR];
    size_t size;
    uint8_t *bytes;
    if (is_folder(path)) die(FAILED, "%s is a folder, not an NPY file", path);
    bytes = images_read(path, &size, error);
    if (!bytes) die(FAILED, "%s", error);
    if (!npy_parse(bytes, size, values, rows, cols, error)) die(FAILED, "%s: %s", path, error);
    for (size_t i = 0; i < *rows * *cols; i++)
        if (!is_finite((double)(*values)[i]))
            die(FAILED, "%s holds a number in row %zu that is not finite: number %zu is %s", path,
                i / *cols, i % *cols, odd_name((double)(*values)[i]));
    free(bytes);
}

static int is_npy(const char *path)
{
    uint8_t begin[6];
    read_begin(path, begin, sizeof begin);
    return memcmp(begin, "\x93NUMPY", 6) == 0;
}

/* What the images of a built-in set were drawn from: (images, *columns), for the caller to free. */
static double *built_in_factors(const dataset *d, size_t *columns)
{
    const built_in *s = find_built_in(d->built_in);
    const size_t count = d->images.count;
    double *values;
    *columns = s->factors;
    values = (double *)need(times(count, *columns), sizeof *values);
    for (size_t i = 0; i < count; i++) {
        int32_t f[BUILT_IN_FACTORS];
        s->draw(BUILT_IN_SEED, (d->test ? s->test : 0) + (uint32_t)i, NULL, f);
        for (size_t k = 0; k < *columns; k++) values[i * *columns + k] = f[k];
    }
    return values;
}

/* The table of --factors, likewise: NPY or IDX, a row for each image. */
static double *read_factors(const dataset *d, const char *where, size_t *columns)
{
    const size_t count = d->images.count;
    size_t rows, cols;
    double *values;
    if (strcmp(where, "auto") == 0) {
        if (d->built_in) return built_in_factors(d, columns);
        die(MISUSED, "--factors auto knows the built-in sets only; name the file for %s", d->name);
    }
    if (is_npy(where)) {
        float *table;
        load_table(where, &table, &rows, &cols);
        values = (double *)need(times(rows, cols), sizeof *values);
        for (size_t i = 0; i < rows * cols; i++) values[i] = (double)table[i];
        free(table);
    } else {
        vae_data table;
        vae_report report;
        if (vae_data_load(where, NULL, &table, &report) != VAE_OK) die(FAILED, "%s", report.text);
        if (table.rank > 2 || table.item == 0)
            die(FAILED, "%s has %d dimensions; a table of factors has two", where, table.rank);
        rows = table.count, cols = table.item;
        values = (double *)need(times(rows, cols), sizeof *values);
        for (size_t i = 0; i < rows * cols; i++) values[i] = number_at(&table, i);
        vae_data_free(&table);
    }
    if (rows < count || (rows > count && !d->limited))
        die(FAILED, "%s holds %zu rows, but %s %zu images", where, rows, d->name, count);
    for (size_t i = 0; i < count * cols; i++)
        if (!is_finite(values[i]))
            die(FAILED, "%s holds a number in row %zu that is not finite: number %zu is %s", where,
                i / cols, i % cols, odd_name(values[i]));
    *columns = cols;
    return values;
}

#endif
