/* figures.h: figures for examples and tools: scatter plots, curves, bars, heat maps, images.
 *
 *   figure_new        an empty white canvas with a title and a note
 *   figure_panel      which part of it the next calls draw in: fractions from 0 to 1, and a title
 *   figure_axes       axes with ticks and labels; then, in any order:
 *   figure_scatter      points by class: each class has a shape and a colour
 *   figure_curve        a line through points, with a name for the legend
 *   figure_bars         one of several series of bars
 *   figure_names        words in place of the numbers 0, 1, 2 ... along the x axis
 *   figure_heat         a table of numbers as colours, with their scale
 *   figure_rule         a dashed line at one value of y, with a name
 *   figure_legend       the names so far, in a corner or beside the axes
 *   figure_images     a sheet of images with names above, beside and below (needs no axes)
 *   figure_text       words anywhere; figure_text_width tells how wide they are
 *   figure_range      limits of an axis from numbers
 *   figure_save       writes a PNG, makes the folders of its path, ends the figure
 *   figure_free       ends it without a file
 *
 *     figure *f = figure_new(640, 400, "Loss by epoch", "seed 1");
 *     figure_panel(f, 0, 0, 1, 1, NULL);
 *     figure_axes(f, "epoch", 1, 10, "nats per image", 100, 200, FIGURE_LOG_Y);
 *     figure_curve(f, epochs, loss, 10, "training");
 *     figure_legend(f, FIGURE_TOP_RIGHT);
 *     error = figure_save(f, "out/examples/loss.png");        NULL, or what went wrong
 *
 * Without memory figure_new gives NULL; every call then does nothing, and figure_save says so. The
 * canvas is figure.rgb (height, width, 3): picture_png makes a PNG of it in memory, figure_free
 * ends it. Texts are UTF-8: ASCII, FIGURE_MU and the other letters below. Names for the legend must
 * live until it is drawn. Colours are those of Okabe and Ito, which colour-blind people can tell
 * apart, and no meaning is carried by colour alone. C99 and C++11, the C library without libm;
 * include picture.h before it. */

#ifndef FIGURES_H
#define FIGURES_H

#ifndef PICTURE_H
#error "include picture.h before figures.h"
#endif

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "files.h"

#define FIGURE_ALPHA "\xce\xb1"
#define FIGURE_BETA "\xce\xb2"
#define FIGURE_EPSILON "\xce\xb5"
#define FIGURE_LAMBDA "\xce\xbb"
#define FIGURE_MU "\xce\xbc"
#define FIGURE_SIGMA "\xcf\x83"
#define FIGURE_TIMES "\xc3\x97"
#define FIGURE_PLUS_MINUS "\xc2\xb1"
#define FIGURE_SQUARED "\xc2\xb2"

enum { /* flags of figure_axes */
    FIGURE_LOG_X = 1,       /* logarithmic; limits above 0 */
    FIGURE_LOG_Y = 2,
    FIGURE_EQUAL = 4,       /* a unit is as long along x as along y */
    FIGURE_NO_X = 8,        /* no ticks and numbers along x */
    FIGURE_NO_Y = 16,
    FIGURE_ROOM = 32,       /* leave room at the right for a scale or a legend */
    FIGURE_NO_GRID = 64
};

typedef enum figure_place {
    FIGURE_TOP_LEFT, FIGURE_TOP_RIGHT, FIGURE_BOTTOM_LEFT, FIGURE_BOTTOM_RIGHT,
    FIGURE_BESIDE           /* to the right of axes with FIGURE_ROOM */
} figure_place;

enum { FIGURE__SERIES = 16, FIGURE__LINE, FIGURE__POINTS, FIGURE__BARS };

typedef struct figure {
    int width, height;
    uint8_t *rgb;           /* (height, width, 3) */
    uint8_t *mask;          /* (height, width) how much of a pixel the present shape covers */
    int dirty[4];           /* where the mask may not be 0: left, top, right, bottom */
    double clip[4];         /* nothing is drawn outside: left, top, right, bottom */
    double body[4];         /* what title and note leave */
    double panel[4];
    double box[4];          /* inside the axes */
    double x[2], y[2];      /* their limits; logarithms of them on log scales */
    int flags, series;
    int heat;               /* the axes hold a table of colours: marks get a white edge */
    const char *name[FIGURE__SERIES];
    int kind[FIGURE__SERIES];
} figure;

/* ---- numbers, without libm --------------------------------------------------------------- */

static inline double figure__root(double x)
{
    double r = x > 1 ? x : 1;
    if (!(x > 0)) return 0;
    while (r * r > 4 * x) r *= 0.5;     /* within a factor of 2, then Newton */
    for (int i = 0; i < 5; i++) r = 0.5 * (r + x / r);
    return r;
}

/* The logarithm to base 10, within 1e-12; from -300 to 300. */
static inline double figure__log(double x)
{
    double twos = 0, s, power, sum = 0;
    if (!(x > 1e-300)) return -300;
    if (!(x < 1e300)) return 300;
    while (x > 1.4142135623730951) x *= 0.5, twos++;
    while (x < 0.70710678118654752) x *= 2, twos--;
    s = (x - 1) / (x + 1), power = s;
    for (int k = 1; k < 26; k += 2, power *= s * s) sum += power / k;
    return (twos * 0.69314718055994531 + 2 * sum) * 0.43429448190325183;
}

static inline double figure__power10(int n)
{
    double x = 1;
    for (; n > 0; n--) x *= 10;
    for (; n < 0; n++) x /= 10;
    return x;
}

/* Rounded down; within an int, whatever x is. */
static inline int figure__floor(double x)
{
    if (!(x > -1e9)) return -1000000000; /* NaN too */
    return x < 1e9 ? (int)x - ((double)(int)x > x) : 1000000000;
}
static inline double figure__min(double a, double b) { return a < b ? a : b; }
static inline double figure__max(double a, double b) { return a > b ? a : b; }

/* ---- ink --------------------------------------------------------------------------------- */

/* All that is drawn is a path of round strokes. They go into the mask, where strokes of one shape
 * that overlap do not add up; figure__ink then colours what the mask covers, and clears it. */
