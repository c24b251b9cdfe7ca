/* ======================================================================================
 * page.h   pieces of a web page: words, pictures as data, charts as SVG
 * uses: platform.h screen.h text.h picture.h solvers.h
 * tests: tests/test_tool_report.sh
 *
 * A page is one file: pictures are PNG in base64, charts inline SVG whose text can be selected, and
 * there is no script. Positions are computed by vae__add_d and so on, so that the same numbers give
 * the same bytes everywhere.
 * ==================================================================================== */
#ifndef VAE_TOOL_PAGE_H
#define VAE_TOOL_PAGE_H
#include "platform.h"
#include "screen.h"
#include "text.h"
#include "picture.h"
#include "solvers.h"

/* ---- words ---- */

/* Words that came from outside. What HTML has a meaning for is escaped; control characters and
 * bytes that are not UTF-8 become "?". */
static void page_words(text *t, const char *words)
{
    const size_t size = strlen(words);
    for (size_t i = 0, n, width; i < size; i += n) {
        n = vae__piece((const unsigned char *)words + i, size - i, &width);
        if (n != width) text_print(t, "?");
        else if (words[i] == '&') text_print(t, "&amp;");
        else if (words[i] == '<') text_print(t, "&lt;");
        else if (words[i] == '>') text_print(t, "&gt;");
        else if (words[i] == '"') text_print(t, "&quot;");
        else text_print(t, "%.*s", (int)n, words + i);
    }
}

/* ---- pictures ---- */

static void page_base64(text *t, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *out = (char *)text_grow(t, (size + 2) / 3 * 4);
    for (size_t i = 0; i < size; i += 3) {
        const size_t left = size - i;
        const uint32_t three = (uint32_t)bytes[i] << 16
                             | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0)
                             | (left > 2 ? (uint32_t)bytes[i + 2] : 0);
        *out++ = digits[three >> 18];
        *out++ = digits[three >> 12 & 63];
        *out++ = left > 1 ? digits[three >> 6 & 63] : '=';
        *out++ = left > 2 ? digits[three & 63] : '=';
    }
}

typedef struct page_shape {
    size_t height, width, channels; /* of an image */
} page_shape;

/* `count` images as one picture, `columns` side by side. `most`: pixels of the screen that an image
 * is wide, where there is room; small images are enlarged by the browser. */
static void page_images(text *t, const float *images, size_t count, page_shape s, size_t columns,
                        size_t most, const char *says)
{
    uint8_t *png;
    size_t size;
    int width, height;
    const int sides[3] = {(int)s.height, (int)s.width, (int)s.channels};
    const char *error;
    if (columns > count) columns = count;
    error = picture_grid_png(images, (int)count, sides[0], sides[1], sides[2], (int)columns, 1,
                             &png, &size);
    if (error) die(FAILED, "%s", error);
    picture_grid_size((int)count, sides[0], sides[1], sides[2], (int)columns, 1, &width, &height);
    text_print(t, "<img%s width=\"%d\" height=\"%d\" style=\"width:%zupx\" alt=\"",
               s.width <= most ? " class=\"pixels\"" : "", width, height,
               columns * s.width * (most > s.width ? most / s.width : 1));
    page_words(t, says);
    text_print(t, "\" src=\"data:image/png;base64,");
    page_base64(t, png, size);
    text_print(t, "\">");
    free(png);
}

/* ---- charts ---- */

enum { CHART_WIDTH = 420, CHART_HEIGHT = 280, CHART_LEFT = 86, CHART_RIGHT = 408, CHART_TOP = 12,
       CHART_BOTTOM = 236, CHART_KINDS = 10 };

typedef enum axis_kind {
    AXIS_PLAIN,
    AXIS_LOG,   /* left is at least 1 */
    AXIS_WHOLE, /* its ticks are whole numbers */
    AXIS_BARE   /* it has no ticks */
} axis_kind;

