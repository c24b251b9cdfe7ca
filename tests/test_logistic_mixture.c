/* Likelihood logistic_mixture: its kernel against sums and plain formulas in double, gradients,
 * draws, means, and models with it, pixel by pixel too. */
#include "models.h"

enum { MIX_MOST = 32 * 15 };

typedef struct mix_case {
    size_t pixels, c, k;
} mix_case;
static size_t mix_pitch(size_t c, size_t k) { return k * (2 * c + 1 + c * (c - 1) / 2); }

/* A likelihood by itself, for images of 1 x pixels. */
static vae__density mix_density(size_t pixels, size_t c, int k) {
    vae_desc d;
    vae__shape image;
    vae__density l;
    char text[32], spelled[VAE__KIND_TEXT];
    memset(&d, 0, sizeof d);
    sprintf(text, "logistic_mixture %d", k);
    d.likelihood = text;
    image.h = 1, image.w = pixels, image.c = c, image.dim = pixels * c;
    CHECK_STATUS(vae__read_likelihood(&d, &image, &l, spelled, NULL), VAE_OK);
    l.k = vae__kernels_of(VAE_ISA_AUTO);
    return l;
}

/* Parameters of some pixels: centres from -0.2 to 1.2, log scales from -9 to 1 (some below the
 * limit), the others from -2 to 2; and levels of a byte. */
static void mix_fill(const mix_case *m, uint64_t seed, float *out, float *x) {
    const size_t pitch = mix_pitch(m->c, m->k), n = m->pixels * pitch;
    vae_stream s;
    size_t i;
    memset(&s, 0, sizeof s);
    s.purpose = VAE_PURPOSE_USER, s.seed = seed;
    vae_random_uniform(&s, 0, n, out);
    for (i = 0; i < n; i++) {
        const size_t at = i % pitch / m->k;
        out[i] = at < m->c ? 1.4f * out[i] - 0.2f : at < 2 * m->c ? 10 * out[i] - 9 : 4 * out[i] - 2;
    }
    s.seed = seed + 1000;
    vae_random_uniform(&s, 0, m->pixels * m->c, x);
    for (i = 0; i < m->pixels * m->c; i++)
        x[i] = x[i] < 0.1f ? 0 : x[i] > 0.9f ? 1 : (float)(int)(x[i] * 255) / 255;
}

/* -log p of one pixel, and its gradient. */
static double mix_naive(size_t c, size_t k, const float *out, const float *x, double *d) {
    double top = -1e300, norm = 0, share = 0, most = out[2 * c * k], t[32];
    size_t i, q, p;
    for (i = 0; i < k; i++) most = fmax(most, (double)out[2 * c * k + i]);
    for (i = 0; i < k; i++) norm += exp((double)out[2 * c * k + i] - most);
    for (i = 0; i < k; i++) {
        t[i] = (double)out[2 * c * k + i] - most - log(norm);
        for (q = 0; q < c; q++) {
            double m = (double)out[q * k + i], dm, dl;
            double *pairs = d + (2 * c + 1 + q * (q - 1) / 2) * k + i;
            const float *b = out + (2 * c + 1 + q * (q - 1) / 2) * k + i;
            for (p = 0; p < q; p++) m += tanh((double)b[p * k]) * (double)x[p];
            t[i] -= ref_logistic_from(-7 - log(2), m, (double)out[(c + q) * k + i], (double)x[q],
                                      &dm, &dl);
            d[q * k + i] = dm, d[(c + q) * k + i] = dl;
            for (p = 0; p < q; p++)
                pairs[p * k] = dm * (double)x[p] / pow(cosh((double)b[p * k]), 2);
        }
        top = fmax(top, t[i]);
    }
    for (i = 0; i < k; i++) share += exp(t[i] - top);
    for (i = 0; i < k; i++) {
        const double r = exp(t[i] - top) / share;
        for (q = 0; q < 2 * c + 1 + c * (c - 1) / 2; q++) d[q * k + i] *= r;
        d[2 * c * k + i] = exp((double)out[2 * c * k + i] - most) / norm - r;
    }
    return -top - log(share);
}

