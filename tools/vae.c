/* vae: trains variational autoencoders and uses them, from the command line.
 *
 *   cc -O2 tools/vae.c -o build/vae
 *   build/vae train --data digits --model digits.safetensors
 *   build/vae sample digits.safetensors --out samples.png
 *
 * Downwards: messages, text and files, some mathematics, the tables of flags and commands, reading
 * the command line, help, data sets, training, then one function per command. A new flag is one
 * row of `flags`; a new command is one row of `commands` and its function.
 *
 * Exit status: 0 all went well, 1 something failed, 2 the command line is wrong, 128 and the number
 * of the signal when one ended it: 130 is Ctrl-C. Training that is stopped by a signal, by a closed
 * terminal or by a closed pipe saves its model first. Whatever fails says so in one line on stderr.
 *
 * Files are written by the library's writer only, so that a file is the old one or the new one,
 * whole, at every instant; each is claimed from the start of a command to its end, so that two
 * commands never write to one file. */

#define _GNU_SOURCE 1 /* sched_getaffinity */
#define _POSIX_C_SOURCE 200809L
#define _DARWIN_C_SOURCE 1
#define _FILE_OFFSET_BITS 64 /* files of more than 2 GB, on 32 bits too */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__unix__) || defined(__APPLE__)
#define HAVE_POSIX 1
#include <dirent.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#elif defined(_WIN32)
#include <direct.h>
#include <fcntl.h>
#include <io.h>
#include <sys/stat.h>
#endif
#ifdef __linux__
#include <sched.h>
#endif

#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "digits.h"
#include "shapes.h"
#include "npy.h"
#include "images.h"
#include "picture.h"
#include "figures.h"

typedef unsigned long long ull; /* what %llu prints */

enum { FAILED = 1, MISUSED = 2, BUILT_IN_SEED = 1 };

#ifdef __GNUC__
#define FORMAT(at) __attribute__((format(printf, at, at + 1)))
#define NORETURN __attribute__((noreturn))
#else
#define FORMAT(at)
#define NORETURN
#endif

/* ---- messages --------------------------------------------------------------------------- */

static struct screen {
    FILE *out;      /* where people read: stdout, or stderr while stdout carries data */
    int terminal;   /* 1: a person is watching */
    int colour;     /* 1: and likes colours */
    int quiet;      /* 1: errors only */
    int closed;     /* 1: stdout was closed when the program began */
    size_t drawn;   /* characters of an unfinished line on the terminal */
} screen;

/* Leaves an unfinished line as it stands. */
static void screen_break(void)
{
    if (screen.drawn) fputc('\n', screen.out);
    screen.drawn = 0;
}

/* Bytes of the character at `s` if a terminal may see it; 0: it is a control character (of 7 bits,
 * of 8 bits, or in UTF-8), or a byte that UTF-8 does not begin with and an old terminal obeys. */
static size_t harmless(const char *s)
{
    const unsigned char *c = (const unsigned char *)s;
    size_t n = c[0] < 0xc2 ? 1 : c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : c[0] < 0xf5 ? 4 : 1;
    if (c[0] < 0x20 || c[0] == 0x7f) return 0;
    for (size_t i = 1; i < n; i++)
        if ((c[i] & 0xc0) != 0x80) n = 1;
    if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xf0 && c[1] < 0x90)) n = 1; /* not shortest */
    if (n == 1 && c[0] >= 0x80 && c[0] < 0xa0) return 0;
    return n == 2 && c[0] == 0xc2 && c[1] < 0xa0 ? 0 : n;
}

/* As printf would print it, for the caller to free(). NULL: no memory. */
static char *formatted(const char *format, va_list args)
{
    va_list again;
    char *text;
    int n;
    va_copy(again, args);
    n = vsnprintf(NULL, 0, format, again);
    va_end(again);
    text = n < 0 ? NULL : (char *)malloc((size_t)n + 1);
    va_copy(again, args);
    if (text) vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    return text;
}

/* A message for the caller to free(). What comes with its arguments, such as the name of a file,
 * has its control characters spelled, as in \x1b. The newlines of `format` stay: where they are is
 * found by formatting twice, with another character in their place. NULL: no memory. */
static char *message(const char *format, va_list args)
{
    char *swapped = (char *)malloc(strlen(format) + 1), *plain = formatted(format, args);
    char *other = NULL, *out = plain ? (char *)malloc(4 * strlen(plain) + 1) : NULL, *at = out;
    for (size_t i = 0; swapped && (i == 0 || format[i - 1]); i++)
        swapped[i] = format[i] == '\n' ? '\f' : format[i];
    if (out && swapped) other = formatted(swapped, args);
    for (size_t i = 0, n; other && plain[i]; i += n) {
        n = plain[i] != other[i] ? 1 : harmless(plain + i);
        if (n) memcpy(at, plain + i, n), at += n;
        else n = 1, at += snprintf(at, 5, "\\x%02x", (unsigned)(unsigned char)plain[i]);
    }
    if (other) *at = '\0';
    else free(out), out = NULL;
    free(swapped);
    free(plain);
    free(other);
    return out;
}

/* One sentence on stderr, and the end. Memory and files still open are left to the system. */
NORETURN FORMAT(2) static void die(int status, const char *format, ...)
{
    va_list args;
    char *text;
    va_start(args, format);
    text = message(format, args);
    va_end(args);
    screen_break();
    fflush(stdout);
    fprintf(stderr, "vae: %s\n", text ? text : "out of memory");
    exit(status);
}

FORMAT(1) static void say(const char *format, ...)
{
    va_list args;
    char *text;
    if (screen.quiet) return;
    va_start(args, format);
    text = message(format, args);
    va_end(args);
    fputs(text ? text : "out of memory\n", screen.out);
    free(text);
}

static size_t screen_width(void)
{
    const char *columns = getenv("COLUMNS");
    long width = columns ? strtol(columns, NULL, 10) : 0;
#if defined(HAVE_POSIX) && defined(TIOCGWINSZ)
    struct winsize size;
    if (ioctl(fileno(screen.out), TIOCGWINSZ, &size) == 0 && size.ws_col) width = size.ws_col;
#endif
    return width < 1 || width > 1000 ? 80 : (size_t)width;
}

/* Replaces the unfinished line on the terminal in one piece, so that nothing flickers. The line is
 * ASCII: it may be cut anywhere. */
static void screen_line(const char *line, int finished)
{
    char all[2100];
    size_t width = screen_width() - 1, length = strlen(line);
    if (!finished && length > width) length = width;
    snprintf(all, sizeof all, "%s%.*s%*s%s", screen.terminal ? "\r" : "", (int)length, line,
             (int)(screen.drawn > length ? screen.drawn - length : 0), "", finished ? "\n" : "");
    if (screen.quiet) return;
    fputs(all, screen.out);
    fflush(screen.out);
    screen.drawn = finished ? 0 : length;
}

/* Takes an unfinished line away again. */
static void screen_clear(void)
{
    if (screen.drawn) screen_line("", 0), fputc('\r', screen.out);
}

static double now(void)
{
#ifdef HAVE_POSIX
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
#else
    return (double)clock() / CLOCKS_PER_SEC;
#endif
}

/* ---- text and files --------------------------------------------------------------------- */

/* a * b, or SIZE_MAX where that is too large: of so much, there is no memory anywhere. */
static size_t times(size_t a, size_t b) { return b && a > SIZE_MAX / b ? SIZE_MAX : a * b; }

/* Zeros. Every product of sizes that is allocated stands in times() or is the one made here. */
static void *need(size_t count, size_t size)
{
    void *block = count < SIZE_MAX ? calloc(count ? count : 1, size) : NULL;
    if (!block && count == SIZE_MAX) die(FAILED, "out of memory: so much has no address here");
    if (!block) die(FAILED, "out of memory: %zu times %zu bytes", count, size);
    return block;
}

static float *floats(size_t rows, size_t cols)
{
    return (float *)need(times(rows, cols), sizeof(float));
}

/* Bytes that grow: every file that is not a model or a picture is put together here first. */
typedef struct text {
    char *at;
    size_t count, room;
} text;

static void *text_grow(text *t, size_t more)
{
    if (more > t->room - t->count) {
        size_t least = more < SIZE_MAX - t->count ? t->count + more : SIZE_MAX;
        size_t room = t->room < SIZE_MAX / 2 && least < 2 * t->room ? 2 * t->room : least;
        char *at = room < SIZE_MAX ? (char *)realloc(t->at, room) : NULL;
        if (!at) die(FAILED, "out of memory: %zu bytes and %zu more", t->count, more);
        t->at = at, t->room = room;
    }
    t->count += more;
    return t->at + (t->count - more);
}

FORMAT(2) static void text_print(text *t, const char *format, ...)
{
    va_list args;
    char *more;
    va_start(args, format);
    more = formatted(format, args);
    va_end(args);
    if (!more) die(FAILED, "out of memory");
    memcpy(text_grow(t, strlen(more)), more, strlen(more));
    free(more);
}

/* The head of a table; there is room for its numbers then. */
static void text_npy_head(text *t, size_t rows, size_t cols)
{
    const size_t numbers = times(4, times(rows, cols));
    npy_head((uint8_t *)text_grow(t, NPY_HEAD), rows, cols);
    (void)text_grow(t, numbers);
    t->count -= numbers;
}

static void text_npy_rows(text *t, const float *values, size_t count)
{
    npy_pack(values, count, (uint8_t *)text_grow(t, times(4, count)));
}

static int ends_with(const char *path, const char *tail)
{
    size_t n = strlen(path), m = strlen(tail);
    return n >= m && strcmp(path + n - m, tail) == 0;
}

enum { NOTHING, REGULAR, FOLDER, SPECIAL };

/* What stands there. SPECIAL is a device or a pipe: written in place, because a rename would put a
 * file where it was; and so are the names of what is open already, whatever that is. A file whose
 * state the system does not tell is not taken for a missing one. */
static int kind_of(const char *path)
{
#ifdef HAVE_POSIX
    struct stat s;
    int bad;
    if (strncmp(path, "/dev/std", 8) == 0 || strncmp(path, "/dev/fd/", 8) == 0) return SPECIAL;
    bad = stat(path, &s);
#else
    struct _stat64 s;
    int bad = _stat64(path, &s);
#endif
    if (bad && errno != ENOENT && errno != ENOTDIR)
        die(FAILED, "%s cannot be looked at: %s", path, strerror(errno));
    if (bad) return NOTHING;
    return (s.st_mode & S_IFMT) == S_IFDIR ? FOLDER : (s.st_mode & S_IFMT) == S_IFREG ? REGULAR
         : SPECIAL;
}

static int is_folder(const char *path) { return kind_of(path) == FOLDER; }

static char *joined(const char *a, const char *b, const char *c)
{
    size_t size = strlen(a) + strlen(b) + strlen(c) + 1;
    char *path = (char *)need(size, 1);
    snprintf(path, size, "%s%s%s", a, b, c);
    return path;
}

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
        file = fopen(path, "ab");
#endif
    } else if (screen.closed) {
        file = NULL, errno = EBADF;
    } else {
#ifdef _WIN32
        fflush(stdout);
        _setmode(_fileno(stdout), _O_BINARY);
#endif
    }
    if (!file) return errno ? errno : EIO;
    if (t->count && fwrite(t->at, 1, t->count, file) != t->count) wrong = errno ? errno : EIO;
    if (fflush(file) != 0 && !wrong) wrong = errno ? errno : EIO;
    if (file != stdout && fclose(file) != 0 && !wrong) wrong = errno ? errno : EIO;
    return wrong;
}

/* ---- files that are written: claimed from the start of a command to its end ---- */

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
    for (size_t i = 1; part[i]; i++) {
        struct folder *f;
        int bad;
        if (part[i] != '/') continue;
        part[i] = '\0';
        f = (struct folder *)need(sizeof *f + i, 1); /* before: no folder is made and forgotten */
#ifdef _WIN32
        bad = _mkdir(part);
#else
        bad = mkdir(part, 0777);
#endif
        if (!bad) {
            memcpy(f->path, part, i);
            f->before = made_folders;
            made_folders = f;
        } else {
            int why = errno;
            free(f);
            if (why != EEXIST && kind_of(part) != FOLDER)
                die(FAILED, "%s: the folder %s cannot be made: %s", path, part, strerror(why));
        }
        part[i] = '/';
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
#ifdef _WIN32
        _rmdir(f->path);
#else
        rmdir(f->path);
#endif
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

/* The fewest digits that give the same number again. */
static void real_text(char *out, size_t size, double value)
{
    for (int n = 1; n <= 17; n++) {
        snprintf(out, size, "%.*g", n, value);
        if (!(strtod(out, NULL) < value || strtod(out, NULL) > value)) return;
    }
}

static double per_second(uint64_t count, double seconds)
{
    return (double)count / (seconds > 1e-9 ? seconds : 1e-9);
}

static const char *isa_name(vae_isa isa) { return vae_choice_name(VAE_CHOICE_ISA, (int)isa); }

/* Whether a number is from -1e18 to 1e18, as the library has it, or if `unit` from 0 to 1. By its
 * bits, since -Ofast removes other ways to ask, and since subnormal numbers may count as 0. */
static int fits(float x, int unit)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return unit ? bits <= 0x3f800000u || bits == 0x80000000u : (bits & 0x7fffffffu) <= 0x5d5e0b6bu;
}

static int is_finite(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (bits >> 52 & 0x7ff) != 0x7ff;
}

/* The name of a number that is not finite. */
static const char *odd_name(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits << 12 ? "NaN" : bits >> 63 ? "minus infinity" : "infinite";
}

/* JSON has no word for what is not finite. Looks at the text: -Ofast removes other ways to ask. */
static void json_number(text *t, const char *name, double value, const char *after)
{
    char number[40];
    snprintf(number, sizeof number, "%.9g", value);
    text_print(t, "\"%s\": %s%s", name, strpbrk(number, "in") ? "null" : number, after);
}

/* Below 0 stands for what is not known, such as a standard error of one number. */
static void json_error(text *t, const char *name, double error, const char *after)
{
    if (error < 0) text_print(t, "\"%s\": null%s", name, after);
    else json_number(t, name, error, after);
}

static void json_string(text *t, const char *name, const char *value, const char *after)
{
    text_print(t, "\"%s\": ", name);
    if (!value) {
        text_print(t, "null%s", after);
        return;
    }
    text_print(t, "\"");
    for (; *value; value++) {
        unsigned char c = (unsigned char)*value;
        if (c < 0x20) text_print(t, "\\u%04x", (unsigned)c);
        else text_print(t, "%s%c", c == '"' || c == '\\' ? "\\" : "", c);
    }
    text_print(t, "\"%s", after);
}

/* A bound of more than one draw is known of training only. */
static void json_stats(text *t, const char *name, const vae_stats *stats, int has_bound)
{
    text_print(t, "  \"%s\": ", name);
    if (!stats) {
        text_print(t, "null,\n");
        return;
    }
    text_print(t, "{\"images\": %llu, ", (ull)stats->images);
    json_number(t, "elbo", stats->elbo, ", ");
    json_number(t, "recon", stats->recon, ", ");
    json_number(t, "kl", stats->kl, ", ");
    if (has_bound) json_number(t, "bound", stats->bound, ", ");
    json_number(t, "loss", stats->loss, "},\n");
}

/* A density of numbers from 0 to 1, not of levels. */
static int is_density(const vae_desc *d)
{
    return d->likelihood != VAE_LIKELIHOOD_BERNOULLI && d->likelihood != VAE_LIKELIHOOD_LOGISTIC
           && d->likelihood != VAE_LIKELIHOOD_LOGISTIC_PIXEL
           && d->likelihood != VAE_LIKELIHOOD_CATEGORICAL;
}

static double bits_per_dim(const vae_desc *d, const vae_info *i, double nats)
{
    return nats / ((double)i->input_dim * 0.69314718055994531) + 8 * is_density(d);
}

/* The one object that train and eval write; figures that are not known are null. `more` are lines
 * that only one of them has. */
static void save_json(const char *path, const char *command, const char *file, vae *model,
                      double seconds, double speed, const vae_stats *train_stats,
                      const vae_stats *test_stats, text *more)
{
    text t = {NULL, 0, 0};
    vae_info at;
    vae_desc d;
    vae_get_info(model, &at);
    vae_get_desc(model, &d);
    text_print(&t, "{\n  \"command\": \"%s\",\n  \"version\": \"%s\",\n  ", command,
               VAE_VERSION_TEXT);
    json_string(&t, "model", file, ",\n");
    text_print(&t, "  \"epochs\": %llu,\n  \"steps\": %llu,\n  ", (ull)at.epoch, (ull)at.step);
    json_number(&t, "seconds", seconds, ",\n  ");
    json_error(&t, "images_per_second", speed, ",\n");
    json_stats(&t, "train", train_stats, 1);
    json_stats(&t, "test", test_stats, 0);
    if (more->count) memcpy(text_grow(&t, more->count), more->at, more->count);
    free(more->at);
    text_print(&t, "  \"parameters\": %zu,\n  \"params_hash\": \"%016llx\",\n", at.parameters,
               (ull)vae_params_hash(model));
    text_print(&t, "  \"isa\": \"%s\",\n  \"threads\": %d,\n  \"seed\": %llu\n}\n",
               isa_name(at.isa), d.threads, (ull)d.seed);
    text_save(&t, path);
}

/* ---- mathematics, since there is no libm ------------------------------------------------ */

/* Where a function that rises from `low` to `high` takes the value y, by halving: to the last bit
 * but for the error of f. Slow and plain; asked a few hundred times at most. */
static double inverse(double (*f)(double), double y, double low, double high)
{
    for (int i = 0; i < 100; i++) {
        double middle = low + (high - low) / 2;
        if (f(middle) < y) low = middle;
        else high = middle;
    }
    return low + (high - low) / 2;
}

static double square(double x) { return x * x; }

static double root(double x) { return inverse(square, x, 0, x < 1 ? 1 : x); }

/* sin for |x| <= 8 by its series, within 1e-12 there. */
static double sine(double x)
{
    double term = x, sum = x;
    for (int k = 2; k < 60; k += 2) {
        term *= -x * x / (k * (k + 1));
        sum += term;
    }
    return sum;
}

static double minus_cosine(double x) { return sine(x - 1.57079632679489661923); }

/* The standard normal distribution function for |x| <= 5, by the series of erf; within 1e-10. */
static double normal_cdf(double x)
{
    double power = x, sum = x;
    for (int k = 1; k < 120; k++) {
        power *= -x * x / (2 * k);
        sum += power / (2 * k + 1);
    }
    return 0.5 + 0.39894228040143267794 * sum;
}

/* Its inverse for p in [1e-4, 1 - 1e-4]; within 1e-8. */
static double normal_quantile(double p) { return inverse(normal_cdf, p, -5, 5); }

/* ---- what the command line can say ------------------------------------------------------ */

typedef struct options {
    vae_desc desc;              /* settings of training, some of them by way of these: */
    int objective;              /* OBJECTIVE_...: objective, no_kl, no_recon, no_noise */
    double beta;                /* 0: no_kl */
    double warmup, cycle;       /* epochs -> warmup, cycle, in steps */
    const char *corrupt;        /* kind:strength -> corrupt, corruption */
    char corrupt_text[60];      /* where that of a file is spelled */
    const char *stages;         /* epochs:rate -> stages; epochs -> lr_steps */
    char stages_text[800];      /* where stages of a file are spelled */
    const char *model, *data, *test, *json, *out, *in, *logvar_out, *latents, *operand;
    const char *labels, *test_labels, *best, *log, *draws, *causes;
    uint64_t images, test_images, validate, seed, image, first, from, to, max_memory;
    int count, columns, zoom, steps, checkpoint_every, split, path, format, recipe, label;
    int resume, weights_only, factors, draw, quiet;
    double range;
    unsigned command;           /* the bit of the one at work */
    text recipe_set;            /* the flags that --recipe set, as they would be typed */
    void *kept[20];             /* texts made here that values point to, for forget() */
    int kept_count;
    unsigned char given[140];   /* given[i]: flags[i] stands on the command line */
} options;

enum {
    TRAIN = 1, EVAL = 2, SAMPLE = 4, RECONSTRUCT = 8, INTERPOLATE = 16, MANIFOLD = 32,
    TRAVERSE = 64, ENCODE = 128, DECODE = 256, SCORE = 512, INFO = 1024, DIGITS = 2048,
    SETTING = 4096, /* kept in the model file: --resume compares, info prints */
    SHAPES = 8192,
    WRITES_SET = DIGITS | SHAPES,
    READS = EVAL | RECONSTRUCT | INTERPOLATE | TRAVERSE | ENCODE | SCORE,
    LAYS_OUT = SAMPLE | RECONSTRUCT | DECODE,
    DRAWS = LAYS_OUT | INTERPOLATE | MANIFOLD | TRAVERSE,
    OF_A_CLASS = SAMPLE | DECODE | MANIFOLD | TRAVERSE,
    USES = READS | DRAWS
};

enum { SPLIT_AUTO, SPLIT_TRAIN, SPLIT_TEST };
enum { PATH_LINEAR, PATH_SPHERICAL };
enum { FORMAT_AUTO, FORMAT_TEXT, FORMAT_CSV, FORMAT_NPY };
/* words of our own, behind the library's */
enum { OBJECTIVE_AE = VAE_OBJECTIVE_COUNT, OBJECTIVE_RECON, OBJECTIVE_KL };
enum { SCHEDULE_IWAE = VAE_SCHEDULE_COUNT };
enum { NLL_DRAWS = 5000, MOST_DRAWS = 65536, MOST_BOUNDS = 8, MOST_CLASSES = 65536 };

/* The rates of Burda et al. 2016: stage i lasts 3^i epochs at 1e-4 10^(1 - i / 7). */
static const char iwae_stages[] = "1:1e-3,3:7.197e-4,9:5.179e-4,27:3.728e-4,81:2.683e-4,"
                                  "243:1.931e-4,729:1.389e-4,2187:1e-4";

/* Settings that others have published figures for: words of the command line. */
#define RECIPE_LIST(X) \
    X("iwae-paper", "--encoder \"dense 200 tanh, dense 200 tanh\" --decoder " \
      "\"dense 200 tanh, dense 200 tanh\" --latent 50 --batch 20 --binarize dynamic " \
      "--visible-bias mean --adam-eps 1e-4 --schedule iwae --epochs 3280") \
    X("iwae-code", "--encoder \"dense 200 tanh, dense 200 tanh\" --decoder " \
      "\"dense 200 tanh, dense 200 tanh\" --latent 50 --batch 20 --binarize dynamic " \
      "--visible-bias mean --optimizer adam_iwae --beta1 0.99 --adam-eps 1e-4 --stages " \
      "1:1e-3,3:7.2e-4,9:5.2e-4,27:3.7e-4,81:2.7e-4,243:1.9e-4,729:1.4e-4,2187:1e-4 " \
      "--epochs 3280 --images 59600") \
    X("pytorch-example", "--encoder \"dense 400 relu\" --decoder \"dense 400 relu\" " \
      "--latent 20 --batch 128 --init pytorch --lr 1e-3 --epochs 10")