typedef struct chart {
    double left, right, bottom, top; /* values at the edges */
    axis_kind kind;                  /* of x */
    const char *x, *y;               /* names of the axes */
} chart;

/* Where v lies when a is at `from` and b at `to`. */
static double between_edges(double v, double a, double b, double from, double to)
{
    const double part = vae__div_d(vae__add_d(v, -a), vae__add_d(b, -a));
    return add_product(from, part, to - from);
}

static double chart_x(const chart *c, double x)
{
    if (c->kind != AXIS_LOG) return between_edges(x, c->left, c->right, CHART_LEFT, CHART_RIGHT);
    return between_edges(logarithm(x), logarithm(c->left), logarithm(c->right), CHART_LEFT,
                         CHART_RIGHT);
}

static double chart_y(const chart *c, double y)
{
    return between_edges(y, c->bottom, c->top, CHART_BOTTOM, CHART_TOP);
}

/* 1, 2 or 5 times a power of ten: at most `most` of them in the range. */
static double nice_step(double range, double most)
{
    static const double factors[] = {2, 2.5, 2};
    double step = 1;
    for (; step > vae__div_d(range, most);) step = vae__div_d(step, 10);
    for (int i = 0; step < vae__div_d(range, most); i++) step = vae__mul_d(step, factors[i % 3]);
    return step;
}

/* The first multiple of `step` that is not below v. */
static double first_tick(double v, double step)
{
    double n = vae__div_d(v, step), whole;
    if (!(n > -1e15 && n < 1e15)) return v;
    whole = (double)(int64_t)n;
    if (whole < vae__add_d(n, -1e-9)) whole++;
    return vae__mul_d(whole, step);
}

/* Room above and below the values, and never an empty range. */
static void chart_range(double low, double high, double *bottom, double *top)
{
    const double size = vae__add_d(high, -low), least = high > 0 ? high : -high;
    const double room = size > vae__mul_d(1e-9, least) ? vae__mul_d(0.05, size)
                                                       : least > 0 ? vae__mul_d(0.1, least) : 1;
    *bottom = vae__add_d(low, -room), *top = vae__add_d(high, room);
}

/* A tick's number: what rounding leaves of 0 is 0. */
static void tick_text(char *out, size_t size, double v, double step)
{
    if (v < step / 1e6 && v > -step / 1e6) v = 0;
    snprintf(out, size, "%.6g", v);
}

static void chart_x_ticks(text *t, const chart *c)
{
    const int powers = c->kind == AXIS_LOG;
    const double nice = nice_step(vae__add_d(c->right, -c->left), 6);
    const double step = powers ? 10 : c->kind == AXIS_WHOLE && nice < 1 ? 1 : nice;
    double v = powers ? 1 : first_tick(c->left, step);
    for (; v <= c->right; v = powers ? vae__mul_d(v, step) : vae__add_d(v, step)) {
        char number[32];
        tick_text(number, sizeof number, v, step);
        if (v < c->left) continue;
        text_print(t, "<path class=\"grid\" d=\"M%.1f %dV%d\"/><text class=\"mid\" x=\"%.1f\" "
                   "y=\"%d\">%s</text>\n", chart_x(c, v), CHART_TOP, CHART_BOTTOM, chart_x(c, v),
                   CHART_BOTTOM + 17, number);
    }
}

