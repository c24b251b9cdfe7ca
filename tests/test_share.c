/* >>model, vae_share: one set of weights, many models; and a model that is busy. */
#include "models.h"
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h> /* the caller's threads, also in a build without those of the library */
#define SHARE_PTHREAD 1
#endif

/* floats that share_use writes: 5 images, 5 codes and 4 figures for each row */
enum { SHARE_ROWS = 9, SHARE_IN = 36, SHARE_L = 3 };
enum { SHARE_FLOATS = SHARE_ROWS * (5 * SHARE_IN + 5 * SHARE_L + 4) };

static int share_case(int n, vae_desc *d) {
    memset(d, 0, sizeof *d);
    d->input = "6x6x1", d->encoder = "dense 12 tanh", d->decoder = "dense 9 relu";
    d->latent = SHARE_L, d->batch = 8, d->seed = 5, d->lr = 1e-2;
    switch (n) {
    case 0: return 1;
    case 1: d->ema = 0.9; return 1;
    case 2:
        d->encoder = "conv 4 3x3/2, batchnorm relu, dropout 0.2, res(conv 4 3x3 pad 1 relu)";
        d->decoder = "dense 36 relu, reshape 3x3x4, layernorm, convt 3 4x4/2 relu, conv 1 3x3";
        d->ema = 0.5;
        return 1;
    case 3:
        d->encoder = "flatten, label 3, dense 7 silu", d->decoder = "label 3, dense 9 gelu";
        return 1;
    case 4: d->likelihood = "gaussian_learned", d->samples = 3; return 1;
    case 5:
        d->binarize = VAE_BINARIZE_DYNAMIC, d->encoder = "maxpool 2, noise 0.1, dense 8 elu";
        return 1;
    case 6: d->likelihood = "categorical 4", d->no_noise = 1; return 1;
    default: return 0;
    }
}
static const int32_t share_labels[] = {2, 0, 1, 1};

#define SHARE_GIVES(call, floats) \
    do { \
        CHECK_STATUS(call, VAE_OK); \
        at += floats; \
    } while (0)

/* Everything that a model gives, into out (SHARE_FLOATS). */
static void share_use(vae *m, float *out) {
    float x[SHARE_ROWS * SHARE_IN];
    const size_t images = SHARE_ROWS * SHARE_IN;
    vae_batch b = *BATCH(x, SHARE_ROWS, .first = 70, .labels = share_labels, .label_count = 4), z;
    vae_desc d;
    float *at = out;
    vae_get_desc(m, &d);
    small_images(x, SHARE_ROWS, SHARE_IN);
    memset(out, 0, SHARE_FLOATS * sizeof *out);
    z = b, z.x = out + SHARE_FLOATS - SHARE_ROWS * SHARE_L;
    CHECK_STATUS(vae_prior(m, &b, 3, out + SHARE_FLOATS - SHARE_ROWS * SHARE_L), VAE_OK);
    SHARE_GIVES(vae_encode(m, &b, at, at + 27), 54);
    SHARE_GIVES(vae_posterior(m, &b, at), 27);
    SHARE_GIVES(vae_decode(m, &z, at), images);
    SHARE_GIVES(vae_draw(m, &z, 4, at), images);
    SHARE_GIVES(vae_reconstruct(m, &b, at), images);
    SHARE_GIVES(vae_sample_prior(m, &b, 5, at), images);
    SHARE_GIVES(vae_score(m, &b, at, at + 9, at + 18), 27);
    if (!d.no_noise) SHARE_GIVES(vae_bound(m, &b, 3, at), 9);
    b.no_ema = 1;
    CHECK_STATUS(vae_reconstruct(m, &b, at), VAE_OK);
}

static vae *share_owner(const vae_desc *d) {
    float x[SHARE_ROWS * SHARE_IN];
    vae *m = NULL;
    int i;
    small_images(x, SHARE_ROWS, SHARE_IN);
    CHECK_STATUS(vae_create(d, &m, NULL), VAE_OK);
    for (i = 0; i < 4; i++)
        CHECK_STATUS(vae_train_step(m, BATCH(x, 8, .labels = share_labels, .label_count = 4), NULL),
                     VAE_OK);
    return m;
}

