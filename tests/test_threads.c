/* tests of >>threads: the bits do not know how many there are, the pool sleeps, wakes and ends */
#include "models.h"
#ifdef VAE__THREADS
#include <unistd.h>
#endif

static vae_desc threads_desc(void) {
    vae_desc d;
    memset(&d, 0, sizeof d);
    d.input = "7x7", d.latent = 5, d.batch = 24, d.epochs = 2, d.binarize = VAE_BINARIZE_DYNAMIC;
    d.encoder = "dense 40 silu, dense 24 tanh", d.decoder = "dense 33 relu";
    d.ema = 0.9;
    return d;
}

/* Hash of the parameters, the losses and a few decoded images after training on 90 images. */
static uint64_t threads_hash(const vae_desc *d) {
    unsigned char pixels[90 * 49];
    float z[37 * 5], x[37 * 49], elbo[90], images[90 * 49];
    const size_t dims[3] = {90, 7, 7};
    uint64_t hash = 0;
    vae_report r;
    vae_data data;
    vae_stats s;
    vae *m = NULL;
    size_t i;
    for (i = 0; i < sizeof pixels; i++) pixels[i] = (unsigned char)(i * i % 251);
    memset(&r, 0, sizeof r);
    CHECK_STATUS(vae_create(d, &m, &r), VAE_OK);
    if (!m) return 0;
    CHECK_STATUS(vae_data_wrap(VAE_U8, 3, dims, pixels, &data, NULL), VAE_OK);
    CHECK_STATUS(vae_fit(m, &data, NULL, NULL, NULL), VAE_OK);
    hash = vae_params_hash(m);
    CHECK_STATUS(vae_evaluate(m, &data, &s), VAE_OK);
    hash ^= vae__bits_d(s.recon) ^ vae__bits_d(s.kl) << 1;
    CHECK_STATUS(vae_prior(m, BATCH(NULL, 37), 3, z), VAE_OK);
    CHECK_STATUS(vae_decode(m, BATCH(z, 37), x), VAE_OK);
    hash = vae__hash_floats(hash, x, 37 * 49);
    CHECK_STATUS(vae_data_read(&data, 0, 90, images), VAE_OK);
    CHECK_STATUS(vae_score(m, BATCH(images, 90), elbo, NULL, NULL), VAE_OK);
    hash = vae__hash_floats(hash, elbo, 90);
    CHECK_STATUS(vae_encode(m, BATCH(images, 37), z, NULL), VAE_OK);
    hash = vae__hash_floats(hash, z, 37 * 5);
    vae_destroy(m);
    return hash;
}

TEST(training_has_the_same_bits_however_it_is_divided) {
    static const int counts[] = {2, 3, 7, 64};
    const vae__kernels *k;
    size_t i;
    int kind;
    for (k = NULL; (k = ref_next_isa(k));) {
        for (kind = 0; kind < 5; kind++) {
            vae_desc d = threads_desc();
            uint64_t want;
            int one = 1;
            d.isa = k->isa;
            if (kind == 1) d.clip = 0.5; /* the path that stores all gradients first */
            if (kind == 2) d.samples = 9, d.optimizer = VAE_OPTIMIZER_SGD, d.momentum = 0.5;
            if (kind == 3) d.likelihood = "gaussian_learned", d.binarize = 0;
            if (kind == 4) d.likelihood = "gaussian", d.no_noise = 1, d.no_kl = 1;
            want = threads_hash(&d);
            for (i = 0; i < sizeof counts / sizeof counts[0]; i++) {
                d.parallel.run = threads_backwards, d.parallel.parts = counts[i];
                d.parallel.user = &one;
                threads_calls = 0;
                CHECK_EQ(threads_hash(&d), want);
                CHECK(threads_calls > 0);
                memset(&d.parallel, 0, sizeof d.parallel);
#ifdef VAE__THREADS
                if (counts[i] > 7) continue;
                d.threads = counts[i];
                CHECK_EQ(threads_hash(&d), want);
                d.threads = 0;
#endif
            }
        }
    }
}

TEST(stored_gradients_and_fused_ones_train_alike) {
    vae_desc d = threads_desc();
    const uint64_t want = threads_hash(&d);
    d.keep_gradients = 1;
    CHECK_EQ(threads_hash(&d), want);
    d.keep_gradients = 0, d.clip = 1e30; /* a limit that is never met */
    CHECK_EQ(threads_hash(&d), want);
}

