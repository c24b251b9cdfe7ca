/* ======================================================================================
 * curve.h   a small curve below the rows of a terminal, drawn anew after each of them
 * uses: platform.h screen.h text.h
 * tests: tests/test_tool_report.sh
 *
 * A cell is a braille character of 2 x 4 dots. All that changes is written at once, so that nothing
 * flickers. The window's size is asked for each time: where the old curve no longer stands as it
 * was drawn (the window became narrower than it, or too low), the new one is drawn below it.
 * ==================================================================================== */
#ifndef VAE_TOOL_CURVE_H
#define VAE_TOOL_CURVE_H
#include "platform.h"
#include "screen.h"
#include "text.h"

enum { CURVE_CELLS = 60, CURVE_ROWS = 8, CURVE_LABEL = 9 };

typedef struct curve {
    double *values;         /* one for each row of the table */
    size_t count, room;
    size_t lines, widest;   /* of what stands on the screen above the live line; 0: nothing */
    size_t width, height;   /* of the window then */
} curve;

/* Whether somebody can see it: not where the locale says that the terminal has another encoding. */
static int shows_curves(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    const char *locale = NULL;
    for (int i = 0; i < 3 && !(locale && locale[0]); i++) locale = getenv(names[i]);
    return screen.terminal && !screen.quiet
           && (!locale || !locale[0] || strstr(locale, "UTF-8") || strstr(locale, "utf8")
               || strstr(locale, "utf-8"));
}

static void curve_add(curve *c, double value)
{
    if (c->count == c->room) {
        double *more;
        c->room = c->room ? 2 * c->room : 64;
        more = (double *)need(c->room, sizeof *more);
        if (c->count) memcpy(more, c->values, c->count * sizeof *more);
        free(c->values);
        c->values = more;
    }
    c->values[c->count++] = value;
}

/* The range of the values; in long runs the first twentieth, which is far above, does not count. */
static void curve_range(const curve *c, double *low, double *high)
{
    *low = *high = c->values[c->count - 1];
    for (size_t i = c->count / 20; i < c->count; i++) {
        if (c->values[i] < *low) *low = c->values[i];
        if (c->values[i] > *high) *high = c->values[i];
    }
}

/* Sets the dots of the curve in cells (rows, columns), each a byte of braille. */
static void curve_dots(const curve *c, double low, double high, size_t rows, size_t columns,
                       unsigned char *cells)
{
    static const unsigned char dots[4][2] = {{1, 8}, {2, 16}, {4, 32}, {64, 128}};
    const size_t wide = 2 * columns, tall = 4 * rows;
    size_t before = 0;
    for (size_t x = 0; x < wide; x++) {
        const double at = (double)x / (double)(wide - 1) * (double)(c->count - 1);
        const size_t i = (size_t)at + 1 < c->count ? (size_t)at : c->count - 2;
        const double value = c->values[i] + (at - (double)i) * (c->values[i + 1] - c->values[i]);
        const double part = high > low ? (high - value) / (high - low) : 0.5;
        const size_t y = part > 0 ? (size_t)(part * (double)(tall - 1) + 0.5) : 0;
        size_t from = x && before < y ? before + 1 : y, to = x && before > y ? before - 1 : y;
        if (part < 0) continue; /* above the picture */
        for (; from <= to && to < tall; from++) cells[from / 4 * columns + x / 2] |=
            dots[from % 4][x % 2];
        before = y;
    }
}

static void curve_line(text *t, const curve *c, size_t row, size_t rows, size_t columns,
                       const unsigned char *cells, double low, double high)
{
    char label[40] = "";
    (void)c;
    if (row == 0) snprintf(label, sizeof label, "%.5g", high);
    if (row + 1 == rows) snprintf(label, sizeof label, "%.5g", low);
    text_print(t, "%*.*s %s", CURVE_LABEL - 1, CURVE_LABEL - 1, label,
               screen.colour ? "\x1b[36m" : "");
    for (size_t x = 0; x < columns; x++) {
        const unsigned char dots = cells[row * columns + x];
        if (dots) text_print(t, "\xe2%c%c", 0xa0 + (dots >> 6), 0x80 + (dots & 63));
        else text_print(t, " ");
    }
    text_print(t, "%s\x1b[K\n", screen.colour ? "\x1b[0m" : "");
}

/* Writes `row`, a line of the table (NULL: none), where the old curve stood, and the curve below it
 * with `name` and the last value. The live line is gone then. */
static void curve_show(curve *c, const char *row, const char *name)
{
    const size_t width = screen_width(), height = screen_height();
    const size_t columns = width < CURVE_CELLS + CURVE_LABEL + 1 ? width - 1 : CURVE_CELLS
                                                                                + CURVE_LABEL;
    const size_t rows = height >= 36 ? CURVE_ROWS : height >= 20 ? 5 : height >= 12 ? 3 : 0;
    const int drawn = rows && columns >= CURVE_LABEL + 12 && c->count > 1;
    text t = {NULL, 0, 0};
    text_print(&t, "\r");
    if (c->widest < width && screen.drawn < width && c->lines + 1 < height) {
        if (c->lines) text_print(&t, "\x1b[%zuA", c->lines);
    } else if (c->lines || screen.drawn) {
        text_print(&t, "\n"); /* what stands there stays */
    }
    if (row) text_print(&t, "%s\x1b[K\n", row);
    c->lines = c->widest = 0, c->width = width, c->height = height;
    if (drawn) {
        const size_t wide = columns - CURVE_LABEL;
        unsigned char *cells = (unsigned char *)need(rows * wide, 1);
        char title[120];
        double low, high;
        size_t length = (size_t)snprintf(title, sizeof title, "%s now %.2f, of %zu epochs", name,
                                         c->values[c->count - 1], c->count);
        const size_t indent = length + CURVE_LABEL < width ? CURVE_LABEL : 0;
        if (length > width - 1) length = width - 1;
        curve_range(c, &low, &high);
        curve_dots(c, low, high, rows, wide, cells);
        for (size_t y = 0; y < rows; y++) curve_line(&t, c, y, rows, wide, cells, low, high);
        text_print(&t, "%*s%.*s\x1b[K\n", (int)indent, "", (int)length, title);
        c->lines = rows + 1;
        c->widest = columns > indent + length ? columns : indent + length;
        free(cells);
    }
    text_print(&t, "\x1b[J");
    fwrite(t.at, 1, t.count, screen.out);
    fflush(screen.out);
    free(t.at);
    screen.drawn = 0;
}

/* Draws it anew where the window has another size than before. */
static void curve_follow(curve *c, const char *name)
{
    if (c->lines && (c->width != screen_width() || c->height != screen_height()))
        curve_show(c, NULL, name);
}

#endif
