/* Architecture strings: what they mean, how they are spelled back, what is said about a bad one;
 * and the tensors that come of them. */
#include "../tools/shapes.h"
#include "models.h"

static vae_desc layers_desc(const char *input, const char *encoder, const char *decoder) {
    vae_desc d;
    memset(&d, 0, sizeof d);
    d.input = input, d.encoder = encoder, d.decoder = decoder;
    d.latent = 3, d.batch = 2;
    return d;
}

/* ---- reading and spelling ---- */

/* A string, and how vae_get_desc spells it. */
static void layers_spelled(const char *text, const char *canonical) {
    vae_desc d = layers_desc("6", text, text), got;
    vae_report r;
    vae *m = NULL;
    int round;
    memset(&r, 0, sizeof r);
    for (round = 0; round < 2; round++) { /* the canonical spelling is its own */
        CHECK_STATUS(vae_create(&d, &m, &r), VAE_OK);
        if (!m) {
            test_report(__FILE__, __LINE__, "\"%s\": %s", text, r.text);
            return;
        }
        vae_get_desc(m, &got);
        if (strcmp(got.encoder, canonical) || strcmp(got.decoder, canonical))
            test_report(__FILE__, __LINE__, "\"%s\" is spelled \"%s\" and \"%s\"", text,
                        got.encoder, got.decoder);
        vae_destroy(m);
        m = NULL;
        d.encoder = d.decoder = canonical;
    }
}

TEST(strings_are_spelled_back_in_one_way) {
    layers_spelled("", "");
    layers_spelled("dense 4", "dense 4");
    layers_spelled("dense 4 relu", "dense 4 relu");
    layers_spelled("relu", "relu");
    layers_spelled("dense 4, relu", "dense 4, relu"); /* not the same as the one above */
    layers_spelled("dense 4 relu, dense 5 tanh", "dense 4 relu, dense 5 tanh");
    layers_spelled("tanh, sigmoid, dense 7", "tanh, sigmoid, dense 7");
    layers_spelled("dense 4 identity", "dense 4");
    layers_spelled("identity", "identity");
    layers_spelled("dense 0004 relu", "dense 4 relu");
}

TEST(blanks_are_free) {
    layers_spelled("   ", "");
    layers_spelled("\t\n ", "");
    layers_spelled("  dense   4   relu  ", "dense 4 relu");
    layers_spelled("dense\t4\nrelu", "dense 4 relu");
    layers_spelled("dense 4 relu,dense 5", "dense 4 relu, dense 5");
    layers_spelled("dense 4 ,dense 5 , relu", "dense 4, dense 5, relu");
    layers_spelled("\ndense 4 relu,\ndense 5\n", "dense 4 relu, dense 5");
}

TEST(every_activation_is_known_after_a_layer_and_alone) {
    int act;
    for (act = 0; act < VAE_ACT_COUNT; act++) {
        const char *name = vae_choice_name(VAE_CHOICE_ACT, act);
        char text[60], canonical[60];
        strcpy(text, "dense 5 "), strcat(text, name);
        strcpy(canonical, act ? text : "dense 5");
        layers_spelled(text, canonical);
        strcpy(text, name), strcat(text, ", dense 4");
        layers_spelled(text, text);
        strcpy(text, "dense 4, "), strcat(text, name);
        layers_spelled(text, text);
    }
}

TEST(strings_may_be_left_out) {
    vae_desc d = layers_desc("6", NULL, NULL), got;
    vae *m = NULL;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    if (!m) return;
    vae_get_desc(m, &got);
    CHECK(!strcmp(got.encoder, "dense 400 relu"));
    CHECK(!strcmp(got.decoder, "dense 400 relu"));
    vae_destroy(m);
}

/* ---- errors ---- */

typedef struct layers_error {
    const char *text, *sentence; /* without "encoder, " */
} layers_error;

static const layers_error layers_errors[] = {
    {"dens 400", "column 1: expected a layer or an activation, found 'dens'"},
    {"denser 400", "column 1: expected a layer or an activation, found 'denser'"},
    {"dense4", "column 1: expected a layer or an activation, found 'dense4'"},
    {"DENSE 4", "column 1: expected a layer or an activation, found 'DENSE'"},
    {"Relu", "column 1: expected a layer or an activation, found 'Relu'"},
    {"4", "column 1: expected a layer or an activation, found '4'"},
    {"  ?", "column 3: expected a layer or an activation, found '?'"},
    {",dense 4", "column 1: expected a layer or an activation, found ','"},
    {",", "column 1: expected a layer or an activation, found ','"},
    {"dense 4,,dense 5", "column 9: expected a layer or an activation, found ','"},
    {"dense 4, dens 5", "column 10: expected a layer or an activation, found 'dens'"},
    {"dense 4,", "column 9: expected a layer or an activation, found the end"},
    {"relu,", "column 6: expected a layer or an activation, found the end"},
    {"dense 4 , ", "column 11: expected a layer or an activation, found the end"},
    {"dense", "column 6: expected a width, found the end"},
    {"dense ", "column 7: expected a width, found the end"},
    {"dense x", "column 7: expected a width, found 'x'"},
    {"dense relu", "column 7: expected a width, found 'relu'"},
    {"dense -4", "column 7: expected a width, found '-'"},
    {"dense +4", "column 7: expected a width, found '+'"},
    {"dense ,", "column 7: expected a width, found ','"},
    {"dense 4, dense", "column 15: expected a width, found the end"},
    {"dense 0", "column 7: a width must lie from 1 to 16777216"},
    {"dense   000", "column 9: a width must lie from 1 to 16777216"},
    {"dense 16777217", "column 7: a width must lie from 1 to 16777216"},
    {"dense 99999999", "column 7: a width must lie from 1 to 16777216"},
    {"dense 99999999999999999999999999", "column 7: a width must lie from 1 to 16777216"},
    {"dense 4294967297", "column 7: a width must lie from 1 to 16777216"}, /* 1 in 32 bits */
    {"dense 4 relux", "column 9: expected an activation, ',' or the end, found 'relux'"},
    {"dense 4 dense 5", "column 9: expected an activation, ',' or the end, found 'dense'"},
    {"dense 4 RELU", "column 9: expected an activation, ',' or the end, found 'RELU'"},
    {"dense 4 relu relu", "column 14: expected ',' or the end, found 'relu'"},
    {"dense 4 5", "column 9: expected ',' or the end, found '5'"},
    {"dense 4.5", "column 8: expected ',' or the end, found '.'"},
    {"dense 4 relu; dense 5", "column 13: expected ',' or the end, found ';'"},
    {"dense 4 relu dense 5", "column 14: expected ',' or the end, found 'dense'"},
    {"relu relu", "column 6: expected ',' or the end, found 'relu'"},
    {"relu 5", "column 6: expected ',' or the end, found '5'"},
    {"relu,\n dense 4 ?", "column 16: expected ',' or the end, found '?'"},
    {"dense 4 averyveryverylongwordindeedthatneverends",
     "column 9: expected an activation, ',' or the end, found 'averyveryverylongwordin'"},
};

TEST(a_bad_string_is_refused_with_the_column_and_the_word) {
    size_t i;
    int side;
    for (i = 0; i < sizeof layers_errors / sizeof layers_errors[0]; i++) {
        for (side = 0; side < 2; side++) {
            const char *text = layers_errors[i].text;
            vae_desc d = layers_desc("6", side ? "" : text, side ? text : "");
            char want[200];
            vae_report r;
            vae *m = (vae *)(void *)want; /* stays untouched */
            size_t size = 4711;
            memset(&r, 0, sizeof r);
            strcpy(want, side ? "decoder, " : "encoder, ");
            strcat(want, layers_errors[i].sentence);
            CHECK_STATUS(vae_size(&d, &size, &r), VAE_ERR_SYNTAX);
            CHECK_STATUS(r.status, VAE_ERR_SYNTAX);
            if (strcmp(r.text, want))
                test_report(__FILE__, __LINE__, "\"%s\" says \"%s\"", text, r.text);
            CHECK_EQ(size, 4711);
            CHECK_STATUS(vae_create(&d, &m, NULL), VAE_ERR_SYNTAX);
            CHECK(m == (vae *)(void *)want);
        }
    }
}

/* Whatever stands in a string: a status, and no byte read beyond it. */
TEST(no_string_of_these_words_is_fatal) {
    static const char *const words[] = {"dense", " ",  "4", ",", "relu", "x",  "0", "-",
                                        "tanh",  "\n", "9", "_", "%s",   "\\", "z", "res("};
    uint64_t state = 51;
    int i, fine = 0;
    for (i = 0; i < 20000; i++) {
        char text[64], *exact;
        size_t n = ref_pick(&state, 9), size = 0;
        vae_desc d;
        vae_status s;
        text[0] = 0;
        while (n--) strcat(text, words[ref_pick(&state, 16)]);
        exact = (char *)ref_alloc(strlen(text) + 1);
        strcpy(exact, text);
        d = layers_desc("6", exact, "");
        s = vae_size(&d, &size, NULL);
        CHECK(s == VAE_OK || s == VAE_ERR_SYNTAX || s == VAE_ERR_SIZE || s == VAE_ERR_SHAPE);
        fine += s == VAE_OK;
        free(exact);
    }
    CHECK(fine > 100); /* not all nonsense */
}

/* ---- shapes of the input ---- */

TEST(inputs_are_height_width_channels_or_one_number) {
    static const struct {
        const char *text;
        size_t h, w, c;
    } good[] = {{"28x28x1", 28, 28, 1}, {"28x28", 28, 28, 1}, {"784", 1, 1, 784},
                {"1", 1, 1, 1},         {"2x3x5", 2, 3, 5},   {" 2x3 ", 2, 3, 1},
                {"65536", 1, 1, 65536}};
    size_t i;
    for (i = 0; i < sizeof good / sizeof good[0]; i++) {
        vae_desc d = layers_desc(good[i].text, "", "");
        vae_info info;
        vae *m = NULL;
        d.latent = 1, d.batch = 1, d.inference = 1;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        if (!m) continue;
        vae_get_info(m, &info);
        CHECK_EQ(info.height, good[i].h);
        CHECK_EQ(info.width, good[i].w);
        CHECK_EQ(info.channels, good[i].c);
        CHECK_EQ(info.input_dim, good[i].h * good[i].w * good[i].c);
        vae_destroy(m);
    }
}

