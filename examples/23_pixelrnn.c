/* 23 PixelRNN: LSTMs along the diagonals see all earlier pixels.
 *
 * van den Oord, Kalchbrenner & Kavukcuoglu 2016, "Pixel recurrent neural networks"
 * (arXiv:1601.06759), the Diagonal BiLSTM.
 *
 *   cc examples/23_pixelrnn.c && ./a.out [FOLDER OF MNIST]
 *
 * The windows of a PixelCNN (22_pixelcnn.c) leave a blind spot. Here two LSTMs run along the
 * diagonals of the image, one from the left and one from the right, and carry what they have read
 * as far as needed. The one from the right would also read later pixels of the line, so its output
 * is moved down by a line. One earlier pixel stays unseen: the last of the line above, where the
 * first window does not reach it. log p(x) is exact here, too.
 *
 * The number: by how many nats the exact -log p(x) of test images lies below that of the PixelCNN
 * after as many passes over the same images. The PixelRNN must see all earlier pixels but one, and
 * the PixelCNN must have learned: less than 40 nats. Without training it has about 80. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "common.h"

enum { TRAIN = 2500, TEST = 400, SHOWN = 30, WIDTH = HALF_PIXELS };
enum { MIDDLE = 8 * HALF + 6 }; /* the pixel whose logit is asked for */
static const char cnn[] = "image, maskconv 16 7x7 a relu, maskconv 16 5x5 b relu, "
                          "maskconv 16 3x3 b relu";
static const char rnn[] = "image, maskconv 16 7x7 a, diaglstm 16, maskconv 16 1x1 b relu";
static float x[TRAIN * WIDTH], test[TEST * WIDTH], score[TEST], made[SHOWN * WIDTH];
static float probe[(WIDTH + 1) * WIDTH], change[WIDTH], shade[WIDTH];

static vae_desc described(const char *decoder) {
    vae_desc desc = {0};
    desc.input = "14x14x1", desc.posterior = "none", desc.encoder = "", desc.decoder = decoder;
    desc.lr = 8e-3, desc.epochs = 8, desc.batch = 50;
    return desc;
}

/* How the logit of the middle pixel changes when another pixel of an image is flipped. Returns how
 * many pixels change it. vae_complete fills the pixels from MIDDLE on with their most probable
 * values; with a gaussian likelihood that value is the net's output, the logit itself. */
static int look(vae *trained, const char *decoder, const float *image) {
    vae_desc desc = described(decoder);
    vae_tensor t;
    int count = 0;
    desc.likelihood = "gaussian";
    vae *model = create(&desc);
    for (size_t i = 0; vae_tensor_at(trained, i, &t) == VAE_OK; i++)
        ok(model, vae_tensor_set(model, i, t.data));
    for (int i = 0; i < (WIDTH + 1) * WIDTH; i++) /* row n has pixel n flipped, the last row none */
        probe[i] = i / WIDTH == i % WIDTH ? 1 - image[i % WIDTH] : image[i % WIDTH];
    vae_batch batch = {.x = probe, .rows = WIDTH + 1};
    ok(model, vae_complete(model, &batch, MIDDLE, NULL, probe));
    for (int n = 0; n < WIDTH; n++) {
        change[n] = probe[n * WIDTH + MIDDLE] - probe[WIDTH * WIDTH + MIDDLE];
        count += change[n] != 0;
    }
    vae_destroy(model);
    return count;
}

int main(int argc, char **argv) {
    const char *const names[2] = {"PixelCNN", "PixelRNN"}, *const nets[2] = {cnn, rnn};
    const char *folder = argc > 1 ? argv[1] : NULL;
    double exact[2];
    int seen[2];
    half_images(folder, 0, TRAIN, x);
    half_images(folder, 1, TEST, test);
    figure *f = figure_new(1060, 420, "What the dark blue pixel's logit depends on",
                           "How much it changes when another pixel of a test image is flipped: "
                           "orange, paler below 1, 0.1 and 0.01; white: not at all.");
    for (int k = 0; k < 2; k++) {
        vae_desc desc = described(nets[k]);
        desc.visible_bias = VAE_BIAS_MEAN;
        vae *model = create(&desc);
        vae_data data = wrap(x, TRAIN, WIDTH);
        ok(model, vae_fit(model, &data, NULL, NULL, NULL));
        ok(model, vae_score(model, &(vae_batch){.x = test, .rows = TEST}, score, NULL, NULL));
        ok(model, vae_sample_prior(model, &(vae_batch){.rows = SHOWN}, 1, made));
        exact[k] = -mean_of(score, TEST), seen[k] = look(model, nets[k], test);
        vae_destroy(model);
        printf("%s: exact -log p(x) %.2f nats, sees %d of the %d earlier pixels\n", names[k],
               exact[k], seen[k], MIDDLE);
        for (int n = 0; n < WIDTH; n++) { /* as shades of orange */
            const float size = change[n] < 0 ? -change[n] : change[n];
            shade[n] = size > 1 ? .9f : size > .1f ? .6f : size > .01f ? .4f : size > 0 ? .2f : 0;
        }
        shade[MIDDLE] = -1;
        figure_panel(f, k * .32, 0, (k + 1) * .32, 1, names[k]);
        figure_images(f, &(figure_sheet){.images = shade, .count = 1, .height = HALF,
                                         .width = HALF, .columns = 1, .both = 1});
    }
    figure_panel(f, .66, 0, 1, 1, "drawn by the PixelRNN");
    figure_images(f, &(figure_sheet){.images = made, .count = SHOWN, .height = HALF,
                                     .width = HALF, .columns = 5});
    save(f, "23_pixelrnn");
    if (!(seen[1] >= MIDDLE - 1)) puts("FAIL: the PixelRNN has a blind spot");
    if (!(exact[0] < 40)) puts("FAIL: the PixelCNN has not learned");
    return at_least("nats of -log p(x) that the PixelRNN is below the PixelCNN",
                    exact[0] - exact[1], 1) || !(seen[1] >= MIDDLE - 1 && exact[0] < 40);
}