TEST(products_have_the_same_bits_however_they_are_divided) {
    static const size_t shapes[][3] = {{128, 400, 70}, {7, 300, 33}, {300, 7, 33}, {1, 500, 99},
                                       {130, 130, 130}};
    static const int counts[] = {2, 9, 16, 37, 1, 0, -5, 100000}; /* what makes no sense is harmless */
    size_t s, i, j;
    int flags, one = 1;
    for (s = 0; s < 5; s++) {
        const size_t m = shapes[s][0], n = shapes[s][1], k = shapes[s][2];
        float *a = ref_floats(m * k), *b = ref_floats(k * n), *want = ref_floats(m * n);
        float *got = ref_floats(m * n), *bias = ref_floats(n);
        uint64_t state = 5;
        ref_fill_uniform(&state, a, m * k, -1, 1);
        ref_fill_uniform(&state, b, k * n, -1, 1);
        ref_fill_uniform(&state, bias, n, -1, 1);
        for (flags = 0; flags < 8; flags++) {
            const size_t lda = flags & VAE__GEMM_TRANS_A ? m : k;
            const size_t ldb = flags & VAE__GEMM_TRANS_B ? k : n;
            const float *start = flags & VAE__GEMM_ADD ? NULL : bias;
            for (i = 0; i < m * n; i++) want[i] = (float)i;
            CHECK_STATUS(ref_gemm(VAE_ISA_AUTO, flags, m, n, k, a, lda, b, ldb, start, VAE_ACT_RELU,
                                  want, n), VAE_OK);
            for (i = 0; i < sizeof counts / sizeof *counts; i++) {
                const vae_gemm_desc d = {
                    .m = m, .n = n, .k = k, .a = a, .b = b, .c = got, .bias = start,
                    .trans_a = flags & VAE__GEMM_TRANS_A, .trans_b = flags & VAE__GEMM_TRANS_B,
                    .add = flags & VAE__GEMM_ADD, .act = VAE_ACT_RELU,
                    .parallel = {counts[i], threads_backwards, &one}};
                for (j = 0; j < m * n; j++) got[j] = (float)j;
                CHECK_STATUS(vae_gemm(&d, NULL), VAE_OK);
                CHECK_EQ(ref_differ(m * n, want, got), m * n);
            }
        }
        free(a), free(b), free(want), free(got), free(bias);
    }
}

TEST(every_thing_lies_in_exactly_one_share) {
    size_t count, grain, from, to, next;
    int parts, part;
    for (count = 0; count < 70; count++) {
        for (grain = 1; grain < 20; grain += 3) {
            for (parts = 1; parts < 12; parts++) {
                for (part = 0, next = 0; part < parts; part++) {
                    vae__share(count, grain, parts, part, &from, &to);
                    CHECK_EQ(from, next);
                    CHECK(to >= from && (from == count || from % grain == 0));
                    next = to;
                }
                CHECK_EQ(next, count);
            }
        }
    }
}

#ifdef VAE__THREADS
typedef struct threads_count {
    vae_parallel parallel;
    int hits[1000], late; /* atomic */
} threads_count;

static void threads_hit(void *arg, int part) {
    threads_count *c = (threads_count *)arg;
    __atomic_add_fetch(&c->hits[part], 1, __ATOMIC_RELAXED);
}
static void threads_nested(void *arg, int part) {
    threads_count *c = (threads_count *)arg;
    threads_hit(arg, part);
    if (part == 1) c->parallel.run(threads_hit, arg, 3, c->parallel.user);
}

TEST(the_pool_runs_every_part_once_awake_or_asleep) {
    int threads, round, part;
    for (threads = 1; threads <= 7; threads += 3) {
        vae_pool *pool = NULL;
        threads_count c;
        CHECK_STATUS(vae_pool_create(threads, NULL, &pool, NULL), VAE_OK);
        if (!pool) return;
        memset(&c, 0, sizeof c);
        c.parallel = vae_pool_parallel(pool);
        CHECK_EQ(c.parallel.parts, threads);
        for (round = 0; round < 400; round++) {
            c.parallel.run(threads_hit, &c, round % 20, c.parallel.user);
            if (round % 100 == 99) usleep(3000); /* the workers fall asleep */
        }
        for (part = 0; part < 20; part++) CHECK_EQ(c.hits[part], 20 * (19 - part));
        memset(c.hits, 0, sizeof c.hits);
        c.parallel.run(threads_nested, &c, 5, c.parallel.user); /* inside a job: on that thread */
        for (part = 0; part < 5; part++) CHECK_EQ(c.hits[part], 1 + (part < 3));
        vae_pool_destroy(pool);
    }
    vae_pool_destroy(NULL);
}

/* Part 1 ends when all others have. */
static void threads_wait_for_others(void *arg, int part) {
    threads_count *c = (threads_count *)arg;
    int other, wait;
    for (other = 0; part == 1 && other < 6; other++) {
        for (wait = 0; wait < 5000 && other != 1; wait++) {
            if (__atomic_load_n(&c->hits[other], __ATOMIC_RELAXED)) break;
            usleep(1000);
        }
        if (wait == 5000) __atomic_store_n(&c->late, 1, __ATOMIC_RELAXED);
    }
    threads_hit(arg, part);
}

