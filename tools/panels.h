/* ======================================================================================
 * panels.h   the figures of the page that vae report writes, section by section
 * uses: platform.h screen.h text.h statistics.h options.h command_line.h settings.h models.h
 * uses: draw.h verdicts.h solvers.h page.h study.h
 * tests: tests/test_tool_report.sh
 * ==================================================================================== */
#ifndef VAE_TOOL_PANELS_H
#define VAE_TOOL_PANELS_H
#include "platform.h"
#include "screen.h"
#include "text.h"
#include "statistics.h"
#include "options.h"
#include "command_line.h"
#include "settings.h"
#include "models.h"
#include "draw.h"
#include "verdicts.h"
#include "solvers.h"
#include "page.h"
#include "study.h"

typedef struct book {
    text t;
    study *all;
    size_t count;
    int figures;        /* numbered so far */
    dataset train;      /* without a name: not known */
} book;

/* A figure begins: its number comes with its caption. */
static void begin_figure(book *b) { text_print(&b->t, "<figure>\n"); }

/* "Figure 3. digits:" and then what the caller prints, up to end_figure. */
static void begin_caption(book *b, const study *s)
{
    text_print(&b->t, "<figcaption><b>Figure %d.</b> ", ++b->figures);
    if (s && b->count > 1) {
        page_words(&b->t, s->name);
        text_print(&b->t, ": ");
    }
}

static void end_figure(book *b) { text_print(&b->t, "</figcaption>\n</figure>\n"); }

/* What the figure of the objective is called: it does not break behind its minus. */
#define MINUS_ELBO "<span class=\"whole\">-ELBO</span>"
static const char *figure_name(const study *s) { return s->u.info.latent ? "-ELBO" : "-log p(x)"; }

/* Its name where models are side by side: -ELBO if one of them has latents. */
static const char *common_name(const book *b)
{
    size_t m = 0;
    while (m + 1 < b->count && !b->all[m].u.info.latent) m++;
    return figure_name(&b->all[m]);
}

static int has_kl(const study *s) { return s->u.info.latent && !s->u.desc.no_kl; }

/* The class of an image, or 0. */
static int class_of(const study *s, size_t image)
{
    return s->u.data.labels ? (int)s->u.data.labels[image] : 0;
}

/* ---- what was trained ---- */

/* A word of a command, quoted where a shell would not take it as it is. */
static void print_word(text *t, const char *word)
{
    const char *const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                              "._-+/,:=%@";
    if (word[0] && !word[strspn(word, plain)]) {
        page_words(t, word);
    } else if (!strpbrk(word, "\"$`\\!")) {
        text_print(t, "\"");
        page_words(t, word);
        text_print(t, "\"");
    } else {
        char *inside = joined(word, "", ""), *rest = inside, *end;
        text_print(t, "'");
        for (; (end = strchr(rest, '\'')) != NULL; rest = end + 1) {
            *end = 0;
            page_words(t, rest);
            text_print(t, "'\\''");
        }
        page_words(t, rest);
        text_print(t, "'");
        free(inside);
    }
}

/* The flags of vae train that make these settings, where they are not the default. */
static void print_command(text *t, const study *s)
{
    options set, standard;
    const flag *f;
    unsettle(&set, s->u.model, 1);
    begin_options(&standard, TRAIN);
    text_print(t, "vae train --data DATA");
    for (size_t i = 0; (f = flag_at(i)) != NULL; i++) {
        char *value, *usual;
        const char *name = f->name;
        if (!name || !(f->commands & SETTING) || !acts(&set, f)) continue;
        if (f->at == AT(warmup)) name = "--warmup-steps";
        if (f->at == AT(cycle)) name = "--cycle-steps";
        value = value_text(&set, f);
        usual = value_text(&standard, f);
        if (strcmp(value, usual) != 0 && strcmp(name, "--input") != 0) {
            text_print(t, " <span class=\"whole\">%s</span> ", name);
            print_word(t, value);
        }
        free(value);
        free(usual);
    }
    text_print(t, " <span class=\"whole\">--epochs</span> %d <span class=\"whole\">--model</span> ",
               set.desc.epochs);
    print_word(t, s->name);
    forget(&standard);
}

static void print_setting(text *t, const char *name, const char *value)
{
    text_print(t, "<tr><td>%s</td><td>", name);
    page_words(t, value);
    text_print(t, "</td></tr>\n");
}

