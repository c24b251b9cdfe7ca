/* ======================================================================================
 * sections.h   the command report: its page, from the overview to the last section
 * uses: platform.h screen.h text.h targets.h statistics.h options.h paths.h datasets.h models.h
 * uses: verdicts.h page.h study.h panels.h
 * tests: tests/test_tool_report.sh
 * ==================================================================================== */
#ifndef VAE_TOOL_SECTIONS_H
#define VAE_TOOL_SECTIONS_H
#include "platform.h"
#include "screen.h"
#include "text.h"
#include "targets.h"
#include "statistics.h"
#include "options.h"
#include "paths.h"
#include "datasets.h"
#include "models.h"
#include "verdicts.h"
#include "page.h"
#include "study.h"
#include "panels.h"

/* ---- figures of all models ---- */

typedef enum overview_row { ROW_ELBO, ROW_RECON, ROW_KL, ROW_BOUND, ROW_BITS, ROW_MSE, ROW_ACTIVE,
                            OVERVIEW_ROWS } overview_row;

/* Whether -log p(x) of all models is of one kind: of densities, or of probabilities of the same
 * values. Otherwise none is the best. */
static int measured_alike(const book *b)
{
    static const char *const alike[2] = {"gaussian|gaussian_learned|gaussian_pixel",
                                         "logistic|logistic_pixel|logistic_mixture"};
    const vae_desc *first = &b->all[0].u.desc;
    for (size_t m = 1; m < b->count; m++) {
        const vae_desc *d = &b->all[m].u.desc;
        int same = strcmp(d->likelihood, first->likelihood) == 0;
        for (int i = 0; i < 2; i++)
            same |= is_likelihood(d, alike[i]) && is_likelihood(first, alike[i]);
        if (!same || d->binarize != first->binarize) return 0;
    }
    return 1;
}

/* A figure of a model; MISSING where it has none. */
static double overview(const study *s, int row, const char **name, int *digits)
{
    static const char *const names[] = {"-ELBO", "distortion (recon)", "rate (KL)", "-bound",
                                        "bits per dimension", "mse per number", "active latents"};
    static const int places[] = {3, 3, 3, 3, 4, 5, 0};
    const vae_stats *v = &s->v.stats;
    size_t from;
    *name = row == ROW_ELBO ? figure_name(s) : names[row], *digits = places[row];
    switch (row) {
    case ROW_ELBO: return -v->elbo;
    case ROW_RECON: return s->u.info.latent ? v->recon : MISSING;
    case ROW_KL: return s->u.info.latent ? v->kl : MISSING;
    case ROW_BOUND: return s->v.bound_count ? -stats_mean(&s->v.bounds[s->v.bound_count - 1])
                                            : MISSING;
    case ROW_BITS: return bits_per_dim(&s->u.desc, &s->u.info, -v->elbo);
    case ROW_MSE: return s->u.info.latent ? stats_mean(&s->v.mse) : MISSING;
    default: return s->v.variance ? (double)active_units(&s->u, &s->v, 0, &from) : MISSING;
    }
}

/* The figures of one model, large; those that it has. */
static void draw_tiles(book *b)
{
    text *t = &b->t;
    text_print(t, "<dl class=\"stats\">\n");
    for (int row = 0; row < OVERVIEW_ROWS; row++) {
        const char *name;
        int digits;
        const double v = overview(&b->all[0], row, &name, &digits);
        if (is_missing(v)) continue;
        text_print(t, "<div><dt>%s%s</dt><dd>%.*f", name, row <= ROW_BOUND ? ", nats" : "",
                   digits && !(v < 1e4 && v > -1e3) ? 1 : digits, v);
        if (row == ROW_ACTIVE) text_print(t, " <small>of %zu</small>", b->all[0].u.info.latent);
        text_print(t, "</dd></div>\n");
    }
    text_print(t, "</dl>\n");
}

/* The figures of several models, side by side; the lowest of those that can be compared is marked.
 */
static void draw_table(book *b)
{
    const int alike = measured_alike(b);
    text *t = &b->t;
    text_print(t, "<div class=\"card scroll\" style=\"margin-top:20px\" tabindex=\"0\">\n<table>"
               "<thead><tr><th scope=\"col\">per image</th>");
    for (size_t m = 0; m < b->count; m++) {
        text_print(t, "<th scope=\"col\">");
        page_words(t, b->all[m].name);
        text_print(t, "</th>");
    }
    text_print(t, "</tr></thead><tbody>\n");
    for (int row = 0; row < OVERVIEW_ROWS; row++) {
        const int compared = row == ROW_MSE || ((row == ROW_ELBO || row == ROW_BOUND) && alike);
        const char *name = "";
        int digits = 0, any = 0;
        double best = 0;
        for (size_t m = 0; m < b->count; m++) {
            const double v = overview(&b->all[m], row, &name, &digits);
            if (is_missing(v)) continue;
            if (!any++ || v < best) best = v;
        }
        if (!any) continue;
        if (row == ROW_ELBO) name = common_name(b);
        text_print(t, "<tr><th scope=\"row\">%s</th>", name);
        for (size_t m = 0; m < b->count; m++) {
            const double v = overview(&b->all[m], row, &name, &digits);
            if (is_missing(v)) text_print(t, "<td>&ndash;</td>");
            else text_print(t, "<td%s>%.*f</td>", compared && !(v > best) ? " class=\"best\"" : "",
                            digits, v);
        }
        text_print(t, "</tr>\n");
    }
    text_print(t, "</tbody></table></div>\n");
}

