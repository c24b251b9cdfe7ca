/* libFuzzer target: any bytes as raw deflate, for vae_inflate and for zlib, which must agree.
 *     clang -g -O1 -fsanitize=fuzzer,address,undefined -DVAE_ONLY_PORTABLE tests/fuzz_inflate.c \
 *         -lz -o fuzz_inflate
 *     ./fuzz_inflate -max_len=4096 work tests/seeds/inflate
 * Both accept or both refuse; the bytes are the same, and as many of the input are used. With room
 * for a byte more vae_inflate refuses; with room for a byte less it says so, and gives the others. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "fuzz.h"

#include <zlib.h>

enum { MOST = 4 << 20 }; /* 4 KB become at most this */
static unsigned char want[MOST], got[MOST + 1];

/* Into `want`: whether it is whole; how many bytes it gives and takes. */
static int by_zlib(const uint8_t *bytes, size_t size, size_t *out, size_t *used) {
    z_stream z;
    int result;
    memset(&z, 0, sizeof z);
    if (inflateInit2(&z, -15) != Z_OK) abort();
    z.next_in = (z_const Bytef *)(uintptr_t)bytes, z.avail_in = (uInt)size;
    z.next_out = want, z.avail_out = MOST;
    result = inflate(&z, Z_FINISH);
    *out = z.total_out, *used = z.total_in;
    inflateEnd(&z);
    if (result == Z_BUF_ERROR && *out == MOST) return -1; /* too long for this test */
    return result == Z_STREAM_END;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    const vae_allocator a = fuzz_allocator();
    size_t out = 0, used = 0, used2 = 0;
    vae_report r;
    vae_status status;
    const int whole = by_zlib(bytes, size, &out, &used);
    if (whole < 0) return 0;
    fuzz_begin(bytes, size);
    status = vae_inflate(bytes, size, "fuzz", &a, got, out, &used2, &r);
    if (whole) {
        if (status) fprintf(stderr, "zlib accepts it: %s\n", r.text);
        FUZZ_CHECK(status == VAE_OK && used2 == used && !memcmp(got, want, out));
        FUZZ_CHECK(vae_inflate(bytes, size, "fuzz", &a, got, out + 1, NULL, &r) == VAE_ERR_FORMAT);
        if (out) {
            got[out - 1] = (unsigned char)~want[out - 1];
            FUZZ_CHECK(vae_inflate(bytes, size, "fuzz", &a, got, out - 1, NULL, &r) ==
                       VAE_ERR_SIZE);
            FUZZ_CHECK(!memcmp(got, want, out - 1) && got[out - 1] != want[out - 1]);
        }
    } else {
        FUZZ_CHECK(status == VAE_ERR_FORMAT || status == VAE_ERR_SIZE);
        fuzz_refused(status, &r);
        FUZZ_CHECK(!strncmp(r.text, "fuzz: ", 6));
    }
    fuzz_end();
    return 0;
}
