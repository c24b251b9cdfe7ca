/* Random configurations: every layer, setting, data type, way of dividing work, saving and loading.
 *     cc -O2 tests/random.c -o random
 *     ./random [COUNT] [SEED]      COUNT configurations (300) from SEED (1), SEED + 1 ...
 *     ./random --show SEED         prints what SEED makes, and runs it
 * Each configuration is run once by the portable kernels on one thread, without anything special.
 * Then come the other ways, each of which must give the same bits in everything that is looked at
 * (progress, parameters, encode, decode, draw, score, bound, evaluate, the bytes of the file):
 * every instruction set of this processor, threads, a hook that runs parts in a mixed-up order, a
 * shared pool, gradients kept, a block of exactly vae_size bytes, hooks for memory, a run that is
 * stopped, saved, loaded and gone on with, the file loaded for use, borrowed, and read one image at
 * a time. A description that the library refuses must be refused with a sentence, by all alike.
 * One failing configuration is made smaller as long as it still fails, and printed as a vae_desc.
 * Each runs in a process of its own, so that a crash or a hang is a failure like any other. */
#define VAE_IMPLEMENTATION
#include "../vae.h"

#include <dirent.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- random choices ---- */

static uint64_t rng_state;

static uint64_t rng(void) { /* splitmix64 */
    uint64_t z = rng_state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}
static int below(int n) { return (int)(rng() % (uint64_t)n); }
static int chance(int percent) { return below(100) < percent; }
static int between(int low, int high) { return low + below(high - low + 1); }
static double unit(void) { return (double)(rng() >> 11) / 9007199254740992.0; }
/* Small numbers often, large ones now and then. */
static int size_up_to(int most) { return 1 + below(1 + below(1 + below(most))); }
static int large; /* 1: widths and batches that are divided among threads in many pieces */

/* ---- a configuration ---- */

enum { TEXT_ROOM = 400 };

typedef struct setup {
    vae_desc d;             /* its texts are those below, see `settle` */
    char input[TEXT_ROOM], encoder[TEXT_ROOM], decoder[TEXT_ROOM];
    char likelihood[TEXT_ROOM], posterior[TEXT_ROOM], prior[TEXT_ROOM]; /* "": not given */
    int images, tests;      /* of the data; tests 0: no test set */
    int type;               /* vae_type of the data */
    int rows;               /* of encode and its kind */
    int stop;               /* the resumed run is stopped at this call of the progress callback */
    int steps;              /* train by so many calls of vae_train_step; 0: by vae_fit */
    int threads, parts;     /* of the runs with threads, with hooks */
    int load_batch;         /* rows of the buffers of a model that is loaded for use */
    int file;               /* 1: through a file as well */
} setup;

static setup *settle(setup *s) {
    s->d.input = s->input;
    s->d.encoder = s->encoder[0] == '?' ? NULL : s->encoder; /* '?': not given */
    s->d.decoder = s->decoder[0] == '?' ? NULL : s->decoder;
    s->d.likelihood = s->likelihood[0] ? s->likelihood : NULL;
    s->d.posterior = s->posterior[0] ? s->posterior : NULL;
    s->d.prior = s->prior[0] ? s->prior : NULL;
    return s;
}

/* ---- architecture strings ---- */

typedef struct grown {
    int h, w, c, flat;      /* the shape so far */
    int classes;            /* of the layers `label` of this configuration; 0: none yet */
    int room;               /* most numbers of an image */
} grown;

static int dim(const grown *g) { return g->h * g->w * g->c; }

static void add(char *text, const char *format, ...) {
    const size_t n = strlen(text);
    va_list args;
    va_start(args, format);
    if (n < TEXT_ROOM - 1) vsnprintf(text + n, TEXT_ROOM - n, format, args);
    va_end(args);
}

static void add_act(char *text, int percent) {
    if (chance(percent)) add(text, " %s", vae_choice_name(VAE_CHOICE_ACT, below(VAE_ACT_COUNT)));
}

static void grow(grown *g, char *text, int items, int depth);

static void add_conv(grown *g, char *text, int transposed) {
    const int kh = size_up_to(5), kw = chance(80) ? kh : size_up_to(4), s = between(1, 3);
    const int pad = chance(40) ? below(3) : -1, n = size_up_to(9);
    add(text, "%s %d %dx%d", transposed ? "convt" : "conv", n, kh, kw);
    if (s > 1) add(text, "/%d", s);
    if (pad >= 0) add(text, " pad %d", pad);
    if (transposed) {
        g->h = pad < 0 ? g->h * s : (g->h - 1) * s + kh - 2 * pad;
        g->w = pad < 0 ? g->w * s : (g->w - 1) * s + kw - 2 * pad;
    } else {
        g->h = pad < 0 ? (g->h + s - 1) / s : (g->h + 2 * pad - kh) / s + 1;
        g->w = pad < 0 ? (g->w + s - 1) / s : (g->w + 2 * pad - kw) / s + 1;
    }
    g->c = n, g->flat = 0;
}

static void add_reshape(grown *g, char *text) {
    const int n = dim(g);
    int h = size_up_to(8), w = size_up_to(8);
    while (n % h) h--;
    while (n / h % w) w--;
    g->h = h, g->w = w, g->c = n / h / w, g->flat = 0;
    add(text, "reshape %dx%dx%d", g->h, g->w, g->c);
}

/* One that leaves the shape alone, for groups. */
static void add_same(grown *g, char *text, int depth) {
    const int n = dim(g);
    switch (below(g->flat ? 7 : 9)) {
    case 0: add(text, "batchnorm"); break;
    case 1: add(text, "layernorm"); break;
    case 2: add(text, "dropout 0.%d", between(1, 9)); break;
    case 3: add(text, "noise %d.%d", below(2), between(1, 9)); break;
    case 4: add(text, "%s", vae_choice_name(VAE_CHOICE_ACT, below(VAE_ACT_COUNT))); return;
    case 5:
        if (depth < 3) {
            add(text, "res(");
            grow(g, text, below(3), depth + 1);
            add(text, ")");
            return;
        } /* fallthrough */
    case 6: {
        if (g->flat) add(text, "dense %d", n);
        else add(text, "conv %d 1x1", g->c);
        break;
    }
    default: add(text, "conv %d %dx%d", g->c, between(1, 4), between(1, 4)); break;
    }
    add_act(text, 40);
}

static void add_any(grown *g, char *text, int depth) {
    int n;
    switch (below(12)) {
    case 0: case 1:
        n = large ? between(1, 400) : size_up_to(40);
        add(text, "dense %d", n);
        g->h = g->w = 1, g->c = n, g->flat = 1;
        break;
    case 2: case 3: add_conv(g, text, 0); break;
    case 4: add_conv(g, text, 1); break;
    case 5:
        for (n = between(1, 3); g->h % n || g->w % n; n--) {}
        add(text, "%s %d", chance(50) ? "maxpool" : "avgpool", n);
        g->h /= n, g->w /= n;
        break;
    case 6:
        n = between(1, 3);
        add(text, "upsample %d", n);
        g->h *= n, g->w *= n;
        break;
    case 7: add_reshape(g, text); break;
    case 8:
        add(text, "flatten");
        g->c = dim(g), g->h = g->w = 1, g->flat = 1;
        break;
    case 9:
        if (chance(50)) {
            if (!g->classes) g->classes = size_up_to(6);
            add(text, "label %d", g->classes);
            g->c += g->classes;
            break;
        } /* fallthrough */
    default: add_same(g, text, depth); return;
    }
    add_act(text, 50);
}

