/* Settings: decimals, names, text to description and back, lines, rubbish. */
#include "reference.h"

static uint64_t desc_state;
static uint64_t desc_random(void) { /* xorshift64*, Vigna 2016 */
    desc_state ^= desc_state >> 12, desc_state ^= desc_state << 25, desc_state ^= desc_state >> 27;
    return desc_state * 2685821657736338717u;
}
static int desc_below(int n) { return (int)(desc_random() >> 33) % n; }

/* ---- decimals ---- */

/* The same length and the same bits as strtod, which glibc rounds correctly. */
static void desc_compare(const char *text) {
    double got = -7, want;
    char *end;
    const size_t n = vae__read_decimal(text, &got);
    want = strtod(text, &end);
    if (n != (size_t)(end - text) || (n && vae__bits_d(got) != vae__bits_d(want)))
        test_report(__FILE__, __LINE__, "%.60s: %a in %d bytes, not %a in %d", text, got, (int)n,
                    want, (int)(end - text));
}

TEST(decimals_read_as_the_nearest_double) {
    static const char *const texts[] = {
        "0", "-0", "+1", "1.", ".5", "-.5e1", "", ".", "-", "-.", "+e5", "e5", "1e", "1e+", "1ex",
        "1e5x", "1.5.5", "12a", "1e400", "-1e400", "1e-400", "0e99999999999999999999",
        "1e99999999999999999999", "1e-99999999999999999999", "4.9406564584124654e-324",
        "2.4703282292062327e-324", "2.4703282292062328e-324", "2.2250738585072014e-308",
        "2.2250738585072011e-308", "1.7976931348623157e308", "1.7976931348623158e308",
        "1.7976931348623159e308", "9007199254740993", "9007199254740992.5", "9007199254740993.0001",
        "0000000000000000000000000000000000000000000000000000.000000000000000000000000000001e30",
        "0.1", "0.3", "1e23", "8.5e22", "123456789012345678901234567890", "5e-324",
    };
    const int rounds = test_long ? 2000000 : 20000;
    size_t i;
    int k, n;
    desc_state = 88172645463325252u;
    for (i = 0; i < sizeof texts / sizeof *texts; i++) desc_compare(texts[i]);
    for (k = 0; k < rounds; k++) { /* what looks like a number */
        char text[100];
        int left = 1 + desc_below(30);
        n = 0;
        if (desc_below(3) == 0) text[n++] = "+-"[desc_below(2)];
        while (left--) text[n++] = (char)('0' + desc_below(10));
        if (desc_below(2)) {
            text[n++] = '.';
            for (left = desc_below(30); left--;) text[n++] = (char)('0' + desc_below(10));
        }
        if (desc_below(2))
            n += sprintf(text + n, "%c%s%d", "eE"[desc_below(2)], desc_below(2) ? "-" : "+",
                         desc_below(400));
        text[n] = 0;
        desc_compare(text);
    }
}

/* What lies exactly between two doubles has up to 768 digits, and goes to the even one; a digit
 * behind those decides otherwise. */
TEST(decimals_half_between_two_doubles_are_rounded_to_even) {
    const int rounds = test_long ? 20000 : 400;
    int k, i, e, step;
    desc_state = 362436069;
    for (k = 0; k < rounds; k++) {
        static char text[1200];
        const int exponent = desc_below(4) ? desc_below(2046) : desc_below(3);
        const uint64_t tail = desc_random() >> (12 + (desc_below(2) ? 0 : desc_below(52)));
        vae__decimal d;
        /* (2 m + 1) x 2^(e - 1), m the whole number of the double's bits */
        vae__decimal_set(&d, 2 * (tail | (uint64_t)(exponent > 0) << 52) + 1);
        e = (exponent ? exponent : 1) - 1076;
        for (; e > 0; e -= step) step = e < 60 ? e : 60, vae__decimal_double(&d, step);
        for (; e < 0; e += step) step = -e < 60 ? -e : 60, vae__decimal_halve(&d, step);
        CHECK(!d.more && d.count <= 768);
        for (i = 0; i < d.count; i++) text[i + 1] = (char)('0' + d.digit[i]);
        text[0] = '.';
        i++;
        if (k % 3 == 1) { /* a little more */
            for (step = desc_below(300); step--;) text[i++] = '0';
            text[i++] = '1';
        }
        if (k % 3 == 2) { /* a little less: the last digit of a half is 5 */
            text[i - 1]--;
            for (step = desc_below(300); step--;) text[i++] = '9';
        }
        sprintf(text + i, "e%d", d.point);
        desc_compare(text);
    }
}

