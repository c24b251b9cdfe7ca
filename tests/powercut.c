/* Power cuts: cc -O1 -DVAE_ONLY_PORTABLE tests/powercut.c -o powercut -lpthread && ./powercut
 *
 * A save is recorded, call by call, on a disk that lives in this file: writes, flushes, renames. Then
 * the power goes after each call, and each disk that could be found afterwards is built in a folder
 * and looked at with vae_load: the old model or the new one must be there, whole, and the next save
 * must succeed. What a power cut may do:
 *   - of the writes to a file since its last fsync any part may have reached the disk, in any order,
 *     each whole, by half, or not at all, with zeros in place of what is missing;
 *   - of the changes of a folder (made, renamed, removed names) since the folder's last fsync any part
 *     may have reached the disk; each by itself is whole.
 * Ends with "N passed, N failed" and the number of disks. A second pass records the same save with its
 * flushes left out, and must find disks that hold half a model: the test can fail. */
#include "hooks.h"

/* ---- the recorded calls ---- */

enum { MOST_CALLS = 400, MOST_FILES = 40, MOST_UNSAFE = 14 };
enum { MADE, WRITTEN, FLUSHED, FOLDER_FLUSHED, RENAMED, REMOVED };

typedef struct call {
    int what, file; /* file: number of what was made */
    char from[80], to[80];
    size_t at, count; /* of a write, its bytes in `content` */
    size_t bytes;
} call;

static call calls[MOST_CALLS];
static int call_count, recording, without_flushes;
static char *content;
static size_t content_count;
static int file_of[64]; /* descriptor -> file number + 1; -1: the folder */
static size_t position[64];
static int files;
static char folder[200];
static long live;

static void fail(const char *why) {
    fprintf(stderr, "powercut: %s\n", why);
    exit(2);
}

static call *record(int what, int file, const char *from, const char *to) {
    call *c = &calls[call_count++];
    if (call_count == MOST_CALLS) fail("more calls than there is room for");
    memset(c, 0, sizeof *c);
    c->what = what, c->file = file;
    snprintf(c->from, sizeof c->from, "%s", from ? strrchr(from, '/') + 1 : "");
    snprintf(c->to, sizeof c->to, "%s", to ? strrchr(to, '/') + 1 : "");
    return c;
}

static int hook_open(const char *path, int flags, int mode) {
    int fd = open(path, flags, mode);
    if (!recording || fd < 0 || fd >= 64) return fd;
    file_of[fd] = 0;
    if (flags & O_CREAT) {
        file_of[fd] = ++files, position[fd] = 0;
        record(MADE, files - 1, path, NULL);
    } else {
        struct stat s;
        if (!fstat(fd, &s) && S_ISDIR(s.st_mode)) file_of[fd] = -1;
    }
    return fd;
}
static ssize_t hook_read(int fd, void *to, size_t count) { return read(fd, to, count); }
static ssize_t hook_write(int fd, const void *from, size_t count) {
    ssize_t n = write(fd, from, count);
    if (recording && n > 0 && file_of[fd] > 0) {
        call *c = record(WRITTEN, file_of[fd] - 1, NULL, NULL);
        content = (char *)realloc(content, content_count + (size_t)n);
        memcpy(content + content_count, from, (size_t)n);
        c->at = position[fd], c->count = (size_t)n, c->bytes = content_count;
        content_count += (size_t)n, position[fd] += (size_t)n;
    }
    return n;
}
static int hook_close(int fd) { return close(fd); }
static int hook_fsync(int fd) {
    if (recording && file_of[fd] && !without_flushes)
        record(file_of[fd] > 0 ? FLUSHED : FOLDER_FLUSHED, file_of[fd] - 1, NULL, NULL);
    return 0; /* the real disk need not be waited for */
}
static int hook_flock(int fd, int how) { return flock(fd, how); }
static int hook_fcntl(int fd, int what, int value) { return fcntl(fd, what, value); }
static int hook_stat(const char *path, struct stat *s) { return stat(path, s); }
static int hook_fstat(int fd, struct stat *s) { return fstat(fd, s); }
static int hook_fchmod(int fd, mode_t mode) { return fchmod(fd, mode); }
static int hook_fchown(int fd, uid_t user, gid_t group) { return fchown(fd, user, group); }
static int hook_rename(const char *from, const char *to) {
    if (recording) record(RENAMED, 0, from, to);
    return rename(from, to);
}
static int hook_unlink(const char *path) {
    if (recording) record(REMOVED, 0, path, NULL);
    return unlink(path);
}
static int hook_remove(const char *path) { return hook_unlink(path); }
static int hook_thread(pthread_t *t, const pthread_attr_t *a, void *(*run)(void *), void *arg) {
    return pthread_create(t, a, run, arg);
}
static int hook_mutex(pthread_mutex_t *m, const pthread_mutexattr_t *a) {
    return pthread_mutex_init(m, a);
}
static int hook_cond(pthread_cond_t *c, const pthread_condattr_t *a) {
    return pthread_cond_init(c, a);
}
static void *hook_malloc(size_t size) { return live++, malloc(size); }
static void hook_free(void *p) { live--, free(p); }

