/* >>io: model files. Files of the tests lie in one folder under TMPDIR and are removed. */
#if defined(__unix__)
#include <signal.h>
#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

static const char *temp_path(const char *name) {
    static char folder[300], path[400];
    if (!folder[0]) {
        const char *base = getenv("TMPDIR");
        snprintf(folder, sizeof folder, "%s/vae-test-XXXXXX", base && *base ? base : "/tmp");
        if (!mkdtemp(folder)) folder[0] = 0;
    }
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* A model a few steps into training, and its file in memory (free it). */
static vae *trained_model(const vae_desc *d) {
    float x[8 * 30];
    vae *m = NULL;
    int i;
    small_images(x, 8, 30);
    CHECK_STATUS(vae_create(d, &m, NULL), VAE_OK);
    for (i = 0; i < 3; i++) CHECK_STATUS(vae_train_step(m, x, NULL, 8, NULL), VAE_OK);
    return m;
}
static unsigned char *file_of(vae *m, int flags, size_t *size) {
    unsigned char *bytes;
    CHECK_STATUS(vae_save_size(m, flags, size), VAE_OK);
    bytes = (unsigned char *)malloc(*size);
    CHECK_STATUS(vae_save_memory(m, flags, bytes, *size), VAE_OK);
    return bytes;
}

TEST(a_model_file_keeps_every_setting_and_every_bit) {
    vae_desc d = small_desc(), a, b;
    size_t size, size2;
    unsigned char *bytes, *again;
    vae *m, *loaded = NULL;
    int i;
    d.encoder = "dense 12  tanh,dense 5", d.likelihood = VAE_LIKELIHOOD_GAUSSIAN_LEARNED;
    d.variance = 0.1, d.beta = 0.7, d.samples = 2, d.warmup = 11, d.no_noise = 0;
    d.binarize = VAE_BINARIZE_DYNAMIC, d.lr = 1.0 / 3, d.beta1 = 0.85, d.clip = 5, d.ema = 0.99;
    d.schedule = VAE_SCHEDULE_STAGES, d.stage_count = 2, d.stages[0].steps = 3;
    d.stages[0].lr = 1e-4, d.stages[1].steps = 9, d.stages[1].lr = 1e-5, d.epochs = 77;
    d.seed = 0xfedcba9876543210u, d.weight_decay = 1e-3, d.momentum = 0.25;
    m = trained_model(&d);
    bytes = file_of(m, 0, &size);
    CHECK_STATUS(vae_load_memory(bytes, size, NULL, &loaded, NULL), VAE_OK);
    vae_get_desc(m, &a);
    vae_get_desc(loaded, &b);
    CHECK(!strcmp(a.encoder, b.encoder) && !strcmp(b.encoder, "dense 12 tanh, dense 5"));
    CHECK(!strcmp(a.decoder, b.decoder) && !strcmp(a.input, b.input));
    for (i = 0; i < VAE__FIELD_COUNT; i++) {
        const vae__field *f = &vae__fields[i];
        if (f->kind == VAE__TEXT) continue;
        CHECK(!memcmp((char *)&a + f->offset, (char *)&b + f->offset,
                      f->kind == VAE__U64 || f->kind == VAE__REAL ? 8 : 4));
    }
    CHECK(!memcmp(a.stages, b.stages, sizeof a.stages) && a.stage_count == b.stage_count);
    CHECK(!memcmp(m->w, loaded->w, m->parameters * 4) && !memcmp(m->m, loaded->m, m->parameters * 4));
    CHECK(!memcmp(m->v, loaded->v, m->parameters * 4));
    CHECK(!memcmp(m->average, loaded->average, m->parameters * 4));
    CHECK(m->step == loaded->step && m->b1t == loaded->b1t && m->b2t == loaded->b2t);
    again = file_of(loaded, 0, &size2); /* the writer's bytes depend on the content alone */
    CHECK(size == size2 && !memcmp(bytes, again, size));
    free(bytes), free(again);
    vae_destroy(m), vae_destroy(loaded);
}

TEST(the_data_begins_at_a_multiple_of_64_without_holes) {
    vae_desc d = small_desc();
    vae *m = trained_model(&d);
    size_t size;
    unsigned char *bytes = file_of(m, 0, &size);
    vae__st st;
    vae__st_tensor t;
    CHECK_STATUS(vae__st_open(&st, bytes, size, "x", NULL, NULL), VAE_OK);
    CHECK_EQ(st.data_at % 64, 0);
    CHECK_EQ(st.data_size, 3 * 4 * m->parameters);
    CHECK_EQ(st.tensors, 3 * m->slot_count);
    CHECK(vae__st_find(&st, "encoder.0.weight", &t) && t.begin == 0 && t.shape[0] == 30);
    CHECK(vae__st_find(&st, "optim.m.encoder.0.weight", &t) && t.begin == 4 * m->parameters);
    free(bytes);
    vae_destroy(m);
}

TEST(weights_only_leaves_the_optimiser_out) {
    vae_desc d = small_desc();
    vae *m = trained_model(&d), *loaded = NULL;
    size_t whole, small;
    unsigned char *bytes = file_of(m, VAE_SAVE_WEIGHTS_ONLY, &small);
    CHECK_STATUS(vae_save_size(m, 0, &whole), VAE_OK);
    CHECK(small < whole / 2);
    CHECK_STATUS(vae_load_memory(bytes, small, NULL, &loaded, NULL), VAE_OK);
    CHECK(vae_params_hash(m) == vae_params_hash(loaded));
    CHECK(loaded->b1t == 1 && loaded->m[0] == 0); /* the optimiser begins afresh */
    free(bytes);
    vae_destroy(m), vae_destroy(loaded);
}

TEST(parameters_are_used_in_place_when_asked_and_aligned) {
    vae_desc d = small_desc();
    vae *m = trained_model(&d);
    size_t size, need, need_copy, shift;
    unsigned char *bytes = file_of(m, 0, &size), *block = (unsigned char *)malloc(size + 64);
    float z[3] = {1, 0, -1}, want[30], got[30];
    CHECK_STATUS(vae_decode(m, z, 1, want), VAE_OK);
    for (shift = 0; shift < 8; shift++) {
        vae_load_options o;
        vae *loaded = NULL;
        counting c;
        char room[40000];
        memset(&o, 0, sizeof o);
        o.inference = 1, o.batch = 1;
        memcpy(block + shift, bytes, size);
        CHECK_STATUS(vae_load_size(block + shift, size, &o, &need_copy, NULL), VAE_OK);
        o.borrow = 1;
        CHECK_STATUS(vae_load_size(block + shift, size, &o, &need, NULL), VAE_OK);
        o.memory = room, o.memory_size = need;
        CHECK(need <= sizeof room);
        o.allocator = counting_allocator(&c);
        CHECK_STATUS(vae_load_memory(block + shift, size, &o, &loaded, NULL), VAE_OK);
        CHECK_EQ(c.calls, 0); /* with the caller's block there is no need of a heap */
        if (!loaded) break;
        if (((uintptr_t)(block + shift) & 3) == 0 && !VAE__BIG_ENDIAN) {
            CHECK(need + 4 * m->parameters <= need_copy + 64);
            CHECK((unsigned char *)loaded->w > block && (unsigned char *)loaded->w < block + size + 8);
        } else {
            CHECK_EQ(need, need_copy);
        }
        CHECK_STATUS(vae_decode(loaded, z, 1, got), VAE_OK);
        CHECK(!memcmp(want, got, sizeof want));
        CHECK(vae_params_hash(loaded) == vae_params_hash(m));
        CHECK_STATUS(vae_train_step(loaded, want, NULL, 1, NULL), VAE_ERR_STATE);
        CHECK_STATUS(vae_set_visible_bias(loaded, want), VAE_ERR_STATE);
        vae_destroy(loaded);
        CHECK(!memcmp(block + shift, bytes, size));
    }
    free(bytes), free(block);
    vae_destroy(m);
}

TEST(a_truncated_model_is_refused_at_every_length) {
    vae_desc d = small_desc();
    size_t size, cut;
    unsigned char *bytes;
    vae *m, *loaded = NULL;
    d.encoder = d.decoder = "", d.input = "4", d.latent = 1;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    bytes = file_of(m, 0, &size);
    for (cut = 0; cut < size; cut++) {
        unsigned char *part = (unsigned char *)malloc(cut + 1);
        vae_report r;
        memcpy(part, bytes, cut);
        CHECK_STATUS(vae_load_memory(part, cut, NULL, &loaded, &r), VAE_ERR_FORMAT);
        CHECK(loaded == NULL && r.text[0]);
        free(part);
    }
    free(bytes);
    vae_destroy(m);
}

TEST(a_flipped_bit_is_found_or_harmless) {
    vae_desc d = small_desc();
    size_t size, i;
    unsigned char *bytes;
    vae *m, *loaded;
    d.encoder = d.decoder = "", d.input = "4", d.latent = 1;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    bytes = file_of(m, 0, &size);
    for (i = 0; i < size * 8; i += i < 64 ? 1 : 3) {
        vae_status s;
        bytes[i / 8] ^= (unsigned char)(1u << i % 8);
        loaded = NULL;
        s = vae_load_memory(bytes, size, NULL, &loaded, NULL);
        /* what loads has the same weights: a setting, a blank or a name no one reads was hit */
        if (s == VAE_OK) CHECK(vae_params_hash(loaded) == vae_params_hash(m));
        else CHECK(loaded == NULL);
        vae_destroy(loaded);
        bytes[i / 8] ^= (unsigned char)(1u << i % 8);
    }
    free(bytes);
    vae_destroy(m);
}

/* Replaces the first `from` in the header by `to`, of the same length. */
static void patch(unsigned char *bytes, size_t size, const char *from, const char *to) {
    const size_t n = strlen(from);
    size_t i;
    for (i = 0; i + n <= size; i++) {
        if (!memcmp(bytes + i, from, n)) {
            memcpy(bytes + i, to, n);
            return;
        }
    }
    CHECK(!"the text to patch is there");
}

TEST(files_of_another_making_are_refused_with_the_reason) {
    static const struct {
        const char *from, *to, *says;
        vae_status status;
    } list[] = {
        {"dense 12 tanh", "dense 13 tanh", "encoder.0.weight", VAE_ERR_MISMATCH},
        {"dense 12 tanh", "dense 12 tank", "encoder, column 10", VAE_ERR_SYNTAX},
        {"\"vae.format\":\"1\"", "\"vae.format\":\"2\"", "vae.format is not 1", VAE_ERR_MISMATCH},
        {"\"vae.format\":\"1\"", "\"vae.formal\":\"1\"", "no vae.format", VAE_ERR_MISMATCH},
        {"latent=3", "latent=x", "latent", VAE_ERR_FORMAT},
        {"latent=3", "latin_=3", "latin_", VAE_ERR_MISMATCH},
        {"batch=8", "beta1=8", "cannot be read", VAE_ERR_FORMAT},
        {"decoder.head.bias\"", "decoder.head.bios\"", "decoder.head.bias is missing",
         VAE_ERR_MISMATCH},
        {"\"F32\"", "\"I32\"", "not F32", VAE_ERR_MISMATCH},
        {"\"vae.step\"", "\"vae.stop\"", "vae.step", VAE_ERR_FORMAT},
        {"encoder=dense 12 tanh", "encoder=dense 9999999", "", VAE_ERR_MISMATCH},
        {"\"vae.data_hash\":\"", "\"vae.data_hash\":\"", "", VAE_OK},
    };
    vae_desc d = small_desc();
    vae *m = trained_model(&d);
    size_t size, i;
    unsigned char *bytes = file_of(m, 0, &size), *copy = (unsigned char *)malloc(size);
    for (i = 0; i < sizeof list / sizeof list[0]; i++) {
        vae *loaded = NULL;
        vae_report r;
        r.text[0] = 0;
        memcpy(copy, bytes, size);
        patch(copy, size, list[i].from, list[i].to);
        CHECK_STATUS(vae_load_memory(copy, size, NULL, &loaded, &r), list[i].status);
        CHECK_SAYS(r, list[i].says);
        vae_destroy(loaded);
    }
    {
        vae *loaded = NULL;
        vae_report r;
        memcpy(copy, bytes, size);
        copy[size - 1] ^= 1; /* a damaged tensor */
        CHECK_STATUS(vae_load_memory(copy, size, NULL, &loaded, &r), VAE_ERR_FORMAT);
        CHECK_SAYS(r, "checksum");
    }
    free(bytes), free(copy);
    vae_destroy(m);
}

/* A number of the optimiser, or of the average, is as good as a weight. */
TEST(what_is_not_finite_is_neither_saved_nor_loaded) {
    vae_desc d = small_desc();
    size_t size, i;
    vae *m;
    d.ema = 0.9;
    m = trained_model(&d);
    for (i = 0; i < 4; i++) {
        float *arrays[4], kept;
        unsigned char *bytes = file_of(m, 0, &size);
        vae *loaded = NULL;
        vae__st st;
        vae_report r;
        arrays[0] = m->w, arrays[1] = m->m, arrays[2] = m->v, arrays[3] = m->average;
        kept = arrays[i][7];
        arrays[i][7] = vae__float_of(0x7f800000u);
        CHECK_STATUS(vae_save_memory(m, 0, bytes, size), VAE_ERR_NONFINITE);
        CHECK_SAYS(*vae_last_report(m), "encoder.0.weight");
        arrays[i][7] = kept;
        CHECK_STATUS(vae__st_open(&st, bytes, size, "x", NULL, NULL), VAE_OK);
        memset(bytes + st.data_at + 4 * (i * m->parameters + 7), 0xff, 4); /* a NaN in the file */
        CHECK_STATUS(vae_load_memory(bytes, size, NULL, &loaded, &r), VAE_ERR_NONFINITE);
        CHECK_SAYS(r, "encoder.0.weight");
        free(bytes);
    }
    vae_destroy(m);
}

TEST(positions_that_make_no_sense_and_halves_of_an_optimiser_are_refused) {
    vae_desc d = small_desc();
    vae *m = trained_model(&d), *loaded = NULL;
    size_t size;
    unsigned char *bytes = file_of(m, 0, &size);
    vae_report r;
    patch(bytes, size, "\"vae.position\":\"0 0 0", "\"vae.position\":\"0 9 9");
    CHECK_STATUS(vae_load_memory(bytes, size, NULL, &loaded, &r), VAE_ERR_FORMAT);
    CHECK_SAYS(r, "position");
    free(bytes);
    bytes = file_of(m, 0, &size);
    patch(bytes, size, "optim.v.encoder.0.weight", "optim.u.encoder.0.weight");
    CHECK_STATUS(vae_load_memory(bytes, size, NULL, &loaded, &r), VAE_ERR_MISMATCH);
    CHECK_SAYS(r, "optimiser");
    free(bytes);
    vae_destroy(m);
}

TEST(a_model_that_can_be_made_can_be_saved_and_loaded) {
    static const char *const inputs[] = {"16\n", " 4x4 ", "4x4x1", "1x1x16"};
    char *string = (char *)malloc(20000);
    size_t size, i;
    vae_desc d = small_desc();
    vae *m = NULL;
    for (i = 0; i < 4; i++) {
        vae *loaded = NULL;
        unsigned char *bytes;
        d.input = inputs[i];
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        bytes = file_of(m, 0, &size);
        CHECK_STATUS(vae_load_memory(bytes, size, NULL, &loaded, NULL), VAE_OK);
        vae_destroy(loaded), vae_destroy(m);
        free(bytes);
    }
    string[0] = 0; /* the deepest network there may be, with its optimiser and average */
    for (i = 0; i < 255; i++) strcat(string, i ? ", dense 1 leaky_relu" : "dense 1 leaky_relu");
    d.encoder = d.decoder = string, d.ema = 0.5;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    {
        vae *loaded = NULL;
        vae_load_options o;
        unsigned char *bytes = file_of(m, 0, &size);
        vae_report r;
        CHECK_STATUS(vae_load_memory(bytes, size, NULL, &loaded, NULL), VAE_OK);
        vae_destroy(loaded);
        memset(&o, 0, sizeof o);
        o.max_memory = 10000;
        CHECK_STATUS(vae_load_memory(bytes, size, &o, &loaded, &r), VAE_ERR_SIZE);
        CHECK_SAYS(r, "allowed");
        free(bytes);
    }
    vae_destroy(m);
    strcat(string, ", dense 1, dense 1");
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_ERR_SIZE);
    free(string);
}

