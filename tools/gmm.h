/* gmm.h: mixtures of Gaussians, fitted to rows of numbers by EM.
 *
 *   gmm_new, gmm_free   memory
 *   gmm_begin           where EM begins: k-means++, then k-means
 *   gmm_step            one iteration of EM, and what it came from: never less than before
 *   gmm_score           mean log-likelihood of rows
 *   gmm_log_density     log p of one row, and in g->share of which components it is
 *   gmm_draw            a row from the mixture
 *
 * The covariance of a component is diagonal or full. A full one is known by A, lower triangular
 * with ones on its diagonal, and by the variances of u = A (x - mean), which are independent: u_j
 * is what is left of x_j when the numbers before it have told of it all that they can. No variance
 * of u is below `floor`. In these terms the best covariance for given rows is found number by
 * number, the floor included, so that an iteration of EM never lowers the likelihood.
 *
 * All sums are in double, in the order of the rows, each operation rounded on its own: equal bits
 * everywhere. Random numbers have addresses (vae.h). Includes vae.h for both. C99 and C++11. */

#ifndef GMM_H
#define GMM_H

#include "../vae.h"
#include <stdlib.h>
#include <string.h>

enum { GMM_PURPOSE = VAE_PURPOSE_USER + 1 }; /* of its random numbers */
enum { GMM_ROUNDS = 20 };                    /* of k-means, at most */

typedef struct gmm {
    size_t count, dim;
    int full;           /* 1: full covariance; 0: diagonal, A is 1 */
    double floor;       /* least variance of a number of u */
    double *weight;     /* (count): log of each component's share */
    double *mean;       /* (count, dim) */
    double *variance;   /* (count, dim): of u */
    double *lower;      /* (count, dim, dim): A; not there when diagonal */
    /* sums over the rows, each with the weight that it has in the component */
    double *mass;       /* (count) */
    double *first;      /* (count, dim): of x - mean */
    double *second;     /* (count, dim), full (count, dim, dim): of its products */
    double *constant;   /* (count): see gmm__constants */
    double *share;      /* (count): of the row at work */
    double *off, *x;    /* (dim) */
    float *row;         /* (dim) */
} gmm;

/* ---- arithmetic -------------------------------------------------------------------------- */

/* a + b c, each rounded */
static inline double gmm__more(double a, double b, double c)
{
    return vae__add_d(a, vae__mul_d(b, c));
}

static inline double gmm__bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* e^x for x <= 700; 0 below -700. Error below 1e-15 of the result. */
static inline double gmm__exp(double x)
{
    double sum = 1, r;
    int n;
    if (!(x > -700)) return 0; /* before the conversion: an int would not hold x / log 2 */
    n = (int)vae__add_d(vae__mul_d(x, 1.4426950408889634), x < 0 ? -0.5 : 0.5);
    r = gmm__more(x, -n, 0.693147180369123816490); /* log 2 in two parts */
    r = gmm__more(r, -n, 1.90821492927058770002e-10);
    for (int k = 14; k > 0; k--) sum = gmm__more(1, vae__div_d(r, k), sum);
    return vae__mul_d(sum, gmm__bits((uint64_t)(1023 + n) << 52));
}

/* log x for normal x > 0. Error below 1e-15, or of the result. */
static inline double gmm__log(double x)
{
    uint64_t bits;
    int n;
    double m, s, square, sum = 0;
    memcpy(&bits, &x, sizeof bits);
    n = (int)(bits >> 52) - 1023;
    m = gmm__bits((bits & 0xfffffffffffffu) | (uint64_t)1023 << 52);
    if (m > 1.4142135623730951) m /= 2, n++;
    s = vae__div_d(m - 1, m + 1), square = vae__mul_d(s, s);
    for (int k = 25; k > 0; k -= 2) sum = gmm__more(vae__div_d(2, k), square, sum);
    return gmm__more(gmm__more(vae__mul_d(s, sum), n, 1.90821492927058770002e-10), n,
                     0.693147180369123816490);
}

static inline double gmm__uniform(uint64_t seed, uint32_t time, uint32_t sample)
{
    const vae_stream s = {seed, GMM_PURPOSE, 0, 0, time, sample};
    uint32_t word[2];
    vae_random_words(&s, 0, 2, word);
    return ((double)(word[0] >> 5) * 67108864.0 + (double)(word[1] >> 6)) / 9007199254740992.0;
}

/* ---- memory ------------------------------------------------------------------------------ */

static inline void gmm_free(gmm *g)
{
    free(g->weight);
    free(g->row);
    memset(g, 0, sizeof *g);
}

