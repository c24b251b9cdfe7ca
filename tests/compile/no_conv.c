/* VAE_NO_CONV: convolutions and pools are an error that says so; the rest is as ever. */
#define VAE_NO_CONV
#define VAE_IMPLEMENTATION
#include "../../vae.h"
#include "loop.h"

int main(void) {
    static const char *const words[] = {"conv 4 3x3", "convt 4 3x3", "maxpool 2", "avgpool 2",
                                        "upsample 2"};
    vae_report report;
    vae_desc d;
    vae *m = NULL;
    size_t i;
    for (i = 0; i < sizeof words / sizeof *words; i++) {
        memset(&d, 0, sizeof d);
        d.input = "4x4x1", d.encoder = words[i], d.decoder = "dense 4";
        if (vae_create(&d, &m, &report) != VAE_ERR_UNSUPPORTED || m) return loop_fail(words[i], "made");
        if (!strstr(report.text, "VAE_NO_CONV")) return loop_fail(words[i], report.text);
    }
    d.encoder = "reshape 2x8x1, flatten, batchnorm, dense 4 relu";
    if (vae_create(&d, &m, &report)) return loop_fail("create", report.text);
    vae_destroy(m);
    return loop();
}
