/* images.h: pictures from files, for tools.
 *
 *   images_decode   one PNG, PGM or PPM file in memory
 *   images_cifar    the records of a CIFAR-10 batch in memory
 *   images_npy      an NPY file in memory, as data
 *   images_files    a list of picture files of one size, as data
 *   images_folder   all picture files of a folder, in the byte order of their names, as data
 *   images_batches  a folder with CIFAR-10 batches, as data and labels
 *
 * Images are (height, width, channels) bytes, row-major; `channels` is 1 (grey) or 3 (RGB). What is
 * read:
 *
 *   PNG    grey, RGB, palette, each with or without alpha; 1 to 16 bits; all filters; CRCs and the
 *          zlib sum are checked. Interlaced files are refused. What is transparent is laid on
 *          black. Profiles and gamma are ignored, and so is what follows the image: data that
 *          unpack to more than its pixels, bytes behind zlib's sum or behind IEND
 *   PGM, PPM (P2, P3, P5, P6) of one image, up to 16 bits
 *   CIFAR-10, binary version: records of a label and 3 planes of 32 x 32, turned into RGB pixels
 *   NPY    uint8 or float32 of either byte order and either order of the axes in memory, as
 *          (images, height, width, channels), (images, height, width) or (images, numbers)
 *
 * Samples of 16 bits, or of a PGM with another maximum than 255, are rounded to 8. A set where grey
 * and colour are mixed becomes RGB. A file is checked before it is believed: nothing is allocated
 * for what its bytes cannot hold, and images of more than IMAGES_MAX_PIXELS are refused.
 *
 * What fails writes a sentence to `error`, which names the file if there is a path. C99 and C++11;
 * include vae.h before it, for vae_inflate and vae_data. Data are released by vae_data_free, so
 * this header needs its standard VAE_FREE. */

#ifndef IMAGES_H
#define IMAGES_H

#ifndef VAE_VERSION
#error "include vae.h before images.h"
#endif

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "files.h"
#include "npy.h"

#define IMAGES_MAX_SIDE 16384
#define IMAGES_MAX_PIXELS (1u << 24)

enum { IMAGES_ERROR = 600 };    /* bytes of an error sentence */
enum { IMAGES_CIFAR_SIDE = 32, IMAGES_CIFAR_BYTES = 3072, IMAGES_CIFAR_RECORD = 3073 };

/* One image; the pixels are for the caller to free(). */
typedef struct images_picture {
    uint8_t *pixels;            /* (height, width, channels) */
    size_t height, width, channels;
} images_picture;

static inline uint32_t images__be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Is the size one that we take? Fills in all but the pixels. */
static inline int images__size(images_picture *p, size_t width, size_t height, size_t channels,
                               char *error)
{
    p->pixels = NULL, p->width = width, p->height = height, p->channels = channels;
    if (width && height && width <= IMAGES_MAX_SIDE && height <= IMAGES_MAX_SIDE
        && width * height <= IMAGES_MAX_PIXELS) return 1;
    snprintf(error, IMAGES_ERROR, "its size, %zu x %zu, is zero or too large", width, height);
    return 0;
}

/* ---- PNG -------------------------------------------------------------------------------- */

/* A PNG file on its way in. */
typedef struct images__png {
    images_picture p;
    unsigned depth, colour;     /* bits of a sample; 0 grey, 2 RGB, 3 palette, 4, 6 with alpha */
    size_t samples, row;        /* of a pixel; bytes of a row without its filter */
    uint8_t palette[256][4];    /* red, green, blue, alpha */
    size_t colours;
    int keyed;                  /* one colour is transparent: */
    unsigned key[3];
    uint8_t *packed;            /* what all IDAT hold */
    size_t packed_size;
    int apart;                  /* 1: IDAT chunks came again behind others, and were left out */
    char *error;
} images__png;

/* CRC-32 of PNG's chunks, four bits at a time. */
static inline uint32_t images__crc(const uint8_t *bytes, size_t count)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158,
        0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4,
        0xa00ae278, 0xbdbdf21c};
    uint32_t c = 0xffffffffu;
    for (size_t i = 0; i < count; i++) {
        c ^= bytes[i];
        c = c >> 4 ^ table[c & 15];
        c = c >> 4 ^ table[c & 15];
    }
    return ~c;
}