TEST(reals_are_spelled_with_the_fewest_digits_that_read_back) {
    static const struct {
        double value;
        const char *text;
    } known[] = {
        {0, "0"}, {-0.0, "-0"}, {1, "1"}, {-2.5, "-2.5"}, {128, "128"}, {0.001, "0.001"},
        {0.0001, "0.0001"}, {1e-5, "1e-05"}, {1e-8, "1e-08"}, {0.3, "0.3"}, {100000, "100000"},
        {1e14, "100000000000000"}, {1e15, "1e+15"}, {1e30, "1e+30"}, {1e100, "1e+100"},
        {1.0 / 3, "0.3333333333333333"}, {123456.789, "123456.789"}, {0.9999999, "0.9999999"},
        {5e-324, "5e-324"}, {1.7976931348623157e308, "1.7976931348623157e+308"},
    };
    size_t i;
    int k, n;
    char text[64], few[64];
    vae__sink s;
    memset(&s, 0, sizeof s);
    s.put = vae__put_block, s.block = text, s.room = sizeof text;
    for (i = 0; i < sizeof known / sizeof *known; i++) {
        s.count = 0;
        vae__putf(&s, "%r", known[i].value);
        text[s.count] = 0;
        if (strcmp(text, known[i].text))
            test_report(__FILE__, __LINE__, "%s, not %s", text, known[i].text);
    }
    desc_state = 123456789;
    for (k = 0; k < (test_long ? 200000 : 1000); k++) {
        const double value = vae__double_of(desc_random() & (k % 5 ? UINT64_MAX : UINT64_MAX >> 12));
        double again = 1;
        if (!vae__finite_d(value)) continue;
        s.count = 0;
        vae__putf(&s, "%r", value);
        text[s.count] = 0;
        CHECK(vae__read_decimal(text, &again) == s.count);
        CHECK(vae__bits_d(again) == vae__bits_d(value));
        for (n = 1; n < 17; n++) {
            sprintf(few, "%.*e", n - 1, value);
            if (vae__bits_d(strtod(few, NULL)) == vae__bits_d(value)) break;
        }
        for (i = 0; text[i] && text[i] != 'e'; i++)
            if (text[i] >= '0' && text[i] <= '9') n--;
        CHECK(n == 0 || (value < 1e15 && value > -1e15)); /* the latter may have zeros for places */
    }
}

/* ---- one setting ---- */

TEST(every_setting_has_one_name_and_a_way_to_text_and_back) {
    char text[800];
    int i, j, round;
    for (i = 0; vae_desc_name(i); i++) {
        for (j = 0; j < i; j++) CHECK(strcmp(vae_desc_name(i), vae_desc_name(j)) != 0);
        CHECK(!strcmp(vae__find_field(vae_desc_name(i))->name, vae__fields[i].name));
    }
    CHECK_EQ(i, VAE__FIELD_COUNT);
    CHECK(!vae_desc_name(-1) && !vae_desc_name(i + 1) && !vae_desc_name(INT_MAX));
    desc_state = 99;
    for (round = 0; round < 50; round++) {
        for (i = 0; i < VAE__FIELD_COUNT; i++) {
            const vae__field *f = &vae__fields[i];
            vae_desc d, e;
            memset(&d, 0, sizeof d), memset(&e, 0, sizeof e);
            switch (f->kind) {
            case VAE__TEXT: case VAE__KIND:
                *vae__field_text(&d, f) = round & 1 ? "dense 3  tanh" : "";
                break;
            case VAE__U64: *vae__field_u64(&d, f) = desc_random() >> desc_below(64); break;
            case VAE__REAL:
                *vae__field_real(&d, f) = f->low + (f->high - f->low) * 0.999 *
                                          (double)(desc_random() >> 11) / 9007199254740992.0;
                break;
            case VAE__CHOICE:
                j = desc_below(9);
                if (vae_choice_name((vae_choice)f->choice, j)) *vae__field_int(&d, f) = j;
                break;
            case VAE__STAGES:
                d.stage_count = desc_below(VAE_MAX_STAGES + 1);
                for (j = 0; j < d.stage_count; j++) {
                    d.stages[j].steps = (desc_random() >> desc_below(64)) | 1;
                    d.stages[j].lr = (double)(desc_random() >> 11) / 9007199254740992.0;
                }
                break;
            default: *vae__field_int(&d, f) = (int)f->low + desc_below((int)(f->high < 1000 ?
                                              f->high : 1000) - (int)f->low + 1);
            }
            CHECK_STATUS(vae_desc_get(&d, f->name, text, sizeof text, NULL), VAE_OK);
            CHECK_STATUS(vae_desc_set(&e, f->name, text, NULL), VAE_OK);
            if (vae__is_text(f)) {
                CHECK(*vae__field_text(&e, f) == text); /* as documented: not copied */
                *vae__field_text(&e, f) = *vae__field_text(&d, f);
            }
            CHECK(!memcmp(&d, &e, sizeof d));
        }
    }
}

