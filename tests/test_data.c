/* Data files: IDX, gzip, conversions. The gzip arrays below are printed by
 *     python3 tests/seeds/make.py arrays
 * with zlib 1.2.13 or, where a compressor would not write such a block, by hand in that script. */
#include "test.h"

static const unsigned char data_gz_stored[41] = {
    31, 139, 8, 0, 0, 0, 0, 0, 0, 255, 1, 18, 0, 237, 255, 0, 0, 8,
    2, 0, 0, 0, 2, 0, 0, 0, 3, 0, 1, 127, 128, 254, 255, 139, 227, 62,
    157, 18, 0, 0, 0,
};
static const unsigned char data_gz_fixed[35] = {
    31, 139, 8, 0, 0, 0, 0, 0, 0, 255, 99, 96, 224, 96, 98, 96, 96, 0,
    97, 102, 6, 198, 250, 134, 127, 255, 1, 139, 227, 62, 157, 18, 0, 0, 0,
};
static const unsigned char data_gz_dynamic[243] = {
    31, 139, 8, 0, 0, 0, 0, 0, 0, 255, 61, 208, 217, 10, 195, 48, 12, 68,
    209, 235, 61, 145, 23, 92, 57, 246, 255, 127, 106, 21, 40, 53, 150, 158, 196, 48,
    28, 184, 2, 16, 109, 228, 55, 56, 71, 136, 228, 130, 52, 166, 114, 60, 69, 152,
    139, 144, 25, 74, 40, 204, 205, 213, 33, 243, 129, 166, 92, 131, 212, 8, 130, 23,
    66, 37, 118, 202, 164, 62, 76, 207, 185, 201, 147, 225, 113, 141, 106, 209, 141, 238,
    137, 147, 117, 211, 60, 249, 193, 79, 118, 103, 85, 84, 222, 191, 26, 123, 224, 212,
    178, 169, 25, 237, 132, 77, 43, 28, 69, 50, 103, 209, 133, 232, 121, 148, 209, 184,
    11, 41, 226, 29, 191, 231, 240, 129, 148, 185, 133, 49, 121, 14, 177, 208, 39, 39,
    32, 227, 221, 109, 18, 46, 212, 146, 63, 228, 134, 187, 216, 137, 21, 80, 143, 6,
    86, 100, 23, 124, 125, 11, 183, 195, 202, 196, 65, 183, 240, 250, 54, 119, 157, 97,
    38, 139, 99, 38, 153, 106, 38, 155, 104, 38, 138, 55, 147, 69, 50, 19, 71, 51,
    19, 187, 214, 87, 117, 154, 201, 97, 200, 187, 167, 153, 68, 142, 153, 12, 196, 76,
    18, 193, 76, 254, 197, 205, 36, 81, 204, 100, 160, 102, 18, 17, 51, 57, 100, 225,
    11, 200, 171, 108, 28, 160, 1, 0, 0,
};
static const unsigned char data_gz_mixed[293] = {
    31, 139, 8, 0, 0, 0, 0, 0, 0, 255, 0, 40, 0, 215, 255, 0, 0, 8,
    3, 0, 0, 0, 4, 0, 0, 0, 10, 0, 0, 0, 10, 0, 0, 0, 0, 1,
    1, 0, 3, 4, 0, 6, 7, 0, 10, 12, 0, 16, 18, 0, 22, 2, 0, 7,
    10, 0, 0, 0, 255, 255, 98, 16, 16, 102, 96, 102, 99, 224, 19, 98, 96, 102,
    103, 16, 16, 101, 224, 224, 101, 96, 0, 0, 0, 0, 255, 255, 61, 208, 219, 170,
    197, 32, 12, 69, 209, 105, 212, 216, 122, 195, 106, 245, 255, 63, 117, 167, 112, 56,
    33, 228, 105, 17, 22, 67, 121, 160, 78, 174, 78, 172, 248, 140, 100, 124, 33, 52,
    210, 160, 188, 12, 225, 220, 232, 160, 11, 174, 82, 176, 52, 77, 8, 131, 117, 83,
    5, 125, 145, 193, 110, 172, 194, 204, 223, 174, 202, 238, 184, 137, 66, 81, 102, 195,
    111, 106, 226, 76, 178, 114, 22, 45, 19, 132, 119, 210, 43, 119, 34, 6, 196, 241,
    55, 14, 241, 68, 229, 206, 244, 193, 123, 8, 137, 54, 56, 158, 220, 191, 91, 7,
    254, 98, 218, 231, 7, 173, 184, 139, 29, 89, 158, 41, 76, 207, 10, 236, 132, 148,
    175, 112, 61, 44, 37, 116, 154, 61, 47, 95, 115, 215, 232, 1, 93, 156, 202, 80,
    138, 144, 54, 97, 225, 39, 50, 241, 139, 184, 185, 28, 85, 121, 44, 109, 38, 158,
    97, 38, 135, 158, 191, 59, 204, 36, 112, 204, 164, 147, 205, 36, 226, 205, 228, 191,
    184, 153, 68, 146, 153, 116, 166, 153, 4, 178, 153, 28, 52, 243, 3, 200, 171, 108,
    28, 160, 1, 0, 0,
};
static const unsigned char data_gz_flags[62] = {
    31, 139, 8, 31, 0, 0, 0, 0, 0, 255, 6, 0, 88, 89, 2, 0, 104, 105,
    97, 32, 110, 97, 109, 101, 0, 97, 32, 99, 111, 109, 109, 101, 110, 116, 0, 156,
    143, 99, 96, 224, 96, 98, 96, 96, 0, 97, 102, 6, 198, 250, 134, 127, 255, 1,
    139, 227, 62, 157, 18, 0, 0, 0,
};
static const unsigned char data_gz_joined[81] = {
    31, 139, 8, 0, 0, 0, 0, 0, 0, 255, 99, 96, 224, 96, 98, 0, 0, 39,
    196, 7, 250, 5, 0, 0, 0, 31, 139, 8, 0, 0, 0, 0, 0, 0, 255, 3,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 31, 139, 8, 0, 0, 0, 0, 0, 0,
    255, 1, 13, 0, 242, 255, 0, 0, 2, 0, 0, 0, 3, 0, 1, 127, 128, 254,
    255, 154, 68, 196, 46, 13, 0, 0, 0,
};
static const unsigned char data_gz_deep[153] = {
    31, 139, 8, 0, 0, 0, 0, 0, 0, 255, 13, 239, 91, 144, 36, 73, 146, 36,
    203, 18, 51, 51, 139, 154, 71, 86, 207, 254, 255, 255, 255, 255, 158, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 127, 184, 55,
    171, 103, 207, 189, 72, 44, 106, 30, 240, 9, 248, 255, 144, 211, 221, 251, 126, 127,
    255, 254, 251, 223, 255, 253, 191, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    31, 204, 61, 129, 155, 72, 0, 0, 0,
};
static const unsigned char data_gz_window[467] = {
    31, 139, 8, 0, 0, 0, 0, 0, 0, 255, 237, 253, 91, 144, 36, 73, 146, 36,
    203, 42, 51, 40, 128, 234, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 175, 254, 255, 255, 255, 255, 255, 255, 255, 233, 255, 255, 63, 168, 254, 255, 127,
    34, 254, 255, 255, 226, 24, 59, 99, 158, 187, 6, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 254, 127, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 192, 255, 15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 248, 255, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 255, 63, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    224, 255, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    252, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 128,
    255, 31, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 240,
    255, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 254,
    127, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 192, 255,
    15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 248, 255,
    1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 63,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 224, 255, 7,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 252, 255, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 128, 255, 31, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 240, 255, 3, 0,
    0, 0, 0, 164, 105, 154, 166, 105, 154, 166, 105, 154, 166, 105, 154, 166, 105, 154,
    166, 105, 154, 166, 105, 154, 166, 105, 154, 166, 105, 154, 166, 105, 154, 166, 105, 154,
    166, 105, 154, 166, 105, 154, 166, 105, 154, 166, 105, 154, 166, 105, 154, 166, 105, 154,
    166, 105, 154, 166, 105, 154, 166, 105, 154, 166, 105, 154, 166, 105, 154, 166, 105, 154,
    166, 105, 154, 166, 233, 255, 255, 191, 7, 207, 170, 194, 71, 232, 147, 4, 0,
};
static const unsigned char data_gz_too_far[28] = {
    31, 139, 8, 0, 0, 0, 0, 0, 0, 255, 99, 96, 224, 96, 98, 96, 96, 0,
    210, 0, 234, 98, 240, 167, 10, 0, 0, 0,
};
static const unsigned char data_raw_skewed[416] = {
    0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 10, 0, 0, 0, 10, 0, 0,
    0, 0, 1, 1, 0, 3, 4, 0, 6, 7, 0, 10, 12, 0, 16, 18, 0, 22,
    2, 0, 7, 10, 0, 16, 19, 0, 3, 6, 0, 14, 18, 0, 3, 7, 0, 16,
    21, 0, 8, 13, 0, 0, 6, 0, 17, 0, 0, 12, 18, 0, 8, 14, 0, 5,
    12, 0, 3, 10, 0, 2, 10, 0, 3, 11, 0, 4, 13, 0, 7, 16, 0, 11,
    20, 0, 16, 2, 0, 22, 9, 0, 6, 16, 0, 14, 2, 0, 1, 12, 0, 11,
    0, 0, 0, 12, 0, 13, 2, 0, 4, 16, 0, 19, 9, 0, 12, 2, 0, 6,
    20, 0, 2, 16, 0, 21, 13, 0, 19, 11, 0, 18, 10, 0, 18, 10, 0, 19,
    12, 0, 21, 14, 0, 1, 18, 0, 6, 0, 0, 11, 6, 0, 18, 13, 0, 3,
    21, 0, 12, 7, 0, 22, 18, 0, 10, 6, 0, 22, 19, 0, 13, 10, 0, 4,
    2, 0, 20, 18, 0, 14, 12, 0, 9, 7, 0, 5, 4, 0, 2, 1, 0, 0,
    0, 0, 0, 0, 0, 0, 1, 0, 2, 3, 0, 5, 6, 0, 9, 10, 0, 14,
    16, 0, 20, 22, 0, 4, 7, 0, 13, 16, 0, 22, 3, 0, 10, 14, 0, 22,
    3, 0, 12, 16, 0, 3, 8, 0, 18, 0, 0, 11, 17, 0, 6, 12, 0, 1,
    8, 0, 21, 5, 0, 19, 3, 0, 18, 2, 0, 18, 3, 0, 19, 4, 0, 21,
    7, 0, 2, 11, 0, 6, 16, 0, 12, 22, 0, 19, 6, 0, 4, 14, 0, 13,
    1, 0, 0, 11, 0, 11, 0, 0, 1, 13, 0, 14, 4, 0, 6, 19, 0, 22,
    12, 0, 16, 6, 0, 11, 2, 0, 7, 21, 0, 4, 19, 0, 3, 18, 0, 2,
    18, 0, 3, 19, 0, 5, 21, 0, 8, 1, 0, 12, 6, 0, 17, 11, 0, 0,
    18, 0, 8, 3, 0, 16, 12, 0, 3, 22, 0, 14, 10, 0, 3, 22, 0, 16,
    13, 0, 7, 4, 0, 22, 20, 0, 16, 14, 0, 10, 9, 0, 6, 5, 0, 3,
    2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 4, 5, 0, 7,
    9, 0, 12, 14, 0, 18, 20, 0, 2, 4, 0, 10, 13, 0, 19, 22, 0, 6,
    10, 0,
};

