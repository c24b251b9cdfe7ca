/* After creation a decode or an encode on one thread allocates nothing, takes no lock and makes no
 * call of the system.
 *     build/realtime [CALLS]           calls of each kind in all (20000); the last line counts
 * Each network works in a process of its own, in which every call of the system but exit is deadly
 * (seccomp), and malloc, its relatives and pthread's locks are counted. Linux with glibc. */
#define _GNU_SOURCE
#include "../vae.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__linux__) && defined(__GLIBC__)
#include <dlfcn.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- what is counted while `watch` is set ---- */

static volatile int watch;
static struct shared { long calls, counted; float x[2][4096], mu[2][64]; } *shared;

static void count(void) {
    if (watch) shared->counted++;
}
void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void __libc_free(void *);
void *malloc(size_t n) { count(); return __libc_malloc(n); }
void *calloc(size_t n, size_t size) { count(); return __libc_calloc(n, size); }
void *realloc(void *p, size_t n) { count(); return __libc_realloc(p, n); }
void free(void *p) { count(); __libc_free(p); }
void *memalign(size_t align, size_t n) { count(); return __libc_memalign(align, n); }
void *aligned_alloc(size_t align, size_t n) { count(); return __libc_memalign(align, n); }
int posix_memalign(void **p, size_t align, size_t n) {
    count();
    *p = __libc_memalign(align, n);
    return *p ? 0 : ENOMEM;
}
#define LOCK(name, type) \
    int name(type *x) { \
        static int (*real)(type *); \
        count(); \
        if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name); \
        return real(x); \
    }
LOCK(pthread_mutex_lock, pthread_mutex_t)
LOCK(pthread_mutex_trylock, pthread_mutex_t)
LOCK(pthread_mutex_unlock, pthread_mutex_t)
LOCK(pthread_cond_signal, pthread_cond_t)
LOCK(pthread_cond_broadcast, pthread_cond_t)

/* From now on every call of the system but exit kills this process with SIGSYS. */
static void forbid(void) {
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)};
    struct sock_fprog program = {sizeof rules / sizeof *rules, rules};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        _exit(77);
}

/* ---- the work ---- */

static const struct net {
    const char *name, *input, *encoder, *decoder, *likelihood, *posterior;
    int shares;
} nets[] = {
    {"dense", "28x28x1", "dense 64 relu", "dense 64 relu", NULL, NULL, 0},
    {"a shared model", "28x28x1", "dense 64 relu", "dense 64 relu", NULL, NULL, 1},
    {"convolutions", "8x8x1", "conv 4 3x3/2, batchnorm relu, dense 16 relu",
     "dense 64 relu, reshape 4x4x4, convt 4 4x4/2 relu, layernorm, conv 1 3x3", NULL, NULL, 0},
    {"full covariance, mixture of logistics", "4x4x3", "dense 16 tanh", "dense 16 tanh",
     "logistic_mixture 3", "normal full, planar 2", 0},
    {"inverse autoregressive flow", "16", "dense 16 elu", "dense 16 elu", "gaussian_pixel",
     "normal, iaf 16 2", 0},
    {"categories", "16", "dense 16 silu", "dense 16 gelu", "categorical 4", "categorical 4", 0},
    {"levels", "16", "dense 16 silu", "dense 16 gelu", NULL, "fsq 5", 0},
    {"two layers", "16", "dense 16 tanh, z 4, dense 8 tanh", "dense 8 tanh, z 4, dense 16 tanh", NULL,
     NULL, 0}};
enum { NETS = sizeof nets / sizeof *nets, LATENT = 4 };

static vae *made(const struct net *n, vae_isa isa) {
    vae_desc d;
    vae_load_options own;
    vae_report why;
    vae *m, *second;
    memset(&d, 0, sizeof d);
    memset(&own, 0, sizeof own);
    d.input = n->input, d.encoder = n->encoder, d.decoder = n->decoder, d.isa = own.isa = isa;
    d.likelihood = n->likelihood, d.posterior = n->posterior, d.latent = LATENT, d.batch = 4;
    if (vae_create(&d, &m, &why)) return printf("FAIL %s: %s\n", n->name, why.text), (vae *)NULL;
    return n->shares && !vae_share(m, &own, &second, NULL) ? second : m;
}

