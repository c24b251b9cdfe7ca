/* bench: how fast vae.h is, beside plain loops and beside what the machine could do.
 *
 *   make bench                                            the tables
 *   build/bench [--json FILE] [--text FILE] [gemm] [map] [random] [model] [order]
 *                                                         some of them; figures also into files
 *
 * Everything runs on one thread and is measured in its CPU time, by bench/race.h; a figure is the
 * best of several samples, and ~ marks a median more than 15 % worse. A floor is the products at
 * the FMA ceiling plus the bytes at the bandwidth of a buffer as large as all of them. Naive loops:
 * bench/naive.c, -O3 -march=native. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "../tools/digits.h"
#include "naive.h"
#include "race.h"

enum { CONTENDERS = 12 };

/* A contender: its work, and what race() found. */
typedef struct job {
    void (*run)(void *);
    const vae__kernels *k; /* NULL: naive */
    int which, fn, flags;
    size_t rows, n, depth; /* of a product: m, n, k */
    const float *a, *b;
    float *c, *d, *e;
    void *model;
    double best, median;   /* seconds per call */
} job;

static void race_jobs(job *jobs, int count) {
    racer racers[CONTENDERS] = {{0}};
    int i;
    for (i = 0; i < count; i++) racers[i].run = jobs[i].run, racers[i].work = &jobs[i];
    race(racers, count);
    for (i = 0; i < count; i++) jobs[i].best = racers[i].best, jobs[i].median = racers[i].median;
}

static char mark(const job *j) { return unsteady(j->best, j->median); }

/* The parts of a row of jobs: one for each instruction set, then the naive ones. */
static void json_jobs(const job *jobs, int naive, const char *const *names) {
    int i;
    for (i = 0; i < isa_count + naive; i++)
        json_time(i < isa_count ? isa_name(i) : names[i - isa_count], jobs[i].best,
                  jobs[i].median);
}

/* ---- products ---- */

static void run_gemm(void *work) {
    const job *j = (const job *)work;
    const size_t lda = j->flags & VAE__GEMM_TRANS_A ? j->rows : j->depth;
    const size_t ldb = j->flags & VAE__GEMM_TRANS_B ? j->depth : j->n;
    if (j->k)
        j->k->gemm(j->flags, j->rows, j->n, j->depth, j->a, lda, j->b, ldb, NULL, 0, j->c, j->n);
    else if (j->which)
        naive_gemm_ijk(j->flags, j->rows, j->n, j->depth, j->a, j->b, j->c);
    else
        naive_gemm_ikj(j->flags, j->rows, j->n, j->depth, j->a, j->b, j->c);
}

/* The last result must be near that of the first, whose bits differ by the order of the sums. */
static void compare(const float *want, const float *got, size_t n, size_t depth) {
    size_t i;
    for (i = 0; i < n; i++)
        if (!(fabs((double)want[i] - (double)got[i]) <= 2e-6 * (double)depth + 1e-5))
            fail("a product is wrong");
}

