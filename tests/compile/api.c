/* VAE_API of the user's own: here functions that another file of the program sees, but no other library. */
#if defined(__cplusplus)
#define VAE_API extern "C"
#elif defined(__GNUC__) && !defined(__TINYC__)
#define VAE_API extern __attribute__((__visibility__("hidden")))
#else
#define VAE_API extern
#endif
#define VAE_IMPLEMENTATION
#include "../../vae.h"
#include "loop.h"

int main(void) { return loop(); }
