/* >>model: descriptions, memory, initial weights. */
#include "models.h"

TEST(zero_description_gets_the_documented_defaults) {
    vae_desc d, got;
    vae *m = NULL;
    memset(&d, 0, sizeof d);
    d.input = "28x28x1";
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    vae_get_desc(m, &got);
    CHECK(!strcmp(got.encoder, "dense 400 relu") && !strcmp(got.decoder, "dense 400 relu"));
    CHECK(!strcmp(got.input, "28x28x1") && got.input != d.input);
    CHECK(got.latent == 20 && got.batch == 128 && got.epochs == 10 && got.seed == 1);
    CHECK(got.lr == 1e-3 && got.beta1 == 0.9 && got.beta2 == 0.999 && got.adam_eps == 1e-8);
    CHECK(got.beta == 1 && got.samples == 1 && got.threads == 1);
    CHECK(!strcmp(got.likelihood, "bernoulli") && !strcmp(got.posterior, "normal"));
    CHECK(!strcmp(got.prior, "normal"));
    CHECK(got.isa == vae_isa_best());
    vae_destroy(m);
}

TEST(size_is_exact_for_the_caller_s_block_at_any_alignment) {
    static const char *const enc[] = {"", "dense 7 gelu, dense 5 silu", "tanh, dense 3"};
    size_t e, shift;
    int mode;
    for (e = 0; e < 3; e++) {
        for (mode = 0; mode < 8; mode++) {
            vae_desc d = small_desc();
            size_t size = 0;
            d.encoder = enc[e], d.decoder = enc[e];
            d.inference = mode & 1;
            d.ema = mode & 2 ? 0.9 : 0;
            d.optimizer = mode & 4 ? VAE_OPTIMIZER_SGD : VAE_OPTIMIZER_ADAM;
            CHECK_STATUS(vae_size(&d, &size, NULL), VAE_OK);
            for (shift = 0; shift < 64; shift += 7) {
                char *block = (char *)malloc(size + 64); /* ASan guards its end */
                char *at = block + shift;
                float x[8 * 30], y[8 * 30];
                vae *m = NULL;
                vae_report r;
                memset(block, 0xA5, size + 64);
                CHECK_STATUS(vae_create_in(&d, at, size - 1, &m, &r), VAE_ERR_SIZE);
                CHECK_SAYS(r, "needs");
                CHECK_STATUS(vae_create_in(&d, at, size, &m, NULL), VAE_OK);
                small_images(x, 8, 30);
                if (!d.inference) CHECK_STATUS(vae_train_step(m, BATCH(x, 8), NULL), VAE_OK);
                CHECK_STATUS(vae_reconstruct(m, BATCH(x, 8), y), VAE_OK);
                vae_destroy(m); /* gives nothing back: the block is ours */
                for (; at + size < block + size + 64; at++) CHECK_EQ((unsigned char)at[size], 0xA5);
                free(block);
                if (test_bad) return;
            }
        }
    }
}

TEST(allocator_hooks_get_every_block_and_failure_leaves_nothing) {
    counting c;
    vae_desc d = small_desc();
    vae *m = NULL;
    vae_report r;
    d.allocator = counting_allocator(&c);
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    CHECK_EQ(c.calls, 1);
    {
        float x[8 * 30];
        vae_stats s;
        small_images(x, 8, 30);
        CHECK_STATUS(vae_train_step(m, BATCH(x, 8), &s), VAE_OK);
        CHECK_STATUS(vae_reconstruct(m, BATCH(x, 8), x), VAE_OK);
        CHECK_EQ(c.calls, 1); /* after creation nothing is allocated */
    }
    vae_destroy(m);
    CHECK_EQ(c.live, 0);
    m = NULL;
    c.fail_at = c.calls + 1;
    CHECK_STATUS(vae_create(&d, &m, &r), VAE_ERR_MEMORY);
    CHECK(m == NULL);
    CHECK_SAYS(r, "bytes");
}

TEST(training_memory_is_what_the_parts_add_up_to) {
    vae_desc d = small_desc();
    vae_info info;
    vae *m = small_model();
    size_t size;
    vae_get_info(m, &info);
    CHECK_STATUS(vae_size(&d, &size, NULL), VAE_OK);
    CHECK_EQ(info.memory, size);
    CHECK(info.memory_activations < size);
    CHECK_EQ(info.parameters, 30 * 12 + 12 + 12 * 6 + 6 + 3 * 9 + 9 + 9 * 30 + 30);
    CHECK_EQ(info.tensors, 8);
    CHECK_EQ(info.input_dim, 30);
    CHECK(info.height == 6 && info.width == 5 && info.channels == 1 && info.latent == 3);
    vae_destroy(m);
}

