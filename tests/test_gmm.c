/* Mixtures of Gaussians and EM: tools/gmm.h. */
#include "../tools/gmm.h"
#include "test.h"

enum { GMM_ROWS = 900 };

static vae_data gmm_rows(float *x, size_t rows, size_t dim) {
    vae_data d;
    const size_t dims[2] = {rows, dim};
    CHECK_STATUS(vae_data_wrap(VAE_F32, 2, dims, x, &d, NULL), VAE_OK);
    return d;
}

/* Three clusters in the plane, 300 rows each, far apart; the numbers of one are correlated. */
static const double gmm_centres[3][2] = {{-5, 1}, {4, 4}, {2, -6}};
static void gmm_clusters(float *x) {
    const vae_stream s = {8, VAE_PURPOSE_USER, 0, 0, 0, 0};
    size_t i;
    vae_random_normal(&s, 0, 2 * GMM_ROWS, x);
    for (i = 0; i < GMM_ROWS; i++) {
        if (i % 3 == 1) x[2 * i + 1] = 0.9f * x[2 * i] + 0.4f * x[2 * i + 1];
        x[2 * i] = (float)gmm_centres[i % 3][0] + 0.5f * x[2 * i];
        x[2 * i + 1] = (float)gmm_centres[i % 3][1] + 0.5f * x[2 * i + 1];
    }
}

TEST(em_exp_and_log_agree_with_libm) {
    double x;
    for (x = -699; x < 699; x += 0.37) CHECK_NEAR(gmm__exp(x) / exp(x), 1, 1e-14);
    for (x = -690; x < 690; x += 0.37) CHECK_NEAR(gmm__log(exp(x)), log(exp(x)), 2e-13);
    for (x = 0.5; x < 2; x += 0.001) CHECK_NEAR(gmm__log(x), log(x), 1e-15);
    CHECK(gmm__exp(-1e300) == 0);
}

TEST(em_never_lowers_the_likelihood) {
    static float x[5 * GMM_ROWS];
    const vae_stream s = {3, VAE_PURPOSE_USER, 0, 0, 0, 0};
    vae_data d;
    int full, step;
    size_t i;
    vae_random_normal(&s, 0, 5 * GMM_ROWS, x);
    for (i = 0; i < GMM_ROWS; i++) { /* skewed, one number constant, one the sum of two others */
        x[5 * i] = x[5 * i] * x[5 * i], x[5 * i + 3] = 2.5f;
        x[5 * i + 4] = x[5 * i] + x[5 * i + 1];
    }
    d = gmm_rows(x, GMM_ROWS, 5);
    for (full = 0; full < 2; full++) {
        double last = -1e300;
        gmm g;
        CHECK(gmm_new(&g, 7, 5, full));
        g.floor = 1e-4;
        CHECK(gmm_begin(&g, &d, 1));
        for (step = 0; step < 40; step++) {
            const double now = gmm_step(&g, &d);
            if (!(now >= last - 1e-9 * fabs(now))) CHECK_NEAR(now, last, 0);
            last = now;
        }
        CHECK_NEAR(gmm_score(&g, &d), last, 0.05);
        CHECK(gmm_score(&g, &d) >= last);
        for (i = 0; i < 35; i++) CHECK(g.variance[i] >= g.floor);
        gmm_free(&g);
    }
}

TEST(em_finds_three_separated_clusters) {
    static float x[2 * GMM_ROWS];
    vae_data d;
    uint64_t seed;
    gmm_clusters(x);
    d = gmm_rows(x, GMM_ROWS, 2);
    for (seed = 1; seed <= 5; seed++) {
        size_t found = 0, i, k;
        gmm g;
        int step;
        CHECK(gmm_new(&g, 3, 2, 1));
        g.floor = 1e-6;
        CHECK(gmm_begin(&g, &d, seed));
        for (step = 0; step < 30; step++) (void)gmm_step(&g, &d);
        for (k = 0; k < 3; k++)
            for (i = 0; i < 3; i++)
                if (fabs(g.mean[2 * k] - gmm_centres[i][0]) < 0.15 &&
                    fabs(g.mean[2 * k + 1] - gmm_centres[i][1]) < 0.15) {
                    found |= (size_t)1 << i;
                    CHECK_NEAR(gmm__exp(g.weight[k]), 1. / 3, 1e-6);
                    CHECK_NEAR(g.variance[2 * k], 0.25, 0.06);
                    /* u = y - 0.9 x where they are correlated */
                    CHECK_NEAR(g.lower[4 * k + 2], i == 1 ? -0.9 : 0, 0.15);
                    CHECK_NEAR(g.variance[2 * k + 1], i == 1 ? 0.04 : 0.25, i == 1 ? 0.01 : 0.06);
                }
        CHECK_EQ(found, 7);
        gmm_free(&g);
    }
}

