/* digits.h: a data set of handwritten digits that the program draws itself.
 *
 *   digits_draw     one image, its class and the other facts it was drawn from
 *   digits_fill     a run of images and labels
 *
 * Ten classes of 28 x 28 grey pixels, white ink on black, about 20 pixels high. An image depends
 * on (seed, index) and nothing else: any one can be drawn alone, in any order, by any thread.
 * Indices from 0 are for training, from DIGITS_TEST for testing, so the two share no image.
 *
 * Everything is computed with integers, so the pixels are the same on every machine, with every
 * compiler and flag. C99 and C++11; allocates nothing; include vae.h before it, for vae_philox.
 *
 * How far hands differ was set by comparison with MNIST. The first 10,000 training images of each
 * (seed 1 here):                            digits.h              MNIST
 *     pixels: mean, deviation               0.131, 0.311          0.131, 0.309
 *     variance, summed over the pixels      52.9                  52.8
 *     part of it in 1, 10, 50 components    0.10, 0.51, 0.84      0.10, 0.49, 0.83 */

#ifndef DIGITS_H
#define DIGITS_H

#ifndef VAE_VERSION
#error "include vae.h before digits.h"
#endif

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define DIGITS_WIDTH 28
#define DIGITS_HEIGHT 28
#define DIGITS_PIXELS (DIGITS_WIDTH * DIGITS_HEIGHT)
#define DIGITS_CLASSES 10
#define DIGITS_TEST 0x40000000u     /* index of the first test image */

/* What an image was drawn from. Lengths are in 1/256 pixel. An array of these is also an array
 * (count, DIGITS_FACTORS) of int32. */
#define DIGITS_FACTORS 6
typedef struct digits_factors {
    int32_t label;          /* the class, 0 to 9, all equally likely */
    int32_t slant;          /* how far the top leans right, 1/256 of the height, -202 to 268 */
    int32_t scale;          /* longer side of the box around the ink, 4550 to 5550 */
    int32_t thickness;      /* of the stroke, 360 to 920 */
    int32_t x;              /* the middle of that box, to the right of the image's, -512 to 512 */
    int32_t y;              /* and below the image's, -512 to 512 */
} digits_factors;

/* ---- shapes ----------------------------------------------------------------------------- */

/* Four ways to write each digit. Two letters are a point: its column, then its row, from a = 0 at
 * the left or the top; a comma lifts the pen. As in a TrueType font the points pull the curve,
 * which passes halfway between one and the next; it passes through points with a capital, where it
 * may turn sharply, and through the two ends of a stroke. So every point can be moved at random
 * and the stroke stays smooth. */
static const char *const digits__shapes[DIGITS_CLASSES][4] = {
    {"ja ea ah ao eu ku on og la ha",                   /* 0: closed at the top */
     "lc ia ca ai aq fu nu pm of ka fc",                /* overlapping */
     "ha ba al cu mu pm oc ha ea",
     "kb da ak bu ku qn pc ja ed"},
    {"ea ek eu",                                        /* 1: a line */
     "fa ek du",
     "ag ee Ha gk gu",                                  /* with a flag */
     "ag ee Ha gk gu, bu gu mu"},                       /* and a foot */
    {"bf ba ma nh gp At hs pt",                         /* 2: with a corner */
     "be da ma nh jo cu ap fo jt pt",                   /* with a loop */
     "ad ea na oh go At it qs",
     "be ea ma og io cu ar eo kt qs"},
    {"bd ea ma mi Fj oj ou du ar",                      /* 3 */
     "ab Ma Gi pi ou eu ar",                            /* flat at the top */
     "bd da ma mj gl dj hi oj pt gv ar",                /* with a loop in the middle */
     "ac fa na mi Gj qk pu fv as"},
    {"da bh Am hm pl, mb lk lu",                        /* 4: open */
     "la fh An hn pm, la lk lu",                        /* closed */
     "bb ah bn lm Na mk lu",                            /* in one stroke */
     "ca ai an hn ql, na lk ku"},
    {"db cf Ci jf qk ou fv as, db ia oa",               /* 5: the bar apart */
     "pa ja Db Ci jf qk ou ev as",                      /* in one stroke */
     "pa ea bj mi ou hv as",                            /* like an S */
     "ea df Ci kh qm mu eu as, ea jb qa"},
    {"la ed an bv lv nl fj bp",                         /* 6 */
     "ja ch ap dv mv ml fk br",
     "ka bd ao cv mv ok ek aq",
     "ma dc an cv lv nn ik bn"},
    {"ac ha Nb jk gu",                                  /* 7 */
     "ac ha Nb jk gu, dl im ok",                        /* with a bar */
     "ae Ab ha Oa jj hu",                               /* with a serif */
     "ad ca ma oc jk hu"},                              /* round */
    {"lf la ba bi mm nu gw at am ng ka",                /* 8: one stroke, from the top */
     "je ka ba aj nl pu gw at bm mh ja",
     "ij bi ba na nh hj al aw ow ol ii",                /* from the middle */
     "me ka ca bg gk nm nv cw bo hk mg lb"},
    {"md ma ba ak jm ng Nc ml ku",                      /* 9: straight */
     "md ma ba ak jm ng Nc nv du bs",                   /* with a tail */
     "nd ma aa al km nf Nb ml iu",
     "ka ca ai fm ng lb ja Nc nk iu"}
};

