/* ======================================================================================
 * progress.h   a run of training as it goes: the live line, the log, checkpoints
 * uses: platform.h screen.h text.h targets.h options.h images.h report.h curve.h
 * tests: tests/test_tool_runs.sh, tests/test_kill.sh
 * ==================================================================================== */
#ifndef VAE_TOOL_PROGRESS_H
#define VAE_TOOL_PROGRESS_H
#include "platform.h"
#include "screen.h"
#include "text.h"
#include "targets.h"
#include "options.h"
#include "images.h"
#include "report.h"
#include "curve.h"

typedef struct run {
    const options *o;
    vae_stats train, test;      /* of the last epoch; test: of what is held out, if anything is */
    vae_stats end;              /* of the test images at the end, where others are held out */
    int has_train, has_test, has_end;
    int held;                   /* 1: images are held out */
    int shows;                  /* SHOWS_...: figures beside -ELBO, recon and KL */
    uint64_t images;            /* trained on by this program, not by the one before --resume */
    uint64_t epochs;            /* finished by it */
    double begun, mark;         /* when it began; when the library last went back to work */
    double busy;                /* seconds in steps of training: no tests, no files */
    double epoch_busy;
    uint64_t epoch_images;
    double drawn;               /* when the live line was */
    int testing;                /* 1: the steps of an epoch are done, its test is next */
    text log;                   /* all of --log */
    double log_seconds;         /* in steps, before this program began */
    double rate;                /* learning rate of the last step */
    uint64_t saved_step;        /* of the file; UINT64_MAX: none written yet */
    curve curve;                /* of -ELBO on a terminal: of tests where there are any */
    vae_report trouble;         /* of a checkpoint that could not be written */
} run;

static const char *curve_name(const run *r)
{
    return !r->has_test ? "training -ELBO" : r->held ? "held-out -ELBO" : "test -ELBO";
}

static void draw_progress(run *r, const vae_progress *p)
{
    char all[160], figures[240], line[600], bar[33], left[32];
    double rest = (double)p->total * (double)(p->epochs - p->epoch) - (double)p->images;
    double extra = r->epochs ? (now() - r->begun - r->busy) / (double)r->epochs : 0;
    size_t room, length, full;
    duration_text(left, sizeof left, r->busy / (double)r->images * rest
                                     + extra * (double)(p->epochs - p->epoch));
    stats_text(all, sizeof all, &p->train, r->shows, 1);
    snprintf(figures, sizeof figures, " %s  %.0f images/s  %s left", all,
             per_second(r->epoch_images, r->epoch_busy), left);
    length = (size_t)snprintf(line, sizeof line, "epoch %llu/%llu ",
                              (ull)p->epoch + 1, (ull)p->epochs);
    full = length + strlen(figures) + 3;
    room = screen_width() > full ? screen_width() - full : 0;
    if (room > 30) room = 30;
    full = (size_t)((double)room * (double)p->images / (double)p->total);
    memset(bar, '#', full);
    memset(bar + full, '.', room - full);
    bar[room] = '\0';
    curve_follow(&r->curve, curve_name(r));
    snprintf(line + length, sizeof line - length, room < 4 ? "%.0s%s" : "[%s]%s", bar, figures);
    screen_line(line, 0);
}

static void draw_epoch(run *r, const vae_progress *p)
{
    char line[700], all[200], test[80] = "", loss[60] = "", took[32];
    int wide = snprintf(line, sizeof line, "%llu", (ull)p->epochs);
    if (p->has_test)
        snprintf(test, sizeof test, "  %s -ELBO %.2f", r->held ? "held-out" : "test",
                 -p->test.elbo);
    if (p->has_test && r->shows & SHOWS_LOSS)
        snprintf(loss, sizeof loss, " loss %.2f", p->test.loss);
    duration_text(took, sizeof took, r->epoch_busy);
    stats_text(all, sizeof all, &p->train, r->shows, 2);
    wide = snprintf(line, sizeof line, "epoch %*llu/%llu  %s%s%s", wide, (ull)p->epoch + 1,
                    (ull)p->epochs, all, test, loss);
    if (r->epoch_images) { /* none: the run before had done all of its steps */
        int full = wide + snprintf(line + wide, sizeof line - (size_t)wide, "  %.0f images/s  %s",
                                   per_second(r->epoch_images, r->epoch_busy), took);
        if (screen.terminal && (size_t)full > screen_width()) line[wide] = '\0';
    }
    if (!shows_curves()) {
        screen_line(line, 1);
        return;
    }
    curve_add(&r->curve, p->has_test ? -p->test.elbo : -p->train.elbo);
    curve_show(&r->curve, line, curve_name(r));
}

static int save_model(run *r, vae *model, int flags_of_save)
{
    vae_info at;
    vae_get_info(model, &at);
    if (vae_claim_save_model(claim_of(r->o->model), model, flags_of_save) != VAE_OK) {
        r->trouble = *vae_last_report(model);
        return 0;
    }
    r->saved_step = at.step;
    return 1;
}

static const char log_head[] = "epoch,step,seconds,lr,train_neg_elbo,train_recon,train_kl,"
                               "train_loss,train_bound,test_neg_elbo,test_recon,test_kl,test_loss,"
                               "best_epoch\n";
enum { LOG_COLUMNS = 14 };

