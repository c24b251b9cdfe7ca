/* The whole of a variational autoencoder in plain loops. Read this first. At the end vae.h trains
 * the same network, from the same weights with the same noise, and reaches the same figure.
 *   cc examples/the_algorithm.c && ./a.out
 *
 *     encoder, q(z|x)   h = relu(x W1 + b1),  [mu, logvar] = h W2 + b2
 *     code              z = mu + exp(logvar / 2) eps,  eps ~ N(0, I)      (the reparameterisation)
 *     decoder, p(x|z)   g = relu(z W3 + b3),  a = g W4 + b4,  p(pixel = 1) = sigmoid(a)
 *     loss = -ELBO      -log p(x|z) + KL(q(z|x) || N(0, I))
 *
 * Kingma & Welling 2014 (arXiv:1312.6114); the optimiser is Adam, Kingma & Ba 2015. */
#include <stdio.h>
#include <string.h>
#define VAE_IMPLEMENTATION
#include "../vae.h" /* its random numbers and initial weights, and to compare with */
#include "../tools/digits.h"

enum { PIXELS = DIGITS_PIXELS, HIDDEN = 64, LATENT = 6, HEAD = 2 * LATENT };
enum { IMAGES = 2000, TESTS = 500, BATCH = 20, EPOCHS = 5 };
static const double RATE = 2e-3;

/* What C keeps in -lm. e^x is (e^(x/1024))^1024; log x for x in [1, 2] is the series of atanh. */
static double exp_of(double x) {
    double y = x / 1024, e = 1 + y * (1 + y / 2 * (1 + y / 3 * (1 + y / 4)));
    for (int i = 0; i < 10; i++) e *= e;
    return e;
}
static double log_of(double x) {
    double s = (x - 1) / (x + 1), power = s, sum = 0;
    for (int k = 1; k < 24; k += 2, power *= s * s) sum += 2 * power / k;
    return sum;
}
static double root_of(double x) { /* Newton's iteration: after its first step it only falls */
    double r = x > 1e-8 ? 1e-2 : 1e-4, last;
    do last = r, r = (r + x / r) / 2;
    while (r < last * 0.999999 || r > last);
    return r;
}

/* ---- a layer, y = x W + b ---- */

typedef struct layer { /* w: W (in, out), and behind it b as one more row; m, v: Adam's moments */
    int in, out;
    float *w, *dw, *m, *v;
} layer;
#define LAYER(in, out) {in, out, NULL, NULL, NULL, NULL}
static layer layers[] = {LAYER(PIXELS, HIDDEN), LAYER(HIDDEN, HEAD), LAYER(LATENT, HIDDEN),
                         LAYER(HIDDEN, PIXELS)};
static float memory[4 * ((PIXELS + 1) * HIDDEN + (HIDDEN + 1) * HEAD + (LATENT + 1) * HIDDEN +
                         (HIDDEN + 1) * PIXELS)];

static void forward(const layer *l, const float *x, int relu, float *y) {
    memcpy(y, l->w + l->in * l->out, (size_t)l->out * sizeof(float));
    for (int i = 0; i < l->in; i++)
        for (int j = 0; x[i] != 0 && j < l->out; j++) y[j] += x[i] * l->w[i * l->out + j];
    for (int j = 0; relu && j < l->out; j++) y[j] = y[j] > 0 ? y[j] : 0;
}
/* Adds to dw, and writes dx unless it is NULL. x_is_relu: x is the output of a ReLU, whose slope is
 * 0 where x is 0. Zeros of x add nothing to dw and are skipped. */
static void backward(layer *l, const float *x, const float *dy, int x_is_relu, float *dx) {
    for (int j = 0; j < l->out; j++) l->dw[l->in * l->out + j] += dy[j];
    for (int i = 0; i < l->in; i++) {
        float sum = 0;
        for (int j = 0; x[i] != 0 && j < l->out; j++) l->dw[i * l->out + j] += x[i] * dy[j];
        for (int j = 0; dx && j < l->out; j++) sum += l->w[i * l->out + j] * dy[j];
        if (dx) dx[i] = x_is_relu && x[i] <= 0 ? 0 : sum;
    }
}
/* The running mean of the gradient, divided by the root of its running mean square, times the rate.
 * Both begin at 0, so they are divided by 1 - b1^t and 1 - b2^t. */
static void adam(layer *l, double b1t, double b2t) {
    for (int i = 0; i < (l->in + 1) * l->out; i++) {
        const float g = l->dw[i] / BATCH;
        l->m[i] = 0.9f * l->m[i] + 0.1f * g;
        l->v[i] = 0.999f * l->v[i] + 0.001f * g * g;
        l->w[i] -= (float)(RATE * (l->m[i] / (1 - b1t)) /
                           ((l->v[i] > 0 ? root_of(l->v[i] / (1 - b2t)) : 0) + 1e-8));
        l->dw[i] = 0;
    }
}

/* ---- an image: its loss, and when it is learned the gradient ---- */

