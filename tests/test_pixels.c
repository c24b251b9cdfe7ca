/* Decoders that predict each pixel from earlier ones: what may see what, densities, gradients,
 * drawing pixel by pixel. */
#include "models.h"

/* A model whose z is the same for all images, whatever they are: the head's weights are 0. So what
 * the outputs know of an image comes through `image` alone. */
typedef struct pixels_net {
    const char *input, *decoder, *likelihood;
} pixels_net;

static vae_desc pixels_desc(const pixels_net *net, int batch) {
    vae_desc d;
    memset(&d, 0, sizeof d);
    d.input = net->input, d.encoder = "", d.decoder = net->decoder;
    d.likelihood = net->likelihood;
    d.latent = 3, d.batch = batch, d.seed = 11;
    return d;
}
static vae *pixels_make(const vae_desc *d) {
    vae_report r;
    vae_tensor t;
    vae *m = NULL;
    size_t i, j;
    memset(&r, 0, sizeof r);
    if (vae_create(d, &m, &r)) {
        test_report(__FILE__, __LINE__, "\"%s\": %s", d->decoder, r.text);
        return NULL;
    }
    for (i = 0; i < m->slot_count; i++) {
        CHECK_STATUS(vae_tensor_at(m, i, &t), VAE_OK);
        if (!strcmp(t.name, "encoder.head.weight")) memset(t.data, 0, t.count * sizeof(float));
        for (j = 0; t.rank == 1 && j < t.count; j++)
            t.data[j] = (float)(j * 5 % 7) * 0.2f - 0.5f;
    }
    return m;
}
/* The decoder's outputs for `rows` images, in the model's buffers. */
static const float *pixels_outputs(vae *m, const float *x, size_t rows) {
    float *eps = (float *)calloc(rows * 3, sizeof(float));
    CHECK_STATUS(vae_score(m, BATCH(x, rows, .eps = eps), NULL, NULL, NULL), VAE_OK);
    free(eps);
    return m->ops[m->count - 1].y;
}
/* Its z. */
static void pixels_z(const vae *m, float *z, size_t rows) {
    vae_tensor t;
    size_t i;
    CHECK_STATUS(vae_tensor_at((vae *)m, 1, &t), VAE_OK);
    CHECK(!strcmp(t.name, "encoder.head.bias"));
    for (i = 0; i < rows; i++) memcpy(z + i * 3, t.data, 3 * sizeof(float));
}
/* The number that output i belongs to: outputs of a pixel are those of its channels one by one, K
 * each; or the first of each channel, then the second. */
static size_t pixels_number(const vae *m, size_t i) {
    const size_t n = m->input.c, numbers = m->input.dim, many = m->outputs / numbers;
    if (m->likelihood.row->outputs == 2) return i / (2 * n) * n + i % n;
    return i / many;
}

/* ---- strings ---- */

typedef struct pixels_refused {
    const char *input, *decoder, *word;
} pixels_refused;

TEST(a_decoder_that_would_see_what_it_predicts_is_refused_with_the_reason) {
    static const pixels_refused cases[] = {
        {"4x4x1", "image", "would see the pixel"},
        {"4x4x1", "image tanh", "would see the pixel"},
        {"4x4x1", "image, tanh", "would see the pixel"},
        {"4x4x1", "image, maskconv 4 3x3 b", "mask a"},
        {"4x4x1", "image, maskconv 4 1x1 b", "mask a"},
        {"4x4x1", "image, dense 16", "keep the order of pixels"},
        {"4x4x1", "image, conv 4 3x3", "keep the order of pixels"},
        {"4x4x1", "image, convt 4 3x3", "keep the order of pixels"},
        {"4x4x1", "image, maxpool 2", "keep the order of pixels"},
        {"4x4x1", "image, avgpool 2", "keep the order of pixels"},
        {"4x4x1", "image, upsample 2", "keep the order of pixels"},
        {"4x4x1", "image, flatten", "keep the order of pixels"},
        {"4x4x1", "image, layernorm", "keep the order of pixels"},
        {"4x4x1", "image, batchnorm", "keep the order of pixels"},
        {"4x4x1", "image, res(maskconv 4 3x3 a)", "mask a comes first"},
        {"4x4x2", "dense 32, reshape 4x4x2, image, gated", "mask a comes first"},
        {"4x4x1", "image, maskconv 4 3x3 a, dense 16", "keep the order of pixels"},
        {"4x4x1", "image, maskconv 4 3x3 a, conv 4 1x1", "keep the order of pixels"},
        {"4x4x1", "image, maskconv 4 3x3 a, reshape 16x1x4", "keep the order of pixels"},
        {"4x4x1", "image, maskconv 4 3x3 a, batchnorm", "keep the order of pixels"},
        {"4x4x1", "image, maskconv 4 3x3 a, label 3", "keep the order of pixels"},
        {"4x4x1", "image, maskconv 4 3x3 a, res(conv 4 3x3)", "keep the order of pixels"},
        {"4x4x1", "image, maskconv 4 3x3 a, image, maskconv 4 3x3 a", "there already"},
        {"4x4x1", "res(image)", "inside a group"},
        {"4x4x1", "dense 9, reshape 3x3x1, image, maskconv 4 3x3 a", "flat, or as high and wide"},
        {"4x4x1", "maskconv 4 3x3 a", "behind `image`"},
        {"4x4x1", "dense 16, reshape 4x4x1, maskconv 4 3x3 b", "behind `image`"},
        {"4x4x1", "image, maskconv 4 2x3 a", "must be odd"},
        {"4x4x1", "image, maskconv 4 3x4 a", "must be odd"},
        {"4x4x3", "image, maskconv 4 3x3 a", "multiple of the image's channels"},
        {"4x4x3", "image, maskconv 9 3x3 a, gated", "multiple of twice the image's channels"},
        {"4x4x1", "image, maskconv 9 3x3 a, gated", "must be even"},
        {"4x4x1", "diaglstm 4", "behind `image`"},
        {"4x4x1", "image, diaglstm 4", "mask a comes first"},
        {"4x4x1", "image tanh, res(diaglstm 2)", "mask a comes first"},
        {"4x4x1", "image, maskconv 4 3x3 a, diaglstm 4, conv 4 3x3", "keep the order of pixels"},
        {"4x4x3", "image, maskconv 6 3x3 a, diaglstm 4", "multiple of the image's channels"},
        {"4x4x1", "image, maskconv 4 3x3 a, diaglstm 16777216", "too large"},
        {"4x4x1", "image, maskconv 4 3x3 c", "mask a or b"},
        {"4x4x1", "image, maskconv 4 3x3", "mask a or b"},
    };
    vae_report r;
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        const pixels_net net = {cases[i].input, cases[i].decoder, NULL};
        const vae_desc d = pixels_desc(&net, 2);
        vae *m = NULL;
        memset(&r, 0, sizeof r);
        CHECK(vae_create(&d, &m, &r) != VAE_OK);
        if (m || !test_says(r.text, cases[i].word))
            test_report(__FILE__, __LINE__, "\"%s\": \"%s\"", cases[i].decoder, r.text);
        vae_destroy(m);
    }
}

