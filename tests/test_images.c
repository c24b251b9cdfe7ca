/* Pictures from files: tools/images.h. The PNG files are put together here, with stored deflate
 * blocks and every filter; files of the tool's own writer (Huffman codes) are read as well. */
#include "../tools/images.h"
#include "../tools/picture.h"
#include "test.h"
#ifdef FILES__POSIX
#include <unistd.h>
#endif

#define IMAGES_FILE "vae_test_images.tmp" /* in the current folder, removed after use */
#define IMAGES_FOLDER "vae_test_images_folder.tmp"

/* ---- writing ---- */

typedef struct png_parts {
    size_t width, height;
    unsigned depth, colour, interlaced;
    const uint8_t *rows; /* filter and bytes of each row */
    size_t rows_size;
    const uint8_t *palette, *clear; /* PLTE, tRNS; NULL: none */
    size_t palette_size, clear_size, split; /* split: bytes of each IDAT; 0: one */
} png_parts;

static uint8_t *png_chunk(uint8_t *at, const char *name, const uint8_t *bytes, size_t n) {
    uint32_t crc;
    int i;
    for (i = 0; i < 4; i++) at[i] = (uint8_t)(n >> (24 - 8 * i));
    memcpy(at + 4, name, 4);
    if (n) memcpy(at + 8, bytes, n);
    crc = images__crc(at + 4, n + 4);
    for (i = 0; i < 4; i++) at[8 + n + (size_t)i] = (uint8_t)(crc >> (24 - 8 * i));
    return at + 12 + n;
}

/* The file, of *size bytes, for the caller to free(). */
static uint8_t *png_write(const png_parts *p, size_t *size) {
    size_t n = p->rows_size, room = 32 * n + 4096, at = 2, done, i;
    uint8_t *file = (uint8_t *)calloc(room, 1), *to = file;
    uint8_t *z = (uint8_t *)calloc(n + 64 + n / 8, 1), head[13] = {0};
    uint32_t a = 1, b = 0;
    memcpy(to, "\x89PNG\r\n\x1a\n", 8);
    for (i = 0; i < 4; i++) {
        head[i] = (uint8_t)(p->width >> (24 - 8 * i));
        head[4 + i] = (uint8_t)(p->height >> (24 - 8 * i));
    }
    head[8] = (uint8_t)p->depth, head[9] = (uint8_t)p->colour, head[12] = (uint8_t)p->interlaced;
    to = png_chunk(to + 8, "IHDR", head, 13);
    to = png_chunk(to, "tEXt", (const uint8_t *)"a\0b", 3);
    if (p->palette) to = png_chunk(to, "PLTE", p->palette, p->palette_size);
    if (p->clear) to = png_chunk(to, "tRNS", p->clear, p->clear_size);
    z[0] = 0x78, z[1] = 1;
    for (done = 0; done == 0 || done < n;) {
        size_t k = n - done < 1000 ? n - done : 1000;
        z[at] = done + k == n;
        z[at + 1] = (uint8_t)k, z[at + 2] = (uint8_t)(k >> 8);
        z[at + 3] = (uint8_t)~z[at + 1], z[at + 4] = (uint8_t)~z[at + 2];
        if (k) memcpy(z + at + 5, p->rows + done, k);
        at += 5 + k, done += k;
        if (!n) break;
    }
    for (i = 0; i < n; i++) a = (a + p->rows[i]) % 65521, b = (b + a) % 65521;
    for (i = 0; i < 4; i++) z[at++] = (uint8_t)((b << 16 | a) >> (24 - 8 * i));
    for (i = 0; p->split && i < at; i += p->split) {
        to = png_chunk(to, "IDAT", z + i, at - i < p->split ? at - i : p->split);
        to = png_chunk(to, "IDAT", z, 0);
    }
    if (!p->split) to = png_chunk(to, "IDAT", z, at);
    to = png_chunk(to, "IEND", z, 0);
    *size = (size_t)(to - file);
    free(z);
    return file;
}

/* Decodes a copy of exactly this size, so that a sanitizer sees a read behind it. */
static int images_of(const uint8_t *bytes, size_t size, images_picture *p, char *error) {
    uint8_t *copy = (uint8_t *)malloc(size + !size);
    int good;
    if (size) memcpy(copy, bytes, size);
    memset(p, 0x5A, sizeof *p);
    memset(error, 0x5A, IMAGES_ERROR);
    good = images_decode(copy, size, p, error);
    free(copy);
    return good;
}

static void images_refused(const uint8_t *bytes, size_t size, const char *word) {
    images_picture p, before;
    char error[IMAGES_ERROR];
    memset(&before, 0x5A, sizeof before);
    CHECK(!images_of(bytes, size, &p, error));
    CHECK(!memcmp(&p, &before, sizeof p));
    if (!memchr(error, 0, sizeof error) || !strstr(error, word))
        test_report(__FILE__, __LINE__, "\"%.100s\" does not say \"%s\"", error, word);
}

static void png_refused(const png_parts *p, const char *word) {
    size_t size;
    uint8_t *file = png_write(p, &size);
    images_refused(file, size, word);
    free(file);
}

static uint32_t images_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Filters one row: bytes (n) under `above`. */
static void png_filter(int filter, const uint8_t *bytes, const uint8_t *above, size_t n,
                       size_t back, uint8_t *out) {
    size_t i;
    *out++ = (uint8_t)filter;
    for (i = 0; i < n; i++) {
        int a = i >= back ? bytes[i - back] : 0, b = above ? above[i] : 0;
        int c = above && i >= back ? above[i - back] : 0, guess = 0;
        if (filter == 1) guess = a;
        if (filter == 2) guess = b;
        if (filter == 3) guess = (a + b) >> 1;
        if (filter == 4) {
            int p = a + b - c, pa = abs(p - a), pb = abs(p - b), pc = abs(p - c);
            guess = pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
        }
        out[i] = (uint8_t)(bytes[i] - guess);
    }
}

