/* FMA of passes without an instruction for it: sums halfway between floats, with and without
 * something lost before, subnormal, too large, not finite. For every pass. */
#include "reference.h"

static const float fma_special[] = {
    0, -0.0f, 1, -1, 1.4e-45f, -1.4e-45f, 1.17549421e-38f, 1.17549435e-38f, -1.17549435e-38f,
    2.3509887e-38f, 5.9604645e-8f, -5.96046483e-8f, 16777216, 1.10427941e12f, -1.8446744e19f,
    3.40282347e38f, -3.40282347e38f, INFINITY, -INFINITY, NAN
};
enum { FMA_SPECIALS = sizeof fma_special / sizeof *fma_special };

static int fma_between(uint64_t *state, int from, int to) {
    return from + (int)(ref_next(state) % (uint64_t)(to - from + 1));
}
/* +-2^e (1 + i 2^-23), i from -2 to 2 or anything */
static float fma_number(uint64_t *state, int e) {
    const int i = fma_between(state, 0, 3) ? fma_between(state, -2, 2)
                                           : fma_between(state, 0, 8388607);
    return ldexpf(1 + ldexpf((float)i, -23), e) * (fma_between(state, 0, 1) ? 1 : -1);
}

TEST(one_fma_is_rounded_once) {
    uint64_t state = 1;
    int turn;
    for (turn = 0; turn < 20000; turn++) {
        const vae__kernels *k = NULL;
        float a, b[4], c[4], want[4], got[4];
        /* b is about half of c's last place, over a */
        const int e = fma_between(&state, -152, 128), at = fma_between(&state, -20, 20);
        int i;
        a = fma_number(&state, at);
        for (i = 0; i < 4; i++) {
            const int half = e - 24 + fma_between(&state, -1, 1);
            b[i] = fma_number(&state, (half < -150 ? -150 : half) - at);
            c[i] = fma_number(&state, e);
            if (turn < FMA_SPECIALS * FMA_SPECIALS * FMA_SPECIALS / 4) {
                a = fma_special[turn % FMA_SPECIALS];
                b[i] = fma_special[turn / FMA_SPECIALS % FMA_SPECIALS];
                c[i] = fma_special[turn / FMA_SPECIALS / FMA_SPECIALS * 4 + i];
            }
            want[i] = ref_fma(a, b[i], c[i]);
        }
        while ((k = ref_next_isa(k)) != NULL) {
            k->add(4, b, a, c, got);
            for (i = 0; i < 4; i++)
                if (!ref_same(got[i], want[i]))
                    test_report(__FILE__, __LINE__, "%s: %a %a %a gives %a, not %a",
                                vae_choice_name(VAE_CHOICE_ISA, (int)k->isa), a, b[i], c[i],
                                got[i], want[i]);
        }
    }
}

/* Products whose sums meet all of that in the middle of a chain, in tiles and row by row. */
TEST(chains_are_rounded_at_each_step) {
    enum { M = 7, N = 43, K = 9 };
    static const int far[] = {0, 0, -1, -12, -23, -24, -25, -29, -30, -53};
    static const int bases[] = {0, -62, -63, -70, 19, 20, 63};
    float a[M * K], b[K * N], c[M * N], want[M * N], got[M * N];
    uint64_t state = 2;
    int turn, i, j, q;
    for (turn = 0; turn < 600; turn++) {
        const int base = bases[turn % 7], m = turn % 3 ? M : 1;
        const vae__kernels *k = NULL;
        for (i = 0; i < M * K; i++)
            a[i] = i % 5 ? fma_number(&state, base + far[ref_next(&state) % 10]) : 0;
        for (i = 0; i < K * N; i++)
            b[i] = fma_number(&state, base + far[ref_next(&state) % 10] / 12);
        for (i = 0; i < M * N; i++)
            c[i] = fma_number(&state, 2 * base + fma_between(&state, -30, 1));
        if (turn % 8 == 5) b[turn % (K * N)] = fma_special[ref_next(&state) % FMA_SPECIALS];
        if (turn % 8 == 6) c[turn % (m * N)] = fma_special[ref_next(&state) % FMA_SPECIALS];
        if (turn % 8 == 7) a[turn % (m * K)] = fma_special[ref_next(&state) % FMA_SPECIALS];
        for (i = 0; i < m; i++)
            for (j = 0; j < N; j++) {
                float sum = c[i * N + j];
                for (q = 0; q < K; q++) sum = ref_fma(a[i * K + q], b[q * N + j], sum);
                want[i * N + j] = vae__bits_f(sum) << 1 ? sum : 0;
            }
        while ((k = ref_next_isa(k)) != NULL) {
            int bad = 0;
            memcpy(got, c, sizeof got);
            k->gemm(VAE__GEMM_ADD, (size_t)m, N, K, a, K, b, N, NULL, VAE_ACT_IDENTITY, got, N);
            for (i = 0; i < m * N; i++) bad += !ref_same(got[i], want[i]);
            if (bad)
                test_report(__FILE__, __LINE__, "%s, turn %d: %d of %d differ",
                            vae_choice_name(VAE_CHOICE_ISA, (int)k->isa), turn, bad, m * N);
        }
    }
}

TESTS(simd128) {
    vae__fpenv host;
    vae__fp_enter(&host);
    RUN(one_fma_is_rounded_once);
    RUN(chains_are_rounded_at_each_step);
    vae__fp_leave(&host);
}
