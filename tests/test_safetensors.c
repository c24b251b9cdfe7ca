/* The safetensors reader: what is legal opens, everything else is refused with the place. */
#include "test.h"

/* A file out of its header's text and `data` bytes of data. */
static size_t st_make(unsigned char *to, const char *json, size_t length, size_t data) {
    size_t i;
    for (i = 0; i < 8; i++) to[i] = (unsigned char)((uint64_t)length >> 8 * i);
    memcpy(to + 8, json, length);
    for (i = 0; i < data; i++) to[8 + length + i] = (unsigned char)(i + 1);
    return 8 + length + data;
}

/* Opens such a file from a block of exactly its size, so that a sanitizer sees a read behind it.
 * `st` points into *block, which the caller frees. */
static vae_status st_open_text(const char *json, size_t length, size_t data, vae__st *st,
                               unsigned char **block, vae_report *r) {
    size_t size = 8 + length + data;
    memset(r, 0, sizeof *r);
    memset(st, 0, sizeof *st);
    *block = (unsigned char *)malloc(size);
    if (!*block) return VAE_ERR_MEMORY;
    st_make(*block, json, length, data);
    return vae__st_open(st, *block, size, "x.st", NULL, r);
}

/* Tensors one after another, as the header has them: 1, or 0 after the last. */
static int st_at(const vae__st *st, size_t *cursor, char *name, size_t room, vae__st_tensor *t) {
    vae__st_scan s = vae__st_scan_of(st);
    vae__st_item item;
    int step;
    if (*cursor) s.at = *cursor, s.comma = 1;
    do step = vae__st_step(&s, &item); while (step != VAE__ST_END && step != VAE__ST_TENSOR);
    if (step == VAE__ST_END) return 0;
    *cursor = s.at, *t = item.tensor;
    (void)vae__st_copy(item.key, name, room);
    return 1;
}

static int st_find(const vae__st *st, const char *name, vae__st_tensor *t) {
    vae__st_item item;
    const int found = vae__st_look_up(st, VAE__ST_TENSOR, name, &item);
    if (found) *t = item.tensor;
    return found;
}

/* A value of __metadata__ without its escapes: its length, -1 when there is none, -2 when it does not
 * fit. */
static ptrdiff_t st_meta(const vae__st *st, const char *key, char *text, size_t room) {
    vae__st_item item;
    if (!vae__st_look_up(st, VAE__ST_PAIR, key, &item)) return -1;
    return vae__st_copy(item.value, text, room);
}

static void st_refused(const char *json, size_t length, size_t data, const char *word) {
    vae__st st;
    vae_report r;
    unsigned char *block;
    CHECK_STATUS(st_open_text(json, length, data, &st, &block, &r), VAE_ERR_FORMAT);
    CHECK_SAYS(r, word);
    CHECK_SAYS(r, "x.st: byte ");
    CHECK(!st.bytes); /* untouched */
    free(block);
}

/* Opens, and has so many tensors. */
static void st_opens(const char *json, size_t data, size_t tensors) {
    vae__st st;
    vae_report r;
    unsigned char *block;
    CHECK_STATUS(st_open_text(json, strlen(json), data, &st, &block, &r), VAE_OK);
    CHECK_EQ(st.tensors, tensors);
    CHECK(!r.text[0]);
    vae__st_close(&st, NULL);
    free(block);
}

static const char st_smallest[] =
    "{\"test\":{\"dtype\":\"I32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}";

/* Two tensors, metadata and escapes: for cutting and changing. */
static const char st_rich[] =
    "{\"__metadata__\":{\"vae.format\":\"1\",\"\\u006b\":\"\\ud83d\\ude00\\n\"},"
    "\"b\":{\"data_offsets\":[4,12],\"shape\":[2],\"dtype\":\"F32\"},"
    "\"a\\u00e9\":{\"dtype\":\"U8\",\"shape\":[2,2],\"data_offsets\":[0,4]}}  ";

#define ST(name, dtype, shape, begin, end) \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape \
    ",\"data_offsets\":[" #begin "," #end "]}"

