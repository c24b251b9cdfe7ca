/* What the formulas say, in double precision and plain loops, with libm: independent of how vae.h
 * computes. Sums are those of the papers named in vae.h; shapes are (rows, cols), row-major. */
#ifndef VAE_TEST_REFERENCE_H
#define VAE_TEST_REFERENCE_H
#include "test.h"

#define REF_LOG_2PI 1.8378770664093454836

/* ---- test inputs: splitmix64 (Steele, Lea, Flood 2014), nothing of the library's own ---- */

static inline uint64_t ref_next(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}
static inline size_t ref_pick(uint64_t *state, size_t n) { return (size_t)(ref_next(state) % n); }
static inline double ref_uniform(uint64_t *state, double low, double high) {
    return low + (high - low) * ((double)(ref_next(state) >> 11) * 0x1p-53);
}
static inline double ref_normal(uint64_t *state) {
    double r = sqrt(-2 * log(1 - ref_uniform(state, 0, 1)));
    return r * cos(6.283185307179586477 * ref_uniform(state, 0, 1));
}
static inline void ref_fill_uniform(uint64_t *state, float *x, size_t n, double low, double high) {
    size_t i;
    for (i = 0; i < n; i++) x[i] = (float)ref_uniform(state, low, high);
}
static inline void ref_fill_normal(uint64_t *state, float *x, size_t n, double scale) {
    size_t i;
    for (i = 0; i < n; i++) x[i] = (float)(scale * ref_normal(state));
}

/* ---- small helpers of the tests ---- */

/* Each room begins with vae__fp_enter and ends with vae__fp_leave: the tests call kernels and libm
 * directly, and a program built with -Ofast starts with subnormals flushed. */

/* The next set of kernels that can run here, NULL after the last: for (k = NULL; (k = next(k));) */
static inline const vae__kernels *ref_next_isa(const vae__kernels *k) {
    int isa = k ? (int)k->isa + 1 : (int)VAE_ISA_PORTABLE;
    for (; isa < VAE_ISA_COUNT; isa++) {
        k = vae__kernels_of((vae_isa)isa);
        if (k) return k;
    }
    return NULL;
}

/* Equal bits; any NaN equals any other. On the bits, so that -Ofast cannot think NaNs away. */
static inline int ref_is_nan(float x) { return (vae__bits_f(x) & 0x7fffffffu) > 0x7f800000u; }
static inline int ref_same(float a, float b) {
    return vae__bits_f(a) == vae__bits_f(b) || (ref_is_nan(a) && ref_is_nan(b));
}
/* The first place where two arrays differ, or n. */
static inline size_t ref_differ(size_t n, const float *a, const float *b) {
    size_t i;
    for (i = 0; i < n && ref_same(a[i], b[i]); i++) {}
    return i;
}

/* a * b + c, rounded once: the C library's. clang -Ofast would split a plain call in two. */
static inline float ref_fma(float a, float b, float c) {
    float (*volatile fused)(float, float, float) = fmaf;
    return fused(a, b, c);
}

/* Memory of a test: never NULL, exactly as large as asked, so that a sanitizer sees its end. */
static inline void *ref_alloc(size_t size) {
    void *p = malloc(size ? size : 1);
    if (!p) {
        printf("out of memory: %lu bytes\n", (unsigned long)size);
        exit(2);
    }
    memset(p, 0, size);
    return p;
}
static inline float *ref_floats(size_t n) { return (float *)ref_alloc(n * sizeof(float)); }
static inline double *ref_doubles(size_t n) { return (double *)ref_alloc(n * sizeof(double)); }

/* ---- Philox4x32-10 (Salmon et al. 2011), written from the paper ---- */

static inline void ref_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    uint32_t r[4], k[2];
    int round;
    memcpy(r, counter, sizeof r);
    memcpy(k, key, sizeof k);
    for (round = 0; round < 10; round++) {
        const uint64_t even = r[0] * (uint64_t)0xD2511F53u, odd = r[2] * (uint64_t)0xCD9E8D57u;
        const uint32_t next[4] = {(uint32_t)(odd >> 32) ^ r[1] ^ k[0], (uint32_t)odd,
                                  (uint32_t)(even >> 32) ^ r[3] ^ k[1], (uint32_t)even};
        memcpy(r, next, sizeof r);
        k[0] += 0x9E3779B9u, k[1] += 0xBB67AE85u;
    }
    memcpy(out, r, sizeof r);
}

