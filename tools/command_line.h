/* ======================================================================================
 * command_line.h   reads the command line into options
 * uses: platform.h screen.h text.h options.h
 * tests: tests/test_tool.sh, tests/fuzz_args.c
 * ==================================================================================== */
#ifndef VAE_TOOL_COMMAND_LINE_H
#define VAE_TOOL_COMMAND_LINE_H
#include "platform.h"
#include "screen.h"
#include "text.h"
#include "options.h"

/* Lets the library read a setting. There 0 stands for the default, which nobody means who types it
 * here: it is refused where the default is another number. */
static void set_setting(options *o, const flag *f, const char *typed)
{
    vae_desc defaults;
    vae_report report;
    char name[40], standard[40], now[40];
    double value, usual;
    setting_name(f, name);
    vae_desc_defaults(&defaults);
    if (vae_desc_set(&o->desc, name, typed, &report) != VAE_OK) {
        const char *rest = strchr(report.text, ':');
        die(MISUSED, "%s%s", f->name, rest ? rest : report.text);
    }
    if (vae_desc_get(&o->desc, name, now, sizeof now, NULL) != VAE_OK
        || vae_desc_get(&defaults, name, standard, sizeof standard, NULL) != VAE_OK
        || !read_real(now, &value) || value > 0 || value < 0
        || !read_real(standard, &usual) || !(usual > 0)) return;
    if (strcmp(name, "beta1") != 0 && strcmp(name, "beta2") != 0)
        die(MISUSED, "%s: '%s' is not possible: 0 stands for the default, %s", f->name, typed,
            standard);
    vae_desc_set(&o->desc, name, "1e-30", NULL); /* as good as 0 */
}

/* Reads a value as its flag wants it and puts it into its field. */
static void set_value(options *o, const flag *f, const char *typed)
{
    void *field = (char *)o + f->at;
    char listed[300];
    uint64_t whole = 0;
    double real = 0;
    int choice;
    switch (f->kind) {
    case SWITCH:
        *(int *)field = 1;
        break;
    case SOURCE:
    case TARGET:
        if (!*typed) die(MISUSED, "%s: the name is empty", f->name);
        *(const char **)field = typed;
        break;
    case TEXT:
        *(const char **)field = typed;
        break;
    case BYTES:
        if (!read_bytes(typed, &whole) || whole < 1)
            die(MISUSED, "%s: '%s' is not a number of bytes from 1 on, such as 4000000, 512M or 2G",
                f->name, typed);
        *(uint64_t *)field = whole;
        break;
    case WHOLE:
    case INTEGER:
        if (!read_whole(typed, &whole) || (double)whole < f->lo || (double)whole > f->hi)
            die(MISUSED, "%s: '%s' is not a whole number from %.0f to %llu", f->name, typed, f->lo,
                f->hi < WORD64 ? (ull)f->hi : (ull)UINT64_MAX);
        if (f->kind == WHOLE) *(uint64_t *)field = whole;
        else *(int *)field = (int)whole;
        break;
    case REAL:
        if (!read_real(typed, &real) || !(real >= f->lo && real <= f->hi))
            die(MISUSED, "%s: '%s' is not a number from %g to %.9g", f->name, typed, f->lo, f->hi);
        *(double *)field = real;
        break;
    case CHOICE:
        choice = find_choice(f, typed, listed, sizeof listed);
        if (choice < 0) die(MISUSED, "%s: '%s' is none of %s", f->name, typed, listed);
        *(int *)field = choice;
        break;
    case SET:
        set_setting(o, f, typed);
        break;
    }
}

/* The value of a setting in a description, for the caller to free(). */
static char *setting_text(const vae_desc *d, const char *name)
{
    char *value = NULL;
    vae_report report;
    vae_status status = VAE_ERR_SIZE;
    for (size_t size = 1000; status == VAE_ERR_SIZE; size = times(size, 2)) {
        free(value);
        value = (char *)need(size, 1);
        status = vae_desc_get(d, name, value, size, &report);
    }
    if (status != VAE_OK) die(FAILED, "%s", report.text);
    return value;
}

