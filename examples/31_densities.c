/* 31. A VAE as a density. p(x) is the integral of p(x|z) p(z) over z; importance samples from
 * q(z|x) give it at any point, so it can be drawn as a map. All of it together must weigh 1.
 *   Kingma & Welling 2014 (arXiv:1312.6114); importance samples: Burda et al. 2016.
 *   A line, two rings and two moons are the usual first densities, e.g. Rezende & Mohamed 2015.
 *
 *   cc examples/31_densities.c && ./a.out
 *
 * Picture: p(x) on the line beside the true density; points of rings and moons, and maps of p(x).
 * Number: nats by which the worst of the three explains new points better than one normal. Each
 * must weigh between 0.95 and 1.05, or the program fails as well. */
#include <stdio.h>
#include <string.h>
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "../tools/picture.h"
#include "../tools/figures.h"

enum { POINTS = 8000, TEST = 500, GRID = 48, LINE = 400, DRAWS = 500, SHOWN = 500 };
static const double PI = 3.14159265358979323846;
static float points[(POINTS + TEST) * 2], grid[GRID * GRID * 2], log_p[GRID * GRID];

static int fail(const char *what) { return fprintf(stderr, "31_densities: %s\n", what), 1; }

static double exp_of(double x) {
    double y = x / 1024, e = 1 + y * (1 + y / 2 * (1 + y / 3 * (1 + y / 4)));
    for (int i = 0; i < 10; i++) e *= e;
    return x < -700 ? 0 : e;
}
static double log_of(double x) { /* Newton's iteration on e^y = x */
    double y = 0;
    for (int i = 0; i < 60; i++) y += 2 * (x - exp_of(y)) / (x + exp_of(y));
    return y;
}
static double sin_of(double x) { /* for |x| <= 7 */
    double term = x, sum = x;
    for (int k = 2; k < 40; k += 2) sum += term *= -x * x / (k * (k + 1));
    return sum;
}

/* Point n of a set: 0 the line (in its first coordinate), 1 two rings, 2 two moons. */
static void draw_point(int set, uint32_t n, float *x) {
    const vae_stream dice = {1, 1000u + (uint32_t)set, 0, 0, 0, n};
    float u[2], e[2];
    double turn, one, other;
    vae_random_uniform(&dice, 0, 2, u), vae_random_normal(&dice, 2, 2, e);
    if (set == 0) { /* three normals */
        x[0] = u[0] < 0.3f ? -1.5f + 0.35f * e[0] : u[0] < 0.8f ? 0.3f + 0.35f * e[0]
                                                               : 1.8f + 0.15f * e[0];
        return;
    }
    turn = (set == 1 ? 2 * PI : PI) * (double)u[0] - PI; /* from -pi, so that sines stay in range */
    one = sin_of(turn + PI / 2), other = sin_of(turn);
    if (set == 1) one *= u[1] < 0.5f ? 1 : 2, other *= u[1] < 0.5f ? 1 : 2;
    else one = u[1] < 0.5f ? 1.4 * one - 0.7 : 0.7 - 1.4 * one,
         other = u[1] < 0.5f ? 1.4 * other + 0.35 : -1.4 * other - 0.35;
    x[0] = (float)one + 0.12f * e[0], x[1] = (float)other + 0.12f * e[1];
}
static double true_on_line(double x) {
    const double a = (x + 1.5) / 0.35, b = (x - 0.3) / 0.35, c = (x - 1.8) / 0.15;
    return (0.3 * exp_of(-a * a / 2) / 0.35 + 0.5 * exp_of(-b * b / 2) / 0.35 +
            0.2 * exp_of(-c * c / 2) / 0.15) / 2.5066282746310002;
}

