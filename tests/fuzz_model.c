/* libFuzzer target: model files whose settings, positions, shapes, names and numbers were changed,
 * and whose lengths and checksums are right all the same, so that the loader goes deep.
 *     clang -g -O1 -fsanitize=fuzzer,address,undefined -DVAE_ONLY_PORTABLE tests/fuzz_model.c \
 *         -o fuzz_model
 *     ./fuzz_model -max_len=4096 -len_control=0 work tests/seeds/model
 * The first byte says which of a few models to begin with, the rest is a row of edits. What loads
 * is used, trained, saved and loaded again. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "fuzz.h"

#include <inttypes.h>

/* ---- the models to begin with ---- */

enum { BASES = 14, ITEMS = 64, FACTS = 16, TENSORS = 64, TEXT = 1700, MOST_DATA = 1 << 18 };

static void base_desc(unsigned which, vae_desc *d) {
    memset(d, 0, sizeof *d);
    d->input = "2x2x1", d->encoder = d->decoder = "", d->latent = 1, d->batch = 2;
    switch (which) {
    case 1: d->encoder = d->decoder = "dense 2 tanh", d->ema = 0.5; break;
    case 2: d->encoder = "conv 2 2x2 relu, batchnorm", d->optimizer = VAE_OPTIMIZER_SGD; break;
    case 3: d->encoder = "label 3, dense 2", d->likelihood = "gaussian_learned"; break;
    case 4: d->decoder = "dense 4, reshape 2x2x1, convt 1 2x2"; break;
    case 5: d->input = "4", d->encoder = "res(layernorm relu, dense 4), dropout 0.5"; break;
    case 6:
        d->objective = VAE_OBJECTIVE_IWAE, d->samples = 2;
        d->likelihood = "logistic_pixel";
        d->schedule = VAE_SCHEDULE_STAGES, d->stage_count = 2;
        d->stages[0].steps = 3, d->stages[0].lr = 0.1, d->stages[1].steps = 1;
        break;
    case 7:
        d->likelihood = "categorical 3";
        d->schedule = VAE_SCHEDULE_PLATEAU, d->warmup_steps = 5, d->cycle_steps = 9, d->sparse = 0.1;
        break;
    case 8: d->latent = 2, d->posterior = "normal full, iaf 2 1", d->prior = "mixture 2"; break;
    case 9:
        d->latent = 2, d->posterior = "normal, planar 1", d->encoder = d->decoder = "z 2";
        break;
    case 10: d->prior = "vamp 2", d->encoder = "dense 2 tanh"; break;
    case 11:
        d->posterior = "categorical 3", d->temperature_steps = 3, d->straight_through = 1;
        break;
    case 12:
        d->latent = 2, d->posterior = "fsq 3 2";
        d->decoder = "dense 4, reshape 2x2x1, image, maskconv 2 3x3 a";
        break;
    case 13: d->posterior = "none", d->decoder = "image, maskconv 2 3x3 a, gated, diaglstm 1"; break;
    default: break;
    }
}

/* ---- a file in its pieces ---- */

typedef struct piece {
    char name[TEXT], value[TEXT];
} piece;
typedef struct tensor {
    char name[TEXT], dtype[16];
    int rank;
    size_t number;          /* its place in the model's order, in which the data are hashed */
    uint64_t shape[8], begin, end;
} tensor;
static piece items[ITEMS], facts[FACTS];
static tensor tensors[TENSORS];
static size_t item_count, fact_count, tensor_count;
static unsigned char data[MOST_DATA];
static size_t data_size;
static char desc_line[65536];

/* "name SEPARATOR value" up to `end`. */
static const char *cut(const char *at, const char *between, const char *end, piece *p) {
    const char *middle = strstr(at, between) + strlen(between), *last = strstr(middle, end);
    snprintf(p->name, TEXT, "%.*s", (int)(middle - strlen(between) - at), at);
    snprintf(p->value, TEXT, "%.*s", (int)(last - middle), middle);
    return last + strlen(end);
}

