/* shapes.h: a data set of coloured shapes whose causes are known, drawn by the program itself.
 *
 *   shapes_factors  the six facts that image `index` is drawn from
 *   shapes_draw     the image of any six facts
 *   shapes_fill     a run of images and of their factors
 *
 * Images of 32 x 32 x 3 bytes: one square, ellipse or triangle on a dark ground. Six factors, each
 * with a few values, make the whole image; there is no noise, and no two of the 884,736
 * combinations look the same. `seed` puts them in an order, of which image `index` is one place:
 * any image can be drawn alone, in any order, by any thread, and within one order no image comes
 * twice. Indices from 0 are for training, from SHAPES_TEST for testing.
 *
 *     column  factor  values
 *     0       shape        3   0 square, 1 ellipse (twice as long as wide), 2 triangle
 *     1       size         6   the side of the square of the same area is 6 + value pixels
 *     2       angle       16   value * 90 / 16 degrees, clockwise. A quarter turn, after which a
 *                              square comes round: no angle is there twice, for any shape
 *     3       x           16   of the middle: 16 + 0.797 * (value - 7.5) pixels from the left
 *     4       y           16   and from the top
 *     5       hue         12   value * 30 degrees: 0 red, 4 green, 8 blue
 *
 * Each factor is close to uniform, and independent of the others, in any long run of indices; so
 * the entropy of one is close to ln(values), which a mutual information gap asks for.
 *
 * Everything is computed with integers, so the pixels are the same on every machine, with every
 * compiler and flag. C99 and C++11; allocates nothing; include vae.h before it, for vae_shuffle. */

#ifndef SHAPES_H
#define SHAPES_H

#ifndef VAE_VERSION
#error "include vae.h before shapes.h"
#endif

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SHAPES_WIDTH 32
#define SHAPES_HEIGHT 32
#define SHAPES_CHANNELS 3
#define SHAPES_BYTES (SHAPES_WIDTH * SHAPES_HEIGHT * SHAPES_CHANNELS)
#define SHAPES_COUNT 884736u    /* all images; indices beyond begin again */
#define SHAPES_TEST 663552u     /* index of the first test image */

enum { SHAPES_SHAPE, SHAPES_SIZE, SHAPES_ANGLE, SHAPES_X, SHAPES_Y, SHAPES_HUE, SHAPES_FACTORS };

/* How many values a factor has, or 0 when there is no such factor. */
static inline uint32_t shapes_values(int factor)
{
    static const uint8_t values[SHAPES_FACTORS] = {3, 6, 16, 16, 16, 12};
    return factor >= 0 && factor < SHAPES_FACTORS ? values[factor] : 0;
}

/* The factors of image `index` of the order `seed`: each from 0 to shapes_values() - 1. */
static inline void shapes_factors(uint64_t seed, uint32_t index, uint8_t factors[SHAPES_FACTORS])
{
    uint64_t number = vae_shuffle(seed, 0x53484150u, SHAPES_COUNT, index % SHAPES_COUNT);
    for (int i = 0; i < SHAPES_FACTORS; i++) {
        factors[i] = (uint8_t)(number % shapes_values(i));
        number /= shapes_values(i);
    }
}

/* ---- outlines --------------------------------------------------------------------------- */

enum { SHAPES__CORNERS = 64, SHAPES__PIXEL = 1024, SHAPES__LINES = 16 };

/* 16384 times the sine of `turn` / 64 of a full turn. */
static inline int32_t shapes__sine(uint32_t turn)
{
    static const int16_t quarter[17] = {0,     1606,  3196,  4756,  6270,  7723,
                                        9102,  10394, 11585, 12665, 13623, 14449,
                                        15137, 15679, 16069, 16305, 16384};
    uint32_t at = turn & 15;
    int32_t size = quarter[turn & 16 ? 16 - at : at];
    return turn & 32 ? -size : size;
}

static inline int32_t shapes__cosine(uint32_t turn) { return shapes__sine(turn + 16); }

/* The corners of a shape of area 1 around (0, 0), in units of 1/16384, in order. All of them are
 * convex, and an ellipse is a polygon of 64 corners: 1/100 pixel within it. */
static inline int shapes__outline(int shape, int32_t corners[SHAPES__CORNERS][2])
{
    /* corners at 1/sqrt(2), or, where three are, sqrt(4 / (3 sqrt(3))) */
    static const int16_t square[4][2] = {{-8192, -8192}, {8192, -8192}, {8192, 8192},
                                         {-8192, 8192}};
    static const int16_t triangle[3][2] = {{0, -14373}, {12448, 7187}, {-12448, 7187}};
    int count = shape == 0 ? 4 : shape == 1 ? SHAPES__CORNERS : 3;
    for (int i = 0; i < count; i++) {
        if (shape == 1) { /* half axes sqrt(2 / pi) and half of it */
            corners[i][0] = 13073 * shapes__cosine((uint32_t)i) / 16384;
            corners[i][1] = 6536 * shapes__sine((uint32_t)i) / 16384;
        } else {
            corners[i][0] = shape == 0 ? square[i][0] : triangle[i][0];
            corners[i][1] = shape == 0 ? square[i][1] : triangle[i][1];
        }
    }
    return count;
}