TEST(settings_are_set_by_the_words_and_numbers_of_the_manual) {
    vae_desc d;
    char text[64];
    memset(&d, 0, sizeof d);
    CHECK_STATUS(vae_desc_set(&d, "input", "28x28x1", NULL), VAE_OK);
    CHECK_STATUS(vae_desc_set(&d, "latent", "12", NULL), VAE_OK);
    CHECK_STATUS(vae_desc_set(&d, "lr", "1e-3", NULL), VAE_OK);
    CHECK_STATUS(vae_desc_set(&d, "beta", "3fe0000000000000", NULL), VAE_OK);
    CHECK_STATUS(vae_desc_set(&d, "free_bits", "0.1250000000000000", NULL), VAE_OK);
    CHECK_STATUS(vae_desc_set(&d, "optimizer", "adamw", NULL), VAE_OK);
    CHECK_STATUS(vae_desc_set(&d, "no_noise", "1", NULL), VAE_OK);
    CHECK_STATUS(vae_desc_set(&d, "stages", "3:0.5,4:3fd0000000000000", NULL), VAE_OK);
    CHECK_STATUS(vae_desc_set(&d, "seed", "18446744073709551615", NULL), VAE_OK);
    CHECK_STATUS(vae_desc_set(&d, "threads", "-4", NULL), VAE_OK);
    CHECK_STATUS(vae_desc_set(&d, "isa", "portable", NULL), VAE_OK);
    CHECK(!strcmp(d.input, "28x28x1") && d.latent == 12 && d.beta == 0.5 && d.free_bits == 0.125);
    CHECK(vae__bits_d(d.lr) == vae__bits_d(1e-3) && d.optimizer == VAE_OPTIMIZER_ADAMW);
    CHECK(d.no_noise == 1 && d.stage_count == 2 && d.stages[0].steps == 3);
    CHECK(d.stages[0].lr == 0.5 && d.stages[1].steps == 4 && d.stages[1].lr == 0.25);
    CHECK(d.seed == UINT64_MAX && d.threads == -4 && d.isa == VAE_ISA_PORTABLE);
    CHECK_STATUS(vae_desc_get(&d, "stages", text, sizeof text, NULL), VAE_OK);
    CHECK(!strcmp(text, "3:0.5,4:0.25"));
    CHECK_STATUS(vae_desc_set(&d, "stages", "", NULL), VAE_OK);
    CHECK(d.stage_count == 0 && d.stages[1].steps == 0);
    /* the names of files, and texts that are not set */
    CHECK_STATUS(vae_desc_set(&d, "warmup", "7", NULL), VAE_OK);
    CHECK(d.warmup_steps == 7);
    /* zeros, and the smallest number there is */
    CHECK_STATUS(vae_desc_set(&d, "lr", "0.00e-999", NULL), VAE_OK);
    CHECK(vae__bits_d(d.lr) == 0);
    CHECK_STATUS(vae_desc_set(&d, "lr", "3e-324", NULL), VAE_OK);
    CHECK(vae__bits_d(d.lr) == 1);
    CHECK_STATUS(vae_desc_get(&d, "encoder", text, sizeof text, NULL), VAE_OK);
    CHECK(!strcmp(text, "dense 400 relu") && !d.encoder);
    CHECK_STATUS(vae_desc_get(&d, "optimizer", text, 6, NULL), VAE_OK);
    CHECK(!strcmp(text, "adamw"));
    CHECK_EQ(vae_version(), VAE_VERSION);
}

