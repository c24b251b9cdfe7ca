/* Which numbers may come in, what comes out of those that may not, and the host's floating-point
 * environment: every public call that takes or gives floats. */
#include "models.h"

/* ---- the environment ---- */

#if defined(VAE__X64) && (defined(VAE__GCC) || defined(VAE__CLANG))
typedef struct env_run {
    unsigned mode;
    uint64_t hash; /* of all that the calls gave */
    vae *m;
} env_run;

static void env_add(env_run *r, const void *bytes, size_t size) {
    r->hash = vae__hash(r->hash, bytes, size);
}

/* One call in the mode of the run; the control word is as found, its flags included. The status and
 * the model's sentence go to the hash. */
#define IN_MODE(r, call) \
    do { \
        const unsigned env_plain = _mm_getcsr(); \
        unsigned env_after; \
        long env_got; \
        _mm_setcsr((r)->mode); \
        env_got = (long)(call); \
        env_after = _mm_getcsr(); \
        _mm_setcsr(env_plain); \
        if (env_after != (r)->mode) \
            test_report(__FILE__, __LINE__, "mode %04x became %04x in %s", (r)->mode, env_after, \
                        #call); \
        env_add(r, &env_got, sizeof env_got); \
        if ((r)->m) env_add(r, (r)->m->report.text, strlen((r)->m->report.text)); \
    } while (0)

static int env_stop(vae *m, const vae_progress *p, void *user) {
    env_run *r = (env_run *)user;
    (void)m;
    CHECK_EQ(_mm_getcsr(), r->mode); /* the callback runs in the host's environment */
    return p->epoch_done;
}

enum { ENV_DIM = 30, ENV_ROWS = 8, ENV_LATENT = 3 };

static void env_use(env_run *r, const float *x, const vae_data *data) {
    static float out[ENV_ROWS * 2 * ENV_DIM], mu[ENV_ROWS * ENV_LATENT], lv[ENV_ROWS * ENV_LATENT];
    static float z[ENV_ROWS * ENV_LATENT], eps[ENV_ROWS * ENV_LATENT];
    double kl[ENV_LATENT], variance[ENV_LATENT];
    uint64_t count[ENV_LATENT];
    vae_stats s;
    vae *m = r->m;
    int i;
    memset(&s, 0, sizeof s);
    for (i = 0; i < ENV_ROWS * ENV_LATENT; i++) eps[i] = 1e-40f * (float)(i - 7);
#define GAVE(array) env_add(r, array, sizeof array)
    IN_MODE(r, vae_encode(m, BATCH(x, ENV_ROWS), mu, lv));
    GAVE(mu), GAVE(lv);
    IN_MODE(r, vae_posterior(m, BATCH(x, ENV_ROWS, .eps = eps), z));
    GAVE(z);
    IN_MODE(r, vae_decode(m, BATCH(z, ENV_ROWS), out));
    GAVE(out);
    IN_MODE(r, vae_decode_logits(m, BATCH(eps, ENV_ROWS), out));
    GAVE(out);
    IN_MODE(r, vae_draw(m, BATCH(z, ENV_ROWS, .first = 4), 3, out));
    GAVE(out);
    IN_MODE(r, vae_reconstruct(m, BATCH(x, ENV_ROWS), out));
    GAVE(out);
    IN_MODE(r, vae_prior(m, BATCH(NULL, ENV_ROWS, .first = 6), 5, z));
    GAVE(z);
    IN_MODE(r, vae_sample_prior(m, BATCH(NULL, ENV_ROWS, .first = 6), 5, out));
    GAVE(out);
    IN_MODE(r, vae_score(m, BATCH(x, ENV_ROWS, .first = 2), z, z + 8, z + 16));
    GAVE(z);
    IN_MODE(r, vae_bound(m, BATCH(x, ENV_ROWS, .first = 2), 40, z));
    GAVE(z);
    IN_MODE(r, vae_evaluate(m, data, &s));
    env_add(r, &s, sizeof s);
    IN_MODE(r, vae_units(m, data, kl, variance));
    GAVE(kl), GAVE(variance);
    IN_MODE(r, vae_units_clamped(m, data, count));
    GAVE(count);
    IN_MODE(r, vae_check_gradients(m, BATCH(x, ENV_ROWS), 1, kl));
    env_add(r, kl, sizeof *kl);
}

/* Calls that fail, with numbers in their sentences. */
static void env_refusals(env_run *r, float *x, const vae_data *data) {
    float z[ENV_ROWS * ENV_LATENT] = {0}, out[ENV_ROWS * ENV_DIM];
    vae_stats s;
    vae *m = r->m;
    x[33] = -1e-45f; /* which is 0 where subnormal numbers are */
    IN_MODE(r, vae_train_step(m, BATCH(x, ENV_ROWS), &s));
    CHECK_STATUS(m->report.status, VAE_ERR_VALUE);
    CHECK_SAYS(m->report, "image 1: number 3 is -1.4013e-45; bernoulli takes numbers from 0 to 1");
    IN_MODE(r, vae_score(m, BATCH(x, ENV_ROWS), z, NULL, NULL) - VAE_ERR_VALUE);
    IN_MODE(r, vae_bound(m, BATCH(x, ENV_ROWS), 2, z) - VAE_ERR_VALUE);
    IN_MODE(r, vae_encode(m, BATCH(x, ENV_ROWS), z, NULL) - VAE_ERR_VALUE);
    IN_MODE(r, vae_reconstruct(m, BATCH(x, ENV_ROWS), out) - VAE_ERR_VALUE);
    IN_MODE(r, vae_evaluate(m, data, &s) - VAE_ERR_VALUE);
    IN_MODE(r, vae_fit(m, data, NULL, NULL, NULL) - VAE_ERR_VALUE);
    x[33] = vae__float_of(0x7f800001u); /* a signalling NaN */
    IN_MODE(r, vae_score(m, BATCH(x, ENV_ROWS), z, NULL, NULL) - VAE_ERR_NONFINITE);
    IN_MODE(r, vae_set_visible_bias(m, x + 30) - VAE_ERR_NONFINITE);
    z[1] = x[33];
    IN_MODE(r, vae_decode(m, BATCH(z, ENV_ROWS), out) - VAE_ERR_NONFINITE);
    x[33] = 0.25f;
}

static void env_all(env_run *r) {
    static const double doubles[6] = {1e-310, 3e-40, 0.1, -2.5, 1e300, 1e-46};
    static const size_t dims[2] = {3, 2};
    static char file[1 << 16];
    const vae_stream stream = {9, VAE_PURPOSE_USER, 0, 0, 1, 2};
    static float x[ENV_ROWS * ENV_DIM];
    float a[64], b[64], c[64];
    vae_data data = float_data(x, ENV_ROWS, ENV_DIM), wide;
    vae_desc d = small_desc();
    vae_report report;
    vae_tensor t;
    vae_info info;
    size_t size = 0, i;
    int step;
    small_images(x, ENV_ROWS, ENV_DIM);
    x[5] = 1e-45f, x[77] = 3e-39f;
    d.batch = ENV_ROWS, d.latent = ENV_LATENT, d.epochs = 4, d.lr = 1.0 / 97,
        d.visible_bias = VAE_BIAS_MEAN;
    d.optimizer = VAE_OPTIMIZER_ADAMW, d.weight_decay = 0.1, d.clip = 1.0 / 3, d.ema = 0.9;
    d.schedule = VAE_SCHEDULE_COSINE, d.lr_steps = 31, d.warmup_steps = 7;
    memset(&info, 0, sizeof info);
    IN_MODE(r, vae_size(&d, &size, NULL));
    env_add(r, &size, sizeof size);
    IN_MODE(r, vae_create(&d, &r->m, NULL));
    if (!r->m) return;
    IN_MODE(r, vae_fit(r->m, &data, &data, env_stop, r));
    for (step = 0; step < 3; step++) IN_MODE(r, vae_train_step(r->m, BATCH(x, ENV_ROWS), NULL));
    IN_MODE(r, (vae_get_info(r->m, &info), 0));
    env_add(r, &info.lr, 2 * sizeof info.lr);
    IN_MODE(r, (vae_get_desc(r->m, &d), 0));
    env_add(r, &d.lr, sizeof d.lr);
    IN_MODE(r, vae_params_hash(r->m));
    IN_MODE(r, vae_tensor_at(r->m, 1, &t));
    env_add(r, t.data, t.count * sizeof(float));
    IN_MODE(r, vae_set_visible_bias(r->m, x));
    env_use(r, x, &data);
    env_refusals(r, x, &data);
    IN_MODE(r, vae_save_size(r->m, 0, &size));
    env_add(r, &size, sizeof size);
    IN_MODE(r, vae_save_memory(r->m, 0, file, sizeof file));
    env_add(r, file, size);
    vae_destroy(r->m), r->m = NULL;
    IN_MODE(r, vae_load_memory(file, size, NULL, &r->m, NULL));
    if (r->m) IN_MODE(r, vae_train_step(r->m, BATCH(x, ENV_ROWS), NULL));
    if (r->m) IN_MODE(r, vae_params_hash(r->m));
    vae_destroy(r->m), r->m = NULL;
    d = small_desc(), d.lr = -3.3e-5;
    IN_MODE(r, vae_create(&d, &r->m, &report));
    env_add(r, report.text, strlen(report.text));
    IN_MODE(r, vae_data_wrap(VAE_F64, 2, dims, doubles, &wide, NULL));
    IN_MODE(r, vae_data_read(&wide, 0, 3, c));
    env_add(r, c, 6 * sizeof *c);
    for (i = 0; i < 64; i++) a[i] = 1e-20f * (float)(int)i, b[i] = 1.0f / (float)(int)(i + 3);
    IN_MODE(r, ref_gemm(VAE_ISA_AUTO, 0, 8, 8, 8, a, 8, b, 8, NULL, VAE_ACT_TANH, c, 8));
    GAVE(c);
    for (i = 0; i < 64; i++) a[i] *= 1e-19f;
    IN_MODE(r, ref_gemm(VAE_ISA_PORTABLE, 0, 8, 8, 8, a, 8, b, 8, NULL, VAE_ACT_GELU, c, 8));
    GAVE(c);
    IN_MODE(r, (vae_random_uniform(&stream, 3, 61, c), 0));
    env_add(r, c, 61 * sizeof *c);
    IN_MODE(r, (vae_random_normal(&stream, 3, 61, c), 0));
    env_add(r, c, 61 * sizeof *c);
}

TEST(no_floating_point_mode_of_the_host_reaches_a_public_call) {
    static const unsigned modes[] = {
        0x1f80, 0xffc0 /* flush, subnormals are 0, toward 0 */, 0x9fc0, 0x3f80 /* down */,
        0x5f80 /* up */, 0x0000 /* every exception traps */, 0x6040 /* and toward 0, flushed */};
    uint64_t first = 0;
    size_t i;
    for (i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        env_run r;
        memset(&r, 0, sizeof r);
        r.mode = modes[i], r.hash = VAE__FNV;
        env_all(&r);
        if (!i) first = r.hash;
        if (r.hash != first) test_report(__FILE__, __LINE__, "mode %04x has other bits", modes[i]);
    }
}
#else
TEST(no_floating_point_mode_of_the_host_reaches_a_public_call) { SKIP("only on x86-64"); }
#endif

/* ---- numbers that come in ---- */

static const uint32_t numbers_bad[] = {0x7fc00000u, 0xffc12345u, 0x7f800000u, 0xff800000u};

/* A call is refused with this sentence, and what it would have given is untouched. */
#define REFUSED(call, status, out, sentence) \
    do { \
        size_t refused_i; \
        for (refused_i = 0; refused_i < sizeof(out) / sizeof *(out); refused_i++) \
            (out)[refused_i] = -77; \
        CHECK_STATUS(call, status); \
        CHECK_SAYS(m->report, sentence); \
        for (refused_i = 0; refused_i < sizeof(out) / sizeof *(out); refused_i++) \
            CHECK((out)[refused_i] == -77); \
    } while (0)

TEST(every_call_names_the_number_that_is_not_finite) {
    enum { ROWS = 20, DIM = 30, L = 3 };
    static float x[ROWS * DIM], out[ROWS * DIM], z[ROWS * L], eps[ROWS * L], two[ROWS * L];
    size_t i;
    for (i = 0; i < 4; i++) {
        const float bad = vae__float_of(numbers_bad[i]);
        vae *m = small_model();
        vae_data data = float_data(x, ROWS, DIM);
        double worst[1], units[L];
        uint64_t count[L], before = vae_params_hash(m);
        vae_stats s[1];
        memset(z, 0, sizeof z), memset(eps, 0, sizeof eps);
        small_images(x, ROWS, DIM);
        x[17 * DIM + 21] = bad, z[11 * L + 2] = bad, eps[6 * L + 1] = bad;
        REFUSED(vae_encode(m, BATCH(x, ROWS), out, two), VAE_ERR_NONFINITE, two,
                "image 17: number 21 is ");
        REFUSED(vae_encode(m, BATCH(x, ROWS), two, NULL), VAE_ERR_NONFINITE, two,
                "image 17: number 21 ");
        REFUSED(vae_posterior(m, BATCH(x, ROWS, .eps = z), two), VAE_ERR_NONFINITE, two,
                "image 17: number 21 is");
        REFUSED(vae_reconstruct(m, BATCH(x, ROWS), out), VAE_ERR_NONFINITE, out,
                "image 17: number 21 is ");
        REFUSED(vae_score(m, BATCH(x, ROWS, .first = 100), out, two, NULL), VAE_ERR_NONFINITE, out,
                "image 117: number 21 is ");
        REFUSED(vae_bound(m, BATCH(x, ROWS, .first = 100), 3, out), VAE_ERR_NONFINITE, out,
                "image 117: number 21 ");
        REFUSED(vae_decode(m, BATCH(z, ROWS), out), VAE_ERR_NONFINITE, out,
                "z: number 2 of row 11 is ");
        REFUSED(vae_decode_logits(m, BATCH(z, ROWS), out), VAE_ERR_NONFINITE, out,
                "z: number 2 of row 11 ");
        REFUSED(vae_draw(m, BATCH(z, ROWS, .first = 2), 1, out), VAE_ERR_NONFINITE, out,
                "z: number 2 of row 11 is ");
        CHECK_STATUS(vae_evaluate(m, &data, s), VAE_ERR_NONFINITE);
        CHECK_SAYS(m->report, "image 17: number 21 is ");
        REFUSED(vae_units(m, &data, units, NULL), VAE_ERR_NONFINITE, units,
                "image 17: number 21 is ");
        CHECK_STATUS(vae_units_clamped(m, &data, count), VAE_ERR_NONFINITE);
        REFUSED(vae_check_gradients(m, BATCH(x + 16 * DIM, 2), 1, worst), VAE_ERR_NONFINITE, worst,
                "image 1: number 21 is ");
        CHECK_STATUS(vae_fit(m, &data, NULL, NULL, NULL), VAE_ERR_NONFINITE);
        CHECK_SAYS(m->report, "training image 17: number 21 is ");
        x[17 * DIM + 21] = 0.5f;
        REFUSED(vae_posterior(m, BATCH(x, ROWS, .eps = eps), two), VAE_ERR_NONFINITE, two,
                "eps: number 1 of row 6 ");
        CHECK_STATUS(vae_train_step(m, BATCH(x, 8, .eps = eps), NULL), VAE_ERR_NONFINITE);
        CHECK_SAYS(m->report, "eps: number 1 of row 6 is ");
        CHECK(vae_params_hash(m) == before && m->step == 0);
        CHECK_SAYS(m->report, i < 2 ? "NaN" : i == 2 ? " inf" : "-inf");
        vae_destroy(m);
    }
}

TEST(a_test_set_that_cannot_be_is_refused_before_the_first_step) {
    static float x[50 * 30], test[50 * 30];
    vae_data data = float_data(x, 50, 30), other = float_data(test, 50, 30);
    static const struct { float value; vae_status status; const char *words; } cases[] = {
        {3.25f, VAE_ERR_VALUE, "test image 48: number 29 is 3.25; bernoulli takes"},
        {-1e-45f, VAE_ERR_VALUE, "test image 48: number 29 is -1.4013e-45; bernoulli"},
        {1e21f, VAE_ERR_VALUE, "test image 48: number 29 is 1e+21, which is too large"}};
    size_t i;
    small_images(x, 50, 30), small_images(test, 50, 30);
    for (i = 0; i < 3; i++) {
        vae *m = small_model();
        const uint64_t before = vae_params_hash(m);
        test[48 * 30 + 29] = cases[i].value;
        CHECK_STATUS(vae_fit(m, &data, &other, NULL, NULL), cases[i].status);
        CHECK_SAYS(m->report, cases[i].words);
        CHECK(m->step == 0 && m->at.images == 0 && vae_params_hash(m) == before);
        m->at.epoch = (uint64_t)m->desc.epochs; /* nothing is left to be done: nothing is read */
        CHECK_STATUS(vae_fit(m, &data, &other, NULL, NULL), VAE_OK);
        vae_destroy(m);
    }
}

/* The encoder alone may be shown what training shows it. */
TEST(numbers_outside_the_unit_interval_are_refused_where_they_mean_nothing) {
    static float x[5 * 30], out[5 * 30], z[5 * 3], eps[5 * 3];
    int i;
    small_images(x, 5, 30);
    x[4 * 30 + 7] = 1.5f;
    for (i = 0; i < 4; i++) {
        vae_desc d = small_desc();
        vae *m = NULL;
        if (i == 1) d.corrupt = VAE_CORRUPT_GAUSSIAN;
        if (i == 2) d.encoder = "noise 0.3, dense 9 relu";
        if (i == 3) d.likelihood = "gaussian_pixel";
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        if (!m) return;
        if (i) {
            CHECK_STATUS(vae_encode(m, BATCH(x, 5), z, NULL), VAE_OK);
            CHECK_STATUS(vae_posterior(m, BATCH(x, 5, .eps = eps), z), VAE_OK);
            CHECK_STATUS(vae_reconstruct(m, BATCH(x, 5), out), VAE_OK);
        } else {
            REFUSED(vae_encode(m, BATCH(x, 5), z, NULL), VAE_ERR_VALUE, z,
                    "image 4: number 7 is 1.5; bern");
            REFUSED(vae_posterior(m, BATCH(x, 5, .eps = eps), z), VAE_ERR_VALUE, z,
                    "image 4: number 7 is 1.5; b");
            REFUSED(vae_reconstruct(m, BATCH(x, 5), out), VAE_ERR_VALUE, out,
                    "image 4: number 7 is 1.5; ");
        }
        if (i == 3) {
            CHECK_STATUS(vae_score(m, BATCH(x, 5), z, NULL, NULL), VAE_OK);
            CHECK_STATUS(vae_train_step(m, BATCH(x, 5), NULL), VAE_OK);
        } else {
            REFUSED(vae_score(m, BATCH(x, 5), z, NULL, NULL), VAE_ERR_VALUE, z,
                    "image 4: number 7 is ");
        }
        vae_destroy(m);
    }
}

/* ---- numbers that overflow on their way ---- */

TEST(a_fill_value_is_named_and_not_the_learning_rate) {
    static const float fills[] = {-1e20f, 3.4028235e38f, 9.9e36f, 1.1e18f};
    static float x[40 * 30], wide[784];
    vae_data data = float_data(x, 40, 30);
    vae_desc d = small_desc();
    vae *m = NULL;
    size_t i;
    d.likelihood = "gaussian";
    for (i = 0; i < 4; i++) {
        small_images(x, 40, 30);
        x[23 * 30 + 19] = fills[i];
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        if (!m) return;
        CHECK_STATUS(vae_fit(m, &data, NULL, NULL, NULL), VAE_ERR_VALUE);
        CHECK_SAYS(m->report, "training image 23: number 19 is ");
        CHECK_SAYS(m->report, "fill value");
        CHECK_STATUS(vae_train_step(m, BATCH(x + 20 * 30, 8), NULL), VAE_ERR_VALUE);
        CHECK_SAYS(m->report, "image 3: number 19 is ");
        CHECK_STATUS(vae_encode(m, BATCH(x, 24), wide, NULL), VAE_ERR_VALUE);
        CHECK(!test_says(m->report.text, "learning rate"));
        vae_destroy(m), m = NULL;
    }
    /* numbers that fit one by one, and whose squares do not add up */
    d.input = "784", d.encoder = d.decoder = "dense 5 tanh";
    for (i = 0; i < 784; i++) wide[i] = 9e17f;
    wide[700] = -9.5e17f;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    if (!m) return;
    CHECK_STATUS(vae_train_step(m, BATCH(wide, 1), NULL), VAE_ERR_NONFINITE);
    CHECK_SAYS(m->report, "step 0: the loss is not finite");
    CHECK_SAYS(m->report, "the largest number of the batch is -9.5e+17 (image 0, number 700)");
    CHECK(!test_says(m->report.text, "learning rate"));
    CHECK_STATUS(vae_score(m, BATCH(wide, 1, .first = 8), wide + 1, NULL, NULL), VAE_ERR_NONFINITE);
    CHECK_SAYS(m->report, "image 8: its loss is not finite");
    CHECK(wide[1] == 9e17f);
    for (i = 0; i < 784; i++) wide[i] = 0.5f;
    CHECK_STATUS(vae_train_step(m, BATCH(wide, 1), NULL), VAE_OK); /* as it was */
    vae_destroy(m);
}

TEST(the_learning_rate_is_blamed_once_it_has_changed_the_weights) {
    vae_desc d = small_desc();
    float x[8 * 30];
    vae *m = NULL;
    vae_status status = VAE_OK;
    int step;
    small_images(x, 8, 30);
    d.lr = 1e13, d.likelihood = "gaussian";
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    for (step = 0; step < 50 && !status; step++) status = vae_train_step(m, BATCH(x, 8), NULL);
    CHECK_STATUS(status, VAE_ERR_NONFINITE);
    CHECK_SAYS(m->report, "a smaller learning rate may help");
    vae_destroy(m);
}

/* Rows 0 to 8 are sane, row 9 is finite and too large: an error on every instruction set, and no
 * output holds anything that is not finite. */
TEST(what_the_network_makes_infinite_is_an_error_everywhere) {
    static const char *const decoders[] = {
        "batchnorm silu", "dense 30 silu, batchnorm gelu", "layernorm, dense 12 elu",
        "res(batchnorm), silu, res(dense 4)", "dense 16, reshape 4x4x1, avgpool 2 leaky_relu"};
    enum { ROWS = 12, L = 4 };
    static float z[ROWS * L], out[ROWS * 30], x[ROWS * 30], two[ROWS * L];
    const vae__kernels *k;
    size_t i, j;
    for (k = NULL; (k = ref_next_isa(k));) {
        for (i = 0; i < 5; i++) {
            vae_desc d = small_desc();
            vae *m = NULL;
            d.decoder = decoders[i], d.latent = L, d.isa = k->isa, d.batch = ROWS;
            CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
            if (!m) return;
            for (j = 0; j < m->parameters; j++) m->w[j] *= 4;
            for (j = 0; j < ROWS * L; j++) z[j] = 0.125f * (float)(int)(j % 7);
            for (j = 9 * L; j < 10 * L; j++) z[j] = j % 2 ? 3.3e38f : -3.3e38f;
            REFUSED(vae_decode(m, BATCH(z, ROWS), out), VAE_ERR_NONFINITE, out, "row 9: number ");
            CHECK_SAYS(m->report, "of the decoder's output is not finite");
            REFUSED(vae_decode_logits(m, BATCH(z, ROWS), out), VAE_ERR_NONFINITE, out,
                    "row 9: number ");
            REFUSED(vae_draw(m, BATCH(z, ROWS), 1, out), VAE_ERR_NONFINITE, out, "row 9: number ");
            CHECK_STATUS(vae_decode(m, BATCH(z, 9), out), VAE_OK);
            vae_destroy(m);
        }
        { /* and the encoder */
            vae_desc d = small_desc();
            vae *m = NULL;
            d.latent = L, d.isa = k->isa, d.batch = 5, d.likelihood = "gaussian";
            d.encoder = "batchnorm, dense 8 relu";
            CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
            if (!m) return;
            small_images(x, ROWS, 30);
            for (j = 7 * 30; j < 8 * 30; j++) x[j] = j % 2 ? 8e17f : -8e17f;
            for (j = 0; j < m->parameters; j++) m->w[j] *= 1e12f;
            CHECK_STATUS(vae_encode(m, BATCH(x, ROWS), two, NULL), VAE_ERR_NONFINITE);
            CHECK_SAYS(m->report, "row 7: number ");
            CHECK_SAYS(m->report, "of the encoder's output is not finite");
            for (j = 0; j < ROWS * L; j++) two[j] = 1e37f;
            CHECK_STATUS(vae_reconstruct(m, BATCH(x, ROWS), out), VAE_ERR_NONFINITE);
            CHECK_STATUS(vae_score(m, BATCH(x, ROWS, .first = 30), two, NULL, NULL),
                         VAE_ERR_NONFINITE);
            vae_destroy(m);
        }
    }
}

TEST(pools_keep_nan_wherever_it_stands) {
    enum { H = 2, W = 3, C = 19, F = 2 };
    float x[H * F * W * F * C], y[H * W * C];
    const vae__kernels *k;
    size_t i, at, window;
    for (k = NULL; (k = ref_next_isa(k));) {
        for (window = 0; window < F * F; window++) {
            const size_t q = 7 + window; /* a channel of pixel (1, 2) of the result */
            for (i = 0; i < sizeof x / sizeof *x; i++) x[i] = (float)(int)(i % 11) - 5;
            at = ((1 * F + window / F) * W * F + 2 * F + window % F) * C + q;
            x[at] = vae__float_of(window % 2 ? 0xffc00001u : 0x7fc00000u);
            for (i = 0; i < 2; i++) {
                size_t j;
                k->pool(H, W, C, F, i ? 0.25f : 0, x, y);
                for (j = 0; j < H * W * C; j++)
                    CHECK_EQ((vae__bits_f(y[j]) & 0x7fffffffu) > 0x7f800000u,
                             j == (1 * W + 2) * C + q);
            }
        }
    }
}

TEST(the_public_product_has_one_nan_on_every_instruction_set) {
    enum { M = 7, N = 37, K = 9 };
    static float a[M * K], b[K * N], c[M * N], first[M * N];
    const vae__kernels *k;
    int act, round;
    size_t i;
    for (round = 0; round < 2; round++) {
        for (act = 0; act < VAE_ACT_COUNT; act++) {
            int seen = 0, nans = 0;
            for (k = NULL; (k = ref_next_isa(k));) {
                for (i = 0; i < M * K; i++) a[i] = (float)(int)(i % 5) - 2;
                for (i = 0; i < K * N; i++) b[i] = (float)(int)(i % 7) - 3;
                a[2 * K + 3] = vae__float_of(round ? 0x7f800000u : 0xffc54321u);
                b[4 * N + 11] = vae__float_of(round ? 0xff800000u : 0x7f812345u);
                CHECK_STATUS(ref_gemm(k->isa, 0, M, N, K, a, K, b, N, NULL, (vae_act)act, c, N),
                             VAE_OK);
                for (i = 0; i < M * N; i++) {
                    const uint32_t u = vae__bits_f(c[i]);
                    if ((u & 0x7fffffffu) <= 0x7f800000u) continue;
                    CHECK_EQ(u, 0x7fc00000u);
                    nans++;
                }
                if (!seen++) memcpy(first, c, sizeof c);
                CHECK(!memcmp(first, c, sizeof c));
            }
            CHECK(nans > 0);
        }
    }
}

/* ---- figures ---- */

/* The sum over the levels that the mean of a discretised logistic is, in double. */
static double numbers_logistic_mean(double m, double l) {
    const double s = exp(l < -7 ? -7 : l > 20 ? 20 : l);
    double sum = 0;
    int k;
    for (k = 1; k < 256; k++) sum += 1 / (1 + exp(-(m - (k - 0.5) / 255) / s));
    return sum / 255;
}

TEST(the_mean_of_a_logistic_is_the_sum_over_its_levels_at_every_scale) {
    enum { N = 61 };
    const vae__kernels *k;
    float out[2 * N], one[N], y[N], first[N];
    double l;
    size_t i;
    for (l = -9; l <= 23; l += 0.17) {
        for (k = NULL; (k = ref_next_isa(k));) {
            for (i = 0; i < N; i++) {
                one[i] = out[2 * i] = (float)((double)(int)i / 30 - 0.5) +
                                      (i % 10 == 9 ? (float)((int)i - 30) * 1e5f : 0);
                out[2 * i + 1] = (float)l;
            }
            k->observe(VAE__DENSITY_LOGISTIC_PIXEL, N, 1, 0, 0, out, NULL, y);
            for (i = 0; i < N; i++)
                CHECK_NEAR((double)y[i], numbers_logistic_mean((double)one[i], (double)(float)l),
                    1e-5);
            if (k->isa == VAE_ISA_PORTABLE) memcpy(first, y, sizeof y);
            CHECK(!memcmp(first, y, sizeof y));
            k->observe(VAE__DENSITY_LOGISTIC, N, 1, 0, (float)l, one, NULL, y);
            CHECK(!memcmp(first, y, sizeof y));
        }
    }
}

TEST(a_test_loss_that_is_not_finite_is_never_the_best) {
    vae *m = small_model();
    const double nan = vae__double_of(0x7ff8000000000000u),
        inf = vae__double_of(0x7ff0000000000000u);
    m->desc.patience = 3;
    m->at.epoch = 1, vae__note(m, nan);
    CHECK_EQ(m->at.best_epoch, 0);
    m->at.epoch = 2, vae__note(m, -inf);
    CHECK_EQ(m->at.best_epoch, 0);
    m->at.epoch = 3, vae__note(m, 81.5);
    CHECK(m->at.best_epoch == 3 && m->at.best == 81.5);
    m->at.epoch = 4, vae__note(m, nan);
    m->at.epoch = 5, vae__note(m, -inf);
    CHECK(m->at.best_epoch == 3 && m->at.best == 81.5 && !vae__waited(m));
    m->at.epoch = 6, vae__note(m, inf);
    CHECK(vae__waited(m));
    vae_destroy(m);
}

TEST(epochs_are_what_a_file_can_hold) {
    static char file[1 << 16];
    vae *m = small_model(), *copy = NULL;
    vae_desc d;
    size_t size = 0;
    CHECK_STATUS(vae_set_epochs(m, 0), VAE_ERR_VALUE);
    CHECK_STATUS(vae_set_epochs(m, 1000000001), VAE_ERR_VALUE);
    CHECK_SAYS(m->report, "epochs is 1000000001; it must lie from 1 to 1000000000");
    CHECK_STATUS(vae_set_epochs(m, INT_MAX), VAE_ERR_VALUE);
    CHECK_STATUS(vae_set_epochs(m, 1000000000), VAE_OK);
    CHECK_STATUS(vae_save_size(m, 0, &size), VAE_OK);
    CHECK_STATUS(vae_save_memory(m, 0, file, sizeof file), VAE_OK);
    CHECK_STATUS(vae_load_memory(file, size, NULL, &copy, NULL), VAE_OK);
    memset(&d, 0, sizeof d);
    if (copy) vae_get_desc(copy, &d);
    CHECK_EQ(d.epochs, 1000000000);
    vae_destroy(copy);
    vae_destroy(m);
}

TEST(latents_at_the_limit_of_their_log_variance_are_counted) {
    static const char *const heads[] = {"normal", "normal abs", "normal relu", "normal softplus"};
    static const float biases[4][3] = {
        {-40, 0, 25}, {0, 0.5f, -0.25f}, {-3, 0.5f, 0.25f}, {-30, 0.5f, 0.25f}};
    static const uint64_t wants[4][3] = {{21, 0, 21}, {21, 0, 0}, {21, 0, 0}, {21, 0, 0}};
    static float x[21 * 30];
    vae_data data = float_data(x, 21, 30);
    size_t i, j, t;
    small_images(x, 21, 30);
    for (i = 0; i < 4; i++) {
        vae_desc d = small_desc();
        vae *m = NULL;
        vae_tensor tensor;
        uint64_t count[3] = {5, 5, 5};
        d.posterior = heads[i], d.latent = 3,
            d.binarize = i % 2 ? VAE_BINARIZE_DYNAMIC : VAE_BINARIZE_NONE;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        for (t = 0; m && !vae_tensor_at(m, t, &tensor); t++) {
            if (!strcmp(tensor.name, "encoder.head.weight"))
                memset(tensor.data, 0, tensor.count * sizeof(float));
            if (!strcmp(tensor.name, "encoder.head.bias"))
                for (j = 0; j < 3; j++) tensor.data[3 + j] = biases[i][j];
        }
        CHECK_STATUS(vae_units_clamped(m, &data, NULL), VAE_ERR_NULL);
        CHECK_STATUS(vae_units_clamped(m, &data, count), VAE_OK);
        for (j = 0; j < 3; j++) CHECK_EQ(count[j], wants[i][j]);
        vae_destroy(m);
    }
}

TESTS(numbers) {
    RUN(no_floating_point_mode_of_the_host_reaches_a_public_call);
    RUN(every_call_names_the_number_that_is_not_finite);
    RUN(a_test_set_that_cannot_be_is_refused_before_the_first_step);
    RUN(numbers_outside_the_unit_interval_are_refused_where_they_mean_nothing);
    RUN(a_fill_value_is_named_and_not_the_learning_rate);
    RUN(the_learning_rate_is_blamed_once_it_has_changed_the_weights);
    RUN(what_the_network_makes_infinite_is_an_error_everywhere);
    RUN(pools_keep_nan_wherever_it_stands);
    RUN(the_public_product_has_one_nan_on_every_instruction_set);
    RUN(the_mean_of_a_logistic_is_the_sum_over_its_levels_at_every_scale);
    RUN(a_test_loss_that_is_not_finite_is_never_the_best);
    RUN(epochs_are_what_a_file_can_hold);
    RUN(latents_at_the_limit_of_their_log_variance_are_counted);
}