#define RECIPE_WORD(name, line) name "|"
#define RECIPE_ROW(name, line) {name, line},
static const struct { const char *name, *line; } recipes[] = {RECIPE_LIST(RECIPE_ROW)};

typedef enum kind {
    SWITCH,     /* int; takes no value */
    TEXT,       /* const char * */
    SOURCE,     /* const char *: a file or folder to read, or a word for one */
    TARGET,     /* const char *: a file to write, claimed before anything else is done; lo 1:
                   devices and - for stdout are fine */
    BYTES,      /* uint64_t: a whole number, with K, M or G for the powers of 1024 */
    WHOLE,      /* uint64_t from lo to hi */
    INTEGER,    /* int from lo to hi */
    REAL,       /* double from lo to hi */
    CHOICE      /* int: which of the words */
} kind;

typedef struct flag {
    unsigned commands;      /* who takes it */
    const char *name;       /* NULL: a heading of the help page */
    kind kind;
    const char *word;       /* for the value, in the help; CHOICE: the words, a | after each */
    size_t at;              /* of its field in options */
    double lo, hi;
    const char *standard;   /* the default, read like an argument; NULL: none */
    const char *help;
} flag;

#define AT(field) offsetof(options, field)
#define WORD(name, text) text "|"
#define MOST 1e9
#define WORD64 18446744073709551615.0

static const flag flags[] = {
    {TRAIN | READS | WRITES_SET, NULL, TEXT, "", 0, 0, 0, NULL, "Data"},
    {TRAIN | READS, "--data", SOURCE, "WHERE", AT(data), 0, 0, NULL,
     "the word digits (grey, 28 x 28) or shapes (colour, 32 x 32): a built-in set; or a folder: "
     "with IDX files of the standard names (train-images-idx3-ubyte and t10k-images-idx3-ubyte, "
     "or idx4 for colour, plain or .gz), with CIFAR-10's binary batches, or with pictures of one "
     "size (PNG, PGM, PPM; in the order of their names); or one file: IDX, NPY (uint8 or "
     "float32) or a picture. The axes of IDX and NPY are images, height, width and, for colour, "
     "channels last; channels first, as PyTorch has them, are refused: save x.transpose(0, 2, 3, "
     "1). Integers become numbers from 0 to 1; floats must lie there already, but for the "
     "gaussian likelihoods"},
    {TRAIN, "--test", SOURCE, "WHERE", AT(test), 0, 0, NULL,
     "images to test on, from a folder or file like those of --data"},
    {READS, "--split", CHOICE, "auto|train|test|", AT(split), 0, 0, "auto",
     "which part of a folder or a built-in set; auto: test images if there are some"},
    {TRAIN | READS, "--images", WHOLE, "N", AT(images), 1, MOST, NULL,
     "at most the first N images (default: all; built-in: 10000 for training, 2000 for testing)"},
    {WRITES_SET, "--images", WHOLE, "N", AT(images), 1, MOST, "10000", "images for training"},
    {TRAIN, "--test-images", WHOLE, "N", AT(test_images), 0, MOST, NULL,
     "at most the first N test images; 0: none (default: all; built-in: 2000)"},
    {TRAIN, "--validate", WHOLE, "N", AT(validate), 1, MOST, NULL,
     "hold out the last N training images: they, not the test images, are what is looked at after "
     "each epoch; the test images then wait for the end"},
    {TRAIN, "--labels", SOURCE, "WHERE", AT(labels), 0, 0, NULL,
     "a conditional VAE, told the class of each image: an IDX file of labels, or the word auto: "
     "those of a built-in set, of CIFAR-10, or of the standard file beside the images. Where "
     "neither network has a layer label N, both begin with one"},
    {TRAIN, "--test-labels", SOURCE, "WHERE", AT(test_labels), 0, 0, "auto",
     "labels of the test images, likewise"},
    {READS, "--labels", SOURCE, "WHERE", AT(labels), 0, 0, "auto",
     "classes of the images, for a conditional model: an IDX file of labels, or auto: those that "
     "come with the images"},
    {EVAL, "--factors", SOURCE, "WHERE", AT(causes), 0, 0, NULL,
     "what the images were drawn from, for the mutual information gap (Chen et al. 2018): the file "
     "that vae digits or vae shapes writes, a table in NPY or IDX with a row for each image; or "
     "the word auto for a built-in set. Each mu, and a factor of more than 64 values, is cut into "
     "20 bins of equal width"},
    {WRITES_SET, "--test-images", WHOLE, "N", AT(test_images), 1, MOST, "2000",
     "images for testing"},
    {DIGITS, "--seed", WHOLE, "N", AT(seed), 0, WORD64, "1", "another seed, other images"},
    {SHAPES, "--seed", WHOLE, "N", AT(seed), 0, WORD64, "1", "another seed, another order"},
    {DIGITS, "--factors", SWITCH, "", AT(factors), 0, 0, NULL,
     "also write what each image was drawn from (label, slant, scale, thickness, x, y) as IDX of "
     "int32"},
    {SHAPES, "--factors", SWITCH, "", AT(factors), 0, 0, NULL,
     "also write what each image was drawn from as NPY: columns shape (3 values), size (6), angle "
     "(16), x (16), y (16), hue (12), each counted from 0"},
    {TRAIN | SETTING, "--input", TEXT, "HxWxC", AT(desc.input), 0, 0, NULL,
     "shape of an image, or one number (default: as the data say)"},
    {TRAIN | SETTING, "--binarize", CHOICE, VAE_BINARIZE_LIST(WORD), AT(desc.binarize), 0, 0,
     "none", "what becomes of grey pixels; dynamic: 1 or 0, drawn afresh at every use"},

    {TRAIN, NULL, TEXT, "", 0, 0, 0, NULL, "Network"},
    {TRAIN | SETTING, "--encoder", TEXT, "LAYERS", AT(desc.encoder), 0, 0, "dense 400 relu",
     "layers from the image to the head that gives mu and logvar; \"\": only the head. All layers: "
     "vae help layers"},
    {TRAIN | SETTING, "--decoder", TEXT, "LAYERS", AT(desc.decoder), 0, 0, "dense 400 relu",
     "layers from the latents to the head that gives the image"},
    {TRAIN | SETTING, "--latent", INTEGER, "N", AT(desc.latent), 1, 1e6, "20",
     "number of latents"},
    {TRAIN | SETTING, "--likelihood", CHOICE, VAE_LIKELIHOOD_LIST(WORD), AT(desc.likelihood), 0, 0,
     "bernoulli", "of the pixels given the latents"},
    {TRAIN | SETTING, "--variance", REAL, "V", AT(desc.variance), 1e-12, 1e12, "1",
     "of a pixel: fixed with gaussian, where it starts with gaussian_learned and logistic"},
    {TRAIN | SETTING, "--categories", INTEGER, "K", AT(desc.categories), 2, 256, "256",
     "categorical: levels of a pixel"},
    {TRAIN | SETTING, "--head", CHOICE, VAE_HEAD_LIST(WORD), AT(desc.head), 0, 0, "logvar",
     "what the encoder gives beside mu: the log variance, or a number whose abs, relu or softplus "
     "is the deviation"},
    {TRAIN | SETTING, "--code", CHOICE, VAE_ACT_LIST(WORD), AT(desc.code), 0, 0, "identity",
     "activation of mu itself"},
    {TRAIN | SETTING, "--init", CHOICE, VAE_INIT_LIST(WORD), AT(desc.init), 0, 0, "auto",
     "of the weights at the start; auto: He after relu kinds, Glorot otherwise"},
    {TRAIN | SETTING, "--visible-bias", CHOICE, VAE_BIAS_LIST(WORD), AT(desc.visible_bias), 0, 0,
     "zero", "the decoder's last bias at the start; mean: what gives the mean training image"},

    {TRAIN, NULL, TEXT, "", 0, 0, 0, NULL, "Objective: recon + beta KL, in nats per image"},
    {TRAIN | SETTING, "--objective", CHOICE, VAE_OBJECTIVE_LIST(WORD) "ae|recon|kl|",
     AT(objective), 0, 0, "elbo",
     "iwae: the bound of --k importance weights; dreg: the same with doubly reparameterised "
     "gradients; ae: an autoencoder, no noise and no KL; recon: noise, but no KL; kl: only the KL"},
    {TRAIN | SETTING, "--samples", INTEGER, "L", AT(desc.samples), 1, MOST_DRAWS, "1",
     "draws of the latents per image in training"},
    {TRAIN, "--k", INTEGER, "N", AT(desc.samples), 1, MOST_DRAWS, NULL,
     "another name of --samples, as importance weights are counted"},
    {TRAIN | SETTING, "--beta", REAL, "B", AT(beta), 0, 1e9, "1", "weight of the KL; 0: none"},
    {TRAIN | SETTING, "--warmup", REAL, "EPOCHS", AT(warmup), 0, 1e6, "0",
     "over which beta rises from 0; may be a fraction"},
    {TRAIN | SETTING, "--cycle", REAL, "EPOCHS", AT(cycle), 0, 1e6, "0",
     "after which the warm-up begins anew; 0: never"},
    {TRAIN | SETTING, "--free-bits", REAL, "F", AT(desc.free_bits), 0, 1e6, "0",
     "nats of each latent's KL that cost nothing"},
    {TRAIN | SETTING, "--noise", CHOICE, "on|off|", AT(desc.no_noise), 0, 0, "on",
     "of the latents in training; off: decode mu itself"},
    {TRAIN | SETTING, "--sparse", REAL, "W", AT(desc.sparse), 0, 1e6, "0",
     "weight of the sum of |mu| of an image"},
    {TRAIN | SETTING, "--contract", REAL, "W", AT(desc.contract), 0, 1e6, "0",
     "weight of the squared derivatives of mu by the pixels"},
    {TRAIN | SETTING, "--corrupt", TEXT, "KIND[:S]", AT(corrupt), 0, 0, "none",
     "what the encoder sees in training, while the decoder must give the clean image: gaussian "
     "(noise of deviation S), mask or salt_pepper (of a part S of the pixels); S: 0.3 unless "
     "given"},

    {TRAIN, NULL, TEXT, "", 0, 0, 0, NULL, "Optimiser"},
    {TRAIN | SETTING, "--optimizer", CHOICE, VAE_OPTIMIZER_LIST(WORD), AT(desc.optimizer), 0, 0,
     "adam", "how gradients become steps"},
    {TRAIN | SETTING, "--lr", REAL, "RATE", AT(desc.lr), 1e-30, 1e9, "1e-3", "learning rate"},
    {TRAIN | SETTING, "--schedule", CHOICE, VAE_SCHEDULE_LIST(WORD) "iwae|", AT(desc.schedule), 0,
     0, "constant",
     "of the learning rate; cosine falls to 0 at the end of the run; plateau: cut when the test "
     "loss falls no more; iwae: the stages of Burda et al. 2016, 3280 epochs in all"},
    {TRAIN | SETTING, "--stages", TEXT, "E:R,E:R...", AT(stages), 0, 0, NULL,
     "rate R for E epochs, and so on; the last for the rest of the run. Implies --schedule "
     "stages"},
    {TRAIN | SETTING, "--plateau", INTEGER, "EPOCHS", AT(desc.plateau_epochs), 1, 1e6, "10",
     "without a lower test loss before the rate is cut. Implies --schedule plateau"},
    {TRAIN | SETTING, "--lr-factor", REAL, "F", AT(desc.lr_factor), 1e-9, 1, "0.5",
     "plateau: what a cut multiplies the rate by"},
    {TRAIN | SETTING, "--beta1", REAL, "B", AT(desc.beta1), 0, 0.9999999, "0.9",
     "adam: decay of the mean gradient"},
    {TRAIN | SETTING, "--beta2", REAL, "B", AT(desc.beta2), 0, 0.9999999, "0.999",
     "adam: decay of the mean square"},
    {TRAIN | SETTING, "--adam-eps", REAL, "E", AT(desc.adam_eps), 1e-30, 1e9, "1e-8",
     "adam: added to the root"},
    {TRAIN | SETTING, "--momentum", REAL, "M", AT(desc.momentum), 0, 0.9999999, "0", "of sgd"},
    {TRAIN | SETTING, "--weight-decay", REAL, "W", AT(desc.weight_decay), 0, 1e9, "0",
     "adamw: decoupled; adam and sgd: added to the gradient"},
    {TRAIN | SETTING, "--clip", REAL, "NORM", AT(desc.clip), 0, 1e30, "0",
     "largest norm of the whole gradient; 0: no limit"},
    {TRAIN | SETTING, "--ema", REAL, "DECAY", AT(desc.ema), 0, 0.9999999, "0",
     "use a running average of the weights, with this decay; 0: none"},

    {TRAIN, NULL, TEXT, "", 0, 0, 0, NULL, "Run"},
    {TRAIN, "--recipe", CHOICE, RECIPE_LIST(RECIPE_WORD), AT(recipe), 0, 0, NULL,
     "set the flags of a published experiment as though they were typed, but for those that are; "
     "'vae help recipes' shows them"},
    {TRAIN | SETTING, "--batch", INTEGER, "N", AT(desc.batch), 1, 1e6, "128", "images per step"},
    {TRAIN, "--epochs", INTEGER, "N", AT(desc.epochs), 1, 1e6, "10", "passes over the images"},
    {TRAIN | SETTING, "--patience", INTEGER, "EPOCHS", AT(desc.patience), 0, 1e6, "0",
     "end after so many without a lower test loss; 0: go on"},
    {TRAIN | SETTING, "--seed", WHOLE, "N", AT(desc.seed), 1, WORD64, "1", "of everything random"},
    {TRAIN, "--isa", CHOICE, VAE_ISA_LIST(WORD), AT(desc.isa), 0, 0, "auto",
     "instruction set; the results are the same, bit by bit"},

    {TRAIN, NULL, TEXT, "", 0, 0, 0, NULL, "Files"},
    {TRAIN, "--model", TARGET, "FILE", AT(model), 0, 0, NULL,
     "where the model is kept, with all that is needed to go on: at the end, at checkpoints and "
     "on Ctrl-C (default: nowhere)"},
    {TRAIN, "--checkpoint-every", INTEGER, "EPOCHS", AT(checkpoint_every), 1, 1e6, "1",
     "how often to write it"},
    {TRAIN, "--resume", SWITCH, "", AT(resume), 0, 0, NULL,
     "go on from the file of --model, with its settings; start anew if it is not there"},
    {TRAIN, "--best", TARGET, "FILE", AT(best), 0, 0, NULL,
     "also keep the model here whenever its test loss is the lowest so far"},
    {TRAIN, "--log", TARGET, "FILE.csv", AT(log), 0, 0, NULL,
     "a row of figures for each epoch. --resume goes on with it. The file is replaced whole after "
     "each epoch: watch it with tail -F"},
    {TRAIN, "--weights-only", SWITCH, "", AT(weights_only), 0, 0, NULL,
     "leave the optimiser out of the finished file: smaller, but --resume from it starts with a "
     "fresh optimiser"},

    {USES, NULL, TEXT, "", 0, 0, 0, NULL, "What to do"},
    {OF_A_CLASS, "--class", INTEGER, "C", AT(label), 0, MOST_CLASSES - 1, NULL,
     "of a conditional model: the class of what is drawn, counted from 0"},
    {EVAL, "--samples", TEXT, "K,K...", AT(draws), 0, 0, NULL,
     "also the bound of K importance weights; it rises with K towards log p(x), and with 5000 "
     "draws it is what papers call the NLL"},
    {SAMPLE, "--count", INTEGER, "N", AT(count), 1, 1e5, "64", "how many samples"},
    {SAMPLE, "--draw", SWITCH, "", AT(draw), 0, 0, NULL,
     "draw each pixel from its density too, in place of showing its mean"},
    {RECONSTRUCT, "--count", INTEGER, "N", AT(count), 1, 1e5, "20", "how many images"},
    {INTERPOLATE, "--count", INTEGER, "N", AT(count), 1, 1e4, "8",
     "how many pairs, from the first images on"},
    {MANIFOLD, "--count", INTEGER, "N", AT(count), 1, 1000, "20", "images along each side"},
    {TRAVERSE, "--count", INTEGER, "N", AT(count), 1, 1e4, "8", "how many latents at most"},
    {DECODE, "--count", INTEGER, "N", AT(count), 1, 1e5, "400",
     "how many images at most in a picture"},
    {SAMPLE, "--seed", WHOLE, "N", AT(seed), 0, WORD64, "1", "of the latents drawn"},
    {RECONSTRUCT, "--first", WHOLE, "I", AT(first), 0, MOST, "0",
     "the first image, counted from 0"},
    {INTERPOLATE, "--from", WHOLE, "I", AT(from), 0, MOST, NULL,
     "together with --to: one pair, these two images, counted from 0"},
    {INTERPOLATE, "--to", WHOLE, "I", AT(to), 0, MOST, NULL, "see --from"},
    {INTERPOLATE, "--path", CHOICE, "linear|spherical|", AT(path), 0, 0, "linear",
     "between the two mu: straight, or along an arc around 0"},
    {INTERPOLATE, "--steps", INTEGER, "N", AT(steps), 2, 1000, "11",
     "images decoded along the way; of a conditional model with the class of the nearer end"},
    {TRAVERSE, "--latents", TEXT, "I,I...", AT(latents), 0, 0, NULL,
     "which latents, counted from 0 (default: those whose mu varies most on --data, else the "
     "first)"},
    {TRAVERSE, "--steps", INTEGER, "N", AT(steps), 2, 1000, "11", "images along each row"},
    {TRAVERSE, "--range", REAL, "R", AT(range), 1e-6, 1e6, "3", "from -R to R"},
    {TRAVERSE, "--image", WHOLE, "I", AT(image), 0, MOST, NULL,
     "around the mu of this image of --data, counted from 0 (default: around 0)"},
    {DECODE, "--in", SOURCE, "FILE.npy", AT(in), 0, 0, NULL, "latents: float32, one row per image"},

    {USES | WRITES_SET | INFO, NULL, TEXT, "", 0, 0, 0, NULL, "Output and the rest"},
    {SAMPLE, "--out", TARGET, "FILE.png", AT(out), 0, 0, "samples.png", "the picture"},
    {RECONSTRUCT, "--out", TARGET, "FILE.png", AT(out), 0, 0, "reconstructions.png",
     "the picture: rows of images, below each its reconstruction"},
    {INTERPOLATE, "--out", TARGET, "FILE.png", AT(out), 0, 0, "interpolations.png",
     "the picture: a row per pair, with the two images themselves at its ends"},
    {MANIFOLD, "--out", TARGET, "FILE.png", AT(out), 0, 0, "manifold.png",
     "the picture: equally likely steps of latent 0 to the right and of latent 1 upwards"},
    {TRAVERSE, "--out", TARGET, "FILE.png", AT(out), 0, 0, "traversal.png",
     "the picture: a row per latent"},
    {ENCODE, "--out", TARGET, "FILE.npy", AT(out), 1, 0, "codes.npy",
     "mu, float32 (images, latents)"},
    {ENCODE, "--logvar", TARGET, "FILE.npy", AT(logvar_out), 1, 0, NULL, "logvar, likewise"},
    {DECODE, "--out", TARGET, "FILE", AT(out), 1, 0, "decoded.png",
     "a picture, or with a name in .npy float32 (images, pixels)"},
    {SCORE, "--out", TARGET, "FILE", AT(out), 1, 0, "-", "-ELBO of each image; -: stdout"},
    {SCORE, "--format", CHOICE, "auto|text|csv|npy|", AT(format), 0, 0, "auto",
     "text: a number per line; csv and npy: -ELBO, recon and KL; auto: as the name of --out ends"},
    {LAYS_OUT, "--columns", INTEGER, "N", AT(columns), 1, 1e4, NULL,
     "images side by side (default: what makes the picture about square)"},
    {DRAWS, "--zoom", INTEGER, "N", AT(zoom), 1, 64, NULL,
     "size of a pixel (default: small images are enlarged)"},
    {TRAIN | EVAL, "--json", TARGET, "FILE", AT(json), 1, 0, NULL,
     "the figures as one JSON object; -: stdout. elbo and bound are negative; seconds is the whole "
     "run, images_per_second the steps of training (or evaluation) alone"},
    {USES, "--isa", CHOICE, VAE_ISA_LIST(WORD), AT(desc.isa), 0, 0, "auto",
     "instruction set; the results are the same, bit by bit"},
    {TRAIN | USES, "--threads", INTEGER, "N", AT(desc.threads), 1, VAE_MAX_THREADS, NULL,
     "threads that compute (default: one for each processor, 16 at most); the results are the same"},
    {TRAIN | USES | INFO, "--max-memory", BYTES, "N[K|M|G]", AT(max_memory), 1, WORD64, NULL,
     "refuse a model file that needs more bytes of memory than this; K, M and G are powers of 1024 "
     "(default: 2G and 16 times the size of the file)"},
    {TRAIN | USES | WRITES_SET, "--quiet", SWITCH, "", AT(quiet), 0, 0, NULL,
     "print nothing but errors"},
};
enum { FLAGS = sizeof flags / sizeof flags[0] };
typedef char flags_fit[FLAGS <= sizeof(((options *)0)->given) ? 1 : -1];
typedef char enums_are_ints[sizeof(vae_isa) == sizeof(int) ? 1 : -1];

static int train(options *), eval(options *), sample(options *), reconstruct(options *);
static int interpolate(options *), manifold(options *), traverse(options *), encode(options *);
static int decode(options *), score(options *), info(options *), write_set(options *);
static int help(options *), version(options *);

typedef struct command {
    unsigned bit;
    const char *name;
    const char *operand;    /* what stands after the name; in brackets: may be left out */
    const char *must;       /* a flag that must be given, or NULL */
    int (*run)(options *);
    const char *help;
    const char *examples;
} command;

