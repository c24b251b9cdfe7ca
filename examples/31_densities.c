/* 31 A VAE as a density: p(x) of points on a line and in the plane, drawn as maps.
 *
 * Kingma & Welling 2014 (arXiv:1312.6114); Burda, Grosse & Salakhutdinov 2016 (importance samples).
 * Rings and moons are the usual first densities, as in Rezende & Mohamed 2015.
 *
 *   cc examples/31_densities.c && ./a.out
 *
 * p(x) is the integral of p(x|z) p(z) over z. Importance samples z from q(z|x) give it at any x:
 * the mean of p(x|z) p(z) / q(z|x). So p(x) can be drawn as a map, and added up over its cells: any
 * density weighs 1 in all.
 *
 * The number: by how many nats the mean log p of new points lies above that of one normal with the
 * mean and covariance of the points, for the worst of three sets. Each map must weigh between .95
 * and 1.05. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "common.h"

enum { LINE, RINGS, MOONS, SETS };
enum { POINTS = 8000, TEST = 500, GRID = 48, CELLS = GRID * GRID, ON_LINE = 400, DRAWS = 500 };
static const double pi = 3.14159265358979324;
static float points[POINTS * 2], test[TEST * 2], cells[CELLS * 2], p[CELLS], log_p[TEST];

static void draw_point(int set, uint32_t n, float *point) {
    const vae_stream stream = {.seed = (uint64_t)set, .purpose = 128, .sample = n};
    float u[2], e[2];
    vae_random_uniform(&stream, 0, 2, u), vae_random_normal(&stream, 2, 2, e);
    if (set == LINE) { /* three normals */
        point[0] = u[0] < .3f ? -1.5f + .35f * e[0]
                 : u[0] < .8f ? .3f + .35f * e[0] : 1.8f + .15f * e[0];
    } else if (set == RINGS) { /* of radius 1 and 2 */
        const double turn = 2 * pi * (double)u[0] - pi, radius = u[1] < .5f ? 1 : 2;
        point[0] = (float)(radius * sine(turn + pi / 2)) + .12f * e[0];
        point[1] = (float)(radius * sine(turn)) + .12f * e[1];
    } else {
        moon(n, point);
    }
}
static double true_on_line(double x) {
    const double a = (x + 1.5) / .35, b = (x - .3) / .35, c = (x - 1.8) / .15;
    return (.3 / .35 * exponential(-a * a / 2) + .5 / .35 * exponential(-b * b / 2) +
            .2 / .15 * exponential(-c * c / 2)) / square_root(2 * pi);
}

/* The mean log p of points (count, width) under a normal with their own mean and covariance. */
static double one_normal(const float *x, size_t count, size_t width) {
    double m[2] = {0}, c[3] = {0}; /* covariances xx, xy, yy */
    for (size_t i = 0; i < count * width; i++) m[i % width] += (double)x[i] / (double)count;
    for (size_t n = 0; n < count; n++) {
        const double a = (double)x[n * width] - m[0];
        const double b = width == 2 ? (double)x[n * 2 + 1] - m[1] : 0;
        c[0] += a * a, c[1] += a * b, c[2] += b * b;
    }
    for (int i = 0; i < 3; i++) c[i] /= (double)count;
    const double det = width == 2 ? c[0] * c[2] - c[1] * c[1] : c[0];
    return -((1 + natural_log(2 * pi)) * (double)width + natural_log(det)) / 2;
}

int main(void) {
    const char *const names[SETS] = {"the line", "rings", "moons"};
    double least = 1e9;
    int weighs_one = 1;
    figure *f = figure_new(960, 680, "p(x) by VAEs of two latents",
                           "Below: maps of p(x), and points that were learned from.");
    for (int set = 0; set < SETS; set++) {
        const size_t width = set == LINE ? 1 : 2, count = set == LINE ? ON_LINE : CELLS;
        for (uint32_t n = 0; n < POINTS; n++) draw_point(set, n, points + n * width);
        for (uint32_t n = 0; n < TEST; n++) draw_point(set, POINTS + n, test + n * width);

        vae_desc desc = {0};
        desc.input = set == LINE ? "1" : "2", desc.latent = 2;
        desc.likelihood = "gaussian_learned 0.01"; /* the noise is learned, too */
        desc.encoder = desc.decoder = "dense 48 silu, dense 48 silu";
        desc.objective = VAE_OBJECTIVE_IWAE, desc.samples = 8;
        desc.lr = 1e-2, desc.epochs = 35, desc.batch = 100, desc.ema = 0.99;
        vae *model = create(&desc);
        vae_data data = wrap(points, POINTS, width);
        ok(model, vae_fit(model, &data, NULL, NULL, NULL));
        ok(model, vae_bound(model, &(vae_batch){.x = test, .rows = TEST}, DRAWS, log_p));

        double weight = 0, at[ON_LINE], by_vae[ON_LINE], truth[ON_LINE];
        for (int i = 0; i < (int)count; i++) { /* the middles of the cells */
            if (set == LINE) cells[i] = -4 + 8 * ((float)i + .5f) / ON_LINE;
            else cells[2 * i] = -3 + 6 * ((float)(i % GRID) + .5f) / GRID,
                 cells[2 * i + 1] = 3 - 6 * ((float)(i / GRID) + .5f) / GRID;
        }
        ok(model, vae_bound(model, &(vae_batch){.x = cells, .rows = count}, DRAWS, p));
        for (size_t i = 0; i < count; i++) {
            p[i] = (float)exponential((double)p[i]);
            weight += (double)p[i] * (set == LINE ? 8.0 / ON_LINE : 36.0 / CELLS);
        }
        const double by_model = mean_of(log_p, TEST), normal = one_normal(points, POINTS, width);
        printf("%-8s  weight %.3f, log p of new points %.3f, by one normal %.3f\n", names[set],
               weight, by_model, normal);
        weighs_one &= weight > .95 && weight < 1.05;
        least = figure__min(least, by_model - normal);
        vae_destroy(model);

        if (set == LINE) {
            for (int i = 0; i < ON_LINE; i++)
                at[i] = cells[i], by_vae[i] = p[i], truth[i] = true_on_line(at[i]);
            figure_panel(f, 0, 0, 1, .4, names[set]);
            figure_axes(f, "x", -3, 3, "p(x)", 0, .7, 0);
            figure_curve(f, at, by_vae, ON_LINE, "VAE");
            figure_curve(f, at, truth, ON_LINE, "truth");
            figure_legend(f, FIGURE_TOP_LEFT);
        } else {
            figure_panel(f, (set - 1) * .5, .42, set * .5, 1, names[set]);
            figure_axes(f, "x1", -3, 3, "x2", -3, 3, FIGURE_EQUAL | FIGURE_ROOM);
            figure_heat(f, p, GRID, GRID, 0, .3, "p(x)");
            figure_scatter(f, points, 150, 2, NULL, 1, NULL);
        }
    }
    save(f, "31_densities");
    if (!weighs_one) puts("FAIL: a density does not weigh 1");
    return at_least("nats of log p that the worst is above one normal", least, .3) || !weighs_one;
}
