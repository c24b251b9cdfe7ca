/* The settings of the golden runs, for the unit tests and for tests/golden.c. */
#ifndef VAE_TEST_GOLDEN_H
#define VAE_TEST_GOLDEN_H
#include "../tools/digits.h"

enum { GOLDEN = 9, GOLDEN_MOST = 1600 };
static const size_t golden_images[GOLDEN] = {1600, 320, 224, 160, 160, 160, 64, 64, 64};

/* The first: dense layers alone, 50 steps. The second: all the others, 10 steps. The third:
 * importance weights, penalties, corrupted input, classes, 7 steps. The fourth: two stochastic
 * layers, a full covariance, a flow, a mixture as prior. The fifth: categories. The sixth: finite
 * scalar quantisation. These have 5 steps each. The seventh: a PixelCNN, the eighth: a PixelVAE, the
 * ninth: a PixelRNN, 2 steps each. */
static inline vae_desc golden_desc(int run) {
    vae_desc d;
    memset(&d, 0, sizeof d);
    d.input = "28x28x1", d.encoder = d.decoder = "dense 64 relu", d.latent = 8, d.batch = 32;
    d.epochs = 1, d.seed = 7;
    if (run == 1) {
        d.encoder = "conv 8 4x4/2, batchnorm relu, conv 16 3x3 silu, maxpool 2, dropout 0.25, "
                    "dense 32, layernorm tanh";
        d.decoder = "dense 784 relu, reshape 7x7x16, res(conv 16 3x3, batchnorm), noise 0.1, "
                    "convt 8 4x4/2 gelu, upsample 2, conv 2 3x3";
        d.likelihood = "logistic_pixel", d.posterior = "normal softplus", d.samples = 2;
    }
    if (run == 2) {
        d.encoder = "flatten, label 10, dense 32 tanh", d.decoder = "label 10, dense 32 silu";
        d.objective = VAE_OBJECTIVE_DREG, d.samples = 3, d.corrupt = VAE_CORRUPT_SALT_PEPPER;
        d.corruption = 0.2, d.contract = d.sparse = 0.01, d.posterior = "normal code tanh", d.beta = 0.5;
        d.binarize = VAE_BINARIZE_DYNAMIC, d.warmup_steps = 4, d.cycle_steps = 7, d.lr = 0.01;
        d.optimizer = VAE_OPTIMIZER_ADAM_IWAE;
    }
    if (run == 3) {
        d.encoder = "dense 48 tanh, z 12, dense 24 tanh";
        d.decoder = "dense 24 tanh, z 12, dense 48 tanh";
        d.posterior = "normal full, iaf 16 2", d.prior = "mixture 3", d.samples = 3;
        d.objective = VAE_OBJECTIVE_IWAE, d.binarize = VAE_BINARIZE_DYNAMIC;
    }
    if (run > 3) d.encoder = d.decoder = "dense 32 relu";
    if (run == 6) {
        d.encoder = NULL, d.posterior = "none", d.binarize = VAE_BINARIZE_DYNAMIC, d.lr = 0.003;
        d.decoder = "image, maskconv 16 5x5 a, res(maskconv 8 1x1 b elu, maskconv 16 3x5 b, gated, "
                    "maskconv 16 1x1 b), maskconv 12 3x3 b, gated";
    }
    if (run == 8) {
        d.encoder = NULL, d.posterior = "none", d.binarize = VAE_BINARIZE_DYNAMIC;
        d.decoder = "image, maskconv 12 3x3 a relu, diaglstm 8, maskconv 12 1x1 b relu";
    }
    if (run == 7) {
        d.decoder = "dense 784 tanh, reshape 28x28x1, image, maskconv 12 3x3 a relu, "
                    "res(maskconv 12 3x3 b, gated, maskconv 12 1x1 b)";
        d.likelihood = "logistic_pixel";
    }
    if (run == 4) {
        d.posterior = "categorical 5", d.free_bits = 0.1, d.temperature = 1;
        d.temperature_end = 0.2, d.temperature_steps = 4;
    }
    if (run == 5) d.posterior = "fsq 8 5 5 5 4 3 2 2", d.likelihood = "gaussian";
    return d;
}

/* The classes of the built-in digits. */
static inline void golden_labels(size_t images, int32_t *labels) {
    size_t i;
    for (i = 0; i < images; i++) {
        digits_factors f;
        uint8_t pixels[DIGITS_PIXELS];
        digits_draw(1, (uint32_t)i, pixels, &f);
        labels[i] = f.label;
    }
}
#endif
