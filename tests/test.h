/* The runner's few words. Before any file of tests stands vae.h with its implementation, or what
 * tests/private.awk leaves of it, so that private functions can be tested too. Tables are copies
 * there: compare what they hold, not where they lie. A test's name is a sentence. */
#ifndef VAE_TEST_H
#define VAE_TEST_H
#include "../vae.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if (defined(__x86_64__) || defined(__i386__)) && (defined(__GNUC__) || defined(__clang__)) && \
    !defined(__TINYC__)
#include <immintrin.h> /* tests of the floating-point environment set its control word */
#endif

extern const char *test_skip_reason; /* set by SKIP */
extern int test_long;                /* the long suite is asked for */
extern int test_bad;                 /* failed checks of the running test */

#define TEST(name) static void test_##name(void)
#define TESTS(room) void tests_##room(void)
#define RUN(name) test_run(#name, test_##name)
#define SKIP(reason) \
    do { test_skip_reason = (reason); return; } while (0)
/* The rows of a call: BATCH(x, rows), BATCH(x, rows, .first = 9, .eps = eps) ... */
#define BATCH(pixels, ...) (&(const vae_batch){.x = (pixels), .rows = __VA_ARGS__})
#define CHECK(cond) \
    do { if (!(cond)) test_report(__FILE__, __LINE__, "%s", #cond); } while (0)
#define CHECK_EQ(got, want) \
    do { \
        long long test_g = (long long)(got), test_w = (long long)(want); \
        if (test_g != test_w) \
            test_report(__FILE__, __LINE__, "%s is %lld, not %lld", #got, test_g, test_w); \
    } while (0)
#define CHECK_STATUS(call, want) \
    do { \
        vae_status test_g = (call); \
        if (test_g != (want)) \
            test_report(__FILE__, __LINE__, "%s gave \"%s\", not %s", #call, \
                        vae_status_text(test_g), #want); \
    } while (0)
/* Passes only when |got - want| <= tol, so a NaN fails. */
#define CHECK_NEAR(got, want, tol) \
    do { \
        double test_g = (got), test_w = (want), test_t = (tol); \
        if (!(fabs(test_g - test_w) <= test_t)) \
            test_report(__FILE__, __LINE__, "%s is %.9g, not %.9g within %.3g", #got, test_g, \
                        test_w, test_t); \
    } while (0)
/* The report's sentence holds this word. */
#define CHECK_SAYS(report, word) \
    do { \
        if (!test_says((report).text, (word))) \
            test_report(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", (report).text, (word)); \
    } while (0)

static inline int test_says(const char *text, const char *word) {
    return strstr(text, word) != NULL;
}
void test_report(const char *file, int line, const char *format, ...);
void test_run(const char *name, void (*fn)(void));

/* of tests/lib.c */
float test_portable_fma(float a, float b, float c);
float test_portable_log(uint32_t bits);
#endif