TEST(an_encoder_has_no_image) {
    vae_desc d = small_desc();
    vae_report r;
    vae *m = NULL;
    d.encoder = "image";
    CHECK_STATUS(vae_create(&d, &m, &r), VAE_ERR_SHAPE);
    CHECK_SAYS(r, "only the decoder predicts an image");
}

TEST(layers_behind_image_are_spelled_back_and_the_head_is_masked) {
    static const char *const strings[] = {
        "dense 8, image, maskconv 6 5x3 a relu, res(maskconv 6 3x3 b, gated, maskconv 6 1x1 b), tanh",
        "image tanh, maskconv 4 3x3 a, maskconv 1 1x1 b"};
    vae_tensor t;
    size_t i;
    for (i = 0; i < 2; i++) {
        const pixels_net net = {"5x4x1", strings[i], NULL};
        vae_desc d = pixels_desc(&net, 2), got;
        vae *m = pixels_make(&d);
        if (!m) return;
        vae_get_desc(m, &got);
        CHECK(!strcmp(got.decoder, strings[i]));
        CHECK_STATUS(vae_tensor_at(m, m->slot_count - 2, &t), VAE_OK);
        CHECK(!strcmp(t.name, i ? "decoder.2.weight" : "decoder.head.weight"));
        CHECK_EQ(t.rank, 2);
        CHECK_EQ(t.shape[0], i ? 4 : 6);
        CHECK_EQ(t.shape[1], 1);
        vae_destroy(m);
    }
}

/* ---- what sees what ---- */