TEST(what_is_no_setting_or_no_value_is_named_and_changes_nothing) {
    static const struct {
        const char *name, *value, *says, *says2;
    } bad[] = {
        {"latent", "many", "latent: expected a whole number from 1 to 16777216", "'many'"},
        {"latent", "-3", "latent: expected a whole number", "'-3'"},
        {"latent", "3.0", "latent: expected", "'3.0'"}, {"latent", "", "latent: expected", "''"},
        {"latent", "16777217", "latent: expected", "'16777217'"},
        {"latent", "99999999999999999999", "latent: expected", "99999"},
        {"lr", "1e-3x", "lr: expected a number from 0 to 1e+30", "'1e-3x'"},
        {"lr", "-1", "lr: expected a number", "'-1'"}, {"lr", "nan", "lr: expected", "'nan'"},
        {"lr", "1e400", "lr: expected", "'1e400'"}, {"lr", "0x10", "lr: expected", "'0x10'"},
        {"lr", "1e-400", "lr: '1e-400' is too small", "'1e-400'"},
        {"beta", "-.002e-999999999999", "beta: '-.002e-9999", "too small"},
        {"stages", "3:1e-400", "stages: expected", "'3:1e-400'"},
        {"lr", "7ff8000000000000", "lr: expected", "7ff8"}, {"lr", " 1", "lr: expected", "' 1'"},
        {"lr", "1,5", "lr: expected", "'1,5'"}, {"lr", ",", "lr: expected", "','"},
        {"optimizer", "adagrad", "optimizer: expected one of adam, adamw, sgd, adam_iwae",
         "'adagrad'"},
        {"no_kl", "2", "no_kl: expected 0 or 1", "'2'"}, {"no_kl", "yes", "0 or 1", "'yes'"},
        {"seed", "-1", "seed: expected a whole number from 0 to 18446744073709551615", "'-1'"},
        {"seed", "18446744073709551616", "seed: expected", "'184467"},
        {"stages", "3:0.1,", "stages: expected steps:rate", "'3:0.1,'"},
        {"stages", "0:0.1", "stages: expected", "'0:0.1'"},
        {"stages", "3:-1", "stages: expected", "'3:-1'"}, {"stages", "3", "stages:", "'3'"},
        {"stages", "1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1",
         "at most 16", "1:1"},
        {"threads", "257", "threads: expected", "'257'"}, {"isa", "sse", "one of auto", "'sse'"},
        {"latnet", "3", "no setting 'latnet'", "did you mean latent?"},
        {"optimiser", "adam", "no setting 'optimiser'", "did you mean optimizer?"},
        {"warmup_step", "1", "no setting", "did you mean warmup_steps?"},
        {"colour", "1", "there is no setting 'colour'", ""}, {"", "1", "no setting ''", ""},
        {"a_name_that_is_longer_than_every_name_there_is", "1", "no setting", ""},
    };
    size_t i, size;
    vae_desc d, before;
    vae_report r;
    char text[8];
    memset(&d, 0, sizeof d);
    d.latent = 5, d.lr = 0.5, d.stage_count = 1, d.stages[0].steps = 2;
    before = d;
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        memset(&r, 0, sizeof r);
        CHECK_STATUS(vae_desc_set(&d, bad[i].name, bad[i].value, &r), VAE_ERR_VALUE);
        CHECK_SAYS(r, bad[i].says);
        CHECK_SAYS(r, bad[i].says2);
        CHECK(*bad[i].says2 || !test_says(r.text, "did you mean"));
        CHECK(!memcmp(&d, &before, sizeof d));
    }
    CHECK_STATUS(vae_desc_set(NULL, "lr", "1", &r), VAE_ERR_NULL);
    CHECK_STATUS(vae_desc_set(&d, NULL, "1", &r), VAE_ERR_NULL);
    CHECK_STATUS(vae_desc_set(&d, "lr", NULL, &r), VAE_ERR_NULL);
    CHECK_STATUS(vae_desc_get(NULL, "lr", text, sizeof text, &r), VAE_ERR_NULL);
    CHECK_STATUS(vae_desc_get(&d, "lr", NULL, 9, &r), VAE_ERR_NULL);
    CHECK_STATUS(vae_desc_get(&d, "lrr", text, sizeof text, &r), VAE_ERR_VALUE);
    CHECK_SAYS(r, "did you mean lr?");
    strcpy(text, "before");
    for (size = 0; size <= 3; size++)
        CHECK_STATUS(vae_desc_get(&d, "lr", text, size, &r), VAE_ERR_SIZE);
    CHECK_SAYS(r, "lr needs 4 bytes");
    CHECK(!strcmp(text, "before"));
    d.stage_count = 17; /* not read beyond its end */
    CHECK_STATUS(vae_desc_get(&d, "stages", text, sizeof text, &r), VAE_ERR_VALUE);
    *(int *)(void *)&d.optimizer = 77;
    CHECK_STATUS(vae_desc_get(&d, "optimizer", text, sizeof text, &r), VAE_ERR_VALUE);
    CHECK_SAYS(r, "optimizer is 77");
}

