/* Early stopping and the plateau of the rate. */
#include "models.h"

enum { COURSE_TRAIN = 16, COURSE_TEST = 24, COURSE_MOST = 200 };
typedef struct course {
    uint64_t calls, stop_at; /* stops at that call; 0: never */
    size_t epochs;           /* done */
    double loss[COURSE_MOST + 1], lr[COURSE_MOST + 1]; /* of the test after epoch i; then */
} course;
static int course_note(vae *m, const vae_progress *p, void *user) {
    course *c = (course *)user;
    if (p->epoch_done && c->epochs < COURSE_MOST) {
        CHECK(p->has_test);
        c->lr[c->epochs] = vae__lr_now(m);
        c->loss[c->epochs++] = p->test.loss;
    }
    return ++c->calls == c->stop_at;
}
/* So few images that a network learns them by heart. */
static vae_desc course_desc(float *x, vae_data *train, vae_data *test) {
    vae_desc d = small_desc();
    size_t i;
    small_images(x, COURSE_TRAIN + COURSE_TEST, 30);
    for (i = 0; i < (COURSE_TRAIN + COURSE_TEST) * 30; i++)
        x[i] = x[i] > (i / 30 % 3 ? 0.7f : 0.3f);
    *train = float_data(x, COURSE_TRAIN, 30);
    *test = float_data(x + COURSE_TRAIN * 30, COURSE_TEST, 30);
    d.lr = 2e-2, d.epochs = COURSE_MOST;
    return d;
}
/* The first epoch of `count`, from 1, with the lowest loss. */
static size_t course_best(const double *loss, size_t count) {
    size_t i, best = 1;
    for (i = 2; i <= count; i++)
        if (loss[i - 1] < loss[best - 1]) best = i;
    return best;
}

TEST(patience_ends_a_fit_after_its_epochs_without_a_lower_test_loss) {
    enum { PATIENCE = 4 };
    float x[(COURSE_TRAIN + COURSE_TEST) * 30];
    vae_data train, test;
    vae_desc d = course_desc(x, &train, &test);
    static course whole, c;
    vae_info info;
    vae *m = NULL;
    uint64_t hash, at;
    size_t e, best;
    d.patience = PATIENCE;
    memset(&whole, 0, sizeof whole);
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    vae_get_info(m, &info);
    CHECK(info.best_epoch == 0);
    CHECK_STATUS(vae_fit(m, &train, &test, course_note, &whole), VAE_OK);
    vae_get_info(m, &info);
    best = course_best(whole.loss, whole.epochs);
    CHECK(whole.epochs > PATIENCE + 2 && whole.epochs < COURSE_MOST); /* it learned, then not */
    CHECK_EQ(info.epoch, whole.epochs);
    CHECK_EQ(whole.epochs - best, PATIENCE);
    for (e = 1; e < whole.epochs; e++) CHECK(e - course_best(whole.loss, e) < PATIENCE);
    CHECK_EQ(info.best_epoch, best);
    CHECK(info.best == whole.loss[best - 1]);
    at = whole.calls;
    CHECK_STATUS(vae_fit(m, &train, &test, course_note, &whole), VAE_OK); /* it has ended */
    CHECK_EQ(whole.calls, at);
    hash = vae_params_hash(m);
    vae_destroy(m);
    for (at = 1; at <= whole.calls; at += at % 3 + 1) { /* two steps and an end an epoch */
        size_t size;
        unsigned char *bytes;
        memset(&c, 0, sizeof c);
        c.stop_at = at;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        CHECK_STATUS(vae_fit(m, &train, &test, course_note, &c),
                     at < whole.calls ? VAE_STOPPED : VAE_OK);
        bytes = file_of(m, 0, &size);
        vae_destroy(m);
        m = NULL;
        CHECK_STATUS(vae_load_memory(bytes, size, NULL, &m, NULL), VAE_OK);
        free(bytes);
        if (!m) return;
        CHECK_STATUS(vae_fit(m, &train, &test, course_note, &c), VAE_OK);
        vae_get_info(m, &info);
        CHECK(info.epoch == whole.epochs && info.best_epoch == best);
        CHECK(info.best == whole.loss[best - 1]);
        CHECK(vae_params_hash(m) == hash);
        CHECK_EQ(c.epochs, whole.epochs);
        CHECK(!memcmp(c.loss, whole.loss, whole.epochs * sizeof(double)));
        vae_destroy(m);
    }
    d.patience = 0, d.epochs = (int)whole.epochs + 2; /* the best is known without patience too */
    memset(&c, 0, sizeof c);
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    CHECK_STATUS(vae_fit(m, &train, &test, course_note, &c), VAE_OK);
    vae_get_info(m, &info);
    CHECK(info.epoch == whole.epochs + 2 && info.best_epoch == course_best(c.loss, c.epochs));
    vae_destroy(m);
}

