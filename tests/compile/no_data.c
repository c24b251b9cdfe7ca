/* VAE_NO_DATA: no IDX and gzip; arrays are data as ever (run.sh looks for what must not be there). */
#define VAE_NO_DATA
#define VAE_IMPLEMENTATION
#include "../../vae.h"
#include "loop.h"

int main(void) { return loop(); }
