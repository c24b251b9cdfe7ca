/* The built-in set of coloured shapes: tools/shapes.h. */
#include "../tools/shapes.h"
#include "test.h"

static uint64_t shapes_hash(const uint8_t *bytes, size_t count) {
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    size_t i;
    for (i = 0; i < count; i++) hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}

TEST(shapes_are_the_same_bytes_everywhere) {
    static uint8_t pixels[48 * SHAPES_BYTES], factors[48 * SHAPES_FACTORS];
    shapes_fill(1, 0, 48, pixels, factors);
    CHECK(shapes_hash(pixels, sizeof pixels) == 0x9e7c32ed7b1e3494u);
    CHECK(shapes_hash(factors, sizeof factors) == 0x0ac50157c39a161bu);
    shapes_fill(0xFEDCBA9876543210u, SHAPES_TEST, 48, pixels, factors);
    CHECK(shapes_hash(pixels, sizeof pixels) == 0xb6c35932f31daa9cu);
    CHECK(shapes_hash(factors, sizeof factors) == 0x1d46e0b72a20db39u);
}

TEST(shapes_depend_on_seed_and_index_only) {
    static uint8_t run[7 * SHAPES_BYTES], one[SHAPES_BYTES], again[SHAPES_BYTES];
    uint8_t factors[7 * SHAPES_FACTORS], f[SHAPES_FACTORS];
    uint32_t i;
    shapes_fill(5, 100, 7, run, factors);
    for (i = 7; i-- > 0;) {
        memset(one, 0xA5, sizeof one);
        shapes_fill(5, 100 + i, 1, one, NULL);
        CHECK(!memcmp(one, run + i * SHAPES_BYTES, SHAPES_BYTES));
        shapes_factors(5, 100 + i, f);
        CHECK(!memcmp(f, factors + i * SHAPES_FACTORS, SHAPES_FACTORS));
        shapes_draw(f, again);
        CHECK(!memcmp(one, again, sizeof one));
    }
    shapes_fill(6, 100, 1, one, NULL);
    CHECK(memcmp(one, run, sizeof one) != 0);
    /* beyond the last image the first one comes again */
    shapes_fill(5, SHAPES_COUNT - 1, 2, run, NULL);
    shapes_fill(5, 0, 1, one, NULL);
    CHECK(!memcmp(run + SHAPES_BYTES, one, sizeof one));
    shapes_fill(5, 4854u * SHAPES_COUNT, 1, run, NULL);
    CHECK(!memcmp(run, one, sizeof one));
}

TEST(shapes_factors_keep_their_ranges_and_are_uniform_and_independent) {
    enum { N = 20000 };
    static int pairs[SHAPES_FACTORS][SHAPES_FACTORS][16][16];
    uint32_t product = 1, i;
    int a, b, v, w;
    memset(pairs, 0, sizeof pairs);
    for (a = 0; a < SHAPES_FACTORS; a++) product *= shapes_values(a);
    CHECK_EQ(product, SHAPES_COUNT);
    CHECK_EQ(shapes_values(-1) + shapes_values(SHAPES_FACTORS), 0);
    for (i = 0; i < N; i++) {
        uint8_t f[SHAPES_FACTORS];
        shapes_factors(1, i, f);
        for (a = 0; a < SHAPES_FACTORS; a++) {
            CHECK(f[a] < shapes_values(a));
            for (b = 0; b < SHAPES_FACTORS; b++) pairs[a][b][f[a] & 15][f[b] & 15]++;
        }
    }
    /* counts of two values within 6 deviations, sqrt(expected), of what independence gives */
    for (a = 0; a < SHAPES_FACTORS; a++)
        for (b = 0; b < SHAPES_FACTORS; b++)
            for (v = 0; v < (int)shapes_values(a); v++)
                for (w = 0; w < (int)shapes_values(b); w++) {
                    double want = (double)N / shapes_values(a) / (a == b ? 1 : shapes_values(b));
                    if (a == b && v != w) CHECK_EQ(pairs[a][b][v][w], 0);
                    else CHECK_NEAR(pairs[a][b][v][w], want, 6 * sqrt(want));
                }
}

