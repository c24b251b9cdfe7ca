/* ======================================================================================
 * settings.h   settings of training: from the command line to vae_desc and back; contradictions
 * uses: platform.h screen.h text.h options.h command_line.h
 * tests: tests/test_tool.sh, tests/test_tool_runs.sh, tests/fuzz_args.c
 * ==================================================================================== */
#ifndef VAE_TOOL_SETTINGS_H
#define VAE_TOOL_SETTINGS_H
#include "platform.h"
#include "screen.h"
#include "text.h"
#include "options.h"
#include "command_line.h"

static void settle_objective(options *o)
{
    vae_desc *d = &o->desc;
    const int no_kl = given(o, "--no-kl") && d->no_kl;
    const int no_recon = given(o, "--no-recon") && d->no_recon;
    d->objective = o->objective < VAE_OBJECTIVE_COUNT ? (vae_objective)o->objective
                                                      : VAE_OBJECTIVE_ELBO;
    d->beta = o->beta;
    d->no_kl = no_kl || !(o->beta > 0) || o->objective == OBJECTIVE_AE
               || o->objective == OBJECTIVE_RECON;
    d->no_recon = no_recon || o->objective == OBJECTIVE_KL;
    if (o->objective == OBJECTIVE_AE) d->no_noise = 1;
}

/* KIND:S */
static void settle_corruption(options *o)
{
    vae_desc *d = &o->desc;
    const char *strength = o->corrupt;
    char word[40];
    double s = 0;
    int found, good;
    if (!next_piece(&strength, ':', word, sizeof word)) return;
    found = vae_choice_find(VAE_CHOICE_CORRUPT, word);
    good = found >= 0 && (!strength || (read_real(strength, &s) && s > 0));
    if (strength && found == VAE_CORRUPT_NONE) good = 0;
    if (s > (found == VAE_CORRUPT_GAUSSIAN ? 1e6 : 1)) good = 0;
    if (!good)
        die(MISUSED, "--corrupt: '%s' is none of none, gaussian:DEVIATION, mask:PART, "
            "salt_pepper:PART; a part is above 0 and at most 1", o->corrupt);
    if (strength && given(o, "--corruption"))
        die(MISUSED, "--corrupt %s and --corruption both say how strong it is; give one of them",
            o->corrupt);
    d->corrupt = (vae_corrupt)found;
    if (strength) d->corruption = s;
}

/* EPOCHS:RATE,EPOCHS:RATE... */
static void settle_stages(options *o, double steps_per_epoch)
{
    vae_desc *d = &o->desc;
    const char *list = o->stages;
    char stage[60], number[60];
    for (d->stage_count = 0; next_piece(&list, ',', stage, sizeof stage); d->stage_count++) {
        const char *parts = stage;
        double value[2] = {0, 0}, most[2] = {1e6, 1e9};
        int good = d->stage_count < VAE_MAX_STAGES;
        for (int i = 0; i < 2 && good; i++)
            good = next_piece(&parts, ':', number, sizeof number) && read_real(number, &value[i])
                && value[i] > 0 && value[i] <= most[i];
        if (!good || parts)
            die(MISUSED, "--stages: '%s' is not one of at most %d stages EPOCHS:RATE", stage,
                VAE_MAX_STAGES);
        d->stages[d->stage_count].steps = (uint64_t)(value[0] * steps_per_epoch + 0.5);
        if (d->stages[d->stage_count].steps == 0) d->stages[d->stage_count].steps = 1;
        d->stages[d->stage_count].lr = value[1];
    }
}

