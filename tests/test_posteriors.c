/* Posteriors of any covariance and flows, against the same in plain loops of doubles. */
#include "models.h"

enum { POST_MAX = 12, POST_IN = 6, POST_HIDDEN = 5, POST_ROWS = 4 };

/* A network of one hidden layer on each side, and what its posterior is. */
typedef struct post_net {
    const char *posterior;
    int full, planar, iaf; /* iaf: its width */
    size_t latent, steps;
} post_net;
static const post_net post_nets[] = {
    {"normal full", 1, 0, 0, 3, 0},          {"normal, planar 3", 0, 1, 0, 3, 3},
    {"normal, iaf 7 2", 0, 0, 7, 3, 2},      {"normal full, planar 1", 1, 1, 0, 2, 1},
    {"normal full, iaf 5 3", 1, 0, 5, 2, 3}, {"normal, iaf 4 1", 0, 0, 4, 1, 1},
};
enum { POST_NETS = sizeof post_nets / sizeof *post_nets };

static vae_desc post_desc(const post_net *n) {
    vae_desc d;
    memset(&d, 0, sizeof d);
    d.input = "6", d.encoder = "dense 5 tanh", d.decoder = "dense 5 tanh", d.batch = POST_ROWS;
    d.likelihood = "gaussian 0.3", d.posterior = n->posterior, d.latent = (int)n->latent;
    d.seed = 11, d.lr = 1e-30, d.keep_gradients = 1;
    return d;
}
static vae *post_make(const vae_desc *d) {
    vae *m = NULL;
    vae_report r;
    memset(&r, 0, sizeof r);
    CHECK_STATUS(vae_create(d, &m, &r), VAE_OK);
    return m;
}
/* Biases too become random, and weights larger, so that nothing is near 0 by chance. */
static void post_stir(vae *m) {
    uint64_t state = 99;
    size_t i, j;
    vae_tensor t;
    for (i = 0; vae_tensor_at(m, i, &t) == VAE_OK; i++)
        for (j = 0; j < t.count; j++)
            if (t.rank == 1) t.data[j] = (float)ref_uniform(&state, -0.5, 0.5);
            else t.data[j] *= 1.5f;
}

/* y (out) = x (in) W + b; returns what stands behind the two in p. */
static const double *post_dense(size_t in, size_t out, const double *p, const double *x, double *y) {
    size_t i, j;
    for (j = 0; j < out; j++) {
        y[j] = p[in * out + j];
        for (i = 0; i < in; i++) y[j] += x[i] * p[i * out + j];
    }
    return p + in * out + out;
}

/* One step of a flow from z to `to` with `head`, what the head gives for the flow; p the step's
 * tensors. Returns the log of its determinant. */
static double post_step(const post_net *n, size_t step, const double *p, const double *head,
                        const double *z, double *to) {
    const size_t L = n->latent, W = (size_t)n->iaf;
    double a = 0, square = 0, v, gain, h, sum = 0, hidden[16], ma[2 * POST_MAX];
    size_t i, j;
    if (n->planar) {
        const double *u = head + (n->steps - 1 - step) * (2 * L + 1), *w = u + L;
        for (j = 0, v = w[L]; j < L; j++) a += w[j] * u[j], square += w[j] * w[j], v += w[j] * z[j];
        gain = (log1p((exp(1) - 1) * exp(a)) - 1 - a) / square, h = tanh(v);
        for (j = 0; j < L; j++) to[j] = z[j] + (u[j] + gain * w[j]) * h;
        CHECK(a + gain * square > -1);
        return log(1 + (1 - h * h) * (a + gain * square));
    }
    p = post_dense(L, W, p, z, hidden);
    for (i = 0; i < W; i++) hidden[i] = ref_act(VAE_ACT_ELU, hidden[i] + head[i]);
    post_dense(W, 2 * L, p, hidden, ma);
    for (j = 0; j < L; j++) {
        const double s = ref_sigmoid(ma[L + j] + 1.5);
        to[j] = s * z[j] + (1 - s) * ma[j];
        sum += log(s);
    }
    return sum;
}

/* The head of image x, and the first parameter behind the encoder. */
static const double *post_head(const post_net *n, size_t head, const double *p, const double *x,
                               double *out) {
    double hidden[POST_HIDDEN];
    size_t i;
    (void)n;
    p = post_dense(POST_IN, POST_HIDDEN, p, x, hidden);
    for (i = 0; i < POST_HIDDEN; i++) hidden[i] = tanh(hidden[i]);
    return post_dense(POST_HIDDEN, head, p, hidden, out);
}
static size_t post_heads(const post_net *n) { /* numbers of it, without what is for the flow */
    return n->full ? n->latent + n->latent * (n->latent + 1) / 2 : 2 * n->latent;
}
static size_t post_all(const post_net *n) {
    return post_heads(n) + (n->planar ? n->steps * (2 * n->latent + 1) : (size_t)n->iaf);
}
/* Entry j, k of L, z = mu + L eps. */
static double post_lower(const post_net *n, const double *head, size_t j, size_t k) {
    const size_t L = n->latent;
    size_t at = 2 * L, c;
    if (j == k) return exp(head[L + j] / 2);
    if (k > j || !n->full) return 0;
    for (c = 0; c < k; c++) at += L - 1 - c;
    return head[at + j - k - 1];
}