TEST(open_reads_the_smallest_file) {
    unsigned char file[84] = {0x3C};
    vae__st st;
    vae__st_tensor t;
    vae_report r;
    memcpy(file + 8, st_smallest, 60);
    CHECK_EQ(sizeof st_smallest - 1, 60);
    CHECK_STATUS(vae__st_open(&st, file, sizeof file, "x", NULL, &r), VAE_OK);
    CHECK_EQ(st.tensors, 1);
    CHECK_EQ(st.header_at, 8);
    CHECK_EQ(st.header_size, 60);
    CHECK_EQ(st.data_at, 68);
    CHECK_EQ(st.data_size, 16);
    CHECK_EQ(st_find(&st, "test", &t), 1);
    CHECK(!strcmp(t.dtype, "I32"));
    CHECK(t.rank == 2 && t.shape[0] == 2 && t.shape[1] == 2);
    CHECK(t.begin == 0 && t.end == 16);
    CHECK_EQ(st_find(&st, "tes", &t), 0);
    CHECK_EQ(st_find(&st, "test2", &t), 0);
    CHECK_EQ(st_find(&st, "", &t), 0);
    vae__st_close(&st, NULL);
}

TEST(open_takes_any_order_blanks_and_padding) {
    st_opens("{}", 0, 0);
    st_opens("{ \t\r\n}   ", 0, 0);
    st_opens("{\"__metadata__\":{}}", 0, 0);
    st_opens("{" ST("b", "F32", "[1]", 4, 8) "," ST("a", "F32", "[1]", 0, 4) "}  ", 8, 2);
    st_opens("{" ST("a", "U8", "[1]", 0, 1) ",\"__metadata__\":{\"a\":\"\"}}", 1, 1);
    st_opens("{ \"a\" : { \"shape\" : [ 1 , 2 ] ,\n\"data_offsets\"\t:\r[ 0 , 2 ] , \"dtype\" : "
             "\"U8\" } } ", 2, 1);
}

TEST(open_takes_scalars_and_tensors_of_nothing) {
    st_opens("{" ST("a", "F64", "[]", 0, 8) "}", 8, 1);
    st_opens("{" ST("a", "F32", "[0]", 0, 0) "}", 0, 1);
    st_opens("{" ST("z", "F32", "[3,0,5]", 4, 4) "," ST("a", "F32", "[]", 0, 4) ","
             ST("y", "U8", "[0]", 0, 0) "," ST("b", "U8", "[1]", 4, 5) "}", 5, 4);
    st_opens("{" ST("a", "U8", "[1,1,1,1,1,1,1,2]", 0, 2) "}", 2, 1);
}

TEST(open_knows_the_width_of_every_dtype) {
    static const char half[] = "{" ST("a", "F4", "[3]", 0, 1) "}";
    static const struct {
        const char *dtype;
        unsigned bits;
    } list[] = {{"BOOL", 8}, {"U8", 8}, {"I8", 8}, {"U16", 16}, {"I16", 16}, {"U32", 32},
                {"I32", 32}, {"U64", 64}, {"I64", 64}, {"F16", 16}, {"BF16", 16}, {"F32", 32},
                {"F64", 64}, {"C64", 64}, {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8},
                {"F8_E5M2FNUZ", 8}, {"F8_E4M3FNUZ", 8}, {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"F4", 4}};
    size_t i;
    for (i = 0; i < sizeof list / sizeof *list; i++) {
        char json[200];
        unsigned bytes = list[i].bits * 4 / 8;
        int n = snprintf(json, sizeof json, "{\"a\":{\"dtype\":\"%s\",\"shape\":[4],"
                         "\"data_offsets\":[0,%u]}}", list[i].dtype, bytes);
        st_opens(json, bytes, 1);
        json[n - 4]++; /* one byte more */
        st_refused(json, strlen(json), bytes + 1, "needs");
    }
    st_refused(half, strlen(half), 1, "needs 12 bits");
}

