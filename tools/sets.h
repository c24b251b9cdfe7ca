/* ======================================================================================
 * sets.h   the commands digits and shapes: built-in sets as files
 * uses: platform.h screen.h text.h targets.h digits.h shapes.h picture.h options.h datasets.h
 * tests: tests/test_tool_data.sh
 * ==================================================================================== */
#ifndef VAE_TOOL_SETS_H
#define VAE_TOOL_SETS_H
#include "platform.h"
#include "screen.h"
#include "text.h"
#include "targets.h"
#include "digits.h"
#include "shapes.h"
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
static void claim_set(const options *o, char *paths[2][3])
{
    const int shapes = o->command == SHAPES;
    const char *const kinds[3] = {shapes ? "images-idx4-ubyte" : "images-idx3-ubyte",
                                  "labels-idx1-ubyte",
                                  shapes ? "factors.npy" : "factors-idx2-int"};
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

static int write_set(options *o)
{
    const int shapes = o->command == SHAPES;
    char *paths[2][3];
    claim_set(o, paths);
    for (int test = 0; test < 2; test++) {
        size_t count = (size_t)(test ? o->test_images : o->images), dims[4];
        const size_t table[2] = {count, DIGITS_FACTORS};
        int rank = built_in_shape(shapes ? "shapes" : "digits", test, count, dims);
        uint8_t *pixels = (uint8_t *)need(count, shapes ? SHAPES_BYTES : DIGITS_PIXELS);
        uint8_t *labels = (uint8_t *)need(count, 1);
        digits_factors *factors = (digits_factors *)need(count, sizeof *factors);
        text t = {NULL, 0, 0};
        if (shapes && o->factors) text_npy_head(&t, count, SHAPES_FACTORS);
        for (size_t i = 0; i < count; i++) {
            uint8_t f[SHAPES_FACTORS];
            float row[SHAPES_FACTORS];
            if (!shapes) {
                digits_draw(o->seed, (test ? DIGITS_TEST : 0) + (uint32_t)i,
                            pixels + i * DIGITS_PIXELS, &factors[i]);
                labels[i] = (uint8_t)factors[i].label;
                continue;
            }
            shapes_fill(o->seed, (test ? SHAPES_TEST : 0) + (uint32_t)i, 1,
                        pixels + i * SHAPES_BYTES, f);
            labels[i] = f[SHAPES_SHAPE];
            for (int k = 0; k < SHAPES_FACTORS; k++) row[k] = (float)f[k];
            if (o->factors) text_npy_rows(&t, row, SHAPES_FACTORS);
        }
        save_idx(paths[test][0], rank, dims, pixels, NULL);
        save_idx(paths[test][1], 1, dims, labels, NULL);
        if (o->factors && shapes) {
            text_save(&t, paths[test][2]);
            say("wrote %s: %zu\n", paths[test][2], count);
        } else if (o->factors) {
            save_idx(paths[test][2], 2, table, NULL, (const int32_t *)factors);
        }
        free(pixels);
        free(labels);
        free(factors);
    }
    release_targets();
    for (int i = 0; i < 6; i++) free(paths[i % 2][i / 2]);
    return 0;
}

#endif