/* Element e of a stream, with the counter laid out by hand. */
static inline uint32_t ref_word(const vae_stream *s, uint64_t e) {
    const uint32_t key[2] = {(uint32_t)(s->seed & 0xffffffffu), (uint32_t)(s->seed >> 32)};
    const uint32_t counter[4] = {(uint32_t)(e / 4), s->sample, s->time,
                                 s->purpose * 0x1000000u + s->layer * 0x10000u + s->replica};
    uint32_t out[4];
    ref_philox(counter, key, out);
    return out[e % 4];
}

/* ---- activations ---- */

static inline double ref_sigmoid(double x) {
    return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}
static inline double ref_softplus(double x) {
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}
static inline double ref_act(vae_act act, double x) {
    switch (act) {
    case VAE_ACT_RELU: return x > 0 ? x : 0;
    case VAE_ACT_LEAKY_RELU: return x > 0 ? x : 0.01 * x;
    case VAE_ACT_ELU: return x > 0 ? x : expm1(x);
    case VAE_ACT_TANH: return tanh(x);
    case VAE_ACT_SIGMOID: return ref_sigmoid(x);
    case VAE_ACT_SOFTPLUS: return ref_softplus(x);
    case VAE_ACT_SILU: return x * ref_sigmoid(x);
    case VAE_ACT_GELU: return 0.5 * x * erfc(-x * 0.70710678118654752440);
    default: return x;
    }
}
/* Its derivative, as a function of the input; at a kink, that of the left side. */
static inline double ref_act_slope(vae_act act, double x) {
    double p;
    switch (act) {
    case VAE_ACT_RELU: return x > 0 ? 1 : 0;
    case VAE_ACT_LEAKY_RELU: return x > 0 ? 1 : 0.01;
    case VAE_ACT_ELU: return x > 0 ? 1 : exp(x);
    case VAE_ACT_TANH: p = cosh(x); return 1 / (p * p);
    case VAE_ACT_SIGMOID: return ref_sigmoid(x) * ref_sigmoid(-x);
    case VAE_ACT_SOFTPLUS: return ref_sigmoid(x);
    case VAE_ACT_SILU: p = ref_sigmoid(x); return p + x * p * ref_sigmoid(-x);
    case VAE_ACT_GELU:
        return 0.5 * erfc(-x * 0.70710678118654752440) +
               x * 0.39894228040143267794 * exp(-0.5 * x * x);
    default: return 1;
    }
}

/* ---- dense: y = x w + b; w (in, out) ---- */

static inline void ref_dense_fwd(size_t rows, size_t in, size_t out, const double *x,
                                 const double *w, const double *b, double *y) {
    size_t r, i, o;
    for (r = 0; r < rows; r++) {
        for (o = 0; o < out; o++) {
            double sum = b[o];
            for (i = 0; i < in; i++) sum += x[r * in + i] * w[i * out + o];
            y[r * out + o] = sum;
        }
    }
}
/* Gradients are added to dw, db and dx; dx may be NULL. */
static inline void ref_dense_bwd(size_t rows, size_t in, size_t out, const double *x,
                                 const double *w, const double *dy, double *dw, double *db,
                                 double *dx) {
    size_t r, i, o;
    for (r = 0; r < rows; r++) {
        for (o = 0; o < out; o++) {
            const double d = dy[r * out + o];
            db[o] += d;
            for (i = 0; i < in; i++) {
                dw[i * out + o] += x[r * in + i] * d;
                if (dx) dx[r * in + i] += w[i * out + o] * d;
            }
        }
    }
}

/* ---- log-densities, in nats, of n numbers; gradients times `scale` are added ---- */

