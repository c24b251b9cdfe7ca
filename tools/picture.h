/* picture.h: pictures of numbers, for examples and tools.
 *
 *   picture_save_png    8-bit pixels to a PNG file, compressed
 *   picture_save_grid   a batch of images, floats in [0,1], to a PNG as one contact sheet
 *   picture_png         the bytes of the file that picture_save_png writes
 *   picture_grid_png    the bytes of the file that picture_save_grid writes
 *   picture_grid        the sheet in memory, from bytes
 *   picture_grid_size   how large that sheet would be
 *   picture_print       a batch of grey images to a terminal
 *
 * Images are (height, width, channels), row-major, contiguous, one after the other; `channels` is
 * 1 (grey) or 3 (RGB). Saving and printing return NULL when all went well, or else a sentence.
 * The same pixels give the same file everywhere. C99 or C++11; include vae.h before it, for
 * vae_file_save. */

#ifndef PICTURE_H
#define PICTURE_H

#ifndef VAE_VERSION
#error "include vae.h before picture.h"
#endif

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PICTURE_GAP 2                       /* pixels around and between the images of a sheet */
#define PICTURE_GAP_GREY 72                 /* their grey, which is neither ink nor paper */
#define PICTURE_MAX_BYTES (1u << 28)        /* of pixels in one picture or batch */

/* a * b, or 0 if a or b is 0 or the product is beyond PICTURE_MAX_BYTES. So a chain of these is 0
 * as soon as one size in it is bad. */
static inline size_t picture__times(size_t a, size_t b)
{
    return b != 0 && a <= PICTURE_MAX_BYTES / b ? a * b : 0;
}

static inline size_t picture__size(int n) { return n > 0 ? (size_t)n : 0; }

/* ---- PNG -------------------------------------------------------------------------------- */

/* Deflate (RFC 1951) in one block with the fixed Huffman codes. It looks for a match in two places
 * only, where the same four bytes stood last and in the row above: that suits zoomed images on
 * flat grounds. A match of four bytes or more costs at most 31 bits and a literal at most 9, so n
 * bytes never need more than 9 n + 10 bits. */
typedef struct picture__bits {
    uint8_t *at;                /* where the next whole byte goes */
    uint32_t hold, held;        /* `held` bits wait in `hold`, the first one lowest */
} picture__bits;

static inline void picture__put(picture__bits *out, uint32_t value, uint32_t count)
{
    out->hold |= value << out->held;
    for (out->held += count; out->held >= 8; out->held -= 8, out->hold >>= 8)
        *out->at++ = (uint8_t)out->hold;
}

/* Huffman codes are the one kind of field that goes highest bit first. */
static inline void picture__put_code(picture__bits *out, uint32_t code, uint32_t count)
{
    while (count-- > 0) picture__put(out, code >> count & 1, 1);
}

/* Literals 0..255, end of block 256, lengths 257 and up. */
static inline void picture__put_symbol(picture__bits *out, uint32_t s)
{
    if (s < 144) picture__put_code(out, 0x30 + s, 8);
    else if (s < 256) picture__put_code(out, 0x190 + (s - 144), 9);
    else if (s < 280) picture__put_code(out, s - 256, 7);
    else picture__put_code(out, 0xc0 + (s - 280), 8);
}

/* Deflate names a length or distance by a class, and extra bits for its place in the class. There
 * are 2^p classes of each size 1, 2, 4, ... (of size 1 twice as many); p is 2 for lengths, 1 for
 * distances. That is the whole of RFC 1951's two tables, but for length 258, which is not used. */
static inline void picture__put_class(picture__bits *out, uint32_t value, uint32_t p)
{
    uint32_t extra = 0, number;
    while (value >> extra >= 2u << p) extra++;
    number = (extra << p) + (value >> extra);
    if (p == 2) picture__put_symbol(out, 257 + number);
    else picture__put_code(out, number, 5);
    picture__put(out, value & ((1u << extra) - 1), extra);
}

/* How many bytes from `at` on, 257 at most, repeat those `distance` before. */
static inline size_t picture__match(const uint8_t *in, size_t n, size_t at, size_t distance)
{
    const uint8_t *here = in + at, *before;
    size_t length = 0;
    if (distance == 0 || distance > at || distance > 32768) return 0;
    before = here - distance;
    while (length < 257 && at + length < n && here[length] == before[length]) length++;
    return length;
}