TEST(loading_survives_every_failed_allocation) {
    vae_desc d = small_desc();
    vae *m = trained_model(&d);
    size_t size, n;
    unsigned char *bytes = file_of(m, 0, &size);
    for (n = 1; n < 50; n++) {
        vae_load_options o;
        counting c;
        vae *loaded = NULL;
        vae_status s;
        memset(&o, 0, sizeof o);
        o.allocator = counting_allocator(&c);
        c.fail_at = n;
        s = vae_load_memory(bytes, size, &o, &loaded, NULL);
        if (s == VAE_OK) {
            vae_destroy(loaded);
            CHECK_EQ(c.live, 0);
            break;
        }
        CHECK_STATUS(s, VAE_ERR_MEMORY);
        CHECK_EQ(c.live, 0);
    }
    CHECK(n >= 2 && n < 50);
    free(bytes);
    vae_destroy(m);
}

/* How many names in its folder begin with the path and go on. */
static int beside(const char *path) {
    int n = 0;
#if defined(__unix__)
    const char *name = strrchr(path, '/') + 1;
    char folder[400];
    struct dirent *e;
    DIR *dir;
    snprintf(folder, sizeof folder, "%.*s", (int)(name - path), path);
    dir = opendir(folder);
    CHECK(dir != NULL);
    while (dir && (e = readdir(dir)) != NULL)
        n += !strncmp(e->d_name, name, strlen(name)) && strcmp(e->d_name, name) &&
             !strstr(e->d_name, ".victim");
    if (dir) closedir(dir);
#else
    (void)path;
#endif
    return n;
}