/* Adler-32, the sum of zlib. */
static inline uint32_t images__adler(const uint8_t *bytes, size_t count)
{
    uint32_t a = 1, b = 0;
    while (count) { /* sums of 5552 bytes fit 32 bits */
        size_t n = count < 5552 ? count : 5552;
        count -= n;
        for (; n; n--) a += *bytes++, b += a;
        a %= 65521, b %= 65521;
    }
    return b << 16 | a;
}

/* 1 when a sum agrees. Fuzzers cannot guess sums, so their builds do not compare. */
static inline int images__same(uint32_t found, uint32_t want)
{
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
    (void)found, (void)want;
    return 1;
#else
    return found == want;
#endif
}

static inline int images__wrong(char *error, const char *what)
{
    snprintf(error, IMAGES_ERROR, "%s", what);
    return 0;
}

static inline int images__png_head(images__png *g, const uint8_t *d)
{
    static const uint8_t samples[7] = {1, 0, 3, 1, 2, 0, 4};
    static const uint8_t depths[7] = {1 | 2 | 4 | 8 | 16, 0, 8 | 16, 1 | 2 | 4 | 8, 8 | 16, 0,
                                      8 | 16};
    g->depth = d[8], g->colour = d[9];
    if (!images__size(&g->p, images__be32(d), images__be32(d + 4), 3, g->error)) return 0;
    if (g->colour > 6 || g->depth > 16 || !(depths[g->colour] & g->depth)
        || (g->depth & (g->depth - 1))) {
        snprintf(g->error, IMAGES_ERROR, "PNG has no colour type %u with %u bits", g->colour,
                 g->depth);
        return 0;
    }
    if (d[10] || d[11]) return images__wrong(g->error, "its PNG compression or filter is unknown");
    if (d[12])
        return images__wrong(g->error, "interlaced PNG is not read; save it without interlacing");
    if (!(g->colour & 2)) g->p.channels = 1;
    g->samples = samples[g->colour];
    g->row = (g->p.width * g->samples * g->depth + 7) / 8;
    return 1;
}

static inline int images__png_transparency(images__png *g, const uint8_t *d, size_t n)
{
    if (g->colour == 3) {
        if (n > g->colours) return images__wrong(g->error, "its tRNS chunk has a wrong size");
        for (size_t i = 0; i < n; i++) g->palette[i][3] = d[i];
        return 1;
    }
    if (g->colour > 3 || n != 2 * g->samples)
        return images__wrong(g->error, "its tRNS chunk has a wrong size");
    g->keyed = 1;
    for (size_t i = 0; i < g->samples; i++) g->key[i] = (unsigned)d[2 * i] << 8 | d[2 * i + 1];
    return 1;
}

/* All chunks up to IEND; the data of IDAT are put together. g->packed has room for the file. What
 * stands behind the data, or is no more than a hint, is stepped over, as libpng does. */
