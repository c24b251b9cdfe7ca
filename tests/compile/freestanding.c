/* VAE_FREESTANDING: no malloc, no files, no threads, and no header but those that C asks of
 * a freestanding compiler (run.sh; tests/devices.sh runs it where no system is). */
#define VAE_FREESTANDING
#define VAE_IMPLEMENTATION
#include "../../vae.h"