/* Where the horizontal line at y cuts the convex outline: 0 if it does not. */
static inline int shapes__cut(int32_t corners[SHAPES__CORNERS][2], int count, int32_t y,
                              int32_t *left, int32_t *right)
{
    int cuts = 0;
    for (int i = 0; i < count; i++) {
        const int32_t *a = corners[i], *b = corners[i + 1 < count ? i + 1 : 0];
        int32_t x;
        if ((a[1] <= y) == (b[1] <= y)) continue;
        x = a[0] + (y - a[1]) * (b[0] - a[0]) / (b[1] - a[1]);
        if (!cuts || x < *left) *left = x;
        if (!cuts || x > *right) *right = x;
        cuts = 1;
    }
    return cuts;
}

/* Adds the part of each pixel of one row that lies between left and right, both within the row. */
static inline void shapes__span(int32_t *row, int32_t left, int32_t right)
{
    while (left < right) {
        int32_t x = left / SHAPES__PIXEL, end = (x + 1) * SHAPES__PIXEL;
        if (end > right) end = right;
        row[x] += end - left;
        left = end;
    }
}

/* ---- images ----------------------------------------------------------------------------- */

/* Draws the image of these factors; a value too large counts as the largest.
 *
 *   pixels   (SHAPES_HEIGHT, SHAPES_WIDTH, SHAPES_CHANNELS)  out
 *
 * Each pixel is as much of the shape's colour as lies within the outline: exact along x, 16 lines
 * to a pixel along y. Cannot fail. About 20 us. */
static inline void shapes_draw(const uint8_t factors[SHAPES_FACTORS],
                               uint8_t pixels[SHAPES_BYTES])
{
    enum { FULL = SHAPES__PIXEL * SHAPES__LINES, MIDDLE = 16 * SHAPES__PIXEL };
    int32_t corners[SHAPES__CORNERS][2], f[SHAPES_FACTORS], side, sine, cosine, colour[3];
    int count;
    for (int i = 0; i < SHAPES_FACTORS; i++) {
        int32_t last = (int32_t)shapes_values(i) - 1;
        f[i] = factors[i] < last ? factors[i] : last;
    }
    side = (6 + f[SHAPES_SIZE]) * SHAPES__PIXEL;
    sine = shapes__sine((uint32_t)f[SHAPES_ANGLE]);
    cosine = shapes__cosine((uint32_t)f[SHAPES_ANGLE]);
    count = shapes__outline(f[SHAPES_SHAPE], corners);
    for (int i = 0; i < count; i++) {
        int32_t u = corners[i][0] * side / 16384, v = corners[i][1] * side / 16384;
        corners[i][0] = MIDDLE + (2 * f[SHAPES_X] - 15) * 408 + (u * cosine - v * sine) / 16384;
        corners[i][1] = MIDDLE + (2 * f[SHAPES_Y] - 15) * 408 + (u * sine + v * cosine) / 16384;
    }
    for (int c = 0; c < 3; c++) { /* full near a channel's own hue, low a third of the circle off */
        int32_t away = (f[SHAPES_HUE] - 4 * c + 12) % 12;
        if (away > 6) away = 12 - away;
        colour[c] = away < 3 ? 245 : away == 3 ? 155 : 65;
    }
    for (int32_t y = 0; y < SHAPES_HEIGHT; y++) {
        static const uint8_t ground[2][3] = {{38, 42, 62}, {16, 17, 26}}; /* top, bottom */
        int32_t row[SHAPES_WIDTH], left = 0, right = 0;
        memset(row, 0, sizeof row);
        for (int32_t k = 0; k < SHAPES__LINES; k++)
            if (shapes__cut(corners, count,
                            y * SHAPES__PIXEL + (2 * k + 1) * (SHAPES__PIXEL / SHAPES__LINES / 2),
                            &left, &right))
                shapes__span(row, left, right);
        for (int32_t x = 0; x < SHAPES_WIDTH; x++)
            for (int c = 0; c < 3; c++) {
                int32_t paper = (ground[0][c] * (31 - y) + ground[1][c] * y + 15) / 31;
                *pixels++ = (uint8_t)((paper * (FULL - row[x]) + colour[c] * row[x] + FULL / 2)
                                      / FULL);
            }
    }
}

/* Draws the images first, first + 1, ..., first + count - 1 of the order `seed`.
 *
 *   pixels   (count, SHAPES_HEIGHT, SHAPES_WIDTH, SHAPES_CHANNELS)  out
 *   factors  (count, SHAPES_FACTORS)  out; may be NULL */
static inline void shapes_fill(uint64_t seed, uint32_t first, size_t count, uint8_t *pixels,
                               uint8_t *factors)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t f[SHAPES_FACTORS];
        shapes_factors(seed, first % SHAPES_COUNT + (uint32_t)(i % SHAPES_COUNT), f);
        shapes_draw(f, pixels + i * SHAPES_BYTES);
        if (factors) memcpy(factors + i * SHAPES_FACTORS, f, SHAPES_FACTORS);
    }
}

#endif /* SHAPES_H */
