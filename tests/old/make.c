/* Made tests/old/ *.safetensors and hashes.txt, with vae.h of commit c0426e9 (tests/old/make.sh).
 * Each run stops in the middle of an epoch and is saved; then this program loads the file, goes on
 * to the end, and notes the hashes that every later version must reach from the file. */
#define VAE_IMPLEMENTATION
#include "vae.h"
#include "data.h"
#include <stdio.h>
#include <stdlib.h>

static void ok(vae_status status, const char *what) {
    if (status == VAE_OK) return;
    fprintf(stderr, "make: %s: %s\n", what, vae_status_text(status));
    exit(1);
}

/* Of the run `name`. Every setting that a file keeps is other than its default in one of them. */
static vae_desc settings(const char *name) {
    vae_desc d; /* of "dense" */
    memset(&d, 0, sizeof d);
    d.input = "6x6x1", d.encoder = "dense 12 tanh", d.decoder = "dense 9 relu";
    d.latent = 3, d.batch = 16, d.epochs = 6, d.seed = 11;
    if (!strcmp(name, "conv")) {
        d.encoder = "conv 4 3x3/2 relu, batchnorm, conv 6 3x3 pad 1 silu, maxpool 3, flatten";
        d.decoder = "dense 24 elu, reshape 2x2x6, upsample 3, batchnorm, convt 5 3x3 leaky_relu, "
                    "conv 1 3x3";
        d.likelihood = VAE_LIKELIHOOD_GAUSSIAN_LEARNED, d.variance = 0.5, d.ema = 0.9;
        d.optimizer = VAE_OPTIMIZER_ADAMW, d.weight_decay = 0.02, d.clip = 8;
        d.schedule = VAE_SCHEDULE_COSINE, d.lr_steps = 36, d.lr = 5e-3, d.latent = 4;
        d.visible_bias = VAE_BIAS_MEAN;
    } else if (!strcmp(name, "iwae")) {
        d.objective = VAE_OBJECTIVE_IWAE, d.samples = 3, d.beta = 0.75;
        d.warmup = 20, d.cycle = 25, d.head = VAE_HEAD_SOFTPLUS, d.code = VAE_ACT_TANH;
        d.optimizer = VAE_OPTIMIZER_ADAM_IWAE, d.adam_eps = 1e-4, d.beta1 = 0.8, d.beta2 = 0.99;
        d.binarize = VAE_BINARIZE_DYNAMIC, d.init = VAE_INIT_GLOROT;
    } else if (!strcmp(name, "dreg")) {
        d.objective = VAE_OBJECTIVE_DREG, d.samples = 2, d.optimizer = VAE_OPTIMIZER_SGD;
        d.lr = 1e-3, d.momentum = 0.8, d.weight_decay = 1e-3, d.head = VAE_HEAD_ABS;
        d.schedule = VAE_SCHEDULE_STAGES, d.stage_count = 3;
        d.stages[0].steps = 10, d.stages[0].lr = 2e-3, d.stages[1].steps = 12;
        d.stages[1].lr = 1e-3, d.stages[2].steps = 1, d.stages[2].lr = 5e-4;
        d.init = VAE_INIT_PYTORCH;
    } else if (!strcmp(name, "residual")) {
        d.encoder = "dense 10 gelu, layernorm, res(dense 10 softplus, dropout 0.2), noise 0.1";
        d.decoder = "dense 8, batchnorm, sigmoid, res(dense 8 relu, noise 0.05)";
        d.likelihood = VAE_LIKELIHOOD_GAUSSIAN_PIXEL, d.free_bits = 0.4, d.lr = 1e-2;
        d.schedule = VAE_SCHEDULE_PLATEAU, d.plateau = 1, d.lr_factor = 0.75, d.patience = 5;
        d.ema = 0.5, d.epochs = 12;
    } else if (!strcmp(name, "labels")) {
        d.encoder = "conv 3 3x3/2 relu, avgpool 3, label 4, flatten, dense 12 tanh";
        d.decoder = "label 4, dense 9 relu", d.head = VAE_HEAD_RELU, d.samples = 2;
        d.likelihood = VAE_LIKELIHOOD_CATEGORICAL, d.categories = 7;
    } else if (!strcmp(name, "logistic")) {
        d.likelihood = VAE_LIKELIHOOD_LOGISTIC, d.variance = 0.25, d.sparse = 0.3, d.contract = 0.2;
        d.corrupt = VAE_CORRUPT_MASK, d.corruption = 0.4, d.encoder = "", d.code = VAE_ACT_RELU;
    } else if (!strcmp(name, "logistic_pixel")) {
        d.likelihood = VAE_LIKELIHOOD_LOGISTIC_PIXEL, d.contract = 0.1, d.lr = 3e-4;
        d.corrupt = VAE_CORRUPT_SALT_PEPPER, d.init = VAE_INIT_HE;
    } else if (!strcmp(name, "denoising")) {
        d.no_noise = d.no_kl = 1, d.corrupt = VAE_CORRUPT_GAUSSIAN, d.code = VAE_ACT_SIGMOID;
        d.likelihood = VAE_LIKELIHOOD_GAUSSIAN, d.variance = 0.1;
    } else if (!strcmp(name, "continuous")) {
        d.likelihood = VAE_LIKELIHOOD_CONTINUOUS_BERNOULLI, d.visible_bias = VAE_BIAS_MEAN;
        d.decoder = "", d.init = VAE_INIT_ZERO, d.encoder = "dense 12 tanh, dense 7";
    } else if (!strcmp(name, "ended")) {
        d.no_recon = 1, d.epochs = 2; /* and the test goes on to more epochs */
    } else if (!strcmp(name, "weights")) {
        d.ema = 0.8;
    }
    return d;
}