static void bench_gemm(void) {
    static const size_t layers[][2] = {{784, 400}, {400, 40}, {400, 20}, {20, 400}, {400, 784}};
    static const size_t batches[] = {1, 20, 128, 1024};
    static const char *const ops[] = {"y = x W", "dW", "dx"}, *const naive[] = {"ikj", "ijk"};
    const size_t widest = 1024 * 784;
    const float *p = normals(widest, 0), *q = normals(widest, 1);
    float *c = floats(widest), *want = floats(widest);
    size_t l, b, op;
    int i;
    say("\n1. Products, GFLOP/s; in brackets per cent of the FMA ceiling, which is");
    for (i = 0; i < isa_count; i++)
        if (ceiling[isas[i]]) say(" %s %.0f", isa_name(i), ceiling[isas[i]] * 1e-9);
    say("\n   floor: per cent of what products at the ceiling plus bytes allow (%s), above 100 "
           "where\n   the two overlap; x: ratio to naive\n\n   layer     op     batch",
           isa_name(0));
    for (i = 0; i < isa_count; i++)
        say(ceiling[isas[i]] ? " %8s       " : " %9s ", isa_name(i));
    say("floor |    ikj    ijk    x ikj  x ijk\n");
    for (l = 0; l < sizeof layers / sizeof *layers; l++) {
        for (op = 0; op < 3; op++) {
            for (b = 0; b < sizeof batches / sizeof *batches; b++) {
                const size_t in = layers[l][0], out = layers[l][1], batch = batches[b];
                const double flop = 2.0 * (double)in * (double)out * (double)batch;
                const double bytes = 4.0 * (double)(in * out + batch * (in + out));
                job jobs[CONTENDERS] = {{0}}, *j;
                double floor = 0;
                for (i = 0; i < isa_count + 2; i++) {
                    j = &jobs[i];
                    j->run = run_gemm;
                    j->k = i < isa_count ? vae__kernels_of(isas[i]) : NULL;
                    j->which = i > isa_count; /* of the naive ones: ijk */
                    j->flags = op == 1 ? VAE__GEMM_TRANS_A : op == 2 ? VAE__GEMM_TRANS_B : 0;
                    j->rows = op == 1 ? in : batch, j->n = op == 2 ? in : out;
                    j->depth = op == 1 ? batch : op == 2 ? out : in;
                    j->a = p, j->b = q, j->c = i ? c : want;
                }
                race_jobs(jobs, isa_count + 2);
                compare(want, c, jobs[0].rows * jobs[0].n, jobs[0].depth);
                if (ceiling[isas[0]])
                    floor = flop / ceiling[isas[0]] + bytes / bandwidth((size_t)bytes);
                say("%5d x%-4d %-8s%4d", (int)in, (int)out, ops[op], (int)batch);
                for (i = 0; i < isa_count; i++) {
                    j = &jobs[i];
                    say(" %8.1f%c", flop / j->best * 1e-9, mark(j));
                    if (ceiling[isas[i]])
                        say("[%3.0f] ", 100 * flop / j->best / ceiling[isas[i]]);
                }
                j = &jobs[isa_count];
                say("%5.0f | %6.1f %6.1f  %7.1f %6.1f\n", 100 * floor / jobs[0].best,
                       flop / j[0].best * 1e-9, flop / j[1].best * 1e-9,
                       j[0].best / jobs[0].best, j[1].best / jobs[0].best);
                if (!json) continue;
                fprintf(json_row("gemm"), ", \"in\": %d, \"out\": %d, \"op\": \"%s\", "
                        "\"batch\": %d, \"flop\": %.0f, \"floor\": %.4g", (int)in, (int)out,
                        ops[op], (int)batch, flop, floor);
                json_jobs(jobs, 2, naive);
                fputs("}", json);
            }
        }
    }
}

/* ---- what the order of the sums costs ---- */

#if defined(VAE__HAVE_AVX)
typedef struct order_kernels {
    int (*tiles)(int vecs, int ways, int flags, size_t m, size_t n, size_t k, const float *a,
                 size_t lda, const float *b, size_t ldb, float *c, size_t ldc);
    int (*turned)(int flags, size_t m, size_t n, size_t k, const float *a, size_t lda,
                  const float *b, size_t ldb, float *c, size_t ldc);
    int (*dots)(int flags, size_t m, size_t n, size_t k, const float *a, size_t lda,
                const float *b, size_t ldb, float *c, size_t ldc);
} order_kernels;

#ifdef VAE__GCC
#pragma GCC push_options
#pragma GCC optimize("O3")
#endif

#define SK(name) sk_##name##_avx2
#define SK_AT __attribute__((target("avx2,fma")))
#define SK_V __m256
#define SK_W 8
#define SK_SUMS 12
#define SK_ZERO _mm256_setzero_ps
#define SK_SET1 _mm256_set1_ps
#define SK_LOAD _mm256_loadu_ps
#define SK_STORE _mm256_storeu_ps
#define SK_ADD _mm256_add_ps
#define SK_FMA _mm256_fmadd_ps
#define SK_GET(p, n) _mm256_maskload_ps(p, sk_lanes(n))
#define SK_PUT(p, n, v) _mm256_maskstore_ps(p, sk_lanes(n), v)
#define SK_SUM4 sk_sum4_avx2
VAE__INLINE SK_AT __m256i sk_lanes(size_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
VAE__INLINE SK_AT __m128 sk_sum4_avx2(__m256 a, __m256 b, __m256 c, __m256 d) {
    const __m256 s = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
    return _mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1));
}
#include "split_k.h"