/* `items` items behind each other; inside a group none changes the shape. */
static void grow(grown *g, char *text, int items, int depth) {
    int i;
    for (i = 0; i < items; i++) {
        const grown before = *g;
        const size_t n = strlen(text);
        if (i) add(text, chance(90) ? ", " : ",");
        if (depth) add_same(g, text, depth);
        else add_any(g, text, depth);
        if (g->h < 1 || g->w < 1 || dim(g) > g->room) { /* too small or too large: without it */
            *g = before;
            text[n] = 0;
            if (!i) i = -1;
        }
    }
}

/* A decoder that predicts pixels from those before them. */
static void grow_pixels(setup *s, const grown *image) {
    const int c = image->c, twice = 2 * c, most = c > 4 ? 1 : 4;
    int i, n = twice * size_up_to(most), items = below(4);
    if (chance(50)) add(s->decoder, "dense %d tanh, ", size_up_to(9));
    add(s->decoder, "image, maskconv %d %dx%d a", n, 3 + 2 * below(2), 3 + 2 * below(3));
    add_act(s->decoder, 50);
    for (i = 0; i < items; i++) {
        switch (below(4)) {
        case 0: add(s->decoder, ", maskconv %d %dx%d b", n = twice * size_up_to(most),
                    1 + 2 * below(2), 1 + 2 * below(3)); break;
        case 1: add(s->decoder, n % twice ? ", tanh" : ", gated"), n /= n % twice ? 1 : 2; break;
        case 2: add(s->decoder, ", diaglstm %d", n = c * size_up_to(2 * most)); break;
        default: add(s->decoder, ", res(diaglstm %d)", n); break;
        }
        if (chance(30)) add(s->decoder, ", tanh");
    }
}

/* From the latents to something of the size of an image, now and then with a head of its own. */
static void grow_decoder(setup *s, grown *g, const grown *image, int latent) {
    if (chance(15)) {
        grow_pixels(s, image);
        return;
    }
    g->h = g->w = 1, g->c = latent, g->flat = 1;
    grow(g, s->decoder, below(4), 0);
    if (chance(40) && !image->flat && image->h % 2 == 0 && image->w % 2 == 0) {
        const int c = size_up_to(6);
        add(s->decoder, "%sdense %d relu, reshape %dx%dx%d, ", s->decoder[0] ? ", " : "",
            image->h * image->w / 4 * c, image->h / 2, image->w / 2, c);
        if (chance(50)) add(s->decoder, "upsample 2, conv %d 3x3", image->c);
        else add(s->decoder, "convt %d %dx%d/2", image->c, between(2, 4), between(2, 4));
    } else if (chance(20)) {
        add(s->decoder, "%sdense %d", s->decoder[0] ? ", " : "", dim(image));
    }
}

/* ---- settings ---- */

/* A value for one field that is meant to be accepted. */
static void choose_field(vae_desc *d, const vae__field *f) {
    int count = 0;
    switch (f->kind) {
    case VAE__CHOICE:
        while (vae_choice_name((vae_choice)f->choice, count)) count++;
        *vae__field_int(d, f) = below(count);
        break;
    case VAE__FLAG: *vae__field_int(d, f) = 1; break;
    case VAE__INT: *vae__field_int(d, f) = (int)f->low + below(6); break;
    case VAE__U64: *vae__field_u64(d, f) = chance(90) ? (uint64_t)between(1, 20) : rng(); break;
    case VAE__REAL: {
        const double high = f->high < 2 ? f->high : 2;
        *vae__field_real(d, f) = f->low + (chance(50) ? unit() : unit() * unit()) * (high - f->low);
        break;
    }
    default: break;
    }
}

/* The first word of a row of a table. */
static void add_kind(char *text, vae_table table) {
    const char *syntax;
    int count = 0;
    while (vae_kind_syntax(table, count, NULL)) count++;
    syntax = vae_kind_syntax(table, below(count), NULL);
    add(text, "%.*s", (int)strcspn(syntax, " "), syntax);
}
static void choose_posterior(setup *s) {
    char *to = s->posterior;
    if (chance(15)) {
        if (chance(60)) add(to, "categorical %d", between(2, 5));
        else add(to, "fsq %d", between(2, 9));
        return;
    }
    add(to, chance(25) ? "normal full" : "normal");
    if (!to[6]) {
        if (chance(50)) add(to, " %s", vae__deviation_names[between(1, 3)]);
        if (chance(50)) {
            add(to, " code");
            add_act(to, 100);
        }
    }
    if (chance(25)) add(to, ", planar %d", size_up_to(4));
    else if (chance(30)) add(to, ", iaf %d %d", size_up_to(20), size_up_to(3));
}
static void choose_kinds(setup *s) {
    if (chance(40)) {
        add_kind(s->likelihood, VAE_TABLE_LIKELIHOOD);
        if (!strcmp(s->likelihood, "categorical")) add(s->likelihood, " %d", between(2, 8));
        else if (!strcmp(s->likelihood, "logistic_mixture"))
            add(s->likelihood, " %d", size_up_to(4));
        else if (strcmp(s->likelihood, "bernoulli") && !strchr(s->likelihood, 'p') && chance(50) &&
                 s->likelihood[0] != 'c')
            add(s->likelihood, " %.9g", chance(50) ? 1e-12 + unit() : 2 * unit() * unit() + 1e-12);
    }
    if (chance(50)) choose_posterior(s);
    if (chance(20)) add(s->prior, chance(50) ? "mixture %d" : chance(50) ? "vamp %d" : "mixture %d full",
                        size_up_to(5));
}

/* Settings that exclude each other would be refused most of the time. */
static void reconcile(setup *s) {
    vae_desc *d = &s->d;
    int i;
    if (s->posterior[0] && strchr("cf", s->posterior[0])) s->prior[0] = 0, d->objective = VAE_OBJECTIVE_ELBO;
    if (s->posterior[0] != 'c') d->straight_through = 0, d->temperature_steps = 0;
    if (s->prior[0] == 'v' && (strchr(s->posterior, ',') || strstr(s->posterior, "full")))
        s->prior[0] = 0;
    if (s->prior[0] || strpbrk(s->posterior, ",gq")) { /* no KL in closed form, or no mu */
        d->free_bits = d->sparse = d->contract = 0, d->no_noise = 0;
        if (d->objective == VAE_OBJECTIVE_DREG) d->objective = VAE_OBJECTIVE_IWAE;
    }
    if (d->objective != VAE_OBJECTIVE_ELBO)
        d->no_noise = d->no_kl = d->no_recon = 0, d->free_bits = 0;
    if (d->no_kl) d->no_recon = 0, d->free_bits = 0;
    if (!d->warmup_steps) d->cycle_steps = 0;
    if (d->corruption > 1) d->corruption /= 2;
    if (d->schedule == VAE_SCHEDULE_COSINE && !d->lr_steps) d->lr_steps = (uint64_t)between(1, 30);
    if (d->schedule == VAE_SCHEDULE_STAGES) {
        d->stage_count = size_up_to(VAE_MAX_STAGES);
        for (i = 0; i < d->stage_count; i++)
            d->stages[i].steps = (uint64_t)between(1, 9), d->stages[i].lr = unit() / 50;
    }
    if (d->lr > 0.1 && chance(80)) d->lr /= 100; /* seldom a run that diverges */
}

static double strange_real(void) {
    static const double reals[] = {-1, 1e-300, 1e300, 4.9e-324, -0.0, 1, 0.9999999999, 1e6, 1e30};
    const int n = (int)(sizeof reals / sizeof *reals), i = below(n + 3);
    if (i == n) return vae__double_of(0x7ff0000000000000u);
    if (i == n + 1) return vae__double_of(0x7ff8000000000000u);
    return i == n + 2 ? vae__double_of(rng()) : reals[i];
}

