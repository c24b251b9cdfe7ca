/* What training minimises, setting by setting, against the manual's formulas in double; and the
 * figures of a finished model: vae_bound, vae_units. Shapes are small enough for plain loops. */
#include "reference.h"

/* ---- networks with labels, heads and codes, one row at a time ---- */

enum { OBJ_IN = 7, OBJ_LATENT = 3, OBJ_ROWS = 5, OBJ_DRAWS = 5, OBJ_WIDE = 24, OBJ_CLASSES = 3 };

typedef struct obj_layer {
    int width; /* of a dense layer; negative: label of so many classes; 0: the end */
    vae_act act;
} obj_layer;

typedef struct obj_net {
    const char *text;
    obj_layer layers[4]; /* the head included */
} obj_net;

enum { OBJ_DEEP, OBJ_HEAD, OBJ_LABEL };
static const obj_net obj_encoders[] = {
    {"dense 6 tanh, dense 5 sigmoid",
     {{6, VAE_ACT_TANH}, {5, VAE_ACT_SIGMOID}, {2 * OBJ_LATENT, VAE_ACT_IDENTITY}}},
    {"", {{2 * OBJ_LATENT, VAE_ACT_IDENTITY}}},
    {"label 3, dense 6 tanh",
     {{-3, VAE_ACT_IDENTITY}, {6, VAE_ACT_TANH}, {2 * OBJ_LATENT, VAE_ACT_IDENTITY}}}};
static const obj_net obj_decoders[] = {
    {"dense 6 tanh", {{6, VAE_ACT_TANH}, {OBJ_IN, VAE_ACT_IDENTITY}}},
    {"", {{OBJ_IN, VAE_ACT_IDENTITY}}},
    {"dense 5 sigmoid, label 3",
     {{5, VAE_ACT_SIGMOID}, {-3, VAE_ACT_IDENTITY}, {OBJ_IN, VAE_ACT_IDENTITY}}}};

/* Parameters lie weight, bias, weight, bias ...; how many there were. y has room for OBJ_WIDE. */
static size_t obj_forward(const obj_layer *l, size_t in, const double *params, const double *x,
                          int label, double *y) {
    const double *p = params;
    double from[OBJ_WIDE];
    size_t i, j;
    memcpy(y, x, in * sizeof *y);
    for (; l->width; l++) {
        const size_t out = (size_t)(l->width < 0 ? -l->width : l->width);
        if (l->width < 0) {
            for (j = 0; j < out; j++) y[in++] = (int)j == label;
            continue;
        }
        memcpy(from, y, in * sizeof *y);
        for (j = 0; j < out; j++) {
            double sum = p[in * out + j];
            for (i = 0; i < in; i++) sum += from[i] * p[i * out + j];
            y[j] = ref_act(l->act, sum);
        }
        p += in * out + out;
        in = out;
    }
    return (size_t)(p - params);
}

/* ---- one training step, and all that went into it ---- */

typedef struct obj {
    vae *m;
    vae_desc d;             /* resolved */
    const obj_layer *enc, *dec;
    uint64_t step;          /* that was taken */
    double beta;            /* at that step */
    int exact;              /* contract in closed form */
    size_t count;           /* parameters */
    double *params;
    double x[OBJ_ROWS * OBJ_IN], seen[OBJ_ROWS * OBJ_IN], near[OBJ_ROWS * OBJ_IN];
    double eps[OBJ_ROWS * OBJ_DRAWS * OBJ_LATENT];
    int32_t labels[OBJ_ROWS];
    double weight[OBJ_ROWS * OBJ_DRAWS]; /* importance weights of the last obj_loss */
    vae_stats stats;        /* the library's */
} obj;

typedef struct obj_sums {
    double recon, kl, bound, loss, penalty;
} obj_sums;

/* mu and log variance of a head of the network. */
static void obj_head(const vae_desc *d, const double *head, double *mu, double *logvar) {
    size_t j;
    for (j = 0; j < OBJ_LATENT; j++) {
        const double a = head[OBJ_LATENT + j];
        double s = d->head == VAE_HEAD_SOFTPLUS ? ref_softplus(a) : d->head == VAE_HEAD_ABS
                       ? fabs(a) : a;
        mu[j] = ref_act(d->code, head[j]);
        if (s < 0.001) s = 0.001;
        logvar[j] = ref_clamp(d->head == VAE_HEAD_LOGVAR ? a : 2 * log(s), -30, 20);
    }
}

/* The loss as the manual has it. With `frozen` given, what DReG differentiates by the encoder's
 * parameters: sum_s w_s^2 (-log weight of draw s), w and the density q standing where `frozen` has
 * them (Tucker et al. 2019, equation 8). */
static obj_sums obj_loss(obj *o, const double *params, const double *frozen) {
    const vae_desc *d = &o->d;
    const size_t draws = (size_t)d->samples;
    const int weighs = d->objective != VAE_OBJECTIVE_ELBO && draws > 1;
    double unit[OBJ_LATENT] = {0}, head[OBJ_WIDE], out[OBJ_WIDE];
    double mu[OBJ_LATENT], lv[OBJ_LATENT], mu0[OBJ_LATENT], lv0[OBJ_LATENT], z[OBJ_LATENT];
    double counted = 0, surrogate = 0;
    obj_sums sum;
    size_t i, j, q, s, used, all;
    memset(&sum, 0, sizeof sum);
    for (i = 0; i < OBJ_ROWS; i++) {
        const double *x = o->x + i * OBJ_IN;
        double logw[OBJ_DRAWS], top = -1e300, total = 0;
        if (frozen) {
            (void)obj_forward(o->enc, OBJ_IN, frozen, o->seen + i * OBJ_IN, o->labels[i], head);
            obj_head(d, head, mu0, lv0);
        }
        used = obj_forward(o->enc, OBJ_IN, params, o->seen + i * OBJ_IN, o->labels[i], head);
        obj_head(d, head, mu, lv);
        for (j = 0; j < OBJ_LATENT; j++) {
            const double kl = 0.5 * (mu[j] * mu[j] + expm1(lv[j]) - lv[j]);
            sum.kl += kl / OBJ_ROWS, unit[j] += kl / OBJ_ROWS;
            sum.penalty += d->sparse * fabs(mu[j]) / OBJ_ROWS;
        }
        if (d->contract > 0 && o->exact) {
            for (j = 0; j < OBJ_LATENT; j++) {
                const double slope = ref_act_slope(d->code, head[j]);
                for (q = 0; q < OBJ_IN; q++)
                    sum.penalty += d->contract * pow(slope * params[q * 2 * OBJ_LATENT + j], 2) /
                                   OBJ_ROWS;
            }
        } else if (d->contract > 0) {
            (void)obj_forward(o->enc, OBJ_IN, params, o->near + i * OBJ_IN, o->labels[i], out);
            for (j = 0; j < OBJ_LATENT; j++)
                sum.penalty += d->contract * 1e4 * pow(ref_act(d->code, out[j]) - mu[j], 2) /
                               OBJ_ROWS;
        }
        for (s = 0; s < draws; s++) {
            const double *e = o->eps + (i * draws + s) * OBJ_LATENT;
            double recon, ratio = 0;
            for (j = 0; j < OBJ_LATENT; j++) {
                z[j] = mu[j] + (d->no_noise ? 0 : exp(0.5 * lv[j]) * e[j]);
                ratio += 0.5 * (z[j] * z[j] - (frozen ? pow(z[j] - mu0[j], 2) / exp(lv0[j]) + lv0[j]
                                                      : e[j] * e[j] + lv[j]));
            }
            all = used + obj_forward(o->dec, OBJ_LATENT, params + used, z, o->labels[i], out);
            recon = d->likelihood == VAE_LIKELIHOOD_BERNOULLI
                        ? ref_bernoulli(OBJ_IN, out, x, 0, NULL)
                        : ref_gaussian(OBJ_IN, out, x, params[all], 0, NULL, NULL);
            sum.recon += recon / (double)(OBJ_ROWS * draws);
            logw[s] = -(recon + o->beta * ratio);
            if (logw[s] > top) top = logw[s];
            if (frozen) surrogate -= pow(o->weight[i * draws + s], 2) * logw[s] / OBJ_ROWS;
        }
        for (s = 0; s < draws; s++) total += exp(logw[s] - top);
        for (s = 0; !frozen && s < draws; s++)
            o->weight[i * draws + s] = exp(logw[s] - top) / total;
        sum.bound += (top + log(total / (double)draws)) / OBJ_ROWS;
    }
    for (j = 0; j < OBJ_LATENT; j++) counted += unit[j] > d->free_bits ? unit[j] : d->free_bits;
    if (!weighs) sum.bound = -(sum.recon + sum.kl);
    sum.loss = frozen ? surrogate : weighs ? -sum.bound
                   : (d->no_recon ? 0 : sum.recon) +
                         o->beta * (d->free_bits > 0 ? counted : sum.kl);
    sum.loss += sum.penalty;
    return sum;
}

/* Floats of an address. */
static vae_stream obj_stream(const obj *o, vae_purpose purpose, size_t row, size_t replica) {
    vae_stream s;
    memset(&s, 0, sizeof s);
    s.seed = o->d.seed, s.purpose = purpose, s.time = (uint32_t)o->step;
    s.sample = (uint32_t)row, s.replica = (uint32_t)replica;
    return s;
}

/* Makes the model, away from where weights begin, and takes one step with gradients kept. The rate
 * is so small that no weight moves. */
static int obj_open(obj *o, const vae_desc *settings, int enc, int dec, uint64_t step) {
    vae_desc d = *settings;
    uint64_t state = 91 + (uint64_t)enc;
    float x[OBJ_ROWS * OBJ_IN], noise[OBJ_DRAWS * OBJ_LATENT + OBJ_IN];
    vae_report r;
    vae_info info;
    vae_tensor t;
    vae_stream s;
    size_t i, j, k;
    memset(o, 0, sizeof *o);
    memset(&r, 0, sizeof r);
    d.input = "7", d.latent = OBJ_LATENT, d.batch = OBJ_ROWS, d.seed = 5, d.lr = 1e-30;
    d.keep_gradients = 1, d.encoder = obj_encoders[enc].text, d.decoder = obj_decoders[dec].text;
    o->enc = obj_encoders[enc].layers, o->dec = obj_decoders[dec].layers, o->step = step;
    CHECK_STATUS(vae_create(&d, &o->m, &r), VAE_OK);
    if (!o->m) {
        test_report(__FILE__, __LINE__, "%s", r.text);
        return 0;
    }
    vae_get_desc(o->m, &o->d);
    vae_get_info(o->m, &info);
    o->count = info.parameters, o->params = ref_doubles(o->count);
    CHECK_STATUS(vae_tensor_at(o->m, 0, &t), VAE_OK);
    for (i = 0; i < o->count; i++) { /* they lie packed */
        t.data[i] = (float)((double)t.data[i] + 0.3 * ref_normal(&state));
        o->params[i] = (double)t.data[i];
    }
    for (i = 0; i < OBJ_ROWS * OBJ_IN; i++) {
        x[i] = (float)(i % 4 ? ref_uniform(&state, 0, 1) : (double)(i / 4 % 2));
        o->x[i] = (double)x[i];
    }
    for (i = 0; i < OBJ_ROWS; i++) {
        float seen[OBJ_IN];
        uint32_t words[OBJ_IN];
        const double limit = o->d.corruption * 4294967296.0;
        o->labels[i] = (int32_t)(i * 2 % OBJ_CLASSES);
        memcpy(seen, x + i * OBJ_IN, sizeof seen);
        s = obj_stream(o, VAE_PURPOSE_NOISE, i, 0);
        vae_random_normal(&s, 0, OBJ_IN, noise);
        vae_random_words(&s, 0, OBJ_IN, words);
        for (j = 0; j < OBJ_IN; j++) {
            const double w = (double)words[j];
            if (o->d.corrupt == VAE_CORRUPT_GAUSSIAN)
                seen[j] = ref_fma((float)o->d.corruption, noise[j], seen[j]);
            if (o->d.corrupt == VAE_CORRUPT_MASK && w < limit) seen[j] = 0;
            if (o->d.corrupt == VAE_CORRUPT_SALT_PEPPER && w < limit) seen[j] = w < limit / 2;
        }
        s = obj_stream(o, VAE_PURPOSE_NOISE, i, 1);
        vae_random_normal(&s, 0, OBJ_IN, noise);
        for (j = 0; j < OBJ_IN; j++) {
            o->seen[i * OBJ_IN + j] = (double)seen[j];
            o->near[i * OBJ_IN + j] = (double)ref_fma(0.01f, noise[j], seen[j]);
        }
        for (k = 0; k < (size_t)o->d.samples; k++) {
            s = obj_stream(o, VAE_PURPOSE_EPS, i, k);
            vae_random_normal(&s, 0, OBJ_LATENT, noise);
            for (j = 0; j < OBJ_LATENT; j++)
                o->eps[(i * (size_t)o->d.samples + k) * OBJ_LATENT + j] = (double)noise[j];
        }
    }
    k = (size_t)(o->d.cycle_steps ? step % o->d.cycle_steps : step);
    o->beta = o->d.no_kl ? 0 : o->d.beta;
    if (k < o->d.warmup_steps) o->beta = o->beta * (double)k / (double)o->d.warmup_steps;
    o->exact = enc == OBJ_HEAD;
    o->m->step = step;
    CHECK_STATUS(vae_train_step(o->m, BATCH(x, OBJ_ROWS, .labels = o->labels,
                                            .label_count = OBJ_ROWS), &o->stats), VAE_OK);
    for (i = 0; i < o->count; i++) CHECK((double)t.data[i] == o->params[i]);
    return 1;
}
static void obj_close(obj *o) {
    vae_destroy(o->m);
    free(o->params);
}