static void panel_trained(book *b, study *s)
{
    text *t = &b->t;
    options set;
    const flag *f;
    char line[200];
    text_print(t, "<div class=\"card\"><h3>");
    page_words(t, s->name);
    text_print(t, "</h3>\n<table class=\"settings\"><tbody>\n");
    snprintf(line, sizeof line, "%llu of %d epochs, %llu steps", (ull)s->u.info.epoch,
             s->u.desc.epochs, (ull)s->u.info.step);
    print_setting(t, "trained", line);
    snprintf(line, sizeof line, "%zu in %zu tensors", s->u.info.parameters, s->u.info.tensors);
    print_setting(t, "parameters", line);
    snprintf(line, sizeof line, "%016llx", (ull)vae_params_hash(s->u.model));
    print_setting(t, "hash of them", line);
    snprintf(line, sizeof line, "%llu", (ull)s->u.desc.seed);
    print_setting(t, "seed", line);
    if (s->log_path) print_setting(t, "log", s->log_path);
    text_print(t, "</tbody></table>\n<pre>");
    print_command(t, s);
    text_print(t, "</pre>\n<details><summary>All settings</summary>\n<table class=\"settings\">"
               "<tbody>\n");
    unsettle(&set, s->u.model, 1);
    for (size_t i = 0; (f = flag_at(i)) != NULL; i++) {
        char *value;
        if (!f->name || !(f->commands & SETTING) || !acts(&set, f)) continue;
        value = value_text(&set, f);
        print_setting(t, f->name + 2, value[0] ? value : "\"\"");
        free(value);
    }
    text_print(t, "</tbody></table></details></div>\n");
}

/* ---- curves of the log ---- */

static const char *no_log(const study *s)
{
    return s->log_path ? NULL
                       : "there is no log: vae train --log FILE.csv writes one, which is looked "
                         "for beside the model";
}

/* Copies a column of the log: x the epochs, y the values; returns how many there are. */
static size_t log_column_of(const study *s, int column, double *x, double *y)
{
    size_t count = 0;
    for (size_t i = 0; i < s->log_rows; i++) {
        const double *row = s->log + i * LOG_COLUMNS;
        if (is_missing(row[column])) continue;
        x[count] = row[LOG_EPOCH], y[count++] = row[column];
    }
    return count;
}

/* The edges of a chart of two columns of all logs. In long runs the first twentieth of the epochs
 * does not count: its values would leave no room for the others. */
static int curve_edges(const book *b, int train, int test, chart *c)
{
    double low = 0, high = 0;
    int any = 0;
    c->left = 1, c->right = 2;
    for (size_t m = 0; m < b->count; m++) {
        const study *s = &b->all[m];
        for (size_t i = 0; i < s->log_rows; i++) {
            const double *row = s->log + i * LOG_COLUMNS;
            if (row[LOG_EPOCH] > c->right) c->right = row[LOG_EPOCH];
            if (i < s->log_rows / 20) continue;
            for (int k = 0; k < 2; k++) {
                const int column = k ? test : train;
                if (column < 0 || is_missing(row[column])) continue;
                if (!any || row[column] < low) low = row[column];
                if (!any || row[column] > high) high = row[column];
                any = 1;
            }
        }
    }
    if (any) chart_range(low, high, &c->bottom, &c->top);
    return any;
}

/* One chart of two columns of the logs, and its caption. */
static void draw_curves(book *b, const char *name, int train, int test, const char *how)
{
    text *t = &b->t;
    chart c = {0, 0, 0, 0, AXIS_WHOLE, "epoch", name};
    size_t most = 1, count;
    double *x, *y;
    char says[100];
    for (size_t m = 0; m < b->count; m++)
        if (b->all[m].log_rows > most) most = b->all[m].log_rows;
    if (!curve_edges(b, train, test, &c)) return;
    x = doubles(most, 1), y = doubles(most, 1);
    begin_figure(b);
    snprintf(says, sizeof says, "%s over the epochs", name);
    chart_begin(t, &c, says);
    for (size_t m = 0; m < b->count; m++)
        for (int k = 0; k < 2; k++) {
            if ((k ? test : train) < 0) continue;
            count = log_column_of(&b->all[m], k ? test : train, x, y);
            if (count) chart_line(t, &c, x, y, count, (int)m, k || test < 0 ? 0 : 1);
        }
    chart_end(t);
    text_print(t, "<ul class=\"legend\">\n");
    for (size_t m = 0; m < b->count; m++)
        for (int k = 0; k < 2; k++) {
            char more[80];
            if ((k ? test : train) < 0) continue;
            count = log_column_of(&b->all[m], k ? test : train, x, y);
            if (!count) continue;
            snprintf(more, sizeof more, "%s: %.6g", test < 0 ? "" : k ? ", test" : ", training",
                     y[count - 1]);
            legend_line(t, (int)m, k || test < 0 ? 0 : 1, b->all[m].name, more);
        }
    text_print(t, "</ul>\n");
    begin_caption(b, NULL);
    text_print(t, "%s over the epochs; the legend has the last values. <span class=\"how\">%s"
               "</span>", name, how);
    end_figure(b);
    free(x);
    free(y);
}

