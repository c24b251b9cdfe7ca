/* Preloaded before the vae command, this makes one of its calls of the system fail: see faults_tool.c.
 *   FAULT="kind number code forever"   kind as below; call number, counted from 0; errno or -1: moves
 *                                      fewer bytes than were asked for; 1: all later calls fail too
 *   FAULT_COUNTS=FILE                  at the end, how many calls of each kind were made */
#define _GNU_SOURCE 1
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "faults_kinds.h"

static long calls[FAULT_KINDS];
static int active, plan_kind = -1, plan_code, plan_forever;
static long plan_at;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
    const char *plan = getenv("FAULT");
    if (plan) sscanf(plan, "%d %ld %d %d", &plan_kind, &plan_at, &plan_code, &plan_forever);
    active = 1;
}
__attribute__((destructor)) static void end(void) {
    const char *path = getenv("FAULT_COUNTS");
    char text[600];
    int n = 0, i, fd;
    active = 0;
    if (!path) return;
    for (i = 0; i < FAULT_KINDS; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%ld\n", calls[i]);
    fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd >= 0 && syscall(SYS_write, fd, text, n) == n) syscall(SYS_close, fd);
}

static int fault(int kind) {
    long now;
    if (!active) return 0;
    now = __atomic_fetch_add(&calls[kind], 1, __ATOMIC_RELAXED);
    if (kind != plan_kind || (plan_forever ? now < plan_at : now != plan_at)) return 0;
    if (plan_code != FAULT_SHORT) errno = plan_code;
    return plan_code;
}

static int open_call(const char *path, int flags, int mode) {
    return fault(FAULT_OPEN) ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}
static int open_mode(int flags, va_list args) { return flags & O_CREAT ? va_arg(args, int) : 0; }
int open(const char *path, int flags, ...) {
    va_list args;
    int mode;
    va_start(args, flags);
    mode = open_mode(flags, args);
    va_end(args);
    return open_call(path, flags, mode);
}
int open64(const char *path, int flags, ...) {
    va_list args;
    int mode;
    va_start(args, flags);
    mode = open_mode(flags, args);
    va_end(args);
    return open_call(path, flags, mode);
}
ssize_t read(int fd, void *to, size_t n) {
    int code = fault(FAULT_READ);
    return code && code != FAULT_SHORT ? -1 : syscall(SYS_read, fd, to, code && n > 1 ? n / 2 : n);
}
ssize_t write(int fd, const void *from, size_t n) {
    int code = fault(FAULT_WRITE);
    return code && code != FAULT_SHORT ? -1 : syscall(SYS_write, fd, from, code && n > 1 ? n / 2 : n);
}
int close(int fd) {
    int code = fault(FAULT_CLOSE), bad = (int)syscall(SYS_close, fd);
    if (code) errno = code;
    return code ? -1 : bad;
}
int fsync(int fd) { (void)fd; return fault(FAULT_FSYNC) ? -1 : 0; }
int flock(int fd, int how) { return fault(FAULT_FLOCK) ? -1 : (int)syscall(SYS_flock, fd, how); }
int stat(const char *restrict path, struct stat *restrict s) {
    return fault(FAULT_STAT) ? -1 : REAL(stat)(path, s);
}
int lstat(const char *restrict path, struct stat *restrict s) {
    return fault(FAULT_STAT) ? -1 : REAL(lstat)(path, s);
}
int stat64(const char *restrict path, struct stat64 *restrict s) {
    return fault(FAULT_STAT) ? -1 : REAL(stat64)(path, s);
}
int lstat64(const char *restrict path, struct stat64 *restrict s) {
    return fault(FAULT_STAT) ? -1 : REAL(lstat64)(path, s);
}
int fstat(int fd, struct stat *s) { return fault(FAULT_FSTAT) ? -1 : REAL(fstat)(fd, s); }
int fstat64(int fd, struct stat64 *s) { return fault(FAULT_FSTAT) ? -1 : REAL(fstat64)(fd, s); }
int fchmod(int fd, mode_t mode) { return fault(FAULT_FCHMOD) ? -1 : REAL(fchmod)(fd, mode); }
int fchown(int fd, uid_t user, gid_t group) {
    return fault(FAULT_FCHOWN) ? -1 : REAL(fchown)(fd, user, group);
}
int rename(const char *from, const char *to) {
    return fault(FAULT_RENAME) ? -1 : REAL(rename)(from, to);
}
int unlink(const char *path) { return fault(FAULT_UNLINK) ? -1 : REAL(unlink)(path); }
int remove(const char *path) { return fault(FAULT_UNLINK) ? -1 : REAL(remove)(path); }
int mkdir(const char *path, mode_t mode) { return fault(FAULT_MKDIR) ? -1 : REAL(mkdir)(path, mode); }
DIR *opendir(const char *path) { return fault(FAULT_OPENDIR) ? NULL : REAL(opendir)(path); }
struct dirent *readdir(DIR *dir) { return fault(FAULT_READDIR) ? NULL : REAL(readdir)(dir); }
struct dirent64 *readdir64(DIR *dir) { return fault(FAULT_READDIR) ? NULL : REAL(readdir64)(dir); }
int pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*run)(void *), void *arg) {
    int code = fault(FAULT_THREAD);
    return code ? code : REAL(pthread_create)(t, a, run, arg);
}

/* The allocator below cannot be looked up, since looking up allocates. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t size);
void *malloc(size_t size) { return fault(FAULT_MALLOC) ? NULL : __libc_malloc(size); }
void *calloc(size_t n, size_t size) { return fault(FAULT_MALLOC) ? NULL : __libc_calloc(n, size); }
void *realloc(void *p, size_t size) { return fault(FAULT_MALLOC) ? NULL : __libc_realloc(p, size); }

/* Streams of files read and write through the calls above. */
static ssize_t stream_read(void *file, char *to, size_t n) { return read((int)(long)file, to, n); }
static ssize_t stream_write(void *file, const char *from, size_t n) {
    ssize_t put = write((int)(long)file, from, n);
    return put < 0 ? 0 : put; /* what a cookie must say of an error */
}
static int stream_seek(void *file, off64_t *to, int whence) {
    off64_t at = lseek64((int)(long)file, *to, whence);
    if (at < 0) return -1;
    *to = at;
    return 0;
}
static int stream_close(void *file) { return close((int)(long)file); }
FILE *fopen(const char *restrict path, const char *restrict mode) {
    cookie_io_functions_t io;
    int flags = *mode == 'r' ? O_RDONLY : O_WRONLY | O_CREAT | (*mode == 'w' ? O_TRUNC : O_APPEND);
    int fd = open_call(path, flags, 0666);
    FILE *f;
    if (fd < 0) return NULL;
    io.read = stream_read, io.write = stream_write, io.seek = stream_seek, io.close = stream_close;
    f = fopencookie((void *)(long)fd, mode, io);
    if (!f) syscall(SYS_close, fd);
    return f;
}
FILE *fopen64(const char *restrict path, const char *restrict mode) { return fopen(path, mode); }
