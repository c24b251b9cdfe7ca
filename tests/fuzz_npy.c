/* libFuzzer target: any bytes as a NumPy file, for tools/npy.h.
 *     clang -g -O1 -fsanitize=fuzzer,address,undefined -DVAE_ONLY_PORTABLE tests/fuzz_npy.c \
 *         -o fuzz_npy
 *     ./fuzz_npy -max_len=4096 -dict=tests/seeds/npy.dict work tests/seeds/npy
 * A table that is read has as many numbers as there are bytes, and written and read again it is
 * the same; what is refused says why. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "../tools/npy.h"
#include "fuzz.h"

static void round_trip(const float *values, size_t rows, size_t cols) {
    const size_t count = rows * cols, size = NPY_HEAD + 4 * count;
    uint8_t *file = (uint8_t *)malloc(size);
    float *again = NULL;
    char error[160];
    size_t rows2 = 0, cols2 = 0;
    npy_head(file, rows, cols);
    npy_pack(values, count, file + NPY_HEAD);
    FUZZ_CHECK(npy_parse(file, size, &again, &rows2, &cols2, error));
    FUZZ_CHECK(rows2 == rows && cols2 == cols && !memcmp(values, again, 4 * count));
    free(again);
    free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    npy_array a;
    char error[160];
    float *values = NULL;
    size_t rows = 77, cols = 78, i;
    fuzz_begin(bytes, size);
    memset(error, 0x5a, sizeof error);
    if (npy_open(bytes, size, &a, error)) {
        FUZZ_CHECK(a.rank >= 0 && a.rank <= NPY_MAX_RANK);
        FUZZ_CHECK(a.start <= size && a.bytes == size - a.start);
        FUZZ_CHECK(memchr(a.descr, 0, sizeof a.descr));
    } else {
        FUZZ_CHECK(memchr(error, 0, sizeof error) && error[0]);
    }
    memset(error, 0x5a, sizeof error);
    if (npy_parse(bytes, size, &values, &rows, &cols, error)) {
        volatile float sum = 0;
        FUZZ_CHECK(rows && cols && rows <= size / 4 && cols <= size / 4 / rows);
        for (i = 0; i < rows * cols; i++) sum = sum + values[i] * 0;
        round_trip(values, rows, cols);
        free(values);
    } else {
        FUZZ_CHECK(memchr(error, 0, sizeof error) && error[0]);
        FUZZ_CHECK(!values && rows == 77 && cols == 78);
    }
    fuzz_end();
    return 0;
}