/* 2 x 3 bytes: what most of the arrays unpack to. */
static const unsigned char data_raw_small[18] = {0, 0, 8, 2, 0, 0, 0, 2,   0,
                                                 0, 0, 3, 0, 1, 127, 128, 254, 255};

#define DATA_FILE "vae_test_data.tmp" /* in the current folder, removed after use */

/* An allocator that counts, refuses request number `fail_at`, and remembers the largest. */
typedef struct data_counter {
    size_t blocks, bytes, requests, fail_at, largest;
} data_counter;

static void *data_alloc(size_t size, void *user) {
    data_counter *c = (data_counter *)user;
    void *p;
    if (size > c->largest) c->largest = size;
    if (++c->requests == c->fail_at) return NULL;
    p = malloc(size);
    if (p) c->blocks++, c->bytes += size;
    return p;
}

static void data_release(void *p, size_t size, void *user) {
    data_counter *c = (data_counter *)user;
    c->blocks--, c->bytes -= size;
    free(p);
}

static vae_allocator data_allocator(data_counter *c) {
    vae_allocator a;
    memset(c, 0, sizeof *c);
    a.alloc = data_alloc, a.release = data_release, a.user = c;
    return a;
}

static vae_status data_from(const void *bytes, size_t size, vae_data *d, vae_report *r) {
    memset(d, 0, sizeof *d);
    memset(r, 0, sizeof *r);
    return vae_data_from_memory(bytes, size, "x.idx", NULL, d, r);
}

/* The bytes must be refused, with a word in the sentence, without a leak and without touching the
 * output. */
static void data_refused(const void *bytes, size_t size, const char *word) {
    vae_data d, before;
    vae_report r;
    data_counter c;
    vae_allocator a = data_allocator(&c);
    memset(&d, 0x5A, sizeof d);
    memset(&r, 0, sizeof r);
    before = d;
    CHECK_STATUS(vae_data_from_memory(bytes, size, "x.idx", &a, &d, &r), VAE_ERR_FORMAT);
    CHECK_SAYS(r, word);
    CHECK_SAYS(r, "x.idx: byte ");
    CHECK_EQ(r.status, VAE_ERR_FORMAT);
    CHECK_EQ(c.blocks, 0);
    CHECK_EQ(c.bytes, 0);
    CHECK(!memcmp(&d, &before, sizeof d));
}

TEST(load_reads_every_type_in_the_byte_order_of_this_machine) {
    static const unsigned char i8[] = {0, 0, 9, 1, 0, 0, 0, 2, 0x80, 0x7F};
    static const unsigned char i16[] = {0, 0, 11, 1, 0, 0, 0, 2, 0x80, 0x00, 0x12, 0x34};
    static const unsigned char i32[] = {0, 0, 12, 1, 0, 0, 0, 2, 0xFF, 0xFF, 0xFF, 0xFE,
                                        0x12, 0x34, 0x56, 0x78};
    static const unsigned char f32[] = {0, 0, 13, 1, 0, 0, 0, 2, 0x3F, 0x80, 0, 0,
                                        0xC0, 0x20, 0, 0};
    static const unsigned char f64[] = {0, 0, 14, 1, 0, 0, 0, 1, 0xC0, 0x04, 0, 0, 0, 0, 0, 0};
    vae_data d;
    vae_report r;
    float x[2];
    CHECK_STATUS(data_from(data_raw_small, sizeof data_raw_small, &d, &r), VAE_OK);
    CHECK_EQ(d.type, VAE_U8);
    CHECK_EQ(d.rank, 2);
    CHECK_EQ(d.count, 2);
    CHECK_EQ(d.item, 3);
    CHECK_EQ(d.dims[1], 3);
    CHECK(!memcmp(d.bytes, data_raw_small + 12, 6));
    vae_data_free(&d);
    CHECK_STATUS(data_from(i8, sizeof i8, &d, &r), VAE_OK);
    CHECK_EQ(vae_data_label(&d, 0, 0), -128);
    CHECK_EQ(vae_data_label(&d, 1, 0), 127);
    vae_data_free(&d);
    CHECK_STATUS(data_from(i16, sizeof i16, &d, &r), VAE_OK);
    CHECK_EQ(vae_data_label(&d, 0, 0), -32768);
    CHECK_EQ(vae_data_label(&d, 1, 0), 0x1234);
    vae_data_free(&d);
    CHECK_STATUS(data_from(i32, sizeof i32, &d, &r), VAE_OK);
    CHECK_EQ(vae_data_label(&d, 0, 0), -2);
    CHECK_EQ(vae_data_label(&d, 1, 0), 0x12345678);
    vae_data_free(&d);
    CHECK_STATUS(data_from(f32, sizeof f32, &d, &r), VAE_OK);
    CHECK_STATUS(vae_data_read(&d, 0, 2, x), VAE_OK);
    CHECK(x[0] == 1.0f && x[1] == -2.5f);
    CHECK_EQ(vae_data_label(&d, 0, 0), 0);
    vae_data_free(&d);
    CHECK_STATUS(data_from(f64, sizeof f64, &d, &r), VAE_OK);
    CHECK_STATUS(vae_data_read(&d, 0, 1, x), VAE_OK);
    CHECK(x[0] == -2.5f);
    vae_data_free(&d);
}

