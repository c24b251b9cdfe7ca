/* plot.h: curves on two logarithmic axes, drawn into a PNG.
 *
 *   plot_begin    an empty picture with axes, grid and labels
 *   plot_curve    one curve through its points, and its line in the legend
 *   plot_save     the PNG; gives the memory back
 *
 * Just enough for bench/growth.c: text is upper case in a 5 x 7 font, colours are 0xRRGGBB. Both
 * ranges are positive and the caller's. C99; tools/picture.h writes the file. */
#ifndef PLOT_H
#define PLOT_H
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../tools/picture.h"

enum { PLOT_WIDTH = 1000, PLOT_HEIGHT = 600, PLOT_LEFT = 96, PLOT_TOP = 56, PLOT_RIGHT = 712,
       PLOT_BOTTOM = 528, PLOT_LEGEND = 736 };
enum { PLOT_INK = 0x202020, PLOT_GRID = 0xd8d8d8, PLOT_FINE = 0xf0f0f0, PLOT_PAPER = 0xffffff };

typedef struct plot {
    uint8_t *pixels; /* (PLOT_HEIGHT, PLOT_WIDTH, 3); NULL: out of memory, nothing is drawn */
    double x0, x1, y0, y1; /* natural logarithms of the ranges */
    int curves;
} plot;

/* Seven rows of five pixels, the left one in bit 4. */
static const struct { char letter; uint8_t rows[7]; } plot__font[] = {
    {'A', {14, 17, 17, 31, 17, 17, 17}}, {'B', {30, 17, 17, 30, 17, 17, 30}},
    {'C', {14, 17, 16, 16, 16, 17, 14}}, {'D', {30, 17, 17, 17, 17, 17, 30}},
    {'E', {31, 16, 16, 30, 16, 16, 31}}, {'F', {31, 16, 16, 30, 16, 16, 16}},
    {'G', {14, 17, 16, 23, 17, 17, 15}}, {'H', {17, 17, 17, 31, 17, 17, 17}},
    {'I', {14, 4, 4, 4, 4, 4, 14}},      {'J', {7, 2, 2, 2, 2, 18, 12}},
    {'K', {17, 18, 20, 24, 20, 18, 17}}, {'L', {16, 16, 16, 16, 16, 16, 31}},
    {'M', {17, 27, 21, 21, 17, 17, 17}}, {'N', {17, 25, 21, 19, 17, 17, 17}},
    {'O', {14, 17, 17, 17, 17, 17, 14}}, {'P', {30, 17, 17, 30, 16, 16, 16}},
    {'Q', {14, 17, 17, 17, 21, 18, 13}}, {'R', {30, 17, 17, 30, 20, 18, 17}},
    {'S', {15, 16, 16, 14, 1, 1, 30}},   {'T', {31, 4, 4, 4, 4, 4, 4}},
    {'U', {17, 17, 17, 17, 17, 17, 14}}, {'V', {17, 17, 17, 17, 17, 10, 4}},
    {'W', {17, 17, 17, 21, 21, 27, 17}}, {'X', {17, 17, 10, 4, 10, 17, 17}},
    {'Y', {17, 17, 10, 4, 4, 4, 4}},     {'Z', {31, 1, 2, 4, 8, 16, 31}},
    {'0', {14, 17, 19, 21, 25, 17, 14}}, {'1', {4, 12, 4, 4, 4, 4, 14}},
    {'2', {14, 17, 1, 6, 8, 16, 31}},    {'3', {30, 1, 1, 14, 1, 1, 30}},
    {'4', {2, 6, 10, 18, 31, 2, 2}},     {'5', {31, 16, 30, 1, 1, 17, 14}},
    {'6', {6, 8, 16, 30, 17, 17, 14}},   {'7', {31, 1, 2, 4, 8, 8, 8}},
    {'8', {14, 17, 17, 14, 17, 17, 14}}, {'9', {14, 17, 17, 15, 1, 2, 12}},
    {'.', {0, 0, 0, 0, 0, 12, 12}},      {',', {0, 0, 0, 0, 12, 4, 8}},
    {'-', {0, 0, 0, 14, 0, 0, 0}},       {'/', {1, 1, 2, 4, 8, 16, 16}},
    {'(', {2, 4, 8, 8, 8, 4, 2}},        {')', {8, 4, 2, 2, 2, 4, 8}},
    {':', {0, 12, 12, 0, 12, 12, 0}},    {'+', {0, 4, 4, 31, 4, 4, 0}},
};