/* ---- a line of settings ---- */

static void desc_line(const vae *m, char *line, size_t room) {
    vae__sink s;
    memset(&s, 0, sizeof s);
    s.put = vae__put_block, s.block = line, s.room = room;
    vae__put_desc(&s, &m->desc);
    vae__put(&s, "", 1);
    CHECK(!s.failed);
}

TEST(defaults_and_rules_are_told_for_help_texts) {
    vae_desc d, resolved;
    vae_report report;
    vae *model;
    char rule[300], value[900];
    int i;
    vae_desc_defaults(&d);
    CHECK(d.latent == 20 && d.batch == 128 && d.input == NULL && d.stage_count == 0);
    CHECK(!strcmp(d.encoder, "dense 400 relu"));
    d.input = "2";
    CHECK(vae_create(&d, &model, &report) == VAE_OK);
    vae_get_desc(model, &resolved);
    resolved.isa = d.isa;
    for (i = 0; vae_desc_name(i); i++) { /* nothing is left to resolve */
        char other[900];
        CHECK(vae_desc_get(&d, vae_desc_name(i), value, sizeof value, &report) == VAE_OK);
        CHECK(vae_desc_get(&resolved, vae_desc_name(i), other, sizeof other, &report) == VAE_OK);
        CHECK(!strcmp(value, other) || !printf("    %s: %s, %s\n", vae_desc_name(i), value, other));
        CHECK(vae_desc_rule(vae_desc_name(i), rule, sizeof rule, &report) == VAE_OK);
    }
    vae_destroy(model);
    CHECK(vae_desc_rule("latent", rule, sizeof rule, &report) == VAE_OK);
    CHECK(!strcmp(rule, "1 to 16777216"));
    CHECK(vae_desc_rule("likelihood", rule, sizeof rule, &report) == VAE_OK && !rule[0]);
    CHECK(vae_desc_rule("optimizer", rule, sizeof rule, &report) == VAE_OK);
    CHECK(!strcmp(rule, "adam, adamw, sgd, adam_iwae"));
    CHECK(vae_desc_rule("encoder", rule, sizeof rule, &report) == VAE_OK && !rule[0]);
    CHECK(vae_desc_rule("latnet", rule, sizeof rule, &report) == VAE_ERR_VALUE);
    CHECK(strstr(report.text, "did you mean latent?") != NULL);
    CHECK(vae_desc_rule("latent", rule, 13, &report) == VAE_ERR_SIZE);
    CHECK(vae_desc_rule("latent", NULL, 13, &report) == VAE_ERR_NULL);
    vae_desc_defaults(NULL);
}

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
TEST(a_line_of_settings_makes_the_model_that_a_description_makes) {
    static char line[4000], again[4000], text[4000];
    vae_desc d;
    vae *m = NULL, *n = NULL;
    int i;
    memset(&d, 0, sizeof d);
    d.input = "6x5x1", d.encoder = "dense 12 tanh, dense 4", d.decoder = "", d.latent = 3;
    d.optimizer = VAE_OPTIMIZER_ADAMW, d.lr = 1.0 / 3, d.seed = 77, d.batch = 4;
    d.warmup_steps = 11, d.cycle_steps = 13, d.plateau_epochs = 4;
    d.schedule = VAE_SCHEDULE_STAGES, d.stage_count = 2;
    d.stages[0].steps = 5, d.stages[0].lr = 0.1, d.stages[1].steps = 1, d.stages[1].lr = 1e-9;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    desc_line(m, line, sizeof line);
    CHECK(test_says(line, "; warmup=11; cycle=13; ") && test_says(line, "; plateau=4; "));
    /* what a file holds */
    CHECK_STATUS(vae_create_text(line, &n, NULL), VAE_OK);
    desc_line(n, again, sizeof again);
    CHECK(!strcmp(line, again) && vae_params_hash(m) == vae_params_hash(n));
    vae_destroy(n), n = NULL;
    /* what vae_desc_get writes, one setting on each line */
    vae_get_desc(m, &d);
    for (i = 0, text[0] = 0; vae_desc_name(i); i++) {
        const size_t at = strlen(text);
        sprintf(text + at, "%s = ", vae_desc_name(i));
        CHECK_STATUS(vae_desc_get(&d, vae_desc_name(i), text + strlen(text), 800, NULL), VAE_OK);
        strcat(text, i % 3 ? "\n" : " ; ");
    }
    CHECK_STATUS(vae_create_text(text, &n, NULL), VAE_OK);
    desc_line(n, again, sizeof again);
    CHECK(!strcmp(line, again) && vae_params_hash(m) == vae_params_hash(n));
    vae_destroy(n), n = NULL;
    vae_destroy(m);
    CHECK_STATUS(vae_create_text("input=4;latent=2;inference=1; isa=portable;threads=1;", &n, NULL),
                 VAE_OK);
    CHECK(n->desc.inference == 1 && n->desc.isa == VAE_ISA_PORTABLE && n->desc.latent == 2);
    vae_destroy(n), n = NULL;
    /* settings that only files have left */
    CHECK_STATUS(vae_create_text("input=4; likelihood=gaussian; variance=0.25; categories=7; "
                                 "head=softplus; code=tanh", &n, NULL), VAE_OK);
    CHECK(!strcmp(n->desc.likelihood, "gaussian 0.25"));
    CHECK(!strcmp(n->desc.posterior, "normal softplus code tanh"));
    vae_destroy(n), n = NULL;
    /* at any length */
    CHECK_STATUS(vae_create_text("input=4; likelihood=gaussian; variance=0.1" ZEROS, &n, NULL),
                 VAE_OK);
    CHECK(!strcmp(n->desc.likelihood, "gaussian 0.1"));
    vae_destroy(n), n = NULL;
    CHECK_STATUS(vae_create_text("input=4; likelihood=categorical; categories=" ZEROS "7", &n,
                                 NULL), VAE_OK);
    CHECK(!strcmp(n->desc.likelihood, "categorical 7"));
    vae_destroy(n);
}

