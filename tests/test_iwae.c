/* Several draws of each image: importance weights in training, vae_bound, and the Adam of the
 * authors of importance weighting. */
#include "models.h"

/* ---- importance weights in training ---- */

TEST(one_importance_weight_is_the_elbo_bit_for_bit) {
    static const vae_objective objectives[] = {VAE_OBJECTIVE_ELBO, VAE_OBJECTIVE_IWAE,
                                               VAE_OBJECTIVE_DREG};
    const vae__kernels *k;
    float x[8 * 30];
    small_images(x, 8, 30);
    for (k = NULL; (k = ref_next_isa(k));) {
        uint64_t want = 0;
        vae_stats first, s;
        size_t i;
        int step;
        memset(&first, 0, sizeof first);
        for (i = 0; i < 3; i++) {
            vae_desc d = small_desc();
            vae *m = NULL;
            d.objective = objectives[i], d.binarize = VAE_BINARIZE_DYNAMIC, d.isa = k->isa;
            d.lr = 1e-2, d.beta = 0.75, d.warmup_steps = 3;
            CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
            for (step = 0; step < 6; step++)
                CHECK_STATUS(vae_train_step(m, BATCH(x, 8), &s), VAE_OK);
            if (!i) want = vae_params_hash(m), first = s;
            CHECK(vae_params_hash(m) == want);
            CHECK(!memcmp(&s, &first, sizeof s));
            vae_destroy(m);
        }
    }
}

/* L draws of a row have independent noise, so the variance of their mean is 1 / L of one's. */
TEST(the_variance_of_the_elbo_over_noise_falls_as_one_over_the_samples) {
    enum { STEPS = 1500 };
    static const int samples[] = {1, 3, 12};
    double variance[3] = {0};
    float x[8 * 30];
    size_t i, n;
    small_images(x, 8, 30);
    for (i = 0; i < 3; i++) {
        vae_desc d = obj_still();
        double sum = 0, squares = 0;
        vae *m = NULL;
        d.samples = samples[i];
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        for (n = 0; n < STEPS; n++) {
            vae_stats s;
            CHECK_STATUS(vae_train_step(m, BATCH(x, 8), &s), VAE_OK);
            sum += s.recon, squares += s.recon * s.recon;
        }
        variance[i] = squares / STEPS - sum / STEPS * sum / STEPS;
        vae_destroy(m);
    }
    /* a variance from 1500 normals has a relative deviation of sqrt(2 / 1500), the ratio of two
     * 0.052: four of them */
    CHECK_NEAR(variance[0] / variance[1], 3, 3 * 0.21);
    CHECK_NEAR(variance[0] / variance[2], 12, 12 * 0.21);
}

/* Two estimators of one gradient: their difference over the same noise has mean 0 in each of its
 * components, and the doubly reparameterised one has less variance near the posterior. */
