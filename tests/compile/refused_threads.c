/* Threads, mutexes and condition variables that the system refuses, each in its turn: with threads = 4 an
 * error that leaves nothing behind, with -4 a pool or a model of as many as there are, and the same bits. */
#include <errno.h>
#include <pthread.h>
static int tried, refuse; /* calls that may fail; the number of the one that does, and all after it */
static int running, locks; /* made and not ended */

static int refused(void) { return refuse && ++tried >= refuse; }
static int try_create(pthread_t *t, const pthread_attr_t *attr, void *(*run)(void *), void *arg) {
    const int bad = refused() ? EAGAIN : pthread_create(t, attr, run, arg);
    running += !bad;
    return bad;
}
static int try_join(pthread_t t, void **result) {
    running--;
    return pthread_join(t, result);
}
static int try_mutex(pthread_mutex_t *m) {
    const int bad = refused() ? EAGAIN : pthread_mutex_init(m, NULL);
    locks += !bad;
    return bad;
}
static int try_cond(pthread_cond_t *c) {
    const int bad = refused() ? EAGAIN : pthread_cond_init(c, NULL);
    locks += !bad;
    return bad;
}
static int end_mutex(pthread_mutex_t *m) {
    locks--;
    return pthread_mutex_destroy(m);
}
static int end_cond(pthread_cond_t *c) {
    locks--;
    return pthread_cond_destroy(c);
}
#define pthread_create try_create
#define pthread_join try_join
#define pthread_mutex_init(m, attr) try_mutex(m)
#define pthread_cond_init(c, attr) try_cond(c)
#define pthread_mutex_destroy end_mutex
#define pthread_cond_destroy end_cond
#define VAE_IMPLEMENTATION
#include "../../vae.h"
#include "loop.h"
#include <stdlib.h>

static int blocks;
static void *take(size_t size, void *user) {
    (void)user;
    blocks++;
    return malloc(size);
}
static void give(void *block, size_t size, void *user) {
    (void)size, (void)user;
    blocks--;
    free(block);
}

static int left_behind(int at, const char *what) {
    char text[80];
    if (!running && !locks && !blocks) return 0;
    sprintf(text, "%d threads, %d locks, %d blocks stay when call %d is refused", running, locks, blocks,
            at);
    return loop_fail(what, text);
}

static int pools(int at, const vae_allocator *allocator) {
    vae_pool *pool = NULL;
    vae_report report;
    int granted;
    memset(&report, 0, sizeof report);
    tried = 0, refuse = at;
    if (!vae_pool_create(4, allocator, &pool, &report)) return loop_fail("pool", "nothing was refused");
    if (report.status != VAE_ERR_MEMORY || pool) return loop_fail("pool", report.text);
    if (at > 3 && !strstr(report.text, "thread")) return loop_fail("pool, text", report.text);
    if (left_behind(at, "pool")) return 1;
    tried = 0;
    if (vae_pool_create(-4, allocator, &pool, &report)) return loop_fail("at most 4", report.text);
    granted = vae_pool_parallel(pool).parts;
    vae_pool_destroy(pool);
    if (granted != (at > 4 ? at - 3 : 1)) return loop_fail("at most 4", "another number of threads");
    return left_behind(at, "at most 4");
}

/* Its hash after two steps; the network is large enough for several parts a thread. */
static int models(int at, const vae_allocator *allocator, uint64_t want, uint64_t *hash) {
    static float x[160 * 784];
    vae_report report;
    vae_desc d;
    vae *m = NULL;
    vae_batch batch;
    int i;
    for (i = 0; i < 160 * 784; i++) x[i] = (float)(i * 7 % 13) / 16;
    memset(&d, 0, sizeof d);
    memset(&report, 0, sizeof report);
    d.input = "784", d.encoder = d.decoder = "dense 120 relu", d.batch = 160, d.allocator = *allocator;
    d.threads = 4, tried = 0, refuse = at;
    if (at && !vae_create(&d, &m, &report)) return loop_fail("model", "nothing was refused");
    if (at && (report.status != VAE_ERR_MEMORY || m)) return loop_fail("model", report.text);
    if (left_behind(at, "model")) return 1;
    d.threads = -4, tried = 0;
    if (vae_create(&d, &m, &report)) return loop_fail("model, at most 4", report.text);
    vae_get_desc(m, &d);
    if (at && d.threads != (at > 4 ? at - 3 : 1)) return loop_fail("model", "another number of threads");
    memset(&batch, 0, sizeof batch);
    batch.x = x, batch.rows = 160;
    for (i = 0; i < 2; i++)
        if (vae_train_step(m, &batch, NULL)) return loop_fail("step", vae_last_report(m)->text);
    *hash = vae_params_hash(m);
    vae_destroy(m);
    if (at && *hash != want) return loop_fail("model", "other bits with fewer threads");
    return left_behind(at, "model, at most 4");
}

int main(void) {
    vae_allocator allocator;
    uint64_t want = 0, hash;
    int at;
    memset(&allocator, 0, sizeof allocator);
    allocator.alloc = take, allocator.release = give;
    if (models(0, &allocator, 0, &want)) return 1;
    for (at = 1; at <= 6; at++) /* a mutex, two condition variables, three threads */
        if (pools(at, &allocator) || models(at, &allocator, want, &hash)) return 1;
    refuse = 0;
    return loop();
}