/* ---- every objective against its formula ---- */

/* Objective number n of both networks; 0 when there is none. */
static int obj_case(int n, vae_desc *d, int *enc, int *dec, uint64_t *step) {
    static const vae_act closed[] = {VAE_ACT_IDENTITY, VAE_ACT_RELU, VAE_ACT_TANH,
                                     VAE_ACT_SIGMOID};
    const int way = n / 2;
    memset(d, 0, sizeof *d);
    d->likelihood = n % 2 ? VAE_LIKELIHOOD_GAUSSIAN_LEARNED : VAE_LIKELIHOOD_BERNOULLI;
    d->variance = 0.4;
    *enc = *dec = OBJ_DEEP, *step = 0;
    switch (way) {
    case 0: break; /* the ELBO */
    case 1: d->samples = 3; break;
    case 2: d->objective = VAE_OBJECTIVE_IWAE; break;
    case 3: d->objective = VAE_OBJECTIVE_IWAE, d->samples = 5, *step = 9; break;
    case 4: d->objective = VAE_OBJECTIVE_IWAE, d->samples = 4, d->beta = 0.5; break;
    case 5:
        d->objective = VAE_OBJECTIVE_IWAE, d->samples = 2, d->warmup_steps = 8, *step = 2;
        break;
    case 6: d->objective = VAE_OBJECTIVE_DREG, d->samples = 5, *step = 3; break;
    case 7: d->objective = VAE_OBJECTIVE_DREG, d->samples = 3, d->beta = 0.5; break;
    case 8: d->objective = VAE_OBJECTIVE_DREG; break;
    case 9: d->beta = 0.5; break;
    case 10: d->free_bits = 0.25; break;
    case 11: d->free_bits = 0.3, d->beta = 3, d->samples = 2; break;
    case 12: d->warmup_steps = 8, d->beta = 2, *step = 3; break;
    case 13: d->warmup_steps = 8, d->cycle_steps = 10, *step = 25; break;
    case 14: d->warmup_steps = 8, d->cycle_steps = 10, *step = 19; break;
    case 15: d->no_kl = 1; break;
    case 16: d->no_recon = 1; break;
    case 17: d->no_recon = 1, d->free_bits = 0.3, d->beta = 2; break;
    case 18: d->no_noise = d->no_kl = 1; break;
    case 19: d->no_noise = 1; break;
    case 20: d->sparse = 0.7; break;
    case 21: d->sparse = 0.2, d->no_noise = d->no_kl = 1; break;
    case 22: case 23: case 24: case 25:
        d->contract = 0.6, d->code = closed[way - 22], *enc = OBJ_HEAD;
        break;
    case 26: d->contract = 0.4; break;
    case 27: d->contract = 0.4, d->code = VAE_ACT_SIGMOID, d->no_noise = d->no_kl = 1; break;
    case 28: d->corrupt = VAE_CORRUPT_GAUSSIAN; break;
    case 29: d->corrupt = VAE_CORRUPT_MASK, d->corruption = 0.4, *step = 4; break;
    case 30: d->corrupt = VAE_CORRUPT_SALT_PEPPER, d->corruption = 0.5; break;
    case 31: d->corrupt = VAE_CORRUPT_GAUSSIAN, d->contract = 0.2, d->samples = 2; break;
    case 32: *enc = *dec = OBJ_LABEL; break;
    case 33: *enc = *dec = OBJ_LABEL, d->objective = VAE_OBJECTIVE_IWAE, d->samples = 3; break;
    case 34: *enc = *dec = OBJ_LABEL, d->contract = 0.3, d->free_bits = 0.2; break;
    case 35: d->head = VAE_HEAD_SOFTPLUS, d->code = VAE_ACT_SIGMOID; break;
    case 36:
        d->head = VAE_HEAD_SOFTPLUS, d->code = VAE_ACT_TANH;
        d->objective = VAE_OBJECTIVE_DREG, d->samples = 4;
        break;
    case 37: d->head = VAE_HEAD_ABS, d->code = VAE_ACT_GELU, d->sparse = 0.1; break;
    case 38: /* all at once */
        d->objective = VAE_OBJECTIVE_IWAE, d->samples = 3, d->sparse = 0.3, d->contract = 0.5;
        d->corrupt = VAE_CORRUPT_MASK, d->warmup_steps = 4, *step = 3, *enc = OBJ_HEAD;
        d->code = VAE_ACT_SIGMOID, d->head = VAE_HEAD_SOFTPLUS;
        break;
    case 39:
        d->objective = VAE_OBJECTIVE_DREG, d->samples = 3, d->sparse = 0.3, d->contract = 0.5;
        d->corrupt = VAE_CORRUPT_GAUSSIAN, *dec = OBJ_LABEL;
        break;
    default: return 0;
    }
    return 1;
}

TEST(every_objective_has_the_loss_of_its_formula) {
    vae_desc d;
    int n, enc, dec;
    uint64_t step;
    for (n = 0; obj_case(n, &d, &enc, &dec, &step); n++) {
        obj o;
        obj_sums want;
        double tol;
        if (!obj_open(&o, &d, enc, dec, step)) return;
        want = obj_loss(&o, o.params, NULL);
        /* sums of some 40 terms, each a chain of a few dozen roundings of 6e-8; two views differ
         * by some 0.01, of which a code's rounding of 1e-7 is 1e-5, twice in a square */
        tol = 3e-6 * (1 + fabs(want.recon) + o.beta * want.kl);
        CHECK_NEAR(o.stats.recon, want.recon, tol);
        CHECK_NEAR(o.stats.kl, want.kl, 3e-6 * (1 + want.kl));
        CHECK_NEAR(o.stats.elbo, -(want.recon + want.kl), 3e-6 * (1 + fabs(want.recon) + want.kl));
        CHECK_NEAR(o.stats.bound, want.bound, 3e-6 * (1 + fabs(want.recon) + want.kl));
        CHECK_NEAR(o.stats.loss, want.loss,
                   tol + want.penalty * (!o.exact && o.d.contract > 0 ? 1e-4 : 3e-6));
        CHECK_EQ(o.stats.images, OBJ_ROWS);
        if (test_bad) {
            test_report(__FILE__, __LINE__, "objective %d", n);
            n = 1000;
        }
        obj_close(&o);
    }
    CHECK_EQ(n, 80);
}

/* Each tensor's gradient along random directions against central differences of the formula: h^2 of
 * truncation and 1e-15 / h of rounding there, both below 1e-8; a float's 6e-8 a few dozen times in
 * the library. Relative to the gradient's length times the direction's deviation of 1; of two views
 * 1e-7 / 0.01 of their difference, amplified again by 1 / 0.01 of the weight's way. */
TEST(every_objective_has_the_gradient_of_its_formula) {
    const double h = 1e-5;
    uint64_t state = 92;
    double worst = 0;
    vae_desc d;
    int n, enc, dec;
    uint64_t step;
    for (n = 0; obj_case(n, &d, &enc, &dec, &step); n++) {
        obj o;
        double *moved, *along;
        vae_tensor t;
        size_t i, j, at = 0, tensor;
        if (!obj_open(&o, &d, enc, dec, step)) return;
        moved = ref_doubles(o.count), along = ref_doubles(o.count);
        (void)obj_loss(&o, o.params, NULL); /* for the weights */
        for (tensor = 0; vae_tensor_at(o.m, tensor, &t) == VAE_OK; at += t.count, tensor++) {
            const int dreg = o.d.objective == VAE_OBJECTIVE_DREG && o.d.samples > 1 &&
                             !strncmp(t.name, "encoder", 7);
            const double *frozen = dreg ? o.params : NULL;
            const double part = !o.exact && o.d.contract > 0 ? 3e-4 : 1e-5;
            double norm = 0;
            CHECK(t.grad != NULL);
            for (j = 0; j < t.count; j++) norm += pow((double)t.grad[j], 2);
            norm = sqrt(norm);
            for (i = 0; i < 4; i++) {
                double slope = 0, quotient;
                memcpy(moved, o.params, o.count * sizeof *moved);
                for (j = 0; j < t.count; j++) {
                    along[j] = ref_normal(&state), slope += along[j] * (double)t.grad[j];
                    moved[at + j] = o.params[at + j] + h * along[j];
                }
                quotient = obj_loss(&o, moved, frozen).loss;
                for (j = 0; j < t.count; j++) moved[at + j] = o.params[at + j] - h * along[j];
                quotient = (quotient - obj_loss(&o, moved, frozen).loss) / (2 * h);
                if (!dreg && o.d.objective != VAE_OBJECTIVE_ELBO)
                    (void)obj_loss(&o, o.params, NULL); /* the weights of here again */
                if (!(fabs(slope - quotient) <= part * norm + 2e-7))
                    test_report(__FILE__, __LINE__, "objective %d, %s: %.9g, not %.9g of %.3g", n,
                                t.name, slope, quotient, norm);
                if (fabs(slope - quotient) / (part * norm + 2e-7) > worst)
                    worst = fabs(slope - quotient) / (part * norm + 2e-7);
            }
        }
        CHECK_EQ(at, o.count);
        free(moved), free(along);
        obj_close(&o);
    }
    CHECK(worst > 1e-4); /* it was compared */
}


/* ---- importance weights in training ---- */

/* The same weights at another noise, step after step. */
static vae_desc obj_still(void) {
    vae_desc d = small_desc();
    d.lr = 1e-30, d.keep_gradients = 1;
    return d;
}

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

/* The model of these bytes, otherwise housed. */
static vae *obj_twin(const unsigned char *bytes, size_t size, int batch, int threads, vae_isa isa,
                     int inference) {
    vae_load_options o;
    vae *m = NULL;
    memset(&o, 0, sizeof o);
#ifndef VAE__THREADS
    threads = 1;
#endif
    o.batch = batch, o.threads = threads, o.isa = isa, o.inference = inference;
    CHECK_STATUS(vae_load_memory(bytes, size, &o, &m, NULL), VAE_OK);
    return m;
}

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
        if (way == 1) d.likelihood = VAE_LIKELIHOOD_GAUSSIAN_PIXEL, d.encoder = "conv 3 3x3/2 relu";
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
    d.likelihood = VAE_LIKELIHOOD_GAUSSIAN_LEARNED;
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

/* ---- early stopping and the plateau ---- */

enum { COURSE_TRAIN = 16, COURSE_TEST = 24, COURSE_MOST = 200 };
typedef struct course {
    uint64_t calls, stop_at; /* stops at that call; 0: never */
    size_t epochs;           /* done */
    double loss[COURSE_MOST + 1], lr[COURSE_MOST + 1]; /* of the test after epoch i; then */
} course;
static int course_note(vae *m, const vae_progress *p, void *user) {
    course *c = (course *)user;
    if (p->epoch_done && c->epochs < COURSE_MOST) {
        CHECK(p->has_test);
        c->lr[c->epochs] = vae__lr_now(m);
        c->loss[c->epochs++] = p->test.loss;
    }
    return ++c->calls == c->stop_at;
}
/* So few images that a network learns them by heart. */
static vae_desc course_desc(float *x, vae_data *train, vae_data *test) {
    vae_desc d = small_desc();
    size_t i;
    small_images(x, COURSE_TRAIN + COURSE_TEST, 30);
    for (i = 0; i < (COURSE_TRAIN + COURSE_TEST) * 30; i++)
        x[i] = x[i] > (i / 30 % 3 ? 0.7f : 0.3f);
    *train = float_data(x, COURSE_TRAIN, 30);
    *test = float_data(x + COURSE_TRAIN * 30, COURSE_TEST, 30);
    d.lr = 2e-2, d.epochs = COURSE_MOST;
    return d;
}
/* The first epoch of `count`, from 1, with the lowest loss. */
static size_t course_best(const double *loss, size_t count) {
    size_t i, best = 1;
    for (i = 2; i <= count; i++)
        if (loss[i - 1] < loss[best - 1]) best = i;
    return best;
}