/* ---- a disk after a power cut ---- */

typedef struct name {
    char text[80];
    int file; /* -1: the old file of that name */
} name;

typedef struct disk {
    name names[20];
    int count;
} disk;

static void set_name(disk *d, const char *text, int file) {
    int i;
    for (i = 0; i < d->count && strcmp(d->names[i].text, text); i++) {}
    if (i == d->count) snprintf(d->names[d->count++].text, sizeof d->names[i].text, "%s", text);
    d->names[i].file = file;
}
static void drop_name(disk *d, const char *text) {
    int i;
    for (i = 0; i < d->count && strcmp(d->names[i].text, text); i++) {}
    if (i < d->count) d->names[i] = d->names[--d->count];
}

/* Which file a rename moves, whether or not the disk has its first name yet. */
static int file_named(const char *text, int before) {
    int i, file = -1;
    for (i = 0; i < before; i++)
        if (calls[i].what == MADE && !strcmp(calls[i].from, text)) file = calls[i].file;
    return file;
}

static void change_folder(disk *d, int i) {
    const call *c = &calls[i];
    if (c->what == MADE) set_name(d, c->from, c->file);
    if (c->what == REMOVED) drop_name(d, c->from);
    if (c->what == RENAMED) drop_name(d, c->from), set_name(d, c->to, file_named(c->from, i));
}

/* The bytes of a file of which these writes reached the disk: digit i of `choice`, in base 3, tells
 * of unsafe write i: whole, half, nothing. */
static size_t build(int file, int end, long choice, char *out) {
    size_t size = 0;
    int i, safe = 0;
    for (i = 0; i < end; i++)
        if (calls[i].what == FLUSHED && calls[i].file == file) safe = i;
    for (i = 0; i < end; i++) {
        const call *c = &calls[i];
        size_t n = c->count;
        if (c->what != WRITTEN || c->file != file) continue;
        if (i > safe) {
            if (choice % 3 == 1) n /= 2;
            if (choice % 3 == 2) n = 0;
            choice /= 3;
        }
        if (n && c->at + n > size) {
            memset(out + size, 0, c->at + n - size);
            size = c->at + n;
        }
        memcpy(out + c->at, content + c->bytes, n);
    }
    return size;
}
static long choices(int file, int end) {
    long n = 1;
    int i, safe = -1;
    for (i = 0; i < end; i++)
        if (calls[i].what == FLUSHED && calls[i].file == file) safe = i;
    for (i = safe + 1; i < end; i++)
        if (calls[i].what == WRITTEN && calls[i].file == file) n *= 3;
    return n;
}

/* ---- looking at it ---- */

typedef struct target {
    const char *name;
    uint64_t before;     /* hash of the old model; 0: there was none */
    uint64_t after[2];   /* of those that are saved, one after the other */
    char *old_bytes;
    size_t old_size;
} target;

static target targets[4];
static int target_count;
static long disks, halves, next_bad;
static char scratch[300];

static void put(const char *text, const char *bytes, size_t size) {
    char path[600];
    FILE *f;
    snprintf(path, sizeof path, "%s/%s", scratch, text);
    f = fopen(path, "wb");
    if (!f || (size && fwrite(bytes, 1, size, f) != size) || fclose(f)) fail("no scratch file");
}

