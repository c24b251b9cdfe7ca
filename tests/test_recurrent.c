/* The layer diaglstm against plain loops in double, and the same bits however it is run. What it
 * may see, its gradients in whole networks and its drawing are tested in test_pixels.c too. */
#include "models.h"

static vae *recurrent_make(const char *input, const char *decoder, int batch) {
    vae_desc d;
    vae_report r;
    vae *m = NULL;
    size_t i;
    memset(&d, 0, sizeof d);
    d.input = input, d.decoder = decoder, d.posterior = "none", d.batch = batch, d.seed = 5;
    if (vae_create(&d, &m, &r)) {
        test_report(__FILE__, __LINE__, "\"%s\": %s", decoder, r.text);
        return NULL;
    }
    for (i = 0; i < m->parameters; i++) /* biases begin as 0 */
        if (!(m->w[i] > 0) && !(m->w[i] < 0) && m->input.c == 1)
            m->w[i] = (float)(i * 5 % 7) * 0.1f - 0.25f;
    return m;
}

/* ---- plain loops ---- */

static double recurrent_sigmoid(double a) { return 1 / (1 + exp(-a)); }

/* h of one direction at all pixels of one image, from the formulas: mirrored for the right one. */
static void recurrent_direction(const vae__op *op, int right, const double *w, const double *x,
                                double *h) {
    const size_t H = op->in.h, W = op->in.w, C = op->in.c, N = op->out.c;
    double *c = (double *)calloc(H * W * N, sizeof(double));
    size_t y, q, n, j, g;
    for (y = 0; y < H; y++)
        for (q = 0; q < W; q++) {
            const size_t at = y * W + (right ? W - 1 - q : q), to_side = right ? at + 1 : at - 1;
            for (n = 0; n < N; n++) {
                double a[4], old = q ? c[to_side * N + n] : 0;
                for (g = 0; g < 4; g++) {
                    a[g] = w[(C + 2 * N) * 4 * N + g * N + n];
                    for (j = 0; j < C; j++) a[g] += w[j * 4 * N + g * N + n] * x[at * C + j];
                    for (j = 0; j < N && y; j++)
                        a[g] += w[(C + j) * 4 * N + g * N + n] * h[(at - W) * N + j];
                    for (j = 0; j < N && q; j++)
                        a[g] += w[(C + N + j) * 4 * N + g * N + n] * h[to_side * N + j];
                }
                c[at * N + n] = recurrent_sigmoid(a[1] + 1) * old +
                                recurrent_sigmoid(a[2]) * tanh(a[3]);
                h[at * N + n] = recurrent_sigmoid(a[0]) * tanh(c[at * N + n]);
            }
        }
    free(c);
}
/* The outputs for one image; w: all four tensors. */
static void recurrent_loops(const vae__op *op, const double *w, const double *x, double *y) {
    const size_t W = op->in.w, N = op->out.c, all = op->out.dim;
    const size_t weights = (op->in.c + 2 * N) * 4 * N + 4 * N;
    double *h = (double *)malloc(all * sizeof(double));
    size_t i;
    recurrent_direction(op, 0, w, x, y);
    recurrent_direction(op, 1, w + weights, x, h);
    for (i = W * N; i < all; i++) y[i] += h[i - W * N];
    free(h);
}
/* The sum of dy times the outputs for `rows` images; *off: how far y is from them. */
static double recurrent_loss(const vae__op *op, size_t rows, const double *w, const double *x,
                             const float *dy, const float *y, double *off) {
    double *want = (double *)malloc(op->out.dim * sizeof(double)), sum = 0;
    size_t r, i;
    for (r = 0; r < rows; r++) {
        recurrent_loops(op, w, x + r * op->in.dim, want);
        for (i = 0; i < op->out.dim; i++) {
            sum += want[i] * (double)dy[r * op->out.dim + i];
            if (off) *off = fmax(*off, fabs((double)y[r * op->out.dim + i] - want[i]));
        }
    }
    free(want);
    return sum;
}