TEST(a_plateau_cuts_the_rate_after_its_epochs_without_a_lower_test_loss) {
    enum { PLATEAU = 2, EPOCHS = 40 };
    float x[(COURSE_TRAIN + COURSE_TEST) * 30], before[1000];
    vae_data train, test;
    vae_desc d = course_desc(x, &train, &test);
    static course whole, c;
    double lr = 0.02, best = 1e300;
    vae_tensor t;
    vae_info info;
    vae *m = NULL;
    uint64_t hash, at;
    size_t e, since = 0, cuts = 0, i;
    d.schedule = VAE_SCHEDULE_PLATEAU, d.plateau_epochs = PLATEAU, d.lr_factor = 0.25;
    d.optimizer = VAE_OPTIMIZER_SGD, d.lr = lr, d.epochs = EPOCHS, d.keep_gradients = 1;
    memset(&whole, 0, sizeof whole);
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    CHECK_STATUS(vae_fit(m, &train, &test, course_note, &whole), VAE_OK);
    CHECK_EQ(whole.epochs, EPOCHS);
    for (e = 1; e <= EPOCHS; e++) {
        if (whole.loss[e - 1] < best) best = whole.loss[e - 1], since = e;
        if (e - since >= PLATEAU) lr *= 0.25, since = e, cuts++;
        CHECK_NEAR(whole.lr[e - 1], lr, 1e-12 * lr);
    }
    CHECK(cuts >= 2 && cuts < EPOCHS / PLATEAU - 2); /* it both waited and cut */
    hash = vae_params_hash(m);
    vae_get_info(m, &info);
    CHECK(info.parameters <= 1000 && vae_tensor_at(m, 0, &t) == VAE_OK);
    memcpy(before, t.data, info.parameters * sizeof(float));
    CHECK_STATUS(vae_train_step(m, BATCH(x, 8), NULL), VAE_OK);
    for (i = 0; i < info.parameters; i++) /* what SGD does at that rate */
        CHECK(ref_same(t.data[i], ref_fma(-(float)lr, t.grad[i], before[i])) ||
              fabs((double)t.data[i] - ((double)before[i] - lr * (double)t.grad[i])) <=
                  6e-8 * fabs((double)before[i]) + 1e-6 * lr * fabs((double)t.grad[i]));
    vae_destroy(m);
    for (at = 1; at < whole.calls; at += 7) {
        size_t size;
        unsigned char *bytes;
        memset(&c, 0, sizeof c);
        c.stop_at = at;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        CHECK_STATUS(vae_fit(m, &train, &test, course_note, &c), VAE_STOPPED);
        bytes = file_of(m, 0, &size);
        vae_destroy(m);
        m = NULL;
        CHECK_STATUS(vae_load_memory(bytes, size, NULL, &m, NULL), VAE_OK);
        free(bytes);
        if (!m) return;
        CHECK_STATUS(vae_fit(m, &train, &test, course_note, &c), VAE_OK);
        CHECK(vae_params_hash(m) == hash);
        CHECK(!memcmp(c.lr, whole.lr, sizeof whole.lr));
        vae_destroy(m);
    }
}

TEST(patience_and_a_plateau_need_test_data) {
    float x[(COURSE_TRAIN + COURSE_TEST) * 30];
    vae_data train, test;
    int way;
    for (way = 0; way < 2; way++) {
        vae_desc d = course_desc(x, &train, &test);
        vae_info info;
        vae *m = NULL;
        if (way) d.patience = 1;
        else d.schedule = VAE_SCHEDULE_PLATEAU;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        CHECK_STATUS(vae_fit(m, &train, NULL, NULL, NULL), VAE_ERR_NULL);
        CHECK_SAYS(*vae_last_report(m), "test data");
        vae_get_info(m, &info);
        CHECK_EQ(info.step, 0);
        vae_destroy(m);
    }
}

TEST(a_file_may_lack_its_course_but_not_have_a_wrong_one) {
    static const struct {
        const char *from, *to;
        vae_status status;
    } list[] = {{"\"vae.course\":\"1 0 0", "\"vae.course\":\"1 0 0", VAE_OK},
                {"\"vae.course\":\"1 0 0", "\"vae.course\":\"9 0 0", VAE_ERR_FORMAT},
                {"\"vae.course\":\"1 0 0", "\"vae.course\":\"1 3 0", VAE_ERR_FORMAT},
                {"\"vae.course\":\"1 0 0", "\"vae.course\":\"1 0 3", VAE_ERR_FORMAT},
                {"\"vae.course\":\"1 0 0", "\"vae.course\":\"1 x 0", VAE_ERR_FORMAT},
                {"\"vae.course\":\"1 0 0", "\"vae.course\":\"1 0  ", VAE_ERR_FORMAT}};
    float x[(COURSE_TRAIN + COURSE_TEST) * 30];
    vae_data train, test;
    vae_desc d = course_desc(x, &train, &test);
    vae_info info;
    vae_report r;
    vae *m = NULL, *loaded = NULL;
    size_t size, i;
    unsigned char *bytes, *copy;
    d.epochs = 2, d.lr = 1e-30; /* nothing is lower than the first test loss */
    CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
    CHECK_STATUS(vae_fit(m, &train, &test, NULL, NULL), VAE_OK);
    bytes = file_of(m, 0, &size), copy = (unsigned char *)ref_alloc(size);
    for (i = 0; i < sizeof list / sizeof *list; i++) {
        memcpy(copy, bytes, size);
        patch(copy, size, list[i].from, list[i].to);
        loaded = NULL;
        CHECK_STATUS(vae_load_memory(copy, size, NULL, &loaded, &r), list[i].status);
        vae_destroy(loaded);
    }
    cut(bytes, ",\"vae.course\"", ",");
    loaded = NULL;
    CHECK_STATUS(vae_load_memory(bytes, size, NULL, &loaded, &r), VAE_OK);
    if (loaded) {
        vae_get_info(loaded, &info);
        CHECK(info.best_epoch == 0 && info.epoch == 2);
    }
    free(bytes), free(copy);
    vae_destroy(m), vae_destroy(loaded);
}

TESTS(stopping) {
    vae__fpenv env;
    vae__fp_enter(&env); /* see reference.h */
    RUN(patience_ends_a_fit_after_its_epochs_without_a_lower_test_loss);
    RUN(a_plateau_cuts_the_rate_after_its_epochs_without_a_lower_test_loss);
    RUN(patience_and_a_plateau_need_test_data);
    RUN(a_file_may_lack_its_course_but_not_have_a_wrong_one);
    vae__fp_leave(&env);
}
