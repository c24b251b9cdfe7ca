/* Linear models, whose likelihood is known exactly. */
#include "models.h"

/* ---- linear VAEs against probabilistic PCA (Tipping & Bishop 1999; Lucas et al. 2019) ---- */

enum { PCA_MAX = 784 };
typedef struct pca {
    size_t dim, count;           /* count: directions found, steepest first */
    double trace, mean[PCA_MAX], value[PCA_MAX];
    double *vector;              /* (count, dim), orthonormal rows */
} pca;

/* Subspace iteration in double on the covariance (dim, dim), which is symmetric: the j-th row
 * is kept orthogonal to the rows before it, so that each one ends at an eigenvector. */
static void pca_of(pca *p, const double *covariance, size_t dim, size_t count, int rounds) {
    double *next = ref_doubles(count * dim);
    uint64_t state = 71;
    size_t i, j, k, l;
    p->dim = dim, p->count = count, p->trace = 0;
    p->vector = ref_doubles(count * dim);
    for (i = 0; i < dim; i++) p->trace += covariance[i * dim + i];
    for (i = 0; i < count * dim; i++) p->vector[i] = ref_normal(&state);
    while (rounds--) {
        memset(next, 0, count * dim * sizeof *next);
        for (j = 0; j < count; j++)
            for (k = 0; k < dim; k++) {
                const double v = p->vector[j * dim + k];
                for (l = 0; l < dim; l++) next[j * dim + l] += v * covariance[k * dim + l];
            }
        for (j = 0; j < count; j++) {
            double *row = next + j * dim, norm = 0;
            for (i = 0; i < j; i++) {
                double dot = 0;
                for (l = 0; l < dim; l++) dot += row[l] * next[i * dim + l];
                for (l = 0; l < dim; l++) row[l] -= dot * next[i * dim + l];
            }
            for (l = 0; l < dim; l++) norm += row[l] * row[l];
            p->value[j] = norm = sqrt(norm);
            for (l = 0; l < dim; l++) row[l] /= norm;
        }
        memcpy(p->vector, next, count * dim * sizeof *next);
    }
    free(next);
}

/* The best a linear VAE can do: *variance 0 is learned, and then told. Nats per image. */
typedef struct pca_best {
    double loss, kl, variance;
    size_t active;
} pca_best;
static pca_best pca_bound(const pca *p, size_t latent, double variance) {
    pca_best b;
    double rest = p->trace, logs = 0;
    size_t i;
    memset(&b, 0, sizeof b);
    for (i = 0; i < latent; i++) rest -= p->value[i];
    b.variance = variance > 0 ? variance : rest / (double)(p->dim - latent);
    rest = p->trace;
    for (i = 0; i < latent && p->value[i] > b.variance; i++, b.active++) {
        rest -= p->value[i], logs += log(p->value[i]);
        b.kl += 0.5 * log(p->value[i] / b.variance);
    }
    b.loss = 0.5 * ((double)p->dim * REF_LOG_2PI + logs + (double)(p->dim - b.active) *
                    log(b.variance) + (double)b.active + rest / b.variance);
    return b;
}

/* Weights of that optimum: latent j is direction j, its posterior variance s^2 / lambda; those
 * that are not worth their KL stay the prior. */
static void pca_set(vae *m, const pca *p, size_t latent, const pca_best *b) {
    vae_tensor w, head, back, bias;
    size_t i, j;
    CHECK(vae_tensor_at(m, 0, &w) == VAE_OK && vae_tensor_at(m, 1, &head) == VAE_OK &&
          vae_tensor_at(m, 2, &back) == VAE_OK && vae_tensor_at(m, 3, &bias) == VAE_OK);
    CHECK(w.count == p->dim * 2 * latent && head.count == 2 * latent &&
          back.count == latent * p->dim && bias.count == p->dim);
    memset(w.data, 0, w.count * sizeof(float)), memset(back.data, 0, back.count * sizeof(float));
    memset(head.data, 0, head.count * sizeof(float));
    for (i = 0; i < p->dim; i++) bias.data[i] = (float)p->mean[i];
    for (j = 0; j < b->active; j++) {
        const double length = sqrt(p->value[j] - b->variance), *v = p->vector + j * p->dim;
        double middle = 0;
        for (i = 0; i < p->dim; i++) {
            w.data[i * 2 * latent + j] = (float)(length / p->value[j] * v[i]);
            back.data[j * p->dim + i] = (float)(length * v[i]);
            middle -= length / p->value[j] * v[i] * p->mean[i];
        }
        head.data[j] = (float)middle;
        head.data[latent + j] = (float)log(b->variance / p->value[j]);
    }
    if (vae_tensor_at(m, 4, &w) == VAE_OK) w.data[0] = (float)log(b->variance);
}

