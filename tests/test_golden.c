/* The golden run: its hash is the same for every instruction set, compiler, flag set and byte order, and
 * moves only on purpose. The first line of tests/golden.txt holds it for scripts. */
#define GOLDEN 0x91f4cdf46c362df2u

TEST(golden_run_gives_the_golden_hash_on_every_instruction_set_and_thread_count) {
    static const int threads[] = {1, 2, 3, 7, -5}; /* below 0: the hook, in so many parts */
    vae_data data = digit_data(1600);
    int isa, i, one = 1;
    for (i = 0; i < 5 * VAE_ISA_COUNT; i++) {
        vae_desc d;
        vae *m = NULL;
        isa = i / 5;
        if (!isa || !vae_isa_available((vae_isa)isa)) continue;
        memset(&d, 0, sizeof d);
        d.threads = threads[i % 5];
#ifndef VAE__THREADS
        if (d.threads > 1) continue;
#endif
        if (d.threads < 0) {
            d.parallel.run = threads_backwards, d.parallel.parts = -d.threads;
            d.parallel.user = &one, d.threads = 0;
        }
        d.input = "28x28x1", d.encoder = d.decoder = "dense 64 relu", d.latent = 8, d.batch = 32;
        d.epochs = 1, d.seed = 7, d.isa = (vae_isa)isa;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        CHECK_STATUS(vae_fit(m, &data, NULL, NULL, NULL), VAE_OK);
        if (vae_params_hash(m) != GOLDEN)
            test_report(__FILE__, __LINE__, "%s, threads %d: %08lx%08lx",
                        vae_choice_name(VAE_CHOICE_ISA, isa), threads[i % 5],
                        (unsigned long)(vae_params_hash(m) >> 32),
                        (unsigned long)(vae_params_hash(m) & 0xffffffffu));
        vae_destroy(m);
    }
    free((void *)(size_t)data.bytes);
}

TESTS(golden) {
    RUN(golden_run_gives_the_golden_hash_on_every_instruction_set_and_thread_count);
}
