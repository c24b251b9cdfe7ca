/* VAE_NO_PORTABLE: vector passes alone, the same bits; a processor without them gets an error. */
#define VAE_NO_PORTABLE
#define VAE_IMPLEMENTATION
#include "../../vae.h"
#include "no_avx.h"

int main(void) {
    vae_desc desc;
    vae_report report;
    vae *model = NULL;
    uint32_t words[2] = {1, 1};
    vae_stream stream;
    if (vae_isa_best() != VAE_ISA_AUTO) return loop_without(VAE_ISA_PORTABLE);
    memset(&desc, 0, sizeof desc);
    memset(&stream, 0, sizeof stream);
    desc.input = "12";
    if (vae_create(&desc, &model, &report) != VAE_ERR_UNSUPPORTED)
        return loop_fail("vae_create", "goes on without kernels");
    vae_random_words(&stream, 1, 2, words);
    if (words[0] || words[1]) return loop_fail("vae_random_words", "is not zeros");
    puts(report.text);
    return 0;
}
