/* split_k.h: matrix products that are free to reorder their sums, to see what vae.h gives up by not
 * doing so. For bench.c only, which includes this once per instruction set with these defined:
 *
 *   SK(name)           a name of its own        SK_AT            attributes of its functions
 *   SK_V, SK_W         a vector, its width      SK_SUMS          registers for sums
 *   SK_ZERO SK_SET1 SK_LOAD SK_STORE SK_ADD SK_FMA(a, b, sum)
 *   SK_GET(p, n), SK_PUT(p, n, v)               the first n lanes; the others read as 0
 *   SK_SUM4(a, b, c, d)                         __m128 of the four vectors' sums
 *
 * Two ways to be free. A tile may keep `ways` sums for each output, term k going to sum k mod ways,
 * added up at the end: its chains are shorter, so a small tile waits less. With one way the bits
 * are those of vae.h. Or a vector may run along k ("dots"), whose lanes are added up at the end:
 * then the columns need not fill vectors. */

/* rows x vecs vectors of outputs, `ways` sums each, the last vector whole or cut at column n; all
 * four are constants after inlining. */
VAE__INLINE SK_AT void SK(tile)(const int rows, const int vecs, const int ways, const int whole,
                                size_t k, const float *a, size_t row_step, size_t k_step,
                                const float *b, size_t bs, float *c, size_t ldc, size_t n,
                                int first) {
    SK_V sum[12][4][4];
    const size_t end = (size_t)(vecs - 1) * SK_W, tail = n - end;
    size_t kk;
    int i, v, w;
    VAE__UNROLL
    for (i = 0; i < rows; i++) {
        VAE__UNROLL
        for (v = 0; v < vecs; v++) {
            float *at = c + (size_t)i * ldc + v * SK_W;
            VAE__UNROLL
            for (w = 0; w < ways; w++) sum[i][v][w] = SK_ZERO();
            if (!first) sum[i][v][0] = v + 1 < vecs || whole ? SK_LOAD(at) : SK_GET(at, tail);
        }
    }
    for (kk = 0; kk + (size_t)ways <= k; kk += (size_t)ways) {
        VAE__UNROLL
        for (w = 0; w < ways; w++) {
            SK_V bv[4];
            VAE__UNROLL
            for (v = 0; v < vecs; v++)
                bv[v] = v + 1 < vecs || whole ? SK_LOAD(b + v * SK_W) : SK_GET(b + end, tail);
            VAE__UNROLL
            for (i = 0; i < rows; i++) {
                const SK_V av = SK_SET1(a[(size_t)i * row_step]);
                VAE__UNROLL
                for (v = 0; v < vecs; v++) sum[i][v][w] = SK_FMA(av, bv[v], sum[i][v][w]);
            }
            a += k_step, b += bs;
        }
    }
    for (; kk < k; kk++, a += k_step, b += bs) {
        VAE__UNROLL
        for (v = 0; v < vecs; v++) {
            const SK_V bv =
                v + 1 < vecs || whole ? SK_LOAD(b + v * SK_W) : SK_GET(b + end, tail);
            VAE__UNROLL
            for (i = 0; i < rows; i++)
                sum[i][v][0] = SK_FMA(SK_SET1(a[(size_t)i * row_step]), bv, sum[i][v][0]);
        }
    }
    VAE__UNROLL
    for (i = 0; i < rows; i++) {
        VAE__UNROLL
        for (v = 0; v < vecs; v++) {
            float *at = c + (size_t)i * ldc + v * SK_W;
            SK_V s = sum[i][v][0];
            if (ways == 2) s = SK_ADD(s, sum[i][v][1]);
            if (ways == 4)
                s = SK_ADD(SK_ADD(s, sum[i][v][1]), SK_ADD(sum[i][v][2], sum[i][v][3]));
            if (v + 1 < vecs || whole) SK_STORE(at, s);
            else SK_PUT(at, tail, s);
        }
    }
}

#define SK_MOST(vecs, ways) (SK_SUMS / ((vecs) * (ways)) > 12 ? 12 : SK_SUMS / ((vecs) * (ways)))
#define SK_ROWS(vecs, ways, whole, count) \
    for (; m - i >= (size_t)(count); i += (size_t)(count)) \
        SK(tile)((count), vecs, ways, whole, k, a + i * row_step, row_step, k_step, b, bs, \
                 c + i * ldc, ldc, n, first)