/* Writes into vae_desc what is typed in epochs, and what is one flag but two settings. */
static void settle(options *o, double steps_per_epoch)
{
    vae_desc *d = &o->desc;
    settle_objective(o);
    settle_corruption(o);
    if (given(o, "--latent") && d->latent == 0) {
        if (given(o, "--posterior") && strcmp(d->posterior, "none") != 0)
            die(MISUSED, "--latent 0 is --posterior none; --posterior %s contradicts it",
                d->posterior);
        d->posterior = "none";
    }
    if (!given(o, "--warmup-steps"))
        d->warmup_steps = (uint64_t)(o->warmup * steps_per_epoch + 0.5);
    if (!given(o, "--cycle-steps"))
        d->cycle_steps = (uint64_t)(o->cycle * steps_per_epoch + 0.5);
    if (o->cycle > 0 && (!d->warmup_steps || !d->cycle_steps))
        die(MISUSED, "--cycle begins the warm-up anew: it needs --warmup, and a step at least");
    d->schedule = (vae_schedule)o->schedule;
    if (!given(o, "--lr-steps") || !d->lr_steps)
        d->lr_steps = d->schedule != VAE_SCHEDULE_COSINE ? 0
                    : (uint64_t)(d->epochs * steps_per_epoch + 0.5);
    settle_stages(o, steps_per_epoch);
}

/* The word of --objective that says what these settings are. */
static int objective_of(const vae_desc *d)
{
    if (d->no_recon) return OBJECTIVE_KL;
    if (d->objective != VAE_OBJECTIVE_ELBO || !d->no_kl) return (int)d->objective;
    return d->no_noise ? OBJECTIVE_AE : OBJECTIVE_RECON;
}

/* The other way round; the strings live as long as the model and `o`. */
static void unsettle(options *o, const vae *model, double steps_per_epoch)
{
    size_t used = 0;
    memset(o, 0, sizeof *o);
    o->command = TRAIN;
    vae_get_desc(model, &o->desc);
    o->objective = objective_of(&o->desc);
    o->schedule = (int)o->desc.schedule;
    o->beta = o->desc.no_kl ? 0 : o->desc.beta;
    o->warmup = (double)o->desc.warmup_steps / steps_per_epoch;
    o->cycle = (double)o->desc.cycle_steps / steps_per_epoch;
    o->corrupt = o->corrupt_text;
    used = (size_t)snprintf(o->corrupt_text, sizeof o->corrupt_text, "%s",
                            vae_choice_name(VAE_CHOICE_CORRUPT, (int)o->desc.corrupt));
    if (o->desc.corrupt) {
        o->corrupt_text[used++] = ':';
        real_text(o->corrupt_text + used, sizeof o->corrupt_text - used, o->desc.corruption);
    }
    used = 0;
    if (o->desc.stage_count) o->stages = o->stages_text;
    for (int i = 0; i < o->desc.stage_count; i++) {
        char rate[32];
        real_text(rate, sizeof rate, o->desc.stages[i].lr);
        used += (size_t)snprintf(o->stages_text + used, sizeof o->stages_text - used,
                                 "%s%.9g:%s", i ? "," : "",
                                 (double)o->desc.stages[i].steps / steps_per_epoch, rate);
    }
}

/* Flags that say together what is minimised: where one of those typed would have no effect beside
 * another, says so. The objective's own word stands for the flags that it implies. */
static void check_objective(const options *o)
{
    const int objective = o->objective, bound = objective == VAE_OBJECTIVE_IWAE
                                             || objective == VAE_OBJECTIVE_DREG;
    const int no_kl = objective == OBJECTIVE_AE || objective == OBJECTIVE_RECON;
    const struct { const char *name; int acts; } of_kl[] = {
        {"--warmup", o->warmup > 0}, {"--cycle", o->cycle > 0},
        {"--free-bits", o->desc.free_bits > 0}};
    char word[20] = "";
    choice_word(find_flag(TRAIN, "--objective"), objective, word, sizeof word);
    if (no_kl && given(o, "--beta") && o->beta > 0)
        die(MISUSED, "--objective %s leaves the KL out; --beta %g contradicts it", word, o->beta);
    for (int i = 0; i < 3; i++)
        if (of_kl[i].acts && (no_kl || !(o->beta > 0)))
            die(MISUSED, "%s is about the KL, which %s%s leaves out", of_kl[i].name,
                no_kl ? "--objective " : "--beta 0", no_kl ? word : "");
    if ((bound || objective == OBJECTIVE_KL) && !(o->beta > 0))
        die(MISUSED, "--objective %s needs the KL; --beta 0 contradicts it", word);
    if (bound && o->desc.free_bits > 0)
        die(MISUSED, "--free-bits does not go together with --objective %s", word);
    if (bound && o->desc.no_noise)
        die(MISUSED, "--objective %s weighs draws of z; --noise off contradicts it", word);
    if (objective == OBJECTIVE_AE && given(o, "--noise") && !o->desc.no_noise)
        die(MISUSED, "--objective ae decodes mu itself; --noise on contradicts it");
    if (objective == OBJECTIVE_RECON && o->desc.no_noise)
        die(MISUSED, "--objective recon keeps the noise; without it say --objective ae");
}

