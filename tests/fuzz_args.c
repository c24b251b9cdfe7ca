/* libFuzzer target: command lines of tools/vae.c, an argument a line.
 *     clang -g -O1 -fsanitize=fuzzer,address,undefined -DVAE_ONLY_PORTABLE tests/fuzz_args.c \
 *         -o fuzz_args
 *     ./fuzz_args -max_len=4096 -dict=tests/seeds/args.dict work tests/seeds/args
 * The line is read, and help is printed; of `train` all goes on up to the model: spellings,
 * objective, epochs to steps, stages, corruption, recipe. A model made so must not be said to
 * contradict the same line, as --resume would compare them. Nothing is trained, no file is opened.
 * The tool ends with exit(), which jumps back here; its memory is given back here too. */
#define _GNU_SOURCE 1
#define _POSIX_C_SOURCE 200809L
#define _DARWIN_C_SOURCE 1
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sched.h>
#endif

#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "fuzz.h"

static jmp_buf fuzz_out;
static int fuzz_status, fuzz_certain;   /* certain: nothing may be refused any more */
static FILE *fuzz_errors;               /* /dev/null until then */

__attribute__((noreturn)) static void fuzz_exit(int status) {
    fuzz_status = status;
    longjmp(fuzz_out, 1);
}

/* The tool's blocks, in a list. */
typedef struct fuzz_block {
    struct fuzz_block *before, *after;
} fuzz_block;
static fuzz_block fuzz_list = {&fuzz_list, &fuzz_list};
enum { FUZZ_HEAD = sizeof(fuzz_block) };

static void *fuzz_malloc(size_t size) {
    fuzz_block *b = size < (size_t)1 << 26 ? (fuzz_block *)malloc(FUZZ_HEAD + size) : NULL;
    if (!b) return NULL;
    b->before = &fuzz_list, b->after = fuzz_list.after;
    fuzz_list.after->before = b, fuzz_list.after = b;
    return b + 1;
}
static void fuzz_free(void *p) {
    fuzz_block *b;
    if (!p) return;
    b = (fuzz_block *)p - 1;
    b->before->after = b->after, b->after->before = b->before;
    free(b);
}
static inline void *fuzz_calloc(size_t count, size_t size) {
    void *p = size && count > SIZE_MAX / size ? NULL : fuzz_malloc(count * size);
    return p ? memset(p, 0, count * size) : NULL;
}
static inline void *fuzz_realloc(void *p, size_t size) {
    fuzz_block *b;
    if (!p) return fuzz_malloc(size);
    b = (fuzz_block *)realloc((fuzz_block *)p - 1, FUZZ_HEAD + size);
    if (!b) return NULL;
    b->before->after = b->after->before = b;
    return b + 1;
}

static void *fuzz_listed(size_t size, void *user) {
    (void)user;
    return fuzz_malloc(size);
}
static void fuzz_unlisted(void *p, size_t size, void *user) {
    (void)size, (void)user;
    fuzz_free(p);
}
static const vae_allocator fuzz_memory = {fuzz_listed, fuzz_unlisted, NULL};

/* Files: nothing stands anywhere, and nothing can be opened. */
static inline int fuzz_absent(void) {
    errno = ENOENT;
    return -1;
}
#undef stderr
#define stderr fuzz_errors
#define exit fuzz_exit
#define malloc fuzz_malloc
#define calloc fuzz_calloc
#define realloc fuzz_realloc
#define free fuzz_free
#define fopen(path, mode) ((void)(path), (mode)[0] == 'r' ? NULL : fopen("/dev/null", "wb"))
#define open(...) fuzz_absent()
#define opendir(path) ((void)(path), NULL)
#define stat(path, out) ((void)(path), (void)(out), fuzz_absent())
#define lstat(path, out) ((void)(path), (void)(out), fuzz_absent())
#define mkdir(...) fuzz_absent()
#define remove(path) ((void)(path), 0)
#define rmdir(path) ((void)(path), 0)
#define unlink(path) ((void)(path), 0)
#define rename(from, to) ((void)(from), (void)(to), 0)
#define vae_claim_take(path, claim, report) ((void)(path), (void)(claim), (void)(report), VAE_OK)
#define vae_claim_drop(claim) ((void)(claim))
#define atexit(function) ((void)(function))
#define main vae_main
#include "../tools/vae.c"
#undef main
#undef fopen
#undef free
#undef stderr