static int stop(vae *m, const vae_progress *p, void *user) {
    (void)m, (void)p;
    return --*(int *)user == 0;
}

static uint64_t file_hash(vae *m, int flags) {
    size_t size;
    unsigned char *bytes;
    uint64_t hash;
    ok(vae_save_size(m, flags, &size), "save_size");
    bytes = (unsigned char *)malloc(size);
    ok(vae_save_memory(m, flags, bytes, size), "save_memory");
    hash = old_hash(OLD_HASH, bytes, size);
    free(bytes);
    return hash;
}

int main(void) {
    static unsigned char pixels[(OLD_TRAIN + OLD_TEST) * OLD_ITEM];
    static int32_t classes[OLD_TRAIN + OLD_TEST];
    const size_t dims[3] = {OLD_TRAIN, OLD_SIDE, OLD_SIDE};
    const size_t test_dims[3] = {OLD_TEST, OLD_SIDE, OLD_SIDE};
    vae_data train, test;
    FILE *hashes = fopen("hashes.txt", "w");
    int i;
    if (!hashes) return 1;
    old_images(0, OLD_TRAIN + OLD_TEST, pixels, classes);
    ok(vae_data_wrap(VAE_U8, 3, dims, pixels, &train, NULL), "wrap");
    ok(vae_data_wrap(VAE_U8, 3, test_dims, pixels + OLD_TRAIN * OLD_ITEM, &test, NULL), "wrap");
    train.labels = classes, test.labels = classes + OLD_TRAIN;
    fprintf(hashes, "# run: parameters of the file; the file saved again; then at the end of the\n"
                    "# run: parameters, the file, the file of weights alone, elbo recon kl of\n"
                    "# vae_evaluate, kl and variance of vae_units\n");
    for (i = 0; old_names[i]; i++) {
        const char *name = old_names[i];
        const int weights = !strcmp(name, "weights"), ended = !strcmp(name, "ended");
        vae_desc d = settings(name);
        vae_report r;
        vae_stats s;
        char path[100];
        double found[3], units[2 * 20];
        int left = 2 * (6 + 1) + 4; /* four steps into the third epoch of six steps */
        vae *m = NULL;
        ok(vae_create(&d, &m, &r), r.text);
        if (ended || weights) ok(vae_fit(m, &train, &test, NULL, NULL), name);
        else if (vae_fit(m, &train, &test, stop, &left) != VAE_STOPPED) return 1;
        snprintf(path, sizeof path, "%s.safetensors", name);
        ok(vae_save(m, path, weights ? VAE_SAVE_WEIGHTS_ONLY : 0), path);
        fprintf(hashes, "%s %016llx", name, (unsigned long long)vae_params_hash(m));
        vae_destroy(m);
        ok(vae_load(path, NULL, &m, &r), r.text);
        fprintf(hashes, " %016llx",
                (unsigned long long)file_hash(m, weights ? VAE_SAVE_WEIGHTS_ONLY : 0));
        if (ended || weights) ok(vae_set_epochs(m, 8), "set_epochs");
        ok(vae_fit(m, &train, &test, NULL, NULL), vae_last_report(m)->text);
        fprintf(hashes, " %016llx %016llx", (unsigned long long)vae_params_hash(m),
                (unsigned long long)file_hash(m, 0));
        fprintf(hashes, " %016llx", (unsigned long long)file_hash(m, VAE_SAVE_WEIGHTS_ONLY));
        ok(vae_evaluate(m, &test, &s), "evaluate");
        found[0] = s.elbo, found[1] = s.recon, found[2] = s.kl;
        memset(units, 0, sizeof units);
        ok(vae_units(m, &test, units, units + 20), "units");
        fprintf(hashes, " %016llx %016llx\n",
                (unsigned long long)old_hash_doubles(found, 3),
                (unsigned long long)old_hash_doubles(units, 40));
        vae_destroy(m);
    }
    ok(vae_data_save("images.idx", &train, NULL), "images.idx");
    return fclose(hashes) != 0;
}