/* One draw in doubles: z, log q(z|x), recon. `frozen`: log q is that of this head at z, for dreg. */
typedef struct post_draw {
    double z[POST_MAX], base[POST_MAX], logq, logp, recon;
} post_draw;
static post_draw post_run(const post_net *n, const double *params, const double *x,
                          const double *eps, const double *frozen) {
    const size_t L = n->latent, all = post_all(n);
    double head[64], hidden[POST_HIDDEN], mean[POST_IN], left[POST_MAX];
    const double *p = post_head(n, all, params, x, head);
    post_draw d;
    size_t j, k, s;
    memset(&d, 0, sizeof d);
    for (j = 0; j < L; j++) {
        d.z[j] = head[j];
        for (k = 0; k <= j; k++) d.z[j] += post_lower(n, head, j, k) * eps[k];
    }
    memcpy(d.base, d.z, sizeof d.z);
    for (j = 0; j < L; j++) { /* eps of z under a head */
        const double *of = frozen ? frozen : head;
        left[j] = d.z[j] - of[j];
        for (k = 0; k < j; k++) left[j] -= post_lower(n, of, j, k) * left[k];
        left[j] /= post_lower(n, of, j, j);
        d.logq -= 0.5 * (left[j] * left[j] + of[L + j] + log(2 * acos(-1)));
    }
    for (s = 0; s < n->steps; s++) {
        double to[POST_MAX];
        d.logq -= post_step(n, s, p, head + post_heads(n), d.z, to);
        if (n->iaf) p += (L + 1 + 2 * L) * (size_t)n->iaf + 2 * L;
        memcpy(d.z, to, L * sizeof *to);
    }
    for (j = 0; j < L; j++) d.logp -= 0.5 * (d.z[j] * d.z[j] + log(2 * acos(-1)));
    p = post_dense(L, POST_HIDDEN, p, d.z, hidden);
    for (j = 0; j < POST_HIDDEN; j++) hidden[j] = tanh(hidden[j]);
    post_dense(POST_HIDDEN, POST_IN, p, hidden, mean);
    for (j = 0; j < POST_IN; j++)
        d.recon += 0.5 * ((x[j] - mean[j]) * (x[j] - mean[j]) / 0.3 + log(2 * acos(-1) * 0.3));
    return d;
}
/* KL(N(mu, L L') || N(0, I)). */
static double post_kl(const post_net *n, const double *head) {
    const size_t L = n->latent;
    double kl = 0;
    size_t j, k;
    for (j = 0; j < L; j++) {
        kl += 0.5 * (head[j] * head[j] - 1 - head[L + j]);
        for (k = 0; k <= j; k++) kl += 0.5 * pow(post_lower(n, head, j, k), 2);
    }
    return kl;
}
/* The loss of a batch, beta 0.7, k draws of each image. */
static double post_loss(const post_net *n, const double *p, const double *x, const double *eps,
                        size_t k, int iwae) {
    const size_t L = n->latent;
    double loss = 0, w[8], top;
    size_t i, s;
    for (i = 0; i < POST_ROWS; i++) {
        double head[64], sum = 0;
        for (s = 0; s < k; s++) {
            const post_draw d = post_run(n, p, x + i * POST_IN, eps + (i * k + s) * L, NULL);
            w[s] = -(d.recon + 0.7 * (d.logq - d.logp));
            sum += d.recon + (n->steps ? 0.7 * (d.logq - d.logp) : 0);
        }
        if (!iwae) {
            loss += sum / (double)k;
            post_head(n, post_all(n), p, x + i * POST_IN, head);
            if (!n->steps) loss += 0.7 * post_kl(n, head);
            continue;
        }
        for (s = 0, top = w[0], sum = 0; s < k; s++) top = w[s] > top ? w[s] : top;
        for (s = 0; s < k; s++) sum += exp(w[s] - top);
        loss -= top + log(sum / (double)k);
    }
    return loss / POST_ROWS;
}

/* ---- gradients ---- */

/* A step of a model with the noise eps, its parameters and gradients as doubles. */
static void post_gradients(const vae_desc *desc, const float *x, const float *eps, double *p,
                           double *g, size_t *count, vae_stats *stats) {
    vae_batch b;
    vae_tensor t;
    vae *m = post_make(desc);
    size_t i, j;
    post_stir(m);
    memset(&b, 0, sizeof b);
    b.x = x, b.rows = POST_ROWS, b.eps = eps;
    for (i = *count = 0; vae_tensor_at(m, i, &t) == VAE_OK; i++)
        for (j = 0; j < t.count; j++) p[(*count)++] = (double)t.data[j];
    CHECK_STATUS(vae_train_step(m, &b, stats), VAE_OK);
    for (i = *count = 0; vae_tensor_at(m, i, &t) == VAE_OK; i++)
        for (j = 0; j < t.count; j++) g[(*count)++] = (double)t.grad[j];
    vae_destroy(m);
}
TEST(gradients_of_posteriors_are_slopes_of_the_loss_in_doubles) {
    enum { K = 3 };
    float x[POST_ROWS * POST_IN], eps[POST_ROWS * K * POST_MAX];
    double xd[POST_ROWS * POST_IN], ed[POST_ROWS * K * POST_MAX];
    static double p[2000], g[2000];
    uint64_t state = 5;
    size_t net, i, count;
    int way;
    ref_fill_uniform(&state, x, POST_ROWS * POST_IN, 0, 1);
    ref_fill_normal(&state, eps, POST_ROWS * K * POST_MAX, 1);
    for (i = 0; i < POST_ROWS * POST_IN; i++) xd[i] = (double)x[i];
    for (i = 0; i < POST_ROWS * K * POST_MAX; i++) ed[i] = (double)eps[i];
    for (net = 0; net < POST_NETS; net++)
        for (way = 0; way < 3; way++) { /* one draw, K draws, K weighed draws */
            const post_net *n = &post_nets[net];
            const size_t k = way ? K : 1;
            vae_desc d = post_desc(n);
            vae_stats s;
            double largest = 0;
            d.samples = (int)k, d.beta = 0.7;
            if (way == 2) d.objective = VAE_OBJECTIVE_IWAE;
            post_gradients(&d, x, eps, p, g, &count, &s);
            CHECK_NEAR(s.loss, post_loss(n, p, xd, ed, k, way == 2), 3e-6 * (1 + fabs(s.loss)));
            for (i = 0; i < count; i++) largest = fabs(g[i]) > largest ? fabs(g[i]) : largest;
            for (i = 0; i < count; i++) {
                const double keep = p[i], h = 1e-5;
                double slope;
                if (n->iaf && !(keep < 0 || keep > 0)) { /* masked: it has no gradient */
                    CHECK(!(g[i] < 0 || g[i] > 0));
                    continue;
                }
                p[i] = keep + h, slope = post_loss(n, p, xd, ed, k, way == 2);
                p[i] = keep - h, slope -= post_loss(n, p, xd, ed, k, way == 2);
                p[i] = keep;
                CHECK_NEAR(g[i], slope / (2 * h), 1e-5 * (1 + largest));
            }
        }
}

