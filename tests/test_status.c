/* Statuses, choices, instruction sets, and numbers as text. */
#include "reference.h"

/* Formats into `out` (200 bytes), ends it, returns how many bytes that took. */
static size_t status_format(char *out, const char *format, ...) {
    vae__sink s;
    va_list args;
    memset(&s, 0, sizeof s);
    s.put = vae__put_block, s.block = out, s.room = 199;
    va_start(args, format);
    vae__putv(&s, format, args);
    va_end(args);
    CHECK(!s.failed);
    out[s.count < 199 ? s.count : 199] = 0;
    return s.count;
}
#define SAYS(want, ...) \
    do { \
        char test_text[200]; \
        size_t test_size = status_format(test_text, __VA_ARGS__); \
        if (strcmp(test_text, (want)) || test_size != strlen(want)) \
            test_report(__FILE__, __LINE__, "\"%s\", not \"%s\"", test_text, (want)); \
    } while (0)

TEST(every_status_has_a_text_of_its_own) {
    int i, j;
    for (i = 0; i < VAE_STATUS_COUNT; i++) {
        const char *text = vae_status_text((vae_status)i);
        CHECK(text && *text);
        CHECK(strcmp(text, "unknown status") != 0);
        for (j = 0; j < i; j++) CHECK(strcmp(text, vae_status_text((vae_status)j)) != 0);
    }
    CHECK_EQ(VAE_OK, 0);
    CHECK(!strcmp(vae_status_text(VAE_OK), "ok"));
    CHECK(!strcmp(vae_status_text(VAE_ERR_MEMORY), "out of memory"));
    CHECK(!strcmp(vae_status_text(VAE_STOPPED), "stopped by the progress callback"));
    CHECK(!strcmp(vae_status_text(VAE_STATUS_COUNT), "unknown status"));
    CHECK(!strcmp(vae_status_text((vae_status)-1), "unknown status"));
    CHECK(!strcmp(vae_status_text((vae_status)1000000), "unknown status"));
}

/* The words of all values but the last two of each enum, as their names have them. */
TEST(the_word_of_each_value_is_its_name_in_small_letters) {
#define VALUE(kind, name) {VAE_CHOICE_##kind, VAE_##kind##_##name, #name}
    static const struct {
        vae_choice choice;
        int value;
        const char *name;
    } values[] = {
        VALUE(ISA, AUTO), VALUE(ISA, PORTABLE), VALUE(ISA, AVX2), VALUE(ISA, AVX512),
        VALUE(ISA, NEON), VALUE(INIT, AUTO), VALUE(INIT, GLOROT), VALUE(INIT, HE),
        VALUE(INIT, PYTORCH), VALUE(INIT, ZERO), VALUE(BIAS, ZERO), VALUE(BIAS, MEAN),
        VALUE(BINARIZE, NONE), VALUE(BINARIZE, DYNAMIC), VALUE(OPTIMIZER, ADAM),
        VALUE(OPTIMIZER, ADAMW), VALUE(OPTIMIZER, SGD), VALUE(OPTIMIZER, ADAM_IWAE),
        VALUE(SCHEDULE, CONSTANT), VALUE(SCHEDULE, COSINE), VALUE(SCHEDULE, STAGES),
        VALUE(SCHEDULE, PLATEAU), VALUE(ACT, IDENTITY), VALUE(ACT, RELU), VALUE(ACT, LEAKY_RELU),
        VALUE(ACT, ELU), VALUE(ACT, TANH), VALUE(ACT, SIGMOID), VALUE(ACT, SOFTPLUS),
        VALUE(ACT, SILU), VALUE(ACT, GELU), VALUE(OBJECTIVE, ELBO), VALUE(OBJECTIVE, IWAE),
        VALUE(OBJECTIVE, DREG), VALUE(CORRUPT, NONE), VALUE(CORRUPT, GAUSSIAN),
        VALUE(CORRUPT, MASK), VALUE(CORRUPT, SALT_PEPPER),
    };
#undef VALUE
    size_t i, k;
    for (i = 0; i < sizeof values / sizeof *values; i++) {
        const char *word = vae_choice_name(values[i].choice, values[i].value);
        char small[20];
        for (k = 0; values[i].name[k]; k++)
            small[k] = (char)(values[i].name[k] + (values[i].name[k] >= 'A' &&
                                                   values[i].name[k] <= 'Z' ? 'a' - 'A' : 0));
        small[k] = 0;
        CHECK(word && !strcmp(word, small));
        CHECK_EQ(vae_choice_find(values[i].choice, small), values[i].value);
    }
}