TEST(a_bad_input_is_refused_with_the_column) {
    static const struct {
        const char *text;
        vae_status status;
        const char *sentence;
    } bad[] = {
        {"", VAE_ERR_SYNTAX, "input, column 1: expected a size, found the end"},
        {"x", VAE_ERR_SYNTAX, "input, column 1: expected a size, found 'x'"},
        {"28x", VAE_ERR_SYNTAX, "input, column 4: expected a size, found the end"},
        {"28x28x", VAE_ERR_SYNTAX, "input, column 7: expected a size, found the end"},
        {"28xx1", VAE_ERR_SYNTAX, "input, column 4: expected a size, found 'x1'"},
        {"28x-1", VAE_ERR_SYNTAX, "input, column 4: expected a size, found '-'"},
        {"0", VAE_ERR_SYNTAX, "input, column 1: a size must lie from 1 to 16777216"},
        {"28x0x1", VAE_ERR_SYNTAX, "input, column 4: a size must lie from 1 to 16777216"},
        {"16777217", VAE_ERR_SYNTAX, "input, column 1: a size must lie from 1 to 16777216"},
        {"28x28x1x1", VAE_ERR_SYNTAX, "input, column 8: expected the end"},
        {"28X28", VAE_ERR_SYNTAX, "input, column 3: expected the end"},
        {"28 28", VAE_ERR_SYNTAX, "input, column 4: expected the end"},
        {"784,", VAE_ERR_SYNTAX, "input, column 4: expected the end"},
        {"-784", VAE_ERR_SYNTAX, "input, column 1: expected a size, found '-'"},
        {"4096x4097", VAE_ERR_SIZE, "input: more than 16777216 numbers"},
        {"16777216x16777216x16777216", VAE_ERR_SIZE, "input: more than 16777216 numbers"},
    };
    size_t i, size;
    vae_report r;
    vae_desc d;
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        d = layers_desc(bad[i].text, "", "");
        memset(&r, 0, sizeof r);
        CHECK_STATUS(vae_size(&d, &size, &r), bad[i].status);
        CHECK_STATUS(r.status, bad[i].status);
        CHECK_SAYS(r, bad[i].sentence);
    }
    d = layers_desc(NULL, "", "");
    memset(&r, 0, sizeof r);
    CHECK_STATUS(vae_size(&d, &size, &r), VAE_ERR_VALUE);
    CHECK_SAYS(r, "input");
}

/* ---- tensors ---- */

typedef struct layers_tensor {
    const char *name;
    size_t rows, cols; /* cols 0: a vector */
} layers_tensor;

/* The model has exactly these, in this order, packed. */
static void layers_check_tensors(const vae_desc *desc, const layers_tensor *want, size_t count) {
    vae_desc own = *desc, *d = &own;
    vae_tensor t;
    vae_info info;
    vae *m = NULL;
    float *next = NULL, *next_grad = NULL;
    size_t i, total = 0;
    own.keep_gradients = 1;
    CHECK_STATUS(vae_create(d, &m, NULL), VAE_OK);
    if (!m) return;
    vae_get_info(m, &info);
    CHECK_EQ(info.tensors, count);
    for (i = 0; i < count && i < info.tensors; i++) {
        const size_t size = want[i].rows * (want[i].cols ? want[i].cols : 1);
        CHECK_STATUS(vae_tensor_at(m, i, &t), VAE_OK);
        if (strcmp(t.name, want[i].name))
            test_report(__FILE__, __LINE__, "tensor %d is %s, not %s", (int)i, t.name,
                        want[i].name);
        CHECK_EQ(t.rank, want[i].cols ? 2 : 1);
        CHECK_EQ(t.shape[0], want[i].rows);
        CHECK_EQ(t.shape[1], want[i].cols);
        CHECK_EQ(t.count, size);
        if (i) CHECK(t.data == next && (d->inference || t.grad == next_grad));
        CHECK_EQ(t.grad == NULL, d->inference);
        next = t.data + size, next_grad = t.grad ? t.grad + size : NULL;
        total += size;
    }
    CHECK_EQ(info.parameters, total);
    CHECK_STATUS(vae_tensor_at(m, info.tensors, &t), VAE_ERR_VALUE);
    CHECK_STATUS(vae_last_report(m)->status, VAE_ERR_VALUE);
    CHECK_STATUS(vae_tensor_at(m, (size_t)-1, &t), VAE_ERR_VALUE);
    CHECK_STATUS(vae_tensor_at(m, 0, NULL), VAE_ERR_NULL);
    CHECK_STATUS(vae_tensor_at(NULL, 0, &t), VAE_ERR_NULL);
    vae_destroy(m);
}

TEST(the_classic_network_has_652824_parameters) {
    static const layers_tensor want[] = {
        {"encoder.0.weight", 784, 400}, {"encoder.0.bias", 400, 0},
        {"encoder.head.weight", 400, 40}, {"encoder.head.bias", 40, 0},
        {"decoder.0.weight", 20, 400}, {"decoder.0.bias", 400, 0},
        {"decoder.head.weight", 400, 784}, {"decoder.head.bias", 784, 0}};
    vae_desc d;
    vae_info info;
    vae *m = NULL;
    memset(&d, 0, sizeof d);
    d.input = "28x28x1";
    layers_check_tensors(&d, want, 8);
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    if (!m) return;
    vae_get_info(m, &info);
    CHECK_EQ(info.parameters, 652824);
    CHECK_EQ(info.input_dim, 784);
    CHECK_EQ(info.latent, 20);
    vae_destroy(m);
    d.inference = 1;
    layers_check_tensors(&d, want, 8);
}

TEST(items_are_numbered_with_standalone_activations_counted) {
    static const layers_tensor want[] = {
        {"encoder.1.weight", 6, 5}, {"encoder.1.bias", 5, 0},
        {"encoder.3.weight", 5, 4}, {"encoder.3.bias", 4, 0},
        {"encoder.head.weight", 4, 6}, {"encoder.head.bias", 6, 0},
        {"decoder.head.weight", 3, 6}, {"decoder.head.bias", 6, 0}};
    vae_desc d = layers_desc("6", "tanh, dense 5, relu, dense 4 gelu", "");
    layers_check_tensors(&d, want, 8);
}

TEST(the_last_layer_of_the_decoder_is_its_head_when_it_fits) {
    static const layers_tensor fits[] = {
        {"encoder.head.weight", 6, 6}, {"encoder.head.bias", 6, 0},
        {"decoder.0.weight", 3, 4}, {"decoder.0.bias", 4, 0},
        {"decoder.1.weight", 4, 6}, {"decoder.1.bias", 6, 0}};
    static const layers_tensor no[] = {
        {"encoder.head.weight", 6, 6}, {"encoder.head.bias", 6, 0},
        {"decoder.0.weight", 3, 4}, {"decoder.0.bias", 4, 0},
        {"decoder.1.weight", 4, 6}, {"decoder.1.bias", 6, 0},
        {"decoder.head.weight", 6, 6}, {"decoder.head.bias", 6, 0}};
    static const layers_tensor wide[] = {
        {"encoder.head.weight", 6, 6}, {"encoder.head.bias", 6, 0},
        {"decoder.0.weight", 3, 7}, {"decoder.0.bias", 7, 0},
        {"decoder.head.weight", 7, 6}, {"decoder.head.bias", 6, 0}};
    vae_desc d = layers_desc("6", "", "dense 4 relu, dense 6");
    layers_check_tensors(&d, fits, 6);
    d = layers_desc("6", "", "dense 4 relu, dense 6 identity");
    layers_check_tensors(&d, fits, 6);
    d = layers_desc("6", "", "dense 4 relu, dense 6 relu"); /* has an activation */
    layers_check_tensors(&d, no, 8);
    d = layers_desc("6", "", "dense 4 relu, dense 6, tanh"); /* ends in an activation */
    layers_check_tensors(&d, no, 8);
    d = layers_desc("6", "", "dense 4 relu, dense 6, identity"); /* the same */
    layers_check_tensors(&d, no, 8);
    d = layers_desc("6", "", "dense 7"); /* another width */
    layers_check_tensors(&d, wide, 6);
}

/* The encoder's head is always added, also behind a layer that has its width. */
TEST(the_encoder_always_gets_a_head) {
    static const layers_tensor want[] = {
        {"encoder.0.weight", 6, 6}, {"encoder.0.bias", 6, 0},
        {"encoder.head.weight", 6, 6}, {"encoder.head.bias", 6, 0},
        {"decoder.head.weight", 3, 6}, {"decoder.head.bias", 6, 0}};
    vae_desc d = layers_desc("6", "dense 6", "");
    layers_check_tensors(&d, want, 6);
}

TEST(a_learned_variance_is_the_last_tensor) {
    static const layers_tensor want[] = {
        {"encoder.head.weight", 6, 6}, {"encoder.head.bias", 6, 0},
        {"decoder.head.weight", 3, 6}, {"decoder.head.bias", 6, 0}, {"decoder.logvar", 1, 0}};
    vae_desc d = layers_desc("6", "", "");
    d.likelihood = "gaussian";
    layers_check_tensors(&d, want, 4);
    d.likelihood = "gaussian_learned";
    layers_check_tensors(&d, want, 5);
}

TEST(a_network_too_large_for_memory_is_refused_before_it_is_made) {
    vae_desc d = layers_desc("16777216", "dense 16777216", "");
    vae_report r;
    size_t size = 4711;
    vae_status s;
    memset(&r, 0, sizeof r);
    d.batch = 16777216;
    s = vae_size(&d, &size, &r);
    if (sizeof(size_t) > 4) CHECK(s == VAE_OK || s == VAE_ERR_SIZE);
    else CHECK_STATUS(s, VAE_ERR_SIZE);
    d.encoder = "dense 16777216, dense 16777216, dense 16777216, dense 16777216";
    d.samples = 65536; /* batch x samples beyond the limit */
    CHECK_STATUS(vae_size(&d, &size, &r), VAE_ERR_SIZE);
    CHECK_STATUS(r.status, VAE_ERR_SIZE);
    CHECK_SAYS(r, "batch x samples");
}

/* ---- layers at work: helpers ---- */

/* A model of these strings for 6 rows of one draw; NULL after a report. */
static vae *layers_model(const char *input, const char *encoder, const char *decoder, vae_isa isa) {
    vae_desc d = layers_desc(input, encoder, decoder);
    vae_report r;
    vae *m = NULL;
    memset(&r, 0, sizeof r);
    d.batch = 6, d.isa = isa, d.keep_gradients = 1, d.likelihood = "gaussian";
    if (vae_create(&d, &m, &r)) test_report(__FILE__, __LINE__, "\"%s\": %s", encoder, r.text);
    return m;
}
static double *layers_doubles(const float *x, size_t n) {
    double *out = ref_doubles(n);
    while (n--) out[n] = (double)x[n];
    return out;
}
static float *layers_normals(uint64_t *state, size_t n) {
    float *x = ref_floats(n);
    ref_fill_normal(state, x, n, 1);
    return x;
}
static double layers_dot(size_t n, const float *a, const float *b) {
    double sum = 0;
    while (n--) sum += (double)a[n] * (double)b[n];
    return sum;
}
static void layers_near(const char *what, size_t n, const float *got, const double *want,
                        const double *tol, double least) {
    size_t i;
    for (i = 0; i < n; i++) {
        if (!(fabs((double)got[i] - want[i]) <= (tol ? tol[i] : 0) + least)) {
            test_report(__FILE__, __LINE__, "%s: number %d is %.9g, not %.9g", what, (int)i,
                        (double)got[i], want[i]);
            return;
        }
    }
}
static void layers_equal(const char *what, size_t n, const float *got, const float *want) {
    const size_t i = ref_differ(n, got, want);
    if (i < n)
        test_report(__FILE__, __LINE__, "%s: number %d is %.9g, not %.9g", what, (int)i,
                    (double)got[i], (double)want[i]);
}
/* Hashes of the instruction sets, which begin with the portable one, agree. */
static void layers_same_bits(const vae__kernels *k, uint64_t hash, uint64_t *portable) {
    if (k->isa == VAE_ISA_PORTABLE) *portable = hash;
    if (hash != *portable)
        test_report(__FILE__, __LINE__, "%s has other bits than the portable pass",
                    vae_choice_name(VAE_CHOICE_ISA, (int)k->isa));
}
/* Both passes over some rows and all gradients, as a training step runs them. */
static void layers_pass(vae *m, const float *x, size_t rows) {
    vae__pass pass;
    vae_stats s;
    vae__pass_begin(&pass, m, NULL, BATCH(x, rows), (uint32_t)m->step);
    pass.backward = 1;
    CHECK_STATUS(vae__run_pass(&pass, &s), VAE_OK);
    CHECK(vae__run_gradients(m, &pass, NULL) == NULL);
}