/* The writer's own spelling is known, so strings are enough. */
static void take_apart(const unsigned char *bytes, size_t size) {
    const size_t header = (size_t)vae__get_le32(bytes);
    char *text = (char *)malloc(header + 8);
    const char *at;
    piece p;
    memcpy(text, bytes + 8, header);
    strcpy(text + header, "\"}; ");
    item_count = fact_count = tensor_count = 0;
    at = text + strlen("{\"__metadata__\":{\"");
    while (at[-1] != '}') { /* "key":"value" and a comma */
        piece *f = &facts[fact_count++];
        const char *quote;
        FUZZ_CHECK(fact_count < FACTS);
        at = cut(at, "\":\"", "\"", f);
        quote = at++;
        if (*quote == ',') at++;
    }
    snprintf(desc_line, sizeof desc_line, "%s; ", facts[1].value);
    FUZZ_CHECK(!strcmp(facts[1].name, "vae.desc"));
    for (at = desc_line; *at; ) at = cut(at, "=", "; ", &items[item_count++]);
    at = text + 1;
    at = strstr(at, "\"}") + 2;
    while (*at == ',') {
        tensor *t = &tensors[tensor_count++];
        FUZZ_CHECK(tensor_count < TENSORS);
        at = cut(at + 2, "\":{\"dtype\":\"", "\"", &p);
        memcpy(t->name, p.name, TEXT);
        t->number = tensor_count - 1;
        snprintf(t->dtype, sizeof t->dtype, "%s", p.value);
        at = strstr(at, "[") + 1;
        for (t->rank = 0; *at != ']'; t->rank++, at += *at == ',')
            t->shape[t->rank] = strtoull(at, (char **)(uintptr_t)&at, 10);
        at = strstr(at + 1, "[") + 1;
        t->begin = strtoull(at, (char **)(uintptr_t)&at, 10);
        t->end = strtoull(at + 1, (char **)(uintptr_t)&at, 10);
        at += 2;
    }
    data_size = size - 8 - header;
    memcpy(data, bytes + 8 + header, data_size);
    free(text);
}

static void begin_with(unsigned which) {
    static unsigned char *files[BASES];
    static size_t sizes[BASES];
    if (!files[which]) {
        static const float x[8] = {0, 1, 0.5f, 0.25f, 1, 1, 0, 0};
        static const int32_t label[1];
        vae_desc d;
        vae *m;
        vae_batch batch;
        base_desc(which, &d);
        FUZZ_CHECK(!vae_create(&d, &m, NULL));
        memset(&batch, 0, sizeof batch);
        batch.x = x, batch.rows = 2, batch.labels = label, batch.label_count = 1;
        FUZZ_CHECK(!vae_train_step(m, &batch, NULL) && !vae_save_size(m, 0, &sizes[which]));
        files[which] = (unsigned char *)malloc(sizes[which]);
        FUZZ_CHECK(!vae_save_memory(m, 0, files[which], sizes[which]));
        vae_destroy(m);
    }
    take_apart(files[which], sizes[which]);
}

/* ---- edits ---- */

/* Bytes of the input as they stand in JSON. */
static void quoted_line(char *out) {
    char raw[260];
    size_t i, n = 0;
    fuzz_line(raw, sizeof raw);
    for (i = 0; raw[i]; i++) {
        const unsigned char c = (unsigned char)raw[i];
        if (c < 32 || c == '"' || c == '\\') n += (size_t)sprintf(out + n, "\\u%04x", c);
        else if (c < 128) out[n++] = (char)c;
        else n += (size_t)sprintf(out + n, "\\u00%02x", c);
    }
    out[n] = 0;
}

static void new_text(char *value) {
    static const char *const nets[] = {
        "", "dense 3", "dense 2 relu, dense 3 tanh", "conv 1 3x3/2", "flatten", "reshape 1x2x2",
        "label 3", "res(dense 4)", "batchnorm", "2x2", "4", "1x4x1", "4x4x1", "dense 100000",
    };
    const unsigned how = fuzz_byte();
    if (how < 200) strcpy(value, nets[how % (sizeof nets / sizeof *nets)]);
    else quoted_line(value);
}

static void edit_item(void) {
    piece *p = &items[fuzz_below((unsigned)item_count)];
    const vae__field *f = vae__find_field(p->name);
    const char *word;
    unsigned i, n;
    if (!f) return;
    switch (f->kind) {
    case VAE__TEXT: new_text(p->value); break;
    case VAE__KIND:
        word = vae_kind_syntax((vae_table)f->choice, (int)fuzz_below(9), NULL);
        snprintf(p->value, TEXT, "%s", word ? word : "none");
        break;
    case VAE__CHOICE:
        word = vae_choice_name((vae_choice)f->choice, (int)fuzz_below(9));
        snprintf(p->value, TEXT, "%s", word ? word : "none");
        break;
    case VAE__U64: snprintf(p->value, TEXT, "%" PRIu64, fuzz_word(1 + (int)fuzz_below(8))); break;
    case VAE__REAL: snprintf(p->value, TEXT, "%016" PRIx64, vae__bits_d(fuzz_real())); break;
    case VAE__STAGES:
        for (n = 0, i = fuzz_below(18), p->value[0] = 0; i; i--)
            n += (unsigned)sprintf(p->value + n, "%s%" PRIu64 ":%016" PRIx64, n ? "," : "",
                                   fuzz_word(2), vae__bits_d(fuzz_real()));
        break;
    default: snprintf(p->value, TEXT, "%d", fuzz_int()); break;
    }
}