static const mix_case mix_cases[] = {{1, 1, 1}, {17, 1, 5}, {16, 3, 5}, {33, 3, 10}, {7, 2, 3},
                                     {5, 4, 32}, {40, 3, 1}, {3, 4, 2}};
enum { MIX_CASES = sizeof mix_cases / sizeof *mix_cases };

TEST(the_kernel_is_the_plain_formula_and_has_the_same_bits_on_every_isa) {
    size_t n, r, i;
    for (n = 0; n < MIX_CASES; n++) {
        const mix_case *m = &mix_cases[n];
        const size_t pitch = mix_pitch(m->c, m->k), all = m->pixels * pitch;
        float *out = (float *)malloc(2 * all * sizeof(float)), *dout = out + all, x[40 * 4];
        uint64_t want = 0;
        double sum = 0, d[MIX_MOST], off = 0;
        int isa;
        mix_fill(m, n + 1, out, x);
        for (isa = VAE_ISA_PORTABLE; isa < VAE_ISA_COUNT; isa++) {
            const vae__kernels *k = vae__kernels_of((vae_isa)isa);
            uint64_t hash;
            float value, alone;
            if (!vae_isa_available((vae_isa)isa)) continue;
            memcpy(dout, out, all * sizeof(float));
            value = k->logistics(m->pixels, m->c, m->k, dout, x, 0.5f, dout); /* in place */
            alone = k->logistics(m->pixels, m->c, m->k, out, x, 0.5f, NULL);
            CHECK(!memcmp(&value, &alone, sizeof value));
            hash = vae__hash_floats(vae__hash_floats(0, dout, all), &value, 1);
            if (isa != VAE_ISA_PORTABLE) CHECK(hash == want);
            else want = hash;
            if (isa != VAE_ISA_PORTABLE) continue;
            for (r = 0; r < m->pixels; r++) {
                sum += mix_naive(m->c, m->k, out + r * pitch, x + r * m->c, d);
                for (i = 0; i < pitch; i++) /* x - m, in float, over the scale: 1e-4 of the slope */
                    off = fmax(off, fabs((double)dout[r * pitch + i] - 0.5 * d[i]) /
                                    (1 + fabs(d[i])));
            }
            CHECK_NEAR((double)value, sum, 1e-6 * fabs(sum) + 1e-4 * (double)m->pixels);
            CHECK_NEAR(off, 0, 2e-3);
        }
        free(out);
    }
}

TEST(probabilities_of_all_levels_add_up_to_one) {
    const vae__kernels *k = vae__kernels_of(VAE_ISA_AUTO);
    const mix_case one = {1, 1, 5}, two = {1, 2, 3};
    float out[64], x[3];
    double sum;
    int seed, a, b;
    for (seed = 1; seed < 6; seed++) {
        mix_fill(&one, (uint64_t)seed, out, x);
        for (a = 0, sum = 0; a < 256; a++) {
            x[0] = (float)a / 255;
            sum += exp(-(double)k->logistics(1, 1, 5, out, x, 0, NULL));
        }
        CHECK_NEAR(sum, 1, 2e-5);
    }
    mix_fill(&two, 9, out, x);
    for (a = 0, sum = 0; a < 256; a++)
        for (b = 0; b < 256; b++) {
            x[0] = (float)a / 255, x[1] = (float)b / 255;
            sum += exp(-(double)k->logistics(1, 2, 3, out, x, 0, NULL));
        }
    CHECK_NEAR(sum, 1, 2e-5);
}

/* Summing over the third channel leaves the density of the first two: the same parameters without
 * the third's. */
