/* statistics.h: statistics for tools: means with their errors, and mutual information.
 *
 *   stats_add      one more number of a sample; the mean, and how far off it may be
 *   stats_log      the natural logarithm, since there is no libm
 *   stats_bin      which of STATS_BINS parts of a range a number lies in
 *   stats_column   the values of one factor as small numbers
 *   stats_mig      the mutual information gap of codes and factors
 *
 * The mutual information gap (Chen et al. 2018, "Isolating sources of disentanglement in VAEs") is
 * the mean over factors v of (I(z1; v) - I(z2; v)) / H(v), z1 and z2 the two latents that tell most
 * about v: 1 when one latent tells all about a factor and no other anything, 0 when two tell as
 * much. Mutual information is that of counts: each latent's mu cut into STATS_BINS parts of equal
 * width over its range.
 *
 * C99 and C++11, the C library only. */

#ifndef STATS_H
#define STATS_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    STATS_BINS = 20,      /* of a latent, and of a factor of too many values */
    STATS_VALUES = 64,    /* of a factor; one with more is cut into bins */
    STATS_BLOCKS = 20     /* of images, for the error of the gap */
};

/* ---- means ------------------------------------------------------------------------------ */

/* All zero is the empty sample. */
typedef struct stats_sample {
    double sum, mean, squares;  /* mean and squares about it as they grow (Welford 1962) */
    uint64_t count;
} stats_sample;

static inline void stats_add(stats_sample *s, double value)
{
    double step = value - s->mean;
    s->count++;
    s->sum += value;
    s->mean += step / (double)s->count;
    s->squares += step * (value - s->mean);
}

static inline double stats_mean(const stats_sample *s) { return s->sum / (double)s->count; }

/* The square of the mean's standard error; -1 when fewer than two numbers say nothing of it. */
static inline double stats_error2(const stats_sample *s)
{
    if (s->count < 2) return -1;
    return s->squares / (double)(s->count - 1) / (double)s->count;
}

/* ---- mutual information ----------------------------------------------------------------- */

/* ln x for x > 0, within 1e-15 of max(1, |ln x|), by the series of 2 atanh((x - 1) / (x + 1)). */
static inline double stats_log(double x)
{
    double twos = 0, s, power, sum = 0;
    while (x > 1.4142135623730951) x *= 0.5, twos++;
    while (x < 0.70710678118654752) x *= 2, twos--;
    s = (x - 1) / (x + 1), power = s;
    for (int k = 1; k < 26; k += 2, power *= s * s) sum += power / k;
    return twos * 0.69314718055994531 + 2 * sum;
}

/* Where `value` lies between low and high: 0 to STATS_BINS - 1. */
static inline uint8_t stats_bin(double value, double low, double high)
{
    double part = high > low ? (value - low) / (high - low) * (double)STATS_BINS : 0;
    return (uint8_t)(part >= (double)STATS_BINS ? STATS_BINS - 1 : part > 0 ? part : 0);
}

static inline int stats__compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* One factor's values numbered from 0 in ascending order, or cut into bins when they are more than
 * STATS_VALUES.
 *
 *   values  (count)  overwritten, sorted
 *   codes   (count)  out: that of image i at codes[i * stride]
 *
 * Returns how many different codes there may be, or 0 when memory is out. */
static inline int stats_column(double *values, size_t count, uint8_t *codes, size_t stride)
{
    double *as_given = (double *)malloc((count ? count : 1) * sizeof *as_given);
    size_t distinct = count > 0;
    if (!as_given) return 0;
    if (count) memcpy(as_given, values, count * sizeof *values);
    qsort(values, count, sizeof *values, stats__compare);
    for (size_t i = 1; i < count && distinct <= STATS_VALUES; i++) {
        if (!(values[i] > values[distinct - 1])) continue;
        if (distinct < STATS_VALUES) values[distinct] = values[i];
        distinct++;
    }
    for (size_t i = 0; i < count; i++) {
        size_t low = 0, high = distinct;
        if (distinct > STATS_VALUES) {
            codes[i * stride] = stats_bin(as_given[i], values[0], values[count - 1]);
            continue;
        }
        while (high - low > 1) {
            size_t middle = low + (high - low) / 2;
            if (values[middle] > as_given[i]) high = middle;
            else low = middle;
        }
        codes[i * stride] = (uint8_t)low;
    }
    free(as_given);
    return distinct > STATS_VALUES ? STATS_BINS : (int)distinct;
}

