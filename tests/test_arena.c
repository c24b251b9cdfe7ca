/* Sizes, blocks, the bump allocator, bytes and hashes, and the scalar helpers beneath them. */
#include "reference.h"

/* Whether a * b needs more digits than a size_t has, by schoolbook multiplication of halves. */
static int arena_product_overflows(size_t a, size_t b) {
    const int half = (int)sizeof(size_t) * 4;
    const size_t mask = ((size_t)1 << half) - 1;
    const size_t al = a & mask, ah = a >> half, bl = b & mask, bh = b >> half;
    size_t middle;
    if (ah && bh) return 1;
    middle = ah * bl + al * bh; /* one of the two is 0 */
    return middle > mask || (middle << half) + al * bl < al * bl;
}

TEST(sizes_are_multiplied_and_added_only_when_the_result_fits) {
    static const size_t edges[] = {0, 1, 2, 3, 4, 5, 63, 64, 65, 4095, 4096, 65535, 65536, 65537,
                                   ((size_t)1 << (sizeof(size_t) * 4)) - 1,
                                   (size_t)1 << (sizeof(size_t) * 4),
                                   ((size_t)1 << (sizeof(size_t) * 4)) + 1,
                                   SIZE_MAX / 3, SIZE_MAX / 2, SIZE_MAX / 2 + 1, SIZE_MAX - 1,
                                   SIZE_MAX};
    const size_t count = sizeof edges / sizeof edges[0];
    uint64_t state = 2;
    size_t i, j;
    for (i = 0; i < 4000; i++) {
        size_t a, b, out = 12345;
        if (i < count * count) {
            a = edges[i / count], b = edges[i % count];
        } else { /* widths that make about half of the products overflow */
            j = 1 + ref_pick(&state, 8 * sizeof(size_t) - 1);
            a = (size_t)ref_next(&state) >> (8 * sizeof(size_t) - j);
            b = (size_t)ref_next(&state) >> (j > 2 ? j - 2 : 0);
        }
        if (arena_product_overflows(a, b)) {
            CHECK(!vae__size_mul(a, b, &out));
            CHECK_EQ(out, 12345); /* untouched on failure */
        } else {
            CHECK(vae__size_mul(a, b, &out));
            CHECK(out == a * b);
        }
        out = 12345;
        if (a + b < a) {
            CHECK(!vae__size_add(a, b, &out));
            CHECK_EQ(out, 12345);
        } else {
            CHECK(vae__size_add(a, b, &out));
            CHECK(out == a + b);
        }
    }
}

/* The same pushes against any arena; pieces and sizes come back. */
static void arena_play(vae__arena *a, uint64_t seed, char *piece[20], size_t size[20]) {
    int i;
    for (i = 0; i < 20; i++) {
        const size_t width = (size_t)1 << ref_pick(&seed, 4), count = ref_pick(&seed, 100);
        size[i] = count * width;
        piece[i] = (char *)vae__push(a, count, width);
    }
}

TEST(counting_and_placing_agree_and_pieces_are_aligned_and_apart) {
    uint64_t seed;
    for (seed = 0; seed < 50; seed++) {
        vae__arena count, place;
        char *piece[20], *block, *base;
        size_t size[20], i, j;
        memset(&count, 0, sizeof count);
        arena_play(&count, seed, piece, size);
        CHECK(!count.failed);
        CHECK_EQ(count.used % 64, 0);
        for (i = 0; i < 20; i++) CHECK(piece[i] == NULL);
        block = (char *)ref_alloc(count.used + 63);
        base = block + ((64 - ((uintptr_t)block & 63)) & 63);
        memset(&place, 0, sizeof place);
        place.base = base, place.size = count.used;
        arena_play(&place, seed, piece, size);
        CHECK(!place.failed);
        CHECK_EQ(place.used, count.used);
        for (i = 0; i < 20; i++) {
            CHECK(piece[i] && (uintptr_t)piece[i] % 64 == 0);
            if (piece[i]) memset(piece[i], (int)i + 1, size[i]);
        }
        for (i = 0; i < 20; i++)
            for (j = 0; piece[i] && j < size[i]; j++) CHECK_EQ(piece[i][j], i + 1);
        memset(&place, 0, sizeof place); /* one byte less does not do */
        place.base = base, place.size = count.used - 1;
        arena_play(&place, seed, piece, size);
        CHECK(place.failed);
        free(block);
    }
}