/* Also in a block that holds NaN everywhere: nothing is read before it is written. */
TEST(a_shared_model_has_the_bits_of_its_owner_and_none_of_its_memory) {
    static float want[SHARE_FLOATS], got[SHARE_FLOATS];
    vae_desc d;
    int n, way;
    for (n = 0; share_case(n, &d); n++) {
        vae *owner = share_owner(&d), *m = NULL, *again = NULL;
        vae_tensor t, theirs;
        vae_info info, its;
        size_t size, size2;
        unsigned char *bytes = file_of(owner, VAE_SAVE_WEIGHTS_ONLY, &size), *bytes2;
        share_use(owner, want);
        vae_get_info(owner, &its);
        for (way = 0; way < 4; way++) {
            vae_load_options o;
            unsigned char *block = NULL;
            memset(&o, 0, sizeof o);
            if (way == 1) o.batch = 2, o.isa = VAE_ISA_PORTABLE;
            if (way == 2) o.batch = 64;
#ifdef VAE__THREADS
            if (way == 2) o.threads = 3;
#endif
            if (way == 3) { /* NaN, at an odd address */
                o.memory_size = its.memory + 64, block = (unsigned char *)malloc(o.memory_size + 1);
                memset(block, 0xff, o.memory_size + 1), o.memory = block + 1;
            }
            CHECK_STATUS(vae_share(owner, way ? &o : NULL, &m, NULL), VAE_OK);
            share_use(m, got);
            CHECK_EQ(ref_differ(SHARE_FLOATS, got, want), SHARE_FLOATS);
            vae_get_info(m, &info);
            CHECK_EQ(info.step, its.step);
            if (!way) CHECK(info.memory + its.parameters * 4 < its.memory);
            CHECK_STATUS(vae_tensor_at(m, 1, &t), VAE_OK);
            CHECK_STATUS(vae_tensor_at(owner, 1, &theirs), VAE_OK);
            CHECK(t.data == theirs.data && t.name != theirs.name && !strcmp(t.name, theirs.name));
            CHECK(vae_params_hash(m) == vae_params_hash(owner));
            CHECK_STATUS(vae_train_step(m, BATCH(want, 1), NULL), VAE_ERR_STATE);
            CHECK_STATUS(vae_set_visible_bias(m, want), VAE_ERR_STATE);
            CHECK_STATUS(vae_share(m, NULL, &again, NULL), VAE_OK); /* of a shared one too */
            if (!way) { /* it saves what the owner saves */
                bytes2 = file_of(again, VAE_SAVE_WEIGHTS_ONLY, &size2);
                CHECK(size2 == size && !memcmp(bytes, bytes2, size));
                free(bytes2);
            }
            vae_destroy(m);
            free(block);
            share_use(again, got);
            CHECK_EQ(ref_differ(SHARE_FLOATS, got, want), SHARE_FLOATS);
            vae_destroy(again);
        }
        share_use(owner, got); /* nothing of it was touched */
        CHECK_EQ(ref_differ(SHARE_FLOATS, got, want), SHARE_FLOATS);
        free(bytes);
        vae_destroy(owner);
    }
}

TEST(a_shared_model_sees_what_its_owner_learned_since) {
    static float want[SHARE_FLOATS], got[SHARE_FLOATS], before[SHARE_FLOATS];
    vae_desc d;
    int n;
    for (n = 0; n < 3; n++) {
        vae *owner, *m = NULL;
        float x[8 * SHARE_IN];
        (void)share_case(n, &d);
        owner = share_owner(&d);
        small_images(x, 8, SHARE_IN);
        CHECK_STATUS(vae_share(owner, NULL, &m, NULL), VAE_OK);
        share_use(m, before);
        CHECK_STATUS(vae_train_step(owner, BATCH(x, 8), NULL), VAE_OK);
        share_use(owner, want), share_use(m, got);
        CHECK_EQ(ref_differ(SHARE_FLOATS, got, want), SHARE_FLOATS);
        CHECK(ref_differ(SHARE_FLOATS, got, before) < SHARE_FLOATS);
        vae_destroy(m), vae_destroy(owner);
    }
}

