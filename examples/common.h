/* common.h: what the numbered examples share, and what is beside their point: reading images,
 * ending with a sentence when something fails, the last line, a few functions of libm. */

#ifndef COMMON_H
#define COMMON_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../tools/digits.h"
#include "../tools/picture.h"
#include "../tools/figures.h"

enum { SIDE = 28, PIXELS = SIDE * SIDE, HALF = 14, HALF_PIXELS = HALF * HALF };

static inline void stop(const char *why)
{
    fprintf(stderr, "%s\n", why);
    exit(1);
}

/* Every call on a model goes through this. */
static inline void ok(vae *model, vae_status status)
{
    if (status != VAE_OK) stop(vae_last_report(model)->text);
}

static inline vae *create(const vae_desc *desc)
{
    vae_report report;
    vae *model;
    if (vae_create(desc, &model, &report) != VAE_OK) stop(report.text);
    return model;
}

/* Numbers (count, width) as a data set, without a copy. */
static inline vae_data wrap(const float *x, size_t count, size_t width)
{
    const size_t dims[] = {count, width};
    vae_report report;
    vae_data data;
    if (vae_data_wrap(VAE_F32, 2, dims, x, &data, &report) != VAE_OK) stop(report.text);
    return data;
}

/* All numbers of a data set, (count, item); for the caller to free(). */
static inline float *numbers_of(const vae_data *data)
{
    float *x = (float *)malloc(data->count * data->item * sizeof *x);
    if (!x || vae_data_read(data, 0, data->count, x) != VAE_OK) stop("out of memory");
    return x;
}

/* FOLDER/PART-WHAT-ubyte, or if that cannot be opened the same with .gz. */
static inline vae_data read_idx(const char *folder, const char *part, const char *what)
{
    char path[1000];
    vae_report report;
    vae_data data;
    snprintf(path, sizeof path, "%s/%s-%s-ubyte", folder, part, what);
    vae_status status = vae_data_load(path, NULL, &data, &report);
    if (status == VAE_ERR_OPEN) {
        snprintf(path, sizeof path, "%s/%s-%s-ubyte.gz", folder, part, what);
        status = vae_data_load(path, NULL, &data, &report);
    }
    if (status != VAE_OK) stop(report.text);
    return data;
}

/* The first `count` images of the built-in digits, or of the IDX files of MNIST in a folder; for
 * training, or when `test` is 1 those of the test set.
 *
 *   x       (count, PIXELS)  out, from 0 to 1
 *   labels  (count)          out, 0 to 9; may be NULL */
static inline void images(const char *folder, int test, size_t count, float *x, int32_t *labels)
{
    if (folder) {
        vae_data pictures = read_idx(folder, test ? "t10k" : "train", "images-idx3");
        vae_data classes = read_idx(folder, test ? "t10k" : "train", "labels-idx1");
        if (pictures.item != PIXELS || vae_data_read(&pictures, 0, count, x) != VAE_OK ||
            classes.count < count)
            stop("the folder does not hold enough images of 28 x 28 pixels");
        for (size_t i = 0; labels && i < count; i++)
            labels[i] = vae_data_label(&classes, i, 0);
        vae_data_free(&pictures);
        vae_data_free(&classes);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        uint8_t pixels[PIXELS];
        digits_factors factors;
        digits_draw(1, (uint32_t)i + (test ? DIGITS_TEST : 0), pixels, &factors);
        for (size_t k = 0; k < PIXELS; k++) x[i * PIXELS + k] = pixels[k] / 255.0f;
        if (labels) labels[i] = factors.label;
    }
}

/* The same in black and white, and in half the size: x (count, HALF_PIXELS) of 0 and 1. */
static inline void half_images(const char *folder, int test, size_t count, float *x)
{
    float *large = (float *)malloc(count * PIXELS * sizeof *x);
    if (!large) stop("out of memory");
    images(folder, test, count, large, NULL);
    for (size_t i = 0; i < count * HALF_PIXELS; i++) {
        const float *p = large + i / HALF * 2 * SIDE + i % HALF * 2;
        x[i] = p[0] + p[1] + p[SIDE] + p[SIDE + 1] > 2;
    }
    free(large);
}