TEST(open_tolerates_a_dtype_from_the_future) {
    static const char json[] =
        "{" ST("q", "Q3_7", "[5]", 0, 3) "," ST("r", "A_VERY_LONG_NAME", "[]", 3, 4) ","
        ST("s", "F8_E5M2FNUZX", "[9]", 4, 5) "," ST("a", "U8", "[1]", 5, 6) "}";
    vae__st st;
    vae__st_tensor t;
    vae_report r;
    unsigned char *block;
    CHECK_STATUS(st_open_text(json, sizeof json - 1, 6, &st, &block, &r), VAE_OK);
    CHECK_EQ(st_find(&st, "q", &t), 1);
    CHECK(!strcmp(t.dtype, "Q3_7"));
    CHECK_EQ(st_find(&st, "r", &t), 1);
    CHECK(!strcmp(t.dtype, "?"));
    CHECK_EQ(st_find(&st, "s", &t), 1);
    CHECK(!strcmp(t.dtype, "?"));
    CHECK_EQ(st_find(&st, "a", &t), 1);
    vae__st_close(&st, NULL);
    free(block);
}

TEST(open_refuses_a_bad_length) {
    static const struct {
        unsigned char bytes[12];
        size_t size;
        const char *word;
    } list[] = {
        {{0}, 0, "truncated after 0"},
        {{2, 0, 0, 0, 0, 0, 0}, 7, "truncated after 7"},
        {{0}, 8, "expected '{'"},
        {{0, 0, 0, 0, 0, 0, 0, 0, '{', '}'}, 10, "expected '{'"},
        {{1, 0, 0, 0, 0, 0, 0, 0, '{'}, 9, "the end of the header"},
        {{3, 0, 0, 0, 0, 0, 0, 0, '{', '}'}, 10, "truncated 2 bytes after"},
        {{0, 0xE1, 0xF5, 0x05, 0, 0, 0, 0, '{', '}'}, 10, "should have 100000000 bytes"},
        {{1, 0xE1, 0xF5, 0x05, 0, 0, 0, 0, '{', '}'}, 10, "100000001 bytes is too large"},
        {{2, 0, 0, 0, 1, 0, 0, 0, '{', '}'}, 10, "4294967298 bytes is too large"},
        {{255, 255, 255, 255, 255, 255, 255, 255, '{', '}'}, 10, "18446744073709551615 bytes"},
        {{2, 0, 0, 0, 0, 0, 0, 0, ' ', '{', '}'}, 11, "'{' in the JSON header, found ' '"},
        {{2, 0, 0, 0, 0, 0, 0, 0, '[', ']'}, 10, "byte 8: expected '{'"},
    };
    size_t i;
    for (i = 0; i < sizeof list / sizeof *list; i++) {
        vae__st st;
        vae_report r;
        CHECK_STATUS(vae__st_open(&st, list[i].bytes, list[i].size, "x", NULL, &r),
                     VAE_ERR_FORMAT);
        CHECK_SAYS(r, list[i].word);
    }
}