/* ---- PNG ---- */

TEST(png_of_every_colour_depth_and_filter) {
    static const unsigned kinds[15][2] = {{0, 1}, {0, 2}, {0, 4},  {0, 8}, {0, 16},
                                          {2, 8}, {2, 16}, {3, 1}, {3, 2}, {3, 4},
                                          {3, 8}, {4, 8}, {4, 16}, {6, 8}, {6, 16}};
    static const size_t samples[7] = {1, 0, 3, 1, 2, 0, 4};
    enum { W = 13, H = 11 };
    uint32_t state = 1;
    int k, first;
    for (k = 0; k < 15; k++)
        for (first = 0; first < 5; first++) {
            const unsigned colour = kinds[k][0], depth = kinds[k][1];
            const size_t n = samples[colour], row = (W * n * depth + 7) / 8;
            const size_t channels = colour & 2 ? 3 : 1;
            uint8_t raw[H][W * 8], rows[H * (W * 8 + 1)], palette[768], clear[256];
            uint8_t want[H * W * 3], *to = want, *file;
            png_parts p = {W, H, 0, 0, 0, NULL, 0, NULL, NULL, 0, 0, 0};
            images_picture got;
            char error[IMAGES_ERROR];
            size_t x, y, c, size;
            for (c = 0; c < 768; c++) palette[c] = (uint8_t)images_random(&state);
            for (c = 0; c < 256; c++) clear[c] = (uint8_t)(first ? images_random(&state) : 255);
            memset(raw, 0, sizeof raw);
            for (y = 0; y < H; y++) {
                for (x = 0; x < W; x++) {
                    unsigned v[4] = {0, 0, 0, 0}, alpha = 255;
                    for (c = 0; c < n; c++) {
                        size_t bit = (x * n + c) * depth;
                        v[c] = images_random(&state) & ((1u << depth) - 1);
                        if (x % 3 == 0) v[c] = x % 2 ? 0 : (1u << depth) - 1;
                        if (depth == 16) raw[y][bit / 8] = (uint8_t)(v[c] >> 8);
                        if (depth == 16) raw[y][bit / 8 + 1] = (uint8_t)v[c];
                        else raw[y][bit / 8] = (uint8_t)(raw[y][bit / 8]
                                                         | v[c] << (8 - depth - bit % 8));
                    }
                    for (c = 0; c < n && colour != 3; c++)
                        v[c] = (unsigned)(v[c] * 255.0 / ((1u << depth) - 1) + 0.5);
                    if (colour == 3) {
                        unsigned entry = v[0];
                        for (c = 0; c < 3; c++) v[c] = palette[3 * entry + c];
                        alpha = clear[entry];
                    }
                    if (colour & 4) alpha = v[n - 1];
                    for (c = 0; c < channels; c++)
                        *to++ = (uint8_t)(v[c] * (double)alpha / 255 + 0.5);
                }
                png_filter((int)(y + (size_t)first) % 5, raw[y], y ? raw[y - 1] : NULL, row,
                           n * depth < 8 ? 1 : n * depth / 8, rows + y * (row + 1));
            }
            p.depth = depth, p.colour = colour, p.rows = rows, p.rows_size = H * (row + 1);
            p.palette = colour == 3 ? palette : NULL;
            p.palette_size = depth < 8 ? (size_t)3 << depth : 768;
            p.clear = colour == 3 ? clear : NULL, p.clear_size = p.palette_size / 3;
            p.split = first == 1 ? 7 : first == 2 ? 1 : 0;
            file = png_write(&p, &size);
            if (!images_of(file, size, &got, error)) {
                test_report(__FILE__, __LINE__, "colour %u depth %u: %s", colour, depth, error);
            } else {
                CHECK(got.width == W && got.height == H && got.channels == channels);
                CHECK(!memcmp(got.pixels, want, H * W * channels));
                free(got.pixels);
            }
            free(file);
        }
}

TEST(png_with_a_transparent_colour_is_black_there) {
    static const uint8_t grey[] = {0, 0x1B}, grey_key[] = {0, 2};
    static const uint8_t rgb[] = {0, 1, 2, 3, 1, 2, 4}, rgb_key[] = {0, 1, 0, 2, 0, 3};
    png_parts p = {4, 1, 2, 0, 0, grey, 2, NULL, grey_key, 0, 2, 0};
    images_picture got;
    char error[IMAGES_ERROR];
    size_t size;
    uint8_t *file = png_write(&p, &size);
    CHECK(images_of(file, size, &got, error));
    CHECK(!memcmp(got.pixels, "\0\x55\0\xFF", 4)); /* 0 1 2 3, of which 2 is transparent */
    free(got.pixels);
    free(file);
    p.width = 2, p.depth = 8, p.colour = 2, p.rows = rgb, p.rows_size = 7;
    p.clear = rgb_key, p.clear_size = 6;
    file = png_write(&p, &size);
    CHECK(images_of(file, size, &got, error));
    CHECK(!memcmp(got.pixels, "\0\0\0\1\2\4", 6));
    free(got.pixels);
    free(file);
    p.clear_size = 5;
    png_refused(&p, "tRNS");
}