static void joint_curves(book *b)
{
    char name[20];
    snprintf(name, sizeof name, "%s, nats", common_name(b));
    text_print(&b->t, "<div class=\"models\">\n");
    draw_curves(b, name, LOG_TRAIN, LOG_TEST, "Training: the mean over an epoch's steps, as they "
                "ran. Test: after the epoch; where there are latents, one draw of z an image.");
    draw_curves(b, "Reconstruction, nats", LOG_TRAIN_RECON, LOG_TEST_RECON, "-log p(x|z), the "
                "distortion, of the same draws.");
    draw_curves(b, "KL, nats", LOG_TRAIN_KL, LOG_TEST_KL, "From q(z|x) to p(z), the rate, whatever "
                "its weight in the loss was.");
    draw_curves(b, "Learning rate", LOG_LR, -1, "That of the last step of each epoch.");
    text_print(&b->t, "</div>\n");
}

/* ---- samples ---- */

static const char *no_picture(const study *s)
{
    return s->shape.height ? NULL : "its images have neither one channel nor three, so they cannot "
                                    "be drawn";
}

/* Pixels of the screen for an image of these, when many stand side by side. */
static size_t sized(const study *s, size_t most)
{
    return s->shape.width > most ? s->shape.width : most;
}

static void panel_samples(book *b, study *s)
{
    const size_t dim = s->u.info.input_dim;
    const int classes = s->u.info.classes < MOST_ROWS ? s->u.info.classes : MOST_ROWS;
    text *t = &b->t;
    begin_figure(b);
    if (classes) {
        float *row = floats(SAMPLES, dim);
        text_print(t, "<div class=\"strip\">\n");
        for (int c = 0; c < classes; c++) {
            size_t n = 0;
            for (size_t i = 0; i < SAMPLES; i++)
                if (s->sample_classes[i] == c && n < 8)
                    memcpy(row + n++ * dim, s->samples + i * dim, dim * sizeof *row);
            if (!n) continue;
            text_print(t, "<div>class %d</div><div>", c);
            page_images(t, row, n, s->shape, n, sized(s, 64), "samples of one class");
            text_print(t, "</div>\n");
        }
        text_print(t, "</div>\n");
        free(row);
    } else {
        page_images(t, s->samples, SAMPLES, s->shape, 8, sized(s, 64), "samples of the model");
    }
    begin_caption(b, s);
    text_print(t, "samples of seed %llu. <span class=\"how\">", (ull)s->o.seed);
    if (!s->u.info.latent)
        text_print(t, "Drawn pixel by pixel from p(x), each given those before it.");
    else if (s->u.info.by_pixel)
        text_print(t, "z from p(z), then pixel by pixel from p(x|z).");
    else text_print(t, "z from p(z), shown as the mean of p(x|z).");
    if (s->u.info.latent && s->u.desc.no_kl)
        text_print(t, " It was trained without the KL, so its codes need not look like draws of "
                   "p(z), and these images need not look like the data: vae prior fits a prior to "
                   "the codes.");
    text_print(t, " As vae sample <span class=\"whole\">--seed %llu</span>.</span>",
               (ull)s->o.seed);
    end_figure(b);
}

/* ---- reconstructions ---- */

static const char *no_codes(const study *s)
{
    return s->u.info.latent ? NULL : "it has no latents (posterior none)";
}
static const char *no_reconstruction(const study *s)
{
    return no_codes(s) ? no_codes(s) : no_picture(s);
}

/* An image over its reconstruction, and words below. `words` is HTML. */
static void draw_pair(book *b, study *s, size_t image, const char *words)
{
    const size_t dim = s->u.info.input_dim;
    float *both = floats(2, dim);
    const vae_batch one = read_image(&s->u, image, both);
    size_t shown = 1;
    if (s->u.info.latent) {
        check(s->u.model, vae_reconstruct(s->u.model, &one, both + dim));
        shown = 2;
    }
    text_print(&b->t, "<div class=\"tile\">");
    page_images(&b->t, both, shown, s->shape, 1, sized(s, 64), "an image and its reconstruction");
    text_print(&b->t, "%s</div>\n", words);
    free(both);
}

static void panel_reconstructions(book *b, study *s)
{
    const size_t count = s->u.data.images.count;
    const size_t shown = count < EXTREMES ? count : EXTREMES;
    const double *recon = s->figures[1];
    begin_figure(b);
    text_print(&b->t, "<div class=\"tiles\">\n");
    for (size_t i = 0; i < shown; i++) {
        const size_t rank = shown > 1 ? i * (count - 1) / (shown - 1) : 0;
        const size_t image = s->by_recon[rank];
        char words[160];
        snprintf(words, sizeof words, "#%zu<br>%.1f nats<br>mse %.4f", image, recon[image],
                 s->figures[3][image]);
        draw_pair(b, s, image, words);
    }
    text_print(&b->t, "</div>\n");
    begin_caption(b, s);
    text_print(&b->t, "reconstruction of %.2f nats on average, %.2f at the best image, %.2f at the "
               "median, %.2f at the worst; mse %.5f per number. <span class=\"how\">Image above, "
               "reconstruction below, at equal steps of rank from the best of %zu images to the "
               "worst, ranked by -log p(x|z) at one draw of z; shown is the mean of p(x|z) at the "
               "mean of q(z|x).</span>", stats_mean(&s->v.recon), recon[s->by_recon[0]],
               recon[s->by_recon[count / 2]], recon[s->by_recon[count - 1]],
               stats_mean(&s->v.mse), count);
    end_figure(b);
}

