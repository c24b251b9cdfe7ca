/* The golden runs: their hashes are the same for every instruction set, compiler, flag set and byte
 * order, and move only on purpose. tests/golden.txt holds them for scripts. */
#include "models.h"
#include "golden.h"
static const uint64_t golden[GOLDEN] = {0x91f4cdf46c362df2u, 0x1843809526c56af7u,
                                        0x00bb1e05f3305e42u, 0xc578acf25a49f275u,
                                        0x2dc4fb3498da00d5u, 0x3877cee9c0ba8b5bu,
                                        0x15a504feddc545f1u, 0x393427457814848du,
                                        0x95c2d85b549d059fu};

TEST(golden_runs_give_the_golden_hashes_on_every_instruction_set_and_thread_count) {
#ifdef VAE__THREADS
    static const int threads[] = {3, 1, 2, 7, -5}; /* below 0: the hook, in so many parts */
#else
    static const int threads[] = {1, -5};
#endif
    enum { WAYS = sizeof threads / sizeof *threads };
    int isa, i, run, one = 1;
    for (run = 0; run < GOLDEN; run++) {
        vae_data data = digit_data(golden_images[run]);
        int32_t labels[GOLDEN_MOST];
        golden_labels(golden_images[run], labels);
        data.labels = labels;
        for (i = 0; i < WAYS * VAE_ISA_COUNT; i++) {
            vae_desc d = golden_desc(run);
            vae *m = NULL;
            isa = i / WAYS;
            if (!isa || !vae_isa_available((vae_isa)isa)) continue;
            d.threads = threads[i % WAYS];
            /* slow; what divides the work does not know whose kernels do it */
            if (isa == VAE_ISA_PORTABLE && vae_isa_best() != isa && i % WAYS && !test_long) continue;
            if (d.threads < 0) {
                d.parallel.run = threads_backwards, d.parallel.parts = -d.threads;
                d.parallel.user = &one, d.threads = 0;
            }
            d.isa = (vae_isa)isa;
            CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
            CHECK_STATUS(vae_fit(m, &data, NULL, NULL, NULL), VAE_OK);
            if (vae_params_hash(m) != golden[run])
                test_report(__FILE__, __LINE__, "run %d, %s, threads %d: %08lx%08lx", run + 1,
                            vae_choice_name(VAE_CHOICE_ISA, isa), threads[i % WAYS],
                            (unsigned long)(vae_params_hash(m) >> 32),
                            (unsigned long)(vae_params_hash(m) & 0xffffffffu));
            vae_destroy(m);
        }
        free((void *)(size_t)data.bytes);
    }
}

/* No hash of its own: batches that no vector divides, pixels binarised, a last batch of 7. */
TEST(odd_batches_of_sparse_pixels_have_the_same_bits_everywhere) {
    static const int batches[] = {17, 20, 31, 100};
    vae_data data = digit_data(307);
    int isa, i;
    for (i = 0; i < 4; i++) {
        uint64_t first = 0;
        for (isa = VAE_ISA_PORTABLE; isa < VAE_ISA_COUNT; isa++) {
            vae_desc d = golden_desc(0);
            vae *m = NULL;
            if (!vae_isa_available((vae_isa)isa)) continue;
            d.batch = batches[i], d.isa = (vae_isa)isa, d.threads = 0;
            d.encoder = d.decoder = "dense 40 tanh";
            d.binarize = i % 2 ? VAE_BINARIZE_DYNAMIC : VAE_BINARIZE_NONE;
            CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
            CHECK_STATUS(vae_fit(m, &data, NULL, NULL, NULL), VAE_OK);
            if (!first) first = vae_params_hash(m);
            if (vae_params_hash(m) != first)
                test_report(__FILE__, __LINE__, "batch %d: %s differs", batches[i],
                            vae_choice_name(VAE_CHOICE_ISA, isa));
            vae_destroy(m);
        }
    }
    free((void *)(size_t)data.bytes);
}

TESTS(golden) {
    RUN(odd_batches_of_sparse_pixels_have_the_same_bits_everywhere);
    RUN(golden_runs_give_the_golden_hashes_on_every_instruction_set_and_thread_count);
}