static vae_desc linear_desc(size_t latent, double variance) {
    vae_desc d;
    memset(&d, 0, sizeof d);
    d.encoder = d.decoder = "", d.latent = (int)latent, d.batch = 200;
#ifndef VAE_NO_THREADS
    d.threads = 2;
#endif
    d.likelihood = ref_kind(variance > 0 ? REF_GAUSSIAN : REF_GAUSSIAN_LEARNED, variance);
    return d;
}

/* The ELBO of float rows with the expectation over z in closed form, as a linear decoder has it:
 * noise adds sum_j sigma_j^2 |w_j|^2 / (2 s^2) to the reconstruction of the mean. */
static double linear_loss(vae *m, const float *x, size_t rows, size_t dim, size_t latent,
                          double variance) {
    float *mu = ref_floats(rows * latent), *logvar = ref_floats(rows * latent);
    float *mean = ref_floats(rows * dim);
    double sum = 0;
    size_t i, j;
    vae_tensor back;
    CHECK_STATUS(vae_tensor_at(m, 2, &back), VAE_OK);
    CHECK_STATUS(vae_encode(m, BATCH(x, rows), mu, logvar), VAE_OK);
    CHECK_STATUS(vae_decode(m, BATCH(mu, rows), mean), VAE_OK);
    for (i = 0; i < rows * dim; i++)
        sum += 0.5 * (pow((double)x[i] - (double)mean[i], 2) / variance + log(variance) +
                      REF_LOG_2PI);
    for (i = 0; i < rows; i++)
        for (j = 0; j < latent; j++) {
            const double u = (double)mu[i * latent + j], l = (double)logvar[i * latent + j];
            double squares = 0;
            size_t q;
            for (q = 0; q < dim; q++) squares += pow((double)back.data[j * dim + q], 2);
            sum += 0.5 * (exp(l) * squares / variance + u * u + expm1(l) - l);
        }
    free(mu), free(logvar), free(mean);
    return sum / (double)rows;
}