TEST(save_and_load_by_path_and_their_errors) {
    vae_desc d = small_desc();
    vae *m = trained_model(&d), *loaded = NULL;
    char path[400], missing[450];
    vae_report r;
    snprintf(path, sizeof path, "%s", temp_path("model.safetensors"));
    CHECK_STATUS(vae_save(m, path, 0), VAE_OK);
    CHECK_STATUS(vae_load(path, NULL, &loaded, NULL), VAE_OK);
    CHECK(loaded && vae_params_hash(loaded) == vae_params_hash(m));
    vae_destroy(loaded);
    loaded = NULL;
    CHECK_EQ(beside(path), 0); /* no temporary and no lock stays */
    snprintf(missing, sizeof missing, "%s.missing", path);
    CHECK_STATUS(vae_load(missing, NULL, &loaded, &r), VAE_ERR_OPEN);
    CHECK_SAYS(r, "no such file");
    CHECK_STATUS(vae_load(temp_path(""), NULL, &loaded, &r), VAE_ERR_OPEN);
    CHECK_SAYS(r, "folder");
    snprintf(missing, sizeof missing, "%s/model", path); /* a file is not a folder */
    CHECK_STATUS(vae_save(m, missing, 0), VAE_ERR_OPEN);
    CHECK_SAYS(*vae_last_report(m), "not a folder");
    CHECK_STATUS(vae_save(m, "/no/such/folder/model", 0), VAE_ERR_OPEN);
    CHECK_SAYS(*vae_last_report(m), "no such file or folder");
    CHECK_STATUS(vae_save(m, NULL, 0), VAE_ERR_NULL);
    CHECK_STATUS(vae_load(NULL, NULL, &loaded, &r), VAE_ERR_NULL);
    remove(path);
    vae_destroy(m);
}

