/* A build without one of the vector passes: no kernels of it, and the others as ever. */
#include "loop.h"

static int loop_without(vae_isa isa) {
    int best = VAE_ISA_COUNT;
    if (vae_isa_available(isa)) return loop_fail(vae_choice_name(VAE_CHOICE_ISA, (int)isa), "is there");
    while (--best > VAE_ISA_PORTABLE && !vae_isa_available((vae_isa)best)) {}
    if (vae_isa_best() != (vae_isa)best) return loop_fail("vae_isa_best", "is not the last there is");
    return loop();
}