TEST(the_third_channel_sums_to_one_given_the_others) {
    const vae__kernels *k = vae__kernels_of(VAE_ISA_AUTO);
    const mix_case three = {1, 3, 4};
    float out[40], two[24], x[3];
    int seed, b, i;
    for (seed = 1; seed < 20; seed++) {
        double sum = 0;
        mix_fill(&three, (uint64_t)seed, out, x);
        for (i = 0; i < 4; i++) {
            two[i] = out[i], two[4 + i] = out[4 + i];               /* centres */
            two[8 + i] = out[12 + i], two[12 + i] = out[16 + i];    /* scales */
            two[16 + i] = out[24 + i], two[20 + i] = out[28 + i];   /* logits, the pair 10 */
        }
        for (b = 0; b < 256; b++) {
            x[2] = (float)b / 255;
            sum += exp(-(double)k->logistics(1, 3, 4, out, x, 0, NULL));
        }
        CHECK_NEAR(log(sum), -(double)k->logistics(1, 2, 4, two, x, 0, NULL),
                   1e-3 - 1e-5 * log(sum));
    }
}

TEST(one_component_is_logistic_pixel) {
    enum { PIXELS = 21, C = 3 };
    const vae__kernels *k = vae__kernels_of(VAE_ISA_AUTO);
    const mix_case one = {PIXELS, C, 1};
    float out[PIXELS * 10], pair[PIXELS * 6], x[PIXELS * C], dout[PIXELS * 10], dpair[PIXELS * 6];
    float a, b;
    size_t i, j;
    mix_fill(&one, 3, out, x);
    for (i = 0; i < PIXELS; i++)
        for (j = 0; j < 10; j++) {
            if (j > 2 && j < 6 && out[i * 10 + j] < -7) out[i * 10 + j] = -6.5f;
            if (j > 6) out[i * 10 + j] = 0; /* centres that do not move */
            if (j < 6) pair[i * 6 + j] = out[i * 10 + j];
        }
    a = k->logistics(PIXELS, C, 1, out, x, 1, dout);
    b = k->density(VAE__DENSITY_LOGISTIC_PIXEL, PIXELS * C, C, pair, 0, x, 1, dpair, NULL);
    CHECK_NEAR((double)a, (double)b, 1e-6 * (double)b); /* other order of additions */
    for (i = 0; i < PIXELS; i++)
        for (j = 0; j < 6; j++) CHECK(!memcmp(dout + i * 10 + j, dpair + i * 6 + j, sizeof(float)));
}

TEST(the_ends_are_open) {
    const vae__kernels *k = vae__kernels_of(VAE_ISA_AUTO);
    float out[3] = {-5, -3, 0}, x = 0;
    CHECK_NEAR((double)k->logistics(1, 1, 1, out, &x, 0, NULL), 0, 1e-6);
    x = 1;
    CHECK((double)k->logistics(1, 1, 1, out, &x, 0, NULL) > 100);
    out[0] = 6;
    CHECK_NEAR((double)k->logistics(1, 1, 1, out, &x, 0, NULL), 0, 1e-6);
}

TEST(extreme_parameters_give_finite_values_and_gradients) {
    static const float ends[] = {-1e30f, -1e5f, -100, -8, 0, 1, 21, 100, 1e5f, 1e30f};
    const vae__density l = mix_density(1, 3, 2);
    float out[20], dout[20], x[3], y[3], u[3];
    size_t turn, i;
    for (turn = 0; turn < 3000; turn++) {
        for (i = 0; i < 20; i++) out[i] = ends[(turn * 7 + i * (turn / 10 + 1) + turn / 100) % 10];
        for (i = 0; i < 3; i++) x[i] = (float)((turn + i) % 3) / 2, u[i] = (float)((turn + i) % 2);
        for (i = 0; i < 3; i++) u[i] = u[i] > 0 ? 0.99999994f : 0;
        CHECK(vae__finite_f(l.k->logistics(1, 3, 2, out, x, 1, dout)));
        CHECK(l.k->within(20, 3e38f, dout));
        l.row->observe(&l, out, u, y);
        CHECK(l.k->in_unit(3, y));
        l.row->observe(&l, out, NULL, y);
        CHECK(l.k->in_unit(3, y));
        l.row->mode(&l, out, y);
        CHECK(l.k->in_unit(3, y));
    }
}

/* ---- draws, means, modes ---- */