TEST(dreg_has_the_mean_of_iwae_and_less_variance_in_the_encoder) {
    enum { STEPS = 3000, MOST = 1000 };
    vae_desc d = small_desc();
    float x[8 * 30];
    double sum[MOST] = {0}, squares[MOST] = {0}, one[2][MOST] = {{0}}, two[2][MOST] = {{0}};
    double variance[2] = {0, 0}, z2 = 0, most = 0;
    size_t i, n, run, encoder = 0;
    vae_info info;
    vae_tensor t;
    vae *m[2] = {NULL, NULL};
    small_images(x, 8, 30);
    d.objective = VAE_OBJECTIVE_IWAE, d.samples = 8, d.lr = 1e-2;
    CHECK_STATUS(vae_create(&d, &m[0], NULL), VAE_OK);
    for (n = 0; n < 600; n++) CHECK_STATUS(vae_train_step(m[0], BATCH(x, 8), NULL), VAE_OK);
    d.lr = 1e-30, d.keep_gradients = 1;
    for (run = 0; run < 2; run++) {
        vae *still = NULL;
        vae_tensor from;
        d.objective = run ? VAE_OBJECTIVE_DREG : VAE_OBJECTIVE_IWAE;
        CHECK_STATUS(vae_create(&d, &still, NULL), VAE_OK);
        vae_get_info(still, &info);
        CHECK(info.parameters <= MOST);
        CHECK(vae_tensor_at(m[0], 0, &from) == VAE_OK &&
              vae_tensor_at(still, 0, &t) == VAE_OK);
        memcpy(t.data, from.data, info.parameters * sizeof(float));
        if (!run) vae_destroy(m[0]), m[0] = still;
        else m[1] = still;
    }
    for (i = 0; vae_tensor_at(m[0], i, &t) == VAE_OK && t.name[0] == 'e'; i++) encoder += t.count;
    for (n = 0; n < STEPS; n++) {
        const float *g[2];
        for (run = 0; run < 2; run++) {
            CHECK_STATUS(vae_train_step(m[run], BATCH(x, 8), NULL), VAE_OK);
            CHECK_STATUS(vae_tensor_at(m[run], 0, &t), VAE_OK);
            g[run] = t.grad;
        }
        CHECK(!memcmp(g[0] + encoder, g[1] + encoder,
                      (info.parameters - encoder) * sizeof(float))); /* the decoder's is the same */
        for (i = 0; i < encoder; i++) {
            const double off = (double)g[1][i] - (double)g[0][i];
            sum[i] += off, squares[i] += off * off;
            for (run = 0; run < 2; run++)
                one[run][i] += (double)g[run][i], two[run][i] += pow((double)g[run][i], 2);
        }
    }
    for (i = 0; i < encoder; i++) {
        const double mean = sum[i] / STEPS;
        const double error = sqrt((squares[i] / STEPS - mean * mean) / STEPS);
        z2 += mean * mean / (error * error) / (double)encoder;
        if (fabs(mean) / error > most) most = fabs(mean) / error;
        for (run = 0; run < 2; run++)
            variance[run] += two[run][i] / STEPS - pow(one[run][i] / STEPS, 2);
    }
    /* some 400 correlated normals: 5 is one in a million for each; their mean square is 1 and would
     * be hundreds for another gradient */
    CHECK(most < 5);
    CHECK_NEAR(z2, 1, 1);
    CHECK(variance[1] < 0.7 * variance[0]);
    vae_destroy(m[0]), vae_destroy(m[1]);
}

/* ---- vae_bound ---- */

TEST(a_bound_has_the_same_bits_whoever_computes_it) {
    enum { ROWS = 23, K = 9, FIRST = 40 };
    static const int threads[] = {1, 2, 3, 7}, batches[] = {1, 7, 64};
    float x[ROWS * 30], want[ROWS], got[ROWS];
    int way, isa;
    small_images(x, ROWS, 30);
    for (way = 0; way < 3; way++) {
        vae_desc d = small_desc();
        size_t size, i, j;
        unsigned char *bytes;
        vae *m, *twin;
        if (way == 1) d.likelihood = "gaussian_pixel", d.encoder = "conv 3 3x3/2 relu";
        if (way == 2) d.binarize = VAE_BINARIZE_DYNAMIC, d.ema = 0.5;
        m = trained_model(&d);
        bytes = file_of(m, 0, &size);
        CHECK_STATUS(vae_bound(m, BATCH(x, ROWS, .first = FIRST), K, want), VAE_OK);
        for (i = 0; i < 24; i++) {
            memset(got, 0, sizeof got);
            twin = obj_twin(bytes, size, batches[i % 3], threads[i / 3 % 4], VAE_ISA_AUTO,
                            (int)i / 12);
            CHECK_STATUS(vae_bound(twin, BATCH(x, ROWS, .first = FIRST), K, got), VAE_OK);
            CHECK_EQ(ref_differ(ROWS, got, want), ROWS);
            vae_destroy(twin);
        }
        for (isa = VAE_ISA_PORTABLE; isa < VAE_ISA_COUNT; isa++) {
            if (!vae_isa_available((vae_isa)isa)) continue;
            twin = obj_twin(bytes, size, 0, 1, (vae_isa)isa, 1);
            CHECK_STATUS(vae_bound(twin, BATCH(x, ROWS, .first = FIRST), K, got), VAE_OK);
            CHECK_EQ(ref_differ(ROWS, got, want), ROWS);
            vae_destroy(twin);
        }
        for (j = 0; j < ROWS; j++) { /* each image alone */
            CHECK_STATUS(vae_bound(m, BATCH(x + j * 30, 1, .first = FIRST + (uint32_t)j), K, got),
                         VAE_OK);
            CHECK(ref_same(got[0], want[j]));
        }
        CHECK_STATUS(vae_bound(m, BATCH(x, 1, .first = FIRST + 1), K, got), VAE_OK);
        CHECK(!ref_same(got[0], want[0])); /* another number, other draws */
        free(bytes);
        vae_destroy(m);
    }
}