TEST(one_component_is_mean_and_covariance) {
    static float x[3 * 50];
    const vae_stream s = {5, VAE_PURPOSE_USER, 0, 0, 0, 0};
    double mean[3] = {0, 0, 0}, cov[3][3], l[3][3], got[3][3];
    vae_data d;
    gmm g;
    size_t i, j, k, n;
    vae_random_normal(&s, 0, 150, x);
    for (i = 0; i < 50; i++) x[3 * i + 2] += x[3 * i] - 100, x[3 * i + 1] -= 2 * x[3 * i];
    d = gmm_rows(x, 50, 3);
    CHECK(gmm_new(&g, 1, 3, 1));
    CHECK(gmm_begin(&g, &d, 1));
    (void)gmm_step(&g, &d);
    memset(cov, 0, sizeof cov);
    for (i = 0; i < 50; i++) for (j = 0; j < 3; j++) mean[j] += (double)x[3 * i + j] / 50;
    for (i = 0; i < 50; i++)
        for (j = 0; j < 3; j++)
            for (k = 0; k < 3; k++)
                cov[j][k] += ((double)x[3 * i + j] - mean[j]) * ((double)x[3 * i + k] - mean[k]) / 50;
    for (j = 0; j < 3; j++) CHECK_NEAR(g.mean[j], mean[j], 1e-9);
    for (j = 0; j < 3; j++) /* 1 / A by substitution, then A covariance At is diagonal */
        for (k = 0; k < 3; k++) {
            l[j][k] = 0;
            for (n = 0; n < 3; n++) l[j][k] += g.lower[3 * j + n] * cov[n][k];
        }
    for (j = 0; j < 3; j++)
        for (k = 0; k < 3; k++) {
            got[j][k] = 0;
            for (n = 0; n < 3; n++) got[j][k] += l[j][n] * g.lower[3 * k + n];
            CHECK_NEAR(got[j][k], j == k ? g.variance[j] : 0, 1e-9);
        }
    gmm_free(&g);
}

/* On a grid of the plane, for a mixture that EM left. */
TEST(the_density_of_a_mixture_integrates_to_one) {
    static float x[2 * GMM_ROWS];
    vae_data d;
    int full;
    gmm_clusters(x);
    d = gmm_rows(x, GMM_ROWS, 2);
    for (full = 0; full < 2; full++) {
        double sum = 0, at[2];
        gmm g;
        CHECK(gmm_new(&g, 3, 2, full));
        CHECK(gmm_begin(&g, &d, 1));
        (void)gmm_step(&g, &d);
        for (at[0] = -9; at[0] < 9; at[0] += 0.05)
            for (at[1] = -10; at[1] < 9; at[1] += 0.05) sum += exp(gmm_log_density(&g, at));
        CHECK_NEAR(sum * 0.0025, 1, 1e-6);
        gmm_free(&g);
    }
}

/* Draws of a mixture, fitted again, give the mixture; and their mean log-likelihood is that of the
 * rows that it was fitted to. */
TEST(draws_of_a_mixture_have_its_density) {
    static float x[2 * GMM_ROWS], drawn[2 * 6000];
    vae_data d, e;
    int full;
    uint32_t i;
    gmm_clusters(x);
    d = gmm_rows(x, GMM_ROWS, 2);
    for (full = 0; full < 2; full++) {
        gmm g, again;
        int step;
        double all;
        CHECK(gmm_new(&g, 3, 2, full));
        CHECK(gmm_new(&again, 1, 2, full));
        CHECK(gmm_begin(&g, &d, 1));
        for (step = 0; step < 20; step++) (void)gmm_step(&g, &d);
        for (i = 0; i < 6000; i++) gmm_draw(&g, 9, i, drawn + 2 * i);
        e = gmm_rows(drawn, 6000, 2);
        all = gmm_score(&g, &d);
        CHECK_NEAR(gmm_score(&g, &e), all, 0.06); /* standard error 0.013 */
        CHECK(gmm_begin(&again, &e, 1));
        CHECK_NEAR(again.mean[0], (-5 + 4 + 2) / 3., 0.2);
        CHECK_NEAR(again.mean[1], (1 + 4 - 6) / 3., 0.2);
        gmm_free(&again);
        gmm_free(&g);
    }
}

/* The bits, so that other compilers can be held to them: FNV-1a over all parameters. */
TEST(em_gives_the_same_bits_everywhere) {
    static float x[2 * GMM_ROWS];
    uint64_t hash = 0xcbf29ce484222325u;
    vae_data d;
    gmm g;
    int step;
    size_t i;
    gmm_clusters(x);
    for (i = 0; i < 2 * GMM_ROWS; i++) x[i] = (float)(int)(x[i] * 64) / 64;
    d = gmm_rows(x, GMM_ROWS, 2);
    CHECK(gmm_new(&g, 4, 2, 1));
    g.floor = 1e-3;
    CHECK(gmm_begin(&g, &d, 2));
    for (step = 0; step < 10; step++) (void)gmm_step(&g, &d);
    for (i = 0; i < 4 + 8 + 8; i++) {
        uint64_t bits;
        memcpy(&bits, g.weight + i, sizeof bits);
        hash = (hash ^ bits) * 0x100000001b3u;
    }
    CHECK_EQ(hash, 0x9d7db4f47cf54dd9u);
    gmm_free(&g);
}

TEST(mixtures_of_hopeless_rows_stay_finite) {
    float x[12] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    vae_data d = gmm_rows(x, 6, 2);
    size_t i;
    int step;
    gmm g;
    CHECK(gmm_new(&g, 4, 2, 1)); /* more components than different rows */
    CHECK(gmm_begin(&g, &d, 1));
    for (step = 0; step < 5; step++) CHECK(vae__finite_d(gmm_step(&g, &d)));
    for (i = 0; i < 8; i++) CHECK(vae__finite_d(g.mean[i]) && g.variance[i] > 0);
    gmm_free(&g);
    CHECK(!gmm_new(&g, SIZE_MAX / 2, 3, 0));
    CHECK(!gmm_new(&g, 3, 0, 0));
}

TESTS(gmm) {
    RUN(em_exp_and_log_agree_with_libm);
    RUN(em_never_lowers_the_likelihood);
    RUN(em_finds_three_separated_clusters);
    RUN(one_component_is_mean_and_covariance);
    RUN(the_density_of_a_mixture_integrates_to_one);
    RUN(draws_of_a_mixture_have_its_density);
    RUN(em_gives_the_same_bits_everywhere);
    RUN(mixtures_of_hopeless_rows_stay_finite);
}