/* ---- the map of codes ---- */

static const char *no_map(const study *s)
{
    if (no_codes(s)) return no_codes(s);
    return s->map ? NULL : "its codes have more numbers than are mapped, or there are too few "
                           "images";
}

/* A cloud of points of two columns, each class with its mark. */
static void draw_cloud(book *b, const study *s, const chart *c, const double *x, const double *y,
                       size_t stride, size_t count)
{
    int most = 0;
    text *t = &b->t;
    for (size_t i = 0; i < count; i++)
        if (class_of(s, i) > most) most = class_of(s, i);
    for (int k = 0; k <= most; k++) {
        int any = 0;
        for (size_t i = 0; i < count; i++) {
            if (class_of(s, i) != k) continue;
            if (!any++) chart_marks_begin(t, k);
            chart_mark(t, c, x[i * stride], y[i * stride], k);
        }
        if (any) chart_marks_end(t);
    }
}

static void draw_class_legend(book *b, const study *s, size_t count)
{
    int seen[100] = {0}, left = 0;
    if (!s->u.data.labels) return;
    for (size_t i = 0; i < count; i++) {
        if (class_of(s, i) < 100) seen[class_of(s, i)] = 1;
        else left = 1;
    }
    text_print(&b->t, "<ul class=\"legend\">\n");
    for (int k = 0; k < 100; k++) {
        char name[30];
        snprintf(name, sizeof name, "class %d", k);
        if (seen[k]) legend_mark(&b->t, k, name);
    }
    if (left) text_print(&b->t, "<li>and classes from 100 on</li>\n");
    text_print(&b->t, "</ul>\n");
}

/* The number of each class at the middle of its points; only where there are few classes. */
static void draw_class_names(book *b, const study *s, const chart *c)
{
    if (!s->u.data.labels) return;
    for (int k = 0; k < 20; k++) {
        double sums[2] = {0, 0}, n = 0;
        for (size_t i = 0; i < s->mapped; i++) {
            if (class_of(s, i) != k) continue;
            for (int j = 0; j < 2; j++) sums[j] = vae__add_d(sums[j], s->map[2 * i + (size_t)j]);
            n++;
        }
        if (n > 0)
            text_print(&b->t, "<text class=\"tag mid\" x=\"%.1f\" y=\"%.1f\">%d</text>\n",
                       chart_x(c, vae__div_d(sums[0], n)), chart_y(c, vae__div_d(sums[1], n)) + 4,
                       k);
    }
}

static void panel_map(book *b, study *s)
{
    chart c = {0, 0, 0, 0, AXIS_PLAIN, "first principal code", "second principal code"};
    double edges[4] = {0, 0, 0, 0};
    text *t = &b->t;
    for (size_t i = 0; i < 2 * s->mapped; i++) {
        if (s->map[i] < edges[i % 2]) edges[i % 2] = s->map[i];
        if (s->map[i] > edges[2 + i % 2]) edges[2 + i % 2] = s->map[i];
    }
    chart_range(edges[0], edges[2], &c.left, &c.right);
    chart_range(edges[1], edges[3], &c.bottom, &c.top);
    begin_figure(b);
    chart_begin(t, &c, "the first two principal codes of the images");
    draw_cloud(b, s, &c, s->map, s->map + 1, 2, s->mapped);
    draw_class_names(b, s, &c);
    chart_end(t);
    draw_class_legend(b, s, s->mapped);
    begin_caption(b, s);
    if (s->v.levels > 0)
        text_print(t, "%.0f of %.0f codes occur, perplexity %.1f. ", s->v.used, s->v.levels,
                   s->v.perplexity);
    text_print(t, "codes of %zu images; these two directions hold %.1f %% of the variance. <span "
               "class=\"how\">Means of q(z|x), or probabilities of categories, minus their mean, "
               "projected on the two eigenvectors of their covariance with the largest eigenvalues."
               "%s</span>", s->mapped, 100 * s->map_share,
               s->u.data.labels ? " A number stands at the middle of its class." : "");
    end_figure(b);
}

/* ---- traversals ---- */

