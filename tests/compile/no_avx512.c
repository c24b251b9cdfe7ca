/* VAE_NO_AVX512: no pass for AVX-512, the same bits. */
#define VAE_NO_AVX512
#define VAE_IMPLEMENTATION
#include "../../vae.h"
#include "no_avx.h"

int main(void) { return loop_without(VAE_ISA_AVX512); }
