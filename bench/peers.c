/* peers: vae.h's matrix product beside BLAS libraries, in the same run, taking turns.
 *
 *   make bench BLAS=openblas,dnnl,blis,eigen       or BLAS=all: whichever are installed
 *   make bench BLAS=all ISA=avx2                   AVX2 beside AVX2
 *   make bench BLAS=all THREADS=2                  two threads for everybody
 *   make bench BLAS=alone THREADS=2                nobody else: how two threads do beside one
 *   make bench BLAS=mine=/opt/lib/libcblas.so      any library that has cblas_sgemm
 *   build/peers [--isa NAME] [--threads N] [--json FILE] [--text FILE] LIBRARY,...
 *
 * Libraries are loaded at run time; one that is missing is named and skipped. What the environment
 * says about their kernels and threads is cleared first: a preset OPENBLAS_CORETYPE=Haswell halves
 * OpenBLAS where AVX-512 is there. C = A B, without bias; row-major; the same A and B for all, a C
 * of its own for each, every result compared with ours. At one row a CBLAS may answer by
 * cblas_sgemv if that is faster. One thread is measured in CPU time. Several are measured by the
 * clock on the wall, each sample after a rest in which the threads of the one before stop spinning,
 * and a call that wakes one's own; on two processors a library's spinning threads may still take
 * one away, so BLAS=alone is the run to read the scaling from. */
#define _GNU_SOURCE /* RTLD_DEEPBIND */
#include <dlfcn.h>
#include <math.h>
#if defined(__linux__)
#include <sched.h>
#endif
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "race.h"

#ifndef RTLD_DEEPBIND
#define RTLD_DEEPBIND 0 /* libraries may then share symbols: compare one at a time */
#endif
enum { MAX_PEERS = 8, LARGEST = 2048, ROWS_KEPT = 128 };

/* ---- libraries ---- */

typedef void (*any_function)(void);
typedef void (*cblas_gemm)(int order, int ta, int tb, int m, int n, int k, float alpha,
                           const float *a, int lda, const float *b, int ldb, float beta, float *c,
                           int ldc);
typedef void (*cblas_gemv)(int order, int ta, int m, int n, float alpha, const float *a, int lda,
                           const float *x, int incx, float beta, float *y, int incy);
typedef int (*dnnl_gemm)(char ta, char tb, int64_t m, int64_t n, int64_t k, float alpha,
                         const float *a, int64_t lda, const float *b, int64_t ldb, float beta,
                         float *c, int64_t ldc); /* row-major */
typedef void (*eigen_gemm)(int flags, long m, long n, long k, const float *a, const float *b,
                           float *c);

typedef struct product product;
typedef struct peer {
    char name[16], about[160];
    void (*run)(void *), (*run_row)(void *); /* run_row: another way to multiply one row, or NULL */
    cblas_gemm gemm;
    cblas_gemv gemv;
    dnnl_gemm dnnl;
    eigen_gemm eigen;
} peer;
struct product {
    int flags;
    size_t m, n, k;
    const float *a, *b;
    float *c;
    const peer *by;
};

static peer peers[MAX_PEERS];
static int peer_count, threads = 1;
static vae_isa isa;
static size_t lda_of(const product *p) { return p->flags & VAE__GEMM_TRANS_A ? p->m : p->k; }
static size_t ldb_of(const product *p) { return p->flags & VAE__GEMM_TRANS_B ? p->k : p->n; }