TEST(patience_ends_a_fit_after_its_epochs_without_a_lower_test_loss) {
    enum { PATIENCE = 4 };
    float x[(COURSE_TRAIN + COURSE_TEST) * 30];
    vae_data train, test;
    vae_desc d = course_desc(x, &train, &test);
    static course whole, c;
    vae_info info;
    vae *m = NULL;
    uint64_t hash, at;
    size_t e, best;
    d.patience = PATIENCE;
    memset(&whole, 0, sizeof whole);
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    vae_get_info(m, &info);
    CHECK(info.best_epoch == 0);
    CHECK_STATUS(vae_fit(m, &train, &test, course_note, &whole), VAE_OK);
    vae_get_info(m, &info);
    best = course_best(whole.loss, whole.epochs);
    CHECK(whole.epochs > PATIENCE + 2 && whole.epochs < COURSE_MOST); /* it learned, then not */
    CHECK_EQ(info.epoch, whole.epochs);
    CHECK_EQ(whole.epochs - best, PATIENCE);
    for (e = 1; e < whole.epochs; e++) CHECK(e - course_best(whole.loss, e) < PATIENCE);
    CHECK_EQ(info.best_epoch, best);
    CHECK(info.best == whole.loss[best - 1]);
    at = whole.calls;
    CHECK_STATUS(vae_fit(m, &train, &test, course_note, &whole), VAE_OK); /* it has ended */
    CHECK_EQ(whole.calls, at);
    hash = vae_params_hash(m);
    vae_destroy(m);
    for (at = 1; at <= whole.calls; at += at % 3 + 1) { /* two steps and an end an epoch */
        size_t size;
        unsigned char *bytes;
        memset(&c, 0, sizeof c);
        c.stop_at = at;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        CHECK_STATUS(vae_fit(m, &train, &test, course_note, &c),
                     at < whole.calls ? VAE_STOPPED : VAE_OK);
        bytes = file_of(m, 0, &size);
        vae_destroy(m);
        m = NULL;
        CHECK_STATUS(vae_load_memory(bytes, size, NULL, &m, NULL), VAE_OK);
        free(bytes);
        if (!m) return;
        CHECK_STATUS(vae_fit(m, &train, &test, course_note, &c), VAE_OK);
        vae_get_info(m, &info);
        CHECK(info.epoch == whole.epochs && info.best_epoch == best);
        CHECK(info.best == whole.loss[best - 1]);
        CHECK(vae_params_hash(m) == hash);
        CHECK_EQ(c.epochs, whole.epochs);
        CHECK(!memcmp(c.loss, whole.loss, whole.epochs * sizeof(double)));
        vae_destroy(m);
    }
    d.patience = 0, d.epochs = (int)whole.epochs + 2; /* the best is known without patience too */
    memset(&c, 0, sizeof c);
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    CHECK_STATUS(vae_fit(m, &train, &test, course_note, &c), VAE_OK);
    vae_get_info(m, &info);
    CHECK(info.epoch == whole.epochs + 2 && info.best_epoch == course_best(c.loss, c.epochs));
    vae_destroy(m);
}

TEST(a_plateau_cuts_the_rate_after_its_epochs_without_a_lower_test_loss) {
    enum { PLATEAU = 2, EPOCHS = 40 };
    float x[(COURSE_TRAIN + COURSE_TEST) * 30], before[1000];
    vae_data train, test;
    vae_desc d = course_desc(x, &train, &test);
    static course whole, c;
    double lr = 0.02, best = 1e300;
    vae_tensor t;
    vae_info info;
    vae *m = NULL;
    uint64_t hash, at;
    size_t e, since = 0, cuts = 0, i;
    d.schedule = VAE_SCHEDULE_PLATEAU, d.plateau_epochs = PLATEAU, d.lr_factor = 0.25;
    d.optimizer = VAE_OPTIMIZER_SGD, d.lr = lr, d.epochs = EPOCHS, d.keep_gradients = 1;
    memset(&whole, 0, sizeof whole);
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    CHECK_STATUS(vae_fit(m, &train, &test, course_note, &whole), VAE_OK);
    CHECK_EQ(whole.epochs, EPOCHS);
    for (e = 1; e <= EPOCHS; e++) {
        if (whole.loss[e - 1] < best) best = whole.loss[e - 1], since = e;
        if (e - since >= PLATEAU) lr *= 0.25, since = e, cuts++;
        CHECK_NEAR(whole.lr[e - 1], lr, 1e-12 * lr);
    }
    CHECK(cuts >= 2 && cuts < EPOCHS / PLATEAU - 2); /* it both waited and cut */
    hash = vae_params_hash(m);
    vae_get_info(m, &info);
    CHECK(info.parameters <= 1000 && vae_tensor_at(m, 0, &t) == VAE_OK);
    memcpy(before, t.data, info.parameters * sizeof(float));
    CHECK_STATUS(vae_train_step(m, BATCH(x, 8), NULL), VAE_OK);
    for (i = 0; i < info.parameters; i++) /* what SGD does at that rate */
        CHECK(ref_same(t.data[i], ref_fma(-(float)lr, t.grad[i], before[i])) ||
              fabs((double)t.data[i] - ((double)before[i] - lr * (double)t.grad[i])) <=
                  6e-8 * fabs((double)before[i]) + 1e-6 * lr * fabs((double)t.grad[i]));
    vae_destroy(m);
    for (at = 1; at < whole.calls; at += 7) {
        size_t size;
        unsigned char *bytes;
        memset(&c, 0, sizeof c);
        c.stop_at = at;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        CHECK_STATUS(vae_fit(m, &train, &test, course_note, &c), VAE_STOPPED);
        bytes = file_of(m, 0, &size);
        vae_destroy(m);
        m = NULL;
        CHECK_STATUS(vae_load_memory(bytes, size, NULL, &m, NULL), VAE_OK);
        free(bytes);
        if (!m) return;
        CHECK_STATUS(vae_fit(m, &train, &test, course_note, &c), VAE_OK);
        CHECK(vae_params_hash(m) == hash);
        CHECK(!memcmp(c.lr, whole.lr, sizeof whole.lr));
        vae_destroy(m);
    }
}

TEST(patience_and_a_plateau_need_test_data) {
    float x[(COURSE_TRAIN + COURSE_TEST) * 30];
    vae_data train, test;
    int way;
    for (way = 0; way < 2; way++) {
        vae_desc d = course_desc(x, &train, &test);
        vae_info info;
        vae *m = NULL;
        if (way) d.patience = 1;
        else d.schedule = VAE_SCHEDULE_PLATEAU;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        CHECK_STATUS(vae_fit(m, &train, NULL, NULL, NULL), VAE_ERR_NULL);
        CHECK_SAYS(*vae_last_report(m), "test data");
        vae_get_info(m, &info);
        CHECK_EQ(info.step, 0);
        vae_destroy(m);
    }
}

/* ---- classes ---- */

enum { CLASSES = 4 };
static vae_desc class_desc(void) {
    vae_desc d = small_desc();
    d.encoder = "flatten, label 4, dense 12 tanh", d.decoder = "label 4, dense 9 relu";
    return d;
}
static void class_labels(int32_t *labels, size_t count) {
    size_t i;
    for (i = 0; i < count; i++) labels[i] = (int32_t)((i * i + i / 3) % CLASSES);
}

#define LABELS(array) .labels = array, .label_count = sizeof array / sizeof array[0]

TEST(networks_with_labels_must_be_told_the_class) {
    vae_desc d = class_desc();
    float x[8 * 30], z[24] = {0}, out[8 * 30] = {5};
    const int32_t good[] = {3, 0}, high[] = {0, 1, 4}, low[] = {-1};
    double worst;
    size_t size;
    unsigned char *bytes;
    vae_info info;
    vae *m = NULL, *twin, *plain = small_model();
    small_images(x, 8, 30);
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    vae_get_info(m, &info);
    CHECK_EQ(info.classes, CLASSES);
    CHECK_STATUS(vae_train_step(m, BATCH(x, 8), NULL), VAE_ERR_STATE);
    CHECK_SAYS(*vae_last_report(m), "give labels");
    CHECK_STATUS(vae_check_gradients(m, BATCH(x, 8), 1, &worst), VAE_ERR_STATE);
    CHECK_STATUS(vae_encode(m, BATCH(x, 8), out, NULL), VAE_ERR_STATE);
    CHECK_STATUS(vae_posterior(m, BATCH(x, 8, .eps = z), out), VAE_ERR_STATE);
    CHECK_STATUS(vae_decode(m, BATCH(z, 8), out), VAE_ERR_STATE);
    CHECK_STATUS(vae_decode_logits(m, BATCH(z, 8), out), VAE_ERR_STATE);
    CHECK_STATUS(vae_draw(m, BATCH(z, 8), 1, out), VAE_ERR_STATE);
    CHECK_STATUS(vae_reconstruct(m, BATCH(x, 8), out), VAE_ERR_STATE);
    CHECK_STATUS(vae_sample_prior(m, BATCH(NULL, 8), 1, out), VAE_ERR_STATE);
    CHECK_STATUS(vae_score(m, BATCH(x, 8), out, NULL, NULL), VAE_ERR_STATE);
    CHECK_STATUS(vae_bound(m, BATCH(x, 8), 2, out), VAE_ERR_STATE);
    CHECK(out[0] == 5 && out[1] == 0);
    CHECK_STATUS(vae_encode(m, BATCH(x, 8, .label_count = 2), out, NULL), VAE_ERR_STATE);
    CHECK_STATUS(vae_encode(m, BATCH(x, 8, .labels = good), out, NULL), VAE_ERR_STATE);
    CHECK_STATUS(vae_encode(m, BATCH(x, 8, LABELS(high)), out, NULL), VAE_ERR_VALUE);
    CHECK_SAYS(*vae_last_report(m), "row 2: class 4; the networks know 0 to 3");
    CHECK_STATUS(vae_train_step(m, BATCH(x, 8, LABELS(high)), NULL), VAE_ERR_VALUE);
    CHECK_STATUS(vae_check_gradients(m, BATCH(x, 8, LABELS(high)), 1, &worst), VAE_ERR_VALUE);
    CHECK_STATUS(vae_posterior(m, BATCH(x, 8, LABELS(high)), out), VAE_ERR_VALUE);
    CHECK_STATUS(vae_decode(m, BATCH(z, 8, LABELS(high)), out), VAE_ERR_VALUE);
    CHECK_STATUS(vae_decode_logits(m, BATCH(z, 8, LABELS(high)), out), VAE_ERR_VALUE);
    CHECK_STATUS(vae_draw(m, BATCH(z, 8, LABELS(high)), 1, out), VAE_ERR_VALUE);
    CHECK_STATUS(vae_reconstruct(m, BATCH(x, 8, LABELS(low)), out), VAE_ERR_VALUE);
    CHECK_SAYS(*vae_last_report(m), "row 0: class -1");
    CHECK_STATUS(vae_sample_prior(m, BATCH(NULL, 8, LABELS(low)), 1, out), VAE_ERR_VALUE);
    CHECK_STATUS(vae_score(m, BATCH(x, 8, LABELS(low)), out, NULL, NULL), VAE_ERR_VALUE);
    CHECK_STATUS(vae_bound(m, BATCH(x, 8, LABELS(low)), 2, out), VAE_ERR_VALUE);
    CHECK(out[0] == 5 && out[1] == 0);
    CHECK_STATUS(vae_train_step(m, BATCH(x, 8, LABELS(good)), NULL), VAE_OK);
    CHECK_STATUS(vae_encode(m, BATCH(x, 2, LABELS(high)), out, NULL), VAE_OK); /* of 2 rows */
    CHECK_STATUS(vae_encode(m, BATCH(x, 8), out, NULL), VAE_ERR_STATE); /* nothing is kept */
    CHECK_STATUS(vae_prior(m, BATCH(NULL, 8), 1, out), VAE_OK); /* the prior knows no class */
    bytes = file_of(m, 0, &size);
    twin = obj_twin(bytes, size, 0, 1, VAE_ISA_AUTO, 1);
    vae_get_info(twin, &info);
    CHECK_EQ(info.classes, CLASSES);
    CHECK_STATUS(vae_encode(twin, BATCH(x, 8), out, NULL), VAE_ERR_STATE); /* files know no rows */
    CHECK_STATUS(vae_encode(plain, BATCH(x, 8, LABELS(low)), out, NULL), VAE_OK); /* not read */
    vae_get_info(plain, &info);
    CHECK_EQ(info.classes, 0);
    free(bytes);
    vae_destroy(m), vae_destroy(twin), vae_destroy(plain);
}

/* Pixel by pixel the channels, then as many planes as there are classes. */
TEST(a_label_is_one_hot_planes_behind_the_channels) {
    enum { NUMBERS = 2 * 2 * (3 + 3) };
    vae_desc d = small_desc();
    float x[2 * 12], mu[2 * NUMBERS];
    const int32_t classes[] = {2, 0};
    vae_tensor t;
    vae *m = NULL;
    size_t i, p, j;
    d.input = "2x2x3", d.encoder = "label 3", d.latent = NUMBERS;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    CHECK_STATUS(vae_tensor_at(m, 0, &t), VAE_OK);
    CHECK(t.shape[0] == NUMBERS && t.shape[1] == 2 * NUMBERS);
    memset(t.data, 0, t.count * sizeof(float));
    for (j = 0; j < NUMBERS; j++) t.data[j * 2 * NUMBERS + j] = 1; /* mu is what the head sees */
    small_images(x, 2, 12);
    CHECK_STATUS(vae_encode(m, BATCH(x, 2, LABELS(classes)), mu, NULL), VAE_OK);
    for (i = 0; i < 2; i++)
        for (p = 0; p < 4; p++)
            for (j = 0; j < 6; j++)
                CHECK(mu[i * NUMBERS + p * 6 + j] ==
                      (j < 3 ? x[i * 12 + p * 3 + j] : (float)(classes[i] == (int32_t)j - 3)));
    vae_destroy(m);
}

