/* ======================================================================================
 * mixtures.h   mixtures of Gaussians: the command gmm, of images; the command prior, of codes
 * uses: platform.h screen.h text.h targets.h json.h picture.h options.h command_line.h
 * uses: datasets.h gmm.h models.h sheets.h train.h
 * tests: tests/test_tool_codes.sh, tests/test_gmm.c
 * ==================================================================================== */
#ifndef VAE_TOOL_MIXTURES_H
#define VAE_TOOL_MIXTURES_H
#include "platform.h"
#include "screen.h"
#include "text.h"
#include "targets.h"
#include "json.h"
#include "picture.h"
#include "options.h"
#include "command_line.h"
#include "datasets.h"
#include "gmm.h"
#include "models.h"
#include "sheets.h"
#include "train.h"

/* What EM came to. */
typedef struct fitted {
    gmm mixture;
    int steps;
    double train, *course;      /* mean log-likelihood: at the end, before each step */
} fitted;

/* EM over rows of numbers that are known to be finite, as the flags say. */
static void fit_mixture(const options *o, const vae_data *rows, size_t count, int full, fitted *f)
{
    double last = 0;
    memset(f, 0, sizeof *f);
    if (count > rows->count)
        die(FAILED, "%zu components for %zu rows: there must be at least as many rows", count,
            rows->count);
    if (!gmm_new(&f->mixture, count, rows->item, full))
        die(FAILED, "out of memory: %zu components of %zu numbers%s", count, rows->item,
            full ? " with full covariance" : "");
    f->mixture.floor = o->floor;
    f->course = (double *)need((size_t)o->steps, sizeof *f->course);
    if (!gmm_begin(&f->mixture, rows, o->seed)) die(FAILED, "out of memory");
    while (f->steps < o->steps) {
        const double now = gmm_step(&f->mixture, rows);
        f->course[f->steps++] = now;
        say("iteration    %-4d log-likelihood %.4f\n", f->steps, now);
        if (f->steps > 1 && now - last < o->tolerance) break;
        last = now;
    }
    f->train = gmm_score(&f->mixture, rows);
}

static void end_mixture(fitted *f)
{
    gmm_free(&f->mixture);
    free(f->course);
}

/* A mixture as a table, a row for each component: log share, mean, log variance and, where the
 * covariance is full, A of gmm.h. */
static void save_mixture(const gmm *g, const char *path)
{
    const size_t d = g->dim, square = g->full ? d * d : 0, wide = 1 + 2 * d + square;
    text t = {NULL, 0, 0};
    float *row = floats(wide, 1);
    text_npy_head(&t, g->count, wide);
    for (size_t i = 0; i < g->count; i++) {
        row[0] = (float)g->weight[i];
        for (size_t j = 0; j < d; j++) {
            row[1 + j] = (float)g->mean[i * d + j];
            row[1 + d + j] = (float)gmm__log(g->variance[i * d + j]);
        }
        for (size_t j = 0; j < square; j++) row[1 + 2 * d + j] = (float)g->lower[i * square + j];
        text_npy_rows(&t, row, wide);
    }
    free(row);
    text_save(&t, path);
    say("wrote %s: %zu components\n", path, g->count);
}

/* ---- gmm: a density of the images themselves ---- */

/* Samples, clamped to what a picture can show. */
static void save_samples(const options *o, const gmm *g, const vae_data *d)
{
    const size_t count = (size_t)o->count;
    float *x = floats(count, g->dim);
    options to = *o;
    sheet s;
    use u;
    memset(&u, 0, sizeof u);
    u.info.height = d->rank > 2 ? d->dims[1] : 1, u.info.width = d->rank > 2 ? d->dims[2] : 1;
    u.info.channels = d->rank == 4 ? d->dims[3] : d->rank > 2 ? 1 : g->dim;
    to.operand = o->data, to.out = o->picture;
    s = plan_sheet(&u, &to, count, columns_for(o, count));
    for (size_t i = 0; i < count; i++) gmm_draw(g, o->seed, (uint32_t)i, x + i * g->dim);
    save_pictures(&to, x, &s);
    free(x);
}

static void save_gmm_json(const options *o, const sets *s, const fitted *f, double test)
{
    text t = {NULL, 0, 0};
    text_print(&t, "{\n  \"command\": \"gmm\",\n  \"version\": \"%s\",\n  ", VAE_VERSION_TEXT);
    json_string(&t, "data", s->images.name, ",\n");
    text_print(&t, "  \"components\": %zu,\n  \"full\": %d,\n  \"iterations\": %d,\n",
               f->mixture.count, f->mixture.full, f->steps);
    json_list(&t, "course", f->course, (size_t)f->steps);
    text_print(&t, "  ");
    json_number(&t, "train", f->train, ",\n  ");
    if (s->test.name || s->held.name) json_number(&t, "test", test, ",\n");
    else text_print(&t, "\"test\": null,\n");
    text_print(&t, "  \"seed\": %llu\n}\n", (ull)o->seed);
    text_save(&t, o->json);
}

