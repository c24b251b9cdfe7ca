/* 30. Faces, and a traversal of the smile. The code of a face is moved along the mean difference
 * between codes of smiling and of sad faces; decoded, the same person begins to smile.
 *   Traversals of attributes: Larsen et al. 2016 (arXiv:1512.09300); the lectures show them on
 *   photographs. These faces are drawn by tools/faces.h, so the true smiling face is known.
 *
 *   cc examples/30_faces.c && ./a.out
 *
 * All faces here look ahead, and have short hair and no glasses; eyes, skin, hair and smile vary.
 * For a folder of photographs: vae train --data FOLDER, then vae traverse.
 *
 * Picture: a row for each of four new faces: their codes, moved from sad to smiling and decoded.
 * The first image of a row is what was encoded.
 * Number: the part of the true change of the pixels that the moved codes explain. */
#include <stdio.h>
#include <string.h>
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "../tools/faces.h"
#include "../tools/picture.h"
#include "../tools/figures.h"

enum { IMAGES = 4000, TEST = 300, LATENT = 24, LEVELS = 8, SHOWN = 4, COLUMNS = LEVELS + 1 };
static uint8_t images[IMAGES * FACES_BYTES], factors[IMAGES][FACES_FACTORS], face[FACES_BYTES];
static float x[IMAGES * FACES_BYTES], codes[IMAGES * LATENT], smile[LATENT];
static float z[2 * TEST * LATENT], decoded[2 * TEST * FACES_BYTES];
static float moved[LATENT], shown[SHOWN * COLUMNS * FACES_BYTES];

static int fail(const char *what) { return fprintf(stderr, "30_faces: %s\n", what), 1; }

/* Faces `first` onward of the set, but for four of the factors. */
static void draw_faces(uint32_t first, int count) {
    for (int n = 0; n < count; n++) {
        faces_factors(1, first + (uint32_t)n, factors[n]);
        factors[n][FACES_POSE] = 3, factors[n][FACES_HEAD] = 1;
        factors[n][FACES_LENGTH] = factors[n][FACES_GLASSES] = 0;
        faces_draw(factors[n], images + n * FACES_BYTES);
    }
}

int main(void) {
    const size_t dims[] = {IMAGES, FACES_HEIGHT, FACES_WIDTH, FACES_CHANNELS};
    static const char *const names[COLUMNS] = {"encoded", "sad", NULL, NULL, NULL, NULL,
                                               NULL, NULL, "smiling"};
    double sums[2][LATENT + 2] = {{0}}, missed = 0, all = 0;
    vae_desc desc = {0};
    vae_report report;
    vae_data data;
    vae_batch batch = {0};
    vae *model;
    const char *error;
    figure *f;
    figure_sheet sheet = {0};

    draw_faces(0, IMAGES);
    desc.input = "32x32x3", desc.latent = LATENT, desc.likelihood = "gaussian 0.003";
    desc.encoder = "dense 200 relu", desc.decoder = "dense 200 relu";
    desc.visible_bias = VAE_BIAS_MEAN, desc.lr = 1e-3, desc.epochs = 10, desc.batch = 50;
    if (vae_data_wrap(VAE_U8, 4, dims, images, &data, &report) ||
        vae_create(&desc, &model, &report))
        return fail(report.text);
    batch.x = x, batch.rows = IMAGES;
    if (vae_fit(model, &data, NULL, NULL, NULL) || vae_data_read(&data, 0, IMAGES, x) ||
        vae_encode(model, &batch, codes, NULL))
        return fail(vae_last_report(model)->text);

    /* the direction of one level of smile */
    for (int n = 0; n < IMAGES; n++) {
        double *s = sums[factors[n][FACES_SMILE] > 3];
        for (int j = 0; j < LATENT; j++) s[j] += codes[n * LATENT + j];
        s[LATENT] += factors[n][FACES_SMILE], s[LATENT + 1]++;
    }
    for (int j = 0; j < LATENT; j++)
        smile[j] = (float)((sums[1][j] / sums[1][LATENT + 1] - sums[0][j] / sums[0][LATENT + 1]) /
                           (sums[1][LATENT] / sums[1][LATENT + 1] -
                            sums[0][LATENT] / sums[0][LATENT + 1]));

    /* new faces, each with the opposite of its smile: what the decoder makes, and what is true */
    draw_faces(FACES_TEST, TEST);
    if (vae_data_read(&data, 0, TEST, x)) return fail("the faces cannot be used");
    batch.x = x, batch.rows = TEST;
    if (vae_encode(model, &batch, z, NULL)) return fail(vae_last_report(model)->text);
    for (int n = 0; n < TEST; n++)
        for (int j = 0; j < LATENT; j++)
            z[(TEST + n) * LATENT + j] =
                z[n * LATENT + j] + (float)(7 - 2 * factors[n][FACES_SMILE]) * smile[j];
    batch.x = z, batch.rows = 2 * TEST;
    if (vae_decode(model, &batch, decoded)) return fail(vae_last_report(model)->text);
    for (int n = 0; n < TEST; n++) {
        factors[n][FACES_SMILE] = (uint8_t)(7 - factors[n][FACES_SMILE]);
        faces_draw(factors[n], face);
        for (int i = 0; i < FACES_BYTES; i++) {
            const double change = face[i] / 255.0 - x[n * FACES_BYTES + i];
            const float *now = decoded + n * FACES_BYTES + i;
            const double made = now[TEST * FACES_BYTES] - now[0];
            all += change * change, missed += (change - made) * (change - made);
        }
    }
    for (int i = 0; i < SHOWN * COLUMNS; i++) { /* the first SHOWN of the new faces */
        const int n = i / COLUMNS, level = i % COLUMNS - 1; /* z holds codes of the true smiles */
        const int step = level - (LEVELS - 1 - factors[n][FACES_SMILE]);
        for (int j = 0; j < LATENT; j++) moved[j] = z[n * LATENT + j] + (float)step * smile[j];
        batch.x = moved, batch.rows = 1;
        if (vae_decode(model, &batch, shown + i * FACES_BYTES))
            return fail(vae_last_report(model)->text);
        for (int k = 0; k < FACES_BYTES && level < 0; k++)
            shown[i * FACES_BYTES + k] = x[n * FACES_BYTES + k];
    }
    f = figure_new(920, 480, "Codes of four faces, moved from sad to smiling", NULL);
    sheet.images = shown, sheet.count = SHOWN * COLUMNS, sheet.columns = COLUMNS;
    sheet.height = sheet.width = 32, sheet.channels = 3, sheet.above = names;
    figure_panel(f, 0, 0, 1, 1, NULL);
    figure_images(f, &sheet);
    error = figure_save(f, "out/examples/30_faces.png");
    if (error) return fail(error);
    printf("part of the true change that the moved codes explain: %.2f (at least 0.3)\n",
           1 - missed / all);
    vae_destroy(model);
    return !(1 - missed / all >= 0.3);
}