typedef struct stats__counts {
    uint32_t all[STATS_BINS][STATS_VALUES];
    uint32_t block[STATS_BLOCKS][STATS_BINS][STATS_VALUES];
} stats__counts;

static inline double stats__weight(double n) { return n > 0 ? n * stats_log(n) : 0; }

/* I(z; v) in nats and H(v), from all counts but those of `without`, which may be NULL. */
static inline double stats__information(uint32_t all[STATS_BINS][STATS_VALUES],
                                          uint32_t without[STATS_BINS][STATS_VALUES],
                                          double *entropy)
{
    double joint = 0, of_z = 0, of_v = 0, n = 0, column[STATS_VALUES] = {0}, information;
    for (int z = 0; z < STATS_BINS; z++) {
        double row = 0;
        for (int v = 0; v < STATS_VALUES; v++) {
            double count = (double)(all[z][v] - (without ? without[z][v] : 0));
            joint += stats__weight(count);
            row += count;
            column[v] += count;
        }
        of_z += stats__weight(row);
        n += row;
    }
    for (int v = 0; v < STATS_VALUES; v++) of_v += stats__weight(column[v]);
    *entropy = n > 0 ? stats_log(n) - of_v / n : 0;
    information = n > 0 ? stats_log(n) + (joint - of_z - of_v) / n : 0;
    return information > 0 ? information : 0;
}

/* The mutual information gap.
 *
 *   bins    (count, latents)  stats_bin of each mu
 *   codes   (count, factors)  of stats_column
 *   values  (factors)         what it returned; factors of one value do not count
 *   gap     out, 0 to 1
 *   error2  out, the square of its standard error: a jackknife that leaves out one of
 *           STATS_BLOCKS equal runs of images after another; -1 for fewer images than that
 *
 * Returns how many factors counted: 0 leaves gap and error2 as they are. -1: memory is out. */
static inline int stats_mig(size_t count, size_t latents, const uint8_t *bins, size_t factors,
                              const uint8_t *codes, const int *values, double *gap, double *error2)
{
    stats__counts *c = (stats__counts *)malloc(sizeof *c);
    double gaps[STATS_BLOCKS + 1] = {0}, mean = 0, squares = 0; /* without block b; of all */
    int counted = 0;
    if (!c) return -1;
    for (size_t f = 0; f < factors; f++) {
        double best[STATS_BLOCKS + 1][2], entropy[STATS_BLOCKS + 1];
        if (values[f] < 2) continue;
        memset(best, 0, sizeof best);
        for (size_t j = 0; j < latents; j++) {
            memset(c, 0, sizeof *c);
            for (size_t i = 0; i < count; i++) {
                size_t b = (size_t)((uint64_t)i * STATS_BLOCKS / count);
                uint8_t z = bins[i * latents + j], v = codes[i * factors + f];
                c->all[z][v]++;
                c->block[b][z][v]++;
            }
            for (int b = 0; b <= STATS_BLOCKS; b++) {
                double i = stats__information(c->all, b < STATS_BLOCKS ? c->block[b] : NULL,
                                                &entropy[b]);
                if (i > best[b][0]) best[b][1] = best[b][0], best[b][0] = i;
                else if (i > best[b][1]) best[b][1] = i;
            }
        }
        for (int b = 0; b <= STATS_BLOCKS; b++)
            if (entropy[b] > 0) gaps[b] += (best[b][0] - best[b][1]) / entropy[b];
        counted++;
    }
    free(c);
    if (!counted) return 0;
    for (int b = 0; b <= STATS_BLOCKS; b++) gaps[b] /= counted;
    for (int b = 0; b < STATS_BLOCKS; b++) mean += gaps[b] / (double)STATS_BLOCKS;
    for (int b = 0; b < STATS_BLOCKS; b++) squares += (gaps[b] - mean) * (gaps[b] - mean);
    *gap = gaps[STATS_BLOCKS];
    *error2 = count < STATS_BLOCKS ? -1
            : squares * (double)(STATS_BLOCKS - 1) / (double)STATS_BLOCKS;
    return counted;
}

#endif /* STATS_H */