TEST(small_linear_vae_trained_from_scratch_reaches_the_exact_likelihood) {
    enum { ROWS = 1000, DIM = 6, LATENT = 2 };
    static float x[ROWS * DIM];
    double covariance[DIM * DIM] = {0}, mix[2][DIM], loss, s2;
    const double fixed[] = {0, 0.2};
    vae_data data = float_data(x, ROWS, DIM);
    uint64_t state = 72;
    size_t i, j, k, run;
    pca p;
    for (k = 0; k < 2; k++)
        for (j = 0; j < DIM; j++) mix[k][j] = (k ? 0.5 : 1.0) * ref_normal(&state);
    for (i = 0; i < ROWS; i++) {
        const double a = ref_normal(&state), b = ref_normal(&state);
        for (j = 0; j < DIM; j++)
            x[i * DIM + j] = (float)(0.3 * (double)j + a * mix[0][j] + b * mix[1][j] +
                                     0.4 * ref_normal(&state));
    }
    for (j = 0; j < DIM; j++)
        for (i = 0, p.mean[j] = 0; i < ROWS; i++) p.mean[j] += (double)x[i * DIM + j] / ROWS;
    for (i = 0; i < ROWS; i++)
        for (j = 0; j < DIM; j++)
            for (k = 0; k < DIM; k++)
                covariance[j * DIM + k] += ((double)x[i * DIM + j] - p.mean[j]) *
                                           ((double)x[i * DIM + k] - p.mean[k]) / ROWS;
    pca_of(&p, covariance, DIM, DIM, 300);
    for (run = 0; run < 2; run++) {
        const pca_best best = pca_bound(&p, LATENT, fixed[run]);
        vae_desc d = linear_desc(LATENT, fixed[run]);
        vae_stats s;
        vae_tensor t;
        vae *m = NULL;
        d.input = "6", d.batch = 100, d.threads = 1, d.lr = 3e-2, d.epochs = 300;
        d.schedule = VAE_SCHEDULE_COSINE, d.lr_steps = 3000;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        if (!m) break;
        CHECK_STATUS(vae_fit(m, &data, NULL, NULL, NULL), VAE_OK);
        s2 = best.variance;
        if (!run && vae_tensor_at(m, 4, &t) == VAE_OK) s2 = exp((double)t.data[0]);
        CHECK_NEAR(s2, best.variance, 0.02 * best.variance);
        loss = linear_loss(m, x, ROWS, DIM, LATENT, s2);
        CHECK_NEAR(loss, best.loss, 0.02);
        CHECK(loss > best.loss - 1e-4); /* nothing is better than the exact likelihood */
        CHECK_STATUS(vae_evaluate(m, &data, &s), VAE_OK);
        CHECK_NEAR(s.loss, loss, 0.12); /* a draw's deviation is about 1: four standard errors */
        pca_set(m, &p, LATENT, &best); /* and the closed form is the optimum */
        CHECK_NEAR(linear_loss(m, x, ROWS, DIM, LATENT, best.variance), best.loss, 1e-4);
        CHECK_STATUS(vae_evaluate(m, &data, &s), VAE_OK);
        CHECK_NEAR(s.kl, best.kl, 1e-4);
        vae_destroy(m);
    }
    free(p.vector);
}

/* Mean and covariance of MNIST's training images; sums of products of bytes are exact. */
static void pca_of_mnist(pca *p, const vae_data *train, size_t count) {
    const unsigned char *bytes = (const unsigned char *)train->bytes;
    uint32_t *sum = (uint32_t *)ref_alloc(784 * 784 * sizeof *sum); /* 60000 * 255^2 < 2^32 */
    double *covariance = ref_doubles(784 * 784), total[784] = {0};
    size_t i, j, k, lit, at[784];
    for (i = 0; i < train->count; i++) {
        const unsigned char *x = bytes + i * 784;
        for (j = 0, lit = 0; j < 784; j++)
            if (x[j]) at[lit++] = j, total[j] += x[j];
        for (j = 0; j < lit; j++)
            for (k = 0; k < lit; k++) sum[at[j] * 784 + at[k]] += (uint32_t)x[at[j]] * x[at[k]];
    }
    for (j = 0; j < 784; j++) p->mean[j] = total[j] / 255 / (double)train->count;
    for (j = 0; j < 784; j++)
        for (k = 0; k < 784; k++)
            covariance[j * 784 + k] = (double)sum[j * 784 + k] / 65025 / (double)train->count -
                                      p->mean[j] * p->mean[k];
    pca_of(p, covariance, 784, count, 150);
    free(sum), free(covariance);
}

/* latents, variance (0: learned), and what facts say of -ELBO and KL at the optimum. */
static const double linear_table[][5] = {{20, 0, -299.7584, 40.2029, 20},
                                         {100, 0.25, 240.3401, 20.7668, 39}};

