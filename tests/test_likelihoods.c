/* Likelihoods, posteriors and priors: how their strings are read, spelled and kept in files. What they
 * compute is tested in test_losses.c, test_kernels.c and test_codes.c. */
#include "reference.h"
#include "models.h"

/* One table's strings in a description. */
static void kind_set(vae_desc *d, vae_table table, const char *text) {
    memset(d, 0, sizeof *d);
    d->input = "6x5", d->encoder = d->decoder = "", d->latent = 2, d->batch = 3;
    if (table == VAE_TABLE_LIKELIHOOD) d->likelihood = text;
    else if (table == VAE_TABLE_POSTERIOR) d->posterior = text;
    else d->prior = text;
}
static const char *kind_of(const vae_desc *d, vae_table table) {
    return table == VAE_TABLE_LIKELIHOOD ? d->likelihood :
           table == VAE_TABLE_POSTERIOR ? d->posterior : d->prior;
}

TEST(kinds_have_one_canonical_spelling) {
    static const struct {
        vae_table table;
        const char *typed, *spelled;
    } list[] = {
        {VAE_TABLE_LIKELIHOOD, NULL, "bernoulli"},
        {VAE_TABLE_LIKELIHOOD, " bernoulli\n", "bernoulli"},
        {VAE_TABLE_LIKELIHOOD, "gaussian", "gaussian 1"},
        {VAE_TABLE_LIKELIHOOD, "gaussian .1", "gaussian 0.1"},
        {VAE_TABLE_LIKELIHOOD, "gaussian 0.10000", "gaussian 0.1"},
        {VAE_TABLE_LIKELIHOOD, "gaussian 3fb999999999999a", "gaussian 0.1"},
        {VAE_TABLE_LIKELIHOOD, "gaussian 3FB999999999999b", "gaussian 0.10000000000000002"},
        {VAE_TABLE_LIKELIHOOD, "gaussian 1e12", "gaussian 1000000000000"},
        {VAE_TABLE_LIKELIHOOD, "gaussian_learned  2.5e-1 ", "gaussian_learned 0.25"},
        {VAE_TABLE_LIKELIHOOD, "gaussian_pixel", "gaussian_pixel"},
        {VAE_TABLE_LIKELIHOOD, "continuous_bernoulli", "continuous_bernoulli"},
        {VAE_TABLE_LIKELIHOOD, "logistic\t1e-12", "logistic 1e-12"},
        {VAE_TABLE_LIKELIHOOD, "logistic_pixel", "logistic_pixel"},
        {VAE_TABLE_LIKELIHOOD, "categorical", "categorical 256"},
        {VAE_TABLE_LIKELIHOOD, "categorical 2", "categorical 2"},
        {VAE_TABLE_POSTERIOR, NULL, "normal"},
        {VAE_TABLE_POSTERIOR, "normal", "normal"},
        {VAE_TABLE_POSTERIOR, "normal  abs", "normal abs"},
        {VAE_TABLE_POSTERIOR, "normal relu code identity", "normal relu"},
        {VAE_TABLE_POSTERIOR, "normal code  leaky_relu", "normal code leaky_relu"},
        {VAE_TABLE_POSTERIOR, "normal softplus code softplus", "normal softplus code softplus"},
        {VAE_TABLE_PRIOR, NULL, "normal"},
        {VAE_TABLE_PRIOR, "normal ", "normal"},
    };
    size_t i;
    for (i = 0; i < sizeof list / sizeof *list; i++) {
        vae_desc d, got;
        vae_report r;
        vae *m = NULL;
        uint64_t hash;
        memset(&r, 0, sizeof r);
        kind_set(&d, list[i].table, list[i].typed);
        if (vae_create(&d, &m, &r)) test_report(__FILE__, __LINE__, "%s", r.text);
        if (!m) continue;
        vae_get_desc(m, &got);
        if (strcmp(kind_of(&got, list[i].table), list[i].spelled))
            test_report(__FILE__, __LINE__, "'%s' is spelled '%s'", list[i].typed,
                        kind_of(&got, list[i].table));
        hash = vae_params_hash(m);
        vae_destroy(m), m = NULL;
        kind_set(&d, list[i].table, list[i].spelled); /* and means the same */
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        if (m) CHECK(vae_params_hash(m) == hash);
        vae_destroy(m);
    }
}

