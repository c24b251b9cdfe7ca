/* ======================================================================================
 * train.h   the command train
 * uses: platform.h screen.h text.h targets.h options.h command_line.h datasets.h picture.h
 * uses: settings.h models.h report.h progress.h
 * tests: tests/test_tool_runs.sh, tests/golden.sh
 * ==================================================================================== */
#ifndef VAE_TOOL_TRAIN_H
#define VAE_TOOL_TRAIN_H
#include "platform.h"
#include "screen.h"
#include "text.h"
#include "targets.h"
#include "options.h"
#include "command_line.h"
#include "datasets.h"
#include "picture.h"
#include "settings.h"
#include "models.h"
#include "report.h"
#include "progress.h"

static void print_result(const run *r, vae *model, double seconds)
{
    char took[32];
    vae_info at;
    vae_desc d;
    vae_get_info(model, &at);
    duration_text(took, sizeof took, seconds);
    if (r->o->desc.patience && at.epoch < (uint64_t)r->o->desc.epochs)
        say("\nended after epoch %llu: since epoch %llu no test loss was lower (--patience %d)\n",
            (ull)at.epoch, (ull)at.best_epoch, r->o->desc.patience);
    print_heads(r->shows);
    if (r->has_train) print_stats("train", &r->train, r->shows, 1);
    if (r->held && r->has_test) print_stats("held-out", &r->test, r->shows, 0);
    if (r->held ? r->has_end : r->has_test)
        print_stats("test", r->held ? &r->end : &r->test, r->shows, 0);
    else say("test         no test set\n");
    if (r->o->best && at.best_epoch)
        say("\nbest         epoch %llu, %s loss %.3f, in %s\n", (ull)at.best_epoch,
            r->held ? "held-out" : "test", at.best, r->o->best);
    say("\nparameters   %zu\nparams_hash  %016llx\n", at.parameters,
        (ull)vae_params_hash(model));
    if (r->images)
        say("time         %s, %.0f images/s\n", took, per_second(r->images, r->busy));
    vae_get_desc(model, &d);
    say("isa          %s, %d thread%s\nfile         %s\n", isa_name(at.isa), d.threads,
        d.threads > 1 ? "s" : "",
        r->o->model ? r->o->model : "none: without --model nothing is kept");
}

/* A few samples with half blocks; of one class after another where there are classes. */
static void print_samples(vae *model)
{
    vae_desc d;
    vae_info at;
    size_t columns, count;
    int32_t classes[8];
    float *x;
    vae_batch b = {0};
    vae_get_desc(model, &d);
    vae_get_info(model, &at);
    columns = (screen_width() - 1) / (at.width + 1);
    if (columns > 8) columns = 8;
    if (screen.quiet || !screen.colour || at.channels != 1 || at.height < 2 || !columns) return;
    count = columns < 4 ? 2 * columns : columns;
    x = floats(count, at.input_dim);
    for (size_t i = 0; i < count && at.classes; i++) classes[i] = (int32_t)i % at.classes;
    b.rows = count;
    if (at.classes) b.labels = classes, b.label_count = count;
    if (vae_sample_prior(model, &b, d.seed, x) == VAE_OK) {
        say("\n");
        picture_print(screen.out, x, (int)count, (int)at.height, (int)at.width, (int)columns);
    }
    free(x);
}

static double steps_per_epoch(const dataset *d, int batch)
{
    return (double)((d->images.count + (size_t)batch - 1) / (size_t)batch);
}

static int has_label(const char *layers) { return strstr(layers, "label") != NULL; }

/* The layers with one of `classes` labels before them, which is beside the pixels unless what
 * follows is dense; an empty list is only the head, dense too. */
static char *with_label(const char *layers, int classes, int encoder)
{
    const char *first = layers + strspn(layers, " \t\n");
    const int dense = !*first || strncmp(first, "dense", 5) == 0;
    char label[60];
    snprintf(label, sizeof label, "%slabel %d%s", encoder && dense ? "flatten, " : "", classes,
             *first ? ", " : "");
    return joined(label, first, "");
}

/* The classes of all images, and layers that take them where the command line has none. `known` is
 * how many the file's networks know, 0 without a file. */