/* Reads one row: its epoch and seconds. 0 if it is none. */
static int log_row(const char *line, size_t size, uint64_t *epoch, double *seconds)
{
    char copy[400], field[40];
    const char *rest = copy;
    int columns = 0, good = size < sizeof copy;
    if (!good) return 0;
    memcpy(copy, line, size);
    copy[size] = '\0';
    for (; next_piece(&rest, ',', field, sizeof field); columns++) {
        if (columns == 0) good = good && read_whole(field, epoch);
        if (columns == 2) good = good && read_real(field, seconds);
    }
    return good && columns == LOG_COLUMNS;
}

/* The bytes of the file of --log, nothing if it is not there; not ours to replace if it is
 * something else. */
static text read_log(const char *path)
{
    text all = {NULL, 0, 0};
    char error[IMAGES_ERROR];
    if (kind_of(path) == NOTHING) return all;
    all.at = (char *)images_read(path, &all.count, error);
    if (!all.at) die(FAILED, "--log %s", error);
    all.room = all.count;
    if (all.count && (all.count < 11 || memcmp(all.at, log_head, 11) != 0))
        die(FAILED, "%s is not a log of vae train; it would be overwritten", path);
    return all;
}

static int save_log(run *r)
{
    return vae_claim_save(claim_of(r->o->log), r->log.at, r->log.count, &r->trouble) == VAE_OK;
}

/* Begins the log. On --resume `old`, the bytes that were there, are kept up to the model's epoch;
 * later rows, of which a checkpoint was never written, are dropped. Frees them. */
static void begin_log(run *r, text *old, uint64_t epochs, int resumed)
{
    const char *path = r->o->log;
    const size_t head = sizeof log_head - 1;
    uint64_t epoch = 0;
    size_t at = resumed ? head : old->count;
    text_print(&r->log, "%s", log_head);
    if (resumed && old->count && (old->count < head || memcmp(old->at, log_head, head) != 0))
        die(FAILED, "%s has other columns than this log of vae train; name another file", path);
    while (at < old->count) {
        const char *line = old->at + at;
        const char *end = (const char *)memchr(line, '\n', old->count - at);
        size_t size = end ? (size_t)(end - line) : 0;
        uint64_t next = 0;
        double seconds = 0;
        if (!end) break; /* cut short by a kill */
        if (!log_row(line, size, &next, &seconds) || (epoch && next != epoch + 1))
            die(FAILED, "%s: '%.*s' is not the row that belongs behind epoch %llu", path,
                size < 60 ? (int)size : 60, line, (ull)epoch);
        if (next > epochs) break;
        epoch = next, r->log_seconds = seconds;
        memcpy(text_grow(&r->log, size + 1), line, size + 1);
        at += size + 1;
    }
    if (resumed && epoch < epochs)
        say("log          %s lacks epochs %llu to %llu, which were made without it\n\n", path,
            (ull)epoch + 1, (ull)epochs);
    free(old->at);
    if (!save_log(r)) die(FAILED, "%s", r->trouble.text);
}

/* One row, on the disk before the checkpoint of its epoch is: what a kill leaves is then a row too
 * many, never one too few. */
static int write_log(run *r, vae *model, const vae_progress *p)
{
    vae_info at;
    vae_get_info(model, &at);
    text_print(&r->log, "%llu,%llu,%.3f,%.9g,%.9g,%.9g,%.9g,%.9g,%.9g,", (ull)p->epoch + 1,
               (ull)at.step, r->log_seconds + r->busy, r->rate, -p->train.elbo,
               p->train.recon, p->train.kl, p->train.loss, p->train.bound);
    if (p->has_test)
        text_print(&r->log, "%.9g,%.9g,%.9g,%.9g,%llu\n", -p->test.elbo, p->test.recon,
                   p->test.kl, p->test.loss, (ull)at.best_epoch);
    else
        text_print(&r->log, ",,,,\n");
    return save_log(r);
}

/* The model, as the best so far. */
static int save_best(run *r, vae *model)
{
    const int how = r->o->weights_only ? VAE_SAVE_WEIGHTS_ONLY : 0;
    if (vae_claim_save_model(claim_of(r->o->best), model, how) == VAE_OK) return 1;
    r->trouble = *vae_last_report(model);
    return 0;
}

/* vae_progress_fn */
static int on_progress(vae *model, const vae_progress *p, void *user)
{
    run *r = (run *)user;
    double t = now();
    vae_info at;
    vae_get_info(model, &at);
    r->train = p->train, r->has_train = 1;
    r->testing = !p->epoch_done && p->images == p->total;
    if (!p->epoch_done) {
        uint64_t rows = p->images - (p->step - 1) * (uint64_t)r->o->desc.batch;
        r->images += rows, r->epoch_images += rows;
        r->rate = at.last_lr;
        r->busy += t - r->mark, r->epoch_busy += t - r->mark;
        if (screen.terminal && !screen.quiet && t - r->drawn > 0.1) {
            draw_progress(r, p);
            r->drawn = t;
        }
    } else {
        r->epochs++;
        if (p->has_test) r->test = p->test, r->has_test = 1;
        draw_epoch(r, p);
        r->epoch_images = 0, r->epoch_busy = 0;
        if (r->o->log && !write_log(r, model, p)) return 1;
        if (r->o->best && at.best_epoch == p->epoch + 1 && !save_best(r, model)) return 1;
        if (r->o->model && (p->epoch + 1) % (uint64_t)r->o->checkpoint_every == 0
            && !save_model(r, model, 0)) return 1;
    }
    r->mark = now();
    return interrupted != 0;
}

#endif