/* A colour PNG with palette, of which each bit counts. */
static uint8_t *png_small(size_t *size) {
    static const uint8_t rows[] = {1, 0, 1, 1, 4, 0, 0, 255}, clear[] = {255, 0};
    static const uint8_t palette[] = {9, 8, 7, 6, 5, 4, 3, 2, 1};
    png_parts p = {3, 2, 8, 3, 0, rows, 8, palette, clear, 9, 2, 5};
    return png_write(&p, size);
}

TEST(png_cut_anywhere_is_refused) {
    size_t size, n;
    uint8_t *file = png_small(&size);
    images_picture p;
    char error[IMAGES_ERROR];
    if (images_of(file, size, &p, error)) { /* 0 1 2, 0 1 1, of which 1 is transparent */
        CHECK(!memcmp(p.pixels, "\11\10\7\0\0\0\3\2\1\11\10\7\0\0\0\0\0\0", 18));
        free(p.pixels);
    } else {
        test_report(__FILE__, __LINE__, "%s", error);
    }
    for (n = 0; n < size; n++) images_refused(file, n, n < 8 ? "not a PNG" : "truncated");
    free(file);
}

TEST(png_finds_each_flipped_bit) {
    size_t size, n;
    uint8_t *file = png_small(&size);
    for (n = 0; n < 8 * size; n++) {
        file[n / 8] = (uint8_t)(file[n / 8] ^ 1 << n % 8);
        images_refused(file, size, "");
        file[n / 8] = (uint8_t)(file[n / 8] ^ 1 << n % 8);
    }
    file[size - 1] ^= 1;
    images_refused(file, size, "IEND at byte");
    images_refused(file, size, "wrong CRC");
    free(file);
}

TEST(png_refuses_what_it_should_and_says_why) {
    static const uint8_t rows[64] = {0}, palette[6] = {1, 2, 3, 4, 5, 6};
    static const uint8_t five[4] = {5, 1, 1, 1}, index[2] = {0, 0x24};
    const png_parts good = {3, 1, 8, 0, 0, rows, 4, NULL, NULL, 0, 0, 0};
    png_parts p = good;
    uint8_t *file, *idat;
    size_t size, i;
    p.interlaced = 1;
    png_refused(&p, "interlaced");
    p = good, p.rows = five;
    png_refused(&p, "row 0 has filter 5");
    p = good, p.colour = 3, p.depth = 2, p.palette = palette, p.palette_size = 6;
    p.rows = index, p.rows_size = 2;
    png_refused(&p, "pixel (1, 0) has colour 2 of a palette of 2");
    p.palette = NULL;
    png_refused(&p, "no palette");
    p.palette = palette, p.palette_size = 5;
    png_refused(&p, "PLTE");
    p.palette_size = 6, p.clear = palette, p.clear_size = 3;
    png_refused(&p, "tRNS");
    for (i = 0; i < 8 * 17; i++) { /* every colour type with every depth */
        static const char *const depths[8] = {"1248g", "", "8g", "1248", "8g", "", "8g", ""};
        unsigned depth = (unsigned)(i / 8), colour = (unsigned)(i % 8);
        char letter = depth == 16 ? 'g' : (char)('0' + depth);
        if (strchr(depths[colour], letter) && depth) continue;
        p = good, p.colour = colour, p.depth = depth;
        png_refused(&p, "no colour type");
    }
    p = good, p.width = 0;
    png_refused(&p, "its size, 0 x 1");
    p.width = 0xFFFFFFFFu, p.height = 0xFFFFFFFFu;
    png_refused(&p, "too large");
    p.width = 16384, p.height = 16384;
    png_refused(&p, "too large");
    p.width = 4096, p.height = 4096; /* 16 MB out of some 20 bytes */
    png_refused(&p, "cannot hold its size");
    p = good, p.rows_size = 3;
    png_refused(&p, "unpacks to 3 bytes instead of 4");
    p = good;
    file = png_write(&p, &size);
    for (idat = file; memcmp(idat, "IDAT", 4); idat++) {}
    idat[4 + 2 + 5 + 4] ^= 1; /* zlib's sum, with a CRC that agrees */
    png_chunk(idat - 4, "IDAT", idat + 4, 15);
    images_refused(file, size, "zlib's sum");
    idat[4] = 0x79;
    png_chunk(idat - 4, "IDAT", idat + 4, 15);
    images_refused(file, size, "zlib's format");
    png_chunk(idat - 4, "IDAQ", idat + 4, 15);
    images_refused(file, size, "its chunk IDAQ");
    png_chunk(idat - 4, "idAT", idat + 4, 15);
    images_refused(file, size, "no IDAT");
    png_chunk(idat - 4, "\1\2\3\4", idat + 4, 15);
    images_refused(file, size, "chunk ????");
    png_chunk(idat - 4, "IHDR", idat + 4, 15);
    images_refused(file, size, "must be IHDR");
    free(file);
    /* what the file holds before its first IDAT may not come behind it; nor IDAT again */
    p = good, p.split = 9;
    file = png_write(&p, &size);
    for (idat = file; memcmp(idat, "IDAT", 4); idat++) {}
    idat += 9 + 12; /* the empty one */
    CHECK(!memcmp(idat, "IDAT", 4));
    png_chunk(idat - 4, "teXt", NULL, 0);
    images_refused(file, size, "not together");
    free(file);
}

/* A file put together from chunks of grey 3 x 1 pixels: `first` of the zlib stream in the first
 * IDAT, the rest in another, with `between` between them, and `behind` them. */