TEST(bad_descriptions_are_refused_with_the_field) {
    vae_report r;
    vae *m = NULL;
    size_t size;
#define REFUSE(change, status, word) \
    do { \
        vae_desc d = small_desc(); \
        change; \
        CHECK_STATUS(vae_create(&d, &m, &r), status); \
        CHECK_SAYS(r, word); \
        CHECK(m == NULL); \
        CHECK_STATUS(vae_size(&d, &size, NULL), status); \
    } while (0)
    REFUSE(d.input = NULL, VAE_ERR_VALUE, "input");
    REFUSE(d.input = "0x5x1", VAE_ERR_SYNTAX, "input, column 1");
    REFUSE(d.input = "28x", VAE_ERR_SYNTAX, "column 4");
    REFUSE(d.input = "28x28x1x2", VAE_ERR_SYNTAX, "column 8");
    REFUSE(d.input = "10000x10000", VAE_ERR_SIZE, "input");
    REFUSE(d.latent = -1, VAE_ERR_VALUE, "latent is -1");
    REFUSE(d.batch = -4, VAE_ERR_VALUE, "batch is -4");
    REFUSE(d.samples = -1, VAE_ERR_VALUE, "samples");
    REFUSE((d.samples = 65536, d.batch = 1 << 20), VAE_ERR_SIZE, "batch x samples");
    REFUSE(d.epochs = -1, VAE_ERR_VALUE, "epochs");
    REFUSE(d.beta = -1, VAE_ERR_VALUE, "beta");
    REFUSE(d.lr = vae__double_of(0x7ff8000000000000u), VAE_ERR_VALUE, "lr is NaN");
    REFUSE(d.lr = -1e-3, VAE_ERR_VALUE, "lr is -0.001");
    REFUSE(d.beta1 = 1, VAE_ERR_VALUE, "beta1");
    REFUSE(d.no_kl = 2, VAE_ERR_VALUE, "no_kl");
    REFUSE(d.likelihood = "poisson", VAE_ERR_SYNTAX, "likelihood, column 1: expected a likelihood");
    REFUSE(d.schedule = VAE_SCHEDULE_COSINE, VAE_ERR_VALUE, "lr_steps");
    REFUSE(d.schedule = VAE_SCHEDULE_STAGES, VAE_ERR_VALUE, "stage_count");
    REFUSE(d.stage_count = 2, VAE_ERR_VALUE, "stage_count");
    REFUSE(d.threads = -VAE_MAX_THREADS - 1, VAE_ERR_VALUE, "threads");
    REFUSE(d.threads = VAE_MAX_THREADS + 1, VAE_ERR_VALUE, "threads");
    REFUSE(d.isa = (vae_isa)17, VAE_ERR_VALUE, "isa is 17");
    REFUSE(d.encoder = "dense 4 rely", VAE_ERR_SYNTAX, "encoder, column 9");
    REFUSE(d.decoder = "dens 4", VAE_ERR_SYNTAX, "decoder, column 1");
#undef REFUSE
    CHECK_STATUS(vae_create(NULL, &m, &r), VAE_ERR_NULL);
    CHECK_STATUS(vae_size(NULL, &size, NULL), VAE_ERR_NULL);
}

TEST(initial_weights_follow_their_rule) {
    static const vae_init rule[] = {VAE_INIT_AUTO, VAE_INIT_GLOROT, VAE_INIT_HE, VAE_INIT_PYTORCH};
    size_t i, t, k;
    for (k = 0; k < 4; k++) {
        vae_desc d = small_desc();
        vae *m = NULL;
        d.init = rule[k], d.encoder = "dense 50 relu, dense 40 tanh";
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        for (t = 0; t < 4; t++) { /* weight and bias of the two layers */
            const double in = t < 2 ? 30 : 50, out = t < 2 ? 50 : 40;
            const double glorot = sqrt(6 / (in + out)), he = sqrt(6 / in);
            double bound = 0, largest = 0, sum = 0, squares = 0;
            vae_tensor w;
            CHECK_STATUS(vae_tensor_at(m, t, &w), VAE_OK);
            if (rule[k] == VAE_INIT_PYTORCH) bound = 1 / sqrt(in);
            else if (t % 2 == 0)
                bound = rule[k] == VAE_INIT_HE || (rule[k] == VAE_INIT_AUTO && t == 0) ? he : glorot;
            for (i = 0; i < w.count; i++) {
                const double v = (double)w.data[i];
                largest = fabs(v) > largest ? fabs(v) : largest;
                sum += v, squares += v * v;
            }
            CHECK(largest <= bound * 1.0000001 && largest >= bound * 0.85);
            CHECK_NEAR(sum / (double)w.count, 0, 4 * bound / sqrt(3.0 * (double)w.count) + 1e-12);
            if (w.count > 500) CHECK_NEAR(squares / (double)w.count, bound * bound / 3, bound * 0.03);
        }
        vae_destroy(m);
    }
}

