/* Random numbers: known answers, addresses, distributions, the same bits everywhere. */
#include "reference.h"

static vae_stream rng_stream(uint64_t seed) {
    vae_stream s;
    memset(&s, 0, sizeof s);
    s.seed = seed, s.purpose = VAE_PURPOSE_USER;
    return s;
}

/* ---- Philox ---- */

typedef struct rng_answer {
    uint32_t counter[4], key[2], out[4];
} rng_answer;

/* The first three from Random123's kat_vectors, the others computed with another implementation. */
static const rng_answer rng_answers[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    {{0, 0, 0, 0}, {1, 0}, {0xe3e80670, 0xe50a0ebc, 0x95f222c0, 0xb615aa27}},
    {{1, 0, 0, 0}, {1, 0}, {0xac08141b, 0xdfc5ccbe, 0x79c07a47, 0xa7f66093}},
    {{2, 0, 0, 0}, {1, 0}, {0x3f55b3f0, 0x8e76cc9d, 0xb68faa8e, 0xebed3676}},
    {{3, 0, 0, 0}, {1, 0}, {0xc1f3cfa1, 0x095aef64, 0x24b41299, 0x0dc9abaa}},
    {{0, 1, 0, 0}, {1, 0}, {0x833ff8dc, 0x225c963c, 0x232b88b3, 0x0b334b07}},
    {{0, 0, 1, 0}, {1, 0}, {0x07071c12, 0x428264b6, 0x3909104b, 0x6da2bda2}},
    {{0, 0, 0, 1}, {1, 0}, {0x127bee41, 0x1e047488, 0x48842b20, 0x0a393496}},
    {{0, 0, 0, 0}, {0x89abcdef, 0x01234567}, {0xb850222e, 0xc58cb04b, 0x14a7a020, 0x7a84fff9}},
};

TEST(philox_gives_the_known_answers) {
    size_t i;
    int w;
    for (i = 0; i < sizeof rng_answers / sizeof rng_answers[0]; i++) {
        const rng_answer *a = &rng_answers[i];
        uint32_t got[4], other[4];
        vae_philox(a->counter, a->key, got);
        ref_philox(a->counter, a->key, other); /* what the other tests compare with */
        for (w = 0; w < 4; w++) {
            CHECK_EQ(got[w], a->out[w]);
            CHECK_EQ(other[w], a->out[w]);
        }
    }
}

TEST(the_kernels_give_the_known_answers) {
    const vae__kernels *k;
    size_t i;
    for (k = NULL; (k = ref_next_isa(k));) {
        for (i = 0; i < sizeof rng_answers / sizeof rng_answers[0]; i++) {
            const rng_answer *a = &rng_answers[i];
            vae__address at;
            uint32_t got[4];
            memcpy(at.key, a->key, sizeof at.key);
            memcpy(at.counter, a->counter + 1, sizeof at.counter);
            k->draw(VAE__DRAW_WORDS, &at, a->counter[0], 4, got);
            CHECK(!memcmp(got, a->out, sizeof got));
        }
    }
}

TEST(philox_may_write_over_its_counter) {
    uint32_t block[4] = {0, 0, 0, 0};
    const uint32_t key[2] = {0, 0};
    vae_philox(block, key, block);
    CHECK_EQ(block[0], 0x6627e8d5);
    CHECK_EQ(block[3], 0x9b00dbd8);
}

/* ---- addresses ---- */

TEST(each_field_of_a_stream_has_its_place_in_the_counter) {
    static const vae_stream streams[] = {
        /* seed, purpose, layer, replica, time, sample */
        {1, 0, 0, 0, 0, 0},
        {0x0123456789abcdefu, 0, 0, 0, 0, 0},
        {0xffffffff00000000u, 0, 0, 0, 0, 0},
        {1, 255, 0, 0, 0, 0},
        {1, VAE_PURPOSE_EPS, 0, 0, 0, 0},
        {1, 0, 255, 0, 0, 0},
        {1, 0, 7, 0, 0, 0},
        {1, 0, 0, 65535, 0, 0},
        {1, 0, 0, 258, 0, 0},
        {1, 0, 0, 0, 0xffffffffu, 0},
        {1, 0, 0, 0, 5, 0},
        {1, 0, 0, 0, 0, 0xffffffffu},
        {1, 0, 0, 0, 0, 6},
        {0xfedcba9876543210u, 200, 100, 50000, 4000000000u, 3000000000u},
    };
    /* the counter and key that each must become, c0 aside */
    static const uint32_t want[][5] = {
        {1, 0, 0, 0, 0},
        {0x89abcdefu, 0x01234567u, 0, 0, 0},
        {0, 0xffffffffu, 0, 0, 0},
        {1, 0, 0, 0, 0xff000000u},
        {1, 0, 0, 0, 0x04000000u},
        {1, 0, 0, 0, 0x00ff0000u},
        {1, 0, 0, 0, 0x00070000u},
        {1, 0, 0, 0, 0x0000ffffu},
        {1, 0, 0, 0, 0x00000102u},
        {1, 0, 0, 0xffffffffu, 0},
        {1, 0, 0, 5, 0},
        {1, 0, 0xffffffffu, 0, 0},
        {1, 0, 6, 0, 0},
        {0x76543210u, 0xfedcba98u, 3000000000u, 4000000000u, 0xc864c350u},
    };
    size_t i;
    uint32_t block;
    for (i = 0; i < sizeof streams / sizeof streams[0]; i++) {
        for (block = 0; block < 3; block++) {
            uint32_t counter[4], out[4], got[4];
            counter[0] = block;
            memcpy(counter + 1, want[i] + 2, 3 * sizeof counter[0]);
            vae_philox(counter, want[i], out);
            vae_random_words(&streams[i], 4 * (uint64_t)block, 4, got);
            CHECK(!memcmp(got, out, sizeof got));
            CHECK_EQ(ref_word(&streams[i], 4 * (uint64_t)block + 2), out[2]);
        }
    }
}