TEST(draws_of_two_channels_have_the_density) {
    enum { DRAWS = 100000, CELLS = 16 };
    const vae__density l = mix_density(1, 2, 3);
    const mix_case two = {1, 2, 3};
    float out[18], x[2], *u = (float *)malloc(DRAWS * 2 * sizeof(float));
    int seed, a, b, i;
    for (seed = 1; seed < 4; seed++) {
        double want[CELLS * CELLS] = {0}, count[CELLS * CELLS] = {0}, chi = 0, rest = 0, few = 0;
        int cells = 0;
        vae_stream s;
        memset(&s, 0, sizeof s);
        s.purpose = VAE_PURPOSE_USER, s.seed = (uint64_t)(40 + seed);
        vae_random_uniform(&s, 0, DRAWS * 2, u);
        mix_fill(&two, (uint64_t)seed, out, x);
        for (a = 0; a < 256; a++)
            for (b = 0; b < 256; b++) {
                x[0] = (float)a / 255, x[1] = (float)b / 255;
                want[a / 16 * CELLS + b / 16] += DRAWS *
                    exp(-(double)l.k->logistics(1, 2, 3, out, x, 0, NULL));
            }
        for (i = 0; i < DRAWS; i++) {
            l.row->observe(&l, out, u + 2 * i, x);
            a = (int)(x[0] * 255 + 0.5f), b = (int)(x[1] * 255 + 0.5f);
            CHECK(fabs((double)x[0] * 255 - a) < 1e-4 && fabs((double)x[1] * 255 - b) < 1e-4);
            count[a / 16 * CELLS + b / 16] += 1;
        }
        for (i = 0; i < CELLS * CELLS; i++) {
            if (want[i] < 5) rest += want[i], few += count[i];
            else chi += pow(count[i] - want[i], 2) / want[i], cells++;
        }
        if (rest > 1) chi += pow(few - rest, 2) / rest;
        CHECK(cells > 20);
        CHECK(chi < cells + 5 * sqrt(2.0 * cells)); /* 5 standard deviations of chi-square */
    }
    free(u);
}

TEST(the_mean_of_one_channel_is_the_sum_over_its_levels) {
    const vae__density l = mix_density(1, 1, 5);
    const mix_case one = {1, 1, 5};
    float out[15], x, mean;
    int seed, a;
    for (seed = 1; seed < 30; seed++) {
        double sum = 0;
        mix_fill(&one, (uint64_t)seed, out, &x);
        for (a = 0; a < 256; a++) {
            x = (float)a / 255;
            sum += (double)x * exp(-(double)l.k->logistics(1, 1, 5, out, &x, 0, NULL));
        }
        l.row->observe(&l, out, NULL, &mean);
        CHECK_NEAR((double)mean, sum, 2e-5);
    }
}

TEST(the_mode_is_the_most_probable_centre) {
    const vae__density l = mix_density(1, 2, 2);
    /* the first component has the greater share, the second is sharper */
    float out[12] = {0.2f, 0.6f, 0.1f, 0.5f, -2, -6, -2, -6, 0.5f, 0, 0, 0.549306144f};
    float x[2];
    l.row->mode(&l, out, x);
    CHECK_NEAR((double)x[0], 153.0 / 255, 1e-6);
    CHECK_NEAR((double)x[1], 204.0 / 255, 1e-6); /* 0.5 + tanh(0.5493) 0.6 */
    out[5] = out[7] = -1;
    l.row->mode(&l, out, x);
    CHECK_NEAR((double)x[0], 51.0 / 255, 1e-6);
}

/* ---- models ---- */