/* The zlib stream (RFC 1950) of n bytes whose rows are `row` bytes; out has room for n + n/8 + 16.
 * Returns its size. */
static inline size_t picture__zlib(const uint8_t *in, size_t n, size_t row, uint8_t *out)
{
    uint32_t last[4096] = {0};                  /* hash of four bytes: 1 + where they stood last */
    uint32_t a = 1, b = 0;                      /* Adler-32 */
    picture__bits bits = {out, 0, 0};
    size_t i, done = 0;                         /* in[0..done) is encoded */
    picture__put(&bits, 0x0178, 16);            /* deflate, 32 KB window */
    picture__put(&bits, 3, 3);                  /* the last block, fixed codes */
    for (i = 0; i < n; i++) {
        size_t before = 0;
        a = (a + in[i]) % 65521, b = (b + a) % 65521;
        if (n - i >= 4) {
            uint32_t word = in[i] | (uint32_t)in[i + 1] << 8 | (uint32_t)in[i + 2] << 16
                          | (uint32_t)in[i + 3] << 24;
            uint32_t *slot = &last[word * 2654435761u >> 20];
            before = *slot, *slot = (uint32_t)i + 1;
        }
        if (i == done) {
            size_t distance = before ? i + 1 - before : 0;
            size_t length = picture__match(in, n, i, distance);
            size_t above = picture__match(in, n, i, row);
            if (above > length) length = above, distance = row;
            if (length >= 4) {
                picture__put_class(&bits, (uint32_t)length - 3, 2);
                picture__put_class(&bits, (uint32_t)distance - 1, 1);
                done += length;
            } else {
                picture__put_symbol(&bits, in[i]);
                done++;
            }
        }
    }
    picture__put_symbol(&bits, 256);
    picture__put(&bits, 0, 7);                  /* only these zeros stay behind in bits.hold */
    for (i = 0; i < 4; i++) *bits.at++ = (uint8_t)((b << 16 | a) >> (24 - 8 * i));
    return (size_t)(bits.at - out);
}

static inline uint8_t *picture__put_u32(uint8_t *out, uint32_t value)
{
    for (int i = 0; i < 4; i++) out[i] = (uint8_t)(value >> (24 - 8 * i));
    return out + 4;
}

/* Completes a chunk whose n bytes of data already stand at out + 8; returns its end. */
static inline uint8_t *picture__chunk(uint8_t *out, const char *type, size_t n)
{
    uint32_t crc = 0xffffffffu;
    picture__put_u32(out, (uint32_t)n);
    memcpy(out + 4, type, 4);
    for (size_t i = 0; i < n + 4; i++) {
        crc ^= out[4 + i];
        for (int k = 0; k < 8; k++) crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1)));
    }
    return picture__put_u32(out + 8 + n, ~crc);
}

/* Pixels (height, width, channels) as a PNG of 8 bits a channel: *file, of *size bytes, for the
 * caller to free(). Returns NULL, or what went wrong; then nothing is allocated. Allocates about
 * twice the size of the pixels while it works. */
static inline const char *picture_png(const uint8_t *pixels, int width, int height, int channels,
                                      uint8_t **file, size_t *size)
{
    size_t row = picture__times(picture__size(width), picture__size(channels));
    size_t count = picture__times(row + 1, picture__size(height));
    uint8_t *raw, *out, *end;
    if (!pixels) return "picture: no pixels";
    if (channels != 1 && channels != 3) return "picture: channels must be 1 (grey) or 3 (RGB)";
    if (row == 0 || count == 0) return "picture: no pixels, or more than 2^28 bytes of them";
    raw = (uint8_t *)malloc(count);
    out = (uint8_t *)malloc(count + count / 8 + 128);
    if (!raw || !out) {
        free(raw);
        free(out);
        return "picture: out of memory";
    }
    for (size_t y = 0; y < (size_t)height; y++) {
        raw[y * (row + 1)] = 0;                 /* each row begins with its filter: none */
        memcpy(raw + y * (row + 1) + 1, pixels + y * row, row);
    }
    memcpy(out, "\x89PNG\r\n\x1a\n", 8);
    end = picture__put_u32(out + 16, (uint32_t)width);
    end = picture__put_u32(end, (uint32_t)height);
    memcpy(end, channels == 3 ? "\10\2\0\0" : "\10\0\0\0", 5); /* depth, colours, 0, 0, 0 */
    end = picture__chunk(out + 8, "IHDR", 13);
    end = picture__chunk(end, "IDAT", picture__zlib(raw, count, row + 1, end + 8));
    end = picture__chunk(end, "IEND", 0);
    free(raw);
    *file = out, *size = (size_t)(end - out);
    return NULL;
}

