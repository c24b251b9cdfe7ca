/* 32. Mixtures of normals as a density model, by EM: each round asks for each point which component
 * it comes from (E), then gives each component the mean and covariance of its points (M). The
 * log-likelihood of the training points can only rise.
 *   Dempster, Laird & Rubin 1977, "Maximum likelihood from incomplete data via the EM algorithm".
 *   31_densities is the same task for a VAE, which is a mixture of infinitely many normals.
 *
 *   cc examples/32_gaussian_mixture.c && ./a.out
 *
 * Picture: log-likelihood by the number of components, of training and of new points; the densities
 * of 1, 4 and 16 components.
 * Number: the mean log p(x) of new points with 16 components; one has -2.58. The program also fails
 * when a round of EM lowers the log-likelihood. */
#include <stdio.h>
#define VAE_IMPLEMENTATION
#include "../vae.h" /* for its random numbers */
#include "../tools/picture.h"
#include "../tools/figures.h"

enum { POINTS = 600, NEW = 2000, COUNTS = 6, MOST = 32, ROUNDS = 60, GRID = 80 };
static const int counts[COUNTS] = {1, 2, 4, 8, 16, 32};
static double points[POINTS + NEW][2];

typedef struct component { /* weight, mean, covariance (xx, xy, yy) */
    double weight, mean[2], cov[3];
} component;

static int fail(const char *what) { return fprintf(stderr, "32_gaussian_mixture: %s\n", what), 1; }

static double exp_of(double x) {
    double y = x / 1024, e = 1 + y * (1 + y / 2 * (1 + y / 3 * (1 + y / 4)));
    for (int i = 0; i < 10; i++) e *= e;
    return x < -700 ? 0 : e;
}
static double log_of(double x) { /* Newton's iteration on e^y = x, after halving or doubling */
    double y = 0, twos = 0;
    for (; x < 0.5 && twos > -1000; twos--) x *= 2;
    for (; x > 2; twos++) x /= 2;
    for (int k = 0; k < 4; k++) y += 2 * (x - exp_of(y)) / (x + exp_of(y));
    return y + twos * 0.69314718055994531;
}

/* Two moons: half circles that reach into each other, and noise. */
static void draw_points(void) {
    for (uint32_t n = 0; n < POINTS + NEW; n++) {
        const vae_stream dice = {1, 1000, 0, 0, 0, n};
        float u[2], e[2], x = 1, y = 0;
        vae_random_uniform(&dice, 0, 2, u), vae_random_normal(&dice, 2, 2, e);
        for (int k = 0; k < (int)(u[0] * 256); k++) { /* turns by pi / 256, again and again */
            const float turned = x * 0.99992470f - y * 0.01227154f;
            y = y * 0.99992470f + x * 0.01227154f, x = turned;
        }
        points[n][0] = (u[1] < 0.5f ? x - 0.5f : 0.5f - x) * 1.4f + 0.12f * e[0];
        points[n][1] = (u[1] < 0.5f ? y - 0.25f : 0.25f - y) * 1.4f + 0.12f * e[1];
    }
}

/* weight * N(x; mean, cov) */
static double density(const component *c, const double *x) {
    const double det = c->cov[0] * c->cov[2] - c->cov[1] * c->cov[1];
    const double a = x[0] - c->mean[0], b = x[1] - c->mean[1];
    const double far = (c->cov[2] * a * a - 2 * c->cov[1] * a * b + c->cov[0] * b * b) / det;
    return c->weight * exp_of(-0.5 * (far + log_of(det))) / 6.283185307179586;
}
static double log_likelihood(const component *c, int k, int first, int count) {
    double sum = 0;
    for (int n = first; n < first + count; n++) {
        double p = 1e-300;
        for (int j = 0; j < k; j++) p += density(&c[j], points[n]);
        sum += log_of(p) / count;
    }
    return sum;
}