static inline void figure__stroke(figure *f, double x0, double y0, double x1, double y1, double r)
{
    double dx = x1 - x0, dy = y1 - y0, length2 = dx * dx + dy * dy, reach = r + 1;
    int left = figure__floor(figure__max(figure__min(x0, x1) - reach, f->clip[0]));
    int top = figure__floor(figure__max(figure__min(y0, y1) - reach, f->clip[1]));
    int right = figure__floor(figure__min(figure__max(x0, x1) + reach, f->clip[2]));
    int bottom = figure__floor(figure__min(figure__max(y0, y1) + reach, f->clip[3]));
    if (right >= f->width) right = f->width - 1;
    if (bottom >= f->height) bottom = f->height - 1;
    for (int y = top; y <= bottom; y++) {
        for (int x = left; x <= right; x++) {
            double px = x + 0.5 - x0, py = y + 0.5 - y0, t, ex, ey, cover;
            t = length2 > 0 ? (px * dx + py * dy) / length2 : 0;
            t = t < 0 ? 0 : t > 1 ? 1 : t;
            ex = px - t * dx, ey = py - t * dy;
            if (ex * ex + ey * ey >= (r + 0.5) * (r + 0.5)) continue;
            cover = (r + 0.5 - figure__root(ex * ex + ey * ey)) * 255;
            if (cover > 255) cover = 255;
            if (cover > f->mask[y * f->width + x]) f->mask[y * f->width + x] = (uint8_t)cover;
        }
    }
    if (left < f->dirty[0]) f->dirty[0] = left;
    if (top < f->dirty[1]) f->dirty[1] = top;
    if (right > f->dirty[2]) f->dirty[2] = right;
    if (bottom > f->dirty[3]) f->dirty[3] = bottom;
}

/* Colours are 0xrrggbb. */
static inline void figure__blend(figure *f, int x, int y, uint32_t colour, double share)
{
    uint8_t *p = f->rgb + ((size_t)y * (size_t)f->width + (size_t)x) * 3;
    for (int c = 0; c < 3; c++) {
        double ink = (double)(colour >> (16 - 8 * c) & 255);
        p[c] = (uint8_t)(p[c] + (ink - p[c]) * share + (ink > p[c] ? 0.5 : 0.499));
    }
}

static inline void figure__ink(figure *f, uint32_t colour, double share)
{
    for (int y = f->dirty[1]; y <= f->dirty[3]; y++)
        for (int x = f->dirty[0]; x <= f->dirty[2]; x++) {
            uint8_t *m = &f->mask[y * f->width + x];
            if (*m) figure__blend(f, x, y, colour, *m / 255.0 * share), *m = 0;
        }
    f->dirty[0] = f->width, f->dirty[1] = f->height, f->dirty[2] = f->dirty[3] = -1;
}

/* Whole pixels whose centres lie in the rectangle. */
static inline void figure__fill(figure *f, double left, double top, double right, double bottom,
                                uint32_t colour, double share)
{
    int x0 = figure__floor(figure__max(left, f->clip[0]) + 0.5);
    int y0 = figure__floor(figure__max(top, f->clip[1]) + 0.5);
    int x1 = figure__floor(figure__min(right, f->clip[2]) + 0.5);
    int y1 = figure__floor(figure__min(bottom, f->clip[3]) + 0.5);
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++) figure__blend(f, x, y, colour, share);
}

static inline void figure__clip(figure *f, const double *box)
{
    const double all[4] = {0, 0, (double)f->width, (double)f->height};
    for (int i = 0; i < 4; i++) f->clip[i] = box ? box[i] : all[i];
}

/* ---- font -------------------------------------------------------------------------------- */

/* A letter is a path: its points are a column, 0 to 9, and a row, a to m. Capitals stand from a to
 * j, small letters from d; m is the lowest row. A row written as a capital marks a point that pulls
 * a curve from the point before to the point behind; a blank lifts the pen. At size 1 a row is a
 * pixel, so that straight strokes are sharp. */