/* A picture rgb (32, 32, 3), in grey and in half the size: each of the numbers out (16, 16) is the
 * mean of four pixels, each the largest of its three colours. */
static inline void half_grey(const uint8_t *rgb, float *out)
{
    for (int i = 0; i < 16 * 16; i++) {
        out[i] = 0;
        for (int k = 0; k < 4; k++) {
            const uint8_t *p = rgb + (i / 16 * 2 + k / 2) * 96 + (i % 16 * 2 + k % 2) * 3;
            const int most = p[0] > p[1] ? p[0] : p[1];
            out[i] += (float)(most > p[2] ? most : p[2]) / 1020;
        }
    }
}

static inline double mean_of(const float *numbers, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += (double)numbers[i];
    return sum / (double)count;
}

static inline size_t smallest(const float *numbers, size_t count)
{
    size_t at = 0;
    for (size_t i = 1; i < count; i++)
        if (numbers[i] < numbers[at]) at = i;
    return at;
}

static inline double squared_distance(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)(a[i] - b[i]) * (double)(a[i] - b[i]);
    return sum;
}

/* The share of points (count, 2) whose nearest other point is of the same class. */
static inline double same_class(const float *points, size_t count, const int32_t *labels)
{
    size_t same = 0;
    for (size_t i = 0; i < count; i++) {
        double least = 1e30;
        size_t nearest = i;
        for (size_t k = 0; k < count; k++) {
            double d = squared_distance(points + 2 * i, points + 2 * k, 2);
            if (k != i && d < least) least = d, nearest = k;
        }
        same += labels[nearest] == labels[i];
    }
    return (double)same / (double)count;
}

/* C (m, n) = A (m, k) B (k, n); `trans_a`: A is stored (k, m); `trans_b`: B is stored (n, k). */
static inline void multiply(size_t m, size_t n, size_t k, const float *a, int trans_a,
                            const float *b, int trans_b, float *c)
{
    vae_gemm_desc product = {0};
    vae_report report;
    product.m = m, product.n = n, product.k = k;
    product.a = a, product.b = b, product.c = c;
    product.trans_a = trans_a, product.trans_b = trans_b;
    if (vae_gemm(&product, &report) != VAE_OK) stop(report.text);
}

/* The squared distance of each of the rows a (m, width) from each of b (n, width), into out (m, n),
 * by |a - b|^2 = |a|^2 + |b|^2 - 2 a b. */
static inline void distances(size_t m, const float *a, size_t n, const float *b, size_t width,
                             float *out)
{
    multiply(m, n, width, a, 0, b, 1, out);
    for (size_t i = 0; i < m * n; i++) out[i] *= -2;
    for (size_t i = 0; i < m + n; i++) {
        const float *row = i < m ? a + i * width : b + (i - m) * width;
        double square = 0;
        for (size_t k = 0; k < width; k++) square += (double)row[k] * (double)row[k];
        for (size_t k = 0; k < n && i < m; k++) out[i * n + k] += (float)square;
        for (size_t k = 0; k < m && i >= m; k++) out[k * n + i - m] += (float)square;
    }
}

static inline double square_root(double x) { return figure__root(x); }

/* Rows (k, n) become orthogonal and of length 1 (Gram and Schmidt). */
static inline void orthonormal(float *rows, size_t k, size_t n)
{
    for (size_t i = 0; i < k; i++) {
        float *row = rows + i * n;
        double length = 0;
        for (size_t j = 0; j < i; j++) {
            double dot = 0;
            for (size_t p = 0; p < n; p++) dot += (double)row[p] * (double)rows[j * n + p];
            for (size_t p = 0; p < n; p++) row[p] -= (float)dot * rows[j * n + p];
        }
        for (size_t p = 0; p < n; p++) length += (double)row[p] * (double)row[p];
        for (size_t p = 0; p < n; p++) row[p] /= (float)square_root(length);
    }
}

/* The k first principal directions v (k, width) of rows x (count, width), as in 01_pca.c, and the
 * mean row. Returns the mean squared error of a number that k codes leave. */