TEST(sharing_takes_the_options_of_loading_and_says_what_is_wrong) {
    vae_desc d, got;
    vae_load_options o;
    vae_report r;
    vae_info info;
    counting count;
    unsigned char block[64];
    float z[SHARE_L] = {0}, x[SHARE_IN];
    vae *owner, *m = NULL, *idle = NULL;
    (void)share_case(0, &d);
    d.batch = 200;
    owner = share_owner(&d);
    memset(&o, 0, sizeof o);
    CHECK_STATUS(vae_share(NULL, NULL, &m, &r), VAE_ERR_NULL);
    CHECK_SAYS(r, "owner and model must be given");
    CHECK_STATUS(vae_share(owner, NULL, NULL, &r), VAE_ERR_NULL);
    o.memory = block, o.memory_size = sizeof block;
    CHECK_STATUS(vae_share(owner, &o, &m, &r), VAE_ERR_SIZE);
    CHECK_SAYS(r, "the memory block has 64 bytes");
    o.memory = NULL, o.max_memory = 1000;
    CHECK_STATUS(vae_share(owner, &o, &m, &r), VAE_ERR_SIZE);
    CHECK_SAYS(r, "more than the 1000 that are allowed");
    o.max_memory = 0, o.batch = -1;
    CHECK_STATUS(vae_share(owner, &o, &m, &r), VAE_ERR_VALUE);
    CHECK_SAYS(r, "batch is -1");
    o.threads = 999; /* two of them: there is no description to initialise */
    CHECK_STATUS(vae_share(owner, &o, &m, &r), VAE_ERR_VALUE);
    CHECK(!strcmp(r.text, "batch is -1; it must lie from 1 to 16777216"));
    {
        size_t size;
        unsigned char *file = file_of(owner, 0, &size);
        CHECK_STATUS(vae_load_memory(file, size, &o, &m, &r), VAE_ERR_VALUE);
        CHECK_SAYS(r, "batch is -1; it must lie from 1 to 16777216");
        CHECK(!strstr(r.text, "vae_desc"));
        free(file);
    }
    o.threads = 0;
    o.batch = 0, o.allocator = counting_allocator(&count), count.fail_at = 1;
    CHECK_STATUS(vae_share(owner, &o, &m, &r), VAE_ERR_MEMORY);
    CHECK(m == NULL);
    count.fail_at = 0, count.calls = 0;
    CHECK_STATUS(vae_share(owner, &o, &m, &r), VAE_OK);
    vae_get_desc(m, &got), vae_get_info(m, &info);
    CHECK_EQ(got.batch, 128); /* as a model that is loaded for inference */
    CHECK_EQ(got.inference, 1);
    CHECK_EQ(count.calls, 1);
    CHECK_EQ(count.live, info.memory);
    vae_destroy(m);
    CHECK_EQ(count.live, 0);
    o.inference = 2; /* to look at; and a model to look at may own the weights of one that computes */
    CHECK_STATUS(vae_share(owner, &o, &idle, &r), VAE_OK);
    CHECK_STATUS(vae_decode(idle, BATCH(z, 1), x), VAE_ERR_STATE);
    CHECK_STATUS(vae_share(idle, NULL, &m, &r), VAE_OK);
    CHECK_STATUS(vae_decode(m, BATCH(z, 1), x), VAE_OK);
    vae_destroy(m), vae_destroy(idle), vae_destroy(owner);
}

/* ---- several threads ---- */

enum { SHARE_PARTS = 8, SHARE_ROUNDS = 6 };
typedef struct share_job {
    const vae *owner;
    const float *want;
    float *got;            /* (parts, SHARE_FLOATS) */
    size_t wrong[SHARE_PARTS];
} share_job;

static void share_part(void *arg, int part) {
    share_job *j = (share_job *)arg;
    float *got = j->got + (size_t)part * SHARE_FLOATS;
    int round;
    for (round = 0; round < SHARE_ROUNDS; round++) {
        vae_load_options o;
        vae *m = NULL;
        memset(&o, 0, sizeof o);
        o.batch = 1 + (part + round) % 5;
        if (vae_share(j->owner, &o, &m, NULL)) {
            j->wrong[part]++;
            continue;
        }
        share_use(m, got);
        j->wrong[part] += ref_differ(SHARE_FLOATS, got, j->want) != SHARE_FLOATS;
        vae_destroy(m);
    }
}

