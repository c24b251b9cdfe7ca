/* ======================================================================================
 * pca.h   the command pca: principal components as a linear autoencoder
 * uses: platform.h screen.h text.h targets.h json.h statistics.h mathematics.h options.h
 * uses: datasets.h models.h report.h solvers.h
 * tests: tests/test_tool_probe.sh
 *
 * The model that is written has no noise and no layers but the two heads: mu = Wt (x - mean), x' =
 * W mu + mean, the columns of W the eigenvectors of the covariance with the largest eigenvalues. So
 * every other command takes it. Of each direction the component largest in magnitude is positive.
 * ==================================================================================== */
#ifndef VAE_TOOL_PCA_H
#define VAE_TOOL_PCA_H
#include "platform.h"
#include "screen.h"
#include "text.h"
#include "targets.h"
#include "json.h"
#include "statistics.h"
#include "mathematics.h"
#include "options.h"
#include "datasets.h"
#include "models.h"
#include "report.h"
#include "solvers.h"

enum { MOST_NUMBERS = 8192, BLOCK = 32 };

typedef struct components {
    size_t dim, count;      /* numbers of an image; how many directions are kept */
    double *mean;           /* (dim) */
    double *variances;      /* (dim) eigenvalues of the covariance, largest first */
    double *directions;     /* (dim, dim) eigenvectors in that order: rows */
    double total;           /* the sum of all variances */
    double share;           /* the part of it that is kept */
    stats_sample mse[2];  /* of the reconstructions, per number: training images, test images */
} components;

static void find_mean(components *c, const vae_data *images)
{
    float *x = floats(c->dim, 1);
    c->mean = doubles(c->dim, 1);
    for (size_t i = 0; i < images->count; i++) {
        vae_data_read(images, i, 1, x);
        for (size_t j = 0; j < c->dim; j++) c->mean[j] = vae__add_d(c->mean[j], (double)x[j]);
    }
    for (size_t j = 0; j < c->dim; j++)
        c->mean[j] = vae__div_d(c->mean[j], (double)images->count);
    free(x);
}

/* The covariance about the mean (dim, dim), images in ascending order. */
static double *find_covariance(const components *c, const vae_data *images)
{
    const size_t n = c->dim;
    double *a = doubles(n, n), *off = doubles(BLOCK, n);
    float *x = floats(BLOCK, n);
    for (size_t first = 0, rows; first < images->count; first += rows) {
        rows = images->count - first < BLOCK ? images->count - first : BLOCK;
        vae_data_read(images, first, rows, x);
        for (size_t k = 0; k < rows * n; k++) off[k] = vae__add_d((double)x[k], -c->mean[k % n]);
        for (size_t i = 0; i < n; i++)
            for (size_t r = 0; r < rows; r++)
                add_scaled(a + i * n + i, off[r * n + i], off + r * n + i, n - i);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = i; j < n; j++)
            a[j * n + i] = a[i * n + j] = vae__div_d(a[i * n + j], (double)images->count);
    free(off);
    free(x);
    return a;
}

/* Puts the directions in order, and gives each its sign. */
static void sort_directions(components *c)
{
    const size_t n = c->dim;
    for (size_t i = 0; i < n; i++) {
        double *row = c->directions + i * n, *other, value;
        size_t best = i, largest = 0;
        int negative;
        for (size_t k = i + 1; k < n; k++)
            if (c->variances[k] > c->variances[best]) best = k;
        value = c->variances[best], c->variances[best] = c->variances[i];
        c->variances[i] = value > 0 ? value : 0; /* rounding leaves some below 0 */
        other = c->directions + best * n;
        for (size_t j = 0; j < n; j++) {
            const double was = row[j];
            row[j] = other[j], other[j] = was;
            if (square(row[j]) > square(row[largest])) largest = j;
        }
        negative = row[largest] < 0;
        for (size_t j = 0; negative && j < n; j++) row[j] = -row[j];
    }
}

static void find_components(components *c, const vae_data *images)
{
    double *covariance;
    double kept = 0;
    find_mean(c, images);
    covariance = find_covariance(c, images);
    for (size_t j = 0; j < c->dim; j++)
        c->total = vae__add_d(c->total, covariance[j * c->dim + j]);
    if (!(c->total > 0)) die(FAILED, "all images are equal: there are no directions to find");
    c->variances = doubles(c->dim, 1);
    c->directions = doubles(c->dim, c->dim);
    find_eigenvectors(covariance, c->dim, c->variances, c->directions);
    sort_directions(c);
    for (size_t k = 0; k < c->count; k++) kept = vae__add_d(kept, c->variances[k]);
    c->share = vae__div_d(kept, c->total);
    free(covariance);
}

/* The tensor of that name. */
static float *tensor_named(vae *model, const char *name)
{
    vae_tensor t;
    for (size_t i = 0; vae_tensor_at(model, i, &t) == VAE_OK; i++)
        if (strcmp(t.name, name) == 0) return t.data;
    die(FAILED, "a linear autoencoder has no tensor %s", name);
    return NULL;
}