/* Draw number 0 is vae_score's; log q - log p at it in place of its expectation, the KL. */
TEST(a_bound_of_one_draw_is_the_score_with_its_kl_drawn) {
    enum { ROWS = 12, FIRST = 7, L = 3 };
    vae *m = small_model();
    float x[ROWS * 30], bound[ROWS], recon[ROWS], mu[ROWS * L], lv[ROWS * L], eps[L];
    size_t i, j;
    small_images(x, ROWS, 30);
    CHECK_STATUS(vae_bound(m, BATCH(x, ROWS, .first = FIRST), 1, bound), VAE_OK);
    CHECK_STATUS(vae_score(m, BATCH(x, ROWS, .first = FIRST), NULL, recon, NULL), VAE_OK);
    CHECK_STATUS(vae_encode(m, BATCH(x, ROWS), mu, lv), VAE_OK);
    for (i = 0; i < ROWS; i++) {
        double ratio = 0;
        vae_stream s;
        memset(&s, 0, sizeof s);
        s.seed = 5, s.purpose = VAE_PURPOSE_EVAL, s.sample = FIRST + (uint32_t)i;
        vae_random_normal(&s, 0, L, eps);
        for (j = 0; j < L; j++) {
            const double l = (double)lv[i * L + j], e = (double)eps[j];
            const double z = (double)mu[i * L + j] + exp(0.5 * l) * e;
            ratio += 0.5 * (z * z - e * e - l);
        }
        /* sums of 30 numbers to some 6e-8 each, the logs of a product */
        CHECK_NEAR((double)bound[i], -((double)recon[i] + ratio), 5e-5);
    }
    vae_destroy(m);
}

/* A bound of k draws from its definition, in double from the model's own decoder. */
TEST(a_bound_is_the_log_of_the_mean_weight) {
    enum { ROWS = 4, L = 3, K = 11, BATCH = 5 };
    vae_desc d = small_desc();
    float x[ROWS * 30], bound[ROWS], mu[ROWS * L], lv[ROWS * L], eps[L], z[L], p[30];
    vae *m = NULL;
    size_t i, j, s;
    d.batch = BATCH;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    small_images(x, ROWS, 30);
    CHECK_STATUS(vae_bound(m, BATCH(x, ROWS), K, bound), VAE_OK);
    CHECK_STATUS(vae_encode(m, BATCH(x, ROWS), mu, lv), VAE_OK);
    for (i = 0; i < ROWS; i++) {
        double logw[K], sum = 0;
        for (s = 0; s < K; s++) {
            vae_stream a;
            memset(&a, 0, sizeof a);
            a.seed = 5, a.purpose = VAE_PURPOSE_EVAL, a.sample = (uint32_t)i;
            a.replica = (uint32_t)s;
            vae_random_normal(&a, 0, L, eps);
            for (j = 0, logw[s] = 0; j < L; j++) {
                const double l = (double)lv[i * L + j], e = (double)eps[j];
                const double v = (double)mu[i * L + j] + exp(0.5 * l) * e;
                logw[s] -= 0.5 * (v * v - e * e - l), z[j] = (float)v;
            }
            CHECK_STATUS(vae_decode(m, BATCH(z, 1), p), VAE_OK);
            for (j = 0; j < 30; j++)
                logw[s] += (double)x[i * 30 + j] * log((double)p[j]) +
                           (1 - (double)x[i * 30 + j]) * log(1 - (double)p[j]);
        }
        for (s = 0; s < K; s++) sum += exp(logw[s] - logw[0]);
        /* probabilities to 1e-7, thirty of them in a log each */
        CHECK_NEAR((double)bound[i], logw[0] + log(sum / K), 5e-5);
    }
    vae_destroy(m);
}

/* Mean and standard error of a[i] - b[i]. */
static double obj_gap(size_t n, const float *a, const float *b, double *error) {
    double sum = 0, squares = 0;
    size_t i;
    for (i = 0; i < n; i++) {
        const double gap = (double)a[i] - (double)b[i];
        sum += gap, squares += gap * gap;
    }
    sum /= (double)n;
    *error = sqrt((squares / (double)n - sum * sum) / (double)n);
    return sum;
}

