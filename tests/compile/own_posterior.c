/* A vae.h with the posterior that the manual shows put in: it is listed, draws, trains with every
 * objective that makes sense, its gradients are right, and a file names it. */
#define VAE_IMPLEMENTATION
#include "vae.h"
#include "loop.h"

static int fail(const char *why) { return loop_fail("own posterior", why); }

int main(void) {
    static float x[8 * 12], z[8 * 2], mu[8 * 2], kl[8];
    static char file[1 << 16];
    vae_desc desc, got;
    vae_report report;
    vae_stats stats;
    vae *model = NULL;
    vae_batch batch;
    double sum = 0, squares = 0, nats = 0, worst;
    size_t size = 0;
    int i, j, way, listed = 0;
    for (i = 0; vae_kind_syntax(VAE_TABLE_POSTERIOR, i, NULL); i++)
        listed += !strcmp(vae_kind_syntax(VAE_TABLE_POSTERIOR, i, NULL), "flat");
    if (!listed) return fail("is not listed");
    for (i = 0; i < 8 * 12; i++) x[i] = (float)(i * 7 % 13) / 16;
    memset(&batch, 0, sizeof batch);
    memset(&desc, 0, sizeof desc);
    desc.input = "12", desc.latent = 2, desc.batch = 8, desc.posterior = "flat";
    desc.encoder = "dense 9 tanh", desc.decoder = "dense 5 tanh", desc.init = VAE_INIT_ZERO;
    if (vae_create(&desc, &model, &report)) return fail(report.text);
    batch.x = x, batch.rows = 8;
    for (i = 0; i < 1000; i++) { /* from -1 to 1 */
        batch.first = 8 * (uint32_t)i;
        if (vae_posterior(model, &batch, z) || vae_score(model, &batch, NULL, NULL, kl))
            return fail(vae_last_report(model)->text);
        for (j = 0; j < 16; j++) {
            if (!(z[j] >= -1 && z[j] <= 1)) return fail("draws beyond its ends");
            sum += (double)z[j] / 16000, squares += (double)(z[j] * z[j]) / 16000;
        }
        for (j = 0; j < 8; j++) nats += (double)kl[j] / 8000;
    }
    if (!(sum > -0.02 && sum < 0.02 && squares > 0.32 && squares < 0.35))
        return fail("draws have another mean or variance");
    /* 2 (1/2 log 2 pi + 1/6 - log 2) */
    if (!(nats > 0.774 && nats < 0.794)) return fail("another KL than the exact one");
    vae_destroy(model);
    desc.init = VAE_INIT_AUTO, desc.lr = 1e-2;
    for (way = 0; way < 3; way++) {
        desc.objective = way == 2 ? VAE_OBJECTIVE_IWAE : VAE_OBJECTIVE_ELBO;
        desc.samples = way ? 3 : 1;
        worst = 1;
        batch.first = 0;
        if (vae_create(&desc, &model, &report)) return fail(report.text);
        if (vae_check_gradients(model, &batch, 3, &worst) || !(worst < 1e-2))
            return fail("its gradient is wrong");
        for (i = 0; i < 200; i++)
            if (vae_train_step(model, &batch, &stats)) return fail(vae_last_report(model)->text);
        if (!(stats.loss < 9)) return fail("does not learn");
        if (way < 2) vae_destroy(model);
    }
    if (vae_encode(model, &batch, mu, NULL)) return fail(vae_last_report(model)->text);
    if (vae_save_size(model, 0, &size) || size > sizeof file ||
        vae_save_memory(model, 0, file, sizeof file))
        return fail(vae_last_report(model)->text);
    vae_destroy(model);
    if (vae_load_memory(file, size, NULL, &model, &report)) return fail(report.text);
    vae_get_desc(model, &got);
    if (strcmp(got.posterior, "flat")) return fail("a file has another");
    vae_destroy(model);
    desc.objective = VAE_OBJECTIVE_ELBO, desc.free_bits = 0.1;
    if (vae_create(&desc, &model, &report) != VAE_ERR_VALUE) return fail("takes free bits");
    return loop();
}
