/* ======================================================================================
 * codes.h   the commands encode and decode: images to latents and back
 * uses: platform.h screen.h text.h targets.h options.h datasets.h models.h sheets.h
 * tests: tests/test_tool.sh
 * ==================================================================================== */
#ifndef VAE_TOOL_CODES_H
#define VAE_TOOL_CODES_H
#include "platform.h"
#include "screen.h"
#include "text.h"
#include "targets.h"
#include "options.h"
#include "datasets.h"
#include "models.h"
#include "sheets.h"

typedef struct codes {
    text mu, logvar;
    int with_logvar;
} codes;

static void add_codes(use *u, const float *x, size_t first, size_t rows, void *user)
{
    codes *c = (codes *)user;
    size_t n = rows * u->info.latent;
    float *mu = floats(rows, u->info.latent), *logvar = floats(rows, u->info.latent);
    check_on(u->data.name, first, u->model,
             vae_encode(u->model, rows_of(u, x, rows, 0), mu, logvar));
    text_npy_rows(&c->mu, mu, n);
    if (c->with_logvar) text_npy_rows(&c->logvar, logvar, n);
    free(mu);
    free(logvar);
}

static int encode(options *o)
{
    use u;
    codes c = {{NULL, 0, 0}, {NULL, 0, 0}, 0};
    c.with_logvar = o->logvar_out != NULL;
    open_both(&u, o);
    text_npy_head(&c.mu, u.data.images.count, u.info.latent);
    if (c.with_logvar) text_npy_head(&c.logvar, u.data.images.count, u.info.latent);
    each_batch(&u, add_codes, &c);
    text_save(&c.mu, o->out);
    if (c.with_logvar) text_save(&c.logvar, o->logvar_out);
    say("wrote %s: %zu rows of %zu latents\n", o->out, u.data.images.count, u.info.latent);
    return close_use(&u);
}

static int decode(options *o)
{
    use u;
    size_t rows, cols, dim, most;
    float *z;
    int32_t label;
    open_model(&u, o);
    draw_class(&u, o, class_given(o, &label));
    dim = u.info.input_dim, most = (size_t)u.desc.batch;
    load_table(o->in, &z, &rows, &cols);
    if (cols != u.info.latent)
        die(FAILED, "%s holds rows of %zu numbers, but %s has %zu latents", o->in, cols,
            o->operand, u.info.latent);
    if (ends_with(o->out, ".png")) {
        size_t count = rows < (size_t)o->count ? rows : (size_t)o->count;
        sheet s = plan_sheet(&u, o, count, columns_for(o, count));
        save_decoded(&u, o, z, &s);
    } else {
        text t = {NULL, 0, 0};
        float *x = floats(most, dim);
        if (strcmp(o->out, "-") != 0 && kind_of(o->out) != SPECIAL && !ends_with(o->out, ".npy"))
            die(MISUSED, "--out %s: end the name in .png or .npy", o->out);
        text_npy_head(&t, rows, dim);
        for (size_t first = 0; first < rows; first += most) {
            size_t n = rows - first < most ? rows - first : most;
            check_on(o->in, first, u.model,
                     vae_decode(u.model, rows_of(&u, z + first * cols, n, 0), x));
            text_npy_rows(&t, x, n * dim);
        }
        text_save(&t, o->out);
        say("wrote %s: %zu rows of %zu pixels\n", o->out, rows, dim);
        free(x);
    }
    free(z);
    return close_use(&u);
}

#endif