static void begin_labels(options *o, dataset *images, dataset *test, int known)
{
    int classes;
    find_labels(images, "--labels", o->labels ? o->labels : "auto");
    if (test->name) find_labels(test, "--test-labels", o->test_labels);
    classes = known ? known : most_label(images) + 1;
    if (has_label(o->desc.encoder) || has_label(o->desc.decoder)) return;
    check_labels(images, classes);
    if (test->name) check_labels(test, classes);
    o->desc.encoder = keep(o, with_label(o->desc.encoder, classes, 1));
    o->desc.decoder = keep(o, with_label(o->desc.decoder, classes, 0));
    if (given(o, "--encoder")) imply(o, "--encoder", o->desc.encoder);
    if (given(o, "--decoder")) imply(o, "--decoder", o->desc.decoder);
}

/* With --resume: schedules in epochs, and test losses to be compared with, are those of the images
 * that the file has seen. Whether their number was another is asked of the steps of an epoch. */
static void check_same_images(const options *o, const vae_desc *d, const vae_info *at,
                              const dataset *images)
{
    const uint64_t steps = (uint64_t)steps_per_epoch(images, d->batch);
    const int matters = d->schedule != VAE_SCHEDULE_CONSTANT || d->patience || d->cycle_steps
                        || at->step < d->warmup_steps || o->best;
    if (matters && (at->step < at->epoch * steps || at->step > (at->epoch + 1) * steps)
        && at->epoch < (uint64_t)d->epochs)
        die(MISUSED, "%s has done %llu steps in %llu epochs, but %zu images make %llu steps of an "
            "epoch: its schedule and test losses belong to another number of training images",
            o->model, (ull)at->step, (ull)at->epoch, images->images.count, (ull)steps);
}

/* The classes of all images where the model or the command line asks for them. `model` is that of
 * --resume, or NULL. */
static void begin_classes(options *o, sets *s, const vae *model)
{
    vae_info at;
    memset(&at, 0, sizeof at);
    if (model) vae_get_info(model, &at);
    if (model && o->labels && !at.classes)
        die(MISUSED, "--labels: %s was made without classes; start anew without --resume",
            o->model);
    if (model ? at.classes : o->labels || has_label(o->desc.encoder) || has_label(o->desc.decoder))
        begin_labels(o, &s->images, &s->test, at.classes);
    if (given(o, "--test-labels") && !s->test.labels)
        die(MISUSED, "--test-labels goes with --labels, and with test images");
}

static vae *resumed_model(const options *o)
{
    vae_load_options how;
    vae *model = NULL;
    memset(&how, 0, sizeof how);
    how.isa = o->desc.isa, how.threads = threads_of(o);
    load_file(o, o->model, &how, &model);
    return model;
}

/* Dies where the command line contradicts the model that --resume goes on with. */
static void check_continued(const options *o, vae *model, const dataset *images)
{
    vae_info at;
    vae_desc d;
    vae_get_info(model, &at);
    vae_get_desc(model, &d);
    check_resumed(o, model, steps_per_epoch(images, d.batch));
    if (given(o, "--epochs") && vae_set_epochs(model, o->desc.epochs) != VAE_OK)
        die(FAILED, "%s", vae_last_report(model)->text);
    vae_get_desc(model, &d);
    check_same_images(o, &d, &at, images);
}

/* Where the words that a string of settings may have are listed. */
static const char *help_for(const vae_report *report)
{
    static const char *const lists[][2] = {
        {"encoder", "; 'vae help layers' lists them"},
        {"decoder", "; 'vae help layers' lists them"},
        {"likelihood", "; 'vae help likelihoods' lists them"},
        {"posterior", "; 'vae help posteriors' lists them"},
        {"prior", "; 'vae help priors' lists them"}};
    for (size_t i = 0; i < sizeof lists / sizeof *lists && report->status == VAE_ERR_SYNTAX; i++)
        if (strncmp(report->text, lists[i][0], strlen(lists[i][0])) == 0
            && strstr(report->text, "expected a ")) return lists[i][1];
    return "";
}

/* The tensor of that name. */
static int find_tensor(vae *model, const char *name, vae_tensor *t)
{
    for (size_t i = 0; vae_tensor_at(model, i, t) == VAE_OK; i++)
        if (strcmp(t->name, name) == 0) return 1;
    return 0;
}

