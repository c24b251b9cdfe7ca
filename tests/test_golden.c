/* The golden run: its hash is the same for every instruction set, compiler, flag set and byte order, and
 * moves only on purpose. The first line of tests/golden.txt holds it for scripts. */
#define GOLDEN 0x91f4cdf46c362df2u

TEST(golden_run_gives_the_golden_hash_on_every_instruction_set) {
    vae_data data = digit_data(1600);
    int isa;
    for (isa = VAE_ISA_PORTABLE; isa < VAE_ISA_COUNT; isa++) {
        vae_desc d;
        vae *m = NULL;
        if (!vae_isa_available((vae_isa)isa)) continue;
        memset(&d, 0, sizeof d);
        d.input = "28x28x1", d.encoder = d.decoder = "dense 64 relu", d.latent = 8, d.batch = 32;
        d.epochs = 1, d.seed = 7, d.isa = (vae_isa)isa;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        CHECK_STATUS(vae_fit(m, &data, NULL, NULL, NULL), VAE_OK);
        if (vae_params_hash(m) != GOLDEN)
            test_report(__FILE__, __LINE__, "%s: %08lx%08lx", vae_choice_name(VAE_CHOICE_ISA, isa),
                        (unsigned long)(vae_params_hash(m) >> 32),
                        (unsigned long)(vae_params_hash(m) & 0xffffffffu));
        vae_destroy(m);
    }
    free((void *)(size_t)data.bytes);
}

TESTS(golden) {
    RUN(golden_run_gives_the_golden_hash_on_every_instruction_set);
}
