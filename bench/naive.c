/* The loops of naive.h. A model takes the order of each product that is faster as compiled. */
#include "naive.h"
#include <math.h>
#include <string.h>

/* ---- matrix products ---- */

void naive_gemm_ikj(int flags, size_t m, size_t n, size_t k, const float *restrict a,
                    const float *restrict b, float *restrict c) {
    memset(c, 0, m * n * sizeof *c);
    for (size_t i = 0; i < m; i++)
        for (size_t kk = 0; kk < k; kk++) {
            const float x = flags & 1 ? a[kk * m + i] : a[i * k + kk];
            if (flags & 2)
                for (size_t j = 0; j < n; j++) c[i * n + j] += x * b[j * k + kk];
            else
                for (size_t j = 0; j < n; j++) c[i * n + j] += x * b[kk * n + j];
        }
}

void naive_gemm_ijk(int flags, size_t m, size_t n, size_t k, const float *restrict a,
                    const float *restrict b, float *restrict c) {
    const size_t ai = flags & 1 ? 1 : k, ak = flags & 1 ? m : 1;
    const size_t bj = flags & 2 ? k : 1, bk = flags & 2 ? 1 : n;
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            float sum = 0;
            for (size_t kk = 0; kk < k; kk++) sum += a[i * ai + kk * ak] * b[j * bj + kk * bk];
            c[i * n + j] = sum;
        }
}

/* ---- elementwise ---- */

static float sigmoid(float x) { return 1 / (1 + expf(-x)); }

#define NAIVE_LIST(X) \
    X(relu, x > 0 ? x : 0) \
    X(leaky_relu, x > 0 ? x : 0.01f * x) \
    X(elu, x > 0 ? x : expm1f(x)) \
    X(tanh, tanhf(x)) \
    X(sigmoid, sigmoid(x)) \
    X(softplus, log1pf(expf(-fabsf(x))) + (x > 0 ? x : 0)) \
    X(silu, x * sigmoid(x)) \
    X(gelu, 0.5f * x * (1 + erff(x * 0.70710678f))) \
    X(exp, expf(x)) \
    X(expm1, expm1f(x)) \
    X(log, logf(x)) \
    X(log1p, log1pf(x)) \
    X(erf, erff(x)) \
    X(sinpi, sinf(3.14159265f * x)) \
    X(cospi, cosf(3.14159265f * x)) \
    X(sqrt, sqrtf(x))

#define ONE(name, value) #name,
const char *const naive_names[] = {NAIVE_LIST(ONE) NULL};
#undef ONE
#define ONE(name, value) \
    static void map_##name(size_t n, const float *restrict from, float *restrict to) { \
        for (size_t i = 0; i < n; i++) { \
            const float x = from[i]; \
            to[i] = (value); \
        } \
    }
NAIVE_LIST(ONE)
#undef ONE
#define ONE(name, value) map_##name,
void naive_map(int fn, size_t n, const float *x, float *y) {
    static void (*const map[])(size_t, const float *, float *) = {NAIVE_LIST(ONE)};
    map[fn](n, x, y);
}

float naive_bernoulli(size_t n, const float *restrict logits, const float *restrict x, float scale,
                      float *restrict dlogits) {
    float sum = 0;
    for (size_t i = 0; i < n; i++) {
        const float a = logits[i];
        sum += (a > 0 ? a : 0) - a * x[i] + log1pf(expf(-fabsf(a)));
        if (dlogits) dlogits[i] = (sigmoid(a) - x[i]) * scale;
    }
    return sum;
}

float naive_kl(size_t n, const float *restrict head, float scale, float *restrict dhead) {
    float sum = 0;
    for (size_t i = 0; i < n; i++) {
        const float mu = head[i], logvar = head[n + i], var = expf(logvar);
        sum += 0.5f * (mu * mu + var - 1 - logvar);
        if (!dhead) continue;
        dhead[i] += scale * mu;
        dhead[n + i] += scale * 0.5f * (var - 1);
    }
    return sum;
}

void naive_latent(size_t n, const float *restrict head, const float *restrict eps,
                  float *restrict z) {
    for (size_t i = 0; i < n; i++) z[i] = head[i] + expf(0.5f * head[n + i]) * eps[i];
}