#define SK(name) sk_##name##_avx512
#define SK_AT __attribute__((target("avx512f,avx512dq,avx2,fma")))
#define SK_V __m512
#define SK_W 16
#define SK_SUMS 24
#define SK_ZERO _mm512_setzero_ps
#define SK_SET1 _mm512_set1_ps
#define SK_LOAD _mm512_loadu_ps
#define SK_STORE _mm512_storeu_ps
#define SK_ADD _mm512_add_ps
#define SK_FMA _mm512_fmadd_ps
#define SK_GET(p, n) _mm512_maskz_loadu_ps((__mmask16)((1u << (n)) - 1), p)
#define SK_PUT(p, n, v) _mm512_mask_storeu_ps(p, (__mmask16)((1u << (n)) - 1), v)
#define SK_SUM4 sk_sum4_avx512
#define SK_HALF(v) _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1))
VAE__INLINE SK_AT __m128 sk_sum4_avx512(__m512 a, __m512 b, __m512 c, __m512 d) {
    return sk_sum4_avx2(SK_HALF(a), SK_HALF(b), SK_HALF(c), SK_HALF(d));
}
#include "split_k.h"
#ifdef VAE__GCC
#pragma GCC pop_options
#endif

static const order_kernels *order_of(vae_isa isa) {
    static const order_kernels avx2 = {sk_tiles_avx2, sk_turned_avx2, sk_dots_avx2};
    static const order_kernels avx512 = {sk_tiles_avx512, sk_turned_avx512, sk_dots_avx512};
    return isa == VAE_ISA_AVX512 ? &avx512 : isa == VAE_ISA_AVX2 ? &avx2 : NULL;
}

enum { TURNED = 9, DOTS, VARIANTS }; /* before these 3 u + v: tiles of 2^u vectors, 2^v sums */

static int keeps_order(int which) { return which == TURNED || (which < TURNED && which % 3 == 0); }

static int try_order(const job *j) {
    const order_kernels *order = (const order_kernels *)j->model;
    const size_t lda = j->flags & VAE__GEMM_TRANS_A ? j->rows : j->depth;
    const size_t ldb = j->flags & VAE__GEMM_TRANS_B ? j->depth : j->n;
    if (j->which >= TURNED)
        return (j->which == DOTS ? order->dots : order->turned)(
            j->flags, j->rows, j->n, j->depth, j->a, lda, j->b, ldb, j->c, j->n);
    return order->tiles(1 << j->which / 3, 1 << j->which % 3, j->flags, j->rows, j->n, j->depth,
                        j->a, lda, j->b, ldb, j->c, j->n);
}
static void run_order(void *work) { (void)try_order((const job *)work); }

static const char *variant_name(int which, char *text, size_t size) {
    if (which >= TURNED) snprintf(text, size, which == DOTS ? "dots" : "turned");
    else snprintf(text, size, "%d x %d", 1 << which / 3, 1 << which % 3);
    return text;
}

/* Heats among all tiles, then a final of vae.h, the best chain and the best that is free, so that
 * nobody profits from having had more attempts. */
