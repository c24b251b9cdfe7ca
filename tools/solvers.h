/* ======================================================================================
 * solvers.h   in double, without libm: exp, log, linear equations, eigenvectors, minimisation
 * uses: platform.h screen.h text.h
 * tests: tests/test_tool_probe.sh
 *
 * Sums and products go through the library's vae__add_d and vae__mul_d, which no compiler reorders
 * or fuses: what is computed here has the same bits everywhere. Matrices are row-major.
 * ==================================================================================== */
#ifndef VAE_TOOL_SOLVERS_H
#define VAE_TOOL_SOLVERS_H
#include "platform.h"
#include "screen.h"
#include "text.h"

static double *doubles(size_t rows, size_t cols)
{
    return (double *)need(times(rows, cols), sizeof(double));
}

/* a + b c, two roundings */
static inline double add_product(double a, double b, double c)
{
    return vae__add_d(a, vae__mul_d(b, c));
}

static double dot(const double *a, const double *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum = add_product(sum, a[i], b[i]);
    return sum;
}

/* y += a x */
static void add_scaled(double *y, double a, const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = add_product(y[i], a, x[i]);
}

/* e^x for x <= 0, within 1e-15 of the result: x = n log 2 + r with |r| <= 0.35, the series of e^r,
 * and a power of two put together from its bits. 0 below -700. */
static double exponential(double x)
{
    static const double part[] = {1, 1, 1 / 2.0, 1 / 6.0, 1 / 24.0, 1 / 120.0, 1 / 720.0,
                                  1 / 5040.0, 1 / 40320.0, 1 / 362880.0, 1 / 3628800.0,
                                  1 / 39916800.0, 1 / 479001600.0, 1 / 6227020800.0};
    double r, sum = part[13], power;
    uint64_t bits;
    int n;
    if (!(x > -700)) return 0;
    n = (int)vae__add_d(vae__mul_d(x, 1.4426950408889634), -0.5);
    r = add_product(x, -(double)n, 0.69314718036912382); /* 32 bits of log 2: an exact product */
    r = add_product(r, -(double)n, 1.9082149292705877e-10);
    for (int k = 12; k >= 0; k--) sum = add_product(part[k], sum, r);
    bits = (uint64_t)(1023 + n) << 52;
    memcpy(&power, &bits, sizeof power);
    return vae__mul_d(sum, power);
}

/* log x for x >= 1, within 1e-15 of max(1, log x), by the series of 2 atanh((x - 1) / (x + 1)). */
static double logarithm(double x)
{
    double twos = 0, s, s2, power, sum = 0;
    while (x > 1.4142135623730951) x = vae__mul_d(x, 0.5), twos++;
    s = vae__div_d(vae__add_d(x, -1), vae__add_d(x, 1));
    s2 = vae__mul_d(s, s), power = s;
    for (int k = 1; k < 26; k += 2, power = vae__mul_d(power, s2))
        sum = vae__add_d(sum, vae__div_d(power, k));
    return add_product(vae__mul_d(2, sum), twos, 0.69314718055994531);
}

/* Solves A X = B for a symmetric, positive definite A (n, n), by Cholesky's decomposition. B (n, m)
 * becomes X; A is overwritten. 0: A is not positive definite. */
static int solve_symmetric(double *a, size_t n, double *b, size_t m)
{
    for (size_t j = 0; j < n; j++) {
        double *row = a + j * n;
        const double left = vae__add_d(row[j], -dot(row, row, j));
        if (!(left > 0)) return 0;
        row[j] = vae__sqrt_d(left);
        for (size_t i = j + 1; i < n; i++)
            a[i * n + j] = vae__div_d(vae__add_d(a[i * n + j], -dot(a + i * n, row, j)), row[j]);
    }
    for (size_t i = 0; i < n; i++) { /* L Y = B, then Lt X = Y */
        for (size_t k = 0; k < i; k++) add_scaled(b + i * m, -a[i * n + k], b + k * m, m);
        for (size_t c = 0; c < m; c++) b[i * m + c] = vae__div_d(b[i * m + c], a[i * n + i]);
    }
    for (size_t i = n; i-- > 0;) {
        for (size_t k = i + 1; k < n; k++) add_scaled(b + i * m, -a[k * n + i], b + k * m, m);
        for (size_t c = 0; c < m; c++) b[i * m + c] = vae__div_d(b[i * m + c], a[i * n + i]);
    }
    return 1;
}

/* Householder's reflections make a symmetric A (n, n) tridiagonal: diagonal d (n), beside it e (n),
 * of which n - 1 count. A = Qt T Q; q (n, n) becomes Q; A is overwritten. */