/* Frees the bytes, too. */
static inline const char *picture__save(const char *path, uint8_t *file, size_t size)
{
    vae_status status = vae_file_save(path, file, size, NULL);
    free(file);
    return status == VAE_OK ? NULL
         : status == VAE_ERR_OPEN ? "picture: the file cannot be created"
                                  : "picture: the file cannot be written";
}

/* Saves pixels (height, width, channels) as a PNG of 8 bits a channel, through vae_file_save.
 *
 * Returns NULL, or what went wrong; then a file that was there before is as it was. */
static inline const char *picture_save_png(const char *path, const uint8_t *pixels, int width,
                                           int height, int channels)
{
    uint8_t *file;
    size_t size;
    const char *error = path ? picture_png(pixels, width, height, channels, &file, &size)
                             : "picture: no path";
    return error ? error : picture__save(path, file, size);
}

/* ---- sheets of images ------------------------------------------------------------------- */

/* A float in [0,1] as a byte, rounded; values outside are clamped, NaN is 0. It works on the bits
 * of the float: -Ofast may remove isnan(), and not all machines round a float product alike. */
static inline uint8_t picture_byte(float value)
{
    uint32_t bits, exponent;
    memcpy(&bits, &value, sizeof bits);
    exponent = bits >> 23;
    if (bits > 0x7f800000u) return 0;           /* NaN, or a sign: negative */
    if (exponent >= 127) return 255;            /* 1 and above */
    if (exponent < 117) return 0;               /* below 1/1024 */
    return (uint8_t)(((uint64_t)((bits & 0x7fffff) | 0x800000) * 255
                      + ((uint64_t)1 << (149 - exponent))) >> (150 - exponent));
}

/* The bytes of the sheet that picture_grid would make, and its sides; 0 if a size is not positive
 * or the sheet would pass PICTURE_MAX_BYTES. */
static inline size_t picture_grid_size(int count, int height, int width, int channels, int columns,
                                       int zoom, int *sheet_width, int *sheet_height)
{
    size_t n = picture__size(count), across = picture__size(columns), z = picture__size(zoom);
    size_t w = picture__times(picture__size(width), z);
    size_t h = picture__times(picture__size(height), z), line, rows, size;
    *sheet_width = *sheet_height = 0;
    if (across > n) across = n;
    if (across == 0 || w == 0 || h == 0) return 0;
    line = picture__times(across, w + PICTURE_GAP);
    rows = picture__times((n + across - 1) / across, h + PICTURE_GAP);
    if (line == 0 || rows == 0) return 0;
    line += PICTURE_GAP, rows += PICTURE_GAP;
    size = picture__times(picture__times(line, picture__size(channels)), rows);
    if (size) *sheet_width = (int)line, *sheet_height = (int)rows;
    return size;
}

/* Lays `count` images (height, width, channels) out in rows of `columns`, each pixel `zoom` pixels
 * wide and high, with a gap around.
 *
 * Returns the sheet, (*sheet_height, *sheet_width, channels), for the caller to free(); NULL if
 * picture_grid_size is 0, or memory is out. */
static inline uint8_t *picture_grid(const uint8_t *images, int count, int height, int width,
                                    int channels, int columns, int zoom,
                                    int *sheet_width, int *sheet_height)
{
    const size_t size = picture_grid_size(count, height, width, channels, columns, zoom,
                                          sheet_width, sheet_height);
    const size_t n = picture__size(count), z = picture__size(zoom), depth = picture__size(channels);
    const size_t w = picture__size(width), h = picture__size(height);
    const size_t line = picture__size(*sheet_width) * depth;
    size_t across = picture__size(columns);
    uint8_t *sheet = size && images ? (uint8_t *)malloc(size) : NULL;
    if (!sheet) return NULL;
    if (across > n) across = n;
    memset(sheet, PICTURE_GAP_GREY, size);
    for (size_t i = 0; i < n; i++) {
        const uint8_t *image = images + i * h * w * depth;
        uint8_t *corner = sheet + (i / across * (h * z + PICTURE_GAP) + PICTURE_GAP) * line
                        + (i % across * (w * z + PICTURE_GAP) + PICTURE_GAP) * depth;
        for (size_t y = 0; y < h * z; y++)
            for (size_t x = 0; x < w * z; x++)
                memcpy(corner + y * line + x * depth, image + (y / z * w + x / z) * depth, depth);
    }
    return sheet;
}