TEST(a_full_disk_leaves_the_old_file) {
#if defined(__unix__)
    vae_desc d = small_desc();
    vae *m = trained_model(&d), *loaded = NULL;
    uint64_t before = vae_params_hash(m);
    char path[400];
    float x[8 * 30];
    pid_t child;
    int status = 0;
    snprintf(path, sizeof path, "%s", temp_path("full.safetensors"));
    CHECK_STATUS(vae_save(m, path, 0), VAE_OK);
    small_images(x, 8, 30);
    CHECK_STATUS(vae_train_step(m, x, NULL, 8, NULL), VAE_OK);
    fflush(stdout);
    child = fork(); /* the limit must not stay with the tests */
    if (child == 0) {
        struct rlimit limit;
        int good;
        limit.rlim_cur = limit.rlim_max = 4096;
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        good = vae_save(m, path, 0) == VAE_ERR_WRITE &&
               strstr(vae_last_report(m)->text, "too large") && beside(path) == 0;
        _exit(good ? 0 : 1);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK_EQ(status, 0);
    CHECK_STATUS(vae_load(path, NULL, &loaded, NULL), VAE_OK);
    CHECK(loaded && vae_params_hash(loaded) == before);
    vae_destroy(loaded);
    remove(path);
    vae_destroy(m);
#else
    SKIP("needs setrlimit");
#endif
}

#if defined(__unix__)
/* In a process of its own: is `path` refused, with this in the sentence? */
static int child_is_refused(const char *path, const char *why) {
    pid_t child;
    int status = 1;
    fflush(stdout);
    child = fork();
    if (child == 0) {
        vae_report r;
        r.text[0] = 0;
        _exit(vae_file_save(path, "other", 5, &r) == VAE_ERR_OPEN && strstr(r.text, why) ? 0 : 1);
    }
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static int file_holds(const char *path, const char *want) {
    char text[64] = "";
    FILE *f = fopen(path, "rb");
    size_t got = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f) fclose(f);
    return f && got == strlen(want) && !memcmp(text, want, got);
}

static void put_file(const char *path, const char *text) {
    FILE *f = fopen(path, "wb");
    CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0);
}
#endif