TEST(statuses_and_purposes_have_the_numbers_that_callers_and_bits_depend_on) {
    static const vae_status statuses[] = {
        VAE_OK, VAE_ERR_NULL, VAE_ERR_VALUE, VAE_ERR_SYNTAX, VAE_ERR_SHAPE, VAE_ERR_SIZE,
        VAE_ERR_MEMORY, VAE_ERR_STATE, VAE_ERR_OPEN, VAE_ERR_READ, VAE_ERR_WRITE, VAE_ERR_FORMAT,
        VAE_ERR_MISMATCH, VAE_ERR_UNSUPPORTED, VAE_ERR_NONFINITE, VAE_STOPPED};
    static const vae_purpose purposes[] = {
        VAE_PURPOSE_INIT, VAE_PURPOSE_SHUFFLE, VAE_PURPOSE_BINARIZE, VAE_PURPOSE_EPS,
        VAE_PURPOSE_DROPOUT, VAE_PURPOSE_NOISE, VAE_PURPOSE_PRIOR_Z, VAE_PURPOSE_DRAW_X,
        VAE_PURPOSE_EVAL, VAE_PURPOSE_GUMBEL, VAE_PURPOSE_DIGITS, VAE_PURPOSE_PROBE};
    int i;
    for (i = 0; i < (int)(sizeof statuses / sizeof *statuses); i++) CHECK_EQ(statuses[i], i);
    CHECK_EQ(i, VAE_STATUS_COUNT);
    for (i = 0; i < (int)(sizeof purposes / sizeof *purposes); i++) CHECK_EQ(purposes[i], i + 1);
    CHECK_EQ(VAE_PURPOSE_USER, 128);
    CHECK(!strcmp(vae_status_text(VAE_ERR_NULL), "a pointer that must be given is NULL"));
    CHECK(!strcmp(vae_status_text(VAE_ERR_FORMAT), "a file is not what it should be"));
    CHECK(!strcmp(vae_status_text(VAE_ERR_NONFINITE), "a number became infinite or NaN"));
}