TEST(load_knows_the_header_of_mnist) {
    static const unsigned char head[16] = {0, 0, 8, 3, 0, 0, 0xEA, 0x60,
                                           0, 0, 0, 0x1C, 0, 0, 0, 0x1C};
    data_refused(head, sizeof head, "47040000 are missing");
}

TEST(save_and_load_round_trip_for_every_type_and_rank) {
    static const vae_type types[] = {VAE_U8, VAE_I8, VAE_I16, VAE_I32, VAE_F32, VAE_F64};
    static const unsigned widths[] = {1, 1, 2, 4, 4, 8};
    unsigned char bytes[8 * 3 * 128];
    size_t i, t;
    int rank;
    for (i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(i * 37 + (i >> 5));
    for (t = 0; t < 6; t++)
        for (rank = 1; rank <= 8; rank++) {
            size_t dims[8] = {3, 2, 2, 2, 2, 2, 2, 2}, n = 3;
            vae_data d, e;
            vae_report r;
            FILE *f;
            unsigned char head[40];
            for (i = 1; i < (size_t)rank; i++) n *= 2;
            memset(&r, 0, sizeof r);
            CHECK_STATUS(vae_data_wrap(types[t], rank, dims, bytes, &d, &r), VAE_OK);
            CHECK_EQ(d.count * d.item, n);
            CHECK_STATUS(vae_data_save(DATA_FILE, &d, &r), VAE_OK);
            memset(&e, 0, sizeof e);
            CHECK_STATUS(vae_data_load(DATA_FILE, NULL, &e, &r), VAE_OK);
            CHECK_EQ(e.type, types[t]);
            CHECK_EQ(e.rank, rank);
            CHECK_EQ(e.block_size, n * widths[t]);
            for (i = 0; i < 8; i++) CHECK_EQ(e.dims[i], i < (size_t)rank ? dims[i] : 0);
            CHECK(e.bytes && !memcmp(e.bytes, bytes, n * widths[t]));
            f = fopen(DATA_FILE, "rb");
            CHECK(f != NULL);
            if (!f) continue;
            CHECK_EQ(fread(head, 1, sizeof head, f) >= 9, 1);
            fclose(f);
            CHECK(!head[0] && !head[1] && head[2] == types[t] && head[3] == rank);
            CHECK(!head[4] && !head[5] && !head[6] && head[7] == 3);
            /* the first number stands with its highest byte first */
            if (VAE__BIG_ENDIAN || widths[t] == 1) CHECK_EQ(head[4 + 4 * rank], bytes[0]);
            else CHECK_EQ(head[4 + 4 * rank], bytes[widths[t] - 1]);
            vae_data_free(&e);
        }
    remove(DATA_FILE);
}

TEST(load_refuses_headers_that_lie) {
    static const struct {
        unsigned char bytes[16];
        size_t size;
        const char *word;
    } list[] = {
        {{0}, 0, "4 are missing"},
        {{0, 0, 8}, 3, "1 are missing"},
        {{0x1F, 0x8B}, 2, "truncated in the middle of packed data"},
        {{0x1F, 0x8C, 0, 0}, 4, "found 1f 8c 00 00"},
        {{'P', 'K', 3, 4}, 4, "found 50 4b 03 04"},
        {{1, 0, 8, 1, 0, 0, 0, 1, 5}, 9, "expected an IDX file"},
        {{0, 1, 8, 1, 0, 0, 0, 1, 5}, 9, "found 00 01 08 01"},
        {{0, 0, 7, 1, 0, 0, 0, 1, 5}, 9, "a type other than"},
        {{0, 0, 10, 1, 0, 0, 0, 1, 5}, 9, "a type other than"},
        {{0, 0, 255, 1, 0, 0, 0, 1, 5}, 9, "a type other than"},
        {{0, 0, 8, 0, 5}, 5, "a rank outside"},
        {{0, 0, 8, 9, 5}, 5, "a rank outside"},
        {{0, 0, 8, 255, 5}, 5, "a rank outside"},
        {{0, 0, 8, 1, 0, 0, 0, 0}, 8, "a size of zero"},
        {{0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 0}, 12, "a size of zero"},
        {{0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0}, 11, "1 are missing"},
        {{0, 0, 8, 1, 0, 0, 0, 2, 5}, 9, "1 are missing"},
        {{0, 0, 8, 1, 0, 0, 0, 1, 5, 6}, 10, "1 trailing"},
        {{0, 0, 14, 1, 0, 0, 0, 1, 5, 6, 7}, 11, "5 are missing"},
        {{0, 0, 8, 1, 0x7F, 0xFF, 0xFF, 0xFF, 5}, 9, "2147483646 are missing"},
    };
    unsigned char huge[36];
    size_t i;
    for (i = 0; i < sizeof list / sizeof *list; i++)
        data_refused(list[i].bytes, list[i].size, list[i].word);
    memset(huge, 0xFF, sizeof huge);
    huge[0] = huge[1] = 0, huge[2] = 8, huge[3] = 8;
    data_refused(huge, sizeof huge, "overflow");
    for (i = 0; i < sizeof huge; i++) { /* cut anywhere */
        vae_data d;
        vae_report r;
        CHECK_STATUS(data_from(huge, i, &d, &r), VAE_ERR_FORMAT);
    }
}

TEST(load_refuses_null) {
    vae_data d;
    vae_report r;
    CHECK_STATUS(vae_data_from_memory(NULL, 5, "x", NULL, &d, &r), VAE_ERR_NULL);
    CHECK_STATUS(vae_data_from_memory("x", 1, "x", NULL, NULL, &r), VAE_ERR_NULL);
    CHECK_STATUS(vae_data_from_memory("x", 1, NULL, NULL, &d, NULL), VAE_ERR_FORMAT);
    CHECK_STATUS(vae_data_load(NULL, NULL, &d, &r), VAE_ERR_NULL);
    CHECK_STATUS(vae_data_load("x", NULL, NULL, &r), VAE_ERR_NULL);
    CHECK_STATUS(vae_data_save("x", NULL, &r), VAE_ERR_NULL);
    CHECK_STATUS(vae_data_save(NULL, &d, &r), VAE_ERR_NULL);
}

TEST(load_of_a_plain_file_allocates_once_and_exactly) {
    data_counter c;
    vae_allocator a = data_allocator(&c);
    vae_data d;
    CHECK_STATUS(vae_data_from_memory(data_raw_small, 18, "x", &a, &d, NULL), VAE_OK);
    CHECK_EQ(c.requests, 1);
    CHECK_EQ(c.largest, 6);
    CHECK_EQ(d.block_size, 6);
    vae_data_free(&d);
    CHECK_EQ(c.blocks, 0);
    CHECK_EQ(c.bytes, 0);
    CHECK(!d.bytes && !d.block && !d.count);
    vae_data_free(&d); /* again does nothing */
    vae_data_free(NULL);
    CHECK_EQ(c.blocks, 0);
}

TEST(load_reports_each_allocation_that_fails) {
    size_t k;
    for (k = 1; k <= 3; k++) {
        data_counter c;
        vae_allocator a = data_allocator(&c);
        vae_data d;
        vae_report r;
        vae_status status;
        c.fail_at = k;
        status = vae_data_from_memory(data_gz_fixed, sizeof data_gz_fixed, "x", &a, &d, &r);
        if (k < 3) {
            CHECK_STATUS(status, VAE_ERR_MEMORY);
            CHECK_SAYS(r, "out of memory");
        } else { /* two requests are all there are */
            CHECK_STATUS(status, VAE_OK);
            CHECK_EQ(c.requests, 2);
            vae_data_free(&d);
        }
        CHECK_EQ(c.blocks, 0);
        CHECK_EQ(c.bytes, 0);
    }
}

/* ---- gzip ---- */

static void data_unpacks(const unsigned char *gz, size_t size, const unsigned char *want,
                         size_t count) {
    vae_data d;
    vae_report r;
    size_t head = 4 + 4 * (size_t)want[3];
    CHECK_STATUS(data_from(gz, size, &d, &r), VAE_OK);
    CHECK_EQ(d.block_size, count - head);
    CHECK(d.block_size == count - head && !memcmp(d.bytes, want + head, count - head));
    vae_data_free(&d);
}
#define UNPACKS(gz, want) data_unpacks(gz, sizeof gz, want, sizeof want)

TEST(gunzip_reads_stored_fixed_and_dynamic_blocks) {
    UNPACKS(data_gz_stored, data_raw_small);
    UNPACKS(data_gz_fixed, data_raw_small);
    UNPACKS(data_gz_dynamic, data_raw_skewed);
    UNPACKS(data_gz_mixed, data_raw_skewed);
}

TEST(gunzip_reads_every_optional_field) { UNPACKS(data_gz_flags, data_raw_small); }

TEST(gunzip_joins_members) { UNPACKS(data_gz_joined, data_raw_small); }

TEST(gunzip_reads_codes_of_up_to_15_bits) {
    unsigned char want[8 + 64] = {0, 0, 8, 1, 0, 0, 0, 64};
    size_t i;
    for (i = 0; i < 64; i++) want[8 + i] = (unsigned char)(i & 15);
    UNPACKS(data_gz_deep, want);
}

TEST(gunzip_copies_from_as_far_as_32768_bytes_back) {
    vae_data d;
    vae_report r;
    CHECK_STATUS(data_from(data_gz_window, sizeof data_gz_window, &d, &r), VAE_OK);
    CHECK_EQ(d.count, 300000);
    CHECK(vae__hash(VAE__FNV, d.bytes, d.block_size) == 0x142617ec0b0432e6u);
    vae_data_free(&d);
    data_refused(data_gz_too_far, sizeof data_gz_too_far, "before the first byte");
}

/* Each prefix must be refused, as truncated unless it ends between members. */
static void data_cut_anywhere(const unsigned char *gz, size_t size) {
    size_t n;
    for (n = 0; n < size; n++) {
        /* a block of exactly this size, so that a sanitizer sees a read behind it */
        unsigned char *copy = (unsigned char *)malloc(n ? n : 1);
        vae_data d;
        vae_report r;
        if (!copy) continue;
        memcpy(copy, gz, n);
        CHECK_STATUS(data_from(copy, n, &d, &r), VAE_ERR_FORMAT);
        CHECK_SAYS(r, n < 2 ? "missing" : "truncated");
        free(copy);
    }
}

TEST(gunzip_refuses_a_file_cut_at_any_byte) {
    data_cut_anywhere(data_gz_stored, sizeof data_gz_stored);
    data_cut_anywhere(data_gz_fixed, sizeof data_gz_fixed);
    data_cut_anywhere(data_gz_dynamic, sizeof data_gz_dynamic);
    data_cut_anywhere(data_gz_mixed, sizeof data_gz_mixed);
    data_cut_anywhere(data_gz_flags, sizeof data_gz_flags);
    data_cut_anywhere(data_gz_joined, sizeof data_gz_joined);
    data_cut_anywhere(data_gz_deep, sizeof data_gz_deep);
}

/* Each flipped bit is found, or did not matter. */
static void data_flip_anywhere(const unsigned char *gz, size_t size, const unsigned char *want,
                               size_t count, int harmless) {
    unsigned char copy[512];
    size_t bit, head = 4 + 4 * (size_t)want[3];
    CHECK(size <= sizeof copy);
    memcpy(copy, gz, size);
    for (bit = 0; bit < 8 * size; bit++) {
        vae_data d;
        vae_report r;
        vae_status status;
        copy[bit / 8] = (unsigned char)(copy[bit / 8] ^ 1 << bit % 8);
        status = data_from(copy, size, &d, &r);
        if (status) {
            CHECK(status == VAE_ERR_FORMAT && r.text[0]);
        } else {
            harmless--;
            CHECK(d.block_size == count - head && !memcmp(d.bytes, want + head, count - head));
        }
        vae_data_free(&d);
        copy[bit / 8] = gz[bit / 8];
    }
    CHECK_EQ(harmless, 0); /* exactly those that say nothing about the data */
}

TEST(gunzip_finds_each_flipped_bit) {
    /* time, level and system: 6 bytes; the text flag; bits that pad the last byte of a block */
    data_flip_anywhere(data_gz_fixed, sizeof data_gz_fixed, data_raw_small, 18, 49);
    data_flip_anywhere(data_gz_stored, sizeof data_gz_stored, data_raw_small, 18, 49 + 5);
    data_flip_anywhere(data_gz_dynamic, sizeof data_gz_dynamic, data_raw_skewed,
                       sizeof data_raw_skewed, 49 + 5);
}

TEST(gunzip_checks_crc_and_length) {
    unsigned char copy[sizeof data_gz_fixed];
    memcpy(copy, data_gz_fixed, sizeof copy);
    copy[sizeof copy - 8] ^= 1;
    data_refused(copy, sizeof copy, "the gzip CRC is");
    memcpy(copy, data_gz_fixed, sizeof copy);
    copy[sizeof copy - 1] ^= 0x80;
    data_refused(copy, sizeof copy, "length is 12 00 00 80, but the data give 12 00 00 00");
}

/* Tapes and block devices pad with zeros: gzip takes any number of them for nothing. */
TEST(zeros_behind_the_last_gzip_member_are_padding) {
    static const size_t counts[] = {0, 1, 7, 8, 9, 31, 32, 33, 512, 65535, 65536, 65537, 200000};
    const size_t one = sizeof data_gz_fixed, most = 2 * one + 200001;
    unsigned char *file = (unsigned char *)malloc(most);
    unsigned members;
    vae_data d;
    vae_report r;
    size_t i;
    if (!file) SKIP("no memory");
    for (members = 1; members < 3; members++)
        for (i = 0; i < sizeof counts / sizeof *counts + 60; i++) {
            /* and every count for which the file ends near the end of the reader's buffer */
            const size_t head = members * one;
            const size_t zeros = i < 13 ? counts[i] : VAE__GZ_IN - head + 30 - (i - 13);
            memset(file, 0, most);
            memcpy(file, data_gz_fixed, one);
            if (members > 1) memcpy(file + one, data_gz_fixed, one);
            if (members > 1) { /* the second one's numbers would be too many */
                data_refused(file, head + zeros, "trailing bytes");
                continue;
            }
            CHECK_STATUS(data_from(file, head + zeros, &d, &r), VAE_OK);
            CHECK(d.block_size == 6 && !memcmp(d.bytes, data_raw_small + 12, 6));
            vae_data_free(&d);
            file[head + zeros] = 1; /* anything else is not, before the zeros or behind them */
            data_refused(file, head + zeros + 1, "trailing bytes");
        }
    memset(file, 0, most); /* a member behind zeros: gzip ignores it, so it is not ours either */
    memcpy(file, data_gz_fixed, one);
    memcpy(file + one + 3, data_gz_fixed, one);
    data_refused(file, 2 * one + 3, "byte ");
    free(file);
}

TEST(gunzip_refuses_what_no_gzip_writes) {
    unsigned char copy[sizeof data_gz_flags + 8], empty[20] = {0x1F, 0x8B, 8};
    memcpy(copy, data_gz_flags, sizeof data_gz_flags);
    copy[2] = 7; /* method */
    data_refused(copy, sizeof data_gz_flags, "method or flag");
    copy[2] = 8, copy[3] |= 0x20; /* reserved flag */
    data_refused(copy, sizeof data_gz_flags, "method or flag");
    copy[3] = data_gz_flags[3], copy[4] ^= 1; /* a time that the header's CRC did not see */
    data_refused(copy, sizeof data_gz_flags, "header does not match its CRC");
    copy[4] = data_gz_flags[4];
    copy[sizeof data_gz_flags] = 'x'; /* behind the end */
    data_refused(copy, sizeof data_gz_flags + 1, "trailing");
    copy[sizeof data_gz_flags] = 0x1F, copy[sizeof data_gz_flags + 1] = 0;
    data_refused(copy, sizeof data_gz_flags + 2, "trailing");
    memset(copy + sizeof data_gz_flags, 0, 8);
    copy[sizeof copy - 1] = 0x1F;
    data_refused(copy, sizeof copy, "trailing"); /* zeros alone are padding */
    empty[10] = 7; /* block type 3 */
    data_refused(empty, sizeof empty, "type that does not exist");
    empty[10] = 1, empty[11] = 5; /* stored, and its length is not its complement */
    data_refused(empty, sizeof empty, "differ");
    empty[10] = 5, empty[11] = 31; /* dynamic with 288 literal codes */
    data_refused(empty, sizeof empty, "too many codes");
    empty[10] = 5, empty[11] = 0; /* dynamic, no code lengths at all */
    data_refused(empty, sizeof empty, "wrong table of code lengths");
}

/* A stored block in a member, with the right CRC and length. */
static size_t data_pack(unsigned char *to, const unsigned char *bytes, size_t n) {
    static const unsigned char head[10] = {0x1F, 0x8B, 8};
    uint32_t crc = 0xFFFFFFFFu;
    size_t i, k;
    memcpy(to, head, 10);
    to[10] = 1;
    to[11] = (unsigned char)n, to[12] = (unsigned char)(n >> 8);
    to[13] = (unsigned char)~n, to[14] = (unsigned char)(~n >> 8);
    memcpy(to + 15, bytes, n);
    for (i = 0; i < n; i++)
        for (crc ^= bytes[i], k = 0; k < 8; k++) crc = crc >> 1 ^ (0xEDB88320u & (0u - (crc & 1)));
    crc = ~crc;
    for (i = 0; i < 4; i++) to[15 + n + i] = (unsigned char)(crc >> 8 * i);
    for (i = 0; i < 4; i++) to[19 + n + i] = (unsigned char)(n >> 8 * i);
    return n + 23;
}

TEST(gunzip_checks_the_idx_inside) {
    unsigned char raw[19], packed[64];
    size_t n;
    memcpy(raw, data_raw_small, 18);
    raw[18] = 1;
    n = data_pack(packed, raw, 18);
    data_unpacks(packed, n, raw, 18);
    for (n = 0; n < 18; n++)
        data_refused(packed, data_pack(packed, raw, n), n < 4 ? "an IDX header" : "missing");
    data_refused(packed, data_pack(packed, raw, 19), "byte 18 of the unpacked data: expected");
    raw[0] = 0x1F, raw[1] = 0x8B; /* gzip in gzip */
    data_refused(packed, data_pack(packed, raw, 18), "of the unpacked data: expected an IDX file");
    raw[0] = raw[1] = 0, raw[2] = 10;
    data_refused(packed, data_pack(packed, raw, 18), "a type other than");
}

TEST(a_tiny_gzip_file_does_not_allocate_gigabytes) {
    unsigned char raw[12] = {0, 0, 8, 2, 0x40, 0, 0, 0, 0, 0, 0, 16}, packed[64];
    data_counter c;
    vae_allocator a = data_allocator(&c);
    vae_data d;
    vae_report r;
    size_t n = data_pack(packed, raw, 12);
    if (sizeof(size_t) < 8) raw[11] = 1, n = data_pack(packed, raw, 12);
    CHECK_STATUS(vae_data_from_memory(packed, n, "x", &a, &d, &r), VAE_ERR_FORMAT);
    CHECK_SAYS(r, "more than a gzip file of 35 bytes can hold");
    CHECK(c.largest < 1000000);
    CHECK_EQ(c.blocks, 0);
}

/* ---- files ---- */

TEST(load_says_why_a_file_cannot_be_opened) {
    const size_t three = 3;
    vae_data d;
    vae_report r;
    CHECK_STATUS(vae_data_load("no-such-folder/no-such-file", NULL, &d, &r), VAE_ERR_OPEN);
    CHECK_SAYS(r, "no-such-folder/no-such-file");
    CHECK_STATUS(vae_data_wrap(VAE_U8, 1, &three, "abc", &d, &r), VAE_OK);
    CHECK_STATUS(vae_data_save("no-such-folder/no-such-file", &d, &r), VAE_ERR_OPEN);
}

static int data_write(const void *bytes, size_t size) {
    FILE *f = fopen(DATA_FILE, "wb");
    int good = f && fwrite(bytes, 1, size, f) == size;
    if (f && fclose(f)) good = 0;
    return good;
}

TEST(load_from_a_path_finds_what_load_from_memory_finds) {
    vae_data d;
    vae_report r;
    CHECK(data_write(data_gz_window, sizeof data_gz_window));
    CHECK_STATUS(vae_data_load(DATA_FILE, NULL, &d, &r), VAE_OK);
    CHECK_EQ(d.count, 300000);
    vae_data_free(&d);
    CHECK(data_write(data_gz_window, sizeof data_gz_window - 1));
    CHECK_STATUS(vae_data_load(DATA_FILE, NULL, &d, &r), VAE_ERR_FORMAT);
    CHECK_SAYS(r, DATA_FILE ": byte 466: the file is truncated");
    CHECK(data_write(data_raw_small, 18));
    CHECK_STATUS(vae_data_load(DATA_FILE, NULL, &d, &r), VAE_OK);
    CHECK(d.block_size == 6 && !memcmp(d.bytes, data_raw_small + 12, 6));
    vae_data_free(&d);
    CHECK(data_write(data_raw_small, 17));
    CHECK_STATUS(vae_data_load(DATA_FILE, NULL, &d, &r), VAE_ERR_FORMAT);
    CHECK_SAYS(r, "1 are missing");
    CHECK(data_write("", 0));
    CHECK_STATUS(vae_data_load(DATA_FILE, NULL, &d, &r), VAE_ERR_FORMAT);
    remove(DATA_FILE);
}

#ifdef VAE__POSIX
/* What comes through a pipe has no size beforehand. */
static vae_status data_pipe(const void *bytes, size_t size, vae_data *d, vae_report *r) {
    int ends[2];
    char path[32] = "";
    vae_status status = VAE_ERR_OPEN;
    if (pipe(ends)) return status;
    snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
    if (write(ends[1], bytes, size) == (ssize_t)size) { /* far less than a pipe's buffer */
        close(ends[1]);
        status = vae_data_load(path, NULL, d, r);
    } else {
        close(ends[1]);
    }
    close(ends[0]);
    return status;
}

TEST(load_reads_from_a_pipe) {
    unsigned char longer[19] = {0};
    vae_data d;
    vae_report r;
    memset(&d, 0, sizeof d);
    if (data_pipe(data_raw_small, 18, &d, &r) == VAE_ERR_OPEN) SKIP("no /dev/fd");
    CHECK(d.block_size == 6 && !memcmp(d.bytes, data_raw_small + 12, 6));
    vae_data_free(&d);
    CHECK_STATUS(data_pipe(data_gz_window, sizeof data_gz_window, &d, &r), VAE_OK);
    CHECK_EQ(d.count, 300000);
    vae_data_free(&d);
    CHECK_STATUS(data_pipe(data_raw_small, 17, &d, &r), VAE_ERR_FORMAT);
    CHECK_SAYS(r, "1 are missing");
    CHECK_STATUS(data_pipe(data_raw_small, 6, &d, &r), VAE_ERR_FORMAT);
    CHECK_SAYS(r, "an IDX header");
    memcpy(longer, data_raw_small, 18);
    CHECK_STATUS(data_pipe(longer, 19, &d, &r), VAE_ERR_FORMAT);
    CHECK_SAYS(r, "trailing");
}
#endif

/* Another process writes to the file between the look at its size and the last read. */
TEST(a_file_that_grows_or_shrinks_while_it_is_read_is_refused) {
    static const struct {
        size_t before, after; /* bytes when its size is asked for, and when it is read */
        const char *says;     /* NULL: what is read is whole */
    } list[] = {{18, 18, NULL}, {23, 18, NULL}, {18, 13, "5 are missing"},
                {13, 18, "5 are missing"}, {18, 11, "an IDX header"}, {11, 18, "6 are missing"},
                {18, 25, "found trailing bytes"}, {0, 18, "are missing"}};
    static const unsigned char bytes[25] = {0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6};
    size_t i;
    for (i = 0; i < sizeof list / sizeof *list; i++) {
        FILE *f = fopen(DATA_FILE, "wb");
        vae__reader reader;
        vae_report r;
        vae_data d;
        CHECK(f && fwrite(bytes, 1, list[i].after, f) == list[i].after && fclose(f) == 0);
        CHECK_STATUS(vae__open_read(&reader, DATA_FILE, 0, &r), VAE_OK);
        CHECK_EQ(reader.size, list[i].after);
        reader.size = list[i].before;
        CHECK_STATUS(vae__data_from(&reader, NULL, &d),
                     list[i].says ? VAE_ERR_FORMAT : VAE_OK);
        if (list[i].says) CHECK_SAYS(r, list[i].says);
        else vae_data_free(&d);
        VAE__CLOSE(reader.file);
    }
    remove(DATA_FILE);
}

/* Numbers of a file that are none are told by image and place wherever they are used. */
TEST(numbers_that_are_not_finite_are_found_in_both_float_types) {
    static const uint64_t doubles[] = {0x7FF8000000000000u, 0x7FF0000000000000u,
                                       0xFFF0000000000000u, 0x7E37E43C8800759Cu /* 1e300 */,
                                       0x7FF0000000000001u /* signalling */};
    static const uint32_t floats[] = {0x7FC00000u, 0x7F800000u, 0xFF800000u, 0x7F800000u,
                                      0x7F800001u};
    vae_desc desc;
    vae *m = NULL;
    size_t i, k;
    int wide;
    memset(&desc, 0, sizeof desc);
    desc.input = "3", desc.encoder = desc.decoder = "", desc.latent = 1, desc.batch = 2;
    desc.likelihood = "gaussian";
    CHECK_STATUS(vae_create(&desc, &m, NULL), VAE_OK);
    for (wide = 0; wide < 2; wide++)
        for (i = 0; i < 5; i++) {
            unsigned char file[12 + 4 * 3 * 8] = {0, 0, 13, 2, 0, 0, 0, 4, 0, 0, 0, 3};
            const size_t width = wide ? 8 : 4, place = 12 + (2 * 3 + 1) * width;
            vae_data d;
            vae_report r;
            vae_stats stats;
            double kl;
            file[2] = wide ? 14 : 13; /* image 2, number 1 */
            for (k = 0; k < width; k++)
                file[place + k] = (unsigned char)(wide ? doubles[i] >> (56 - 8 * k)
                                                       : floats[i] >> (24 - 8 * k));
            CHECK_STATUS(data_from(file, 12 + 12 * width, &d, &r), VAE_OK);
            for (k = 0; k < 3; k++) {
                const vae_status s = k == 0 ? vae_fit(m, &d, NULL, NULL, NULL)
                                   : k == 1 ? vae_evaluate(m, &d, &stats)
                                            : vae_units(m, &d, &kl, NULL);
                CHECK_STATUS(s, VAE_ERR_NONFINITE);
                CHECK_SAYS(*vae_last_report(m), "image 2: number 1 is ");
            }
            vae_data_free(&d);
        }
    vae_destroy(m);
}

TEST(a_long_path_does_not_push_out_the_reason) {
    char name[1000];
    vae_data d;
    vae_report r;
    memset(name, 'n', sizeof name);
    name[999] = 0;
    CHECK_STATUS(vae_data_from_memory("PK\3\4", 4, name, NULL, &d, &r), VAE_ERR_FORMAT);
    CHECK_SAYS(r, "found 50 4b 03 04");
}

/* ---- arrays, numbers, labels ---- */

TEST(wrap_takes_the_array_as_it_is) {
    size_t dims[8] = {4, 3, 2, 1, 1, 1, 1, 1};
    float x[24] = {0};
    vae_data d;
    vae_report r;
    CHECK_STATUS(vae_data_wrap(VAE_F32, 3, dims, x, &d, &r), VAE_OK);
    CHECK(d.bytes == x && !d.block && d.count == 4 && d.item == 6);
    vae_data_free(&d); /* leaves the caller's memory alone */
    CHECK_STATUS(vae_data_wrap(VAE_F32, 0, dims, x, &d, &r), VAE_ERR_VALUE);
    CHECK_SAYS(r, "rank");
    CHECK_STATUS(vae_data_wrap(VAE_F32, 9, dims, x, &d, &r), VAE_ERR_VALUE);
    CHECK_STATUS(vae_data_wrap((vae_type)10, 1, dims, x, &d, &r), VAE_ERR_VALUE);
    CHECK_SAYS(r, "type");
    CHECK_STATUS(vae_data_wrap(VAE_F32, 1, NULL, x, &d, &r), VAE_ERR_NULL);
    CHECK_STATUS(vae_data_wrap(VAE_F32, 1, dims, NULL, &d, &r), VAE_ERR_NULL);
    CHECK_STATUS(vae_data_wrap(VAE_F32, 1, dims, x, NULL, &r), VAE_ERR_NULL);
    dims[2] = 0;
    CHECK_STATUS(vae_data_wrap(VAE_F32, 3, dims, x, &d, &r), VAE_ERR_VALUE);
    CHECK_SAYS(r, "zero");
    dims[2] = SIZE_MAX / 2;
    CHECK_STATUS(vae_data_wrap(VAE_U8, 3, dims, x, &d, &r), VAE_ERR_VALUE);
    CHECK_SAYS(r, "overflow");
    if (sizeof(size_t) > 4) {
        dims[0] = (size_t)UINT32_MAX;
        CHECK_STATUS(vae_data_wrap(VAE_U8, 1, dims, x, &d, &r), VAE_OK);
        dims[0]++;
        CHECK_STATUS(vae_data_wrap(VAE_U8, 1, dims, x, &d, &r), VAE_ERR_VALUE);
        CHECK_SAYS(r, "32 bits");
        dims[1] = dims[0], dims[0] = 1; /* wide images are fine, but IDX cannot hold them */
        CHECK_STATUS(vae_data_wrap(VAE_U8, 2, dims, x, &d, &r), VAE_OK);
        CHECK_STATUS(vae_data_save(DATA_FILE, &d, &r), VAE_ERR_VALUE);
        CHECK_SAYS(r, "32 bits");
    }
}

TEST(read_refuses_what_lies_outside) {
    unsigned char x[6] = {0};
    size_t dims[2] = {3, 2};
    float out[6] = {7, 7, 7, 7, 7, 7};
    vae_data d;
    CHECK_STATUS(vae_data_wrap(VAE_U8, 2, dims, x, &d, NULL), VAE_OK);
    CHECK_STATUS(vae_data_read(&d, 0, 4, out), VAE_ERR_VALUE);
    CHECK_STATUS(vae_data_read(&d, 3, 1, out), VAE_ERR_VALUE);
    CHECK_STATUS(vae_data_read(&d, 4, 0, out), VAE_ERR_VALUE);
    CHECK_STATUS(vae_data_read(&d, SIZE_MAX, 2, out), VAE_ERR_VALUE);
    CHECK_STATUS(vae_data_read(&d, 0, 1, NULL), VAE_ERR_NULL);
    CHECK_STATUS(vae_data_read(NULL, 0, 1, out), VAE_ERR_NULL);
    CHECK(out[0] == 7);
    CHECK_STATUS(vae_data_read(&d, 3, 0, NULL), VAE_OK);
    CHECK_STATUS(vae_data_read(&d, 2, 1, out), VAE_OK);
    CHECK(out[0] == 0 && out[1] == 0 && out[2] == 7);
}

static uint32_t data_bits(float x) {
    uint32_t u;
    memcpy(&u, &x, 4);
    return u;
}

static double data_double(uint64_t u) {
    double x;
    memcpy(&x, &u, 8);
    return x;
}

/* As the processor divides; -Ofast must not make a reciprocal of a constant. */
static float data_ratio(double a, double b) {
    volatile double over = a, under = b, quotient = over / under;
    return (float)quotient;
}

/* Is f the float nearest to x / n (n = 2^b - 1, 0 <= x <= n)? By integers: f = m * 2^-e exactly,
 * and |x/n - f| <= half a unit in the last place means |2x 2^e - 2mn| <= n. */
static int data_nearest(uint32_t x, uint32_t n, float f) {
    uint32_t u = data_bits(f), m = (u & 0x7FFFFFu) | 0x800000u;
    int e = 150 - (int)(u >> 23);
    uint64_t left, right;
    if (!x) return u == 0;
    left = (uint64_t)x << (e + 1), right = 2 * (uint64_t)m * n; /* both below 2^42 for 16 bits */
    return (left > right ? left - right : right - left) <= n;
}

TEST(bytes_become_the_nearest_float_of_x_over_255) {
    unsigned char x[256];
    size_t n = 256;
    float out[256], sout[256];
    vae_data d;
    unsigned i;
    for (i = 0; i < 256; i++) x[i] = (unsigned char)i;
    CHECK_STATUS(vae_data_wrap(VAE_U8, 1, &n, x, &d, NULL), VAE_OK);
    CHECK_STATUS(vae_data_read(&d, 0, 256, out), VAE_OK);
    CHECK_STATUS(vae_data_wrap(VAE_I8, 1, &n, x, &d, NULL), VAE_OK);
    CHECK_STATUS(vae_data_read(&d, 0, 256, sout), VAE_OK);
    for (i = 0; i < 256; i++) {
        CHECK(data_nearest(i, 255, out[i]));
        CHECK(data_bits(out[i]) == data_bits(data_ratio(i, 255)));
        CHECK(data_bits(out[i]) == data_bits(sout[i ^ 0x80]));
    }
    CHECK(out[0] == 0 && out[255] == 1);
}

TEST(short_integers_become_the_nearest_float) {
    int16_t *x = (int16_t *)malloc(65536 * 2);
    float *out = (float *)malloc(65536 * 4);
    size_t n = 65536, i;
    vae_data d;
    if (!x || !out) SKIP("no memory");
    for (i = 0; i < n; i++) x[i] = (int16_t)((int)i - 32768);
    CHECK_STATUS(vae_data_wrap(VAE_I16, 1, &n, x, &d, NULL), VAE_OK);
    CHECK_STATUS(vae_data_read(&d, 0, n, out), VAE_OK);
    for (i = 0; i < n; i++) {
        CHECK(data_nearest((uint32_t)i, 65535, out[i]));
        CHECK(data_bits(out[i]) == data_bits(data_ratio((double)i, 65535)));
    }
    free(x);
    free(out);
}

TEST(integers_become_the_nearest_float) {
    int32_t x[4096];
    float out[4096];
    size_t n = 4096, i;
    uint32_t u = 1;
    vae_data d;
    for (i = 0; i < n; i++) {
        u = u * 1664525u + 1013904223u;
        /* ends of the range, halves between floats, and anything */
        if (i < 64) x[i] = (int32_t)(INT32_MIN + (int32_t)i);
        else if (i < 128) x[i] = (int32_t)(INT32_MAX - (int32_t)(i - 64));
        else if (i < 1024) x[i] = (int32_t)((0x01000001u + 2 * (u >> 9)) ^ 0x80000000u);
        else x[i] = (int32_t)(u >> (u & 15));
    }
    CHECK_STATUS(vae_data_wrap(VAE_I32, 1, &n, x, &d, NULL), VAE_OK);
    CHECK_STATUS(vae_data_read(&d, 0, n, out), VAE_OK);
    for (i = 0; i < n; i++) {
        double over = (double)x[i] + 2147483648.0;
        CHECK(data_bits(out[i]) == data_bits(data_ratio(over, 4294967295.0)));
    }
    CHECK(out[0] == 0 && out[64] == 1);
}

TEST(floats_stay_as_they_are_nan_included) {
    static const uint32_t bits[6] = {0x7F800001u, 0xFFC12345u, 0x80000000u, 1,
                                     0x7F7FFFFFu, 0xFF800000u};
    float out[6];
    size_t n = 6;
    vae_data d;
    CHECK_STATUS(vae_data_wrap(VAE_F32, 1, &n, bits, &d, NULL), VAE_OK);
    CHECK_STATUS(vae_data_read(&d, 0, 6, out), VAE_OK);
    CHECK(!memcmp(bits, out, sizeof out));
}

TEST(doubles_become_the_nearest_float) {
    static const struct {
        uint64_t from;
        uint32_t to;
    } list[] = {
        {0, 0},
        {0x8000000000000000u, 0x80000000u},
        {0x3FF0000000000000u, 0x3F800000u},  /* 1 */
        {0xC004000000000000u, 0xC0200000u},  /* -2.5 */
        {0x3FF0000010000000u, 0x3F800000u},  /* 1 + 2^-24: halfway, to even */
        {0x3FF0000030000000u, 0x3F800002u},  /* 1 + 3 * 2^-24: halfway, to even */
        {0x3FF0000010000001u, 0x3F800001u},  /* a little above halfway */
        {0x3FEFFFFFF0000000u, 0x3F800000u},  /* carries into the exponent */
        {0x47EFFFFFE0000000u, 0x7F7FFFFFu},  /* the largest float */
        {0x47EFFFFFEFFFFFFFu, 0x7F7FFFFFu},
        {0x47EFFFFFF0000000u, 0x7F800000u},  /* halfway to the next, which is infinity */
        {0xC7F0000000000000u, 0xFF800000u},
        {0x7FEFFFFFFFFFFFFFu, 0x7F800000u},
        {0x7FF0000000000000u, 0x7F800000u},
        {0xFFF0000000000000u, 0xFF800000u},
        {0x7FF0000000000001u, 0x7FC00000u},  /* NaN is the canonical one */
        {0xFFF8000000000000u, 0x7FC00000u},
        {0x3810000000000000u, 0x00800000u},  /* 2^-126, the smallest normal */
        {0x380FFFFFFFFFFFFFu, 0x00800000u},
        {0x380FFFFFC0000000u, 0x007FFFFFu},  /* the largest subnormal */
        {0x36A0000000000000u, 0x00000001u},  /* 2^-149 */
        {0x3690000000000000u, 0x00000000u},  /* half of it, to even */
        {0x3690000000000001u, 0x00000001u},
        {0xB698000000000000u, 0x80000001u},
        {0x36A8000000000000u, 0x00000002u},  /* one and a half, to even */
        {0x3680000000000000u, 0x00000000u},
        {0x0000000000000001u, 0x00000000u},
        {0x800FFFFFFFFFFFFFu, 0x80000000u},
    };
    size_t i, k, one = 1;
    uint64_t u = 1;
    for (i = 0; i < sizeof list / sizeof *list; i++) {
        float out;
        vae_data d;
        CHECK_STATUS(vae_data_wrap(VAE_F64, 1, &one, &list[i].from, &d, NULL), VAE_OK);
        CHECK_STATUS(vae_data_read(&d, 0, 1, &out), VAE_OK);
        CHECK_EQ(data_bits(out), list[i].to);
    }
    for (k = 0; k < 100; k++) { /* against the processor, in the range of normal floats */
        double from[1000];
        float to[1000];
        size_t n = 1000;
        vae_data d;
        for (i = 0; i < n; i++) {
            u = u * 6364136223846793005u + 1442695040888963407u;
            from[i] = data_double((u & 0x800FFFFFFFFFFFFFu) | (uint64_t)(0x385 + u % 250) << 52);
        }
        CHECK_STATUS(vae_data_wrap(VAE_F64, 1, &n, from, &d, NULL), VAE_OK);
        CHECK_STATUS(vae_data_read(&d, 0, n, to), VAE_OK);
        for (i = 0; i < n; i++) CHECK(data_bits(to[i]) == data_bits((float)from[i]));
    }
}

TEST(label_is_zero_outside) {
    static const int16_t x[4] = {-5, 6, 7, -32768};
    size_t dims[2] = {2, 2};
    vae_data d;
    CHECK_STATUS(vae_data_wrap(VAE_I16, 2, dims, x, &d, NULL), VAE_OK);
    CHECK_EQ(vae_data_label(&d, 0, 0), -5);
    CHECK_EQ(vae_data_label(&d, 0, 1), 6);
    CHECK_EQ(vae_data_label(&d, 1, 1), -32768);
    CHECK_EQ(vae_data_label(&d, 2, 0), 0);
    CHECK_EQ(vae_data_label(&d, 0, 2), 0);
    CHECK_EQ(vae_data_label(NULL, 0, 0), 0);
}

/* ---- the real thing ---- */

TEST(mnist_is_what_it_should_be) {
    const char *folder = getenv("DATA");
    char path[1024];
    vae_data d, labels;
    vae_report r;
    float *x;
    double sum = 0;
    uint64_t hash = VAE__FNV;
    static const unsigned char head[16] = {0, 0, 8, 3, 0, 0, 0xEA, 0x60, 0, 0, 0, 28, 0, 0, 0, 28};
    size_t i, n = 28 * 28, ones = 0;
    if (!folder) SKIP("DATA names no folder");
    snprintf(path, sizeof path, "%s/train-images-idx3-ubyte.gz", folder);
    memset(&d, 0, sizeof d);
    memset(&r, 0, sizeof r);
    if (vae_data_load(path, NULL, &d, &r) == VAE_ERR_OPEN) SKIP("no MNIST in DATA");
    CHECK_STATUS(r.status, VAE_OK);
    CHECK_EQ(d.count, 60000);
    CHECK_EQ(d.rank, 3);
    CHECK_EQ(d.item, 784);
    if (d.count != 60000 || d.item != n) return;
    hash = vae__hash(hash, head, sizeof head);
    hash = vae__hash(hash, d.bytes, d.block_size);
    CHECK(hash == 0xfb6e3c26051525edu); /* of the file with MD5 6bbc9ace898e44ae57da46a324031adb */
    x = (float *)malloc(n * 1000 * sizeof *x);
    if (!x) SKIP("no memory");
    for (i = 0; i < 60; i++) {
        size_t k;
        CHECK_STATUS(vae_data_read(&d, 1000 * i, 1000, x), VAE_OK);
        for (k = 0; k < 1000 * n; k++) sum += x[k];
    }
    CHECK_NEAR(sum / (60000.0 * 784), 0.1306605, 5e-8);
    free(x);
    vae_data_free(&d);
    snprintf(path, sizeof path, "%s/train-labels-idx1-ubyte.gz", folder);
    CHECK_STATUS(vae_data_load(path, NULL, &labels, &r), VAE_OK);
    CHECK_EQ(labels.count, 60000);
    CHECK_EQ(vae_data_label(&labels, 0, 0), 5);
    for (i = 0; i < labels.count; i++) ones += vae_data_label(&labels, i, 0) == 1;
    CHECK_EQ(ones, 6742);
    vae_data_free(&labels);
}

/* ---- raw deflate ---- */

/* What lies between the header of 10 bytes and the trailer of 8. */
static void data_inflates(const unsigned char *gz, size_t size, const unsigned char *want,
                          size_t count) {
    unsigned char *cut, *out = (unsigned char *)malloc(count + 1);
    vae_report r;
    size_t used = 0, n;
    memset(&r, 0, sizeof r);
    CHECK_STATUS(vae_inflate(gz + 10, size - 10, "x", NULL, out, count, &used, &r), VAE_OK);
    CHECK_EQ(used, size - 18);
    CHECK(!memcmp(out, want, count));
    CHECK_STATUS(vae_inflate(gz + 10, size - 18, "x", NULL, out, count, NULL, NULL), VAE_OK);
    used = 7;
    CHECK_STATUS(vae_inflate(gz + 10, size - 18, "x", NULL, out, count + 1, &used, &r),
                 VAE_ERR_FORMAT);
    CHECK_SAYS(r, "x: unpacks to");
    CHECK_SAYS(r, "instead of");
    out[count - 1] = 0xA5; /* stands for what lies behind the buffer */
    memset(out, 0, count - 1);
    CHECK_STATUS(vae_inflate(gz + 10, size - 18, "x", NULL, out, count - 1, &used, &r),
                 VAE_ERR_SIZE);
    CHECK_SAYS(r, "unpacks to more than");
    CHECK(!memcmp(out, want, count - 1));
    CHECK_EQ(out[count - 1], 0xA5);
    CHECK_EQ(used, 7);
    for (n = 0; n < size - 18; n++) {
        cut = (unsigned char *)malloc(n + 1);
        memcpy(cut, gz + 10, n);
        CHECK_STATUS(vae_inflate(cut, n, "x", NULL, out, count, NULL, &r), VAE_ERR_FORMAT);
        CHECK_SAYS(r, "truncated");
        free(cut);
    }
    free(out);
}

TEST(inflate_fills_a_buffer_of_the_right_size_only) {
    data_inflates(data_gz_stored, sizeof data_gz_stored, data_raw_small, sizeof data_raw_small);
    data_inflates(data_gz_fixed, sizeof data_gz_fixed, data_raw_small, sizeof data_raw_small);
    data_inflates(data_gz_dynamic, sizeof data_gz_dynamic, data_raw_skewed, sizeof data_raw_skewed);
    data_inflates(data_gz_mixed, sizeof data_gz_mixed, data_raw_skewed, sizeof data_raw_skewed);
}

TEST(inflate_refuses_what_it_cannot_do) {
    static const unsigned char none[2] = {3, 0}; /* an empty block */
    unsigned char out[4];
    data_counter c;
    vae_allocator a = data_allocator(&c);
    vae_report r;
    size_t used = 0;
    CHECK_STATUS(vae_inflate(none, 2, "x", NULL, NULL, 0, &used, NULL), VAE_OK);
    CHECK_EQ(used, 2);
    CHECK_STATUS(vae_inflate(NULL, 2, "x", NULL, out, 4, NULL, &r), VAE_ERR_NULL);
    CHECK_STATUS(vae_inflate(none, 2, "x", NULL, NULL, 4, NULL, &r), VAE_ERR_NULL);
    CHECK_STATUS(vae_inflate(none, 0, NULL, NULL, out, 4, NULL, &r), VAE_ERR_FORMAT);
    c.fail_at = 1;
    CHECK_STATUS(vae_inflate(none, 2, "x", &a, out, 0, NULL, &r), VAE_ERR_MEMORY);
    CHECK_SAYS(r, "out of memory");
    CHECK_STATUS(vae_inflate(none, 2, "x", &a, out, 0, NULL, &r), VAE_OK);
    CHECK(c.largest <= 210000);
    CHECK_EQ(c.blocks, 0);
}

/* ---- pictures in colour ---- */

TEST(idx_of_rank_4_is_pictures_of_several_channels) {
    unsigned char file[20 + 24] = {0, 0, 8, 4, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3};
    vae_data d;
    vae_report r;
    float x[12];
    size_t i;
    for (i = 0; i < 24; i++) file[20 + i] = (unsigned char)(i * 10);
    CHECK_STATUS(data_from(file, sizeof file, &d, &r), VAE_OK);
    CHECK_EQ(d.rank, 4);
    CHECK_EQ(d.count, 2);
    CHECK_EQ(d.item, 12);
    CHECK_EQ(d.dims[3], 3);
    CHECK_STATUS(vae_data_read(&d, 1, 1, x), VAE_OK);
    for (i = 0; i < 12; i++) CHECK(x[i] == (float)(((double)i + 12) * 10 / 255));
    CHECK_STATUS(vae_data_save(DATA_FILE, &d, &r), VAE_OK);
    vae_data_free(&d);
    CHECK_STATUS(vae_data_load(DATA_FILE, NULL, &d, &r), VAE_OK);
    CHECK(d.rank == 4 && d.dims[1] == 2 && d.dims[2] == 2 && d.dims[3] == 3);
    CHECK(d.block_size == 24 && !memcmp(d.bytes, file + 20, 24));
    vae_data_free(&d);
    remove(DATA_FILE);
    data_refused(file, sizeof file - 1, "1 are missing");
}

TESTS(data) {
    RUN(load_reads_every_type_in_the_byte_order_of_this_machine);
    RUN(load_knows_the_header_of_mnist);
    RUN(save_and_load_round_trip_for_every_type_and_rank);
    RUN(load_refuses_headers_that_lie);
    RUN(load_refuses_null);
    RUN(load_of_a_plain_file_allocates_once_and_exactly);
    RUN(load_reports_each_allocation_that_fails);
    RUN(gunzip_reads_stored_fixed_and_dynamic_blocks);
    RUN(gunzip_reads_every_optional_field);
    RUN(gunzip_joins_members);
    RUN(gunzip_reads_codes_of_up_to_15_bits);
    RUN(gunzip_copies_from_as_far_as_32768_bytes_back);
    RUN(gunzip_refuses_a_file_cut_at_any_byte);
    RUN(gunzip_finds_each_flipped_bit);
    RUN(gunzip_checks_crc_and_length);
    RUN(zeros_behind_the_last_gzip_member_are_padding);
    RUN(gunzip_refuses_what_no_gzip_writes);
    RUN(gunzip_checks_the_idx_inside);
    RUN(a_tiny_gzip_file_does_not_allocate_gigabytes);
    RUN(inflate_fills_a_buffer_of_the_right_size_only);
    RUN(inflate_refuses_what_it_cannot_do);
    RUN(idx_of_rank_4_is_pictures_of_several_channels);
    RUN(load_says_why_a_file_cannot_be_opened);
    RUN(load_from_a_path_finds_what_load_from_memory_finds);
#ifdef VAE__POSIX
    RUN(load_reads_from_a_pipe);
#endif
    RUN(a_file_that_grows_or_shrinks_while_it_is_read_is_refused);
    RUN(numbers_that_are_not_finite_are_found_in_both_float_types);
    RUN(a_long_path_does_not_push_out_the_reason);
    RUN(wrap_takes_the_array_as_it_is);
    RUN(read_refuses_what_lies_outside);
    RUN(bytes_become_the_nearest_float_of_x_over_255);
    RUN(short_integers_become_the_nearest_float);
    RUN(integers_become_the_nearest_float);
    RUN(floats_stay_as_they_are_nan_included);
    RUN(doubles_become_the_nearest_float);
    RUN(label_is_zero_outside);
    RUN(mnist_is_what_it_should_be);
}