/* The doubly reparameterised gradient: weights squared, q's density held fast (Tucker et al. 2019,
 * equation 8). The decoder's gradient is that of iwae. */
TEST(dreg_of_any_covariance_is_that_of_the_formula) {
    enum { K = 3 };
    const post_net *n = &post_nets[0];
    float x[POST_ROWS * POST_IN], eps[POST_ROWS * K * POST_MAX];
    static double p[2000], g[2000];
    double want, h = 1e-5;
    vae_desc d = post_desc(n);
    vae_stats s;
    uint64_t state = 6;
    size_t i, j, r, count, side;
    const size_t encoder = POST_IN * POST_HIDDEN + POST_HIDDEN + (POST_HIDDEN + 1) * post_all(n);
    ref_fill_uniform(&state, x, POST_ROWS * POST_IN, 0, 1);
    ref_fill_normal(&state, eps, POST_ROWS * K * POST_MAX, 1);
    d.samples = K, d.objective = VAE_OBJECTIVE_DREG;
    post_gradients(&d, x, eps, p, g, &count, &s);
    for (i = 0; i < encoder; i++) {
        for (want = 0, r = 0; r < POST_ROWS; r++) {
            double xd[POST_IN], ed[POST_MAX], frozen[64], w[K], at[K][2], top, sum = 0;
            for (j = 0; j < POST_IN; j++) xd[j] = (double)x[r * POST_IN + j];
            post_head(n, post_all(n), p, xd, frozen);
            for (j = 0; j < K; j++) {
                size_t l;
                post_draw o;
                for (l = 0; l < 3; l++) ed[l] = (double)eps[(r * K + j) * 3 + l];
                o = post_run(n, p, xd, ed, NULL);
                w[j] = -(o.recon + o.logq - o.logp);
                for (side = 0; side < 2; side++) {
                    const double keep = p[i];
                    p[i] = side ? keep - h : keep + h;
                    o = post_run(n, p, xd, ed, frozen);
                    p[i] = keep;
                    at[j][side] = o.recon + o.logq - o.logp;
                }
            }
            for (j = 0, top = w[0]; j < K; j++) top = w[j] > top ? w[j] : top;
            for (j = 0; j < K; j++) sum += exp(w[j] - top);
            for (j = 0; j < K; j++)
                want += pow(exp(w[j] - top) / sum, 2) * (at[j][0] - at[j][1]) / (2 * h) / POST_ROWS;
        }
        CHECK_NEAR(g[i], want, 2e-5 * (1 + fabs(want)));
    }
}

/* ---- densities ---- */

/* z of row 0 and log q there, the noise given. */
static void post_at(vae *m, const float *x, const float *eps, float *z, double *logq) {
    const size_t L = m->code.latent;
    vae_batch b;
    float kl, elbo, recon, bound;
    size_t j;
    memset(&b, 0, sizeof b);
    b.x = x, b.rows = 1, b.eps = eps;
    CHECK_STATUS(vae_posterior(m, &b, z), VAE_OK);
    CHECK_STATUS(vae_score(m, &b, &elbo, &recon, &kl), VAE_OK);
    CHECK_STATUS(vae_bound(m, &b, 1, &bound), VAE_OK);
    *logq = -(double)bound - (double)recon; /* log q - log p */
    if (m->code.flow) CHECK_NEAR(*logq, (double)kl, 2e-5); /* one draw is its KL */
    for (j = 0; j < L; j++)
        *logq -= 0.5 * ((double)z[j] * (double)z[j] + log(2 * acos(-1)));
}
/* The density at z, times what the map from eps to z makes of an area, is the normal density at eps:
 * log q has the log of that determinant right at every place. Summed over a grid it is 1. */