typedef struct mix_net {
    const char *input, *encoder, *decoder, *likelihood; /* encoder NULL: posterior none */
} mix_net;
static const mix_net mix_nets[] = {
    {"7x5x3", NULL, "image, maskconv 7 3x3 a", "logistic_mixture 1"},
    {"7x5x3", NULL, "image, maskconv 8 5x5 a, gated, res(maskconv 10 3x3 b, gated, "
                    "maskconv 4 1x1 b), tanh", "logistic_mixture 3"},
    {"7x5x3", NULL, "image tanh, maskconv 20 3x3 a", "logistic_mixture 2"}, /* its head */
    {"7x5x3", "", "dense 70, reshape 7x5x2 tanh, image, maskconv 8 3x3 a tanh",
     "logistic_mixture 2"},
    {"7x5x1", "dense 9 tanh", "dense 35, reshape 7x5x1, image, maskconv 6 3x3 a, gated",
     "logistic_mixture 4"},
    {"7x5x3", "label 3, dense 8 tanh", "label 3, dense 9 tanh", "logistic_mixture 2"},
    {"8x4x3", "conv 6 4x4/2 tanh", "dense 16 tanh, reshape 4x2x2, convt 10 4x4/2",
     "logistic_mixture 1"},
    {"7x5x2", NULL, "image, maskconv 5 3x3 a tanh", "logistic_mixture 2"},
    {"3x5x4", NULL, "image, maskconv 5 3x3 a tanh", "logistic_mixture 2"},
};
enum { MIX_NETS = sizeof mix_nets / sizeof *mix_nets, MIX_ROWS = 9 };
static const int32_t mix_labels[3] = {0, 2, 1};
#define MIX_BATCH(x, rows, n) \
    BATCH(x, rows, .labels = (n) == 5 ? mix_labels : NULL, .label_count = (n) == 5 ? 3 : 0)

static vae *mix_make(size_t n, vae_desc *d) {
    vae_report r;
    vae *m = NULL;
    d->input = mix_nets[n].input, d->decoder = mix_nets[n].decoder;
    d->likelihood = mix_nets[n].likelihood;
    if (mix_nets[n].encoder) d->encoder = mix_nets[n].encoder, d->latent = 3;
    else d->posterior = "none";
    if (!d->batch) d->batch = MIX_ROWS;
    d->seed = 5;
    memset(&r, 0, sizeof r);
    if (vae_create(d, &m, &r)) test_report(__FILE__, __LINE__, "\"%s\": %s", d->decoder, r.text);
    return m;
}

TEST(arguments_and_shapes_that_cannot_be_are_refused) {
    static const struct {
        const char *input, *likelihood, *decoder, *word;
    } cases[] = {
        {"4x4x3", "logistic_mixture", "", "the number K"},
        {"4x4x3", "logistic_mixture 0", "", "the number K"},
        {"4x4x3", "logistic_mixture 33", "", "the number K must lie from 1 to 32"},
        {"4x4x3", "logistic_mixture 2 3", "", "the end"},
        {"4x4x5", "logistic_mixture 2", "", "4 channels at most"},
        {"784", "logistic_mixture 2", "", "N numbers are one pixel"},
        {"4x4x3", "logistic_mixture 2", "image", "would see the pixel"},
        {"4x4x3", "logistic_mixture 2", "image, maskconv 8 3x3 b", "mask a"},
    };
    vae_report r;
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        vae_desc d;
        vae *m = NULL;
        memset(&d, 0, sizeof d), memset(&r, 0, sizeof r);
        d.input = cases[i].input, d.likelihood = cases[i].likelihood, d.decoder = cases[i].decoder;
        CHECK(vae_create(&d, &m, &r) != VAE_OK);
        CHECK_SAYS(r, cases[i].word);
        vae_destroy(m);
    }
}

TEST(no_output_of_a_mixture_depends_on_its_own_pixel_or_a_later_one) {
    size_t n, i, j;
    for (n = 0; n < 3; n++) {
        vae_desc d;
        vae *m;
        float x[106 * 105];
        const float *y;
        size_t pitch, wrong = 0, blind = 0;
        memset(&d, 0, sizeof d);
        d.batch = 106, d.inference = (int)n & 1;
        m = mix_make(n, &d);
        if (!m) continue;
        pitch = m->outputs / 35;
        CHECK_EQ(pitch, 10 * m->likelihood.n);
        small_images(x, 1, 105);
        for (j = 0; j < 105; j++) { /* row j + 1 differs in number j */
            memcpy(x + (j + 1) * 105, x, 105 * sizeof(float));
            x[(j + 1) * 105 + j] = 1 - x[j];
        }
        CHECK_STATUS(vae_score(m, BATCH(x, 106), NULL, NULL, NULL), VAE_OK);
        y = m->ops[m->count - 1].y;
        for (j = 0; j < 105; j++) {
            size_t next = 0;
            for (i = 0; i < m->outputs; i++) {
                const int moved = memcmp(y + i, y + (j + 1) * m->outputs + i, sizeof(float)) != 0;
                wrong += moved && i / pitch <= j / 3;
                next += moved && i / pitch == j / 3 + 1;
            }
            blind += !next && (j / 3 + 1) % 5; /* the next pixel of the line sees all channels */
        }
        CHECK_EQ(wrong, 0);
        CHECK_EQ(blind, 0);
        vae_destroy(m);
    }
}