static const command commands[] = {
    {TRAIN, "train", NULL, "--data", train, "train a model",
     "  # go on after a stop; other images; a schedule; a held-out set and a log\n"
     "  vae train --data mnist/ --latent 10 --epochs 50 --model m.safetensors --resume\n"
     "  vae train --data photos/ --test more-photos/ --model photos.safetensors\n"
     "  vae train --data mnist/ --schedule cosine --epochs 30 --json cosine.json\n"
     "  vae train --data mnist/ --validate 5000 --plateau 5 --patience 20 \\\n"
     "      --epochs 500 --best best.safetensors --log m.csv\n"
     "  vae train --data mnist/ --recipe iwae-paper --objective iwae --k 50\n"
     "  # linear autoencoder (finds the plane of PCA)\n"
     "  vae train --data digits --encoder \"\" --decoder \"\" --objective ae \\\n"
     "      --likelihood gaussian --model linear.safetensors\n"
     "  # non-linear autoencoder\n"
     "  vae train --data digits --objective ae --model ae.safetensors\n"
     "  # sparse autoencoder, of more codes than pixels\n"
     "  vae train --data digits --objective ae --latent 1000 --sparse 0.1 \\\n"
     "      --model sparse.safetensors\n"
     "  # denoising autoencoder\n"
     "  vae train --data digits --objective ae --corrupt mask:0.5 \\\n"
     "      --model dae.safetensors\n"
     "  # contractive autoencoder\n"
     "  vae train --data digits --objective ae --encoder \"\" --code sigmoid \\\n"
     "      --contract 0.1 --model cae.safetensors\n"
     "  # VAE\n"
     "  vae train --data digits --model digits.safetensors\n"
     "  # beta-VAE\n"
     "  vae train --data digits --beta 4 --model beta4.safetensors\n"
     "  # cyclic warm-up of the KL\n"
     "  vae train --data digits --warmup 2.5 --cycle 5 --model cyclic.safetensors\n"
     "  # free bits\n"
     "  vae train --data digits --free-bits 0.25 --model free.safetensors\n"
     "  # importance-weighted autoencoder, and with the gradients of DReG\n"
     "  vae train --data digits --objective iwae --k 5 --model iwae.safetensors\n"
     "  vae train --data digits --objective dreg --k 5 --model dreg.safetensors\n"
     "  # conditional VAE; then: vae sample cvae.safetensors --class 3\n"
     "  vae train --data digits --labels auto --model cvae.safetensors\n"
     "  # denoising VAE\n"
     "  vae train --data digits --corrupt gaussian:0.5 --model dvae.safetensors\n"
     "  # reconstruction only; KL only\n"
     "  vae train --data digits --objective recon --model recon.safetensors\n"
     "  vae train --data digits --objective kl --model kl.safetensors\n"},
    {EVAL, "eval", "MODEL", "--data", eval, "how good a model is on a data set, in many figures",
     "  vae eval m.safetensors --data mnist/\n"
     "  vae eval m.safetensors --data mnist/ --split train --json -\n"
     "  vae eval m.safetensors --data mnist/ --samples 1,50,5000\n"
     "  vae eval s.safetensors --data shapes --factors auto\n"},
    {SAMPLE, "sample", "MODEL", NULL, sample, "draw new images",
     "  vae sample m.safetensors --count 100 --seed 7 --out samples.png\n"
     "  vae sample cvae.safetensors --class 3\n"},
    {RECONSTRUCT, "reconstruct", "MODEL", "--data", reconstruct,
     "images beside what becomes of them",
     "  vae reconstruct m.safetensors --data mnist/ --out reconstructions.png\n"},
    {INTERPOLATE, "interpolate", "MODEL", "--data", interpolate, "walk from one image to another",
     "  vae interpolate m.safetensors --data digits\n"
     "  vae interpolate m.safetensors --data mnist/ --from 3 --to 18 --path spherical\n"},
    {MANIFOLD, "manifold", "MODEL", NULL, manifold, "the whole plane of a model with two latents",
     "  vae manifold m2.safetensors --count 25 --out manifold.png\n"},
    {TRAVERSE, "traverse", "MODEL", NULL, traverse, "what each latent does",
     "  vae traverse m.safetensors --data mnist/ --image 4\n"
     "  vae traverse m.safetensors --latents 0,3,5 --range 2 --out three.png\n"},
    {ENCODE, "encode", "MODEL", "--data", encode, "images to latents (NPY)",
     "  vae encode m.safetensors --data mnist/ --split train --out codes.npy\n"},
    {DECODE, "decode", "MODEL", "--in", decode, "latents (NPY) to images",
     "  vae decode m.safetensors --in codes.npy --out decoded.png\n"
     "  vae decode m.safetensors --in codes.npy --out decoded.npy\n"},
    {SCORE, "score", "MODEL", "--data", score, "how strange each image is: its -ELBO",
     "  vae score m.safetensors --data new.idx --out scores.csv\n"
     "  vae score m.safetensors --data digits --quiet | sort -g | tail\n"},
    {INFO, "info", "MODEL", NULL, info, "what a model file holds",
     "  vae info m.safetensors\n"},
    {DIGITS, "digits", "FOLDER", NULL, write_set, "write the built-in digits as IDX files",
     "  vae digits data/digits\n"
     "  vae digits data/more --images 60000 --test-images 10000 --seed 2 --factors\n"},
    {SHAPES, "shapes", "FOLDER", NULL, write_set, "write the built-in shapes as IDX files",
     "  vae shapes data/shapes\n"
     "  vae shapes data/more --images 60000 --test-images 10000 --factors\n"},
    {0, "help", "[COMMAND]", NULL, help, "explain a command and its flags, layers or recipes",
     "  vae help train\n  vae help layers\n  vae help recipes\n"},
    {0, "version", NULL, NULL, version, "print the version", "  vae version\n"},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

/* ---- reading the command line ----------------------------------------------------------- */

/* How many letters must be put in, taken out or changed to make b of a. Names are short. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[64], n = strlen(b);
    if (n > 62) return n;
    for (size_t j = 0; j <= n; j++) row[j] = j;
    for (; *a; a++) {
        size_t corner = row[0]++;
        for (size_t j = 1; j <= n; j++) {
            size_t changed = corner + (*a != b[j - 1]), least = row[j] + 1;
            corner = row[j];
            if (row[j - 1] + 1 < least) least = row[j - 1] + 1;
            row[j] = changed < least ? changed : least;
        }
    }
    return row[n];
}

/* Keeps in `best` the candidate nearest to what was typed, if it is near enough to be meant. */
static void consider(const char *typed, const char *candidate, const char **best, size_t *distance)
{
    size_t d = edit_distance(typed, candidate), n = strlen(candidate);
    int begins = strlen(typed) > 3 && strncmp(typed, candidate, strlen(typed)) == 0;
    if (begins) d = 1;
    if (d < *distance && d <= 1 + n / 4) *best = candidate, *distance = d;
}

/* The next piece of a list: copies up to `separator` and steps over it. 0 at the end. A piece that
 * is too long ends in "...", so that its beginning is not taken for a number or a word. */
static int next_piece(const char **list, char separator, char *piece, size_t size)
{
    const char *start = *list, *end = start ? strchr(start, separator) : NULL;
    size_t n = end ? (size_t)(end - start) : start ? strlen(start) : 0;
    const int cut = n >= size;
    if (!start) return 0;
    if (cut)
        for (n = size - 4; n && ((unsigned char)start[n] & 0xc0) == 0x80;) n--;
    memcpy(piece, start, n);
    snprintf(piece + n, size - n, "%s", cut ? "..." : "");
    *list = end ? end + 1 : NULL;
    return 1;
}

static int read_whole(const char *typed, uint64_t *value)
{
    uint64_t v = 0;
    size_t n = 0;
    for (; typed[n] >= '0' && typed[n] <= '9'; n++) {
        uint64_t digit = (uint64_t)(typed[n] - '0');
        if (v > (UINT64_MAX - digit) / 10) return 0;
        v = v * 10 + digit;
    }
    *value = v;
    return n > 0 && typed[n] == '\0';
}

/* The same with K, M or G behind it. */
static int read_bytes(const char *typed, uint64_t *value)
{
    static const char units[] = "KMG";
    char digits[24];
    const size_t n = strlen(typed);
    const char *unit = n ? strchr(units, typed[n - 1]) : NULL;
    const int shift = unit ? 10 * (int)(unit - units + 1) : 0;
    if (n >= sizeof digits) return 0;
    memcpy(digits, typed, n + 1);
    if (unit) digits[n - 1] = '\0';
    if (!read_whole(digits, value) || *value > UINT64_MAX >> shift) return 0;
    *value <<= shift;
    return 1;
}

/* Decimal only, all of the text, nothing that overflows or vanishes. */
static int read_real(const char *typed, double *value)
{
    char *end;
    size_t n = strlen(typed);
    if (n == 0 || strspn(typed, "0123456789+-.eE") != n) return 0;
    errno = 0;
    *value = strtod(typed, &end);
    return end == typed + n && errno == 0;
}

/* Which of the words, or -1; `listed` becomes "a, b, c". */
static int find_word(const char *words, const char *typed, char *listed, size_t size)
{
    char word[40];
    int found = -1;
    size_t used = 0;
    listed[0] = '\0';
    for (int i = 0; next_piece(&words, '|', word, sizeof word) && word[0]; i++) {
        if (strcmp(word, typed) == 0) found = i;
        used += (size_t)snprintf(listed + used, size - used, "%s%s", i ? ", " : "", word);
        if (used >= size) used = size - 1;
    }
    return found;
}

/* Reads a value as its flag wants it and puts it into its field. */
static void set_value(options *o, const flag *f, const char *typed)
{
    void *field = (char *)o + f->at;
    char listed[300];
    uint64_t whole = 0;
    double real = 0;
    int choice;
    switch (f->kind) {
    case SWITCH:
        *(int *)field = 1;
        break;
    case SOURCE:
    case TARGET:
        if (!*typed) die(MISUSED, "%s: the name is empty", f->name);
        *(const char **)field = typed;
        break;
    case TEXT:
        *(const char **)field = typed;
        break;
    case BYTES:
        if (!read_bytes(typed, &whole) || whole < 1)
            die(MISUSED, "%s: '%s' is not a number of bytes from 1 on, such as 4000000, 512M or 2G",
                f->name, typed);
        *(uint64_t *)field = whole;
        break;
    case WHOLE:
    case INTEGER:
        if (!read_whole(typed, &whole) || (double)whole < f->lo || (double)whole > f->hi)
            die(MISUSED, "%s: '%s' is not a whole number from %.0f to %llu", f->name, typed, f->lo,
                f->hi < WORD64 ? (ull)f->hi : (ull)UINT64_MAX);
        if (f->kind == WHOLE) *(uint64_t *)field = whole;
        else *(int *)field = (int)whole;
        break;
    case REAL:
        if (!read_real(typed, &real) || !(real >= f->lo && real <= f->hi))
            die(MISUSED, "%s: '%s' is not a number from %g to %.9g", f->name, typed, f->lo, f->hi);
        *(double *)field = real;
        break;
    case CHOICE:
        choice = find_word(f->word, typed, listed, sizeof listed);
        if (choice < 0) die(MISUSED, "%s: '%s' is none of %s", f->name, typed, listed);
        *(int *)field = choice;
        break;
    }
}

/* The value of a field as it would be typed, for the caller to free(). */
static char *value_text(const options *o, const flag *f)
{
    const void *field = (const char *)o + f->at;
    const char *words = f->word, *t;
    char out[60] = "";
    switch (f->kind) {
    case SWITCH:
    case INTEGER: snprintf(out, sizeof out, "%d", *(const int *)field); break;
    case BYTES:
    case WHOLE: snprintf(out, sizeof out, "%llu", (ull)*(const uint64_t *)field); break;
    case REAL: real_text(out, sizeof out, *(const double *)field); break;
    case CHOICE:
        for (int i = *(const int *)field; i >= 0; i--) next_piece(&words, '|', out, sizeof out);
        break;
    case TEXT:
    case SOURCE:
    case TARGET:
        t = *(const char *const *)field;
        return joined(t ? t : "", "", "");
    }
    return joined(out, "", "");
}

static const flag *find_flag(unsigned command_bit, const char *name)
{
    for (size_t i = 0; i < FLAGS; i++)
        if (flags[i].name && flags[i].commands & command_bit && strcmp(flags[i].name, name) == 0)
            return &flags[i];
    return NULL;
}

static int given(const options *o, const char *name)
{
    return o->given[find_flag(o->command, name) - flags];
}

NORETURN static void unknown_flag(const command *c, const char *name)
{
    const char *best = NULL;
    size_t distance = 99;
    for (size_t i = 0; i < COMMANDS; i++)
        if (find_flag(commands[i].bit, name))
            die(MISUSED, "%s is a flag of 'vae %s', not of 'vae %s'", name, commands[i].name,
                c->name);
    for (size_t i = 0; i < FLAGS; i++)
        if (flags[i].name && flags[i].commands & c->bit)
            consider(name, flags[i].name, &best, &distance);
    if (best) die(MISUSED, "unknown flag %s; did you mean %s?", name, best);
    die(MISUSED, "unknown flag %s; 'vae help %s' lists them", name, c->name);
}

/* The next word of a line, without its quotes; for the caller to free(). NULL at the end. */
static char *next_word(const char **line)
{
    const char *from = *line + strspn(*line, " ");
    const int quoted = *from == '"';
    size_t n;
    char *word;
    if (!*from) return NULL;
    from += quoted;
    n = strcspn(from, quoted ? "\"" : " ");
    word = (char *)need(n + 1, 1);
    memcpy(word, from, n);
    *line = from + n + quoted;
    return word;
}

/* Whether the command line decides what this flag is about, be it with another flag. */
static int decided(const options *o, const flag *f)
{
    static const char *const same[][2] = {{"--samples", "--k"}, {"--schedule", "--stages"},
                                          {"--schedule", "--plateau"}, {"--stages", "--plateau"}};
    int is = o->given[f - flags];
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        for (int k = 0; k < 2; k++)
            if (strcmp(f->name, same[i][k]) == 0 && given(o, same[i][1 - k])) is = 1;
    return is;
}

/* Text that is needed as long as the options are. */
static char *keep(options *o, char *made)
{
    if (o->kept_count == sizeof o->kept / sizeof *o->kept) die(FAILED, "too many texts are made");
    o->kept[o->kept_count++] = made;
    return made;
}

static void forget(options *o)
{
    while (o->kept_count) free(o->kept[--o->kept_count]);
    free(o->recipe_set.at);
    memset(&o->recipe_set, 0, sizeof o->recipe_set);
}

/* Sets what the recipe says and the command line does not. */
static void apply_recipe(options *o)
{
    const char *line = recipes[o->recipe].line;
    options typed = *o;
    char *name, *value;
    while ((name = next_word(&line)) != NULL) {
        const flag *f = find_flag(TRAIN, name);
        value = next_word(&line);
        if (!decided(&typed, f)) {
            const char *quote = value[strcspn(value, " ")] ? "\"" : "";
            set_value(o, f, value);
            o->given[f - flags] = 1;
            text_print(&o->recipe_set, " %s %s%s%s", name, quote, value, quote);
        }
        keep(o, value);
        free(name);
    }
    *(char *)text_grow(&o->recipe_set, 1) = '\0';
}

static void parse(options *o, const command *c, int argc, char **argv)
{
    memset(o, 0, sizeof *o);
    o->command = c->bit;
    for (size_t i = 0; i < FLAGS; i++)
        if (flags[i].commands & c->bit && flags[i].standard)
            set_value(o, &flags[i], flags[i].standard);
    for (int i = 0; i < argc; i++) {
        const char *equals = strchr(argv[i], '='), *value = NULL;
        const flag *f;
        char name[64];
        if (argv[i][0] != '-' || argv[i][1] == '\0') {
            if (!c->operand)
                die(MISUSED, "'%s' does not belong here; flags begin with --", argv[i]);
            if (o->operand)
                die(MISUSED, "'%s' does not belong here: '%s' is the %s already", argv[i],
                    o->operand, c->operand);
            if (!argv[i][0]) die(MISUSED, "the name of the %s is empty", c->operand);
            o->operand = argv[i];
            continue;
        }
        snprintf(name, sizeof name, "%.*s", equals ? (int)(equals - argv[i]) : 63, argv[i]);
        f = find_flag(c->bit, name);
        if (!f) unknown_flag(c, name);
        if (o->given[f - flags]++) die(MISUSED, "%s is given twice", name);
        if (f->kind == SWITCH) {
            if (equals) die(MISUSED, "%s takes no value", name);
        } else if (equals) {
            value = equals + 1;
        } else if (i + 1 == argc || strncmp(argv[i + 1], "--", 2) == 0) {
            die(MISUSED, "%s needs a value: %s", name, f->kind == CHOICE ? "one word" : f->word);
        } else {
            value = argv[++i];
        }
        set_value(o, f, value);
    }
    if (c->bit == TRAIN && given(o, "--recipe")) apply_recipe(o);
    if (c->operand && c->operand[0] != '[' && !o->operand)
        die(MISUSED, "'vae %s' needs a %s; see 'vae help %s'", c->name, c->operand, c->name);
    if (c->must && !given(o, c->must))
        die(MISUSED, "'vae %s' needs %s; see 'vae help %s'", c->name, c->must, c->name);
    screen.quiet = o->quiet;
}

/* ---- help ------------------------------------------------------------------------------- */

/* Prints words, broken at blanks, from column `at` on and with that indent. */
static void print_wrapped(const char *words, size_t at, size_t width)
{
    size_t column = at;
    while (*words) {
        size_t n = strcspn(words, " ");
        if (column > at && column + 1 + n > width) {
            printf("\n%*s", (int)at, "");
            column = at;
        }
        if (column > at) fputc(' ', stdout), column++;
        fwrite(words, 1, n, stdout);
        column += n;
        words += n + (words[n] == ' ');
    }
    fputc('\n', stdout);
}

static void help_flag(const flag *f, size_t width)
{
    char words[1000], listed[300];
    const char *word = f->kind == CHOICE ? "WORD" : f->word, *standard = f->standard;
    int n;
    find_word(f->kind == CHOICE ? f->word : "", "", listed, sizeof listed);
    n = printf("  %s %s", f->name, word);
    printf(n > 22 ? "\n%*s" : "%*s", n > 22 ? 24 : 24 - n, "");
    n = snprintf(words, sizeof words, standard || listed[0] ? "%s (%s" : "%s", f->help, listed);
    if (standard)
        n += snprintf(words + n, sizeof words - (size_t)n, "%sdefault %s", listed[0] ? "; " : "",
                      standard);
    if (standard || listed[0]) snprintf(words + n, sizeof words - (size_t)n, ")");
    print_wrapped(words, 24, width);
}

static int help_layers(void)
{
    static const char *const densities[] = {
        "1 or 0 with the probability sigmoid(a); grey pixels are weighed, which is no density",
        "normal, its variance the same everywhere: --variance",
        "the same, the variance one learned number",
        "normal, a mean and a log variance for each number",
        "on [0,1], the density that grey pixels want in place of bernoulli",
        "a logistic cut into the 256 levels of a byte, one learned scale: bits per dimension",
        "the same, a mean and a scale for each number",
        "one of --categories levels of each number, any distribution over them",
    };
    const char *syntax, *rule, *name;
    printf("An encoder or decoder is a list of layers with ',' between them. A layer may be followed "
           "by an\nactivation, or an activation may stand alone. Shapes are height x width x "
           "channels.\n\nLayers\n");
    for (int i = 0; (syntax = vae_layer_syntax(i, &rule)) != NULL; i++)
        printf("  %-24s %s\n", syntax, rule);
    printf("\nActivations\n ");
    for (int i = 0; (name = vae_choice_name(VAE_CHOICE_ACT, i)) != NULL; i++) printf(" %s", name);
    printf("\n\nLikelihoods (--likelihood)\n");
    for (int i = 0; (name = vae_choice_name(VAE_CHOICE_LIKELIHOOD, i)) != NULL; i++)
        printf("  %-24s %s\n", name,
               (size_t)i < sizeof densities / sizeof *densities ? densities[i] : "");
    printf("\nThe encoder ends in a dense head to mu and logvar. The decoder ends in a dense head to "
           "what the\nlikelihood needs, unless its last layer has no activation and exactly that many "
           "outputs: one\nfor each number, two for gaussian_pixel and logistic_pixel (per pixel: first "
           "means of the channels,\nthen the others), --categories of them for categorical.\n\n"
           "Examples\n"
           "  --encoder \"conv 32 4x4/2 relu, conv 64 4x4/2 relu, dense 256 relu\"\n"
           "  --decoder \"dense 256 relu, dense 3136 relu, reshape 7x7x64, convt 32 4x4/2 relu, "
           "convt 1 4x4/2\"\n"
           "  --encoder \"dense 256 relu, res(batchnorm relu, dense 256), dropout 0.1\"\n");
    return 0;
}

static int help_recipes(size_t width)
{
    printf("A recipe sets the flags of a published experiment; those that are typed too win.\n");
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++) {
        printf("\n%s\n    ", recipes[i].name);
        print_wrapped(recipes[i].line, 4, width);
    }
    printf("\niwae-*: Burda, Grosse, Salakhutdinov 2016, one stochastic layer, as the paper says "
           "and as\nits code does; with --objective iwae --k 50, or --k 50 for the VAE beside it.\n"
           "pytorch-example: the program examples/vae of PyTorch.\n");
    return 0;
}

static int help(options *o)
{
    const command *c = NULL;
    const flag *heading = NULL;
    const char *best = NULL;
    size_t distance = 99, width = screen.terminal ? screen_width() - 1 : 80;
    if (width > 100) width = 100;
    for (size_t i = 0; i < COMMANDS && o->operand; i++) {
        if (strcmp(commands[i].name, o->operand) == 0) c = &commands[i];
        consider(o->operand, commands[i].name, &best, &distance);
    }
    if (o->operand && !strcmp(o->operand, "layers")) return help_layers();
    if (o->operand && !strcmp(o->operand, "recipes")) return help_recipes(width);
    if (o->operand && !c)
        die(MISUSED, "there is no command '%s'%s%s%s", o->operand, best ? "; did you mean " : "",
            best ? best : "", best ? "?" : "");
    if (!c) {
        printf("vae %s: variational autoencoders\n\nusage: vae COMMAND ...\n\n", VAE_VERSION_TEXT);
        for (size_t i = 0; i < COMMANDS; i++)
            printf("  %-12s %-10s %s\n", commands[i].name,
                   commands[i].operand ? commands[i].operand : "", commands[i].help);
        printf("\nTo begin with:\n"
               "  vae train --data digits --model digits.safetensors\n"
               "  vae sample digits.safetensors --out samples.png\n");
        return 0;
    }
    printf("vae %s: %s\n\nusage: vae %s", c->name, c->help, c->name);
    if (c->operand) printf(" %s", c->operand);
    if (c->must) printf(" %s %s", c->must, find_flag(c->bit, c->must)->word);
    printf("%s\n", c->bit ? " [FLAGS]" : "");
    for (size_t i = 0; i < FLAGS; i++) {
        if (!(flags[i].commands & c->bit)) continue;
        if (!flags[i].name) {
            heading = &flags[i];
            continue;
        }
        if (heading) printf("\n%s\n", heading->help);
        heading = NULL;
        help_flag(&flags[i], width);
    }
    printf("\nExamples\n%s", c->examples);
    return 0;
}

static int version(options *o)
{
    (void)o;
    printf("vae %s (best instruction set here: %s)\n", VAE_VERSION_TEXT,
           isa_name(vae_isa_best()));
    return 0;
}

/* ---- data sets -------------------------------------------------------------------------- */

typedef struct dataset {
    vae_data images;
    char *name;             /* for messages; NULL: there is none */
    char *path;             /* of the one file that holds them; NULL: there is no such file */
    uint8_t *classes;       /* of the images, when these come with them; NULL: they do not */
    int32_t *labels;        /* of the images, once find_labels has been asked */
    const char *built_in;   /* the word for it; NULL: files */
    int test;               /* 1: its images for testing */
    int limited;            /* 1: perhaps not all that there are */
} dataset;

