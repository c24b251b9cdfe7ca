/* How a game would ship a model: the file is an array in the program, the model runs where its
 * parameters lie in that array, and all other memory is static. There is no malloc here: the
 * allocator behind vae.h always refuses, and the program tells how often it was asked.
 *
 *   cc examples/embed.c && ./a.out          (clang: add -O1)
 *
 * A game would have its file from the vae command ("xxd -i model.safetensors" makes it an array);
 * this program trains a small model first, in static memory too. */
#include <stddef.h>
#include <stdio.h>
#include <time.h>

static int requests;
static void *refuse(size_t size) {
    (void)size;
    requests++;
    return NULL;
}
#define VAE_MALLOC(size) refuse(size)
#define VAE_FREE(ptr) ((void)(ptr))
#define VAE_NO_STDIO /* no files either */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "../tools/digits.h"

enum { IMAGES = 10000, LATENT = 8, DRAWINGS = 4, DECODES = 2000 };

/* The parameters in the file are floats and stand at a multiple of 64 bytes from its beginning: in
 * an array that is aligned as floats are they can be used in place. */
static float file[130 * 1024];
static size_t file_size;

static int fail(const char *what) {
    fprintf(stderr, "embed: %s\n", what);
    return 1;
}

/* ---- in the workshop: train, and make the file ---- */

static int make_file(void) {
    static uint8_t pixels[IMAGES * DIGITS_PIXELS];
    static unsigned char memory[4 << 20];
    const size_t dims[] = {IMAGES, DIGITS_HEIGHT, DIGITS_WIDTH};
    vae_report report;
    vae_data data;
    vae_desc desc = {0};
    vae *model;
    digits_fill(1, 0, IMAGES, pixels, NULL);
    desc.input = "28x28x1";
    desc.encoder = "dense 64 relu";
    desc.decoder = "dense 64 relu";
    desc.latent = LATENT;
    desc.lr = 3e-3;
    desc.epochs = 15;
    if (vae_data_wrap(VAE_U8, 3, dims, pixels, &data, &report) ||
        vae_create_in(&desc, memory, sizeof memory, &model, &report))
        return fail(report.text);
    if (vae_fit(model, &data, NULL, NULL, NULL) ||
        vae_save_size(model, VAE_SAVE_WEIGHTS_ONLY, &file_size))
        return fail(vae_last_report(model)->text);
    if (file_size > sizeof file) return fail("the array for the file is too small");
    if (vae_save_memory(model, VAE_SAVE_WEIGHTS_ONLY, file, file_size))
        return fail(vae_last_report(model)->text);
    vae_destroy(model);
    return 0;
}

/* ---- in the game ---- */

static vae *open_model(void) {
    static unsigned char memory[32 << 10];
    vae_load_options options = {0};
    vae_report report;
    vae *model = NULL;
    size_t need = 0;
    options.inference = 1; /* no gradients, no moments */
    options.borrow = 1;    /* no copy of the parameters */
    options.batch = 1;     /* room for one image at a time */
    options.memory = memory;
    options.memory_size = sizeof memory;
    if (vae_load_size(file, file_size, &options, &need, &report) ||
        vae_load_memory(file, file_size, &options, &model, &report)) {
        fail(report.text);
        return NULL;
    }
    printf("model file %d bytes, used in place; the model beside it %d bytes\n", (int)file_size,
           (int)need);
    return model;
}

/* Images side by side, two rows of pixels to a line of text. */
static void draw(const float *images, int count) {
    static const char ink[] = " .:-=+*#%@";
    int i, x, y;
    for (y = 0; y < DIGITS_HEIGHT; y += 2) {
        for (i = 0; i < count; i++) {
            const float *row = images + i * DIGITS_PIXELS + y * DIGITS_WIDTH;
            for (x = 0; x < DIGITS_WIDTH; x++)
                putchar(ink[(int)((row[x] + row[x + DIGITS_WIDTH]) * 4.99f)]);
        }
        putchar('\n');
    }
}

int main(void) {
    static float images[DRAWINGS * DIGITS_PIXELS], z[LATENT];
    clock_t begin;
    double seconds;
    vae_batch all = {0}, one = {0};
    vae *model;
    uint32_t i;

    if (make_file()) return 1;
    model = open_model();
    if (!model) return 1;
    all.rows = DRAWINGS;
    if (vae_sample_prior(model, &all, 3, images)) return fail(vae_last_report(model)->text);
    draw(images, DRAWINGS);

    begin = clock(); /* each frame a new digit */
    one.x = z, one.rows = 1;
    for (i = 0; i < DECODES; i++) {
        one.first = i;
        if (vae_prior(model, &one, 2, z) || vae_decode(model, &one, images))
            return fail(vae_last_report(model)->text);
    }
    seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
    printf("%.1f microseconds per decode; malloc was wanted %d times\n", seconds / DECODES * 1e6,
           requests);
    vae_destroy(model);
    return requests != 0;
}
