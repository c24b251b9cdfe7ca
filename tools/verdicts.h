/* ======================================================================================
 * verdicts.h   the commands that judge: eval and score
 * uses: platform.h screen.h text.h json.h mathematics.h statistics.h options.h datasets.h
 * uses: models.h report.h
 * tests: tests/test_tool.sh, tests/test_tool_data.sh
 * ==================================================================================== */
#ifndef VAE_TOOL_VERDICTS_H
#define VAE_TOOL_VERDICTS_H
#include "platform.h"
#include "screen.h"
#include "text.h"
#include "json.h"
#include "mathematics.h"
#include "statistics.h"
#include "options.h"
#include "datasets.h"
#include "models.h"
#include "report.h"

/* The counts of --samples: out (MOST_BOUNDS), how many. */
static size_t read_draws(const char *list, int *out)
{
    char piece[32];
    size_t count = 0;
    uint64_t value;
    while (next_piece(&list, ',', piece, sizeof piece)) {
        if (!read_whole(piece, &value) || value < 1 || value > MOST_DRAWS)
            die(MISUSED, "--samples: '%s' is not a whole number from 1 to %d", piece, MOST_DRAWS);
        if (count == MOST_BOUNDS)
            die(MISUSED, "--samples: at most %d numbers", MOST_BOUNDS);
        out[count++] = (int)value;
    }
    return count;
}

static double error_of(const stats_sample *s)
{
    double e = stats_error2(s);
    return e < 0 ? -1 : root(e);
}

/* All that eval finds out. Standard errors are below 0 where there are none. */
typedef struct verdict {
    vae_stats stats;
    stats_sample elbo, recon, kl, mse, bounds[MOST_BOUNDS];
    int draws[MOST_BOUNDS];
    size_t bound_count;
    double *unit_kl, *variance;     /* (latent); unit_kl NULL: there is no such thing */
    uint64_t *clamped;              /* (latent): images, of so many */
    size_t clamped_of;
    double gap, gap_error, seconds;
    double levels, used, perplexity; /* codes of levels: how many there are; 0: there are none */
    int factors, factors_there;     /* that count, of those in the table; 0: no table */
} verdict;

/* How many rows of buffers make many draws fast: as far as 64 MB go. */
static int rows_for_draws(const use *u)
{
    size_t row = u->info.memory_activations / (size_t)u->desc.batch + 1, rows = 512;
    while (rows > 1 && rows > (size_t)64000000 / row) rows /= 2;
    return rows > (size_t)u->desc.batch ? (int)rows : u->desc.batch;
}

static void draw_bounds(int draws, double done, double all, double begun)
{
    char line[120], left[32];
    duration_text(left, sizeof left, (now() - begun) / done * (all - done));
    snprintf(line, sizeof line, "bound (%d)  %.0f %%  %s left", draws, 100 * done / all, left);
    screen_line(line, 0);
}

/* The bounds, group by group of images; a group is as much work as half a second has room for, and
 * 16 MB of pixels at most. */
static void find_bounds(use *u, verdict *v)
{
    const size_t count = u->data.images.count, dim = u->info.input_dim;
    const size_t least = (size_t)u->desc.threads;
    size_t most = 4000000 / dim + 1, group = least;
    double done = 0, all = 0, begun = now(), drawn = 0;
    float *x, *bound;
    if (most < least) most = least;
    if (most > count) most = count;
    x = floats(most, dim);
    bound = floats(most, 1);
    for (size_t b = 0; b < v->bound_count; b++) all += (double)v->draws[b] * (double)count;
    for (size_t b = 0; b < v->bound_count; b++) {
        for (size_t first = 0, rows; first < count; first += rows) {
            double start = now(), took;
            vae_batch images;
            rows = group < most ? group : most;
            if (rows > count - first) rows = count - first;
            images = read_images(u, first, rows, x);
            check_on(u->data.name, 0, u->model, vae_bound(u->model, &images, v->draws[b], bound));
            for (size_t i = 0; i < rows; i++) stats_add(&v->bounds[b], (double)bound[i]);
            done += (double)v->draws[b] * (double)rows;
            took = now() - start;
            if (took < 0.25) group = 2 * rows;
            if (took > 1 && group >= 2 * least) group /= 2;
            if (screen.terminal && !screen.quiet && now() - drawn > 0.2) {
                draw_bounds(v->draws[b], done, all, begun);
                drawn = now();
            }
        }
    }
    screen_clear();
    free(x);
    free(bound);
}