static void run_cblas(void *work) {
    const product *p = (const product *)work;
    p->by->gemm(101, p->flags & VAE__GEMM_TRANS_A ? 112 : 111,
                p->flags & VAE__GEMM_TRANS_B ? 112 : 111, (int)p->m, (int)p->n, (int)p->k, 1, p->a,
                (int)lda_of(p), p->b, (int)ldb_of(p), 0, p->c, (int)p->n);
}
static void run_cblas_row(void *work) { /* c = B^T a */
    const product *p = (const product *)work;
    const int turned = (p->flags & VAE__GEMM_TRANS_B) != 0;
    p->by->gemv(101, turned ? 111 : 112, (int)(turned ? p->n : p->k), (int)(turned ? p->k : p->n),
                1, p->b, (int)ldb_of(p), p->a, 1, 0, p->c, 1);
}
static void run_dnnl(void *work) {
    const product *p = (const product *)work;
    if (p->by->dnnl(p->flags & VAE__GEMM_TRANS_A ? 'T' : 'N',
                    p->flags & VAE__GEMM_TRANS_B ? 'T' : 'N', (int64_t)p->m, (int64_t)p->n,
                    (int64_t)p->k, 1, p->a, (int64_t)lda_of(p), p->b, (int64_t)ldb_of(p), 0, p->c,
                    (int64_t)p->n))
        fail("dnnl_sgemm reports an error");
}
static void run_eigen(void *work) {
    const product *p = (const product *)work;
    p->by->eigen(p->flags, (long)p->m, (long)p->n, (long)p->k, p->a, p->b, p->c);
}