TEST(a_thread_that_is_slow_holds_up_one_part) {
    vae_pool *pool = NULL;
    threads_count c;
    int part;
    memset(&c, 0, sizeof c);
    CHECK_STATUS(vae_pool_create(2, NULL, &pool, NULL), VAE_OK);
    if (!pool) return;
    c.parallel = vae_pool_parallel(pool);
    c.parallel.run(threads_wait_for_others, &c, 6, c.parallel.user);
    for (part = 0; part < 6; part++) CHECK_EQ(c.hits[part], 1);
    CHECK_EQ(c.late, 0);
    vae_pool_destroy(pool);
}

TEST(the_pool_runs_more_parts_than_it_counts) {
    vae_pool *pool = NULL;
    threads_count c;
    int part;
    memset(&c, 0, sizeof c);
    CHECK_STATUS(vae_pool_create(3, NULL, &pool, NULL), VAE_OK);
    if (!pool) return;
    c.parallel = vae_pool_parallel(pool);
    for (part = 0; part >= -1; part--) c.parallel.run(threads_hit, &c, part, c.parallel.user);
    c.parallel.run(threads_hit, &c, 1000, c.parallel.user);
    for (part = 0; part < 1000; part++) CHECK_EQ(c.hits[part], 1);
    vae_pool_destroy(pool);
}

TEST(a_pool_that_loses_time_leaves_the_caller_alone_for_a_while) {
    vae_parallel parallel;
    vae_pool *pool = NULL;
    int64_t now = 5000000000, wait;
    int i;
    CHECK_STATUS(vae_pool_create(2, NULL, &pool, NULL), VAE_OK);
    if (!pool) return;
    parallel = vae_pool_parallel(pool);
    CHECK_EQ(vae__parts(&parallel, 64, 4, 64), 2);
    for (i = 0; i < 100; i++) { /* two parts of 1 ms in 1.1 ms: a gain */
        pool->took[0] = pool->took[1] = 1000000;
        vae__pool_book(pool, 2, 1100000, now);
        CHECK_EQ(pool->alone, 0);
    }
    CHECK(pool->credit > 6000000 && pool->credit < 7200001);
    pool->took[1] = 20000000; /* lost its processor for 19 ms: 18 lost in all, 12 after the gains */
    vae__pool_book(pool, 2, 20100000, now);
    CHECK_EQ(pool->alone, 1);
    wait = (int64_t)pool->alone_until - now / 1000000; /* ms */
    CHECK(wait > 16 * 10 && wait < 16 * 13);
    vae__pool_book(pool, 2, 20100000, now); /* and again, with nothing gained between: twice as long */
    CHECK((int64_t)pool->alone_until - now / 1000000 > 16 * 17);
    CHECK_EQ(pool->caution, 64);
    vae__pool_book(pool, 2, 3600000000000, now); /* an hour's sleep of the machine is not a loss of an hour */
    CHECK((int64_t)pool->alone_until - now / 1000000 < 64 * 21);
    pool->alone_until = (uint32_t)(vae__nanoseconds() / 1000000) + 900000;
    CHECK_EQ(vae__parts(&parallel, 64, 4, 64), 1);
    pool->alone_until = (uint32_t)(vae__nanoseconds() / 1000000) - 1;
    CHECK_EQ(vae__parts(&parallel, 64, 4, 64), 2);
    CHECK_EQ(pool->alone, 0);
    vae_pool_destroy(pool);
}

/* The default network on three kinds of steps; images are many enough for several parts a thread. */
static uint64_t threads_large(const vae_parallel *parallel, int threads) {
    static float x[300 * 784];
    vae_desc d;
    vae *m = NULL;
    uint64_t hash;
    size_t i;
    for (i = 0; i < sizeof x / sizeof *x; i++) x[i] = (float)(i * i % 11) / 10;
    memset(&d, 0, sizeof d);
    d.input = "784", d.decoder = "dense 300 relu, dense 200 relu", d.batch = 300, d.threads = threads;
    if (parallel) d.parallel = *parallel;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    if (!m) return 0;
    CHECK_STATUS(vae_train_step(m, BATCH(x, 300), NULL), VAE_OK);
    CHECK_STATUS(vae_train_step(m, BATCH(x, 1), NULL), VAE_OK);
    CHECK_STATUS(vae_train_step(m, BATCH(x, 77), NULL), VAE_OK);
    hash = vae_params_hash(m);
    CHECK_STATUS(vae_reconstruct(m, BATCH(x, 300), x), VAE_OK);
    hash = vae__hash_floats(hash, x, 300 * 784);
    vae_destroy(m);
    return hash;
}

