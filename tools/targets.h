/* ======================================================================================
 * targets.h   files that are written: claimed from the start of a command to its end; signals
 * uses: platform.h screen.h text.h files.h
 * tests: tests/test_tool_runs.sh, tests/test_tool_pairs.sh, tests/test_kill.sh, tests/faults_tool.c
 * ==================================================================================== */
#ifndef VAE_TOOL_TARGETS_H
#define VAE_TOOL_TARGETS_H
#include "platform.h"
#include "screen.h"
#include "text.h"
#include "files.h"

enum { NOTHING = FILES_NOTHING, REGULAR = FILES_REGULAR, FOLDER = FILES_FOLDER,
       SPECIAL = FILES_SPECIAL };

/* What stands there. SPECIAL is a device or a pipe: written in place, because a rename would put a
 * file where it was; and so are the names of what is open already, whatever that is. A file whose
 * state the system does not tell is not taken for a missing one. */
static int kind_of(const char *path)
{
    files_place p;
    int why;
    if (strncmp(path, "/dev/std", 8) == 0 || strncmp(path, "/dev/fd/", 8) == 0) return SPECIAL;
    why = files_look(path, &p);
    if (why) die(FAILED, "%s cannot be looked at: %s", path, strerror(why));
    return p.kind;
}

static int is_folder(const char *path) { return kind_of(path) == FOLDER; }

static int is_stdout(const char *path)
{
    return strcmp(path, "-") == 0 || strcmp(path, "/dev/stdout") == 0
           || strcmp(path, "/dev/fd/1") == 0;
}

/* Writes to what stands there already: a device, a pipe, or stdout. */
static int write_in_place(const text *t, const char *path)
{
    FILE *file = stdout;
    int wrong = 0;
    errno = 0;
    if (!is_stdout(path)) {
#ifdef HAVE_POSIX
        int at = open(path, O_WRONLY | O_APPEND | O_NOCTTY); /* never makes a file */
        file = at < 0 ? NULL : fdopen(at, "ab");
#else
        file = files_open(path, "ab");
#endif
    } else if (screen.closed) {
        file = NULL, errno = EBADF;
    }
    if (!file) return errno ? errno : EIO;
    if (t->count && fwrite(t->at, 1, t->count, file) != t->count) wrong = errno ? errno : EIO;
    if (fflush(file) != 0 && !wrong) wrong = errno ? errno : EIO;
    if (file != stdout && fclose(file) != 0 && !wrong) wrong = errno ? errno : EIO;
    return wrong;
}

static struct target {
    const char *path;
    vae_claim claim;
    char *lock, *temporary; /* what vae_file_save makes beside it, for on_signal */
} targets[12];
static int target_count;
static struct folder {      /* made for a file, the last one first; removed again if empty */
    struct folder *before;
    char path[1];
} *made_folders;

/* Makes the folders that a file is to stand in. */
static void make_folders(const char *path)
{
    char *part = joined(path, "", "");
    for (size_t i = files_root(path); part[i]; i++) {
        struct folder *f;
        char slash = part[i];
        int why;
        if (!files_slash(slash)) continue;
        part[i] = '\0';
        f = (struct folder *)need(sizeof *f + i, 1); /* before: no folder is made and forgotten */
        why = files_make_folder(part);
        if (!why) {
            memcpy(f->path, part, i);
            f->before = made_folders;
            made_folders = f;
        } else {
            free(f);
            if (why != EEXIST && kind_of(part) != FOLDER)
                die(FAILED, "%s: the folder %s cannot be made: %s", path, part, strerror(why));
        }
        part[i] = slash;
    }
    free(part);
}

/* On every way out but a signal: see on_signal. */
static void release_targets(void)
{
#ifdef HAVE_POSIX
    sigset_t all, before;
    sigfillset(&all); /* on_signal must not meet names that another process may have by then */
    sigprocmask(SIG_BLOCK, &all, &before);
#endif
    while (target_count) {
        struct target *t = &targets[--target_count];
        vae_claim_drop(&t->claim);
        free(t->lock);
        free(t->temporary);
    }
#ifdef HAVE_POSIX
    sigprocmask(SIG_SETMASK, &before, NULL);
#endif
    while (made_folders) {
        struct folder *f = made_folders;
        (void)files_remove_folder(f->path);
        made_folders = f->before;
        free(f);
    }
}

/* `path` lives as long as the program. `flag` is for messages. */
static void claim_target(const char *flag, const char *path)
{
    struct target *t = &targets[target_count];
    char process[40];
    vae_report report;
    if (target_count == sizeof targets / sizeof *targets) die(FAILED, "too many files to write");
#ifdef HAVE_POSIX
    snprintf(process, sizeof process, ".vae-%ld", (long)getpid());
#else
    process[0] = '\0';
#endif
    t->path = path; /* all memory first: what is claimed is then released on every way out */
    t->lock = joined(path, ".vae-lock", ""), t->temporary = joined(path, process, "");
    if (vae_claim_take(path, &t->claim, &report) != VAE_OK)
        die(FAILED, "%s%s%s", flag, flag[0] ? " " : "", report.text);
    target_count++; /* from here on release_targets and on_signal know of it */
}

/* NULL: what stands there was a device or a pipe at the start, or it is stdout. */
static const vae_claim *claim_of(const char *path)
{
    for (int i = 0; i < target_count; i++)
        if (strcmp(targets[i].path, path) == 0) return &targets[i].claim;
    return NULL;
}

/* The signal that has asked training to save and end; 0: none. */
static volatile sig_atomic_t interrupted;
static volatile sig_atomic_t training;  /* 1: such a signal is looked at after each step */
static volatile double interrupted_at;

/* Training saves. A second Ctrl-C ends it at once, but not one that follows within 0.3 s: timeout
 * sends its signal to the process and to its group. A terminal that goes, or a pipe, may tell so
 * many times. Everything else ends at once, and takes its locks and temporary files away. */
static void on_signal(int number)
{
    int again = interrupted && now() - interrupted_at > 0.3;
#ifdef HAVE_POSIX
    if (number == SIGHUP || number == SIGPIPE) again = 0;
#endif
    if (training && !again) {
        if (!interrupted) interrupted_at = now(), interrupted = number;
#ifndef HAVE_POSIX
        signal(number, on_signal);
#endif
        return;
    }
#ifdef HAVE_POSIX
    for (int i = 0; i < target_count; i++) {
        unlink(targets[i].temporary);
        unlink(targets[i].lock);
    }
#endif
    signal(number, SIG_DFL);
    raise(number);
}

/* A signal that was ignored when the program began, as nohup does it, stays ignored. */
static void catch_signals(void)
{
#ifdef HAVE_POSIX
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction action;
        if (sigaction(numbers[i], NULL, &action) != 0 || action.sa_handler == SIG_IGN) continue;
        memset(&action, 0, sizeof action);
        action.sa_handler = on_signal;
        action.sa_flags = SA_RESTART;
        sigaction(numbers[i], &action, NULL);
    }
#else
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
#endif
}

/* Replaces the file by these bytes, or leaves the old one as it is; "-" is stdout. Frees them. */
static void text_save(text *t, const char *path)
{
    const vae_claim *claim = claim_of(path);
    vae_report report;
    int wrong = claim ? 0 : write_in_place(t, path);
    if (wrong) die(FAILED, "%s cannot be written: %s", path, strerror(wrong));
    if (claim && vae_claim_save(claim, t->at, t->count, &report) != VAE_OK)
        die(FAILED, "%s", report.text);
    free(t->at);
    memset(t, 0, sizeof *t);
}

#endif
