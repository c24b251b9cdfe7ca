/* ======================================================================================
 * sets.h   the commands digits, shapes and faces: built-in sets as files
 * uses: platform.h screen.h text.h targets.h picture.h options.h datasets.h
 * tests: tests/test_tool_data.sh
 * ==================================================================================== */
#ifndef VAE_TOOL_SETS_H
#define VAE_TOOL_SETS_H
#include "platform.h"
#include "screen.h"
#include "text.h"
#include "targets.h"
#include "picture.h"
#include "options.h"
#include "datasets.h"

/* IDX: unsigned bytes, or int32 as `numbers`. */
static void save_idx(const char *path, int rank, const size_t *dims, const uint8_t *bytes,
                     const int32_t *numbers)
{
    text t = {NULL, 0, 0};
    size_t count = 1;
    uint8_t *out = (uint8_t *)text_grow(&t, 4 + 4 * (size_t)rank);
    memset(out, 0, 4);
    out[2] = (uint8_t)(bytes ? VAE_U8 : VAE_I32), out[3] = (uint8_t)rank;
    for (int i = 0; i < rank; i++) {
        picture__put_u32(out + 4 + 4 * i, (uint32_t)dims[i]);
        count *= dims[i];
    }
    out = (uint8_t *)text_grow(&t, bytes ? count : 4 * count);
    if (bytes) memcpy(out, bytes, count);
    for (size_t i = 0; numbers && i < count; i++)
        picture__put_u32(out + 4 * i, (uint32_t)numbers[i]);
    text_save(&t, path);
    say("wrote %s: %zu\n", path, dims[0]);
}

/* Names and claims the files of a set: images, labels and factors of both parts. */
static void claim_set(const options *o, const built_in *s, char *paths[2][3])
{
    const char *const kinds[3] = {s->images_name, "labels-idx1-ubyte", s->factors_name};
    catch_signals();
    for (int i = 0; i < 6; i++) {
        char **path = &paths[i % 2][i / 2];
        int there;
        *path = joined(o->operand, i % 2 ? "/t10k-" : "/train-", kinds[i / 2]);
        if (i == 0) make_folders(*path);
        if (i / 2 == 2 && !o->factors) continue;
        there = kind_of(*path);
        if (there != NOTHING && there != REGULAR)
            die(FAILED, "%s is a %s, not a file", *path, there == FOLDER ? "folder" : "device");
        claim_target("", *path);
    }
}

/* (count, columns) as NPY or IDX, as the end of the name says. */
static void save_factors(const char *path, size_t count, size_t columns, const int32_t *factors)
{
    const size_t table[2] = {count, columns};
    text t = {NULL, 0, 0};
    float row[BUILT_IN_FACTORS];
    if (!ends_with(path, ".npy")) {
        save_idx(path, 2, table, NULL, factors);
        return;
    }
    text_npy_head(&t, count, columns);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < columns; k++) row[k] = (float)factors[i * columns + k];
        text_npy_rows(&t, row, columns);
    }
    text_save(&t, path);
    say("wrote %s: %zu\n", path, count);
}

static int write_set(options *o)
{
    const built_in *s = find_built_in(o->command == DIGITS   ? "digits"
                                      : o->command == SHAPES ? "shapes"
                                                             : "faces");
    char *paths[2][3];
    claim_set(o, s, paths);
    for (int test = 0; test < 2; test++) {
        size_t count = (size_t)(test ? o->test_images : o->images), dims[4];
        const int rank = built_in_shape(s, test, count, dims);
        const size_t size = dims[1] * dims[2] * (rank == 4 ? dims[3] : 1);
        uint8_t *pixels = (uint8_t *)need(count, size);
        uint8_t *labels = (uint8_t *)need(count, 1);
        int32_t *factors = (int32_t *)need(times(count, s->factors), sizeof *factors);
        for (size_t i = 0; i < count; i++) {
            int32_t *f = factors + i * s->factors;
            s->draw(o->seed, (test ? s->test : 0) + (uint32_t)i, pixels + i * size, f);
            labels[i] = (uint8_t)f[0];
        }
        save_idx(paths[test][0], rank, dims, pixels, NULL);
        save_idx(paths[test][1], 1, dims, labels, NULL);
        if (o->factors) save_factors(paths[test][2], count, s->factors, factors);
        free(pixels);
        free(labels);
        free(factors);
    }
    release_targets();
    for (int i = 0; i < 6; i++) free(paths[i % 2][i / 2]);
    return 0;
}

#endif