TEST(every_row_keeps_its_class_whatever_the_buffers) {
    enum { ROWS = 21, L = 3 };
    static const char *const encoders[] = {"flatten, label 4, dense 12 tanh",
                                           "label 4, conv 3 3x3/2 relu, label 4",
                                           "dense 12 tanh"};
    static const char *const decoders[] = {"label 4, dense 9 relu", "dense 9 relu",
                                           "dense 9 relu, label 4"};
    int way, run;
    for (way = 0; way < 3; way++) {
        vae_desc d = class_desc();
        float x[ROWS * 30], eps[ROWS * L], z[ROWS * L], mu[ROWS * L], lv[ROWS * L];
        float mean[ROWS * 30], logits[ROWS * 30], draw[ROWS * 30], again[ROWS * 30];
        float prior[ROWS * 30], elbo[ROWS], bound[ROWS], one[30];
        int32_t labels[ROWS];
        uint64_t state = 94;
        size_t size, i;
        unsigned char *bytes;
        vae *m = NULL;
        d.encoder = encoders[way], d.decoder = decoders[way];
        small_images(x, ROWS, 30);
        ref_fill_normal(&state, eps, ROWS * L, 1);
        class_labels(labels, ROWS);
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        for (i = 0; i < 4; i++)
            CHECK_STATUS(vae_train_step(m, BATCH(x, 8, LABELS(labels)), NULL), VAE_OK);
        bytes = file_of(m, 0, &size);
        for (run = 0; run < 4; run++) {
            vae *twin = run ? obj_twin(bytes, size, run == 1 ? 64 : 5, run == 1 ? 1 : 3,
                                       VAE_ISA_AUTO, run > 1) : m;
            vae_batch of_x = *BATCH(x, ROWS, .first = 9, LABELS(labels)), of_z = of_x;
            vae_batch noisy = of_x;
            of_z.x = eps, noisy.eps = eps;
            CHECK_STATUS(vae_encode(twin, &of_x, mu, lv), VAE_OK);
            CHECK_STATUS(vae_posterior(twin, &noisy, z), VAE_OK);
            CHECK_STATUS(vae_decode(twin, &of_z, mean), VAE_OK);
            CHECK_STATUS(vae_decode_logits(twin, &of_z, logits), VAE_OK);
            CHECK_STATUS(vae_draw(twin, &of_z, 3, draw), VAE_OK);
            CHECK_STATUS(vae_reconstruct(twin, &of_x, again), VAE_OK);
            CHECK_STATUS(vae_sample_prior(twin, &of_x, 3, prior), VAE_OK);
            CHECK_STATUS(vae_score(twin, &of_x, elbo, NULL, NULL), VAE_OK);
            CHECK_STATUS(vae_bound(twin, &of_x, 4, bound), VAE_OK);
            for (i = 0; i < ROWS; i++) {
                of_x = *BATCH(x + i * 30, 1, .first = 9 + (uint32_t)i, .labels = labels + i,
                              .label_count = 1);
                of_z = noisy = of_x, of_z.x = noisy.eps = eps + i * L;
                CHECK_STATUS(vae_encode(m, &of_x, one, one + L), VAE_OK);
                CHECK(!memcmp(one, mu + i * L, sizeof(float) * L));
                CHECK(!memcmp(one + L, lv + i * L, sizeof(float) * L));
                CHECK_STATUS(vae_posterior(m, &noisy, one),
                             VAE_OK);
                CHECK(!memcmp(one, z + i * L, sizeof(float) * L));
                CHECK_STATUS(vae_decode(m, &of_z, one), VAE_OK);
                CHECK(!memcmp(one, mean + i * 30, sizeof one));
                CHECK_STATUS(vae_decode_logits(m, &of_z, one), VAE_OK);
                CHECK(!memcmp(one, logits + i * 30, sizeof one));
                CHECK_STATUS(vae_draw(m, &of_z, 3, one), VAE_OK);
                CHECK(!memcmp(one, draw + i * 30, sizeof one));
                CHECK_STATUS(vae_reconstruct(m, &of_x, one), VAE_OK);
                CHECK(!memcmp(one, again + i * 30, sizeof one));
                CHECK_STATUS(vae_sample_prior(m, &of_x, 3, one), VAE_OK);
                CHECK(!memcmp(one, prior + i * 30, sizeof one));
                CHECK_STATUS(vae_score(m, &of_x, one, NULL, NULL),
                             VAE_OK);
                CHECK(ref_same(one[0], elbo[i]));
                CHECK_STATUS(vae_bound(m, &of_x, 4, one), VAE_OK);
                CHECK(ref_same(one[0], bound[i]));
            }
            if (run) vae_destroy(twin);
        }
        {   /* the class matters to both nets that have it, and one is enough for all rows */
            const int32_t two[] = {1, 2}, many[] = {2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2};
            const int32_t last[] = {2};
            CHECK_STATUS(vae_reconstruct(m, BATCH(x, 11, LABELS(many)), again), VAE_OK);
            CHECK_STATUS(vae_reconstruct(m, BATCH(x, 11, LABELS(last)), mean), VAE_OK);
            CHECK(!memcmp(mean, again, sizeof(float) * 11 * 30));
            CHECK_STATUS(vae_decode(m, BATCH(eps, 1, LABELS(last)), logits), VAE_OK);
            CHECK_STATUS(vae_encode(m, BATCH(x, 1, LABELS(last)), mu, NULL), VAE_OK);
            CHECK_STATUS(vae_decode(m, BATCH(eps, 1, LABELS(two)), draw), VAE_OK);
            CHECK_STATUS(vae_encode(m, BATCH(x, 1, LABELS(two)), lv, NULL), VAE_OK);
            CHECK(!memcmp(draw, logits, sizeof one) == (way == 1));
            CHECK(!memcmp(mu, lv, sizeof(float) * L) == (way == 2));
        }
        free(bytes);
        vae_destroy(m);
    }
}

/* Rows pass through the decoder 256 at a time: classes and importance weights must keep step. */
TEST(batches_larger_than_a_portion_keep_their_rows_together) {
    enum { ROWS = 601, L = 3, DIM = 6 };
    static const int threads[] = {1, 7, 2};
    float *x = ref_floats(ROWS * DIM), *z = ref_floats(ROWS * L), *out[2][5];
    int32_t labels[ROWS];
    uint64_t state = 97, hash = 0;
    size_t i, j;
    int way, run;
    ref_fill_uniform(&state, x, ROWS * DIM, 0, 1);
    ref_fill_normal(&state, z, ROWS * L, 1);
    for (i = 0; i < 5; i++) out[0][i] = ref_floats(ROWS * DIM), out[1][i] = ref_floats(ROWS * DIM);
    class_labels(labels, ROWS);
    for (run = 0; run < 2; run++) {
        vae_desc d = class_desc();
        vae *m = NULL;
        d.input = "6", d.encoder = "label 4", d.batch = run ? ROWS : 7, d.inference = 1;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        CHECK_STATUS(vae_decode(m, BATCH(z, ROWS, LABELS(labels)), out[run][0]), VAE_OK);
        CHECK_STATUS(vae_reconstruct(m, BATCH(x, ROWS, LABELS(labels)), out[run][1]), VAE_OK);
        CHECK_STATUS(vae_draw(m, BATCH(z, ROWS, LABELS(labels)), 1, out[run][2]), VAE_OK);
        CHECK_STATUS(vae_score(m, BATCH(x, ROWS, LABELS(labels)), out[run][3], NULL, NULL), VAE_OK);
        CHECK_STATUS(vae_bound(m, BATCH(x, ROWS, LABELS(labels)), 2, out[run][4]), VAE_OK);
        vae_destroy(m);
    }
    for (i = 0; i < 5; i++) CHECK_EQ(ref_differ(ROWS * DIM, out[0][i], out[1][i]), ROWS * DIM);
    for (way = 0; way < 3; way++)
        for (run = 0; run < 3; run++) {
            vae_desc d = class_desc();
            vae_stats s;
            vae *m = NULL;
            d.input = "6", d.encoder = "label 4", d.batch = ROWS, d.samples = 3;
            d.objective = (vae_objective)way;
#ifdef VAE__THREADS
            d.threads = threads[run];
#endif
            CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
            CHECK_STATUS(vae_train_step(m, BATCH(x, ROWS, LABELS(labels)), &s), VAE_OK);
            if (!run) hash = vae_params_hash(m);
            CHECK(vae_params_hash(m) == hash);
            vae_destroy(m);
        }
    { /* more draws of an image than a portion */
        vae_desc d = small_desc();
        float eps[2 * 400 * L];
        vae_stats s;
        vae *m = NULL;
        double want = 0;
        d.input = "6", d.samples = 400, d.batch = 2, d.objective = VAE_OBJECTIVE_IWAE;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        ref_fill_normal(&state, eps, 2 * 400 * L, 1);
        for (i = 0; i < 2; i++) { /* the bound from its definition, by encoder and decoder */
            float head[2 * L], v[L], p[DIM];
            double logw[400], sum = 0;
            CHECK_STATUS(vae_encode(m, BATCH(x + i * DIM, 1), head, head + L), VAE_OK);
            for (j = 0; j < 400; j++) {
                const float *e = eps + (i * 400 + j) * L;
                size_t q;
                CHECK_STATUS(vae_posterior(m, BATCH(x + i * DIM, 1, .eps = e), v), VAE_OK);
                CHECK_STATUS(vae_decode(m, BATCH(v, 1), p), VAE_OK);
                for (q = 0, logw[j] = 0; q < L; q++)
                    logw[j] -= 0.5 * (pow((double)v[q], 2) - pow((double)e[q], 2) -
                                      (double)head[L + q]);
                for (q = 0; q < DIM; q++)
                    logw[j] += (double)x[i * DIM + q] * log((double)p[q]) +
                               (1 - (double)x[i * DIM + q]) * log(1 - (double)p[q]);
                sum += exp(logw[j]);
            }
            want += 0.5 * log(sum / 400);
        }
        CHECK_STATUS(vae_train_step(m, BATCH(x, 2, .eps = eps), &s), VAE_OK);
        CHECK_NEAR(s.bound, want, 1e-5);
        vae_destroy(m);
    }
    for (i = 0; i < 5; i++) free(out[0][i]), free(out[1][i]);
    free(x), free(z);
}

TEST(a_fit_takes_the_labels_of_its_images) {
    enum { ROWS = 21 };
    float x[ROWS * 30] = {0}, batch[8 * 30];
    int32_t labels[ROWS], other[ROWS], of_batch[8];
    vae_data data = float_data(x, ROWS, 30);
    vae_desc d = class_desc();
    uint64_t hash = 0;
    vae *m = NULL;
    size_t i, at, n;
    int way;
    small_images(x, ROWS, 30);
    class_labels(labels, ROWS);
    for (i = 0; i < ROWS; i++) other[i] = (labels[i] + (i == 20)) % CLASSES; /* one of them */
    d.epochs = 1;
    for (way = 0; way < 3; way++) {
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        data.labels = way == 1 ? other : labels;
        if (way < 2) CHECK_STATUS(vae_fit(m, &data, NULL, NULL, NULL), VAE_OK);
        for (at = 0; way == 2 && at < ROWS; at += n) { /* the same by hand */
            uint32_t index[8];
            n = ROWS - at < 8 ? ROWS - at : 8;
            for (i = 0; i < n; i++) {
                index[i] = (uint32_t)vae_shuffle(5, 0, ROWS, at + i);
                of_batch[i] = labels[index[i]];
                memcpy(batch + i * 30, x + index[i] * 30, 30 * sizeof(float));
            }
            CHECK_STATUS(vae_train_step(m, BATCH(batch, n, .index = index, .labels = of_batch,
                                                 .label_count = n), NULL), VAE_OK);
        }
        if (!way) hash = vae_params_hash(m);
        CHECK((vae_params_hash(m) == hash) == (way != 1));
        vae_destroy(m);
    }
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    other[5] = 9, data.labels = other;
    CHECK_STATUS(vae_fit(m, &data, NULL, NULL, NULL), VAE_ERR_VALUE);
    CHECK_SAYS(*vae_last_report(m), "training data: label 5 is 9; the networks know 0 to 3");
    other[5] = -1;
    CHECK_STATUS(vae_fit(m, &data, NULL, NULL, NULL), VAE_ERR_VALUE);
    {
        vae_data test = data;
        vae_stats s;
        double kl[3];
        data.labels = labels;
        CHECK_STATUS(vae_fit(m, &data, &test, NULL, NULL), VAE_ERR_VALUE);
        CHECK_SAYS(*vae_last_report(m), "test data: label 5 is -1");
        CHECK_STATUS(vae_evaluate(m, &test, &s), VAE_ERR_VALUE);
        CHECK_STATUS(vae_units(m, &test, kl, NULL), VAE_ERR_VALUE);
        data.labels = NULL;
        CHECK_STATUS(vae_evaluate(m, &data, &s), VAE_ERR_STATE);
        CHECK_STATUS(vae_fit(m, &data, NULL, NULL, NULL), VAE_ERR_STATE);
        CHECK_SAYS(*vae_last_report(m), "training data has no labels");
    }
    vae_destroy(m);
}