static void draw_overview(book *b)
{
    const study *s = &b->all[0];
    text *t = &b->t;
    if (b->count > 1) draw_table(b);
    else draw_tiles(b);
    text_print(t, "<p class=\"how\" style=\"margin:10px 0 0\">Nats per image");
    if (strcmp(common_name(b), "-ELBO") == 0)
        text_print(t, ", at one draw of z; " MINUS_ELBO " = distortion + rate, which -log p(x) "
                   "does not exceed");
    text_print(t, ". ");
    for (size_t m = 0, told = 0; m < b->count && b->count > 1; m++)
        if (!b->all[m].u.info.latent && !told++)
            text_print(t, "Of a model without latents it is -log p(x) itself. ");
    for (size_t m = 0, told = 0; m < b->count; m++) {
        if (!b->all[m].v.bound_count || told++) continue;
        text_print(t, "The bound is that of %d importance weights over the first %zu images. ",
                   b->all[m].v.draws[b->all[m].v.bound_count - 1], b->all[m].bound_images);
    }
    if (!measured_alike(b))
        text_print(t, "They differ in likelihood or binarisation; their nats do not compare.");
    else if (is_likelihood(&s->u.desc, "bernoulli") && !s->u.desc.binarize)
        text_print(t, "Grey pixels have no density under bernoulli: its nats compare models of "
                   "this likelihood with one another only.");
    text_print(t, "</p>\n");
}

/* ---- the page ---- */

typedef struct section {
    const char *id, *title;
    const char *(*missing)(const study *);  /* why a model has nothing here; NULL: it always has */
    void (*panel)(book *, study *);         /* for each model */
    void (*joint)(book *);                  /* or for all of them at once */
    int wide;                               /* 1: takes the whole width, also of one model */
} section;

static const section sections[] = {
    {"trained", "What was trained", NULL, panel_trained, NULL, 1},
    {"curves", "Training", no_log, NULL, joint_curves, 1},
    {"samples", "Samples", no_picture, panel_samples, NULL, 0},
    {"codes", "Map of the codes", no_map, panel_map, NULL, 0},
    {"reconstructions", "Reconstructions, best to worst", no_reconstruction, panel_reconstructions,
     NULL, 1},
    {"traversals", "What each latent changes", no_reconstruction, panel_traversals, NULL, 0},
    {"latents", "KL and activity of the latents", no_units, panel_units, NULL, 0},
    {"rate", "Rate and distortion", no_codes, NULL, joint_rate, 0},
    {"bounds", "Bounds of the log-likelihood", no_bounds, panel_bounds, NULL, 0},
    {"neighbours", "Does it memorise?", no_neighbours, panel_neighbours, NULL, 1},
    {"strange", "Strangest images", NULL, panel_strange, NULL, 1},
};
enum { SECTIONS = sizeof sections / sizeof *sections };

/* Where a section stands: of one model, narrow ones stand in pairs. */
typedef struct place {
    const section *it;
    int wide;
} place;

/* The sections in their order, but what no model has comes last. A narrow one that has nothing
 * beside it is made wide. */
static void arrange(const book *b, place places[SECTIONS])
{
    int count = 0;
    for (int lacking = 0; lacking < 2; lacking++) {
        int alone = 0; /* 1: the last one is narrow and stands on the left */
        for (int i = 0; i < SECTIONS; i++) {
            const section *it = &sections[i];
            size_t without = 0;
            while (without < b->count && it->missing && it->missing(&b->all[without])) without++;
            if ((without == b->count) != lacking) continue;
            if (alone && it->wide && !lacking) places[count - 1].wide = 1, alone = 0;
            places[count].it = it, places[count].wide = it->wide && !lacking;
            alone = !places[count++].wide && !alone;
        }
        if (alone) places[count - 1].wide = 1;
    }
}

