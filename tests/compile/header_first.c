/* Included plainly, then with the implementation, then once more each way, in one file. */
#include "../../vae.h"
#include "loop.h"
#include "../../vae.h"
#define VAE_IMPLEMENTATION
#include "../../vae.h"
#include "../../vae.h"
#undef VAE_IMPLEMENTATION
#include "../../vae.h"

int main(void) { return loop(); }
