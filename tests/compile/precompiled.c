/* run.sh precompiles vae.h, with and without VAE_IMPLEMENTATION, and compiles this against it (with
 * impl.c when the header alone was precompiled). */
#include "vae.h"
#include "loop.h"

int main(void) { return loop(); }
