/* tasks.h: what a user waits for: training steps and decoding of a few networks, through the public
 * API alone. Include it after race.h and tools/digits.h.
 *
 *     make_data();                          once; `folder` before it, for pixels from a data set
 *     begin_task(&r, &tasks[t], VAE_ISA_AUTO, threads);
 *     run_task(&r);                         one step, or one decode */
#ifndef TASKS_H
#define TASKS_H

enum { IN = 784, IMAGES = 8192, DECODE = 1024, NORMALS = 1 << 20 };
enum { STEP, DECODE_MEAN, DECODE_LOGITS, NORMAL, DRAW };

typedef struct task {
    const char *name, *what;
    const char *layers; /* of the encoder, and of the decoder unless that is given; NULL: no code */
    int kind, rows, latent, samples, pixels;
    const char *decoder;
} task;

#define RELU "dense 400 relu"
#define TANH "dense 200 tanh, dense 200 tanh"
#define CONV "conv 32 4x4/2 relu, conv 64 4x4/2 relu, dense 256 relu"
#define CONVT "dense 256 relu, dense 3136 relu, reshape 7x7x64, convt 32 4x4/2 relu, convt 1 4x4/2"
#define BLOCK "res(maskconv 32 1x1 b relu, maskconv 32 3x3 b relu, maskconv 64 1x1 b), "
#define PIXELCNN "image, maskconv 64 7x7 a relu, " BLOCK BLOCK BLOCK BLOCK BLOCK BLOCK \
                 "relu, maskconv 64 1x1 b relu, maskconv 1 1x1 b"
#define PIXELRNN "image, maskconv 32 7x7 a, diaglstm 32, maskconv 32 1x1 b relu, maskconv 1 1x1 b"
static const task tasks[] = {
    {"vae-dense", "VAE step, batch 128, dense input", RELU, STEP, 128, 20, 1, 0, NULL},
    {"vae-pixels", "VAE step, batch 128, %s", RELU, STEP, 128, 20, 1, 1, NULL},
    {"iwae-1", "IWAE net step, batch 20, L = 1", TANH, STEP, 20, 50, 1, 0, NULL},
    {"iwae-5", "IWAE net step, batch 20, L = 5", TANH, STEP, 20, 50, 5, 0, NULL},
    {"iwae-50", "IWAE net step, batch 20, L = 50", TANH, STEP, 20, 50, 50, 0, NULL},
    {"conv", "convolutional VAE step, batch 128", CONV, STEP, 128, 16, 1, 1, CONVT},
    {"pixelcnn", "PixelCNN step, batch 32", NULL, STEP, 32, 1, 1, 1, PIXELCNN},
    {"pixelcnn-draw", "PixelCNN, 64 images drawn", NULL, DRAW, 64, 1, 1, 1, PIXELCNN},
    {"pixelrnn", "PixelRNN step, batch 32", NULL, STEP, 32, 1, 1, 1, PIXELRNN},
    {"pixelrnn-draw", "PixelRNN, 64 images drawn", NULL, DRAW, 64, 1, 1, 1, PIXELRNN},
    {"decode-1", "decode, batch 1", RELU, DECODE_MEAN, 1, 20, 1, 0, NULL},
    {"decode-1-logits", "decode, batch 1, logits", RELU, DECODE_LOGITS, 1, 20, 1, 0, NULL},
    {"decode-1024", "decode, batch 1024", RELU, DECODE_MEAN, DECODE, 20, 1, 0, NULL},
    {"decode-1024-logits", "decode, batch 1024, logits", RELU, DECODE_LOGITS, DECODE, 20, 1, 0,
     NULL},
    {"normals", "2^20 standard normals", "", NORMAL, NORMALS, 1, 1, 0, NULL},
};
enum { TASKS = sizeof tasks / sizeof *tasks };

/* ---- what is fed in ---- */

static const char *folder;      /* of the pixels; NULL: the built-in digits */
static const char *pixels_name = "built-in digits";
static uint8_t *pixels;         /* (IMAGES, IN) */
static float *images[2], *out;  /* (IMAGES, IN) dense, pixels; what tasks write */
static double not_zero;         /* part of the pixels */