/* ---- conv, convt ---- */

enum { LAYERS_ROWS = 13 }; /* more than most are wide: across images; one row goes beside */

typedef struct layers_conv {
    const char *input;
    int n, kh, kw, stride, pad; /* pad -1: not given */
} layers_conv;

static const layers_conv layers_convs[] = {
    {"1x1x1", 1, 1, 1, 1, -1},  {"1x1x17", 3, 3, 3, 1, -1}, {"1x1x3", 17, 5, 4, 2, 3},
    {"7x5x1", 3, 3, 3, 1, -1},  {"7x5x3", 1, 3, 2, 2, -1},  {"5x7x3", 17, 4, 4, 2, 1},
    {"9x4x3", 5, 1, 4, 3, 0},   {"8x6x17", 3, 2, 5, 3, 2},  {"6x6x3", 4, 4, 4, 2, -1},
    {"2x3x3", 3, 5, 6, 1, 2},   {"2x3x1", 17, 7, 5, 2, -1}, {"3x2x17", 2, 5, 5, 3, 3},
    {"4x4x3", 3, 2, 2, 3, -1},  {"17x13x1", 8, 3, 3, 1, 1}, {"13x11x17", 17, 5, 5, 1, -1},
    {"23x19x3", 6, 4, 3, 2, 3}, {"5x6x17", 3, 11, 11, 1, 5}, {"6x5x40", 2, 12, 12, 1, 6},
    {"40x60x9", 8, 3, 3, 1, -1}, {"7x9x20", 12, 3, 3, 2, -1}, {"2x3x40", 12, 3, 3, 2, 5}};
enum { LAYERS_CONVS = sizeof layers_convs / sizeof layers_convs[0] };

/* Size and first pixel along one axis, from the words of the manual. */
static long layers_size(int turned, long in, long kernel, long stride, long pad, long *before) {
    long out = turned ? in * stride : (in + stride - 1) / stride;
    long missing = turned ? kernel - stride : (out - 1) * stride + kernel - in;
    *before = missing > 0 ? missing / 2 : 0;
    if (pad < 0) return out;
    *before = pad;
    return turned ? (in - 1) * stride + kernel - 2 * pad : (in + 2 * pad - kernel) / stride + 1;
}

/* What all six functions compute: pairs of a big pixel and a small one that share a tap of the
 * window. Two of big, small and w are given and the third is added up, `sizes` with |values|. */
static void layers_pairs(const vae__shape *big, const vae__shape *small, const layers_conv *l,
                         long before_y, long before_x, const double *b, const double *s,
                         const double *w, double *out, double *sizes) {
    size_t r, y, x, i, j, c, n;
    for (r = 0; r < LAYERS_ROWS; r++)
        for (y = 0; y < small->h; y++)
            for (x = 0; x < small->w; x++)
                for (i = 0; i < (size_t)l->kh; i++)
                    for (j = 0; j < (size_t)l->kw; j++) {
                        const long by = (long)y * l->stride - before_y + (long)i;
                        const long bx = (long)x * l->stride - before_x + (long)j;
                        if (by < 0 || bx < 0 || by >= (long)big->h || bx >= (long)big->w) continue;
                        for (c = 0; c < big->c; c++)
                            for (n = 0; n < small->c; n++) {
                                const size_t at_w = ((i * (size_t)l->kw + j) * big->c + c) *
                                                    small->c + n;
                                const size_t at_s = r * small->dim +
                                                    (y * small->w + x) * small->c + n;
                                const size_t at_b = r * big->dim + ((size_t)by * big->w +
                                                                    (size_t)bx) * big->c + c;
                                const size_t at = !s ? at_s : !b ? at_b : at_w;
                                const double term = (b ? b[at_b] : 1) * (s ? s[at_s] : 1) *
                                                    (w ? w[at_w] : 1);
                                out[at] += term, sizes[at] += fabs(term);
                            }
                    }
}

/* One layer against the loops above; a hash of all it gave. */
static uint64_t layers_conv_case(const layers_conv *l, int turned, vae_isa isa) {
    char text[80];
    const char *const what = turned ? "convt" : "conv";
    uint64_t state = 70, hash = VAE__FNV;
    vae *m;
    vae__op *op;
    vae__walk c, one;
    vae__shape big, small;
    long by, bx;
    size_t nx, ny, nw, i, from, to;
    float *x, *y, *dy, *dx, *dw, *piece, *w;
    double *dx64, *x64, *dy64, *w64, *want, *sizes, unit;
    sprintf(text, "%s %d %dx%d/%d", what, l->n, l->kh, l->kw, l->stride);
    if (l->pad >= 0) sprintf(text + strlen(text), " pad %d", l->pad);
    m = layers_model(l->input, text, "", isa);
    if (!m) return 0;
    op = &m->ops[0];
    CHECK_EQ(op->out.h, layers_size(turned, (long)op->in.h, l->kh, l->stride, l->pad, &by));
    CHECK_EQ(op->out.w, layers_size(turned, (long)op->in.w, l->kw, l->stride, l->pad, &bx));
    CHECK_EQ(op->out.c, l->n);
    big = turned ? op->out : op->in, small = turned ? op->in : op->out;
    c = vae__train_walk(m, LAYERS_ROWS, 1);
    c.room = ref_floats(op->room); /* its own: a sanitizer sees a float more */
    one = c;
    nx = LAYERS_ROWS * op->in.dim, ny = LAYERS_ROWS * op->out.dim;
    nw = (size_t)(l->kh * l->kw) * op->in.c * op->out.c;
    CHECK_EQ(m->tensors[0].count, nw);
    CHECK_EQ(m->tensors[0].shape[2], big.c);
    CHECK_EQ(m->tensors[0].shape[3], small.c);
    w = m->w + op->weights;
    ref_fill_normal(&state, w, nw + op->out.c, 1);
    x = layers_normals(&state, nx), dy = layers_normals(&state, ny);
    y = ref_floats(ny), dx = ref_floats(nx), dw = ref_floats(nw), piece = ref_floats(nw + nx + ny);
    x64 = layers_doubles(x, nx), dy64 = layers_doubles(dy, ny);
    w64 = layers_doubles(w, nw + op->out.c);
    dx64 = ref_doubles(nx);
    op->layer->fwd(&c, op, w, x, y);
    op->layer->bwd(&c, op, w, x, dy, dx);
    op->layer->grad(&c, op, 0, 0, nw / small.c, x, dy, dw);
    hash = vae__hash_floats(hash, y, ny);
    hash = vae__hash_floats(hash, dx, nx);
    hash = vae__hash_floats(hash, dw, nw);
    one.rows = 1;
    op->layer->fwd(&one, op, w, x + 5 * op->in.dim, piece);
    layers_equal(text, op->out.dim, piece, y + 5 * op->out.dim);
    op->layer->bwd(&one, op, w, x, dy + 5 * op->out.dim, piece);
    layers_equal(text, op->in.dim, piece, dx + 5 * op->in.dim);

    /* each number is one chain of n products and sums, so it is off by at most n roundings of the
     * sum of its terms' sizes: n is bounded by all the taps, and of the gradient by all places */
    unit = 6e-8 * (double)((size_t)(l->kh * l->kw) * (big.c > small.c ? big.c : small.c) + 3);
    want = ref_doubles(ny), sizes = ref_doubles(ny);
    for (i = 0; i < ny; i++) {
        want[i] = w64[nw + i % op->out.c], sizes[i] = fabs(want[i]);
    }
    layers_pairs(&big, &small, l, by, bx, turned ? NULL : x64, turned ? x64 : NULL, w64, want,
                 sizes);
    for (i = 0; i < ny; i++) sizes[i] *= unit;
    layers_near(text, ny, y, want, sizes, 0);
    free(want), free(sizes);
    want = dx64, sizes = ref_doubles(nx);
    layers_pairs(&big, &small, l, by, bx, turned ? dy64 : NULL, turned ? NULL : dy64, w64, want,
                 sizes);
    for (i = 0; i < nx; i++) sizes[i] *= unit;
    layers_near(text, nx, dx, want, sizes, 0);
    free(sizes);
    want = ref_doubles(nw), sizes = ref_doubles(nw);
    layers_pairs(&big, &small, l, by, bx, turned ? dy64 : x64, turned ? x64 : dy64, NULL, want,
                 sizes);
    unit = 6e-8 * (double)(LAYERS_ROWS * small.h * small.w + 3);
    for (i = 0; i < nw; i++) sizes[i] *= unit;
    layers_near(text, nw, dw, want, sizes, 0);
    free(want), free(sizes);

    for (from = 0; from < nw / small.c; from = to) { /* pieces of the weight gradient: its bits */
        to = vae__min(from + 7, nw / small.c);
        op->layer->grad(&c, op, 0, from, to, x, dy, piece + from * small.c);
    }
    layers_equal(text, nw, piece, dw);
    op->layer->grad(&c, op, 1, 0, 1, x, dy, piece); /* and the bias's */
    for (i = 0; i < op->out.c; i++) {
        double sum = 0, size = 0;
        for (from = i; from < ny; from += op->out.c) sum += dy64[from], size += fabs(dy64[from]);
        CHECK_NEAR((double)piece[i], sum, 6e-8 * (double)(ny / op->out.c) * size);
    }

    /* adjoint: <W x, dy> = <x, W' dy>, within the roundings of both sides */
    memset(w + nw, 0, op->out.c * sizeof *w);
    op->layer->fwd(&c, op, w, x, y);
    CHECK_NEAR(layers_dot(ny, y, dy), layers_dot(nx, x, dx),
               1e-5 * sqrt(layers_dot(ny, y, y) * layers_dot(ny, dy, dy)));
    free(x), free(y), free(dy), free(dx), free(dw), free(piece), free(x64), free(dy64), free(w64);
    free(dx64), free(c.room);
    vae_destroy(m);
    return hash;
}

TEST(convolutions_match_naive_loops_and_their_two_directions_are_adjoint) {
    const vae__kernels *k;
    int i, turned;
    for (i = 0; i < LAYERS_CONVS; i++) {
        for (turned = 0; turned < 2; turned++) {
            uint64_t portable = 0;
            /* the padding would take the whole image */
            if (turned && (i == 2 || i == LAYERS_CONVS - 1)) continue;
            for (k = NULL; (k = ref_next_isa(k));)
                layers_same_bits(k, layers_conv_case(&layers_convs[i], turned, k->isa), &portable);
        }
    }
}

