/* The runner's few words. Each tests/test_<room>.c is included by tests/run.c after vae.h with its
 * implementation, so that private functions can be tested too. A test's name is a sentence. */
#ifndef VAE_TEST_H
#define VAE_TEST_H
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int test_passed, test_failed, test_skipped; /* whole run */
static int test_bad;                               /* failed checks of the running test */
static const char *test_skip_reason;               /* set by SKIP */
static const char *test_room, *test_filter;
static int test_long; /* the long suite is asked for */

#define TEST(name) static void test_##name(void)
#define TESTS(room) static void tests_##room(void)
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

static void test_report(const char *file, int line, const char *format, ...);
static int test_says(const char *text, const char *word) { return strstr(text, word) != NULL; }
static void test_run(const char *name, void (*fn)(void));

#include <stdarg.h>
static void test_report(const char *file, int line, const char *format, ...) {
    va_list args;
    if (test_bad++ >= 5) return; /* the first few say enough */
    printf("    %s:%d: ", file, line);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
}

static void test_run(const char *name, void (*fn)(void)) {
    if (test_filter && !strstr(name, test_filter) && !strstr(test_room, test_filter)) return;
    test_bad = 0;
    test_skip_reason = NULL;
    fn();
    if (test_bad) {
        test_failed++;
        printf("FAIL %s: %s\n", test_room, name);
    } else if (test_skip_reason) {
        test_skipped++;
        printf("skip %s: %s (%s)\n", test_room, name, test_skip_reason);
    } else {
        test_passed++;
    }
    fflush(stdout);
}
#endif