/* parts (3, rows): ELBO, recon and KL of some images */
static void score_images(const use *u, const vae_batch *images, float *parts)
{
    const size_t rows = images->rows;
    check_on(u->data.name, 0, u->model,
             vae_score(u->model, images, parts, parts + rows, parts + 2 * rows));
}

static void add_parts(use *u, const vae_batch *images, void *user)
{
    verdict *v = (verdict *)user;
    const size_t dim = u->info.input_dim, rows = images->rows;
    const float *x = images->x;
    float *parts = floats(3, rows), *y = floats(rows, dim);
    score_images(u, images, parts);
    if (u->info.latent)
        check_on(u->data.name, images->first, u->model, vae_reconstruct(u->model, images, y));
    for (size_t i = 0; i < rows; i++) {
        double sum = 0;
        for (size_t j = i * dim; j < (i + 1) * dim; j++)
            sum += square((double)x[j] - (double)y[j]);
        stats_add(&v->elbo, (double)parts[i]);
        stats_add(&v->recon, (double)parts[rows + i]);
        stats_add(&v->kl, (double)parts[2 * rows + i]);
        if (u->info.latent) stats_add(&v->mse, sum / (double)dim);
    }
    free(parts);
    free(y);
}

/* ---- codes of levels: how many occur ---- */

static size_t code_bytes; /* of one, for compare_codes */
static int compare_codes(const void *a, const void *b) { return memcmp(a, b, code_bytes); }

static void add_levels(use *u, const vae_batch *images, void *user)
{
    encode_images(u, images, (float *)user + images->first * u->info.code, NULL);
}

/* Of posterior fsq: how many codes there are, how many of them the images have, and the perplexity
 * of their frequencies. */
static void find_levels(use *u, verdict *v)
{
    const size_t count = u->data.images.count;
    const char *at = u->desc.posterior + 3;
    float *codes;
    double entropy = 0, level = 0, n = (double)count;
    int listed = 0;
    if (strncmp(u->desc.posterior, "fsq", 3) != 0) return;
    codes = floats(count, u->info.code);
    v->levels = 1, code_bytes = u->info.code * sizeof *codes;
    for (; *at; at += strspn(at, "0123456789"), listed++)
        at += strspn(at, " "), level = strtod(at, NULL), v->levels *= level;
    for (size_t j = 1; listed == 1 && j < u->info.code; j++) v->levels *= level;
    each_batch(u, add_levels, codes);
    qsort(codes, count, code_bytes, compare_codes);
    for (size_t i = 0, same; i < count; i += same, v->used++) {
        const char *one = (const char *)codes + i * code_bytes;
        for (same = 1; i + same < count; same++)
            if (memcmp(one, one + same * code_bytes, code_bytes) != 0) break;
        entropy -= (double)same / n * stats_log((double)same / n);
    }
    v->perplexity = inverse(stats_log, entropy, 1, n); /* the exponential */
    free(codes);
}

/* Ranges of mu, and then mu as bins of them. */
typedef struct binned {
    float *low, *high;  /* (latent) */
    uint8_t *bins;      /* (images, latent); NULL: the ranges are being found */
} binned;

static void add_bins(use *u, const vae_batch *images, void *user)
{
    binned *b = (binned *)user;
    const size_t latent = u->info.code, first = images->first;
    float *mu = floats(images->rows, latent);
    encode_images(u, images, mu, NULL);
    for (size_t i = 0; i < images->rows * latent; i++) {
        size_t j = i % latent;
        if (b->bins) {
            b->bins[first * latent + i] = stats_bin((double)mu[i], (double)b->low[j],
                                                      (double)b->high[j]);
            continue;
        }
        if (first + i / latent == 0 || mu[i] < b->low[j]) b->low[j] = mu[i];
        if (first + i / latent == 0 || mu[i] > b->high[j]) b->high[j] = mu[i];
    }
    free(mu);
}

