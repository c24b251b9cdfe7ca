/* ======================================================================================
 * draw.h   the commands that draw: sample, reconstruct, complete, interpolate, manifold, traverse
 * uses: platform.h screen.h text.h mathematics.h options.h models.h sheets.h
 * tests: tests/test_tool.sh
 * ==================================================================================== */
#ifndef VAE_TOOL_DRAW_H
#define VAE_TOOL_DRAW_H
#include "platform.h"
#include "screen.h"
#include "text.h"
#include "mathematics.h"
#include "options.h"
#include "models.h"
#include "sheets.h"

static int sample(options *o)
{
    use u;
    size_t count = (size_t)o->count;
    vae_batch b;
    sheet s;
    float *z;
    int32_t label;
    open_model(&u, o);
    b = rows_of_class(&u, o, NULL, count, class_given(o, &label));
    s = plan_sheet(&u, o, count, columns_for(o, count));
    z = floats(count, u.info.latent ? u.info.code : u.info.input_dim);
    if (u.info.latent) {
        b.x = z;
        check(u.model, vae_prior(u.model, &b, o->seed, z));
        save_decoded(&u, o, &b, &s);
    } else { /* there are no codes */
        portions p = {0, 0, 0, 0, 0};
        p.total = count;
        for (size_t at = 0, rows; at < count; at += rows) {
            vae_batch part;
            rows = next_portion(&p, o, count - at);
            part = portion_of(&b, at, rows, 0);
            check(u.model, vae_sample_prior(u.model, &part, o->seed, z + at * u.info.input_dim));
        }
        next_portion(&p, o, 0);
        save_pictures(o, z, &s);
    }
    free(z);
    return close_use(&u);
}

static int reconstruct(options *o)
{
    use u;
    size_t count = (size_t)o->count, columns, lines, dim;
    sheet s;
    float *x, *y, *z;
    vae_batch b;
    portions p = {0, 0, 0, 0, 0};
    open_both(&u, o);
    dim = u.info.input_dim;
    x = floats(dim, 1);
    read_image(&u, o->first, x);
    free(x);
    if (count > u.data.images.count - o->first) count = u.data.images.count - (size_t)o->first;
    columns = o->columns ? (size_t)o->columns : 10;
    if (columns > count) columns = count;
    lines = (count + columns - 1) / columns;
    s = plan_sheet(&u, o, 2 * lines * columns, columns);
    y = floats(s.count, dim); /* missing images stay black */
    z = floats(count, u.info.code);
    x = floats(times(2, count), dim);
    b = read_images(&u, (size_t)o->first, count, x);
    if (u.info.by_pixel) {
        encode_images(&u, &b, z, NULL);
        b.x = z, p.total = count;
        make_images(&u, o, &b, (size_t)o->first, &p, x + count * dim);
        next_portion(&p, o, 0);
    } else {
        check_on(u.data.name, (size_t)o->first, u.model,
                 vae_reconstruct(u.model, &b, x + count * dim));
    }
    for (size_t i = 0; i < 2 * count; i++) {
        const size_t k = i % count, line = k / columns * 2 + i / count;
        memcpy(y + (line * columns + k % columns) * dim, x + i * dim, dim * sizeof *y);
    }
    save_pictures(o, y, &s);
    free(x);
    free(y);
    free(z);
    return close_use(&u);
}

/* The lower part of images, drawn anew. */
static int complete(options *o)
{
    use u;
    const size_t draws = o->mode ? 1 : (size_t)o->steps, columns = 2 + draws;
    size_t count = (size_t)o->count, dim, given_numbers;
    sheet s;
    float *x, *y, *one;
    vae_batch b;
    portions p = {0, 0, 0, 0, 0};
    open_both(&u, o);
    dim = u.info.input_dim;
    one = floats(dim, 1);
    read_image(&u, o->first, one);
    free(one);
    if (count > u.data.images.count - o->first) count = u.data.images.count - (size_t)o->first;
    s = plan_sheet(&u, o, times(count, columns), columns);
    if (!given(o, "--rows")) o->lines = (int)s.height / 2;
    if ((size_t)o->lines > s.height)
        die(MISUSED, "--rows %d: images of %s have %zu rows", o->lines, o->operand, s.height);
    given_numbers = (size_t)o->lines * s.width * s.channels;
    x = floats(count, dim), one = floats(count, dim), y = floats(s.count, dim);
    b = read_images(&u, (size_t)o->first, count, x);
    p.total = times(count, draws);
    for (size_t d = 0; d < draws; d++) {
        const uint64_t seed = o->seed + d;
        for (size_t at = 0, rows; at < count; at += rows) {
            vae_batch part;
            rows = next_portion(&p, o, count - at);
            part = portion_of(&b, at, rows, dim);
            check(u.model, vae_complete(u.model, &part, given_numbers, o->mode ? NULL : &seed,
                                        one + at * dim));
        }
        for (size_t i = 0; i < count; i++) {
            float *line = y + i * columns * dim;
            memcpy(line + (2 + d) * dim, one + i * dim, dim * sizeof *y);
            if (d) continue;
            memcpy(line, x + i * dim, dim * sizeof *y);
            for (size_t j = 0; j < dim; j++)
                line[dim + j] = j < given_numbers ? one[i * dim + j] : 0.5f;
        }
    }
    next_portion(&p, o, 0);
    save_pictures(o, y, &s);
    free(x);
    free(y);
    free(one);
    return close_use(&u);
}