/* With one array of weights; sizes at which the strides come out even. */
TEST(convt_is_the_backward_pass_of_conv_bit_for_bit) {
    static const struct {
        const char *big, *small, *args;
    } pairs[] = {{"8x6x3", "4x3x5", "4x4/2"}, {"7x7x3", "4x4x5", "3x3/2 pad 1"},
                 {"9x6x17", "3x2x1", "5x2/3"}, {"5x4x1", "5x4x17", "3x5"},
                 {"9x6x2", "4x3x3", "4x4/3 pad 2"}};
    const vae__kernels *k;
    size_t i;
    for (k = NULL; (k = ref_next_isa(k));) {
        for (i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
            char conv[40], convt[40];
            const char *const c_small = strrchr(pairs[i].small, 'x') + 1;
            const char *const c_big = strrchr(pairs[i].big, 'x') + 1;
            uint64_t state = 71;
            vae *a, *b;
            sprintf(conv, "conv %s %s", c_small, pairs[i].args);
            sprintf(convt, "convt %s %s", c_big, pairs[i].args);
            a = layers_model(pairs[i].big, conv, "", k->isa);
            b = layers_model(pairs[i].small, convt, "", k->isa);
            if (a && b) {
                const vae__op *p = a->ops, *q = b->ops;
                const vae__walk c = vae__train_walk(a, LAYERS_ROWS, 1);
                const size_t n_big = LAYERS_ROWS * p->in.dim, n_small = LAYERS_ROWS * q->in.dim;
                const size_t n = a->tensors[0].count;
                float *big = layers_normals(&state, n_big);
                float *small = layers_normals(&state, n_small);
                float *w = layers_normals(&state, n + 64), *one = ref_floats(n_big + n_small + n);
                float *two = ref_floats(n_big + n_small + n);
                CHECK_EQ(p->in.dim, q->out.dim);
                CHECK_EQ(p->out.dim, q->in.dim);
                CHECK_EQ(n, b->tensors[0].count);
                memset(w + n, 0, 64 * sizeof *w);
                if (p->in.dim == q->out.dim && p->out.dim == q->in.dim) {
                    const vae__walk d = vae__train_walk(b, LAYERS_ROWS, 1);
                    p->layer->fwd(&c, p, w, big, one);
                    q->layer->bwd(&d, q, w, small, big, two);
                    layers_equal(conv, n_small, one, two);
                    p->layer->bwd(&c, p, w, big, small, one);
                    q->layer->fwd(&d, q, w, small, two);
                    layers_equal(convt, n_big, one, two);
                    p->layer->grad(&c, p, 0, 0, n / p->out.c, big, small, one);
                    q->layer->grad(&d, q, 0, 0, n / p->out.c, small, big, two);
                    layers_equal(conv, n, one, two);
                }
                free(big), free(small), free(w), free(one), free(two);
            }
            vae_destroy(a), vae_destroy(b);
        }
    }
}

/* ---- pools, upsampling ---- */

/* All three over 2 rows, on whole numbers of a small range, so that equals are common. */
TEST(pools_and_upsampling_match_naive_loops_and_the_first_of_equals_gets_the_gradient) {
    static const struct {
        const char *input;
        size_t n;
    } sizes[] = {{"1x1x1", 1}, {"6x4x3", 2}, {"9x3x1", 3}, {"5x10x17", 5}, {"4x4x33", 4}};
    static const char *const names[] = {"maxpool", "avgpool", "upsample"};
    const vae__kernels *k;
    size_t i, j, q;
    int kind;
    for (i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (kind = 0; kind < 3; kind++) {
            uint64_t portable = 0;
            for (k = NULL; (k = ref_next_isa(k));) {
                const size_t n = sizes[i].n, ahead = kind == 2 ? 1 : 0;
                uint64_t state = 72, hash = VAE__FNV;
                char text[40];
                vae *m;
                const vae__op *op;
                const vae__shape *s;
                vae__walk c;
                size_t nx, ny, big;
                float *x, *y, *dy, *dx;
                double *want_y, *want_dx;
                sprintf(text, "%s %d", names[kind], (int)n);
                m = layers_model(sizes[i].input, text, "", k->isa);
                if (!m) return;
                op = &m->ops[0], s = ahead ? &op->in : &op->out; /* the small image */
                CHECK_EQ(op->out.h, ahead ? op->in.h * n : op->in.h / n);
                CHECK_EQ(op->out.w, ahead ? op->in.w * n : op->in.w / n);
                CHECK_EQ(op->out.c, op->in.c);
                c = vae__train_walk(m, 2, 1);
                nx = 2 * op->in.dim, ny = 2 * op->out.dim, big = ahead ? ny : nx;
                x = ref_floats(nx), dy = ref_floats(ny), y = ref_floats(ny), dx = ref_floats(nx);
                want_y = ref_doubles(ny), want_dx = ref_doubles(nx);
                for (j = 0; j < nx; j++) x[j] = (float)ref_pick(&state, 5) - 2;
                ref_fill_normal(&state, dy, ny, 1);
                op->layer->fwd(&c, op, m->w, x, y);
                op->layer->bwd(&c, op, m->w, x, dy, dx);
                for (j = 0; j < big / (n * n); j++) { /* small number j and its window */
                    const size_t ch = j % s->c, col = j / s->c % s->w, line = j / s->c / s->w;
                    size_t first = big;
                    for (q = 0; q < n * n; q++) {
                        const size_t at = ((line * n + q / n) * s->w * n + col * n + q % n) *
                                          s->c + ch;
                        if (kind == 0 && (first == big || x[at] > x[first])) first = at;
                        if (kind == 1) want_y[j] += (double)x[at] / (double)(n * n);
                        if (kind == 1) want_dx[at] = (double)dy[j] / (double)(n * n);
                        if (kind == 2) want_y[at] = (double)x[j];
                        if (kind == 2) want_dx[j] += (double)dy[at];
                    }
                    if (kind == 0) want_y[j] = (double)x[first], want_dx[first] = (double)dy[j];
                }
                /* sums of at most 25 numbers below 5; the rest is copied */
                layers_near(text, ny, y, want_y, NULL, kind == 1 ? 25 * 25 * 6e-8 : 0);
                layers_near(text, nx, dx, want_dx, NULL, kind ? 25 * 25 * 6e-8 : 0);
                if (kind) /* linear, so adjoint */
                    CHECK_NEAR(layers_dot(ny, y, dy), layers_dot(nx, x, dx), 1e-5 * (double)big);
                hash = vae__hash_floats(vae__hash_floats(hash, y, ny), dx, nx);
                layers_same_bits(k, hash, &portable);
                free(x), free(y), free(dy), free(dx), free(want_y), free(want_dx);
                vae_destroy(m);
            }
        }
    }
}

/* ---- reshape, flatten, res ---- */

TEST(reshape_and_flatten_pass_numbers) {
    uint64_t state = 73;
    float *x = layers_normals(&state, 2 * 30);
    vae *m = layers_model("5x3x2", "reshape 3x1x10, flatten, reshape 2x15, reshape 30", "",
                          VAE_ISA_AUTO);
    static const size_t shapes[4][3] = {{3, 1, 10}, {1, 1, 30}, {2, 15, 1}, {1, 1, 30}};
    int i;
    if (m) {
        layers_pass(m, x, 2);
        for (i = 0; i < 4; i++) {
            const vae__op *op = &m->ops[i];
            CHECK(op->out.h == shapes[i][0] && op->out.w == shapes[i][1] &&
                  op->out.c == shapes[i][2] && op->out.dim == 30);
            layers_equal("forward", 60, op->y, x);
            layers_equal("backward", 60, op->dy, m->ops[3].dy);
        }
    }
    vae_destroy(m);
    free(x);
}

enum { LAYERS_RES = 6 };
/* y = x + g(x + tanh'ed inner group), as the string of the next test says. */
static void layers_res(const vae *m, const double *x, double *y) {
    const vae__op *o = m->ops;
    double *w = layers_doubles(m->w, m->parameters), a[7], b[7], t[7];
    size_t i;
    ref_dense_fwd(1, LAYERS_RES, 7, x, w + o[1].weights, w + o[1].weights + 42, a);
    for (i = 0; i < 7; i++) a[i] = tanh(a[i]);
    ref_dense_fwd(1, 7, 7, a, w + o[3].weights, w + o[3].weights + 49, t);
    for (i = 0; i < 7; i++) t[i] = ref_sigmoid(t[i]);
    ref_dense_fwd(1, 7, 7, t, w + o[4].weights, w + o[4].weights + 49, b);
    for (i = 0; i < 7; i++) b[i] += a[i];
    ref_dense_fwd(1, 7, LAYERS_RES, b, w + o[6].weights, w + o[6].weights + 42, y);
    for (i = 0; i < LAYERS_RES; i++) y[i] += x[i];
    free(w);
}

TEST(a_group_adds_its_input_also_inside_another_group) {
    const vae__kernels *k;
    uint64_t portable = 0;
    for (k = NULL; (k = ref_next_isa(k));) {
        uint64_t state = 74;
        vae *m = layers_model("6", "res(dense 7 tanh, res(dense 7 sigmoid, dense 7), dense 6)", "",
                              k->isa);
        float *x = layers_normals(&state, 6 * LAYERS_RES), mu[18], alone[18];
        float dx[6 * LAYERS_RES];
        const vae__op *end;
        vae__walk c;
        vae_desc d;
        vae *use = NULL;
        size_t r, i, j;
        if (!m) return;
        CHECK_EQ(m->enc.count, 9);
        layers_pass(m, x, 6);
        end = &m->ops[7];
        ref_fill_normal(&state, end->dy, 6 * LAYERS_RES, 1);
        layers_same_bits(k, vae__hash_floats(VAE__FNV, end->y, 6 * LAYERS_RES), &portable);
        c = vae__train_walk(m, 6, 1);
        vae__ops_bwd(&c, m->ops, 2 * 8, 0, x, dx);
        for (r = 0; r < 6; r++) {
            double in[LAYERS_RES], y[LAYERS_RES], more[LAYERS_RES], less[LAYERS_RES];
            for (i = 0; i < LAYERS_RES; i++) in[i] = (double)x[r * LAYERS_RES + i];
            layers_res(m, in, y);
            /* 20 sums of numbers around 1 in single precision */
            layers_near("res", LAYERS_RES, end->y + r * LAYERS_RES, y, NULL, 5e-6);
            for (i = 0; i < LAYERS_RES; i++) { /* differences in double: h^2 and 1e-16 / h */
                const double keep = in[i];
                double slope = 0;
                in[i] = keep + 1e-5, layers_res(m, in, more);
                in[i] = keep - 1e-5, layers_res(m, in, less);
                in[i] = keep;
                for (j = 0; j < LAYERS_RES; j++)
                    slope += (double)end->dy[r * LAYERS_RES + j] * (more[j] - less[j]) / 2e-5;
                CHECK_NEAR((double)dx[r * LAYERS_RES + i], slope, 1e-5);
            }
        }
        vae_get_desc(m, &d); /* where activations take turns in two buffers: the same bits */
        d.inference = 1;
        CHECK_STATUS(vae_create(&d, &use, NULL), VAE_OK);
        CHECK_STATUS(vae_encode(m, BATCH(x, 6), mu, NULL), VAE_OK);
        if (use) CHECK_STATUS(vae_encode(use, BATCH(x, 6), alone, NULL), VAE_OK);
        layers_equal("inference", 18, alone, mu);
        vae_destroy(use), vae_destroy(m), free(x);
    }
}

/* ---- batchnorm, layernorm ---- */

enum { LAYERS_BN_MEAN = 2, LAYERS_BN_VAR = 3 }; /* offsets in channels from the first tensor */