/* -log p of x under Bernoulli(sigmoid(logit)), grey x included. */
static inline double ref_bernoulli(size_t n, const double *logit, const double *x, double scale,
                                   double *dlogit) {
    double sum = 0;
    size_t i;
    for (i = 0; i < n; i++) {
        sum += x[i] * ref_softplus(-logit[i]) + (1 - x[i]) * ref_softplus(logit[i]);
        if (dlogit) dlogit[i] += scale * (ref_sigmoid(logit[i]) - x[i]);
    }
    return sum;
}
/* -log N(x; mean, exp(logvar)); one variance for all, fixed or learned. */
static inline double ref_gaussian(size_t n, const double *mean, const double *x, double logvar,
                                  double scale, double *dmean, double *dlogvar) {
    const double var = exp(logvar);
    double sum = 0;
    size_t i;
    for (i = 0; i < n; i++) {
        const double d = mean[i] - x[i];
        sum += 0.5 * (d * d / var + logvar + REF_LOG_2PI);
        if (dmean) dmean[i] += scale * d / var;
        if (dlogvar) *dlogvar += scale * 0.5 * (1 - d * d / var);
    }
    return sum;
}

/* ---- latents: logvar counts as clamped, with no gradient outside ---- */

static inline double ref_clamp(double logvar, double low, double high) {
    return logvar < low ? low : logvar > high ? high : logvar;
}
/* KL( N(mu, diag exp(logvar)) || N(0, I) ) */
static inline double ref_kl(size_t n, const double *mu, const double *logvar, double scale,
                            double *dmu, double *dlogvar) {
    double sum = 0;
    size_t i;
    for (i = 0; i < n; i++) {
        const double l = ref_clamp(logvar[i], -30, 20);
        sum += 0.5 * (mu[i] * mu[i] + (expm1(l) - l));
        if (dmu) dmu[i] += scale * mu[i];
        if (dlogvar && l == logvar[i]) dlogvar[i] += scale * 0.5 * expm1(l);
    }
    return sum;
}
/* z = mu + sigma eps; dz flows to mu and logvar. eps NULL: z = mu. */
static inline void ref_draw_fwd(size_t n, const double *mu, const double *logvar,
                                const double *eps, double *z) {
    size_t i;
    for (i = 0; i < n; i++)
        z[i] = mu[i] + (eps ? exp(0.5 * ref_clamp(logvar[i], -30, 20)) * eps[i] : 0);
}
static inline void ref_draw_bwd(size_t n, const double *logvar, const double *eps,
                                const double *dz, double *dmu, double *dlogvar) {
    size_t i;
    for (i = 0; i < n; i++) {
        const double l = ref_clamp(logvar[i], -30, 20);
        dmu[i] += dz[i];
        if (eps && l == logvar[i]) dlogvar[i] += dz[i] * 0.5 * eps[i] * exp(0.5 * l);
    }
}

/* ---- optimisers, as torch.optim has them (foreach=False, amsgrad=False, dampening=0) ---- */

/* t counts from 1. decoupled: AdamW; else weight_decay is added to the gradient. */
static inline void ref_adam(size_t n, double *w, const double *grad, double *m, double *v,
                            double t, double lr, double beta1, double beta2, double eps,
                            double weight_decay, int decoupled) {
    const double correct1 = 1 - pow(beta1, t), correct2 = 1 - pow(beta2, t);
    size_t i;
    for (i = 0; i < n; i++) {
        double g = grad[i];
        if (decoupled) w[i] -= lr * weight_decay * w[i];
        else g += weight_decay * w[i];
        m[i] = beta1 * m[i] + (1 - beta1) * g;
        v[i] = beta2 * v[i] + (1 - beta2) * g * g;
        w[i] -= lr / correct1 * m[i] / (sqrt(v[i]) / sqrt(correct2) + eps);
    }
}
static inline void ref_sgd(size_t n, double *w, const double *grad, double *buffer, double lr,
                           double momentum, double weight_decay) {
    size_t i;
    for (i = 0; i < n; i++) {
        buffer[i] = momentum * buffer[i] + grad[i] + weight_decay * w[i];
        w[i] -= lr * buffer[i];
    }
}
static inline void ref_ema(size_t n, const double *w, double *average, double decay) {
    size_t i;
    for (i = 0; i < n; i++) average[i] = decay * average[i] + (1 - decay) * w[i];
}

/* ---- a whole VAE: the loss as a function of one flat array of parameters ---- */

enum { REF_MAX_LAYERS = 8 };

typedef struct ref_layer {
    size_t width; /* of a dense layer; 0: the activation alone */
    vae_act act;
} ref_layer;

