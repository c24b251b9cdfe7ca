/* ======================================================================================
 * sheets.h   pictures of many images side by side
 * uses: platform.h screen.h text.h targets.h picture.h options.h models.h
 * tests: tests/test_tool.sh, tests/test_images.c
 * ==================================================================================== */
#ifndef VAE_TOOL_SHEETS_H
#define VAE_TOOL_SHEETS_H
#include "platform.h"
#include "screen.h"
#include "text.h"
#include "targets.h"
#include "picture.h"
#include "options.h"
#include "models.h"

/* A PNG of many images side by side. */
typedef struct sheet {
    size_t count, columns, height, width, channels, zoom;
} sheet;

/* How an image is drawn: one whose shape was given as a number is a square or a line. */
static sheet image_shape(const use *u)
{
    sheet s = {0, 0, 0, 0, 0, 1};
    s.height = u->info.height, s.width = u->info.width, s.channels = u->info.channels;
    if (s.height == 1 && s.width == 1) {
        size_t side = 1;
        while (side * side < s.channels) side++;
        if (side * side == s.channels) s.height = s.width = side;
        else s.width = s.channels;
        s.channels = 1;
    }
    return s;
}

/* The picture of `count` images; one that is too large is refused before the work. */
static sheet plan_sheet(const use *u, const options *o, size_t count, size_t columns)
{
    sheet s = image_shape(u);
    int width, height;
    s.count = count, s.columns = columns < count ? columns : count;
    if (s.channels != 1 && s.channels != 3)
        die(FAILED, "images of %s have %zu channels, and a picture has 1 or 3%s", o->operand,
            s.channels, o->command == DECODE ? ": name a file in .npy" : "");
    if (o->zoom) s.zoom = (size_t)o->zoom;
    else while (s.zoom < 8
                && (s.zoom + 1) * (s.height > s.width ? s.height : s.width) <= 64) s.zoom++;
    while (!picture_grid_size((int)count, (int)s.height, (int)s.width, (int)s.channels,
                              (int)s.columns, (int)s.zoom, &width, &height)) {
        const size_t rows = (count + s.columns - 1) / s.columns;
        if (!o->zoom && s.zoom > 1) {
            s.zoom--;
            continue;
        }
        die(MISUSED, "%zu images of %zu x %zu pixels%s, %zu side by side, make a picture of %.0f x "
            "%.0f, more than the %u bytes that one may have: ask for fewer%s", count, s.height,
            s.width, o->zoom > 1 ? ", enlarged" : "", s.columns,
            (double)s.columns * ((double)s.width * (double)s.zoom + PICTURE_GAP) + PICTURE_GAP,
            (double)rows * ((double)s.height * (double)s.zoom + PICTURE_GAP) + PICTURE_GAP,
            PICTURE_MAX_BYTES, o->zoom > 1 ? ", or a smaller --zoom" : "");
    }
    return s;
}

/* images (count, input_dim), as planned */
static void save_pictures(const options *o, const float *images, const sheet *s)
{
    text t = {NULL, 0, 0};
    uint8_t *bytes;
    const char *error = picture_grid_png(images, (int)s->count, (int)s->height, (int)s->width,
                                         (int)s->channels, (int)s->columns, (int)s->zoom, &bytes,
                                         &t.count);
    if (error) die(FAILED, "%s cannot be written: %s", o->out, error);
    t.at = (char *)bytes, t.room = t.count;
    text_save(&t, o->out);
    say("wrote %s: %zu images, %zu side by side\n", o->out, s->count, s->columns);
}

/* --columns, or what makes the picture about square */
static size_t columns_for(const options *o, size_t count)
{
    size_t side = 1;
    while (side * side < count) side++;
    return o->columns ? (size_t)o->columns : side;
}

/* Images on their way, in portions: a bar on a terminal, and an end at a signal. */
typedef struct portions {
    size_t total, done, rows;
    double mark, drawn;
} portions;

/* How many of `most` images come next: so many that they take about a quarter of a second. `most`
 * 0: all are done. Nothing has been written when a signal ends this. */
static size_t next_portion(portions *p, const options *o, size_t most)
{
    const double t = now();
    const int full = p->total ? (int)(30.0 * (double)p->done / (double)p->total) : 0;
    char line[128];
    if (interrupted) die(128 + interrupted, "stopped; %s is not written", o->out);
    training = most > 0; /* signals are heard at the next portion */
    if (!most) screen_clear();
    else if (screen.terminal && p->done && t - p->drawn > 0.1) {
        snprintf(line, sizeof line, "drawing [%.*s%.*s] %zu of %zu images", full,
                 "##############################", 30 - full, "..............................",
                 p->done, p->total);
        screen_line(line, 0);
        p->drawn = t;
    }
    if (!p->rows) p->rows = 4;
    else if (t - p->mark < 0.12 && p->rows < 4096) p->rows *= 2;
    else if (t - p->mark > 0.5 && p->rows > 4) p->rows /= 2;
    if (most > p->rows) most = p->rows;
    p->mark = t, p->done += most;
    return most;
}

/* Rows at .. at + rows - 1 of a batch; `width` numbers of x belong to each. */
static vae_batch portion_of(const vae_batch *b, size_t at, size_t rows, size_t width)
{
    vae_batch part = *b;
    part.x += at * width, part.rows = rows;
    if (part.index) part.index += at;
    else part.first += (uint32_t)at;
    if (part.label_count > 1) part.labels += at, part.label_count = rows;
    return part;
}

/* Images of the codes in b: their means or, with --draw, draws. A decoder with a layer `image`
 * draws pixel by pixel or, with --mode, takes the most probable pixels. Where pictures are to be
 * compared, all have the same noise. `first`: number of the first row, for messages. */
static void make_images(const use *u, const options *o, const vae_batch *b, size_t first,
                        portions *p, float *x)
{
    const int draws = u->info.by_pixel ? !o->mode : o->draw;
    const int same = o->command & (INTERPOLATE | MANIFOLD | TRAVERSE);
    uint32_t *zeros = same ? (uint32_t *)need(b->rows, sizeof *zeros) : NULL;
    vae_batch all = *b;
    vae_batch part;
    if (same) all.index = zeros; /* need() gives zeros */
    for (size_t at = 0, rows; at < b->rows; at += rows) {
        float *to = x + at * u->info.input_dim;
        rows = next_portion(p, o, b->rows - at);
        part = portion_of(&all, at, rows, u->info.code);
        check_on(o->in ? o->in : o->data ? u->data.name : o->operand, first + at, u->model,
                 draws ? vae_draw(u->model, &part, o->seed, to) : vae_decode(u->model, &part, to));
    }
    free(zeros);
}

/* Codes decoded to a picture, as planned; b->rows is s->count. */
static void save_decoded(const use *u, const options *o, const vae_batch *b, const sheet *s)
{
    float *x = floats(s->count, u->info.input_dim);
    portions p = {0, 0, 0, 0, 0};
    p.total = b->rows;
    make_images(u, o, b, 0, &p, x);
    next_portion(&p, o, 0);
    save_pictures(o, x, s);
    free(x);
}

#endif