static inline int images__png_chunks(images__png *g, const uint8_t *bytes, size_t size)
{
    size_t at = 8, number = 0;
    int data = 0; /* 1: among the IDAT, 2: behind them */
    for (;; number++) {
        const uint8_t *d = bytes + at + 8;
        char name[5] = "????";
        size_t n;
        if (size - at < 12) return images__wrong(g->error, "it is truncated: there is no IEND");
        n = images__be32(bytes + at);
        for (int i = 0; i < 4; i++) {
            uint8_t c = (uint8_t)(bytes[at + 4 + (size_t)i] & ~32u);
            if (c >= 'A' && c <= 'Z') name[i] = (char)bytes[at + 4 + (size_t)i];
        }
        if (n > size - at - 12) {
            snprintf(g->error, IMAGES_ERROR, "it is truncated, or wrong, in its chunk %s at byte "
                     "%zu, of %zu bytes", name, at, n);
            return 0;
        }
        if (!images__same(images__crc(bytes + at + 4, n + 4), images__be32(d + n))) {
            snprintf(g->error, IMAGES_ERROR, "its chunk %s at byte %zu has a wrong CRC", name, at);
            return 0;
        }
        at += n + 12;
        if ((strcmp(name, "IHDR") == 0) != (number == 0) || (number == 0 && n != 13))
            return images__wrong(g->error, "its first chunk, and no other, must be IHDR");
        if (data == 1 && strcmp(name, "IDAT") != 0) data = 2;
        if (number == 0) {
            if (!images__png_head(g, d)) return 0;
        } else if (strcmp(name, "PLTE") == 0) {
            if (g->colour != 3 || data) continue; /* RGB: a hint for screens */
            if (g->colours || n == 0 || n > 768 || n % 3)
                return images__wrong(g->error, "its PLTE chunk is misplaced or of a wrong size");
            g->colours = n / 3;
            for (size_t i = 0; i < n; i++) g->palette[i / 3][i % 3] = d[i];
            for (size_t i = 0; i < g->colours; i++) g->palette[i][3] = 255;
        } else if (strcmp(name, "tRNS") == 0) {
            if (!data && !images__png_transparency(g, d, n)) return 0;
        } else if (strcmp(name, "IDAT") == 0) {
            if (data == 2) g->apart = 1;
            if (data == 2) continue;
            data = 1;
            if (n) memcpy(g->packed + g->packed_size, d, n);
            g->packed_size += n;
        } else if (strcmp(name, "IEND") == 0) {
            break;
        } else if (name[0] == '?' || !(name[0] & 32)) {
            snprintf(g->error, IMAGES_ERROR, "its chunk %s at byte %zu is unknown", name,
                     at - n - 12);
            return 0;
        }
    }
    if (!data) return images__wrong(g->error, "it has no IDAT");
    if (g->colour == 3 && !g->colours) return images__wrong(g->error, "it has no palette");
    return 1;
}

/* Undoes the filters in place. rows (height, 1 + row); `zeros` stands above the first. */
static inline int images__png_filters(const images__png *g, uint8_t *rows, const uint8_t *zeros)
{
    const size_t back = (g->samples * g->depth + 7) / 8; /* to the same byte of the pixel before */
    const uint8_t *above = zeros;
    for (size_t y = 0; y < g->p.height; y++) {
        uint8_t filter = *rows++;
        if (filter > 4) {
            snprintf(g->error, IMAGES_ERROR, "its row %zu has filter %u, which does not exist", y,
                     (unsigned)filter);
            return 0;
        }
        for (size_t i = 0; filter && i < g->row; i++) {
            int a = i < back ? 0 : rows[i - back], b = above[i], c = i < back ? 0 : above[i - back];
            int to_a = b - c, to_b = a - c, to_c = a + b - 2 * c; /* of Paeth's guess a + b - c */
            if (to_a < 0) to_a = -to_a;
            if (to_b < 0) to_b = -to_b;
            if (to_c < 0) to_c = -to_c;
            if (filter == 2) a = b;
            else if (filter == 3) a = (a + b) / 2;
            else if (filter == 4) a = to_a <= to_b && to_a <= to_c ? a : to_b <= to_c ? b : c;
            rows[i] = (uint8_t)(rows[i] + a);
        }
        above = rows;
        rows += g->row;
    }
    return 1;
}

/* rows (height, 1 + row) -> pixels (height, width, channels) */
static inline int images__png_pixels(const images__png *g, const uint8_t *rows, uint8_t *out)
{
    const unsigned most = (1u << g->depth) - 1;
    const size_t colours = g->p.channels;
    for (size_t y = 0; y < g->p.height; y++, rows += g->row + 1) {
        for (size_t x = 0; x < g->p.width; x++) {
            unsigned s[4] = {0, 0, 0, 0}, alpha = 255;
            for (size_t k = 0; k < g->samples; k++) {
                size_t i = x * g->samples + k;
                const uint8_t *from = rows + 1 + i * g->depth / 8;
                if (g->depth == 16) s[k] = (unsigned)from[0] << 8 | from[1];
                else s[k] = from[0] >> (8 - g->depth - i * g->depth % 8) & most;
            }
            if (g->colour == 3) {
                unsigned index = s[0];
                if (index >= g->colours) {
                    snprintf(g->error, IMAGES_ERROR, "its pixel (%zu, %zu) has colour %u of a "
                             "palette of %zu", x, y, index, g->colours);
                    return 0;
                }
                for (size_t k = 0; k < 3; k++) s[k] = g->palette[index][k];
                alpha = g->palette[index][3];
            } else {
                if (g->keyed && s[0] == g->key[0]
                    && (g->samples == 1 || (s[1] == g->key[1] && s[2] == g->key[2]))) alpha = 0;
                for (size_t k = 0; k < g->samples; k++) s[k] = (s[k] * 255 + most / 2) / most;
                if (g->colour & 4) alpha = s[g->samples - 1];
            }
            for (size_t k = 0; k < colours; k++) *out++ = (uint8_t)((s[k] * alpha + 127) / 255);
        }
    }
    return 1;
}

