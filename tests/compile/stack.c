/* At most 64 KB of stack in any call. Every kind of call runs on a thread whose stack was painted before,
 * for several networks, on each instruction set that is here; afterwards the paint says how much was
 * used. A pool's workers get 128 KB here: a training on three threads must live with that. Prints the
 * largest use of each kind, and fails above the limit. tests/compile/run.sh compiles it at -O0 too. */
#define _XOPEN_SOURCE 600 /* pthread_attr_setstack */
#define VAE__WORKER_STACK ((size_t)128 << 10)
#define VAE_IMPLEMENTATION
#include "../../vae.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 4 << 20, MOST = 64 << 10, PAINT = 0xa5 };
enum { ROWS = 8, SIDE = 8, IN = SIDE * SIDE, BLOCK = 1 << 20 };

static void network(int i, vae_desc *d) {
    memset(d, 0, sizeof *d);
    d->input = "8x8x1", d->latent = 5, d->batch = ROWS, d->epochs = 2;
    d->encoder = "dense 40 silu, dense 24 tanh", d->decoder = "dense 33 gelu, dense 20 elu";
    switch (i) {
    case 0: d->binarize = VAE_BINARIZE_DYNAMIC, d->free_bits = 0.1; break;
    case 1:
        d->encoder = "conv 8 3x3/2 relu, batchnorm, conv 16 3x3/2 sigmoid, dropout 0.2";
        d->decoder = "dense 64 softplus, reshape 2x2x16, convt 8 3x3/2 leaky_relu, convt 1 3x3/2";
        d->likelihood = "gaussian_learned", d->clip = 1, d->ema = 0.9;
        break;
    case 2:
        d->encoder = "noise 0.1, maxpool 2, flatten, res(layernorm, dense 16 tanh)";
        d->decoder = "dense 16 relu, reshape 4x4x1, upsample 2";
        d->likelihood = "logistic_pixel", d->posterior = "normal softplus", d->sparse = 0.1;
        break;
    case 3:
        d->likelihood = "categorical 7", d->contract = 0.1;
        d->corrupt = VAE_CORRUPT_GAUSSIAN, d->optimizer = VAE_OPTIMIZER_SGD, d->momentum = 0.5;
        break;
    case 4:
        d->likelihood = "continuous_bernoulli", d->samples = 3;
        d->objective = VAE_OBJECTIVE_IWAE, d->posterior = "normal abs";
        break;
    case 5:
        d->likelihood = "gaussian_pixel", d->samples = 3;
        d->objective = VAE_OBJECTIVE_DREG, d->optimizer = VAE_OPTIMIZER_ADAMW;
        d->corrupt = VAE_CORRUPT_SALT_PEPPER;
        break;
    default:
        d->likelihood = "logistic", d->visible_bias = VAE_BIAS_MEAN;
        d->encoder = "", d->decoder = "dense 400 relu", d->no_noise = d->no_kl = 1;
    }
}
enum { NETWORKS = 7 };

enum { MAKE, TRAIN, FIT, ENCODE, DECODE, SCORE, MEMORY, FILES, GEMM, KINDS };
static const char *const kinds[] = {"create", "train", "fit and evaluate", "encode", "decode and draw",
                                    "score and bound", "save and load", "files", "gemm"};

/* What runs on the painted stack. */
static struct {
    int kind;
    vae_desc desc;
    vae *model, *copy;
    vae_status bad;
    char *top; /* where its frames begin */
} now;
static float x[ROWS * IN], y[ROWS * IN], z[ROWS * 5], logvar[ROWS * 5], elbo[ROWS];
static float a[150 * 150], b[150 * 150], c[150 * 150];
static unsigned char block[BLOCK];
static const size_t dims[4] = {ROWS, SIDE, SIDE, 1};