static const char *const figure__ascii[95] = {
    "", "0a0g 0j0j", "0a0c 2a2c", "2a1j 5a4j 0d6d 0g6g",                        /* space ! " # */
    "5c5A3a2a0A0c0E2e3e5E5g5J3j2j0J0h 2a2k",                                    /* $ */
    "0j7a 1a0A0c0D1d2D2c2A1a 6g5G5h5J6j7J7h7G6g",                               /* % */
    "6j1c1A3a4A4c0F0h0J2j5J6f", "0a0c", "2a0C0e0f0H2k", "0a2C2e2f2H0k",         /* & ' ( ) */
    "2b2f 0c4e 4c0e", "3d3j 0g6g", "1j0l", "0g4g", "0j0j", "0k4a",              /* * + , - . / */
    "2a0A0d0g0J2j3j5J5g5d5A3a2a", "1c3a3j 1j5j", "0c0A2a3a5A5c5d5E0j5j",        /* 0 1 2 */
    "0c0A2a3a5A5c5E3e2e 3e5E5g5J3j2j0J0h", "4j4a0g5g",                             /* 3 4 */
    "5a0a0d3d5D5f5g5J3j2j0J0h",                                                    /* 5 */
    "4a0A0e0g0J2j3j5J5g5f5D3d2d0D0f", "0a5a2j",                                 /* 6 7 */
    "2a0A0c0E2e3e5E5g5J3j2j0J0g0E2e 3e5E5c5A3a2a", "1j5J5f5d5A3a2a0A0d0e0G2g3g5G5e", /* 8 9 */
    "0f0f 0j0j", "1f1f 1j0l", "5d0g5j", "0e5e 0h5h", "0d5g0j",                  /* : ; < = > */
    "0c0A2a4A4c4D2f2g 2j2j", "5d4d2D2f4F5d5f7f7d7A4a3a0A0e0J4j6j",              /* ? @ */
    "0j3a6j 1g5g", "0a0j3j5J5g5E3e0e 0a3a5A5c5E3e", "5c5A3a2a0A0d0g0J2j3j5J5h", /* A B C */
    "0a0j2j5J5f5e5A2a0a", "5a0a0j5j 0e4e", "5a0a0j 0e4e",                       /* D E F */
    "5c5A3a2a0A0d0g0J2j3j5J5g5f3f", "0a0j 5a5j 0e5e", "1a1j 0a2a 0j2j",         /* G H I */
    "4a4g4J2j0J0g", "0a0j 5a0f 2d5j", "0a0j4j", "0j0a3f6a6j", "0j0a5j5a",       /* J K L M N */
    "2a0A0d0g0J2j4j6J6g6d6A4a2a", "0j0a3a5A5c5F3f0f",                           /* O P */
    "2a0A0d0g0J2j4j6J6g6d6A4a2a 4g6k", "0j0a3a5A5c5F3f0f 2f5j",                 /* Q R */
    "5c5A3a2a0A0c0E2e3e5E5g5J3j2j0J0h", "0a6a 3a3j", "0a0g0J2j3j5J5g5a",        /* S T U */
    "0a3j6a", "0a2j4c6j8a", "0a6j 6a0j", "0a3e6a 3e3j", "0a5a0j5j",             /* V W X Y Z */
    "2a0a0k2k", "0a4k", "0a2a2k0k", "0c2a4c", "0k6k", "0a1b",                   /* [ \ ] ^ _ ` */
    "0e0D2d4D4f4j 4f2f0F0h0J2j4J4h", "0a0j 0f0D2d4D4f4g4J2j0J0g",               /* a b */
    "4e4D2d0D0f0g0J2j4J4h", "4a4j 4f4D2d0D0f0g0J2j4J4g",                        /* c d */
    "0g4g4f4D2d0D0f0g0J2j4J4i", "3a1A1c1j 0d3d",                                /* e f */
    "4d4k4M2m0M0l 4f4D2d0D0f0g0J2j4J4g", "0a0j 0f0D2d4D4f4j", "0d0j 0a0a",      /* g h i */
    "1d1k1M0m 1a1a", "0a0j 4d0g 1f4j", "0a0h0J1j",                              /* j k l */
    "0d0j 0f0D1d3D3f3j 3f3D4d6D6f6j", "0d0j 0f0D2d4D4f4j",                      /* m n */
    "2d0D0f0g0J2j4J4g4f4D2d", "0d0m 0f0D2d4D4f4g4J2j0J0g",                      /* o p */
    "4d4m 4f4D2d0D0f0g0J2j4J4g", "0d0j 0f0D2d3d", "4e4D2d0D0e0G2g4G4i4J2j0J0i", /* q r s */
    "1b1h1J3j 0d3d", "0d0g0J2j4J4g 4d4j", "0d2j4d", "0d1j3e5j6d", "0d4j 4d0j",  /* t u v w x */
    "0d2j 4d1m", "0d4d0j4j", "2a1A1d1F0f1F1h1K2k", "0a0k", "0a1A1d1F2f1F1h1K0k", /* y z { | } */
    "0g1E3g5I6g"                                                                /* ~ */
};

static const struct {
    uint32_t code;
    const char *path;
} figure__others[] = {
    {0x3b1, "5d4J2j0J0g0f0D2d4D5j"}, {0x3b2, "0m0c0A2a4A4c4E2e1e 2e4E4g4J2j0J0h"},
    {0x3b5, "4e4D2d0D0e0G2g3g 2g0G0i0J2j4J4i"}, {0x3bb, "0a2A2d4j 2d0j"},
    {0x3bc, "0d0m 0g0J2j4J4g 4d4j"}, {0xb5, "0d0m 0g0J2j4J4g 4d4j"},
    {0x3c3, "5d2d0D0f0g0J2j4J4g4f4D2d"}, {0xd7, "0e4i 4e0i"}, {0xb1, "2c2i 0f4f 0j4j"},
    {0xb2, "0b0A1a3A3b0e3e"}, {0xb7, "0g0g"}, {0x2212, "0g5g"}, {0x2192, "0g7g 5e7g5i"}
};

/* The path of the letter at *text, which then stands behind it. */
static inline const char *figure__letter(const char **text)
{
    const unsigned char *t = (const unsigned char *)*text;
    uint32_t code = *t++;
    int more = code >= 0xf0 ? 3 : code >= 0xe0 ? 2 : code >= 0xc0 ? 1 : 0;
    if (more) code &= 0x3fu >> more;
    for (; more > 0 && (*t & 0xc0) == 0x80; more--) code = code << 6 | (*t++ & 0x3f);
    *text = (const char *)t;
    if (code >= 32 && code < 127) return figure__ascii[code - 32];
    for (size_t i = 0; i < sizeof figure__others / sizeof *figure__others; i++)
        if (figure__others[i].code == code) return figure__others[i].path;
    return "0a5a5j0j0a";
}

static inline int figure__path_width(const char *path)
{
    int wide = *path ? 0 : 2;
    for (; *path; path += path[0] == ' ' ? 1 : 2)
        if (*path != ' ' && *path - '0' > wide) wide = *path - '0';
    return wide;
}

/* A path into the mask, its (0, a) at (x, y), turned left by a quarter when `up`. */
static inline void figure__path(figure *f, const char *path, double x, double y, double size,
                                double r, int up)
{
    double at[3][2] = {{0, 0}, {0, 0}, {0, 0}}; /* where the pen is, what pulls it, where it goes */
    int begun = 0, pulled = 0;
    for (; *path; path += path[0] == ' ' ? 1 : 2) {
        int row = path[1], pulls = row >= 'A' && row <= 'Z';
        double px, py;
        if (*path == ' ') { begun = 0; continue; }
        px = (path[0] - '0') * size, py = (row - (pulls ? 'A' : 'a')) * size;
        at[2][0] = up ? x + py : x + px, at[2][1] = up ? y - px : y + py;
        if (!begun) {
            at[0][0] = at[2][0], at[0][1] = at[2][1];
            figure__stroke(f, at[0][0], at[0][1], at[0][0], at[0][1], r);
            begun = 1, pulled = 0;
        } else if (pulls) {
            at[1][0] = at[2][0], at[1][1] = at[2][1], pulled = 1;
        } else {
            int pieces = pulled ? 5 : 1;
            double from[2] = {at[0][0], at[0][1]};
            for (int i = 1; i <= pieces; i++) {
                double t = (double)i / pieces, to[2];
                for (int k = 0; k < 2; k++)
                    to[k] = !pulled ? at[2][k] : (1 - t) * (1 - t) * at[0][k]
                          + 2 * t * (1 - t) * at[1][k] + t * t * at[2][k];
                figure__stroke(f, from[0], from[1], to[0], to[1], r);
                from[0] = to[0], from[1] = to[1];
            }
            at[0][0] = at[2][0], at[0][1] = at[2][1], pulled = 0;
        }
    }
}