/* One number of a position: those in front of it and behind stay. */
static void edit_fact(void) {
    piece *p = &facts[fuzz_below((unsigned)fact_count)];
    unsigned skip = fuzz_below(6), at = 0, n;
    char made[TEXT], number[24];
    if (!strcmp(p->name, "vae.desc")) return;
    for (; skip && strchr(p->value + at, ' '); skip--)
        at = (unsigned)(strchr(p->value + at, ' ') - p->value) + 1;
    n = (unsigned)strcspn(p->value + at, " ");
    if (n == 16) sprintf(number, "%016" PRIx64, vae__bits_d(fuzz_real()));
    else sprintf(number, "%" PRIu64, fuzz_byte() < 200 ? fuzz_below(8) : fuzz_word(8));
    snprintf(made, TEXT, "%.*s%s%s", (int)at, p->value, number, p->value + at + n);
    strcpy(p->value, made);
}

static void edit_tensor(void) {
    tensor *t = &tensors[fuzz_below((unsigned)tensor_count)];
    tensor *u = &tensors[fuzz_below((unsigned)tensor_count)], other;
    const unsigned how = fuzz_below(8);
    if (how == 0 || how == 1) {
        if (t->rank) t->shape[fuzz_below((unsigned)t->rank)] = fuzz_word(how ? 8 : 1);
    } else if (how == 2) {
        t->rank = (int)fuzz_below(6);
    } else if (how == 3) { /* another order in the header */
        other = *t, *t = *u, *u = other;
    } else if (how == 4) {
        memcpy(other.name, t->name, TEXT), memcpy(t->name, u->name, TEXT);
        memcpy(u->name, other.name, TEXT);
        other.number = t->number, t->number = u->number, u->number = other.number;
    } else if (how == 5) {
        quoted_line(t->name);
    } else if (how == 6) {
        *t = tensors[--tensor_count];
        if (!tensor_count) tensor_count = 1;
    } else if (tensor_count < TENSORS - 1) {
        tensors[tensor_count++] = *t;
        tensors[tensor_count - 1].number = TENSORS;
        snprintf(tensors[tensor_count - 1].name, TEXT, "new%u", (unsigned)tensor_count);
    }
}

static void edit_number(void) {
    static const uint32_t words[] = {0, 0x3f800000, 0xbf800000, 0x7f7fffff, 0xff7fffff, 1,
                                     0x7f800000, 0x7fc00000, 0x80000000, 0x00800000};
    const size_t at = (size_t)fuzz_word(2) * 4;
    const uint32_t u = fuzz_byte() < 200 ? words[fuzz_below(10)] : (uint32_t)fuzz_word(4);
    int i;
    if (at + 4 > data_size) return;
    for (i = 0; i < 4; i++) data[at + (size_t)i] = (unsigned char)(u >> 8 * i);
}

static void edit_all(void) {
    unsigned i;
    for (i = 0; i < 60 && fuzz_at < fuzz_last; i++) {
        const unsigned what = fuzz_below(16);
        if (what < 7) edit_item();
        else if (what < 10) edit_fact();
        else if (what < 12) edit_tensor();
        else if (what < 14) edit_number();
        else if (what == 14 && item_count > 1) {
            item_count--;
            items[fuzz_below((unsigned)item_count)] = items[item_count];
        } else if (what == 15 && item_count < ITEMS - 1) {
            quoted_line(items[item_count].name);
            new_text(items[item_count++].value);
        }
    }
}

/* ---- together again ---- */

/* Offsets that follow from the shapes, and as many numbers as they ask for. */
static void lay_out(void) {
    size_t total = 0, i, k;
    for (i = 0; i < tensor_count; i++) {
        size_t n = 4;
        for (k = 0; k < (size_t)tensors[i].rank; k++) {
            if (tensors[i].shape[k] > MOST_DATA) return;
            n *= (size_t)tensors[i].shape[k];
            if (n > MOST_DATA) return;
        }
        total += n;
    }
    if (total > MOST_DATA || !data_size) return;
    for (i = data_size; i < total; i++) data[i] = data[i - data_size];
    data_size = total;
    for (i = total = 0; i < tensor_count; i++) {
        size_t n = 4;
        for (k = 0; k < (size_t)tensors[i].rank; k++) n *= (size_t)tensors[i].shape[k];
        tensors[i].begin = total, tensors[i].end = total += n;
    }
}

/* Of the data, in the model's order. */
static uint64_t data_hash(void) {
    uint64_t hash = VAE__FNV;
    size_t n, i;
    for (n = 0; n < TENSORS; n++)
        for (i = 0; i < tensor_count; i++) {
            const tensor *t = &tensors[i];
            if (t->number == n && t->begin <= t->end && t->end <= data_size)
                hash = vae__hash(hash, data + t->begin, (size_t)(t->end - t->begin));
        }
    return hash;
}