TEST(two_writers_of_one_path_do_not_mix_and_the_second_is_told_who_is_first) {
#if defined(__unix__)
    char path[400], who[60];
    vae_claim claim, again;
    vae__writer w;
    vae_report r;
    snprintf(path, sizeof path, "%s", temp_path("twice"));
    snprintf(who, sizeof who, "process %d is writing it", (int)getpid());
    CHECK_STATUS(vae__open_write(&w, NULL, path, NULL), VAE_OK); /* one is at work */
    vae__putf(&w.sink, "whole");
    CHECK(child_is_refused(path, who));
    CHECK_STATUS(vae_file_save(path, "x", 1, &r), VAE_ERR_OPEN); /* as a second thread would be */
    CHECK_STATUS(vae__close_write(&w, NULL), VAE_OK);
    CHECK(file_holds(path, "whole"));
    CHECK_EQ(beside(path), 0);

    CHECK_STATUS(vae_claim_take(path, &claim, &r), VAE_OK); /* one is going to write */
    CHECK(child_is_refused(path, who));
    CHECK_STATUS(vae_claim_take(path, &again, &r), VAE_ERR_OPEN);
    CHECK_STATUS(vae_claim_save(&claim, "one", 3, &r), VAE_OK);
    CHECK(child_is_refused(path, who));
    CHECK_STATUS(vae_claim_save(&claim, "two", 3, &r), VAE_OK);
    vae_claim_drop(&claim);
    vae_claim_drop(&claim); /* nothing is held any more */
    CHECK_STATUS(vae_claim_save(&claim, "x", 1, &r), VAE_ERR_NULL);
    CHECK(file_holds(path, "two"));
    CHECK_EQ(beside(path), 0);
    CHECK_STATUS(vae_claim_take("", &claim, &r), VAE_ERR_OPEN);
    CHECK_STATUS(vae_claim_take(NULL, &claim, &r), VAE_ERR_NULL);
    remove(path);
#else
    SKIP("needs fork");
#endif
}

