/* The same as a program of a system: the model comes out of the file named. */
#include <stdio.h>
#define VAE_STATIC
#define VAE_IMPLEMENTATION
#include "../../vae.h"
static void say(const char *text) { fputs(text, stdout); }
#include "decode.h"

static float file[8192];
static void loaded(void) {}

int main(int argc, char **argv) {
    FILE *in = argc == 2 ? fopen(argv[1], "rb") : NULL;
    const size_t size = in ? fread(file, 1, sizeof file, in) : 0;
    if (in) fclose(in);
    return decode(file, size, loaded);
}
