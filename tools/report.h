/* ======================================================================================
 * report.h   figures in words and in JSON, which train and eval share
 * uses: platform.h screen.h text.h targets.h json.h options.h command_line.h settings.h models.h
 * tests: tests/test_tool.sh, tests/test_tool_runs.sh
 * ==================================================================================== */
#ifndef VAE_TOOL_REPORT_H
#define VAE_TOOL_REPORT_H
#include "platform.h"
#include "screen.h"
#include "text.h"
#include "targets.h"
#include "json.h"
#include "options.h"
#include "command_line.h"
#include "settings.h"
#include "models.h"

static double per_second(uint64_t count, double seconds)
{
    return (double)count / (seconds > 1e-9 ? seconds : 1e-9);
}

static void duration_text(char *out, size_t size, double seconds)
{
    unsigned long s = seconds < 1e9 ? (unsigned long)seconds : 1000000000ul;
    if (s < 60) snprintf(out, size, seconds < 10 ? "%.1f s" : "%.0f s", seconds);
    else if (s < 3600) snprintf(out, size, "%lu:%02lu min", s / 60, s % 60);
    else snprintf(out, size, "%lu:%02lu h", s / 3600, s / 60 % 60);
}

enum { SHOWS_BOUND = 1, SHOWS_LOSS = 2 };

/* Which figures tell more than -ELBO: the bound that is maximised, and the loss where it is neither
 * of the two. */
static int shows(const vae_desc *d)
{
    const int bound = d->objective != VAE_OBJECTIVE_ELBO;
    const int other = d->sparse > 0 || d->contract > 0 || d->no_kl || d->no_recon
                      || d->free_bits > 0 || d->warmup_steps || d->beta < 1 || d->beta > 1;
    return (bound ? SHOWS_BOUND : 0) | (other ? SHOWS_LOSS : 0);
}

/* "-ELBO 103.21  recon 81.00  KL 22.21" and what else is to be shown. */
static void stats_text(char *out, size_t size, const vae_stats *s, int what, int digits)
{
    char bound[60] = "", loss[60] = "";
    if (what & SHOWS_BOUND) snprintf(bound, sizeof bound, "  -bound %.*f", digits, -s->bound);
    if (what & SHOWS_LOSS) snprintf(loss, sizeof loss, "  loss %.*f", digits, s->loss);
    snprintf(out, size, "-ELBO %.*f  recon %.*f  KL %.*f%s%s", digits, -s->elbo, digits, s->recon,
             digits, s->kl, bound, loss);
}

/* The nets and the likelihood; posterior and prior where they are not the default. */
static void print_network(const vae_desc *d)
{
    const char *end = d->decoder[0] ? " > " : "";
    if (strcmp(d->posterior, "none") == 0)
        say("network      %s%s%s, %s", d->decoder, end, d->input, d->likelihood);
    else
        say("network      %s > %s%s%d latents > %s%s%s, %s", d->input, d->encoder,
            d->encoder[0] ? " > " : "", d->latent, d->decoder, end, d->input, d->likelihood);
    if (strcmp(d->posterior, "normal") != 0) say(", posterior %s", d->posterior);
    if (strcmp(d->prior, "normal") != 0) say(", prior %s", d->prior);
    say("\n");
}

/* The settings of the objective that are not the default's, as they would be typed. */
static void print_objective(const vae *model, double steps_per_epoch)
{
    options set, standard;
    const flag *f;
    int within = 0, any = 0;
    unsettle(&set, model, steps_per_epoch);
    begin_options(&standard, TRAIN);
    for (size_t i = 0; (f = flag_at(i)) != NULL; i++) {
        char *value, *usual;
        if (f->commands & TRAIN && !f->name) within = strncmp(f->help, "Objective", 9) == 0;
        if (!within || !f->name || !(f->commands & SETTING) || !acts(&set, f)) continue;
        value = value_text(&set, f);
        usual = value_text(&standard, f);
        if (strcmp(value, usual) != 0) say("%s %s %s", any++ ? "" : "objective   ", f->name, value);
        free(value);
        free(usual);
    }
    if (any) say("\n");
}

static void print_heads(int what)
{
    const int all = what == (SHOWS_BOUND | SHOWS_LOSS); /* 80 columns have room for no more */
    say("\n                  -ELBO      recon         KL%s%s   nats%s\n",
        what & SHOWS_BOUND ? "     -bound" : "", what & SHOWS_LOSS ? "       loss" : "",
        all ? "" : " per image");
}

