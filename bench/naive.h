/* naive.h: what one would write without vae.h. Plain loops and libm, for the benchmarks to compare
 * with; bench/naive.c is compiled at -O3 -march=native, so that the compiler does its best. */
#ifndef NAIVE_H
#define NAIVE_H
#include <stddef.h>
#include <stdint.h>

/* C (m, n) = A (m, k) B (k, n), without gaps between rows. Flags as in vae_gemm: 1, A is stored
 * (k, m), or 2, B is stored (n, k). ikj: a row of C stays in cache while B's are streamed; ijk: a
 * dot product for each output. */
void naive_gemm_ikj(int flags, size_t m, size_t n, size_t k, const float *a, const float *b,
                    float *c);
void naive_gemm_ijk(int flags, size_t m, size_t n, size_t k, const float *a, const float *b,
                    float *c);

/* y[i] = f(x[i]) by libm. `fn` counts like naive_names, which ends with NULL. */
extern const char *const naive_names[];
void naive_map(int fn, size_t n, const float *x, float *y);

/* The other kernels of a training step, in the words of vae.h. */
float naive_bernoulli(size_t n, const float *logits, const float *x, float scale, float *dlogits);
float naive_kl(size_t n, const float *head, float scale, float *dhead);
void naive_latent(size_t n, const float *head, const float *eps, float *z);
void naive_relu_bwd(size_t n, const float *y, float *dy);
void naive_bias_bwd(size_t rows, size_t n, const float *dy, float *db);
void naive_adam(size_t n, float *w, const float *g, float *m, float *v, float rate,
                float inv_bias);
double naive_sum_squares(size_t n, const float *x);

/* Philox4x32-10, one block after another; normals by Box & Muller with logf, sinf, cosf. */
void naive_words(uint64_t seed, size_t n, uint32_t *out);
void naive_uniform(uint64_t seed, size_t n, float *out);
void naive_normal(uint64_t seed, size_t n, float *out);

/* A VAE in - hidden - latent - hidden - in with ReLU and Bernoulli pixels. `memory` holds
 * naive_vae_floats() floats: the parameters, laid out as in vae.h, then zeros. */
typedef struct naive_vae {
    size_t in, hidden, latent, batch, step;
    float *memory;
} naive_vae;
size_t naive_vae_floats(const naive_vae *m);
double naive_vae_step(naive_vae *m, const float *x); /* the batch's loss */
void naive_vae_decode(const naive_vae *m, const float *z, size_t rows, float *hidden, float *out);

#endif /* NAIVE_H */
