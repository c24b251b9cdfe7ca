/* common.h: what examples 01 to 16 share, and what is beside their point: reading images, ending
 * with a sentence when something fails, the last line, a few functions that libm would have. */

#ifndef COMMON_H
#define COMMON_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../tools/digits.h"
#include "../tools/picture.h"
#include "../tools/figures.h"

enum { SIDE = 28, PIXELS = SIDE * SIDE };

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

/* Numbers (count, PIXELS) as a data set, without a copy. */
static inline vae_data wrap(const float *x, size_t count)
{
    const size_t dims[] = {count, PIXELS};
    vae_report report;
    vae_data data;
    if (vae_data_wrap(VAE_F32, 2, dims, x, &data, &report) != VAE_OK) stop(report.text);
    return data;
}

static inline vae_data read_idx(const char *folder, const char *part, const char *what)
{
    char path[1000];
    vae_report report;
    vae_data data;
    snprintf(path, sizeof path, "%s/%s-%s-ubyte", folder, part, what);
    if (vae_data_load(path, NULL, &data, &report) == VAE_OK) return data;
    snprintf(path, sizeof path, "%s/%s-%s-ubyte.gz", folder, part, what);
    if (vae_data_load(path, NULL, &data, &report) != VAE_OK) stop(report.text);
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

static inline double squared_distance(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)(a[i] - b[i]) * (double)(a[i] - b[i]);
    return sum;
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

static inline double square_root(double x);

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

/* The k first principal directions v (k, PIXELS) of images (count, PIXELS), as in 01_pca.c, and the
 * mean image. Returns the mean squared error per pixel that k codes leave. */
static inline double principal(const float *x, size_t count, size_t k, float *mean, float *v)
{
    float *centred = (float *)malloc(count * PIXELS * sizeof *x);
    float *codes = (float *)malloc(count * k * sizeof *x);
    double error = 0;
    if (!centred || !codes) stop("out of memory");
    for (size_t p = 0; p < PIXELS; p++) {
        double sum = 0;
        for (size_t i = 0; i < count; i++) sum += (double)x[i * PIXELS + p];
        mean[p] = (float)(sum / (double)count);
        for (size_t i = 0; i < count; i++) centred[i * PIXELS + p] = x[i * PIXELS + p] - mean[p];
    }
    for (size_t i = 0; i < k * PIXELS; i++) v[i] = (float)((i * 7919 + i / PIXELS) % 101) - 50;
    orthonormal(v, k, PIXELS);
    for (int step = 0; step < 60; step++) {
        multiply(count, k, PIXELS, centred, 0, v, 1, codes);
        multiply(k, PIXELS, count, codes, 1, centred, 0, v);
        orthonormal(v, k, PIXELS);
    }
    multiply(count, k, PIXELS, centred, 0, v, 1, codes);
    for (size_t i = 0; i < count * PIXELS; i++) error += (double)centred[i] * (double)centred[i];
    for (size_t i = 0; i < count * k; i++) error -= (double)codes[i] * (double)codes[i];
    free(centred);
    free(codes);
    return error / (double)count / PIXELS;
}

static inline double square_root(double x) { return figure__root(x); }

static inline double natural_log(double x) { return figure__log(x) * 2.30258509299404568; }

static inline double exponential(double x)
{
    double term = 1, sum = 1, part = x / 1024;
    if (x < -700) return 0;
    for (int k = 1; k < 12; k++) sum += term *= part / k;
    for (int k = 0; k < 10; k++) sum *= sum;
    return sum;
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