/* Likelihoods as a table of tests counts them. */
typedef enum ref_likelihood {
    REF_BERNOULLI, REF_GAUSSIAN, REF_GAUSSIAN_LEARNED, REF_GAUSSIAN_PIXEL,
    REF_CONTINUOUS_BERNOULLI, REF_LOGISTIC, REF_LOGISTIC_PIXEL, REF_CATEGORICAL, REF_LIKELIHOODS
} ref_likelihood;

/* One as vae_desc names it, with an argument unless that is 0 or it takes none. The text stays until
 * seven more have been asked for. */
static inline const char *ref_kind(ref_likelihood kind, double argument) {
    static const char *const names[] = {"bernoulli", "gaussian", "gaussian_learned",
                                        "gaussian_pixel", "continuous_bernoulli", "logistic",
                                        "logistic_pixel", "categorical"};
    static char texts[8][64];
    static int turn;
    char *text = texts[turn++ % 8];
    const int takes = kind == REF_GAUSSIAN || kind == REF_GAUSSIAN_LEARNED ||
                      kind == REF_LOGISTIC || kind == REF_CATEGORICAL;
    if (takes && argument > 0) snprintf(text, 64, "%s %.17g", names[kind], argument);
    else snprintf(text, 64, "%s", names[kind]);
    return text;
}

/* A posterior as vae_desc names it, with its deviation (VAE__SPREAD_*) and activation; and back. */
static inline const char *ref_posterior(int head, vae_act code) {
    static char texts[8][64];
    static int turn;
    char *text = texts[turn++ % 8];
    snprintf(text, 64, "normal%s%s%s%s", head ? " " : "", vae__deviation_names[head],
             code ? " code " : "", code ? vae_choice_name(VAE_CHOICE_ACT, (int)code) : "");
    return text;
}
static inline int ref_head_of(const char *posterior) {
    int head;
    for (head = VAE__SPREAD_SOFTPLUS; head; head--)
        if (posterior && !strncmp(posterior, "normal ", 7) &&
            !strncmp(posterior + 7, vae__deviation_names[head], strlen(vae__deviation_names[head])))
            return head;
    return 0;
}
static inline vae_act ref_code_of(const char *posterior) {
    const char *code = posterior ? strstr(posterior, "code ") : NULL;
    return code ? (vae_act)vae_choice_find(VAE_CHOICE_ACT, code + 5) : VAE_ACT_IDENTITY;
}

typedef struct ref_vae {
    size_t input, latent, rows, samples;
    const ref_layer *enc, *dec; /* heads included */
    size_t enc_count, dec_count;
    ref_likelihood likelihood;
    double variance;            /* of a gaussian that is not learned */
    double beta;
    int no_noise;
} ref_vae;

typedef struct ref_losses {
    double recon, kl, loss;
} ref_losses;

/* What backward needs: of each layer the input and what goes into its activation. */
typedef struct ref_tape {
    double *in[REF_MAX_LAYERS + 1], *pre[REF_MAX_LAYERS];
    size_t width[REF_MAX_LAYERS + 1];
} ref_tape;

/* Parameters lie weight, bias, weight, bias ...; returns how many there were. */
static inline size_t ref_net_fwd(const ref_layer *layers, size_t count, size_t in, size_t rows,
                                 const double *params, const double *x, ref_tape *tape) {
    size_t l, j, used = 0;
    memset(tape, 0, sizeof *tape);
    tape->width[0] = in;
    tape->in[0] = ref_doubles(rows * in);
    memcpy(tape->in[0], x, rows * in * sizeof(double));
    for (l = 0; l < count; l++) {
        const size_t out = layers[l].width ? layers[l].width : in, cells = rows * out;
        tape->pre[l] = ref_doubles(cells);
        tape->in[l + 1] = ref_doubles(cells);
        tape->width[l + 1] = out;
        if (layers[l].width) {
            ref_dense_fwd(rows, in, out, tape->in[l], params + used, params + used + in * out,
                          tape->pre[l]);
            used += in * out + out;
        } else {
            memcpy(tape->pre[l], tape->in[l], cells * sizeof(double));
        }
        for (j = 0; j < cells; j++) tape->in[l + 1][j] = ref_act(layers[l].act, tape->pre[l][j]);
        in = out;
    }
    return used;
}
static inline void ref_tape_free(ref_tape *tape) {
    int l;
    for (l = 0; l <= REF_MAX_LAYERS; l++) free(tape->in[l]);
    for (l = 0; l < REF_MAX_LAYERS; l++) free(tape->pre[l]);
}
/* dy (rows, last width) and params and grads, which end where this net's parameters end. The
 * input's gradient is written to dx unless NULL. */