enum { STEMS = 4 };
static const char *const stems[2][STEMS] = {
    {"/train-images-idx3-ubyte", "/train-images.idx3-ubyte", "/train-images-idx4-ubyte",
     "/train-images.idx4-ubyte"},
    {"/t10k-images-idx3-ubyte", "/t10k-images.idx3-ubyte", "/t10k-images-idx4-ubyte",
     "/t10k-images.idx4-ubyte"}
};

static int is_built_in(const char *where)
{
    return strcmp(where, "digits") == 0 || strcmp(where, "shapes") == 0;
}

/* The images of a built-in set: dims (4) for vae_data_wrap. Returns their rank. */
static int built_in_shape(const char *name, int test, size_t count, size_t *dims)
{
    int digits = strcmp(name, "digits") == 0;
    size_t most = test ? SHAPES_COUNT - SHAPES_TEST : SHAPES_TEST;
    if (!digits && count > most)
        die(MISUSED, "%zu images: there are %zu different shapes for %s", count, most,
            test ? "testing" : "training");
    dims[0] = count;
    dims[1] = digits ? DIGITS_HEIGHT : SHAPES_HEIGHT;
    dims[2] = digits ? DIGITS_WIDTH : SHAPES_WIDTH;
    dims[3] = SHAPES_CHANNELS;
    return digits ? 3 : 4;
}

static void draw_built_in(dataset *d, const char *name, int test, size_t count)
{
    size_t dims[4], size;
    int rank = built_in_shape(name, test, count, dims);
    uint8_t *pixels;
    vae_report report;
    size = dims[1] * dims[2] * (rank == 4 ? dims[3] : 1);
    pixels = (uint8_t *)need(count, size);
    d->classes = (uint8_t *)need(count, 1);
    d->built_in = name, d->test = test;
    if (rank == 3) digits_fill(BUILT_IN_SEED, test ? DIGITS_TEST : 0, count, pixels, d->classes);
    else shapes_fill(BUILT_IN_SEED, test ? SHAPES_TEST : 0, count, pixels, NULL);
    for (size_t i = 0; i < count && rank == 4; i++) {
        uint8_t f[SHAPES_FACTORS];
        shapes_factors(BUILT_IN_SEED, (test ? SHAPES_TEST : 0) + (uint32_t)i, f);
        d->classes[i] = f[SHAPES_SHAPE];
    }
    if (vae_data_wrap(VAE_U8, rank, dims, pixels, &d->images, &report) != VAE_OK)
        die(FAILED, "%s", report.text);
    d->images.block = pixels, d->images.block_size = count * size;
    d->name = joined(name, test ? " (test)" : "", "");
}

/* What an opened set needs before it is one: images, not too many of them, and a name. */
static void finish_images(dataset *d, const char *path, uint64_t limit)
{
    if (d->images.rank < 2)
        die(FAILED, "%s holds one number per entry: labels, not images", path);
    if (d->images.count == 0 || d->images.item == 0) die(FAILED, "%s holds no images", path);
    if (limit && limit < d->images.count)
        d->images.count = d->images.dims[0] = (size_t)limit;
    d->limited = limit != 0;
    d->name = joined(path, "", "");
}

/* One file: NPY and pictures by their first bytes, or else IDX. */
static void load_images(dataset *d, const char *path, uint64_t limit)
{
    uint8_t begin[8] = {0}, *bytes = NULL;
    char error[IMAGES_ERROR];
    size_t size = 0;
    vae_report report;
    int regular = kind_of(path) == REGULAR, picture; /* of a pipe no byte must be lost */
    FILE *file = regular ? fopen(path, "rb") : NULL;
    if (file) {
        if (fread(begin, 1, sizeof begin, file) == 0) begin[0] = 0;
        fclose(file);
    }
    picture = memcmp(begin, "\x89PNG\r\n\x1a\n", 8) == 0
           || (begin[0] == 'P' && begin[1] >= '1' && begin[1] <= '7');
    if (memcmp(begin, "\x93NUMPY", 6) == 0) {
        bytes = images_read(path, &size, error);
        if (!bytes) die(FAILED, "%s", error);
        if (!images_npy(bytes, size, &d->images, error)) die(FAILED, "%s: %s", path, error);
    } else if (picture) {
        if (!images_files(&path, 1, &d->images, error)) die(FAILED, "%s", error);
    } else if (vae_data_load(path, NULL, &d->images, &report) != VAE_OK) {
        die(FAILED, "%s", report.text);
    }
    finish_images(d, path, limit);
    d->path = joined(path, "", "");
}

/* The training or test images of `where`, a folder or a built-in set: IDX files come first, then
 * CIFAR-10's, then pictures, which are all for training. 0 if there are none. */
static int find_images(dataset *d, const char *where, int test, uint64_t limit)
{
    char error[IMAGES_ERROR] = "";
    int found = 0;
    if (is_built_in(where)) {
        draw_built_in(d, where, test, (size_t)(limit ? limit : test ? 2000 : 10000));
        return 1;
    }
    if (!is_folder(where)) return 0;
    for (int i = 0; i < 2 * STEMS && !d->name; i++) {
        char *path = joined(where, stems[test][i / 2] + ends_with(where, "/"), i % 2 ? ".gz" : "");
        if (kind_of(path) == REGULAR) load_images(d, path, limit);
        free(path);
    }
    if (d->name) return 1;
    found = images_batches(where, test, (size_t)limit, &d->images, &d->classes, error);
    if (found == 0 && !test) found = images_folder(where, (size_t)limit, &d->images, error);
    if (found < 0) die(FAILED, "%s", error);
    if (found) finish_images(d, where, limit);
    return found;
}

NORETURN static void no_images(const char *where, int test)
{
    die(FAILED, "%s holds no %s images: looked for %s[.gz] (or idx4), %s%s", where,
        test ? "test" : "training", stems[test][0] + 1,
        test ? "test_batch.bin" : "data_batch_1.bin",
        test ? "" : " and pictures (.png, .pgm, .ppm)");
}

/* Colours are 1 or 3, and more often behind the sides than before them. */
static int channels_first(const vae_data *d)
{
    return d->rank == 4 && (d->dims[1] == 1 || d->dims[1] == 3) && d->dims[3] != 1
           && d->dims[3] != 3;
}

/* Dies where the shape of the images, from which that of a model is taken, has its axes in another
 * order, as far as can be seen. */
static void check_axes(const dataset *d)
{
    const size_t *dims = d->images.dims;
    const int grey = dims[1] == 1; /* then the numbers come in the same order either way */
    if (channels_first(&d->images))
        die(FAILED, "%s holds images of %zu x %zu x %zu, which looks like channels first, and "
            "expected is height x width x channels: save x.transpose(0, 2, 3, 1), or say --input "
            "%zux%zux%zu if that is meant", d->name, dims[1], dims[2], dims[3],
            dims[grey ? 2 : 1], dims[grey ? 3 : 2], dims[grey ? 1 : 3]);
}

/* Numbers that the library would refuse in the middle of the work are told here, by file, image and
 * place. Integers become what it takes. `seen`: only an encoder sees them, which may have been
 * trained with noise. */
static void check_values(const dataset *d, const vae_desc *desc, int seen)
{
    const size_t item = d->images.item;
    const int gaussian = desc->likelihood == VAE_LIKELIHOOD_GAUSSIAN
                         || desc->likelihood == VAE_LIKELIHOOD_GAUSSIAN_LEARNED
                         || desc->likelihood == VAE_LIKELIHOOD_GAUSSIAN_PIXEL;
    const int noisy = desc->corrupt == VAE_CORRUPT_GAUSSIAN || !strncmp(desc->encoder, "noise", 5);
    const int unit = !gaussian && !(seen && noisy);
    float *x;
    if (d->images.type != VAE_F32 && d->images.type != VAE_F64) return;
    x = floats(item, 1);
    for (size_t i = 0; i < d->images.count; i++) {
        vae_data_read(&d->images, i, 1, x);
        for (size_t k = 0; k < item; k++) {
            const double number = (double)x[k];
            if (fits(x[k], unit)) continue;
            free(x);
            if (!is_finite(number))
                die(FAILED, "%s: image %zu: number %zu is %s", d->name, i, k, odd_name(number));
            if (unit)
                die(FAILED, "%s: image %zu: number %zu is %.9g; %s takes numbers from 0 to 1",
                    d->name, i, k, number,
                    vae_choice_name(VAE_CHOICE_LIKELIHOOD, (int)desc->likelihood));
            die(FAILED, "%s: image %zu: number %zu is %.9g, which is too large: at most 1e18 (is "
                "it a fill value?)", d->name, i, k, number);
        }
    }
    free(x);
}

/* Where the images do not fit a model, says so before the work begins. */
static void check_images(const dataset *d, const vae *model, const char *which)
{
    const size_t *dims = d->images.dims;
    vae_info at;
    vae_get_info(model, &at);
    if (d->images.item != at.input_dim)
        die(FAILED, "%s holds images of %zu numbers, but %s takes %zu", d->name, d->images.item,
            which, at.input_dim);
    if (channels_first(&d->images) && at.channels == dims[1] && at.channels > 1
        && at.height == dims[2] && at.width == dims[3])
        die(FAILED, "%s holds images of %zu x %zu x %zu, channels first, but %s takes %zu x %zu x "
            "%zu: save x.transpose(0, 2, 3, 1)", d->name, dims[1], dims[2], dims[3], which,
            at.height, at.width, at.channels);
}

static void check(const vae *model, vae_status status)
{
    if (status != VAE_OK) die(FAILED, "%s", vae_last_report(model)->text);
}

/* The same of work on rows of a file from number `first` on, which the library counts from 0. */
static void check_on(const char *file, size_t first, const vae *model, vae_status status)
{
    if (status == VAE_OK) return;
    if (first) die(FAILED, "%s, from row %zu on: %s", file, first, vae_last_report(model)->text);
    die(FAILED, "%s: %s", file, vae_last_report(model)->text);
}

static int is_one_file(const char *where)
{
    return !is_built_in(where) && !is_folder(where);
}

static void drop(dataset *d)
{
    vae_data_free(&d->images);
    free(d->name);
    free(d->path);
    free(d->classes);
    free(d->labels);
    memset(d, 0, sizeof *d);
}

/* Number i of a table of any type, as it stands there. */
static double number_at(const vae_data *t, size_t i)
{
    switch (t->type) {
    case VAE_U8: return ((const uint8_t *)t->bytes)[i];
    case VAE_I8: return ((const int8_t *)t->bytes)[i];
    case VAE_I16: return ((const int16_t *)t->bytes)[i];
    case VAE_I32: return ((const int32_t *)t->bytes)[i];
    case VAE_F32: return (double)((const float *)t->bytes)[i];
    case VAE_F64: return ((const double *)t->bytes)[i];
    default: return 0;
    }
}

static size_t size_of(vae_type type)
{
    return type == VAE_U8 || type == VAE_I8 ? 1 : type == VAE_I16 ? 2 : type == VAE_F64 ? 8 : 4;
}

/* The file of labels that stands beside a file of images, by the standard names: images becomes
 * labels and idx3 or idx4 becomes idx1, with or without .gz. For the caller to free(); or NULL. */
static char *labels_beside(const char *path)
{
    char *beside = path ? joined(path, "", ".gz") : NULL, *at = NULL, *next = beside;
    size_t n = path ? strlen(path) : 0;
    while (next && (next = strstr(next, "images")) != NULL) at = next++;
    if (at) memcpy(at, "labels", 6), at = strstr(at, "idx");
    if (at && (at[3] == '3' || at[3] == '4')) {
        at[3] = '1';
        if (!ends_with(path, ".gz") && kind_of(beside) == REGULAR) return beside;
        beside[n] = '\0';
        if (kind_of(beside) == REGULAR) return beside;
        if (ends_with(path, ".gz")) beside[n - 3] = '\0';
        if (kind_of(beside) == REGULAR) return beside;
    }
    free(beside);
    return NULL;
}

/* The class of each image: those that come with the images, or a file's. */
static void find_labels(dataset *d, const char *flag_name, const char *where)
{
    const size_t count = d->images.count;
    const int automatic = strcmp(where, "auto") == 0;
    char *path = automatic ? labels_beside(d->path) : joined(where, "", "");
    vae_data file;
    vae_report report;
    d->labels = (int32_t *)need(count, sizeof *d->labels);
    d->images.labels = d->labels;
    if (automatic && d->classes) {
        for (size_t i = 0; i < count; i++) d->labels[i] = d->classes[i];
        free(path);
        return;
    }
    if (!path)
        die(FAILED, "%s comes without labels; name a file of them: %s FILE", d->name, flag_name);
    if (vae_data_load(path, NULL, &file, &report) != VAE_OK) die(FAILED, "%s", report.text);
    if (file.item != 1 || file.type == VAE_F32 || file.type == VAE_F64)
        die(FAILED, "%s holds no labels: those are whole numbers, one for each image", path);
    if (file.count < count || (file.count > count && !d->limited))
        die(FAILED, "%s holds %zu labels, but %s %zu images", path, file.count, d->name, count);
    for (size_t i = 0; i < count; i++) {
        double label = number_at(&file, i);
        if (label < 0 || label >= MOST_CLASSES)
            die(FAILED, "%s: label %zu is %.0f; classes are counted from 0 to %d", path, i, label,
                MOST_CLASSES - 1);
        d->labels[i] = (int32_t)label;
    }
    vae_data_free(&file);
    free(path);
}

static int most_label(const dataset *d)
{
    int32_t most = 0;
    for (size_t i = 0; i < d->images.count; i++)
        if (d->images.labels[i] > most) most = d->images.labels[i];
    return (int)most;
}

/* Where a network of `classes` does not know the label of an image. */
static void check_labels(const dataset *d, int classes)
{
    for (size_t i = 0; i < d->images.count; i++)
        if (d->images.labels[i] >= classes)
            die(FAILED, "image %zu of %s is of class %d, but the network knows 0 to %d", i, d->name,
                (int)d->images.labels[i], classes - 1);
}

/* Moves the last `count` images to a set of their own, which borrows them. */
static void hold_out(dataset *from, size_t count, dataset *held)
{
    size_t left = from->images.count - count;
    char what[60];
    if (count >= from->images.count)
        die(MISUSED, "--validate %zu leaves none of the %zu training images", count,
            from->images.count);
    snprintf(what, sizeof what, " (the last %zu)", count);
    held->name = joined(from->name, what, "");
    held->images = from->images;
    held->images.block = NULL;
    held->images.bytes = (const char *)from->images.bytes
                       + left * from->images.item * size_of(from->images.type);
    if (from->labels) held->images.labels = from->labels + left;
    held->images.count = held->images.dims[0] = count;
    from->images.count = from->images.dims[0] = left;
}

/* ---- what is read and what is written must be different files ---------------------------- */

#ifdef HAVE_POSIX
/* Whether a file is there, and its place on the disk. */
static int look(const char *path, struct stat *s)
{
    int bad = strcmp(path, "/dev/stdout") == 0 ? fstat(1, s)
            : strcmp(path, "/dev/stderr") == 0 ? fstat(2, s) : stat(path, s);
    if (bad && errno != ENOENT && errno != ENOTDIR)
        die(FAILED, "%s cannot be looked at: %s", path, strerror(errno));
    return !bad;
}

/* What stands behind the last '/'. */
static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int in_folder(const char *path, const char *folder)
{
    const size_t n = (size_t)(last_part(path) - path);
    char *its = joined(n ? path : ".", "", "");
    struct stat a, b;
    int is;
    if (n) its[n] = '\0';
    is = look(its, &a) && look(folder, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
    free(its);
    return is;
}

static int same_file(const char *a, const char *b)
{
    struct stat s, t;
    const int there = look(a, &s);
    char *folder;
    int same;
    if (there != look(b, &t)) return 0;
    if (there) return s.st_dev == t.st_dev && s.st_ino == t.st_ino && S_ISREG(s.st_mode);
    folder = joined(b, "", "");
    folder[last_part(b) - b] = '\0';
    same = strcmp(last_part(a), last_part(b)) == 0 && in_folder(a, folder[0] ? folder : ".");
    free(folder);
    return same;
}

/* 2: a file of this name is one of a set in IDX or CIFAR-10's form; 1: a picture, which is read
 * where there is no such set; 0: --data does not read it. */
static int role_in_data(const char *name)
{
    static const char *const sets[] = {"train-images", "train-labels", "t10k-images",
                                       "t10k-labels", "data_batch_", "test_batch."};
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        if (strncmp(name, sets[i], strlen(sets[i])) == 0) return 2;
    return images__is_name(name);
}

/* Whether `path` is, or would become, one of the files that are read from a folder. */
static int among_data(const char *path, const char *folder)
{
    DIR *d = opendir(folder);
    struct dirent *entry;
    int role = in_folder(path, folder) ? role_in_data(last_part(path)) : 0, sets = 0;
    while (d && (entry = readdir(d)) != NULL) {
        const int its = role_in_data(entry->d_name);
        char *file = its ? joined(folder, "/", entry->d_name) : NULL;
        if (its == 2) sets = 1;
        if (its > role && same_file(path, file)) role = its;
        free(file);
    }
    if (d) closedir(d);
    return role == 2 || (role == 1 && !sets);
}
#else
static int same_file(const char *a, const char *b)
{
#ifdef _WIN32
    char *x = _fullpath(NULL, a, 0), *y = _fullpath(NULL, b, 0);
    const int same = x && y && _stricmp(x, y) == 0;
    free(x);
    free(y);
    return same;
#else
    return strcmp(a, b) == 0;
#endif
}
#endif

typedef struct named {
    const char *what, *path;    /* "--model", "m.safetensors" */
    int written, folder;
} named;

/* Every file and folder of the command line: out (FLAGS + 3). */
static size_t list_paths(const options *o, named *out)
{
    size_t count = 0;
    memset(out, 0, (FLAGS + 3) * sizeof *out);
    if (o->command & (USES | INFO)) out[count].what = "the model", out[count++].path = o->operand;
    for (size_t i = 0; i < FLAGS; i++) {
        const flag *f = &flags[i];
        const int read = f->kind == SOURCE;
        named *n = &out[count];
        if (!(f->commands & o->command) || !(read || f->kind == TARGET)) continue;
        n->what = f->name, n->path = *(const char *const *)((const char *)o + f->at);
        if (!n->path || (!read && strcmp(n->path, "-") == 0)) continue;
        if (read && (f->at == AT(data) || f->at == AT(test) ? is_built_in(n->path)
                                                            : strcmp(n->path, "auto") == 0))
            continue;
        n->written = !read && kind_of(n->path) != SPECIAL;
        n->folder = read && is_folder(n->path);
        count++;
    }
#ifdef HAVE_POSIX
    out[count].what = "the output", out[count++].path = "/dev/stdout";
    out[count].what = "the errors", out[count++].path = "/dev/stderr";
#endif
    return count;
}

/* Dies if what is written by flag `to` would replace what is named by `other`. */
static void check_pair(const named *to, const named *other)
{
    const int images = strcmp(other->what, "--data") == 0 || strcmp(other->what, "--test") == 0;
    char *beside = images && !other->folder ? labels_beside(other->path) : NULL;
    if (same_file(to->path, other->path))
        die(MISUSED, "%s %s and %s %s are the same file", to->what, to->path, other->what,
            strncmp(other->path, "/dev/std", 8) ? other->path : "of this command");
    if (beside && same_file(to->path, beside))
        die(MISUSED, "%s %s and the labels of %s are the same file", to->what, to->path,
            other->path);
#ifdef HAVE_POSIX
    if (other->folder && among_data(to->path, other->path))
        die(MISUSED, "%s %s and an image of %s %s would be the same file", to->what, to->path,
            other->what, other->path);
#endif
    free(beside);
}

/* Looks at each file that is to be written, makes the folders it stands in, and claims it: all that
 * can be refused is refused before anything is written. */
static void claim_targets(const options *o)
{
    named paths[FLAGS + 3];
    size_t count;
    for (size_t i = 0; i < FLAGS; i++) {
        const flag *f = &flags[i];
        const char *path;
        int there;
        if (!(f->commands & o->command) || f->kind != TARGET) continue;
        path = *(const char *const *)((const char *)o + f->at);
        if (!path) continue;
        if (f->lo > 0 && is_stdout(path)) {
            screen.out = stderr;
            continue;
        }
        if (strcmp(path, "-") == 0) die(MISUSED, "%s - is not a file; name one", f->name);
        if (ends_with(f->word, ".png") && !ends_with(path, ".png"))
            die(MISUSED, "%s %s: pictures are PNG files; end the name in .png", f->name, path);
        there = kind_of(path);
        if (there == FOLDER || ends_with(path, "/"))
            die(MISUSED, "%s %s is a folder, not a file", f->name, path);
        if (there == SPECIAL && !(f->lo > 0))
            die(MISUSED, "%s %s is a device; name a file", f->name, path);
        if (ends_with(path, ".vae-lock"))
            die(MISUSED, "%s %s has a name for lock files; choose another", f->name, path);
        if (there == NOTHING) make_folders(path);
    }
    count = list_paths(o, paths);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; paths[i].written && k < count; k++)
            if (k != i && !(paths[k].written && k < i)) check_pair(&paths[i], &paths[k]);
    catch_signals();
    for (size_t i = 0; i < count; i++) {
        if (!paths[i].written) continue;
        if (is_folder(paths[i].path)) /* made above */
            die(MISUSED, "%s %s is the folder of another file", paths[i].what, paths[i].path);
        claim_target(paths[i].what, paths[i].path);
    }
}

/* ---- training: settings ----------------------------------------------------------------- */

/* Turns what is typed in epochs, and what is one flag here but two fields there, into vae_desc. */
static void settle(options *o, double steps_per_epoch)
{
    vae_desc *d = &o->desc;
    const char *list = o->stages, *corrupt = o->corrupt;
    char stage[60], number[60], word[40];
    d->objective = o->objective < VAE_OBJECTIVE_COUNT ? (vae_objective)o->objective
                                                      : VAE_OBJECTIVE_ELBO;
    d->beta = o->beta;
    d->no_kl = !(o->beta > 0) || o->objective == OBJECTIVE_AE || o->objective == OBJECTIVE_RECON;
    d->no_recon = o->objective == OBJECTIVE_KL;
    if (o->objective == OBJECTIVE_AE) d->no_noise = 1;
    if (!(d->beta1 > 0)) d->beta1 = 1e-30; /* 0 would be the default there */
    if (!(d->beta2 > 0)) d->beta2 = 1e-30;
    d->warmup_steps = (uint64_t)(o->warmup * steps_per_epoch + 0.5);
    d->cycle_steps = (uint64_t)(o->cycle * steps_per_epoch + 0.5);
    if (o->cycle > 0 && (!d->warmup_steps || !d->cycle_steps))
        die(MISUSED, "--cycle begins the warm-up anew: it needs --warmup, and a step at least");
    if (next_piece(&corrupt, ':', word, sizeof word)) {
        int found = vae_choice_find(VAE_CHOICE_CORRUPT, word);
        double strength = 0;
        int good = found >= 0 && (!corrupt || (read_real(corrupt, &strength) && strength > 0));
        if (corrupt && found == VAE_CORRUPT_NONE) good = 0;
        if (strength > (found == VAE_CORRUPT_GAUSSIAN ? 1e6 : 1)) good = 0;
        if (!good)
            die(MISUSED, "--corrupt: '%s' is none of none, gaussian:DEVIATION, mask:PART, "
                "salt_pepper:PART; a part is above 0 and at most 1", o->corrupt);
        d->corrupt = (vae_corrupt)found, d->corruption = strength;
    }
    d->lr_steps = 0;
    if (d->schedule == VAE_SCHEDULE_COSINE)
        d->lr_steps = (uint64_t)(d->epochs * steps_per_epoch + 0.5);
    for (d->stage_count = 0; next_piece(&list, ',', stage, sizeof stage); d->stage_count++) {
        const char *parts = stage;
        double value[2] = {0, 0}, most[2] = {1e6, 1e9};
        int good = d->stage_count < VAE_MAX_STAGES;
        for (int i = 0; i < 2 && good; i++)
            good = next_piece(&parts, ':', number, sizeof number) && read_real(number, &value[i])
                && value[i] > 0 && value[i] <= most[i];
        if (!good || parts)
            die(MISUSED, "--stages: '%s' is not one of at most %d stages EPOCHS:RATE", stage,
                VAE_MAX_STAGES);
        d->stages[d->stage_count].steps = (uint64_t)(value[0] * steps_per_epoch + 0.5);
        if (d->stages[d->stage_count].steps == 0) d->stages[d->stage_count].steps = 1;
        d->stages[d->stage_count].lr = value[1];
    }
}

