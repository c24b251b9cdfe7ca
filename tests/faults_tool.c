/* Fault injection into the vae command:
 *   cc -O1 -shared -fPIC tests/faults_shim.c -o faults_shim.so -ldl
 *   cc -O1 -DVAE_ONLY_PORTABLE tests/faults_tool.c -o faults_tool -lpthread
 *   ./faults_tool VAE ./faults_shim.so [PART OF A COMMAND]
 *
 * Each command runs once to count its calls of the system, then again for each of these calls, which
 * fails, once or from then on, as faults_kinds.h lists. Afterwards:
 *   - the command ended by itself, with status 0 or 1; with 1 it said why in one line on stderr;
 *   - every file is the old one or the new one, whole, nothing that was read has changed, and no
 *     temporary and no lock lies about;
 *   - with status 0 the results are those of the run without a fault;
 *   - the next run without a fault comes to them too.
 * A failure prints command, call and errno. Ends with "N passed, N failed". */
#define _GNU_SOURCE 1
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "faults_kinds.h"

static const struct {
    const char *name;
    int errors[7];
} kinds[FAULT_KINDS] = {
#define FAULT_ROW(name, text, ...) {text, {__VA_ARGS__}},
    FAULT_LIST(FAULT_ROW)
};

/* ---- a folder as bytes ---- */

enum { MOST_FILES = 60 };
typedef struct file {
    char name[100]; /* "a" or "folder/a" */
    char *bytes;
    size_t size;
} file;
typedef struct snapshot {
    file files[MOST_FILES];
    int count;
} snapshot;

static void give_up(const char *why, const char *what) {
    fprintf(stderr, "faults_tool: %s %s\n", why, what);
    exit(2);
}
static void forget(snapshot *s) {
    while (s->count) free(s->files[--s->count].bytes);
}
static int compare_files(const void *a, const void *b) {
    return strcmp(((const file *)a)->name, ((const file *)b)->name);
}
static void take(snapshot *s, const char *inside) {
    DIR *dir = opendir(*inside ? inside : ".");
    struct dirent *e;
    if (!dir) give_up("no folder", inside);
    while ((e = readdir(dir)) != NULL) {
        char name[400];
        struct stat st;
        snprintf(name, sizeof name, "%s%s%s", inside, *inside ? "/" : "", e->d_name);
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || lstat(name, &st)) continue;
        if (S_ISDIR(st.st_mode)) {
            take(s, name);
        } else {
            file *f = &s->files[s->count++];
            FILE *in = fopen(name, "rb");
            if (s->count == MOST_FILES || !in) give_up("too many files, or no", name);
            snprintf(f->name, sizeof f->name, "%.99s", name);
            f->size = (size_t)st.st_size, f->bytes = (char *)malloc(f->size + 1);
            if (fread(f->bytes, 1, f->size, in) != f->size) give_up("cannot be read:", name);
            fclose(in);
        }
    }
    closedir(dir);
    if (!*inside) qsort(s->files, (size_t)s->count, sizeof *s->files, compare_files);
}
static const file *find(const snapshot *s, const char *name) {
    int i;
    for (i = 0; i < s->count; i++)
        if (!strcmp(s->files[i].name, name)) return &s->files[i];
    return NULL;
}
static int same(const file *a, const file *b) {
    return a && b ? a->size == b->size && !memcmp(a->bytes, b->bytes, a->size) : a == b;
}
/* The folder becomes what it was; `now` is what it is. */
static void restore(const snapshot *want, const snapshot *now) {
    int i;
    for (i = 0; i < now->count; i++)
        if (!find(want, now->files[i].name)) unlink(now->files[i].name);
    for (i = 0; i < want->count; i++) {
        const file *f = &want->files[i];
        FILE *out;
        if (same(f, find(now, f->name))) continue;
        out = fopen(f->name, "wb");
        if (!out || fwrite(f->bytes, 1, f->size, out) != f->size || fclose(out))
            give_up("cannot be written:", f->name);
    }
}

/* ---- running a command ---- */

static const char *vae_path, *shim_path;

