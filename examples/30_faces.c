/* 30 Faces: the smile as a direction in the space of codes.
 *
 * Larsen et al. 2016, "Autoencoding beyond pixels using a learned similarity metric"
 * (arXiv:1512.09300).
 *
 *   cc examples/30_faces.c && ./a.out                           faces that the program draws
 *   cc examples/30_faces.c && ./a.out FOLDER OF PHOTOGRAPHS     PNG, PGM, PPM of one size
 *
 * The mean code of smiling faces less that of sad ones is a direction. The code of a new face is
 * moved along it and decoded: the same person begins to smile. Here eyes, skin, hair and smile of
 * the faces vary, and the true smiling face of each person is known.
 *
 * The number: the share of the true change of the pixels, from sad to smiling, that the moved codes
 * explain.
 *
 * Nobody has said which photographs of a folder smile. There each row goes from one photograph to
 * another, and the number, their -ELBO, has no bound. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "common.h"
#include "../tools/faces.h"
#include "../tools/images.h"

enum { TRAIN = 4000, TEST = 300, K = 24, LEVELS = 8, SHOWN = 4, COLUMNS = LEVELS + 1 };
static uint8_t drawn[TRAIN * FACES_BYTES], factors[TRAIN][FACES_FACTORS];
static float codes[TRAIN * K], z[TEST * K], from[TEST * K], to[TEST * K];
static float direction[K], sad[TEST * FACES_BYTES], smiling[TEST * FACES_BYTES];

/* Faces first, first + 1, ... of the set, but all look ahead, with short hair and no glasses. */
static vae_data faces(uint32_t first, size_t count) {
    const size_t dims[] = {count, FACES_HEIGHT, FACES_WIDTH, FACES_CHANNELS};
    vae_data data;
    for (uint32_t n = 0; n < count; n++) {
        faces_factors(1, first + n, factors[n]);
        factors[n][FACES_POSE] = 3, factors[n][FACES_HEAD] = 1;
        factors[n][FACES_LENGTH] = factors[n][FACES_GLASSES] = 0;
        faces_draw(factors[n], drawn + n * FACES_BYTES);
    }
    if (vae_data_wrap(VAE_U8, 4, dims, drawn, &data, NULL)) stop("the faces cannot be used");
    return data;
}

/* Row n: picture n of x, then what codes on the straight way from `from` to `to` decode to. */
static void draw_rows(vae *model, const vae_data *data, const float *x, const char *const *above) {
    float way[LEVELS * K], *rows = (float *)malloc(SHOWN * COLUMNS * data->item * sizeof *x);
    if (!rows) stop("out of memory");
    for (size_t n = 0; n < SHOWN; n++) {
        float *row = rows + n * COLUMNS * data->item;
        const float *a = from + n * K, *b = to + n * K;
        memcpy(row, x + n * data->item, data->item * sizeof *x);
        for (int i = 0; i < LEVELS * K; i++)
            way[i] = a[i % K] + (b[i % K] - a[i % K]) * (float)(i / K) / (LEVELS - 1);
        ok(model, vae_decode(model, &(vae_batch){.x = way, .rows = LEVELS}, row + data->item));
    }
    figure *f = figure_new(920, 480, "Codes of four faces, moved in a straight line", NULL);
    figure_panel(f, 0, 0, 1, 1, NULL);
    figure_images(f, &(figure_sheet){.images = rows, .count = SHOWN * COLUMNS, .columns = COLUMNS,
                                     .height = (int)data->dims[1], .width = (int)data->dims[2],
                                     .channels = (int)data->dims[3], .above = above});
    save(f, "30_faces");
    free(rows);
}

/* The rows and the number for drawn faces. */
static int smiles(vae *model) {
    const char *const above[COLUMNS] = {"encoded", "sad", 0, 0, 0, 0, 0, 0, "smiling"};
    double missed = 0, all = 0;
    for (int i = 0; i < TRAIN * K; i++) { /* half of the faces have levels 4 to 7, half 0 to 3 */
        const float share = (factors[i / K][FACES_SMILE] > 3 ? 1.0f : -1.0f) / (TRAIN / 2);
        direction[i % K] += share * codes[i] / 4; /* of one level: the halves are 4 apart */
    }

    vae_data data = faces(FACES_TEST, TEST);
    float *x = numbers_of(&data);
    ok(model, vae_encode(model, &(vae_batch){.x = x, .rows = TEST}, z, NULL));
    for (int i = 0; i < TEST * K; i++) { /* new faces, moved to the levels 0 and 7 */
        const float level = factors[i / K][FACES_SMILE];
        from[i] = z[i] - level * direction[i % K], to[i] = z[i] + (7 - level) * direction[i % K];
    }
    draw_rows(model, &data, x, above);
    ok(model, vae_decode(model, &(vae_batch){.x = from, .rows = TEST}, sad));
    ok(model, vae_decode(model, &(vae_batch){.x = to, .rows = TEST}, smiling));
    for (int n = 0; n < TEST; n++) {
        uint8_t face[2][FACES_BYTES]; /* truly sad, truly smiling */
        for (int s = 0; s < 2; s++) {
            factors[n][FACES_SMILE] = s ? 7 : 0;
            faces_draw(factors[n], face[s]);
        }
        for (int i = 0; i < FACES_BYTES; i++) {
            const double truth = (face[1][i] - face[0][i]) / 255.0;
            const double change = (double)(smiling[n * FACES_BYTES + i] - sad[n * FACES_BYTES + i]);
            all += truth * truth, missed += (truth - change) * (truth - change);
        }
    }
    free(x);
    return at_least("share of the true change that the moved codes explain", 1 - missed / all, .4);
}

int main(int argc, char **argv) {
    char why[IMAGES_ERROR], shape[80];
    vae_data data;
    vae_stats stats;
    if (argc < 2) {
        data = faces(0, TRAIN);
    } else if (images_folder(argv[1], TRAIN, &data, why) != 1) {
        stop(why);
    }
    const size_t count = data.count, *side = data.dims;
    if (count < 2 * SHOWN) stop("the folder holds fewer than eight pictures");
    snprintf(shape, sizeof shape, "%dx%dx%d", (int)side[1], (int)side[2], (int)side[3]);

    vae_desc desc = {0};
    desc.input = shape, desc.latent = K, desc.likelihood = "gaussian 0.003";
    desc.encoder = desc.decoder = "dense 200 relu", desc.visible_bias = VAE_BIAS_MEAN;
    desc.lr = 1e-3, desc.batch = 50;
    desc.epochs = 10 * TRAIN / (int)count; /* as many steps, however many pictures */
    vae *model = create(&desc);
    ok(model, vae_fit(model, &data, NULL, NULL, NULL));
    float *x = numbers_of(&data);
    ok(model, vae_encode(model, &(vae_batch){.x = x, .rows = count}, codes, NULL));
    if (argc < 2) return smiles(model);

    const char *const above[COLUMNS] = {"encoded", "decoded", 0, 0, 0, 0, 0, 0, "another"};
    memcpy(from, codes, SHOWN * K * sizeof *codes);
    memcpy(to, codes + SHOWN * K, SHOWN * K * sizeof *codes);
    draw_rows(model, &data, x, above);
    ok(model, vae_evaluate(model, &data, &stats));
    printf("-ELBO of the photographs: %.1f nats (no bound)\n", -stats.elbo);
    return 0;
}
