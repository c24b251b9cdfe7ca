/* Figures: tools/figures.h. */
#include "../tools/picture.h"
#include "../tools/figures.h"
#include "test.h"

static size_t figures_ink(const figure *f) { /* pixels that are not white */
    size_t count = 0, i;
    for (i = 0; i < (size_t)f->width * (size_t)f->height * 3; i += 3)
        count += f->rgb[i] < 255 || f->rgb[i + 1] < 255 || f->rgb[i + 2] < 255;
    return count;
}

TEST(figures_draw_every_letter_within_its_width) {
    int code;
    for (code = 33; code < 127 + (int)(sizeof figure__others / sizeof *figure__others); code++) {
        figure *f = figure_new(40, 40, NULL, NULL);
        const char ascii[] = {(char)code, 0}, *letter = ascii;
        const char *path = code < 127 ? figure__letter(&letter) : figure__others[code - 127].path;
        int x, y, wide = figure__path_width(path);
        CHECK(f != NULL);
        if (!f) return;
        figure__path(f, path, 10.5, 10.5, 1, 0.6, 0);
        figure__ink(f, 0, 1);
        CHECK(figures_ink(f) > 0);
        for (y = 0; y < 40; y++)
            for (x = 0; x < 40; x++) /* with one pixel for the pen */
                if (x < 9 || x > 11 + wide || y < 9 || y > 23)
                    CHECK(f->rgb[(y * 40 + x) * 3] == 255);
        figure_free(f);
    }
}

TEST(figures_measure_texts_as_they_draw_them) {
    CHECK(figure_text_width("", 1) == 0);
    CHECK(figure_text_width("A", 1) == 7);              /* columns 0 to 6 */
    CHECK(figure_text_width("AA", 1) == 16);            /* and 2 between them */
    CHECK(figure_text_width("AA", 2) == 32);
    CHECK(figure_text_width(FIGURE_MU, 1) == 5);        /* two bytes, one letter */
    CHECK(figure_text_width("\xff\xfe", 1) == 14);      /* no UTF-8: two boxes */
    CHECK(figure_text_width("\xce", 1) > 0);            /* cut off: not read beyond the end */
}

TEST(figures_have_round_ticks_with_room_between) {
    static const double limits[][2] = {{0, 1}, {-3, 3}, {0.11, 0.12}, {0, 30000}, {-1e-7, 2e-7},
                                       {99.5, 100.5}, {5, 5.000001}, {-1e12, 1e12}};
    size_t i;
    for (i = 0; i < sizeof limits / sizeof *limits; i++) {
        double ticks[FIGURE__TICKS], step, wide = 0, span = limits[i][1] - limits[i][0];
        int k, n = figure__ticks(limits[i], 400, 0, 1, ticks);
        CHECK(n >= 2 && n <= 13);
        step = ticks[1] - ticks[0];
        for (k = 0; k < n; k++) {
            char text[40];
            figure__label(ticks[k], 0, text, sizeof text);
            wide = figure__max(wide, figure_text_width(text, 1));
            CHECK(ticks[k] >= limits[i][0] - 1e-6 * span && ticks[k] <= limits[i][1] + 1e-6 * span);
            if (k) CHECK_NEAR(ticks[k] - ticks[k - 1], step, 1e-6 * span);
        }
        if (n > 2) CHECK(wide + 10 < step / span * 400);
    }
}

TEST(figures_keep_curves_and_points_within_their_axes) {
    const double x[] = {-50, 0.2, 1e300, 0.5, 70}, y[] = {9, -9, 0.5, 1e200, -1e300};
    const float points[] = {0.5f, 0.5f, 1e30f, -1e30f, -5, 0.5f};
    const int32_t labels[] = {0, 1, 7}; /* 7: no such class */
    figure *f = figure_new(300, 200, NULL, NULL), *empty = figure_new(300, 200, NULL, NULL);
    int i, k;
    CHECK(f && empty);
    if (!f || !empty) return;
    figure_axes(f, "x", 0, 1, "y", 0, 1, FIGURE_ROOM);
    figure_axes(empty, "x", 0, 1, "y", 0, 1, FIGURE_ROOM);
    figure_curve(f, x, y, 5, "curve");
    figure_scatter(f, points, 3, 2, labels, 2, NULL);
    CHECK(figures_ink(f) > figures_ink(empty) + 50);
    for (i = 0; i < 200; i++)
        for (k = 0; k < 300; k++) {
            const double *b = f->box;
            if (k >= b[0] - 5 && k <= b[2] + 5 && i >= b[1] - 5 && i <= b[3] + 5) continue;
            CHECK(!memcmp(f->rgb + (i * 300 + k) * 3, empty->rgb + (i * 300 + k) * 3, 3));
        }
    figure_free(f);
    figure_free(empty);
}