static void find_gap(use *u, const char *where, verdict *v)
{
    const size_t count = u->data.images.count, latent = u->info.code;
    size_t factors;
    double *table = read_factors(&u->data, where, &factors), error2 = -1;
    double *column = (double *)need(count, sizeof *column);
    uint8_t *codes = (uint8_t *)need(count, factors);
    int *values = (int *)need(factors, sizeof *values);
    binned b;
    b.low = floats(latent, 1);
    b.high = floats(latent, 1);
    b.bins = NULL;
    each_batch(u, add_bins, &b);
    b.bins = (uint8_t *)need(count, latent);
    each_batch(u, add_bins, &b);
    for (size_t f = 0; f < factors; f++) {
        for (size_t i = 0; i < count; i++) column[i] = table[i * factors + f];
        values[f] = stats_column(column, count, codes + f, factors);
        if (!values[f]) die(FAILED, "out of memory");
    }
    v->factors = stats_mig(count, latent, b.bins, factors, codes, values, &v->gap, &error2);
    v->factors_there = (int)factors;
    if (v->factors < 0) die(FAILED, "out of memory");
    if (!v->factors) die(FAILED, "every factor of %s has one value only on these images", where);
    v->gap_error = error2 < 0 ? -1 : root(error2);
    free(table);
    free(column);
    free(codes);
    free(values);
    free(b.low);
    free(b.high);
    free(b.bins);
}

/* The KL of each latent and the variance of its mu; NULL where the posterior or the prior has no
 * such figure. */
static void find_units(use *u, verdict *v)
{
    const vae_data *images = &u->data.images;
    double *both[2];
    for (int i = 0; i < 2; i++) both[i] = (double *)need(u->info.units, sizeof *both[i]);
    for (int i = 0; i < 2; i++) {
        const vae_status status = vae_units(u->model, images, i ? NULL : both[0],
                                            i ? both[1] : NULL);
        if (status == VAE_OK) continue;
        if (status != VAE_ERR_STATE) check_on(u->data.name, 0, u->model, status);
        free(both[i]);
        both[i] = NULL;
    }
    v->unit_kl = both[0], v->variance = both[1];
}

/* How many latents of stochastic layer number `layer` are active; `from`: the first of them. */
static size_t active_units(const use *u, const verdict *v, int layer, size_t *from)
{
    size_t active = 0;
    *from = 0;
    for (int l = 0; l < layer; l++) *from += u->info.layer[l].latents;
    for (size_t j = 0; v->variance && j < u->info.layer[layer].latents; j++)
        active += v->variance[*from + j] > 0.01;
    return active;
}

/* Latents of a stochastic layer by their KL, most first. */
static void print_units(const use *u, const verdict *v, int layer)
{
    const size_t latent = u->info.layer[layer].latents;
    double *left = (double *)need(latent, sizeof *left);
    char line[200], one[60], name[32];
    size_t used, from, active = active_units(u, v, layer, &from);
    snprintf(name, sizeof name, layer ? "KL, z %zu" : "KL of each", latent);
    used = (size_t)snprintf(line, sizeof line, "%-12s", name);
    if (v->variance)
        say("active       %zu of %zu latents (variance of mu above 0.01)%s\n", active, latent,
            layer ? ", of a layer below the code" : "");
    if (u->info.layers > 1) say("KL           %.3f\n", v->stats.layer_kl[layer]);
    if (v->unit_kl) memcpy(left, v->unit_kl + from, latent * sizeof *left);
    for (size_t n = 0, most = 0; n < latent && v->unit_kl; n++) {
        for (size_t j = 0; j < latent; j++)
            if (left[j] > left[most]) most = j;
        if (left[most] < 0.005) snprintf(one, sizeof one, " and %zu below 0.005", latent - n);
        else snprintf(one, sizeof one, " %zu:%.2f", most, left[most]);
        if (used + strlen(one) > 78) {
            say("%s\n", line);
            used = (size_t)snprintf(line, sizeof line, "%-12s", "");
        }
        used += (size_t)snprintf(line + used, sizeof line - used, "%s", one);
        if (left[most] < 0.005) break;
        left[most] = -1;
    }
    if (v->unit_kl) say("%s\n", line);
    free(left);
}

