/* The runner: which rooms of tests there are, and what they say. */
#include "test.h"
#include <stdarg.h>

#define ROOMS(X) \
    X(status) X(arena) X(rng) X(math) X(threads) X(gemm) X(simd128) X(kernels) X(layers) X(losses) X(optim) \
    X(likelihoods) X(desc) X(model) X(train) X(eval) X(numbers) X(io) X(safetensors) \
    X(objectives) X(iwae) X(stochastic) X(labels) X(stopping) X(penalties) X(codes) X(posteriors) X(linear) \
    X(share) X(data) X(shapes) X(faces) X(figures) X(images) X(golden) X(old) X(gmm) X(pixels) X(recurrent) \
    X(priors) X(mixtures) X(categories) X(logistic_mixture) \
    X(complete) X(codes_review) X(wide)
#define X(name) void tests_##name(void);
ROOMS(X)
#undef X

const char *test_skip_reason;
int test_long, test_bad;
static int test_passed, test_failed, test_skipped; /* whole run */
static const char *test_room;
enum { TEST_FILTERS = 64 };
static const char *test_filter[TEST_FILTERS];      /* parts of names (none: all); -part: not these */
static int test_filters, test_found[TEST_FILTERS]; /* found: of how many tests it is a part */

void test_report(const char *file, int line, const char *format, ...) {
    va_list args;
    if (test_bad++ >= 5) return; /* the first few say enough */
    printf("    %s:%d: ", file, line);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
}

static int test_wanted(const char *name) {
    int i, wanted = -1, left_out = 0; /* wanted -1: nobody asks for tests by name */
    for (i = 0; i < test_filters; i++) {
        const int out = *test_filter[i] == '-', found = !!strstr(name, test_filter[i] + out);
        if (!out && wanted < 0) wanted = 0;
        if (!found && (out || !strstr(test_room, test_filter[i]))) continue;
        test_found[i]++;
        if (out) left_out = 1;
        else wanted = 1;
    }
    return wanted && !left_out;
}

void test_run(const char *name, void (*fn)(void)) {
    if (!test_wanted(name)) return;
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

int main(int argc, char **argv) {
    int i, isa;
    for (i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--long")) test_long = 1;
        else if (test_filters < TEST_FILTERS) test_filter[test_filters++] = argv[i];
    }
    for (isa = VAE_ISA_PORTABLE; isa < VAE_ISA_COUNT; isa++)
        if (!vae_isa_available((vae_isa)isa))
            printf("skip instruction set %s: not in this build or on this processor\n",
                   vae_choice_name(VAE_CHOICE_ISA, isa));
#define X(name) test_room = #name, tests_##name();
    ROOMS(X)
#undef X
    for (i = 0; i < test_filters; i++)
        if (!test_found[i]) printf("FAIL %s: no test has that name\n", test_filter[i]), test_failed++;
    printf("%d passed, %d failed, %d skipped\n", test_passed, test_failed, test_skipped);
    return test_failed != 0;
}