static void bench_order(void) {
    enum { AS_STORED = 0, DX = VAE__GEMM_TRANS_B, DW = VAE__GEMM_TRANS_A };
    static const struct { int flags; size_t m, n, k; const char *what; } shapes[] = {
        {AS_STORED, 1024, 1024, 1024, "square"}, {AS_STORED, 512, 512, 512, "square"},
        {AS_STORED, 256, 256, 256, "square"}, {AS_STORED, 64, 64, 64, "square"},
        {AS_STORED, 128, 400, 784, "y = xW"}, {DX, 128, 784, 400, "dx"},
        {DW, 784, 400, 128, "dW"}, {AS_STORED, 128, 40, 400, "y = xW"},
        {AS_STORED, 128, 20, 400, "y = xW"}, {AS_STORED, 20, 400, 784, "y = xW"},
        {DX, 20, 400, 784, "dx"}, {AS_STORED, 20, 20, 400, "y = xW"},
        {AS_STORED, 4, 40, 400, "y = xW"}, {AS_STORED, 1, 400, 784, "y = xW"},
        {AS_STORED, 1, 784, 200, "y = xW"}, {AS_STORED, 1, 40, 400, "y = xW"},
        {AS_STORED, 1, 20, 400, "y = xW"}, {DX, 1, 784, 400, "dx"},
        {AS_STORED, 128, 1, 784, "column"}, {AS_STORED, 128, 4, 784, "columns"},
        {DX, 4, 4, 4096, "dots"}, {DX, 2, 2, 4096, "dots"}, {DX, 1, 4, 4096, "dots"},
        {DX, 1, 1, 4096, "dot"}, {DX, 1, 1, 256, "dot"}};
    enum { SHAPES = sizeof shapes / sizeof *shapes };
    static const char *const names[] = {"vae.h", "chain", "free"};
    const float *a = normals(1024 * 1024, 5), *b = normals(1024 * 1024, 6);
    float *c[VARIANTS + 1];
    char text[2][16];
    double mean[3];
    size_t s;
    int i, v, counts[3];
    for (i = 0; i <= VARIANTS; i++) c[i] = floats(1024 * 1024);
    for (i = 0; i < isa_count && order_of(isas[i]); i++) {
        memset(mean, 0, sizeof mean), memset(counts, 0, sizeof counts);
        say("\n5. What the fixed order of sums costs, %s: GFLOP/s, best and median.\n"
            "   chain: the best tile of this program (vectors x sums an output) that keeps the "
            "order and vae.h's bits;\n   free: the best that does not: 2 or 4 sums an output, or "
            "vectors along k (dots);\n   like: free / chain; gain: free / the faster of vae.h and "
            "chain\n\n   %-8s %5s %5s %5s | %13s | %20s | %20s |  like  gain\n",
            isa_name(i), "", "M", "N", "K", names[0], names[1], names[2]);
        for (s = 0; s < SHAPES; s++) {
            const size_t m = shapes[s].m, n = shapes[s].n, k = shapes[s].k;
            const double flop = 2.0 * (double)m * (double)n * (double)k;
            job jobs[VARIANTS + 1] = {{0}}, last[3], *j;
            int count = 1, chain = 0, split = 0, group;
            double like, gain;
            for (v = -1; v < VARIANTS; v++) {
                j = &jobs[v < 0 ? 0 : count];
                memset(j, 0, sizeof *j);
                j->flags = shapes[s].flags, j->rows = m, j->n = n, j->depth = k;
                j->a = a, j->b = b, j->c = c[v + 1], j->which = v;
                memset(j->c, 0xff, m * n * sizeof(float)); /* NaN: what is not written shows */
                if (v < 0) {
                    j->run = run_gemm, j->k = vae__kernels_of(isas[i]);
                    j->which = 0, run_gemm(j);
                    continue;
                }
                j->run = run_order, j->model = (void *)(uintptr_t)order_of(isas[i]);
                if (!try_order(j)) continue;
                compare(c[0], j->c, m * n, k);
                if (keeps_order(v) && memcmp(c[0], j->c, m * n * sizeof(float)))
                    fail("a chain's bits differ from those of vae.h");
                count++;
            }
            race_samples = 5;
            race_jobs(jobs, count);
            for (v = 1; v < count; v++) {
                int *best = keeps_order(jobs[v].which) ? &chain : &split;
                if (!*best || jobs[v].median < jobs[*best].median) *best = v;
            }
            last[0] = jobs[0], last[1] = jobs[chain], last[2] = jobs[split];
            race_samples = 15;
            race_jobs(last, 3);
            race_samples = 11;
            like = last[1].best / last[2].best;
            gain = fmin(last[0].best, last[1].best) / last[2].best;
            variant_name(last[1].which, text[0], sizeof text[0]);
            variant_name(last[2].which, text[1], sizeof text[1]);
            say("   %-8s %5d %5d %5d | %6.1f %6.1f | %6s %6.1f %6.1f | %6s %6.1f %6.1f | %5.*f "
                "%5.2f\n", shapes[s].what, (int)m, (int)n, (int)k, flop / last[0].best * 1e-9,
                flop / last[0].median * 1e-9, text[0], flop / last[1].best * 1e-9,
                flop / last[1].median * 1e-9, text[1], flop / last[2].best * 1e-9,
                flop / last[2].median * 1e-9, like < 99 ? 2 : 1, like, gain);
            fflush(stdout);
            group = m >= 64 && n >= 40 ? 0 : m * n > 16 ? 1 : 2;
            /* freedom includes keeping the order */
            mean[group] += log(gain > 1 ? gain : 1), counts[group]++;
            if (!json) continue;
            fprintf(json_row("order"), ", \"isa\": \"%s\", \"op\": \"%s\", \"m\": %d, \"n\": %d, "
                    "\"k\": %d, \"flop\": %.0f, \"chain_tile\": \"%s\", \"free_tile\": \"%s\"",
                    isa_name(i), shapes[s].what, (int)m, (int)n, (int)k, flop, text[0], text[1]);
            for (v = 0; v < 3; v++) json_time(names[v], last[v].best, last[v].median);
            fputs("}", json);
        }
        say("   geometric mean of the gain, if at least 1: %.3f where M >= 64 and N >= 40, %.3f at "
            "fewer rows or\n   columns, %.1f for up to 16 outputs\n",
            exp(mean[0] / counts[0]), exp(mean[1] / counts[1]), exp(mean[2] / counts[2]));
    }
}
#else
static void bench_order(void) {
    say("\n5. What the fixed order of sums costs: measured with AVX only\n");
}
#endif