static unsigned char *put_together(size_t *size) {
    const size_t room = 4096 + data_size + (item_count + fact_count + tensor_count) * 2 * TEXT;
    unsigned char *bytes = (unsigned char *)malloc(room);
    char *text = (char *)bytes + 8;
    size_t n = 0, i, k;
    n += (size_t)sprintf(text + n, "{\"__metadata__\":{");
    for (i = 0; i < fact_count; i++) {
        n += (size_t)sprintf(text + n, "%s\"%s\":\"", i ? "," : "", facts[i].name);
        if (!strcmp(facts[i].name, "vae.desc"))
            for (k = 0; k < item_count; k++)
                n += (size_t)sprintf(text + n, "%s%s=%s", k ? "; " : "", items[k].name,
                                     items[k].value);
        else if (!strcmp(facts[i].name, "vae.data_hash"))
            n += (size_t)sprintf(text + n, "%016" PRIx64, data_hash());
        else n += (size_t)sprintf(text + n, "%s", facts[i].value);
        n += (size_t)sprintf(text + n, "\"");
    }
    n += (size_t)sprintf(text + n, "}");
    for (i = 0; i < tensor_count; i++) {
        const tensor *t = &tensors[i];
        n += (size_t)sprintf(text + n, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[", t->name, t->dtype);
        for (k = 0; k < (size_t)t->rank; k++)
            n += (size_t)sprintf(text + n, "%s%" PRIu64, k ? "," : "", t->shape[k]);
        n += (size_t)sprintf(text + n, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", t->begin,
                             t->end);
    }
    n += (size_t)sprintf(text + n, "}");
    while ((n + 8) % 64) text[n++] = ' ';
    for (i = 0; i < 8; i++) bytes[i] = (unsigned char)(n >> 8 * i);
    memcpy(bytes + 8 + n, data, data_size);
    *size = 8 + n + data_size;
    return bytes;
}

/* ---- what is done with it ---- */

static int stop_soon(vae *m, const vae_progress *p, void *user) {
    (void)m, (void)p;
    return ++*(int *)user == 4;
}

/* Going on from wherever the file says that training is. */
static void go_on(vae *m, const vae_info *info) {
    const size_t dims[2] = {3, info->input_dim};
    static const int32_t labels[3];
    uint8_t *pixels = (uint8_t *)calloc(3, info->input_dim);
    vae_data images;
    int calls = 0;
    FUZZ_CHECK(!vae_data_wrap(VAE_U8, 2, dims, pixels, &images, NULL));
    images.labels = labels;
    (void)vae_fit(m, &images, &images, stop_soon, &calls);
    FUZZ_CHECK(calls <= 4);
    free(pixels);
}

static void load(const unsigned char *bytes, size_t size, const vae_load_options *options) {
    vae_report r;
    vae *m = NULL;
    size_t need = 0;
    vae_info info;
    vae_status status = vae_load_size(bytes, size, options, &need, &r);
    if (status) fuzz_refused(status, &r);
    memset(&r, 0x5a, sizeof r);
    status = vae_load_memory(bytes, size, options, &m, &r);
    FUZZ_CHECK(!status == (m != NULL));
    if (status) {
        fuzz_refused(status, &r);
        return;
    }
    vae_get_info(m, &info);
    FUZZ_CHECK(info.memory == need);
    if (fuzz_is_small(m)) {
        const int flags = options->inference ? VAE_SAVE_WEIGHTS_ONLY : 0;
        fuzz_use(m);
        fuzz_round_trip(m, flags);
        if (!options->inference) go_on(m, &info);
        fuzz_round_trip(m, flags);
    }
    vae_destroy(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    vae_load_options options;
    unsigned char *file;
    size_t file_size;
    unsigned how;
    fuzz_begin(bytes, size);
    begin_with(fuzz_below(BASES));
    how = fuzz_byte();
    memset(&options, 0, sizeof options);
    if (how & 1) options.batch = fuzz_int();
    if (how & 2) options.max_memory = (size_t)fuzz_word(3);
    edit_all();
    if (!(how & 4)) lay_out();
    file = put_together(&file_size);
    if (file_size > 4096) { /* the file is what the library is given */
        fuzz_room *= 1 + file_size / 4096;
        fuzz_seconds *= 1 + (double)(file_size / 4096);
    }
    options.allocator = fuzz_allocator();
    load(file, file_size, &options);
    options.inference = options.borrow = 1;
    load(file, file_size, &options);
    free(file);
    fuzz_end();
    return 0;
}