TEST(kinds_that_cannot_be_read_say_where) {
    static const struct {
        vae_table table;
        const char *typed, *says;
    } list[] = {
        {VAE_TABLE_LIKELIHOOD, "", "likelihood, column 1: expected a likelihood, found the end"},
        {VAE_TABLE_LIKELIHOOD, "  poisson", "column 3: expected a likelihood, found 'poisson'"},
        {VAE_TABLE_LIKELIHOOD, "gauss", "column 1: expected a likelihood, found 'gauss'"},
        {VAE_TABLE_LIKELIHOOD, "Gaussian", "column 1: expected a likelihood, found 'Gaussian'"},
        {VAE_TABLE_LIKELIHOOD, "normal", "column 1: expected a likelihood, found 'normal'"},
        {VAE_TABLE_LIKELIHOOD, "bernoulli 1", "column 11: expected the end, found '1'"},
        {VAE_TABLE_LIKELIHOOD, "gaussian x", "column 10: expected a variance or the end, found 'x'"},
        {VAE_TABLE_LIKELIHOOD, "gaussian 1 2", "column 12: expected the end, found '2'"},
        {VAE_TABLE_LIKELIHOOD, "gaussian 0.1x", "column 13: expected the end, found 'x'"},
        {VAE_TABLE_LIKELIHOOD, "gaussian,", "column 9: expected a variance or the end, found ','"},
        {VAE_TABLE_LIKELIHOOD, "gaussian 0", "column 10: a variance must lie from 1e-12 to 1e+12"},
        {VAE_TABLE_LIKELIHOOD, "gaussian -1", "column 10: a variance must lie"},
        {VAE_TABLE_LIKELIHOOD, "logistic 1.1e12", "column 10: a variance must lie"},
        {VAE_TABLE_LIKELIHOOD, "logistic 1e999", "column 10: a variance must lie"},
        {VAE_TABLE_LIKELIHOOD, "gaussian 7ff8000000000000", "column 10: a variance must lie"},
        {VAE_TABLE_LIKELIHOOD, "gaussian c000000000000000", "column 10: a variance must lie"},
        {VAE_TABLE_LIKELIHOOD, "categorical 1", "column 13: the number of levels must lie from 2 to "
         "256"},
        {VAE_TABLE_LIKELIHOOD, "categorical 257", "column 13: the number of levels must lie"},
        {VAE_TABLE_LIKELIHOOD, "categorical 4.5", "column 14: expected the end, found '.'"},
        {VAE_TABLE_LIKELIHOOD, "categorical many", "expected a number of levels or the end"},
        {VAE_TABLE_POSTERIOR, "gaussian", "posterior, column 1: expected a posterior, found 'gaus"},
        {VAE_TABLE_POSTERIOR, "normal tanh", "column 8: expected ',' or the end, found 'tanh'"},
        {VAE_TABLE_POSTERIOR, "normal abs relu", "column 12: expected ',' or the end, found 'relu'"},
        {VAE_TABLE_POSTERIOR, "normal code", "column 12: expected an activation, found the end"},
        {VAE_TABLE_POSTERIOR, "normal code abs", "column 13: expected an activation, found 'abs'"},
        {VAE_TABLE_POSTERIOR, "normal code tanh abs", "column 18: expected ',' or the end, found 'abs'"},
        {VAE_TABLE_PRIOR, "uniform", "prior, column 1: expected a prior, found 'uniform'"},
        {VAE_TABLE_PRIOR, "normal 2", "prior, column 8: expected the end, found '2'"},
    };
    size_t i, size = 77;
    for (i = 0; i < sizeof list / sizeof *list; i++) {
        vae_desc d;
        vae_report r;
        vae *m = NULL;
        memset(&r, 0, sizeof r);
        kind_set(&d, list[i].table, list[i].typed);
        CHECK_STATUS(vae_size(&d, &size, NULL), VAE_ERR_SYNTAX);
        CHECK_STATUS(vae_create(&d, &m, &r), VAE_ERR_SYNTAX);
        CHECK(!m && size == 77);
        CHECK_SAYS(r, list[i].says);
    }
}

