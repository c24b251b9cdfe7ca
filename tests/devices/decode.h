/* What host and device both do: a model out of a block of bytes, used where it lies, in a block of memory;
 * then decodes, whose bits are printed. say(text) prints. */
static float decode_output[2 * 64];
static unsigned char decode_memory[24 << 10];

static void decode_say_hash(const char *what, uint64_t hash) {
    char text[18];
    int i;
    for (i = 0; i < 16; i++) text[i] = "0123456789abcdef"[hash >> (60 - 4 * i) & 15];
    text[16] = '\n', text[17] = 0;
    say(what);
    say(text);
}

static uint64_t decode_hash(uint64_t hash, const float *x, int count) { /* FNV-1a over the bits */
    int i, shift;
    for (i = 0; i < count; i++) {
        union { float x; uint32_t u; } bits;
        bits.x = x[i];
        for (shift = 0; shift < 32; shift += 8)
            hash = (hash ^ (bits.u >> shift & 255)) * 0x100000001b3u;
    }
    return hash;
}

/* 0 when all went well. `loaded` is called when the model is there. */
static int decode(const void *bytes, size_t size, void (*loaded)(void)) {
    static vae_report report;
    static const vae_load_options none;
    vae_load_options options = none;
    uint64_t means = 0xcbf29ce484222325u, logits = means;
    float z[2 * 3];
    vae *m = NULL;
    int i;
    options.inference = options.borrow = 1;
    options.batch = 2;
    options.memory = decode_memory, options.memory_size = sizeof decode_memory;
    if (vae_load_memory(bytes, size, &options, &m, &report)) {
        say(report.text);
        say("\n");
        return 1;
    }
    loaded();
    for (i = 0; i < 8; i++) {
        static const vae_batch empty;
        vae_batch b = empty;
        int j;
        for (j = 0; j < 6; j++) z[j] = (float)((i * 6 + j) * 37 % 101 - 50) / 16;
        b.x = z, b.rows = 2;
        if (vae_decode(m, &b, decode_output)) return 1;
        means = decode_hash(means, decode_output, 2 * 64);
        if (vae_decode_logits(m, &b, decode_output)) return 1;
        logits = decode_hash(logits, decode_output, 2 * 64);
    }
    decode_say_hash("means  ", means);
    decode_say_hash("logits ", logits);
    vae_destroy(m);
    return 0;
}