/* An op at work for itself: what it was given and what it made. */
typedef struct recurrent_work {
    const vae__op *op;
    vae__walk c;
    size_t rows, weights;
    float *x, *dx, *y, *dy, *dw; /* dw: all tensors */
} recurrent_work;

static recurrent_work recurrent_begin(vae *m, size_t rows) {
    recurrent_work k;
    size_t i;
    memset(&k, 0, sizeof k);
    for (i = m->at_image; !m->ops[i].layer->name || strcmp(m->ops[i].layer->name, "diaglstm");) i++;
    k.op = &m->ops[i], k.rows = rows;
    k.c.k = m->k, k.c.rows = k.c.images = rows, k.c.draws = 1, k.c.room = m->room, k.c.train = 1;
    for (i = 0; i < 4; i++) k.weights += m->tensors[k.op->tensor + i].count;
    k.x = (float *)malloc(rows * k.op->in.dim * sizeof(float));
    k.dx = (float *)malloc(rows * k.op->in.dim * sizeof(float));
    k.y = (float *)malloc(rows * k.op->out.dim * sizeof(float));
    k.dy = (float *)malloc(rows * k.op->out.dim * sizeof(float));
    k.dw = (float *)malloc(k.weights * sizeof(float));
    small_images(k.x, rows, k.op->in.dim), small_images(k.dy, rows, k.op->out.dim);
    for (i = 0; i < rows * k.op->out.dim; i++) k.dy[i] -= 0.4f;
    return k;
}
static void recurrent_end(recurrent_work *k) {
    free(k->x), free(k->dx), free(k->y), free(k->dy), free(k->dw);
}
/* Forward and back in pieces of so many rows, then the gradients in pieces of so many. */
static void recurrent_work_out(vae *m, recurrent_work *k, size_t piece, size_t lines) {
    const vae__op *op = k->op;
    const float *w = m->w + op->weights;
    float *dw = k->dw;
    size_t r, from, n;
    int t;
    for (t = 0; t < 2; t++)
        for (r = 0; r < k->rows; r += n) {
            n = vae__min(piece, k->rows - r);
            k->c.first = k->c.place = k->c.image = r, k->c.rows = k->c.images = n;
            if (!t) op->layer->fwd(&k->c, op, w, k->x + r * op->in.dim, k->y + r * op->out.dim);
            else op->layer->bwd(&k->c, op, w, k->x + r * op->in.dim, k->dy + r * op->out.dim,
                                k->dx + r * op->in.dim);
        }
    k->c.first = k->c.place = k->c.image = 0, k->c.rows = k->c.images = k->rows;
    for (t = 0; t < 4; t++) {
        const vae__slot *slot = &m->tensors[op->tensor + (size_t)t];
        const size_t wide = slot->shape[slot->rank - 1], all = slot->count / wide;
        for (from = 0; from < all; from += n, dw += n * wide) {
            n = vae__min(lines, all - from);
            op->layer->grad(&k->c, op, t, from, from + n, k->x, k->dy, dw);
            (void)op->layer->mask(op, t, from, from + n, dw, dw);
        }
    }
}

typedef struct recurrent_net {
    const char *input, *decoder;
    size_t rows;
    int each; /* each derivative by itself; otherwise their sum in a direction */
} recurrent_net;
static const recurrent_net recurrent_nets[] = {
    {"1x1x1", "dense 4, image, maskconv 3 3x3 a, diaglstm 5", 3, 1},
    {"1x7x1", "image, maskconv 3 3x3 a, diaglstm 2", 3, 1},
    {"6x1x1", "image, maskconv 3 3x3 a, diaglstm 4", 3, 1},
    {"4x5x1", "image, maskconv 5 3x3 a, diaglstm 3", 4, 1},
    {"5x3x1", "image, maskconv 1 3x3 a, diaglstm 1", 5, 1},
    {"3x3x3", "image, maskconv 6 3x3 a, diaglstm 3", 2, 1},
    {"5x4x2", "image, maskconv 4 3x3 a, diaglstm 18", 3, 0},
    {"41x37x1", "image, maskconv 3 3x3 a, diaglstm 4", 30, 0}, /* three products a diagonal */
    {"20x30x1", "image, maskconv 17 3x3 a, diaglstm 33", 3, 0},
};
enum { RECURRENT_NETS = sizeof recurrent_nets / sizeof *recurrent_nets };

