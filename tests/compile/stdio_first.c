/* System headers first, so that no feature macro of ours can reach them: compiled by -std=c99. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if (defined(__x86_64__) || defined(__i386__)) && !defined(__TINYC__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif
#define VAE_IMPLEMENTATION
#include "../../vae.h"
#include "loop.h"

int main(void) { return loop(); }