/* The axes, ticks and names; what is drawn next lies above them. */
static void chart_begin(text *t, const chart *c, const char *says)
{
    const double step = nice_step(vae__add_d(c->top, -c->bottom), 5);
    text_print(t, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", CHART_WIDTH,
               CHART_HEIGHT);
    page_words(t, says);
    text_print(t, "\">\n");
    if (c->kind != AXIS_BARE) chart_x_ticks(t, c);
    for (double v = first_tick(c->bottom, step); v <= c->top; v = vae__add_d(v, step)) {
        char number[32];
        tick_text(number, sizeof number, v, step);
        text_print(t, "<path class=\"grid\" d=\"M%d %.1fH%d\"/><text class=\"end\" x=\"%d\" "
                   "y=\"%.1f\">%s</text>\n", CHART_LEFT, chart_y(c, v), CHART_RIGHT,
                   CHART_LEFT - 7, chart_y(c, v) + 4, number);
    }
    text_print(t, "<path class=\"axis\" d=\"M%d %dV%dH%d\"/><text class=\"mid name\" x=\"%d\" "
               "y=\"%d\">", CHART_LEFT, CHART_TOP, CHART_BOTTOM, CHART_RIGHT,
               (CHART_LEFT + CHART_RIGHT) / 2, CHART_HEIGHT - 6);
    page_words(t, c->x);
    text_print(t, "</text><text class=\"mid name\" transform=\"translate(12 %d) rotate(-90)\">",
               (CHART_TOP + CHART_BOTTOM) / 2);
    page_words(t, c->y);
    text_print(t, "</text>\n");
}

static void chart_end(text *t) { text_print(t, "</svg>\n"); }

static int in_chart(const chart *c, double x, double y)
{
    return x >= c->left && x <= c->right && y >= c->bottom && y <= c->top;
}

/* A line through points; `kind`: its colour, `dashes`: how it is broken, 0 for a whole one. Points
 * above the chart are left out. A single point is a short line. */
static void chart_line(text *t, const chart *c, const double *x, const double *y, size_t count,
                       int kind, int dashes)
{
    int drawn = 0;
    text_print(t, "<path class=\"line c%d d%d\" d=\"", kind % CHART_KINDS, dashes);
    for (size_t i = 0; i < count; i++)
        if (in_chart(c, x[i], y[i]))
            text_print(t, "%c%.1f %.1f", drawn++ ? 'L' : 'M', chart_x(c, x[i]), chart_y(c, y[i]));
    if (!drawn) text_print(t, "M%d %d", CHART_LEFT, CHART_BOTTOM);
    if (drawn == 1) text_print(t, "h9");
    text_print(t, "\"/>\n");
}

/* Marks differ in shape and colour. The last four are hollow or lines. */
static const char *const chart_marks[CHART_KINDS] = {
    "m-2.6 0a2.6 2.6 0 1 0 5.2 0a2.6 2.6 0 1 0-5.2 0", "m-2.3-2.3h4.6v4.6h-4.6z",
    "m0-3.2l3 5.4h-6z", "m0-3.3l3.3 3.3-3.3 3.3-3.3-3.3z", "m-3.3-3h6.6l-3.3 5.6z",
    "m-3.3 0h6.6m-3.3-3.3v6.6", "m-2.5-2.5l5 5m0-5l-5 5",
    "m-2.6 0a2.6 2.6 0 1 0 5.2 0a2.6 2.6 0 1 0-5.2 0", "m-2.3-2.3h4.6v4.6h-4.6z",
    "m0-3.3l3.3 3.3-3.3 3.3-3.3-3.3z"};

/* The mark of class `kind` has a shape for each of ten classes, and other colours for the next. */
static int mark_colour(int kind) { return (kind + kind / CHART_KINDS) % CHART_KINDS; }

static void chart_mark(text *t, const chart *c, double x, double y, int kind)
{
    if (in_chart(c, x, y))
        text_print(t, "M%.1f %.1f%s", chart_x(c, x), chart_y(c, y),
                   chart_marks[kind % CHART_KINDS]);
}

static void chart_marks_begin(text *t, int kind)
{
    text_print(t, "<path class=\"marks c%d%s\" d=\"M0 0", mark_colour(kind),
               kind % CHART_KINDS > 6 ? " hollow" : "");
}

static void chart_marks_end(text *t) { text_print(t, "\"/>\n"); }