TEST(linear_vae_at_the_closed_form_scores_the_exact_likelihood_of_mnist) {
    vae_data train, test;
    pca p;
    size_t run;
    if (!test_long) SKIP("long suite only");
    if (!mnist(&train, &test)) SKIP("DATA does not name a folder with MNIST");
    pca_of_mnist(&p, &train, 100);
    for (run = 0; run < 2; run++) {
        const size_t latent = (size_t)linear_table[run][0];
        const pca_best best = pca_bound(&p, latent, linear_table[run][1]);
        vae_desc d = linear_desc(latent, linear_table[run][1]);
        vae_stats s;
        vae *m = NULL;
        CHECK_NEAR(best.loss, linear_table[run][2], 0.01); /* 150 rounds of subspace iteration */
        CHECK_NEAR(best.kl, linear_table[run][3], 0.01);
        CHECK_EQ(best.active, linear_table[run][4]);
        d.input = "28x28x1", d.lr = 1e-5, d.epochs = 1;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        if (!m) break;
        pca_set(m, &p, latent, &best);
        CHECK_STATUS(vae_evaluate(m, &train, &s), VAE_OK);
        CHECK_NEAR(s.loss, best.loss, 0.05); /* one draw an image: deviation 3.2 / sqrt(60000) */
        CHECK_NEAR(s.kl, best.kl, 1e-3);
        CHECK_STATUS(vae_fit(m, &train, NULL, NULL, NULL), VAE_OK);
        CHECK_STATUS(vae_evaluate(m, &train, &s), VAE_OK);
        CHECK_NEAR(s.loss, best.loss, 0.5);
        vae_destroy(m);
    }
    free(p.vector);
    vae_data_free(&train);
    vae_data_free(&test);
}

/* Latents whose posterior mean varies over the images: Burda et al. 2016. */
static size_t active_latents(vae *m, const vae_data *data, size_t latent) {
    float x[100 * 784], *mu = ref_floats(100 * latent);
    double *sum = ref_doubles(latent), *squares = ref_doubles(latent);
    size_t i, j, active = 0;
    for (i = 0; i < data->count; i += 100) {
        vae_data_read(data, i, 100, x);
        CHECK_STATUS(vae_encode(m, BATCH(x, 100), mu, NULL), VAE_OK);
        for (j = 0; j < 100 * latent; j++)
            sum[j % latent] += (double)mu[j], squares[j % latent] += pow((double)mu[j], 2);
    }
    for (j = 0; j < latent; j++)
        active += squares[j] / (double)data->count - pow(sum[j] / (double)data->count, 2) > 0.01;
    free(mu), free(sum), free(squares);
    return active;
}

TEST(linear_vae_trained_from_scratch_reaches_the_exact_likelihood_of_mnist) {
    vae_data train, test;
    size_t run;
    if (!test_long) SKIP("long suite only");
    if (!mnist(&train, &test)) SKIP("DATA does not name a folder with MNIST");
    for (run = 0; run < 2; run++) {
        const size_t latent = (size_t)linear_table[run][0];
        vae_desc d = linear_desc(latent, linear_table[run][1]);
        vae_stats s;
        vae *m = NULL;
        size_t active;
        d.input = "28x28x1", d.lr = 1e-3, d.epochs = 150, d.visible_bias = VAE_BIAS_MEAN;
        d.schedule = VAE_SCHEDULE_COSINE, d.lr_steps = (uint64_t)d.epochs * 300;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        if (!m) break;
        CHECK_STATUS(vae_fit(m, &train, NULL, NULL, NULL), VAE_OK);
        CHECK_STATUS(vae_evaluate(m, &train, &s), VAE_OK);
        active = active_latents(m, &train, latent);
        CHECK_NEAR(s.loss, linear_table[run][2], 0.5);
        CHECK_NEAR(s.kl, linear_table[run][3], 0.5);
        CHECK(run ? active >= 36 && active <= 42 : active == 20);
        vae_destroy(m);
    }
    vae_data_free(&train);
    vae_data_free(&test);
}

/* ---- vae_bound of linear decoders ---- */
/* A linear decoder x = b + W z + s n with orthogonal columns: x is normal with covariance W W' +
 * s^2, the posterior is normal with mean M^-1 W' (x - b), variance s^2 M^-1, M = W'W + s^2
 * diagonal. The encoder can be that posterior exactly, and then each weight is p(x). */