/* (loss(v + u) - loss(v - u)) / 2 with u = step * way, in the weights and in x; way NULL: number
 * `at` of both alone. */
static double recurrent_slope(const recurrent_work *k, double *w, double *x, size_t at,
                              const float *way) {
    const double step = 1e-5;
    const size_t n = k->weights, all = n + k->rows * k->op->in.dim;
    double sum[2];
    size_t i;
    int side;
    for (side = 0; side < 2; side++) {
        const double by = side ? -step : step;
        for (i = way ? 0 : at; i < (way ? all : at + 1); i++)
            *(i < n ? w + i : x + i - n) += by * (way ? (double)way[i] : 1);
        sum[side] = recurrent_loss(k->op, k->rows, w, x, k->dy, NULL, NULL);
        for (i = way ? 0 : at; i < (way ? all : at + 1); i++)
            *(i < n ? w + i : x + i - n) -= by * (way ? (double)way[i] : 1);
    }
    return (sum[0] - sum[1]) / (2 * step);
}

TEST(diaglstm_is_its_plain_loops_and_its_gradients_are_their_differences) {
    size_t n, i;
    for (n = 0; n < RECURRENT_NETS; n++) {
        const recurrent_net *net = &recurrent_nets[n];
        vae *m = recurrent_make(net->input, net->decoder, (int)net->rows);
        recurrent_work k;
        double *w, *x, off = 0, worst = 0;
        size_t all, masked = 0;
        if (!m) continue;
        k = recurrent_begin(m, net->rows);
        all = k.weights + k.rows * k.op->in.dim;
        w = (double *)malloc(all * sizeof(double)), x = w + k.weights;
        for (i = 0; i < k.weights; i++) w[i] = (double)m->w[k.op->weights + i];
        for (i = 0; i < k.rows * k.op->in.dim; i++) x[i] = (double)k.x[i];
        recurrent_work_out(m, &k, net->rows, SIZE_MAX);
        (void)recurrent_loss(k.op, k.rows, w, x, k.dy, k.y, &off);
        CHECK_NEAR(off, 0, 1e-5); /* of numbers below 2 */
        for (i = 0; net->each && i < all; i++) {
            const double got = (double)(i < k.weights ? k.dw[i] : k.dx[i - k.weights]);
            double want = recurrent_slope(&k, w, x, i, NULL);
            float one = 1; /* a weight that must stay 0 has no gradient */
            if (i < m->tensors[k.op->tensor].count) {
                const size_t wide = 4 * k.op->out.c, row = i / wide;
                float line[4 * 18];
                memset(line, 0, sizeof line);
                line[i % wide] = 1;
                (void)k.op->layer->mask(k.op, 0, row, row + 1, line, line);
                one = line[i % wide];
            }
            if (!(one > 0)) {
                want = 0, masked++;
                CHECK(m->w[k.op->weights + i] == 0);
            }
            worst = fmax(worst, fabs(got - want));
        }
        CHECK_EQ(masked, m->input.c == 3 && net->each ? 3 * 2 * 4 : 0);
        for (i = 0; !net->each && i < 3; i++) {
            float *way = (float *)malloc(all * sizeof(float));
            double got = 0, size = 0;
            size_t j;
            vae_stream s;
            memset(&s, 0, sizeof s);
            s.purpose = VAE_PURPOSE_USER, s.seed = 3 + i;
            vae_random_normal(&s, 0, all, way);
            if (i == 1) memset(way, 0, k.weights * sizeof(float)); /* of x alone */
            (void)k.op->layer->mask(k.op, 0, 0, (size_t)k.op->in.c, way, way);
            for (j = 0; j < all; j++) {
                const double d = (double)(j < k.weights ? k.dw[j] : k.dx[j - k.weights]);
                got += d * (double)way[j], size += fabs(d * (double)way[j]);
            }
            worst = fmax(worst, fabs(got - recurrent_slope(&k, w, x, 0, way)) / size * 10);
            free(way);
        }
        if (!(worst < 2e-5)) /* of numbers of about 1 */
            test_report(__FILE__, __LINE__, "%s of %s: %g", net->decoder, net->input, worst);
        free(w);
        recurrent_end(&k);
        vae_destroy(m);
    }
}