static const pixels_net pixels_nets[] = {
    /* each masked layer, colours, one or two parameters or K for each number */
    {"7x5x3", "image, maskconv 3 3x3 a", NULL},
    {"7x5x3", "image, maskconv 6 5x3 a", NULL},
    {"7x5x3", "image, maskconv 6 3x3 a, maskconv 6 3x3 b", NULL},
    {"7x5x3", "image, maskconv 6 3x3 a tanh, maskconv 3 1x1 b", NULL},
    {"7x5x3", "image, maskconv 6 3x3 a, maskconv 6 3x3 b", "gaussian_pixel"},
    {"7x5x3", "image, maskconv 6 3x3 a", "gaussian_pixel"},
    {"7x5x3", "image, maskconv 6 3x3 a", "categorical 4"},
    {"7x5x3", "image, maskconv 12 3x3 a", "categorical 4"},
    {"7x5x3", "image, maskconv 12 3x3 a, gated", NULL},
    {"7x5x3", "image tanh, maskconv 6 7x7 a, res(gated, maskconv 6 1x1 b)", NULL},
    /* whole networks, with something beside the image */
    {"7x5x3", "dense 70, reshape 7x5x2 tanh, image, maskconv 18 5x5 a tanh, "
              "res(maskconv 12 1x1 b tanh, maskconv 12 3x3 b, gated, maskconv 18 1x1 b), tanh, "
              "maskconv 9 1x1 b silu", NULL},
    {"7x5x1", "dense 70, reshape 7x5x2 tanh, image, maskconv 16 5x5 a, gated, "
              "res(maskconv 16 3x3 b, gated), maskconv 20 3x3 b elu", NULL},
    {"7x5x2", "dense 9 tanh, image, maskconv 16 3x3 a, gated, res(maskconv 16 3x3 b, gated)",
     "logistic_pixel"},
    {"1x9x1", "image, maskconv 5 1x3 a tanh, maskconv 5 1x3 b", NULL},
    {"12", "image, maskconv 24 1x1 a tanh, maskconv 36 1x1 b, tanh", NULL},
    /* diaglstm */
    {"7x5x1", "image, maskconv 8 3x3 a, diaglstm 5", NULL},
    {"7x5x3", "image, maskconv 6 3x3 a, diaglstm 9", NULL},
    {"7x5x3", "dense 70, reshape 7x5x2 tanh, image, maskconv 6 3x3 a, res(diaglstm 6 silu), "
              "maskconv 12 3x3 b, gated, diaglstm 3, diaglstm 12 tanh", "gaussian_pixel"},
    {"5x7x2", "image, maskconv 6 3x3 a, diaglstm 4", "categorical 3"},
    {"1x9x1", "image, maskconv 5 1x3 a tanh, diaglstm 17", NULL},
    {"9x1x1", "dense 4, image, maskconv 5 1x1 a tanh, diaglstm 16", NULL},
    {"12", "image, maskconv 24 1x1 a tanh, diaglstm 24", NULL},
};
enum { PIXELS_NETS = sizeof pixels_nets / sizeof *pixels_nets };

TEST(no_output_depends_on_its_own_number_or_a_later_one) {
    size_t n, i, j;
    for (n = 0; n < PIXELS_NETS; n++) {
        vae_desc d = pixels_desc(&pixels_nets[n], 106);
        size_t dim, wrong = 0, blind = 0;
        const float *y;
        float *x;
        vae *m;
        d.inference = (int)n & 1;
        m = pixels_make(&d);
        if (!m) continue;
        dim = m->input.dim;
        x = (float *)malloc((dim + 1) * dim * sizeof(float));
        small_images(x, 1, dim);
        for (j = 0; j < dim; j++) { /* row j + 1 differs in number j */
            memcpy(x + (j + 1) * dim, x, dim * sizeof(float));
            x[(j + 1) * dim + j] = 1 - x[j];
        }
        y = pixels_outputs(m, x, dim + 1);
        for (j = 0; j < dim; j++) {
            int next = 0;
            for (i = 0; i < m->outputs; i++) {
                const int moved = memcmp(y + i, y + (j + 1) * m->outputs + i, sizeof(float)) != 0;
                wrong += moved && pixels_number(m, i) <= j;
                next |= moved && pixels_number(m, i) == j + 1;
            }
            /* the last pixel of a line is seen from the next line, not by the next number */
            blind += !next && j + 1 < dim && (j / m->input.c + 1) % m->input.w;
        }
        if (wrong || blind)
            test_report(__FILE__, __LINE__, "%s of %s: %d outputs see too much, %d numbers are not "
                        "seen", pixels_nets[n].decoder, pixels_nets[n].input, (int)wrong,
                        (int)blind);
        free(x);
        vae_destroy(m);
    }
}

/* The sum of p(x) over all images of `levels` levels. */
static double pixels_mass(const pixels_net *net, size_t levels) {
    vae_desc d = pixels_desc(net, 64);
    vae *m = pixels_make(&d);
    size_t dim, count = 1, i, j;
    double sum = 0;
    float *x, *eps, *recon;
    if (!m) return 0;
    dim = m->input.dim;
    for (i = 0; i < dim; i++) count *= levels;
    x = (float *)malloc(count * dim * sizeof(float));
    eps = (float *)calloc(count * 3, sizeof(float));
    recon = (float *)malloc(count * sizeof(float));
    for (i = 0; i < count; i++) {
        size_t rest = i;
        for (j = 0; j < dim; j++, rest /= levels)
            x[i * dim + j] = (float)(rest % levels) / (float)(levels - 1);
    }
    CHECK_STATUS(vae_score(m, BATCH(x, count, .eps = eps), NULL, recon, NULL), VAE_OK);
    for (i = 0; i < count; i++) sum += exp(-(double)recon[i]);
    free(x), free(eps), free(recon);
    vae_destroy(m);
    return sum;
}

TEST(probabilities_of_all_images_add_up_to_one) {
    static const pixels_net grey = {"3x3x1", "dense 9 tanh, image, maskconv 8 3x3 a tanh, "
                                    "res(maskconv 8 3x3 b, gated, maskconv 8 1x1 b)", NULL};
    static const pixels_net levels = {"2x2x1", "image, maskconv 8 3x3 a tanh, maskconv 8 3x3 b tanh",
                                      "categorical 4"};
    static const pixels_net colours = {"1x2x3", "image, maskconv 12 3x3 a tanh, maskconv 12 1x1 b "
                                       "tanh", NULL};
    static const pixels_net both = {"1x1x3", "image, maskconv 12 1x1 a tanh", "categorical 5"};
    CHECK_NEAR(pixels_mass(&grey, 2), 1, 1e-5);
    CHECK_NEAR(pixels_mass(&levels, 4), 1, 1e-5);
    CHECK_NEAR(pixels_mass(&colours, 2), 1, 1e-5);
    CHECK_NEAR(pixels_mass(&both, 5), 1, 1e-5);
}