/* z = the point at `t` in [0,1] between a and b. Along an arc the direction turns evenly and the
 * length changes evenly; where there is no arc (a length of 0, an angle of 0 or 180 degrees), the
 * path is straight. */
static void between(const float *a, const float *b, size_t n, double t, int path, float *z)
{
    double aa = 0, bb = 0, ab = 0, wa = 1 - t, wb = t, la, lb, cosine, angle, length;
    for (size_t j = 0; j < n; j++) {
        aa += (double)a[j] * (double)a[j];
        bb += (double)b[j] * (double)b[j];
        ab += (double)a[j] * (double)b[j];
    }
    la = root(aa), lb = root(bb);
    cosine = la * lb > 0 ? ab / (la * lb) : 1;
    if (path == PATH_SPHERICAL && cosine < 0.999999 && cosine > -0.999999) {
        angle = inverse(minus_cosine, -cosine, 0, 3.14159265358979323846);
        length = (1 - t) * la + t * lb;
        wa = sine((1 - t) * angle) / sine(angle) * length / la;
        wb = sine(t * angle) / sine(angle) * length / lb;
    }
    for (size_t j = 0; j < n; j++) z[j] = (float)(wa * (double)a[j] + wb * (double)b[j]);
}

static int interpolate(options *o)
{
    use u;
    size_t pairs = (size_t)o->count, steps = (size_t)o->steps, columns = steps + 2, dim, latent;
    sheet s;
    float *x, *z, *mu;
    int one = given(o, "--from");
    portions p = {0, 0, 0, 0, 0};
    if (one != given(o, "--to")) die(MISUSED, "--from and --to belong together");
    open_both(&u, o);
    dim = u.info.input_dim, latent = u.info.code;
    if (!one && u.data.images.count < 2) die(FAILED, "%s holds no two images", u.data.name);
    if (pairs > u.data.images.count / 2) pairs = u.data.images.count / 2;
    if (one) pairs = 1;
    s = plan_sheet(&u, o, pairs * columns, columns);
    x = floats(s.count, dim);
    z = floats(steps, latent);
    mu = floats(2, latent);
    p.total = pairs * steps;
    for (size_t i = 0; i < pairs; i++) {
        float *line = x + i * columns * dim, *last = line + (columns - 1) * dim;
        uint64_t a = one ? o->from : 2 * i, b = one ? o->to : 2 * i + 1;
        vae_batch ends[2];
        ends[0] = read_image(&u, a, line);
        ends[1] = read_image(&u, b, last);
        for (size_t k = 2; k-- > 0;) encode_images(&u, &ends[k], mu + k * latent, NULL);
        for (size_t k = 0; k < steps; k++)
            between(mu, mu + latent, latent, (double)k / (double)(steps - 1), o->path,
                    z + k * latent);
        for (size_t k = 0; k < 2; k++) { /* with the class of the nearer end */
            size_t half = (steps + 1) / 2, at = k ? half : 0;
            vae_batch codes = rows_of_class(&u, o, z + at * latent, k ? steps - half : half,
                                            ends[k].labels);
            make_images(&u, o, &codes, 0, &p, line + (1 + at) * dim);
        }
    }
    next_portion(&p, o, 0);
    save_pictures(o, x, &s);
    free(x);
    free(z);
    free(mu);
    return close_use(&u);
}

/* Whether the latents are levels from -1 to 1. */
static int has_levels(const use *u)
{
    return strncmp(u->desc.posterior, "fsq", 3) == 0;
}

static int manifold(options *o)
{
    use u;
    size_t side = (size_t)o->count;
    vae_batch b;
    sheet s;
    float *z;
    int32_t label;
    open_model(&u, o);
    b = rows_of_class(&u, o, NULL, side * side, class_given(o, &label));
    if (u.info.latent != 2)
        die(FAILED, "%s has %zu latents, and a plane shows two: use 'vae traverse'", o->operand,
            u.info.latent);
    if (u.info.code != 2)
        die(FAILED, "%s has latents that are categories, and a plane shows numbers: use "
            "'vae traverse'", o->operand);
    s = plan_sheet(&u, o, side * side, side);
    b.x = z = floats(s.count, 2);
    for (size_t i = 0; i < side; i++) {
        const double share = ((double)i + 0.5) / (double)side;
        float q = (float)(has_levels(&u) ? 2 * share - 1 : normal_quantile(share));
        for (size_t k = 0; k < side; k++) {
            z[2 * (k * side + i)] = q;
            z[2 * ((side - 1 - i) * side + k) + 1] = q;
        }
    }
    save_decoded(&u, o, &b, &s);
    free(z);
    return close_use(&u);
}