/* `calls` decodes and encodes of 1 to 4 rows; the last ones are left in shared->x and mu [which]. */
static int work(vae *m, long calls, int which) {
    static float images[4 * 784], z[4 * 64];
    vae_batch image, code;
    long i;
    int bad = 0;
    memset(&image, 0, sizeof image);
    memset(&code, 0, sizeof code);
    for (i = 0; i < 4 * 784; i++) images[i] = (float)(i % 7) / 8;
    for (i = 0; i < 4 * 64; i++) z[i] = (float)(i % 5) / 4 - 0.5f;
    image.x = images, code.x = z;
    for (i = 0; i < calls && !bad; i++) {
        code.rows = image.rows = i % 16 ? 1 : 4;
        bad = vae_decode(m, &code, shared->x[which]) || vae_encode(m, &image, shared->mu[which], NULL);
        shared->calls = i;
    }
    return bad;
}

/* The status of a process that does `calls` under watch; 0: ended well. */
static int watched(vae *m, long calls, int mischief) {
    int status;
    const pid_t child = fork();
    if (!child) {
        forbid();
        watch = 1;
        if (mischief == 1) {
            void *volatile p = malloc(10); /* volatile: or the compiler leaves both calls out */
            free(p);
        }
        if (mischief == 2) (void)syscall(SYS_getpid);
        status = work(m, calls, 1);
        watch = 0;
        _exit(status ? 1 : 0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) return -1;
    return status;
}

int main(int argc, char **argv) {
    const long all = argc > 1 ? atol(argv[1]) : 20000;
    int passed = 0, failed = 0, i, status;
    vae_isa isa = vae_isa_best();
    vae *m = made(&nets[0], isa);
    shared = (struct shared *)mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || !m) return printf("0 passed, 1 failed, 0 skipped\n"), 1;
    status = watched(m, 1, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        printf("skip real time (this system has no seccomp)\n0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    for (i = 1; i <= 2; i++) { /* the watch sees what it is to see */
        shared->counted = 0;
        status = watched(m, 1, i);
        if (i == 1 ? shared->counted == 2 : WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) passed++;
        else printf("FAIL the watch does not see %s\n", i == 1 ? "malloc and free" : "getpid"), failed++;
    }
    vae_destroy(m);
    for (i = 0; i < 2 * NETS; i++) {
        const long calls = (all + 2 * NETS - 1) / (2 * NETS);
        const struct net *n = &nets[i / 2];
        isa = i % 2 ? VAE_ISA_PORTABLE : vae_isa_best();
        m = made(n, isa);
        memset(shared, 0, sizeof *shared);
        if (!m || work(m, calls < 33 ? calls : 17, 0)) {
            failed++;
            if (m) printf("FAIL %s: %s\n", n->name, vae_last_report(m)->text);
            continue;
        }
        shared->counted = 0;
        status = watched(m, calls < 33 ? calls : calls / 16 * 16 + 1, 0);
        if (status == 0 && shared->counted == 0 && !memcmp(shared->x[0], shared->x[1], sizeof shared->x[0])
            && !memcmp(shared->mu[0], shared->mu[1], sizeof shared->mu[0])) {
            passed++;
            printf("ok %s, %s: %ld decodes and encodes without an allocation, a lock or a call of the "
                   "system\n", n->name, vae_choice_name(VAE_CHOICE_ISA, (int)isa), shared->calls + 1);
        } else {
            failed++;
            printf("FAIL %s, %s: %s after %ld calls, %ld allocations or locks\n", n->name,
                   vae_choice_name(VAE_CHOICE_ISA, (int)isa), WIFSIGNALED(status)
                   && WTERMSIG(status) == SIGSYS ? "a call of the system" : status ? "an error"
                   : shared->counted ? "counted" : "other numbers", shared->calls, shared->counted);
        }
        vae_destroy(m);
    }
    printf("real time: %d passed, %d failed, 0 skipped\n", passed, failed);
    return failed != 0;
}
#else
int main(void) {
    printf("skip real time (Linux with glibc only)\n0 passed, 0 failed, 1 skipped\n");
    return 0;
}
#endif
