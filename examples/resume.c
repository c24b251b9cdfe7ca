/* Stops in the middle of an epoch, saves, loads and goes on: the parameters come out the same, bit
 * by bit, as without the stop. Every random draw has an address (seed, purpose, step, image), and
 * the file holds the place in the epoch, so there is no hidden state to lose.
 *
 *   cc examples/resume.c && ./a.out          (clang: add -O1)
 *
 * Writes resume.safetensors. A program that must survive being killed calls vae_save from its
 * callback now and then, as this one does once: the file is replaced in one step, so it is whole
 * at every instant. */
#include <stdio.h>
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "../tools/digits.h"

enum { IMAGES = 10000, STOP_EPOCH = 1, STOP_STEP = 40 }; /* of 79 steps an epoch */
static const char path[] = "resume.safetensors";
static uint8_t pixels[IMAGES * DIGITS_PIXELS];

static int fail(const char *what) {
    fprintf(stderr, "resume: %s\n", what);
    return 1;
}

/* Not 0: stop here. The model may be saved from within. */
static int interrupt(vae *model, const vae_progress *p, void *user) {
    vae_status *saved = (vae_status *)user;
    if (p->epoch != STOP_EPOCH || p->step != STOP_STEP) return 0;
    printf("  epoch %d of %d, step %d of %d: saved, stopped\n", (int)p->epoch + 1, (int)p->epochs,
           (int)p->step, (int)p->steps);
    *saved = vae_save(model, path, 0);
    return 1;
}

static void result(const char *what, const vae *model) {
    vae_info info;
    vae_get_info(model, &info);
    printf("%s: %d steps, hash %08lx%08lx\n", what, (int)info.step,
           (unsigned long)(vae_params_hash(model) >> 32),
           (unsigned long)(vae_params_hash(model) & 0xffffffffu));
}

int main(void) {
    const size_t dims[] = {IMAGES, DIGITS_HEIGHT, DIGITS_WIDTH};
    vae_report report;
    vae_data data;
    vae_desc desc = {0};
    vae_status status, saved = VAE_ERR_STATE;
    vae *whole, *broken, *resumed;
    int equal;

    digits_fill(1, 0, IMAGES, pixels, NULL);
    desc.input = "28x28x1";
    desc.epochs = 3;
    desc.ema = 0.99; /* the running average is stored and resumed as well */
    if (vae_data_wrap(VAE_U8, 3, dims, pixels, &data, &report) ||
        vae_create(&desc, &whole, &report) || vae_create(&desc, &broken, &report))
        return fail(report.text);

    if (vae_fit(whole, &data, NULL, NULL, NULL)) return fail(vae_last_report(whole)->text);
    result("uninterrupted", whole);

    status = vae_fit(broken, &data, NULL, interrupt, &saved);
    if (status != VAE_STOPPED || saved) return fail(vae_last_report(broken)->text);
    result("interrupted  ", broken);
    vae_destroy(broken); /* nothing of it is left but the file */

    if (vae_load(path, NULL, &resumed, &report)) return fail(report.text);
    if (vae_fit(resumed, &data, NULL, NULL, NULL)) return fail(vae_last_report(resumed)->text);
    result("resumed      ", resumed);

    equal = vae_params_hash(whole) == vae_params_hash(resumed);
    vae_destroy(whole);
    vae_destroy(resumed);
    if (!equal) return fail("the two differ");
    puts("equal, bit by bit");
    return 0;
}