static void print_error(double error, int digits)
{
    if (error >= 0) say(" +- %.*f", digits, error);
}

/* Nats of an image in bits per dimension, with the standard error of the sample they are from. */
static void print_bits(const use *u, double nats, const stats_sample *of)
{
    const vae_desc *d = &u->desc;
    const double per_nat = bits_per_dim(d, &u->info, 1) - bits_per_dim(d, &u->info, 0);
    say("bits/dim     %.4f", bits_per_dim(d, &u->info, nats));
    print_error(error_of(of) < 0 ? -1 : error_of(of) * per_nat, 4);
}

static const stats_sample *nll_of(const verdict *v)
{
    for (size_t b = 0; b < v->bound_count; b++)
        if (v->draws[b] == NLL_DRAWS) return &v->bounds[b];
    return NULL;
}

static void print_verdict(const use *u, const verdict *v)
{
    const vae_desc *d = &u->desc;
    const stats_sample *nll = nll_of(v);
    char name[40];
    say("data         %s, %zu images\n\n", u->data.name, u->data.images.count);
    say("                  -ELBO      recon         KL   nats per image: distortion + rate\n");
    print_stats("mean", &v->stats, 0, 0);
    if (error_of(&v->elbo) >= 0)
        say("%-12s %10.3f %10.3f %10.3f\n", "std. error", error_of(&v->elbo),
            error_of(&v->recon), error_of(&v->kl));
    say("\n");
    for (size_t b = 0; b < v->bound_count; b++) {
        snprintf(name, sizeof name, v->draws[b] == NLL_DRAWS ? "NLL (%d)" : "-bound (%d)",
                 v->draws[b]);
        say("%-14s %8.3f", name, -stats_mean(&v->bounds[b]));
        print_error(error_of(&v->bounds[b]), 3);
        say("\n");
    }
    print_bits(u, -v->stats.elbo, &v->elbo);
    say("%s\n", is_likelihood(d, "bernoulli") && !d->binarize
            ? " (grey pixels: no density)"
            : is_density(d) ? " (a density: 8 are added for the 256 levels of a byte)" : "");
    if (nll) {
        print_bits(u, -stats_mean(nll), nll);
        say(" from the NLL\n");
    }
    if (u->info.latent) {
        say("mse          %.6f", stats_mean(&v->mse));
        print_error(error_of(&v->mse), 6);
        say(" per pixel of the reconstructions\n");
    }
    if (v->levels > 0)
        say("codes        %.0f of %.0f occur (%.1f %%), perplexity %.1f\n", v->used, v->levels,
            100 * v->used / v->levels, v->perplexity);
    for (int l = 0; l < u->info.layers; l++) print_units(u, v, l);
    print_clamped(v->clamped, u->info.latent, v->clamped_of);
    if (v->factors) {
        say("MIG          %.4f", v->gap);
        print_error(v->gap_error, 4);
        say(" over %d factors", v->factors);
        if (v->factors < v->factors_there)
            say("; %d more had one value only", v->factors_there - v->factors);
        say("\n");
    }
}