TEST(eight_threads_with_shared_models_compute_what_one_does) {
#ifdef VAE__THREADS
    static float want[SHARE_FLOATS], got[SHARE_PARTS * SHARE_FLOATS];
    vae_desc d;
    vae_pool *pool = NULL;
    int n, i;
    CHECK_STATUS(vae_pool_create(SHARE_PARTS, NULL, &pool, NULL), VAE_OK);
    for (n = 0; share_case(n, &d); n++) {
        const vae_parallel threads = vae_pool_parallel(pool);
        vae *owner = share_owner(&d);
        share_job job;
        memset(&job, 0, sizeof job);
        share_use(owner, want);
        job.owner = owner, job.want = want, job.got = got;
        threads.run(share_part, &job, SHARE_PARTS, threads.user);
        for (i = 0; i < SHARE_PARTS; i++) CHECK_EQ(job.wrong[i], 0);
        vae_destroy(owner);
    }
    vae_pool_destroy(pool);
#else
    SKIP("a build without threads");
#endif
}

/* ---- a model that computes ---- */

typedef struct busy_test {
    vae *m;
    const vae_data *data;
    int entered, refused;
} busy_test;

/* Every call that computes, on a model that does. */
static void busy_calls(busy_test *b) {
    float x[SHARE_IN] = {0}, out[SHARE_IN];
    double figure;
    uint64_t count;
    size_t size;
    vae_stats s;
    const vae_batch *rows = BATCH(x, 1);
    vae_status got[32];
    int n = 0, i;
    got[n++] = vae_train_step(b->m, rows, &s);
    got[n++] = vae_check_gradients(b->m, rows, 1, &figure);
    got[n++] = vae_encode(b->m, rows, out, NULL);
    got[n++] = vae_posterior(b->m, rows, out);
    got[n++] = vae_decode(b->m, rows, out);
    got[n++] = vae_decode_logits(b->m, rows, out);
    got[n++] = vae_draw(b->m, rows, 1, out);
    got[n++] = vae_reconstruct(b->m, rows, out);
    got[n++] = vae_prior(b->m, rows, 1, out);
    got[n++] = vae_sample_prior(b->m, rows, 1, out);
    got[n++] = vae_score(b->m, rows, out, NULL, NULL);
    got[n++] = vae_bound(b->m, rows, 1, out);
    got[n++] = vae_fit(b->m, b->data, NULL, NULL, NULL);
    got[n++] = vae_evaluate(b->m, b->data, &s);
    got[n++] = vae_units(b->m, b->data, &figure, NULL);
    got[n++] = vae_units_clamped(b->m, b->data, &count);
    got[n++] = vae_set_visible_bias(b->m, x);
    got[n++] = vae_save_size(b->m, 0, &size);
    got[n++] = vae_save_memory(b->m, 0, out, sizeof out);
#ifndef VAE_NO_STDIO
    got[n++] = vae_save(b->m, "nowhere/at-all", 0);
#endif
    got[n++] = vae_encode(b->m, NULL, out, NULL); /* before anything else is looked at */
    for (i = 0; i < n; i++) b->refused += got[i] == VAE_ERR_STATE;
    b->entered += n;
}
static void busy_run(void (*job)(void *arg, int part), void *arg, int parts, void *user) {
    busy_test *b = (busy_test *)user;
    int i;
    if (b->m && !b->entered) busy_calls(b);
    for (i = 0; i < parts; i++) job(arg, i);
}

