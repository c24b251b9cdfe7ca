/* What the fuzz targets share: a limit on memory and on time, and an order on the input.
 *
 *   FUZZ_CHECK(condition)   ends the run where it does not hold, saying which
 *   fuzz_begin, fuzz_end    around what one input makes: 64 MB and a second of processor time for
 *                           each 4 KB of it, and no block left behind
 *   fuzz_allocator          memory within the limit; NULL beyond it
 *   fuzz_byte ...           the input as a row of choices; zeros behind its end
 *
 * Time is counted as this process's processor time, under the sanitizers, so that a busy machine
 * changes nothing. Included after vae.h with its implementation. */
#ifndef VAE_FUZZ_H
#define VAE_FUZZ_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FUZZ_CHECK(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
            __builtin_trap(); \
        } \
    } while (0)

static const uint8_t *fuzz_at, *fuzz_last;      /* what is left of the input */
static size_t fuzz_blocks, fuzz_used, fuzz_room;
static double fuzz_seconds, fuzz_began;

static double fuzz_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *fuzz_alloc(size_t size, void *user) {
    void *p;
    (void)user;
    if (size > fuzz_room - fuzz_used) return NULL;
    p = malloc(size + !size);
    if (p) fuzz_blocks++, fuzz_used += size;
    return p;
}

static void fuzz_release(void *p, size_t size, void *user) {
    (void)user;
    fuzz_blocks--, fuzz_used -= size;
    free(p);
}

static inline vae_allocator fuzz_allocator(void) {
    vae_allocator a;
    a.alloc = fuzz_alloc, a.release = fuzz_release, a.user = NULL;
    return a;
}

static inline void fuzz_begin(const uint8_t *bytes, size_t size) {
    const size_t pieces = (size + 4095) / 4096;
    fuzz_at = bytes, fuzz_last = bytes + size;
    fuzz_blocks = fuzz_used = 0;
    fuzz_room = (size_t)64 << 20;
    fuzz_seconds = 1;
    if (pieces > 1) fuzz_room *= pieces, fuzz_seconds *= (double)pieces;
    fuzz_began = fuzz_now();
}

static inline void fuzz_end(void) {
    FUZZ_CHECK(!fuzz_blocks && !fuzz_used);
    FUZZ_CHECK(fuzz_now() - fuzz_began < fuzz_seconds);
}

/* ---- choices ---- */

static inline unsigned fuzz_byte(void) { return fuzz_at < fuzz_last ? *fuzz_at++ : 0; }

static inline unsigned fuzz_below(unsigned n) { return fuzz_byte() % n; }

static inline uint64_t fuzz_word(int bytes) {
    uint64_t u = 0;
    while (bytes-- > 0) u = u << 8 | fuzz_byte();
    return u;
}

/* An integer: one at the edge of something, small, or any. */
static inline int fuzz_int(void) {
    static const int edges[] = {-1, -2147483647 - 1, 2147483647, 16777216, 16777217, 65536, 65537,
                                256, 257, 1000000000, 1000000001, 2, 3, 1, 0, 16};
    const unsigned how = fuzz_byte();
    if (how < 16) return edges[how];
    if (how < 160) return (int)(how % 32);
    return (int)(uint32_t)fuzz_word(4);
}

/* A double: one at the edge of something, a plain one, or any bits. */
static inline double fuzz_real(void) {
    static const double edges[] = {1e30, 1e6, 1e-37, 1e-300, 4.9e-324, -1, -0.0, 0.9999999, 1,
                                   0.5, 1e12, 1e-12, 1e300, 1e-9, 2, 0};
    const unsigned how = fuzz_byte();
    if (how < 16) return edges[how];
    if (how < 160) return (double)(how - 16) / 100;
    return vae__double_of(how < 170   ? 0x7ff8000000000000u
                          : how < 180 ? 0x7ff0000000000000u
                                      : fuzz_word(8));
}

/* A text in place: the bytes up to a zero, a line feed or the end. */
static inline void fuzz_line(char *out, size_t room) {
    size_t n = 0;
    while (fuzz_at < fuzz_last) {
        const char c = (char)*fuzz_at++;
        if (!c || c == '\n') break;
        if (n + 1 < room) out[n++] = c;
    }
    out[n] = 0;
}

/* ---- a model that came into being ---- */

/* Whether training it a step is little work: what is computed follows from the model, which may be
 * as large as its description says, and not from the input that describes it. */
