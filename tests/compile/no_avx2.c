/* VAE_NO_AVX2: no pass for AVX2, the same bits. */
#define VAE_NO_AVX2
#define VAE_IMPLEMENTATION
#include "../../vae.h"
#include "no_avx.h"

int main(void) { return loop_without(VAE_ISA_AVX2); }