/* Latents of the code by KL, or where there is none by variance, most first: out (latents). */
static void latents_by_use(const study *s, size_t *out)
{
    const size_t latent = s->u.info.latent;
    const double *by = s->v.unit_kl ? s->v.unit_kl : s->v.variance;
    double *negative = doubles(latent, 1);
    size_t *order;
    for (size_t j = 0; j < latent && by; j++) negative[j] = -by[j];
    order = rank_images(negative, latent);
    memcpy(out, order, latent * sizeof *out);
    free(order);
    free(negative);
}

/* Where latent j goes: from low to high, the others at `base` (code). Around 0 where the prior is
 * N(0, I), otherwise around the mean of the codes. */
static void traversal_range(const study *s, const double *mean, const double *variance, size_t j,
                            double *low, double *high)
{
    const int standard = has_kl(s) && strcmp(s->u.desc.prior, "normal") == 0;
    const double wide = vae__mul_d(2, root(variance[j]));
    *low = has_levels(&s->u) ? -1 : standard ? -3 : vae__add_d(mean[j], -wide);
    *high = has_levels(&s->u) ? 1 : standard ? 3 : vae__add_d(mean[j], wide);
}

/* One latent's row: its images, and returns how far it goes. */
static void draw_traversal(book *b, study *s, size_t j, const float *base, double low, double high)
{
    const size_t code = s->u.info.code, block = code / s->u.info.latent, dim = s->u.info.input_dim;
    const size_t steps = block > 1 ? (block < 16 ? block : 16) : 9;
    float *z = floats(steps, code), *x = floats(steps, dim);
    uint32_t *same = (uint32_t *)need(steps, sizeof *same); /* one draw's noise for all */
    int32_t label = 0;
    vae_batch rows = {0};
    char range[60] = "";
    for (size_t i = 0; i < steps; i++) {
        memcpy(z + i * code, base, code * sizeof *z);
        if (block == 1)
            z[i * code + j] = (float)between_edges((double)i, 0, (double)(steps - 1), low, high);
        for (size_t k = 0; block > 1 && k < block; k++) z[i * code + j * block + k] = k == i;
    }
    rows.x = z, rows.rows = steps, rows.index = same;
    if (s->u.info.classes) rows.labels = &label, rows.label_count = 1;
    check(s->u.model, s->u.info.by_pixel ? vae_draw(s->u.model, &rows, s->o.seed, x)
                                         : vae_decode(s->u.model, &rows, x));
    if (block == 1) snprintf(range, sizeof range, "%.3g to %.3g", low, high);
    else snprintf(range, sizeof range, "%zu categories", steps);
    text_print(&b->t, "<div>z%zu", j);
    if (s->v.unit_kl) text_print(&b->t, " &middot; %.2f nats", s->v.unit_kl[j]);
    text_print(&b->t, " <br>%s</div><div>", range);
    page_images(&b->t, x, steps, s->shape, steps, sized(s, 64), "one latent changes");
    text_print(&b->t, "</div>\n");
    free(z);
    free(x);
    free(same);
}

static void panel_traversals(book *b, study *s)
{
    const size_t latent = s->u.info.latent, code = s->u.info.code, block = code / latent;
    const size_t shown = latent < MOST_ROWS ? latent : MOST_ROWS;
    const int standard = has_kl(s) && strcmp(s->u.desc.prior, "normal") == 0;
    double *mean = doubles(code, 1), *variance = doubles(code, 1), low = 0, high = 0;
    float *base = floats(code, 1);
    size_t *order = (size_t *)need(latent, sizeof *order);
    latents_by_use(s, order);
    code_moments(s, mean, variance);
    if (block > 1) stand_at(&s->u, &s->o, NULL, block, base);
    for (size_t j = 0; j < code && block == 1 && !standard; j++) base[j] = (float)mean[j];
    begin_figure(b);
    text_print(&b->t, "<div class=\"strip\">\n");
    for (size_t i = 0; i < shown; i++) {
        if (block == 1) traversal_range(s, mean, variance, order[i], &low, &high);
        draw_traversal(b, s, order[i], base, low, high);
    }
    text_print(&b->t, "</div>\n");
    begin_caption(b, s);
    text_print(&b->t, "what each of %zu of %zu latents changes, those with the %s first. <span "
               "class=\"how\">In a row one latent goes through its range, %s.%s%s</span>", shown,
               latent, s->v.unit_kl ? "most KL" : "largest variance",
               block > 1 ? "all of its categories, the others those of a draw"
               : standard ? "the others are 0" : "the others are at the mean of the codes",
               s->u.info.classes ? " All are of class 0." : "",
               s->u.info.by_pixel ? " Pixels are drawn, with the same noise for all." : "");
    end_figure(b);
    free(mean);
    free(variance);
    free(base);
    free(order);
}

/* ---- latents ---- */