#define BLANKS "                                                                "
TEST(a_line_of_settings_that_cannot_be_read_says_where) {
    static const struct {
        const char *line, *says;
        vae_status status;
    } bad[] = {
        {"", "input is not set", VAE_ERR_VALUE}, {" ;; \n", "input is not set", VAE_ERR_VALUE},
        {"input=4; latent", "expected name=value", VAE_ERR_VALUE},
        {"input=4; latent=2; latent=3", "latent is given twice", VAE_ERR_VALUE},
        {"input=4; warmup=2; warmup_steps=3", "warmup_steps is given twice", VAE_ERR_VALUE},
        {"input=4; lantent=2", "did you mean latent?", VAE_ERR_VALUE},
        {"input=4 latent=2", "column 3", VAE_ERR_SYNTAX}, {"=4", "no setting ''", VAE_ERR_VALUE},
        {"input=4; encoder=dens 4", "encoder", VAE_ERR_SYNTAX},
        {"input=4; no_kl=1; no_recon=1", "leave no objective", VAE_ERR_VALUE},
        {"input=4; latent=0x4", "latent: expected", VAE_ERR_VALUE},
        {"input=4; variance=much", "variance cannot be read", VAE_ERR_VALUE},
        {"input=4; code=tanh; code=tanh", "code is given twice", VAE_ERR_VALUE},
        {"input=4; head", "expected name=value", VAE_ERR_VALUE},
        {"input=4; likelihood=gaussian; variance=1e-400", "variance cannot", VAE_ERR_VALUE},
        {"input=4; likelihood=gaussian; variance=1e400", "variance cannot", VAE_ERR_VALUE},
        {"input=4; likelihood=gaussian 1e-400", "a variance must lie from", VAE_ERR_SYNTAX},
        {"input=4; lr=1e-400", "lr: '1e-400' is too small", VAE_ERR_VALUE},
        {"input=4; posterior=normal" BLANKS "code tanh; head=abs", "setting head cannot",
         VAE_ERR_VALUE},
        {"input=4; posterior=normal abs" BLANKS "x; code=identity", "column 75", VAE_ERR_SYNTAX},
    };
    size_t i;
    vae *m = NULL;
    vae_report r;
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        memset(&r, 0, sizeof r);
        CHECK_STATUS(vae_create_text(bad[i].line, &m, &r), bad[i].status);
        CHECK_SAYS(r, bad[i].says);
        CHECK(!m);
    }
    CHECK_STATUS(vae_create_text(NULL, &m, &r), VAE_ERR_NULL);
    CHECK_STATUS(vae_create_text("input=4", NULL, &r), VAE_ERR_NULL);
}