static int run(const char *command, const char *plan, const char *counts) {
    char line[2000];
    char *argv[60], *p;
    int n = 0, status = 0;
    pid_t child;
    snprintf(line, sizeof line, "%s", command);
    argv[n++] = (char *)vae_path;
    for (p = line; *p;) { /* words; '...' holds blanks */
        char end = *p == '\'' ? *p++ : ' ';
        argv[n++] = p;
        while (*p && *p != end) p++;
        if (*p) *p++ = 0;
        while (*p == ' ') p++;
    }
    argv[n] = NULL;
    child = fork();
    if (child == 0) {
        int out = open("/dev/null", O_WRONLY), err = open("../stderr", O_RDWR | O_CREAT | O_TRUNC, 0600);
        dup2(out, 1), dup2(err, 2), close(out), close(err);
        if (plan) setenv("FAULT", plan, 1);
        if (counts) setenv("FAULT_COUNTS", counts, 1);
        if (plan || counts) setenv("LD_PRELOAD", shim_path, 1);
        alarm(30);
        execv(vae_path, argv);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) give_up("cannot run", command);
    return status;
}

static char said[2000];
static void read_stderr(void) {
    FILE *f = fopen("../stderr", "rb");
    size_t n = f ? fread(said, 1, sizeof said - 1, f) : 0;
    if (f) fclose(f);
    said[n] = 0;
}

/* ---- what a command may leave ---- */

/* A file that depends on the clock: only whether it is whole can be seen. A model may also be that of
 * a checkpoint in between. */
static int is_whole(const file *f) {
    const size_t n = strlen(f->name);
    if (n > 4 && !strcmp(f->name + n - 4, ".csv"))
        return f->size > 6 && !memcmp(f->bytes, "epoch,", 6) && f->bytes[f->size - 1] == '\n';
    if (n > 5 && !strcmp(f->name + n - 5, ".json"))
        return f->size > 3 && f->bytes[0] == '{' && !memcmp(f->bytes + f->size - 2, "}\n", 2);
    if (n > 12 && !strcmp(f->name + n - 12, ".safetensors")) {
        vae *m = NULL;
        const int good = vae_load_memory(f->bytes, f->size, NULL, &m, NULL) == VAE_OK;
        vae_destroy(m);
        return good;
    }
    return 0;
}
static int is_timed(const char *name) { return strstr(name, ".csv") || strstr(name, ".json"); }

/* What is wrong with the folder after a run that began at `old` and should come to `new`. */
static const char *judge(const snapshot *old, const snapshot *new_, const snapshot *now, int good,
                         int may_leave) {
    static char why[300];
    int i;
    for (i = 0; i < now->count; i++) {
        const file *f = &now->files[i], *was = find(old, f->name), *will = find(new_, f->name);
        const char *bad = NULL;
        if (!was && !will) {
            if (!may_leave || !strstr(f->name, ".vae-")) bad = "is left";
        } else if (!same(f, was) && !same(f, will) && !(will && is_whole(f))) {
            bad = "is neither old nor new";
        } else if (good && !same(f, will) && !(will && is_timed(f->name))) {
            bad = "is not the result";
        }
        if (bad) {
            snprintf(why, sizeof why, "%s %s", f->name, bad);
            return why;
        }
    }
    for (i = 0; i < old->count; i++)
        if (find(new_, old->files[i].name) && !find(now, old->files[i].name)) {
            snprintf(why, sizeof why, "%s is gone", old->files[i].name);
            return why;
        }
    for (i = 0; good && i < new_->count; i++)
        if (!find(now, new_->files[i].name)) {
            snprintf(why, sizeof why, "%s was not made", new_->files[i].name);
            return why;
        }
    return NULL;
}

