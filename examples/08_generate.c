/* 08 Why the decoder of an autoencoder cannot generate, and that of a VAE can.
 *
 * Kingma & Welling 2014; the mixture fitted to codes afterwards is that of Ghosh et al. 2020, "From
 * variational to deterministic autoencoders". Distance: Szekely & Rizzo 2013, "Energy statistics".
 *
 *   cc examples/08_generate.c && ./a.out [FOLDER OF MNIST]
 *
 * To generate, draw a code and decode it. But which codes? An autoencoder was never told where its
 * codes should lie: a draw from the box that holds them falls between them, where the decoder never
 * learned anything. A mixture of normals fitted to the codes helps much, but is a second model to
 * train and keep. A VAE has put its codes where the prior N(0, I) draws.
 *
 * The number: the energy distance 2 E|x - y| - E|x - x'| - E|y - y'| between samples x and what
 * the same decoder makes of the codes of test images, y: for the VAE, divided by that for draws
 * from the box. 0 when both are drawn alike. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "common.h"

enum { TRAIN = 4000, TEST = 500, K = 8, EPOCHS = 10, PARTS = 40, SHOWN = 10, WAYS = 3 };
static float x[TRAIN * PIXELS], test[TEST * PIXELS], samples[WAYS][TEST * PIXELS];
static float made[2][TEST * PIXELS]; /* of the codes of test images: autoencoder, VAE */
static float codes[TRAIN * K], z[TEST * K], u[TEST * K], noise[TEST * K];
static float squares[TEST * TEST], apart[TRAIN * PARTS], shown[WAYS * SHOWN * PIXELS];

static double mean_distance(const float *a, const float *b) {
    double sum = 0;
    distances(TEST, a, TEST, b, PIXELS, squares);
    for (int i = 0; i < TEST * TEST; i++) sum += square_root((double)squares[i]);
    return sum / TEST / TEST;
}

int main(int argc, char **argv) {
    const char *folder = argc > 1 ? argv[1] : NULL;
    vae_data data = wrap(x, TRAIN, PIXELS);
    vae_batch train = {.x = x, .rows = TRAIN}, draw = {.x = z, .rows = TEST};
    vae_batch held = {.x = test, .rows = TEST};
    vae_stream dice = {.seed = 5, .purpose = 128};
    images(folder, 0, TRAIN, x, NULL);
    images(folder, 1, TEST, test, NULL);
    vae_random_uniform(&dice, 0, TEST * K, u);
    normals(6, TEST * K, noise);

    vae_desc desc = {0};
    desc.input = "784", desc.latent = K;
    desc.encoder = "dense 200 relu", desc.decoder = "dense 200 relu";
    desc.batch = 50, desc.epochs = EPOCHS, desc.lr = 2e-3, desc.visible_bias = VAE_BIAS_MEAN;
    vae *with_prior = create(&desc);
    desc.no_kl = desc.no_noise = 1;
    vae *autoencoder = create(&desc);
    ok(with_prior, vae_fit(with_prior, &data, NULL, NULL, NULL));
    ok(autoencoder, vae_fit(autoencoder, &data, NULL, NULL, NULL));
    ok(autoencoder, vae_encode(autoencoder, &train, codes, NULL));
    ok(autoencoder, vae_reconstruct(autoencoder, &held, made[0]));
    ok(with_prior, vae_posterior(with_prior, &held, z)); /* z ~ q(z|x) */
    ok(with_prior, vae_decode(with_prior, &draw, made[1]));

    /* 1. codes uniform in the box that holds all codes */
    for (int k = 0; k < K; k++) {
        double range[2];
        figure_range(codes + k, TRAIN, K, 0, range);
        for (int i = 0; i < TEST; i++)
            z[i * K + k] = (float)(range[0] + (double)u[i * K + k] * (range[1] - range[0]));
    }
    ok(autoencoder, vae_decode(autoencoder, &draw, samples[0]));

    /* 2. a mixture of normals: k-means, then mean and deviation of each part and each code */
    static float mean[PARTS][K];
    static double square[PARTS][K];
    static int part[TRAIN], size[PARTS];
    memcpy(mean, codes, sizeof mean);
    for (int round = 0; round < 10; round++) {
        double sum[PARTS][K] = {{0}};
        memset(size, 0, sizeof size);
        distances(TRAIN, codes, PARTS, mean[0], K, apart);
        for (int i = 0; i < TRAIN; i++) {
            part[i] = (int)smallest(apart + i * PARTS, PARTS);
            size[part[i]]++;
            for (int k = 0; k < K; k++) sum[part[i]][k] += (double)codes[i * K + k];
        }
        for (int c = 0; c < PARTS; c++)
            for (int k = 0; k < K && size[c]; k++) mean[c][k] = (float)(sum[c][k] / size[c]);
    }
    for (int i = 0; i < TRAIN * K; i++) {
        double off = (double)codes[i] - (double)mean[part[i / K]][i % K];
        square[part[i / K]][i % K] += off * off / size[part[i / K]];
    }
    for (int i = 0; i < TEST; i++) { /* the part of a random code: large parts more often */
        int c = part[vae_random_below(&dice, (uint64_t)(TEST * K + i), TRAIN)];
        for (int k = 0; k < K; k++)
            z[i * K + k] = mean[c][k] + (float)square_root(square[c][k]) * noise[i * K + k];
    }
    ok(autoencoder, vae_decode(autoencoder, &draw, samples[1]));

    /* 3. the VAE: codes from its prior */
    ok(with_prior, vae_sample_prior(with_prior, &draw, 1, samples[2]));

    const char *const names[] = {"autoencoder, box", "autoencoder, mixture", "VAE, prior"};
    const char *const bars[] = {"box", "mixture", "VAE"};
    double distance[WAYS];
    for (int w = 0; w < WAYS; w++) {
        const float *y = made[w == 2];
        distance[w] = 2 * mean_distance(samples[w], y) - mean_distance(samples[w], samples[w]) -
                      mean_distance(y, y);
        printf("%-22s energy distance to reconstructions %.4f\n", names[w], distance[w]);
        memcpy(shown + w * SHOWN * PIXELS, samples[w], SHOWN * PIXELS * sizeof *shown);
    }
    figure *f = figure_new(1100, 330, "Samples of an autoencoder's decoder, and of a VAE",
                           "8 codes. Right: energy distance of 500 samples from what codes of "
                           "test images decode to.");
    figure_panel(f, 0, 0, .72, 1, NULL);
    figure_images(f, &(figure_sheet){.images = shown, .count = WAYS * SHOWN, .height = SIDE,
                                     .width = SIDE, .columns = SHOWN, .beside = names});
    figure_panel(f, .72, 0, 1, 1, NULL);
    figure_axes(f, NULL, -.6, 2.6, "energy distance", 0, distance[0] * 1.2, FIGURE_NO_X);
    figure_bars(f, distance, WAYS, 0, 1, "%.3f", NULL);
    figure_names(f, bars, WAYS);
    save(f, "08_generate");
    vae_destroy(with_prior), vae_destroy(autoencoder);
    return at_most("energy distance of the VAE over that of the box", distance[2] / distance[0],
                   .6);
}
