/* The built-in set of faces: tools/faces.h. */
#include "test.h"
#include "../tools/faces.h"

static uint64_t faces_hash(const uint8_t *bytes, size_t count) {
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    size_t i;
    for (i = 0; i < count; i++) hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}

TEST(faces_are_the_same_bytes_everywhere) {
    static uint8_t pixels[48 * FACES_BYTES], factors[48 * FACES_FACTORS];
    faces_fill(1, 0, 48, pixels, factors);
    CHECK(faces_hash(pixels, sizeof pixels) == 0x49ac6dc95567b29cu);
    CHECK(faces_hash(factors, sizeof factors) == 0x6772a577940319a7u);
    faces_fill(0xFEDCBA9876543210u, FACES_TEST, 48, pixels, factors);
    CHECK(faces_hash(pixels, sizeof pixels) == 0xcd3a20c7e86bc931u);
}

TEST(faces_depend_on_seed_and_index_only) {
    static uint8_t run[7 * FACES_BYTES], one[FACES_BYTES], again[FACES_BYTES];
    uint8_t factors[7 * FACES_FACTORS], f[FACES_FACTORS];
    uint32_t i;
    faces_fill(5, 100, 7, run, factors);
    for (i = 7; i-- > 0;) {
        memset(one, 0xA5, sizeof one);
        faces_fill(5, 100 + i, 1, one, NULL);
        CHECK(!memcmp(one, run + i * FACES_BYTES, FACES_BYTES));
        faces_factors(5, 100 + i, f);
        CHECK(!memcmp(f, factors + i * FACES_FACTORS, FACES_FACTORS));
        faces_draw(f, again);
        CHECK(!memcmp(one, again, sizeof one));
    }
    faces_fill(6, 100, 1, one, NULL);
    CHECK(memcmp(one, run, sizeof one) != 0);
    /* beyond the last image the first one comes again */
    faces_fill(5, FACES_COUNT - 1, 2, run, NULL);
    faces_fill(5, 0, 1, one, NULL);
    CHECK(!memcmp(run + FACES_BYTES, one, sizeof one));
}

TEST(faces_factors_have_all_values_and_each_value_another_image) {
    uint32_t product = 1, i;
    int k;
    for (k = 0; k < FACES_FACTORS; k++) product *= faces_values(k);
    CHECK_EQ(product, FACES_COUNT);
    CHECK_EQ(faces_values(-1) + faces_values(FACES_FACTORS), 0);
    for (i = 0; i < 300; i++) { /* one factor changed, all others kept */
        static uint8_t image[FACES_BYTES], changed[FACES_BYTES];
        uint8_t f[FACES_FACTORS];
        faces_factors(1, i, f);
        faces_draw(f, image);
        k = (int)(i % FACES_FACTORS);
        f[k] = (uint8_t)((f[k] + 1) % faces_values(k));
        faces_draw(f, changed);
        CHECK(memcmp(image, changed, sizeof image) != 0);
    }
    for (i = 0; i < 2000; i++) {
        uint8_t f[FACES_FACTORS];
        static int seen[FACES_FACTORS][8];
        faces_factors(1, i, f);
        for (k = 0; k < FACES_FACTORS; k++) {
            CHECK(f[k] < faces_values(k));
            seen[k][f[k] & 7]++;
        }
        for (k = 0; i == 1999 && k < FACES_FACTORS; k++)
            CHECK(seen[k][faces_values(k) - 1] > 1600 / (int)faces_values(k));
    }
}

TESTS(faces) {
    RUN(faces_are_the_same_bytes_everywhere);
    RUN(faces_depend_on_seed_and_index_only);
    RUN(faces_factors_have_all_values_and_each_value_another_image);
}
