/* Fault injection into the library:
 *   cc -O1 -DVAE_ONLY_PORTABLE tests/faults.c -o faults -lpthread && ./faults
 *
 * Each scenario is a piece of a program. It runs once to count its calls of the system: allocations,
 * file calls, thread starts. Then it runs again for each of these calls, which fails, once or from
 * then on, with each errno that makes sense there, or moves fewer bytes than were asked for. Each run
 * is a process of its own. Afterwards:
 *   - the process did not crash, hang or lose memory or a descriptor;
 *   - a call that failed says so, in a sentence, with a status of the right kind;
 *   - the file is the old one or the new one, whole, and nothing else lies in the folder;
 *   - the same scenario then runs without a fault.
 * A failure prints the scenario, the call and the errno. Ends with "N passed, N failed". */
#include "hooks.h"

/* ---- the plan: which call fails, and how ---- */

enum {
    OPEN, READ, WRITE, CLOSE, FSYNC, FLOCK, FCNTL, STAT, FSTAT, FCHMOD, FCHOWN, RENAME, UNLINK,
    THREAD, MUTEX, COND, MALLOC, KINDS
};
static const struct kind {
    const char *name;
    int errors[8]; /* the way it fails; SHORT: fewer bytes than asked for */
} kinds[KINDS] = {
#define SHORT (-1)
    {"open", {EACCES, EINTR, EIO, EMFILE, ENOSPC, EROFS, ELOOP}},
    {"read", {EIO, EINTR, EISDIR, SHORT}},
    {"write", {EIO, EINTR, ENOSPC, EDQUOT, EFBIG, SHORT}},
    {"close", {EIO, EINTR, ENOSPC}},
    {"fsync", {EIO, EINTR, EINVAL, ENOSPC, EDQUOT}},
    {"flock", {EINTR, ENOLCK, EWOULDBLOCK, EOPNOTSUPP}},
    {"fcntl", {EMFILE, EINVAL}},
    {"stat", {EACCES, EIO, ENOENT, EOVERFLOW, ENOMEM}},
    {"fstat", {EIO, EOVERFLOW, ENOMEM}},
    {"fchmod", {EPERM, EIO, EROFS}},
    {"fchown", {EPERM, EINVAL}},
    {"rename", {EACCES, EIO, ENOSPC, EXDEV, EROFS, EBUSY}},
    {"unlink", {EACCES, EIO, EBUSY, EROFS}},
    {"pthread_create", {EAGAIN, EPERM}},
    {"pthread_mutex_init", {ENOMEM, EAGAIN}},
    {"pthread_cond_init", {ENOMEM, EAGAIN}},
    {"malloc", {ENOMEM}},
};

static long calls[KINDS];                  /* made so far, by the scenario at work */
static int plan_kind = -1, plan_code, plan_forever;
static long plan_at;
static int counting;
static pthread_mutex_t hook_lock = PTHREAD_MUTEX_INITIALIZER;
static long live, opened;                  /* blocks and descriptors */

/* 0: go on; else the errno to fail with, or SHORT. */
static int fault(int kind) {
    long now;
    if (!counting) return 0;
    pthread_mutex_lock(&hook_lock);
    now = calls[kind]++;
    pthread_mutex_unlock(&hook_lock);
    if (kind != plan_kind || (plan_forever ? now < plan_at : now != plan_at)) return 0;
    if (plan_code != SHORT) errno = plan_code;
    return plan_code;
}
static void count(long *what, int by) {
    pthread_mutex_lock(&hook_lock);
    *what += by;
    pthread_mutex_unlock(&hook_lock);
}