/* ---- the layers against plain loops in double ---- */

/* What a masked convolution with these weights makes of x, and the gradient of sum dy y. */
static double pixels_loops(const vae__op *op, const float *w, const float *x, const float *dy,
                           double *y, double *dw, double *dx) {
    const int H = (int)op->in.h, W = (int)op->in.w, kh = op->kh, kw = op->kw;
    const size_t C = op->in.c, N = op->out.c, groups = op->repeat * op->colours;
    const size_t rows = vae__mask_rows(op);
    double masked = 0;
    int py, px, ky, kx;
    size_t c, n;
    for (py = 0; py < H; py++)
        for (px = 0; px < W; px++)
            for (n = 0; n < N; n++) {
                const size_t at = (size_t)(py * W + px) * N + n;
                const size_t colour = n / (N / groups) % op->colours;
                y[at] = (double)w[rows * N + n];
                for (ky = 0; ky < kh; ky++)
                    for (kx = 0; kx < kw; kx++)
                        for (c = 0; c < C; c++) {
                            const int qy = py + ky - kh / 2, qx = px + kx - kw / 2;
                            const int order = (ky - kh / 2) * kw + kx - kw / 2;
                            const size_t row = (size_t)(ky * kw + kx) * C + c;
                            const size_t from = ((size_t)qy * (size_t)W + (size_t)qx) * C + c;
                            const long group = c < op->beside ? -1 :
                                (long)((c - op->beside) / ((C - op->beside) / op->colours));
                            const int seen = order < 0 || (order == 0 &&
                                (group < (long)colour || (group == (long)colour && op->mask == 'b')));
                            if (order == 0 && !seen && row < rows)
                                masked += fabs((double)w[row * N + n]);
                            if (!seen || qy < 0 || qx < 0 || qx >= W) continue;
                            y[at] += (double)w[row * N + n] * (double)x[from];
                            dw[row * N + n] += (double)dy[at] * (double)x[from];
                            dx[from] += (double)dy[at] * (double)w[row * N + n];
                        }
            }
    return masked;
}

TEST(maskconv_is_its_plain_loops_forward_and_backward) {
    static const pixels_net nets[] = {
        {"5x4x1", "dense 40, reshape 5x4x2, image, maskconv 5 3x3 a, maskconv 16 5x3 b, "
                  "maskconv 3 1x1 b", NULL},
        {"5x4x3", "dense 40, reshape 5x4x2, image, maskconv 6 3x5 a, maskconv 9 3x3 b, "
                  "maskconv 12 1x1 a", "gaussian_pixel"},
        {"1x1x1", "dense 4, image, maskconv 6 3x3 a, maskconv 2 7x7 b", NULL},
        {"1x7x1", "image, maskconv 17 3x3 a, maskconv 16 1x7 b", "categorical 3"},
        {"6x1x2", "image, maskconv 18 5x5 a, maskconv 2 3x1 b", NULL},
        {"30x20x1", "image, maskconv 8 7x7 a, maskconv 32 3x3 b", NULL}};
    enum { ROWS = 5 };
    size_t n, i, r, j;
    for (n = 0; n < sizeof nets / sizeof *nets; n++) {
        vae_desc d = pixels_desc(&nets[n], ROWS);
        vae *m = pixels_make(&d);
        if (!m) continue;
        for (i = m->at_image + 1; i + 1 < m->count; i++) {
            const vae__op *op = &m->ops[i];
            const float *w = m->w + op->weights;
            const size_t in = op->in.dim, out = op->out.dim;
            const size_t weights = vae__mask_rows(op) * op->out.c;
            float *x = (float *)malloc(ROWS * in * sizeof(float));
            float *dx = (float *)malloc(ROWS * in * sizeof(float));
            float *y = (float *)malloc(ROWS * out * sizeof(float));
            float *dy = (float *)malloc(ROWS * out * sizeof(float));
            float *dw = (float *)malloc(weights * sizeof(float));
            double *ref = (double *)calloc(ROWS * (in + out) + weights, sizeof(double));
            double *ref_y = ref, *ref_x = ref + ROWS * out, *ref_w = ref_x + ROWS * in;
            double off = 0, masked = 0;
            vae__walk c;
            memset(&c, 0, sizeof c);
            c.k = m->k, c.rows = c.images = ROWS, c.draws = 1, c.room = m->room;
            small_images(x, ROWS, in), small_images(dy, ROWS, out);
            for (j = 0; j < ROWS * out; j++) dy[j] -= 0.4f;
            op->layer->fwd(&c, op, w, x, y);
            op->layer->bwd(&c, op, w, x, dy, dx);
            op->layer->grad(&c, op, 0, 0, vae__mask_rows(op), x, dy, dw);
            (void)op->layer->mask(op, 0, 0, vae__mask_rows(op), dw, dw);
            for (r = 0; r < ROWS; r++)
                masked += pixels_loops(op, w, x + r * in, dy + r * out, ref_y + r * out, ref_w,
                                       ref_x + r * in);
            CHECK(masked == 0); /* the weights of what a group must not see are 0 */
            for (j = 0; j < ROWS * out; j++) off = fmax(off, fabs((double)y[j] - ref_y[j]));
            CHECK_NEAR(off, 0, 1e-5); /* sums of at most 400 terms below 1 */
            for (off = 0, j = 0; j < ROWS * in; j++)
                off = fmax(off, fabs((double)dx[j] - ref_x[j]));
            CHECK_NEAR(off, 0, 1e-5);
            for (off = 0, j = 0; j < weights; j++) {
                off = fmax(off, fabs((double)dw[j] - ref_w[j]));
                if (ref_w[j] == 0 && j / op->out.c >= vae__taps_before(op) * op->in.c)
                    CHECK(dw[j] == 0);
            }
            CHECK_NEAR(off, 0, 6e-4); /* of up to 3,000 terms */
            op->layer->grad(&c, op, 0, 1, vae__mask_rows(op), x, dy, dw); /* a part of it: */
            (void)op->layer->mask(op, 0, 1, vae__mask_rows(op), dw, dw);
            for (off = 0, j = op->out.c; j < weights; j++)
                off = fmax(off, fabs((double)dw[j - op->out.c] - ref_w[j]));
            CHECK_NEAR(off, 0, 6e-4);
            free(x), free(dx), free(y), free(dy), free(dw), free(ref);
        }
        vae_destroy(m);
    }
}

