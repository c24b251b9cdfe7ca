/* MSVC's compiler, and clang-cl, for vae.h: clang for mingw-w64 with this header in front stands in for
 * them. It reads the system's headers as what it is, then takes the other's name:
 *     clang --target=x86_64-w64-mingw32 -fms-extensions -include tests/compile/msvc.h
 * With -DCLANG_CL it stays clang, and immintrin.h hides what the flags do not ask for. */
#if defined(CLANG_CL)
#define __X86INTRIN_H /* or windows.h brings all of immintrin.h */
#endif
#define __USE_MINGW_ANSI_STDIO 1
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <direct.h>
#include <errno.h>
#include <fcntl.h>
#include <float.h>
#include <io.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <windows.h>
#undef WIN32_LEAN_AND_MEAN
#undef NOMINMAX
#ifndef CLANG_CL
#include <immintrin.h>
#include <intrin.h>
#define __INTRIN_H /* clang's own has nothing to add when vae.h asks */
#undef _xgetbv
#define _xgetbv msvc_xgetbv /* clang's own wants a target that has it */
static __inline unsigned long long msvc_xgetbv(unsigned index) {
    unsigned low, high;
    __asm__ volatile(".byte 0x0f, 0x01, 0xd0" : "=a"(low), "=d"(high) : "c"(index));
    return (unsigned long long)high << 32 | low;
}
/* MSVC compiles intrinsics for any processor, clang inside a function with a target for it: the passes
 * get one where vae.h includes itself. */
#define VAE_SELF "msvc_pass.h"
#undef __clang__
#endif
#pragma clang diagnostic ignored "-Wbuiltin-macro-redefined"
#undef __GNUC__
#undef __GNUC_MINOR__
#undef __MINGW32__
#undef __MINGW64__
#undef __BYTE_ORDER__
#undef __GCC_ATOMIC_INT_LOCK_FREE
#undef __FP_FAST_FMAF
#ifndef CLANG_CL
#undef __x86_64__
#undef __SSE_MATH__
#undef __SSE2_MATH__
#undef __OPTIMIZE__
#undef __OPTIMIZE_SIZE__
#endif
#undef _MSC_VER
#define _MSC_VER 1929
#ifndef _M_X64
#define _M_X64 100
#endif
#undef __forceinline
#undef __declspec
#ifndef CLANG_CL
#pragma clang diagnostic ignored "-Wlanguage-extension-token" /* __forceinline */
#pragma clang diagnostic ignored "-Wunused-function" /* MSVC does not tell */
#pragma clang diagnostic ignored "-Wunknown-pragmas"  /* fp_contract; clang spells it ... */
#pragma STDC FP_CONTRACT OFF
#endif