static inline double principal(const float *x, size_t count, size_t width, size_t k, float *mean,
                               float *v)
{
    float *centred = (float *)malloc(count * width * sizeof *x);
    float *codes = (float *)malloc(count * k * sizeof *x);
    double error = 0;
    if (!centred || !codes) stop("out of memory");
    for (size_t p = 0; p < width; p++) {
        double sum = 0;
        for (size_t i = 0; i < count; i++) sum += (double)x[i * width + p];
        mean[p] = (float)(sum / (double)count);
        for (size_t i = 0; i < count; i++) centred[i * width + p] = x[i * width + p] - mean[p];
    }
    for (size_t i = 0; i < k * width; i++) v[i] = (float)((i * 7919 + i / width) % 101) - 50;
    orthonormal(v, k, width);
    for (int step = 0; step < 60; step++) {
        multiply(count, k, width, centred, 0, v, 1, codes);
        multiply(k, width, count, codes, 1, centred, 0, v);
        orthonormal(v, k, width);
    }
    multiply(count, k, width, centred, 0, v, 1, codes);
    for (size_t i = 0; i < count * width; i++) error += (double)centred[i] * (double)centred[i];
    for (size_t i = 0; i < count * k; i++) error -= (double)codes[i] * (double)codes[i];
    free(centred);
    free(codes);
    return error / (double)count / (double)width;
}

/* What PCA makes of rows x (count, width): their codes, and the rows `out` that these decode to. */
static inline void project(const float *x, size_t count, size_t width, size_t k, const float *mean,
                           const float *v, float *codes, float *out)
{
    for (size_t i = 0; i < count * width; i++) out[i] = x[i] - mean[i % width];
    multiply(count, k, width, out, 0, v, 1, codes);
    multiply(count, width, k, codes, 0, v, 0, out);
    for (size_t i = 0; i < count * width; i++) out[i] += mean[i % width];
}

static inline double natural_log(double x) { return figure__log(x) * 2.30258509299404568; }

static inline double exponential(double x)
{
    double term = 1, sum = 1, part = x / 1024;
    if (x < -700) return 0;
    for (int k = 1; k < 12; k++) sum += term *= part / k;
    for (int k = 0; k < 10; k++) sum *= sum;
    return sum;
}

static inline double sine(double x) /* for |x| <= 7 */
{
    double term = x, sum = x;
    for (int k = 2; k < 40; k += 2) sum += term *= -x * x / (k * (k + 1));
    return sum;
}

/* Point n of two moons: half circles that reach into each other, and noise. */
static inline void moon(uint32_t n, float point[2])
{
    const double pi = 3.14159265358979324;
    const vae_stream stream = {.seed = 2, .purpose = 128, .sample = n};
    float u[2], e[2], side;
    vae_random_uniform(&stream, 0, 2, u), vae_random_normal(&stream, 2, 2, e);
    side = u[1] < 0.5f ? 1 : -1;
    point[0] = side * (float)(1.4 * sine(pi * (double)u[0] - pi / 2) - 0.7) + 0.12f * e[0];
    point[1] = side * (float)(1.4 * sine(pi * (double)u[0] - pi) + 0.35) + 0.12f * e[1];
}

/* `count` standard normals, the same for the same seed. */
static inline void normals(uint64_t seed, size_t count, float *out)
{
    vae_stream stream = {0};
    stream.seed = seed, stream.purpose = 128;
    vae_random_normal(&stream, 0, count, out);
}

/* Writes out/examples/NAME.png. */
static inline void save(figure *f, const char *name)
{
    char path[200];
    const char *error;
    snprintf(path, sizeof path, "out/examples/%s.png", name);
    error = figure_save(f, path);
    if (error) stop(error);
}

/* The last line: the number and the bound it must meet. Returns what main returns. */
static inline int at_most(const char *what, double number, double bound)
{
    printf("%s: %.5g (at most %.5g)\n", what, number, bound);
    return !(number <= bound);
}

static inline int at_least(const char *what, double number, double bound)
{
    printf("%s: %.5g (at least %.5g)\n", what, number, bound);
    return !(number >= bound);
}

#endif