static void empty_scratch(void) {
    DIR *dir = opendir(scratch);
    struct dirent *e;
    char path[600];
    while (dir && (e = readdir(dir)) != NULL) {
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", scratch, e->d_name);
        unlink(path);
    }
    if (dir) closedir(dir);
}

static int names_left(void) {
    DIR *dir = opendir(scratch);
    struct dirent *e;
    int n = 0;
    while (dir && (e = readdir(dir)) != NULL) n += e->d_name[0] != '.';
    if (dir) closedir(dir);
    return n;
}

/* Whole, old or new? And does the next save get through? */
static void look(const target *t, vae *next) {
    char path[600];
    vae *m = NULL;
    vae_report r;
    struct stat s;
    int good;
    snprintf(path, sizeof path, "%s/%s", scratch, t->name);
    if (stat(path, &s) != 0) {
        good = !t->before;
    } else {
        good = vae_load(path, NULL, &m, &r) == VAE_OK;
        if (good)
            good = vae_params_hash(m) == t->after[0] || vae_params_hash(m) == t->after[1] ||
                   (t->before && vae_params_hash(m) == t->before);
        vae_destroy(m);
    }
    halves += !good;
    if (!good && !without_flushes && halves < 5) printf("    %s: half a model\n", t->name);
    if (without_flushes) return;
    if (vae_save(next, path, 0) != VAE_OK && next_bad++ < 5)
        printf("    the next save: %s\n", vae_last_report(next)->text);
}

/* Every disk that may be found after the first `end` calls. */
static void cut_after(int end, vae *next) {
    int unsafe[MOST_UNSAFE], n = 0, i, from = 0;
    long set;
    static char bytes[1 << 20];
    for (i = 0; i < end; i++)
        if (calls[i].what == FOLDER_FLUSHED) from = i;
    for (i = from; i < end; i++)
        if (calls[i].what == MADE || calls[i].what == RENAMED || calls[i].what == REMOVED) {
            if (n == MOST_UNSAFE) fail("too many changes of a folder");
            unsafe[n++] = i;
        }
    for (set = 0; set < 1L << n; set++) {
        disk d;
        long all = 1, choice;
        int k;
        memset(&d, 0, sizeof d);
        for (i = 0; i < target_count; i++)
            if (targets[i].before) set_name(&d, targets[i].name, -1);
        for (i = 0; i < from; i++) change_folder(&d, i);
        for (i = 0; i < n; i++)
            if (set >> i & 1) change_folder(&d, unsafe[i]);
        for (k = 0; k < d.count; k++)
            if (d.names[k].file >= 0) all *= choices(d.names[k].file, end);
        for (choice = 0; choice < all; choice++) {
            long rest = choice;
            if (all > 300 && (choice * 7919) % 101 > 1 && choice > 100) continue; /* a sample */
            empty_scratch();
            for (k = 0; k < d.count; k++) {
                const name *at = &d.names[k];
                if (at->file >= 0) {
                    const long mine = choices(at->file, end);
                    put(at->text, bytes, build(at->file, end, rest % mine, bytes));
                    rest /= mine;
                } else {
                    for (i = 0; strcmp(targets[i].name, at->text); i++) {}
                    put(at->text, targets[i].old_bytes, targets[i].old_size);
                }
            }
            disks++;
            for (i = 0; i < target_count; i++) look(&targets[i], next);
        }
    }
}

/* ---- what is recorded ---- */

static vae *model(int steps) {
    vae_desc d;
    vae *m = NULL;
    float x[8 * 30];
    int i;
    memset(&d, 0, sizeof d);
    d.input = "30", d.encoder = "dense 40 relu", d.decoder = "dense 40 relu", d.latent = 3, d.batch = 8;
    for (i = 0; i < 240; i++) x[i] = (float)(i * 37 % 101) / 100;
    if (vae_create(&d, &m, NULL)) fail("no model");
    for (i = 0; i < steps; i++)
        if (vae_train_step(m, &(vae_batch){.x = x, .rows = 8}, NULL)) fail("no step");
    return m;
}