/* sums (2, latent): adds mu and its square over a batch */
static void add_moments(use *u, const vae_batch *images, void *user)
{
    double *sums = (double *)user;
    size_t latent = u->info.code;
    float *mu = floats(images->rows, latent);
    encode_images(u, images, mu, NULL);
    for (size_t i = 0; i < images->rows * latent; i++) {
        sums[i % latent] += (double)mu[i];
        sums[latent + i % latent] += (double)mu[i] * (double)mu[i];
    }
    free(mu);
}

/* Which latents to show, as asked or the most used; `scores` (latent) is for choosing. */
static size_t choose_latents(use *u, const options *o, size_t *chosen)
{
    const size_t wide = u->info.code, latent = u->info.latent, block = wide / latent;
    size_t count = 0;
    size_t most = (size_t)o->count < latent ? (size_t)o->count : latent;
    const char *list = o->latents;
    char piece[32];
    double *sums;
    uint64_t index;
    while (next_piece(&list, ',', piece, sizeof piece)) {
        if (!read_whole(piece, &index) || index >= latent)
            die(MISUSED, "--latents: '%s' is not a number from 0 to %zu", piece, latent - 1);
        if (count == latent) die(MISUSED, "--latents: more than there are, %zu", latent);
        chosen[count++] = (size_t)index;
    }
    if (o->latents) return count;
    sums = (double *)need(times(2, wide), sizeof *sums);
    if (o->data) {
        double n = (double)u->data.images.count;
        each_batch(u, add_moments, sums);
        for (size_t j = 0; j < wide; j++) { /* of categories: the sum over those of a latent */
            double variance = sums[wide + j] / n - sums[j] / n * (sums[j] / n);
            sums[j] = 0;
            sums[j / block] += variance;
        }
        say("latents by the variance of mu:");
    }
    for (; count < most; count++) {
        size_t best = 0;
        for (size_t j = 1; j < latent; j++)
            if (sums[j] > sums[best]) best = j;
        if (!o->data) best = count;
        else say(" %zu (%.2f)", best, sums[best]);
        sums[best] = -1;
        chosen[count] = best;
    }
    if (o->data) say("\n");
    free(sums);
    return count;
}

/* Where a traversal stands: z, a code. Without an image, categories are those of a draw. A latent
 * of probabilities, `block` of them, becomes its most probable category. */
static void stand_at(const use *u, const options *o, const vae_batch *image, size_t block, float *z)
{
    vae_batch one = {0};
    one.rows = 1;
    if (image) encode_images(u, image, z, NULL);
    else if (block > 1) check(u->model, vae_prior(u->model, &one, o->seed, z));
    for (size_t j = 0; block > 1 && j < u->info.code; j += block) {
        size_t top = 0;
        for (size_t k = 1; k < block; k++)
            if (z[j + k] > z[j + top]) top = k;
        for (size_t k = 0; k < block; k++) z[j + k] = k == top;
    }
}

static int traverse(options *o)
{
    use u;
    size_t steps = (size_t)o->steps, count, latent, block, *chosen;
    double range = o->range;
    vae_batch b;
    sheet s;
    float *z, *around;
    int32_t label;
    const int32_t *drawn = class_given(o, &label);
    if (given(o, "--image") && !o->data) die(MISUSED, "--image needs --data");
    open_model(&u, o);
    if (o->data) open_data(&u, o);
    latent = u.info.code, block = latent / u.info.latent;
    if (block > 1) steps = block;
    if (!given(o, "--range") && has_levels(&u)) range = 1;
    chosen = (size_t *)need(latent, sizeof *chosen);
    count = choose_latents(&u, o, chosen);
    s = plan_sheet(&u, o, times(count, steps), steps);
    around = floats(latent, 1);
    if (given(o, "--image")) {
        float *x = floats(u.info.input_dim, 1);
        const vae_batch image = read_image(&u, o->image, x);
        stand_at(&u, o, &image, block, around);
        if (!drawn) drawn = image.labels;
        free(x);
    } else {
        stand_at(&u, o, NULL, block, around);
    }
    z = floats(s.count, latent);
    b = rows_of_class(&u, o, z, s.count, drawn);
    for (size_t i = 0; i < s.count; i++) {
        double t = (double)(i % steps) / (double)(steps - 1);
        memcpy(z + i * latent, around, latent * sizeof *z);
        if (block > 1) {
            float *own = z + i * latent + chosen[i / steps] * block;
            memset(own, 0, block * sizeof *own);
            own[i % steps] = 1;
        } else {
            z[i * latent + chosen[i / steps]] = (float)(range * (2 * t - 1));
        }
    }
    save_decoded(&u, o, &b, &s);
    free(z);
    free(around);
    free(chosen);
    return close_use(&u);
}

#endif
