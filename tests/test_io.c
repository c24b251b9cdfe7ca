/* >>io: model files. Files of the tests lie in one folder under TMPDIR and are removed. */
#include "models.h"
#include <limits.h>
#include <time.h>
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

TEST(a_model_file_keeps_every_setting_and_every_bit) {
    vae_desc d = small_desc(), a, b;
    size_t size, size2;
    unsigned char *bytes, *again;
    vae *m, *loaded = NULL;
    int i;
    d.encoder = "dense 12  tanh,dense 5", d.likelihood = "gaussian_learned 0.1";
    d.beta = 0.7, d.samples = 2, d.warmup_steps = 11, d.no_noise = 0;
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
        if (f->kind == VAE__KIND)
            CHECK(!strcmp(*vae__field_text(&a, f), *vae__field_text(&b, f)));
        if (f->kind == VAE__TEXT || f->kind == VAE__KIND) continue;
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
    vae__st_item item;
    CHECK_STATUS(vae__st_open(&st, bytes, size, "x", NULL, NULL), VAE_OK);
    CHECK_EQ(st.data_at % 64, 0);
    CHECK_EQ(st.data_size, 3 * 4 * m->parameters);
    CHECK_EQ(st.tensors, 3 * m->slot_count);
    CHECK(vae__st_look_up(&st, VAE__ST_TENSOR, "encoder.0.weight", &item));
    CHECK(item.tensor.begin == 0 && item.tensor.shape[0] == 30);
    CHECK(vae__st_look_up(&st, VAE__ST_TENSOR, "optim.m.encoder.0.weight", &item));
    CHECK_EQ(item.tensor.begin, 4 * m->parameters);
    vae__st_close(&st, NULL);
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

TEST(a_model_for_inference_saves_the_same_file_again_and_again) {
    vae_desc d = small_desc();
    vae *m, *a = NULL, *b = NULL;
    size_t size, size2, size3;
    unsigned char *bytes, *once, *twice;
    int inference;
    d.ema = 0.9;
    m = trained_model(&d);
    bytes = file_of(m, 0, &size);
    for (inference = 1; inference < 3; inference++) {
        vae_load_options o;
        memset(&o, 0, sizeof o);
        o.inference = inference;
        CHECK_STATUS(vae_load_memory(bytes, size, &o, &a, NULL), VAE_OK);
        once = file_of(a, VAE_SAVE_WEIGHTS_ONLY, &size2);
        CHECK_STATUS(vae_load_memory(once, size2, &o, &b, NULL), VAE_OK);
        twice = file_of(b, VAE_SAVE_WEIGHTS_ONLY, &size3);
        CHECK(size2 == size3 && !memcmp(once, twice, size2));
        CHECK(a->weights_only && b->weights_only && a->b1t == 1);
        free(once), free(twice);
        vae_destroy(a), vae_destroy(b);
    }
    free(bytes);
    vae_destroy(m);
}

TEST(parameters_are_used_in_place_when_asked_and_aligned) {
    vae_desc d = small_desc();
    vae *m = trained_model(&d);
    size_t size, need, need_copy, shift;
    unsigned char *bytes = file_of(m, 0, &size), *block = (unsigned char *)malloc(size + 64);
    float z[3] = {1, 0, -1}, want[30], got[30];
    CHECK_STATUS(vae_decode(m, BATCH(z, 1), want), VAE_OK);
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
        CHECK_STATUS(vae_decode(loaded, BATCH(z, 1), got), VAE_OK);
        CHECK(!memcmp(want, got, sizeof want));
        CHECK(vae_params_hash(loaded) == vae_params_hash(m));
        CHECK_STATUS(vae_train_step(loaded, BATCH(want, 1), NULL), VAE_ERR_STATE);
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
        {"batch=8", "beta1=8", "the setting beta1 is given twice", VAE_ERR_FORMAT},
        {"decoder.head.bias\"", "decoder.head.bios\"", "decoder.head.bias is missing",
         VAE_ERR_MISMATCH},
        {"\"F32\"", "\"I32\"", "is I32 [30,12], expected F32 [30,12]", VAE_ERR_MISMATCH},
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
        vae__st_close(&st, NULL);
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
        CHECK_SAYS(r, "more than the 10000 that are allowed (max_memory");
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
    CHECK_STATUS(vae_train_step(m, BATCH(x, 8), NULL), VAE_OK);
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
    CHECK_STATUS(vae__close_write(&w), VAE_OK);
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
    CHECK_STATUS(vae_claim_save(NULL, "x", 1, &r), VAE_ERR_NULL);
    CHECK_SAYS(r, "the claim is NULL");
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
        CHECK_STATUS(vae_file_save(path, "new", 3, &r), VAE_ERR_OPEN);
        CHECK_SAYS(r, "it is a folder");
        CHECK_EQ(beside(path), 0);
        rmdir(path);
        CHECK(mkfifo(path, 0600) == 0);
        CHECK_STATUS(vae_file_save(path, "new", 3, &r), VAE_ERR_OPEN);
        CHECK_SAYS(r, "a pipe");
        CHECK(stat(path, &st) == 0 && S_ISFIFO(st.st_mode));
        CHECK_EQ(beside(path), 0);
        remove(path);
    }
    { /* a lock of somebody else that has our name by now is his to remove */
        vae_claim claim;
        CHECK_STATUS(vae_claim_take(path, &claim, &r), VAE_OK);
        remove(lock);
        put_file(lock, "vae 1\n");
        vae_claim_drop(&claim);
        CHECK(file_holds(lock, "vae 1\n"));
        remove(lock);
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

/* ---- files that another tool has read and written anew ---- */

enum { AS_IT_IS, BY_NAME, BACKWARDS, OPTIMISER_FIRST, SHUFFLED };

/* What such a tool may change: the order of the tensors in the data and in the header, blanks,
 * escapes, the place and the order of the metadata, more metadata, spaces behind the header. */
typedef struct resave {
    int order;
    uint32_t seed; /* SHUFFLED: of both orders */
    int blanks, escapes, metadata_last;
    size_t pairs, padding; /* padding: spaces behind those that align the data */
    size_t strangers;      /* tensors of one byte that the model lacks */
} resave;

typedef struct tensor_of_file {
    char name[100], about[100]; /* about: dtype and shape as JSON */
    size_t begin, count;
    int number;
} tensor_of_file;

static int by_name(const void *a, const void *b) {
    return strcmp(((const tensor_of_file *)a)->name, ((const tensor_of_file *)b)->name);
}
static int by_number(const void *a, const void *b) {
    return ((const tensor_of_file *)a)->number - ((const tensor_of_file *)b)->number;
}

/* A JSON string; with `escapes` in hexadecimal, or with a backslash before a slash. */
static char *json_string(char *to, const char *text, int escapes) {
    *to++ = '"';
    for (; *text; text++) {
        if (escapes) to += sprintf(to, *text == '/' ? "\\/" : "\\u%04X", (unsigned char)*text);
        else *to++ = *text;
    }
    *to++ = '"';
    return to;
}

/* The file as such a tool would write it: free it. */
static unsigned char *resaved(const unsigned char *bytes, size_t size, const resave *how,
                              size_t *new_size) {
    const char *gap = how->blanks ? " \n\t " : "";
    vae__st st;
    vae__st_item item;
    vae__st_scan s;
    tensor_of_file *t;
    unsigned char *file;
    char *to, *metadata, *m, *value = (char *)malloc(size);
    size_t n = 0, i, data = 0, room, pairs = 0;
    uint32_t seed = how->seed;
    int step;
    memset(&st, 0, sizeof st);
    CHECK_STATUS(vae__st_open(&st, bytes, size, "x", NULL, NULL), VAE_OK);
    t = (tensor_of_file *)calloc(st.tensors + how->strangers, sizeof *t);
    room = 40 * (st.header_size + 100 * (how->pairs + how->strangers)) + how->padding + size;
    file = (unsigned char *)malloc(room);
    metadata = m = (char *)malloc(room);
    m += sprintf(m, "%s\"__metadata__\"%s:%s{", gap, gap, gap);
    for (i = 0; i < how->pairs; i++)
        m += sprintf(m, "\"note %d\":\"a remark of another tool, \\u00e9\\ud83d\\ude00\",", (int)i);
    for (s = vae__st_scan_of(&st); (step = vae__st_step(&s, &item)) != VAE__ST_END;) {
        char key[100];
        if (step == VAE__ST_METADATA) continue;
        CHECK(vae__st_copy(item.key, key, sizeof key) > 0);
        if (step == VAE__ST_PAIR) {
            CHECK(vae__st_copy(item.value, value, size) > 0);
            if (pairs++) *m++ = ',';
            m = json_string(m, key, how->escapes);
            m += sprintf(m, "%s:%s", gap, gap);
            m = json_string(m, value, how->escapes);
        } else {
            char *about = t[n].about;
            int k;
            strcpy(t[n].name, key);
            about += sprintf(about, "\"shape\":[");
            for (k = 0; k < item.tensor.rank; k++)
                about += sprintf(about, "%s%lu", k ? "," : "", (unsigned long)item.tensor.shape[k]);
            sprintf(about, "],%s\"dtype\":\"%s\"", gap, item.tensor.dtype);
            t[n].begin = item.tensor.begin, t[n].count = item.tensor.end - item.tensor.begin;
            t[n].number = how->order == BACKWARDS ? (int)(st.tensors - n) : (int)n;
            if (how->order == OPTIMISER_FIRST && key[0] != 'o') t[n].number += 1000000;
            n++;
        }
    }
    for (i = 0; i < how->strangers; i++, n++) {
        sprintf(t[n].name, "stranger.%lu", (unsigned long)i);
        strcpy(t[n].about, "\"shape\":[],\"dtype\":\"U8\"");
        t[n].begin = SIZE_MAX, t[n].count = 1, t[n].number = (int)n;
    }
    for (i = 0; how->order == SHUFFLED && i < n; i++)
        t[i].number = (int)((seed = seed * 1664525u + 1013904223u) >> 8);
    qsort(t, n, sizeof *t, how->order == BY_NAME ? by_name : by_number);
    to = (char *)file + 8;
    *to++ = '{';
    if (!how->metadata_last) to += sprintf(to, "%.*s}%s,", (int)(m - metadata), metadata, gap);
    for (i = 0; i < n; i++) { /* the header's order: another one if it is shuffled */
        const tensor_of_file *x = &t[how->order == SHUFFLED ? n - 1 - i : i];
        size_t begin = 0, k;
        for (k = 0; how->order == SHUFFLED && k < n - 1 - i; k++) begin += t[k].count;
        if (how->order != SHUFFLED) begin = data;
        data += x->count;
        if (i) *to++ = ',';
        to = json_string(to, x->name, how->escapes);
        to += sprintf(to, "%s:{%s\"data_offsets\"%s:[%lu,%s%lu],%s}", gap, gap, gap,
                      (unsigned long)begin, gap, (unsigned long)(begin + x->count), x->about);
    }
    if (how->metadata_last) to += sprintf(to, ",%.*s}", (int)(m - metadata), metadata);
    *to++ = '}';
    while ((to - (char *)file) % 8) *to++ = ' ';
    for (i = 0; i < how->padding; i++) *to++ = ' ';
    for (i = 0; i < 8; i++) file[i] = (unsigned char)((uint64_t)(to - (char *)file - 8) >> 8 * i);
    for (i = 0; i < n; i++) {
        if (t[i].begin == SIZE_MAX) *to = 7;
        else memcpy(to, bytes + st.data_at + t[i].begin, t[i].count);
        to += t[i].count;
    }
    *new_size = (size_t)(to - (char *)file);
    CHECK(*new_size < room);
    vae__st_close(&st, NULL);
    free(t), free(metadata), free(value);
    return file;
}

/* The file of another tool loads as ours does: the same model, which trains on to the same bits,
 * and encodes and decodes the same without a copy. */
static void same_after_resave(vae *m, const resave *how, int in_place) {
    float x[8 * 30], want[30], got[30], z[3] = {1, 0, -1};
    vae *a = NULL, *b = NULL;
    vae_load_options o;
    vae_report r;
    size_t size, size2, size3;
    unsigned char *bytes = file_of(m, 0, &size), *again;
    unsigned char *file = resaved(bytes, size, how, &size2);
    r.text[0] = 0;
    CHECK_STATUS(vae_load_memory(file, size2, NULL, &b, &r), VAE_OK);
    CHECK(!r.text[0]);
    CHECK_STATUS(vae_load_memory(bytes, size, NULL, &a, NULL), VAE_OK);
    if (b) {
        int i;
        CHECK(vae_params_hash(b) == vae_params_hash(m));
        again = file_of(b, 0, &size3); /* our writer puts all in its place again */
        CHECK(size3 == size && !memcmp(again, bytes, size));
        free(again);
        small_images(x, 8, 30);
        for (i = 0; i < 2; i++) {
            CHECK_STATUS(vae_train_step(a, BATCH(x, 8), NULL), VAE_OK);
            CHECK_STATUS(vae_train_step(b, BATCH(x, 8), NULL), VAE_OK);
        }
        again = file_of(b, 0, &size3);
        free(bytes);
        bytes = file_of(a, 0, &size);
        CHECK(size3 == size && !memcmp(again, bytes, size));
        free(again);
        vae_destroy(b);
    }
    vae_destroy(a);
    memset(&o, 0, sizeof o);
    o.inference = o.borrow = 1, b = NULL;
    CHECK_STATUS(vae_load_memory(file, size2, &o, &b, &r), VAE_OK);
    if (b) {
        CHECK_EQ(b->borrowed, in_place && !VAE__BIG_ENDIAN);
        CHECK_STATUS(vae_decode(m, BATCH(z, 1), want), VAE_OK);
        CHECK_STATUS(vae_decode(b, BATCH(z, 1), got), VAE_OK);
        CHECK(!memcmp(want, got, sizeof want));
        vae_destroy(b);
    }
    free(bytes), free(file);
}

TEST(a_file_with_its_tensors_in_any_order_is_the_same_model) {
    int i, order;
    for (i = 0; i < 4; i++) {
        vae_desc d = small_desc();
        vae *m;
        d.optimizer = i & 1 ? VAE_OPTIMIZER_SGD : VAE_OPTIMIZER_ADAM, d.ema = i & 2 ? 0.9 : 0;
        d.likelihood = "gaussian_learned";
        m = trained_model(&d);
        for (order = AS_IT_IS; order < SHUFFLED + 10; order++) {
            resave how;
            memset(&how, 0, sizeof how);
            how.order = order < SHUFFLED ? order : SHUFFLED, how.seed = (uint32_t)order;
            same_after_resave(m, &how, order == AS_IT_IS || order == OPTIMISER_FIRST);
        }
        vae_destroy(m);
    }
}

TEST(any_legal_spelling_of_a_file_is_the_same_model) {
    vae_desc d = small_desc();
    vae *m;
    int i;
    d.ema = 0.5;
    m = trained_model(&d);
    for (i = 0; i < 64; i++) {
        resave how;
        memset(&how, 0, sizeof how);
        how.order = i % 5, how.seed = (uint32_t)i;
        how.blanks = i & 1, how.escapes = i >> 1 & 1, how.metadata_last = i >> 2 & 1;
        how.pairs = i & 8 ? 1000 : 0, how.padding = i & 16 ? 70001 : i & 32 ? 8 : 0;
        same_after_resave(m, &how, how.padding % 4 == 0 &&
                          (how.order == AS_IT_IS || how.order == OPTIMISER_FIRST));
    }
    vae_destroy(m);
}

/* The checksum is over the tensors in the model's order: it still finds what it found. */
TEST(damage_to_a_file_in_another_order_is_found) {
    vae_desc d = small_desc();
    vae *m = trained_model(&d), *loaded = NULL;
    size_t size, size2, i;
    resave how;
    unsigned char *bytes = file_of(m, 0, &size), *file;
    int inference;
    vae_report r;
    memset(&how, 0, sizeof how);
    how.order = BY_NAME;
    file = resaved(bytes, size, &how, &size2);
    for (i = size2 - 3 * 4 * m->parameters; i < size2; i += 1009)
        for (inference = 0; inference < 3; inference++) {
            vae_load_options o;
            memset(&o, 0, sizeof o);
            o.inference = inference, o.borrow = inference != 0;
            file[i] ^= 4; /* a small change of a number, of the optimiser too */
            CHECK_STATUS(vae_load_memory(file, size2, &o, &loaded, &r), VAE_ERR_FORMAT);
            CHECK_SAYS(r, "checksum");
            file[i] ^= 4;
        }
    free(file);
    how.order = SHUFFLED, how.seed = 3; /* two tensors of one shape change their names */
    file = resaved(bytes, size, &how, &size2);
    patch(file, size2, "\"optim.m.encoder.0.weight", "\"optim.x.encoder.0.weight");
    patch(file, size2, "\"optim.v.encoder.0.weight", "\"optim.m.encoder.0.weight");
    patch(file, size2, "\"optim.x.encoder.0.weight", "\"optim.v.encoder.0.weight");
    CHECK_STATUS(vae_load_memory(file, size2, NULL, &loaded, &r), VAE_ERR_FORMAT);
    CHECK(test_says(r.text, "checksum") || test_says(r.text, "optim.v holds negative"));
    free(file);
    free(bytes);
    vae_destroy(m);
}

/* The largest network there may be, in the order that is the worst for whoever searches the header
 * from its beginning for each name: 8,000 names in 1 MB took 15 seconds. */
TEST(a_large_file_in_the_worst_order_loads_in_the_time_of_a_sort) {
    char *string = (char *)malloc(20000);
    vae_desc d = small_desc();
    vae *m = NULL;
    size_t size, i;
    unsigned char *bytes;
    string[0] = 0;
    for (i = 0; i < 254; i++) strcat(string, i ? ", batchnorm" : "batchnorm");
    d.input = "2", d.latent = 1, d.encoder = d.decoder = string, d.ema = 0.5;
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    bytes = file_of(m, 0, &size);
    for (i = 0; i < 6; i++) {
        resave how;
        vae_load_options o;
        vae_report r;
        vae *loaded = NULL;
        size_t size2;
        unsigned char *file;
        clock_t begun;
        int inference;
        memset(&how, 0, sizeof how);
        how.order = i & 1 ? SHUFFLED : BACKWARDS, how.seed = (uint32_t)i;
        if (i & 2) how.pairs = 1500; /* up to the limit of a header */
        if (i & 4) how.strangers = 2000;
        file = resaved(bytes, size, &how, &size2);
        begun = clock();
        for (inference = 0; inference < 3; inference++) {
            memset(&o, 0, sizeof o);
            o.inference = inference, o.borrow = inference != 0, loaded = NULL;
            CHECK_STATUS(vae_load_memory(file, size2, &o, &loaded, &r),
                         i & 4 ? VAE_ERR_MISMATCH : VAE_OK);
            if (i & 4) CHECK_SAYS(r, "'stranger.");
            else CHECK(loaded && vae_params_hash(loaded) == vae_params_hash(m));
            vae_destroy(loaded);
        }
        CHECK((double)(clock() - begun) / CLOCKS_PER_SEC < 10); /* 0.1 s; it does not hang */
        free(file);
    }
    free(bytes), free(string);
    vae_destroy(m);
}

/* ---- numbers, sizes and texts of a file ---- */

/* A copy of the file with the first `from` in its header replaced by `to`, of any length. */
static unsigned char *edited(const unsigned char *bytes, size_t size, const char *from,
                             const char *to, size_t *new_size) {
    const size_t n = strlen(from), k = strlen(to);
    unsigned char *file = (unsigned char *)malloc(size + k);
    uint64_t header = 0;
    size_t at, i;
    for (i = 0; i < 8; i++) header |= (uint64_t)bytes[i] << 8 * i;
    for (at = 8; at + n <= 8 + header && memcmp(bytes + at, from, n); at++) {}
    CHECK(at + n <= 8 + header);
    memcpy(file, bytes, at);
    memcpy(file + at, to, k);
    memcpy(file + at + k, bytes + at + n, size - at - n);
    header = header + k - n;
    for (i = 0; i < 8; i++) file[i] = (unsigned char)(header >> 8 * i);
    *new_size = size + k - n;
    return file;
}

TEST(numbers_of_a_file_have_limits_and_its_texts_are_harmless) {
#define NONE "0000000000000000"
#define INF "7ff0000000000000"
    static const struct {
        const char *from, *to, *says;
        vae_status status;
    } list[] = {
        {"\"vae.epoch\":\"0\"", "\"vae.epoch\":\"18446744073709551615\"",
         "vae.epoch is 18446744073709551615; it must lie from 0 to 1000000000", VAE_ERR_FORMAT},
        {"\"vae.epoch\":\"0\"", "\"vae.epoch\":\"1000000001\"", "from 0 to 1000000000",
         VAE_ERR_FORMAT},
        {"\"vae.epoch\":\"0\"", "\"vae.epoch\":\"1000000000\"", "", VAE_OK},
        {"\"vae.epoch\":\"0\"", "\"vae.epoch\":\"-1\"", "vae.epoch", VAE_ERR_FORMAT},
        {"\"vae.course\":\"0 0 0 ", "\"vae.course\":\"0 65537 0 ",
         "65537 cuts of the learning rate; there may be 65536", VAE_ERR_FORMAT},
        {"\"vae.course\":\"0 0 0 ", "\"vae.course\":\"0 65536 0 ", "impossible numbers",
         VAE_ERR_FORMAT}, /* in no epoch at all */
        {"\"vae.course\":\"0 0 0 " NONE " " NONE, "\"vae.course\":\"0 0 0 " NONE " " INF,
         "impossible numbers", VAE_ERR_FORMAT},
        {"\"vae.course\":\"0 0 0 " NONE, "\"vae.course\":\"0 0 0 " INF, "", VAE_OK}, /* of 0.1 */
        {"\"vae.position\":\"0 0 0 " NONE, "\"vae.position\":\"0 0 0 7ff8000000000000",
         "impossible numbers", VAE_ERR_FORMAT},
        {"\"vae.position\":\"0 0 0 ", "\"vae.position\":\"1 8 4294967296 ", "impossible numbers",
         VAE_ERR_FORMAT},
        {"\"vae.position\":\"0 0 0 ", "\"vae.position\":\"3 2 9 ", "impossible numbers",
         VAE_ERR_FORMAT},
        {"\"vae.position\":\"0 0 0 ", "\"vae.position\":\"4 5 9 ", "impossible numbers",
         VAE_ERR_FORMAT}, /* more steps than were ever done */
        {"\"vae.position\":\"0 0 0 ", "\"vae.position\":\"3 5 9 ", "", VAE_OK},
        {"\"vae.step\":\"3\"", "\"vae.step\":\"18446744073709551615\"", "impossible numbers",
         VAE_ERR_FORMAT},
        {"epochs=10", "epochs=2147483647", "x: vae.desc: epochs: expected a whole number from 1 to "
         "1000000000, found '2147483647'", VAE_ERR_FORMAT},
        {"epochs=10", "epochs=99999999999999999999", "epochs: expected a whole number from 1 to "
         "1000000000, found '99999999999999999999'", VAE_ERR_FORMAT},
        {"epochs=10", "epochs=1000000000", "", VAE_OK},
        {"latent=3", "latent=2000000000", "latent: expected a whole number from 1 to 16777216, "
         "found '2000000000'", VAE_ERR_FORMAT},
        {"batch=8", "batch=16777216", "bytes of memory, more than the 2147", VAE_ERR_SIZE},
        {"encoder=dense 12 tanh", "encoder=upsample 700, avgpool 700, upsample 700, avgpool 700, "
         "upsample 700, avgpool 700, upsample 700, avgpool 700, dense 12 tanh", "bytes of memory, more than the 2147",
         VAE_ERR_SIZE},
        {"seed=5", "seed=5; \\u001b]0;owned\\u0007=1", "'\\x1b]0', which version", VAE_ERR_MISMATCH},
        {"seed=5", "seed=\\u001b[2J", "seed: expected a whole number from 0 to "
         "18446744073709551615, found '\\x1b[2J'", VAE_ERR_FORMAT},
        {"seed=5", "seed=5\\u0000; lr=7", "zero byte", VAE_ERR_FORMAT},
        {"encoder=dense 12 tanh", "encoder=dense 12 \\u001b[2J", "'\\x1b'", VAE_ERR_SYNTAX},
        {"encoder=dense 12 tanh", "encoder=dense 12 \\u202e", "'\\xe2\\x80\\xae'",
         VAE_ERR_SYNTAX},
        {"6x5x1", "6x5x1\\u009b2J", "\\xc2\\x9b", VAE_ERR_SYNTAX},
        {"6x5x1", "6x5x1\\n\\u009b2J", "'\\xc2\\x9b2J', which version", VAE_ERR_MISMATCH},
        {"6x5x1", "6x5x1; latent", "expected name=value with semicolons between settings, found "
         "'latent'", VAE_ERR_FORMAT},
        {"likelihood=bernoulli", "likelihood=\\u0007", "likelihood, column 1: expected a "
         "likelihood, found '\\x07'", VAE_ERR_SYNTAX},
        {"variance=3ff0000000000000", "variance=one", "setting variance cannot be read",
         VAE_ERR_FORMAT},
        {"categories=256", "categories=many", "setting categories cannot be read", VAE_ERR_FORMAT},
        {"head=logvar", "head=sigma", "setting head cannot be read", VAE_ERR_FORMAT},
        {"code=identity", "code=", "setting code cannot be read", VAE_ERR_FORMAT},
        {"head=logvar", "head=logvar; head=abs", "setting head is given twice", VAE_ERR_FORMAT},
        {"likelihood=bernoulli; variance=3ff0000000000000", "likelihood=gaussian; variance="
         "c000000000000000", "a variance must lie from 1e-12 to 1e+12", VAE_ERR_SYNTAX},
        {"likelihood=bernoulli; variance=3ff0000000000000", "likelihood=gaussian; variance="
         "0000000000000000; posterior=spread", "posterior, column 1: expected a posterior, found "
         "'spread'", VAE_ERR_SYNTAX},
        {"code=identity", "code=identity; prior=normal 3", "prior, column 8: expected the end",
         VAE_ERR_SYNTAX},
        {"\"vae.format\":\"1\"", "\"vae.format\":\"\\u001b[2J\"", "vae.format is not 1",
         VAE_ERR_MISMATCH},
        {"\"encoder.0.weight\":{\"dtype\":\"F32\"",
         "\"encoder.0.weight\":{\"dtype\":\"\\u001b[2J\"",
         "is \\x1b[2J [30,12], expected F32 [30,12]", VAE_ERR_MISMATCH},
        {",\"encoder.0.weight\"", ",\"\\u001b\\u009b\":{\"dtype\":\"F32\",\"shape\":[0],"
         "\"data_offsets\":[0,0]},\"encoder.0.weight\"",
         "'\\x1b\\xc2\\x9b' is not part of the model",
         VAE_ERR_MISMATCH},
    };
    vae_desc d = small_desc();
    vae *m = trained_model(&d);
    size_t size, size2, i, k;
    unsigned char *bytes = file_of(m, 0, &size), *file;
    char *line = (char *)malloc(200000);
    for (i = 0; i <= sizeof list / sizeof list[0]; i++) {
        const int longest = i == sizeof list / sizeof list[0];
        vae *loaded = NULL;
        vae_report r;
        if (sizeof(size_t) < 8 && !longest && list[i].status == VAE_ERR_SIZE) continue;
        memset(&r, 0, sizeof r);
        memset(line, 'y', 199999); /* a setting with a name of 200 KB */
        memcpy(line, "seed=5; ", 8), line[199999] = 0;
        file = edited(bytes, size, longest ? "seed=5" : list[i].from, longest ? line : list[i].to,
                      &size2);
        CHECK_STATUS(vae__load(file, size2, "x", NULL, NULL, &loaded, &r),
                     longest ? VAE_ERR_MISMATCH : list[i].status);
        CHECK_SAYS(r, longest ? "yyy'.., which version" : list[i].says);
        if (r.text[0]) CHECK(!strncmp(r.text, "x: ", 3));
        for (k = 0; r.text[k]; k++) CHECK(r.text[k] >= 0x20 && r.text[k] != 0x7F);
        if (loaded) CHECK(vae__finite_d(loaded->at.best) && !loaded->at.best_epoch);
        vae_destroy(loaded);
        free(file);
    }
    free(bytes), free(line);
    vae_destroy(m);
}

/* The rate of a plateau is computed anew at each step, by as many multiplications as it was cut. */
TEST(no_file_makes_the_learning_rate_an_endless_sum) {
    static const char *const factors[] = {"3ff0000000000000", "3fefffffffffffff",
                                          "3fe0000000000000"};
    vae_desc d = small_desc();
    vae *m, *loaded = NULL;
    size_t size, size2, size3, i;
    unsigned char *bytes, *file, *file2;
    m = trained_model(&d);
    bytes = file_of(m, 0, &size);
    for (i = 0; i < 6; i++) {
        char factor[100];
        vae_info info;
        vae_report r;
        r.text[0] = 0;
        snprintf(factor, sizeof factor, "schedule=plateau; lr_steps=0; stages=; plateau=1; "
                 "lr_factor=%s", factors[i % 3]);
        file = edited(bytes, size, "schedule=constant; lr_steps=0; stages=; plateau=10; "
                      "lr_factor=3fe0000000000000", factor, &size2);
        file2 = edited(file, size2, "\"vae.course\":\"0 0 0 ", i < 3 ?
                       "\"vae.course\":\"0 65536 7 " :
                       "\"vae.course\":\"1 18446744073709551615 18446744073709551615 ", &size3);
        free(file);
        file = edited(file2, size3, "\"vae.epoch\":\"0\"", i < 3 ? "\"vae.epoch\":\"1000000000\"" :
                      "\"vae.epoch\":\"18446744073709551615\"", &size2);
        CHECK_STATUS(vae_load_memory(file, size2, NULL, &loaded, &r),
                     i < 3 ? VAE_OK : VAE_ERR_FORMAT);
        CHECK_SAYS(r, i < 3 ? "" : "vae.epoch is 18446744073709551615");
        if (loaded) {
            vae_get_info(loaded, &info);
            CHECK(i == 2 ? info.lr == 0 : i == 1 ? info.lr > 0 && info.lr < 1e-3 : info.lr == 1e-3);
            vae__note(loaded, 1e9); /* a test loss that is no better: there was the last cut */
            CHECK_EQ(loaded->at.cuts, VAE__MAX_CUTS);
            vae_destroy(loaded);
            loaded = NULL;
        }
        free(file), free(file2);
    }
    free(bytes);
    vae_destroy(m);
}

TEST(what_can_be_set_can_be_saved_and_loaded) {
    static const int good[] = {1, 77, 1000000000}, bad[] = {0, -1, 1000000001, INT_MAX, INT_MIN};
    vae_desc d = small_desc();
    vae *m = trained_model(&d), *loaded = NULL;
    size_t size, i;
    unsigned char *bytes;
    for (i = 0; i < 3; i++) {
        vae_desc got;
        CHECK_STATUS(vae_set_epochs(m, good[i]), VAE_OK);
        bytes = file_of(m, 0, &size);
        CHECK_STATUS(vae_load_memory(bytes, size, NULL, &loaded, NULL), VAE_OK);
        vae_get_desc(loaded, &got);
        CHECK_EQ(got.epochs, good[i]);
        vae_destroy(loaded);
        free(bytes);
    }
    for (i = 0; i < 5; i++) {
        CHECK_STATUS(vae_set_epochs(m, bad[i]), VAE_ERR_VALUE);
        CHECK_SAYS(*vae_last_report(m), "from 1 to 1000000000");
        CHECK_EQ(m->desc.epochs, 1000000000);
    }
    vae_destroy(m);
}

/* 5 KB that describe a network of gigabytes between two small layers. */
TEST(loading_has_a_limit_of_memory_that_is_told_and_can_be_raised) {
    vae_desc d = small_desc();
    vae *m, *loaded = NULL;
    size_t size, size2, need = 0, inference;
    unsigned char *bytes, *file;
    char limit[40];
    if (sizeof(size_t) < 8) SKIP("in 32 bits the address space ends first");
    m = trained_model(&d);
    bytes = file_of(m, 0, &size);
    file = edited(bytes, size, "encoder=dense 12 tanh", "encoder=upsample 700, avgpool 350, "
                  "avgpool 2, dense 12 tanh", &size2);
    snprintf(limit, sizeof limit, "more than the %lu that", 2147483648ul + 16 * size2);
    for (inference = 0; inference < 2; inference++) {
        vae_load_options o;
        vae_report r;
        counting c;
        char told[40];
        memset(&o, 0, sizeof o);
        o.inference = (int)inference, o.batch = 128;
        o.allocator = counting_allocator(&c);
        o.max_memory = SIZE_MAX;
        CHECK_STATUS(vae_load_size(file, size2, &o, &need, &r), VAE_OK);
        CHECK(need / 8 > (size_t)1 << 30);
        o.max_memory = 0;
        CHECK_STATUS(vae_load_memory(file, size2, &o, &loaded, &r), VAE_ERR_SIZE);
        snprintf(told, sizeof told, "needs %lu bytes", (unsigned long)need);
        CHECK_SAYS(r, told);
        CHECK_SAYS(r, limit);
        CHECK_SAYS(r, "max_memory");
        CHECK_STATUS(vae_load_size(file, size2, &o, &need, &r), VAE_ERR_SIZE);
        o.max_memory = need - 1; /* the limit itself is allowed */
        CHECK_STATUS(vae_load_size(file, size2, &o, &need, &r), VAE_ERR_SIZE);
        o.max_memory = need;
        CHECK_STATUS(vae_load_size(file, size2, &o, &need, &r), VAE_OK);
        o.max_memory = 0, o.memory = file, o.memory_size = size2; /* the caller's block */
        CHECK_STATUS(vae_load_memory(file, size2, &o, &loaded, &r), VAE_ERR_SIZE);
        CHECK_SAYS(r, "the memory block has");
        CHECK_EQ(c.calls, 0);
        CHECK(!loaded);
    }
    free(file), free(bytes);
    vae_destroy(m);
}

/* What can be told of a model without a buffer for it. */
TEST(a_model_to_look_at_takes_its_parameters_and_no_more) {
    vae_desc d = small_desc(), got, want;
    vae *m, *loaded = NULL;
    size_t size, size2, i, small;
    unsigned char *bytes;
    int borrow;
    float x[30] = {0}, z[3] = {0}, out[30];
    d.ema = 0.5;
    m = trained_model(&d);
    bytes = file_of(m, 0, &size);
    for (borrow = 0; borrow < 2; borrow++) {
        vae_load_options o;
        vae_report r;
        vae_info info, whole;
        vae_data data;
        vae_stats stats;
        vae_tensor t, u;
        double kl[3];
        size_t dims[2] = {1, 30};
        memset(&o, 0, sizeof o);
        o.inference = 2, o.borrow = borrow;
        CHECK_STATUS(vae_load_memory(bytes, size, &o, &loaded, &r), VAE_OK);
        if (!loaded) break;
        vae_get_info(loaded, &info), vae_get_info(m, &whole);
        vae_get_desc(loaded, &got), vae_get_desc(m, &want);
        CHECK(!strcmp(got.encoder, want.encoder) && got.batch == want.batch);
        CHECK(info.parameters == whole.parameters && info.step == 3 && info.lr == whole.lr);
        small = 2 * 4 * info.parameters + 64 * 1024;
        CHECK(info.memory < small && info.memory_activations < 4096);
        CHECK(vae_params_hash(loaded) == vae_params_hash(m));
        for (i = 0; i < info.tensors; i++) {
            CHECK_STATUS(vae_tensor_at(loaded, i, &t), VAE_OK);
            CHECK_STATUS(vae_tensor_at(m, i, &u), VAE_OK);
            CHECK(!strcmp(t.name, u.name) && !memcmp(t.data, u.data, 4 * t.count));
        }
        CHECK_STATUS(vae_save_size(loaded, VAE_SAVE_WEIGHTS_ONLY, &size2), VAE_OK);
        CHECK_STATUS(vae_data_wrap(VAE_F32, 2, dims, x, &data, NULL), VAE_OK);
        CHECK_STATUS(vae_encode(loaded, BATCH(x, 1), out, NULL), VAE_ERR_STATE);
        CHECK_SAYS(*vae_last_report(loaded), "looked at");
        CHECK_STATUS(vae_posterior(loaded, BATCH(x, 1, .eps = z), out), VAE_ERR_STATE);
        CHECK_STATUS(vae_decode(loaded, BATCH(z, 1), out), VAE_ERR_STATE);
        CHECK_STATUS(vae_decode_logits(loaded, BATCH(z, 1), out), VAE_ERR_STATE);
        CHECK_STATUS(vae_draw(loaded, BATCH(z, 1), 1, out), VAE_ERR_STATE);
        CHECK_STATUS(vae_reconstruct(loaded, BATCH(x, 1), out), VAE_ERR_STATE);
        CHECK_STATUS(vae_prior(loaded, BATCH(NULL, 1), 1, out), VAE_ERR_STATE);
        CHECK_SAYS(*vae_last_report(loaded), "looked at");
        CHECK_STATUS(vae_sample_prior(loaded, BATCH(NULL, 1), 1, out), VAE_ERR_STATE);
        CHECK_STATUS(vae_score(loaded, BATCH(x, 1), out, NULL, NULL), VAE_ERR_STATE);
        CHECK_STATUS(vae_bound(loaded, BATCH(x, 1), 3, out), VAE_ERR_STATE);
        CHECK_STATUS(vae_evaluate(loaded, &data, &stats), VAE_ERR_STATE);
        CHECK_STATUS(vae_units(loaded, &data, kl, NULL), VAE_ERR_STATE);
        CHECK_STATUS(vae_train_step(loaded, BATCH(x, 1), NULL), VAE_ERR_STATE);
        CHECK_STATUS(vae_fit(loaded, &data, NULL, NULL, NULL), VAE_ERR_STATE);
        vae_destroy(loaded);
        loaded = NULL;
    }
    { /* a network whose activations nobody could hold */
        size_t need = 0;
        vae_desc big = small_desc();
        big.encoder = "upsample 700, avgpool 700, dense 2", big.decoder = "dense 2", big.batch = 1;
        big.inference = 2;
        CHECK_STATUS(vae_size(&big, &need, NULL), VAE_OK);
        CHECK(need < 20000);
        big.batch = VAE_MAX_DIM;
        CHECK_STATUS(vae_size(&big, &size2, NULL), VAE_OK);
        CHECK_EQ(size2, need);
    }
    free(bytes);
    vae_destroy(m);
}

TEST(a_tensor_of_another_shape_is_told_with_both_shapes) {
    static const struct {
        const char *from, *to, *says;
    } list[] = {
        {"\"encoder.0.weight\":{\"dtype\":\"F32\",\"shape\":[3,3,1,4]",
         "\"encoder.0.weight\":{\"dtype\":\"F32\",\"shape\":[1,4,3,3]",
         "x: the tensor encoder.0.weight is F32 [1,4,3,3], expected F32 [3,3,1,4]"},
        {"\"encoder.0.weight\":{\"dtype\":\"F32\",\"shape\":[3,3,1,4]",
         "\"encoder.0.weight\":{\"dtype\":\"I32\",\"shape\":[36]",
         "the tensor encoder.0.weight is I32 [36], expected F32 [3,3,1,4]"},
        {"\"encoder.0.bias\":{\"dtype\":\"F32\",\"shape\":[4]",
         "\"encoder.0.bias\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,4]",
         "encoder.0.bias is F32 [1,1,1,1,1,1,1,4], expected F32 [4]"},
        {"\"optim.v.encoder.0.bias\":{\"dtype\":\"F32\",\"shape\":[4]",
         "\"optim.v.encoder.0.bias\":{\"dtype\":\"F64\",\"shape\":[2]",
         "optim.v.encoder.0.bias is F64 [2], expected F32 [4]"},
        {"encoder=conv 4 3x3/2 relu", "encoder=conv 4 4x4/2 relu",
         "the tensor encoder.0.weight is F32 [3,3,1,4], expected F32 [4,4,1,4]"},
    };
    vae_desc d = small_desc();
    vae *m, *loaded = NULL;
    size_t size, size2, i;
    int inference;
    unsigned char *bytes, *file;
    d.encoder = "conv 4 3x3/2 relu";
    m = trained_model(&d);
    bytes = file_of(m, 0, &size);
    for (i = 0; i < sizeof list / sizeof list[0]; i++)
        for (inference = 0; inference < 3; inference++) {
            vae_load_options o;
            vae_report r;
            memset(&o, 0, sizeof o);
            o.inference = inference;
            file = edited(bytes, size, list[i].from, list[i].to, &size2);
            CHECK_STATUS(vae__load(file, size2, "x", &o, NULL, &loaded, &r), VAE_ERR_MISMATCH);
            CHECK_SAYS(r, list[i].says);
            free(file);
        }
    free(bytes);
    vae_destroy(m);
}

/* A film, or a file with a hole of a terabyte: nothing but the header is read of it. */
TEST(what_is_no_model_is_refused_before_all_of_it_is_read) {
#if defined(__unix__)
    static const char header[] = "{\"x\":{\"dtype\":\"U8\",\"shape\":[1099511627776],"
                                 "\"data_offsets\":[0,1099511627776]}}     ";
    vae_desc d = small_desc();
    vae *m = trained_model(&d), *loaded = NULL;
    char path[400];
    int i;
    if (sizeof(off_t) < 8 || sizeof(size_t) < 8) SKIP("files end at 2 GB");
    snprintf(path, sizeof path, "%s", temp_path("hole.safetensors"));
    for (i = 0; i < 5; i++) {
        const off_t size = (off_t)1 << 40;
        unsigned char length[8] = {0};
        FILE *f;
        vae_load_options o;
        vae_report r;
        counting c;
        memset(&o, 0, sizeof o);
        o.allocator = counting_allocator(&c);
        if (i == 4) CHECK_STATUS(vae_save(m, path, 0), VAE_OK);
        f = fopen(path, i == 4 ? "r+b" : "wb");
        CHECK(f != NULL);
        if (!f) break;
        length[0] = sizeof header - 1;
        if (i == 1) length[5] = 1; /* longer than any header */
        if (i == 2) length[2] = 15; /* zeros where the header should be */
        if (i == 1 || i == 2) fwrite(length, 1, 8, f);
        if (i == 3) fwrite(length, 1, 8, f), fwrite(header, 1, sizeof header - 1, f);
        fclose(f);
        if (truncate(path, i == 3 ? size + 8 + (off_t)sizeof header - 1 : size) != 0) {
            remove(path), vae_destroy(m);
            SKIP("this file system has no holes");
        }
        c.most = 2 << 20;
        CHECK_STATUS(vae_load(path, &o, &loaded, &r), i == 3 ? VAE_ERR_MISMATCH : VAE_ERR_FORMAT);
        CHECK_SAYS(r, i == 0 ? "expected '{'" : i == 1 ? "too large" : i == 2 ? "expected '{'" :
                      i == 3 ? "no vae.format" : "trailing bytes");
        CHECK_EQ(c.live, 0);
        CHECK(!loaded);
    }
    remove(path);
    vae_destroy(m);
#else
    SKIP("needs truncate");
#endif
}

TEST(a_model_is_read_from_a_plain_file_only_and_nothing_is_waited_for) {
#if defined(__unix__)
    char path[400], fifo[450];
    vae_desc d = small_desc();
    vae *m = trained_model(&d);
    int status = 0;
    pid_t child;
    snprintf(path, sizeof path, "%s", temp_path("plain.safetensors"));
    snprintf(fifo, sizeof fifo, "%s.fifo", path);
    CHECK(mkfifo(fifo, 0600) == 0);
    CHECK_STATUS(vae_save(m, path, 0), VAE_OK);
    vae_destroy(m);
    fflush(stdout);
    child = fork(); /* whoever waits is ended by the alarm */
    if (child == 0) {
        const char *names[4];
        vae *loaded = NULL;
        vae_report r;
        int i, bad = 0;
        names[0] = fifo, names[1] = "/dev/null", names[2] = "/dev/zero", names[3] = "/dev/tty";
        alarm(20);
        for (i = 0; i < 4; i++) {
            const vae_status s = vae_load(names[i], NULL, &loaded, &r);
            bad |= s != VAE_ERR_READ && !(i == 3 && s == VAE_ERR_OPEN); /* without a terminal */
            bad |= s == VAE_ERR_READ && !strstr(r.text, "expected a plain file");
        }
        _exit(bad || loaded);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK_EQ(status, 0);
    { /* a link to a plain file is one */
        vae *loaded = NULL;
        remove(fifo);
        CHECK(symlink(path, fifo) == 0);
        CHECK_STATUS(vae_load(fifo, NULL, &loaded, NULL), VAE_OK);
        vae_destroy(loaded);
    }
    remove(fifo), remove(path);
#else
    SKIP("needs mkfifo");
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
    RUN(a_model_for_inference_saves_the_same_file_again_and_again);
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
    RUN(a_file_with_its_tensors_in_any_order_is_the_same_model);
    RUN(any_legal_spelling_of_a_file_is_the_same_model);
    RUN(damage_to_a_file_in_another_order_is_found);
    RUN(a_large_file_in_the_worst_order_loads_in_the_time_of_a_sort);
    RUN(numbers_of_a_file_have_limits_and_its_texts_are_harmless);
    RUN(no_file_makes_the_learning_rate_an_endless_sum);
    RUN(what_can_be_set_can_be_saved_and_loaded);
    RUN(loading_has_a_limit_of_memory_that_is_told_and_can_be_raised);
    RUN(a_model_to_look_at_takes_its_parameters_and_no_more);
    RUN(a_tensor_of_another_shape_is_told_with_both_shapes);
    RUN(what_is_no_model_is_refused_before_all_of_it_is_read);
    RUN(a_model_is_read_from_a_plain_file_only_and_nothing_is_waited_for);
    remove_temp();
}
