/* 32 Mixtures of normals as a density model, fitted by EM.
 *
 * Dempster, Laird & Rubin 1977, "Maximum likelihood from incomplete data via the EM algorithm".
 *
 *   cc examples/32_gaussian_mixture.c && ./a.out
 *
 * Each round of EM asks for each point with which probability it comes from each component (E), and
 * then gives each component the weight, mean and covariance of its share of the points (M). The
 * log-likelihood of the training points can only rise. A VAE with a normal p(x|z), as in
 * 31_densities.c, is a mixture, too: of one normal for each z, infinitely many.
 *
 * The number: the mean log p of new points of two moons with 16 components; one component has
 * -2.59. No round may lower the log-likelihood. */
#define VAE_IMPLEMENTATION
#include "../vae.h" /* for its random numbers */
#include "common.h"

enum { POINTS = 600, NEW = 2000, COUNTS = 6, MOST = 32, ROUNDS = 60, GRID = 80 };
enum { CELLS = GRID * GRID };
static float points[POINTS * 2], fresh[NEW * 2], map[CELLS];

typedef struct component {
    double weight, mean[2], cov[3]; /* covariances xx, xy, yy */
} component;

/* weight * N(x; mean, cov) */
static double density(const component *c, const float *x) {
    const double det = c->cov[0] * c->cov[2] - c->cov[1] * c->cov[1];
    const double a = (double)x[0] - c->mean[0], b = (double)x[1] - c->mean[1];
    const double square = (c->cov[2] * a * a - 2 * c->cov[1] * a * b + c->cov[0] * b * b) / det;
    return c->weight * exponential(-square / 2) / (6.283185307179586 * square_root(det));
}
static double mixture(const component *c, int k, const float *x) {
    double p = 0;
    for (int j = 0; j < k; j++) p += density(&c[j], x);
    return p;
}
static double log_likelihood(const component *c, int k, const float *x, int count) {
    double sum = 0;
    for (int n = 0; n < count; n++) sum += natural_log(mixture(c, k, x + 2 * n));
    return sum / count;
}

static void em_round(component *c, int k) {
    double s[MOST][6] = {{0}}; /* sums of r, r x, r y, r xx, r xy, r yy; r: shares of points */
    for (int n = 0; n < POINTS; n++) {
        const double x = (double)points[2 * n], y = (double)points[2 * n + 1];
        const double all = mixture(c, k, points + 2 * n);
        for (int j = 0; j < k; j++) { /* E */
            const double r = density(&c[j], points + 2 * n) / all; /* p(component j | point) */
            s[j][0] += r, s[j][1] += r * x, s[j][2] += r * y;
            s[j][3] += r * x * x, s[j][4] += r * x * y, s[j][5] += r * y * y;
        }
    }
    for (int j = 0; j < k; j++) { /* M */
        const double w = s[j][0] + 1e-9, mx = s[j][1] / w, my = s[j][2] / w;
        c[j].weight = s[j][0] / POINTS, c[j].mean[0] = mx, c[j].mean[1] = my;
        c[j].cov[0] = s[j][3] / w - mx * mx + 1e-4; /* no component may shrink to a point */
        c[j].cov[1] = s[j][4] / w - mx * my;
        c[j].cov[2] = s[j][5] / w - my * my + 1e-4;
    }
}

int main(void) {
    const char *const titles[3] = {"1 component", "4 components", "16 components"};
    const int counts[COUNTS] = {1, 2, 4, 8, 16, 32};
    double number[COUNTS], of_points[COUNTS], of_new[COUNTS];
    int fell = 0;
    for (uint32_t n = 0; n < POINTS; n++) moon(n, points + 2 * n);
    for (uint32_t n = 0; n < NEW; n++) moon(POINTS + n, fresh + 2 * n);
    figure *f = figure_new(960, 620, "Two moons as mixtures of normals",
                           "Above: p(x) as a map; at the left the training points, too.");
    for (int s = 0; s < COUNTS; s++) {
        component c[MOST];
        double last = -1e9;
        for (int j = 0; j < counts[s]; j++) { /* begin at points, as round components */
            const component at = {1.0 / counts[s], {points[2 * j], points[2 * j + 1]}, {.3, 0, .3}};
            c[j] = at;
        }
        for (int round = 0; round < ROUNDS; round++) {
            em_round(c, counts[s]);
            of_points[s] = log_likelihood(c, counts[s], points, POINTS);
            fell |= of_points[s] < last - 1e-3, last = of_points[s];
        }
        number[s] = counts[s], of_new[s] = log_likelihood(c, counts[s], fresh, NEW);
        printf("%2d components: log p %.3f on training points, %.3f on new ones\n", counts[s],
               of_points[s], of_new[s]);
        if (s % 2) continue;
        for (int i = 0; i < CELLS; i++) {
            const float x[] = {-3 + 6 * ((float)(i % GRID) + .5f) / GRID,
                               3 - 6 * ((float)(i / GRID) + .5f) / GRID};
            map[i] = (float)mixture(c, counts[s], x);
        }
        figure_panel(f, s / 6.0, 0, (s + 2) / 6.0, .58, titles[s / 2]);
        figure_axes(f, "x1", -3, 3, s ? NULL : "x2", -3, 3, FIGURE_EQUAL);
        figure_heat(f, map, GRID, GRID, 0, .4, NULL);
        if (s == 0) figure_scatter(f, points, POINTS, 2, NULL, 1, NULL);
    }
    figure_panel(f, 0, .6, 1, 1, NULL);
    figure_axes(f, "components", 1, MOST, "log p(x), nats", -2.8, -1.1, FIGURE_LOG_X);
    figure_curve(f, number, of_points, COUNTS, "training points");
    figure_curve(f, number, of_new, COUNTS, "new points");
    figure_legend(f, FIGURE_BOTTOM_RIGHT);
    save(f, "32_gaussian_mixture");
    if (fell) puts("FAIL: a round of EM lowered the log-likelihood");
    return at_least("mean log p of new points with 16 components", of_new[4], -1.7) || fell;
}