static int png_of(const uint8_t *z, size_t n, size_t first, const char *between,
                  const char *behind, images_picture *p, char *error) {
    uint8_t head[13] = {0, 0, 0, 3, 0, 0, 0, 1, 8, 0, 0, 0, 0}, file[700], *to;
    memcpy(file, "\x89PNG\r\n\x1a\n", 8);
    to = png_chunk(file + 8, "IHDR", head, 13);
    to = png_chunk(to, "IDAT", z, first);
    if (between) to = png_chunk(to, between, (const uint8_t *)"a\0b", 3);
    if (first < n) to = png_chunk(to, "IDAT", z + first, n - first);
    if (behind) to = png_chunk(to, behind, (const uint8_t *)"a\0b", 3);
    to = png_chunk(to, "IEND", z, 0);
    memcpy(to, "behind", 6);
    return images_of(file, (size_t)(to + 6 - file), p, error);
}

TEST(png_ignores_what_is_behind_its_pixels) {
    /* stored: filter and 3 pixels, 0 to 2 more bytes, the sum of all; then unneeded bytes */
    static const uint8_t rows[6] = {0, 10, 20, 30, 40, 50};
    images_picture p;
    char error[IMAGES_ERROR];
    size_t more, tail, split;
    for (more = 0; more < 3; more++)
        for (tail = 0; tail < 4; tail++) {
            uint8_t z[40] = {0x78, 1, 1, 0, 0, 0xFF, 0xFF};
            const size_t n = 4 + more, sum = 7 + n;
            uint32_t adler = images__adler(rows, n);
            z[3] = (uint8_t)n, z[5] = (uint8_t)~z[3];
            memcpy(z + 7, rows, n);
            for (split = 0; split < 4; split++)
                z[sum + split] = (uint8_t)(adler >> (24 - 8 * split));
            for (split = 0; split <= sum + 4 + tail; split++) {
                const char *behind = split % 3 == 0 ? "PLTE" : split % 3 == 1 ? "tRNS" : "prVt";
                if (!png_of(z, sum + 4 + tail, split, NULL, behind, &p, error)) {
                    test_report(__FILE__, __LINE__, "%u more, %u behind: %s", (unsigned)more,
                                (unsigned)tail, error);
                    continue;
                }
                CHECK(!memcmp(p.pixels, rows + 1, 3));
                free(p.pixels);
            }
            /* IDAT chunks that come again behind others do not count */
            if (png_of(z, sum + 4 + tail, sum + 4, "tEXt", NULL, &p, error)) free(p.pixels);
            else test_report(__FILE__, __LINE__, "%s", error);
            if (!more) {
                CHECK(!png_of(z, sum + 4 + tail, sum + 3, "tEXt", NULL, &p, error));
                CHECK(!png_of(z, sum + 4 + tail, sum - 2, "tEXt", NULL, &p, error));
                CHECK(strstr(error, "not together") != NULL);
                z[sum] ^= 1;
                CHECK(!png_of(z, sum + 4 + tail, 5, NULL, NULL, &p, error));
                CHECK(strstr(error, "zlib's sum") != NULL);
            }
            CHECK(!png_of(z, 7 + 2, 5, NULL, NULL, &p, error));
        }
}

TEST(picture_sizes_are_known_beforehand) {
    static const int sizes[][6] = { /* count, height, width, channels, columns, zoom */
        {1, 1, 1, 1, 1, 1}, {7, 3, 5, 1, 3, 2}, {7, 3, 5, 3, 9, 1}, {4, 2, 2, 3, 2, 4}};
    int width, height, w, h;
    size_t i;
    for (i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const int *s = sizes[i], n = s[0] * s[1] * s[2] * s[3];
        uint8_t *images = (uint8_t *)calloc((size_t)n, 1), *sheet, *file;
        const size_t size = picture_grid_size(s[0], s[1], s[2], s[3], s[4], s[5], &width, &height);
        size_t bytes = 0;
        sheet = picture_grid(images, s[0], s[1], s[2], s[3], s[4], s[5], &w, &h);
        CHECK(sheet && w == width && h == height && size == (size_t)w * (size_t)h * (size_t)s[3]);
        CHECK(!picture_png(sheet, w, h, s[3], &file, &bytes) && bytes > 60);
        free(file);
        free(sheet);
        free(images);
    }
    /* products that 32 or 64 bits do not hold, and what passes the limit */
    CHECK_EQ(picture_grid_size(65536, 256, 256, 1, 256, 1, &w, &h), 0);
    CHECK_EQ(picture_grid_size(2147483647, 2147483647, 2147483647, 3, 46341, 64, &w, &h), 0);
    CHECK_EQ(picture_grid_size(1, 2147483647, 1, 1, 1, 2, &w, &h), 0);
    CHECK_EQ(picture_grid_size(1, 1, 2147483647, 3, 1, 1, &w, &h), 0);
    CHECK_EQ(picture_grid_size(0, 1, 1, 1, 1, 1, &w, &h), 0);
    CHECK_EQ(picture_grid_size(1, 1, 1, 1, -1, 1, &w, &h), 0);
    CHECK(picture_grid(NULL, 65536, 256, 256, 1, 256, 1, &w, &h) == NULL && w == 0 && h == 0);
    CHECK_EQ(picture_grid_size(1, 16380, 16380, 1, 1, 1, &w, &h), (size_t)1 << 28);
    CHECK_EQ(picture_grid_size(1, 16380, 16381, 1, 1, 1, &w, &h), 0);
}