/* Words at a point of the chart. */
static void chart_words(text *t, const chart *c, double x, double y, const char *words)
{
    const double at = chart_x(c, x);
    const int right = at > CHART_RIGHT - 90;
    text_print(t, "<text class=\"tag%s\" x=\"%.1f\" y=\"%.1f\">", right ? " end" : "",
               right ? at - 7 : at + 7, chart_y(c, y) - 6);
    page_words(t, words);
    text_print(t, "</text>\n");
}

/* A legend below a chart: a line, or a mark, and what it stands for. */
static void legend_line(text *t, int kind, int dashes, const char *words, const char *more)
{
    text_print(t, "<li><svg class=\"key\" viewBox=\"0 0 28 10\" aria-hidden=\"true\"><path "
               "class=\"line c%d d%d\" d=\"M1 5H27\"/></svg>", kind % CHART_KINDS, dashes);
    page_words(t, words);
    text_print(t, "%s</li>\n", more);
}

static void legend_mark(text *t, int kind, const char *words)
{
    text_print(t, "<li><svg class=\"key dot\" viewBox=\"0 0 10 10\" aria-hidden=\"true\"><path "
               "class=\"marks c%d%s\" d=\"M5 5%s\"/></svg>", mark_colour(kind),
               kind % CHART_KINDS > 6 ? " hollow" : "", chart_marks[kind % CHART_KINDS]);
    page_words(t, words);
    text_print(t, "</li>\n");
}

/* A histogram of values in bars of equal width. */
static void chart_histogram(text *t, const double *values, size_t count, const char *name,
                            const char *says)
{
    enum { BARS = 40 };
    size_t bars[BARS] = {0}, most = 1;
    double low = values[0], high = values[0];
    chart c = {0, 0, 0, 0, AXIS_PLAIN, name, "images"};
    for (size_t i = 1; i < count; i++) {
        if (values[i] < low) low = values[i];
        if (values[i] > high) high = values[i];
    }
    chart_range(low, high, &c.left, &c.right);
    for (size_t i = 0; i < count; i++) {
        const int at = (int)between_edges(values[i], c.left, c.right, 0, BARS);
        if (++bars[at < BARS ? at : BARS - 1] > most) most = bars[at < BARS ? at : BARS - 1];
    }
    c.top = (double)most * 1.05;
    chart_begin(t, &c, says);
    text_print(t, "<path class=\"bars\" d=\"");
    for (int i = 0; i < BARS; i++) {
        const double width = (double)(CHART_RIGHT - CHART_LEFT) / BARS;
        const double y = chart_y(&c, (double)bars[i]);
        if (bars[i])
            text_print(t, "M%.1f %dV%.1fh%.1fV%dz", CHART_LEFT + width * i, CHART_BOTTOM, y,
                       width - 0.8, CHART_BOTTOM);
    }
    text_print(t, "\"/>\n");
    chart_end(t);
}

/* ---- the page ---- */

