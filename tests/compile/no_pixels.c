/* VAE_NO_PIXELS: the layers behind `image` and logistic_mixture are an error that says so; the rest is
 * as ever. */
#define VAE_NO_PIXELS
#define VAE_IMPLEMENTATION
#include "../../vae.h"
#include "loop.h"

int main(void) {
    static const char *const words[] = {"image", "maskconv 4 3x3 a", "gated", "diaglstm 2"};
    vae_report report;
    vae_desc d;
    vae *m = NULL;
    size_t i;
    for (i = 0; i < sizeof words / sizeof *words; i++) {
        memset(&d, 0, sizeof d);
        d.input = "4x4x1", d.encoder = "dense 4", d.decoder = words[i];
        if (vae_create(&d, &m, &report) != VAE_ERR_UNSUPPORTED || m) return loop_fail(words[i], "made");
        if (!strstr(report.text, "VAE_NO_PIXELS")) return loop_fail(words[i], report.text);
    }
    d.decoder = "dense 16, reshape 4x4x1, res(conv 1 3x3 relu), tanh";
    d.likelihood = "logistic_mixture 2";
    if (vae_create(&d, &m, &report) != VAE_ERR_UNSUPPORTED || m) return loop_fail(d.likelihood, "made");
    d.likelihood = NULL;
    if (vae_create(&d, &m, &report)) return loop_fail("create", report.text);
    vae_destroy(m);
    return loop();
}
