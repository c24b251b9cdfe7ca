/* libFuzzer target: three lines as input, encoder and decoder.
 *     clang -g -O1 -fsanitize=fuzzer,address,undefined -DVAE_ONLY_PORTABLE tests/fuzz_arch.c \
 *         -o fuzz_arch
 *     ./fuzz_arch -max_len=4096 -dict=tests/seeds/arch.dict work tests/seeds/arch
 * What is accepted has a canonical spelling, which is its own canonical spelling; a small network
 * is made, used and trained. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "fuzz.h"

static char input[4097], encoder[4097], decoder[4097];

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    vae_desc d, spelled;
    vae *m = NULL, *again = NULL;
    vae_report r;
    size_t need = 0, need2 = 0;
    vae_status status;
    fuzz_begin(bytes, size);
    fuzz_line(input, sizeof input);
    fuzz_line(encoder, sizeof encoder);
    fuzz_line(decoder, sizeof decoder);
    memset(&d, 0, sizeof d);
    d.input = input, d.encoder = encoder, d.decoder = decoder;
    d.latent = 1 + (int)(size % 5), d.batch = 2;
    d.allocator = fuzz_allocator();
    status = vae_size(&d, &need, &r);
    if (status) {
        fuzz_refused(status, &r);
        FUZZ_CHECK(status == VAE_ERR_SYNTAX || status == VAE_ERR_SHAPE || status == VAE_ERR_SIZE ||
                   status == VAE_ERR_VALUE);
        FUZZ_CHECK(vae_create(&d, &m, NULL) == status && !m);
    } else if (need < (size_t)1 << 22) {
        FUZZ_CHECK(!vae_create(&d, &m, &r));
        vae_get_desc(m, &spelled);
        d.input = spelled.input, d.encoder = spelled.encoder, d.decoder = spelled.decoder;
        FUZZ_CHECK(!vae_size(&d, &need2, &r) && need2 <= need); /* texts may be shorter */
        FUZZ_CHECK(!vae_create(&d, &again, &r));
        vae_get_desc(again, &spelled);
        FUZZ_CHECK(!strcmp(d.input, spelled.input) && !strcmp(d.encoder, spelled.encoder));
        FUZZ_CHECK(!strcmp(d.decoder, spelled.decoder));
        FUZZ_CHECK(vae_params_hash(m) == vae_params_hash(again));
        fuzz_use(m);
    }
    vae_destroy(m), vae_destroy(again);
    fuzz_end();
    return 0;
}