int main(void) {
    static const char *const names[3] = {"the line", "rings", "moons"};
    double least = 1e9, at[LINE], p[LINE], truth[LINE];
    int wrong = 0;
    const char *error;
    figure *f = figure_new(960, 640, "p(x) of VAEs of two latents", "dots: points to learn from");
    for (int set = 0; set < 3; set++) {
        const size_t width = set ? 2 : 1, cells = set ? GRID * GRID : LINE;
        const size_t dims[] = {POINTS, width};
        const double cell = set ? 36.0 / (GRID * GRID) : 8.0 / LINE;
        double mass = 0, log_test = 0, m[2] = {0}, c[3] = {0}, normal;
        vae_desc desc = {0};
        vae_report report;
        vae_data data;
        vae_batch batch = {0};
        vae *model;

        for (uint32_t n = 0; n < POINTS + TEST; n++) draw_point(set, n, points + n * width);
        desc.input = set ? "2" : "1", desc.latent = 2, desc.likelihood = "gaussian_learned 0.05";
        desc.encoder = desc.decoder = "dense 48 silu, dense 48 silu";
        desc.lr = 1e-2, desc.epochs = 35, desc.batch = 100, desc.ema = 0.99;
        desc.objective = VAE_OBJECTIVE_IWAE, desc.samples = 8;
        if (vae_data_wrap(VAE_F32, 2, dims, points, &data, &report) ||
            vae_create(&desc, &model, &report))
            return fail(report.text);
        if (vae_fit(model, &data, NULL, NULL, NULL)) return fail(vae_last_report(model)->text);

        batch.x = points + POINTS * width, batch.rows = TEST; /* new points */
        if (vae_bound(model, &batch, DRAWS, log_p)) return fail(vae_last_report(model)->text);
        for (int n = 0; n < TEST; n++) log_test += log_p[n] / TEST;
        for (size_t i = 0; i < cells; i++) { /* the middles of the cells of a map */
            if (!set) grid[i] = (float)(-4 + 8 * ((double)i + 0.5) / LINE);
            if (set) grid[2 * i] = (float)(-3 + 6 * ((double)(i % GRID) + 0.5) / GRID);
            if (set) grid[2 * i + 1] = (float)(3 - 6 * ((double)(i / GRID) + 0.5) / GRID);
        }
        batch.x = grid, batch.rows = cells;
        if (vae_bound(model, &batch, DRAWS, log_p)) return fail(vae_last_report(model)->text);
        for (size_t i = 0; i < cells; i++) {
            log_p[i] = (float)exp_of(log_p[i]); /* from here on p(x) */
            mass += log_p[i] * cell;
        }

        for (size_t i = 0; i < POINTS * width; i++) m[i % width] += points[i] / POINTS;
        for (size_t n = 0; n < POINTS; n++) { /* one normal, of the points' mean and covariance */
            const double u = points[n * width] - m[0], v = set ? points[n * 2 + 1] - m[1] : 0;
            c[0] += u * u / POINTS, c[1] += u * v / POINTS, c[2] += v * v / POINTS;
        }
        normal = -(1 + log_of(2 * PI)) * (double)width / 2 -
                 log_of(set ? c[0] * c[2] - c[1] * c[1] : c[0]) / 2;
        printf("%-8s  weight %.3f, log p of new points %.3f, by one normal %.3f\n", names[set],
               mass, log_test, normal);
        wrong |= !(mass > 0.95 && mass < 1.05);
        if (log_test - normal < least) least = log_test - normal;

        if (set) {
            figure_panel(f, (set - 1) / 2.0, 0, set / 2.0, 0.58, names[set]);
            figure_axes(f, NULL, -3, 3, NULL, -3, 3, FIGURE_EQUAL);
            figure_heat(f, log_p, GRID, GRID, 0, 0.3, NULL);
            figure_scatter(f, points, SHOWN, 2, NULL, 1, NULL);
        } else {
            for (int i = 0; i < LINE; i++)
                at[i] = grid[i], p[i] = log_p[i], truth[i] = true_on_line(at[i]);
            figure_panel(f, 0, 0.6, 1, 1, NULL);
            figure_axes(f, "x", -3, 3, "p(x)", 0, 0.7, 0);
            figure_curve(f, at, p, LINE, "VAE");
            figure_curve(f, at, truth, LINE, "truth");
            figure_legend(f, FIGURE_TOP_LEFT);
        }
        vae_destroy(model);
    }
    error = figure_save(f, "out/examples/31_densities.png");
    if (error) return fail(error);
    printf("nats of log p(x) that the worst gains over one normal: %.3f (at least 0.3)\n", least);
    return wrong || !(least >= 0.3);
}