/* The first of these libraries that can be loaded. */
static void *load(const char *const *files) {
    void *library = NULL;
    for (; *files && !library; files++)
        library = dlopen(*files, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    return library;
}
static any_function find(void *library, const char *name) {
    any_function f;
    void *p = dlsym(library, name);
    memcpy(&f, &p, sizeof f); /* C99 knows no conversion */
    return f;
}

static int find_cblas(void *library, peer *p) {
    p->gemm = (cblas_gemm)find(library, "cblas_sgemm");
    p->gemv = (cblas_gemv)find(library, "cblas_sgemv");
    p->run = run_cblas, p->run_row = p->gemv ? run_cblas_row : NULL;
    return p->gemm != NULL;
}

static int load_openblas(void *library, peer *p) {
    const any_function config = find(library, "openblas_get_config");
    const any_function core = find(library, "openblas_get_corename");
    char *end;
    if (config && core)
        snprintf(p->about, sizeof p->about, "%.100s; runs %.40s", ((char *(*)(void))config)(),
                 ((char *(*)(void))core)());
    for (end = p->about + strlen(p->about); end > p->about && end[-1] == ' ';) *--end = 0;
    return find_cblas(library, p);
}

static int load_blis(void *library, peer *p) {
    const any_function version = find(library, "bli_info_get_version_str");
    const any_function id = find(library, "bli_arch_query_id");
    const any_function name = find(library, "bli_arch_string");
    if (version && id && name)
        snprintf(p->about, sizeof p->about, "BLIS %.60s; runs %.60s",
                 ((const char *(*)(void))version)(),
                 ((const char *(*)(int))name)(((int (*)(void))id)()));
    return find_cblas(library, p);
}

static int load_dnnl(void *library, peer *p) {
    struct version { /* begins like this in all versions */
        int major, minor, patch;
    } const *v = NULL;
    const any_function version = find(library, "dnnl_version");
    const any_function effective = find(library, "dnnl_get_effective_cpu_isa");
    if (version) v = ((const struct version *(*)(void))version)();
    if (v && effective)
        snprintf(p->about, sizeof p->about, "oneDNN %d.%d.%d; runs ISA 0x%x", v->major, v->minor,
                 v->patch, (unsigned)((int (*)(void))effective)());
    p->dnnl = (dnnl_gemm)find(library, "dnnl_sgemm");
    p->run = run_dnnl;
    return p->dnnl != NULL;
}

static int load_eigen(void *library, peer *p) {
    const any_function about = find(library, "bench_eigen_about");
    if (about)
        snprintf(p->about, sizeof p->about, "Eigen %.100s", ((const char *(*)(void))about)());
    p->eigen = (eigen_gemm)find(library, "bench_eigen");
    p->run = run_eigen;
    return p->eigen != NULL;
}

static const struct {
    const char *name, *files[5];
    int (*load)(void *library, peer *p);
} known[] = {
    {"openblas", {"libopenblas.so.0", "libopenblas.so", "libopenblas.dylib", NULL}, load_openblas},
    {"dnnl", {"libdnnl.so.3", "libdnnl.so.2", "libdnnl.so", "libdnnl.dylib", NULL}, load_dnnl},
    {"blis", {"libblis.so.4", "libblis.so", "libblis.dylib", NULL}, load_blis},
    {"eigen", {NULL}, load_eigen}};
enum { KNOWN = sizeof known / sizeof *known };

/* `item` is a name of the list above or NAME=FILE. `quiet`: nobody asked for this one. */
static void add_peer(const char *item, const char *directory, int quiet) {
    const char *file = strchr(item, '=');
    const char *files[2] = {NULL, NULL};
    char path[512];
    peer *p = &peers[peer_count];
    void *library;
    int i, found;
    if (peer_count == MAX_PEERS) fail("too many libraries");
    memset(p, 0, sizeof *p);
    for (i = 0; i < KNOWN && (file || strcmp(item, known[i].name)); i++) {}
    if (i == KNOWN && !file) {
        fprintf(stderr, "bench: no library is called %s; there are", item);
        for (i = 0; i < KNOWN; i++) fprintf(stderr, " %s", known[i].name);
        fputs(", all, and NAME=FILE\n", stderr);
        exit(1);
    }
    if (file) {
        files[0] = file + 1;
        library = load(files);
    } else if (known[i].load == load_eigen) {
        const char *build = isa == VAE_ISA_AVX2 ? "avx2" : "native";
        snprintf(path, sizeof path, "%s/eigen-%s.so", directory, build);
        files[0] = path;
        library = load(files);
    } else library = load(known[i].files);
    if (!library) {
        say("%s: not installed, skipped%s\n", item,
            quiet ? "" : file || i < KNOWN - 1 ? " (there is no such library)"
                                               : " (it needs g++ and its headers)");
        return;
    }
    found = file ? find_cblas(library, p) || load_dnnl(library, p) : known[i].load(library, p);
    if (!found) {
        say("%s: loaded, but has no such function; skipped\n", item);
        return;
    }
    snprintf(p->name, sizeof p->name, "%.*s", (int)(file ? file - item : 15), item);
    say("%s: %s\n", p->name, p->about[0] ? p->about : "of unknown version");
    peer_count++;
}

/* What decides about kernels and threads must be in the environment before a library is loaded. */
static void prepare_environment(void) {
    static const char *const cleared[] = {
        "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OPENBLAS_VERBOSE", "OPENBLAS_MAIN_FREE",
        "OPENBLAS_BLOCK_FACTOR", "OPENBLAS_THREAD_TIMEOUT", "BLIS_ARCH_TYPE", "BLIS_JC_NT",
        "BLIS_IC_NT", "BLIS_JR_NT", "BLIS_IR_NT", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA",
        "ONEDNN_CPU_ISA_HINTS", "DNNL_CPU_ISA_HINTS", "OMP_PROC_BIND", "OMP_PLACES",
        "OMP_WAIT_POLICY", "OMP_DYNAMIC", "GOMP_SPINCOUNT", "GOMP_CPU_AFFINITY"};
    static const char *const counts[] = {"OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS",
                                         "OMP_NUM_THREADS", "BLIS_NUM_THREADS"};
    char text[16];
    size_t i;
    for (i = 0; i < sizeof cleared / sizeof *cleared; i++) {
        const char *value = getenv(cleared[i]);
        if (value) say("%s=%s in the environment is cleared\n", cleared[i], value);
        unsetenv(cleared[i]);
    }
    snprintf(text, sizeof text, "%d", threads);
    for (i = 0; i < sizeof counts / sizeof *counts; i++) setenv(counts[i], text, 1);
    /* workers wait for 2^20 cycles, not 2^26, before they sleep: longer than between two calls,
     * shorter than the rest between samples */
    if (threads > 1) setenv("OPENBLAS_THREAD_TIMEOUT", "20", 1);
    if (isa == VAE_ISA_AVX2) {
        const int amd = strstr(cpu_name(), "AMD") != NULL;
        setenv("ONEDNN_MAX_CPU_ISA", "AVX2", 1);
        setenv("DNNL_MAX_CPU_ISA", "AVX2", 1); /* before 2.0 */
        setenv("OPENBLAS_CORETYPE", amd ? "ZEN" : "Haswell", 1);
        setenv("BLIS_ARCH_TYPE", amd ? "zen" : "haswell", 1);
    }
}

/* Processors this process may run on; 0: not known. */
static int processors(void) {
#if defined(__linux__)
    cpu_set_t set;
    if (!sched_getaffinity(0, sizeof set, &set)) return CPU_COUNT(&set);
#endif
    return 0;
}

/* ---- ours ---- */

static vae_parallel parallel;
static void run_product(const product *p, int alone) {
    vae_gemm_desc d = {.m = p->m, .n = p->n, .k = p->k, .a = p->a, .b = p->b, .c = p->c,
                       .trans_a = p->flags & VAE__GEMM_TRANS_A,
                       .trans_b = p->flags & VAE__GEMM_TRANS_B, .isa = isa};
    vae_report report;
    if (!alone) d.parallel = parallel;
    if (vae_gemm(&d, &report)) fail(report.text);
}
static void run_ours(void *work) { run_product((const product *)work, 1); }
static void run_ours_parallel(void *work) { run_product((const product *)work, 0); }
static void start_threads(void) {
    static vae_pool *pool; /* lives as long as the program */
    vae_report report;
    if (vae_pool_create(threads, NULL, &pool, &report)) fail(report.text);
    parallel = vae_pool_parallel(pool);
}

/* ---- the table ---- */

typedef struct ratio {
    const char *op, *rival; /* rival: the fastest library */
    size_t m, n, k;
    double best, median;    /* our speed / the fastest library's */
    double scaling[2];      /* our speed at all threads / at one: of bests, of medians */
} ratio;
static ratio ratios[ROWS_KEPT];
static int ratio_count;

/* Every result near ours; ours near a sum in double, at some places. */
static void check(const product *ours, const product *theirs, const char *name) {
    const size_t count = ours->m * ours->n, lda = lda_of(ours), ldb = ldb_of(ours);
    const double tolerance = 2e-6 * (double)ours->k + 1e-5; /* of normals */
    size_t i, kk;
    if (!theirs) {
        for (i = 0; i < 64; i++) {
            const size_t at = i * 7919 % count, row = at / ours->n, col = at % ours->n;
            double sum = 0;
            for (kk = 0; kk < ours->k; kk++)
                sum += (double)ours->a[ours->flags & VAE__GEMM_TRANS_A ? kk * lda + row
                                                                      : row * lda + kk] *
                       (double)ours->b[ours->flags & VAE__GEMM_TRANS_B ? col * ldb + kk
                                                                      : kk * ldb + col];
            if (!(fabs(sum - (double)ours->c[at]) <= tolerance)) fail("our product is wrong");
        }
        return;
    }
    for (i = 0; i < count; i++)
        if (!(fabs((double)ours->c[i] - (double)theirs->c[i]) <= tolerance)) {
            fprintf(stderr, "bench: %s at %d x %d x %d: element %d is %g, ours %g\n", name,
                    (int)ours->m, (int)ours->n, (int)ours->k, (int)i, (double)theirs->c[i],
                    (double)ours->c[i]);
            exit(1);
        }
}

static void bench_shape(const char *op, int flags, size_t m, size_t n, size_t k) {
    static float *a, *b, *c[MAX_PEERS + 2];
    product products[2 * MAX_PEERS + 2] = {{0}};
    racer r[2 * MAX_PEERS + 2] = {{0}};
    const double flop = 2.0 * (double)m * (double)n * (double)k;
    const int others = threads > 1 ? 2 : 1; /* where the libraries begin: after ours */
    int count = others + peer_count, i, rival = peer_count ? others : 1, quick = rival;
    ratio *q = &ratios[ratio_count];
    if (ratio_count++ == ROWS_KEPT) fail("too many shapes");
    if (!a) {
        a = normals((size_t)LARGEST * LARGEST, 0), b = normals((size_t)LARGEST * LARGEST, 1);
        for (i = 0; i < count; i++) c[i] = floats((size_t)LARGEST * LARGEST);
    }
    for (i = 0; i < count; i++) {
        product *p = &products[i];
        p->flags = flags, p->m = m, p->n = n, p->k = k, p->a = a, p->b = b, p->c = c[i];
        memset(p->c, 0xff, m * n * sizeof(float)); /* NaN: what is not written shows */
        p->by = i < others ? NULL : &peers[i - others];
        r[i].work = p;
        r[i].run = p->by ? p->by->run : i ? run_ours : threads > 1 ? run_ours_parallel : run_ours;
    }
    for (i = others; m == 1 && i < others + peer_count; i++) /* the other way, behind all */
        if (peers[i - others].run_row)
            r[count].work = &products[i], r[count++].run = peers[i - others].run_row;
    race(r, count);
    check(&products[0], NULL, "");
    for (i = 1; i < others + peer_count; i++)
        check(&products[0], &products[i], i < others ? "one thread" : peers[i - others].name);
    for (i = others + peer_count; i < count; i++) { /* each the better of the two ways */
        racer *one = &r[(product *)r[i].work - products];
        if (r[i].best < one->best) one->best = r[i].best;
        if (r[i].median < one->median) one->median = r[i].median;
    }
    for (i = others; i < others + peer_count; i++) {
        if (r[i].best < r[rival].best) rival = i;
        if (r[i].median < r[quick].median) quick = i;
    }
    q->op = op, q->m = m, q->n = n, q->k = k, q->rival = peer_count ? peers[rival - others].name : "one thread";
    q->best = r[rival].best / r[0].best, q->median = r[quick].median / r[0].median;
    q->scaling[0] = r[1].best / r[0].best, q->scaling[1] = r[1].median / r[0].median;
    say("%-6s %4d %4d %4d |", op, (int)m, (int)n, (int)k);
    for (i = 0; i < others + peer_count; i++)
        say(" %5.0f %5.0f%s", flop / r[i].best * 1e-9, flop / r[i].median * 1e-9,
            i == others - 1 ? " |" : "");
    say(" | %5.2f %5.2f", q->best, q->median);
    if (others > 1) say(" | %4.2f", q->scaling[0]);
    say("%s\n", q->best < 1 ? " <" : "");
    fflush(stdout);
    if (!json) return;
    fprintf(json_row("peers"), ", \"op\": \"%s\", \"m\": %d, \"n\": %d, \"k\": %d, \"flop\": %.0f",
            op, (int)m, (int)n, (int)k, flop);
    for (i = 0; i < others + peer_count; i++)
        json_time(i >= others ? peers[i - others].name : i ? "ours_1_thread" : "ours", r[i].best,
                  r[i].median);
    fprintf(json, ", \"ratio\": {\"best\": %.4g, \"median\": %.4g}}", q->best, q->median);
}

/* ---- summary ---- */

static int is_any(const ratio *q) { return q->m > 0; }
static int is_large(const ratio *q) { return q->m >= 64 && q->n >= 200 && q->k >= 200; }
static int is_slim(const ratio *q) { return q->m <= 20 || q->n <= 40; }
static int is_heavy(const ratio *q) {
    return 2.0 * (double)q->m * (double)q->n * (double)q->k > 50e6;
}

/* Geometric mean and minimum, of bests and of medians, over the shapes that `is` accepts. */
static void summary(const char *what, int (*is)(const ratio *), int scaling) {
    double mean[2] = {0, 0}, least[2] = {1e9, 1e9};
    int n = 0, i, t;
    for (i = 0; i < ratio_count; i++) {
        if (!is(&ratios[i])) continue;
        for (n++, t = 0; t < 2; t++) {
            const double x = scaling ? ratios[i].scaling[t] : t ? ratios[i].median : ratios[i].best;
            mean[t] += log(x);
            if (x < least[t]) least[t] = x;
        }
    }
    for (t = 0; n && t < 2; t++) mean[t] = exp(mean[t] / n);
    say("  %-42s %3d shapes: mean %5.3f (%5.3f), minimum %5.3f (%5.3f)\n", what, n, mean[0],
        mean[1], least[0], least[1]);
    if (json)
        fprintf(json_row("summary"), ", \"what\": \"%s\", \"shapes\": %d, \"mean\": "
                "{\"best\": %.4g, \"median\": %.4g}, \"minimum\": {\"best\": %.4g, "
                "\"median\": %.4g}}", what, n, mean[0], mean[1], least[0], least[1]);
}

static void summarise(void) {
    int i, misses = 0;
    say("\nours / the fastest library: geometric mean and minimum of bests (of medians)\n");
    summary("all", is_any, 0);
    summary("M >= 64 and N, K >= 200", is_large, 0);
    summary("M <= 20 or N <= 40", is_slim, 0);
    if (threads > 1) {
        say("ours at %d threads / ours at one\n", threads);
        summary("products above 50 MFLOP", is_heavy, 1);
    }
    for (i = 0; i < ratio_count; i++) {
        const ratio *q = &ratios[i];
        if (q->best >= 1 && q->median >= 1) continue;
        if (!misses++) say("below 1:\n");
        say("  %-6s %4d %4d %4d  %5.3f (%5.3f)  %s\n", q->op, (int)q->m, (int)q->n, (int)q->k,
            q->best, q->median, q->rival);
    }
    if (!misses) say("none below 1\n");
}

static void bench_shapes(void) {
    /* layers of the networks in the papers (inputs, outputs), and batches */
    static const size_t layers[][2] = {{784, 400}, {400, 20}, {400, 40}, {20, 400}, {400, 784},
                                       {784, 200}, {200, 200}, {200, 784}, {50, 200}};
    static const size_t batches[] = {1, 20, 64, 100, 128, 512, 1000};
    static const size_t back[][2] = {{784, 400}, {400, 784}, {200, 200}};
    static const size_t back_batches[] = {20, 100, 128, 512};
    static const size_t squares[] = {64, 128, 256, 512, 1024, LARGEST};
    size_t i, j;
    for (i = 0; i < sizeof layers / sizeof *layers; i++)
        for (j = 0; j < sizeof batches / sizeof *batches; j++)
            bench_shape("y = xW", 0, batches[j], layers[i][1], layers[i][0]);
    for (i = 0; i < sizeof back / sizeof *back; i++) {
        for (j = 0; j < sizeof back_batches / sizeof *back_batches; j++) {
            const size_t in = back[i][0], out = back[i][1], batch = back_batches[j];
            bench_shape("dx", VAE__GEMM_TRANS_B, batch, in, out);
            bench_shape("dW", VAE__GEMM_TRANS_A, in, out, batch);
        }
    }
    for (i = 0; i < sizeof squares / sizeof *squares; i++)
        bench_shape("square", 0, squares[i], squares[i], squares[i]);
}

int main(int argc, char **argv) {
    static const char usage[] = "usage: peers [--isa NAME] [--threads N] [--json FILE] "
                                "[--text FILE] LIBRARY,... (or all, or alone)";
    const double begin = seconds_of(CLOCK_MONOTONIC);
    const char *list = NULL, *json_path = NULL, *text_path = NULL;
    char directory[256], *item, *copy;
    int i;
    for (i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--isa") && i + 1 < argc) {
            int v = VAE_ISA_COUNT;
            for (i++; v-- && strcmp(argv[i], vae_choice_name(VAE_CHOICE_ISA, v));) {}
            if (v < 0 || !vae_isa_available((vae_isa)v)) fail("--isa: not an instruction set here");
            isa = (vae_isa)v;
        } else if (!strcmp(argv[i], "--threads") && i + 1 < argc) threads = atoi(argv[++i]);
        else if (!strcmp(argv[i], "--json") && i + 1 < argc) json_path = argv[++i];
        else if (!strcmp(argv[i], "--text") && i + 1 < argc) text_path = argv[++i];
        else if (argv[i][0] != '-' && !list) list = argv[i];
        else fail(usage);
    }
    if (!list || threads < 1 || threads > 64) fail(usage);
    if (json_path) json = open_result(json_path);
    if (text_path) race_text = open_result(text_path);
    snprintf(directory, sizeof directory, "%.200s", strrchr(argv[0], '/') ? argv[0] : "./");
    *strrchr(directory, '/') = 0;

    measure_machine();
    if (isa == VAE_ISA_AUTO) isa = isas[0];
    say_machine("peers", "");
    if (isa != isas[0]) say("everybody at %s\n", vae_choice_name(VAE_CHOICE_ISA, (int)isa));
    prepare_environment();
    if (!strcmp(list, "all")) {
        for (i = 0; i < KNOWN; i++) add_peer(known[i].name, directory, 1);
    } else if (strcmp(list, "alone")) {
        copy = (char *)room(strlen(list) + 1);
        memcpy(copy, list, strlen(list));
        for (item = strtok(copy, ","); item; item = strtok(NULL, ","))
            add_peer(item, directory, 0);
    }
    if (!peer_count && (strcmp(list, "alone") || threads < 2)) {
        say("nothing to compare with\n");
        close_results();
        if (json_path) remove(json_path);
        if (text_path) remove(text_path);
        return 0;
    }
    race_samples = 15, race_least = 3;
    if (threads > 1) {
        race_clock = CLOCK_MONOTONIC, race_rest = peer_count ? 5e-3 : 0;
        start_threads();
        if (processors() && processors() < threads)
            say("!! %d threads share %d processor%s: what follows says nothing about scaling\n",
                threads, processors(), processors() > 1 ? "s" : "");
    }
    if (json) {
        fprintf(json_row("contenders"), ", \"isa\": \"%s\", \"threads\": %d, \"processors\": %d",
                vae_choice_name(VAE_CHOICE_ISA, (int)isa), threads, processors());
        for (i = 0; i < peer_count; i++)
            fprintf(json, ", \"%s\": \"%s\"", peers[i].name, peers[i].about);
        fputs("}", json);
    }
    say("\nC (M, N) = A (M, K) B (K, N): GFLOP/s, best and median; %s, %d thread%s\nratio: ours / "
        "the fastest library, of bests and of medians; <: below 1\n\n%-6s %4s %4s %4s |",
        threads > 1 ? "wall-clock time" : "CPU time", threads, threads > 1 ? "s" : "", "", "M", "N",
        "K");
    say(" %11s", "ours");
    if (threads > 1) say(" %11s", "1 thread");
    say(" |");
    for (i = 0; i < peer_count; i++) say(" %11s", peers[i].name);
    say(" |  ratio     %s\n", threads > 1 ? " | scaling" : "");
    bench_shapes();
    summarise();
    say("\n%.0f s in all\n", seconds_of(CLOCK_MONOTONIC) - begin);
    close_results();
    return 0;
}
