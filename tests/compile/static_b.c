/* The second private copy of static_a.c's program. */
#define VAE_STATIC
#define VAE_IMPLEMENTATION
#include "../../vae.h"
#include "loop.h"

int other_loop(void);
int other_loop(void) { return loop(); }