TEST(gradients_are_those_of_the_loss) {
    size_t n;
    int way;
    for (n = 0; n < PIXELS_NETS; n++)
        for (way = 0; way < 2; way++) {
            vae_desc d = pixels_desc(&pixels_nets[n], 6);
            float x[6 * 105];
            double worst = 1;
            vae *m;
            if (way) d.samples = 3, d.objective = VAE_OBJECTIVE_IWAE;
            m = pixels_make(&d);
            if (!m) continue;
            small_images(x, 6, m->input.dim);
            CHECK_STATUS(vae_check_gradients(m, BATCH(x, 6), 3, &worst), VAE_OK);
            if (!(worst < 1e-2))
                test_report(__FILE__, __LINE__, "%s: %g", pixels_nets[n].decoder, worst);
            vae_destroy(m);
        }
}

TEST(masked_weights_stay_zero_in_training) {
    static const pixels_net net = {"7x5x3", "image, maskconv 6 3x3 a, maskconv 6 3x3 b", NULL};
    vae_desc d = pixels_desc(&net, 8);
    float x[8 * 105];
    size_t i, j, zeros = 0;
    vae *m;
    d.weight_decay = 0.1, d.optimizer = VAE_OPTIMIZER_ADAMW, d.ema = 0.9;
    m = pixels_make(&d);
    if (!m) return;
    small_images(x, 8, 105);
    for (i = 0; i < 5; i++) CHECK_STATUS(vae_train_step(m, BATCH(x, 8), NULL), VAE_OK);
    for (i = m->at_image + 1; i + 1 < m->count; i++) {
        const vae__op *op = &m->ops[i];
        const size_t from = vae__taps_before(op) * op->in.c, n = op->out.c;
        for (j = from * n; j < vae__mask_rows(op) * n; j++) {
            const size_t sees = vae__mask_sees(op, j % n / vae__mask_width(op) % op->colours);
            const float w = m->w[op->weights + j];
            if (j / n - from >= sees) CHECK(w == 0);
            else zeros += w == 0;
        }
    }
    CHECK_EQ(zeros, 0);
    vae_destroy(m);
}

/* ---- drawing ---- */

/* Whether the images x are what a full pass at them draws with the same noise. By induction over
 * the numbers there is one such image: the one that full recomputation for each number gives. */
static void pixels_are_drawn(const pixels_net *net, vae *m, const float *x, size_t rows,
                             uint64_t seed) {
    const size_t dim = m->input.dim;
    const float *y = pixels_outputs(m, x, rows);
    const vae__density l = vae__density_now(m, m->w);
    float *u = (float *)malloc(dim * sizeof(float)), *again = (float *)malloc(dim * sizeof(float));
    size_t i, differ = 0;
    for (i = 0; i < rows; i++) {
        const vae__address at = vae__address_for(seed, VAE_PURPOSE_DRAW_X, 0, (uint32_t)i, 0);
        m->k->draw(l.row->noise, &at, 0, dim, u);
        l.row->observe(&l, y + i * m->outputs, u, again);
        differ += memcmp(again, x + i * dim, dim * sizeof(float)) != 0;
    }
    if (differ)
        test_report(__FILE__, __LINE__, "%s: %d images", net->decoder, (int)differ);
    free(u), free(again);
}