TEST(a_model_that_computes_is_not_entered) {
    static float before[SHARE_FLOATS], after[SHARE_FLOATS];
    float x[SHARE_ROWS * SHARE_IN] = {0};
    vae_data data = float_data(x, SHARE_ROWS, SHARE_IN);
    vae_desc d;
    busy_test b;
    vae *m = NULL, *shared = NULL, *twin;
    uint64_t hash;
    small_images(x, SHARE_ROWS, SHARE_IN);
    memset(&b, 0, sizeof b);
    (void)share_case(0, &d);
    twin = share_owner(&d);
    d.parallel.parts = 2, d.parallel.run = busy_run, d.parallel.user = &b;
    m = share_owner(&d);
    CHECK_STATUS(vae_train_step(m, BATCH(x, 99), NULL), VAE_ERR_VALUE); /* a sentence to keep */
    hash = vae_params_hash(m);
    share_use(m, before);
    b.m = m, b.data = &data;
    share_use(m, after); /* the hook tries everything, once, in the first of these calls */
    CHECK(b.entered > 15);
    CHECK_EQ(b.refused, b.entered);
    CHECK_EQ(ref_differ(SHARE_FLOATS, before, after), SHARE_FLOATS);
    CHECK_SAYS(*vae_last_report(m), "99 rows");
    CHECK(vae_params_hash(m) == hash);
    b.entered = b.refused = 0; /* and in a step */
    CHECK_STATUS(vae_train_step(m, BATCH(x, 8), NULL), VAE_OK);
    CHECK_STATUS(vae_train_step(twin, BATCH(x, 8), NULL), VAE_OK);
    CHECK(b.entered > 15 && b.refused == b.entered);
    CHECK(vae_params_hash(m) == vae_params_hash(twin));
    CHECK_STATUS(vae_share(m, NULL, &shared, NULL), VAE_OK);
    m->busy = 1; /* another thread is in it: those that share it do not mind */
    share_use(shared, after);
    CHECK_STATUS(vae_train_step(m, BATCH(x, 8), NULL), VAE_ERR_STATE);
    CHECK_EQ(m->busy, 1);
    CHECK_SAYS(*vae_last_report(m), "99 rows");
    vae_destroy(m), vae_destroy(shared), vae_destroy(twin);
}

static int busy_progress(vae *m, const vae_progress *now, void *user) {
    busy_test *b = (busy_test *)user;
    float x[SHARE_IN] = {0}, out[SHARE_IN];
    size_t size = 0;
    vae_stats s;
    vae *shared = NULL;
    b->entered += 4;
    b->refused += vae_reconstruct(m, BATCH(x, 1), out) != VAE_OK;
    b->refused += vae_evaluate(m, b->data, &s) != VAE_OK;
    b->refused += vae_save_size(m, 0, &size) != VAE_OK || !size;
    b->refused += vae_share(m, NULL, &shared, NULL) != VAE_OK;
    b->refused += vae_reconstruct(shared, BATCH(x, 1), out) != VAE_OK;
    vae_destroy(shared);
    if (now->step == 2 && b->m) m->busy = 1; /* as if a thread began to use it, and has not ended */
    return 0;
}

/* Two models of a case on `data`, whose images x are filled: m is trained with the callback, twin
 * without. */
static void fit_with_twin(int which, float *x, const vae_data *data, vae_progress_fn progress,
                          vae_desc *d, busy_test *b, vae **m, vae **twin) {
    small_images(x, SHARE_ROWS, SHARE_IN);
    memset(b, 0, sizeof *b);
    (void)share_case(which, d);
    d->epochs = 2, d->batch = 3;
    b->data = data;
    CHECK_STATUS(vae_create(d, m, NULL), VAE_OK);
    CHECK_STATUS(vae_create(d, twin, NULL), VAE_OK);
    CHECK_STATUS(vae_fit(*m, data, data, progress, b), VAE_OK);
    CHECK_STATUS(vae_fit(*twin, data, data, NULL, NULL), VAE_OK);
}

