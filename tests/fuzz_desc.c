/* libFuzzer target: every setting of a vae_desc from bytes, rubbish included.
 *     clang -g -O1 -fsanitize=fuzzer,address,undefined -DVAE_ONLY_PORTABLE tests/fuzz_desc.c \
 *         -o fuzz_desc
 *     ./fuzz_desc -max_len=4096 work tests/seeds/desc
 * vae_size and vae_create agree; what is refused says why; a small model is used, trained, saved
 * and loaded again. Every setting goes to text and back. What is left of the bytes is a setting by
 * its name and a line of settings. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "fuzz.h"

static const char *const nets[] = {
    "", "dense 3 relu", "dense 4 tanh, dense 2", "conv 2 3x3 relu", "batchnorm, dropout 0.5",
    "res(dense 4 relu, layernorm), noise 0.1", "label 3, dense 2 gelu", "flatten", "sigmoid",
    "convt 2 2x2/2, maxpool 2", "upsample 2, avgpool 2", "reshape 2x2x1, conv 1 3x3",
    "z 2, dense 2", "image, maskconv 2 3x3 a, gated",
    "image, maskconv 4 3x3 a, diaglstm 4",
};
static const char *const inputs[] = {"4", "2x2", "2x2x1", "1x1x4", "4x4x2", "1"};
enum { NETS = sizeof nets / sizeof *nets, INPUTS = sizeof inputs / sizeof *inputs };

static void in_turn(void (*job)(void *arg, int part), void *arg, int parts, void *user) {
    int i;
    (void)user;
    for (i = parts - 1; i >= 0; i--) job(arg, i);
}

/* One of a list, none at all, or what the bytes say. */
static const char *text(const char *const *list, unsigned count, char *room, size_t size) {
    const unsigned which = fuzz_byte();
    if (which < 200) return list[which % count];
    if (which < 205) return NULL;
    fuzz_line(room, size);
    return room;
}

static const char *const kinds[] = {
    "bernoulli", "gaussian", "gaussian 0.01", "gaussian 3fb999999999999a", "gaussian_learned 2",
    "gaussian_pixel", "continuous_bernoulli", "logistic 1e-3", "logistic_pixel", "categorical 3",
    "logistic_mixture 2", "categorical", "normal", "normal abs", "normal softplus code tanh",
    "normal code gelu", "normal relu", "normal full", "normal, planar 2", "normal full, iaf 3 2", "categorical 2",
    "fsq 3", "fsq 4 3", "none", "mixture 2", "vamp 3",
    "mixture 2 full"};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static void one_field(vae_desc *d, const vae__field *f) {
    static char rooms[VAE_TABLE_COUNT][4097];
    unsigned i;
    switch (f->kind) {
    case VAE__TEXT: break;
    case VAE__KIND: *vae__field_text(d, f) = text(kinds, KINDS, rooms[f->choice], 4097); break;
    case VAE__REAL: *vae__field_real(d, f) = fuzz_real(); break;
    case VAE__U64: *vae__field_u64(d, f) = fuzz_word(1 + (int)fuzz_below(8)); break;
    case VAE__STAGES:
        d->stage_count = fuzz_byte() < 200 ? (int)fuzz_below(18) : fuzz_int();
        for (i = 0; i < VAE_MAX_STAGES && fuzz_byte() < 128; i++)
            d->stages[i].steps = fuzz_word(2), d->stages[i].lr = fuzz_real();
        break;
    case VAE__CHOICE:
        *vae__field_int(d, f) = fuzz_byte() < 220 ? (int)fuzz_below(9) : fuzz_int();
        break;
    default: *vae__field_int(d, f) = fuzz_int(); break;
    }
}

/* What vae_desc_get writes vae_desc_set reads, to the bit; what either refuses leaves all as it was. */
static void to_text_and_back(const vae_desc *d) {
    static char text[4200];
    vae_report r;
    int i;
    for (i = 0; i < VAE__FIELD_COUNT; i++) {
        const vae__field *f = &vae__fields[i];
        vae_desc e, again;
        const vae_status status = vae_desc_get(d, f->name, text, sizeof text, &r);
        memset(&e, 0, sizeof e), memset(&again, 0, sizeof again);
        if (status) {
            fuzz_refused(status, &r);
            continue;
        }
        FUZZ_CHECK(!vae_desc_set(&e, f->name, text, &r));
        if (f->kind == VAE__REAL)
            FUZZ_CHECK(!memcmp(vae__field_real(&e, f), (const char *)d + f->offset, 8));
        if (f->kind == VAE__STAGES)
            FUZZ_CHECK(!memcmp(e.stages, d->stages, (size_t)d->stage_count * sizeof *d->stages));
        if (f->kind == VAE__INT)
            FUZZ_CHECK(!memcmp(vae__field_int(&e, f), (const char *)d + f->offset, sizeof(int)));
        FUZZ_CHECK(!vae_desc_set(&again, f->name, text, &r) && !memcmp(&e, &again, sizeof e));
    }
}