static void draw_section(book *b, const section *it, int wide)
{
    text *t = &b->t;
    size_t there = 0;
    text_print(t, "<section id=\"%s\"%s>\n<h2>%s</h2>\n", it->id, wide ? " class=\"wide\"" : "",
               it->title);
    for (size_t m = 0; m < b->count; m++) {
        const char *why = it->missing ? it->missing(&b->all[m]) : NULL;
        if (!why) {
            there++;
            continue;
        }
        text_print(t, "<p class=\"soft\">Left out for ");
        page_words(t, b->all[m].name);
        text_print(t, ": ");
        page_words(t, why);
        text_print(t, ".</p>\n");
    }
    if (it->joint && there) it->joint(b);
    if (it->panel && there) {
        text_print(t, "<div class=\"models\">\n");
        for (size_t m = 0; m < b->count; m++)
            if (!it->missing || !it->missing(&b->all[m])) it->panel(b, &b->all[m]);
        text_print(t, "</div>\n");
    }
    text_print(t, "</section>\n");
}

static void draw_book(book *b)
{
    text *t = &b->t;
    const dataset *data = &b->all[0].u.data;
    char *title = joined(b->all[0].name, b->count > 1 ? " and others" : "", ": report");
    place places[SECTIONS];
    arrange(b, places);
    page_begin(t, title);
    text_print(t, "<header>\n<h1>");
    for (size_t m = 0; m < b->count; m++) {
        if (m) text_print(t, m + 1 < b->count ? ", " : " and ");
        page_words(t, b->all[m].name);
    }
    text_print(t, "</h1>\n<p class=\"soft\">%zu images of ", data->images.count);
    page_words(t, data->name);
    text_print(t, "; %s %s</p>\n", "made by vae report of vae.h", VAE_VERSION_TEXT);
    draw_overview(b);
    text_print(t, "<nav aria-label=\"Sections\">\n");
    for (int i = 0; i < SECTIONS; i++)
        text_print(t, "<a href=\"#%s\">%s</a>\n", places[i].it->id, places[i].it->title);
    text_print(t, "</nav>\n</header>\n<main%s>\n", b->count > 1 ? "" : " class=\"one\"");
    for (int i = 0; i < SECTIONS; i++) draw_section(b, places[i].it, places[i].wide);
    text_print(t, "</main>\n<footer>Nats are per image, summed over its numbers. The same models, "
               "data and flags give the same bytes of this page.</footer>\n");
    page_end(t);
    free(title);
}

/* Opens a model; the data are those of the first one. */
static void open_study(book *b, const options *o, size_t m)
{
    study *s = &b->all[m];
    s->o = *o;
    s->o.operand = o->models[m];
    s->name = last_part(s->o.operand);
    for (size_t k = 0; k < b->count; k++) /* with its folder where another has this name */
        if (k != m && strcmp(last_part(o->models[k]), last_part(s->o.operand)) == 0)
            s->name = s->o.operand;
    open_model(&s->u, &s->o);
    if (m) {
        s->u.data = b->all[0].u.data;
        check_images(&s->u.data, s->u.model, s->o.operand);
        check_values(&s->u.data, &s->u.desc, takes_unit(&s->u.desc));
    } else {
        open_data(&s->u, &s->o);
    }
    if (!s->u.data.labels && (given(o, "--labels") || s->u.data.classes || s->u.info.classes)) {
        find_labels(&s->u.data, "--labels", o->labels);
    } else if (!s->u.data.labels) {
        char *beside = labels_beside(s->u.data.path);
        if (beside) find_labels(&s->u.data, "--labels", "auto");
        free(beside);
    }
    b->all[0].u.data = s->u.data;
    if (s->u.info.classes) check_labels(&s->u.data, s->u.info.classes);
}

static int write_report(options *o)
{
    book b;
    memset(&b, 0, sizeof b);
    b.count = (size_t)o->model_count;
    b.all = (study *)need(b.count, sizeof *b.all);
    if (b.count > 1 && given(o, "--log"))
        die(MISUSED, "--log is of one model; with several, each log is looked for beside its "
            "model");
    for (size_t m = 0; m < b.count; m++) open_study(&b, o, m);
    for (size_t m = 0; m < b.count; m++) b.all[m].u.data = b.all[0].u.data;
    if (!is_one_file(o->data)) find_images(&b.train, o->data, 0, 0);
    for (size_t m = 0; m < b.count; m++) find_all(&b.all[m], &b.train);
    draw_book(&b);
    say("%zu figures, %.2f MB\n", (size_t)b.figures, (double)b.t.count / 1e6);
    text_save(&b.t, o->out);
    if (!is_stdout(o->out)) say("wrote %s\n", o->out);
    drop(&b.all[0].u.data);
    drop(&b.train);
    for (size_t m = 0; m < b.count; m++) drop_study(&b.all[m]);
    free(b.all);
    return 0;
}

#endif