/* What eval alone says in --json. */
static void json_verdict(text *t, const use *u, const verdict *v)
{
    const vae_desc *d = &u->desc;
    const stats_sample *nll = nll_of(v);
    size_t from;
    text_print(t, "  ");
    json_error(t, "elbo_se", error_of(&v->elbo), ", ");
    json_error(t, "recon_se", error_of(&v->recon), ", ");
    json_error(t, "kl_se", error_of(&v->kl), ",\n  ");
    if (v->levels > 0) {
        json_number(t, "codes", v->levels, ",\n  ");
        json_number(t, "codes_used", v->used, ",\n  ");
        json_number(t, "code_perplexity", v->perplexity, ",\n  ");
    }
    json_error(t, "mse", u->info.latent ? stats_mean(&v->mse) : -1, ",\n  ");
    json_error(t, "mse_se", error_of(&v->mse), ",\n  ");
    json_number(t, "bits_per_dim", bits_per_dim(d, &u->info, -v->stats.elbo), ",\n");
    text_print(t, "  \"bounds\": [");
    for (size_t b = 0; b < v->bound_count; b++) {
        text_print(t, "%s{\"k\": %d, ", b ? ", " : "", v->draws[b]);
        json_number(t, "bound", stats_mean(&v->bounds[b]), ", ");
        json_error(t, "se", error_of(&v->bounds[b]), "}");
    }
    text_print(t, "],\n  ");
    if (nll) {
        json_number(t, "nll", -stats_mean(nll), ",\n  ");
        json_number(t, "nll_bits_per_dim", bits_per_dim(d, &u->info, -stats_mean(nll)), ",\n");
    } else {
        text_print(t, "\"nll\": null,\n  \"nll_bits_per_dim\": null,\n");
    }
    if (v->variance) text_print(t, "  \"active_units\": %zu,\n", active_units(u, v, 0, &from));
    else text_print(t, "  \"active_units\": null,\n");
    for (int l = 0; l < u->info.layers && v->variance && u->info.layers > 1; l++)
        text_print(t, "%s%zu%s", l ? ", " : "  \"active_units_of_layers\": [",
                   active_units(u, v, l, &from), l + 1 < u->info.layers ? "" : "],\n");
    if (v->unit_kl) json_list(t, "kl_per_latent", v->unit_kl, u->info.units);
    if (v->variance) json_list(t, "mu_variance", v->variance, u->info.units);
    text_print(t, "  \"logvar_at_limit\": %s", v->clamped_of ? "[" : "null,\n");
    for (size_t j = 0; j < u->info.latent && v->clamped_of; j++) /* parts of the images */
        text_print(t, "%s%.9g%s", j ? ", " : "", (double)v->clamped[j] / (double)v->clamped_of,
                   j + 1 < u->info.latent ? "" : "],\n");
    text_print(t, "  ");
    if (v->factors) {
        json_number(t, "mig", v->gap, ",\n  ");
        json_error(t, "mig_se", v->gap_error, ",\n  ");
    } else {
        text_print(t, "\"mig\": null,\n  \"mig_se\": null,\n  ");
    }
    json_number(t, "eval_seconds", v->seconds, ",\n");
}

static int eval(options *o)
{
    use u;
    verdict v;
    double begun = now(), seconds;
    memset(&v, 0, sizeof v);
    if (o->draws) v.bound_count = read_draws(o->draws, v.draws);
    open_both(&u, o);
    if (v.bound_count && u.desc.no_noise)
        die(FAILED, "--samples: %s has no noise, so it has no draws and no bound", o->operand);
    if (v.bound_count && rows_for_draws(&u) > u.desc.batch) {
        int rows = rows_for_draws(&u);
        vae_destroy(u.model);
        load_model(&u, o, rows);
    }
    seconds = now();
    check_on(u.data.name, 0, u.model, vae_evaluate(u.model, &u.data.images, &v.stats));
    seconds = now() - seconds;
    each_batch(&u, add_parts, &v);
    find_units(&u, &v);
    find_levels(&u, &v);
    v.clamped = (uint64_t *)need(u.info.latent, sizeof *v.clamped);
    if (!u.desc.no_noise && v.variance) /* there is a log variance */
        v.clamped_of = count_clamped(u.model, &u.data.images, v.clamped);
    if (o->causes) find_gap(&u, o->causes, &v);
    print_network(&u.desc);
    find_bounds(&u, &v);
    v.seconds = now() - begun;
    print_verdict(&u, &v);
    say("params_hash  %016llx\n", (ull)vae_params_hash(u.model));
    if (o->json) {
        text more = {NULL, 0, 0};
        json_verdict(&more, &u, &v);
        save_json(o->json, "eval", o->operand, u.model, seconds,
                  per_second(v.stats.images, seconds), NULL, &v.stats, &more);
    }
    free(v.unit_kl);
    free(v.clamped);
    free(v.variance);
    return close_use(&u);
}