TEST(open_refuses_what_is_not_json) {
    static const struct {
        const char *json, *word;
    } list[] = {
        {"{\"a\"", "byte 12: expected ':'"},
        {"{\"a\":", "expected '{' in the JSON header, found the end of the header"},
        {"{\"a", "the end of a string"},
        {"{a:1}", "a string"},
        {"{,}", "a string"},
        {"{\"a\":[]}", "expected '{'"},
        {"{\"a\":\"b\"}", "expected '{'"},
        {"{\"a\":{}}", "without dtype"},
        {"{}x", "nothing but spaces"},
        {"{}\n", "nothing but spaces"},
        {"{}{}", "nothing but spaces"},
        {"{" ST("a", "U8", "[]", 0, 1) ",}", "a string"},
        {"{" ST("a", "U8", "[]", 0, 1) " " ST("b", "U8", "[]", 1, 2) "}", "',' or '}'"},
        {"{" ST("a", "U8", "[1,]", 0, 1) "}", "a whole number"},
        {"{" ST("a", "U8", "[,1]", 0, 1) "}", "a whole number"},
        {"{" ST("a", "U8", "[1 1]", 0, 1) "}", "',' or ']'"},
        {"{" ST("a", "U8", "[1}", 0, 1) "}", "',' or ']'"},
        {"{" ST("a", "U8", "1", 0, 1) "}", "'['"},
        {"{" ST("a", "U8", "[-1]", 0, 1) "}", "a whole number"},
        {"{" ST("a", "U8", "[+1]", 0, 1) "}", "a whole number"},
        {"{" ST("a", "U8", "[1.0]", 0, 1) "}", "found '.'"},
        {"{" ST("a", "U8", "[1e0]", 0, 1) "}", "found 'e'"},
        {"{" ST("a", "U8", "[01]", 0, 1) "}", "a leading zero"},
        {"{" ST("a", "U8", "[[1]]", 0, 1) "}", "a whole number"},
        {"{" ST("a", "U8", "[null]", 0, 1) "}", "a whole number"},
        {"{" ST("a", "U8", "[\"1\"]", 0, 1) "}", "a whole number"},
        {"{" ST("a", "U\x01", "[]", 0, 1) "}", "a control character"},
        {"{" ST("a", "U\t8", "[]", 0, 1) "}", "a control character"},
        {"{" ST("a\\", "U8", "[]", 0, 1) "}", "':'"},
        {"{" ST("\\x", "U8", "[]", 0, 1) "}", "an escape that JSON does not have"},
        {"{" ST("\\u12g4", "U8", "[]", 0, 1) "}", "an escape"},
        {"{" ST("\\ud800", "U8", "[]", 0, 1) "}", "an escape"},
        {"{" ST("\\ud800\\u0041", "U8", "[]", 0, 1) "}", "an escape"},
        {"{" ST("\\udc00", "U8", "[]", 0, 1) "}", "an escape"},
        {"{\"a\\u00", "an escape"},
        {"{\"a\\ud83d\\u", "an escape"},
        {"{\"a\\", "an escape"},
        {"{\"__metadata__\":[]}", "'{'"},
        {"{\"__metadata__\":{\"a\":1}}", "a string"},
        {"{\"__metadata__\":{\"a\":{}}}", "a string"},
        {"{\"__metadata__\":{\"a\":null}}", "a string"},
        {"{\"__metadata__\":{\"a\":\"b\",}}", "a string"},
        {"{\"__metadata__\":{\"a\" \"b\"}}", "':'"},
        {"{\"__metadata__\":{", "found the end of the header"},
        {"{\"__metadata__\":{}", "found the end of the header"},
    };
    size_t i;
    for (i = 0; i < sizeof list / sizeof *list; i++)
        st_refused(list[i].json, strlen(list[i].json), 1, list[i].word);
    st_refused("{\"a\0\":", 6, 0, "a control character");
}

TEST(open_refuses_a_tensor_that_is_not_one) {
    static const struct {
        const char *json, *word;
        size_t data;
    } list[] = {
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[]}}", "without data_offsets", 1},
        {"{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", "without shape", 1},
        {"{\"a\":{\"shape\":[],\"data_offsets\":[0,1]}}", "without dtype", 1},
        {"{\"a\":{\"dtype\":1,\"shape\":[],\"data_offsets\":[0,1]}}", "a string", 1},
        {"{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}",
         "a key given twice", 1},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[],\"sh\\u0061pe\":[],\"data_offsets\":[0,1]}}",
         "a key given twice", 1},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[],\"strides\":[],\"data_offsets\":[0,1]}}",
         "a key other than", 1},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[]}}", "fewer than two", 1},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0]}}", "fewer than two", 1},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1,1]}}", "more than two", 1},
        {"{" ST("a", "U8", "[1,1,1,1,1,1,1,1,1]", 0, 1) "}", "more than 8 dimensions", 1},
        {"{" ST("a", "U8", "[]", 1, 0) "}", "before they begin", 1},
        {"{" ST("a", "U8", "[2]", 0, 2) "}", "the file is incomplete", 1},
        {"{" ST("a", "U8", "[2]", 0, 1) "}", "needs 16 bits", 1},
        {"{" ST("a", "U8", "[0]", 0, 1) "}", "needs 0 bits", 1},
        {"{" ST("a", "F32", "[]", 0, 1) "}", "byte 10: 'a' needs 32 bits by shape and dtype F32", 1},
        {"{" ST("a", "U8", "[1]", 0, 18446744073709551616) "}", "overflows", 1},
        {"{" ST("a", "U8", "[18446744073709551616]", 0, 1) "}", "overflows", 1},
        {"{" ST("a", "U8", "[99999999999999999999999999]", 0, 1) "}", "overflows", 1},
        {"{" ST("a", "U8", "[18446744073709551615]", 0, 1) "}", "overflows", 1},
        {"{" ST("a", "F64", "[4294967296,4294967296,4294967296]", 0, 0) "}", "overflows", 0},
        {"{" ST("a", "F32", "[4294967296,4294967296]", 0, 0) "}", "overflows", 0},
        {"{" ST("a", "F32", "[2305843009213693952]", 0, 0) "}", "overflows", 0},
        {"{" ST("a", "F32", "[2305843009213693952,0]", 0, 0) "}", "overflows", 0},
    };
    char name[500];
    size_t i;
    for (i = 0; i < sizeof list / sizeof *list; i++)
        st_refused(list[i].json, strlen(list[i].json), list[i].data, list[i].word);
    memset(name, 'n', sizeof name);
    name[0] = '{', name[1] = '"';
    memcpy(name + 402, "\":{}}", 6);
    st_refused(name, strlen(name), 0, "a name of more than 400 bytes");
}

