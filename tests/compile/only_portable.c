/* VAE_ONLY_PORTABLE: no SIMD pass, the same bits. */
#ifndef VAE_ONLY_PORTABLE
#define VAE_ONLY_PORTABLE
#endif
#define VAE_IMPLEMENTATION
#include "../../vae.h"
#include "loop.h"

int main(void) {
    int isa;
    for (isa = VAE_ISA_PORTABLE + 1; isa < VAE_ISA_COUNT; isa++)
        if (vae_isa_available((vae_isa)isa)) return loop_fail("portable build", "holds SIMD");
    if (vae_isa_best() != VAE_ISA_PORTABLE) return loop_fail("portable build", "wrong best");
    return loop();
}