TEST(drawing_pixel_by_pixel_gives_the_bits_of_full_recomputation) {
    enum { ROWS = 9 };
    size_t n;
    for (n = 0; n < PIXELS_NETS; n++) {
        vae_desc d = pixels_desc(&pixels_nets[n], ROWS);
        float x[ROWS * 105], z[ROWS * 3], *y;
        size_t most;
        vae *m;
        d.inference = (int)n & 1;
        m = pixels_make(&d);
        if (!m) continue;
        pixels_z(m, z, ROWS);
        most = ROWS * m->outputs;
        CHECK_STATUS(vae_draw(m, BATCH(z, ROWS), 21, x), VAE_OK);
        y = (float *)malloc(most * sizeof(float));
        memcpy(y, m->ops[m->count - 1].y, most * sizeof(float));
        if (!m->likelihood.row->unit || m->k->in_unit(ROWS * m->input.dim, x)) {
            pixels_are_drawn(&pixels_nets[n], m, x, ROWS, 21);
            CHECK(!memcmp(y, m->ops[m->count - 1].y, most * sizeof(float)));
        }
        free(y);
        vae_destroy(m);
    }
}

TEST(draws_have_the_density_of_the_model) {
    static const pixels_net net = {"3x3x1", "image, maskconv 6 3x3 a tanh, maskconv 4 3x3 b tanh",
                                   NULL};
    enum { DRAWS = 20000 };
    vae_desc d = pixels_desc(&net, 500);
    float *x = (float *)malloc(DRAWS * 9 * sizeof(float)), all[512 * 9], recon[512];
    float *z = (float *)malloc(DRAWS * 3 * sizeof(float));
    double count[512] = {0}, chi = 0, rest = 0, rest_count = 0;
    float eps[512 * 3] = {0};
    int i, j, cells = 0;
    vae *m = pixels_make(&d);
    if (!m) return;
    for (i = 0; i < 512 * 9; i++) all[i] = (float)(i / 9 >> i % 9 & 1);
    CHECK_STATUS(vae_score(m, BATCH(all, 512, .eps = eps), NULL, recon, NULL), VAE_OK);
    pixels_z(m, z, DRAWS);
    CHECK_STATUS(vae_draw(m, BATCH(z, DRAWS), 5, x), VAE_OK);
    for (i = 0; i < DRAWS; i++) {
        int image = 0;
        for (j = 0; j < 9; j++) image |= (x[i * 9 + j] > 0.5f) << j;
        count[image] += 1;
    }
    for (i = 0; i < 512; i++) {
        const double want = DRAWS * exp(-(double)recon[i]);
        if (want < 5) rest += want, rest_count += count[i];
        else chi += (count[i] - want) * (count[i] - want) / want, cells++;
    }
    if (rest > 0) chi += (rest_count - rest) * (rest_count - rest) / rest;
    CHECK(cells > 50);
    CHECK(chi < cells + 5 * sqrt(2.0 * cells)); /* 5 standard deviations of chi-square */
    free(x), free(z);
    vae_destroy(m);
}

/* What each public call does with such a model. */
TEST(calls_draw_or_take_the_most_probable_pixels) {
    enum { ROWS = 11, DIM = 105 };
    vae_desc d = pixels_desc(&pixels_nets[10], 4); /* portions */
    float x[ROWS * DIM], z[ROWS * 3], a[ROWS * DIM], b[ROWS * DIM], y[ROWS * DIM];
    vae *m = pixels_make(&d);
    size_t i, j;
    if (!m) return;
    small_images(x, ROWS, DIM);
    CHECK_STATUS(vae_sample_prior(m, BATCH(NULL, ROWS, .first = 3), 9, a), VAE_OK);
    CHECK_STATUS(vae_prior(m, BATCH(NULL, ROWS, .first = 3), 9, z), VAE_OK);
    CHECK_STATUS(vae_draw(m, BATCH(z, ROWS, .first = 3), 9, b), VAE_OK);
    CHECK(!memcmp(a, b, sizeof a));
    CHECK_STATUS(vae_draw(m, BATCH(z, ROWS, .first = 4), 9, b), VAE_OK);
    CHECK(memcmp(a, b, sizeof a) != 0); /* other addresses */
    CHECK_STATUS(vae_draw(m, BATCH(z + 15, 1, .first = 8), 9, b), VAE_OK);
    CHECK(!memcmp(a + 5 * DIM, b, DIM * sizeof(float))); /* a row alone */

    CHECK_STATUS(vae_encode(m, BATCH(x, ROWS), z, NULL), VAE_OK);
    CHECK_STATUS(vae_decode(m, BATCH(z, ROWS), a), VAE_OK);
    CHECK_STATUS(vae_decode_logits(m, BATCH(z, ROWS), y), VAE_OK);
    for (i = j = 0; i < ROWS * DIM; i++) j += a[i] != (float)(y[i] > 0);
    CHECK_EQ(j, 0);
    memcpy(b, x, sizeof x);
    CHECK_STATUS(vae_reconstruct(m, BATCH(b, ROWS), b), VAE_OK); /* in place */
    CHECK(!memcmp(a, b, sizeof a));
    vae_destroy(m);
}