TEST(the_progress_callback_may_use_the_model) {
    float x[SHARE_ROWS * SHARE_IN] = {0};
    vae_data data = float_data(x, SHARE_ROWS, SHARE_IN);
    vae_desc d;
    busy_test b;
    vae *m, *twin;
    fit_with_twin(1, x, &data, busy_progress, &d, &b, &m, &twin);
    CHECK(b.entered && !b.refused);
    CHECK(vae_params_hash(m) == vae_params_hash(twin));
    vae_destroy(m);
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    b.m = m;
    CHECK_STATUS(vae_fit(m, &data, NULL, busy_progress, &b), VAE_ERR_STATE);
    CHECK_EQ(vae_last_report(m)->status, VAE_OK);
    CHECK_EQ(m->busy, 1); /* it is the other's, who gives it back */
    m->busy = 0;
    b.m = NULL;
    CHECK_STATUS(vae_fit(m, &data, NULL, busy_progress, &b), VAE_OK); /* goes on from there */
    CHECK(vae_params_hash(m) == vae_params_hash(twin));
    vae_destroy(m), vae_destroy(twin);
}

/* Training in the callback: refused, and it leaves the run alone. */
static int train_progress(vae *m, const vae_progress *now, void *user) {
    busy_test *b = (busy_test *)user;
    float x[SHARE_IN] = {0};
    double worst;
    (void)now;
    b->entered += 3;
    b->refused += vae_train_step(m, BATCH(x, 1), NULL) == VAE_ERR_STATE;
    b->refused += vae_fit(m, b->data, NULL, NULL, NULL) == VAE_ERR_STATE;
    b->refused += vae_check_gradients(m, BATCH(x, 1), 1, &worst) == VAE_ERR_STATE;
    CHECK_SAYS(*vae_last_report(m), "vae_fit is at work");
    return 0;
}
TEST(the_progress_callback_may_not_train) {
    float x[SHARE_ROWS * SHARE_IN] = {0};
    vae_data data = float_data(x, SHARE_ROWS, SHARE_IN);
    vae_desc d;
    busy_test b;
    vae *m, *twin;
    fit_with_twin(0, x, &data, train_progress, &d, &b, &m, &twin);
    CHECK_EQ(b.entered, 3 * (2 * 3 + 2)); /* steps and ends of epochs */
    CHECK_EQ(b.refused, b.entered);
    CHECK(vae_params_hash(m) == vae_params_hash(twin));
    CHECK_STATUS(vae_train_step(m, BATCH(x, 1), NULL), VAE_OK); /* and afterwards it may */
    vae_destroy(m), vae_destroy(twin);
}

#if defined(SHARE_PTHREAD) && defined(VAE__ATOMIC)
typedef struct share_door {
    vae *m;
    volatile int inside, twice;
} share_door;
static void *share_knock(void *arg) {
    share_door *door = (share_door *)arg;
    vae__fpenv env;
    long i;
    for (i = 0; i < 300000; i++) {
        if (!vae__enter(door->m, &env)) continue;
        if (door->inside) door->twice = 1;
        door->inside = 1, door->inside = 0;
        vae__leave(door->m, &env);
    }
    return NULL;
}
#endif
TEST(two_threads_are_never_in_one_model) {
#if defined(__GNUC__) && defined(SHARE_PTHREAD) && !defined(__TINYC__) && \
    (defined(__x86_64__) || defined(__aarch64__))
#ifndef VAE__ATOMIC
    CHECK(!"builds of gcc and clang have atomics, also without threads of the library");
#endif
#endif
#if defined(SHARE_PTHREAD) && defined(VAE__ATOMIC)
    share_door door;
    pthread_t other;
    memset(&door, 0, sizeof door);
    door.m = small_model();
    CHECK(!pthread_create(&other, NULL, share_knock, &door));
    share_knock(&door);
    pthread_join(other, NULL);
    CHECK_EQ(door.twice, 0);
    CHECK_EQ(door.m->busy, 0);
    vae_destroy(door.m);
#else
    SKIP("no threads, or no atomics");
#endif
}

TESTS(share) {
    RUN(a_shared_model_has_the_bits_of_its_owner_and_none_of_its_memory);
    RUN(a_shared_model_sees_what_its_owner_learned_since);
    RUN(sharing_takes_the_options_of_loading_and_says_what_is_wrong);
    RUN(eight_threads_with_shared_models_compute_what_one_does);
    RUN(a_model_that_computes_is_not_entered);
    RUN(the_progress_callback_may_use_the_model);
    RUN(the_progress_callback_may_not_train);
    RUN(two_threads_are_never_in_one_model);
}
