/* faces.h: a data set of faces whose causes are known, drawn by the program itself.
 *
 *   faces_factors  the eight facts that image `index` is drawn from
 *   faces_draw     the image of any eight facts
 *   faces_fill     a run of images and of their factors
 *
 * Images of 32 x 32 x 3 bytes: one head and its shoulders before a wall. Eight factors, each with a
 * few values, make the whole image; there is no noise. `seed` puts the 294,912 combinations in an
 * order, of which image `index` is one place: any image can be drawn alone, in any order, by any
 * thread, and within one order no image comes twice. Indices from 0 are for training, from
 * FACES_TEST for testing.
 *
 *     column  factor  values
 *     0       smile        8   from 0, the corners of the mouth down, to 7, a broad smile
 *     1       pose         8   the head turns from the image's left (0) to its right (7)
 *     2       eyes         4   0 nearly closed, 3 wide open
 *     3       width        4   of the head
 *     4       skin         6   from dark to light
 *     5       hair         6   its colour: black, brown, red, fair, grey, blue
 *     6       length       4   of the hair: 0 short, 3 down to the shoulders
 *     7       glasses      2   0 none, 1 round ones
 *
 * Each factor is close to uniform, and independent of the others, in any long run of indices.
 *
 * Everything is computed with integers, so the pixels are the same on every machine, with every
 * compiler and flag. C99 and C++11; allocates nothing; include vae.h before it, for vae_shuffle. */

#ifndef FACES_H
#define FACES_H

#ifndef VAE_VERSION
#error "include vae.h before faces.h"
#endif

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define FACES_WIDTH 32
#define FACES_HEIGHT 32
#define FACES_CHANNELS 3
#define FACES_BYTES (FACES_WIDTH * FACES_HEIGHT * FACES_CHANNELS)
#define FACES_COUNT 294912u     /* all images; indices beyond begin again */
#define FACES_TEST 221184u      /* index of the first test image */

enum {
    FACES_SMILE, FACES_POSE, FACES_EYES, FACES_HEAD, FACES_SKIN, FACES_HAIR, FACES_LENGTH,
    FACES_GLASSES, FACES_FACTORS
};

/* How many values a factor has, or 0 when there is no such factor. */
static inline uint32_t faces_values(int factor)
{
    static const uint8_t values[FACES_FACTORS] = {8, 8, 4, 4, 6, 6, 4, 2};
    return factor >= 0 && factor < FACES_FACTORS ? values[factor] : 0;
}

/* The factors of image `index` of the order `seed`: each from 0 to faces_values() - 1. */
static inline void faces_factors(uint64_t seed, uint32_t index, uint8_t factors[FACES_FACTORS])
{
    uint64_t number = vae_shuffle(seed, 0x46414345u, FACES_COUNT, index % FACES_COUNT);
    for (int i = 0; i < FACES_FACTORS; i++) {
        factors[i] = (uint8_t)(number % faces_values(i));
        number /= faces_values(i);
    }
}

/* ---- paint: lengths are in 1/64 pixel ---------------------------------------------------- */

enum { FACES__PIXEL = 64 };

/* Paints the part of an ellipse that lies above the line `floor`; with `hole` > 0 only a ring so
 * wide. Near its edge, how much of a pixel is inside follows from the ellipse's equation. */
static inline void faces__ellipse(uint8_t *pixels, int32_t x, int32_t y, int32_t rx, int32_t ry,
                                  int32_t floor, int32_t hole, const uint8_t colour[3])
{
    const int32_t least = rx < ry ? rx : ry;
    int32_t top = (y - ry) / FACES__PIXEL - 1, bottom = (y + ry) / FACES__PIXEL + 1;
    int32_t left = (x - rx) / FACES__PIXEL - 1, right = (x + rx) / FACES__PIXEL + 1;
    if (top < 0) top = 0;
    if (left < 0) left = 0;
    if (bottom >= FACES_HEIGHT) bottom = FACES_HEIGHT - 1;
    if (right >= FACES_WIDTH) right = FACES_WIDTH - 1;
    for (int32_t row = top; row <= bottom; row++) {
        const int32_t v = row * FACES__PIXEL + FACES__PIXEL / 2;
        const int32_t t = (v - y) * 256 / ry;
        int32_t above = 256 * (floor - v) / FACES__PIXEL + 128;
        if (above > 256) above = 256;
        if (above <= 0) continue;
        for (int32_t column = left; column <= right; column++) {
            const int32_t u = column * FACES__PIXEL + FACES__PIXEL / 2;
            const int32_t s = (u - x) * 256 / rx;
            /* 65536 times 1 - (distance in radii)^2, 0 at the edge; 256 is a whole pixel */
            const int32_t inside = 65536 - s * s - t * t;
            int32_t part = 128 + inside * (least / 2) / 16384;
            uint8_t *p = pixels + (row * FACES_WIDTH + column) * 3;
            if (part > 256) part = 256;
            if (hole) { /* as far inside as the ring is wide */
                int32_t rest = 128 + (inside - 131072 / least * hole) * (least / 2) / 16384;
                part -= rest > 256 ? 256 : rest > 0 ? rest : 0;
            }
            if (part > above) part = above;
            if (part <= 0) continue;
            for (int c = 0; c < 3; c++)
                p[c] = (uint8_t)((p[c] * (256 - part) + colour[c] * part + 128) / 256);
        }
    }
}

