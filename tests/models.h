/* Models, data and files that several rooms of tests use. */
#ifndef VAE_TEST_MODELS_H
#define VAE_TEST_MODELS_H
#include "../tools/digits.h"
#include "reference.h"

/* ---- allocators, hooks, callbacks ---- */

/* An allocator that counts, can fail at the n-th call, and checks the sizes given back. */
typedef struct counting {
    size_t live, calls, fail_at; /* fail_at 0: never; else that call and all after it */
    size_t most;                 /* refuses more bytes than this at once; 0: never */
} counting;
static inline void *counting_alloc(size_t size, void *user) {
    counting *c = (counting *)user;
    size_t *p;
    if (++c->calls >= c->fail_at && c->fail_at) return NULL;
    if (c->most && size > c->most) return NULL;
    p = (size_t *)malloc(size + 16);
    p[0] = size;
    c->live += size;
    return (char *)p + 16;
}
static inline void counting_release(void *ptr, size_t size, void *user) {
    size_t *p = (size_t *)(void *)((char *)ptr - 16);
    CHECK_EQ(p[0], size);
    ((counting *)user)->live -= size;
    free(p);
}
static inline vae_allocator counting_allocator(counting *c) {
    vae_allocator a;
    memset(c, 0, sizeof *c);
    a.alloc = counting_alloc, a.release = counting_release, a.user = c;
    return a;
}

static int threads_calls;
/* A hook that runs parts backwards, on the calling thread. */
static inline void threads_backwards(void (*job)(void *arg, int part), void *arg, int parts,
                                     void *user) {
    threads_calls += *(const int *)user;
    while (parts--) job(arg, parts);
}

/* Stops at call `stop_at`; 0 never. */
typedef struct watcher {
    uint64_t calls, stop_at, epochs_done, images;
    vae_progress last;
} watcher;
static inline int watch(vae *m, const vae_progress *p, void *user) {
    watcher *w = (watcher *)user;
    (void)m;
    w->last = *p;
    w->epochs_done += (uint64_t)p->epoch_done;
    if (!p->epoch_done) w->images = p->images;
    return ++w->calls == w->stop_at;
}

/* ---- data ---- */

static inline void small_images(float *x, size_t rows, size_t dim) {
    vae_stream s;
    memset(&s, 0, sizeof s);
    s.purpose = VAE_PURPOSE_USER, s.seed = 77;
    vae_random_uniform(&s, 0, rows * dim, x);
}
/* `count` built-in digits as data; free() the bytes. */
static inline vae_data digit_data(size_t count) {
    vae_data data;
    size_t dims[3] = {0, 28, 28};
    unsigned char *pixels = (unsigned char *)malloc(count * 784);
    dims[0] = count;
    digits_fill(1, 0, count, pixels, NULL);
    CHECK_STATUS(vae_data_wrap(VAE_U8, 3, dims, pixels, &data, NULL), VAE_OK);
    return data;
}
static inline vae_data float_data(const float *x, size_t count, size_t item) {
    vae_data data;
    size_t dims[2];
    dims[0] = count, dims[1] = item;
    CHECK_STATUS(vae_data_wrap(VAE_F32, 2, dims, x, &data, NULL), VAE_OK);
    return data;
}

/* MNIST from the folder that DATA names; 0 when there is none, or when it is damaged. */
static inline int mnist(vae_data *train, vae_data *test) {
    static const char *const names[] = {"train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.gz",
                                        "train-images-idx3-ubyte", "t10k-images-idx3-ubyte"};
    const char *folder = getenv("DATA");
    vae_data *to[2];
    vae_status status;
    char path[1000];
    int i;
    to[0] = train, to[1] = test;
    if (!folder || !*folder) return 0;
    for (i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        status = vae_data_load(path, NULL, to[i], NULL);
        if (status == VAE_ERR_OPEN) {
            snprintf(path, sizeof path, "%s/%s", folder, names[i + 2]);
            status = vae_data_load(path, NULL, to[i], NULL);
        }
        if (status == VAE_ERR_OPEN) return 0;
        CHECK_STATUS(status, VAE_OK); /* a damaged file is not a missing one */
        if (status) return 0;
    }
    return 1;
}

/* ---- models and their files ---- */

/* A small model that most tests here use. */
static inline vae_desc small_desc(void) {
    vae_desc d;
    memset(&d, 0, sizeof d);
    d.input = "6x5x1", d.encoder = "dense 12 tanh", d.decoder = "dense 9 relu";
    d.latent = 3, d.batch = 8, d.seed = 5;
    return d;
}
static inline vae *small_model(void) {
    vae_desc d = small_desc();
    vae *m = NULL;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    return m;
}
/* The same weights at another noise, step after step. */
static inline vae_desc obj_still(void) {
    vae_desc d = small_desc();
    d.lr = 1e-30, d.keep_gradients = 1;
    return d;
}
static inline vae_desc digit_desc(void) {
    vae_desc d;
    memset(&d, 0, sizeof d);
    d.input = "28x28x1", d.encoder = "dense 40 relu", d.decoder = "dense 40 relu";
    d.latent = 6, d.batch = 32, d.epochs = 2, d.seed = 7;
    return d;
}

/* A model a few steps into training, and its file in memory (free it). */
static inline vae *trained_model(const vae_desc *d) {
    float x[8 * 30];
    vae *m = NULL;
    int i;
    small_images(x, 8, 30);
    CHECK_STATUS(vae_create(d, &m, NULL), VAE_OK);
    for (i = 0; i < 3; i++) CHECK_STATUS(vae_train_step(m, BATCH(x, 8), NULL), VAE_OK);
    return m;
}
static inline unsigned char *file_of(vae *m, int flags, size_t *size) {
    unsigned char *bytes;
    CHECK_STATUS(vae_save_size(m, flags, size), VAE_OK);
    bytes = (unsigned char *)malloc(*size);
    CHECK_STATUS(vae_save_memory(m, flags, bytes, *size), VAE_OK);
    return bytes;
}
/* The model of these bytes, otherwise housed. */
static inline vae *obj_twin(const unsigned char *bytes, size_t size, int batch, int threads,
                            vae_isa isa, int inference) {
    vae_load_options o;
    vae *m = NULL;
    memset(&o, 0, sizeof o);
#ifndef VAE__THREADS
    threads = 1;
#endif
    o.batch = batch, o.threads = threads, o.isa = isa, o.inference = inference;
    CHECK_STATUS(vae_load_memory(bytes, size, &o, &m, NULL), VAE_OK);
    return m;
}

/* Replaces the first `from` in the header by `to`, of the same length. */
static inline void patch(unsigned char *bytes, size_t size, const char *from, const char *to) {
    const size_t n = strlen(from);
    size_t i;
    for (i = 0; i + n <= size; i++) {
        if (!memcmp(bytes + i, from, n)) {
            memcpy(bytes + i, to, n);
            return;
        }
    }
    CHECK(!"the text to patch is there");
}
/* Takes what stands from `from` up to the next `until` out of the header, which keeps its length by
 * blanks at its end. */
static inline void cut(unsigned char *bytes, const char *from, const char *until) {
    const size_t n = strlen(from), end = 8 + vae__get_le32(bytes);
    size_t i, to;
    for (i = 8; i + n <= end && memcmp(bytes + i, from, n); i++) {}
    CHECK(i + n <= end);
    if (i + n > end) return;
    for (to = i + n; to < end && !strchr(until, bytes[to]); to++) {}
    memmove(bytes + i, bytes + to, end - to);
    memset(bytes + end - (to - i), ' ', to - i);
}
#endif
