/* What training minimises, setting by setting, against the manual's formulas in double; which
 * settings go together, and what files say of them. Shapes are small enough for plain loops. */
#include "models.h"

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
    const int head_kind = ref_head_of(d->posterior);
    size_t j;
    for (j = 0; j < OBJ_LATENT; j++) {
        const double a = head[OBJ_LATENT + j];
        double s = head_kind == VAE__SPREAD_SOFTPLUS ? ref_softplus(a)
                   : head_kind == VAE__SPREAD_ABS ? fabs(a) : a;
        mu[j] = ref_act(ref_code_of(d->posterior), head[j]);
        if (s < 0.001) s = 0.001;
        logvar[j] = ref_clamp(head_kind == VAE__SPREAD_NONE ? a : 2 * log(s), -30, 20);
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
                const double slope = ref_act_slope(ref_code_of(d->posterior), head[j]);
                for (q = 0; q < OBJ_IN; q++)
                    sum.penalty += d->contract * pow(slope * params[q * 2 * OBJ_LATENT + j], 2) /
                                   OBJ_ROWS;
            }
        } else if (d->contract > 0) {
            (void)obj_forward(o->enc, OBJ_IN, params, o->near + i * OBJ_IN, o->labels[i], out);
            for (j = 0; j < OBJ_LATENT; j++)
                sum.penalty += d->contract * 1e4 * pow(ref_act(ref_code_of(d->posterior), out[j]) - mu[j], 2) /
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
            recon = !strcmp(d->likelihood, "bernoulli")
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
    d->likelihood = n % 2 ? "gaussian_learned 0.4" : "bernoulli";
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
        d->contract = 0.6, d->posterior = ref_posterior(VAE__SPREAD_NONE, closed[way - 22]), *enc = OBJ_HEAD;
        break;
    case 26: d->contract = 0.4; break;
    case 27: d->contract = 0.4, d->posterior = "normal code sigmoid", d->no_noise = d->no_kl = 1; break;
    case 28: d->corrupt = VAE_CORRUPT_GAUSSIAN; break;
    case 29: d->corrupt = VAE_CORRUPT_MASK, d->corruption = 0.4, *step = 4; break;
    case 30: d->corrupt = VAE_CORRUPT_SALT_PEPPER, d->corruption = 0.5; break;
    case 31: d->corrupt = VAE_CORRUPT_GAUSSIAN, d->contract = 0.2, d->samples = 2; break;
    case 32: *enc = *dec = OBJ_LABEL; break;
    case 33: *enc = *dec = OBJ_LABEL, d->objective = VAE_OBJECTIVE_IWAE, d->samples = 3; break;
    case 34: *enc = *dec = OBJ_LABEL, d->contract = 0.3, d->free_bits = 0.2; break;
    case 35: d->posterior = "normal softplus code sigmoid"; break;
    case 36:
        d->posterior = "normal softplus code tanh";
        d->objective = VAE_OBJECTIVE_DREG, d->samples = 4;
        break;
    case 37: d->posterior = "normal abs code gelu", d->sparse = 0.1; break;
    case 38: /* all at once */
        d->objective = VAE_OBJECTIVE_IWAE, d->samples = 3, d->sparse = 0.3, d->contract = 0.5;
        d->corrupt = VAE_CORRUPT_MASK, d->warmup_steps = 4, *step = 3, *enc = OBJ_HEAD;
        d->posterior = "normal softplus code sigmoid";
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
                d.encoder = "", d.contract = 0.2, d.posterior = "normal code sigmoid", d.sparse = 1;
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
            default: d.posterior = "normal softplus code sigmoid", d.free_bits = 0.1;
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
        case 0: d.objective = VAE_OBJECTIVE_IWAE, d.samples = 5, d.warmup_steps = 4, d.cycle_steps = 5; break;
        case 1: d.objective = VAE_OBJECTIVE_DREG, d.samples = 3, d.posterior = "normal code tanh"; break;
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
        {"objective", VAE_ERR_VALUE}, {"corrupt", VAE_ERR_VALUE}, {"posterior, column 13: expected an activation", VAE_ERR_SYNTAX},
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
        case 21: d.posterior = "normal code relax"; break;
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
        d.posterior = "normal code tanh", d.no_recon = n == 2, d.warmup_steps = 9, d.cycle_steps = 11;
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
        CHECK(!strcmp(got.posterior, WITHOUT(0) ? "normal" : "normal code tanh"));
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

TESTS(objectives) {
    vae__fpenv env;
    vae__fp_enter(&env); /* see reference.h */
    RUN(every_objective_has_the_loss_of_its_formula);
    RUN(every_objective_has_the_gradient_of_its_formula);
    RUN(settings_that_exclude_each_other_are_refused);
    RUN(a_file_without_the_newer_settings_has_their_defaults);
    RUN(objectives_train_to_the_same_bits_on_every_isa_and_number_of_threads);
    RUN(gradient_checker_is_small_on_every_objective_wherever_rows_meet);
    RUN(objectives_resume_to_the_same_bits_and_figures);
    vae__fp_leave(&env);
}