static int fit_gmm(options *o)
{
    vae_desc gaussian;
    sets s;
    fitted f;
    const dataset *other;
    double test = 0;
    memset(&s, 0, sizeof s);
    memset(&gaussian, 0, sizeof gaussian);
    gaussian.likelihood = "gaussian"; /* any finite numbers will do */
    find_sets(o, &s);
    if (o->validate) hold_out(&s.images, (size_t)o->validate, &s.held);
    other = s.held.name ? &s.held : &s.test;
    if (other->name && other->images.item != s.images.images.item)
        die(FAILED, "%s holds images of %zu numbers, but %s of %zu", other->name,
            other->images.item, s.images.name, s.images.images.item);
    check_values(&s.images, &gaussian, 0);
    if (other->name) check_values(other, &gaussian, 0);
    if (o->full && s.images.images.item > MOST_FULL)
        die(FAILED, "--full: %s holds images of %zu numbers; a full covariance is for %d at most",
            s.images.name, s.images.images.item, MOST_FULL);
    fit_mixture(o, &s.images.images, (size_t)o->components, o->full, &f);
    say("\ntrain        log-likelihood %.4f, %zu images\n", f.train, s.images.images.count);
    if (other->name) {
        test = gmm_score(&f.mixture, &other->images);
        say("%-12s log-likelihood %.4f, %zu images\n", s.held.name ? "held-out" : "test", test,
            other->images.count);
    }
    if (o->out) save_mixture(&f.mixture, o->out);
    if (o->picture) save_samples(o, &f.mixture, &s.images.images);
    if (o->json) save_gmm_json(o, &s, &f, test);
    end_mixture(&f);
    drop(&s.images);
    drop(&s.test);
    drop(&s.held);
    return 0;
}

/* ---- prior: a mixture of the codes becomes the prior of a model ---- */

static void add_draws(use *u, const vae_batch *images, void *user)
{
    float *z = (float *)user + images->first * u->info.code;
    check_on(u->data.name, images->first, u->model, vae_posterior(u->model, images, z));
}

/* A model like this one with another prior, for use; its weights are not there yet. What trained
 * it, but needs the KL in closed form, is left out. */
static vae *with_prior(const use *u, const char *prior)
{
    vae_desc d = u->desc;
    vae_report report;
    vae *model;
    d.prior = prior, d.inference = 1, d.threads = 1;
    d.free_bits = 0, d.no_kl |= d.no_noise;
    if (d.objective == VAE_OBJECTIVE_DREG) d.objective = VAE_OBJECTIVE_IWAE;
    if (vae_create(&d, &model, &report) != VAE_OK) die(FAILED, "%s", report.text);
    return model;
}

/* Number `at` of tensor `own` of the prior: logits, means, log variances, A column by column. */
static double prior_number(const gmm *g, int own, size_t at)
{
    const size_t d = g->dim;
    size_t below = at % (d > 1 ? d * (d - 1) / 2 : 1), column = 0;
    if (own < 2) return own ? g->mean[at] : g->weight[at];
    if (own == 2) return gmm__log(g->variance[at]);
    for (; below >= d - 1 - column; column++) below -= d - 1 - column;
    return g->lower[(at / (d * (d - 1) / 2) * d + column + 1 + below) * d + column];
}

/* Gives it the mixture, and the model's other tensors. */
static void fill_prior(vae *model, const use *u, const gmm *g)
{
    static const char *const names[4] = {"prior.logit", "prior.mean", "prior.logvar",
                                         "prior.lower"};
    vae_tensor to, old;
    for (size_t i = 0; vae_tensor_at(model, i, &to) == VAE_OK; i++) {
        int own = 0;
        while (own < 4 && strcmp(to.name, names[own]) != 0) own++;
        for (size_t k = 0; own == 4 && vae_tensor_at(u->model, k, &old) == VAE_OK; k++) {
            if (strcmp(to.name, old.name) != 0) continue;
            memcpy(to.data, old.data, to.count * sizeof *to.data);
            if (to.average) memcpy(to.average, old.average, to.count * sizeof *to.data);
            break;
        }
        for (size_t k = 0; own < 4 && k < to.count; k++) {
            to.data[k] = (float)prior_number(g, own, k);
            if (to.average) to.average[k] = to.data[k];
        }
    }
}

static int fit_prior(options *o)
{
    const char *path = o->out ? o->out : o->operand;
    char prior[40];
    size_t dims[2];
    vae_data rows;
    vae_report report;
    fitted f;
    float *z;
    use u;
    vae *model;
    if (!given(o, "--gmm"))
        die(MISUSED, "'vae prior' needs --gmm K, the number of Gaussians; see 'vae help prior'");
    if (!o->out) {
        if (kind_of(path) == SPECIAL) die(MISUSED, "%s is no file: name one with --out", path);
        claim_target("", path);
    }
    snprintf(prior, sizeof prior, "mixture %d%s", o->components, o->full ? " full" : "");
    open_both(&u, o);
    model = with_prior(&u, prior); /* before the work: not every posterior takes a mixture */
    dims[0] = u.data.images.count, dims[1] = u.info.code;
    z = floats(dims[0], dims[1]);
    each_batch(&u, add_draws, z);
    if (vae_data_wrap(VAE_F32, 2, dims, z, &rows, &report) != VAE_OK)
        die(FAILED, "%s", report.text);
    say("codes        %zu of %zu numbers, %s\n", dims[0], dims[1],
        u.desc.no_noise ? "the means" : "a draw of each image's posterior");
    fit_mixture(o, &rows, (size_t)o->components, o->full, &f);
    say("\ncodes        log-likelihood %.4f\n", f.train);
    fill_prior(model, &u, &f.mixture);
    if (vae_claim_save_model(claim_of(path), model, VAE_SAVE_WEIGHTS_ONLY) != VAE_OK)
        die(FAILED, "%s", vae_last_report(model)->text);
    say("wrote %s: prior %s\n", path, prior);
    end_mixture(&f);
    vae_destroy(model);
    free(z);
    return close_use(&u);
}

#endif
