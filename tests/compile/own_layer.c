/* A vae.h with the layer that the manual shows put in: it is listed, computes, and its gradient is right. */
#define VAE_IMPLEMENTATION
#include "vae.h"
#include "loop.h"

int main(void) {
    float x[4 * 12], plain[4 * 2], twice[4 * 2];
    double worst = 1;
    vae_desc desc;
    vae_report report;
    vae *model = NULL;
    vae_batch batch;
    int i, listed = 0;
    for (i = 0; vae_kind_syntax(VAE_TABLE_LAYER, i, NULL); i++) listed += !strcmp(vae_kind_syntax(VAE_TABLE_LAYER, i, NULL), "twice");
    if (!listed) return loop_fail("own layer", "is not listed");
    for (i = 0; i < 4 * 12; i++) x[i] = (float)(i * 7 % 13) / 16;
    memset(&batch, 0, sizeof batch);
    batch.x = x, batch.rows = 4;
    for (i = 0; i < 2; i++) {
        memset(&desc, 0, sizeof desc);
        desc.input = "12", desc.latent = 2, desc.batch = 4;
        desc.encoder = i ? "twice" : "", desc.decoder = i ? "dense 5 tanh, twice" : "dense 5 tanh";
        if (vae_create(&desc, &model, &report)) return loop_fail("own layer", report.text);
        if (vae_encode(model, &batch, i ? twice : plain, NULL))
            return loop_fail("own layer", vae_last_report(model)->text);
        if (i && (vae_check_gradients(model, &batch, 3, &worst) || !(worst < 1e-2)))
            return loop_fail("own layer", "its gradient is wrong");
        vae_destroy(model);
    }
    for (i = 0; i < 4 * 2; i++)
        if (twice[i] - 2 * plain[i] > 1e-5f || 2 * plain[i] - twice[i] > 1e-5f)
            return loop_fail("own layer", "does not double");
    return loop();
}