static void spoil_text(char *text) {
    static const char marks[] = "(),x/ 0123456789-.e%nadmp\\\"\001\377";
    const size_t n = strlen(text);
    const char mark = marks[below((int)sizeof marks - 1)];
    size_t at = n ? (size_t)below((int)n + 1) : 0;
    if (n + 2 >= TEXT_ROOM) at = n - 1;
    if (chance(40) && n > 1) text[at ? at - 1 : 0] = mark;
    else if (chance(50)) text[at] = 0;
    else if (n + 2 < TEXT_ROOM) memmove(text + at + 1, text + at, n + 1 - at), text[at] = mark;
}

/* One field made strange: most of these must be refused. */
static void spoil(setup *s) {
    static const int ints[] = {-1, 2, 77777, 16777217, 2147483647, -2147483647 - 1, 257, 65537};
    const vae__field *f = &vae__fields[below(VAE__STORED_COUNT)];
    const int odd = chance(30) ? (int)(uint32_t)rng() : ints[below(8)];
    switch (f->kind) {
    case VAE__KIND:
        spoil_text(chance(40) ? s->likelihood : chance(70) ? s->posterior : s->prior);
        break;
    case VAE__TEXT:
        spoil_text(chance(50) ? s->encoder : chance(50) ? s->decoder : s->input);
        break;
    case VAE__REAL: *vae__field_real(&s->d, f) = strange_real(); break;
    case VAE__U64: *vae__field_u64(&s->d, f) = rng(); break;
    case VAE__STAGES:
        if (chance(50)) s->d.stage_count = odd;
        else s->d.stages[below(VAE_MAX_STAGES)].lr = strange_real();
        break;
    default: *vae__field_int(&s->d, f) = odd; break;
    }
}

static void choose_shape(setup *s, grown *image) {
    memset(image, 0, sizeof *image);
    image->room = large ? 6000 : 700;
    image->h = image->w = 1, image->flat = 1, image->c = size_up_to(large ? 900 : 60);
    if (chance(25)) {
        add(s->input, "%d", image->c);
    } else {
        image->flat = 0;
        image->h = size_up_to(large ? 32 : 14);
        image->w = chance(50) ? image->h : size_up_to(14);
        image->c = chance(70) ? 1 : between(1, 4);
        add(s->input, image->c == 1 && chance(50) ? "%dx%d" : "%dx%dx%d", image->h, image->w,
            image->c);
    }
}

/* `z N`, N the latents, so that the decoder's string fits behind it. */
static void add_layer_of_draws(setup *s) {
    char behind[TEXT_ROOM];
    vae_desc *d = &s->d;
    const int n = d->latent;
    strcpy(behind, s->decoder);
    add(s->encoder, "%sz %d, dense %d tanh", s->encoder[0] ? ", " : "", n, size_up_to(8));
    s->decoder[0] = 0;
    add(s->decoder, "dense %d tanh, z %d%s%s", size_up_to(8), n, behind[0] ? ", " : "", behind);
    d->free_bits = d->sparse = d->contract = 0, d->no_noise = 0;
    if (d->objective == VAE_OBJECTIVE_DREG) d->objective = VAE_OBJECTIVE_IWAE;
}

static void choose(uint64_t seed, setup *s) {
    static const int types[] = {VAE_F32, VAE_U8, VAE_F32, VAE_F64, VAE_I16, VAE_I8, VAE_I32};
    grown image, g;
    int i;
    rng_state = seed * 0x2545f4914f6cdd1du + 7;
    memset(s, 0, sizeof *s);
    large = chance(12);
    choose_shape(s, &image);
    for (i = 0; i < VAE__STORED_COUNT; i++)
        if (vae__fields[i].kind != VAE__TEXT && chance(22)) choose_field(&s->d, &vae__fields[i]);
    choose_kinds(s);
    reconcile(s);
    s->d.latent = size_up_to(12);
    g = image;
    grow(&g, s->encoder, below(5), 0);
    grow_decoder(s, &g, &image, s->d.latent);
    if (chance(10)) add_layer_of_draws(s);
    if (chance(3)) strcpy(s->encoder, "?");
    if (chance(3)) strcpy(s->decoder, "?");
    s->images = large ? between(1, 150) : size_up_to(40);
    s->d.batch = chance(20) ? 1 : large ? between(1, 200) : size_up_to(50);
    s->d.epochs = between(1, 4);
    if ((s->images + s->d.batch - 1) / s->d.batch * s->d.epochs > 24) s->images = 1 + s->images / 4;
    s->type = types[below(7)];
    s->rows = large ? between(1, 90) : size_up_to(30);
    s->steps = chance(25) ? between(1, 12) : 0;
    s->stop = between(1, 12);
    s->threads = between(2, 8), s->parts = chance(90) ? between(1, 16) : between(17, 256);
    s->load_batch = chance(30) ? 0 : size_up_to(20);
    s->file = chance(25);
    if (chance(15)) spoil(s);
    s->tests = chance(30) || s->d.patience || s->d.schedule == VAE_SCHEDULE_PLATEAU
               ? size_up_to(20) : 0; /* these two ask for a test set */
    if (s->d.epochs > 6 && s->d.epochs <= 1000000000) s->d.epochs = 6; /* right, but endless */
    settle(s);
}

/* ---- printing one ---- */

static void print_string(const char *text) {
    putchar('"');
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') printf("\\%c", c);
        else if (c < ' ' || c > '~') printf("\\%03o", c);
        else putchar(c);
    }
    putchar('"');
}

static void print_field(const vae_desc *desc, const vae__field *f) {
    vae_desc d = *desc;
    int i;
    switch (f->kind) {
    case VAE__TEXT: case VAE__KIND:
        if (!*vae__field_text(&d, f)) break;
        printf("    d.%s = ", f->name);
        print_string(*vae__field_text(&d, f));
        printf(";\n");
        break;
    case VAE__REAL:
        if (vae__bits_d(*vae__field_real(&d, f)))
            printf("    d.%s = %.17g;\n", f->name, *vae__field_real(&d, f));
        break;
    case VAE__U64:
        if (*vae__field_u64(&d, f))
            printf("    d.%s = %llu;\n", f->name, (unsigned long long)*vae__field_u64(&d, f));
        break;
    case VAE__STAGES:
        if (d.stage_count) printf("    d.stage_count = %d;\n", d.stage_count);
        for (i = 0; i < d.stage_count && i < VAE_MAX_STAGES; i++)
            printf("    d.stages[%d].steps = %llu, d.stages[%d].lr = %.17g;\n", i,
                   (unsigned long long)d.stages[i].steps, i, d.stages[i].lr);
        break;
    default:
        if (*vae__field_int(&d, f)) printf("    d.%s = %d;", f->name, *vae__field_int(&d, f));
        else break;
        if (f->kind == VAE__CHOICE) {
            const char *word = vae_choice_name((vae_choice)f->choice, *vae__field_int(&d, f));
            printf(" /* %s */", word ? word : "no such choice");
        }
        printf("\n");
        break;
    }
}

static void print_setup(const setup *s) {
    int i;
    printf("    vae_desc d = {0};\n");
    for (i = 0; i < VAE__STORED_COUNT; i++) print_field(&s->d, &vae__fields[i]);
    printf("    /* %d images of type 0x%02x, %d test images, %d rows; ", s->images, s->type,
           s->tests, s->rows);
    if (s->steps) printf("%d calls of vae_train_step; ", s->steps);
    else printf("vae_fit; ");
    printf("stopped at call %d;\n       %d threads, %d parts, loaded with batch %d%s */\n", s->stop,
           s->threads, s->parts, s->load_batch, s->file ? ", by way of a file" : "");
}

