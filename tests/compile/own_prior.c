/* A vae.h with the prior that the manual shows put in: it is listed, trains, draws, and its gradients
 * are right; a file names it with its argument. */
#define VAE_IMPLEMENTATION
#include "vae.h"
#include "loop.h"

int main(void) {
    static float x[8 * 12], z[1000 * 2], kl[8];
    static char file[1 << 16];
    static const char named[] = "; prior=shifted 1.5";
    vae_desc desc, got;
    vae_report report;
    vae_stats stats;
    vae *model = NULL;
    vae_batch batch;
    double sum = 0, worst;
    size_t size = 0, at = 0;
    int i, way, listed = 0;
    for (i = 0; vae_kind_syntax(VAE_TABLE_PRIOR, i, NULL); i++)
        listed += !strcmp(vae_kind_syntax(VAE_TABLE_PRIOR, i, NULL), "shifted P");
    if (!listed) return loop_fail("own prior", "is not listed");
    for (i = 0; i < 8 * 12; i++) x[i] = (float)(i * 7 % 13) / 16;
    memset(&batch, 0, sizeof batch);
    memset(&desc, 0, sizeof desc);
    desc.input = "12", desc.latent = 2, desc.batch = 8, desc.prior = "shifted 1.50";
    desc.encoder = "dense 9 tanh", desc.decoder = "dense 5 tanh", desc.init = VAE_INIT_ZERO;
    if (vae_create(&desc, &model, &report)) return loop_fail("own prior", report.text);
    vae_get_desc(model, &got);
    if (strcmp(got.prior, "shifted 1.5")) return loop_fail("own prior", got.prior);
    batch.x = x, batch.rows = 8;
    for (i = 0, sum = 0; i < 4000; i++) {
        batch.first = 8 * (uint32_t)(i / 8);
        if (i % 8 == 0 && vae_score(model, &batch, NULL, NULL, kl))
            return loop_fail("own prior", "does not score");
        sum += (double)kl[i % 8] / 4000;
    }
    if (!(sum > 2.1 && sum < 2.4)) /* of N(0, 1) to N(1.5, 1), twice: 2.25; deviation 2.1 / sqrt 4000 */
        return loop_fail("own prior", "another KL than the closed form's");
    sum = 0, batch.first = 0;
    batch.x = NULL, batch.rows = 1000;
    if (vae_prior(model, &batch, 5, z)) return loop_fail("own prior", "does not draw");
    for (i = 0; i < 1000 * 2; i++) sum += (double)z[i] / 2000;
    if (!(sum > 1.4 && sum < 1.6)) return loop_fail("own prior", "draws have another mean");
    vae_destroy(model);
    desc.init = VAE_INIT_AUTO, desc.lr = 1e-2;
    for (way = 0; way < 3; way++) {
        desc.objective = way == 2 ? VAE_OBJECTIVE_IWAE : VAE_OBJECTIVE_ELBO;
        desc.samples = way ? 3 : 1;
        batch.x = x, batch.rows = 8, worst = 1;
        if (vae_create(&desc, &model, &report)) return loop_fail("own prior", report.text);
        if (vae_check_gradients(model, &batch, 3, &worst) || !(worst < 1e-2))
            return loop_fail("own prior", "its gradient is wrong");
        for (i = 0; i < 200; i++)
            if (vae_train_step(model, &batch, &stats))
                return loop_fail("own prior", vae_last_report(model)->text);
        if (!(stats.kl < 2)) return loop_fail("own prior", "does not learn");
        if (way < 2) vae_destroy(model);
    }
    if (vae_save_size(model, 0, &size) || size > sizeof file ||
        vae_save_memory(model, 0, file, sizeof file))
        return loop_fail("own prior", vae_last_report(model)->text);
    while (at < size && memcmp(file + at, named, sizeof named - 1)) at++;
    vae_destroy(model);
    if (at == size) return loop_fail("own prior", "no file names it");
    if (vae_load_memory(file, size, NULL, &model, &report)) return loop_fail("own prior", report.text);
    vae_get_desc(model, &got);
    if (strcmp(got.prior, "shifted 1.5")) return loop_fail("own prior", "a file has another");
    vae_destroy(model);
    return loop();
}
