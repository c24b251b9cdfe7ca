/* Files that commit c0426e9 wrote in the middle of a run (tests/old/make.sh). They load, and who
 * goes on from them reaches the parameters, files and figures that c0426e9 itself reached. */
#include "models.h"
#include "old/data.h"

/* A file beside this one; free() it. */
static unsigned char *old_file(const char *name, size_t *size) {
    static const char here[] = __FILE__;
    const size_t folder = sizeof here - sizeof "test_old.c";
    char path[400];
    unsigned char *bytes = NULL;
    FILE *f;
    snprintf(path, sizeof path, "%.*sold/%s", (int)folder, here, name);
    f = fopen(path, "rb");
    if (f && !fseek(f, 0, SEEK_END)) {
        *size = (size_t)ftell(f), bytes = (unsigned char *)calloc(*size + 1, 1);
        rewind(f);
        if (fread(bytes, 1, *size, f) != *size) *size = 0;
    }
    if (f) fclose(f);
    if (!bytes) test_report(__FILE__, __LINE__, "cannot read %s", path);
    return bytes;
}

/* Of the run: parameters of its file, and the file as it is saved again (the same but where weights
 * alone begin a new optimiser); at its end the parameters, the file, the file of weights alone, and
 * the figures of vae_evaluate and vae_units. */
enum {
    OLD_BEGIN, OLD_AGAIN, OLD_PARAMS, OLD_FILE, OLD_WEIGHTS, OLD_FIGURES, OLD_UNITS, OLD_HASHES
};
static int old_hashes(const char *name, uint64_t want[OLD_HASHES]) {
    size_t size, i, found = 0;
    char *text = (char *)old_file("hashes.txt", &size), *line, *end;
    for (line = text; line && !found; line = (end = strchr(line, '\n')) ? end + 1 : NULL)
        if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ' ')
            for (i = 0, end = line + strlen(name); i < OLD_HASHES; i++, found++)
                want[i] = strtoull(end, &end, 16);
    free(text);
    CHECK_EQ(found, OLD_HASHES);
    return found == OLD_HASHES;
}

static uint64_t old_hash_of(vae *m, int flags) {
    size_t size;
    unsigned char *bytes = file_of(m, flags, &size);
    const uint64_t hash = old_hash(OLD_HASH, bytes, size);
    free(bytes);
    return hash;
}

static void old_go_on(const char *name, vae *m, const vae_data *train, const vae_data *test,
                      const uint64_t want[OLD_HASHES]) {
    double figures[3], units[2 * 20] = {0};
    vae_info info;
    vae_stats s;
    vae_get_info(m, &info);
    if (!strcmp(name, "ended") || !strcmp(name, "weights"))
        CHECK_STATUS(vae_set_epochs(m, 8), VAE_OK);
    else CHECK(info.epoch == 2 && info.step == 16);
    CHECK(vae_params_hash(m) == want[OLD_BEGIN]);
    CHECK_STATUS(vae_fit(m, train, test, NULL, NULL), VAE_OK);
    CHECK(vae_params_hash(m) == want[OLD_PARAMS]);
    CHECK(old_hash_of(m, 0) == want[OLD_FILE]);
    CHECK(old_hash_of(m, VAE_SAVE_WEIGHTS_ONLY) == want[OLD_WEIGHTS]);
    CHECK_STATUS(vae_evaluate(m, test, &s), VAE_OK);
    figures[0] = s.elbo, figures[1] = s.recon, figures[2] = s.kl;
    CHECK(old_hash_doubles(figures, 3) == want[OLD_FIGURES]);
    CHECK_STATUS(vae_units(m, test, units, units + 20), VAE_OK);
    CHECK(old_hash_doubles(units, 40) == want[OLD_UNITS]);
}

TEST(files_of_c0426e9_go_on_to_the_bits_it_reached_itself) {
    static unsigned char pixels[(OLD_TRAIN + OLD_TEST) * OLD_ITEM];
    static int32_t classes[OLD_TRAIN + OLD_TEST];
    const size_t dims[3] = {OLD_TRAIN, OLD_SIDE, OLD_SIDE};
    const size_t test_dims[3] = {OLD_TEST, OLD_SIDE, OLD_SIDE};
    vae_data train, test;
    int i;
    old_images(0, OLD_TRAIN + OLD_TEST, pixels, classes);
    CHECK_STATUS(vae_data_wrap(VAE_U8, 3, dims, pixels, &train, NULL), VAE_OK);
    CHECK_STATUS(vae_data_wrap(VAE_U8, 3, test_dims, pixels + OLD_TRAIN * OLD_ITEM, &test, NULL),
                 VAE_OK);
    train.labels = classes, test.labels = classes + OLD_TRAIN;
    for (i = 0; old_names[i]; i++) {
        const vae__kernels *k = NULL;
        uint64_t want[OLD_HASHES];
        unsigned char *bytes;
        char file[60];
        size_t size = 0;
        if (!old_hashes(old_names[i], want)) return;
        snprintf(file, sizeof file, "%s.safetensors", old_names[i]);
        bytes = old_file(file, &size);
        while (bytes && (k = ref_next_isa(k))) {
            const int flags = strcmp(old_names[i], "weights") ? 0 : VAE_SAVE_WEIGHTS_ONLY;
            vae_load_options o;
            vae_report r;
            vae *m = NULL;
            memset(&o, 0, sizeof o);
            o.isa = k->isa;
            CHECK_STATUS(vae_load_memory(bytes, size, &o, &m, &r), VAE_OK);
            if (!m) break;
            CHECK(old_hash_of(m, flags) == want[OLD_AGAIN]);
            CHECK(flags || want[OLD_AGAIN] == old_hash(OLD_HASH, bytes, size));
            old_go_on(old_names[i], m, &train, &test, want);
            vae_destroy(m);
        }
        free(bytes);
        if (test_bad) {
            printf("    %s\n", old_names[i]);
            return;
        }
    }
}

TESTS(old) { RUN(files_of_c0426e9_go_on_to_the_bits_it_reached_itself); }