TEST(every_choice_has_a_word_that_leads_back_to_it) {
    static const int counts[VAE_CHOICE_COUNT] = {
        VAE_ISA_COUNT,      VAE_INIT_COUNT, VAE_BIAS_COUNT,      VAE_BINARIZE_COUNT,
        VAE_OPTIMIZER_COUNT, VAE_SCHEDULE_COUNT, VAE_ACT_COUNT,  VAE_OBJECTIVE_COUNT,
        VAE_CORRUPT_COUNT};
    int c, i;
    for (c = 0; c < VAE_CHOICE_COUNT; c++) {
        const vae_choice choice = (vae_choice)c;
        for (i = 0; i < counts[c]; i++) {
            const char *name = vae_choice_name(choice, i), *p;
            char other[40];
            CHECK(name != NULL);
            if (!name) continue;
            CHECK_EQ(vae_choice_find(choice, name), i);
            for (p = name; *p; p++)
                CHECK((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '_');
            CHECK(strlen(name) + 2 < sizeof other);
            strcpy(other, name), strcat(other, "x"); /* longer, shorter, capital: not this word */
            CHECK_EQ(vae_choice_find(choice, other), -1);
            strcpy(other, name), other[strlen(other) - 1] = 0; /* "adamw" becomes "adam" */
            CHECK(vae_choice_find(choice, other) != i);
            strcpy(other, name), other[0] = (char)(other[0] - 'a' + 'A');
            CHECK_EQ(vae_choice_find(choice, other), -1);
        }
        CHECK(vae_choice_name(choice, counts[c]) == NULL);
        CHECK(vae_choice_name(choice, counts[c] + 1) == NULL);
        CHECK(vae_choice_name(choice, INT_MAX) == NULL);
        CHECK(vae_choice_name(choice, -1) == NULL);
        CHECK(vae_choice_name(choice, INT_MIN) == NULL);
        CHECK_EQ(vae_choice_find(choice, ""), -1);
        CHECK_EQ(vae_choice_find(choice, NULL), -1);
        CHECK_EQ(vae_choice_find(choice, "nonsense"), -1);
    }
    CHECK(vae_choice_name(VAE_CHOICE_COUNT, 0) == NULL);
    CHECK(vae_choice_name((vae_choice)-1, 0) == NULL);
    CHECK_EQ(vae_choice_find(VAE_CHOICE_COUNT, "adam"), -1);
    CHECK_EQ(vae_choice_find((vae_choice)-1, "adam"), -1);
}

TEST(the_words_of_the_defaults_are_the_documented_ones) {
    CHECK(!strcmp(vae_choice_name(VAE_CHOICE_ISA, 0), "auto"));
    CHECK(!strcmp(vae_choice_name(VAE_CHOICE_INIT, 0), "auto"));
    CHECK(!strcmp(vae_choice_name(VAE_CHOICE_BIAS, 0), "zero"));
    CHECK(!strcmp(vae_choice_name(VAE_CHOICE_BINARIZE, 0), "none"));
    CHECK(!strcmp(vae_choice_name(VAE_CHOICE_OPTIMIZER, 0), "adam"));
    CHECK(!strcmp(vae_choice_name(VAE_CHOICE_SCHEDULE, 0), "constant"));
    CHECK(!strcmp(vae_choice_name(VAE_CHOICE_ACT, 0), "identity"));
    CHECK_EQ(vae_choice_find(VAE_CHOICE_OPTIMIZER, "adamw"), VAE_OPTIMIZER_ADAMW);
    CHECK_EQ(vae_choice_find(VAE_CHOICE_ACT, "leaky_relu"), VAE_ACT_LEAKY_RELU);
}

TEST(text_and_whole_numbers_are_spelled_out) {
    SAYS("", "%s", "");
    SAYS("plain", "plain");
    SAYS("ab|c|", "%s|%c|", "ab", 'c');
    SAYS("100%", "%d%%", 100);
    SAYS("%s", "%%s");
    SAYS("0 1 -1 9 10 -10", "%d %d %d %d %d %d", 0, 1, -1, 9, 10, -10);
    SAYS("2147483647 -2147483648", "%d %d", 2147483647, -2147483647 - 1);
    SAYS("0 7 1000", "%z %z %z", (size_t)0, (size_t)7, (size_t)1000);
    SAYS("0 18446744073709551615", "%u %u", (uint64_t)0, UINT64_MAX);
    SAYS("10000000000000000000", "%u", (uint64_t)10000000000000000000u);
    SAYS("0000000000000000", "%x", (uint64_t)0);
    SAYS("0123456789abcdef", "%x", (uint64_t)0x0123456789abcdefu);
    SAYS("ffffffffffffffff", "%x", UINT64_MAX);
    SAYS("1f 8b 00||ff", "%h|%h|%h", "\x1f\x8b\0", (size_t)3, "", (size_t)0, "\xff", (size_t)1);
    SAYS("a1b-2c3d4e0000000000000005f0.5g", "%s%d%c%d%s%z%s%u%s%x%s%f%s", "a", 1, 'b', -2, "c",
         (size_t)3, "d", (uint64_t)4, "e", (uint64_t)5, "f", 0.5, "g");
    if (sizeof(size_t) == 8) SAYS("18446744073709551615", "%z", SIZE_MAX);
}

TEST(fractions_have_six_significant_digits_and_no_more) {
    SAYS("0", "%f", 0.0);
    SAYS("1", "%f", 1.0);
    SAYS("-1", "%f", -1.0);
    SAYS("10", "%f", 10.0);
    SAYS("100000", "%f", 1e5);
    SAYS("999999", "%f", 999999.0);
    SAYS("1e+06", "%f", 1e6);
    SAYS("1e+06", "%f", 999999.96);
    SAYS("9.99999", "%f", 9.999994);
    SAYS("10", "%f", 9.999996);
    SAYS("0.1", "%f", 0.1);
    SAYS("0.25", "%f", 0.25);
    SAYS("0.001", "%f", 1e-3);
    SAYS("0.0001", "%f", 1e-4);
    SAYS("1e-05", "%f", 1e-5);
    SAYS("-1.5e-05", "%f", -1.5e-5);
    SAYS("3.14159", "%f", 3.14159265358979);
    SAYS("0.333333", "%f", 1.0 / 3);
    SAYS("0.666667", "%f", 2.0 / 3);
    SAYS("543.427", "%f", 543.42739);
    SAYS("123456", "%f", 123456.0);
    SAYS("1e+20", "%f", 1e20);
    SAYS("1.79769e+308", "%f", DBL_MAX);
    SAYS("-1.79769e+308", "%f", -DBL_MAX);
    SAYS("2.22507e-308", "%f", DBL_MIN);
    SAYS("4.94066e-324", "%f", vae__double_of(1)); /* the smallest subnormal */
    SAYS("inf", "%f", vae__double_of(0x7ff0000000000000u));
    SAYS("-inf", "%f", vae__double_of(0xfff0000000000000u));
    SAYS("NaN", "%f", vae__double_of(0x7ff8000000000000u));
    SAYS("NaN", "%f", vae__double_of(0xfff8000000000000u));
    SAYS("NaN", "%f", vae__double_of(0x7ff0000000000001u));
    {
        char text[200]; /* a tie: either neighbour will do */
        status_format(text, "%f", 123456.5);
        CHECK(!strcmp(text, "123456") || !strcmp(text, "123457"));
    }
}

/* Random doubles of every exponent do not lie close enough to a tie for the rounding of the scaling
 * to matter, so the text is that of printf. */
TEST(fractions_read_as_printf_writes_them) {
    uint64_t state = 1, u;
    int i;
    for (i = 0; i < 50000; i++) {
        char got[200], want[200];
        double d;
        u = ref_next(&state);
        if (i & 1) d = vae__double_of(u); /* any double */
        else d = ref_uniform(&state, -1, 1) * pow(10, ref_uniform(&state, -8, 8));
        if (!vae__finite_d(d)) continue;
        status_format(got, "%f", d);
        snprintf(want, sizeof want, "%.6g", d);
        if (strcmp(got, want))
            test_report(__FILE__, __LINE__, "%.17g is \"%s\", not \"%s\"", d, got, want);
    }
}

TEST(a_sink_that_is_full_fails_for_good_and_goes_on_counting) {
    char block[8];
    vae__sink s;
    memset(block, '#', sizeof block);
    memset(&s, 0, sizeof s);
    s.put = vae__put_block, s.block = block, s.room = 5;
    vae__putf(&s, "%s", "abc");
    CHECK(!s.failed);
    vae__putf(&s, "%s", "def"); /* does not fit: it is cut */
    CHECK(s.failed);
    vae__putf(&s, "%s", "g");
    CHECK(s.failed);
    CHECK_EQ(s.count, 7);
    CHECK(!memcmp(block, "abcde###", 8));

    s = vae__sink_of(NULL, 0);
    vae__putf(&s, "%d%s", 12, "345");
    CHECK(!s.failed);
    CHECK_EQ(s.count, 5);
}

TEST(a_report_is_cut_to_its_size_and_always_ends) {
    struct {
        vae_report report;
        char after[8];
    } r;
    char words[1000];
    size_t size, i;
    for (size = 290; size < 310; size++) {
        memset(words, 'w', sizeof words);
        words[size] = 0;
        memset(&r, '#', sizeof r);
        CHECK_STATUS(vae__fail(&r.report, VAE_ERR_FORMAT, "%s", words), VAE_ERR_FORMAT);
        CHECK_STATUS(r.report.status, VAE_ERR_FORMAT);
        for (i = 0; i < (size < 299 ? size : 299); i++) CHECK(r.report.text[i] == 'w');
        CHECK_EQ(r.report.text[size < 299 ? size : 299], 0);
        CHECK(!memcmp(r.after, "########", 8));
    }
    words[0] = 0;
    CHECK_STATUS(vae__fail(&r.report, VAE_ERR_READ, "%s", words), VAE_ERR_READ);
    CHECK_EQ(strlen(r.report.text), 0);
    memset(words, 'w', sizeof words), words[999] = 0;
    vae__fail(&r.report, VAE_ERR_READ, "%s %d %f %x %s", words, -5, 1e-9, (uint64_t)7, words);
    CHECK_EQ(strlen(r.report.text), 299);
    CHECK_STATUS(vae__fail(NULL, VAE_ERR_READ, "%s", "nobody reads this"), VAE_ERR_READ);
}

TEST(the_best_instruction_set_is_there_and_portable_always_is) {
    const vae_isa best = vae_isa_best();
    int i;
    CHECK(vae_isa_available(VAE_ISA_PORTABLE));
    CHECK(vae_isa_available(VAE_ISA_AUTO));
    CHECK(best >= VAE_ISA_PORTABLE && best < VAE_ISA_COUNT);
    CHECK(vae_isa_available(best));
    CHECK_EQ(vae_isa_best(), best);
    for (i = (int)best + 1; i < VAE_ISA_COUNT; i++) CHECK(!vae_isa_available((vae_isa)i));
    CHECK(!vae_isa_available(VAE_ISA_COUNT));
    CHECK(!vae_isa_available((vae_isa)-1));
    CHECK(!vae_isa_available((vae_isa)1000));
    if (vae_isa_available(VAE_ISA_AVX512)) CHECK(vae_isa_available(VAE_ISA_AVX2));
    for (i = VAE_ISA_PORTABLE; i < VAE_ISA_COUNT; i++) {
        const vae__kernels *k = vae__kernels_of((vae_isa)i);
        CHECK_EQ(k != NULL, vae_isa_available((vae_isa)i));
        if (k) CHECK_EQ(k->isa, i); /* the table is the one asked for */
    }
}

/* The report of a text that came from somewhere. */
static vae_report status_report(const char *text) {
    vae_report r;
    memset(&r, 'x', sizeof r);
    (void)vae__fail(&r, VAE_ERR_FORMAT, "%s", text);
    return r;
}

/* Where UTF-8 breaks off; `count` when it is whole. */
static size_t utf8_bad(const unsigned char *p, size_t count) {
    size_t i, n;
    for (i = 0; i < count && (n = vae__utf8(p + i, count - i)) != 0; i += n) {}
    return i;
}

TEST(a_report_repeats_foreign_text_in_a_way_that_is_harmless_to_print) {
    static const struct {
        const char *text, *want;
    } list[] = {
        {"plain 'words', 100 %", "plain 'words', 100 %"},
        {"gr\xC3\xBC\xC3\x9F \xE6\xBC\xA2 \xF0\x9F\x98\x80", "gr\xC3\xBC\xC3\x9F \xE6\xBC\xA2 "
                                                          "\xF0\x9F\x98\x80"},
        {"\x1b]0;title\a\x1b[2J\x7f", "\\x1b]0;title\\x07\\x1b[2J\\x7f"},
        {"two\r\nlines\tand a tab", "two\\x0d\\x0alines\\x09and a tab"},
        {"\xC2\x9B" "31m", "\\xc2\\x9b31m"},                  /* CSI in one character */
        {"\xE2\x80\xAE" "cod.exe", "\\xe2\\x80\\xaecod.exe"}, /* right to left */
        {"\xE2\x80\x8B|\xEF\xBB\xBF|\xE2\x81\xA6",
         "\\xe2\\x80\\x8b|\\xef\\xbb\\xbf|\\xe2\\x81\\xa6"},
        {"\xF3\xA0\x81\x81", "\\xf3\\xa0\\x81\\x81"},           /* a tag, which nobody sees */
        {"\xC0\xAF \xED\xA0\x80 \xFF \xE2\x82", "\\xc0\\xaf \\xed\\xa0\\x80 \\xff \\xe2\\x82"},
    };
    char text[3] = {0, 0, 0};
    size_t i;
    for (i = 0; i < sizeof list / sizeof *list; i++) {
        const vae_report r = status_report(list[i].text);
        if (strcmp(r.text, list[i].want))
            test_report(__FILE__, __LINE__, "\"%s\", not \"%s\"", r.text, list[i].want);
    }
    for (i = 1; i < 256 * 256; i++) { /* any two bytes */
        vae_report r;
        size_t k;
        text[0] = (char)(i & 255), text[1] = (char)(i >> 8);
        r = status_report(text);
        for (k = 0; r.text[k]; k++)
            if ((unsigned char)r.text[k] < 0x20 || r.text[k] == 0x7F) break;
        CHECK(!r.text[k]);
        CHECK_EQ(utf8_bad((const unsigned char *)r.text, k), k);
    }
}

TEST(a_report_is_cut_between_characters_and_foreign_text_is_quoted_and_cut) {
    char text[1000], want[60];
    vae_data data;
    vae_report r;
    size_t i, shift;
    for (shift = 0; shift < 4; shift++) {
        size_t length;
        memset(text, 'x', shift);
        for (i = shift; i + 4 < sizeof text; i += 4) memcpy(text + i, "\xF0\x9F\x98\x80", 4);
        text[i] = 0;
        r = status_report(text);
        length = strlen(r.text);
        CHECK(length > sizeof r.text - 5 && length < sizeof r.text);
        CHECK_EQ(utf8_bad((const unsigned char *)r.text, length), length);
        CHECK_EQ((length - shift) % 4, 0);
    }
    memset(text, 0x1B, sizeof text - 1); /* four characters for each */
    r = status_report(text);
    CHECK_EQ(strlen(r.text) % 4, 0);
    CHECK(strlen(r.text) > sizeof r.text - 5);
    (void)vae__fail(&r, VAE_ERR_FORMAT, "it is %q: why", "a\x1b[0m");
    CHECK(!strcmp(r.text, "it is 'a\\x1b[0m': why"));
    (void)vae__fail(&r, VAE_ERR_FORMAT, "it is %q: why", text);
    CHECK_EQ(strlen(r.text), strlen("it is '': why") + 12 * 4 + 2);
    CHECK_SAYS(r, "\\x1b'..: why");
    memset(want, 'y', 48);
    want[48] = 0;
    (void)vae__fail(&r, VAE_ERR_FORMAT, "%q", want);
    CHECK_EQ(strlen(r.text), 50);
    memset(text, 1, 900); /* a name of nothing but control characters leaves room for the reason */
    text[900] = 0;
    CHECK_STATUS(vae_data_from_memory("x", 1, text, NULL, &data, &r), VAE_ERR_FORMAT);
    CHECK_SAYS(r, "3 are missing");
}

/* Each way in for a text: an architecture, a shape, a path, the name of a block. */
TEST(no_way_in_leads_to_a_terminal) {
    static const char evil[] = "dense 4 relu, \x1b[2J\x1b]0;owned\a";
    vae_desc d;
    vae_data data;
    vae_report r[5];
    size_t size, i, k;
    vae *m = NULL;
    memset(&d, 0, sizeof d);
    d.input = "6x5x1", d.encoder = evil;
    CHECK_STATUS(vae_size(&d, &size, &r[0]), VAE_ERR_SYNTAX);
    CHECK_SAYS(r[0], "column 15: expected");
    d.encoder = NULL, d.input = "6x\x1b[2J";
    CHECK_STATUS(vae_size(&d, &size, &r[1]), VAE_ERR_SYNTAX);
    CHECK_STATUS(vae_data_from_memory("x", 1, evil, NULL, &data, &r[2]), VAE_ERR_FORMAT);
    CHECK_STATUS(vae_data_load(evil, NULL, &data, &r[3]), VAE_ERR_OPEN);
    CHECK_STATUS(vae_load(evil, NULL, &m, &r[4]), VAE_ERR_OPEN);
    for (i = 0; i < 5; i++) {
        CHECK_SAYS(r[i], "\\x1b");
        for (k = 0; r[i].text[k]; k++) CHECK((unsigned char)r[i].text[k] >= 0x20);
    }
}

TESTS(status) {
    vae__fpenv env;
    vae__fp_enter(&env); /* see reference.h */
    RUN(every_status_has_a_text_of_its_own);
    RUN(the_word_of_each_value_is_its_name_in_small_letters);
    RUN(statuses_and_purposes_have_the_numbers_that_callers_and_bits_depend_on);
    RUN(every_choice_has_a_word_that_leads_back_to_it);
    RUN(the_words_of_the_defaults_are_the_documented_ones);
    RUN(text_and_whole_numbers_are_spelled_out);
    RUN(fractions_have_six_significant_digits_and_no_more);
    RUN(fractions_read_as_printf_writes_them);
    RUN(a_sink_that_is_full_fails_for_good_and_goes_on_counting);
    RUN(a_report_is_cut_to_its_size_and_always_ends);
    RUN(a_report_repeats_foreign_text_in_a_way_that_is_harmless_to_print);
    RUN(a_report_is_cut_between_characters_and_foreign_text_is_quoted_and_cut);
    RUN(no_way_in_leads_to_a_terminal);
    RUN(the_best_instruction_set_is_there_and_portable_always_is);
    vae__fp_leave(&env);
}
#undef SAYS
