/* vae.h - 0.1.0 - variational autoencoders in one C99 file: train them, run them, anywhere
 *
 * In one file of the program:             In the others:
 *     #define VAE_IMPLEMENTATION              #include "vae.h"
 *     #include "vae.h"
 * Compile with any C99 to C23 or C++11 to C++20 compiler: no flags, no libraries, not even -lm.
 * Public domain or MIT-0, as you like: see the end of the file.
 *
 * What it promises (the tests check each promise):
 *   - Same seed, same bits. Training, sampling and decoding give identical bytes on every
 *     instruction set, compiler, optimisation level (-O0 to -Ofast), number of threads, byte order.
 *   - Memory you own. A model is one block of memory, and you can ask for its size before it is
 *     made. Training and use allocate nothing more.
 *   - Nothing lost. Saving replaces a file completely, or leaves it as it was.
 *   - Nothing let in. Bad input is refused with an error that says what is wrong and where.
 *
 * The file in rooms, in order; `grep '^ \* >>' vae.h` lists their banners:
 *   >>manual    what you are reading             >>dispatch  which kernels run here
 *   >>config    what a build can choose          >>threads   dividing work
 *   >>api       everything a user calls          >>gemm      the public matrix product
 *   >>compiler  this compiler and machine        >>layers    what a layer is, forward, backward
 *   >>status    codes, sentences                 >>pixels    layers that see earlier pixels only
 *   >>arena     sizes, blocks                    >>program   table of layers, strings to ops
 *   >>rng       random numbers by address        >>codes     what they are, normal ones
 *   >>shim      the kernels, their passes        >>categories  codes that are not normal
 *   >>vectors   one vocabulary for every set     >>mixtures  priors of many normals
 *   >>functions of one argument: exp, tanh       >>priors    tables, flows, the code's op
 *   >>tiles     the matrix product               >>stochastic   layers `z N`
 *   >>maps      numbers one by one               >>likelihoods   p(x|z), the last op
 *   >>sums      along rows: losses, KL, norms    >>settings  of a description: ranges, text
 *   >>densities the other likelihoods            >>plan      from description to ops, memory
 *   >>windows   convolutions, pools              >>model     made, shared, initial weights
 *   >>updates   optimisers, the kernels' table   >>numbers   images of any type, as floats
 *                                                >>step      a batch on its way, gradients
 *                                                >>optim     learning rate, the step's rule
 *                                                >>train     steps, evaluation, epochs
 *                                                >>eval      encode, decode, sample, score
 *                                                >>files     reading, locks, atomic writes
 *                                                >>safetensors   headers, an index of names
 *                                                >>io        models as files
 *                                                >>data      IDX, gzip
 *
 * One training step, from top to bottom, with the room of each line. (examples/the_algorithm.c is
 * the same in plain loops: read that first.) An index t means a transposed matrix.
 *
 *   vae_fit: for each epoch, for each batch of its order                            >>train
 *     the order: a permutation of the images, made from seed and epoch              >>rng
 *     vae__step: one batch                                                          >>train
 *       beta = weight of the KL at this step                                        >>step
 *       vae__forward: threads divide the rows of the batch; each takes its rows
 *         pixels:      x, binarised or corrupted where the model says so
 *         encoder:     for each op, x = act(x W + b); the last gives mu, logvar     >>layers
 *         code:        kl = 1/2 sum(mu^2 + exp(logvar) - 1 - logvar)                >>codes
 *                      eps ~ N(0, I), at the address (time = step, sample = row)
 *                      z = mu + exp(logvar / 2) eps         (reparameterisation)
 *         decoder:     for each op, z = act(z W + b)                                >>layers
 *         likelihood:  recon = -log p(x|z), and its gradient dy                     >>likelihoods
 *         weigh:       iwae and dreg with several draws: an importance weight for   >>step
 *                      each draw, which then stands in place of 1 and of the KL below
 *         and at once the same rows back through the same ops, the last op first
 *         decoder:     dy = dy * slope of act, then dx = dy Wt for the op before    >>layers
 *         code:        dmu = dz + beta mu                                           >>codes
 *                      dlogvar = 1/2 (dz eps exp(logvar / 2) + beta (exp(logvar) - 1))
 *         encoder:     as the decoder                                               >>layers
 *       loss = mean over the batch of recon + beta kl; it must be finite            >>step
 *       lr at this step; corr1 = 1 - b1^t, corr2 = 1 - b2^t                         >>optim
 *       vae__run_gradients: threads divide the weights; for each piece of rows      >>step
 *         dW = xt dy / rows                                                         >>layers
 *         Adam:  m = b1 m + (1 - b1) dW,  v = b2 v + (1 - b2) dW^2                  >>updates
 *                W = W - lr / corr1 * m / (sqrt(v / corr2) + adam_eps)
 *     after the epoch: loss of the test images; is it the lowest so far?            >>train
 *
 * A call k->name(...) is a kernel: its loop stands in one of the rooms >>tiles to >>updates (the
 * products in >>tiles, z and the KL in >>sums, Adam in >>updates).
 *
 * ======================================================================================
 * >>manual
 * ======================================================================================
 *
 * A first program (examples/quickstart.c is the same with error handling):
 *
 *     vae_desc d = {0};
 *     d.input = "28x28x1";                           everything else has a default
 *     vae *m;      vae_create(&d, &m, NULL);
 *     vae_data x;  vae_data_load("train-images-idx3-ubyte.gz", NULL, &x, NULL);
 *     vae_fit(m, &x, NULL, NULL, NULL);              ten epochs
 *     float digits[64 * 784];
 *     vae_batch b = {0};
 *     b.rows = 64;
 *     vae_sample_prior(m, &b, 1, digits);            64 new ones, of seed 1
 *     vae_save(m, "digits.safetensors", 0);
 *
 * ---- the network --------------------------------------------------------------------
 * An architecture is written one way everywhere: here, on the command line, in files.
 *
 *     string = [ item { "," item } ] .
 *     item   = layer [ activation ] | activation | "res" "(" string ")" | "z" N .
 *
 *     layer                    shape                             tensors, in file order
 *     dense N                  any -> N                          weight [in, N], bias [N]
 *     conv N KxK[/S] [pad P]   HxWxC -> ceil(H/S) x ceil(W/S)    weight [K, K, C, N], bias [N]
 *                                       x N
 *     convt N KxK[/S] [pad P]  HxWxC -> HS x WS x N              weight [K, K, N, C], bias [N]
 *     maxpool N                HxWxC -> H/N x W/N x C
 *     avgpool N                HxWxC -> H/N x W/N x C
 *     upsample N               HxWxC -> HN x WN x C
 *     reshape HxWxC            any -> HxWxC of as many numbers
 *     flatten                  HxWxC -> HWC
 *     batchnorm                unchanged                         gain, bias, running_mean,
 *                                                                running_var [C]
 *     layernorm                unchanged                         gain, bias [C]
 *     dropout P                unchanged
 *     noise S                  unchanged
 *     label N                  HxWxC -> HxWx(C+N): one-hot
 *     image                    HxWxC or flat -> HxWx(C + channels of the image): see below
 *     maskconv N KxK a|b       HxWxC -> HxWxN                    weight [what it sees, N], bias [N]
 *     gated                    HxWxC -> HxWxC/2
 *     diaglstm N               HxWxC -> HxWxN                    weight [C + 2 N, 4 N], bias [4 N],
 *                                                                right_weight, right_bias
 *     res( ... )               unchanged: x + what is made of it
 *     z N                      any -> N latents, drawn           weight [in, 2 N], bias [2 N]
 *
 *     activations: identity relu leaky_relu (slope 0.01) elu tanh sigmoid softplus silu gelu
 *
 * Blanks have no meaning. The input is "HxWxC", "HxW" or "N". An image is stored row by row, the
 * channels of a pixel side by side.
 *   - The encoder ends with a dense head of 2 x latent outputs: mu, then the log variance. The
 *     posterior's string can change what they mean (see below).
 *   - The decoder ends with a dense head of as many outputs as the likelihood needs. There is no
 *     such head when the last item is a layer without activation and has that size already.
 *   - A tensor is named by the index of its item in the string, from 0: encoder.0.weight,
 *     encoder.head.bias, decoder.2.weight. An activation alone counts too, and so do `res(` and
 *     `)`. An empty string stands for no layers: the head alone, a linear map.
 *   - conv without `pad` pads so that the image shrinks by the factor S, rounded up; when the
 *     padding is odd, the extra pixel is behind the image. convt without `pad` grows by the factor
 *     S. `pad P` adds P pixels on each side: conv then gives (H + 2P - K)/S + 1, rounded down, and
 *     convt (H - 1)S + K - 2P. convt is the adjoint of the conv whose weight has the same shape.
 *   - The windows of a pool do not overlap, and must divide the image.
 *   - batchnorm normalises each channel over rows and pixels, with eps 1e-5. Outside training it
 *     uses running averages (0.9 old + 0.1 new, unbiased variance). They change once in a step
 *     whose loss is finite. layernorm normalises all numbers of an image; gain and bias are per
 *     channel.
 *   - label adds N planes to the channels: 1 in the plane of the image's class, 0 in the others. A
 *     conditional VAE has it in both nets: "flatten, label 10, dense 400 relu" and "label 10,
 *     dense 400 relu". Classes are given in vae_data.labels and vae_batch.labels.
 *   - image, in a decoder, gives the image that is to be predicted, behind what comes in; a flat
 *     input stands at every pixel. The layers behind it let each number see earlier ones only
 *     (PixelCNN, van den Oord et al. 2016, with posterior `none`; PixelVAE, Gulrajani et al. 2017,
 *     with a code). Pixels have the order of the image, and so have their channels. The number 1
 *     that `none` gives to the decoder is then a plane of ones, which shows where the image ends.
 *   - maskconv sees the pixels of its window (odd, padded) before the middle one, and of that one:
 *     with mask a what stands beside the image, and colours before its own; with b its own too.
 *     The first behind `image` has mask a. Its outputs are divided into as many groups as the image
 *     has channels, the groups in their order. Rows of its weight are lines of the window, pixels,
 *     channels; those of the middle pixel come last. As in all stacks of such layers, a pixel does
 *     not see all that lies above it to the right.
 *   - gated is tanh of the first half of the channels (of each group) times sigmoid of the second.
 *   - diaglstm is two LSTMs of N units over the diagonals (PixelRNN, van den Oord et al. 2016), one
 *     from the left, one from the right, whose output is moved down a line and added. Each sees h
 *     of the pixel above and of the pixel before it in the line. Columns of a weight are the gates
 *     o, f, i, g, its rows the C channels, h above, h before. f is sigmoid(a + 1): its bias begins
 *     at 1. In colour the left one's weights of the C channels are masked as those of maskconv b;
 *     all else is of earlier pixels. A pixel sees all earlier ones, but the last of the line above
 *     only where a window before reaches it.
 *   - Behind `image` stand maskconv, gated, diaglstm, activations and res of these. The head is a
 *     maskconv 1x1 b, unless the last item gives what the likelihood needs (a diaglstm never does).
 *     Any other string is refused.
 *   - dropout sets a number to 0 with probability P and divides it by 1 - P otherwise. noise adds S
 *     times a standard normal. Both act in training only.
 *   - z N is another stochastic layer: a dense head of N means and N log variances, and a draw of
 *     that normal. Each stands in both strings, the decoder's in reverse order; as items both count
 *     twice, for the head and the draw. The encoder's is q, the decoder's p, given what stands
 *     before it. Where both nets are at work the decoder's passes on the encoder's draw. The second
 *     network of Burda et al. 2016 is "dense 200 tanh, dense 200 tanh, z 100, dense 100 tanh,
 *     dense 100 tanh" and "dense 100 tanh, dense 100 tanh, z 100, dense 200 tanh, dense 200 tanh".
 *   - Outside training a row never depends on other rows.
 *
 * To add a layer, add a row to the table vae__layers, and its functions. This layer doubles:
 *
 *     static void vae__twice(const vae__walk *c, const vae__op *op, const float *w,
 *                            const float *x, float *y) {
 *         (void)w;
 *         c->k->add(c->rows * op->in.dim, x, 2, NULL, y);
 *     }
 *     static void vae__twice_bwd(const vae__walk *c, const vae__op *op, const float *w,
 *                                const float *x, const float *dy, float *dx) {
 *         (void)x;
 *         vae__twice(c, op, w, dy, dx);
 *     }
 *
 *     {"twice", "twice", "unchanged", "", 0, NULL, NULL, vae__twice, vae__twice_bwd, NULL, NULL,
 *      NULL, NULL},
 *
 * ---- the objective ------------------------------------------------------------------
 * Nats per image, summed over pixels and latents, averaged over images:
 *     recon = -log p(x|z)        kl = KL(q(z|x) || p(z))           elbo = -(recon + kl)
 *     loss  = recon + beta * kl + penalties  (what training minimises)
 *
 *     setting               what it changes
 *     samples               L draws of z for each image; recon is their mean
 *     objective iwae        loss = -log 1/k sum_s exp(-(recon_s + beta log(q(z_s|x)/p(z_s)))) of
 *                           k = `samples` draws (Burda et al. 2016). With k = 1 it is objective
 *                           elbo, bit for bit
 *     objective dreg        the same loss; the encoder's gradient is doubly reparameterised and
 *                           has less variance (Tucker et al. 2019)
 *     beta, warmup_steps,   beta rises from 0 over `warmup_steps` steps, and again from 0 every
 *     cycle_steps           `cycle_steps` steps
 *     free_bits             kl becomes the sum over latents of max(free_bits, mean KL of the latent
 *                           over the batch): a latent below that limit is not pushed down
 *     temperature,          of relaxed categories, falling to temperature_end over
 *     temperature_steps     temperature_steps, by the same factor in each step
 *     straight_through      training decodes whole categories, with the gradient of relaxed ones
 *     no_kl, no_recon       loss without the KL, loss without the reconstruction
 *     no_noise              z = mu. With no_kl this is an autoencoder, and a linear one when both
 *                           strings are ""
 *     sparse                adds sparse * sum |mu_j|; the slope at 0 is 0
 *     contract              + contract |d mu / d x|^2 (Rifai et al. 2011). In closed form where the
 *                           encoder is the head alone (its mu plain, or with the code relu, tanh
 *                           or sigmoid); otherwise with a second input x + 0.01 u, u normal:
 *                           |mu(x + 0.01 u) - mu(x)|^2 / 0.0001; its mean over u is nearly that
 *     corrupt, corruption   the encoder sees x + corruption times a normal, or x with numbers
 *                           masked (0), or salted and peppered (1 or 0), each with probability
 *                           corruption, in training only; recon is of the clean x: a denoising
 *                           autoencoder or VAE (Vincent et al. 2010)
 *     Penalties are averaged over images. In vae_stats `elbo`, `recon` and `kl` always have the
 *     meaning above, whatever the settings; `bound` and `loss` are what the settings make of them.
 *
 * ---- likelihoods, posteriors, priors ------------------------------------------------
 * Each is a string: a name, and behind it its arguments. What stands in [ ] may be left out.
 *
 *     likelihood            -log p(x|z) of one image, summed over its numbers x
 *     bernoulli             softplus(a) - x a, a the logits; x in [0,1]. On grey pixels this is the
 *                           usual loss but no likelihood: binarise when the number matters
 *     gaussian [V]          1/2 (x - m)^2 / s^2 + 1/2 log 2 pi s^2, the variance s^2 = V (1)
 *     gaussian_learned [V]  the same, log s^2 one learned number, decoder.logvar; s^2 begins at V
 *     gaussian_pixel        the same, m and log s^2 (clamped to [-30, 20]) for each number
 *     continuous_bernoulli  log((e^a - 1) / a) - x a: bernoulli's with its normaliser; x in [0,1]
 *                           (Loaiza-Ganem & Cunningham 2019)
 *     logistic [V]          -log of what a logistic with mean m and log scale l (in [-7, 20]) gives
 *                           to x - 1/510 .. x + 1/510, endless at 0 and 1: x of 256 levels. l is
 *                           one learned number, decoder.logscale, which begins at the variance V
 *                           (Kingma et al. 2016). Bits per dimension: nats / (numbers of an image
 *                           x log 2)
 *     logistic_pixel        the same, m and l for each number. Mind that where l is small gradients
 *                           are large: exact backgrounds can drown everything else for long
 *     categorical [K]       log sum e^a - a[level of x]: K logits (256) for each number, x the
 *                           nearest of the levels 0, 1/(K-1), .. 1
 *     logistic_mixture K    -log of the sum over K (1 to 32) components, for each pixel of 1 to 4
 *                           channels, of softmax(a)_k times what logistics as above give to its
 *                           channels (Salimans et al. 2017). The centre of channel q is m plus the
 *                           sum over channels p before it of tanh(b_qp) x_p; l lies in [-7.69, 20],
 *                           which is the paper's -7 for images from -1 to 1. `image` takes a pixel
 *                           of it as one colour
 *
 *     Likelihoods with two parameters per value: for each pixel the decoder outputs the first
 *     parameter of every channel, then the second of every channel. Of logistic_mixture it outputs
 *     for each pixel m (channels, K), l (channels, K), a (K), b (pairs qp 10 20 21 30 .., K).
 *     vae_decode gives the mean of p(x|z) (of a mixture's component the mean of a channel at the
 *     means of those before it, which near 0 and 1 is not exact), vae_draw samples from it. V lies
 *     from 1e-12 to 1e12, K of categorical from 2 to 256.
 *
 *     posterior             q(z|x), of which training takes z = mu + exp(logvar / 2) eps
 *     normal                the head gives mu, then log variance (clamped to [-30, 20])
 *     normal abs            ... in place of log variance a number whose abs, relu or softplus is
 *     normal relu           the deviation, at least 0.001
 *     normal softplus
 *     normal ... code ACT   mu is that activation of what the head gives: "normal code sigmoid" for
 *                           the bounded codes of autoencoders, "normal softplus code tanh"
 *
 *     normal full           z = mu + L eps, L lower triangular, at most 64 latents. The head gives
 *                           mu, L's diagonal as a log variance, L below it, column by column
 *     normal ..., planar K  K steps z + s tanh(w z + b) behind either of these (Rezende & Mohamed
 *                           2015). The head gives u, w, b of each, those of the last step first. s
 *                           is u + (m(w u) - w u) w / |w|^2 with m(a) = log(1 + (e - 1) e^a) - 1:
 *                           then w s > -1, and u = 0 leaves z as it is
 *     normal ..., iaf W K   K inverse autoregressive steps s z + (1 - s) m, s = sigmoid(a + 1.5)
 *                           (Kingma et al. 2016). m and a of a latent come from those before it, by
 *                           a layer of W elu with masked weights (0 for ever), posterior.0.weight
 *                           and so on; odd steps turn the order round. The head gives W numbers,
 *                           which each step adds to its layer
 *     categorical K         each latent is one of K (2 to 256): K numbers of z, one of them 1. The
 *                           head gives logits. Training decodes softmax((logits + g) /
 *                           temperature), g = -log(-log u), u uniform (Jang et al. 2017; eps holds
 *                           u, clamped to [2^-25, 1 - 2^-24]); outside training the largest of
 *                           logits + g is 1. The KL of a latent is log K - entropy
 *     fsq L ...             each latent is the nearest to the tanh of the head's number of L levels
 *                           (2 to 255), equally far apart from -1 to 1; the gradient is the tanh's
 *                           (Mentzer et al. 2023). No noise, and no KL. One L for all latents, or 2
 *                           to 12 of them, one for each, which set `latent` where that is 0 or its
 *                           default 20; another number is refused
 *     none                  no encoder and no latents: the decoder is given the number 1. -recon is
 *                           log p(x). Calls about codes return ERR_STATE
 *     vae_encode gives mu, or what the flow makes of it, and normal's log variance; probabilities
 *     of categories; levels. Prior `normal` here means that all categories, all levels are equally
 *     likely. Begin a model of levels with visible_bias mean: otherwise the first steps, in which
 *     all images ask for the same change, can drive all codes into one corner for long.
 *
 *     prior                 p(z)
 *     normal                N(0, I)
 *     mixture K             sum over K of softmax(logit)_k N(mean_k, diag exp(logvar_k)); these are
 *                           learned. Means begin at random
 *     mixture K full        exp(logvar_k) are the variances of u = A_k (z - mean_k). A_k is lower
 *                           triangular with ones on its diagonal; what stands below that is learned
 *                           too (`lower`, column by column) and begins at 0. At most 64 latents
 *     vamp K                the mean of q(z|u_k) over K pseudo-inputs u_k, images that are learned:
 *                           vae_fit begins them as training images, unless they were given
 *                           other numbers; without vae_fit they begin at random
 *                           (Tomczak & Welling 2018). Where pixels lie in [0,1] the encoder sees
 *                           them clamped. It works on K more rows in each step. Goes with posterior
 *                           normal, and without layers label and batchnorm in the encoder
 *
 * Where posterior and prior have a KL in closed form (normal and normal do) it is that; otherwise
 * it is the mean of log q(z|x) - log p(z) over the draws of an image, of which evaluation has one.
 * So it is for each layer `z N`. kl is the sum over the code and all such layers; beta, with its
 * warm-up, and importance weights count them alike; vae_stats.layer_kl has each. vae_encode,
 * vae_decode and vae_reconstruct draw nothing: layers pass on their means, in vae_reconstruct those
 * of the encoder. vae_draw and vae_sample_prior draw of p. Objective dreg, free_bits, sparse,
 * contract and no_noise do not go together with `z N`.
 *
 * To add one, add a row to the table vae__likelihoods, vae__posteriors or vae__priors, and its
 * functions. This likelihood is Laplace's, 1/2 e^-|x - m| for each number:
 *
 *     static double vae__laplace(const vae__density *l, const float *out, const float *x,
 *                                float scale, float *dout, float *dlearned) {
 *         double sum = vae__mul_d((double)l->numbers, 0.69314718055994531); // log 2
 *         size_t i;
 *         (void)dlearned;
 *         for (i = 0; i < l->numbers; i++) {
 *             const float off = out[i] - x[i];
 *             sum = vae__add_d(sum, off < 0 ? -(double)off : (double)off);
 *             if (dout) dout[i] = off < 0 ? -scale : scale;
 *         }
 *         return sum;
 *     }
 *     static void vae__laplace_observe(const vae__density *l, const float *out, const float *u,
 *                                      float *x) {
 *         size_t i;
 *         for (i = 0; i < l->numbers; i++) {
 *             const int above = u && u[i] >= 0.5f;
 *             float t = !u ? 1 : above ? 2 - 2 * u[i] : 2 * u[i] + 1e-9f;
 *             l->k->map(VAE__FN_LOG, 1, &t, &t);
 *             x[i] = above ? out[i] - t : out[i] + t;
 *         }
 *     }
 *
 *     {{"laplace", "laplace", "1/2 e^-|x - m| for each number", ""}, 1, 0, 0, VAE__DRAW_UNIFORM,
 *      vae__laplace, vae__laplace_observe, NULL, vae__mean_is_bias, NULL, NULL, NULL, NULL, NULL,
 *      0},
 *
 * This posterior is flat: from mu - e^s to mu + e^s, the head's numbers mu and s for each latent. A
 * code is mu + e^s (2 u - 1), u a uniform number, and its density 1 / (2 e^s):
 *
 *     static void vae__flat(const vae__code *c, const float *head, const float *u, float *z) {
 *         size_t j;
 *         for (j = 0; j < c->latent; j++) {
 *             float half = u ? 2 * u[j] - 1 : 0, e;
 *             c->k->map(VAE__FN_EXP, 1, head + c->latent + j, &e);
 *             z[j] = (float)vae__add_d((double)head[j], (double)half * (double)e);
 *         }
 *     }
 *     static void vae__flat_bwd(const vae__code *c, const float *head, const float *u,
 *                               const float *dz, float *dhead) {
 *         size_t j;
 *         for (j = 0; j < c->latent; j++) {
 *             double half = u ? 2 * (double)u[j] - 1 : 0;
 *             float e;
 *             c->k->map(VAE__FN_EXP, 1, head + c->latent + j, &e);
 *             dhead[j] += dz[j];
 *             dhead[c->latent + j] += (float)vae__mul_d((double)dz[j], half * (double)e);
 *         }
 *     }
 *     static double vae__flat_log_q(const vae__code *c, const float *head, const float *u,
 *                                   const float *z) {
 *         double sum = 0;
 *         size_t j;
 *         (void)u; (void)z;
 *         for (j = 0; j < c->latent; j++)
 *             sum = vae__add_d(sum, (double)head[c->latent + j] + 0.69314718055994531);
 *         return -sum;
 *     }
 *     static void vae__flat_log_q_bwd(const vae__code *c, const float *head, const float *u,
 *                                     float scale, float *dhead) {
 *         size_t j;
 *         (void)head; (void)u;
 *         for (j = 0; j < c->latent; j++) dhead[c->latent + j] -= scale;
 *     }
 *
 *     {{"flat", "flat", "uniform about mu", ""}, VAE__DRAW_UNIFORM, NULL, vae__flat, vae__flat_bwd,
 *      vae__flat_log_q, vae__flat_log_q_bwd, NULL, NULL},
 *
 * This prior is N(P, 1) for each latent:
 *
 *     static double vae__shifted(const vae__code *c, const float *w, const float *z, float scale,
 *                                float *dz) {
 *         double sum = 0;
 *         size_t j;
 *         (void)w;
 *         for (j = 0; j < c->width; j++) {
 *             const double off = vae__add_d((double)z[j], -(double)c->n / 1e6);
 *             sum = vae__add_d(sum, vae__add_d(vae__mul_d(off, off), 1.8378770664093454836));
 *             if (dz) dz[j] = (float)vae__add_d((double)dz[j], vae__mul_d((double)-scale, off));
 *         }
 *         return -0.5 * sum;
 *     }
 *     static void vae__shifted_draw(const vae__code *c, const float *w, const vae__address *at,
 *                                   float *z) {
 *         size_t j;
 *         vae__normal_draw(c, w, at, z);
 *         for (j = 0; j < c->width; j++) z[j] += (float)c->n / 1e6f;
 *     }
 *
 *     {{"shifted", "shifted P", "N(P, 1) for each latent", "p"}, &vae__prior_layer, 0,
 *      vae__shifted, vae__shifted_draw, NULL},
 *
 * ---- judging a model ----------------------------------------------------------------
 * vae_evaluate gives the ELBO, from one draw of z per image. vae_bound gives the bound of k draws;
 * with k = 5000 papers call it log p(x). vae_units tells which latents are active.
 *
 * ---- the conventions that fix the bits ------------------------------------------------
 * Every instruction set computes the same function, because the arithmetic is specified:
 *   - An output of a product is one chain of fused multiply-adds over the reduction index, in
 *     ascending order. It starts from the bias (or 0) and ends with adding +0. Inside a network
 *     the terms of an input 0 may be left out. That moves no bit, because 0 times a finite weight
 *     is 0, and creating, loading and training check that weights are finite.
 *   - conv reduces over tap rows, tap columns, input channels. Taps outside the image count as 0.
 *     So does maskconv, over what it sees; its input gradient is one chain over the outputs that
 *     see the number, pixels and channels in ascending order.
 *     The input gradient of conv, and convt, are a chain over the channels of the smaller image for
 *     each tap. The results are added onto the bias (or 0), pixels of the smaller image in
 *     ascending order.
 *   - The statistics of batchnorm, and the gradients of gains and biases of norms, are computed in
 *     double, rows in ascending order, about the mean rounded to float.
 *   - A sum along a row (recon, KL) consists of 16 interleaved partial sums, element i in sum
 *     i mod 16, which a tree 8-4-2-1 adds up. Sums over rows are in double, in ascending order.
 *   - exp, log, tanh ... are polynomials of this file, the same operations everywhere; beside each
 *     stands its largest error. Division and square root are those of IEEE 754. libm is never
 *     called.
 *   - max(a, b) is a > b ? a : b, and min likewise, also for NaN and zeros.
 *   - Adam is PyTorch's with one difference: sqrt(v) is multiplied by 1/sqrt(1 - b2^t), which is
 *     rounded once a step, where PyTorch divides. The update is faster without that division.
 *   - Every public call that touches floats sets round-to-nearest, turns flush-to-zero off, masks
 *     all exceptions, and restores what it found. That works with gcc and clang on x86 and AArch64;
 *     elsewhere the program must keep the IEEE default.
 *   - NaN, infinities and impossible numbers are refused on input. A number that the network itself
 *     makes infinite or NaN is an error, not an output.
 * Random numbers are Philox4x32-10, with an address in place of a state: the key is the seed, the
 * counter (element / 4, sample, time, purpose << 24 | layer << 16 | replica):
 *
 *     purpose        time          sample                   replica
 *     INIT           0             tensor                   0
 *     SHUFFLE        epoch         0                        round of the Feistel network
 *     BINARIZE       epoch; 0xffffffff     image in the data set    0
 *                    in evaluation; step
 *                    in vae_train_step
 *     EPS            step          row of the batch         draw (l or k), with the stochastic
 *                                                           layer's number (vae_info.layer) << 16;
 *                                                           likewise PRIOR_Z and EVAL
 *     DROPOUT, NOISE step          row of the batch         draw, with the layer's number (1, 2 ..
 *                                                           of such layers) << 16. NOISE of
 *                                                           layer 0: `corrupt`, and as draw 1
 *                                                           the second view of `contract`
 *     PRIOR_Z, DRAW_X 0            number of the draw       0; 1 chooses a mixture's component
 *     EVAL           0             image in the data set    draw: 0 of vae_score and
 *                                                           vae_posterior, 0 .. k-1
 *     DIGITS         0             number of the image      0
 *     128 .. 255     free for callers
 *
 * The gradient check uses PROBE: the direction is the time, the tensor the sample. GUMBEL is
 * reserved. Gradients are not divided into shards in this version.
 *   - A uniform float is made of the top 24 bits of its word. (All 32 bits could round to 1.)
 *   - Dropout drops a number when its word < round(P * 2^32). Binarisation sets a pixel to 1 when
 *     its word < round(x * 2^32).
 *   - Normals are made by the Box-Muller method in Random123's convention; the radius uses all 32
 *     bits.
 *   - The order of the images in an epoch depends on the seed, the epoch and the number of images
 *     alone: a Feistel permutation. vae_shuffle tells which image is at one position, without
 *     computing the others.
 *   - KL warm-up: beta * min(1, step / warmup_steps), steps counted from 0.
 *   - Importance weights: the largest log weight is subtracted in double, the rest rounded to
 *     float, and its exp taken. The sum is in double, draws in ascending order. A draw's gradient
 *     is computed first, then multiplied by its weight.
 *   - vae_bound keeps the largest log weight so far, and rescales its sum when that grows. So more
 *     draws need no more memory. A weight below e^-30 of the largest so far counts as 0.
 *   - adam_iwae is Adam as in the code of Burda et al.: v begins at 1, eps is added to the
 *     uncorrected root, gradients are sums over the batch.
 *
 * ---- files --------------------------------------------------------------------------
 * Models are safetensors files, which Python reads without this library.
 *   - The tensors are F32, weights [in, out], in the order of the program. Then follow optim.m.*,
 *     optim.v.* and ema.*, if the model has them.
 *   - The data begins at a multiple of 64, and the parameters lie packed. A model for inference can
 *     therefore use them in place.
 *   - __metadata__ holds vae.format "1", vae.desc (the settings on one line; reals as the 16 hex
 *     digits of a double), vae.step, vae.epoch, vae.position, vae.course, vae.adam, vae.seed,
 *     vae.params_hash and vae.data_hash; with layers `z N` vae.layer_kl too. A setting that a file
 *     does not name has its default.
 *   - The hashes are FNV-1a, 64 bit, over the little-endian bytes of the tensors in the order of
 *     the program, whatever their order in the file. So another tool may write the file anew, for
 *     example sorted by name and with more metadata.
 *   - The bytes of a file depend on its content alone: there is no date in it.
 *
 * ---- threads, signals, errors ---------------------------------------------------------
 * With `threads` a model has a pool of threads of its own. With `parallel` the program's job system
 * does the work. Both divide outputs and never a sum, so the bits are those of one thread.
 * A training step has two parts. First, rows of the batch go from the pixels to the gradient of
 * every activation. Then rows of each weight gradient are computed, and the optimiser uses them
 * while they are in the cache. In a large network the parts alternate: after 2^19 activations on
 * the way back, the weights of that part follow at once.
 * Different models may be used from different threads at the same time. They may share a pool, and
 * models for inference may share weights (vae_share). The detected processor is the only global
 * state. No call prints, exits or aborts. No call uses more than 64 KB of stack.
 *
 * ---- what gcc and clang do with it ------------------------------------------------------
 * Target pragmas compile the kernels once for each instruction set, so no -march is needed. The
 * program chooses when it runs. gcc compiles the kernels at -O2 even in a -O0 build. clang cannot
 * be told to: its -O0 runs about 50 times slower, with the same bits. tcc and other compilers get
 * the portable pass. A precompiled header may hold the header half only, because gcc's pragmas are
 * lost in one.
 */

#ifndef VAE__PASS /* guard A: seen by the user, ends with the passes */

#ifndef VAE_H_INCLUDED
#define VAE_H_INCLUDED

/* ======================================================================================
 * >>config   what a build can choose; define any of these before the #include
 *
 *   VAE_IMPLEMENTATION   compile the functions here; in exactly one file of the program
 *   VAE_STATIC           all functions static: a private copy for this file
 *   VAE_API              what stands before each function, such as a visibility or a dllexport
 *                        (in C++ with extern "C"). Default: extern
 *   VAE_MALLOC(size)     together with VAE_FREE(ptr): the allocator behind vae_create and the
 *   VAE_FREE(ptr)        loaders when the caller gives no hooks. Default: malloc and free
 *   VAE_ASSERT(cond)     guards the library's own invariants. Default: nothing
 *   VAE_NO_MALLOC        no malloc and free: what gets neither a block nor hooks is ERR_MEMORY
 *   VAE_NO_MESSAGES      an error is told by what vae_status_text says of it alone
 *   VAE_NO_STDIO         no function that takes a path; memory blocks only
 *   VAE_NO_THREADS       no pool of threads: `threads` above 1 is an error; vae_parallel works
 *   VAE_FREESTANDING     for gcc and clang where no system and no C library is: VAE_NO_STDIO,
 *                        VAE_NO_THREADS and VAE_NO_MALLOC (unless VAE_MALLOC is given), on x86
 *                        VAE_ONLY_PORTABLE too. Headers: float, limits, stdarg, stddef, stdint.
 *                        The program has memcpy, memmove, memset and memcmp, which these compilers
 *                        call by themselves, and the compiler's own library (-lgcc)
 *   VAE_ONLY_PORTABLE    no SIMD pass: smaller, slower, the same bits
 *   VAE_NO_AVX2          no pass for AVX2, VAE_NO_AVX512 none for AVX-512: a processor that has it
 *   VAE_NO_AVX512        takes the next best, with the same bits
 *   VAE_SSE2             x86-64 by gcc or clang: one more pass, for processors without AVX2. Twice
 *                        the speed of the portable one there; 94 KB. WebAssembly has it wherever
 *                        -msimd128 is given
 *   VAE_NO_PORTABLE      SIMD passes alone. A processor without them gets ERR_UNSUPPORTED from
 *                        vae_create and vae_gemm, zeros from vae_random_*
 *   VAE_NO_TRAIN         for using models only: nothing that trains is declared (vae_fit,
 *                        vae_train_step, vae_check_gradients, vae_set_epochs,
 *                        vae_set_visible_bias), and every model is for inference, as with
 *                        `inference` of 1
 *   VAE_NO_CONV          no conv, convt, maxpool, avgpool, upsample: ERR_UNSUPPORTED; and
 *   VAE_NO_PIXELS        no image, maskconv, gated, diaglstm, logistic_mixture: ERR_UNSUPPORTED
 *   VAE_NO_CODES         no layer `z`, no posterior and prior but normal: ERR_UNSUPPORTED
 *   VAE_NO_DENSITIES     no likelihood but bernoulli, gaussian and gaussian_learned; implies
 *                        VAE_NO_PIXELS and VAE_NO_CODES
 *   VAE_NO_DATA          no reader and writer of IDX files, no gzip; vae_data_wrap stays
 *   VAE_ONLY_DECODE      for decoders on small machines: models are loaded, shared and looked at,
 *                        vae_decode and vae_decode_logits compute, and nothing else that computes,
 *                        makes or describes a model is declared. Implies VAE_NO_TRAIN,
 *                        VAE_NO_DENSITIES and VAE_NO_DATA. What a file says about training is not
 *                        checked; vae_get_desc spells a variance as 16 hexadecimal digits
 *   VAE_SELF             the file's name as it includes itself. Default: "vae.h"
 *   VAE_ALLOW_X87        compile for a 387 coprocessor: bits are then not promised
 * ==================================================================================== */

#include <stddef.h>
#include <stdint.h>

#ifdef VAE_ONLY_DECODE
#undef VAE_NO_TRAIN
#undef VAE_NO_DENSITIES
#undef VAE_NO_DATA
#define VAE_NO_TRAIN
#define VAE_NO_DENSITIES
#define VAE_NO_DATA
#endif
#ifdef VAE_FREESTANDING
#undef VAE_NO_STDIO
#undef VAE_NO_THREADS
#define VAE_NO_STDIO
#define VAE_NO_THREADS
#ifndef VAE_MALLOC
#undef VAE_NO_MALLOC
#define VAE_NO_MALLOC
#endif
#endif

#define VAE_VERSION 100 /* major * 10000 + minor * 100 + patch */
#define VAE_VERSION_TEXT "0.1.0"

#ifndef VAE_SELF
#define VAE_SELF "vae.h"
#endif

#ifdef VAE_STATIC
#undef VAE_API
#if defined(__GNUC__) || defined(__clang__)
#define VAE_API static __attribute__((__unused__))
#else
#define VAE_API static
#endif
#elif defined(VAE_API)
#elif defined(__cplusplus)
#define VAE_API extern "C"
#else
#define VAE_API extern
#endif

/* Behind a member: its initialiser where C++ lets structs without constructors have one (C++14 on),
 * so that `{0}` and `{.rows = 64}` are complete there, and draw no warning of -Wextra. */
#ifdef __cpp_aggregate_nsdmi
#define VAE_0 = {}
#else
#define VAE_0
#endif

#define VAE_MAX_DIM 16777216 /* largest width of a layer, batch, side of an image */
#define VAE_MAX_RANK 8       /* dimensions of a data file */
#define VAE_MAX_STAGES 16    /* steps of a stage-wise learning rate */
#define VAE_MAX_LAYERS 8     /* stochastic layers: the code, and those of `z N` */
#define VAE_MAX_THREADS 256
#define VAE_LOGVAR_MIN (-30.0f)
#define VAE_LOGVAR_MAX 20.0f

/* ======================================================================================
 * >>api      everything a user calls
 *
 * Words: an image is one row of `input_dim` floats; a batch is `rows` of them, row-major and
 * contiguous. Figures are nats per image: summed over pixels and latents, averaged over images.
 * A function on a model returns a vae_status and keeps one sentence in vae_last_report(model).
 * With a NULL model it returns ERR_NULL; one that returns no status then returns 0 or NULL, and
 * fills its output with zeros. A function without a model puts the sentence into the caller's
 * vae_report (which may be NULL).
 * Numbers that come in must be finite, pixels in [0,1] unless the likelihood is a gaussian, and
 * then at most 1e18 in magnitude. vae_encode, vae_posterior and vae_reconstruct also take pixels
 * outside [0,1] when the encoder saw such in training: gaussian corruption, a layer `noise` before
 * the first layer with weights, a contractive penalty. Anything else is ERR_NONFINITE or ERR_VALUE,
 * with the image and the place. Outputs stay untouched on failure, but for ERR_NONFINITE of a
 * number that the network itself made: rows other than the one named may then hold their results.
 * Different models may be used from different threads at once; one model from one thread at a time:
 * a call that computes with a model that another call is computing with returns ERR_STATE and
 * leaves the model and its report alone. See vae_share. (Builds of gcc and clang for processors
 * with atomic instructions always notice another thread; other builds notice a call from within a
 * call.)
 * ==================================================================================== */

/* Each enum ends with a value that makes it as large as an int also under -fshort-enums (default
 * of arm-none-eabi), so that objects and programs that disagree about the flag fit together. */

/* ---- status ---- */

typedef enum vae_status {
    VAE_OK,
    VAE_ERR_NULL,        /* a pointer that must be given is NULL */
    VAE_ERR_VALUE,       /* a value lies outside its range */
    VAE_ERR_SYNTAX,      /* an architecture string cannot be read */
    VAE_ERR_SHAPE,       /* shapes do not fit together */
    VAE_ERR_SIZE,        /* a size overflows, or a memory block is too small */
    VAE_ERR_MEMORY,      /* out of memory */
    VAE_ERR_STATE,       /* the model cannot do this in its present state */
    VAE_ERR_OPEN,        /* a file cannot be opened */
    VAE_ERR_READ,        /* a file cannot be read */
    VAE_ERR_WRITE,       /* a file cannot be written */
    VAE_ERR_FORMAT,      /* a file is not what it should be */
    VAE_ERR_MISMATCH,    /* a file does not belong to this model or data */
    VAE_ERR_UNSUPPORTED, /* this build or this processor cannot do it */
    VAE_ERR_NONFINITE,   /* a number became infinite or NaN */
    VAE_STOPPED,         /* stopped by the progress callback */
    VAE_STATUS_COUNT,
    VAE_STATUS_IS_INT = 0x7fffffff
} vae_status;

/* What went wrong, in one sentence: which file, which offset or column, what was expected, what
 * was found. The text ends with a zero byte and is safe to print: control characters, marks of
 * direction and bytes that are not UTF-8 are written as \x1b. */
typedef struct vae_report {
    vae_status status;
    char text[300];
} vae_report;

/* VAE_VERSION of the implementation: of the library that runs, not of the header. */
VAE_API int vae_version(void);

/* The general meaning of a status, a constant string; "unknown status" outside the list. */
VAE_API const char *vae_status_text(vae_status status);

/* ---- choices; vae_choice_name gives the word that files and the command line have ---- */

/* Instruction sets of the kernels; all give the same bits. */
typedef enum vae_isa {
    VAE_ISA_AUTO,     /* the best that this build and this processor have */
    VAE_ISA_PORTABLE, /* plain C */
    VAE_ISA_SIMD128,  /* 4 floats, no FMA: WebAssembly with -msimd128, SSE2 with VAE_SSE2 */
    VAE_ISA_AVX2,     /* x86 with AVX2 and FMA: vectors of 8 floats */
    VAE_ISA_AVX512,   /* x86 with AVX-512 F, DQ, BW and VL: 16 floats */
    VAE_ISA_NEON,     /* AArch64: 4 floats */
    VAE_ISA_COUNT,
    VAE_ISA_IS_INT = 0x7fffffff
} vae_isa;

/* Initial weights. Biases begin at 0, but for VAE_INIT_PYTORCH. */
typedef enum vae_init {
    VAE_INIT_AUTO,    /* he before ReLU-like activations, glorot otherwise */
    VAE_INIT_GLOROT,  /* uniform within sqrt(6 / (fan_in + fan_out)): Glorot & Bengio 2010 */
    VAE_INIT_HE,      /* uniform within sqrt(6 / fan_in): He et al. 2015 */
    VAE_INIT_PYTORCH, /* weights and biases uniform within 1 / sqrt(fan_in): PyTorch's default */
    VAE_INIT_ZERO,    /* all 0 */
    VAE_INIT_COUNT,
    VAE_INIT_IS_INT = 0x7fffffff
} vae_init;

/* Where the decoder's last bias begins. */
typedef enum vae_bias {
    VAE_BIAS_ZERO,
    VAE_BIAS_MEAN, /* vae_fit sets what gives the mean image of the data: vae_set_visible_bias */
    VAE_BIAS_COUNT,
    VAE_BIAS_IS_INT = 0x7fffffff
} vae_bias;

/* What becomes of grey pixels. */
typedef enum vae_binarize {
    VAE_BINARIZE_NONE,
    VAE_BINARIZE_DYNAMIC, /* each pixel x is 1 with probability x, drawn anew at every use:
                             Salakhutdinov & Murray 2008 */
    VAE_BINARIZE_COUNT,
    VAE_BINARIZE_IS_INT = 0x7fffffff
} vae_binarize;

/* The bound of log p(x) that training raises. */
typedef enum vae_objective {
    VAE_OBJECTIVE_ELBO, /* the evidence lower bound: Kingma & Welling 2014 */
    VAE_OBJECTIVE_IWAE, /* importance weights of `samples` draws: Burda et al. 2016 */
    VAE_OBJECTIVE_DREG, /* the same bound, doubly reparameterised gradient: Tucker et al. 2019 */
    VAE_OBJECTIVE_COUNT,
    VAE_OBJECTIVE_IS_INT = 0x7fffffff
} vae_objective;

/* What training does to the encoder's input: Vincent et al. 2010. */
typedef enum vae_corrupt {
    VAE_CORRUPT_NONE,
    VAE_CORRUPT_GAUSSIAN,    /* adds normal noise */
    VAE_CORRUPT_MASK,        /* some numbers become 0 */
    VAE_CORRUPT_SALT_PEPPER, /* some numbers become 0 or 1 */
    VAE_CORRUPT_COUNT,
    VAE_CORRUPT_IS_INT = 0x7fffffff
} vae_corrupt;

typedef enum vae_optimizer {
    VAE_OPTIMIZER_ADAM,      /* Kingma & Ba 2015 */
    VAE_OPTIMIZER_ADAMW,     /* Adam with decoupled weight decay: Loshchilov & Hutter 2019 */
    VAE_OPTIMIZER_SGD,       /* gradient descent, with `momentum` if set */
    VAE_OPTIMIZER_ADAM_IWAE, /* Adam as the code of Burda et al. 2016 has it: see the manual */
    VAE_OPTIMIZER_COUNT,
    VAE_OPTIMIZER_IS_INT = 0x7fffffff
} vae_optimizer;

/* The learning rate over the run. */
typedef enum vae_schedule {
    VAE_SCHEDULE_CONSTANT,
    VAE_SCHEDULE_COSINE,  /* half a cosine, 0 after `lr_steps`: Loshchilov & Hutter 2017 */
    VAE_SCHEDULE_STAGES,  /* a list of rates, each for some steps */
    VAE_SCHEDULE_PLATEAU, /* cut after `plateau_epochs` epochs without a lower test loss */
    VAE_SCHEDULE_COUNT,
    VAE_SCHEDULE_IS_INT = 0x7fffffff
} vae_schedule;

typedef enum vae_act {
    VAE_ACT_IDENTITY,   /* x */
    VAE_ACT_RELU,       /* max(x, 0) */
    VAE_ACT_LEAKY_RELU, /* x, or 0.01 x below 0: Maas et al. 2013 */
    VAE_ACT_ELU,        /* x, or e^x - 1 below 0: Clevert et al. 2016 */
    VAE_ACT_TANH,
    VAE_ACT_SIGMOID,    /* 1 / (1 + e^-x) */
    VAE_ACT_SOFTPLUS,   /* log(1 + e^x) */
    VAE_ACT_SILU,       /* x sigmoid(x): Elfwing et al. 2018 */
    VAE_ACT_GELU,       /* x Phi(x), Phi exact by erf: Hendrycks & Gimpel 2016 */
    VAE_ACT_COUNT,
    VAE_ACT_IS_INT = 0x7fffffff
} vae_act;

/* The choices themselves, for the two functions below. */
typedef enum vae_choice {
    VAE_CHOICE_ISA,
    VAE_CHOICE_INIT,
    VAE_CHOICE_BIAS, /* visible_bias */
    VAE_CHOICE_BINARIZE,
    VAE_CHOICE_OPTIMIZER,
    VAE_CHOICE_SCHEDULE,
    VAE_CHOICE_ACT,
    VAE_CHOICE_OBJECTIVE,
    VAE_CHOICE_CORRUPT,
    VAE_CHOICE_COUNT,
    VAE_CHOICE_IS_INT = 0x7fffffff
} vae_choice;

/* The word for a value of a choice (NULL when there is none: count up from 0 to list them all), and
 * the value for a word (-1 when there is none). */
VAE_API const char *vae_choice_name(vae_choice choice, int value);
VAE_API int vae_choice_find(vae_choice choice, const char *name);

/* The best instruction set of this processor that this build holds (VAE_ISA_AUTO: none, which only
 * VAE_NO_PORTABLE makes possible), and whether one may be used. */
VAE_API vae_isa vae_isa_best(void);
VAE_API int vae_isa_available(vae_isa isa);

/* ---- memory ---- */

/* Where vae_create, the loaders and vae_data_* get their memory. All zero: VAE_MALLOC and VAE_FREE.
 * `alloc` returns a block aligned to 16 bytes, or NULL when there is no memory. `release` gets the
 * size that was asked for. */
typedef struct vae_allocator {
    void *(*alloc)(size_t size, void *user);
    void (*release)(void *ptr, size_t size, void *user);
    void *user;
} vae_allocator;

/* ---- threads ---- */

/* How work is divided. `run` must call job(arg, 0) .. job(arg, parts - 1), each once, in any order,
 * on any threads, and return when all calls have returned. Outputs are divided, sums never, so the
 * bits do not depend on `parts`. A game puts its job system here. All zero: the calling thread does
 * all the work. */
typedef struct vae_parallel {
    int parts; /* how many pieces to cut work into, 1 to VAE_MAX_THREADS */
    void (*run)(void (*job)(void *arg, int part), void *arg, int parts, void *user);
    void *user;
} vae_parallel;

/* Threads that do such work. The calling thread is one of them and takes part; the others wait for
 * work, about 50 us awake, then asleep. The caller never waits for a thread that has not begun. If
 * dividing has lately cost time (the work is small, or other programs use the processors), the
 * caller works alone for a while.
 *   threads  exactly so many, or an error. Negative: at most -threads, as many as the system
 *            grants, and at least one. `parts` of vae_pool_parallel says how many there are
 * Each started thread has a stack of 512 KB: the library uses 64 KB of it, the rest is for the
 * program's thread-local variables. Models may share a pool; while one model uses it, another
 * computes on its caller's thread alone. Destroy a pool after its models, and not from one of its
 * own threads. A pool does not survive a fork.
 * Errors: ERR_VALUE, ERR_MEMORY, ERR_UNSUPPORTED (a build without threads). */
typedef struct vae_pool vae_pool;
VAE_API vae_status vae_pool_create(int threads, const vae_allocator *allocator, vae_pool **pool,
                                   vae_report *report);
VAE_API void vae_pool_destroy(vae_pool *pool);
VAE_API vae_parallel vae_pool_parallel(vae_pool *pool);

/* ---- a model ---- */

typedef struct vae_lr_stage {
    uint64_t steps; /* how long the stage lasts; the last one lasts for ever */
    double lr;
} vae_lr_stage;

/* All there is to say about a model. Plain data; `vae_desc d = {0};` gives the defaults, and only
 * `input` must be set. Strings are copied. VAE_0 is nothing in C, zero in C++. */
typedef struct vae_desc {
    /* -- the network -- */
    const char *input VAE_0; /* "28x28x1" (height x width x channels) or "784"; required */
    const char *encoder VAE_0; /* layers, see the manual. NULL: "dense 400 relu"; "": head only */
    const char *decoder VAE_0; /* the same, from the latents on */
    int latent VAE_0;    /* latents. 0: 20 */
    const char *likelihood VAE_0; /* p(x|z): "gaussian 0.1", see the manual. NULL: "bernoulli" */
    const char *posterior VAE_0; /* q(z|x): "normal softplus code tanh". NULL: "normal" */
    const char *prior VAE_0; /* p(z). NULL: "normal", which is N(0, I) */
    vae_init init VAE_0; /* weights. 0: He after relu kinds, Glorot otherwise; biases 0 */
    vae_bias visible_bias VAE_0; /* decoder's last bias. 0: zeros; mean: gives the mean pixel */

    /* -- the objective: loss = recon + beta * kl + penalties; the manual has them all -- */
    vae_objective objective VAE_0; /* 0: elbo; iwae, dreg: bound of `samples` importance weights */
    double beta VAE_0;   /* weight of the KL. 0: 1 */
    int no_kl VAE_0;     /* 1: weight 0, whatever `beta` says */
    int no_recon VAE_0;  /* 1: the KL alone */
    int no_noise VAE_0;  /* 1: z = mu, an autoencoder */
    int samples VAE_0;   /* L or k, draws of z per image in training, 65536 at most. 0: 1 */
    uint64_t warmup_steps VAE_0; /* steps over which beta rises linearly from 0. 0: none */
    uint64_t cycle_steps VAE_0; /* steps after which it begins anew at 0. 0: never */
    double free_bits VAE_0; /* nats of each latent that the loss does not count. 0: none */
    double sparse VAE_0; /* weight of sum |mu|. 0: none */
    double contract VAE_0; /* weight of |d mu / d x|^2. 0: none */
    double temperature VAE_0; /* of relaxed categories. 0: 0.5 */
    double temperature_end VAE_0; /* what it has become after temperature_steps. 0: 0.1 */
    uint64_t temperature_steps VAE_0; /* over which it falls, by equal factors. 0: it stays */
    int straight_through VAE_0; /* 1: training decodes whole categories, with the gradient of
                                   relaxed ones */
    vae_corrupt corrupt VAE_0; /* what training does to the encoder's input, not to the target */
    double corruption VAE_0; /* gaussian: deviation; mask, salt_pepper: probability. 0: 0.3 */
    vae_binarize binarize VAE_0; /* dynamic: each pixel a fresh Bernoulli draw at every use */

    /* -- the optimiser -- */
    vae_optimizer optimizer VAE_0; /* 0: adam */
    double lr VAE_0;     /* learning rate. 0: 1e-3 */
    double beta1 VAE_0;  /* adam. 0: 0.9   (for none at all: 1e-30) */
    double beta2 VAE_0;  /* adam. 0: 0.999 */
    double adam_eps VAE_0; /* adam. 0: 1e-8 */
    double momentum VAE_0; /* sgd. 0: none */
    double weight_decay VAE_0; /* adamw: decoupled; adam and sgd: added to the gradient. 0: none */
    double clip VAE_0;   /* largest global norm of the gradient. 0: no limit */
    double ema VAE_0;    /* decay of the running average of the weights. 0: no average */
    vae_schedule schedule VAE_0; /* of the learning rate. 0: constant */
    uint64_t lr_steps VAE_0; /* cosine: steps until the rate is 0; required then */
    int stage_count VAE_0; /* stages: how many of `stages` are given */
    vae_lr_stage stages[VAE_MAX_STAGES] VAE_0;
    int plateau_epochs VAE_0; /* plateau: epochs without a lower test loss before a cut. 0: 10.
                                 After 65536 cuts the rate stays */
    double lr_factor VAE_0; /* plateau: what a cut multiplies the rate by. 0: 0.5 */

    /* -- the run -- */
    int batch VAE_0;     /* rows of a training step, and of the buffers. 0: 128 */
    int epochs VAE_0;    /* what vae_fit runs up to. 0: 10 */
    int patience VAE_0;  /* vae_fit ends after so many epochs without a lower test loss. 0: never */
    uint64_t seed VAE_0; /* of everything random. 0: 1 */

    /* -- not stored in files -- */
    int inference VAE_0; /* 1: no memory for gradients and moments; training returns an error. 2:
                            nor for activations: a model to look at, see vae_load_options */
    int keep_gradients VAE_0; /* 1: vae_tensor.grad holds those of the last step. Otherwise (unless
                            `clip` is set) each is used up where it is made and never stored */
    int threads VAE_0;   /* 0: 1. More: the model has a pool of its own, which vae_destroy ends; an
                            error when the system refuses one. Negative: at most -threads, and
                            vae_get_desc says how many there are */
    vae_parallel parallel VAE_0; /* with `run` set: who does the work, in place of `threads` */
    vae_isa isa VAE_0;   /* 0: the best there is */
    vae_allocator allocator VAE_0;
} vae_desc;

typedef struct vae vae;

/* What the strings of a description are made of: layers of networks, and the kinds of likelihood,
 * posterior and prior. */
typedef enum vae_table {
    VAE_TABLE_LAYER,
    VAE_TABLE_LIKELIHOOD,
    VAE_TABLE_POSTERIOR,
    VAE_TABLE_PRIOR,
    VAE_TABLE_COUNT,
    VAE_TABLE_IS_INT = 0x7fffffff
} vae_table;

#ifndef VAE_ONLY_DECODE
/* Row number i of a table: its syntax, and in words (unless `rule` is NULL) what it means: of a
 * layer its rule of shapes. NULL behind the last row: count up from 0 to list them all.
 * Activations: vae_choice_name(VAE_CHOICE_ACT, i). */
VAE_API const char *vae_kind_syntax(vae_table table, int i, const char **rule);

/* ---- settings by their names: for bindings, flags, files of settings ---- */

/* One member of a description, by its name, from text and to text:
 *   texts     as they are, which vae_create checks. vae_desc_set keeps the pointer: the text must
 *             outlive vae_create
 *   whole numbers: int and uint64_t
 *             digits alone, after a minus sign where the number may be below 0: "128", "-4"
 *   reals     a decimal, read as the nearest double: "128", "1e-3". One that is not 0, but too
 *             small for a double, is refused. Exactly 16 hexadecimal digits are the bits of a
 *             double instead. No locale changes that
 *   choices   their words: "adamw"
 *   flags     "0" or "1"
 *   stages    "steps:rate,steps:rate", which are `stages` and `stage_count` together
 * As in the description itself, 0 is the default: "beta" of "0" is 1. The names that model files
 * have (`warmup`, `cycle`, `plateau`) are understood too. `parallel` and `allocator` have no text.
 *   text      (size)  out: the value as it stands in the description, not resolved, and a zero
 *                     byte; the shortest decimal that gives the same double; the default of a text
 *                     that is NULL. At most 800 bytes but for texts.
 * Errors: ERR_NULL; ERR_VALUE: no such name (the report has the nearest), or no such value (the
 * report says what was expected); ERR_SIZE: `text` is too small. */
VAE_API vae_status vae_desc_set(vae_desc *desc, const char *name, const char *value,
                                vae_report *report);
VAE_API vae_status vae_desc_get(const vae_desc *desc, const char *name, char *text, size_t size,
                                vae_report *report);

/* Name number i of the settings, counted from 0; NULL behind the last. */
VAE_API const char *vae_desc_name(int i);

/* For help texts. The values that a setting may have, other than the 0 that stands for its default:
 * "1 to 16777216", "0 or 1", the words of a choice as in "adam, adamw, sgd, adam_iwae"; nothing for
 * texts, whose parsers say what they take.
 *   text      (size)  out, with a zero byte; 300 bytes are enough
 * Errors: ERR_NULL, ERR_VALUE (no such name), ERR_SIZE. */
VAE_API vae_status vae_desc_rule(const char *name, char *text, size_t size, vae_report *report);

/* A description in which every setting has the value of its default: `latent` is 20, where {0}
 * has 0 in its place. `input` has no default and is NULL. */
VAE_API void vae_desc_defaults(vae_desc *desc);

/* A model from a line of settings, with semicolons (or ends of lines) between them:
 *     "input=28x28x1; encoder=dense 400 relu; latent=20; lr=1e-3; threads=4"
 * Every name of vae_desc_set may stand in it, once, and the settings `variance`, `categories`,
 * `head` and `code` as model files have them: the line `vae.desc` of a file is such a line. What
 * files do not hold (threads, isa, inference, keep_gradients) keeps its default unless the line
 * says otherwise. Memory comes from VAE_MALLOC.
 * Errors: ERR_NULL, those of vae_desc_set and vae_create. */
VAE_API vae_status vae_create_text(const char *settings, vae **model, vae_report *report);

/* Bytes that a model of this description needs, exactly; also the way to check a description. */
VAE_API vae_status vae_size(const vae_desc *desc, size_t *size, vae_report *report);

/* Makes a model, in one block from the allocator, or in the caller's block of at least vae_size
 * bytes (any alignment; it must outlive the model). Nothing is allocated afterwards.
 * Errors: ERR_VALUE, ERR_SYNTAX (with the column), ERR_SHAPE, ERR_SIZE, ERR_MEMORY,
 * ERR_UNSUPPORTED. */
VAE_API vae_status vae_create(const vae_desc *desc, vae **model, vae_report *report);
VAE_API vae_status vae_create_in(const vae_desc *desc, void *memory, size_t size, vae **model,
                                 vae_report *report);
#endif

/* Ends the model's threads and gives the block back where it came from; from any thread. NULL is
 * fine. */
VAE_API void vae_destroy(vae *model);

/* The sentence of the last call on this model that failed; status VAE_OK when none has. NULL for a
 * NULL model. */
VAE_API const vae_report *vae_last_report(const vae *model);

/* The description with every default resolved; its strings, in canonical spelling, live as long as
 * the model. */
VAE_API void vae_get_desc(const vae *model, vae_desc *desc);

/* A stochastic layer. */
typedef struct vae_layer_info {
    size_t latents, code, head, eps; /* latents; floats of its code, head and noise for a row */
} vae_layer_info;

typedef struct vae_info {
    size_t input_dim;   /* floats of an image */
    size_t height, width, channels; /* 1, 1, input_dim when the input was given as a number */
    size_t latent;
    size_t code;        /* floats of z, for a draw: latent, unless the posterior says otherwise */
    size_t head;        /* of the encoder's output for an image */
    size_t eps;         /* of vae_batch.eps, for a draw: the code's, then that of each `z N` */
    size_t outputs;     /* floats that the decoder gives for an image: input_dim, twice that for
                           gaussian_pixel and logistic_pixel, K times for categorical K, and for
                           logistic_mixture as the manual says */
    size_t parameters;  /* floats, all tensors */
    size_t tensors;
    size_t memory;      /* bytes of the model's block, all of it */
    size_t memory_activations; /* bytes of it that hold activations, their gradients, scratch */
    uint64_t step;      /* training steps done */
    uint64_t epoch;     /* whole epochs done by vae_fit */
    int classes;        /* of the layers `label`; 0: there are none */
    int by_pixel;       /* 1: the decoder has a layer `image`, and makes images pixel by pixel */
    uint64_t best_epoch; /* epoch after which the test loss was lowest, counted from 1; 0: none */
    double best;        /* that loss */
    double lr, beta;    /* learning rate and weight of the KL of the next step */
    double last_lr;     /* learning rate of the last step, unless the model was changed since */
    vae_isa isa;        /* in use */
    int invalid;        /* 1 after a non-finite gradient: load a checkpoint */
    int weights_only;   /* 1: loaded from a file without optimiser: training would begin it anew */
    size_t units;       /* latents of all stochastic layers */
    int layers;         /* stochastic layers: 1, and one more for each `z N` of the encoder. */
    vae_layer_info layer[VAE_MAX_LAYERS]; /* [0] is the code, [1] the `z N` next to the pixels */
} vae_info;

VAE_API void vae_get_info(const vae *model, vae_info *info);

/* FNV-1a, 64 bit, over the parameters as little-endian bytes: equal exactly when training was. */
VAE_API uint64_t vae_params_hash(const vae *model);

/* One tensor of the model; `data` and `grad` point into the model, row-major. */
typedef struct vae_tensor {
    const char *name;   /* "encoder.0.weight" */
    int rank;
    size_t shape[4];
    size_t count;       /* floats */
    float *data;
    float *grad;        /* of the last step; NULL unless keep_gradients or clip is set */
    float *average;     /* with `ema`: their running average, which calls use; NULL: none */
} vae_tensor;

/* Tensor number `index` (0 <= index < vae_info.tensors), in the order of files. The tensors lie
 * packed, one after another: `data` of the first one is the array of all parameters. In a model
 * that borrows its parameters, `data` points into the caller's bytes: write there only if those
 * bytes may be written. */
VAE_API vae_status vae_tensor_at(vae *model, size_t index, vae_tensor *tensor);

/* Gives a tensor other numbers: values (count); masked weights stay 0. With desc.ema its running
 * average begins anew from them. Moments of the optimiser stay as they are. Errors: ERR_NULL,
 * ERR_VALUE (index), ERR_NONFINITE. */
VAE_API vae_status vae_tensor_set(vae *model, size_t index, const float *values);

/* ---- rows for a call ---- */

/* The rows that a call works on, and all that it needs to know about them. Plain data; zero is the
 * default of every field but `rows` and `x`. Nothing of it stays in use after the call, and nothing
 * of it is written to.
 *
 * Row r is number index[r], or first + r (modulo 2^32). Where the model is used, noise is addressed
 * by that number: the same number has the same noise in a batch of any size. In training only
 * binarised pixels are. The noise of the code, layers dropout and noise and corrupted input are
 * addressed by the step and the row's place r in the batch.
 * Labels matter to networks with layers `label` alone, which then need them: row r is of class
 * labels[r % label_count], so one label is enough for all rows.
 * eps takes the place of the addressed noise of the code and of layers `z N`. Calls that draw no
 * such noise, or not of q, ignore it: vae_encode, vae_decode, vae_decode_logits, vae_draw,
 * vae_reconstruct, vae_prior and vae_sample_prior; with desc.no_noise vae_posterior and vae_score
 * too. */
typedef struct vae_batch {
    const float *x VAE_0;   /* (rows, input_dim). vae_decode, vae_decode_logits, vae_draw: z (rows,
                               vae_info.code). vae_prior, vae_sample_prior: ignored */
    size_t rows VAE_0;      /* any number; of a training step 1 to desc.batch */
    uint32_t first VAE_0;   /* number of row 0, in the data set or of the draw */
    const uint32_t *index VAE_0; /* (rows) numbers of the rows; NULL: first, first + 1, ... */
    const int32_t *labels VAE_0; /* (label_count) classes, 0 to vae_info.classes - 1 */
    size_t label_count VAE_0;
    const float *eps VAE_0; /* (rows * draws of each, vae_info.eps) the code's; NULL: addressed */
    int no_ema VAE_0;       /* 1: the weights themselves. 0: with desc.ema their running average */
} vae_batch;

/* ---- training ---- */

typedef struct vae_stats {
    double elbo;   /* -(recon + kl), whatever beta is */
    double recon;  /* negative log-likelihood given z, >= 0 for bernoulli */
    double kl;
    double bound;  /* objective iwae, dreg: the mean of log 1/k sum p(x,z)/q(z|x); else elbo */
    double loss;   /* what was minimised: recon + beta * kl + penalties, or -bound + penalties; of
                      vae_evaluate recon + beta * kl, without warm-up, free bits and penalties */
    double grad_norm; /* global, before clipping, of one step; 0 unless `clip` is set */
    uint64_t images;  /* over which the figures are means */
    double layer_kl[VAE_MAX_LAYERS]; /* kl of each stochastic layer (vae_info.layer) */
} vae_stats;

#ifndef VAE_NO_TRAIN
/* One step on a batch: forward, backward, optimiser.
 *
 *   batch  x (rows, input_dim), 1 <= rows <= desc.batch. The numbers of the images address, with
 *          the step, the binarisation noise; with index NULL they are step * desc.batch + row, and
 *          `first` must be 0. eps (rows * samples, vae_info.eps): an image's draws in turn. no_ema
 *          is ignored: training uses the weights themselves
 *   stats  out, means over the batch, before the update; may be NULL
 *
 * Errors: ERR_NULL, ERR_VALUE (rows, first, a label or a pixel out of range), ERR_STATE (a model
 * for inference, an invalid one, labels that are missing, eps with desc.no_noise), ERR_NONFINITE: a
 * pixel, noise or loss that is not finite leaves the model as it was; a gradient that is not
 * marks the model invalid, and the report names tensor and step. */
VAE_API vae_status vae_train_step(vae *model, const vae_batch *batch, vae_stats *stats);
#endif

/* Numbers of a data file or array, read-only after loading: `count` images of `item` numbers. */
typedef enum vae_type {
    VAE_U8 = 0x08, /* the numbers are those of IDX files */
    VAE_I8 = 0x09,
    VAE_I16 = 0x0B,
    VAE_I32 = 0x0C,
    VAE_F32 = 0x0D,
    VAE_F64 = 0x0E,
    VAE_TYPE_IS_INT = 0x7fffffff
} vae_type;

typedef struct vae_data {
    vae_type type;
    int rank;                   /* 1..VAE_MAX_RANK */
    size_t dims[VAE_MAX_RANK];
    size_t count;               /* dims[0] */
    size_t item;                /* product of the other dims */
    const void *bytes;          /* count * item numbers, in the byte order of this machine */
    const int32_t *labels;      /* class of each image, for layers `label`; the caller's */
    void *block;                /* what vae_data_free releases; NULL: the caller's own memory */
    size_t block_size;
    vae_allocator allocator;
} vae_data;

typedef struct vae_progress {
    uint64_t epoch, epochs;     /* 0-based epoch at work; how many there will be */
    uint64_t step, steps;       /* steps done in this epoch, steps of an epoch */
    uint64_t images, total;     /* images done in this epoch, images of an epoch */
    int epoch_done;             /* 1: last call of the epoch; `epoch` is counted as done */
    int has_test;               /* 1: `test` is filled (only when epoch_done) */
    vae_stats train;            /* mean over the steps of this epoch so far, as they ran */
    vae_stats test;             /* one draw per image at the end of the epoch */
} vae_progress;

/* Called after every step, and once more at the end of each epoch. May use and save the model, not
 * train it: vae_fit, vae_train_step and vae_check_gradients return ERR_STATE. No other thread may
 * be using it when the callback returns (vae_fit then returns ERR_STATE). A result other than 0
 * stops the training at this point. vae_fit then returns VAE_STOPPED, and a later
 * vae_fit on the same data goes on from there with the same bits. */
typedef int (*vae_progress_fn)(vae *model, const vae_progress *progress, void *user);

#ifndef VAE_NO_TRAIN
/* Trains until desc.epochs epochs are done. It starts where the model is, so a loaded checkpoint
 * goes on. Every epoch visits each image once, in an order made from the seed; the last batch may
 * be smaller. Before step 0 visible_bias `mean` sets the decoder's last bias, and prior `vamp`
 * those of its pseudo-inputs that have the numbers they began with. `test` and `progress` may be
 * NULL.
 * Errors: those of vae_train_step; ERR_SHAPE when an image is not input_dim numbers; ERR_MISMATCH
 * when a run is resumed in mid-epoch with another number of images;
 * ERR_NONFINITE and ERR_VALUE for pixels of either data set that cannot be, before the first step.
 * A test loss that is not finite is an error, with the image. */
VAE_API vae_status vae_fit(vae *model, const vae_data *train, const vae_data *test,
                           vae_progress_fn progress, void *user);

/* Changes what vae_fit runs up to; stored with the model. Errors: ERR_VALUE outside 1 to 10^9. */
VAE_API vae_status vae_set_epochs(vae *model, int epochs);

/* Sets the decoder's last bias so that, before training, it yields these mean pixels: the logit of
 * the mean clipped to [0.001, 0.999] for bernoulli, what has that mean for continuous_bernoulli,
 * the mean itself for the gaussians and as the centre of a logistic. A bias that pixels share (of
 * a convolution) gets the mean over them.
 *   mean  (input_dim)
 * Errors: ERR_STATE for categorical, a last layer without a bias of its own for each channel. */
VAE_API vae_status vae_set_visible_bias(vae *model, const float *mean);

/* Compares the gradients of one batch with central differences of the loss along `directions`
 * directions through each tensor. `worst` is the largest |difference| / (|a| + |b|). Single
 * precision bounds what can be seen: below 1e-2 is right (3e-2 where a relu's kink lies in the
 * way), wrong gradients give 0.1 to 1. So do inputs of prior vamp outside [0,1], whose gradient is
 * not the loss's by intention.
 * The batch is one of vae_train_step. Parameters are put back. Allocates three copies of them for
 * the time of the call. Errors: those of vae_train_step; ERR_UNSUPPORTED for objective dreg, and
 * for gradients straight through whole codes (fsq, straight_through), which are no derivatives;
 * ERR_MEMORY. */
VAE_API vae_status vae_check_gradients(vae *model, const vae_batch *batch, int directions,
                                       double *worst);
#endif

/* ---- using a model: any number of rows; nothing here changes the parameters ----
 *
 * Rows pass through the model's buffers in portions, divided among its threads; nothing is
 * allocated. With desc.ema set these calls use the averaged weights unless batch.no_ema says
 * otherwise. No rows are no error. Errors of all of them: ERR_NULL; ERR_NONFINITE and ERR_VALUE for
 * numbers that come in, and for labels; ERR_STATE for labels that are missing, and for a model made
 * to be looked at; ERR_NONFINITE for numbers that the network makes. */

#ifndef VAE_ONLY_DECODE
/* q(z|x): mu (rows, code), logvar (rows, latent), either may be NULL. `code` here and below is
 * vae_info.code: more than the latents with posterior categorical. logvar is as the network gives
 * it, clamped to [VAE_LOGVAR_MIN, VAE_LOGVAR_MAX]; ERR_STATE where the posterior has none. */
VAE_API vae_status vae_encode(vae *model, const vae_batch *batch, float *mu, float *logvar);

/* z ~ q(z|x), what the decoder is given: z = mu + exp(logvar / 2) eps, (rows, code); may be
 * batch.eps itself. eps NULL: the noise of vae_score, by the number of the image. The same eps
 * gives the same z as in training, bit for bit. With desc.no_noise z = mu. */
VAE_API vae_status vae_posterior(vae *model, const vae_batch *batch, float *z);
#endif

/* E[x|z]: batch.x holds z (rows, code) -> x (rows, input_dim), probabilities for bernoulli. The
 * second gives what the decoder's last layer does, logits for bernoulli: (rows, vae_info.outputs).
 * A decoder with a layer `image` makes images pixel by pixel, each number the most probable one
 * after those before it (the median of a continuous density), and the outputs are of these images.
 */
VAE_API vae_status vae_decode(vae *model, const vae_batch *batch, float *x);
VAE_API vae_status vae_decode_logits(vae *model, const vae_batch *batch, float *logits);

#ifndef VAE_ONLY_DECODE
/* x ~ p(x|z): batch.x holds z (rows, code) -> x (rows, input_dim). The number of a row is that of
 * its draw, of this seed. A decoder with a layer `image` draws pixel by pixel, many images at once.
 * All of its layers do so little for each pixel that an image costs about as much as one pass. */
VAE_API vae_status vae_draw(vae *model, const vae_batch *batch, uint64_t seed, float *x);

/* vae_decode of the mean of q(z|x): out (rows, input_dim); may be batch.x itself. */
VAE_API vae_status vae_reconstruct(vae *model, const vae_batch *batch, float *out);

/* z ~ p(z): z (rows, code). The number of a row is that of its draw, of this seed: draw 17 is
 * the same whether it is asked for alone or among a thousand. batch.x is ignored. */
VAE_API vae_status vae_prior(vae *model, const vae_batch *batch, uint64_t seed, float *z);

/* The same, decoded: x (rows, input_dim) holds E[x|z]; of a decoder with a layer `image`, what
 * vae_draw gives with this seed. */
VAE_API vae_status vae_sample_prior(vae *model, const vae_batch *batch, uint64_t seed, float *x);

/* Images whose beginning is known: x (rows, input_dim) has the first `given` numbers of batch.x
 * (rows, input_dim), and behind them draws of this seed, each given all numbers before it; seed
 * NULL: the most probable ones. x may be batch.x itself. The number of a row is that of its draw,
 * and of its binarisation, which is vae_score's.
 * Errors: ERR_VALUE for `given`, which likelihood logistic_mixture wants to be whole pixels;
 * ERR_STATE unless the decoder has a layer `image` and the posterior is `none`: a code would have
 * to be drawn of its density given the beginning, which is unknown. */
VAE_API vae_status vae_complete(vae *model, const vae_batch *batch, size_t given,
                                const uint64_t *seed, float *x);

/* ELBO of each image from one draw of z, addressed by the image's number (or batch.eps (rows,
 * vae_info.eps)): the same figure whatever the batch. For anomaly detection -elbo is the score:
 * higher means stranger.
 *   elbo, recon, kl (rows)  out, nats; each may be NULL */
VAE_API vae_status vae_score(vae *model, const vae_batch *batch, float *elbo, float *recon,
                             float *kl);

/* The importance-weighted bound of each image: log 1/k sum p(x,z)/q(z|x) over k draws of z. It
 * rises with k towards log p(x) (Burda et al. 2016). Papers call -bound of 5000 draws the negative
 * log-likelihood. Draws are addressed by the image's number, and the first one is vae_score's; or
 * they are batch.eps (rows * k, vae_info.eps), an image's draws in turn. The memory does not depend
 * on k. Threads divide the images.
 *   k 1 to 65536;  bound (rows)  out, nats
 * Errors: those of vae_score; ERR_VALUE for k; ERR_STATE with desc.no_noise. */
VAE_API vae_status vae_bound(vae *model, const vae_batch *batch, int k, float *bound);

/* Means of vae_score's over a data set. */
VAE_API vae_status vae_evaluate(vae *model, const vae_data *data, vae_stats *stats);

/* What each latent does over a data set: the mean of its KL, in nats, and the variance of its mean
 * mu, both (vae_info.units): of the code, then of each layer `z N`; either may be NULL. A latent is
 * active where that variance is above 0.01 (Burda et al. 2016). mu is given the means of the
 * layers before it, the KL given one draw of them. */
VAE_API vae_status vae_units(vae *model, const vae_data *data, double *kl, double *variance);

/* For each latent, how many images of a data set have its log variance at a limit, where it has no
 * gradient: VAE_LOGVAR_MIN, VAE_LOGVAR_MAX, or the least deviation of "normal abs" and so on.
 * count (latent).
 * A latent that is there for every image no longer learns its deviation. */
VAE_API vae_status vae_units_clamped(vae *model, const vae_data *data, uint64_t *count);
#endif

/* ---- model files: safetensors ---- */

enum { VAE_SAVE_WEIGHTS_ONLY = 1 }; /* without the optimiser: for use, not for going on */

/* How a file becomes a model. Zero is default. */
typedef struct vae_load_options {
    int inference VAE_0; /* 1: parameters only. 2: to look at: not even memory for activations.
                           vae_get_desc, vae_get_info, vae_tensor_at, vae_params_hash and saving
                           weights work, what computes returns ERR_STATE */
    int batch VAE_0;    /* rows of the buffers. 0: as stored, for inference at most 128. In training
                           another number than the stored one is another run */
    int threads VAE_0;  /* as in vae_desc, and so is parallel */
    vae_parallel parallel VAE_0;
    vae_isa isa VAE_0;
    int borrow VAE_0;   /* vae_load_memory with `inference`: use the parameters where they lie when
                           they are aligned to 4 bytes and in this machine's byte order; the bytes
                           must then outlive the model. Where another tool has changed the order
                           of the tensors they are copied */
    size_t max_memory VAE_0; /* refuse a model whose block needs more bytes than this: a small file
                           can ask for any amount. 0: 2^31, and 16 for each byte of the file (no
                           limit if `memory` is given). SIZE_MAX: no limit */
    void *memory VAE_0; /* the caller's block for the model, `memory_size` bytes; NULL: allocate.
                           The call uses 6 KB of stack, not 17, where the block has 12 KB more than
                           the model needs; they are the caller's again when it returns */
    size_t memory_size VAE_0;
    vae_allocator allocator VAE_0;
} vae_load_options;

/* A model out of the bytes of a model file; vae_load_size says how large a block it needs. Every
 * byte is checked before it is believed. `options` may be NULL. With options->memory nothing is
 * allocated for models of up to some 20 tensors; larger ones take a few KB during the call.
 * Errors: ERR_FORMAT (with the offset), ERR_MISMATCH, ERR_SIZE, ERR_MEMORY, and those of
 * vae_create. */
VAE_API vae_status vae_load_size(const void *bytes, size_t size, const vae_load_options *options,
                                 size_t *need, vae_report *report);
VAE_API vae_status vae_load_memory(const void *bytes, size_t size, const vae_load_options *options,
                                   vae **model, vae_report *report);

/* A second model for inference with the weights of `owner`, for another thread: it has buffers, a
 * report and threads of its own, and no copy of the parameters. The bits are those of the owner.
 * `options` as for loading (borrow is ignored, max_memory 0 is no limit); NULL: one thread, buffers
 * of the owner's batch, 128 rows at most. Takes microseconds: once for each thread of a server, or
 * once for each request.
 *
 *     vae *own;                                    in each thread
 *     vae_share(model, NULL, &own, NULL);
 *     vae_decode(own, &batch, images);
 *     vae_destroy(own);
 *
 * Several threads may share one owner at once, and the owner may itself be used meanwhile for what
 * does not change it. It must outlive the models that share it, and must not train, get another
 * visible bias or be written to while one of them computes; what it learned before a call, the call
 * sees. vae_info of a shared model tells the step and epoch at which it was made.
 * Allocates one block (vae_info.memory bytes), or uses options->memory.
 * Errors: ERR_NULL, ERR_SIZE, ERR_MEMORY, and those of vae_create for what the options choose. */
VAE_API vae_status vae_share(const vae *owner, const vae_load_options *options, vae **model,
                             vae_report *report);

/* The file as bytes: how many, and into a block of at least that size. */
VAE_API vae_status vae_save_size(vae *model, int flags, size_t *size);
VAE_API vae_status vae_save_memory(vae *model, int flags, void *bytes, size_t size);

#ifndef VAE_NO_STDIO
/* Replaces a file completely. At every instant, also during a power cut, `path` holds either the
 * old file or the new one. The bytes go to a temporary file, "<path>.vae-" and the number of the
 * process, which is flushed to the disk and then renamed. One writer at a time holds
 * "<path>.vae-lock"; another gets ERR_OPEN, with the number of the first one's process if it can be
 * known. Both files are gone afterwards. No existing file is ever written to. Mode and owner of the
 * old file are kept (not on Windows). A symbolic link is replaced, not followed. On Windows paths
 * are UTF-8 and may be long, and a file that another program has open is replaced if that program
 * closes it within a second. Errors: ERR_NULL, ERR_OPEN, ERR_WRITE; the old file is then as it
 * was. */
VAE_API vae_status vae_file_save(const char *path, const void *bytes, size_t size,
                                 vae_report *report);

/* The right to write one path. Every save takes it while it writes. A program that will write a
 * file later, or many times, can take it before it begins to work; a second program is then refused
 * at once. Dropping it removes the lock file. A claim that is all zero holds nothing. A relative
 * path must keep its meaning until the drop. On systems without locks on files (neither flock nor
 * Windows), writers of one path must take turns by themselves. Errors: those of vae_file_save. */
typedef struct vae_claim {
    const char *path; /* the caller's, which must live as long; NULL: nothing is held */
    intptr_t lock;    /* the library's own */
} vae_claim;
VAE_API vae_status vae_claim_take(const char *path, vae_claim *claim, vae_report *report);
VAE_API vae_status vae_claim_save(const vae_claim *claim, const void *bytes, size_t size,
                                  vae_report *report);
VAE_API vae_status vae_claim_save_model(const vae_claim *claim, vae *model, int flags);
VAE_API void vae_claim_drop(vae_claim *claim);

/* vae_save_memory and vae_load_memory with a path, written as vae_file_save does. A model made for
 * inference saves weights only. A model is read out of a plain file only, its header first: what is
 * no model is refused before the rest is read.
 * Errors: ERR_OPEN, ERR_READ, ERR_WRITE; ERR_NONFINITE and ERR_STATE for a model whose numbers are
 * not finite, or that is for inference without VAE_SAVE_WEIGHTS_ONLY; those of vae_load_memory. */
VAE_API vae_status vae_save(vae *model, const char *path, int flags);
VAE_API vae_status vae_load(const char *path, const vae_load_options *options, vae **model,
                            vae_report *report);
#endif

/* ---- data: IDX files, plain or gzip ---- */

#ifndef VAE_NO_DATA
/* IDX out of memory (plain or gzip): the numbers are copied. `name` stands in messages. A gzip file
 * may have several members, and zeros behind the last one (padding of blocks); anything else there
 * is an error, where gzip warns and goes on: it may be the rest of the data. */
VAE_API vae_status vae_data_from_memory(const void *bytes, size_t size, const char *name,
                                        const vae_allocator *allocator, vae_data *data,
                                        vae_report *report);

/* Unpacks raw deflate (RFC 1951; without the frame of gzip or zlib) into a buffer of known size:
 * data that give more bytes are ERR_SIZE, and `out` holds the first out_size of them; data that
 * give fewer are ERR_FORMAT. After other errors the contents of `out` are undefined. `used`, which
 * may be NULL, becomes the number of bytes read. Allocates 210 KB during the call.
 * Errors: ERR_NULL, ERR_FORMAT (with the offset), ERR_SIZE, ERR_MEMORY. */
VAE_API vae_status vae_inflate(const void *bytes, size_t size, const char *name,
                               const vae_allocator *allocator, void *out, size_t out_size,
                               size_t *used, vae_report *report);
#endif

/* The caller's own array as data, not copied: numbers in this machine's byte order. */
VAE_API vae_status vae_data_wrap(vae_type type, int rank, const size_t *dims, const void *bytes,
                                 vae_data *data, vae_report *report);

/* Images `first` .. `first + count - 1` as floats: out (count, item). Unsigned bytes become
 * x / 255; signed integers of b bits (x + 2^(b-1)) / (2^b - 1); floats stay as they are. */
VAE_API vae_status vae_data_read(const vae_data *data, size_t first, size_t count, float *out);

/* Image `index`, number `element`, of an integer file, as it is stored (a label). 0 outside. */
VAE_API int32_t vae_data_label(const vae_data *data, size_t index, size_t element);

VAE_API void vae_data_free(vae_data *data);

#if !defined(VAE_NO_STDIO) && !defined(VAE_NO_DATA)
/* Reads a whole IDX file; a gzip'd one is unpacked as it is read. */
VAE_API vae_status vae_data_load(const char *path, const vae_allocator *allocator, vae_data *data,
                                 vae_report *report);
/* Writes plain IDX, through a temporary file as vae_save does. */
VAE_API vae_status vae_data_save(const char *path, const vae_data *data, vae_report *report);
#endif

/* ---- random numbers: every draw has an address, nothing is consumed ---- */

/* What a stream of random numbers is for. The manual says which place of a run stands in which
 * member of vae_stream. */
typedef enum vae_purpose {
    VAE_PURPOSE_INIT = 1,     /* initial weights */
    VAE_PURPOSE_SHUFFLE = 2,  /* the order of the images in an epoch */
    VAE_PURPOSE_BINARIZE = 3, /* pixels that are drawn as 0 or 1 */
    VAE_PURPOSE_EPS = 4,      /* noise of the code in training */
    VAE_PURPOSE_DROPOUT = 5,  /* layers dropout */
    VAE_PURPOSE_NOISE = 6,    /* layers noise, corrupted input, the second view of `contract` */
    VAE_PURPOSE_PRIOR_Z = 7,  /* z of vae_prior and vae_sample_prior */
    VAE_PURPOSE_DRAW_X = 8,   /* x of vae_draw */
    VAE_PURPOSE_EVAL = 9,     /* noise of the code in vae_score, vae_bound and test figures */
    VAE_PURPOSE_GUMBEL = 10,  /* reserved */
    VAE_PURPOSE_DIGITS = 11,  /* images of the built-in data sets */
    VAE_PURPOSE_PROBE = 12,   /* directions of vae_check_gradients */
    VAE_PURPOSE_USER = 128,   /* the first that is free for callers */
    VAE_PURPOSE_LAST = 255,
    VAE_PURPOSE_IS_INT = 0x7fffffff
} vae_purpose;

/* An endless row of random numbers; `element` 0, 1, 2 ... of it can be asked for in any order. */
typedef struct vae_stream {
    uint64_t seed VAE_0;
    uint32_t purpose VAE_0; /* vae_purpose, 0..255 */
    uint32_t layer VAE_0; /* 0..255 */
    uint32_t replica VAE_0; /* 0..65535 */
    uint32_t time VAE_0; /* step or epoch */
    uint32_t sample VAE_0; /* index of the image or of its place in the batch */
} vae_stream;

/* One block of Philox4x32-10 (Salmon et al. 2011): four words for a counter and a key. */
VAE_API void vae_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

#ifndef VAE_ONLY_DECODE
/* Elements first .. first + count - 1 of a stream, on the best instruction set: 32-bit words;
 * floats in [0,1), the top 24 bits of the word; standard normals (Box-Muller, |z| <= 6.77).
 * first + count is at most 2^34. */
VAE_API void vae_random_words(const vae_stream *s, uint64_t first, size_t count, uint32_t *out);
VAE_API void vae_random_uniform(const vae_stream *s, uint64_t first, size_t count, float *out);
VAE_API void vae_random_normal(const vae_stream *s, uint64_t first, size_t count, float *out);
#endif

/* An integer in [0, n), from elements 2 * element and 2 * element + 1; off uniform by less than
 * 2^-32. n of 0 gives 0. */
VAE_API uint32_t vae_random_below(const vae_stream *s, uint64_t element, uint32_t n);

/* Where position `place` of an epoch's order points: a permutation of 0 .. n-1, n <= 2^32. */
VAE_API uint64_t vae_shuffle(uint64_t seed, uint32_t epoch, uint64_t n, uint64_t place);

#ifndef VAE_ONLY_DECODE
/* ---- the matrix product, for its own sake ---- */

/* A product C (m, n) = act(A (m, k) B (k, n) + bias (n)). Plain data; zero is the default of every
 * field but the sizes and a, b, c. Matrices are row-major. */
typedef struct vae_gemm_desc {
    size_t m VAE_0, n VAE_0, k VAE_0;
    const float *a VAE_0, *b VAE_0; /* not read when k is 0: an empty sum */
    float *c VAE_0;     /* must not overlap the others */
    size_t lda VAE_0, ldb VAE_0, ldc VAE_0; /* floats from one stored row to the next. 0: packed */
    int trans_a VAE_0;  /* 1: A is stored (k, m) */
    int trans_b VAE_0;  /* 1: B is stored (n, k) */
    int add VAE_0;      /* 1: C + A B in place of A B + bias */
    const float *bias VAE_0; /* (n); NULL: zeros. Not with `add` */
    vae_act act VAE_0;  /* 0: identity */
    vae_isa isa VAE_0;  /* 0: the best there is */
    vae_parallel parallel VAE_0; /* with `run` set: who does the work */
} vae_gemm_desc;

/* Each output is one chain of fused multiply-adds over k ascending, from the bias (or 0, or C) and
 * finished by adding +0: the same bits on every instruction set and any number of threads; NaN is
 * always 0x7fc00000. Threads divide rows or columns. Allocates nothing; uses at most 40 KB of
 * stack. Safe from different threads on different C.
 * Errors: ERR_NULL, ERR_VALUE, ERR_SHAPE (a leading dimension too small), ERR_UNSUPPORTED; C is
 * then as it was. */
VAE_API vae_status vae_gemm(const vae_gemm_desc *desc, vae_report *report);
#endif

#endif /* VAE_H_INCLUDED */

#if defined(VAE_IMPLEMENTATION) && !defined(VAE__IMPLEMENTED)

/* ======================================================================================
 * >>compiler what this compiler and machine are, and how to hide a value from the optimiser
 * uses: nothing                      tests: tests/compile, tests/test_arena.c
 * ==================================================================================== */

#include <float.h>
#include <limits.h>
#include <stdarg.h>
#ifndef VAE_FREESTANDING
#include <string.h>
#endif

#if defined(VAE_MALLOC) != defined(VAE_FREE)
#error "vae.h: define VAE_MALLOC and VAE_FREE together, or neither"
#endif
#if defined(VAE_MALLOC) && defined(VAE_NO_MALLOC)
#error "vae.h: VAE_MALLOC and VAE_NO_MALLOC exclude each other"
#endif
#ifdef VAE_NO_MALLOC
#define VAE_MALLOC(size) ((void)(size), (void *)0)
#define VAE_FREE(ptr) ((void)(ptr))
#elif !defined(VAE_MALLOC)
#include <stdlib.h>
#define VAE_MALLOC(size) malloc(size)
#define VAE_FREE(ptr) free(ptr)
#endif
#ifndef VAE_ASSERT
#define VAE_ASSERT(cond) ((void)0)
#endif
#if defined(VAE_NO_DENSITIES) && !defined(VAE_NO_CODES)
#define VAE_NO_CODES
#endif
#if (defined(VAE_NO_CONV) || defined(VAE_NO_DENSITIES)) && !defined(VAE_NO_PIXELS)
#define VAE_NO_PIXELS
#endif
#if !defined(VAE__PRIVATE) && \
    (defined(VAE_NO_TRAIN) || defined(VAE_NO_PIXELS) || defined(VAE_NO_MESSAGES))
#define VAE__PRIVATE static VAE__UNUSED /* what is left out is no longer called, and vanishes */
#elif !defined(VAE__PRIVATE)
#define VAE__PRIVATE static /* the tests give these functions a linkage of their own */
#endif

/* What only training does, in a table and in an expression; and layers that work pixel by pixel. */
#ifdef VAE_NO_PIXELS
#define VAE__PIXEL(pixel) NULL
#else
#define VAE__PIXEL(pixel) pixel
#endif
#ifdef VAE_NO_TRAIN
#define VAE__BACK(bwd, grad, batch) NULL, NULL, NULL, NULL, NULL
#define VAE__MASKED(bwd, grad, mask) NULL, NULL, NULL, mask, NULL
#define VAE__ORDERED(bwd, grad, mask, pixel) NULL, NULL, NULL, mask, VAE__PIXEL(pixel)
#define VAE__TRAINS(pass_or_walk) ((void)(pass_or_walk), 0)
#define VAE__LEARNS(desc) ((void)(desc), 0) /* the model has what training needs */
#else
#define VAE__BACK(bwd, grad, batch) bwd, grad, batch, NULL, NULL
#define VAE__MASKED(bwd, grad, mask) bwd, grad, NULL, mask, NULL
#define VAE__ORDERED(bwd, grad, mask, pixel) bwd, grad, NULL, mask, VAE__PIXEL(pixel)
#define VAE__TRAINS(pass_or_walk) ((pass_or_walk)->train)
#define VAE__LEARNS(desc) (!(desc)->inference)
#endif

/* What a build for decoders alone leaves out, in an expression and in a table. */
#ifdef VAE_ONLY_DECODE
#define VAE__WHOLE 0
#define VAE__OF_WHOLE(pointer) NULL
#define VAE__HELP(syntax, rule) NULL, NULL
#else
#define VAE__WHOLE 1
#define VAE__OF_WHOLE(pointer) pointer
#define VAE__HELP(syntax, rule) syntax, rule /* vae_kind_syntax gives them */
#endif
#ifdef VAE_NO_MESSAGES
#define VAE__TALKS 0
#else
#define VAE__TALKS 1 /* errors have sentences */
#endif

#if defined(__x86_64__) || defined(_M_X64)
#define VAE__X64 1
#endif
#if defined(VAE__X64) || defined(__i386__) || defined(_M_IX86)
#define VAE__X86 1
#endif
#if defined(__BYTE_ORDER__) && defined(__ORDER_BIG_ENDIAN__)
#define VAE__BIG_ENDIAN (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
#else
#define VAE__BIG_ENDIAN 0 /* every compiler without these macros is little-endian */
#endif
#if defined(VAE_FREESTANDING) && defined(VAE__X86)
#undef VAE_ONLY_PORTABLE /* immintrin.h needs stdlib.h */
#define VAE_ONLY_PORTABLE
#endif
#if defined(__TINYC__)
#define VAE__TCC 1
#elif defined(__clang__)
#define VAE__CLANG 1
#elif defined(__GNUC__)
#define VAE__GCC 1
#elif defined(_MSC_VER)
#define VAE__MSC 1
#include <intrin.h>
#ifdef _M_FP_FAST
#error "vae.h: /fp:fast changes the bits; compile this file with /fp:precise"
#endif
#pragma float_control(precise, on, push)
#pragma fp_contract(off)
#endif

#if defined(VAE__CLANG)
#define VAE__UNROLL _Pragma("clang loop unroll(full)")
#elif defined(VAE__GCC)
#define VAE__UNROLL _Pragma("GCC unroll 16")
#else
#define VAE__UNROLL
#endif
#if defined(VAE__GCC) || defined(VAE__CLANG)
#if defined(VAE__CLANG) && !defined(__OPTIMIZE__)
/* clang -O0 keeps every temporary of every inlined call in a place of its own: frames of 1 MB */
#define VAE__INLINE static __attribute__((__unused__))
#else
#define VAE__INLINE static __inline__ __attribute__((__always_inline__, __unused__))
#endif
#define VAE__UNUSED __attribute__((__unused__))
#define VAE__NOINLINE __attribute__((__noinline__))
#define VAE__COLD __attribute__((__cold__, __noinline__))
#define VAE__RARE(c) __builtin_expect((c) != 0, 0)
#define VAE__HIDE_P(p) __asm__("" : "+r"(p)) /* what it points at is read again */
#define VAE__PREFETCH(p) __builtin_prefetch(p)
#else
#ifdef VAE__MSC
#define VAE__INLINE static __forceinline
#define VAE__NOINLINE __declspec(noinline)
#else
#define VAE__INLINE static
#define VAE__NOINLINE
#endif
#define VAE__UNUSED
#define VAE__COLD VAE__NOINLINE
#define VAE__RARE(c) (c)
#define VAE__HIDE_P(p) ((void)0)
#if defined(VAE__MSC) && defined(VAE__X64)
#define VAE__PREFETCH(p) _mm_prefetch((const char *)(p), _MM_HINT_T0)
#else
#define VAE__PREFETCH(p) ((void)(p))
#endif
#endif

/* Intrinsics exist where gcc, clang or MSVC compile for a processor that has them; other compilers
 * (tcc) get the portable pass alone. */
#if !defined(VAE_ONLY_PORTABLE) && (defined(VAE__GCC) || defined(VAE__CLANG) || defined(VAE__MSC))
#if defined(VAE__X64) && (defined(__SSE_MATH__) || defined(VAE__MSC))
#ifndef VAE_NO_AVX2
#define VAE__HAVE_AVX2 1
#endif
#ifndef VAE_NO_AVX512
#define VAE__HAVE_AVX512 1
#endif
#if defined(VAE__HAVE_AVX2) || defined(VAE__HAVE_AVX512)
#define VAE__HAVE_AVX 1
#endif
#if defined(VAE_SSE2) && !defined(VAE__MSC)
#define VAE__HAVE_SIMD128 1
#endif
#elif defined(__wasm_simd128__)
#define VAE__HAVE_SIMD128 1
#elif defined(__aarch64__) && !VAE__BIG_ENDIAN
#define VAE__HAVE_NEON 1
#endif
#endif
#if defined(VAE_NO_PORTABLE) && !defined(VAE__HAVE_AVX) && !defined(VAE__HAVE_NEON) && \
    !defined(VAE__HAVE_SIMD128)
#error "vae.h: VAE_NO_PORTABLE, and no other pass: this build has no kernels at all"
#endif
#ifdef VAE__HAVE_AVX
#include <immintrin.h> /* before the first target region */
#if defined(VAE__CLANG) && defined(_MSC_VER) /* it leaves out what the flags do not ask for */
#include <smmintrin.h>
#include <popcntintrin.h>
#include <avxintrin.h>
#include <avx2intrin.h>
#include <fmaintrin.h>
#include <avx512fintrin.h>
#include <avx512dqintrin.h>
#include <avx512vlintrin.h>
#endif
/* gcc for Windows aligns its stack to 16 bytes, and may move vectors to it by instructions that ask
 * for 32 or 64 (GCC bug 54412). For the assembler these are macros in this whole file: each becomes
 * the instruction that asks for no alignment and is as fast. With -flto, which divides files anew,
 * -Wa,-muse-unaligned-vector-move does the same. */
#if defined(VAE__GCC) && (defined(_WIN32) || defined(__CYGWIN__))
#define VAE__MOVE(aligned, any) ".macro " aligned " a:vararg\n" any " \\a\n.endm\n"
__asm__(".ifndef .Lvae_moves\n.set .Lvae_moves, 1\n" VAE__MOVE("vmovaps", "vmovups")
        VAE__MOVE("vmovapd", "vmovupd") VAE__MOVE("vmovdqa", "vmovdqu")
        VAE__MOVE("vmovdqa32", "vmovdqu32") VAE__MOVE("vmovdqa64", "vmovdqu64") ".endif");
#endif
#endif
#ifdef VAE__HAVE_NEON
#include <arm_neon.h>
#endif
#if defined(VAE__HAVE_SIMD128) && defined(__wasm__)
#include <wasm_simd128.h>
#elif defined(VAE__HAVE_SIMD128)
#include <emmintrin.h>
#endif

/* Threads need atomics, which gcc and clang have as builtins, and an interface to start them. */
#if !defined(VAE_NO_THREADS) && \
    (defined(VAE__GCC) || defined(VAE__CLANG) || defined(VAE__MSC)) && \
    (defined(_WIN32) || defined(__unix__) || defined(__APPLE__)) && !defined(__wasm__)
#define VAE__THREADS 1
#endif
/* A model's flag `busy` needs one atomic exchange, also where the threads are the caller's. */
#if defined(VAE__THREADS) || defined(VAE__MSC) || \
    ((defined(VAE__GCC) || defined(VAE__CLANG)) && __GCC_ATOMIC_INT_LOCK_FREE == 2)
#define VAE__ATOMIC 1
#endif
/* Of ints, in the memory order RELAXED, ACQUIRE, RELEASE or SEQ_CST. */
#ifndef VAE__MSC
#define VAE__ATOMIC_LOAD(p, order) __atomic_load_n(p, __ATOMIC_##order)
#define VAE__ATOMIC_STORE(p, v, order) __atomic_store_n(p, v, __ATOMIC_##order)
#define VAE__ATOMIC_SWAP(p, v, order) __atomic_exchange_n(p, v, __ATOMIC_##order)
#define VAE__ATOMIC_ADD(p, v, order) __atomic_add_fetch(p, v, __ATOMIC_##order)
#else /* what writes is a full barrier, and a load acquires */
VAE__INLINE int vae__atomic_load(const volatile int *p) {
    int x = *p;
#ifdef VAE__X86
    _ReadWriteBarrier();
#else
    __dmb(11); /* inner shareable */
#endif
    return x;
}
#define VAE__LONG(p) ((volatile long *)(void *)(p))
#define VAE__ATOMIC_LOAD(p, order) vae__atomic_load((const int *)(p))
#define VAE__ATOMIC_STORE(p, v, order) ((void)_InterlockedExchange(VAE__LONG(p), (long)(v)))
#define VAE__ATOMIC_SWAP(p, v, order) _InterlockedExchange(VAE__LONG(p), (long)(v))
#define VAE__ATOMIC_ADD(p, v, order) (_InterlockedExchangeAdd(VAE__LONG(p), v) + (v))
#endif
#if defined(_WIN32) && (defined(VAE__THREADS) || !defined(VAE_NO_STDIO))
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#define VAE__LEAN 1
#endif
#ifndef NOMINMAX
#define NOMINMAX
#define VAE__NOMINMAX 1
#endif
#include <windows.h>
#ifdef VAE__LEAN
#undef WIN32_LEAN_AND_MEAN
#endif
#ifdef VAE__NOMINMAX
#undef NOMINMAX
#endif
#elif defined(VAE__THREADS)
#include <pthread.h>
#include <time.h>
#endif

/* 32-bit x86, and 64-bit under -mfpmath=387, would compute on the 387 with its own precision. gcc
 * is told to use SSE2 instead, for everything from here to the end of the implementation (without
 * the AVX passes: gcc does not inline intrinsics across a change of fpmath). */
#if defined(VAE__GCC) && defined(VAE__X86) && !defined(__SSE_MATH__)
#pragma GCC push_options
#pragma GCC target("sse2,fpmath=sse")
#define VAE__POP_FPMATH 1
#endif
#if defined(VAE__X86) && !defined(VAE__X64) && !defined(VAE__GCC) && !defined(__SSE2_MATH__) && \
    !defined(VAE_ALLOW_X87)
#error "vae.h: this build computes on the 387, whose results differ; define VAE_ALLOW_X87 to accept"
#endif

/* -fsingle-precision-constant would round every double constant of this file to a float, and the
 * bits would be others: under that flag this array has a size below 0. */
typedef char vae__refuses_fsingle_precision_constant[sizeof(1.0) == sizeof(double) ? 1 : -1];

/* gcc compiles the kernels at full speed even in a -O0 build. The bits do not depend on it. */
#if defined(VAE__GCC) && !defined(__OPTIMIZE_SIZE__)
#define VAE__GCC_FAST 1
#endif

/* VAE__SMALL to VAE__SMALL_END: code that runs once for a call or a file, compiled for its size.
 * gcc's macros are then those of -Os even after the pop, until the implementation ends: from here
 * on VAE__GCC_FAST tells, and not __OPTIMIZE_SIZE__. */
#if defined(VAE__GCC_FAST) && defined(__OPTIMIZE__)
#define VAE__GCC_SMALL 1
#define VAE__SMALL _Pragma("GCC push_options") _Pragma("GCC optimize(\"Os\")")
#define VAE__SMALL_END _Pragma("GCC pop_options")
#elif defined(VAE__CLANG) && defined(__OPTIMIZE__)
#define VAE__SMALL _Pragma("clang attribute push(__attribute__((minsize)), apply_to = function)")
#define VAE__SMALL_END _Pragma("clang attribute pop")
#else
#define VAE__SMALL
#define VAE__SMALL_END
#endif

/* VAE__HIDE_F and VAE__HIDE_D hide from the optimiser how a scalar was computed, so that it can
 * neither fuse the product nor reassociate the sum. Pragmas and flags are not enough: gcc fuses
 * a*b+c by default even when both are intrinsics, clang does so under -Ofast whatever
 * float_control says on AArch64 and wasm, and both fold x + 0. */
#if defined(VAE__GCC) || defined(VAE__CLANG)
#if defined(VAE__X86)
#define VAE__FLOAT_PLACE "+x" /* the constraint of a floating-point register */
#elif defined(__aarch64__)
#define VAE__FLOAT_PLACE "+w"
#elif defined(__s390x__) || (defined(__riscv_flen) && __riscv_flen + 0 >= 64)
#define VAE__FLOAT_PLACE "+f"
#elif defined(__wasm__) || (defined(__arm__) && defined(VAE__GCC) && !defined(__ARM_FP))
#define VAE__FLOAT_PLACE "+r"
#elif defined(__arm__) && defined(__ARM_FP)
#define VAE__FLOAT_PLACE "+t"
#if __ARM_FP & 8
#define VAE__DOUBLE_PLACE "+w"
#elif defined(VAE__GCC)
#define VAE__DOUBLE_PLACE "+r" /* a pair of them: no double fits a register of such an FPU */
#else
#define VAE__DOUBLE_PLACE "+m"
#endif
#else
#define VAE__FLOAT_PLACE "+m"
#endif
#ifndef VAE__DOUBLE_PLACE
#define VAE__DOUBLE_PLACE VAE__FLOAT_PLACE
#endif
#define VAE__HIDE_F(x) __asm__("" : VAE__FLOAT_PLACE(x))
#define VAE__HIDE_D(x) __asm__("" : VAE__DOUBLE_PLACE(x))
#elif defined(VAE__TCC) /* never contracts, never reassociates */ || \
    defined(VAE__MSC) /* the same, by the pragmas above */
#define VAE__HIDE_F(x) ((void)0)
#define VAE__HIDE_D(x) ((void)0)
#else
VAE__INLINE float vae__hidden_f(float x) { volatile float v = x; return v; }
VAE__INLINE double vae__hidden_d(double x) { volatile double v = x; return v; }
#define VAE__HIDE_F(x) ((x) = vae__hidden_f(x))
#define VAE__HIDE_D(x) ((x) = vae__hidden_d(x))
#endif

/* What string.h has, without a C library. Compilers know the first four, and call functions of the
 * program where they make no code for them. */
#ifdef VAE_FREESTANDING
#if !defined(VAE__GCC) && !defined(VAE__CLANG)
#error "vae.h: VAE_FREESTANDING needs gcc or clang"
#endif
#define memcpy __builtin_memcpy
#define memmove __builtin_memmove
#define memset __builtin_memset
#define memcmp __builtin_memcmp
#define strlen vae__strlen
#define strcmp vae__strcmp
#define strchr vae__strchr
#define strspn vae__strspn
#define strcspn vae__strcspn
#define memchr vae__memchr
static VAE__UNUSED size_t vae__strlen(const char *s) {
    const char *end = s;
    while (*end) {
        end++;
        VAE__HIDE_P(end); /* or the loop becomes a call of strlen */
    }
    return (size_t)(end - s);
}
static VAE__UNUSED int vae__strcmp(const char *a, const char *b) {
    while (*a && *a == *b) a++, b++;
    return (unsigned char)*a - (unsigned char)*b;
}
static VAE__UNUSED void *vae__memchr(const void *s, int c, size_t count) {
    const unsigned char *p = (const unsigned char *)s;
    for (; count; count--, p++)
        if (*p == (unsigned char)c) return (void *)(uintptr_t)p;
    return NULL;
}
static VAE__UNUSED char *vae__strchr(const char *s, int c) {
    return (char *)vae__memchr(s, c, strlen(s) + 1);
}
static VAE__UNUSED size_t vae__strspn(const char *s, const char *of) {
    size_t n = 0;
    while (s[n] && strchr(of, s[n])) n++;
    return n;
}
static VAE__UNUSED size_t vae__strcspn(const char *s, const char *of) {
    size_t n = 0;
    while (!strchr(of, s[n])) n++; /* which finds the end too */
    return n;
}
#endif

VAE__INLINE uint32_t vae__bits_f(float x) { uint32_t u; memcpy(&u, &x, 4); return u; }
VAE__INLINE float vae__float_of(uint32_t u) { float x; memcpy(&x, &u, 4); return x; }
VAE__INLINE uint64_t vae__bits_d(double x) { uint64_t u; memcpy(&u, &x, 8); return u; }
VAE__INLINE double vae__double_of(uint64_t u) { double x; memcpy(&x, &u, 8); return x; }

VAE__INLINE size_t vae__min(size_t a, size_t b) { return a < b ? a : b; }
VAE__INLINE size_t vae__max(size_t a, size_t b) { return a > b ? a : b; }

/* On the bits, because -Ofast assumes that there are no NaNs. */
VAE__INLINE int vae__finite_f(float x) { return (vae__bits_f(x) & 0x7f800000u) != 0x7f800000u; }
VAE__INLINE int vae__finite_d(double x) { return (vae__bits_d(x) >> 52 & 0x7ff) != 0x7ff; }

/* Doubles, one rounding each whatever the flags. */
VAE__INLINE double vae__add_d(double a, double b) {
    double r = a + b;
    VAE__HIDE_D(r);
    return r;
}
VAE__INLINE double vae__mul_d(double a, double b) {
    double r = a * b;
    VAE__HIDE_D(r);
    return r;
}
VAE__INLINE double vae__div_d(double a, double b) {
#if defined(VAE__X86) && (defined(VAE__GCC) || defined(VAE__CLANG))
    __asm__("divsd {%1, %0|%0, %1}" : "+x"(a) : "x"(b));
    return a;
#else
    double r;
    VAE__HIDE_D(b); /* or -Ofast multiplies by the reciprocal */
    r = a / b;
    VAE__HIDE_D(r);
    return r;
#endif
}

/* Correctly rounded square root of a finite x >= 0, without libm: by instruction where one is
 * known, else digit by digit on the integer significand. */
VAE__PRIVATE double vae__sqrt_d(double x) {
#if defined(VAE__X86) && (defined(VAE__GCC) || defined(VAE__CLANG))
    __asm__("sqrtsd %0, %0" : "+x"(x));
    return x;
#elif defined(__aarch64__) && (defined(VAE__GCC) || defined(VAE__CLANG))
    __asm__("fsqrt %d0, %d0" : "+w"(x));
    return x;
#elif defined(VAE__MSC) && defined(VAE__X64)
    return _mm_cvtsd_f64(_mm_sqrt_pd(_mm_set1_pd(x)));
#else
    uint64_t u = vae__bits_d(x), m, root = 0, rest = 0;
    int e = (int)(u >> 52) - 1023, i;
    if (!(u << 1) || e == 1024) return x;
    m = (u & 0xfffffffffffffu);
    if (e == -1023) { /* subnormal */
        e = -1022;
        while (!(m >> 52)) m <<= 1, e--;
    } else {
        m |= (uint64_t)1 << 52;
    }
    if (e & 1) m <<= 1, e--;
    /* m * 2^(e-52), e even: 54 digits of the root, two bits of m (then zeros) at a time */
    for (i = 0; i < 54; i++) {
        uint64_t trial;
        rest = rest << 2 | (m >> 52 & 3);
        m = (m & 0xfffffffffffffu) << 2;
        trial = root << 2 | 1;
        root <<= 1;
        if (rest >= trial) rest -= trial, root |= 1;
    }
    root = (root >> 1) + (root & 1); /* a tie cannot occur: a root of 54 digits squares to 107 */
    return vae__double_of(root + ((uint64_t)(e / 2 + 1022) << 52));
#endif
}

/* ======================================================================================
 * >>status   codes, sentences, numbers as text
 * uses: >>compiler                   tests: tests/test_status.c
 * ==================================================================================== */

VAE__SMALL

/* Number i of texts that stand one behind another, each with its zero byte, and an empty one at the
 * end; NULL: there are fewer. Such an array has no pointers, each of which is 24 bytes more for the
 * loader of the system. */
VAE__PRIVATE const char *vae__text_at(const char *texts, int i) {
    for (; *texts && i > 0; i--) texts += strlen(texts) + 1;
    return *texts && i == 0 ? texts : NULL;
}

static const char vae__status_texts[] =
    "ok\0"
    "a pointer that must be given is NULL\0"
    "a value lies outside its range\0"
    "an architecture string cannot be read\0"
    "shapes do not fit together\0"
    "a size overflows, or a memory block is too small\0"
    "out of memory\0"
    "the model cannot do this in its present state\0"
    "a file cannot be opened\0"
    "a file cannot be read\0"
    "a file cannot be written\0"
    "a file is not what it should be\0"
    "a file does not belong to this model or data\0"
    "this build or this processor cannot do it\0"
    "a number became infinite or NaN\0"
    "stopped by the progress callback\0";

VAE_API int vae_version(void) { return VAE_VERSION; }

VAE_API const char *vae_status_text(vae_status status) {
    const char *text = vae__text_at(vae__status_texts, (int)status);
    return text ? text : "unknown status";
}

/* The words of each vae_choice, in its order, and by value. */
static const char *const vae__words[VAE_CHOICE_COUNT] = {
    "auto\0portable\0simd128\0avx2\0avx512\0neon\0",
    "auto\0glorot\0he\0pytorch\0zero\0",
    "zero\0mean\0",
    "none\0dynamic\0",
    "adam\0adamw\0sgd\0adam_iwae\0",
    "constant\0cosine\0stages\0plateau\0",
    "identity\0relu\0leaky_relu\0elu\0tanh\0sigmoid\0softplus\0silu\0gelu\0",
    "elbo\0iwae\0dreg\0",
    "none\0gaussian\0mask\0salt_pepper\0",
};

VAE_API const char *vae_choice_name(vae_choice choice, int value) {
    return (unsigned)choice < VAE_CHOICE_COUNT ? vae__text_at(vae__words[choice], value) : NULL;
}

VAE_API int vae_choice_find(vae_choice choice, const char *name) {
    int i;
    const char *word;
    for (i = 0; name && (word = vae_choice_name(choice, i)) != NULL; i++)
        if (!strcmp(word, name)) return i;
    return -1;
}

/* Where text goes: a block of memory, a file, or a counter. `put` returns 0 when it fails; it is
 * not called again after that. */
typedef struct vae__sink {
    int (*put)(struct vae__sink *sink, const void *bytes, size_t count);
    size_t count; /* bytes put so far, with those that failed */
    char *block;  /* memory sinks: where, and how much room */
    size_t room;
    int failed;
} vae__sink;

static const char vae__hex_digits[] = "0123456789abcdef";

VAE__PRIVATE void vae__put(vae__sink *s, const void *bytes, size_t count) {
    if (count && !s->failed && !s->put(s, bytes, count)) s->failed = 1;
    s->count += count;
}

VAE__PRIVATE void vae__put_text(vae__sink *s, const char *text) {
    vae__put(s, text, strlen(text));
}

VAE__PRIVATE int vae__put_block(vae__sink *s, const void *bytes, size_t count) {
    const size_t fits = s->block ? vae__min(count, s->room - s->count) : 0;
    if (fits) memcpy(s->block + s->count, bytes, fits);
    return !s->block || fits == count;
}

/* A sink of `room` bytes at `block`, which cuts off what does not fit; with NULL it only counts. */
VAE__PRIVATE vae__sink vae__sink_of(void *block, size_t room) {
    vae__sink s;
    memset(&s, 0, sizeof s);
    s.put = vae__put_block, s.block = (char *)block, s.room = room;
    return s;
}

/* The same for a text of `size` bytes, which always ends with a zero byte. */
VAE__PRIVATE vae__sink vae__sink_text(char *text, size_t size) {
    memset(text, 0, size);
    return vae__sink_of(text, size - 1);
}

/* Length of the UTF-8 character at p, out of `count` bytes; 0 when there is none. Overlong forms,
 * surrogates and values above 10FFFF are refused. */
VAE__PRIVATE size_t vae__utf8(const unsigned char *p, size_t count) {
    const unsigned c = p[0];
    const size_t n = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    unsigned least = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
    unsigned most = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
    size_t k;
    if ((c >= 0x80 && c < 0xC2) || c > 0xF4 || count < n) return 0;
    for (k = 1; k < n; k++, least = 0x80, most = 0xBF)
        if (p[k] < least || p[k] > most) return 0;
    return n;
}

/* Length of the next piece of foreign text, and the `width` that it takes in a report. A piece is
 * a UTF-8 character that is safe to print, or one byte, shown as \x1b: of control characters,
 * invisible ones and marks of direction, which could act on a terminal or mislead a reader. */
VAE__PRIVATE size_t vae__piece(const unsigned char *p, size_t count, size_t *width) {
    const size_t n = vae__utf8(p, count);
    const unsigned two = n > 1 ? (unsigned)p[0] << 8 | p[1] : p[0];
    const unsigned three = n > 2 ? two << 8 | p[2] : 0;
    const int bad = n == 1 ? two < 0x20 || two == 0x7F :
                    n == 2 ? two < 0xC2A0 || two == 0xC2AD || two == 0xD89C :
                    n == 3 ? (three >= 0xE2808B && three <= 0xE2808F) || three == 0xEFBBBF ||
                             (three >= 0xE280A8 && three <= 0xE280AE) ||
                             (three >= 0xE281A0 && three <= 0xE281AF) : !n || two == 0xF3A0;
    *width = bad ? 4 : n;
    return bad ? 1 : n;
}

/* ---- numbers and text: exact in both directions, without locale and arithmetic on doubles ---- */

/* Reads at most `most` digits at p: how many, or 0 when there is none or the number overflows. */
VAE__PRIVATE size_t vae__read_number(const char *p, size_t most, unsigned base, uint64_t *out) {
    uint64_t u = 0;
    size_t n;
    for (n = 0; n < most; n++) {
        const unsigned c = (unsigned char)p[n], low = c | 0x20;
        const unsigned digit = c >= '0' && c <= '9' ? c - '0' :
                               low >= 'a' && low <= 'f' ? low - 'a' + 10 : 16;
        if (digit >= base) break;
        if (u > (UINT64_MAX - digit) / base) return 0;
        u = u * base + digit;
    }
    *out = u;
    return n;
}

/* The number 0.d0d1d2... x 10^point. A number halfway between two doubles has at most 768 digits.
 * So for the rounding it is enough to know of the digits after the 800th whether any is not 0. */
enum { VAE__DIGITS = 800 };
typedef struct vae__decimal {
    int count, point;
    int more; /* whether digits other than 0 follow the last */
    unsigned char digit[VAE__DIGITS];
} vae__decimal;

/* Times 2^k, 0 <= k <= 60, last digit first: a digit times 2^60 plus a carry fits into 64 bits. */
VAE__PRIVATE void vae__decimal_double(vae__decimal *d, int k) {
    unsigned char front[20];
    uint64_t carry = 0;
    int i, n = 0, keep;
    for (i = d->count; i-- > 0; carry /= 10) {
        carry += (uint64_t)d->digit[i] << k;
        d->digit[i] = (unsigned char)(carry % 10);
    }
    for (; carry; carry /= 10) front[n++] = (unsigned char)(carry % 10);
    keep = d->count < VAE__DIGITS - n ? d->count : VAE__DIGITS - n;
    for (i = keep; i < d->count; i++) d->more |= d->digit[i] != 0;
    memmove(d->digit + n, d->digit, (size_t)keep);
    for (i = 0; i < n; i++) d->digit[i] = front[n - 1 - i];
    for (d->count = keep + n; d->count && !d->digit[d->count - 1]; d->count--) {}
    d->point += n;
}

/* Divided by 2^k, 0 <= k <= 60: long division, first digit first. */
VAE__PRIVATE void vae__decimal_halve(vae__decimal *d, int k) {
    const uint64_t below = ((uint64_t)1 << k) - 1;
    uint64_t rest = 0;
    int i, n = 0;
    for (i = 0; i < d->count || rest; i++) {
        unsigned char digit;
        rest = rest * 10 + (i < d->count ? d->digit[i] : 0u);
        digit = (unsigned char)(rest >> k), rest &= below;
        if (!n && !digit) d->point--;
        else if (n < VAE__DIGITS) d->digit[n++] = digit;
        else d->more |= digit != 0;
    }
    d->count = n;
}

/* The first `n` digits as a whole number, n <= 19, rounded to the nearest, halves to even. */
VAE__PRIVATE uint64_t vae__decimal_round(const vae__decimal *d, int n) {
    uint64_t u = 0;
    int i, up;
    if (n < 0) return 0;
    for (i = 0; i < n; i++) u = u * 10 + (i < d->count ? d->digit[i] : 0u);
    up = n < d->count && d->digit[n] >= 5;
    if (up && d->digit[n] == 5 && !d->more && !(u & 1)) {
        for (i = n + 1; i < d->count && !d->digit[i]; i++) {}
        up = i < d->count;
    }
    return u + (uint64_t)up;
}

/* The double nearest to a number > 0, halves to even; infinity when it is too large. */
VAE__PRIVATE double vae__decimal_value(vae__decimal *d) {
    uint64_t bits;
    int e = 0, k; /* the number is *d x 2^e */
    if (d->point > 310) return vae__double_of((uint64_t)0x7ff << 52);
    if (d->point < -330) return 0;
    for (; d->point > 0; e += k) { /* make it less than 1 */
        k = d->point > 18 ? 60 : d->point > 1 ? 3 * (d->point - 1) : 1;
        vae__decimal_halve(d, k);
    }
    for (; d->point < 0 || d->digit[0] < 5; e -= k) { /* make it at least 1/2, still below 1 */
        k = d->point < -18 ? 60 : d->point < 0 ? -3 * d->point : 1;
        vae__decimal_double(d, k);
    }
    for (; e < -1021; e += k) { /* subnormal: units of 2^-1074 */
        k = -1021 - e < 60 ? -1021 - e : 60;
        vae__decimal_halve(d, k);
    }
    vae__decimal_double(d, 53);
    /* the highest of the 53 bits adds 1 to the exponent; so does the carry of rounding to 2^53 */
    bits = vae__decimal_round(d, d->point) + ((uint64_t)(e + 1021) << 52);
    return vae__double_of(bits >> 52 < 0x7ff ? bits : (uint64_t)0x7ff << 52);
}

/* Sets *d to u, without trailing zeros. */
VAE__PRIVATE void vae__decimal_set(vae__decimal *d, uint64_t u) {
    uint64_t rest;
    int i;
    d->count = d->more = 0;
    for (rest = u; rest; rest /= 10) d->count++;
    d->point = d->count;
    for (i = d->count; i-- > 0; u /= 10) d->digit[i] = (unsigned char)(u % 10);
    while (d->count && !d->digit[d->count - 1]) d->count--;
}

/* Reads a decimal such as -12, .5 or 1e-3 at p, correctly rounded. Returns its length, 0 when there
 * is none. A number too large for a double becomes infinity. */
VAE__PRIVATE size_t vae__read_decimal(const char *p, double *out) {
    const char *at = p;
    const int minus = *at == '-';
    vae__decimal d;
    uint64_t bits;
    int seen = 0, dot = 0, e = 0;
    d.count = d.point = d.more = 0;
    if (*at == '-' || *at == '+') at++;
    for (;; at++) {
        const unsigned digit = (unsigned)(unsigned char)*at - '0';
        if (*at == '.' && !dot) {
            dot = 1;
            continue;
        }
        if (digit > 9) break;
        seen = 1;
        if (d.count < VAE__DIGITS && (digit || d.count)) d.digit[d.count++] = (unsigned char)digit;
        else d.more |= digit != 0;
        /* digits before the point move it, and so do leading zeros after it */
        if (!dot && (digit || d.count)) d.point += d.point < 100000000;
        else if (dot && !d.count) d.point -= d.point > -100000000;
    }
    if (!seen) return 0;
    if (*at == 'e' || *at == 'E') { /* without digits it is not part of the number */
        const int down = at[1] == '-';
        const char *q = at + 1 + (down || at[1] == '+');
        for (; *q >= '0' && *q <= '9'; at = ++q) e = e < 100000000 ? e * 10 + (*q - '0') : e;
        d.point += down ? -e : e;
    }
    bits = d.count ? vae__bits_d(vae__decimal_value(&d)) : 0;
    *out = vae__double_of(bits | (uint64_t)minus << 63);
    return (size_t)(at - p);
}

/* Reads a real at p: exactly 16 hexadecimal digits are the bits of a double, anything else is a
 * decimal. Returns its length, 0 when there is none. A decimal that is not 0 but rounds to 0
 * becomes NaN, which no setting accepts: a 0 would stand for the default. */
VAE__PRIVATE size_t vae__read_real(const char *p, double *out) {
    uint64_t bits = 0;
    if (strspn(p, "0123456789abcdefABCDEF") != 16 || (p[16] && strchr(".+-", p[16]))) {
        const size_t n = vae__read_decimal(p, out), zeros = strspn(p, "+-.0");
        if (n && !(vae__bits_d(*out) << 1) && p[zeros] >= '1' && p[zeros] <= '9' && zeros < n)
            *out = vae__double_of((uint64_t)0x7ff8 << 48);
        return n;
    }
    (void)vae__read_number(p, 16, 16, &bits);
    *out = vae__double_of(bits);
    return 16;
}

VAE__PRIVATE void vae__put_hex(vae__sink *s, uint64_t u, int digits) {
    while (digits--) vae__put(s, vae__hex_digits + (u >> 4 * digits & 15), 1);
}

VAE__PRIVATE void vae__put_decimal(vae__sink *s, uint64_t u) {
    char digits[20];
    size_t n = sizeof digits;
    do digits[--n] = (char)('0' + u % 10); while (u /= 10);
    vae__put(s, digits + n, sizeof digits - n);
}

/* Digits as people read them: 0.001, 128, or 1.5e+20 with more than `wide` digits before the point.
 * With `wide` up to 15 there are never 16 hexadecimal digits in a row. */
VAE__PRIVATE void vae__put_digits(vae__sink *s, const vae__decimal *d, int wide) {
    const int fixed = d->point > -4 && d->point <= wide;
    const int whole = fixed ? d->point : 1; /* digits in front of the point */
    const unsigned e = (unsigned)(d->point > 0 ? d->point - 1 : 1 - d->point);
    int i;
    if (whole < 1) vae__put(s, "0.000", (size_t)(2 - whole));
    for (i = 0; i < d->count || i < whole; i++) {
        const char digit = (char)('0' + (i < d->count ? d->digit[i] : 0));
        if (i == whole && i) vae__put(s, ".", 1);
        vae__put(s, &digit, 1);
    }
    if (fixed) return;
    vae__put_text(s, d->point > 0 ? "e+" : "e-");
    if (e < 10) vae__put(s, "0", 1);
    vae__put_decimal(s, e);
}

/* Writes a double with `digits` significant digits, or with 0 as many as it takes to read the same
 * double back. Trailing zeros are left out. */
VAE__PRIVATE void vae__put_double(vae__sink *s, double value, int digits) {
    const uint64_t bits = vae__bits_d(value) & INT64_MAX, infinity = (uint64_t)0x7ff << 52;
    const int biased = (int)(bits >> 52);
    vae__decimal exact, d, again;
    int e = (biased ? biased : 1) - 1075, k, n;
    if (vae__bits_d(value) >> 63 && bits <= infinity) vae__put(s, "-", 1);
    if (!bits || bits >= infinity) {
        vae__put_text(s, !bits ? "0" : bits > infinity ? "NaN" : "inf");
        return;
    }
    vae__decimal_set(&exact, bits << 12 >> 12 | (uint64_t)(biased > 0) << 52);
    for (; e > 0; e -= k) k = e < 60 ? e : 60, vae__decimal_double(&exact, k);
    for (; e < 0; e += k) k = -e < 60 ? -e : 60, vae__decimal_halve(&exact, k);
    for (n = digits ? digits : 1;; n++) {
        vae__decimal_set(&d, vae__decimal_round(&exact, n));
        d.point += exact.point - n;
        again = d;
        if (digits || n == 17 || vae__bits_d(vae__decimal_value(&again)) == bits) break;
    }
    vae__put_digits(s, &d, digits ? digits : 15);
}

/* ---- formats ---- */

VAE__PRIVATE void vae__put_quoted(vae__sink *s, const char *text) {
    const size_t length = strlen(text);
    size_t n, width = 0, next;
    for (n = 0; n < length && width < 48; width += next)
        n += vae__piece((const unsigned char *)text + n, length - n, &next);
    vae__put(s, "'", 1);
    vae__put(s, text, n);
    vae__put_text(s, n < length ? "'.." : "'");
}

/* printf needs stdio and follows the locale. Here: %s text, %q foreign text, quoted and cut after
 * about 48 bytes, %c character, %d int, %z size_t, %u uint64_t, %x uint64_t as 16 hex digits,
 * %h bytes in hex ("1f 8b 08"; a pointer and a size_t), %f double with 6 significant digits, %r
 * double with as many as it needs (VAE_ONLY_DECODE: its bits), %%. */
VAE__PRIVATE void vae__putv(vae__sink *s, const char *format, va_list args) {
    int64_t d;
    for (; *format; format += 2) {
        const size_t run = strcspn(format, "%");
        vae__put(s, format, run);
        format += run;
        if (!*format) return;
        switch (format[1]) {
        case 's': vae__put_text(s, va_arg(args, const char *)); break;
        case 'z': vae__put_decimal(s, va_arg(args, size_t)); break;
        case 'u': vae__put_decimal(s, va_arg(args, uint64_t)); break;
        case 'f':
            if (VAE__WHOLE || VAE__TALKS) vae__put_double(s, va_arg(args, double), 6);
            break;
        case 'r':
            if (VAE__WHOLE) vae__put_double(s, va_arg(args, double), 0);
            else vae__put_hex(s, vae__bits_d(va_arg(args, double)), 16);
            break;
        case 'x': vae__put_hex(s, va_arg(args, uint64_t), 16); break;
        case 'd':
            d = va_arg(args, int);
            if (d < 0) vae__put(s, "-", 1);
            vae__put_decimal(s, (uint64_t)(d < 0 ? -d : d));
            break;
#ifndef VAE_NO_MESSAGES
        case 'q': vae__put_quoted(s, va_arg(args, const char *)); break;
        case 'c': {
            const char c = (char)va_arg(args, int);
            vae__put(s, &c, 1);
            break;
        }
        case 'h': {
            const unsigned char *p = va_arg(args, const unsigned char *);
            const size_t count = va_arg(args, size_t);
            size_t i;
            for (i = 0; i < count; i++) {
                if (i) vae__put(s, " ", 1);
                vae__put_hex(s, p[i], 2);
            }
            break;
        }
#endif
        default: vae__put(s, format + 1, 1);
        }
    }
}

VAE__PRIVATE void vae__putf(vae__sink *s, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vae__putv(s, format, args);
    va_end(args);
}

/* `put` of reports: makes any text printable, and cuts it between two characters. */
VAE__PRIVATE int vae__put_printable(vae__sink *s, const void *bytes, size_t count) {
    const unsigned char *p = (const unsigned char *)bytes;
    while (count) {
        char hex[4] = {'\\', 'x', 0, 0};
        size_t width;
        const size_t n = vae__piece(p, count, &width);
        hex[2] = vae__hex_digits[*p >> 4], hex[3] = vae__hex_digits[*p & 15];
        if (width > s->room) s->room = 0; /* full: nothing smaller may follow */
        else memcpy(s->block, width == n ? (const char *)p : hex, width);
        if (!s->room) return 0;
        s->block += width, s->room -= width;
        p += n, count -= n;
    }
    return 1;
}

/* Writes an error into a report: "name: sentence", or the sentence alone. */
VAE__PRIVATE void vae__report(vae_report *report, vae_status status, const char *name,
                              const char *format, va_list args) {
    vae__sink s = vae__sink_of(report->text, sizeof report->text - 1);
    s.put = vae__put_printable;
    if (name) vae__putf(&s, "%s: ", name);
    vae__putv(&s, format, args);
    *s.block = 0;
    report->status = status;
}

/* Fills the report, unless it is NULL, and returns the status: `return vae__fail(...)`. */
VAE__PRIVATE vae_status vae__fail(vae_report *report, vae_status status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    if (report) vae__report(report, status, NULL, format, args);
    va_end(args);
    return status;
}

/* A file or block: the name that sentences about it begin with, and the report they go to. */
typedef struct vae__source {
    const char *name;
    vae_report *report; /* or NULL */
} vae__source;

VAE__PRIVATE vae_status vae__fail_in(const vae__source *s, vae_status status, const char *format,
                                     ...) {
    va_list args;
    va_start(args, format);
    if (s->report) vae__report(s->report, status, s->name, format, args);
    va_end(args);
    return status;
}

#ifdef VAE_NO_MESSAGES /* a sentence is compiled, and never called */
VAE__PRIVATE vae_status vae__brief(vae_report *report, vae_status status) {
    const char *text = vae_status_text(status);
    if (report) memcpy(report->text, text, strlen(text) + 1), report->status = status;
    return status;
}
#define vae__fail(report, status, ...) \
    (0 ? vae__fail(report, status, __VA_ARGS__) : vae__brief(report, status))
#define vae__fail_in(s, status, ...) \
    (0 ? vae__fail_in(s, status, __VA_ARGS__) : vae__brief((s)->report, status))
#endif

/* The last 120 characters of a path: a longer one would leave no room for the reason. */
VAE__PRIVATE const char *vae__tail(const char *name) {
    const unsigned char *p = (const unsigned char *)name;
    size_t left = name ? strlen(name) : 0, i, width, all = 0;
    if (!name || !VAE__TALKS) return "memory";
    for (i = 0; i < left; all += width) i += vae__piece(p + i, left - i, &width);
    for (; all > 120; all -= width) i = vae__piece(p, left, &width), p += i, left -= i;
    return (const char *)p;
}

/* Eight bytes as a whole number ('u') or as the 16 hexadecimal digits of a double ('x'). */
VAE__PRIVATE void vae__put_bits(vae__sink *s, const char *before, char form, const void *from) {
    uint64_t u;
    memcpy(&u, from, 8);
    vae__putf(s, form == 'x' ? "%s%x" : "%s%u", before, u);
}

VAE__PRIVATE int vae__read_bits(const char **at, char form, void *to) {
    uint64_t u = 0;
    const size_t n = form == 'x' ? vae__read_number(*at, 16, 16, &u)
                                 : vae__read_number(*at, SIZE_MAX, 10, &u);
    if (!n || (form == 'x' && n != 16)) return 0;
    *at += n;
    memcpy(to, &u, 8);
    return 1;
}

VAE__PRIVATE vae__source vae__source_of(const char *name, vae_report *report) {
    vae__source s;
    s.name = vae__tail(name), s.report = report;
    return s;
}

VAE__SMALL_END

/* ======================================================================================
 * >>arena    sizes that cannot overflow, blocks, and a bump allocator over one of them
 * uses: >>status                     tests: tests/test_arena.c
 * ==================================================================================== */

/* a * b or a + b in *out, and 1; or 0 when it overflows. */
VAE__INLINE int vae__size_mul(size_t a, size_t b, size_t *out) {
    if (b && a > SIZE_MAX / b) return 0;
    *out = a * b;
    return 1;
}
VAE__INLINE int vae__size_add(size_t a, size_t b, size_t *out) {
    if (a > SIZE_MAX - b) return 0;
    *out = a + b;
    return 1;
}

VAE__PRIVATE void *vae__alloc(const vae_allocator *a, size_t size) {
    if (!size) size = 1;
    return a && a->alloc ? a->alloc(size, a->user) : VAE_MALLOC(size);
}

/* The same; reports when there is no memory. */
VAE__PRIVATE void *vae__alloc_for(const vae__source *s, const vae_allocator *a, size_t size) {
    void *block = vae__alloc(a, size);
    if (!block) (void)vae__fail_in(s, VAE_ERR_MEMORY, "out of memory for %z bytes", size);
    return block;
}

VAE__PRIVATE void vae__release(const vae_allocator *a, void *ptr, size_t size) {
    if (!ptr) return;
    if (!a || !a->alloc) VAE_FREE(ptr);
    else if (a->release) a->release(ptr, size ? size : 1, a->user);
}

/* Divides a block into 64-byte aligned pieces. With base NULL it only counts, so that measuring and
 * dividing are the same code and cannot disagree. Overflow and shortage set `failed`, which is
 * checked once at the end. */
typedef struct vae__arena {
    char *base;
    size_t size, used;
    int failed;
} vae__arena;

VAE__PRIVATE void *vae__push(vae__arena *a, size_t count, size_t width) {
    const size_t begin = a->used;
    size_t bytes, end;
    if (!vae__size_mul(count, width, &bytes) || !vae__size_add(bytes, 63, &bytes) ||
        !vae__size_add(begin, bytes & ~(size_t)63, &end) || end > PTRDIFF_MAX ||
        (a->base && end > a->size)) {
        a->failed = 1;
        return NULL;
    }
    a->used = end;
    return a->base ? a->base + begin : NULL;
}

/* One row of a plan: if `when`, `place` points to rows x width numbers; otherwise it stays. */
#define VAE__PUSH(arena, place, type, rows, width, when)                                         \
    do {                                                                                         \
        if (when) (place) = (type *)vae__push(arena, rows, (width) * sizeof(type));              \
    } while (0)

VAE__INLINE uint32_t vae__get_le32(const unsigned char *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* FNV-1a, 64 bit. `hash` is VAE__FNV to begin with, or an earlier result to continue. */
#define VAE__FNV 0xcbf29ce484222325u
VAE__PRIVATE uint64_t vae__hash(uint64_t hash, const void *bytes, size_t count) {
    const unsigned char *p = (const unsigned char *)bytes;
    while (count--) hash = (hash ^ *p++) * 0x100000001b3u;
    return hash;
}

/* The same over floats as little-endian bytes, NaN as the one canonical NaN. */
VAE__PRIVATE uint64_t vae__hash_floats(uint64_t hash, const float *x, size_t count) {
    size_t i;
    for (i = 0; i < count; i++) {
        uint32_t u = vae__bits_f(x[i]);
        int b;
        if ((u & 0x7fffffffu) > 0x7f800000u) u = 0x7fc00000u;
        for (b = 0; b < 32; b += 8) hash = (hash ^ (u >> b & 0xff)) * 0x100000001b3u;
    }
    return hash;
}

/* ======================================================================================
 * >>rng      random numbers by address: counter layout, integers, shuffles
 * uses: >>compiler                   tests: tests/test_rng.c
 *
 * A draw depends on what it is for (seed, purpose, layer, replica, time, sample, element) and on
 * nothing else. Addresses and single draws are here; draws in bulk (words, uniforms, normals) are
 * kernels.
 *   Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3 (SC 2011)
 * ==================================================================================== */

#define VAE__PHILOX_M0 0xD2511F53u
#define VAE__PHILOX_M1 0xCD9E8D57u
#define VAE__PHILOX_W0 0x9E3779B9u
#define VAE__PHILOX_W1 0xBB67AE85u

VAE_API void vae_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    int turn;
    for (turn = 0; turn < 10; turn++) {
        uint64_t p0 = (uint64_t)VAE__PHILOX_M0 * c0, p1 = (uint64_t)VAE__PHILOX_M1 * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += VAE__PHILOX_W0;
        k1 += VAE__PHILOX_W1;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

/* A stream as Philox needs it: the key, and words 1 to 3 of the counter. Word 0 counts the blocks
 * of four numbers. */
typedef struct vae__address {
    uint32_t key[2], counter[3];
} vae__address;

VAE__INLINE vae__address vae__address_of(const vae_stream *s) {
    vae__address a;
    a.key[0] = (uint32_t)s->seed;
    a.key[1] = (uint32_t)(s->seed >> 32);
    a.counter[0] = s->sample;
    a.counter[1] = s->time;
    a.counter[2] = (s->purpose & 255) << 24 | (s->layer & 255) << 16 | (s->replica & 0xffff);
    return a;
}

/* The address of the library's own draws, whose layer is 0. */
VAE__PRIVATE vae__address vae__address_for(uint64_t seed, uint32_t purpose, uint32_t time,
                                           uint32_t sample, uint32_t replica) {
    vae_stream s;
    s.seed = seed, s.purpose = purpose, s.layer = 0, s.replica = replica;
    s.time = time, s.sample = sample;
    return vae__address_of(&s);
}

VAE__PRIVATE void vae__random_block(const vae__address *at, uint32_t block, uint32_t out[4]) {
    uint32_t counter[4];
    counter[0] = block;
    memcpy(counter + 1, at->counter, sizeof at->counter);
    vae_philox(counter, at->key, out);
}

VAE_API uint32_t vae_random_below(const vae_stream *s, uint64_t element, uint32_t n) {
    vae__address at = vae__address_of(s);
    uint32_t w[4], hi, lo;
    vae__random_block(&at, (uint32_t)(element / 2), w);
    hi = w[2 * (element & 1)], lo = w[2 * (element & 1) + 1];
    /* the high word of the 96-bit product (hi:lo) * n; the middle carry cannot overflow 64 bits */
    return (uint32_t)(((uint64_t)hi * n + ((uint64_t)lo * n >> 32)) >> 32);
}

/* The round function of the Feistel network: each bit of x changes about half of the result's. */
VAE__INLINE uint32_t vae__mix(uint32_t x) {
    x = (x ^ x >> 16) * 0x7feb352du;
    x = (x ^ x >> 15) * 0x846ca68bu;
    return x ^ x >> 16;
}

/* An epoch's order, without an array: position p goes through a Feistel network (a permutation) on
 * the smallest even number of bits that holds n positions, again until the result is below n. */
typedef struct vae__order {
    uint64_t n;
    int half; /* bits of one half */
    uint32_t keys[8];
} vae__order;

VAE__PRIVATE void vae__order_begin(vae__order *o, uint64_t seed, uint32_t epoch, uint64_t n) {
    uint32_t turn, w[4];
    for (turn = 0; turn < 8; turn++) {
        vae__address at = vae__address_for(seed, VAE_PURPOSE_SHUFFLE, epoch, 0, turn);
        vae__random_block(&at, 0, w);
        o->keys[turn] = w[0];
    }
    VAE_ASSERT(n > 0);
    o->n = n;
    for (o->half = 1; o->half < 16 && (uint64_t)1 << 2 * o->half < n; o->half++) {}
}

VAE__PRIVATE uint64_t vae__order_at(const vae__order *o, uint64_t place) {
    const uint32_t mask = (uint32_t)(((uint64_t)1 << o->half) - 1);
    do {
        uint32_t left = (uint32_t)(place >> o->half), right = (uint32_t)place & mask;
        int turn;
        for (turn = 0; turn < 8; turn++) {
            uint32_t next = left ^ (vae__mix(right ^ o->keys[turn]) & mask);
            left = right;
            right = next;
        }
        place = (uint64_t)left << o->half | right;
    } while (place >= o->n);
    return place;
}

VAE_API uint64_t vae_shuffle(uint64_t seed, uint32_t epoch, uint64_t n, uint64_t place) {
    vae__order o;
    if (place >= n || n > (uint64_t)1 << 32) return place;
    vae__order_begin(&o, seed, epoch, n);
    return vae__order_at(&o, place);
}

/* ======================================================================================
 * >>shim     the kernels, and how they are compiled for each instruction set
 * uses: >>compiler >>rng             tests: tests/test_math.c
 *
 * Here the file includes itself once for each instruction set (a pass). A pass compiles the lines
 * from "guard B" to the end of >>updates, in which VAE__* are this set's vectors and VAE__FN(name)
 * gives names of its own. Its result is one const table of function pointers, filled from one list.
 * ==================================================================================== */

/* The kernels: result, name, arguments. To add one, add a line here and a function VAE__FN(name) in
 * a room before the table; one without the other does not compile. TRAIN: only training calls it,
 * so VAE_NO_TRAIN leaves it out; CONV: only convolutions and pools call it; BOTH: only training of
 * these; CODES: VAE_NO_CODES leaves it out, and so on; WHOLE: VAE_ONLY_DECODE does. A kernel that
 * is left out is NULL in the table and has no code. */
#define VAE__KERNEL_LIST(X, TRAIN, CONV, BOTH, CODES, PIXELS, DENSITIES, WHOLE) \
    X(void, gemm, (int flags, size_t m, size_t n, size_t k, const float *a, size_t lda, \
                   const float *b, size_t ldb, const float *bias, int act, float *c, size_t ldc)) \
    X(void, map, (int fn, size_t n, const float *x, float *y)) \
    TRAIN(void, act_bwd, (int act, size_t n, const float *kept, float *dy)) \
    TRAIN(void, bias_bwd, (size_t rows, size_t n, const float *dy, float *db)) \
    WHOLE(void, draw, (int kind, const vae__address *at, uint32_t block, size_t n, void *out)) \
    WHOLE(void, binarize, (const vae__address *at, size_t n, const float *x, float *out)) \
    WHOLE(float, bernoulli, (size_t n, const float *logits, const float *x, float scale, \
                             float *dlogits)) \
    WHOLE(float, bernoulli_sum, (size_t n, const float *logits, const float *x)) \
    WHOLE(float, gaussian, (size_t n, const float *mean, const float *x, float scale, \
                            float *dmean)) \
    WHOLE(void, latent_fwd, (size_t n, const float *head, const float *eps, float *z)) \
    TRAIN(void, latent_bwd, (int objective, size_t n, const float *head, const float *eps, \
                             const float *dz, float pull, float weight, float *dhead)) \
    WHOLE(float, kl, (size_t n, const float *head, float scale, const float *keep, float *dhead)) \
    WHOLE(void, kl_terms, (size_t n, const float *head, float *kl)) \
    WHOLE(float, ratio, (size_t n, const float *head, const float *eps, const float *z)) \
    CODES(float, between, (size_t n, const float *noise, const float *z, const float *head, \
                       float *terms)) \
    TRAIN(void, between_bwd, (size_t n, const float *z, const float *head, float pull, \
                              float *dhead, float *dz)) \
    TRAIN(float, sum_abs, (size_t n, const float *x, float scale, float *dx)) \
    CONV(void, runs, (int add, size_t m, size_t n, const vae__runs *k, const float *a, \
                      size_t row_step, const float *b, const float *bias, float *c, size_t ldc)) \
    CONV(void, overlay, (size_t m, size_t taps, size_t n, const float *values, size_t pitch, \
                         size_t run, float *y, size_t row_step, size_t line)) \
    CONV(void, transpose, (size_t pitch, size_t n, size_t m, const float *in, float *out)) \
    CONV(void, pool, (size_t h, size_t w, size_t c, size_t f, float of, const float *x, float *y)) \
    BOTH(void, unpool, (size_t h, size_t w, size_t c, size_t f, float of, const float *x, \
                        const float *dy, float *dx)) \
    X(void, add, (size_t n, const float *x, float a, const float *y, float *out)) \
    X(void, affine, (size_t rows, size_t n, const float *x, const float *shift, \
                     const float *scale, const float *offset, const float *dz, \
                     const float *slope, float *y)) \
    TRAIN(void, col_sums, (size_t rows, size_t ld, size_t n, const float *a, const float *b, \
                           const float *shift, const float *scale, double *sum)) \
    X(float, standardize, (size_t n, const float *x, float eps, float *y)) \
    TRAIN(void, standardize_bwd, (size_t n, const float *y, float inverse, float *dx)) \
    TRAIN(void, dropout, (const vae__address *at, size_t n, uint32_t threshold, float scale, \
                          const float *x, float *y)) \
    DENSITIES(float, density, (int kind, size_t n, size_t c, const float *out, float shared, \
                               const float *x, float scale, float *dout, float *dshared)) \
    DENSITIES(float, categorical, (size_t n, size_t k, const float *out, const float *x, \
                                   float scale, float *dout)) \
    PIXELS(float, logistics, (size_t pixels, size_t c, size_t k, const float *out, const float *x, \
                              float scale, float *dout)) \
    CODES(void, softmax, (size_t n, size_t k, const float *a, const float *u, float inverse, \
                          float *y)) \
    CODES(void, softmax_bwd, (size_t n, size_t k, const float *y, const float *dy, float scale, \
                              const float *keep, float *da)) \
    CODES(void, categories, (size_t n, size_t k, const float *a, float *p, float *excess, \
                             float *kl)) \
    X(void, observe, (int kind, size_t n, size_t c, size_t k, float deviation, \
                      const float *out, const float *u, float *x)) \
    WHOLE(void, spread, (int deviation, size_t n, const float *a, float *logvar)) \
    TRAIN(void, spread_bwd, (int deviation, size_t n, const float *a, const float *dlogvar, \
                             float *da)) \
    TRAIN(int, adam, (size_t n, float *w, const float *g, float *m, float *v, \
                      const vae__adam_step *s)) \
    TRAIN(int, sgd, (size_t n, float *w, const float *g, float *m, float lr, float momentum, \
                     float decay, float gscale)) \
    TRAIN(void, ema, (size_t n, const float *w, float *average, float decay)) \
    TRAIN(double, sum_squares, (size_t n, const float *x)) \
    X(int, within, (size_t n, float limit, const float *x)) \
    TRAIN(int, none_negative, (size_t n, const float *x)) \
    WHOLE(int, in_unit, (size_t n, const float *x)) \
    TRAIN(size_t, nonzeros, (size_t n, const float *x))

enum {
    VAE__GEMM_TRANS_A = 1, /* A is stored (k, m) */
    VAE__GEMM_TRANS_B = 2, /* B is stored (n, k) */
    VAE__GEMM_ADD = 4,     /* C += A B */
    VAE__GEMM_SKIP = 8 /* leave out zeros of A where that is faster: B is finite, ldc is n; not with
                          ADD or TRANS_B */
};

/* Functions of one argument for `map`: first the activations. */
enum {
    VAE__FN_EXP = VAE_ACT_COUNT, VAE__FN_EXPM1, VAE__FN_LOG, VAE__FN_LOG1P, VAE__FN_ERF,
    VAE__FN_SINPI, VAE__FN_COSPI, VAE__FN_SQRT, VAE__FN_COUNT
};
enum { VAE__DRAW_WORDS, VAE__DRAW_UNIFORM, VAE__DRAW_NORMAL };

/* Kinds for the kernels `density` and `observe`, and of deviations for `spread`. Rows of the tables
 * of likelihoods and posteriors name them. */
enum {
    VAE__DENSITY_BERNOULLI, VAE__DENSITY_GAUSSIAN, VAE__DENSITY_GAUSSIAN_PIXEL,
    VAE__DENSITY_CONTINUOUS, VAE__DENSITY_LOGISTIC, VAE__DENSITY_LOGISTIC_PIXEL,
    VAE__DENSITY_CATEGORICAL, VAE__DENSITY_MIXTURE
};
enum { VAE__MIXTURE_MOST = 32, VAE__MIXTURE_CHANNELS = 4 }; /* of logistic_mixture */
enum { VAE__SPREAD_NONE, VAE__SPREAD_ABS, VAE__SPREAD_RELU, VAE__SPREAD_SOFTPLUS };

/* One step's constants of Adam, each rounded to float once. */
typedef struct vae__adam_step {
    float gscale;   /* gradient clipping */
    float b1, one_minus_b1, b2, one_minus_b2;
    float rate;     /* lr / (1 - b1^t) */
    float inv_bias; /* 1 / sqrt(1 - b2^t) */
    float eps;
    float decay;    /* w *= decay before the update; 1: none */
    float l2;       /* l2 * w is added to the gradient; 0: none */
} vae__adam_step;

/* How the reduction index of a product runs: n[2] turns of n[1] runs of n[0] steps. A step moves
 * a[0] floats in A and b[0] in B; after each run follow a[1] and b[1], after each turn a[2] and
 * b[2]. */
typedef struct vae__runs {
    size_t n[3];
    ptrdiff_t a[3], b[3];
} vae__runs;

typedef struct vae__kernels {
    vae_isa isa;
#define VAE__X(result, name, args) result(*name) args;
    VAE__KERNEL_LIST(VAE__X, VAE__X, VAE__X, VAE__X, VAE__X, VAE__X, VAE__X, VAE__X)
#undef VAE__X
} vae__kernels;

#ifdef VAE__HAVE_AVX
enum { VAE__WIDEST_STRIP = 256 }; /* floats, of any pass */
#else
enum { VAE__WIDEST_STRIP = 48 };
#endif
static const float vae__zeros[VAE__WIDEST_STRIP] = {0}; /* a row in place of a missing bias */

#ifdef VAE__GCC /* as C++, gcc 12 warns about undefined operands of its own intrinsics */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#if defined(VAE_NO_TRAIN) || defined(VAE_NO_CONV) || defined(VAE_NO_CODES) || \
    defined(VAE_NO_DENSITIES)
#pragma GCC diagnostic ignored "-Wunused-function"
#endif
#endif
#ifdef VAE__CLANG /* no warning about loops that it cannot unroll */
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpass-failed"
#if defined(VAE_NO_TRAIN) || defined(VAE_NO_CONV) || defined(VAE_NO_CODES) || \
    defined(VAE_NO_DENSITIES)
#pragma clang diagnostic ignored "-Wunused-function"
#endif
#endif
#ifdef VAE__GCC_FAST
#pragma GCC push_options
#pragma GCC optimize("O2", "fp-contract=off", "no-fast-math", "no-math-errno")
#endif
/* FMA without an instruction: in double, with rounding to odd (Boldo & Melquiond 2008). The product
 * of two floats is exact in double. A sum that is not exact gets an odd last bit, in the direction
 * of its error, so that rounding to float never sees a false tie. Sums that are exact or not finite
 * stay as they are. */
VAE__COLD VAE__UNUSED static float vae__fma_odd(double p, double c, double s) {
    const double back = vae__add_d(s, -p);
    const double lost = vae__add_d(vae__add_d(p, -vae__add_d(s, -back)), vae__add_d(c, -back));
    const uint64_t u = vae__bits_d(s), e = vae__bits_d(lost), finite = (u >> 52 & 0x7ff) != 0x7ff;
    const uint64_t inexact = (uint64_t)((e << 1) != 0) & (~u & 1) & finite;
    const uint64_t away = (uint64_t)((u ^ e) >> 63 == 0); /* the lost part has the sum's sign */
    float r = (float)vae__double_of(u - inexact + 2 * (inexact & away)); /* one up or one down */
    VAE__HIDE_F(r);
    return r;
}
VAE__INLINE float vae__fma_now(float a, float b, float c) {
    const double p = vae__mul_d((double)a, (double)b), s = vae__add_d(p, (double)c);
    const uint64_t u = vae__bits_d(s);
    float r;
    /* rounding twice matters only if s lies halfway between floats, or is a subnormal float */
    if (VAE__RARE((u & 0x1fffffff) == 0x10000000 || (u >> 52 & 0x7ff) < 1023 - 126))
        return vae__fma_odd(p, (double)c, s);
    r = (float)s;
    VAE__HIDE_F(r);
    return r;
}

/* c = from (0 if NULL) + the product of a and the n columns of b, one step of k after the other:
 * for kernels whose sums may be wrong where numbers are large. A list holds the steps to take. */
VAE__COLD VAE__UNUSED static void vae__sure(const vae__runs *k, const uint16_t *list, size_t n,
                                            const float *a, const float *b, const float *from,
                                            float *c) {
    size_t turn, run, step, j;
    float zero = 0;
    VAE__HIDE_F(zero); /* see `tile` */
    for (j = 0; j < n; j++) c[j] = from ? from[j] : 0;
    for (turn = k->n[2]; turn; turn--, a += k->a[2], b += k->b[2])
    for (run = k->n[1]; run; run--, a += k->a[1], b += k->b[1])
    for (step = 0; step < k->n[0]; step++) {
        const ptrdiff_t at = list ? list[step] : 0;
        const float *row = b + at * k->b[0];
        const float factor = a[at * k->a[0]];
        for (j = 0; j < n; j++) c[j] = vae__fma_now(factor, row[j], c[j]);
        if (!list) a += k->a[0], b += k->b[0];
    }
    for (j = 0; j < n; j++) c[j] += zero;
}

#ifndef VAE_NO_PORTABLE
#define VAE__PASS 1
#include VAE_SELF
#undef VAE__PASS
#endif

#ifdef VAE__HAVE_SIMD128
typedef float vae__f4 __attribute__((__vector_size__(16)));
typedef uint32_t vae__u4 __attribute__((__vector_size__(16)));
typedef int32_t vae__i4 __attribute__((__vector_size__(16)));
typedef double vae__d2 __attribute__((__vector_size__(16)));
typedef uint64_t vae__u2 __attribute__((__vector_size__(16)));
#define VAE__PASS 2
#include VAE_SELF
#undef VAE__PASS
#endif

#ifdef VAE__HAVE_AVX2
#ifdef VAE__GCC
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#elif defined(VAE__CLANG)
#pragma clang attribute push(__attribute__((__target__("avx2,fma"))), apply_to = function)
#endif
#define VAE__PASS 3
#include VAE_SELF
#undef VAE__PASS
#ifdef VAE__GCC
#pragma GCC pop_options
#elif defined(VAE__CLANG)
#pragma clang attribute pop
#endif
#endif /* VAE__HAVE_AVX2 */

#ifdef VAE__HAVE_AVX512
#ifdef VAE__GCC
#pragma GCC push_options
#pragma GCC target("avx2,fma,popcnt,avx512f,avx512dq,avx512bw,avx512vl")
#elif defined(VAE__CLANG)
#pragma clang attribute push( \
    __attribute__((__target__("avx2,fma,popcnt,avx512f,avx512dq,avx512bw,avx512vl"))), \
    apply_to = function)
#endif
#define VAE__PASS 4
#include VAE_SELF
#undef VAE__PASS
#ifdef VAE__GCC
#pragma GCC pop_options
#elif defined(VAE__CLANG)
#pragma clang attribute pop
#endif
#endif /* VAE__HAVE_AVX512 */

#ifdef VAE__HAVE_NEON
#define VAE__PASS 5
#include VAE_SELF
#undef VAE__PASS
#endif
#ifdef VAE__GCC_FAST
#pragma GCC pop_options
#endif
#ifdef VAE__GCC
#pragma GCC diagnostic pop
#endif
#ifdef VAE__CLANG
#pragma clang diagnostic pop
#endif

#endif /* VAE_IMPLEMENTATION */
#else /* guard B: seen once per instruction set, from the lines above */

/* ======================================================================================
 * >>vectors  one vocabulary for every instruction set
 * uses: >>shim                       tests: tests/test_math.c, tests/test_simd128.c
 *
 * VAE__V: a vector of VAE__W floats. VAE__VI: as many 32-bit integers. VAE__VM: a mask of lanes.
 *   VAE__LOAD VAE__STORE   unaligned. VAE__GET(p, i, n), VAE__PUT(p, i, n, v): elements i .. of n;
 *                          those from n on read as +0 and are not written
 *   VAE__FMA(a, b, c)      a * b + c, rounded once; VAE__FMA_NOW is the same, inlined where the
 *                          other is a call: for products and optimisers in plain C
 *   VAE__ADD _SUB _MUL     each rounded: no compiler can fuse or reassociate them
 *   VAE__DIV VAE__SQRT     correctly rounded
 *   VAE__MAX VAE__MIN      a > b ? a : b and a < b ? a : b, also for NaN and zeros
 *   VAE__GT VAE__SELECT    a > b; mask ? a : b         VAE__I_GT is signed
 *   VAE__FROM_INT _TO_INT  signed; to int truncates, for values in range
 *   VAE__I_MULHILO         32 x 32 -> 64 unsigned, in two halves
 *   VAE__I_LOAD            unaligned
 *   VAE__TRANSPOSE         transposes VAE__W vectors
 *   VAE__VL _LOAD_LANES    which lanes exist, computed once by v_lanes(i, n); a load of these where
 *                          masks are cheap (VAE__CHEAP_LANES), elsewhere of the whole vector
 *   VAE__SHARE(k, av)      the first VAE__W / k lanes of av[0], the next of av[1], ... up to
 *                          av[k - 1]. VAE__LOAD_SHARED: VAE__W / k floats (lanes as above), k times
 *   VAE__I_STORE4          element w of vector i goes to p[4 i + w]
 *   VAE__S                 a vector of sums of products, which a pass may hold in another form:
 *                          VAE__TERM(v), VAE__FACTOR(v) make one of v, VAE__TOTAL(s) turns it
 *                          back, VAE__SUM(factor, term, sum) is an FMA. VAE__WATCH(most) declares
 *                          what TERM and FACTOR note, and VAE__UNSURE(most) tells at the end
 *                          whether sums may be wrong and must be made in another way
 * ==================================================================================== */
#if VAE__PASS == 1
#define VAE__FN(name) vae__##name##_portable
#define VAE__W 1
#define VAE__V float
#define VAE__VI uint32_t
#define VAE__VM uint32_t
#define VAE__HIDE(v) VAE__HIDE_F(v)
#define VAE__SET1(x) ((float)(x))
#define VAE__I_SET1(u) ((uint32_t)(u))
#define VAE__I_IOTA() 0u
VAE__INLINE VAE__V VAE__FN(v_load)(const float *p) { return *p; }
VAE__INLINE void VAE__FN(v_store)(float *p, VAE__V v) { *p = v; }
VAE__INLINE VAE__V VAE__FN(v_get)(const float *p, size_t i, size_t n) {
    return i < n ? p[i] : 0.0f;
}
VAE__INLINE void VAE__FN(v_put)(float *p, size_t i, size_t n, VAE__V v) { if (i < n) p[i] = v; }
#if defined(__FP_FAST_FMAF) && (defined(VAE__GCC) || defined(VAE__CLANG))
VAE__INLINE VAE__V VAE__FN(v_fma)(VAE__V a, VAE__V b, VAE__V c) { return __builtin_fmaf(a, b, c); }
#else
VAE__NOINLINE static VAE__V VAE__FN(v_fma)(VAE__V a, VAE__V b, VAE__V c) {
    return vae__fma_now(a, b, c);
}
#if !defined(__OPTIMIZE_SIZE__) || defined(VAE__GCC_FAST)
#define VAE__FMA_NOW(a, b, c) vae__fma_now(a, b, c)
#endif
#endif
VAE__INLINE VAE__V VAE__FN(v_add)(VAE__V a, VAE__V b) { VAE__V r = a + b; VAE__HIDE(r); return r; }
VAE__INLINE VAE__V VAE__FN(v_sub)(VAE__V a, VAE__V b) { VAE__V r = a - b; VAE__HIDE(r); return r; }
VAE__INLINE VAE__V VAE__FN(v_mul)(VAE__V a, VAE__V b) { VAE__V r = a * b; VAE__HIDE(r); return r; }
#if defined(VAE__X86) && (defined(VAE__GCC) || defined(VAE__CLANG))
#define VAE__ASM2(op, a, b) __asm__(op " {%1, %0|%0, %1}" : "+x"(a) : "x"(b))
VAE__INLINE VAE__V VAE__FN(v_div)(VAE__V a, VAE__V b) { VAE__ASM2("divss", a, b); return a; }
VAE__INLINE VAE__V VAE__FN(v_sqrt)(VAE__V a) { VAE__ASM2("sqrtss", a, a); return a; }
VAE__INLINE VAE__V VAE__FN(v_max)(VAE__V a, VAE__V b) { VAE__ASM2("maxss", a, b); return a; }
VAE__INLINE VAE__V VAE__FN(v_min)(VAE__V a, VAE__V b) { VAE__ASM2("minss", a, b); return a; }
#else
VAE__INLINE VAE__V VAE__FN(v_div)(VAE__V a, VAE__V b) {
    VAE__V r;
    VAE__HIDE(b);
    r = a / b;
    VAE__HIDE(r);
    return r;
}
/* The root in double is correctly rounded. Its 53 bits (at least 2 * 24 + 2) are enough for the
 * second rounding to give the correctly rounded float. */
VAE__INLINE VAE__V VAE__FN(v_sqrt)(VAE__V a) {
    uint32_t u = vae__bits_f(a);
    if (u == 0x7f800000u || !(u << 1)) return a;
    return u > 0x7f800000u ? vae__float_of(0x7fc00000u) : (float)vae__sqrt_d((double)a);
}
#ifndef VAE__MSC
#define VAE__MAX_BY_MASK 1
#else
VAE__INLINE VAE__V VAE__FN(v_max)(VAE__V a, VAE__V b) { return a > b ? a : b; }
VAE__INLINE VAE__V VAE__FN(v_min)(VAE__V a, VAE__V b) { return a < b ? a : b; }
#endif
#endif
#if defined(VAE__X86) && (defined(VAE__GCC) || defined(VAE__CLANG))
/* In assembly: under -ffinite-math-only gcc and clang take a shorter test, which NaN passes. */
VAE__INLINE VAE__VM VAE__FN(v_gt)(VAE__V a, VAE__V b) {
    VAE__ASM2("cmpltss", b, a);
    return vae__bits_f(b);
}
#elif defined(__aarch64__) && (defined(VAE__GCC) || defined(VAE__CLANG))
/* In assembly: under -Ofast clang turns compare and select into FMAXNM, which drops NaN. */
VAE__INLINE VAE__VM VAE__FN(v_gt)(VAE__V a, VAE__V b) {
    VAE__VM m;
    __asm__("fcmgt %s0, %s1, %s2" : "=w"(m) : "w"(a), "w"(b));
    return m;
}
#elif defined(VAE__CLANG) && !defined(VAE__X86) && defined(__FINITE_MATH_ONLY__) && \
    __FINITE_MATH_ONLY__
/* On the bits, because here the compiler may assume any result of a > b for NaN. */
VAE__INLINE VAE__VM VAE__FN(v_gt)(VAE__V a, VAE__V b) {
    uint32_t u = vae__bits_f(a), w = vae__bits_f(b), mu = u & 0x7fffffffu, mw = w & 0x7fffffffu;
    int64_t ku = u >> 31 ? -(int64_t)mu : (int64_t)mu, kw = w >> 31 ? -(int64_t)mw : (int64_t)mw;
    return (uint32_t)0 - (uint32_t)(ku > kw && mu <= 0x7f800000u && mw <= 0x7f800000u);
}
#else
VAE__INLINE VAE__VM VAE__FN(v_gt)(VAE__V a, VAE__V b) { return (uint32_t)0 - (uint32_t)(a > b); }
#endif
VAE__INLINE VAE__VM VAE__FN(vi_gt)(VAE__VI a, VAE__VI b) {
    return (uint32_t)0 - (uint32_t)((a ^ 0x80000000u) > (b ^ 0x80000000u));
}
VAE__INLINE VAE__VI VAE__FN(vi_select)(VAE__VM m, VAE__VI a, VAE__VI b) {
    return (a & m) | (b & ~m);
}
#ifdef VAE__MAX_BY_MASK
VAE__INLINE VAE__V VAE__FN(v_max)(VAE__V a, VAE__V b) {
    return vae__float_of(VAE__FN(vi_select)(VAE__FN(v_gt)(a, b), vae__bits_f(a), vae__bits_f(b)));
}
VAE__INLINE VAE__V VAE__FN(v_min)(VAE__V a, VAE__V b) {
    return vae__float_of(VAE__FN(vi_select)(VAE__FN(v_gt)(b, a), vae__bits_f(a), vae__bits_f(b)));
}
#endif
VAE__INLINE VAE__V VAE__FN(v_from_int)(VAE__VI a) {
    /* a cast is defined only for values in the range of int32_t */
    float r = (float)((int64_t)(a ^ 0x80000000u) - (int64_t)0x80000000);
    VAE__HIDE_F(r);
    return r;
}
VAE__INLINE VAE__VI VAE__FN(v_to_int)(VAE__V a) { return (uint32_t)(int32_t)a; }
VAE__INLINE void VAE__FN(vi_mulhilo)(uint32_t m, VAE__VI x, VAE__VI *hi, VAE__VI *lo) {
    uint64_t p = (uint64_t)m * x;
    *hi = (uint32_t)(p >> 32);
    *lo = (uint32_t)p;
}
VAE__INLINE void VAE__FN(vi_store4)(uint32_t *p, VAE__VI a, VAE__VI b, VAE__VI c, VAE__VI d) {
    const uint32_t four[4] = {a, b, c, d};
    memcpy(p, four, sizeof four); /* p may be an array of floats */
}
VAE__INLINE VAE__VI VAE__FN(vi_load)(const uint32_t *p) { return *p; }
#define VAE__BITS(v) vae__bits_f(v)
#define VAE__OF_BITS(u) vae__float_of(u)
#define VAE__I_ADD(a, b) ((a) + (b))
#define VAE__I_SUB(a, b) ((a) - (b))
#define VAE__I_AND(a, b) ((a) & (b))
#define VAE__I_OR(a, b) ((a) | (b))
#define VAE__I_XOR(a, b) ((a) ^ (b))
#define VAE__I_SHL(a, k) ((a) << (k))
#define VAE__I_SHR(a, k) ((a) >> (k))
#define VAE__SELECT(m, a, b) VAE__OF_BITS(VAE__FN(vi_select)(m, VAE__BITS(a), VAE__BITS(b)))
#define VAE__M_ANY(m) ((m) != 0)
#define VAE__M_OR(a, b) ((a) | (b))
#define VAE__TRANSPOSE(s) ((void)(s))
#define VAE__VL int
VAE__INLINE VAE__VL VAE__FN(v_lanes)(size_t i, size_t n) { (void)i; (void)n; return 1; }
#define VAE__LOAD_LANES(p, lanes) ((void)(lanes), *(p))
#define VAE__TILE_VECS 2 /* scalars; an FMA is twenty instructions, so wider tiles gain nothing */
#define VAE__TILE_ROWS_1 4
#define VAE__TILE_ROWS_2 4
#define VAE__SKIP_VECS 8
#define VAE__STREAM_VECS 8
#define VAE__ROW_VECS 8

#elif VAE__PASS == 2
/* Vectors of gcc and clang, with intrinsics where these have no operator. */
#define VAE__FN(name) vae__##name##_simd128
#define VAE__W 4
#define VAE__V vae__f4
#define VAE__VI vae__u4
#define VAE__VM vae__u4
#ifdef __wasm__
#define VAE__HIDE(v) __asm__("" : "+r"(v))
#define VAE__128(simd128, sse2) simd128
#define VAE__ARG(v) ((v128_t)(v))
#define VAE__I_ARG(v) ((v128_t)(v))
#define VAE__D_ARG(v) ((v128_t)(v))
#define VAE__PICK(a, b, i, j, k, l) wasm_i32x4_shuffle((v128_t)(a), (v128_t)(b), i, j, k + 4, l + 4)
#else
#define VAE__HIDE(v) __asm__("" : "+x"(v))
#define VAE__128(simd128, sse2) sse2
#define VAE__ARG(v) ((__m128)(v))
#define VAE__I_ARG(v) ((__m128i)(v))
#define VAE__D_ARG(v) ((__m128d)(v))
#define VAE__PICK(a, b, i, j, k, l) \
    _mm_shuffle_ps((__m128)(a), (__m128)(b), (i) | (j) << 2 | (k) << 4 | (l) << 6)
#endif
#define VAE__SET1(x) VAE__FN(v_set1)(x)
#define VAE__I_SET1(u) VAE__FN(vi_set1)(u)
VAE__INLINE VAE__V VAE__FN(v_set1)(float x) { const VAE__V v = {x, x, x, x}; return v; }
VAE__INLINE VAE__VI VAE__FN(vi_set1)(uint32_t u) { const VAE__VI v = {u, u, u, u}; return v; }
VAE__INLINE VAE__VI VAE__FN(vi_iota)(void) { const VAE__VI v = {0, 1, 2, 3}; return v; }
#define VAE__I_IOTA() VAE__FN(vi_iota)()
VAE__INLINE VAE__V VAE__FN(v_load)(const float *p) { VAE__V v; memcpy(&v, p, 16); return v; }
VAE__INLINE void VAE__FN(v_store)(float *p, VAE__V v) { memcpy(p, &v, 16); }
VAE__NOINLINE static VAE__V VAE__FN(v_get_part)(const float *p, size_t i, size_t n) {
    const VAE__V v = {i < n ? p[i] : 0, i + 1 < n ? p[i + 1] : 0, i + 2 < n ? p[i + 2] : 0, 0};
    return v;
}
VAE__NOINLINE static void VAE__FN(v_put_part)(float *p, size_t i, size_t n, VAE__V v) {
    if (i < n) p[i] = v[0];
    if (i + 1 < n) p[i + 1] = v[1];
    if (i + 2 < n) p[i + 2] = v[2];
}
VAE__INLINE VAE__V VAE__FN(v_get)(const float *p, size_t i, size_t n) {
    return i + 4 <= n ? VAE__FN(v_load)(p + i) : VAE__FN(v_get_part)(p, i, n);
}
VAE__INLINE void VAE__FN(v_put)(float *p, size_t i, size_t n, VAE__V v) {
    if (i + 4 <= n) VAE__FN(v_store)(p + i, v);
    else VAE__FN(v_put_part)(p, i, n, v);
}
VAE__INLINE vae__d2 VAE__FN(low)(VAE__V v) { /* lanes 0 and 1 */
    return (vae__d2)VAE__128(wasm_f64x2_promote_low_f32x4, _mm_cvtps_pd)(VAE__ARG(v));
}
VAE__INLINE vae__d2 VAE__FN(high)(VAE__V v) {
    return VAE__FN(low)((VAE__V)VAE__PICK(v, v, 2, 3, 2, 3));
}
VAE__INLINE VAE__V VAE__FN(narrow)(vae__d2 low, vae__d2 high) {
#define VAE__NARROW(v) VAE__128(wasm_f32x4_demote_f64x2_zero, _mm_cvtpd_ps)(VAE__D_ARG(v))
    VAE__V r = (VAE__V)VAE__PICK(VAE__NARROW(low), VAE__NARROW(high), 0, 1, 0, 1);
#undef VAE__NARROW
    VAE__HIDE(r);
    return r;
}
VAE__INLINE vae__d2 VAE__FN(d_add)(vae__d2 a, vae__d2 b) { a = a + b; VAE__HIDE(a); return a; }
VAE__INLINE vae__d2 VAE__FN(d_sub)(vae__d2 a, vae__d2 b) { a = a - b; VAE__HIDE(a); return a; }
VAE__INLINE vae__d2 VAE__FN(d_mul)(vae__d2 a, vae__d2 b) { a = a * b; VAE__HIDE(a); return a; }
VAE__INLINE VAE__VI VAE__FN(i_less)(VAE__VI a, VAE__VI b) { /* signed */
    return (VAE__VI)((vae__i4)a < (vae__i4)b);
}
VAE__INLINE int VAE__FN(any)(VAE__VM m) {
    return VAE__128(wasm_v128_any_true, _mm_movemask_ps)(VAE__ARG(m)) != 0;
}
/* As vae__fma_now, on four. */
VAE__COLD static VAE__V VAE__FN(v_fma_odd)(VAE__V a, VAE__V b, VAE__V c) {
    int i;
    for (i = 0; i < 4; i++) a[i] = vae__fma_now(a[i], b[i], c[i]);
    return a;
}
VAE__INLINE VAE__V VAE__FN(v_fma_now)(VAE__V a, VAE__V b, VAE__V c) {
    const vae__d2 low = VAE__FN(d_add)(VAE__FN(d_mul)(VAE__FN(low)(a), VAE__FN(low)(b)),
                                       VAE__FN(low)(c));
    const vae__d2 high = VAE__FN(d_add)(VAE__FN(d_mul)(VAE__FN(high)(a), VAE__FN(high)(b)),
                                        VAE__FN(high)(c));
    const VAE__VI ends = (VAE__VI)VAE__PICK(low, high, 0, 2, 0, 2);
    const VAE__VI tops = (VAE__VI)VAE__PICK(low, high, 1, 3, 1, 3) & VAE__I_SET1(0x7fffffffu);
    const VAE__VM halfway = (VAE__VM)(ends << 3 == VAE__I_SET1(0x80000000u));
    const VAE__VI least = VAE__I_SET1(0xb80fffffu); /* of 2^-126; a sum is 0 if its upper half is */
    const VAE__VM tiny = VAE__FN(i_less)(tops + VAE__I_SET1(0x7fffffffu), least);
    if (VAE__RARE(VAE__FN(any)(halfway | tiny))) return VAE__FN(v_fma_odd)(a, b, c);
    return VAE__FN(narrow)(low, high);
}
VAE__NOINLINE static VAE__V VAE__FN(v_fma)(VAE__V a, VAE__V b, VAE__V c) {
    return VAE__FN(v_fma_now)(a, b, c);
}
#define VAE__FMA_NOW(a, b, c) VAE__FN(v_fma_now)(a, b, c)
/* Sums of products stay doubles, whose bits are rounded to those of a float by integers. They and
 * the terms are 2^-896 times what they stand for: subnormal floats are then subnormal doubles, and
 * rounding is the same for them. Sums of products of numbers below 2^40 do not overflow, so it is
 * enough to note the largest upper half of a number; with larger ones vae__sure does the work. */
typedef struct VAE__FN(sums) {
    vae__d2 low, high;
} VAE__FN(sums);
#define VAE__S VAE__FN(sums)
#define VAE__WATCH(most) VAE__VI most = VAE__I_SET1(0);
#define VAE__UNSURE(most) VAE__RARE(VAE__FN(any)(VAE__FN(i_less)(VAE__I_SET1(0x5380ffffu), most)))
#define VAE__TERM(v, most) VAE__FN(s_of)(v, 1.8928834978668395e-270, &(most)) /* 2^-896 */
#define VAE__FACTOR(v, most) VAE__FN(s_of)(v, 1, &(most))
VAE__INLINE VAE__S VAE__FN(s_of)(VAE__V v, double scale, VAE__VI *most) {
    const vae__d2 scales = {scale, scale};
    const VAE__VI size = (VAE__VI)v & VAE__I_SET1(0x7fffffffu);
    VAE__S s;
    s.low = VAE__FN(low)(v), s.high = VAE__FN(high)(v);
    if (scale < 1) s.low = VAE__FN(d_mul)(s.low, scales), s.high = VAE__FN(d_mul)(s.high, scales);
    *most = (VAE__VI)VAE__128(wasm_i16x8_max, _mm_max_epi16)(VAE__I_ARG(*most), VAE__I_ARG(size));
    return s;
}
VAE__INLINE VAE__V VAE__FN(total)(VAE__S s) {
    const vae__d2 back = {5.282945311356653e+269, 5.282945311356653e+269}; /* 2^896 */
    return VAE__FN(narrow)(VAE__FN(d_mul)(s.low, back), VAE__FN(d_mul)(s.high, back));
}
#define VAE__TOTAL(s) VAE__FN(total)(s)
/* Sums that lie halfway between floats. What was lost when p + c was rounded, and p itself where it
 * is subnormal, decides; if nothing was, the last bit becomes even. */
VAE__COLD static vae__d2 VAE__FN(s_odd)(vae__d2 a, vae__d2 b, vae__d2 c) {
    const vae__d2 up = {5.282945311356653e+269, 5.282945311356653e+269};
    const vae__d2 p = VAE__FN(d_mul)(a, b), s = VAE__FN(d_add)(p, c), back = VAE__FN(d_sub)(s, p);
    const vae__d2 more = VAE__FN(d_sub)(VAE__FN(d_mul)(a, VAE__FN(d_mul)(b, up)),
                                        VAE__FN(d_mul)(p, up));
    const vae__d2 lost = VAE__FN(d_add)(VAE__FN(d_sub)(p, VAE__FN(d_sub)(s, back)),
                                        VAE__FN(d_sub)(c, back));
    const vae__u2 e = (vae__u2)VAE__FN(d_add)(VAE__FN(d_mul)(lost, up), more), u = (vae__u2)s;
    const vae__u2 none = (vae__u2)(e << 1 == 0), half = (vae__u2)((u & 0x1fffffffu) == 0x10000000u);
    const vae__u2 away = ((none & u) | (~none & ~(e ^ u) >> 34)) & 0x20000000u;
    return (vae__d2)(((u + (half & away) + (~half & 0x10000000u))) & ~(uint64_t)0x1fffffff);
}
#define VAE__SUM(a, b, c) VAE__FN(s_fma)(a, b, c)
VAE__INLINE VAE__S VAE__FN(s_fma)(VAE__S a, VAE__S b, VAE__S c) {
    const vae__d2 p = VAE__FN(d_mul)(a.low, b.low), q = VAE__FN(d_mul)(a.high, b.high);
    const vae__u2 low = (vae__u2)VAE__FN(d_add)(p, c.low) + 0x10000000u;
    const vae__u2 high = (vae__u2)VAE__FN(d_add)(q, c.high) + 0x10000000u;
    const VAE__VI ends = (VAE__VI)VAE__PICK(low, high, 0, 2, 0, 2);
    if (VAE__RARE(VAE__FN(any)((VAE__VM)(ends << 3 == 0)))) {
        c.low = VAE__FN(s_odd)(a.low, b.low, c.low);
        c.high = VAE__FN(s_odd)(a.high, b.high, c.high);
    } else {
        c.low = (vae__d2)(low & ~(uint64_t)0x1fffffff);
        c.high = (vae__d2)(high & ~(uint64_t)0x1fffffff);
    }
    return c;
}
VAE__INLINE VAE__V VAE__FN(v_add)(VAE__V a, VAE__V b) { a = a + b; VAE__HIDE(a); return a; }
VAE__INLINE VAE__V VAE__FN(v_sub)(VAE__V a, VAE__V b) { a = a - b; VAE__HIDE(a); return a; }
VAE__INLINE VAE__V VAE__FN(v_mul)(VAE__V a, VAE__V b) { a = a * b; VAE__HIDE(a); return a; }
#ifdef __wasm__
VAE__INLINE VAE__V VAE__FN(v_div)(VAE__V a, VAE__V b) {
    VAE__HIDE(b);
    a = a / b;
    VAE__HIDE(a);
    return a;
}
VAE__INLINE VAE__V VAE__FN(v_sqrt)(VAE__V a) { return (VAE__V)wasm_f32x4_sqrt((v128_t)a); }
VAE__INLINE VAE__V VAE__FN(v_max)(VAE__V a, VAE__V b) {
    return (VAE__V)wasm_f32x4_pmax((v128_t)b, (v128_t)a);
}
VAE__INLINE VAE__V VAE__FN(v_min)(VAE__V a, VAE__V b) {
    return (VAE__V)wasm_f32x4_pmin((v128_t)b, (v128_t)a);
}
VAE__INLINE VAE__VM VAE__FN(v_gt)(VAE__V a, VAE__V b) {
    VAE__VM m;
    __asm__("local.get %1\n\tlocal.get %2\n\tf32x4.gt\n\tlocal.set %0" : "=r"(m) : "r"(a), "r"(b));
    return m;
}
#else
#define VAE__ASM2(op, a, b) __asm__(op " {%1, %0|%0, %1}" : "+x"(a) : "x"(b))
VAE__INLINE VAE__V VAE__FN(v_div)(VAE__V a, VAE__V b) { VAE__ASM2("divps", a, b); return a; }
VAE__INLINE VAE__V VAE__FN(v_sqrt)(VAE__V a) { VAE__ASM2("sqrtps", a, a); return a; }
VAE__INLINE VAE__V VAE__FN(v_max)(VAE__V a, VAE__V b) { VAE__ASM2("maxps", a, b); return a; }
VAE__INLINE VAE__V VAE__FN(v_min)(VAE__V a, VAE__V b) { VAE__ASM2("minps", a, b); return a; }
VAE__INLINE VAE__VM VAE__FN(v_gt)(VAE__V a, VAE__V b) {
    VAE__ASM2("cmpltps", b, a);
    return (VAE__VM)b;
}
#endif
VAE__INLINE VAE__VM VAE__FN(vi_gt)(VAE__VI a, VAE__VI b) { return VAE__FN(i_less)(b, a); }
VAE__INLINE VAE__VI VAE__FN(vi_select)(VAE__VM m, VAE__VI a, VAE__VI b) {
    return (a & m) | (b & ~m);
}
VAE__INLINE VAE__V VAE__FN(v_from_int)(VAE__VI a) {
    VAE__V r = (VAE__V)VAE__128(wasm_f32x4_convert_i32x4, _mm_cvtepi32_ps)(VAE__I_ARG(a));
    VAE__HIDE(r);
    return r;
}
VAE__INLINE VAE__VI VAE__FN(v_to_int)(VAE__V a) {
    return (VAE__VI)VAE__128(wasm_i32x4_trunc_sat_f32x4, _mm_cvttps_epi32)(VAE__ARG(a));
}
VAE__INLINE void VAE__FN(vi_mulhilo)(uint32_t m, VAE__VI x, VAE__VI *hi, VAE__VI *lo) {
    const VAE__VI factor = VAE__I_SET1(m);
#ifdef __wasm__
    const VAE__VI one = (VAE__VI)wasm_u64x2_extmul_low_u32x4((v128_t)factor, (v128_t)x);
    const VAE__VI two = (VAE__VI)wasm_u64x2_extmul_high_u32x4((v128_t)factor, (v128_t)x);
#else
    const VAE__VI one = (VAE__VI)_mm_mul_epu32((__m128i)factor,
                                               (__m128i)VAE__PICK(x, x, 0, 0, 1, 1));
    const VAE__VI two = (VAE__VI)_mm_mul_epu32((__m128i)factor,
                                               (__m128i)VAE__PICK(x, x, 2, 2, 3, 3));
#endif
    *lo = (VAE__VI)VAE__PICK(one, two, 0, 2, 0, 2);
    *hi = (VAE__VI)VAE__PICK(one, two, 1, 3, 1, 3);
}
VAE__INLINE void VAE__FN(v_transpose)(VAE__V s[4]) {
    const VAE__V a = (VAE__V)VAE__PICK(s[0], s[1], 0, 1, 0, 1);
    const VAE__V b = (VAE__V)VAE__PICK(s[0], s[1], 2, 3, 2, 3);
    const VAE__V c = (VAE__V)VAE__PICK(s[2], s[3], 0, 1, 0, 1);
    const VAE__V d = (VAE__V)VAE__PICK(s[2], s[3], 2, 3, 2, 3);
    s[0] = (VAE__V)VAE__PICK(a, c, 0, 2, 0, 2), s[1] = (VAE__V)VAE__PICK(a, c, 1, 3, 1, 3);
    s[2] = (VAE__V)VAE__PICK(b, d, 0, 2, 0, 2), s[3] = (VAE__V)VAE__PICK(b, d, 1, 3, 1, 3);
}
#define VAE__TRANSPOSE(s) VAE__FN(v_transpose)(s)
VAE__INLINE void VAE__FN(vi_store4)(uint32_t *p, VAE__VI a, VAE__VI b, VAE__VI c, VAE__VI d) {
    VAE__V four[4] = {(VAE__V)a, (VAE__V)b, (VAE__V)c, (VAE__V)d};
    VAE__TRANSPOSE(four);
    memcpy(p, four, sizeof four);
}
VAE__INLINE VAE__VI VAE__FN(vi_load)(const uint32_t *p) { VAE__VI v; memcpy(&v, p, 16); return v; }
#define VAE__BITS(v) ((VAE__VI)(v))
#define VAE__OF_BITS(u) ((VAE__V)(u))
#define VAE__I_ADD(a, b) ((a) + (b))
#define VAE__I_SUB(a, b) ((a) - (b))
#define VAE__I_AND(a, b) ((a) & (b))
#define VAE__I_OR(a, b) ((a) | (b))
#define VAE__I_XOR(a, b) ((a) ^ (b))
#define VAE__I_SHL(a, k) ((a) << (k))
#define VAE__I_SHR(a, k) ((a) >> (k))
#define VAE__SELECT(m, a, b) VAE__OF_BITS(VAE__FN(vi_select)(m, VAE__BITS(a), VAE__BITS(b)))
#define VAE__M_ANY(m) VAE__FN(any)(m)
#define VAE__M_OR(a, b) ((a) | (b))
#define VAE__VL size_t
VAE__INLINE VAE__VL VAE__FN(v_lanes)(size_t i, size_t n) { return n > i ? n - i : 0; }
#define VAE__LOAD_LANES(p, lanes) ((void)(lanes), VAE__LOAD(p))
#define VAE__TILE_VECS 4
#define VAE__TILE_ROWS_1 4 /* more than there are registers for: loads and stores cost nothing */
#define VAE__TILE_ROWS_2 4
#define VAE__TILE_ROWS_3 4
#define VAE__TILE_ROWS_4 4
#define VAE__SKIP_VECS 8
#define VAE__STREAM_VECS 8
#define VAE__ROW_VECS 8

#elif VAE__PASS == 3
#define VAE__FN(name) vae__##name##_avx2
#define VAE__W 8
#define VAE__V __m256
#define VAE__VI __m256i
#define VAE__VM __m256
#ifdef VAE__MSC
#define VAE__HIDE(v) ((void)0)
#define VAE__ASM1(op, a, r) ((r) = _mm256_##op##_ps(a))
#define VAE__ASM2(op, a, b, r) ((r) = _mm256_##op##_ps(a, b))
#else /* in assembly: under -Ofast the intrinsics may become an estimate and a Newton step */
#define VAE__HIDE(v) __asm__("" : "+x"(v))
#define VAE__ASM1(op, a, r) __asm__("v" #op "ps {%1, %0|%0, %1}" : "=x"(r) : "x"(a))
#define VAE__ASM2(op, a, b, r) \
    __asm__("v" #op "ps {%2, %1, %0|%0, %1, %2}" : "=x"(r) : "x"(a), "x"(b))
#endif
#define VAE__SET1(x) _mm256_set1_ps(x)
#define VAE__I_SET1(u) _mm256_set1_epi32((int)(u))
#define VAE__I_IOTA() _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)
VAE__INLINE __m256i VAE__FN(v_lanes)(size_t i, size_t n) { /* lanes i .. below n */
    size_t left = n > i ? n - i : 0;
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(left < 8 ? (int)left : 8), VAE__I_IOTA());
}
VAE__INLINE VAE__V VAE__FN(v_load)(const float *p) { return _mm256_loadu_ps(p); }
VAE__INLINE void VAE__FN(v_store)(float *p, VAE__V v) { _mm256_storeu_ps(p, v); }
VAE__INLINE VAE__V VAE__FN(v_get)(const float *p, size_t i, size_t n) {
    if (i + 8 <= n) return _mm256_loadu_ps(p + i);
    return i < n ? _mm256_maskload_ps(p + i, VAE__FN(v_lanes)(i, n)) : _mm256_setzero_ps();
}
VAE__INLINE void VAE__FN(v_put)(float *p, size_t i, size_t n, VAE__V v) {
    if (i + 8 <= n) _mm256_storeu_ps(p + i, v);
    else if (i < n) _mm256_maskstore_ps(p + i, VAE__FN(v_lanes)(i, n), v);
}
VAE__INLINE VAE__V VAE__FN(v_fma)(VAE__V a, VAE__V b, VAE__V c) { return _mm256_fmadd_ps(a, b, c); }
VAE__INLINE VAE__V VAE__FN(v_add)(VAE__V a, VAE__V b) {
    VAE__V r = _mm256_add_ps(a, b);
    VAE__HIDE(r);
    return r;
}
VAE__INLINE VAE__V VAE__FN(v_sub)(VAE__V a, VAE__V b) {
    VAE__V r = _mm256_sub_ps(a, b);
    VAE__HIDE(r);
    return r;
}
VAE__INLINE VAE__V VAE__FN(v_mul)(VAE__V a, VAE__V b) {
    VAE__V r = _mm256_mul_ps(a, b);
    VAE__HIDE(r);
    return r;
}
VAE__INLINE VAE__V VAE__FN(v_div)(VAE__V a, VAE__V b) {
    VAE__V r;
    VAE__ASM2(div, a, b, r);
    return r;
}
VAE__INLINE VAE__V VAE__FN(v_sqrt)(VAE__V a) {
    VAE__V r;
    VAE__ASM1(sqrt, a, r);
    return r;
}
VAE__INLINE VAE__V VAE__FN(v_max)(VAE__V a, VAE__V b) {
    VAE__V r;
    VAE__ASM2(max, a, b, r);
    return r;
}
VAE__INLINE VAE__V VAE__FN(v_min)(VAE__V a, VAE__V b) {
    VAE__V r;
    VAE__ASM2(min, a, b, r);
    return r;
}
VAE__INLINE VAE__VM VAE__FN(v_gt)(VAE__V a, VAE__V b) { return _mm256_cmp_ps(a, b, _CMP_GT_OQ); }
VAE__INLINE VAE__VM VAE__FN(vi_gt)(VAE__VI a, VAE__VI b) {
    return _mm256_castsi256_ps(_mm256_cmpgt_epi32(a, b));
}
VAE__INLINE VAE__VI VAE__FN(vi_select)(VAE__VM m, VAE__VI a, VAE__VI b) {
    return _mm256_blendv_epi8(b, a, _mm256_castps_si256(m));
}
VAE__INLINE VAE__V VAE__FN(v_from_int)(VAE__VI a) {
    VAE__V r = _mm256_cvtepi32_ps(a);
    VAE__HIDE(r);
    return r;
}
VAE__INLINE VAE__VI VAE__FN(v_to_int)(VAE__V a) { return _mm256_cvttps_epi32(a); }
VAE__INLINE void VAE__FN(vi_mulhilo)(uint32_t m, VAE__VI x, VAE__VI *hi, VAE__VI *lo) {
    VAE__VI mm = VAE__I_SET1(m), even = _mm256_mul_epu32(mm, x);
    VAE__VI odd = _mm256_mul_epu32(mm, _mm256_srli_epi64(x, 32));
    *hi = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
    *lo = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
}
VAE__INLINE void VAE__FN(vi_store4)(uint32_t *p, VAE__VI a, VAE__VI b, VAE__VI c, VAE__VI d) {
    VAE__VI ab0 = _mm256_unpacklo_epi32(a, b), ab2 = _mm256_unpackhi_epi32(a, b);
    VAE__VI cd0 = _mm256_unpacklo_epi32(c, d), cd2 = _mm256_unpackhi_epi32(c, d);
    VAE__VI e0 = _mm256_unpacklo_epi64(ab0, cd0), e1 = _mm256_unpackhi_epi64(ab0, cd0);
    VAE__VI e2 = _mm256_unpacklo_epi64(ab2, cd2), e3 = _mm256_unpackhi_epi64(ab2, cd2);
    VAE__VI *out = (VAE__VI *)(void *)p; /* storeu: no alignment asked */
    _mm256_storeu_si256(out, _mm256_permute2x128_si256(e0, e1, 0x20));
    _mm256_storeu_si256(out + 1, _mm256_permute2x128_si256(e2, e3, 0x20));
    _mm256_storeu_si256(out + 2, _mm256_permute2x128_si256(e0, e1, 0x31));
    _mm256_storeu_si256(out + 3, _mm256_permute2x128_si256(e2, e3, 0x31));
}
VAE__INLINE VAE__VI VAE__FN(vi_load)(const uint32_t *p) {
    return _mm256_loadu_si256((const VAE__VI *)(const void *)p);
}
#define VAE__BITS(v) _mm256_castps_si256(v)
#define VAE__OF_BITS(u) _mm256_castsi256_ps(u)
#define VAE__I_ADD(a, b) _mm256_add_epi32(a, b)
#define VAE__I_SUB(a, b) _mm256_sub_epi32(a, b)
#define VAE__I_AND(a, b) _mm256_and_si256(a, b)
#define VAE__I_OR(a, b) _mm256_or_si256(a, b)
#define VAE__I_XOR(a, b) _mm256_xor_si256(a, b)
#define VAE__I_SHL(a, k) _mm256_slli_epi32(a, k)
#define VAE__I_SHR(a, k) _mm256_srli_epi32(a, k)
#define VAE__SELECT(m, a, b) _mm256_blendv_ps(b, a, m)
#define VAE__M_ANY(m) (_mm256_movemask_ps(m) != 0)
#define VAE__M_OR(a, b) _mm256_or_ps(a, b)
VAE__INLINE void VAE__FN(v_transpose)(VAE__V s[8]) {
    VAE__V t[8];
    int i;
    VAE__UNROLL
    for (i = 0; i < 8; i += 2) { /* swaps pairs, then quads, then halves */
        t[i] = _mm256_unpacklo_ps(s[i], s[i + 1]), t[i + 1] = _mm256_unpackhi_ps(s[i], s[i + 1]);
    }
    VAE__UNROLL
    for (i = 0; i < 8; i += 4) {
        s[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        s[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        s[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        s[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    VAE__UNROLL
    for (i = 0; i < 4; i++) {
        VAE__V low = s[i], high = s[i + 4];
        s[i] = _mm256_permute2f128_ps(low, high, 0x20);
        s[i + 4] = _mm256_permute2f128_ps(low, high, 0x31);
    }
}
#define VAE__TRANSPOSE(s) VAE__FN(v_transpose)(s)
#define VAE__VL __m256i
#define VAE__LOAD_LANES(p, lanes) ((void)(lanes), VAE__LOAD(p)) /* a masked load here costs 7 % */
/* No mask for a whole vector, because masks are slow on some processors. */
#define VAE__GET_LANES(p, n, lanes) \
    ((n) >= 8 ? _mm256_loadu_ps(p) : _mm256_maskload_ps(p, lanes))
#define VAE__PUT_LANES(p, n, lanes, v) \
    ((n) >= 8 ? _mm256_storeu_ps(p, v) : _mm256_maskstore_ps(p, lanes, v))
#define VAE__LOAD_SHARED(k, p, lanes) \
    ((k) == 1 ? VAE__LOAD_LANES(p, lanes) : _mm256_broadcast_ps((const __m128 *)(const void *)(p)))
#define VAE__SHARE(k, av) ((k) == 1 ? (av)[0] : _mm256_blend_ps((av)[0], (av)[1], 0xf0))
#define VAE__TILE_VECS 3
#define VAE__TILE_ROWS_1 12 /* 12 sums + 1 of B + 1 of A = 14 of 16 registers */
#define VAE__TILE_ROWS_2 6  /* 6 x 2 sums + 2 + 1 = 15 */
#define VAE__TILE_ROWS_3 4  /* 4 x 3 sums + 3 + 1 = 16 */
#define VAE__MOST_SHARE 2
#define VAE__EDGES(X) X(2, 2, 6) X(3, 2, 4) /* 6 + 3 sums + 2 + 2 = 13, 4 x 2 + 2 + 3 + 2 = 15 */
#define VAE__SKIP_VECS 8
#define VAE__STREAM_VECS 12
#define VAE__ROW_VECS 12

#elif VAE__PASS == 4
#define VAE__FN(name) vae__##name##_avx512
#define VAE__W 16
#define VAE__V __m512
#define VAE__VI __m512i
#define VAE__VM __mmask16
#ifdef VAE__MSC
#define VAE__HIDE(v) ((void)0)
#define VAE__ASM1(op, a, r) ((r) = _mm512_##op##_ps(a))
#define VAE__ASM2(op, a, b, r) ((r) = _mm512_##op##_ps(a, b))
#else /* in assembly: under -Ofast the intrinsics may become an estimate and a Newton step */
#define VAE__HIDE(v) __asm__("" : "+v"(v))
#define VAE__ASM1(op, a, r) __asm__("v" #op "ps {%1, %0|%0, %1}" : "=v"(r) : "v"(a))
#define VAE__ASM2(op, a, b, r) \
    __asm__("v" #op "ps {%2, %1, %0|%0, %1, %2}" : "=v"(r) : "v"(a), "v"(b))
#endif
#define VAE__SET1(x) _mm512_set1_ps(x)
#define VAE__I_SET1(u) _mm512_set1_epi32((int)(u))
#define VAE__I_IOTA() _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
VAE__INLINE VAE__VM VAE__FN(v_lanes)(size_t i, size_t n) { /* lanes i .. below n */
    size_t left = n > i ? n - i : 0;
    return (VAE__VM)(left < 16 ? (1u << left) - 1 : 0xffffu);
}
VAE__INLINE VAE__V VAE__FN(v_load)(const float *p) { return _mm512_loadu_ps(p); }
VAE__INLINE void VAE__FN(v_store)(float *p, VAE__V v) { _mm512_storeu_ps(p, v); }
VAE__INLINE VAE__V VAE__FN(v_get)(const float *p, size_t i, size_t n) {
    return _mm512_maskz_loadu_ps(VAE__FN(v_lanes)(i, n), p + (i < n ? i : 0));
}
VAE__INLINE void VAE__FN(v_put)(float *p, size_t i, size_t n, VAE__V v) {
    _mm512_mask_storeu_ps(p + (i < n ? i : 0), VAE__FN(v_lanes)(i, n), v);
}
VAE__INLINE VAE__V VAE__FN(v_fma)(VAE__V a, VAE__V b, VAE__V c) { return _mm512_fmadd_ps(a, b, c); }
VAE__INLINE VAE__V VAE__FN(v_add)(VAE__V a, VAE__V b) {
    VAE__V r = _mm512_add_ps(a, b);
    VAE__HIDE(r);
    return r;
}
VAE__INLINE VAE__V VAE__FN(v_sub)(VAE__V a, VAE__V b) {
    VAE__V r = _mm512_sub_ps(a, b);
    VAE__HIDE(r);
    return r;
}
VAE__INLINE VAE__V VAE__FN(v_mul)(VAE__V a, VAE__V b) {
    VAE__V r = _mm512_mul_ps(a, b);
    VAE__HIDE(r);
    return r;
}
VAE__INLINE VAE__V VAE__FN(v_div)(VAE__V a, VAE__V b) {
    VAE__V r;
    VAE__ASM2(div, a, b, r);
    return r;
}
VAE__INLINE VAE__V VAE__FN(v_sqrt)(VAE__V a) {
    VAE__V r;
    VAE__ASM1(sqrt, a, r);
    return r;
}
VAE__INLINE VAE__V VAE__FN(v_max)(VAE__V a, VAE__V b) {
    VAE__V r;
    VAE__ASM2(max, a, b, r);
    return r;
}
VAE__INLINE VAE__V VAE__FN(v_min)(VAE__V a, VAE__V b) {
    VAE__V r;
    VAE__ASM2(min, a, b, r);
    return r;
}
VAE__INLINE VAE__VM VAE__FN(v_gt)(VAE__V a, VAE__V b) {
    return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ);
}
VAE__INLINE VAE__VM VAE__FN(vi_gt)(VAE__VI a, VAE__VI b) { return _mm512_cmpgt_epi32_mask(a, b); }
VAE__INLINE VAE__VI VAE__FN(vi_select)(VAE__VM m, VAE__VI a, VAE__VI b) {
    return _mm512_mask_mov_epi32(b, m, a);
}
VAE__INLINE VAE__V VAE__FN(v_from_int)(VAE__VI a) {
    VAE__V r = _mm512_cvtepi32_ps(a);
    VAE__HIDE(r);
    return r;
}
VAE__INLINE VAE__VI VAE__FN(v_to_int)(VAE__V a) { return _mm512_cvttps_epi32(a); }
VAE__INLINE void VAE__FN(vi_mulhilo)(uint32_t m, VAE__VI x, VAE__VI *hi, VAE__VI *lo) {
    VAE__VI mm = VAE__I_SET1(m), even = _mm512_mul_epu32(mm, x);
    VAE__VI odd = _mm512_mul_epu32(mm, _mm512_srli_epi64(x, 32));
    *hi = _mm512_mask_mov_epi32(_mm512_srli_epi64(even, 32), (VAE__VM)0xAAAA, odd);
    *lo = _mm512_mask_mov_epi32(even, (VAE__VM)0xAAAA, _mm512_slli_epi64(odd, 32));
}
VAE__INLINE void VAE__FN(vi_store4)(uint32_t *p, VAE__VI a, VAE__VI b, VAE__VI c, VAE__VI d) {
    VAE__VI ab0 = _mm512_unpacklo_epi32(a, b), ab2 = _mm512_unpackhi_epi32(a, b);
    VAE__VI cd0 = _mm512_unpacklo_epi32(c, d), cd2 = _mm512_unpackhi_epi32(c, d);
    VAE__VI e0 = _mm512_unpacklo_epi64(ab0, cd0), e1 = _mm512_unpackhi_epi64(ab0, cd0);
    VAE__VI e2 = _mm512_unpacklo_epi64(ab2, cd2), e3 = _mm512_unpackhi_epi64(ab2, cd2);
    /* the 128-bit quarters of e0..e3 hold blocks 0 4 8 12, 1 5 9 13, 2 6 10 14, 3 7 11 15 */
    VAE__VI f0 = _mm512_shuffle_i32x4(e0, e1, 0x88), f1 = _mm512_shuffle_i32x4(e0, e1, 0xdd);
    VAE__VI f2 = _mm512_shuffle_i32x4(e2, e3, 0x88), f3 = _mm512_shuffle_i32x4(e2, e3, 0xdd);
    _mm512_storeu_si512(p, _mm512_shuffle_i32x4(f0, f2, 0x88));
    _mm512_storeu_si512(p + 16, _mm512_shuffle_i32x4(f1, f3, 0x88));
    _mm512_storeu_si512(p + 32, _mm512_shuffle_i32x4(f0, f2, 0xdd));
    _mm512_storeu_si512(p + 48, _mm512_shuffle_i32x4(f1, f3, 0xdd));
}
VAE__INLINE VAE__VI VAE__FN(vi_load)(const uint32_t *p) { return _mm512_loadu_si512(p); }
#define VAE__BITS(v) _mm512_castps_si512(v)
#define VAE__OF_BITS(u) _mm512_castsi512_ps(u)
#define VAE__I_ADD(a, b) _mm512_add_epi32(a, b)
#define VAE__I_SUB(a, b) _mm512_sub_epi32(a, b)
#define VAE__I_AND(a, b) _mm512_and_si512(a, b)
#define VAE__I_OR(a, b) _mm512_or_si512(a, b)
#define VAE__I_XOR(a, b) _mm512_xor_si512(a, b)
#define VAE__I_SHL(a, k) _mm512_slli_epi32(a, k)
#define VAE__I_SHR(a, k) _mm512_srli_epi32(a, k)
#define VAE__SELECT(m, a, b) _mm512_mask_mov_ps(b, m, a)
#define VAE__M_ANY(m) ((m) != 0)
#define VAE__M_OR(a, b) ((VAE__VM)((a) | (b)))
VAE__INLINE void VAE__FN(v_transpose)(VAE__V s[16]) {
    VAE__V t[16];
    int i;
    VAE__UNROLL
    for (i = 0; i < 16; i += 2) { /* swaps pairs, quads, then 128-bit quarters twice */
        t[i] = _mm512_unpacklo_ps(s[i], s[i + 1]), t[i + 1] = _mm512_unpackhi_ps(s[i], s[i + 1]);
    }
    VAE__UNROLL
    for (i = 0; i < 16; i += 4) {
        s[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
        s[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xee);
        s[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        s[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    VAE__UNROLL
    for (i = 0; i < 4; i++) {
        VAE__V a = _mm512_shuffle_f32x4(s[i], s[i + 4], 0x88);
        VAE__V b = _mm512_shuffle_f32x4(s[i + 8], s[i + 12], 0x88);
        VAE__V c = _mm512_shuffle_f32x4(s[i], s[i + 4], 0xdd);
        VAE__V d = _mm512_shuffle_f32x4(s[i + 8], s[i + 12], 0xdd);
        s[i] = _mm512_shuffle_f32x4(a, b, 0x88), s[i + 8] = _mm512_shuffle_f32x4(a, b, 0xdd);
        s[i + 4] = _mm512_shuffle_f32x4(c, d, 0x88), s[i + 12] = _mm512_shuffle_f32x4(c, d, 0xdd);
    }
}
#define VAE__TRANSPOSE(s) VAE__FN(v_transpose)(s)
#define VAE__VL VAE__VM
#define VAE__LOAD_LANES(p, lanes) _mm512_maskz_loadu_ps(lanes, p)
#define VAE__LOAD_SHARED(k, p, lanes) \
    ((k) == 1 ? VAE__LOAD_LANES(p, lanes) : \
     (k) == 2 ? _mm512_broadcast_f32x8(_mm256_maskz_loadu_ps((__mmask8)(lanes), p)) \
              : _mm512_broadcast_f32x4(_mm_maskz_loadu_ps((__mmask8)(lanes), p)))
#define VAE__SHARE(k, av) \
    ((k) == 1 ? (av)[0] : \
     (k) == 2 ? _mm512_mask_blend_ps(0xff00, (av)[0], (av)[1]) \
              : _mm512_mask_blend_ps(0xff00, _mm512_mask_blend_ps(0xf0f0, (av)[0], (av)[1]), \
                                     _mm512_mask_blend_ps(0xf0f0, (av)[2], (av)[3])))
#define VAE__CHEAP_LANES 1
#define VAE__GET_LANES(p, n, lanes) ((void)(n), _mm512_maskz_loadu_ps(lanes, p))
#define VAE__PUT_LANES(p, n, lanes, v) ((void)(n), _mm512_mask_storeu_ps(p, lanes, v))
/* Writes kk + lane for the lanes of `m` to the list, 16 bits each; returns how many. */
VAE__INLINE size_t VAE__FN(v_append)(uint16_t *list, VAE__VM m, VAE__VI kk) {
    VAE__VI places = _mm512_maskz_compress_epi32(m, _mm512_add_epi32(kk, VAE__I_IOTA()));
    _mm256_storeu_si256((__m256i *)(void *)list, _mm512_cvtepi32_epi16(places));
    return (size_t)_mm_popcnt_u32(m);
}
#define VAE__APPEND(list, m, kk) VAE__FN(v_append)(list, m, kk)
#define VAE__TILE_VECS 4
#define VAE__TILE_ROWS_1 12 /* 12 sums + 1 of B + 1 of A = 14 of 32 registers */
#define VAE__TILE_ROWS_2 12 /* 12 x 2 sums + 2 + 1 = 27 */
#define VAE__TILE_ROWS_3 8  /* 8 x 3 sums + 3 + 1 = 28 */
#define VAE__TILE_ROWS_4 6  /* 6 x 4 sums + 4 + 1 = 29 */
#define VAE__MOST_SHARE 4
#define VAE__EDGES(X) \
    X(2, 2, 12) X(3, 2, 8) X(4, 2, 6) /* 8 x 2 + 4 sums + 3 + 2 = 25, 6 x 3 + 3 + 4 + 2 = 27 */ \
    X(2, 4, 12) X(3, 4, 8) X(4, 4, 4) /* 12 x 1 + 3 sums + 2 + 4 = 21, 8 x 2 + 2 + 3 + 4 = 25 */
#define VAE__SKIP_VECS 8
#define VAE__STREAM_VECS 12
#define VAE__ROW_VECS 16

#elif VAE__PASS == 5
#define VAE__FN(name) vae__##name##_neon
#define VAE__W 4
#define VAE__V float32x4_t
#define VAE__VI uint32x4_t
#define VAE__VM uint32x4_t
#define VAE__HIDE(v) __asm__("" : "+w"(v))
#define VAE__SET1(x) vdupq_n_f32(x)
#define VAE__I_SET1(u) vdupq_n_u32(u)
VAE__INLINE VAE__VI VAE__FN(vi_iota)(void) {
    static const uint32_t lane[4] = {0, 1, 2, 3};
    return vld1q_u32(lane);
}
#define VAE__I_IOTA() VAE__FN(vi_iota)()
VAE__INLINE VAE__V VAE__FN(v_load)(const float *p) { return vld1q_f32(p); }
VAE__INLINE void VAE__FN(v_store)(float *p, VAE__V v) { vst1q_f32(p, v); }
VAE__INLINE VAE__V VAE__FN(v_get)(const float *p, size_t i, size_t n) {
    float part[4] = {0, 0, 0, 0};
    size_t j;
    if (i + 4 <= n) return vld1q_f32(p + i);
    for (j = i; j < n; j++) part[j - i] = p[j];
    return vld1q_f32(part);
}
VAE__INLINE void VAE__FN(v_put)(float *p, size_t i, size_t n, VAE__V v) {
    float part[4];
    size_t j;
    if (i + 4 <= n) {
        vst1q_f32(p + i, v);
        return;
    }
    vst1q_f32(part, v);
    for (j = i; j < n; j++) p[j] = part[j - i];
}
VAE__INLINE VAE__V VAE__FN(v_fma)(VAE__V a, VAE__V b, VAE__V c) { return vfmaq_f32(c, a, b); }
VAE__INLINE VAE__V VAE__FN(v_add)(VAE__V a, VAE__V b) {
    VAE__V r = vaddq_f32(a, b);
    VAE__HIDE(r);
    return r;
}
VAE__INLINE VAE__V VAE__FN(v_sub)(VAE__V a, VAE__V b) {
    VAE__V r = vsubq_f32(a, b);
    VAE__HIDE(r);
    return r;
}
VAE__INLINE VAE__V VAE__FN(v_mul)(VAE__V a, VAE__V b) {
    VAE__V r = vmulq_f32(a, b);
    VAE__HIDE(r);
    return r;
}
VAE__INLINE VAE__V VAE__FN(v_div)(VAE__V a, VAE__V b) {
    VAE__V r;
    __asm__("fdiv %0.4s, %1.4s, %2.4s" : "=w"(r) : "w"(a), "w"(b));
    return r;
}
VAE__INLINE VAE__V VAE__FN(v_sqrt)(VAE__V a) {
    VAE__V r;
    __asm__("fsqrt %0.4s, %1.4s" : "=w"(r) : "w"(a));
    return r;
}
VAE__INLINE VAE__VM VAE__FN(v_gt)(VAE__V a, VAE__V b) {
    VAE__VM m;
    __asm__("fcmgt %0.4s, %1.4s, %2.4s" : "=w"(m) : "w"(a), "w"(b));
    return m;
}
VAE__INLINE VAE__VM VAE__FN(vi_gt)(VAE__VI a, VAE__VI b) {
    return vcgtq_s32(vreinterpretq_s32_u32(a), vreinterpretq_s32_u32(b));
}
/* FMAX and FMIN return NaN and order zeros; here both return the second operand, as on x86 */
VAE__INLINE VAE__V VAE__FN(v_max)(VAE__V a, VAE__V b) {
    return vbslq_f32(VAE__FN(v_gt)(a, b), a, b);
}
VAE__INLINE VAE__V VAE__FN(v_min)(VAE__V a, VAE__V b) {
    return vbslq_f32(VAE__FN(v_gt)(b, a), a, b);
}
VAE__INLINE VAE__VI VAE__FN(vi_select)(VAE__VM m, VAE__VI a, VAE__VI b) {
    return vbslq_u32(m, a, b);
}
VAE__INLINE VAE__V VAE__FN(v_from_int)(VAE__VI a) {
    VAE__V r = vcvtq_f32_s32(vreinterpretq_s32_u32(a));
    VAE__HIDE(r);
    return r;
}
VAE__INLINE VAE__VI VAE__FN(v_to_int)(VAE__V a) { return vreinterpretq_u32_s32(vcvtq_s32_f32(a)); }
VAE__INLINE void VAE__FN(vi_mulhilo)(uint32_t m, VAE__VI x, VAE__VI *hi, VAE__VI *lo) {
    uint32x2_t mm = vdup_n_u32(m);
    VAE__VI low = vreinterpretq_u32_u64(vmull_u32(mm, vget_low_u32(x)));
    VAE__VI high = vreinterpretq_u32_u64(vmull_u32(mm, vget_high_u32(x)));
    *lo = vuzp1q_u32(low, high);
    *hi = vuzp2q_u32(low, high);
}
VAE__INLINE void VAE__FN(vi_store4)(uint32_t *p, VAE__VI a, VAE__VI b, VAE__VI c, VAE__VI d) {
    uint32x4x4_t all;
    all.val[0] = a, all.val[1] = b, all.val[2] = c, all.val[3] = d;
    vst4q_u32(p, all);
}
VAE__INLINE VAE__VI VAE__FN(vi_load)(const uint32_t *p) { return vld1q_u32(p); }
#define VAE__BITS(v) vreinterpretq_u32_f32(v)
#define VAE__OF_BITS(u) vreinterpretq_f32_u32(u)
#define VAE__I_ADD(a, b) vaddq_u32(a, b)
#define VAE__I_SUB(a, b) vsubq_u32(a, b)
#define VAE__I_AND(a, b) vandq_u32(a, b)
#define VAE__I_OR(a, b) vorrq_u32(a, b)
#define VAE__I_XOR(a, b) veorq_u32(a, b)
#define VAE__I_SHL(a, k) vshlq_n_u32(a, k)
#define VAE__I_SHR(a, k) vshrq_n_u32(a, k)
#define VAE__SELECT(m, a, b) vbslq_f32(m, a, b)
#define VAE__M_ANY(m) (vmaxvq_u32(m) != 0)
#define VAE__M_OR(a, b) vorrq_u32(a, b)
VAE__INLINE void VAE__FN(v_transpose)(VAE__V s[4]) {
    float32x4x2_t low = vtrnq_f32(s[0], s[1]), high = vtrnq_f32(s[2], s[3]);
    s[0] = vcombine_f32(vget_low_f32(low.val[0]), vget_low_f32(high.val[0]));
    s[1] = vcombine_f32(vget_low_f32(low.val[1]), vget_low_f32(high.val[1]));
    s[2] = vcombine_f32(vget_high_f32(low.val[0]), vget_high_f32(high.val[0]));
    s[3] = vcombine_f32(vget_high_f32(low.val[1]), vget_high_f32(high.val[1]));
}
#define VAE__TRANSPOSE(s) VAE__FN(v_transpose)(s)
#define VAE__VL size_t
VAE__INLINE VAE__VL VAE__FN(v_lanes)(size_t i, size_t n) { return n > i ? n - i : 0; }
#define VAE__LOAD_LANES(p, lanes) ((void)(lanes), VAE__LOAD(p))
#define VAE__TILE_VECS 4
#define VAE__TILE_ROWS_1 12 /* registers as for AVX-512 */
#define VAE__TILE_ROWS_2 12
#define VAE__TILE_ROWS_3 8
#define VAE__TILE_ROWS_4 6
#define VAE__SKIP_VECS 8
#define VAE__STREAM_VECS 12
#define VAE__ROW_VECS 12
#endif

/* VAE__MATH: a function of many steps. Vector passes inline it. In passes whose FMA is
 * twenty instructions, a call costs a tenth of its time and saves 90 KB.
 * VAE__CALLED: a function so long, or so rarely used, that every pass calls it. */
#define VAE__CALLED VAE__NOINLINE VAE__UNUSED static
#if VAE__PASS <= 2
#define VAE__MATH VAE__CALLED
#else
#define VAE__MATH VAE__INLINE
#endif

#ifndef VAE__S
#define VAE__S VAE__V
#define VAE__TERM(v, most) (v)
#define VAE__FACTOR(v, most) (v)
#define VAE__SUM(a, b, c) VAE__FMA_NOW(a, b, c)
#define VAE__TOTAL(s) (s)
#define VAE__WATCH(most)
#define VAE__UNSURE(most) 0
#endif
#define VAE__ZERO() VAE__SET1(0.0f)
#define VAE__LOAD(p) VAE__FN(v_load)(p)
#define VAE__STORE(p, v) VAE__FN(v_store)(p, v)
#define VAE__GET(p, i, n) VAE__FN(v_get)(p, i, n)
#ifndef VAE__CHEAP_LANES
#define VAE__CHEAP_LANES 0
#endif
#ifndef VAE__GET_LANES
#define VAE__GET_LANES(p, n, lanes) ((void)(lanes), VAE__GET(p, 0, n))
#define VAE__PUT_LANES(p, n, lanes, v) ((void)(lanes), VAE__PUT(p, 0, n, v))
#endif
#ifndef VAE__EDGES
#define VAE__MOST_SHARE 1
#define VAE__EDGES(X)
#define VAE__LOAD_SHARED(k, p, lanes) VAE__LOAD_LANES(p, lanes)
#define VAE__SHARE(k, av) ((av)[0])
#endif
#define VAE__PUT(p, i, n, v) VAE__FN(v_put)(p, i, n, v)
#define VAE__FMA(a, b, c) VAE__FN(v_fma)(a, b, c)
#ifndef VAE__FMA_NOW
#define VAE__FMA_NOW(a, b, c) VAE__FMA(a, b, c)
#endif
#define VAE__ADD(a, b) VAE__FN(v_add)(a, b)
#define VAE__SUB(a, b) VAE__FN(v_sub)(a, b)
#define VAE__MUL(a, b) VAE__FN(v_mul)(a, b)
#define VAE__DIV(a, b) VAE__FN(v_div)(a, b)
#define VAE__SQRT(a) VAE__FN(v_sqrt)(a)
#define VAE__MAX(a, b) VAE__FN(v_max)(a, b)
#define VAE__MIN(a, b) VAE__FN(v_min)(a, b)
#define VAE__GT(a, b) VAE__FN(v_gt)(a, b)
#define VAE__FROM_INT(a) VAE__FN(v_from_int)(a)
#define VAE__TO_INT(a) VAE__FN(v_to_int)(a)
#define VAE__NEG(a) VAE__OF_BITS(VAE__I_XOR(VAE__BITS(a), VAE__I_SET1(0x80000000u)))
#define VAE__ABS(a) VAE__OF_BITS(VAE__I_AND(VAE__BITS(a), VAE__I_SET1(0x7fffffffu)))
#define VAE__I_GT(a, b) VAE__FN(vi_gt)(a, b)
#define VAE__I_SELECT(m, a, b) VAE__FN(vi_select)(m, a, b)
#define VAE__I_MULHILO(m, x, hi, lo) VAE__FN(vi_mulhilo)(m, x, hi, lo)
#define VAE__I_LOAD(p) VAE__FN(vi_load)(p)
#define VAE__I_STORE4(p, a, b, c, d) VAE__FN(vi_store4)(p, a, b, c, d)

/* ======================================================================================
 * >>functions of one argument: exp, log, tanh, activations
 * uses: >>vectors                       tests: tests/test_math.c
 * ==================================================================================== */

/* ---- elementary functions ----
 * The same bits everywhere, and from version to version. "Error" is the largest over all floats of
 * the domain, in units in the last place (ulp), found by trying every float against double
 * precision. All polynomials are our own fits: tools/minimax.py prints their coefficients, lowest
 * degree first, under the names given here. Special cases:
 *   NaN        gives NaN: VAE__MAX(c, x) and VAE__MIN(c, x) are x for a NaN x, and both sides of
 *              every VAE__SELECT are NaN then; where that is not enough, bits are tested
 *   -0         no step uses x + 0 or 0 - x, which -Ofast turns into x and -x
 *   constants  no VAE__FMA(a, C, a) with a constant C, which -Ofast may turn into a * (C + 1) */

/* exp(x) = 2^n (1 + r q) for -104 <= x <= 89. n = round(x / ln 2), by adding magic = 1.5 * 2^23 +
 * bias, whose last place is 1, so that k ends in the 9 bits n + bias; r = x - n ln 2 in two steps,
 * the first exact; q = 1 + r p(r), tools/minimax.py exp. The caller multiplies r by the power of
 * two and adds that power last, which takes as many steps as adding 1. */
VAE__INLINE VAE__V VAE__FN(v_exp_core)(VAE__V x, VAE__V magic, VAE__V *q, VAE__VI *k) {
    VAE__V t = VAE__FMA(x, VAE__SET1(1.44269502f), magic), n = VAE__SUB(t, magic), r, p;
    r = VAE__FMA(n, VAE__SET1(-0.693147182f), x);
    r = VAE__FMA(n, VAE__SET1(1.90465421e-09f), r);
    p = VAE__FMA(r, VAE__SET1(0.00138213043f), VAE__SET1(0.00836866908f));
    p = VAE__FMA(p, r, VAE__SET1(0.0416682586f));
    p = VAE__FMA(p, r, VAE__SET1(0.166665211f));
    p = VAE__FMA(p, r, VAE__SET1(0.49999994f));
    *q = VAE__FMA(p, r, VAE__SET1(1.0f));
    *k = VAE__BITS(t);
    return r;
}

/* exp(x), all floats. Error 0.90 ulp. Multiplies by two halves of 2^n, so that only the last
 * product can overflow or be subnormal. */
VAE__MATH VAE__V VAE__FN(v_exp)(VAE__V x) {
    VAE__VI k, half;
    VAE__V q, r = VAE__MIN(VAE__SET1(89.0f), VAE__MAX(VAE__SET1(-104.0f), x)), scale;
    r = VAE__FN(v_exp_core)(r, VAE__SET1(12583166.0f), &q, &k); /* bias 2 * 127 */
    half = VAE__I_SHR(k, 1);
    scale = VAE__OF_BITS(VAE__I_SHL(half, 23));
    r = VAE__FMA(VAE__MUL(r, scale), q, scale);
    return VAE__MUL(r, VAE__OF_BITS(VAE__I_SHL(VAE__I_SUB(k, half), 23)));
}

/* t + low = 2^64 exp(-|x|), all floats: t is never subnormal, low is its rounding error. */
VAE__MATH VAE__V VAE__FN(v_exp_minus)(VAE__V x, VAE__V *low) {
    VAE__VI k;
    VAE__V q, r = VAE__OF_BITS(VAE__I_OR(VAE__BITS(x), VAE__I_SET1(0x80000000u))), scale, t;
    r = VAE__MAX(VAE__SET1(-104.0f), r);
    r = VAE__FN(v_exp_core)(r, VAE__SET1(12583103.0f), &q, &k); /* bias 127 + 64 */
    scale = VAE__OF_BITS(VAE__I_SHL(k, 23));
    r = VAE__MUL(r, scale);
    t = VAE__FMA(r, q, scale);
    *low = VAE__FMA(r, q, VAE__SUB(scale, t));
    return t;
}

/* exp(x) - 1, all floats. Error 1.21 ulp. exp(x) = 2^n (1 + r + c), r exact, c = r^2 q(r) and the
 * rest of n ln 2: a large part, linear in r, and a small one, linear in c; tools/minimax.py expm1.
 * Computes half of it until the end, because 2^128 is not a float; near 0 the result is x. */
VAE__MATH VAE__V VAE__FN(v_expm1)(VAE__V x) {
    const VAE__V magic = VAE__SET1(12583038.0f); /* 1.5 * 2^23 + 126 */
    VAE__V c = VAE__MIN(VAE__SET1(89.0f), VAE__MAX(VAE__SET1(-20.0f), x)), k, n, r, rest, s, u, q,
        h;
    k = VAE__FMA(c, VAE__SET1(1.44269502f), magic);
    n = VAE__SUB(k, magic);
    r = VAE__FMA(n, VAE__SET1(-0.693147182f), c);
    rest = VAE__MUL(n, VAE__SET1(1.90465421e-09f));
    s = VAE__ADD(r, rest);
    u = VAE__MUL(s, s);
    q = VAE__FMA(s, VAE__SET1(0.000197607675f), VAE__SET1(0.00139323215f));
    q = VAE__FMA(q, u, VAE__FMA(s, VAE__SET1(0.00833354704f), VAE__SET1(0.0416664928f)));
    q = VAE__FMA(q, u, VAE__FMA(s, VAE__SET1(0.166666657f), VAE__SET1(0.5f)));
    c = VAE__FMA(q, u, rest);
    h = VAE__OF_BITS(VAE__I_SHL(VAE__BITS(k), 23)); /* 2^(n-1) */
    c = VAE__FMA(h, c, VAE__FMA(h, r, VAE__SUB(h, VAE__SET1(0.5f))));
    return VAE__SELECT(VAE__GT(VAE__SET1(2e-8f), VAE__ABS(x)), x, VAE__ADD(c, c));
}

/* tanh(x), all floats. Error 1.41 ulp. x + x^3 p(x^2) below 0.65 (tools/minimax.py tanh), above
 * 1 - 2 t / (1 + t) with t = exp(-2 |x|). */
VAE__MATH VAE__V VAE__FN(v_tanh)(VAE__V x) {
    const VAE__V one = VAE__SET1(1.0f);
    VAE__V a = VAE__ABS(x), u = VAE__MUL(a, a), q, r, scale, t, p;
    VAE__VI k;
    r = VAE__MAX(VAE__SET1(-20.0f), VAE__MUL(a, VAE__SET1(-2.0f)));
    r = VAE__FN(v_exp_core)(r, VAE__SET1(12583039.0f), &q, &k); /* bias 127 */
    scale = VAE__OF_BITS(VAE__I_SHL(k, 23));
    t = VAE__FMA(VAE__MUL(r, scale), q, scale);
    t = VAE__FMA(VAE__DIV(t, VAE__ADD(one, t)), VAE__SET1(-2.0f), one);
    p = VAE__FMA(u, VAE__SET1(-0.0055147768f), VAE__SET1(0.0204690564f));
    p = VAE__FMA(p, u, VAE__SET1(-0.0536879115f));
    p = VAE__FMA(p, u, VAE__SET1(0.133308291f));
    p = VAE__FMA(p, u, VAE__SET1(-0.333332598f));
    p = VAE__FMA(p, VAE__MUL(u, a), a);
    t = VAE__SELECT(VAE__GT(VAE__SET1(0.65f), a), p, t);
    return VAE__OF_BITS(VAE__I_OR(VAE__BITS(t),
                                  VAE__I_AND(VAE__BITS(x), VAE__I_SET1(0x80000000u))));
}

/* 1 / (1 + exp(-x)) from t + low = 2^64 exp(-|x|), all floats. Error 0.89 ulp. y = t / (1 + t), all
 * scaled by 2^64, so that only y can be subnormal. One step corrects the errors of quotient, sum
 * and t together, by 1 / (1 + t) = 1 - y. Above 0 the result is 1 - y. */
VAE__MATH VAE__V VAE__FN(v_sigmoid_of)(VAE__V x, VAE__V t, VAE__V low) {
    const VAE__V one = VAE__SET1(18446744073709551616.0f), back = VAE__SET1(5.42101086e-20f);
    VAE__V d = VAE__ADD(one, t), low_d = VAE__ADD(VAE__SUB(t, VAE__SUB(d, one)), low), minus_y,
        rest;
    minus_y = VAE__DIV(VAE__NEG(t), d);
    rest = VAE__FMA(minus_y, back, back);
    t = VAE__ADD(VAE__FMA(minus_y, d, t), VAE__FMA(minus_y, low_d, low));
    t = VAE__FMA(t, rest, VAE__NEG(minus_y));
    return VAE__SELECT(VAE__GT(x, VAE__ZERO()), VAE__SUB(VAE__SET1(1.0f), t), t);
}

/* log(1 + exp(x)) from the same, all floats. Error 1.59 ulp. max(x, 0) + t + t^2 q(t);
 * tools/minimax.py softplus. t's rounding error counts 1 / (1 + t), nearly 1 - t / 2. */
VAE__MATH VAE__V VAE__FN(v_softplus_of)(VAE__V x, VAE__V t, VAE__V low) {
    /* 2^-64 */
    const VAE__V back = VAE__SET1(5.42101086e-20f), minus_half = VAE__SET1(-2.71050543e-20f);
    VAE__V u, q;
    t = VAE__MUL(t, back);
    u = VAE__MUL(t, t);
    q = VAE__FMA(t, VAE__SET1(0.020089522f), VAE__SET1(-0.0574618913f));
    q = VAE__FMA(u, VAE__SET1(-0.00329138339f), q);
    q = VAE__FMA(q, u, VAE__FMA(t, VAE__SET1(0.106614605f), VAE__SET1(-0.153450042f)));
    q = VAE__FMA(q, u, VAE__FMA(t, VAE__SET1(0.196921244f), VAE__SET1(-0.249580204f)));
    q = VAE__FMA(q, u, VAE__FMA(t, VAE__SET1(0.333304644f), VAE__SET1(-0.499999315f)));
    low = VAE__FMA(low, VAE__FMA(t, minus_half, back), VAE__MAX(x, VAE__ZERO()));
    return VAE__ADD(t, VAE__FMA(q, u, low));
}

VAE__MATH VAE__V VAE__FN(v_sigmoid)(VAE__V x) {
    VAE__V low, t = VAE__FN(v_exp_minus)(x, &low);
    return VAE__FN(v_sigmoid_of)(x, t, low);
}

VAE__MATH VAE__V VAE__FN(v_softplus)(VAE__V x) {
    VAE__V low, t = VAE__FN(v_exp_minus)(x, &low);
    return VAE__FN(v_softplus_of)(x, t, low);
}

/* f + f^2 q(f) - minus_e ln 2 = log((1 + f) 2^-minus_e), -1/4 <= f < 1/2; tools/minimax.py log. */
VAE__INLINE VAE__V VAE__FN(v_log_tail)(VAE__V f, VAE__V minus_e) {
    VAE__V u = VAE__MUL(f, f), q;
    q = VAE__FMA(f, VAE__SET1(0.104725532f), VAE__SET1(-0.131639317f));
    q = VAE__FMA(u, VAE__SET1(-0.0451523736f), q);
    q = VAE__FMA(q, u, VAE__FMA(f, VAE__SET1(0.144776285f), VAE__SET1(-0.166468784f)));
    q = VAE__FMA(q, u, VAE__FMA(f, VAE__SET1(0.19990848f), VAE__SET1(-0.250001103f)));
    q = VAE__FMA(q, u, VAE__FMA(f, VAE__SET1(0.333334506f), VAE__SET1(-0.5f)));
    return VAE__FMA(minus_e, VAE__SET1(-0.693147182f), VAE__FMA(q, u, f));
}

/* log of the normal positive float with these bits (for subnormals v_log passes bits below 0).
 * Enough where no other floats occur, as for normal random numbers. x = 2^e m, 3/4 <= m < 3/2. */
VAE__MATH VAE__V VAE__FN(v_log_core)(VAE__VI bits) {
    VAE__VI j = VAE__I_ADD(bits, VAE__I_SET1(0x10c00000u)); /* e + 160 in the upper 9 bits */
    /* 2^23 + 160 + e */
    VAE__V e = VAE__OF_BITS(VAE__I_OR(VAE__I_SHR(j, 23), VAE__I_SET1(0x4b000000u)));
    VAE__V m = VAE__OF_BITS(VAE__I_ADD(VAE__I_AND(j, VAE__I_SET1(0x007fffffu)),
                                       VAE__I_SET1(0x3f400000u)));
    return VAE__FN(v_log_tail)(VAE__SUB(m, VAE__SET1(1.0f)), VAE__SUB(VAE__SET1(8388768.0f), e));
}

/* log(x), all floats; log(+-0) = -inf, below 0 NaN. Error 0.99 ulp. */
VAE__MATH VAE__V VAE__FN(v_log)(VAE__V x) {
    VAE__VI u = VAE__BITS(x);
    VAE__VI up = VAE__I_SUB(VAE__BITS(VAE__MUL(x, VAE__SET1(8388608.0f))), VAE__I_SET1(23u << 23));
    VAE__V y = VAE__FN(v_log_core)(VAE__I_SELECT(VAE__I_GT(VAE__I_SET1(0x00800000u), u), up, u));
    y = VAE__SELECT(VAE__I_GT(u, VAE__I_SET1(0x7f7fffffu)), x, y); /* infinity, NaN */
    y = VAE__SELECT(VAE__I_GT(VAE__I_SET1(0), u), VAE__OF_BITS(VAE__I_SET1(0x7fc00000u)), y);
    return VAE__SELECT(VAE__I_GT(VAE__I_SET1(1), VAE__BITS(VAE__ABS(x))),
                       VAE__OF_BITS(VAE__I_SET1(0xff800000u)), y);
}

/* log(1 + x), all floats; -inf at -1, below NaN. Error 1.27 ulp. 1 + x = 2^e (1 + f), e from the
 * rounded sum, but f = 2^-e x + (2^-e - 1) from x itself, rounded once. */
VAE__MATH VAE__V VAE__FN(v_log1p)(VAE__V x) {
    const VAE__V one = VAE__SET1(1.0f);
    VAE__V u = VAE__ADD(x, one), e, f, m, scale, y;
    VAE__VI bits = VAE__BITS(x), j = VAE__I_ADD(VAE__BITS(u), VAE__I_SET1(0x10c00000u));
    VAE__VI up = VAE__I_SHR(j, 23);
    e = VAE__SUB(VAE__SET1(8388768.0f), VAE__OF_BITS(VAE__I_OR(up, VAE__I_SET1(0x4b000000u))));
    m = VAE__OF_BITS(VAE__I_ADD(VAE__I_AND(j, VAE__I_SET1(0x007fffffu)), VAE__I_SET1(0x3f400000u)));
    scale = VAE__OF_BITS(VAE__I_SHL(VAE__I_SUB(VAE__I_SET1(287), up), 23)); /* 2^-e */
    f = VAE__FMA(x, scale, VAE__NEG(VAE__SUB(one, scale))); /* -0 stays -0 */
    /* 2^-e may not exist */
    f = VAE__SELECT(VAE__I_GT(bits, VAE__I_SET1(0x4f000000u)), VAE__SUB(m, one), f);
    y = VAE__FN(v_log_tail)(f, e);
    y = VAE__SELECT(VAE__I_GT(bits, VAE__I_SET1(0x7f7fffffu)), x, y); /* infinity, NaN */
    y = VAE__SELECT(VAE__I_GT(VAE__I_SET1(1), VAE__BITS(u)), VAE__OF_BITS(VAE__I_SET1(0x7fc00000u)),
                    y);
    return VAE__SELECT(VAE__I_GT(VAE__I_SET1(1), VAE__BITS(VAE__ABS(u))),
                       VAE__OF_BITS(VAE__I_SET1(0xff800000u)), y);
}

/* Phi(-a) exp(a^2 / 2) for a >= 1, where Phi is the normal distribution function: p(t), t = 1 /
 * (1 + 3/8 a); tools/minimax.py tail. */
VAE__MATH VAE__V VAE__FN(v_tail)(VAE__V b) {
    const VAE__V one = VAE__SET1(1.0f);
    VAE__V t = VAE__DIV(one, VAE__ADD(one, b)), u = VAE__MUL(t, t), p;
    p = VAE__FMA(t, VAE__SET1(0.060216818f), VAE__SET1(-0.201395392f));
    p = VAE__FMA(p, u, VAE__FMA(t, VAE__SET1(0.175608024f), VAE__SET1(0.0235518496f)));
    p = VAE__FMA(p, u, VAE__FMA(t, VAE__SET1(0.145324662f), VAE__SET1(0.146925718f)));
    return VAE__FMA(p, u, VAE__FMA(t, VAE__SET1(0.149839029f), VAE__SET1(-8.7634653e-06f)));
}

/* erf(x), all floats. Error 1.51 ulp. x + x p(x^2) below 1, tools/minimax.py erf; above,
 * 1 - 2 Phi(-sqrt(2) |x|). */
VAE__MATH VAE__V VAE__FN(v_erf)(VAE__V x) {
    VAE__V a = VAE__MIN(VAE__SET1(4.0f), VAE__ABS(x)), u = VAE__MUL(a, a), low, p, y;
    y = VAE__MUL(VAE__FN(v_tail)(VAE__MUL(a, VAE__SET1(0.530330086f))),
                 VAE__FN(v_exp_minus)(u, &low));
    y = VAE__FMA(y, VAE__SET1(-1.08420217e-19f), VAE__SET1(1.0f)); /* -2^-63 */
    p = VAE__FMA(u, VAE__SET1(7.80690316e-05f), VAE__SET1(-0.00079978531f));
    p = VAE__FMA(p, u, VAE__SET1(0.0051871622f));
    p = VAE__FMA(p, u, VAE__SET1(-0.0268533472f));
    p = VAE__FMA(p, u, VAE__SET1(0.112835787f));
    p = VAE__FMA(p, u, VAE__SET1(-0.37612626f));
    p = VAE__FMA(p, u, VAE__SET1(0.128379166f));
    y = VAE__SELECT(VAE__GT(a, VAE__SET1(1.0f)), y, VAE__FMA(a, p, a));
    return VAE__OF_BITS(VAE__I_OR(VAE__BITS(y),
                                  VAE__I_AND(VAE__BITS(x), VAE__I_SET1(0x80000000u))));
}

/* x Phi(x), all floats. Error 2.1 ulp from -1 up, below 7.4. x (1/2 + x p(x^2)) for |x| <= 1,
 * tools/minimax.py phi; beyond, max(x, 0) - |x| Phi(-|x|) with x^2 / 2 = hi + lo. */
VAE__MATH VAE__V VAE__FN(v_gelu)(VAE__V x) {
    VAE__V a = VAE__MIN(VAE__SET1(15.0f), VAE__ABS(x)), b = VAE__MUL(a, VAE__SET1(0.5f)), hi, lo,
        low, y, p, u;
    hi = VAE__MUL(a, b);
    lo = VAE__FMA(a, b, VAE__NEG(hi));
    y = VAE__FN(v_tail)(VAE__MUL(a, VAE__SET1(0.375f)));
    y = VAE__MUL(VAE__MUL(VAE__FMA(y, VAE__NEG(lo), y), a), VAE__FN(v_exp_minus)(hi, &low));
    y = VAE__FMA(y, VAE__SET1(-5.42101086e-20f), VAE__MAX(VAE__SET1(-0.0f), x)); /* -2^-64 */
    u = VAE__MUL(a, a);
    p = VAE__FMA(u, VAE__SET1(-8.16963893e-06f), VAE__SET1(0.000115018905f));
    p = VAE__FMA(p, u, VAE__SET1(-0.00118801999f));
    p = VAE__FMA(p, u, VAE__SET1(0.00997416303f));
    p = VAE__FMA(p, u, VAE__SET1(-0.0664905384f));
    p = VAE__FMA(p, u, VAE__SET1(0.398942292f));
    p = VAE__MUL(x, VAE__FMA(x, p, VAE__SET1(0.5f)));
    return VAE__SELECT(VAE__GT(a, VAE__SET1(1.0f)), y, p);
}

/* sin(pi t) and cos(pi t) for -1 <= t <= 1, exact at the multiples of 1/2. Error 1.00 ulp.
 * |t| = k / 2 - r, -1/4 <= r <= 1/4; tools/minimax.py sinpi cospi. */
VAE__MATH void VAE__FN(v_sincospi)(VAE__V t, VAE__V *sine, VAE__V *cosine) {
    const VAE__V magic = VAE__SET1(12582912.0f); /* 1.5 * 2^23 */
    const VAE__VI top = VAE__I_SET1(0x80000000u);
    VAE__V minus_a = VAE__OF_BITS(VAE__I_OR(VAE__BITS(t), top)), k, r, u, s, c;
    VAE__VI bits;
    VAE__VM odd;
    k = VAE__FMA(minus_a, VAE__SET1(-2.0f), magic);
    bits = VAE__BITS(k);
    odd = VAE__I_GT(VAE__I_AND(bits, VAE__I_SET1(1)), VAE__I_SET1(0));
    r = VAE__FMA(VAE__SUB(k, magic), VAE__SET1(0.5f), minus_a);
    u = VAE__MUL(r, r);
    s = VAE__FMA(u, VAE__SET1(-0.589277327f), VAE__SET1(2.54979467f));
    s = VAE__FMA(s, u, VAE__SET1(-5.16770887f));
    s = VAE__FMA(s, u, VAE__SET1(1.50995803e-07f)); /* pi in two parts */
    s = VAE__FMA(r, VAE__SET1(3.1415925f), VAE__MUL(r, s));
    c = VAE__FMA(u, VAE__SET1(0.228985205f), VAE__SET1(-1.33475804f));
    c = VAE__FMA(c, u, VAE__SET1(4.05869675f));
    c = VAE__FMA(c, u, VAE__SET1(-4.93480206f));
    c = VAE__FMA(c, u, VAE__SET1(1.0f));
    /* sin(pi |t|) = |s|, c, |s| for k = 0, 1, 2 and cos(pi |t|) = c, s, -c */
    *sine = VAE__OF_BITS(VAE__I_OR(VAE__BITS(VAE__ABS(VAE__SELECT(odd, c, s))),
                                   VAE__I_AND(VAE__BITS(t), top)));
    *cosine = VAE__SELECT(odd, s,
                          VAE__OF_BITS(VAE__I_XOR(VAE__BITS(c),
                                                  VAE__I_AND(VAE__I_SHL(bits, 30), top))));
}

VAE__INLINE VAE__V VAE__FN(v_sinpi)(VAE__V t) {
    VAE__V s, c;
    VAE__FN(v_sincospi)(t, &s, &c);
    return s;
}
VAE__INLINE VAE__V VAE__FN(v_cospi)(VAE__V t) {
    VAE__V s, c;
    VAE__FN(v_sincospi)(t, &s, &c);
    return c;
}
VAE__INLINE VAE__V VAE__FN(v_relu)(VAE__V x) { return VAE__MAX(VAE__ZERO(), x); }
VAE__INLINE VAE__V VAE__FN(v_leaky_relu)(VAE__V x) {
    return VAE__MAX(x, VAE__MUL(x, VAE__SET1(0.01f)));
}
/* Error as of expm1. */
VAE__MATH VAE__V VAE__FN(v_elu)(VAE__V x) {
    return VAE__SELECT(VAE__GT(x, VAE__ZERO()), x, VAE__FN(v_expm1)(x));
}
/* x sigmoid(x), all floats. Error 2.0 ulp from -87 up; below, where the sigmoid is subnormal, 53.
 * The clamp only prevents -inf * 0: the sigmoid is 0 below -104. */
VAE__MATH VAE__V VAE__FN(v_silu)(VAE__V x) {
    return VAE__MUL(VAE__MAX(VAE__SET1(-128.0f), x), VAE__FN(v_sigmoid)(x));
}

/* VAE__CALL(name): the same function, not inlined, for rarely used code such as the losses other
 * than bernoulli's. */
#if VAE__PASS <= 2
#define VAE__CALL(name) VAE__FN(name)
#else
#define VAE__CALL(name) VAE__FN(name##_call)
#define VAE__CALLABLE(name) \
    VAE__CALLED VAE__V VAE__FN(name##_call)(VAE__V x) { return VAE__FN(name)(x); }
VAE__CALLABLE(v_exp)
#ifndef VAE_NO_PIXELS
VAE__CALLABLE(v_tanh)
#endif
VAE__CALLABLE(v_expm1)
VAE__CALLABLE(v_log)
VAE__CALLABLE(v_log1p)
VAE__CALLABLE(v_sigmoid)
VAE__CALLABLE(v_softplus)
VAE__CALLABLE(v_erf)
#undef VAE__CALLABLE
#endif

/* y[i] = f(x[i]) for i < n; x may be y. fn: VAE_ACT_* or VAE__FN_*. */
static void VAE__FN(map)(int fn, size_t n, const float *x, float *y) {
    size_t i;
    switch (fn) {
    default: /* VAE_ACT_IDENTITY */
        if (x != y) memcpy(y, x, n * sizeof *y);
        break;
#define VAE__MAP(fn, name) VAE__MAP_BY(fn, VAE__FN(name))
#define VAE__MAP_BY(fn, function) \
    case fn: \
        for (i = 0; i < n; i += VAE__W) VAE__PUT(y, i, n, function(VAE__GET(x, i, n))); \
        break;
    VAE__MAP(VAE_ACT_RELU, v_relu)
    VAE__MAP(VAE_ACT_LEAKY_RELU, v_leaky_relu)
    VAE__MAP(VAE_ACT_ELU, v_elu)
    VAE__MAP(VAE_ACT_TANH, v_tanh)
    VAE__MAP(VAE_ACT_SIGMOID, v_sigmoid)
    VAE__MAP(VAE_ACT_SOFTPLUS, v_softplus)
    VAE__MAP(VAE_ACT_SILU, v_silu)
    VAE__MAP(VAE_ACT_GELU, v_gelu)
#ifndef VAE_ONLY_DECODE
    VAE__MAP(VAE__FN_EXP, v_exp)
    VAE__MAP_BY(VAE__FN_EXPM1, VAE__CALL(v_expm1))
    VAE__MAP(VAE__FN_LOG, v_log)
    VAE__MAP_BY(VAE__FN_LOG1P, VAE__CALL(v_log1p))
    VAE__MAP_BY(VAE__FN_ERF, VAE__CALL(v_erf))
    VAE__MAP(VAE__FN_SINPI, v_sinpi)
    VAE__MAP(VAE__FN_COSPI, v_cospi)
    VAE__MAP(VAE__FN_SQRT, v_sqrt)
#endif
#undef VAE__MAP
#undef VAE__MAP_BY
    }
}

/* ======================================================================================
 * >>tiles    the matrix product
 * uses: >>functions                  tests: tests/test_gemm.c
 *
 * Rules that keep the bits, in all rooms to >>updates: an output is one chain of VAE__FMA in
 * ascending order, vectorised across outputs; a sum along a row is 16 interleaved partial sums and
 * a fixed tree; tails use VAE__GET and VAE__PUT, so that one formula serves every element.
 * ==================================================================================== */

/* ---- matrix product ----
 * C is divided into panels of up to VAE__TILE_VECS vectors of columns, and a panel into tiles of
 * rows whose sums stay in registers while k runs. B is read in place, because copying it first
 * measured slower; only a transposed B is copied, panel by panel, and transposed. The last vector
 * of a panel is loaded under a mask, or from a copy with zeros after the last column, so no column
 * needs scalar code. */

/* The last vector of a panel, with n columns. If these fill at most half of it, `share` rows of C
 * share one vector of sums: it holds n floats of each. */
VAE__INLINE VAE__V VAE__FN(edge_get)(const int share, const float *p, size_t pitch, size_t n,
                                     VAE__VL lanes) {
    float part[VAE__W];
    int q;
    if (share == 1) return VAE__GET_LANES(p, n, lanes);
    VAE__STORE(part, VAE__ZERO());
    for (q = 0; q < share; q++)
        memcpy(part + q * (VAE__W / share), p + (size_t)q * pitch, n * sizeof(float));
    return VAE__LOAD(part);
}
VAE__INLINE void VAE__FN(edge_put)(const int share, float *p, size_t pitch, size_t n, VAE__VL lanes,
                                   VAE__V sum) {
    float part[VAE__W];
    int q;
    if (share == 1) {
        VAE__PUT_LANES(p, n, lanes, sum);
        return;
    }
    VAE__STORE(part, sum);
    for (q = 0; q < share; q++)
        memcpy(p + (size_t)q * pitch, part + q * (VAE__W / share), n * sizeof(float));
}

/* The rest of one panel of a product: C (m, n) from A, whose rows are row_step floats apart, and B;
 * vae__runs says how k runs in both. `first`: sums start from the bias (or 0), otherwise from C.
 * Meanwhile each tile prefetches one vector of columns of the next panel: `next` points into its
 * first row, its rows are next_step apart, and next_vecs vectors are left. */
typedef struct VAE__FN(panel) {
    size_t m, n, row_step, ldc;
    vae__runs k;
    const float *a, *b, *bias;
    float *c;
    int first;
    const float *next;
    size_t next_step, next_vecs;
} VAE__FN(panel);

/* One tile, the first rows of the rest: `rows` x `vecs` vectors of sums, the last vector shared by
 * `share` rows; all three are constants after inlining. Each step prefetches one cache line if the
 * panel is wide enough to leave time for it. VAE__HIDE_P makes the compiler reload fields of *p
 * after the loop, so that they occupy no registers in it. */
VAE__INLINE void VAE__FN(tile)(const int rows, const int vecs, const int share,
                               VAE__FN(panel) *p) {
    VAE__S sum[12][VAE__TILE_VECS];
    VAE__V zero;
    VAE__WATCH(most)
    const int edge = vecs - 1, fetch = vecs > 2 && p->next_vecs;
    const size_t end = (size_t)edge * VAE__W, row_step = p->row_step;
    const VAE__VL lanes = VAE__FN(v_lanes)(end, p->n);
    const float *a = p->a, *b = p->b, *ahead = fetch ? p->next : b;
    const size_t ahead_step = fetch ? p->next_step : 0;
    const ptrdiff_t k_step = p->k.a[0], b_step = p->k.b[0];
    size_t turn, run, step;
    float *c;
    int i, v, q;
    VAE__UNROLL
    for (i = 0; i < rows; i++) {
        VAE__UNROLL
        for (v = 0; v < vecs; v++) sum[i][v] = VAE__TERM(VAE__ZERO(), most);
    }
    if (!p->first || p->bias) {
        const size_t pitch = p->first ? 0 : p->ldc;
        const float *from = p->first ? p->bias : p->c;
        VAE__UNROLL
        for (i = 0; i < rows; i++, from += pitch) {
            VAE__UNROLL
            for (v = 0; v < edge; v++) sum[i][v] = VAE__TERM(VAE__LOAD(from + v * VAE__W), most);
            if (i % share == 0)
                sum[i][edge] = VAE__TERM(VAE__FN(edge_get)(share, from + end, pitch, p->n - end,
                                                           lanes), most);
        }
    }
    for (turn = p->k.n[2]; turn; turn--, a += p->k.a[2], b += p->k.b[2])
    for (run = p->k.n[1]; run; run--, a += p->k.a[1], b += p->k.b[1])
    for (step = p->k.n[0]; step--; a += k_step, b += b_step) {
        VAE__S bv[VAE__TILE_VECS];
        VAE__UNROLL
        for (v = 0; v < edge; v++) bv[v] = VAE__TERM(VAE__LOAD(b + v * VAE__W), most);
        bv[edge] = VAE__TERM(VAE__LOAD_SHARED(share, b + end, lanes), most);
#define VAE__STEP(i) { \
            VAE__S av[4]; \
            VAE__UNROLL \
            for (q = 0; q < share; q++) { \
                av[q] = VAE__FACTOR(VAE__SET1(a[(size_t)((i) + q) * row_step]), most); \
                VAE__UNROLL \
                for (v = 0; v < edge; v++) \
                    sum[(i) + q][v] = VAE__SUM(av[q], bv[v], sum[(i) + q][v]); \
            } \
            sum[i][edge] = VAE__SUM(VAE__SHARE(share, av), bv[edge], sum[i][edge]); \
        }
#if VAE__W == 1 && defined(VAE__MSC) /* too long a loop to be unrolled unasked: sums in memory */
        VAE__STEP(0) if (rows > 1) VAE__STEP(1) if (rows > 2) { VAE__STEP(2) VAE__STEP(3) }
#else
        VAE__UNROLL
        for (i = 0; i < rows; i += share) VAE__STEP(i)
#endif
#undef VAE__STEP
        if (vecs > 2) {
            VAE__PREFETCH(ahead);
            ahead += ahead_step;
        }
    }
    VAE__HIDE_P(p);
    zero = VAE__ZERO();
    VAE__HIDE(zero); /* otherwise the compiler folds x + 0 to x, which keeps a -0 */
    c = p->c;
    if (VAE__UNSURE(most)) {
        for (i = 0; i < rows; i++, c += p->ldc)
            vae__sure(&p->k, NULL, p->n, p->a + (size_t)i * p->row_step, p->b,
                      p->first ? p->bias : c, c);
    } else
    VAE__UNROLL
    for (i = 0; i < rows; i++, c += p->ldc) {
        VAE__UNROLL
        for (v = 0; v < edge; v++)
            VAE__STORE(c + v * VAE__W, VAE__ADD(VAE__TOTAL(sum[i][v]), zero));
        if (i % share == 0)
            VAE__FN(edge_put)(share, c + end, p->ldc, p->n - end, lanes,
                              VAE__ADD(VAE__TOTAL(sum[i][edge]), zero));
    }
    p->m -= (size_t)rows, p->a += (size_t)rows * p->row_step, p->c = c;
    if (p->next_vecs) p->next_vecs--, p->next += VAE__W;
}

/* All rows of one panel. */
#define VAE__ROWS(vecs, share, count) while (p->m >= (count)) VAE__FN(tile)((count), vecs, share, p)
#define VAE__PANEL(vecs, most) \
    VAE__NOINLINE static void VAE__FN(panel_##vecs)(VAE__FN(panel) *p) { \
        VAE__ROWS(vecs, 1, most); \
        if (vecs < 2 && (most) > 8) VAE__ROWS(vecs, 1, 8); /* wider: two of 4 rows are as fast */ \
        if ((most) > 4) VAE__ROWS(vecs, 1, 4); \
        VAE__ROWS(vecs, 1, 2); \
        VAE__ROWS(vecs, 1, 1); \
    }
#define VAE__EDGE_PANEL(vecs, share, most) \
    VAE__NOINLINE static void VAE__FN(panel_##vecs##_##share)(VAE__FN(panel) *p) { \
        VAE__ROWS(vecs, share, most); \
        if (vecs < 3 && (most) > 8) VAE__ROWS(vecs, share, 8); \
        if ((most) > 4) VAE__ROWS(vecs, share, 4); \
        VAE__FN(panel_##vecs)(p); /* the last rows, too few to share */ \
    }
VAE__PANEL(1, VAE__TILE_ROWS_1)
VAE__PANEL(2, VAE__TILE_ROWS_2)
#if VAE__TILE_VECS > 2
VAE__PANEL(3, VAE__TILE_ROWS_3)
#endif
#if VAE__TILE_VECS > 3
VAE__PANEL(4, VAE__TILE_ROWS_4)
#endif
VAE__EDGES(VAE__EDGE_PANEL)

#define VAE__EDGE_NAME(vecs, share, most) VAE__FN(panel_##vecs##_##share),
static void (*const VAE__FN(panels)[])(VAE__FN(panel) *) = {
    VAE__FN(panel_1), VAE__FN(panel_2),
#if VAE__TILE_VECS > 2
    VAE__FN(panel_3),
#endif
#if VAE__TILE_VECS > 3
    VAE__FN(panel_4),
#endif
    VAE__EDGES(VAE__EDGE_NAME)
};
#undef VAE__EDGE_NAME
#undef VAE__EDGE_PANEL
#undef VAE__PANEL
#undef VAE__ROWS

/* The index in `panels` for m rows and n columns. */
VAE__INLINE size_t VAE__FN(panel_for)(size_t m, size_t n) {
    const size_t vecs = (n + VAE__W - 1) / VAE__W, idle = vecs * VAE__W - n;
    size_t share = 0; /* 0: rows share nothing; 1 or 2: two or four rows share */
    if (VAE__MOST_SHARE > 1 && vecs > 1 && m >= 4 && idle * 2 >= VAE__W)
        share = 1 + (VAE__MOST_SHARE > 2 && idle * 4 >= VAE__W * 3);
    return vecs - 1 + share * (VAE__TILE_VECS - 1);
}

/* Copies k rows of a panel of B to dense rows of `width` floats, with zeros after n columns. */
static void VAE__FN(pack)(size_t width, size_t n, size_t k, const float *b, size_t ldb,
                          float *out) {
    size_t j, kk;
    for (kk = 0; kk < k; kk++)
        for (j = 0; j < width; j += VAE__W)
            VAE__STORE(out + kk * width + j, VAE__GET(b + kk * ldb, j, n));
}

/* The same for a transposed B: transposes squares of VAE__W x VAE__W. */
static void VAE__FN(pack_t)(size_t width, size_t n, size_t k, const float *b, size_t ldb,
                            float *out) {
    float edge[VAE__W * VAE__W]; /* a square that ends outside B, filled up with zeros */
    size_t j, kk, q;
    for (j = 0; j < width; j += VAE__W) {
        for (kk = 0; kk < k; kk += VAE__W) {
            const int whole = kk + VAE__W <= k && j + VAE__W <= n;
            const float *from = b + j * ldb + kk;
            float *to = out + kk * width + j;
            size_t from_step = ldb, to_step = width;
            VAE__V square[VAE__W];
            if (whole) {
                const size_t next = j + 2 * VAE__W <= n ? VAE__W * ldb : 0;
                VAE__UNROLL /* rows ldb apart, which no processor prefetches itself */
                for (q = 0; q < VAE__W; q++) VAE__PREFETCH(from + q * ldb + next);
            } else {
                for (q = 0; q < VAE__W; q++)
                    VAE__STORE(edge + q * VAE__W,
                               j + q < n ? VAE__GET(from + q * ldb, 0, k - kk) : VAE__ZERO());
                from = edge, from_step = VAE__W;
                if (kk + VAE__W > k) to = edge, to_step = VAE__W;
            }
            VAE__UNROLL
            for (q = 0; q < VAE__W; q++) square[q] = VAE__LOAD(from + q * from_step);
            VAE__TRANSPOSE(square);
            VAE__UNROLL
            for (q = 0; q < VAE__W; q++) VAE__STORE(to + q * to_step, square[q]);
            if (to == edge)
                for (q = kk; q < k; q++)
                    memcpy(out + q * width + j, edge + (q - kk) * VAE__W, sizeof(VAE__V));
        }
    }
}

/* Vectors of the next panel when `left` remain. Avoids a last panel of one vector, which waits for
 * its loads of A. */
VAE__INLINE size_t VAE__FN(panel_vecs)(size_t left) {
    const size_t most = VAE__TILE_VECS;
    if (left <= most) return left;
    return most > 2 && left % most && left % most + 1 < most ? most - 1 : most;
}

/* Floats of a copied panel, and numbers of a list of places: 32 KB of stack, 8 KB on a device. */
#ifdef VAE_FREESTANDING
enum { VAE__FN(ROOM) = 2048, VAE__FN(LIST) = 4096 };
#else
enum { VAE__FN(ROOM) = 8192, VAE__FN(LIST) = 16384 };
#endif

/* ---- row by row ----
 * Two kinds of product are computed one row of C at a time. First, a product of one row: it uses
 * each number of B once. Second, an A with many zeros: fma(0, b, c) is c for a finite b, and adding
 * +0 at the end gives zeros the same sign, so zeros of A can be left out without changing a bit.
 * With several rows this pays when two thirds are zeros (dark or binarised pixels); with one row,
 * whose time is that of reading B, it always pays (half of the units after a relu are 0). */

enum { VAE__FN(LIST_ROWS) = 256, VAE__FN(STREAMS) = 32 };

/* Rows of C (rows, n) = from + A B. Row i takes the indices of k that stand in the list at at[i] ..
 * end[i] - 1; without a list, at[i] .. end[i] - 1 themselves. `from` (n): bias, a row of C, or NULL
 * for 0. */
typedef struct VAE__FN(lines) {
    const float *a, *b, *from;
    float *c;
    size_t row_step, k_step, ldb, ldc, n, rows;
    size_t whole, each, last; /* strips of `each` vectors up to column `whole`, one of `last` */
    uint16_t *list;           /* LIST + VAE__W, or NULL */
    size_t at[VAE__FN(LIST_ROWS)], end[VAE__FN(LIST_ROWS)];
} VAE__FN(lines);

typedef char VAE__FN(zeros_suffice)[VAE__ROW_VECS * VAE__W <= VAE__WIDEST_STRIP ? 1 : -1];
/* Columns j .. to - 1 in strips of `vecs` vectors of sums; the last one may end inside a vector. */
VAE__INLINE void VAE__FN(strip)(const int vecs, const VAE__FN(lines) *z, size_t j, size_t to) {
    const size_t edge = (size_t)(vecs - 1) * VAE__W, ldb = z->ldb, k_step = z->k_step;
    const uint16_t *const list = z->list;
    VAE__V zero = VAE__ZERO();
    VAE__HIDE(zero); /* see `tile` */
    for (; j < to; j += edge + VAE__W) {
        const float *b = z->b + j, *from = z->from ? z->from + j : vae__zeros;
        const size_t n = to - j - edge; /* columns from the last vector on */
        const VAE__VL lanes = VAE__FN(v_lanes)(0, n);
        size_t i;
        for (i = 0; i < z->rows; i++) {
            const float *first = z->a + i * z->row_step, *a = first + z->at[i] * k_step;
            const float *row = b + z->at[i] * ldb;
            float *c = z->c + i * z->ldc + j;
            VAE__S sum[VAE__ROW_VECS];
            VAE__WATCH(most)
            size_t q, steps = z->end[i] - z->at[i];
            int v;
            VAE__UNROLL /* to vecs, not vecs - 1: clang 14 keeps the sum of one turn in memory */
            for (v = 0; v < vecs; v++)
                if (v + 1 < vecs) sum[v] = VAE__TERM(VAE__LOAD(from + v * VAE__W), most);
            sum[vecs - 1] = VAE__TERM(VAE__GET_LANES(from + edge, n, lanes), most);
            for (q = z->at[i]; steps--; a += k_step, row += ldb) {
                VAE__S av, bv;
                if (list) a = first + list[q] * k_step, row = b + list[q++] * ldb;
                av = VAE__TERM(VAE__SET1(*a), most);
                VAE__UNROLL
                for (v = 0; v < vecs; v++)
                    if (v + 1 < vecs)
                        sum[v] = VAE__SUM(av, VAE__FACTOR(VAE__LOAD(row + v * VAE__W), most),
                                          sum[v]);
                bv = VAE__FACTOR(VAE__GET_LANES(row + edge, n, lanes), most);
                sum[vecs - 1] = VAE__SUM(av, bv, sum[vecs - 1]);
            }
            if (VAE__UNSURE(most)) {
                vae__runs k = {{0, 1, 1}, {0, 0, 0}, {0, 0, 0}};
                k.n[0] = z->end[i] - z->at[i], k.a[0] = (ptrdiff_t)k_step, k.b[0] = (ptrdiff_t)ldb;
                q = z->at[i];
                vae__sure(&k, list ? list + q : NULL, edge + vae__min(n, VAE__W),
                          list ? first : first + q * k_step, list ? b : b + q * ldb, from, c);
                continue;
            }
            VAE__UNROLL
            for (v = 0; v < vecs; v++)
                if (v + 1 < vecs) VAE__STORE(c + v * VAE__W, VAE__ADD(VAE__TOTAL(sum[v]), zero));
            VAE__PUT_LANES(c + edge, n, lanes, VAE__ADD(VAE__TOTAL(sum[vecs - 1]), zero));
        }
    }
}
#define VAE__STRIP(vecs) \
    VAE__NOINLINE static void VAE__FN(strip_##vecs)(const VAE__FN(lines) *z, size_t j, \
                                                    size_t to) { \
        VAE__FN(strip)(vecs, z, j, to); \
    }
VAE__STRIP(1) VAE__STRIP(2) VAE__STRIP(4) VAE__STRIP(8)
#if VAE__ROW_VECS > 8
VAE__STRIP(3) VAE__STRIP(5) VAE__STRIP(6) VAE__STRIP(7)
VAE__STRIP(9) VAE__STRIP(10) VAE__STRIP(11) VAE__STRIP(12)
#endif
#if VAE__ROW_VECS > 12
VAE__STRIP(13) VAE__STRIP(14) VAE__STRIP(15) VAE__STRIP(16)
#endif
#undef VAE__STRIP

#if VAE__ROW_VECS == 8 /* strips of 8, and what is left in 4, 2 and 1 */
VAE__INLINE void VAE__FN(cut)(VAE__FN(lines) *z, size_t most) { (void)z, (void)most; }
VAE__INLINE void VAE__FN(strips)(const VAE__FN(lines) *z) {
    static void (*const strips[])(const VAE__FN(lines) *, size_t, size_t) = {
        VAE__FN(strip_1), VAE__FN(strip_2), VAE__FN(strip_4), VAE__FN(strip_8)};
    size_t j = 0, to;
    int i;
    for (i = 3; i >= 0; i--, j = to)
        if ((to = z->n - (i ? (z->n - j) & (((size_t)VAE__W << i) - 1) : 0)) > j)
            strips[i](z, j, to);
}
#else
/* Divides the columns into strips of about equal width, at most `most` vectors each. */
static void VAE__FN(cut)(VAE__FN(lines) *z, size_t most) {
    const size_t vecs = (z->n + VAE__W - 1) / VAE__W;
    z->whole = 0, z->each = z->last = vecs;
    if (vecs > most) { /* otherwise skip the divisions, which cost as much as a short row */
        const size_t count = (vecs + most - 1) / most;
        z->each = (vecs + count - 1) / count, z->last = vecs - (count - 1) * z->each;
        z->whole = (count - 1) * z->each * VAE__W;
    }
}
VAE__INLINE void VAE__FN(strips)(const VAE__FN(lines) *z) {
    static void (*const strips[])(const VAE__FN(lines) *, size_t, size_t) = {
        VAE__FN(strip_1), VAE__FN(strip_2), VAE__FN(strip_3), VAE__FN(strip_4),
        VAE__FN(strip_5), VAE__FN(strip_6), VAE__FN(strip_7), VAE__FN(strip_8),
        VAE__FN(strip_9), VAE__FN(strip_10), VAE__FN(strip_11), VAE__FN(strip_12),
#if VAE__ROW_VECS > 12
        VAE__FN(strip_13), VAE__FN(strip_14), VAE__FN(strip_15), VAE__FN(strip_16),
#endif
    };
    if (z->whole) strips[z->each - 1](z, 0, z->whole);
    strips[z->last - 1](z, z->whole, z->n);
}
#endif

/* Appends kk + i to the list for every lane i < count of v that is not zero; returns the new end.
 * May write up to VAE__W entries. */
VAE__INLINE uint16_t *VAE__FN(append)(uint16_t *list, VAE__V v, size_t kk, size_t count) {
#ifdef VAE__APPEND
    const VAE__VM some =
        VAE__I_GT(VAE__I_AND(VAE__BITS(v), VAE__I_SET1(0x7fffffffu)), VAE__I_SET1(0));
    return list + VAE__APPEND(list, some & VAE__FN(v_lanes)(0, count), VAE__I_SET1((uint32_t)kk));
#else
    float lanes[VAE__W];
    size_t i;
    VAE__STORE(lanes, v);
    for (i = 0; i < count; i++) {
        *list = (uint16_t)(kk + i);
        list += (vae__bits_f(lanes[i]) & 0x7fffffffu) != 0;
    }
    return list;
#endif
}

/* Lists the indices of nonzero numbers in as many of the first m rows of A as fit; returns how many
 * these are. k <= LIST / VAE__W. */
VAE__NOINLINE static size_t VAE__FN(list_places)(VAE__FN(lines) *z, size_t m, size_t k) {
    const size_t apart = (k + VAE__W - 1) / VAE__W * VAE__W; /* an append writes whole vectors */
    size_t i, kk, count = 0;
    int q;
    if (z->k_step == 1) { /* A is stored by rows: the list of a row follows that of the last row */
        uint16_t *end = z->list;
        for (i = 0; i < m && i < VAE__FN(LIST_ROWS); i++) {
            if (end + k > z->list + VAE__FN(LIST)) break;
            z->at[i] = (size_t)(end - z->list);
            for (kk = 0; kk < k; kk += VAE__W)
                end = VAE__FN(append)(end, VAE__GET(z->a + i * z->row_step, kk, k), kk,
                                      vae__min(k - kk, VAE__W));
            z->end[i] = (size_t)(end - z->list);
        }
        z->rows = i;
        return (size_t)(end - z->list);
    }
    z->rows = vae__min(vae__min(m, VAE__FN(LIST_ROWS)), VAE__FN(LIST) / apart / VAE__W * VAE__W);
    /* A is stored by columns: VAE__W rows at a time, each with its own part of the list */
    for (i = 0; i < z->rows; i += VAE__W) {
        uint16_t *end[VAE__W];
        for (q = 0; q < VAE__W; q++) end[q] = z->list + (i + (size_t)q) * apart;
        for (kk = 0; kk < k; kk += VAE__W) {
            VAE__V square[VAE__W];
            for (q = 0; q < VAE__W; q++)
                square[q] = kk + (size_t)q < k
                                ? VAE__GET(z->a + (kk + (size_t)q) * z->k_step, i, z->rows)
                                : VAE__ZERO();
            VAE__TRANSPOSE(square);
            for (q = 0; q < VAE__W; q++)
                end[q] = VAE__FN(append)(end[q], square[q], kk, vae__min(k - kk, VAE__W));
        }
        for (q = 0; q < VAE__W && i + (size_t)q < z->rows; q++) {
            z->at[i + (size_t)q] = (i + (size_t)q) * apart;
            z->end[i + (size_t)q] = (size_t)(end[q] - z->list);
            count += z->end[i + (size_t)q] - z->at[i + (size_t)q];
        }
    }
    return count;
}

/* One row, c = from + a B. With a wide row and a B outside the caches, it takes STREAMS indices of
 * k at a time: c stays in the first-level cache while that many rows of B are read in parallel.
 * `skip`: does not read the rows of B that meet a zero of A. */
VAE__INLINE void VAE__FN(row)(int skip, VAE__FN(lines) *z, size_t k) {
    const size_t n = z->n;
    const int stream = n > VAE__ROW_VECS * VAE__W &&
                       (skip || !VAE__CHEAP_LANES || n * k > (size_t)1 << 18);
    const size_t chunk = stream ? (size_t)VAE__FN(LIST) / VAE__W : k;
    uint16_t *const list = z->list;
    z->rows = 1, z->list = NULL, z->at[0] = 0, z->end[0] = k;
    VAE__FN(cut)(z, stream ? VAE__STREAM_VECS : VAE__ROW_VECS);
    if (!stream) {
        VAE__FN(strips)(z);
        return;
    }
    do {
        const size_t here = vae__min(k, chunk);
        size_t q = 0, stop = here;
        if (skip) {
            z->list = list;
            stop = VAE__FN(list_places)(z, 1, here);
            z->rows = 1;
        }
        do {
            z->at[0] = q, q = vae__min(q + VAE__FN(STREAMS), stop), z->end[0] = q;
            VAE__FN(strips)(z);
            z->from = z->c;
        } while (q < stop);
        k -= here, z->a += here * z->k_step, z->b += here * z->ldb;
    } while (k);
}

/* C = from + A B for an A with many zeros. Stops at rows with too few zeros, and returns how many
 * rows it has computed. */
static size_t VAE__FN(skip)(VAE__FN(lines) *z, size_t m, size_t k) {
    size_t first;
    if (!k || k > VAE__FN(LIST) / VAE__W) return 0;
    VAE__FN(cut)(z, VAE__SKIP_VECS);
    for (first = 0; first < m; first += z->rows) {
        if (VAE__FN(list_places)(z, m - first, k) * 3 > z->rows * k) break;
        VAE__FN(strips)(z);
        z->a += z->rows * z->row_step, z->c += z->rows * z->ldc;
    }
    return first;
}

/* Computes the first rows of C if that is faster row by row; returns how many. */
VAE__INLINE size_t VAE__FN(row_by_row)(int flags, size_t m, size_t n, size_t k, const float *a,
                                       size_t row_step, size_t k_step, const float *b, size_t ldb,
                                       const float *bias, float *c, size_t ldc, uint16_t *list) {
    const int skip = (flags & VAE__GEMM_SKIP) != 0;
    VAE__FN(lines) z;
    z.a = a, z.b = b, z.from = flags & VAE__GEMM_ADD ? c : bias, z.c = c;
    z.row_step = row_step, z.k_step = k_step, z.ldb = ldb, z.ldc = ldc, z.n = n, z.list = list;
    /* several rows start from the bias, so they cannot be added to C */
    if (!n || (m > 1 && (!skip || flags & VAE__GEMM_ADD))) return 0;
    if (m > 1) return VAE__FN(skip)(&z, m, k);
    VAE__FN(row)(skip, &z, k);
    return 1;
}

static void VAE__FN(gemm)(int how, size_t m, size_t n, size_t k, const float *a, size_t lda,
                          const float *b, size_t ldb, const float *bias, int act, float *c,
                          size_t ldc) {
    const int flags = VAE__WHOLE ? how : how & VAE__GEMM_SKIP; /* a decoder needs no other */
    const size_t row_step = flags & VAE__GEMM_TRANS_A ? 1 : lda;
    const size_t k_step = flags & VAE__GEMM_TRANS_A ? lda : 1;
    const int transposed = (flags & VAE__GEMM_TRANS_B) != 0;
    const size_t m_most = m * k > 1 << 19 ? 480 : m; /* rows of A that fit into a cache */
    const int ahead = n * k > 1 << 19 && m >= 48; /* prefetch: B is outside the caches */
    union {
        float floats[VAE__FN(ROOM) + 16];
        uint16_t places[VAE__FN(LIST) + VAE__W];
    } room;
    float *packed = room.floats + ((64 - ((uintptr_t)&room & 63)) & 63) / sizeof(float);
    size_t i0, j, rows, cols;
    if (!m) return;
    i0 = transposed ? 0 : VAE__FN(row_by_row)(flags, m, n, k, a, row_step, k_step, b, ldb, bias, c,
                                              ldc, room.places);
    for (; i0 < m; i0 += rows) {
        const float *rows_a = a + i0 * row_step;
        rows = m - i0 < m_most ? m - i0 : m_most;
        for (j = 0; j < n; j += cols) {
            const size_t vecs = VAE__FN(panel_vecs)((n - j + VAE__W - 1) / VAE__W);
            const size_t width = vecs * VAE__W;
            /* without masks, copy a panel that ends inside a vector, and also rows of B that lie
             * a multiple of 4 KB apart, because they compete for the same few cache lines */
            const int packing = transposed || (!VAE__CHEAP_LANES &&
                                               (n - j < width || (ldb % 1024 == 0 && m > 48)));
            size_t most = packing ? VAE__FN(ROOM) / width / VAE__W * VAE__W : 800, k0 = 0, kind;
            cols = n - j < width ? n - j : width;
            kind = VAE__FN(panel_for)(rows, cols);
            if (k > most) most = 1 + (k - 1) / (1 + (k - 1) / most); /* runs of equal length */
            if (transposed) most = (most + VAE__W - 1) / VAE__W * VAE__W; /* whole squares */
            do {
                const size_t run = k - k0 < most ? k - k0 : most;
                VAE__FN(panel) p;
                const float *from = transposed ? b + j * ldb + k0 : b + k0 * ldb + j, *next;
                if (k0 + run < k) next = from + (transposed ? run : run * ldb);
                else next = b + (j + cols < n ? j + cols : 0) * (transposed ? ldb : 1);
                if (packing) {
                    (transposed ? VAE__FN(pack_t) : VAE__FN(pack))(width, cols, run, from, ldb,
                                                                   packed);
                    from = packed;
                }
                memset(&p.k, 0, sizeof p.k);
                p.k.n[0] = run, p.k.n[1] = p.k.n[2] = 1, p.k.a[0] = (ptrdiff_t)k_step;
                p.k.b[0] = (ptrdiff_t)(packing ? width : ldb);
                p.m = rows, p.n = cols, p.bias = bias ? bias + j : NULL;
                p.a = rows_a + k0 * k_step, p.row_step = row_step, p.b = from;
                p.c = c + i0 * ldc + j, p.ldc = ldc;
                p.first = k0 == 0 && !(flags & VAE__GEMM_ADD);
                p.next = next, p.next_step = ldb;
                p.next_vecs = ahead ? (transposed ? run / VAE__W : vecs) : 0;
                VAE__FN(panels)[kind](&p);
                k0 += run;
            } while (k0 < k);
        }
    }
    if (act == VAE_ACT_IDENTITY) return;
    if (ldc == n) VAE__FN(map)(act, m * n, c, c);
    else for (j = 0; j < m; j++) VAE__FN(map)(act, n, c + j * ldc, c + j * ldc);
}

/* C (m, n) = A B + bias, or with `add` C += A B; vae__runs says how k runs. Rows of B must be
 * readable to the end of their last vector. */
static void VAE__FN(runs)(int add, size_t m, size_t n, const vae__runs *k, const float *a,
                          size_t row_step, const float *b, const float *bias, float *c,
                          size_t ldc) {
    VAE__FN(panel) p;
    size_t j, cols;
    p.k = *k, p.row_step = row_step, p.ldc = ldc, p.first = !add, p.next_vecs = 0;
    for (j = 0; j < n; j += cols) {
        cols = vae__min(n - j, VAE__FN(panel_vecs)((n - j + VAE__W - 1) / VAE__W) * VAE__W);
        p.m = m, p.n = cols, p.a = a, p.b = b + j, p.bias = bias ? bias + j : NULL, p.c = c + j;
        VAE__FN(panels)[VAE__FN(panel_for)(m, cols)](&p);
    }
}

/* ======================================================================================
 * >>maps     one number in, one out: slopes, random numbers, affine functions
 * uses: >>functions >>rng            tests: tests/test_kernels.c
 * ==================================================================================== */

/* ---- activations, backward: dy *= f' ----
 * `kept` is the layer's output; but for silu and gelu, whose derivative does not follow from the
 * output, its input. */
VAE__INLINE VAE__V VAE__FN(slope)(const int act, VAE__V s) {
    const VAE__V one = VAE__SET1(1.0f), zero = VAE__ZERO();
    switch (act) {
    case VAE_ACT_RELU: return VAE__SELECT(VAE__GT(s, zero), one, zero);
    case VAE_ACT_LEAKY_RELU: return VAE__SELECT(VAE__GT(s, zero), one, VAE__SET1(0.01f));
    case VAE_ACT_ELU: return VAE__SELECT(VAE__GT(s, zero), one, VAE__ADD(s, one));
    case VAE_ACT_TANH: return VAE__FMA(VAE__NEG(s), s, one);
    case VAE_ACT_SIGMOID: return VAE__MUL(s, VAE__SUB(one, s));
    case VAE_ACT_SOFTPLUS: return VAE__NEG(VAE__CALL(v_expm1)(VAE__NEG(s)));
    case VAE_ACT_SILU: { /* f' = p + x p (1 - p) with p = sigmoid(x) */
        VAE__V p = VAE__CALL(v_sigmoid)(s);
        return VAE__FMA(VAE__MUL(s, p), VAE__SUB(one, p), p);
    }
    case VAE_ACT_GELU: { /* f' = Phi(x) + x phi(x) */
        VAE__V half = VAE__SET1(0.5f);
        VAE__V cdf = VAE__FMA(half, VAE__CALL(v_erf)(VAE__MUL(s, VAE__SET1(0.707106781f))), half);
        VAE__V pdf = VAE__MUL(VAE__SET1(0.398942280f),
                              VAE__CALL(v_exp)(VAE__MUL(VAE__MUL(VAE__SET1(-0.5f), s), s)));
        return VAE__FMA(s, pdf, cdf);
    }
    default: return one;
    }
}
static void VAE__FN(act_bwd)(int act, size_t n, const float *kept, float *dy) {
    size_t i;
#define VAE__ACT_CASE(which) \
    case which: \
        for (i = 0; i < n; i += VAE__W) { \
            VAE__V slope = VAE__FN(slope)(which, VAE__GET(kept, i, n)); \
            VAE__HIDE(slope); /* or -Ofast turns the product into a select, and -0 into +0 */ \
            VAE__PUT(dy, i, n, VAE__MUL(VAE__GET(dy, i, n), slope)); \
        } \
        break
    switch (act) {
        VAE__ACT_CASE(VAE_ACT_RELU);
        VAE__ACT_CASE(VAE_ACT_LEAKY_RELU);
        VAE__ACT_CASE(VAE_ACT_ELU);
        VAE__ACT_CASE(VAE_ACT_TANH);
        VAE__ACT_CASE(VAE_ACT_SIGMOID);
        VAE__ACT_CASE(VAE_ACT_SOFTPLUS);
        VAE__ACT_CASE(VAE_ACT_SILU);
        VAE__ACT_CASE(VAE_ACT_GELU);
    default: break;
    }
#undef VAE__ACT_CASE
}

/* ---- random numbers ---- */

/* 4 VAE__W words: blocks block .. block + VAE__W - 1 of an address. */
VAE__INLINE void VAE__FN(philox)(const vae__address *at, uint32_t block, VAE__VI w[4]) {
    VAE__VI c0 = VAE__I_ADD(VAE__I_SET1(block), VAE__I_IOTA()), c1 = VAE__I_SET1(at->counter[0]);
    VAE__VI c2 = VAE__I_SET1(at->counter[1]), c3 = VAE__I_SET1(at->counter[2]);
    uint32_t k0 = at->key[0], k1 = at->key[1];
    int turn;
    VAE__UNROLL
    for (turn = 0; turn < 10; turn++) {
        VAE__VI hi0, lo0, hi1, lo1;
        VAE__I_MULHILO(VAE__PHILOX_M0, c0, &hi0, &lo0);
        VAE__I_MULHILO(VAE__PHILOX_M1, c2, &hi1, &lo1);
        c0 = VAE__I_XOR(VAE__I_XOR(hi1, c1), VAE__I_SET1(k0));
        c1 = lo1;
        c2 = VAE__I_XOR(VAE__I_XOR(hi0, c3), VAE__I_SET1(k1));
        c3 = lo0;
        k0 += VAE__PHILOX_W0;
        k1 += VAE__PHILOX_W1;
    }
    w[0] = c0, w[1] = c1, w[2] = c2, w[3] = c3;
}

VAE__CALLED void VAE__FN(words)(const vae__address *at, uint32_t block, uint32_t *words) {
    VAE__VI w[4];
    VAE__FN(philox)(at, block, w);
    VAE__I_STORE4(words, w[0], w[1], w[2], w[3]);
}

/* Two normals from two words (Box & Muller 1958, in Random123's convention): the angle from the
 * first, the radius from all 32 bits of the second, so that |z| reaches 6.76. */
VAE__MATH void VAE__FN(box_muller)(VAE__VI angle, VAE__VI radius, VAE__VI *z0, VAE__VI *z1) {
    VAE__V s, c, r, u;
    VAE__V t = VAE__FMA(VAE__FROM_INT(angle), VAE__SET1(4.65661287e-10f),
                        VAE__SET1(2.32830644e-10f));
    /* unsigned to float, rounded once; instruction sets convert signed integers only */
    u = VAE__FMA(VAE__FROM_INT(VAE__I_SHR(radius, 16)), VAE__SET1(65536.0f),
                 VAE__FROM_INT(VAE__I_AND(radius, VAE__I_SET1(0xffffu))));
    u = VAE__FMA(u, VAE__SET1(2.32830644e-10f), VAE__SET1(1.16415322e-10f));
    /* u is normal, <= 1 */
    r = VAE__SQRT(VAE__MUL(VAE__SET1(-2.0f), VAE__FN(v_log_core)(VAE__BITS(u))));
    VAE__FN(v_sincospi)(t, &s, &c);
    *z0 = VAE__BITS(VAE__MUL(r, s));
    *z1 = VAE__BITS(VAE__MUL(r, c));
}

static void VAE__FN(draw)(int kind, const vae__address *at, uint32_t block, size_t n, void *out) {
    uint32_t *words = (uint32_t *)out, part[4 * VAE__W];
    size_t i;
    for (i = 0; i < n; i += 4 * VAE__W, block += VAE__W) {
        const int whole = n - i >= 4 * VAE__W;
        VAE__VI w[4];
        VAE__FN(philox)(at, block, w);
        if (kind == VAE__DRAW_NORMAL) {
            VAE__FN(box_muller)(w[0], w[1], &w[0], &w[1]);
            VAE__FN(box_muller)(w[2], w[3], &w[2], &w[3]);
        } else if (kind == VAE__DRAW_UNIFORM) {
            int q;
            VAE__UNROLL
            for (q = 0; q < 4; q++)
                w[q] = VAE__BITS(VAE__MUL(VAE__FROM_INT(VAE__I_SHR(w[q], 8)),
                                          VAE__SET1(5.96046448e-8f)));
        }
        VAE__I_STORE4(whole ? words + i : part, w[0], w[1], w[2], w[3]);
        if (!whole) memcpy(words + i, part, (n - i) * 4);
    }
}

/* out = 1 with probability x, otherwise 0: 1 if word < round(x 2^32). x >= 1 always gives 1, x <= 0
 * always 0. */
static void VAE__FN(binarize)(const vae__address *at, size_t n, const float *x, float *out) {
    uint32_t words[4 * VAE__W];
    const VAE__V one = VAE__SET1(1.0f), magic = VAE__SET1(8388608.0f), two16 = VAE__SET1(65536.0f);
    const VAE__VI sign = VAE__I_SET1(0x80000000u);
    uint32_t block = 0;
    size_t i, j;
    for (i = 0; i < n; i += 4 * VAE__W, block += VAE__W) {
        VAE__FN(words)(at, block, words);
        for (j = 0; j < 4 && i + j * VAE__W < n; j++) {
            VAE__V p = VAE__MAX(VAE__GET(x, i + j * VAE__W, n), VAE__ZERO());
            VAE__V capped = VAE__MIN(p, one), t = VAE__MUL(capped, two16);
            VAE__VI high = VAE__TO_INT(t), low, word, threshold;
            VAE__V rest = VAE__MUL(VAE__SUB(t, VAE__FROM_INT(high)), two16);
            rest = VAE__SUB(VAE__ADD(rest, magic), magic); /* rounds to the nearest integer */
            low = VAE__TO_INT(rest);
            threshold = VAE__I_XOR(VAE__I_ADD(VAE__I_SHL(high, 16), low), sign);
            word = VAE__I_XOR(VAE__I_LOAD(words + j * VAE__W), sign);
            VAE__PUT(out, i + j * VAE__W, n,
                     VAE__SELECT(VAE__M_OR(VAE__I_GT(threshold, word),
                                           VAE__GT(capped, VAE__SET1(0.99999997f))), one,
                                 VAE__ZERO()));
        }
    }
}

/* y = x scale where the element's word is at least `threshold`, otherwise 0. */
static void VAE__FN(dropout)(const vae__address *at, size_t n, uint32_t threshold, float scale,
                             const float *x, float *y) {
    const VAE__VI sign = VAE__I_SET1(0x80000000u), limit = VAE__I_SET1(threshold ^ 0x80000000u);
    uint32_t words[4 * VAE__W], block = 0;
    size_t i, j;
    for (i = 0; i < n; i += 4 * VAE__W, block += VAE__W) {
        VAE__FN(words)(at, block, words);
        for (j = 0; j < 4 && i + j * VAE__W < n; j++) {
            VAE__VM drop = VAE__I_GT(limit, VAE__I_XOR(VAE__I_LOAD(words + j * VAE__W), sign));
            VAE__V v = VAE__MUL(VAE__GET(x, i + j * VAE__W, n), VAE__SET1(scale));
            VAE__PUT(y, i + j * VAE__W, n, VAE__SELECT(drop, VAE__ZERO(), v));
        }
    }
}

/* ---- sums and products of arrays ---- */

/* out = x a + y; with y NULL, x a */
static void VAE__FN(add)(size_t n, const float *x, float a, const float *y, float *out) {
    size_t i;
    for (i = 0; i < n; i += VAE__W) {
        VAE__V v = VAE__GET(x, i, n);
        VAE__PUT(out, i, n,
                 y ? VAE__FMA(v, VAE__SET1(a), VAE__GET(y, i, n)) : VAE__MUL(v, VAE__SET1(a)));
    }
}

/* y = (x - shift) scale + offset + dz slope by columns: x, dz, y are (rows, n), the others (n).
 * shift, offset, and dz with slope may be NULL. */
static void VAE__FN(affine)(size_t rows, size_t n, const float *x, const float *shift,
                            const float *scale, const float *offset, const float *dz,
                            const float *slope, float *y) {
    size_t r, j;
    for (r = 0; r < rows; r++, x += n, y += n) {
        for (j = 0; j < n; j += VAE__W) {
            VAE__V v = VAE__GET(x, j, n), s = VAE__GET(scale, j, n);
            if (shift) v = VAE__SUB(v, VAE__GET(shift, j, n));
            v = offset ? VAE__FMA(v, s, VAE__GET(offset, j, n)) : VAE__MUL(v, s);
            if (dz) v = VAE__FMA(VAE__GET(dz + r * n, j, n), VAE__GET(slope, j, n), v);
            VAE__PUT(y, j, n, v);
        }
    }
}

/* ---- the deviation of q(z|x), for heads that do not give its log variance ---- */

#define VAE__DEVIATION_LEAST VAE__SET1(0.001f)

/* logvar = 2 log deviation(a) for n numbers a. */
static void VAE__FN(spread)(int deviation, size_t n, const float *a, float *logvar) {
    size_t i;
    for (i = 0; i < n; i += VAE__W) {
        VAE__V v = VAE__GET(a, i, n), s = VAE__ABS(v);
        if (deviation == VAE__SPREAD_SOFTPLUS) s = VAE__CALL(v_softplus)(v);
        else if (deviation == VAE__SPREAD_RELU) s = v;
        s = VAE__MAX(VAE__DEVIATION_LEAST, s);
        VAE__PUT(logvar, i, n, VAE__MUL(VAE__SET1(2.0f), VAE__CALL(v_log)(s)));
    }
}

/* da = dlogvar 2 deviation'(a) / deviation(a); 0 where the deviation is at its least value. */
static void VAE__FN(spread_bwd)(int deviation, size_t n, const float *a, const float *dlogvar,
                                float *da) {
    size_t i;
    for (i = 0; i < n; i += VAE__W) {
        VAE__V v = VAE__GET(a, i, n), s = VAE__ABS(v), slope = VAE__SET1(2.0f);
        if (deviation == VAE__SPREAD_SOFTPLUS) {
            s = VAE__CALL(v_softplus)(v);
            slope = VAE__MUL(slope, VAE__CALL(v_sigmoid)(v));
        } else if (deviation == VAE__SPREAD_RELU) {
            s = v;
        } else {
            slope = VAE__SELECT(VAE__GT(VAE__ZERO(), v), VAE__NEG(slope), slope);
        }
        slope = VAE__SELECT(VAE__GT(s, VAE__DEVIATION_LEAST), VAE__DIV(slope, s), VAE__ZERO());
        VAE__HIDE(slope);
        VAE__PUT(da, i, n, VAE__MUL(VAE__GET(dlogvar, i, n), slope));
    }
}

/* ======================================================================================
 * >>sums     many numbers in, one out: losses, KL, norms, checks
 * uses: >>functions                  tests: tests/test_kernels.c
 * ==================================================================================== */

/* ---- sums along a row ---- */

/* The sum of 16 interleaved partial sums, p, which it changes: in a tree 8-4-2-1. */
VAE__INLINE float VAE__FN(tree)(float *p) {
    int i, half;
    for (half = 8; half; half /= 2) {
        for (i = 0; i < half; i++) {
            p[i] = p[i] + p[i + half];
            VAE__HIDE_F(p[i]);
        }
    }
    return p[0];
}
VAE__INLINE float VAE__FN(reduce)(const VAE__V *parts) {
    float p[16];
    int i;
    for (i = 0; i < 16 / VAE__W; i++) VAE__STORE(p + i * VAE__W, parts[i]);
    return VAE__FN(tree)(p);
}

/* A function that sums declares VAE__V parts[16 / VAE__W], clears them, adds to parts[j] its term
 * for the vector of numbers from `at` on, and ends with reduce(parts). */
#define VAE__ALONG(first, n) \
    for (i = (first); i < (n); i += 16) \
        for (j = 0, at = i; j < 16 / VAE__W; j++, at += VAE__W)
VAE__INLINE void VAE__FN(clear)(VAE__V *parts) {
    int j;
    VAE__UNROLL
    for (j = 0; j < 16 / VAE__W; j++) parts[j] = VAE__ZERO();
}

/* Lanes at or beyond n become +0. */
VAE__INLINE VAE__V VAE__FN(keep)(VAE__V v, size_t i, size_t n) {
    if (i + VAE__W <= n) return v;
    return VAE__SELECT(VAE__I_GT(VAE__I_SET1(n > i ? (uint32_t)(n - i) : 0), VAE__I_IOTA()), v,
                       VAE__ZERO());
}

/* -log p(x|logits) = sum softplus(a) - x a of one image, and dlogits = (sigmoid(a) - x) scale
 * unless dlogits is NULL. One exponential serves value and gradient. */
static float VAE__FN(bernoulli)(size_t n, const float *logits, const float *x, float scale,
                                float *dlogits) {
    const VAE__V factor = VAE__SET1(scale);
    VAE__V parts[16 / VAE__W];
    size_t i, j, at;
    VAE__FN(clear)(parts);
    VAE__ALONG(0, n) {
        VAE__V a = VAE__GET(logits, at, n), t = VAE__GET(x, at, n);
        VAE__V low, e = VAE__FN(v_exp_minus)(a, &low);
        VAE__V value = VAE__FMA(VAE__NEG(a), t, VAE__FN(v_softplus_of)(a, e, low));
        parts[j] = VAE__ADD(parts[j], VAE__FN(keep)(value, at, n));
        if (dlogits) {
            VAE__V p = VAE__FN(v_sigmoid_of)(a, e, low);
            VAE__PUT(dlogits, at, n, VAE__MUL(VAE__SUB(p, t), factor));
        }
    }
    return VAE__FN(reduce)(parts);
}

/* The value alone, and faster, for bounds of thousands of draws: 64 logs of 1 + exp(-|a|) are one
 * log of their product, which stays below 2^64. The error is below 1e-4 nats for an image. */
static float VAE__FN(bernoulli_sum)(size_t n, const float *logits, const float *x) {
    VAE__V parts[16 / VAE__W];
    size_t first, i, j, at;
    VAE__FN(clear)(parts);
    for (first = 0; first < n; first += 1024) {
        VAE__V product[16 / VAE__W];
        const size_t end = vae__min(n, first + 1024);
        for (j = 0; j < 16 / VAE__W; j++) product[j] = VAE__SET1(1.0f);
        VAE__ALONG(first, end) {
            VAE__V a = VAE__GET(logits, at, n), b = VAE__GET(x, at, n), q, r, scale, t;
            VAE__VI k;
            r = VAE__MAX(VAE__SET1(-80.0f),
                         VAE__OF_BITS(VAE__I_OR(VAE__BITS(a), VAE__I_SET1(0x80000000u))));
            r = VAE__FN(v_exp_core)(r, VAE__SET1(12583039.0f), &q, &k); /* bias 127 */
            scale = VAE__OF_BITS(VAE__I_SHL(k, 23));
            t = VAE__FN(keep)(VAE__FMA(VAE__MUL(r, scale), q, scale), at, n);
            product[j] = VAE__FMA(product[j], t, product[j]);
            t = VAE__FMA(VAE__NEG(a), b, VAE__MAX(a, VAE__ZERO())); /* 0 after the last number */
            parts[j] = VAE__ADD(parts[j], t);
        }
        for (j = 0; j < 16 / VAE__W; j++)
            parts[j] = VAE__ADD(parts[j], VAE__CALL(v_log)(product[j]));
    }
    return VAE__FN(reduce)(parts);
}

/* sum (mean - x)^2 of one image, and dmean = (mean - x) scale unless dmean is NULL. */
static float VAE__FN(gaussian)(size_t n, const float *mean, const float *x, float scale,
                               float *dmean) {
    VAE__V parts[16 / VAE__W];
    size_t i, j, at;
    VAE__FN(clear)(parts);
    VAE__ALONG(0, n) {
        VAE__V d = VAE__SUB(VAE__GET(mean, at, n), VAE__GET(x, at, n));
        parts[j] = VAE__FMA(d, d, parts[j]);
        if (dmean) VAE__PUT(dmean, at, n, VAE__MUL(d, VAE__SET1(scale)));
    }
    return VAE__FN(reduce)(parts);
}

/* ---- the latents of one image: head = mu (n), logvar (n) ---- */

/* The constant is the first operand: MAX and MIN return the second, so a NaN stays NaN. */
#define VAE__CLAMP_LOGVAR(v) \
    VAE__MIN(VAE__SET1(VAE_LOGVAR_MAX), VAE__MAX(VAE__SET1(VAE_LOGVAR_MIN), (v)))
#define VAE__LOGVAR_OUTSIDE(v) \
    VAE__M_OR(VAE__GT((v), VAE__SET1(VAE_LOGVAR_MAX)), VAE__GT(VAE__SET1(VAE_LOGVAR_MIN), (v)))

/* z = mu + exp(logvar / 2) eps; without eps z = mu. */
static void VAE__FN(latent_fwd)(size_t n, const float *head, const float *eps, float *z) {
    size_t i;
    for (i = 0; i < n; i += VAE__W) {
        VAE__V mu = VAE__GET(head, i, n);
        if (eps) {
            VAE__V l = VAE__CLAMP_LOGVAR(VAE__GET(head + n, i, n));
            mu = VAE__FMA(VAE__FN(v_exp)(VAE__MUL(VAE__SET1(0.5f), l)), VAE__GET(eps, i, n), mu);
        }
        VAE__PUT(z, i, n, mu);
    }
}

/* From z back to the head: dmu += dz, dlogvar += dz eps exp(logvar / 2) / 2. For iwae and dreg, dz
 * is the gradient of -log p(x|z) times the importance weight, and `pull` (the image's scale times
 * the weight) adds the gradient of log q(z|x) - log p(z). dreg leaves out how the density q(z|x)
 * depends on the head, and multiplies by the weight again (Tucker et al. 2019, equation 8). */
static void VAE__FN(latent_bwd)(int objective, size_t n, const float *head, const float *eps,
                                const float *dz, float pull, float weight, float *dhead) {
    const VAE__V p = VAE__SET1(pull), half = VAE__SET1(0.5f);
    size_t i;
    for (i = 0; i < n; i += VAE__W) {
        VAE__V d = VAE__GET(dz, i, n), e, raw, l, s, t;
        if (!eps) {
            VAE__PUT(dhead, i, n, VAE__ADD(VAE__GET(dhead, i, n), d));
            continue;
        }
        e = VAE__GET(eps, i, n), raw = VAE__GET(head + n, i, n), l = VAE__CLAMP_LOGVAR(raw);
        s = VAE__FN(v_exp)(VAE__MUL(half, l));
        t = VAE__MUL(VAE__MUL(half, s), e); /* dz / dlogvar */
        if (objective == VAE_OBJECTIVE_IWAE) {
            d = VAE__FMA(p, VAE__FMA(s, e, VAE__GET(head, i, n)), d);
        } else if (objective == VAE_OBJECTIVE_DREG) {
            VAE__V z = VAE__FMA(s, e, VAE__GET(head, i, n));
            d = VAE__MUL(VAE__SET1(weight), VAE__FMA(p, VAE__SUB(z, VAE__DIV(e, s)), d));
        }
        VAE__PUT(dhead, i, n, VAE__ADD(VAE__GET(dhead, i, n), d));
        l = VAE__FMA(VAE__SELECT(VAE__LOGVAR_OUTSIDE(raw), VAE__ZERO(), t), d,
                     VAE__GET(dhead + n, i, n));
        if (objective == VAE_OBJECTIVE_IWAE) {
            VAE__V push = VAE__SELECT(VAE__LOGVAR_OUTSIDE(raw), VAE__ZERO(), VAE__MUL(half, p));
            l = VAE__SUB(l, push);
        }
        VAE__PUT(dhead + n, i, n, l);
    }
}

/* log q(z|x) - log p(z) at z = mu + exp(logvar / 2) eps: 1/2 sum z^2 - eps^2 - logvar. */
static float VAE__FN(ratio)(size_t n, const float *head, const float *eps, const float *z) {
    VAE__V parts[16 / VAE__W];
    const VAE__V half = VAE__SET1(0.5f);
    size_t i, j, at;
    VAE__FN(clear)(parts);
    VAE__ALONG(0, n) {
        VAE__V e = VAE__GET(eps, at, n), l = VAE__CLAMP_LOGVAR(VAE__GET(head + n, at, n));
        VAE__V to = VAE__GET(z, at, n),
            value = VAE__SUB(VAE__FMA(to, to, VAE__NEG(VAE__MUL(e, e))), l);
        parts[j] = VAE__FMA(half, VAE__FN(keep)(value, at, n), parts[j]);
    }
    return VAE__FN(reduce)(parts);
}

/* log q(z) - log p(z) of two normals. z was drawn from q with eps and logvar, which are `noise` (2,
 * n); p has the mean and the log variance `head`. 1/2 sum ((z - mean) / deviation)^2 + log variance
 * - eps^2 - logvar; `terms` (n) are those of each latent. */
static float VAE__FN(between)(size_t n, const float *noise, const float *z, const float *head,
                              float *terms) {
    VAE__V parts[16 / VAE__W];
    const VAE__V half = VAE__SET1(0.5f);
    size_t i, j, at;
    VAE__FN(clear)(parts);
    VAE__ALONG(0, n) {
        VAE__V e = VAE__GET(noise, at, n), q = VAE__CLAMP_LOGVAR(VAE__GET(noise + n, at, n));
        VAE__V p = VAE__CLAMP_LOGVAR(VAE__GET(head + n, at, n));
        VAE__V off = VAE__SUB(VAE__GET(z, at, n), VAE__GET(head, at, n)), value;
        off = VAE__MUL(off, VAE__CALL(v_exp)(VAE__NEG(VAE__MUL(half, p))));
        value = VAE__FMA(off, off, VAE__NEG(VAE__MUL(e, e)));
        p = VAE__SUB(p, q);
        VAE__HIDE(p);
        value = VAE__MUL(half, VAE__ADD(value, p));
        VAE__PUT(terms, at, n, value);
        parts[j] = VAE__ADD(parts[j], VAE__FN(keep)(value, at, n));
    }
    return VAE__FN(reduce)(parts);
}
/* Its gradient times `pull`: writes it to dhead, adds it to dz. */
static void VAE__FN(between_bwd)(size_t n, const float *z, const float *head, float pull,
                                 float *dhead, float *dz) {
    const VAE__V up = VAE__SET1(pull), half = VAE__SET1(0.5f);
    size_t i;
    for (i = 0; i < n; i += VAE__W) {
        VAE__V raw = VAE__GET(head + n, i, n);
        VAE__V off = VAE__SUB(VAE__GET(z, i, n), VAE__GET(head, i, n)), d, l;
        d = VAE__MUL(off, VAE__CALL(v_exp)(VAE__NEG(VAE__CLAMP_LOGVAR(raw))));
        VAE__HIDE(d);
        l = VAE__MUL(VAE__MUL(half, up), VAE__FMA(VAE__NEG(off), d, VAE__SET1(1.0f)));
        d = VAE__MUL(up, d);
        VAE__HIDE(d);
        VAE__PUT(dhead, i, n, VAE__NEG(d));
        VAE__PUT(dhead + n, i, n, VAE__SELECT(VAE__LOGVAR_OUTSIDE(raw), VAE__ZERO(), l));
        VAE__PUT(dz, i, n, VAE__ADD(VAE__GET(dz, i, n), d));
    }
}

/* sum |x|, and dx += scale sign(x) unless dx is NULL; sign(0) = 0. */
static float VAE__FN(sum_abs)(size_t n, const float *x, float scale, float *dx) {
    VAE__V parts[16 / VAE__W];
    const VAE__V up = VAE__SET1(scale), zero = VAE__ZERO();
    size_t i, j, at;
    VAE__FN(clear)(parts);
    VAE__ALONG(0, n) {
        VAE__V v = VAE__GET(x, at, n);
        parts[j] = VAE__ADD(parts[j], VAE__ABS(v));
        if (dx) {
            VAE__V step =
                VAE__SELECT(VAE__GT(v, zero), up,
                            VAE__SELECT(VAE__GT(zero, v), VAE__NEG(up), zero));
            VAE__PUT(dx, at, n, VAE__ADD(VAE__GET(dx, at, n), step));
        }
    }
    return VAE__FN(reduce)(parts);
}

/* KL( N(mu, diag exp(logvar)) || N(0, I) ) of one image, in nats. Unless dhead is NULL: dmu +=
 * scale mu, dlogvar += scale (exp(logvar) - 1) / 2, those of latent j times keep[j] unless NULL.
 * 1/2 sum (mu^2 + expm1(l) - l): near 0, e^l - 1 - l without expm1 would lose all its digits.
 * Kingma & Welling 2014 (arXiv:1312.6114), appendix B. */
static float VAE__FN(kl)(size_t n, const float *head, float scale, const float *keep,
                         float *dhead) {
    VAE__V parts[16 / VAE__W];
    const VAE__V half = VAE__SET1(0.5f);
    size_t i, j, at;
    VAE__FN(clear)(parts);
    VAE__ALONG(0, n) {
        VAE__V mu = VAE__GET(head, at, n), raw = VAE__GET(head + n, at, n);
        VAE__V l = VAE__CLAMP_LOGVAR(raw), grown = VAE__FN(v_expm1)(l);
        parts[j] = VAE__FMA(half, VAE__FMA(mu, mu, VAE__SUB(grown, l)), parts[j]);
        if (dhead) {
            VAE__V push =
                VAE__SELECT(VAE__LOGVAR_OUTSIDE(raw), VAE__ZERO(), VAE__MUL(half, grown));
            VAE__V factor = VAE__SET1(scale);
            if (keep) factor = VAE__MUL(factor, VAE__GET(keep, at, n));
            VAE__HIDE(factor);
            VAE__PUT(dhead, at, n, VAE__FMA(factor, mu, VAE__GET(dhead, at, n)));
            VAE__PUT(dhead + n, at, n, VAE__FMA(factor, push, VAE__GET(dhead + n, at, n)));
        }
    }
    return VAE__FN(reduce)(parts);
}

/* The same for each latent. */
static void VAE__FN(kl_terms)(size_t n, const float *head, float *kl) {
    const VAE__V half = VAE__SET1(0.5f);
    size_t i;
    for (i = 0; i < n; i += VAE__W) {
        VAE__V mu = VAE__GET(head, i, n), l = VAE__CLAMP_LOGVAR(VAE__GET(head + n, i, n));
        VAE__PUT(kl, i, n, VAE__MUL(half, VAE__FMA(mu, mu, VAE__SUB(VAE__CALL(v_expm1)(l), l))));
    }
}

/* ---- norms ---- */

/* Sums over rows of n <= 16 columns, in double, rows ascending; rows are `ld` floats apart. With
 * d = (b - shift) scale, rounded to float, the sum is of a d; of d d if a is NULL; of a if b is
 * NULL. shift and scale (n) may be NULL. A product of two floats is exact in double, so a compiler
 * may fuse it. */
static void VAE__FN(col_sums)(size_t rows, size_t ld, size_t n, const float *a, const float *b,
                              const float *shift, const float *scale, double *sum) {
    size_t r, j;
    for (j = 0; j < n; j++) sum[j] = 0;
    for (r = 0; r < rows; r++) {
        for (j = 0; j < n; j++) {
            double term;
            if (b) {
                float d = b[r * ld + j];
                if (shift) d = d - shift[j];
                VAE__HIDE_F(d);
                if (scale) d = d * scale[j];
                VAE__HIDE_F(d);
                term = (double)d * (double)(a ? a[r * ld + j] : d);
            } else {
                term = (double)a[r * ld + j];
            }
            sum[j] = vae__add_d(sum[j], term);
        }
    }
}

/* The sum of n numbers a, or of a b unless b is NULL; 16 partial sums. */
VAE__INLINE float VAE__FN(row_sum)(size_t n, const float *a, const float *b) {
    VAE__V parts[16 / VAE__W];
    size_t i, j, at;
    VAE__FN(clear)(parts);
    VAE__ALONG(0, n) {
        VAE__V v = VAE__GET(a, at, n);
        parts[j] = b ? VAE__FMA(v, VAE__GET(b, at, n), parts[j]) : VAE__ADD(parts[j], v);
    }
    return VAE__FN(reduce)(parts);
}

/* y = (x - mean) / sqrt(variance + eps) over n numbers; returns the factor. */
static float VAE__FN(standardize)(size_t n, const float *x, float eps, float *y) {
    const double count = (double)n;
    const VAE__V mean = VAE__SET1((float)vae__div_d((double)VAE__FN(row_sum)(n, x, NULL), count));
    float inverse;
    size_t i;
    for (i = 0; i < n; i += VAE__W) VAE__PUT(y, i, n, VAE__SUB(VAE__GET(x, i, n), mean));
    inverse = (float)vae__div_d(1, vae__sqrt_d(vae__add_d(
        vae__div_d((double)VAE__FN(row_sum)(n, y, y), count), (double)eps)));
    for (i = 0; i < n; i += VAE__W) VAE__PUT(y, i, n,
                                             VAE__MUL(VAE__GET(y, i, n), VAE__SET1(inverse)));
    return inverse;
}

/* Its backward: dx = inverse (g - mean(g) - y mean(g y)); dx holds g before. */
static void VAE__FN(standardize_bwd)(size_t n, const float *y, float inverse, float *dx) {
    const double count = (double)n;
    const VAE__V mean = VAE__SET1((float)vae__div_d((double)VAE__FN(row_sum)(n, dx, NULL), count));
    const VAE__V along = VAE__SET1((float)-vae__div_d((double)VAE__FN(row_sum)(n, dx, y), count));
    size_t i;
    for (i = 0; i < n; i += VAE__W) {
        VAE__V d = VAE__FMA(VAE__GET(y, i, n), along, VAE__SUB(VAE__GET(dx, i, n), mean));
        VAE__PUT(dx, i, n, VAE__MUL(d, VAE__SET1(inverse)));
    }
}

/* ---- sums over rows ---- */

/* db (n) = sum over rows of dy (rows, n): the gradient of a weight whose input is 1. Several
 * vectors at once, because neighbours in a row share cache lines. */
VAE__INLINE void VAE__FN(sum_columns)(const int vecs, size_t rows, size_t pitch, size_t n,
                                      const float *dy, float *db) {
    VAE__V sum[8], zero = VAE__ZERO();
    size_t i;
    int v;
    VAE__HIDE(zero);
    VAE__UNROLL
    for (v = 0; v < vecs; v++) sum[v] = VAE__ZERO();
    for (i = 0; i < rows; i++) {
        VAE__UNROLL
        for (v = 0; v < vecs; v++)
            sum[v] = VAE__ADD(sum[v], VAE__GET(dy + i * pitch, (size_t)v * VAE__W, n));
    }
    VAE__UNROLL
    for (v = 0; v < vecs; v++) VAE__PUT(db, (size_t)v * VAE__W, n, VAE__ADD(sum[v], zero));
}
static void VAE__FN(bias_bwd)(size_t rows, size_t n, const float *dy, float *db) {
    size_t j = 0;
    for (; j + 8 * VAE__W <= n; j += 8 * VAE__W)
        VAE__FN(sum_columns)(8, rows, n, 8 * VAE__W, dy + j, db + j);
    for (; j + 2 * VAE__W <= n; j += 2 * VAE__W)
        VAE__FN(sum_columns)(2, rows, n, 2 * VAE__W, dy + j, db + j);
    for (; j < n; j += VAE__W) VAE__FN(sum_columns)(1, rows, n, n - j, dy + j, db + j);
}

/* ---- checks over whole arrays ---- */

/* In double, 16 partial sums. A float's square is exact in double, so a compiler may fuse it. */
static double VAE__FN(sum_squares)(size_t n, const float *x) {
    double p[16];
    size_t i;
    int half, q;
    for (q = 0; q < 16; q++) p[q] = 0;
    for (i = 0; i < n; i++) p[i % 16] = vae__add_d(p[i % 16], (double)x[i] * (double)x[i]);
    for (half = 8; half; half /= 2)
        for (q = 0; q < half; q++) p[q] = vae__add_d(p[q], p[q + half]);
    return p[0];
}

/* Four vectors a turn, because every call checks every pixel (20 to 35 ns for 784). BAD(v) is the
 * mask of the lanes that fail; a 0 passes. */
#define VAE__NONE_BAD(BAD) \
    VAE__VM bad[4]; \
    size_t i, j; \
    VAE__UNROLL \
    for (j = 0; j < 4; j++) bad[j] = VAE__GT(VAE__ZERO(), VAE__ZERO()); \
    for (i = 0; i + 4 * VAE__W <= n; i += 4 * VAE__W) { \
        VAE__UNROLL \
        for (j = 0; j < 4; j++) bad[j] = VAE__M_OR(bad[j], BAD(VAE__LOAD(x + i + j * VAE__W))); \
    } \
    for (; i < n; i += VAE__W) bad[0] = VAE__M_OR(bad[0], BAD(VAE__GET(x, i, n))); \
    return !VAE__M_ANY(VAE__M_OR(VAE__M_OR(bad[0], bad[1]), VAE__M_OR(bad[2], bad[3])))

/* Whether all are finite and |x| <= limit. */
static int VAE__FN(within)(size_t n, float limit, const float *x) {
    const VAE__VI most = VAE__BITS(VAE__SET1(limit)); /* NaN is above infinity */
#define VAE__BAD(v) VAE__I_GT(VAE__BITS(VAE__ABS(v)), most)
    VAE__NONE_BAD(VAE__BAD);
#undef VAE__BAD
}

/* Whether no number is below 0, which -0 and NaN are not. */
static int VAE__FN(none_negative)(size_t n, const float *x) {
    VAE__VM bad = VAE__GT(VAE__ZERO(), VAE__ZERO());
    size_t i;
    for (i = 0; i < n; i += VAE__W) bad = VAE__M_OR(bad, VAE__GT(VAE__ZERO(), VAE__GET(x, i, n)));
    return !VAE__M_ANY(bad);
}

/* Whether all lie in [0,1]; NaN does not, -0 does. */
static int VAE__FN(in_unit)(size_t n, const float *x) {
    const VAE__VI one = VAE__BITS(VAE__SET1(1.0f));
#define VAE__BAD(v) VAE__M_OR(VAE__I_GT(VAE__BITS(VAE__ABS(v)), one), VAE__GT(VAE__ZERO(), v))
    VAE__NONE_BAD(VAE__BAD);
#undef VAE__BAD
}

static size_t VAE__FN(nonzeros)(size_t n, const float *x) {
    const VAE__VI rest = VAE__I_SET1(0x7fffffffu), one = VAE__I_SET1(1), none = VAE__I_SET1(0);
    uint32_t lanes[4 * VAE__W];
    VAE__VI sum = none;
    size_t i, count = 0;
    for (i = 0; i < n; i += VAE__W)
        sum = VAE__I_ADD(sum,
                         VAE__FN(vi_select)(VAE__I_GT(VAE__I_AND(VAE__BITS(VAE__GET(x, i, n)),
                                                            rest), none),
                                                 one, none));
    VAE__I_STORE4(lanes, sum, none, none, none);
    for (i = 0; i < VAE__W; i++) count += lanes[4 * i];
    return count;
}

/* ======================================================================================
 * >>densities likelihoods with more than one parameter, or none of the above
 * uses: >>functions >>sums           tests: tests/test_kernels.c
 * ==================================================================================== */

/* The decoder gives for each pixel c parameters of the first kind, then c of the second. They are
 * separated into runs of VAE__RUN numbers, used, and their gradients put together again. */

enum { VAE__FN(RUN) = 256 };

/* Parameters of kind `which` (0 or 1) of numbers first .. first + n - 1: copies them out of `from`,
 * or back into `to`. */
VAE__INLINE void VAE__FN(split)(size_t first, size_t n, size_t c, size_t which, const float *from,
                                float *plane) {
    size_t pixel = first / c, q = first % c, i;
    for (i = 0; i < n; i++) {
        plane[i] = from[(2 * pixel + which) * c + q];
        if (++q == c) q = 0, pixel++;
    }
}
VAE__INLINE void VAE__FN(join)(size_t first, size_t n, size_t c, size_t which, const float *plane,
                               float *to) {
    size_t pixel = first / c, q = first % c, i;
    for (i = 0; i < n; i++) {
        to[(2 * pixel + which) * c + q] = plane[i];
        if (++q == c) q = 0, pixel++;
    }
}

/* 1 / (1 - e^-a) - 1 / a: the mean of the continuous Bernoulli with logit a. Near 0, where the two
 * terms cancel, by a series (next term below 2e-8). */
VAE__CALLED VAE__V VAE__FN(v_cb_mean)(VAE__V a) {
    const VAE__V one = VAE__SET1(1.0f);
    VAE__V size = VAE__ABS(a), u = VAE__MUL(a, a), p, outer, safe;
    safe = VAE__MAX(VAE__SET1(0.5f), size);
    outer = VAE__SUB(VAE__DIV(one, VAE__NEG(VAE__CALL(v_expm1)(VAE__NEG(safe)))),
                     VAE__DIV(one, safe));
    outer = VAE__SELECT(VAE__GT(VAE__ZERO(), a), VAE__SUB(one, outer), outer);
    p = VAE__FMA(u, VAE__SET1(-8.26719577e-07f), VAE__SET1(3.30687831e-05f));
    p = VAE__FMA(p, u, VAE__SET1(-0.00138888889f));
    p = VAE__FMA(p, u, VAE__SET1(0.0833333333f));
    p = VAE__FMA(p, a, VAE__SET1(0.5f));
    return VAE__SELECT(VAE__GT(size, one), outer, p);
}

/* -log p(x|a), one number of the continuous Bernoulli: log((e^a - 1) / a) - x a, which is
 * softplus(a) - x a minus the log of its normaliser C = a / tanh(a / 2). With s = |a| and y = x, or
 * 1 - x where a > 0, it is log((1 - e^-s) / s) + s y, where nothing cancels. Loaiza-Ganem &
 * Cunningham 2019 (arXiv:1907.06845). */
VAE__CALLED VAE__V VAE__FN(v_cb_value)(VAE__V a, VAE__V x) {
    VAE__V size = VAE__ABS(a), ratio;
    ratio = VAE__DIV(VAE__NEG(VAE__CALL(v_expm1)(VAE__NEG(VAE__MAX(VAE__SET1(1e-4f), size)))),
                     VAE__MAX(VAE__SET1(1e-4f), size));
    ratio = VAE__SELECT(VAE__GT(size, VAE__SET1(1e-4f)), ratio,
                        VAE__FMA(size, VAE__SET1(-0.5f), VAE__SET1(1.0f)));
    x = VAE__SELECT(VAE__GT(a, VAE__ZERO()), VAE__SUB(VAE__SET1(1.0f), x), x);
    return VAE__FMA(size, x, VAE__CALL(v_log)(ratio));
}

/* The gaussian with mean m and log variance l: 1/2 ((x - m)^2 e^-l + l + log 2 pi). */
VAE__MATH VAE__V VAE__FN(v_gaussian_at)(VAE__V m, VAE__V raw, VAE__V x, VAE__V *dm, VAE__V *dl) {
    const VAE__V half = VAE__SET1(0.5f);
    VAE__V l = VAE__CLAMP_LOGVAR(raw), inv = VAE__FN(v_exp)(VAE__NEG(l)), d = VAE__SUB(m, x), q;
    *dm = VAE__MUL(d, inv);
    q = VAE__MUL(*dm, d);
    *dl = VAE__SELECT(VAE__LOGVAR_OUTSIDE(raw), VAE__ZERO(), VAE__FMA(VAE__NEG(half), q, half));
    return VAE__MUL(half, VAE__ADD(VAE__ADD(q, l), VAE__SET1(1.83787707f)));
}

#define VAE__LOGISTIC_LOW VAE__SET1(-7.0f)
#define VAE__MIXTURE_LOW VAE__SET1(-7.69314718f) /* -7 of images from -1 to 1 */
#define VAE__LOGISTIC_HIGH VAE__SET1(20.0f)

/* The mass that a logistic with mean m and log scale l (clamped to [least, 20]) has from x - 1/510
 * to x + 1/510 (the lowest and the highest of the 256 levels extend without end). With the bounds
 * u > v in units of the scale,
 *     -log(sigmoid(u) - sigmoid(v)) = softplus(-u) + softplus(v) - log(1 - e^(v - u)),
 * where nothing cancels. Kingma et al. 2016 (arXiv:1606.04934), ends as Salimans et al. 2017. */
VAE__CALLED VAE__V VAE__FN(v_logistic)(VAE__V m, VAE__V raw, VAE__V least, VAE__V x, VAE__V *dm,
                                       VAE__V *dl) {
    const VAE__V step = VAE__SET1(0.00196078431f), zero = VAE__ZERO();
    VAE__V l = VAE__MIN(VAE__LOGISTIC_HIGH, VAE__MAX(least, raw)),
        inv = VAE__CALL(v_exp)(VAE__NEG(l));
    VAE__V d = VAE__SUB(x, m), u = VAE__MUL(VAE__ADD(d, step), inv),
        v = VAE__MUL(VAE__SUB(d, step), inv);
    VAE__V width = VAE__MUL(VAE__SET1(0.00392156863f), inv), fall, value, du, dv, dw;
    VAE__VM lowest = VAE__GT(step, x), highest = VAE__GT(x, VAE__SET1(0.998039216f));
    fall = VAE__CALL(v_expm1)(VAE__NEG(width));
    du = VAE__SELECT(highest, zero, VAE__NEG(VAE__CALL(v_sigmoid)(VAE__NEG(u))));
    dv = VAE__SELECT(lowest, zero, VAE__CALL(v_sigmoid)(v));
    /* d/dw of -log(1 - e^-w) is -e^-w / (1 - e^-w) */
    dw = VAE__DIV(VAE__ADD(fall, VAE__SET1(1.0f)), fall);
    value = VAE__NEG(VAE__CALL(v_log)(VAE__NEG(fall)));
    dw = VAE__SELECT(VAE__M_OR(lowest, highest), zero, dw);
    value = VAE__SELECT(VAE__M_OR(lowest, highest), zero, value);
    value = VAE__ADD(value, VAE__SELECT(highest, zero, VAE__CALL(v_softplus)(VAE__NEG(u))));
    value = VAE__ADD(value, VAE__SELECT(lowest, zero, VAE__CALL(v_softplus)(v)));
    *dm = VAE__MUL(VAE__NEG(inv), VAE__ADD(du, dv));
    *dl = VAE__NEG(VAE__FMA(dw, width, VAE__FMA(dv, v, VAE__MUL(du, u))));
    *dl = VAE__SELECT(VAE__M_OR(VAE__GT(least, raw), VAE__GT(raw, VAE__LOGISTIC_HIGH)), zero, *dl);
    return value;
}

/* -log p of one image of n numbers, c for a pixel. Unless dout is NULL (it may be `out`), writes
 * scale times the gradient there. kind: VAE__DENSITY_*. `shared` is the log scale of LOGISTIC; with
 * dout, *dshared gets scale times its gradient. */
static float VAE__FN(density)(int kind, size_t n, size_t c, const float *out, float shared,
                              const float *x, float scale, float *dout, float *dshared) {
    const int cb = kind == VAE__DENSITY_CONTINUOUS;
    const int one = kind == VAE__DENSITY_LOGISTIC;
    const int two = !cb && !one;
    const VAE__V factor = VAE__SET1(scale);
    VAE__V parts[16 / VAE__W], along[16 / VAE__W];
    float m[VAE__FN(RUN)], l[VAE__FN(RUN)];
    size_t first, i, j, at;
    VAE__FN(clear)(parts);
    VAE__FN(clear)(along);
    for (first = 0; first < n; first += VAE__FN(RUN)) {
        const size_t run = vae__min(n - first, VAE__FN(RUN));
        if (two) {
            VAE__FN(split)(first, run, c, 0, out, m);
            VAE__FN(split)(first, run, c, 1, out, l);
        }
        VAE__ALONG(0, run) {
            VAE__V t = VAE__GET(x + first, at, run),
                a = VAE__GET(two ? m : out + first, at, run);
            VAE__V b = two ? VAE__GET(l, at, run) : VAE__SET1(shared), value, da,
                db = VAE__ZERO();
            if (cb) {
                value = VAE__FN(v_cb_value)(a, t);
                da = VAE__SUB(VAE__FN(v_cb_mean)(a), t);
            } else if (kind == VAE__DENSITY_GAUSSIAN_PIXEL) {
                value = VAE__FN(v_gaussian_at)(a, b, t, &da, &db);
            } else {
                value = VAE__FN(v_logistic)(a, b, VAE__LOGISTIC_LOW, t, &da, &db);
            }
            parts[j] = VAE__ADD(parts[j], VAE__FN(keep)(value, at, run));
            if (one) along[j] = VAE__ADD(along[j], VAE__FN(keep)(db, at, run));
            if (dout) {
                VAE__PUT(two ? m : dout + first, at, run, VAE__MUL(da, factor));
                if (two) VAE__PUT(l, at, run, VAE__MUL(db, factor));
            }
        }
        if (dout && two) {
            VAE__FN(join)(first, run, c, 0, m, dout);
            VAE__FN(join)(first, run, c, 1, l, dout);
        }
    }
    if (dout && one) {
        *dshared = VAE__FN(reduce)(along) * scale;
        VAE__HIDE_F(*dshared);
    }
    return VAE__FN(reduce)(parts);
}

/* The largest of n logits, and log sum e^(a - top). Their sum would lose digits of large logits. */
VAE__INLINE float VAE__FN(log_sum_exp)(size_t n, const float *a, float *top) {
    VAE__V parts[16 / VAE__W];
    float sum;
    size_t i, j, at;
    *top = a[0];
    for (i = 1; i < n; i++) *top = a[i] > *top ? a[i] : *top;
    VAE__FN(clear)(parts);
    VAE__ALONG(0, n) {
        VAE__V e = VAE__CALL(v_exp)(VAE__SUB(VAE__GET(a, at, n), VAE__SET1(*top)));
        parts[j] = VAE__ADD(parts[j], VAE__FN(keep)(e, at, n));
    }
    sum = VAE__FN(reduce)(parts);
    VAE__FN(map)(VAE__FN_LOG, 1, &sum, &sum);
    return sum;
}

/* The level, 0 .. k - 1, nearest to x in [0,1]. */
VAE__INLINE size_t VAE__FN(level)(float x, size_t k) {
    float t = x * (float)(int)(k - 1);
    VAE__HIDE_F(t);
    t = t + 0.5f;
    VAE__HIDE_F(t);
    return t > 0 ? vae__min((size_t)(int)t, k - 1) : 0;
}

/* -log p of n numbers, each one of k levels 0, 1 / (k - 1), .. 1 with k logits. */
static float VAE__FN(categorical)(size_t n, size_t k, const float *out, const float *x, float scale,
                                  float *dout) {
    float parts[16];
    size_t i, j;
    for (i = 0; i < 16; i++) parts[i] = 0;
    for (i = 0; i < n; i++) {
        const float *a = out + i * k;
        const size_t level = VAE__FN(level)(x[i], k);
        float top, norm = VAE__FN(log_sum_exp)(k, a, &top), value = top - a[level];
        VAE__HIDE_F(value);
        value = value + norm;
        VAE__HIDE_F(value);
        parts[i % 16] = parts[i % 16] + value;
        VAE__HIDE_F(parts[i % 16]);
        for (j = 0; dout && j < k; j += VAE__W) {
            VAE__V p = VAE__SUB(VAE__SUB(VAE__GET(a, j, k), VAE__SET1(top)), VAE__SET1(norm));
            p = VAE__CALL(v_exp)(p);
            VAE__PUT(dout + i * k, j, k, VAE__MUL(p, VAE__SET1(scale)));
        }
        if (dout) {
            float d = dout[i * k + level] - scale;
            VAE__HIDE_F(d);
            dout[i * k + level] = d;
        }
    }
    return VAE__FN(tree)(parts);
}

#ifndef VAE_NO_PIXELS
/* Row 0 of `run` rows of numbers, `pitch` apart, as 16 numbers beside one another, zeros behind the
 * last; and back. */
VAE__INLINE void VAE__FN(take)(size_t run, size_t pitch, const float *from, float *plane) {
    size_t i;
    for (i = 0; i < 16; i++) plane[i] = i < run ? from[i * pitch] : 0;
}
VAE__INLINE void VAE__FN(give)(size_t run, size_t pitch, const float *plane, float *to) {
    size_t i;
    for (i = 0; i < run; i++) to[i * pitch] = plane[i];
}

/* Component i of the mixture below at `run` pixels, x (c, 16): -log of its density to value (16).
 * Unless dout is NULL, writes the gradient of that by the component's parameters there. */
static void VAE__FN(component)(size_t run, size_t c, size_t k, size_t i, const float *out,
                               const float *x, float *value, float *dout) {
    const size_t pitch = k * (2 * c + 1 + c * (c - 1) / 2);
    float m[16], l[16], slope[VAE__MIXTURE_CHANNELS][16];
    size_t q, p, at;
    for (at = 0; at < 16; at++) value[at] = 0;
    for (q = 0; q < c; q++) {
        const size_t pairs = (2 * c + 1 + q * (q - 1) / 2) * k + i; /* of this channel */
        VAE__FN(take)(run, pitch, out + q * k + i, m);
        VAE__FN(take)(run, pitch, out + (c + q) * k + i, l);
        for (p = 0; p < q; p++) VAE__FN(take)(run, pitch, out + pairs + p * k, slope[p]);
        for (at = 0; at < 16; at += VAE__W) {
            VAE__V centre = VAE__GET(m, at, 16), dm, dl, v;
            for (p = 0; p < q; p++) { /* the slope of m + tanh(a) x by a is x (1 - tanh(a)^2) */
                const VAE__V t = VAE__CALL(v_tanh)(VAE__GET(slope[p], at, 16));
                const VAE__V before = VAE__GET(x + p * 16, at, 16);
                centre = VAE__FMA(t, before, centre);
                VAE__PUT(slope[p], at, 16,
                         VAE__MUL(before, VAE__FMA(VAE__NEG(t), t, VAE__SET1(1.0f))));
            }
            v = VAE__FN(v_logistic)(centre, VAE__GET(l, at, 16), VAE__MIXTURE_LOW,
                                    VAE__GET(x + q * 16, at, 16), &dm, &dl);
            VAE__PUT(value, at, 16, VAE__ADD(VAE__GET(value, at, 16), v));
            VAE__PUT(m, at, 16, dm);
            VAE__PUT(l, at, 16, dl);
            for (p = 0; p < q; p++)
                VAE__PUT(slope[p], at, 16, VAE__MUL(dm, VAE__GET(slope[p], at, 16)));
        }
        if (!dout) continue;
        VAE__FN(give)(run, pitch, m, dout + q * k + i);
        VAE__FN(give)(run, pitch, l, dout + (c + q) * k + i);
        for (p = 0; p < q; p++) VAE__FN(give)(run, pitch, slope[p], dout + pairs + p * k);
    }
}

/* Of k numbers, a (k, 16), the log of the sum of e^a, less their largest, which goes to *top. */
VAE__INLINE VAE__V VAE__FN(log_sum)(size_t k, const float *a, VAE__V *top) {
    VAE__V sum = VAE__ZERO();
    size_t i;
    *top = VAE__GET(a, 0, 16);
    for (i = 1; i < k; i++) *top = VAE__MAX(*top, VAE__GET(a + i * 16, 0, 16));
    for (i = 0; i < k; i++)
        sum = VAE__ADD(sum, VAE__CALL(v_exp)(VAE__SUB(VAE__GET(a + i * 16, 0, 16), *top)));
    return VAE__CALL(v_log)(sum);
}

/* -log p of `pixels` of c channels, each a mixture of k logistics, the layout of whose parameters
 * the manual has. As `density` otherwise. Salimans et al. 2017 (arXiv:1701.05517). With shares
 * p = softmax(a) and logs t of p times the densities, -log p(x) = -log sum e^t; r = softmax(t)
 * weighs the gradients of the components, and p - r is that of a. */
static float VAE__FN(logistics)(size_t pixels, size_t c, size_t k, const float *out,
                                const float *x, float scale, float *dout) {
    const size_t arrays = 2 * c + 1 + c * (c - 1) / 2, pitch = k * arrays, shares = 2 * c * k;
    float a[VAE__MIXTURE_MOST * 16], t[VAE__MIXTURE_MOST * 16], plane[VAE__MIXTURE_CHANNELS * 16];
    VAE__V parts[16 / VAE__W];
    size_t i, j, at, run, r;
    VAE__FN(clear)(parts);
    for (; pixels; pixels -= run, out += run * pitch, x += run * c) {
        run = vae__min(pixels, 16);
        for (i = 0; i < c; i++) VAE__FN(take)(run, c, x + i, plane + i * 16);
        for (i = 0; i < k; i++) {
            VAE__FN(take)(run, pitch, out + shares + i, a + i * 16);
            VAE__FN(component)(run, c, k, i, out, plane, t + i * 16, dout);
        }
        VAE__ALONG(0, run) {
            VAE__V top, norm = VAE__FN(log_sum)(k, a + at, &top), value;
            for (r = 0; r < k; r++) {
                float *p = a + r * 16 + at, *term = t + r * 16 + at;
                const VAE__V v = VAE__SUB(VAE__SUB(VAE__GET(p, 0, 16), top), norm);
                VAE__PUT(p, 0, 16, v);
                VAE__PUT(term, 0, 16, VAE__SUB(v, VAE__GET(term, 0, 16)));
            }
            norm = VAE__FN(log_sum)(k, t + at, &top);
            value = VAE__NEG(VAE__ADD(top, norm));
            parts[j] = VAE__ADD(parts[j], VAE__FN(keep)(value, at, run));
            for (r = 0; dout && r < k; r++) {
                float *p = a + r * 16 + at, *term = t + r * 16 + at;
                VAE__V v = VAE__SUB(VAE__SUB(VAE__GET(term, 0, 16), top), norm);
                v = VAE__CALL(v_exp)(v);
                VAE__PUT(term, 0, 16, VAE__MUL(v, VAE__SET1(scale)));
                v = VAE__SUB(VAE__CALL(v_exp)(VAE__GET(p, 0, 16)), v);
                VAE__PUT(p, 0, 16, VAE__MUL(v, VAE__SET1(scale)));
            }
        }
        if (!dout) continue;
        for (r = 0; r < run; r++, dout += pitch)
            for (at = 0; at < arrays; at++)
                for (i = 0; i < k; i++) {
                    float *d = dout + at * k + i;
                    *d = at == 2 * c ? a[i * 16 + r] : *d * t[i * 16 + r];
                }
    }
    return VAE__FN(reduce)(parts);
}
#endif

#ifndef VAE_NO_CODES
/* log softmax(a) of k numbers. */
VAE__INLINE void VAE__FN(log_softmax)(size_t k, const float *a, float *y) {
    float top, norm = VAE__FN(log_sum_exp)(k, a, &top);
    size_t i;
    for (i = 0; i < k; i += VAE__W)
        VAE__PUT(y, i, k, VAE__SUB(VAE__SUB(VAE__GET(a, i, k), VAE__SET1(top)), VAE__SET1(norm)));
}

/* y = softmax((a + g) inverse) for n latents of k categories each, g = -log(-log u): a sample from
 * the Gumbel-softmax of temperature 1 / inverse (Jang et al. 2017, arXiv:1611.01144; Maddison et
 * al. 2017). u is clamped to [2^-25, 1 - 2^-24], so that g is finite. Without u: g = 0. */
static void VAE__FN(softmax)(size_t n, size_t k, const float *a, const float *u, float inverse,
                             float *y) {
    const size_t all = n * k;
    size_t i;
    for (i = 0; i < all; i += VAE__W) {
        VAE__V v = VAE__GET(a, i, all);
        if (u) {
            VAE__V t = VAE__MAX(VAE__SET1(2.98023224e-08f), VAE__GET(u, i, all));
            t = VAE__NEG(VAE__CALL(v_log)(VAE__MIN(VAE__SET1(0.99999994f), t)));
            v = VAE__SUB(v, VAE__CALL(v_log)(t));
        }
        VAE__PUT(y, i, all, VAE__MUL(v, VAE__SET1(inverse)));
    }
    for (i = 0; i < n; i++) VAE__FN(log_softmax)(k, y + i * k, y + i * k);
    VAE__FN(map)(VAE__FN_EXP, all, y, y);
}

/* da += scale y (dy - sum y dy) for n latents of k categories, y their softmax; latent j's times
 * keep[j] unless NULL. */
static void VAE__FN(softmax_bwd)(size_t n, size_t k, const float *y, const float *dy, float scale,
                                 const float *keep, float *da) {
    size_t i, j;
    for (j = 0; j < n; j++, y += k, dy += k, da += k) {
        const VAE__V mean = VAE__SET1(VAE__FN(row_sum)(k, y, dy));
        VAE__V factor = VAE__SET1(scale);
        if (keep) factor = VAE__MUL(factor, VAE__SET1(keep[j]));
        VAE__HIDE(factor);
        for (i = 0; i < k; i += VAE__W) {
            VAE__V d = VAE__MUL(VAE__GET(y, i, k), VAE__SUB(VAE__GET(dy, i, k), mean));
            VAE__PUT(da, i, k, VAE__FMA(factor, d, VAE__GET(da, i, k)));
        }
    }
}

/* n latents of k categories with logits a: probabilities p, excess = log p + log k, each (n, k);
 * and the KL of each latent to equal categories, kl (n) = sum p excess, which is log k less the
 * entropy. */
static void VAE__FN(categories)(size_t n, size_t k, const float *a, float *p, float *excess,
                                float *kl) {
    float log_k = (float)(int)k;
    size_t i, j;
    VAE__FN(map)(VAE__FN_LOG, 1, &log_k, &log_k);
    for (j = 0; j < n; j++, a += k, p += k, excess += k) {
        VAE__FN(log_softmax)(k, a, excess);
        VAE__FN(map)(VAE__FN_EXP, k, excess, p);
        for (i = 0; i < k; i += VAE__W)
            VAE__PUT(excess, i, k, VAE__ADD(VAE__GET(excess, i, k), VAE__SET1(log_k)));
        kl[j] = VAE__FN(row_sum)(k, p, excess);
    }
}
#endif

/* The mean of a logistic with centre m and scale s over 256 levels, which are h = 1/255 apart: h
 * times the sum of sigmoid((m - (k - 1/2) h) / s) over k = 1 .. 255. Error below 4e-6. For s below
 * 0.6 h it sums the 8 terms on each side of m; all others are 0 or 1. For a wide s, Gauss
 * quadrature with two points is enough. Otherwise it takes the integral from 0 to 1 (m clamped to
 * [0,1] plus a difference of softplus) and the first term of the Euler-Maclaurin formula. */
VAE__CALLED VAE__V VAE__FN(v_logistic_mean)(VAE__V m, VAE__V s, VAE__V inv) {
    const VAE__V one = VAE__SET1(1.0f), zero = VAE__ZERO(), h = VAE__SET1(0.00392156863f);
    const VAE__VM fine = VAE__GT(VAE__SET1(0.00235294118f), s), wide = VAE__GT(s, VAE__SET1(16.0f));
    VAE__V from = VAE__SELECT(wide, VAE__SET1(0.211324871f), zero), to = VAE__SUB(one, from);
    VAE__V u = VAE__MUL(VAE__SUB(m, from), inv), v = VAE__MUL(VAE__SUB(m, to), inv), cut, low, t, p,
        q, y;
    u = VAE__MIN(VAE__SET1(100.0f), VAE__MAX(VAE__SET1(-100.0f), u));
    v = VAE__MIN(VAE__SET1(100.0f), VAE__MAX(VAE__SET1(-100.0f), v));
    cut = VAE__MIN(one, VAE__MAX(zero, m));
    t = VAE__FN(v_exp_minus)(u, &low);
    p = VAE__FN(v_sigmoid_of)(u, t, low);
    y = VAE__FN(v_softplus_of)(VAE__NEG(VAE__ABS(u)), t, low);
    t = VAE__FN(v_exp_minus)(v, &low);
    q = VAE__FN(v_sigmoid_of)(v, t, low);
    y = VAE__FMA(s, VAE__SUB(y, VAE__FN(v_softplus_of)(VAE__NEG(VAE__ABS(v)), t, low)), cut);
    t = VAE__SUB(VAE__MUL(q, VAE__SUB(one, q)), VAE__MUL(p, VAE__SUB(one, p)));
    y = VAE__FMA(VAE__MUL(t, inv), VAE__SET1(6.40779187e-07f), y); /* h^2 / 24 */
    y = VAE__SELECT(wide, VAE__MUL(VAE__SET1(0.5f), VAE__ADD(p, q)), y);
    if (VAE__M_ANY(fine)) {
        VAE__V k = VAE__SUB(VAE__FMA(cut, VAE__SET1(255.0f), VAE__SET1(8388608.0f)),
                            VAE__SET1(8388616.0f)), sum;
        int i;
        sum = VAE__MAX(zero, k); /* levels up to k are below the window */
        for (i = 0; i < 16; i++) {
            k = VAE__ADD(k, one);
            t = VAE__MUL(VAE__FMA(VAE__SUB(VAE__SET1(0.5f), k), h, m), inv);
            t = VAE__CALL(v_sigmoid)(VAE__MIN(VAE__SET1(100.0f), VAE__MAX(VAE__SET1(-100.0f), t)));
            t = VAE__SELECT(VAE__M_OR(VAE__GT(one, k), VAE__GT(k, VAE__SET1(255.0f))), zero, t);
            sum = VAE__ADD(sum, t);
        }
        y = VAE__SELECT(fine, VAE__MUL(sum, h), y);
    }
    return VAE__MIN(one, VAE__MAX(zero, y));
}

/* An image of n numbers from the decoder's output: the mean of each number or, with u, a draw. The
 * random numbers u (n) are normals for the gaussians and uniforms for the others. `c` as above, `k`
 * the levels of categorical, `deviation` that of gaussian, or the log scale of logistic. x may be
 * `out` where a number has one parameter. */
static void VAE__FN(observe)(int kind, size_t n, size_t c, size_t k, float deviation,
                             const float *out, const float *u, float *x) {
    const VAE__V one = VAE__SET1(1.0f), zero = VAE__ZERO();
    float m[VAE__FN(RUN)], l[VAE__FN(RUN)];
    size_t first, i, j;
#ifdef VAE_NO_DENSITIES /* no row has another kind: the compiler drops what those need */
    if (kind != VAE__DENSITY_BERNOULLI) kind = VAE__DENSITY_GAUSSIAN;
    if (!VAE__WHOLE) u = NULL, kind = VAE__DENSITY_BERNOULLI; /* the mean of a gaussian is its m */
#endif
    if (kind == VAE__DENSITY_CATEGORICAL) {
        for (i = 0; i < n; i++) {
            const float *a = out + i * k;
            float top, norm = VAE__FN(log_sum_exp)(k, a, &top), sum = 0;
            size_t level = 0;
            for (j = 0; j < k; j++) {
                float p = a[j] - top;
                VAE__HIDE_F(p);
                p = p - norm;
                VAE__HIDE_F(p);
                VAE__FN(map)(VAE__FN_EXP, 1, &p, &p);
                if (!u) p = p * (float)(int)j;
                VAE__HIDE_F(p);
                sum = sum + p;
                VAE__HIDE_F(sum);
                if (u && p > 0) level = j; /* the last one if rounding keeps the sum below u */
                if (u && u[i] < sum) break;
            }
            x[i] = (float)vae__div_d((double)(u ? (float)(int)level : sum), (double)(int)(k - 1));
        }
        return;
    }
    for (first = 0; first < n; first += VAE__FN(RUN)) {
        const size_t run = vae__min(n - first, VAE__FN(RUN));
        const int two = kind == VAE__DENSITY_LOGISTIC_PIXEL ||
                        kind == VAE__DENSITY_GAUSSIAN_PIXEL || kind == VAE__DENSITY_MIXTURE;
        if (two) {
            VAE__FN(split)(first, run, c, 0, out, m);
            VAE__FN(split)(first, run, c, 1, out, l);
        }
        for (i = 0; i < run; i += VAE__W) {
            VAE__V a = VAE__GET(two ? m : out + first, i, run),
                r = u ? VAE__GET(u + first, i, run) : zero;
            switch (kind) {
            case VAE__DENSITY_BERNOULLI:
                a = VAE__FN(v_sigmoid)(a);
                if (u) a = VAE__SELECT(VAE__GT(a, r), one, zero);
                break;
            case VAE__DENSITY_CONTINUOUS:
                if (u) { /* log(1 + r (e^s - 1)) / s with s = -|a|; for a > 0, 1 minus that */
                    VAE__V size = VAE__MAX(VAE__SET1(1e-3f), VAE__ABS(a)), t;
                    t = VAE__MUL(r, VAE__CALL(v_expm1)(VAE__NEG(size)));
                    t = VAE__DIV(VAE__CALL(v_log1p)(t), VAE__NEG(size));
                    t = VAE__MIN(one, VAE__MAX(zero, t));
                    a = VAE__SELECT(VAE__GT(a, zero), VAE__SUB(one, t), t);
                } else {
                    a = VAE__FN(v_cb_mean)(a);
                }
                break;
            case VAE__DENSITY_LOGISTIC: case VAE__DENSITY_LOGISTIC_PIXEL:
            case VAE__DENSITY_MIXTURE: { /* of which it gets components */
                const VAE__V least = kind == VAE__DENSITY_MIXTURE ? VAE__MIXTURE_LOW :
                                     VAE__LOGISTIC_LOW;
                VAE__V s = two ? VAE__GET(l, i, run) : VAE__SET1(deviation), inv;
                s = VAE__MIN(VAE__LOGISTIC_HIGH, VAE__MAX(least, s));
                inv = VAE__CALL(v_exp)(VAE__NEG(s));
                s = VAE__CALL(v_exp)(s);
                if (u) { /* the level nearest to m + s log(r / (1 - r)) */
                    VAE__V odds;
                    r = VAE__MAX(VAE__SET1(2.98023224e-08f), r);
                    odds = VAE__SUB(VAE__CALL(v_log)(r), VAE__CALL(v_log1p)(VAE__NEG(r)));
                    a = VAE__MIN(one, VAE__MAX(zero, VAE__FMA(s, odds, a)));
                    a = VAE__FMA(a, VAE__SET1(255.0f), VAE__SET1(8388608.0f));
                    a = VAE__DIV(VAE__SUB(a, VAE__SET1(8388608.0f)), VAE__SET1(255.0f));
                } else {
                    a = VAE__FN(v_logistic_mean)(a, s, inv);
                }
                break;
            }
            default: { /* the gaussians */
                VAE__V s = VAE__SET1(deviation);
                if (two)
                    s = VAE__CALL(v_exp)(VAE__MUL(VAE__SET1(0.5f),
                                                VAE__CLAMP_LOGVAR(VAE__GET(l, i, run))));
                if (u) a = VAE__FMA(s, r, a);
                break;
            }
            }
            VAE__PUT(x + first, i, run, a);
        }
    }
}

/* ======================================================================================
 * >>windows  convolutions and pools
 * uses: >>tiles                      tests: tests/test_kernels.c
 * ==================================================================================== */

/* ---- convolutions ---- */

/* Adds values to m windows of y, which are row_step floats apart. A window has `taps` runs of n
 * floats, `line` floats apart in y and `run` floats apart in its row of values. */
static void VAE__FN(overlay)(size_t m, size_t taps, size_t n, const float *values, size_t pitch,
                             size_t run, float *y, size_t row_step, size_t line) {
    const size_t whole = n / VAE__W * VAE__W, rest = n - whole;
    size_t r, t, i;
    for (r = 0; r < m; r++) {
        const float *from = values + r * pitch;
        float *to = y + r * row_step;
        for (t = 0; t < taps; t++, from += run, to += line) {
            for (i = 0; i < whole; i += VAE__W)
                VAE__STORE(to + i, VAE__ADD(VAE__LOAD(to + i), VAE__LOAD(from + i)));
            if (rest)
                VAE__PUT(to + whole, 0, rest, VAE__ADD(VAE__GET(to + whole, 0, rest),
                                                       VAE__GET(from + whole, 0, rest)));
        }
    }
}

/* out (m, pitch) = transpose of in (n, m); pitch is a multiple of 16: n columns, then zeros. */
static void VAE__FN(transpose)(size_t pitch, size_t n, size_t m, const float *in, float *out) {
    VAE__FN(pack_t)(pitch, n, m, in, m, out);
}

/* ---- pools: windows of f x f pixels of one image, x (h f, w f, c) and y (h, w, c) ---- */

/* y = the largest number of each window (of = 0), or `of` times its sum. */
static void VAE__FN(pool)(size_t h, size_t w, size_t c, size_t f, float of, const float *x,
                          float *y) {
    size_t i, j, q, t;
    for (i = 0; i < h; i++) {
        for (j = 0; j < w; j++, y += c) {
            const float *corner = x + (i * f * w * f + j * f) * c;
            for (q = 0; q < c; q += VAE__W) {
                VAE__V sum = VAE__GET(corner, q, c);
                for (t = 1; t < f * f; t++) {
                    VAE__V v = VAE__GET(corner + (t / f * w * f + t % f) * c, q, c);
                    /* NaN stays */
                    VAE__VM kept = VAE__I_GT(VAE__BITS(VAE__ABS(sum)), VAE__I_SET1(0x7f800000u));
                    sum = of > 0 ? VAE__ADD(sum, v) : VAE__SELECT(kept, sum, VAE__MAX(sum, v));
                }
                VAE__PUT(y, q, c, of > 0 ? VAE__MUL(sum, VAE__SET1(of)) : sum);
            }
        }
    }
}

/* Backward: dx = `of` dy at every pixel of a window. With of = 0: dy at the largest number of the
 * window (the first of equal ones), 0 elsewhere. */
static void VAE__FN(unpool)(size_t h, size_t w, size_t c, size_t f, float of, const float *x,
                            const float *dy, float *dx) {
    size_t i, j, q, t;
    for (i = 0; i < h; i++) {
        for (j = 0; j < w; j++, dy += c) {
            const size_t corner = (i * f * w * f + j * f) * c;
            for (q = 0; q < c; q += VAE__W) {
                VAE__V d = VAE__GET(dy, q, c), best = VAE__ZERO(), place = VAE__ZERO();
                if (!(of > 0)) {
                    best = VAE__GET(x + corner, q, c);
                    for (t = 1; t < f * f; t++) {
                        VAE__V v = VAE__GET(x + corner + (t / f * w * f + t % f) * c, q, c);
                        VAE__VM more = VAE__GT(v, best);
                        place = VAE__SELECT(more, VAE__SET1((float)(int)t), place);
                        best = VAE__SELECT(more, v, best);
                    }
                }
                for (t = 0; t < f * f; t++) {
                    VAE__V v = VAE__MUL(d, VAE__SET1(of)), here = VAE__SET1((float)(int)t);
                    if (!(of > 0))
                        v = VAE__SELECT(VAE__M_OR(VAE__GT(here, place), VAE__GT(place, here)),
                                        VAE__ZERO(), d);
                    VAE__PUT(dx + corner + (t / f * w * f + t % f) * c, q, c, v);
                }
            }
        }
    }
}

/* ======================================================================================
 * >>updates  the optimisers, and the end of the pass: its table
 * uses: >>sums                       tests: tests/test_kernels.c
 * ==================================================================================== */

/* ---- optimisers: one pass over w, g, m, v; they return whether w and v are finite ---- */

/* Lanes of v before n that are infinite or NaN. */
VAE__INLINE VAE__VM VAE__FN(v_bad)(VAE__V v, size_t i, size_t n) {
    v = VAE__FN(keep)(v, i, n);
    return VAE__I_GT(VAE__I_AND(VAE__BITS(v), VAE__I_SET1(0x7fffffffu)), VAE__I_SET1(0x7f7fffffu));
}

/* Kingma & Ba 2015, with bias correction and eps as in PyTorch; decoupled decay of Loshchilov &
 * Hutter 2019. sqrt(v) is multiplied by 1/sqrt(1 - b2^t), rounded once a step, and not divided by
 * sqrt(1 - b2^t), because division limits the speed and this saves a third of its work. */
static int VAE__FN(adam)(size_t n, float *w, const float *g, float *m, float *v,
                         const vae__adam_step *s) {
    const VAE__V gscale = VAE__SET1(s->gscale), b1 = VAE__SET1(s->b1),
        c1 = VAE__SET1(s->one_minus_b1);
    const VAE__V b2 = VAE__SET1(s->b2), c2 = VAE__SET1(s->one_minus_b2), rate = VAE__SET1(-s->rate);
    const VAE__V inv = VAE__SET1(s->inv_bias), eps = VAE__SET1(s->eps), decay = VAE__SET1(s->decay);
    const VAE__V l2 = VAE__SET1(s->l2);
    VAE__VM bad = VAE__GT(VAE__ZERO(), VAE__ZERO());
    size_t i;
    for (i = 0; i < n; i += VAE__W) {
        VAE__V old = VAE__GET(w, i, n), mi, vi, step;
        VAE__V gi = VAE__FMA_NOW(l2, old, VAE__MUL(gscale, VAE__GET(g, i, n)));
        mi = VAE__FMA_NOW(c1, gi, VAE__MUL(b1, VAE__GET(m, i, n)));
        vi = VAE__FMA_NOW(VAE__MUL(c2, gi), gi, VAE__MUL(b2, VAE__GET(v, i, n)));
        step = VAE__DIV(mi, VAE__FMA_NOW(VAE__SQRT(vi), inv, eps));
        VAE__PUT(m, i, n, mi);
        VAE__PUT(v, i, n, vi);
        old = VAE__FMA_NOW(rate, step, VAE__MUL(decay, old));
        VAE__PUT(w, i, n, old);
        bad = VAE__M_OR(bad, VAE__FN(v_bad)(old, i, n));
        bad = VAE__M_OR(bad, VAE__FN(v_bad)(vi, i, n)); /* the gradient's square overflows */
    }
    return !VAE__M_ANY(bad);
}

/* As in PyTorch: m = momentum m + g; w -= lr m, where g includes decay w. */
static int VAE__FN(sgd)(size_t n, float *w, const float *g, float *m, float lr, float momentum,
                        float decay, float gscale) {
    VAE__VM bad = VAE__GT(VAE__ZERO(), VAE__ZERO());
    size_t i;
    for (i = 0; i < n; i += VAE__W) {
        VAE__V old = VAE__GET(w, i, n);
        VAE__V gi = VAE__FMA(VAE__SET1(decay), old, VAE__MUL(VAE__SET1(gscale), VAE__GET(g, i, n)));
        VAE__V mi = VAE__FMA(VAE__SET1(momentum), VAE__GET(m, i, n), gi);
        VAE__PUT(m, i, n, mi);
        old = VAE__FMA(VAE__SET1(-lr), mi, old);
        VAE__PUT(w, i, n, old);
        bad = VAE__M_OR(bad, VAE__FN(v_bad)(old, i, n));
    }
    return !VAE__M_ANY(bad);
}

/* average = decay average + (1 - decay) w */
static void VAE__FN(ema)(size_t n, const float *w, float *average, float decay) {
    const VAE__V keep = VAE__SET1(decay), take = VAE__SUB(VAE__SET1(1.0f), keep);
    size_t i;
    for (i = 0; i < n; i += VAE__W)
        VAE__PUT(average, i, n,
                 VAE__FMA(keep, VAE__GET(average, i, n), VAE__MUL(take, VAE__GET(w, i, n))));
}

/* ---- the table ---- */

#ifdef VAE_NO_TRAIN
#define VAE__OF_TRAINING VAE__NO_KERNEL
#else
#define VAE__OF_TRAINING VAE__X
#endif
#ifdef VAE_NO_CONV
#define VAE__OF_CONVOLUTIONS VAE__NO_KERNEL
#define VAE__OF_BOTH VAE__NO_KERNEL
#else
#define VAE__OF_CONVOLUTIONS VAE__X
#define VAE__OF_BOTH VAE__OF_TRAINING
#endif
#ifdef VAE_NO_CODES
#define VAE__OF_CODES VAE__NO_KERNEL
#else
#define VAE__OF_CODES VAE__X
#endif
#ifdef VAE_NO_PIXELS
#define VAE__OF_PIXELS VAE__NO_KERNEL
#else
#define VAE__OF_PIXELS VAE__X
#endif
#ifdef VAE_NO_DENSITIES
#define VAE__OF_DENSITIES VAE__NO_KERNEL
#else
#define VAE__OF_DENSITIES VAE__X
#endif
#ifdef VAE_ONLY_DECODE
#define VAE__OF_THE_WHOLE VAE__NO_KERNEL
#else
#define VAE__OF_THE_WHOLE VAE__X
#endif

static const vae__kernels VAE__FN(kernels) = {
    (vae_isa)VAE__PASS, /* passes are numbered like the enum */
#define VAE__X(result, name, args) VAE__FN(name),
#define VAE__NO_KERNEL(result, name, args) NULL,
    VAE__KERNEL_LIST(VAE__X, VAE__OF_TRAINING, VAE__OF_CONVOLUTIONS, VAE__OF_BOTH, VAE__OF_CODES,
                     VAE__OF_PIXELS, VAE__OF_DENSITIES, VAE__OF_THE_WHOLE)
#undef VAE__NO_KERNEL
#undef VAE__X
};
#undef VAE__OF_TRAINING
#undef VAE__OF_CONVOLUTIONS
#undef VAE__OF_BOTH
#undef VAE__OF_CODES
#undef VAE__OF_PIXELS
#undef VAE__OF_DENSITIES
#undef VAE__OF_THE_WHOLE

#undef VAE__FN
#undef VAE__128
#undef VAE__ARG
#undef VAE__I_ARG
#undef VAE__D_ARG
#undef VAE__PICK
#undef VAE__S
#undef VAE__TERM
#undef VAE__FACTOR
#undef VAE__SUM
#undef VAE__TOTAL
#undef VAE__WATCH
#undef VAE__UNSURE
#undef VAE__MATH
#undef VAE__CALLED
#undef VAE__CALL
#undef VAE__W
#undef VAE__V
#undef VAE__VI
#undef VAE__VM
#undef VAE__HIDE
#undef VAE__SET1
#undef VAE__I_SET1
#undef VAE__I_IOTA
#undef VAE__ASM1
#undef VAE__ASM2
#undef VAE__BITS
#undef VAE__OF_BITS
#undef VAE__I_ADD
#undef VAE__I_SUB
#undef VAE__I_AND
#undef VAE__I_OR
#undef VAE__I_XOR
#undef VAE__I_SHL
#undef VAE__I_SHR
#undef VAE__SELECT
#undef VAE__M_ANY
#undef VAE__M_OR
#undef VAE__ADD
#undef VAE__SUB
#undef VAE__MUL
#undef VAE__DIV
#undef VAE__MAX
#undef VAE__MIN
#undef VAE__FMA
#undef VAE__FMA_NOW
#undef VAE__ZERO
#undef VAE__ABS
#undef VAE__NEG
#undef VAE__GET
#undef VAE__PUT
#undef VAE__LOAD
#undef VAE__LOAD_LANES
#undef VAE__LOAD_SHARED
#undef VAE__SHARE
#undef VAE__MOST_SHARE
#undef VAE__EDGES
#undef VAE__CHEAP_LANES
#undef VAE__GET_LANES
#undef VAE__PUT_LANES
#undef VAE__APPEND
#undef VAE__TRANSPOSE
#undef VAE__VL
#undef VAE__STORE
#undef VAE__SQRT
#undef VAE__GT
#undef VAE__FROM_INT
#undef VAE__TO_INT
#undef VAE__CLAMP_LOGVAR
#undef VAE__LOGVAR_OUTSIDE
#undef VAE__LOGISTIC_LOW
#undef VAE__MIXTURE_LOW
#undef VAE__LOGISTIC_HIGH
#undef VAE__DEVIATION_LEAST
#undef VAE__I_GT
#undef VAE__I_SELECT
#undef VAE__I_LOAD
#undef VAE__I_STORE4
#undef VAE__I_MULHILO
#undef VAE__NONE_BAD
#undef VAE__ALONG
#undef VAE__TILE_VECS
#undef VAE__SKIP_VECS
#undef VAE__STREAM_VECS
#undef VAE__ROW_VECS
#undef VAE__TILE_ROWS_1
#undef VAE__TILE_ROWS_2
#undef VAE__TILE_ROWS_3
#undef VAE__TILE_ROWS_4

#endif /* guards A and B */
#if !defined(VAE__PASS) && defined(VAE_IMPLEMENTATION) && !defined(VAE__IMPLEMENTED) /* guard C */
#define VAE__IMPLEMENTED

/* ======================================================================================
 * >>dispatch which kernels run here, and the floating-point environment they run in
 * uses: >>updates >>rng              tests: tests/test_status.c, tests/test_rng.c
 * ==================================================================================== */

#if defined(VAE__HAVE_AVX)
VAE__PRIVATE void vae__cpuid(unsigned leaf, unsigned r[4]) { /* eax, ebx, ecx, edx */
#ifdef VAE__MSC
    __cpuidex((int *)r, (int)leaf, 0);
#else
    __asm__("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "0"(leaf), "2"(0));
#endif
}
/* Bit 0: AVX2 and FMA; bit 1: AVX-512 F, DQ, BW, VL and POPCNT; each with registers that the system
 * saves. */
VAE__PRIVATE int vae__cpu_detect(void) {
    unsigned r[4], saved, popcnt;
    int found = 0;
    vae__cpuid(0, r);
    if (r[0] < 7) return 0;
    vae__cpuid(1, r);
    if (!(r[2] >> 27 & 1) || !(r[2] >> 12 & 1)) return 0; /* OSXSAVE, FMA */
    popcnt = r[2] >> 23 & 1;
#ifdef VAE__MSC
    saved = (unsigned)_xgetbv(0);
#else
    __asm__ volatile(".byte 0x0f, 0x01, 0xd0" : "=a"(saved), "=d"(r[3]) : "c"(0)); /* xgetbv */
#endif
    if ((saved & 0x06) != 0x06) return 0;
    vae__cpuid(7, r);
    if (r[1] >> 5 & 1) found |= 1;
    if (found && popcnt && (saved & 0xe6) == 0xe6 && (r[1] >> 16 & 1) && (r[1] >> 17 & 1) &&
        (r[1] >> 30 & 1) && (r[1] >> 31 & 1))
        found |= 2;
    return found;
}

/* Remembers the answer, because cpuid traps in virtual machines. Two threads may both detect: they
 * store the same answer. */
VAE__PRIVATE int vae__cpu(void) {
    static int known = -1;
    int found = VAE__ATOMIC_LOAD(&known, RELAXED);
    if (found < 0) {
        found = vae__cpu_detect();
        VAE__ATOMIC_STORE(&known, found, RELAXED);
    }
    return found;
}
#endif

/* NULL where this build or this processor has no such kernels. */
VAE__PRIVATE const vae__kernels *vae__kernels_of(vae_isa isa) {
    switch (isa) {
#ifndef VAE_NO_PORTABLE
    case VAE_ISA_PORTABLE: return &vae__kernels_portable;
#endif
#ifdef VAE__HAVE_SIMD128
    case VAE_ISA_SIMD128: return &vae__kernels_simd128;
#endif
#ifdef VAE__HAVE_AVX2
    case VAE_ISA_AVX2: return vae__cpu() & 1 ? &vae__kernels_avx2 : NULL;
#endif
#ifdef VAE__HAVE_AVX512
    case VAE_ISA_AVX512: return vae__cpu() & 2 ? &vae__kernels_avx512 : NULL;
#endif
#ifdef VAE__HAVE_NEON
    case VAE_ISA_NEON: return &vae__kernels_neon;
#endif
    case VAE_ISA_AUTO: {
        const vae__kernels *k = NULL;
        int best = VAE_ISA_COUNT;
        while (!k && --best > VAE_ISA_AUTO) k = vae__kernels_of((vae_isa)best);
        return k;
    }
    default: return NULL;
    }
}

VAE_API vae_isa vae_isa_best(void) {
    const vae__kernels *k = vae__kernels_of(VAE_ISA_AUTO);
    return k ? k->isa : VAE_ISA_AUTO;
}
VAE_API int vae_isa_available(vae_isa isa) { return vae__kernels_of(isa) != NULL; }

/* The host program may flush subnormals (-Ofast links code that does so at start), round in another
 * direction or trap. So every public function that computes, compares or formats floats is
 * VAE__GUARDED: it runs in the IEEE default, with all exceptions masked, and restores what it
 * found. tests/style.sh lists the other functions. */
typedef struct vae__fpenv {
    uint64_t saved;
    int held; /* calls on a model: whether this call has set the model's flag `busy` */
} vae__fpenv;

#if defined(VAE__X86) && (defined(VAE__GCC) || defined(VAE__CLANG)) && \
    (defined(__SSE__) || defined(VAE__X64))
#define VAE__FP_IEEE 0x1f80 /* all exceptions masked, round to nearest, no flush to zero */
VAE__INLINE uint64_t vae__fp_swap(uint64_t env) {
    unsigned old, now = (unsigned)env;
    __asm__ volatile("stmxcsr %0" : "=m"(old) : : "memory");
    __asm__ volatile("ldmxcsr %0" : : "m"(now) : "memory");
    return old;
}
#elif defined(__aarch64__) && (defined(VAE__GCC) || defined(VAE__CLANG))
#define VAE__FP_IEEE 0
VAE__INLINE uint64_t vae__fp_swap(uint64_t env) {
    uint64_t old;
    __asm__ volatile("mrs %0, fpcr" : "=r"(old) : : "memory");
    __asm__ volatile("msr fpcr, %0" : : "r"(env) : "memory");
    return old;
}
#elif defined(VAE__MSC) && defined(VAE__X64)
#define VAE__FP_IEEE 0x1f80
VAE__INLINE uint64_t vae__fp_swap(uint64_t env) {
    const unsigned old = _mm_getcsr();
    _mm_setcsr((unsigned)env);
    return old;
}
#else
#define VAE__FP_IEEE 0
#define vae__fp_swap(env) (env)
#endif
VAE__INLINE void vae__fp_enter(vae__fpenv *env) { env->saved = vae__fp_swap(VAE__FP_IEEE); }
VAE__INLINE void vae__fp_leave(const vae__fpenv *env) { (void)vae__fp_swap(env->saved); }

/* The body of a public function. An attribute or a destructor would need the run-time library of
 * exceptions in C++. */
#define VAE__GUARDED(call) \
    vae__fpenv vae__host; \
    vae_status vae__got; \
    vae__fp_enter(&vae__host); \
    vae__got = call; \
    vae__fp_leave(&vae__host); \
    return vae__got

#ifndef VAE_ONLY_DECODE
VAE__PRIVATE void vae__random(int kind, const vae_stream *s, uint64_t first, size_t count,
                              void *out) {
    const vae__kernels *k = vae__kernels_of(VAE_ISA_AUTO);
    vae__address at = vae__address_of(s);
    uint32_t *to = (uint32_t *)out, part[4];
    vae__fpenv env;
    if (!k) { /* VAE_NO_PORTABLE */
        memset(out, 0, count * 4);
        return;
    }
    vae__fp_enter(&env);
    if (first & 3) { /* the range begins inside a block of four */
        size_t skip = (size_t)(first & 3), n = count < 4 - skip ? count : 4 - skip;
        k->draw(kind, &at, (uint32_t)(first / 4), 4, part);
        memcpy(to, part + skip, n * 4);
        to += n, count -= n, first += n;
    }
    if (count) k->draw(kind, &at, (uint32_t)(first / 4), count, to);
    vae__fp_leave(&env);
}
VAE_API void vae_random_words(const vae_stream *s, uint64_t first, size_t count, uint32_t *out) {
    vae__random(VAE__DRAW_WORDS, s, first, count, out);
}
VAE_API void vae_random_uniform(const vae_stream *s, uint64_t first, size_t count, float *out) {
    vae__random(VAE__DRAW_UNIFORM, s, first, count, out);
}
VAE_API void vae_random_normal(const vae_stream *s, uint64_t first, size_t count, float *out) {
    vae__random(VAE__DRAW_NORMAL, s, first, count, out);
}
#endif

/* ======================================================================================
 * >>threads  dividing work, and a pool of threads to do it
 * uses: >>status >>arena >>dispatch  tests: tests/test_threads.c
 *
 * A job is divided by what it computes: rows of a batch, rows of a gradient, columns of a product.
 * No result depends on the number of parts, nor on which thread computes which.
 * ==================================================================================== */

/* Runs a whole job on this thread. */
VAE__PRIVATE void vae__run_alone(void (*job)(void *arg, int part), void *arg, int parts) {
    int part;
    for (part = 0; part < parts; part++) job(arg, part);
}

#ifdef VAE__THREADS
#ifndef VAE__WORKER_STACK /* 64 KB for this library, the rest for the program's TLS */
#define VAE__WORKER_STACK ((size_t)512 << 10)
#endif
#ifdef _WIN32
typedef HANDLE vae__thread;
typedef SRWLOCK vae__mutex;
typedef CONDITION_VARIABLE vae__cond;
#define VAE__THREAD_FN(name, arg) static DWORD WINAPI name(LPVOID arg)
#define VAE__THREAD_START(t, fn, arg) \
    ((*(t) = CreateThread(NULL, VAE__WORKER_STACK, fn, arg, STACK_SIZE_PARAM_IS_A_RESERVATION, \
                          NULL)) != NULL)
#define VAE__THREAD_JOIN(t) (WaitForSingleObject(t, INFINITE), CloseHandle(t))
#define VAE__MUTEX_INIT(x) (InitializeSRWLock(x), 1)
#define VAE__COND_INIT(x) (InitializeConditionVariable(x), 1)
#define VAE__LOCK(x) AcquireSRWLockExclusive(x)
#define VAE__UNLOCK(x) ReleaseSRWLockExclusive(x)
#define VAE__WAIT(cond, mutex) SleepConditionVariableSRW(cond, mutex, INFINITE, 0)
#define VAE__WAKE(cond) WakeConditionVariable(cond)
#define VAE__WAKE_ALL(cond) WakeAllConditionVariable(cond)
#define VAE__MUTEX_END(x) ((void)(x))
#define VAE__COND_END(x) ((void)(x))
VAE__PRIVATE int64_t vae__nanoseconds(void) {
    LARGE_INTEGER now, hertz;
    if (!QueryPerformanceCounter(&now) || !QueryPerformanceFrequency(&hertz)) return 0;
    return now.QuadPart / hertz.QuadPart * 1000000000 +
           now.QuadPart % hertz.QuadPart * 1000000000 / hertz.QuadPart;
}
#else
typedef pthread_t vae__thread;
typedef pthread_mutex_t vae__mutex;
typedef pthread_cond_t vae__cond;
#define VAE__THREAD_FN(name, arg) static void *name(void *arg)
#define VAE__THREAD_START vae__thread_start
#define VAE__THREAD_JOIN(t) pthread_join(t, NULL)
#define VAE__MUTEX_INIT(x) (pthread_mutex_init(x, NULL) == 0)
#define VAE__COND_INIT(x) (pthread_cond_init(x, NULL) == 0)
#define VAE__LOCK(x) pthread_mutex_lock(x)
#define VAE__UNLOCK(x) pthread_mutex_unlock(x)
#define VAE__WAIT(cond, mutex) pthread_cond_wait(cond, mutex)
#define VAE__WAKE(cond) pthread_cond_signal(cond)
#define VAE__WAKE_ALL(cond) pthread_cond_broadcast(cond)
#define VAE__MUTEX_END(x) pthread_mutex_destroy(x)
#define VAE__COND_END(x) pthread_cond_destroy(x)
/* glibc before 2.34 has threads in a library of their own: without it these functions are NULL. */
#if defined(__GLIBC__) && (__GLIBC__ < 2 || (__GLIBC__ == 2 && __GLIBC_MINOR__ < 34))
#pragma weak pthread_create
#pragma weak pthread_join
#define VAE__THREADS_MISSING (!pthread_create)
#endif
/* -std=c99 hides the clock that Linux has; glibc before 2.17 has it in another library */
#if defined(__GLIBC__) && __GLIBC__ == 2 && __GLIBC_MINOR__ < 17
#elif defined(CLOCK_MONOTONIC)
#define VAE__CLOCK CLOCK_MONOTONIC
#elif defined(__linux__) && defined(__LP64__) && !defined(__cplusplus)
#define VAE__CLOCK 1
int clock_gettime(int, struct timespec *);
#endif
/* A monotonic clock; always 0 where there is none. */
VAE__PRIVATE int64_t vae__nanoseconds(void) {
#ifdef VAE__CLOCK
    struct timespec now;
    if (clock_gettime(VAE__CLOCK, &now) == 0)
        return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
#endif
    return 0;
}
VAE__PRIVATE int vae__thread_start(vae__thread *thread, void *(*run)(void *), void *arg) {
    pthread_attr_t attr;
    int bad;
    if (pthread_attr_init(&attr) != 0) return 0;
    bad = pthread_attr_setstacksize(&attr, VAE__WORKER_STACK);
    if (!bad) bad = pthread_create(thread, &attr, run, arg);
    pthread_attr_destroy(&attr);
    return !bad;
}
#endif
#ifndef VAE__THREADS_MISSING
#define VAE__THREADS_MISSING 0
#endif

typedef struct vae__worker {
    vae_pool *pool;
    vae__thread thread;
    int index;         /* from 1: the caller is thread 0 */
} vae__worker;

/* The caller opens the parts of a job. Each thread (a worker, or the caller) takes open parts: it
 * closes a part, which only one thread can do, and computes it. The job is over when all parts have
 * ended. So `job` and `arg` do not change while a thread computes a part, and no other thread reads
 * them. The caller never waits for a worker that has not begun: it computes open parts itself, and
 * a late worker finds none.
 * Memory order: closing a part acquires what the caller wrote before it opened the part. Adding to
 * `ended` releases what the part wrote, and the caller acquires that. */
struct vae_pool {
    vae_allocator allocator;
    size_t size;       /* of the pool's own block; 0: it lies in a model's */
    int threads;       /* with the caller's */
    int locks;         /* whether mutex, wake and done exist */
    vae__worker *workers; /* threads - 1 */
    void (*job)(void *arg, int part);
    void *arg;
    int parts, left, ended; /* atomic: number of parts, of open parts, of parts that have ended */
    int busy;          /* atomic: a thread is in vae__pool_run */
    int asleep, waiting; /* atomic: sleeping workers; whether the caller sleeps */
    int stop;          /* atomic */
    int open[VAE_MAX_THREADS]; /* atomic */
    vae__mutex mutex;
    vae__cond wake, done;
    /* of vae__pool_book, in nanoseconds */
    int64_t credit;    /* time saved by the last jobs; older ones count less */
    int64_t earned;    /* time saved since the caller last worked alone */
    int64_t caution;
    int64_t took[VAE_MAX_THREADS]; /* by each part */
    int alone;         /* atomic: the caller works alone ... */
    uint32_t alone_until; /* atomic: ... until this time in milliseconds */
};

VAE__INLINE void vae__pause(void) {
#ifdef VAE__MSC
    YieldProcessor();
#elif defined(VAE__X86)
    __asm__ volatile("pause");
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#else
    __asm__ volatile("");
#endif
}

/* Spins until *x == value (wanted 1), or until *x != value (wanted 0). Returns 0 when it took too
 * long. */
enum { VAE__LOOKS = 4000, VAE__LOOK_NS = 50000 };
VAE__PRIVATE int vae__look(const int *x, int value, int wanted) {
    int64_t begin = 0;
    int i;
    for (i = 1; (VAE__ATOMIC_LOAD(x, ACQUIRE) == value) != wanted; i++) {
        vae__pause();
        if (i % 16) continue;
        if (!begin) begin = vae__nanoseconds();
        if (i > VAE__LOOKS || vae__nanoseconds() - begin > VAE__LOOK_NS) return 0;
    }
    return 1;
}

/* Takes a part for thread `index` and returns its number; -1: none is open. A thread begins with
 * its own parts, the same in every job, because its cache may still hold their data. After these it
 * takes other threads' parts, those of the thread before it first, from the last to the first. */
VAE__PRIVATE int vae__pool_take(vae_pool *p, int index) {
    const int parts = VAE__ATOMIC_LOAD(&p->parts, RELAXED), few = parts < p->threads;
    const int first = few ? index % parts : parts * index / p->threads;
    const int own = few ? 1 : parts * (index + 1) / p->threads - first;
    int i;
    for (i = 0; i < parts && VAE__ATOMIC_LOAD(&p->left, RELAXED) > 0; i++) {
        const int part = i < own ? first + i : (first + parts - 1 - (i - own)) % parts;
        if (VAE__ATOMIC_LOAD(&p->open[part], RELAXED) &&
            VAE__ATOMIC_SWAP(&p->open[part], 0, ACQUIRE)) {
            VAE__ATOMIC_ADD(&p->left, -1, RELAXED);
            return part;
        }
    }
    return -1;
}

/* Wakes one worker. A worker that goes to sleep writes `asleep` and then reads `left` and `stop`.
 * Who calls this function has written `left` or `stop`, and reads `asleep` here. All threads see
 * these in the same order (SEQ_CST), so one of the two sees what the other wrote. */
VAE__PRIVATE void vae__pool_wake(vae_pool *p) {
    if (!VAE__ATOMIC_LOAD(&p->asleep, SEQ_CST)) return;
    VAE__LOCK(&p->mutex);
    VAE__WAKE(&p->wake);
    VAE__UNLOCK(&p->mutex);
}

VAE__PRIVATE void vae__pool_part(vae_pool *p, int part) {
    const int64_t begin = vae__nanoseconds();
    p->job(p->arg, part);
    p->took[part] = vae__nanoseconds() - begin;
}

VAE__THREAD_FN(vae__worker_main, arg) {
    const vae__worker *w = (const vae__worker *)arg;
    vae_pool *p = w->pool;
    int part;
    for (;;) {
        if (!vae__look(&p->left, 0, 0)) {
            VAE__LOCK(&p->mutex);
            VAE__ATOMIC_ADD(&p->asleep, 1, SEQ_CST);
            while (!VAE__ATOMIC_LOAD(&p->left, SEQ_CST) &&
                   !VAE__ATOMIC_LOAD(&p->stop, SEQ_CST))
                VAE__WAIT(&p->wake, &p->mutex);
            VAE__ATOMIC_ADD(&p->asleep, -1, SEQ_CST);
            VAE__UNLOCK(&p->mutex);
        }
        if (VAE__ATOMIC_LOAD(&p->stop, ACQUIRE)) return 0;
        while ((part = vae__pool_take(p, w->index)) >= 0) {
            const int parts = VAE__ATOMIC_LOAD(&p->parts, RELAXED);
            if (VAE__ATOMIC_LOAD(&p->left, RELAXED)) vae__pool_wake(p); /* wakes the next */
            vae__pool_part(p, part);
            if (VAE__ATOMIC_ADD(&p->ended, 1, SEQ_CST) == parts &&
                VAE__ATOMIC_LOAD(&p->waiting, SEQ_CST)) {
                VAE__LOCK(&p->mutex);
                VAE__WAKE(&p->done);
                VAE__UNLOCK(&p->mutex);
            }
        }
    }
}

/* Whether to divide a job now: not for a while after dividing has cost time. */
VAE__PRIVATE int vae__pool_pays(vae_pool *p) {
    if (!VAE__ATOMIC_LOAD(&p->alone, RELAXED)) return 1;
    if ((int32_t)((uint32_t)(vae__nanoseconds() / 1000000) -
                  (uint32_t)VAE__ATOMIC_LOAD(&p->alone_until, RELAXED)) < 0) return 0;
    VAE__ATOMIC_STORE(&p->alone, 0, RELAXED);
    return 1;
}

enum {
    VAE__GRACE_NS = 100000, /* what an attempt may cost, until the workers are awake */
    VAE__CAUTION = 16, VAE__MOST_CAUTION = 256,
    VAE__MOST_LOSS = 20000000 /* ns in one job: if it is more, the program was stopped */
};

/* Records whether dividing a job saved time: compares its duration `wall` with the sum of its
 * parts, which the caller would have needed alone. A part counts as at most twice the shortest,
 * because its thread may have lost its processor. When the last jobs lost more than they saved, the
 * caller works alone for VAE__CAUTION times the loss, so losses stay below 1/16 of the time; for
 * twice as long when the next attempt saves nothing either. Only the number of parts depends on
 * this, never a result. */
VAE__PRIVATE void vae__pool_book(vae_pool *p, int parts, int64_t wall, int64_t now) {
    int64_t shortest = INT64_MAX, alone = 0, wait;
    int i;
    for (i = 0; i < parts; i++)
        if (p->took[i] < shortest) shortest = p->took[i];
    for (i = 0; i < parts; i++)
        alone += p->took[i] < 2 * shortest ? p->took[i] : 2 * shortest;
    alone = alone - wall < -VAE__MOST_LOSS ? -VAE__MOST_LOSS : alone - wall;
    p->earned += alone;
    p->credit += alone - p->credit / 8;
    if (p->earned > VAE__GRACE_NS) p->caution = VAE__CAUTION;
    if (p->credit >= 0) return;
    wait = (VAE__GRACE_NS - p->credit) * p->caution;
    VAE__ATOMIC_STORE(&p->alone_until, (uint32_t)((now + wait) / 1000000), RELAXED);
    VAE__ATOMIC_STORE(&p->alone, 1, RELAXED);
    if (p->caution < VAE__MOST_CAUTION) p->caution *= 2;
    p->credit = VAE__GRACE_NS, p->earned = 0;
}

/* Waits until all parts have ended. */
VAE__PRIVATE void vae__pool_wait(vae_pool *p, int parts) {
    if (vae__look(&p->ended, parts, 1)) return;
    VAE__LOCK(&p->mutex);
    VAE__ATOMIC_STORE(&p->waiting, 1, SEQ_CST);
    while (VAE__ATOMIC_LOAD(&p->ended, SEQ_CST) != parts) VAE__WAIT(&p->done, &p->mutex);
    VAE__ATOMIC_STORE(&p->waiting, 0, SEQ_CST);
    VAE__UNLOCK(&p->mutex);
}

VAE__PRIVATE void vae__pool_run(void (*job)(void *arg, int part), void *arg, int parts,
                                void *user) {
    vae_pool *p = (vae_pool *)user;
    int64_t begin, end;
    int part, mine; /* whether this call has the pool: a job inside a job finds it busy */
    mine = parts > 1 && p->threads > 1 && !VAE__ATOMIC_SWAP(&p->busy, 1, ACQUIRE);
    while (mine && parts > VAE_MAX_THREADS) job(arg, --parts);
    if (mine && vae__pool_pays(p)) {
        begin = vae__nanoseconds();
        p->job = job, p->arg = arg;
        VAE__ATOMIC_STORE(&p->ended, 0, RELAXED);
        VAE__ATOMIC_STORE(&p->parts, parts, RELAXED);
        for (part = 0; part < parts; part++) VAE__ATOMIC_STORE(&p->open[part], 1, RELEASE);
        VAE__ATOMIC_ADD(&p->left, parts, SEQ_CST);
        vae__pool_wake(p);
        while ((part = vae__pool_take(p, 0)) >= 0) {
            vae__pool_part(p, part);
            VAE__ATOMIC_ADD(&p->ended, 1, SEQ_CST);
        }
        vae__pool_wait(p, parts);
        end = vae__nanoseconds();
        vae__pool_book(p, parts, end - begin, end);
    } else {
        vae__run_alone(job, arg, parts);
    }
    if (mine) VAE__ATOMIC_STORE(&p->busy, 0, RELEASE);
}

VAE__PRIVATE size_t vae__pool_size(int threads) {
    return sizeof(vae_pool) + (size_t)(threads - 1) * sizeof(vae__worker);
}
VAE__PRIVATE void vae__pool_stop(vae_pool *p) {
    int i;
    if (!p->locks) return;
    VAE__LOCK(&p->mutex);
    VAE__ATOMIC_STORE(&p->stop, 1, SEQ_CST);
    VAE__WAKE_ALL(&p->wake);
    VAE__UNLOCK(&p->mutex);
    for (i = 0; i < p->threads - 1; i++) VAE__THREAD_JOIN(p->workers[i].thread);
    p->threads = 1; /* no worker is left that reads it */
    VAE__COND_END(&p->wake);
    VAE__COND_END(&p->done);
    VAE__MUTEX_END(&p->mutex);
    p->locks = 0;
}

VAE__PRIVATE int vae__pool_locks(vae_pool *p) {
    const int mutex = VAE__MUTEX_INIT(&p->mutex), wake = mutex && VAE__COND_INIT(&p->wake);
    p->locks = wake && VAE__COND_INIT(&p->done);
    if (wake && !p->locks) VAE__COND_END(&p->wake);
    if (mutex && !p->locks) VAE__MUTEX_END(&p->mutex);
    return p->locks;
}

/* Starts a pool in a block of vae__pool_size bytes. With `fewer` it takes the threads that the
 * system grants, and nothing is an error. After an error the pool has no threads to stop. */
VAE__PRIVATE vae_status vae__pool_start(vae_pool *p, int threads, int fewer, vae_report *report) {
    vae_status bad = VAE_OK;
    memset(p, 0, vae__pool_size(threads));
    p->threads = 1;
    p->workers = (vae__worker *)(void *)(p + 1);
    p->credit = VAE__GRACE_NS, p->caution = VAE__CAUTION;
    if (fewer) report = NULL;
    if (threads < 2) return VAE_OK;
    if (VAE__THREADS_MISSING) {
        bad = vae__fail(report, VAE_ERR_UNSUPPORTED, "threads is %d, but the program is not linked "
                        "with threads; add -pthread", threads);
    } else if (!vae__pool_locks(p)) {
        bad = vae__fail(report, VAE_ERR_MEMORY, "the system has no mutex or condition variable for "
                        "a pool of threads");
    } else {
        while (p->threads < threads) {
            vae__worker *w = &p->workers[p->threads - 1];
            w->pool = p, w->index = p->threads;
            if (!VAE__THREAD_START(&w->thread, vae__worker_main, w)) break;
            p->threads++;
        }
        if (p->threads < threads)
            bad = vae__fail(report, VAE_ERR_MEMORY, "the system refuses thread %d of %d",
                            p->threads + 1, threads);
        if (p->threads < 2 || (bad && !fewer)) vae__pool_stop(p);
    }
    return fewer ? VAE_OK : bad;
}
#else
struct vae_pool {
    vae_allocator allocator;
    size_t size;
    int threads;
};
VAE__PRIVATE void vae__pool_run(void (*job)(void *arg, int part), void *arg, int parts,
                                void *user) {
    (void)user;
    vae__run_alone(job, arg, parts);
}
VAE__PRIVATE int vae__pool_pays(vae_pool *p) { (void)p; return 1; }
VAE__PRIVATE size_t vae__pool_size(int threads) { (void)threads; return sizeof(vae_pool); }
VAE__PRIVATE void vae__pool_stop(vae_pool *p) { (void)p; }
VAE__PRIVATE vae_status vae__pool_start(vae_pool *p, int threads, int fewer, vae_report *report) {
    memset(p, 0, sizeof *p);
    p->threads = 1;
    if (threads < 2 || fewer) return VAE_OK;
    return vae__fail(report, VAE_ERR_UNSUPPORTED, "threads is %d; this build has no threads",
                     threads);
}
#endif

/* Checks *threads: 1 to VAE_MAX_THREADS, or the negative of these. Makes it positive. */
VAE__PRIVATE vae_status vae__thread_count(int *threads, vae_report *report) {
    const int count = *threads;
    if (!count || count > VAE_MAX_THREADS || count < -VAE_MAX_THREADS)
        return vae__fail(report, VAE_ERR_VALUE, "threads is %d; it must lie from 1 to %d, or from "
                         "-1 to -%d for as many as the system grants", count, VAE_MAX_THREADS,
                         VAE_MAX_THREADS);
    if (count < 0) *threads = -count;
    return VAE_OK;
}

VAE_API vae_status vae_pool_create(int threads, const vae_allocator *allocator, vae_pool **pool,
                                   vae_report *report) {
    const int fewer = threads < 0;
    vae_pool *p;
    vae_status bad;
    size_t size;
    if (!pool) return vae__fail(report, VAE_ERR_NULL, "pool must be given");
    bad = vae__thread_count(&threads, report);
    if (bad) return bad;
    size = vae__pool_size(threads);
    p = (vae_pool *)vae__alloc(allocator, size);
    if (!p)
        return vae__fail(report, VAE_ERR_MEMORY, "out of memory: the pool needs %z bytes", size);
    bad = vae__pool_start(p, threads, fewer, report);
    p->size = size;
    if (allocator) p->allocator = *allocator;
    if (bad) vae__release(allocator, p, size);
    else *pool = p;
    return bad;
}

VAE_API void vae_pool_destroy(vae_pool *pool) {
    if (pool) {
        vae_allocator a = pool->allocator; /* a copy, because the block holds the allocator */
        size_t size = pool->size;
        vae__pool_stop(pool);
        vae__release(&a, pool, size);
    }
}

VAE_API vae_parallel vae_pool_parallel(vae_pool *pool) {
    vae_parallel p;
    memset(&p, 0, sizeof p);
    if (pool) p.parts = pool->threads, p.run = vae__pool_run, p.user = pool;
    return p;
}

/* ---- dividing ---- */

typedef struct vae__task {
    void (*job)(void *arg, int part);
    void *arg;
} vae__task;

/* One part, on a thread that may have another floating-point environment. */
VAE__PRIVATE void vae__task_part(void *task, int part) {
    const vae__task *t = (const vae__task *)task;
    vae__fpenv env;
    vae__fp_enter(&env);
    t->job(t->arg, part);
    vae__fp_leave(&env);
}

/* job(arg, 0) .. job(arg, parts - 1), inside the floating-point environment of the library. */
VAE__PRIVATE void vae__divide(const vae_parallel *p, void (*job)(void *arg, int part), void *arg,
                              int parts) {
    vae__task task;
    task.job = job, task.arg = arg;
    if (parts > 1 && p->run) p->run(vae__task_part, &task, parts, p->user);
    else vae__run_alone(job, arg, parts);
}

/* The largest number of parts for `count` things: one for each thread, of at least `least` things.
 * A pool gets up to VAE__PIECES parts for each thread, of at least `fine` things (smaller ones are
 * inefficient): then the other threads wait less for a slow one. */
enum { VAE__PIECES = 2 };
VAE__PRIVATE int vae__most_parts(const vae_parallel *p, size_t count, size_t least, size_t fine) {
    const size_t threads = p->run && p->parts > 1 ? (size_t)p->parts : 1, parts = count / least;
    size_t pieces = p->run == vae__pool_run ? vae__min(count / threads / fine, VAE__PIECES) : 1;
    pieces = vae__min(pieces, VAE_MAX_THREADS / threads);
    if (parts < threads) return parts ? (int)parts : 1;
    return (int)(pieces > 1 && threads > 1 ? threads * pieces : threads);
}
/* The same for a job that begins now. */
VAE__PRIVATE int vae__parts(const vae_parallel *p, size_t count, size_t least, size_t fine) {
    if (p->run == vae__pool_run && !vae__pool_pays((vae_pool *)p->user)) return 1;
    return vae__most_parts(p, count, least, fine);
}

/* Part number `part` of `parts`: things *from .. *to - 1. All but the last are whole grains. */
VAE__PRIVATE void vae__share(size_t count, size_t grain, int parts, int part, size_t *from,
                             size_t *to) {
    const size_t grains = count / grain + (count % grain != 0);
    const size_t each = grains / (size_t)parts, more = grains % (size_t)parts, i = (size_t)part;
    *from = vae__min((each * i + vae__min(i, more)) * grain, count);
    *to = vae__min(*from + (each + (i < more)) * grain, count);
}

/* ======================================================================================
 * >>gemm     the public matrix product
 * uses: >>threads                    tests: tests/test_gemm.c
 * ==================================================================================== */

#ifndef VAE_ONLY_DECODE
typedef struct vae__product {
    vae_gemm_desc d; /* with leading dimensions in place of 0 */
    const vae__kernels *kernels;
    int flags, by_columns, parts;
} vae__product;

VAE__PRIVATE void vae__product_part(void *arg, int part) {
    const vae__product *p = (const vae__product *)arg;
    vae_gemm_desc d = p->d;
    size_t from, to;
    if (p->by_columns) {
        vae__share(d.n, 16, p->parts, part, &from, &to);
        d.b += d.trans_b ? from * d.ldb : from;
        if (d.bias) d.bias += from;
        d.c += from, d.n = to - from;
    } else {
        vae__share(d.m, 4, p->parts, part, &from, &to);
        d.a += d.trans_a ? from : from * d.lda;
        d.c += from * d.ldc, d.m = to - from;
    }
    if (!d.m || !d.n) return;
    p->kernels->gemm(p->flags, d.m, d.n, d.k, d.a, d.lda, d.b, d.ldb, d.bias, (int)d.act, d.c,
                     d.ldc);
    for (; d.m; d.m--, d.c += d.ldc) /* processors differ in the bits of a NaN */
        for (from = p->kernels->within(d.n, FLT_MAX, d.c) ? d.n : 0; from < d.n; from++)
            if ((vae__bits_f(d.c[from]) & 0x7fffffffu) > 0x7f800000u)
                d.c[from] = vae__float_of(0x7fc00000u);
}

/* A leading dimension: 0 becomes the width of a packed row. */
VAE__PRIVATE vae_status vae__leading(const char *name, size_t *ld, size_t width,
                                     vae_report *report) {
    if (!*ld) *ld = width;
    if (*ld >= width) return VAE_OK;
    return vae__fail(report, VAE_ERR_SHAPE, "ld%s is %z, but a stored row of %s has %z numbers: "
                     "give at least that, or 0", name, *ld, name, width);
}

VAE__PRIVATE vae_status vae__do_gemm(const vae_gemm_desc *desc, vae_report *report) {
    vae__product p;
    vae_gemm_desc *d = &p.d;
    vae_status bad;
    size_t work;
    if (!desc) return vae__fail(report, VAE_ERR_NULL, "desc is NULL");
    *d = *desc;
    p.kernels = vae__kernels_of(d->isa);
    p.flags = (d->trans_a ? VAE__GEMM_TRANS_A : 0) | (d->trans_b ? VAE__GEMM_TRANS_B : 0) |
              (d->add ? VAE__GEMM_ADD : 0);
    if (!p.kernels)
        return vae__fail(report, VAE_ERR_UNSUPPORTED, "isa is %d: this build or this processor has "
                         "no such instruction set", (int)d->isa);
    if ((unsigned)d->act >= VAE_ACT_COUNT)
        return vae__fail(report, VAE_ERR_VALUE, "act is %d, which is no activation", (int)d->act);
    if (d->bias && d->add)
        return vae__fail(report, VAE_ERR_VALUE, "bias and add exclude each other: C is what is "
                         "added to");
    if (!d->m || !d->n) return VAE_OK;
    if (!d->c || (d->k && (!d->a || !d->b)))
        return vae__fail(report, VAE_ERR_NULL, "%s is NULL", d->c ? d->a ? "b" : "a" : "c");
    bad = vae__leading("a", &d->lda, d->trans_a ? d->m : d->k, report);
    if (!bad) bad = vae__leading("b", &d->ldb, d->trans_b ? d->k : d->n, report);
    if (!bad) bad = vae__leading("c", &d->ldc, d->n, report);
    if (bad) return bad;
    if (!d->k) d->a = d->b = d->c; /* never read; arithmetic on NULL is undefined */
    /* divide the rows, unless they are few or each part would transpose B anew */
    p.by_columns = d->n >= 96 && (d->m < 96 || (d->trans_b && d->m < 4 * d->n));
    p.parts = p.by_columns ? vae__parts(&d->parallel, d->n, 48, 192)
                           : vae__parts(&d->parallel, d->m, 4, 64);
    work = d->m * d->n * d->k / 65536;
    if (work < (size_t)p.parts) p.parts = 1 + (int)work; /* small products: fewer parts */
    vae__divide(&d->parallel, vae__product_part, &p, p.parts);
    return VAE_OK;
}
VAE_API vae_status vae_gemm(const vae_gemm_desc *desc, vae_report *report) {
    VAE__GUARDED(vae__do_gemm(desc, report));
}
#endif

/* ======================================================================================
 * >>layers   what a layer is, and the functions of each
 * uses: >>rng >>arena                tests: tests/test_layers.c
 *
 * A layer is one row of vae__layers (>>program): adding one touches that row and its functions,
 * nothing else. An op is a layer at work, with its arguments and its places in the arena.
 * ==================================================================================== */

typedef struct vae__shape {
    size_t h, w, c, dim;
} vae__shape;

typedef struct vae__op vae__op;
typedef struct vae__parser vae__parser;
struct vae__terms; /* of the loss: see >>codes */

/* The rows that a layer computes: rows first .. first + rows - 1 of its buffers. */
typedef struct vae__walk {
    const vae__kernels *k;
    const float *params;
    size_t first, rows;
    size_t draws;    /* row r is draw r % draws of image r / draws */
    const int32_t *labels; /* classes of the images, from the first on that is computed */
    int train;       /* 0: dropout and noise are off, batchnorm uses its running averages */
    uint64_t seed;   /* seed and step are parts of the addresses of dropout and noise */
    uint32_t step;
    float *room;     /* op->room floats of scratch for this part */
    /* The same for all ops; vae__stand computes first, rows and draws from it. */
    size_t image, images; /* the first image in the batch, and how many */
    size_t place;    /* place of the first image in the buffers, in images */
    size_t copies;   /* rows for each image; 0: as many as the op has */
    const struct vae__terms *terms; /* what the code and the likelihood add to */
} vae__walk;

/* A tensor, as its layer describes it. */
typedef struct vae__tensor {
    const char *name;
    int rank;
    size_t shape[4];
    size_t fan_in, fan_out; /* for random initial values; 0: all begin as `start` */
    float start;
    int fixed;              /* the layer updates it, not the optimiser */
} vae__tensor;

enum { VAE__BATCH_FORWARD, VAE__BATCH_BACKWARD, VAE__BATCH_KEEP };
/* Properties of a layer that its functions do not show. */
enum {
    VAE__DRAWS = 1,  /* draws random numbers in training: it gets a number for their addresses */
    VAE__OPENS = 2,  /* opens a group: the op that closes the group uses its output again */
    VAE__PASSES = 4, /* y has the same numbers as x: they share memory if x is not kept */
    VAE__CLASS = 8,  /* needs the class of each image, one of op->n */
    VAE__SHOWS = 16, /* its output still contains the pixels, with their zeros */
    VAE__BEYOND = 32, /* in training its output can leave [0,1] although its input lies there */
    VAE__RETURNS = 64, /* its output is used once more, further down the program */
    VAE__LATENT = 128, /* a stochastic layer: a head and a draw, see vae__next_op */
    VAE__BOUNDED = 256, /* its outputs are never the decoder's, which may be any numbers */
    VAE__SPOT = 512 /* pixel by pixel it reads its own window of its input, and never its output */
};

/* Shapes: x (rows, in.dim), y (rows, out.dim), w the layer's first tensor. A function is NULL if
 * the layer does not need it. The activation after the layer is not its concern. */
typedef struct vae__layer {
    const char *name, *syntax, *rule; /* rule: its shapes, in words */
    const char *args; /* a letter for each argument after the name: see vae__read_args */
    int flags;
    vae_status (*shape)(vae__parser *p, vae__op *op); /* sets op->out; NULL: op->out is op->in */
    int (*tensors)(const vae__op *op, vae__tensor out[4]); /* in file order; returns how many */
    void (*fwd)(const vae__walk *c, const vae__op *op, const float *w, const float *x, float *y);
    void (*bwd)(const vae__walk *c, const vae__op *op, const float *w, const float *x,
                const float *dy, float *dx);
    /* dw = rows from .. to - 1 of the gradient of a tensor, seen as (rows, last dimension). */
    void (*grad)(const vae__walk *c, const vae__op *op, int tensor, size_t from, size_t to,
                 const float *x, const float *dy, float *dw);
    /* For layers in which rows depend on each other: called for channels from .. to - 1 with all
     * rows, before fwd and before bwd of a training step, and once when the step has succeeded. */
    void (*batch)(const vae__walk *c, const vae__op *op, int when, float *w, const float *x,
                  size_t from, size_t to);
    /* Weights that are 0 for ever: whether any is not in rows from .. to - 1, w the first of these;
     * and clears them in `clear` unless NULL. */
    int (*mask)(const vae__op *op, int tensor, size_t from, size_t to, const float *w,
                float *clear);
    /* fwd at one pixel of all rows, earlier ones done; NULL: not to stand behind `image` */
    void (*pixel)(const vae__walk *c, const vae__op *op, const float *w, const float *x, float *y,
                  size_t at);
} vae__layer;

/* What numbers hold of the image to predict: nothing, the pixel itself, earlier numbers only. */
enum { VAE__PATH_NONE, VAE__PATH_HERE, VAE__PATH_EARLIER };
enum { VAE__MAX_LIST = 12 };

struct vae__op {
    const vae__layer *layer;
    vae_act act;
    int n, kh, kw, stride, pad; /* arguments; pad -1: not given, then before = pad before */
    double real;
    unsigned char list[VAE__MAX_LIST]; /* of numbers; kw: how many */
    int before_y, before_x;
    float share;       /* of a pool: weight of each number of a window; 0: the largest alone */
    int path, mask, first; /* VAE__PATH_* of its output; 'a' or 'b'; no op before has weights */
    size_t colours, beside, repeat; /* behind `image`: of a pixel; see >>pixels */
    vae__shape in, out;
    const char *net;   /* the net whose string it is from, "encoder" or "decoder"; or NULL */
    size_t each;       /* its rows for each image in training */
    int meets, lent;   /* when its rows meet, 1 << VAE__BATCH_*; dy's buffer, from 1, if shared */
    size_t weights;    /* offset of its first tensor in the array of parameters */
    size_t tensor;     /* number of its first tensor */
    int tensor_count;
    int number;        /* of its draws: 1, 2 .. for layers with random numbers; of a draw of
                          latents that of its stochastic layer, */
    size_t noise;      /* whose noise begins at this place of all noise of a row */
    int fans;          /* its output has a row for each draw, its input one for each image */
    int sparse;        /* its input is pixels, and in the last batch two thirds were 0 */
    int holes;         /* its input is pixels or a relu's output: products of one row skip zeros */
    size_t pair;       /* how many ops lie between it and the other end of its group, or the
                          other draw of its stochastic layer */
    size_t pitch;      /* floats from row to row of y, pre and dy, when rows are divided */
    size_t room;       /* floats of scratch for each part */
    size_t grad_block; /* rows of a weight gradient that are computed at a time */
    size_t own_floats; /* size of `own`, kept for the whole batch */
    size_t row_floats; /* size of `kept` for each row */
    size_t rows;       /* of the buffers */
    float *own, *kept;
    float *y;          /* (rows, out.dim): output */
    float *pre;        /* before the activation, if its slope needs that */
    float *dy;         /* gradient of y; the decoder's last op has it in place of y */
};

/* The slopes of silu and gelu do not follow from their output. */
VAE__INLINE int vae__act_keeps_input(vae_act act) {
    return act == VAE_ACT_SILU || act == VAE_ACT_GELU;
}

/* ---- reading ---- */

enum { VAE__MAX_DEPTH = 8 };

struct vae__parser {
    const char *what; /* what is read, for sentences: "encoder" */
    const char *text, *at;
    const char *item; /* where the current item begins */
    int needed;       /* an item must follow: after ',' and '(' */
    int depth;        /* number of open groups; op and shape of each follow */
    size_t open[VAE__MAX_DEPTH];
    vae__shape shape[VAE__MAX_DEPTH];
    const vae__shape *image; /* that the string predicts; NULL: it predicts none */
    int path;         /* VAE__PATH_* of what comes in; behind `image`: see vae__op */
    size_t colours, beside; /* colours: of the image, known from the start */
    vae_report *report;
};

VAE__INLINE int vae__is_digit(char c) { return c >= '0' && c <= '9'; }
VAE__INLINE int vae__is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || vae__is_digit(c);
}
VAE__PRIVATE void vae__skip(vae__parser *p) {
    while (*p->at == ' ' || *p->at == '\t' || *p->at == '\n') p->at++;
}

/* "encoder, column 7: expected a number, found 'relu'" */
VAE__PRIVATE vae_status vae__expected(vae__parser *p, const char *expected) {
    char found[24];
    size_t n = 0;
    int column;
    vae__skip(p);
    column = (int)(p->at - p->text) + 1;
    if (vae__is_word(p->at[0]))
        while (n + 1 < sizeof found && vae__is_word(p->at[n])) found[n] = p->at[n], n++;
    else if (p->at[0])
        do found[n] = p->at[n], n++; while (n < 4 && (p->at[n] & 0xC0) == 0x80);
    found[n] = 0;
    if (!n)
        return vae__fail(p->report, VAE_ERR_SYNTAX, "%s, column %d: expected %s, found the end",
                         p->what, column, expected);
    return vae__fail(p->report, VAE_ERR_SYNTAX, "%s, column %d: expected %s, found %q", p->what,
                     column, expected, found);
}

/* Refuses a shape that a layer cannot take: the item's column, and the reason. */
VAE__PRIVATE vae_status vae__misfit(vae__parser *p, const vae__op *op, const char *why) {
    return vae__fail(p->report, VAE_ERR_SHAPE, "%s, column %d: %s: %s (its input is %zx%zx%z)",
                     p->what, (int)(p->item - p->text) + 1, op->layer->name, why, op->in.h,
                     op->in.w, op->in.c);
}

/* Reads a whole number from `least` to `most`. */
VAE__PRIVATE vae_status vae__read_from(vae__parser *p, const char *expected, int least, int most,
                                       int *out) {
    const char *start;
    int value = 0;
    vae__skip(p);
    start = p->at;
    if (!vae__is_digit(*p->at)) return vae__expected(p, expected);
    while (vae__is_digit(*p->at)) {
        value = value * 10 + (*p->at - '0');
        if (value > most) break;
        p->at++;
    }
    if (value < least || value > most) {
        p->at = start;
        return vae__fail(p->report, VAE_ERR_SYNTAX, "%s, column %d: %s must lie from %d to %d",
                         p->what, (int)(start - p->text) + 1, expected, least, most);
    }
    *out = value;
    return VAE_OK;
}
VAE__PRIVATE vae_status vae__read_int(vae__parser *p, const char *expected, int *out) {
    return vae__read_from(p, expected, 1, VAE_MAX_DIM, out);
}
enum { VAE__MAX_WINDOW = 4096 }; /* pixels of a window, a stride, a padding */
enum { VAE__MAX_CLASSES = 65536 };

/* Reads a number such as 0.25, in millionths, below `most`. */
VAE__PRIVATE vae_status vae__read_part(vae__parser *p, int most, int *out) {
    const char *start;
    int64_t value = 0;
    int digits = 0;
    vae__skip(p);
    start = p->at;
    if (!vae__is_digit(*p->at)) return vae__expected(p, "a number such as 0.25");
    while (vae__is_digit(*p->at) && value < most) value = value * 10 + (*p->at++ - '0');
    if (value < most && *p->at == '.')
        for (p->at++; vae__is_digit(*p->at) && digits < 6; digits++)
            value = value * 10 + (*p->at++ - '0');
    while (digits++ < 6) value *= 10;
    if (vae__is_digit(*p->at) || value >= (int64_t)most * 1000000)
        return vae__fail(p->report, VAE_ERR_SYNTAX, "%s, column %d: expected a number below %d "
                         "with at most 6 decimals", p->what, (int)(start - p->text) + 1, most);
    *out = (int)value;
    return VAE_OK;
}

/* Reads a real from `least` to `most`; vae__read_real says how it may be written. */
VAE__PRIVATE vae_status vae__read_real_from(vae__parser *p, const char *expected, double least,
                                            double most, double *out) {
    double value;
    size_t n;
    vae__skip(p);
    n = vae__read_real(p->at, &value);
    if (!n) return vae__expected(p, expected);
    if (!vae__finite_d(value) || value < least || value > most)
        return vae__fail(p->report, VAE_ERR_SYNTAX, "%s, column %d: %s must lie from %f to %f",
                         p->what, (int)(p->at - p->text) + 1, expected, least, most);
    p->at += n;
    *out = value;
    return VAE_OK;
}

/* Length of the word at the cursor. Does not move the cursor. */
VAE__PRIVATE size_t vae__word(vae__parser *p) {
    size_t n = 0;
    vae__skip(p);
    while (vae__is_word(p->at[n]) && !(n == 0 && vae__is_digit(p->at[0]))) n++;
    return n;
}
VAE__INLINE int vae__same(const char *word, size_t n, const char *name) {
    return strlen(name) == n && !memcmp(word, name, n);
}
VAE__PRIVATE int vae__act_of(const char *word, size_t n) {
    int i;
    for (i = 0; i < VAE_ACT_COUNT; i++)
        if (vae__same(word, n, vae_choice_name(VAE_CHOICE_ACT, i))) return i;
    return -1;
}

/* Reads "HxWxC", "HxW" or "N". */
VAE__PRIVATE vae_status vae__read_shape(vae__parser *p, vae__shape *s) {
    int d[3], n = 0;
    for (;;) {
        vae_status bad = vae__read_int(p, "a size", &d[n++]);
        if (bad) return bad;
        if (n == 3 || *p->at != 'x') break;
        p->at++;
    }
    s->h = n > 1 ? (size_t)d[0] : 1;
    s->w = n > 1 ? (size_t)d[1] : 1;
    s->c = n > 2 ? (size_t)d[2] : n > 1 ? 1 : (size_t)d[0];
    if (!vae__size_mul(s->h, s->w, &s->dim) || !vae__size_mul(s->dim, s->c, &s->dim) ||
        s->dim > VAE_MAX_DIM)
        return vae__fail(p->report, VAE_ERR_SIZE, "%s: more than %d numbers", p->what,
                         (int)VAE_MAX_DIM);
    return VAE_OK;
}

/* ---- shapes ---- */

VAE__PRIVATE void vae__shape_flat(vae__shape *s, size_t n) {
    s->h = s->w = 1;
    s->c = s->dim = n;
}
/* Sets op->out from three sizes; 0 when their product is too large. */
VAE__PRIVATE int vae__shape_set(vae__op *op, size_t h, size_t w, size_t c) {
    op->out.h = h, op->out.w = w, op->out.c = c;
    return vae__size_mul(h, w, &op->out.dim) && vae__size_mul(op->out.dim, c, &op->out.dim) &&
           op->out.dim <= VAE_MAX_DIM;
}
VAE__INLINE size_t vae__pixels(const vae__shape *s) { return s->h * s->w; }

/* ---- dense ---- */

VAE__PRIVATE vae_status vae__dense_shape(vae__parser *p, vae__op *op) {
    (void)p;
    vae__shape_flat(&op->out, (size_t)op->n);
    return VAE_OK;
}
/* A weight of rank 2 or 4, and a bias of its last dimension, or of `bias` numbers. */
VAE__PRIVATE void vae__weight_and_bias(vae__tensor *out, int rank, const size_t *shape,
                                       size_t bias) {
    out[0].name = "weight", out[0].rank = rank;
    memcpy(out[0].shape, shape, (size_t)rank * sizeof *shape);
    out[1].name = "bias", out[1].rank = 1, out[1].shape[0] = bias;
}
VAE__PRIVATE int vae__dense_tensors(const vae__op *op, vae__tensor out[4]) {
    size_t shape[2];
    shape[0] = op->in.dim, shape[1] = op->out.dim;
    vae__weight_and_bias(out, 2, shape, op->out.dim);
    out[0].fan_in = out[1].fan_in = op->in.dim, out[0].fan_out = out[1].fan_out = op->out.dim;
    return 2;
}
VAE__PRIVATE void vae__dense_fwd(const vae__walk *c, const vae__op *op, const float *w,
                                 const float *x, float *y) {
    const size_t in = op->in.dim, out = op->out.dim;
    const int skip = op->sparse || (op->holes && c->rows == 1);
    c->k->gemm(skip ? VAE__GEMM_SKIP : 0, c->rows, out, in, x, in, w, out, w + in * out,
               VAE_ACT_IDENTITY, y, out);
}
VAE__PRIVATE void vae__dense_bwd(const vae__walk *c, const vae__op *op, const float *w,
                                 const float *x, const float *dy, float *dx) {
    const size_t in = op->in.dim, out = op->out.dim;
    (void)x;
    c->k->gemm(VAE__GEMM_TRANS_B, c->rows, in, out, dy, out, w, out, NULL, VAE_ACT_IDENTITY, dx,
               in);
}
VAE__PRIVATE void vae__dense_grad(const vae__walk *c, const vae__op *op, int tensor, size_t from,
                                  size_t to, const float *x, const float *dy, float *dw) {
    const size_t in = op->in.dim, out = op->out.dim;
    if (tensor) c->k->bias_bwd(c->rows, out, dy, dw);
    else c->k->gemm(VAE__GEMM_TRANS_A | (op->sparse ? VAE__GEMM_SKIP : 0), to - from, out, c->rows,
                    x + from, in, dy, out, NULL, VAE_ACT_IDENTITY, dw, out);
}

/* ---- convolutions ----
 * conv maps a big image to a small one: a small pixel is a window of the big image times W [kh, kw,
 * big.c, small.c]. convt is its adjoint: it maps a small image to a big one, with the same W. So
 * there are three functions: big to small, small to big, and the gradient of W.
 *
 * Windows are not copied: a row of taps is one run of floats in an image, and a product steps from
 * run to run. Big to small has two ways. The rows of a product are the same place in all images;
 * then it leaves out the taps outside the image, a seventh of all for 4 x 4 / 2 on 14 x 14 pixels.
 * Or, if images are few or wide, the rows are neighbouring places of one image, whose lines are
 * copied to scratch with zeros at their sides; then it leaves out only whole rows of taps. Small to
 * big computes some windows in scratch and adds them up. The gradient reduces over places, from
 * copied lines. */

enum { VAE__WINDOW_FLOATS = 32768, VAE__WINDOW_ROWS = 48 };

/* Whether the rows of a product are the same place in all images: if there are as many images as
 * neighbouring places, and a product of one place is worth a call. */
VAE__PRIVATE int vae__across(const vae__walk *c, const vae__shape *little, size_t weights) {
    return vae__min(c->rows, VAE__WINDOW_ROWS) >= little->w && weights >= 2048;
}

/* Places along one axis with the same taps low .. high - 1 inside the image: one place, or as many
 * of the next `most` as have all taps inside. `at`: where the first one's window begins. */
typedef struct vae__span {
    size_t count;
    int at, low, high;
} vae__span;

VAE__PRIVATE vae__span vae__span_of(size_t place, size_t most, int stride, int before, int taps,
                                    size_t size) {
    vae__span s;
    s.count = 1;
    s.at = (int)place * stride - before;
    s.low = s.at < 0 ? -s.at : 0;
    s.high = (int)size - s.at < taps ? (int)size - s.at : taps;
    if (s.low >= s.high) s.low = s.high = 0;
    if (s.high - s.low == taps)
        s.count = vae__min(most, 1 + (size_t)((int)size - s.at - taps) / (size_t)stride);
    return s;
}
VAE__INLINE vae__span vae__span_y(const vae__op *op, const vae__shape *big, size_t y) {
    return vae__span_of(y, 1, op->stride, op->before_y, op->kh, big->h);
}
VAE__INLINE vae__span vae__span_x(const vae__op *op, const vae__shape *big, size_t x, size_t most) {
    return vae__span_of(x, most, op->stride, op->before_x, op->kw, big->w);
}

/* Rows of n floats, with zeros after them unless n is a multiple of every vector's width. */
VAE__INLINE size_t vae__whole(size_t n) { return (n + 15) / 16 * 16; }
VAE__PRIVATE const float *vae__whole_rows(size_t rows, size_t n, const float *from, float *to) {
    const size_t pitch = vae__whole(n);
    size_t i;
    if (pitch == n) return from;
    memset(to, 0, rows * pitch * sizeof(float));
    for (i = 0; i < rows; i++) memcpy(to + i * pitch, from + i * n, n * sizeof(float));
    return to;
}

/* Copies `count` lines, from `first` on, of n images into lines of `wide` floats, which contain all
 * windows of a row of places. Does not write the sides. */
VAE__PRIVATE void vae__copy_lines(const vae__op *op, const vae__shape *big, size_t n, size_t first,
                                  size_t count, size_t wide, const float *x, float *copy) {
    const size_t line = big->w * big->c, left = vae__min((size_t)op->before_x * big->c, wide);
    const size_t inner = vae__min(line, wide - left);
    size_t i, j;
    for (i = 0; i < n; i++)
        for (j = first; j < first + count; j++, copy += wide)
            memcpy(copy + left, x + i * big->dim + j * line, inner * sizeof(float));
}

/* small = windows(big) W + bias */
VAE__PRIVATE void vae__big_to_small(const vae__walk *c, const vae__op *op, const vae__shape *big,
                                    const vae__shape *little, const float *w, const float *bias,
                                    const float *x, float *y) {
    const size_t tap = (size_t)op->kw * big->c, step = (size_t)op->stride * big->c;
    const size_t wide = (little->w - 1) * step + tap, width = (size_t)op->kh * tap;
    const int across = vae__across(c, little, width * little->c);
    const size_t line = big->w * big->c, pitch = vae__whole(little->c);
    const float *b = vae__whole_rows(width, little->c, w, c->room);
    float *copy = c->room + (b == w ? 0 : width * pitch);
    size_t i, n, py, px;
    if (!across) memset(copy, 0, (size_t)op->kh * wide * sizeof(float));
    for (i = 0; i < c->rows; i += n, x += n * big->dim, y += n * little->dim) {
        n = across ? vae__min(VAE__WINDOW_ROWS, c->rows - i) : 1;
        for (py = 0; py < little->h; py++) {
            const vae__span v = vae__span_y(op, big, py);
            const size_t taps = (size_t)(v.high - v.low), top = taps ? (size_t)(v.at + v.low) : 0;
            const float *below = b + (size_t)v.low * tap * pitch;
            float *to = y + py * little->w * little->c;
            vae__runs k = {{0, 0, 1}, {1, 0, 0}, {0, 0, 0}};
            k.n[0] = tap, k.n[1] = taps, k.b[0] = (ptrdiff_t)pitch;
            if (!across) {
                k.a[1] = (ptrdiff_t)(wide - tap);
                vae__copy_lines(op, big, 1, top, taps, wide, x, copy);
                c->k->runs(0, little->w, little->c, &k, copy, step, below, bias, to, little->c);
                continue;
            }
            for (px = 0; px < little->w; px++) {
                const vae__span h = vae__span_x(op, big, px, 1);
                const size_t some = (size_t)(h.high - h.low) * big->c;
                const size_t left = some ? (size_t)(h.at + h.low) * big->c : 0;
                k.n[0] = some, k.a[1] = (ptrdiff_t)(line - some);
                k.b[1] = (ptrdiff_t)((tap - some) * pitch);
                c->k->runs(0, n, little->c, &k, x + top * line + left, big->dim,
                           below + (size_t)h.low * big->c * pitch, bias, to + px * little->c,
                           little->dim);
            }
        }
    }
}

/* Sets rows of n floats to `row`, or to 0. */
VAE__PRIVATE void vae__fill(size_t rows, size_t n, const float *row, float *y) {
    size_t at, count;
    if (!row) memset(y, 0, rows * n * sizeof(float));
    else memcpy(y, row, n * sizeof(float));
    for (at = 1; row && at < rows; at += count) {
        count = vae__min(at, rows - at);
        memcpy(y + at * n, y, count * n * sizeof(float));
    }
}

/* How many rows of windows are in scratch at a time. */
VAE__INLINE size_t vae__window_rows(size_t width) {
    return vae__min(vae__max(2 * VAE__WINDOW_FLOATS / width, 12), VAE__WINDOW_ROWS);
}

/* big = bias + the windows small W', added where they overlap, small pixels in ascending order. */
VAE__PRIVATE void vae__small_to_big(const vae__walk *c, const vae__op *op, const vae__shape *big,
                                    const vae__shape *little, const float *w, const float *bias,
                                    const float *x, float *y) {
    const size_t tap = (size_t)op->kw * big->c, width = (size_t)op->kh * tap;
    const size_t line = big->w * big->c, pitch = vae__whole(width), places = vae__pixels(little);
    const size_t most = vae__window_rows(width);
    const int across = vae__across(c, little, width * little->c);
    const size_t x_step = across ? little->dim : little->c;
    const size_t y_step = across ? big->dim : (size_t)op->stride * big->c;
    float *turned = c->room, *values = c->room + pitch * little->c;
    size_t i, n, p, m, q;
    vae__runs k = {{0, 1, 1}, {1, 0, 0}, {0, 0, 0}};
    k.n[0] = little->c, k.b[0] = (ptrdiff_t)pitch;
    c->k->transpose(pitch, width, little->c, w, turned);
    for (i = 0; i < c->rows; i += n, x += n * little->dim, y += n * big->dim) {
        n = across ? vae__min(most, c->rows - i) : 1;
        vae__fill(n * vae__pixels(big), big->c, bias, y);
        for (p = 0; p < places; p += m) {
            vae__span v = vae__span_y(op, big, p / little->w), h;
            size_t first = 0, count = width; /* columns of the product */
            m = across ? 1 : vae__min(most, places - p);
            if (across) first = (size_t)v.low * tap, count = (size_t)(v.high - v.low) * tap;
            c->k->runs(0, across ? n : m, count, &k, x + p * little->c, x_step, turned + first,
                       NULL, values, count);
            for (q = p; q < p + m; q += h.count) {
                const size_t px = q % little->w;
                v = vae__span_y(op, big, q / little->w);
                h = vae__span_x(op, big, px, vae__min(p + m - q, little->w - px));
                if (v.low < v.high && h.low < h.high) {
                    const size_t taps = (size_t)(v.high - v.low), left = (size_t)h.low * big->c;
                    const float *from = values + (q - p) * count + (size_t)v.low * tap - first;
                    float *to = y + (size_t)(v.at + v.low) * line + (size_t)(h.at + h.low) * big->c;
                    c->k->overlay(across ? n : h.count, taps, (size_t)h.high * big->c - left,
                                  from + left, count, tap, to, y_step, line);
                }
            }
        }
    }
}

/* Rows from .. to - 1 of dW = windows(big)' small. */
VAE__PRIVATE void vae__conv_grad_of(const vae__walk *c, const vae__op *op, const vae__shape *big,
                                    const vae__shape *little, size_t from, size_t to,
                                    const float *x, const float *s, float *dw) {
    const size_t kh = (size_t)op->kh, stride = (size_t)op->stride, before = (size_t)op->before_y;
    const size_t all = big->h + before; /* lines, with the padding above */
    const size_t tap = (size_t)op->kw * big->c, step = stride * big->c;
    const size_t wide = (little->w - 1) * step + tap, pitch = vae__whole(little->c);
    /* scratch holds whole images, or as many rows of places of one image as fit, and the same part
     * of the small images */
    const size_t beside = little->w * pitch, more = stride * wide + beside;
    const size_t least = kh * wide + beside, image = least + (little->h - 1) * more;
    const size_t images = vae__max(vae__min(c->rows, VAE__WINDOW_FLOATS / image), 1);
    const size_t most = vae__max(VAE__WINDOW_FLOATS / images, least);
    const size_t places = vae__min(little->h, 1 + (most - least) / more);
    const size_t lines = (places - 1) * stride + kh;
    float *copy = c->room, *whole = c->room + images * lines * wide;
    size_t i, n, py, end, ky;
    memset(copy, 0, images * lines * wide * sizeof(float));
    for (i = 0; i < c->rows; i += n, x += n * big->dim, s += n * little->dim) {
        n = vae__min(images, c->rows - i);
        for (py = 0; py < little->h; py = end) {
            const size_t top = vae__max(py * stride, before) - before;
            const size_t last = vae__min(py * stride + lines, all);
            const size_t count = vae__max(last, before + top) - before - top;
            const float *b;
            end = vae__min(py + places, little->h);
            b = vae__whole_rows(n * (end - py) * little->w, little->c,
                                s + py * little->w * little->c,
                                whole);
            vae__copy_lines(op, big, n, top, count, wide, x, copy);
            for (ky = from / tap; ky * tap < to; ky++) {
                const size_t begin = vae__max(from, ky * tap);
                /* rows of places low .. high - 1, where these taps are inside */
                const size_t low = vae__max(py, (vae__max(before, ky) - ky + stride - 1) / stride);
                const size_t high = vae__min(end, (vae__max(all, ky) - ky + stride - 1) / stride);
                const float *a = copy + (begin - ky * tap), *rows = b;
                vae__runs k = {{0, 0, 0}, {0, 0, 0}, {0, 0, 0}};
                if (low < high) {
                    k.n[0] = little->w, k.n[1] = high - low, k.n[2] = n;
                    k.a[0] = (ptrdiff_t)step,
                        k.a[1] = (ptrdiff_t)(stride * wide - little->w * step);
                    k.a[2] = (ptrdiff_t)(count * wide) - (ptrdiff_t)(k.n[1] * stride * wide);
                    k.b[0] = (ptrdiff_t)pitch, k.b[2] = (ptrdiff_t)((little->h - k.n[1]) * beside);
                    a += (low * stride + ky - before - top) * wide;
                    rows += (low - py) * beside;
                }
                c->k->runs(i || py, vae__min(to, (ky + 1) * tap) - begin, little->c, &k, a, 1, rows,
                           NULL, dw + (begin - from) * little->c, little->c);
            }
        }
    }
}

/* Scratch of all three functions; checks that no size overflows. 0: too large. */
VAE__PRIVATE int vae__conv_room(vae__op *op, const vae__shape *big, const vae__shape *little) {
    const size_t pitch = vae__whole(little->c), beside = little->w * pitch;
    const size_t kh = (size_t)op->kh, stride = (size_t)op->stride;
    size_t width, weights, wide, lines, all;
    if (!vae__size_mul(kh * (size_t)op->kw, big->c, &width) || width > VAE_MAX_DIM ||
        !vae__size_mul(width + 15, pitch, &weights) || weights > SIZE_MAX / 256 ||
        !vae__size_mul((little->w - 1) * stride + (size_t)op->kw, big->c, &wide) ||
        !vae__size_mul(wide, kh, &lines) || lines > SIZE_MAX / 256 ||
        !vae__size_mul(wide, little->h * stride + kh, &all) || all > SIZE_MAX / 8)
        return 0;
    op->room = lines + (pitch == little->c ? 0 : width * pitch);
    op->room = vae__max(op->room, vae__whole(width) * little->c + vae__window_rows(width) * width);
    op->room = vae__max(op->room, vae__max(lines + beside, VAE__WINDOW_FLOATS));
    /* the whole gradient if it fits into the cache, so that lines are copied once */
    op->grad_block = vae__min(width, VAE__WINDOW_FLOATS / 8 / little->c * 8 + 96);
    return 1;
}

/* Without `pad`, the small size is the big one / stride, rounded up, and the padding follows from
 * it; an odd pixel of padding is after the image. */
VAE__PRIVATE size_t vae__conv_size(size_t big, int kernel, int stride, int pad, int *before) {
    const int64_t s = stride, size = (int64_t)big;
    int64_t out, all;
    if (pad >= 0) {
        *before = pad;
        all = size + 2 * (int64_t)pad - kernel;
        return all < 0 ? 0 : (size_t)(all / s + 1);
    }
    out = (size + s - 1) / s;
    all = (out - 1) * s + kernel - size;
    *before = all > 0 ? (int)(all / 2) : 0;
    return (size_t)out;
}
VAE__PRIVATE vae_status vae__conv_shape(vae__parser *p, vae__op *op) {
    const size_t h = vae__conv_size(op->in.h, op->kh, op->stride, op->pad, &op->before_y);
    const size_t w = vae__conv_size(op->in.w, op->kw, op->stride, op->pad, &op->before_x);
    if (!h || !w) return vae__misfit(p, op, "the window is larger than the padded image");
    if (!vae__shape_set(op, h, w, (size_t)op->n) || !vae__conv_room(op, &op->in, &op->out))
        return vae__misfit(p, op, "too large");
    return VAE_OK;
}
/* Without `pad`, the big size is the small one x stride. */
VAE__PRIVATE size_t vae__convt_size(size_t little, int kernel, int stride, int pad, int *before) {
    const int64_t n = (int64_t)little, all = (n - 1) * stride + kernel;
    const int64_t size = pad < 0 ? n * stride : all - 2 * (int64_t)pad;
    *before = pad >= 0 ? pad : kernel > stride ? (kernel - stride) / 2 : 0;
    return size < 0 ? 0 : size > VAE_MAX_DIM ? VAE_MAX_DIM + 1 : (size_t)size;
}
VAE__PRIVATE vae_status vae__convt_shape(vae__parser *p, vae__op *op) {
    const size_t h = vae__convt_size(op->in.h, op->kh, op->stride, op->pad, &op->before_y);
    const size_t w = vae__convt_size(op->in.w, op->kw, op->stride, op->pad, &op->before_x);
    if (!h || !w) return vae__misfit(p, op, "the padding takes the whole image");
    if (!vae__shape_set(op, h, w, (size_t)op->n) || !vae__conv_room(op, &op->out, &op->in))
        return vae__misfit(p, op, "too large");
    return VAE_OK;
}
/* Every stride-th tap reaches an output of convt: the fan-in counts only these. */
VAE__PRIVATE int vae__conv_tensors_of(const vae__op *op, const vae__shape *big,
                                      const vae__shape *little, vae__tensor out[4]) {
    const size_t taps = (size_t)op->kh * (size_t)op->kw;
    const size_t reach = (size_t)op->stride * (size_t)op->stride;
    const int turned = big == &op->out;
    size_t shape[4], in = taps * op->in.c, to = taps * op->out.c;
    shape[0] = (size_t)op->kh, shape[1] = (size_t)op->kw, shape[2] = big->c, shape[3] = little->c;
    if (turned) in = in > reach ? in / reach : 1;
    else to = to > reach ? to / reach : 1;
    vae__weight_and_bias(out, 4, shape, op->out.c);
    out[0].fan_in = out[1].fan_in = in, out[0].fan_out = out[1].fan_out = to;
    return 2;
}
VAE__PRIVATE int vae__conv_tensors(const vae__op *op, vae__tensor out[4]) {
    return vae__conv_tensors_of(op, &op->in, &op->out, out);
}
VAE__PRIVATE int vae__convt_tensors(const vae__op *op, vae__tensor out[4]) {
    return vae__conv_tensors_of(op, &op->out, &op->in, out);
}
VAE__INLINE size_t vae__conv_weights(const vae__op *op) {
    return (size_t)op->kh * (size_t)op->kw * op->in.c * op->out.c;
}
VAE__PRIVATE void vae__conv_fwd(const vae__walk *c, const vae__op *op, const float *w,
                                const float *x, float *y) {
    vae__big_to_small(c, op, &op->in, &op->out, w, w + vae__conv_weights(op), x, y);
}
VAE__PRIVATE void vae__conv_bwd(const vae__walk *c, const vae__op *op, const float *w,
                                const float *x, const float *dy, float *dx) {
    (void)x;
    vae__small_to_big(c, op, &op->in, &op->out, w, NULL, dy, dx);
}
VAE__PRIVATE void vae__conv_grad(const vae__walk *c, const vae__op *op, int tensor, size_t from,
                                 size_t to, const float *x, const float *dy, float *dw) {
    if (tensor) c->k->bias_bwd(c->rows * vae__pixels(&op->out), op->out.c, dy, dw);
    else vae__conv_grad_of(c, op, &op->in, &op->out, from, to, x, dy, dw);
}
VAE__PRIVATE void vae__convt_fwd(const vae__walk *c, const vae__op *op, const float *w,
                                 const float *x, float *y) {
    vae__small_to_big(c, op, &op->out, &op->in, w, w + vae__conv_weights(op), x, y);
}
VAE__PRIVATE void vae__convt_bwd(const vae__walk *c, const vae__op *op, const float *w,
                                 const float *x, const float *dy, float *dx) {
    (void)x;
    vae__big_to_small(c, op, &op->out, &op->in, w, NULL, dy, dx);
}
VAE__PRIVATE void vae__convt_grad(const vae__walk *c, const vae__op *op, int tensor, size_t from,
                                  size_t to, const float *x, const float *dy, float *dw) {
    if (tensor) c->k->bias_bwd(c->rows * vae__pixels(&op->out), op->out.c, dy, dw);
    else vae__conv_grad_of(c, op, &op->out, &op->in, from, to, dy, x, dw);
}

/* ---- pools; upsampling, which is the backward of a pool ---- */

VAE__PRIVATE vae_status vae__pool_shape(vae__parser *p, vae__op *op) {
    const size_t n = (size_t)op->n;
    if (op->in.h % n || op->in.w % n)
        return vae__misfit(p, op, "height and width must be multiples of its window");
    (void)vae__shape_set(op, op->in.h / n, op->in.w / n, op->in.c);
    return VAE_OK; /* op->share is 0: the largest number counts */
}
VAE__PRIVATE vae_status vae__avgpool_shape(vae__parser *p, vae__op *op) {
    op->share = (float)vae__div_d(1, (double)op->n * op->n);
    return vae__pool_shape(p, op);
}
VAE__PRIVATE vae_status vae__upsample_shape(vae__parser *p, vae__op *op) {
    const size_t n = (size_t)op->n;
    op->share = 1;
    return vae__max(op->in.h, op->in.w) <= VAE_MAX_DIM / n &&
                   vae__shape_set(op, op->in.h * n, op->in.w * n, op->in.c)
               ? VAE_OK : vae__misfit(p, op, "too large");
}
/* `small` has the size after pooling. */
VAE__PRIVATE void vae__pool_rows(const vae__walk *c, const vae__op *op, const vae__shape *little,
                                 const float *x, float *y) {
    const size_t n = (size_t)op->n;
    size_t i;
    for (i = 0; i < c->rows; i++)
        c->k->pool(little->h, little->w, little->c, n, op->share, x + i * little->dim * n * n,
                   y + i * little->dim);
}
VAE__PRIVATE void vae__unpool_rows(const vae__walk *c, const vae__op *op, const vae__shape *little,
                                   const float *x, const float *dy, float *dx) {
    const size_t n = (size_t)op->n;
    size_t i;
    for (i = 0; i < c->rows; i++)
        c->k->unpool(little->h, little->w, little->c, n, op->share, x + i * little->dim * n * n,
                     dy + i * little->dim, dx + i * little->dim * n * n);
}
VAE__PRIVATE void vae__pool_fwd(const vae__walk *c, const vae__op *op, const float *w,
                                const float *x, float *y) {
    (void)w;
    vae__pool_rows(c, op, &op->out, x, y);
}
VAE__PRIVATE void vae__pool_bwd(const vae__walk *c, const vae__op *op, const float *w,
                                const float *x, const float *dy, float *dx) {
    (void)w;
    vae__unpool_rows(c, op, &op->out, x, dy, dx);
}
VAE__PRIVATE void vae__upsample_fwd(const vae__walk *c, const vae__op *op, const float *w,
                                    const float *x, float *y) {
    (void)w;
    vae__unpool_rows(c, op, &op->in, y, x, y);
}
VAE__PRIVATE void vae__upsample_bwd(const vae__walk *c, const vae__op *op, const float *w,
                                    const float *x, const float *dy, float *dx) {
    (void)w; (void)x;
    vae__pool_rows(c, op, &op->in, dy, dx);
}

/* ---- an activation alone, reshape, flatten: numbers pass unchanged ---- */

VAE__PRIVATE vae_status vae__reshape_shape(vae__parser *p, vae__op *op) {
    return op->out.dim == op->in.dim ? VAE_OK
                                     : vae__misfit(p, op, "another number of numbers than come in");
}
VAE__PRIVATE vae_status vae__flatten_shape(vae__parser *p, vae__op *op) {
    (void)p;
    vae__shape_flat(&op->out, op->in.dim);
    return VAE_OK;
}
VAE__PRIVATE void vae__pass_fwd(const vae__walk *c, const vae__op *op, const float *w,
                                const float *x, float *y) {
    (void)w;
    if (y != x) memcpy(y, x, c->rows * op->in.dim * sizeof(float));
}
VAE__PRIVATE void vae__pass_bwd(const vae__walk *c, const vae__op *op, const float *w,
                                const float *x, const float *dy, float *dx) {
    (void)w; (void)x;
    if (dx != dy) memcpy(dx, dy, c->rows * op->in.dim * sizeof(float));
}

/* ---- a residual group: y = x + inside(x) ---- */

VAE__PRIVATE void vae__close_fwd(const vae__walk *c, const vae__op *op, const float *w,
                                 const float *x, float *y) {
    const vae__op *open = op - op->pair;
    (void)w;
    c->k->add(c->rows * op->in.dim, open->y + c->first * open->pitch, 1, x, y);
}
VAE__PRIVATE void vae__open_bwd(const vae__walk *c, const vae__op *op, const float *w,
                                const float *x, const float *dy, float *dx) {
    const vae__op *close = op + op->pair;
    (void)w; (void)x;
    c->k->add(c->rows * op->in.dim, dy, 1, close->dy + c->first * close->pitch, dx);
}

/* ---- batchnorm: over all rows and pixels of a channel (Ioffe & Szegedy 2015) ----
 * own: for each channel the numbers VAE__BN_*. */

enum { VAE__BN_MEAN, VAE__BN_SCALE, VAE__BN_VARIANCE, VAE__BN_INVERSE, VAE__BN_DGAIN, VAE__BN_DBIAS,
       VAE__BN_ALONG, VAE__BN_REST, VAE__BN_COUNT };
static const double vae__norm_eps = 1e-5;

VAE__PRIVATE vae_status vae__batchnorm_shape(vae__parser *p, vae__op *op) {
    (void)p;
    op->own_floats = VAE__BN_COUNT * op->in.c;
    op->room = 2 * op->in.c;
    return VAE_OK;
}
VAE__PRIVATE int vae__batchnorm_tensors(const vae__op *op, vae__tensor out[4]) {
    static const char *const names[4] = {"gain", "bias", "running_mean", "running_var"};
    int i;
    for (i = 0; i < 4; i++) {
        out[i].name = names[i], out[i].rank = 1, out[i].shape[0] = op->in.c;
        out[i].start = (float)(i == 0 || i == 3), out[i].fixed = i > 1;
    }
    return 4;
}
VAE__PRIVATE void vae__batchnorm_batch(const vae__walk *c, const vae__op *op, int when, float *w,
                                       const float *x, size_t from, size_t to) {
    const size_t n = op->in.c, count = c->rows * vae__pixels(&op->in);
    float *own = op->own;
    const float *mean = own + VAE__BN_MEAN * n, *inverse = own + VAE__BN_INVERSE * n;
    size_t j, q;
    double sum[16], square[16];
    for (; from < to; from += j) {
        j = vae__min(to - from, 16);
        if (when == VAE__BATCH_FORWARD) {
            c->k->col_sums(count, n, j, x + from, NULL, NULL, NULL, sum);
            for (q = 0; q < j; q++) {
                sum[q] = vae__div_d(sum[q], (double)count);
                own[VAE__BN_MEAN * n + from + q] = (float)sum[q];
            }
            c->k->col_sums(count, n, j, NULL, x + from, mean + from, NULL, square);
            for (q = 0; q < j; q++) {
                const size_t at = from + q;
                /* the mean was rounded to float */
                const double off = vae__add_d(sum[q], -(double)mean[at]);
                double v = vae__add_d(vae__div_d(square[q], (double)count), -vae__mul_d(off, off));
                const double inv = vae__div_d(1, vae__sqrt_d(vae__add_d(v > 0 ? v : 0,
                                                                        vae__norm_eps)));
                if (count > 1)
                    v = vae__mul_d(v, vae__div_d((double)count, (double)(count - 1)));
                own[VAE__BN_VARIANCE * n + at] = (float)v;
                own[VAE__BN_INVERSE * n + at] = (float)inv;
                own[VAE__BN_SCALE * n + at] = (float)vae__mul_d((double)w[at], inv);
            }
        } else if (when == VAE__BATCH_BACKWARD) {
            c->k->col_sums(count, n, j, op->dy + from, NULL, NULL, NULL, sum);
            c->k->col_sums(count, n, j, op->dy + from, x + from, mean + from, inverse + from,
                           square);
            for (q = 0; q < j; q++) {
                const size_t at = from + q;
                const double a = -vae__div_d((double)own[VAE__BN_SCALE * n + at], (double)count);
                own[VAE__BN_DGAIN * n + at] = (float)square[q];
                own[VAE__BN_DBIAS * n + at] = (float)sum[q];
                own[VAE__BN_ALONG * n + at] =
                    (float)vae__mul_d(a, vae__mul_d(square[q], (double)inverse[at]));
                own[VAE__BN_REST * n + at] = (float)vae__mul_d(a, sum[q]);
            }
        } else if (count > 1) { /* running = 0.9 running + 0.1 of this batch */
            c->k->ema(j, mean + from, w + 2 * n + from, 0.9f);
            c->k->ema(j, own + VAE__BN_VARIANCE * n + from, w + 3 * n + from, 0.9f);
        }
    }
}
VAE__PRIVATE void vae__batchnorm_fwd(const vae__walk *c, const vae__op *op, const float *w,
                                     const float *x, float *y) {
    const size_t n = op->in.c;
    const float *mean = op->own + VAE__BN_MEAN * n, *scale = op->own + VAE__BN_SCALE * n;
    size_t j;
    if (!VAE__TRAINS(c)) {
        for (j = 0; j < n; j++)
            c->room[j] = (float)vae__div_d((double)w[j], vae__sqrt_d(
                vae__add_d((double)w[3 * n + j], vae__norm_eps)));
        mean = w + 2 * n, scale = c->room;
    }
    c->k->affine(c->rows * vae__pixels(&op->in), n, x, mean, scale, w + n, NULL, NULL, y);
}
VAE__PRIVATE void vae__batchnorm_bwd(const vae__walk *c, const vae__op *op, const float *w,
                                     const float *x, const float *dy, float *dx) {
    const size_t n = op->in.c;
    const float *own = op->own;
    (void)w;
    c->k->affine(c->rows * vae__pixels(&op->in), n, x, own + VAE__BN_MEAN * n,
                 own + VAE__BN_ALONG * n, own + VAE__BN_REST * n, dy, own + VAE__BN_SCALE * n, dx);
}
VAE__PRIVATE void vae__batchnorm_grad(const vae__walk *c, const vae__op *op, int tensor,
                                      size_t from, size_t to, const float *x, const float *dy,
                                      float *dw) {
    (void)c; (void)from; (void)to; (void)x; (void)dy;
    memcpy(dw, op->own + (size_t)(tensor ? VAE__BN_DBIAS : VAE__BN_DGAIN) * op->in.c,
           op->in.c * sizeof(float));
}

/* ---- layernorm: over all numbers of an image, gain and bias per channel (Ba et al. 2016) ----
 * kept: the standardised input of each row, then the factor of each row. */

VAE__PRIVATE vae_status vae__layernorm_shape(vae__parser *p, vae__op *op) {
    (void)p;
    op->row_floats = op->in.dim + 1;
    return VAE_OK;
}
VAE__PRIVATE int vae__layernorm_tensors(const vae__op *op, vae__tensor out[4]) {
    (void)vae__batchnorm_tensors(op, out);
    return 2;
}
VAE__PRIVATE void vae__layernorm_fwd(const vae__walk *c, const vae__op *op, const float *w,
                                     const float *x, float *y) {
    const size_t dim = op->in.dim, n = op->in.c;
    size_t i;
    for (i = 0; i < c->rows; i++) {
        float *unit = op->kept + (c->first + i) * dim;
        op->kept[op->rows * dim + c->first + i] =
            c->k->standardize(dim, x + i * dim, (float)vae__norm_eps, unit);
        c->k->affine(dim / n, n, unit, NULL, w, w + n, NULL, NULL, y + i * dim);
    }
}
VAE__PRIVATE void vae__layernorm_bwd(const vae__walk *c, const vae__op *op, const float *w,
                                     const float *x, const float *dy, float *dx) {
    const size_t dim = op->in.dim, n = op->in.c;
    size_t i;
    (void)x;
    for (i = 0; i < c->rows; i++) {
        c->k->affine(dim / n, n, dy + i * dim, NULL, w, NULL, NULL, NULL, dx + i * dim);
        c->k->standardize_bwd(dim, op->kept + (c->first + i) * dim,
                              op->kept[op->rows * dim + c->first + i], dx + i * dim);
    }
}
VAE__PRIVATE void vae__layernorm_grad(const vae__walk *c, const vae__op *op, int tensor,
                                      size_t from, size_t to, const float *x, const float *dy,
                                      float *dw) {
    const size_t n = op->in.c;
    size_t j, q, run;
    double sum[16];
    (void)from; (void)to; (void)x;
    for (j = 0; j < n; j += run) {
        run = vae__min(n - j, 16);
        c->k->col_sums(c->rows * vae__pixels(&op->in), n, run, dy + j,
                       tensor ? NULL : op->kept + j, NULL, NULL, sum);
        for (q = 0; q < run; q++) dw[j + q] = (float)sum[q];
    }
}

/* ---- dropout (Srivastava et al. 2014), noise: addressed by step, image and draw ---- */

VAE__PRIVATE vae__address vae__layer_address(const vae__walk *c, const vae__op *op,
                                             uint32_t purpose, size_t row) {
    vae_stream s;
    row += c->first;
    s.seed = c->seed, s.purpose = purpose, s.layer = (uint32_t)op->number, s.time = c->step;
    s.sample = (uint32_t)(row / c->draws), s.replica = (uint32_t)(row % c->draws);
    return vae__address_of(&s);
}
/* Drops the gradient where it dropped the number: forward and backward are one function. */
VAE__PRIVATE void vae__drop(const vae__walk *c, const vae__op *op, const float *x, float *y) {
    const uint32_t threshold =
        (uint32_t)((((uint64_t)op->n << 32) + 500000) / 1000000);
    const float scale = (float)vae__div_d(1e6, (double)(1000000 - op->n));
    size_t i;
    for (i = 0; i < c->rows; i++) {
        const vae__address at = vae__layer_address(c, op, VAE_PURPOSE_DROPOUT, i);
        c->k->dropout(&at, op->in.dim, threshold, scale, x + i * op->in.dim, y + i * op->in.dim);
    }
}
VAE__PRIVATE void vae__dropout_fwd(const vae__walk *c, const vae__op *op, const float *w,
                                   const float *x, float *y) {
    if (VAE__TRAINS(c)) vae__drop(c, op, x, y);
    else vae__pass_fwd(c, op, w, x, y);
}
VAE__PRIVATE void vae__dropout_bwd(const vae__walk *c, const vae__op *op, const float *w,
                                   const float *x, const float *dy, float *dx) {
    (void)w; (void)x;
    vae__drop(c, op, dy, dx);
}
VAE__PRIVATE void vae__noise_fwd(const vae__walk *c, const vae__op *op, const float *w,
                                 const float *x, float *y) {
    const size_t dim = op->in.dim;
    const float deviation = (float)vae__div_d((double)op->n, 1e6);
    size_t i;
    if (!VAE__TRAINS(c)) {
        vae__pass_fwd(c, op, w, x, y);
        return;
    }
    for (i = 0; i < c->rows; i++) {
        const vae__address at = vae__layer_address(c, op, VAE_PURPOSE_NOISE, i);
        c->k->draw(VAE__DRAW_NORMAL, &at, 0, dim, y + i * dim);
        c->k->add(dim, y + i * dim, deviation, x + i * dim, y + i * dim);
    }
}

/* ---- z N: another stochastic layer; its draws stand in >>stochastic ---- */

VAE__INLINE vae_status vae__latent_shape(vae__parser *p, vae__op *op) {
    if (p->depth) return vae__misfit(p, op, "a stochastic layer cannot stand inside a group");
    vae__shape_flat(&op->out, (size_t)op->n);
    return VAE_OK;
}

/* ---- label: the class, one-hot, beside each pixel ---- */

VAE__PRIVATE vae_status vae__label_shape(vae__parser *p, vae__op *op) {
    if (op->n > VAE__MAX_CLASSES)
        return vae__misfit(p, op, "more classes than 65536");
    if (!vae__shape_set(op, op->in.h, op->in.w, op->in.c + (size_t)op->n))
        return vae__misfit(p, op, "too many numbers");
    return VAE_OK;
}
VAE__PRIVATE void vae__label_fwd(const vae__walk *c, const vae__op *op, const float *w,
                                 const float *x, float *y) {
    const size_t n = op->in.c, pixels = vae__pixels(&op->in);
    size_t i, p;
    (void)w;
    for (i = 0; i < c->rows; i++) {
        for (p = 0; p < pixels; p++, x += n, y += op->out.c) {
            memcpy(y, x, n * sizeof(float));
            memset(y + n, 0, (op->out.c - n) * sizeof(float));
            y[n + (size_t)c->labels[i / c->draws]] = 1;
        }
    }
}
VAE__PRIVATE void vae__label_bwd(const vae__walk *c, const vae__op *op, const float *w,
                                 const float *x, const float *dy, float *dx) {
    const size_t n = op->in.c;
    size_t i;
    (void)w; (void)x;
    for (i = 0; i < c->rows * vae__pixels(&op->in); i++, dx += n, dy += op->out.c)
        memcpy(dx, dy, n * sizeof(float));
}

/* ======================================================================================
 * >>pixels   layers of decoders that predict each pixel from those before it
 * uses: >>layers                     tests: tests/test_pixels.c, tests/test_recurrent.c
 *
 * Pixels have the order of the image's rows, the colours of a pixel that of its channels. `image`
 * gives the image that is to be predicted; the layers behind it let a number see earlier ones only
 * (van den Oord, Kalchbrenner & Kavukcuoglu 2016). The parser follows what they hold of the image:
 * the pixel itself, or what is earlier. Behind `maskconv a` the channels are divided into as many
 * groups as the image has colours (one, under a likelihood of whole pixels); group g holds nothing
 * of colour g of its pixel or of later ones.
 * Of an op: `colours` of the image; `beside`, channels of x before those of the image, where it is
 * given itself; `repeat`, how often the outputs of all colours follow one another (parameters).
 *
 * Such layers can also work pixel by pixel, from the first to the last, which is how images are
 * drawn: what a layer has at earlier pixels no longer changes.
 * ==================================================================================== */

#ifndef VAE_NO_PIXELS

/* ---- image: the image to predict, beside what comes in ---- */

VAE__PRIVATE vae_status vae__image_shape(vae__parser *p, vae__op *op) {
    const vae__shape *image = p->image;
    const int flat = vae__pixels(&op->in) == 1;
    if (!image) return vae__misfit(p, op, "only the decoder predicts an image");
    if (p->path) return vae__misfit(p, op, "the image is there already");
    if (p->depth) return vae__misfit(p, op, "it cannot stand inside a group");
    if (!flat && (op->in.h != image->h || op->in.w != image->w))
        return vae__misfit(p, op, "its input must be flat, or as high and wide as the image");
    if (!vae__shape_set(op, image->h, image->w, op->in.c + image->c))
        return vae__misfit(p, op, "too many numbers");
    p->path = VAE__PATH_HERE;
    p->beside = op->in.c;
    op->room = flat ? op->out.dim : image->c;
    return VAE_OK;
}
VAE__PRIVATE void vae__image_pixel(const vae__walk *c, const vae__op *op, const float *w,
                                   const float *x, float *y, size_t at) {
    const float *images = *(const float *const *)(const void *)c->terms; /* its first member */
    const size_t beside = op->in.c, n = op->out.c - beside;
    const size_t place = vae__pixels(&op->in) == 1 ? 0 : at * beside;
    size_t r;
    (void)w;
    for (r = 0; r < c->rows; r++) {
        const float *image = images + (c->image + r / c->draws) * vae__pixels(&op->out) * n;
        float *to = y + r * op->out.dim + at * op->out.c;
        memcpy(to, x + r * op->in.dim + place, beside * sizeof(float));
        memcpy(to + beside, image + at * n, n * sizeof(float));
    }
}
VAE__PRIVATE void vae__image_fwd(const vae__walk *c, const vae__op *op, const float *w,
                                 const float *x, float *y) {
    size_t at;
    for (at = 0; at < vae__pixels(&op->out); at++) vae__image_pixel(c, op, w, x, y, at);
}
/* What stands beside the image at each pixel; a flat input stands at all of them. */
VAE__PRIVATE void vae__image_bwd(const vae__walk *c, const vae__op *op, const float *w,
                                 const float *x, const float *dy, float *dx) {
    const size_t n = op->in.c, pixels = vae__pixels(&op->out);
    size_t r, at;
    (void)w; (void)x;
    for (r = 0; r < c->rows; r++) {
        float *to = op->in.dim == op->out.h * op->out.w * n ? dx + r * op->in.dim : c->room;
        for (at = 0; at < pixels; at++)
            memcpy(to + at * n, dy + r * op->out.dim + at * op->out.c, n * sizeof(float));
        if (to == c->room) c->k->bias_bwd(pixels, n, to, dx + r * n);
    }
}

/* ---- maskconv: a convolution of what is earlier ----
 * The weight has a row for each number that a pixel sees: the lines above, what is left of it, and
 * of the pixel itself the first channels: those beside the image, and the groups of the colours
 * before (mask a) or up to (mask b) its own. The other groups' weights of the pixel itself are 0.
 *
 * Each output is one chain over those rows. A gradient of the input is one chain over the outputs
 * that see it, in their order. Both are products of one line of pixels; only the lines are copied,
 * so that all windows are inside. */

VAE__INLINE size_t vae__taps_before(const vae__op *op) {
    return (size_t)op->before_y * (size_t)op->kw + (size_t)op->before_x;
}
/* How many channels of the pixel itself group g sees. */
VAE__INLINE size_t vae__mask_sees(const vae__op *op, size_t g) {
    return op->beside + (op->in.c - op->beside) / op->colours * (op->mask == 'a' ? g : g + 1);
}
VAE__INLINE size_t vae__mask_rows(const vae__op *op) {
    return vae__taps_before(op) * op->in.c + vae__mask_sees(op, op->colours - 1);
}
/* Channels of one group, of which there are op->repeat * op->colours. */
VAE__INLINE size_t vae__mask_width(const vae__op *op) {
    return op->out.c / (op->repeat * op->colours);
}

VAE__PRIVATE vae_status vae__maskconv_shape(vae__parser *p, vae__op *op) {
    const size_t h = op->in.h, w = op->in.w, wide = w + (size_t)op->kw;
    const size_t most = vae__max(op->in.c, (size_t)op->n);
    size_t lines, weights;
    if (!p->path) return vae__misfit(p, op, "it must stand behind `image`");
    if (!(op->kh & 1) || !(op->kw & 1))
        return vae__misfit(p, op, "height and width of its window must be odd");
    if (p->path == VAE__PATH_HERE && op->mask != 'a')
        return vae__misfit(p, op, "behind `image` it must hide the pixel itself: mask a");
    if ((size_t)op->n % op->colours)
        return vae__misfit(p, op, "its width must be a multiple of the image's channels");
    op->before_y = op->kh / 2, op->before_x = op->kw / 2;
    if (!vae__mask_rows(op)) return vae__misfit(p, op, "its window sees nothing");
    if (!vae__shape_set(op, h, w, (size_t)op->n) || !vae__conv_room(op, &op->in, &op->out) ||
        !vae__size_mul(wide * (size_t)(op->before_y + 1), most, &lines) ||
        !vae__size_mul(vae__mask_rows(op) + op->in.c, vae__whole(op->out.c), &weights))
        return vae__misfit(p, op, "too large");
    weights = vae__max(weights, (vae__taps_before(op) + 1) * op->out.c * vae__whole(op->in.c));
    if (lines > SIZE_MAX / 64 || weights > SIZE_MAX / 64) return vae__misfit(p, op, "too large");
    op->room = vae__max(op->room, lines + weights + 16);
    p->path = VAE__PATH_EARLIER;
    return VAE_OK;
}
VAE__PRIVATE int vae__maskconv_tensors(const vae__op *op, vae__tensor out[4]) {
    size_t shape[2];
    shape[0] = vae__mask_rows(op), shape[1] = op->out.c;
    vae__weight_and_bias(out, 2, shape, op->out.c);
    out[0].fan_in = out[1].fan_in = shape[0];
    out[0].fan_out = out[1].fan_out = (vae__taps_before(op) + 1) * op->out.c;
    return 2;
}
/* Weights of the pixel itself that its group must not see. */
VAE__PRIVATE int vae__maskconv_mask(const vae__op *op, int tensor, size_t from, size_t to,
                                    const float *w, float *clear) {
    const size_t width = vae__mask_width(op), before = vae__taps_before(op) * op->in.c;
    size_t i, j;
    int wrong = 0;
    for (i = vae__max(from, before); i < to && !tensor && op->colours > 1; i++)
        for (j = 0; j < op->out.c; j++) {
            const size_t at = (i - from) * op->out.c + j;
            if (i - before < vae__mask_sees(op, j / width % op->colours)) continue;
            wrong |= w[at] < 0 || w[at] > 0;
            if (clear) clear[at] = 0;
        }
    return wrong;
}

/* Weights whose rows a product can read by whole vectors, groups of columns too. */
VAE__PRIVATE const float *vae__mask_weights(const vae__op *op, const float *w, float *room) {
    const size_t pitch = vae__whole(op->out.c), rows = vae__mask_rows(op);
    size_t i;
    if (pitch == op->out.c && op->colours == 1) return w;
    memset(room, 0, (rows * pitch + 16) * sizeof(float));
    for (i = 0; i < rows; i++)
        memcpy(room + i * pitch, w + i * op->out.c, op->out.c * sizeof(float));
    return room;
}

/* Outputs y of `rows` pixels, ldc apart, whose inputs lie `step` apart, x the first one. `above`
 * lines, `left` and `right` pixels of its window are inside; a line of x has `line` floats. */
VAE__PRIVATE void vae__mask_product(const vae__walk *c, const vae__op *op, size_t rows,
                                    const float *x, size_t line, size_t step, size_t above,
                                    size_t left, size_t right, const float *b, const float *bias,
                                    float *y, size_t ldc) {
    const size_t n = op->in.c, pitch = vae__whole(op->out.c), kw = (size_t)op->kw;
    const size_t groups = op->colours > 1 ? op->repeat * op->colours : 1;
    const size_t skip = ((size_t)op->before_x - left) * n; /* rows of weights before a line's */
    size_t g;
    vae__runs k = {{0, 1, 1}, {1, 0, 0}, {0, 0, 0}};
    k.b[0] = (ptrdiff_t)pitch;
    if (above) {
        k.n[0] = (left + 1 + right) * n, k.n[1] = above;
        k.a[1] = (ptrdiff_t)(line - k.n[0]), k.b[1] = (ptrdiff_t)((kw * n - k.n[0]) * pitch);
        c->k->runs(0, rows, op->out.c, &k, x - above * line - left * n, step,
                   b + (((size_t)op->before_y - above) * kw * n + skip) * pitch, bias, y, ldc);
        k.n[1] = 1;
    }
    b += ((size_t)op->before_y * kw * n + skip) * pitch;
    for (g = 0; g < groups; g++) {
        const size_t width = op->out.c / groups, at = g * width;
        k.n[0] = left * n + vae__mask_sees(op, g % op->colours);
        c->k->runs(above > 0, rows, width, &k, x - left * n, step, b + at, bias + at, y + at, ldc);
    }
}

/* Copies lines from .. from + count - 1 of an image, n floats a pixel, to lines of `wide` floats,
 * `before` pixels inside them; the sides stay as they are. */
VAE__PRIVATE void vae__mask_lines(const vae__op *op, size_t n, size_t from, size_t count,
                                  size_t wide, const float *x, float *copy) {
    size_t i;
    for (i = 0; i < count; i++)
        memcpy(copy + i * wide + (size_t)op->before_x * n, x + (from + i) * op->in.w * n,
               op->in.w * n * sizeof(float));
}

VAE__PRIVATE void vae__maskconv_fwd(const vae__walk *c, const vae__op *op, const float *w,
                                    const float *x, float *y) {
    const size_t n = op->in.c, side = (size_t)op->before_x, wide = (op->in.w + 2 * side) * n;
    const float *b = vae__mask_weights(op, w, c->room);
    const float *bias = w + vae__mask_rows(op) * op->out.c;
    float *copy = c->room + (b == w ? 0 : vae__mask_rows(op) * vae__whole(op->out.c) + 16);
    size_t i, at;
    if (!vae__taps_before(op)) { /* of a pixel itself: all pixels are one product */
        vae__mask_product(c, op, c->rows * vae__pixels(&op->in), x, 0, n, 0, 0, 0, b, bias, y,
                          op->out.c);
        return;
    }
    memset(copy, 0, (size_t)(op->before_y + 1) * wide * sizeof(float));
    for (i = 0; i < c->rows; i++, x += op->in.dim)
        for (at = 0; at < op->in.h; at++, y += op->in.w * op->out.c) {
            const size_t above = vae__min(at, (size_t)op->before_y);
            vae__mask_lines(op, n, at - above, above + 1, wide, x, copy);
            vae__mask_product(c, op, op->in.w, copy + above * wide + side * n, wide, n, above,
                              side, side, b, bias, y, op->out.c);
        }
}
VAE__PRIVATE void vae__maskconv_pixel(const vae__walk *c, const vae__op *op, const float *w,
                                      const float *x, float *y, size_t at) {
    const size_t py = at / op->in.w, px = at % op->in.w, n = op->in.c;
    const float *b = vae__mask_weights(op, w, c->room);
    vae__mask_product(c, op, c->rows, x + at * n, op->in.w * n, op->in.dim,
                      vae__min(py, (size_t)op->before_y), vae__min(px, (size_t)op->before_x),
                      vae__min(op->in.w - 1 - px, (size_t)op->before_x), b,
                      w + vae__mask_rows(op) * op->out.c, y + at * op->out.c, op->out.dim);
}

/* The weights turned over: for each output that sees a pixel, in their order, a line of op->out.c
 * rows with a column for each channel of the pixel. */
VAE__PRIVATE void vae__mask_turned(const vae__walk *c, const vae__op *op, const float *w,
                                   float *turned) {
    const size_t n = op->in.c, m = op->out.c, pitch = vae__whole(n);
    const size_t taps = vae__taps_before(op), centre = vae__mask_rows(op) - taps * n;
    size_t t;
    memset(turned, 0, ((taps + 1) * m * pitch + 16) * sizeof(float));
    if (centre) c->k->transpose(pitch, centre, m, w + taps * n * m, turned);
    for (t = 0; t < taps; t++)
        c->k->transpose(pitch, n, m, w + t * n * m, turned + (taps - t) * m * pitch);
}
/* Gradients dx of `rows` pixels beside one another, dy the first one's; `right` pixels and `below`
 * lines of `line` floats of the outputs that see them. */
VAE__PRIVATE void vae__mask_product_bwd(const vae__walk *c, const vae__op *op, size_t rows,
                                        const float *dy, size_t line, size_t right, size_t below,
                                        const float *b, float *dx) {
    const size_t n = op->in.c, m = op->out.c, pitch = vae__whole(n), kw = (size_t)op->kw;
    const size_t width = vae__mask_width(op), part = m / op->repeat;
    const size_t group = (n - op->beside) / op->colours;
    size_t at, g, q, end;
    vae__runs k = {{0, 1, 1}, {1, 0, 0}, {0, 0, 0}};
    k.b[0] = (ptrdiff_t)pitch;
    for (at = 0; at < n; at = end) { /* channels that the same outputs of the pixel itself see */
        const int beside = at < op->beside;
        g = beside ? 0 : (at - op->beside) / group + (op->mask == 'a');
        end = beside ? op->beside : at + group;
        for (q = 0; q < op->repeat; q++) {
            const size_t first = q * part + g * width;
            k.n[0] = part - g * width + (q + 1 == op->repeat ? right * m : 0);
            c->k->runs(q > 0, rows, end - at, &k, dy + first, m, b + first * pitch + at, NULL,
                       dx + at, n);
        }
    }
    if (!below) return;
    k.n[0] = kw * m, k.n[1] = below, k.a[1] = (ptrdiff_t)(line - kw * m);
    c->k->runs(1, rows, n, &k, dy + line - (size_t)op->before_x * m, m,
               b + ((size_t)op->before_x + 1) * m * pitch, NULL, dx, n);
}
VAE__PRIVATE void vae__maskconv_bwd(const vae__walk *c, const vae__op *op, const float *w,
                                    const float *x, const float *dy, float *dx) {
    const size_t m = op->out.c, side = (size_t)op->before_x, wide = (op->in.w + 2 * side) * m;
    float *copy = c->room + (vae__taps_before(op) + 1) * m * vae__whole(op->in.c) + 16;
    size_t i, at;
    (void)x;
    vae__mask_turned(c, op, w, c->room);
    if (!vae__taps_before(op)) {
        vae__mask_product_bwd(c, op, c->rows * vae__pixels(&op->in), dy, 0, 0, 0, c->room, dx);
        return;
    }
    memset(copy, 0, (size_t)(op->before_y + 1) * wide * sizeof(float));
    for (i = 0; i < c->rows; i++, dy += op->out.dim)
        for (at = 0; at < op->in.h; at++, dx += op->in.w * op->in.c) {
            const size_t below = vae__min(op->in.h - 1 - at, (size_t)op->before_y);
            vae__mask_lines(op, m, at, below + 1, wide, dy, copy);
            vae__mask_product_bwd(c, op, op->in.w, copy + side * m, wide, side, below, c->room,
                                  dx);
        }
}
VAE__PRIVATE void vae__maskconv_grad(const vae__walk *c, const vae__op *op, int tensor,
                                     size_t from, size_t to, const float *x, const float *dy,
                                     float *dw) {
    const size_t pixels = c->rows * vae__pixels(&op->out);
    vae__op lines = *op; /* as far down as the pixel's own line */
    lines.kh = op->before_y + 1;
    if (tensor) {
        c->k->bias_bwd(pixels, op->out.c, dy, dw);
    } else if (!vae__taps_before(op)) {
        c->k->gemm(VAE__GEMM_TRANS_A, to - from, op->out.c, pixels, x + from, op->in.c, dy,
                   op->out.c, NULL, VAE_ACT_IDENTITY, dw, op->out.c);
    } else {
        vae__conv_grad_of(c, &lines, &op->in, &op->out, from, to, x, dy, dw);
    }
}

/* ---- gated: tanh of the first half of each group times the sigmoid of the second ---- */

VAE__PRIVATE vae_status vae__gated_shape(vae__parser *p, vae__op *op) {
    if (op->in.c % (2 * op->colours))
        return vae__misfit(p, op, op->colours > 1 ?
                           "its channels must be a multiple of twice the image's channels" :
                           "the number of its channels must be even");
    (void)vae__shape_set(op, op->in.h, op->in.w, op->in.c / 2);
    op->room = 2 * op->in.dim;
    return VAE_OK;
}
/* The factors of `count` outputs of n numbers each: all tanh, then all sigmoid. */
VAE__PRIVATE void vae__gates(const vae__walk *c, size_t count, size_t n, const float *x,
                             float *gates) {
    size_t i;
    for (i = 0; i < count; i++, x += 2 * n) {
        memcpy(gates + i * n, x, n * sizeof(float));
        memcpy(gates + (count + i) * n, x + n, n * sizeof(float));
    }
    c->k->map(VAE_ACT_TANH, count * n, gates, gates);
    c->k->map(VAE_ACT_SIGMOID, count * n, gates + count * n, gates + count * n);
}
VAE__PRIVATE void vae__gated_blocks(const vae__walk *c, size_t count, size_t n, const float *x,
                                    float *y) {
    size_t i;
    vae__gates(c, count, n, x, c->room);
    for (i = 0; i < count * n; i++) y[i] = c->room[i] * c->room[count * n + i];
}
VAE__PRIVATE void vae__gated_fwd(const vae__walk *c, const vae__op *op, const float *w,
                                 const float *x, float *y) {
    const size_t n = op->out.c / op->colours;
    size_t r;
    (void)w;
    for (r = 0; r < c->rows; r++)
        vae__gated_blocks(c, op->out.dim / n, n, x + r * op->in.dim, y + r * op->out.dim);
}
VAE__PRIVATE void vae__gated_pixel(const vae__walk *c, const vae__op *op, const float *w,
                                   const float *x, float *y, size_t at) {
    size_t r;
    (void)w;
    for (r = 0; r < c->rows; r++)
        vae__gated_blocks(c, op->colours, op->out.c / op->colours,
                          x + r * op->in.dim + at * op->in.c, y + r * op->out.dim + at * op->out.c);
}
VAE__PRIVATE void vae__gated_bwd(const vae__walk *c, const vae__op *op, const float *w,
                                 const float *x, const float *dy, float *dx) {
    const size_t all = op->out.dim, n = op->out.c / op->colours;
    float *gates = c->room, *slopes = c->room + 2 * all;
    size_t r, i;
    (void)w;
    for (r = 0; r < c->rows; r++, x += 2 * all, dx += 2 * all, dy += all) {
        vae__gates(c, all / n, n, x, gates);
        for (i = 0; i < all; i++) {
            slopes[i] = dy[i] * gates[all + i];
            slopes[all + i] = dy[i] * gates[i];
        }
        c->k->act_bwd(VAE_ACT_TANH, all, gates, slopes);
        c->k->act_bwd(VAE_ACT_SIGMOID, all, gates + all, slopes + all);
        for (i = 0; i < all; i += n) {
            memcpy(dx + 2 * i, slopes + i, n * sizeof(float));
            memcpy(dx + 2 * i + n, slopes + all + i, n * sizeof(float));
        }
    }
}

/* ---- diaglstm: two LSTMs along the diagonals of the image ----
 * One goes from the left, one from the right. With x of a pixel, h of the pixel above it and h of
 * the pixel before it in its line (0 outside the image) side by side:
 *     (o, f, i, g) = (x, above, before) W + bias;  o, f + 1, i through sigmoid, g through tanh
 *     c = f c' + i g, c' of the pixel before it in its line;  h = o tanh(c)
 * The output is h of the left one plus h of the right one at the pixel above. So only x of the left
 * one needs a mask for the groups of colours: the rest is of earlier pixels.
 *
 * Pixels of a diagonal do not depend on each other: a diagonal of all images is one product. kept,
 * direction by direction and diagonal by diagonal: c, o, f, i, g of all rows, then h of each row
 * between two slots of zeros. Backward, gradients of o, f, i, g take the places of c, o, f, i.
 * Their sums over the pixels of a row, its gradient of the bias, stand behind all that. */

enum {
    VAE__LSTM_CELLS = 512, /* pixels of a product: as many images as have so many, or one */
    VAE__LSTM_STRIP = 512  /* units at a time: they stay in the first cache */
};

/* Diagonal d: lines low .. low + count - 1. c and h are those of the first row at work. */
typedef struct vae__diagonal {
    size_t low, count;
    size_t pixel, step; /* the first one's place in the image, and from each to the next */
    size_t pitch;       /* floats from c to o, and so on */
    float *c, *h;       /* h with the slots beside it */
} vae__diagonal;

VAE__INLINE size_t vae__diagonals(const vae__op *op) { return op->in.h + op->in.w - 1; }
/* Pixels (i, j) of no bounds with i + j < n. */
VAE__INLINE size_t vae__corner(size_t n) { return n * (n + 1) / 2; }
VAE__PRIVATE vae__diagonal vae__diagonal_of(const vae__op *op, int right, size_t d, size_t row) {
    const size_t h = op->in.h, w = op->in.w, n = op->out.c;
    vae__diagonal g = {0, 0, 0, 0, 0, NULL, NULL};
    size_t i, before = (size_t)right * (6 * h * w + 2 * vae__diagonals(op)) + 2 * d;
    before += 6 * (vae__corner(d) - vae__corner(vae__max(d, w) - w) -
                   vae__corner(vae__max(d, h) - h));
    g.low = vae__max(d + 1, w) - w, g.count = vae__min(d + 1, h) - g.low;
    i = d - g.low; /* column of the first, seen from where the direction begins */
    g.pixel = g.low * w + (right ? w - 1 - i : i), g.step = right ? w + 1 : w - 1;
    g.pitch = op->rows * g.count * n;
    g.c = op->kept + op->rows * before * n;
    g.h = g.c + 5 * g.pitch + row * (g.count + 2) * n;
    g.c += row * g.count * n;
    return g;
}

/* Diagonal d and the one before it, which has no pixels if d is the first. */
VAE__PRIVATE vae__diagonal vae__diagonals_of(const vae__op *op, int right, size_t d, size_t row,
                                             vae__diagonal *last) {
    const vae__diagonal g = vae__diagonal_of(op, right, d, row);
    *last = d ? vae__diagonal_of(op, right, d - 1, row) : g;
    if (!d) last->count = 0;
    return g;
}

/* Scratch: rows of a product, arrays of a number for each unit of its pixels, weights. */
enum { VAE__LSTM_ARRAYS = 7 };
VAE__INLINE size_t vae__lstm_cells(const vae__op *op) {
    const size_t most = vae__min(op->in.h, op->in.w);
    return vae__max(VAE__LSTM_CELLS / most, 1) * most;
}
VAE__INLINE size_t vae__lstm_wide(const vae__op *op) { return op->in.c + 2 * op->out.c; }
VAE__INLINE float *vae__lstm_array(const vae__walk *c, const vae__op *op, size_t i) {
    const size_t cells = vae__lstm_cells(op);
    return c->room + vae__whole(cells * vae__lstm_wide(op)) + i * vae__whole(cells * op->out.c);
}
/* The images of the next product, if `rows` are left. */
VAE__INLINE size_t vae__lstm_images(const vae__op *op, size_t rows) {
    const size_t most = vae__lstm_cells(op) / vae__min(op->in.h, op->in.w);
    return (rows - 1) / ((rows - 1) / most + 1) + 1; /* equal shares */
}
/* Weights of a direction; its bias, 1 more for f, goes to scratch. */
VAE__PRIVATE const float *vae__lstm_weights(const vae__walk *c, const vae__op *op, int right,
                                            const float *w, float **bias) {
    const size_t n = op->out.c, weights = 4 * n * vae__lstm_wide(op);
    size_t i;
    w += (size_t)right * (weights + 4 * n);
    *bias = vae__lstm_array(c, op, VAE__LSTM_ARRAYS);
    memcpy(*bias, w + weights, 4 * n * sizeof(float));
    for (i = n; i < 2 * n; i++) (*bias)[i] += 1;
    return w;
}

VAE__PRIVATE vae_status vae__diaglstm_shape(vae__parser *p, vae__op *op) {
    const size_t n = (size_t)op->n, h = op->in.h, w = op->in.w;
    size_t rows, arrays, weights;
    if (!p->path) return vae__misfit(p, op, "it must stand behind `image`");
    if (n % op->colours)
        return vae__misfit(p, op, "its width must be a multiple of the image's channels");
    if (!vae__shape_set(op, h, w, n) ||
        !vae__size_mul(vae__lstm_cells(op), vae__lstm_wide(op), &rows) ||
        !vae__size_mul(vae__lstm_cells(op), VAE__LSTM_ARRAYS * n, &arrays) ||
        !vae__size_mul(4 * n, vae__whole(vae__lstm_wide(op)), &weights) ||
        vae__max(vae__max(rows, arrays), weights) > SIZE_MAX / 64)
        return vae__misfit(p, op, "too large");
    op->room = rows + arrays + weights + 16 * (VAE__LSTM_ARRAYS + 2);
    op->row_floats = 12 * op->out.dim + 4 * vae__diagonals(op) * n + 8 * n;
    op->row_floats = vae__max(op->row_floats, 8 * (w + 2) * n);
    op->grad_block = vae__min(vae__lstm_wide(op), VAE__WINDOW_FLOATS / 32 / n * 8 + 96);
    return VAE_OK;
}
VAE__PRIVATE int vae__diaglstm_tensors(const vae__op *op, vae__tensor out[4]) {
    size_t shape[2];
    int i;
    shape[0] = vae__lstm_wide(op), shape[1] = 4 * op->out.c;
    for (i = 0; i < 4; i += 2) {
        vae__weight_and_bias(out + i, 2, shape, shape[1]);
        out[i].fan_in = out[i + 1].fan_in = shape[0];
        out[i].fan_out = out[i + 1].fan_out = shape[1];
    }
    out[2].name = "right_weight", out[3].name = "right_bias";
    return 4;
}
/* Weights from x of a group to units of an earlier one. */
VAE__PRIVATE int vae__diaglstm_mask(const vae__op *op, int tensor, size_t from, size_t to,
                                    const float *w, float *clear) {
    const size_t n = op->out.c, in = op->in.c;
    size_t i, j;
    int wrong = 0;
    for (i = from; i < vae__min(to, in) && !tensor && op->colours > 1; i++)
        for (j = 0; j < 4 * n; j++) {
            const size_t at = (i - from) * 4 * n + j;
            if (i / (in / op->colours) <= j % n / (n / op->colours)) continue;
            wrong |= w[at] < 0 || w[at] > 0;
            if (clear) clear[at] = 0;
        }
    return wrong;
}

/* One step of m pixels: rows of a product, and c' of each -> c, the gates (pitch apart), h. */
VAE__PRIVATE void vae__lstm_step(const vae__walk *c, const vae__op *op, const float *w,
                                 const float *bias, size_t m, const float *before, float *cell,
                                 float *gates, size_t pitch, float *h) {
    const size_t n = op->out.c, wide = vae__lstm_wide(op);
    size_t q, at, all;
    for (q = 0; q < 4; q++)
        c->k->gemm(0, m, n, wide, c->room, wide, w + q * n, 4 * n, bias + q * n, VAE_ACT_IDENTITY,
                   gates + q * pitch, n);
    for (at = 0; at < m * n; at += all, gates += all) {
        all = vae__min(m * n - at, VAE__LSTM_STRIP);
        for (q = 0; q < 4; q++)
            c->k->map(q < 3 ? VAE_ACT_SIGMOID : VAE_ACT_TANH, all, gates + q * pitch,
                      gates + q * pitch);
        c->k->affine(1, all, gates + 2 * pitch, NULL, gates + 3 * pitch, NULL, before + at,
                     gates + pitch, cell + at);
        c->k->map(VAE_ACT_TANH, all, cell + at, h + at);
        c->k->affine(1, all, h + at, NULL, gates, NULL, NULL, NULL, h + at);
    }
}

/* c' of a diagonal's pixels in `images` images; `last` is the diagonal before it. */
VAE__PRIVATE void vae__lstm_before(const vae__op *op, const vae__diagonal *g,
                                   const vae__diagonal *last, size_t images, float *to) {
    const size_t n = op->out.c, skip = g->low - last->low;
    const size_t count = last->count ? vae__min(g->count, last->count - skip) : 0;
    size_t r;
    for (r = 0; r < images; r++, to += g->count * n) {
        memcpy(to, last->c + (r * last->count + skip) * n, count * n * sizeof(float));
        memset(to + count * n, 0, (g->count - count) * n * sizeof(float));
    }
}
/* Rows of its product. */
VAE__PRIVATE void vae__lstm_rows(const vae__op *op, const vae__diagonal *g,
                                 const vae__diagonal *last, size_t images, const float *x,
                                 float *a) {
    const size_t n = op->out.c, in = op->in.c;
    size_t r, j;
    for (r = 0; r < images; r++, x += op->in.dim) {
        const float *h = last->h + (r * (last->count + 2) + g->low - last->low) * n;
        for (j = 0; j < g->count; j++, h += n, a += in + 2 * n) {
            memcpy(a, x + (g->pixel + j * g->step) * in, in * sizeof(float));
            if (last->count) memcpy(a + in, h, 2 * n * sizeof(float));
            else memset(a + in, 0, 2 * n * sizeof(float));
        }
    }
}
VAE__PRIVATE void vae__diaglstm_fwd(const vae__walk *c, const vae__op *op, const float *w,
                                    const float *x, float *y) {
    const size_t n = op->out.c, down = op->in.w;
    float *before = vae__lstm_array(c, op, 0), *h = vae__lstm_array(c, op, 1), *bias;
    size_t i, images, d, r, j;
    int right;
    for (i = 0; i < c->rows; i += images, x += images * op->in.dim, y += images * op->out.dim)
        for (images = vae__lstm_images(op, c->rows - i), right = 0; right < 2; right++) {
            const float *weights = vae__lstm_weights(c, op, right, w, &bias);
            for (d = 0; d < vae__diagonals(op); d++) {
                vae__diagonal last, g = vae__diagonals_of(op, right, d, c->first + i, &last);
                vae__lstm_rows(op, &g, &last, images, x, c->room);
                vae__lstm_before(op, &g, &last, images, before);
                vae__lstm_step(c, op, weights, bias, images * g.count, before, g.c, g.c + g.pitch,
                               g.pitch, h);
                for (r = 0; r < images; r++) {
                    const float *from = h + r * g.count * n;
                    float *kept = g.h + r * (g.count + 2) * n, *to = y + r * op->out.dim;
                    memset(kept, 0, n * sizeof(float));
                    memcpy(kept + n, from, g.count * n * sizeof(float));
                    memset(kept + (g.count + 1) * n, 0, n * sizeof(float));
                    for (j = 0; j < g.count; j++, from += n) {
                        const size_t at = g.pixel + j * g.step;
                        if (!right) memcpy(to + at * n, from, n * sizeof(float));
                        else if (g.low + j + 1 < op->in.h)
                            c->k->add(n, from, 1, to + (at + down) * n, to + (at + down) * n);
                    }
                }
            }
        }
}

/* One pixel of one direction. For drawing, kept has of each row and direction two lines of h, and
 * of c, with a slot of zeros on each side: that of the pixel and the one above. */
VAE__INLINE float *vae__lstm_slot(const vae__walk *c, const vae__op *op, size_t row, int right,
                                  size_t line, size_t slot) {
    const size_t n = op->out.c;
    return op->kept + (c->first + row) * op->row_floats +
           (((size_t)right * 2 + (line & 1)) * 2 * (op->in.w + 2) + slot) * n;
}
VAE__PRIVATE void vae__lstm_pixel(const vae__walk *c, const vae__op *op, const float *w,
                                  const float *x, int right, size_t at) {
    const size_t n = op->out.c, in = op->in.c, wide = vae__lstm_wide(op), bytes = n * sizeof(float);
    const size_t line = at / op->in.w, slot = at % op->in.w + 1, to_c = (op->in.w + 2) * n;
    float *before = vae__lstm_array(c, op, 0), *h = vae__lstm_array(c, op, 1), *bias;
    float *cell = vae__lstm_array(c, op, 2);
    size_t i, r, m;
    w = vae__lstm_weights(c, op, right, w, &bias);
    for (i = 0; i < c->rows; i += m) {
        m = vae__min(vae__lstm_cells(op), c->rows - i);
        for (r = 0; r < m; r++) {
            const float *beside = vae__lstm_slot(c, op, i + r, right, line,
                                                 right ? slot + 1 : slot - 1);
            float *a = c->room + r * wide;
            memcpy(a, x + (i + r) * op->in.dim + at * in, in * sizeof(float));
            memcpy(a + in, vae__lstm_slot(c, op, i + r, right, line + 1, slot), bytes);
            memcpy(a + in + n, beside, bytes);
            memcpy(before + r * n, beside + to_c, bytes);
        }
        vae__lstm_step(c, op, w, bias, m, before, cell, vae__lstm_array(c, op, 3), m * n, h);
        for (r = 0; r < m; r++) {
            float *to = vae__lstm_slot(c, op, i + r, right, line, slot);
            memcpy(to, h + r * n, bytes);
            memcpy(to + to_c, cell + r * n, bytes);
        }
    }
}
/* The right one follows when the line above is whole. */
VAE__PRIVATE void vae__diaglstm_pixel(const vae__walk *c, const vae__op *op, const float *w,
                                      const float *x, float *y, size_t at) {
    const size_t n = op->out.c, wide = op->in.w, line = at / wide, slot = at % wide + 1;
    size_t r, q;
    if (!at)
        memset(op->kept + c->first * op->row_floats, 0, c->rows * op->row_floats * sizeof(float));
    vae__lstm_pixel(c, op, w, x, 0, at);
    for (q = wide; q-- > 0 && line && slot == 1;)
        vae__lstm_pixel(c, op, w, x, 1, (line - 1) * wide + q);
    for (r = 0; r < c->rows; r++) {
        float *to = y + r * op->out.dim + at * n;
        memcpy(to, vae__lstm_slot(c, op, r, 0, line, slot), n * sizeof(float));
        if (line) c->k->add(n, vae__lstm_slot(c, op, r, 1, line - 1, slot), 1, to, to);
    }
}

/* Gradients of h of a diagonal -> dh: from the output and from the pixels below and behind, whose
 * diagonal is `next`, with its rows of the product's gradient in c->room. Adds what comes to c
 * from there, `carry`, to dc. */
VAE__PRIVATE void vae__lstm_dh(const vae__walk *c, const vae__op *op, const vae__diagonal *g,
                               const vae__diagonal *next, int right, size_t images,
                               const float *dy, float *dh) {
    const size_t n = op->out.c, in = op->in.c, wide = vae__lstm_wide(op), down = op->in.w;
    size_t r, j;
    for (r = 0; r < images; r++, dy += op->out.dim)
        for (j = 0; j < g->count; j++, dh += n) {
            const size_t at = g->pixel + j * g->step, line = g->low + j;
            /* place in `next` of the pixel below; the one behind in the line stands before it */
            const size_t below = r * next->count + line + 1 - next->low;
            if (!right) memcpy(dh, dy + at * n, n * sizeof(float));
            else if (line + 1 < op->in.h) memcpy(dh, dy + (at + down) * n, n * sizeof(float));
            else memset(dh, 0, n * sizeof(float));
            if (line + 1 < next->low + next->count)
                c->k->add(n, c->room + below * wide + in, 1, dh, dh);
            if (next->count && line >= next->low)
                c->k->add(n, c->room + (below - 1) * wide + in + n, 1, dh, dh);
        }
}
/* Of a diagonal's gates, and of what they saw: rows of a product again. `carry` is dc f of `next`,
 * then of this one. */
VAE__PRIVATE void vae__lstm_dgates(const vae__walk *c, const vae__op *op, const vae__diagonal *g,
                                   const vae__diagonal *next, const vae__diagonal *last,
                                   size_t images, const float *turned) {
    const size_t n = op->out.c, wide = vae__lstm_wide(op), all = images * g->count * n;
    const size_t skip = vae__max(g->low, next->low) - g->low, pitch = g->pitch;
    float *dh = vae__lstm_array(c, op, 0), *before = vae__lstm_array(c, op, 1);
    float *carry = vae__lstm_array(c, op, 2), *came = vae__lstm_array(c, op, 3);
    float t[VAE__LSTM_STRIP], dc[VAE__LSTM_STRIP];
    vae__runs k = {{0, 4, 1}, {1, 0, 0}, {0, 0, 0}};
    size_t r, at, m;
    for (r = 0; r < images; r++) { /* to this one's pixels */
        float *to = came + r * g->count * n;
        memset(to, 0, g->count * n * sizeof(float));
        if (next->count)
            memcpy(to + skip * n, carry + (r * next->count + g->low + skip - next->low) * n,
                   (g->count - skip) * n * sizeof(float));
    }
    vae__lstm_before(op, g, last, images, before);
    for (at = 0; at < all; at += m) {
        float *o = g->c + at + pitch, *f = o + pitch, *i = f + pitch, *s = i + pitch;
        m = vae__min(all - at, VAE__LSTM_STRIP);
        c->k->map(VAE_ACT_TANH, m, o - pitch, t);
        c->k->affine(1, m, dh + at, NULL, o, NULL, NULL, NULL, dc);
        c->k->act_bwd(VAE_ACT_TANH, m, t, dc);
        c->k->add(m, came + at, 1, dc, dc);
        c->k->affine(1, m, dh + at, NULL, t, NULL, NULL, NULL, o - pitch);
        c->k->act_bwd(VAE_ACT_SIGMOID, m, o, o - pitch);
        c->k->affine(1, m, dc, NULL, before + at, NULL, NULL, NULL, o);
        c->k->act_bwd(VAE_ACT_SIGMOID, m, f, o);
        c->k->affine(1, m, dc, NULL, f, NULL, NULL, NULL, carry + at);
        c->k->affine(1, m, dc, NULL, s, NULL, NULL, NULL, f);
        c->k->act_bwd(VAE_ACT_SIGMOID, m, i, f);
        c->k->affine(1, m, dc, NULL, i, NULL, NULL, NULL, i);
        c->k->act_bwd(VAE_ACT_TANH, m, s, i);
    }
    k.n[0] = n, k.a[1] = (ptrdiff_t)(pitch - n), k.b[0] = (ptrdiff_t)vae__whole(wide);
    c->k->runs(0, images * g->count, wide, &k, g->c, n, turned, NULL, c->room, wide);
}
/* Where the sums of a row stand. */
VAE__INLINE float *vae__lstm_sums(const vae__op *op, int right, size_t row) {
    const size_t n = op->out.c, before = 12 * op->out.dim + 4 * vae__diagonals(op) * n;
    return op->kept + op->rows * before + ((size_t)right * op->rows + row) * 4 * n;
}
VAE__PRIVATE void vae__lstm_add_sums(const vae__walk *c, const vae__op *op, const vae__diagonal *g,
                                     size_t images, float *sum) {
    const size_t n = op->out.c;
    float *part = vae__lstm_array(c, op, 0);
    size_t r, q;
    for (r = 0; r < images; r++)
        for (q = 0; q < 4; q++, sum += n) {
            c->k->bias_bwd(g->count, n, g->c + q * g->pitch + r * g->count * n, part);
            c->k->add(n, part, 1, sum, sum);
        }
}
VAE__PRIVATE void vae__diaglstm_bwd(const vae__walk *c, const vae__op *op, const float *w,
                                    const float *x, const float *dy, float *dx) {
    const size_t n = op->out.c, in = op->in.c, wide = vae__lstm_wide(op);
    float *turned = vae__lstm_array(c, op, VAE__LSTM_ARRAYS);
    size_t i, images, d, r, j;
    int right;
    (void)x;
    for (i = 0; i < c->rows; i += images, dy += images * op->out.dim, dx += images * op->in.dim)
        for (images = vae__lstm_images(op, c->rows - i), right = 0; right < 2; right++) {
            vae__diagonal g = {0, 0, 0, 0, 0, NULL, NULL}, next, last;
            float *sums = vae__lstm_sums(op, right, c->first + i);
            memset(sums, 0, images * 4 * n * sizeof(float));
            c->k->transpose(vae__whole(wide), wide, 4 * n,
                            w + (size_t)right * 4 * n * (wide + 1), turned);
            for (d = vae__diagonals(op); d-- > 0;) {
                next = g, g = vae__diagonals_of(op, right, d, c->first + i, &last);
                vae__lstm_dh(c, op, &g, &next, right, images, dy, vae__lstm_array(c, op, 0));
                vae__lstm_dgates(c, op, &g, &next, &last, images, turned);
                vae__lstm_add_sums(c, op, &g, images, sums);
                for (r = 0; r < images; r++)
                    for (j = 0; j < g.count; j++) {
                        const float *from = c->room + (r * g.count + j) * wide;
                        float *to = dx + r * op->in.dim + (g.pixel + j * g.step) * in;
                        if (right) c->k->add(in, from, 1, to, to);
                        else memcpy(to, from, in * sizeof(float));
                    }
            }
        }
}
/* Of a weight sums over diagonals, in each over the rows, in each over its pixels. */
VAE__PRIVATE void vae__diaglstm_grad(const vae__walk *c, const vae__op *op, int tensor,
                                     size_t from, size_t to, const float *x, const float *dy,
                                     float *dw) {
    const size_t n = op->out.c, wide = vae__lstm_wide(op);
    float *gates = vae__lstm_array(c, op, 0); /* four arrays, beside each other for each pixel */
    const int right = tensor > 1;
    size_t d, i, images, j, q;
    (void)dy;
    if (tensor & 1) {
        c->k->bias_bwd(c->rows, 4 * n, vae__lstm_sums(op, right, 0), dw);
        return;
    }
    memset(dw, 0, (to - from) * 4 * n * sizeof(float));
    for (d = 0; d < vae__diagonals(op); d++)
        for (i = 0; i < c->rows; i += images) {
            vae__diagonal last, g = vae__diagonals_of(op, right, d, i, &last);
            images = vae__lstm_images(op, c->rows - i);
            vae__lstm_rows(op, &g, &last, images, x + i * op->in.dim, c->room);
            for (j = 0; j < images * g.count; j++)
                for (q = 0; q < 4; q++)
                    memcpy(gates + (4 * j + q) * n, g.c + q * g.pitch + j * n, n * sizeof(float));
            c->k->gemm(VAE__GEMM_TRANS_A | VAE__GEMM_ADD, to - from, 4 * n, images * g.count,
                       c->room + from, wide, gates, 4 * n, NULL, VAE_ACT_IDENTITY, dw, 4 * n);
        }
}

/* ---- of other layers, pixel by pixel ---- */

VAE__PRIVATE void vae__pass_pixel(const vae__walk *c, const vae__op *op, const float *w,
                                  const float *x, float *y, size_t at) {
    size_t r, place = at * op->in.c;
    (void)w;
    for (r = 0; r < c->rows && y != x; r++, place += op->in.dim)
        memcpy(y + place, x + place, op->in.c * sizeof(float));
}
VAE__PRIVATE void vae__close_pixel(const vae__walk *c, const vae__op *op, const float *w,
                                   const float *x, float *y, size_t at) {
    const vae__op *open = op - op->pair;
    const float *before = open->y + c->first * open->pitch;
    size_t r, place = at * op->in.c;
    (void)w;
    for (r = 0; r < c->rows; r++, place += op->in.dim)
        c->k->add(op->in.c, before + place, 1, x + place, y + place);
}

#endif /* VAE_NO_PIXELS */

/* ======================================================================================
 * >>program  the table of layers, strings to ops, walking them
 * uses: >>pixels >>layers            tests: tests/test_layers.c
 *
 * A model is one list of ops from the pixels to the loss: the encoder's layers, the code (>>codes),
 * the decoder's layers, the likelihood (>>likelihoods). Forward walks it, backward walks it in
 * reverse. What is special about a layer stands in its row: nothing else names one.
 * ==================================================================================== */

/* ---- the table of layers ---- */

#if defined(VAE_NO_PIXELS) || defined(VAE_NO_CODES)
VAE__PRIVATE vae_status vae__left_out(vae__parser *p, vae__op *op) {
    return vae__fail(p->report, VAE_ERR_UNSUPPORTED, "%s, column %d: %s is %s", p->what,
                     (int)(p->item - p->text) + 1, op->layer->name, op->layer->rule);
}
#define VAE__LEFT_OUT(name, macro) \
    {name, VAE__OF_WHOLE(name), "not in this build (" macro ")", "", 0, vae__left_out, NULL, NULL, \
     VAE__BACK(NULL, NULL, NULL)}
#endif

static const vae__layer vae__layers[] = {
    {"dense", VAE__HELP("dense N", "any -> N"), "n", 0, vae__dense_shape, vae__dense_tensors,
     vae__dense_fwd, VAE__BACK(vae__dense_bwd, vae__dense_grad, NULL)},
#ifndef VAE_NO_PIXELS
    {"maskconv", "maskconv N KxK a|b", "HxWxC -> HxWxN; sees earlier pixels, b also its own", "nka",
     VAE__SPOT, vae__maskconv_shape, vae__maskconv_tensors, vae__maskconv_fwd,
     VAE__ORDERED(vae__maskconv_bwd, vae__maskconv_grad, vae__maskconv_mask,
                  vae__maskconv_pixel)},
#else
    VAE__LEFT_OUT("maskconv", "VAE_NO_PIXELS"),
#endif
#ifndef VAE_NO_CONV
    {"conv", VAE__HELP("conv N KxK[/S] [pad P]",
                       "HxWxC -> ceil(H/S) x ceil(W/S) x N; with pad: (H + 2P - K)/S + 1"),
     "nksd", 0, vae__conv_shape, vae__conv_tensors, vae__conv_fwd,
     VAE__BACK(vae__conv_bwd, vae__conv_grad, NULL)},
    {"convt", VAE__HELP("convt N KxK[/S] [pad P]",
                        "HxWxC -> HS x WS x N; with pad: (H - 1)S + K - 2P"),
     "nksd", 0, vae__convt_shape, vae__convt_tensors, vae__convt_fwd,
     VAE__BACK(vae__convt_bwd, vae__convt_grad, NULL)},
    {"maxpool", VAE__HELP("maxpool N", "HxWxC -> H/N x W/N x C"), "f", 0, vae__pool_shape, NULL,
     vae__pool_fwd, VAE__BACK(vae__pool_bwd, NULL, NULL)},
    {"avgpool", VAE__HELP("avgpool N", "HxWxC -> H/N x W/N x C"), "f", 0, vae__avgpool_shape, NULL,
     vae__pool_fwd, VAE__BACK(vae__pool_bwd, NULL, NULL)},
    {"upsample", VAE__HELP("upsample N", "HxWxC -> HN x WN x C"), "f", 0, vae__upsample_shape, NULL,
     vae__upsample_fwd, VAE__BACK(vae__upsample_bwd, NULL, NULL)},
#else
    VAE__LEFT_OUT("conv", "VAE_NO_CONV"), VAE__LEFT_OUT("convt", "VAE_NO_CONV"),
    VAE__LEFT_OUT("maxpool", "VAE_NO_CONV"), VAE__LEFT_OUT("avgpool", "VAE_NO_CONV"),
    VAE__LEFT_OUT("upsample", "VAE_NO_CONV"),
#endif
    {"reshape", VAE__HELP("reshape HxWxC", "any -> HxWxC of as many numbers"), "h",
     VAE__PASSES | VAE__SHOWS, vae__reshape_shape, NULL, vae__pass_fwd,
     VAE__BACK(vae__pass_bwd, NULL, NULL)},
    {"flatten", VAE__HELP("flatten", "HxWxC -> HWC"), "", VAE__PASSES | VAE__SHOWS,
     vae__flatten_shape, NULL, vae__pass_fwd, VAE__BACK(vae__pass_bwd, NULL, NULL)},
    {"batchnorm", VAE__HELP("batchnorm", "unchanged"), "", 0, vae__batchnorm_shape,
     vae__batchnorm_tensors, vae__batchnorm_fwd,
     VAE__BACK(vae__batchnorm_bwd, vae__batchnorm_grad, vae__batchnorm_batch)},
    {"layernorm", VAE__HELP("layernorm", "unchanged"), "", 0, vae__layernorm_shape,
     vae__layernorm_tensors, vae__layernorm_fwd,
     VAE__BACK(vae__layernorm_bwd, vae__layernorm_grad, NULL)},
    {"dropout", VAE__HELP("dropout P", "unchanged; drops with probability P < 1, in training"), "q",
     VAE__DRAWS, NULL, NULL, vae__dropout_fwd, VAE__BACK(vae__dropout_bwd, NULL, NULL)},
    {"noise", VAE__HELP("noise S", "unchanged; adds normals times S, in training"), "p",
     VAE__DRAWS | VAE__BEYOND, NULL, NULL, vae__noise_fwd, VAE__BACK(vae__pass_bwd, NULL, NULL)},
    {"label", VAE__HELP("label N", "HxWxC -> HxWx(C + N); the image's class of N, one-hot"), "n",
     VAE__CLASS | VAE__SHOWS, vae__label_shape, NULL, vae__label_fwd,
     VAE__BACK(vae__label_bwd, NULL, NULL)},
#ifndef VAE_NO_CODES
    {"z", "z N", "any -> N latents, drawn: a stochastic layer of both strings", "n", VAE__LATENT,
     vae__latent_shape, NULL, NULL, VAE__BACK(NULL, NULL, NULL)},
#else
    VAE__LEFT_OUT("z", "VAE_NO_CODES"),
#endif
#ifndef VAE_NO_PIXELS
    {"image", "image", "HxWxC or flat -> the image to predict, HxW, behind C channels of its input",
     "", 0, vae__image_shape, NULL, vae__image_fwd,
     VAE__ORDERED(vae__image_bwd, NULL, NULL, vae__image_pixel)},
    {"gated", "gated", "channels C -> C/2; tanh of the first half times sigmoid of the second", "",
     VAE__SPOT, vae__gated_shape, NULL, vae__gated_fwd,
     VAE__ORDERED(vae__gated_bwd, NULL, NULL, vae__gated_pixel)},
    {"diaglstm", "diaglstm N", "HxWxC -> HxWxN; LSTMs along the diagonals from left and right", "n",
     VAE__BOUNDED, vae__diaglstm_shape, vae__diaglstm_tensors, vae__diaglstm_fwd,
     VAE__ORDERED(vae__diaglstm_bwd, vae__diaglstm_grad, vae__diaglstm_mask,
                  vae__diaglstm_pixel)},
#else
    VAE__LEFT_OUT("image", "VAE_NO_PIXELS"), VAE__LEFT_OUT("gated", "VAE_NO_PIXELS"),
    VAE__LEFT_OUT("diaglstm", "VAE_NO_PIXELS"),
#endif
    {"res", VAE__HELP("res( ... )",
                      "unchanged; adds its input to what the layers inside make of it"), "(",
     VAE__OPENS | VAE__RETURNS | VAE__SPOT, NULL, NULL, vae__pass_fwd,
     VAE__ORDERED(vae__open_bwd, NULL, NULL, vae__pass_pixel)},
    /* without a name: the end of a group, an activation alone */
    {")", NULL, NULL, "", VAE__SPOT, NULL, NULL, vae__close_fwd,
     VAE__ORDERED(vae__pass_bwd, NULL, NULL, vae__close_pixel)},
    {"", NULL, NULL, "", VAE__PASSES | VAE__SPOT, NULL, NULL, vae__pass_fwd,
     VAE__ORDERED(vae__pass_bwd, NULL, NULL, vae__pass_pixel)},};
enum { VAE__LAYER_COUNT = sizeof vae__layers / sizeof vae__layers[0] - 2 };
#define VAE__LAYER_DENSE (&vae__layers[0])
#define VAE__LAYER_MASKCONV (&vae__layers[1])
#define VAE__LAYER_CLOSE (&vae__layers[VAE__LAYER_COUNT])
#define VAE__LAYER_ACT (&vae__layers[VAE__LAYER_COUNT + 1])
/* Of NULL, which stands for the pixels before the first op: nothing special. */
VAE__INLINE int vae__has(const vae__op *op, int flag) {
    return op && op->layer && (op->layer->flags & flag) != 0;
}

/* The words for VAE__SPREAD_*. */
static const char *const vae__deviation_names[] = {"", "abs", "relu", "softplus"};

/* An argument that may be left out. */
VAE__PRIVATE vae_status vae__read_option(vae__parser *p, char letter, vae__op *op) {
    size_t n = vae__word(p);
    double value;
    const int number = vae__read_real(p->at, &value) > 0;
    int i;
    switch (letter) {
    case 'v':
        op->real = 1;
        return number ? vae__read_real_from(p, "a variance", 1e-12, 1e12, &op->real) :
               *p->at ? vae__expected(p, "a variance or the end") : VAE_OK;
    case 'l':
        op->n = 256;
        return number ? vae__read_from(p, "the number of levels", 2, 256, &op->n) :
               *p->at ? vae__expected(p, "a number of levels or the end") : VAE_OK;
    case 'o':
        for (i = VAE__SPREAD_ABS; i <= VAE__SPREAD_SOFTPLUS; i++)
            if (vae__same(p->at, n, vae__deviation_names[i])) break;
        op->n = i <= VAE__SPREAD_SOFTPLUS ? i : VAE__SPREAD_NONE;
        if (op->n) p->at += n;
        return VAE_OK;
    case 'u':
        op->kw = vae__same(p->at, n, "full");
        p->at += op->kw ? n : 0;
        return *p->at && !op->kw ? vae__expected(p, "full or the end") : VAE_OK;
    default: /* 'c' */
        op->kh = VAE_ACT_IDENTITY;
        if (!vae__same(p->at, n, "code")) return VAE_OK;
        p->at += n;
        n = vae__word(p); /* moves p->at, so it must not be an argument of a call that uses p->at */
        i = vae__act_of(p->at, n);
        if (i < 0) return vae__expected(p, "an activation");
        p->at += n;
        op->kh = i;
        return VAE_OK;
    }
}

/* Numbers of levels, one at least. */
VAE__PRIVATE vae_status vae__read_list(vae__parser *p, vae__op *op) {
    vae_status bad;
    int value = 0;
    do {
        bad = vae__read_from(p, "a number of levels", 2, 255, &value);
        if (!bad && op->kw == VAE__MAX_LIST) return vae__expected(p, "no more than 12 numbers");
        op->list[op->kw] = (unsigned char)value, op->kw += !bad;
        vae__skip(p);
    } while (!bad && vae__is_digit(*p->at));
    return bad;
}

/* Arguments of a row, a letter for each: n a width, f a factor, p a number such as 0.25, q one
 * below 1, i a number of steps, m a number K, g a number of categories, w numbers of levels, k a
 * window KxK, s an optional step /S, d optional padding, a a mask, h a shape HxWxC, ( a group; and
 * of likelihoods, posteriors and priors, all optional: v a variance, l a number of levels, o what
 * makes a deviation, c an activation of the code, u the word full, x the K of logistic_mixture. */
VAE__PRIVATE vae_status vae__read_args(vae__parser *p, const char *args, vae__op *op) {
    const char *a;
    size_t n;
    vae_status bad = VAE_OK;
    op->stride = 1, op->pad = -1;
    for (a = args; *a && !bad; a++) {
        switch (*a) {
        case 'n': bad = vae__read_int(p, "a width", &op->n); break;
        case 'f': bad = vae__read_from(p, "a factor", 1, VAE__MAX_WINDOW, &op->n); break;
        case 'm': bad = vae__read_from(p, "the number K", 1, 4096, &op->n); break;
        case 'x': bad = vae__read_from(p, "the number K", 1, VAE__MIXTURE_MOST, &op->n); break;
        case 'p': bad = vae__read_part(p, 1000, &op->n); break;
        case 'q': bad = vae__read_part(p, 1, &op->n); break;
        case 'i': bad = vae__read_from(p, "a number of steps", 1, 64, &op->stride); break;
        case 'h': bad = vae__read_shape(p, &op->out); break;
        case 'a':
            n = vae__word(p);
            if (!vae__same(p->at, n, "a") && !vae__same(p->at, n, "b"))
                return vae__expected(p, "mask a or b");
            op->mask = *p->at++;
            break;
        case 'g': bad = vae__read_from(p, "a number of categories", 2, 256, &op->n); break;
        case 'w': bad = vae__read_list(p, op); break;
        case 'k':
            bad = vae__read_from(p, "the height of a window", 1, VAE__MAX_WINDOW, &op->kh);
            if (bad) break;
            if (*p->at != 'x') return vae__expected(p, "'x' and the width of the window");
            p->at++;
            bad = vae__read_from(p, "the width of a window", 1, VAE__MAX_WINDOW, &op->kw);
            break;
        case 's':
            vae__skip(p);
            if (*p->at == '/') {
                p->at++;
                bad = vae__read_from(p, "a stride", 1, VAE__MAX_WINDOW, &op->stride);
            }
            break;
        case 'd':
            n = vae__word(p);
            if (vae__same(p->at, n, "pad")) {
                p->at += n;
                bad = vae__read_from(p, "a padding", 0, VAE__MAX_WINDOW, &op->pad);
            }
            break;
        case 'v': case 'l': case 'o': case 'c': case 'u': bad = vae__read_option(p, *a, op); break;
        default: /* '(' */
            vae__skip(p);
            if (*p->at != '(') return vae__expected(p, "'('");
            if (p->depth == VAE__MAX_DEPTH)
                return vae__fail(p->report, VAE_ERR_SYNTAX, "%s, column %d: more than %d groups "
                                 "inside one another", p->what, (int)(p->item - p->text) + 1,
                                 (int)VAE__MAX_DEPTH);
            p->at++;
        }
    }
    return bad;
}

/* The shape of what the op gives, and whether it may stand here. */
VAE__PRIVATE vae_status vae__place_layer(vae__parser *p, vae__op *op) {
    const int path = p->path;
    vae_status bad = VAE_OK;
    op->colours = path ? p->colours : 1, op->beside = path == VAE__PATH_HERE ? p->beside : 0;
    op->repeat = 1;
    if (op->layer->shape) bad = op->layer->shape(p, op);
    if (bad) return bad;
    if (path && !op->layer->pixel)
        return vae__misfit(p, op, "behind `image` only layers that keep the order of pixels may "
                           "stand: maskconv, gated, diaglstm, res, activations");
    if (path == VAE__PATH_HERE && p->path == path && !vae__has(op, VAE__PASSES))
        return vae__misfit(p, op, "behind `image` a maskconv of mask a comes first: this would "
                           "pass on the pixel that is to be predicted");
    return VAE_OK;
}

/* Reads item number `index` into op, whose `in` is given. *more: whether there was an item. */
VAE__PRIVATE vae_status vae__read_item(vae__parser *p, vae__op *op, size_t index, int *more) {
    vae_status bad = VAE_OK;
    size_t n;
    int i, act;
    *more = 0;
    vae__skip(p);
    p->item = p->at;
    op->act = VAE_ACT_IDENTITY;
    op->out = op->in;
    if (!*p->at && !p->needed)
        return p->depth ? vae__expected(p, "',' or ')'") : VAE_OK;
    if (*p->at == ')' && p->depth && !p->needed) {
        const vae__shape *s = &p->shape[--p->depth];
        p->at++;
        op->layer = VAE__LAYER_CLOSE;
        op->pair = index - p->open[p->depth];
        if (s->h != op->in.h || s->w != op->in.w || s->c != op->in.c)
            return vae__fail(p->report, VAE_ERR_SHAPE, "%s, column %d: res: %zx%zx%z comes out of "
                             "the group and %zx%zx%z goes in; they must be equal", p->what,
                             (int)(p->item - p->text) + 1, op->in.h, op->in.w, op->in.c, s->h,
                             s->w, s->c);
    } else {
        n = vae__word(p);
        act = vae__act_of(p->at, n);
        for (i = 0; i < VAE__LAYER_COUNT; i++)
            if (vae__same(p->at, n, vae__layers[i].name)) break;
        if (i == VAE__LAYER_COUNT && act < 0)
            return vae__expected(p, "a layer or an activation");
        op->layer = i == VAE__LAYER_COUNT ? VAE__LAYER_ACT : &vae__layers[i];
        if (op->layer != VAE__LAYER_ACT) p->at += n;
        bad = vae__read_args(p, op->layer->args, op);
        if (!bad) bad = vae__place_layer(p, op);
        if (bad) return bad;
        *more = 1;
        p->needed = vae__has(op, VAE__OPENS);
        if (p->needed) {
            p->open[p->depth] = index;
            p->shape[p->depth++] = op->in;
            return VAE_OK;
        }
        n = vae__word(p);
        if (n) {
            act = vae__act_of(p->at, n);
            if (act < 0)
                return vae__expected(p, p->depth ? "an activation, ',' or ')'"
                                                 : "an activation, ',' or the end");
            op->act = (vae_act)act;
            p->at += n;
        }
    }
    *more = 1;
    vae__skip(p);
    p->needed = *p->at == ',';
    if (p->needed) p->at++;
    else if (*p->at && !(*p->at == ')' && p->depth))
        return vae__expected(p, p->depth ? "',' or ')'" : "',' or the end");
    return VAE_OK;
}

/* Writes arguments as vae_get_desc spells them. */
VAE__PRIVATE void vae__spell_args(vae__sink *s, const char *args, const vae__op *op) {
    const char *a;
    int i;
    for (a = args; *a; a++) {
        if (*a == 'l') vae__putf(s, " %d", op->n);
        if (*a == 'v') vae__putf(s, " %r", op->real);
        if (*a == 'o' && op->n) vae__putf(s, " %s", vae__deviation_names[op->n]);
        if (*a == 'u' && op->kw) vae__putf(s, " full");
        if (*a == 'c' && op->kh) vae__putf(s, " code %s", vae_choice_name(VAE_CHOICE_ACT, op->kh));
        if (strchr("nfmgx", *a)) vae__putf(s, " %d", op->n);
        for (i = 0; *a == 'w' && i < op->kw; i++) vae__putf(s, " %d", (int)op->list[i]);
        if (*a == 'k') vae__putf(s, " %dx%d", op->kh, op->kw);
        if (*a == 'i') vae__putf(s, " %d", op->stride);
        if (*a == 's' && op->stride > 1) vae__putf(s, "/%d", op->stride);
        if (*a == 'd' && op->pad >= 0) vae__putf(s, " pad %d", op->pad);
        if (*a == 'h') vae__putf(s, " %zx%zx%z", op->out.h, op->out.w, op->out.c);
        if (*a == 'a') vae__putf(s, op->mask == 'a' ? " a" : " b");
        if (*a == '(') vae__putf(s, "(");
        if (*a == 'p' || *a == 'q') {
            int rest = op->n % 1000000, unit = 100000;
            vae__putf(s, " %d", op->n / 1000000);
            if (rest) vae__putf(s, ".");
            for (; rest; rest %= unit, unit /= 10) vae__putf(s, "%d", rest / unit);
        }
    }
}

/* Writes an item as vae_get_desc spells it. */
VAE__PRIVATE void vae__spell_item(vae__sink *s, const vae__op *op) {
    vae__putf(s, "%s", op->layer->name);
    vae__spell_args(s, op->layer->args, op);
    if (op->layer == VAE__LAYER_ACT || op->act != VAE_ACT_IDENTITY)
        vae__putf(s, "%s%s", *op->layer->name ? " " : "",
                  vae_choice_name(VAE_CHOICE_ACT, (int)op->act));
}

/* ---- walking the ops ---- */

/* Sets the rows of an op for the images of a walk. Without `copies`, an image has op->each rows;
 * with it, `place` counts rows. */
VAE__INLINE void vae__stand(vae__walk *c, const vae__op *op) {
    c->draws = c->copies ? c->copies : op->each;
    c->first = c->copies ? c->place : c->place * op->each;
    c->rows = c->images * c->draws;
}

#ifndef VAE__WIDE /* floats of a wide image; tests take 1 */
#define VAE__WIDE 16384
#endif
enum { VAE__WALK_FLOATS = 4 * VAE__WIDE, VAE__WALK_WEIGHTS = 1 << 19 };

/* A walk from image `at` of another one on. If images are wide, it takes no more of them than leave
 * in the cache what the next op reads; unless weights that serve a row once would be read anew for
 * each few rows. */
VAE__PRIVATE void vae__few_images(const vae__walk *walk, const vae__op *ops, size_t from,
                                  size_t to, size_t at, vae__walk *c) {
    size_t wide = 0, weights = 0, i;
    for (i = from; i < to; i++) {
        const vae__op *op = &ops[i];
        wide = vae__max(wide, op->out.dim * (walk->copies ? walk->copies : op->each));
        if (op->net && op->tensor_count && vae__pixels(&op->out) == 1)
            weights += op->in.dim * op->out.dim;
    }
    *c = *walk;
    c->images = walk->images - at;
    if (wide >= VAE__WIDE && weights <= VAE__WALK_WEIGHTS)
        c->images = vae__min(c->images, 1 + VAE__WALK_FLOATS / wide);
    c->image += at, c->labels += at, c->place += at * (walk->copies ? walk->copies : 1);
}

VAE__PRIVATE void vae__some_fwd(const vae__walk *walk, const vae__op *ops, size_t from, size_t to,
                                const float *x) {
    vae__walk c;
    size_t i;
    if (from >= to) return;
    c = *walk;
    if (!x) {
        vae__stand(&c, &ops[from - 1]);
        x = ops[from - 1].y + c.first * ops[from - 1].pitch;
    }
    for (i = from; i < to; i++) {
        const vae__op *op = &ops[i];
        float *y, *made;
        vae__stand(&c, op);
        y = op->y + c.first * op->pitch;
        made = op->pre ? op->pre + c.first * op->pitch : y;
        op->layer->fwd(&c, op, c.params + op->weights, x, made);
        if (op->act != VAE_ACT_IDENTITY)
            c.k->map((int)op->act, c.rows * op->out.dim, made, y);
        x = y;
    }
}
/* Ops from .. to - 1, forward. x is the input of op `from` for the first image of the walk; NULL:
 * the output of the op before it. */
VAE__PRIVATE void vae__ops_fwd(const vae__walk *walk, const vae__op *ops, size_t from, size_t to,
                               const float *x) {
    vae__walk c;
    size_t at;
    if (x) vae__some_fwd(walk, ops, from, to, x);
    for (at = 0; !x && from < to && at < walk->images; at += c.images) {
        vae__few_images(walk, ops, from, to, at, &c);
        vae__some_fwd(&c, ops, from, to, NULL);
    }
}

#ifndef VAE_NO_PIXELS
/* Ops from .. to - 1, which stand behind `image`, at one pixel of the rows at work. */
VAE__PRIVATE void vae__ops_pixel(const vae__walk *walk, const vae__op *ops, size_t from, size_t to,
                                 size_t at) {
    vae__walk c = *walk;
    size_t i, r;
    for (i = from; i < to; i++) {
        const vae__op *op = &ops[i];
        const float *x;
        float *y;
        vae__stand(&c, op);
        x = op[-1].y + c.first * op[-1].pitch, y = op->y + c.first * op->pitch;
        op->layer->pixel(&c, op, c.params + op->weights, x, y, at);
        y += at * op->out.c;
        for (r = 0; r < c.rows && op->act != VAE_ACT_IDENTITY; r++, y += op->out.dim)
            c.k->map((int)op->act, op->out.c, y, y);
    }
}
#endif

VAE__PRIVATE void vae__some_bwd(const vae__walk *walk, const vae__op *ops, size_t from, size_t to,
                                const float *x, float *dx) {
    vae__walk c;
    if (from <= to) return;
    c = *walk;
    while (from-- > to) {
        const vae__op *op = &ops[from / 2], *before = from / 2 ? op - 1 : NULL;
        const float *in = x;
        float *down = dx, *dy;
        if (before) {
            vae__stand(&c, before);
            in = before->y + c.first * before->pitch, down = before->dy + c.first * before->pitch;
        }
        vae__stand(&c, op);
        dy = op->dy + c.first * op->pitch;
        /* a gradient that reaches no weight is nobody's */
        if (op->first && !dx && (!(from & 1) || !op->tensor_count)) continue;
        if (!(from & 1)) {
            if (down) op->layer->bwd(&c, op, c.params + op->weights, in, dy, down);
        } else if (op->act != VAE_ACT_IDENTITY) {
            c.k->act_bwd((int)op->act, c.rows * op->out.dim,
                         (op->pre ? op->pre : op->y) + c.first * op->pitch, dy);
        }
    }
}
/* Backward in half steps from - 1 down to `to`. Half step 2 i + 1 multiplies op i's dy by the slope
 * of its activation; 2 i computes dy of the op before, or for op 0 dx, the gradient of its input x,
 * unless dx is NULL. */
VAE__PRIVATE void vae__ops_bwd(const vae__walk *walk, const vae__op *ops, size_t from, size_t to,
                               const float *x, float *dx) {
    vae__walk c;
    size_t at;
    if (x) vae__some_bwd(walk, ops, from, to, x, dx);
    for (at = 0; !x && from > to && at < walk->images; at += c.images) {
        vae__few_images(walk, ops, to / 2, (from + 1) / 2, at, &c);
        vae__some_bwd(&c, ops, from, to, NULL, NULL);
    }
}

/* ======================================================================================
 * >>codes    what posteriors q(z|x) and priors p(z) are; the normals
 * uses: >>layers >>rng              tests: tests/test_codes.c
 *
 * The encoder's head gives the parameters of q(z|x). A posterior or a prior is one row and its
 * functions: adding one touches nothing else. Where both have a KL in closed form, the code's op
 * has it; otherwise each draw has a term log q(z|x) - log p(z), which the ops between the head and
 * the decoder add up: the code, the prior.
 * ==================================================================================== */

VAE__SMALL

/* The first fields of a row of codes and likelihoods. */
typedef struct vae__kind {
    const char *name, *syntax, *rule; /* rule: what it is, in words */
    const char *args;                 /* what stands behind the name: see vae__read_args */
} vae__kind;
#define VAE__KIND_LEFT_OUT(name, syntax) {name, VAE__HELP(syntax, "left out of this build"), NULL}

typedef struct vae__code vae__code;

/* Functions of a posterior whose head begins with mu (latent), then log variance (latent); NULL
 * where there is nothing to do. */
typedef struct vae__means {
    const vae__layer *layer; /* op that turns the head into mu and log variance, needed only where
                                `spreads` says so */
    int (*spreads)(const vae__code *c);
    float (*lowest)(const vae__code *c); /* the least log variance: no gradient there or below */
    /* For `contract`: whether it has a closed form; the derivative of mu = code(a) by a, as a
     * function of mu, with *bend, the derivative of that by mu. */
    int (*curve)(const vae__code *c);
    double (*slope)(const vae__code *c, double mu, double *bend);
} vae__means;

/* Closed forms for a posterior with its standard prior. */
typedef struct vae__closed {
    /* KL(q || p). Unless dhead is NULL: dhead += scale times its gradient, where the part of latent
     * j is multiplied by keep[j], unless `keep` is NULL. kl_terms: the KL of each latent. */
    float (*kl)(const vae__code *c, const float *head, float scale, const float *keep,
                float *dhead);
    void (*kl_terms)(const vae__code *c, const float *head, float *kl);
    /* log q(z|x) - log p(z) at a z made by `sample`. Backward: dhead += the gradient that comes
     * with dz, and `pull` times that of the ratio (importance weights: see kernel latent_bwd). */
    float (*ratio)(const vae__code *c, const float *head, const float *eps, const float *z);
    void (*ratio_bwd)(const vae__code *c, vae_objective objective, const float *head,
                      const float *eps, const float *dz, float pull, float weight, float *dhead);
    /* z from the standard prior; NULL: the prior's own draw. */
    void (*draw)(const vae__code *c, const vae__address *at, float *z);
} vae__closed;

/* A posterior. Its functions work on one image. */
typedef struct vae__posterior {
    vae__kind kind;
    int noise;               /* what eps is drawn as: VAE__DRAW_NORMAL or VAE__DRAW_UNIFORM */
    /* Sets c->head, c->width, c->noise; without it they are 2 latent, latent, latent. Returns NULL,
     * or a sentence: why such a code is not possible. */
    const char *(*sizes)(vae__code *c);
    /* z made with the noise eps, or the mean where eps is NULL. Backward: dhead += the gradient
     * that comes with dz. */
    void (*sample)(const vae__code *c, const float *head, const float *eps, float *z);
    void (*sample_bwd)(const vae__code *c, const float *head, const float *eps, const float *dz,
                       float *dhead);
    /* log q(z|x) at z of `sample`; and dhead += scale times its gradient, eps being fixed. */
    double (*log_q)(const vae__code *c, const float *head, const float *eps, const float *z);
    void (*log_q_bwd)(const vae__code *c, const float *head, const float *eps, float scale,
                      float *dhead);
    const vae__means *means;   /* NULL: there is no such thing */
    const vae__closed *closed;
} vae__posterior;

/* A flow: steps that change the draw of a real-valued posterior. Each step is an op: its input is z
 * and the head's numbers for the flow, its output the new z and the numbers for later steps. */
typedef struct vae__flow {
    vae__kind kind;
    const vae__layer *layer;
    size_t (*context)(const vae__code *c); /* numbers of the head beyond those of the posterior */
} vae__flow;

/* A prior. Its functions work on one code z (width). */
typedef struct vae__prior {
    vae__kind kind;
    const vae__layer *layer; /* its op: vae__prior_layer, or one like it that has tensors too */
    size_t room;             /* floats of scratch in c->room, for each number of z */
    /* Without dz: log p(z). With dz: dz += scale times its gradient. w is the op's first tensor.
     * c->kept are op->row_floats numbers of this row, in which the first call may store something
     * for the second. */
    double (*log_p)(const vae__code *c, const float *w, const float *z, float scale, float *dz);
    void (*draw)(const vae__code *c, const float *w, const vae__address *at, float *z);
    /* Only of a prior whose tensor holds n pseudo-inputs (images), otherwise NULL. The encoder
     * computes their heads, and log_p reads them from c->heads (n, head). dhead += the gradient of
     * the head of pseudo-input i, summed over the batch whose codes are z. */
    void (*head_bwd)(const vae__walk *c, const vae__op *op, size_t i, const float *z, float *dhead);
} vae__prior;

/* The posterior and the prior of a model, with their arguments and sizes. */
struct vae__code {
    const vae__posterior *posterior;
    const vae__prior *prior;
    int deviation;           /* arguments of the posterior: VAE__SPREAD_*, activation of mu */
    vae_act act;
    int categories;          /* of each latent */
    unsigned char list[VAE__MAX_LIST]; /* levels of each latent, or of all where there is one */
    int listed;
    const vae__flow *flow;   /* NULL: none; and its arguments */
    int flow_width, flow_steps;
    int n, full;             /* arguments of the prior */
    double real;
    float sharpness;         /* 1 / temperature of relaxed categories; 0: z is whole ones */
    int through;             /* training decodes whole numbers, its gradient that of others */
    int closed;              /* posterior->closed holds. 0: log q - log p of the draws is the KL */
    const vae__kernels *k;
    size_t latent;
    size_t head;             /* numbers of the encoder's head for an image, */
    size_t context;          /* the last of them, which go with each draw to the flow; */
    size_t width;            /* of z, which the decoder sees, */
    size_t noise;            /* and of eps, for a draw */
    size_t room_floats;      /* of `room` */
    float *room;             /* a part's own */
    float *kept;             /* of a row, by the prior */
    float *heads;            /* of pseudo-inputs, NULL: there are none; in training the gradients */
    int unit;                /* of the inputs follow. 1: the encoder sees them clamped to [0,1] */
};
VAE__INLINE size_t vae__pseudo_inputs(const vae__code *c) {
#ifdef VAE_NO_CODES
    (void)c;
    return 0;
#else
    return c->prior->head_bwd ? (size_t)c->n : 0;
#endif
}
#ifdef VAE_NO_CODES
#define VAE__CLOSED(code) ((void)(code), 1)
#define VAE__DEEP 0 /* there can be several stochastic layers; how many a model or terms have */
#define VAE__LAYERS(of) ((void)(of), 1)
#else
#define VAE__CLOSED(code) ((code)->closed)
#define VAE__DEEP 1
#define VAE__LAYERS(of) ((of)->layers)
#endif

/* The terms of the loss, row by row: the code and the likelihood write them, the objective weighs
 * them (>>step). An array that is NULL is not wanted. Rows and images are those of the buffers;
 * heads are images, or rows where the encoder has draws of its own (op->fans). */
typedef struct vae__terms {
    const float *x;          /* (images, numbers): what is to be predicted, from image 0 on; first,
                                for `image`, which knows no more of this */
    const vae_desc *desc;
    const vae__code *code;
    const struct vae__density *likelihood; /* as it is now */
    int backward;            /* gradients are wanted too */
    int value;               /* of the likelihood nothing but the value is wanted */
    int mean;                /* nothing is drawn: stochastic layers pass on their means */
    int alone;               /* the decoder is at work without the encoder */
    int weighs;              /* importance weights are at work */
    int views;               /* rows of the encoder for an image */
    float share;             /* what counts in the loss: the recon of a row, */
    float pull;              /* the KL of an image, */
    float draw_pull;         /* log q - log p of a draw, */
    double each;             /* the penalties of an image */
    float sharpness;         /* 1 / temperature in training; otherwise 0 */
    /* Noise of all stochastic layers: the caller's (images * draws, noise), or drawn at the number
     * of the image (index[i], without index first + i) and of the draw, `draw` the first at work.
     */
    const float *given;
    size_t noise;
    uint32_t purpose, time, first;
    const uint32_t *index;
    size_t draw, draws;
    float *eps;              /* (rows, code->noise): that of the code */
    double *recon;           /* (rows): -log p(x|z) */
    float *kl;               /* (heads): KL(q(z|x) || p(z)) of the code */
    float *slope;            /* (heads, head): gradient of that, for backward */
    double *penalty;         /* (heads): sparse and contract */
    double *logw;            /* (rows): log q(z|x) - log p(z): the code, flows, prior add to it */
    double *deep;            /* (layers - 1, deep_rows): the same of each `z N` */
    size_t deep_rows;
    int layers;              /* stochastic layers, with the code */
    float *weight;           /* (rows): importance weights, 1 in all for each image */
    float *dlearned;         /* (rows): gradient of what the likelihood has learned */
    float *keep;             /* (latent): free bits, 1 for a latent whose KL counts */
    double *unit;            /* (latent): sums over images */
    const float *norm;       /* (latent): squared lengths, for `contract` in closed form */
} vae__terms;

/* Posterior and prior for a part at work. */
VAE__PRIVATE vae__code vae__code_of(const vae__walk *c) {
    vae__code q = *c->terms->code;
    q.room = c->room;
    q.sharpness = c->terms->sharpness;
    return q;
}
/* What log q - log p of row r counts in the loss. */
VAE__INLINE float vae__row_pull(const vae__walk *c, size_t r) {
    const vae__terms *t = c->terms;
    float pull = t->draw_pull;
    if (t->weighs) pull = t->pull * t->weight[c->first + r];
    VAE__HIDE_F(pull);
    return pull;
}

/* NaN stays NaN, even with -Ofast, which assumes that there is none. */
VAE__PRIVATE float vae__clamp_logvar(float l) {
    if ((vae__bits_f(l) & 0x7fffffffu) > 0x7f800000u) return l;
    return l > VAE_LOGVAR_MAX ? VAE_LOGVAR_MAX : l < VAE_LOGVAR_MIN ? VAE_LOGVAR_MIN : l;
}

/* ---- normal: z = mu + exp(logvar / 2) eps ---- */

/* The op behind the head: (a, b) -> (code(a), 2 log deviation(b)), op->kw of each; op->n and op->kh
 * say which. */
VAE__PRIVATE void vae__spread_fwd(const vae__walk *c, const vae__op *op, const float *w,
                                  const float *x, float *y) {
    const size_t latent = (size_t)op->kw;
    size_t i, at;
    vae__pass_fwd(c, op, w, x, y);
    for (i = 0; i < c->rows; i++) {
        at = i * op->in.dim;
        c->k->map(op->kh, latent, x + at, y + at);
        at += latent;
        if (op->n) c->k->spread(op->n, latent, x + at, y + at);
    }
}
VAE__PRIVATE void vae__spread_bwd(const vae__walk *c, const vae__op *op, const float *w,
                                  const float *x, const float *dy, float *dx) {
    const size_t latent = (size_t)op->kw;
    size_t i;
    vae__pass_bwd(c, op, w, x, dy, dx);
    for (i = 0; i < c->rows; i++) {
        const size_t mu = i * op->in.dim, a = mu + latent;
        const float *kept = vae__act_keeps_input((vae_act)op->kh)
                                ? x : op->y + c->first * op->out.dim;
        if (op->kh) c->k->act_bwd(op->kh, latent, kept + mu, dx + mu);
        if (op->n) c->k->spread_bwd(op->n, latent, x + a, dy + a, dx + a);
    }
}
static const vae__layer vae__spread_layer = {
    "", NULL, NULL, "", 0, NULL, NULL, VAE__OF_WHOLE(vae__spread_fwd),
    VAE__BACK(vae__spread_bwd, NULL, NULL)};

VAE__PRIVATE int vae__normal_spreads(const vae__code *c) { return c->deviation || c->act; }
VAE__PRIVATE float vae__normal_lowest(const vae__code *c) {
    float low = VAE_LOGVAR_MIN, zero = 0;
    if (c->deviation) c->k->spread(VAE__SPREAD_RELU, 1, &zero, &low);
    return low;
}
/* Activations whose slope and its slope are known from their value. */
VAE__PRIVATE int vae__normal_curve(const vae__code *c) {
    return c->act == VAE_ACT_IDENTITY || c->act == VAE_ACT_RELU || c->act == VAE_ACT_TANH ||
           c->act == VAE_ACT_SIGMOID;
}
VAE__PRIVATE double vae__normal_slope(const vae__code *c, double mu, double *bend) {
    *bend = 0;
    if (c->act == VAE_ACT_RELU) return mu > 0;
    if (c->act == VAE_ACT_SIGMOID) {
        *bend = vae__add_d(1, -2 * mu);
        return vae__mul_d(mu, vae__add_d(1, -mu));
    }
    if (c->act == VAE_ACT_TANH) {
        *bend = -2 * mu;
        return vae__add_d(1, -vae__mul_d(mu, mu));
    }
    return 1;
}
VAE__PRIVATE void vae__normal_sample(const vae__code *c, const float *head, const float *eps,
                                     float *z) {
    c->k->latent_fwd(c->latent, head, eps, z);
}
VAE__PRIVATE void vae__normal_sample_bwd(const vae__code *c, const float *head, const float *eps,
                                         const float *dz, float *dhead) {
    c->k->latent_bwd(VAE_OBJECTIVE_ELBO, c->latent, head, eps, dz, 0, 0, dhead);
}

/* 1/2 sum over n numbers of v^2 + log 2 pi: of a normal. */
VAE__PRIVATE double vae__normal_sum(const float *v, size_t n) {
    double sum = vae__mul_d((double)n, 1.8378770664093454836);
    size_t i;
    for (i = 0; i < n; i++) sum = vae__add_d(sum, (double)v[i] * (double)v[i]);
    return 0.5 * sum;
}
VAE__PRIVATE double vae__normal_log_q(const vae__code *c, const float *head, const float *eps,
                                      const float *z) {
    double sum = 0;
    size_t j;
    (void)z;
    for (j = 0; j < c->latent; j++)
        sum = vae__add_d(sum, (double)vae__clamp_logvar(head[c->latent + j]));
    return -vae__add_d(0.5 * sum, vae__normal_sum(eps, c->latent));
}
VAE__PRIVATE void vae__normal_log_q_bwd(const vae__code *c, const float *head, const float *eps,
                                        float scale, float *dhead) {
    const float *logvar = head + c->latent;
    size_t j;
    (void)eps;
    for (j = 0; j < c->latent; j++)
        if (!(logvar[j] > VAE_LOGVAR_MAX || logvar[j] < VAE_LOGVAR_MIN))
            dhead[c->latent + j] -= 0.5f * scale; /* that product is exact */
}
VAE__PRIVATE int vae__spreads(const vae__code *c) {
    const vae__means *means = c->posterior->means;
    return means && means->spreads && means->spreads(c);
}
static const vae__means vae__normal_means = {
    &vae__spread_layer, vae__normal_spreads, vae__normal_lowest, vae__normal_curve,
    vae__normal_slope};

/* With N(0, I). */
VAE__PRIVATE float vae__normal_kl(const vae__code *c, const float *head, float scale,
                                  const float *keep, float *dhead) {
    return c->k->kl(c->latent, head, scale, keep, dhead);
}
VAE__PRIVATE void vae__normal_kl_terms(const vae__code *c, const float *head, float *kl) {
    c->k->kl_terms(c->latent, head, kl);
}
VAE__PRIVATE float vae__normal_ratio(const vae__code *c, const float *head, const float *eps,
                                     const float *z) {
    return c->k->ratio(c->latent, head, eps, z);
}
VAE__PRIVATE void vae__normal_ratio_bwd(const vae__code *c, vae_objective objective,
                                        const float *head, const float *eps, const float *dz,
                                        float pull, float weight, float *dhead) {
    c->k->latent_bwd((int)objective, c->latent, head, eps, dz, pull, weight, dhead);
}
static const vae__closed vae__normal_closed = {vae__normal_kl, vae__normal_kl_terms,
                                               vae__normal_ratio, vae__normal_ratio_bwd, NULL};

#ifndef VAE_NO_CODES
/* ---- normal full: z = mu + L eps, L lower triangular ----
 * The head begins like normal's: mu, and twice the logs of L's diagonal. Behind that stand L's
 * columns below the diagonal. So all is as for normal, and something is added. */

enum { VAE__MAX_FULL = 64 };

VAE__PRIVATE const char *vae__full_sizes(vae__code *c) {
    c->head = c->latent + c->latent * (c->latent + 1) / 2;
    c->room_floats = 2 * c->latent;
    return c->latent > VAE__MAX_FULL ? "it takes at most 64 latents" : NULL;
}
/* y += sign L x, where L has n rows and is 0 on its diagonal and above: its columns below that
 * stand one behind another. Unless `mean` is NULL x - mean stands in place of x. With sign -1 and
 * y = x it solves: y - mean = (1 + L)^-1 (x - mean). */
VAE__PRIVATE void vae__below(const vae__kernels *k, size_t n, const float *column, const float *x,
                             const float *mean, float sign, float *y) {
    size_t i, left = n;
    for (i = 0; --left; i++, column += left)
        k->add(left, column, sign * (mean ? x[i] - mean[i] : x[i]), y + i + 1, y + i + 1);
}
/* column += the gradient of L. */
VAE__PRIVATE void vae__below_bwd(const vae__kernels *k, size_t n, const float *x,
                                 const float *mean, const float *dy, float sign, float *column) {
    size_t i, left = n;
    for (i = 0; --left; i++, column += left)
        k->add(left, dy + i + 1, sign * (mean ? x[i] - mean[i] : x[i]), column, column);
}
VAE__PRIVATE void vae__full_sample(const vae__code *c, const float *head, const float *eps,
                                   float *z) {
    c->k->latent_fwd(c->latent, head, eps, z);
    if (eps) vae__below(c->k, c->latent, head + 2 * c->latent, eps, NULL, 1, z);
}
VAE__PRIVATE void vae__full_sample_bwd(const vae__code *c, const float *head, const float *eps,
                                       const float *dz, float *dhead) {
    vae__normal_sample_bwd(c, head, eps, dz, dhead);
    if (eps) vae__below_bwd(c->k, c->latent, eps, NULL, dz, 1, dhead + 2 * c->latent);
}
/* What the KL has in addition to that of `normal`: for each latent j, half the sum of squares of
 * row j of L without the diagonal. With dhead also scale times the gradient. Returns the sum. */
VAE__PRIVATE double vae__full_more(const vae__code *c, const float *head, float scale,
                                   const float *keep, float *dhead, float *kl) {
    const size_t latent = c->latent;
    double sum = 0;
    size_t j, k, at = 2 * latent;
    for (k = 0; k < latent; k++)
        for (j = k + 1; j < latent; j++, at++) {
            const double l = (double)head[at], half = 0.5 * (l * l); /* exact */
            sum = vae__add_d(sum, half);
            if (kl) kl[j] = (float)vae__add_d((double)kl[j], half);
            if (dhead && !(keep && !(keep[j] > 0)))
                dhead[at] = (float)vae__add_d((double)dhead[at], (double)scale * l);
        }
    return sum;
}
VAE__PRIVATE float vae__full_kl(const vae__code *c, const float *head, float scale,
                                const float *keep, float *dhead) {
    const double kl = (double)vae__normal_kl(c, head, scale, keep, dhead);
    return (float)vae__add_d(kl, vae__full_more(c, head, scale, keep, dhead, NULL));
}
VAE__PRIVATE void vae__full_kl_terms(const vae__code *c, const float *head, float *kl) {
    vae__normal_kl_terms(c, head, kl);
    (void)vae__full_more(c, head, 0, NULL, NULL, kl);
}
/* The density's slope along z is -v, L' v = eps; s becomes the diagonal. */
VAE__PRIVATE void vae__full_score(const vae__code *c, const float *head, const float *eps,
                                  float *s, float *v) {
    const float *column = head + c->latent + c->latent * (c->latent + 1) / 2;
    size_t i = c->latent, j;
    for (j = 0; j < c->latent; j++) s[j] = 0.5f * vae__clamp_logvar(head[c->latent + j]);
    c->k->map(VAE__FN_EXP, c->latent, s, s);
    while (i--) {
        double left = (double)eps[i];
        column -= c->latent - 1 - i;
        for (j = i + 1; j < c->latent; j++)
            left = vae__add_d(left, -((double)column[j - i - 1] * (double)v[j]));
        v[i] = (float)vae__div_d(left, (double)s[i]);
    }
}
VAE__PRIVATE void vae__full_ratio_bwd(const vae__code *c, vae_objective objective,
                                      const float *head, const float *eps, const float *dz,
                                      float pull, float weight, float *dhead) {
    float *d = c->room, *v = c->room + c->latent;
    const int dreg = objective == VAE_OBJECTIVE_DREG;
    if (dreg) vae__full_score(c, head, eps, d, v);
    vae__full_sample(c, head, eps, d);
    if (dreg) c->k->add(c->latent, v, -1, d, d);
    c->k->add(c->latent, d, pull, dz, d);
    if (dreg) c->k->add(c->latent, d, weight, NULL, d);
    vae__full_sample_bwd(c, head, eps, d, dhead);
    if (!dreg) vae__normal_log_q_bwd(c, head, eps, pull, dhead);
}
static const vae__means vae__full_means = {NULL, NULL, vae__normal_lowest, NULL, NULL};
static const vae__closed vae__full_closed = {vae__full_kl, vae__full_kl_terms, vae__normal_ratio,
                                             vae__full_ratio_bwd, NULL};
#endif

/* ======================================================================================
 * >>categories  codes that are not normal: categories, levels, none
 * uses: >>codes                      tests: tests/test_categories.c
 * ====================================================================================== */

/* Defaults of latent, temperature, temperature_end. */
enum { VAE__LATENTS = 20 };
#define VAE__HOT 0.5
#define VAE__COOL 0.1

#ifndef VAE_NO_CODES
/* ---- categorical: each latent one of K, a block of K numbers of z, one of which is 1 ----
 * In training z is relaxed to the softmax of (logits + g) / temperature, g Gumbel noise. Outside it
 * is the largest of logits + g, which is a draw from the softmax of the logits. */

VAE__PRIVATE const char *vae__categorical_sizes(vae__code *c) {
    c->categories = c->deviation;
    if (c->latent > VAE_MAX_DIM / (size_t)c->categories) return "there are too many categories";
    c->head = c->width = c->noise = c->latent * (size_t)c->categories;
    c->room_floats = 2 * c->width + c->latent; /* probabilities, excess, the KL of each latent */
    return NULL;
}
/* Each block of p becomes 1 at its largest number and 0 elsewhere. */
VAE__PRIVATE void vae__harden(size_t n, size_t k, float *p) {
    size_t i, top;
    for (; n--; p += k) {
        for (top = 0, i = 1; i < k; i++) top = p[i] > p[top] ? i : top;
        for (i = 0; i < k; i++) p[i] = i == top;
    }
}
VAE__PRIVATE void vae__categorical_sample(const vae__code *c, const float *head, const float *u,
                                          float *z) {
    const size_t k = (size_t)c->categories;
    c->k->softmax(c->latent, k, head, u, u && c->sharpness > 0 ? c->sharpness : 1, z);
    if (u && (c->through || !(c->sharpness > 0))) vae__harden(c->latent, k, z);
}
VAE__PRIVATE void vae__categorical_sample_bwd(const vae__code *c, const float *head,
                                              const float *u, const float *dz, float *dhead) {
    const size_t k = (size_t)c->categories;
    c->k->softmax(c->latent, k, head, u, c->sharpness, c->room);
    c->k->softmax_bwd(c->latent, k, c->room, dz, c->sharpness, NULL, dhead);
}
/* The KL from categories that are equally likely. */
VAE__PRIVATE void vae__categorical_kl_terms(const vae__code *c, const float *head, float *kl) {
    c->k->categories(c->latent, (size_t)c->categories, head, c->room, c->room + c->width, kl);
}
VAE__PRIVATE float vae__categorical_kl(const vae__code *c, const float *head, float scale,
                                       const float *keep, float *dhead) {
    float *kl = c->room + 2 * c->width;
    double sum = 0;
    size_t j;
    vae__categorical_kl_terms(c, head, kl);
    for (j = 0; j < c->latent; j++) sum = vae__add_d(sum, (double)kl[j]);
    if (dhead)
        c->k->softmax_bwd(c->latent, (size_t)c->categories, c->room, c->room + c->width, scale,
                          keep, dhead);
    return (float)sum;
}
/* Of whole categories. */
VAE__PRIVATE float vae__categorical_ratio(const vae__code *c, const float *head, const float *u,
                                          const float *z) {
    double sum = 0;
    size_t i;
    (void)u;
    vae__categorical_kl_terms(c, head, c->room + 2 * c->width);
    for (i = 0; i < c->width; i++)
        if (z[i] > 0) sum = vae__add_d(sum, (double)c->room[c->width + i]);
    return (float)sum;
}
/* One of n equally likely numbers, made from a uniform number. */
VAE__INLINE size_t vae__choice_of(float u, size_t n) {
    const size_t i = (size_t)vae__mul_d((double)u, (double)n);
    return vae__min(i, n - 1);
}
VAE__PRIVATE void vae__categorical_draw(const vae__code *c, const vae__address *at, float *z) {
    const size_t k = (size_t)c->categories;
    size_t j;
    c->k->draw(VAE__DRAW_UNIFORM, at, 0, c->latent, c->room);
    for (j = 0; j < c->width; j++) z[j] = j % k == vae__choice_of(c->room[j / k], k);
}
static const vae__closed vae__categorical_closed = {
    vae__categorical_kl, vae__categorical_kl_terms, vae__categorical_ratio, NULL,
    vae__categorical_draw};

/* ---- fsq: each latent the nearest of L levels from -1 to 1 to its tanh ---- */

VAE__PRIVATE const char *vae__fsq_sizes(vae__code *c) {
    const size_t listed = (size_t)c->listed;
    if (listed > 1 && c->latent != listed && c->latent != VAE__LATENTS) /* not given: the default */
        return "it has numbers of levels for another number of latents than `latent`";
    if (listed > 1) c->latent = listed;
    c->head = c->width = c->latent, c->noise = 0;
    c->room_floats = c->latent, c->through = 1;
    return NULL;
}
VAE__INLINE double vae__levels(const vae__code *c, size_t j) {
    return (double)c->list[c->listed > 1 ? j : 0];
}
/* Number i of L levels. */
VAE__INLINE float vae__level_at(size_t i, double levels) {
    return (float)vae__div_d(vae__add_d((double)(2 * i), 1 - levels), levels - 1);
}
VAE__PRIVATE void vae__fsq_sample(const vae__code *c, const float *head, const float *eps,
                                  float *z) {
    size_t j;
    (void)eps;
    c->k->map(VAE_ACT_TANH, c->latent, head, z);
    for (j = 0; j < c->latent; j++) {
        const double levels = vae__levels(c, j);
        double place = vae__mul_d(vae__add_d((double)z[j], 1), 0.5 * (levels - 1));
        if (!vae__finite_f(z[j])) continue;
        z[j] = vae__level_at((size_t)vae__add_d(place, 0.5), levels);
    }
}
VAE__PRIVATE void vae__fsq_sample_bwd(const vae__code *c, const float *head, const float *eps,
                                      const float *dz, float *dhead) {
    size_t j;
    (void)eps;
    memcpy(c->room, dz, c->latent * sizeof(float));
    for (j = 0; j < c->latent; j++) {
        float t;
        c->k->map(VAE_ACT_TANH, 1, head + j, &t);
        c->k->act_bwd(VAE_ACT_TANH, 1, &t, c->room + j);
    }
    c->k->add(c->latent, c->room, 1, dhead, dhead);
}
VAE__PRIVATE float vae__no_kl(const vae__code *c, const float *head, float scale,
                              const float *keep, float *dhead) {
    (void)c; (void)head; (void)scale; (void)keep; (void)dhead;
    return 0;
}
VAE__PRIVATE void vae__fsq_draw(const vae__code *c, const vae__address *at, float *z) {
    size_t j;
    c->k->draw(VAE__DRAW_UNIFORM, at, 0, c->latent, z);
    for (j = 0; j < c->latent; j++)
        z[j] = vae__level_at(vae__choice_of(z[j], (size_t)vae__levels(c, j)), vae__levels(c, j));
}
static const vae__closed vae__fsq_closed = {vae__no_kl, NULL, NULL, NULL, vae__fsq_draw};

/* ---- none: no encoder and no latents; the decoder is given the number 1 ---- */

VAE__PRIVATE const char *vae__none_sizes(vae__code *c) {
    c->latent = c->head = c->noise = 0, c->width = 1;
    return NULL;
}
VAE__PRIVATE void vae__none_sample(const vae__code *c, const float *head, const float *eps,
                                   float *z) {
    (void)c; (void)head; (void)eps;
    *z = 1;
}
VAE__PRIVATE void vae__none_sample_bwd(const vae__code *c, const float *head, const float *eps,
                                       const float *dz, float *dhead) {
    (void)c; (void)head; (void)eps; (void)dz; (void)dhead;
}
VAE__PRIVATE float vae__none_ratio(const vae__code *c, const float *head, const float *eps,
                                   const float *z) {
    (void)c; (void)head; (void)eps; (void)z;
    return 0;
}
VAE__PRIVATE void vae__none_draw(const vae__code *c, const vae__address *at, float *z) {
    (void)c; (void)at;
    *z = 1;
}
static const vae__closed vae__none_closed = {vae__no_kl, NULL, vae__none_ratio, NULL,
                                             vae__none_draw};
#define VAE__CODE_ROW(name, syntax, rule, args, noise, sizes, sample, sample_bwd, closed) \
    {{name, syntax, rule, args}, noise, sizes, sample, sample_bwd, NULL, NULL, NULL, closed}
#else
#define VAE__CODE_ROW(name, syntax, rule, args, noise, sizes, sample, sample_bwd, closed) \
    {VAE__KIND_LEFT_OUT(name, name), noise, NULL, NULL, NULL, NULL, NULL, NULL, NULL}
#endif

/* ======================================================================================
 * >>mixtures  priors of many normals: learned ones, posteriors of pseudo-inputs
 * uses: >>codes >>layers             tests: tests/test_priors.c
 * ==================================================================================== */

/* ---- the prior as an op, where the KL has no closed form: it passes z on unchanged ---- */

#ifdef VAE_NO_CODES
#define VAE__PRIOR_OP NULL
#else
#define VAE__PRIOR_OP &vae__prior_layer
VAE__PRIVATE void vae__prior_fwd(const vae__walk *c, const vae__op *op, const float *w,
                                 const float *x, float *y) {
    vae__code q = vae__code_of(c);
    double *logw = c->terms->logw;
    size_t r;
    vae__pass_fwd(c, op, w, x, y);
    for (r = 0; logw && r < c->rows; r++) {
        if (op->kept) q.kept = op->kept + (c->first + r) * op->row_floats;
        logw[c->first + r] = vae__add_d(
            logw[c->first + r], -q.prior->log_p(&q, w, x + r * op->in.dim, 0, NULL));
    }
}
VAE__PRIVATE void vae__prior_bwd(const vae__walk *c, const vae__op *op, const float *w,
                                 const float *x, const float *dy, float *dx) {
    vae__code q = vae__code_of(c);
    size_t r;
    vae__pass_bwd(c, op, w, x, dy, dx);
    for (r = 0; c->terms->logw && r < c->rows; r++) {
        if (op->kept) q.kept = op->kept + (c->first + r) * op->row_floats;
        (void)q.prior->log_p(&q, w, x + r * op->in.dim, -vae__row_pull(c, r),
                             dx + r * op->in.dim);
    }
}
static const vae__layer vae__prior_layer = {
    "prior", NULL, NULL, "", VAE__PASSES, NULL, NULL, vae__prior_fwd,
    VAE__BACK(vae__prior_bwd, NULL, NULL)};
#endif

#ifndef VAE_NO_CODES
/* ---- mixture K [full]: sum over k of softmax(logit)_k N(mean_k, covariance_k) ----
 * exp(logvar_k) are the variances of u = A (z - mean_k), where A = 1 unless the covariance is full:
 * then A is lower triangular with ones on its diagonal, and what stands below that is learned too
 * (`lower`, column by column). kept of a row: the probability that z is of each component, its
 * share. */

/* How many numbers A has below its diagonal. */
VAE__INLINE size_t vae__lower_size(int full, size_t wide) {
    return full ? wide * (wide - 1) / 2 : 0;
}
VAE__PRIVATE vae_status vae__mixture_shape(vae__parser *p, vae__op *op) {
    const size_t n = (size_t)op->n, wide = op->in.dim, lower = vae__lower_size(op->kw, wide);
    op->row_floats = n;
    op->room = n + 6 * wide + (op->kw ? wide + lower : 0);
    if (!op->own_floats) op->own_floats = n * (1 + 2 * wide + lower);
    return op->kw && wide > VAE__MAX_FULL
               ? vae__fail(p->report, VAE_ERR_VALUE, "prior mixture %d full: it takes at most %d "
                           "latents", op->n, (int)VAE__MAX_FULL) : VAE_OK;
}
VAE__PRIVATE int vae__mixture_tensors(const vae__op *op, vae__tensor out[4]) {
    const size_t lower = vae__lower_size(op->kw, op->in.dim);
    int i;
    out[0].name = "logit", out[1].name = "mean", out[2].name = "logvar", out[3].name = "lower";
    for (i = 0; i < 4; i++) {
        out[i].rank = i ? 2 : 1;
        out[i].shape[0] = (size_t)op->n, out[i].shape[1] = i < 3 ? op->in.dim : lower;
    }
    out[1].fan_in = out[1].fan_out = 1; /* a variance of 1, unless `init` is zero */
    return lower ? 4 : 3;
}
/* log sum exp(a), and a becomes exp(a) over that sum. What is below e^-30 of the largest is 0. */
VAE__PRIVATE double vae__shares(const vae__kernels *k, size_t n, float *a) {
    float top = a[0], log;
    double sum = 0;
    size_t i;
    for (i = 1; i < n; i++) top = a[i] > top ? a[i] : top;
    for (i = 0; i < n; i++) a[i] = (float)vae__add_d((double)a[i], -(double)top);
    k->map(VAE__FN_EXP, n, a, a);
    for (i = 0; i < n; i++) {
        if (a[i] < 9.3576e-14f) a[i] = 0;
        sum = vae__add_d(sum, (double)a[i]);
    }
    for (i = 0; i < n; i++) a[i] = (float)vae__div_d((double)a[i], sum);
    log = (float)sum;
    k->map(VAE__FN_LOG, 1, &log, &log);
    return vae__add_d((double)top, (double)log);
}
/* The logits of the components, and of component i the mean, then the log variance. Those of
 * pseudo-inputs are alike, and their heads are mean and log variance. */
VAE__PRIVATE float *vae__logits(const vae__code *c, const float *w) {
    float *logit = c->room + 6 * c->width;
    if (c->heads) memset(logit, 0, (size_t)c->n * sizeof(float));
    else memcpy(logit, w, (size_t)c->n * sizeof(float));
    return logit;
}
VAE__PRIVATE const float *vae__component(const vae__code *c, const float *w, size_t i) {
    const size_t k = (size_t)c->n, wide = c->width;
    if (c->heads) return c->heads + i * c->head;
    memcpy(c->room, w + k + i * wide, wide * sizeof(float));
    memcpy(c->room + wide, w + k + (k + i) * wide, wide * sizeof(float));
    return c->room;
}
VAE__INLINE const float *vae__lower(const vae__code *c, const float *w, size_t i) {
    const size_t k = (size_t)c->n;
    return c->full ? w + k * (1 + 2 * c->width) + i * vae__lower_size(1, c->width) : NULL;
}
VAE__PRIVATE double vae__dot_d(const float *a, const float *b, size_t n) {
    double sum = 0;
    size_t i;
    for (i = 0; i < n; i++) sum = vae__add_d(sum, (double)a[i] * (double)b[i]); /* exact product */
    return sum;
}
/* -log of the density at z of a component and, unless dpart is NULL, scale times its gradient by
 * mean and log variance to dpart, and by A, which is added to dlower unless that is NULL. */
VAE__PRIVATE float vae__component_loss(const vae__code *c, const float *part, const float *lower,
                                       const float *z, float scale, float *dpart, float *dlower) {
    const size_t wide = c->width;
    float *u = c->room + 6 * wide + c->n, loss;
    size_t i, left;
    if (c->full) { /* u = mean + A (z - mean) */
        memcpy(u, z, wide * sizeof(float));
        vae__below(c->k, wide, lower, z, part, 1, u);
    }
    loss = c->k->density(VAE__DENSITY_GAUSSIAN_PIXEL, wide, wide, part, 0, c->full ? u : z, scale,
                         dpart, NULL);
    if (!c->full || !dpart) return loss;
    if (dlower) vae__below_bwd(c->k, wide, z, part, dpart, -1, dlower);
    for (i = 0, left = wide; --left; i++, lower += left)
        dpart[i] = (float)vae__add_d((double)dpart[i], vae__dot_d(lower, dpart + i + 1, left));
    return loss;
}
VAE__PRIVATE double vae__mixture_log_p(const vae__code *c, const float *w, const float *z,
                                       float scale, float *dz) {
    const size_t k = (size_t)c->n, wide = c->width;
    float *logit = vae__logits(c, w), *dpart = c->room + 2 * wide;
    size_t i;
    for (i = 0; i < k; i++) {
        float part = dz ? scale * c->kept[i] : 0; /* forward nobody has written it yet */
        VAE__HIDE_F(part);
        if (dz && !(c->kept[i] > 0)) continue;
        if (dz) { /* by z as by the mean, for log p in place of -log p */
            (void)vae__component_loss(c, vae__component(c, w, i), vae__lower(c, w, i), z, part,
                                      dpart, NULL);
            c->k->add(wide, dpart, 1, dz, dz);
        } else {
            c->kept[i] = logit[i] - vae__component_loss(c, vae__component(c, w, i),
                                                        vae__lower(c, w, i), z, 0, NULL, NULL);
            VAE__HIDE_F(c->kept[i]);
        }
    }
    if (dz) return 0;
    return vae__add_d(vae__shares(c->k, k, c->kept), -vae__shares(c->k, k, logit));
}
/* Copies the op's tensors: the optimiser may update one before the gradient of the next is made,
 * which needs the old values. */
VAE__PRIVATE void vae__mixture_bwd(const vae__walk *c, const vae__op *op, const float *w,
                                   const float *x, const float *dy, float *dx) {
    if (!c->first) memcpy(op->own, w, op->own_floats * sizeof(float)); /* one part has row 0 */
    vae__prior_bwd(c, op, w, x, dy, dx);
}
/* dpart += the gradient of component i's mean and log variance, summed over the rows of the batch
 * in order, and that of A behind u in the scratch. A row counts by the component's share in it
 * times the weight of its log q - log p. */
VAE__PRIVATE void vae__component_bwd(const vae__walk *c, const vae__op *op, size_t i,
                                     const float *z, float *dpart) {
    const vae__code q = vae__code_of(c);
    const size_t k = (size_t)op->n, wide = op->in.dim;
    const float *part = vae__component(&q, op->own, i);
    float *room = q.room + 2 * wide, *dlower = q.full ? q.room + 7 * wide + k : NULL;
    size_t r;
    if (q.full) memset(dlower, 0, vae__lower_size(1, wide) * sizeof(float));
    for (r = 0; c->terms->logw && r < c->rows; r++) {
        float share = vae__row_pull(c, r) * op->kept[r * k + i];
        VAE__HIDE_F(share);
        if (!(op->kept[r * k + i] > 0)) continue;
        (void)vae__component_loss(&q, part, vae__lower(&q, op->own, i), z + r * wide, share, room,
                                  dlower);
        c->k->add(2 * wide, room, 1, dpart, dpart);
    }
}
VAE__PRIVATE void vae__mixture_grad(const vae__walk *c, const vae__op *op, int tensor, size_t from,
                                    size_t to, const float *x, const float *dy, float *dw) {
    const vae__code q = vae__code_of(c);
    const size_t k = (size_t)op->n, wide = op->in.dim;
    const size_t rows = c->terms->logw ? c->rows : 0;
    const size_t n = tensor == 3 ? vae__lower_size(q.full, wide) : wide;
    float *logit = vae__logits(&q, op->own), *dpart = q.room + 4 * wide;
    double all = 0, sum;
    size_t i, r;
    (void)dy;
    for (i = from; tensor && i < to; i++, dw += n) {
        memset(dpart, 0, 2 * wide * sizeof(float));
        vae__component_bwd(c, op, i, x, dpart);
        memcpy(dw, tensor == 3 ? q.room + 7 * wide + k : tensor == 2 ? dpart + wide : dpart,
               n * sizeof(float));
    }
    if (tensor) return;
    (void)vae__shares(c->k, k, logit);
    for (r = 0; r < rows; r++) all = vae__add_d(all, (double)vae__row_pull(c, r));
    for (i = 0; i < k; i++) {
        sum = vae__mul_d((double)logit[i], all);
        for (r = 0; r < rows; r++)
            sum = vae__add_d(sum, -vae__mul_d((double)vae__row_pull(c, r),
                                              (double)op->kept[r * k + i]));
        dw[i] = (float)sum;
    }
}
/* Draws the component with a uniform number at replica + 1 of the address, then z from it with the
 * normals at the address itself. With a full covariance they make u, and A (z - mean) = u is
 * solved. */
VAE__PRIVATE void vae__mixture_draw(const vae__code *c, const float *w, const vae__address *at,
                                    float *z) {
    const size_t k = (size_t)c->n;
    float *share = vae__logits(c, w), *eps = c->room + 2 * c->width, u;
    const float *part;
    vae__address choice = *at;
    double sum = 0;
    size_t i, which = 0;
    choice.counter[2] += 1;
    c->k->draw(VAE__DRAW_UNIFORM, &choice, 0, 1, &u);
    (void)vae__shares(c->k, k, share);
    for (i = 0; i < k && !(sum > (double)u); i++) {
        if (share[i] > 0) which = i; /* the last one, should the sum stay below u */
        sum = vae__add_d(sum, (double)share[i]);
    }
    c->k->draw(VAE__DRAW_NORMAL, at, 0, c->width, eps);
    part = vae__component(c, w, which);
    c->k->observe(VAE__DENSITY_GAUSSIAN_PIXEL, c->width, c->width, 0, 0, part, eps, z);
    if (c->full) vae__below(c->k, c->width, vae__lower(c, w, which), z, part, -1, z);
}
static const vae__layer vae__mixture_layer = {
    "prior", NULL, NULL, "", VAE__PASSES, vae__mixture_shape, vae__mixture_tensors, vae__prior_fwd,
    VAE__BACK(vae__mixture_bwd, vae__mixture_grad, NULL)};

/* ---- vamp K: 1/K sum over k of q(z|u_k), u_k learned (Tomczak & Welling 2018) ---- */

VAE__PRIVATE int vae__vamp_tensors(const vae__op *op, vae__tensor out[4]) {
    out[0].name = "input", out[0].rank = 2;
    out[0].shape[0] = (size_t)op->n, out[0].shape[1] = (size_t)op->kh;
    out[0].fan_in = out[0].fan_out = 12, out[0].start = 0.5f; /* mostly uniform on [0,1] */
    return 1;
}
/* Clamped inputs have no gradient that would lead them further out. */
VAE__PRIVATE void vae__vamp_grad(const vae__walk *c, const vae__op *op, int tensor, size_t from,
                                 size_t to, const float *x, const float *dy, float *dw) {
    const vae__code *q = c->terms->code;
    const size_t wide = (size_t)op->kh;
    const float *w = c->params + op->weights + from * wide;
    const float *d = q->heads + (size_t)op->n * q->head + from * wide;
    size_t i;
    (void)tensor; (void)x; (void)dy;
    for (i = 0; i < (to - from) * wide; i++)
        dw[i] = q->unit && ((w[i] > 1 && d[i] < 0) || (w[i] < 0 && d[i] > 0)) ? 0 : d[i];
}
static const vae__layer vae__vamp_layer = {
    "prior", NULL, NULL, "", VAE__PASSES, vae__mixture_shape, vae__vamp_tensors, vae__prior_fwd,
    VAE__BACK(vae__prior_bwd, vae__vamp_grad, NULL)};
#endif

/* ======================================================================================
 * >>priors   the tables of posteriors and priors, flows, reading, the code's op
 * uses: >>codes >>categories >>mixtures >>program >>layers >>rng
 * tests: tests/test_codes.c, tests/test_iwae.c, tests/test_penalties.c
 * ====================================================================================== */

/* ---- the table of posteriors ---- */

static const vae__posterior vae__posteriors[] = {
    {{"normal", VAE__HELP("normal [abs | relu | softplus] [code ACT]",
                          "diagonal. The head gives mu and the log variance; or, with abs, relu "
                          "or softplus, a number whose function that is is the deviation, at "
                          "least 0.001; with code ACT mu is that activation of the head's"), "oc"},
     VAE__DRAW_NORMAL, NULL, VAE__OF_WHOLE(vae__normal_sample),
     VAE__OF_WHOLE(vae__normal_sample_bwd), VAE__OF_WHOLE(vae__normal_log_q),
     VAE__OF_WHOLE(vae__normal_log_q_bwd), VAE__OF_WHOLE(&vae__normal_means),
     VAE__OF_WHOLE(&vae__normal_closed)},
#ifdef VAE_NO_CODES
    {VAE__KIND_LEFT_OUT("normal full", "normal full"), 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL},
#else
    {{"normal full", "normal full", "of any covariance L L', up to 64 latents. The head gives mu, "
      "the diagonal of L as a log variance, and L below it", ""},
     VAE__DRAW_NORMAL, vae__full_sizes, vae__full_sample, vae__full_sample_bwd, vae__normal_log_q,
     vae__normal_log_q_bwd, &vae__full_means, &vae__full_closed},
#endif
    VAE__CODE_ROW("categorical", "categorical K",
      "each latent one of K categories, of which the head gives the logits; the prior `normal` is "
      "equal categories. In training they are relaxed (Gumbel-softmax): see temperature and "
      "straight_through", "g", VAE__DRAW_UNIFORM, vae__categorical_sizes, vae__categorical_sample,
      vae__categorical_sample_bwd, &vae__categorical_closed),
    VAE__CODE_ROW("fsq", "fsq L ...",
      "each latent rounds its tanh to one of L levels, the gradient straight through; no noise and "
      "no KL. One L for all latents, or one for each; the prior `normal` is equal levels",
      "w", VAE__DRAW_UNIFORM, vae__fsq_sizes, vae__fsq_sample, vae__fsq_sample_bwd,
      &vae__fsq_closed),
    VAE__CODE_ROW("none", "none",
      "no encoder and no latents: the decoder alone, which is given the number 1. The KL is 0", "",
      VAE__DRAW_UNIFORM, vae__none_sizes, vae__none_sample, vae__none_sample_bwd,
      &vae__none_closed),
};

/* ---- the prior N(0, I) ---- */

VAE__PRIVATE double vae__normal_log_p(const vae__code *c, const float *w, const float *z,
                                      float scale, float *dz) {
    (void)w;
    if (dz) c->k->add(c->width, z, -scale, dz, dz);
    return -vae__normal_sum(z, c->width);
}
VAE__PRIVATE void vae__normal_draw(const vae__code *c, const float *w, const vae__address *at,
                                   float *z) {
    (void)w;
    c->k->draw(VAE__DRAW_NORMAL, at, 0, c->width, z);
}

/* ---- the table of priors ---- */

/* The first row is the standard prior of the closed forms. */
static const vae__prior vae__priors[] = {
    {{"normal", VAE__HELP("normal", "N(0, I)"), ""}, VAE__PRIOR_OP, 0,
     VAE__OF_WHOLE(vae__normal_log_p), VAE__OF_WHOLE(vae__normal_draw), NULL},
#ifdef VAE_NO_CODES
    {VAE__KIND_LEFT_OUT("mixture", "mixture K [full]"), NULL, 0, NULL, NULL, NULL},
    {VAE__KIND_LEFT_OUT("vamp", "vamp K"), NULL, 0, NULL, NULL, NULL},
#else
    {{"mixture", "mixture K [full]", "K normals; shares, means and variances are learned, and "
      "with full also covariances, up to 64 latents", "mu"},
     &vae__mixture_layer, 0, vae__mixture_log_p, vae__mixture_draw, NULL},
    {{"vamp", "vamp K", "the mean of the posteriors of K pseudo-inputs, which are learned: images "
      "that begin as training images", "m"}, &vae__vamp_layer, 0, vae__mixture_log_p,
     vae__mixture_draw, vae__component_bwd},
#endif
};

/* ---- flows: steps from z to z', each an op ----
 * A row is z (latent), then what the head gives for the flow. A step takes the log of its
 * Jacobian's determinant from log q. */

#ifndef VAE_NO_CODES
VAE__PRIVATE void vae__add_logw(const vae__walk *c, size_t r, double add) {
    double *logw = c->terms->logw;
    if (logw) logw[c->first + r] = vae__add_d(logw[c->first + r], add);
}
VAE__PRIVATE double vae__map_d(const vae__walk *c, int fn, double x) {
    float t = (float)x;
    c->k->map(fn, 1, &t, &t);
    return (double)t;
}

/* Planar (Rezende & Mohamed 2015): z' = z + s tanh(w z + b), where s = u + (m(w u) - w u) w / |w|^2
 * and m(a) = log(1 + (e - 1) e^a) - 1, so that w s > -1, and u = 0 changes nothing. The determinant
 * is 1 + (1 - tanh^2) w s. A row has u, w, b for each step to come, those of this step last. */
typedef struct vae__planar {
    const float *u, *w;
    double a, square, gain, h, slope, along, det; /* w u, |w|^2, of w in s, tanh, 1 - h^2, w s */
} vae__planar;
VAE__PRIVATE vae__planar vae__planar_of(const vae__walk *c, const vae__op *op, const float *x) {
    const size_t n = (size_t)op->kh;
    vae__planar p;
    p.u = x + op->out.dim, p.w = p.u + n;
    p.a = vae__dot_d(p.w, p.u, n);
    p.square = vae__add_d(vae__dot_d(p.w, p.w, n), 1e-12); /* w = 0 is no direction */
    p.gain = vae__map_d(c, VAE_ACT_SOFTPLUS, vae__add_d(p.a, 0.54132485461291810)); /* log(e - 1) */
    p.gain = vae__div_d(vae__add_d(p.gain, -vae__add_d(p.a, 1)), p.square);
    p.h = vae__map_d(c, VAE_ACT_TANH, vae__add_d(vae__dot_d(p.w, x, n), (double)p.w[n]));
    p.slope = vae__add_d(1, -vae__mul_d(p.h, p.h));
    p.along = vae__add_d(p.a, vae__mul_d(p.gain, vae__add_d(p.square, -1e-12)));
    p.det = vae__add_d(1, vae__mul_d(p.slope, p.along));
    return p;
}
VAE__PRIVATE void vae__planar_fwd(const vae__walk *c, const vae__op *op, const float *w,
                                  const float *x, float *y) {
    const size_t n = (size_t)op->kh;
    size_t r, j;
    (void)w;
    for (r = 0; r < c->rows; r++, x += op->in.dim, y += op->out.dim) {
        const vae__planar p = vae__planar_of(c, op, x);
        for (j = 0; j < n; j++) {
            const double s = vae__add_d((double)p.u[j], vae__mul_d(p.gain, (double)p.w[j]));
            y[j] = (float)vae__add_d((double)x[j], vae__mul_d(s, p.h));
        }
        memcpy(y + n, x + n, (op->out.dim - n) * sizeof(float));
        vae__add_logw(c, r, -vae__map_d(c, VAE__FN_LOG, p.det));
    }
}
VAE__PRIVATE void vae__planar_bwd(const vae__walk *c, const vae__op *op, const float *w,
                                  const float *x, const float *dy, float *dx) {
    const size_t n = (size_t)op->kh;
    size_t r, j;
    (void)w;
    for (r = 0; r < c->rows; r++, x += op->in.dim, dy += op->out.dim, dx += op->in.dim) {
        const vae__planar p = vae__planar_of(c, op, x);
        float *du = dx + op->out.dim, *dw = du + n;
        const double wd = vae__dot_d(p.w, dy, n), ud = vae__dot_d(p.u, dy, n);
        const double ddet = -vae__div_d((double)vae__row_pull(c, r), p.det);
        double dh = vae__add_d(ud, vae__mul_d(p.gain, wd)), dgain = vae__mul_d(p.h, wd), da, ds, dv;
        const double dalong = vae__mul_d(ddet, p.slope);
        dh = vae__add_d(dh, vae__mul_d(-2 * p.h, vae__mul_d(ddet, p.along)));
        dv = vae__mul_d(dh, p.slope);
        dgain = vae__add_d(dgain, vae__mul_d(dalong, vae__add_d(p.square, -1e-12)));
        ds = vae__div_d(dgain, p.square);
        da = vae__map_d(c, VAE_ACT_SIGMOID, vae__add_d(p.a, 0.54132485461291810));
        da = vae__add_d(dalong, vae__mul_d(ds, vae__add_d(da, -1)));
        ds = 2 * vae__add_d(vae__mul_d(dalong, p.gain), -vae__mul_d(ds, p.gain));
        for (j = 0; j < n; j++) {
            const double v = (double)p.w[j], hd = vae__mul_d(p.h, (double)dy[j]);
            double t = vae__add_d(vae__mul_d(dv, (double)x[j]), vae__mul_d(p.gain, hd));
            t = vae__add_d(t, vae__mul_d(da, (double)p.u[j]));
            dw[j] = (float)vae__add_d(t, vae__mul_d(ds, v));
            du[j] = (float)vae__add_d(hd, vae__mul_d(da, v));
            dx[j] = (float)vae__add_d((double)dy[j], vae__mul_d(dv, v));
        }
        dw[n] = (float)dv;
        memcpy(dx + n, dy + n, (op->out.dim - n) * sizeof(float));
    }
}
VAE__PRIVATE vae_status vae__planar_shape(vae__parser *p, vae__op *op) {
    (void)p;
    vae__shape_flat(&op->out, op->in.dim - 2 * (size_t)op->kh - 1);
    return VAE_OK;
}
VAE__PRIVATE size_t vae__planar_context(const vae__code *c) {
    return (size_t)c->flow_steps * (2 * c->latent + 1);
}
static const vae__layer vae__planar_layer = {
    "planar", NULL, NULL, "", 0, vae__planar_shape, NULL, vae__planar_fwd,
    VAE__BACK(vae__planar_bwd, NULL, NULL)};

/* Inverse autoregressive (Kingma et al. 2016): z' = s z + (1 - s) m, s = sigmoid(a + 1.5), where m
 * and a of latent j come from z of the latents before it: one hidden layer, h = elu(W z + b + what
 * the head gives), then (m, a) = V h + d. In odd steps the order is reversed. The hidden numbers
 * are in order too: number u of WIDTH sees the first u latent / WIDTH latents, rounded down, and is
 * seen by those behind; all other weights are 0. A row has op->n = WIDTH numbers of the head. */
VAE__PRIVATE float *vae__iaf_kept(const vae__walk *c, const vae__op *op, size_t before, size_t n) {
    return op->kept + op->rows * before + c->first * n; /* of n numbers a row, `before` before */
}
VAE__PRIVATE void vae__iaf_fwd(const vae__walk *c, const vae__op *op, const float *w,
                               const float *x, float *y) {
    const size_t n = (size_t)op->kh, wide = (size_t)op->n, in = op->in.dim, out = op->out.dim;
    const float *b = w + n * wide, *v = b + wide, *d = v + 2 * n * wide;
    float *h = vae__iaf_kept(c, op, 0, wide), *ma = vae__iaf_kept(c, op, wide, 2 * n);
    size_t r, j;
    c->k->gemm(0, c->rows, wide, n, x, in, w, wide, b, VAE_ACT_IDENTITY, h, wide);
    for (r = 0; r < c->rows; r++) c->k->add(wide, x + r * in + n, 1, h + r * wide, h + r * wide);
    c->k->map(VAE_ACT_ELU, c->rows * wide, h, h);
    c->k->gemm(0, c->rows, 2 * n, wide, h, wide, v, 2 * n, d, VAE_ACT_IDENTITY, ma, 2 * n);
    for (r = 0; r < c->rows; r++, x += in, y += out, ma += 2 * n) {
        float *a = ma + n;
        double sum = 0;
        for (j = 0; j < n; j++) a[j] = -1.5f - a[j];
        c->k->map(VAE_ACT_SOFTPLUS, n, a, y);
        for (j = 0; j < n; j++) sum = vae__add_d(sum, (double)y[j]), a[j] = -a[j];
        c->k->map(VAE_ACT_SIGMOID, n, a, a);
        for (j = 0; j < n; j++)
            y[j] = (float)vae__add_d((double)ma[j], vae__mul_d((double)a[j], vae__add_d(
                                         (double)x[j], -(double)ma[j])));
        memcpy(y + n, x + n, (out - n) * sizeof(float));
        vae__add_logw(c, r, sum);
    }
}
VAE__PRIVATE void vae__iaf_bwd(const vae__walk *c, const vae__op *op, const float *w,
                               const float *x, const float *dy, float *dx) {
    const size_t n = (size_t)op->kh, wide = (size_t)op->n, in = op->in.dim, out = op->out.dim;
    const float *h = vae__iaf_kept(c, op, 0, wide), *ma = vae__iaf_kept(c, op, wide, 2 * n);
    float *dh = vae__iaf_kept(c, op, wide + 2 * n, wide);
    float *dma = vae__iaf_kept(c, op, 2 * wide + 2 * n, 2 * n);
    size_t r, j;
    for (r = 0; r < c->rows; r++) {
        const double pull = (double)vae__row_pull(c, r);
        for (j = 0; j < n; j++) {
            const double z = (double)x[r * in + j], d = (double)dy[r * out + j];
            const double m = (double)ma[2 * n * r + j], s = (double)ma[2 * n * r + n + j];
            const double ds = vae__mul_d(vae__mul_d(d, s), vae__add_d(z, -m));
            const double rest = vae__add_d(1, -s);
            dma[2 * n * r + j] = (float)vae__mul_d(d, rest);
            dma[2 * n * r + n + j] = (float)vae__mul_d(vae__add_d(ds, -pull), rest);
            dx[r * in + j] = (float)vae__mul_d(d, s);
        }
    }
    c->k->gemm(VAE__GEMM_TRANS_B, c->rows, wide, 2 * n, dma, 2 * n, w + (n + 1) * wide, 2 * n, NULL,
               VAE_ACT_IDENTITY, dh, wide);
    c->k->act_bwd(VAE_ACT_ELU, c->rows * wide, h, dh);
    c->k->gemm(VAE__GEMM_TRANS_B | VAE__GEMM_ADD, c->rows, n, wide, dh, wide, w, wide, NULL,
               VAE_ACT_IDENTITY, dx, in);
    for (r = 0; r < c->rows; r++, dx += in)
        c->k->add(wide, dh + r * wide, 1, out > n ? dy + r * out + n : NULL, dx + n);
}
VAE__PRIVATE void vae__iaf_grad(const vae__walk *c, const vae__op *op, int tensor, size_t from,
                                size_t to, const float *x, const float *dy, float *dw) {
    const size_t n = (size_t)op->kh, wide = (size_t)op->n, in = tensor ? wide : op->in.dim;
    const size_t out = tensor > 1 ? 2 * n : wide;
    const float *h = tensor ? vae__iaf_kept(c, op, 0, wide) : x;
    const float *d = vae__iaf_kept(c, op, tensor > 1 ? 2 * wide + 2 * n : wide + 2 * n, out);
    (void)dy;
    if (tensor & 1) c->k->bias_bwd(c->rows, out, d, dw);
    else c->k->gemm(VAE__GEMM_TRANS_A, to - from, out, c->rows, h + from, in, d, out, NULL,
                    VAE_ACT_IDENTITY, dw, out);
}
VAE__PRIVATE int vae__iaf_mask(const vae__op *op, int tensor, size_t from, size_t to,
                               const float *w, float *clear) {
    const size_t n = (size_t)op->kh, wide = (size_t)op->n, columns = tensor ? 2 * n : wide;
    const int odd = op->kw & 1;
    size_t i, j, half;
    int wrong = 0;
    for (i = from; i < to && !(tensor & 1); i++) {
        /* this row is 0 at `count` places from `first` on: of W the hidden numbers that do not see
         * latent i, of V the latents that hidden number i sees, for m and for a */
        const size_t before = ((odd ? n - 1 - i : i) + 1) * wide;
        const size_t count = tensor ? i * n / wide : (before + n - 1) / n;
        const size_t first = (i - from) * columns + (tensor && odd ? n - count : 0);
        for (half = 0; half < (tensor ? 2 * n : n); half += n)
            for (j = first + half; j < first + half + count; j++) {
                wrong |= w[j] < 0 || w[j] > 0;
                if (clear) clear[j] = 0;
            }
    }
    return wrong;
}
VAE__PRIVATE int vae__iaf_tensors(const vae__op *op, vae__tensor out[4]) {
    size_t shape[2];
    shape[0] = (size_t)op->kh, shape[1] = (size_t)op->n;
    vae__weight_and_bias(out, 2, shape, shape[1]);
    out[0].fan_in = out[1].fan_in = shape[0], out[0].fan_out = out[1].fan_out = shape[1];
    shape[0] = (size_t)op->n, shape[1] = 2 * (size_t)op->kh;
    vae__weight_and_bias(out + 2, 2, shape, shape[1]);
    out[2].fan_in = out[3].fan_in = shape[0], out[2].fan_out = out[3].fan_out = shape[1];
    out[2].name = "out_weight", out[3].name = "out_bias";
    return 4;
}
VAE__PRIVATE vae_status vae__iaf_shape(vae__parser *p, vae__op *op) {
    (void)p;
    if (op->kw + 1 == op->stride) vae__shape_flat(&op->out, (size_t)op->kh);
    op->row_floats = 2 * ((size_t)op->n + 2 * (size_t)op->kh);
    return VAE_OK;
}
VAE__PRIVATE size_t vae__iaf_context(const vae__code *c) { return (size_t)c->flow_width; }
static const vae__layer vae__iaf_layer = {
    "iaf", NULL, NULL, "", 0, vae__iaf_shape, vae__iaf_tensors, vae__iaf_fwd,
    VAE__MASKED(vae__iaf_bwd, vae__iaf_grad, vae__iaf_mask)};
#endif

/* ---- the table of flows ---- */

static const vae__flow vae__flows[] = {
#ifdef VAE_NO_CODES
    {VAE__KIND_LEFT_OUT("planar", "normal, planar K"), NULL, NULL},
    {VAE__KIND_LEFT_OUT("iaf", "normal, iaf WIDTH K"), NULL, NULL},
#else
    {{"planar", "normal [full], planar K", "the draw of a normal, changed by K planar steps, whose "
      "u, w, b the head gives", "i"}, &vae__planar_layer, vae__planar_context},
    {{"iaf", "normal [full], iaf WIDTH K", "the draw of a normal, changed by K inverse "
      "autoregressive steps of masked layers with WIDTH hidden numbers; the head gives WIDTH "
      "numbers to all of them", "ni"}, &vae__iaf_layer, vae__iaf_context},
#endif
};

/* ---- reading: likelihoods, posteriors and priors are written alike ---- */

enum { VAE__KIND_TEXT = 64 }; /* a kind in canonical spelling, with its zero */

/* The rows of a table begin with a vae__kind; the first row is the default. */
typedef struct vae__kinds {
    const char *what, *expected; /* "prior", "a prior" */
    const void *rows;
    size_t count, size;
    const struct vae__kinds *more; /* what may stand behind a comma */
} vae__kinds;
#define VAE__KINDS(what, expected, rows, more) {what, expected, rows, sizeof rows / sizeof *rows, \
                                                sizeof *rows, more}
static const vae__kinds vae__flow_kinds = VAE__KINDS("posterior", "a flow", vae__flows, NULL);
static const vae__kinds vae__posterior_kinds =
    VAE__KINDS("posterior", "a posterior", vae__posteriors, &vae__flow_kinds);
static const vae__kinds vae__prior_kinds = VAE__KINDS("prior", "a prior", vae__priors, NULL);

VAE__PRIVATE const vae__kind *vae__kind_at(const vae__kinds *kinds, size_t i) {
    const void *row = (const char *)kinds->rows + i * kinds->size;
    return i < kinds->count ? (const vae__kind *)row : NULL;
}

/* How long the words of a name are at the cursor; 0: others stand there. */
VAE__PRIVATE size_t vae__name_length(vae__parser *p, const char *name) {
    const char *start = p->at;
    size_t n = 1, length = 0;
    while (n && *name) {
        const size_t word = vae__word(p);
        for (n = 0; name[n] && name[n] != ' ';) n++;
        if (!word || word != n || memcmp(p->at, name, n)) n = 0;
        p->at += n, name += n;
        if (n && *name) name++;
    }
    if (n) length = (size_t)(p->at - start);
    p->at = start;
    return length;
}

/* What a text says: the row, of several with these words the longest; its arguments in `op`; the
 * same of what stands behind a comma, where something may; its canonical spelling. */
VAE__PRIVATE vae_status vae__read_kind(const vae__kinds *kinds, const char *text,
                                       const vae__kind **row, vae__op *op,
                                       char spelled[VAE__KIND_TEXT], vae_report *report) {
    vae__parser p;
    vae__sink s = vae__sink_text(spelled, VAE__KIND_TEXT);
    const vae__kind *one;
    vae_status bad;
    size_t i, n, length;
    memset(&p, 0, sizeof p);
    p.what = kinds->what, p.text = p.at = p.item = text, p.report = report;
    for (; kinds; kinds = kinds->more, row++, op++) {
        memset(op, 0, sizeof *op);
        for (i = length = 0, *row = NULL; (one = vae__kind_at(kinds, i)) != NULL; i++)
            if ((n = vae__name_length(&p, one->name)) > length) length = n, *row = one;
        if (!*row) return vae__expected(&p, kinds->expected);
        if (!(*row)->args)
            return vae__fail(report, VAE_ERR_UNSUPPORTED, "%s %s is left out of this build",
                             kinds->what, (*row)->name);
        p.at += length;
        bad = vae__read_args(&p, (*row)->args, op);
        if (bad) return bad;
        vae__putf(&s, "%s", (*row)->name);
        vae__spell_args(&s, (*row)->args, op);
        vae__skip(&p);
        if (!kinds->more || *p.at != ',') break;
        vae__putf(&s, ", ");
        p.at++;
    }
    return *p.at ? vae__expected(&p, kinds && kinds->more ? "',' or the end" : "the end") : VAE_OK;
}

VAE__INLINE int vae__other(double a, double b) { return a < b || a > b; }
/* What does not go together with this code. */
VAE__PRIVATE vae_status vae__check_code(const vae_desc *d, const vae__code *c,
                                        const char *posterior, const char *prior,
                                        vae_report *report) {
    const vae__closed *closed = VAE__CLOSED(c) ? c->posterior->closed : NULL;
    const vae__means *means = c->posterior->means;
    const struct {
        int broken;
        const char *sentence;
    } rules[] = {
        {c->flow && !c->posterior->means, "a flow changes reals: it goes behind posterior normal"},
        {d->no_recon && closed && !closed->kl_terms,
         "no_recon leaves the KL alone, and posterior %s has none"},
        {d->free_bits > 0 && !(closed && closed->kl_terms),
         "free_bits needs the KL of each latent, which posterior %s and prior %s do not have"},
        {d->no_noise && !d->no_kl && !closed,
         "no_noise leaves no draws, of which the KL of posterior %s and prior %s is made"},
        {(d->no_noise || d->sparse > 0 || d->contract > 0) && !means,
         "no_noise, sparse and contract are of mu, which posterior %s does not have"},
        {!closed && !c->posterior->log_q,
         "posterior %s has no density for prior %s to be weighed with: it takes prior normal"},
        {d->corrupt && !c->head, "corrupt is of the encoder, which posterior %s does not have"},
        {(d->straight_through || d->temperature_steps || vae__other(d->temperature, VAE__HOT) ||
          vae__other(d->temperature_end, VAE__COOL)) && !c->categories,
         "straight_through, temperature, temperature_end and temperature_steps are of relaxed "
         "categories, which posterior %s does not have"},
        {d->objective == VAE_OBJECTIVE_DREG && !(closed && closed->ratio_bwd),
         "objective dreg is not derived for posterior %s and prior %s"},
        {vae__pseudo_inputs(c) && (!c->posterior->means || c->head != 2 * c->width),
         "the posteriors of pseudo-inputs must be normals that one head tells: not with posterior "
         "%s and prior %s"},
        {vae__pseudo_inputs(c) && d->contract > 0,
         "contract is of images alone: not with posterior %s and prior %s, for whose pseudo-inputs "
         "the encoder is there too"},
        {d->objective != VAE_OBJECTIVE_ELBO &&
             !(closed ? closed->ratio_bwd != NULL : c->posterior->log_q != NULL),
         "the objective weighs draws by a density that has a gradient, which posterior %s does not "
         "have"},
    };
    size_t i;
    for (i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i].broken)
            return vae__fail(report, VAE_ERR_VALUE, rules[i].sentence, posterior, prior);
    return VAE_OK;
}

/* Posterior and prior of a description, but for the kernels, and their canonical spelling. */
VAE__PRIVATE vae_status vae__read_code(const vae_desc *d, vae__code *c,
                                       char posterior[VAE__KIND_TEXT],
                                       char prior[VAE__KIND_TEXT], vae_report *report) {
    const vae__kind *row, *rows[2] = {NULL, NULL};
    const char *why;
    vae__op op, ops[2];
    vae_status bad;
    memset(c, 0, sizeof *c);
    c->latent = c->width = c->noise = (size_t)d->latent, c->head = 2 * c->latent;
    bad = vae__read_kind(&vae__posterior_kinds, d->posterior, rows, ops, posterior, report);
    if (bad) return bad;
    c->posterior = (const vae__posterior *)(const void *)rows[0];
    c->deviation = ops[0].n, c->act = (vae_act)ops[0].kh;
    c->flow = (const vae__flow *)(const void *)rows[1];
    if (c->flow) c->flow_width = ops[1].n, c->flow_steps = ops[1].stride;
    memcpy(c->list, ops[0].list, sizeof c->list), c->listed = ops[0].kw;
    bad = vae__read_kind(&vae__prior_kinds, d->prior, &row, &op, prior, report);
    if (bad) return bad;
    c->prior = (const vae__prior *)(const void *)row;
    c->n = op.n, c->full = op.kw, c->real = op.real;
    why = c->posterior->sizes ? c->posterior->sizes(c) : NULL;
    c->through |= d->straight_through;
    if (why)
        return vae__fail(report, VAE_ERR_VALUE, "posterior %s: %s", c->posterior->kind.name, why);
    if (c->flow) c->context = c->flow->context(c), c->head += c->context;
    c->closed = c->posterior->closed && c->prior == vae__priors && !c->flow;
    c->room_floats = vae__max(c->room_floats, c->prior->room * c->width);
    return VAE__WHOLE ? vae__check_code(d, c, posterior, prior, report) : VAE_OK;
}

/* ---- the code as an op: the head comes in, z goes out ---- */

/* How far apart the two views of a stochastic `contract` are. */
#define VAE__APART 0.01f

/* Penalties of an image with this head, `width` floats from view to view, and scale times their
 * gradient to dmu unless NULL. `contract` in closed form is that of Rifai et al. 2011,
 * |d mu_j / d x|^2 = slope(mu_j)^2 |w_j|^2; otherwise two views of the image stand for the
 * derivative along a random direction. */
VAE__PRIVATE double vae__penalty(const vae__terms *t, const float *mu, size_t width, double scale,
                                 float *dmu) {
    const vae_desc *d = t->desc;
    const vae__code *q = t->code;
    const size_t latent = q->latent;
    double sum = 0;
    size_t j;
    if (d->sparse > 0)
        sum = vae__mul_d(d->sparse, (double)q->k->sum_abs(latent, mu,
                                        (float)vae__mul_d(d->sparse, scale), dmu));
    if (t->views > 1) {
        const double over = vae__div_d(d->contract, (double)VAE__APART * (double)VAE__APART);
        float *apart = dmu ? dmu + width : NULL;
        sum = vae__add_d(sum, vae__mul_d(over, (double)q->k->gaussian(latent, mu + width, mu,
                                             (float)vae__mul_d(2 * scale, over), apart)));
        if (dmu) q->k->add(latent, apart, -1, dmu, dmu);
    }
    for (j = 0; t->norm && j < latent; j++) {
        double bend, slope = q->posterior->means->slope(q, (double)mu[j], &bend), step;
        double w = (double)t->norm[j];
        w = vae__mul_d(w, slope); /* the slope of slope(mu) along mu is bend: in all 2 w bend */
        sum = vae__add_d(sum, vae__mul_d(d->contract, vae__mul_d(w, slope)));
        step = vae__mul_d(vae__mul_d(2 * scale, d->contract), vae__mul_d(w, bend));
        if (dmu) dmu[j] = (float)vae__add_d((double)dmu[j], step);
    }
    return sum;
}
VAE__INLINE int vae__has_penalty(const vae_desc *d) { return d->sparse > 0 || d->contract > 0; }

/* Floats from the head of one image to that of the next: in training an image may have two views,
 * of which the first makes the code. */
VAE__INLINE size_t vae__head_pitch(const vae__walk *c, const vae__op *op) {
    return op->in.dim * (c->copies ? 1 : (size_t)c->terms->views);
}

/* Noise of row r at work, for the op's draw: n numbers of a kind VAE__DRAW_*. */
VAE__PRIVATE void vae__draw_noise(const vae__walk *c, const vae__op *op, size_t r, int kind,
                                  size_t n, float *eps) {
    const vae__terms *t = c->terms;
    const size_t image = c->image + r / c->draws, draw = t->draw + r % c->draws;
    vae_stream s;
    vae__address at;
    if (t->given) {
        memcpy(eps, t->given + (image * t->draws + draw) * t->noise + op->noise,
               n * sizeof(float));
        return;
    }
    s.seed = c->seed, s.purpose = t->purpose, s.layer = (uint32_t)op->number, s.time = t->time;
    s.sample = t->index ? t->index[image] : t->first + (uint32_t)image;
    s.replica = (uint32_t)draw;
    at = vae__address_of(&s);
    c->k->draw(kind, &at, 0, n, eps);
}
/* The code's noise of row r, or NULL: then z is the mean. */
VAE__INLINE float *vae__code_eps(const vae__walk *c, size_t r) {
    const vae__terms *t = c->terms;
    return t->desc->no_noise || t->mean ? NULL : t->eps + (c->first + r) * t->code->noise;
}
/* How many rows the op makes of one row of its input: the draws of an image. */
VAE__INLINE size_t vae__fan(const vae__walk *c, const vae__op *op) {
    return op->fans ? c->draws : 1;
}
VAE__PRIVATE void vae__code_fwd(const vae__walk *c, const vae__op *op, const float *w,
                                const float *x, float *y) {
    const vae__terms *t = c->terms;
    const vae__code q = vae__code_of(c);
    const size_t pitch = vae__head_pitch(c, op);
    const float *keep = t->desc->free_bits > 0 ? t->keep : NULL; /* of the slope alone */
    const size_t fan = vae__fan(c, op);
    size_t i;
    (void)w;
    for (i = 0; i < c->rows / fan; i++) {
        const size_t at = c->first / fan + i;
        float *slope = t->slope ? t->slope + at * op->in.dim : NULL;
        if (slope) memset(slope, 0, op->in.dim * sizeof(float));
        if (t->kl && !VAE__CLOSED(&q)) t->kl[at] = 0; /* draws give it, or nothing counts it */
        else if (t->kl)
            t->kl[at] = q.posterior->closed->kl(&q, x + i * pitch, 1, keep, slope);
        if (t->penalty)
            t->penalty[at] = !vae__has_penalty(t->desc) ? 0 :
                             vae__penalty(t, x + i * pitch, op->in.dim, 0, NULL);
    }
    for (i = 0; i < c->rows; i++) {
        const float *head = x + i / fan * pitch;
        float *eps = vae__code_eps(c, i), *z = y + i * op->out.dim;
        if (eps) vae__draw_noise(c, op, i, q.posterior->noise, q.noise, eps);
        q.posterior->sample(&q, head, eps, z);
        if (q.context)
            memcpy(z + q.width, head + q.head - q.context, q.context * sizeof(float));
        if (t->logw)
            t->logw[c->first + i] = VAE__CLOSED(&q) ?
                (double)q.posterior->closed->ratio(&q, head, eps, z) :
                q.posterior->log_q(&q, head, eps, z);
    }
}

/* The gradient of an image's head: of its draws in order, of the KL (forward left its slope), of
 * the penalties. With importance weights log q - log p of each draw stands in place of the KL. */
VAE__PRIVATE void vae__code_bwd(const vae__walk *c, const vae__op *op, const float *w,
                                const float *x, const float *dy, float *dx) {
    const vae__terms *t = c->terms;
    const vae__code q = vae__code_of(c);
    const size_t pitch = vae__head_pitch(c, op), fan = vae__fan(c, op);
    size_t i, r;
    (void)w;
    for (i = 0; i < c->rows / fan; i++) {
        const float *head = x + i * pitch;
        float *dhead = dx + i * pitch;
        memset(dhead, 0, pitch * sizeof(float));
        for (r = i * fan; r < (i + 1) * fan; r++) {
            const float *eps = vae__code_eps(c, r), *dz = dy + r * op->out.dim;
            if (VAE__CLOSED(&q) && t->weighs) {
                q.posterior->closed->ratio_bwd(&q, t->desc->objective, head, eps, dz,
                                               vae__row_pull(c, r), t->weight[c->first + r],
                                               dhead);
                continue;
            }
            q.posterior->sample_bwd(&q, head, eps, dz, dhead);
            if (q.context) {
                float *context = dhead + q.head - q.context;
                c->k->add(q.context, dz + q.width, 1, context, context);
            }
            if (!VAE__CLOSED(&q))
                q.posterior->log_q_bwd(&q, head, eps, vae__row_pull(c, r), dhead);
        }
        if (t->slope)
            c->k->add(op->in.dim, t->slope + (c->first / fan + i) * op->in.dim,
                      op->fans ? t->pull : t->draw_pull, dhead, dhead);
        if (vae__has_penalty(t->desc)) (void)vae__penalty(t, head, op->in.dim, t->each, dhead);
    }
}

/* Free bits (Kingma et al. 2016), where the heads of the batch meet: which latents' mean KL exceeds
 * them. One part does it all. */
VAE__PRIVATE void vae__code_batch(const vae__walk *c, const vae__op *op, int when, float *w,
                                  const float *x, size_t from, size_t to) {
    const vae__terms *t = c->terms;
    const vae__code q = vae__code_of(c);
    size_t i, j;
    (void)when; (void)w; (void)to;
    if (from) return;
    for (j = 0; j < q.latent; j++) t->unit[j] = 0;
    for (i = 0; i < c->images; i++) {
        q.posterior->closed->kl_terms(&q, x + i * vae__head_pitch(c, op), t->keep);
        for (j = 0; j < q.latent; j++) t->unit[j] = vae__add_d(t->unit[j], (double)t->keep[j]);
    }
    for (j = 0; j < q.latent; j++) {
        t->unit[j] = vae__div_d(t->unit[j], (double)c->images);
        t->keep[j] = t->unit[j] > t->desc->free_bits;
    }
}
/* What the loss counts in all: at least the free bits of each latent. */
VAE__PRIVATE double vae__counted_kl(const vae__terms *t) {
    double sum = 0;
    size_t j;
    for (j = 0; j < t->code->latent; j++)
        sum = vae__add_d(sum, t->keep[j] > 0 ? t->unit[j] : t->desc->free_bits);
    return sum;
}

static const vae__layer vae__code_layer = {
    "", NULL, NULL, "", 0, NULL, NULL, VAE__OF_WHOLE(vae__code_fwd),
    VAE__BACK(vae__code_bwd, NULL, vae__code_batch)};

/* ======================================================================================
 * >>stochastic  layers `z N` of both strings
 * uses: >>codes >>layers             tests: tests/test_stochastic.c
 *
 * An item is a dense head and an op that draws from a normal: q(z|..) in the encoder, p(z|..) in
 * the decoder (Burda et al. 2016, figure 1b). Where both nets are at work the decoder's op passes
 * on the encoder's z and computes log q - log p of the row; where the decoder is alone, it draws.
 * op->kept of a row: in the encoder eps and log variance; in the decoder one number for each
 * latent, its noise or its part of log q - log p.
 * ==================================================================================== */

VAE__PRIVATE void vae__q_fwd(const vae__walk *c, const vae__op *op, const float *w, const float *x,
                             float *y) {
    const size_t n = op->out.dim, fan = vae__fan(c, op);
    size_t r;
    (void)w;
    for (r = 0; r < c->rows; r++) {
        const float *head = x + r / fan * 2 * n;
        float *eps = op->kept + (c->first + r) * 2 * n;
        if (!c->terms->mean) vae__draw_noise(c, op, r, VAE__DRAW_NORMAL, n, eps);
        memcpy(eps + n, head + n, n * sizeof(float));
        c->k->latent_fwd(n, head, c->terms->mean ? NULL : eps, y + r * n);
    }
}
VAE__PRIVATE void vae__p_fwd(const vae__walk *c, const vae__op *op, const float *w, const float *x,
                             float *y) {
    const vae__terms *t = c->terms;
    const vae__op *q = op - op->pair;
    const size_t n = op->out.dim;
    size_t r;
    (void)w;
    for (r = 0; r < c->rows; r++, x += 2 * n, y += n) {
        const size_t row = c->first + r;
        float *kept = op->kept + row * n;
        if (t->alone) {
            if (!t->mean) vae__draw_noise(c, op, r, VAE__DRAW_NORMAL, n, kept);
            c->k->latent_fwd(n, x, t->mean ? NULL : kept, y);
            continue;
        }
        memcpy(y, q->y + c->first * q->pitch + r * n, n * sizeof(float));
        if (!t->mean)
            t->deep[(size_t)(op->number - 1) * t->deep_rows + row] =
                (double)c->k->between(n, q->kept + row * 2 * n, y, x, kept);
    }
}
/* Adds the gradient of log q - log p by z to the decoder's dz, from which the backward of the
 * encoder's draw reads it. */
VAE__PRIVATE void vae__p_bwd(const vae__walk *c, const vae__op *op, const float *w, const float *x,
                             const float *dy, float *dx) {
    const size_t n = op->out.dim;
    size_t r;
    (void)w; (void)dy;
    for (r = 0; r < c->rows; r++)
        c->k->between_bwd(n, op->y + (c->first + r) * n, x + r * 2 * n, vae__row_pull(c, r),
                          dx + r * 2 * n, op->dy + (c->first + r) * n);
}
VAE__PRIVATE void vae__q_bwd(const vae__walk *c, const vae__op *op, const float *w, const float *x,
                             const float *dy, float *dx) {
    const vae__op *p = op + op->pair;
    const size_t n = op->out.dim, fan = vae__fan(c, op);
    size_t r, j;
    (void)w; (void)dy;
    memset(dx, 0, c->rows / fan * 2 * n * sizeof(float));
    for (r = 0; r < c->rows; r++) {
        const size_t row = c->first + r;
        const float *head = x + r / fan * 2 * n, pull = vae__row_pull(c, r) * 0.5f;
        float *dhead = dx + r / fan * 2 * n, *dz = op->dy + row * n;
        c->k->add(n, p->dy + row * n, 1, dz, dz);
        c->k->latent_bwd(VAE_OBJECTIVE_ELBO, n, head, op->kept + row * 2 * n, dz, 0, 0, dhead);
        for (j = n; j < 2 * n; j++) /* log q = -1/2 sum eps^2 + logvar */
            if (head[j] <= VAE_LOGVAR_MAX && head[j] >= VAE_LOGVAR_MIN) {
                dhead[j] = dhead[j] - pull;
                VAE__HIDE_F(dhead[j]);
            }
    }
}
static const vae__layer vae__q_layer = {
    "", NULL, NULL, "", VAE__LATENT | VAE__RETURNS, NULL, NULL, vae__q_fwd,
    VAE__BACK(vae__q_bwd, NULL, NULL)};
static const vae__layer vae__p_layer = {
    "", NULL, NULL, "", VAE__LATENT, NULL, NULL, vae__p_fwd, VAE__BACK(vae__p_bwd, NULL, NULL)};

/* The KL of one stochastic layer in a row, and below of all layers. The code's is computed from its
 * head; a layer `z N` has no closed form, and log q - log p of its draw stands for the KL. */
VAE__PRIVATE double vae__layer_kl(const vae__terms *t, int layer, size_t row) {
    return layer ? t->deep[(size_t)(layer - 1) * t->deep_rows + row] : (double)t->kl[row];
}
VAE__PRIVATE double vae__all_layers(const vae__terms *t, double code, size_t row) {
    int i;
    for (i = 1; i < VAE__LAYERS(t); i++) code = vae__add_d(code, vae__layer_kl(t, i, row));
    return code;
}
VAE__PRIVATE double vae__whole_kl(const vae__terms *t, size_t row) {
    return vae__all_layers(t, (double)t->kl[row], row);
}

/* ======================================================================================
 * >>likelihoods  p(x|z): one table
 * uses: >>codes >>arena              tests: tests/test_likelihoods.c, tests/test_losses.c
 *
 * A likelihood is one row and its functions: adding one touches nothing else.
 * ==================================================================================== */

typedef struct vae__density vae__density;

/* Of one image x (numbers) under one row of the decoder's output, out (outputs). */
typedef struct vae__likelihood {
    vae__kind kind;
    int outputs;        /* of the decoder for each number; 0: as many as the argument l->n says */
    int unit;           /* 1: numbers lie in [0,1]; 0: any real numbers */
    int kernel;         /* VAE__DENSITY_*, for rows that hand one to the kernels */
    int noise;          /* what `observe` draws with: VAE__DRAW_UNIFORM or VAE__DRAW_NORMAL */
    /* -log p(x|z). Writes `scale` times its gradient to dout (which may be `out`) and, for the
     * learned number, to *dlearned, unless these are NULL. */
    double (*loss)(const vae__density *l, const float *out, const float *x, float scale,
                   float *dout, float *dlearned);
    /* The mean of each number; or, with random numbers u (numbers), a draw made of them. x may be
     * `out` where a number has one parameter. */
    void (*observe)(const vae__density *l, const float *out, const float *u, float *x);
    /* Each of the following may be NULL. */
    double (*value)(const vae__density *l, const float *out, const float *x); /* only -log p */
    float (*bias)(const vae__density *l, double mean); /* the first parameter that has this mean */
    const char *learned; /* the name of a parameter that all numbers share */
    float (*start)(const vae__density *l);             /* its initial value */
    void (*prepare)(vae__density *l, const float *learned); /* sets l->log .. l->flat */
    void (*mode)(const vae__density *l, const float *out, float *x); /* NULL: the median is */
    /* Sets l->outputs of a pixel and l->copies. Returns NULL, or a sentence: why it cannot be. */
    const char *(*sizes)(vae__density *l);
    int whole; /* 1: one density of all channels of a pixel, which `image` takes as one colour */
} vae__likelihood;

/* A likelihood of a model. */
struct vae__density {
    const vae__likelihood *row;
    int n;              /* arguments */
    double real;
    const vae__kernels *k;
    size_t numbers, channels, outputs; /* of an image, of a pixel; of the decoder for an image */
    size_t copies;      /* first parameters that a number has: 1, unless `sizes` says so */
    float inverse;      /* of a gaussian 1 / s^2, and log s^2; of a logistic the log scale */
    double log;
    int flat;           /* the learned number is outside its limits, so it has no gradient */
};

/* ---- bernoulli ---- */

VAE__PRIVATE double vae__bernoulli_loss(const vae__density *l, const float *out, const float *x,
                                        float scale, float *dout, float *dlearned) {
    (void)dlearned;
    return (double)l->k->bernoulli(l->numbers, out, x, scale, dout);
}
VAE__PRIVATE double vae__bernoulli_value(const vae__density *l, const float *out, const float *x) {
    return (double)l->k->bernoulli_sum(l->numbers, out, x);
}
VAE__PRIVATE double vae__clip_mean(double mean) {
    return !(mean > 0.001) ? 0.001 : mean > 0.999 ? 0.999 : mean;
}
/* The logit is log(p / (1 - p)). */
VAE__PRIVATE float vae__bernoulli_bias(const vae__density *l, double mean) {
    const double p = vae__clip_mean(mean);
    float t = (float)vae__div_d(p, vae__add_d(1, -p));
    l->k->map(VAE__FN_LOG, 1, &t, &t);
    return t;
}

/* ---- rows whose work the kernels `density` and `observe` do ---- */

VAE__PRIVATE double vae__density_loss(const vae__density *l, const float *out, const float *x,
                                      float scale, float *dout, float *dlearned) {
    return (double)l->k->density(l->row->kernel, l->numbers, l->channels, out, (float)l->log, x,
                                 scale, dout, dlearned);
}
VAE__PRIVATE void vae__density_observe(const vae__density *l, const float *out, const float *u,
                                       float *x) {
    l->k->observe(l->row->kernel, l->numbers, l->channels, (size_t)l->n, (float)l->log, out, u, x);
}
VAE__PRIVATE float vae__mean_is_bias(const vae__density *l, double mean) {
    (void)l;
    return (float)mean;
}

/* ---- gaussian: 1/2 (x - mean)^2 / s^2 + 1/2 log s^2 + 1/2 log 2 pi, per number ---- */

VAE__PRIVATE void vae__gaussian_prepare(vae__density *l, const float *learned) {
    float v = (float)l->real, log;
    (void)learned;
    l->k->map(VAE__FN_LOG, 1, &v, &log);
    l->inverse = (float)vae__div_d(1, l->real);
    l->log = (double)log;
}
VAE__PRIVATE float vae__gaussian_start(const vae__density *l) {
    float v = (float)l->real;
    l->k->map(VAE__FN_LOG, 1, &v, &v);
    return v;
}
VAE__PRIVATE void vae__gaussian_learned_prepare(vae__density *l, const float *learned) {
    const float log = vae__clamp_logvar(*learned);
    float minus = -log;
    l->k->map(VAE__FN_EXP, 1, &minus, &l->inverse);
    l->log = (double)log;
    l->flat = *learned > VAE_LOGVAR_MAX || *learned < VAE_LOGVAR_MIN;
}
VAE__PRIVATE double vae__gaussian_loss(const vae__density *l, const float *out, const float *x,
                                       float scale, float *dout, float *dlearned) {
    const double n = (double)l->numbers;
    float s = scale * l->inverse;
    double squares;
    VAE__HIDE_F(s);
    squares = vae__mul_d((double)l->k->gaussian(l->numbers, out, x, s, dout), (double)l->inverse);
    if (dlearned)
        *dlearned = l->flat ? 0 : (float)vae__mul_d(vae__mul_d(0.5, vae__add_d(n, -squares)),
                                                    (double)scale);
    return vae__mul_d(0.5, vae__add_d(squares, vae__mul_d(n, vae__add_d(l->log,
                                          1.8378770664093454836))));
}
VAE__PRIVATE void vae__gaussian_observe(const vae__density *l, const float *out, const float *u,
                                        float *x) {
    if (VAE__WHOLE && u)
        l->k->observe(l->row->kernel, l->numbers, l->channels, 0,
                      (float)vae__div_d(1, vae__sqrt_d((double)l->inverse)), out, u, x);
    else if (x != out) memcpy(x, out, l->numbers * sizeof(float));
}

/* ---- continuous_bernoulli: no closed form gives the logit of a mean ---- */

VAE__PRIVATE float vae__continuous_bias(const vae__density *l, double mean) {
    float low = -1000, high = 1000, want = (float)vae__clip_mean(mean), got;
    int i;
    for (i = 0; i < 40; i++) {
        const float t = 0.5f * (low + high);
        l->k->observe(l->row->kernel, 1, 1, 0, 0, &t, NULL, &got);
        if (got < want) low = t;
        else high = t;
    }
    return low;
}

/* ---- logistic: its variance is s^2 pi^2 / 3 ---- */

VAE__PRIVATE float vae__logistic_start(const vae__density *l) {
    const double half = vae__mul_d(0.5, (double)vae__gaussian_start(l));
    return (float)vae__add_d(half, -0.59542374099470962); /* s = sqrt(3 variance) / pi */
}
VAE__PRIVATE void vae__logistic_prepare(vae__density *l, const float *learned) {
    l->log = (double)*learned; /* the kernels clamp it, and give no gradient outside its limits */
}

/* ---- categorical ---- */

VAE__PRIVATE double vae__categorical_loss(const vae__density *l, const float *out, const float *x,
                                          float scale, float *dout, float *dlearned) {
    (void)dlearned;
    return (double)l->k->categorical(l->numbers, (size_t)l->n, out, x, scale, dout);
}

VAE__PRIVATE void vae__categorical_mode(const vae__density *l, const float *out, float *x) {
    size_t i, j, n = (size_t)l->n, best;
    for (i = 0; i < l->numbers; i++, out += n) {
        for (j = best = 0; j < n; j++) best = out[j] > out[best] ? j : best;
        x[i] = (float)vae__div_d((double)best, (double)(n - 1));
    }
}

/* ---- logistic_mixture: K logistics of all channels of a pixel ---- */

#ifndef VAE_NO_PIXELS
VAE__PRIVATE const char *vae__logistics_sizes(vae__density *l) {
    const size_t c = l->channels;
    if (c > VAE__MIXTURE_CHANNELS)
        return "a pixel has 4 channels at most (as an input, N numbers are one pixel, and Nx1 are "
               "N pixels)";
    l->copies = (size_t)l->n;
    l->outputs = l->copies * (2 * c + 1 + c * (c - 1) / 2);
    return NULL;
}
VAE__PRIVATE double vae__logistics_loss(const vae__density *l, const float *out, const float *x,
                                      float scale, float *dout, float *dlearned) {
    (void)dlearned;
    return (double)l->k->logistics(l->numbers / l->channels, l->channels, (size_t)l->n, out, x,
                                   scale, dout);
}
/* Of channel q in component i of a pixel: the centre, given the channels before it, and the log
 * scale. */
VAE__PRIVATE void vae__logistics_part(const vae__density *l, const float *out, size_t q, size_t i,
                                    const float *x, float part[2]) {
    const size_t k = (size_t)l->n, c = l->channels;
    double centre = (double)out[q * k + i];
    size_t p;
    for (p = 0; p < q; p++) {
        float t = out[(2 * c + 1 + q * (q - 1) / 2 + p) * k + i];
        l->k->map(VAE_ACT_TANH, 1, &t, &t);
        centre = vae__add_d(centre, vae__mul_d((double)t, (double)x[p]));
    }
    part[0] = (float)centre, part[1] = out[(c + q) * k + i];
}
/* The channels of a pixel in component i: draws made of u, or medians if all u are 1/2, or without
 * u means (of a channel, at the means of those before it). */
VAE__PRIVATE void vae__logistics_component(const vae__density *l, const float *out, size_t i,
                                         const float *u, float *x) {
    float part[2];
    size_t q;
    for (q = 0; q < l->channels; q++) {
        vae__logistics_part(l, out, q, i, x, part);
        l->k->observe(VAE__DENSITY_MIXTURE, 1, 1, 0, 0, part, u ? u + q : NULL, x + q);
    }
}
/* e^(a - the largest a) of a pixel's K shares, and their sum. */
VAE__PRIVATE double vae__logistics_shares(const vae__density *l, const float *out, float *e) {
    const size_t k = (size_t)l->n;
    const float *a = out + 2 * l->channels * k;
    float top = a[0];
    double sum = 0;
    size_t i;
    for (i = 1; i < k; i++) top = a[i] > top ? a[i] : top;
    for (i = 0; i < k; i++) e[i] = a[i] - top;
    l->k->map(VAE__FN_EXP, k, e, e);
    for (i = 0; i < k; i++) sum = vae__add_d(sum, (double)e[i]);
    return sum;
}
/* The first channel's u chooses the component; where in that component's part of [0,1] it lies
 * is a uniform number again, for the channel. */
VAE__PRIVATE void vae__logistics_draw(const vae__density *l, const float *out, const float *u,
                                    float *x) {
    float e[VAE__MIXTURE_MOST], own[VAE__MIXTURE_CHANNELS];
    const double at = vae__mul_d(vae__logistics_shares(l, out, e), (double)u[0]);
    double before = 0, after = 0;
    size_t i, chosen = 0;
    for (i = 0; i < (size_t)l->n && (i == 0 || after <= at); i++) {
        if (!(e[i] > 0)) continue;
        before = after, after = vae__add_d(after, (double)e[i]), chosen = i;
    }
    memcpy(own, u, l->channels * sizeof(float));
    own[0] = (float)vae__div_d(vae__add_d(at, -before), (double)e[chosen]);
    if (own[0] > 0.99999994f) own[0] = 0.99999994f;
    vae__logistics_component(l, out, chosen, own, x);
}
VAE__PRIVATE void vae__logistics_observe(const vae__density *l, const float *out, const float *u,
                                       float *x) {
    const size_t c = l->channels, pixels = l->numbers / c, pitch = l->outputs / pixels;
    float e[VAE__MIXTURE_MOST], one[VAE__MIXTURE_CHANNELS];
    double mean[VAE__MIXTURE_CHANNELS];
    size_t at, i, q;
    for (at = 0; at < pixels; at++, out += pitch, x += c) {
        double sum;
        if (u) {
            vae__logistics_draw(l, out, u + at * c, x);
            continue;
        }
        sum = vae__logistics_shares(l, out, e);
        for (q = 0; q < c; q++) mean[q] = 0;
        for (i = 0; i < (size_t)l->n; i++) {
            vae__logistics_component(l, out, i, NULL, one);
            for (q = 0; q < c; q++)
                mean[q] = vae__add_d(mean[q], vae__mul_d((double)e[i], (double)one[q]));
        }
        for (q = 0; q < c; q++) x[q] = (float)vae__div_d(mean[q], sum);
    }
}
/* Of the K centres of each pixel the most probable one. */
VAE__PRIVATE void vae__logistics_mode(const vae__density *l, const float *out, float *x) {
    static const float half[VAE__MIXTURE_CHANNELS] = {0.5f, 0.5f, 0.5f, 0.5f};
    const size_t c = l->channels, pixels = l->numbers / c, pitch = l->outputs / pixels;
    float one[VAE__MIXTURE_CHANNELS];
    size_t at, i;
    for (at = 0; at < pixels; at++, out += pitch, x += c) {
        float least = 0;
        for (i = 0; i < (size_t)l->n; i++) {
            float value;
            vae__logistics_component(l, out, i, half, one);
            value = l->k->logistics(1, c, (size_t)l->n, out, one, 0, NULL);
            if (i && !(value < least)) continue;
            least = value;
            memcpy(x, one, c * sizeof(float));
        }
    }
}
#endif

/* ---- the table of likelihoods ---- */

static const vae__likelihood vae__likelihoods[] = {
    {{"bernoulli", VAE__HELP("bernoulli",
                             "1 or 0 with the probability sigmoid(a); grey pixels are weighed, "
                             "which is no density"), ""},
     1, 1, VAE__DENSITY_BERNOULLI, VAE__DRAW_UNIFORM, VAE__OF_WHOLE(vae__bernoulli_loss),
     vae__density_observe, VAE__OF_WHOLE(vae__bernoulli_value),
     VAE__OF_WHOLE(vae__bernoulli_bias), NULL, NULL, NULL, NULL, NULL, 0},
    {{"gaussian", VAE__HELP("gaussian [V]", "normal, its variance V everywhere (1)"), "v"},
     1, 0, VAE__DENSITY_GAUSSIAN, VAE__DRAW_NORMAL, VAE__OF_WHOLE(vae__gaussian_loss),
     vae__gaussian_observe, NULL, VAE__OF_WHOLE(vae__mean_is_bias), NULL, NULL,
     VAE__OF_WHOLE(vae__gaussian_prepare), NULL, NULL, 0},
    {{"gaussian_learned", VAE__HELP("gaussian_learned [V]", "the same, the variance one learned "
                                    "number that begins at V"), "v"},
     1, 0, VAE__DENSITY_GAUSSIAN, VAE__DRAW_NORMAL, VAE__OF_WHOLE(vae__gaussian_loss),
     vae__gaussian_observe, NULL, VAE__OF_WHOLE(vae__mean_is_bias), "logvar",
     VAE__OF_WHOLE(vae__gaussian_start), VAE__OF_WHOLE(vae__gaussian_learned_prepare), NULL, NULL,
     0},
#ifdef VAE_NO_DENSITIES
#define VAE__NO_DENSITY(name) \
    {VAE__KIND_LEFT_OUT(name, name), 1, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, \
     NULL, 0}
    VAE__NO_DENSITY("gaussian_pixel"), VAE__NO_DENSITY("continuous_bernoulli"),
    VAE__NO_DENSITY("logistic"), VAE__NO_DENSITY("logistic_pixel"), VAE__NO_DENSITY("categorical"),
#undef VAE__NO_DENSITY
#else
    {{"gaussian_pixel", "gaussian_pixel", "normal, a mean and a log variance for each number", ""},
     2, 0, VAE__DENSITY_GAUSSIAN_PIXEL, VAE__DRAW_NORMAL, vae__density_loss, vae__density_observe,
     NULL, vae__mean_is_bias, NULL, NULL, NULL, NULL, NULL, 0},
    {{"continuous_bernoulli", "continuous_bernoulli",
      "on [0,1], the density that grey pixels want in place of bernoulli", ""},
     1, 1, VAE__DENSITY_CONTINUOUS, VAE__DRAW_UNIFORM, vae__density_loss, vae__density_observe,
     NULL, vae__continuous_bias, NULL, NULL, NULL, NULL, NULL, 0},
    {{"logistic", "logistic [V]", "a logistic cut into the 256 levels of a byte, one learned scale "
      "that begins at the variance V: bits per dimension", "v"},
     1, 1, VAE__DENSITY_LOGISTIC, VAE__DRAW_UNIFORM, vae__density_loss, vae__density_observe, NULL,
     vae__mean_is_bias, "logscale", vae__logistic_start, vae__logistic_prepare, NULL, NULL, 0},
    {{"logistic_pixel", "logistic_pixel", "the same, a mean and a scale for each number", ""},
     2, 1, VAE__DENSITY_LOGISTIC_PIXEL, VAE__DRAW_UNIFORM, vae__density_loss,
     vae__density_observe, NULL, vae__mean_is_bias, NULL, NULL, NULL, NULL, NULL, 0},
    {{"categorical", "categorical [K]",
      "one of K levels of each number (256), any distribution over them", "l"},
     0, 1, VAE__DENSITY_CATEGORICAL, VAE__DRAW_UNIFORM, vae__categorical_loss,
     vae__density_observe, NULL, NULL, NULL, NULL, NULL, vae__categorical_mode, NULL, 0},
#endif
#ifdef VAE_NO_PIXELS
    {VAE__KIND_LEFT_OUT("logistic_mixture", "logistic_mixture"), 1, 0, 0, 0, NULL,
     NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0},
#else
    {{"logistic_mixture", "logistic_mixture K", "a mixture of K logistics for each pixel; centres "
      "of later channels move with the earlier ones: bits per dimension, for colour", "x"},
     0, 1, VAE__DENSITY_MIXTURE, VAE__DRAW_UNIFORM, vae__logistics_loss, vae__logistics_observe,
     NULL, vae__mean_is_bias, NULL, NULL, NULL, vae__logistics_mode, vae__logistics_sizes, 1},
#endif
};
/* The most probable value of each number: its own function, or the median. */
VAE__PRIVATE void vae__most_probable(const vae__density *l, const float *out, float *x) {
    size_t i;
    for (i = 0; i < l->numbers; i++) x[i] = l->row->noise == VAE__DRAW_NORMAL ? 0.0f : 0.5f;
    if (l->row->mode) l->row->mode(l, out, x);
    else l->row->observe(l, out, x, x);
}
static const vae__kinds vae__likelihood_kinds =
    VAE__KINDS("likelihood", "a likelihood", vae__likelihoods, NULL);

static const vae__kinds *const vae__kinds_of[VAE_TABLE_COUNT] = {
    NULL, &vae__likelihood_kinds, &vae__posterior_kinds, &vae__prior_kinds};

#ifndef VAE_ONLY_DECODE
VAE_API const char *vae_kind_syntax(vae_table table, int i, const char **rule) {
    const vae__kinds *kinds;
    const vae__kind *kind;
    if (i < 0 || (unsigned)table >= VAE_TABLE_COUNT) return NULL;
    if (table == VAE_TABLE_LAYER) {
        if (i >= VAE__LAYER_COUNT) return NULL;
        if (rule) *rule = vae__layers[i].rule;
        return vae__layers[i].syntax;
    }
    kinds = vae__kinds_of[table];
    kind = vae__kind_at(kinds, (size_t)i);
    if (!kind && kinds->more) kind = vae__kind_at(kinds->more, (size_t)i - kinds->count);
    if (kind && rule) *rule = kind->rule;
    return kind ? kind->syntax : NULL;
}
#endif

/* Reads the likelihood of a description, for images of this shape. Its kernels are set later. */
VAE__PRIVATE vae_status vae__read_likelihood(const vae_desc *d, const vae__shape *image,
                                             vae__density *l, char spelled[VAE__KIND_TEXT],
                                             vae_report *report) {
    const vae__kind *row;
    const char *why;
    int fits;
    vae__op op;
    const vae_status bad =
        vae__read_kind(&vae__likelihood_kinds, d->likelihood, &row, &op, spelled, report);
    if (bad) return bad;
    memset(l, 0, sizeof *l);
    l->row = (const vae__likelihood *)(const void *)row;
    l->n = op.n, l->real = op.real;
    l->numbers = image->dim, l->channels = image->c;
    l->copies = 1;
    fits = vae__size_mul(image->c, (size_t)(l->row->outputs ? l->row->outputs : l->n), &l->outputs);
    why = l->row->sizes ? l->row->sizes(l) : NULL;
    if (why)
        return vae__fail(report, VAE_ERR_VALUE, "likelihood %s: %s", l->row->kind.name, why);
    if (!fits || !vae__size_mul(vae__pixels(image), l->outputs, &l->outputs) ||
        l->outputs > VAE_MAX_DIM)
        return vae__fail(report, VAE_ERR_SIZE, "the likelihood needs more than %d numbers of the "
                         "decoder", (int)VAE_MAX_DIM);
    return VAE_OK;
}

/* ======================================================================================
 * >>settings everything in a vae_desc by its name: defaults, ranges, text
 * uses: >>likelihoods >>codes >>layers >>threads >>dispatch  tests: tests/test_desc.c
 * ==================================================================================== */

enum { VAE__TEXT, VAE__KIND, VAE__CHOICE, VAE__FLAG, VAE__INT, VAE__U64, VAE__REAL, VAE__STAGES };

enum {
    VAE__MAX_EPOCHS = 1000000000,
    VAE__MAX_CUTS = 65536 /* of the learning rate: each is a multiplication in every step */
};

typedef struct vae__field {
    const char *name;
    int kind, choice;
    size_t offset;
    double standard, low, high; /* 0 becomes `standard`; numbers must then lie in [low, high] */
    const char *text;           /* what a text that is NULL becomes */
} vae__field;

#define VAE__ROW(name, kind, choice, standard, low, high, text) \
    {#name, VAE__##kind, choice, offsetof(vae_desc, name), standard, low, high, text}
#define VAE__TEXT_ROW(name, text) VAE__ROW(name, TEXT, 0, 0, 0, 0, text)
#define VAE__KIND_ROW(name, table) VAE__ROW(name, KIND, table, 0, 0, 0, NULL)
#define VAE__CHOICE_ROW(name, choice) VAE__ROW(name, CHOICE, choice, 0, 0, 0, NULL)
#define VAE__FLAG_ROW(name) VAE__ROW(name, FLAG, 0, 0, 0, 1, NULL)
#define VAE__INT_ROW(name, standard, low, high) VAE__ROW(name, INT, 0, standard, low, high, NULL)
#define VAE__REAL_ROW(name, standard, low, high) VAE__ROW(name, REAL, 0, standard, low, high, NULL)
#define VAE__U64_ROW(name, standard) VAE__ROW(name, U64, 0, standard, 0, 0, NULL)
static const vae__field vae__fields[] = {
    VAE__TEXT_ROW(input, NULL),
    VAE__TEXT_ROW(encoder, "dense 400 relu"),
    VAE__TEXT_ROW(decoder, "dense 400 relu"),
    VAE__INT_ROW(latent, VAE__LATENTS, 1, VAE_MAX_DIM),
    VAE__KIND_ROW(likelihood, VAE_TABLE_LIKELIHOOD),
    VAE__KIND_ROW(posterior, VAE_TABLE_POSTERIOR),
    VAE__KIND_ROW(prior, VAE_TABLE_PRIOR),
    VAE__CHOICE_ROW(init, VAE_CHOICE_INIT),
    VAE__CHOICE_ROW(visible_bias, VAE_CHOICE_BIAS),
    VAE__CHOICE_ROW(objective, VAE_CHOICE_OBJECTIVE),
    VAE__REAL_ROW(beta, 1, 0, 1e6),
    VAE__FLAG_ROW(no_kl),
    VAE__FLAG_ROW(no_recon),
    VAE__FLAG_ROW(no_noise),
    VAE__INT_ROW(samples, 1, 1, 65536),
    VAE__U64_ROW(warmup_steps, 0),
    VAE__U64_ROW(cycle_steps, 0),
    VAE__REAL_ROW(free_bits, 0, 0, 1e6),
    VAE__REAL_ROW(sparse, 0, 0, 1e6),
    VAE__REAL_ROW(contract, 0, 0, 1e6),
    VAE__CHOICE_ROW(corrupt, VAE_CHOICE_CORRUPT),
    VAE__REAL_ROW(corruption, 0.3, 1e-9, 1e6),
    VAE__CHOICE_ROW(binarize, VAE_CHOICE_BINARIZE),
    VAE__CHOICE_ROW(optimizer, VAE_CHOICE_OPTIMIZER),
    VAE__REAL_ROW(lr, 1e-3, 0, 1e30),
    VAE__REAL_ROW(beta1, 0.9, 0, 0.9999999),
    VAE__REAL_ROW(beta2, 0.999, 0, 0.9999999),
    VAE__REAL_ROW(adam_eps, 1e-8, 1e-37, 1),
    VAE__REAL_ROW(momentum, 0, 0, 0.9999999),
    VAE__REAL_ROW(weight_decay, 0, 0, 1e6),
    VAE__REAL_ROW(clip, 0, 0, 1e30),
    VAE__REAL_ROW(ema, 0, 0, 0.9999999),
    VAE__CHOICE_ROW(schedule, VAE_CHOICE_SCHEDULE),
    VAE__U64_ROW(lr_steps, 0),
    VAE__ROW(stages, STAGES, 0, 0, 0, 1e30, NULL),
    VAE__INT_ROW(plateau_epochs, 10, 1, VAE__MAX_EPOCHS),
    VAE__REAL_ROW(lr_factor, 0.5, 1e-9, 1),
    VAE__INT_ROW(batch, 128, 1, VAE_MAX_DIM),
    VAE__INT_ROW(epochs, 10, 1, VAE__MAX_EPOCHS),
    VAE__INT_ROW(patience, 0, 0, VAE__MAX_EPOCHS),
    VAE__U64_ROW(seed, 1),
    /* from here on in files only when they are not the default */
    VAE__REAL_ROW(temperature, VAE__HOT, 1e-3, 1e3),
    VAE__REAL_ROW(temperature_end, VAE__COOL, 1e-3, 1e3),
    VAE__U64_ROW(temperature_steps, 0),
    VAE__FLAG_ROW(straight_through),
    /* from here on not in files */
    VAE__INT_ROW(inference, 0, 0, 2),
    VAE__FLAG_ROW(keep_gradients),
    VAE__INT_ROW(threads, 1, -VAE_MAX_THREADS, VAE_MAX_THREADS),
    VAE__CHOICE_ROW(isa, VAE_CHOICE_ISA),
};
enum {
    VAE__FIELD_COUNT = sizeof vae__fields / sizeof vae__fields[0],
    VAE__STORED_COUNT = VAE__FIELD_COUNT - 4,
    VAE__FIRST_COUNT = 41 /* those of version 0.1, which files always have */
};

typedef char vae__fields_fit_a_mask[sizeof vae__fields / sizeof vae__fields[0] < 64 ? 1 : -1];
typedef char vae__enum_is_int[sizeof(vae_optimizer) == sizeof(int) ? 1 : -1]; /* all are */
VAE__INLINE int *vae__field_int(vae_desc *d, const vae__field *f) {
    return (int *)(void *)((char *)d + f->offset);
}
VAE__INLINE uint64_t *vae__field_u64(vae_desc *d, const vae__field *f) {
    return (uint64_t *)(void *)((char *)d + f->offset);
}
VAE__INLINE double *vae__field_real(vae_desc *d, const vae__field *f) {
    return (double *)(void *)((char *)d + f->offset);
}
VAE__INLINE const char **vae__field_text(vae_desc *d, const vae__field *f) {
    return (const char **)(void *)((char *)d + f->offset);
}
/* Whether a number has the value of its default, once that is filled in. */
VAE__PRIVATE int vae__is_default(vae_desc *d, const vae__field *f) {
    if (f->kind == VAE__U64) return *vae__field_u64(d, f) == (uint64_t)f->standard;
    if (f->kind == VAE__REAL)
        return vae__bits_d(*vae__field_real(d, f)) == vae__bits_d(f->standard);
    return *vae__field_int(d, f) == (int)f->standard;
}
VAE__INLINE int vae__is_text(const vae__field *f) {
    return f->kind == VAE__TEXT || f->kind == VAE__KIND;
}
/* What a text that is NULL stands for; NULL: it must be given. */
VAE__PRIVATE const char *vae__field_default(const vae__field *f) {
    return f->kind == VAE__KIND ? vae__kind_at(vae__kinds_of[f->choice], 0)->name : f->text;
}

/* Files keep the names that these settings had first, so that every build reads them. */
static const char *const vae__stored_names[][2] = {
    {"warmup_steps", "warmup"}, {"cycle_steps", "cycle"}, {"plateau_epochs", "plateau"}};

VAE__PRIVATE const char *vae__stored_name(const vae__field *f) {
    size_t i;
    for (i = 0; i < sizeof vae__stored_names / sizeof *vae__stored_names; i++)
        if (!strcmp(f->name, vae__stored_names[i][0])) return vae__stored_names[i][1];
    return f->name;
}

/* The setting of that name, or of that name in files; NULL: there is none. */
VAE__PRIVATE const vae__field *vae__find_field(const char *name) {
    int i;
    for (i = 0; i < VAE__FIELD_COUNT; i++)
        if (!strcmp(name, vae__fields[i].name) || !strcmp(name, vae__stored_name(&vae__fields[i])))
            return &vae__fields[i];
    return NULL;
}

#ifndef VAE_ONLY_DECODE
VAE_API const char *vae_desc_name(int i) {
    return i >= 0 && i < VAE__FIELD_COUNT ? vae__fields[i].name : NULL;
}
#endif

/* ---- one setting: its default, its range ---- */

/* Stages have two members; both are looked at here. */
VAE__PRIVATE vae_status vae__settle_stages(const vae_desc *d, vae_report *report) {
    int i;
    if (d->stage_count < 0 || d->stage_count > VAE_MAX_STAGES)
        return vae__fail(report, VAE_ERR_VALUE, "stage_count is %d; it must lie from 0 to %d",
                         d->stage_count, VAE_MAX_STAGES);
    for (i = 0; i < d->stage_count; i++)
        if (!d->stages[i].steps || !vae__finite_d(d->stages[i].lr) || d->stages[i].lr < 0 ||
            d->stages[i].lr > 1e30)
            return vae__fail(report, VAE_ERR_VALUE, "stage %d of stage_count %d needs steps > 0 "
                             "and lr from 0 to 1e30", i, d->stage_count);
    return VAE_OK;
}

/* Fills in the default of one setting and checks it. What a pointer points to is left alone. */
VAE__PRIVATE vae_status vae__settle(vae_desc *d, const vae__field *f, vae_report *report) {
    switch (f->kind) {
    case VAE__TEXT: case VAE__KIND:
        if (!*vae__field_text(d, f)) *vae__field_text(d, f) = vae__field_default(f);
        if (!*vae__field_text(d, f))
            return vae__fail(report, VAE_ERR_VALUE, "%s is not set: give the shape of an image, "
                             "such as \"28x28x1\" or \"784\"", f->name);
        break;
    case VAE__INT: case VAE__FLAG: {
        int *value = vae__field_int(d, f);
        if (!*value) *value = (int)f->standard;
        if (*value < f->low || *value > f->high)
            return vae__fail(report, VAE_ERR_VALUE, "%s is %d; it must lie from %d to %d",
                             f->name, *value, (int)f->low, (int)f->high);
        break;
    }
    case VAE__U64:
        if (!*vae__field_u64(d, f)) *vae__field_u64(d, f) = (uint64_t)f->standard;
        break;
    case VAE__REAL: {
        double *value = vae__field_real(d, f);
        if (!(vae__bits_d(*value) << 1)) *value = f->standard;
        if (!vae__finite_d(*value) || *value < f->low || *value > f->high)
            return vae__fail(report, VAE_ERR_VALUE, "%s is %f; it must lie from %f to %f",
                             f->name, *value, f->low, f->high);
        break;
    }
    case VAE__CHOICE:
        if (!vae_choice_name((vae_choice)f->choice, *vae__field_int(d, f)))
            return vae__fail(report, VAE_ERR_VALUE, "%s is %d, which is no such choice",
                             f->name, *vae__field_int(d, f));
        break;
    default: return vae__settle_stages(d, report);
    }
    return VAE_OK;
}

/* ---- one setting as text ---- */

/* A real as the 16 hexadecimal digits of its bits, as files have it, or as a short decimal. */
VAE__PRIVATE void vae__put_setting_real(vae__sink *s, const double *value, int bits) {
    if (bits) vae__put_bits(s, "", 'x', value);
    else vae__putf(s, "%r", *value);
}

/* The value of a setting that vae__settle has passed. bits: as files have it. */
VAE__PRIVATE void vae__put_field(vae__sink *s, const vae_desc *desc, const vae__field *f,
                                 int bits) {
    vae_desc d = *desc;
    const char *text;
    int i;
    switch (f->kind) {
    case VAE__TEXT: case VAE__KIND:
        text = *vae__field_text(&d, f) ? *vae__field_text(&d, f) : vae__field_default(f);
        vae__putf(s, "%s", text ? text : "");
        break;
    case VAE__INT: case VAE__FLAG: vae__putf(s, "%d", *vae__field_int(&d, f)); break;
    case VAE__U64: vae__putf(s, "%u", *vae__field_u64(&d, f)); break;
    case VAE__REAL: vae__put_setting_real(s, vae__field_real(&d, f), bits); break;
    case VAE__CHOICE:
        vae__putf(s, "%s", vae_choice_name((vae_choice)f->choice, *vae__field_int(&d, f)));
        break;
    default:
        for (i = 0; i < d.stage_count; i++) {
            vae__putf(s, "%s%u:", i ? "," : "", d.stages[i].steps);
            vae__put_setting_real(s, &d.stages[i].lr, bits);
        }
    }
}

VAE__PRIVATE int vae__read_int_field(const char *text, int *value) {
    const int minus = *text == '-';
    uint64_t u;
    const size_t n = vae__read_number(text + minus, SIZE_MAX, 10, &u);
    if (!n || text[(size_t)minus + n] || u > INT_MAX) return 0;
    *value = minus ? -(int)u : (int)u;
    return 1;
}

VAE__PRIVATE int vae__read_stages(const char *p, vae_desc *d) {
    memset(d->stages, 0, sizeof d->stages);
    for (d->stage_count = 0; *p; d->stage_count++) {
        vae_lr_stage *stage = &d->stages[d->stage_count];
        size_t n;
        if (d->stage_count == VAE_MAX_STAGES || (d->stage_count && *p++ != ',') ||
            !vae__read_bits(&p, 'u', &stage->steps) || *p++ != ':')
            return 0;
        n = vae__read_real(p, &stage->lr);
        if (!n) return 0;
        p += n;
    }
    return 1;
}

/* All of `text` as a value, whatever its range: 0 when it is none. */
VAE__PRIVATE int vae__read_field(vae_desc *d, const vae__field *f, const char *text) {
    const char *p = text;
    size_t n;
    switch (f->kind) {
    case VAE__TEXT: case VAE__KIND: *vae__field_text(d, f) = text; return 1;
    case VAE__CHOICE:
        *vae__field_int(d, f) = vae_choice_find((vae_choice)f->choice, text);
        return *vae__field_int(d, f) >= 0;
    case VAE__U64: return vae__read_bits(&p, 'u', vae__field_u64(d, f)) && !*p;
    case VAE__REAL:
        n = vae__read_real(text, vae__field_real(d, f));
        return n && !text[n];
    case VAE__STAGES: return vae__read_stages(text, d);
    default: return vae__read_int_field(text, vae__field_int(d, f));
    }
}

/* ---- lines of settings ---- */

/* What was a setting of its own in 0.1 and is an argument of a kind now. Files keep the settings,
 * so that every build reads the files of all networks it knows. */
static const struct {
    const char *name;
    int table;
    char letter; /* see vae__read_args */
} vae__old_settings[] = {{"variance", VAE_TABLE_LIKELIHOOD, 'v'},
                         {"categories", VAE_TABLE_LIKELIHOOD, 'l'},
                         {"head", VAE_TABLE_POSTERIOR, 'o'},
                         {"code", VAE_TABLE_POSTERIOR, 'c'}};
enum { VAE__OLD_COUNT = sizeof vae__old_settings / sizeof vae__old_settings[0] };

VAE__PRIVATE int vae__old_of(char letter) {
    int i;
    for (i = 0; i < VAE__OLD_COUNT && vae__old_settings[i].letter != letter; i++) {}
    return i;
}

/* "; likelihood=gaussian; variance=3fb999999999999a; categories=256": the kind with the arguments
 * that have no setting, then the settings, also those that this kind has no use for. A posterior
 * or prior that says nothing is left out, as 0.1 knew of none. */
VAE__PRIVATE void vae__put_kind(vae__sink *s, vae_desc *d, const vae__field *f) {
    const vae__kinds *kinds = vae__kinds_of[f->choice];
    char text[VAE__KIND_TEXT], args[8];
    const char *a, *given;
    const vae__kind *row[2] = {NULL, NULL};
    vae__op ops[2], op;
    vae__sink t;
    size_t n = 0;
    int i;
    (void)vae__read_kind(kinds, *vae__field_text(d, f), row, ops, text, NULL);
    given = row[1] ? "" : row[0]->args, op = ops[0]; /* with a flow the text says it all */
    for (a = given; *a && n + 1 < sizeof args; a++)
        if (vae__old_of(*a) == VAE__OLD_COUNT) args[n++] = *a;
    args[n] = 0;
    if (!row[1]) {
        t = vae__sink_text(text, sizeof text);
        vae__putf(&t, "%s", row[0]->name);
        vae__spell_args(&t, args, &op);
    }
    if (f->choice == VAE_TABLE_LIKELIHOOD || strcmp(text, vae__kind_at(kinds, 0)->name))
        vae__putf(s, "; %s=%s", f->name, text);
    for (i = 0; i < VAE__OLD_COUNT; i++) {
        const char letter = vae__old_settings[i].letter;
        const int has = strchr(given, letter) != NULL;
        const double real = has ? op.real : 1;
        if (vae__old_settings[i].table != f->choice) continue;
        vae__putf(s, "; %s=", vae__old_settings[i].name);
        if (letter == 'v') vae__put_bits(s, "", 'x', &real);
        if (letter == 'l') vae__putf(s, "%d", has ? op.n : 256);
        if (letter == 'o') vae__putf(s, "%s", has && op.n ? vae__deviation_names[op.n] : "logvar");
        if (letter == 'c') vae__putf(s, "%s", vae_choice_name(VAE_CHOICE_ACT, has ? op.kh : 0));
    }
}

/* The value of an old setting as it stands in a kind, spelled short, after what is in the sink; 0:
 * it is no such value. What was the default is left out. */
VAE__PRIVATE int vae__put_old(vae__sink *s, int setting, const char *value) {
    const char letter = vae__old_settings[setting].letter, *p = value;
    uint64_t u = 0;
    double real;
    size_t n;
    int i = VAE__SPREAD_SOFTPLUS;
    switch (letter) {
    case 'v':
        n = vae__read_real(value, &real);
        if (!n || value[n] || !vae__finite_d(real)) return 0;
        if (vae__bits_d(real) << 1) vae__putf(s, " %r", real);
        return 1;
    case 'l':
        if (!vae__read_bits(&p, 'u', &u) || *p || u > INT_MAX) return 0;
        if (u) vae__putf(s, " %u", u);
        return 1;
    case 'o':
        if (!strcmp(value, "logvar")) return 1;
        while (i && strcmp(value, vae__deviation_names[i])) i--;
        if (i) vae__putf(s, " %s", value);
        return i;
    default: /* 'c' */
        i = vae_choice_find(VAE_CHOICE_ACT, value);
        if (i > 0) vae__putf(s, " code %s", value);
        return i >= 0;
    }
}

/* A kind with its old settings put behind it, in `room`. `old` has the values, or NULL. The number
 * of a setting that cannot be read or has no room; VAE__OLD_COUNT: none. */
VAE__PRIVATE int vae__join_kind(vae_desc *d, const vae__field *f, const char *const *old,
                                char room[VAE__KIND_TEXT]) {
    const vae__kinds *kinds = vae__kinds_of[f->choice];
    const char **text = vae__field_text(d, f);
    const vae__kind *row;
    vae__sink s, none;
    size_t n = 0, k = 0;
    int i;
    if (!*text) *text = vae__kind_at(kinds, 0)->name;
    while (vae__is_word((*text)[n])) n++;
    do row = vae__kind_at(kinds, k++); while (row && !vae__same(*text, n, row->name));
    s = vae__sink_text(room, VAE__KIND_TEXT), none = vae__sink_of(NULL, 0);
    vae__putf(&s, "%s", *text);
    for (i = 0; i < VAE__OLD_COUNT; i++) {
        const size_t count = s.count;
        if (old[i] && vae__old_settings[i].table == f->choice &&
            !vae__put_old(row && row->args && strchr(row->args, vae__old_settings[i].letter) ?
                              &s : &none, i, old[i]))
            return i;
        if (s.count > count && s.count >= VAE__KIND_TEXT) return i; /* it must not get lost */
    }
    if (s.count < VAE__KIND_TEXT) *text = room; /* a longer text stands alone, in the line */
    return i;
}

/* What has been read of a line of settings. */
typedef struct vae__line {
    vae_desc *d;
    uint64_t seen;
    const char *old[VAE__OLD_COUNT];
} vae__line;
enum { VAE__TAKEN, VAE__UNKNOWN, VAE__TWICE, VAE__UNREAD };
enum { VAE__LINE_ROOM = 3 * VAE__KIND_TEXT };

/* One setting of a line: of the first `known` of the table, or an old one. value NULL: no '='. */
VAE__PRIVATE int vae__take(vae__line *l, const char *name, const char *value, int known) {
    const vae__field *f = vae__find_field(name);
    uint64_t mask;
    int i;
    for (i = 0; i < VAE__OLD_COUNT; i++)
        if (!strcmp(name, vae__old_settings[i].name)) {
            if (l->old[i]) return VAE__TWICE;
            l->old[i] = value;
            return value ? VAE__TAKEN : VAE__UNREAD;
        }
    if (!f || f - vae__fields >= known) return VAE__UNKNOWN;
    mask = (uint64_t)1 << (f - vae__fields);
    if (l->seen & mask) return VAE__TWICE;
    l->seen |= mask;
    return value && vae__read_field(l->d, f, value) ? VAE__TAKEN : VAE__UNREAD;
}

/* The end of a line: old settings are joined to their kinds, in `room`. The name of one that cannot
 * be read; NULL: all is well. */
VAE__PRIVATE const char *vae__line_end(vae__line *l, char room[VAE__LINE_ROOM]) {
    int i;
    for (i = 0; i < VAE__FIELD_COUNT; i++) {
        int bad;
        if (vae__fields[i].kind != VAE__KIND) continue;
        bad = vae__join_kind(l->d, &vae__fields[i], l->old, room);
        if (bad < VAE__OLD_COUNT) return vae__old_settings[bad].name;
        room += VAE__KIND_TEXT;
    }
    return NULL;
}

/* Ends a text before `end` and the blanks in front of that. */
VAE__PRIVATE void vae__end_text(const char *text, char *end) {
    while (end > text && strchr(" \t\r", end[-1])) end--;
    *end = 0;
}

/* Cuts the next "name = value" off a line, up to a semicolon or an end of line; blanks around both
 * are left out. `value` is NULL where there is no '='. 0 at the end of the text. */
VAE__PRIVATE int vae__next_setting(char **line, char **name, char **value) {
    char *p = *line + strspn(*line, "; \t\r\n"), *end = p + strcspn(p, ";\n");
    if (!*p) return 0;
    *line = end + (*end != 0);
    *end = 0;
    *name = p;
    *value = strchr(p, '=');
    if (*value) {
        vae__end_text(p, *value);
        *value += 1 + strspn(*value + 1, " \t\r");
        p = *value;
    }
    vae__end_text(p, end);
    return 1;
}

/* ---- settings by name, for callers ---- */

/* The fewest insertions, deletions and replacements that turn one word into another. */
VAE__PRIVATE int vae__distance(const char *a, const char *b) {
    int row[32], i, k;
    const int n = (int)strlen(b);
    for (k = 0; k <= n; k++) row[k] = k;
    for (i = 1; *a; i++, a++) {
        int diagonal = row[0];
        row[0] = i;
        for (k = 1; k <= n; k++) {
            const int replaced = diagonal + (*a != b[k - 1]);
            const int other = (row[k] < row[k - 1] ? row[k] : row[k - 1]) + 1;
            diagonal = row[k];
            row[k] = replaced < other ? replaced : other;
        }
    }
    return row[n];
}

VAE__PRIVATE vae_status vae__no_such_setting(const char *name, vae_report *report) {
    const char *nearest = NULL;
    int best = 3, i; /* two slips of the keyboard */
    if (!VAE__TALKS) return vae__fail(report, VAE_ERR_VALUE, "%q", name);
    for (i = 0; i < VAE__FIELD_COUNT && strlen(name) < 32; i++) {
        const int distance = vae__distance(name, vae__fields[i].name);
        if (distance < best && distance < (int)strlen(name))
            best = distance, nearest = vae__fields[i].name;
    }
    return vae__fail(report, VAE_ERR_VALUE, nearest ? "there is no setting %q; did you mean %s?" :
                     "there is no setting %q", name, nearest);
}

/* "1 to 16777216": what vae_desc_rule says. */
VAE__PRIVATE void vae__put_rule(vae__sink *s, const vae__field *f) {
    const char *word;
    int i;
    switch (f->kind) {
    case VAE__FLAG: vae__putf(s, "0 or 1"); break;
    case VAE__INT: vae__putf(s, "%d to %d", (int)f->low, (int)f->high); break;
    case VAE__U64: vae__putf(s, "0 to %u", (uint64_t)UINT64_MAX); break;
    case VAE__REAL:
        vae__put_setting_real(s, &f->low, 0);
        vae__putf(s, " to ");
        vae__put_setting_real(s, &f->high, 0);
        break;
    case VAE__CHOICE:
        for (i = 0; (word = vae_choice_name((vae_choice)f->choice, i)) != NULL; i++)
            vae__putf(s, i ? ", %s" : "%s", word);
        break;
    case VAE__STAGES:
        vae__putf(s, "steps:rate,steps:rate,... with steps above 0, rates from 0 to %f and at "
                  "most %d of them", f->high, VAE_MAX_STAGES);
        break;
    default: break;
    }
}

/* "latent: expected a whole number from 1 to 16777216, found 'many'" */
VAE__PRIVATE vae_status vae__not_a_value(const vae__field *f, const char *found,
                                         vae_report *report) {
    const char *noun = f->kind == VAE__INT || f->kind == VAE__U64 ? "a whole number from " :
                       f->kind == VAE__REAL ? "a number from " :
                       f->kind == VAE__CHOICE ? "one of " : "";
    char text[200];
    vae__sink s = vae__sink_text(text, sizeof text);
    double value;
    size_t n;
    if (!VAE__TALKS) return vae__fail(report, VAE_ERR_VALUE, "%q", found);
    n = vae__read_decimal(found, &value);
    if (f->kind == VAE__REAL && n && !found[n] && !(vae__bits_d(value) << 1))
        return vae__fail(report, VAE_ERR_VALUE, "%s: %q is too small: a double cannot tell it from "
                         "0", f->name, found);
    vae__put_rule(&s, f);
    return vae__fail(report, VAE_ERR_VALUE, "%s: expected %s%s, found %q", f->name, noun, text,
                     found);
}

#ifndef VAE_ONLY_DECODE
/* One setting from text into a description; on failure it stays as it was. */
VAE__PRIVATE vae_status vae__set_field(vae_desc *desc, const vae__field *f, const char *value,
                                       vae_report *report) {
    vae_desc read = *desc, settled;
    if (!vae__read_field(&read, f, value)) return vae__not_a_value(f, value, report);
    settled = read;
    if (vae__settle(&settled, f, NULL)) return vae__not_a_value(f, value, report);
    *desc = read;
    return VAE_OK;
}

VAE__PRIVATE vae_status vae__do_desc_set(vae_desc *desc, const char *name, const char *value,
                                         vae_report *report) {
    const vae__field *f;
    if (!desc || !name || !value)
        return vae__fail(report, VAE_ERR_NULL, "desc, name and value must be given");
    f = vae__find_field(name);
    return f ? vae__set_field(desc, f, value, report) : vae__no_such_setting(name, report);
}
VAE_API vae_status vae_desc_set(vae_desc *desc, const char *name, const char *value,
                                vae_report *report) {
    VAE__GUARDED(vae__do_desc_set(desc, name, value, report));
}

/* The value of a setting in a description, or its rule where desc is NULL, as a text. */
VAE__PRIVATE vae_status vae__field_as_text(const vae_desc *desc, const vae__field *f, char *text,
                                           size_t size, vae_report *report) {
    vae__sink s = vae__sink_of(NULL, 0);
    int pass;
    for (pass = 0; pass < 2; pass++) {
        if (desc) vae__put_field(&s, desc, f, 0);
        else vae__put_rule(&s, f);
        if (!pass && s.count >= size)
            return vae__fail(report, VAE_ERR_SIZE, "%s needs %z bytes, the text has %z", f->name,
                             s.count + 1, size);
        if (!pass) s = vae__sink_of(text, size);
    }
    vae__put(&s, "", 1);
    return VAE_OK;
}

VAE__PRIVATE vae_status vae__do_desc_get(const vae_desc *desc, const char *name, char *text,
                                         size_t size, vae_report *report) {
    const vae__field *f;
    vae_desc settled;
    if (!desc || !name || !text)
        return vae__fail(report, VAE_ERR_NULL, "desc, name and text must be given");
    f = vae__find_field(name);
    if (!f) return vae__no_such_setting(name, report);
    settled = *desc;
    if (!vae__is_text(f)) {
        const vae_status bad = vae__settle(&settled, f, report);
        if (bad) return bad;
    }
    return vae__field_as_text(desc, f, text, size, report);
}

VAE_API vae_status vae_desc_get(const vae_desc *desc, const char *name, char *text, size_t size,
                                vae_report *report) {
    VAE__GUARDED(vae__do_desc_get(desc, name, text, size, report));
}

VAE__PRIVATE vae_status vae__do_desc_rule(const char *name, char *text, size_t size,
                                          vae_report *report) {
    const vae__field *f;
    if (!name || !text) return vae__fail(report, VAE_ERR_NULL, "name and text must be given");
    f = vae__find_field(name);
    return f ? vae__field_as_text(NULL, f, text, size, report) :
               vae__no_such_setting(name, report);
}

VAE_API vae_status vae_desc_rule(const char *name, char *text, size_t size, vae_report *report) {
    VAE__GUARDED(vae__do_desc_rule(name, text, size, report));
}

VAE_API void vae_desc_defaults(vae_desc *desc) {
    int i;
    if (!desc) return;
    memset((void *)desc, 0, sizeof *desc);
    for (i = 0; i < VAE__FIELD_COUNT; i++) vae__settle(desc, &vae__fields[i], NULL);
}
#endif

/* A whole line of settings, of the first `known` in the table; cuts `line` into its pieces, which
 * the description then points to, as it does into `room`. A setting that the line does not have
 * keeps its value. */
VAE__PRIVATE vae_status vae__set_line(char *line, char room[VAE__LINE_ROOM], int known,
                                      vae_desc *d, vae_report *report) {
    vae__line l;
    char *name, *value;
    const char *unread;
    memset(&l, 0, sizeof l);
    l.d = d;
    while (vae__next_setting(&line, &name, &value)) {
        const vae__field *f = vae__find_field(name);
        const int taken = vae__take(&l, name, value, known);
        vae_desc settled = *d;
        if (taken == VAE__UNKNOWN && known < VAE__FIELD_COUNT)
            return vae__fail(report, VAE_ERR_MISMATCH, "the setting %q, which version "
                             VAE_VERSION_TEXT " does not know", name);
        if (!value)
            return vae__fail(report, VAE_ERR_VALUE, "expected name=value with semicolons between "
                             "settings, found %q", name);
        if (taken == VAE__UNKNOWN) return vae__no_such_setting(name, report);
        if (taken == VAE__TWICE)
            return vae__fail(report, VAE_ERR_VALUE, "the setting %s is given twice",
                             f ? f->name : name);
        if (f && (taken == VAE__UNREAD || vae__settle(&settled, f, NULL)))
            return vae__not_a_value(f, value, report);
    }
    unread = vae__line_end(&l, room);
    return unread ? vae__fail(report, VAE_ERR_VALUE, "the setting %s cannot be read", unread)
                  : VAE_OK;
}

/* ---- all settings: defaults, ranges, and what does not go together ---- */

/* Everything but texts first: memory that nobody initialised shows in its numbers, and its pointers
 * must not be followed. One wrong setting is a mistake; several may have another reason. */
VAE__PRIVATE vae_status vae__settle_all(vae_desc *d, vae_report *report) {
    const vae__field *wrong[2] = {NULL, NULL};
    vae_status bad;
    int i, count = 0;
    for (i = 0; i < VAE__FIELD_COUNT; i++)
        if (!vae__is_text(&vae__fields[i]) && vae__settle(d, &vae__fields[i], NULL)) {
            if (count < 2) wrong[count] = &vae__fields[i];
            count++;
        }
    if (count > 1)
        return vae__fail(report, VAE_ERR_VALUE, "%d settings are impossible, %s and %s among "
                         "them; is the description initialised (vae_desc d = {0};)?", count,
                         wrong[0]->name, wrong[1]->name);
    if (count) return vae__settle(d, wrong[0], report);
    for (i = 0; i < VAE__FIELD_COUNT; i++) {
        bad = vae__is_text(&vae__fields[i]) ? vae__settle(d, &vae__fields[i], report) : VAE_OK;
        if (bad) return bad;
    }
    return VAE_OK;
}

/* Settings that do not go together. `word` stands in the sentence where it has %s. */
VAE__PRIVATE vae_status vae__check_rules(const vae_desc *d, vae_report *report) {
    const char *objective = vae_choice_name(VAE_CHOICE_OBJECTIVE, (int)d->objective);
    const char *corrupt = vae_choice_name(VAE_CHOICE_CORRUPT, (int)d->corrupt);
    const struct {
        int broken;
        const char *sentence, *word;
    } rules[] = {
        {d->objective != VAE_OBJECTIVE_ELBO &&
             (d->no_noise || d->no_kl || d->no_recon || d->free_bits > 0),
         "objective %s weighs draws of z: it goes together with none of no_noise, no_kl, no_recon, "
         "free_bits", objective},
        {d->no_recon && d->no_kl, "no_recon and no_kl together leave no objective", ""},
        {d->free_bits > 0 && d->no_kl, "free_bits are of the KL, which no_kl leaves out", ""},
        {d->temperature_steps && d->temperature_end > d->temperature,
         "temperature_end is above temperature, which falls to it over temperature_steps", ""},
        {d->cycle_steps && !d->warmup_steps,
         "cycle_steps needs warmup_steps, the length of its rise", ""},
        {d->corrupt > VAE_CORRUPT_GAUSSIAN && d->corruption > 1,
         "corruption is above 1; of %s it is a probability", corrupt},
        {d->schedule == VAE_SCHEDULE_COSINE && !d->lr_steps,
         "a cosine schedule needs lr_steps, its length", ""},
        {(d->schedule == VAE_SCHEDULE_STAGES) != (d->stage_count > 0),
         "a schedule of stages and stage_count > 0 go together", ""},
    };
    size_t i;
    for (i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i].broken)
            return vae__fail(report, VAE_ERR_VALUE, rules[i].sentence, rules[i].word);
    return VAE_OK;
}

/* Threads and kernels, as this machine has them. */
VAE__PRIVATE vae_status vae__resolve_machine(vae_desc *d, vae_report *report) {
    const vae_status bad = vae__thread_count(&d->threads, report);
    if (bad) return bad;
    if (d->parallel.run && (d->parallel.parts < 1 || d->parallel.parts > VAE_MAX_THREADS))
        return vae__fail(report, VAE_ERR_VALUE, "parallel.parts is %d; it must lie from 1 to %d",
                         d->parallel.parts, VAE_MAX_THREADS);
    if (!vae_isa_available(d->isa))
        return vae__fail(report, VAE_ERR_UNSUPPORTED,
                         d->isa ? "the instruction set %s is not there (this build or this "
                                  "processor lacks it)"
                                : "this processor has no instruction set that this build has: "
                                  "it was made without plain C (VAE_NO_PORTABLE)",
                         vae_choice_name(VAE_CHOICE_ISA, (int)d->isa));
    d->isa = vae__kernels_of(d->isa)->isa;
    return VAE_OK;
}

/* What `inference` means in this build, of a description as of options. */
VAE__INLINE int vae__inference(int asked) {
#ifdef VAE_NO_TRAIN
    if (!asked) return 1;
#endif
    return asked;
}

/* Fills in the defaults and checks what can be checked without the network. */
VAE__PRIVATE vae_status vae__resolve(vae_desc *d, vae_report *report) {
    vae_status bad = vae__settle_all(d, report);
    if (!bad && VAE__WHOLE) bad = vae__check_rules(d, report);
    if (!bad) bad = vae__resolve_machine(d, report);
    d->inference = vae__inference(d->inference);
    return bad;
}

/* ---- the likelihood as an op, the last: the decoder's output comes in ----
 * Forward writes the row's -log p(x|z) and, where gradients are wanted, its gradient over that
 * output: the two share their memory, for nobody reads the output again. Backward has only to
 * weigh it. */

VAE__PRIVATE void vae__likelihood_fwd(const vae__walk *c, const vae__op *op, const float *w,
                                      const float *x, float *y) {
    const vae__terms *t = c->terms;
    const vae__density *l = t->likelihood;
    size_t i;
    (void)w;
    for (i = 0; i < c->rows; i++) {
        const size_t at = c->first + i;
        const float *out = x + i * op->in.dim;
        const float *image = t->x + (c->image + i / c->draws) * l->numbers;
        if (t->value && l->row->value) t->recon[at] = l->row->value(l, out, image);
        else if (!t->backward) t->recon[at] = l->row->loss(l, out, image, 0, NULL, NULL);
        else
            t->recon[at] = l->row->loss(l, out, image, t->share, y + i * op->in.dim,
                                        t->dlearned + at);
    }
}
VAE__PRIVATE void vae__likelihood_bwd(const vae__walk *c, const vae__op *op, const float *w,
                                      const float *x, const float *dy, float *dx) {
    const vae__terms *t = c->terms;
    size_t i;
    (void)w; (void)x;
    for (i = 0; t->weighs && i < c->rows; i++) {
        const float weight = t->weight[c->first + i];
        c->k->add(op->in.dim, dy + i * op->in.dim, weight, NULL, dx + i * op->in.dim);
        t->dlearned[c->first + i] *= weight;
    }
}
/* The one number that is learned, where there is one. */
VAE__PRIVATE void vae__likelihood_grad(const vae__walk *c, const vae__op *op, int tensor,
                                       size_t from, size_t to, const float *x, const float *dy,
                                       float *dw) {
    float sum = 0;
    size_t i;
    (void)op; (void)tensor; (void)from; (void)to; (void)x; (void)dy;
    for (i = 0; i < c->rows; i++) {
        sum = sum + c->terms->dlearned[i];
        VAE__HIDE_F(sum);
    }
    *dw = sum;
}

static const vae__layer vae__likelihood_layer = {
    "", NULL, NULL, "", 0, NULL, NULL, VAE__OF_WHOLE(vae__likelihood_fwd),
    VAE__BACK(vae__likelihood_bwd, vae__likelihood_grad, NULL)};

/* ======================================================================================
 * >>plan     from description to ops and memory: the layout
 * uses: >>settings >>likelihoods >>stochastic >>codes >>program >>layers >>threads >>dispatch
 *       >>arena
 * tests: tests/test_model.c
 * ==================================================================================== */

/* A tensor's place; names are made when asked for, so that the plan needs no memory for them. */
typedef struct vae__slot {
    char name[40];
    int rank;
    size_t shape[4], count, offset;
    size_t fan_in, fan_out; /* 0: starts at `start` */
    float start;
    int fixed;     /* not for the optimiser */
    int relu;      /* the activation behind it is ReLU-like */
} vae__slot;

/* Sums of the running epoch, stored with a checkpoint: the figures survive a resume too. */
typedef struct vae__position {
    uint64_t epoch, step, images, total; /* epochs done; steps and images of this one; its size */
    double recon, kl, loss, bound;       /* sums over the images so far */
    double layer_kl[VAE_MAX_LAYERS];     /* such sums, only where there are several layers */
    uint64_t best_epoch, cuts, cut_epoch; /* epochs counted from 1; cuts of the learning rate */
    double best;                         /* the lowest test loss */
} vae__position;

/* The ops of one string, in the array of all. */
typedef struct vae__net {
    const char *what;  /* "encoder" or "decoder" */
    size_t first, count;
    char *text;        /* canonical spelling, with its zero */
    size_t text_size;
} vae__net;

struct vae {
    vae_desc desc;
    vae_report report;
    const vae__kernels *k;
    void *block;           /* to be released; NULL in the caller's memory */
    size_t block_size, activations;
    vae__shape input;
    char *input_text;      /* of it, canonical */
    vae__op *ops;          /* from the pixels to the loss: those of the encoder, the code, the */
    size_t count;          /* prior, those of the decoder, the likelihood */
    size_t at_code;        /* number of the code; the first of the decoder is dec.first */
    size_t at_image;       /* of the decoder's layer `image`; 0: it has none */
    size_t at_draw;        /* of the first op that draws latents: `z N` of the encoder, the code */
    int layers;            /* stochastic layers; below, of each `z N`: latents, number of its op */
    struct { int n; size_t at; } layer[VAE_MAX_LAYERS];
    vae__net enc, dec;
    vae__slot *tensors;
    size_t slot_count, parameters;
    size_t outputs;        /* of the decoder, for an image */
    vae__code code;        /* posterior and prior */
    vae__density likelihood; /* not prepared: see vae__density_now */
    char texts[3][VAE__KIND_TEXT]; /* likelihood, posterior, prior as vae_get_desc gives them */
    int random_layers;     /* dropout and noise, numbered */
    int classes;           /* of layers `label` */
    int views;             /* rows of the encoder for an image: 2 for a stochastic `contract` */
    size_t visible_bias;   /* offset of the decoder's last bias, */
    size_t visible_count;  /* its length; 0: the last layer has none */
    size_t learned;        /* offset of what the likelihood has learned, if it has such a number */
    size_t widest;         /* floats of the widest row */
    float *w, *g, *m, *v, *average;
    int borrowed;          /* w lies elsewhere, read-only: in the caller's bytes, in the owner */
    int busy;              /* atomic: a call computes with it */
    int asking;            /* vae_fit is in its callback: others use the model, nobody trains it */
    int invalid, weights_only;
    size_t rows, z_rows;   /* of the buffers: batch, batch * samples */
    float *x;              /* (rows, input.dim) */
    float *z, *dz;         /* (z_rows, code.width): what the decoder gets */
    float *seen;           /* (rows * views, input.dim): what the encoder sees; NULL: x. The
                              pseudo-inputs of a prior stand behind the rows at work */
    int32_t *labels;       /* (rows): class of each image */
    float *heads;          /* (rows, head_floats): of the images at work, kept for their draws */
    size_t head_floats;    /* of the first draw or the code, or the latents, whatever is most */
    size_t units;          /* latents of all layers */
    vae__terms terms;      /* of the loss: the arrays. `unit` has 3 rows, for vae_units */
    double *bound;         /* (rows): of importance weights */
    float *norm, *mass;    /* (latent): `contract` in closed form */
    float *turn[2];        /* without training: (rows, widest), activations in turn */
    uint32_t *index;       /* (rows) */
    double *mean;          /* (input.dim), for visible_bias mean */
    float *piece, *room;   /* of a gradient, and scratch of a layer: for each part of a job */
    size_t piece_floats, room_floats; /* what one part needs at most */
    size_t piece_all;      /* floats of `piece` */
    size_t tensor_floats, tensor_wide; /* largest tensor and last dimension */
    int parts, piece_parts; /* of a job at most, of one that makes gradients */
    vae_parallel parallel;
    vae_pool *pool;        /* its own; NULL: none */
    uint64_t step;
    double b1t, b2t;       /* beta1^step, beta2^step */
    vae__position at;
};

/* A call takes the model, and gives it back. A NULL model is the call's to report. Without atomics
 * only a call from within a call is noticed. */
VAE__INLINE int vae__enter(vae *m, vae__fpenv *env) {
#ifdef VAE__ATOMIC
    env->held = m && !VAE__ATOMIC_SWAP(&m->busy, 1, ACQUIRE);
#else
    env->held = m && !m->busy;
    if (m) m->busy = 1;
#endif
    return env->held || !m;
}
VAE__INLINE void vae__leave(vae *m, vae__fpenv *env) {
#ifdef VAE__ATOMIC
    if (env->held) VAE__ATOMIC_STORE(&m->busy, 0, RELEASE);
#else
    if (env->held) m->busy = 0;
#endif
    env->held = 0;
}

/* VAE__GUARDED of a call that computes with model m: it is refused while another one does. */
#define VAE__COMPUTES(m, call) \
    vae__fpenv vae__host; \
    vae_status vae__got; \
    if (!vae__enter(m, &vae__host)) return VAE_ERR_STATE; \
    vae__fp_enter(&vae__host); \
    vae__got = call; \
    vae__fp_leave(&vae__host); \
    vae__leave(m, &vae__host); \
    return vae__got

/* ---- layout: one walk that counts, and the same walk that places ---- */

/* ReLU-like activations: He initialisation. */
VAE__INLINE int vae__act_is_relu(vae_act act) {
    return act != VAE_ACT_IDENTITY && act != VAE_ACT_TANH && act != VAE_ACT_SIGMOID;
}

/* 0 when the sizes overflow. */
VAE__PRIVATE int vae__add_slot(vae *m, const char *net, const vae__op *op, size_t item, int head,
                               const vae__tensor *t) {
    vae__slot local, *slot = m->tensors ? &m->tensors[m->slot_count] : &local;
    vae__sink s;
    int i;
    memset(slot, 0, sizeof *slot);
    s = vae__sink_text(slot->name, sizeof slot->name);
    if (!op) vae__putf(&s, "%s.%s", net, t->name);
    else if (head) vae__putf(&s, "%s.head.%s", net, t->name);
    else vae__putf(&s, "%s.%z.%s", net, item, t->name);
    slot->rank = t->rank;
    slot->count = 1;
    for (i = 0; i < t->rank; i++) {
        slot->shape[i] = t->shape[i];
        if (!vae__size_mul(slot->count, t->shape[i], &slot->count)) return 0;
    }
    slot->offset = m->parameters;
    slot->fan_in = t->fan_in, slot->fan_out = t->fan_out;
    slot->start = t->start, slot->fixed = t->fixed;
    slot->relu = op && vae__act_is_relu(op->act);
    m->slot_count++;
    return vae__size_add(m->parameters, slot->count, &m->parameters) &&
           m->parameters <= SIZE_MAX / 64;
}

enum { VAE__GRAD_BLOCK = 96 }; /* rows of a dense weight gradient made at a time: whole tiles */
enum { VAE__MAX_ITEMS = 256 }; /* the header of a model file stays far below its 1 MB */

/* Whether a decoder's last item is what the likelihood needs. A `label` never is. */
VAE__PRIVATE int vae__is_head(const vae__op *op, size_t head) {
    return op->layer != VAE__LAYER_ACT && !vae__has(op, VAE__CLASS | VAE__LATENT | VAE__BOUNDED) &&
           op->act == VAE_ACT_IDENTITY && op->out.dim == head &&
           (!op->path || op->layer->tensors);
}

enum { VAE__MAX_LENT = 8 };

/* One string on its way to ops. The same walk is made twice: without memory it only counts (ops,
 * tensors, floats, the length of the canonical spelling), with memory it places what it counted. */
typedef struct vae__planner {
    vae *m;
    vae__net *net;
    size_t head;         /* numbers that the string must give for a row */
    size_t each;         /* rows for an image */
    vae__arena *arena;   /* where the activations stand; NULL: they are left out */
    vae__parser p;
    vae__sink spell;     /* the canonical spelling */
    vae__op op, last;    /* the op at work, and the one before it: layer NULL for none */
    int state;           /* what the op at work is: */
    int draw;            /* the next op is the draw of so many latents; 0: it is not */
    int left;            /* decoder: how many `z N` of the encoder have no partner here yet */
    int final;           /* it is the decoder's last and gives what the likelihood needs */
    int gives_z;         /* the decoder takes its output, m->z */
    unsigned opened;     /* for use alone: bit d is set when `again` has the buffer of groups at */
    float *again[VAE__MAX_DEPTH + 1]; /* depth d */
    int lent_count;      /* for training: buffers that wide ops take turns with for dy */
    struct {
        float *at;
        size_t floats, used; /* used: the last op that has it */
    } lent[VAE__MAX_LENT];
} vae__planner;
enum { VAE__AT_ITEMS, VAE__AT_HEAD, VAE__AT_SPREAD, VAE__AT_PRIOR, VAE__AT_END };

/* Behind `image` the head is a `maskconv 1x1 b`. */
VAE__PRIVATE vae_status vae__mask_head(vae__planner *w) {
    vae__op *op = &w->op;
    op->layer = VAE__LAYER_MASKCONV;
    op->n = (int)(w->head / vae__pixels(&op->in));
    op->kh = op->kw = op->stride = 1, op->mask = 'b';
    return vae__place_layer(&w->p, op);
}

/* The offset of a stochastic layer's noise in the noise of one draw. For layer = m->layers: the
 * size of all of it. */
VAE__PRIVATE size_t vae__noise_before(const vae *m, int layer) {
    size_t sum = layer ? m->code.noise : 0;
    int i;
    for (i = 1; i < layer; i++) sum += (size_t)m->layer[i].n;
    return sum;
}

/* An item `z N`: w->op becomes its dense head, and the draw follows. The decoder has the encoder's
 * items in reverse order: the one next to the pixels is the encoder's first, the decoder's last. */
VAE__PRIVATE vae_status vae__plan_latent(vae__planner *w) {
    vae *m = w->m;
    vae__op *op = &w->op;
    const int decoder = w->net == &m->dec, n = decoder && w->left ? m->layer[w->left].n : op->n;
    const int column = (int)(w->p.item - w->p.text) + 1;
    if (op->act != VAE_ACT_IDENTITY)
        return vae__fail(w->p.report, VAE_ERR_SYNTAX, "%s, column %d: z %d takes no activation; "
                         "write one behind a comma", w->p.what, column, op->n);
    if (n != op->n || (decoder && !w->left))
        return vae__fail(w->p.report, VAE_ERR_SHAPE, n != op->n ?
                         "%s, column %d: z %d meets z %d: the decoder has those of the encoder, "
                         "in reverse order" :
                         "%s, column %d: z %d has no partner: the encoder has none left for it",
                         w->p.what, column, op->n, n);
    if (!decoder && m->layers == VAE_MAX_LAYERS)
        return vae__fail(w->p.report, VAE_ERR_SIZE, "%s: more than %d stochastic layers, with the "
                         "code", w->p.what, (int)VAE_MAX_LAYERS);
    if (!decoder) m->layer[m->layers++].n = n;
    w->draw = n;
    op->layer = VAE__LAYER_DENSE;
    op->n = 2 * n;
    vae__shape_flat(&op->out, (size_t)op->n);
    return VAE_OK;
}
/* The op that draws. Behind the first one of the encoder an image has a row for each draw. */
VAE__PRIVATE void vae__plan_draw(vae__planner *w) {
    vae *m = w->m;
    vae__op *op = &w->op;
    const int decoder = w->net == &m->dec, layer = decoder ? w->left-- : m->layers - 1;
    op->layer = decoder ? &vae__p_layer : &vae__q_layer;
    op->n = w->draw, op->number = layer;
    vae__shape_flat(&op->out, (size_t)op->n);
    op->row_floats = op->out.dim * (decoder ? 1 : 2);
    op->noise = vae__noise_before(m, layer);
    w->draw = 0;
    if (decoder) {
        op->pair = m->count - m->layer[layer].at;
        if (m->ops) m->ops[m->layer[layer].at].pair = op->pair;
        return;
    }
    m->layer[layer].at = m->count;
    op->fans = layer == 1;
    if (op->fans) m->at_draw = m->count;
    w->each = VAE__LEARNS(&m->desc) ? (size_t)m->desc.samples : 1;
}

/* Makes w->op the next op of a string: that of its next item; behind the items the dense head,
 * which a decoder has unless its last item gives what the likelihood needs; behind an encoder's
 * head the op that turns it into mu and logvar, where the posterior needs one. At the end:
 * VAE__AT_END. */
VAE__PRIVATE vae_status vae__next_op(vae__planner *w) {
    const int decoder = w->net == &w->m->dec;
    vae__op *op = &w->op;
    w->final = 0;
    if (VAE__DEEP && w->draw) {
        vae__plan_draw(w);
        return VAE_OK;
    }
    if (w->state == VAE__AT_ITEMS) {
        int more;
        const vae_status bad = vae__read_item(&w->p, op, w->net->count, &more);
        if (bad) return bad;
        op->path = w->p.path;
        if (more) {
            if (w->net->count && !vae__has(&w->last, VAE__OPENS) && op->layer != VAE__LAYER_CLOSE)
                vae__putf(&w->spell, ", ");
            vae__spell_item(&w->spell, op);
            w->final = decoder && !*w->p.at && !w->p.depth && vae__is_head(op, w->head);
            return VAE__DEEP && vae__has(op, VAE__LATENT) ? vae__plan_latent(w) : VAE_OK;
        }
        w->state = VAE__AT_HEAD;
        if (w->left)
            return vae__fail(w->p.report, VAE_ERR_SHAPE, "decoder: z %d of the encoder has no "
                             "partner: the decoder has them all, in reverse order",
                             w->m->layer[w->left].n);
        if (decoder && w->last.layer && vae__is_head(&w->last, w->head)) w->state = VAE__AT_END;
        if (w->p.path == VAE__PATH_HERE)
            return vae__misfit(&w->p, &w->last, "behind `image` a maskconv of mask a must stand: "
                               "the output would see the pixel it predicts");
    } else {
        const int spread = !decoder && w->state == VAE__AT_HEAD &&
                           vae__spreads(&w->m->code);
        w->state = spread ? VAE__AT_SPREAD : VAE__AT_END;
    }
    op->out = op->in;
    if (w->state == VAE__AT_HEAD) {
        w->final = decoder;
        if (w->p.path) return vae__mask_head(w);
        op->layer = VAE__LAYER_DENSE;
        op->n = (int)w->head;
        vae__shape_flat(&op->out, w->head);
    } else if (w->state == VAE__AT_SPREAD) {
        op->layer = w->m->code.posterior->means->layer;
        op->n = w->m->code.deviation, op->kh = (int)w->m->code.act;
        op->kw = (int)w->m->code.latent;
    }
    return VAE_OK;
}

/* What the op asks of the whole model, by its flags: a number for the addresses of its random
 * numbers, the classes of images. */
VAE__PRIVATE vae_status vae__plan_flags(vae__planner *w) {
    vae *m = w->m;
    vae__op *op = &w->op;
    if (vae__has(op, VAE__DRAWS)) op->number = ++m->random_layers;
    if (vae__has(op, VAE__CLASS)) {
        if (m->classes && m->classes != op->n)
            return vae__fail(w->p.report, VAE_ERR_SHAPE, "%s: a layer %s %d beside one of %d "
                             "classes", w->p.what, op->layer->name, op->n, m->classes);
        m->classes = op->n;
    }
    if (op->number && m->views > 1 && w->net == &m->enc)
        return vae__fail(w->p.report, VAE_ERR_VALUE, "contract compares two passes of the encoder: "
                         "it goes together with neither dropout nor noise there");
    if (w->net == &m->enc && vae__pseudo_inputs(&m->code) &&
        (vae__has(op, VAE__CLASS) || vae__has(op, VAE__LATENT) || op->layer->batch))
        return vae__fail(w->p.report, VAE_ERR_VALUE, "encoder: %s does not go together with prior "
                         "%s, whose pseudo-inputs have no class and no draws, and are no part of "
                         "the batch", *op->layer->name ? op->layer->name : "z N",
                         m->code.prior->kind.name);
    if (op->number > 255)
        return vae__fail(w->p.report, VAE_ERR_SIZE, "%s: more than 255 layers of dropout and noise",
                         w->p.what);
    return VAE_OK;
}

/* The op's tensors, in file order: they lie one behind another in the array of parameters. The
 * scratch of a gradient is as large as the largest block of any tensor, see vae__gradients_of. */
VAE__PRIVATE vae_status vae__plan_tensors(vae__planner *w) {
    vae *m = w->m;
    vae__op *op = &w->op;
    vae__tensor tensors[4];
    int i;
    memset(tensors, 0, sizeof tensors);
    op->tensor = m->slot_count;
    op->weights = m->parameters;
    op->tensor_count = op->layer->tensors ? op->layer->tensors(op, tensors) : 0;
    if (w->final) m->visible_count = 0; /* the bias of the decoder's last layer, if it has one */
    for (i = 0; i < op->tensor_count; i++) {
        const vae__tensor *t = &tensors[i];
        const size_t wide = t->shape[t->rank - 1], before = m->parameters;
        if (w->final && i == 1) m->visible_bias = before, m->visible_count = wide;
        if (!vae__add_slot(m, op->net, w->state == VAE__AT_PRIOR ? NULL : op, w->net->count,
                           w->state == VAE__AT_HEAD, t))
            return vae__fail(w->p.report, VAE_ERR_SIZE, "%s: the network is too large", w->p.what);
        if (!t->fixed) { /* a bias is one row */
            const size_t count = m->parameters - before;
            const size_t piece = vae__min(op->grad_block, count / wide) * wide;
            m->piece_floats = vae__max(m->piece_floats, piece);
            m->tensor_floats = vae__max(m->tensor_floats, count);
            m->tensor_wide = vae__max(m->tensor_wide, wide);
        }
    }
    if (op->layer == VAE__LAYER_ACT && w->last.layer && w->last.act == VAE_ACT_IDENTITY &&
        m->tensors)
        for (i = 0; i < w->last.tensor_count; i++) /* "dense 8, relu" is "dense 8 relu" */
            m->tensors[w->last.tensor + (size_t)i].relu = vae__act_is_relu(op->act);
    return VAE_OK;
}

/* For use alone: gives the last op a buffer of its own, in which row stands behind row. */
VAE__PRIVATE void vae__plan_own(vae *m, vae__arena *arena, size_t rows, size_t wide) {
    float *y;
    VAE__PUSH(arena, y, float, rows, wide, 1);
    if (m->ops) m->ops[m->count - 1].y = y, m->ops[m->count - 1].pitch = wide;
}
/* The op's output for use alone. Ops take turns with two buffers of the widest row. There a walk
 * leaves its rows behind one another, from the place of its first row on, so only the same walk can
 * read them. Others have a buffer of their own: the heads of latents and the encoder's draws, which
 * are read when many walks of few images have ended; and when images are drawn pixel by pixel what
 * is read at other pixels: `image`, what comes into it, and the end. What opens a group is read
 * once more: one buffer for all groups of that depth. */
VAE__PRIVATE void vae__plan_use(vae__planner *w) {
    vae *m = w->m;
    vae__op *op = &w->op, *last = &w->last;
    const int depth = w->p.depth, opens = vae__has(op, VAE__OPENS);
    const int own = w->draw || (vae__has(op, VAE__RETURNS) && !opens) ||
                    (op->path && (w->final || !vae__has(op, VAE__SPOT)));
    const int sees = !vae__has(op, VAE__SPOT) || op->kh > 1 || op->kw > 1;
    op->pitch = own ? op->out.dim : m->widest;
    op->y = m->turn[m->count & 1];
    if (opens && !(w->opened >> depth & 1)) {
        VAE__PUSH(w->arena, w->again[depth], float, op->rows, m->widest, 1);
        w->opened |= 1u << depth;
    }
    if (opens) op->y = w->again[depth];
    VAE__PUSH(w->arena, op->y, float, op->rows, op->pitch, own);
    if (op->path && sees && last->layer && (!last->path || vae__has(last, VAE__SPOT)))
        vae__plan_own(m, w->arena, last->rows, last->out.dim);
}

#ifndef VAE__STAGE_FLOATS /* activations on the way back before a stage ends; tests take 1 */
#define VAE__STAGE_FLOATS ((size_t)1 << 19)
#endif

/* Whether the op at work fills a stage of the way back alone, so that its dy can be lent. */
VAE__PRIVATE int vae__lends(const vae__planner *w) {
    const vae *m = w->m;
    return VAE__LEARNS(&m->desc) && m->rows && (w->net == &m->enc || w->net == &m->dec) &&
           !w->final && !vae__has(&w->op, VAE__LATENT) && /* q reads p's dy */
           w->op.out.dim >= (VAE__STAGE_FLOATS + m->rows - 1) / m->rows;
}
/* dy of such an op: a buffer that no op from the one before op `since` on has, or a new one. Where
 * the way back comes to an op behind one of these the rows meet, so all weights further on have
 * their gradients by then, and only the dy of neighbours are in use together; and that of a group's
 * sum until the way back leaves the group. */
VAE__PRIVATE void vae__plan_lent(vae__planner *w, size_t since) {
    vae__op *op = &w->op;
    size_t floats;
    int i;
    if (!vae__size_mul(op->rows, op->out.dim, &floats)) floats = SIZE_MAX;
    for (i = 0; i < w->lent_count; i++)
        if (w->lent[i].used + 1 < since && w->lent[i].floats >= floats) break;
    op->lent = i < VAE__MAX_LENT ? i + 1 : 0;
    VAE__PUSH(w->arena, op->dy, float, op->rows, op->out.dim, i == w->lent_count || !op->lent);
    if (!op->lent) return;
    if (i < w->lent_count) op->dy = w->lent[i].at;
    else w->lent_count++, w->lent[i].at = op->dy, w->lent[i].floats = floats;
}

/* The op's buffers. In training each has its own y: backward reads what forward has written. */
VAE__PRIVATE void vae__plan_buffers(vae__planner *w) {
    vae *m = w->m;
    vae__op *op = &w->op;
    const int train = VAE__LEARNS(&m->desc);
    /* a group's sum stands where the last numbers inside it stood, which nobody asks for again */
    const int sum = op->layer == VAE__LAYER_CLOSE && w->last.act == VAE_ACT_IDENTITY &&
                    !vae__has(&w->last, VAE__PASSES | VAE__OPENS);
    /* so does an activation behind a group. Numbers that only pass stay where they are; the
     * gradient of the last op takes the place of its output, which the likelihood has read */
    const int over = op->layer == VAE__LAYER_ACT && w->last.layer == VAE__LAYER_CLOSE;
    const int passes = (sum || vae__has(op, VAE__PASSES | VAE__OPENS)) &&
                       op->act == VAE_ACT_IDENTITY;
    const int same = train && w->last.layer && !w->final && (over || passes);
    const size_t rows = op->rows, wide = op->out.dim;
    const int lends = vae__lends(w);
    op->pitch = wide;
    VAE__PUSH(w->arena, op->own, float, 1, op->own_floats, 1);
    VAE__PUSH(w->arena, op->kept, float, rows, op->row_floats, 1);
    VAE__PUSH(w->arena, op->y, float, rows, wide, train && !same && !w->gives_z);
    VAE__PUSH(w->arena, op->dy, float, rows, wide,
              train && !same && !lends && !w->final && !w->gives_z);
    VAE__PUSH(w->arena, op->pre, float, rows, wide, train && vae__act_keeps_input(op->act));
    if (same) op->y = w->last.y, op->dy = w->last.dy, op->lent = w->last.lent;
    if (lends && (!same || sum))
        vae__plan_lent(w, op->layer == VAE__LAYER_CLOSE ? m->count - op->pair : m->count);
    if (lends && same && sum && m->ops) m->ops[m->count - 1].dy = op->dy;
    if (op->lent) w->lent[op->lent - 1].used = m->count;
    if (w->last.lent && !same) op->meets |= 1 << VAE__BATCH_BACKWARD;
    if (train && w->final) op->dy = op->y;
    if (!train && !w->gives_z) vae__plan_use(w);
    if (w->gives_z) op->y = m->z, op->dy = m->dz;
}

/* The op at work becomes the model's next one. */
VAE__PRIVATE vae_status vae__plan_op(vae__planner *w) {
    vae *m = w->m;
    vae__op *op = &w->op;
    vae_status bad;
    op->net = w->net->what, op->each = w->each, op->rows = m->rows * w->each;
    if (w->net == &m->enc && VAE__LEARNS(&m->desc)) op->rows += vae__pseudo_inputs(&m->code);
    op->path = w->p.path, op->first = !m->parameters;
    if (w->final && op->colours > 1 && m->likelihood.row->outputs > 1)
        op->repeat = (size_t)m->likelihood.row->outputs;
    if (!op->grad_block) op->grad_block = VAE__GRAD_BLOCK;
    if (op->layer->batch)
        op->meets = 1 << VAE__BATCH_FORWARD | 1 << VAE__BATCH_BACKWARD | 1 << VAE__BATCH_KEEP;
    bad = vae__plan_flags(w);
    if (!bad) bad = vae__plan_tensors(w);
    if (bad) return bad;
    if (w->net->count >= VAE__MAX_ITEMS)
        return vae__fail(w->p.report, VAE_ERR_SIZE, "%s: more than %d items", w->net->what,
                         (int)VAE__MAX_ITEMS);
    m->widest = vae__max(m->widest, op->out.dim);
    m->room_floats = vae__max(m->room_floats, op->room);
    if (w->arena) vae__plan_buffers(w);
    if (m->ops) {
        m->ops[m->count] = *op;
        if (op->layer == VAE__LAYER_CLOSE) m->ops[m->count - op->pair].pair = op->pair;
    }
    m->count++, w->net->count++, w->last = *op;
    return VAE_OK;
}

/* Compiles one string and its head. */
VAE__PRIVATE vae_status vae__net_plan(vae *m, vae__net *net, const char *text, vae__shape in,
                                      size_t head, size_t each, vae__arena *arena,
                                      vae_report *report) {
    vae__planner w;
    memset(&w, 0, sizeof w);
    w.m = m, w.net = net, w.head = head, w.each = each, w.arena = arena;
    w.left = net == &m->dec ? m->layers - 1 : 0;
    w.p.what = net->what, w.p.text = w.p.at = text, w.p.report = report;
    if (net == &m->dec) w.p.image = &m->input;
    w.p.colours = m->likelihood.row->whole ? 1 : m->input.c;
    w.spell = vae__sink_of(net->text, net->text_size);
    net->first = m->count;
    net->count = 0;
    for (;;) {
        vae_status bad;
        memset(&w.op, 0, sizeof w.op);
        w.op.in = in;
        bad = vae__next_op(&w);
        if (bad) return bad;
        if (w.state == VAE__AT_END) break;
        if (w.p.path && !m->at_image) m->at_image = m->count;
        w.op.holes = w.last.layer ? w.last.act == VAE_ACT_RELU : net == &m->enc;
        bad = vae__plan_op(&w);
        if (bad) return bad;
        in = w.op.out;
    }
    vae__put(&w.spell, "", 1);
    net->text_size = w.spell.count;
    return VAE_OK;
}

/* The next op of those that no string names: the code and the likelihood. */
VAE__PRIVATE void vae__plan_end(vae *m, const vae__layer *layer, size_t in, size_t out) {
    vae__op *op = m->ops ? &m->ops[m->count] : NULL;
    m->count++;
    if (!op) return;
    op->layer = layer;
    vae__shape_flat(&op->in, in);
    vae__shape_flat(&op->out, out);
    op->each = VAE__LEARNS(&m->desc) ? (size_t)m->desc.samples : 1;
    op->rows = m->z_rows;
    op->grad_block = 1;
    op->tensor = m->slot_count, op->weights = m->parameters;
}

/* Settings that several stochastic layers refuse. */
VAE__PRIVATE vae_status vae__check_layers(const vae *m, vae_report *report) {
    const vae_desc *d = &m->desc;
    const char *what = d->no_noise ? "no_noise: the terms of `z N` are those of draws" :
        d->free_bits > 0 ? "free_bits: `z N` has no KL in closed form" :
        d->contract > 0 ? "contract: mu is no function of the image alone" :
        d->sparse > 0 ? "sparse: mu is no function of the image alone" :
        d->objective == VAE_OBJECTIVE_DREG ? "objective dreg: a draw's density depends on the draw "
        "before it, so that the encoder would need a second way back; take iwae" :
        !m->code.posterior->log_q ? "this posterior, whose draws have no density" : NULL;
    if (VAE__LAYERS(m) == 1 || !what) return VAE_OK;
    return vae__fail(report, VAE_ERR_VALUE, "stochastic layers `z N` do not go together with %s",
                     what);
}

/* The op of the code and, where the KL has no closed form, those of the flow's steps and of the
 * prior. The output of the last op that has one of its own is z. */
VAE__PRIVATE vae_status vae__plan_code(vae *m, vae__arena *arena, vae_report *report) {
    const vae__code *q = &m->code;
    const int steps = q->flow ? q->flow_steps : 0;
    vae__planner w;
    vae__net net;
    vae_status bad = VAE_OK;
    vae__shape z;
    int step;
    if (VAE__LAYERS(m) == 1) m->at_draw = m->count;
    m->units = q->latent + vae__noise_before(m, m->layers) - q->noise;
    m->head_floats = vae__max(q->head, VAE__LAYERS(m) > 1 ? 2 * (size_t)m->layer[1].n : 0);
    m->head_floats = vae__max(m->head_floats, m->units);
    memset(&w, 0, sizeof w), memset(&net, 0, sizeof net);
    w.m = m, w.net = &net, w.arena = arena, w.p.report = report;
    w.each = VAE__LEARNS(&m->desc) ? (size_t)m->desc.samples : 1;
    m->at_code = m->count;
    if (arena && !VAE__LEARNS(&m->desc) && m->count)
        vae__plan_own(m, arena, m->rows, q->head);
    vae__shape_flat(&w.op.in, q->head);
    for (step = -1; !bad && step <= steps; step++) {
        vae__op *op = &w.op;
        if (step == steps && VAE__CLOSED(q)) break;
        z = step < 0 ? op->in : op->out;
        memset(op, 0, sizeof *op);
        op->in = op->out = z;
        w.gives_z = step >= steps - 1, w.state = step == steps ? VAE__AT_PRIOR : VAE__AT_ITEMS;
        net.what = w.p.what = step < 0 ? NULL : step < steps ? "posterior" : "prior";
        net.count = step < 0 ? 0 : (size_t)step;
        if (step < 0) {
            op->layer = &vae__code_layer, op->fans = VAE__LAYERS(m) == 1;
            vae__shape_flat(&op->out, q->width + q->context);
        } else if (step < steps) {
            op->layer = q->flow->layer;
            op->n = q->flow_width, op->stride = steps, op->kh = (int)q->latent, op->kw = step;
        } else {
            op->layer = q->prior->layer, op->n = q->n, op->kw = q->full, op->real = q->real;
            op->kh = (int)m->input.dim;
            if (vae__pseudo_inputs(q) && m->rows &&
                !vae__size_mul((size_t)q->n, q->head + (m->desc.inference ? 0 : m->input.dim),
                               &op->own_floats))
                return vae__fail(report, VAE_ERR_SIZE, "the heads of the pseudo-inputs do not fit "
                                 "into the address space");
        }
        if (op->layer->shape) bad = op->layer->shape(&w.p, op);
        if (!bad) bad = vae__plan_op(&w);
    }
    if (m->ops) m->ops[m->at_code].meets = m->desc.free_bits > 0 ? 1 << VAE__BATCH_FORWARD : 0;
    if (m->ops && vae__pseudo_inputs(q)) {
        m->code.heads = w.last.own, m->code.unit = m->likelihood.row->unit;
        m->ops[m->count - 1].meets = 1 << VAE__BATCH_FORWARD | 1 << VAE__BATCH_BACKWARD;
    }
    return bad;
}

/* The whole program: the encoder's string, the code, the decoder's string, the likelihood. Tensors
 * are in file order. */
VAE__PRIVATE vae_status vae__plan(vae *m, vae__arena *arena, vae_report *report) {
    const vae_desc *d = &m->desc;
    vae__shape z;
    vae_status bad = VAE_OK;
    m->count = m->slot_count = m->parameters = 0;
    m->random_layers = m->classes = 0, m->layers = 1;
    m->at_image = 0;
    vae__shape_flat(&z, m->code.width);
    if (m->code.head)
        bad = vae__net_plan(m, &m->enc, d->encoder, m->input, m->code.head, (size_t)m->views,
                            arena, report);
    else if (*d->encoder && strcmp(d->encoder, vae__find_field("encoder")->text))
        return vae__fail(report, VAE_ERR_VALUE, "posterior %s has no encoder: leave the string out",
                         m->code.posterior->kind.name);
    else m->enc.text_size = 1; /* an empty text */
    if (!bad) bad = vae__check_layers(m, report);
    if (!bad) bad = vae__plan_code(m, arena, report);
    if (bad) return bad;
    bad = vae__net_plan(m, &m->dec, d->decoder, z, m->outputs,
                        VAE__LEARNS(d) ? (size_t)d->samples : 1, arena, report);
    if (bad) return bad;
    vae__plan_end(m, &vae__likelihood_layer, m->outputs, m->outputs);
    if (m->ops) { /* the gradient takes the place of the decoder's output */
        vae__op *last = &m->ops[m->count - 1];
        last->y = last[-1].y, last->dy = last[-1].dy, last->pitch = last[-1].pitch;
        last->tensor_count = m->likelihood.row->learned != NULL;
    }
    if (m->likelihood.row->learned) {
        vae__tensor t;
        memset(&t, 0, sizeof t);
        t.name = m->likelihood.row->learned;
        t.rank = 1, t.shape[0] = 1;
        m->learned = m->parameters;
        if (!vae__add_slot(m, m->dec.what, NULL, 0, 0, &t)) return VAE_ERR_SIZE;
    }
    return VAE_OK;
}

/* A shape in one spelling. */
enum { VAE__SHAPE_TEXT = 32 };
VAE__PRIVATE void vae__spell_shape(const vae__shape *shape, char *text) {
    vae__sink s = vae__sink_of(text, VAE__SHAPE_TEXT);
    if (shape->h * shape->w > 1) vae__putf(&s, "%zx%zx%z", shape->h, shape->w, shape->c);
    else vae__putf(&s, "%z", shape->c);
    vae__put(&s, "", 1);
}

/* What a part has at least, and what makes it efficient: rows of a batch; weights, whose gradients
 * are made. */
#define VAE__PART_ROWS 4, 64
#define VAE__PART_WEIGHTS 4096, 16384

/* As vae__parts, and no more than the model has room for. */
VAE__PRIVATE int vae__model_parts(const vae *m, size_t count, size_t least, size_t fine) {
    const int parts = vae__parts(&m->parallel, count, least, fine);
    return parts < m->parts ? parts : m->parts;
}
/* How many that is, once rows, parameters and `parallel` are known. Each part has scratch for the
 * layers; each part of a job that makes gradients a piece of `piece` too. */
VAE__PRIVATE void vae__plan_parts(vae *m) {
    size_t share;
    m->parts = vae__most_parts(&m->parallel, vae__max(m->rows, m->z_rows), VAE__PART_ROWS);
    m->piece_parts = vae__most_parts(&m->parallel, m->parameters, VAE__PART_WEIGHTS);
    if (m->parts < m->piece_parts && VAE__LEARNS(&m->desc)) m->parts = m->piece_parts;
    /* of a gradient: what is made at a time, or a part's share of the largest, whatever is less */
    share = m->tensor_floats / (size_t)m->piece_parts + 8 * m->tensor_wide;
    share = vae__whole(vae__min(share, m->piece_floats));
    if (!vae__size_mul((size_t)m->piece_parts, share, &m->piece_all)) m->piece_all = SIZE_MAX;
    m->piece_all = vae__max(m->piece_all, m->piece_floats);
}

/* What of a model lies elsewhere: nothing, the parameters, or their average too. */
enum { VAE__OWN, VAE__BORROWED, VAE__SHARED };

/* The three parts of a model's block, each a table: what, of what type, how many, when.
 *
 * First what a model has without any batch: the ops, the texts, the parameters, the optimiser's. A
 * model that borrows its parameters has the rest. */
VAE__PRIVATE void vae__lay_parameters(vae *m, vae__arena *a, int borrowed) {
    const vae_desc *d = &m->desc;
    const int train = VAE__LEARNS(d), pool = d->threads > 1 && !d->parallel.run;
    const size_t n = m->parameters;
    char *block = NULL;
    VAE__PUSH(a, m->ops, vae__op, m->count, 1, 1);
    VAE__PUSH(a, m->tensors, vae__slot, m->slot_count, 1, 1);
    VAE__PUSH(a, m->enc.text, char, m->enc.text_size, 1, 1);
    VAE__PUSH(a, m->dec.text, char, m->dec.text_size, 1, 1);
    VAE__PUSH(a, m->input_text, char, VAE__SHAPE_TEXT, 1, 1);
    VAE__PUSH(a, m->w, float, n, 1, !borrowed);
    VAE__PUSH(a, m->g, float, n, 1, train && (d->keep_gradients || d->clip > 0));
    VAE__PUSH(a, m->m, float, n, 1, train);
    VAE__PUSH(a, m->v, float, n, 1, train && d->optimizer != VAE_OPTIMIZER_SGD);
    VAE__PUSH(a, m->average, float, n, 1, d->ema > 0 && borrowed != VAE__SHARED);
    VAE__PUSH(a, block, char, 1, vae__pool_size(d->threads), pool);
    if (pool) m->pool = (vae_pool *)(void *)block;
}

/* Then what a batch needs; the buffers of the ops follow. Those of one row for an image and one for
 * a draw stand apart: only the latter grow with `samples`. Without training two buffers of the
 * widest row are all that the ops have. */
VAE__PRIVATE void vae__lay_rows(vae *m, vae__arena *a) {
    const vae_desc *d = &m->desc;
    const int train = VAE__LEARNS(d);
    const size_t heads = VAE__LAYERS(m) > 1 ? m->z_rows : m->rows;
    vae__terms *t = &m->terms;
    VAE__PUSH(a, m->x, float, m->rows, m->input.dim, 1);
    VAE__PUSH(a, m->index, uint32_t, m->rows, 1, 1);
    VAE__PUSH(a, t->eps, float, m->z_rows, m->code.noise, 1);
    VAE__PUSH(a, m->z, float, m->z_rows, m->code.width, 1);
    VAE__PUSH(a, t->recon, double, m->z_rows, 1, 1);
    VAE__PUSH(a, t->kl, float, heads, 1, 1);
    VAE__PUSH(a, m->mean, double, m->input.dim, 1, train && d->visible_bias == VAE_BIAS_MEAN);
    VAE__PUSH(a, m->dz, float, m->z_rows, m->code.width, train);
    VAE__PUSH(a, t->dlearned, float, m->z_rows, 1, train);
    VAE__PUSH(a, m->piece, float, m->piece_all, 1, train);
    VAE__PUSH(a, m->turn[0], float, m->rows, m->widest, !train);
    VAE__PUSH(a, m->turn[1], float, m->rows, m->widest, !train);
    VAE__PUSH(a, m->room, float, m->rows ? (size_t)m->parts : 0, m->room_floats, 1);
}

/* Small ones come last: before the activations they made a convolutional step 10 % slower, by
 * moving those to where they want the same lines of the cache. */
VAE__PRIVATE void vae__lay_small(vae *m, vae__arena *a, int exact) {
    const vae_desc *d = &m->desc;
    const int train = VAE__LEARNS(d), seen = train && (m->views > 1 || d->corrupt);
    const size_t more = m->rows ? vae__pseudo_inputs(&m->code) : 0;
    const size_t latent = m->code.latent, head = m->code.head;
    const size_t heads = VAE__LAYERS(m) > 1 ? m->z_rows : m->rows;
    vae__terms *t = &m->terms;
    VAE__PUSH(a, m->labels, int32_t, m->rows, 1, 1);
    VAE__PUSH(a, m->heads, float, m->rows, m->head_floats, 1);
    VAE__PUSH(a, t->keep, float, latent, 1, 1);
    VAE__PUSH(a, t->unit, double, 3, m->units, 1);
    VAE__PUSH(a, t->weight, float, m->z_rows, 1, 1);
    VAE__PUSH(a, t->logw, double, m->z_rows, 1, 1);
    VAE__PUSH(a, t->deep, double, m->z_rows, (size_t)m->layers - 1, 1);
    VAE__PUSH(a, t->penalty, double, heads, 1, train);
    VAE__PUSH(a, t->slope, float, heads, head, train && !d->no_kl && m->code.closed);
    VAE__PUSH(a, m->bound, double, m->rows, 1, train);
    VAE__PUSH(a, m->seen, float, (train ? m->rows * (size_t)m->views : 0) + more, m->input.dim,
              seen || more);
    VAE__PUSH(a, m->norm, float, latent, 1, train && exact && d->contract > 0);
    VAE__PUSH(a, m->mass, float, latent, 1, train && exact && d->contract > 0);
}

/* Lays a model out in an arena. With arena->base NULL nothing but the counts is written, and
 * arena->used is the size of the block; both ways run through the same lines. `borrowed`: what lies
 * elsewhere. */
VAE__PRIVATE vae_status vae__lay_out(vae *m, vae__arena *arena, int borrowed, vae_report *report) {
    const vae_desc *d = &m->desc;
    const int train = VAE__LEARNS(d);
    const vae__means *means;
    int exact; /* `contract` in closed form */
    size_t place;
    vae__parser p;
    vae_status bad;
    memset(&p, 0, sizeof p);
    p.what = "input", p.text = p.at = d->input, p.report = report;
    bad = vae__read_shape(&p, &m->input);
    if (bad) return bad;
    vae__skip(&p);
    if (*p.at) return vae__expected(&p, "the end (the shape is HxWxC or N)");
    bad = vae__read_likelihood(d, &m->input, &m->likelihood, m->texts[0], report);
    if (!bad) bad = vae__read_code(d, &m->code, m->texts[1], m->texts[2], report);
    if (bad) return bad;
    if (m->code.latent) m->desc.latent = (int)m->code.latent;
    means = m->code.posterior->means;
    m->outputs = m->likelihood.outputs;
    m->rows = m->z_rows = d->inference == 2 ? 0 : (size_t)d->batch;
    if (train && (!vae__size_mul(m->rows, (size_t)d->samples, &m->z_rows) ||
                  m->z_rows > VAE_MAX_DIM))
        return vae__fail(report, VAE_ERR_SIZE, "batch x samples is more than %d",
                         (int)VAE_MAX_DIM);
    m->enc.what = "encoder", m->dec.what = "decoder";
    m->widest = vae__max(m->code.head, m->code.width);
    m->views = 1;
    bad = vae__plan(m, NULL, report);
    if (bad) return bad;
    exact = train && means && means->curve && means->curve(&m->code) &&
            m->enc.count == 1 + (size_t)vae__spreads(&m->code);
    m->room_floats = vae__max(m->room_floats, m->code.room_floats);
    if (train && d->contract > 0 && !exact) m->views = 2;
    m->parallel = d->parallel;
    if (!d->parallel.run && d->threads > 1)
        m->parallel.run = vae__pool_run, m->parallel.parts = d->threads;
    vae__plan_parts(m);

    vae__lay_parameters(m, arena, borrowed);
    place = arena->used;
    vae__lay_rows(m, arena);
    bad = vae__plan(m, arena, report);
    vae__lay_small(m, arena, exact);
    m->activations = arena->used - place;
    if (bad) return bad;
    m->terms.layers = m->layers, m->terms.deep_rows = m->z_rows;
    m->terms.noise = vae__noise_before(m, m->layers);
    if (arena->failed)
        return vae__fail(report, VAE_ERR_SIZE, arena->base ? "the memory block is too small" :
                         "the model does not fit into the address space");
    if (arena->base) {
        vae__spell_shape(&m->input, m->input_text);
        m->desc.input = m->input_text, m->desc.encoder = m->enc.text, m->desc.decoder = m->dec.text;
        m->desc.likelihood = m->texts[0];
        m->desc.posterior = m->texts[1], m->desc.prior = m->texts[2];
    }
    return VAE_OK;
}

/* ======================================================================================
 * >>model    made, shared, looked at: initial weights
 * uses: >>plan >>settings >>layers >>threads >>dispatch >>arena
 * tests: tests/test_model.c
 * ==================================================================================== */

/* Size of the whole block: the struct, the layout, and slack to align a caller's block. */
VAE__PRIVATE vae_status vae__measure(const vae_desc *desc, int borrowed, vae *m, size_t *size,
                                     vae_report *report) {
    vae__arena arena;
    vae_status bad;
    memset((void *)m, 0, sizeof *m);
    memset(&arena, 0, sizeof arena);
    m->desc = *desc;
    bad = vae__resolve(&m->desc, report);
    if (bad) return bad;
    vae__push(&arena, 1, sizeof(vae));
    bad = vae__lay_out(m, &arena, borrowed, report);
    if (bad) return bad;
    *size = arena.used + 63;
    return VAE_OK;
}

/* Makes a model without initial weights. memory NULL: from the allocator. `place`: where the
 * parameters lie, unless they are its own. */
VAE__PRIVATE vae_status vae__make(const vae_desc *desc, void *memory, size_t room, int borrowed,
                                  const float *place, vae **model, vae_report *report) {
    vae plan, *m;
    vae__arena arena;
    vae_status bad;
    void *block = NULL;
    size_t size, shift;
    bad = vae__measure(desc, borrowed, &plan, &size, report);
    if (bad) return bad;
    if (!memory) {
        memory = block = vae__alloc(&desc->allocator, size);
        if (!block)
            return vae__fail(report, VAE_ERR_MEMORY, "out of memory: the model needs %z bytes",
                             size);
    } else if (room < size) {
        return vae__fail(report, VAE_ERR_SIZE, "the memory block has %z bytes, the model needs %z",
                         room, size);
    }
    shift = (64 - ((uintptr_t)memory & 63)) & 63;
    memset(&arena, 0, sizeof arena);
    arena.base = (char *)memory + shift;
    arena.size = size - shift;
    m = (vae *)vae__push(&arena, 1, sizeof(vae));
    /* buffers are written before they are read; zeros would cost a shared model its time */
    memset(arena.base, 0, borrowed == VAE__SHARED ? size - 63 - plan.activations : arena.size);
    m->desc = *desc;
    m->block = block;
    m->block_size = size;
    bad = vae__resolve(&m->desc, report);
    if (!bad) bad = vae__lay_out(m, &arena, borrowed, report);
    if (!bad && m->pool) {
        bad = vae__pool_start(m->pool, m->desc.threads, desc->threads < 0, report);
        m->desc.threads = m->pool->threads;
    }
    if (bad) {
        vae__release(&desc->allocator, block, size);
        return bad;
    }
    m->k = m->code.k = m->likelihood.k = vae__kernels_of(m->desc.isa);
    if (m->pool) m->parallel = vae_pool_parallel(m->pool);
    m->b1t = m->b2t = 1;
    if (borrowed) {
        /* nothing writes to the parameters of a model for inference */
        union { const float *in; float *out; } alias;
        alias.in = place;
        m->w = alias.out;
        m->borrowed = 1;
    }
    *model = m;
    return VAE_OK;
}

/* ---- initial weights ---- */

/* The mask of tensor t, where it has one, over all of it: see vae__layer. */
VAE__PRIVATE int vae__mask(const vae *m, size_t t, const float *w, float *clear) {
    const vae__slot *slot = &m->tensors[t];
    size_t i;
    int wrong = 0;
    for (i = 0; i < m->count; i++) {
        const vae__op *op = &m->ops[i];
        if (op->layer->mask && t - op->tensor < (size_t)op->tensor_count)
            wrong = op->layer->mask(op, (int)(t - op->tensor), 0,
                                    slot->count / slot->shape[slot->rank - 1], w, clear);
    }
    return wrong;
}

#ifndef VAE_ONLY_DECODE
/* Numbers `from` .. `from + count - 1` of tensor t as they begin, but for its mask.
 * weights ~ U(-bound, bound): Glorot & Bengio 2010, He et al. 2015 (fan_in, gain sqrt 2), or what
 * PyTorch's Linear does, biases too; about `start` where there is one. Addressed by the tensor's
 * number, so a tensor keeps its values when another is added behind it. */
VAE__PRIVATE void vae__init_tensor(const vae *m, size_t t, size_t from, size_t count, float *w) {
    const vae__slot *s = &m->tensors[t];
    const vae_stream at = {m->desc.seed, VAE_PURPOSE_INIT, 0, 0, 0, (uint32_t)t};
    double over = (double)s->fan_in, six = 6;
    vae_init init = m->desc.init;
    float bound;
    size_t i;
    if (init == VAE_INIT_AUTO) init = s->relu ? VAE_INIT_HE : VAE_INIT_GLOROT;
    for (i = 0; i < count; i++) w[i] = s->start;
    if (!s->fan_in || init == VAE_INIT_ZERO || (s->rank < 2 && init != VAE_INIT_PYTORCH)) return;
    if (init == VAE_INIT_GLOROT) over += (double)s->fan_out;
    if (init == VAE_INIT_PYTORCH) six = 1;
    bound = (float)vae__sqrt_d(vae__div_d(six, over));
    vae_random_uniform(&at, from, count, w);
    for (i = 0; i < count; i++) {
        float u = 2 * w[i] - 1; /* exact: u has 24 bits */
        VAE__HIDE_F(u);
        w[i] = u * bound;
        if (s->start > 0) w[i] = (float)vae__add_d((double)w[i], (double)s->start);
    }
}
VAE__PRIVATE void vae__init_weights(vae *m) {
    size_t t, i;
    for (t = 0; t < m->slot_count; t++) {
        float *w = m->w + m->tensors[t].offset;
        vae__init_tensor(m, t, 0, m->tensors[t].count, w);
        (void)vae__mask(m, t, w, w);
    }
    if (m->likelihood.row->learned) m->w[m->learned] = m->likelihood.row->start(&m->likelihood);
    for (i = 0; m->desc.optimizer == VAE_OPTIMIZER_ADAM_IWAE && m->v && i < m->parameters; i++)
        m->v[i] = 1;
    if (m->average) memcpy(m->average, m->w, m->parameters * sizeof(float));
}

VAE__PRIVATE vae_status vae__do_size(const vae_desc *desc, size_t *size, vae_report *report) {
    vae plan;
    vae_status bad;
    if (!desc || !size) return vae__fail(report, VAE_ERR_NULL, "desc and size must be given");
    bad = vae__measure(desc, VAE__OWN, &plan, size, report);
    return bad;
}
VAE_API vae_status vae_size(const vae_desc *desc, size_t *size, vae_report *report) {
    VAE__GUARDED(vae__do_size(desc, size, report));
}

VAE__PRIVATE vae_status vae__create(const vae_desc *desc, void *memory, size_t size, vae **model,
                                    vae_report *report) {
    vae *m = NULL;
    vae_status bad;
    if (!desc || !model) return vae__fail(report, VAE_ERR_NULL, "desc and model must be given");
    bad = vae__make(desc, memory, size, VAE__OWN, NULL, &m, report);
    if (!bad) vae__init_weights(m);
    if (!bad) *model = m;
    return bad;
}

VAE_API vae_status vae_create(const vae_desc *desc, vae **model, vae_report *report) {
    VAE__GUARDED(vae__create(desc, NULL, 0, model, report));
}

VAE__PRIVATE vae_status vae__do_create_in(const vae_desc *desc, void *memory, size_t size,
                                          vae **model, vae_report *report) {
    if (!memory) return vae__fail(report, VAE_ERR_NULL, "the memory block is NULL");
    return vae__create(desc, memory, size, model, report);
}
VAE_API vae_status vae_create_in(const vae_desc *desc, void *memory, size_t size, vae **model,
                                 vae_report *report) {
    VAE__GUARDED(vae__do_create_in(desc, memory, size, model, report));
}
#endif

/* What is chosen when a model is loaded or shared, checked here: the caller has no description, so
 * he is told about the option alone. */
VAE__PRIVATE vae_status vae__choose(vae_desc *d, const vae_load_options *o, vae_report *report) {
    vae_desc settled;
    vae_status bad;
    int i;
    d->inference = o->inference;
    if (o->batch) d->batch = o->batch;
    else if (o->inference == 1 && d->batch > 128) d->batch = 128; /* no result depends on it */
    d->threads = o->threads, d->parallel = o->parallel;
    d->isa = o->isa;
    d->allocator = o->allocator;
    settled = *d;
    bad = vae__settle(&settled, vae__find_field("batch"), report);
    for (i = VAE__STORED_COUNT; i < VAE__FIELD_COUNT && !bad; i++)
        bad = vae__settle(&settled, &vae__fields[i], report);
    return bad;
}

VAE__PRIVATE vae_status vae__do_share(const vae *owner, const vae_load_options *options,
                                      vae **model, vae_report *report) {
    vae_load_options o;
    vae_desc d;
    vae *m = NULL;
    vae_status bad;
    if (!owner || !model) return vae__fail(report, VAE_ERR_NULL, "owner and model must be given");
    memset((void *)&o, 0, sizeof o);
    if (options) o = *options;
    if (!o.inference) o.inference = 1;
    d = owner->desc;
    d.keep_gradients = 0;
    bad = vae__choose(&d, &o, report);
    if (bad) return bad;
    if (o.max_memory) {
        vae plan;
        size_t size;
        bad = vae__measure(&d, VAE__SHARED, &plan, &size, report);
        if (bad) return bad;
        if (size > o.max_memory)
            return vae__fail(report, VAE_ERR_SIZE, "the shared model needs %z bytes of memory, "
                             "more than the %z that are allowed (max_memory)", size,
                             o.max_memory);
    }
    bad = vae__make(&d, o.memory, o.memory_size, VAE__SHARED, owner->w, &m, report);
    if (bad) return bad;
    m->average = owner->average;
    /* what it saves is what the owner would, but for `batch`, which is its own */
    m->step = owner->step, m->at = owner->at;
    m->b1t = owner->b1t, m->b2t = owner->b2t;
    m->invalid = owner->invalid, m->weights_only = owner->weights_only;
    *model = m;
    return VAE_OK;
}
VAE_API vae_status vae_share(const vae *owner, const vae_load_options *options, vae **model,
                             vae_report *report) {
    VAE__GUARDED(vae__do_share(owner, options, model, report));
}

#ifndef VAE_ONLY_DECODE
VAE__PRIVATE vae_status vae__do_create_text(const char *settings, vae **model,
                                            vae_report *report) {
    const size_t count = settings ? strlen(settings) + 1 : 0, size = count + VAE__LINE_ROOM;
    vae_desc d;
    vae_status bad;
    char *line;
    memset((void *)&d, 0, sizeof d);
    if (!settings || !model)
        return vae__fail(report, VAE_ERR_NULL, "settings and model must be given");
    line = (char *)vae__alloc(&d.allocator, size);
    if (!line)
        return vae__fail(report, VAE_ERR_MEMORY, "out of memory: the settings need %z bytes", size);
    memcpy(line, settings, count);
    bad = vae__set_line(line, line + count, VAE__FIELD_COUNT, &d, report);
    if (!bad) bad = vae__create(&d, NULL, 0, model, report);
    vae__release(&d.allocator, line, size);
    return bad;
}
VAE_API vae_status vae_create_text(const char *settings, vae **model, vae_report *report) {
    VAE__GUARDED(vae__do_create_text(settings, model, report));
}
#endif

VAE_API void vae_destroy(vae *model) {
    if (model) {
        vae_allocator a = model->desc.allocator; /* the block holds the allocator itself */
        if (model->pool) vae__pool_stop(model->pool);
        vae__release(&a, model->block, model->block_size);
    }
}

VAE_API const vae_report *vae_last_report(const vae *model) {
    return model ? &model->report : NULL;
}
VAE_API void vae_get_desc(const vae *model, vae_desc *desc) {
    if (!desc) return;
    if (model) *desc = model->desc;
    else memset((void *)desc, 0, sizeof *desc);
}

VAE_API uint64_t vae_params_hash(const vae *model) {
    return model ? vae__hash_floats(VAE__FNV, model->w, model->parameters) : 0;
}

VAE_API vae_status vae_tensor_at(vae *m, size_t index, vae_tensor *tensor) {
    const vae__slot *s;
    int i;
    if (!m || !tensor) return VAE_ERR_NULL;
    if (index >= m->slot_count)
        return vae__fail(&m->report, VAE_ERR_VALUE, "tensor %z of %z", index, m->slot_count);
    s = &m->tensors[index];
    memset(tensor, 0, sizeof *tensor);
    tensor->name = s->name;
    tensor->rank = s->rank;
    for (i = 0; i < s->rank; i++) tensor->shape[i] = s->shape[i];
    tensor->count = s->count;
    tensor->data = m->w + s->offset;
    tensor->grad = m->g ? m->g + s->offset : NULL;
    tensor->average = m->average ? m->average + s->offset : NULL;
    return VAE_OK;
}

VAE_API vae_status vae_tensor_set(vae *m, size_t index, const float *values) {
    vae_tensor t;
    size_t i;
    const vae_status bad = vae_tensor_at(m, index, &t);
    if (bad) return bad;
    if (!values) return vae__fail(&m->report, VAE_ERR_NULL, "values must be given");
    for (i = 0; i < t.count; i++)
        if (!vae__finite_f(values[i]))
            return vae__fail(&m->report, VAE_ERR_NONFINITE, "%s: number %z is not finite", t.name,
                             i);
    memmove(t.data, values, t.count * sizeof(float));
    (void)vae__mask(m, index, t.data, t.data);
    if (m->average)
        memcpy(m->average + m->tensors[index].offset, t.data, t.count * sizeof(float));
    return VAE_OK;
}

#ifndef VAE_NO_TRAIN
VAE_API vae_status vae_set_epochs(vae *m, int epochs) {
    if (!m) return VAE_ERR_NULL;
    if (epochs < 1 || epochs > VAE__MAX_EPOCHS)
        return vae__fail(&m->report, VAE_ERR_VALUE, "epochs is %d; it must lie from 1 to %d",
                         epochs, (int)VAE__MAX_EPOCHS);
    m->desc.epochs = epochs;
    return VAE_OK;
}
#endif

/* The weights that a call uses. */
VAE__INLINE const float *vae__weights(const vae *m, const vae_batch *b) {
    return m->average && !b->no_ema ? m->average : m->w;
}
/* The class of row `row` of a batch, and its number. */
VAE__INLINE int32_t vae__label(const vae_batch *b, size_t row) {
    return b->labels[row % b->label_count];
}
VAE__INLINE uint32_t vae__number(const vae_batch *b, size_t row) {
    return b->index ? b->index[row] : b->first + (uint32_t)row;
}

VAE__SMALL_END

/* ======================================================================================
 * >>numbers  images of any type, as floats
 * uses: >>arena                      tests: tests/test_data.c
 * ==================================================================================== */

VAE__PRIVATE size_t vae__type_width(int type) {
    static const unsigned char width[] = {1, 1, 0, 2, 4, 4, 8}; /* from VAE_U8 to VAE_F64 */
    return type >= VAE_U8 && type <= VAE_F64 ? width[type - VAE_U8] : 0;
}

VAE__PRIVATE const char *vae__kind_problem(int type, int rank) {
    if (!vae__type_width(type)) return "a type other than 08, 09, 0b, 0c, 0d, 0e";
    return rank < 1 || rank > VAE_MAX_RANK ? "a rank outside 1 to 8" : NULL;
}

/* Checks a shape, fills in count and item, and returns the size in bytes, or 0 and the reason. */
VAE__PRIVATE size_t vae__data_shape(vae_data *d, const char **problem) {
    size_t width = vae__type_width((int)d->type), item = width, bytes = 0;
    int i;
    *problem = vae__kind_problem((int)d->type, d->rank);
    if (*problem) return 0;
    *problem = "a size of zero";
    for (i = 0; i < d->rank; i++)
        if (!d->dims[i]) return 0;
    *problem = "sizes whose product overflows";
    for (i = 1; i < d->rank; i++)
        if (!vae__size_mul(item, d->dims[i], &item)) return 0;
    if (!vae__size_mul(item, d->dims[0], &bytes) || bytes > PTRDIFF_MAX) return 0;
    *problem = "more images than 32 bits can number";
    if ((uint64_t)d->dims[0] >> 32) return 0;
    d->count = d->dims[0];
    d->item = item / width;
    return bytes;
}

VAE_API vae_status vae_data_wrap(vae_type type, int rank, const size_t *dims, const void *bytes,
                                 vae_data *data, vae_report *report) {
    vae_data d;
    const char *problem = NULL;
    if (!dims || !bytes || !data)
        return vae__fail(report, VAE_ERR_NULL, "vae_data_wrap: %s is NULL",
                         !dims ? "dims" : !bytes ? "bytes" : "data");
    memset(&d, 0, sizeof d);
    d.type = type, d.rank = rank, d.bytes = bytes;
    if (rank >= 1 && rank <= VAE_MAX_RANK) memcpy(d.dims, dims, (size_t)rank * sizeof *dims);
    if (!vae__data_shape(&d, &problem))
        return vae__fail(report, VAE_ERR_VALUE, "vae_data_wrap: %s", problem);
    *data = d;
    return VAE_OK;
}

/* The float nearest to x / (2^b - 1), which in binary is 0.xxx..., the b digits of x repeated. `w`
 * has the first 64 digits: x times 1 + 2^b + 2^2b + ... The digits after these are never all zero
 * unless x is 0, so `w` decides the rounding. Compiler flags have no effect on integers. */
VAE__PRIVATE float vae__unit(uint64_t w) {
    uint32_t exponent = 126, shift;
    if (!w) return 0.0f;
    for (shift = 32; shift; shift >>= 1)
        if (!(w >> (64 - shift))) w <<= shift, exponent -= shift;
    /* keep 24 digits, the first of which adds 1 to the exponent; a half or more is rounded up */
    return vae__float_of(((exponent - 1) << 23) + (uint32_t)(w >> 40) + (uint32_t)(w >> 39 & 1));
}

#ifndef VAE_FREESTANDING /* 1 KB for speed: the way of all other types gives the same */
#define VAE__U8(n) (float)((n) / 255.0)
#define VAE__U8_4(n) VAE__U8(n), VAE__U8((n) + 1), VAE__U8((n) + 2), VAE__U8((n) + 3)
#define VAE__U8_16(n) VAE__U8_4(n), VAE__U8_4((n) + 4), VAE__U8_4((n) + 8), VAE__U8_4((n) + 12)
#define VAE__U8_64(n) \
    VAE__U8_16(n), VAE__U8_16((n) + 16), VAE__U8_16((n) + 32), VAE__U8_16((n) + 48)
static const float vae__u8_unit[256] = {VAE__U8_64(0), VAE__U8_64(64), VAE__U8_64(128),
                                        VAE__U8_64(192)};
#endif

/* The float nearest to a double, ties to even; a NaN becomes the canonical one. By integers,
 * because a program compiled with -Ofast flushes subnormal results to zero. */
VAE__PRIVATE float vae__narrow(uint64_t u) {
    uint64_t m = u & 0xFFFFFFFFFFFFFu, half, rest;
    uint32_t sign = (uint32_t)(u >> 32) & 0x80000000u, keep;
    int e = (int)(u >> 52 & 0x7FF) - 1023, drop;
    if (e == 1024 && m) return vae__float_of(0x7FC00000u);
    if (e > 127) return vae__float_of(sign | 0x7F800000u);
    if (e < -150) return vae__float_of(sign);
    m |= (uint64_t)1 << 52;
    drop = e >= -126 ? 29 : -97 - e;
    half = (uint64_t)1 << (drop - 1);
    rest = m & (2 * half - 1);
    keep = (uint32_t)(m >> drop);
    keep += rest > half || (rest == half && (keep & 1));
    if (e > -127) keep += (uint32_t)(e + 126) << 23; /* a carry moves to the next exponent */
    return vae__float_of(sign | keep);
}

/* Number i as an unsigned integer: signed types with the highest bit flipped, so that the smallest
 * number becomes 0; reals as their bits. */
VAE__PRIVATE uint64_t vae__data_bits(const vae_data *data, size_t i) {
    const size_t width = vae__type_width((int)data->type);
    const unsigned char *p = (const unsigned char *)data->bytes + i * width;
    uint64_t u;
    uint32_t word;
    uint16_t half;
    switch (data->type) {
    case VAE_U8: return *p;
    case VAE_I8: return *p ^ 0x80u;
    case VAE_I16: memcpy(&half, p, 2); return half ^ 0x8000u;
    case VAE_I32: memcpy(&word, p, 4); return word ^ 0x80000000u;
    default: memcpy(&u, p, 8); return u;
    }
}

VAE__PRIVATE vae_status vae__do_data_read(const vae_data *data, size_t first, size_t count,
                                          float *out) {
    const unsigned char *p;
    size_t n, i, width;
    uint64_t again; /* 1 + 2^b + 2^2b + ..., see vae__unit */
    if (!data || !data->bytes || (!out && count)) return VAE_ERR_NULL;
    if (first > data->count || count > data->count - first) return VAE_ERR_VALUE;
    width = vae__type_width((int)data->type);
    if (!width) return VAE_ERR_VALUE;
    first *= data->item, n = count * data->item;
    p = (const unsigned char *)data->bytes + first * width;
    again = UINT64_MAX / (UINT64_MAX >> (64 - 8 * width));
    if (data->type == VAE_F32) {
        if (n) memcpy(out, p, 4 * n);
#ifndef VAE_FREESTANDING
    } else if (width == 1) {
        const unsigned flip = data->type == VAE_I8 ? 0x80 : 0;
        for (i = 0; i < n; i++) out[i] = vae__u8_unit[p[i] ^ flip];
#endif
    } else {
        for (i = 0; i < n; i++) {
            const uint64_t u = vae__data_bits(data, first + i);
            out[i] = data->type == VAE_F64 ? vae__narrow(u) : vae__unit(u * again);
        }
    }
    return VAE_OK;
}
VAE_API vae_status vae_data_read(const vae_data *data, size_t first, size_t count, float *out) {
    VAE__GUARDED(vae__do_data_read(data, first, count, out));
}

VAE_API int32_t vae_data_label(const vae_data *data, size_t index, size_t element) {
    int64_t u;
    if (!data || !data->bytes || index >= data->count || element >= data->item ||
        data->type > VAE_I32 || !vae__type_width((int)data->type))
        return 0;
    u = (int64_t)vae__data_bits(data, index * data->item + element);
    if (data->type != VAE_U8) u -= (int64_t)1 << (8 * vae__type_width((int)data->type) - 1);
    return (int32_t)u;
}

VAE_API void vae_data_free(vae_data *data) {
    if (!data) return;
    vae__release(&data->allocator, data->block, data->block_size);
    memset(data, 0, sizeof *data);
}

/* ======================================================================================
 * >>step     a batch on its way: checks, pixels, stages, gradients, update
 * uses: >>numbers >>model >>codes >>program >>threads >>rng
 * tests: tests/test_losses.c, tests/test_objectives.c, tests/test_iwae.c
 *
 * All in nats per image, summed over pixels and latents. Rows of the decoder are images times
 * samples, an image's samples side by side. Sums over rows run in double, ascending.
 *
 * vae__forward takes rows through a range of ops. A training step is the whole range forward,
 * weigh, backward; encode, decode, score and bound are shorter ranges of the same ops (>>eval).
 * ==================================================================================== */

/* ---- what comes in is checked ---- */

VAE__INLINE int vae__holds_reals(const vae_data *data) {
    return data->type == VAE_F32 || data->type == VAE_F64;
}

/* Larger numbers have no square, which the gaussians need: fill values, mostly. */
#define VAE__PIXEL_MAX 1e18f

/* Whether training shows the encoder numbers outside [0,1] where the images lie in it. This goes by
 * the description and the ops, which a model for inference has too. */
VAE__PRIVATE int vae__sees_beyond(const vae *m) {
    size_t i;
    for (i = 0; i < m->at_code && !m->ops[i].tensor_count; i++)
        if (vae__has(&m->ops[i], VAE__BEYOND)) return 1;
    return m->desc.corrupt == VAE_CORRUPT_GAUSSIAN || m->desc.contract > 0;
}

/* Whether n pixels are finite, not absurdly large and, where they must be, in [0,1]. `seen`: by the
 * encoder alone, where training may have shown it noise outside [0,1]. */
VAE__PRIVATE int vae__pixels_fit(const vae *m, int seen, const float *x, size_t n) {
    if (m->likelihood.row->unit) {
        if (m->k->in_unit(n, x)) return 1;
        if (!seen || !vae__sees_beyond(m)) return 0;
    }
    return m->k->within(n, VAE__PIXEL_MAX, x);
}

/* Numbers that would spoil everything after them, told by image and place. `where` stands before
 * that. Integers fit by the way they are read. */
VAE__PRIVATE vae_status vae__check_pixels(vae *m, const char *where, int seen, const float *x,
                                          size_t rows, const uint32_t *index, size_t first) {
    const size_t dim = m->input.dim;
    size_t bad = 0, row;
    double value;
    if (vae__pixels_fit(m, seen, x, rows * dim)) return VAE_OK;
    while (vae__pixels_fit(m, seen, x + bad, 1)) bad++;
    row = index ? (size_t)index[bad / dim] : first + bad / dim;
    value = (double)x[bad];
    if (!vae__finite_d(value))
        return vae__fail(&m->report, VAE_ERR_NONFINITE, "%simage %z: number %z is %f", where, row,
                         bad % dim, value);
    if (m->likelihood.row->unit && m->k->within(1, VAE__PIXEL_MAX, x + bad))
        return vae__fail(&m->report, VAE_ERR_VALUE, "%simage %z: number %z is %f; %s takes numbers "
                         "from 0 to 1", where, row, bad % dim, value,
                         m->likelihood.row->kind.name);
    return vae__fail(&m->report, VAE_ERR_VALUE, "%simage %z: number %z is %f, which is too large: "
                     "at most %f (is it a fill value?)", where, row, bad % dim, value,
                     (double)VAE__PIXEL_MAX);
}

/* The same for other rows of numbers, counted from `first`, which need only be finite. */
VAE__PRIVATE vae_status vae__check_rows(vae *m, const char *what, const float *v, size_t first,
                                        size_t rows, size_t width) {
    size_t bad = 0;
    if (m->k->within(rows * width, FLT_MAX, v)) return VAE_OK;
    while (vae__finite_f(v[bad])) bad++;
    return vae__fail(&m->report, VAE_ERR_NONFINITE, "%s: number %z of row %z is %f", what,
                     bad % width, first + bad / width, (double)v[bad]);
}

/* Layers `label` need to be told. */
VAE__PRIVATE vae_status vae__check_labels(vae *m, const vae_batch *b) {
    size_t i;
    if (!m->classes) return VAE_OK;
    if (!b->labels || !b->label_count)
        return vae__fail(&m->report, VAE_ERR_STATE, "the networks have layers `label`: give labels "
                         "and label_count with the batch");
    for (i = 0; i < b->rows && i < b->label_count; i++)
        if (b->labels[i] < 0 || b->labels[i] >= m->classes)
            return vae__fail(&m->report, VAE_ERR_VALUE, "row %z: class %d; the networks know 0 to "
                             "%d", i, (int)b->labels[i], m->classes - 1);
    return VAE_OK;
}

/* Whether there are buffers to compute in. */
VAE__PRIVATE vae_status vae__can_compute(vae *m) {
    if (m->rows) return VAE_OK;
    return vae__fail(&m->report, VAE_ERR_STATE, "the model was made to be looked at (inference 2) "
                     "and has no memory for activations");
}

/* A caller's batch is there, and so is what it must hold: `x` says what batch.x is, NULL where that
 * is ignored; `out` names an output that is missing, NULL when none is. And the model computes. */
VAE__PRIVATE vae_status vae__check_given(vae *m, const vae_batch *b, const char *x,
                                         const char *out) {
    if (!b) return vae__fail(&m->report, VAE_ERR_NULL, "the batch is NULL");
    if (x && !b->x) return vae__fail(&m->report, VAE_ERR_NULL, "batch.x (%s) is NULL", x);
    if (out) return vae__fail(&m->report, VAE_ERR_NULL, "%s is NULL", out);
    return vae__can_compute(m);
}

/* The caller's noise of a call that uses it: `draws` of each row. */
VAE__PRIVATE vae_status vae__check_eps(vae *m, const vae_batch *b, size_t draws) {
    if (!b->eps) return VAE_OK;
    return vae__check_rows(m, "eps", b->eps, 0, b->rows * draws, m->terms.noise);
}

/* A batch of images for a call that uses the model; `seen` as in vae__pixels_fit, `out` as in
 * vae__check_given. */
VAE__PRIVATE vae_status vae__check_images(vae *m, const vae_batch *b, int seen, const char *out) {
    vae_status bad = vae__check_given(m, b, "pixels", out);
    if (!bad) bad = vae__check_pixels(m, "", seen, b->x, b->rows, b->index, b->first);
    return bad ? bad : vae__check_labels(m, b);
}

VAE__PRIVATE vae_status vae__check_data(vae *m, const vae_data *data, const char *what) {
    const vae_status bad = vae__can_compute(m);
    size_t i;
    if (bad) return bad;
    if (!data->bytes || !data->count || data->count > UINT32_MAX)
        return vae__fail(&m->report, VAE_ERR_VALUE, "the %s data holds no images, or too many",
                         what);
    if (data->item != m->input.dim)
        return vae__fail(&m->report, VAE_ERR_SHAPE, "the %s data has %z numbers an image, the "
                         "model takes %z", what, data->item, m->input.dim);
    if (m->classes && !data->labels)
        return vae__fail(&m->report, VAE_ERR_STATE, "the networks have layers `label`, but the %s "
                         "data has no labels", what);
    for (i = 0; m->classes && i < data->count; i++)
        if (data->labels[i] < 0 || data->labels[i] >= m->classes)
            return vae__fail(&m->report, VAE_ERR_VALUE, "the %s data: label %z is %d; the networks "
                             "know 0 to %d", what, i, (int)data->labels[i], m->classes - 1);
    return VAE_OK;
}

VAE__PRIVATE vae_status vae__can_train(vae *m) {
    if (m->asking)
        return vae__fail(&m->report, VAE_ERR_STATE, "vae_fit is at work: its progress callback may "
                         "use the model, but not train it");
    if (m->desc.inference)
        return vae__fail(&m->report, VAE_ERR_STATE, "the model was made for inference");
    if (m->invalid)
        return vae__fail(&m->report, VAE_ERR_STATE, "the model is invalid since a gradient was not "
                         "finite: load a checkpoint");
    return VAE_OK;
}

/* Where it began: the tensor with a number that is not finite in `values`; NULL when none has. */
VAE__PRIVATE const char *vae__bad_tensor(const vae *m, const float *values) {
    size_t i;
    for (i = 0; i < m->slot_count; i++)
        if (!m->k->within(m->tensors[i].count, FLT_MAX, values + m->tensors[i].offset))
            return m->tensors[i].name;
    return NULL;
}

/* ---- a batch, and what the ops are told of it ---- */

/* KL weight of this step: warm-up rises linearly from 0 (Sonderby et al. 2016), in cycles again and
 * again (Fu et al. 2019). */
VAE__PRIVATE double vae__beta_now(const vae *m) {
    const vae_desc *d = &m->desc;
    const uint64_t step = d->cycle_steps ? m->step % d->cycle_steps : m->step;
    if (d->no_kl) return 0;
    if (step >= d->warmup_steps) return d->beta;
    return vae__mul_d(d->beta, vae__div_d((double)step, (double)d->warmup_steps));
}

/* 1 / temperature of this step: exp(-log(end / start) share) / start. */
VAE__PRIVATE float vae__sharpness_now(const vae *m) {
    const vae_desc *d = &m->desc;
    double now = d->temperature;
    float t;
    if (d->temperature_steps && m->step >= d->temperature_steps) {
        now = d->temperature_end;
    } else if (d->temperature_steps) {
        t = (float)vae__div_d(d->temperature_end, now);
        m->k->map(VAE__FN_LOG, 1, &t, &t);
        t = (float)vae__mul_d((double)t, vae__div_d((double)m->step,
                                                    (double)d->temperature_steps));
        m->k->map(VAE__FN_EXP, 1, &t, &t);
        now = vae__mul_d(now, (double)t);
    }
    return (float)vae__div_d(1, now);
}

/* The likelihood with what it has learned by now. */
VAE__PRIVATE vae__density vae__density_now(const vae *m, const float *params) {
    vae__density l = m->likelihood;
    if (l.row->prepare) l.row->prepare(&l, params + m->learned);
    return l;
}

/* Noise of one row: n normals, addressed. */
VAE__PRIVATE void vae__noise(const vae *m, uint32_t purpose, uint32_t time, uint32_t sample,
                             uint32_t replica, size_t n, float *out) {
    const vae__address at = vae__address_for(m->desc.seed, purpose, time, sample, replica);
    m->k->draw(VAE__DRAW_NORMAL, &at, 0, n, out);
}

/* Images that a pass binarises: x -> out, which may be the same. */
VAE__PRIVATE void vae__binarize(const vae *m, const float *x, uint32_t time, uint32_t image,
                                float *out) {
    const vae__address at =
        vae__address_for(m->desc.seed, VAE_PURPOSE_BINARIZE, time, image, 0);
    m->k->binarize(&at, m->input.dim, x, out);
}

/* Importance weights are at work: more than one draw, or the bound would be the ELBO. */
VAE__INLINE int vae__weighs(const vae *m) {
    return m->desc.objective != VAE_OBJECTIVE_ELBO && m->desc.samples > 1;
}

/* Rows of a batch on their way through ops from .. to - 1. Rows do not depend on each other, so a
 * part of the job takes its images from the pixels to the loss and back to the gradient of every
 * activation, and nobody waits for anybody in between; unless rows meet (batchnorm, free bits), or
 * there is so much on the way that the weights' gradients are better made while its last part is
 * still in the caches. Then the way is divided into stages.
 *
 * Two modes. Training: one portion of at most m->rows images, each op with its own rows for an
 * image. Use: any number of rows, in portions of the buffers, one row for each; nothing draws but
 * the code, nothing meets, and the parameters do not change. */
typedef struct vae__pass vae__pass;
struct vae__pass {
    vae *m;
    const vae_batch *batch;
    const vae_data *data;   /* training: images batch->index[..] are read into m->x; NULL: none */
    int train, backward;
    int binarize;           /* images are binarised, where the model says so, for this `time` */
    uint32_t time;
    uint32_t first;         /* number of row 0 of the batch, where it has no index */
    uint64_t seed;          /* of what is drawn */
    const float *params;
    vae__density likelihood; /* as it is now */
    vae__terms terms;
    double beta;            /* what the KL counts now */
    void (*part)(void *pass, int part); /* what a part does; NULL: vae__pass_part */
    size_t grain;           /* rows of a part are a multiple of this many */
    /* What is done with rows that reached the end of the range, c->image .. of the portion; NULL:
     * nothing. `width` numbers of each are checked by vae__all_finite; `what` they are, NULL: an
     * image's loss. */
    void (*take)(vae__pass *p, int part, const vae__walk *c);
    size_t width;
    const char *what;
    /* the portion: `rows` of them, the first is row base + at of the batch; the call began at
     * row `base` */
    const float *x;         /* (rows, in.dim of op `from`) */
    const float *images;    /* the images, where the range begins behind them */
    size_t base, at, rows;
    size_t from, to;
    /* the stage: ops forward, half steps back (see vae__ops_bwd) */
    size_t fwd_from, fwd_to, bwd_from, bwd_to;
    size_t chunk;           /* images that go from the code to the end at a time */
    int parts, fresh;       /* fresh: the first stage, which reads the pixels */
    size_t meet;            /* between two stages: the op whose rows meet, and when */
    int when;
    /* of each part, set before a portion */
    unsigned char bad[VAE_MAX_THREADS]; /* a part met a pixel that cannot be */
    size_t wrong[VAE_MAX_THREADS];      /* the first of its numbers that is not finite */
    size_t nonzeros[VAE_MAX_THREADS];   /* pixels */
};

/* In training over a batch, or, with `data`, over its images batch->index[..]. */
VAE__PRIVATE void vae__pass_begin(vae__pass *p, vae *m, const vae_data *data, const vae_batch *b,
                                  uint32_t time) {
    memset(p, 0, offsetof(vae__pass, bad));
    p->m = m, p->batch = b, p->data = data, p->train = 1, p->time = time, p->grain = 1;
    p->seed = m->desc.seed;
    p->binarize = m->desc.binarize == VAE_BINARIZE_DYNAMIC;
    p->first = (uint32_t)(m->step * m->rows);
    p->params = m->w;
    p->terms = m->terms;
}

/* For using the model; images are binarised where `binarize` says so. */
VAE__PRIVATE void vae__use_begin(vae__pass *p, vae *m, const vae_batch *b, int binarize) {
    memset(p, 0, offsetof(vae__pass, bad));
    p->m = m, p->batch = b, p->grain = 4, p->first = b->first, p->seed = m->desc.seed;
    p->binarize = binarize && m->desc.binarize == VAE_BINARIZE_DYNAMIC, p->time = 0xffffffffu;
    p->params = vae__weights(m, b);
    p->terms = m->terms;
    p->terms.penalty = p->terms.logw = NULL, p->terms.slope = NULL;
    p->terms.purpose = VAE_PURPOSE_EVAL, p->terms.draws = 1;
}

/* Number of row i of the portion. */
VAE__INLINE uint32_t vae__row_number(const vae__pass *p, size_t i) {
    const size_t row = p->base + p->at + i;
    return p->batch->index ? p->batch->index[row] : p->first + (uint32_t)row;
}
/* Images of the portion: as they are to be predicted, and as the encoder sees them. */
VAE__INLINE const float *vae__images(const vae__pass *p) {
    return p->binarize ? p->m->x : p->from ? p->images : p->x;
}
VAE__INLINE const float *vae__seen(const vae__pass *p) {
    return VAE__TRAINS(p) && p->m->seen ? p->m->seen : vae__images(p);
}

/* What the code and the likelihood need to know of the portion. */
VAE__PRIVATE void vae__pass_terms(vae__pass *p) {
    const vae *m = p->m;
    const size_t row = p->base + p->at, samples = (size_t)m->desc.samples;
    vae__terms *t = &p->terms;
    p->likelihood = vae__density_now(m, p->params);
    t->desc = &m->desc, t->code = &m->code, t->likelihood = &p->likelihood;
    t->backward = VAE__TRAINS(p) && p->backward;
    t->x = vae__images(p);
    if (VAE__TRAINS(p)) {
        t->weighs = vae__weighs(m), t->views = m->views, t->norm = m->norm;
        t->share = (float)vae__div_d(1, (double)(p->rows * (t->weighs ? 1 : samples)));
        if (m->desc.no_recon) t->share = 0;
        t->pull = (float)vae__div_d(p->beta, (double)p->rows);
        t->draw_pull = (float)vae__div_d(p->beta, (double)(p->rows * samples));
        t->each = vae__div_d(1, (double)p->rows);
        t->sharpness = vae__sharpness_now(m);
        t->purpose = VAE_PURPOSE_EPS, t->time = (uint32_t)m->step, t->draws = samples;
        if (!t->weighs && (VAE__CLOSED(t->code) || m->desc.no_noise)) t->logw = NULL;
        if (t->weighs || !t->backward) t->slope = NULL;
    } else { /* a row draws for the number of its image, not of its place in the batch */
        t->views = 1, t->sharpness = 0;
        t->index = p->batch->index ? p->batch->index + row : NULL;
        t->first = p->first + (uint32_t)row;
    }
    t->given = p->batch->eps;
    if (t->given) t->given += row * t->draws * t->noise;
}

/* A walk over all rows of a training step. */
VAE__PRIVATE vae__walk vae__train_walk(const vae *m, size_t rows, size_t draws) {
    vae__walk c;
    memset(&c, 0, sizeof c);
    c.k = m->k, c.params = m->w, c.rows = rows, c.draws = draws, c.train = 1;
    c.images = rows / draws;
    c.seed = m->desc.seed, c.step = (uint32_t)m->step, c.room = m->room, c.labels = m->labels;
    return c;
}
/* At images at .. at + n - 1 of the portion. */
VAE__INLINE void vae__walk_to(const vae__pass *p, vae__walk *c, size_t at, size_t n) {
    c->image = c->place = at, c->images = n, c->labels = p->m->labels + at;
}
/* The walk of a part of a pass, at such images. */
VAE__PRIVATE vae__walk vae__pass_walk(const vae__pass *p, int part, size_t at, size_t n) {
    const vae *m = p->m;
    vae__walk c = vae__train_walk(m, 0, 1);
    c.params = p->params, c.seed = p->seed;
    c.train = VAE__TRAINS(p), c.copies = VAE__TRAINS(p) ? 0 : 1;
    c.room = m->room ? m->room + (size_t)part * m->room_floats : NULL;
    c.terms = &p->terms;
    vae__walk_to(p, &c, at, n);
    return c;
}

/* ---- pixels ---- */

/* What the encoder sees of row i of the batch in training: the image, corrupted (Vincent et al.
 * 2010) at an address of its own, NOISE of layer 0, and for `contract` a second view nearby. */
VAE__PRIVATE void vae__see(const vae *m, size_t i, const float *x, float *seen) {
    const vae__address at = vae__address_for(m->desc.seed, VAE_PURPOSE_NOISE, (uint32_t)m->step,
                                             (uint32_t)i, 0);
    const size_t n = m->input.dim;
    const uint64_t limit =
        (uint64_t)vae__add_d(vae__mul_d(m->desc.corruption, 4294967296.0), 0.5);
    size_t j;
    switch (m->desc.corrupt) {
    case VAE_CORRUPT_GAUSSIAN:
        m->k->draw(VAE__DRAW_NORMAL, &at, 0, n, seen);
        m->k->add(n, seen, (float)m->desc.corruption, x, seen);
        break;
    case VAE_CORRUPT_MASK:
        if (limit > 0xffffffffu) memset(seen, 0, n * sizeof(float));
        else m->k->dropout(&at, n, (uint32_t)limit, 1, x, seen);
        break;
    case VAE_CORRUPT_SALT_PEPPER:
        m->k->draw(VAE__DRAW_WORDS, &at, 0, n, seen);
        for (j = 0; j < n; j++) {
            uint32_t word;
            memcpy(&word, seen + j, sizeof word);
            seen[j] = word >= limit ? x[j] : (float)(word < limit / 2);
        }
        break;
    default: memcpy(seen, x, n * sizeof(float));
    }
    if (m->views > 1) {
        vae__noise(m, VAE_PURPOSE_NOISE, (uint32_t)m->step, (uint32_t)i, 1, n, seen + n);
        m->k->add(n, seen + n, VAE__APART, seen, seen + n);
    }
}

/* Pixels of images from .. to - 1 of the portion, as the network sees them. 0: one cannot be. */
VAE__PRIVATE int vae__pass_pixels(vae__pass *p, int part, size_t from, size_t to) {
    vae *m = p->m;
    const size_t dim = m->input.dim, views = (size_t)m->views;
    size_t i;
    for (i = from; i < to; i++) {
        const float *x = p->x + i * dim;
        const uint32_t image = vae__row_number(p, i);
        if (p->data) (void)vae_data_read(p->data, image, 1, m->x + i * dim);
        if (VAE__TRAINS(p) && (!p->data || vae__holds_reals(p->data)) &&
            !vae__pixels_fit(m, 0, x, dim)) {
            p->bad[part] = 1;
            return 0;
        }
        if (p->binarize) {
            vae__binarize(m, x, p->time, image, m->x + i * dim);
            x = m->x + i * dim;
        }
        if (!VAE__TRAINS(p)) continue;
        if (m->seen) vae__see(m, i, x, m->seen + i * views * dim);
        p->nonzeros[part] += m->k->nonzeros(views * dim, m->seen ? m->seen + i * views * dim : x);
    }
    return 1;
}

/* ---- weigh ---- */

/* log 1/k sum exp(logw) of k draws. With `weight` also exp(logw) over their sum. */
VAE__PRIVATE double vae__log_mean(const vae *m, size_t k, const double *logw, float *weight) {
    double top = logw[0], sum = 0;
    float mean;
    size_t i;
    for (i = 1; i < k; i++) top = logw[i] > top ? logw[i] : top;
    for (i = 0; i < k; i++) weight[i] = (float)vae__add_d(logw[i], -top);
    m->k->map(VAE__FN_EXP, k, weight, weight);
    for (i = 0; i < k; i++) sum = vae__add_d(sum, (double)weight[i]);
    for (i = 0; i < k; i++) weight[i] = (float)vae__div_d((double)weight[i], sum);
    mean = (float)vae__div_d(sum, (double)k);
    m->k->map(VAE__FN_LOG, 1, &mean, &mean);
    return vae__add_d(top, (double)mean);
}

/* The KL of images whose draws have been weighed by prior and posterior: the draws' mean. */
VAE__PRIVATE void vae__mean_kl(const vae__terms *t, size_t image, size_t images, size_t draws) {
    size_t i, j;
    for (i = image; t->kl && i < image + images; i++) {
        double sum = 0;
        for (j = i * draws; j < (i + 1) * draws; j++) sum = vae__add_d(sum, t->logw[j]);
        t->kl[i] = (float)vae__div_d(sum, (double)draws);
    }
}

/* Images whose draws have been decoded: the importance weights p(x, z) / q(z|x) of the draws,
 * divided by their sum, and the bound, the log of their mean (Burda et al. 2016). */
VAE__PRIVATE void vae__weigh(const vae__pass *p, const vae__walk *c) {
    const vae__terms *t = &p->terms;
    const size_t k = (size_t)p->m->desc.samples;
    size_t i, j;
    for (i = c->image; i < c->image + c->images; i++) {
        const size_t at = i * k;
        for (j = at; j < at + k; j++)
            t->logw[j] = -vae__add_d(t->recon[j], vae__mul_d(p->beta, vae__all_layers(t, t->logw[j],
                                                                                  j)));
        p->m->bound[i] = vae__log_mean(p->m, k, t->logw + at, t->weight + at);
    }
}

/* ---- stages ---- */

enum { VAE__ROWS_AT_ONCE = 256 }; /* rows of the decoder: what they pass on stays in the cache */

/* What comes into the range for image `at` of the portion. */
VAE__PRIVATE const float *vae__given(const vae__pass *p, size_t at) {
    const vae__op *op = &p->m->ops[p->from];
    return (p->from ? p->x : vae__seen(p)) + at * (VAE__TRAINS(p) ? op->each : 1) * op->in.dim;
}

/* The heads of pseudo-inputs, which are a part of the prior: behind the rows of a training step,
 * so that their gradients are made together; otherwise in portions of the buffers, before any rows
 * come. */
VAE__PRIVATE void vae__inputs_part(void *arg, int part) {
    vae__pass *p = (vae__pass *)arg;
    const vae *m = p->m;
    const vae__op *prior = &m->ops[m->dec.first - 1], *last = &m->ops[m->at_code - 1];
    const size_t dim = m->input.dim, head = m->code.head;
    const float *from_w = p->params + prior->weights;
    const size_t base = VAE__TRAINS(p) ? p->rows : 0, room = m->rows / (size_t)p->parts;
    size_t from, to, i, n;
    vae__share(vae__pseudo_inputs(&m->code), 1, p->parts, part, &from, &to);
    for (; from < to; from += n) {
        float *x = m->seen + (base + from) * dim;
        vae__walk c;
        n = VAE__TRAINS(p) ? to - from : vae__min(to - from, room);
        for (i = 0; i < n * dim; i++) {
            const float v = from_w[from * dim + i];
            x[i] = !m->code.unit ? v : v > 1 ? 1 : v < 0 ? 0 : v;
        }
        c = vae__pass_walk(p, part, VAE__TRAINS(p) ? base + from : (size_t)part * room, n);
        vae__ops_fwd(&c, m->ops, 0, m->at_code, x);
        vae__stand(&c, last);
        memcpy(m->code.heads + from * head, last->y + c.first * last->pitch,
               n * head * sizeof(float));
    }
}
VAE__PRIVATE void vae__run_inputs(vae__pass *p) {
    const int parts = p->parts;
    const size_t n = vae__pseudo_inputs(&p->m->code);
    p->parts = (int)vae__min((size_t)vae__model_parts(p->m, n, VAE__PART_ROWS), p->m->rows);
    if (n) vae__divide(&p->m->parallel, vae__inputs_part, p, p->parts);
    p->parts = parts;
}
/* Back from the heads of a part's pseudo-inputs to their pixels, for a stage. */
VAE__PRIVATE void vae__inputs_bwd(const vae__pass *p, int part) {
    const vae *m = p->m;
    const size_t n = vae__pseudo_inputs(&m->code), code = 2 * m->at_code, dim = m->input.dim;
    const vae__op *prior, *last;
    size_t from, to, i;
    vae__walk c;
    if (!n) return;
    prior = &m->ops[m->dec.first - 1], last = &m->ops[m->at_code - 1];
    c = vae__pass_walk(p, part, 0, p->rows);
    vae__share(n, 1, p->parts, part, &from, &to);
    vae__stand(&c, prior);
    for (i = from; i < to && p->bwd_from >= code && p->bwd_to < code; i++) {
        float *dhead = last->dy + (p->rows + i) * m->code.head;
        memset(dhead, 0, m->code.head * sizeof(float));
        m->code.prior->head_bwd(&c, prior, i, m->z, dhead);
    }
    vae__walk_to(p, &c, p->rows + from, to - from);
    if (from < to)
        vae__ops_bwd(&c, m->ops, vae__min(p->bwd_from, code), p->bwd_to,
                     m->seen + (p->rows + from) * dim,
                     m->code.heads + n * m->code.head + from * dim);
}

/* A part's rows of a stage, forward and back.
 *
 * Up to the first draw, mostly the code's, all rows of the part go together: there is one for each
 * image, and few numbers are left of it at the end. From there on an image has as many rows as
 * draws, and each is as wide as an image again. So a chunk of them goes forward, is weighed and
 * goes back before the next one begins: what the decoder left is still in the cache when the way
 * back asks for it. The draw's own backward belongs to the chunk, for it gathers the draws of an
 * image into one head. */
VAE__PRIVATE void vae__pass_part(void *arg, int part) {
    vae__pass *p = (vae__pass *)arg;
    const vae__op *ops = p->m->ops;
    const size_t code = p->m->at_draw, draws = VAE__TRAINS(p) ? (size_t)p->m->desc.samples : 1;
    const size_t fan = VAE__LAYERS(p->m) > 1 ? 1 : draws; /* rows of the code for a head */
    /* the stage begins with the rows that came in, not with what an earlier stage left */
    const int given = p->fwd_from == p->from;
    size_t from, to, at, n;
    vae__walk c;
    vae__share(p->rows, p->grain, p->parts, part, &from, &to);
    if (VAE__TRAINS(p)) vae__inputs_bwd(p, part);
    if (from == to || (VAE__WHOLE && p->fresh && !vae__pass_pixels(p, part, from, to))) return;
    c = vae__pass_walk(p, part, from, to - from);
    vae__ops_fwd(&c, ops, p->fwd_from, vae__min(p->fwd_to, code),
                 given ? vae__given(p, from) : NULL);
    if (p->to <= code && p->take) p->take(p, part, &c);
    for (at = from; at < to && (p->fwd_to > code || p->bwd_from > 2 * code); at += n) {
        n = vae__min(to - at, p->chunk);
        vae__walk_to(p, &c, at, n);
        /* decoded rows are taken at once, so the next chunk may stand where this one stood */
        if (p->from > p->m->at_code && !VAE__TRAINS(p)) c.place = from;
        vae__ops_fwd(&c, ops, vae__max(p->fwd_from, code), p->fwd_to,
                     given && p->from >= code ? vae__given(p, at) : NULL);
        if (!VAE__CLOSED(p->terms.code) && p->terms.logw && p->fwd_to == p->m->count &&
            p->fwd_from < p->fwd_to)
            vae__mean_kl(&p->terms, at * draws / fan, n * draws / fan, fan);
        if (VAE__TRAINS(p) && p->terms.weighs && p->fwd_from < p->fwd_to &&
            p->fwd_to == p->m->count)
            vae__weigh(p, &c);
        if (p->take) p->take(p, part, &c);
        if (VAE__TRAINS(p))
            vae__ops_bwd(&c, ops, p->bwd_from, vae__max(p->bwd_to, 2 * code), NULL, NULL);
    }
    vae__walk_to(p, &c, from, to - from);
    if (VAE__TRAINS(p))
        vae__ops_bwd(&c, ops, vae__min(p->bwd_from, 2 * code), p->bwd_to, NULL, NULL);
}

/* A part tells the first of its numbers that is not finite, v (rows, width) from row `from` of the
 * portion on; 1 when all are. */
VAE__PRIVATE int vae__all_finite(vae__pass *p, int part, size_t from, size_t rows, const float *v) {
    size_t i = 0;
    if (p->m->k->within(rows * p->width, FLT_MAX, v)) return 1;
    while (vae__finite_f(v[i])) i++;
    p->wrong[part] = from * p->width + i;
    return 0;
}

/* What came out of a stage: a pixel that cannot be, or a number that is not finite. */
VAE__PRIVATE vae_status vae__stage_status(vae__pass *p) {
    vae *m = p->m;
    size_t wrong = SIZE_MAX, i;
    int part, bad = 0;
    for (part = 0; part < p->parts; part++) {
        bad |= p->bad[part];
        wrong = vae__min(wrong, p->wrong[part]);
    }
    if (VAE__WHOLE && bad) {
        for (i = 0; p->data && i < p->rows; i++) /* a part that met the pixel did not read on */
            (void)vae_data_read(p->data, vae__row_number(p, i), 1, m->x + i * m->input.dim);
        return vae__check_pixels(m, "", 0, p->x, p->rows, p->batch->index, 0);
    }
    if (wrong == SIZE_MAX) return VAE_OK;
    i = wrong / p->width;
    if (p->what)
        return vae__fail(&m->report, VAE_ERR_NONFINITE, "row %z: number %z of %s is not finite: "
                         "the numbers given or the weights are too large", p->base + p->at + i,
                         wrong % p->width, p->what);
    return vae__fail(&m->report, VAE_ERR_NONFINITE, "image %z: its loss is not finite: its numbers "
                     "or the weights are too large", (size_t)vae__row_number(p, i));
}

VAE__PRIVATE vae_status vae__run_stage(vae__pass *p) {
    const vae *m = p->m;
    const size_t draw = m->code.heads ? m->dec.first - 1 : m->at_draw; /* a prior may come first */
    const int back = VAE__TRAINS(p) && p->fwd_from <= draw && p->fwd_to == m->count;
    const size_t draws = VAE__TRAINS(p) ? (size_t)m->desc.samples : 1;
    p->chunk = p->rows;
    /* A chunk pays for rows that go forward and at once back, or whose activations nobody wants
     * once they are decoded. It holds whole images: their draws are weighed together. */
    if (back || (!VAE__TRAINS(p) && p->from > m->at_code))
        p->chunk = vae__max(VAE__ROWS_AT_ONCE / draws, 1);
    vae__divide(&p->m->parallel, p->part ? p->part : vae__pass_part, p, p->parts);
    p->fresh = 0;
    p->fwd_from = p->fwd_to;
    return vae__stage_status(p);
}

/* Where the rows of the batch meet: channels of the op are divided, not rows, so that each sum has
 * one order, whatever the parts. */
VAE__PRIVATE void vae__meet_part(void *arg, int part) {
    vae__pass *p = (vae__pass *)arg;
    vae *m = p->m;
    const vae__op *op = &m->ops[p->meet];
    vae__walk c = vae__pass_walk(p, part, 0, p->rows);
    size_t from, to;
    vae__stand(&c, op);
    vae__share(op->in.c, 16, p->parts, part, &from, &to);
    if (from < to)
        op->layer->batch(&c, op, p->when, m->w + op->weights, p->meet ? op[-1].y : vae__seen(p),
                         from, to);
}
VAE__PRIVATE void vae__meet(vae__pass *p, size_t i, int when) {
    const int parts = p->parts;
    p->meet = i, p->when = when;
    if (when == VAE__BATCH_FORWARD && i + 1 == p->m->dec.first) vae__run_inputs(p);
    if (!p->m->ops[i].layer->batch) return;
    p->parts = vae__model_parts(p->m, p->m->ops[i].in.c, 16, 64);
    vae__divide(&p->m->parallel, vae__meet_part, p, p->parts);
    p->parts = parts;
}
VAE__INLINE int vae__meets(const vae *m, size_t i, int when) { return m->ops[i].meets >> when & 1; }

/* The next stage of the way back: to where the rows meet, or enough has gathered. The gradients of
 * the weights are made between two stages, so a stage should leave no more activations behind than
 * a cache holds. An op whose rows meet backward is cut in two: its activation belongs to the stage
 * before (half step 2 i - 1 is the last), and the rest needs to know all rows. */
VAE__PRIVATE void vae__stage_back(vae__pass *p) {
    const vae *m = p->m;
    size_t i = p->bwd_to / 2, floats = 0;
    p->bwd_from = p->bwd_to;
    while (i && !vae__meets(m, i - 1, VAE__BATCH_BACKWARD) && floats < VAE__STAGE_FLOATS) {
        const vae__op *op = &m->ops[--i];
        if (op->net) floats += p->rows * op->each * (op->in.dim + op->out.dim);
    }
    p->bwd_to = i && vae__meets(m, i - 1, VAE__BATCH_BACKWARD) ? 2 * i - 1 : 2 * i;
}

/* The stages of a portion, forward and the first one back; mostly they are one: pixels to gradients
 * in one job. Before an op whose rows meet, a stage ends, so that all rows are there. */
VAE__PRIVATE vae_status vae__run_stages(vae__pass *p) {
    size_t i;
    p->fresh = !p->from;
    p->fwd_from = p->from, p->bwd_from = p->bwd_to = 0;
    for (i = p->from; VAE__TRAINS(p) && i < p->to; i++) {
        vae_status bad;
        if (!vae__meets(p->m, i, VAE__BATCH_FORWARD)) continue;
        p->fwd_to = i;
        bad = vae__run_stage(p);
        if (bad) return bad;
        vae__meet(p, i, VAE__BATCH_FORWARD);
    }
    p->fwd_to = p->to;
    if (VAE__TRAINS(p) && p->backward) {
        p->bwd_to = 2 * p->to;
        vae__stage_back(p);
    }
    return vae__run_stage(p);
}

/* One stage more of the way back; 0: it was at its end. */
VAE__PRIVATE int vae__run_back(vae__pass *p) {
    if (!p->bwd_to) return 0;
    if (p->bwd_to & 1) vae__meet(p, p->bwd_to / 2, VAE__BATCH_BACKWARD);
    vae__stage_back(p);
    (void)vae__run_stage(p);
    return 1;
}

/* Into how many parts the portion is divided. Rows that are decoded count, for they are the work;
 * but a part has whole images. */
VAE__PRIVATE int vae__pass_parts(const vae__pass *p) {
    const vae *m = p->m;
    const size_t rows = p->rows * (VAE__TRAINS(p) ? (size_t)m->desc.samples : 1);
    int parts = vae__model_parts(m, rows, VAE__PART_ROWS);
    if (!VAE__TRAINS(p)) return parts;
    if (p->rows / 8 < (size_t)parts) /* few images: one part a thread, as shares are uneven */
        parts = vae__model_parts(m, rows, 4, SIZE_MAX);
    return (size_t)parts > p->rows ? (int)p->rows : parts;
}

/* Takes rows base .. base + rows - 1 of a batch through ops from .. to - 1; x (rows, in.dim of op
 * `from`) is what comes in. With p->backward the first stage back is made too: vae__run_back. */
VAE__PRIVATE vae_status vae__forward(vae__pass *p, size_t from, size_t to, const float *x,
                                     size_t base, size_t rows) {
    vae *m = p->m;
    vae_status bad = VAE_OK;
    size_t i;
    VAE_ASSERT(m->rows);
    p->from = from, p->to = to, p->base = base;
    if (!VAE__TRAINS(p) && p->terms.logw && from < m->dec.first && to >= m->dec.first)
        vae__run_inputs(p);
    for (p->at = 0; !bad && p->at < rows; p->at += p->rows) {
        p->rows = vae__min(rows - p->at, m->rows); /* as many as the buffers hold */
        p->x = x + p->at * m->ops[from].in.dim;
        for (i = 0; m->classes && i < p->rows; i++)
            m->labels[i] = p->data ? p->data->labels[vae__row_number(p, i)] :
                           vae__label(p->batch, base + p->at + i);
        vae__pass_terms(p);
        p->parts = vae__pass_parts(p);
        for (i = 0; i < (size_t)p->parts; i++)
            p->bad[i] = 0, p->nonzeros[i] = 0, p->wrong[i] = SIZE_MAX;
        bad = vae__run_stages(p);
    }
    return bad;
}

/* ---- a training pass ---- */

/* For `contract` in closed form: before a pass the squared length of each code's weights, after it
 * 2 contract times the mean of the squared slopes, which is how the penalty pulls at a weight. */
VAE__PRIVATE void vae__lengths(const vae *m) {
    const size_t latent = m->code.latent, in = m->ops[0].in.dim, head = m->code.head;
    const float *w = m->w + m->ops[0].weights;
    size_t i, j;
    for (j = 0; j < latent; j++) {
        double sum = 0;
        for (i = 0; i < in; i++) {
            const double v = (double)w[i * head + j];
            sum = vae__add_d(sum, vae__mul_d(v, v));
        }
        m->norm[j] = (float)sum;
    }
}
VAE__PRIVATE void vae__slopes(const vae *m, size_t rows) {
    const size_t latent = m->code.latent;
    const float *mu = m->ops[m->enc.count - 1].y;
    size_t i, j;
    for (j = 0; j < latent; j++) {
        double sum = 0;
        for (i = 0; i < rows; i++) {
            const double h = (double)mu[i * m->code.head + j];
            double bend, slope = m->code.posterior->means->slope(&m->code, h, &bend);
            sum = vae__add_d(sum, vae__mul_d(slope, slope));
        }
        m->mass[j] = (float)vae__mul_d(2 * m->desc.contract, vae__div_d(sum, (double)rows));
    }
}
VAE__PRIVATE void vae__pull(const vae *m, size_t from, size_t to, float *dw) {
    const size_t latent = m->code.latent, head = m->code.head;
    const float *w = m->w + m->ops[0].weights + from * head;
    size_t i, j;
    for (i = from; i < to; i++, w += head, dw += head)
        for (j = 0; j < latent; j++)
            dw[j] = (float)vae__add_d((double)dw[j],
                                      vae__mul_d((double)w[j], (double)m->mass[j]));
}

/* What meets the pixels first leaves out zeros where two thirds are. */
VAE__PRIVATE void vae__note_zeros(vae__pass *p) {
    vae *m = p->m;
    size_t i, nonzeros = 0;
    int part;
    for (part = 0; part < p->parts; part++) nonzeros += p->nonzeros[part];
    for (i = 0; i < m->enc.count; i++)
        if (!vae__has(&m->ops[i], VAE__SHOWS)) break;
    if (i < m->enc.count)
        m->ops[i].sparse = nonzeros < p->rows * (size_t)m->views * m->input.dim / 3;
}

/* The figures of a pass: means over the batch. */
VAE__PRIVATE void vae__pass_stats(const vae__pass *p, vae_stats *stats) {
    const vae *m = p->m;
    const vae__terms *t = &p->terms;
    const size_t draws = p->rows * (size_t)m->desc.samples;
    double recon = 0, kl = 0, bound = 0, penalty = 0;
    const size_t heads = VAE__LAYERS(m) > 1 ? draws : p->rows;
    size_t i;
    int j;
    memset(stats, 0, sizeof *stats);
    for (i = 0; i < draws; i++) recon = vae__add_d(recon, t->recon[i]);
    for (j = 0; j < VAE__LAYERS(m); j++) {
        for (i = 0, kl = 0; i < heads; i++) kl = vae__add_d(kl, vae__layer_kl(t, j, i));
        stats->layer_kl[j] = vae__div_d(kl, (double)heads);
        stats->kl = j ? vae__add_d(stats->kl, stats->layer_kl[j]) : stats->layer_kl[j];
    }
    for (i = 0; i < p->rows; i++) penalty = vae__add_d(penalty, t->penalty[i]);
    for (i = 0; t->weighs && i < p->rows; i++) bound = vae__add_d(bound, m->bound[i]);
    stats->recon = vae__div_d(recon, (double)draws);
    stats->elbo = -vae__add_d(stats->recon, stats->kl);
    stats->bound = t->weighs ? vae__div_d(bound, (double)p->rows) : stats->elbo;
    if (t->weighs) stats->loss = -stats->bound;
    else
        stats->loss = vae__add_d(m->desc.no_recon ? 0 : stats->recon, vae__mul_d(p->beta,
                                     m->desc.free_bits > 0 ? vae__counted_kl(t) : stats->kl));
    stats->loss = vae__add_d(stats->loss, vae__div_d(penalty, (double)p->rows));
    stats->images = p->rows;
}

/* Forward, weigh and, with p->backward, the first stage back, which mostly is all of it. */
VAE__PRIVATE vae_status vae__run_pass(vae__pass *p, vae_stats *stats) {
    vae *m = p->m;
    vae_status bad;
    p->beta = vae__beta_now(m);
    if (m->norm) vae__lengths(m);
    bad = vae__forward(p, 0, m->count, p->data ? m->x : p->batch->x, 0, p->batch->rows);
    if (bad) return bad;
    vae__note_zeros(p);
    vae__pass_stats(p, stats);
    return VAE_OK;
}

/* What layers remember of their batches; `p` has been run and its loss is finite. */
VAE__PRIVATE void vae__keep_batch(vae__pass *p) {
    vae *m = p->m;
    size_t i;
    for (i = 0; i < m->count; i++)
        if (vae__meets(m, i, VAE__BATCH_KEEP)) vae__meet(p, i, VAE__BATCH_KEEP);
    for (i = 0; m->average && i < m->slot_count; i++)
        if (m->tensors[i].fixed)
            memcpy(m->average + m->tensors[i].offset, m->w + m->tensors[i].offset,
                   m->tensors[i].count * sizeof(float));
}

/* ---- gradients and the update ---- */

/* What one step does to a parameter. */
typedef struct vae__rule {
    vae__adam_step adam;
    float lr, momentum, decay, gscale; /* sgd */
    int sgd;
} vae__rule;

/* Updates `n` parameters from `at` on with their gradients g; 0: they are not finite any more. */
VAE__PRIVATE int vae__apply(const vae *m, const vae__rule *r, size_t at, size_t n, const float *g) {
    const int finite =
        r->sgd ? m->k->sgd(n, m->w + at, g, m->m + at, r->lr, r->momentum, r->decay, r->gscale)
               : m->k->adam(n, m->w + at, g, m->m + at, m->v + at, &r->adam);
    if (m->average) m->k->ema(n, m->w + at, m->average + at, (float)m->desc.ema);
    return finite;
}

/* The weight gradients of a stage: rows of every tensor are divided, so a gradient is one sum over
 * all rows of the batch, in their order, made by one part. With a rule each piece is
 * used up while it is in the cache; without one they are stored in m->g. With a rule and no pass
 * those in m->g are used up. */
typedef struct vae__gradients {
    vae *m;
    vae__pass *pass;
    const vae__rule *rule;
    size_t from, to;       /* ops */
    size_t pitch;          /* floats of m->piece for a part */
    int parts;
    size_t bad[VAE_MAX_THREADS]; /* where something is not finite; SIZE_MAX: nowhere */
} vae__gradients;

/* One tensor: a part's rows of its gradient, seen as (.., last dimension), a block at a time. A
 * block is small enough that the update finds it in the cache, and its rows are whole tiles of the
 * product that makes it. */
VAE__PRIVATE void vae__gradients_of(vae__gradients *g, int part, const vae__walk *c,
                                    const vae__op *op, int tensor) {
    vae *m = g->m;
    const vae__slot *slot = &m->tensors[op->tensor + (size_t)tensor];
    const size_t wide = slot->shape[slot->rank - 1];
    const size_t block = m->g ? op->grad_block : vae__min(op->grad_block, g->pitch / wide);
    size_t from, to, end;
    vae__share(slot->count / wide, 8, g->parts, part, &from, &end);
    for (; from < end; from = to) {
        const size_t at = slot->offset + from * wide;
        float *dw = m->g ? m->g + at : m->piece + (size_t)part * g->pitch;
        size_t count;
        int finite;
        to = vae__min(end, from + block);
        count = (to - from) * wide;
        if (g->pass) {
            op->layer->grad(c, op, tensor, from, to, op == m->ops ? vae__seen(g->pass) : op[-1].y,
                            op->dy, dw);
            if (m->mass && op == m->ops && !tensor) vae__pull(m, from, to, dw);
            if (op->layer->mask)
                (void)op->layer->mask(op, tensor, from, to, dw, dw);
        }
        /* a gradient that is not finite leaves no weight finite, and a weight that is not must be
         * known: left-out zeros would hide it */
        finite = g->rule ? vae__apply(m, g->rule, at, count, dw) : m->k->within(count, FLT_MAX, dw);
        if (!finite && at < g->bad[part]) g->bad[part] = at;
    }
}

VAE__PRIVATE void vae__gradients_at(vae__gradients *g, int part, vae__walk *c, size_t i) {
    const vae *m = g->m;
    const vae__op *op = &m->ops[i];
    int tensor;
    if (g->pass) c->images = g->pass->rows + (i < m->at_code ? vae__pseudo_inputs(&m->code) : 0);
    vae__stand(c, op);
    for (tensor = 0; tensor < op->tensor_count; tensor++)
        if (!m->tensors[op->tensor + (size_t)tensor].fixed)
            vae__gradients_of(g, part, c, op, tensor);
}
VAE__PRIVATE void vae__gradients_part(void *arg, int part) {
    vae__gradients *g = (vae__gradients *)arg;
    const vae *m = g->m;
    /* the gradient of pseudo-inputs comes out of the encoder's first op */
    const size_t last = vae__pseudo_inputs(&m->code) ? m->dec.first - 1 : SIZE_MAX;
    vae__walk c = vae__train_walk(m, 0, 1);
    size_t i;
    if (g->pass) c = vae__pass_walk(g->pass, part, 0, g->pass->rows);
    for (i = g->to; i-- > g->from;)
        if (i != last) vae__gradients_at(g, part, &c, i);
    if (!g->from && last != SIZE_MAX) vae__gradients_at(g, part, &c, last);
}

/* The rest of a pass whose first stages have been run, with the gradients of its weights; or, with
 * NULL, the gradients that are stored. NULL, or the first tensor that has a gradient (or, with a
 * rule, a value) that is not finite. */
VAE__PRIVATE const char *vae__run_gradients(vae *m, vae__pass *p, const vae__rule *rule) {
    vae__gradients g;
    size_t bad = SIZE_MAX, i;
    int part;
    memset(&g, 0, sizeof g);
    g.m = m, g.pass = p, g.rule = rule, g.to = m->count;
    g.parts = vae__model_parts(m, m->parameters, VAE__PART_WEIGHTS);
    if (g.parts > m->piece_parts) g.parts = m->piece_parts;
    g.pitch = m->piece_all / (size_t)g.parts / 16 * 16;
    for (part = 0; part < g.parts; part++) g.bad[part] = SIZE_MAX;
    do {
        /* the ops that this stage passed have their dy; the next stage follows when it is used */
        g.from = p ? (p->bwd_to + 1) / 2 : 0;
        if (p && !g.from && m->mass) vae__slopes(m, p->rows);
        vae__divide(&m->parallel, vae__gradients_part, &g, g.parts);
        g.to = g.from;
    } while (p && vae__run_back(p));
    for (part = 0; part < g.parts; part++) bad = vae__min(bad, g.bad[part]);
    for (i = m->slot_count; bad != SIZE_MAX && i--;)
        if (m->tensors[i].offset <= bad) return m->tensors[i].name;
    return NULL;
}

/* ======================================================================================
 * >>optim    learning rate, the step's rule
 * uses: >>step >>dispatch            tests: tests/test_optim.c
 * ==================================================================================== */

VAE__SMALL

VAE__PRIVATE double vae__lr_at(const vae *m, uint64_t step) {
    const vae_desc *d = &m->desc;
    int i = 0;
    if (d->schedule == VAE_SCHEDULE_COSINE) { /* Loshchilov & Hutter 2017, without restarts */
        float t, c;
        if (step >= d->lr_steps) return 0;
        t = (float)vae__div_d((double)step, (double)d->lr_steps);
        m->k->map(VAE__FN_COSPI, 1, &t, &c);
        return vae__mul_d(d->lr, vae__mul_d(0.5, vae__add_d(1, (double)c)));
    }
    if (d->schedule == VAE_SCHEDULE_STAGES) {
        while (i + 1 < d->stage_count && step >= d->stages[i].steps) step -= d->stages[i++].steps;
        return d->stages[i].lr;
    }
    if (d->schedule == VAE_SCHEDULE_PLATEAU) {
        double lr = d->lr;
        uint64_t cut;
        for (cut = 0; cut < m->at.cuts && lr > 0; cut++) lr = vae__mul_d(lr, d->lr_factor);
        return lr;
    }
    return d->lr;
}

VAE__PRIVATE double vae__lr_now(const vae *m) {
    return vae__lr_at(m, m->step);
}

VAE_API void vae_get_info(const vae *model, vae_info *info) {
    vae__fpenv env;
    int i;
    if (!info) return;
    memset(info, 0, sizeof *info);
    if (!model) return;
    vae__fp_enter(&env);
    info->input_dim = model->input.dim;
    info->height = model->input.h, info->width = model->input.w, info->channels = model->input.c;
    info->latent = model->code.latent;
    info->code = model->code.width, info->head = model->code.head, info->eps = model->terms.noise;
    info->outputs = model->outputs;
    info->parameters = model->parameters;
    info->tensors = model->slot_count;
    info->memory = model->block_size;
    info->memory_activations = model->activations;
    info->step = model->step;
    info->epoch = model->at.epoch;
    info->classes = model->classes, info->by_pixel = model->at_image > 0;
    info->best_epoch = model->at.best_epoch, info->best = model->at.best;
    info->isa = model->k->isa;
    info->lr = vae__lr_now(model), info->beta = vae__beta_now(model);
    info->last_lr = vae__lr_at(model, model->step ? model->step - 1 : 0);
    info->invalid = model->invalid;
    info->weights_only = model->weights_only;
    info->layers = model->layers, info->units = model->units;
    for (i = 0; i < model->layers; i++) {
        vae_layer_info *of = &info->layer[i];
        of->latents = of->code = of->eps = (size_t)model->layer[i].n, of->head = 2 * of->code;
    }
    info->layer[0].latents = info->latent, info->layer[0].code = info->code;
    info->layer[0].head = info->head, info->layer[0].eps = model->code.noise;
    vae__fp_leave(&env);
}

/* Begins the next step, of `rows` rows; clipping multiplies the gradient by `gscale`. */
VAE__PRIVATE vae__rule vae__rule_next(vae *m, size_t rows, float gscale) {
    const vae_desc *d = &m->desc;
    const double lr = vae__lr_now(m);
    vae__rule r;
    memset(&r, 0, sizeof r);
    if (d->optimizer == VAE_OPTIMIZER_SGD) {
        r.sgd = 1;
        r.lr = (float)lr, r.momentum = (float)d->momentum, r.decay = (float)d->weight_decay;
        r.gscale = gscale;
        return r;
    }
    m->b1t = vae__mul_d(m->b1t, d->beta1);
    m->b2t = vae__mul_d(m->b2t, d->beta2);
    r.adam.gscale = gscale;
    r.adam.b1 = (float)d->beta1, r.adam.one_minus_b1 = (float)vae__add_d(1, -d->beta1);
    r.adam.b2 = (float)d->beta2, r.adam.one_minus_b2 = (float)vae__add_d(1, -d->beta2);
    r.adam.rate = (float)vae__div_d(lr, vae__add_d(1, -m->b1t));
    r.adam.inv_bias = (float)vae__div_d(1, vae__sqrt_d(vae__add_d(1, -m->b2t)));
    r.adam.eps = (float)d->adam_eps;
    if (d->optimizer == VAE_OPTIMIZER_ADAM_IWAE) { /* adds eps to the uncorrected root */
        r.adam.rate = (float)vae__mul_d(vae__div_d(lr, vae__add_d(1, -m->b1t)),
                                        vae__sqrt_d(vae__add_d(1, -m->b2t)));
        r.adam.inv_bias = 1;
        r.adam.gscale = (float)vae__mul_d((double)gscale, (double)rows); /* sums over the batch */
    }
    r.adam.decay = 1, r.adam.l2 = 0;
    if (d->optimizer == VAE_OPTIMIZER_ADAMW)
        r.adam.decay = (float)vae__add_d(1, -vae__mul_d(lr, d->weight_decay));
    else
        r.adam.l2 = (float)d->weight_decay;
    return r;
}

/* Updates every parameter from the stored gradients. Returns NULL, or the name of the first tensor
 * that is no longer finite. */
VAE__PRIVATE const char *vae__update(vae *m, size_t rows, float gscale) {
    const vae__rule rule = vae__rule_next(m, rows, gscale);
    return vae__run_gradients(m, NULL, &rule);
}

/* ======================================================================================
 * >>train    steps, evaluation, epochs
 * uses: >>optim >>step >>numbers >>model >>dispatch >>rng >>arena
 * tests: tests/test_train.c, tests/test_stopping.c
 * ==================================================================================== */

#ifndef VAE_ONLY_DECODE

/* Reports a failed step with a probable reason: a smaller learning rate can help only if weights
 * were changed; an outlier is likelier. The sentence is `before` `name` `after`. */
VAE__PRIVATE vae_status vae__step_failed(vae *m, const vae__pass *p, int changed,
                                         const char *before, const char *name, const char *after) {
    const size_t n = p->rows * m->input.dim;
    double top, most = -1;
    size_t i, at = 0, row;
    for (i = 0; i < n; i++) {
        top = p->x[i] < 0 ? -(double)p->x[i] : (double)p->x[i];
        if (top > most) most = top, at = i;
    }
    row = at / m->input.dim;
    if (changed && most < 1e4)
        return vae__fail(&m->report, VAE_ERR_NONFINITE, "step %u: %s%s%s (a smaller learning rate "
                         "may help)", m->step, before, name, after);
    return vae__fail(&m->report, VAE_ERR_NONFINITE, "step %u: %s%s%s; the largest number of the "
                     "batch is %f (image %z, number %z)", m->step, before, name, after,
                     (double)p->x[at], p->batch->index ? (size_t)p->batch->index[row] : row,
                     at % m->input.dim);
}

/* Reports where a loss that is not finite began: a tensor, or the first op that overflows. */
VAE__PRIVATE vae_status vae__loss_failed(vae *m, const vae__pass *p) {
    const char *name = vae__bad_tensor(m, m->w);
    vae__pass again = *p;
    size_t i;
    again.backward = 0, again.images = vae__images(p);
    /* compute the decoder's output again, because the likelihood has overwritten it */
    (void)vae__forward(&again, m->dec.first, m->count - 1, m->z, 0, p->rows);
    for (i = 0; i < m->count - 1 && !name; i++) {
        const vae__op *op = &m->ops[i];
        if (op->tensor_count && !m->k->within(p->rows * op->each * op->out.dim, FLT_MAX, op->y))
            name = m->tensors[op->tensor].name;
    }
    return vae__step_failed(m, p, m->step > 0, "the loss is not finite; it began at ",
                            name ? name : "the latents or the likelihood", "");
}

/* One step (forward, weigh, backward, update) on a caller's batch; or, with `data`, on its images
 * b->index[..], which are read into m->x. */
VAE__PRIVATE vae_status vae__step(vae *m, const vae_data *data, const vae_batch *b, uint32_t time,
                                  vae_stats *stats) {
    vae__pass pass;
    vae__rule rule;
    vae_stats s;
    const char *name;
    vae_status bad;
    vae__pass_begin(&pass, m, data, b, time);
    pass.backward = 1;
    bad = vae__run_pass(&pass, &s);
    if (bad) return bad;
    if (!vae__finite_d(s.loss) || !vae__finite_d(s.recon))
        return vae__loss_failed(m, &pass);
    vae__keep_batch(&pass);
    if (!m->g) rule = vae__rule_next(m, b->rows, 1);
    name = vae__run_gradients(m, &pass, m->g ? NULL : &rule);
    if (m->g && !name) {
        float gscale = 1;
        if (m->desc.clip > 0) {
            s.grad_norm = vae__sqrt_d(m->k->sum_squares(m->parameters, m->g));
            if (s.grad_norm > m->desc.clip) gscale = (float)vae__div_d(m->desc.clip, s.grad_norm);
        }
        name = vae__update(m, b->rows, gscale);
    }
    if (name) {
        m->invalid = 1;
        return vae__step_failed(m, &pass, 1, "the update of ", name,
                                " is not finite (its gradient, moments or weights)");
    }
    m->step++;
    if (stats) *stats = s;
    return VAE_OK;
}

/* Checks that training can use a batch. */
VAE__PRIVATE vae_status vae__check_training(vae *m, const vae_batch *b) {
    vae_status bad = vae__can_train(m);
    if (bad) return bad;
    if (b->rows < 1 || b->rows > m->rows)
        return vae__fail(&m->report, VAE_ERR_VALUE, "%z rows; a batch has 1 to %z", b->rows,
                         m->rows);
    if (b->first && !b->index)
        return vae__fail(&m->report, VAE_ERR_VALUE, "first is %z; training numbers its images step "
                         "* batch + row: give 0, or index", (size_t)b->first);
    if (b->eps && (m->desc.no_noise || !m->code.noise))
        return vae__fail(&m->report, VAE_ERR_STATE, "eps is given, but the model has no noise");
    bad = vae__check_labels(m, b);
    return bad ? bad : vae__check_eps(m, b, (size_t)m->desc.samples);
}

VAE__PRIVATE vae_status vae__do_train_step(vae *m, const vae_batch *b, vae_stats *stats) {
    vae_status bad;
    if (!m) return VAE_ERR_NULL;
    bad = vae__check_given(m, b, "pixels", NULL);
    if (!bad) bad = vae__check_training(m, b);
    return bad ? bad : vae__step(m, NULL, b, (uint32_t)m->step, stats);
}

#ifndef VAE_NO_TRAIN
VAE_API vae_status vae_train_step(vae *m, const vae_batch *batch, vae_stats *stats) {
    VAE__COMPUTES(m, vae__do_train_step(m, batch, stats));
}
#endif

VAE__PRIVATE vae_status vae__do_set_visible_bias(vae *m, const float *mean) {
    float *bias;
    size_t i, j;
    if (!m) return VAE_ERR_NULL;
    if (!mean) return vae__fail(&m->report, VAE_ERR_NULL, "mean is NULL");
    if (m->desc.inference) return vae__can_train(m);
    if (!m->likelihood.row->bias)
        return vae__fail(&m->report, VAE_ERR_STATE, "no bias would yield mean pixels: the "
                         "likelihood is %s", m->likelihood.row->kind.name);
    if (!m->visible_count || m->visible_count % (m->outputs / vae__pixels(&m->input)))
        return vae__fail(&m->report, VAE_ERR_STATE, "no bias would yield mean pixels: the "
                         "decoder's last layer has none for each channel");
    for (i = 0; i < m->input.dim; i++)
        if (!vae__finite_f(mean[i]))
            return vae__fail(&m->report, VAE_ERR_NONFINITE, "mean: number %z is %f", i,
                             (double)mean[i]);
    bias = m->w + m->visible_bias;
    for (i = 0; i < m->input.dim; i++) {
        /* set the first parameters of each number; a bias that pixels share gets their mean */
        const size_t c = m->input.c, copies = m->likelihood.copies;
        const size_t place = i / c * (m->outputs / vae__pixels(&m->input)) + i % c * copies;
        const size_t share = m->outputs / m->visible_count;
        if (place < m->visible_count) {
            double sum = 0;
            for (j = 0; j < share; j++)
                sum = vae__add_d(sum, (double)mean[i + j * (m->input.dim / share)]);
            sum = vae__div_d(sum, (double)share);
            for (j = 0; j < copies; j++)
                bias[place + j] = m->likelihood.row->bias(&m->likelihood, sum);
        }
    }
    if (m->average && m->step == 0)
        memcpy(m->average + m->visible_bias, bias, m->visible_count * sizeof(float));
    return VAE_OK;
}

#ifndef VAE_NO_TRAIN
VAE_API vae_status vae_set_visible_bias(vae *m, const float *mean) {
    VAE__COMPUTES(m, vae__do_set_visible_bias(m, mean));
}
#endif

/* Sets the bias from the mean image, summed in double over images in ascending order. */
VAE__PRIVATE vae_status vae__bias_from_data(vae *m, const vae_data *data) {
    double *sum = m->mean;
    size_t i, j, n = m->input.dim;
    for (j = 0; j < n; j++) sum[j] = 0;
    for (i = 0; i < data->count; i++) {
        vae_status bad = vae_data_read(data, i, 1, m->x);
        if (bad) return bad;
        for (j = 0; j < n; j++) sum[j] = vae__add_d(sum[j], (double)m->x[j]);
    }
    for (j = 0; j < n; j++) m->x[j] = (float)vae__div_d(sum[j], (double)data->count);
    return vae__do_set_visible_bias(m, m->x);
}

/* Pseudo-inputs that have the random numbers of their beginning become images of the data, at the
 * first places of an order that no epoch has. */
VAE__PRIVATE void vae__inputs_from_data(vae *m, const vae_data *data) {
    const vae__op *prior = &m->ops[m->dec.first - 1];
    const size_t dim = m->input.dim;
    size_t i;
    for (i = 0; i < vae__pseudo_inputs(&m->code); i++) {
        const size_t at = prior->weights + i * dim;
        const uint64_t image = vae_shuffle(m->desc.seed, UINT32_MAX, data->count, i % data->count);
        vae__init_tensor(m, prior->tensor, i * dim, dim, m->x);
        if (memcmp(m->w + at, m->x, dim * sizeof(float))) continue;
        (void)vae_data_read(data, (size_t)image, 1, m->w + at);
        if (m->average) memcpy(m->average + at, m->w + at, dim * sizeof(float));
    }
}

/* ---- evaluation: the ELBO of a data set, one draw for each image ---- */

/* Checks that the losses of these images are finite. */
VAE__PRIVATE void vae__take_loss(vae__pass *p, int part, const vae__walk *c) {
    size_t i;
    for (i = c->image; i < c->image + c->images; i++) {
        const float sum = (float)vae__add_d(p->terms.recon[i], vae__whole_kl(&p->terms, i));
        if (!vae__all_finite(p, part, i, 1, &sum)) return;
    }
}
/* Computes the losses of `rows` rows x, from row `base` of a batch on, into m->terms. The rows must
 * fit into the buffers. */
VAE__PRIVATE vae_status vae__losses(vae *m, const vae_batch *b, const float *x, size_t base,
                                    size_t rows) {
    vae__pass p;
    vae__use_begin(&p, m, b, 1);
    if (!VAE__CLOSED(&m->code) && !m->desc.no_noise) p.terms.logw = m->terms.logw;
    p.take = vae__take_loss, p.width = 1;
    return vae__forward(&p, 0, m->count, x, base, rows);
}

/* Reads images of a data set, from image `at` on, and makes a batch of them. */
VAE__PRIVATE vae_status vae__read_portion(vae *m, const vae_data *data, size_t at, vae_batch *b) {
    memset((void *)b, 0, sizeof *b);
    b->x = m->x, b->rows = vae__min(data->count - at, m->rows), b->first = (uint32_t)at;
    if (m->classes) b->labels = data->labels + at, b->label_count = b->rows;
    (void)vae_data_read(data, at, b->rows, m->x);
    return vae__holds_reals(data) ? vae__check_pixels(m, "", 0, m->x, b->rows, NULL, at) : VAE_OK;
}

VAE__PRIVATE vae_status vae__do_evaluate(vae *m, const vae_data *data, vae_stats *stats) {
    vae_status bad;
    vae_stats s;
    vae_batch b;
    double recon = 0;
    size_t at, i;
    int j;
    if (!m) return VAE_ERR_NULL;
    if (!data || !stats)
        return vae__fail(&m->report, VAE_ERR_NULL, "data and stats must be given");
    memset(&s, 0, sizeof s);
    bad = vae__check_data(m, data, "test");
    for (at = 0; !bad && at < data->count; at += b.rows) {
        bad = vae__read_portion(m, data, at, &b);
        if (!bad) bad = vae__losses(m, &b, m->x, 0, b.rows);
        for (i = 0; i < b.rows && !bad; i++) {
            recon = vae__add_d(recon, m->terms.recon[i]);
            for (j = 0; j < VAE__LAYERS(m); j++)
                s.layer_kl[j] = vae__add_d(s.layer_kl[j], vae__layer_kl(&m->terms, j, i));
        }
    }
    if (bad) return bad;
    s.recon = vae__div_d(recon, (double)data->count);
    for (j = 0; j < VAE__LAYERS(m); j++) {
        s.layer_kl[j] = vae__div_d(s.layer_kl[j], (double)data->count);
        s.kl = j ? vae__add_d(s.kl, s.layer_kl[j]) : s.layer_kl[j];
    }
    s.elbo = s.bound = -vae__add_d(s.recon, s.kl);
    s.loss = vae__add_d(m->desc.no_recon ? 0 : s.recon,
                        vae__mul_d(m->desc.no_kl ? 0 : m->desc.beta, s.kl));
    s.images = data->count;
    *stats = s;
    return VAE_OK;
}
VAE_API vae_status vae_evaluate(vae *m, const vae_data *data, vae_stats *stats) {
    VAE__COMPUTES(m, vae__do_evaluate(m, data, stats));
}

/* ---- epochs ---- */

/* The position in training, as a callback gets it. */
VAE__PRIVATE void vae__progress_of(const vae *m, vae_progress *now) {
    const vae__position *at = &m->at;
    const double images = (double)at->images;
    int j;
    memset(now, 0, sizeof *now);
    now->epoch = at->epoch, now->epochs = (uint64_t)m->desc.epochs;
    now->step = at->step, now->steps = (at->total + m->rows - 1) / m->rows;
    now->images = now->train.images = at->images, now->total = at->total;
    now->train.recon = vae__div_d(at->recon, images);
    now->train.kl = vae__div_d(at->kl, images);
    for (j = 0; j < VAE__LAYERS(m); j++)
        now->train.layer_kl[j] = vae__div_d(VAE__LAYERS(m) > 1 ? at->layer_kl[j] : at->kl, images);
    now->train.loss = vae__div_d(at->loss, images);
    now->train.elbo = -vae__add_d(now->train.recon, now->train.kl);
    now->train.bound = vae__div_d(at->bound, images);
}

/* Notes an epoch's test loss: whether it is the lowest, and whether the learning rate is cut. A
 * loss that is not finite is never the lowest. */
VAE__PRIVATE void vae__note(vae *m, double loss) {
    vae__position *at = &m->at;
    if (vae__finite_d(loss) && (!at->best_epoch || loss < at->best))
        at->best = loss, at->best_epoch = at->epoch;
    if (m->desc.schedule == VAE_SCHEDULE_PLATEAU && at->cuts < VAE__MAX_CUTS &&
        at->epoch - (at->cut_epoch > at->best_epoch ? at->cut_epoch : at->best_epoch) >=
            (uint64_t)m->desc.plateau_epochs)
        at->cuts++, at->cut_epoch = at->epoch;
}

VAE__PRIVATE int vae__waited(const vae *m) {
    return m->desc.patience && m->at.best_epoch &&
           m->at.epoch - m->at.best_epoch >= (uint64_t)m->desc.patience;
}

/* Whether a run has epochs left. */
VAE__INLINE int vae__goes_on(const vae *m) {
    return m->at.epoch < (uint64_t)m->desc.epochs && !vae__waited(m);
}
/* Calls the callback, which runs in the host's floating-point environment and may use the model. If
 * another thread has entered the model meanwhile, the run ends: guard->held is 0 then. */
VAE__PRIVATE int vae__ask(vae *m, const vae_progress *now, vae_progress_fn progress, void *user,
                          vae__fpenv *guard) {
    int stop;
    vae__fp_leave(guard);
    m->asking = 1;
    vae__leave(m, guard);
    stop = progress(m, now, user);
    m->asking = 0;
    if (!vae__enter(m, guard)) stop = 1;
    vae__fp_enter(guard);
    return stop;
}

/* Checks all numbers of a data set, before the first step. */
VAE__PRIVATE vae_status vae__check_values(vae *m, const char *where, const vae_data *data) {
    vae_status bad = VAE_OK;
    size_t at, run;
    for (at = 0; vae__holds_reals(data) && at < data->count && !bad; at += run) {
        run = vae__min(data->count - at, m->rows);
        (void)vae_data_read(data, at, run, m->x);
        bad = vae__check_pixels(m, where, 0, m->x, run, NULL, at);
    }
    return bad;
}

/* Checks what training is given, and sets the first bias. */
VAE__PRIVATE vae_status vae__fit_begin(vae *m, const vae_data *train, const vae_data *test) {
    vae_status bad = vae__can_train(m);
    if (!bad) bad = vae__check_data(m, train, "training");
    if (!bad && test) bad = vae__check_data(m, test, "test");
    if (!bad && !test && (m->desc.patience || m->desc.schedule == VAE_SCHEDULE_PLATEAU))
        bad = vae__fail(&m->report, VAE_ERR_NULL, "patience and a plateau need test data");
    if (bad) return bad;
    if (m->at.images && m->at.total != train->count)
        return vae__fail(&m->report, VAE_ERR_MISMATCH, "the run stopped in the middle of an epoch "
                         "of %u images; this data has %z", m->at.total, train->count);
    if (vae__goes_on(m)) {
        bad = vae__check_values(m, "training ", train);
        if (!bad && test) bad = vae__check_values(m, "test ", test);
    }
    if (!bad && m->step == 0 && m->desc.visible_bias == VAE_BIAS_MEAN)
        bad = vae__bias_from_data(m, train);
    if (!bad && m->step == 0) vae__inputs_from_data(m, train);
    return bad;
}

/* One call of vae_fit. */
typedef struct vae__fit {
    const vae_data *train, *test;
    vae_progress_fn progress;
    void *user;
    vae__fpenv *host;
    vae_progress now;
    int stop; /* the callback wants to stop */
} vae__fit;

VAE__PRIVATE void vae__tell(vae *m, vae__fit *f) {
    if (f->progress) f->stop = vae__ask(m, &f->now, f->progress, f->user, f->host);
}

/* One step on the next images of the epoch's order; adds its figures to the epoch's sums. */
VAE__PRIVATE vae_status vae__fit_step(vae *m, vae__fit *f, const vae__order *order) {
    vae__position *at = &m->at;
    vae_batch b;
    vae_stats s;
    vae_status bad;
    double rows;
    size_t i;
    int j;
    memset((void *)&b, 0, sizeof b);
    b.rows = (size_t)(at->total - at->images), b.index = m->index;
    if (b.rows > m->rows) b.rows = m->rows;
    for (i = 0; i < b.rows; i++) m->index[i] = (uint32_t)vae__order_at(order, at->images + i);
    bad = vae__step(m, f->train, &b, (uint32_t)at->epoch, &s);
    if (bad) return bad;
    at->step++;
    at->images += b.rows;
    rows = (double)b.rows;
    at->recon = vae__add_d(at->recon, vae__mul_d(s.recon, rows));
    at->kl = vae__add_d(at->kl, vae__mul_d(s.kl, rows));
    for (j = 0; j < VAE__LAYERS(m) && VAE__LAYERS(m) > 1; j++)
        at->layer_kl[j] = vae__add_d(at->layer_kl[j], vae__mul_d(s.layer_kl[j], rows));
    at->loss = vae__add_d(at->loss, vae__mul_d(s.loss, rows));
    at->bound = vae__add_d(at->bound, vae__mul_d(s.bound, rows));
    vae__progress_of(m, &f->now);
    f->now.train.grad_norm = s.grad_norm;
    vae__tell(m, f);
    return VAE_OK;
}

/* One epoch or the rest of one, and the evaluation after it. */
VAE__PRIVATE vae_status vae__fit_epoch(vae *m, vae__fit *f) {
    vae__position *at = &m->at;
    vae__order order;
    vae_status bad = VAE_OK;
    at->total = f->train->count;
    vae__order_begin(&order, m->desc.seed, (uint32_t)at->epoch, f->train->count);
    while (!bad && !f->stop && at->images < at->total) bad = vae__fit_step(m, f, &order);
    if (bad || f->stop) return bad;
    vae__progress_of(m, &f->now);
    at->epoch++;
    at->step = at->images = 0;
    at->recon = at->kl = at->loss = at->bound = 0;
    memset(at->layer_kl, 0, sizeof at->layer_kl);
    if (f->test) {
        bad = vae__do_evaluate(m, f->test, &f->now.test);
        f->now.has_test = !bad;
        if (!bad) vae__note(m, f->now.test.loss);
    }
    f->now.epoch_done = 1;
    if (!bad) vae__tell(m, f);
    return bad;
}

VAE__PRIVATE vae_status vae__do_fit(vae *m, const vae_data *train, const vae_data *test,
                                    vae_progress_fn progress, void *user, vae__fpenv *host) {
    vae__fit f;
    vae_status bad;
    if (!m) return VAE_ERR_NULL;
    if (!train) return vae__fail(&m->report, VAE_ERR_NULL, "the training data is NULL");
    memset(&f, 0, sizeof f);
    f.train = train, f.test = test, f.progress = progress, f.user = user, f.host = host;
    bad = vae__fit_begin(m, train, test);
    while (!bad && vae__goes_on(m)) {
        f.stop = 0;
        bad = vae__fit_epoch(m, &f);
        if (!host->held) return VAE_ERR_STATE;
        if (f.stop && !bad && vae__goes_on(m))
            bad = vae__fail(&m->report, VAE_STOPPED, "stopped by the progress callback at step %u",
                            m->step);
    }
    return bad;
}
#ifndef VAE_NO_TRAIN
VAE_API vae_status vae_fit(vae *m, const vae_data *train, const vae_data *test,
                           vae_progress_fn progress, void *user) {
    VAE__COMPUTES(m, vae__do_fit(m, train, test, progress, user, &vae__host));
}
#endif

/* ---- checking gradients ---- */

/* Moves one tensor along d = g/|g| + r/|r|, r random. Along r alone the loss would change less than
 * rounding does; along g alone an error in another direction would stay unseen. Returns |difference
 * - slope| / (|difference| + |slope|). `copy` holds the tensor and r. */
VAE__PRIVATE double vae__probe(vae *m, const vae_batch *b, const vae__slot *slot, float *copy,
                               int q, double loss) {
    float *w = m->w + slot->offset, *r = copy + m->parameters;
    const float *g = m->g + slot->offset;
    const size_t n = slot->count;
    double gg = m->k->sum_squares(n, g), rr, slope = 0, step, at[4], gap;
    vae__pass pass;
    vae_stats s;
    size_t i;
    int side;
    vae__pass_begin(&pass, m, NULL, b, (uint32_t)m->step);
    memcpy(copy, w, n * sizeof(float));
    vae__noise(m, VAE_PURPOSE_PROBE, (uint32_t)q, (uint32_t)(slot - m->tensors), 0, n, r);
    (void)vae__mask(m, (size_t)(slot - m->tensors), r, r);
    rr = 1 / vae__sqrt_d(m->k->sum_squares(n, r));
    gg = gg > 0 ? 1 / vae__sqrt_d(gg) : 0;
    for (i = 0; i < n; i++) {
        r[i] = (float)((double)r[i] * rr + (double)g[i] * gg);
        slope += (double)r[i] * (double)g[i];
    }
    /* a step that changes the loss by 1e-3 of itself, but short enough to stay on one slope */
    step = 1e-3 * (loss < 0 ? -loss : loss) / (slope > 1e-12 ? slope : 1e-12);
    if (step > 3e-2) step = 3e-2;
    for (side = 0; side < 4; side++) { /* at +h, -h, +h/2, -h/2 */
        const double h = (side & 1 ? -step : step) * (side & 2 ? 0.5 : 1);
        for (i = 0; i < n; i++) w[i] = (float)((double)copy[i] + h * (double)r[i]);
        (void)vae__run_pass(&pass, &s);
        at[side] = s.loss;
    }
    memcpy(w, copy, n * sizeof(float));
    /* Richardson: combines the two difference quotients so that the error in h^2 cancels */
    gap = (4 * (at[2] - at[3]) / step - (at[0] - at[1]) / (2 * step)) / 3;
    rr = (gap < 0 ? -gap : gap) + (slope < 0 ? -slope : slope);
    gap = gap < slope ? slope - gap : gap - slope;
    /* the error of the quotient by rounding alone: the loss has about 22 correct bits */
    rr += (loss < 0 ? -loss : loss) * 2e-5 / step;
    return gap / rr;
}

VAE__PRIVATE vae_status vae__do_check_gradients(vae *m, const vae_batch *b, int directions,
                                                double *worst) {
    vae_status bad;
    vae_stats s;
    vae__pass pass;
    double most = 0;
    const size_t size = m ? 3 * m->parameters * sizeof(float) : 0;
    const char *name;
    float *copy, *stored;
    size_t t;
    int q;
    if (!m) return VAE_ERR_NULL;
    bad = vae__check_given(m, b, "pixels", worst ? NULL : "worst");
    if (!bad) bad = vae__check_training(m, b);
    if (bad) return bad;
    if (directions < 1)
        return vae__fail(&m->report, VAE_ERR_VALUE, "directions is %d; at least 1", directions);
    if (m->desc.objective == VAE_OBJECTIVE_DREG && m->desc.samples > 1)
        return vae__fail(&m->report, VAE_ERR_UNSUPPORTED, "dreg's gradient is the bound's in the "
                         "mean over the noise only: check that of iwae");
    if (m->code.through)
        return vae__fail(&m->report, VAE_ERR_UNSUPPORTED, "the gradient goes straight through the "
                         "whole numbers of posterior %s: it is not the derivative of the loss, "
                         "which differences would show", m->code.posterior->kind.name);
    copy = (float *)vae__alloc(&m->desc.allocator, size);
    if (!copy)
        return vae__fail(&m->report, VAE_ERR_MEMORY, "out of memory: the check needs %z bytes",
                         size);
    vae__pass_begin(&pass, m, NULL, b, (uint32_t)m->step);
    pass.backward = 1;
    stored = m->g;
    if (!m->g) m->g = copy + 2 * m->parameters;
    bad = vae__run_pass(&pass, &s);
    if (!bad && !vae__finite_d(s.loss)) bad = vae__loss_failed(m, &pass);
    else if (!bad) {
        name = vae__run_gradients(m, &pass, NULL);
        if (name)
            bad = vae__fail(&m->report, VAE_ERR_NONFINITE, "the gradient of %s is not finite",
                            name);
    }
    for (q = 0; q < directions && !bad; q++) {
        for (t = 0; t < m->slot_count; t++) {
            double diff;
            if (m->tensors[t].fixed) continue;
            diff = vae__probe(m, b, &m->tensors[t], copy, q, s.loss);
            if (!(diff <= most)) most = diff;
        }
    }
    m->g = stored;
    vae__release(&m->desc.allocator, copy, size);
    if (!bad) *worst = most;
    return bad;
}

#ifndef VAE_NO_TRAIN
VAE_API vae_status vae_check_gradients(vae *m, const vae_batch *batch, int directions,
                                       double *worst) {
    VAE__COMPUTES(m, vae__do_check_gradients(m, batch, directions, worst));
}
#endif

#endif /* VAE_ONLY_DECODE */

/* ======================================================================================
 * >>eval     using a model: encode, decode, sample, score
 * uses: >>train >>step >>model >>codes >>program >>threads >>rng
 * tests: tests/test_eval.c, tests/test_labels.c
 *
 * Any number of rows, in portions of the buffers; nothing here changes the parameters. Each call
 * is a range of the ops: encode up to the code, decode behind it, score all of them.
 * ==================================================================================== */

/* A pass, and where its results go: those of row i of the call to place i. */
typedef struct vae__use {
    vae__pass pass;      /* comes first: the functions that take its rows find the rest by it */
    float *out, *logvar; /* logvar: encode's second output */
    int heads;           /* encode: heads are kept in m->heads, whose rows they fit */
    int mean;            /* decode: means, not the decoder's output */
    const vae__address *draw; /* decode: draws of this seed; NULL: none */
    size_t given;        /* decode pixel by pixel: the first numbers of an image stand in `out` */
} vae__use;

VAE__PRIVATE void vae__call_begin(vae__use *u, vae *m, const vae_batch *b, int binarize) {
    vae__use_begin(&u->pass, m, b, binarize);
    u->out = u->logvar = NULL, u->heads = u->mean = 0, u->draw = NULL, u->given = 0;
}

/* Where the rows at work came out of the range. */
VAE__INLINE const float *vae__came_out(const vae__pass *p, const vae__walk *c) {
    const vae__op *last = &p->m->ops[p->to - 1];
    return last->y + c->place * last->pitch;
}

/* A call about codes. */
VAE__PRIVATE vae_status vae__check_latents(vae *m) {
    if (m->code.latent) return VAE_OK;
    return vae__fail(&m->report, VAE_ERR_STATE, "posterior %s has no code",
                     m->code.posterior->kind.name);
}

/* ---- encode ---- */

#ifndef VAE_ONLY_DECODE
VAE__PRIVATE void vae__take_heads(vae__pass *p, int part, const vae__walk *c) {
    const vae__use *u = (const vae__use *)(const void *)p;
    const vae__code q = vae__code_of(c);
    const size_t width = p->m->ops[p->to].in.dim, latent = q.latent;
    const float *head = vae__came_out(p, c);
    size_t i, j, row = p->at + c->image;
    if (p->width && !vae__all_finite(p, part, c->image, c->images, head)) return;
    if (u->heads) memcpy(p->m->heads + row * width, head, c->images * width * sizeof(float));
    for (i = 0; i < c->images; i++, row++, head += width) {
        if (u->out) q.posterior->sample(&q, head, NULL, u->out + row * q.width);
        for (j = 0; u->logvar && j < latent; j++)
            u->logvar[row * latent + j] = vae__clamp_logvar(head[latent + j]);
    }
}

/* Up to op `to`, the code or the first draw; other layers on the way pass on their means. */
VAE__PRIVATE void vae__encode_begin(vae__use *u, vae *m, const vae_batch *b, int binarize,
                                    size_t to) {
    vae__call_begin(u, m, b, binarize);
    u->pass.take = vae__take_heads, u->pass.terms.mean = 1;
    u->pass.what = "the encoder's output", u->pass.width = m->ops[to].in.dim;
}
/* The heads of op `to` for such rows, which fit into the buffers, into m->heads. `binarize`: of
 * images as evaluation sees them; `checked`: they must be finite. */
VAE__PRIVATE vae_status vae__encode_heads(vae *m, const vae_batch *b, size_t to, int binarize,
                                          int checked, const float *x, size_t base, size_t rows) {
    vae__use u;
    vae__encode_begin(&u, m, b, binarize, to);
    u.heads = 1;
    if (!checked) u.pass.width = 0;
    return vae__forward(&u.pass, 0, to, x, base, rows);
}

/* Codes of such rows, any number of them: draws, or `mean`. */
VAE__PRIVATE vae_status vae__codes(vae *m, const vae_batch *b, const float *x, size_t base,
                                   size_t rows, int mean, float *z) {
    const size_t width = m->code.width;
    vae_status bad = VAE_OK;
    vae__pass p;
    size_t at, run;
    for (at = 0; !bad && at < rows; at += run) {
        run = vae__min(rows - at, m->rows);
        bad = vae__encode_heads(m, b, m->at_draw, 0, 1, x + at * m->input.dim, base + at, run);
        if (bad) break;
        vae__use_begin(&p, m, b, 0);
        p.terms.mean = mean;
        bad = vae__forward(&p, m->at_draw, m->dec.first, m->heads, base + at, run);
        if (!bad) bad = vae__check_rows(m, "z", m->z, base + at, run, width);
        if (!bad) memmove(z + at * width, m->z, run * width * sizeof(float));
    }
    return bad;
}
/* Rows base .. base + rows - 1 of a batch, x; mu and logvar are those of row `base` onward, either
 * may be NULL. */
VAE__PRIVATE vae_status vae__encode(vae *m, const vae_batch *b, const float *x, size_t base,
                                    size_t rows, float *mu, float *logvar) {
    vae__use u;
    if (m->code.flow && mu) {
        const vae_status bad = vae__codes(m, b, x, base, rows, 1, mu);
        if (bad || !logvar) return bad;
        mu = NULL;
    }
    vae__encode_begin(&u, m, b, 0, m->at_code);
    u.out = mu, u.logvar = logvar;
    return vae__forward(&u.pass, 0, m->at_code, x, base, rows);
}

VAE__PRIVATE vae_status vae__do_encode(vae *m, const vae_batch *b, float *mu, float *logvar) {
    vae_status bad;
    if (!m) return VAE_ERR_NULL;
    bad = vae__check_latents(m);
    if (!bad && logvar && !m->code.posterior->means)
        bad = vae__fail(&m->report, VAE_ERR_STATE, "posterior %s has no log variance",
                        m->code.posterior->kind.name);
    if (bad) return bad;
    bad = vae__check_images(m, b, 1, NULL);
    return bad ? bad : vae__encode(m, b, b->x, 0, b->rows, mu, logvar);
}

VAE_API vae_status vae_encode(vae *m, const vae_batch *batch, float *mu, float *logvar) {
    VAE__COMPUTES(m, vae__do_encode(m, batch, mu, logvar));
}

VAE__PRIVATE vae_status vae__do_posterior(vae *m, const vae_batch *b, float *z) {
    vae_status bad;
    if (!m) return VAE_ERR_NULL;
    bad = vae__check_latents(m);
    if (!bad) bad = vae__check_images(m, b, 1, z ? NULL : "z");
    if (!bad && !m->desc.no_noise) bad = vae__check_eps(m, b, 1);
    return bad ? bad : vae__codes(m, b, b->x, 0, b->rows, 0, z);
}
VAE_API vae_status vae_posterior(vae *m, const vae_batch *batch, float *z) {
    VAE__COMPUTES(m, vae__do_posterior(m, batch, z));
}
#endif

/* ---- decode ---- */

/* Means, outputs or draws, once the decoder's output is known to be finite. */
VAE__PRIVATE void vae__take_outputs(vae__pass *p, int part, const vae__walk *c) {
    const vae__use *u = (const vae__use *)(const void *)p;
    const vae__density *l = &p->likelihood;
    const size_t dim = u->mean || u->draw ? l->numbers : l->outputs;
    const float *y = vae__came_out(p, c);
    float *out = u->out + (p->at + c->image) * dim, *noise = u->draw ?
                 p->m->x + c->place * l->numbers : NULL; /* nobody else is there */
    size_t i;
    if (!vae__all_finite(p, part, c->image, c->images, y)) return;
    if (!u->mean && !u->draw) memcpy(out, y, c->images * dim * sizeof(float));
    for (i = 0; (u->mean || u->draw) && i < c->images; i++) {
        if (VAE__WHOLE && u->draw) {
            vae__address at = *u->draw;
            at.counter[0] = vae__row_number(p, c->image + i);
            c->k->draw(l->row->noise, &at, 0, l->numbers, noise);
        }
        l->row->observe(l, y + i * l->outputs, noise, out + i * dim);
    }
}

#ifndef VAE_NO_PIXELS
/* A decoder with a layer `image` makes images of a part pixel by pixel, and colour by colour unless
 * the likelihood is of whole pixels: behind the numbers that are given each is drawn, or the most
 * probable one. The layers up to `image` work once, those behind it at each pixel. What a layer has
 * at earlier pixels stays, so this gives the bits of doing all of them again for each number. Where
 * outputs are asked for, the images stand in m->x. */
VAE__PRIVATE void vae__draw_part(void *arg, int part) {
    vae__use *u = (vae__use *)arg;
    vae__pass *p = &u->pass;
    vae *m = p->m;
    const vae__density *l = &p->likelihood;
    const size_t n = l->channels, pixels = l->numbers / n, many = l->outputs / pixels;
    const size_t step = l->row->whole ? n : 1;
    const int outputs = !u->mean && !u->draw;
    const float *y = m->ops[m->count - 1].y;
    float *x = outputs ? m->x : u->out + p->at * l->numbers;
    vae__density one = *l;
    vae__terms terms = p->terms;
    vae__walk c;
    size_t from, to, i, at;
    one.numbers = n, one.outputs = many;
    vae__share(p->rows, p->grain, p->parts, part, &from, &to);
    if (from == to) return;
    c = vae__pass_walk(p, part, from, to - from);
    c.terms = &terms, terms.x = x;
    for (i = from; i < to; i++)
        memset(x + i * l->numbers + u->given, 0, (l->numbers - u->given) * sizeof(float));
    for (i = from; u->draw && i < to; i++) {
        vae__address noise = *u->draw;
        noise.counter[0] = vae__row_number(p, i);
        c.k->draw(l->row->noise, &noise, 0, l->numbers, m->x + i * l->numbers);
    }
    if (p->from == m->at_image) { /* `image` asks the op before it for z, again and again */
        const vae__op *before = &m->ops[p->from - 1];
        memmove(before->y + from * before->pitch, vae__given(p, from),
                (to - from) * before->out.dim * sizeof(float));
    }
    vae__ops_fwd(&c, m->ops, p->from, m->at_image + 1, vae__given(p, from));
    for (at = 0; at < l->numbers; at += step) { /* number at % n of pixel at / n */
        vae__ops_pixel(&c, m->ops, m->at_image + 1, m->count - 1, at / n);
        for (i = from; i < to && at >= u->given; i++) {
            const float *out = y + i * l->outputs + at / n * many;
            const float *noise = m->x + i * l->numbers + at / n * n;
            if (u->draw) l->row->observe(&one, out, noise, c.room);
            else vae__most_probable(&one, out, c.room);
            memcpy(x + i * l->numbers + at, c.room + at % n, step * sizeof(float));
        }
        vae__ops_pixel(&c, m->ops, m->at_image, m->at_image + 1, at / n);
    }
    if (vae__all_finite(p, part, from, to - from, y + from * l->outputs) && outputs)
        memcpy(u->out + (p->at + from) * l->outputs, y + from * l->outputs,
               (to - from) * l->outputs * sizeof(float));
}
#endif

/* z: what comes into op `from`, codes or, to reconstruct, heads. `seed`: of the latents that the
 * decoder draws; NULL: it passes on means. */
VAE__PRIVATE vae_status vae__decode(vae *m, const vae_batch *b, size_t from, const float *z,
                                    size_t base, size_t rows, const uint64_t *seed, float *out,
                                    int mean, const vae__address *draw, size_t given) {
    vae__use u;
    vae_status bad = vae__check_rows(m, "z", z, base, rows, m->ops[from].in.dim);
    if (!bad && m->likelihood.row->learned)
        bad = vae__check_rows(m, m->likelihood.row->learned, vae__weights(m, b) + m->learned, 0, 1,
                              1);
    if (bad) return bad;
    vae__call_begin(&u, m, b, 0);
    u.out = out, u.mean = mean, u.draw = draw, u.given = given;
    u.pass.take = vae__take_outputs;
#ifndef VAE_NO_PIXELS
    if (m->at_image) u.pass.part = vae__draw_part;
#endif
    u.pass.what = "the decoder's output", u.pass.width = m->outputs;
    u.pass.terms.kl = NULL, u.pass.terms.mean = !seed, u.pass.terms.alone = from > m->at_code;
    if (seed) u.pass.seed = *seed, u.pass.terms.purpose = VAE_PURPOSE_PRIOR_Z;
    return vae__forward(&u.pass, from, m->count - 1, z, base, rows);
}

VAE__PRIVATE vae_status vae__do_decode(vae *m, const vae_batch *b, const uint64_t *seed,
                                       float *out, int mean, const vae__address *draw) {
    vae_status bad;
    if (!m) return VAE_ERR_NULL;
    bad = vae__check_latents(m);
    if (!bad) bad = vae__check_given(m, b, "z", out ? NULL : "the output");
    if (!bad) bad = vae__check_labels(m, b);
    if (bad) return bad;
    return vae__decode(m, b, m->dec.first, b->x, 0, b->rows, seed, out, mean, draw, 0);
}

VAE_API vae_status vae_decode(vae *m, const vae_batch *batch, float *x) {
    VAE__COMPUTES(m, vae__do_decode(m, batch, NULL, x, 1, NULL));
}

VAE_API vae_status vae_decode_logits(vae *m, const vae_batch *batch, float *logits) {
    VAE__COMPUTES(m, vae__do_decode(m, batch, NULL, logits, 0, NULL));
}

#ifndef VAE_ONLY_DECODE
VAE__PRIVATE vae_status vae__do_draw(vae *m, const vae_batch *b, uint64_t seed, float *x) {
    const vae__address at = vae__address_for(seed, VAE_PURPOSE_DRAW_X, 0, 0, 0);
    return vae__do_decode(m, b, &seed, x, 0, &at);
}

VAE_API vae_status vae_draw(vae *m, const vae_batch *batch, uint64_t seed, float *x) {
    VAE__COMPUTES(m, vae__do_draw(m, batch, seed, x));
}

VAE__PRIVATE vae_status vae__do_reconstruct(vae *m, const vae_batch *b, float *out) {
    size_t at, run;
    vae_status bad;
    if (!m) return VAE_ERR_NULL;
    bad = vae__check_latents(m);
    if (!bad) bad = vae__check_images(m, b, 1, out ? NULL : "out");
    for (at = 0; !bad && at < b->rows; at += run) { /* portions: out may be batch.x */
        run = vae__min(b->rows - at, m->rows);
        bad = vae__encode_heads(m, b, m->at_draw, 0, 1, b->x + at * m->input.dim, at, run);
        if (!bad)
            bad = vae__decode(m, b, m->at_draw, m->heads, at, run, NULL, out + at * m->input.dim,
                              1, NULL, 0);
    }
    return bad;
}

VAE_API vae_status vae_reconstruct(vae *m, const vae_batch *batch, float *out) {
    VAE__COMPUTES(m, vae__do_reconstruct(m, batch, out));
}

/* What the prior's draws of this call need. */
VAE__PRIVATE void vae__begin_draws(vae *m, const vae_batch *b) {
    vae__pass p;
    vae__use_begin(&p, m, b, 0);
    vae__run_inputs(&p);
}
/* Codes of rows base .. base + rows - 1 of a batch, out of the prior. */
VAE__PRIVATE void vae__draw_codes(const vae *m, const vae_batch *b, uint64_t seed, size_t base,
                                  size_t rows, float *z) {
    const float *w = vae__weights(m, b) + m->ops[m->dec.first - 1].weights; /* of the prior */
    vae__code q = m->code;
    size_t i;
    q.room = m->room;
    for (i = 0; i < rows; i++) {
        const vae__address at =
            vae__address_for(seed, VAE_PURPOSE_PRIOR_Z, 0, vae__number(b, base + i), 0);
        if (VAE__CLOSED(&q) && q.posterior->closed->draw)
            q.posterior->closed->draw(&q, &at, z + i * q.width);
        else q.prior->draw(&q, w, &at, z + i * q.width);
    }
}

VAE__PRIVATE vae_status vae__do_prior(vae *m, const vae_batch *b, uint64_t seed, float *z) {
    vae_status bad;
    if (!m) return VAE_ERR_NULL;
    bad = vae__check_latents(m);
    if (!bad) bad = vae__check_given(m, b, NULL, z ? NULL : "z");
    if (bad) return bad;
    vae__begin_draws(m, b);
    vae__draw_codes(m, b, seed, 0, b->rows, z);
    return vae__check_rows(m, "z", z, 0, b->rows, m->code.width);
}

VAE_API vae_status vae_prior(vae *m, const vae_batch *batch, uint64_t seed, float *z) {
    VAE__COMPUTES(m, vae__do_prior(m, batch, seed, z));
}

/* New images; the first `given` numbers of each stand in x. seed NULL: the most probable ones. */
VAE__PRIVATE vae_status vae__new_images(vae *m, const vae_batch *b, size_t given,
                                        const uint64_t *seed, float *x) {
    const uint64_t of = seed ? *seed : 0;
    const vae__address draw = vae__address_for(of, VAE_PURPOSE_DRAW_X, 0, 0, 0);
    const int draws = m->at_image && seed;
    size_t at, run;
    vae_status bad = VAE_OK;
    vae__begin_draws(m, b);
    for (at = 0; !bad && at < b->rows; at += run) {
        run = vae__min(b->rows - at, m->rows);
        vae__draw_codes(m, b, of, at, run, m->z);
        bad = vae__decode(m, b, m->dec.first, m->z, at, run, seed, x + at * m->input.dim, !draws,
                          draws ? &draw : NULL, given);
    }
    return bad;
}
VAE__PRIVATE vae_status vae__do_sample_prior(vae *m, const vae_batch *b, uint64_t seed, float *x) {
    vae_status bad;
    if (!m) return VAE_ERR_NULL;
    bad = vae__check_given(m, b, NULL, x ? NULL : "x");
    if (!bad) bad = vae__check_labels(m, b);
    return bad ? bad : vae__new_images(m, b, 0, &seed, x);
}

VAE_API vae_status vae_sample_prior(vae *m, const vae_batch *batch, uint64_t seed, float *x) {
    VAE__COMPUTES(m, vae__do_sample_prior(m, batch, seed, x));
}

VAE__PRIVATE vae_status vae__do_complete(vae *m, const vae_batch *b, size_t given,
                                         const uint64_t *seed, float *x) {
    vae_status bad;
    size_t i;
    if (!m) return VAE_ERR_NULL;
    if (!m->at_image || m->code.head)
        return vae__fail(&m->report, VAE_ERR_STATE, !m->at_image ?
                         "the decoder has no layer `image`: it does not draw pixels one by one" :
                         "the density of a code given a part of an image is not known: completing "
                         "needs a model without a code, posterior none");
    bad = vae__check_images(m, b, 0, x ? NULL : "x");
    if (!bad && given > m->input.dim)
        bad = vae__fail(&m->report, VAE_ERR_VALUE, "given is %z; an image has %z numbers", given,
                        m->input.dim);
    if (!bad && m->likelihood.row->whole && given % m->input.c)
        bad = vae__fail(&m->report, VAE_ERR_VALUE, "given is %z: likelihood %s draws whole pixels, "
                        "of %z numbers", given, m->likelihood.row->kind.name, m->input.c);
    for (i = 0; !bad && i < b->rows; i++) {
        const float *image = b->x + i * m->input.dim;
        float *to = x + i * m->input.dim;
        if (m->desc.binarize) vae__binarize(m, image, 0xffffffffu, vae__number(b, i), to);
        else memmove(to, image, m->input.dim * sizeof(float));
    }
    return bad ? bad : vae__new_images(m, b, given, seed, x);
}

VAE_API vae_status vae_complete(vae *m, const vae_batch *batch, size_t given,
                                const uint64_t *seed, float *x) {
    VAE__COMPUTES(m, vae__do_complete(m, batch, given, seed, x));
}

/* ---- score: all ops, one draw ---- */

VAE__PRIVATE vae_status vae__do_score(vae *m, const vae_batch *b, float *elbo, float *recon,
                                      float *kl) {
    vae_status bad;
    size_t at, run, i;
    if (!m) return VAE_ERR_NULL;
    bad = vae__check_images(m, b, 0, NULL);
    if (!bad && !m->desc.no_noise) bad = vae__check_eps(m, b, 1);
    for (at = 0; !bad && at < b->rows; at += run) {
        run = vae__min(b->rows - at, m->rows);
        bad = vae__losses(m, b, b->x + at * m->input.dim, at, run);
        for (i = 0; !bad && i < run; i++) {
            const double r = m->terms.recon[i], k = vae__whole_kl(&m->terms, i);
            if (recon) recon[at + i] = (float)r;
            if (kl) kl[at + i] = (float)k;
            if (elbo) elbo[at + i] = (float)-vae__add_d(r, k);
        }
    }
    return bad;
}
VAE_API vae_status vae_score(vae *m, const vae_batch *batch, float *elbo, float *recon,
                             float *kl) {
    VAE__COMPUTES(m, vae__do_score(m, batch, elbo, recon, kl));
}

/* ---- bound: the ops from the code on, for many draws of each image ---- */

/* log of the mean of exp(w) over the draws, in their order, whatever the portions: the largest so
 * far and a sum beside it. */
typedef struct vae__mean_exp {
    double top, sum;
} vae__mean_exp;

VAE__PRIVATE void vae__mean_exp_add(const vae *m, vae__mean_exp *a, int first, double w) {
    float t;
    if (first) {
        a->top = w, a->sum = 1;
    } else if (w > a->top) {
        t = (float)vae__add_d(a->top, -w);
        m->k->map(VAE__FN_EXP, 1, &t, &t);
        a->sum = vae__add_d(vae__mul_d(a->sum, (double)t), 1);
        a->top = w;
    } else if (!(w < a->top - 30)) { /* below 2^-43 of another's it is nothing */
        t = (float)vae__add_d(w, -a->top);
        m->k->map(VAE__FN_EXP, 1, &t, &t);
        a->sum = vae__add_d(a->sum, (double)t);
    }
}
VAE__PRIVATE float vae__mean_exp_log(const vae *m, const vae__mean_exp *a, size_t draws) {
    float mean = (float)vae__div_d(a->sum, (double)draws);
    m->k->map(VAE__FN_LOG, 1, &mean, &mean);
    return (float)vae__add_d(a->top, (double)mean);
}

/* Images of the portion, whose heads are there, to bounds: each image's draws pass through the rows
 * that this part has of the buffers, `base` the first. */
VAE__PRIVATE void vae__bound_part(void *arg, int part) {
    vae__use *u = (vae__use *)arg;
    vae__pass *p = &u->pass;
    vae *m = p->m;
    const size_t width = m->ops[m->at_draw].in.dim;
    vae__terms terms = p->terms;
    size_t i, j, at, n, from, to, base, room;
    vae__share(p->rows, 1, p->parts, part, &from, &to);
    vae__share(m->rows, 1, p->parts, part, &base, &room);
    room = vae__min(room - base, VAE__ROWS_AT_ONCE);
    for (i = from; i < to; i++) {
        vae__walk c = vae__pass_walk(p, part, i, 1);
        vae__mean_exp sum = {0, 0};
        float bound;
        c.place = base, c.terms = &terms;
        for (at = 0; at < terms.draws; at += n) {
            n = vae__min(terms.draws - at, room);
            c.copies = n, terms.draw = at;
            vae__ops_fwd(&c, m->ops, m->at_draw, m->count, m->heads + i * width);
            for (j = base; j < base + n; j++)
                vae__mean_exp_add(m, &sum, at + j == base,
                                  -vae__add_d(terms.recon[j],
                                              vae__all_layers(&terms, terms.logw[j], j)));
        }
        bound = vae__mean_exp_log(m, &sum, terms.draws);
        if (!vae__all_finite(p, part, i, 1, &bound)) return;
        u->out[p->base + i] = bound;
    }
}

VAE__PRIVATE vae_status vae__do_bound(vae *m, const vae_batch *b, int k, float *bound) {
    vae__use u;
    vae_status bad;
    size_t at, run;
    if (!m) return VAE_ERR_NULL;
    bad = vae__check_given(m, b, "pixels", bound ? NULL : "bound");
    if (bad) return bad;
    if (k < 1 || k > 65536)
        return vae__fail(&m->report, VAE_ERR_VALUE, "k is %d; it must lie from 1 to 65536", k);
    if (m->desc.no_noise)
        return vae__fail(&m->report, VAE_ERR_STATE, "without noise there is no bound");
    if (!m->code.head) return vae__do_score(m, b, bound, NULL, NULL); /* log p(x) itself */
    if (VAE__CLOSED(&m->code) && !m->code.posterior->closed->ratio)
        return vae__fail(&m->report, VAE_ERR_STATE, "posterior %s has no density to weigh draws "
                         "by", m->code.posterior->kind.name);
    bad = vae__check_images(m, b, 0, NULL);
    if (!bad) bad = vae__check_eps(m, b, (size_t)k);
    for (at = 0; !bad && at < b->rows; at += run) {
        const float *x = b->x + at * m->input.dim;
        run = vae__min(b->rows - at, m->rows);
        bad = vae__encode_heads(m, b, m->at_draw, 1, 0, x, at, run);
        if (bad) break;
        vae__call_begin(&u, m, b, 1);
        u.out = bound;
        u.pass.part = vae__bound_part, u.pass.grain = 1, u.pass.width = 1, u.pass.images = x;
        u.pass.terms.kl = NULL, u.pass.terms.logw = m->terms.logw;
        u.pass.terms.value = 1, u.pass.terms.draws = (size_t)k;
        bad = vae__forward(&u.pass, m->at_draw, m->count, m->heads, at, run);
    }
    return bad;
}
VAE_API vae_status vae_bound(vae *m, const vae_batch *batch, int k, float *bound) {
    VAE__COMPUTES(m, vae__do_bound(m, batch, k, bound));
}

/* ---- what latents do ---- */

/* A portion of the data, from image `at` on, and its heads as evaluation sees them. */
VAE__PRIVATE vae_status vae__portion_heads(vae *m, const vae_data *data, size_t at, vae_batch *b) {
    const vae_status bad = vae__read_portion(m, data, at, b);
    return bad ? bad : vae__encode_heads(m, b, m->at_code, 1, 1, m->x, 0, b->rows);
}

VAE__PRIVATE vae_status vae__do_units_clamped(vae *m, const vae_data *data, uint64_t *count) {
    const size_t latent = m ? m->code.latent : 0;
    const vae__means *means;
    float low;
    vae_status bad;
    vae_batch b;
    size_t at, i, j, width;
    double *unit = m ? m->terms.unit : NULL;
    if (!m) return VAE_ERR_NULL;
    if (!data || !count)
        return vae__fail(&m->report, VAE_ERR_NULL, "data and count must be given");
    bad = vae__check_data(m, data, "test");
    if (bad) return bad;
    means = m->code.posterior->means, width = m->code.head;
    low = means ? means->lowest(&m->code) : 0;
    for (j = 0; j < latent; j++) unit[j] = 0;
    for (at = 0; means && at < data->count && !bad; at += b.rows) {
        bad = vae__portion_heads(m, data, at, &b);
        for (i = 0; i < b.rows * latent && !bad; i++) {
            const float logvar = m->heads[i / latent * width + latent + i % latent];
            if (logvar <= low || logvar >= VAE_LOGVAR_MAX) unit[i % latent] += 1;
        }
    }
    for (j = 0; j < latent && !bad; j++) count[j] = (uint64_t)unit[j];
    return bad;
}

VAE_API vae_status vae_units_clamped(vae *m, const vae_data *data, uint64_t *count) {
    VAE__COMPUTES(m, vae__do_units_clamped(m, data, count));
}

/* What vae_units adds up in its turns, of each latent of each layer: the mean, to know its mean;
 * the mean, for its variance; the KL of the code; log q - log p of the layers `z N`. */
enum { VAE__UNIT_MEAN, VAE__UNIT_VARIANCE, VAE__UNIT_KL, VAE__UNIT_TERMS };

/* Such numbers of the rows at work, the code's latents first, into m->heads. */
VAE__PRIVATE void vae__take_units(vae__pass *p, int part, const vae__walk *c) {
    const vae *m = p->m;
    const vae__code q = vae__code_of(c);
    const int turn = ((const vae__use *)(const void *)p)->heads;
    const float *head = vae__came_out(p, c);
    float *to = m->heads + c->image * m->units;
    size_t i;
    int j;
    if (turn < VAE__UNIT_TERMS && !vae__all_finite(p, part, c->image, c->images, head)) return;
    for (i = 0; i < c->images; i++, head += p->to > m->at_code ? q.width : q.head) {
        if (turn < VAE__UNIT_KL) memcpy(to, head, q.latent * sizeof(float));
        if (turn == VAE__UNIT_KL) q.posterior->closed->kl_terms(&q, head, to);
        to += q.latent;
        for (j = 1; j < VAE__LAYERS(m); to += m->layer[j++].n) {
            const vae__op *op = &m->ops[m->layer[j].at];
            const float *from = op->y + c->place * op->pitch;
            if (turn > VAE__UNIT_VARIANCE) op += op->pair, from = op->kept + c->place * op->out.dim;
            memcpy(to, from + i * op->out.dim, op->out.dim * sizeof(float));
        }
    }
}
/* Of a portion of the data, from image `at` on. */
VAE__PRIVATE vae_status vae__portion_units(vae *m, const vae_data *data, size_t at, int turn,
                                           vae_batch *b) {
    const int flow = m->code.flow && turn < VAE__UNIT_KL; /* then z itself, not mu */
    const size_t to = flow ? m->dec.first : turn < VAE__UNIT_TERMS ? m->at_code :
                      m->layer[1].at + m->ops[m->layer[1].at].pair + 1;
    vae__use u;
    const vae_status bad = vae__read_portion(m, data, at, b);
    if (bad) return bad;
    vae__encode_begin(&u, m, b, 1, m->at_code);
    u.pass.take = vae__take_units, u.heads = turn;
    u.pass.terms.mean = turn < VAE__UNIT_KL;
    if (flow) u.pass.what = "the code", u.pass.width = m->code.width;
    return vae__forward(&u.pass, 0, to, m->x, 0, b->rows);
}

VAE__PRIVATE vae_status vae__do_units(vae *m, const vae_data *data, double *kl, double *variance) {
    const size_t latent = m ? m->code.latent : 0, units = m ? m->units : 0;
    double *unit = m ? m->terms.unit : NULL; /* means, variances, KLs */
    vae_status bad;
    vae_batch b;
    size_t at, i, j;
    int turn;
    if (!m) return VAE_ERR_NULL;
    if (!data) return vae__fail(&m->report, VAE_ERR_NULL, "the data is NULL");
    bad = vae__check_latents(m);
    if (!bad) bad = vae__check_data(m, data, "test");
    if (bad) return bad;
    if (kl && !(VAE__CLOSED(&m->code) && m->code.posterior->closed->kl_terms))
        return vae__fail(&m->report, VAE_ERR_STATE, "posterior %s and prior %s have no KL of each "
                         "latent", m->code.posterior->kind.name, m->code.prior->kind.name);
    if (variance && !m->code.posterior->means)
        return vae__fail(&m->report, VAE_ERR_STATE, "posterior %s has no mu, of which this is the "
                         "variance", m->code.posterior->kind.name);
    for (j = 0; j < 3 * units; j++) unit[j] = 0;
    for (turn = variance ? 0 : VAE__UNIT_KL; turn <= VAE__UNIT_TERMS && !bad; turn++) {
        /* of which latents, and where their sums stand */
        const size_t from = turn == VAE__UNIT_TERMS ? latent : 0;
        const size_t to = turn == VAE__UNIT_KL ? latent : units;
        double *sum = unit + units * (size_t)(turn < VAE__UNIT_KL ? turn : VAE__UNIT_KL);
        if (from == to || (turn > VAE__UNIT_VARIANCE && !kl)) continue;
        for (at = 0; at < data->count && !bad; at += b.rows) {
            bad = vae__portion_units(m, data, at, turn, &b);
            for (i = 0; i < b.rows && !bad; i++)
                for (j = from; j < to; j++) {
                    double v = (double)m->heads[i * units + j];
                    if (turn == VAE__UNIT_VARIANCE)
                        v = vae__add_d(v, -unit[j]), v = vae__mul_d(v, v);
                    sum[j] = vae__add_d(sum[j], v);
                }
        }
        for (j = from; j < to && !bad; j++) {
            sum[j] = vae__div_d(sum[j], (double)data->count);
            if (!vae__finite_d(sum[j]))
                bad = vae__fail(&m->report, VAE_ERR_NONFINITE, "the KL of latent %z is not finite: "
                                "the numbers given or the weights are too large", j);
        }
    }
    for (j = 0; j < units && !bad; j++) {
        if (variance) variance[j] = unit[units + j];
        if (kl) kl[j] = unit[2 * units + j];
    }
    return bad;
}

VAE_API vae_status vae_units(vae *m, const vae_data *data, double *kl, double *variance) {
    VAE__COMPUTES(m, vae__do_units(m, data, kl, variance));
}
#endif /* VAE_ONLY_DECODE */

/* ======================================================================================
 * >>files    whole reads, locks, and writes that replace a file whole or not at all
 * uses: >>status                     tests: tests/test_io.c, tests/powercut.c, tests/faults.c
 * ==================================================================================== */

#ifndef VAE_NO_STDIO

/* POSIX systems are used through file descriptors, which need no feature macro under -std=c99;
 * Windows through its own calls; others through stdio. */
#include <errno.h>
#include <stdio.h>
#if defined(__unix__) || defined(__APPLE__) || defined(__HAIKU__)
#define VAE__POSIX 1
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>
#if defined(__STRICT_ANSI__) && defined(__GLIBC__) /* -std=c99 hides these declarations */
#ifdef __cplusplus
extern "C" int fsync(int);
#else
int fsync(int);
int fchmod(int, mode_t);
int fchown(int, uid_t, gid_t);
#endif
#endif
#if defined(O_NOFOLLOW)
#define VAE__NOFOLLOW O_NOFOLLOW
#elif defined(__O_NOFOLLOW) /* glibc under -std=c99 */
#define VAE__NOFOLLOW __O_NOFOLLOW
#else
#define VAE__NOFOLLOW 0
#endif
#if defined(O_CLOEXEC)
#define VAE__CLOEXEC O_CLOEXEC
#elif defined(__O_CLOEXEC)
#define VAE__CLOEXEC __O_CLOEXEC
#else
#define VAE__CLOEXEC 0
#endif
typedef int vae__file;
#define VAE__CLOSE close
#define VAE__RENAME rename
#define VAE__REMOVE remove
/* Repeats a call that a signal interrupted. */
#define VAE__RETRY(result, call) \
    do (result) = (call); \
    while ((result) < 0 && errno == EINTR)
#elif defined(_WIN32)
typedef HANDLE vae__file;
#define VAE__CLOSE(file) (CloseHandle(file) ? 0 : vae__refused())
#define VAE__SYNC(file) (FlushFileBuffers(file) ? 0 : vae__refused())
#define VAE__RENAME vae__rename
#define VAE__REMOVE vae__remove
#else
typedef FILE *vae__file;
#define VAE__CLOSE fclose
#define VAE__SYNC(file) 0
#define VAE__RENAME rename
#define VAE__REMOVE remove
#endif

enum {
    VAE__MAX_PATH = 4096,
    VAE__LONGEST = VAE__MAX_PATH - 40 /* of a path that is saved: leaves room for ".vae-P" */
};
#define VAE__ERRNO (errno ? errno : EIO) /* after a call that failed: not every libc sets it */

/* strerror is not safe with threads and follows the locale. */
VAE__PRIVATE const char *vae__errno_text(int code) {
    switch (code) {
    case ENOENT: return "no such file or folder";
    case EACCES: return "permission denied";
    case ENOSPC: return "no space left on the disk";
    case ENOMEM: return "out of memory";
    case EISDIR: return "it is a folder";
    case ENOTDIR: return "a part of the path is not a folder";
    case EROFS: return "the file system is read-only";
    case EPERM: return "not permitted";
    case EIO: return "input/output error";
    case EFBIG: return "the file would be too large";
    case EMFILE: return "too many open files";
    case ENAMETOOLONG: return "the name is too long";
    case EEXIST: return "something is there already";
    case ENODEV: return "it is a device or a pipe";
#ifdef EDQUOT
    case EDQUOT: return "the disk quota is used up";
#endif
#ifdef ELOOP
    case ELOOP: return "it is a symbolic link";
#endif
#ifdef _WIN32
    case EBUSY: return "another program has it open";
    case EILSEQ: return "its name is not UTF-8";
#endif
    default: return "the system refused";
    }
}

#ifdef VAE__POSIX
/* Never returns descriptor 0, 1 or 2, even if the program was started without them: otherwise what
 * it prints would be written into a model. */
VAE__PRIVATE int vae__open(const char *path, int flags, int mode) {
    int file, code;
    VAE__RETRY(file, open(path, flags | VAE__CLOEXEC, mode));
    if (file > 2 || file < 0) return file;
    mode = file;
#ifdef F_DUPFD_CLOEXEC
    file = fcntl(mode, F_DUPFD_CLOEXEC, 3);
#else
    file = fcntl(mode, F_DUPFD, 3);
#endif
    code = errno;
    close(mode);
    if (file < 0 && flags & O_EXCL) (void)unlink(path); /* this call created it */
    errno = code;
    return file;
}

VAE__PRIVATE int vae__sync(int file) {
    int bad;
    VAE__RETRY(bad, fsync(file));
    return bad;
}
#define VAE__SYNC vae__sync

#elif defined(_WIN32)
/* errno for what Windows said last. Returns -1. */
VAE__PRIVATE int vae__refused(void) {
    switch (GetLastError()) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
    case ERROR_INVALID_NAME: errno = ENOENT; break;
    case ERROR_ACCESS_DENIED: errno = EACCES; break;
    case ERROR_SHARING_VIOLATION:
    case ERROR_LOCK_VIOLATION: errno = EBUSY; break;
    case ERROR_FILE_EXISTS:
    case ERROR_ALREADY_EXISTS: errno = EEXIST; break;
    case ERROR_DISK_FULL:
    case ERROR_HANDLE_DISK_FULL: errno = ENOSPC; break;
    case ERROR_DIRECTORY: errno = ENOTDIR; break;
    case ERROR_WRITE_PROTECT: errno = EROFS; break;
    case ERROR_NOT_ENOUGH_MEMORY: errno = ENOMEM; break;
    case ERROR_TOO_MANY_OPEN_FILES: errno = EMFILE; break;
    case ERROR_INSUFFICIENT_BUFFER:
    case ERROR_FILENAME_EXCED_RANGE: errno = ENAMETOOLONG; break;
    case ERROR_NO_UNICODE_TRANSLATION: errno = EILSEQ; break;
    default: errno = EIO;
    }
    return -1;
}

/* A path in UTF-8 as Windows takes it: UTF-16 and absolute, and if it is long behind "\\?\", which
 * lifts the limit of 260 characters. It lies in `room`. NULL, and errno, if it is no path. */
VAE__PRIVATE const wchar_t *vae__wide(const char *path, wchar_t room[VAE__MAX_PATH]) {
    wchar_t plain[VAE__MAX_PATH], *full = room + 6;
    DWORD n = 0;
    if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, plain, VAE__MAX_PATH))
        n = GetFullPathNameW(plain, VAE__MAX_PATH - 6, full, NULL);
    if (n >= VAE__MAX_PATH - 6) SetLastError(ERROR_FILENAME_EXCED_RANGE);
    if (!n || n >= VAE__MAX_PATH - 6) return vae__refused(), (const wchar_t *)NULL;
    if (full[0] == '\\' && full[1] == '\\') { /* of a server; or "\\.\" and "\\?\", which stay */
        if (n < 240 || full[2] == '.' || full[2] == '?') return full;
        memcpy(room, L"\\\\?\\UNC", 7 * sizeof *room);
        return room;
    }
    if (n < 240) return full; /* below 248, the limit of folders */
    memcpy(room + 2, L"\\\\?\\", 4 * sizeof *room);
    return room + 2;
}

#define VAE__SHARED (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

/* Never follows a link to what it writes, and writes to no device. NULL, and errno, on failure. */
VAE__PRIVATE HANDLE vae__open(const char *path, DWORD access, DWORD share, DWORD how) {
    const DWORD writes = access & GENERIC_WRITE;
    wchar_t room[VAE__MAX_PATH];
    const wchar_t *name = vae__wide(path, room);
    HANDLE file;
    DWORD found;
    if (!name) return NULL;
    file = CreateFileW(name, access, share, NULL, how,
                       writes ? FILE_FLAG_OPEN_REPARSE_POINT : FILE_ATTRIBUTE_NORMAL, NULL);
    if (file == INVALID_HANDLE_VALUE) {
        (void)vae__refused();
        found = GetFileAttributesW(name);
        if (found != INVALID_FILE_ATTRIBUTES && found & FILE_ATTRIBUTE_DIRECTORY) errno = EISDIR;
        return NULL;
    }
    if (!writes || GetFileType(file) == FILE_TYPE_DISK) return file;
    (void)CloseHandle(file);
    errno = ENODEV;
    return NULL;
}

VAE__PRIVATE void vae__remove(const char *path) {
    wchar_t room[VAE__MAX_PATH];
    const wchar_t *name = vae__wide(path, room);
    if (name) (void)DeleteFileW(name);
}

/* errno for a rename to `name` that is denied: Windows says the same of rights and of a file that
 * is open. Who may delete it has the rights. No attributes: it is being deleted. */
VAE__PRIVATE int vae__denied(const wchar_t *name) {
    const DWORD found = GetFileAttributesW(name);
    HANDLE file;
    if (found == INVALID_FILE_ATTRIBUTES)
        return GetLastError() == ERROR_ACCESS_DENIED ? EBUSY : EACCES;
    if (found & FILE_ATTRIBUTE_DIRECTORY) return EISDIR;
    if (found & FILE_ATTRIBUTE_READONLY) return EACCES;
    file = CreateFileW(name, DELETE, VAE__SHARED, NULL, OPEN_EXISTING, FILE_FLAG_OPEN_REPARSE_POINT,
                       NULL);
    if (file == INVALID_HANDLE_VALUE) return GetLastError() == ERROR_ACCESS_DENIED ? EACCES : EBUSY;
    (void)CloseHandle(file);
    return EBUSY;
}

/* Renames over an existing file. Windows refuses while somebody has that open, which a scanner for
 * viruses or a reader does for a moment: this waits a second. */
VAE__PRIVATE int vae__rename(const char *from, const char *to) {
    wchar_t rooms[2][VAE__MAX_PATH];
    const wchar_t *old = vae__wide(from, rooms[0]), *name = vae__wide(to, rooms[1]);
    int tries;
    for (tries = 0; old && name && tries < 20; tries++) {
        if (MoveFileExW(old, name, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH)) return 0;
        (void)vae__refused();
        if (errno == EACCES) errno = vae__denied(name);
        if (errno != EBUSY) break;
        Sleep(50);
    }
    return -1;
}
#endif

/* Reads or writes `count` bytes. `moved` is less only at the end of the file or after a failure.
 * Returns 0 or the errno of the failure. */
VAE__PRIVATE int vae__move(vae__file file, void *bytes, size_t count, int write_it, size_t *moved) {
    errno = 0;
    for (*moved = 0; *moved < count;) {
        const size_t ask = vae__min(count - *moved, (size_t)1 << 24);
        char *at = (char *)bytes + *moved;
#ifdef VAE__POSIX
        const ssize_t n = write_it ? write(file, at, ask) : read(file, at, ask);
        const int bad = n < 0;
        if (bad && errno == EINTR) continue;
#elif defined(_WIN32)
        DWORD n = 0;
        const int bad = !(write_it ? WriteFile(file, at, (DWORD)ask, &n, NULL)
                                   : ReadFile(file, at, (DWORD)ask, &n, NULL)) &&
                        GetLastError() != ERROR_BROKEN_PIPE && vae__refused();
#else
        const size_t n = write_it ? fwrite(at, 1, ask, file) : fread(at, 1, ask, file);
        const int bad = n < ask && ferror(file);
#endif
        if (bad) return VAE__ERRNO;
        if (!n) break;
        *moved += (size_t)n;
    }
    return *moved < count && write_it ? ENOSPC : 0;
}

#endif /* VAE_NO_STDIO */

/* A source of bytes, read front to back: a block of memory, a file, or what gzip unpacks. */
typedef struct vae__reader {
    /* reads `want` bytes; `got` is less only at the end */
    vae_status (*pull)(struct vae__reader *r, void *to, size_t want, size_t *got);
    vae__source from;
    const char *of;             /* follows offsets in sentences: "" or " of the unpacked data" */
    size_t size, at;            /* size: SIZE_MAX when unknown (a pipe); at: bytes read so far */
    const unsigned char *bytes; /* the block of memory */
#ifndef VAE_NO_STDIO
    vae__file file;
#endif
} vae__reader;

#if !defined(VAE_NO_DATA) || !defined(VAE_NO_STDIO)
VAE__PRIVATE vae_status vae__read_block(vae__reader *r, void *to, size_t want, size_t *got) {
    *got = vae__min(want, r->size - r->at);
    memcpy(to, r->bytes + r->at, *got);
    r->at += *got;
    return VAE_OK;
}

VAE__PRIVATE vae__reader vae__reader_of(const void *bytes, size_t size, const char *name,
                                        vae_report *report) {
    vae__reader r;
    memset(&r, 0, sizeof r);
    r.pull = vae__read_block, r.from = vae__source_of(name, report), r.of = "";
    r.bytes = (const unsigned char *)bytes, r.size = size;
    return r;
}
#endif

#ifndef VAE_NO_STDIO

VAE__PRIVATE vae_status vae__read_file(vae__reader *r, void *to, size_t want, size_t *got) {
    const int code = vae__move(r->file, to, want, 0, got);
    r->at += *got;
    if (!code) return VAE_OK;
    return vae__fail_in(&r->from, VAE_ERR_READ, "cannot be read at byte %z: %s", r->at,
                        vae__errno_text(code));
}

/* With `plain` only a plain file is opened: opening does not wait for the other end of a FIFO, and
 * no device is read. */
VAE__PRIVATE vae_status vae__open_read(vae__reader *r, const char *path, int plain,
                                       vae_report *report) {
    int code = 0;
    if (!path) return vae__fail(report, VAE_ERR_NULL, "the path is NULL");
    *r = vae__reader_of(NULL, SIZE_MAX, path, report);
    r->pull = vae__read_file;
    errno = 0;
#ifdef VAE__POSIX
    r->file = vae__open(path, plain ? O_RDONLY | O_NONBLOCK : O_RDONLY, 0);
    if (r->file < 0) {
        code = VAE__ERRNO;
    } else {
        struct stat st;
        const int known = fstat(r->file, &st) == 0;
        if (known && S_ISDIR(st.st_mode)) close(r->file), code = EISDIR;
        if (known && S_ISREG(st.st_mode) && (uint64_t)st.st_size < SIZE_MAX)
            r->size = (size_t)st.st_size;
    }
#elif defined(_WIN32)
    r->file = vae__open(path, GENERIC_READ, VAE__SHARED, OPEN_EXISTING);
    if (!r->file) {
        code = VAE__ERRNO;
    } else {
        LARGE_INTEGER size;
        if (GetFileType(r->file) == FILE_TYPE_DISK && GetFileSizeEx(r->file, &size) &&
            (uint64_t)size.QuadPart < SIZE_MAX)
            r->size = (size_t)size.QuadPart;
    }
#else
    r->file = fopen(path, "rb");
    if (!r->file) {
        code = VAE__ERRNO;
    } else if (fseek(r->file, 0, SEEK_END) == 0) {
        const long end = ftell(r->file);
        if (end >= 0) r->size = (size_t)end;
        rewind(r->file);
    }
#endif
    if (code)
        return vae__fail_in(&r->from, VAE_ERR_OPEN, "cannot be opened: %s", vae__errno_text(code));
    if (!plain || r->size != SIZE_MAX) return VAE_OK;
    VAE__CLOSE(r->file);
    return vae__fail_in(&r->from, VAE_ERR_READ, "expected a plain file, found a pipe, a device or "
                        "something else without an end");
}

/* ---- writing: one writer at a time, and the file is replaced whole or not at all ----
 *
 * A writer of `path` holds the lock file "<path>.vae-lock", which contains its process number P.
 * It writes a temporary file "<path>.vae-P", flushes it to the disk and renames it to `path`. The
 * first is created exclusively or proved to be a lock file, the second is created exclusively, so
 * that a link, a pipe or another file of that name is never written to. The system's lock on the
 * lock file ends with the process; the next writer removes the files that a killed process left. */

#define VAE__TEMP "%s.vae-%u" /* path, process */
#define VAE__LOCK_FILE "%s.vae-lock"

/* A name beside `path`, by a format that begins with %s. */
VAE__PRIVATE void vae__beside(char out[VAE__MAX_PATH], const char *format, ...) {
    vae__sink s = vae__sink_text(out, VAE__MAX_PATH);
    va_list args;
    va_start(args, format);
    vae__putv(&s, format, args);
    va_end(args);
    if (s.failed) *out = 0; /* vae_claim_take allows no path so long */
}

VAE__PRIVATE vae_status vae__cannot_write(const vae__source *s, vae_status status, int code) {
    return vae__fail_in(s, status, "cannot be written: %s", vae__errno_text(code));
}

#if defined(VAE__POSIX) || defined(_WIN32)
/* Whether a lock file is one of ours, and the process that it names; 0: none. */
VAE__PRIVATE int vae__lock_of(vae__file file, uint64_t *process) {
    char text[32] = "";
    size_t got = 0;
    *process = 0;
    if (vae__move(file, text, sizeof text, 0, &got) || got == sizeof text) return 0;
    if (got && memcmp(text, "vae ", 4)) return 0;
    if (got > 4) (void)vae__read_number(text + 4, got - 4, 10, process);
    return 1;
}

VAE__PRIVATE void vae__lock_sign(vae__file file, uint64_t process) {
    char text[32];
    vae__sink line = vae__sink_of(text, sizeof text);
    size_t moved;
    vae__putf(&line, "vae %u\n", process);
    (void)vae__move(file, text, line.count, 1, &moved); /* on a full disk it stays empty */
}

VAE__PRIVATE vae_status vae__lock_foreign(const vae__source *s, const char *lock) {
    return vae__fail_in(s, VAE_ERR_OPEN, "cannot be written: %s is in the way, and is not a lock "
                        "file of yours", vae__tail(lock));
}

VAE__PRIVATE vae_status vae__lock_held(const vae__source *s, uint64_t holder) {
    return vae__fail_in(s, VAE_ERR_OPEN, holder ? "process %u is writing it"
                                                : "another process is writing it", holder);
}
#endif

#ifdef VAE__POSIX
enum { VAE__LOCKED = -1, VAE__FOREIGN = -2, VAE__NO_LOCKS = -3, VAE__AGAIN = -4 };

/* Locks a file without waiting. NFS locks only files that are open for writing, and there the file
 * is opened again. */
VAE__PRIVATE int vae__try_lock(int *file, const char *name) {
    int bad, again;
    VAE__RETRY(bad, flock(*file, LOCK_EX | LOCK_NB));
    if (!bad || errno != EBADF) return bad;
    again = vae__open(name, O_RDWR | O_NONBLOCK | VAE__NOFOLLOW, 0);
    if (again < 0) return -1;
    close(*file);
    *file = again;
    VAE__RETRY(bad, flock(again, LOCK_EX | LOCK_NB));
    return bad;
}

/* Whether an open file still has this name: 1 or 0, or -1 when stat fails. */
VAE__PRIVATE int vae__is_named(int file, const char *name) {
    struct stat ours, named;
    if (stat(name, &named)) return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
    if (fstat(file, &ours)) return -1;
    return ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
}

/* What an existing lock file means: VAE__LOCKED, and *holder is the process that writes; VAE__AGAIN
 * after the lock and the temporary of a killed process were removed; VAE__FOREIGN for any other
 * file, which is only read. */
VAE__PRIVATE int vae__lock_met(const char *path, const char *lock, uint64_t *holder) {
    struct stat ours;
    char temp[VAE__MAX_PATH];
    int file = vae__open(lock, O_RDONLY | O_NONBLOCK | VAE__NOFOLLOW, 0);
    int answer = VAE__FOREIGN;
    uint64_t process = 0;
    if (file < 0) return errno == ENOENT ? VAE__AGAIN : VAE__FOREIGN;
    if (fstat(file, &ours) == 0 && S_ISREG(ours.st_mode) && ours.st_nlink < 2 &&
        ours.st_uid == geteuid() && vae__lock_of(file, &process)) {
        answer = VAE__LOCKED;
        if (vae__try_lock(&file, lock) == 0) {
            answer = VAE__AGAIN;
            if (vae__is_named(file, lock) == 1) { /* otherwise another writer has removed it */
                vae__beside(temp, VAE__TEMP, path, process);
                if (process) (void)unlink(temp);
                (void)unlink(lock);
            }
        } else if (errno != EWOULDBLOCK) {
            answer = VAE__NO_LOCKS;
        }
    }
    close(file);
    *holder = process;
    return answer;
}

/* Creates the lock file and locks it. On a file system without locks the process that created the
 * file has the lock. */
VAE__PRIVATE vae_status vae__lock_take(const vae__source *s, const char *path, const char *lock,
                                       intptr_t *out) {
    uint64_t holder = 0;
    int tries, answer = VAE__AGAIN;
    errno = 0;
    for (tries = 0; tries < 100 && answer == VAE__AGAIN; tries++) {
        int file = vae__open(lock, O_RDWR | O_CREAT | O_EXCL | VAE__NOFOLLOW, 0644), named = 0;
        if (file < 0 && errno != EEXIST) return vae__cannot_write(s, VAE_ERR_OPEN, VAE__ERRNO);
        if (file < 0) {
            answer = vae__lock_met(path, lock, &holder);
            continue;
        }
        if (!vae__try_lock(&file, lock) || errno != EWOULDBLOCK) named = vae__is_named(file, lock);
        if (named == 1) {
            vae__lock_sign(file, (uint64_t)getpid());
            *out = file;
            return VAE_OK;
        }
        /* named 0: another writer took the lock file for one of a killed process and removed it */
        if (named < 0) answer = VAE__ERRNO, (void)unlink(lock);
        close(file);
    }
    if (answer > 0) return vae__cannot_write(s, VAE_ERR_OPEN, answer);
    if (answer == VAE__FOREIGN) return vae__lock_foreign(s, lock);
    if (answer == VAE__NO_LOCKS)
        return vae__fail_in(s, VAE_ERR_OPEN, "process %u is writing it, or was killed: then remove "
                            "%s", holder, vae__tail(lock));
    return vae__lock_held(s, holder);
}

#elif defined(_WIN32)
/* Opens the lock file so that no other process can write or remove it. What a killed process left
 * can be opened, and its temporary is removed. */
VAE__PRIVATE vae_status vae__lock_take(const vae__source *s, const char *path, const char *lock,
                                       intptr_t *out) {
    BY_HANDLE_FILE_INFORMATION about;
    char temp[VAE__MAX_PATH];
    uint64_t holder = 0;
    int tries;
    HANDLE file = NULL;
    for (tries = 0; tries < 20 && !file; tries++) {
        file = vae__open(lock, GENERIC_READ | GENERIC_WRITE | DELETE, FILE_SHARE_READ, OPEN_ALWAYS);
        if (file || errno != EACCES) break;
        Sleep(50); /* removed, but a scanner for viruses still has it open */
    }
    if (!file && errno == EISDIR) return vae__lock_foreign(s, lock);
    if (!file && errno != EBUSY) return vae__cannot_write(s, VAE_ERR_OPEN, VAE__ERRNO);
    if (!file) {
        file = vae__open(lock, GENERIC_READ, VAE__SHARED, OPEN_EXISTING);
        if (file) (void)vae__lock_of(file, &holder), (void)CloseHandle(file);
        return vae__lock_held(s, holder);
    }
    if (!GetFileInformationByHandle(file, &about) || about.nNumberOfLinks > 1 ||
        about.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT || !vae__lock_of(file, &holder)) {
        (void)CloseHandle(file);
        return vae__lock_foreign(s, lock);
    }
    vae__beside(temp, VAE__TEMP, path, holder);
    if (holder) vae__remove(temp);
    (void)SetFilePointer(file, 0, NULL, FILE_BEGIN);
    (void)SetEndOfFile(file);
    vae__lock_sign(file, GetCurrentProcessId());
    *out = (intptr_t)file;
    return VAE_OK;
}
#endif

VAE_API vae_status vae_claim_take(const char *path, vae_claim *claim, vae_report *report) {
    const vae__source s = vae__source_of(path, report);
    char lock[VAE__MAX_PATH];
    vae_status bad = VAE_OK;
    if (!path || !claim)
        return vae__fail(report, VAE_ERR_NULL, "the path or the claim is NULL");
    if (!*path) return vae__fail(report, VAE_ERR_OPEN, "the path is empty");
    if (strlen(path) > VAE__LONGEST)
        return vae__fail(report, VAE_ERR_OPEN, "the path has %z characters, more than %d",
                         strlen(path), (int)VAE__LONGEST);
    vae__beside(lock, VAE__LOCK_FILE, path);
#if defined(VAE__POSIX) || defined(_WIN32)
    bad = vae__lock_take(&s, path, lock, &claim->lock);
#else
    (void)s;
#endif
    if (bad) return bad;
    claim->path = path;
    return VAE_OK;
}

VAE_API void vae_claim_drop(vae_claim *claim) {
    if (!claim || !claim->path) return;
#ifdef VAE__POSIX
    char lock[VAE__MAX_PATH];
    vae__beside(lock, VAE__LOCK_FILE, claim->path);
    if (vae__is_named((int)claim->lock, lock)) (void)unlink(lock);
    close((int)claim->lock); /* after the name is gone: nobody may lock a deleted file */
#elif defined(_WIN32)
    FILE_DISPOSITION_INFO gone;
    gone.DeleteFile = TRUE; /* when it is closed */
    (void)SetFileInformationByHandle((HANDLE)claim->lock, FileDispositionInfo, &gone, sizeof gone);
    (void)CloseHandle((HANDLE)claim->lock);
#endif
    memset(claim, 0, sizeof *claim);
}

typedef struct vae__writer {
    vae__sink sink; /* the first member: its `put` casts to vae__writer */
    vae__source to;
    int code;       /* errno of the first failure */
    vae__file file;
    const char *path;
    vae_claim claim; /* zero when the caller holds the claim */
    size_t fill;     /* bytes in the buffer */
    char temp[VAE__MAX_PATH];
    char buffer[16384];
} vae__writer;

VAE__PRIVATE int vae__flush(vae__writer *w) {
    size_t moved;
    if (!w->code) w->code = vae__move(w->file, w->buffer, w->fill, 1, &moved);
    w->fill = 0;
    return !w->code;
}

VAE__PRIVATE int vae__put_file(vae__sink *s, const void *bytes, size_t count) {
    vae__writer *w = (vae__writer *)s;
    const char *from = (const char *)bytes;
    while (count) {
        const size_t run = vae__min(count, sizeof w->buffer - w->fill);
        memcpy(w->buffer + w->fill, from, run);
        w->fill += run, from += run, count -= run;
        if (w->fill == sizeof w->buffer && !vae__flush(w)) return 0;
    }
    return 1;
}

/* Creates the temporary file, with the owner and the mode of the file it replaces. If the group
 * cannot be kept, the new group gets no more rights than everybody has. The mode is set last: until
 * then the file is private. */
VAE__PRIVATE int vae__open_temporary(vae__writer *w) {
#ifdef VAE__POSIX
    struct stat old;
    const char *path = w->path;
    const int found = stat(path, &old) == 0, replaces = found && S_ISREG(old.st_mode);
    const uint64_t process = (uint64_t)getpid();
    int i;
    if (!found && errno != ENOENT && errno != ENOTDIR && errno != ELOOP) return VAE__ERRNO;
    if (found && !replaces) return S_ISDIR(old.st_mode) ? EISDIR : ENODEV;
    vae__beside(w->temp, VAE__TEMP, path, process);
    for (i = 0; i < 100; i++) {
        w->file = vae__open(w->temp, O_WRONLY | O_CREAT | O_EXCL | VAE__NOFOLLOW,
                            replaces ? 0600 : 0666);
        if (w->file >= 0 || errno != EEXIST) break;
        vae__beside(w->temp, VAE__TEMP ".%d", path, process, i); /* the name is taken */
    }
    if (w->file < 0) return VAE__ERRNO;
    if (replaces) {
        unsigned mode = (unsigned)old.st_mode & 0777;
        if (fchown(w->file, old.st_uid, old.st_gid) && fchown(w->file, (uid_t)-1, old.st_gid))
            mode = (mode & 0707) | ((mode & 7) << 3 & mode);
        (void)fchmod(w->file, (mode_t)mode); /* some file systems have no modes */
    }
    return 0;
#elif defined(_WIN32)
    wchar_t room[VAE__MAX_PATH];
    const wchar_t *name = vae__wide(w->path, room);
    const DWORD found = name ? GetFileAttributesW(name) : INVALID_FILE_ATTRIBUTES;
    int i;
    if (found != INVALID_FILE_ATTRIBUTES && found & FILE_ATTRIBUTE_DIRECTORY) return EISDIR;
    vae__beside(w->temp, VAE__TEMP, w->path, (uint64_t)GetCurrentProcessId());
    for (i = 0; i < 100; i++) {
        w->file = vae__open(w->temp, GENERIC_WRITE, 0, CREATE_NEW);
        if (w->file || errno != EEXIST) break;
        vae__beside(w->temp, VAE__TEMP ".%d", w->path, (uint64_t)GetCurrentProcessId(), i);
    }
    return w->file ? 0 : VAE__ERRNO;
#else
    vae__beside(w->temp, "%s.vae-tmp", w->path);
    w->file = fopen(w->temp, "wb");
    return w->file ? 0 : VAE__ERRNO;
#endif
}

/* Begins to write the file that `held` claims, or `path`, which is then claimed until the end. */
VAE__PRIVATE vae_status vae__open_write(vae__writer *w, const vae_claim *held, const char *path,
                                        vae_report *report) {
    vae_status bad = VAE_OK;
    int code;
    memset(w, 0, offsetof(vae__writer, temp));
    w->sink.put = vae__put_file;
    w->path = held ? held->path : path;
    w->to = vae__source_of(w->path, report);
    if (held && !held->path) return vae__fail(report, VAE_ERR_NULL, "the claim holds nothing");
    if (!held) bad = vae_claim_take(path, &w->claim, report);
    if (bad) return bad;
    errno = 0;
    code = vae__open_temporary(w);
    if (!code) return VAE_OK;
    vae_claim_drop(&w->claim);
    return vae__cannot_write(&w->to, VAE_ERR_OPEN, code);
}

#ifdef VAE__POSIX
/* Flushes the folder of a path, so that a power cut cannot undo the rename. Where the file system
 * cannot do that, a power cut leaves the old file or the new one. Cuts the name off `path`. */
VAE__PRIVATE void vae__sync_folder(char *path) {
    size_t n = strlen(path);
    int folder;
    while (n && path[n - 1] != '/') n--;
    path[n] = 0;
    folder = vae__open(n ? path : ".", O_RDONLY, 0);
    if (folder < 0) return;
    (void)vae__sync(folder);
    close(folder);
}
#endif

/* Ends the write: renames the temporary file, or removes it and reports the first failure. */
VAE__PRIVATE vae_status vae__close_write(vae__writer *w) {
    int code = vae__flush(w) ? 0 : w->code;
    errno = 0;
    if (!code && VAE__SYNC(w->file) && errno != EINVAL) code = VAE__ERRNO;
    if (VAE__CLOSE(w->file) && !code && errno != EINTR) code = VAE__ERRNO;
    if (!code && VAE__RENAME(w->temp, w->path)) code = VAE__ERRNO;
    if (code) VAE__REMOVE(w->temp);
#ifdef VAE__POSIX
    else vae__sync_folder(w->temp);
#endif
    vae_claim_drop(&w->claim);
    return code ? vae__cannot_write(&w->to, VAE_ERR_WRITE, code) : VAE_OK;
}

VAE__PRIVATE vae_status vae__save_bytes(const vae_claim *held, const char *path, const void *bytes,
                                        size_t size, vae_report *report) {
    vae__writer w;
    vae_status bad;
    if (!bytes && size) return vae__fail(report, VAE_ERR_NULL, "bytes is NULL");
    bad = vae__open_write(&w, held, path, report);
    if (bad) return bad;
    vae__put(&w.sink, bytes, size);
    return vae__close_write(&w);
}
VAE_API vae_status vae_claim_save(const vae_claim *claim, const void *bytes, size_t size,
                                  vae_report *report) {
    return vae__save_bytes(claim, NULL, bytes, size, report);
}
VAE_API vae_status vae_file_save(const char *path, const void *bytes, size_t size,
                                 vae_report *report) {
    return vae__save_bytes(NULL, path, bytes, size, report);
}

#endif /* VAE_NO_STDIO */

/* ======================================================================================
 * >>safetensors  a header's length in 8 bytes, a JSON header, the bytes of the tensors
 * uses: >>status >>arena             tests: tests/test_safetensors.c, tests/fuzz_safetensors.c
 *
 * vae__st_open checks the header once, in time n log n for any content, and makes a sorted index of
 * the names, so that a look-up takes time log n. The functions below it rely on that check. The
 * file stays in the caller's memory, and everything else points into it.
 * ==================================================================================== */

#define VAE__ST_HEADER_MAX 100000000u /* the format's own limit */
#define VAE__ST_NAME_MAX 400          /* raw bytes of a tensor's name */

/* An entry of the index. Its key is the hash of a tensor's name or of a metadata key; while the
 * file is checked, the key is the place where a tensor begins. */
typedef struct vae__st_entry {
    uint64_t key;
    uint32_t at;  /* offset of the name in the header */
    uint32_t use; /* 0: a tensor not yet looked up; 1: a tensor that was; 2: a metadata key */
} vae__st_entry;

typedef struct vae__st {
    vae__source from;
    const unsigned char *bytes;
    size_t header_at, header_size, data_at, data_size, tensors;
    vae__st_entry *index; /* `names` entries, sorted */
    size_t names;
} vae__st;

typedef struct vae__st_tensor {
    char dtype[12]; /* "?" for a longer name, which is never a known one */
    int rank;
    size_t shape[VAE_MAX_RANK];
    size_t begin, end; /* in the data section */
} vae__st_tensor;

/* A scan of the header. It ends at the first failure: `at` is the place, and either `expected` says
 * what should stand there or `problem` what is wrong there. After a failure all functions find
 * nothing: no character, empty strings, zeros. */
typedef struct vae__st_scan {
    const unsigned char *text;
    size_t at, size;
    size_t string; /* where the last string began */
    const char *expected, *problem;
    int failed, in_metadata;
    int comma; /* whether a comma must precede the next member */
} vae__st_scan;

VAE__PRIVATE void vae__st_bad(vae__st_scan *s, size_t at, const char *expected,
                              const char *problem) {
    if (s->failed) return;
    s->failed = 1, s->at = at, s->expected = expected, s->problem = problem;
}
#ifdef VAE_NO_MESSAGES
#define vae__st_bad(s, at, expected, problem) \
    ((void)(0 ? (expected) : (problem)), vae__st_bad(s, at, NULL, NULL))
#endif

/* The next character that is not blank, -1 at the end. */
VAE__PRIVATE int vae__st_peek(vae__st_scan *s) {
    if (s->failed) return -1;
    while (s->at < s->size && memchr(" \t\n\r", s->text[s->at], 4)) s->at++;
    return s->at < s->size ? s->text[s->at] : -1;
}

VAE__PRIVATE int vae__st_take(vae__st_scan *s, int c, const char *expected) {
    const int good = vae__st_peek(s) == c;
    if (good) s->at++;
    else vae__st_bad(s, s->at, expected, NULL);
    return good;
}

/* Whether another member follows before `close`. Takes the comma before the member, or `close`. */
VAE__PRIVATE int vae__st_more(vae__st_scan *s, int first, int close, const char *expected) {
    const int c = vae__st_peek(s);
    if (c == close) s->at++;
    return c != close && !s->failed && (first || vae__st_take(s, ',', expected));
}

/* Length of the escape at p, which begins with a backslash, and the character that it means; 0 when
 * JSON has no such escape. Half a surrogate pair is refused. */
VAE__PRIVATE size_t vae__st_escape(const char *p, size_t room, uint32_t *code) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *known = room < 2 ? NULL : (const char *)memchr(from, p[1], 8);
    uint64_t high, low;
    if (known) {
        *code = (unsigned char)to[known - from];
        return 2;
    }
    if (room < 6 || p[1] != 'u' || vae__read_number(p + 2, 4, 16, &high) != 4) return 0;
    *code = (uint32_t)high;
    if (high < 0xD800 || high > 0xDFFF) return 6;
    if (high > 0xDBFF || room < 12 || p[6] != '\\' || p[7] != 'u' ||
        vae__read_number(p + 8, 4, 16, &low) != 4 || low < 0xDC00 || low > 0xDFFF)
        return 0;
    *code = (uint32_t)(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00));
    return 12;
}

/* Checks a string and returns its first character. Other functions end at the closing quote. */
VAE__PRIVATE const unsigned char *vae__st_string(vae__st_scan *s) {
    static const unsigned char none[] = "\"";
    const int open = vae__st_take(s, '"', "a string");
    s->string = s->at;
    while (open && !s->failed && s->at < s->size) {
        const unsigned char *p = s->text + s->at;
        size_t step = 1;
        uint32_t code;
        if (*p == '\\') step = vae__st_escape((const char *)p, s->size - s->at, &code);
        if (*p < 0x20) vae__st_bad(s, s->at, NULL, "a control character inside a string");
        else if (!step) vae__st_bad(s, s->at, NULL, "an escape that JSON does not have");
        else s->at += step;
        if (*p == '"') return s->text + s->string;
    }
    vae__st_bad(s, s->at, "the end of a string", NULL);
    return none;
}

/* Reads a checked JSON string byte by byte, with its escapes replaced; or a C string. */
typedef struct vae__st_cursor {
    const void *at;
    int json;       /* 0: a C string */
    uint32_t later; /* the next bytes of an escaped character, the lowest first */
} vae__st_cursor;

/* The next byte; -1 after the last. */
VAE__PRIVATE int vae__st_byte(vae__st_cursor *c) {
    const unsigned char *p = (const unsigned char *)c->at;
    uint32_t code = c->later & 0xFF;
    int n, i;
    c->later >>= 8;
    if (code) return (int)code;
    if (*p == (c->json ? '"' : 0)) return -1;
    c->at = p + 1;
    if (!c->json || *p != '\\') return *p;
    c->at = p + vae__st_escape((const char *)p, 12, &code);
    if (code < 0x80) return (int)code;
    n = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    for (i = 0; i < n; i++, code >>= 6) c->later = c->later << 8 | 0x80 | (code & 0x3F);
    return (int)((0xF0u << (3 - n) & 0xFF) | code);
}

/* Compares a JSON string with another, or with a C string, as strcmp does. */
VAE__PRIVATE int vae__st_compare(const unsigned char *a, const void *b, int json) {
    vae__st_cursor x = {a, 1, 0}, y = {b, json, 0};
    int p, q;
    do p = vae__st_byte(&x), q = vae__st_byte(&y); while (p == q && p >= 0);
    return p - q;
}
VAE__INLINE int vae__st_is(const unsigned char *string, const char *word) {
    return vae__st_compare(string, word, 0) == 0;
}

/* Copies a string without its escapes, zero-terminated. Returns its length, or -2 when it was cut
 * because it does not fit. */
VAE__PRIVATE ptrdiff_t vae__st_copy(const unsigned char *string, char *text, size_t room) {
    vae__st_cursor c = {string, 1, 0};
    size_t n = 0;
    int b;
    if (!room) return -2;
    while ((b = vae__st_byte(&c)) >= 0 && n < room - 1) text[n++] = (char)b;
    text[n] = 0;
    return b < 0 ? (ptrdiff_t)n : -2;
}

/* The beginning of a string, for %q in sentences. */
enum { VAE__ST_QUOTE = 80 };
VAE__PRIVATE const char *vae__st_quote(const unsigned char *string, char text[VAE__ST_QUOTE]) {
    (void)vae__st_copy(string, text, VAE__ST_QUOTE);
    return text;
}

VAE__PRIVATE size_t vae__st_number(vae__st_scan *s) {
    const int first = vae__st_peek(s);
    uint64_t u = 0;
    size_t n = 0;
    if (first < '0' || first > '9') {
        vae__st_bad(s, s->at, "a whole number", NULL);
        return 0;
    }
    n = vae__read_number((const char *)s->text + s->at, s->size - s->at, 10, &u);
    if (!n || (size_t)u != u) vae__st_bad(s, s->at, NULL, "a number so large that it overflows");
    if (n > 1 && first == '0') vae__st_bad(s, s->at, NULL, "a leading zero");
    s->at += s->failed ? 0 : n;
    return (size_t)u;
}

/* Reads [a, b, ...], at most `room` numbers, and returns how many. */
VAE__PRIVATE int vae__st_numbers(vae__st_scan *s, size_t *out, int room, const char *too_many) {
    int n = 0;
    (void)vae__st_take(s, '[', "'['");
    while (vae__st_more(s, !n, ']', "',' or ']'")) {
        if (n < room) out[n++] = vae__st_number(s);
        else vae__st_bad(s, s->at, NULL, too_many);
    }
    return n;
}

/* Reads {"dtype":..., "shape":..., "data_offsets":...}: each key once, in any order. */
VAE__PRIVATE void vae__st_object(vae__st_scan *s, vae__st_tensor *t) {
    static const char *const keys[] = {"dtype", "shape", "data_offsets"};
    static const char *const missing[] = {"a tensor without dtype", "a tensor without shape",
                                          "a tensor without data_offsets"};
    const size_t open = vae__st_take(s, '{', "'{'") ? s->at - 1 : 0;
    size_t offsets[2] = {0, 0};
    int seen = 0, i;
    memset(t, 0, sizeof *t);
    while (vae__st_more(s, !seen, '}', "',' or '}'")) {
        const unsigned char *key = vae__st_string(s);
        for (i = 0; i < 3 && !vae__st_is(key, keys[i]); i++) {}
        if (i == 3)
            vae__st_bad(s, s->string, NULL, "a key other than dtype, shape and data_offsets");
        if (seen >> i & 1) vae__st_bad(s, s->string, NULL, "a key given twice");
        seen |= 1 << i;
        (void)vae__st_take(s, ':', "':'");
        if (i == 0 && vae__st_copy(vae__st_string(s), t->dtype, sizeof t->dtype) < 0)
            memcpy(t->dtype, "?", 2);
        if (i == 1)
            t->rank = vae__st_numbers(s, t->shape, VAE_MAX_RANK,
                                      "a shape of more than 8 dimensions");
        if (i == 2 && vae__st_numbers(s, offsets, 2, "more than two data_offsets") < 2)
            vae__st_bad(s, s->at - 1, NULL, "fewer than two data_offsets");
    }
    for (i = 0; i < 3; i++)
        if (!(seen >> i & 1)) vae__st_bad(s, open, NULL, missing[i]);
    t->begin = offsets[0], t->end = offsets[1];
}

enum { VAE__ST_END, VAE__ST_TENSOR, VAE__ST_METADATA, VAE__ST_PAIR };

typedef struct vae__st_item {
    const unsigned char *key, *value; /* value: of a pair of __metadata__ */
    size_t length;                    /* of the value, with its escapes */
    vae__st_tensor tensor;
} vae__st_item;

/* Reads the next member of the header. After __metadata__ come its pairs, one by one. */
VAE__PRIVATE int vae__st_step(vae__st_scan *s, vae__st_item *item) {
    int more = vae__st_more(s, !s->comma, '}', "',' or '}'");
    s->comma = 1;
    if (!more && s->in_metadata)
        s->in_metadata = 0, more = vae__st_more(s, 0, '}', "',' or '}'");
    if (!more) return VAE__ST_END;
    item->key = vae__st_string(s);
    if (s->at - s->string > VAE__ST_NAME_MAX && !s->in_metadata)
        vae__st_bad(s, s->string, NULL, "a name of more than 400 bytes");
    (void)vae__st_take(s, ':', "':'");
    if (s->in_metadata) {
        item->value = vae__st_string(s);
        item->length = s->at - s->string;
        return VAE__ST_PAIR;
    }
    if (vae__st_is(item->key, "__metadata__")) {
        s->in_metadata = vae__st_take(s, '{', "'{'"), s->comma = 0;
        return VAE__ST_METADATA;
    }
    vae__st_object(s, &item->tensor);
    return VAE__ST_TENSOR;
}

VAE__PRIVATE vae__st_scan vae__st_scan_of(const vae__st *st) {
    vae__st_scan s;
    memset(&s, 0, sizeof s);
    s.text = st->bytes + st->header_at, s.size = st->header_size;
    s.at = 1; /* after the brace */
    return s;
}

/* Bits of an element, 0 when the dtype is not known: BOOL has 8; in all other names (U8, I16, BF16,
 * C64, F8_E4M3 ...) the bits are the number after the letters. */
VAE__PRIVATE size_t vae__st_bits(const char *dtype) {
    const size_t letters = strspn(dtype, "BCFIU");
    uint64_t bits = 0;
    if (letters) (void)vae__read_number(dtype + letters, 3, 10, &bits);
    return strcmp(dtype, "BOOL") ? (size_t)bits : 8;
}

/* Checks that shape, dtype and data_offsets agree. */
VAE__PRIVATE vae_status vae__st_check(const vae__st *st, const vae__st_item *item) {
    const vae__st_tensor *t = &item->tensor;
    const vae__source *from = &st->from;
    const size_t bits = vae__st_bits(t->dtype), offset = (size_t)(item->key - st->bytes);
    size_t product = bits;
    char name[VAE__ST_QUOTE];
    int i, fits = 1;
    vae__st_quote(item->key, name);
    if (t->begin > t->end)
        return vae__fail_in(from, VAE_ERR_FORMAT, "byte %z: data_offsets of %q end at %z, before "
                            "they begin at %z", offset, name, t->end, t->begin);
    if (t->end > st->data_size)
        return vae__fail_in(from, VAE_ERR_FORMAT, "byte %z: %q ends at %z of the data, but the "
                            "file is incomplete or wrong and has only %z bytes of it", offset,
                            name, t->end, st->data_size);
    if (!bits) return VAE_OK; /* a future dtype: this library never reads it */
    for (i = 0; i < t->rank; i++) fits = fits && vae__size_mul(product, t->shape[i], &product);
    if (!fits)
        return vae__fail_in(from, VAE_ERR_FORMAT, "byte %z: the shape of %q is so large that its "
                            "size overflows", offset, name);
    if (product % 8 || product / 8 != t->end - t->begin)
        return vae__fail_in(from, VAE_ERR_FORMAT, "byte %z: %q needs %z bits by shape and dtype "
                            "%s, its data_offsets hold %z bytes", offset, name, product, t->dtype,
                            t->end - t->begin);
    return VAE_OK;
}

/* Reports a failed scan. */
VAE__PRIVATE vae_status vae__st_fail(const vae__st *st, const vae__st_scan *s) {
    char found[12] = "byte 0x";
    const size_t offset = st->header_at + s->at;
    const unsigned c = s->at < s->size ? s->text[s->at] : 0;
    if (s->problem)
        return vae__fail_in(&st->from, VAE_ERR_FORMAT, "byte %z: the JSON header holds %s", offset,
                            s->problem);
    found[7] = vae__hex_digits[c >> 4], found[8] = vae__hex_digits[c & 15];
    if (c >= 0x20 && c <= 0x7E) found[0] = found[2] = '\'', found[1] = (char)c, found[3] = 0;
    return vae__fail_in(&st->from, VAE_ERR_FORMAT, "byte %z: expected %s in the JSON header, "
                        "found %s", offset, s->expected,
                        s->at < s->size ? found : "the end of the header");
}

/* Compares two entries: by keys, then, unless the keys are places, by names. */
VAE__PRIVATE int vae__st_order(const unsigned char *text, int tiles, const vae__st_entry *a,
                               const vae__st_entry *b) {
    if (a->key != b->key) return a->key < b->key ? -1 : 1;
    return tiles ? 0 : vae__st_compare(text + a->at, text + b->at, 1);
}

/* Fills the index and sorts it: with `tiles`, tensors by where they begin, empty ones first;
 * otherwise names and metadata keys by their hash. Heap sort, so that no hostile file is slow. */
VAE__PRIVATE size_t vae__st_index(const vae__st *st, int tiles, vae__st_entry *e) {
    vae__st_scan s = vae__st_scan_of(st);
    vae__st_item item;
    size_t n = 0, i, end;
    int step, b;
    while ((step = vae__st_step(&s, &item)) != VAE__ST_END) {
        vae__st_cursor c = {item.key, 1, 0};
        uint64_t key = VAE__FNV + (step == VAE__ST_PAIR); /* a tensor and a key may be namesakes */
        if (tiles && step != VAE__ST_TENSOR) continue;
        if (tiles) key = 2 * (uint64_t)item.tensor.begin + (item.tensor.end > item.tensor.begin);
        else
            while ((b = vae__st_byte(&c)) >= 0) key = (key ^ (unsigned)b) * 0x100000001b3u;
        e[n].key = key, e[n].at = (uint32_t)(item.key - s.text);
        e[n++].use = step == VAE__ST_TENSOR ? 0 : 2;
    }
    for (i = n / 2, end = n; end > 1;) {
        vae__st_entry x;
        size_t at = 0, child;
        if (i) x = e[at = --i]; /* first build the heap, then remove its largest */
        else x = e[--end], e[end] = e[0];
        while ((child = 2 * at + 1) < end) {
            if (child + 1 < end && vae__st_order(s.text, tiles, e + child, e + child + 1) < 0)
                child++;
            if (vae__st_order(s.text, tiles, &x, e + child) >= 0) break;
            e[at] = e[child], at = child;
        }
        e[at] = x;
    }
    return n;
}

/* Checks that the tensors tile the data (no hole, no overlap, nothing after the last) and that no
 * name is there twice. Leaves the index sorted by the names' hashes. */
VAE__PRIVATE vae_status vae__st_compare_all(const vae__st *st) {
    vae__st_scan s = vae__st_scan_of(st);
    vae__st_entry *e = st->index;
    vae__st_item item;
    char name[VAE__ST_QUOTE];
    size_t n = vae__st_index(st, 1, e), i, at = 0;
    for (i = 0; i < n; i++, at = item.tensor.end) {
        s.at = e[i].at - 1, s.comma = 0;
        (void)vae__st_step(&s, &item);
        if (item.tensor.begin != at)
            return vae__fail_in(&st->from, VAE_ERR_FORMAT, "byte %z: %q begins at %z of the data, "
                                "expected %z: %s", st->header_at + e[i].at,
                                vae__st_quote(item.key, name), item.tensor.begin, at,
                                item.tensor.begin > at ? "there is a hole" : "tensors overlap");
    }
    if (at != st->data_size)
        return vae__fail_in(&st->from, VAE_ERR_FORMAT, "byte %z: expected the end of the file "
                            "after the last tensor, found %z trailing bytes", st->data_at + at,
                            st->data_size - at);
    n = vae__st_index(st, 0, e);
    for (i = 1; i < n; i++)
        if (!vae__st_order(s.text, 0, e + i - 1, e + i)) {
            at = vae__max(e[i].at, e[i - 1].at);
            return vae__fail_in(&st->from, VAE_ERR_FORMAT, "byte %z: the name %q is given twice",
                                st->header_at + at, vae__st_quote(s.text + at, name));
        }
    return VAE_OK;
}

VAE__PRIVATE void vae__st_close(vae__st *st, const vae_allocator *a) {
    vae__release(a, st->index, st->names * sizeof *st->index);
    st->index = NULL;
}

/* Scans the whole header; counts tensors and names. */
VAE__PRIVATE vae_status vae__st_walk(vae__st *st) {
    vae__st_scan s = vae__st_scan_of(st);
    vae__st_item item;
    int step;
    if (!s.size || s.text[0] != '{') vae__st_bad(&s, 0, "'{'", NULL);
    for (; (step = vae__st_step(&s, &item)) != VAE__ST_END; st->names++) {
        vae_status bad = VAE_OK;
        if (step == VAE__ST_TENSOR && !s.failed) bad = vae__st_check(st, &item);
        if (bad) return bad;
        st->tensors += step == VAE__ST_TENSOR;
    }
    while (!s.failed && s.at < s.size && s.text[s.at] == ' ') s.at++;
    if (s.at < s.size) vae__st_bad(&s, s.at, "nothing but spaces after the last brace", NULL);
    return s.failed ? vae__st_fail(st, &s) : VAE_OK;
}

/* Checks a file in memory and finds its parts.
 *   name  of the file, in sentences (NULL: "memory"). Name, bytes and report must outlive `st`
 * Allocates an index of 16 bytes for each name and metadata key; vae__st_close releases it.
 * Errors: ERR_NULL, ERR_FORMAT with the offset, ERR_MEMORY. */
VAE__PRIVATE vae_status vae__st_open(vae__st *st, const void *bytes, size_t size, const char *name,
                                     const vae_allocator *a, vae_report *report) {
    const vae__source from = vae__source_of(name, report);
    vae__st file;
    vae_status bad;
    uint64_t length;
    size_t at, n;
    memset(&file, 0, sizeof file);
    if (!st || !bytes) return vae__fail_in(&from, VAE_ERR_NULL, "no bytes");
    file.from = from, file.bytes = (const unsigned char *)bytes;
    if (size < 8)
        return vae__fail_in(&from, VAE_ERR_FORMAT, "expected a header's length in 8 bytes, but the "
                            "file is truncated after %z", size);
    length = vae__get_le32(file.bytes) | (uint64_t)vae__get_le32(file.bytes + 4) << 32;
    if (length > VAE__ST_HEADER_MAX)
        return vae__fail_in(&from, VAE_ERR_FORMAT, "byte 0: a header of %u bytes is too large: "
                            "expected a safetensors file, at most 100000000", length);
    if (length > size - 8)
        return vae__fail_in(&from, VAE_ERR_FORMAT, "byte 0: the header should have %u bytes, but "
                            "the file is truncated %z bytes after its start", length, size - 8);
    file.header_at = 8, file.header_size = (size_t)length;
    file.data_at = 8 + file.header_size, file.data_size = size - file.data_at;
    for (at = 8; at < file.data_at; at += n)
        if ((n = vae__utf8(file.bytes + at, file.data_at - at)) == 0)
            return vae__fail_in(&from, VAE_ERR_FORMAT, "byte %z: the header is not valid UTF-8",
                                at);
    bad = vae__st_walk(&file);
    if (bad) return bad;
    file.index = (vae__st_entry *)vae__alloc_for(&from, a, file.names * sizeof *file.index);
    if (!file.index) return VAE_ERR_MEMORY;
    bad = vae__st_compare_all(&file);
    if (bad) vae__st_close(&file, a);
    else *st = file;
    return bad;
}

/* Finds a tensor by its name, or a pair of __metadata__ by its key: 1 if it is there. */
VAE__PRIVATE int vae__st_look_up(const vae__st *st, int kind, const char *name,
                                 vae__st_item *item) {
    vae__st_scan s = vae__st_scan_of(st);
    const uint64_t key = vae__hash(VAE__FNV + (kind == VAE__ST_PAIR), name, strlen(name));
    size_t low = 0, high = st->names;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        vae__st_entry *e = &st->index[middle];
        const int order = e->key != key ? (e->key < key ? -1 : 1)
                                        : vae__st_compare(s.text + e->at, name, 0);
        if (!order) {
            s.at = e->at - 1, s.comma = 0, s.in_metadata = kind == VAE__ST_PAIR;
            if (!e->use) e->use = 1;
            return vae__st_step(&s, item) == kind;
        }
        if (order < 0) low = middle + 1;
        else high = middle;
    }
    return 0;
}

/* ======================================================================================
 * >>io       models as files
 * uses: >>settings >>model >>files >>safetensors      tests: tests/test_io.c
 * ==================================================================================== */

/* ---- a description as one line: "input=28x28x1; latent=20; lr=3f50624dd2f1a9fc; ..." ----
 * Integers in decimal, reals as the bits of the double in hex: no locale, no rounding. */

VAE__PRIVATE void vae__put_desc(vae__sink *s, const vae_desc *desc) {
    vae_desc d = *desc;
    int i;
    for (i = 0; i < VAE__STORED_COUNT; i++) {
        const vae__field *f = &vae__fields[i];
        if (f->kind == VAE__KIND) {
            vae__put_kind(s, &d, f);
            continue;
        }
        if (i >= VAE__FIRST_COUNT && vae__is_default(&d, f)) continue;
        vae__putf(s, "%s%s=", i ? "; " : "", vae__stored_name(f));
        vae__put_field(s, &d, f, 1);
    }
}

/* ---- saving ---- */

/* A metadata entry of numbers separated by blanks: their forms (see vae__put_bits), and their
 * places in a model. */
typedef struct vae__fact {
    const char *key, *forms;
    size_t at[VAE_MAX_LAYERS];
} vae__fact;
#define VAE__IN(field) offsetof(vae, field)
static const vae__fact vae__facts[] = {
    {"vae.step", "u", {VAE__IN(step)}},
    {"vae.epoch", "u", {VAE__IN(at.epoch)}},
    {"vae.seed", "u", {VAE__IN(desc.seed)}},
    {"vae.position", "uuuxxx", {VAE__IN(at.step), VAE__IN(at.images), VAE__IN(at.total),
                                VAE__IN(at.recon), VAE__IN(at.kl), VAE__IN(at.loss)}},
    {"vae.course", "uuuxx", {VAE__IN(at.best_epoch), VAE__IN(at.cuts), VAE__IN(at.cut_epoch),
                             VAE__IN(at.best), VAE__IN(at.bound)}},
    {"vae.adam", "xx", {VAE__IN(b1t), VAE__IN(b2t)}},
    {"vae.layer_kl", "xxxxxxxx", {VAE__IN(at.layer_kl[0]), VAE__IN(at.layer_kl[1]),
                                  VAE__IN(at.layer_kl[2]), VAE__IN(at.layer_kl[3]),
                                  VAE__IN(at.layer_kl[4]), VAE__IN(at.layer_kl[5]),
                                  VAE__IN(at.layer_kl[6]), VAE__IN(at.layer_kl[7])}},
};
enum {
    VAE__FACT_COUNT = sizeof vae__facts / sizeof vae__facts[0],
    VAE__SEED = 2,   /* not read: vae.desc has it too */
    VAE__COURSE = 4, /* older files lack it */
    VAE__LAYER_SUMS = 6 /* only of models with layers `z N`; some files of 0.1 lack it */
};

typedef struct vae__section {
    const char *prefix;
    float *values;
} vae__section;

/* The parameters, the optimiser's arrays and the average, as far as a model has them: how many. */
VAE__PRIVATE int vae__sections(const vae *m, int flags, vae__section out[4]) {
    const vae__section all[4] = {
        {"", m->w}, {"optim.m.", m->m}, {"optim.v.", m->v}, {"ema.", m->average}};
    int i, n = 0;
    for (i = 0; i < 4; i++)
        if (all[i].values && !(flags & VAE_SAVE_WEIGHTS_ONLY && all[i].prefix[0] == 'o'))
            out[n++] = all[i];
    return n;
}

/* The JSON header, padded with blanks so that the data begins at a multiple of 64 bytes. */
VAE__PRIVATE void vae__put_header(vae__sink *s, const vae *m, const vae__section *sections,
                                  int count, uint64_t data_hash) {
    const size_t begin = s->count;
    size_t offset = 0, t;
    int i, j;
    vae__putf(s, "{\"__metadata__\":{\"vae.format\":\"1\",\"vae.desc\":\"");
    vae__put_desc(s, &m->desc);
    for (i = 0; i < VAE__FACT_COUNT; i++) {
        const vae__fact *f = &vae__facts[i];
        if (i == VAE__LAYER_SUMS && VAE__LAYERS(m) < 2) continue;
        vae__putf(s, "\",\"%s\":\"", f->key);
        for (j = 0; f->forms[j]; j++)
            vae__put_bits(s, j ? " " : "", f->forms[j], (const char *)m + f->at[j]);
    }
    vae__putf(s, "\",\"vae.params_hash\":\"%x\",\"vae.data_hash\":\"%x\"}", vae_params_hash(m),
              data_hash);
    for (i = 0; i < count; i++) {
        for (t = 0; t < m->slot_count; t++) {
            const vae__slot *slot = &m->tensors[t];
            vae__putf(s, ",\"%s%s\":{\"dtype\":\"F32\",\"shape\":[", sections[i].prefix,
                      slot->name);
            for (j = 0; j < slot->rank; j++) vae__putf(s, "%s%z", j ? "," : "", slot->shape[j]);
            vae__putf(s, "],\"data_offsets\":[%z,%z]}", offset, offset + slot->count * 4);
            offset += slot->count * 4;
        }
    }
    vae__putf(s, "}");
    while ((s->count - begin + 8) % 64) vae__put(s, " ", 1);
}

/* Writes the `width` low bytes of u, the lowest first. */
VAE__PRIVATE void vae__put_le(vae__sink *s, uint64_t u, size_t width) {
    unsigned char bytes[8];
    size_t i;
    for (i = 0; i < width; i++) bytes[i] = (unsigned char)(u >> 8 * i);
    vae__put(s, bytes, width);
}

/* Writes the file into any sink. Its bytes depend on its content alone: no time, no locale. */
VAE__PRIVATE void vae__put_model(vae__sink *s, vae *m, int flags) {
    vae__section sections[4];
    const int count = vae__sections(m, flags, sections);
    vae__sink header = vae__sink_of(NULL, 0);
    uint64_t hash = VAE__FNV;
    size_t t;
    int i;
    for (i = 0; i < count; i++) hash = vae__hash_floats(hash, sections[i].values, m->parameters);
    vae__put_header(&header, m, sections, count, hash);
    vae__put_le(s, header.count, 8);
    vae__put_header(s, m, sections, count, hash);
    VAE_ASSERT(s->count % 64 == 0);
    for (i = 0; i < count; i++) {
        if (!VAE__BIG_ENDIAN) vae__put(s, sections[i].values, 4 * m->parameters);
        else
            for (t = 0; t < m->parameters; t++)
                vae__put_le(s, vae__bits_f(sections[i].values[t]), 4);
    }
}

/* Checks that a model can be saved: numbers that are not finite must not replace a good file. */
VAE__PRIVATE vae_status vae__can_save(vae *m, int flags) {
    vae__section sections[4];
    const int count = vae__sections(m, flags, sections);
    int i;
    for (i = 0; i < count; i++) {
        const char *name = vae__bad_tensor(m, sections[i].values);
        if (name)
            return vae__fail(&m->report, VAE_ERR_NONFINITE, "not saved: %s%s holds numbers that "
                             "are not finite", sections[i].prefix, name);
    }
    if (m->desc.inference && !(flags & VAE_SAVE_WEIGHTS_ONLY))
        return vae__fail(&m->report, VAE_ERR_STATE, "not saved: a model for inference has only its "
                         "weights to save (VAE_SAVE_WEIGHTS_ONLY)");
    if (m->invalid)
        return vae__fail(&m->report, VAE_ERR_STATE, "not saved: the model is invalid since a "
                         "gradient was not finite");
    return VAE_OK;
}

VAE__PRIVATE vae_status vae__do_save_size(vae *m, int flags, size_t *size) {
    vae__section sections[4];
    vae__sink s = vae__sink_of(NULL, 0);
    int count;
    if (!m || !size) return VAE_ERR_NULL;
    count = vae__sections(m, flags, sections);
    vae__put_header(&s, m, sections, count, 0);
    *size = 8 + s.count + (size_t)count * m->parameters * 4;
    return VAE_OK;
}
VAE_API vae_status vae_save_size(vae *m, int flags, size_t *size) {
    VAE__COMPUTES(m, vae__do_save_size(m, flags, size));
}

VAE__PRIVATE vae_status vae__do_save_memory(vae *m, int flags, void *bytes, size_t size) {
    vae__sink s = vae__sink_of(bytes, size);
    size_t need = 0;
    vae_status bad;
    if (!m) return VAE_ERR_NULL;
    if (!bytes) return vae__fail(&m->report, VAE_ERR_NULL, "bytes is NULL");
    bad = vae__can_save(m, flags);
    if (bad) return bad;
    (void)vae__do_save_size(m, flags, &need);
    if (size < need)
        return vae__fail(&m->report, VAE_ERR_SIZE, "%z bytes, the file needs %z", size, need);
    vae__put_model(&s, m, flags);
    return VAE_OK;
}
VAE_API vae_status vae_save_memory(vae *m, int flags, void *bytes, size_t size) {
    VAE__COMPUTES(m, vae__do_save_memory(m, flags, bytes, size));
}

/* ---- loading ---- */

/* Reads a metadata value as numbers in these forms, separated by blanks: 1, or 0 when the key is
 * missing, or -1 when the value is something else. */
VAE__PRIVATE int vae__st_numbers_of(const vae__st *st, const char *key, const char *forms,
                                    uint64_t *out) {
    char text[160];
    const char *p = text;
    vae__st_item item;
    if (!vae__st_look_up(st, VAE__ST_PAIR, key, &item)) return 0;
    if (vae__st_copy(item.value, text, sizeof text) != (ptrdiff_t)strlen(text)) return -1;
    for (; *forms; forms++)
        if (!vae__read_bits(&p, *forms, out++) || (forms[1] && *p++ != ' ')) return -1;
    return *p ? -1 : 1;
}

/* Writes "F32 [4,4,1,32]". The text has room for every dtype and shape. */
enum { VAE__ST_KIND = 12 + VAE_MAX_RANK * 21 + 4 };
VAE__PRIVATE const char *vae__st_kind(char text[VAE__ST_KIND], const char *dtype, int rank,
                                      const size_t *shape) {
    vae__sink s = vae__sink_text(text, VAE__ST_KIND);
    int j;
    vae__putf(&s, "%s [", dtype);
    for (j = 0; j < rank; j++) vae__putf(&s, "%s%z", j ? "," : "", shape[j]);
    vae__putf(&s, "]");
    return text;
}

/* Reads the floats of a section in the model's order, whatever their order in the file. Continues
 * *hash over them and copies them to section->values, unless that is NULL. The file must have each
 * tensor with the model's shape. A section other than the parameters may be missing as a whole;
 * then *found is 0. */
VAE__PRIVATE vae_status vae__st_section(const vae__st *st, const vae *m,
                                        const vae__section *section, uint64_t *hash, int *found) {
    size_t t, i;
    *found = 0;
    for (t = 0; t < m->slot_count; t++) {
        const vae__slot *slot = &m->tensors[t];
        const unsigned char *from;
        float *to = section->values ? section->values + slot->offset : NULL;
        vae__st_item item;
        char is[VAE__ST_KIND], want[VAE__ST_KIND], name[sizeof(vae_report)];
        vae__sink full = vae__sink_text(name, sizeof name);
        vae__putf(&full, "%s%s", section->prefix, slot->name);
        if (!vae__st_look_up(st, VAE__ST_TENSOR, name, &item)) {
            if (*section->prefix && !t) return VAE_OK;
            return vae__fail_in(&st->from, VAE_ERR_MISMATCH, "the tensor %s is missing", name);
        }
        *found = 1;
        if (strcmp(item.tensor.dtype, "F32") || item.tensor.rank != slot->rank ||
            memcmp(item.tensor.shape, slot->shape, (size_t)slot->rank * sizeof(size_t)))
            return vae__fail_in(&st->from, VAE_ERR_MISMATCH, "the tensor %s is %s, expected %s",
                                name, vae__st_kind(is, item.tensor.dtype, item.tensor.rank,
                                                   item.tensor.shape),
                                vae__st_kind(want, "F32", slot->rank, slot->shape));
        from = st->bytes + st->data_at + item.tensor.begin;
        *hash = vae__hash(*hash, from, slot->count * 4);
        if (!to || (m->borrowed && !*section->prefix)) continue; /* borrowed: used in place */
        if (!VAE__BIG_ENDIAN) memcpy(to, from, slot->count * 4);
        else
            for (i = 0; i < slot->count; i++) to[i] = vae__float_of(vae__get_le32(from + 4 * i));
    }
    return VAE_OK;
}

/* Refuses a file with a tensor that was never looked up: it does not belong to the model. */
VAE__PRIVATE vae_status vae__st_stranger(const vae__st *st) {
    char name[VAE__ST_QUOTE];
    size_t at = SIZE_MAX, i;
    for (i = 0; i < st->names; i++)
        if (!st->index[i].use && st->index[i].at < at) at = st->index[i].at;
    if (at == SIZE_MAX) return VAE_OK;
    return vae__fail_in(&st->from, VAE_ERR_MISMATCH, "the tensor %q is not part of the model that "
                        "vae.desc describes", vae__st_quote(st->bytes + st->header_at + at, name));
}

/* Reads the position in training and the powers of Adam's betas. `hash` is the data's checksum,
 * which must be the one in the file. */
VAE__PRIVATE vae_status vae__st_state(const vae__st *st, vae *m, int has_optimizer, uint64_t hash) {
    const vae__source *from = &st->from;
    const vae__position *at = &m->at;
    uint64_t told = 0, u[VAE_MAX_LAYERS];
    int good = vae__st_numbers_of(st, "vae.data_hash", "x", &told) == 1, sane = 1, i, j;
    for (i = 0; i < VAE__FACT_COUNT; i++) {
        const vae__fact *f = &vae__facts[i];
        const int known = i == VAE__SEED ? 0 : vae__st_numbers_of(st, f->key, f->forms, u);
        for (j = 0; known == 1 && f->forms[j]; j++) {
            double real;
            memcpy(&real, u + j, 8);
            if (f->forms[j] == 'x' && !vae__finite_d(real) && f->at[j] != VAE__IN(at.best))
                sane = 0;
            memcpy((char *)m + f->at[j], u + j, 8);
        }
        if (i == VAE__COURSE || i == VAE__LAYER_SUMS) sane = sane && known >= 0;
        else if (i != VAE__SEED) good = good && known == 1;
    }
    if (!good)
        return vae__fail_in(from, VAE_ERR_FORMAT, "one of vae.step, vae.epoch, vae.position, "
                            "vae.adam, vae.data_hash is missing or cannot be read");
    if (hash != told)
        return vae__fail_in(from, VAE_ERR_FORMAT, "the checksum of the data does not match: the "
                            "file is damaged");
    m->weights_only = !has_optimizer;
    if (!has_optimizer || m->desc.inference) m->b1t = m->b2t = 1; /* the moments begin anew */
    if (!vae__finite_d(at->best)) m->at.best = 0, m->at.best_epoch = 0; /* 0.1 kept such a loss */
    if (at->epoch > VAE__MAX_EPOCHS)
        return vae__fail_in(from, VAE_ERR_FORMAT, "vae.epoch is %u; it must lie from 0 to %d",
                            at->epoch, (int)VAE__MAX_EPOCHS);
    if (at->cuts > VAE__MAX_CUTS)
        return vae__fail_in(from, VAE_ERR_FORMAT, "vae.course has %u cuts of the learning rate; "
                            "there may be %d", at->cuts, (int)VAE__MAX_CUTS);
    if (!sane || at->images > at->total || at->total > UINT32_MAX || at->step > at->images ||
        at->step > m->step || m->step >> 62 || (at->step != 0) != (at->images != 0) ||
        at->best_epoch > at->epoch || at->cut_epoch > at->epoch || at->cuts > at->epoch ||
        m->b1t < 0 || m->b1t > 1 || m->b2t < 0 || m->b2t > 1)
        return vae__fail_in(from, VAE_ERR_FORMAT, "vae.step, vae.position, vae.course or vae.adam "
                            "holds impossible numbers");
    return VAE_OK;
}

/* Fills a new model. Checks also what the model does not keep (the moments, for inference). */
VAE__PRIVATE vae_status vae__st_fill(const vae__st *st, vae *m) {
    const vae__section sections[] = {
        {"", m->w}, {"optim.m.", m->m}, {"optim.v.", m->v}, {"ema.", m->average}};
    uint64_t hash = VAE__FNV;
    int i, found[4] = {0, 0, 0, 0};
    size_t t;
    vae_status bad;
    for (i = 0; i < 4; i++) {
        const vae__section *section = &sections[i];
        const char *wrong;
        if (i == 2 && m->desc.optimizer == VAE_OPTIMIZER_SGD) continue;
        if (i == 3 && !m->average) continue;
        bad = vae__st_section(st, m, section, &hash, &found[i]);
        if (bad) return bad;
        if (i == 2 && found[1] != found[2])
            return vae__fail_in(&st->from, VAE_ERR_MISMATCH, "only a part of the optimiser's "
                                "tensors is there");
        if (i == 3 && !found[i]) memcpy(section->values, m->w, m->parameters * sizeof(float));
        wrong = section->values ? vae__bad_tensor(m, section->values) : NULL;
        if (wrong)
            return vae__fail_in(&st->from, VAE_ERR_NONFINITE, "%s%s holds numbers that are not "
                                "finite", section->prefix, wrong);
        for (t = 0; section->values && i != 2 && t < m->slot_count; t++) /* m would move w there */
            if (vae__mask(m, t, section->values + m->tensors[t].offset, NULL))
                return vae__fail_in(&st->from, VAE_ERR_FORMAT, "%s%s has numbers where its mask "
                                    "has none", section->prefix, m->tensors[t].name);
    }
    if (VAE__LEARNS(&m->desc) && m->v && !m->k->none_negative(m->parameters, m->v))
        return vae__fail_in(&st->from, VAE_ERR_FORMAT, "optim.v holds negative numbers");
    bad = vae__st_stranger(st);
    return bad ? bad : vae__st_state(st, m, found[1] && m->m, hash);
}

/* Temporary memory of a call: a block on the stack, and when that is full the caller's allocator.
 * So a small model loads without a heap. */
typedef struct vae__scratch {
    vae__arena arena; /* over `room` */
    const vae_allocator *heap;
    uint64_t room[1024];
} vae__scratch;

VAE__PRIVATE void *vae__scratch_alloc(size_t size, void *user) {
    vae__scratch *s = (vae__scratch *)user;
    void *block = vae__push(&s->arena, size, 1);
    return block ? block : vae__alloc(s->heap, size);
}
VAE__PRIVATE void vae__scratch_release(void *ptr, size_t size, void *user) {
    const vae__scratch *s = (const vae__scratch *)user;
    const char *at = (const char *)ptr;
    if (at < s->arena.base || at >= s->arena.base + s->arena.size) vae__release(s->heap, ptr, size);
}

/* The state of one call that loads. */
typedef struct vae__loader {
    vae__st st;
    vae_load_options o;
    vae_allocator temporary; /* allocates from `scratch` */
    vae__scratch scratch;
    vae_desc desc; /* its texts point into `line` or `kinds` */
    char *line; /* vae.desc */
    size_t line_size;
    char kinds[VAE__LINE_ROOM];
    vae plan; /* measured */
    vae_report why;
    const float *in_place; /* the parameters in the file, if the model can use them there */
} vae__loader;

/* Reads the file's description and applies the caller's options. */
VAE__PRIVATE vae_status vae__load_desc(vae__loader *l) {
    const vae__source *from = &l->st.from;
    const vae_load_options *o = &l->o;
    vae_desc *d = &l->desc;
    uint64_t format = 0;
    const int known = vae__st_numbers_of(&l->st, "vae.format", "u", &format);
    vae__st_item item;
    vae_status bad;
    if (!known)
        return vae__fail_in(from, VAE_ERR_MISMATCH, "a safetensors file, but not a model of vae.h: "
                            "it has no vae.format");
    if (known < 0 || format != 1)
        return vae__fail_in(from, VAE_ERR_MISMATCH, "vae.format is not 1");
    if (!vae__st_look_up(&l->st, VAE__ST_PAIR, "vae.desc", &item))
        return vae__fail_in(from, VAE_ERR_FORMAT, "vae.desc is missing");
    l->line_size = item.length + 1; /* it only becomes shorter without its escapes */
    l->line = (char *)vae__alloc_for(from, &l->temporary, l->line_size);
    if (!l->line) return VAE_ERR_MEMORY;
    if (vae__st_copy(item.value, l->line, l->line_size) != (ptrdiff_t)strlen(l->line))
        return vae__fail_in(from, VAE_ERR_FORMAT, "vae.desc holds a zero byte");
    bad = vae__set_line(l->line, l->kinds, VAE__STORED_COUNT, d, &l->why);
    if (bad)
        return vae__fail_in(from, bad == VAE_ERR_VALUE ? VAE_ERR_FORMAT : bad, "vae.desc: %s",
                            l->why.text);
    bad = vae__choose(d, o, &l->why);
    return bad ? vae__fail_in(from, bad, "%s", l->why.text) : VAE_OK;
}

/* Sets in_place if the parameters can be used in the file: in the model's order (another tool may
 * have changed it), without holes, aligned, in this machine's byte order. `plan` is a measured
 * model; its list of tensors is a temporary block. */
VAE__PRIVATE vae_status vae__load_place(vae__loader *l, vae *plan) {
    const size_t size = plan->slot_count * sizeof(vae__slot);
    const unsigned char *at = l->st.bytes + l->st.data_at;
    vae__st_item item;
    size_t t = 0, begin = 0;
    if (VAE__BIG_ENDIAN) return VAE_OK;
    plan->tensors = (vae__slot *)vae__alloc_for(&l->st.from, &l->temporary, size);
    if (!plan->tensors) return VAE_ERR_MEMORY;
    (void)vae__plan(plan, NULL, NULL); /* the measuring call has succeeded */
    for (; t < plan->slot_count; t++) {
        if (!vae__st_look_up(&l->st, VAE__ST_TENSOR, plan->tensors[t].name, &item)) break;
        if (!t) begin = item.tensor.begin;
        if (item.tensor.begin != begin + plan->tensors[t].offset * 4) break;
    }
    vae__release(&l->temporary, plan->tensors, size);
    plan->tensors = NULL;
    if (t == plan->slot_count && ((uintptr_t)(at + begin) & 3) == 0)
        l->in_place = (const float *)(const void *)(at + begin);
    return VAE_OK;
}

/* Bytes of memory that a model may take which comes from a file of `size` bytes. */
VAE__PRIVATE size_t vae__load_limit(const vae_load_options *o, size_t size) {
    const size_t base = (size_t)1 << 31;
    if (o->max_memory) return o->max_memory;
    return o->memory || size > (SIZE_MAX - base) / 16 ? SIZE_MAX : base + 16 * size;
}

/* Measures the bytes of memory that the model takes. */
VAE__PRIVATE vae_status vae__load_measure(vae__loader *l, size_t limit, size_t *need) {
    const vae__source *from = &l->st.from;
    vae_status bad = vae__measure(&l->desc, VAE__OWN, &l->plan, need, &l->why);
    if (bad) return vae__fail_in(from, bad, "%s", l->why.text);
    /* allocate nothing for a description that claims more than the file holds */
    if (l->plan.parameters > l->st.data_size / 4)
        return vae__fail_in(from, VAE_ERR_MISMATCH, "vae.desc has %z parameters, the file holds %z "
                            "floats", l->plan.parameters, l->st.data_size / 4);
    if (l->o.borrow && l->o.inference) bad = vae__load_place(l, &l->plan);
    if (bad) return bad;
    if (l->in_place) (void)vae__measure(&l->desc, VAE__BORROWED, &l->plan, need, NULL);
    if (*need > limit)
        return vae__fail_in(from, VAE_ERR_SIZE, "the model needs %z bytes of memory, more than the "
                            "%z that are allowed (max_memory; a smaller batch needs less)", *need,
                            limit);
    return VAE_OK;
}

enum { VAE__MODEL_HEADER_MAX = 1 << 20 }; /* far more than the largest network needs */

/* What all loaders do: gives *need or *model, whichever is not NULL. */
VAE__PRIVATE vae_status vae__load_with(vae__loader *l, const void *bytes, size_t size,
                                       const char *name, size_t *need, vae **model,
                                       vae_report *report) {
    vae *m = NULL;
    size_t total = 0;
    vae_status bad;
    l->o.inference = vae__inference(l->o.inference); /* `batch` and `borrow` depend on it */
    l->scratch.arena.base = (char *)l->scratch.room;
    l->scratch.arena.size = sizeof l->scratch.room;
    l->scratch.heap = &l->o.allocator;
    l->temporary.alloc = vae__scratch_alloc, l->temporary.release = vae__scratch_release;
    l->temporary.user = &l->scratch;
    bad = vae__st_open(&l->st, bytes, size, name, &l->temporary, report);
    if (!bad) bad = vae__load_desc(l);
    if (!bad) bad = vae__load_measure(l, vae__load_limit(&l->o, size), &total);
    if (!bad && need) *need = total;
    if (!bad && model) {
        bad = vae__make(&l->desc, l->o.memory, l->o.memory_size,
                        l->in_place ? VAE__BORROWED : VAE__OWN, l->in_place, &m, &l->why);
        if (bad) bad = vae__fail_in(&l->st.from, bad, "%s", l->why.text);
        else bad = vae__st_fill(&l->st, m);
        if (bad) vae_destroy(m);
        else *model = m;
    }
    vae__release(&l->temporary, l->line, l->line_size);
    vae__st_close(&l->st, &l->temporary);
    return bad;
}

VAE__PRIVATE VAE__NOINLINE vae_status vae__load_on_stack(const void *bytes, size_t size,
                                                         const char *name,
                                                         const vae_load_options *options,
                                                         size_t *need, vae **model,
                                                         vae_report *report) {
    vae__loader l;
    memset((void *)&l, 0, sizeof l);
    if (options) l.o = *options;
    return vae__load_with(&l, bytes, size, name, need, model, report);
}

VAE__PRIVATE vae_status vae__load(const void *bytes, size_t size, const char *name,
                                  const vae_load_options *options, size_t *need, vae **model,
                                  vae_report *report) {
    const size_t loader = (sizeof(vae__loader) + 63) & ~(size_t)63;
    if (!need && !model) return vae__fail(report, VAE_ERR_NULL, "the result's pointer is NULL");
    if (!bytes) return vae__fail(report, VAE_ERR_NULL, "bytes is NULL");
    if (size > VAE__MODEL_HEADER_MAX && !vae__get_le32((const unsigned char *)bytes + 4) &&
        vae__get_le32((const unsigned char *)bytes) > VAE__MODEL_HEADER_MAX)
        return vae__fail(report, VAE_ERR_MISMATCH, "%s: a header of more than %d bytes: not a "
                         "model of vae.h", vae__tail(name), (int)VAE__MODEL_HEADER_MAX);
    if (model && options && options->memory && options->memory_size > loader + 64 &&
        ((uintptr_t)options->memory >= (uintptr_t)bytes + size || /* not in the file itself */
         (uintptr_t)options->memory + options->memory_size <= (uintptr_t)bytes)) {
        /* the end of a block that is large enough takes what else would be on the stack */
        const size_t rest = options->memory_size - loader;
        const size_t off = (size_t)((uintptr_t)options->memory + rest) & 63;
        vae__loader *l = (vae__loader *)(void *)((char *)options->memory + rest - off);
        vae_status bad;
        memset((void *)l, 0, sizeof *l);
        l->o = *options, l->o.memory_size = rest - off;
        bad = vae__load_with(l, bytes, size, name, NULL, model, report);
        if (bad != VAE_ERR_SIZE) return bad;
    }
    return vae__load_on_stack(bytes, size, name, options, need, model, report);
}

VAE_API vae_status vae_load_size(const void *bytes, size_t size, const vae_load_options *options,
                                 size_t *need, vae_report *report) {
    VAE__GUARDED(vae__load(bytes, size, "model", options, need, NULL, report));
}

VAE_API vae_status vae_load_memory(const void *bytes, size_t size, const vae_load_options *options,
                                   vae **model, vae_report *report) {
    VAE__GUARDED(vae__load(bytes, size, "model", options, NULL, model, report));
}

#ifndef VAE_NO_STDIO
VAE__PRIVATE vae_status vae__save_model(vae *m, const vae_claim *held, const char *path,
                                        int flags) {
    vae__writer w;
    vae_status bad = m ? vae__can_save(m, flags) : VAE_ERR_NULL;
    if (!bad) bad = vae__open_write(&w, held, path, &m->report);
    if (bad) return bad;
    vae__put_model(&w.sink, m, flags);
    return vae__close_write(&w);
}
VAE_API vae_status vae_claim_save_model(const vae_claim *claim, vae *m, int flags) {
    VAE__COMPUTES(m, vae__save_model(m, claim, NULL, flags));
}
VAE_API vae_status vae_save(vae *m, const char *path, int flags) {
    VAE__COMPUTES(m, vae__save_model(m, NULL, path, flags));
}

/* Reads on until *block, which grows, holds `want` bytes of the file. */
VAE__PRIVATE vae_status vae__read_to(vae__reader *r, size_t want, const vae_allocator *a,
                                     unsigned char **block, size_t *room) {
    unsigned char *more = (unsigned char *)vae__alloc_for(&r->from, a, want);
    size_t got = 0;
    if (!more) return VAE_ERR_MEMORY;
    if (r->at) memcpy(more, *block, r->at);
    vae__release(a, *block, *room);
    *block = more, *room = want;
    return r->pull(r, more + r->at, want - r->at, &got);
}

VAE__PRIVATE vae_status vae__do_load(const char *path, const vae_load_options *options, vae **model,
                                     vae_report *report) {
    vae__reader r;
    vae_load_options o;
    unsigned char *bytes = NULL;
    size_t room = 0, need = 0, head;
    vae_status bad;
    if (!model) return vae__fail(report, VAE_ERR_NULL, "model is NULL");
    memset((void *)&o, 0, sizeof o);
    if (options) o = *options;
    o.borrow = 0; /* the bytes are released before this returns */
    bad = vae__open_read(&r, path, 1, report);
    if (bad) return bad;
    /* the header first, so that other files and too large models are refused before all is read */
    bad = vae__read_to(&r, vae__min(r.size, 8), &o.allocator, &bytes, &room);
    head = r.at < 8 || vae__get_le32(bytes + 4) ? 0 : vae__get_le32(bytes);
    head = vae__min(r.size, 8 + vae__min(head, VAE__MODEL_HEADER_MAX));
    if (!bad) bad = vae__read_to(&r, head, &o.allocator, &bytes, &room);
    if (!bad) bad = vae__load(bytes, r.at < head ? r.at : r.size, path, &o, &need, NULL, report);
    if (!bad) bad = vae__read_to(&r, r.size, &o.allocator, &bytes, &room);
    VAE__CLOSE(r.file);
    if (!bad) bad = vae__load(bytes, r.at, path, &o, NULL, model, report);
    vae__release(&o.allocator, bytes, room);
    return bad;
}
VAE_API vae_status vae_load(const char *path, const vae_load_options *options, vae **model,
                            vae_report *report) {
    VAE__GUARDED(vae__do_load(path, options, model, report));
}
#endif /* VAE_NO_STDIO */

/* ======================================================================================
 * >>data     IDX files, plain or gzip; not with VAE_NO_DATA
 * uses: >>arena >>files              tests: tests/test_data.c, tests/fuzz_idx.c
 * ==================================================================================== */

#ifndef VAE_NO_DATA

/* ---- gzip (RFC 1952) around deflate (RFC 1951) ----
 *
 * Unpacks piece by piece, in one block of about 200 KB. Everything is checked: that code tables are
 * prefix codes, that no distance reaches before the first byte, that no reserved bit is set, that
 * CRC-32 and length of each member are right. */

enum {
    VAE__GZ_IN = 65536,
    VAE__GZ_WINDOW = 32768,             /* how far back a match may lie */
    VAE__GZ_FULL = 3 * VAE__GZ_WINDOW,  /* with this many bytes the output is handed on */
    VAE__GZ_PAD = 32,                   /* zeros after the last byte, for reading ahead */
    VAE__GZ_LIT_BITS = 11,              /* bits of the first step of a table look-up */
    VAE__GZ_DIST_BITS = 9,
    /* A longer code shares its first bits with at least one other code. All codes with the same
     * first bits have one second table, for what follows these bits, up to bit 15. */
    VAE__GZ_LIT_SIZE = (1 << VAE__GZ_LIT_BITS) + (288 / 2 << (15 - VAE__GZ_LIT_BITS)),
    VAE__GZ_DIST_SIZE = (1 << VAE__GZ_DIST_BITS) + (32 / 2 << (15 - VAE__GZ_DIST_BITS))
};

/* What comes next. A raw deflate stream has no header and no trailer. */
enum {
    VAE__GZ_HEADER, VAE__GZ_BLOCK, VAE__GZ_STORED, VAE__GZ_CODES, VAE__GZ_TRAILER, VAE__GZ_DONE
};

/* The three alphabets of a block: code lengths, literals with lengths, distances. */
enum { VAE__GZ_LENGTHS, VAE__GZ_LITS, VAE__GZ_DISTS };

/* A table entry: value << 16 | kind << 12 | extra bits << 8 | length of the code. */
enum {
    VAE__GZ_LITERAL = 0,
    VAE__GZ_BASE = 1 << 12, /* value + extra bits: a length, or a distance */
    VAE__GZ_END = 2 << 12,
    VAE__GZ_MORE = 3 << 12, /* value: where the second table begins */
    VAE__GZ_BAD = 4 << 12,
    VAE__GZ_KIND = 7 << 12
};

/* Input as bits, the lowest of a byte first. */
typedef struct vae__bits {
    const unsigned char *in;
    size_t at, end; /* the next byte; the end of the input with its padding */
    uint64_t hold;  /* `count` bits that were read and not yet used, lowest first */
    unsigned count;
} vae__bits;

typedef struct vae__gzip {
    vae__reader reader;  /* of the unpacked data; the first member: `pull` casts to vae__gzip */
    vae__reader *packed;
    vae_status status;   /* the first failure; everything read after it is zero */
    int next, raw;       /* what comes next; raw: a deflate stream without gzip */
    int last;            /* this block is the last one */
    size_t left;         /* bytes left of a stored block */
    uint64_t base;       /* offset of in[0] in the file */
    vae__bits b;
    size_t real;         /* end of the bytes that were read into `in` */
    int ended;           /* `packed` has no more bytes */
    int fixed;           /* the tables are those of a fixed block */
    size_t pos, done;    /* in `out`: end of the output, end of what was handed on */
    uint32_t crc, length, head_crc; /* of this member's output; CRC of its header */
    uint32_t crc_table[8][256];
    uint32_t lit[VAE__GZ_LIT_SIZE], dist[VAE__GZ_DIST_SIZE];
    unsigned char lens[320];
    unsigned char in[VAE__GZ_IN + 2 * VAE__GZ_PAD];
    unsigned char out[VAE__GZ_FULL + 320];
} vae__gzip;

/* CRC-32 in steps of eight bytes: row k is for the byte k places before the last one. */
VAE__PRIVATE void vae__crc_init(uint32_t table[8][256]) {
    uint32_t i, k, c;
    for (i = 0; i < 256; i++) {
        for (c = i, k = 0; k < 8; k++) c = c >> 1 ^ (c & 1 ? 0xEDB88320u : 0);
        table[0][i] = c;
    }
    for (k = 1; k < 8; k++)
        for (i = 0; i < 256; i++)
            table[k][i] = table[k - 1][i] >> 8 ^ table[0][table[k - 1][i] & 0xFF];
}

VAE__PRIVATE uint32_t vae__crc(uint32_t table[8][256], uint32_t crc, const unsigned char *p,
                               size_t n) {
    uint32_t c = ~crc;
    for (; n >= 8; n -= 8, p += 8) {
        uint32_t a = c ^ vae__get_le32(p), b = vae__get_le32(p + 4);
        c = table[7][a & 0xFF] ^ table[6][a >> 8 & 0xFF] ^ table[5][a >> 16 & 0xFF] ^
            table[4][a >> 24] ^ table[3][b & 0xFF] ^ table[2][b >> 8 & 0xFF] ^
            table[1][b >> 16 & 0xFF] ^ table[0][b >> 24];
    }
    for (; n; n--) c = c >> 8 ^ table[0][(c ^ *p++) & 0xFF];
    return ~c;
}

/* The byte that the next bit is in. */
VAE__PRIVATE size_t vae__gz_at(const vae__gzip *g) { return g->b.at - (g->b.count >> 3); }

/* Whether zeros after the last byte were used as data. */
VAE__PRIVATE int vae__gz_overrun(const vae__gzip *g) {
    return g->ended && vae__gz_at(g) > g->real;
}

/* Reports a problem `back` bytes before the current place; or the end of the file when zeros after
 * it were used, because these may look like any other problem. */
VAE__PRIVATE void vae__gz_fail(vae__gzip *g, unsigned back, const char *problem) {
    uint64_t at = g->base + vae__gz_at(g) - back;
    if (g->status) return;
    if (vae__gz_overrun(g)) {
        at = g->base + g->real;
        problem = "the file is truncated in the middle of packed data";
    }
    g->status = vae__fail_in(&g->packed->from, VAE_ERR_FORMAT, "byte %u: %s", at, problem);
}

/* Reads on. After the last byte of the file stand more zeros than reading ahead can reach, so a
 * call after the end means that zeros were used. */
VAE__PRIVATE void vae__gz_more(vae__gzip *g) {
    const size_t from = vae__gz_at(g); /* keep the bytes that `hold` has: they may be given back */
    size_t got = 0;
    if (g->ended) {
        g->b.at = g->real + 1, g->b.count = 0;
        vae__gz_fail(g, 0, "");
        return;
    }
    memmove(g->in, g->in + from, g->real - from);
    g->base += from, g->b.at -= from, g->real -= from;
    g->status = g->packed->pull(g->packed, g->in + g->real, VAE__GZ_IN - g->real, &got);
    g->ended = got < VAE__GZ_IN - g->real;
    g->real += got;
    g->b.end = g->real + (g->ended ? VAE__GZ_PAD : 0);
    if (g->ended) memset(g->in + g->real, 0, VAE__GZ_PAD);
}

/* Fills `hold` to at least 56 bits. The bits above `count` are correct too, but not counted: the
 * next refill adds the same ones. Looks at 8 bytes and takes up to 7. */
VAE__INLINE void vae__gz_refill(vae__bits *b) {
    b->hold |= ((uint64_t)vae__get_le32(b->in + b->at) |
                (uint64_t)vae__get_le32(b->in + b->at + 4) << 32) << b->count;
    b->at += (63 - b->count) >> 3;
    b->count |= 56;
}

/* Takes up to 32 bits from `hold`, which must have them. */
VAE__INLINE uint32_t vae__gz_take(vae__bits *b, unsigned count) {
    const uint32_t u = (uint32_t)(b->hold & (((uint64_t)1 << count) - 1));
    b->hold >>= count, b->count -= count;
    return u;
}

/* Takes the next code: its table entry. The first step of the look-up has `first` bits. */
VAE__INLINE uint32_t vae__gz_symbol(vae__bits *b, const uint32_t *table, unsigned first) {
    uint32_t e = table[b->hold & ((1u << first) - 1)];
    if ((e & VAE__GZ_KIND) == VAE__GZ_MORE)
        e = table[(e >> 16) + (b->hold >> first & (0x7FFFu >> first))];
    (void)vae__gz_take(b, e & 15);
    return e;
}

/* A length or a distance: its base and the bits after the code. */
VAE__INLINE size_t vae__gz_value(vae__bits *b, uint32_t e) {
    return (e >> 16) + vae__gz_take(b, e >> 8 & 15);
}

VAE__PRIVATE int vae__gz_need(vae__gzip *g, unsigned count) {
    if (g->b.count < count && g->b.end - g->b.at < 16) vae__gz_more(g);
    if (g->b.count < count && !g->status) vae__gz_refill(&g->b);
    return !g->status;
}

/* The next bits; 0 after a failure. */
VAE__PRIVATE uint32_t vae__gz_bits(vae__gzip *g, unsigned count) {
    return vae__gz_need(g, count) ? vae__gz_take(&g->b, count) : 0;
}

/* Gives whole bytes back and drops the other bits of the current byte. */
VAE__PRIVATE void vae__gz_align(vae__gzip *g) {
    g->b.at = vae__gz_at(g);
    g->b.hold = 0, g->b.count = 0;
}

/* Takes bytes of a header or trailer, the lowest first; only after vae__gz_align. */
VAE__PRIVATE uint32_t vae__gz_bytes(vae__gzip *g, unsigned count) {
    uint32_t u = 0;
    unsigned i;
    for (i = 0; i < count; i++) {
        while (g->b.at >= g->real && !g->status) vae__gz_more(g);
        if (g->status) return 0;
        g->head_crc = vae__crc(g->crc_table, g->head_crc, g->in + g->b.at, 1);
        u |= (uint32_t)g->in[g->b.at++] << 8 * i;
    }
    return u;
}

/* The meaning of a symbol. Lengths double their step every 4 symbols, distances every 2. */
VAE__PRIVATE uint32_t vae__gz_entry(int alphabet, uint32_t symbol) {
    const uint32_t lits = alphabet == VAE__GZ_LITS, shift = lits ? 2 : 1, group = 1u << shift;
    uint32_t extra = 0, base;
    if (alphabet == VAE__GZ_LENGTHS || (lits && symbol < 256)) return symbol << 16;
    if (lits && symbol == 256) return VAE__GZ_END;
    if (symbol > (lits ? 285 : 29)) return VAE__GZ_BAD;
    base = symbol -= lits ? 257 : 0;
    if (symbol >= 2 * group) {
        extra = (symbol >> shift) - 1;
        base = (group | (symbol & (group - 1))) << extra;
    }
    if (lits && symbol == 28) base = 255, extra = 0; /* the longest length: a special case */
    return (base + (lits ? 3 : 1)) << 16 | VAE__GZ_BASE | extra << 8;
}

/* Makes a look-up table from code lengths; its first step has `bits` bits. Returns 0 when the
 * lengths give no prefix code, or an incomplete one. No code, or one code of one bit, is allowed: a
 * block may have no distance, or one. */
VAE__PRIVATE int vae__gz_table(uint32_t *table, unsigned bits, int alphabet,
                               const unsigned char *lens, size_t count) {
    unsigned number[16] = {0}, next[16], code = 0, len;
    int left = 1;
    size_t first = (size_t)1 << bits, second = first, i, s, used = 0;
    for (s = 0; s < count; s++) number[lens[s]]++, used += lens[s] != 0;
    for (len = 1; len < 16; len++) {
        left = 2 * left - (int)number[len];
        if (left < 0) return 0;
        next[len] = code;
        code = (code + number[len]) << 1;
    }
    if (left && (alphabet == VAE__GZ_LENGTHS || used > 1 || number[1] != used)) return 0;
    for (i = 0; i < first; i++) table[i] = VAE__GZ_BAD;
    for (s = 0; s < count; s++) {
        uint32_t entry, low;
        unsigned back = 0, k;
        len = lens[s];
        if (!len) continue;
        code = next[len]++;
        for (k = 0; k < len; k++) back = back << 1 | (code >> k & 1); /* highest bit first */
        entry = vae__gz_entry(alphabet, (uint32_t)s) | len;
        if (len <= bits) {
            for (i = back; i < first; i += (size_t)1 << len) table[i] = entry;
            continue;
        }
        low = back & (uint32_t)(first - 1);
        if ((table[low] & VAE__GZ_KIND) != VAE__GZ_MORE) {
            table[low] = (uint32_t)second << 16 | VAE__GZ_MORE;
            second += (size_t)1 << (15 - bits);
        }
        for (i = back >> bits; i < (size_t)1 << (15 - bits); i += (size_t)1 << (len - bits))
            table[(table[low] >> 16) + i] = entry;
    }
    return 1;
}

/* Reads the tables at the head of a dynamic block. Returns what is wrong with them, or NULL. */
VAE__PRIVATE const char *vae__gz_dynamic(vae__gzip *g) {
    static const unsigned char order[19] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                            11, 4,  12, 3, 13, 2, 14, 1, 15};
    static const unsigned char wide[3] = {2, 3, 7}, least[3] = {3, 3, 11}; /* of 16, 17, 18 */
    const uint32_t lits = vae__gz_bits(g, 5) + 257, dists = vae__gz_bits(g, 5) + 1;
    const uint32_t codes = vae__gz_bits(g, 4) + 4;
    uint32_t i;
    if (lits > 286 || dists > 30) return "a deflate block has too many codes";
    memset(g->lens, 0, 19);
    for (i = 0; i < codes; i++) g->lens[order[i]] = (unsigned char)vae__gz_bits(g, 3);
    if (!vae__gz_table(g->dist, 7, VAE__GZ_LENGTHS, g->lens, 19)) /* `dist` is free until later */
        return "a deflate block has a wrong table of code lengths";
    for (i = 0; i < lits + dists;) {
        uint32_t symbol, repeat = 1;
        unsigned char value;
        if (!vae__gz_need(g, 14)) return NULL; /* 7 for a code, 7 after it */
        symbol = vae__gz_symbol(&g->b, g->dist, 7) >> 16;
        value = symbol < 16 ? (unsigned char)symbol : 0;
        if (symbol >= 16) repeat = least[symbol - 16] + vae__gz_bits(g, wide[symbol - 16]);
        if (symbol == 16) {
            if (!i) return "a deflate block repeats a code length before the first";
            value = g->lens[i - 1];
        }
        if (repeat > lits + dists - i) return "a deflate block has more code lengths than codes";
        memset(g->lens + i, value, repeat);
        i += repeat;
    }
    if (!g->lens[256]) return "a deflate block has no code for its end";
    g->fixed = 0;
    if (!vae__gz_table(g->lit, VAE__GZ_LIT_BITS, VAE__GZ_LITS, g->lens, lits) ||
        !vae__gz_table(g->dist, VAE__GZ_DIST_BITS, VAE__GZ_DISTS, g->lens + lits, dists))
        return "a deflate block has a wrong table of codes";
    return NULL;
}

VAE__PRIVATE void vae__gz_fixed(vae__gzip *g) {
    int i;
    if (g->fixed) return;
    for (i = 0; i < 288; i++) g->lens[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
    (void)vae__gz_table(g->lit, VAE__GZ_LIT_BITS, VAE__GZ_LITS, g->lens, 288);
    memset(g->lens, 5, 32);
    (void)vae__gz_table(g->dist, VAE__GZ_DIST_BITS, VAE__GZ_DISTS, g->lens, 32);
    g->fixed = 1;
}

/* Copies `length` bytes from `back` bytes before. May write up to 7 bytes more: there is room, and
 * later output overwrites them. */
VAE__INLINE void vae__gz_copy(unsigned char *to, size_t back, size_t length) {
    const unsigned char *stop = to + length;
    if (back >= 8) do memcpy(to, to - back, 8), to += 8; while (to < stop);
    else if (back == 1) memset(to, to[-1], length);
    else do *to = *(to - back); while (++to < stop);
}

/* Unpacks symbols until the block ends or the output is full. A length and its distance take at
 * most 48 bits: 15 + 5 and 15 + 13. */
VAE__PRIVATE void vae__gz_codes(vae__gzip *g) {
    const uint32_t *lit = g->lit, first = (1u << VAE__GZ_LIT_BITS) - 1;
    vae__bits b = g->b; /* a copy, which the compiler keeps in registers */
    unsigned char *out = g->out;
    size_t pos = g->pos;
    const char *problem = NULL;
    while (pos <= VAE__GZ_FULL) {
        size_t length, back;
        uint32_t e;
        int n;
        if (b.end - b.at < 16) {
            g->b = b;
            vae__gz_more(g);
            if (g->status) return;
            b = g->b;
        }
        vae__gz_refill(&b);
        for (n = 0; n < 3 && !((e = lit[b.hold & first]) & VAE__GZ_KIND); n++) {
            (void)vae__gz_take(&b, e & 15);
            out[pos++] = (unsigned char)(e >> 16);
        }
        vae__gz_refill(&b);
        e = vae__gz_symbol(&b, lit, VAE__GZ_LIT_BITS);
        if (!(e & VAE__GZ_KIND)) {
            out[pos++] = (unsigned char)(e >> 16);
            continue;
        }
        if ((e & VAE__GZ_KIND) != VAE__GZ_BASE) {
            if ((e & VAE__GZ_KIND) == VAE__GZ_BAD) problem = "a deflate block holds a wrong code";
            g->next = VAE__GZ_BLOCK;
            break;
        }
        length = vae__gz_value(&b, e);
        e = vae__gz_symbol(&b, g->dist, VAE__GZ_DIST_BITS);
        back = vae__gz_value(&b, e);
        if ((e & VAE__GZ_KIND) != VAE__GZ_BASE || back > pos) {
            problem = back > pos ? "a deflate block copies from before the first byte"
                                 : "a deflate block holds a wrong distance";
            break;
        }
        vae__gz_copy(out + pos, back, length);
        pos += length;
    }
    g->b = b, g->pos = pos;
    if (problem) vae__gz_fail(g, 0, problem);
}

VAE__PRIVATE void vae__gz_stored(vae__gzip *g) {
    while (g->left && g->pos <= VAE__GZ_FULL && !g->status) {
        const size_t there = g->b.at < g->real ? g->real - g->b.at : 0;
        const size_t run = vae__min(vae__min(g->left, there), sizeof g->out - g->pos);
        memcpy(g->out + g->pos, g->in + g->b.at, run);
        g->pos += run, g->b.at += run, g->left -= run;
        if (!there) vae__gz_more(g);
    }
    if (!g->left) g->next = VAE__GZ_BLOCK;
}

/* Reads the head of the next block; after the last block, goes on to what follows the blocks. */
VAE__PRIVATE void vae__gz_block(vae__gzip *g) {
    const char *problem = NULL;
    uint32_t type;
    if (g->last) {
        if (vae__gz_overrun(g)) vae__gz_fail(g, 0, "");
        vae__gz_align(g);
        g->next = g->raw ? VAE__GZ_DONE : VAE__GZ_TRAILER;
        return;
    }
    g->last = (int)vae__gz_bits(g, 1);
    type = vae__gz_bits(g, 2);
    g->next = type ? VAE__GZ_CODES : VAE__GZ_STORED;
    if (type == 0) {
        vae__gz_align(g);
        g->left = vae__gz_bytes(g, 2);
        if ((g->left ^ vae__gz_bytes(g, 2)) != 0xFFFF)
            problem = "the two lengths of a stored deflate block differ";
    }
    if (type == 1) vae__gz_fixed(g);
    if (type == 2) problem = vae__gz_dynamic(g);
    if (type == 3) problem = "a deflate block of a type that does not exist";
    if (problem) vae__gz_fail(g, 0, problem);
}

VAE__PRIVATE void vae__gz_header(vae__gzip *g) {
    uint32_t x, flags, i;
    g->crc = g->length = g->head_crc = 0, g->pos = g->done = 0, g->last = 0;
    x = vae__gz_bytes(g, 1);
    if (x != 0x1F || vae__gz_bytes(g, 1) != 0x8B)
        vae__gz_fail(g, x == 0x1F ? 2 : 1,
                     "expected the end or a gzip member, found trailing bytes");
    x = vae__gz_bytes(g, 1), flags = vae__gz_bytes(g, 1);
    (void)vae__gz_bytes(g, 4), (void)vae__gz_bytes(g, 2); /* time, level, system */
    if (x != 8 || flags & 0xE0)
        vae__gz_fail(g, 8, "the gzip header names a method or flag that does not exist");
    if (flags & 4) /* extra field */
        for (i = vae__gz_bytes(g, 2); i && !g->status; i--) (void)vae__gz_bytes(g, 1);
    for (i = flags >> 3 & 3; i; i &= i - 1) /* name, comment */
        while (vae__gz_bytes(g, 1)) {}
    x = g->head_crc & 0xFFFF;
    if (flags & 2 && vae__gz_bytes(g, 2) != x)
        vae__gz_fail(g, 2, "the gzip header does not match its CRC");
    g->next = VAE__GZ_BLOCK;
}

VAE__PRIVATE void vae__gz_trailer(vae__gzip *g) {
    unsigned char is[8], want[8];
    uint32_t i;
    for (i = 0; i < 8; i++) {
        is[i] = (unsigned char)vae__gz_bytes(g, 1);
        want[i] = (unsigned char)((i < 4 ? g->crc : g->length) >> 8 * (i & 3));
    }
    for (i = 0; i < 8 && !g->status; i += 4)
        if (memcmp(is + i, want + i, 4))
            g->status = vae__fail_in(&g->packed->from, VAE_ERR_FORMAT, "byte %u: the gzip %s is "
                                     "%h, but the data give %h", g->base + g->b.at - 8 + i,
                                     i ? "length" : "CRC", is + i, (size_t)4, want + i, (size_t)4);
    i = 0; /* zeros up to the end are padding, as for gzip; nothing may follow them */
    while (!g->status && (g->b.at < g->real || !g->ended)) {
        if (g->b.at >= g->real) vae__gz_more(g);
        else if (!g->in[g->b.at]) g->b.at++, i = 1;
        else break;
    }
    if (i && g->b.at < g->real)
        vae__gz_fail(g, 0, "expected zeros up to the end after the last gzip member, found "
                     "trailing bytes");
    g->next = g->b.at < g->real ? VAE__GZ_HEADER : VAE__GZ_DONE;
}

VAE__PRIVATE vae_status vae__gz_read(vae__reader *r, void *to, size_t want, size_t *got) {
    vae__gzip *g = (vae__gzip *)r;
    for (*got = 0;;) {
        const size_t run = vae__min(want - *got, g->pos - g->done);
        if (run) memcpy((unsigned char *)to + *got, g->out + g->done, run);
        *got += run, g->done += run;
        if (*got == want || g->status || g->next == VAE__GZ_DONE) return g->status;
        if (g->pos > 2 * VAE__GZ_WINDOW) { /* everything is handed on: keep the window */
            memmove(g->out, g->out + g->pos - VAE__GZ_WINDOW, VAE__GZ_WINDOW);
            g->pos = g->done = VAE__GZ_WINDOW;
        }
        if (g->next == VAE__GZ_TRAILER) vae__gz_trailer(g);
        while (!g->status && g->next < VAE__GZ_TRAILER && g->pos <= VAE__GZ_FULL)
            switch (g->next) {
            case VAE__GZ_HEADER: vae__gz_header(g); break;
            case VAE__GZ_BLOCK: vae__gz_block(g); break;
            case VAE__GZ_STORED: vae__gz_stored(g); break;
            default: vae__gz_codes(g);
            }
        g->crc = vae__crc(g->crc_table, g->crc, g->out + g->done, g->pos - g->done);
        g->length += (uint32_t)(g->pos - g->done);
    }
}

/* A reader of the data packed in another reader. `begin` holds the `count` bytes that were already
 * read from that one. NULL when there is no memory. */
VAE__PRIVATE vae__gzip *vae__gz_open(vae__reader *packed, const unsigned char *begin, size_t count,
                                     int raw, const vae_allocator *allocator) {
    vae__gzip *g = (vae__gzip *)vae__alloc_for(&packed->from, allocator, sizeof(vae__gzip));
    if (!g) return NULL;
    memset(g, 0, offsetof(vae__gzip, in));
    g->reader = vae__reader_of(NULL, SIZE_MAX, NULL, NULL);
    g->reader.pull = vae__gz_read;
    g->reader.from = packed->from, g->reader.of = " of the unpacked data";
    g->packed = packed;
    g->raw = raw, g->next = raw ? VAE__GZ_BLOCK : VAE__GZ_HEADER;
    if (count) memcpy(g->in, begin, count);
    g->b.in = g->in, g->real = g->b.end = count;
    vae__crc_init(g->crc_table);
    return g;
}

/* ---- IDX: 00 00 type rank, sizes and then numbers, all of them big-endian ---- */

/* Converts between big-endian and this machine, in place. By bytes, because a swapped float may be
 * a signalling NaN, which changes when it is loaded. */
VAE__PRIVATE void vae__swap(unsigned char *p, size_t count, size_t width) {
    size_t i;
    if (VAE__BIG_ENDIAN || width == 1) return;
    for (; count; count--, p += width)
        for (i = 0; i < width / 2; i++) {
            unsigned char c = p[i];
            p[i] = p[width - 1 - i], p[width - 1 - i] = c;
        }
}

VAE__PRIVATE vae_status vae__idx_short(const vae__reader *in, size_t place, size_t have,
                                       size_t want, const char *what) {
    return vae__fail_in(&in->from, VAE_ERR_FORMAT, "byte %z%s: expected %z bytes of %s, the file "
                        "is truncated: %z are missing", place + have, in->of, want, what,
                        want - have);
}

/* Reads the rest of a part of `want` bytes that begins at `place`; `have` bytes are there. */
VAE__PRIVATE vae_status vae__idx_part(vae__reader *in, void *to, size_t place, size_t have,
                                      size_t want, const char *what) {
    size_t got = 0;
    vae_status bad = in->pull(in, (unsigned char *)to + have, want - have, &got);
    return bad || have + got == want ? bad : vae__idx_short(in, place, have + got, want, what);
}

/* Reads a file of `size` bytes, packed or not. `head` (VAE__IDX_HEAD bytes) holds its first `have`
 * bytes. Allocates nothing for data that the file cannot hold. */
enum { VAE__IDX_HEAD = 4 + 4 * VAE_MAX_RANK };
VAE__PRIVATE vae_status vae__idx_load(vae__reader *in, size_t size, unsigned char *head,
                                      size_t have, vae_data *d) {
    const vae__source *from = &in->from;
    const int packed = *in->of != 0;
    const char *problem;
    unsigned char extra;
    size_t need = 4, total = 0, rest, i;
    vae_status bad = vae__idx_part(in, head, 0, have, need, "an IDX header");
    if (bad) return bad;
    if (head[0] || head[1])
        return vae__fail_in(from, VAE_ERR_FORMAT, "byte 0%s: expected an IDX file (00 00 type "
                            "rank)%s, found %h", in->of, packed ? "" : " or gzip (1f 8b)", head,
                            need);
    problem = vae__kind_problem(head[2], head[3]);
    if (!problem) {
        need += 4 * (size_t)head[3];
        bad = vae__idx_part(in, head, 0, 4, need, "an IDX header");
        if (bad) return bad;
        d->type = (vae_type)head[2], d->rank = head[3];
        for (i = 4; i < need; i++) d->dims[i / 4 - 1] = d->dims[i / 4 - 1] << 8 | head[i];
        total = vae__data_shape(d, &problem);
    }
    if (!total)
        return vae__fail_in(from, VAE_ERR_FORMAT, "byte %d%s: the IDX header %h has %s",
                            need == 4 ? 2 : 4, in->of, head, need, problem);
    rest = size == SIZE_MAX || packed ? SIZE_MAX : size > need ? size - need : 0;
    if (packed && size != SIZE_MAX && total / 1032 > size) /* 2 bits give at most 258 bytes */
        return vae__fail_in(from, VAE_ERR_FORMAT, "byte 4%s: the IDX header asks for %z bytes, "
                            "more than a gzip file of %z bytes can hold", in->of, total, size);
    if (rest < total) return vae__idx_short(in, need, rest, total, "data");
    d->block = vae__alloc_for(from, &d->allocator, total);
    if (!d->block) return VAE_ERR_MEMORY;
    d->bytes = d->block, d->block_size = total;
    bad = vae__idx_part(in, d->block, need, 0, total, "data");
    if (!bad) bad = in->pull(in, &extra, 1, &have);
    if (!bad && have)
        bad = vae__fail_in(from, VAE_ERR_FORMAT, rest == SIZE_MAX || rest == total ?
                           "byte %z%s: expected the end after %z bytes of data, found trailing "
                           "bytes" : "byte %z%s: expected the end after %z bytes of data, found %z "
                           "trailing bytes", need + total, in->of, total, rest - total);
    if (!bad) vae__swap((unsigned char *)d->block, d->count * d->item, vae__type_width(head[2]));
    return bad;
}

VAE__PRIVATE vae_status vae__data_from(vae__reader *file, const vae_allocator *allocator,
                                       vae_data *data) {
    unsigned char head[VAE__IDX_HEAD];
    vae__reader *in = file;
    vae__gzip *g = NULL;
    vae_data d;
    size_t have = 0;
    vae_status bad = file->pull(file, head, 4, &have);
    memset(&d, 0, sizeof d);
    if (allocator) d.allocator = *allocator;
    if (!bad && have >= 2 && head[0] == 0x1F && head[1] == 0x8B) {
        g = vae__gz_open(file, head, have, 0, &d.allocator);
        if (!g) return VAE_ERR_MEMORY;
        in = &g->reader, have = 0;
    }
    if (!bad) bad = vae__idx_load(in, file->size, head, have, &d);
    vae__release(&d.allocator, g, sizeof(vae__gzip));
    if (!bad) *data = d;
    else vae__release(&d.allocator, d.block, d.block_size);
    return bad;
}

/* ---- the public part ---- */

VAE_API vae_status vae_data_from_memory(const void *bytes, size_t size, const char *name,
                                        const vae_allocator *allocator, vae_data *data,
                                        vae_report *report) {
    vae__reader reader = vae__reader_of(bytes, size, name, report);
    if (!bytes || !data)
        return vae__fail(report, VAE_ERR_NULL, "vae_data_from_memory: %s is NULL",
                         bytes ? "data" : "bytes");
    return vae__data_from(&reader, allocator, data);
}

VAE_API vae_status vae_inflate(const void *bytes, size_t size, const char *name,
                               const vae_allocator *allocator, void *out, size_t out_size,
                               size_t *used, vae_report *report) {
    vae__reader reader = vae__reader_of(bytes, size, name, report);
    vae__gzip *g;
    vae_status bad;
    unsigned char extra;
    size_t got = 0, more = 0;
    if (!bytes || (!out && out_size))
        return vae__fail(report, VAE_ERR_NULL, "vae_inflate: %s is NULL", bytes ? "out" : "bytes");
    g = vae__gz_open(&reader, NULL, 0, 1, allocator);
    if (!g) return VAE_ERR_MEMORY;
    bad = vae__gz_read(&g->reader, out, out_size, &got);
    if (!bad) bad = vae__gz_read(&g->reader, &extra, 1, &more);
    if (!bad && more)
        bad = vae__fail_in(&reader.from, VAE_ERR_SIZE, "unpacks to more than %z bytes", out_size);
    if (!bad && got < out_size)
        bad = vae__fail_in(&reader.from, VAE_ERR_FORMAT, "unpacks to %z bytes instead of %z", got,
                           out_size);
    if (!bad && used) *used = (size_t)(g->base + g->b.at);
    vae__release(allocator, g, sizeof(vae__gzip));
    return bad;
}

#ifndef VAE_NO_STDIO

VAE_API vae_status vae_data_load(const char *path, const vae_allocator *allocator, vae_data *data,
                                 vae_report *report) {
    vae__reader reader;
    vae_status bad;
    if (!path || !data)
        return vae__fail(report, VAE_ERR_NULL, "vae_data_load: %s is NULL",
                         path ? "data" : "path");
    bad = vae__open_read(&reader, path, 0, report);
    if (bad) return bad;
    bad = vae__data_from(&reader, allocator, data);
    VAE__CLOSE(reader.file);
    return bad;
}

VAE_API vae_status vae_data_save(const char *path, const vae_data *data, vae_report *report) {
    unsigned char head[VAE__IDX_HEAD] = {0}, chunk[4096];
    vae__writer writer;
    vae_data d;
    const char *problem = NULL;
    vae_status bad;
    size_t total, width, at, n;
    int i;
    if (!path || !data || !data->bytes)
        return vae__fail(report, VAE_ERR_NULL, "vae_data_save: %s is NULL",
                         path ? "data" : "path");
    d = *data;
    total = vae__data_shape(&d, &problem);
    for (i = 1; total && i < d.rank; i++)
        if ((uint64_t)d.dims[i] >> 32) total = 0, problem = "a size that does not fit 32 bits";
    if (!total) return vae__fail(report, VAE_ERR_VALUE, "%s: %s", vae__tail(path), problem);
    bad = vae__open_write(&writer, NULL, path, report);
    if (bad) return bad;
    width = vae__type_width((int)d.type);
    head[2] = (unsigned char)d.type, head[3] = (unsigned char)d.rank;
    for (i = 0; i < 4 * d.rank; i++)
        head[4 + i] = (unsigned char)(d.dims[i / 4] >> (24 - 8 * (i % 4)) & 0xFF);
    vae__put(&writer.sink, head, 4 + 4 * (size_t)d.rank);
    for (at = 0; at < total; at += n) {
        n = vae__min(total - at, sizeof chunk);
        memcpy(chunk, (const unsigned char *)d.bytes + at, n);
        vae__swap(chunk, n / width, width);
        vae__put(&writer.sink, chunk, n);
    }
    return vae__close_write(&writer);
}

#endif /* VAE_NO_STDIO */

#endif /* VAE_NO_DATA */

VAE__SMALL_END

#ifdef VAE__GCC_SMALL
#undef __OPTIMIZE_SIZE__
#elif defined(VAE__GCC_FAST)
#undef __OPTIMIZE__
#endif
#ifdef VAE_FREESTANDING
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef strlen
#undef strcmp
#undef strchr
#undef strspn
#undef strcspn
#undef memchr
#endif
#ifdef VAE__POP_FPMATH
#pragma GCC pop_options
#endif
#ifdef VAE__MSC
#pragma float_control(pop)
#if defined(_M_FP_CONTRACT) || (_MSC_VER < 1930 && !defined(_M_FP_STRICT))
#pragma fp_contract(on) /* as the flags had it: this pragma cannot push */
#endif
#endif
#endif /* guard C */

/* ======================================================================================
 * licence: choose the one you like
 *
 * A. MIT No Attribution (MIT-0), copyright (c) 2026 the vae.h authors. Permission is hereby
 * granted, free of charge, to any person obtaining a copy of this software and associated
 * documentation files (the "Software"), to deal in the Software without restriction, including
 * without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense,
 * and/or sell copies of the Software, and to permit persons to whom the Software is furnished to
 * do so. THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED,
 * INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE
 * AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM,
 * DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
 * OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
 *
 * B. Public domain (unlicense.org). This is free and unencumbered software released into the
 * public domain. Anyone is free to copy, modify, publish, use, compile, sell, or distribute this
 * software, either in source code form or as a compiled binary, for any purpose, commercial or
 * non-commercial, and by any means. In jurisdictions that recognize copyright laws, the author or
 * authors of this software dedicate any and all copyright interest in the software to the public
 * domain. The software is provided "as is", without warranty of any kind, as in A.
 * ==================================================================================== */