TEST(a_push_that_fails_fails_for_good_and_changes_nothing_else) {
    static char block[256 + 63];
    vae__arena a;
    memset(&a, 0, sizeof a);
    a.base = block + ((64 - ((uintptr_t)block & 63)) & 63), a.size = 256;
    CHECK(vae__push(&a, 64, 1) == a.base);
    CHECK(vae__push(&a, 193, 1) == NULL); /* 64 + 193 > 256 */
    CHECK(a.failed);
    CHECK_EQ(a.used, 64);
    CHECK(vae__push(&a, 192, 1) == a.base + 64);
    CHECK(a.failed);
    CHECK_EQ(a.used, 256);
    CHECK(vae__push(&a, 1, 1) == NULL);
    CHECK_EQ(a.used, 256);
}

TEST(sizes_beyond_the_address_space_are_refused_even_when_only_counting) {
    static const size_t bad[][2] = {{SIZE_MAX, 1}, {SIZE_MAX - 62, 1}, {SIZE_MAX - 63, 1},
                                    {SIZE_MAX / 2 + 1, 1}, {SIZE_MAX / 4 + 1, 4}, {2, SIZE_MAX}};
    size_t i;
    vae__arena a;
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        memset(&a, 0, sizeof a);
        CHECK(vae__push(&a, bad[i][0], bad[i][1]) == NULL);
        CHECK(a.failed);
        CHECK_EQ(a.used, 0);
    }
    memset(&a, 0, sizeof a); /* each fits, the sum does not */
    vae__push(&a, (size_t)PTRDIFF_MAX / 2, 1);
    CHECK(!a.failed);
    vae__push(&a, (size_t)PTRDIFF_MAX / 2, 1);
    CHECK(a.failed);
    memset(&a, 0, sizeof a);
    (void)vae__push(&a, SIZE_MAX / 4 + 2, sizeof(float)); /* 4 x this wraps to a small number */
    CHECK(a.failed);
}

TEST(nothing_can_be_pushed_and_takes_no_room) {
    char block[64];
    vae__arena a;
    memset(&a, 0, sizeof a);
    CHECK(vae__push(&a, 0, 8) == NULL);
    CHECK(vae__push(&a, 8, 0) == NULL);
    CHECK_EQ(a.used, 0);
    CHECK(!a.failed);
    a.base = block, a.size = 0;
    CHECK(vae__push(&a, 0, 8) == block);
    CHECK(!a.failed);
}

typedef struct arena_user {
    size_t asked, given_back;
    int calls;
} arena_user;
static void *arena_hook_alloc(size_t size, void *user) {
    arena_user *u = (arena_user *)user;
    u->asked = size, u->calls++;
    return malloc(size);
}
static void arena_hook_release(void *p, size_t size, void *user) {
    arena_user *u = (arena_user *)user;
    u->given_back = size, u->calls++;
    free(p);
}

