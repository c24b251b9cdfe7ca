/* VAE_STATIC: two files of one program, each with a private copy (see static_b.c). */
#define VAE_STATIC
#define VAE_IMPLEMENTATION
#include "../../vae.h"
#include "loop.h"

int other_loop(void);

int main(void) { return loop() || other_loop(); }