/* `count` images (height, width, channels) of floats in [0,1] as one PNG, laid out by picture_grid:
 * *file, of *size bytes, for the caller to free(). Returns NULL, or what went wrong; then nothing
 * is allocated. */
static inline const char *picture_grid_png(const float *images, int count, int height, int width,
                                           int channels, int columns, int zoom, uint8_t **file,
                                           size_t *size)
{
    int sheet_width, sheet_height;
    const char *error = "picture: out of memory";
    uint8_t *bytes, *sheet = NULL;
    size_t numbers;
    if (!images) return "picture: no images";
    if (!picture_grid_size(count, height, width, channels, columns, zoom, &sheet_width,
                           &sheet_height))
        return "picture: a size is not positive, or the picture would pass 2^28 bytes";
    numbers = picture__size(count) * picture__size(height) * picture__size(width)
            * picture__size(channels); /* fewer than those of the sheet */
    bytes = (uint8_t *)malloc(numbers);
    for (size_t i = 0; bytes && i < numbers; i++) bytes[i] = picture_byte(images[i]);
    if (bytes)
        sheet = picture_grid(bytes, count, height, width, channels, columns, zoom, &sheet_width,
                             &sheet_height);
    free(bytes);
    if (sheet) error = picture_png(sheet, sheet_width, sheet_height, channels, file, size);
    free(sheet);
    return error;
}

/* Saves `count` images (height, width, channels) of floats in [0,1] as one PNG, laid out by
 * picture_grid, through vae_file_save. Returns NULL, or what went wrong. */
static inline const char *picture_save_grid(const char *path, const float *images, int count,
                                            int height, int width, int channels, int columns,
                                            int zoom)
{
    uint8_t *file;
    size_t size;
    const char *error = path ? picture_grid_png(images, count, height, width, channels, columns,
                                                zoom, &file, &size) : "picture: no path";
    return error ? error : picture__save(path, file, size);
}

/* ---- terminals -------------------------------------------------------------------------- */

/* The 256-colour palette's number for a grey: black, a ramp of 24, white. */
static inline int picture__ansi(float value)
{
    int byte = picture_byte(value);
    return byte < 4 ? 16 : byte > 246 ? 231 : 232 + (byte - 4) * 24 / 243;
}

/* Draws `count` grey images (height, width) of floats in [0,1] in a terminal that knows UTF-8 and
 * 256 colours, `columns` side by side. A character is an upper half block: its ink is one pixel,
 * its paper the pixel below. Returns NULL, or what went wrong. */
static inline const char *picture_print(FILE *file, const float *images, int count, int height,
                                        int width, int columns)
{
    size_t h = picture__size(height), w = picture__size(width), n = picture__size(count);
    size_t across = picture__size(columns);
    if (!file || !images || h == 0 || w == 0 || across == 0) return "picture: nothing to print";
    for (size_t first = 0; first < n; first += across) {
        size_t end = n - first < across ? n : first + across;
        for (size_t y = 0; y < h; y += 2) {
            for (size_t i = first; i < end; i++) {
                const float *row = images + (i * h + y) * w;
                int ink = -1, paper = -1;
                for (size_t x = 0; x < w; x++) {
                    int upper = picture__ansi(row[x]);
                    int lower = y + 1 < h ? picture__ansi(row[w + x]) : 16;
                    if (upper != ink) fprintf(file, "\x1b[38;5;%dm", ink = upper);
                    if (lower != paper) fprintf(file, "\x1b[48;5;%dm", paper = lower);
                    fputs("\xe2\x96\x80", file);
                }
                fputs(i + 1 < end ? "\x1b[0m " : "\x1b[0m\n", file);
            }
        }
        if (end < n) fputc('\n', file);
    }
    return fflush(file) || ferror(file) ? "picture: the output cannot be written" : NULL;
}

#endif /* PICTURE_H */