TEST(open_refuses_holes_overlaps_and_trailing_bytes) {
    static const struct {
        const char *json, *word;
        size_t data;
    } list[] = {
        {"{" ST("a", "U8", "[1]", 1, 2) "}", "'a' begins at 1 of the data, expected 0", 2},
        {"{" ST("a", "U8", "[1]", 0, 1) "," ST("b", "U8", "[1]", 2, 3) "}", "'b' begins at 2", 3},
        {"{" ST("b", "U8", "[1]", 2, 3) "," ST("a", "U8", "[1]", 0, 1) "}", "there is a hole", 3},
        {"{" ST("a", "U8", "[2]", 0, 2) "," ST("b", "U8", "[2]", 1, 3) "}", "tensors overlap", 3},
        {"{" ST("a", "U8", "[2]", 0, 2) "," ST("b", "U8", "[2]", 0, 2) "}", "tensors overlap", 2},
        {"{" ST("a", "U8", "[4]", 0, 4) "," ST("b", "U8", "[1]", 1, 2) "}", "tensors overlap", 4},
        {"{" ST("a", "U8", "[2]", 0, 2) "," ST("b", "U8", "[0]", 1, 1) "}", "tensors overlap", 2},
        {"{" ST("a", "U8", "[0]", 1, 1) "}", "there is a hole", 1},
        {"{" ST("a", "U8", "[1]", 0, 1) "}", "found 1 trailing", 2},
        {"{}", "byte 10: expected the end of the file after the last tensor, found 1", 1},
    };
    size_t i;
    for (i = 0; i < sizeof list / sizeof *list; i++)
        st_refused(list[i].json, strlen(list[i].json), list[i].data, list[i].word);
}

TEST(open_refuses_a_name_given_twice) {
    static const char *const list[] = {
        "{" ST("a", "U8", "[]", 0, 1) "," ST("a", "U8", "[]", 1, 2) "}",
        "{" ST("a", "U8", "[]", 0, 1) "," ST("b", "U8", "[]", 1, 2) ","
        ST("\\u0061", "U8", "[0]", 2, 2) "}",
        "{" ST("\\ud83d\\ude00", "U8", "[]", 0, 1) ","
        ST("\xF0\x9F\x98\x80", "U8", "[]", 1, 2) "}",
        "{" ST("", "U8", "[]", 0, 1) "," ST("", "U8", "[]", 1, 2) "}",
        "{\"__metadata__\":{},\"__metadata__\":{}," ST("a", "U8", "[2]", 0, 2) "}",
        "{\"__metadata__\":{\"k\":\"1\",\"\\u006b\":\"2\"}," ST("a", "U8", "[2]", 0, 2) "}",
    };
    size_t i;
    for (i = 0; i < sizeof list / sizeof *list; i++)
        st_refused(list[i], strlen(list[i]), 2, "given twice");
    st_refused(list[0], strlen(list[0]), 2, "byte 61: the name 'a' is given twice");
    /* the same word as name and as key is fine, and so are names that only begin alike */
    st_opens("{\"__metadata__\":{\"a\":\"1\",\"aa\":\"1\",\"\":\"\"},"
             ST("a", "U8", "[]", 0, 1) "," ST("aa", "U8", "[]", 1, 2) ","
             ST("", "U8", "[]", 2, 3) "}", 3, 3);
}