TEST(png_of_the_tools_is_read_back) {
    static uint8_t pixels[64 * 64 * 3];
    uint32_t state = 5;
    int channels;
    size_t i;
    for (i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(i / 600 % 2 ? images_random(&state) % 3 : i / 7);
    for (channels = 1; channels <= 3; channels += 2) {
        vae_data d;
        char error[IMAGES_ERROR];
        const char *path = IMAGES_FILE;
        CHECK(!picture_save_png(path, pixels, 64, 50, channels));
        if (!images_files(&path, 1, &d, error)) {
            test_report(__FILE__, __LINE__, "%s", error);
            continue;
        }
        CHECK(d.type == VAE_U8 && d.rank == 4 && d.count == 1 && d.dims[1] == 50);
        CHECK(d.dims[2] == 64 && d.dims[3] == (size_t)channels);
        CHECK(!memcmp(d.bytes, pixels, d.item));
        vae_data_free(&d);
    }
    remove(IMAGES_FILE);
}

/* ---- PGM and PPM ---- */

static void pnm_is(const char *text, size_t size, size_t width, size_t height, size_t channels,
                   const char *want) {
    images_picture p;
    char error[IMAGES_ERROR];
    size_t n;
    if (!images_of((const uint8_t *)text, size, &p, error)) {
        test_report(__FILE__, __LINE__, "%.10s: %s", text, error);
        return;
    }
    CHECK(p.width == width && p.height == height && p.channels == channels);
    CHECK(!memcmp(p.pixels, want, width * height * channels));
    free(p.pixels);
    for (n = 0; n < size && text[1] > '3'; n++)
        if (images_of((const uint8_t *)text, n, &p, error))
            test_report(__FILE__, __LINE__, "%.10s cut at %u is read", text, (unsigned)n);
}
#define PNM_IS(text, w, h, c, want) pnm_is(text, sizeof(text) - 1, w, h, c, want)
#define PNM_REFUSED(text, word) images_refused((const uint8_t *)(text), sizeof(text) - 1, word)

TEST(pnm_in_all_four_forms) {
    PNM_IS("P5 2 1 255\nab", 2, 1, 1, "ab");
    PNM_IS("P5\n# a comment\n2 # another\r1\t255\n\0\xFF", 2, 1, 1, "\0\xFF");
    PNM_IS("P6 1 2 255 abcdef", 1, 2, 3, "abcdef");
    PNM_IS("P5 3 1 4 \0\1\4", 3, 1, 1, "\0\x40\xFF");
    PNM_IS("P5 2 1 65535 \x80\0\xFF\xFF", 2, 1, 1, "\x80\xFF");
    PNM_IS("P5 2 1 256 \0\x80\1\0", 2, 1, 1, "\x80\xFF");
    PNM_IS("P2 2 2 15 0 15\n# half\n5 10\n", 2, 2, 1, "\0\xFFU\xAA");
    PNM_IS("P3\n1 1\n255\n1 2 3", 1, 1, 3, "\1\2\3");
}

TEST(pnm_refuses_what_it_should_and_says_why) {
    PNM_REFUSED("P4 8 1 a", "PBM");
    PNM_REFUSED("P7\nWIDTH 3", "not a PNG");
    PNM_REFUSED("P5x2 1 255 ab", "not a PNG");
    PNM_REFUSED("P5 2 1 255", "header");
    PNM_REFUSED("P5 2 -1 255 ab", "header");
    PNM_REFUSED("P5 2 1 0 ab", "header");
    PNM_REFUSED("P5 2 1 65536 ab", "header");
    PNM_REFUSED("P5 2 1 255ab", "header");
    PNM_REFUSED("P5 4294967298 1 255 ab", "header");
    PNM_REFUSED("P5 0 1 255 ab", "zero");
    PNM_REFUSED("P5 999999 999999 255 ab", "too large");
    PNM_REFUSED("P6 4000 4000 255 ab", "truncated");
    PNM_REFUSED("P3 4000 4000 255 1 2 3", "truncated");
    PNM_REFUSED("P5 2 1 255 abc", "follows");
    PNM_REFUSED("P5 2 1 97 ab", "number 1 is missing or above 97");
    PNM_REFUSED("P2 2 1 255 1 256", "number 1");
    PNM_REFUSED("P2 2 1 255 1 x   ", "number 1");
    PNM_REFUSED("P2 2 1 255 1 2 3", "follows");
    PNM_REFUSED("P2 2 1 255 1 2 x", "follows");
    PNM_REFUSED("", "not a PNG");
    PNM_REFUSED("P5", "not a PNG");
    PNM_REFUSED("\xFF\xD8\xFF\xE0 a JPEG", "not a PNG");
}

/* ---- CIFAR-10 and NPY ---- */

static void cifar_file(uint8_t *file, size_t count, int seed) {
    size_t i;
    for (i = 0; i < count * IMAGES_CIFAR_RECORD; i++)
        file[i] = (uint8_t)((int)(i * 7 + i / 1000) + seed);
    for (i = 0; i < count; i++) file[i * IMAGES_CIFAR_RECORD] = (uint8_t)((i + (size_t)seed) % 10);
}

TEST(cifar_turns_planes_into_pixels) {
    static uint8_t file[2 * IMAGES_CIFAR_RECORD], pixels[2 * IMAGES_CIFAR_BYTES];
    uint8_t labels[2];
    char error[IMAGES_ERROR];
    size_t i, k, c;
    int wrong = 0;
    cifar_file(file, 2, 3);
    CHECK_EQ(images_cifar(file, sizeof file, pixels, labels, error), 2);
    CHECK(labels[0] == 3 && labels[1] == 4);
    for (i = 0; i < 2; i++)
        for (k = 0; k < 1024; k++)
            for (c = 0; c < 3; c++)
                wrong += pixels[(i * 1024 + k) * 3 + c] != file[i * 3073 + 1 + c * 1024 + k];
    CHECK_EQ(wrong, 0);
    CHECK_EQ(images_cifar(file, sizeof file - 1, pixels, labels, error), 0);
    CHECK(strstr(error, "no CIFAR-10 records") != NULL);
    CHECK_EQ(images_cifar(file, 0, pixels, labels, error), 0);
    file[3073] = 10;
    CHECK_EQ(images_cifar(file, sizeof file, pixels, labels, error), 0);
    CHECK(strstr(error, "record 1 has class 10") != NULL);
}

/* An NPY file: version, header and n bytes. Of *size bytes, for the caller to free(). */
static uint8_t *npy_file(int version, const char *head, const void *bytes, size_t n, size_t *size) {
    size_t h = strlen(head), start = version == 1 ? 10 : 12;
    uint8_t *file = (uint8_t *)calloc(start + h + n + 1, 1);
    memcpy(file, "\x93NUMPY", 6);
    file[6] = (uint8_t)version, file[8] = (uint8_t)h, file[9] = (uint8_t)(h >> 8);
    memcpy(file + start, head, h);
    if (n) memcpy(file + start + h, bytes, n);
    *size = start + h + n;
    return file;
}

static void npy_refused(const char *head, size_t n, const char *word) {
    static const uint8_t zeros[64] = {0};
    char error[IMAGES_ERROR] = "";
    size_t size;
    uint8_t *file = npy_file(1, head, zeros, n, &size);
    vae_data d, before;
    memset(&d, 0x5A, sizeof d);
    before = d;
    CHECK(!images_npy(file, size, &d, error));
    CHECK(!memcmp(&d, &before, sizeof d));
    if (!strstr(error, word))
        test_report(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", error, word);
    free(file);
}

TEST(npy_of_bytes_and_floats_in_every_version) {
    static const uint8_t bytes[24] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
                                      13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 255};
    static const uint8_t floats[8] = {0, 0, 0x80, 0x3F, 0, 0, 0x20, 0xC0}; /* 1, -2.5 */
    char error[IMAGES_ERROR];
    int version;
    for (version = 1; version <= 3; version++) {
        vae_data d;
        float x[2] = {0, 0};
        size_t size, n;
        uint8_t *file = npy_file(
            version, "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2, 2, 3), }  \n", bytes,
            24, &size);
        for (n = 0; n < size; n++) { /* cut anywhere */
            uint8_t *cut = (uint8_t *)malloc(n + 1);
            memcpy(cut, file, n);
            CHECK(!images_npy(cut, n, &d, error));
            free(cut);
        }
        CHECK(images_npy(file, size, &d, error));
        CHECK(d.type == VAE_U8 && d.rank == 4 && d.count == 2 && d.item == 12 && d.dims[3] == 3);
        CHECK(!memcmp(d.bytes, bytes, 24));
        vae_data_free(&d);
        file = npy_file(version, "{'shape': (2,1), 'descr': '<f4', 'fortran_order': False}", floats,
                        8, &size);
        CHECK(images_npy(file, size, &d, error));
        CHECK(d.type == VAE_F32 && d.rank == 2 && d.count == 2 && d.item == 1);
        CHECK_STATUS(vae_data_read(&d, 0, 2, x), VAE_OK);
        CHECK(x[0] == 1.0f && x[1] == -2.5f);
        vae_data_free(&d);
    }
}

/* A file of 24 numbers 0 to 23 (shape in C order), or of those of `bytes`. */
static void npy_reads(int version, const char *head, const void *bytes, size_t n, vae_type type) {
    char error[IMAGES_ERROR] = "";
    size_t size, i;
    uint8_t *file = npy_file(version, head, bytes, n, &size);
    float x[24];
    vae_data d;
    if (!images_npy(file, size, &d, error)) {
        test_report(__FILE__, __LINE__, "%s: %s", head, error);
        free(file);
        return;
    }
    CHECK(d.type == type && d.rank == 3 && d.dims[0] == 2 && d.dims[1] == 3 && d.dims[2] == 4);
    CHECK_STATUS(vae_data_read(&d, 0, 2, x), VAE_OK);
    for (i = 0; i < 24; i++)
        CHECK(x[i] == (type == VAE_U8 ? (float)((double)i / 255) : (float)i));
    vae_data_free(&d);
}

TEST(npy_is_read_as_numpy_reads_it) {
    uint8_t c[24], fortran[24], low[96], high[96], fortran_high[96];
    const uint16_t one = 1;
    int little;
    size_t i, j, k;
    little = *(const uint8_t *)&one;
    for (i = 0; i < 2; i++)
        for (j = 0; j < 3; j++)
            for (k = 0; k < 4; k++) {
                size_t at = (i * 3 + j) * 4 + k, turned = (k * 3 + j) * 2 + i, b;
                float x = (float)at;
                uint32_t word;
                memcpy(&word, &x, 4);
                c[at] = fortran[turned] = (uint8_t)at;
                for (b = 0; b < 4; b++) {
                    low[4 * at + b] = (uint8_t)(word >> 8 * b);
                    high[4 * at + b] = (uint8_t)(word >> (24 - 8 * b));
                    fortran_high[4 * turned + b] = high[4 * at + b];
                }
            }
#define HEAD(descr, order) \
    "{'descr': '" descr "', 'fortran_order': " order ", 'shape': (2, 3, 4), }\n"
    npy_reads(1, HEAD("|u1", "True"), fortran, 24, VAE_U8);
    npy_reads(1, HEAD("<u1", "False"), c, 24, VAE_U8);
    npy_reads(1, HEAD("uint8", "False"), c, 24, VAE_U8);
    npy_reads(2, HEAD("<f4", "False"), low, 96, VAE_F32);
    npy_reads(1, HEAD(">f4", "False"), high, 96, VAE_F32);
    npy_reads(3, HEAD(">f4", "True"), fortran_high, 96, VAE_F32);
    npy_reads(1, HEAD("=f4", "False"), little ? low : high, 96, VAE_F32);
    npy_reads(1, HEAD("float32", "False"), little ? low : high, 96, VAE_F32);
#undef HEAD
    npy_reads(1, "{'shape': (2L, 3L, 4L), 'fortran_order': False, 'descr': '|u1'}", c, 24, VAE_U8);
    npy_reads(1, "{u'shape': (2, 3, 4,), u'fortran_order': False, u'descr': u'|u1',}", c, 24,
              VAE_U8);
    npy_reads(2, "{\"shape\":(2,3,4),\"fortran_order\":False,\"descr\":\"|u1\"}", c, 24,
              VAE_U8);
    npy_reads(1, " {\r\n'shape' : ( 2 ,\t3 , 4 ) ,\n'fortran_order' : False , "
                 "'descr' : '|u1' } \f\n", c, 24, VAE_U8);
}

TEST(npy_refuses_what_it_should_and_says_why) {
#define HEAD(descr, order, shape) \
    "{'descr': '" descr "', 'fortran_order': " order ", 'shape': " shape ", }\n"
    npy_refused(HEAD("<f8", "False", "(2, 2)"), 32, "'<f8', neither '|u1' nor '<f4'");
    npy_refused(HEAD("|O", "False", "(2, 2)"), 32, "'|O'");
    npy_refused(HEAD("|u1", "true", "(2, 2)"), 4, "neither True nor False");
    npy_refused(HEAD("|u1", "True", "(2, 2)"), 5, "do not make its shape");
    npy_refused(HEAD("\33[31m", "False", "(2, 2)"), 4, "not plain numbers");
    npy_refused(HEAD("|u1", "False", "(4)"), 4, "shape cannot be read");
    npy_refused(HEAD("|u1", "False", "(2 2)"), 4, "shape cannot be read");
    npy_refused(HEAD("|u1", "False", "(2,, 2)"), 4, "shape cannot be read");
    npy_refused(HEAD("|u1", "False", "[2, 2]"), 4, "shape cannot be read");
    npy_refused(HEAD("|u1", "False", "(2, -2)"), 4, "shape cannot be read");
    npy_refused(HEAD("|u1", "False", "(4,)"), 4, "fewer than 2");
    npy_refused(HEAD("|u1", "False", "()"), 1, "fewer than 2");
    npy_refused(HEAD("|u1", "False", "(2, 2)"), 3, "do not make its shape");
    npy_refused(HEAD("|u1", "False", "(2, 2)"), 5, "do not make its shape");
    npy_refused(HEAD("<f4", "False", "(2, 2)"), 17, "do not make its shape");
    npy_refused(HEAD("|u1", "False", "(0, 2)"), 0, "no images");
    npy_refused(HEAD("|u1", "False", "(4294967296, 4294967296, 4294967296)"), 4, "");
    npy_refused(HEAD("|u1", "False", "(99999999999999999999, 2)"), 4, "shape cannot be read");
    npy_refused(HEAD("|u1", "False", "(1,1,1,1,1,1,1,2,2)"), 4, "more than 8 dimensions");
    npy_refused("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,1)}", 4, "records");
    npy_refused("", 4, "not a dictionary");
#undef HEAD
}

/* ---- folders ---- */

#ifdef FILES__POSIX
static void folder_put(const char *name, const void *bytes, size_t size) {
    char path[200];
    FILE *f;
    snprintf(path, sizeof path, "%s/%s", IMAGES_FOLDER, name);
    f = fopen(path, "wb");
    CHECK(f && fwrite(bytes, 1, size, f) == size);
    if (f) fclose(f);
}

static void folder_remove(void) {
    DIR *d = opendir(IMAGES_FOLDER);
    struct dirent *entry;
    while (d && (entry = readdir(d)) != NULL) {
        char path[600];
        snprintf(path, sizeof path, "%s/%s", IMAGES_FOLDER, entry->d_name);
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) remove(path);
    }
    if (d) closedir(d);
    remove(IMAGES_FOLDER);
}
#define FOLDER_PUT(name, text) folder_put(name, text, sizeof(text) - 1)