TEST(words_are_the_same_wherever_a_draw_begins_and_ends) {
    vae_stream s = rng_stream(0x1234567890u);
    uint32_t all[128], got[80];
    size_t first, n, i;
    s.sample = 3, s.time = 4, s.layer = 5, s.replica = 6;
    for (i = 0; i < 128; i++) all[i] = ref_word(&s, i);
    for (first = 0; first < 10; first++) {
        for (n = 0; n <= 70; n++) {
            memset(got, 0xa5, sizeof got);
            vae_random_words(&s, first, n, got);
            CHECK(!memcmp(got, all + first, n * 4));
            for (i = n; i < 80; i++) CHECK_EQ(got[i], 0xa5a5a5a5u);
        }
    }
}

TEST(every_instruction_set_draws_the_words_of_philox) {
    static const uint32_t blocks[] = {0, 1, 5, 1000003, 0x7fffffffu, 0x80000000u, 0xffffffe0u};
    const vae__kernels *k;
    vae_stream s = rng_stream(UINT64_MAX);
    vae__address at;
    size_t b, n, i;
    s.sample = 0x80000001u, s.time = 0xfffffffeu, s.replica = 65535, s.layer = 255, s.purpose = 255;
    at = vae__address_of(&s);
    for (k = NULL; (k = ref_next_isa(k));) {
        for (b = 0; b < sizeof blocks / sizeof blocks[0]; b++) {
            uint32_t want[128], got[130];
            for (i = 0; i < 128; i++) want[i] = ref_word(&s, 4 * (uint64_t)blocks[b] + i);
            for (n = 1; n <= 128; n++) {
                memset(got, 0xa5, sizeof got);
                k->draw(VAE__DRAW_WORDS, &at, blocks[b], n, got + 1); /* not aligned to 8 */
                CHECK(!memcmp(got + 1, want, n * 4));
                CHECK(got[0] == 0xa5a5a5a5u && got[n + 1] == 0xa5a5a5a5u);
            }
        }
    }
}

TEST(the_last_element_of_a_stream_can_be_drawn) {
    const vae_stream s = rng_stream(9);
    const uint64_t end = (uint64_t)1 << 34;
    uint32_t got[9];
    float z[9], alone;
    size_t i;
    vae_random_words(&s, end - 9, 9, got);
    vae_random_normal(&s, end - 9, 9, z);
    for (i = 0; i < 9; i++) {
        CHECK_EQ(got[i], ref_word(&s, end - 9 + i));
        vae_random_normal(&s, end - 9 + i, 1, &alone);
        CHECK(ref_same(alone, z[i]));
    }
}

TEST(an_element_is_the_same_alone_and_in_a_block) {
    vae_stream s = rng_stream(17);
    float u[100], z[100], one;
    uint32_t w[100], word;
    size_t i;
    vae_random_words(&s, 0, 100, w);
    vae_random_uniform(&s, 0, 100, u);
    vae_random_normal(&s, 0, 100, z);
    for (i = 0; i < 100; i++) {
        vae_random_words(&s, i, 1, &word);
        CHECK_EQ(word, w[i]);
        vae_random_uniform(&s, i, 1, &one);
        CHECK(ref_same(one, u[i]));
        vae_random_normal(&s, i, 1, &one);
        CHECK(ref_same(one, z[i]));
    }
    for (i = 0; i < 90; i++) {
        float part[10];
        vae_random_normal(&s, i, 10, part);
        CHECK_EQ(ref_differ(10, part, z + i), 10);
    }
}

