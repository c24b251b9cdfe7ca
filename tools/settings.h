/* ======================================================================================
 * settings.h   settings of training: from the command line to vae_desc and back, and what contradicts what
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

/* The flags of the likelihood and of the head as the two strings of vae_desc, and back. */
static void settle_kinds(options *o)
{
    char word[40] = "", *posterior = o->posterior_text;
    const char *words = LIKELIHOODS, *heads = HEADS, *act;
    uint64_t bits;
    for (int i = o->likelihood; i >= 0; i--) next_piece(&words, '|', word, sizeof word);
    o->desc.likelihood = strcpy(o->likelihood_text, word);
    memcpy(&bits, &o->variance, sizeof bits);
    if (is_likelihood(&o->desc, WITH_VARIANCE))
        snprintf(o->likelihood_text, sizeof o->likelihood_text, "%s %016llx", word, (ull)bits);
    if (is_likelihood(&o->desc, "categorical"))
        snprintf(o->likelihood_text, sizeof o->likelihood_text, "%s %d", word, o->categories);
    for (int i = o->head; i >= 0; i--) next_piece(&heads, '|', word, sizeof word);
    act = vae_choice_name(VAE_CHOICE_ACT, o->code);
    snprintf(posterior, sizeof o->posterior_text, "normal%s%s%s%s", o->head ? " " : "",
             o->head ? word : "", o->code ? " code " : "", o->code ? act : "");
    o->desc.posterior = posterior;
}
static void unsettle_kinds(options *o)
{
    const char *rest = o->desc.likelihood, *argument;
    char word[40], listed[300];
    o->variance = 1, o->categories = 256;
    o->likelihood = find_word(LIKELIHOODS, kind_name(rest, word), listed, sizeof listed);
    argument = strchr(rest, ' ');
    if (argument && is_likelihood(&o->desc, "categorical")) {
        o->categories = atoi(argument);
    } else if (argument && strlen(argument) == 17) {
        uint64_t bits = strtoull(argument, NULL, 16);
        memcpy(&o->variance, &bits, sizeof bits);
    } else if (argument) {
        o->variance = strtod(argument, NULL);
    }
    for (rest = o->desc.posterior; next_piece(&rest, ' ', word, sizeof word);) {
        const int head = find_word(HEADS, word, listed, sizeof listed);
        if (head > 0) o->head = head;
        if (strcmp(word, "code") == 0 && next_piece(&rest, ' ', word, sizeof word))
            o->code = vae_choice_find(VAE_CHOICE_ACT, word);
    }
}

