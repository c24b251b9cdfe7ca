/* The library with every call that the system may refuse led through functions of the test: include
 * this in place of vae.h. The test defines hook_open and the rest, with the arguments of the calls
 * themselves. The system's headers come first, so that their declarations keep their names. */
#ifndef HOOKS_H
#define HOOKS_H
#define _GNU_SOURCE 1
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static int hook_open(const char *path, int flags, int mode);
static ssize_t hook_read(int file, void *to, size_t count);
static ssize_t hook_write(int file, const void *from, size_t count);
static int hook_close(int file);
static int hook_fsync(int file);
static int hook_flock(int file, int how);
static int hook_fcntl(int file, int what, int value);
static int hook_stat(const char *path, struct stat *s);
static int hook_fstat(int file, struct stat *s);
static int hook_fchmod(int file, mode_t mode);
static int hook_fchown(int file, uid_t user, gid_t group);
static int hook_rename(const char *from, const char *to);
static int hook_unlink(const char *path);
static int hook_remove(const char *path);
static int hook_thread(pthread_t *t, const pthread_attr_t *a, void *(*run)(void *), void *arg);
static int hook_mutex(pthread_mutex_t *m, const pthread_mutexattr_t *a);
static int hook_cond(pthread_cond_t *c, const pthread_condattr_t *a);
static void *hook_malloc(size_t size);
static void hook_free(void *p);

#define VAE_MALLOC(size) hook_malloc(size)
#define VAE_FREE(p) hook_free(p)
#define open(path, flags, mode) hook_open(path, flags, mode)
#define read(file, to, count) hook_read(file, to, count)
#define write(file, from, count) hook_write(file, from, count)
#define close(file) hook_close(file)
#define fsync(file) hook_fsync(file)
#define flock(file, how) hook_flock(file, how)
#define fcntl(file, what, value) hook_fcntl(file, what, value)
#define stat(path, s) hook_stat(path, s)
#define fstat(file, s) hook_fstat(file, s)
#define fchmod(file, mode) hook_fchmod(file, mode)
#define fchown(file, user, group) hook_fchown(file, user, group)
#define rename(from, to) hook_rename(from, to)
#define unlink(path) hook_unlink(path)
#define remove(path) hook_remove(path)
#define pthread_create(t, a, run, arg) hook_thread(t, a, run, arg)
#define pthread_mutex_init(m, a) hook_mutex(m, a)
#define pthread_cond_init(c, a) hook_cond(c, a)

#define VAE_IMPLEMENTATION
#include "../vae.h"

#undef open
#undef read
#undef write
#undef close
#undef fsync
#undef flock
#undef fcntl
#undef stat
#undef fstat
#undef fchmod
#undef fchown
#undef rename
#undef unlink
#undef remove
#undef pthread_create
#undef pthread_mutex_init
#undef pthread_cond_init
#endif