/* Unpacks, checks and turns into pixels what IDAT held. */
static inline int images__png_unpack(images__png *g)
{
    const size_t line = g->row + 1, size = line * g->p.height;
    const uint8_t *z = g->packed;
    uint8_t *block = NULL, *rows;
    size_t used = 0;
    int good = 0;
    vae_status status;
    vae_report report;
    if (g->packed_size < 6 || (z[0] & 15) != 8 || z[0] >> 4 > 7 || (z[0] << 8 | z[1]) % 31
        || (z[1] & 32))
        return images__wrong(g->error, "its data are not in zlib's format");
    if (size / 1032 > g->packed_size) /* deflate makes no more of a byte */
        return images__wrong(g->error, "it is truncated: its data cannot hold its size");
    block = (uint8_t *)malloc(line + size);
    g->p.pixels = (uint8_t *)malloc(g->p.height * g->p.width * g->p.channels);
    if (!block || !g->p.pixels) {
        images__wrong(g->error, "out of memory");
    } else {
        rows = block + line;
        memset(block, 0, line);
        status = vae_inflate(z + 2, g->packed_size - 2, "its data", NULL, rows, size, &used,
                             &report);
        /* ERR_SIZE: more follows than the image needs. The sum is then that of all, and the CRC
         * of each chunk has vouched for the pixels. What follows the sum is nothing to us. */
        if (status != VAE_OK && status != VAE_ERR_SIZE)
            snprintf(g->error, IMAGES_ERROR, "%s%s", report.text,
                     g->apart ? "; its IDAT chunks are not together" : "");
        else if (status == VAE_OK && g->packed_size - 2 - used < 4)
            images__wrong(g->error, "it is truncated: its data end within zlib's sum");
        else if (status == VAE_OK
                 && !images__same(images__adler(rows, size), images__be32(z + 2 + used)))
            images__wrong(g->error, "its data do not agree with zlib's sum");
        else
            good = images__png_filters(g, rows, block) && images__png_pixels(g, rows, g->p.pixels);
    }
    free(block);
    return good;
}

static inline int images__png_decode(const uint8_t *bytes, size_t size, images_picture *out,
                                     char *error)
{
    images__png g;
    int good = 0;
    memset(&g, 0, sizeof g);
    g.error = error;
    g.packed = (uint8_t *)malloc(size);
    if (!g.packed) images__wrong(error, "out of memory");
    else good = images__png_chunks(&g, bytes, size) && images__png_unpack(&g);
    free(g.packed);
    if (good) *out = g.p;
    else free(g.p.pixels);
    return good;
}

/* ---- PGM and PPM ------------------------------------------------------------------------ */