TEST(densities_of_posteriors_integrate_to_one) {
    static const char *const list[] = {"normal", "normal full", "normal, planar 4", "normal, iaf 9 2",
                                       "normal full, iaf 6 3"};
    const double step = 0.5, h = 4e-3;
    size_t i;
    for (i = 0; i < sizeof list / sizeof *list; i++) {
        post_net n = {NULL, 0, 0, 0, 2, 0};
        vae_desc d;
        float x[POST_IN], z[2];
        vae *m;
        double sum = 0, logq, e[2];
        uint64_t state = 8 + i;
        n.posterior = list[i];
        d = post_desc(&n);
        m = post_make(&d);
        post_stir(m);
        ref_fill_uniform(&state, x, POST_IN, 0, 1);
        for (e[0] = -4; e[0] <= 4; e[0] += step)
            for (e[1] = -4; e[1] <= 4; e[1] += step) {
                const double normal = exp(-0.5 * (e[0] * e[0] + e[1] * e[1])) / (2 * acos(-1));
                double jacobian[2][2];
                int j;
                float eps[2];
                for (j = 0; j < 2; j++) {
                    float a[2], b[2];
                    eps[0] = (float)e[0], eps[1] = (float)e[1];
                    eps[j] = (float)(e[j] + h);
                    post_at(m, x, eps, a, &logq);
                    eps[j] = (float)(e[j] - h);
                    post_at(m, x, eps, b, &logq);
                    jacobian[j][0] = (double)(a[0] - b[0]) / (2 * h);
                    jacobian[j][1] = (double)(a[1] - b[1]) / (2 * h);
                }
                eps[0] = (float)e[0], eps[1] = (float)e[1];
                post_at(m, x, eps, z, &logq);
                logq = exp(logq) * fabs(jacobian[0][0] * jacobian[1][1] -
                                        jacobian[0][1] * jacobian[1][0]);
                CHECK_NEAR(logq, normal, 2e-2 * normal + 1e-9); /* differences of floats */
                sum += logq * step * step;
            }
        CHECK_NEAR(sum, 1, 1e-3);
        vae_destroy(m);
    }
}
/* The draws that vae_score makes have the mean log q - log p of a sum over a grid; with a covariance
 * the KL in closed form has it too. */
TEST(draws_of_posteriors_have_the_kl_of_their_density) {
    static const char *const list[] = {"normal full", "normal, planar 2", "normal, iaf 9 2"};
    enum { DRAWS = 4000 };
    static float xs[DRAWS * POST_IN], kls[DRAWS], bounds[DRAWS], recons[DRAWS];
    size_t i, j;
    for (i = 0; i < 3; i++) {
        post_net n = {NULL, 0, 0, 0, 2, 0};
        const double step = 0.25;
        vae_desc d;
        double e[2], sum = 0, mean = 0, square = 0, error;
        float z[2], eps[2];
        uint64_t state = 18 + i;
        vae *m;
        n.posterior = list[i];
        d = post_desc(&n);
        m = post_make(&d);
        post_stir(m);
        ref_fill_uniform(&state, xs, POST_IN, 0, 1);
        for (j = 1; j < DRAWS; j++) memcpy(xs + j * POST_IN, xs, POST_IN * sizeof *xs);
        for (e[0] = -5; e[0] <= 5; e[0] += step)
            for (e[1] = -5; e[1] <= 5; e[1] += step) {
                const double normal = exp(-0.5 * (e[0] * e[0] + e[1] * e[1])) / (2 * acos(-1));
                double logq;
                eps[0] = (float)e[0], eps[1] = (float)e[1];
                post_at(m, xs, eps, z, &logq);
                logq += 0.5 * (double)(z[0] * z[0] + z[1] * z[1]) + log(2 * acos(-1));
                sum += normal * logq * step * step;
            }
        CHECK_STATUS(vae_score(m, BATCH(xs, DRAWS), NULL, recons, kls), VAE_OK);
        CHECK_STATUS(vae_bound(m, BATCH(xs, DRAWS), 1, bounds), VAE_OK);
        for (j = 0; j < DRAWS; j++) { /* of the same draws */
            const double one = -(double)bounds[j] - (double)recons[j];
            if (i) CHECK_NEAR((double)kls[j], one, 1e-4);
            else CHECK_NEAR((double)kls[j], sum, 1e-5);
            mean += one / DRAWS, square += one * one / DRAWS;
        }
        error = sqrt((square - mean * mean) / DRAWS);
        CHECK_NEAR(mean, sum, 4 * error);
        CHECK(error < 0.05);
        vae_destroy(m);
    }
}

/* Solved latent by latent, in their order, each from those before it alone: what stands for the
 * others has no influence. */
