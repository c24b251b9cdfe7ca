/* What each program here does: create, train, save and load a small model, and print the hash that every
 * build must print. Compiles as C99 and as C++11, needs neither libm nor (with VAE_NO_STDIO) files. */
#ifndef LOOP_H
#define LOOP_H
#include <stdio.h>
#include <string.h>

static int loop_fail(const char *what, const char *why) {
    fprintf(stderr, "%s: %s\n", what, why);
    return 1;
}

#define LOOP_FILE "loop.safetensors"

static int loop_says(uint64_t hash) {
    printf("loop %08lx%08lx\n", (unsigned long)(hash >> 32), (unsigned long)(hash & 0xffffffffu));
    return 0;
}

#ifndef VAE_NO_TRAIN
static int loop(void) {
    static float pixels[16 * 12];
    static char file[1 << 16];
    static const size_t dims[2] = {16, 12};
    static vae_desc desc; /* zero, in every language */
    static vae_load_options options;
    vae_report report;
    vae_data data;
    vae *model = NULL, *copy = NULL;
    size_t size = 0;
    uint64_t hash;
    int i;
    for (i = 0; i < 16 * 12; i++) pixels[i] = (float)(i * 7 % 13) / 16;
#ifdef LOOP_ALLOCATOR
    LOOP_ALLOCATOR(desc.allocator);
    LOOP_ALLOCATOR(options.allocator);
#endif
    desc.input = "12";
    desc.encoder = "dense 9 tanh";
    desc.decoder = "dense 9 relu";
    desc.latent = 2;
    desc.batch = 5;
    desc.epochs = 3;
    if (vae_data_wrap(VAE_F32, 2, dims, pixels, &data, &report))
        return loop_fail("wrap", report.text);
    if (vae_create(&desc, &model, &report)) return loop_fail("create", report.text);
    if (vae_fit(model, &data, NULL, NULL, NULL))
        return loop_fail("fit", vae_last_report(model)->text);
    hash = vae_params_hash(model);
    if (vae_save_size(model, 0, &size) || size > sizeof file ||
        vae_save_memory(model, 0, file, sizeof file))
        return loop_fail("save", vae_last_report(model)->text);
    if (vae_load_memory(file, size, &options, &copy, &report)) return loop_fail("load", report.text);
    if (vae_params_hash(copy) != hash) return loop_fail("load", "other parameters than saved");
    vae_destroy(copy);
#ifndef VAE_NO_STDIO
    copy = NULL;
    if (vae_save(model, LOOP_FILE, 0))
        return loop_fail("save", vae_last_report(model)->text);
    if (vae_load(LOOP_FILE, &options, &copy, &report)) return loop_fail("load", report.text);
#ifndef LOOP_KEEP
    remove(LOOP_FILE);
#endif
    if (vae_params_hash(copy) != hash) return loop_fail("load", "other parameters than saved");
    vae_destroy(copy);
#endif
    vae_destroy(model);
    return loop_says(hash);
}
#endif
#endif