TEST(folder_is_read_in_the_order_of_names) {
    vae_data d;
    char error[IMAGES_ERROR] = "";
    folder_remove();
    CHECK_EQ(images_folder(IMAGES_FOLDER, 0, &d, error), -1);
    CHECK(strstr(error, IMAGES_FOLDER ": it cannot be opened") != NULL);
    CHECK(mkdir(IMAGES_FOLDER, 0777) == 0);
    CHECK_EQ(images_folder(IMAGES_FOLDER, 0, &d, error), 0);
    CHECK(!strcmp(error, IMAGES_FOLDER ": it holds no PNG, PGM, PPM or PNM"));
    FOLDER_PUT("readme.txt", "not a picture");
    FOLDER_PUT("._x.png", "not one either");
    FOLDER_PUT("png", "nor this");
    CHECK_EQ(images_folder(IMAGES_FOLDER, 0, &d, error), 0);
    FOLDER_PUT("b.pgm", "P5 2 1 255 cd");
    FOLDER_PUT("B.PGM", "P5 2 1 255 ab");
    FOLDER_PUT("b2.pnm", "P5 2 1 255 ef");
    CHECK_EQ(images_folder(IMAGES_FOLDER "/", 0, &d, error), 1);
    CHECK(d.count == 3 && d.rank == 4 && d.dims[1] == 1 && d.dims[2] == 2 && d.dims[3] == 1);
    CHECK(!memcmp(d.bytes, "abcdef", 6));
    vae_data_free(&d);
    CHECK_EQ(images_folder(IMAGES_FOLDER, 2, &d, error), 1);
    CHECK(d.count == 2 && !memcmp(d.bytes, "abcd", 4));
    vae_data_free(&d);
    /* grey and colour mixed become colour, whichever comes first */
    FOLDER_PUT("b1.ppm", "P6 2 1 255 123456");
    CHECK_EQ(images_folder(IMAGES_FOLDER, 0, &d, error), 1);
    CHECK(d.count == 4 && d.dims[3] == 3);
    CHECK(!memcmp(d.bytes, "aaabbbcccddd123456eeefff", 24));
    vae_data_free(&d);
    FOLDER_PUT("b15.ppm", "P6 1 2 255 123456");
    CHECK_EQ(images_folder(IMAGES_FOLDER, 0, &d, error), -1);
    CHECK(strstr(error, IMAGES_FOLDER "/b15.ppm: it has 1 x 2 pixels") != NULL);
    FOLDER_PUT("b15.ppm", "P6 2 1 255 12345");
    CHECK_EQ(images_folder(IMAGES_FOLDER, 0, &d, error), -1);
    CHECK(strstr(error, "b15.ppm: it is truncated") != NULL);
    FOLDER_PUT("b15.ppm", "");
    CHECK_EQ(images_folder(IMAGES_FOLDER, 0, &d, error), -1);
    CHECK(strstr(error, "b15.ppm: it is not a PNG") != NULL);
    remove(IMAGES_FOLDER "/b15.ppm");
    CHECK(mkdir(IMAGES_FOLDER "/c.png", 0777) == 0); /* a folder is no picture */
    if (images_folder(IMAGES_FOLDER, 0, &d, error) == 1) {
        CHECK_EQ(d.count, 4);
        vae_data_free(&d);
    } else {
        test_report(__FILE__, __LINE__, "%s", error);
    }
    folder_remove();
}