static int hook_open(const char *path, int flags, int mode) {
    int fd = fault(OPEN) ? -1 : open(path, flags, mode);
    if (fd >= 0) count(&opened, 1);
    return fd;
}
static ssize_t hook_read(int fd, void *to, size_t n) {
    int code = fault(READ);
    return code && code != SHORT ? -1 : read(fd, to, code && n > 1 ? n / 2 : n);
}
static ssize_t hook_write(int fd, const void *from, size_t n) {
    int code = fault(WRITE);
    return code && code != SHORT ? -1 : write(fd, from, code && n > 1 ? n / 2 : n);
}
static int hook_close(int fd) { /* the descriptor is gone whatever it says, as on Linux */
    int code = fault(CLOSE), bad;
    if (fcntl(fd, F_GETFD) < 0) fprintf(stderr, "closed twice\n"), abort();
    bad = close(fd);
    count(&opened, -1);
    if (code) errno = code;
    return code ? -1 : bad;
}
static int hook_fsync(int fd) { (void)fd; return fault(FSYNC) ? -1 : 0; }
static int hook_flock(int fd, int how) { return fault(FLOCK) ? -1 : flock(fd, how); }
static int hook_fcntl(int fd, int what, int value) {
    int result = fault(FCNTL) ? -1 : fcntl(fd, what, value);
    if (result >= 0) count(&opened, 1); /* it is only asked for a second descriptor */
    return result;
}
static int hook_stat(const char *path, struct stat *s) { return fault(STAT) ? -1 : stat(path, s); }
static int hook_fstat(int fd, struct stat *s) { return fault(FSTAT) ? -1 : fstat(fd, s); }
static int hook_fchmod(int fd, mode_t mode) { return fault(FCHMOD) ? -1 : fchmod(fd, mode); }
static int hook_fchown(int fd, uid_t user, gid_t group) {
    return fault(FCHOWN) ? -1 : fchown(fd, user, group);
}
static int hook_rename(const char *from, const char *to) {
    return fault(RENAME) ? -1 : rename(from, to);
}
static int hook_unlink(const char *path) { return fault(UNLINK) ? -1 : unlink(path); }
static int hook_remove(const char *path) { return fault(UNLINK) ? -1 : remove(path); }
static int hook_thread(pthread_t *t, const pthread_attr_t *a, void *(*run)(void *), void *arg) {
    int code = fault(THREAD);
    return code ? code : pthread_create(t, a, run, arg);
}
static int hook_mutex(pthread_mutex_t *m, const pthread_mutexattr_t *a) {
    int code = fault(MUTEX);
    return code ? code : pthread_mutex_init(m, a);
}
static int hook_cond(pthread_cond_t *c, const pthread_condattr_t *a) {
    int code = fault(COND);
    return code ? code : pthread_cond_init(c, a);
}
static void *hook_malloc(size_t size) {
    void *p = fault(MALLOC) ? NULL : malloc(size);
    if (p) count(&live, 1);
    return p;
}
static void hook_free(void *p) {
    if (p) count(&live, -1);
    free(p);
}

/* ---- scenarios: what happened, and how it ended ---- */

typedef struct outcome {
    vae_status status;  /* of the first call that failed */
    char text[300];     /* its sentence */
    uint64_t result;    /* a hash of what came out, when all went well */
} outcome;

static char path[500], second[500];
static outcome out;

static int failed_with(vae_status status, const vae_report *r) {
    if (!status) return 0;
    if (!out.status) {
        out.status = status;
        snprintf(out.text, sizeof out.text, "%s", r->text);
        if (r->status != status) snprintf(out.text, sizeof out.text, "%s", ""); /* a stale report */
    }
    return 1;
}

static vae_desc small(int threads) {
    vae_desc d;
    memset(&d, 0, sizeof d);
    d.input = "12", d.encoder = "dense 9 relu", d.decoder = "dense 9 relu";
    d.latent = 2, d.batch = 4, d.threads = threads;
    return d;
}
static const float *images(void) {
    static float x[8 * 12];
    int i;
    for (i = 0; i < 96; i++) x[i] = (float)(i * 37 % 101) / 100;
    return x;
}
static const vae_batch *four(void) { /* of them */
    static vae_batch b;
    b.x = images(), b.rows = 4;
    return &b;
}