TEST(what_a_killed_writer_leaves_is_no_obstacle_and_goes) {
#if defined(__unix__)
    char path[400], name[450];
    pid_t child;
    int status = 0;
    snprintf(path, sizeof path, "%s", temp_path("killed"));
    fflush(stdout);
    child = fork();
    if (child == 0) {
        vae__writer w;
        if (vae__open_write(&w, NULL, path, NULL)) _exit(1);
        kill(getpid(), SIGKILL);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status));
    CHECK_EQ(beside(path), 2); /* the lock and the temporary */
    CHECK_STATUS(vae_file_save(path, "new", 3, NULL), VAE_OK);
    CHECK(file_holds(path, "new"));
    CHECK_EQ(beside(path), 0);
    snprintf(name, sizeof name, "%s.vae-lock", path);
    put_file(name, ""); /* killed before it could write its number; or the disk was full */
    CHECK_STATUS(vae_file_save(path, "newer", 5, NULL), VAE_OK);
    CHECK_EQ(beside(path), 0);
    remove(path);
#else
    SKIP("needs fork");
#endif
}

TEST(what_stands_at_the_names_of_a_writer_is_not_touched) {
#if defined(__unix__)
    char path[400], temp[450], lock[450], victim[450];
    vae_report r;
    struct stat st;
    int kind;
    snprintf(path, sizeof path, "%s", temp_path("planted"));
    snprintf(temp, sizeof temp, "%s.vae-%d", path, (int)getpid());
    snprintf(lock, sizeof lock, "%s.vae-lock", path);
    snprintf(victim, sizeof victim, "%s.victim", path);
    for (kind = 0; kind < 5; kind++) { /* symbolic link, hard link, pipe, folder, plain file */
        const char *const planted[] = {temp, lock};
        int i;
        for (i = 0; i < 2; i++) {
            put_file(victim, "precious");
            CHECK(kind == 0 ? symlink(victim, planted[i]) == 0 :
                  kind == 1 ? link(victim, planted[i]) == 0 :
                  kind == 2 ? mkfifo(planted[i], 0600) == 0 :
                  kind == 3 ? mkdir(planted[i], 0700) == 0 : 1);
            if (kind == 4) put_file(planted[i], "mine");
            remove(path);
            if (i == 0) { /* another name is taken */
                CHECK_STATUS(vae_file_save(path, "new", 3, &r), VAE_OK);
                CHECK(file_holds(path, "new"));
            } else {
                CHECK_STATUS(vae_file_save(path, "new", 3, &r), VAE_ERR_OPEN);
                CHECK_SAYS(r, ".vae-lock is in the way");
                CHECK(stat(path, &st) != 0);
            }
            CHECK(file_holds(victim, "precious"));
            CHECK(kind < 4 || file_holds(planted[i], "mine"));
            CHECK(remove(planted[i]) == 0);
            CHECK_EQ(beside(path), 0);
            remove(victim);
        }
    }
    { /* the target itself: a link is replaced, a folder refused */
        put_file(victim, "precious");
        remove(path);
        CHECK(symlink(victim, path) == 0);
        CHECK_STATUS(vae_file_save(path, "new", 3, &r), VAE_OK);
        CHECK(file_holds(victim, "precious") && file_holds(path, "new"));
        remove(path), remove(victim);
        CHECK(mkdir(path, 0700) == 0);
        CHECK_STATUS(vae_file_save(path, "new", 3, &r), VAE_ERR_WRITE);
        CHECK_EQ(beside(path), 0);
        rmdir(path);
    }
#else
    SKIP("needs links");
#endif
}