enum { LINEAR_DIM = 9, LINEAR_L = 3 };
typedef struct linear {
    double w[LINEAR_L][LINEAR_DIM], b[LINEAR_DIM], s2, length[LINEAR_L];
} linear;
static void linear_make(linear *l, uint64_t *state) {
    size_t i, j, k;
    l->s2 = 0.3;
    for (k = 0; k < LINEAR_L; k++) {
        for (j = 0; j < LINEAR_DIM; j++) l->w[k][j] = ref_normal(state);
        for (i = 0; i < k; i++) {
            double dot = 0;
            for (j = 0; j < LINEAR_DIM; j++) dot += l->w[k][j] * l->w[i][j];
            for (j = 0; j < LINEAR_DIM; j++) l->w[k][j] -= dot * l->w[i][j] / l->length[i];
        }
        for (j = 0, l->length[k] = 0; j < LINEAR_DIM; j++) l->length[k] += pow(l->w[k][j], 2);
    }
    for (j = 0; j < LINEAR_DIM; j++) l->b[j] = ref_normal(state);
}
/* log N(x; b, W W' + s^2) by Cholesky's factor, which knows nothing of orthogonal columns. */
static double linear_exact(const linear *l, const float *x) {
    double c[LINEAR_DIM][LINEAR_DIM], y[LINEAR_DIM], sum = -0.5 * LINEAR_DIM * REF_LOG_2PI;
    size_t i, j, k;
    for (i = 0; i < LINEAR_DIM; i++)
        for (j = 0; j < LINEAR_DIM; j++)
            for (k = 0, c[i][j] = i == j ? l->s2 : 0; k < LINEAR_L; k++)
                c[i][j] += l->w[k][i] * l->w[k][j];
    for (i = 0; i < LINEAR_DIM; i++) {
        for (j = 0; j <= i; j++) {
            for (k = 0; k < j; k++) c[i][j] -= c[i][k] * c[j][k];
            c[i][j] = i == j ? sqrt(c[i][i]) : c[i][j] / c[j][j];
        }
        for (k = 0, y[i] = (double)x[i] - l->b[i]; k < i; k++) y[i] -= c[i][k] * y[k];
        y[i] /= c[i][i];
        sum -= log(c[i][i]) + 0.5 * y[i] * y[i];
    }
    return sum;
}
/* mu scaled and the variance widened: 1 and 0 make the encoder the posterior. */
static void linear_set(vae *m, const linear *l, double scale, double wider) {
    vae_tensor w, head, back, bias, noise;
    size_t j, k;
    CHECK(vae_tensor_at(m, 0, &w) == VAE_OK && vae_tensor_at(m, 1, &head) == VAE_OK &&
          vae_tensor_at(m, 2, &back) == VAE_OK && vae_tensor_at(m, 3, &bias) == VAE_OK &&
          vae_tensor_at(m, 4, &noise) == VAE_OK);
    memset(w.data, 0, w.count * sizeof(float));
    noise.data[0] = (float)log(l->s2);
    for (k = 0; k < LINEAR_L; k++) {
        const double inverse = 1 / (l->length[k] + l->s2);
        double middle = 0;
        for (j = 0; j < LINEAR_DIM; j++) {
            w.data[j * 2 * LINEAR_L + k] = (float)(scale * inverse * l->w[k][j]);
            back.data[k * LINEAR_DIM + j] = (float)l->w[k][j];
            bias.data[j] = (float)l->b[j];
            middle -= scale * inverse * l->w[k][j] * l->b[j];
        }
        head.data[k] = (float)middle;
        head.data[LINEAR_L + k] = (float)(log(l->s2 * inverse) + wider);
    }
}