/* One round: sums of each component's share of each point, then new weights, means, covariances. */
static void em(component *c, int k) {
    double s[MOST][6] = {{0}}, share[MOST];
    for (int n = 0; n < POINTS; n++) {
        const double *x = points[n];
        double p = 1e-300;
        for (int j = 0; j < k; j++) p += share[j] = density(&c[j], x);
        for (int j = 0; j < k; j++) {
            const double r = share[j] / p; /* p(component j | x) */
            s[j][0] += r, s[j][1] += r * x[0], s[j][2] += r * x[1];
            s[j][3] += r * x[0] * x[0], s[j][4] += r * x[0] * x[1], s[j][5] += r * x[1] * x[1];
        }
    }
    for (int j = 0; j < k; j++) {
        const double w = s[j][0] + 1e-9, mx = s[j][1] / w, my = s[j][2] / w;
        c[j].weight = s[j][0] / POINTS, c[j].mean[0] = mx, c[j].mean[1] = my;
        c[j].cov[0] = s[j][3] / w - mx * mx + 1e-4; /* no component may shrink to a point */
        c[j].cov[1] = s[j][4] / w - mx * my;
        c[j].cov[2] = s[j][5] / w - my * my + 1e-4;
    }
}

int main(void) {
    static float map[GRID * GRID], dots[POINTS * 2];
    static const char *const titles[3] = {"1 component", "4 components", "16 components"};
    double size[COUNTS], train[COUNTS], fresh[COUNTS];
    int fell = 0;
    const char *error;
    figure *f = figure_new(960, 600, "Two moons as mixtures of normals", NULL);
    draw_points();
    for (int n = 0; n < POINTS; n++)
        dots[2 * n] = (float)points[n][0], dots[2 * n + 1] = (float)points[n][1];
    for (int s = 0; s < COUNTS; s++) {
        component c[MOST];
        double last = -1e9;
        for (int j = 0; j < counts[s]; j++) { /* begin at points, with round components */
            const component at = {1.0 / counts[s], {points[j][0], points[j][1]}, {0.3, 0, 0.3}};
            c[j] = at;
        }
        for (int round = 0; round < ROUNDS; round++) {
            em(c, counts[s]);
            train[s] = log_likelihood(c, counts[s], 0, POINTS);
            fell |= train[s] < last - 1e-3, last = train[s];
        }
        size[s] = counts[s], fresh[s] = log_likelihood(c, counts[s], POINTS, NEW);
        printf("%2d components: log p(x) %.3f on training points, %.3f on new ones\n", counts[s],
               train[s], fresh[s]);
        if (s % 2) continue;
        for (int i = 0; i < GRID * GRID; i++) {
            const double x[2] = {-3 + 6 * (i % GRID + 0.5) / GRID, 3 - 6 * (i / GRID + 0.5) / GRID};
            map[i] = 0;
            for (int j = 0; j < counts[s]; j++) map[i] += (float)density(&c[j], x);
        }
        figure_panel(f, s / 6.0, 0, (s + 2) / 6.0, 0.56, titles[s / 2]);
        figure_axes(f, NULL, -3, 3, NULL, -3, 3, FIGURE_EQUAL);
        figure_heat(f, map, GRID, GRID, 0, 0.4, NULL);
        if (!s) figure_scatter(f, dots, POINTS, 2, NULL, 1, NULL);
    }
    figure_panel(f, 0, 0.58, 1, 1, NULL);
    figure_axes(f, "components", 1, MOST, "log p(x), nats", -2.8, -1.1, FIGURE_LOG_X);
    figure_curve(f, size, train, COUNTS, "training points");
    figure_curve(f, size, fresh, COUNTS, "new points");
    figure_legend(f, FIGURE_BOTTOM_RIGHT);
    error = figure_save(f, "out/examples/32_gaussian_mixture.png");
    if (error) return fail(error);
    printf("16 components: log p(x) of new points is %.3f nats (at least -1.7)\n", fresh[4]);
    return fell || !(fresh[4] >= -1.7);
}
