/* VAE_ALLOW_X87: where only the 387 is there, compiling is refused without it and works with it. On
 * other machines it changes nothing. */
#define VAE_ALLOW_X87
#define VAE_IMPLEMENTATION
#include "../../vae.h"
#include "loop.h"

int main(void) { return loop(); }
