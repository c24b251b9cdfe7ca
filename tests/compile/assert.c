/* VAE_ASSERT: the library's own invariants hold throughout. */
static int broken;
#define VAE_ASSERT(cond) ((void)((cond) ? 0 : broken++))
#define VAE_IMPLEMENTATION
#include "../../vae.h"
#include "loop.h"

int main(void) {
    if (loop()) return 1;
    return broken ? loop_fail("VAE_ASSERT", "an invariant is broken") : 0;
}
