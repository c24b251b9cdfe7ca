/* The implementation alone. */
#define VAE_IMPLEMENTATION
#include "../../vae.h"