/* ---- rubbish ---- */

TEST(a_description_that_nobody_initialised_is_told_from_a_value_out_of_range) {
    static const unsigned char fills[] = {0xA5, 0xFF, 0x01, 0xCC, 0x7F, 0x80};
    union {
        vae_desc d;
        unsigned char bytes[sizeof(vae_desc)];
    } rubbish;
    vae_report r;
    size_t size, i;
    int k;
    desc_state = 4711;
    for (k = 0; k < (int)sizeof fills + 500; k++) {
        for (i = 0; i < sizeof rubbish.bytes; i++)
            rubbish.bytes[i] = (unsigned char)(k < (int)sizeof fills ? fills[k] : desc_below(256));
        memset(&r, 0, sizeof r), size = 7;
        CHECK_STATUS(vae_size(&rubbish.d, &size, &r), VAE_ERR_VALUE); /* no pointer is followed */
        CHECK_SAYS(r, "; is the description initialised (vae_desc d = {0};)?");
        CHECK(size == 7);
        /* a description that was used before and is half overwritten */
        memset(rubbish.bytes, 0, sizeof rubbish.bytes / 2);
        CHECK_STATUS(vae_size(&rubbish.d, &size, &r), VAE_ERR_VALUE);
    }
    memset(&rubbish, 0, sizeof rubbish);
    rubbish.d.input = "4", rubbish.d.latent = -1;
    CHECK_STATUS(vae_size(&rubbish.d, &size, &r), VAE_ERR_VALUE);
    CHECK(!strcmp(r.text, "latent is -1; it must lie from 1 to 16777216"));
    rubbish.d.samples = -1;
    CHECK_STATUS(vae_size(&rubbish.d, &size, &r), VAE_ERR_VALUE);
    CHECK_SAYS(r, "2 settings are impossible, latent and samples among them; is the description ");
    rubbish.d.latent = 0, rubbish.d.samples = 0, rubbish.d.inference = 3;
    CHECK_STATUS(vae_size(&rubbish.d, &size, &r), VAE_ERR_VALUE);
    CHECK_SAYS(r, "inference is 3");
}

TESTS(desc) {
    vae__fpenv env;
    vae__fp_enter(&env); /* see reference.h */
    RUN(decimals_read_as_the_nearest_double);
    RUN(decimals_half_between_two_doubles_are_rounded_to_even);
    RUN(reals_are_spelled_with_the_fewest_digits_that_read_back);
    RUN(every_setting_has_one_name_and_a_way_to_text_and_back);
    RUN(settings_are_set_by_the_words_and_numbers_of_the_manual);
    RUN(what_is_no_setting_or_no_value_is_named_and_changes_nothing);
    RUN(defaults_and_rules_are_told_for_help_texts);
    RUN(a_line_of_settings_makes_the_model_that_a_description_makes);
    RUN(a_line_of_settings_that_cannot_be_read_says_where);
    RUN(a_description_that_nobody_initialised_is_told_from_a_value_out_of_range);
    vae__fp_leave(&env);
}
