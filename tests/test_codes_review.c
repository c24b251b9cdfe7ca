/* Codes, priors and pixels at the edges: numbers and settings that nobody should give them. */
#include "models.h"

/* Gives every tensor ones, and returns the model of its file. */
static vae *review_of_ones(const vae_desc *d) {
    vae *m = trained_model(d), *twin = NULL;
    float ones[4000];
    vae_tensor t;
    vae_report r;
    unsigned char *bytes;
    size_t i, size;
    memset(&r, 0, sizeof r);
    for (i = 0; i < sizeof ones / sizeof *ones; i++) ones[i] = 1;
    for (i = 0; vae_tensor_at(m, i, &t) == VAE_OK; i++) {
        CHECK(t.count <= sizeof ones / sizeof *ones);
        CHECK_STATUS(vae_tensor_set(m, i, ones), VAE_OK);
        if (t.average) CHECK(!memcmp(t.average, t.data, t.count * sizeof(float)));
    }
    bytes = file_of(m, 0, &size);
    CHECK_STATUS(vae_load_memory(bytes, size, NULL, &twin, &r), VAE_OK);
    if (twin) CHECK(vae_params_hash(twin) == vae_params_hash(m));
    free(bytes);
    vae_destroy(m);
    return twin;
}

TEST(masked_weights_that_are_set_stay_zero_and_the_file_is_read) {
    static const char *const decoders[] = {"image, maskconv 6 3x3 a, maskconv 6 1x1 b, diaglstm 3",
                                           "dense 9 relu"};
    int way;
    for (way = 0; way < 2; way++) {
        vae_desc d = small_desc();
        vae_tensor t;
        vae *m;
        size_t i, j, zeros = 0;
        d.input = way ? "6x5x1" : "2x5x3", d.decoder = decoders[way], d.ema = way ? 0 : 0.5;
        d.posterior = way ? "normal, iaf 8 2" : "normal";
        m = review_of_ones(&d);
        for (i = 0; m && vae_tensor_at(m, i, &t) == VAE_OK; i++)
            for (j = 0; j < t.count; j++) zeros += !(t.data[j] < 0 || t.data[j] > 0);
        CHECK(zeros > 20);
        vae_destroy(m);
    }
}

TEST(files_with_averages_or_moments_at_masked_weights_are_refused) {
    static const char *const says[] = {"ema.posterior.0.weight has", "optim.m.posterior.0.weight has"};
    int way;
    for (way = 0; way < 3; way++) {
        vae_desc d = small_desc();
        vae_report r;
        vae_tensor t;
        vae *m, *twin = NULL;
        unsigned char *bytes;
        size_t i, size;
        memset(&r, 0, sizeof r);
        d.posterior = "normal, iaf 8 2", d.ema = 0.5;
        m = trained_model(&d);
        for (i = 0; vae_tensor_at(m, i, &t) == VAE_OK && strcmp(t.name, "posterior.0.weight"); i++) {}
        CHECK(t.data[0] == 0); /* hidden number 0 sees nothing */
        if (way < 2) (way ? m->m : m->average)[m->tensors[i].offset] = 0.5f;
        bytes = file_of(m, 0, &size);
        CHECK_STATUS(vae_load_memory(bytes, size, NULL, &twin, &r), way < 2 ? VAE_ERR_FORMAT : VAE_OK);
        if (way < 2) CHECK_SAYS(r, says[way]);
        free(bytes);
        vae_destroy(m);
        vae_destroy(twin);
    }
}