static void make_tridiagonal(double *a, size_t n, double *d, double *e, double *q)
{
    double *p = doubles(n, 1), *betas = doubles(n, 1);
    for (size_t k = 0; k + 1 < n; k++) {
        double *v = a + k * n; /* beside the diagonal: row k is column k */
        const size_t m = n - k - 1;
        const double norm = vae__sqrt_d(dot(v + k + 1, v + k + 1, m));
        double share;
        e[k] = v[k + 1] > 0 ? -norm : norm;
        d[k] = v[k];
        if (!(norm > 0)) continue;
        v[k + 1] = vae__add_d(v[k + 1], -e[k]);
        betas[k] = vae__div_d(2, dot(v + k + 1, v + k + 1, m));
        for (size_t i = k + 1; i < n; i++)
            p[i] = vae__mul_d(betas[k], dot(a + i * n + k + 1, v + k + 1, m));
        share = vae__mul_d(vae__mul_d(0.5, betas[k]), dot(v + k + 1, p + k + 1, m));
        add_scaled(p + k + 1, -share, v + k + 1, m);
        for (size_t i = k + 1; i < n; i++) { /* A - v pt - p vt */
            add_scaled(a + i * n + k + 1, -v[i], p + k + 1, m);
            add_scaled(a + i * n + k + 1, -p[i], v + k + 1, m);
        }
    }
    d[n - 1] = a[n * n - 1];
    memset(q, 0, n * n * sizeof *q);
    for (size_t i = 0; i < n; i++) q[i * n + i] = 1;
    for (size_t k = n - 1; k-- > 0;) { /* Q's rows: the reflections in turn, the last one first */
        const double *v = a + k * n;
        for (size_t i = k + 1; i < n && betas[k] > 0; i++) {
            const double share = vae__mul_d(betas[k], dot(v + k + 1, q + i * n + k + 1, n - k - 1));
            add_scaled(q + i * n + k + 1, -share, v + k + 1, n - k - 1);
        }
    }
    free(p);
    free(betas);
}

/* A plane rotation: x' = c x + s y, y' = c y - s x, of n numbers. */
static void rotate(double *x, double *y, double c, double s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const double was = x[i];
        x[i] = add_product(vae__mul_d(c, was), s, y[i]);
        y[i] = add_product(vae__mul_d(c, y[i]), -s, was);
    }
}

/* A QR step with Wilkinson's shift on rows low to high of the tridiagonal d, e (Golub & Van Loan
 * 2013, algorithm 8.3.2); the rotations go into the rows of q. */
static void qr_step(double *d, double *e, double *q, size_t n, size_t low, size_t high)
{
    const double half = vae__mul_d(vae__add_d(d[high - 1], -d[high]), 0.5), b2 = vae__mul_d(
        e[high - 1], e[high - 1]);
    const double reach = vae__sqrt_d(add_product(b2, half, half));
    const double shift = vae__add_d(d[high], -vae__div_d(b2, half < 0 ? half - reach
                                                                     : half + reach));
    double x = vae__add_d(d[low], -shift), z = e[low];
    for (size_t k = low; k < high; k++) {
        const double r = vae__sqrt_d(add_product(vae__mul_d(x, x), z, z)), a = d[k], b = e[k];
        const double c = r > 0 ? vae__div_d(x, r) : 1, s = r > 0 ? vae__div_d(z, r) : 0;
        const double apart = vae__add_d(d[k + 1], -a), cs = vae__mul_d(c, s);
        /* what the first gains the second loses: 2 c s b + s^2 (d[k+1] - d[k]) */
        const double gain = add_product(vae__mul_d(vae__mul_d(2, cs), b), vae__mul_d(s, s), apart);
        if (k > low) e[k - 1] = r;
        d[k] = vae__add_d(a, gain);
        d[k + 1] = vae__add_d(d[k + 1], -gain);
        e[k] = add_product(vae__mul_d(cs, apart), vae__add_d(vae__mul_d(c, c), -vae__mul_d(s, s)),
                           b);
        x = e[k];
        if (k + 1 < high) z = vae__mul_d(s, e[k + 1]), e[k + 1] = vae__mul_d(c, e[k + 1]);
        rotate(q + k * n, q + (k + 1) * n, c, s, n);
    }
}

/* Whether e[k] is nothing beside its neighbours on the diagonal. */
static int is_apart(const double *d, const double *e, size_t k)
{
    const double sum = (d[k] < 0 ? -d[k] : d[k]) + (d[k + 1] < 0 ? -d[k + 1] : d[k + 1]);
    return (e[k] < 0 ? -e[k] : e[k]) <= sum * 1.1102230246251565e-16;
}