static void begin(const char *const *names, int count, vae *old) {
    char path[600];
    size_t size;
    int i;
    call_count = files = 0, content_count = 0, target_count = count;
    for (i = 0; i < count; i++) {
        target *t = &targets[i];
        free(t->old_bytes);
        memset(t, 0, sizeof *t);
        t->name = names[i];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
        if (!old) continue;
        t->before = vae_params_hash(old);
        if (vae_save(old, path, 0) || vae_save_size(old, 0, &size)) fail("no old model");
        t->old_bytes = (char *)malloc(size), t->old_size = size;
        if (vae_save_memory(old, 0, t->old_bytes, size)) fail("no bytes of the old model");
    }
}

static void replay(vae *next) {
    int end;
    for (end = 0; end <= call_count; end++) cut_after(end, next);
}

/* A save by path; and two checkpoints of a run that holds two paths, as that of
 * `vae train --model --best` does. */
static void save_once(vae *m) {
    char path[600];
    snprintf(path, sizeof path, "%s/%s", folder, targets[0].name);
    recording = 1;
    if (vae_save(m, path, 0)) fail(vae_last_report(m)->text);
    recording = 0;
    targets[0].after[0] = targets[0].after[1] = vae_params_hash(m);
}
static void save_run(vae *first, vae *second) {
    char path[2][600];
    vae_claim claim[2];
    int i;
    for (i = 0; i < 2; i++) snprintf(path[i], sizeof path[i], "%s/%s", folder, targets[i].name);
    recording = 1;
    for (i = 0; i < 2; i++)
        if (vae_claim_take(path[i], &claim[i], NULL)) fail("no claim");
    for (i = 0; i < 4; i++)
        if (vae_claim_save_model(&claim[i % 2], i < 2 ? first : second, 0)) fail("no save");
    for (i = 0; i < 2; i++) vae_claim_drop(&claim[i]);
    recording = 0;
    for (i = 0; i < 2; i++)
        targets[i].after[0] = vae_params_hash(first), targets[i].after[1] = vae_params_hash(second);
}

int main(void) {
    static const char *const names[] = {"m.safetensors", "best.safetensors"};
    vae *old = model(1), *now = model(4), *later = model(5), *next = model(6);
    const char *base = getenv("TMPDIR");
    int passed = 0, failed = 0, pass;
    long all = 0;
    snprintf(folder, sizeof folder, "%s/vae-powercut-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(folder)) fail("no folder");
    snprintf(scratch, sizeof scratch, "%s/disk", folder);
    if (mkdir(scratch, 0700)) fail("no folder");
    for (pass = 0; pass < 4; pass++) {
        static const char *const what[] = {
            "a save over an old model", "a first save", "two checkpoints of two files held by one run",
            "without its flushes the same save leaves half a model, and that is seen"};
        int good;
        without_flushes = pass == 3;
        disks = halves = next_bad = 0;
        begin(names, pass == 2 ? 2 : 1, pass == 1 ? NULL : old);
        if (pass == 2) save_run(now, later);
        else save_once(now);
        replay(next);
        good = disks > 10 && !next_bad && (pass == 3 ? halves > 0 : halves == 0);
        if (pass < 3) { /* after the last disk and the save that followed it, only the models stay */
            int left = names_left();
            if (left != target_count) printf("    %d names are left\n", left), good = 0;
            all += disks;
        }
        printf("%s %s: %d calls, %ld disks\n", good ? "ok" : "FAIL", what[pass], call_count, disks);
        passed += good, failed += !good;
    }
    empty_scratch();
    rmdir(scratch);
    for (pass = 0; pass < 2; pass++) {
        char path[600];
        snprintf(path, sizeof path, "%s/%s", folder, names[pass]);
        unlink(path);
    }
    rmdir(folder);
    for (pass = 0; pass < 4; pass++) free(targets[pass].old_bytes);
    free(content);
    vae_destroy(old), vae_destroy(now), vae_destroy(later), vae_destroy(next);
    if (live) printf("FAIL %ld blocks are not given back\n", live), failed++;
    printf("%ld states of a disk after a power cut\n", all);
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