static inline int fuzz_is_small(vae *m) {
    vae_info info;
    vae_desc d;
    vae_get_info(m, &info);
    vae_get_desc(m, &d);
    return info.memory < ((size_t)1 << 18) && d.samples <= 64;
}

/* What every refusal must be: a status of its own, and a sentence that ends. */
static inline void fuzz_refused(vae_status status, const vae_report *r) {
    FUZZ_CHECK(status > VAE_OK && status < VAE_STATUS_COUNT && r->status == status);
    FUZZ_CHECK(memchr(r->text, 0, sizeof r->text) && r->text[0]);
}

enum { FUZZ_ROWS = 3 };

/* Everything that a small model can be asked. It may say that numbers are not finite; what it may
 * not do is crash or hang. */
static inline void fuzz_use(vae *m) {
    vae_info info;
    vae_stats stats;
    static const int32_t none[FUZZ_ROWS];
    vae_batch images, codes;
    vae *shared = NULL;
    float *x, *z, *out;
    size_t n, i;
    vae_get_info(m, &info);
    if (!fuzz_is_small(m)) return;
    n = FUZZ_ROWS * (info.input_dim + 2 * info.latent + info.code + info.eps + info.outputs);
    x = (float *)malloc(n * sizeof *x), z = (float *)malloc(n * sizeof *z);
    out = (float *)malloc(n * sizeof *out);
    for (i = 0; i < n; i++) x[i] = (float)(i % 5) / 4, z[i] = (float)(i % 7) - 3;
    memset(&images, 0, sizeof images);
    images.x = x, images.rows = FUZZ_ROWS, images.first = 0xfffffffeu;
    images.labels = none, images.label_count = FUZZ_ROWS;
    codes = images, codes.x = z;
    (void)vae_encode(m, &images, out, out + FUZZ_ROWS * info.code);
    (void)vae_posterior(m, &images, out);
    (void)vae_decode(m, &codes, out);
    (void)vae_decode_logits(m, &codes, out);
    (void)vae_draw(m, &codes, 3, out);
    (void)vae_reconstruct(m, &images, out);
    (void)vae_sample_prior(m, &codes, 3, out);
    (void)vae_score(m, &images, out, NULL, out + FUZZ_ROWS);
    (void)vae_bound(m, &images, 3, out);
    (void)vae_complete(m, &images, 2, NULL, out);
    images.eps = z, images.no_ema = 1;
    (void)vae_posterior(m, &images, out);
    (void)vae_score(m, &images, out, NULL, out + FUZZ_ROWS);
    (void)vae_set_visible_bias(m, x);
    images.rows = 1, images.first = 0, images.eps = NULL;
    (void)vae_train_step(m, &images, &stats);
    (void)vae_train_step(m, &images, NULL);
    (void)vae_params_hash(m);
    if (!vae_share(m, NULL, &shared, NULL)) {
        images.rows = FUZZ_ROWS;
        (void)vae_reconstruct(shared, &images, out);
        (void)vae_score(shared, &images, out, NULL, NULL);
        vae_destroy(shared);
    }
    free(x), free(z), free(out);
}

/* A model that saves must load again, for the same purpose and with the same buffers, and then has
 * the same parameters and saves to the same bytes. */
static inline void fuzz_round_trip(vae *m, int flags) {
    vae_load_options options;
    vae_desc d;
    vae_report r;
    vae *other = NULL;
    unsigned char *bytes, *again;
    size_t size = 0, size2 = 0;
    if (vae_save_size(m, flags, &size)) return;
    bytes = (unsigned char *)malloc(size), again = (unsigned char *)malloc(size);
    memset(&options, 0, sizeof options);
    vae_get_desc(m, &d);
    options.inference = d.inference, options.batch = d.batch;
    options.allocator = fuzz_allocator();
    if (!vae_save_memory(m, flags, bytes, size)) {
        const vae_status status = vae_load_memory(bytes, size, &options, &other, &r);
        if (status && status != VAE_ERR_MEMORY) fprintf(stderr, "it does not load: %s\n", r.text);
        FUZZ_CHECK(!status || status == VAE_ERR_MEMORY);
        if (!status) {
            FUZZ_CHECK(vae_params_hash(m) == vae_params_hash(other));
            FUZZ_CHECK(!vae_save_size(other, flags, &size2) && size2 == size);
            FUZZ_CHECK(!vae_save_memory(other, flags, again, size));
            FUZZ_CHECK(!memcmp(bytes, again, size));
        }
    }
    vae_destroy(other);
    free(bytes), free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
#endif
