/* Trains a small model, writes it as a C array into the first file named and as it is into the second, and
 * prints what every device must. */
#include <stdio.h>
#define VAE_ONLY_PORTABLE
#define VAE_NO_DATA
#define VAE_NO_PIXELS
#define VAE_NO_CODES
#define VAE_IMPLEMENTATION
#include "../../vae.h"
static void say(const char *text) { fputs(text, stdout); }
#include "decode.h"

static float file[8192];
static void loaded(void) {}

int main(int argc, char **argv) {
    static unsigned char pixels[256 * 64];
    const size_t dims[] = {256, 8, 8};
    const unsigned char *bytes = (const unsigned char *)file;
    vae_desc desc = {0};
    vae_report report;
    vae_data data;
    vae *model;
    size_t size = 0, i;
    FILE *out;
    for (i = 0; i < sizeof pixels; i++) pixels[i] = (unsigned char)(i / 64 * (i % 64 + 3) % 251);
    desc.input = "8x8x1", desc.encoder = "dense 16 relu", desc.decoder = "dense 24 relu, dense 20 tanh";
    desc.latent = 3, desc.epochs = 3, desc.batch = 16, desc.lr = 0.01;
    if (argc != 3 || vae_data_wrap(VAE_U8, 3, dims, pixels, &data, &report) ||
        vae_create(&desc, &model, &report) || vae_fit(model, &data, NULL, NULL, NULL) ||
        vae_save_size(model, VAE_SAVE_WEIGHTS_ONLY, &size) || size > sizeof file ||
        vae_save_memory(model, VAE_SAVE_WEIGHTS_ONLY, file, size))
        return 1;
    out = fopen(argv[1], "w");
    if (!out) return 1;
    fprintf(out, "__attribute__((__aligned__(64), __section__(\".model\")))\n"
                 "static const unsigned char model[] = {");
    for (i = 0; i < size; i++) fprintf(out, "%s%d,", i % 24 ? "" : "\n", bytes[i]);
    fprintf(out, "\n};\n");
    if (fclose(out) || !(out = fopen(argv[2], "wb")) || fwrite(file, size, 1, out) != 1) return 1;
    return fclose(out) || decode(file, size, loaded);
}