/* ---- what a run gives ---- */

enum { MOST_FACTS = 60 };

typedef struct outcome {
    int count;
    struct { const char *name; uint64_t value; } fact[MOST_FACTS];
} outcome;

/* What went wrong: `way` is the way of running, the first word of the sentence. */
typedef struct verdict {
    int failed, refused, compared, diverged;
    char way[24], text[400];
} verdict;
static verdict *result; /* shared with the process that runs a configuration */

static void fail(const char *way, const char *format, ...) {
    va_list args;
    if (result->failed) return; /* the first is what counts */
    result->failed = 1;
    snprintf(result->way, sizeof result->way, "%s", way);
    va_start(args, format);
    vsnprintf(result->text, sizeof result->text, format, args);
    va_end(args);
}

static void note(outcome *o, const char *name, uint64_t value) {
    if (o->count == MOST_FACTS) abort();
    o->fact[o->count].name = name, o->fact[o->count++].value = value;
}

/* Every fact of `got` that `want` has too is the same. */
static void compare(const char *way, const outcome *want, const outcome *got) {
    int i, k = 0, same = 0;
    for (i = 0; i < got->count; i++) {
        for (k = 0; k < want->count && strcmp(want->fact[k].name, got->fact[i].name); k++) {}
        if (k == want->count) continue;
        same++;
        if (want->fact[k].value != got->fact[i].value)
            fail(way, "%s: %s gives %016llx, the plain run %016llx", way, got->fact[i].name,
                 (unsigned long long)got->fact[i].value, (unsigned long long)want->fact[k].value);
    }
    if (!same) fail(way, "%s: nothing was compared", way);
    result->compared += same;
}

/* ---- data ---- */

static void make_data(const setup *s, vae_data *data, int count, size_t item, uint64_t seed,
                      int classes) {
    const int wide = !strncmp(s->likelihood, "gaussian", 8);
    const size_t n = (size_t)count * item, dims[2] = {(size_t)count, item};
    int32_t *labels = (int32_t *)malloc(((size_t)count + 1) * sizeof *labels);
    double *block = (double *)malloc((n + 1) * sizeof *block); /* wide enough for every type */
    size_t i;
    vae_report r;
    rng_state = seed;
    for (i = 0; i < n; i++) {
        const uint64_t u = rng();
        double x = (double)(u >> 40) / 16777216.0;
        if ((u & 3) == 0) x = (double)(u >> 8 & 255) / 255;
        if ((u & 7) == 1) x = (double)(u >> 8 & 1);
        if (wide && (u & 15) > 5) x = 4 * x - 2;
        switch (s->type) {
        case VAE_F64: block[i] = x; break;
        case VAE_F32: ((float *)block)[i] = (float)x; break;
        case VAE_I32: ((int32_t *)block)[i] = (int32_t)(uint32_t)u; break;
        case VAE_I16: ((int16_t *)block)[i] = (int16_t)((int)(u & 65535) - 32768); break;
        default: ((unsigned char *)block)[i] = (unsigned char)(u >> 8); break;
        }
    }
    for (i = 0; i < (size_t)count; i++) labels[i] = classes ? below(classes) : 0;
    if (vae_data_wrap((vae_type)s->type, 2, dims, block, data, &r)) {
        fail("data", "data: %s", r.text);
        memset(data, 0, sizeof *data);
    }
    data->labels = labels;
}
static void free_data(vae_data *data) {
    free((void *)(uintptr_t)data->bytes);
    free((void *)(uintptr_t)data->labels);
}

typedef struct sets {
    vae_data train, test;
    float *x;               /* (rows, input_dim): images one after another, over and over */
    int32_t *labels;        /* (rows) */
    size_t rows, input, latent, outputs, eps, units;
    int classes;
} sets;

static void make_sets(const setup *s, const vae *m, sets *t) {
    vae_info info;
    size_t i;
    memset(t, 0, sizeof *t);
    vae_get_info(m, &info);
    t->input = info.input_dim, t->latent = info.code, t->outputs = info.outputs;
    t->eps = info.eps, t->units = info.units;
    t->classes = info.classes;
    t->rows = (size_t)s->rows;
    make_data(s, &t->train, s->images, t->input, 11, t->classes);
    make_data(s, &t->test, s->tests ? s->tests : 1, t->input, 12, t->classes);
    t->x = (float *)malloc(t->rows * t->input * sizeof *t->x);
    t->labels = (int32_t *)malloc(t->rows * sizeof *t->labels);
    for (i = 0; i < t->rows; i++) {
        const size_t image = i % (size_t)s->images;
        if (vae_data_read(&t->train, image, 1, t->x + i * t->input)) fail("data", "data: read");
        t->labels[i] = t->train.labels[image];
    }
}
static void free_sets(sets *t) {
    free_data(&t->train), free_data(&t->test);
    free(t->x), free(t->labels);
}

/* ---- training ---- */

typedef struct watch {
    uint64_t hash;
    int calls, stop_at;     /* stop_at 0: never */
} watch;

static uint64_t mix_stats(uint64_t hash, const vae_stats *s) {
    const double all[5] = {s->elbo, s->recon, s->kl, s->bound, s->loss};
    hash = vae__hash(hash, (const unsigned char *)all, sizeof all);
    return hash ^ s->images;
}

static int on_progress(vae *m, const vae_progress *p, void *user) {
    watch *w = (watch *)user;
    (void)m;
    w->hash = mix_stats(w->hash, &p->train) * 3 + p->step + 1000 * p->epoch + p->images;
    if (p->has_test) w->hash = mix_stats(w->hash, &p->test);
    return ++w->calls == w->stop_at;
}

/* All rows of x with the classes of the set, numbered from `first`. */
static vae_batch of(const sets *t, const float *x, uint32_t first) {
    vae_batch b;
    memset(&b, 0, sizeof b);
    b.x = x, b.rows = t->rows, b.first = first, b.labels = t->labels, b.label_count = t->rows;
    return b;
}

/* Trains to the end, or to the stop. A model that has begun goes on. */
static vae_status train(const setup *s, sets *t, vae *m, watch *w) {
    vae_status status = VAE_OK;
    const size_t batch = s->d.batch ? (size_t)s->d.batch : 128;
    const size_t most = t->rows < batch ? t->rows : batch;
    vae_info info;
    uint64_t step;
    if (!s->steps) return vae_fit(m, &t->train, s->tests ? &t->test : NULL, on_progress, w);
    vae_get_info(m, &info);
    for (step = info.step; !status && step < (uint64_t)s->steps; step++) {
        const size_t rows = 1 + (size_t)(step * 7) % most;
        uint32_t index[256];
        vae_batch b;
        vae_stats stats;
        size_t i;
        for (i = 0; i < rows; i++) index[i] = (uint32_t)(step * 5 + i * i);
        b = of(t, t->x, 0);
        b.rows = rows, b.index = step & 1 ? index : NULL;
        status = vae_train_step(m, &b, &stats);
        if (!status) w->hash = mix_stats(w->hash, &stats);
        if (++w->calls == w->stop_at) return VAE_STOPPED;
    }
    return status;
}

/* ---- using a model ---- */

/* What a call wrote, or that it left its output alone. */
static void note_floats(outcome *o, const char *name, vae_status status, const float *out,
                        size_t n) {
    size_t i;
    if (status) {
        for (i = 0; i < n; i++)
            if (vae__bits_f(out[i]) != 0x5a5a5a5a)
                fail("outputs", "outputs: %s fails (%s) and changes its output", name,
                     vae_status_text(status));
        note(o, name, (uint64_t)status);
    } else {
        note(o, name, vae__hash(VAE__FNV, (const unsigned char *)out, n * sizeof *out));
    }
}