TEST(a_file_that_is_replaced_keeps_its_mode_and_owner) {
#if defined(__unix__)
    char path[400];
    struct stat st;
    const mode_t mask = umask(022);
    snprintf(path, sizeof path, "%s", temp_path("mode"));
    CHECK_STATUS(vae_file_save(path, "new", 3, NULL), VAE_OK);
    CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0644);
    CHECK(chmod(path, 0640) == 0);
    if (geteuid() == 0) CHECK(chown(path, 12345, 54321) == 0);
    CHECK_STATUS(vae_file_save(path, "newer", 5, NULL), VAE_OK);
    CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0640);
    if (geteuid() == 0) CHECK(st.st_uid == 12345 && st.st_gid == 54321);
    umask(mask);
    remove(path);
#else
    SKIP("needs modes");
#endif
}

TEST(a_descriptor_that_was_closed_does_not_become_a_file) {
#if defined(__unix__)
    char path[400];
    pid_t child;
    int status = 1;
    snprintf(path, sizeof path, "%s", temp_path("closed"));
    fflush(stdout);
    child = fork();
    if (child == 0) {
        vae_claim claim;
        vae_data data;
        static const unsigned char idx[] = {0, 0, 8, 1, 0, 0, 0, 2, 5, 6};
        int bad;
        close(0), close(1), close(2);
        bad = vae_claim_take(path, &claim, NULL) != VAE_OK;
        bad |= write(1, "rubbish", 7) >= 0 || write(2, "rubbish", 7) >= 0;
        bad |= vae_claim_save(&claim, idx, sizeof idx, NULL) != VAE_OK;
        vae_claim_drop(&claim);
        bad |= vae_data_load(path, NULL, &data, NULL) != VAE_OK;
        bad |= data.count != 2 || ((const unsigned char *)data.bytes)[1] != 6;
        _exit(bad);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK_EQ(status, 0);
    remove(path);
#else
    SKIP("needs fork");
#endif
}

static void remove_temp(void) {
    char path[400];
    snprintf(path, sizeof path, "%s", temp_path(""));
    path[strlen(path) - 1] = 0;
    rmdir(path);
}

TESTS(io) {
    RUN(a_model_file_keeps_every_setting_and_every_bit);
    RUN(the_data_begins_at_a_multiple_of_64_without_holes);
    RUN(weights_only_leaves_the_optimiser_out);
    RUN(parameters_are_used_in_place_when_asked_and_aligned);
    RUN(a_truncated_model_is_refused_at_every_length);
    RUN(a_flipped_bit_is_found_or_harmless);
    RUN(files_of_another_making_are_refused_with_the_reason);
    RUN(what_is_not_finite_is_neither_saved_nor_loaded);
    RUN(positions_that_make_no_sense_and_halves_of_an_optimiser_are_refused);
    RUN(a_model_that_can_be_made_can_be_saved_and_loaded);
    RUN(loading_survives_every_failed_allocation);
    RUN(save_and_load_by_path_and_their_errors);
    RUN(a_full_disk_leaves_the_old_file);
    RUN(two_writers_of_one_path_do_not_mix_and_the_second_is_told_who_is_first);
    RUN(what_a_killed_writer_leaves_is_no_obstacle_and_goes);
    RUN(what_stands_at_the_names_of_a_writer_is_not_touched);
    RUN(a_file_that_is_replaced_keeps_its_mode_and_owner);
    RUN(a_descriptor_that_was_closed_does_not_become_a_file);
    remove_temp();
}