/* The linear autoencoder whose weights these are. */
static vae *linear_model(const options *o, const components *c, const vae_data *images)
{
    const size_t n = c->dim, k = c->count;
    float *encoder, *bias, *decoder, *mean;
    vae_desc d;
    vae_report report;
    vae *model = NULL;
    char shape[80];
    shape_text(images, shape, sizeof shape);
    vae_desc_defaults(&d);
    d.input = shape, d.encoder = d.decoder = "", d.likelihood = "gaussian";
    d.latent = (int)k, d.no_kl = d.no_noise = 1, d.init = VAE_INIT_ZERO;
    d.inference = 1, d.threads = threads_of(o);
    if (vae_create(&d, &model, &report) != VAE_OK) die(FAILED, "%s", report.text);
    encoder = tensor_named(model, "encoder.head.weight");
    bias = tensor_named(model, "encoder.head.bias");
    decoder = tensor_named(model, "decoder.head.weight");
    mean = tensor_named(model, "decoder.head.bias");
    for (size_t j = 0; j < n; j++) {
        for (size_t i = 0; i < k; i++)
            encoder[j * 2 * k + i] = decoder[i * n + j] = (float)c->directions[i * n + j];
        mean[j] = (float)c->mean[j];
    }
    for (size_t i = 0; i < k; i++) bias[i] = (float)-dot(c->directions + i * n, c->mean, n);
    return model;
}

static void add_errors(use *u, const vae_batch *images, void *user)
{
    stats_sample *mse = (stats_sample *)user;
    const size_t dim = u->info.input_dim;
    float *y = floats(images->rows, dim);
    check_on(u->data.name, images->first, u->model, vae_reconstruct(u->model, images, y));
    for (size_t i = 0; i < images->rows; i++) {
        double sum = 0;
        for (size_t j = i * dim; j < (i + 1) * dim; j++)
            sum += square((double)images->x[j] - (double)y[j]);
        stats_add(mse, sum / (double)dim);
    }
    free(y);
}

static void report_components(const options *o, const components *c, const sets *s, vae *model)
{
    const uint64_t hash = vae_params_hash(model);
    text t = {NULL, 0, 0};
    say("data         %s, %zu images%s%s\n", s->images.name, s->images.images.count,
        s->test.name ? "; " : "", s->test.name ? s->test.name : "");
    say("components   %zu of %zu, %.2f %% of the variance\n", c->count, c->dim, 100 * c->share);
    say("mse          %.6f per number of the training images", stats_mean(&c->mse[0]));
    if (s->test.name) say(", %.6f of the test images", stats_mean(&c->mse[1]));
    say("\nparams_hash  %016llx\nfile         %s\n", (ull)hash, o->model);
    if (!o->json) return;
    text_print(&t, "{\n  \"command\": \"pca\",\n  \"version\": \"%s\",\n  ", VAE_VERSION_TEXT);
    json_string(&t, "model", o->model, ",\n");
    text_print(&t, "  \"images\": %zu,\n  \"components\": %zu,\n  ", s->images.images.count,
               c->count);
    json_number(&t, "explained", c->share, ",\n  ");
    json_number(&t, "mse", stats_mean(&c->mse[0]), ",\n  ");
    if (s->test.name) json_number(&t, "test_mse", stats_mean(&c->mse[1]), ",\n");
    else text_print(&t, "\"test_mse\": null,\n");
    json_list(&t, "variances", c->variances, c->count);
    text_print(&t, "  \"params_hash\": \"%016llx\"\n}\n", (ull)hash);
    text_save(&t, o->json);
}

/* Dies where images or --k are not possible. */
static void check_components(const options *o, const sets *s)
{
    const vae_data *images = &s->images.images;
    const size_t k = (size_t)o->components, most = images->count - 1;
    vae_desc gaussian;
    vae_desc_defaults(&gaussian);
    gaussian.likelihood = "gaussian";
    if (images->item > MOST_NUMBERS)
        die(FAILED, "%s holds images of %zu numbers; pca takes %d at most", s->images.name,
            images->item, MOST_NUMBERS);
    if (k > images->item)
        die(MISUSED, "-k %zu: images of %zu numbers have %zu directions", k, images->item,
            images->item);
    if (k > most)
        die(MISUSED, "-k %zu: %zu images lie in %zu directions at most", k, images->count, most);
    check_axes(&s->images);
    check_values(&s->images, &gaussian, 0);
    if (!s->test.name) return;
    check_values(&s->test, &gaussian, 0);
    if (s->test.images.item != images->item)
        die(FAILED, "%s holds images of %zu numbers, but %s of %zu", s->test.name,
            s->test.images.item, s->images.name, images->item);
}

static int pca(options *o)
{
    components c;
    sets s;
    use u;
    memset(&c, 0, sizeof c);
    memset(&s, 0, sizeof s);
    memset(&u, 0, sizeof u);
    if (!given(o, "-k")) die(MISUSED, "'vae pca' needs -k, the number of components");
    find_sets(o, &s);
    check_components(o, &s);
    c.dim = s.images.images.item, c.count = (size_t)o->components;
    find_components(&c, &s.images.images);
    u.model = linear_model(o, &c, &s.images.images);
    vae_get_desc(u.model, &u.desc);
    vae_get_info(u.model, &u.info);
    for (int t = 0; t < 2; t++) {
        u.data = t ? s.test : s.images;
        if (u.data.name) each_batch(&u, add_errors, &c.mse[t]);
    }
    if (vae_claim_save_model(claim_of(o->model), u.model, VAE_SAVE_WEIGHTS_ONLY) != VAE_OK)
        die(FAILED, "%s", vae_last_report(u.model)->text);
    report_components(o, &c, &s, u.model);
    free(c.mean);
    free(c.variances);
    free(c.directions);
    drop(&s.images);
    drop(&s.test);
    vae_destroy(u.model);
    return 0;
}

#endif