static float *blank(float *out, size_t n) {
    memset(out, 0x5a, n * sizeof *out);
    return out;
}

static void use_latents(vae *m, const sets *t, outcome *o, float *z, float *out) {
    const size_t rows = t->rows, n = rows * t->input;
    vae_batch b = of(t, NULL, 77);
    vae_status status = vae_prior(m, &b, 5, z);
    b.x = z;
    if (status) fail("use", "use: vae_prior: %s", vae_last_report(m)->text);
    note_floats(o, "decode", vae_decode(m, &b, blank(out, n)), out, n);
    note_floats(o, "sample", vae_sample_prior(m, &b, 5, blank(out, n)), out, n);
    b.first = 3;
    note_floats(o, "draw", vae_draw(m, &b, 9, blank(out, n)), out, n);
    status = vae_decode_logits(m, &b, blank(out, rows * t->outputs));
    note_floats(o, "logits", status, out, rows * t->outputs);
}

static void use_images(vae *m, const sets *t, outcome *o, float *z, float *out) {
    const size_t rows = t->rows, n = rows * t->latent, noise = rows * t->eps;
    float *mu = blank(out, 2 * n), *logvar = mu + n, *elbo, *kl;
    size_t i;
    vae_batch b = of(t, t->x, 40);
    vae_status status = vae_encode(m, &b, mu, logvar);
    note_floats(o, "mu", status, mu, n);
    note_floats(o, "logvar", status, logvar, n);
    for (i = 0; i < noise; i++) z[i] = (float)(i % 7) - 3;
    b.eps = z;
    note_floats(o, "posterior", vae_posterior(m, &b, blank(out, n)), out, n);
    b.eps = NULL;
    status = vae_reconstruct(m, &b, blank(out, rows * t->input));
    note_floats(o, "reconstruct", status, out, rows * t->input);
    elbo = blank(out, 3 * rows), kl = elbo + 2 * rows;
    status = vae_score(m, &b, elbo, elbo + rows, kl);
    note_floats(o, "elbo", status, elbo, rows);
    note_floats(o, "recon", status, elbo + rows, rows);
    note_floats(o, "kl", status, kl, rows);
    note_floats(o, "bound", vae_bound(m, &b, 3, blank(out, rows)), out, rows);
    for (i = 0; i < 2; i++) { /* half of it, whole pixels of up to four channels */
        const uint64_t seed = 11;
        status = vae_complete(m, &b, t->input / 24 * 12, i ? NULL : &seed,
                              blank(out, rows * t->input));
        note_floats(o, i ? "most probable" : "complete", status, out, rows * t->input);
    }
}

/* Everything that a model is asked after training. */
static void use(const setup *s, sets *t, vae *m, outcome *o) {
    const size_t n = t->rows * (t->input + t->outputs + 2 * t->latent + t->eps + 4);
    float *z = (float *)malloc(n * sizeof *z), *out = (float *)malloc(n * sizeof *out);
    double *units = (double *)calloc(2 * t->units, sizeof *units);
    vae_stats stats;
    vae_status status;
    note(o, "params_hash", vae_params_hash(m));
    use_latents(m, t, o, z, out);
    use_images(m, t, o, z, out);
    if (s->d.ema > 0) {
        vae_batch b = of(t, NULL, 0);
        b.no_ema = 1;
        status = vae_sample_prior(m, &b, 6, blank(out, t->rows * t->input));
        note_floats(o, "sample without average", status, out, t->rows * t->input);
    }
    status = vae_evaluate(m, s->tests ? &t->test : &t->train, &stats);
    note(o, "evaluate", status ? (uint64_t)status : mix_stats(VAE__FNV, &stats));
    status = vae_units(m, &t->train, units, units + t->units);
    if (status == VAE_ERR_STATE) /* there is no KL of each latent */
        status = vae_units(m, &t->train, NULL, units + t->units);
    note(o, "units", status ? (uint64_t)status
                            : vae__hash(VAE__FNV, (const unsigned char *)units,
                                        2 * t->units * sizeof *units));
    free(z), free(out), free(units);
}

/* ---- files ---- */

static char folder[300];

static unsigned char *save(vae *m, int flags, size_t *size, outcome *o) {
    unsigned char *bytes = NULL;
    vae_status status = vae_save_size(m, flags, size);
    if (!status) {
        bytes = (unsigned char *)malloc(*size);
        status = vae_save_memory(m, flags, bytes, *size);
    }
    if (status) free(bytes), bytes = NULL;
    note(o, flags ? "file of weights" : "file",
         status ? (uint64_t)status : vae__hash(VAE__FNV, bytes, *size));
    return bytes;
}

/* The bytes of a file are those in memory, and nothing else is left in the folder. */
static void through_file(vae *m, const unsigned char *bytes, size_t size, vae **loaded) {
    char path[320];
    unsigned char *got = (unsigned char *)malloc(size + 1);
    vae_report r;
    struct dirent *entry;
    DIR *dir;
    FILE *f;
    int entries = 0;
    snprintf(path, sizeof path, "%s/m.safetensors", folder);
    if (vae_save(m, path, 0)) fail("file", "file: vae_save: %s", vae_last_report(m)->text);
    f = fopen(path, "rb");
    if (!f || fread(got, 1, size + 1, f) != size || memcmp(got, bytes, size))
        fail("file", "file: it does not hold the bytes of vae_save_memory");
    if (f) fclose(f);
    if (vae_load(path, NULL, loaded, &r)) fail("file", "file: vae_load: %s", r.text);
    dir = opendir(folder);
    while (dir && (entry = readdir(dir)) != NULL) entries += entry->d_name[0] != '.';
    if (dir) closedir(dir);
    if (entries != 1) fail("file", "file: %d files are in the folder, not 1", entries);
    remove(path);
    free(got);
}

/* ---- ways of running ---- */

/* Parts in an order of its own: the last first, then in strides. */
static void mixed_up(void (*job)(void *arg, int part), void *arg, int parts, void *user) {
    int *calls = (int *)user, stride = 7, i, at = parts - 1;
    while (parts % stride == 0) stride += 4;
    for (i = 0; i < parts; i++, at = (at + stride) % parts) job(arg, at);
    ++*calls;
}

typedef struct counter {
    size_t blocks, bytes, calls;
} counter;
static void *count_alloc(size_t size, void *user) {
    counter *c = (counter *)user;
    unsigned char *p = (unsigned char *)malloc(size + 32);
    if (!p) return NULL;
    c->blocks++, c->bytes += size, c->calls++;
    memset(p + 16 + size, 0xc3, 16);
    return p + 16;
}
static void count_release(void *at, size_t size, void *user) {
    counter *c = (counter *)user;
    unsigned char *p = (unsigned char *)at - 16;
    size_t i;
    for (i = 0; i < 16; i++)
        if (p[16 + size + i] != 0xc3) fail("memory", "memory: written behind a block's end");
    c->blocks--, c->bytes -= size;
    free(p);
}
static vae_allocator counting(counter *c) {
    vae_allocator a;
    memset(c, 0, sizeof *c);
    a.alloc = count_alloc, a.release = count_release, a.user = c;
    return a;
}

/* A whole run with this description, and what came of it. Gives the file to the caller when
 * asked. */