TEST(streams_that_differ_in_one_field_have_nothing_in_common) {
    enum { N = 4096, VARIANTS = 8 };
    static float z[VARIANTS][N];
    int a, b, i;
    for (a = 0; a < VARIANTS; a++) {
        vae_stream s = rng_stream(1);
        s.seed += a == 1, s.purpose += a == 2, s.layer += a == 3, s.replica += a == 4;
        s.time += a == 5, s.sample += a == 6;
        if (a == 7) s.seed += (uint64_t)1 << 32;
        vae_random_normal(&s, 0, N, z[a]);
    }
    for (a = 0; a < VARIANTS; a++) {
        for (b = 0; b < a; b++) {
            double sum = 0;
            int equal = 0;
            for (i = 0; i < N; i++) {
                sum += (double)z[a][i] * (double)z[b][i];
                equal += ref_same(z[a][i], z[b][i]);
            }
            CHECK_NEAR(sum / sqrt(N), 0, 5); /* a standard normal, nearly */
            CHECK_EQ(equal, 0);
        }
    }
}

/* ---- uniforms ---- */

TEST(uniforms_are_the_top_24_bits_of_the_word) {
    const vae_stream s = rng_stream(3);
    enum { N = 20000 };
    static float u[N];
    double sum = 0, squares = 0;
    int i;
    vae_random_uniform(&s, 0, N, u);
    for (i = 0; i < N; i++) {
        CHECK(u[i] >= 0 && u[i] < 1);
        CHECK((double)u[i] == (double)(ref_word(&s, (uint64_t)i) >> 8) * 0x1p-24);
        sum += (double)u[i];
        squares += ((double)u[i] - 0.5) * ((double)u[i] - 0.5);
    }
    CHECK_NEAR(sum / N, 0.5, 5 * sqrt(1.0 / 12 / N));
    CHECK_NEAR(squares / N, 1.0 / 12, 5 * sqrt(1.0 / 180 / N));
}

/* ---- normals ---- */

TEST(normals_are_those_of_the_check_value) {
    /* key (1, 0), counter 0, in double, Random123's convention */
    static const double want[4] = {-0.30012575228149163, 0.3639949492268119, -0.42343832129276243,
                                   -0.708598437340836};
    vae_stream s;
    float z[4];
    int i;
    memset(&s, 0, sizeof s);
    s.seed = 1;
    vae_random_normal(&s, 0, 4, z);
    for (i = 0; i < 4; i++) CHECK_NEAR((double)z[i], want[i], 4e-7); /* a few roundings of 6e-8 */
}

/* The largest error of r * part that single precision explains, where part is the sine or cosine of
 * theta and other the other one. theta is rounded twice, 2^-24 of itself in all, which moves part
 * by other. So is u, by 2^-24 of itself, 2^-23 in -2 log u: that moves r = sqrt(-2 log u) by
 * 2^-24 / r, but never by more than the root of 2^-23, where u is nearly 1. Logarithm, root, sine
 * and product add some 2^-22 of the result. Where part is small, so is the error. */
static double rng_normal_error(double r, double theta, double part, double other) {
    const double radius = r > 3.5e-4 ? 0x1p-24 / r : 1;
    return 2.5e-7 * fabs(r * part) + 0x1p-23 * fabs(r * theta * other) +
           1.5 * (radius < 3.5e-4 ? radius : 3.5e-4) * fabs(part);
}

TEST(normals_follow_box_muller_in_double) {
    enum { N = 200000 };
    static float z[N];
    const vae_stream s = rng_stream(4);
    double worst = 0;
    int i;
    vae_random_normal(&s, 0, N, z);
    for (i = 0; i < N; i += 2) {
        const uint32_t a = ref_word(&s, (uint64_t)i), b = ref_word(&s, (uint64_t)i + 1);
        const double theta = 3.14159265358979323846 * ((double)(int32_t)a * 0x1p-31 + 0x1p-32);
        const double r = sqrt(-2 * log((double)b * 0x1p-32 + 0x1p-33));
        const double sine = sin(theta), cosine = cos(theta);
        const double tol0 = rng_normal_error(r, theta, sine, cosine);
        const double tol1 = rng_normal_error(r, theta, cosine, sine);
        CHECK_NEAR((double)z[i], r * sine, tol0);
        CHECK_NEAR((double)z[i + 1], r * cosine, tol1);
        if (fabs((double)z[i] - r * sine) > worst * tol0)
            worst = fabs((double)z[i] - r * sine) / tol0;
    }
    CHECK(worst > 0.1); /* the tolerance is not loose */
}

TEST(every_instruction_set_draws_the_same_uniforms_and_normals) {
    enum { N = 60000 };
    static float want[N], got[N + 1];
    const vae__kernels *k;
    const vae_stream s = rng_stream(5);
    const vae__address at = vae__address_of(&s);
    int kind, n;
    for (kind = VAE__DRAW_UNIFORM; kind <= VAE__DRAW_NORMAL; kind++) {
        vae__kernels_of(VAE_ISA_PORTABLE)->draw(kind, &at, 7, N, want);
        for (k = NULL; (k = ref_next_isa(k));) {
            k->draw(kind, &at, 7, N, got);
            CHECK_EQ(ref_differ(N, got, want), N);
            for (n = 1; n <= 130; n++) {
                got[n + 1] = -77;
                k->draw(kind, &at, 7, (size_t)n, got + 1);
                CHECK_EQ(ref_differ((size_t)n, got + 1, want), n);
                CHECK(got[n + 1] == -77);
            }
        }
    }
}