TEST(autoregressive_flows_are_undone_by_their_inverse) {
    const post_net n = {"normal, iaf 13 3", 0, 0, 13, 5, 3};
    vae_desc d = post_desc(&n);
    vae *m = post_make(&d);
    float x[POST_IN], eps[5], z[5];
    double p[3000], xd[POST_IN], ed[5], head[64], at[5], from[5], to[5];
    const double *w;
    uint64_t state = 3;
    vae_batch b;
    vae_tensor t;
    post_draw o;
    size_t i, j, s, count = 0;
    post_stir(m);
    ref_fill_uniform(&state, x, POST_IN, 0, 1);
    ref_fill_normal(&state, eps, 5, 1);
    for (i = 0; vae_tensor_at(m, i, &t) == VAE_OK; i++)
        for (j = 0; j < t.count; j++) p[count++] = (double)t.data[j];
    for (i = 0; i < POST_IN; i++) xd[i] = (double)x[i];
    for (i = 0; i < 5; i++) ed[i] = (double)eps[i];
    memset(&b, 0, sizeof b);
    b.x = x, b.rows = 1, b.eps = eps;
    CHECK_STATUS(vae_posterior(m, &b, z), VAE_OK);
    o = post_run(&n, p, xd, ed, NULL);
    w = post_head(&n, post_all(&n), p, xd, head);
    for (i = 0; i < 5; i++) CHECK_NEAR((double)z[i], o.z[i], 1e-5);
    for (i = 0; i < 5; i++) to[i] = (double)z[i];
    for (s = 3; s--;) {
        const double *step = w + s * ((5 + 1 + 10) * 13 + 10);
        for (i = 0; i < 5; i++) from[i] = 50; /* anything */
        for (i = 0; i < 5; i++) {
            const size_t l = s & 1 ? 4 - i : i;
            double high;
            from[l] = 0;
            post_step(&n, s, step, head + 10, from, at);
            high = at[l]; /* (1 - s) m */
            from[l] = 1;
            post_step(&n, s, step, head + 10, from, at);
            from[l] = (to[l] - high) / (at[l] - high);
        }
        memcpy(to, from, sizeof to);
    }
    for (i = 0; i < 5; i++) CHECK_NEAR(to[i], o.base[i], 1e-4);
    vae_destroy(m);
}

/* ---- nothing added is normal ---- */

/* Copies the weights of a model `normal` into one that has more columns in its head, or tensors of
 * a flow, which become 0. */
static void post_copy(vae *from, vae *to) {
    vae_tensor a, b;
    size_t i, j, r;
    for (j = 0; vae_tensor_at(to, j, &b) == VAE_OK; j++) {
        memset(b.data, 0, b.count * sizeof(float));
        for (i = 0; vae_tensor_at(from, i, &a) == VAE_OK; i++) {
            const size_t wide = a.shape[a.rank - 1], more = b.shape[b.rank - 1];
            if (strcmp(a.name, b.name)) continue;
            for (r = 0; r < a.count / wide; r++)
                memcpy(b.data + r * more, a.data + r * wide, wide * sizeof(float));
        }
    }
}
TEST(covariances_of_zero_and_flows_that_do_nothing_are_normal) {
    static const char *const list[] = {"normal full", "normal, planar 3", "normal, iaf 7 2"};
    enum { ROWS = 9, L = 3 };
    float x[ROWS * POST_IN], z[2][ROWS * L], mu[2][ROWS * L], lv[2][ROWS * L], bound[2][ROWS];
    float elbo[2][ROWS], recon[2][ROWS], kl[2][ROWS];
    const post_net n = {"normal", 0, 0, 0, L, 0};
    vae_desc d = post_desc(&n);
    vae *plain = post_make(&d), *m;
    uint64_t state = 12;
    size_t i, j;
    post_stir(plain);
    ref_fill_uniform(&state, x, ROWS * POST_IN, 0, 1);
    for (i = 0; i < 3; i++) {
        int k;
        d.posterior = list[i];
        m = post_make(&d);
        post_copy(plain, m);
        for (j = 0; i == 2 && j < 2; j++) { /* s becomes 1 */
            vae_tensor t;
            size_t at = 0;
            char name[40];
            snprintf(name, sizeof name, "posterior.%d.out_bias", (int)j);
            while (vae_tensor_at(m, at, &t) == VAE_OK && strcmp(t.name, name)) at++;
            for (at = 0; at < L; at++) t.data[L + at] = 30;
        }
        for (k = 0; k < 2; k++) {
            vae *one = k ? m : plain;
            CHECK_STATUS(vae_encode(one, BATCH(x, ROWS), mu[k], lv[k]), VAE_OK);
            CHECK_STATUS(vae_posterior(one, BATCH(x, ROWS), z[k]), VAE_OK);
            CHECK_STATUS(vae_score(one, BATCH(x, ROWS), elbo[k], recon[k], kl[k]), VAE_OK);
            CHECK_STATUS(vae_bound(one, BATCH(x, ROWS), 20, bound[k]), VAE_OK);
        }
        CHECK(!memcmp(z[0], z[1], sizeof z[0]) && !memcmp(mu[0], mu[1], sizeof mu[0]));
        CHECK(!memcmp(lv[0], lv[1], sizeof lv[0]) && !memcmp(recon[0], recon[1], sizeof recon[0]));
        for (j = 0; j < ROWS; j++) {
            CHECK_NEAR((double)bound[0][j], (double)bound[1][j], 1e-5); /* roundings of log q */
            if (i == 0) CHECK(elbo[0][j] == elbo[1][j] && kl[0][j] == kl[1][j]);
        }
        vae_destroy(m);
    }
    vae_destroy(plain);
}

/* ---- a linear decoder: the posterior is known ---- */