/* In pieces: C99 promises strings of 4095 characters. */
static const char *const page_style[] = {
    ":root{color-scheme:light dark;--paper:#fbfaf7;--card:#fff;--ink:#1c1f24;--soft:#5d6470;"
    "--rule:#e2dfd8;--grid:#ecebe6;--accent:#2457b8;--good:#dfe9fb;--k0:#2563c9;--k1:#c9650a;"
    "--k2:#23804c;--k3:#c12d38;--k4:#7748c4;--k5:#855321;--k6:#bb4490;--k7:#5f6673;--k8:#7f7a10;"
    "--k9:#0f8599}\n"
    "@media(prefers-color-scheme:dark){:root{--paper:#14161a;--card:#1c1f25;--ink:#e8e6e1;"
    "--soft:#a2a9b5;--rule:#31353d;--grid:#292d34;--accent:#8ab4ff;--good:#223152;--k0:#78a9ff;"
    "--k1:#f5a052;--k2:#5ec78d;--k3:#f58488;--k4:#b69bf5;--k5:#cfa477;--k6:#ec92c9;--k7:#abb2bd;"
    "--k8:#cdc75c;--k9:#5accdd}}\n"
    "*{box-sizing:border-box}\n"
    "html{scroll-behavior:smooth;-webkit-text-size-adjust:100%}\n"
    "body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"
    "\"Segoe UI\",Roboto,\"Helvetica Neue\",\"DejaVu Sans\",sans-serif}\n"
    "header,main,footer{max-width:1240px;margin:0 auto;padding:0 20px}\n"
    "header{padding-top:36px}\n"
    "h1{font-size:clamp(1.5rem,4vw,2.2rem);line-height:1.15;margin:0 0 6px;letter-spacing:-.015em;"
    "overflow-wrap:anywhere}\n"
    "h2{font-size:1.3rem;margin:0 0 4px;letter-spacing:-.01em}\n"
    "h3{font-size:1rem;margin:0 0 2px;overflow-wrap:anywhere}\n"
    "p{margin:0 0 10px}.soft,.how{color:var(--soft)}.how{font-size:.875rem;max-width:80ch;"
    "overflow-wrap:break-word}\n"
    "nav{display:flex;flex-wrap:wrap;gap:6px 8px;margin:16px 0 0;padding:0;font-size:.875rem}\n"
    "nav a{color:var(--accent);text-decoration:none;border:1px solid var(--rule);"
    "border-radius:99px;"
    "padding:2px 11px;background:var(--card)}nav a:hover{border-color:var(--accent)}\n",
    "dl.stats{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;"
    "margin:20px 0 0}dl.stats>div{background:var(--card);border:1px solid var(--rule);"
    "border-radius:12px;padding:12px 16px}dt{font-size:.8125rem;color:var(--soft)}"
    "dd{margin:2px 0 0;font-size:1.6rem;line-height:1.15;font-weight:650;letter-spacing:-.02em;"
    "font-variant-numeric:tabular-nums}dd small{font-size:.8rem;font-weight:400;letter-spacing:0;"
    "color:var(--soft)}\n"
    "@media(min-width:1000px){.one{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));"
    "column-gap:28px}.one .wide{grid-column:1/-1}}\n"
    "section{margin:30px 0 0;padding:22px 0 0;border-top:1px solid var(--rule)}\n"
    ".models{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));"
    "gap:18px;margin-top:14px}\n"
    "figure,.card{margin:0;background:var(--card);border:1px solid var(--rule);border-radius:12px;"
    "padding:16px;min-width:0}\n"
    "figcaption{margin-top:12px;font-size:.9rem;overflow-wrap:break-word}\n"
    "figcaption b{font-weight:650}\n"
    "figure>svg{display:block;width:100%;max-width:560px;height:auto;margin:0 auto}\n"
    "svg text{font:12px system-ui,-apple-system,\"Segoe UI\",Roboto,\"DejaVu Sans\",sans-serif;"
    "fill:var(--soft)}svg .mid{text-anchor:middle}svg .end{text-anchor:end}"
    "svg .name{fill:var(--ink)}\n"
    "svg .tag{fill:var(--ink);font-weight:650;paint-order:stroke;stroke:var(--card);"
    "stroke-width:3.5px;stroke-linejoin:round}\n"
    ".whole{white-space:nowrap}"
    ".grid{stroke:var(--grid);fill:none}.axis{stroke:var(--soft);fill:none}"
    ".line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}"
    ".mean{stroke:var(--ink);stroke-width:2.5;fill:none}"
    ".d1{stroke-dasharray:2 5}.d2{stroke-dasharray:8 5}"
    ".iso{stroke:var(--soft);stroke-dasharray:1 4;"
    "fill:none}\n"
    ".marks{stroke-width:1.1}.hollow{fill:none}.bars{fill:var(--k0)}"
    ".idle{fill:none;stroke:var(--soft)}.rest{fill:var(--k1)}\n"
    ".c0{stroke:var(--k0)}.c1{stroke:var(--k1)}.c2{stroke:var(--k2)}.c3{stroke:var(--k3)}"
    ".c4{stroke:var(--k4)}.c5{stroke:var(--k5)}.c6{stroke:var(--k6)}.c7{stroke:var(--k7)}"
    ".c8{stroke:var(--k8)}.c9{stroke:var(--k9)}\n",
    ".marks:not(.hollow).c0{fill:var(--k0)}.marks:not(.hollow).c1{fill:var(--k1)}"
    ".marks:not(.hollow).c2{fill:var(--k2)}.marks:not(.hollow).c3{fill:var(--k3)}"
    ".marks:not(.hollow).c4{fill:var(--k4)}.marks:not(.hollow).c5{fill:var(--k5)}"
    ".marks:not(.hollow).c6{fill:var(--k6)}.marks:not(.hollow).c7{fill:var(--k7)}"
    ".marks:not(.hollow).c8{fill:var(--k8)}.marks:not(.hollow).c9{fill:var(--k9)}\n"
    ".legend{display:flex;flex-wrap:wrap;gap:2px 14px;list-style:none;margin:8px 0 0;padding:0;"
    "font-size:.8125rem;color:var(--soft);overflow-wrap:anywhere}.key{width:28px;height:10px;"
    "margin-right:5px}.key.dot{width:10px}\n"
    "img{display:block;max-width:100%;height:auto}img.pixels{image-rendering:pixelated}\n"
    "figure>img{margin:0 auto;border-radius:4px}\n"
    ".tiles{display:flex;flex-wrap:wrap;gap:12px 10px;justify-content:center}"
    ".tile{font-size:.75rem;line-height:1.3;color:var(--soft);text-align:center;"
    "font-variant-numeric:tabular-nums}.tile img{border-radius:4px;margin:0 auto 3px}\n"
    ".strip{display:grid;grid-template-columns:8.5em minmax(0,1fr);gap:2px 8px;align-items:center;"
    "font-size:.8125rem;color:var(--soft);font-variant-numeric:tabular-nums}"
    ".strip img{margin:1px 0;border-radius:3px}\n"
    "@media(max-width:520px){svg text{font-size:14px}.strip{grid-template-columns:minmax(0,1fr)}"
    ".strip br{display:none}.strip img{margin-bottom:7px}"
    "figure,.card{padding:12px}header,main,footer{padding-left:14px;padding-right:14px}}\n"
    ".scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.9rem;"
    "font-variant-numeric:tabular-nums}th,td{text-align:right;padding:5px 10px;border-bottom:1px "
    "solid var(--rule);vertical-align:top}th:first-child,td:first-child{text-align:left;"
    "padding-left:0}thead th{color:var(--soft);font-weight:500}td.best{background:var(--good);"
    "font-weight:650}.settings td{text-align:left;overflow-wrap:anywhere}"
    ".settings td:first-child{width:10em;color:var(--soft)}\n",
    "code,pre{font:.8125rem/1.5 ui-monospace,\"SF Mono\",Menlo,Consolas,\"DejaVu Sans Mono\","
    "monospace}pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--paper);border:1px "
    "solid var(--rule);border-radius:8px;padding:10px 12px;margin:8px 0}\n"
    "details>summary{cursor:pointer;color:var(--accent);font-size:.875rem}\n"
    "footer{color:var(--soft);font-size:.8125rem;padding-top:26px;padding-bottom:40px}\n"
    "@media print{nav{display:none}figure,.card{break-inside:avoid}}\n"};

static void page_begin(text *t, const char *title)
{
    text_print(t, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
               "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
    page_words(t, title);
    text_print(t, "</title>\n<style>\n");
    for (size_t i = 0; i < sizeof page_style / sizeof *page_style; i++)
        text_print(t, "%s", page_style[i]);
    text_print(t, "</style>\n</head>\n<body>\n");
}

static void page_end(text *t) { text_print(t, "</body>\n</html>\n"); }

#endif