/* scores (count, columns): -ELBO, recon, KL; with --samples the negative bound */
typedef struct scores {
    float *values;
    int columns, draws;
} scores;

static void add_scores(use *u, const vae_batch *images, void *user)
{
    const scores *s = (const scores *)user;
    const size_t rows = images->rows;
    float *parts = floats(4, rows);
    score_images(u, images, parts);
    if (s->draws)
        check_on(u->data.name, 0, u->model,
                 vae_bound(u->model, images, s->draws, parts + 3 * rows));
    for (size_t i = 0; i < rows; i++) {
        float *out = s->values + (size_t)s->columns * (images->first + i);
        out[0] = -parts[i];
        out[1] = parts[rows + i];
        out[2] = parts[2 * rows + i];
        if (s->draws) out[3] = -parts[3 * rows + i];
    }
    free(parts);
}

/* What score writes, in one of its formats. */
static text scores_text(const scores *s, size_t count, int format)
{
    const size_t columns = (size_t)s->columns;
    text t = {NULL, 0, 0};
    if (format == FORMAT_NPY) {
        text_npy_head(&t, count, columns);
        text_npy_rows(&t, s->values, columns * count);
    }
    if (format == FORMAT_CSV)
        text_print(&t, "index,neg_elbo,recon,kl%s\n", s->draws ? ",neg_bound" : "");
    for (size_t i = 0; i < count && format != FORMAT_NPY; i++) {
        const float *v = s->values + columns * i;
        if (format == FORMAT_CSV) {
            text_print(&t, "%zu", i);
            for (size_t k = 0; k < columns; k++) text_print(&t, ",%.9g", (double)v[k]);
            text_print(&t, "\n");
        } else {
            text_print(&t, "%.9g\n", (double)v[s->draws ? 3 : 0]);
        }
    }
    return t;
}

static int score(options *o)
{
    use u;
    text t;
    scores s = {NULL, 3, o->score_draws};
    size_t count, strangest = 0, at;
    double sum = 0;
    int format = o->format;
    if (format == FORMAT_AUTO) format = ends_with(o->out, ".npy") ? FORMAT_NPY
                                      : ends_with(o->out, ".csv") ? FORMAT_CSV : FORMAT_TEXT;
    open_both(&u, o);
    if (s.draws && u.desc.no_noise)
        die(FAILED, "--samples: %s has no noise, so it has no draws and no bound", o->operand);
    if (s.draws && rows_for_draws(&u) > u.desc.batch) {
        int rows = rows_for_draws(&u);
        vae_destroy(u.model);
        load_model(&u, o, rows);
    }
    if (s.draws) s.columns = 4;
    count = u.data.images.count, at = s.draws ? 3 : 0;
    s.values = floats((size_t)s.columns, count);
    each_batch(&u, add_scores, &s);
    for (size_t i = 0; i < count; i++) {
        const float *v = s.values + (size_t)s.columns * i;
        sum += (double)v[at];
        if (v[at] > s.values[(size_t)s.columns * strangest + at]) strangest = i;
    }
    t = scores_text(&s, count, format);
    text_save(&t, o->out);
    say("%zu images of %s: mean %s %.3f, the strangest is image %zu with %.3f\n", count,
        u.data.name, s.draws ? "-bound" : "-ELBO", sum / (double)count, strangest,
        (double)s.values[(size_t)s.columns * strangest + at]);
    free(s.values);
    return close_use(&u);
}

#endif
