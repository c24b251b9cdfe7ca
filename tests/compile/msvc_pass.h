/* One pass of vae.h under tests/compile/msvc.h, with the target that its intrinsics ask clang for.
 * Passes are numbered like vae_isa: 3 is AVX2, 4 AVX-512. */
#if VAE__PASS == 3
#pragma clang attribute push(__attribute__((__target__("avx2,fma"))), apply_to = function)
#elif VAE__PASS == 4
#pragma clang attribute push( \
    __attribute__((__target__("avx2,fma,popcnt,avx512f,avx512dq,avx512bw,avx512vl"))), \
    apply_to = function)
#endif
#include "../../vae.h"
#if VAE__PASS == 3 || VAE__PASS == 4
#pragma clang attribute pop
#endif
