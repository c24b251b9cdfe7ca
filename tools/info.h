/* ======================================================================================
 * info.h   the command info: what a model file holds
 * uses: platform.h screen.h options.h command_line.h settings.h models.h
 * tests: tests/test_tool.sh
 * ==================================================================================== */
#ifndef VAE_TOOL_INFO_H
#define VAE_TOOL_INFO_H
#include "platform.h"
#include "screen.h"
#include "options.h"
#include "command_line.h"
#include "settings.h"
#include "models.h"

static void print_settings(const options *file)
{
    const flag *f;
    for (size_t i = 0; (f = flag_at(i)) != NULL; i++) {
        char *value;
        int in_steps;
        if (!f->name || !(f->commands & SETTING) || !acts(file, f)) continue;
        value = value_text(file, f);
        in_steps = f->at == AT(stages) || f->at == AT(cycle)
                || (f->at == AT(warmup) && file->desc.warmup_steps);
        say("%-14s %s%s\n", f->name + 2, value[0] ? value : "\"\"", in_steps ? " (steps)" : "");
        free(value);
    }
    say("\n");
}

/* The latents of each stochastic layer, where there are several. */
static void print_layers(const vae_info *i)
{
    if (i->layers < 2) return;
    say("stochastic   code of %zu latents; ", i->layer[0].latents);
    for (int l = 1; l < i->layers; l++) say("%sz %zu", l > 1 ? ", " : "", i->layer[l].latents);
    say("%s\n", i->layers > 2 ? " (from the pixels to the code)" : "");
}

static int info(options *o)
{
    use u;
    options file;
    vae_report report;
    size_t bytes[2] = {0, 0};
    open_model(&u, o);
    unsettle(&file, u.model, 1);
    say("step         %llu\nepoch        %llu of %d\nparameters   %zu\nparams_hash  %016llx\n",
        (ull)u.info.step, (ull)u.info.epoch, u.desc.epochs,
        u.info.parameters, (ull)vae_params_hash(u.model));
    if (u.info.best_epoch)
        say("best         epoch %llu, test loss %.3f\n", (ull)u.info.best_epoch, u.info.best);
    if (u.info.classes) say("classes      %d\n", u.info.classes);
    print_layers(&u.info);
    for (int i = 0; i < 2; i++) {
        vae_desc d = u.desc;
        d.inference = i;
        if (i && d.batch > 128) d.batch = 128;
        if (vae_size(&d, &bytes[i], &report) != VAE_OK) bytes[i] = SIZE_MAX;
    }
    say("memory       %.1f MB to use it, %.1f MB to train it\n\n", (double)bytes[1] / 1e6,
        (double)bytes[0] / 1e6);
    print_settings(&file);
    for (size_t i = 0; i < u.info.tensors; i++) {
        vae_tensor tensor;
        check(u.model, vae_tensor_at(u.model, i, &tensor));
        say("%-28s", tensor.name);
        for (int k = 0; k < tensor.rank; k++) say("%s%zu", k ? " x " : " ", tensor.shape[k]);
        say("\n");
    }
    return close_use(&u);
}

#endif