/* Eigenvalues (n) of a symmetric A (n, n) in no order, and eigenvectors as the rows of q (n, n). A
 * is overwritten. */
static void find_eigenvectors(double *a, size_t n, double *values, double *q)
{
    double *e = doubles(n, 1);
    size_t high = n - 1, left = 100 * n;
    make_tridiagonal(a, n, values, e, q);
    while (high > 0) {
        size_t low = high - 1;
        if (is_apart(values, e, high - 1)) {
            high--;
            continue;
        }
        while (low > 0 && !is_apart(values, e, low - 1)) low--;
        if (!left--) die(FAILED, "the eigenvectors of the covariance were not found");
        qr_step(values, e, q, n, low, high);
    }
    free(e);
}

/* A smooth convex function of w: its value, and its gradient. */
typedef double function(const double *w, double *gradient, void *user);

enum { PAIRS_KEPT = 10, MOST_ITERATIONS = 1000 };

/* The direction of L-BFGS (Nocedal & Wright 2006, algorithm 7.4) into d: minus the gradient g,
 * times what the last pairs of steps s and changes of the gradient y say of the curvature. Pair
 * number p stands at p modulo PAIRS_KEPT. */
static void lbfgs_direction(const double *g, size_t n, const double *s, const double *y,
                            size_t pairs, double *d)
{
    const size_t count = pairs < PAIRS_KEPT ? pairs : PAIRS_KEPT;
    double part[PAIRS_KEPT];
    for (size_t i = 0; i < n; i++) d[i] = -g[i];
    for (size_t k = 0; k < count; k++) {
        const size_t at = (pairs - 1 - k) % PAIRS_KEPT;
        part[at] = vae__div_d(dot(s + at * n, d, n), dot(s + at * n, y + at * n, n));
        add_scaled(d, -part[at], y + at * n, n);
    }
    if (count) {
        const double *s1 = s + (pairs - 1) % PAIRS_KEPT * n, *y1 = y + (pairs - 1) % PAIRS_KEPT * n;
        const double scale = vae__div_d(dot(s1, y1, n), dot(y1, y1, n));
        for (size_t i = 0; i < n; i++) d[i] = vae__mul_d(d[i], scale);
    }
    for (size_t k = count; k-- > 0;) {
        const size_t at = (pairs - 1 - k) % PAIRS_KEPT;
        const double back = vae__div_d(dot(y + at * n, d, n), dot(s + at * n, y + at * n, n));
        add_scaled(d, vae__add_d(part[at], -back), s + at * n, n);
    }
}

/* Minimises f from w (n) on, by L-BFGS with halved steps, until the gradient's norm is at most
 * `small` or rounding stops it. */
static void minimise(function *f, void *user, double *w, size_t n, double small)
{
    double *s = doubles(PAIRS_KEPT, n), *y = doubles(PAIRS_KEPT, n), *d = doubles(n, 1);
    double *g = doubles(n, 1), *next = doubles(n, 1), *next_g = doubles(n, 1);
    double value = f(w, g, user);
    size_t pairs = 0;
    for (int i = 0; i < MOST_ITERATIONS; i++) {
        const double norm2 = dot(g, g, n);
        double step = 1, slope, next_value = value;
        int halved = 0;
        if (norm2 <= small * small) break;
        lbfgs_direction(g, n, s, y, pairs, d);
        slope = dot(g, d, n);
        if (!pairs && norm2 > 1) step = vae__div_d(1, vae__sqrt_d(norm2));
        for (; halved < 40; halved++, step = vae__mul_d(step, 0.5)) {
            memcpy(next, w, n * sizeof *w);
            add_scaled(next, step, d, n);
            next_value = f(next, next_g, user);
            if (next_value <= add_product(value, vae__mul_d(1e-4, step), slope)) break;
        }
        if (halved == 40) break;
        for (size_t k = 0; k < n; k++) {
            s[pairs % PAIRS_KEPT * n + k] = vae__add_d(next[k], -w[k]);
            y[pairs % PAIRS_KEPT * n + k] = vae__add_d(next_g[k], -g[k]);
        }
        memcpy(w, next, n * sizeof *w);
        memcpy(g, next_g, n * sizeof *g);
        value = next_value;
        if (!(dot(s + pairs % PAIRS_KEPT * n, y + pairs % PAIRS_KEPT * n, n) > 0)) break;
        pairs++;
    }
    free(s);
    free(y);
    free(d);
    free(g);
    free(next);
    free(next_g);
}

#endif