TEST(a_bound_of_a_linear_model_is_its_exact_likelihood) {
    enum { ROWS = 10, TURNS = 16, K = 1000 };
    static const int ks[] = {1, 2, 50};
    float x[ROWS * LINEAR_DIM], bound[ROWS], one[ROWS];
    double exact[ROWS], gap = 0, worst = 0;
    uint64_t state = 93;
    vae_desc d;
    vae *m = NULL;
    linear l;
    size_t i, n;
    memset(&d, 0, sizeof d);
    d.input = "9", d.encoder = d.decoder = "", d.latent = LINEAR_L, d.batch = 32;
    d.likelihood = "gaussian_learned";
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    linear_make(&l, &state);
    ref_fill_normal(&state, x, ROWS * LINEAR_DIM, 1.5);
    for (i = 0; i < ROWS; i++) exact[i] = linear_exact(&l, x + i * LINEAR_DIM);
    linear_set(m, &l, 1, 0);
    for (n = 0; n < 3; n++) {
        CHECK_STATUS(vae_bound(m, BATCH(x, ROWS), ks[n], bound), VAE_OK);
        /* squares of some 2 over a variance of 0.3, about 60 in all, each to 1e-7 */
        for (i = 0; i < ROWS; i++) CHECK_NEAR((double)bound[i], exact[i], 5e-5);
    }
    linear_set(m, &l, 0.9, 0.4); /* and by importance weights that vary */
    CHECK_STATUS(vae_bound(m, BATCH(x, ROWS), 1, one), VAE_OK);
    for (i = 0; i < ROWS; i++) {
        double sum = 0, squares = 0, error;
        for (n = 0; n < TURNS; n++) {
            CHECK_STATUS(vae_bound(m, BATCH(x + i * LINEAR_DIM, 1,
                                            .first = (uint32_t)(i + ROWS * n)), K, bound),
                         VAE_OK);
            sum += (double)bound[0], squares += pow((double)bound[0], 2);
        }
        sum /= TURNS;
        error = sqrt(fabs(squares / TURNS - sum * sum) / (TURNS - 1));
        /* the mean of TURNS bounds, each low by half its variance; a standard error from 16 */
        CHECK_NEAR(sum, exact[i], 5 * error + 0.5 * TURNS * error * error + 5e-5);
        if (error > worst) worst = error;
        gap += (exact[i] - (double)one[i]) / ROWS;
    }
    CHECK(worst > 1e-4 && worst < 0.1 && gap > 0.1); /* it was an estimate */
    vae_destroy(m);
}

TEST(linear_vae_at_the_closed_form_has_the_exact_test_likelihood_of_mnist) {
    vae_data train, test;
    vae_desc d = linear_desc(20, 0);
    float *x, *bound;
    double one = 0, many = 0;
    vae *m = NULL;
    pca_best best;
    pca p;
    size_t i;
    if (!test_long) SKIP("long suite only");
    if (!mnist(&train, &test)) SKIP("DATA does not name a folder with MNIST");
    pca_of_mnist(&p, &train, 100);
    best = pca_bound(&p, 20, 0);
    d.input = "28x28x1", d.inference = 1;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    pca_set(m, &p, 20, &best);
    x = ref_floats(test.count * 784), bound = ref_floats(test.count);
    CHECK_STATUS(vae_data_read(&test, 0, test.count, x), VAE_OK);
    CHECK_STATUS(vae_bound(m, BATCH(x, test.count), 1, bound), VAE_OK);
    for (i = 0; i < test.count; i++) one -= (double)bound[i] / (double)test.count;
    CHECK_STATUS(vae_bound(m, BATCH(x, test.count), 500, bound), VAE_OK);
    for (i = 0; i < test.count; i++) many -= (double)bound[i] / (double)test.count;
    /* the encoder is the posterior: each weight is p(x). 150 rounds of subspace iteration */
    CHECK_NEAR(one, -306.5487, 0.005);
    CHECK_NEAR(many, -306.5487, 0.005);
    free(x), free(bound), free(p.vector);
    vae_destroy(m);
    vae_data_free(&train);
    vae_data_free(&test);
}

TESTS(linear) {
    vae__fpenv env;
    vae__fp_enter(&env); /* see reference.h */
    RUN(small_linear_vae_trained_from_scratch_reaches_the_exact_likelihood);
    RUN(linear_vae_at_the_closed_form_scores_the_exact_likelihood_of_mnist);
    RUN(linear_vae_trained_from_scratch_reaches_the_exact_likelihood_of_mnist);
    RUN(a_bound_of_a_linear_model_is_its_exact_likelihood);
    RUN(linear_vae_at_the_closed_form_has_the_exact_test_likelihood_of_mnist);
    vae__fp_leave(&env);
}