#define NET "--encoder 'dense 6 relu' --decoder 'dense 6 relu' --latent 2 --batch 20 --quiet"
#define FEW "--images 40 --test-images 10"
static const struct scenario {
    const char *before, *command; /* the first prepares */
} scenarios[] = {
    {NULL, "train --data digits " FEW " " NET " --epochs 2 --threads 1 --model m.safetensors --best "
           "b.safetensors --log l.csv --json j.json"},
    {"train --data digits " FEW " " NET " --seed 2 --epochs 1 --model m.safetensors",
     "train --data digits " FEW " " NET " --epochs 1 --threads 1 --model m.safetensors"},
    {"train --data digits " FEW " " NET " --epochs 1 --model m.safetensors --log l.csv --best "
     "b.safetensors",
     "train --data digits " FEW " " NET " --epochs 3 --threads 1 --model m.safetensors --log l.csv "
     "--best b.safetensors --resume"},
    {"digits set " FEW " --quiet",
     "train --data set --labels auto " NET " --epochs 1 --threads 1 --model c.safetensors"},
    {NULL, "train --data digits " FEW " " NET " --epochs 1 --model m.safetensors"}, /* its own threads */
    {NULL, "digits made/set --images 20 --test-images 10 --factors --quiet"},
    {NULL, "shapes made/set --images 20 --test-images 10 --factors --quiet"},
    {"train --data digits " FEW " " NET " --epochs 1 --model m.safetensors",
     "sample m.safetensors --count 4 --threads 1 --out s.png --quiet"},
    {"train --data digits " FEW " " NET " --epochs 1 --model m.safetensors",
     "reconstruct m.safetensors --data digits --count 4 --threads 1 --out r.png --quiet"},
    {"train --data digits " FEW " " NET " --epochs 1 --model m.safetensors",
     "manifold m.safetensors --count 3 --threads 1 --out f.png --quiet"},
    {"train --data digits " FEW " " NET " --epochs 1 --model m.safetensors",
     "traverse m.safetensors --data digits --images 20 --steps 3 --threads 1 --out t.png --quiet"},
    {"train --data digits " FEW " " NET " --epochs 1 --model m.safetensors",
     "interpolate m.safetensors --data digits --count 2 --threads 1 --out i.png --quiet"},
    {"train --data digits " FEW " " NET " --epochs 1 --model m.safetensors",
     "encode m.safetensors --data digits --images 9 --threads 1 --out c.npy --logvar v.npy --quiet"},
    {"train --data digits " FEW " " NET " --epochs 1 --model m.safetensors\n"
     "encode m.safetensors --data digits --images 9 --out c.npy --quiet",
     "decode m.safetensors --in c.npy --threads 1 --out d.npy --quiet"},
    {"train --data digits " FEW " " NET " --epochs 1 --model m.safetensors\n"
     "digits set --images 20 --test-images 10 --quiet",
     "score m.safetensors --data set --threads 1 --out sc.npy --format npy --quiet"},
    {"train --data digits " FEW " " NET " --epochs 1 --model m.safetensors",
     "eval m.safetensors --data digits --images 20 --samples 3 --threads 1 --json e.json --quiet"},
    {"train --data digits " FEW " " NET " --epochs 1 --model m.safetensors", "info m.safetensors"},
    {NULL, "train --data digits " FEW " --encoder 'dense 6 relu, z 2' --decoder 'z 2, dense 6 relu' --latent 2 "
           "--batch 20 --posterior 'normal, iaf 4 2' --prior 'mixture 2' --epochs 1 --threads 1 --quiet --model "
           "z.safetensors"},
    {"train --data digits " FEW " " NET " --epochs 1 --model m.safetensors",
     "train --data digits " FEW " " NET " --epochs 1 --threads 1 --from m.safetensors --prior 'vamp 2' --model "
     "v.safetensors"},
    {"train --data digits " FEW " " NET " --epochs 1 --model m.safetensors",
     "prior m.safetensors --gmm 2 --data digits --images 20 --threads 1 --out g.safetensors --quiet"},
    {NULL, "gmm --data digits --images 20 --test-images 5 --components 2 --iterations 2 --out t.npy --picture "
           "t.png --json t.json --quiet"},
    {"train --data digits " FEW " " NET " --epochs 1 --model m.safetensors\n"
     "encode m.safetensors --data digits --images 9 --out c.npy --quiet",
     "pca --data c.npy -k 1 --threads 1 --out p.safetensors --quiet"},
    {"train --data digits " FEW " --posterior none --decoder 'image, maskconv 2 3x3 a' --batch 20 --quiet "
     "--epochs 1 --model m.safetensors",
     "complete m.safetensors --data digits --count 2 --draws 1 --threads 1 --out c.png --quiet"},
    {"train --data digits " FEW " " NET " --posterior 'fsq 3' --epochs 1 --model m.safetensors",
     "eval m.safetensors --data digits --images 20 --threads 1 --json e.json --quiet"},
    {"train --data digits " FEW " " NET " --epochs 1 --model m.safetensors\n"
     "sample m.safetensors --count 1 --out pictures/a.png --zoom 1 --quiet\n"
     "sample m.safetensors --count 1 --seed 2 --out pictures/b.png --zoom 1 --quiet",
     "train --data pictures " NET " --epochs 1 --threads 1 --model p.safetensors"},
};
enum { SCENARIOS = sizeof scenarios / sizeof *scenarios };

static long points, passed, failed;
static snapshot old, new_, now;