TEST(gradients_of_models_are_those_of_the_loss) {
    size_t n;
    int way;
    for (n = 0; n < MIX_NETS; n++)
        for (way = 0; way < 2; way++) {
            vae_desc d;
            float x[MIX_ROWS * 105];
            double worst = 1;
            vae *m;
            memset(&d, 0, sizeof d);
            if (way) d.samples = 3, d.objective = VAE_OBJECTIVE_IWAE;
            if (way && !mix_nets[n].encoder) continue;
            m = mix_make(n, &d);
            if (!m) continue;
            small_images(x, MIX_ROWS, m->input.dim);
            CHECK_STATUS(vae_check_gradients(m, MIX_BATCH(x, MIX_ROWS, n), 3, &worst), VAE_OK);
            if (!(worst < 1e-2))
                test_report(__FILE__, __LINE__, "%s, %d: %g", mix_nets[n].decoder, way, worst);
            vae_destroy(m);
        }
}

/* By induction over the pixels there is one image that a full pass at it draws: the one that full
 * recomputation for each pixel gives. */
TEST(drawing_whole_pixels_gives_the_bits_of_full_recomputation) {
    size_t n, i;
    for (n = 0; n < MIX_NETS; n++) {
        vae_desc d;
        float x[MIX_ROWS * 105], again[105], u[105];
        vae *m;
        size_t dim;
        memset(&d, 0, sizeof d);
        d.inference = (int)n & 1;
        m = mix_make(n, &d);
        if (!m || !m->at_image || mix_nets[n].encoder) {
            vae_destroy(m);
            continue;
        }
        dim = m->input.dim;
        CHECK_STATUS(vae_sample_prior(m, BATCH(NULL, MIX_ROWS), 21, x), VAE_OK);
        CHECK_STATUS(vae_score(m, BATCH(x, MIX_ROWS), NULL, NULL, NULL), VAE_OK);
        for (i = 0; i < MIX_ROWS; i++) {
            const vae__address at = vae__address_for(21, VAE_PURPOSE_DRAW_X, 0, (uint32_t)i, 0);
            m->k->draw(VAE__DRAW_UNIFORM, &at, 0, dim, u);
            m->likelihood.row->observe(&m->likelihood, m->ops[m->count - 1].y + i * m->outputs, u,
                                       again);
            CHECK(!memcmp(again, x + i * dim, dim * sizeof(float)));
        }
        vae_destroy(m);
    }
}

TEST(visible_bias_sets_the_centres_of_all_components) {
    vae_desc d;
    vae_tensor t;
    float mean[105];
    vae *m;
    size_t i, j;
    memset(&d, 0, sizeof d);
    m = mix_make(2, &d);
    if (!m) return;
    for (i = 0; i < 105; i++) mean[i] = 0.2f + 0.1f * (float)(i % 3);
    CHECK_STATUS(vae_set_visible_bias(m, mean), VAE_OK);
    CHECK_STATUS(vae_tensor_at(m, m->slot_count - 1, &t), VAE_OK);
    CHECK_EQ(t.count, 20);
    for (j = 0; j < 20; j++)
        CHECK_NEAR((double)t.data[j], j < 6 ? 0.2 + 0.1 * (double)(j / 2) : 0, 1e-6);
    vae_destroy(m);
}