static double loss_of(const float *x, const float *eps, int learn) {
    float h[HIDDEN], head[HEAD], z[LATENT], g[HIDDEN], a[PIXELS];
    float dz[LATENT], dhead[HEAD], dg[HIDDEN], dh[HIDDEN];
    const float *mu = head, *logvar = head + LATENT;
    double recon = 0, kl = 0;
    forward(&layers[0], x, 1, h);
    forward(&layers[1], h, 0, head);
    for (int j = 0; j < LATENT; j++) {
        const double deviation = exp_of(0.5 * logvar[j]);
        z[j] = (float)(mu[j] + deviation * eps[j]);
        kl += 0.5 * (mu[j] * mu[j] + deviation * deviation - 1 - logvar[j]);
    }
    forward(&layers[2], z, 1, g);
    forward(&layers[3], g, 0, a);
    for (int i = 0; i < PIXELS; i++) { /* -log p = log(1 + e^a) - x a, its slope sigmoid(a) - x */
        const double e = exp_of(a[i] > 0 ? -a[i] : a[i]); /* at most 1: nothing overflows */
        recon += (a[i] > 0 ? a[i] : 0) + log_of(1 + e) - x[i] * a[i];
        a[i] = (float)((a[i] > 0 ? 1 : e) / (1 + e)) - x[i]; /* from here on the gradient of a */
    }
    if (!learn) return recon + kl;
    backward(&layers[3], g, a, 1, dg);
    backward(&layers[2], z, dg, 0, dz);
    for (int j = 0; j < LATENT; j++) { /* the gradient through z, and that of the KL */
        const double deviation = exp_of(0.5 * logvar[j]);
        dhead[j] = dz[j] + mu[j];
        dhead[LATENT + j] = (float)(0.5 * (dz[j] * eps[j] * deviation + deviation * deviation - 1));
    }
    backward(&layers[1], h, dhead, 1, dh);
    backward(&layers[0], x, dh, 0, NULL);
    return recon + kl;
}

/* ---- training ---- */

static uint8_t images[IMAGES * PIXELS], tests[TESTS * PIXELS];

/* Every draw of N(0, 1) has an address. vae.h uses the same ones (its manual lists them). */
static double visit(const uint8_t *image, uint32_t purpose, int time, int sample) {
    const vae_stream noise = {1 /* seed */, purpose, 0, 0, (uint32_t)time, (uint32_t)sample};
    float x[PIXELS], eps[LATENT];
    for (int i = 0; i < PIXELS; i++) x[i] = image[i] / 255.0f;
    vae_random_normal(&noise, 0, LATENT, eps);
    return loss_of(x, eps, purpose == VAE_PURPOSE_EPS);
}
/* Returns -ELBO over images that it did not learn. */
static double train_and_test(void) {
    double b1t = 1, b2t = 1, sum = 0;
    for (int epoch = 0, step = 0; epoch < EPOCHS; epoch++, sum = 0) {
        for (int n = 0; n < IMAGES; step++) {
            for (int row = 0; row < BATCH; row++, n++)
                sum += visit(images + vae_shuffle(1, (uint32_t)epoch, IMAGES, (uint64_t)n) * PIXELS,
                             VAE_PURPOSE_EPS, step, row);
            b1t *= 0.9, b2t *= 0.999;
            for (int l = 0; l < 4; l++) adam(&layers[l], b1t, b2t);
        }
        printf("epoch %d: -ELBO %.2f nats\n", epoch + 1, sum / IMAGES);
    }
    for (int n = 0; n < TESTS; n++) sum += visit(tests + n * PIXELS, VAE_PURPOSE_EVAL, 0, n);
    return sum / TESTS;
}

int main(void) {
    const size_t shape[] = {IMAGES, 28, 28}, test_shape[] = {TESTS, 28, 28};
    vae_desc d = {0};
    vae_data data, test_data;
    vae_tensor w, b;
    vae_stats s;
    vae *model;
    double found;
    digits_fill(1, 0, IMAGES, images, NULL);
    digits_fill(1, DIGITS_TEST, TESTS, tests, NULL);
    d.input = "28x28", d.encoder = d.decoder = "dense 64 relu", d.latent = LATENT;
    d.lr = RATE, d.batch = BATCH, d.epochs = EPOCHS;
    if (vae_create(&d, &model, NULL)) return 1;
    for (size_t l = 0, at = 0; l < 4; l++) { /* initial weights of vae.h: uniform, He or Glorot */
        const size_t size = (size_t)((layers[l].in + 1) * layers[l].out);
        (void)vae_tensor_at(model, 2 * l, &w), (void)vae_tensor_at(model, 2 * l + 1, &b);
        layers[l].w = memory + at, layers[l].dw = layers[l].w + size;
        layers[l].m = layers[l].dw + size, layers[l].v = layers[l].m + size, at += 4 * size;
        memcpy(layers[l].w, w.data, w.count * sizeof(float));
        memcpy(layers[l].w + w.count, b.data, b.count * sizeof(float));
    }
    found = train_and_test();
    printf("new images, these loops: -ELBO %.3f nats\n", found);
    if (vae_data_wrap(VAE_U8, 3, shape, images, &data, NULL) ||
        vae_data_wrap(VAE_U8, 3, test_shape, tests, &test_data, NULL) ||
        vae_fit(model, &data, NULL, NULL, NULL) || vae_evaluate(model, &test_data, &s))
        return fprintf(stderr, "%s\n", vae_last_report(model)->text), 1;
    printf("new images, vae.h:       -ELBO %.3f nats\n", -s.elbo);
    vae_destroy(model);
    return found + s.elbo > 0.01 || found + s.elbo < -0.01; /* never: only the rounding differs */
}