/* As though a flag had been typed, without its being read. */
static void imply(options *o, const char *name, const char *value)
{
    o->typed[find_flag(TRAIN, name) - flags] = value;
}

/* Other spellings of one setting become one of them; two at once are refused. */
static void check_spellings(options *o)
{
    for (int i = 0; i < SPELLINGS; i++)
        if (given(o, related[i][0]) && given(o, related[i][1]))
            die(MISUSED, "%s and %s are one setting; give one of them", related[i][0],
                related[i][1]);
    if (given(o, "--k")) imply(o, "--samples", o->typed[find_flag(TRAIN, "--k") - flags]);
    if (o->schedule == SCHEDULE_IWAE) {
        if (o->stages) die(MISUSED, "--schedule iwae has stages of its own; leave --stages out");
        o->stages = iwae_stages;
        o->schedule = VAE_SCHEDULE_STAGES;
        imply(o, "--stages", iwae_stages);
    }
    if (o->stages && given(o, "--schedule") && o->schedule != VAE_SCHEDULE_STAGES)
        die(MISUSED, "--stages belongs to --schedule stages");
    if (given(o, "--plateau") && o->stages)
        die(MISUSED, "--stages and --plateau are two schedules; give one of them");
    if (given(o, "--plateau") && given(o, "--schedule") && o->schedule != VAE_SCHEDULE_PLATEAU)
        die(MISUSED, "--plateau belongs to --schedule plateau");
    if (given(o, "--lr-factor") && !o->resume && !given(o, "--plateau")
        && o->schedule != VAE_SCHEDULE_PLATEAU)
        die(MISUSED, "--lr-factor belongs to --schedule plateau");
    if (o->stages || given(o, "--plateau")) {
        o->schedule = o->stages ? VAE_SCHEDULE_STAGES : VAE_SCHEDULE_PLATEAU;
        imply(o, "--schedule", o->stages ? "stages" : "plateau");
    }
    if (o->stages && given(o, "--lr"))
        die(MISUSED, "--lr has no effect beside stages, each of which has its rate");
}

/* Whether a setting of the library stands in the words of another flag: info prints that one. */
static int is_told(const flag *f)
{
    static const char *const by_others[] = {"--warmup-steps", "--cycle-steps", "--plateau-epochs",
                                            "--no-kl", "--no-recon", "--no-noise", "--corruption",
                                            "--lr-steps"};
    for (size_t i = 0; i < sizeof by_others / sizeof *by_others; i++)
        if (strcmp(f->name, by_others[i]) == 0) return 1;
    return 0;
}