/* Lower Cholesky factor of a (n, n), in place. */
static void post_cholesky(size_t n, double *a) {
    size_t i, j, k;
    for (j = 0; j < n; j++)
        for (i = 0; i < n; i++) {
            for (k = 0; k < j && i >= j; k++) a[i * n + j] -= a[i * n + k] * a[j * n + k];
            if (i == j) a[i * n + j] = sqrt(a[i * n + j]);
            else a[i * n + j] = i > j ? a[i * n + j] / a[j * n + j] : 0;
        }
}
/* a (n, n) to its inverse, by elimination. */
static void post_invert(size_t n, double *a, double *out) {
    size_t i, j, k;
    for (i = 0; i < n * n; i++) out[i] = i % (n + 1) == 0;
    for (k = 0; k < n; k++) {
        const double pivot = a[k * n + k];
        for (j = 0; j < n; j++) a[k * n + j] /= pivot, out[k * n + j] /= pivot;
        for (i = 0; i < n; i++) {
            const double factor = a[i * n + k];
            for (j = 0; j < n && i != k; j++)
                a[i * n + j] -= factor * a[k * n + j], out[i * n + j] -= factor * out[k * n + j];
        }
    }
}
TEST(any_covariance_closes_the_gap_of_a_linear_decoder) {
    enum { D = 6, L = 3, ROWS = 5 };
    const double noise = 0.3;
    double w[L][D], c[D], s[L * L], precision[L * L], cov[L * L], x[ROWS][D], total[D * D];
    double gap[2];
    float xf[ROWS * D];
    uint64_t state = 21;
    size_t i, j, k, r;
    int way;
    for (i = 0; i < L; i++)
        for (j = 0; j < D; j++) w[i][j] = (double)(float)ref_normal(&state);
    for (j = 0; j < D; j++) w[1][j] = (double)(float)(w[1][j] + w[0][j]); /* correlated */
    for (j = 0; j < D; j++) c[j] = (double)(float)ref_normal(&state);
    for (i = 0; i < ROWS * D; i++) xf[i] = (float)(ref_normal(&state) * 1.5);
    for (i = 0; i < ROWS * D; i++) x[i / D][i % D] = (double)xf[i];
    for (i = 0; i < L * L; i++) {
        precision[i] = i % (L + 1) == 0;
        for (j = 0; j < D; j++) precision[i] += w[i / L][j] * w[i % L][j] / noise;
        s[i] = precision[i];
    }
    post_invert(L, s, cov);
    for (way = 0; way < 2; way++) {
        double factor[L * L], elbo = 0, exact = 0;
        vae_desc d;
        vae_tensor t[4];
        vae_batch b;
        vae *m;
        memset(&d, 0, sizeof d);
        d.input = "6", d.encoder = d.decoder = "", d.latent = L, d.likelihood = "gaussian 0.3";
        d.posterior = way ? "normal full" : "normal", d.batch = ROWS;
        m = post_make(&d);
        for (i = 0; i < 4; i++) {
            CHECK_STATUS(vae_tensor_at(m, i, &t[i]), VAE_OK);
            memset(t[i].data, 0, t[i].count * sizeof(float));
        }
        memcpy(factor, cov, sizeof cov);
        post_cholesky(L, factor);
        for (i = 0; i < D; i++) /* mu = cov w (x - c) / noise */
            for (j = 0; j < L; j++) {
                double v = 0;
                for (k = 0; k < L; k++) v += cov[j * L + k] * w[k][i] / noise;
                t[0].data[i * t[0].shape[1] + j] = (float)v;
            }
        for (j = 0; j < L; j++) {
            double v = 0;
            for (i = 0; i < D; i++)
                for (k = 0; k < L; k++) v -= cov[j * L + k] * w[k][i] * c[i] / noise;
            t[1].data[j] = (float)v;
            t[1].data[L + j] = (float)(way ? 2 * log(factor[j * L + j]) : -log(precision[j * L + j]));
        }
        for (k = 0, r = 2 * L; way && k < L; k++)
            for (j = k + 1; j < L; j++) t[1].data[r++] = (float)factor[j * L + k];
        for (i = 0; i < L * D; i++) t[2].data[i] = (float)w[i / D][i % D];
        for (i = 0; i < D; i++) t[3].data[i] = (float)c[i];
        memset(&b, 0, sizeof b);
        b.x = xf, b.rows = ROWS;
        for (k = 0; k < 2 * L; k++) { /* recon is a square of eps: these points give its mean */
            float eps[ROWS * L], got[ROWS];
            for (i = 0; i < ROWS * L; i++)
                eps[i] = i % L == k / 2 ? (float)(k % 2 ? -sqrt(L) : sqrt(L)) : 0;
            b.eps = eps;
            CHECK_STATUS(vae_score(m, &b, got, NULL, NULL), VAE_OK);
            for (r = 0; r < ROWS; r++) elbo += (double)got[r] / (2 * L * ROWS);
        }
        for (r = 0; r < ROWS; r++) { /* log N(x; c, w' w + noise) */
            double v[D], one = 0;
            for (i = 0; i < D * D; i++) {
                total[i] = i % (D + 1) == 0 ? noise : 0;
                for (k = 0; k < L; k++) total[i] += w[k][i / D] * w[k][i % D];
            }
            post_cholesky(D, total);
            for (i = 0; i < D; i++) {
                v[i] = x[r][i] - c[i];
                for (k = 0; k < i; k++) v[i] -= total[i * D + k] * v[k];
                v[i] /= total[i * D + i];
                one -= 0.5 * (v[i] * v[i] + log(2 * acos(-1))) + log(total[i * D + i]);
            }
            exact += one / ROWS;
        }
        gap[way] = exact - elbo;
        vae_destroy(m);
    }
    CHECK(gap[0] > 0.2);
    CHECK_NEAR(gap[1], 0, 1e-3);
}

/* ---- the rest of a model ---- */

/* Trained, stored in the middle, used: the same bits for each instruction set, any threads, one draw
 * or several, from a file, shared. */