static const char *no_units(const study *s)
{
    if (no_codes(s)) return no_codes(s);
    return s->v.unit_kl || s->v.variance ? NULL : "its posterior and prior have no KL of a latent "
                                                  "and no variance of a mean";
}

/* Bars of one figure of the latents of a layer, most first; active ones are filled. */
static void draw_unit_bars(book *b, const study *s, const double *values, const double *variance,
                           const size_t *order, size_t shown, const char *name)
{
    chart c = {0, (double)shown, 0, 1e-9, AXIS_BARE, "latents, most used first", name};
    const double width = (double)(CHART_RIGHT - CHART_LEFT) / (double)shown;
    text *t = &b->t;
    (void)s;
    for (size_t i = 0; i < shown; i++)
        if (values[order[i]] * 1.05 > c.top) c.top = vae__mul_d(values[order[i]], 1.05);
    chart_begin(t, &c, name);
    for (size_t i = 0; i < shown; i++) {
        const size_t j = order[i];
        const double y = chart_y(&c, values[j] > 0 ? values[j] : 0);
        const int active = !variance || variance[j] > 0.01;
        text_print(t, "<path class=\"%s\" d=\"M%.1f %dV%.1fh%.1fV%dz\"><title>z%zu: %.3f%s"
                   "</title></path>\n", active ? "bars" : "idle",
                   CHART_LEFT + width * (double)i + 0.12 * width, CHART_BOTTOM, y, 0.76 * width,
                   CHART_BOTTOM, j, values[j], active ? "" : ", not active");
        if (width > 11)
            text_print(t, "<text class=\"mid\" x=\"%.1f\" y=\"%d\">%zu</text>\n",
                       CHART_LEFT + width * ((double)i + 0.5), CHART_BOTTOM + 15, j);
    }
    chart_end(t);
}

static void panel_units(book *b, study *s)
{
    for (int l = 0; l < s->u.info.layers; l++) {
        size_t from, active = active_units(&s->u, &s->v, l, &from), *order;
        const size_t latents = s->u.info.layer[l].latents;
        const size_t shown = latents < 64 ? latents : 64;
        const double *kl = s->v.unit_kl ? s->v.unit_kl + from : NULL;
        const double *variance = s->v.variance ? s->v.variance + from : NULL;
        const double *values = kl ? kl : variance;
        double *negative = doubles(latents, 1), sum = 0;
        for (size_t j = 0; j < latents; j++) {
            negative[j] = -values[j];
            if (kl) sum = vae__add_d(sum, kl[j]);
        }
        order = rank_images(negative, latents);
        begin_figure(b);
        draw_unit_bars(b, s, values, variance, order, shown, kl ? "KL, nats" : "variance of mu");
        begin_caption(b, s);
        if (l) text_print(&b->t, "layer z %zu, number %d from the pixels: ", latents, l);
        if (variance) text_print(&b->t, "%zu of %zu latents are active. ", active, latents);
        if (kl) text_print(&b->t, "Their KL is %.3f nats in all. ", sum);
        if (shown < latents) text_print(&b->t, "The first %zu are drawn. ", shown);
        text_print(&b->t, "<span class=\"how\">%s%s As vae eval.</span>",
                   kl ? "The mean over the images of each latent's KL." : "The variance over the "
                        "images of each latent's mean.",
                   variance ? " Filled: active, the variance of mu is above 0.01 (Burda et al. "
                              "2016); outlined: not active." : "");
        end_figure(b);
        free(order);
        free(negative);
    }
}

/* ---- rate and distortion ---- */