TEST(a_bound_rises_from_the_elbo_with_the_number_of_draws) {
    enum { ROWS = 100, KS = 6 };
    static const int ks[KS] = {1, 2, 5, 25, 250, 5000};
    static float x[ROWS * 30], bound[KS][ROWS], elbo[ROWS];
    vae_desc d = small_desc();
    double gap, error;
    size_t i, n;
    vae *m = NULL;
    d.lr = 1e-2;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    small_images(x, ROWS, 30);
    for (i = 0; i < ROWS * 30; i++) x[i] = x[i] > 0.5f + 0.3f * (float)(i / 30 % 2 ? 1 : -1);
    for (n = 0; n < 300; n++)
        CHECK_STATUS(vae_train_step(m, BATCH(x + n % 12 * 240, 8), NULL), VAE_OK);
    CHECK_STATUS(vae_score(m, BATCH(x, ROWS), elbo, NULL, NULL), VAE_OK);
    for (i = 0; i < KS; i++) CHECK_STATUS(vae_bound(m, BATCH(x, ROWS), ks[i], bound[i]), VAE_OK);
    gap = obj_gap(ROWS, bound[0], elbo, &error); /* drawn KL or closed KL: one mean */
    CHECK_NEAR(gap, 0, 4 * error);
    CHECK(error > 0);
    for (i = 1; i < KS; i++) {
        gap = obj_gap(ROWS, bound[i], bound[i - 1], &error);
        CHECK(gap > -3 * error);
        if (i < 4) CHECK(gap > 0);
    }
    gap = obj_gap(ROWS, bound[KS - 1], elbo, &error);
    CHECK(gap > 4 * error);
    vae_destroy(m);
}

/* Weights are p(x) whatever is drawn where q(z|x) = p(z) and p(x|z) = p(x). */
TEST(a_bound_is_the_likelihood_where_nothing_depends_on_the_latents) {
    static const int ks[] = {1, 3, 64, 1000};
    float x[5 * 30], bound[5];
    vae_desc d = small_desc();
    vae_tensor t;
    vae *m = NULL;
    size_t i, j, n;
    d.encoder = d.decoder = "", d.init = VAE_INIT_ZERO;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    CHECK_STATUS(vae_tensor_at(m, 3, &t), VAE_OK);
    CHECK(!strcmp(t.name, "decoder.head.bias"));
    for (j = 0; j < 30; j++) t.data[j] = (float)j * 0.2f - 3;
    small_images(x, 5, 30);
    for (n = 0; n < 4; n++) {
        CHECK_STATUS(vae_bound(m, BATCH(x, 5), ks[n], bound), VAE_OK);
        for (i = 0; i < 5; i++) {
            double want = 0;
            for (j = 0; j < 30; j++)
                want -= ref_softplus((double)t.data[j]) - (double)x[i * 30 + j] * (double)t.data[j];
            /* thirty terms of up to 3, and the log of the mean of k ones */
            CHECK_NEAR((double)bound[i], want, 2e-5);
        }
    }
    vae_destroy(m);
}

TEST(wrong_calls_to_vae_bound_are_told) {
    vae *m = small_model();
    vae_desc d = small_desc();
    float x[2 * 30], bound[2] = {3, 3};
    small_images(x, 2, 30);
    CHECK_STATUS(vae_bound(NULL, BATCH(x, 1), 1, bound), VAE_ERR_NULL);
    CHECK_STATUS(vae_bound(m, BATCH(NULL, 1), 1, bound), VAE_ERR_NULL);
    CHECK_STATUS(vae_bound(m, BATCH(x, 1), 1, NULL), VAE_ERR_NULL);
    CHECK_STATUS(vae_bound(m, BATCH(x, 1), 0, bound), VAE_ERR_VALUE);
    CHECK_SAYS(*vae_last_report(m), "k is 0");
    CHECK_STATUS(vae_bound(m, BATCH(x, 1), -1, bound), VAE_ERR_VALUE);
    CHECK_STATUS(vae_bound(m, BATCH(x, 1), 65537, bound), VAE_ERR_VALUE);
    CHECK_SAYS(*vae_last_report(m), "65537");
    x[33] = -0.5f;
    CHECK_STATUS(vae_bound(m, BATCH(x, 2, .first = 6), 1, bound), VAE_ERR_VALUE);
    CHECK_SAYS(*vae_last_report(m), "image 7: number 3 is -0.5");
    x[33] = vae__float_of(0x7fc00000u);
    CHECK_STATUS(vae_bound(m, BATCH(x, 2, .first = 6), 1, bound), VAE_ERR_NONFINITE);
    CHECK(bound[0] == 3 && bound[1] == 3);
    CHECK_STATUS(vae_bound(m, BATCH(x, 0), 5, bound), VAE_OK); /* no rows: nothing to do */
    vae_destroy(m);
    d.no_noise = 1;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    CHECK_STATUS(vae_bound(m, BATCH(x, 1), 1, bound), VAE_ERR_STATE);
    CHECK_SAYS(*vae_last_report(m), "noise");
    vae_destroy(m);
}