/* The word of --objective that says what these settings are. */
static int objective_of(const vae_desc *d)
{
    if (d->no_recon) return OBJECTIVE_KL;
    if (d->objective != VAE_OBJECTIVE_ELBO || !d->no_kl) return (int)d->objective;
    return d->no_noise ? OBJECTIVE_AE : OBJECTIVE_RECON;
}

/* The other way round; the strings live as long as the model and `o`. */
static void unsettle(options *o, const vae *model, double steps_per_epoch)
{
    size_t used = 0;
    memset(o, 0, sizeof *o);
    vae_get_desc(model, &o->desc);
    o->objective = objective_of(&o->desc);
    o->beta = o->desc.no_kl ? 0 : o->desc.beta;
    o->warmup = (double)o->desc.warmup_steps / steps_per_epoch;
    o->cycle = (double)o->desc.cycle_steps / steps_per_epoch;
    o->corrupt = o->corrupt_text;
    used = (size_t)snprintf(o->corrupt_text, sizeof o->corrupt_text, "%s",
                            vae_choice_name(VAE_CHOICE_CORRUPT, (int)o->desc.corrupt));
    if (o->desc.corrupt) {
        o->corrupt_text[used++] = ':';
        real_text(o->corrupt_text + used, sizeof o->corrupt_text - used, o->desc.corruption);
    }
    used = 0;
    if (o->desc.stage_count) o->stages = o->stages_text;
    for (int i = 0; i < o->desc.stage_count; i++) {
        char rate[32];
        real_text(rate, sizeof rate, o->desc.stages[i].lr);
        used += (size_t)snprintf(o->stages_text + used, sizeof o->stages_text - used,
                                 "%s%.9g:%s", i ? "," : "",
                                 (double)o->desc.stages[i].steps / steps_per_epoch, rate);
    }
}

/* Flags that say together what is minimised: where one of those typed would have no effect beside
 * another, says so. The objective's own word stands for the flags that it implies. */
static void check_objective(const options *o)
{
    const int objective = o->objective, bound = objective == VAE_OBJECTIVE_IWAE
                                             || objective == VAE_OBJECTIVE_DREG;
    const int no_kl = objective == OBJECTIVE_AE || objective == OBJECTIVE_RECON;
    const char *words = find_flag(TRAIN, "--objective")->word;
    const struct { const char *name; int acts; } of_kl[] = {
        {"--warmup", o->warmup > 0}, {"--cycle", o->cycle > 0},
        {"--free-bits", o->desc.free_bits > 0}};
    char word[20] = "";
    for (int i = 0; i <= objective; i++) next_piece(&words, '|', word, sizeof word);
    if (no_kl && given(o, "--beta") && o->beta > 0)
        die(MISUSED, "--objective %s leaves the KL out; --beta %g contradicts it", word, o->beta);
    for (int i = 0; i < 3; i++)
        if (of_kl[i].acts && (no_kl || !(o->beta > 0)))
            die(MISUSED, "%s is about the KL, which %s%s leaves out", of_kl[i].name,
                no_kl ? "--objective " : "--beta 0", no_kl ? word : "");
    if ((bound || objective == OBJECTIVE_KL) && !(o->beta > 0))
        die(MISUSED, "--objective %s needs the KL; --beta 0 contradicts it", word);
    if (bound && o->desc.free_bits > 0)
        die(MISUSED, "--free-bits does not go together with --objective %s", word);
    if (bound && o->desc.no_noise)
        die(MISUSED, "--objective %s weighs draws of z; --noise off contradicts it", word);
    if (objective == OBJECTIVE_AE && given(o, "--noise") && !o->desc.no_noise)
        die(MISUSED, "--objective ae decodes mu itself; --noise on contradicts it");
    if (objective == OBJECTIVE_RECON && o->desc.no_noise)
        die(MISUSED, "--objective recon keeps the noise; without it say --objective ae");
}

/* Other spellings of one setting become one of them; two at once are refused. */
static void check_spellings(options *o)
{
    if (given(o, "--k") && given(o, "--samples"))
        die(MISUSED, "--k and --samples are one setting; give one of them");
    if (given(o, "--k")) o->given[find_flag(TRAIN, "--samples") - flags] = 1;
    if (o->desc.schedule == (vae_schedule)SCHEDULE_IWAE) {
        if (o->stages) die(MISUSED, "--schedule iwae has stages of its own; leave --stages out");
        o->stages = iwae_stages;
        o->desc.schedule = VAE_SCHEDULE_STAGES;
        o->given[find_flag(TRAIN, "--stages") - flags] = 1;
    }
    if (o->stages && given(o, "--schedule") && o->desc.schedule != VAE_SCHEDULE_STAGES)
        die(MISUSED, "--stages belongs to --schedule stages");
    if (given(o, "--plateau") && o->stages)
        die(MISUSED, "--stages and --plateau are two schedules; give one of them");
    if (given(o, "--plateau") && given(o, "--schedule")
        && o->desc.schedule != VAE_SCHEDULE_PLATEAU)
        die(MISUSED, "--plateau belongs to --schedule plateau");
    if (given(o, "--lr-factor") && !o->resume && !given(o, "--plateau")
        && o->desc.schedule != VAE_SCHEDULE_PLATEAU)
        die(MISUSED, "--lr-factor belongs to --schedule plateau");
    if (o->stages || given(o, "--plateau")) {
        o->desc.schedule = o->stages ? VAE_SCHEDULE_STAGES : VAE_SCHEDULE_PLATEAU;
        o->given[find_flag(TRAIN, "--schedule") - flags] = 1;
    }
    if (o->stages && given(o, "--lr"))
        die(MISUSED, "--lr has no effect beside stages, each of which has its rate");
}

/* With --resume the file decides: dies if a flag on the command line says something else. What was
 * typed goes through a model of its own, so that both sides are in the library's spelling. */
static void check_resumed(const options *typed, const vae *model, double steps_per_epoch)
{
    options file, merged, wanted;
    vae_report report;
    vae *other;
    unsettle(&file, model, steps_per_epoch);
    merged = file;
    for (size_t i = 0; i < FLAGS; i++) {
        const flag *f = &flags[i];
        size_t size = f->kind == TEXT ? sizeof(char *) : f->kind == WHOLE ? sizeof(uint64_t)
                    : f->kind == REAL ? sizeof(double) : sizeof(int);
        if (f->commands & SETTING && typed->given[i])
            memcpy((char *)&merged + f->at, (const char *)typed + f->at, size);
    }
    if (!given(typed, "--objective")) { /* its word is made of the others: see objective_of */
        if (file.objective == OBJECTIVE_AE || file.objective == OBJECTIVE_RECON)
            merged.objective = VAE_OBJECTIVE_ELBO;
    } else { /* and the others are as if it had been typed in the first place */
        if (!given(typed, "--beta") && !(file.beta > 0)) merged.beta = 1;
        if (!given(typed, "--noise")) merged.desc.no_noise = 0;
    }
    if (given(typed, "--objective") && merged.objective != file.objective)
        merged.desc.free_bits = 0; /* the contradiction is told below, not by vae_create */
    settle(&merged, steps_per_epoch);
    merged.desc.inference = 1, merged.desc.threads = 1;
    if (vae_create(&merged.desc, &other, &report) != VAE_OK) die(FAILED, "%s", report.text);
    unsettle(&wanted, other, steps_per_epoch);
    for (size_t i = 0; i < FLAGS; i++) {
        char *in_file, *on_line;
        if (!(flags[i].commands & SETTING) || !typed->given[i]) continue;
        in_file = value_text(&file, &flags[i]);
        on_line = value_text(&wanted, &flags[i]);
        if (strcmp(in_file, on_line) != 0)
            die(MISUSED, "%s %s contradicts %s, which was made with '%s'; leave the flag out, or "
                "start anew without --resume", flags[i].name, on_line, typed->model, in_file);
        free(in_file);
        free(on_line);
    }
    vae_destroy(other);
    if (given(typed, "--epochs") && file.desc.schedule == VAE_SCHEDULE_COSINE
        && typed->desc.epochs > file.desc.epochs)
        die(MISUSED, "--epochs %d: the cosine schedule of %s has come down to 0 after %d",
            typed->desc.epochs, typed->model, file.desc.epochs);
}

/* Whether a setting has an effect beside the others. */
static int acts(const options *o, const flag *f)
{
    const vae_desc *d = &o->desc;
    const int no_kl = o->objective == OBJECTIVE_AE || o->objective == OBJECTIVE_RECON;
    const int stages = d->schedule == VAE_SCHEDULE_STAGES;
    const int adam = d->optimizer != VAE_OPTIMIZER_SGD;
    if (f->at == AT(desc.variance)) return d->likelihood == VAE_LIKELIHOOD_GAUSSIAN
                                        || d->likelihood == VAE_LIKELIHOOD_GAUSSIAN_LEARNED
                                        || d->likelihood == VAE_LIKELIHOOD_LOGISTIC;
    if (f->at == AT(desc.categories)) return d->likelihood == VAE_LIKELIHOOD_CATEGORICAL;
    if (f->at == AT(beta)) return !no_kl;
    if (f->at == AT(warmup) || f->at == AT(desc.free_bits)) return !d->no_kl;
    if (f->at == AT(cycle)) return d->warmup_steps > 0;
    if (f->at == AT(desc.no_noise)) return o->objective != OBJECTIVE_AE;
    if (f->at == AT(desc.samples)) return !d->no_noise;
    if (f->at == AT(desc.lr)) return !stages;
    if (f->at == AT(stages)) return stages;
    if (f->at == AT(desc.plateau_epochs) || f->at == AT(desc.lr_factor))
        return d->schedule == VAE_SCHEDULE_PLATEAU;
    if (f->at == AT(desc.momentum)) return !adam;
    if (f->at == AT(desc.beta1) || f->at == AT(desc.beta2) || f->at == AT(desc.adam_eps))
        return adam;
    return 1;
}

/* The flag for one number, or the IDX file's shape, as the library wants it. */
static void shape_text(const vae_data *data, char *out, size_t size)
{
    if (data->rank > 4)
        die(FAILED, "images with %d dimensions need --input HxWxC", data->rank - 1);
    if (data->rank == 2) snprintf(out, size, "%zu", data->dims[1]);
    else snprintf(out, size, "%zux%zux%zu", data->dims[1], data->dims[2],
                  data->rank == 4 ? data->dims[3] : 1);
}

/* ---- training: the run ------------------------------------------------------------------ */

typedef struct run {
    const options *o;
    vae_stats train, test;      /* of the last epoch; test: of what is held out, if anything is */
    vae_stats end;              /* of the test images at the end, where others are held out */
    int has_train, has_test, has_end;
    int held;                   /* 1: images are held out */
    int shows;                  /* SHOWS_...: figures beside -ELBO, recon and KL */
    uint64_t images;            /* trained on by this program, not by the one before --resume */
    uint64_t epochs;            /* finished by it */
    double begun, mark;         /* when it began; when the library last went back to work */
    double busy;                /* seconds in steps of training: no tests, no files */
    double epoch_busy;
    uint64_t epoch_images;
    double drawn;               /* when the live line was */
    int testing;                /* 1: the steps of an epoch are done, its test is next */
    text log;                   /* all of --log */
    double log_seconds;         /* in steps, before this program began */
    double rate;                /* learning rate of the last step */
    uint64_t saved_step;        /* of the file; UINT64_MAX: none written yet */
    vae_report trouble;         /* of a checkpoint that could not be written */
} run;

static void duration_text(char *out, size_t size, double seconds)
{
    unsigned long s = seconds < 1e9 ? (unsigned long)seconds : 1000000000ul;
    if (s < 60) snprintf(out, size, seconds < 10 ? "%.1f s" : "%.0f s", seconds);
    else if (s < 3600) snprintf(out, size, "%lu:%02lu min", s / 60, s % 60);
    else snprintf(out, size, "%lu:%02lu h", s / 3600, s / 60 % 60);
}

enum { SHOWS_BOUND = 1, SHOWS_LOSS = 2 };

/* Which figures tell more than -ELBO: the bound that is maximised, and the loss where it is neither
 * of the two. */
static int shows(const vae_desc *d)
{
    const int bound = d->objective != VAE_OBJECTIVE_ELBO;
    const int other = d->sparse > 0 || d->contract > 0 || d->no_kl || d->no_recon
                      || d->free_bits > 0 || d->warmup_steps || d->beta < 1 || d->beta > 1;
    return (bound ? SHOWS_BOUND : 0) | (other ? SHOWS_LOSS : 0);
}

/* "-ELBO 103.21  recon 81.00  KL 22.21" and what else is to be shown. */
static void stats_text(char *out, size_t size, const vae_stats *s, int what, int digits)
{
    char bound[60] = "", loss[60] = "";
    if (what & SHOWS_BOUND) snprintf(bound, sizeof bound, "  -bound %.*f", digits, -s->bound);
    if (what & SHOWS_LOSS) snprintf(loss, sizeof loss, "  loss %.*f", digits, s->loss);
    snprintf(out, size, "-ELBO %.*f  recon %.*f  KL %.*f%s%s", digits, -s->elbo, digits, s->recon,
             digits, s->kl, bound, loss);
}

static void draw_progress(const run *r, const vae_progress *p)
{
    char all[160], figures[240], line[600], bar[33], left[32];
    double rest = (double)p->total * (double)(p->epochs - p->epoch) - (double)p->images;
    double extra = r->epochs ? (now() - r->begun - r->busy) / (double)r->epochs : 0;
    size_t room, length, full;
    duration_text(left, sizeof left, r->busy / (double)r->images * rest
                                     + extra * (double)(p->epochs - p->epoch));
    stats_text(all, sizeof all, &p->train, r->shows, 1);
    snprintf(figures, sizeof figures, " %s  %.0f images/s  %s left", all,
             per_second(r->epoch_images, r->epoch_busy), left);
    length = (size_t)snprintf(line, sizeof line, "epoch %llu/%llu ",
                              (ull)p->epoch + 1, (ull)p->epochs);
    full = length + strlen(figures) + 3;
    room = screen_width() > full ? screen_width() - full : 0;
    if (room > 30) room = 30;
    full = (size_t)((double)room * (double)p->images / (double)p->total);
    memset(bar, '#', full);
    memset(bar + full, '.', room - full);
    bar[room] = '\0';
    snprintf(line + length, sizeof line - length, room < 4 ? "%.0s%s" : "[%s]%s", bar, figures);
    screen_line(line, 0);
}

static void draw_epoch(const run *r, const vae_progress *p)
{
    char line[700], all[200], test[80] = "", loss[60] = "", took[32];
    int wide = snprintf(line, sizeof line, "%llu", (ull)p->epochs);
    if (p->has_test)
        snprintf(test, sizeof test, "  %s -ELBO %.2f", r->held ? "held-out" : "test",
                 -p->test.elbo);
    if (p->has_test && r->shows & SHOWS_LOSS)
        snprintf(loss, sizeof loss, " loss %.2f", p->test.loss);
    duration_text(took, sizeof took, r->epoch_busy);
    stats_text(all, sizeof all, &p->train, r->shows, 2);
    wide = snprintf(line, sizeof line, "epoch %*llu/%llu  %s%s%s", wide, (ull)p->epoch + 1,
                    (ull)p->epochs, all, test, loss);
    if (r->epoch_images) /* none: the run before had done all of its steps */
        snprintf(line + wide, sizeof line - (size_t)wide, "  %.0f images/s  %s",
                 per_second(r->epoch_images, r->epoch_busy), took);
    screen_line(line, 1);
}

static int save_model(run *r, vae *model, int flags_of_save)
{
    vae_info at;
    vae_get_info(model, &at);
    if (vae_claim_save_model(claim_of(r->o->model), model, flags_of_save) != VAE_OK) {
        r->trouble = *vae_last_report(model);
        return 0;
    }
    r->saved_step = at.step;
    return 1;
}

/* ---- training: the log ------------------------------------------------------------------ */

static const char log_head[] = "epoch,step,seconds,lr,train_neg_elbo,train_recon,train_kl,"
                               "train_loss,train_bound,test_neg_elbo,test_recon,test_kl,test_loss,"
                               "best_epoch\n";
enum { LOG_COLUMNS = 14 };

/* Reads one row: its epoch and seconds. 0 if it is none. */
static int log_row(const char *line, size_t size, uint64_t *epoch, double *seconds)
{
    char copy[400], field[40];
    const char *rest = copy;
    int columns = 0, good = size < sizeof copy;
    if (!good) return 0;
    memcpy(copy, line, size);
    copy[size] = '\0';
    for (; next_piece(&rest, ',', field, sizeof field); columns++) {
        if (columns == 0) good = good && read_whole(field, epoch);
        if (columns == 2) good = good && read_real(field, seconds);
    }
    return good && columns == LOG_COLUMNS;
}

/* The bytes of the file of --log, nothing if it is not there; not ours to replace if it is
 * something else. */
static text read_log(const char *path)
{
    text all = {NULL, 0, 0};
    char error[IMAGES_ERROR];
    if (kind_of(path) == NOTHING) return all;
    all.at = (char *)images_read(path, &all.count, error);
    if (!all.at) die(FAILED, "--log %s", error);
    all.room = all.count;
    if (all.count && (all.count < 11 || memcmp(all.at, log_head, 11) != 0))
        die(FAILED, "%s is not a log of vae train; it would be overwritten", path);
    return all;
}

static int save_log(run *r)
{
    return vae_claim_save(claim_of(r->o->log), r->log.at, r->log.count, &r->trouble) == VAE_OK;
}

/* Begins the log. On --resume `old`, the bytes that were there, are kept up to the model's epoch;
 * later rows, of which a checkpoint was never written, are dropped. Frees them. */
static void begin_log(run *r, text *old, uint64_t epochs, int resumed)
{
    const char *path = r->o->log;
    const size_t head = sizeof log_head - 1;
    uint64_t epoch = 0;
    size_t at = resumed ? head : old->count;
    text_print(&r->log, "%s", log_head);
    if (resumed && old->count && (old->count < head || memcmp(old->at, log_head, head) != 0))
        die(FAILED, "%s has other columns than this log of vae train; name another file", path);
    while (at < old->count) {
        const char *line = old->at + at;
        const char *end = (const char *)memchr(line, '\n', old->count - at);
        size_t size = end ? (size_t)(end - line) : 0;
        uint64_t next = 0;
        double seconds = 0;
        if (!end) break; /* cut short by a kill */
        if (!log_row(line, size, &next, &seconds) || (epoch && next != epoch + 1))
            die(FAILED, "%s: '%.*s' is not the row that belongs behind epoch %llu", path,
                size < 60 ? (int)size : 60, line, (ull)epoch);
        if (next > epochs) break;
        epoch = next, r->log_seconds = seconds;
        memcpy(text_grow(&r->log, size + 1), line, size + 1);
        at += size + 1;
    }
    if (resumed && epoch < epochs)
        say("log          %s lacks epochs %llu to %llu, which were made without it\n\n", path,
            (ull)epoch + 1, (ull)epochs);
    free(old->at);
    if (!save_log(r)) die(FAILED, "%s", r->trouble.text);
}

/* One row, on the disk before the checkpoint of its epoch is: what a kill leaves is then a row too
 * many, never one too few. */
static int write_log(run *r, vae *model, const vae_progress *p)
{
    vae_info at;
    vae_get_info(model, &at);
    text_print(&r->log, "%llu,%llu,%.3f,%.9g,%.9g,%.9g,%.9g,%.9g,%.9g,", (ull)p->epoch + 1,
               (ull)at.step, r->log_seconds + r->busy, r->rate, -p->train.elbo,
               p->train.recon, p->train.kl, p->train.loss, p->train.bound);
    if (p->has_test)
        text_print(&r->log, "%.9g,%.9g,%.9g,%.9g,%llu\n", -p->test.elbo, p->test.recon,
                   p->test.kl, p->test.loss, (ull)at.best_epoch);
    else
        text_print(&r->log, ",,,,\n");
    return save_log(r);
}

/* ---- training: what vae_fit calls ------------------------------------------------------- */

/* The model, as the best so far. */
static int save_best(run *r, vae *model)
{
    const int how = r->o->weights_only ? VAE_SAVE_WEIGHTS_ONLY : 0;
    if (vae_claim_save_model(claim_of(r->o->best), model, how) == VAE_OK) return 1;
    r->trouble = *vae_last_report(model);
    return 0;
}

/* vae_progress_fn */
static int on_progress(vae *model, const vae_progress *p, void *user)
{
    run *r = (run *)user;
    double t = now();
    vae_info at;
    vae_get_info(model, &at);
    r->train = p->train, r->has_train = 1;
    r->testing = !p->epoch_done && p->images == p->total;
    if (!p->epoch_done) {
        uint64_t rows = p->images - (p->step - 1) * (uint64_t)r->o->desc.batch;
        r->images += rows, r->epoch_images += rows;
        r->rate = at.last_lr;
        r->busy += t - r->mark, r->epoch_busy += t - r->mark;
        if (screen.terminal && !screen.quiet && t - r->drawn > 0.1) {
            draw_progress(r, p);
            r->drawn = t;
        }
    } else {
        r->epochs++;
        if (p->has_test) r->test = p->test, r->has_test = 1;
        draw_epoch(r, p);
        r->epoch_images = 0, r->epoch_busy = 0;
        if (r->o->log && !write_log(r, model, p)) return 1;
        if (r->o->best && at.best_epoch == p->epoch + 1 && !save_best(r, model)) return 1;
        if (r->o->model && (p->epoch + 1) % (uint64_t)r->o->checkpoint_every == 0
            && !save_model(r, model, 0)) return 1;
    }
    r->mark = now();
    return interrupted != 0;
}

