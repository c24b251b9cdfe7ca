/* vae.h and its implementation, compiled once for all tests: tests/run.c includes this file, and
 * `make build/tests` compiles it alone, with private functions that other files can call. */
#ifndef VAE__PRIVATE
#define VAE__PRIVATE extern
#endif
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "test.h"

/* Two functions of the portable pass that are in no table. */
float test_portable_fma(float a, float b, float c) { return vae__v_fma_portable(a, b, c); }
float test_portable_log(uint32_t bits) { return vae__v_log_core_portable(bits); }