TEST(shapes_of_training_and_testing_never_meet) {
    static uint8_t seen[SHAPES_COUNT / 8];
    uint32_t i, parts = test_long ? SHAPES_COUNT : 20000;
    int twice = 0;
    memset(seen, 0, sizeof seen);
    for (i = 0; i < parts; i++) {
        uint64_t number = 0;
        uint8_t f[SHAPES_FACTORS];
        int k;
        shapes_factors(9, test_long ? i : i % 2 ? SHAPES_TEST + i : i, f);
        for (k = SHAPES_FACTORS; k-- > 0;) number = number * shapes_values(k) + f[k];
        twice += seen[number / 8] >> number % 8 & 1;
        seen[number / 8] = (uint8_t)(seen[number / 8] | 1 << number % 8);
    }
    CHECK_EQ(twice, 0);
}

/* Sums of what stands out from the ground: how much, and where its middle is. */
static void shapes_measure(const uint8_t factors[SHAPES_FACTORS], double *area, double *x,
                           double *y, int *touches) {
    static uint8_t pixels[SHAPES_BYTES], ground[SHAPES_BYTES];
    uint8_t other[SHAPES_FACTORS];
    double sum = 0, sx = 0, sy = 0;
    int i;
    /* the ground of a row, from the columns that a small shape in a corner leaves free */
    memset(other, 0, sizeof other);
    shapes_draw(other, ground);
    for (i = 0; i < SHAPES_HEIGHT; i++) {
        int k;
        for (k = 0; k < 31; k++)
            memcpy(ground + (i * 32 + k) * 3, ground + (i * 32 + 31) * 3, 3);
    }
    shapes_draw(factors, pixels);
    *touches = 0;
    for (i = 0; i < 1024; i++) { /* green at hue 4: 245 where the shape is */
        double part = (pixels[3 * i + 1] - ground[3 * i + 1]) / (245.0 - ground[3 * i + 1]);
        sum += part, sx += part * (i % 32 + 0.5), sy += part * (i / 32 + 0.5);
        if (part > 0 && (i % 32 == 0 || i % 32 == 31 || i / 32 == 0 || i / 32 == 31))
            *touches += part > 0.99;
    }
    *area = sum, *x = sx / sum, *y = sy / sum;
}

TEST(shapes_have_the_size_and_the_place_of_their_factors) {
    int shape, size, at, touches;
    for (shape = 0; shape < 3; shape++)
        for (size = 0; size < 6; size++)
            for (at = 0; at < 16; at++) {
                uint8_t f[SHAPES_FACTORS] = {0};
                double area, x, y, step = 816 / 1024.0;
                f[SHAPES_SHAPE] = (uint8_t)shape, f[SHAPES_SIZE] = (uint8_t)size;
                f[SHAPES_ANGLE] = (uint8_t)((at * 5 + 3) % 16);
                f[SHAPES_X] = (uint8_t)at, f[SHAPES_Y] = (uint8_t)(15 - at), f[SHAPES_HUE] = 4;
                shapes_measure(f, &area, &x, &y, &touches);
                /* pixels are rounded to 1/200 of the way to the colour: at most 150 of them here */
                CHECK_NEAR(sqrt(area), 6 + size, 0.03);
                CHECK_NEAR(x, 16 + step * (at - 7.5), 0.03);
                CHECK_NEAR(y, 16 + step * (7.5 - at), 0.03);
                CHECK_EQ(touches, 0);
            }
}

TEST(shapes_take_any_bytes_as_factors) {
    static uint8_t wild[SHAPES_BYTES], last[SHAPES_BYTES];
    static const uint8_t all[SHAPES_FACTORS] = {255, 255, 255, 255, 255, 255};
    static const uint8_t most[SHAPES_FACTORS] = {2, 5, 15, 15, 15, 11};
    shapes_draw(all, wild);
    shapes_draw(most, last);
    CHECK(!memcmp(wild, last, sizeof wild));
}

TESTS(shapes) {
    RUN(shapes_are_the_same_bytes_everywhere);
    RUN(shapes_depend_on_seed_and_index_only);
    RUN(shapes_factors_keep_their_ranges_and_are_uniform_and_independent);
    RUN(shapes_of_training_and_testing_never_meet);
    RUN(shapes_have_the_size_and_the_place_of_their_factors);
    RUN(shapes_take_any_bytes_as_factors);
}
