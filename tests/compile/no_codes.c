/* VAE_NO_CODES: posteriors and priors other than normal are an error that says so; the rest is as
 * ever. */
#define VAE_NO_CODES
#define VAE_IMPLEMENTATION
#include "../../vae.h"
#include "loop.h"

int main(void) { return loop(); }