/* A line from (x - half, y) to (x + half, y) whose middle hangs `sag` lower. */
static inline void faces__stroke(uint8_t *pixels, int32_t x, int32_t y, int32_t half, int32_t sag,
                                 int32_t radius, const uint8_t colour[3])
{
    enum { DOTS = 8 };
    for (int32_t i = -DOTS; i <= DOTS; i++)
        faces__ellipse(pixels, x + half * i / DOTS, y + sag * (DOTS * DOTS - i * i) / (DOTS * DOTS),
                       radius, radius, 4096, 0, colour);
}

/* ---- images ------------------------------------------------------------------------------ */

/* Draws the image of these factors; a value too large counts as the largest.
 *
 *   pixels   (FACES_HEIGHT, FACES_WIDTH, FACES_CHANNELS)  out
 *
 * Cannot fail. */
static inline void faces_draw(const uint8_t factors[FACES_FACTORS], uint8_t pixels[FACES_BYTES])
{
    static const uint8_t skins[6][3] = {{92, 58, 40},    {133, 88, 60},   {168, 118, 84},
                                        {201, 150, 116}, {226, 182, 150}, {244, 208, 182}};
    static const uint8_t hairs[6][3] = {{24, 20, 22}, {88, 54, 30},    {168, 74, 32},
                                        {222, 182, 92}, {170, 170, 172}, {52, 84, 168}};
    static const uint8_t shirt[3] = {70, 96, 92}, white[3] = {246, 246, 244};
    static const uint8_t dark[3] = {26, 22, 26}, lips[3] = {150, 48, 52};
    int32_t f[FACES_FACTORS], turn, wide, open, x, length;
    uint8_t shade[3];
    for (int i = 0; i < FACES_FACTORS; i++) {
        int32_t last = (int32_t)faces_values(i) - 1;
        f[i] = factors[i] < last ? factors[i] : last;
    }
    turn = (2 * f[FACES_POSE] - 7) * 22;    /* how far eyes, nose and mouth move with the head */
    wide = 560 + 44 * f[FACES_HEAD], open = 28 + 34 * f[FACES_EYES];
    length = 980 + 230 * f[FACES_LENGTH];
    x = 1024 + turn / 4;
    for (int i = 0; i < FACES_HEIGHT * FACES_WIDTH; i++) { /* the wall, darker towards the floor */
        const int32_t row = i / FACES_WIDTH;
        pixels[3 * i] = (uint8_t)(196 - row), pixels[3 * i + 1] = (uint8_t)(204 - row);
        pixels[3 * i + 2] = (uint8_t)(214 - row);
    }
    for (int c = 0; c < 3; c++) shade[c] = (uint8_t)(skins[f[FACES_SKIN]][c] * 13 / 16);
    /* behind the head: hair, then shoulders and neck, the ears, the head itself */
    faces__ellipse(pixels, x - turn / 4, 880, wide + 130, 760, length, 0, hairs[f[FACES_HAIR]]);
    if (f[FACES_LENGTH] > 1)
        faces__ellipse(pixels, x - turn / 4, 1200, wide + 90, 700, length + 150, 0,
                       hairs[f[FACES_HAIR]]);
    faces__ellipse(pixels, 1024, 2260, 900, 520, 4096, 0, shirt);
    faces__ellipse(pixels, 1024, 1620, 230, 320, 4096, 0, shade);
    faces__ellipse(pixels, x - wide - turn / 3, 1060, 110, 170, 4096, 0, shade);
    faces__ellipse(pixels, x + wide - turn / 3, 1060, 110, 170, 4096, 0, shade);
    faces__ellipse(pixels, x, 1000, wide, 740, 4096, 0, skins[f[FACES_SKIN]]);
    /* over it: the fringe, eyes and brows, the nose, the mouth, glasses */
    faces__ellipse(pixels, x - turn / 4, 860, wide + 90, 720, 560, 0, hairs[f[FACES_HAIR]]);
    for (int side = -1; side <= 1; side += 2) {
        /* the eye that the head turns away looks narrower */
        const int32_t eye = x + turn + side * wide * 7 / 16;
        const int32_t half = 145 - side * turn / 4;
        faces__ellipse(pixels, eye, 960, half, open, 4096, 0, white);
        faces__ellipse(pixels, eye + turn / 3, 960, 64, open < 70 ? open : 70, 4096, 0, dark);
        faces__stroke(pixels, eye, 800 - open / 3, half, -30, 26, hairs[f[FACES_HAIR]]);
        if (f[FACES_GLASSES]) faces__ellipse(pixels, eye, 965, 225, 205, 4096, 40, dark);
    }
    if (f[FACES_GLASSES]) faces__stroke(pixels, x + turn, 950, wide * 7 / 16 - 215, -20, 22, dark);
    faces__stroke(pixels, x + turn * 5 / 4, 1190, 70, 20, 34, shade);
    faces__stroke(pixels, x + turn, 1440 - 11 * (2 * f[FACES_SMILE] - 7), 190 + 14 * f[FACES_SMILE],
                  22 * (2 * f[FACES_SMILE] - 7), 52, lips);
}

/* Draws the images first, first + 1, ..., first + count - 1 of the order `seed`.
 *
 *   pixels   (count, FACES_HEIGHT, FACES_WIDTH, FACES_CHANNELS)  out
 *   factors  (count, FACES_FACTORS)  out; may be NULL */
static inline void faces_fill(uint64_t seed, uint32_t first, size_t count, uint8_t *pixels,
                              uint8_t *factors)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t f[FACES_FACTORS];
        faces_factors(seed, first % FACES_COUNT + (uint32_t)(i % FACES_COUNT), f);
        faces_draw(f, pixels + i * FACES_BYTES);
        if (factors) memcpy(factors + i * FACES_FACTORS, f, FACES_FACTORS);
    }
}

#endif /* FACES_H */
