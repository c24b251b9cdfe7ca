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

static void add_codes(use *u, const vae_batch *images, void *user)
{
    codes *c = (codes *)user;
    const size_t code = u->info.code, latent = u->info.latent;
    float *mu = floats(images->rows, code), *logvar = floats(images->rows, latent);
    encode_images(u, images, mu, c->with_logvar ? logvar : NULL);
    text_npy_rows(&c->mu, mu, images->rows * code);
    if (c->with_logvar) text_npy_rows(&c->logvar, logvar, images->rows * latent);
    free(mu);
    free(logvar);
}

static int encode(options *o)
{
    use u;
    codes c = {{NULL, 0, 0}, {NULL, 0, 0}, 0};
    c.with_logvar = o->logvar_out != NULL;
    open_both(&u, o);
    text_npy_head(&c.mu, u.data.images.count, u.info.code);
    if (c.with_logvar) text_npy_head(&c.logvar, u.data.images.count, u.info.latent);
    each_batch(&u, add_codes, &c);
    text_save(&c.mu, o->out);
    if (c.with_logvar) text_save(&c.logvar, o->logvar_out);
    say("wrote %s: %zu rows of %zu latents\n", o->out, u.data.images.count, u.info.code);
    return close_use(&u);
}

/* All codes of b, decoded to a table. */
static void save_pixels(const use *u, const options *o, const vae_batch *b)
{
    const size_t most = (size_t)u->desc.batch, dim = u->info.input_dim;
    float *x = floats(most, dim);
    text t = {NULL, 0, 0};
    portions p = {0, 0, 0, 0, 0};
    text_npy_head(&t, b->rows, dim);
    p.total = b->rows;
    for (size_t first = 0; first < b->rows; first += most) {
        const size_t left = b->rows - first;
        const vae_batch some = portion_of(b, first, left < most ? left : most, u->info.code);
        make_images(u, o, &some, first, &p, x);
        text_npy_rows(&t, x, some.rows * dim);
    }
    next_portion(&p, o, 0);
    text_save(&t, o->out);
    say("wrote %s: %zu rows of %zu pixels\n", o->out, b->rows, dim);
    free(x);
}

static int decode(options *o)
{
    use u;
    vae_batch b;
    size_t rows, cols;
    float *z;
    int32_t label;
    open_model(&u, o);
    b = rows_of_class(&u, o, NULL, 0, class_given(o, &label));
    load_table(o->in, &z, &rows, &cols);
    if (cols != u.info.code)
        die(FAILED, "%s holds rows of %zu numbers, but %s has %zu latents", o->in, cols,
            o->operand, u.info.code);
    b.x = z, b.rows = rows;
    if (ends_with(o->out, ".png")) {
        sheet s;
        if (b.rows > (size_t)o->count) b.rows = (size_t)o->count;
        s = plan_sheet(&u, o, b.rows, columns_for(o, b.rows));
        save_decoded(&u, o, &b, &s);
    } else {
        if (strcmp(o->out, "-") != 0 && kind_of(o->out) != SPECIAL && !ends_with(o->out, ".npy"))
            die(MISUSED, "--out %s: end the name in .png or .npy", o->out);
        save_pixels(&u, o, &b);
    }
    free(z);
    return close_use(&u);
}

#endif