/* The value of a field as it would be typed, for the caller to free(). */
static char *value_text(const options *o, const flag *f)
{
    const void *field = (const char *)o + f->at;
    const char *t;
    char out[60] = "", name[40];
    switch (f->kind) {
    case SWITCH:
    case INTEGER: snprintf(out, sizeof out, "%d", *(const int *)field); break;
    case BYTES:
    case WHOLE: snprintf(out, sizeof out, "%llu", (ull)*(const uint64_t *)field); break;
    case REAL: real_text(out, sizeof out, *(const double *)field); break;
    case CHOICE:
        choice_word(f, *(const int *)field, out, sizeof out);
        break;
    case SET: return setting_text(&o->desc, setting_name(f, name));
    case TEXT:
    case SOURCE:
    case TARGET:
        t = *(const char *const *)field;
        return joined(t ? t : "", "", "");
    }
    return joined(out, "", "");
}

NORETURN static void unknown_flag(const command *c, const char *name, const command *all,
                                  size_t count)
{
    static const char *const gone[][2] = {
        {"--variance", "--likelihood \"gaussian 0.1\""},
        {"--categories", "--likelihood \"categorical 16\""},
        {"--head", "--posterior \"normal softplus\""},
        {"--code", "--posterior \"normal code sigmoid\""}};
    const char *best = NULL;
    const flag *f;
    size_t distance = 99;
    for (size_t i = 0; i < sizeof gone / sizeof *gone && c->bit == TRAIN; i++)
        if (strcmp(name, gone[i][0]) == 0)
            die(MISUSED, "%s is now part of another flag, as in %s", name, gone[i][1]);
    for (size_t i = 0; i < count; i++)
        if (find_flag(all[i].bit, name))
            die(MISUSED, "%s is a flag of 'vae %s', not of 'vae %s'", name, all[i].name, c->name);
    for (size_t i = 0; (f = flag_at(i)) != NULL; i++)
        if (f->name && f->commands & c->bit) consider(name, f->name, &best, &distance);
    if (best) die(MISUSED, "unknown flag %s; did you mean %s?", name, best);
    die(MISUSED, "unknown flag %s; 'vae help %s' lists them", name, c->name);
}

/* The next word of a line, without its quotes; for the caller to free(). NULL at the end. */
static char *next_word(const char **line)
{
    const char *from = *line + strspn(*line, " ");
    const int quoted = *from == '"';
    size_t n;
    char *word;
    if (!*from) return NULL;
    from += quoted;
    n = strcspn(from, quoted ? "\"" : " ");
    word = (char *)need(n + 1, 1);
    memcpy(word, from, n);
    *line = from + n + quoted;
    return word;
}

/* Flags that decide one thing. Of the first SPELLINGS related each is another name of the other. */
enum { SPELLINGS = 5 };
static const char *const related[][2] = {
    {"--k", "--samples"}, {"--warmup", "--warmup-steps"}, {"--cycle", "--cycle-steps"},
    {"--plateau", "--plateau-epochs"}, {"--noise", "--no-noise"},
    {"--schedule", "--stages"}, {"--schedule", "--plateau"}, {"--stages", "--plateau"}};
enum { PAIRS = sizeof related / sizeof *related };

/* Whether the command line decides what this flag is about, be it with another flag. */
static int decided(const options *o, const flag *f)
{
    int is = o->typed[f - flags] != NULL;
    for (int i = 0; i < PAIRS; i++)
        for (int k = 0; k < 2; k++)
            if (strcmp(f->name, related[i][k]) == 0 && given(o, related[i][1 - k])) is = 1;
    return is;
}

/* Text that is needed as long as the options are. */
static char *keep(options *o, char *made)
{
    if (o->kept_count == sizeof o->kept / sizeof *o->kept) die(FAILED, "too many texts are made");
    o->kept[o->kept_count++] = made;
    return made;
}

