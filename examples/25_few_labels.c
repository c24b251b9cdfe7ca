/* 25 Few labels: features from images without labels, a classifier from few images with labels.
 *
 * Kingma et al. 2014, "Semi-supervised learning with deep generative models" (arXiv:1406.5298),
 * model M1.
 *
 *   cc examples/25_few_labels.c && ./a.out [FOLDER OF MNIST]
 *
 * Labels are dear, images are not. A VAE is trained on 10,000 images without labels. Then a test
 * image gets the class of the nearest labelled one, where distances are taken between codes. The
 * same with distances between pixels shows what the VAE adds. With many labels pixels win: codes
 * leave details out.
 *
 * The number: the test error with 200 labels, on codes divided by that on pixels. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "common.h"

enum { TRAIN = 10000, TEST = 500, K = 16, SIZES = 6, LABELLED = 800, ASKED = 3 };
static float x[TRAIN * PIXELS], test[TEST * PIXELS], codes[LABELLED * K], test_codes[TEST * K];
static float apart[2][TEST * LABELLED]; /* on codes, on pixels */
static int32_t labels[TRAIN], truth[TEST];

/* The error, in percent, with `count` of the labelled images: the mean over as many different
 * choices of them as there are, 8 at most. */
static double error_with(int count, const float *apart_on) {
    int wrong = 0, choices = LABELLED / count < 8 ? LABELLED / count : 8;
    for (int c = 0; c < choices; c++)
        for (int n = 0; n < TEST; n++) {
            size_t nearest = smallest(apart_on + n * LABELLED + c * count, (size_t)count);
            wrong += labels[(size_t)(c * count) + nearest] != truth[n];
        }
    return 100.0 * wrong / (choices * TEST);
}

int main(int argc, char **argv) {
    const char *folder = argc > 1 ? argv[1] : NULL;
    const int sizes[SIZES] = {25, 50, 100, 200, 400, 800};
    double number[SIZES], error[2][SIZES];
    images(folder, 0, TRAIN, x, labels);
    images(folder, 1, TEST, test, truth);

    vae_desc desc = {0};
    desc.input = "784", desc.latent = K, desc.encoder = desc.decoder = "dense 200 relu";
    desc.lr = 2e-3, desc.epochs = 8;
    vae *model = create(&desc);
    vae_data data = wrap(x, TRAIN, PIXELS); /* no labels */
    ok(model, vae_fit(model, &data, NULL, NULL, NULL));
    ok(model, vae_encode(model, &(vae_batch){.x = x, .rows = LABELLED}, codes, NULL));
    ok(model, vae_encode(model, &(vae_batch){.x = test, .rows = TEST}, test_codes, NULL));
    vae_destroy(model);

    distances(TEST, test_codes, LABELLED, codes, K, apart[0]);
    distances(TEST, test, LABELLED, x, PIXELS, apart[1]);
    for (int s = 0; s < SIZES; s++) {
        number[s] = sizes[s];
        for (int w = 0; w < 2; w++) error[w][s] = error_with(sizes[s], apart[w]);
        printf("%4d labels: error on codes %5.1f %%, on pixels %5.1f %%\n", sizes[s], error[0][s],
               error[1][s]);
    }
    figure *f = figure_new(720, 440, "Nearest labelled neighbour: test error by labels", NULL);
    figure_panel(f, 0, 0, 1, 1, NULL);
    figure_axes(f, "labelled images", 22, 900, "error, %", error[0][SIZES - 1] * .7,
                error[1][0] * 1.4, FIGURE_LOG_X | FIGURE_LOG_Y);
    figure_curve(f, number, error[1], SIZES, "nearest by pixels");
    figure_curve(f, number, error[0], SIZES, "nearest by codes of a VAE");
    figure_legend(f, FIGURE_TOP_RIGHT);
    save(f, "25_few_labels");
    return at_most("error with 200 labels, on codes over that on pixels",
                   error[0][ASKED] / error[1][ASKED], .9);
}