TEST(diaglstm_gives_the_same_bits_in_pieces) {
    static const size_t nets[] = {3, 6, 7, 8}, pieces[] = {1, 2, 7, 13};
    size_t n, i;
    for (n = 0; n < 4; n++) {
        const recurrent_net *net = &recurrent_nets[nets[n]];
        vae *m = recurrent_make(net->input, net->decoder, (int)net->rows + (int)n % 2);
        uint64_t hash[5];
        if (!m) continue;
        for (i = 0; i < 5; i++) {
            recurrent_work k = recurrent_begin(m, net->rows);
            recurrent_work_out(m, &k, i < 4 ? pieces[i] : net->rows, i < 4 ? pieces[i] : SIZE_MAX);
            hash[i] = vae__hash_floats(0, k.y, net->rows * k.op->out.dim);
            hash[i] = vae__hash_floats(hash[i], k.dx, net->rows * k.op->in.dim);
            hash[i] = vae__hash_floats(hash[i], k.dw, k.weights);
            CHECK(hash[i] == hash[0]);
            recurrent_end(&k);
        }
        vae_destroy(m);
    }
}

TEST(diaglstm_probabilities_of_all_images_add_up_to_one) {
    vae *m = recurrent_make("3x3x1", "image, maskconv 4 3x3 a tanh, diaglstm 6", 64);
    float x[512 * 9], recon[512];
    double sum = 0;
    size_t i;
    if (!m) return;
    for (i = 0; i < 512 * 9; i++) x[i] = (float)(i / 9 >> i % 9 & 1);
    CHECK_STATUS(vae_score(m, BATCH(x, 512), NULL, recon, NULL), VAE_OK);
    for (i = 0; i < 512; i++) sum += exp(-(double)recon[i]);
    CHECK_NEAR(sum, 1, 1e-5);
    vae_destroy(m);
}

/* One diagonal layer sees every earlier pixel, also those above to the right. Only the last pixel of
 * the line above is seen where a window before it reaches that. */
TEST(diaglstm_sees_all_earlier_pixels) {
    enum { DIM = 35 };
    vae *m = recurrent_make("7x5x1", "image, maskconv 8 3x3 a, diaglstm 6", DIM + 1);
    float x[(DIM + 1) * DIM], y[(DIM + 1) * DIM];
    size_t i, j, wrong = 0;
    if (!m) return;
    small_images(x, 1, DIM);
    for (j = 0; j < DIM; j++) {
        memcpy(x + (j + 1) * DIM, x, DIM * sizeof(float));
        x[(j + 1) * DIM + j] = 4 * (x[j] > 0.5f ? 0 : 1);
    }
    for (i = 0; i < m->parameters; i++) m->w[i] *= 2; /* so that far pixels are not rounded away */
    for (i = 0; i < DIM * (DIM + 1); i++) x[i] = x[i] > 1 ? 1 : x[i];
    CHECK_STATUS(vae_score(m, BATCH(x, DIM + 1), NULL, NULL, NULL), VAE_OK);
    memcpy(y, m->ops[m->count - 1].y, sizeof y);
    for (j = 0; j < DIM; j++)
        for (i = 0; i < DIM; i++) {
            const int unseen = j % 5 == 4 && i < j + 4;
            wrong += (memcmp(y + i, y + (j + 1) * DIM + i, sizeof(float)) != 0) !=
                     (i > j && !unseen);
        }
    CHECK_EQ(wrong, 0);
    vae_destroy(m);
}

/* ---- the same bits everywhere ---- */