TEST(open_refuses_bad_utf8) {
    static const char *const bad[] = {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2\x41",
                                      "\xE0\x80\x80", "\xE0\x9F\xBF", "\xE2\x82", "\xED\xA0\x80",
                                      "\xED\xBF\xBF", "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF",
                                      "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFE", "\xFF"};
    static const char *const good[] = {"\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF",
                                       "\xEE\x80\x80", "\xEF\xBF\xBF", "\xF0\x90\x80\x80",
                                       "\xF4\x8F\xBF\xBF", "\x7F"};
    char json[100];
    size_t i;
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(json, sizeof json, "{" ST("%s", "U8", "[]", 0, 1) "}", bad[i]);
        st_refused(json, strlen(json), 1, "byte 10: the header is not valid UTF-8");
    }
    st_refused("{}\xC3", 3, 0, "byte 10: the header is not valid");
    for (i = 0; i < sizeof good / sizeof *good; i++) {
        snprintf(json, sizeof json, "{" ST("%s", "U8", "[]", 0, 1) "}", good[i]);
        st_opens(json, 1, 1);
    }
}

TEST(names_and_metadata_are_unescaped) {
    static const char json[] =
        "{\"__metadata__\":{\"k\\u00e9y\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00E9\\u20aC"
        "\\uD83D\\uDE00.\",\"zero\":\"a\\u0000b\",\"none\":\"\"},"
        ST("\\u0061\\t\\ud83d\\ude00", "U8", "[]", 0, 1) "}";
    static const char want[] = "\"\\/\b\f\n\r\tA\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80.";
    vae__st st;
    vae__st_tensor t;
    vae_report r;
    unsigned char *block;
    char text[64];
    size_t cursor = 0, n = sizeof want - 1;
    CHECK_STATUS(st_open_text(json, sizeof json - 1, 1, &st, &block, &r), VAE_OK);
    CHECK_EQ(st_meta(&st, "k\xC3\xA9y", text, sizeof text), n);
    CHECK(!strcmp(text, want));
    memset(text, 'x', sizeof text);
    CHECK_EQ(st_meta(&st, "k\xC3\xA9y", text, n + 1), n); /* just fits */
    CHECK(!strcmp(text, want) && text[n + 1] == 'x');
    memset(text, 'x', sizeof text);
    CHECK_EQ(st_meta(&st, "k\xC3\xA9y", text, n), -2);
    CHECK(text[n - 1] == 0 && text[n] == 'x');
    CHECK_EQ(st_meta(&st, "k\xC3\xA9y", text, 0), -2);
    CHECK_EQ(st_meta(&st, "zero", text, sizeof text), 3);
    CHECK(!memcmp(text, "a\0b", 4));
    CHECK_EQ(st_meta(&st, "none", text, 1), 0);
    CHECK_EQ(st_meta(&st, "other", text, sizeof text), -1);
    CHECK_EQ(st_meta(&st, "__metadata__", text, sizeof text), -1);
    CHECK_EQ(st_find(&st, "a\t\xF0\x9F\x98\x80", &t), 1);
    CHECK_EQ(st_at(&st, &cursor, text, sizeof text, &t), 1);
    CHECK(!strcmp(text, "a\t\xF0\x9F\x98\x80"));
    vae__st_close(&st, NULL);
    free(block);
}

