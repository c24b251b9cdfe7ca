/* VAE_SELF: the header under another name; run.sh copies vae.h to net.h in a folder of its own. */
#define VAE_SELF "net.h"
#define VAE_IMPLEMENTATION
#include "net.h"
#include "loop.h"

int main(void) { return loop(); }