/* ---- elementwise ---- */

enum { MAP, BERNOULLI, KL, LATENT, RELU_BWD, BIAS_BWD, ADAM, SQUARES };

static void run_map(void *work) {
    const job *j = (const job *)work;
    static const vae__adam_step step = {1, 0.9f, 0.1f, 0.999f, 0.001f, 1e-3f, 1, 1e-8f, 1, 0};
    const vae__kernels *k = j->k;
    size_t i;
    switch (j->which) {
    case MAP:
        if (k) k->map(j->fn + 1, j->n, j->a, j->c); /* 0 is the identity */
        else naive_map(j->fn, j->n, j->a, j->c);
        break;
    case BERNOULLI:
        if (k) j->d[0] = k->bernoulli(j->n, j->a, j->b, 1, j->c);
        else j->d[0] = naive_bernoulli(j->n, j->a, j->b, 1, j->c);
        break;
    case KL: /* rows of 20 latents, as in the model */
        for (i = 0; i + 20 <= j->n; i += 20) {
            if (k) j->d[0] = k->kl(20, j->a + 2 * i, 1e-9f, NULL, j->c + 2 * i);
            else j->d[0] = naive_kl(20, j->a + 2 * i, 1e-9f, j->c + 2 * i);
        }
        break;
    case LATENT:
        for (i = 0; i + 20 <= j->n; i += 20) {
            if (k) k->latent_fwd(20, j->a + 2 * i, j->b + i, j->c + i);
            else naive_latent(20, j->a + 2 * i, j->b + i, j->c + i);
        }
        break;
    case RELU_BWD:
        if (k) k->act_bwd(VAE_ACT_RELU, j->n, j->a, j->c);
        else naive_relu_bwd(j->n, j->a, j->c);
        break;
    case BIAS_BWD:
        if (k) k->bias_bwd(128, j->n / 128, j->a, j->c);
        else naive_bias_bwd(128, j->n / 128, j->a, j->c);
        break;
    case ADAM:
        if (k) k->adam(j->n, j->c, j->a, j->d, j->e, &step);
        else naive_adam(j->n, j->c, j->a, j->d, j->e, 1e-3f, 1);
        break;
    default:
        if (k) j->c[0] = (float)k->sum_squares(j->n, j->a);
        else j->c[0] = (float)naive_sum_squares(j->n, j->a);
    }
}

