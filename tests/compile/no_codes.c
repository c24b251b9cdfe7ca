/* VAE_NO_CODES: posteriors, flows and priors other than normal are an error that says so; the rest is
 * as ever. */
#define VAE_NO_CODES
#define VAE_IMPLEMENTATION
#include "../../vae.h"
#include "loop.h"

int main(void) {
    static const char *const words[] = {"normal full", "normal, planar 2", "normal, iaf 8 2", "prior mixture 3",
                                        "prior vamp 3"};
    vae_report report;
    vae_desc d;
    vae *m = NULL;
    size_t i;
    memset(&d, 0, sizeof d);
    d.input = "4x4x1";
    for (i = 0; i < sizeof words / sizeof *words; i++) {
        const int prior = !strncmp(words[i], "prior ", 6);
        d.posterior = prior ? NULL : words[i], d.prior = prior ? words[i] + 6 : NULL;
        if (vae_create(&d, &m, &report) != VAE_ERR_UNSUPPORTED || m) return loop_fail(words[i], "made");
        if (!strstr(report.text, "left out of this build")) return loop_fail(words[i], report.text);
    }
    return loop();
}