/* ---- random numbers --------------------------------------------------------------------- */

typedef struct digits__dice {
    uint32_t key[2], counter[4], word[4], thrown;
} digits__dice;

/* The image's next random word. The address is as in vae.h: element, sample, time, purpose. */
static inline uint32_t digits__word(digits__dice *dice)
{
    uint32_t n = dice->thrown++;
    dice->counter[0] = n / 4;
    if (n % 4 == 0) vae_philox(dice->counter, dice->key, dice->word);
    return dice->word[n % 4];
}

/* Uniform on 0 to n - 1: the high word of n times a 64-bit fraction. */
static inline int32_t digits__below(digits__dice *dice, uint32_t n)
{
    uint64_t high = (uint64_t)digits__word(dice) * n, low = (uint64_t)digits__word(dice) * n;
    return (int32_t)((high + (low >> 32)) >> 32);
}

/* From middle - spread to middle + spread, bell-shaped with a deviation of 0.29 spread: the sum of
 * a word's four bytes. */
static inline int32_t digits__bell(digits__dice *dice, int32_t middle, int32_t spread)
{
    uint32_t w = digits__word(dice);
    int32_t sum = (int32_t)((w & 255) + (w >> 8 & 255) + (w >> 16 & 255) + (w >> 24));
    return middle + (sum - 510) * spread / 510;
}

/* ---- the path of the pen ---------------------------------------------------------------- */

typedef struct digits__point {
    int32_t x, y;                   /* 1/256 pixel */
    int32_t press;                  /* how hard the pen presses: 256 draws the full thickness */
    int32_t down;                   /* 0: the pen comes here through the air */
} digits__point;

enum { DIGITS__PIECES = 4, DIGITS__MAX_POINTS = 128 };

typedef struct digits__path {
    digits__point at[DIGITS__MAX_POINTS];
    int32_t count;
} digits__path;

static inline void digits__append(digits__path *path, digits__point p)
{
    if (path->count < DIGITS__MAX_POINTS) path->at[path->count++] = p;
}

/* The point i / DIGITS__PIECES of the way from a to b. */
static inline digits__point digits__between(digits__point a, digits__point b, int32_t i)
{
    digits__point p;
    p.x = a.x + (b.x - a.x) * i / DIGITS__PIECES;
    p.y = a.y + (b.y - a.y) * i / DIGITS__PIECES;
    p.press = a.press + (b.press - a.press) * i / DIGITS__PIECES;
    p.down = 1;
    return p;
}

/* Goes from a to c on the quadratic Bezier curve that b pulls, in straight pieces. */
static inline void digits__curve(digits__path *path, digits__point a, digits__point b,
                                 digits__point c)
{
    for (int32_t i = 1; i <= DIGITS__PIECES; i++) {
        digits__point ab = digits__between(a, b, i), bc = digits__between(b, c, i);
        digits__append(path, digits__between(ab, bc, i));
    }
}