TEST(a_bound_takes_65536_draws) {
    vae *m = small_model();
    float x[30], bound = 0, few = 0;
    small_images(x, 1, 30);
    CHECK_STATUS(vae_bound(m, BATCH(x, 1), 65536, &bound), VAE_OK);
    CHECK_STATUS(vae_bound(m, BATCH(x, 1), 1000, &few), VAE_OK);
    CHECK_NEAR((double)bound, (double)few, 0.2);
    vae_destroy(m);
}

/* ---- the authors' Adam ---- */

/* m and v as Adam's but v from 1; w -= lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps), of
 * gradients summed over the batch (github.com/yburda/iwae, optimizers.py). */
TEST(adam_iwae_is_the_rule_of_the_authors_code) {
    enum { STEPS = 12, MOST = 1000 };
    static const double settings[][4] = {{1e-3, 0.9, 0.999, 1e-4}, {2e-2, 0.99, 0.95, 1e-1}};
    float x[8 * 30];
    size_t n, i, rows;
    int step;
    small_images(x, 8, 30);
    for (n = 0; n < 2; n++) {
        const double lr = settings[n][0], b1 = settings[n][1], b2 = settings[n][2];
        double w[MOST], m[MOST] = {0}, v[MOST];
        vae_desc d = small_desc();
        vae *model = NULL, *fused = NULL;
        vae_info info;
        vae_tensor t;
        d.optimizer = VAE_OPTIMIZER_ADAM_IWAE, d.lr = lr, d.beta1 = b1, d.beta2 = b2;
        d.adam_eps = settings[n][3];
        CHECK_STATUS(vae_create(&d, &fused, NULL), VAE_OK);
        d.keep_gradients = 1;
        CHECK_STATUS(vae_create(&d, &model, NULL), VAE_OK);
        vae_get_info(model, &info);
        CHECK(info.parameters <= MOST && vae_tensor_at(model, 0, &t) == VAE_OK);
        for (i = 0; i < info.parameters; i++) w[i] = (double)t.data[i], v[i] = 1;
        for (step = 1; step <= STEPS; step++) {
            const double rate = lr * sqrt(1 - pow(b2, step)) / (1 - pow(b1, step));
            rows = step % 3 ? 8 : 5;
            CHECK_STATUS(vae_train_step(model, BATCH(x, rows), NULL), VAE_OK);
            CHECK_STATUS(vae_train_step(fused, BATCH(x, rows), NULL), VAE_OK);
            for (i = 0; i < info.parameters; i++) {
                const double g = (double)t.grad[i] * (double)rows;
                m[i] = b1 * m[i] + (1 - b1) * g;
                v[i] = b2 * v[i] + (1 - b2) * g * g;
                w[i] -= rate * m[i] / (sqrt(v[i]) + settings[n][3]);
                /* half an ulp of the weight a step; what moves it to some 1e-6 */
                CHECK_NEAR((double)t.data[i], w[i],
                           step * (6e-8 * (fabs(w[i]) + lr) + 2e-6 * rate * fabs(m[i])));
            }
        }
        CHECK(vae_params_hash(model) == vae_params_hash(fused));
        vae_destroy(model), vae_destroy(fused);
    }
}

TESTS(iwae) {
    vae__fpenv env;
    vae__fp_enter(&env); /* see reference.h */
    RUN(one_importance_weight_is_the_elbo_bit_for_bit);
    RUN(the_variance_of_the_elbo_over_noise_falls_as_one_over_the_samples);
    RUN(dreg_has_the_mean_of_iwae_and_less_variance_in_the_encoder);
    RUN(a_bound_has_the_same_bits_whoever_computes_it);
    RUN(a_bound_of_one_draw_is_the_score_with_its_kl_drawn);
    RUN(a_bound_is_the_log_of_the_mean_weight);
    RUN(a_bound_rises_from_the_elbo_with_the_number_of_draws);
    RUN(a_bound_is_the_likelihood_where_nothing_depends_on_the_latents);
    RUN(wrong_calls_to_vae_bound_are_told);
    RUN(a_bound_takes_65536_draws);
    RUN(adam_iwae_is_the_rule_of_the_authors_code);
    vae__fp_leave(&env);
}