static void print_network(const vae_desc *d)
{
    say("network      %s > %s%s%d latents > %s%s%s, %s\n", d->input, d->encoder,
        d->encoder[0] ? " > " : "", d->latent, d->decoder, d->decoder[0] ? " > " : "", d->input,
        vae_choice_name(VAE_CHOICE_LIKELIHOOD, (int)d->likelihood));
}

/* The settings of the objective that are not the default's, as they would be typed. */
static void print_objective(const vae *model, double steps_per_epoch)
{
    options set;
    int within = 0, any = 0;
    unsettle(&set, model, steps_per_epoch);
    for (size_t i = 0; i < FLAGS; i++) {
        const flag *f = &flags[i];
        char *value;
        if (f->commands & TRAIN && !f->name) within = strncmp(f->help, "Objective", 9) == 0;
        if (!within || !(f->commands & SETTING) || !acts(&set, f)) continue;
        value = value_text(&set, f);
        if (strcmp(value, f->standard) != 0)
            say("%s %s %s", any++ ? "" : "objective   ", f->name, value);
        free(value);
    }
    if (any) say("\n");
}

static void print_heads(int what)
{
    say("\n                  -ELBO      recon         KL%s%s   nats per image\n",
        what & SHOWS_BOUND ? "     -bound" : "", what & SHOWS_LOSS ? "       loss" : "");
}

/* Testing has no bound: a draw for each image. */
static void print_stats(const char *name, const vae_stats *s, int what, int has_bound)
{
    say("%-12s %10.3f %10.3f %10.3f", name, -s->elbo, s->recon, s->kl);
    if (what & SHOWS_BOUND && has_bound) say(" %10.3f", -s->bound);
    else if (what & SHOWS_LOSS && what & SHOWS_BOUND) say(" %10s", "");
    if (what & SHOWS_LOSS) say(" %10.3f", s->loss);
    say("\n");
}

static void print_result(const run *r, vae *model, double seconds)
{
    char took[32];
    vae_info at;
    vae_desc d;
    vae_get_info(model, &at);
    duration_text(took, sizeof took, seconds);
    if (r->o->desc.patience && at.epoch < (uint64_t)r->o->desc.epochs)
        say("\nended after epoch %llu: since epoch %llu no test loss was lower (--patience %d)\n",
            (ull)at.epoch, (ull)at.best_epoch, r->o->desc.patience);
    print_heads(r->shows);
    if (r->has_train) print_stats("train", &r->train, r->shows, 1);
    if (r->held && r->has_test) print_stats("held-out", &r->test, r->shows, 0);
    if (r->held ? r->has_end : r->has_test)
        print_stats("test", r->held ? &r->end : &r->test, r->shows, 0);
    else say("test         no test set\n");
    if (r->o->best && at.best_epoch)
        say("\nbest         epoch %llu, %s loss %.3f, in %s\n", (ull)at.best_epoch,
            r->held ? "held-out" : "test", at.best, r->o->best);
    say("\nparameters   %zu\nparams_hash  %016llx\n", at.parameters,
        (ull)vae_params_hash(model));
    if (r->images)
        say("time         %s, %.0f images/s\n", took, per_second(r->images, r->busy));
    vae_get_desc(model, &d);
    say("isa          %s, %d thread%s\nfile         %s\n", isa_name(at.isa), d.threads,
        d.threads > 1 ? "s" : "",
        r->o->model ? r->o->model : "none: without --model nothing is kept");
}

/* For how many images of a set, or of its beginning, the log variance of each latent is at its
 * limit: counts (latent). Returns how many images these were. */
static size_t count_clamped(vae *model, const vae_data *data, uint64_t *counts)
{
    vae_data some = *data;
    if (some.count > 10000) some.count = some.dims[0] = 10000;
    check(model, vae_units_clamped(model, &some, counts));
    return some.count;
}

static void print_clamped(const uint64_t *counts, size_t latent, size_t images)
{
    size_t shown = 0, all = 0;
    for (size_t j = 0; j < latent; j++) {
        if (!counts[j] || ++all > 20) continue;
        say("%s %zu", shown++ ? "," : "at limit     log variance without a gradient: latent", j);
        if (counts[j] < images) say(" (%llu of %zu images)", (ull)counts[j], images);
    }
    if (all > shown) say(" and %zu more", all - shown);
    if (all) say("\n");
}

/* A few samples with half blocks; of one class after another where there are classes. */
static void print_samples(vae *model)
{
    vae_desc d;
    vae_info at;
    size_t columns, count;
    int32_t classes[8];
    float *x;
    vae_batch b = {0};
    vae_get_desc(model, &d);
    vae_get_info(model, &at);
    columns = (screen_width() - 1) / (at.width + 1);
    if (columns > 8) columns = 8;
    if (screen.quiet || !screen.colour || at.channels != 1 || at.height < 2 || !columns) return;
    count = columns < 4 ? 2 * columns : columns;
    x = floats(count, at.input_dim);
    for (size_t i = 0; i < count && at.classes; i++) classes[i] = (int32_t)i % at.classes;
    b.rows = b.label_count = count, b.labels = classes;
    if (vae_sample_prior(model, &b, d.seed, x) == VAE_OK) {
        say("\n");
        picture_print(screen.out, x, (int)count, (int)at.height, (int)at.width, (int)columns);
    }
    free(x);
}

static double steps_per_epoch(const dataset *d, int batch)
{
    return (double)((d->images.count + (size_t)batch - 1) / (size_t)batch);
}

/* As many as asked for, exactly; or, below 0, at most one for each processor that this process may
 * use: as many as the system grants. */
static int threads_of(const options *o)
{
    long n = 1;
#if defined(__linux__)
    cpu_set_t may;
    if (sched_getaffinity(0, sizeof may, &may) == 0) n = CPU_COUNT(&may);
#elif defined(HAVE_POSIX)
    n = sysconf(_SC_NPROCESSORS_ONLN);
#elif defined(_WIN32)
    n = (long)GetActiveProcessorCount(0xffff);
#endif
#if defined(VAE_NO_THREADS) || !(defined(__GNUC__) || defined(__clang__)) || defined(__TINYC__)
    n = 1; /* a build without threads */
#endif
    if (o->desc.threads) return o->desc.threads;
    return n < 1 ? -1 : n > 16 ? -16 : (int)-n;
}

static int has_label(const char *layers) { return strstr(layers, "label") != NULL; }

/* The layers with one of `classes` labels before them, which is beside the pixels unless what
 * follows is dense; an empty list is only the head, dense too. */
static char *with_label(const char *layers, int classes, int encoder)
{
    const char *first = layers + strspn(layers, " \t\n");
    const int dense = !*first || strncmp(first, "dense", 5) == 0;
    char label[60];
    snprintf(label, sizeof label, "%slabel %d%s", encoder && dense ? "flatten, " : "", classes,
             *first ? ", " : "");
    return joined(label, first, "");
}

/* The classes of all images, and layers that take them where the command line has none. `known` is
 * how many the file's networks know, 0 without a file. */
static void begin_labels(options *o, dataset *images, dataset *test, int known)
{
    int classes;
    find_labels(images, "--labels", o->labels ? o->labels : "auto");
    if (test->name) find_labels(test, "--test-labels", o->test_labels);
    classes = known ? known : most_label(images) + 1;
    if (has_label(o->desc.encoder) || has_label(o->desc.decoder)) return;
    check_labels(images, classes);
    if (test->name) check_labels(test, classes);
    o->desc.encoder = keep(o, with_label(o->desc.encoder, classes, 1));
    o->desc.decoder = keep(o, with_label(o->desc.decoder, classes, 0));
}

/* With --resume: schedules in epochs, and test losses to be compared with, are those of the images
 * that the file has seen. Whether their number was another is asked of the steps of an epoch. */
static void check_same_images(const options *o, const vae_desc *d, const vae_info *at,
                              const dataset *images)
{
    const uint64_t steps = (uint64_t)steps_per_epoch(images, d->batch);
    const int matters = d->schedule != VAE_SCHEDULE_CONSTANT || d->patience || d->cycle_steps
                        || at->step < d->warmup_steps || o->best;
    if (matters && (at->step < at->epoch * steps || at->step > (at->epoch + 1) * steps)
        && at->epoch < (uint64_t)d->epochs)
        die(MISUSED, "%s has done %llu steps in %llu epochs, but %zu images make %llu steps of an "
            "epoch: its schedule and test losses belong to another number of training images",
            o->model, (ull)at->step, (ull)at->epoch, images->images.count, (ull)steps);
}

/* A model file as --max-memory allows it. */
static void load_file(const options *o, const char *path, vae_load_options *how, vae **model)
{
    vae_report report;
    how->max_memory = o->max_memory < SIZE_MAX ? (size_t)o->max_memory : SIZE_MAX;
    if (vae_load(path, how, model, &report) != VAE_OK)
        die(FAILED, "%s%s", report.text,
            report.status == VAE_ERR_SIZE ? "; --max-memory N allows more" : "");
}

/* The file of --model if --resume says so and it is there, or a new model. Afterwards o->desc is
 * what the model says of itself, and images, test and held have labels where it asks for some. */
static vae *begin_model(options *o, dataset *images, dataset *test, dataset *held)
{
    char shape[80], rates[80];
    const int there = o->model && kind_of(o->model) != NOTHING, resumed = o->resume && there;
    vae_load_options how;
    vae_desc known;
    vae_report report;
    vae_info at;
    vae *model = NULL;
    memset(&at, 0, sizeof at);
    if (resumed) {
        memset(&how, 0, sizeof how);
        how.isa = o->desc.isa, how.threads = threads_of(o);
        load_file(o, o->model, &how, &model);
        vae_get_info(model, &at);
        if (o->labels && !at.classes)
            die(MISUSED, "--labels: %s was made without classes; start anew without --resume",
                o->model);
        if (at.classes) begin_labels(o, images, test, at.classes);
    } else if (o->labels || has_label(o->desc.encoder) || has_label(o->desc.decoder)) {
        begin_labels(o, images, test, 0);
    }
    if (given(o, "--test-labels") && !test->labels)
        die(MISUSED, "--test-labels goes with --labels, and with test images");
    known = o->desc;
    if (resumed) vae_get_desc(model, &known);
    check_values(images, &known, 0); /* before some are held out: they are counted in the file */
    if (test->name) check_values(test, &known, 0);
    if (o->validate) hold_out(images, (size_t)o->validate, held);
    if (resumed) {
        vae_desc d;
        vae_get_desc(model, &d);
        check_resumed(o, model, steps_per_epoch(images, d.batch));
        if (given(o, "--epochs") && vae_set_epochs(model, o->desc.epochs) != VAE_OK)
            die(FAILED, "%s", vae_last_report(model)->text);
        vae_get_desc(model, &d);
        check_same_images(o, &d, &at, images);
    } else {
        if (!o->desc.input) {
            check_axes(images);
            shape_text(&images->images, shape, sizeof shape);
            o->desc.input = shape;
        }
        if (o->desc.schedule == VAE_SCHEDULE_STAGES && !o->stages)
            die(MISUSED, "--schedule stages needs --stages EPOCHS:RATE,...");
        settle(o, steps_per_epoch(images, o->desc.batch));
        o->desc.threads = threads_of(o);
        if (vae_create(&o->desc, &model, &report) != VAE_OK) die(FAILED, "%s", report.text);
    }
    vae_get_desc(model, &o->desc);
    vae_get_info(model, &at);
    check_images(images, model, resumed ? o->model : "--input");
    if (test->name) check_images(test, model, resumed ? o->model : "the training set");
    if (!test->name && !held->name
        && (o->desc.patience || o->desc.schedule == VAE_SCHEDULE_PLATEAU || o->best))
        die(MISUSED, "%s looks at test losses: it needs --validate N or test images",
            o->best ? "--best" : o->desc.patience ? "--patience" : "--schedule plateau");

    print_network(&o->desc);
    say("data         %s, %zu images", images->name, images->images.count);
    if (test->name) say("; %s, %zu images\n", test->name, test->images.count);
    else say("; no test set\n");
    if (held->name) say("held out     the last %zu of %s\n", held->images.count, images->name);
    print_objective(model, steps_per_epoch(images, o->desc.batch));
    if (o->desc.schedule == VAE_SCHEDULE_STAGES)
        snprintf(rates, sizeof rates, "%g to %g in %d stages", o->desc.stages[0].lr,
                 o->desc.stages[o->desc.stage_count - 1].lr, o->desc.stage_count);
    else
        snprintf(rates, sizeof rates, "%g%s%s", o->desc.lr, o->desc.schedule ? ", " : "",
                 o->desc.schedule ? vae_choice_name(VAE_CHOICE_SCHEDULE, (int)o->desc.schedule)
                                  : "");
    say("training     %s, lr %s, batch %d, %d epoch%s of %.0f steps, seed %llu\n",
        vae_choice_name(VAE_CHOICE_OPTIMIZER, (int)o->desc.optimizer), rates, o->desc.batch,
        o->desc.epochs, o->desc.epochs > 1 ? "s" : "", steps_per_epoch(images, o->desc.batch),
        (ull)o->desc.seed);
    say("parameters   %zu, %.1f MB of memory, %s, %d thread%s\n", at.parameters,
        (double)at.memory / 1e6, isa_name(at.isa), o->desc.threads,
        o->desc.threads > 1 ? "s" : "");
    if (resumed && at.epoch >= (uint64_t)o->desc.epochs)
        say("model        %s has %llu epochs already; --epochs N goes on\n", o->model,
            (ull)at.epoch);
    else if (resumed)
        say("model        goes on from %s, epoch %llu, step %llu%s\n", o->model, (ull)at.epoch,
            (ull)at.step, at.weights_only ? ", with a fresh optimiser: it holds weights only" : "");
    else if (o->model)
        say("model        %s, %s\n", o->model, there ? "replacing the file there"
            : o->resume ? "not there yet: from the beginning" : "new");
    else
        say("model        not kept: no --model\n");
    say("\n");
    return model;
}

/* After vae_fit: keeps what is to be kept. Returns the exit status. */
static int end_fit(run *r, vae *model, vae_status status)
{
    const options *o = r->o;
    vae_info at;
    vae_get_info(model, &at);
    screen_break();
    if (r->trouble.status != VAE_OK) die(FAILED, "%s", r->trouble.text);
    if (status != VAE_OK && status != VAE_STOPPED) {
        const char *sentence = vae_last_report(model)->text;
        char kept[400] = "", lr[40] = "";
        if (o->model && r->saved_step != UINT64_MAX)
            snprintf(kept, sizeof kept, "; %s holds step %llu", o->model, (ull)r->saved_step);
        if (status != VAE_ERR_NONFINITE || !strstr(sentence, "learning rate"))
            die(FAILED, "%s: %s%s", r->testing ? "testing" : "training", sentence, kept);
        real_text(lr, sizeof lr, o->desc.lr);
        die(FAILED, "%s; try an --lr below %s%s", sentence, lr, kept);
    }
    if (o->model && (r->saved_step != at.step || (o->weights_only && status == VAE_OK))
        && !save_model(r, model, o->weights_only && status == VAE_OK ? VAE_SAVE_WEIGHTS_ONLY : 0))
        die(FAILED, "%s", r->trouble.text);
    training = 0;
    if (status == VAE_OK) return 0;
    say("stopped after step %llu; ", (ull)at.step);
    if (o->model) say("%s is saved: the same command with --resume goes on\n", o->model);
    else say("nothing is kept, for want of --model\n");
    return 128 + interrupted;
}

/* What train alone says in --json. */
static void json_train(text *t, const run *r, const vae *model)
{
    vae_info at;
    vae_get_info(model, &at);
    if (r->held) json_stats(t, "validation", r->has_test ? &r->test : NULL, 0);
    text_print(t, "  \"best_epoch\": ");
    if (at.best_epoch) text_print(t, "%llu,\n", (ull)at.best_epoch);
    else text_print(t, "null,\n");
}

/* Of a run that came to its end: the figures. */
static void report_run(run *r, vae *model, const dataset *images, const dataset *test,
                       const dataset *held)
{
    const options *o = r->o;
    const double seconds = now() - r->begun;
    if (r->held && !r->has_test) {
        check(model, vae_evaluate(model, &held->images, &r->test));
        r->has_test = 1;
    }
    if (test->name && (r->held || !r->has_test)) {
        check(model, vae_evaluate(model, &test->images, r->held ? &r->end : &r->test));
        if (r->held) r->has_end = 1;
        else r->has_test = 1;
    }
    print_result(r, model, seconds);
    if (!screen.quiet && !o->desc.no_noise) {
        uint64_t *clamped = (uint64_t *)need((size_t)o->desc.latent, sizeof *clamped);
        size_t n = count_clamped(model, r->held ? &held->images : test->name ? &test->images
                                        : &images->images, clamped);
        print_clamped(clamped, (size_t)o->desc.latent, n);
        free(clamped);
    }
    if (o->json) {
        text more = {NULL, 0, 0};
        const vae_stats *tested = r->held ? r->has_end ? &r->end : NULL
                                          : r->has_test ? &r->test : NULL;
        json_train(&more, r, model);
        save_json(o->json, "train", o->model, model, seconds,
                  r->images ? per_second(r->images, r->busy) : -1,
                  r->has_train ? &r->train : NULL, tested, &more);
    }
    print_samples(model);
}

static int train(options *o)
{
    dataset images = {0}, test = {0}, held = {0};
    text old_log = {NULL, 0, 0};
    run r;
    vae *model;
    vae_info at;
    int status;
    if (o->log) old_log = read_log(o->log);
    if (!o->model && (o->resume || o->weights_only))
        die(MISUSED, "%s needs --model", o->resume ? "--resume" : "--weights-only");
    check_spellings(o);
    check_objective(o);
    if (o->recipe_set.count > 1)
        say("recipe       %s:%s\n", recipes[o->recipe].name, o->recipe_set.at);

    if (is_one_file(o->data)) load_images(&images, o->data, o->images);
    else if (!find_images(&images, o->data, 0, o->images)) no_images(o->data, 0);
    if (given(o, "--test-images") && o->test_images == 0) test.name = NULL;
    else if (o->test && is_one_file(o->test)) load_images(&test, o->test, o->test_images);
    else if (o->test) {
        if (!find_images(&test, o->test, 1, o->test_images)
            && !find_images(&test, o->test, 0, o->test_images)) no_images(o->test, 0);
    }
    else if (!is_one_file(o->data)) find_images(&test, o->data, 1, o->test_images);
    memset(&r, 0, sizeof r);
    model = begin_model(o, &images, &test, &held);

    vae_get_info(model, &at);
    r.o = o;
    r.saved_step = o->resume && at.step ? at.step : UINT64_MAX;
    r.held = held.name != NULL;
    r.shows = shows(&o->desc);
    r.rate = at.last_lr;
    if (o->log) begin_log(&r, &old_log, at.epoch, o->resume && at.step > 0);
    r.begun = r.mark = now();
    training = 1;
    status = end_fit(&r, model, vae_fit(model, &images.images,
                                        r.held ? &held.images : test.name ? &test.images : NULL,
                                        on_progress, &r));
    if (status == 0) report_run(&r, model, &images, &test, &held);
    free(r.log.at);
    vae_destroy(model);
    drop(&held);
    drop(&images);
    drop(&test);
    return status;
}

/* ---- using a model: what the commands share --------------------------------------------- */

typedef struct use {
    vae *model;
    vae_desc desc;
    vae_info info;
    dataset data;
    vae_batch batch; /* of the next call; its labels stay until others are chosen */
} use;

/* Rows x for a call, numbered from `first`. */
static const vae_batch *rows_of(use *u, const float *x, size_t rows, size_t first)
{
    u->batch.x = x, u->batch.rows = rows, u->batch.first = (uint32_t)first;
    return &u->batch;
}

/* With buffers of `batch` rows; 0: as the library thinks best. */
static void load_model(use *u, const options *o, int batch)
{
    vae_load_options how;
    memset(&how, 0, sizeof how);
    how.inference = o->command == INFO ? 2 : 1; /* 2: to look at, without buffers */
    how.isa = o->desc.isa, how.threads = threads_of(o), how.batch = batch;
    load_file(o, o->operand, &how, &u->model);
    vae_get_desc(u->model, &u->desc);
    vae_get_info(u->model, &u->info);
}

static void open_model(use *u, const options *o)
{
    memset(u, 0, sizeof *u);
    load_model(u, o, 0);
    if (o->command & READS && given(o, "--labels") && !u->info.classes)
        die(MISUSED, "--labels: %s was made without classes", o->operand);
    if (o->command & OF_A_CLASS && given(o, "--class") && o->label >= u->info.classes) {
        if (!u->info.classes) die(MISUSED, "--class: %s was made without classes", o->operand);
        die(MISUSED, "--class %d: %s knows classes 0 to %d", o->label, o->operand,
            u->info.classes - 1);
    }
}

/* What is drawn from now on is of this class, which a conditional model must be told. */
static void draw_class(use *u, const options *o, const int32_t *label)
{
    if (!u->info.classes) return;
    if (!label)
        die(MISUSED, "%s draws one of %d classes: say which with --class 0 to %d", o->operand,
            u->info.classes, u->info.classes - 1);
    u->batch.labels = label, u->batch.label_count = 1;
}

/* The class of --class, or NULL. */
static const int32_t *class_given(const options *o, int32_t *label)
{
    *label = (int32_t)o->label;
    return given(o, "--class") ? label : NULL;
}

static void open_data(use *u, const options *o)
{
    if (is_one_file(o->data)) {
        if (o->split != SPLIT_AUTO)
            die(MISUSED, "--split chooses from a folder or a built-in set; %s is one file",
                o->data);
        load_images(&u->data, o->data, o->images);
    } else {
        int found = o->split != SPLIT_TRAIN && find_images(&u->data, o->data, 1, o->images);
        if (!found && o->split != SPLIT_TEST) found = find_images(&u->data, o->data, 0, o->images);
        if (!found) no_images(o->data, o->split == SPLIT_TEST);
    }
    check_images(&u->data, u->model, o->operand);
    check_values(&u->data, &u->desc, !(o->command & (EVAL | SCORE)));
    if (u->info.classes) {
        find_labels(&u->data, "--labels", o->labels);
        check_labels(&u->data, u->info.classes);
    }
}

static void open_both(use *u, const options *o)
{
    open_model(u, o);
    open_data(u, o);
}

static int close_use(use *u)
{
    drop(&u->data);
    vae_destroy(u->model);
    return 0;
}

/* What is computed next is of images first .. first + count - 1 of the data. */
static void condition_on(use *u, size_t first, size_t count)
{
    if (u->info.classes) u->batch.labels = u->data.labels + first, u->batch.label_count = count;
}

/* Image `index` of the data: x (input_dim); it is what is computed next. */
static void read_image(use *u, uint64_t index, float *x)
{
    if (index >= u->data.images.count)
        die(MISUSED, "there is no image %llu: %s holds %zu, counted from 0", (ull)index,
            u->data.name, u->data.images.count);
    vae_data_read(&u->data.images, (size_t)index, 1, x);
    condition_on(u, (size_t)index, 1);
}