static void try_point(const char *command, int kind, long at, int code, int forever) {
    const char *why = NULL;
    char plan[100], what[300];
    int status, good, again = 0;
    points++;
    snprintf(plan, sizeof plan, "%d %ld %d %d", kind, at, code, forever);
    status = run(command, plan, NULL);
    read_stderr();
    take(&now, "");
    good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!WIFEXITED(status)) why = strsignal(WTERMSIG(status));
    else if (WEXITSTATUS(status) > 1) why = "the status is not 0 or 1";
    else if (!good && (strncmp(said, "vae: ", 5) || strlen(said) < 12 || said[strlen(said) - 1] != '\n'))
        why = "a failure without a sentence";
    else if (!good && (code == FAULT_SHORT || code == EINTR)) why = "that should be no failure";
    if (!why) {
        const int theirs = kind == FAULT_FLOCK && code == EWOULDBLOCK && forever;
        why = judge(&old, &new_, &now, good, kind == FAULT_UNLINK || theirs);
    }
    if (!why && !good) { /* the next run, over whatever is there */
        status = run(command, NULL, NULL);
        again = 1;
        forget(&now);
        take(&now, "");
        if (status) why = "the next run fails";
        else why = judge(&old, &new_, &now, 1, kind == FAULT_UNLINK);
    }
    if (why) {
        failed++;
        if (strchr(said, '\n')) *strchr(said, '\n') = 0;
        snprintf(what, sizeof what, "%s", code == FAULT_SHORT ? "moves less" : strerror(code));
        printf("FAIL %.60s: %s call %ld %s %s: %s%s (%s)\n", command, kinds[kind].name, at + 1, what,
               forever ? "for ever" : "once", again ? "then " : "", why, said);
    } else {
        passed++;
    }
    restore(&old, &now);
    forget(&now);
}

static void try_scenario(const struct scenario *s, long counts[FAULT_KINDS]) {
    const char *p = s->before;
    FILE *f;
    int kind, i, forever;
    long before = points;
    while (p && *p) { /* a command a line */
        char line[2000];
        size_t n = strcspn(p, "\n");
        snprintf(line, sizeof line, "%.*s", (int)n, p);
        if (run(line, NULL, NULL)) give_up("this fails without a fault:", line);
        p += n + (p[n] == '\n');
    }
    take(&old, "");
    if (run(s->command, NULL, "../counts")) {
        read_stderr();
        printf("FAIL %.60s: without a fault: %s", s->command, said);
        failed++;
    } else {
        take(&new_, "");
        f = fopen("../counts", "r");
        for (kind = 0; kind < FAULT_KINDS; kind++)
            if (!f || fscanf(f, "%ld", &counts[kind]) != 1) give_up("no counts of", s->command);
        fclose(f);
        restore(&old, &new_);
        for (kind = 0; kind < FAULT_KINDS; kind++)
            for (i = 0; i < 7 && kinds[kind].errors[i]; i++)
                for (forever = 0; forever < 2; forever++) {
                    const int code = kinds[kind].errors[i];
                    long at;
                    if (forever && code == EINTR) continue; /* nobody could end that */
                    for (at = 0; at < counts[kind]; at++)
                        try_point(s->command, kind, at, code, forever);
                }
    }
    printf("%.60s: %ld points\n", s->command, points - before);
    fflush(stdout);
    forget(&new_);
}

int main(int argc, char **argv) {
    const char *base = getenv("TMPDIR");
    char folder[300], command[400];
    static char real_vae[4096], real_shim[4096];
    long counts[FAULT_KINDS];
    int i;
    if (argc < 3 || !realpath(argv[1], real_vae) || !realpath(argv[2], real_shim))
        give_up("usage:", "faults_tool VAE SHIM [PART OF A COMMAND]");
    vae_path = real_vae, shim_path = real_shim;
    snprintf(folder, sizeof folder, "%s/vae-faults-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(folder) || chdir(folder)) give_up("no folder", folder);
    for (i = 0; i < SCENARIOS; i++) {
        char work[20];
        if (argc > 3 && !strstr(scenarios[i].command, argv[3])) continue;
        snprintf(work, sizeof work, "work%d", i);
        if (mkdir(work, 0700) || chdir(work)) give_up("no folder", work);
        try_scenario(&scenarios[i], counts);
        restore(&now, &old); /* `now` is empty: everything goes */
        forget(&old);
        if (chdir("..")) give_up("no folder", "..");
    }
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command)) give_up("cannot be removed:", folder);
    printf("%ld points where the system failed\n%ld passed, %ld failed\n", points, passed, failed);
    return failed != 0;
}
