/* 16 A tour of the latent space: samples, the 2-d manifold, traversals, interpolation.
 *
 * Kingma & Welling 2014, appendix A (the manifold); lectures ask of a latent space that it be
 * continuous (near codes decode to similar images) and complete (every code of the prior decodes to
 * something that could be an image).
 *
 *   cc examples/16_latent_space.c && ./a.out [FOLDER OF MNIST]
 *
 * Continuity: the straight way between the codes of two test images is walked in equal steps, and
 * the largest change of the decoded image is divided by the mean change. It is 1 when all steps
 * change the image alike, and the number of steps when one leap makes all of the change.
 * Completeness: the share of samples that are as near to a test image as reconstructions are, that
 * is, within the distance in which 95 % of the reconstructions have their nearest test image.
 * An autoencoder with the same nets, its codes drawn from their box, is shown for contrast.
 *
 * The number: the completeness of the VAE. Its continuity must be below 3. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "common.h"

enum { TRAIN = 4000, TEST = 400, SIDES = 14, EPOCHS = 12, STEPS = 20, WAYS = 40, LINES = 5 };
static float x[TRAIN * PIXELS], test[TEST * PIXELS], y[TEST * PIXELS], z[TEST * 2], mu[TEST * 2];
static float plane[SIDES * SIDES * PIXELS], samples[SIDES * 5 * PIXELS];
static float lines[LINES * 10 * PIXELS], apart[TEST * TEST];

/* The squared distance of each image from the nearest test image, in ascending order. */
static void nearest(const float *a, float *least) {
    distances(TEST, a, TEST, test, PIXELS, apart);
    for (int i = 0; i < TEST; i++) {
        const float *row = apart + i * TEST, found = row[smallest(row, TEST)];
        int at = i;
        for (; at > 0 && least[at - 1] > found; at--) least[at] = least[at - 1];
        least[at] = found;
    }
}

/* Codes (n, 2) evenly from one to another, decoded. */
static void way(vae *model, const float *from, const float *to, int n, float *out) {
    float path[2 * STEPS];
    for (int i = 0; i < 2 * n; i++)
        path[i] = from[i % 2] + (to[i % 2] - from[i % 2]) * (float)(i / 2) / (float)(n - 1);
    ok(model, vae_decode(model, &(vae_batch){.x = path, .rows = (size_t)n}, out));
}

int main(int argc, char **argv) {
    const char *folder = argc > 1 ? argv[1] : NULL;
    double complete[2], even[2], limits[2][2];
    vae *model = NULL;
    images(folder, 0, TRAIN, x, NULL);
    images(folder, 1, TEST, test, NULL);
    vae_data data = wrap(x, TRAIN, PIXELS);
    for (int with_prior = 0; with_prior < 2; with_prior++) { /* the autoencoder, then the VAE */
        static float steps[STEPS * PIXELS];
        float least[TEST], limit;
        vae_desc desc = {0};
        vae_batch batch = {.x = test, .rows = TEST}, codes = {.x = z, .rows = TEST};
        vae_stream dice = {.seed = 5, .purpose = 128};
        desc.input = "784", desc.latent = 2;
        desc.encoder = "dense 200 relu, dense 64 relu";
        desc.decoder = "dense 64 relu, dense 200 relu";
        desc.no_kl = desc.no_noise = !with_prior;
        desc.batch = 50, desc.epochs = EPOCHS, desc.lr = 2e-3, desc.visible_bias = VAE_BIAS_MEAN;
        vae_destroy(model);
        model = create(&desc);
        ok(model, vae_fit(model, &data, NULL, NULL, NULL));
        ok(model, vae_encode(model, &batch, mu, NULL));
        ok(model, vae_reconstruct(model, &batch, y));
        nearest(y, least), limit = least[TEST * 95 / 100];

        vae_random_uniform(&dice, 0, TEST * 2, z);
        for (int k = 0; k < 2; k++) {
            figure_range(mu + k, TEST, 2, 0, limits[k]);
            for (int i = 0; i < TEST; i++)
                z[2 * i + k] = (float)(limits[k][0] + (double)z[2 * i + k] *
                                                          (limits[k][1] - limits[k][0]));
        }
        if (with_prior) ok(model, vae_prior(model, &codes, 1, z));
        ok(model, vae_decode(model, &codes, y));
        nearest(y, least), complete[with_prior] = even[with_prior] = 0;
        for (int i = 0; i < TEST; i++) complete[with_prior] += (least[i] <= limit) / (double)TEST;

        for (int w = 0; w < WAYS; w++) {
            double largest = 0, sum = 0;
            way(model, mu + 4 * w, mu + 4 * w + 2, STEPS, steps);
            for (int s = 1; s < STEPS; s++) {
                double step = square_root(squared_distance(steps + (s - 1) * PIXELS,
                                                           steps + s * PIXELS, PIXELS));
                largest = figure__max(largest, step), sum += step / (STEPS - 1);
            }
            even[with_prior] += largest / sum / WAYS;
        }
        printf("%s: continuity %.2f, completeness %.3f\n", with_prior ? "VAE" : "autoencoder, box",
               even[with_prior], complete[with_prior]);
    }

    for (int i = 0; i < SIDES; i++) { /* rows of the plane from z2 = 2 down to -2 */
        float level = 2 - 4.0f * (float)i / (SIDES - 1), from[] = {-2, level}, to[] = {2, level};
        way(model, from, to, SIDES, plane + i * SIDES * PIXELS);
    }
    memcpy(samples, y, sizeof samples); /* of the prior */
    const float west[] = {-2.5f, 0}, east[] = {2.5f, 0}, south[] = {0, -2.5f}, north[] = {0, 2.5f};
    way(model, west, east, 10, lines);
    way(model, south, north, 10, lines + 10 * PIXELS);
    for (int l = 0; l < 3; l++)
        way(model, mu + 4 * l, mu + 4 * l + 2, 10, lines + (2 + l) * 10 * PIXELS);
    const char *const beside[] = {"z1: -2.5 to 2.5", "z2: -2.5 to 2.5", "between images", NULL,
                                  NULL};
    figure *f = figure_new(1120, 540, "A latent space of two numbers",
                           "Left: z1 and z2 from -2 to 2.");
    figure_panel(f, 0, 0, .42, 1, "the manifold");
    figure_images(f, &(figure_sheet){.images = plane, .count = SIDES * SIDES, .height = SIDE,
                                     .width = SIDE, .columns = SIDES});
    figure_panel(f, .42, 0, 1, .5, "samples: z from the prior");
    figure_images(f, &(figure_sheet){.images = samples, .count = SIDES * 5, .height = SIDE,
                                     .width = SIDE, .columns = SIDES});
    figure_panel(f, .42, .5, 1, 1, "traversals and interpolation");
    figure_images(f, &(figure_sheet){.images = lines, .count = LINES * 10, .height = SIDE,
                                     .width = SIDE, .columns = 10, .beside = beside});
    save(f, "16_latent_space");
    vae_destroy(model);
    if (!(even[1] < 3)) puts("FAIL: the way between images leaps");
    return at_least("completeness: samples as near to images as reconstructions", complete[1],
                    .85) || !(even[1] < 3);
}