void naive_relu_bwd(size_t n, const float *restrict y, float *restrict dy) {
    for (size_t i = 0; i < n; i++) dy[i] *= y[i] > 0 ? 1.0f : 0.0f;
}

void naive_bias_bwd(size_t rows, size_t n, const float *restrict dy, float *restrict db) {
    memset(db, 0, n * sizeof *db);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < n; j++) db[j] += dy[i * n + j];
}

void naive_adam(size_t n, float *restrict w, const float *restrict g, float *restrict m,
                float *restrict v, float rate, float inv_bias) {
    for (size_t i = 0; i < n; i++) {
        m[i] = 0.9f * m[i] + 0.1f * g[i];
        v[i] = 0.999f * v[i] + 0.001f * g[i] * g[i];
        w[i] -= rate * m[i] / (sqrtf(v[i]) * inv_bias + 1e-8f);
    }
}

double naive_sum_squares(size_t n, const float *x) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
    return sum;
}

/* ---- random numbers ---- */

static void philox(uint64_t seed, uint64_t block, uint32_t c[4]) {
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    c[0] = (uint32_t)block, c[1] = (uint32_t)(block >> 32), c[2] = c[3] = 0;
    for (int round = 0; round < 10; round++) {
        const uint64_t p = (uint64_t)0xD2511F53u * c[0], q = (uint64_t)0xCD9E8D57u * c[2];
        c[0] = (uint32_t)(q >> 32) ^ c[1] ^ k0, c[1] = (uint32_t)q;
        c[2] = (uint32_t)(p >> 32) ^ c[3] ^ k1, c[3] = (uint32_t)p;
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
}

void naive_words(uint64_t seed, size_t n, uint32_t *out) {
    for (size_t i = 0; i + 4 <= n; i += 4) philox(seed, i / 4, out + i);
}

void naive_uniform(uint64_t seed, size_t n, float *out) {
    uint32_t w[4];
    for (size_t i = 0; i + 4 <= n; i += 4) {
        philox(seed, i / 4, w);
        for (int j = 0; j < 4; j++) out[i + (size_t)j] = (float)(w[j] >> 8) * 5.96046448e-8f;
    }
}

void naive_normal(uint64_t seed, size_t n, float *out) {
    uint32_t w[4];
    for (size_t i = 0; i + 4 <= n; i += 4) {
        philox(seed, i / 4, w);
        for (int j = 0; j < 4; j += 2) {
            const float angle = 6.28318531f * ((float)w[j] * 2.32830644e-10f);
            const float u = (float)w[j + 1] * 2.32830644e-10f + 1.16415322e-10f;
            const float r = sqrtf(-2 * logf(u));
            out[i + (size_t)j] = r * sinf(angle), out[i + (size_t)j + 1] = r * cosf(angle);
        }
    }
}

/* ---- a whole model ---- */

/* Where things lie, in floats: w, g, m and v alike; then the activations. */
typedef struct parts {
    size_t w1, b1, w2, b2, w3, b3, w4, b4, params;
    size_t g, m, v, h1, head, eps, z, h2, out, dhead, dz, dh, all;
} parts;

static parts parts_of(const naive_vae *m) {
    const size_t in = m->in, hid = m->hidden, lat = m->latent, rows = m->batch;
    parts p;
    p.w1 = 0, p.b1 = in * hid;
    p.w2 = p.b1 + hid, p.b2 = p.w2 + hid * 2 * lat;
    p.w3 = p.b2 + 2 * lat, p.b3 = p.w3 + lat * hid;
    p.w4 = p.b3 + hid, p.b4 = p.w4 + hid * in;
    p.params = p.b4 + in;
    p.g = p.params, p.m = 2 * p.params, p.v = 3 * p.params;
    p.h1 = 4 * p.params, p.head = p.h1 + rows * hid, p.eps = p.head + rows * 2 * lat;
    p.z = p.eps + rows * lat, p.h2 = p.z + rows * lat, p.out = p.h2 + rows * hid;
    p.dhead = p.out + rows * in, p.dz = p.dhead + rows * 2 * lat, p.dh = p.dz + rows * lat;
    p.all = p.dh + rows * hid;
    return p;
}

size_t naive_vae_floats(const naive_vae *m) { return parts_of(m).all; }

/* y = x w + b, with ReLU or without. */
static void dense(size_t rows, size_t in, size_t out, const float *x, const float *w,
                  const float *b, int relu, float *y) {
    naive_gemm_ikj(0, rows, out, in, x, w, y);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < out; j++) {
            const float sum = y[i * out + j] + b[j];
            y[i * out + j] = relu && sum < 0 ? 0 : sum;
        }
}