TEST(blocks_come_from_the_hooks_and_go_back_with_their_size) {
    static const size_t sizes[] = {0, 1, 100};
    vae_allocator a;
    arena_user u;
    size_t i;
    void *p;
    for (i = 0; i < 3; i++) {
        memset(&u, 0, sizeof u);
        a.alloc = arena_hook_alloc, a.release = arena_hook_release, a.user = &u;
        p = vae__alloc(&a, sizes[i]);
        CHECK(p != NULL);
        CHECK_EQ(u.asked, sizes[i] ? sizes[i] : 1);
        vae__release(&a, p, sizes[i]);
        CHECK_EQ(u.given_back, u.asked);
        CHECK_EQ(u.calls, 2);
        vae__release(&a, NULL, sizes[i]);
        CHECK_EQ(u.calls, 2);
    }
    memset(&a, 0, sizeof a); /* no hooks: VAE_MALLOC and VAE_FREE */
    p = vae__alloc(&a, 10);
    CHECK(p != NULL);
    vae__release(&a, p, 10);
    p = vae__alloc(NULL, 10);
    CHECK(p != NULL);
    vae__release(NULL, p, 10);
    a.alloc = arena_hook_alloc, a.user = &u; /* an arena of the caller's may have no release */
    p = vae__alloc(&a, 10);
    vae__release(&a, p, 10);
    free(p);
}

TEST(words_are_read_from_little_endian_bytes) {
    static const unsigned char bytes[] = {0xff, 0x01, 0x82, 0x03, 0xf4};
    CHECK_EQ(vae__get_le32(bytes), 0x038201ffu);
    CHECK_EQ(vae__get_le32(bytes + 1), 0xf4038201u); /* no alignment asked */
}

TEST(the_hash_is_fnv_1a) {
    CHECK(vae__hash(VAE__FNV, "", 0) == 0xcbf29ce484222325u);
    CHECK(vae__hash(VAE__FNV, "a", 1) == 0xaf63dc4c8601ec8cu);
    CHECK(vae__hash(VAE__FNV, "foobar", 6) == 0x85944171f73967e8u);
    CHECK(vae__hash(vae__hash(VAE__FNV, "foo", 3), "bar", 3) == 0x85944171f73967e8u);
    CHECK(vae__hash(VAE__FNV, "\0", 1) == 0xaf63bd4c8601b7dfu);
}

TEST(floats_hash_as_their_little_endian_bytes_and_all_nans_are_one) {
    static const unsigned char bytes[] = {0x00, 0x00, 0x80, 0x3f, 0x00, 0x00, 0x20, 0xc0,
                                          0x00, 0x00, 0x00, 0x80, 0x01, 0x00, 0x00, 0x00,
                                          0x00, 0x00, 0x80, 0x7f, 0x00, 0x00, 0xc0, 0x7f};
    static const uint32_t nans[] = {0x7fc00000u, 0xffc00000u, 0x7f800001u, 0xffffffffu,
                                    0x7fa00000u};
    float x[6];
    size_t i;
    x[0] = 1, x[1] = -2.5f, x[2] = vae__float_of(0x80000000u), x[3] = vae__float_of(1);
    x[4] = vae__float_of(0x7f800000u);
    for (i = 0; i < 5; i++) {
        memcpy(&x[5], &nans[i], 4);
        CHECK(vae__hash_floats(VAE__FNV, x, 6) == vae__hash(VAE__FNV, bytes, sizeof bytes));
    }
    CHECK(vae__hash_floats(VAE__FNV, x, 0) == VAE__FNV);
    CHECK(vae__hash_floats(vae__hash_floats(VAE__FNV, x, 2), x + 2, 4) ==
          vae__hash_floats(VAE__FNV, x, 6));
    memset(&x[2], 0, sizeof x[2]); /* the sign of a zero counts */
    CHECK(vae__hash_floats(VAE__FNV, x, 6) != vae__hash(VAE__FNV, bytes, sizeof bytes));
}

