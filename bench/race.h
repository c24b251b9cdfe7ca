/* race.h: the timing core of the benchmarks. For the one file of a program that begins with
 *
 *     #define _POSIX_C_SOURCE 200809L
 *     #define VAE_IMPLEMENTATION
 *     #include "../vae.h"
 *     #include "race.h"
 *
 * Contenders take turns, A B C A B C, so that a busy machine hurts all alike; each keeps the best
 * and the median of its samples. Data are warm: they lie in the smallest cache that holds them.
 * Ceilings are measured in the same run: FMAs on registers for each instruction set, and reading a
 * buffer of a given size.
 *
 *     racer r[2] = {{0}};
 *     r[0].run = run_this, r[0].work = &this_one;
 *     r[1].run = run_that, r[1].work = &that_one;
 *     race(r, 2);                           r[i].best, r[i].median: seconds per call
 *     say("%g %g\n", r[0].best, r[1].best); to stdout and to race_text, if that is open */
#ifndef RACE_H
#define RACE_H
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#if (defined(__x86_64__) || defined(__i386__)) && (defined(__GNUC__) || defined(__clang__))
#include <cpuid.h>
#endif

#if defined(__GNUC__)
#define RACE_FN __attribute__((unused)) static /* not every benchmark needs everything */
#define RACE_PRINTF __attribute__((unused, format(printf, 1, 2))) static
#else
#define RACE_FN static
#define RACE_PRINTF static
#endif