static void make_and_train(void) {
    vae_desc d = small(3);
    vae *m = NULL;
    vae_report r;
    int i;
    if (failed_with(vae_create(&d, &m, &r), &r)) return;
    for (i = 0; i < 3; i++)
        if (failed_with(vae_train_step(m, four(), NULL), vae_last_report(m))) break;
    out.result = vae_params_hash(m);
    vae_destroy(m);
}
static void share_a_pool(void) {
    vae_desc d = small(0);
    vae *m = NULL;
    vae_pool *pool = NULL;
    vae_report r;
    if (failed_with(vae_pool_create(4, NULL, &pool, &r), &r)) return;
    d.parallel = vae_pool_parallel(pool);
    if (!failed_with(vae_create(&d, &m, &r), &r)) {
        (void)failed_with(vae_train_step(m, four(), NULL), vae_last_report(m));
        out.result = vae_params_hash(m);
        vae_destroy(m);
    }
    vae_pool_destroy(pool);
}
static void check_gradients(void) {
    vae_desc d = small(0);
    vae *m = NULL;
    vae_report r;
    double worst = 1;
    d.keep_gradients = 1;
    if (failed_with(vae_create(&d, &m, &r), &r)) return;
    (void)failed_with(vae_check_gradients(m, four(), 1, &worst), vae_last_report(m));
    out.result = vae_params_hash(m);
    vae_destroy(m);
}
static vae *trained(int steps) { /* without faults */
    vae_desc d = small(0);
    vae *m = NULL;
    int i;
    const int was = counting;
    counting = 0;
    if (vae_create(&d, &m, NULL)) abort();
    for (i = 0; i < steps; i++)
        if (vae_train_step(m, four(), NULL)) abort();
    counting = was;
    return m;
}
static void save_a_model(void) {
    vae *m = trained(2);
    (void)failed_with(vae_save(m, path, 0), vae_last_report(m));
    out.result = vae_params_hash(m);
    vae_destroy(m);
}
static void hold_and_save_twice(void) {
    vae *m = trained(2);
    vae_claim claim, other;
    vae_report r;
    memset(&claim, 0, sizeof claim), memset(&other, 0, sizeof other);
    if (!failed_with(vae_claim_take(path, &claim, &r), &r) &&
        !failed_with(vae_claim_take(second, &other, &r), &r) &&
        !failed_with(vae_claim_save(&other, "a,b\n", 4, &r), &r) &&
        !failed_with(vae_claim_save_model(&claim, m, 0), vae_last_report(m)))
        (void)failed_with(vae_claim_save(&other, "a,b\n1,2\n", 8, &r), &r);
    vae_claim_drop(&other);
    vae_claim_drop(&claim);
    out.result = vae_params_hash(m);
    vae_destroy(m);
}
static void save_without_descriptors(void) { /* 0, 1, 2 are free: every file must move above */
    vae *m = trained(2);
    int keep[3], i;
    for (i = 0; i < 3; i++) keep[i] = fcntl(i, F_DUPFD, 20), close(i);
    (void)failed_with(vae_save(m, path, 0), vae_last_report(m));
    for (i = 0; i < 3; i++) {
        if (fcntl(i, F_GETFD) >= 0 && !out.status) out.status = VAE_ERR_STATE; /* still open */
        dup2(keep[i], i), close(keep[i]);
    }
    out.result = vae_params_hash(m);
    vae_destroy(m);
}
static void load_a_model(void) {
    vae_load_options o;
    vae *m = NULL;
    vae_report r;
    memset(&o, 0, sizeof o);
    o.threads = 2;
    if (failed_with(vae_load(path, &o, &m, &r), &r)) return;
    (void)failed_with(vae_train_step(m, four(), NULL), vae_last_report(m));
    out.result = vae_params_hash(m);
    vae_destroy(m);
}
static void load_in_place(void) {
    static uint64_t bytes[2000];
    vae *first = trained(2), *m = NULL;
    vae_load_options o;
    vae_report r;
    size_t size = 0;
    memset(&o, 0, sizeof o);
    o.inference = o.borrow = 1;
    if (vae_save_size(first, 0, &size) || size > sizeof bytes ||
        vae_save_memory(first, 0, bytes, size))
        abort();
    if (!failed_with(vae_load_memory(bytes, size, &o, &m, &r), &r)) out.result = vae_params_hash(m);
    vae_destroy(m);
    vae_destroy(first);
}
static void load_data(void) {
    vae_data data;
    vae_report r;
    float x[12];
    if (failed_with(vae_data_load(path, NULL, &data, &r), &r)) return;
    if (vae_data_read(&data, 1, 1, x)) abort();
    out.result = vae__hash_floats(VAE__FNV, x, 12);
    vae_data_free(&data);
}
static void save_data(void) {
    static const unsigned char pixels[24] = {1, 2, 3, 4, 5, 6, 7, 8};
    static const size_t dims[3] = {2, 3, 4};
    vae_data data;
    vae_report r;
    if (vae_data_wrap(VAE_U8, 3, dims, pixels, &data, NULL)) abort();
    (void)failed_with(vae_data_save(path, &data, &r), &r);
    out.result = 1;
}
static void fit_and_save(void) {
    static const size_t dims[2] = {8, 12};
    vae *m = NULL;
    vae_desc d = small(2);
    vae_data data;
    vae_report r;
    d.epochs = 2;
    if (vae_data_wrap(VAE_F32, 2, dims, images(), &data, NULL)) abort();
    if (failed_with(vae_create(&d, &m, &r), &r)) return;
    if (!failed_with(vae_fit(m, &data, &data, NULL, NULL), vae_last_report(m)))
        (void)failed_with(vae_save(m, path, VAE_SAVE_WEIGHTS_ONLY), vae_last_report(m));
    out.result = vae_params_hash(m);
    vae_destroy(m);
}