static void map_row(const char *name, const job *work, double bytes) {
    static const char *const naive[] = {"naive"};
    job jobs[CONTENDERS];
    const double n = (double)work->n;
    int i;
    for (i = 0; i <= isa_count; i++) {
        jobs[i] = *work;
        jobs[i].run = run_map;
        jobs[i].k = i < isa_count ? vae__kernels_of(isas[i]) : NULL;
    }
    race_jobs(jobs, isa_count + 1);
    say("   %-21s %6d %8.3f%c %7.2f %6.0f", name, (int)work->n, jobs[0].best / n * 1e9,
           mark(&jobs[0]), jobs[0].best / n * hertz, bytes * n / jobs[0].best * 1e-9);
    for (i = 1; i < isa_count; i++) say(" %9.3f", jobs[i].best / n * 1e9);
    say(" | %7.3f %7.1f\n", jobs[i].best / n * 1e9, jobs[i].best / jobs[0].best);
    if (!json) return;
    fprintf(json_row("map"), ", \"name\": \"%s\", \"n\": %d, \"bytes\": %g", name, (int)work->n,
            bytes);
    json_jobs(jobs, 1, naive);
    fputs("}", json);
}

static void bench_map(void) {
    const size_t n = 4096, many = 65536;
    float *x = normals(2 * many, 2), *b = normals(many, 3), *p = floats(many);
    float *positive = floats(n);
    job j = {0};
    size_t i;
    for (i = 0; i < n; i++) positive[i] = (float)(i + 1) / (float)n;
    for (i = 0; i < many; i++) p[i] = (float)(i % 256) / 255;
    for (i = 0; i < 2 * many; i++) x[i] *= 2;
    j.c = floats(2 * many), j.d = floats(many), j.e = floats(many), j.b = p;
    say("\n2. Elementwise, ns per element; cycles at %.2f GHz; GB/s read and written\n\n"
           "   %-21s %6s %9s %7s %6s",
           hertz * 1e-9, "function", "n", isa_name(0), "cycles", "GB/s");
    for (i = 1; i < (size_t)isa_count; i++) say(" %9s", isa_name((int)i));
    say(" | %7s %7s\n", "libm", "x libm");
    j.which = MAP, j.n = n;
    for (j.fn = 0; naive_names[j.fn]; j.fn++) {
        const int partial = j.fn + 1 >= VAE__FN_LOG && j.fn + 1 != VAE__FN_ERF;
        j.a = partial ? positive : x; /* log, log1p, sqrt, sinpi and cospi are drawn from (0, 1] */
        map_row(naive_names[j.fn], &j, 8);
    }
    j.a = x;
    j.which = BERNOULLI, j.n = 784, map_row("bernoulli + gradient", &j, 12);
    j.b = b;
    j.which = LATENT, j.n = 128 * 20, map_row("z = mu + e^(l/2) eps", &j, 16);
    j.which = KL, map_row("kl + gradient", &j, 24);
    j.which = RELU_BWD, j.n = 128 * 400, map_row("relu, backward", &j, 12);
    j.which = BIAS_BWD, map_row("bias, backward", &j, 4);
    memset(j.e, 0, many * sizeof(float));
    j.which = ADAM, j.n = many, map_row("adam", &j, 28);
    j.which = SQUARES, map_row("sum of squares", &j, 4);
}

/* ---- random numbers ---- */

static void run_draw(void *work) {
    const job *j = (const job *)work;
    vae__address at = {{1, 0}, {0, 0, 0}};
    if (j->k) j->k->draw(j->which, &at, 0, j->n, j->c);
    else if (j->which == VAE__DRAW_WORDS) naive_words(1, j->n, (uint32_t *)(void *)j->c);
    else if (j->which == VAE__DRAW_UNIFORM) naive_uniform(1, j->n, j->c);
    else naive_normal(1, j->n, j->c);
}