#define SK_ALL_ROWS(vecs, ways, whole) { \
        SK_ROWS(vecs, ways, whole, SK_MOST(vecs, ways)); \
        if (SK_MOST(vecs, ways) > 4) SK_ROWS(vecs, ways, whole, 4); \
        if (SK_MOST(vecs, ways) > 2) SK_ROWS(vecs, ways, whole, 2); \
        SK_ROWS(vecs, ways, whole, 1); \
    }
#define SK_PANEL(vecs, ways) \
    SK_AT VAE__NOINLINE static void SK(panel_##vecs##_##ways)( \
        size_t m, size_t n, size_t k, const float *a, size_t row_step, size_t k_step, \
        const float *b, size_t bs, float *c, size_t ldc, int first) { \
        size_t i = 0; \
        if (n == (size_t)(vecs) * SK_W) SK_ALL_ROWS(vecs, ways, 1) \
        else SK_ALL_ROWS(vecs, ways, 0) \
    }
SK_PANEL(1, 1)
SK_PANEL(1, 2)
SK_PANEL(1, 4)
SK_PANEL(2, 1)
SK_PANEL(2, 2)
SK_PANEL(2, 4)
SK_PANEL(4, 1)
SK_PANEL(4, 2)
#if SK_SUMS >= 16
SK_PANEL(4, 4)
#endif
#undef SK_PANEL
#undef SK_ALL_ROWS
#undef SK_ROWS
#undef SK_MOST

/* k rows of a panel of B to dense rows of `width` floats, zeros beyond its n columns. */
SK_AT static void SK(pack)(int transposed, size_t width, size_t n, size_t k, const float *b,
                           size_t ldb, float *out) {
    size_t j, kk;
    if (!transposed) {
        for (kk = 0; kk < k; kk++)
            for (j = 0; j < width; j += SK_W)
                SK_STORE(out + kk * width + j, j + SK_W <= n ? SK_LOAD(b + kk * ldb + j)
                                               : SK_GET(b + kk * ldb + j, j < n ? n - j : 0));
        return;
    }
    for (j = 0; j < width; j += 4) {
        for (kk = 0; j + 4 <= n && kk + 4 <= k; kk += 4) {
            const float *from = b + j * ldb + kk;
            __m128 p = _mm_loadu_ps(from), q = _mm_loadu_ps(from + ldb);
            __m128 r = _mm_loadu_ps(from + 2 * ldb), s = _mm_loadu_ps(from + 3 * ldb);
            _MM_TRANSPOSE4_PS(p, q, r, s);
            _mm_storeu_ps(out + kk * width + j, p), _mm_storeu_ps(out + (kk + 1) * width + j, q);
            _mm_storeu_ps(out + (kk + 2) * width + j, r);
            _mm_storeu_ps(out + (kk + 3) * width + j, s);
        }
        if (j + 4 > n) kk = 0;
        for (; kk < k; kk++) {
            size_t q;
            for (q = j; q < j + 4; q++) out[kk * width + q] = q < n ? b[q * ldb + kk] : 0;
        }
    }
}

/* C = A B by tiles; `vecs` 1, 2 or 4, `ways` 1, 2 or 4: 0 if there is no such tile. */
SK_AT static int SK(tiles)(int vecs, int ways, int flags, size_t m, size_t n, size_t k,
                           const float *a, size_t lda, const float *b, size_t ldb, float *c,
                           size_t ldc) {
    typedef void (*panel)(size_t, size_t, size_t, const float *, size_t, size_t, const float *,
                          size_t, float *, size_t, int);
    static const panel panels[3][3] = {
        {SK(panel_1_1), SK(panel_1_2), SK(panel_1_4)},
        {SK(panel_2_1), SK(panel_2_2), SK(panel_2_4)},
#if SK_SUMS >= 16
        {SK(panel_4_1), SK(panel_4_2), SK(panel_4_4)}};
#else
        {SK(panel_4_1), SK(panel_4_2), NULL}};