static inline void ref_net_bwd(const ref_layer *layers, size_t count, size_t rows,
                               const double *params_end, double *grads_end, const ref_tape *tape,
                               const double *dy, double *dx) {
    size_t l = count, j;
    double *d = ref_doubles(rows * tape->width[count]);
    memcpy(d, dy, rows * tape->width[count] * sizeof(double));
    while (l--) {
        const size_t in = tape->width[l], out = tape->width[l + 1];
        double *below;
        for (j = 0; j < rows * out; j++) d[j] *= ref_act_slope(layers[l].act, tape->pre[l][j]);
        if (!layers[l].width) continue;
        below = ref_doubles(rows * in);
        params_end -= in * out + out;
        grads_end -= in * out + out;
        ref_dense_bwd(rows, in, out, tape->in[l], params_end, d, grads_end, grads_end + in * out,
                      below);
        free(d);
        d = below;
    }
    if (dx) memcpy(dx, d, rows * tape->width[0] * sizeof(double));
    free(d);
}

/* x (rows, input), eps (rows * samples, latent). grad (as params) is overwritten; may be NULL. */
static inline ref_losses ref_vae_loss(const ref_vae *v, const double *params, const double *x,
                                      const double *eps, double *grad) {
    const size_t rows = v->rows, z_rows = v->rows * v->samples, n = v->latent;
    const double per_row = 1.0 / (double)z_rows;
    double *z = ref_doubles(z_rows * n), *dz = ref_doubles(z_rows * n);
    double *dhead = ref_doubles(rows * 2 * n), *dout = ref_doubles(z_rows * v->input);
    double dlogvar = 0, logvar = log(v->variance);
    const double *head, *out;
    ref_tape enc, dec;
    ref_losses sum;
    size_t enc_used, dec_used, i, l;
    memset(&sum, 0, sizeof sum);
    enc_used = ref_net_fwd(v->enc, v->enc_count, v->input, rows, params, x, &enc);
    head = enc.in[v->enc_count];
    for (i = 0; i < rows; i++)
        for (l = 0; l < v->samples; l++)
            ref_draw_fwd(n, head + i * 2 * n, head + i * 2 * n + n,
                         v->no_noise ? NULL : eps + (i * v->samples + l) * n,
                         z + (i * v->samples + l) * n);
    dec_used = ref_net_fwd(v->dec, v->dec_count, n, z_rows, params + enc_used, z, &dec);
    out = dec.in[v->dec_count];
    if (v->likelihood == REF_GAUSSIAN_LEARNED) logvar = params[enc_used + dec_used];
    for (i = 0; i < z_rows; i++) {
        const double *xi = x + i / v->samples * v->input, *oi = out + i * v->input;
        if (v->likelihood == REF_BERNOULLI)
            sum.recon += per_row * ref_bernoulli(v->input, oi, xi, per_row, dout + i * v->input);
        else
            sum.recon += per_row * ref_gaussian(v->input, oi, xi, logvar, per_row,
                                                dout + i * v->input, &dlogvar);
    }
    for (i = 0; i < rows; i++)
        sum.kl += ref_kl(n, head + i * 2 * n, head + i * 2 * n + n, v->beta / (double)rows,
                         dhead + i * 2 * n, dhead + i * 2 * n + n) / (double)rows;
    sum.loss = sum.recon + v->beta * sum.kl;
    if (grad) {
        double *end = grad + enc_used + dec_used;
        memset(grad, 0, (enc_used + dec_used) * sizeof(double));
        ref_net_bwd(v->dec, v->dec_count, z_rows, params + enc_used + dec_used, end, &dec, dout,
                    dz);
        for (i = 0; i < z_rows; i++) {
            const size_t row = i / v->samples * 2 * n;
            ref_draw_bwd(n, head + row + n, v->no_noise ? NULL : eps + i * n, dz + i * n,
                         dhead + row, dhead + row + n);
        }
        ref_net_bwd(v->enc, v->enc_count, rows, params + enc_used, grad + enc_used, &enc, dhead,
                    NULL);
        if (v->likelihood == REF_GAUSSIAN_LEARNED) *end = dlogvar;
    }
    ref_tape_free(&enc);
    ref_tape_free(&dec);
    free(z), free(dz), free(dhead), free(dout);
    return sum;
}