static void run(const char *way, const setup *s, const vae_desc *d, sets *t, outcome *o,
                unsigned char **file, size_t *file_size, void *block, size_t block_size) {
    vae *m = NULL;
    vae_report r;
    watch w = {VAE__FNV, 0, 0};
    vae_status status = block ? vae_create_in(d, block, block_size, &m, &r)
                              : vae_create(d, &m, &r);
    unsigned char *bytes;
    size_t size;
    o->count = 0;
    if (status) {
        fail(way, "%s: the plain run is accepted, this refused: %s", way, r.text);
        return;
    }
    if (!t->x) make_sets(s, m, t);
    status = train(s, t, m, &w);
    note(o, "status of training", (uint64_t)status);
    /* the settings and the data are right; but not every last layer has a bias to set */
    if (status && status != VAE_ERR_NONFINITE && !(status == VAE_ERR_STATE && d->visible_bias))
        fail(way, "%s: training: %s", way, vae_last_report(m)->text);
    note(o, "report of training",
         vae__hash(VAE__FNV, (const unsigned char *)vae_last_report(m)->text,
                   status ? strlen(vae_last_report(m)->text) : 0));
    note(o, "progress", w.hash);
    result->diverged |= status != VAE_OK;
    if (!status) {
        use(s, t, m, o);
        bytes = save(m, 0, &size, o);
        if (file) *file = bytes, *file_size = size;
        else free(bytes);
        free(save(m, VAE_SAVE_WEIGHTS_ONLY, &size, o));
    }
    vae_destroy(m);
}

/* Stopped, saved, loaded, gone on with. */
static void run_resumed(const setup *s, sets *t, const outcome *want) {
    vae_desc d = s->d;
    vae_load_options options;
    vae *m = NULL, *loaded = NULL;
    vae_report r;
    watch w = {VAE__FNV, 0, 0};
    vae_status status;
    outcome o;
    unsigned char *bytes;
    size_t size;
    o.count = 0;
    w.stop_at = s->stop;
    if (vae_create(&d, &m, &r)) fail("resumed", "resumed: create: %s", r.text);
    if (!m) return;
    status = train(s, t, m, &w);
    if (status == VAE_OK || status == VAE_STOPPED) {
        bytes = save(m, 0, &size, &o);
        o.count = 0;
        vae_destroy(m);
        m = NULL;
        memset(&options, 0, sizeof options);
        options.threads = s->threads & 1 ? s->threads : 0;
        if (bytes) status = vae_load_memory(bytes, size, &options, &loaded, &r);
        if (!bytes || status) fail("resumed", "resumed: load: %s", bytes ? r.text : "not saved");
        if (loaded) {
            w.stop_at = 0;
            status = train(s, t, loaded, &w);
            note(&o, "status of training", (uint64_t)status);
            note(&o, "progress", w.hash);
            if (!status) {
                use(s, t, loaded, &o);
                free(save(loaded, 0, &size, &o));
            }
            compare("resumed", want, &o);
        }
        vae_destroy(loaded);
        free(bytes);
    }
    vae_destroy(m);
}

/* A model that shares the weights of m, in a block of NaN. */
static void run_shared(const setup *s, sets *t, const outcome *want, const vae *m) {
    vae_load_options options;
    vae *shared = NULL;
    vae_report r;
    vae_info info;
    outcome o;
    o.count = 0;
    memset(&options, 0, sizeof options);
    options.batch = s->load_batch;
    if (vae_share(m, &options, &shared, &r)) fail("shared", "shared: %s", r.text);
    else {
        vae_get_info(shared, &info);
        vae_destroy(shared);
        options.memory_size = info.memory, options.memory = malloc(info.memory);
        memset(options.memory, 0xff, info.memory);
        if (vae_share(m, &options, &shared, &r)) fail("shared", "shared: %s", r.text);
        use(s, t, shared, &o);
        compare("shared", want, &o);
        vae_destroy(shared);
        free(options.memory);
    }
}

/* The file for use: in a block of exactly the size said, with the parameters where they lie. */
static void run_loaded(const setup *s, sets *t, const outcome *want, const unsigned char *bytes,
                       size_t size) {
    unsigned char *own = (unsigned char *)malloc(size + 8), *block;
    int borrow;
    memcpy(own, bytes, size);
    for (borrow = 0; borrow < 2; borrow++) {
        vae_load_options options;
        const char *way = borrow ? "borrowed" : "loaded";
        vae *m = NULL;
        vae_report r;
        size_t need = 0;
        outcome o;
        o.count = 0;
        memset(&options, 0, sizeof options);
        options.inference = 1, options.borrow = borrow, options.batch = s->load_batch;
        if (vae_load_size(own, size, &options, &need, &r)) fail(way, "%s: size: %s", way, r.text);
        block = (unsigned char *)malloc(need + 1);
        options.memory = block, options.memory_size = need;
        if (vae_load_memory(own, size, &options, &m, &r)) fail(way, "%s: %s", way, r.text);
        if (m) {
            vae_batch b = of(t, t->x, 0);
            b.rows = 1;
            use(s, t, m, &o);
            compare(way, want, &o);
            if (!borrow) run_shared(s, t, want, m);
            if (vae_train_step(m, &b, NULL) != VAE_ERR_STATE)
                fail(way, "%s: a model for use trains", way);
        }
        vae_destroy(m);
        free(block);
        if (memcmp(own, bytes, size)) fail(way, "%s: the bytes of the file were changed", way);
    }
    free(own);
}

/* Saved again the bytes are the same; by way of a file too. Images one by one give the same. */
static void run_again(const setup *s, sets *t, const outcome *want, const unsigned char *bytes,
                      size_t size) {
    vae *m = NULL, *other = NULL;
    vae_report r;
    outcome o;
    vae_batch b;
    float one[3], *z = (float *)malloc(2 * t->rows * t->latent * sizeof *z);
    float *mu = z + t->rows * t->latent;
    size_t size2, i;
    int scores;
    o.count = 0;
    if (vae_load_memory(bytes, size, NULL, &m, &r)) fail("again", "again: %s", r.text);
    if (m) {
        free(save(m, 0, &size2, &o));
        compare("again", want, &o);
        if (s->file) through_file(m, bytes, size, &other);
        b = of(t, t->x, 40);
        if (vae_encode(m, &b, mu, NULL)) mu = NULL;
        scores = !vae_score(m, &b, NULL, NULL, NULL); /* weights may have grown too large */
        for (i = 0; mu && i < t->rows; i++) {
            b.x = t->x + i * t->input, b.rows = 1, b.first = 40 + (uint32_t)i;
            b.labels = t->labels + i, b.label_count = 1;
            if (vae_encode(m, &b, z, NULL) ||
                memcmp(z, mu + i * t->latent, t->latent * sizeof *z))
                fail("one", "one: image %d alone has another code than among others", (int)i);
            if (scores && vae_score(m, &b, one, one + 1, one + 2))
                fail("one", "one: score: %s", vae_last_report(m)->text);
        }
    }
    if (other && vae_params_hash(other) != vae_params_hash(m))
        fail("file", "file: other parameters");
    vae_destroy(m), vae_destroy(other);
    free(z);
}

/* In the caller's block of exactly vae_size bytes, at an odd address. */
static void run_in_block(const setup *s, sets *t, const outcome *want, size_t need) {
    unsigned char *block = (unsigned char *)malloc(need + 64), *at = block + 1 + s->stop;
    outcome o;
    vae *m = NULL;
    vae_report r;
    size_t i;
    memset(block, 0xc3, need + 64);
    if (vae_create_in(&s->d, at, need - 1, &m, &r) != VAE_ERR_SIZE || m)
        fail("block", "block: a block that lacks a byte is accepted");
    run("block", s, &s->d, t, &o, NULL, NULL, at, need);
    compare("block", want, &o);
    for (i = 0; i < need + 64; i++)
        if (block + i < at || block + i >= at + need)
            if (block[i] != 0xc3) fail("block", "block: written outside of it");
    free(block);
}