static int same_shape(const vae_tensor *a, const vae_tensor *b)
{
    return a->rank == b->rank && memcmp(a->shape, b->shape, sizeof a->shape) == 0;
}

/* Whether the decoder's last bias comes from --from: then no other is to replace it. */
static int takes_bias(vae *model, vae *from)
{
    vae_tensor t, other;
    int takes = 0;
    for (size_t i = 0; vae_tensor_at(model, i, &t) == VAE_OK; i++)
        if (strncmp(t.name, "decoder.", 8) == 0 && ends_with(t.name, ".bias"))
            takes = find_tensor(from, t.name, &other) && same_shape(&t, &other);
    return takes;
}

static void say_shape(const vae_tensor *t)
{
    for (int i = 0; i < t->rank; i++) say("%s%zu", i ? " x " : "", t->shape[i]);
}

/* Takes the tensors of --from whose name and shape are those of one here; says which are not. */
static void take_tensors(const options *o, vae *model, vae *from)
{
    vae_tensor t, other;
    size_t taken = 0, i;
    for (i = 0; vae_tensor_at(model, i, &t) == VAE_OK; i++) {
        if (!find_tensor(from, t.name, &other)) {
            say("not taken    %s: not in %s\n", t.name, o->from_file);
        } else if (!same_shape(&t, &other)) {
            say("not taken    %s: ", t.name);
            say_shape(&other);
            say(" in %s, ", o->from_file);
            say_shape(&t);
            say(" here\n");
        } else {
            check(model, vae_tensor_set(model, i, other.data));
            taken++;
        }
    }
    if (!taken)
        die(FAILED, "--from %s: no tensor there has the name and shape of one here; 'vae info' "
            "lists them", o->from_file);
    say("taken        %zu of %zu tensors from %s\n", taken, i, o->from_file);
}

static void create(const options *o, vae **model)
{
    vae_report report;
    vae_info info;
    if (vae_create(&o->desc, model, &report) != VAE_OK)
        die(FAILED, "%s%s", report.text, help_for(&report));
    vae_get_info(*model, &info);
    if (given(o, "--latent") && (size_t)o->desc.latent != info.latent)
        die(MISUSED, "--latent %d: posterior %s has %zu latents", o->desc.latent,
            o->desc.posterior, info.latent);
}

/* A new model that begins with the tensors of --from. */
static void begin_from(options *o, vae **model)
{
    vae_load_options how;
    vae *from = NULL;
    memset(&how, 0, sizeof how);
    how.inference = 2;
    load_file(o, o->from_file, &how, &from);
    if (o->desc.visible_bias == VAE_BIAS_MEAN && takes_bias(*model, from)) {
        vae_destroy(*model);
        o->desc.visible_bias = VAE_BIAS_ZERO;
        create(o, model);
    }
    take_tensors(o, *model, from);
    vae_destroy(from);
}

static vae *new_model(options *o, const dataset *images)
{
    char shape[80];
    vae *model = NULL;
    if (!o->desc.input) {
        check_axes(images);
        shape_text(&images->images, shape, sizeof shape);
        o->desc.input = keep(o, joined(shape, "", ""));
    }
    if (o->schedule == VAE_SCHEDULE_STAGES && !o->stages)
        die(MISUSED, "--schedule stages needs --stages EPOCHS:RATE,...");
    settle(o, steps_per_epoch(images, o->desc.batch));
    o->desc.threads = threads_of(o);
    create(o, &model);
    if (o->from_file) begin_from(o, &model);
    return model;
}

/* Dies where the images do not fit the model, or where test losses are asked for and none come. */
static void check_sets(const options *o, const vae *model, const sets *s, int resumed)
{
    check_images(&s->images, model, resumed ? o->model : "--input");
    if (s->test.name) check_images(&s->test, model, resumed ? o->model : "the training set");
    if (!s->test.name && !s->held.name
        && (o->desc.patience || o->desc.schedule == VAE_SCHEDULE_PLATEAU || o->best))
        die(MISUSED, "%s looks at test losses: it needs --validate N or test images",
            o->best ? "--best" : o->desc.patience ? "--patience" : "--schedule plateau");
}

