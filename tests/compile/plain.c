/* The ordinary way: one file, implementation and all. */
#define VAE_IMPLEMENTATION
#include "../../vae.h"
#include "loop.h"

int main(void) { return loop(); }