TEST(normals_have_the_moments_of_normals) {
    enum { N = 1 << 22, PART = 1 << 16 };
    static float z[PART];
    const vae_stream s = rng_stream(6);
    double sum[5] = {0, 0, 0, 0, 0}, lag[5] = {0, 0, 0, 0, 0};
    int i, j, at;
    for (at = 0; at < N; at += PART) {
        vae_random_normal(&s, (uint64_t)at, PART, z);
        for (i = 0; i < PART; i++) {
            double power = 1;
            for (j = 1; j <= 4; j++) power *= (double)z[i], sum[j] += power;
        }
        for (j = 1; j <= 4; j++)
            for (i = j; i < PART; i++) lag[j] += (double)z[i] * (double)z[i - j];
    }
    /* standard errors: E z^2 = 1, var z^2 = 2, E z^6 = 15, var z^4 = 96 */
    CHECK_NEAR(sum[1] / N, 0, 5 * sqrt(1.0 / N));
    CHECK_NEAR(sum[2] / N, 1, 5 * sqrt(2.0 / N));
    CHECK_NEAR(sum[3] / N, 0, 5 * sqrt(15.0 / N));
    CHECK_NEAR(sum[4] / N, 3, 5 * sqrt(96.0 / N));
    for (j = 1; j <= 4; j++) CHECK_NEAR(lag[j] / N, 0, 5 * sqrt(1.0 / N));
}

/* The squares of the two normals of a pair are independent too (they share a radius). */
TEST(the_two_normals_of_a_pair_are_independent) {
    enum { N = 1 << 18 };
    static float z[2 * N];
    const vae_stream s = rng_stream(60);
    double squares = 0, mixed = 0;
    int i;
    vae_random_normal(&s, 0, 2 * N, z);
    for (i = 0; i < 2 * N; i += 2) {
        const double a = (double)z[i], b = (double)z[i + 1];
        squares += (a * a - 1) * (b * b - 1); /* variance 4 */
        mixed += a * (b * b - 1);             /* variance 2 */
    }
    CHECK_NEAR(squares / N, 0, 5 * sqrt(4.0 / N));
    CHECK_NEAR(mixed / N, 0, 5 * sqrt(2.0 / N));
}

