/* Architecture strings: what they mean, how they are spelled back, what is said about a bad one;
 * and the tensors that come of them. */
#include "reference.h"

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
        CHECK(s == VAE_OK || s == VAE_ERR_SYNTAX || s == VAE_ERR_SIZE);
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
    d.likelihood = VAE_LIKELIHOOD_GAUSSIAN;
    layers_check_tensors(&d, want, 4);
    d.likelihood = VAE_LIKELIHOOD_GAUSSIAN_LEARNED;
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
    vae__fp_leave(&env);
}