/* All models in one chart. */
static void draw_rates(book *b)
{
    chart c = {0, 0, 0, 0, AXIS_PLAIN, "rate: KL, nats", "distortion: recon, nats"};
    double low[2] = {0, 0}, high[2] = {0, 0};
    int any = 0;
    text *t = &b->t;
    for (size_t m = 0; m < b->count; m++) {
        const vae_stats *v = &b->all[m].v.stats;
        if (!b->all[m].u.info.latent) continue;
        for (int k = 0; k < 2; k++) {
            const double at = k ? v->recon : v->kl;
            if (!any || at < low[k]) low[k] = at;
            if (!any || at > high[k]) high[k] = at;
        }
        any = 1;
    }
    chart_range(0, high[0] * 1.25, &c.left, &c.right);
    chart_range(low[1] > 0 ? 0 : low[1] * 1.1, high[1] > 0 ? high[1] * 1.1 : 0, &c.bottom, &c.top);
    begin_figure(b);
    chart_begin(t, &c, "rate and distortion of the models");
    for (size_t m = 0; m < b->count; m++) { /* all that have the same -ELBO */
        const double sum = -b->all[m].v.stats.elbo;
        double x[2], y[2];
        if (!b->all[m].u.info.latent) continue;
        x[0] = vae__add_d(sum, -c.top) > c.left ? vae__add_d(sum, -c.top) : c.left;
        x[1] = vae__add_d(sum, -c.bottom) < c.right ? vae__add_d(sum, -c.bottom) : c.right;
        y[0] = vae__add_d(sum, -x[0]), y[1] = vae__add_d(sum, -x[1]);
        text_print(t, "<path class=\"iso\" d=\"M%.1f %.1fL%.1f %.1f\"/>\n", chart_x(&c, x[0]),
                   chart_y(&c, y[0]), chart_x(&c, x[1]), chart_y(&c, y[1]));
    }
    for (size_t m = 0; m < b->count; m++) {
        const vae_stats *v = &b->all[m].v.stats;
        char words[60];
        if (!b->all[m].u.info.latent) continue;
        chart_marks_begin(t, (int)m);
        chart_mark(t, &c, v->kl, v->recon, (int)m);
        chart_marks_end(t);
        snprintf(words, sizeof words, "%.1f", -v->elbo);
        chart_words(t, &c, v->kl, v->recon, words);
    }
    chart_end(t);
    text_print(t, "<ul class=\"legend\">\n");
    for (size_t m = 0; m < b->count; m++)
        if (b->all[m].u.info.latent) legend_mark(t, (int)m, b->all[m].name);
    text_print(t, "</ul>\n");
    begin_caption(b, NULL);
    text_print(t, "a code of so many nats, and the nats that the image costs given the code. <span "
               "class=\"how\">Means of vae_score over the images, one draw of z each. On a dotted "
               "line " MINUS_ELBO " = rate + distortion is that of a model; further down and to "
               "the left is better.</span>");
    end_figure(b);
}

static void joint_rate(book *b)
{
    text *t = &b->t;
    text_print(t, "<div class=\"models\">\n");
    if (b->count > 1) draw_rates(b);
    for (size_t m = 0; m < b->count; m++) {
        study *s = &b->all[m];
        const size_t shown = s->u.data.images.count < MAPPED ? s->u.data.images.count : MAPPED;
        chart cloud = {0, 0, 0, 0, AXIS_PLAIN, "KL of the image, nats", "recon of the image, nats"};
        double least[2], most[2];
        if (!s->u.info.latent) continue;
        for (int k = 0; k < 2; k++) {
            const double *values = s->figures[k ? 1 : 2];
            least[k] = most[k] = values[0];
            for (size_t i = 1; i < shown; i++) {
                if (values[i] < least[k]) least[k] = values[i];
                if (values[i] > most[k]) most[k] = values[i];
            }
        }
        chart_range(least[0], most[0], &cloud.left, &cloud.right);
        chart_range(least[1], most[1], &cloud.bottom, &cloud.top);
        begin_figure(b);
        chart_begin(t, &cloud, "rate and distortion of the images");
        draw_cloud(b, s, &cloud, s->figures[2], s->figures[1], 1, shown);
        text_print(t, "<path class=\"mean\" d=\"M%.1f %.1fm-9 0h18m-9-9v18\"/>\n",
                   chart_x(&cloud, s->v.stats.kl), chart_y(&cloud, s->v.stats.recon));
        chart_end(t);
        draw_class_legend(b, s, shown);
        begin_caption(b, s);
        text_print(t, "rate %.2f and distortion %.2f on average. <span class=\"how\">Each mark is "
                   "one of the first %zu images; the cross is the mean over all. The sum of the "
                   "two is " MINUS_ELBO ".</span>", s->v.stats.kl, s->v.stats.recon, shown);
        end_figure(b);
    }
    text_print(t, "</div>\n");
}

/* ---- bounds ---- */

static const char *no_bounds(const study *s) { return s->no_bound; }

static void panel_bounds(book *b, study *s)
{
    const verdict *v = &s->v;
    const size_t n = v->bound_count;
    double x[MOST_BOUNDS] = {0}, y[MOST_BOUNDS] = {0}, low = 0, high = 0;
    chart c = {1, 2, 0, 0, AXIS_LOG, "importance weights", "-bound, nats"};
    text *t = &b->t;
    for (size_t i = 0; i < n; i++) {
        x[i] = (double)v->draws[i], y[i] = -stats_mean(&v->bounds[i]);
        if (i == 0 || y[i] < low) low = y[i];
        if (i == 0 || y[i] > high) high = y[i];
        if (x[i] > c.right) c.right = x[i];
    }
    c.right = vae__mul_d(c.right, 1.6);
    chart_range(low, high, &c.bottom, &c.top);
    begin_figure(b);
    chart_begin(t, &c, "bounds by the number of importance weights");
    chart_line(t, &c, x, y, n, 0, 0);
    chart_marks_begin(t, 0);
    for (size_t i = 0; i < n; i++) chart_mark(t, &c, x[i], y[i], 0);
    chart_marks_end(t);
    for (size_t i = 0; i < n; i++) {
        char words[40];
        snprintf(words, sizeof words, "%.2f", y[i]);
        chart_words(t, &c, x[i], y[i], words);
    }
    chart_end(t);
    begin_caption(b, s);
    text_print(t, "-log p(x) is at most ");
    for (size_t i = 0; i < n; i++) {
        text_print(t, "%s%.3f", i ? ", " : "", y[i]);
        if (error_of(&v->bounds[i]) >= 0) text_print(t, " &plusmn; %.3f", error_of(&v->bounds[i]));
        text_print(t, " (%d)", v->draws[i]);
    }
    text_print(t, " nats, %.4f bits per dimension at the last. <span class=\"how\">The mean over "
               "the first %zu images of -log 1/k sum p(x,z)/q(z|x) over k draws of z (Burda et al. "
               "2016); k in brackets, behind &plusmn; the standard error over the images. As vae "
               "eval <span class=\"whole\">--samples %s</span>.</span>",
               bits_per_dim(&s->u.desc, &s->u.info, y[n - 1]), s->bound_images, s->o.draws);
    end_figure(b);
}