/* Lays `part` of 0 to 1 of a colour over a pixel. */
static inline void plot__dot(plot *p, int x, int y, int colour, double part) {
    uint8_t *at;
    int i;
    if (!p->pixels || x < 0 || y < 0 || x >= PLOT_WIDTH || y >= PLOT_HEIGHT || part <= 0) return;
    at = p->pixels + ((size_t)y * PLOT_WIDTH + (size_t)x) * 3;
    for (i = 0; i < 3; i++) {
        const double over = colour >> (16 - 8 * i) & 255;
        at[i] = (uint8_t)(at[i] + (over - at[i]) * (part < 1 ? part : 1) + 0.5);
    }
}

static inline void plot__box(plot *p, int x, int y, int width, int height, int colour) {
    int i, j;
    for (j = 0; j < height; j++)
        for (i = 0; i < width; i++) plot__dot(p, x + i, y + j, colour, 1);
}

/* Letters are 6 * zoom wide, with the gap. (x, y) is the left upper corner. */
static inline void plot__text(plot *p, int x, int y, int zoom, int colour, const char *text) {
    size_t g;
    for (; *text; text++, x += 6 * zoom) {
        const char c = (char)(*text >= 'a' && *text <= 'z' ? *text - 'a' + 'A' : *text);
        for (g = 0; g < sizeof plot__font / sizeof *plot__font; g++) {
            int row, column;
            if (plot__font[g].letter != c) continue;
            for (row = 0; row < 7; row++)
                for (column = 0; column < 5; column++)
                    if (plot__font[g].rows[row] >> (4 - column) & 1)
                        plot__box(p, x + column * zoom, y + row * zoom, zoom, zoom, colour);
        }
    }
}
static inline int plot__text_width(const char *text, int zoom) {
    return (int)strlen(text) * 6 * zoom - zoom;
}

/* A line of this width with soft edges; every pixel near it asks how far it is. Its dashes are
 * `dash` pixels long, 0 for none, and go on from where the last segment ended (*phase). */
static inline void plot__line(plot *p, double x0, double y0, double x1, double y1, double width,
                              int colour, double dash, double *phase) {
    const double dx = x1 - x0, dy = y1 - y0, length = sqrt(dx * dx + dy * dy), reach = width / 2;
    int x, y;
    for (y = (int)(fmin(y0, y1) - reach - 1); y <= (int)(fmax(y0, y1) + reach + 1); y++) {
        for (x = (int)(fmin(x0, x1) - reach - 1); x <= (int)(fmax(x0, x1) + reach + 1); x++) {
            double t = length > 0 ? ((x - x0) * dx + (y - y0) * dy) / length : 0, far;
            if (t < 0 || t > length) t = t < 0 ? 0 : length;
            if (dash > 0 && fmod(*phase + t, 2 * dash) > dash) continue;
            far = hypot(x - x0 - (length > 0 ? dx * t / length : 0),
                        y - y0 - (length > 0 ? dy * t / length : 0));
            plot__dot(p, x, y, colour, reach + 0.5 - far);
        }
    }
    *phase += length;
}

static inline double plot__x(const plot *p, double x) {
    return PLOT_LEFT + (PLOT_RIGHT - PLOT_LEFT) * (log(x) - p->x0) / (p->x1 - p->x0);
}
static inline double plot__y(const plot *p, double y) {
    return PLOT_BOTTOM - (PLOT_BOTTOM - PLOT_TOP) * (log(y) - p->y0) / (p->y1 - p->y0);
}

/* 20, 4096, 10K, 1M with no more digits than it needs. */
static inline void plot__number(double value, char *text, size_t size) {
    if (value >= 1e6) snprintf(text, size, "%gM", value / 1e6);
    else if (value >= 1e4) snprintf(text, size, "%gK", value / 1e3);
    else snprintf(text, size, "%g", value);
}

/* The ticks of the x axis are the caller's; those of y are 1, 2 and 5 in each power of ten, with
 * thin lines between them. */