/* 0: there is no memory for that. */
static inline int gmm_new(gmm *g, size_t count, size_t dim, int full)
{
    const size_t wide = full ? dim : 1, most = SIZE_MAX / 64;
    double *at;
    memset(g, 0, sizeof *g);
    if (!count || !dim || dim > most / count || wide > most / (count * dim)) return 0;
    g->count = count, g->dim = dim, g->full = full;
    at = (double *)calloc(4 * count + 3 * count * dim + 2 * count * dim * wide + 2 * dim,
                          sizeof *at);
    g->row = (float *)calloc(dim, sizeof *g->row);
    g->weight = at;
    if (!at || !g->row) {
        gmm_free(g);
        return 0;
    }
    g->mean = g->weight + count, g->variance = g->mean + count * dim;
    g->mass = g->variance + count * dim, g->first = g->mass + count;
    g->second = g->first + count * dim, g->constant = g->second + count * dim * wide;
    g->share = g->constant + count, g->off = g->share + count, g->x = g->off + dim;
    g->lower = full ? g->x + dim : NULL;
    for (size_t i = 0; full && i < count * dim; i++) g->lower[i * dim + i % dim] = 1;
    return 1;
}

/* ---- densities --------------------------------------------------------------------------- */

/* -2 log of the density of row x of component i, its share and (2 pi)^dim/2 left out. */
static inline double gmm__distance(const gmm *g, size_t i, const double *x)
{
    const double *mean = g->mean + i * g->dim, *variance = g->variance + i * g->dim;
    double *off = g->off, sum = 0;
    for (size_t j = 0; j < g->dim; j++) off[j] = vae__add_d(x[j], -mean[j]);
    for (size_t j = 0; j < g->dim; j++) {
        double u = off[j];
        for (size_t l = 0; g->full && l < j; l++)
            u = gmm__more(u, g->lower[(i * g->dim + j) * g->dim + l], off[l]);
        sum = vae__add_d(sum, vae__div_d(vae__mul_d(u, u), variance[j]));
    }
    return sum;
}

/* What the distance leaves out, of each component: log share - 1/2 log det (2 pi covariance). */
static inline void gmm__constants(const gmm *g)
{
    for (size_t i = 0; i < g->count; i++) {
        double sum = vae__mul_d((double)g->dim, 1.8378770664093453); /* log 2 pi */
        for (size_t j = 0; j < g->dim; j++)
            sum = vae__add_d(sum, gmm__log(g->variance[i * g->dim + j]));
        g->constant[i] = gmm__more(g->weight[i], -0.5, sum);
    }
}

/* log p of row x; g->share: the probability that it is of each component. */
static inline double gmm__row(const gmm *g, const double *x)
{
    double *share = g->share, top, sum = 0;
    for (size_t i = 0; i < g->count; i++)
        share[i] = gmm__more(g->constant[i], -0.5, gmm__distance(g, i, x));
    top = share[0];
    for (size_t i = 1; i < g->count; i++) top = share[i] > top ? share[i] : top;
    for (size_t i = 0; i < g->count; i++) {
        share[i] = gmm__exp(vae__add_d(share[i], -top));
        sum = vae__add_d(sum, share[i]);
    }
    for (size_t i = 0; i < g->count; i++) share[i] = vae__div_d(share[i], sum);
    return vae__add_d(top, gmm__log(sum));
}

/* The same of a row for itself. */
static inline double gmm_log_density(const gmm *g, const double *x)
{
    gmm__constants(g);
    return gmm__row(g, x);
}

/* Row i of the data. */
static inline const double *gmm__read(const gmm *g, const vae_data *data, size_t i)
{
    (void)vae_data_read(data, i, 1, g->row);
    for (size_t j = 0; j < g->dim; j++) g->x[j] = (double)g->row[j];
    return g->x;
}

/* Mean log-likelihood of the rows. */
static inline double gmm_score(const gmm *g, const vae_data *data)
{
    double sum = 0;
    gmm__constants(g);
    for (size_t i = 0; i < data->count; i++)
        sum = vae__add_d(sum, gmm__row(g, gmm__read(g, data, i)));
    return vae__div_d(sum, (double)data->count);
}

/* ---- EM ---------------------------------------------------------------------------------- */

static inline void gmm__clear(gmm *g)
{
    const size_t wide = g->full ? g->dim : 1;
    memset(g->mass, 0, (g->count + g->count * g->dim * (1 + wide)) * sizeof *g->mass);
}