/* Something done with images first .. first + rows - 1 of the data: x (rows, input_dim) */
typedef void batch_work(use *u, const float *x, size_t first, size_t rows, void *user);

static void each_batch(use *u, batch_work *work, void *user)
{
    const size_t most = (size_t)u->desc.batch, count = u->data.images.count;
    float *x = floats(most, u->info.input_dim);
    for (size_t first = 0; first < count; first += most) {
        size_t rows = count - first < most ? count - first : most;
        vae_data_read(&u->data.images, first, rows, x);
        condition_on(u, first, rows);
        work(u, x, first, rows, user);
    }
    free(x);
}

/* A PNG of many images side by side. */
typedef struct sheet {
    size_t count, columns, height, width, channels, zoom;
} sheet;

/* The picture of `count` images; one that is too large is refused before the work. */
static sheet plan_sheet(const use *u, const options *o, size_t count, size_t columns)
{
    sheet s = {0, 0, 0, 0, 0, 1};
    int width, height;
    s.count = count, s.columns = columns < count ? columns : count;
    s.height = u->info.height, s.width = u->info.width, s.channels = u->info.channels;
    if (s.height == 1 && s.width == 1) { /* the shape was given as one number */
        size_t side = 1;
        while (side * side < s.channels) side++;
        if (side * side == s.channels) s.height = s.width = side;
        else s.width = s.channels;
        s.channels = 1;
    }
    if (s.channels != 1 && s.channels != 3)
        die(FAILED, "images of %s have %zu channels, and a picture has 1 or 3%s", o->operand,
            s.channels, o->command == DECODE ? ": name a file in .npy" : "");
    if (o->zoom) s.zoom = (size_t)o->zoom;
    else while (s.zoom < 8
                && (s.zoom + 1) * (s.height > s.width ? s.height : s.width) <= 64) s.zoom++;
    while (!picture_grid_size((int)count, (int)s.height, (int)s.width, (int)s.channels,
                              (int)s.columns, (int)s.zoom, &width, &height)) {
        const size_t rows = (count + s.columns - 1) / s.columns;
        if (!o->zoom && s.zoom > 1) {
            s.zoom--;
            continue;
        }
        die(MISUSED, "%zu images of %zu x %zu pixels%s, %zu side by side, make a picture of %.0f x "
            "%.0f, more than the %u bytes that one may have: ask for fewer%s", count, s.height,
            s.width, o->zoom > 1 ? ", enlarged" : "", s.columns,
            (double)s.columns * ((double)s.width * (double)s.zoom + PICTURE_GAP) + PICTURE_GAP,
            (double)rows * ((double)s.height * (double)s.zoom + PICTURE_GAP) + PICTURE_GAP,
            PICTURE_MAX_BYTES, o->zoom > 1 ? ", or a smaller --zoom" : "");
    }
    return s;
}

/* images (count, input_dim), as planned */
static void save_pictures(const options *o, const float *images, const sheet *s)
{
    text t = {NULL, 0, 0};
    uint8_t *bytes;
    const char *error = picture_grid_png(images, (int)s->count, (int)s->height, (int)s->width,
                                         (int)s->channels, (int)s->columns, (int)s->zoom, &bytes,
                                         &t.count);
    if (error) die(FAILED, "%s cannot be written: %s", o->out, error);
    t.at = (char *)bytes, t.room = t.count;
    text_save(&t, o->out);
    say("wrote %s: %zu images, %zu side by side\n", o->out, s->count, s->columns);
}

/* --columns, or what makes the picture about square */
static size_t columns_for(const options *o, size_t count)
{
    size_t side = 1;
    while (side * side < count) side++;
    return o->columns ? (size_t)o->columns : side;
}

/* z (count, latent) decoded to a picture, as planned */
static void save_decoded(use *u, const options *o, const float *z, const sheet *s)
{
    float *x = floats(s->count, u->info.input_dim);
    check_on(o->in ? o->in : o->operand, 0, u->model,
             o->draw ? vae_draw(u->model, rows_of(u, z, s->count, 0), o->seed, x)
                     : vae_decode(u->model, rows_of(u, z, s->count, 0), x));
    save_pictures(o, x, s);
    free(x);
}

/* ---- the commands that draw ------------------------------------------------------------- */

static int sample(options *o)
{
    use u;
    size_t count = (size_t)o->count;
    sheet s;
    float *z;
    int32_t label;
    open_model(&u, o);
    draw_class(&u, o, class_given(o, &label));
    s = plan_sheet(&u, o, count, columns_for(o, count));
    z = floats(count, u.info.latent);
    check(u.model, vae_prior(u.model, rows_of(&u, NULL, count, 0), o->seed, z));
    save_decoded(&u, o, z, &s);
    free(z);
    return close_use(&u);
}

static int reconstruct(options *o)
{
    use u;
    size_t count = (size_t)o->count, columns, lines, dim;
    sheet s;
    float *x, *y;
    open_both(&u, o);
    dim = u.info.input_dim;
    x = floats(dim, 1);
    read_image(&u, o->first, x);
    if (count > u.data.images.count - o->first) count = u.data.images.count - (size_t)o->first;
    columns = o->columns ? (size_t)o->columns : 10;
    if (columns > count) columns = count;
    lines = (count + columns - 1) / columns;
    s = plan_sheet(&u, o, 2 * lines * columns, columns);
    y = floats(s.count, dim); /* missing images stay black */
    for (size_t i = 0; i < count; i++) {
        float *above = y + (i / columns * 2 * columns + i % columns) * dim;
        read_image(&u, o->first + i, above);
        check_on(u.data.name, (size_t)o->first + i, u.model,
                 vae_reconstruct(u.model, rows_of(&u, above, 1, 0), above + columns * dim));
    }
    save_pictures(o, y, &s);
    free(x);
    free(y);
    return close_use(&u);
}

/* z = the point at `t` in [0,1] between a and b. Along an arc the direction turns evenly and the
 * length changes evenly; where there is no arc (a length of 0, an angle of 0 or 180 degrees), the
 * path is straight. */
static void between(const float *a, const float *b, size_t n, double t, int path, float *z)
{
    double aa = 0, bb = 0, ab = 0, wa = 1 - t, wb = t, la, lb, cosine, angle, length;
    for (size_t j = 0; j < n; j++) {
        aa += (double)a[j] * (double)a[j];
        bb += (double)b[j] * (double)b[j];
        ab += (double)a[j] * (double)b[j];
    }
    la = root(aa), lb = root(bb);
    cosine = la * lb > 0 ? ab / (la * lb) : 1;
    if (path == PATH_SPHERICAL && cosine < 0.999999 && cosine > -0.999999) {
        angle = inverse(minus_cosine, -cosine, 0, 3.14159265358979323846);
        length = (1 - t) * la + t * lb;
        wa = sine((1 - t) * angle) / sine(angle) * length / la;
        wb = sine(t * angle) / sine(angle) * length / lb;
    }
    for (size_t j = 0; j < n; j++) z[j] = (float)(wa * (double)a[j] + wb * (double)b[j]);
}

static int interpolate(options *o)
{
    use u;
    size_t pairs = (size_t)o->count, steps = (size_t)o->steps, columns = steps + 2, dim, latent;
    sheet s;
    float *x, *z, *mu;
    int one = given(o, "--from");
    if (one != given(o, "--to")) die(MISUSED, "--from and --to belong together");
    open_both(&u, o);
    dim = u.info.input_dim, latent = u.info.latent;
    if (!one && u.data.images.count < 2) die(FAILED, "%s holds no two images", u.data.name);
    if (pairs > u.data.images.count / 2) pairs = u.data.images.count / 2;
    if (one) pairs = 1;
    s = plan_sheet(&u, o, pairs * columns, columns);
    x = floats(s.count, dim);
    z = floats(steps, latent);
    mu = floats(2, latent);
    for (size_t i = 0; i < pairs; i++) {
        float *line = x + i * columns * dim, *last = line + (columns - 1) * dim;
        uint64_t a = one ? o->from : 2 * i, b = one ? o->to : 2 * i + 1;
        read_image(&u, a, line);
        read_image(&u, b, last);
        check_on(u.data.name, (size_t)b, u.model,
                 vae_encode(u.model, rows_of(&u, last, 1, 0), mu + latent, NULL));
        read_image(&u, a, line);
        check_on(u.data.name, (size_t)a, u.model,
                 vae_encode(u.model, rows_of(&u, line, 1, 0), mu, NULL));
        for (size_t k = 0; k < steps; k++)
            between(mu, mu + latent, latent, (double)k / (double)(steps - 1), o->path,
                    z + k * latent);
        for (size_t k = 0; k < 2; k++) { /* with the class of the nearer end */
            size_t half = (steps + 1) / 2, at = k ? half : 0;
            condition_on(&u, (size_t)(k ? b : a), 1);
            check(u.model, vae_decode(u.model, rows_of(&u, z + at * latent,
                                                       k ? steps - half : half, 0),
                                      line + (1 + at) * dim));
        }
    }
    save_pictures(o, x, &s);
    free(x);
    free(z);
    free(mu);
    return close_use(&u);
}

static int manifold(options *o)
{
    use u;
    size_t side = (size_t)o->count;
    sheet s;
    float *z;
    int32_t label;
    open_model(&u, o);
    draw_class(&u, o, class_given(o, &label));
    if (u.info.latent != 2)
        die(FAILED, "%s has %zu latents, and a plane shows two: use 'vae traverse'", o->operand,
            u.info.latent);
    s = plan_sheet(&u, o, side * side, side);
    z = floats(s.count, 2);
    for (size_t i = 0; i < side; i++) {
        float q = (float)normal_quantile(((double)i + 0.5) / (double)side);
        for (size_t k = 0; k < side; k++) {
            z[2 * (k * side + i)] = q;
            z[2 * ((side - 1 - i) * side + k) + 1] = q;
        }
    }
    save_decoded(&u, o, z, &s);
    free(z);
    return close_use(&u);
}

/* sums (2, latent): adds mu and its square over a batch */
static void add_moments(use *u, const float *x, size_t first, size_t rows, void *user)
{
    double *sums = (double *)user;
    size_t latent = u->info.latent;
    float *mu = floats(rows, latent);
    check_on(u->data.name, first, u->model, vae_encode(u->model, rows_of(u, x, rows, 0), mu, NULL));
    for (size_t i = 0; i < rows * latent; i++) {
        sums[i % latent] += (double)mu[i];
        sums[latent + i % latent] += (double)mu[i] * (double)mu[i];
    }
    free(mu);
}

/* Which latents to show, as asked or the most used; `scores` (latent) is for choosing. */
static size_t choose_latents(use *u, const options *o, size_t *chosen)
{
    size_t latent = u->info.latent, count = 0;
    size_t most = (size_t)o->count < latent ? (size_t)o->count : latent;
    const char *list = o->latents;
    char piece[32];
    double *sums;
    uint64_t index;
    while (next_piece(&list, ',', piece, sizeof piece)) {
        if (!read_whole(piece, &index) || index >= latent)
            die(MISUSED, "--latents: '%s' is not a number from 0 to %zu", piece, latent - 1);
        if (count == latent) die(MISUSED, "--latents: more than there are, %zu", latent);
        chosen[count++] = (size_t)index;
    }
    if (o->latents) return count;
    sums = (double *)need(times(2, latent), sizeof *sums);
    if (o->data) {
        double n = (double)u->data.images.count;
        each_batch(u, add_moments, sums);
        for (size_t j = 0; j < latent; j++)
            sums[j] = sums[latent + j] / n - sums[j] / n * (sums[j] / n);
        say("latents by the variance of mu:");
    }
    for (; count < most; count++) {
        size_t best = 0;
        for (size_t j = 1; j < latent; j++)
            if (sums[j] > sums[best]) best = j;
        if (!o->data) best = count;
        else say(" %zu (%.2f)", best, sums[best]);
        sums[best] = -1;
        chosen[count] = best;
    }
    if (o->data) say("\n");
    free(sums);
    return count;
}

static int traverse(options *o)
{
    use u;
    size_t steps = (size_t)o->steps, count, latent, *chosen;
    sheet s;
    float *z, *around;
    int32_t label;
    const int32_t *drawn = class_given(o, &label);
    if (given(o, "--image") && !o->data) die(MISUSED, "--image needs --data");
    open_model(&u, o);
    if (o->data) open_data(&u, o);
    latent = u.info.latent;
    chosen = (size_t *)need(latent, sizeof *chosen);
    count = choose_latents(&u, o, chosen);
    s = plan_sheet(&u, o, times(count, steps), steps);
    around = floats(latent, 1);
    if (given(o, "--image")) {
        float *x = floats(u.info.input_dim, 1);
        read_image(&u, o->image, x);
        check_on(u.data.name, (size_t)o->image, u.model,
                 vae_encode(u.model, rows_of(&u, x, 1, 0), around, NULL));
        if (!drawn && u.info.classes) drawn = u.data.labels + o->image;
        free(x);
    }
    draw_class(&u, o, drawn);
    z = floats(s.count, latent);
    for (size_t i = 0; i < s.count; i++) {
        double t = (double)(i % steps) / (double)(steps - 1);
        memcpy(z + i * latent, around, latent * sizeof *z);
        z[i * latent + chosen[i / steps]] = (float)(o->range * (2 * t - 1));
    }
    save_decoded(&u, o, z, &s);
    free(z);
    free(around);
    free(chosen);
    return close_use(&u);
}

/* ---- the commands that count ------------------------------------------------------------ */

/* The counts of --samples: out (MOST_BOUNDS), how many. */
static size_t read_draws(const char *list, int *out)
{
    char piece[32];
    size_t count = 0;
    uint64_t value;
    while (next_piece(&list, ',', piece, sizeof piece)) {
        if (!read_whole(piece, &value) || value < 1 || value > MOST_DRAWS)
            die(MISUSED, "--samples: '%s' is not a whole number from 1 to %d", piece, MOST_DRAWS);
        if (count == MOST_BOUNDS)
            die(MISUSED, "--samples: at most %d numbers", MOST_BOUNDS);
        out[count++] = (int)value;
    }
    return count;
}

static double error_of(const figures_sample *s)
{
    double e = figures_error2(s);
    return e < 0 ? -1 : root(e);
}

/* All that eval finds out. Standard errors are below 0 where there are none. */
typedef struct verdict {
    vae_stats stats;
    figures_sample elbo, recon, kl, mse, bounds[MOST_BOUNDS];
    int draws[MOST_BOUNDS];
    size_t bound_count;
    double *unit_kl, *variance;     /* (latent) */
    uint64_t *clamped;              /* (latent): images, of so many */
    size_t active, clamped_of;
    double gap, gap_error, seconds;
    int factors, factors_there;     /* that count, of those in the table; 0: no table */
} verdict;

/* How many rows of buffers make many draws fast: as far as 64 MB go. */
static int rows_for_draws(const use *u)
{
    size_t row = u->info.memory_activations / (size_t)u->desc.batch + 1, rows = 512;
    while (rows > 1 && rows > (size_t)64000000 / row) rows /= 2;
    return rows > (size_t)u->desc.batch ? (int)rows : u->desc.batch;
}

static void draw_bounds(int draws, double done, double all, double begun)
{
    char line[120], left[32];
    duration_text(left, sizeof left, (now() - begun) / done * (all - done));
    snprintf(line, sizeof line, "bound (%d)  %.0f %%  %s left", draws, 100 * done / all, left);
    screen_line(line, 0);
}

/* The bounds, group by group of images; a group is as much work as half a second has room for, and
 * 16 MB of pixels at most. */
static void find_bounds(use *u, verdict *v)
{
    const size_t count = u->data.images.count, dim = u->info.input_dim;
    const size_t least = (size_t)u->desc.threads;
    size_t most = 4000000 / dim + 1, group = least;
    double done = 0, all = 0, begun = now(), drawn = 0;
    float *x, *bound;
    if (most < least) most = least;
    if (most > count) most = count;
    x = floats(most, dim);
    bound = floats(most, 1);
    for (size_t b = 0; b < v->bound_count; b++) all += (double)v->draws[b] * (double)count;
    for (size_t b = 0; b < v->bound_count; b++) {
        for (size_t first = 0, rows; first < count; first += rows) {
            double start = now(), took;
            rows = group < most ? group : most;
            if (rows > count - first) rows = count - first;
            vae_data_read(&u->data.images, first, rows, x);
            condition_on(u, first, rows);
            check_on(u->data.name, 0, u->model,
                     vae_bound(u->model, rows_of(u, x, rows, first), v->draws[b], bound));
            for (size_t i = 0; i < rows; i++) figures_add(&v->bounds[b], (double)bound[i]);
            done += (double)v->draws[b] * (double)rows;
            took = now() - start;
            if (took < 0.25) group = 2 * rows;
            if (took > 1 && group >= 2 * least) group /= 2;
            if (screen.terminal && !screen.quiet && now() - drawn > 0.2) {
                draw_bounds(v->draws[b], done, all, begun);
                drawn = now();
            }
        }
    }
    screen_clear();
    free(x);
    free(bound);
}

/* parts (3, rows): ELBO, recon and KL of images first, first + 1, ... */
static void score_rows(use *u, const float *x, size_t first, size_t rows, float *parts)
{
    check_on(u->data.name, 0, u->model,
             vae_score(u->model, rows_of(u, x, rows, first), parts, parts + rows,
                       parts + 2 * rows));
}

static void add_parts(use *u, const float *x, size_t first, size_t rows, void *user)
{
    verdict *v = (verdict *)user;
    const size_t dim = u->info.input_dim;
    float *parts = floats(3, rows), *y = floats(rows, dim);
    score_rows(u, x, first, rows, parts);
    check_on(u->data.name, first, u->model, vae_reconstruct(u->model, rows_of(u, x, rows, 0), y));
    for (size_t i = 0; i < rows; i++) {
        double sum = 0;
        for (size_t j = i * dim; j < (i + 1) * dim; j++)
            sum += square((double)x[j] - (double)y[j]);
        figures_add(&v->elbo, (double)parts[i]);
        figures_add(&v->recon, (double)parts[rows + i]);
        figures_add(&v->kl, (double)parts[2 * rows + i]);
        figures_add(&v->mse, sum / (double)dim);
    }
    free(parts);
    free(y);
}

/* Ranges of mu, and then mu as bins of them. */
typedef struct binned {
    float *low, *high;  /* (latent) */
    uint8_t *bins;      /* (images, latent); NULL: the ranges are being found */
} binned;

static void add_bins(use *u, const float *x, size_t first, size_t rows, void *user)
{
    binned *b = (binned *)user;
    const size_t latent = u->info.latent;
    float *mu = floats(rows, latent);
    check_on(u->data.name, first, u->model, vae_encode(u->model, rows_of(u, x, rows, 0), mu, NULL));
    for (size_t i = 0; i < rows * latent; i++) {
        size_t j = i % latent;
        if (b->bins) {
            b->bins[first * latent + i] = figures_bin((double)mu[i], (double)b->low[j],
                                                      (double)b->high[j]);
            continue;
        }
        if (first + i / latent == 0 || mu[i] < b->low[j]) b->low[j] = mu[i];
        if (first + i / latent == 0 || mu[i] > b->high[j]) b->high[j] = mu[i];
    }
    free(mu);
}

static void load_table(const char *path, float **values, size_t *rows, size_t *cols)
{
    char error[IMAGES_ERROR];
    size_t size;
    uint8_t *bytes;
    if (is_folder(path)) die(FAILED, "%s is a folder, not an NPY file", path);
    bytes = images_read(path, &size, error);
    if (!bytes) die(FAILED, "%s", error);
    if (!npy_parse(bytes, size, values, rows, cols, error)) die(FAILED, "%s: %s", path, error);
    for (size_t i = 0; i < *rows * *cols; i++)
        if (!is_finite((double)(*values)[i]))
            die(FAILED, "%s holds a number in row %zu that is not finite: number %zu is %s", path,
                i / *cols, i % *cols, odd_name((double)(*values)[i]));
    free(bytes);
}

static int is_npy(const char *path)
{
    char begin[6] = {0};
    FILE *file = kind_of(path) == REGULAR ? fopen(path, "rb") : NULL;
    int is = file && fread(begin, 1, 6, file) == 6 && memcmp(begin, "\x93NUMPY", 6) == 0;
    if (file) fclose(file);
    return is;
}

/* What the images of a built-in set were drawn from: (images, *columns), for the caller to free. */
static double *built_in_factors(const dataset *d, size_t *columns)
{
    const int digits = strcmp(d->built_in, "digits") == 0;
    const size_t count = d->images.count;
    double *values;
    *columns = digits ? (size_t)DIGITS_FACTORS : (size_t)SHAPES_FACTORS;
    values = (double *)need(times(count, *columns), sizeof *values);
    for (size_t i = 0; i < count; i++) {
        double *row = values + i * *columns;
        if (digits) {
            uint8_t pixels[DIGITS_PIXELS];
            digits_factors f;
            digits_draw(BUILT_IN_SEED, (d->test ? DIGITS_TEST : 0) + (uint32_t)i, pixels, &f);
            row[0] = f.label, row[1] = f.slant, row[2] = f.scale;
            row[3] = f.thickness, row[4] = f.x, row[5] = f.y;
        } else {
            uint8_t f[SHAPES_FACTORS];
            shapes_factors(BUILT_IN_SEED, (d->test ? SHAPES_TEST : 0) + (uint32_t)i, f);
            for (int k = 0; k < SHAPES_FACTORS; k++) row[k] = f[k];
        }
    }
    return values;
}

/* The table of --factors, likewise: NPY or IDX, a row for each image. */
static double *read_factors(const dataset *d, const char *where, size_t *columns)
{
    const size_t count = d->images.count;
    size_t rows, cols;
    double *values;
    if (strcmp(where, "auto") == 0) {
        if (d->built_in) return built_in_factors(d, columns);
        die(MISUSED, "--factors auto knows the built-in sets only; name the file for %s", d->name);
    }
    if (is_npy(where)) {
        float *table;
        load_table(where, &table, &rows, &cols);
        values = (double *)need(times(rows, cols), sizeof *values);
        for (size_t i = 0; i < rows * cols; i++) values[i] = (double)table[i];
        free(table);
    } else {
        vae_data table;
        vae_report report;
        if (vae_data_load(where, NULL, &table, &report) != VAE_OK) die(FAILED, "%s", report.text);
        if (table.rank > 2 || table.item == 0)
            die(FAILED, "%s has %d dimensions; a table of factors has two", where, table.rank);
        rows = table.count, cols = table.item;
        values = (double *)need(times(rows, cols), sizeof *values);
        for (size_t i = 0; i < rows * cols; i++) values[i] = number_at(&table, i);
        vae_data_free(&table);
    }
    if (rows < count || (rows > count && !d->limited))
        die(FAILED, "%s holds %zu rows, but %s %zu images", where, rows, d->name, count);
    for (size_t i = 0; i < count * cols; i++)
        if (!is_finite(values[i]))
            die(FAILED, "%s holds a number in row %zu that is not finite: number %zu is %s", where,
                i / cols, i % cols, odd_name(values[i]));
    *columns = cols;
    return values;
}