/* How wide a text is at a size, in pixels. At size 1 capitals are ten pixels high, lines 17. */
static inline double figure_text_width(const char *text, double size)
{
    double wide = 0;
    while (text && *text) wide += figure__path_width(figure__letter(&text)) + 3;
    return wide > 0 ? (wide - 2) * size : 0;
}

/* A text whose baseline is at y. `align`: 0 it begins at x, 0.5 its middle is there, 1 it ends
 * there. `up`: it is read from below, its baseline is at x, and `align` is along y. */
static inline void figure__write(figure *f, double x, double y, const char *text, double size,
                                 double align, uint32_t colour, double r, int up)
{
    double shift = align * figure_text_width(text, size);
    if (up) y += shift, x -= 9 * size;
    else x -= shift, y -= 9 * size;
    x = figure__floor(x) + 0.5, y = figure__floor(y) + 0.5;
    while (text && *text) {
        const char *path = figure__letter(&text);
        double step = (figure__path_width(path) + 3) * size;
        figure__path(f, path, x, y, size, r, up);
        if (up) y -= step;
        else x += step;
    }
    figure__ink(f, colour, 1);
}

static inline void figure_text(figure *f, double x, double y, double size, double align,
                               const char *text)
{
    if (!f) return;
    figure__clip(f, NULL);
    figure__write(f, x, y, text, size, align, 0x222222, 0.6 * figure__max(1, size * 0.9), 0);
}

/* ---- canvas ------------------------------------------------------------------------------ */

static inline void figure_free(figure *f)
{
    if (!f) return;
    free(f->rgb);
    free(f->mask);
    free(f);
}

/* The title stands at the top in large letters, the note at the bottom in grey ones: say there how
 * the figure was made. Either may be NULL. */
static inline figure *figure_new(int width, int height, const char *title, const char *note)
{
    figure *f = (figure *)calloc(1, sizeof *f);
    const size_t pixels = width > 0 && height > 0 && width <= 8192 && height <= 8192
                        ? (size_t)width * (size_t)height : 0;
    if (!f) return NULL;
    f->width = width, f->height = height;
    f->rgb = pixels ? (uint8_t *)malloc(pixels * 3) : NULL;
    f->mask = pixels ? (uint8_t *)calloc(pixels, 1) : NULL;
    if (!f->rgb || !f->mask) {
        figure_free(f);
        return NULL;
    }
    memset(f->rgb, 255, pixels * 3);
    figure__clip(f, NULL);
    figure__ink(f, 0, 0);
    if (title) figure__write(f, 14, 28, title, 1.3, 0, 0x111111, 1.0, 0);
    if (note) figure__write(f, 14, height - 11, note, 1, 0, 0x555555, 0.6, 0);
    f->body[0] = 4, f->body[1] = title ? 38 : 4;
    f->body[2] = width - 4, f->body[3] = height - (note ? 28 : 4);
    memcpy(f->panel, f->body, sizeof f->panel);
    return f;
}

/* Fractions of what title and note leave; y grows downwards. */
static inline void figure_panel(figure *f, double left, double top, double right, double bottom,
                                const char *title)
{
    double wide, high;
    if (!f) return;
    wide = f->body[2] - f->body[0], high = f->body[3] - f->body[1];
    f->panel[0] = f->body[0] + left * wide + 6, f->panel[1] = f->body[1] + top * high + 4;
    f->panel[2] = f->body[0] + right * wide - 6, f->panel[3] = f->body[1] + bottom * high - 4;
    f->series = f->heat = 0;
    figure__clip(f, NULL);
    if (!title) return;
    figure__write(f, (f->panel[0] + f->panel[2]) / 2, f->panel[1] + 13, title, 1, 0.5, 0x111111,
                  0.8, 0);
    f->panel[1] += 22;
}

/* Makes the folders of the path that are not there. */
static inline void figure__folders(const char *path)
{
    char part[1000];
    for (size_t i = 1; path[0] && path[i] && i < sizeof part; i++) {
        if (!files_slash(path[i])) continue;
        memcpy(part, path, i);
        part[i] = 0;
        (void)files_make_folder(part);
    }
}

/* Writes the figure as a PNG and ends it. Returns NULL, or what went wrong. */
static inline const char *figure_save(figure *f, const char *path)
{
    const char *error;
    if (!f) return "figure: out of memory, or a side is not 1 to 8192 pixels";
    figure__folders(path);
    error = picture_save_png(path, f->rgb, f->width, f->height, 3);
    figure_free(f);
    return error;
}

/* ---- axes -------------------------------------------------------------------------------- */

static inline void figure__label(double value, int log, char *text, size_t size)
{
    double ten = figure__log(value > 0 ? value : 1) + 1e-9;
    if (log && value > 0 && (ten > 4.5 || ten < -3.5)) {
        int n = figure__floor(ten), m = (int)(value / figure__power10(n) + 0.5);
        if (m == 1) snprintf(text, size, "1e%d", n);
        else snprintf(text, size, "%de%d", m, n);
    } else snprintf(text, size, "%.6g", value);
}

enum { FIGURE__TICKS = 64 };

/* Where an axis has ticks: as many round numbers as leave room for the labels; how many. */
static inline int figure__ticks(const double limits[2], double pixels, int log, int across,
                                double *ticks)
{
    double low = limits[0], high = limits[1], span = high - low;
    int n = 0;
    if (log) {
        const int dense = span < 3.2, bottom = figure__floor(low), top = figure__floor(high) + 1;
        for (int e = bottom; e <= top; e++)
            for (int m = 1; m < 10; m++) {
                double v = figure__power10(e) * m, at = figure__log(v);
                if (m > 1 && !(span < 0.9 || (dense && (m == 2 || m == 5)))) continue;
                if (at < low - 1e-9 || at > high + 1e-9 || n == FIGURE__TICKS) continue;
                ticks[n++] = v;
            }
        return n;
    }
    for (int e = figure__floor(figure__log(span)) - 2;; e++) {
        const double steps[3] = {1, 2, 5};
        for (int k = 0; k < 3; k++) {
            double step = figure__power10(e) * steps[k], first, wide = 0;
            if (span / step > 12) continue;
            first = -figure__floor(1e-9 - low / step); /* rounded up */
            for (n = 0; n < FIGURE__TICKS && (first + n) * step <= high + 1e-9 * span; n++) {
                char text[40];
                ticks[n] = first + n == 0 ? 0 : (first + n) * step;
                figure__label(ticks[n], 0, text, sizeof text);
                wide = figure__max(wide, across ? figure_text_width(text, 1) + 14 : 24);
            }
            if (step / span * pixels >= wide || n < 2) return n;
        }
    }
}

