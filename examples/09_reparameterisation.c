/* 09 Reparameterisation: the same gradient with far less variance.
 *
 * Kingma & Welling 2014, "Auto-encoding variational Bayes", section 2.3; the score-function
 * estimator is Williams 1992 (REINFORCE), its baseline Mnih & Gregor 2014.
 *
 *   cc examples/09_reparameterisation.c && ./a.out [FOLDER OF MNIST]
 *
 * Wanted: d/dmu E[f(z)], z ~ N(mu, sigma^2), f(z) = -log p(x|z). Two unbiased estimates from one
 * draw z = mu + sigma eps:
 *   score function     f(z) * d log q(z) / dmu = f(z) * eps / sigma
 *   reparameterised    df/dz, since dz/dmu = 1
 * The first knows only how good a draw was, the second in which direction it gets better. The first
 * gets better when the mean of f is subtracted from f (a baseline), but not good enough.
 *
 * The number: the variance of the score-function estimate over that of the reparameterised one,
 * latents summed. The means of all three must agree. */
#define VAE_IMPLEMENTATION
#include "../vae.h"
#include "common.h"

enum { TRAIN = 2000, K = 8, DRAWS = 4000, EPOCHS = 8, WAYS = 3 };
static float x[TRAIN * PIXELS], eps[DRAWS * K];
static double f[DRAWS], estimate[WAYS][DRAWS][K], running[WAYS][DRAWS], count[DRAWS];

int main(int argc, char **argv) {
    vae_desc desc = {0};
    vae_tensor t, to;
    float mu[K], logvar[K];
    images(argc > 1 ? argv[1] : NULL, 0, TRAIN, x, NULL);
    desc.input = "784", desc.latent = K;
    desc.encoder = "dense 200 relu", desc.decoder = "dense 200 relu";
    desc.batch = 50, desc.epochs = EPOCHS, desc.lr = 2e-3, desc.visible_bias = VAE_BIAS_MEAN;
    vae *model = create(&desc);
    vae_data data = wrap(x, TRAIN, PIXELS);
    ok(model, vae_fit(model, &data, NULL, NULL, NULL));

    /* the same network, to ask for gradients of one image: no KL, and steps that move nothing */
    desc.no_kl = 1, desc.batch = 1, desc.keep_gradients = 1;
    desc.optimizer = VAE_OPTIMIZER_SGD, desc.lr = 1e-30;
    vae *probe = create(&desc);
    vae_tensor bias = {0};
    for (size_t i = 0; vae_tensor_at(model, i, &t) == VAE_OK; i++) {
        ok(probe, vae_tensor_set(probe, i, t.data));
        ok(probe, vae_tensor_at(probe, i, &to));
        if (strcmp(to.name, "encoder.head.bias") == 0) bias = to;
    }
    vae_batch one = {.x = x, .rows = 1};
    ok(probe, vae_encode(probe, &one, mu, logvar));
    normals(3, DRAWS * K, eps);
    double baseline = 0;
    for (int s = 0; s < DRAWS; s++) {
        vae_stats stats;
        vae_batch draw = {.x = x, .rows = 1, .eps = eps + s * K};
        ok(probe, vae_train_step(probe, &draw, &stats));
        f[s] = stats.recon, baseline += stats.recon / DRAWS;
        /* the head's first K outputs are mu: the gradient of their bias is d loss / d mu */
        for (int k = 0; k < K; k++) estimate[0][s][k] = (double)bias.grad[k];
    }
    for (int s = 0; s < DRAWS; s++)
        for (int k = 0; k < K; k++) {
            double score = (double)eps[s * K + k] / exponential((double)logvar[k] / 2);
            estimate[1][s][k] = (f[s] - baseline) * score;
            estimate[2][s][k] = f[s] * score;
        }

    const char *const names[] = {"reparameterised", "score function, baseline", "score function"};
    double mean[WAYS][K] = {{0}}, variance[WAYS] = {0}, apart = 0;
    for (int w = 0; w < WAYS; w++) {
        double sum = 0;
        for (int k = 0; k < K; k++) {
            double squares = 0;
            for (int s = 0; s < DRAWS; s++) mean[w][k] += estimate[w][s][k] / DRAWS;
            for (int s = 0; s < DRAWS; s++)
                squares += (estimate[w][s][k] - mean[w][k]) * (estimate[w][s][k] - mean[w][k]);
            squares /= DRAWS - 1;
            variance[w] += squares;
            if (w > 0) { /* in standard errors */
                double off = (mean[w][k] - mean[0][k]) / square_root(squares / DRAWS);
                apart = figure__max(apart, off < 0 ? -off : off);
            }
        }
        for (int s = 0; s < DRAWS; s++) /* of the first latent */
            sum += estimate[w][s][0], running[w][s] = sum / (s + 1), count[s] = s + 1;
        printf("%-25s variance %10.2f, mean for the first latent %.3f\n", names[w], variance[w],
               mean[w][0]);
    }
    printf("the means are at most %.1f standard errors apart\n", apart);

    double span = 4 * square_root(variance[1]), middle = mean[0][0];
    figure *g = figure_new(1060, 420, "Three estimates of one gradient",
                           "A trained VAE of 8 latents and one image. All use the same draws.");
    figure_panel(g, 0, 0, .6, 1, "mean of the draws so far, first latent");
    figure_axes(g, "draws", 1, DRAWS, "d recon / d " FIGURE_MU, middle - span, middle + span,
                FIGURE_LOG_X);
    for (int w = 0; w < WAYS; w++) figure_curve(g, count, running[w], DRAWS, names[w]);
    figure_legend(g, FIGURE_TOP_RIGHT);
    figure_panel(g, .6, 0, 1, 1, "variance of one draw");
    const char *const bars[] = {"reparam.", "score, baseline", "score"};
    figure_axes(g, NULL, -.6, 2.6, "summed over the latents", variance[0] / 5, variance[2] * 5,
                FIGURE_NO_X | FIGURE_LOG_Y);
    figure_bars(g, variance, WAYS, 0, 1, "%.3g", NULL);
    figure_names(g, bars, WAYS);
    save(g, "09_reparameterisation");
    vae_destroy(model), vae_destroy(probe);
    if (!(apart < 4)) puts("FAIL: the estimates have different means");
    return at_least("variance of the score function over reparameterised",
                    variance[2] / variance[0], 1000) || !(apart < 4);
}
