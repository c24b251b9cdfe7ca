/* VAE_ONLY_DECODE: decodes as all of the library does. That, compiled with LOOP_WHOLE, leaves models and
 * what they decode; then this one must give the same bits, and refuse what it cannot decode. Run where
 * plain.c, compiled with LOOP_KEEP, left a trained model. */
#ifndef LOOP_WHOLE
#define VAE_ONLY_DECODE
#endif
#define VAE_IMPLEMENTATION
#include "../../vae.h"
#include "loop.h"

enum { ROWS = 9, LATENT = 3, PIXELS = 12, MODELS = 4 };
#define MOST (2 * ROWS * ROWS * PIXELS)

/* Means and outputs of 1 to 9 rows; 0: a call failed, or a code that is NaN was not refused. */
static int decoded(vae *m, float *out) {
    static const int32_t labels[ROWS] = {0, 1, 2, 2, 1, 0, 1, 0, 2};
    float z[ROWS * LATENT];
    vae_batch b;
    size_t rows;
    int i;
    memset(&b, 0, sizeof b);
    memset(out, 0, MOST * sizeof *out);
    b.x = z, b.labels = labels, b.label_count = ROWS;
    for (rows = 1; rows <= ROWS; rows++, out += 2 * ROWS * PIXELS) {
        for (i = 0; i < ROWS * LATENT; i++) z[i] = (float)((i * 37 + 11 * (int)rows) % 101 - 50) / 16;
        b.rows = rows;
        if (vae_decode(m, &b, out) || vae_decode_logits(m, &b, out + ROWS * PIXELS)) return 0;
    }
    z[1] = vae__float_of(0x7fc00000u);
    return vae_decode(m, &b, out - PIXELS) == VAE_ERR_NONFINITE;
}

#ifdef LOOP_WHOLE
int main(void) {
    static const char *const decoders[MODELS] = {
        "dense 9 relu, dense 8 elu, res(dense 7 silu, dense 8), layernorm, dense 8 softplus, dense 8 gelu",
        "label 3, dense 33 leaky_relu, batchnorm, dense 20 sigmoid, dropout 0.25", "", "reshape 1x3x1, dense 12"};
    static const char *const likelihoods[MODELS] = {"bernoulli", "gaussian 0.1", "gaussian_learned 2", NULL};
    static const char *const refused[] = {"gaussian_pixel", "categorical 4", "logistic_mixture 2"};
    static float out[MOST];
    vae_report report;
    vae_desc d;
    vae *m;
    int i;
    (void)loop;
    for (i = 0; i < MODELS + 4; i++) {
        char name[] = "decode-0.safetensors";
        FILE *f = fopen("decoded", i ? "ab" : "wb");
        memset(&d, 0, sizeof d);
        d.input = "3x4x1", d.latent = LATENT, d.batch = 5, d.encoder = "dense 4 tanh";
        if (i < MODELS) d.decoder = decoders[i], d.likelihood = likelihoods[i];
        else if (i < MODELS + 3) d.likelihood = refused[i - MODELS];
        else d.posterior = "normal full";
        if (i == 1) d.posterior = "normal abs code tanh", d.sparse = 0.1, d.ema = 0.9;
        if (i == 2) d.objective = VAE_OBJECTIVE_DREG, d.samples = 3, d.schedule = VAE_SCHEDULE_COSINE, d.lr_steps = 9;
        name[7] = (char)('0' + i);
        if (!f || vae_create(&d, &m, &report) || vae_save(m, name, i & 1))
            return loop_fail(name, report.text);
        if (i < MODELS && (!decoded(m, out) || fwrite(out, sizeof out, 1, f) != 1)) return loop_fail(name, "decoding");
        vae_destroy(m);
        fclose(f);
    }
    return 0;
}
#else
int main(void) {
    static float out[MOST], want[MOST];
    vae_report report;
    vae_desc d;
    vae *m = NULL;
    uint64_t hash;
    int i;
    FILE *f = fopen("decoded", "rb");
    for (i = 0; f && i < MODELS + 4; i++) {
        char name[] = "decode-0.safetensors";
        vae_status got;
        name[7] = (char)('0' + i);
        got = vae_load(name, NULL, &m, &report);
        if (i >= MODELS) {
            if (got != VAE_ERR_UNSUPPORTED || !strstr(report.text, "left out of this build"))
                return loop_fail(name, "is not refused");
            continue;
        }
        if (got) return loop_fail(name, report.text);
        vae_get_desc(m, &d);
        if (d.inference != 1 || (i == 1 && strcmp(d.likelihood, "gaussian 3fb999999999999a")))
            return loop_fail(name, d.likelihood);
        if (!decoded(m, out) || fread(want, sizeof want, 1, f) != 1) return loop_fail(name, "decoding");
        if (memcmp(out, want, sizeof out)) return loop_fail(name, "other bits than of all the library");
        if (i == 1) { /* what was loaded can be saved, and loaded once more */
            vae *again = NULL;
            if (vae_save(m, "decode-1.safetensors", VAE_SAVE_WEIGHTS_ONLY) ||
                vae_load("decode-1.safetensors", NULL, &again, &report) ||
                vae_params_hash(again) != vae_params_hash(m) || !decoded(again, out) ||
                memcmp(out, want, sizeof out))
                return loop_fail(name, "saving");
            vae_destroy(again);
        }
        vae_destroy(m);
    }
    if (!f) return loop_fail("decoded", "is not there");
    fclose(f);
    if (vae_load(LOOP_FILE, NULL, &m, &report)) return loop_fail("load", report.text);
    hash = vae_params_hash(m);
    vae_destroy(m);
    return loop_says(hash);
}
#endif