static int rng_ascending(const void *a, const void *b) {
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

TEST(normals_pass_kolmogorov_smirnov) {
    enum { N = 1000000 };
    float *z = ref_floats(N);
    const vae_stream s = rng_stream(7);
    double d = 0;
    int i;
    vae_random_normal(&s, 0, N, z);
    qsort(z, N, sizeof *z, rng_ascending);
    for (i = 0; i < N; i++) {
        const double cdf = 0.5 * erfc(-(double)z[i] * 0.70710678118654752440);
        const double above = fabs((i + 1.0) / N - cdf), below = fabs(cdf - (double)i / N);
        if (above > d) d = above;
        if (below > d) d = below;
    }
    CHECK(d * sqrt(N) < 2.2); /* exceeded with probability 1.3e-4 */
    free(z);
}

/* How many of `draws` normals lie beyond 4, 5 and 6, against P(|Z| > t) of the normal law. */
static void rng_tails(uint64_t draws, uint64_t seed) {
    static const double beyond[3] = {6.334e-5, 5.733e-7, 1.973e-9};
    enum { PART = 1 << 16 };
    static float z[PART];
    const vae_stream s = rng_stream(seed);
    double count[3] = {0, 0, 0};
    float most = 0;
    uint64_t at;
    int i;
    for (at = 0; at < draws; at += PART) {
        vae_random_normal(&s, at, PART, z);
        for (i = 0; i < PART; i++) {
            const float a = z[i] < 0 ? -z[i] : z[i];
            if (a <= 4) continue;
            count[0]++;
            if (a > 5) count[1]++;
            if (a > 6) count[2]++;
            if (a > most) most = a;
        }
    }
    for (i = 0; i < 3; i++) {
        const double expected = beyond[i] * (double)draws;
        CHECK_NEAR(count[i], expected, 5 * sqrt(expected) + 0.5);
    }
    CHECK(most > 4 && most <= 6.77f);
}

TEST(normals_have_the_tails_of_normals) { rng_tails((uint64_t)1 << 24, 8); }

TEST(four_billion_normals_have_the_tails_of_normals) {
    if (!test_long) SKIP("only in the long suite");
    rng_tails((uint64_t)1 << 32, 9);
}

/* The rarest words, found by searching 2^34 of them: the angle at the ends of its range and at the
 * quarters, the radius at its largest and at 0. */
TEST(normals_at_the_rarest_words_are_right) {
    static const struct {
        uint64_t element;
        uint32_t angle, radius;
    } rare[] = {
        {842857128, 0x80000000u, 0x9f6c1f6fu},  {3628941482u, 0, 0x8c7fa835u},
        {4057773922u, 0xffffffffu, 0xd2f0272du}, {4231935472u, 0x9a64d923u, 0xffffffffu},
        {4327757988u, 0x40000000u, 0xfc37748du}, {5483691856u, 0xc0000000u, 0xdafe1a75u},
        {4862126064u, 0x21a703e5u, 1},          {7101207984u, 0xdd3a2672u, 0},
        {13781604056u, 0xc57ed381u, 0},         {15246194150u, 0xc0e243aau, 0xffffffffu}};
    const vae__kernels *k;
    vae_stream s;
    vae__address at;
    size_t i;
    memset(&s, 0, sizeof s);
    s.seed = 1, s.purpose = VAE_PURPOSE_USER;
    at = vae__address_of(&s);
    for (i = 0; i < sizeof rare / sizeof rare[0]; i++) {
        const uint32_t a = ref_word(&s, rare[i].element), b = ref_word(&s, rare[i].element + 1);
        const double theta = 3.14159265358979323846 * ((double)(int32_t)a * 0x1p-31 + 0x1p-32);
        const double r = sqrt(-2 * log((double)b * 0x1p-32 + 0x1p-33));
        CHECK_EQ(a, rare[i].angle);
        CHECK_EQ(b, rare[i].radius);
        for (k = NULL; (k = ref_next_isa(k));) {
            const float *z;
            float block[4];
            k->draw(VAE__DRAW_NORMAL, &at, (uint32_t)(rare[i].element / 4), 4, block);
            z = block + rare[i].element % 4;
            CHECK_NEAR((double)z[0], r * sin(theta),
                       rng_normal_error(r, theta, sin(theta), cos(theta)));
            CHECK_NEAR((double)z[1], r * cos(theta),
                       rng_normal_error(r, theta, cos(theta), sin(theta)));
            if (b == 0) CHECK_NEAR(hypot((double)z[0], (double)z[1]), sqrt(66 * log(2)), 2e-6);
            if (b == 0xffffffffu) CHECK(z[0] == 0 && z[1] == 0); /* u rounds to 1 */
        }
    }
}

/* ---- integers ---- */

/* The high 32 bits of (hi : lo) * n, by 16-bit digits. */
static uint32_t rng_below(uint32_t hi, uint32_t lo, uint32_t n) {
    const uint32_t x[4] = {lo & 0xffff, lo >> 16, hi & 0xffff, hi >> 16};
    const uint32_t y[2] = {n & 0xffff, n >> 16};
    uint64_t digit[7] = {0, 0, 0, 0, 0, 0, 0};
    int i, j;
    for (i = 0; i < 4; i++)
        for (j = 0; j < 2; j++) digit[i + j] += (uint64_t)x[i] * y[j];
    for (i = 0; i < 6; i++) digit[i + 1] += digit[i] >> 16, digit[i] &= 0xffff;
    return (uint32_t)(digit[4] | digit[5] << 16);
}

TEST(below_is_the_high_part_of_a_96_bit_product) {
    static const uint32_t ns[] = {1, 2, 3, 10, 1000, 65535, 65536, 60000, 0x7fffffffu, 0x80000000u,
                                  0xfffffffeu, 0xffffffffu};
    vae_stream s = rng_stream(10);
    size_t i;
    uint64_t e;
    for (i = 0; i < sizeof ns / sizeof ns[0]; i++) {
        for (e = 0; e < 200; e++) {
            const uint32_t got = vae_random_below(&s, e, ns[i]);
            CHECK(got < ns[i]);
            CHECK_EQ(got, rng_below(ref_word(&s, 2 * e), ref_word(&s, 2 * e + 1), ns[i]));
        }
    }
    CHECK_EQ(vae_random_below(&s, 0, 0), 0);
    CHECK_EQ(vae_random_below(&s, 1, 0), 0);
    CHECK_EQ(vae_random_below(&s, 12345, 1), 0);
    e = (uint64_t)1 << 33; /* the last pair of a stream */
    CHECK_EQ(vae_random_below(&s, e - 1, 1000),
             rng_below(ref_word(&s, 2 * e - 2), ref_word(&s, 2 * e - 1), 1000));
}

/* Pearson's statistic against equal counts. */
static double rng_chi2(const int *count, int cells, double draws) {
    double sum = 0;
    int i;
    for (i = 0; i < cells; i++)
        sum += ((double)count[i] - draws / cells) * ((double)count[i] - draws / cells);
    return sum * cells / draws;
}

TEST(below_is_uniform) {
    static const uint32_t ns[] = {2, 3, 7, 10, 64, 100};
    const vae_stream s = rng_stream(11);
    enum { DRAWS = 100000 };
    size_t i;
    for (i = 0; i < sizeof ns / sizeof ns[0]; i++) {
        int count[100] = {0}, e;
        const double freedom = (double)ns[i] - 1;
        for (e = 0; e < DRAWS; e++) count[vae_random_below(&s, (uint64_t)e, ns[i])]++;
        CHECK(rng_chi2(count, (int)ns[i], DRAWS) < freedom + 5 * sqrt(2 * freedom) + 5);
    }
}

/* ---- shuffles ---- */

/* Every place of an epoch must point somewhere else. */
static void rng_check_permutation(uint64_t seed, uint32_t epoch, uint32_t n) {
    unsigned char *seen = (unsigned char *)ref_alloc(n);
    vae__order order;
    uint32_t i;
    vae__order_begin(&order, seed, epoch, n);
    for (i = 0; i < n; i++) {
        const uint64_t to = vae__order_at(&order, i);
        CHECK(to < n);
        if (to >= n) continue;
        CHECK(!seen[to]);
        seen[to] = 1;
        if (n < 40 || i % 997 == 0) CHECK_EQ(vae_shuffle(seed, epoch, n, i), to); /* asked alone */
    }
    free(seen);
}

TEST(an_epoch_visits_every_image_once) {
    static const uint32_t large[] = {1000, 1023, 1024, 1025, 4095, 4096, 4097, 60000, 65535, 65536,
                                     65537};
    uint32_t n;
    size_t i;
    for (n = 1; n <= 300; n++) rng_check_permutation(n, n % 7, n);
    for (i = 0; i < sizeof large / sizeof large[0]; i++) rng_check_permutation(1, 3, large[i]);
}

/* The rule itself, written again: 8 rounds on two halves, each with the first word of its stream
 * (SHUFFLE, time = epoch, replica = round) for a key. */
static uint64_t rng_shuffle(uint64_t seed, uint32_t epoch, uint64_t n, uint64_t place) {
    vae_stream s;
    uint64_t half = 2; /* values of one half: the smallest power of 2 whose square holds n */
    memset(&s, 0, sizeof s);
    s.seed = seed, s.purpose = VAE_PURPOSE_SHUFFLE, s.time = epoch;
    while (half * half < n) half *= 2;
    do {
        uint64_t left = place / half, right = place % half, next;
        for (s.replica = 0; s.replica < 8; s.replica++) {
            uint32_t x = (uint32_t)right ^ ref_word(&s, 0);
            x = (x ^ x >> 16) * 0x7feb352du;
            x = (x ^ x >> 15) * 0x846ca68bu;
            x ^= x >> 16;
            next = left ^ x % half;
            left = right, right = next;
        }
        place = left * half + right;
    } while (place >= n);
    return place;
}

TEST(the_order_is_the_feistel_network_written_again) {
    static const uint64_t ns[] = {1, 2, 3, 4, 5, 16, 17, 64, 65, 1000, 60000, 65536, 65537,
                                  (uint64_t)1 << 24, ((uint64_t)1 << 31) + 1, (uint64_t)1 << 32};
    uint64_t state = 15;
    size_t i;
    int j;
    for (i = 0; i < sizeof ns / sizeof ns[0]; i++) {
        for (j = 0; j < 100; j++) {
            const uint64_t seed = ref_next(&state), place = ref_next(&state) % ns[i];
            const uint32_t epoch = (uint32_t)ref_pick(&state, 1000);
            CHECK(vae_shuffle(seed, epoch, ns[i], place) == rng_shuffle(seed, epoch, ns[i], place));
        }
    }
}

static int rng_ascending_u64(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

TEST(places_of_a_huge_set_do_not_collide) {
    static const uint64_t ns[] = {(uint64_t)1 << 32, ((uint64_t)1 << 32) - 1,
                                  ((uint64_t)1 << 30) + 1};
    enum { N = 20000 };
    static uint64_t to[N];
    size_t i, j;
    for (i = 0; i < sizeof ns / sizeof ns[0]; i++) {
        for (j = 0; j < N; j++) {
            const uint64_t place = j & 1 ? ns[i] - 1 - j : j;
            to[j] = vae_shuffle(1, 0, ns[i], place);
            CHECK(to[j] < ns[i]);
        }
        qsort(to, N, sizeof to[0], rng_ascending_u64);
        for (j = 1; j < N; j++) CHECK(to[j] != to[j - 1]);
    }
}

TEST(epochs_and_seeds_have_orders_of_their_own) {
    enum { N = 60000 };
    uint32_t epoch;
    uint64_t seed;
    for (epoch = 0; epoch < 3; epoch++) {
        for (seed = 1; seed <= 3; seed++) {
            int same_epoch = 0, same_seed = 0, fixed = 0, steps = 0;
            vae__order a, b, c;
            uint64_t i, before = 0;
            vae__order_begin(&a, seed, epoch, N);
            vae__order_begin(&b, seed, epoch + 1, N);
            vae__order_begin(&c, seed + 1, epoch, N);
            for (i = 0; i < N; i++) {
                const uint64_t to = vae__order_at(&a, i);
                same_epoch += to == vae__order_at(&b, i);
                same_seed += to == vae__order_at(&c, i);
                fixed += to == i;
                steps += i && (to == before + 1 || to + 1 == before);
                before = to;
            }
            /* Poisson with mean 1 each, `steps` with mean 2 */
            CHECK(same_epoch < 9 && same_seed < 9 && fixed < 9 && steps < 12);
        }
    }
}

TEST(an_element_lands_everywhere_equally_often) {
    static const int ns[] = {2, 3, 5, 10, 16, 17, 100};
    enum { EPOCHS = 20000 };
    size_t i;
    for (i = 0; i < sizeof ns / sizeof ns[0]; i++) {
        int first[100] = {0}, last[100] = {0};
        uint32_t epoch;
        const uint64_t n = (uint64_t)ns[i];
        const double freedom = (double)n - 1, most = freedom + 5 * sqrt(2 * freedom) + 5;
        for (epoch = 0; epoch < EPOCHS; epoch++) {
            first[vae_shuffle(1, epoch, n, 0)]++;
            last[vae_shuffle(2, epoch, n, n - 1)]++;
        }
        CHECK(rng_chi2(first, ns[i], EPOCHS) < most);
        CHECK(rng_chi2(last, ns[i], EPOCHS) < most);
    }
}

/* Neighbours: the distance from one position's image to the next one's, over many epochs. */
TEST(neighbours_in_an_order_are_not_neighbours_in_the_data) {
    enum { N = 50, EPOCHS = 20000 };
    int count[N] = {0};
    uint32_t epoch;
    for (epoch = 0; epoch < EPOCHS; epoch++) {
        const uint64_t a = vae_shuffle(3, epoch, N, 20), b = vae_shuffle(3, epoch, N, 21);
        count[(b + N - a) % N]++;
    }
    CHECK_EQ(count[0], 0);
    CHECK(rng_chi2(count + 1, N - 1, EPOCHS) < N - 2 + 5 * sqrt(2.0 * (N - 2)) + 5);
}

/* ---- binarisation ---- */

static int rng_bit(float p, uint32_t word) {
    double threshold = nearbyint((double)p * 0x1p32); /* ties to even */
    return p >= 1 || (double)word < threshold;
}

TEST(a_pixel_is_one_exactly_when_its_word_is_below_p_times_2_to_the_32) {
    static const float ps[] = {0, 1, 0.5f, 0.25f, 0.1f, 0x1p-32f, 0x1p-33f, 0x1.8p-32f, 0x1p-149f,
                               0x1p-126f, 0x1.4p-31f, 1 - 0x1p-24f, 0x1p-16f, 0x1.fffffep-17f,
                               -0.5f, 1.5f, 3e38f, 0x1p-24f, 0.999f, 0.3333333f};
    enum { N = 1000 };
    const vae__kernels *k;
    const vae_stream s = rng_stream(12);
    const vae__address at = vae__address_of(&s);
    float x[N], out[N];
    size_t i, j;
    for (k = NULL; (k = ref_next_isa(k));) {
        for (i = 0; i < sizeof ps / sizeof ps[0]; i++) {
            for (j = 0; j < N; j++) x[j] = ps[i];
            k->binarize(&at, N, x, out);
            for (j = 0; j < N; j++)
                CHECK(out[j] == (float)rng_bit(ps[i], ref_word(&s, j)));
        }
    }
}

/* 1 - 2^-24 times 2^32 is 2^32 - 256: one word in 2^24 is not below it, and here are some. */
TEST(a_pixel_just_below_one_is_not_always_one) {
    static const struct {
        uint32_t sample, element, word;
    } rare[] = {{16427, 11, 0xffffffddu}, {1077132, 9, 0xffffffa6u}, {1169091, 3, 0xffffff13u}};
    const vae__kernels *k;
    size_t i, j;
    for (i = 0; i < sizeof rare / sizeof rare[0]; i++) {
        vae_stream s = rng_stream(1);
        float x[16], out[16];
        vae__address at;
        s.sample = rare[i].sample;
        at = vae__address_of(&s);
        CHECK_EQ(ref_word(&s, rare[i].element), rare[i].word);
        for (k = NULL; (k = ref_next_isa(k));) {
            for (j = 0; j < 16; j++) x[j] = 1 - 0x1p-24f;
            k->binarize(&at, 16, x, out);
            for (j = 0; j < 16; j++) CHECK(out[j] == (j == rare[i].element ? 0 : 1));
            for (j = 0; j < 16; j++) x[j] = 1;
            k->binarize(&at, 16, x, out);
            for (j = 0; j < 16; j++) CHECK(out[j] == 1);
        }
    }
}

/* Each pixel gets the largest p that must give 0 for its very word, then the smallest that must
 * give 1: off by one anywhere, and this fails. */
TEST(binarisation_decides_at_the_last_bit) {
    enum { N = 40000 };
    static float x[N], out[N];
    const vae__kernels *k;
    const vae_stream s = rng_stream(13);
    const vae__address at = vae__address_of(&s);
    int side, i;
    for (k = NULL; (k = ref_next_isa(k));) {
        for (side = 0; side < 3; side++) {
            for (i = 0; i < N; i++) {
                const uint32_t w = ref_word(&s, (uint64_t)i);
                float p = (float)((double)w * 0x1p-32);
                if ((double)p * 0x1p32 > (double)w) p = nextafterf(p, 0); /* rounded up */
                if (side == 1) p = nextafterf(p, 2);
                /* small words, where floats are finer than words: half-way between thresholds */
                if (w < 1u << 23 && side)
                    p = (float)(((double)w + (side == 1 ? 1 : 0.5)) * 0x1p-32);
                x[i] = p;
            }
            k->binarize(&at, N, x, out);
            for (i = 0; i < N; i++) {
                const uint32_t w = ref_word(&s, (uint64_t)i);
                CHECK(out[i] == (float)rng_bit(x[i], w));
                if (side == 0) CHECK(out[i] == 0);
                if (side == 1) CHECK(out[i] == 1);
            }
        }
    }
}

TEST(binarisation_has_the_right_mean_and_keeps_to_its_array) {
    static const float ps[] = {0.5f, 0.1f, 0.9f, 0.001f};
    enum { N = 100000 };
    static float x[N], out[N], portable[N];
    const vae__kernels *k;
    const vae_stream s = rng_stream(14);
    const vae__address at = vae__address_of(&s);
    uint64_t state = 14;
    double sum;
    int i, j, n;
    for (i = 0; i < 4; i++) {
        for (j = 0; j < N; j++) x[j] = ps[i];
        vae__kernels_of(VAE_ISA_AUTO)->binarize(&at, N, x, out);
        for (sum = 0, j = 0; j < N; j++) sum += (double)out[j];
        CHECK_NEAR(sum / N, (double)ps[i], 5 * sqrt((double)ps[i] * (1 - (double)ps[i]) / N));
    }
    ref_fill_uniform(&state, x, N, 0, 1);
    vae__kernels_of(VAE_ISA_PORTABLE)->binarize(&at, N, x, portable);
    for (k = NULL; (k = ref_next_isa(k));) {
        k->binarize(&at, N, x, out);
        CHECK_EQ(ref_differ(N, out, portable), N);
        for (n = 1; n <= 130; n++) {
            float *exact = ref_floats((size_t)n);
            memcpy(exact, x, (size_t)n * sizeof *x);
            out[0] = out[n + 1] = -77;
            k->binarize(&at, (size_t)n, exact, out + 1);
            CHECK_EQ(ref_differ((size_t)n, out + 1, portable), n);
            CHECK(out[0] == -77 && out[n + 1] == -77);
            k->binarize(&at, (size_t)n, exact, exact); /* in place */
            CHECK_EQ(ref_differ((size_t)n, exact, portable), n);
            free(exact);
        }
    }
}

TESTS(rng) {
    vae__fpenv env;
    vae__fp_enter(&env); /* see reference.h */
    RUN(philox_gives_the_known_answers);
    RUN(the_kernels_give_the_known_answers);
    RUN(philox_may_write_over_its_counter);
    RUN(each_field_of_a_stream_has_its_place_in_the_counter);
    RUN(words_are_the_same_wherever_a_draw_begins_and_ends);
    RUN(every_instruction_set_draws_the_words_of_philox);
    RUN(the_last_element_of_a_stream_can_be_drawn);
    RUN(an_element_is_the_same_alone_and_in_a_block);
    RUN(streams_that_differ_in_one_field_have_nothing_in_common);
    RUN(uniforms_are_the_top_24_bits_of_the_word);
    RUN(normals_are_those_of_the_check_value);
    RUN(normals_follow_box_muller_in_double);
    RUN(every_instruction_set_draws_the_same_uniforms_and_normals);
    RUN(normals_have_the_moments_of_normals);
    RUN(the_two_normals_of_a_pair_are_independent);
    RUN(normals_pass_kolmogorov_smirnov);
    RUN(normals_at_the_rarest_words_are_right);
    RUN(normals_have_the_tails_of_normals);
    RUN(four_billion_normals_have_the_tails_of_normals);
    RUN(below_is_the_high_part_of_a_96_bit_product);
    RUN(below_is_uniform);
    RUN(an_epoch_visits_every_image_once);
    RUN(the_order_is_the_feistel_network_written_again);
    RUN(places_of_a_huge_set_do_not_collide);
    RUN(epochs_and_seeds_have_orders_of_their_own);
    RUN(an_element_lands_everywhere_equally_often);
    RUN(neighbours_in_an_order_are_not_neighbours_in_the_data);
    RUN(a_pixel_is_one_exactly_when_its_word_is_below_p_times_2_to_the_32);
    RUN(a_pixel_just_below_one_is_not_always_one);
    RUN(binarisation_decides_at_the_last_bit);
    RUN(binarisation_has_the_right_mean_and_keeps_to_its_array);
    vae__fp_leave(&env);
}