static char line[4097 + 1], empty[1];

/* What `train` does between its line and its model. */
static void to_the_model(options *o) {
    const double per_epoch = 7.5;
    options typed;
    vae_report report;
    vae *model = NULL;
    check_spellings(o);
    check_objective(o);
    typed = *o;
    if (!o->desc.input) o->desc.input = "8x8x1";
    if (o->schedule == VAE_SCHEDULE_STAGES && !o->stages) return;
    settle(o, per_epoch);
    o->desc.inference = 1;
    o->desc.isa = VAE_ISA_AUTO;
    o->desc.allocator = fuzz_memory;
    if (vae_create(&o->desc, &model, &report)) return;
    vae_get_desc(model, &o->desc);
    print_network(&o->desc);
    print_objective(model, per_epoch);
    for (size_t i = 0; flag_at(i); i++) { /* each setting has a spelling */
        if (flag_at(i)->name && flag_at(i)->commands & SETTING) fuzz_free(value_text(o, flag_at(i)));
    }
    typed.model = "m";
    typed.desc.allocator = fuzz_memory;
    if (!given(&typed, "--labels") && o->desc.schedule != VAE_SCHEDULE_COSINE) {
        FILE *quiet = fuzz_errors;
        fuzz_certain = 1, fuzz_errors = fdopen(dup(2), "w");
        check_resumed(&typed, model, per_epoch);
        fclose(fuzz_errors);
        fuzz_certain = 0, fuzz_errors = quiet;
    }
    vae_destroy(model);
}

static void read_line(int count, char **words) {
    const command *c = NULL;
    options o;
    for (size_t i = 0; i < COMMANDS; i++)
        if (count && !strcmp(commands[i].name, words[0])) c = &commands[i];
    if (!c || !strcmp(c->name, "help") || !strcmp(c->name, "version")) {
        vae_main(count + 1, words - 1); /* the whole of it: these open no file */
        return;
    }
    for (int i = 0; i < count; i++)
        if (!strcmp(words[i], "--help") || !strcmp(words[i], "-h")) {
            vae_main(count + 1, words - 1);
            return;
        }
    parse(&o, c, commands, COMMANDS, count - 1, words + 1);
    claim_targets(&o);
    if (c->bit == TRAIN) to_the_model(&o);
    forget(&o);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    fuzz_errors = fopen("/dev/null", "w");
    return !fuzz_errors || !freopen("/dev/null", "w", stdout);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    char *words[130], *at = line;
    volatile int count = 0;
    if (size > 4096 || memchr(bytes, 0, size)) return 0;
    memcpy(line, bytes, size);
    line[size] = 0;
    words[0] = empty;
    while (*at && count < 128) {
        char *end = at + strcspn(at, "\n");
        const int more = *end == '\n';
        *end = 0;
        words[1 + count] = at;
        count = count + 1;
        at = end + more;
    }
    words[1 + count] = NULL;
    fuzz_begin(bytes, size);
    memset(&screen, 0, sizeof screen);
    screen.out = stdout;
    fuzz_certain = 0;
    if (!setjmp(fuzz_out)) read_line(count, words + 1);
    FUZZ_CHECK(!fuzz_certain); /* an end in check_resumed: its sentence stands above */
    release_targets();
    while (fuzz_list.after != &fuzz_list) fuzz_free(fuzz_list.after + 1);
    fuzz_end();
    return 0;
}