enum { NO_FILE, MODEL_FILE, OTHER_FILE, IDX_FILE, GZ_FILE };
static const struct scenario {
    const char *name;
    void (*run)(void);
    int file;   /* what lies at `path` before */
    int writes; /* does the scenario replace it? */
} scenarios[] = {
    {"make and train", make_and_train, NO_FILE, 0},
    {"share a pool", share_a_pool, NO_FILE, 0},
    {"check gradients", check_gradients, NO_FILE, 0},
    {"save a first model", save_a_model, NO_FILE, 1},
    {"save over a model", save_a_model, MODEL_FILE, 1},
    {"hold two files, save three times", hold_and_save_twice, MODEL_FILE, 1},
    {"save without descriptors 0 to 2", save_without_descriptors, MODEL_FILE, 1},
    {"load a model", load_a_model, MODEL_FILE, 0},
    {"load in place", load_in_place, NO_FILE, 0},
    {"load data", load_data, IDX_FILE, 0},
    {"load packed data", load_data, GZ_FILE, 0},
    {"save data", save_data, OTHER_FILE, 1},
    {"fit and save the weights", fit_and_save, OTHER_FILE, 1},
};
enum { SCENARIOS = sizeof scenarios / sizeof *scenarios };

/* ---- one run ---- */

static char folder[300];

static void put(const char *name, const void *bytes, size_t size) {
    FILE *f = fopen(name, "wb");
    if (!f || fwrite(bytes, 1, size, f) != size || fclose(f)) {
        fprintf(stderr, "faults: %s cannot be made\n", name);
        exit(2);
    }
}

static int strangers(int remove_them) { /* names in the folder other than the two */
    DIR *dir = opendir(folder);
    struct dirent *e;
    int n = 0;
    while (dir && (e = readdir(dir)) != NULL)
        if (e->d_name[0] != '.' && strcmp(e->d_name, strrchr(path, '/') + 1) &&
            strcmp(e->d_name, strrchr(second, '/') + 1)) {
            n++;
            if (remove_them) unlinkat(dirfd(dir), e->d_name, 0);
        }
    if (dir) closedir(dir);
    return n;
}

/* IDX of 2 x 3 x 4 bytes, and the same as one stored block of gzip. */
static void put_before(int file) {
    unsigned char idx[16 + 24] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4};
    unsigned char gz[10 + 5 + sizeof idx + 8] = {31, 139, 8, 0, 0, 0, 0, 0, 0, 255};
    unsigned crc = 0xffffffffu;
    size_t i;
    int k;
    vae *m;
    for (i = 0; i < 24; i++) idx[16 + i] = (unsigned char)(i * 10);
    gz[10] = 1, gz[11] = sizeof idx, gz[13] = 255 - sizeof idx, gz[14] = 255;
    memcpy(gz + 15, idx, sizeof idx);
    for (i = 0; i < sizeof idx; i++)
        for (crc ^= idx[i], k = 0; k < 8; k++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    crc = ~crc;
    for (k = 0; k < 4; k++) gz[15 + sizeof idx + k] = (unsigned char)(crc >> 8 * k);
    gz[19 + sizeof idx] = sizeof idx;
    unlink(path), unlink(second);
    switch (file) {
    case MODEL_FILE:
        m = trained(1);
        if (vae_save(m, path, 0)) abort();
        vae_destroy(m);
        break;
    case OTHER_FILE: put(path, "old\n", 4); break;
    case IDX_FILE: put(path, idx, sizeof idx); break;
    case GZ_FILE: put(path, gz, sizeof gz); break;
    default: break;
    }
}

static uint64_t hash_of(const char *name) {
    static unsigned char bytes[1 << 16];
    FILE *f = fopen(name, "rb");
    size_t n = f ? fread(bytes, 1, sizeof bytes, f) : 0;
    if (f) fclose(f);
    return f ? vae__hash(VAE__FNV, bytes, n) : 0;
}
static uint64_t old_hash, new_hash, result; /* of the file, of what came out; by the first run */

