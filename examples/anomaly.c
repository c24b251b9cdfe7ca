/* Finds what does not belong: trains on nine of the ten digits and scores test images of all ten.
 * The score is -ELBO in nats, an upper bound on -log p(image): the higher, the stranger. The AUC
 * is the chance that an image of the digit left out scores higher than one of the others.
 *
 *   cc examples/anomaly.c && ./a.out [DIGIT] [FOLDER]          (clang: add -O1)
 *
 * DIGIT is the one left out, 0 unless given. FOLDER holds the four IDX files of MNIST, plain or as
 * .gz; without it the program draws its digits itself.
 *
 * Expect 1 to be hard: it has so little ink that a model which never saw one explains it better
 * than most digits it knows. The means per digit show it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "../tools/digits.h"

enum { PIXELS = DIGITS_PIXELS, TRAIN = 20000, TEST = 5000, CHUNK = 500 };

typedef struct set {
    vae_data images, labels;
} set;
typedef struct scored {
    float score;
    int label;
} scored;

static int fail(const char *what) {
    fprintf(stderr, "anomaly: %s\n", what);
    return 1;
}

/* FOLDER/NAME, or if that is not there FOLDER/NAME.gz. */
static vae_status load(const char *folder, const char *name, vae_data *data, vae_report *report) {
    char path[1000];
    vae_status status;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    status = vae_data_load(path, NULL, data, report);
    if (status != VAE_ERR_OPEN) return status;
    snprintf(path, sizeof path, "%s/%s.gz", folder, name);
    return vae_data_load(path, NULL, data, report);
}

static vae_status load_set(const char *folder, const char *name, set *s, vae_report *report) {
    char file[100];
    vae_status status;
    snprintf(file, sizeof file, "%s-images-idx3-ubyte", name);
    status = load(folder, file, &s->images, report);
    snprintf(file, sizeof file, "%s-labels-idx1-ubyte", name);
    return status ? status : load(folder, file, &s->labels, report);
}

/* Digits `first` onward of the built-in set; `pixels` and `labels` have room for `count`. */
static vae_status draw_set(uint32_t first, size_t count, uint8_t *pixels, uint8_t *labels, set *s,
                           vae_report *report) {
    size_t dims[3];
    vae_status status;
    dims[0] = count, dims[1] = DIGITS_HEIGHT, dims[2] = DIGITS_WIDTH;
    digits_fill(1, first, count, pixels, labels);
    status = vae_data_wrap(VAE_U8, 3, dims, pixels, &s->images, report);
    return status ? status : vae_data_wrap(VAE_U8, 1, dims, labels, &s->labels, report);
}

static int usable(const set *s) {
    return s->images.type == VAE_U8 && s->images.item == PIXELS && s->labels.item == 1 &&
           s->labels.count == s->images.count;
}

/* The images whose label is not `digit`, one behind another; returns how many. */
static size_t leave_out(const set *s, int digit, uint8_t *kept) {
    const uint8_t *pixels = (const uint8_t *)s->images.bytes;
    size_t i, n = 0;
    for (i = 0; i < s->images.count; i++)
        if (vae_data_label(&s->labels, i, 0) != digit)
            memcpy(kept + n++ * PIXELS, pixels + i * PIXELS, PIXELS);
    return n;
}

static int by_score(const void *a, const void *b) {
    float x = ((const scored *)a)->score, y = ((const scored *)b)->score;
    return x < y ? -1 : x > y;
}

/* Mann & Whitney's statistic: the part of all pairs in which the positive scores higher, a tie
 * counting one half. With ranks from 1, equal scores sharing the mean of theirs, it is (sum of the
 * positives' ranks - p (p + 1) / 2) / (p q). The ranks are summed doubled, as integers. Sorts the
 * array. -1 when one side is empty. */