static void bench_random(void) {
    static const char *const names[] = {"words", "uniforms", "normals"};
    static const char *const naive[] = {"naive"};
    job jobs[CONTENDERS] = {{0}};
    float *out = floats(4096);
    int kind, i;
    say("\n3. Random numbers, millions a second\n\n   %-10s", "");
    for (i = 0; i < isa_count; i++) say(" %9s", isa_name(i));
    say(" | %7s %7s   (Philox, Box-Muller, libm)\n", "naive", "x naive");
    for (kind = 0; kind < 3; kind++) {
        for (i = 0; i <= isa_count; i++) {
            jobs[i].run = run_draw, jobs[i].which = kind, jobs[i].n = 4096, jobs[i].c = out;
            jobs[i].k = i < isa_count ? vae__kernels_of(isas[i]) : NULL;
        }
        race_jobs(jobs, isa_count + 1);
        say("   %-10s", names[kind]);
        for (i = 0; i < isa_count; i++)
            say(" %8.0f%c", 4096 / jobs[i].best * 1e-6, mark(&jobs[i]));
        say(" | %7.0f %7.1f\n", 4096 / jobs[i].best * 1e-6, jobs[i].best / jobs[0].best);
        if (!json) continue;
        fprintf(json_row("random"), ", \"name\": \"%s\", \"n\": 4096", names[kind]);
        json_jobs(jobs, 1, naive);
        fputs("}", json);
    }
}

/* ---- a model ---- */

enum { IN = 784, HIDDEN = 400, LATENT_DIM = 20, BATCH = 128, DECODE = 1024 };
enum { STEP, DECODE_ONE, DECODE_MANY };

static void run_model(void *work) {
    const job *j = (const job *)work;
    const size_t rows = j->which == DECODE_ONE ? 1 : DECODE;
    vae_status bad = VAE_OK;
    const vae_batch images = {.x = j->a, .rows = BATCH}, codes = {.x = j->b, .rows = rows};
    if (j->which == STEP && j->k) bad = vae_train_step((vae *)j->model, &images, NULL);
    else if (j->which == STEP) naive_vae_step((naive_vae *)j->model, j->a);
    else if (j->k) bad = vae_decode((vae *)j->model, &codes, j->c);
    else naive_vae_decode((const naive_vae *)j->model, j->b, rows, j->d, j->c);
    if (bad) fail(vae_last_report((vae *)j->model)->text);
}

static vae *model_of(vae_isa isa, int inference) {
    vae_desc desc = {0};
    vae_report report;
    vae *model = NULL;
    desc.input = "784";
    desc.isa = isa;
    desc.inference = inference;
    desc.batch = inference ? DECODE : BATCH;
    if (vae_create(&desc, &model, &report)) fail(report.text);
    return model;
}

/* The same parameters to begin with, and losses that agree but for the draws of z. */
static naive_vae *naive_model(vae *like, const float *x) {
    naive_vae *m = (naive_vae *)room(sizeof *m);
    vae_tensor first;
    vae_info info;
    vae_stats stats;
    double loss;
    m->in = IN, m->hidden = HIDDEN, m->latent = LATENT_DIM, m->batch = BATCH;
    m->memory = floats(naive_vae_floats(m));
    vae_get_info(like, &info);
    if (vae_tensor_at(like, 0, &first)) fail(vae_last_report(like)->text);
    memcpy(m->memory, first.data, info.parameters * sizeof(float));
    for (int i = 0; i < 20; i++) {
        if (vae_train_step(like, &(vae_batch){.x = x, .rows = BATCH}, &stats))
            fail(vae_last_report(like)->text);
        loss = naive_vae_step(m, x);
        if (!(fabs(loss - stats.loss) < 0.02 * stats.loss)) fail("the naive model differs");
    }
    return m;
}