static void run_ways(const setup *s, sets *t, const outcome *want) {
    vae_desc d;
    outcome o;
    counter c;
    vae_pool *pool = NULL;
    int isa, calls = 0;
    for (isa = VAE_ISA_PORTABLE + 1; isa < VAE_ISA_COUNT; isa++) {
        if (!vae_isa_available((vae_isa)isa)) continue;
        d = s->d, d.isa = (vae_isa)isa;
        run(vae_choice_name(VAE_CHOICE_ISA, isa), s, &d, t, &o, NULL, NULL, NULL, 0);
        compare(vae_choice_name(VAE_CHOICE_ISA, isa), want, &o);
    }
    d = s->d, d.isa = VAE_ISA_AUTO;
    d.threads = s->parts & 1 ? -s->threads : s->threads; /* negative: as many as there are */
    run("threads", s, &d, t, &o, NULL, NULL, NULL, 0);
    compare("threads", want, &o);
    d = s->d, d.isa = VAE_ISA_AUTO, d.keep_gradients = 1;
    d.parallel.run = mixed_up, d.parallel.parts = s->parts, d.parallel.user = &calls;
    d.allocator = counting(&c);
    run("hook", s, &d, t, &o, NULL, NULL, NULL, 0);
    compare("hook", want, &o);
    if (c.blocks || c.bytes) fail("memory", "memory: %d blocks are left", (int)c.blocks);
    if (c.calls != 1) fail("memory", "memory: %d blocks, not 1", (int)c.calls);
    if (vae_pool_create(s->threads, NULL, &pool, NULL)) return;
    d = s->d, d.isa = VAE_ISA_AUTO, d.parallel = vae_pool_parallel(pool);
    run("pool", s, &d, t, &o, NULL, NULL, NULL, 0);
    compare("pool", want, &o);
    vae_pool_destroy(pool);
}

/* What the library refuses is refused everywhere, with a sentence, and no model comes of it. */
static void run_refused(const setup *s, vae_status status, const vae_report *r) {
    vae *m = NULL;
    vae_report again;
    char block[64];
    result->refused = 1;
    if (r->status != status || strlen(r->text) < 10 || strlen(r->text) >= sizeof r->text)
        fail("refused", "refused: %s, with the sentence \"%.200s\"", vae_status_text(status),
             r->text);
    if (status == VAE_ERR_NULL || status == VAE_ERR_MEMORY || status >= VAE_STATUS_COUNT)
        fail("refused", "refused: as %s", vae_status_text(status));
    if (vae_create(&s->d, &m, &again) != status || m || strcmp(again.text, r->text))
        fail("refused", "refused: vae_size says \"%.150s\", vae_create \"%.150s\"", r->text,
             again.text);
    if (vae_create_in(&s->d, block, sizeof block, &m, NULL) == VAE_OK || m)
        fail("refused", "refused: vae_create_in accepts it");
}

enum { MOST_MEMORY = 1 << 25 };

/* The comparison that is wrong on purpose, to see that the smallest failing one is found. */
static int broken;
static int breaks(const setup *s) {
    return strstr(s->encoder, "conv ") && s->d.latent > 2 && s->images > 3;
}

static void run_all(const setup *s) {
    vae_desc d = s->d;
    vae_report r;
    sets t;
    outcome want;
    unsigned char *bytes = NULL;
    size_t need = 0, size = 0;
    vae_status status;
    memset(&t, 0, sizeof t);
    memset(&r, 0, sizeof r);
    status = vae_size(&d, &need, &r);
    if (status) {
        run_refused(s, status, &r);
        return;
    }
    if (need > MOST_MEMORY) {
        result->refused = 1;
        return;
    }
    if (broken) {
        if (breaks(s)) fail("broken", "broken: as it is meant to be");
        return;
    }
    d.isa = VAE_ISA_PORTABLE;
    run("plain", s, &d, &t, &want, &bytes, &size, NULL, 0);
    if (t.x && !result->failed) {
        run_ways(s, &t, &want);
        run_in_block(s, &t, &want, need);
        run_resumed(s, &t, &want);
        if (bytes) {
            run_loaded(s, &t, &want, bytes, size);
            run_again(s, &t, &want, bytes, size);
        }
    }
    free(bytes);
    free_sets(&t);
}

enum { MOST_SECONDS = 60 };

/* In a process of its own: the verdict comes back through shared memory. */
static void judge(const setup *from, verdict *out) {
    setup s = *from;
    pid_t child;
    int status = 0;
    memset(result, 0, sizeof *result);
    settle(&s);
    fflush(stdout);
    child = fork();
    if (child == 0) {
        const struct rlimit limit = {MOST_SECONDS, MOST_SECONDS + 1};
        setrlimit(RLIMIT_CPU, &limit); /* the processor's time: others may be at work here */
        alarm(30 * MOST_SECONDS);
        run_all(&s);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        fprintf(stderr, "random: a process cannot be made\n");
        exit(2);
    }
    if (WIFSIGNALED(status)) {
        const int late = WTERMSIG(status) == SIGALRM || WTERMSIG(status) == SIGXCPU;
        fail("signal", "signal: %d%s", WTERMSIG(status), late ? " (it does not end)" : "");
    } else if (WEXITSTATUS(status)) {
        fail("exit", "exit: status %d", WEXITSTATUS(status)); /* a sanitizer's report is above */
    }
    *out = *result;
}

/* ---- making a failing configuration smaller ---- */

/* The item at top level that begins at `text`: its length, without the comma. */
static size_t item_length(const char *text) {
    int depth = 0;
    size_t n = 0;
    for (; text[n] && (depth || text[n] != ','); n++) depth += (text[n] == '(') - (text[n] == ')');
    return n;
}

/* Takes `n` characters at `at` out of `text`, and puts `with` there. */
static void splice(char *text, size_t at, size_t n, const char *with) {
    char made[TEXT_ROOM];
    snprintf(made, sizeof made, "%.*s%s%s", (int)at, text, with, text + at + n);
    memcpy(text, made, sizeof made);
}

/* Smaller text number k: 0 when there are no more. Items are left out, groups opened, words
 * (activations) left out, numbers made smaller. */
static int smaller_text(char *text, int k) {
    size_t at, n;
    char number[24];
    if (k == 0) {
        strcpy(text, "");
        return 1;
    }
    k--;
    for (at = 0; text[at]; at += n + (text[at + n] == ',')) {
        n = item_length(text + at);
        if (k-- == 0) {
            if (text[at + n] == ',') n += text[at + n + 1] == ' ' ? 2 : 1;
            else if (at) at--, n++;
            splice(text, at, n, "");
            return 1;
        }
    }
    for (at = 0; text[at]; at++) {
        if (!strncmp(text + at, "res(", 4)) {
            int depth = 1;
            for (n = at + 4; text[n] && depth; n++) depth += (text[n] == '(') - (text[n] == ')');
            if (k-- == 0) {
                if (!depth) splice(text, n - 1, 1, "");
                splice(text, at, 4, "");
                return 1;
            }
        } else if (!strncmp(text + at, " pad ", 5) && k-- == 0) { /* with its number */
            splice(text, at, 5 + strspn(text + at + 5, "0123456789"), "");
            return 1;
        } else if (strchr(", x", text[at])) { /* what follows, up to the next one */
            for (n = at + 1; text[n] && !strchr(" ,()x", text[n]); n++) {}
            if (k-- == 0) {
                splice(text, at, n - at, "");
                return 1;
            }
        } else if (text[at] >= '0' && text[at] <= '9' &&
                   (!at || text[at - 1] < '0' || text[at - 1] > '9')) {
            const int value = atoi(text + at), tries[3] = {1, value / 2, value - 1};
            for (n = 0; text[at + n] >= '0' && text[at + n] <= '9'; n++) {}
            if (k < 3) {
                snprintf(number, sizeof number, "%d", tries[k] < value ? tries[k] : value);
                splice(text, at, n, number);
                return 1;
            }
            k -= 3;
        }
    }
    return 0;
}