static void find_gap(use *u, const char *where, verdict *v)
{
    const size_t count = u->data.images.count, latent = u->info.latent;
    size_t factors;
    double *table = read_factors(&u->data, where, &factors), error2 = -1;
    double *column = (double *)need(count, sizeof *column);
    uint8_t *codes = (uint8_t *)need(count, factors);
    int *values = (int *)need(factors, sizeof *values);
    binned b;
    b.low = floats(latent, 1);
    b.high = floats(latent, 1);
    b.bins = NULL;
    each_batch(u, add_bins, &b);
    b.bins = (uint8_t *)need(count, latent);
    each_batch(u, add_bins, &b);
    for (size_t f = 0; f < factors; f++) {
        for (size_t i = 0; i < count; i++) column[i] = table[i * factors + f];
        values[f] = figures_column(column, count, codes + f, factors);
        if (!values[f]) die(FAILED, "out of memory");
    }
    v->factors = figures_mig(count, latent, b.bins, factors, codes, values, &v->gap, &error2);
    v->factors_there = (int)factors;
    if (v->factors < 0) die(FAILED, "out of memory");
    if (!v->factors) die(FAILED, "every factor of %s has one value only on these images", where);
    v->gap_error = error2 < 0 ? -1 : root(error2);
    free(table);
    free(column);
    free(codes);
    free(values);
    free(b.low);
    free(b.high);
    free(b.bins);
}

/* Latents by their KL, most first. */
static void print_units(const verdict *v, size_t latent)
{
    double *left = (double *)need(latent, sizeof *left);
    char line[200], one[60];
    size_t used = (size_t)snprintf(line, sizeof line, "%-12s", "KL of each");
    say("active       %zu of %zu latents (variance of mu above 0.01)\n", v->active, latent);
    memcpy(left, v->unit_kl, latent * sizeof *left);
    for (size_t n = 0, most = 0; n < latent; n++) {
        for (size_t j = 0; j < latent; j++)
            if (left[j] > left[most]) most = j;
        if (left[most] < 0.005) snprintf(one, sizeof one, " and %zu below 0.005", latent - n);
        else snprintf(one, sizeof one, " %zu:%.2f", most, left[most]);
        if (used + strlen(one) > 78) {
            say("%s\n", line);
            used = (size_t)snprintf(line, sizeof line, "%-12s", "");
        }
        used += (size_t)snprintf(line + used, sizeof line - used, "%s", one);
        if (left[most] < 0.005) break;
        left[most] = -1;
    }
    say("%s\n", line);
    free(left);
}

static void print_error(double error, int digits)
{
    if (error >= 0) say(" +- %.*f", digits, error);
}

static const figures_sample *nll_of(const verdict *v)
{
    for (size_t b = 0; b < v->bound_count; b++)
        if (v->draws[b] == NLL_DRAWS) return &v->bounds[b];
    return NULL;
}

static void print_verdict(const use *u, const verdict *v)
{
    const vae_desc *d = &u->desc;
    const double per_bit = bits_per_dim(d, &u->info, 1) - bits_per_dim(d, &u->info, 0);
    const figures_sample *nll = nll_of(v);
    char name[40];
    say("data         %s, %zu images\n\n", u->data.name, u->data.images.count);
    say("                  -ELBO      recon         KL   nats per image: distortion + rate\n");
    print_stats("mean", &v->stats, 0, 0);
    if (error_of(&v->elbo) >= 0)
        say("%-12s %10.3f %10.3f %10.3f\n", "std. error", error_of(&v->elbo),
            error_of(&v->recon), error_of(&v->kl));
    say("\n");
    for (size_t b = 0; b < v->bound_count; b++) {
        snprintf(name, sizeof name, v->draws[b] == NLL_DRAWS ? "NLL (%d)" : "-bound (%d)",
                 v->draws[b]);
        say("%-14s %8.3f", name, -figures_mean(&v->bounds[b]));
        print_error(error_of(&v->bounds[b]), 3);
        say("\n");
    }
    say("bits/dim     %.4f", bits_per_dim(d, &u->info, -v->stats.elbo));
    print_error(error_of(&v->elbo) < 0 ? -1 : error_of(&v->elbo) * per_bit, 4);
    say("%s\n", d->likelihood == VAE_LIKELIHOOD_BERNOULLI && !d->binarize
            ? " (grey pixels: no density)"
            : is_density(d) ? " (a density: 8 are added for the 256 levels of a byte)" : "");
    if (nll) {
        say("bits/dim     %.4f", bits_per_dim(d, &u->info, -figures_mean(nll)));
        print_error(error_of(nll) < 0 ? -1 : error_of(nll) * per_bit, 4);
        say(" from the NLL\n");
    }
    say("mse          %.6f", figures_mean(&v->mse));
    print_error(error_of(&v->mse), 6);
    say(" per pixel of the reconstructions\n");
    print_units(v, u->info.latent);
    print_clamped(v->clamped, u->info.latent, v->clamped_of);
    if (v->factors) {
        say("MIG          %.4f", v->gap);
        print_error(v->gap_error, 4);
        say(" over %d factors", v->factors);
        if (v->factors < v->factors_there)
            say("; %d more had one value only", v->factors_there - v->factors);
        say("\n");
    }
}

static void json_list(text *t, const char *name, const double *values, size_t count)
{
    text_print(t, "  \"%s\": [", name);
    for (size_t i = 0; i < count; i++) text_print(t, "%s%.9g", i ? ", " : "", values[i]);
    text_print(t, "],\n");
}

/* What eval alone says in --json. */
static void json_verdict(text *t, const use *u, const verdict *v)
{
    const vae_desc *d = &u->desc;
    const figures_sample *nll = nll_of(v);
    text_print(t, "  ");
    json_error(t, "elbo_se", error_of(&v->elbo), ", ");
    json_error(t, "recon_se", error_of(&v->recon), ", ");
    json_error(t, "kl_se", error_of(&v->kl), ",\n  ");
    json_number(t, "mse", figures_mean(&v->mse), ",\n  ");
    json_error(t, "mse_se", error_of(&v->mse), ",\n  ");
    json_number(t, "bits_per_dim", bits_per_dim(d, &u->info, -v->stats.elbo), ",\n");
    text_print(t, "  \"bounds\": [");
    for (size_t b = 0; b < v->bound_count; b++) {
        text_print(t, "%s{\"k\": %d, ", b ? ", " : "", v->draws[b]);
        json_number(t, "bound", figures_mean(&v->bounds[b]), ", ");
        json_error(t, "se", error_of(&v->bounds[b]), "}");
    }
    text_print(t, "],\n  ");
    if (nll) {
        json_number(t, "nll", -figures_mean(nll), ",\n  ");
        json_number(t, "nll_bits_per_dim", bits_per_dim(d, &u->info, -figures_mean(nll)), ",\n");
    } else {
        text_print(t, "\"nll\": null,\n  \"nll_bits_per_dim\": null,\n");
    }
    text_print(t, "  \"active_units\": %zu,\n", v->active);
    json_list(t, "kl_per_latent", v->unit_kl, u->info.latent);
    json_list(t, "mu_variance", v->variance, u->info.latent);
    text_print(t, "  \"logvar_at_limit\": [");
    for (size_t j = 0; j < u->info.latent; j++) /* parts of the images */
        text_print(t, "%s%.9g", j ? ", " : "",
                   v->clamped_of ? (double)v->clamped[j] / (double)v->clamped_of : 0);
    text_print(t, "],\n");
    text_print(t, "  ");
    if (v->factors) {
        json_number(t, "mig", v->gap, ",\n  ");
        json_error(t, "mig_se", v->gap_error, ",\n  ");
    } else {
        text_print(t, "\"mig\": null,\n  \"mig_se\": null,\n  ");
    }
    json_number(t, "eval_seconds", v->seconds, ",\n");
}

static int eval(options *o)
{
    use u;
    verdict v;
    double begun = now(), seconds;
    memset(&v, 0, sizeof v);
    if (o->draws) v.bound_count = read_draws(o->draws, v.draws);
    open_both(&u, o);
    if (v.bound_count && u.desc.no_noise)
        die(FAILED, "--samples: %s has no noise, so it has no draws and no bound", o->operand);
    if (v.bound_count && rows_for_draws(&u) > u.desc.batch) {
        int rows = rows_for_draws(&u);
        vae_destroy(u.model);
        load_model(&u, o, rows);
    }
    seconds = now();
    check_on(u.data.name, 0, u.model, vae_evaluate(u.model, &u.data.images, &v.stats));
    seconds = now() - seconds;
    each_batch(&u, add_parts, &v);
    v.unit_kl = (double *)need(u.info.latent, sizeof *v.unit_kl);
    v.variance = (double *)need(u.info.latent, sizeof *v.variance);
    check_on(u.data.name, 0, u.model, vae_units(u.model, &u.data.images, v.unit_kl, v.variance));
    for (size_t j = 0; j < u.info.latent; j++) v.active += v.variance[j] > 0.01;
    v.clamped = (uint64_t *)need(u.info.latent, sizeof *v.clamped);
    if (!u.desc.no_noise) v.clamped_of = count_clamped(u.model, &u.data.images, v.clamped);
    if (o->causes) find_gap(&u, o->causes, &v);
    print_network(&u.desc);
    find_bounds(&u, &v);
    v.seconds = now() - begun;
    print_verdict(&u, &v);
    say("params_hash  %016llx\n", (ull)vae_params_hash(u.model));
    if (o->json) {
        text more = {NULL, 0, 0};
        json_verdict(&more, &u, &v);
        save_json(o->json, "eval", o->operand, u.model, seconds,
                  per_second(v.stats.images, seconds), NULL, &v.stats, &more);
    }
    free(v.unit_kl);
    free(v.clamped);
    free(v.variance);
    return close_use(&u);
}

typedef struct codes {
    text mu, logvar;
    int with_logvar;
} codes;

static void add_codes(use *u, const float *x, size_t first, size_t rows, void *user)
{
    codes *c = (codes *)user;
    size_t n = rows * u->info.latent;
    float *mu = floats(rows, u->info.latent), *logvar = floats(rows, u->info.latent);
    check_on(u->data.name, first, u->model,
             vae_encode(u->model, rows_of(u, x, rows, 0), mu, logvar));
    text_npy_rows(&c->mu, mu, n);
    if (c->with_logvar) text_npy_rows(&c->logvar, logvar, n);
    free(mu);
    free(logvar);
}

static int encode(options *o)
{
    use u;
    codes c = {{NULL, 0, 0}, {NULL, 0, 0}, 0};
    c.with_logvar = o->logvar_out != NULL;
    open_both(&u, o);
    text_npy_head(&c.mu, u.data.images.count, u.info.latent);
    if (c.with_logvar) text_npy_head(&c.logvar, u.data.images.count, u.info.latent);
    each_batch(&u, add_codes, &c);
    text_save(&c.mu, o->out);
    if (c.with_logvar) text_save(&c.logvar, o->logvar_out);
    say("wrote %s: %zu rows of %zu latents\n", o->out, u.data.images.count, u.info.latent);
    return close_use(&u);
}

static int decode(options *o)
{
    use u;
    size_t rows, cols, dim, most;
    float *z;
    int32_t label;
    open_model(&u, o);
    draw_class(&u, o, class_given(o, &label));
    dim = u.info.input_dim, most = (size_t)u.desc.batch;
    load_table(o->in, &z, &rows, &cols);
    if (cols != u.info.latent)
        die(FAILED, "%s holds rows of %zu numbers, but %s has %zu latents", o->in, cols,
            o->operand, u.info.latent);
    if (ends_with(o->out, ".png")) {
        size_t count = rows < (size_t)o->count ? rows : (size_t)o->count;
        sheet s = plan_sheet(&u, o, count, columns_for(o, count));
        save_decoded(&u, o, z, &s);
    } else {
        text t = {NULL, 0, 0};
        float *x = floats(most, dim);
        if (strcmp(o->out, "-") != 0 && kind_of(o->out) != SPECIAL && !ends_with(o->out, ".npy"))
            die(MISUSED, "--out %s: end the name in .png or .npy", o->out);
        text_npy_head(&t, rows, dim);
        for (size_t first = 0; first < rows; first += most) {
            size_t n = rows - first < most ? rows - first : most;
            check_on(o->in, first, u.model,
                     vae_decode(u.model, rows_of(&u, z + first * cols, n, 0), x));
            text_npy_rows(&t, x, n * dim);
        }
        text_save(&t, o->out);
        say("wrote %s: %zu rows of %zu pixels\n", o->out, rows, dim);
        free(x);
    }
    free(z);
    return close_use(&u);
}

/* scores (count, 3): -ELBO, recon, KL */
static void add_scores(use *u, const float *x, size_t first, size_t rows, void *user)
{
    float *scores = (float *)user + 3 * first;
    float *parts = floats(3, rows);
    score_rows(u, x, first, rows, parts);
    for (size_t i = 0; i < rows; i++) {
        scores[3 * i] = -parts[i];
        scores[3 * i + 1] = parts[rows + i];
        scores[3 * i + 2] = parts[2 * rows + i];
    }
    free(parts);
}

static int score(options *o)
{
    use u;
    text t = {NULL, 0, 0};
    size_t count, strangest = 0;
    double sum = 0;
    float *scores;
    int format = o->format;
    if (format == FORMAT_AUTO) format = ends_with(o->out, ".npy") ? FORMAT_NPY
                                      : ends_with(o->out, ".csv") ? FORMAT_CSV : FORMAT_TEXT;
    open_both(&u, o);
    count = u.data.images.count;
    scores = floats(3, count);
    each_batch(&u, add_scores, scores);
    if (format == FORMAT_NPY) {
        text_npy_head(&t, count, 3);
        text_npy_rows(&t, scores, 3 * count);
    }
    if (format == FORMAT_CSV) text_print(&t, "index,neg_elbo,recon,kl\n");
    for (size_t i = 0; i < count; i++) {
        const float *s = scores + 3 * i;
        sum += (double)s[0];
        if (s[0] > scores[3 * strangest]) strangest = i;
        if (format == FORMAT_TEXT) text_print(&t, "%.9g\n", (double)s[0]);
        if (format == FORMAT_CSV)
            text_print(&t, "%zu,%.9g,%.9g,%.9g\n", i, (double)s[0], (double)s[1], (double)s[2]);
    }
    text_save(&t, o->out);
    say("%zu images of %s: mean -ELBO %.3f, the strangest is image %zu with %.3f\n", count,
        u.data.name, sum / (double)count, strangest, (double)scores[3 * strangest]);
    free(scores);
    return close_use(&u);
}

/* ---- the rest --------------------------------------------------------------------------- */

static int info(options *o)
{
    use u;
    options file;
    vae_report report;
    size_t bytes[2] = {0, 0};
    open_model(&u, o);
    unsettle(&file, u.model, 1);
    say("step         %llu\nepoch        %llu of %d\nparameters   %zu\nparams_hash  %016llx\n",
        (ull)u.info.step, (ull)u.info.epoch, u.desc.epochs,
        u.info.parameters, (ull)vae_params_hash(u.model));
    if (u.info.best_epoch)
        say("best         epoch %llu, test loss %.3f\n", (ull)u.info.best_epoch, u.info.best);
    if (u.info.classes) say("classes      %d\n", u.info.classes);
    for (int i = 0; i < 2; i++) {
        vae_desc d = u.desc;
        d.inference = i;
        if (i && d.batch > 128) d.batch = 128;
        if (vae_size(&d, &bytes[i], &report) != VAE_OK) bytes[i] = SIZE_MAX;
    }
    say("memory       %.1f MB to use it, %.1f MB to train it\n\n", (double)bytes[1] / 1e6,
        (double)bytes[0] / 1e6);
    for (size_t i = 0; i < FLAGS; i++) {
        char *value;
        int in_steps;
        if (!(flags[i].commands & SETTING) || !acts(&file, &flags[i])) continue;
        value = value_text(&file, &flags[i]);
        in_steps = flags[i].at == AT(stages) || flags[i].at == AT(cycle)
                || (flags[i].at == AT(warmup) && file.desc.warmup_steps);
        say("%-14s %s%s\n", flags[i].name + 2, value[0] ? value : "\"\"",
            in_steps ? " (steps)" : "");
        free(value);
    }
    say("\n");
    for (size_t i = 0; i < u.info.tensors; i++) {
        vae_tensor tensor;
        check(u.model, vae_tensor_at(u.model, i, &tensor));
        say("%-28s", tensor.name);
        for (int k = 0; k < tensor.rank; k++) say("%s%zu", k ? " x " : " ", tensor.shape[k]);
        say("\n");
    }
    return close_use(&u);
}

/* IDX: unsigned bytes, or int32 as `numbers`. */
static void save_idx(const char *path, int rank, const size_t *dims, const uint8_t *bytes,
                     const int32_t *numbers)
{
    text t = {NULL, 0, 0};
    size_t count = 1;
    uint8_t *out = (uint8_t *)text_grow(&t, 4 + 4 * (size_t)rank);
    memset(out, 0, 4);
    out[2] = (uint8_t)(bytes ? VAE_U8 : VAE_I32), out[3] = (uint8_t)rank;
    for (int i = 0; i < rank; i++) {
        picture__put_u32(out + 4 + 4 * i, (uint32_t)dims[i]);
        count *= dims[i];
    }
    out = (uint8_t *)text_grow(&t, bytes ? count : 4 * count);
    if (bytes) memcpy(out, bytes, count);
    for (size_t i = 0; numbers && i < count; i++)
        picture__put_u32(out + 4 * i, (uint32_t)numbers[i]);
    text_save(&t, path);
    say("wrote %s: %zu\n", path, dims[0]);
}

/* Names and claims the files of a set: images, labels and factors of both parts. */
static void claim_set(const options *o, char *paths[2][3])
{
    const int shapes = o->command == SHAPES;
    const char *const kinds[3] = {shapes ? "images-idx4-ubyte" : "images-idx3-ubyte",
                                  "labels-idx1-ubyte",
                                  shapes ? "factors.npy" : "factors-idx2-int"};
    catch_signals();
    for (int i = 0; i < 6; i++) {
        char **path = &paths[i % 2][i / 2];
        int there;
        *path = joined(o->operand, i % 2 ? "/t10k-" : "/train-", kinds[i / 2]);
        if (i == 0) make_folders(*path);
        if (i / 2 == 2 && !o->factors) continue;
        there = kind_of(*path);
        if (there != NOTHING && there != REGULAR)
            die(FAILED, "%s is a %s, not a file", *path, there == FOLDER ? "folder" : "device");
        claim_target("", *path);
    }
}

static int write_set(options *o)
{
    const int shapes = o->command == SHAPES;
    char *paths[2][3];
    claim_set(o, paths);
    for (int test = 0; test < 2; test++) {
        size_t count = (size_t)(test ? o->test_images : o->images), dims[4];
        const size_t table[2] = {count, DIGITS_FACTORS};
        int rank = built_in_shape(shapes ? "shapes" : "digits", test, count, dims);
        uint8_t *pixels = (uint8_t *)need(count, shapes ? SHAPES_BYTES : DIGITS_PIXELS);
        uint8_t *labels = (uint8_t *)need(count, 1);
        digits_factors *factors = (digits_factors *)need(count, sizeof *factors);
        text t = {NULL, 0, 0};
        if (shapes && o->factors) text_npy_head(&t, count, SHAPES_FACTORS);
        for (size_t i = 0; i < count; i++) {
            uint8_t f[SHAPES_FACTORS];
            float row[SHAPES_FACTORS];
            if (!shapes) {
                digits_draw(o->seed, (test ? DIGITS_TEST : 0) + (uint32_t)i,
                            pixels + i * DIGITS_PIXELS, &factors[i]);
                labels[i] = (uint8_t)factors[i].label;
                continue;
            }
            shapes_fill(o->seed, (test ? SHAPES_TEST : 0) + (uint32_t)i, 1,
                        pixels + i * SHAPES_BYTES, f);
            labels[i] = f[SHAPES_SHAPE];
            for (int k = 0; k < SHAPES_FACTORS; k++) row[k] = (float)f[k];
            if (o->factors) text_npy_rows(&t, row, SHAPES_FACTORS);
        }
        save_idx(paths[test][0], rank, dims, pixels, NULL);
        save_idx(paths[test][1], 1, dims, labels, NULL);
        if (o->factors && shapes) {
            text_save(&t, paths[test][2]);
            say("wrote %s: %zu\n", paths[test][2], count);
        } else if (o->factors) {
            save_idx(paths[test][2], 2, table, NULL, (const int32_t *)factors);
        }
        free(pixels);
        free(labels);
        free(factors);
    }
    release_targets();
    for (int i = 0; i < 6; i++) free(paths[i % 2][i / 2]);
    return 0;
}

/* A descriptor from 0 to 2 that was closed would be given to the first file that is opened, and
 * what is printed would go into that file. */
static void fill_descriptors(void)
{
#ifdef HAVE_POSIX
    for (int i = 0; i < 3; i++) {
        if (fcntl(i, F_GETFD) >= 0 || errno != EBADF) continue;
        if (open("/dev/null", O_RDWR) != i) exit(FAILED);
        if (i == 1) screen.closed = 1;
    }
#endif
}

int main(int argc, char **argv)
{
    const command *c = NULL;
    const char *name = argc > 1 ? argv[1] : "", *best = NULL, *term = getenv("TERM");
    const char *plain = getenv("NO_COLOR");
    size_t distance = 99;
    int wants_help = 0, status;
    options o;
    screen.out = stdout;
    fill_descriptors();
#ifdef SIGXFSZ
    signal(SIGXFSZ, SIG_IGN); /* a file size limit is then an error like others */
#endif
    atexit(release_targets);
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) name = "help";
    if (strcmp(name, "--version") == 0) name = "version";
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0) c = &commands[i];
        consider(name, commands[i].name, &best, &distance);
    }
    if (argc < 2) die(MISUSED, "no command; 'vae help' lists them");
    if (!c && best) die(MISUSED, "unknown command '%s'; did you mean %s?", name, best);
    if (!c) die(MISUSED, "unknown command '%s'; 'vae help' lists them", name);
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) wants_help = 1;
    if (wants_help) {
        memset(&o, 0, sizeof o);
        o.operand = c->name;
        c = &commands[COMMANDS - 2];
    } else {
        parse(&o, c, argc - 2, argv + 2);
        claim_targets(&o);
    }
#ifdef HAVE_POSIX
    screen.terminal = isatty(fileno(screen.out)) && term && term[0] && strcmp(term, "dumb") != 0;
#endif
    screen.colour = screen.terminal && !(plain && plain[0]);
    (void)term;
    status = c->run(&o);
    forget(&o);
    if (status >= 128) return status; /* a signal: nobody may be there to read the rest */
    if (screen.closed && !screen.quiet && (c->bit == 0 || c->bit & (EVAL | INFO)))
        die(FAILED, "the output cannot be written: it is closed");
    if (fflush(screen.out) != 0 || ferror(screen.out))
        die(FAILED, "the output cannot be written: %s", strerror(errno));
    return status;
}