/* Trains a little, by a file and shared where `stored`, and draws; a hash of weights and images. */
static uint64_t mix_run(size_t n, vae_isa isa, int threads, int stored) {
    vae_desc d;
    float x[24 * 105], y[24 * 105];
    uint64_t hash;
    vae *m, *loaded = NULL, *shared = NULL;
    int i;
    memset(&d, 0, sizeof d);
    d.isa = isa, d.threads = threads, d.batch = 24;
    if (n == 3) d.samples = 2, d.objective = VAE_OBJECTIVE_DREG;
    if (n == 5) d.samples = 2;
    m = mix_make(n, &d);
    if (!m) return 0;
    small_images(x, 24, m->input.dim);
    for (i = 0; i < 3; i++)
        CHECK_STATUS(vae_train_step(m, MIX_BATCH(x, 24, n), NULL), VAE_OK);
    hash = vae_params_hash(m);
    if (stored) {
        vae_load_options o;
        size_t size;
        unsigned char *bytes = file_of(m, 0, &size);
        memset(&o, 0, sizeof o);
        o.inference = 1, o.threads = threads, o.batch = 5, o.isa = isa;
        CHECK_STATUS(vae_load_memory(bytes, size, &o, &loaded, NULL), VAE_OK);
        if (loaded) CHECK_STATUS(vae_share(loaded, &o, &shared, NULL), VAE_OK);
        free(bytes);
    }
    if (shared || !stored) {
        vae *use = shared ? shared : m;
        CHECK_STATUS(vae_sample_prior(use, MIX_BATCH(NULL, 24, n), 4, y), VAE_OK);
        hash = vae__hash_floats(hash, y, 24 * m->input.dim);
    }
    vae_destroy(shared), vae_destroy(loaded), vae_destroy(m);
    return hash;
}

TEST(mixtures_train_and_draw_the_same_bits_on_every_isa_and_number_of_threads) {
    static const int nets[] = {1, 3, 5, 6};
    static const int threads[] = {1, 2, 3, 7};
    /* of the weights after 3 steps and 24 images: with every compiler and on every machine */
    static const uint64_t golden[] = {
        0xa1ed083e183065cdu, 0x8390be3f0ee3aae8u, 0x06db9d3dd4669c48u, 0xaa55a08207ccf2b6u};
    size_t n, t;
    int isa;
    for (n = 0; n < 4; n++)
        for (isa = VAE_ISA_PORTABLE; isa < VAE_ISA_COUNT; isa++)
            for (t = 0; t < 4 && vae_isa_available((vae_isa)isa); t++) {
                const uint64_t got = mix_run((size_t)nets[n], (vae_isa)isa, threads[t], (int)t & 1);
                if (got != golden[n])
                    test_report(__FILE__, __LINE__, "%s: isa %d, %d threads: %08x%08x",
                                mix_nets[nets[n]].decoder, isa, threads[t],
                                (unsigned)(got >> 32), (unsigned)got);
            }
}

TESTS(logistic_mixture) {
    RUN(the_kernel_is_the_plain_formula_and_has_the_same_bits_on_every_isa);
    RUN(probabilities_of_all_levels_add_up_to_one);
    RUN(the_third_channel_sums_to_one_given_the_others);
    RUN(one_component_is_logistic_pixel);
    RUN(the_ends_are_open);
    RUN(extreme_parameters_give_finite_values_and_gradients);
    RUN(draws_of_two_channels_have_the_density);
    RUN(the_mean_of_one_channel_is_the_sum_over_its_levels);
    RUN(the_mode_is_the_most_probable_centre);
    RUN(arguments_and_shapes_that_cannot_be_are_refused);
    RUN(no_output_of_a_mixture_depends_on_its_own_pixel_or_a_later_one);
    RUN(gradients_of_models_are_those_of_the_loss);
    RUN(drawing_whole_pixels_gives_the_bits_of_full_recomputation);
    RUN(visible_bias_sets_the_centres_of_all_components);
    RUN(mixtures_train_and_draw_the_same_bits_on_every_isa_and_number_of_threads);
}