/* Standardises numbers at, at + step, .. (count of them) of x, times gain plus bias of the number's
 * channel, and takes dy back to dx, dgain and dbias (the last two are added to). */
static void layers_norm(size_t at, size_t step, size_t count, size_t channels, const double *x,
                        const float *gain, const float *bias, const double *dy, double *y,
                        double *dx, double *dgain, double *dbias, double *mean, double *variance) {
    double m = 0, v = 0, inverse, g = 0, gx = 0;
    size_t i;
    for (i = 0; i < count; i++) m += x[at + i * step] / (double)count;
    for (i = 0; i < count; i++) v += pow(x[at + i * step] - m, 2) / (double)count;
    inverse = 1 / sqrt(v + 1e-5);
    for (i = 0; i < count; i++) {
        const size_t e = at + i * step, c = e % channels;
        const double unit = (x[e] - m) * inverse, d = dy[e] * (double)gain[c];
        y[e] = unit * (double)gain[c] + (double)bias[c];
        dgain[c] += dy[e] * unit, dbias[c] += dy[e];
        g += d / (double)count, gx += d * unit / (double)count;
    }
    for (i = 0; i < count; i++) {
        const size_t e = at + i * step;
        dx[e] = inverse * (dy[e] * (double)gain[e % channels] - g - (x[e] - m) * inverse * gx);
    }
    *mean = m, *variance = v;
}

/* The batch or each image of it; an op that passes numbers stands before, so that dx is there. */
TEST(norms_match_the_double_formulas_forward_and_backward) {
    static const struct {
        const char *input, *encoder;
    } cases[] = {{"3x2x5", "reshape 3x2x5, batchnorm"}, {"7", "reshape 7, batchnorm tanh"},
                 {"2x2x35", "reshape 2x2x35, batchnorm"}, {"3x2x5", "reshape 3x2x5, layernorm"},
                 {"40", "reshape 1x1x40, layernorm tanh"}, {"3x3x18", "reshape 3x3x18, layernorm"},
                 {"5x5x1", "reshape 5x5, batchnorm"}, {"5x5x1", "reshape 5x5, layernorm"}};
    const vae__kernels *k;
    size_t i, j;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const int batch = strstr(cases[i].encoder, "batchnorm") != NULL;
        uint64_t portable = 0;
        for (k = NULL; (k = ref_next_isa(k));) {
            uint64_t state = 75, hash = VAE__FNV;
            vae *m = layers_model(cases[i].input, cases[i].encoder, "dense 9 tanh", k->isa);
            const vae__op *op;
            size_t n, c, t;
            float *x, *w, *g;
            double *x64, *dy, *y, *dx, *dgain, *dbias, mean, variance;
            if (!m) return;
            op = &m->ops[1];
            n = 6 * op->in.dim, c = op->in.c;
            w = m->w + op->weights, g = m->g + op->weights;
            x = layers_normals(&state, n);
            for (j = 0; j < n; j++) /* far from 0 and 1, differently in each channel */
                x[j] = x[j] * (float)(0.1 + (double)(j % c)) + (float)(j % c * 3);
            for (j = 0; j < 2 * c; j++) w[j] = (float)ref_uniform(&state, 0.5, 2);
            m->ops[1].first = 0; /* dx too, which no weight needs here */
            layers_pass(m, x, 6);
            x64 = layers_doubles(x, n), dy = layers_doubles(op->dy, n);
            y = ref_doubles(n), dx = ref_doubles(n);
            dgain = ref_doubles(c), dbias = ref_doubles(c);
            if (batch) {
                for (j = 0; j < c; j++)
                    layers_norm(j, c, n / c, c, x64, w, w + c, dy, y, dx, dgain, dbias, &mean,
                                &variance);
                CHECK_EQ(op->tensor_count, 4);
            } else {
                for (j = 0; j < n; j += op->in.dim)
                    layers_norm(j, 1, op->in.dim, c, x64, w, w + c, dy, y, dx, dgain, dbias, &mean,
                                &variance);
                CHECK_EQ(op->tensor_count, 2);
            }
            for (j = 0; j < n; j++) y[j] = ref_act(op->act, y[j]);
            for (mean = variance = 0, j = 0; j < n; j++) {
                if (fabs(dy[j]) > mean) mean = fabs(dy[j]);
                if (fabs(dx[j]) > variance) variance = fabs(dx[j]);
            }
            /* x - mean keeps 24 bits of x, which is at most some 100 deviations from 0 (of channel
             * 0, by 0.1 wide, at most 5); gradients relative to their largest */
            layers_near(cases[i].encoder, n, op->y, y, NULL, 2e-5);
            layers_near("dx", n, m->ops[0].dy, dx, NULL, 2e-5 * variance);
            for (t = 0; t < 2; t++)
                layers_near(t ? "dbias" : "dgain", c, g + t * c, t ? dbias : dgain, NULL,
                            1e-6 * (double)(n / c) * mean);
            hash = vae__hash_floats(hash, op->y, n);
            hash = vae__hash_floats(hash, m->ops[0].dy, n);
            layers_same_bits(k, vae__hash_floats(hash, g, 2 * c), &portable);
            free(x), free(x64), free(dy), free(y), free(dx), free(dgain), free(dbias);
            vae_destroy(m);
        }
    }
}

TEST(batchnorm_remembers_nine_tenths_and_uses_what_it_remembers_in_evaluation) {
    const vae__kernels *k;
    uint64_t portable = 0;
    for (k = NULL; (k = ref_next_isa(k));) {
        uint64_t state = 76;
        vae *m = layers_model("3x2x5", "reshape 3x2x5, batchnorm", "dense 6 relu", k->isa);
        float x[6 * 30], other[6 * 30], y[6 * 30], mu[18], again[18];
        const vae__op *op;
        vae__walk c;
        float *w;
        double mean[5] = {0, 0, 0, 0, 0}, variance[5] = {1, 1, 1, 1, 1}; /* where it starts */
        size_t i, j, step, rows;
        if (!m) return;
        op = &m->ops[1];
        w = m->w + op->weights;
        for (step = 0; step < 4; step++) {
            rows = step == 2 ? 1 : step == 3 ? 4 : 6; /* smaller batches too */
            for (i = 0; i < 6 * 30; i++) x[i] = (float)((double)(i % 5) + ref_normal(&state));
            for (j = 0; j < 5; j++) {
                const size_t n = rows * 6;
                double sum = 0, squares = 0;
                for (i = 0; i < n; i++) sum += (double)x[i * 5 + j] / (double)n;
                for (i = 0; i < n; i++) squares += pow((double)x[i * 5 + j] - sum, 2);
                mean[j] = 0.9 * mean[j] + 0.1 * sum;
                variance[j] = 0.9 * variance[j] + 0.1 * squares / (double)(n - 1); /* unbiased */
            }
            CHECK_STATUS(vae_train_step(m, BATCH(x, rows), NULL), VAE_OK);
            layers_near("running_mean", 5, w + LAYERS_BN_MEAN * 5, mean, NULL, 1e-6);
            layers_near("running_var", 5, w + LAYERS_BN_VAR * 5, variance, NULL, 2e-6);
        }
        CHECK(w[0] != 1 && w[5] != 0); /* gain and bias were trained */
        c = vae__train_walk(m, 6, 1);
        c.train = 0;
        op->layer->fwd(&c, op, w, x, y);
        for (i = 0; i < 6 * 30; i++) {
            j = i % 5;
            CHECK_NEAR((double)y[i], ((double)x[i] - mean[j]) / sqrt(variance[j] + 1e-5) *
                       (double)w[j] + (double)w[5 + j], 1e-5);
        }
        layers_same_bits(k, vae__hash_floats(vae_params_hash(m), y, 6 * 30), &portable);
        /* row 5 among others and alone */
        CHECK_STATUS(vae_encode(m, BATCH(x, 6), mu, NULL), VAE_OK);
        CHECK_STATUS(vae_encode(m, BATCH(x + 5 * 30, 1), again, NULL), VAE_OK);
        layers_equal("evaluation alone", 3, again, mu + 15);
        layers_pass(m, x, 6); /* in training the others count */
        memcpy(y, op->y, sizeof y);
        memcpy(other, x, sizeof x);
        other[7] += 1;
        layers_pass(m, other, 6);
        CHECK(ref_differ(30, y + 150, op->y + 150) < 30);
        vae_destroy(m);
    }
}

/* Also where the images come from a file, or are drawn anew: before anything has read them. */
TEST(batchnorm_in_front_sees_the_pixels_of_its_own_step) {
    unsigned char pixels[6 * 4];
    static const size_t dims[2] = {6, 4};
    vae_data data;
    int dynamic;
    size_t i, j;
    for (i = 0; i < sizeof pixels; i++) pixels[i] = (unsigned char)(40 + i * i * 7 % 199);
    CHECK_STATUS(vae_data_wrap(VAE_U8, 2, dims, pixels, &data, NULL), VAE_OK);
    for (dynamic = 0; dynamic < 2; dynamic++) {
        vae_desc d = layers_desc("4", "batchnorm", "");
        vae *m = NULL;
        d.batch = 6, d.epochs = 1, d.binarize = dynamic ? VAE_BINARIZE_DYNAMIC : VAE_BINARIZE_NONE;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        if (!m) return;
        CHECK_STATUS(vae_fit(m, &data, NULL, NULL, NULL), VAE_OK);
        for (j = 0; j < 4; j++) {
            double mean = 0;
            for (i = 0; i < 6; i++) mean += (double)m->x[i * 4 + j] / 6; /* as it was seen */
            CHECK_NEAR((double)m->w[8 + j], 0.1 * mean, 1e-6);
        }
        vae_destroy(m);
    }
}

/* ---- whole networks with all layers ---- */

static const char layers_all_encoder[] =
    "conv 6 3x3 silu, batchnorm, maxpool 2, res(conv 6 3x3 gelu, layernorm, dropout 0.2), "
    "avgpool 2, noise 0.1, flatten, dense 12 tanh, batchnorm elu";
static const char layers_all_decoder[] =
    "dense 24 tanh, reshape 2x2x6, convt 5 4x4/2 silu, dropout 0.1, upsample 2, batchnorm tanh, "
    "res(conv 5 3x3, batchnorm), layernorm, noise 0.05, convt 2 3x3";

static vae_desc layers_all(void) {
    vae_desc d = layers_desc("8x8x2", layers_all_encoder, layers_all_decoder);
    d.latent = 4, d.batch = 13, d.samples = 2, d.posterior = "normal softplus", d.seed = 9;
    d.binarize = VAE_BINARIZE_DYNAMIC, d.lr = 3e-3;
    return d;
}
static float *layers_images(size_t n) {
    uint64_t state = 77;
    float *x = ref_floats(n);
    ref_fill_uniform(&state, x, n, 0, 1);
    return x;
}
/* Steps from .. to - 1 on batches of 13 rows, of 9 in every third. */
static double layers_train(vae *m, const float *x, int from, int to) {
    vae_stats s;
    s.loss = 0;
    for (; from < to; from++)
        CHECK_STATUS(vae_train_step(m, BATCH(x + from * 128, from % 3 == 2 ? 9 : 13), &s), VAE_OK);
    return s.loss;
}