static void bench_model(void) {
    static const char *const names[] = {"train step, batch 128", "decode, batch 1",
                                        "decode, batch 1024"};
    static const char *const naive[] = {"naive"};
    static const int rows[] = {BATCH, 1, DECODE};
    const double wide = (double)IN * HIDDEN, head = (double)HIDDEN * 2 * LATENT_DIM;
    const double start = (double)LATENT_DIM * HIDDEN;
    const double products[] = {
        /* forward and dW of all layers; dx of all but the first */
        2.0 * BATCH * (2 * (wide + head + start + wide) + head + start + wide),
        2.0 * (start + wide), 2.0 * DECODE * (start + wide)};
    const double weights = start + HIDDEN + wide + IN;
    const double all = weights + wide + HIDDEN + head + 2 * LATENT_DIM;
    const double rest = DECODE * (LATENT_DIM + 2.0 * HIDDEN + IN);
    const double bytes[] = {28 * all, 4 * weights, 4 * (weights + rest)}; /* Adam moves 28 each */
    const double footprint[] = {16 * all, 4 * weights, 4 * (weights + rest)};
    uint8_t *pixels = (uint8_t *)room((size_t)BATCH * IN);
    float *x = floats((size_t)BATCH * IN), *z = normals((size_t)DECODE * LATENT_DIM, 4);
    float *out = floats((size_t)DECODE * IN), *hidden = floats((size_t)DECODE * HIDDEN);
    vae *models[2][RACE_ISAS];
    naive_vae *plain;
    size_t i;
    int which, k;
    digits_fill(1, 0, BATCH, pixels, NULL);
    for (i = 0; i < (size_t)BATCH * IN; i++) x[i] = (float)pixels[i] / 255;
    for (k = 0; k < isa_count; k++)
        models[0][k] = model_of(isas[k], 0), models[1][k] = model_of(isas[k], 1);
    plain = naive_model(models[0][0], x);
    say("\n4. The model 784-400-20-400-784, ms and images a second; floor in ms, and how much "
           "of it\n   %s reaches\n\n  %-21s", isa_name(0), "");
    for (k = 0; k < isa_count; k++) say(" %18s", isa_name(k));
    say(" %7s %4s | %6s %7s\n", "floor", "%", "naive", "x naive");
    for (which = 0; which < 3; which++) {
        job jobs[CONTENDERS] = {{0}};
        double floor = 0;
        for (k = 0; k <= isa_count; k++) {
            job *j = &jobs[k];
            j->run = run_model, j->which = which;
            j->a = x, j->b = z, j->c = out, j->d = hidden;
            j->k = k < isa_count ? vae__kernels_of(isas[k]) : NULL;
            j->model = k < isa_count ? (void *)models[which != STEP][k] : (void *)plain;
        }
        race_jobs(jobs, isa_count + 1);
        if (ceiling[isas[0]])
            floor = products[which] / ceiling[isas[0]] +
                    bytes[which] / bandwidth((size_t)footprint[which]);
        say("  %-21s", names[which]);
        for (k = 0; k < isa_count; k++)
            say(" %8.3f%c %8.0f", jobs[k].best * 1e3, mark(&jobs[k]),
                   rows[which] / jobs[k].best);
        say(" %7.3f %4.0f | %6.3f %7.1f\n", floor * 1e3, 100 * floor / jobs[0].best,
               jobs[k].best * 1e3, jobs[k].best / jobs[0].best);
        if (!json) continue;
        fprintf(json_row("model"), ", \"name\": \"%s\", \"rows\": %d, \"floor\": %.4g",
                names[which], rows[which], floor);
        json_jobs(jobs, 1, naive);
        fputs("}", json);
    }
    for (k = 0; k < isa_count; k++) vae_destroy(models[0][k]), vae_destroy(models[1][k]);
}

int main(int argc, char **argv) {
    static const char *const words[] = {"gemm", "map", "random", "model", "order"};
    static void (*const tables[])(void) = {bench_gemm, bench_map, bench_random, bench_model,
                                            bench_order};
    enum { TABLES = sizeof tables / sizeof *tables };
    const double begin = seconds_of(CLOCK_MONOTONIC);
    int chosen[TABLES] = {0}, any = 0, i, t;
    for (i = 1; i < argc; i++) {
        for (t = 0; t < TABLES && strcmp(argv[i], words[t]); t++) {}
        if (t < TABLES) chosen[t] = any = 1;
        else if (!strcmp(argv[i], "--json") && i + 1 < argc) json = open_result(argv[++i]);
        else if (!strcmp(argv[i], "--text") && i + 1 < argc) race_text = open_result(argv[++i]);
        else fail("usage: bench [--json FILE] [--text FILE] [gemm] [map] [random] [model] "
                  "[order]");
    }
    measure_machine();
    say_machine("bench", "; naive loops: -O3 -march=native");
    for (t = 0; t < TABLES; t++)
        if (chosen[t] || !any) tables[t](), fflush(stdout);
    say("\n%.0f s in all; ~: the median was more than 15 %% slower than the best\n",
        seconds_of(CLOCK_MONOTONIC) - begin);
    close_results();
    return 0;
}