static inline double figure__x(const figure *f, double x)
{
    if (f->flags & FIGURE_LOG_X) x = figure__log(x);
    return f->box[0] + (x - f->x[0]) / (f->x[1] - f->x[0]) * (f->box[2] - f->box[0]);
}

static inline double figure__y(const figure *f, double y)
{
    if (f->flags & FIGURE_LOG_Y) y = figure__log(y);
    return f->box[3] - (y - f->y[0]) / (f->y[1] - f->y[0]) * (f->box[3] - f->box[1]);
}

/* Ticks and numbers of the x axis (which = 0) or the y axis; returns the width of the widest
 * number. With `draw` of 0 it measures only. */
static inline double figure__axis(figure *f, int which, int draw)
{
    double ticks[FIGURE__TICKS], widest = 0, behind = -1e9;
    const double *limits = which ? f->y : f->x;
    const int log = (f->flags & (which ? FIGURE_LOG_Y : FIGURE_LOG_X)) != 0;
    const double pixels = which ? f->box[3] - f->box[1] : f->box[2] - f->box[0];
    const int n = figure__ticks(limits, pixels, log, !which, ticks);
    for (int i = 0; i < n; i++) {
        char text[40];
        double wide, at;
        figure__label(ticks[i], log, text, sizeof text);
        wide = figure_text_width(text, 1);
        if (wide > widest) widest = wide;
        if (!draw) continue;
        at = figure__floor(which ? figure__y(f, ticks[i]) : figure__x(f, ticks[i])) + 0.5;
        if (which) {
            if (!(f->flags & FIGURE_NO_GRID)) figure__stroke(f, f->box[0], at, f->box[2], at, 0.5);
            figure__ink(f, 0xe6e6e6, 1);
            figure__stroke(f, f->box[0] - 4, at, f->box[0], at, 0.5);
            figure__ink(f, 0x444444, 1);
            if (-at - 8 < behind + 6) continue;
            figure__write(f, f->box[0] - 8, at + 5, text, 1, 1, 0x333333, 0.6, 0);
            behind = -at + 8;
        } else {
            if (!(f->flags & FIGURE_NO_GRID)) figure__stroke(f, at, f->box[1], at, f->box[3], 0.5);
            figure__ink(f, 0xe6e6e6, 1);
            figure__stroke(f, at, f->box[3], at, f->box[3] + 4, 0.5);
            figure__ink(f, 0x444444, 1);
            if (at - wide / 2 < behind + 8) continue;
            figure__write(f, at, f->box[3] + 19, text, 1, 0.5, 0x333333, 0.6, 0);
            behind = at + wide / 2;
        }
    }
    return widest;
}

static inline void figure__frame(figure *f, const double *box, uint32_t colour)
{
    double x0 = figure__floor(box[0]) + 0.5, y0 = figure__floor(box[1]) + 0.5;
    double x1 = figure__floor(box[2]) + 0.5, y1 = figure__floor(box[3]) + 0.5;
    figure__stroke(f, x0, y0, x1, y0, 0.5), figure__stroke(f, x0, y1, x1, y1, 0.5);
    figure__stroke(f, x0, y0, x0, y1, 0.5), figure__stroke(f, x1, y0, x1, y1, 0.5);
    figure__ink(f, colour, 1);
}

/* Axes that fill the panel. Labels may be NULL. */
static inline void figure_axes(figure *f, const char *x_label, double x0, double x1,
                               const char *y_label, double y0, double y1, int flags)
{
    if (!f) return;
    f->flags = flags, f->series = 0;
    figure__clip(f, NULL);
    f->x[0] = flags & FIGURE_LOG_X ? figure__log(x0) : x0;
    f->x[1] = flags & FIGURE_LOG_X ? figure__log(x1) : x1;
    f->y[0] = flags & FIGURE_LOG_Y ? figure__log(y0) : y0;
    f->y[1] = flags & FIGURE_LOG_Y ? figure__log(y1) : y1;
    if (!(f->x[1] > f->x[0] && f->x[1] - f->x[0] < 1e300)) f->x[0] = 0, f->x[1] = 1;
    if (!(f->y[1] > f->y[0] && f->y[1] - f->y[0] < 1e300)) f->y[0] = 0, f->y[1] = 1;
    memcpy(f->box, f->panel, sizeof f->box);
    f->box[1] += 8, f->box[2] -= flags & FIGURE_ROOM ? 96 : 14;
    f->box[3] -= 8 + (flags & FIGURE_NO_X ? 14 : 16) + (x_label ? 19 : 0);
    f->box[0] += 12 + (y_label ? 22 : 0);
    if (!(flags & FIGURE_NO_Y)) f->box[0] += figure__axis(f, 1, 0);
    if (flags & FIGURE_EQUAL) {
        double wide = f->box[2] - f->box[0], high = f->box[3] - f->box[1];
        double unit = figure__min(wide / (f->x[1] - f->x[0]), high / (f->y[1] - f->y[0]));
        double spare = wide - unit * (f->x[1] - f->x[0]);
        f->box[0] += spare / 2, f->box[2] -= spare / 2;
        spare = high - unit * (f->y[1] - f->y[0]);
        f->box[1] += spare / 2, f->box[3] -= spare / 2;
    }
    for (int i = 0; i < 4; i++) f->box[i] = figure__floor(f->box[i]);
    if (x_label)
        figure__write(f, (f->box[0] + f->box[2]) / 2, f->box[3] + (flags & FIGURE_NO_X ? 35 : 38),
                      x_label, 1, 0.5, 0x222222, 0.6, 0);
    if (y_label) {
        double wide = flags & FIGURE_NO_Y ? 0 : figure__axis(f, 1, 0);
        figure__write(f, f->box[0] - wide - 18, (f->box[1] + f->box[3]) / 2, y_label, 1, 0.5,
                      0x222222, 0.6, 1);
    }
    if (!(flags & FIGURE_NO_X)) figure__axis(f, 0, 1);
    if (!(flags & FIGURE_NO_Y)) figure__axis(f, 1, 1);
    figure__frame(f, f->box, 0x888888);
}