TEST(initial_weights_are_the_same_on_every_instruction_set) {
    uint64_t first = 0;
    int isa;
    for (isa = VAE_ISA_PORTABLE; isa < VAE_ISA_COUNT; isa++) {
        vae_desc d = small_desc();
        vae *m = NULL;
        if (!vae_isa_available((vae_isa)isa)) continue;
        d.isa = (vae_isa)isa, d.likelihood = "gaussian_learned 0.3";
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        if (isa == VAE_ISA_PORTABLE) first = vae_params_hash(m);
        CHECK(vae_params_hash(m) == first);
        CHECK_NEAR((double)m->w[m->learned], log(0.3), 1e-6);
        vae_destroy(m);
    }
}

TEST(visible_bias_is_the_logit_of_the_clipped_mean) {
    vae *m = small_model();
    float mean[30];
    vae_tensor t;
    size_t i;
    for (i = 0; i < 30; i++) mean[i] = (float)i / 29.0f;
    CHECK_STATUS(vae_set_visible_bias(m, mean), VAE_OK);
    CHECK_STATUS(vae_tensor_at(m, 7, &t), VAE_OK);
    CHECK(!strcmp(t.name, "decoder.head.bias") && t.count == 30);
    for (i = 0; i < 30; i++) {
        double p = (double)mean[i] < 0.001 ? 0.001 : (double)mean[i] > 0.999 ? 0.999
                                                                             : (double)mean[i];
        CHECK_NEAR((double)t.data[i], log(p / (1 - p)), 3e-6);
    }
    vae_destroy(m);
}

TEST(a_tensor_gets_other_numbers_and_so_does_its_average) {
    vae_desc d = {0};
    vae *m = NULL;
    vae_tensor t;
    float values[6] = {1, -2, 0.5f, 0, -0.0f, 1e-40f}, z[3] = {0, 0, 0}, x[2];
    const float bias[2] = {3, -4};
    vae_batch b = {0};
    d.input = "2", d.encoder = d.decoder = "", d.latent = 3, d.ema = 0.5, d.likelihood = "gaussian";
    CHECK(vae_create(&d, &m, NULL) == VAE_OK);
    CHECK_STATUS(vae_tensor_set(m, 2, values), VAE_OK);
    CHECK(vae_tensor_at(m, 2, &t) == VAE_OK && !memcmp(t.data, values, sizeof values));
    CHECK_STATUS(vae_tensor_set(m, 3, bias), VAE_OK);
    b.x = z, b.rows = 1;
    CHECK_STATUS(vae_decode(m, &b, x), VAE_OK); // by the average, which has the new numbers
    CHECK(!memcmp(x, bias, sizeof x));
    values[5] = INFINITY;
    values[0] = 7;
    CHECK_STATUS(vae_tensor_set(m, 2, values), VAE_ERR_NONFINITE);
    CHECK(t.data[0] == 1 && strstr(vae_last_report(m)->text, "decoder.head.weight: number 5"));
    CHECK_STATUS(vae_tensor_set(m, 4, values), VAE_ERR_VALUE);
    CHECK_STATUS(vae_tensor_set(m, 2, NULL), VAE_ERR_NULL);
    CHECK_STATUS(vae_tensor_set(NULL, 2, values), VAE_ERR_NULL);
    vae_destroy(m);
}

TESTS(model) {
    RUN(zero_description_gets_the_documented_defaults);
    RUN(size_is_exact_for_the_caller_s_block_at_any_alignment);
    RUN(allocator_hooks_get_every_block_and_failure_leaves_nothing);
    RUN(training_memory_is_what_the_parts_add_up_to);
    RUN(bad_descriptions_are_refused_with_the_field);
    RUN(initial_weights_follow_their_rule);
    RUN(initial_weights_are_the_same_on_every_instruction_set);
    RUN(visible_bias_is_the_logit_of_the_clipped_mean);
    RUN(a_tensor_gets_other_numbers_and_so_does_its_average);
}