TEST(folder_of_batches_is_cifar) {
    static uint8_t file[3 * IMAGES_CIFAR_RECORD], pixels[3 * IMAGES_CIFAR_BYTES];
    uint8_t *labels = NULL;
    vae_data d;
    char error[IMAGES_ERROR] = "";
    folder_remove();
    CHECK_EQ(images_batches(IMAGES_FOLDER, 0, 0, &d, NULL, error), 0);
    CHECK(mkdir(IMAGES_FOLDER, 0777) == 0);
    cifar_file(file, 3, 0);
    folder_put("data_batch_1.bin", file, sizeof file);
    cifar_file(file, 3, 7);
    folder_put("data_batch_3.bin", file, 2 * IMAGES_CIFAR_RECORD);
    CHECK_EQ(images_batches(IMAGES_FOLDER, 1, 0, &d, NULL, error), 0);
    CHECK_EQ(images_batches(IMAGES_FOLDER, 0, 0, &d, &labels, error), 1);
    CHECK(d.count == 5 && d.rank == 4 && d.dims[1] == 32 && d.dims[2] == 32 && d.dims[3] == 3);
    CHECK(labels && !memcmp(labels, "\0\1\2\7\10", 5));
    images_cifar(file, sizeof file, pixels, NULL, error);
    CHECK(!memcmp((const uint8_t *)d.bytes + 3 * IMAGES_CIFAR_BYTES, pixels,
                  2 * IMAGES_CIFAR_BYTES));
    free(labels);
    vae_data_free(&d);
    CHECK_EQ(images_batches(IMAGES_FOLDER, 0, 4, &d, NULL, error), 1);
    CHECK_EQ(d.count, 4);
    vae_data_free(&d);
    folder_put("test_batch.bin", file, 1 * IMAGES_CIFAR_RECORD);
    CHECK_EQ(images_batches(IMAGES_FOLDER, 1, 0, &d, NULL, error), 1);
    CHECK_EQ(d.count, 1);
    vae_data_free(&d);
    CHECK(mkdir(IMAGES_FOLDER "/data_batch_2.bin", 0777) == 0); /* a folder is no batch */
    if (images_batches(IMAGES_FOLDER, 0, 0, &d, NULL, error) == 1) {
        CHECK_EQ(d.count, 5);
        vae_data_free(&d);
    } else {
        test_report(__FILE__, __LINE__, "%s", error);
    }
    folder_put("data_batch_3.bin", file, 2 * IMAGES_CIFAR_RECORD - 1);
    CHECK_EQ(images_batches(IMAGES_FOLDER, 0, 0, &d, NULL, error), -1);
    CHECK(strstr(error, IMAGES_FOLDER "/data_batch_3.bin: its 6145 bytes") != NULL);
    folder_remove();
}
#endif

TESTS(images) {
    RUN(png_of_every_colour_depth_and_filter);
    RUN(png_with_a_transparent_colour_is_black_there);
    RUN(png_cut_anywhere_is_refused);
    RUN(png_finds_each_flipped_bit);
    RUN(png_refuses_what_it_should_and_says_why);
    RUN(png_ignores_what_is_behind_its_pixels);
    RUN(picture_sizes_are_known_beforehand);
    RUN(png_of_the_tools_is_read_back);
    RUN(pnm_in_all_four_forms);
    RUN(pnm_refuses_what_it_should_and_says_why);
    RUN(cifar_turns_planes_into_pixels);
    RUN(npy_of_bytes_and_floats_in_every_version);
    RUN(npy_is_read_as_numpy_reads_it);
    RUN(npy_refuses_what_it_should_and_says_why);
#ifdef FILES__POSIX
    RUN(folder_is_read_in_the_order_of_names);
    RUN(folder_of_batches_is_cifar);
#endif
}