static void print_rates(const vae_desc *d)
{
    if (d->schedule == VAE_SCHEDULE_STAGES)
        say("%g to %g in %d stages", d->stages[0].lr, d->stages[d->stage_count - 1].lr,
            d->stage_count);
    else
        say("%g%s%s", d->lr, d->schedule ? ", " : "",
            d->schedule ? vae_choice_name(VAE_CHOICE_SCHEDULE, (int)d->schedule) : "");
}

static void print_file(const options *o, const vae_info *at, int there, int resumed)
{
    if (resumed && at->epoch >= (uint64_t)o->desc.epochs)
        say("model        %s has %llu epochs already; --epochs N goes on\n", o->model,
            (ull)at->epoch);
    else if (resumed)
        say("model        goes on from %s, epoch %llu, step %llu%s\n", o->model, (ull)at->epoch,
            (ull)at->step,
            at->weights_only ? ", with a fresh optimiser: it holds weights only" : "");
    else if (o->model)
        say("model        %s, %s\n", o->model, there ? "replacing the file there"
            : o->resume ? "not there yet: from the beginning" : "new");
    else
        say("model        not kept: no --model\n");
}

/* What is about to be done. `there`: the file of --model was. */
static void print_plan(const options *o, const vae *model, const sets *s, int there, int resumed)
{
    const vae_desc *d = &o->desc;
    const double steps = steps_per_epoch(&s->images, d->batch);
    vae_info at;
    vae_get_info(model, &at);
    print_network(d);
    say("data         %s, %zu images", s->images.name, s->images.images.count);
    if (s->test.name) say("; %s, %zu images\n", s->test.name, s->test.images.count);
    else say("; no test set\n");
    if (s->held.name)
        say("held out     the last %zu of %s\n", s->held.images.count, s->images.name);
    print_objective(model, steps);
    say("training     %s, lr ", vae_choice_name(VAE_CHOICE_OPTIMIZER, (int)d->optimizer));
    print_rates(d);
    say(", batch %d, %d epoch%s of %.0f steps, seed %llu\n", d->batch, d->epochs,
        d->epochs > 1 ? "s" : "", steps, (ull)d->seed);
    say("parameters   %zu, %.1f MB of memory, %s, %d thread%s\n", at.parameters,
        (double)at.memory / 1e6, isa_name(at.isa), d->threads, d->threads > 1 ? "s" : "");
    print_file(o, &at, there, resumed);
    say("\n");
}

/* The file of --model if --resume says so and it is there, or a new model. Afterwards o->desc is
 * what the model says of itself, and the sets have labels where it asks for some. */
static vae *begin_model(options *o, sets *s)
{
    const int there = o->model && kind_of(o->model) != NOTHING;
    vae *model = o->resume && there ? resumed_model(o) : NULL;
    const int resumed = model != NULL;
    vae_desc known = o->desc;
    begin_classes(o, s, model);
    if (resumed) vae_get_desc(model, &known);
    /* before some are held out: it counts as the file does */
    check_values(&s->images, &known, takes_unit(&known));
    if (s->test.name) check_values(&s->test, &known, takes_unit(&known));
    if (o->validate) hold_out(&s->images, (size_t)o->validate, &s->held);
    if (resumed) check_continued(o, model, &s->images);
    else model = new_model(o, &s->images);
    vae_get_desc(model, &o->desc);
    check_sets(o, model, s, resumed);
    print_plan(o, model, s, there, resumed);
    return model;
}

/* After vae_fit: keeps what is to be kept. Returns the exit status. */
static int end_fit(run *r, vae *model, vae_status status)
{
    const options *o = r->o;
    vae_info at;
    vae_get_info(model, &at);
    screen_break();
    if (r->trouble.status != VAE_OK) die(FAILED, "%s", r->trouble.text);
    if (status != VAE_OK && status != VAE_STOPPED) {
        const char *sentence = vae_last_report(model)->text;
        char kept[400] = "", lr[40] = "";
        if (o->model && r->saved_step != UINT64_MAX)
            snprintf(kept, sizeof kept, "; %s holds step %llu", o->model, (ull)r->saved_step);
        if (status != VAE_ERR_NONFINITE || !strstr(sentence, "learning rate"))
            die(FAILED, "%s: %s%s", r->testing ? "testing" : "training", sentence, kept);
        real_text(lr, sizeof lr, o->desc.lr);
        die(FAILED, "%s; try an --lr below %s%s", sentence, lr, kept);
    }
    if (o->model && (r->saved_step != at.step || (o->weights_only && status == VAE_OK))
        && !save_model(r, model, o->weights_only && status == VAE_OK ? VAE_SAVE_WEIGHTS_ONLY : 0))
        die(FAILED, "%s", r->trouble.text);
    training = 0;
    if (status == VAE_OK) return 0;
    say("stopped after step %llu; ", (ull)at.step);
    if (o->model) say("%s is saved: the same command with --resume goes on\n", o->model);
    else say("nothing is kept: there was no --model\n");
    return 128 + interrupted;
}

