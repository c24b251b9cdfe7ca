/* VAE_NO_DENSITIES: bernoulli and the gaussians; another likelihood is refused (run.sh looks at the object
 * file for the functions that are left out). */
#define VAE_NO_DENSITIES
#define VAE_IMPLEMENTATION
#include "../../vae.h"
#include "loop.h"

int main(void) {
    static const char *const out[] = {"gaussian_pixel", "continuous_bernoulli", "logistic 0.1",
                                      "logistic_pixel", "categorical 4"};
    vae_desc desc;
    vae *model;
    size_t i;
    for (i = 0; i < sizeof out / sizeof *out; i++) {
        memset(&desc, 0, sizeof desc);
        desc.input = "12", desc.likelihood = out[i];
        if (vae_create(&desc, &model, NULL) != VAE_ERR_UNSUPPORTED)
            return loop_fail(out[i], "is not refused");
    }
    desc.likelihood = "gaussian 0.5";
    if (vae_create(&desc, &model, NULL)) return loop_fail("gaussian", "is refused");
    vae_destroy(model);
    return loop();
}