TEST(several_parts_a_thread_have_the_same_bits) {
    const uint64_t want = threads_large(NULL, 1);
    vae_parallel parallel;
    vae_pool *pool = NULL;
    int threads;
    CHECK_STATUS(vae_pool_create(2, NULL, &pool, NULL), VAE_OK);
    if (!pool) return;
    parallel = vae_pool_parallel(pool);
    CHECK_EQ(vae__parts(&parallel, 300, 4, 64), 4);
    CHECK_EQ(vae__parts(&parallel, 100000, 4, 64), 2 * VAE__PIECES);
    CHECK_EQ(threads_large(&parallel, 0), want);
    __atomic_store_n(&pool->alone_until, (uint32_t)(vae__nanoseconds() / 1000) + 900000000u,
                     __ATOMIC_RELAXED);
    __atomic_store_n(&pool->alone, 1, __ATOMIC_RELAXED); /* and when the caller works alone */
    CHECK_EQ(threads_large(&parallel, 0), want);
    vae_pool_destroy(pool);
    for (threads = 2; threads <= 5; threads += 3) {
        CHECK_EQ(threads_large(NULL, threads), want);
        CHECK_EQ(threads_large(NULL, -threads), want);
    }
}

static void *threads_train(void *arg) {
    const vae_desc *d = (const vae_desc *)arg;
    static uint64_t hashes[2];
    return (hashes[d->seed == 5] = threads_hash(d)) ? &hashes[d->seed == 5] : NULL;
}
static void *threads_end(void *arg) {
    vae_destroy((vae *)arg);
    return NULL;
}

TEST(two_models_may_share_a_pool_and_any_thread_may_destroy_one) {
    vae_desc a = threads_desc(), b = threads_desc();
    uint64_t want_a, want_b;
    vae_pool *pool = NULL;
    pthread_t other;
    void *hash = NULL;
    vae *m = NULL;
    b.seed = 5;
    want_a = threads_hash(&a), want_b = threads_hash(&b);
    CHECK_STATUS(vae_pool_create(3, NULL, &pool, NULL), VAE_OK);
    if (!pool) return;
    a.parallel = b.parallel = vae_pool_parallel(pool);
    CHECK(!pthread_create(&other, NULL, threads_train, &b));
    CHECK_EQ(threads_hash(&a), want_a);
    pthread_join(other, &hash);
    CHECK(hash && *(uint64_t *)hash == want_b);
    vae_pool_destroy(pool);
    a = threads_desc();
    a.threads = 3;
    CHECK_STATUS(vae_create(&a, &m, NULL), VAE_OK);
    CHECK(!pthread_create(&other, NULL, threads_end, m));
    pthread_join(other, NULL);
}
#endif

TEST(a_pool_says_what_is_wrong) {
    static const int wrong[] = {0, -1, VAE_MAX_THREADS + 1};
    vae_pool *pool = NULL;
    size_t i;
    vae_report r;
    vae_desc d = threads_desc();
    vae *m = NULL;
    CHECK_STATUS(vae_pool_create(0, NULL, &pool, &r), VAE_ERR_VALUE);
    CHECK_STATUS(vae_pool_create(VAE_MAX_THREADS + 1, NULL, &pool, &r), VAE_ERR_VALUE);
    CHECK_STATUS(vae_pool_create(2, NULL, NULL, &r), VAE_ERR_NULL);
    CHECK(pool == NULL);
    CHECK_STATUS(vae_pool_create(-VAE_MAX_THREADS - 1, NULL, &pool, &r), VAE_ERR_VALUE);
    CHECK(pool == NULL);
    d.threads = -VAE_MAX_THREADS - 1;
    CHECK_STATUS(vae_create(&d, &m, &r), VAE_ERR_VALUE);
    d.parallel.run = threads_backwards, d.threads = 0;
    for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        d.parallel.parts = wrong[i];
        CHECK_STATUS(vae_create(&d, &m, &r), VAE_ERR_VALUE);
        CHECK(strstr(r.text, "parallel.parts") != NULL && m == NULL);
    }
}

TESTS(threads) {
    RUN(training_has_the_same_bits_however_it_is_divided);
    RUN(stored_gradients_and_fused_ones_train_alike);
    RUN(products_have_the_same_bits_however_they_are_divided);
    RUN(every_thing_lies_in_exactly_one_share);
#ifdef VAE__THREADS
    RUN(the_pool_runs_every_part_once_awake_or_asleep);
    RUN(a_thread_that_is_slow_holds_up_one_part);
    RUN(the_pool_runs_more_parts_than_it_counts);
    RUN(a_pool_that_loses_time_leaves_the_caller_alone_for_a_while);
    RUN(several_parts_a_thread_have_the_same_bits);
    RUN(two_models_may_share_a_pool_and_any_thread_may_destroy_one);
#endif
    RUN(a_pool_says_what_is_wrong);
}