/* Row x counts `share` in the sums of component i. */
static inline void gmm__add(gmm *g, size_t i, const double *x, double share)
{
    const size_t wide = g->full ? g->dim : 1;
    const double *mean = g->mean + i * g->dim;
    double *first = g->first + i * g->dim, *second = g->second + i * g->dim * wide;
    if (!(share > 0)) return;
    g->mass[i] = vae__add_d(g->mass[i], share);
    for (size_t j = 0; j < g->dim; j++) {
        const double off = vae__add_d(x[j], -mean[j]), part = vae__mul_d(share, off);
        first[j] = vae__add_d(first[j], part);
        for (size_t l = 0; g->full && l <= j; l++)
            second[j * wide + l] = gmm__more(second[j * wide + l], part,
                                             vae__add_d(x[l], -mean[l]));
        if (!g->full) second[j] = gmm__more(second[j], part, off);
    }
}

/* A and the variances of u from the covariance (lower half): covariance = L D Lt, A = 1 / L. A
 * number without variance of its own tells nothing of those behind it. */
static inline void gmm__factor(size_t dim, double *covariance, double *lower, double *variance)
{
    double *c = covariance;
    for (size_t j = 0; j < dim; j++) {
        const double all = c[j * dim + j];
        for (size_t l = 0; l < j; l++) { /* c[j][l] becomes L D, then L */
            for (size_t k = 0; k < l; k++)
                c[j * dim + l] = gmm__more(c[j * dim + l], -c[j * dim + k],
                                           vae__mul_d(c[l * dim + k], variance[k]));
            c[j * dim + l] = variance[l] > 0 ? vae__div_d(c[j * dim + l], variance[l]) : 0;
        }
        variance[j] = all;
        for (size_t l = 0; l < j; l++)
            variance[j] = gmm__more(variance[j], -vae__mul_d(c[j * dim + l], variance[l]),
                                    c[j * dim + l]);
        if (!(variance[j] > 1e-12 * all)) variance[j] = 0;
        for (size_t l = 0; l < j; l++) { /* row j of A: what undoes L */
            double sum = -c[j * dim + l];
            for (size_t k = l + 1; k < j; k++)
                sum = gmm__more(sum, -c[j * dim + k], lower[k * dim + l]);
            lower[j * dim + l] = sum;
        }
    }
}

/* The components that the sums of `rows` rows make most likely. One that has no rows stays as it
 * is, without weight. */
static inline void gmm__update(gmm *g, size_t rows)
{
    const size_t dim = g->dim, wide = g->full ? dim : 1;
    for (size_t i = 0; i < g->count; i++) {
        const double mass = g->mass[i];
        double *first = g->first + i * dim, *second = g->second + i * dim * wide;
        double *variance = g->variance + i * dim;
        g->weight[i] = gmm__log(vae__div_d(mass > 1e-100 ? mass : 1e-100, (double)rows));
        if (mass < 1e-6) continue;
        for (size_t j = 0; j < dim; j++) first[j] = vae__div_d(first[j], mass);
        for (size_t j = 0; j < dim; j++) {
            for (size_t l = 0; g->full && l <= j; l++)
                second[j * dim + l] = gmm__more(vae__div_d(second[j * dim + l], mass), -first[j],
                                                first[l]);
            if (!g->full)
                variance[j] = gmm__more(vae__div_d(second[j], mass), -first[j], first[j]);
            g->mean[i * dim + j] = vae__add_d(g->mean[i * dim + j], first[j]);
        }
        if (g->full) gmm__factor(dim, second, g->lower + i * dim * dim, variance);
        for (size_t j = 0; j < dim; j++)
            if (!(variance[j] > g->floor)) variance[j] = g->floor;
    }
}

/* One iteration of EM. Returns the mean log-likelihood of the rows before it. */
static inline double gmm_step(gmm *g, const vae_data *data)
{
    double sum = 0;
    gmm__constants(g);
    gmm__clear(g);
    for (size_t i = 0; i < data->count; i++) {
        const double *x = gmm__read(g, data, i);
        sum = vae__add_d(sum, gmm__row(g, x));
        for (size_t k = 0; k < g->count; k++) gmm__add(g, k, x, g->share[k]);
    }
    gmm__update(g, data->count);
    return vae__div_d(sum, (double)data->count);
}

/* The squared distance of x from mean i. */
static inline double gmm__apart(const gmm *g, size_t i, const double *x)
{
    double sum = 0;
    for (size_t j = 0; j < g->dim; j++) {
        const double off = vae__add_d(x[j], -g->mean[i * g->dim + j]);
        sum = gmm__more(sum, off, off);
    }
    return sum;
}

/* k-means++ (Arthur & Vassilvitskii 2007): the first mean is any row, each further one a row drawn
 * with a probability in proportion to its squared distance from the nearest mean so far. */