/* ---- densities of one number with parameters of its own: -log p, and its gradient ---- */

/* 1 / (1 - e^-a) - 1 / a = 1/2 + L(a / 2) / 2, with Langevin's function and its series near 0. */
static inline double ref_cb_mean(double a) {
    if (fabs(a) < 0.05)
        return 0.5 + a / 12 - pow(a, 3) / 720 + pow(a, 5) / 30240 - pow(a, 7) / 1209600;
    return 0.5 + (0.5 / tanh(0.5 * a) - 1 / a);
}
/* Continuous Bernoulli: log of the integral of e^(a x) over [0,1], minus a x. */
static inline double ref_cb(double a, double x, double *da) {
    const double size = fabs(a), shrunk = size < 1e-12 ? 1 : -expm1(-size) / size;
    *da = ref_cb_mean(a) - x;
    return log(shrunk) + (a > 0 ? a * (1 - x) : -a * x);
}
/* One of the levels 0, 1/255 .. 1 of a logistic: sigmoid(u) - sigmoid(v) between the ends of the
 * level is sinh((u - v) / 2) / (2 cosh(u / 2) cosh(v / 2)). */
static inline double ref_log_cosh(double t) { return fabs(t) + log1p(exp(-2 * fabs(t))) - log(2); }
static inline double ref_logistic_from(double least, double mean, double raw, double x, double *dm,
                                       double *dl) {
    const double l = ref_clamp(raw, least, 20), inv = exp(-l);
    const double u = (x - mean + 1.0 / 510) * inv, v = (x - mean - 1.0 / 510) * inv;
    const double w = inv / 255;
    double value;
    if (x < 1.0 / 510) {
        value = ref_softplus(-u), *dm = ref_sigmoid(-u) * inv, *dl = u * ref_sigmoid(-u);
    } else if (x > 1 - 1.0 / 510) {
        value = ref_softplus(v), *dm = -ref_sigmoid(v) * inv, *dl = -v * ref_sigmoid(v);
    } else {
        value = log(2) + ref_log_cosh(u / 2) + ref_log_cosh(v / 2) -
                (w / 2 + log(-expm1(-w)) - log(2));
        *dm = -0.5 * inv * (tanh(u / 2) + tanh(v / 2));
        *dl = -0.5 * (u * tanh(u / 2) + v * tanh(v / 2) - w / tanh(w / 2));
    }
    if (l != raw) *dl = 0;
    return value;
}
static inline double ref_logistic(double mean, double raw, double x, double *dm, double *dl) {
    return ref_logistic_from(-7, mean, raw, x, dm, dl);
}
/* Level of k logits; the gradient is added to da unless NULL. */
static inline double ref_categorical(size_t k, const float *a, size_t level, double *da) {
    double top = (double)a[0], sum = 0;
    size_t i;
    for (i = 1; i < k; i++)
        if ((double)a[i] > top) top = (double)a[i];
    for (i = 0; i < k; i++) sum += exp((double)a[i] - top);
    for (i = 0; da && i < k; i++) da[i] += exp((double)a[i] - top) / sum - (double)(i == level);
    return log(sum) + (top - (double)a[level]);
}
/* vae_gemm with its description as arguments. */
static inline vae_status ref_gemm(vae_isa isa, int flags, size_t m, size_t n, size_t k,
                                  const float *a, size_t lda, const float *b, size_t ldb,
                                  const float *bias, vae_act act, float *c, size_t ldc) {
    vae_gemm_desc d;
    memset(&d, 0, sizeof d);
    d.m = m, d.n = n, d.k = k, d.a = a, d.b = b, d.c = c, d.lda = lda, d.ldb = ldb, d.ldc = ldc;
    d.trans_a = flags & VAE__GEMM_TRANS_A, d.trans_b = flags & VAE__GEMM_TRANS_B;
    d.add = flags & VAE__GEMM_ADD, d.bias = bias, d.act = act, d.isa = isa;
    return vae_gemm(&d, NULL);
}
#endif