static void forget(options *o)
{
    while (o->kept_count) free(o->kept[--o->kept_count]);
    free(o->recipe_set.at);
    memset(&o->recipe_set, 0, sizeof o->recipe_set);
}

/* Sets what the recipe says and the command line does not. */
static void apply_recipe(options *o)
{
    const char *line = recipes[o->recipe].line;
    options typed = *o;
    char *name, *value;
    while ((name = next_word(&line)) != NULL) {
        const flag *f = find_flag(TRAIN, name);
        value = next_word(&line);
        if (!decided(&typed, f)) {
            const char *quote = value[strcspn(value, " ")] ? "\"" : "";
            set_value(o, f, value);
            o->typed[f - flags] = value;
            text_print(&o->recipe_set, " %s %s%s%s", name, quote, value, quote);
        }
        keep(o, value);
        free(name);
    }
    *(char *)text_grow(&o->recipe_set, 1) = '\0';
}

/* What stands before anything is typed. */
static void begin_options(options *o, unsigned command_bit)
{
    const flag *f;
    memset(o, 0, sizeof *o);
    o->command = command_bit;
    vae_desc_defaults(&o->desc);
    o->desc.threads = 0; /* as many as there are processors: see threads_of */
    for (size_t i = 0; (f = flag_at(i)) != NULL; i++)
        if (f->commands & command_bit && f->standard) set_value(o, f, f->standard);
}

static void take_operand(options *o, const command *c, const char *word)
{
    const int many = c->bit == REPORT; /* models: up to MOST_MODELS */
    if (!c->operand) die(MISUSED, "'%s' does not belong here; flags begin with --", word);
    if (many && o->model_count == MOST_MODELS)
        die(MISUSED, "'%s': at most %d models stand side by side", word, MOST_MODELS);
    if (o->operand && !many)
        die(MISUSED, "'%s' does not belong here: '%s' is the %s already", word, o->operand,
            c->operand);
    if (!word[0]) die(MISUSED, "the name of the %s is empty", c->operand);
    if (many) o->models[o->model_count++] = word;
    if (!o->operand) o->operand = word;
}

/* Reads the words behind the name of command `c`, one of `all`. */
static void parse(options *o, const command *c, const command *all, size_t count, int argc,
                  char **argv)
{
    begin_options(o, c->bit);
    for (int i = 0; i < argc; i++) {
        const char *equals = strchr(argv[i], '='), *value = "";
        const flag *f;
        char name[64];
        if (argv[i][0] != '-' || argv[i][1] == '\0') {
            take_operand(o, c, argv[i]);
            continue;
        }
        snprintf(name, sizeof name, "%.*s", equals ? (int)(equals - argv[i]) : 63, argv[i]);
        f = find_flag(c->bit, name);
        if (!f) unknown_flag(c, name, all, count);
        if (o->typed[f - flags]) die(MISUSED, "%s is given twice", name);
        if (f->kind == SWITCH) {
            if (equals) die(MISUSED, "%s takes no value", name);
        } else if (equals) {
            value = equals + 1;
        } else if (i + 1 == argc || strncmp(argv[i + 1], "--", 2) == 0) {
            die(MISUSED, "%s needs a value: %s", name, f->kind == CHOICE ? "one word" : f->word);
        } else {
            value = argv[++i];
        }
        o->typed[f - flags] = value;
        set_value(o, f, value);
    }
    if (c->bit == TRAIN && given(o, "--recipe")) apply_recipe(o);
    if (c->operand && c->operand[0] != '[' && !o->operand)
        die(MISUSED, "'vae %s' needs a %s; see 'vae help %s'", c->name, c->operand, c->name);
    if (c->must && !given(o, c->must))
        die(MISUSED, "'vae %s' needs %s; see 'vae help %s'", c->name, c->must, c->name);
    screen.quiet = o->quiet;
}

#endif