TEST(the_most_probable_level_of_a_categorical_is_taken) {
    static const pixels_net net = {"5x4x1", "image, maskconv 6 3x3 a tanh", "categorical 5"};
    enum { ROWS = 3, DIM = 20 };
    vae_desc d = pixels_desc(&net, 4);
    float z[ROWS * 3], x[ROWS * DIM], y[ROWS * DIM * 5];
    vae *m = pixels_make(&d);
    size_t i, j;
    if (!m) return;
    pixels_z(m, z, ROWS);
    CHECK_STATUS(vae_decode(m, BATCH(z, ROWS), x), VAE_OK);
    CHECK_STATUS(vae_decode_logits(m, BATCH(z, ROWS), y), VAE_OK);
    for (i = 0; i < ROWS * DIM; i++) {
        const size_t level = (size_t)(x[i] * 4 + 0.5f);
        for (j = 0; j < 5; j++) CHECK(y[i * 5 + j] <= y[i * 5 + level]);
    }
    vae_destroy(m);
}

TEST(a_bound_of_one_draw_is_the_score) {
    enum { ROWS = 5, DIM = 105 };
    vae_desc d = pixels_desc(&pixels_nets[10], 8);
    float x[ROWS * DIM], eps[ROWS * 3], elbo[ROWS], bound[ROWS];
    vae *m = NULL;
    size_t i;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    if (!m) return;
    small_images(x, ROWS, DIM), small_images(eps, ROWS, 3);
    CHECK_STATUS(vae_bound(m, BATCH(x, ROWS, .eps = eps), 1, bound), VAE_OK);
    CHECK_STATUS(vae_score(m, BATCH(x, ROWS, .eps = eps), elbo, bound, NULL), VAE_OK);
    CHECK_STATUS(vae_bound(m, BATCH(x, ROWS, .eps = eps), 1, bound), VAE_OK);
    for (i = 0; i < ROWS; i++) CHECK(fabs((double)bound[i] - (double)elbo[i]) < 3); /* KL in both */
    vae_destroy(m);
}

/* ---- the same bits everywhere ---- */

/* Trains a little and draws; a hash of both. */
static uint64_t pixels_run(const pixels_net *net, vae_isa isa, int threads, int stored) {
    vae_desc d = pixels_desc(net, 24);
    float x[24 * 105], z[24 * 3];
    uint64_t hash = 0;
    vae *m = NULL;
    int i;
    d.isa = isa, d.threads = threads;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    if (!m) return 0;
    small_images(x, 24, m->input.dim);
    for (i = 0; i < 3; i++) CHECK_STATUS(vae_train_step(m, BATCH(x, 24), NULL), VAE_OK);
    hash = vae_params_hash(m);
    if (stored) { /* by its file, for inference, and shared */
        vae_load_options o;
        size_t size;
        unsigned char *bytes = file_of(m, 0, &size);
        vae *loaded = NULL, *shared = NULL;
        memset(&o, 0, sizeof o);
        o.inference = 1, o.threads = threads, o.batch = 5, o.isa = isa;
        CHECK_STATUS(vae_load_memory(bytes, size, &o, &loaded, NULL), VAE_OK);
        vae_destroy(m);
        m = loaded;
        if (m) CHECK_STATUS(vae_share(m, &o, &shared, NULL), VAE_OK);
        if (shared) {
            CHECK_STATUS(vae_prior(shared, BATCH(NULL, 24), 4, z), VAE_OK);
            CHECK_STATUS(vae_draw(shared, BATCH(z, 24), 4, x), VAE_OK);
            vae_destroy(shared);
        }
        free(bytes);
    }
    if (!m) return 0;
    if (!stored) CHECK_STATUS(vae_sample_prior(m, BATCH(NULL, 24), 4, x), VAE_OK);
    hash = vae__hash_floats(hash, x, 24 * m->input.dim);
    vae_destroy(m);
    return hash;
}

TEST(training_and_drawing_give_the_same_bits_on_every_isa_and_number_of_threads) {
    static const int nets[] = {4, 8, 10, 11, 12};
    static const int threads[] = {1, 2, 3, 7};
    /* of the weights after 3 steps and 24 images: with every compiler and on every machine */
    static const uint64_t golden[] = {
        0x95b7fb4f58611b18u, 0xb076aebbdba66157u, 0x5ff260bbcf5dc86cu, 0x08a313c85ca3c9f4u,
        0xc04368bf91f807e9u};
    size_t n, t;
    int isa;
    for (n = 0; n < sizeof nets / sizeof *nets; n++) {
        const pixels_net *net = &pixels_nets[nets[n]];
        const uint64_t want = golden[n];
        uint64_t got;
        for (isa = VAE_ISA_PORTABLE; isa < VAE_ISA_COUNT; isa++) {
            if (!vae_isa_available((vae_isa)isa)) continue;
            for (t = 0; t < 4; t++)
                if ((got = pixels_run(net, (vae_isa)isa, threads[t], (int)t & 1)) != want)
                    test_report(__FILE__, __LINE__, "%s: isa %d, %d threads: %08x%08x",
                                net->decoder, isa, threads[t], (unsigned)(got >> 32),
                                (unsigned)got);
        }
    }
}