TEST(a_network_of_all_layers_trains_to_the_same_bits_on_every_isa_and_number_of_threads) {
    static const int parts[] = {1, 2, 3, 7}, one = 1;
    float *x = layers_images(40 * 128), mu[40 * 4], mu_lone[4];
    const vae__kernels *k;
    uint64_t want = 0, hash;
    size_t i;
    int stored;
    for (k = NULL; (k = ref_next_isa(k));) {
        for (i = 0; i < 4; i++) {
            for (stored = 0; stored < 2; stored++) { /* gradients used as they come, or stored */
                vae_desc d = layers_all();
                vae *m = NULL;
                double loss;
                d.isa = k->isa, d.keep_gradients = stored;
                d.parallel.run = threads_backwards, d.parallel.parts = parts[i];
                d.parallel.user = (void *)(size_t)&one;
#ifdef VAE__THREADS
                if (stored) d.parallel.run = NULL, d.threads = parts[i]; /* real ones */
#endif
                CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
                if (!m) break;
                loss = layers_train(m, x, 0, 5);
                CHECK_STATUS(vae_encode(m, BATCH(x, 40), mu, NULL), VAE_OK);
                CHECK_STATUS(vae_encode(m, BATCH(x + 39 * 128, 1), mu_lone, NULL), VAE_OK);
                layers_equal("alone", 4, mu_lone, mu + 39 * 4); /* in evaluation */
                hash = vae__hash(vae_params_hash(m), &loss, sizeof loss);
                hash = vae__hash_floats(hash, mu, 40 * 4);
                if (!want) want = hash;
                if (hash != want)
                    test_report(__FILE__, __LINE__, "%s, %d parts, stored %d: other bits",
                                vae_choice_name(VAE_CHOICE_ISA, (int)k->isa), parts[i], stored);
                vae_destroy(m);
            }
        }
    }
    free(x);
}

TEST(a_checkpoint_in_mid_run_of_all_layers_ends_at_the_same_hash) {
    float *x = layers_images(40 * 128);
    vae_desc d = layers_all();
    vae *whole = NULL, *m = NULL;
    int at;
    d.ema = 0.9, d.weight_decay = 1e-3, d.clip = 50;
    CHECK_STATUS(vae_create(&d, &whole, NULL), VAE_OK);
    if (!whole) return;
    layers_train(whole, x, 0, 8);
    for (at = 1; at < 8; at += 3) {
        size_t size = 0, i;
        void *bytes;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        layers_train(m, x, 0, at);
        CHECK_STATUS(vae_save_size(m, 0, &size), VAE_OK);
        bytes = ref_alloc(size);
        CHECK_STATUS(vae_save_memory(m, 0, bytes, size), VAE_OK);
        vae_destroy(m);
        m = NULL;
        CHECK_STATUS(vae_load_memory(bytes, size, NULL, &m, NULL), VAE_OK);
        free(bytes);
        if (!m) break;
        layers_train(m, x, at, 8);
        CHECK(vae_params_hash(m) == vae_params_hash(whole));
        layers_equal("ema", m->parameters, m->average, whole->average);
        for (i = 0; i < m->slot_count; i++) /* the average of what is kept, is what is kept */
            if (m->tensors[i].fixed) {
                CHECK(strstr(m->tensors[i].name, ".running_") != NULL);
                layers_equal(m->tensors[i].name, m->tensors[i].count, m->average + m->tensors[i].offset,
                             m->w + m->tensors[i].offset);
                CHECK(m->w[m->tensors[i].offset] != (float)m->tensors[i].start); /* and it moved */
            }
        vae_destroy(m);
        m = NULL;
    }
    vae_destroy(whole), free(x);
}

TEST(a_step_without_a_finite_loss_leaves_what_batchnorm_remembers) {
    vae_desc d = layers_desc("4", "dense 5, batchnorm", "dense 5, batchnorm tanh");
    static const float good[8] = {0, .1f, .2f, .3f, 1, .9f, .8f, .7f};
    float huge[8]; /* noise that is finite; what the decoder makes of it is not */
    size_t i;
    uint64_t before;
    vae *m = NULL;
    float *average;
    d.likelihood = "gaussian", d.ema = 0.5;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    if (!m) return;
    CHECK_STATUS(vae_train_step(m, BATCH(good, 2), NULL), VAE_OK);
    average = ref_floats(m->parameters);
    memcpy(average, m->average, m->parameters * sizeof(float));
    before = vae_params_hash(m);
    CHECK((size_t)d.latent * 2 <= 8);
    for (i = 0; i < 8; i++) huge[i] = i % 3 ? 3.4e38f : -3.4e38f;
    CHECK_STATUS(vae_train_step(m, BATCH(good, 2, .eps = huge), NULL), VAE_ERR_NONFINITE);
    CHECK(vae_params_hash(m) == before);
    layers_equal("ema", m->parameters, m->average, average);
    CHECK_STATUS(vae_train_step(m, BATCH(good, 2), NULL), VAE_OK);
    CHECK(vae_params_hash(m) != before);
    free(average);
    vae_destroy(m);
}

TEST(one_number_alone_has_no_variance_for_batchnorm_to_remember) {
    vae_desc d = layers_desc("6", "batchnorm, dense 4 tanh", "");
    float *x = layers_images(6 * 2), before[12];
    vae *m = NULL;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    if (m) {
        CHECK_STATUS(vae_train_step(m, BATCH(x, 2), NULL), VAE_OK);
        memcpy(before, m->w + 12, sizeof before);
        CHECK_STATUS(vae_train_step(m, BATCH(x, 1), NULL), VAE_OK);
        CHECK(!memcmp(before, m->w + 12, sizeof before));
        CHECK_STATUS(vae_train_step(m, BATCH(x, 2), NULL), VAE_OK);
        CHECK(memcmp(before, m->w + 12, sizeof before));
    }
    vae_destroy(m);
    free(x);
}

/* Where 32 bits do not hold them; what they hold may be made. */
TEST(sizes_of_convolutions_that_overflow_are_refused) {
    static const struct {
        const char *input, *layers;
    } cases[] = {{"1x1x4095", "conv 2048 1x1/4096 pad 2048"}, {"1x1x1022", "conv 1 1x1/4 pad 1024"},
                 {"1048577x1x1", "upsample 4096"}, {"1048577x1x1", "convt 1 1x1/4096"},
                 {"4097x1x1", "convt 1 1x1/4096"}};
    size_t i, size;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        vae_desc d = layers_desc(cases[i].input, cases[i].layers, "");
        const vae_status status = vae_size(&d, &size, NULL);
        if (i > 1) CHECK_STATUS(status, VAE_ERR_SHAPE);
        else if (sizeof(size_t) == 4) CHECK_STATUS(status, VAE_ERR_SHAPE);
        else CHECK_STATUS(status, VAE_OK);
    }
}

TEST(scratch_of_a_bias_is_one_row) {
    vae_desc d = layers_desc("1", "", "convt 130690 1x1, dense 1");
    size_t size = 0;
    d.latent = 1, d.batch = 1;
    CHECK_STATUS(vae_size(&d, &size, NULL), VAE_OK);
    CHECK(size < 16u << 20);
}

/* ---- dropout, noise ---- */

/* Element by element from the addressed words: `number` of the layer, step 7, seed 5. */
static vae_stream layers_stream(uint32_t purpose, uint32_t number, size_t image, size_t draw) {
    vae_stream s;
    memset(&s, 0, sizeof s);
    s.seed = 5, s.purpose = purpose, s.layer = number, s.time = 7;
    s.sample = (uint32_t)image, s.replica = (uint32_t)draw;
    return s;
}

TEST(dropout_and_noise_are_addressed_by_layer_step_image_and_draw_and_off_in_evaluation) {
    enum { DIM = 77, ROWS = 6 };
    static const struct {
        int decoder, op, noise;
        uint32_t number;
        double p;
    } cases[] = {{0, 0, 0, 1, 0.25}, {0, 2, 1, 2, 1.5}, {0, 3, 0, 3, 0},
                 {1, 1, 0, 4, 0.4},  {1, 2, 1, 5, 0},   {1, 3, 0, 6, 0.999999}};
    vae_desc d = layers_desc("77", "dropout 0.25, tanh, noise 1.5, dropout 0",
                             "dense 77, dropout 0.4, noise 0, dropout 0.999999, tanh");
    const vae__kernels *k;
    uint64_t state = 78;
    float *x = layers_normals(&state, ROWS * DIM), *dy = layers_normals(&state, ROWS * DIM);
    float y[ROWS * DIM], part[ROWS * DIM], dx[ROWS * DIM], random[DIM];
    uint32_t words[DIM];
    size_t n, i, j;
    d.batch = 3, d.samples = 2, d.seed = 5;
    for (k = NULL; (k = ref_next_isa(k));) {
        vae *m = NULL;
        d.isa = k->isa;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        if (!m) break;
        m->step = 7;
        for (n = 0; n < sizeof cases / sizeof cases[0]; n++) {
            const vae__op *op = m->ops + (cases[n].decoder ? m->dec.first : 0) + cases[n].op;
            const size_t draws = cases[n].decoder ? 2 : 1;
            const double p = cases[n].p;
            const float scale = (float)(1 / (1 - p));
            vae__walk c = vae__train_walk(m, ROWS, draws);
            op->layer->fwd(&c, op, m->w, x, y);
            op->layer->bwd(&c, op, m->w, x, dy, dx);
            for (i = 0; i < ROWS; i++) {
                const vae_stream s = layers_stream(
                    cases[n].noise ? VAE_PURPOSE_NOISE : VAE_PURPOSE_DROPOUT, cases[n].number,
                    i / draws, i % draws);
                vae_random_words(&s, 0, DIM, words);
                vae_random_normal(&s, 0, DIM, random);
                for (j = 0; j < DIM; j++) {
                    const size_t e = i * DIM + j;
                    const int drop = (double)words[j] < floor(p * 4294967296.0 + 0.5);
                    if (cases[n].noise) { /* a product and a sum are rounded */
                        const double more = p * (double)random[j];
                        CHECK_NEAR((double)y[e], (double)x[e] + more,
                                   1.2e-7 * (fabs((double)x[e]) + fabs(more)));
                        CHECK(ref_same(dx[e], dy[e]));
                    } else {
                        CHECK(drop ? y[e] == 0 : ref_same(y[e], x[e] * scale));
                        CHECK(drop ? dx[e] == 0 : ref_same(dx[e], dy[e] * scale));
                    }
                }
            }
            if (p == 0) layers_equal("nothing to do", ROWS * DIM, y, x);
            c.first = 3, c.rows = 2; /* a part of the rows draws the same */
            op->layer->fwd(&c, op, m->w, x + 3 * DIM, part);
            layers_equal("part", 2 * DIM, part, y + 3 * DIM);
            c = vae__train_walk(m, ROWS, draws);
            c.train = 0;
            op->layer->fwd(&c, op, m->w, x, y);
            layers_equal("evaluation", ROWS * DIM, y, x);
        }
        vae_destroy(m);
    }
    free(x), free(dy);
}