static void load_pixels(void) {
    static const char *const files[] = {"train-images-idx3-ubyte.gz", "train-images-idx3-ubyte"};
    vae_report report;
    vae_data data;
    char path[1024];
    size_t i, seen = 0;
    pixels = (uint8_t *)room((size_t)IMAGES * IN);
    images[1] = floats((size_t)IMAGES * IN);
    if (!folder) {
        digits_fill(1, 0, IMAGES, pixels, NULL);
    } else {
        static char name[64];
        const char *end = folder + strlen(folder), *begin;
        for (i = 0; i < 2; i++) {
            snprintf(path, sizeof path, "%s/%s", folder, files[i]);
            if (!vae_data_load(path, NULL, &data, &report)) break;
            if (i || report.status != VAE_ERR_OPEN) fail(report.text);
        }
        if (data.type != VAE_U8 || data.item != IN || data.count < IMAGES)
            fail("--data: not 8192 or more images of 784 bytes");
        memcpy(pixels, data.bytes, (size_t)IMAGES * IN);
        vae_data_free(&data);
        while (end > folder && end[-1] == '/') end--;
        for (begin = end; begin > folder && begin[-1] != '/'; begin--) {}
        snprintf(name, sizeof name, "%.*s pixels", (int)(end - begin), begin);
        for (i = 0; name[i]; i++) /* stands in JSON */
            if (name[i] == '"' || name[i] == '\\' || name[i] < ' ') name[i] = '_';
        pixels_name = name;
    }
    for (i = 0; i < (size_t)IMAGES * IN; i++) {
        images[1][i] = (float)pixels[i] / 255;
        seen += pixels[i] != 0;
    }
    not_zero = (double)seen / IMAGES / IN;
}

RACE_FN void make_data(void) {
    vae_stream s = {0};
    s.seed = 1, s.purpose = VAE_PURPOSE_USER;
    images[0] = floats((size_t)IMAGES * IN);
    vae_random_uniform(&s, 0, (size_t)IMAGES * IN, images[0]);
    load_pixels();
    out = floats(NORMALS > DECODE * IN ? NORMALS : DECODE * IN);
}

/* ---- one contender ---- */

typedef struct runner {
    const task *t;
    vae *model; /* NULL for normals */
    const float *x, *z;
    size_t at;  /* the next image */
} runner;

RACE_FN void run_task(void *arg) {
    runner *r = (runner *)arg;
    const size_t rows = (size_t)r->t->rows;
    vae_status bad = VAE_OK;
    vae_stream s = {0};
    vae_batch b = {.rows = rows};
    switch (r->t->kind) {
    case STEP:
        b.x = r->x + r->at * IN;
        bad = vae_train_step(r->model, &b, NULL);
        r->at = r->at + 2 * rows <= IMAGES ? r->at + rows : 0;
        break;
    case DECODE_MEAN:
    case DECODE_LOGITS: /* other codes every time: which hidden units are 0 changes */
        b.x = r->z + r->at * (size_t)r->t->latent;
        if (r->t->kind == DECODE_MEAN) bad = vae_decode(r->model, &b, out);
        else bad = vae_decode_logits(r->model, &b, out);
        r->at = (r->at + rows) % DECODE;
        break;
    case DRAW:
        bad = vae_sample_prior(r->model, &b, 1, out);
        break;
    default:
        s.seed = 1, s.purpose = VAE_PURPOSE_USER;
        vae_random_normal(&s, 0, NORMALS, out);
    }
    if (bad) fail(vae_last_report(r->model)->text);
}

/* VAE_ERR_UNSUPPORTED is the caller's to explain; other errors end the program. */
RACE_FN vae_status begin_task(runner *r, const task *t, vae_isa isa, int threads) {
    static float *z;
    vae_desc desc = {0};
    vae_report report;
    vae_status bad;
    if (!z) z = normals((size_t)DECODE * 50, 0);
    memset(r, 0, sizeof *r);
    r->t = t, r->x = images[t->pixels], r->z = z;
    if (t->kind == NORMAL) return threads > 1 ? VAE_ERR_UNSUPPORTED : VAE_OK;
    desc.input = t->decoder ? "28x28x1" : "784";
    desc.decoder = t->decoder ? t->decoder : t->layers;
    if (t->layers) desc.encoder = t->layers, desc.latent = t->latent;
    else desc.posterior = "none";
    desc.samples = t->samples, desc.batch = t->rows;
    desc.inference = t->kind != STEP;
    desc.isa = isa, desc.threads = threads;
    bad = vae_create(&desc, &r->model, &report);
    if (bad && (bad != VAE_ERR_UNSUPPORTED || threads == 1)) fail(report.text);
    return bad;
}

#endif /* TASKS_H */
