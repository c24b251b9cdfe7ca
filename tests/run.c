/* All unit tests in one program: cc tests/run.c -lm && ./a.out [--long] [part of a name]
 * A test's name is a sentence; a failure prints it with the line that failed. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "../tools/digits.h"
#include "../tools/shapes.h"
#include "../tools/images.h"
#include "../tools/picture.h"

#include "test.h"

#include "test_status.c"
#include "test_arena.c"
#include "test_rng.c"
#include "test_math.c"
#include "test_threads.c"
#include "test_gemm.c"
#include "test_kernels.c"
#include "test_layers.c"
#include "test_losses.c"
#include "test_optim.c"
#include "test_desc.c"
#include "test_model.c"
#include "test_train.c"
#include "test_eval.c"
#include "test_numbers.c"
#include "test_io.c"
#include "test_safetensors.c"
#include "test_objectives.c"
#include "test_iwae.c"
#include "test_labels.c"
#include "test_stopping.c"
#include "test_penalties.c"
#include "test_codes.c"
#include "test_linear.c"
#include "test_data.c"
#include "test_shapes.c"
#include "test_images.c"
#include "test_golden.c"

int main(int argc, char **argv) {
    int i, isa;
    for (i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--long")) test_long = 1;
        else test_filter = argv[i];
    }
    for (isa = VAE_ISA_PORTABLE; isa < VAE_ISA_COUNT; isa++)
        if (!vae_isa_available((vae_isa)isa))
            printf("skip instruction set %s: not in this build or on this processor\n",
                   vae_choice_name(VAE_CHOICE_ISA, isa));
#define ROOM(name) test_room = #name, tests_##name()
    ROOM(status);
    ROOM(arena);
    ROOM(rng);
    ROOM(math);
    ROOM(threads);
    ROOM(gemm);
    ROOM(kernels);
    ROOM(layers);
    ROOM(losses);
    ROOM(optim);
    ROOM(desc);
    ROOM(model);
    ROOM(train);
    ROOM(eval);
    ROOM(numbers);
    ROOM(io);
    ROOM(safetensors);
    ROOM(objectives);
    ROOM(iwae);
    ROOM(labels);
    ROOM(stopping);
    ROOM(penalties);
    ROOM(codes);
    ROOM(linear);
    ROOM(data);
    ROOM(shapes);
    ROOM(images);
    ROOM(golden);
    printf("%d passed, %d failed, %d skipped\n", test_passed, test_failed, test_skipped);
    return test_failed != 0;
}