TEST(evaluation_takes_the_labels_of_the_data) {
    enum { ROWS = 21 };
    float x[ROWS * 30] = {0};
    int32_t labels[ROWS];
    vae_data data = float_data(x, ROWS, 30);
    vae_desc d = class_desc();
    vae_stats s;
    double kl[3], sum;
    float elbo[ROWS];
    vae *m = NULL;
    int i;
    small_images(x, ROWS, 30);
    class_labels(labels, ROWS);
    data.labels = labels;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    CHECK_STATUS(vae_evaluate(m, &data, &s), VAE_OK);
    CHECK_STATUS(vae_score(m, BATCH(x, ROWS, LABELS(labels)), elbo, NULL, NULL), VAE_OK);
    for (i = 0, sum = 0; i < ROWS; i++) sum += (double)elbo[i] / ROWS;
    CHECK_NEAR(s.elbo, sum, 1e-5);
    CHECK_STATUS(vae_units(m, &data, kl, NULL), VAE_OK);
    CHECK_NEAR(kl[0] + kl[1] + kl[2], s.kl, 1e-6 * (1 + s.kl));
    vae_destroy(m);
}

TEST(a_conditional_network_trains_and_resumes_to_the_same_bits) {
    enum { ROWS = 21 };
    static const char *const encoders[] = {"flatten, label 4, dense 12 tanh",
                                           "label 4, conv 3 3x3/2 relu, batchnorm"};
    float x[ROWS * 30] = {0};
    int32_t labels[ROWS];
    vae_data data = float_data(x, ROWS, 30);
    int way, isa;
    small_images(x, ROWS, 30);
    class_labels(labels, ROWS);
    data.labels = labels;
    for (way = 0; way < 2; way++) {
        vae_desc d = class_desc();
        uint64_t hash = 0, at;
        double worst = 1;
        watcher w;
        vae *m = NULL;
        d.encoder = encoders[way], d.epochs = 2, d.samples = 2;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        CHECK_STATUS(vae_check_gradients(m, BATCH(x, 8, LABELS(labels)), 3, &worst), VAE_OK);
        CHECK(worst < (way ? 3e-2 : 1e-2));
        vae_destroy(m);
        for (isa = VAE_ISA_PORTABLE; isa < VAE_ISA_COUNT + 1; isa++) {
            if (isa < VAE_ISA_COUNT && !vae_isa_available((vae_isa)isa)) continue;
            d.isa = isa < VAE_ISA_COUNT ? (vae_isa)isa : VAE_ISA_AUTO;
#ifdef VAE__THREADS
            d.threads = isa < VAE_ISA_COUNT ? 1 : 3;
#endif
            CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
            CHECK_STATUS(vae_fit(m, &data, &data, NULL, NULL), VAE_OK);
            if (isa == VAE_ISA_PORTABLE) hash = vae_params_hash(m);
            CHECK(vae_params_hash(m) == hash);
            vae_destroy(m);
        }
        for (at = 1; at < 8; at++) {
            size_t size;
            unsigned char *bytes;
            memset(&w, 0, sizeof w);
            w.stop_at = at;
            CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
            CHECK_STATUS(vae_fit(m, &data, &data, watch, &w), VAE_STOPPED);
            bytes = file_of(m, 0, &size);
            vae_destroy(m);
            m = obj_twin(bytes, size, 0, 1, VAE_ISA_AUTO, 0);
            free(bytes);
            CHECK_STATUS(vae_fit(m, &data, &data, NULL, NULL), VAE_OK);
            CHECK(vae_params_hash(m) == hash);
            vae_destroy(m);
        }
    }
}

/* ---- what does not go together, and files that know less ---- */

TEST(settings_that_exclude_each_other_are_refused) {
    static const struct {
        const char *says;
        vae_status status;
    } want[] = {
        {"no_noise", VAE_ERR_VALUE}, {"no_kl", VAE_ERR_VALUE}, {"no_recon", VAE_ERR_VALUE},
        {"free_bits", VAE_ERR_VALUE}, {"dreg", VAE_ERR_VALUE}, {"no objective", VAE_ERR_VALUE},
        {"no_kl leaves out", VAE_ERR_VALUE}, {"cycle_steps needs warmup_steps", VAE_ERR_VALUE},
        {"of mask it is a probability", VAE_ERR_VALUE}, {"salt_pepper", VAE_ERR_VALUE},
        {"dropout", VAE_ERR_VALUE}, {"noise", VAE_ERR_VALUE}, {"label 5", VAE_ERR_SHAPE},
        {"", VAE_ERR_SHAPE}, {"65536", VAE_ERR_SHAPE}, {"samples", VAE_ERR_VALUE},
        {"sparse", VAE_ERR_VALUE}, {"lr_factor", VAE_ERR_VALUE}, {"patience", VAE_ERR_VALUE},
        {"objective", VAE_ERR_VALUE}, {"corrupt", VAE_ERR_VALUE}, {"code", VAE_ERR_VALUE},
        {"contract", VAE_ERR_VALUE}, {"free_bits", VAE_ERR_VALUE}, {"column 7", VAE_ERR_SYNTAX},
        /* and what does go together */
        {"", VAE_OK}, {"", VAE_OK}, {"", VAE_OK}, {"", VAE_OK}, {"", VAE_OK}, {"", VAE_OK},
    };
    int n;
    for (n = 0; n < (int)(sizeof want / sizeof *want); n++) {
        vae_desc d = small_desc();
        vae_report r;
        size_t size = 0;
        vae *m = NULL;
        memset(&r, 0, sizeof r);
        if (n < 4) d.objective = VAE_OBJECTIVE_IWAE, d.samples = 2;
        switch (n) {
        case 0: d.no_noise = 1; break;
        case 1: d.no_kl = 1; break;
        case 2: d.no_recon = 1; break;
        case 3: d.free_bits = 0.1; break;
        case 4: d.objective = VAE_OBJECTIVE_DREG, d.no_noise = 1; break;
        case 5: d.no_recon = d.no_kl = 1; break;
        case 6: d.free_bits = 1, d.no_kl = 1; break;
        case 7: d.cycle_steps = 5; break;
        case 8: d.corrupt = VAE_CORRUPT_MASK, d.corruption = 1.25; break;
        case 9: d.corrupt = VAE_CORRUPT_SALT_PEPPER, d.corruption = 2; break;
        case 10: d.contract = 1, d.encoder = "dense 9 tanh, dropout 0.1, dense 4"; break;
        case 11: d.contract = 1, d.encoder = "noise 0.1, dense 4"; break;
        case 12: d.encoder = "flatten, label 4, dense 9", d.decoder = "label 5"; break;
        case 13: d.encoder = "flatten, res( label 4 ), dense 9"; break;
        case 14: d.encoder = "flatten, label 65537, dense 2"; break;
        case 15: d.samples = 65537; break;
        case 16: d.sparse = -1; break;
        case 17: d.lr_factor = 1.5; break;
        case 18: d.patience = -1; break;
        case 19: d.objective = (vae_objective)17; break;
        case 20: d.corrupt = (vae_corrupt)17; break;
        case 21: d.code = (vae_act)99; break;
        case 22: d.contract = (double)vae__float_of(0x7fc00000u); break;
        case 23: d.free_bits = -0.5; break;
        case 24: d.encoder = "label 0"; break;
        case 25: d.corrupt = VAE_CORRUPT_GAUSSIAN, d.corruption = 1.25; break;
        case 26: d.objective = VAE_OBJECTIVE_IWAE, d.contract = 1, d.sparse = 1; break;
        case 27: d.contract = 1, d.decoder = "dense 4, dropout 0.1"; break;
        case 28: d.corrupt = VAE_CORRUPT_MASK, d.corruption = 1; break;
        case 29: d.cycle_steps = 5, d.warmup_steps = 9; break;
        default: d.inference = 1, d.samples = 65536; break;
        }
        CHECK_STATUS(vae_size(&d, &size, &r), want[n].status);
        CHECK_STATUS(vae_create(&d, &m, &r), want[n].status);
        CHECK_SAYS(r, want[n].says);
        CHECK((m == NULL) == (want[n].status != VAE_OK));
        if (test_bad) {
            test_report(__FILE__, __LINE__, "combination %d: %s", n, r.text);
            n = 1000;
        }
        vae_destroy(m);
    }
}

/* Takes what stands from `from` up to the next `until` out of the header, which keeps its length by
 * blanks at its end. */
static void cut(unsigned char *bytes, const char *from, const char *until) {
    const size_t n = strlen(from), end = 8 + vae__get_le32(bytes);
    size_t i, to;
    for (i = 8; i + n <= end && memcmp(bytes + i, from, n); i++) {}
    CHECK(i + n <= end);
    if (i + n > end) return;
    for (to = i + n; to < end && !strchr(until, bytes[to]); to++) {}
    memmove(bytes + i, bytes + to, end - to);
    memset(bytes + end - (to - i), ' ', to - i);
}

TEST(a_file_without_the_newer_settings_has_their_defaults) {
    static const char *const names[] = {"code", "objective", "no_recon", "cycle", "free_bits",
                                        "sparse", "contract", "corrupt", "corruption", "plateau",
                                        "lr_factor", "patience"};
    enum { NAMES = sizeof names / sizeof *names };
    size_t n, i, size;
    for (n = 0; n <= NAMES; n++) {
        vae_desc d = small_desc(), got;
        unsigned char *bytes;
        vae *m, *loaded = NULL;
        vae_report r;
        memset(&r, 0, sizeof r);
        d.code = VAE_ACT_TANH, d.no_recon = n == 2, d.warmup_steps = 9, d.cycle_steps = 11;
        d.free_bits = 0.5, d.sparse = 0.25, d.contract = 0.125;
        d.objective = n == 1 ? VAE_OBJECTIVE_IWAE : VAE_OBJECTIVE_ELBO;
        if (n == 1) d.free_bits = 0;
        d.corrupt = VAE_CORRUPT_MASK, d.corruption = 0.75, d.schedule = VAE_SCHEDULE_PLATEAU;
        d.plateau_epochs = 3, d.lr_factor = 0.75, d.patience = 21;
        m = trained_model(&d);
        bytes = file_of(m, 0, &size);
        for (i = 0; i < NAMES; i++) {
            char word[40];
            snprintf(word, sizeof word, "; %s=", names[i]);
            if (i == n || n == NAMES) cut(bytes, word, ";\"");
        }
        CHECK_STATUS(vae_load_memory(bytes, size, NULL, &loaded, &r), VAE_OK);
        if (!loaded) {
            test_report(__FILE__, __LINE__, "without %s: %s", n < NAMES ? names[n] : "all", r.text);
            return;
        }
        CHECK(vae_params_hash(m) == vae_params_hash(loaded));
        vae_get_desc(loaded, &got);
#define WITHOUT(i) (n == (i) || n == NAMES)
        CHECK(got.code == (WITHOUT(0) ? VAE_ACT_IDENTITY : VAE_ACT_TANH));
        CHECK(got.objective == VAE_OBJECTIVE_ELBO);
        CHECK(got.no_recon == 0);
        CHECK(got.cycle_steps == (WITHOUT(3) ? 0 : 11));
        CHECK(got.free_bits == (n == 1 || WITHOUT(4) ? 0 : 0.5));
        CHECK(got.sparse == (WITHOUT(5) ? 0 : 0.25));
        CHECK(got.contract == (WITHOUT(6) ? 0 : 0.125));
        CHECK(got.corrupt == (WITHOUT(7) ? VAE_CORRUPT_NONE : VAE_CORRUPT_MASK));
        CHECK(got.corruption == (WITHOUT(8) ? 0.3 : 0.75));
        CHECK(got.plateau_epochs == (WITHOUT(9) ? 10 : 3));
        CHECK(got.lr_factor == (WITHOUT(10) ? 0.5 : 0.75));
        CHECK(got.patience == (WITHOUT(11) ? 0 : 21));
        CHECK(got.warmup_steps == 9 && got.latent == 3 && got.batch == 8);
#undef WITHOUT
        free(bytes);
        vae_destroy(m), vae_destroy(loaded);
    }
    {   /* a file must still say what it is a model of */
        vae_desc d = small_desc();
        vae *m = trained_model(&d), *loaded = NULL;
        unsigned char *bytes = file_of(m, 0, &size);
        cut(bytes, "input=", " ");
        CHECK(vae_load_memory(bytes, size, NULL, &loaded, NULL) != VAE_OK && !loaded);
        free(bytes);
        vae_destroy(m);
    }
}

