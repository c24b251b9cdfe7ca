/* VAE_NO_STDIO: the implementation without a file in it (run.sh looks at the object file for names
 * of stdio and of file calls); user.c, compiled with the same macro, is the program. */
#define VAE_NO_STDIO
#define VAE_IMPLEMENTATION
#include "../../vae.h"