static inline void gmm__spread(gmm *g, const vae_data *data, uint64_t seed, double *apart)
{
    for (size_t k = 0; k < g->count; k++) {
        double all = 0, until, sum = 0;
        size_t chosen = 0;
        for (size_t i = 0; k && i < data->count; i++) all = vae__add_d(all, apart[i]);
        until = vae__mul_d(gmm__uniform(seed, 0, (uint32_t)k), k ? all : (double)data->count);
        if (!k || !(all > 0)) chosen = (size_t)vae__mul_d(gmm__uniform(seed, 0, (uint32_t)k),
                                                          (double)data->count);
        for (size_t i = 0; k && all > 0 && i < data->count; i++) {
            sum = vae__add_d(sum, apart[i]);
            if (apart[i] > 0) chosen = i; /* the last one, should rounding leave all below */
            if (sum > until) break;
        }
        memcpy(g->mean + k * g->dim, gmm__read(g, data, chosen), g->dim * sizeof *g->mean);
        for (size_t i = 0; i < data->count; i++) {
            const double d = gmm__apart(g, k, gmm__read(g, data, i));
            if (!k || d < apart[i]) apart[i] = d;
        }
    }
}

/* Where EM begins: k-means++, then k-means (at most GMM_ROUNDS times), of which each cluster
 * becomes a component. `floor` of the mixture is relative here and becomes a variance: that part
 * of the mean variance of the numbers, and at least 1e-12. 0: there is no memory. */
static inline int gmm_begin(gmm *g, const vae_data *data, uint64_t seed)
{
    double *apart = (double *)calloc(data->count, sizeof *apart), last = 0, all = 0;
    if (!apart) return 0;
    memcpy(g->mean, gmm__read(g, data, 0), g->dim * sizeof *g->mean);
    gmm__clear(g);
    for (size_t i = 0; i < data->count; i++) gmm__add(g, 0, gmm__read(g, data, i), 1);
    for (size_t j = 0; j < g->dim; j++) {
        const double mean = vae__div_d(g->first[j], g->mass[0]);
        const double second = g->second[g->full ? j * g->dim + j : j];
        all = vae__add_d(all, gmm__more(vae__div_d(second, g->mass[0]), -mean, mean));
    }
    g->floor = vae__mul_d(g->floor, vae__div_d(all, (double)g->dim));
    if (!(g->floor > 1e-12)) g->floor = 1e-12;
    for (size_t i = 0; i < g->count * g->dim; i++) g->variance[i] = g->floor;
    gmm__spread(g, data, seed, apart);
    free(apart);
    for (int round = 0; round <= GMM_ROUNDS; round++) {
        double sum = 0;
        gmm__clear(g);
        for (size_t i = 0; i < data->count; i++) {
            const double *x = gmm__read(g, data, i);
            double least = gmm__apart(g, 0, x);
            size_t nearest = 0;
            for (size_t k = 1; k < g->count; k++) {
                const double d = gmm__apart(g, k, x);
                if (d < least) least = d, nearest = k;
            }
            sum = vae__add_d(sum, least);
            gmm__add(g, nearest, x, 1);
        }
        gmm__update(g, data->count);
        if (round && !(sum < 0.999 * last)) break;
        last = sum;
    }
    return 1;
}

/* ---- drawing ----------------------------------------------------------------------------- */

/* Row number `number` of those that the mixture gives with this seed: x (dim). */
static inline void gmm_draw(const gmm *g, uint64_t seed, uint32_t number, float *x)
{
    const vae_stream s = {seed, GMM_PURPOSE, 1, 0, 0, number};
    double *off = g->off, left = gmm__uniform(seed, 1, number);
    size_t i, last = 0;
    for (i = 0; i < g->count; i++) {
        const double share = gmm__exp(g->weight[i]);
        if (share > 0) last = i;
        left = vae__add_d(left, -share);
        if (left < 0) break;
    }
    i = last;
    vae_random_normal(&s, 0, g->dim, x);
    for (size_t j = 0; j < g->dim; j++) {
        const double half = vae__mul_d(0.5, gmm__log(g->variance[i * g->dim + j]));
        off[j] = vae__mul_d(gmm__exp(half), (double)x[j]);
        for (size_t l = 0; g->full && l < j; l++)
            off[j] = gmm__more(off[j], -g->lower[(i * g->dim + j) * g->dim + l], off[l]);
    }
    for (size_t j = 0; j < g->dim; j++) x[j] = (float)vae__add_d(g->mean[i * g->dim + j], off[j]);
}

#endif /* GMM_H */