static vae_status all_gemms(vae_isa isa) {
    static const size_t sizes[][3] = {{1, 150, 150}, {7, 33, 40}, {150, 150, 150}, {40, 5, 33}};
    vae_status bad = VAE_OK;
    int i, flags;
    for (i = 0; i < 4; i++)
        for (flags = 0; flags < 8; flags++) {
            vae_gemm_desc d;
            memset(&d, 0, sizeof d);
            d.m = sizes[i][0], d.n = sizes[i][1], d.k = sizes[i][2], d.a = a, d.b = b, d.c = c;
            d.lda = d.ldb = d.ldc = 150, d.isa = isa;
            d.trans_a = flags & 1, d.trans_b = flags & 2, d.add = flags & 4;
            if (!d.add) d.bias = a;
            d.act = (vae_act)((i * 8 + flags) % VAE_ACT_COUNT);
            bad = bad ? bad : vae_gemm(&d, NULL);
        }
    return bad;
}
static vae_status scores(vae *m, const vae_batch *images) {
    vae_status bad = vae_score(m, images, elbo, NULL, NULL);
    if (!bad && !m->desc.no_noise) bad = vae_bound(m, images, 3, elbo);
    return bad;
}
static vae_status memory(vae *m) {
    vae_load_options how;
    vae *shared = NULL;
    size_t size = 0;
    vae_status bad = vae_save_size(m, 0, &size);
    memset(&how, 0, sizeof how);
    how.isa = now.desc.isa;
    if (!bad && size > BLOCK) bad = VAE_ERR_SIZE;
    if (!bad) bad = vae_save_memory(m, 0, block, BLOCK);
    if (!bad) bad = vae_load_memory(block, size, &how, &now.copy, NULL);
    if (!bad) bad = vae_share(m, &how, &shared, NULL);
    if (!bad) vae_destroy(shared);
    return bad;
}
static vae_status files(vae *m, const vae_data *data) {
    vae_load_options how;
    vae_data other;
    vae_status bad = vae_save(m, "stack.safetensors", 0);
    memset(&how, 0, sizeof how);
    how.isa = now.desc.isa;
    if (!bad) bad = vae_load("stack.safetensors", &how, &now.copy, NULL);
    if (!bad) bad = vae_data_save("stack.idx", data, NULL);
    if (!bad) bad = vae_data_load("stack.idx", NULL, &other, NULL);
    if (!bad) vae_data_free(&other);
    remove("stack.safetensors"), remove("stack.idx");
    return bad;
}
VAE__NOINLINE static vae_status call(void) {
    vae *m = now.model;
    vae_stats stats;
    vae_data data;
    vae_batch images, codes;
    vae_status bad = vae_data_wrap(VAE_F32, 4, dims, x, &data, NULL);
    if (bad) return bad;
    memset(&images, 0, sizeof images);
    images.x = x, images.rows = ROWS;
    codes = images, codes.x = z;
    switch (now.kind) {
    case MAKE: return vae_create(&now.desc, &now.model, NULL);
    case TRAIN: return vae_train_step(m, &images, &stats);
    case FIT:
        bad = vae_fit(m, &data, &data, NULL, NULL);
        return bad ? bad : vae_evaluate(m, &data, &stats);
    case ENCODE: return vae_encode(m, &images, z, logvar);
    case DECODE:
        bad = vae_decode(m, &codes, y);
        return bad ? bad : vae_sample_prior(m, &codes, 1, y);
    case SCORE: return scores(m, &images);
    case MEMORY: return memory(m);
    case FILES: return files(m, &data);
    default: return all_gemms(now.desc.isa);
    }
}
static void *start(void *arg) {
    char here;
    now.top = &here;
    now.bad = call();
    return arg;
}

/* Bytes of stack that one call took. */
static size_t painted(int kind) {
    static char *stack;
    pthread_attr_t attr;
    pthread_t thread;
    size_t i = 0;
    if (!stack) stack = (char *)malloc(ROOM);
    if (!stack) exit(2);
    memset(stack, PAINT, ROOM);
    now.kind = kind;
    if (pthread_attr_init(&attr) || pthread_attr_setstack(&attr, stack, ROOM) ||
        pthread_create(&thread, &attr, start, NULL) || pthread_join(thread, NULL))
        exit(2);
    pthread_attr_destroy(&attr);
    while (stack[i] == (char)PAINT) i++;
    return (size_t)(now.top - (stack + i));
}

static int fail(const char *what, const char *isa, int number, const char *why) {
    printf("%s on %s, network %d: %s\n", what, isa, number, why);
    return 1;
}

/* Every kind of call of one network; the largest uses into most. */
static int run(int number, vae_isa isa, size_t *most) {
    const char *name = vae_choice_name(VAE_CHOICE_ISA, (int)isa);
    int kind;
    network(number, &now.desc);
    now.desc.isa = isa, now.model = now.copy = NULL;
    for (kind = 0; kind < KINDS; kind++) {
        const size_t used = painted(kind);
        if (now.bad)
            return fail(kinds[kind], name, number,
                        now.model ? vae_last_report(now.model)->text : vae_status_text(now.bad));
        if (used > most[kind]) most[kind] = used;
        vae_destroy(now.copy), now.copy = NULL;
    }
    vae_destroy(now.model);
    now.desc.threads = 3; /* on workers, whose stack is small */
    if (vae_create(&now.desc, &now.model, NULL)) return fail("threads", name, number, "refused");
    for (kind = TRAIN; kind <= SCORE; kind++) {
        now.kind = kind;
        if (call()) return fail(kinds[kind], name, number, vae_last_report(now.model)->text);
    }
    vae_destroy(now.model);
    return 0;
}

int main(void) {
    int i, isa, bad = 0;
    for (i = 0; i < 150 * 150; i++) a[i] = (float)(i % 17) / 16, b[i] = (float)(i % 13) / 16;
    for (i = 0; i < ROWS * IN; i++) x[i] = (float)(i * 5 % 7) / 6;
    for (isa = VAE_ISA_PORTABLE; isa < VAE_ISA_COUNT; isa++) {
        size_t most[KINDS] = {0};
        if (!vae_isa_available((vae_isa)isa)) {
            printf("skip %s: not in this build or on this processor\n",
                   vae_choice_name(VAE_CHOICE_ISA, isa));
            continue;
        }
        for (i = 0; i < NETWORKS && !bad; i++) bad = run(i, (vae_isa)isa, most);
        printf("%s:", vae_choice_name(VAE_CHOICE_ISA, isa));
        for (i = 0; i < KINDS; i++) {
            printf("%s %s %.1f", i ? "," : "", kinds[i], (double)most[i] / 1024);
            if (most[i] > MOST) bad = 1;
        }
        printf(" KB\n");
    }
    puts(bad ? "more than 64 KB, or failed" : "at most 64 KB");
    return bad;
}