/* Testing has no bound: a draw for each image. */
static void print_stats(const char *name, const vae_stats *s, int what, int has_bound)
{
    say("%-12s %10.3f %10.3f %10.3f", name, -s->elbo, s->recon, s->kl);
    if (what & SHOWS_BOUND && has_bound) say(" %10.3f", -s->bound);
    else if (what & SHOWS_LOSS && what & SHOWS_BOUND) say(" %10s", "");
    if (what & SHOWS_LOSS) say(" %10.3f", s->loss);
    say("\n");
}

/* A density of numbers from 0 to 1, not of levels. */
static int is_density(const vae_desc *d)
{
    return !is_likelihood(d, "bernoulli|logistic|logistic_pixel|logistic_mixture|categorical");
}

static double bits_per_dim(const vae_desc *d, const vae_info *i, double nats)
{
    return nats / ((double)i->input_dim * 0.69314718055994531) + 8 * is_density(d);
}

/* For how many images of a set, or of its beginning, the log variance of each latent is at its
 * limit: counts (latent). Returns how many images these were. */
static size_t count_clamped(vae *model, const vae_data *data, uint64_t *counts)
{
    vae_data some = *data;
    if (some.count > 10000) some.count = some.dims[0] = 10000;
    check(model, vae_units_clamped(model, &some, counts));
    return some.count;
}

static void print_clamped(const uint64_t *counts, size_t latent, size_t images)
{
    size_t shown = 0, all = 0;
    for (size_t j = 0; j < latent; j++) {
        if (!counts[j] || ++all > 20) continue;
        say("%s %zu", shown++ ? "," : "at limit     log variance without a gradient: latent", j);
        if (counts[j] < images) say(" (%llu of %zu images)", (ull)counts[j], images);
    }
    if (all > shown) say(" and %zu more", all - shown);
    if (all) say("\n");
}

/* A bound of more than one draw is known of training only. layers: how many stochastic ones there
 * are; the KL of each is written where there are several. */
static void json_stats(text *t, const char *name, const vae_stats *stats, int has_bound, int layers)
{
    text_print(t, "  \"%s\": ", name);
    if (!stats) {
        text_print(t, "null,\n");
        return;
    }
    text_print(t, "{\"images\": %llu, ", (ull)stats->images);
    json_number(t, "elbo", stats->elbo, ", ");
    json_number(t, "recon", stats->recon, ", ");
    json_number(t, "kl", stats->kl, ", ");
    for (int i = 0; i < layers && layers > 1; i++)
        text_print(t, "%s%.9g%s", i ? ", " : "\"kl_of_layers\": [", stats->layer_kl[i],
                   i + 1 < layers ? "" : "], ");
    if (has_bound) json_number(t, "bound", stats->bound, ", ");
    json_number(t, "loss", stats->loss, "},\n");
}

/* The one object that train and eval write; figures that are not known are null. `more` are lines
 * that only one of them has. */
static void save_json(const char *path, const char *name, const char *file, vae *model,
                      double seconds, double speed, const vae_stats *train_stats,
                      const vae_stats *test_stats, text *more)
{
    text t = {NULL, 0, 0};
    vae_info at;
    vae_desc d;
    vae_get_info(model, &at);
    vae_get_desc(model, &d);
    text_print(&t, "{\n  \"command\": \"%s\",\n  \"version\": \"%s\",\n  ", name,
               VAE_VERSION_TEXT);
    json_string(&t, "model", file, ",\n");
    text_print(&t, "  \"epochs\": %llu,\n  \"steps\": %llu,\n  ", (ull)at.epoch, (ull)at.step);
    json_number(&t, "seconds", seconds, ",\n  ");
    json_error(&t, "images_per_second", speed, ",\n");
    json_stats(&t, "train", train_stats, 1, at.layers);
    json_stats(&t, "test", test_stats, 0, at.layers);
    if (more->count) memcpy(text_grow(&t, more->count), more->at, more->count);
    free(more->at);
    text_print(&t, "  \"parameters\": %zu,\n  \"params_hash\": \"%016llx\",\n", at.parameters,
               (ull)vae_params_hash(model));
    text_print(&t, "  \"isa\": \"%s\",\n  \"threads\": %d,\n  \"seed\": %llu\n}\n",
               isa_name(at.isa), d.threads, (ull)d.seed);
    text_save(&t, path);
}

#endif