#endif
    static float packed[8192]; /* a panel in the first-level cache */
    const size_t row_step = flags & VAE__GEMM_TRANS_A ? 1 : lda;
    const size_t k_step = flags & VAE__GEMM_TRANS_A ? lda : 1;
    const int transposed = (flags & VAE__GEMM_TRANS_B) != 0;
    size_t j = 0, cols;
    if (!panels[vecs / 2][ways / 2]) return 0;
    for (; j < n; j += cols) {
        const size_t left = (n - j + SK_W - 1) / SK_W;
        const int now = left >= (size_t)vecs ? vecs : left >= 2 && vecs > 2 ? 2 : 1;
        const panel run = panels[now / 2][ways / 2];
        const size_t width = (size_t)now * SK_W;
        const size_t most = 8192 / width < 512 ? 8192 / width : 512;
        size_t k0, depth;
        cols = n - j < width ? n - j : width;
        if (!transposed && (m <= 24 || n * k <= 1 << 18)) { /* no copy pays */
            run(m, cols, k, a, row_step, k_step, b + j, ldb, c + j, ldc, 1);
            continue;
        }
        for (k0 = 0; k0 < k; k0 += depth) { /* vae.h's runs are of other lengths; the bits same */
            depth = k - k0 < most ? k - k0 : most;
            SK(pack)(transposed, width, cols, depth, transposed ? b + j * ldb + k0
                                                                : b + k0 * ldb + j, ldb, packed);
            run(m, cols, depth, a + k0 * k_step, row_step, k_step, packed, width, c + j, ldc,
                k0 == 0);
        }
    }
    return 1;
}

/* C = A B by way of its transpose, B^T A^T: the order stays, and few columns become few rows. 0 if
 * there are too many outputs. */
SK_AT static int SK(turned)(int flags, size_t m, size_t n, size_t k, const float *a, size_t lda,
                            const float *b, size_t ldb, float *c, size_t ldc) {
    static float out[65536];
    const int mirrored = (flags & VAE__GEMM_TRANS_A ? 0 : VAE__GEMM_TRANS_B) |
                         (flags & VAE__GEMM_TRANS_B ? 0 : VAE__GEMM_TRANS_A);
    size_t i, j;
    if (n > 48 || m * n > 65536) return 0;
    SK(tiles)(SK_SUMS >= 16 ? 4 : 2, 1, mirrored, n, m, k, b, ldb, a, lda, out, m);
    for (i = 0; i < m; i++)
        for (j = 0; j < n; j++) c[i * ldc + j] = out[j * m + i];
    return 1;
}

/* rows x cols outputs, a and b both running along k. Few outputs have several sums each. */
VAE__INLINE SK_AT void SK(dot_tile)(const int rows, const int cols, const int ways, size_t k,
                                    const float *a, size_t lda, const float *b, size_t ldb,
                                    float *c, size_t ldc) {
    SK_V sum[4][4][8];
    float four[4];
    size_t kk;
    int i, j, w;
    VAE__UNROLL
    for (i = 0; i < rows; i++) {
        VAE__UNROLL
        for (j = 0; j < 4; j++) {
            VAE__UNROLL
            for (w = 0; w < ways; w++) sum[i][j][w] = SK_ZERO();
        }
    }
    for (kk = 0; kk + (size_t)ways * SK_W <= k; kk += (size_t)ways * SK_W) {
        VAE__UNROLL
        for (w = 0; w < ways; w++) {
            SK_V av[4];
            VAE__UNROLL
            for (i = 0; i < rows; i++) av[i] = SK_LOAD(a + (size_t)i * lda + kk + w * SK_W);
            VAE__UNROLL
            for (j = 0; j < cols; j++) {
                const SK_V bv = SK_LOAD(b + (size_t)j * ldb + kk + w * SK_W);
                VAE__UNROLL
                for (i = 0; i < rows; i++) sum[i][j][w] = SK_FMA(av[i], bv, sum[i][j][w]);
            }
        }
    }
    for (; kk < k; kk += SK_W) {
        const size_t rest = k - kk < SK_W ? k - kk : SK_W;
        SK_V av[4];
        VAE__UNROLL
        for (i = 0; i < rows; i++) av[i] = SK_GET(a + (size_t)i * lda + kk, rest);
        VAE__UNROLL
        for (j = 0; j < cols; j++) {
            const SK_V bv = SK_GET(b + (size_t)j * ldb + kk, rest);
            VAE__UNROLL
            for (i = 0; i < rows; i++) sum[i][j][0] = SK_FMA(av[i], bv, sum[i][j][0]);
        }
    }
    VAE__UNROLL
    for (i = 0; i < rows; i++) {
        VAE__UNROLL
        for (j = 0; j < cols; j++) {
            VAE__UNROLL
            for (w = 1; w < ways; w++) sum[i][j][0] = SK_ADD(sum[i][j][0], sum[i][j][w]);
        }
        _mm_storeu_ps(four, SK_SUM4(sum[i][0][0], sum[i][1][0], sum[i][2][0], sum[i][3][0]));
        memcpy(c + (size_t)i * ldc, four, (size_t)cols * sizeof(float));
    }
}

