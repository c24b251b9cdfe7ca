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

/* Images of the codes in b: their means or, with --draw, draws. A decoder with a layer `image`
 * draws pixel by pixel or, with --mode, takes the most probable pixels. */
static vae_status make_images(const use *u, const options *o, const vae_batch *b, float *x)
{
    const int draws = u->info.by_pixel ? !o->mode : o->draw;
    return draws ? vae_draw(u->model, b, o->seed, x) : vae_decode(u->model, b, x);
}

/* Codes decoded to a picture, as planned; b->rows is s->count. */
static void save_decoded(const use *u, const options *o, const vae_batch *b, const sheet *s)
{
    float *x = floats(s->count, u->info.input_dim);
    check_on(o->in ? o->in : o->operand, 0, u->model, make_images(u, o, b, x));
    save_pictures(o, x, s);
    free(x);
}

#endif