/* Of 60000 numbers; five deviations of a fair count. */
TEST(dropout_drops_its_part_and_keeps_the_mean) {
    static const double parts[] = {0.05, 0.25, 0.5, 0.9};
    size_t i, j;
    for (i = 0; i < 4; i++) {
        char text[40];
        vae *m;
        double zeros = 0, sum = 0;
        sprintf(text, "dropout %g", parts[i]);
        m = layers_model("10000", text, "", VAE_ISA_AUTO);
        if (m) {
            float *x = ref_floats(60000), *y = ref_floats(60000);
            const vae__walk c = vae__train_walk(m, 6, 1);
            for (j = 0; j < 60000; j++) x[j] = 1;
            m->ops[0].layer->fwd(&c, &m->ops[0], m->w, x, y);
            for (j = 0; j < 60000; j++) zeros += y[j] == 0, sum += (double)y[j];
            CHECK_NEAR(zeros / 60000, parts[i], 5 * sqrt(parts[i] * (1 - parts[i]) / 60000));
            CHECK_NEAR(sum / 60000, 1, 5 * sqrt(parts[i] / (1 - parts[i]) / 60000));
            free(x), free(y);
        }
        vae_destroy(m);
    }
}

/* ---- gradients of whole networks ---- */

TEST(gradients_of_every_layer_are_right_under_every_likelihood) {
    static const struct {
        const char *encoder, *decoder;
    } nets[] = {
        {"conv 5 3x3 silu, avgpool 2, flatten", "dense 8 tanh, reshape 2x2x2, convt 3 4x4/2 gelu"},
        {"conv 4 3x3/2 pad 1 tanh, batchnorm silu, conv 6 2x2 pad 0",
         "dense 16, reshape 2x2x4, batchnorm tanh, upsample 2, conv 3 3x3 softplus"},
        {"res(conv 2 3x3 tanh, layernorm), layernorm gelu, avgpool 2",
         "batchnorm, dense 32 tanh, reshape 4x4x2, res(convt 2 3x3, res(layernorm, tanh), silu)"},
        {"convt 3 2x2/2 tanh, conv 3 5x4/3, noise 0.2, dropout 0.3",
         "dense 9 silu, dropout 0.2, layernorm, res(noise 0.1, dense 9), sigmoid"},
        {"batchnorm, res(conv 2 3x3, batchnorm tanh), dense 7 gelu, batchnorm",
         "dense 8 tanh, reshape 2x2x2, upsample 2, convt 2 3x3 pad 1, batchnorm"},
        {"conv 4 3x3, maxpool 2 tanh", "dense 16 silu, reshape 4x4, maxpool 2"}}; /* kinks */
    float *x = layers_images(6 * 32);
    double most = 0;
    size_t i;
    int kind;
    for (i = 0; i < sizeof nets / sizeof nets[0]; i++) {
        for (kind = 0; kind < REF_LIKELIHOODS; kind++) {
            vae_desc d = layers_desc("4x4x2", nets[i].encoder, nets[i].decoder);
            const int softplus = kind % 2; /* smooth heads in turn */
            vae_report r;
            vae *m = NULL;
            double worst = 1;
            memset(&r, 0, sizeof r);
            d.batch = 6, d.samples = 1 + kind % 3;
            d.likelihood = ref_kind((ref_likelihood)kind, kind == REF_CATEGORICAL ? 5 : 0);
            d.posterior = softplus ? "normal softplus" : "normal";
            if (vae_create(&d, &m, &r)) test_report(__FILE__, __LINE__, "%s", r.text);
            if (!m) continue;
            CHECK_STATUS(vae_check_gradients(m, BATCH(x, 6), 2, &worst), VAE_OK);
            /* a logistic's loss, 5.5 nats a number, leaves small slopes fewer digits */
            if (!(worst < (strstr(nets[i].encoder, "maxpool") ? 3e-2
                           : kind == REF_LOGISTIC ? 2e-2 : 1e-2)))
                test_report(__FILE__, __LINE__, "network %d, %s: worst is %g", (int)i,
                            ref_kind((ref_likelihood)kind, 0), worst);
            if (worst > most) most = worst;
            vae_destroy(m);
        }
    }
    CHECK(most > 0);
    free(x);
}

/* log s^2 of s = max(0.001, |a|, a or softplus a) */
static double layers_spread(int head, double a) {
    const double s = head == VAE__SPREAD_ABS ? fabs(a) : head == VAE__SPREAD_RELU ? a : ref_softplus(a);
    return 2 * log(s > 0.001 ? s : 0.001);
}
TEST(heads_make_log_variances_and_their_slopes_match_differences) {
    enum { LATENT = 37, ROWS = 2 };
    const vae__kernels *k;
    int head;
    size_t i;
    for (head = VAE__SPREAD_ABS; head <= VAE__SPREAD_SOFTPLUS; head++) {
        uint64_t portable = 0;
        for (k = NULL; (k = ref_next_isa(k));) {
            enum { N = ROWS * 2 * LATENT };
            vae_desc d = layers_desc("4", "", "");
            uint64_t state = 79;
            float x[N], y[N], dy[N], dx[N];
            vae *m = NULL;
            const vae__op *op;
            vae__walk c;
            d.posterior = ref_posterior(head, VAE_ACT_IDENTITY), d.latent = LATENT, d.isa = k->isa;
            CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
            if (!m) return;
            op = &m->ops[m->enc.count - 1];
            c = vae__train_walk(m, ROWS, 1);
            for (i = 0; i < N; i++) { /* away from the kink, on both sides */
                x[i] = (float)ref_uniform(&state, 0.05, 6);
                if (i % 3 == 1) x[i] = -x[i];
                if (i % 9 == 0) x[i] = i % 2 ? 5e-4f : -5e-4f; /* below the least deviation */
                if (i % 9 == 1) x[i] = -12;
            }
            ref_fill_normal(&state, dy, N, 1);
            op->layer->fwd(&c, op, m->w, x, y);
            op->layer->bwd(&c, op, m->w, x, dy, dx);
            for (i = 0; i < N; i++) {
                const double a = (double)x[i], h = 1e-5;
                if (i % (2 * LATENT) < LATENT) { /* mu passes */
                    CHECK(ref_same(y[i], x[i]) && ref_same(dx[i], dy[i]));
                } else { /* of a few roundings, relative; slopes are up to 2 / 0.05 */
                    const double slope = (layers_spread(head, a + h) -
                                          layers_spread(head, a - h)) / (2 * h);
                    CHECK_NEAR((double)y[i], layers_spread(head, a), 3e-6);
                    CHECK_NEAR((double)dx[i], (double)dy[i] * slope,
                               1e-6 * fabs((double)dy[i]) * (1 + fabs(slope)));
                }
            }
            layers_same_bits(k, vae__hash_floats(vae__hash_floats(VAE__FNV, y, N), dx, N),
                             &portable);
            vae_destroy(m);
        }
    }
}

/* ---- reading: every layer ---- */

TEST(every_layer_is_spelled_back_in_one_way) {
    static const char big[] = "dense 288, reshape 6x6x8, ";
    static const struct {
        const char *text, *canonical;
    } cases[] = {
        {"conv 8 3x3", NULL}, {"conv 8 4x4/2 pad 0", NULL}, {"conv 8 1x7/3 relu", NULL},
        {"  conv\n8\t3x 3/ 2", "conv 8 3x3/2"}, {"conv 8 4x4/1", "conv 8 4x4"},
        {"conv  008 04x4/02  pad  00 identity", "conv 8 4x4/2 pad 0"},
        {"convt 4 4x4/2 pad 1 gelu", NULL}, {"convt 4 4x4/2 pad 3", NULL},
        {"convt 3 2x2/2,relu", "convt 3 2x2/2, relu"}, {"maxpool 2", NULL},
        {"avgpool 3 tanh", NULL}, {"upsample  02", "upsample 2"}, {"reshape 3x3x32", NULL},
        {"reshape 12x24", "reshape 12x24x1"}, {"reshape 288", "reshape 1x1x288"},
        {"flatten", NULL}, {"flatten identity", "flatten"}, {"batchnorm relu", NULL},
        {"layernorm", NULL}, {"layernorm silu,batchnorm", "layernorm silu, batchnorm"},
        {"dropout 0.25", NULL}, {"dropout 0.250000", "dropout 0.25"}, {"dropout 0", NULL},
        {"dropout 0.000001", NULL}, {"dropout 00.5 relu", "dropout 0.5 relu"},
        {"noise 1.5", NULL}, {"noise 999.999999", NULL}, {"noise 01.010", "noise 1.01"},
        {"noise 20", NULL}, {"res(conv 8 3x3 relu)", NULL},
        {" res ( conv 8 3x3 ) ,tanh ", "res(conv 8 3x3), tanh"},
        {"dense 4, res(dense 4 relu, res(dense 4), tanh)", NULL},
        {"res(res(res(res(res(res(res(res(relu))))))))", NULL}, {"res(relu), res(tanh)", NULL}};
    char text[200], canonical[200];
    size_t i;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *want = cases[i].canonical ? cases[i].canonical : cases[i].text;
        strcpy(text, big), strcat(text, cases[i].text);
        strcpy(canonical, big), strcat(canonical, want);
        layers_spelled(text, canonical);
    }
}