TEST(figures_take_limits_that_make_no_sense) {
    static const double limits[][2] = {{0, 0}, {1, -1}, {1e20, 1e20}, {-1e308, 1e308}, {1e15, 1e15 + 2}};
    size_t i;
    for (i = 0; i < 2 * sizeof limits / sizeof *limits; i++) {
        figure *f = figure_new(200, 150, "title", "note");
        const double *l = limits[i / 2];
        figure_panel(f, 0, 0, 1, 1, "panel");
        figure_axes(f, "x", l[0], l[1], "y", l[0], l[1], i % 2 ? FIGURE_LOG_X | FIGURE_LOG_Y : 0);
        figure_bars(f, l, 2, 0, 1, "%g", "bars");
        figure_rule(f, l[0], "rule", 0);
        figure_legend(f, FIGURE_TOP_LEFT);
        CHECK(figures_ink(f) > 0);
        figure_free(f);
    }
}

TEST(figures_without_memory_do_nothing_and_say_so) {
    figure *f = figure_new(0, 100, "title", NULL);
    const float image[1] = {1};
    figure_sheet sheet = {image, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL};
    CHECK(f == NULL);
    figure_panel(f, 0, 0, 1, 1, "panel");
    figure_axes(f, NULL, 0, 1, NULL, 0, 1, 0);
    figure_images(f, &sheet);
    figure_legend(f, FIGURE_BESIDE);
    figure_free(f);
    CHECK(figure_save(f, "build/never.png") != NULL);
}

TEST(figures_show_images_pixel_by_pixel) {
    static const float images[] = {0, 1, 1, 0, 1, 1, 1, 1}; /* two of 2 x 2 */
    figure *f = figure_new(60, 60, NULL, NULL);
    figure_sheet sheet = {images, 2, 2, 2, 1, 2, 5, 0, NULL, NULL, NULL};
    size_t i, black = 0;
    if (!f) return;
    figure_images(f, &sheet);
    for (i = 0; i < 60 * 60; i++) black += f->rgb[3 * i] == 0;
    CHECK(black == 2 * 5 * 5);
    figure_free(f);
}

TEST(figures_give_marks_on_a_map_a_light_edge) {
    static const float dark[] = {0}, point[] = {0.5f, 0.5f};
    int map;
    for (map = 0; map < 2; map++) {
        figure *f = figure_new(100, 100, NULL, NULL);
        double middle[2];
        int i, white = 0;
        if (!f) return;
        figure_panel(f, 0, 0, 1, 1, NULL);
        figure_axes(f, NULL, 0, 1, NULL, 0, 1, FIGURE_NO_GRID);
        if (map) figure_heat(f, dark, 1, 1, 0, 1, NULL);
        figure_scatter(f, point, 1, 2, NULL, 1, NULL);
        middle[0] = (f->box[0] + f->box[2]) / 2, middle[1] = (f->box[1] + f->box[3]) / 2;
        for (i = -6; i <= 6; i++) /* along a line through the mark */
            white += f->rgb[((int)middle[1] * 100 + (int)middle[0] + i) * 3] > 160;
        CHECK(map ? white >= 2 && white <= 4 : white >= 6);
        figure_panel(f, 0, 0, 1, 1, NULL);
        CHECK(!f->heat); /* the next axes have none */
        figure_free(f);
    }
}

TESTS(figures) {
    RUN(figures_draw_every_letter_within_its_width);
    RUN(figures_measure_texts_as_they_draw_them);
    RUN(figures_have_round_ticks_with_room_between);
    RUN(figures_keep_curves_and_points_within_their_axes);
    RUN(figures_take_limits_that_make_no_sense);
    RUN(figures_without_memory_do_nothing_and_say_so);
    RUN(figures_show_images_pixel_by_pixel);
    RUN(figures_give_marks_on_a_map_a_light_edge);
}