static inline int images__blank(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* Steps over blanks and comments, then reads a number below 10^6. */
static inline int images__number(const uint8_t *bytes, size_t size, size_t *at, unsigned *value)
{
    size_t i = *at, digits = 0;
    while (i < size && (images__blank(bytes[i]) || bytes[i] == '#')) {
        if (bytes[i] == '#') while (i < size && bytes[i] != '\n' && bytes[i] != '\r') i++;
        else i++;
    }
    for (*value = 0; i < size && bytes[i] >= '0' && bytes[i] <= '9'; i++, digits++)
        if (*value < 1000000) *value = *value * 10 + (bytes[i] - (unsigned)'0');
    *at = i;
    return digits > 0 && *value < 1000000;
}

static inline int images__pnm_decode(const uint8_t *bytes, size_t size, images_picture *out,
                                     char *error)
{
    const int kind = bytes[1] - '0', plain = kind < 4;
    images_picture p;
    size_t at = 2, count, wide;
    unsigned width = 0, height = 0, most = 0, value = 0;
    if (kind == 1 || kind == 4) return images__wrong(error, "a PBM bitmap; save it as PGM");
    if (!images__number(bytes, size, &at, &width) || !images__number(bytes, size, &at, &height)
        || !images__number(bytes, size, &at, &most) || most < 1 || most > 65535 || at == size
        || !images__blank(bytes[at]))
        return images__wrong(error, "its PGM or PPM header cannot be read");
    at++;
    if (!images__size(&p, width, height, kind % 3 == 0 ? 3 : 1, error)) return 0;
    count = p.height * p.width * p.channels;
    wide = plain || most < 256 ? 1 : 2;
    if ((plain ? (size - at + 1) / 2 : (size - at) / wide) < count)
        return images__wrong(error, "it is truncated: pixels are missing");
    if (!plain && size - at != count * wide)
        return images__wrong(error, "something follows its pixels");
    p.pixels = (uint8_t *)malloc(count);
    if (!p.pixels) return images__wrong(error, "out of memory");
    for (size_t i = 0; i < count; i++) {
        int there = 1;
        if (plain) there = images__number(bytes, size, &at, &value);
        else value = wide == 1 ? bytes[at + i] : (unsigned)bytes[at + 2 * i] << 8
                                                 | bytes[at + 2 * i + 1];
        if (!there || value > most) {
            snprintf(error, IMAGES_ERROR, "its number %zu is missing or above %u", i, most);
            free(p.pixels);
            return 0;
        }
        p.pixels[i] = (uint8_t)((value * 255 + most / 2) / most);
    }
    if (plain && (images__number(bytes, size, &at, &value) || at != size)) {
        free(p.pixels);
        return images__wrong(error, "something follows its pixels");
    }
    *out = p;
    return 1;
}

/* One picture file in memory. Returns 1; or 0 with the reason, nothing allocated and `out` as it
 * was. */
static inline int images_decode(const uint8_t *bytes, size_t size, images_picture *out,
                                char error[IMAGES_ERROR])
{
    if (size >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0)
        return images__png_decode(bytes, size, out, error);
    if (size >= 3 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '6'
        && (images__blank(bytes[2]) || bytes[2] == '#'))
        return images__pnm_decode(bytes, size, out, error);
    return images__wrong(error, "it is not a PNG, PGM or PPM file");
}

/* ---- CIFAR-10 and NPY ------------------------------------------------------------------- */

/* The records of a batch file: returns how many; or 0 with the reason.
 *
 *   pixels  (count, 32, 32, 3)  out, room for size / 3073 images; may be NULL
 *   labels  (count)             out, 0 to 9; may be NULL */
static inline size_t images_cifar(const uint8_t *bytes, size_t size, uint8_t *pixels,
                                  uint8_t *labels, char error[IMAGES_ERROR])
{
    const size_t count = size / IMAGES_CIFAR_RECORD, plane = IMAGES_CIFAR_BYTES / 3;
    if (count == 0 || size % IMAGES_CIFAR_RECORD) {
        snprintf(error, IMAGES_ERROR, "its %zu bytes are no CIFAR-10 records of %d", size,
                 IMAGES_CIFAR_RECORD);
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        const uint8_t *r = bytes + i * IMAGES_CIFAR_RECORD;
        if (r[0] > 9) {
            snprintf(error, IMAGES_ERROR, "its record %zu has class %u: not CIFAR-10", i,
                     (unsigned)r[0]);
            return 0;
        }
        if (labels) labels[i] = r[0];
        for (size_t k = 0; pixels && k < plane; k++)
            for (size_t c = 0; c < 3; c++) *pixels++ = r[1 + c * plane + k];
    }
    return count;
}

/* Bytes from malloc() that hold (dims) numbers become data, which own them. */
static inline int images__own(vae_type type, int rank, const size_t *dims, uint8_t *bytes,
                              size_t size, vae_data *data, char *error)
{
    vae_report report;
    if (vae_data_wrap(type, rank, dims, bytes, data, &report) != VAE_OK) {
        snprintf(error, IMAGES_ERROR, "it cannot be data: %s", report.text);
        return 0;
    }
    data->block = bytes, data->block_size = size;
    return 1;
}

/* An NPY file in memory that malloc() gave. Returns 1, and `bytes` belong to the data or are
 * released; or 0 with the reason, and they are still the caller's. */
static inline int images_npy(uint8_t *bytes, size_t size, vae_data *data,
                             char error[IMAGES_ERROR])
{
    npy_array a;
    uint8_t *numbers = bytes;
    if (!npy_open(bytes, size, &a, error)) return 0;
    if (!a.width) {
        snprintf(error, IMAGES_ERROR, "it holds '%s', neither '|u1' nor '<f4'; save "
                 "x.astype('<f4')", a.descr);
        return 0;
    }
    for (int i = 0; i < a.rank; i++)
        if (a.shape[i] == 0) return images__wrong(error, "it holds no images");
    if (!npy_fits(&a, error)) return 0;
    if (a.rank < 2) return images__wrong(error, "it has fewer than 2 dimensions: no images");
    if (a.fortran && !(numbers = (uint8_t *)malloc(a.bytes)))
        return images__wrong(error, "out of memory");
    npy_unpack(bytes, &a, numbers);
    if (!images__own(a.width == 1 ? VAE_U8 : VAE_F32, a.rank, a.shape, numbers,
                     numbers == bytes ? size : a.bytes, data, error)) {
        if (numbers != bytes) free(numbers);
        return 0;
    }
    if (numbers != bytes) free(bytes);
    return 1;
}

/* ---- files ------------------------------------------------------------------------------ */

/* Puts the path, or its last part, before the sentence in `error`. Returns 0. */
static inline int images__named(const char *path, char *error)
{
    char reason[IMAGES_ERROR];
    size_t n = strlen(path);
    memcpy(reason, error, IMAGES_ERROR);
    reason[IMAGES_ERROR - 1] = '\0';
    snprintf(error, IMAGES_ERROR, "%s%s: %.290s", n > 290 ? "..." : "",
             path + (n > 290 ? n - 290 : 0), reason);
    return 0;
}

enum { IMAGES__UNKNOWN = -1, IMAGES__NOTHING, IMAGES__OTHER, IMAGES__FILE };

/* What has this name: a plain file or something else, a folder say. IMAGES__UNKNOWN when the system
 * does not tell, with the reason, which names it. */
static inline int images__kind(const char *path, char error[IMAGES_ERROR])
{
    files_place p;
    int code = files_look(path, &p);
    if (!code)
        return p.kind == FILES_NOTHING ? IMAGES__NOTHING : p.kind == FILES_REGULAR ? IMAGES__FILE
             : IMAGES__OTHER;
    snprintf(error, IMAGES_ERROR, "it cannot be looked at: %s", strerror(code));
    images__named(path, error);
    return IMAGES__UNKNOWN;
}

/* A whole file or what a pipe gives, for the caller to free(); NULL with the reason, which names
 * it. */
static inline uint8_t *images_read(const char *path, size_t *size, char error[IMAGES_ERROR])
{
    FILE *file = files_open(path, "rb");
    uint8_t *bytes = NULL;
    size_t room = 65536, count = 0, got;
    int done = 0, code = 0;
    if (!file) {
        snprintf(error, IMAGES_ERROR, "it cannot be opened: %s", strerror(errno));
        images__named(path, error);
        return NULL;
    }
#ifdef FILES__POSIX
    {
        struct stat s; /* a hint: what is read decides */
        if (stat(path, &s) == 0 && S_ISREG(s.st_mode) && s.st_size > 0
            && (uint64_t)s.st_size < SIZE_MAX / 2) room = (size_t)s.st_size + 1;
    }
#endif
    bytes = (uint8_t *)malloc(room);
    while (bytes && !done) {
        if (count == room) {
            uint8_t *more = room <= SIZE_MAX / 2 ? (uint8_t *)realloc(bytes, 2 * room) : NULL;
            if (!more) free(bytes);
            bytes = more;
            room *= 2;
            continue;
        }
        errno = 0;
        got = fread(bytes + count, 1, room - count, file);
        code = ferror(file) ? errno ? errno : EIO : 0;
        count += got;
        if (code == EINTR) clearerr(file);
        else done = code || got == 0;
    }
    fclose(file);
    if (!bytes) images__wrong(error, "out of memory");
    else if (code) snprintf(error, IMAGES_ERROR, "it cannot be read: %s", strerror(code));
    if (bytes && code) {
        free(bytes);
        bytes = NULL;
    }
    if (!bytes) images__named(path, error);
    *size = count;
    return bytes;
}

/* The picture files `paths` (count), which must be of one size, as data (count, height, width,
 * channels). Returns 1; or 0 with the reason, nothing allocated and `data` as it was. */
static inline int images_files(const char *const *paths, size_t count, vae_data *data,
                               char error[IMAGES_ERROR])
{
    images_picture all = {NULL, 0, 0, 0};
    size_t area = 0, dims[4];
    int good = count > 0;
    if (!good) images__wrong(error, "there are no pictures");
    for (size_t i = 0; i < count && good; i++) {
        images_picture one = {NULL, 0, 0, 0};
        size_t size = 0;
        uint8_t *bytes = images_read(paths[i], &size, error), *to;
        if (!bytes) {
            good = 0;
            break;
        }
        good = images_decode(bytes, size, &one, error);
        free(bytes);
        if (good && i && (one.height != all.height || one.width != all.width)) {
            snprintf(error, IMAGES_ERROR, "it has %zu x %zu pixels, but the pictures before it "
                     "have %zu x %zu", one.width, one.height, all.width, all.height);
            good = 0;
        }
        if (good && one.channels > all.channels) { /* the first, or the first in colour */
            area = one.height * one.width;
            to = count <= PTRDIFF_MAX / (area * one.channels)
               ? (uint8_t *)malloc(count * area * one.channels) : NULL;
            for (size_t k = 0; to && k < i * area; k++) memset(to + 3 * k, all.pixels[k], 3);
            good = to != NULL;
            if (!good) images__wrong(error, "out of memory");
            else free(all.pixels), all = one, all.pixels = to;
        }
        if (good) {
            to = all.pixels + i * area * all.channels;
            if (one.channels == all.channels) memcpy(to, one.pixels, area * one.channels);
            else for (size_t k = 0; k < area; k++) memset(to + 3 * k, one.pixels[k], 3);
        }
        free(one.pixels);
        if (!good) images__named(paths[i], error);
    }
    dims[0] = count, dims[1] = all.height, dims[2] = all.width, dims[3] = all.channels;
    if (good)
        good = images__own(VAE_U8, 4, dims, all.pixels, count * area * all.channels, data, error);
    if (!good) free(all.pixels);
    return good;
}

static inline char *images__join(const char *folder, const char *name)
{
    size_t n = strlen(folder), size = n + strlen(name) + 2;
    char *path = (char *)malloc(size);
    if (path)
        snprintf(path, size, "%s%s%s", folder, files_between(folder), name);
    return path;
}

/* Does the name end in .png, .pgm, .ppm or .pnm, in small or capital letters? Hidden files do not
 * count. */
static inline int images__is_name(const char *name)
{
    static const char *const tails[4] = {".png", ".pgm", ".ppm", ".pnm"};
    size_t n = strlen(name);
    char tail[5] = "";
    if (n < 5 || name[0] == '.') return 0;
    for (size_t k = 0; k < 4; k++) {
        char c = name[n - 4 + k];
        tail[k] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    for (int i = 0; i < 4; i++)
        if (strcmp(tail, tails[i]) == 0) return 1;
    return 0;
}

static inline int images__compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The pictures of a folder (not of folders within it, whatever their names), at most the first
 * `most`; 0: all. Returns 1; or, with the reason, nothing allocated and `data` as it was, 0 if it
 * holds none, otherwise -1. */
static inline int images_folder(const char *folder, size_t most, vae_data *data,
                                char error[IMAGES_ERROR])
{
    char **paths = NULL;
    size_t count = 0, room = 0;
    int result = 0, why;
    const char *name;
    files_folder d;
    why = files_list(&d, folder);
    if (why) {
        snprintf(error, IMAGES_ERROR, "it cannot be opened: %s", strerror(why));
        images__named(folder, error);
        return -1;
    }
    while (result == 0 && (name = files_next(&d)) != NULL) {
        char *path;
        int kind;
        if (!images__is_name(name)) continue;
        if (count == room) {
            char **more;
            room = room ? 2 * room : 256;
            more = room <= SIZE_MAX / sizeof *paths
                 ? (char **)realloc(paths, room * sizeof *paths) : NULL;
            if (!more) {
                images__wrong(error, "out of memory");
                result = -1;
                break;
            }
            paths = more;
        }
        images__wrong(error, "out of memory");
        path = images__join(folder, name);
        kind = path ? images__kind(path, error) : IMAGES__UNKNOWN;
        if (kind == IMAGES__UNKNOWN) result = -1;
        if (kind == IMAGES__FILE || kind == IMAGES__NOTHING) paths[count++] = path;
        else free(path); /* nothing: a link to nowhere, which is told when it is opened */
    }
    if (result == 0 && errno) {
        snprintf(error, IMAGES_ERROR, "it cannot be read: %s", strerror(errno));
        images__named(folder, error);
        result = -1;
    }
    files_end(&d);
    if (result == 0 && !count) {
        images__wrong(error, "it holds no PNG, PGM, PPM or PNM");
        images__named(folder, error);
    } else if (result == 0) {
        qsort(paths, count, sizeof *paths, images__compare);
        result = images_files((const char *const *)paths, most && most < count ? most : count,
                              data, error) ? 1 : -1;
    }
    for (size_t i = 0; i < count; i++) free(paths[i]);
    free(paths);
    return result;
}

/* A folder with the binary version of CIFAR-10: the training images (data_batch_1.bin to 5, those
 * that are there) or the test images (test_batch.bin), at most the first `most`; 0: all.
 *
 *   labels  out, (count) bytes for the caller to free(); may be NULL
 *
 * Returns 1; 0 if there is no such file; or -1 with the reason, nothing allocated and `data` as it
 * was. */
static inline int images_batches(const char *folder, int test, size_t most, vae_data *data,
                                 uint8_t **labels, char error[IMAGES_ERROR])
{
    static const char *const names[6] = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                         "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"};
    uint8_t *pixels = NULL, *classes = NULL;
    size_t count = 0, dims[4];
    int result = 0;
    for (int i = test ? 5 : 0; i < (test ? 6 : 5) && result >= 0 && !(most && count >= most); i++) {
        char *path = images__join(folder, names[i]);
        size_t size = 0, n = 0;
        uint8_t *bytes = NULL, *more = NULL;
        int kind = path ? images__kind(path, error) : IMAGES__UNKNOWN;
        if (kind == IMAGES__FILE) bytes = images_read(path, &size, error);
        if (bytes) {
            n = size / IMAGES_CIFAR_RECORD;
            if (most && n > most - count) n = most - count;
            if (n <= (SIZE_MAX / 2 - 1) / IMAGES_CIFAR_BYTES - count)
                more = (uint8_t *)realloc(pixels, (count + n) * IMAGES_CIFAR_BYTES + 1);
            if (more) pixels = more, more = (uint8_t *)realloc(classes, count + n + 1);
            if (more) classes = more;
            /* a file that is not whole is refused even if it is not needed to its end */
            if (!more) images__wrong(error, "out of memory");
            else if (!images_cifar(bytes, size, NULL, NULL, error)) more = NULL;
            else
                images_cifar(bytes, n * IMAGES_CIFAR_RECORD, pixels + count * IMAGES_CIFAR_BYTES,
                             classes + count, error);
            if (!more) images__named(path, error);
        }
        if (!path) images__wrong(error, "out of memory");
        if (more) count += n, result = 1;
        else if (kind == IMAGES__FILE || kind == IMAGES__UNKNOWN) result = -1;
        free(bytes);
        free(path);
    }
    dims[0] = count, dims[1] = dims[2] = IMAGES_CIFAR_SIDE, dims[3] = 3;
    if (result > 0
        && !images__own(VAE_U8, 4, dims, pixels, count * IMAGES_CIFAR_BYTES, data, error))
        result = -1;
    if (result <= 0) free(pixels);
    if (result > 0 && labels) *labels = classes;
    else free(classes);
    return result;
}

#endif /* IMAGES_H */