/* Back to the default, then to 1, half, one less. */
static int smaller_int(int *value, int least, int k) {
    const int tries[4] = {least, 1, *value / 2, *value - 1};
    if (k > 3) return 0;
    if (tries[k] >= least && tries[k] < *value) *value = tries[k];
    else if (k == 0) *value = least;
    return 1;
}

static int smaller_field(setup *s, const vae__field *f, int k) {
    switch (f->kind) {
    case VAE__TEXT: case VAE__KIND: return 0;
    case VAE__U64:
        if (k > 1) return 0;
        if (*vae__field_u64(&s->d, f) > (uint64_t)k) *vae__field_u64(&s->d, f) = (uint64_t)k;
        return 1;
    case VAE__REAL:
        if (k > 1) return 0;
        if (vae__bits_d(*vae__field_real(&s->d, f))) *vae__field_real(&s->d, f) = k;
        return 1;
    case VAE__STAGES:
        if (k > 1) return 0;
        if (s->d.stage_count > k) s->d.stage_count = k;
        if (!s->d.stage_count) memset(s->d.stages, 0, sizeof s->d.stages);
        if (!s->d.stage_count && s->d.schedule == VAE_SCHEDULE_STAGES)
            s->d.schedule = VAE_SCHEDULE_CONSTANT;
        return 1;
    default: return smaller_int(vae__field_int(&s->d, f), 0, k);
    }
}

/* Smaller configuration number k of `s`, in place: 0 when there are no more. */
static int smaller(setup *s, int k) {
    int *const numbers[] = {&s->images, &s->tests, &s->rows, &s->stop, &s->steps, &s->threads,
                            &s->parts, &s->load_batch, &s->file};
    static const int least[] = {1, 0, 1, 1, 0, 2, 1, 0, 0};
    char *const texts[] = {s->encoder, s->decoder, s->input, s->likelihood, s->posterior,
                           s->prior};
    enum { PER_TEXT = 200, PER_NUMBER = 4, TEXTS = sizeof texts / sizeof *texts };
    int i;
    if (k < TEXTS * PER_TEXT) return smaller_text(texts[k / PER_TEXT], k % PER_TEXT) ? 1 : 2;
    k -= TEXTS * PER_TEXT;
    i = k / PER_NUMBER;
    if (i < VAE__STORED_COUNT) return smaller_field(s, &vae__fields[i], k % PER_NUMBER) ? 1 : 2;
    i -= VAE__STORED_COUNT;
    if (i < (int)(sizeof least / sizeof *least))
        return smaller_int(numbers[i], least[i], k % PER_NUMBER) ? 1 : 2;
    if (i > (int)(sizeof least / sizeof *least)) return 0;
    s->type = VAE_F32;
    return 1;
}

static int same_setup(const setup *a, const setup *b) {
    vae_desc x = a->d, y = b->d;
    x.input = x.encoder = x.decoder = y.input = y.encoder = y.decoder = NULL;
    x.likelihood = x.posterior = x.prior = y.likelihood = y.posterior = y.prior = NULL;
    return !memcmp(&x, &y, sizeof x) && !strcmp(a->input, b->input) &&
           !strcmp(a->encoder, b->encoder) && !strcmp(a->decoder, b->decoder) &&
           !strcmp(a->likelihood, b->likelihood) && !strcmp(a->posterior, b->posterior) &&
           !strcmp(a->prior, b->prior) &&
           !memcmp(&a->images, &b->images, sizeof *a - offsetof(setup, images));
}

/* Makes `s` smaller as long as it fails in the same way; *v becomes its verdict. */
static int shrink(setup *s, verdict *v) {
    const time_t until = time(NULL) + 120; /* each try takes long where the failure is a hang */
    int tries = 0, k = 0, found = 1, more;
    while (found && time(NULL) < until) {
        found = 0;
        for (k = 0; time(NULL) < until; k++) {
            setup next = *s;
            verdict got;
            more = smaller(&next, k);
            if (!more) break;
            if (more == 2 || same_setup(s, &next)) continue;
            settle(&next);
            tries++;
            judge(&next, &got);
            if (!got.failed || strcmp(got.way, v->way)) continue;
            *s = next, *v = got;
            settle(s);
            found = 1;
            k--; /* the same reduction again */
        }
    }
    return tries;
}

static void report(uint64_t seed, setup *s, verdict *v) {
    int tries;
    printf("FAIL configuration of seed %llu: %s\n", (unsigned long long)seed, v->text);
    print_setup(s);
    tries = shrink(s, v);
    printf("  the smallest that fails so, after %d tries: %s\n", tries, v->text);
    print_setup(s);
    fflush(stdout);
}

/* With the comparison that is wrong on purpose: what is left is what it asks for, and no more. */
static int shrinker_works(void) {
    uint64_t seed;
    setup s;
    verdict v;
    int good;
    broken = 1;
    for (seed = 1; choose(seed, &s), judge(&s, &v), !v.failed || strlen(s.encoder) < 60; seed++) {}
    (void)shrink(&s, &v);
    good = v.failed && !strncmp(s.encoder, "conv 1 1x1", 10) && !s.decoder[0] &&
           !strcmp(s.input, "1") && s.d.latent == 3 && s.images == 4 && !s.tests && !s.steps &&
           s.rows == 1 && !s.d.batch && !s.d.epochs && s.d.lr <= 0 && !s.file;
    if (good) printf("ok the smallest failing configuration is found\n");
    else printf("FAIL the smallest failing configuration is not found:\n"), print_setup(&s);
    broken = 0;
    return good;
}

int main(int argc, char **argv) {
    const int show = argc > 2 && !strcmp(argv[1], "--show");
    uint64_t count = 300, seed = 1, i, refused = 0, compared = 0, failed = 0, diverged = 0;
    const char *base = getenv("TMPDIR");
    double began = (double)time(NULL);
    if (argc > 1 && !show) count = strtoull(argv[1], NULL, 10);
    if (argc > 2) seed = strtoull(argv[2], NULL, 10);
    if (show) count = 1;
    result = (verdict *)mmap(NULL, sizeof *result, PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    snprintf(folder, sizeof folder, "%s/vae-random-XXXXXX", base && *base ? base : "/tmp");
    if (result == MAP_FAILED || !mkdtemp(folder)) return 2;
    for (i = 0; i < count; i++) {
        setup s;
        verdict v;
        choose(seed + i, &s);
        if (show) print_setup(&s);
        judge(&s, &v);
        refused += (uint64_t)v.refused, compared += (uint64_t)v.compared;
        diverged += (uint64_t)v.diverged;
        if (!v.failed) continue;
        report(seed + i, &s, &v);
        if (++failed == 5) count = i + 1; /* these say enough */
    }
    if (!shrinker_works()) failed++;
    rmdir(folder);
    printf("%llu configurations from seed %llu: %llu ran (%llu ended with a number that is not "
           "finite), %llu were refused; %llu comparisons, %.0f s\n",
           (unsigned long long)count, (unsigned long long)seed,
           (unsigned long long)(count - refused), (unsigned long long)diverged,
           (unsigned long long)refused, (unsigned long long)compared,
           (double)time(NULL) - began);
    printf("%llu passed, %llu failed\n", (unsigned long long)(count + 1 - failed),
           (unsigned long long)failed);
    return failed != 0;
}