/* ---- memory ---- */

static const char *no_neighbours(const study *s)
{
    if (!s->nearest) return "the training images are not known: --data is one file";
    return no_picture(s);
}

static void panel_neighbours(book *b, study *s)
{
    const size_t dim = s->u.info.input_dim;
    const double expected = 0.5 * SAMPLES, error = 0.5 * root(SAMPLES);
    float *both = floats(2, dim);
    text *t = &b->t;
    begin_figure(b);
    text_print(t, "<div class=\"tiles\">\n");
    for (size_t i = 0; i < NEAREST; i++) {
        memcpy(both, s->samples + i * dim, dim * sizeof *both);
        vae_data_read(&b->train.images, s->nearest[i].index[0], 1, both + dim);
        text_print(t, "<div class=\"tile\">");
        page_images(t, both, 2, s->shape, 1, sized(s, 64), "a sample and its nearest image");
        text_print(t, "#%zu<br>%.2f</div>\n", s->nearest[i].index[0],
                   root(s->nearest[i].square[0]));
    }
    text_print(t, "</div>\n");
    begin_caption(b, s);
    if (s->compared)
        text_print(t, "%zu of %d samples are nearer to a training image than to any image of the "
                   "data, among the first %zu of each; of a model that does not memorise %.0f "
                   "&plusmn; %.0f would be. ", s->nearer, SAMPLES, s->compared, expected, error);
    text_print(t, "Median distance to the nearest of %zu training images: %.2f of a sample",
               b->train.images.count, s->near_median[0]);
    if (s->compared) text_print(t, ", %.2f of an image of the data", s->near_median[1]);
    text_print(t, ". <span class=\"how\">Sample above, the training image nearest to it below, "
               "with its number and distance: Euclidean, over all numbers of the image. Means are "
               "smoother than images, which brings samples nearer to everything.</span>");
    end_figure(b);
    free(both);
}

/* ---- strange images ---- */

static void panel_strange(book *b, study *s)
{
    const size_t count = s->u.data.images.count;
    const size_t shown = count < EXTREMES ? count : EXTREMES;
    size_t *order = rank_images(s->figures[0], count);
    char name[20];
    if (s->shape.height) {
        begin_figure(b);
        text_print(&b->t, "<div class=\"tiles\">\n");
        for (size_t i = 0; i < shown; i++) {
            const size_t image = order[count - 1 - i];
            char words[120], label[40] = "";
            if (s->u.data.labels)
                snprintf(label, sizeof label, "<br>class %d", class_of(s, image));
            snprintf(words, sizeof words, "#%zu%s<br>%.1f", image, label, s->figures[0][image]);
            draw_pair(b, s, image, words);
        }
        text_print(&b->t, "</div>\n");
        begin_caption(b, s);
        text_print(&b->t, "the strangest is image %zu with %.2f nats; the mean is %.2f. <span "
                   "class=\"how\">The images with the largest <span class=\"whole\">%s</span>%s. "
                   "As vae score.</span>", order[count - 1], s->figures[0][order[count - 1]],
                   -s->v.stats.elbo, figure_name(s),
                   s->u.info.latent ? ", each over its reconstruction" : "");
        end_figure(b);
    }
    begin_figure(b);
    snprintf(name, sizeof name, "%s, nats", figure_name(s));
    chart_histogram(&b->t, s->figures[0], count, name, "number of images at each score");
    begin_caption(b, s);
    text_print(&b->t, "%s from %.2f to %.2f, median %.2f. <span class=\"how\">All %zu images%s."
               "</span>", figure_name(s), s->figures[0][order[0]], s->figures[0][order[count - 1]],
               s->figures[0][order[count / 2]], count,
               s->u.info.latent ? ", one draw of z each" : "");
    end_figure(b);
    free(order);
}

#endif