/* ---- without a code: PixelCNN ---- */

TEST(a_pixelcnn_has_a_density_and_draws_from_it) {
    enum { ROWS = 40, COUNT = 512 };
    vae_desc d;
    float x[COUNT * 9], recon[COUNT], kl[COUNT], bound[COUNT], drawn[ROWS * 9], again[ROWS * 9];
    uint64_t hash = 0;
    double sum = 0;
    vae_stats first, last;
    vae_info info;
    size_t i;
    int way;
    memset(&d, 0, sizeof d);
    d.input = "3x3x1", d.posterior = "none", d.batch = ROWS, d.lr = 0.01;
    d.decoder = "image, maskconv 12 5x5 a, gated, res(maskconv 12 3x3 b, gated)";
    for (i = 0; i < COUNT * 9; i++) x[i] = (float)(i / 9 >> i % 9 & 1);
    for (way = 0; way < 4; way++) { /* threads 1, 2, 3, 4 */
        vae *m = NULL;
        d.threads = way + 1;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        if (!m) return;
        for (i = 0; i < 30; i++)
            CHECK_STATUS(vae_train_step(m, BATCH(x, ROWS), i ? &last : &first), VAE_OK);
        CHECK(last.recon < first.recon - 0.5 && last.elbo <= -last.recon);
        vae_get_info(m, &info);
        CHECK(info.by_pixel == 1);
        CHECK_STATUS(vae_score(m, BATCH(x, COUNT), NULL, recon, kl), VAE_OK);
        CHECK_STATUS(vae_bound(m, BATCH(x, COUNT), 3, bound), VAE_OK);
        for (i = 0, sum = 0; i < COUNT; i++) {
            sum += exp(-(double)recon[i]);
            CHECK(fabs((double)bound[i] + (double)recon[i]) < 1e-4 && fabs((double)kl[i]) <= 0);
        }
        CHECK_NEAR(sum, 1, 1e-5);
        CHECK_STATUS(vae_sample_prior(m, BATCH(NULL, ROWS), 3, way ? again : drawn), VAE_OK);
        CHECK(!way || !memcmp(drawn, again, sizeof drawn));
        CHECK(!way || vae_params_hash(m) == hash);
        hash = vae_params_hash(m);
        CHECK_STATUS(vae_score(m, BATCH(drawn, ROWS), NULL, recon, NULL), VAE_OK);
        for (i = 0; i < ROWS; i++) { /* each is what a full pass at it draws */
            const vae__address at = vae__address_for(3, VAE_PURPOSE_DRAW_X, 0, (uint32_t)i, 0);
            float u[9], full[9];
            m->k->draw(VAE__DRAW_UNIFORM, &at, 0, 9, u);
            m->likelihood.row->observe(&m->likelihood, m->ops[m->count - 1].y + i * 9, u, full);
            CHECK(!memcmp(full, drawn + i * 9, sizeof full));
        }
        vae_destroy(m);
    }
}

TEST(a_pixelcnn_takes_classes) {
    static const int32_t labels[4] = {0, 1, 2, 1};
    vae_desc d;
    float x[4 * 9], y[4 * 9];
    double worst = 1;
    vae *m = NULL;
    memset(&d, 0, sizeof d);
    d.input = "3x3x1", d.posterior = "none", d.batch = 4;
    d.decoder = "label 3, dense 4 tanh, image, maskconv 8 3x3 a tanh";
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    if (!m) return;
    small_images(x, 4, 9);
    CHECK_STATUS(vae_check_gradients(m, BATCH(x, 4, .labels = labels, .label_count = 4), 3, &worst),
                 VAE_OK);
    CHECK(worst < 1e-2);
    CHECK_STATUS(vae_sample_prior(m, BATCH(NULL, 4, .labels = labels, .label_count = 4), 3, y),
                 VAE_OK);
    CHECK_STATUS(vae_sample_prior(m, BATCH(NULL, 4), 3, y), VAE_ERR_STATE);
    vae_destroy(m);
}

TESTS(pixels) {
    RUN(a_pixelcnn_has_a_density_and_draws_from_it);
    RUN(a_pixelcnn_takes_classes);
    RUN(a_decoder_that_would_see_what_it_predicts_is_refused_with_the_reason);
    RUN(an_encoder_has_no_image);
    RUN(layers_behind_image_are_spelled_back_and_the_head_is_masked);
    RUN(no_output_depends_on_its_own_number_or_a_later_one);
    RUN(probabilities_of_all_images_add_up_to_one);
    RUN(maskconv_is_its_plain_loops_forward_and_backward);
    RUN(gradients_are_those_of_the_loss);
    RUN(masked_weights_stay_zero_in_training);
    RUN(drawing_pixel_by_pixel_gives_the_bits_of_full_recomputation);
    RUN(draws_have_the_density_of_the_model);
    RUN(calls_draw_or_take_the_most_probable_pixels);
    RUN(the_most_probable_level_of_a_categorical_is_taken);
    RUN(a_bound_of_one_draw_is_the_score);
    RUN(training_and_drawing_give_the_same_bits_on_every_isa_and_number_of_threads);
}