static inline plot plot_begin(const char *title, const char *x_label, const char *y_label,
                              double x_from, double x_to, double y_from, double y_to,
                              const double *ticks, int tick_count) {
    plot p = {0};
    char text[32];
    double decade;
    int i, end = -100;
    p.pixels = (uint8_t *)malloc((size_t)PLOT_WIDTH * PLOT_HEIGHT * 3);
    if (p.pixels) memset(p.pixels, 255, (size_t)PLOT_WIDTH * PLOT_HEIGHT * 3);
    p.x0 = log(x_from), p.x1 = log(x_to), p.y0 = log(y_from), p.y1 = log(y_to);
    for (decade = pow(10, floor(log10(y_from))); decade <= y_to; decade *= 10) {
        for (i = 1; i < 10; i++) {
            const double y = decade * i;
            const int at = (int)lround(plot__y(&p, y)), named = i == 1 || i == 2 || i == 5;
            if (y < y_from * 0.999 || y > y_to * 1.001) continue;
            plot__box(&p, PLOT_LEFT, at, PLOT_RIGHT - PLOT_LEFT, 1, named ? PLOT_GRID : PLOT_FINE);
            if (!named) continue;
            plot__number(y, text, sizeof text);
            plot__text(&p, PLOT_LEFT - 10 - plot__text_width(text, 2), at - 6, 2, PLOT_INK, text);
        }
    }
    for (i = 0; i < tick_count; i++) {
        const int at = (int)lround(plot__x(&p, ticks[i]));
        int width;
        plot__number(ticks[i], text, sizeof text);
        width = plot__text_width(text, 2);
        plot__box(&p, at, PLOT_TOP, 1, PLOT_BOTTOM - PLOT_TOP, PLOT_GRID);
        if (at - width / 2 < end + 12) continue; /* would touch its neighbour */
        plot__text(&p, at - width / 2, PLOT_BOTTOM + 10, 2, PLOT_INK, text);
        end = at + width / 2;
    }
    plot__box(&p, PLOT_LEFT, PLOT_BOTTOM, PLOT_RIGHT - PLOT_LEFT + 1, 2, PLOT_INK);
    plot__box(&p, PLOT_LEFT - 1, PLOT_TOP, 2, PLOT_BOTTOM - PLOT_TOP + 2, PLOT_INK);
    plot__text(&p, PLOT_LEFT, 8, 2, PLOT_INK, title);
    plot__text(&p, PLOT_LEFT, 32, 2, PLOT_INK, y_label);
    plot__text(&p, (PLOT_LEFT + PLOT_RIGHT - plot__text_width(x_label, 2)) / 2, PLOT_BOTTOM + 40, 2,
               PLOT_INK, x_label);
    return p;
}

/* `count` points; points whose y is not positive are left out. Dashed curves have no dots. */
static inline void plot_curve(plot *p, const char *name, int colour, int dashed, const double *x,
                              const double *y, int count) {
    const int legend = PLOT_TOP + 10 + 26 * p->curves++;
    const double dash = dashed ? 6 : 0, width = dashed ? 2 : 3;
    double phase = 0, unused = 0;
    int i, last = -1;
    for (i = 0; i < count; i++) {
        if (!(y[i] > 0)) continue;
        if (last >= 0)
            plot__line(p, plot__x(p, x[last]), plot__y(p, y[last]), plot__x(p, x[i]),
                       plot__y(p, y[i]), width, colour, dash, &phase);
        last = i;
        if (!dashed)
            plot__line(p, plot__x(p, x[i]), plot__y(p, y[i]), plot__x(p, x[i]), plot__y(p, y[i]),
                       8, colour, 0, &unused);
    }
    phase = 0;
    plot__line(p, PLOT_LEGEND, legend, PLOT_LEGEND + 30, legend, width, colour, dash, &phase);
    if (!dashed)
        plot__line(p, PLOT_LEGEND + 15, legend, PLOT_LEGEND + 15, legend, 8, colour, 0, &unused);
    plot__text(p, PLOT_LEGEND + 40, legend - 6, 2, PLOT_INK, name);
}

/* NULL, or what went wrong. */
static inline const char *plot_save(plot *p, const char *path) {
    const char *error = "plot: out of memory";
    if (p->pixels) error = picture_save_png(path, p->pixels, PLOT_WIDTH, PLOT_HEIGHT, 3);
    free(p->pixels);
    p->pixels = NULL;
    return error;
}

#endif /* PLOT_H */