/* Where a sentence could be better, only its beginning counts: what ends in a blank here. */
TEST(bad_arguments_of_layers_are_refused_with_column_and_word) {
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        {"conv", "5: expected a width, found the end"},
        {"conv x", "6: expected a width, found 'x'"},
        {"conv 0 3x3", "6: a width must lie from 1 to 16777216"},
        {"conv 8", "7: expected the height of a window, found the end"},
        {"conv 8 relu", "8: expected the height of a window, found 'relu'"},
        {"conv 8, relu", "7: expected the height of a window, found ','"},
        {"convt 8 4", "10: expected 'x' and the width of the window, found the end"},
        {"conv 8 4y4", "9: expected 'x' and the width of the window, found 'y4'"},
        {"conv 8 4x", "10: expected the width of a window, found the end"},
        {"conv 8 4xx4", "10: expected the width of a window, found 'x4'"},
        {"conv 8 4x0", "10: the width of a window must lie from 1 to 4096"},
        {"conv 8 0x4", "8: "},
        {"conv 8 4x4x4", "11: expected an activation, ',' or the end, found 'x4'"},
        {"conv 8 4x4/", "12: expected a stride, found the end"},
        {"conv 8 4x4/x", "12: expected a stride, found 'x'"},
        {"convt 8 4x4/0", "13: a stride must lie from 1 to "},
        {"conv 8 4x4 pad", "15: expected a padding, found the end"},
        {"conv 8 4x4/2 pad -1", "18: expected a padding, found '-'"},
        {"conv 8 4x4 pad x", "16: expected a padding, found 'x'"},
        {"conv 8 4x4 pad 99999999", "16: a padding must lie from 0 to 4096"},
        {"conv 8 5000x1", "8: the height of a window must lie from 1 to 4096"},
        {"conv 8 1x1/5000", "12: a stride must lie from 1 to 4096"},
        {"upsample 5000", "10: a factor must lie from 1 to 4096"},
        {"dropout 1", "9: expected a number below 1 with at most 6 decimals"},
        {"relu, dropout 1.5", "15: expected a number below 1 with at most 6 decimals"},
        {"conv 8 4x4 pad 2 pad 2", "18: expected an activation, ',' or the end, found 'pad'"},
        {"conv 8 4x4 relu pad 2", "17: expected ',' or the end, found 'pad'"},
        {"conv 8 4x4 padd 2", "12: expected an activation, ',' or the end, found 'padd'"},
        {"conv8 3x3", "1: expected a layer or an activation, found 'conv8'"},
        {"maxpool", "8: expected "}, {"avgpool 0", "9: "}, {"upsample x", "10: expected "},
        {"maxpool 1 1", "11: expected ',' or the end, found '1'"},
        {"reshape", "8: expected a size, found the end"},
        {"reshape 6x", "11: expected a size, found the end"},
        {"reshape 6xx1", "11: expected a size, found 'x1'"},
        {"reshape 0x6", "9: a size must lie from 1 to 16777216"},
        {"reshape 6x1x1x1", "14: expected an activation, ',' or the end, found 'x1'"},
        {"flatten 3", "9: expected ',' or the end, found '3'"},
        {"batchnorm 3", "11: expected ',' or the end, found '3'"},
        {"layernorm norm", "11: expected an activation, ',' or the end, found 'norm'"},
        {"dropout", "8: expected a number such as 0.25, found the end"},
        {"dropout x", "9: expected a number such as 0.25, found 'x'"},
        {"dropout .5", "9: expected a number such as 0.25, found '.'"},
        {"dropout -0.5", "9: expected a number such as 0.25, found '-'"},
        {"dropout 0.1234567", "9: expected a number below 1 with at most 6 decimals"},
        {"dropout 0.2.5", "12: expected ',' or the end, found '.'"},
        {"dropout 0.2 0.5", "13: expected ',' or the end, found '0'"},
        {"noise 1000", "7: expected a number below 1000 with at most 6 decimals"},
        {"noise -1", "7: expected a number such as 0.25, found '-'"},
        {"noise 1e3", "8: expected an activation, ',' or the end, found 'e3'"},
        {"res", "4: expected '(', found the end"},
        {"res relu", "5: expected '(', found 'relu'"},
        {"res()", "5: expected a layer or an activation, found ')'"},
        {"res( )", "6: expected a layer or an activation, found ')'"},
        {"res(", "5: expected a layer or an activation, found the end"},
        {"res(relu", "9: expected ',' or ')', found the end"},
        {"res(relu,", "10: expected a layer or an activation, found the end"},
        {"res(relu,)", "10: expected a layer or an activation, found ')'"},
        {"res(relu))", "10: expected ',' or the end, found ')'"},
        {"relu)", "5: expected ',' or the end, found ')'"},
        {")", "1: expected a layer or an activation, found ')'"},
        {"res(relu relu)", "10: expected ',' or ')', found 'relu'"},
        {"res(relu) relu", "11: expected ',' or the end, found 'relu'"},
        {"res(relu)(relu)", "10: expected ',' or the end, found '('"},
        {"resnet(relu)", "1: expected a layer or an activation, found 'resnet'"},
        {"res(res(res(res(res(res(res(res(res(relu)))))))))", "33: more than 8 groups "}};
    size_t i, size = 0;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const vae_desc d = layers_desc("6", cases[i].text, "");
        const size_t n = strlen(cases[i].sentence);
        vae_report r;
        memset(&r, 0, sizeof r);
        CHECK_STATUS(vae_size(&d, &size, &r), VAE_ERR_SYNTAX);
        if (memcmp(r.text, "encoder, column ", 16) ||
            strncmp(r.text + 16, cases[i].sentence, n + (cases[i].sentence[n - 1] != ' ')))
            test_report(__FILE__, __LINE__, "\"%s\" says \"%s\"", cases[i].text, r.text);
    }
}

TEST(shapes_that_do_not_fit_are_refused_with_the_item_and_its_input) {
    static const struct {
        const char *input, *text, *sentence;
    } cases[] = {
        {"6", "reshape 2x2", "1: reshape: "},
        {"3x4x2", "relu, reshape 5x5", "7: reshape: "},
        {"28x28", "tanh, conv 8 31x3 pad 1", "7: conv: the window is larger than the padded image"},
        {"5x5x2", "conv 8 3x6 pad 0", "1: conv: the window is larger than the padded image"},
        {"5x5x2", "conv 16777216 1x1", "1: conv: too large"},
        {"4096x4096", "convt 2 1x1", "1: convt: too large"},
        {"1x1x6", "convt 8 1x1 pad 1", "1: convt: the padding takes the whole image"},
        {"2x2", "convt 8 4x4/2 pad 3", "1: convt: the padding takes the whole image"},
        {"7x8", "maxpool 2", "1: maxpool: height and width must be multiples of its window"},
        {"8x7", "relu, avgpool 4", "7: avgpool: height and width must be multiples of its window"},
        {"6", "maxpool 2", "1: maxpool: height and width must be multiples of its window"},
        {"6x6", "upsample 4096", "1: upsample: too large"},
        {"6", "res(dense 5)", "12: res: 1x1x5 comes out of the group and 1x1x6 goes in; they must "
                              "be equal"},
        {"2x3", "tanh, res(flatten)", "18: res: 1x1x6 comes out of the group and 2x3x1 goes in"},
        {"4x4", "res(res(maxpool 2), upsample 2)", "18: res: 2x2x1 comes out of the group and "
                                                   "4x4x1 goes in"}};
    size_t i, size = 4711;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const vae_desc d = layers_desc(cases[i].input, cases[i].text, "");
        vae_report r;
        vae_status s;
        memset(&r, 0, sizeof r);
        s = vae_size(&d, &size, &r);
        CHECK_STATUS(s, VAE_ERR_SHAPE);
        CHECK_STATUS(r.status, s);
        if (memcmp(r.text, "encoder, column ", 16) ||
            memcmp(r.text + 16, cases[i].sentence, strlen(cases[i].sentence)))
            test_report(__FILE__, __LINE__, "\"%s\" says \"%s\"", cases[i].text, r.text);
        CHECK_EQ(size, 4711);
    }
}

/* Any row of items: it is refused, or it is spelled back, trains a step to the same bits on two
 * instruction sets, and encodes. */
TEST(any_row_of_layers_is_refused_or_trains) {
    static const char *const items[] = {
        "dense 3 relu", "conv 2 3x3", "conv 3 2x2/2 silu", "conv 1 3x3 pad 0", "convt 2 2x2/2",
        "convt 1 3x3 pad 1 elu", "maxpool 2", "avgpool 2", "upsample 2", "reshape 4x2x2",
        "flatten", "batchnorm", "layernorm tanh", "dropout 0.5", "noise 0.1", "relu", "res(relu",
        "res(batchnorm", "res(conv 2 3x3", "tanh)", "batchnorm)", "layernorm gelu, tanh)"};
    uint64_t state = 80;
    float *x = layers_images(2 * 32), mu[6];
    int i, fine = 0, refused = 0;
    for (i = 0; i < 4000; i++) {
        char text[2][200];
        vae_desc d = layers_desc("4x4x2", text[0], text[1]);
        vae_report r;
        vae_status s;
        size_t n, size = 0, net;
        uint64_t hash[2] = {0, 0};
        int side;
        for (net = 0; net < 2; net++) {
            text[net][0] = 0;
            for (n = ref_pick(&state, 5); n--;) {
                strcat(text[net], items[ref_pick(&state, 22)]);
                if (n) strcat(text[net], ", ");
            }
        }
        memset(&r, 0, sizeof r);
        d.posterior = ref_posterior((int)ref_pick(&state, 4), VAE_ACT_IDENTITY);
        d.likelihood = "gaussian";
        s = vae_size(&d, &size, &r);
        refused += s != VAE_OK;
        CHECK(s == VAE_OK || s == VAE_ERR_SYNTAX || s == VAE_ERR_SHAPE);
        if (s || size > 200000) continue;
        for (side = 0; side < 2; side++) {
            vae_desc got;
            vae *m = NULL;
            d.isa = side ? VAE_ISA_AUTO : VAE_ISA_PORTABLE;
            CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
            if (!m) break;
            vae_get_desc(m, &got);
            CHECK(!strcmp(got.encoder, text[0]) && !strcmp(got.decoder, text[1]));
            s = vae_train_step(m, BATCH(x, 2), NULL);
            if (s) test_report(__FILE__, __LINE__, "\"%s\", \"%s\": %s", text[0], text[1],
                               vae_last_report(m)->text);
            CHECK_STATUS(vae_encode(m, BATCH(x, 2), mu, NULL), VAE_OK);
            hash[side] = vae__hash_floats(vae_params_hash(m), mu, 6);
            vae_destroy(m);
        }
        if (hash[0] != hash[1])
            test_report(__FILE__, __LINE__, "\"%s\", \"%s\": other bits", text[0], text[1]);
        fine++;
    }
    CHECK(fine > 500 && refused > 500);
    free(x);
}

TESTS(layers) {
    vae__fpenv env;
    vae__fp_enter(&env); /* see reference.h */
    RUN(strings_are_spelled_back_in_one_way);
    RUN(blanks_are_free);
    RUN(every_activation_is_known_after_a_layer_and_alone);
    RUN(strings_may_be_left_out);
    RUN(a_bad_string_is_refused_with_the_column_and_the_word);
    RUN(no_string_of_these_words_is_fatal);
    RUN(inputs_are_height_width_channels_or_one_number);
    RUN(a_bad_input_is_refused_with_the_column);
    RUN(the_classic_network_has_652824_parameters);
    RUN(items_are_numbered_with_standalone_activations_counted);
    RUN(the_last_layer_of_the_decoder_is_its_head_when_it_fits);
    RUN(the_encoder_always_gets_a_head);
    RUN(a_learned_variance_is_the_last_tensor);
    RUN(a_network_too_large_for_memory_is_refused_before_it_is_made);
    RUN(convolutions_match_naive_loops_and_their_two_directions_are_adjoint);
    RUN(convt_is_the_backward_pass_of_conv_bit_for_bit);
    RUN(pools_and_upsampling_match_naive_loops_and_the_first_of_equals_gets_the_gradient);
    RUN(reshape_and_flatten_pass_numbers);
    RUN(a_group_adds_its_input_also_inside_another_group);
    RUN(norms_match_the_double_formulas_forward_and_backward);
    RUN(batchnorm_remembers_nine_tenths_and_uses_what_it_remembers_in_evaluation);
    RUN(batchnorm_in_front_sees_the_pixels_of_its_own_step);
    RUN(a_network_of_all_layers_trains_to_the_same_bits_on_every_isa_and_number_of_threads);
    RUN(a_checkpoint_in_mid_run_of_all_layers_ends_at_the_same_hash);
    RUN(a_step_without_a_finite_loss_leaves_what_batchnorm_remembers);
    RUN(one_number_alone_has_no_variance_for_batchnorm_to_remember);
    RUN(sizes_of_convolutions_that_overflow_are_refused);
    RUN(scratch_of_a_bias_is_one_row);
    RUN(dropout_and_noise_are_addressed_by_layer_step_image_and_draw_and_off_in_evaluation);
    RUN(dropout_drops_its_part_and_keeps_the_mean);
    RUN(gradients_of_every_layer_are_right_under_every_likelihood);
    RUN(heads_make_log_variances_and_their_slopes_match_differences);
    RUN(every_layer_is_spelled_back_in_one_way);
    RUN(bad_arguments_of_layers_are_refused_with_column_and_word);
    RUN(shapes_that_do_not_fit_are_refused_with_the_item_and_its_input);
    RUN(any_row_of_layers_is_refused_or_trains);
    vae__fp_leave(&env);
}