TEST(a_file_may_lack_its_course_but_not_have_a_wrong_one) {
    static const struct {
        const char *from, *to;
        vae_status status;
    } list[] = {{"\"vae.course\":\"1 0 0", "\"vae.course\":\"1 0 0", VAE_OK},
                {"\"vae.course\":\"1 0 0", "\"vae.course\":\"9 0 0", VAE_ERR_FORMAT},
                {"\"vae.course\":\"1 0 0", "\"vae.course\":\"1 3 0", VAE_ERR_FORMAT},
                {"\"vae.course\":\"1 0 0", "\"vae.course\":\"1 0 3", VAE_ERR_FORMAT},
                {"\"vae.course\":\"1 0 0", "\"vae.course\":\"1 x 0", VAE_ERR_FORMAT},
                {"\"vae.course\":\"1 0 0", "\"vae.course\":\"1 0  ", VAE_ERR_FORMAT}};
    float x[(COURSE_TRAIN + COURSE_TEST) * 30];
    vae_data train, test;
    vae_desc d = course_desc(x, &train, &test);
    vae_info info;
    vae_report r;
    vae *m = NULL, *loaded = NULL;
    size_t size, i;
    unsigned char *bytes, *copy;
    d.epochs = 2, d.lr = 1e-30; /* nothing is lower than the first test loss */
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    CHECK_STATUS(vae_fit(m, &train, &test, NULL, NULL), VAE_OK);
    bytes = file_of(m, 0, &size), copy = (unsigned char *)ref_alloc(size);
    for (i = 0; i < sizeof list / sizeof *list; i++) {
        memcpy(copy, bytes, size);
        patch(copy, size, list[i].from, list[i].to);
        loaded = NULL;
        CHECK_STATUS(vae_load_memory(copy, size, NULL, &loaded, &r), list[i].status);
        vae_destroy(loaded);
    }
    cut(bytes, ",\"vae.course\"", ",");
    loaded = NULL;
    CHECK_STATUS(vae_load_memory(bytes, size, NULL, &loaded, &r), VAE_OK);
    if (loaded) {
        vae_get_info(loaded, &info);
        CHECK(info.best_epoch == 0 && info.epoch == 2);
    }
    free(bytes), free(copy);
    vae_destroy(m), vae_destroy(loaded);
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

/* ---- vae_units ---- */

TEST(units_are_means_of_the_kl_and_variances_of_the_mean_of_each_latent) {
    enum { ROWS = 37, L = 3 };
    float x[ROWS * 30] = {0}, mu[ROWS * L], lv[ROWS * L];
    vae_data data = float_data(x, ROWS, 30);
    int way;
    small_images(x, ROWS, 30);
    for (way = 0; way < 3; way++) {
        vae_desc d = small_desc();
        double kl[L], variance[L], alone[L], total = 0;
        size_t i, j, size;
        unsigned char *bytes;
        vae_stats s;
        vae *m = NULL, *twin;
        if (way == 1) d.head = VAE_HEAD_SOFTPLUS, d.code = VAE_ACT_SIGMOID;
        if (way == 2) d.binarize = VAE_BINARIZE_DYNAMIC;
        m = trained_model(&d);
        CHECK_STATUS(vae_units(m, &data, kl, variance), VAE_OK);
        CHECK_STATUS(vae_evaluate(m, &data, &s), VAE_OK);
        CHECK_STATUS(vae_encode(m, BATCH(x, ROWS), mu, lv), VAE_OK);
        for (j = 0; j < L; j++) {
            double mean = 0, spread = 0, rate = 0;
            for (i = 0; i < ROWS; i++) mean += (double)mu[i * L + j] / ROWS;
            for (i = 0; i < ROWS; i++) {
                const double u = (double)mu[i * L + j], l = (double)lv[i * L + j];
                spread += (u - mean) * (u - mean) / ROWS;
                rate += 0.5 * (u * u + expm1(l) - l) / ROWS;
            }
            total += kl[j];
            if (way == 2) continue; /* encode was given the grey pixels */
            CHECK_NEAR(variance[j], spread, 1e-12 * (1 + mean * mean));
            CHECK_NEAR(kl[j], rate, 3e-7 * (1 + rate));
        }
        CHECK_NEAR(total, s.kl, 1e-6 * (1 + s.kl));
        CHECK_STATUS(vae_units(m, &data, alone, NULL), VAE_OK);
        CHECK(!memcmp(alone, kl, sizeof kl));
        CHECK_STATUS(vae_units(m, &data, NULL, alone), VAE_OK);
        CHECK(!memcmp(alone, variance, sizeof kl));
        bytes = file_of(m, 0, &size);
        for (i = 0; i < 4; i++) { /* the same bits whatever the buffers */
            twin = obj_twin(bytes, size, i % 2 ? 64 : 5, i / 2 ? 3 : 1, VAE_ISA_AUTO, (int)i / 2);
            CHECK_STATUS(vae_units(twin, &data, alone, NULL), VAE_OK);
            CHECK(!memcmp(alone, kl, sizeof kl));
            CHECK_STATUS(vae_units(twin, &data, NULL, alone), VAE_OK);
            CHECK(!memcmp(alone, variance, sizeof kl));
            vae_destroy(twin);
        }
        free(bytes);
        vae_destroy(m);
    }
}

TEST(units_of_a_constant_mean_are_not_active) {
    enum { ROWS = 11, L = 3 };
    vae_desc d = small_desc();
    float x[ROWS * 30] = {0};
    vae_data data = float_data(x, ROWS, 30);
    double kl[L] = {5}, variance[L];
    vae_tensor t;
    vae *m = NULL;
    int j;
    small_images(x, ROWS, 30);
    d.encoder = "", d.init = VAE_INIT_ZERO;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    CHECK_STATUS(vae_tensor_at(m, 1, &t), VAE_OK);
    for (j = 0; j < L; j++) t.data[j] = 100.1f + (float)j; /* squares alone would cancel */
    CHECK_STATUS(vae_units(m, &data, kl, variance), VAE_OK);
    for (j = 0; j < L; j++) {
        CHECK(variance[j] >= 0 && variance[j] < 1e-20);
        CHECK_NEAR(kl[j], 0.5 * pow(100.1 + j, 2), 1e-3);
    }
    kl[0] = 5;
    x[10 * 30] = 3;
    CHECK_STATUS(vae_units(m, &data, kl, NULL), VAE_ERR_VALUE);
    CHECK_SAYS(*vae_last_report(m), "image 10");
    CHECK_STATUS(vae_units(m, NULL, kl, NULL), VAE_ERR_NULL);
    CHECK_STATUS(vae_units(NULL, &data, kl, NULL), VAE_ERR_NULL);
    CHECK(kl[0] == 5);
    vae_destroy(m);
}

/* ---- what settings do to a run ---- */

/* Images of three hidden numbers, in [0,1]; `mix` of each pixel is fixed. */
static void hidden_images(float *x, size_t rows) {
    uint64_t state = 95;
    double mix[4][30];
    size_t i, j;
    for (i = 0; i < 4; i++)
        for (j = 0; j < 30; j++) mix[i][j] = 2 * ref_normal(&state);
    for (i = 0; i < rows; i++) {
        const double a = ref_normal(&state), b = ref_normal(&state), c = ref_normal(&state);
        for (j = 0; j < 30; j++)
            x[i * 30 + j] = (float)ref_sigmoid(mix[3][j] / 2 + a * mix[0][j] + b * mix[1][j] +
                                               c * mix[2][j]);
    }
}
enum { HIDDEN = 64 };
/* Trained on them; figures and each latent's KL. */
static void hidden_run(const vae_desc *d, int epochs, vae_stats *s, double *kl, vae **keep) {
    static float x[HIDDEN * 30];
    vae_data data = float_data(x, HIDDEN, 30);
    vae_desc own = *d;
    vae *m = NULL;
    hidden_images(x, HIDDEN);
    own.lr = 1e-2, own.epochs = epochs;
    CHECK_STATUS(vae_create(&own, &m, NULL), VAE_OK);
    CHECK_STATUS(vae_fit(m, &data, NULL, NULL, NULL), VAE_OK);
    CHECK_STATUS(vae_evaluate(m, &data, s), VAE_OK);
    CHECK_STATUS(vae_units(m, &data, kl, NULL), VAE_OK);
    if (keep) *keep = m;
    else vae_destroy(m);
}

TEST(free_bits_that_no_latent_exceeds_leave_reconstruction_alone) {
    float x[8 * 30];
    uint64_t hash = 0;
    vae_stats s;
    int way, step;
    small_images(x, 8, 30);
    for (way = 0; way < 3; way++) {
        vae_desc d = small_desc();
        vae *m = NULL;
        if (way == 0) d.no_kl = 1;
        if (way == 1) d.free_bits = 1000, d.beta = 3;
        if (way == 2) d.free_bits = 1e-9, d.beta = 3; /* and what all exceed changes nothing */
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        for (step = 0; step < 5; step++) CHECK_STATUS(vae_train_step(m, BATCH(x, 8), &s), VAE_OK);
        if (way == 0) hash = vae_params_hash(m);
        if (way == 1) CHECK_NEAR(s.loss, s.recon + 3 * 3 * 1000.0, 1e-9);
        if (way == 2) CHECK_NEAR(s.loss, s.recon + 3 * s.kl, 1e-6 * s.loss);
        CHECK((vae_params_hash(m) == hash) == (way < 2));
        if (way == 2) { /* the same bits as without them */
            hash = vae_params_hash(m);
            vae_destroy(m);
            d.free_bits = 0;
            CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
            for (step = 0; step < 5; step++)
                CHECK_STATUS(vae_train_step(m, BATCH(x, 8), &s), VAE_OK);
            CHECK(vae_params_hash(m) == hash);
        }
        vae_destroy(m);
    }
}

TEST(free_bits_keep_latents_that_beta_collapses) {
    vae_desc d = small_desc();
    vae_stats s;
    double kl[3];
    int j;
    d.beta = 30;
    hidden_run(&d, 80, &s, kl, NULL);
    for (j = 0; j < 3; j++) CHECK(kl[j] < 0.05);
    d.free_bits = 0.6;
    hidden_run(&d, 80, &s, kl, NULL);
    for (j = 0; j < 3; j++) CHECK(kl[j] > 0.5 && kl[j] < 0.8); /* pushed down to it, no further */
}

TEST(a_larger_beta_has_a_lower_rate_and_a_higher_distortion) {
    static const double betas[] = {0.1, 1, 6};
    vae_stats s[3];
    double kl[3];
    int i;
    for (i = 0; i < 3; i++) {
        vae_desc d = small_desc();
        d.beta = betas[i];
        hidden_run(&d, 80, &s[i], kl, NULL);
    }
    for (i = 1; i < 3; i++)
        CHECK(s[i].kl < s[i - 1].kl - 0.2 && s[i].recon > s[i - 1].recon + 0.2);
}

TEST(beta_rises_in_a_sawtooth) {
    static const uint64_t settings[][2] = {{4, 7}, {6, 0}, {9, 5}, {1, 3}};
    float x[8 * 30];
    size_t n;
    small_images(x, 8, 30);
    for (n = 0; n < 4; n++) {
        const uint64_t warmup = settings[n][0], cycle = settings[n][1];
        vae_desc d = obj_still();
        uint64_t step;
        vae *m = NULL;
        d.beta = 0.5, d.warmup_steps = warmup, d.cycle_steps = cycle;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        for (step = 0; step < 24; step++) {
            const uint64_t tooth = cycle ? step % cycle : step;
            const double want = tooth < warmup ? 0.5 * (double)tooth / (double)warmup : 0.5;
            vae_stats s;
            CHECK_STATUS(vae_train_step(m, BATCH(x, 8), &s), VAE_OK);
            CHECK_NEAR((s.loss - s.recon) / s.kl, want, 1e-12 * s.loss / s.kl);
        }
        vae_destroy(m);
    }
}

/* ---- penalties ---- */

TEST(the_sparse_penalty_has_no_pull_at_zero_and_shrinks_codes) {
    vae_desc d = small_desc();
    float x[8 * 30], mu[HIDDEN * 3];
    uint64_t hash = 0;
    double mean[3];
    int way;
    small_images(x, 8, 30);
    for (way = 0; way < 2; way++) { /* codes of 0 are not pulled: the same step */
        vae *m = NULL;
        d.init = VAE_INIT_ZERO, d.sparse = way ? 10 : 0;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        CHECK_STATUS(vae_train_step(m, BATCH(x, 8), NULL), VAE_OK);
        if (!way) hash = vae_params_hash(m);
        CHECK(vae_params_hash(m) == hash);
        vae_destroy(m);
    }
    for (way = 0; way < 3; way++) {
        static float images[HIDDEN * 30];
        vae_desc own = small_desc();
        vae_stats s;
        double kl[3];
        vae *m = NULL;
        int i;
        own.no_noise = own.no_kl = 1, own.sparse = way ? way * way * 0.5 : 0;
        hidden_run(&own, 60, &s, kl, &m);
        hidden_images(images, HIDDEN);
        CHECK_STATUS(vae_encode(m, BATCH(images, HIDDEN), mu, NULL), VAE_OK);
        for (i = 0, mean[way] = 0; i < HIDDEN * 3; i++)
            mean[way] += fabs((double)mu[i]) / HIDDEN;
        vae_destroy(m);
    }
    CHECK(mean[1] < 0.8 * mean[0] && mean[2] < 0.8 * mean[1]);
}

/* Sum over rows and codes of the squared Jacobian, by central differences of vae_encode; without
 * its check, since a pixel may leave [0,1] by h. */
static double jacobian_of(vae *m, const float *x, size_t rows, size_t dim, size_t latent) {
    const float h = 0x1p-7f; /* differences to 1e-7 / h, 1e-5 of a slope; h^2 of curvature, 6e-5 */
    float *moved = ref_floats(dim), *up = ref_floats(latent), *down = ref_floats(latent);
    double sum = 0;
    size_t i, j, q;
    for (i = 0; i < rows; i++)
        for (q = 0; q < dim; q++) {
            memcpy(moved, x + i * dim, dim * sizeof(float));
            moved[q] = x[i * dim + q] + h;
            CHECK_STATUS(vae__encode(m, BATCH(moved, 1), moved, 0, 1, up, NULL), VAE_OK);
            moved[q] = x[i * dim + q] - h;
            CHECK_STATUS(vae__encode(m, BATCH(moved, 1), moved, 0, 1, down, NULL), VAE_OK);
            for (j = 0; j < latent; j++)
                sum += pow(((double)up[j] - (double)down[j]) / (2 * (double)h), 2);
        }
    free(moved), free(up), free(down);
    return sum;
}

TEST(the_contractive_penalty_in_closed_form_is_the_squared_jacobian) {
    static const vae_act codes[] = {VAE_ACT_IDENTITY, VAE_ACT_TANH, VAE_ACT_SIGMOID, VAE_ACT_RELU};
    float x[8 * 30];
    size_t n, i;
    for (n = 0; n < 4; n++) {
        vae_desc d = obj_still();
        vae_stats s;
        vae *m = NULL;
        double want;
        d.encoder = "", d.code = codes[n], d.contract = 0.5, d.beta = 2;
        small_images(x, 8, 30);
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        for (i = 0; i < 3; i++) m->w[30 * 6 + i] = (float)i - 1; /* biases: relus open and shut */
        CHECK_STATUS(vae_train_step(m, BATCH(x, 8), &s), VAE_OK);
        want = jacobian_of(m, x, 8, 30, 3) / 8;
        CHECK(want > 0.1);
        CHECK_NEAR((s.loss - s.recon - 2 * s.kl) / 0.5, want, 1e-3 * want);
        vae_destroy(m);
    }
}

/* E |J u|^2 over normal u is |J|^2; 8 rows and 2000 steps are 16000 of them, each off by its own
 * size at most twice over: 1.2 %. The 0.01 between the views bends it far less. */
TEST(the_contractive_penalty_of_two_views_has_the_squared_jacobian_as_mean) {
    enum { STEPS = 2000 };
    float x[8 * 30];
    vae_desc d = obj_still();
    double sum = 0, want;
    vae *m = NULL;
    int n;
    d.encoder = "dense 12 tanh, dense 6 sigmoid", d.contract = 0.5, d.code = VAE_ACT_TANH;
    small_images(x, 8, 30);
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    for (n = 0; n < STEPS; n++) {
        vae_stats s;
        CHECK_STATUS(vae_train_step(m, BATCH(x, 8), &s), VAE_OK);
        sum += (s.loss - s.recon - s.kl) / 0.5 / STEPS;
    }
    want = jacobian_of(m, x, 8, 30, 3) / 8;
    CHECK_NEAR(sum, want, 0.05 * want);
    vae_destroy(m);
}

TEST(a_contractive_weight_flattens_the_encoder) {
    static float x[HIDDEN * 30];
    vae_stats s;
    double kl[3], square[2];
    int way;
    for (way = 0; way < 4; way++) {
        vae_desc d = small_desc();
        vae *m = NULL;
        d.no_noise = d.no_kl = 1, d.contract = way % 2 ? 0.3 : 0;
        if (way / 2) d.encoder = "", d.code = VAE_ACT_TANH;
        hidden_run(&d, 40, &s, kl, &m);
        hidden_images(x, HIDDEN);
        square[way % 2] = jacobian_of(m, x, 16, 30, 3);
        if (way % 2) CHECK(square[1] < 0.7 * square[0]);
        vae_destroy(m);
    }
}

/* ---- corruption ---- */

TEST(corruption_hits_its_part_of_the_input_and_leaves_the_target_clean) {
    enum { STEPS = 50, N = 8 * 30 };
    static const vae_corrupt kinds[] = {VAE_CORRUPT_GAUSSIAN, VAE_CORRUPT_MASK,
                                        VAE_CORRUPT_SALT_PEPPER, VAE_CORRUPT_MASK};
    float x[N], first[N];
    size_t way, n, i;
    small_images(x, 8, 30);
    for (i = 0; i < N; i++) x[i] = 0.25f + 0.5f * x[i]; /* neither 0 nor 1 */
    for (way = 0; way < 4; way++) {
        const double part = way == 3 ? 1 : 0.3; /* 0.3 is the default */
        vae_desc d = obj_still();
        double black = 0, white = 0, off = 0, squares = 0;
        vae *m = NULL, *plain = NULL;
        vae_tensor t;
        vae_stats clean, s;
        CHECK_STATUS(vae_create(&d, &plain, NULL), VAE_OK);
        d.corrupt = kinds[way], d.corruption = way == 3 ? 1 : 0;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        for (n = 0; n < 2; n++) { /* a decoder that ignores what it is given */
            CHECK_STATUS(vae_tensor_at(n ? plain : m, 4, &t), VAE_OK);
            CHECK(!strcmp(t.name, "decoder.0.weight"));
            memset(t.data, 0, t.count * sizeof(float));
        }
        for (n = 0; n < STEPS; n++) {
            CHECK_STATUS(vae_train_step(m, BATCH(x, 8), &s), VAE_OK);
            CHECK_STATUS(vae_train_step(plain, BATCH(x, 8), &clean), VAE_OK);
            CHECK(s.recon == clean.recon && s.kl != clean.kl);
            if (n == 1) CHECK(way == 3 || memcmp(first, m->seen, sizeof first));
            if (n == 0) memcpy(first, m->seen, sizeof first);
            for (i = 0; i < N; i++) {
                const double gap = (double)m->seen[i] - (double)x[i];
                if (m->seen[i] == 0 && way) black += 1.0 / (STEPS * N);
                else if (m->seen[i] == 1 && way) white += 1.0 / (STEPS * N);
                else if (way) CHECK(gap == 0);
                off += gap / (STEPS * N), squares += gap * gap / (STEPS * N);
            }
        }
        /* 12000 numbers: a probability of 0.3 is off by 0.0042, a mean by 0.3 / sqrt(12000) =
         * 0.0027, a square of deviation 0.3 by 0.09 sqrt(2 / 12000) = 0.0012; four of each */
        if (way == 0) {
            CHECK_NEAR(off, 0, 0.011);
            CHECK_NEAR(squares, 0.09, 0.005);
        }
        if (way == 1 || way == 3) CHECK_NEAR(black, part, way == 3 ? 1e-9 : 0.017);
        if (way == 1 || way == 3) CHECK(white == 0);
        if (way == 2) {
            CHECK_NEAR(black, 0.15, 0.013);
            CHECK_NEAR(white, 0.15, 0.013);
        }
        vae_destroy(m), vae_destroy(plain);
    }
}

TEST(evaluation_does_not_corrupt) {
    float x[9 * 30], a[9 * 30], b[9 * 30];
    vae_data data;
    vae_stats s, t;
    int way;
    small_images(x, 9, 30);
    data = float_data(x, 9, 30);
    for (way = VAE_CORRUPT_GAUSSIAN; way < VAE_CORRUPT_COUNT; way++) {
        vae_desc d = small_desc();
        vae *m = NULL, *plain = small_model();
        d.corrupt = (vae_corrupt)way, d.contract = 0.5;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        CHECK(vae_params_hash(m) == vae_params_hash(plain));
        CHECK_STATUS(vae_evaluate(m, &data, &s), VAE_OK);
        CHECK_STATUS(vae_evaluate(plain, &data, &t), VAE_OK);
        CHECK(!memcmp(&s, &t, sizeof s));
        CHECK_STATUS(vae_encode(m, BATCH(x, 9), a, NULL), VAE_OK);
        CHECK_STATUS(vae_encode(plain, BATCH(x, 9), b, NULL), VAE_OK);
        CHECK(!memcmp(a, b, 9 * 3 * sizeof(float)));
        CHECK_STATUS(vae_reconstruct(m, BATCH(x, 9), a), VAE_OK);
        CHECK_STATUS(vae_reconstruct(plain, BATCH(x, 9), b), VAE_OK);
        CHECK(!memcmp(a, b, sizeof a));
        CHECK_STATUS(vae_bound(m, BATCH(x, 9), 3, a), VAE_OK);
        CHECK_STATUS(vae_bound(plain, BATCH(x, 9), 3, b), VAE_OK);
        CHECK(!memcmp(a, b, 9 * sizeof(float)));
        vae_destroy(m), vae_destroy(plain);
    }
}

/* Every objective, with layers whose rows meet and those that draw, whoever computes it. */
TEST(objectives_train_to_the_same_bits_on_every_isa_and_number_of_threads) {
#ifdef VAE__THREADS
    static const int threads[] = {2, 3, 7, 1};
#endif
    float x[8 * 30];
    int n;
    small_images(x, 8, 30);
    for (n = 0; n < 11; n++) {
        uint64_t want = 0;
        int run;
        for (run = 0; run < VAE_ISA_COUNT + 4; run++) {
            vae_desc d = small_desc();
            vae_stats s;
            uint64_t hash;
            vae *m = NULL;
            int step;
            if (!run || (run < VAE_ISA_COUNT && !vae_isa_available((vae_isa)run))) continue;
            d.isa = run < VAE_ISA_COUNT ? (vae_isa)run : VAE_ISA_AUTO;
#ifdef VAE__THREADS
            d.threads = run < VAE_ISA_COUNT ? 1 : threads[run - VAE_ISA_COUNT];
#endif
            d.keep_gradients = run == VAE_ISA_COUNT + 3; /* else used up where they are made */
            if (n % 2) d.encoder = "dense 12 tanh, batchnorm";
            if (n % 2) d.decoder = "dense 9 relu, batchnorm";
            switch (n) {
            case 0: case 1: d.objective = VAE_OBJECTIVE_IWAE, d.samples = 5; break;
            case 2: case 3: d.objective = VAE_OBJECTIVE_DREG, d.samples = 3; break;
            case 4: case 5: d.free_bits = 0.1, d.samples = 2; break;
            case 6: case 7: d.contract = 0.1, d.corrupt = VAE_CORRUPT_GAUSSIAN; break;
            case 8:
                d.encoder = "", d.contract = 0.2, d.code = VAE_ACT_SIGMOID, d.sparse = 1;
                break;
            case 9:
                d.corrupt = VAE_CORRUPT_SALT_PEPPER, d.sparse = 0.5, d.free_bits = 0.2;
                break;
            default:
                d.optimizer = VAE_OPTIMIZER_ADAM_IWAE, d.corrupt = VAE_CORRUPT_MASK;
                d.decoder = "dense 9 relu, dropout 0.2", d.binarize = VAE_BINARIZE_DYNAMIC;
            }
            if (n == 3) d.decoder = "dense 9 relu, dropout 0.2, batchnorm, noise 0.1";
            CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
            memset(&s, 0, sizeof s);
            for (step = 0; step < 4; step++)
                CHECK_STATUS(vae_train_step(m, BATCH(x, 8 - (size_t)(step & 1)), &s), VAE_OK);
            hash = vae__hash(vae_params_hash(m), &s, sizeof s);
            if (run == VAE_ISA_PORTABLE) want = hash;
            if (hash != want)
                test_report(__FILE__, __LINE__, "objective %d, isa %d, threads %d: other bits", n,
                            (int)d.isa, d.threads);
            vae_destroy(m);
        }
    }
}

/* Layers whose rows meet cut a step into stages; the objectives stand at their joints. */
TEST(gradient_checker_is_small_on_every_objective_wherever_rows_meet) {
    static const char *const nets[][2] = {
        {"dense 12 tanh", "dense 9 silu"},
        {"dense 12 tanh, batchnorm", "dense 9 silu"},
        {"dense 12 tanh", "batchnorm, dense 9 silu, batchnorm"},
        {"batchnorm, dense 12 tanh, batchnorm", "dense 9 silu, batchnorm, tanh"}};
    float x[8 * 30];
    int n, net;
    small_images(x, 8, 30);
    for (net = 0; net < 4; net++)
        for (n = 0; n < 7; n++) {
            vae_desc d = small_desc();
            double worst = 1;
            vae *m = NULL;
            d.encoder = nets[net][0], d.decoder = nets[net][1];
            switch (n) {
            case 0: d.objective = VAE_OBJECTIVE_IWAE, d.samples = 4; break;
            case 1: d.free_bits = 0.2, d.samples = 2; break;
            case 2: d.free_bits = 0.3, d.no_recon = 1; break;
            case 3: d.sparse = 3; break;
            case 4: d.corrupt = VAE_CORRUPT_MASK; break;
            case 5: d.contract = 0.1; break;
            default: d.code = VAE_ACT_SIGMOID, d.head = VAE_HEAD_SOFTPLUS, d.free_bits = 0.1;
            }
            CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
            CHECK_STATUS(vae_check_gradients(m, BATCH(x, 8), 2, &worst), VAE_OK);
            if (!(worst < 3e-2))
                test_report(__FILE__, __LINE__, "net %d, objective %d: %.3g", net, n, worst);
            vae_destroy(m);
        }
    {
        vae_desc d = small_desc();
        double worst = 7;
        vae *m = NULL;
        d.objective = VAE_OBJECTIVE_DREG, d.samples = 2;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        CHECK_STATUS(vae_check_gradients(m, BATCH(x, 8), 2, &worst), VAE_ERR_UNSUPPORTED);
        CHECK_SAYS(*vae_last_report(m), "dreg");
        CHECK(worst == 7);
        vae_destroy(m);
    }
}

TEST(objectives_resume_to_the_same_bits_and_figures) {
    float x[21 * 30];
    vae_data data;
    int n;
    small_images(x, 21, 30);
    data = float_data(x, 21, 30);
    for (n = 0; n < 5; n++) {
        vae_desc d = small_desc();
        vae_progress end;
        uint64_t hash, at;
        watcher w;
        vae *m = NULL;
        d.epochs = 2;
        switch (n) {
        case 0:
            d.objective = VAE_OBJECTIVE_IWAE, d.samples = 5, d.warmup_steps = 4, d.cycle_steps = 5;
            break;
        case 1: d.objective = VAE_OBJECTIVE_DREG, d.samples = 3, d.code = VAE_ACT_TANH; break;
        case 2: d.optimizer = VAE_OPTIMIZER_ADAM_IWAE, d.corrupt = VAE_CORRUPT_GAUSSIAN; break;
        case 3: d.contract = 0.1, d.sparse = 0.1, d.free_bits = 0.1; break;
        default: d.encoder = "", d.contract = 0.1, d.corrupt = VAE_CORRUPT_SALT_PEPPER; break;
        }
        memset(&w, 0, sizeof w);
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        CHECK_STATUS(vae_fit(m, &data, &data, watch, &w), VAE_OK);
        hash = vae_params_hash(m), end = w.last;
        vae_destroy(m);
        for (at = 1; at < 8; at += 2) {
            size_t size;
            unsigned char *bytes;
            memset(&w, 0, sizeof w);
            w.stop_at = at;
            CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
            CHECK_STATUS(vae_fit(m, &data, &data, watch, &w), VAE_STOPPED);
            bytes = file_of(m, 0, &size);
            vae_destroy(m);
            m = obj_twin(bytes, size, 0, 1, VAE_ISA_AUTO, 0);
            free(bytes);
            CHECK_STATUS(vae_fit(m, &data, &data, watch, &w), VAE_OK);
            CHECK(vae_params_hash(m) == hash);
            CHECK(!memcmp(&w.last.train, &end.train, sizeof end.train)); /* the bound too */
            CHECK(!memcmp(&w.last.test, &end.test, sizeof end.test));
            vae_destroy(m);
        }
    }
}

/* ---- the caller's noise, and z ---- */

TEST(noise_of_the_caller_takes_the_place_of_its_address) {
    enum { K = 3, L = 3 };
    float x[8 * 30], eps[8 * K * L];
    uint64_t hash[3];
    int way;
    small_images(x, 8, 30);
    for (way = 0; way < 3; way++) {
        vae_desc d = small_desc();
        vae *m = NULL;
        size_t i;
        d.samples = K;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        CHECK_STATUS(vae_train_step(m, BATCH(x, 8), NULL), VAE_OK);
        for (i = 0; i < 8 * K; i++) {
            vae_stream s;
            memset(&s, 0, sizeof s);
            s.seed = 5, s.purpose = VAE_PURPOSE_EPS, s.time = 1;
            s.sample = (uint32_t)(i / K), s.replica = (uint32_t)(i % K);
            vae_random_normal(&s, 0, L, eps + i * L);
        }
        if (way == 2) eps[8 * K * L - 1] += 0.5f; /* another last number */
        CHECK_STATUS(vae_train_step(m, BATCH(x, 8, .eps = way ? eps : NULL), NULL), VAE_OK);
        for (i = 0; i < 8 * K * L; i++) eps[i] = 9;
        CHECK_STATUS(vae_train_step(m, BATCH(x, 8), NULL), VAE_OK); /* its own again */
        hash[way] = vae_params_hash(m);
        vae_destroy(m);
    }
    CHECK(hash[1] == hash[0] && hash[2] != hash[0]);
    {
        vae_desc d = small_desc();
        vae *m = NULL;
        double worst;
        d.no_noise = 1;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        CHECK_STATUS(vae_train_step(m, BATCH(x, 8, .eps = eps), NULL), VAE_ERR_STATE);
        CHECK_SAYS(*vae_last_report(m), "no noise");
        CHECK_STATUS(vae_check_gradients(m, BATCH(x, 8, .eps = eps), 1, &worst), VAE_ERR_STATE);
        CHECK_STATUS(vae_train_step(m, BATCH(x, 8), NULL), VAE_OK);
        vae_destroy(m);
    }
}

TEST(a_posterior_draw_is_the_z_of_training) {
    enum { ROWS = 19, L = 3 };
    int way;
    for (way = 0; way < 3; way++) {
        vae_desc d = obj_still();
        float x[ROWS * 30], eps[ROWS * L], z[ROWS * L], mu[ROWS * L], lv[ROWS * L], one[L];
        uint64_t state = 96;
        size_t i, size;
        unsigned char *bytes;
        vae *m = NULL, *twin;
        if (way == 1) d.head = VAE_HEAD_ABS, d.code = VAE_ACT_SIGMOID;
        if (way == 2) d.no_noise = 1;
        small_images(x, ROWS, 30);
        ref_fill_normal(&state, eps, ROWS * L, 1);
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        CHECK_STATUS(vae_posterior(m, BATCH(x, ROWS, .eps = eps), z), VAE_OK);
        CHECK_STATUS(vae_encode(m, BATCH(x, ROWS), mu, lv), VAE_OK);
        for (i = 0; i < ROWS * L; i++) {
            const double s = way == 2 ? 0 : exp(0.5 * (double)lv[i]);
            CHECK_NEAR((double)z[i], (double)mu[i] + s * (double)eps[i],
                       2e-7 * (fabs((double)mu[i]) + s * fabs((double)eps[i])));
        }
        CHECK_STATUS(vae_train_step(m, BATCH(x, 8, .eps = way < 2 ? eps : NULL), NULL), VAE_OK);
        CHECK_EQ(ref_differ(8 * L, m->z, z), 8 * L);
        for (i = 0; i < ROWS; i++) {
            CHECK_STATUS(vae_posterior(m, BATCH(x + i * 30, 1, .eps = eps + i * L), one), VAE_OK);
            CHECK(!memcmp(one, z + i * L, sizeof one));
        }
        bytes = file_of(m, 0, &size);
        twin = obj_twin(bytes, size, 5, 3, VAE_ISA_PORTABLE, 1);
        memcpy(lv, eps, sizeof lv);
        CHECK_STATUS(vae_posterior(twin, BATCH(x, ROWS, .eps = lv), lv), VAE_OK); /* in place */
        CHECK_EQ(ref_differ(ROWS * L, lv, z), ROWS * L);
        CHECK_STATUS(vae_posterior(NULL, BATCH(x, 1, .eps = eps), z), VAE_ERR_NULL);
        CHECK_STATUS(vae_posterior(m, BATCH(NULL, 1, .eps = eps), z), VAE_ERR_NULL);
        CHECK_STATUS(vae_posterior(m, BATCH(x, 1, .eps = eps), NULL), VAE_ERR_NULL);
        free(bytes);
        vae_destroy(m), vae_destroy(twin);
    }
}

/* A probability of 1 leaves nothing, and one-hot planes are no head. */
TEST(everything_is_masked_with_certainty_and_a_label_is_no_head) {
    float x[8 * 30];
    vae_desc d = small_desc();
    vae *m = NULL;
    vae_info info;
    size_t i;
    small_images(x, 8, 30);
    d.corrupt = VAE_CORRUPT_MASK, d.corruption = 1;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    CHECK_STATUS(vae_train_step(m, BATCH(x, 8), NULL), VAE_OK);
    for (i = 0; i < 8 * 30; i++) CHECK(vae__bits_f(m->seen[i]) == 0);
    vae_destroy(m);
    d = small_desc();
    d.input = "30", d.decoder = "dense 26 tanh, label 4";
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    vae_get_info(m, &info);
    CHECK(!strcmp(m->tensors[info.tensors - 1].name, "decoder.head.bias"));
    vae_destroy(m);
}

TESTS(objectives) {
    vae__fpenv env;
    vae__fp_enter(&env); /* see reference.h */
    RUN(everything_is_masked_with_certainty_and_a_label_is_no_head);
    RUN(every_objective_has_the_loss_of_its_formula);
    RUN(every_objective_has_the_gradient_of_its_formula);
    RUN(one_importance_weight_is_the_elbo_bit_for_bit);
    RUN(the_variance_of_the_elbo_over_noise_falls_as_one_over_the_samples);
    RUN(dreg_has_the_mean_of_iwae_and_less_variance_in_the_encoder);
    RUN(a_bound_has_the_same_bits_whoever_computes_it);
    RUN(a_bound_of_one_draw_is_the_score_with_its_kl_drawn);
    RUN(a_bound_is_the_log_of_the_mean_weight);
    RUN(a_bound_rises_from_the_elbo_with_the_number_of_draws);
    RUN(a_bound_is_the_likelihood_where_nothing_depends_on_the_latents);
    RUN(a_bound_of_a_linear_model_is_its_exact_likelihood);
    RUN(linear_vae_at_the_closed_form_has_the_exact_test_likelihood_of_mnist);
    RUN(wrong_calls_to_vae_bound_are_told);
    RUN(a_bound_takes_65536_draws);
    RUN(patience_ends_a_fit_after_its_epochs_without_a_lower_test_loss);
    RUN(a_plateau_cuts_the_rate_after_its_epochs_without_a_lower_test_loss);
    RUN(patience_and_a_plateau_need_test_data);
    RUN(networks_with_labels_must_be_told_the_class);
    RUN(a_label_is_one_hot_planes_behind_the_channels);
    RUN(every_row_keeps_its_class_whatever_the_buffers);
    RUN(batches_larger_than_a_portion_keep_their_rows_together);
    RUN(a_fit_takes_the_labels_of_its_images);
    RUN(evaluation_takes_the_labels_of_the_data);
    RUN(a_conditional_network_trains_and_resumes_to_the_same_bits);
    RUN(settings_that_exclude_each_other_are_refused);
    RUN(a_file_without_the_newer_settings_has_their_defaults);
    RUN(a_file_may_lack_its_course_but_not_have_a_wrong_one);
    RUN(adam_iwae_is_the_rule_of_the_authors_code);
    RUN(units_are_means_of_the_kl_and_variances_of_the_mean_of_each_latent);
    RUN(units_of_a_constant_mean_are_not_active);
    RUN(free_bits_that_no_latent_exceeds_leave_reconstruction_alone);
    RUN(free_bits_keep_latents_that_beta_collapses);
    RUN(a_larger_beta_has_a_lower_rate_and_a_higher_distortion);
    RUN(beta_rises_in_a_sawtooth);
    RUN(the_sparse_penalty_has_no_pull_at_zero_and_shrinks_codes);
    RUN(the_contractive_penalty_in_closed_form_is_the_squared_jacobian);
    RUN(the_contractive_penalty_of_two_views_has_the_squared_jacobian_as_mean);
    RUN(a_contractive_weight_flattens_the_encoder);
    RUN(corruption_hits_its_part_of_the_input_and_leaves_the_target_clean);
    RUN(evaluation_does_not_corrupt);
    RUN(objectives_train_to_the_same_bits_on_every_isa_and_number_of_threads);
    RUN(gradient_checker_is_small_on_every_objective_wherever_rows_meet);
    RUN(objectives_resume_to_the_same_bits_and_figures);
    RUN(noise_of_the_caller_takes_the_place_of_its_address);
    RUN(a_posterior_draw_is_the_z_of_training);
    vae__fp_leave(&env);
}