/* Limits that hold values[0], values[stride], ..., and `margin` of their span on each side. */
static inline void figure_range(const float *values, size_t count, size_t stride, double margin,
                                double limits[2])
{
    limits[0] = limits[1] = count ? (double)values[0] : 0;
    for (size_t i = 1; i < count; i++) {
        limits[0] = figure__min(limits[0], (double)values[i * stride]);
        limits[1] = figure__max(limits[1], (double)values[i * stride]);
    }
    margin *= limits[1] > limits[0] ? limits[1] - limits[0] : 1;
    limits[0] -= margin, limits[1] += margin;
}

/* ---- what stands in axes ----------------------------------------------------------------- */

static inline uint32_t figure__colour(int series)
{
    static const uint32_t colours[10] = {0x0072b2, 0xd55e00, 0x009e73, 0xcc79a7, 0xe69f00,
                                         0x56b4e9, 0x222222, 0x999933, 0x882255, 0x777777};
    return colours[series % 10];
}

/* The mark of a class or curve, 2 * `half` pixels high. */
static inline void figure__mark(figure *f, int series, double x, double y, double half,
                                double share)
{
    static const char *const marks[10] = {
        "3d3d", "3a0A0d0G3g6G6d6A3a", "3a6g0g3a", "1b5b5f1f1b", "0a6g 6a0g", "3a3g 0d6d",
        "0a6a3g0a", "3a6d3g0d3a", "3a3g 0b6f 6b0f", "0d6d"};
    const double size = half / 3, r = series % 10 ? 0.65 : half * 0.75;
    if (f->heat) {
        figure__path(f, marks[series % 10], x - half, y - half, size, r + 1, 0);
        figure__ink(f, 0xffffff, share);
    }
    figure__path(f, marks[series % 10], x - half, y - half, size, r, 0);
    figure__ink(f, figure__colour(series), share);
}

/* One more name for the legend; its number. */
static inline int figure__join(figure *f, const char *name, int kind)
{
    int series = f->series < FIGURE__SERIES ? f->series++ : FIGURE__SERIES - 1;
    f->name[series] = name, f->kind[series] = kind;
    return series;
}

/* A straight dashed line; the dashes differ by series. `walked` is carried on. */
static inline void figure__dash(figure *f, double x0, double y0, double x1, double y1, double r,
                                int series, double *walked)
{
    static const double dashes[4][4] = {{1, 0, 0, 0}, {8, 5, 8, 5}, {2, 4, 2, 4}, {10, 4, 2, 4}};
    const double *d = dashes[series % 4];
    const double length = figure__root((x1 - x0) * (x1 - x0) + (y1 - y0) * (y1 - y0));
    double at = 0, period = d[0] + d[1] + d[2] + d[3];
    if (series % 4 == 0 || !(length < 1e5)) {
        figure__stroke(f, x0, y0, x1, y1, r);
        return;
    }
    while (at < length) {
        double phase = *walked - period * figure__floor(*walked / period), end = 0, step;
        int k = 0;
        while (end += d[k], phase >= end && k < 3) k++;
        step = figure__max(figure__min(end - phase, length - at), 1e-6);
        if (k % 2 == 0)
            figure__stroke(f, x0 + (x1 - x0) * at / length, y0 + (y1 - y0) * at / length,
                           x0 + (x1 - x0) * (at + step) / length,
                           y0 + (y1 - y0) * (at + step) / length, r);
        at += step, *walked += step;
    }
}

/* A line through (x[i], y[i]), with marks when it has at most 40 points. The name may be NULL. */
static inline void figure_curve(figure *f, const double *x, const double *y, int count,
                                const char *name)
{
    double walked = 0;
    int series;
    if (!f) return;
    series = figure__join(f, name, FIGURE__LINE);
    figure__clip(f, f->box);
    for (int i = 1; i < count; i++)
        figure__dash(f, figure__x(f, x[i - 1]), figure__y(f, y[i - 1]), figure__x(f, x[i]),
                     figure__y(f, y[i]), 0.9, series, &walked);
    figure__ink(f, figure__colour(series), 1);
    figure__clip(f, NULL);
    for (int i = 0; i < count && count <= 40; i++) {
        double px = figure__x(f, x[i]), py = figure__y(f, y[i]);
        if (px > f->box[0] - 1 && px < f->box[2] + 1 && py > f->box[1] - 1 && py < f->box[3] + 1)
            figure__mark(f, series, px, py, 3.5, 1);
    }
}

/* Points (xy[i * stride], xy[i * stride + 1]).
 *
 *   labels   (count)    class of each, 0 to classes - 1; NULL: all are of class 0
 *   names    (classes)  for the legend; NULL: "0" to "9" */
static inline void figure_scatter(figure *f, const float *xy, size_t count, size_t stride,
                                  const int32_t *labels, int classes, const char *const *names)
{
    static const char *const digits[10] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
    const double half = count > 1000 ? 2.6 : 3.2, share = count > 1000 ? 0.75 : 0.9;
    int first;
    if (!f) return;
    first = f->series;
    for (int c = 0; c < classes; c++)
        figure__join(f, names ? names[c] : classes > 1 ? digits[c % 10] : NULL, FIGURE__POINTS);
    figure__clip(f, f->box);
    for (size_t i = 0; i < count; i++) {
        const int label = labels ? (int)labels[i] : 0;
        if (label < 0 || label >= classes) continue;
        figure__mark(f, first + label, figure__x(f, (double)xy[i * stride]),
                     figure__y(f, (double)xy[i * stride + 1]), half, share);
    }
    figure__clip(f, NULL);
}

/* A bar of series `which`: dark, light with lines, or white with a frame. */
static inline void figure__bar(figure *f, int series, const double *box)
{
    static const double shares[3] = {0.95, 0.35, 0.1};
    figure__fill(f, box[0], box[1], box[2], box[3], figure__colour(series), shares[series % 3]);
    if (series % 3 == 1) {
        double old[4];
        memcpy(old, f->clip, sizeof old);
        figure__clip(f, box);
        for (double x = box[0] - (box[3] - box[1]); x < box[2]; x += 7)
            figure__stroke(f, x, box[3], x + box[3] - box[1], box[1], 0.5);
        figure__ink(f, figure__colour(series), 1);
        memcpy(f->clip, old, sizeof old);
    }
    figure__frame(f, box, figure__colour(series));
}