TEST(posteriors_have_the_same_bits_everywhere) {
    enum { ROWS = 21 };
    static const char *const list[] = {"normal full", "normal, planar 2", "normal, iaf 17 2",
                                       "normal softplus code tanh, iaf 9 3", "normal full, planar 3"};
    float x[ROWS * 30], score[2][ROWS], bound[2][ROWS], z[2][ROWS * 9], mu[2][ROWS * 9];
    int32_t labels[ROWS];
    size_t i, r;
    small_images(x, ROWS, 30);
    for (r = 0; r < ROWS; r++) labels[r] = (int32_t)(r % 3);
    for (i = 0; i < sizeof list / sizeof *list; i++) {
        const vae__kernels *k = NULL;
        uint64_t want = 0;
        int first = 1, way;
        while ((k = ref_next_isa(k)) != NULL)
            for (way = 0; way < 3; way++) {
                vae_desc d = small_desc();
                vae_load_options o;
                vae_batch b;
                vae *m, *twin = NULL;
                unsigned char *bytes;
                size_t size;
                int step;
                d.posterior = list[i], d.isa = k->isa, d.threads = way ? 3 : 1, d.batch = ROWS;
                d.encoder = "label 3, dense 12 tanh", d.decoder = "label 3, dense 9 relu";
                d.latent = 9, d.samples = 2, d.ema = 0.9;
                d.objective = i & 1 ? VAE_OBJECTIVE_IWAE : VAE_OBJECTIVE_ELBO;
                m = post_make(&d);
                memset(&b, 0, sizeof b), memset(&o, 0, sizeof o);
                b.x = x, b.rows = ROWS, b.labels = labels, b.label_count = ROWS;
                for (step = 0; step < 4; step++) {
                    CHECK_STATUS(vae_train_step(m, &b, NULL), VAE_OK);
                    if (way != 2 || step != 1) continue;
                    bytes = file_of(m, 0, &size);
                    vae_destroy(m);
                    o.isa = k->isa, m = NULL;
                    CHECK_STATUS(vae_load_memory(bytes, size, &o, &m, NULL), VAE_OK);
                    free(bytes);
                }
                if (first) want = vae_params_hash(m);
                CHECK(vae_params_hash(m) == want);
                o.batch = way ? 5 : 0, o.threads = way, o.isa = k->isa;
                CHECK_STATUS(vae_share(m, &o, &twin, NULL), VAE_OK);
                CHECK_STATUS(vae_score(twin, &b, score[!first], NULL, NULL), VAE_OK);
                CHECK_STATUS(vae_bound(way ? twin : m, &b, 30, bound[!first]), VAE_OK);
                CHECK_STATUS(vae_posterior(twin, &b, z[!first]), VAE_OK);
                CHECK_STATUS(vae_encode(way ? m : twin, &b, mu[!first], NULL), VAE_OK);
                CHECK(first || (!memcmp(score[0], score[1], sizeof score[0]) &&
                                !memcmp(bound[0], bound[1], sizeof bound[0]) &&
                                !memcmp(z[0], z[1], sizeof z[0]) &&
                                !memcmp(mu[0], mu[1], sizeof mu[0])));
                first = 0;
                vae_destroy(twin);
                vae_destroy(m);
            }
    }
}

/* The code of vae_encode is the draw without noise, and what is decoded for vae_reconstruct. */
TEST(means_of_flows_pass_through_the_flow) {
    enum { ROWS = 11, L = 3 };
    static const char *const list[] = {"normal full", "normal, planar 2", "normal, iaf 6 2"};
    float x[ROWS * 30] = {0}, mu[ROWS * L], z[ROWS * L], eps[ROWS * L], a[ROWS * 30], b[ROWS * 30];
    size_t i;
    small_images(x, ROWS, 30);
    memset(eps, 0, sizeof eps);
    for (i = 0; i < 3; i++) {
        vae_desc d = small_desc();
        vae_data data = float_data(x, ROWS, 30);
        vae_batch batch;
        double kl[L], variance[L];
        vae_info info;
        vae *m;
        d.posterior = list[i];
        m = trained_model(&d);
        vae_get_info(m, &info);
        CHECK_EQ(info.code, L);
        CHECK_EQ(info.eps, L);
        CHECK_EQ(info.head, i == 0 ? 3 + 6 : i == 1 ? 6 + 2 * 7 : 6 + 6);
        memset(&batch, 0, sizeof batch);
        batch.x = x, batch.rows = ROWS, batch.eps = eps;
        CHECK_STATUS(vae_encode(m, BATCH(x, ROWS), mu, NULL), VAE_OK);
        CHECK_STATUS(vae_posterior(m, &batch, z), VAE_OK);
        CHECK(!memcmp(mu, z, sizeof mu));
        CHECK_STATUS(vae_reconstruct(m, BATCH(x, ROWS), a), VAE_OK);
        CHECK_STATUS(vae_decode(m, BATCH(mu, ROWS), b), VAE_OK);
        CHECK(!memcmp(a, b, sizeof a));
        CHECK_STATUS(vae_units(m, &data, kl, NULL), i ? VAE_ERR_STATE : VAE_OK);
        CHECK_STATUS(vae_units(m, &data, NULL, variance), VAE_OK);
        {
            double mean = 0, spread = 0;
            size_t r;
            for (r = 0; r < ROWS; r++) mean += (double)mu[r * L] / ROWS;
            for (r = 0; r < ROWS; r++) spread += pow((double)mu[r * L] - mean, 2) / ROWS;
            CHECK_NEAR(variance[0], spread, 1e-9);
        }
        vae_destroy(m);
    }
}
TEST(kl_of_any_covariance_is_the_sum_of_its_latents) {
    enum { ROWS = 13, L = 3 };
    float x[ROWS * 30] = {0};
    vae_desc d = small_desc();
    vae_data data = float_data(x, ROWS, 30);
    double kl[L];
    vae_stats s;
    vae *m;
    small_images(x, ROWS, 30);
    d.posterior = "normal full", d.free_bits = 0.02;
    m = trained_model(&d);
    CHECK_STATUS(vae_units(m, &data, kl, NULL), VAE_OK);
    CHECK_STATUS(vae_evaluate(m, &data, &s), VAE_OK);
    CHECK_NEAR(kl[0] + kl[1] + kl[2], s.kl, 1e-6);
    CHECK(kl[0] >= 0 && kl[1] >= 0 && kl[2] >= 0);
    vae_destroy(m);
}