/* Writes a shape in some hand, not yet in its final size and place. */
static inline void digits__write(digits__path *path, digits__dice *dice, const char *shape,
                                 int32_t slant)
{
    const int32_t half = DIGITS__PIECES / 2;
    int32_t bend[6], stretch, slope, first = 1, pulled = 0;
    digits__point here = {0, 0, 0, 0}, pull = {0, 0, 0, 0};
    for (int i = 0; i < 6; i++) bend[i] = digits__bell(dice, 0, 90);
    stretch = digits__bell(dice, 256, 100);
    slope = digits__bell(dice, 0, 45);
    path->count = 0;
    while (*shape) {
        /* the point, moved by up to 2 of the 20 rows */
        int32_t sharp = shape[0] < 'a', last = shape[2] != ' ';
        int32_t x = (shape[0] - (sharp ? 'H' : 'h')) * 256 + digits__bell(dice, 0, 500);
        int32_t y = (shape[1] - 'k') * 256 + digits__bell(dice, 0, 500);
        /* the hand's habits move neighbours alike: a bend of the paper, all that is quadratic in x
         * and y; then its stretch, slant and slope */
        int32_t xx = (x / 16) * (x / 16), xy = (x / 16) * (y / 16), yy = (y / 16) * (y / 16);
        int32_t u = x + (bend[0] * xx + bend[1] * xy + bend[2] * yy) / 4096;
        int32_t v = y + (bend[3] * xx + bend[4] * xy + bend[5] * yy) / 4096;
        digits__point p = {0, 0, 0, 0};
        p.x = (stretch * u - slant * v) / 256;
        p.y = v + slope * u / 256;
        p.press = digits__bell(dice, first || last ? 215 : 256, 60);     /* lands, lifts lightly */
        if (first) {
            digits__append(path, p);
            here = p;
        } else if (sharp || last) {
            digits__curve(path, here, pulled ? pull : digits__between(here, p, half), p);
            here = p, pulled = 0;
        } else {
            if (pulled) {
                digits__point middle = digits__between(pull, p, half);
                digits__curve(path, here, pull, middle);
                here = middle;
            }
            pull = p, pulled = 1;
        }
        first = last;
        shape += shape[2] == ' ' ? 3 : shape[2] == ',' ? 4 : 2;
    }
}

/* Moves and scales the path so that the box around it has its middle at (x, y) and `size` as its
 * longer side. */
static inline void digits__place(digits__path *path, int32_t size, int32_t x, int32_t y)
{
    int32_t left = path->at[0].x, right = left, top = path->at[0].y, bottom = top, longer;
    for (int32_t i = 1; i < path->count; i++) {
        const digits__point *p = &path->at[i];
        if (p->x < left) left = p->x;
        if (p->x > right) right = p->x;
        if (p->y < top) top = p->y;
        if (p->y > bottom) bottom = p->y;
    }
    longer = right - left > bottom - top ? right - left : bottom - top;
    for (int32_t i = 0; i < path->count; i++) {
        digits__point *p = &path->at[i];
        p->x = x + (2 * p->x - left - right) * size / (2 * longer);
        p->y = y + (2 * p->y - top - bottom) * size / (2 * longer);
    }
}

/* ---- ink -------------------------------------------------------------------------------- */

/* The square root, rounded down. */
static inline int32_t digits__root(uint32_t n)
{
    uint32_t root = 0;
    for (uint32_t bit = 1u << 30; bit; bit >>= 2) {
        uint32_t trial = root + bit;
        root >>= 1;
        if (n >= trial) n -= trial, root += bit;
    }
    return (int32_t)root;
}

/* The pixel that holds a coordinate, or the nearest in a row of n. */
static inline int32_t digits__pixel(int32_t at, int32_t n)
{
    return at < 0 ? 0 : at / 256 < n ? at / 256 : n - 1;
}

/* Inks the straight piece from a to b. With d a pixel's distance from it, r the radius of the pen
 * and e half the width of its soft edge, the ink is (r r + 2 r e - d d) / (4 r e): a half where
 * d = r, falling there with the slope of a ramp 2 e wide, and no root to take. */