RACE_FN void fail(const char *what) {
    fflush(stdout);
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

RACE_FN double seconds_of(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Zeros, at a multiple of 64 bytes; never given back. */
RACE_FN void *room(size_t bytes) {
    char *p = (char *)malloc(bytes + 64);
    if (!p) fail("out of memory");
    p += (64 - ((uintptr_t)p & 63)) & 63;
    memset(p, 0, bytes);
    return p;
}
RACE_FN float *floats(size_t n) { return (float *)room(n * sizeof(float)); }
RACE_FN float *normals(size_t n, uint32_t which) {
    vae_stream s = {0};
    float *x = floats(n);
    s.seed = 1, s.purpose = VAE_PURPOSE_USER, s.sample = which;
    vae_random_normal(&s, 0, n, x);
    return x;
}

/* ---- races ---- */

enum { RACE_SAMPLES = 31 }; /* at most */
static clockid_t race_clock = CLOCK_PROCESS_CPUTIME_ID; /* several threads: CLOCK_MONOTONIC */
static int race_samples = 11;
static double race_sample_seconds = 1e-3;
static double race_patience = 0.05; /* seconds after which a slow contender takes no more samples */
static int race_least = 1;          /* ... than these */
static double race_rest = 0;        /* seconds of sleep, then an untimed call, before a sample */

/* Something to time: run(work) does it once. */
typedef struct racer {
    void (*run)(void *work);
    void *work;
    size_t calls; /* per sample */
    int samples;
    double sample[RACE_SAMPLES], spent;
    double best, median; /* seconds per call */
} racer;

RACE_FN int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Times `calls` calls; a slow contender gets fewer samples. */
RACE_FN void race_sample(racer *r) {
    double seconds;
    size_t i;
    if (r->samples == race_samples || (r->samples >= race_least && r->spent > race_patience))
        return;
    if (race_rest > 0) {
        struct timespec rest = {0, 0};
        rest.tv_nsec = (long)(race_rest * 1e9);
        nanosleep(&rest, NULL);
        r->run(r->work);
    }
    seconds = seconds_of(race_clock);
    for (i = 0; i < r->calls; i++) r->run(r->work);
    seconds = seconds_of(race_clock) - seconds;
    r->spent += seconds;
    r->sample[r->samples++] = seconds / (double)r->calls;
}

RACE_FN void race(racer *racers, int count) {
    int i, s;
    for (i = 0; i < count; i++) { /* warm up, and find how many calls make a sample */
        racer *r = &racers[i];
        double seconds = 0;
        r->samples = 0, r->spent = 0;
        for (r->calls = 1;; r->calls *= 4) {
            race_sample(r);
            seconds = r->sample[0] * (double)r->calls;
            if (seconds > race_patience) break; /* counts as a sample */
            r->samples = 0, r->spent = 0;
            if (seconds > race_sample_seconds / 8) break;
        }
        if (!r->samples) r->calls = 1 + (size_t)(race_sample_seconds / seconds * (double)r->calls);
    }
    for (s = 0; s < race_samples; s++)
        for (i = 0; i < count; i++) race_sample(&racers[i]);
    for (i = 0; i < count; i++) {
        racer *r = &racers[i];
        qsort(r->sample, (size_t)r->samples, sizeof(double), by_value);
        r->best = r->sample[0], r->median = r->sample[r->samples / 2];
    }
}

/* The sign of a figure whose median was more than 15 % worse than its best. */
RACE_FN char unsteady(double best, double median) { return median > 1.15 * best ? '~' : ' '; }

/* ---- what the machine could do ---- */

enum { RACE_ISAS = 3 };
static vae_isa isas[RACE_ISAS]; /* best first, portable last */
static int isa_count;
static double ceiling[VAE_ISA_COUNT]; /* FLOP/s of FMAs on registers; 0: not known */
static double hertz;                  /* of dependent integer additions */

RACE_FN const char *isa_name(int i) { return vae_choice_name(VAE_CHOICE_ISA, (int)isas[i]); }

typedef struct race_loop {
    const float *in;
    float *out;
    size_t n, one;
} race_loop;

#ifdef VAE__GCC
#pragma GCC push_options
#pragma GCC optimize("O3") /* or the arrays of sums stay in memory */
#endif

/* 12 sums hide the latency of two FMA units (4 cycles each) and fit 16 registers. */
#define FMA_LOOP(name, attributes, type, width, set1, fma, store) \
    attributes static void name(void *work) { \
        const race_loop *w = (const race_loop *)work; \
        const type a = set1(w->in[0]), b = set1(w->in[1]); \
        type s[12]; \
        size_t n = w->n; \
        int i; \
        VAE__UNROLL \
        for (i = 0; i < 12; i++) s[i] = set1(w->in[2 + i]); \
        while (n--) { \
            VAE__UNROLL \
            for (i = 0; i < 12; i++) s[i] = fma(s[i], a, b); \
        } \
        VAE__UNROLL \
        for (i = 0; i < 12; i++) store(w->out + (width) * i, s[i]); \
    }
/* Reads n floats, a multiple of 256. */
#define READ_LOOP(name, attributes, type, width, set1, add, load, store) \
    attributes static void name(void *work) { \
        const race_loop *w = (const race_loop *)work; \
        const float *p = w->in, *end = p + w->n; \
        type s[8]; \
        int i; \
        VAE__UNROLL \
        for (i = 0; i < 8; i++) s[i] = set1(0); \
        for (; p < end; p += 8 * (width)) { \
            VAE__UNROLL \
            for (i = 0; i < 8; i++) s[i] = add(s[i], load(p + (width) * i)); \
        } \
        VAE__UNROLL \
        for (i = 0; i < 8; i++) store(w->out + (width) * i, s[i]); \
    }
#if defined(VAE__HAVE_AVX)
#define RACE_AVX2 __attribute__((noinline, target("avx2,fma")))
#define RACE_AVX512 __attribute__((noinline, target("avx512f")))
FMA_LOOP(fma_avx2, RACE_AVX2, __m256, 8, _mm256_set1_ps, _mm256_fmadd_ps, _mm256_storeu_ps)
FMA_LOOP(fma_avx512, RACE_AVX512, __m512, 16, _mm512_set1_ps, _mm512_fmadd_ps, _mm512_storeu_ps)
READ_LOOP(read_avx2, RACE_AVX2, __m256, 8, _mm256_set1_ps, _mm256_add_ps, _mm256_loadu_ps,
          _mm256_storeu_ps)
READ_LOOP(read_avx512, RACE_AVX512, __m512, 16, _mm512_set1_ps, _mm512_add_ps, _mm512_loadu_ps,
          _mm512_storeu_ps)
#elif defined(VAE__HAVE_NEON)
#define FMA_NEON(s, a, b) vfmaq_f32(b, s, a)
FMA_LOOP(fma_neon, VAE__NOINLINE, float32x4_t, 4, vdupq_n_f32, FMA_NEON, vst1q_f32)
READ_LOOP(read_neon, VAE__NOINLINE, float32x4_t, 4, vdupq_n_f32, vaddq_f32, vld1q_f32, vst1q_f32)
#else
#define SAME(x) (x)
#define PLUS(x, y) ((x) + (y))
#define LOAD(p) (*(p))
#define STORE(p, x) (*(p) = (x))
READ_LOOP(read_plain, VAE__NOINLINE, float, 1, SAME, PLUS, LOAD, STORE)
#endif

/* One addition a cycle: each waits for the one before. */
RACE_FN void add_loop(void *work) {
    const race_loop *w = (const race_loop *)work;
    size_t n = w->n, x = 0;
    while (n--) {
        int i;
        VAE__UNROLL
        for (i = 0; i < 16; i++) {
            x += w->one;
#if defined(__GNUC__)
            __asm__ volatile("" : "+r"(x));
#endif
        }
    }
    w->out[0] = (float)x;
}
#ifdef VAE__GCC
#pragma GCC pop_options
#endif

RACE_FN double race_best(void (*run)(void *), race_loop *w) {
    racer r = {0};
    r.run = run, r.work = w;
    race(&r, 1);
    return r.best;
}

/* Bytes a second when reading a buffer of this size again and again; sizes go up by a quarter of
 * the power of two below, from 8 KB to 128 MB. */
RACE_FN double bandwidth(size_t bytes) {
    static double known[64];
    size_t size = 8192;
    int step = 0;
    while (size < bytes && step < 56) step++, size = (size_t)(4 + step % 4) << (11 + step / 4);
    if (!known[step]) {
        race_loop w = {0};
        w.n = size / sizeof(float);
        w.in = floats(w.n), w.out = floats(128);
#if defined(VAE__HAVE_AVX)
        if (vae_isa_available(VAE_ISA_AVX512)) known[step] = race_best(read_avx512, &w);
        else known[step] = race_best(read_avx2, &w);
#elif defined(VAE__HAVE_NEON)
        known[step] = race_best(read_neon, &w);
#else
        known[step] = race_best(read_plain, &w);
#endif
        known[step] = (double)size / known[step];
    }
    return known[step];
}

/* Fills isas, ceiling and hertz. */
RACE_FN void measure_machine(void) {
    static float start[16] = {1, 1e-9f}, out[256];
    race_loop w = {0};
    int isa;
    for (isa_count = 0, isa = VAE_ISA_COUNT - 1; isa > VAE_ISA_AUTO && isa_count < RACE_ISAS; isa--)
        if (vae_isa_available((vae_isa)isa)) isas[isa_count++] = (vae_isa)isa;
    w.in = start, w.out = out, w.n = 4096, w.one = 1;
    hertz = 16.0 * (double)w.n / race_best(add_loop, &w);
#if defined(VAE__HAVE_AVX)
    if (vae_isa_available(VAE_ISA_AVX2))
        ceiling[VAE_ISA_AVX2] = 12.0 * 8 * 2 * (double)w.n / race_best(fma_avx2, &w);
    if (vae_isa_available(VAE_ISA_AVX512))
        ceiling[VAE_ISA_AVX512] = 12.0 * 16 * 2 * (double)w.n / race_best(fma_avx512, &w);
#elif defined(VAE__HAVE_NEON)
    ceiling[VAE_ISA_NEON] = 12.0 * 4 * 2 * (double)w.n / race_best(fma_neon, &w);
#endif
}

RACE_FN const char *cpu_name(void) {
    static char name[128] = "unknown processor";
#if defined(VAE__X86) && (defined(VAE__GCC) || defined(VAE__CLANG))
    unsigned r[12], i;
    const char *text = name;
    for (i = 0; i < 3; i++)
        if (!__get_cpuid(0x80000002u + i, r + 4 * i, r + 4 * i + 1, r + 4 * i + 2, r + 4 * i + 3))
            return name;
    memcpy(name, r, sizeof r);
    name[sizeof r] = 0;
    while (*text == ' ') text++;
    return text;
#else
    FILE *file = fopen("/proc/device-tree/model", "r");
    if (file && fgets(name, sizeof name, file)) name[strcspn(name, "\n")] = 0;
    if (file) fclose(file);
    return name;
#endif
}

#if defined(__clang__) || !defined(__GNUC__)
#define RACE_COMPILER __VERSION__
#else
#define RACE_COMPILER "gcc " __VERSION__
#endif
#ifndef BENCH_FLAGS
#define BENCH_FLAGS "not told"
#endif

/* ---- output: text, and the same figures as JSON ---- */

static FILE *race_text, *json; /* either may be NULL */
static int json_rows;

RACE_FN FILE *open_result(const char *path) {
    FILE *file = fopen(path, "w");
    if (!file) fail("a file for results cannot be opened");
    return file;
}

RACE_PRINTF void say(const char *format, ...) {
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    if (!race_text) return;
    va_start(args, format);
    vfprintf(race_text, format, args);
    va_end(args);
}

/* Processor, compiler, flags, ceilings, as the head of both; after measure_machine(). `title` names
 * the program, `remark` ends the compiler's line. The JSON is one object with a list of rows. */
RACE_FN void say_machine(const char *title, const char *remark) {
    static const int sizes[] = {14, 18, 22, 27}; /* powers of two */
    int i;
    say("%s on %s at %.2f GHz, vae.h %s\ncompiler: %s, flags: %s%s\n", title, cpu_name(),
        hertz * 1e-9, VAE_VERSION_TEXT, RACE_COMPILER, BENCH_FLAGS, remark);
    for (i = 0; i < isa_count; i++)
        if (ceiling[isas[i]]) say("FMA %s %.0f GFLOP/s; ", isa_name(i), ceiling[isas[i]] * 1e-9);
    say("reading");
    for (i = 0; i < 4; i++)
        say("%s %d %s %.0f", i ? "," : "", 1 << (sizes[i] % 10), sizes[i] < 20 ? "KB" : "MB",
            bandwidth((size_t)1 << sizes[i]) * 1e-9);
    say(" GB/s\n");
    fflush(stdout);
    if (!json) return;
    fprintf(json, "{\"title\": \"%s\", \"cpu\": \"%s\", \"version\": \"%s\", \"compiler\": \"%s\", "
            "\"flags\": \"%s\", \"hertz\": %.4g, \"unit\": \"seconds per call\"",
            title, cpu_name(), VAE_VERSION_TEXT, RACE_COMPILER, BENCH_FLAGS, hertz);
    for (i = 0; i < isa_count; i++)
        fprintf(json, ", \"ceiling_%s\": %.4g", isa_name(i), ceiling[isas[i]]);
    for (i = 0; i < 4; i++)
        fprintf(json, ", \"read_%d\": %.4g", 1 << sizes[i], bandwidth((size_t)1 << sizes[i]));
    fputs(", \"rows\": [", json);
}

/* Begins an object in the list of rows; the caller writes its members and the closing brace. */
RACE_FN FILE *json_row(const char *table) {
    fprintf(json, "%s\n  {\"table\": \"%s\"", json_rows++ ? "," : "", table);
    return json;
}
RACE_FN void json_time(const char *name, double best, double median) {
    fprintf(json, ", \"%s\": {\"best\": %.4g, \"median\": %.4g}", name, best, median);
}

/* Ends and closes both files. */
RACE_FN void close_results(void) {
    int bad = 0;
    if (json) fputs("\n]}\n", json), bad = fclose(json);
    if (race_text) bad |= fclose(race_text);
    if (bad) fail("a file for results cannot be written");
    json = race_text = NULL;
}

#endif /* RACE_H */
