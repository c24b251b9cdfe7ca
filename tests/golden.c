/* The golden runs without the vae command: next to vae.h there is little to compile.
 *     cc tests/golden.c -o golden.out && ./golden.out ISA FILE RUN...
 * Does each RUN (1 to 9), on two threads where there are any, saves the model as FILE and loads it
 * again. Prints a line for each: its number, the hash of the parameters, and that of the bytes that the
 * loaded model is saved as. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "../tools/digits.h"
#include "golden.h"
#include <stdio.h>
#include <stdlib.h>

static uint8_t pixels[GOLDEN_MOST * DIGITS_PIXELS];
static int32_t labels[GOLDEN_MOST];

static void need(vae_status status, const char *what, const vae_report *report) {
    if (status == VAE_OK) return;
    fprintf(stderr, "%s: %s\n", what, report ? report->text : vae_status_text(status));
    exit(1);
}

int main(int argc, char **argv) {
    const int isa = vae_choice_find(VAE_CHOICE_ISA, argc > 1 ? argv[1] : "");
    int i;
    if (argc < 4 || isa < 0) {
        fprintf(stderr, "usage: %s ISA FILE RUN...\n", argv[0]);
        return 2;
    }
    for (i = 3; i < argc; i++) {
        const int run = (argv[i][0] - '1') % GOLDEN;
        vae_desc d = golden_desc(run < 0 ? 0 : run);
        vae_data data;
        vae_report report;
        vae *m, *loaded;
        unsigned char *bytes;
        uint64_t trained, file;
        size_t size;
        d.isa = (vae_isa)isa;
#ifdef VAE__THREADS
        d.threads = 2;
#endif
        need(golden_data(run, pixels, labels, &data), "data", NULL);
        need(vae_create(&d, &m, &report), "create", &report);
        need(vae_fit(m, &data, NULL, NULL, NULL), "fit", vae_last_report(m));
        need(vae_save(m, argv[2], 0), "save", vae_last_report(m));
        trained = vae_params_hash(m);
        vae_destroy(m);
        need(vae_load(argv[2], NULL, &loaded, &report), "load", &report);
        need(vae_save_size(loaded, 0, &size), "size", vae_last_report(loaded));
        bytes = (unsigned char *)malloc(size);
        if (!bytes) return 1;
        need(vae_save_memory(loaded, 0, bytes, size), "save again", vae_last_report(loaded));
        file = vae__hash(VAE__FNV, bytes, size);
        printf("%d %08lx%08lx %08lx%08lx\n", run + 1, (unsigned long)(trained >> 32),
               (unsigned long)(trained & 0xffffffffu), (unsigned long)(file >> 32),
               (unsigned long)(file & 0xffffffffu));
        fflush(stdout);
        free(bytes);
        vae_destroy(loaded);
    }
    return 0;
}