/* Bars from the bottom of the axes (from 0, if that is within) to values[i], at x = i. The limits
 * of x should be -0.6 and count - 0.4. Of several series beside each other this is number `which`,
 * from 0, of `of`. `format`, such as "%.2f", writes each value over its bar; it may be NULL. */
static inline void figure_bars(figure *f, const double *values, int count, int which, int of,
                               const char *format, const char *name)
{
    int series;
    if (!f) return;
    series = figure__join(f, name, FIGURE__BARS);
    for (int i = 0; i < count; i++) {
        double wide = 0.8 / of, x = i - 0.4 + which * wide, box[4];
        double zero = !(f->flags & FIGURE_LOG_Y) && f->y[0] < 0 ? figure__y(f, 0) : f->box[3];
        double at = figure__max(f->box[1], figure__min(f->box[3], figure__y(f, values[i])));
        box[0] = figure__x(f, x + 0.04 * wide), box[2] = figure__x(f, x + 0.96 * wide);
        box[1] = figure__min(zero, at), box[3] = figure__max(zero, at);
        figure__bar(f, series, box);
        if (format) {
            char text[40];
            snprintf(text, sizeof text, format, values[i]);
            figure__write(f, (box[0] + box[2]) / 2, at <= zero ? box[1] - 5 : box[3] + 14, text, 1,
                          0.5, 0x222222, 0.6, 0);
        }
    }
}

/* Words under x = 0, 1, 2 ...; for axes with FIGURE_NO_X. */
static inline void figure_names(figure *f, const char *const *names, int count)
{
    if (!f) return;
    for (int i = 0; i < count; i++)
        figure__write(f, figure__x(f, i), f->box[3] + 17, names[i], 1, 0.5, 0x222222, 0.6, 0);
}

/* A dashed line at y, its name above its right end (below it when `below`). */
static inline void figure_rule(figure *f, double y, const char *name, int below)
{
    double at, walked = 0, wide;
    if (!f) return;
    at = figure__floor(figure__y(f, y)) + 0.5, wide = figure_text_width(name, 1);
    figure__dash(f, f->box[0], at, f->box[2], at, 0.6, 1, &walked);
    figure__ink(f, 0x555555, 1);
    if (!name) return;
    figure__fill(f, f->box[2] - wide - 9, at + (below ? 3 : -17), f->box[2] - 3,
                 at + (below ? 18 : -2), 0xffffff, 0.8);
    figure__write(f, f->box[2] - 6, at + (below ? 15 : -5), name, 1, 1, 0x444444, 0.6, 0);
}

/* From 0 to 1: dark violet, blue, green, yellow, ever lighter. From -1 to 1 with `both`: blue,
 * white for 0, red. */
static inline uint32_t figure__shade(double t, int both)
{
    static const uint32_t one[5] = {0x440154, 0x3b528b, 0x21918c, 0x5ec962, 0xfde725};
    static const uint32_t two[5] = {0x00426b, 0x4fa3d1, 0xffffff, 0xf08a4b, 0x993d00};
    const uint32_t *map = both ? two : one;
    uint32_t colour = 0;
    int k;
    if (both) t = (t + 1) / 2;
    t = t > 0 ? t < 1 ? t * 4 : 4 : 0;
    k = t < 4 ? (int)t : 3, t -= k;
    for (int c = 16; c >= 0; c -= 8) {
        double a = (double)(map[k] >> c & 255), b = (double)(map[k + 1] >> c & 255);
        colour |= (uint32_t)(a + (b - a) * t + 0.5) << c;
    }
    return colour;
}

/* Fills the axes with a table of `rows` lines, the first at the top. Colours go from `low` to
 * `high`; when low is -high, 0 is white. With a label the scale stands at the right of axes with
 * FIGURE_ROOM. */
static inline void figure_heat(figure *f, const float *values, int columns, int rows, double low,
                               double high, const char *label)
{
    const int both = high > 0 && low + high < 1e-9 * high && low + high > -1e-9 * high;
    double ticks[FIGURE__TICKS], limits[2], scale[4];
    int n;
    if (!f || columns < 1 || rows < 1) return;
    f->heat = 1;
    limits[0] = low, limits[1] = high;
    for (int y = (int)f->box[1]; y < (int)f->box[3]; y++)
        for (int x = (int)f->box[0]; x < (int)f->box[2]; x++) {
            int i = (int)((x - f->box[0]) / (f->box[2] - f->box[0]) * columns);
            int k = (int)((y - f->box[1]) / (f->box[3] - f->box[1]) * rows);
            double v = (double)values[k * columns + i];
            v = both ? v / high : (v - low) / (high - low);
            figure__blend(f, x, y, figure__shade(v, both), 1);
        }
    figure__frame(f, f->box, 0x888888);
    if (!(f->flags & FIGURE_ROOM) || !label) return;
    scale[0] = f->box[2] + 12, scale[1] = f->box[1], scale[2] = scale[0] + 14, scale[3] = f->box[3];
    for (int y = (int)scale[1]; y < (int)scale[3]; y++) {
        double t = (scale[3] - y) / (scale[3] - scale[1]);
        figure__fill(f, scale[0], y, scale[2], y + 1, figure__shade(both ? 2 * t - 1 : t, both), 1);
    }
    figure__frame(f, scale, 0x888888);
    n = figure__ticks(limits, scale[3] - scale[1], 0, 0, ticks);
    for (int i = 0; i < n; i++) {
        char text[40];
        double at = scale[3] - (ticks[i] - low) / (high - low) * (scale[3] - scale[1]);
        at = figure__floor(at) + 0.5;
        figure__stroke(f, scale[2], at, scale[2] + 4, at, 0.5);
        figure__ink(f, 0x444444, 1);
        figure__label(ticks[i], 0, text, sizeof text);
        figure__write(f, scale[2] + 8, at + 5, text, 1, 0, 0x333333, 0.6, 0);
    }
    figure__write(f, scale[2] + 62, (scale[1] + scale[3]) / 2, label, 1, 0.5, 0x222222, 0.6, 1);
}