/* What train alone says in --json. */
static void json_train(text *t, const run *r, const vae *model)
{
    vae_info at;
    vae_get_info(model, &at);
    if (r->held) json_stats(t, "validation", r->has_test ? &r->test : NULL, 0, 0);
    text_print(t, "  \"best_epoch\": ");
    if (at.best_epoch) text_print(t, "%llu,\n", (ull)at.best_epoch);
    else text_print(t, "null,\n");
}

/* Tests what on_progress has not: --epochs was reached before the first epoch of this program, or
 * other images were held out. */
static void test_at_end(run *r, vae *model, const sets *s)
{
    if (r->held && !r->has_test) {
        check(model, vae_evaluate(model, &s->held.images, &r->test));
        r->has_test = 1;
    }
    if (s->test.name && (r->held || !r->has_test)) {
        check(model, vae_evaluate(model, &s->test.images, r->held ? &r->end : &r->test));
        if (r->held) r->has_end = 1;
        else r->has_test = 1;
    }
}

/* Of a run that came to its end: the figures. */
static void report_run(run *r, vae *model, const sets *s)
{
    const options *o = r->o;
    const double seconds = now() - r->begun;
    test_at_end(r, model, s);
    print_result(r, model, seconds);
    if (!screen.quiet && !o->desc.no_noise) {
        uint64_t *clamped = (uint64_t *)need((size_t)o->desc.latent, sizeof *clamped);
        size_t n = count_clamped(model, r->held ? &s->held.images : s->test.name ? &s->test.images
                                        : &s->images.images, clamped);
        print_clamped(clamped, (size_t)o->desc.latent, n);
        free(clamped);
    }
    if (o->json) {
        text more = {NULL, 0, 0};
        const vae_stats *tested = r->held ? r->has_end ? &r->end : NULL
                                          : r->has_test ? &r->test : NULL;
        json_train(&more, r, model);
        save_json(o->json, "train", o->model, model, seconds,
                  r->images ? per_second(r->images, r->busy) : -1,
                  r->has_train ? &r->train : NULL, tested, &more);
    }
    print_samples(model);
}

static int train(options *o)
{
    sets s;
    text old_log = {NULL, 0, 0};
    run r;
    vae *model;
    vae_info at;
    int status;
    memset(&s, 0, sizeof s);
    if (o->log) old_log = read_log(o->log);
    if (!o->model && (o->resume || o->weights_only))
        die(MISUSED, "%s needs --model", o->resume ? "--resume" : "--weights-only");
    if (o->resume && o->from_file)
        die(MISUSED, "--from begins a new run, --resume goes on with one; leave one of them out");
    check_spellings(o);
    check_objective(o);
    if (o->recipe_set.count > 1)
        say("recipe       %s:%s\n", recipes[o->recipe].name, o->recipe_set.at);
    find_sets(o, &s);
    model = begin_model(o, &s);
    vae_get_info(model, &at);
    memset(&r, 0, sizeof r);
    r.o = o;
    r.saved_step = o->resume && at.step ? at.step : UINT64_MAX;
    r.held = s.held.name != NULL;
    r.shows = shows(&o->desc);
    r.rate = at.last_lr;
    if (o->log) begin_log(&r, &old_log, at.epoch, o->resume && at.step > 0);
    r.begun = r.mark = now();
    training = 1;
    status = end_fit(&r, model, vae_fit(model, &s.images.images,
                                        r.held ? &s.held.images
                                               : s.test.name ? &s.test.images : NULL,
                                        on_progress, &r));
    if (status == 0) report_run(&r, model, &s);
    free(r.log.at);
    free(r.curve.values);
    vae_destroy(model);
    drop(&s.held);
    drop(&s.images);
    drop(&s.test);
    return status;
}

#endif