/* Turns what is typed in epochs, and what is one flag here but two fields there, into vae_desc. */
static void settle(options *o, double steps_per_epoch)
{
    vae_desc *d = &o->desc;
    const char *list = o->stages, *corrupt = o->corrupt;
    char stage[60], number[60], word[40];
    settle_kinds(o);
    d->objective = o->objective < VAE_OBJECTIVE_COUNT ? (vae_objective)o->objective
                                                      : VAE_OBJECTIVE_ELBO;
    d->beta = o->beta;
    d->no_kl = !(o->beta > 0) || o->objective == OBJECTIVE_AE || o->objective == OBJECTIVE_RECON;
    d->no_recon = o->objective == OBJECTIVE_KL;
    if (o->objective == OBJECTIVE_AE) d->no_noise = 1;
    if (!(d->beta1 > 0)) d->beta1 = 1e-30; /* 0 would be the default there */
    if (!(d->beta2 > 0)) d->beta2 = 1e-30;
    d->warmup_steps = (uint64_t)(o->warmup * steps_per_epoch + 0.5);
    d->cycle_steps = (uint64_t)(o->cycle * steps_per_epoch + 0.5);
    if (o->cycle > 0 && (!d->warmup_steps || !d->cycle_steps))
        die(MISUSED, "--cycle begins the warm-up anew: it needs --warmup, and a step at least");
    if (next_piece(&corrupt, ':', word, sizeof word)) {
        int found = vae_choice_find(VAE_CHOICE_CORRUPT, word);
        double strength = 0;
        int good = found >= 0 && (!corrupt || (read_real(corrupt, &strength) && strength > 0));
        if (corrupt && found == VAE_CORRUPT_NONE) good = 0;
        if (strength > (found == VAE_CORRUPT_GAUSSIAN ? 1e6 : 1)) good = 0;
        if (!good)
            die(MISUSED, "--corrupt: '%s' is none of none, gaussian:DEVIATION, mask:PART, "
                "salt_pepper:PART; a part is above 0 and at most 1", o->corrupt);
        d->corrupt = (vae_corrupt)found, d->corruption = strength;
    }
    d->lr_steps = 0;
    if (d->schedule == VAE_SCHEDULE_COSINE)
        d->lr_steps = (uint64_t)(d->epochs * steps_per_epoch + 0.5);
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
    vae_get_desc(model, &o->desc);
    unsettle_kinds(o);
    o->objective = objective_of(&o->desc);
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
    const char *words = find_flag(TRAIN, "--objective")->word;
    const struct { const char *name; int acts; } of_kl[] = {
        {"--warmup", o->warmup > 0}, {"--cycle", o->cycle > 0},
        {"--free-bits", o->desc.free_bits > 0}};
    char word[20] = "";
    for (int i = 0; i <= objective; i++) next_piece(&words, '|', word, sizeof word);
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

/* Other spellings of one setting become one of them; two at once are refused. */
static void check_spellings(options *o)
{
    if (given(o, "--k") && given(o, "--samples"))
        die(MISUSED, "--k and --samples are one setting; give one of them");
    if (given(o, "--k")) o->given[find_flag(TRAIN, "--samples") - flags] = 1;
    if (o->desc.schedule == (vae_schedule)SCHEDULE_IWAE) {
        if (o->stages) die(MISUSED, "--schedule iwae has stages of its own; leave --stages out");
        o->stages = iwae_stages;
        o->desc.schedule = VAE_SCHEDULE_STAGES;
        o->given[find_flag(TRAIN, "--stages") - flags] = 1;
    }
    if (o->stages && given(o, "--schedule") && o->desc.schedule != VAE_SCHEDULE_STAGES)
        die(MISUSED, "--stages belongs to --schedule stages");
    if (given(o, "--plateau") && o->stages)
        die(MISUSED, "--stages and --plateau are two schedules; give one of them");
    if (given(o, "--plateau") && given(o, "--schedule")
        && o->desc.schedule != VAE_SCHEDULE_PLATEAU)
        die(MISUSED, "--plateau belongs to --schedule plateau");
    if (given(o, "--lr-factor") && !o->resume && !given(o, "--plateau")
        && o->desc.schedule != VAE_SCHEDULE_PLATEAU)
        die(MISUSED, "--lr-factor belongs to --schedule plateau");
    if (o->stages || given(o, "--plateau")) {
        o->desc.schedule = o->stages ? VAE_SCHEDULE_STAGES : VAE_SCHEDULE_PLATEAU;
        o->given[find_flag(TRAIN, "--schedule") - flags] = 1;
    }
    if (o->stages && given(o, "--lr"))
        die(MISUSED, "--lr has no effect beside stages, each of which has its rate");
}

/* With --resume the file decides: dies if a flag on the command line says something else. What was
 * typed goes through a model of its own, so that both sides are in the library's spelling. */
static void check_resumed(const options *typed, const vae *model, double steps_per_epoch)
{
    options file, merged, wanted;
    vae_report report;
    vae *other;
    unsettle(&file, model, steps_per_epoch);
    merged = file;
    for (size_t i = 0; i < FLAGS; i++) {
        const flag *f = &flags[i];
        size_t size = f->kind == TEXT ? sizeof(char *) : f->kind == WHOLE ? sizeof(uint64_t)
                    : f->kind == REAL ? sizeof(double) : sizeof(int);
        if (f->commands & SETTING && typed->given[i])
            memcpy((char *)&merged + f->at, (const char *)typed + f->at, size);
    }
    if (!given(typed, "--objective")) { /* its word is made of the others: see objective_of */
        if (file.objective == OBJECTIVE_AE || file.objective == OBJECTIVE_RECON)
            merged.objective = VAE_OBJECTIVE_ELBO;
    } else { /* and the others are as if it had been typed in the first place */
        if (!given(typed, "--beta") && !(file.beta > 0)) merged.beta = 1;
        if (!given(typed, "--noise")) merged.desc.no_noise = 0;
    }
    if (given(typed, "--objective") && merged.objective != file.objective)
        merged.desc.free_bits = 0; /* the contradiction is told below, not by vae_create */
    settle(&merged, steps_per_epoch);
    merged.desc.inference = 1, merged.desc.threads = 1;
    if (vae_create(&merged.desc, &other, &report) != VAE_OK) die(FAILED, "%s", report.text);
    unsettle(&wanted, other, steps_per_epoch);
    for (size_t i = 0; i < FLAGS; i++) {
        char *in_file, *on_line;
        if (!(flags[i].commands & SETTING) || !typed->given[i]) continue;
        in_file = value_text(&file, &flags[i]);
        on_line = value_text(&wanted, &flags[i]);
        if (strcmp(in_file, on_line) != 0)
            die(MISUSED, "%s %s contradicts %s, which was made with '%s'; leave the flag out, or "
                "start anew without --resume", flags[i].name, on_line, typed->model, in_file);
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
    const int stages = d->schedule == VAE_SCHEDULE_STAGES;
    const int adam = d->optimizer != VAE_OPTIMIZER_SGD;
    if (f->at == AT(variance)) return is_likelihood(d, WITH_VARIANCE);
    if (f->at == AT(categories)) return is_likelihood(d, "categorical");
    if (f->at == AT(beta)) return !no_kl;
    if (f->at == AT(warmup) || f->at == AT(desc.free_bits)) return !d->no_kl;
    if (f->at == AT(cycle)) return d->warmup_steps > 0;
    if (f->at == AT(desc.no_noise)) return o->objective != OBJECTIVE_AE;
    if (f->at == AT(desc.samples)) return !d->no_noise;
    if (f->at == AT(desc.lr)) return !stages;
    if (f->at == AT(stages)) return stages;
    if (f->at == AT(desc.plateau_epochs) || f->at == AT(desc.lr_factor))
        return d->schedule == VAE_SCHEDULE_PLATEAU;
    if (f->at == AT(desc.momentum)) return !adam;
    if (f->at == AT(desc.beta1) || f->at == AT(desc.beta2) || f->at == AT(desc.adam_eps))
        return adam;
    return 1;
}

#endif