static inline void digits__ink(uint8_t *pixels, digits__point a, digits__point b,
                               int32_t thickness)
{
    const int32_t edge = 110, dx = b.x - a.x, dy = b.y - a.y;
    const int32_t radius = thickness * (a.press + b.press) / 1024, reach = radius + edge;
    const int32_t rim = radius * radius + 2 * radius * edge;
    const int32_t left = digits__pixel((dx < 0 ? b.x : a.x) - reach, DIGITS_WIDTH);
    const int32_t right = digits__pixel((dx < 0 ? a.x : b.x) + reach, DIGITS_WIDTH);
    const int32_t top = digits__pixel((dy < 0 ? b.y : a.y) - reach, DIGITS_HEIGHT);
    const int32_t bottom = digits__pixel((dy < 0 ? a.y : b.y) + reach, DIGITS_HEIGHT);
    const int32_t length = digits__root((uint32_t)(dx * dx + dy * dy) * 64);    /* 1/2048 pixel */
    int32_t ux, uy;
    if (length == 0) return;
    ux = dx * 131072 / length, uy = dy * 131072 / length;   /* direction, 16384 long */
    for (int32_t y = top; y <= bottom; y++) {
        for (int32_t x = left; x <= right; x++) {
            int32_t px = x * 256 + 128 - a.x, py = y * 256 + 128 - a.y;
            int32_t along = (px * ux + py * uy) / 16384, across = (px * uy - py * ux) / 16384;
            int32_t over = along < 0 ? along : along > length / 8 ? along - length / 8 : 0;
            int32_t within = rim - across * across - over * over;
            if (within > 0) {
                uint8_t *pixel = &pixels[y * DIGITS_WIDTH + x];
                int32_t grey = within * 255 / (4 * radius * edge);
                if (grey > *pixel) *pixel = (uint8_t)(grey < 255 ? grey : 255);
            }
        }
    }
}

/* ---- images ----------------------------------------------------------------------------- */

/* Draws image `index` of the set `seed`.
 *
 *   pixels     (DIGITS_HEIGHT, DIGITS_WIDTH)  out, 0 black to 255 white
 *   factors    out, what it was drawn from; may be NULL
 *
 * Cannot fail. About 5 us. */
static inline void digits_draw(uint64_t seed, uint32_t index, uint8_t pixels[DIGITS_PIXELS],
                               digits_factors *factors)
{
    digits__dice dice = {{0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}, 0};
    digits__path path;
    digits_factors f;
    const char *shape;
    dice.key[0] = (uint32_t)(seed & 0xffffffffu);
    dice.key[1] = (uint32_t)(seed >> 32);
    dice.counter[1] = index;
    dice.counter[3] = 11u << 24;        /* purpose DIGITS */
    f.label = digits__below(&dice, DIGITS_CLASSES);
    f.slant = digits__bell(&dice, 33, 235);
    f.scale = digits__bell(&dice, 5050, 500);
    f.thickness = 360 + digits__below(&dice, 561);
    f.x = digits__bell(&dice, 0, 512);
    f.y = digits__bell(&dice, 0, 512);
    shape = digits__shapes[f.label][digits__below(&dice, 4)];
    digits__write(&path, &dice, shape, f.slant);
    digits__place(&path, f.scale - f.thickness, DIGITS_WIDTH * 128 + f.x,
                  DIGITS_HEIGHT * 128 + f.y);
    memset(pixels, 0, DIGITS_PIXELS);
    for (int32_t i = 1; i < path.count; i++)
        if (path.at[i].down) digits__ink(pixels, path.at[i - 1], path.at[i], f.thickness);
    if (factors) *factors = f;
}

/* Draws the images first, first + 1, ..., first + count - 1.
 *
 *   pixels     (count, DIGITS_HEIGHT, DIGITS_WIDTH)  out
 *   labels     (count)  out, 0 to 9; may be NULL */
static inline void digits_fill(uint64_t seed, uint32_t first, size_t count, uint8_t *pixels,
                               uint8_t *labels)
{
    for (size_t i = 0; i < count; i++) {
        digits_factors f;
        digits_draw(seed, first + (uint32_t)i, pixels + i * DIGITS_PIXELS, &f);
        if (labels) labels[i] = (uint8_t)f.label;
    }
}

#endif /* DIGITS_H */