TEST(posteriors_that_cannot_be_are_refused_with_the_reason) {
    static const struct {
        const char *posterior, *says;
        int what; /* 1 dreg, 2 free bits, 3 no_noise, 4: 65 latents */
        vae_status status;
    } list[] = {
        {"normal full", "at most 64 latents", 4, VAE_ERR_VALUE},
        {"normal, iaf 8 2", "dreg is not derived for posterior normal, iaf 8 2", 1, VAE_ERR_VALUE},
        {"normal, planar 2", "KL of each latent", 2, VAE_ERR_VALUE},
        {"normal, planar 2", "no_noise leaves no draws", 3, VAE_ERR_VALUE},
        {"normal, iaf 8", "column 14: expected a number of steps", 0, VAE_ERR_SYNTAX},
        {"normal, iaf 8 0", "must lie from 1 to 64", 0, VAE_ERR_SYNTAX},
        {"normal, planar", "expected a number of steps", 0, VAE_ERR_SYNTAX},
        {"normal, spline 3", "expected a flow, found 'spline'", 0, VAE_ERR_SYNTAX},
        {"normal full,", "expected a flow, found the end", 0, VAE_ERR_SYNTAX},
        {"normal full abs", "expected ',' or the end", 0, VAE_ERR_SYNTAX},
        {"normal, planar 2, planar 2", "expected the end", 0, VAE_ERR_SYNTAX},
    };
    size_t i;
    for (i = 0; i < sizeof list / sizeof *list; i++) {
        vae_desc d = small_desc();
        vae_report r;
        vae *m = NULL;
        memset(&r, 0, sizeof r);
        d.posterior = list[i].posterior;
        if (list[i].what == 1) d.objective = VAE_OBJECTIVE_DREG, d.samples = 3;
        if (list[i].what == 2) d.free_bits = 0.1;
        if (list[i].what == 3) d.no_noise = 1;
        if (list[i].what == 4) d.latent = 65;
        CHECK_STATUS(vae_create(&d, &m, &r), list[i].status);
        CHECK_SAYS(r, list[i].says);
        if (list[i].what != 3) continue;
        d.no_kl = 1; /* an autoencoder may have a flow */
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        vae_destroy(m);
    }
}

/* The mask's weights begin at 0, stay there, and are 0 in files. */
TEST(masked_weights_stay_zero) {
    vae_desc d = small_desc();
    vae_report r;
    vae_tensor t;
    vae *m, *twin = NULL;
    size_t i, at, size, zeros = 0;
    unsigned char *bytes;
    double worst = 1;
    float x[8 * 30];
    d.posterior = "normal, iaf 8 2", d.weight_decay = 0.1, d.optimizer = VAE_OPTIMIZER_ADAM_IWAE;
    m = trained_model(&d);
    for (at = 0; vae_tensor_at(m, at, &t) == VAE_OK && strcmp(t.name, "posterior.1.weight"); at++) {}
    for (i = 0; i < t.count; i++) zeros += !(t.data[i] < 0 || t.data[i] > 0);
    CHECK_EQ(zeros, 3 + 6 + 8); /* hidden numbers 3 to 5 see one latent, 6 and 7 two */
    small_images(x, 8, 30);
    CHECK_STATUS(vae_check_gradients(m, BATCH(x, 8), 2, &worst), VAE_OK);
    CHECK(worst < 1e-2);
    t.data[0] = 0.5f; /* in odd steps the last latent comes first */
    bytes = file_of(m, 0, &size);
    memset(&r, 0, sizeof r);
    CHECK_STATUS(vae_load_memory(bytes, size, NULL, &twin, &r), VAE_ERR_FORMAT);
    CHECK_SAYS(r, "posterior.1.weight");
    free(bytes);
    vae_destroy(m);
}


TESTS(posteriors) {
    vae__fpenv env;
    vae__fp_enter(&env); /* see reference.h */
    RUN(gradients_of_posteriors_are_slopes_of_the_loss_in_doubles);
    RUN(dreg_of_any_covariance_is_that_of_the_formula);
    RUN(densities_of_posteriors_integrate_to_one);
    RUN(draws_of_posteriors_have_the_kl_of_their_density);
    RUN(autoregressive_flows_are_undone_by_their_inverse);
    RUN(covariances_of_zero_and_flows_that_do_nothing_are_normal);
    RUN(any_covariance_closes_the_gap_of_a_linear_decoder);
    RUN(posteriors_have_the_same_bits_everywhere);
    RUN(means_of_flows_pass_through_the_flow);
    RUN(kl_of_any_covariance_is_the_sum_of_its_latents);
    RUN(posteriors_that_cannot_be_are_refused_with_the_reason);
    RUN(masked_weights_stay_zero);
    vae__fp_leave(&env);
}