/* dw and db, and dx unless NULL. */
static void dense_bwd(size_t rows, size_t in, size_t out, const float *x, const float *w,
                      const float *dy, float *dw, float *db, float *dx) {
    naive_gemm_ikj(1, in, out, rows, x, dy, dw);
    naive_bias_bwd(rows, out, dy, db);
    if (dx) naive_gemm_ijk(2, rows, in, out, dy, w, dx);
}

void naive_vae_decode(const naive_vae *m, const float *z, size_t rows, float *hidden, float *out) {
    const parts p = parts_of(m);
    const float *w = m->memory;
    dense(rows, m->latent, m->hidden, z, w + p.w3, w + p.b3, 1, hidden);
    dense(rows, m->hidden, m->in, hidden, w + p.w4, w + p.b4, 0, out);
    for (size_t i = 0; i < rows * m->in; i++) out[i] = sigmoid(out[i]);
}

double naive_vae_step(naive_vae *m, const float *x) {
    const parts p = parts_of(m);
    const size_t in = m->in, hid = m->hidden, lat = m->latent, rows = m->batch;
    float *w = m->memory, *g = w + p.g, *h1 = w + p.h1, *head = w + p.head, *eps = w + p.eps;
    float *z = w + p.z, *h2 = w + p.h2, *out = w + p.out, *dhead = w + p.dhead, *dz = w + p.dz;
    float *dh = w + p.dh;
    const float scale = 1 / (float)rows;
    double loss = 0;
    dense(rows, in, hid, x, w + p.w1, w + p.b1, 1, h1);
    dense(rows, hid, 2 * lat, h1, w + p.w2, w + p.b2, 0, head);
    naive_normal(m->step, rows * lat, eps);
    for (size_t i = 0; i < rows; i++)
        naive_latent(lat, head + i * 2 * lat, eps + i * lat, z + i * lat);
    dense(rows, lat, hid, z, w + p.w3, w + p.b3, 1, h2);
    dense(rows, hid, in, h2, w + p.w4, w + p.b4, 0, out);
    for (size_t i = 0; i < rows; i++) {
        /* the gradient takes the logits' place */
        float *row = out + i * in;
        for (size_t j = 0; j < in; j++) {
            const float a = row[j], t = x[i * in + j];
            loss += (double)((a > 0 ? a : 0) - a * t + log1pf(expf(-fabsf(a))));
            row[j] = (sigmoid(a) - t) * scale;
        }
    }
    dense_bwd(rows, hid, in, h2, w + p.w4, out, g + p.w4, g + p.b4, dh);
    naive_relu_bwd(rows * hid, h2, dh);
    dense_bwd(rows, lat, hid, z, w + p.w3, dh, g + p.w3, g + p.b3, dz);
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < lat; j++) {
            const float d = dz[i * lat + j], l = head[i * 2 * lat + lat + j];
            dhead[i * 2 * lat + j] = d;
            dhead[i * 2 * lat + lat + j] = d * eps[i * lat + j] * 0.5f * expf(0.5f * l);
        }
        loss += (double)naive_kl(lat, head + i * 2 * lat, scale, dhead + i * 2 * lat);
    }
    dense_bwd(rows, hid, 2 * lat, h1, w + p.w2, dhead, g + p.w2, g + p.b2, dh);
    naive_relu_bwd(rows * hid, h1, dh);
    dense_bwd(rows, in, hid, x, w + p.w1, dh, g + p.w1, g + p.b1, NULL);
    m->step++;
    naive_adam(p.params, w, g, w + p.m, w + p.v,
               1e-3f / (1 - powf(0.9f, (float)m->step)),
               1 / sqrtf(1 - powf(0.999f, (float)m->step)));
    return loss / (double)rows;
}