static double auc(scored *a, size_t n, int positive) {
    uint64_t twice_ranks = 0, p = 0, q;
    size_t i, j, k;
    qsort(a, n, sizeof *a, by_score);
    for (i = 0; i < n; i = j) {
        for (j = i; j < n && !by_score(&a[i], &a[j]); j++) {}
        for (k = i; k < j; k++)
            if (a[k].label == positive) twice_ranks += i + 1 + j, p++;
    }
    q = n - p;
    return p && q ? (double)(twice_ranks - p * (p + 1)) / 2 / (double)p / (double)q : -1;
}

static int show(vae *model, const vae_progress *p, void *user) {
    (void)model, (void)user;
    if (!p->epoch_done) return 0;
    printf("epoch %2d  -ELBO %.2f\n", (int)p->epoch + 1, -p->train.elbo);
    fflush(stdout);
    return 0;
}

int main(int argc, char **argv) {
    static uint8_t pixels[(TRAIN + TEST) * PIXELS], labels[TRAIN + TEST];
    static float x[CHUNK * PIXELS], elbo[CHUNK];
    const char *word = argc > 1 ? argv[1] : "0", *folder = argc > 2 ? argv[2] : NULL;
    const int digit = word[0] - '0';
    double sum[10] = {0}, area;
    size_t count[10] = {0}, dims[3] = {0, DIGITS_HEIGHT, DIGITS_WIDTH}, at, i;
    vae_report report;
    vae_desc desc = {0};
    vae_data nine;
    vae_batch batch = {0};
    vae_status status;
    set train, test;
    vae *model;
    uint8_t *kept;
    scored *all;

    if (digit < 0 || digit > 9 || word[1])
        return fail("expected the digit to leave out, 0 to 9. Usage: ./a.out [DIGIT] [FOLDER]");
    status = folder ? load_set(folder, "train", &train, &report)
                    : draw_set(0, TRAIN, pixels, labels, &train, &report);
    if (!status)
        status = folder ? load_set(folder, "t10k", &test, &report)
                        : draw_set(DIGITS_TEST, TEST, pixels + (size_t)TRAIN * PIXELS,
                                   labels + TRAIN, &test, &report);
    if (status) return fail(report.text);
    if (!usable(&train) || !usable(&test))
        return fail("expected 28 x 28 images of bytes, and a label for each");

    kept = (uint8_t *)malloc(train.images.count * PIXELS);
    all = (scored *)malloc(test.images.count * sizeof *all);
    if (!kept || !all) return fail("out of memory");
    dims[0] = leave_out(&train, digit, kept);
    desc.input = "28x28x1";
    if (vae_data_wrap(VAE_U8, 3, dims, kept, &nine, &report) || vae_create(&desc, &model, &report))
        return fail(report.text);
    printf("%d images of every digit but %d\n", (int)nine.count, digit);
    if (vae_fit(model, &nine, NULL, show, NULL)) return fail(vae_last_report(model)->text);

    for (at = 0; at < test.images.count; at += CHUNK) {
        size_t n = test.images.count - at;
        if (n > CHUNK) n = CHUNK;
        status = vae_data_read(&test.images, at, n, x);
        if (status) return fail(vae_status_text(status));
        batch.x = x, batch.rows = n, batch.first = (uint32_t)at;
        if (vae_score(model, &batch, elbo, NULL, NULL))
            return fail(vae_last_report(model)->text);
        for (i = 0; i < n; i++) {
            const int label = (int)vae_data_label(&test.labels, at + i, 0);
            all[at + i].score = -elbo[i];
            all[at + i].label = label;
            if (label >= 0 && label < 10) sum[label] += -elbo[i], count[label]++;
        }
    }
    puts("\ndigit  test images  mean score");
    for (i = 0; i < 10; i++)
        if (count[i])
            printf("%5d %12d %11.2f%s\n", (int)i, (int)count[i], sum[i] / (double)count[i],
                   (int)i == digit ? "   left out" : "");
    area = auc(all, test.images.count, digit);
    if (area < 0) return fail("the test set has none of that digit, or nothing else");
    printf("\nAUC %.4f\n", area);

    vae_destroy(model);
    free(all);
    free(kept);
    vae_data_free(&train.images), vae_data_free(&train.labels);
    vae_data_free(&test.images), vae_data_free(&test.labels);
    return 0;
}