TEST(a_kl_of_a_latent_that_is_not_finite_is_an_error) {
    float x[8 * 30];
    vae_data data = float_data(x, 8, 30);
    vae_desc d = small_desc();
    double kl[3] = {5, 5, 5};
    vae_tensor t;
    vae *m = NULL;
    small_images(x, 8, 30);
    d.encoder = "";
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    if (!m) return;
    CHECK_STATUS(vae_tensor_at(m, 1, &t), VAE_OK);
    t.data[1] = 1e30f; /* mu of latent 1: its square is no float */
    CHECK_STATUS(vae_units(m, &data, kl, NULL), VAE_ERR_NONFINITE);
    CHECK_SAYS(*vae_last_report(m), "the KL of latent 1 is not finite");
    CHECK(kl[0] == 5 && kl[1] == 5);
    vae_destroy(m);
}

TEST(images_of_a_learned_number_that_is_nan_are_an_error) {
    static const char *const likelihoods[] = {"logistic", "gaussian_learned"};
    float x[8 * 30], z[8 * 3] = {0}, out[8 * 30];
    int way;
    small_images(x, 8, 30);
    for (way = 0; way < 2; way++) {
        vae_desc d = small_desc();
        vae_tensor t;
        vae *m = NULL;
        size_t i;
        d.likelihood = likelihoods[way];
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        if (!m) return;
        for (i = 0; vae_tensor_at(m, i, &t) == VAE_OK; i++) {}
        t.data[0] = (float)NAN; /* the last one */
        CHECK_STATUS(vae_decode(m, BATCH(z, 8), out), VAE_ERR_NONFINITE);
        CHECK_SAYS(*vae_last_report(m), way ? "logvar" : "logscale");
        CHECK_STATUS(vae_draw(m, BATCH(z, 8), 3, out), VAE_ERR_NONFINITE);
        CHECK_STATUS(vae_reconstruct(m, BATCH(x, 8), out), VAE_ERR_NONFINITE);
        CHECK_STATUS(vae_sample_prior(m, BATCH(NULL, 8), 3, out), VAE_ERR_NONFINITE);
        CHECK_STATUS(vae_score(m, BATCH(x, 8), out, NULL, NULL), VAE_ERR_NONFINITE);
        vae_destroy(m);
    }
}

TEST(settings_that_leave_nothing_to_learn_or_heat_up_are_refused) {
    static const char *const posteriors[] = {"fsq 4", "none", "categorical 4"};
    int way;
    for (way = 0; way < 4; way++) {
        vae_desc d = small_desc();
        vae_report r;
        vae *m = NULL;
        memset(&r, 0, sizeof r);
        d.posterior = posteriors[way < 2 ? way : 2];
        if (way == 1) d.encoder = NULL;
        if (way < 2) d.no_recon = 1;
        else d.temperature_steps = 9, d.temperature = way == 2 ? 0.05 : 0.1;
        CHECK_STATUS(vae_create(&d, &m, &r), way < 3 ? VAE_ERR_VALUE : VAE_OK);
        if (way < 3) CHECK_SAYS(r, way < 2 ? "no_recon leaves the KL alone" : "is above temperature");
        vae_destroy(m);
    }
}

TEST(heads_of_pseudo_inputs_that_no_address_reaches_are_refused) {
    vae_desc d = small_desc();
    size_t size = 0;
    d.input = "1", d.encoder = d.decoder = "", d.latent = 1 << 19, d.prior = "vamp 4096";
    d.inference = d.batch = 1; /* 2^32 floats, which 32 bits count as none */
    CHECK_STATUS(vae_size(&d, &size, NULL), sizeof size > 4 ? VAE_OK : VAE_ERR_SIZE);
    CHECK(sizeof size == 4 || size / 4 > 4294967295u);
}

TESTS(codes_review) {
    RUN(masked_weights_that_are_set_stay_zero_and_the_file_is_read);
    RUN(files_with_averages_or_moments_at_masked_weights_are_refused);
    RUN(a_kl_of_a_latent_that_is_not_finite_is_an_error);
    RUN(images_of_a_learned_number_that_is_nan_are_an_error);
    RUN(heads_of_pseudo_inputs_that_no_address_reaches_are_refused);
    RUN(settings_that_leave_nothing_to_learn_or_heat_up_are_refused);
}