static void by_name(void) {
    static char name[4200], value[4200];
    const unsigned which = fuzz_byte();
    vae_desc d, before;
    vae_report r;
    vae_status status;
    double read;
    fuzz_line(name, sizeof name);
    fuzz_line(value, sizeof value);
    memset(&d, 0, sizeof d);
    before = d;
    status = vae_desc_set(&d, which < 200 ? vae__fields[which % VAE__FIELD_COUNT].name : name,
                          value, &r);
    if (status) {
        fuzz_refused(status, &r);
        FUZZ_CHECK(!memcmp(&d, &before, sizeof d));
    } else {
        to_text_and_back(&d);
    }
    FUZZ_CHECK(vae__read_decimal(value, &read) <= strlen(value));
}

static void by_line(void) {
    static char line[4200], cut[4200], room[VAE__LINE_ROOM];
    vae_desc d;
    vae *m = NULL;
    vae_report r;
    size_t need;
    vae_status status;
    fuzz_line(line, sizeof line);
    memset(&d, 0, sizeof d);
    strcpy(cut, line);
    status = vae__set_line(cut, room, VAE__FIELD_COUNT, &d, &r);
    if (!status) status = vae_size(&d, &need, &r);
    if (status) fuzz_refused(status, &r);
    else if (need > fuzz_room / 2 || d.threads > 3 || d.threads < -3) return;
    FUZZ_CHECK(vae_create_text(line, &m, &r) == status && !m == (status != VAE_OK));
    vae_destroy(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static char rooms[3][4097];
    vae_desc d;
    vae *m = NULL;
    vae_report r, r2;
    size_t need = 0;
    vae_status status;
    unsigned i;
    fuzz_begin(bytes, size);
    memset(&d, 0, sizeof d);
    d.input = text(inputs, INPUTS, rooms[0], sizeof rooms[0]);
    d.encoder = text(nets, NETS, rooms[1], sizeof rooms[1]);
    d.decoder = text(nets, NETS, rooms[2], sizeof rooms[2]);
    d.latent = 2, d.batch = 3; /* unless the bytes say otherwise: small ones are used */
    for (i = 0; i < 64 && fuzz_at < fuzz_last; i++) {
        const unsigned which = fuzz_byte();
        if (which < 240) one_field(&d, &vae__fields[which % VAE__STORED_COUNT]);
        else if (which < 243) d.inference = fuzz_int();
        else if (which < 246) d.keep_gradients = fuzz_int();
        else if (which < 248) d.threads = fuzz_int();
        else if (which < 252) d.parallel.run = in_turn, d.parallel.parts = fuzz_int();
        else *(int *)&d.isa = fuzz_int();
    }
    if (d.threads > 3 && d.threads <= VAE_MAX_THREADS) d.threads = 3; /* threads take long */
    if (d.threads < -3 && d.threads >= -VAE_MAX_THREADS) d.threads = -3;
    d.allocator = fuzz_allocator();
    to_text_and_back(&d);
    status = vae_size(&d, &need, &r);
    if (status) fuzz_refused(status, &r);
    if (status || need < fuzz_room / 2) {
        const vae_status made = vae_create(&d, &m, &r2);
        FUZZ_CHECK(made == status || (!status && made == VAE_ERR_MEMORY)); /* of a pool */
        FUZZ_CHECK(!made == (m != NULL));
        if (made == status && status) FUZZ_CHECK(!strcmp(r.text, r2.text));
    }
    if (m) {
        vae_info info;
        vae_get_info(m, &info);
        FUZZ_CHECK(info.memory == need);
        if (fuzz_is_small(m)) {
            fuzz_use(m);
            fuzz_round_trip(m, d.inference ? VAE_SAVE_WEIGHTS_ONLY : 0);
        }
    }
    vae_destroy(m);
    by_name();
    by_line();
    fuzz_end();
    return 0;
}