/* The names of curves, classes and bars since figure_axes. */
static inline void figure_legend(figure *f, figure_place place)
{
    double wide = 0, box[4], y;
    int lines = 0;
    if (!f) return;
    for (int i = 0; i < f->series; i++)
        if (f->name[i]) lines++, wide = figure__max(wide, figure_text_width(f->name[i], 1));
    if (!lines) return;
    wide += 50;
    for (int i = 0; i < f->series; i++)
        if (f->name[i] && f->kind[i] != FIGURE__POINTS) break;
        else if (i + 1 == f->series) wide -= 18;
    box[0] = place == FIGURE_BESIDE ? f->box[2] + 8
           : place == FIGURE_TOP_LEFT || place == FIGURE_BOTTOM_LEFT ? f->box[0] + 8
           : f->box[2] - 8 - wide;
    box[1] = place == FIGURE_BOTTOM_LEFT || place == FIGURE_BOTTOM_RIGHT
           ? f->box[3] - 8 - lines * 18 - 6 : f->box[1] + (place == FIGURE_BESIDE ? 0 : 8);
    box[2] = box[0] + wide, box[3] = box[1] + lines * 18 + 6;
    figure__fill(f, box[0], box[1], box[2], box[3], 0xffffff, 0.88);
    figure__frame(f, box, 0xcccccc);
    y = box[1] + 12;
    for (int i = 0; i < f->series; i++) {
        double walked = 0, x = box[0] + 8, text = f->kind[i] == FIGURE__POINTS ? x + 16 : x + 34;
        if (!f->name[i]) continue;
        if (f->kind[i] == FIGURE__LINE) {
            figure__dash(f, x, y, x + 26, y, 0.9, i, &walked);
            figure__ink(f, figure__colour(i), 1);
            figure__mark(f, i, x + 13, y, 3.5, 1);
        } else if (f->kind[i] == FIGURE__POINTS) {
            figure__mark(f, i, x + 4, y, 3.5, 1);
        } else {
            double bar[4];
            bar[0] = x + 2, bar[1] = y - 6, bar[2] = x + 24, bar[3] = y + 5;
            figure__bar(f, i, bar);
        }
        figure__write(f, text, y + 5, f->name[i], 1, 0, 0x222222, 0.6, 0);
        y += 18;
    }
}

/* ---- sheets of images -------------------------------------------------------------------- */

typedef struct figure_sheet {
    const float *images;            /* (count, height, width, channels) numbers in [0,1] */
    int count, height, width, channels; /* 1 (grey; also 0) or 3 (RGB) channels */
    int columns;
    int zoom;                       /* pixels of a pixel's side; 0: as large as the panel allows */
    int both;                       /* 1: numbers from -1 to 1, blue, white for 0, red */
    const char *const *above;       /* (columns) names over the columns; each may be NULL */
    const char *const *beside;      /* (rows) names at the left of the rows; each may be NULL */
    const char *const *below;       /* (count) a name under each image; each may be NULL */
} figure_sheet;

/* Lays images out in the middle of the panel. */
static inline void figure_images(figure *f, const figure_sheet *s)
{
    const int channels = s->channels ? s->channels : 1, gap = 3;
    const int rows = s->columns > 0 ? (s->count + s->columns - 1) / s->columns : 0;
    const int line = s->below ? 18 : 0, head = s->above ? 20 : 0;
    double left = 0, room[2], corner[2];
    int zoom = s->zoom;
    if (!f || rows < 1 || s->height < 1 || s->width < 1) return;
    for (int i = 0; s->beside && i < rows; i++)
        if (s->beside[i]) left = figure__max(left, figure_text_width(s->beside[i], 1) + 12);
    room[0] = f->panel[2] - f->panel[0] - left, room[1] = f->panel[3] - f->panel[1] - head;
    if (zoom < 1) {
        zoom = (int)figure__min((room[0] / s->columns - gap) / s->width,
                                (room[1] / rows - gap - line) / s->height);
        if (zoom < 1) zoom = 1;
    }
    room[0] -= s->columns * (s->width * zoom + gap) - gap;
    room[1] -= rows * (s->height * zoom + gap + line) - gap;
    corner[0] = figure__floor(f->panel[0] + left + figure__max(0, room[0] / 2));
    corner[1] = figure__floor(f->panel[1] + head + figure__max(0, room[1] / 2));
    figure__clip(f, NULL);
    for (int i = 0; i < s->count; i++) {
        const float *image = s->images + (size_t)i * (size_t)(s->height * s->width * channels);
        const int x0 = (int)corner[0] + i % s->columns * (s->width * zoom + gap);
        const int y0 = (int)corner[1] + i / s->columns * (s->height * zoom + gap + line);
        for (int k = 0; k < s->height * s->width; k++) {
            const float *p = image + k * channels;
            const int x = x0 + k % s->width * zoom, y = y0 + k / s->width * zoom;
            uint32_t colour = 0;
            if (s->both) colour = figure__shade((double)*p, 1);
            else for (int c = 0; c < 3; c++)
                colour = colour << 8 | picture_byte(p[channels == 3 ? c : 0]);
            figure__fill(f, x, y, x + zoom, y + zoom, colour, 1);
        }
        if (s->both) {
            double box[4];
            box[0] = x0 - 1, box[1] = y0 - 1;
            box[2] = x0 + s->width * zoom, box[3] = y0 + s->height * zoom;
            figure__frame(f, box, 0xbbbbbb);
        }
        if (s->below && s->below[i])
            figure__write(f, x0 + s->width * zoom / 2.0, y0 + s->height * zoom + 14, s->below[i], 1,
                          0.5, 0x222222, 0.6, 0);
        if (s->above && i < s->columns && s->above[i])
            figure__write(f, x0 + s->width * zoom / 2.0, y0 - 6, s->above[i], 1, 0.5, 0x222222, 0.6,
                          0);
        if (s->beside && i % s->columns == 0 && s->beside[i / s->columns])
            figure__write(f, x0 - 9, y0 + s->height * zoom / 2.0 + 5, s->beside[i / s->columns], 1,
                          1, 0x222222, 0.6, 0);
    }
}

#endif /* FIGURES_H */
