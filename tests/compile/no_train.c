/* VAE_NO_TRAIN: models are used only. Run where plain.c, compiled with LOOP_KEEP, left a trained one: the
 * same parameters, and every call that does not train. */
#define VAE_NO_TRAIN
#define VAE_IMPLEMENTATION
#include "../../vae.h"
#include "loop.h"

static int used(vae *m, const vae_data *data) {
    float x[2 * 12], mu[2 * 2], logvar[2 * 2], out[2 * 12], elbo[2], recon[2], kl[2];
    vae_batch images, codes;
    vae_stats stats;
    vae_info info;
    int i;
    memset(&images, 0, sizeof images);
    memset(&codes, 0, sizeof codes);
    for (i = 0; i < 2 * 12; i++) x[i] = (float)(i % 7) / 8;
    images.x = x, images.rows = codes.rows = 2, codes.x = mu;
    vae_get_info(m, &info);
    return vae_encode(m, &images, mu, logvar) || vae_decode(m, &codes, out) ||
           vae_posterior(m, &images, mu) || vae_reconstruct(m, &images, out) ||
           vae_sample_prior(m, &images, 1, out) || vae_draw(m, &codes, 1, out) ||
           vae_score(m, &images, elbo, recon, kl) || vae_bound(m, &images, 3, elbo) ||
           vae_evaluate(m, data, &stats) || !(stats.images == 16 && stats.loss > 0);
}

/* `inference` 0 of the options is 1: as many bytes, and the parameters are used where they lie. */
static int borrows(void) {
    static float file[1 << 12];
    vae_load_options o;
    vae_tensor t;
    vae *m = NULL;
    FILE *f = fopen(LOOP_FILE, "rb");
    size_t size, need[2] = {1, 2};
    int i, lies;
    if (!f) return 0;
    size = fread(file, 1, sizeof file, f);
    fclose(f);
    memset(&o, 0, sizeof o);
    o.borrow = 1;
    for (i = 0; i < 2; i++) {
        o.inference = i;
        if (vae_load_size(file, size, &o, &need[i], NULL)) return 0;
    }
    o.inference = 0;
    if (need[0] != need[1] || vae_load_memory(file, size, &o, &m, NULL)) return 0;
    lies = !vae_tensor_at(m, 0, &t) && t.data >= file && t.data < file + (1 << 12);
    vae_destroy(m);
    return lies;
}

int main(void) {
    static float pixels[16 * 12];
    static const size_t dims[2] = {16, 12};
    vae_desc desc;
    vae_data data;
    vae_report report;
    vae *m = NULL;
    uint64_t hash;
    int i;
    for (i = 0; i < 16 * 12; i++) pixels[i] = (float)(i * 7 % 13) / 16;
    if (vae_data_wrap(VAE_F32, 2, dims, pixels, &data, &report))
        return loop_fail("wrap", report.text);
    if (vae_load(LOOP_FILE, NULL, &m, &report)) return loop_fail("load", report.text);
    if (!borrows()) return loop_fail("load", "inference 0 is not as 1");
    hash = vae_params_hash(m);
    vae_get_desc(m, &desc);
    if (desc.inference != 1) return loop_fail("load", "the model is not for inference");
    if (used(m, &data)) return loop_fail("use", vae_last_report(m)->text);
    if (vae_save(m, LOOP_FILE, 0) != VAE_ERR_STATE) return loop_fail("save", "with moments");
    if (vae_save(m, LOOP_FILE, VAE_SAVE_WEIGHTS_ONLY))
        return loop_fail("save", vae_last_report(m)->text);
    vae_destroy(m);
    m = NULL;
    memset(&desc, 0, sizeof desc);
    desc.input = "12", desc.latent = 2;
    if (vae_create(&desc, &m, &report)) return loop_fail("create", report.text);
    if (used(m, &data)) return loop_fail("use", vae_last_report(m)->text);
    vae_destroy(m);
    return loop_says(hash);
}