#define SK_DOTS(rows, cols) \
    SK_AT VAE__NOINLINE static void SK(dots_##rows##_##cols)( \
        size_t k, const float *a, size_t lda, const float *b, size_t ldb, float *c, size_t ldc) { \
        SK(dot_tile)(rows, cols, (rows) * (cols) < 8 ? 8 / ((rows) * (cols)) : 1, k, a, lda, b, \
                     ldb, c, ldc); \
    }
SK_DOTS(1, 1)
SK_DOTS(1, 2)
SK_DOTS(1, 4)
SK_DOTS(2, 1)
SK_DOTS(2, 2)
SK_DOTS(2, 4)
SK_DOTS(4, 1)
SK_DOTS(4, 2)
#if SK_SUMS >= 16
SK_DOTS(4, 4)
#endif
#undef SK_DOTS

/* C = A B by dots: 0 if A does not run along k or B is too large to be turned over. */
SK_AT static int SK(dots)(int flags, size_t m, size_t n, size_t k, const float *a, size_t lda,
                          const float *b, size_t ldb, float *c, size_t ldc) {
    typedef void (*dots)(size_t, const float *, size_t, const float *, size_t, float *, size_t);
    static const dots all[3][3] = {{SK(dots_1_1), SK(dots_1_2), SK(dots_1_4)},
                                   {SK(dots_2_1), SK(dots_2_2), SK(dots_2_4)},
#if SK_SUMS >= 16
                                   {SK(dots_4_1), SK(dots_4_2), SK(dots_4_4)}};
    const size_t most_rows = 4, most_cols = 4;
#else
                                   {SK(dots_4_1), SK(dots_4_2), NULL}};
    const size_t most_rows = m < 4 ? 2 : 4, most_cols = m < 4 ? 4 : 2;
#endif
    static float turned[65536];
    size_t i, j, rows, cols;
    if (flags & VAE__GEMM_TRANS_A) return 0;
    if (!(flags & VAE__GEMM_TRANS_B) && !(n == 1 && ldb == 1)) {
        const size_t width = (k + 3) & ~(size_t)3; /* turning is its own inverse */
        if (((n + 3) & ~(size_t)3) * width > 65536) return 0;
        SK(pack)(1, width, k, n, b, ldb, turned);
        b = turned, ldb = width;
    }
    for (j = 0; j < n; j += cols) {
        cols = n - j >= most_cols ? most_cols : n - j >= 2 ? 2 : 1;
        for (i = 0; i < m; i += rows) {
            rows = m - i >= most_rows ? most_rows : m - i >= 2 ? 2 : 1;
            all[rows / 2][cols / 2](k, a + i * lda, lda, b + j * ldb, ldb, c + i * ldc + j, ldc);
        }
    }
    return 1;
}

#undef SK
#undef SK_AT
#undef SK_V
#undef SK_W
#undef SK_SUMS
#undef SK_ZERO
#undef SK_SET1
#undef SK_LOAD
#undef SK_STORE
#undef SK_ADD
#undef SK_FMA
#undef SK_GET
#undef SK_PUT
#undef SK_SUM4
