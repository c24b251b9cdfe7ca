/* ======================================================================================
 * platform.h   what differs between systems and compilers, and the headers of all rooms
 * uses: the system, vae.h
 * tests: tests/matrix.sh compiles it everywhere
 * ==================================================================================== */
#ifndef VAE_TOOL_PLATFORM_H
#define VAE_TOOL_PLATFORM_H

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
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>
#elif defined(_WIN32)
#include <fcntl.h>
#include <io.h>
#endif
#ifdef __linux__
#include <sched.h>
#endif

#include "../vae.h"

#ifdef VAE__POP_FPMATH /* the command's own sums too are made by SSE2, not by the 387 */
#pragma GCC target("sse2,fpmath=sse")
#endif

typedef unsigned long long ull; /* what %llu prints */

#ifdef __GNUC__
#define FORMAT(at) __attribute__((format(printf, at, at + 1)))
#define NORETURN __attribute__((noreturn))
#else
#define FORMAT(at)
#define NORETURN
#endif

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

#endif