TEST(a_scan_visits_tensors_in_header_order) {
    vae__st st;
    vae__st_tensor t;
    vae_report r;
    unsigned char *block;
    char name[8];
    size_t cursor = 0;
    CHECK_STATUS(st_open_text(st_rich, sizeof st_rich - 1, 12, &st, &block, &r), VAE_OK);
    CHECK_EQ(st_at(&st, &cursor, name, sizeof name, &t), 1);
    CHECK(!strcmp(name, "b") && t.begin == 4 && t.end == 12 && !strcmp(t.dtype, "F32"));
    CHECK_EQ(st_at(&st, &cursor, name, sizeof name, &t), 1);
    CHECK(!strcmp(name, "a\xC3\xA9") && t.begin == 0 && t.rank == 2);
    CHECK_EQ(st_at(&st, &cursor, name, sizeof name, &t), 0);
    CHECK_EQ(st_at(&st, &cursor, name, sizeof name, &t), 0);
    cursor = 0;
    CHECK_EQ(st_at(&st, &cursor, name, 1, &t), 1); /* cut */
    CHECK(!name[0]);
    vae__st_close(&st, NULL);
    free(block);
    CHECK_STATUS(st_open_text("{}", 2, 0, &st, &block, &r), VAE_OK);
    cursor = 0;
    CHECK_EQ(st_at(&st, &cursor, name, sizeof name, &t), 0);
    vae__st_close(&st, NULL);
    free(block);
}

TEST(open_refuses_a_file_cut_at_any_byte) {
    const char *const texts[] = {st_smallest, st_rich};
    const size_t lengths[] = {sizeof st_smallest - 1, sizeof st_rich - 1}, data[] = {16, 12};
    size_t k, n;
    for (k = 0; k < 2; k++) {
        unsigned char file[400];
        size_t size = st_make(file, texts[k], lengths[k], data[k]);
        for (n = 0; n < size; n++) {
            unsigned char *copy = (unsigned char *)malloc(n ? n : 1);
            vae__st st;
            vae_report r;
            if (!copy) continue;
            memcpy(copy, file, n);
            CHECK_STATUS(vae__st_open(&st, copy, n, "x", NULL, &r), VAE_ERR_FORMAT);
            CHECK_SAYS(r, n < 8 + lengths[k] ? "truncated" : "incomplete");
            free(copy);
        }
        /* and a header cut at any byte, its length with it */
        for (n = 0; n < lengths[k] - 2; n++)
            st_refused(texts[k], n, data[k], "byte");
    }
}

/* Whatever one byte becomes: an error, or a file whose parts lie inside it. */
TEST(open_survives_any_one_byte) {
    static const unsigned char values[] = {0, 1, ' ', '"', ',', '0', '9', ':', '[', '\\', ']',
                                           'a', 'u', '{', '}', 0x7F, 0x80, 0xC3, 0xFF};
    unsigned char file[400], *copy;
    size_t size = st_make(file, st_rich, sizeof st_rich - 1, 12), i, k, opened = 0;
    copy = (unsigned char *)malloc(size);
    if (!copy) SKIP("no memory");
    for (i = 0; i < size; i++)
        for (k = 0; k < sizeof values; k++) {
            vae__st st;
            vae__st_tensor t;
            vae_report r;
            char name[401];
            size_t cursor = 0, covered = 0;
            memcpy(copy, file, size);
            copy[i] = values[k];
            if (vae__st_open(&st, copy, size, "x", NULL, &r)) continue;
            opened++;
            while (st_at(&st, &cursor, name, sizeof name, &t)) {
                covered += t.end - t.begin;
                CHECK(t.end <= st.data_size);
            }
            CHECK_EQ(covered, st.data_size);
            (void)st_meta(&st, "k", name, sizeof name);
            vae__st_close(&st, NULL);
        }
    CHECK(opened > 12 * sizeof values);
    free(copy);
}

static size_t st_requests, st_refuse, st_blocks;

static void *st_alloc(size_t size, void *user) {
    (void)user;
    if (++st_requests == st_refuse) return NULL;
    st_blocks++;
    return malloc(size);
}

static void st_release(void *p, size_t size, void *user) {
    (void)size, (void)user;
    st_blocks--;
    free(p);
}

TEST(open_refuses_null_and_reports_a_failed_allocation) {
    unsigned char file[84] = {0x3C};
    vae_allocator a = {st_alloc, st_release, NULL};
    vae__st st;
    vae_report r;
    st_requests = st_blocks = 0, st_refuse = 2;
    memcpy(file + 8, st_smallest, 60);
    CHECK_STATUS(vae__st_open(&st, NULL, 0, "x", NULL, &r), VAE_ERR_NULL);
    CHECK_STATUS(vae__st_open(&st, file, 84, NULL, &a, NULL), VAE_OK);
    CHECK_EQ(st_requests, 1);
    CHECK_EQ(st_blocks, 1);
    vae__st_close(&st, &a);
    CHECK_EQ(st_blocks, 0);
    CHECK_STATUS(vae__st_open(&st, file, 84, "x", &a, &r), VAE_ERR_MEMORY);
    CHECK_SAYS(r, "out of memory");
    CHECK_EQ(st_blocks, 0);
}