static vae_desc recurrent_desc(void) {
    vae_desc d;
    memset(&d, 0, sizeof d);
    d.input = "7x5x3", d.posterior = "none", d.batch = 24, d.seed = 8;
    d.decoder = "image, maskconv 12 3x3 a, res(diaglstm 12), diaglstm 18 tanh, maskconv 6 1x1 b relu";
    return d;
}
/* Trains a little and draws; a hash of both. */
static uint64_t recurrent_run(vae_isa isa, int threads, int stored) {
    vae_desc d = recurrent_desc();
    float x[24 * 105];
    uint64_t hash;
    vae *m = NULL;
    int i;
    d.isa = isa, d.threads = threads;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    if (!m) return 0;
    small_images(x, 24, 105);
    for (i = 0; i < 3; i++) {
        CHECK_STATUS(vae_train_step(m, BATCH(x, 24), NULL), VAE_OK);
        if (stored && !i) { /* by a file */
            size_t size;
            unsigned char *bytes = file_of(m, 0, &size);
            vae_load_options o;
            memset(&o, 0, sizeof o);
            o.isa = isa, o.threads = threads;
            vae_destroy(m), m = NULL;
            CHECK_STATUS(vae_load_memory(bytes, size, &o, &m, NULL), VAE_OK);
            free(bytes);
            if (!m) return 0;
        }
    }
    hash = vae_params_hash(m);
    if (stored) {
        vae_load_options o;
        vae *shared = NULL;
        memset(&o, 0, sizeof o);
        o.inference = 1, o.threads = threads, o.batch = 5, o.isa = isa;
        CHECK_STATUS(vae_share(m, &o, &shared, NULL), VAE_OK);
        if (shared) CHECK_STATUS(vae_sample_prior(shared, BATCH(NULL, 24), 4, x), VAE_OK);
        vae_destroy(shared);
    } else CHECK_STATUS(vae_sample_prior(m, BATCH(NULL, 24), 4, x), VAE_OK);
    hash = vae__hash_floats(hash, x, 24 * 105);
    vae_destroy(m);
    return hash;
}

TEST(diaglstm_gives_the_same_bits_on_every_isa_and_number_of_threads) {
    static const int threads[] = {1, 2, 3, 7};
    const uint64_t want = 0xb4b9099db0bb6bf0u; /* with every compiler and on every machine */
    size_t t;
    int isa;
    for (isa = VAE_ISA_PORTABLE; isa < VAE_ISA_COUNT; isa++) {
        if (!vae_isa_available((vae_isa)isa)) continue;
        for (t = 0; t < 4; t++) {
            const uint64_t got = recurrent_run((vae_isa)isa, threads[t], (int)t & 1);
            if (got != want)
                test_report(__FILE__, __LINE__, "isa %d, %d threads: %08x%08x", isa, threads[t],
                            (unsigned)(got >> 32), (unsigned)got);
        }
    }
}

TEST(a_loss_behind_image_that_is_not_finite_is_told) {
    vae *m = recurrent_make("3x3x1", "image, maskconv 2 3x3 a, diaglstm 2", 2);
    float x[2 * 9];
    size_t i;
    double worst;
    if (!m) return;
    small_images(x, 2, 9);
    for (i = 0; i < m->parameters; i++) m->w[i] = 3e38f;
    CHECK_STATUS(vae_train_step(m, BATCH(x, 2), NULL), VAE_ERR_NONFINITE);
    CHECK(strstr(vae_last_report(m)->text, "it began at decoder.1.weight"));
    CHECK_STATUS(vae_check_gradients(m, BATCH(x, 2), 1, &worst), VAE_ERR_NONFINITE);
    vae_destroy(m);
}

TESTS(recurrent) {
    RUN(diaglstm_is_its_plain_loops_and_its_gradients_are_their_differences);
    RUN(diaglstm_gives_the_same_bits_in_pieces);
    RUN(diaglstm_probabilities_of_all_images_add_up_to_one);
    RUN(diaglstm_sees_all_earlier_pixels);
    RUN(diaglstm_gives_the_same_bits_on_every_isa_and_number_of_threads);
    RUN(a_loss_behind_image_that_is_not_finite_is_told);
}
