/* VAE_SSE2: on x86-64 gcc and clang make a pass of four floats without FMA; the same bits. */
#define VAE_SSE2
#define VAE_NO_AVX2
#define VAE_NO_AVX512
#define VAE_IMPLEMENTATION
#include "../../vae.h"
#include "loop.h"

int main(void) {
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__TINYC__)
    if (vae_isa_best() != VAE_ISA_SIMD128) return loop_fail("simd128", "is not there");
#else
    if (vae_isa_available(VAE_ISA_SIMD128)) return loop_fail("simd128", "is there");
#endif
    return loop();
}