/* What a file's settings would be if those on the command line had been typed for it. */
static void merge(const options *typed, const options *file, double steps_per_epoch,
                  options *merged)
{
    const flag *f;
    *merged = *file;
    for (size_t i = 0; (f = flag_at(i)) != NULL; i++)
        if (f->commands & SETTING && typed->typed[i] && !is_told(f))
            set_value(merged, f, typed->typed[i]);
    if (!given(typed, "--objective")) { /* its word is made of the others: see objective_of */
        if (file->objective == OBJECTIVE_AE || file->objective == OBJECTIVE_RECON)
            merged->objective = VAE_OBJECTIVE_ELBO;
    } else { /* and the others are as if it had been typed in the first place */
        if (!given(typed, "--beta") && !(file->beta > 0)) merged->beta = 1;
        if (!given(typed, "--noise")) merged->desc.no_noise = 0;
    }
    if (given(typed, "--objective") && merged->objective != file->objective)
        merged->desc.free_bits = 0; /* the contradiction is told below, not by vae_create */
    settle(merged, steps_per_epoch);
    merged->desc.inference = 1, merged->desc.threads = 1;
}

/* With --resume the file decides: dies if a flag on the command line says something else. What was
 * typed goes through a model of its own, so that both sides are in the library's spelling. */
static void check_resumed(const options *typed, const vae *model, double steps_per_epoch)
{
    options file, merged, wanted;
    vae_report report;
    const flag *f;
    vae *other;
    unsettle(&file, model, steps_per_epoch);
    merge(typed, &file, steps_per_epoch, &merged);
    if (vae_create(&merged.desc, &other, &report) != VAE_OK) die(FAILED, "%s", report.text);
    unsettle(&wanted, other, steps_per_epoch);
    for (size_t i = 0; (f = flag_at(i)) != NULL; i++) {
        char *in_file, *on_line;
        if (!(f->commands & SETTING) || !typed->typed[i]) continue;
        if (is_told(f)) set_value(&wanted, f, typed->typed[i]); /* merged by no other word */
        in_file = value_text(&file, f);
        on_line = value_text(&wanted, f);
        if (strcmp(in_file, on_line) != 0)
            die(MISUSED, "%s %s contradicts %s, which was made with '%s'; leave the flag out, or "
                "start anew without --resume", f->name, on_line, typed->model, in_file);
        free(in_file);
        free(on_line);
    }
    vae_destroy(other);
    if (given(typed, "--epochs") && file.desc.schedule == VAE_SCHEDULE_COSINE
        && typed->desc.epochs > file.desc.epochs)
        die(MISUSED, "--epochs %d: the cosine schedule of %s has come down to 0 after %d",
            typed->desc.epochs, typed->model, file.desc.epochs);
}

/* Whether a setting has an effect beside the others. */
static int acts(const options *o, const flag *f)
{
    const vae_desc *d = &o->desc;
    const int no_kl = o->objective == OBJECTIVE_AE || o->objective == OBJECTIVE_RECON;
    const int plateau = d->schedule == VAE_SCHEDULE_PLATEAU;
    const int stages = d->schedule == VAE_SCHEDULE_STAGES;
    const int adam = d->optimizer != VAE_OPTIMIZER_SGD;
    const int code = strcmp(d->posterior, "none") != 0;
    const int relaxed = strncmp(d->posterior, "categorical", 11) == 0;
    const struct { const char *name; int acts; } rows[] = {
        {"--encoder", code}, {"--latent", code}, {"--prior", code}, {"--objective", code},
        {"--sparse", code}, {"--contract", code}, {"--corrupt", code},
        {"--beta", code && !no_kl}, {"--warmup", code && !d->no_kl},
        {"--free-bits", code && !d->no_kl}, {"--cycle", d->warmup_steps > 0},
        {"--noise", code && o->objective != OBJECTIVE_AE}, {"--samples", code && !d->no_noise},
        {"--temperature", relaxed}, {"--temperature-end", relaxed},
        {"--temperature-steps", relaxed}, {"--straight-through", relaxed},
        {"--lr", !stages}, {"--stages", stages},
        {"--plateau", plateau}, {"--lr-factor", plateau}, {"--momentum", !adam},
        {"--beta1", adam}, {"--beta2", adam}, {"--adam-eps", adam}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(f->name, rows[i].name) == 0) return rows[i].acts;
    return !is_told(f);
}

#endif