/* Every row is listed with its syntax and rule. One whose syntax needs nothing but its name makes a
 * model. */
TEST(tables_list_every_kind) {
    static const int least[VAE_TABLE_COUNT] = {VAE__LAYER_COUNT, 8, 4, 1};
    int t, i;
    for (t = 0; t < VAE_TABLE_COUNT; t++) {
        const char *syntax, *rule;
        for (i = 0; (syntax = vae_kind_syntax((vae_table)t, i, &rule)) != NULL; i++) {
            char name[64];
            vae_desc d;
            vae *m = NULL;
            CHECK(rule && *rule && vae_kind_syntax((vae_table)t, i, NULL) == syntax);
            if (t == VAE_TABLE_LAYER) continue;
            snprintf(name, sizeof name, "%.*s", (int)strcspn(syntax, " "), syntax);
            if (strcspn(syntax + strlen(name), ",ABCDEFGHIJKLMNOPQRSTUVWXYZ") <
                strcspn(syntax + strlen(name), "["))
                continue; /* an argument is needed */
            kind_set(&d, (vae_table)t, name);
            CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
            vae_destroy(m);
        }
        CHECK(i >= least[t] && (t != VAE_TABLE_LAYER || i == least[t]));
        CHECK(!vae_kind_syntax((vae_table)t, -1, NULL) && !vae_kind_syntax((vae_table)t, 99, NULL));
    }
    CHECK(!vae_kind_syntax(VAE_TABLE_COUNT, 0, NULL) && !vae_kind_syntax((vae_table)-1, 0, NULL));
}

/* The line of 0.1, byte for byte, and back. */
TEST(files_keep_the_settings_that_kinds_had_first) {
    static const struct {
        const char *likelihood, *posterior, *line;
    } list[] = {
        {NULL, NULL, "; likelihood=bernoulli; variance=3ff0000000000000; categories=256; "
         "head=logvar; code=identity; init="},
        {"gaussian 0.1", "normal softplus code tanh", "; likelihood=gaussian; "
         "variance=3fb999999999999a; categories=256; head=softplus; code=tanh; init="},
        {"logistic 0.02", "normal abs", "; likelihood=logistic; variance=3f947ae147ae147b; "
         "categories=256; head=abs; code=identity; init="},
        {"categorical 7", "normal code sigmoid", "; likelihood=categorical; "
         "variance=3ff0000000000000; categories=7; head=logvar; code=sigmoid; init="},
    };
    size_t i, k, size, size2;
    for (i = 0; i < sizeof list / sizeof *list; i++) {
        const size_t n = strlen(list[i].line);
        vae_desc d, e;
        unsigned char *bytes, *again;
        vae *m = NULL, *loaded = NULL;
        kind_set(&d, VAE_TABLE_LIKELIHOOD, list[i].likelihood);
        d.posterior = list[i].posterior;
        CHECK_STATUS(vae_create(&d, &m, NULL), VAE_OK);
        if (!m) return;
        bytes = file_of(m, 0, &size);
        for (k = 0; k + n < size && memcmp(bytes + k, list[i].line, n); k++) {}
        CHECK(k + n < size);
        CHECK_STATUS(vae_load_memory(bytes, size, NULL, &loaded, NULL), VAE_OK);
        if (loaded) {
            vae_get_desc(m, &d), vae_get_desc(loaded, &e);
            CHECK(!strcmp(d.likelihood, e.likelihood) && !strcmp(d.posterior, e.posterior));
            CHECK(!strcmp(d.prior, e.prior));
            again = file_of(loaded, 0, &size2);
            CHECK(size == size2 && !memcmp(bytes, again, size));
            free(again);
        }
        free(bytes);
        vae_destroy(m), vae_destroy(loaded);
    }
}

TESTS(likelihoods) {
    RUN(kinds_have_one_canonical_spelling);
    RUN(kinds_that_cannot_be_read_say_where);
    RUN(tables_list_every_kind);
    RUN(files_keep_the_settings_that_kinds_had_first);
}
