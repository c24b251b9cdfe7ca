/* A vae.h with the likelihood that the manual shows put in: it is listed, trains, draws, and its gradient
 * is right; a file names it. */
#define VAE_IMPLEMENTATION
#include "vae.h"
#include "loop.h"

int main(void) {
    static float x[8 * 12], z[500 * 2], drawn[500 * 12];
    static char file[1 << 16];
    static const char named[] = "likelihood=laplace; variance=";
    double worst = 1, first = 0, want = 0, sum = 0, far = 0;
    vae_desc desc;
    vae_report report;
    vae_stats stats;
    vae *model = NULL;
    vae_batch batch;
    size_t size = 0, at = 0;
    int i, listed = 0;
    for (i = 0; vae_kind_syntax(VAE_TABLE_LIKELIHOOD, i, NULL); i++)
        listed += !strcmp(vae_kind_syntax(VAE_TABLE_LIKELIHOOD, i, NULL), "laplace");
    if (!listed) return loop_fail("own likelihood", "is not listed");
    for (i = 0; i < 8 * 12; i++) x[i] = (float)(i * 7 % 13) / 4 - 1; /* any real numbers */
    memset(&batch, 0, sizeof batch);
    memset(&desc, 0, sizeof desc);
    desc.input = "12", desc.latent = 2, desc.batch = 8, desc.likelihood = " laplace ";
    desc.encoder = "dense 9 tanh", desc.decoder = "", desc.init = VAE_INIT_ZERO;
    if (vae_create(&desc, &model, &report)) return loop_fail("own likelihood", report.text);
    batch.x = x, batch.rows = 8;
    /* a network of zeros: the mean is 0, and draws are Laplace's, whose |x| has the mean 1 */
    if (vae_train_step(model, &batch, &stats)) return loop_fail("own likelihood", "first step");
    for (i = 0; i < 8 * 12; i++) want += (double)(x[i] < 0 ? -x[i] : x[i]) / 8;
    want += 12 * 0.69314718055994531;
    if (stats.recon - want > 1e-5 || want - stats.recon > 1e-5)
        return loop_fail("own likelihood", "another loss than the density's");
    vae_destroy(model);
    desc.init = VAE_INIT_AUTO;
    if (vae_create(&desc, &model, &report)) return loop_fail("own likelihood", report.text);
    if (vae_check_gradients(model, &batch, 3, &worst) || !(worst < 3e-2)) /* it has kinks */
        return loop_fail("own likelihood", "its gradient is wrong");
    for (i = 0; i < 300; i++) {
        if (vae_train_step(model, &batch, &stats))
            return loop_fail("own likelihood", vae_last_report(model)->text);
        if (!i) first = stats.recon;
    }
    if (!(stats.recon < first - 1)) return loop_fail("own likelihood", "does not learn");
    batch.x = z, batch.rows = 500; /* z = 0 */
    if (vae_draw(model, &batch, 3, drawn)) return loop_fail("own likelihood", "does not draw");
    for (i = 0; i < 500; i++) sum += (double)drawn[i * 12] / 500;
    if (vae_decode(model, &batch, drawn + 12)) return loop_fail("own likelihood", "does not decode");
    far = sum - (double)drawn[12];
    if (!(far < 0.3 && far > -0.3)) /* 4 deviations: sqrt(2 / 500) each */
        return loop_fail("own likelihood", "draws are elsewhere than their mean");
    if (vae_save_size(model, 0, &size) || size > sizeof file ||
        vae_save_memory(model, 0, file, sizeof file))
        return loop_fail("own likelihood", vae_last_report(model)->text);
    while (at < size && memcmp(file + at, named, sizeof named - 1)) at++;
    vae_destroy(model);
    if (at == size) return loop_fail("own likelihood", "no file names it");
    if (vae_load_memory(file, size, NULL, &model, &report))
        return loop_fail("own likelihood", report.text);
    vae_destroy(model);
    return loop();
}