/* In a process of its own: what is wrong, or NULL. */
static const char *run_with_fault(const struct scenario *s) {
    static char why[700];
    uint64_t now;
    put_before(s->file);
    memset(calls, 0, sizeof calls), memset(&out, 0, sizeof out);
    counting = 1;
    s->run();
    counting = 0;
    if (live) return "memory is lost";
    if (opened) return "a descriptor is lost";
    now = hash_of(path);
    if (out.status && now != old_hash && !s->writes) return "a file that is only read has changed";
    if (now != old_hash && now != new_hash) return "the file is neither the old one nor the new one";
    if (!out.status && now != (s->writes ? new_hash : old_hash)) return "all is well, but the file is not";
    if (!out.status && out.result != result) return "all is well, but the result is another";
    if (out.status && strlen(out.text) < 12) return "a failure without a sentence";
    if (out.status && plan_code == SHORT) return "a short read or write is a failure";
    if (out.status && plan_code == EINTR) return "EINTR is a failure";
    if (out.status == VAE_ERR_MEMORY && plan_kind < THREAD && plan_code != ENOMEM)
        return "out of memory is not the reason";
    if (out.status && plan_kind == MALLOC && out.status != VAE_ERR_MEMORY)
        return "the reason is memory, and the status does not say so";
    if (out.status && plan_kind < THREAD && !strstr(out.text, "model") && !strstr(out.text, "second"))
        return "the sentence does not name the file";
    /* a lock that somebody else has is his to remove, and one that is said to be gone is nobody's */
    if (plan_kind != UNLINK && !(plan_code == EWOULDBLOCK && plan_forever) &&
        !(plan_kind == STAT && plan_code == ENOENT) && strangers(0))
        return "something else is left in the folder";
    plan_kind = -1; /* and the next run works, over whatever was left */
    memset(&out, 0, sizeof out);
    if (!s->writes) put_before(s->file);
    s->run();
    if (out.status) {
        snprintf(why, sizeof why, "the next run fails: %s", out.text);
        return why;
    }
    if (live || opened) return "the next run loses something";
    if (out.result != result) return "the next run comes to another result";
    if (s->writes && hash_of(path) != new_hash) return "the next run writes another file";
    return NULL;
}

static long passed, failed, points;

static void try_point(const struct scenario *s, int kind, long at, int code, int forever) {
    int status = 0;
    pid_t child;
    points++;
    strangers(1);
    fflush(stdout);
    plan_kind = kind, plan_at = at, plan_code = code, plan_forever = forever;
    child = fork();
    if (child == 0) {
        const char *why;
        alarm(20);
        why = run_with_fault(s);
        if (!why) _exit(0);
        printf("FAIL %s: %s call %ld %s %s: %s (%s)\n", s->name, kinds[kind].name, at + 1,
               code == SHORT ? "moves less" : strerror(code), forever ? "for ever" : "once", why, out.text);
        fflush(stdout);
        _exit(1);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) exit(2);
    if (WIFSIGNALED(status))
        printf("FAIL %s: %s call %ld %s %s: signal %d\n", s->name, kinds[kind].name, at + 1,
               code == SHORT ? "moves less" : strerror(code), forever ? "for ever" : "once",
               WTERMSIG(status));
    if (status) failed++;
    else passed++;
}

static void try_scenario(const struct scenario *s) {
    long all[KINDS], before = points;
    int kind, i, forever;
    unlink(path), unlink(second);
    plan_kind = -1;
    put_before(s->file);
    old_hash = hash_of(path);
    memset(calls, 0, sizeof calls), memset(&out, 0, sizeof out);
    live = opened = 0;
    counting = 1;
    s->run();
    counting = 0;
    memcpy(all, calls, sizeof all);
    result = out.result, new_hash = hash_of(path);
    if (out.status || live || opened || (s->writes && new_hash == old_hash)) {
        printf("FAIL %s: without a fault: %s\n", s->name, out.text);
        failed++;
        return;
    }
    for (kind = 0; kind < KINDS; kind++)
        for (i = 0; i < 8 && kinds[kind].errors[i]; i++)
            for (forever = 0; forever < 2; forever++) {
                const int code = kinds[kind].errors[i];
                long at;
                if (forever && code == EINTR) continue; /* nobody could end that */
                for (at = 0; at < all[kind]; at++) try_point(s, kind, at, code, forever);
            }
    printf("%s: %ld points\n", s->name, points - before);
}

int main(int argc, char **argv) {
    const char *base = getenv("TMPDIR");
    int i;
    snprintf(folder, sizeof folder, "%s/vae-faults-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(folder)) return 2;
    snprintf(path, sizeof path, "%s/model", folder);
    snprintf(second, sizeof second, "%s/second", folder);
    for (i = 0; i < SCENARIOS; i++)
        if (argc < 2 || strstr(scenarios[i].name, argv[1])) try_scenario(&scenarios[i]);
    unlink(path), unlink(second);
    rmdir(folder);
    printf("%ld points where the system failed\n%ld passed, %ld failed\n", points, passed, failed);
    return failed != 0;
}