TEST(a_message_is_harmless_and_short_enough) {
    static const char json[] =
        "{" ST("\\\\\\\"\xC2\x9B" "31m_01234567890123456789012345678901234567", "F32", "[]", 0, 1)
        "}";
    char name[1000];
    vae__st st;
    vae_report r;
    unsigned char *block;
    size_t i;
    CHECK_STATUS(st_open_text(json, sizeof json - 1, 1, &st, &block, &r), VAE_ERR_FORMAT);
    for (i = 0; r.text[i]; i++) CHECK(r.text[i] >= 0x20 && r.text[i] < 0x7F);
    CHECK_SAYS(r, "needs 32 bits");
    memset(name, 'n', sizeof name);
    name[999] = 0;
    CHECK_STATUS(vae__st_open(&st, block, sizeof json + 8, name, NULL, &r), VAE_ERR_FORMAT);
    CHECK_SAYS(r, "needs 32 bits by shape and dtype F32, its data_offsets hold 1 bytes");
    free(block);
}

/* 200,000 tensors in the worst order: quadratic work would take minutes. */
TEST(a_large_hostile_header_takes_no_quadratic_time) {
    size_t n = 200000, room = n * 80 + 100, size = 9, i;
    unsigned char *file = (unsigned char *)malloc(room + n);
    vae__st st;
    vae_report r;
    if (!file) SKIP("no memory");
    file[8] = '{';
    for (i = n; i-- > 0;)
        size += (size_t)snprintf((char *)file + size, room - size, "%s\"%lu\":{\"dtype\":\"U8\","
                                 "\"shape\":[],\"data_offsets\":[%lu,%lu]}", i + 1 < n ? "," : "",
                                 (unsigned long)i * 7, (unsigned long)i, (unsigned long)i + 1);
    file[size++] = '}';
    for (i = 0; i < 8; i++) file[i] = (unsigned char)((uint64_t)(size - 8) >> 8 * i);
    memset(file + size, 0, n);
    CHECK_STATUS(vae__st_open(&st, file, size + n, "x", NULL, &r), VAE_OK);
    CHECK_EQ(st.tensors, n);
    for (i = 0; i < n; i++) {
        vae__st_tensor t;
        char name[24];
        snprintf(name, sizeof name, "%lu", (unsigned long)i * 7);
        if (!st_find(&st, name, &t) || t.begin != i) break;
    }
    CHECK_EQ(i, n);
    vae__st_close(&st, NULL);
    CHECK_STATUS(vae__st_open(&st, file, size + n - 1, "x", NULL, &r), VAE_ERR_FORMAT);
    free(file);
}

TESTS(safetensors) {
    RUN(open_reads_the_smallest_file);
    RUN(open_takes_any_order_blanks_and_padding);
    RUN(open_takes_scalars_and_tensors_of_nothing);
    RUN(open_knows_the_width_of_every_dtype);
    RUN(open_tolerates_a_dtype_from_the_future);
    RUN(open_refuses_a_bad_length);
    RUN(open_refuses_what_is_not_json);
    RUN(open_refuses_a_tensor_that_is_not_one);
    RUN(open_refuses_holes_overlaps_and_trailing_bytes);
    RUN(open_refuses_a_name_given_twice);
    RUN(open_refuses_bad_utf8);
    RUN(names_and_metadata_are_unescaped);
    RUN(a_scan_visits_tensors_in_header_order);
    RUN(open_refuses_a_file_cut_at_any_byte);
    RUN(open_survives_any_one_byte);
    RUN(open_refuses_null_and_reports_a_failed_allocation);
    RUN(a_message_is_harmless_and_short_enough);
    RUN(a_large_hostile_header_takes_no_quadratic_time);
}

#undef ST