TEST(the_square_root_is_correctly_rounded) {
    uint64_t state = 3, e;
    int i;
    CHECK(vae__bits_d(vae__sqrt_d(0.0)) == 0);
    CHECK(vae__sqrt_d(1) == 1 && vae__sqrt_d(4) == 2 && vae__sqrt_d(0.25) == 0.5);
    for (i = 0; i < 1000000; i++) {
        uint64_t u = ref_next(&state) >> 1; /* any double >= 0 */
        double d, got;
        if (i % 4 == 1) u &= 0x000fffffffffffffu;            /* subnormals */
        if (i % 4 == 2) u = (u & 0x001fffffffffffffu) | 0x3fe0000000000000u; /* around 1 */
        if (i % 4 == 3) { /* squares and their neighbours */
            d = (double)(u >> 37);
            u = vae__bits_d(d * d) + (u & 2) - 1;
        }
        d = vae__double_of(u);
        if (!vae__finite_d(d) || u >> 63) continue;
        got = vae__sqrt_d(d);
        if (vae__bits_d(got) != vae__bits_d(sqrt(d)))
            test_report(__FILE__, __LINE__, "sqrt(%.17g) is %.17g, not %.17g", d, got, sqrt(d));
    }
    for (e = 0; e < 0x7ff; e++) { /* the ends of every binade */
        const uint64_t ends[3] = {e << 52, (e << 52) + 1, (e << 52) + 0xfffffffffffffu};
        for (i = 0; i < 3; i++) {
            const double d = vae__double_of(ends[i]);
            CHECK(vae__bits_d(vae__sqrt_d(d)) == vae__bits_d(sqrt(d)));
        }
    }
}

TEST(sums_products_and_quotients_of_doubles_are_rounded_once) {
    uint64_t state = 4;
    int i;
    for (i = 0; i < 20000; i++) {
        volatile double a = vae__double_of(ref_next(&state)), b = vae__double_of(ref_next(&state));
        volatile double sum, product, quotient;
        if (!vae__finite_d(a) || !vae__finite_d(b) || b == 0) continue;
        sum = a + b, product = a * b, quotient = a / b;
        CHECK(vae__bits_d(vae__add_d(a, b)) == vae__bits_d(sum));
        CHECK(vae__bits_d(vae__mul_d(a, b)) == vae__bits_d(product));
        CHECK(vae__bits_d(vae__div_d(a, b)) == vae__bits_d(quotient));
    }
}

TEST(finite_is_told_from_the_bits) {
    static const uint32_t yes[] = {0, 0x80000000u, 1, 0x807fffffu, 0x3f800000u, 0x7f7fffffu,
                                   0xff7fffffu};
    static const uint32_t no[] = {0x7f800000u, 0xff800000u, 0x7fc00000u, 0xffc00000u, 0x7f800001u,
                                  0xffffffffu};
    size_t i;
    for (i = 0; i < sizeof yes / sizeof yes[0]; i++) CHECK(vae__finite_f(vae__float_of(yes[i])));
    for (i = 0; i < sizeof no / sizeof no[0]; i++) CHECK(!vae__finite_f(vae__float_of(no[i])));
    CHECK(vae__finite_d(0) && vae__finite_d(-DBL_MAX) && vae__finite_d(vae__double_of(1)));
    CHECK(!vae__finite_d(vae__double_of(0x7ff0000000000000u)));
    CHECK(!vae__finite_d(vae__double_of(0xfff0000000000000u)));
    CHECK(!vae__finite_d(vae__double_of(0x7ff0000000000001u)));
    CHECK(!vae__finite_d(vae__double_of(0xffffffffffffffffu)));
}

TESTS(arena) {
    vae__fpenv env;
    vae__fp_enter(&env); /* see reference.h */
    RUN(sizes_are_multiplied_and_added_only_when_the_result_fits);
    RUN(counting_and_placing_agree_and_pieces_are_aligned_and_apart);
    RUN(a_push_that_fails_fails_for_good_and_changes_nothing_else);
    RUN(sizes_beyond_the_address_space_are_refused_even_when_only_counting);
    RUN(nothing_can_be_pushed_and_takes_no_room);
    RUN(blocks_come_from_the_hooks_and_go_back_with_their_size);
    RUN(words_are_read_from_little_endian_bytes);
    RUN(the_hash_is_fnv_1a);
    RUN(floats_hash_as_their_little_endian_bytes_and_all_nans_are_one);
    RUN(the_square_root_is_correctly_rounded);
    RUN(sums_products_and_quotients_of_doubles_are_rounded_once);
    RUN(finite_is_told_from_the_bits);
    vae__fp_leave(&env);
}
