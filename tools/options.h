/* ======================================================================================
 * options.h   what the command line can say: the table of flags, recipes
 * uses: platform.h screen.h text.h datasets.h
 * tests: tests/test_tool.sh (every setting of the library is a flag)
 * ==================================================================================== */
#ifndef VAE_TOOL_OPTIONS_H
#define VAE_TOOL_OPTIONS_H
#include "platform.h"
#include "screen.h"
#include "text.h"
#include "datasets.h"

enum { MOST_FLAGS = 180, MOST_MODELS = 8 };

typedef struct options {
    vae_desc desc;              /* the library's defaults, and what was typed of its settings; some
                                   are typed in another way, and settle() writes them: */
    int objective;              /* a vae_objective or OBJECTIVE_... */
    int schedule;               /* a vae_schedule or SCHEDULE_IWAE */
    double beta;                /* 0: no_kl */
    double warmup, cycle;       /* epochs -> warmup_steps, cycle_steps */
    const char *corrupt;        /* kind:strength -> corrupt, corruption */
    char corrupt_text[60];      /* where that of a file is spelled */
    const char *stages;         /* epochs:rate -> stages */
    char stages_text[800];      /* where stages of a file are spelled */
    const char *model, *data, *test, *json, *out, *in, *logvar_out, *latents, *operand;
    const char *models[MOST_MODELS]; /* of report, the first one is the operand too */
    int model_count;
    const char *labels, *test_labels, *best, *log, *draws, *causes, *picture;
    const char *label_counts, *test_codes, *from_file;
    uint64_t images, test_images, validate, seed, image, first, from, to, max_memory;
    int count, columns, lines, zoom, steps, checkpoint_every, split, path, format, recipe, label;
    int resume, weights_only, factors, draw, mode, quiet, components, full,
        label_draws, score_draws;
    double range, floor, tolerance;
    unsigned command;           /* the bit of the one at work */
    text recipe_set;            /* the flags that --recipe set, as they would be typed */
    void *kept[20];             /* texts made here that values point to, for forget() */
    int kept_count;
    const char *typed[MOST_FLAGS]; /* the value of flags[i] on the command line; NULL: not there */
} options;

enum {
    TRAIN = 1, EVAL = 2, SAMPLE = 4, RECONSTRUCT = 8, INTERPOLATE = 16, MANIFOLD = 32,
    TRAVERSE = 64, ENCODE = 128, DECODE = 256, SCORE = 512, INFO = 1024, DIGITS = 2048,
    SETTING = 4096, /* kept in the model file: --resume compares, info prints */
    SHAPES = 8192, FACES = 1048576,
    GMM = 16384, PRIOR = 32768, PROBE = 65536, PCA = 131072, COMPLETE = 262144,
    REPORT = 524288,
    MIXES = GMM | PRIOR,
    WRITES_SET = DIGITS | SHAPES | FACES,
    READS = PRIOR | EVAL | RECONSTRUCT | INTERPOLATE | TRAVERSE | ENCODE | SCORE | COMPLETE
            | REPORT,
    LAYS_OUT = SAMPLE | RECONSTRUCT | DECODE,
    DRAWS = LAYS_OUT | INTERPOLATE | MANIFOLD | TRAVERSE | COMPLETE,
    OF_A_CLASS = SAMPLE | DECODE | MANIFOLD | TRAVERSE,
    OF_CODES = PRIOR | RECONSTRUCT | INTERPOLATE | MANIFOLD | TRAVERSE | ENCODE | DECODE,
    USES = READS | DRAWS,
    FITS = PROBE | PCA
};

enum { SPLIT_AUTO, SPLIT_TRAIN, SPLIT_TEST };
enum { PATH_LINEAR, PATH_SPHERICAL };
enum { FORMAT_AUTO, FORMAT_TEXT, FORMAT_CSV, FORMAT_NPY };
/* words of our own, behind the library's */
enum { OBJECTIVE_AE = VAE_OBJECTIVE_COUNT, OBJECTIVE_RECON, OBJECTIVE_KL };
enum { SCHEDULE_IWAE = VAE_SCHEDULE_COUNT };
enum { MOST_FULL = 512 }; /* numbers of a full covariance */
enum { NLL_DRAWS = 5000, MOST_DRAWS = 65536, MOST_BOUNDS = 8 };

/* The rates of Burda et al. 2016: stage i lasts 3^i epochs at 1e-4 10^(1 - i / 7). */
static const char iwae_stages[] = "1:1e-3,3:7.197e-4,9:5.179e-4,27:3.728e-4,81:2.683e-4,"
                                  "243:1.931e-4,729:1.389e-4,2187:1e-4";

/* Settings that others have published figures for: words of the command line. */
#define RECIPE_LIST(X) \
    X("iwae-paper", "--encoder \"dense 200 tanh, dense 200 tanh\" --decoder " \
      "\"dense 200 tanh, dense 200 tanh\" --latent 50 --batch 20 --binarize dynamic " \
      "--visible-bias mean --adam-eps 1e-4 --schedule iwae --epochs 3280") \
    X("iwae-code", "--encoder \"dense 200 tanh, dense 200 tanh\" --decoder " \
      "\"dense 200 tanh, dense 200 tanh\" --latent 50 --batch 20 --binarize dynamic " \
      "--visible-bias mean --optimizer adam_iwae --beta1 0.99 --adam-eps 1e-4 --stages " \
      "1:1e-3,3:7.2e-4,9:5.2e-4,27:3.7e-4,81:2.7e-4,243:1.9e-4,729:1.4e-4,2187:1e-4 " \
      "--epochs 3280 --images 59600") \
    X("pytorch-example", "--encoder \"dense 400 relu\" --decoder \"dense 400 relu\" " \
      "--latent 20 --batch 128 --init pytorch --lr 1e-3 --epochs 10")
#define RECIPE_WORD(name, line) name "|"
#define RECIPE_ROW(name, line) {name, line},
static const struct { const char *name, *line; } recipes[] = {RECIPE_LIST(RECIPE_ROW)};

typedef enum value_kind {
    SWITCH,     /* int; takes no value */
    TEXT,       /* const char * */
    SOURCE,     /* const char *: a file or folder to read, or a word for one */
    TARGET,     /* const char *: a file to write, claimed before anything else is done; lo 1:
                   devices and - for stdout are fine */
    BYTES,      /* uint64_t: a whole number, with K, M or G for the powers of 1024 */
    WHOLE,      /* uint64_t from lo to hi */
    INTEGER,    /* int from lo to hi */
    REAL,       /* double from lo to hi */
    CHOICE,     /* int: which of the words; lo: 0, or 1 + a vae_choice whose words come first */
    SET         /* a setting of desc, which the library reads: the name of the flag, _ for - */
} value_kind;

typedef struct flag {
    unsigned commands;      /* who takes it */
    const char *name;       /* NULL: a heading of the help page */
    value_kind kind;
    const char *word;       /* for the value, in the help; CHOICE: the words, a | after each */
    size_t at;              /* of its field in options; SET: NO_DEFAULT or 0 */
    double lo, hi;
    const char *standard;   /* the default, read like an argument; NULL: none */
    const char *help;
} flag;

#define AT(field) offsetof(options, field)
#define MOST 1e9
#define NO_DEFAULT 1 /* or none that the library knows: help says what it is */
#define WORD64 18446744073709551615.0

/* A setting of the library: its default and what it may be are known there. */
#define SETS(name, word, help) {TRAIN | SETTING, name, SET, word, 0, 0, 0, NULL, help}

static flag flags[MOST_FLAGS] = {
    {TRAIN | READS | GMM | FITS | WRITES_SET, NULL, TEXT, "", 0, 0, 0, NULL, "Data"},
    {TRAIN | READS | GMM | FITS, "--data", SOURCE, "WHERE", AT(data), 0, 0, NULL,
     "where the images are. A built-in set: digits (grey, 28 x 28), shapes or faces (colour, "
     "32 x 32). Or a folder: IDX files with the standard names (train-images-idx3-ubyte and "
     "t10k-images-idx3-ubyte, or idx4 for colour, plain or .gz), CIFAR-10's binary batches, or "
     "pictures of one size (PNG, PGM, PPM; in the order of their names). Or one file: IDX, NPY "
     "(uint8 or float32) or a picture. The axes of IDX and NPY are images, height, width and, for "
     "colour, channels last. Channels first, as PyTorch saves them, are refused: save "
     "x.transpose(0, 2, 3, 1). Integers are scaled to 0 .. 1. Floats must lie from 0 to 1 already, "
     "except for the gaussian likelihoods"},
    {TRAIN | GMM | FITS, "--test", SOURCE, "WHERE", AT(test), 0, 0, NULL,
     "test images: a folder or a file, as for --data"},
    {PRIOR, "--split", CHOICE, "auto|train|test|", AT(split), 0, 0, "auto",
     "which part of a folder or of a built-in set. auto: the training images"},
    {READS & ~PRIOR, "--split", CHOICE, "auto|train|test|", AT(split), 0, 0, "auto",
     "which part of a folder or of a built-in set. auto: the test images if there are any"},
    {TRAIN | READS | GMM | FITS, "--images", WHOLE, "N", AT(images), 1, MOST, NULL,
     "use the first N images at most (default: all of a file or folder; of a built-in set 10000 "
     "for training, 2000 for testing)"},
    {WRITES_SET, "--images", WHOLE, "N", AT(images), 1, MOST, "10000",
     "number of training images"},
    {TRAIN | GMM | FITS, "--test-images", WHOLE, "N", AT(test_images), 0, MOST, NULL,
     "use the first N test images at most; 0: none (default: all; of a built-in set 2000)"},
    {TRAIN, "--validate", WHOLE, "N", AT(validate), 1, MOST, NULL,
     "hold out the last N training images. They are tested after each epoch; the test images then "
     "are tested once, at the end"},
    {GMM, "--validate", WHOLE, "N", AT(validate), 1, MOST, NULL,
     "hold out the last N images and test on them, not on the test images"},
    {TRAIN, "--labels", SOURCE, "WHERE", AT(labels), 0, 0, NULL,
     "train a conditional VAE, which is told the class of each image. WHERE is an IDX file of "
     "labels, or the word auto: the labels of a built-in set, of CIFAR-10, or of the standard file "
     "beside the images. If neither network has a layer label N, one is put in front of both"},
    {PROBE, "--labels", SOURCE, "WHERE", AT(labels), 0, 0, "auto",
     "the classes of the training images: an IDX file of labels, or the word auto: the labels that "
     "come with the images"},
    {PROBE, "--test-codes", SOURCE, "FILE.npy", AT(test_codes), 0, 0, NULL,
     "where the operand is an NPY file of the training images' codes: those of the test images"},
    {TRAIN | PROBE, "--test-labels", SOURCE, "WHERE", AT(test_labels), 0, 0, "auto",
     "labels of the test images, as for --labels"},
    {REPORT, "--labels", SOURCE, "WHERE", AT(labels), 0, 0, "auto",
     "the classes of the images, which colour the maps of codes; conditional models need them. "
     "WHERE is an IDX file of labels, or the word auto: the labels that come with the images, if "
     "any do"},
    {READS & ~REPORT, "--labels", SOURCE, "WHERE", AT(labels), 0, 0, "auto",
     "for a conditional model: the classes of the images. WHERE is an IDX file of labels, or the "
     "word auto: the labels that come with the images"},
    {EVAL, "--factors", SOURCE, "WHERE", AT(causes), 0, 0, NULL,
     "the factors that the images were drawn from; with them eval prints the mutual information "
     "gap (Chen et al. 2018). WHERE is a table in NPY or IDX with a row for each image, such as "
     "vae digits, shapes and faces write, or the word auto for a built-in set. Each mu is cut into "
     "20 bins of equal width; so is a factor with more than 64 values"},
    {WRITES_SET, "--test-images", WHOLE, "N", AT(test_images), 1, MOST, "2000",
     "number of test images"},
    {DIGITS, "--seed", WHOLE, "N", AT(seed), 0, WORD64, "1", "another seed gives other images"},
    {SHAPES | FACES, "--seed", WHOLE, "N", AT(seed), 0, WORD64, "1",
     "another seed gives another order"},
    {DIGITS, "--factors", SWITCH, "", AT(factors), 0, 0, NULL,
     "also write the factors of each image as IDX of int32: label, slant, scale, thickness, x, y"},
    {SHAPES, "--factors", SWITCH, "", AT(factors), 0, 0, NULL,
     "also write the factors of each image as NPY, with the columns shape (3 values), size (6), "
     "angle (16), x (16), y (16), hue (12), each counted from 0"},
    {FACES, "--factors", SWITCH, "", AT(factors), 0, 0, NULL,
     "also write the factors of each image as NPY, with the columns smile (8 values), pose (8), "
     "eyes (4), width (4), skin (6), hair (6), length (4), glasses (2), each counted from 0"},
    {TRAIN | SETTING, "--input", SET, "HxWxC", NO_DEFAULT, 0, 0, NULL,
     "shape of an image, or one number (default: the shape of the data)"},
    SETS("--binarize", "WORD",
         "how grey pixels are used. none: as they are. dynamic: each becomes 1 or 0 at random, "
         "anew at every use, and is 1 with the probability that its value is"),

    {TRAIN, NULL, TEXT, "", 0, 0, 0, NULL, "Network"},
    SETS("--encoder", "LAYERS",
         "layers between the image and the head, which gives mu and logvar; \"\": the head alone. "
         "'vae help layers' lists them"),
    SETS("--decoder", "LAYERS", "layers between the latents and the head, which gives the image"),
    {TRAIN | SETTING, "--latent", INTEGER, "N", AT(desc.latent), 0, VAE_MAX_DIM, "20",
     "number of latents. 0: none, as with --posterior none"},
    SETS("--likelihood", "KIND", "density of the pixels given the latents: 'vae help likelihoods'"),
    SETS("--posterior", "KIND", "density of the latents given an image: 'vae help posteriors'"),
    SETS("--prior", "KIND", "density of the latents of new images: 'vae help priors'"),
    SETS("--init", "WORD",
         "initial weights. auto: he before ReLU-like activations, glorot before others"),
    SETS("--visible-bias", "WORD",
         "initial bias of the decoder's last layer. mean: what gives the mean training image"),

    {TRAIN, NULL, TEXT, "", 0, 0, 0, NULL, "Objective: recon + beta KL, in nats per image"},
    {TRAIN | SETTING, "--objective", CHOICE, "ae|recon|kl|", AT(objective),
     1 + VAE_CHOICE_OBJECTIVE, 0, "elbo",
     "what is minimised. iwae: the bound of --k importance weights. dreg: the same bound with "
     "doubly reparameterised gradients. ae: an autoencoder, without noise and KL. recon: no KL. "
     "kl: the KL alone"},
    SETS("--samples", "L", "how many times the latents of an image are drawn in a training step"),
    {TRAIN, "--k", INTEGER, "N", AT(desc.samples), 1, MOST_DRAWS, NULL,
     "another name of --samples: the number of importance weights"},
    {TRAIN | SETTING, "--beta", REAL, "B", AT(beta), 0, 1e6, "1",
     "weight of the KL; 0: no KL"},
    {TRAIN | SETTING, "--warmup", REAL, "EPOCHS", AT(warmup), 0, 1e6, "0",
     "let beta rise from 0 over so many epochs; may be a fraction"},
    {TRAIN | SETTING, "--cycle", REAL, "EPOCHS", AT(cycle), 0, 1e6, "0",
     "begin the warm-up again after so many epochs; 0: never"},
    SETS("--free-bits", "F", "nats of each latent's KL that cost nothing"),
    {TRAIN | SETTING, "--noise", CHOICE, "on|off|", AT(desc.no_noise), 0, 0, "on",
     "noise of the latents in training. off: decode mu itself"},
    SETS("--temperature", "T",
         "posterior categorical: training decodes relaxed categories of this temperature. The "
         "lower, the nearer they are to whole ones, and the noisier the gradient"),
    SETS("--temperature-end", "T", "the temperature after --temperature-steps"),
    SETS("--temperature-steps", "STEPS",
         "let the temperature change to --temperature-end over so many steps, by the same factor "
         "in each; 0: it stays as it is"),
    SETS("--straight-through", "0|1",
         "posterior categorical. 1: training decodes whole categories, with the gradient of "
         "relaxed ones"),
    SETS("--sparse", "W", "weight of a penalty: the sum of |mu| of an image"),
    SETS("--contract", "W",
         "weight of a penalty: the sum of the squared derivatives of mu by the pixels"),
    {TRAIN | SETTING, "--corrupt", TEXT, "KIND[:S]", AT(corrupt), 0, 0, "none",
     "corrupt what the encoder sees in training; the decoder must still give the clean image. "
     "gaussian:S adds noise of standard deviation S. mask:S and salt_pepper:S replace the part S "
     "of the pixels. S is 0.3 unless given"},

    {TRAIN, NULL, TEXT, "", 0, 0, 0, NULL, "Optimiser"},
    SETS("--optimizer", "WORD", "how gradients become steps"),
    SETS("--lr", "RATE", "learning rate"),
    {TRAIN | SETTING, "--schedule", CHOICE, "iwae|", AT(schedule), 1 + VAE_CHOICE_SCHEDULE, 0,
     "constant",
     "the learning rate over the run. cosine: it falls to 0 at the end. stages: see --stages. "
     "plateau: it is cut when the test loss no longer falls. iwae: the stages of Burda et al. "
     "2016, 3280 epochs in all"},
    {TRAIN | SETTING, "--stages", TEXT, "E:R,E:R...", AT(stages), 0, 0, NULL,
     "learning rate R for E epochs, then the next; the last for the rest of the run. Implies "
     "--schedule stages"},
    SETS("--plateau", "EPOCHS",
         "cut the learning rate after so many epochs without a lower test loss. Implies --schedule "
         "plateau"),
    SETS("--lr-factor", "F", "with --plateau: a cut multiplies the learning rate by F"),
    SETS("--beta1", "B", "of adam: decay of the mean of gradients"),
    SETS("--beta2", "B", "of adam: decay of the mean of squared gradients"),
    SETS("--adam-eps", "E", "of adam: added to the root of that mean"),
    SETS("--momentum", "M", "of sgd"),
    SETS("--weight-decay", "W",
         "weight decay: with adamw decoupled, with adam and sgd added to the gradient"),
    SETS("--clip", "NORM", "scale the whole gradient down to this norm; 0: never"),
    SETS("--ema", "DECAY",
         "keep a running average of the weights with this decay, and use it outside of training; "
         "0: none"),

    {TRAIN, NULL, TEXT, "", 0, 0, 0, NULL, "Run"},
    {TRAIN, "--recipe", CHOICE, RECIPE_LIST(RECIPE_WORD), AT(recipe), 0, 0, NULL,
     "set the flags of a published experiment; flags that are typed too win. 'vae help recipes' "
     "shows them"},
    SETS("--batch", "N", "images per step"),
    {TRAIN, "--epochs", SET, "N", 0, 0, 0, NULL, "passes over the training images"},
    SETS("--patience", "EPOCHS",
         "end the run after so many epochs without a lower test loss; 0: never"),
    SETS("--seed", "N", "seed of everything random"),
    {TRAIN, "--isa", SET, "WORD", 0, 0, 0, NULL,
     "instruction set; all give the same results, bit by bit"},

    {TRAIN, NULL, TEXT, "", 0, 0, 0, NULL, "Files"},
    {TRAIN, "--model", TARGET, "FILE", AT(model), 0, 0, NULL,
     "file of the model, with everything that --resume needs. It is written at checkpoints, at the "
     "end and on Ctrl-C (default: the model is not kept)"},
    {TRAIN, "--checkpoint-every", INTEGER, "EPOCHS", AT(checkpoint_every), 1, 1e6, "1",
     "write --model after so many epochs"},
    {TRAIN, "--resume", SWITCH, "", AT(resume), 0, 0, NULL,
     "go on from the file of --model, with its settings; begin a new run if the file is not there"},
    {TRAIN, "--from", SOURCE, "FILE", AT(from_file), 0, 0, NULL,
     "begin with the weights of another model, wherever a tensor's name and shape are the same; "
     "vae info FILE lists them. What is taken is printed. A decoder's last bias that is taken "
     "stands in place of --visible-bias"},
    {TRAIN, "--best", TARGET, "FILE", AT(best), 0, 0, NULL,
     "also write the model here whenever its test loss is the lowest so far"},
    {TRAIN, "--log", TARGET, "FILE.csv", AT(log), 0, 0, NULL,
     "a table of figures with a row for each epoch; --resume adds to it. The file is replaced "
     "after each epoch: watch it with tail -F"},
    {TRAIN, "--weights-only", SWITCH, "", AT(weights_only), 0, 0, NULL,
     "leave the optimiser out of the finished file. It is smaller, and --resume from it starts "
     "with a fresh optimiser"},

    {USES | GMM, NULL, TEXT, "", 0, 0, 0, NULL, "What to do"},
    {GMM, "--components", INTEGER, "K", AT(components), 1, 1e5, "10",
     "number of Gaussians in the mixture"},
    {PRIOR, "--gmm", INTEGER, "K", AT(components), 1, 4096, NULL,
     "number of Gaussians in the mixture that becomes the prior"},
    {MIXES, "--full", SWITCH, "", AT(full), 0, 0, NULL,
     "full covariances; without it they are diagonal"},
    {MIXES, "--iterations", INTEGER, "N", AT(steps), 1, 1e6, "100",
     "of EM, at most. It begins with k-means++"},
    {MIXES, "--tolerance", REAL, "NATS", AT(tolerance), 0, 1e6, "1e-4",
     "end when the mean log-likelihood rises by less"},
    {MIXES, "--floor", REAL, "F", AT(floor), 0, 1, "1e-3",
     "no variance is below this part of the mean variance of the numbers"},
    {MIXES, "--seed", WHOLE, "N", AT(seed), 0, WORD64, "1", "seed of what EM begins with"},
    {GMM, "--count", INTEGER, "N", AT(count), 1, 1e5, "64", "number of samples"},
    {OF_A_CLASS, "--class", INTEGER, "C", AT(label), 0, MOST_CLASSES - 1, NULL,
     "for a conditional model: the class of the images, counted from 0"},
    {EVAL, "--samples", TEXT, "K,K...", AT(draws), 0, 0, NULL,
     "also estimate the bound of K importance weights, for each K. It rises with K towards log "
     "p(x); with 5000 it is what papers call the NLL"},
    {REPORT, "--samples", TEXT, "K,K...", AT(draws), 0, 0, "1,10,100",
     "the bounds of K importance weights that are shown, of the first 500 images"},
    {REPORT, "--log", SOURCE, "FILE.csv", AT(log), 0, 0, NULL,
     "what --log of vae train wrote, for curves (default: the log that stands beside the model: of "
     "m.safetensors m.csv or m.safetensors.csv)"},
    {SCORE, "--samples", INTEGER, "K", AT(score_draws), 1, MOST_DRAWS, NULL,
     "score by the negative bound of K importance weights instead; with 5000 it is what papers "
     "call the NLL. csv and npy have it as a fourth column"},
    {SAMPLE, "--count", INTEGER, "N", AT(count), 1, 1e5, "64", "number of samples"},
    {SAMPLE, "--draw", SWITCH, "", AT(draw), 0, 0, NULL,
     "draw each pixel from its density; without it the picture shows the means"},
    {RECONSTRUCT, "--count", INTEGER, "N", AT(count), 1, 1e5, "20", "number of images"},
    {INTERPOLATE, "--count", INTEGER, "N", AT(count), 1, 1e4, "8",
     "number of pairs: images 0 and 1, 2 and 3, and so on"},
    {MANIFOLD, "--count", INTEGER, "N", AT(count), 1, 1000, "20", "images along each side"},
    {TRAVERSE, "--count", INTEGER, "N", AT(count), 1, 1e4, "8", "number of latents at most"},
    {DECODE, "--count", INTEGER, "N", AT(count), 1, 1e5, "400",
     "number of images at most in a picture"},
    {DRAWS, "--mode", SWITCH, "", AT(mode), 0, 0, NULL,
     "for a decoder with a layer `image`: the most probable pixels; without it they are drawn"},
    {DRAWS | REPORT, "--seed", WHOLE, "N", AT(seed), 0, WORD64, "1",
     "seed of what is drawn: latents, and pixels where they are. All pictures of interpolate, "
     "manifold and traverse draw their pixels with the same noise; completion i has seed N + i"},
    {COMPLETE, "--rows", INTEGER, "N", AT(lines), 0, VAE_MAX_DIM, NULL,
     "how many rows of pixels are given, from the top (default: half of them)"},
    {COMPLETE, "--count", INTEGER, "N", AT(count), 1, 1e4, "8", "number of images"},
    {COMPLETE, "--draws", INTEGER, "N", AT(steps), 1, 100, "6",
     "completions of each image; the one of --mode is alone"},
    {RECONSTRUCT | COMPLETE, "--first", WHOLE, "I", AT(first), 0, MOST, "0",
     "first image, counted from 0"},
    {INTERPOLATE, "--from", WHOLE, "I", AT(from), 0, MOST, NULL,
     "with --to: one pair, image I and the image of --to, counted from 0"},
    {INTERPOLATE, "--to", WHOLE, "I", AT(to), 0, MOST, NULL, "see --from"},
    {INTERPOLATE, "--path", CHOICE, "linear|spherical|", AT(path), 0, 0, "linear",
     "path between the two mu: a straight line, or an arc around 0"},
    {INTERPOLATE, "--steps", INTEGER, "N", AT(steps), 2, 1000, "11",
     "images decoded along the path. A conditional model decodes each with the class of the nearer "
     "end"},
    {TRAVERSE, "--latents", TEXT, "I,I...", AT(latents), 0, 0, NULL,
     "which latents, counted from 0 (default: those whose mu varies most on --data; without "
     "--data, the first)"},
    {TRAVERSE, "--steps", INTEGER, "N", AT(steps), 2, 1000, "11",
     "images along each row. A latent of K categories goes through all of them"},
    {TRAVERSE, "--range", REAL, "R", AT(range), 1e-6, 1e6, "3",
     "a latent goes from -R to R (default for posterior fsq: 1)"},
    {TRAVERSE, "--image", WHOLE, "I", AT(image), 0, MOST, NULL,
     "the other latents are the mu of image I of --data, counted from 0 (default: they are 0; "
     "categories are those of a draw)"},
    {DECODE, "--in", SOURCE, "FILE.npy", AT(in), 0, 0, NULL, "latents: float32, one row per image"},

    {PROBE, "--label-counts", TEXT, "N,N...", AT(label_counts), 0, 0, "100,1000,all",
     "how many training images have labels, as many of each class (or one more)"},
    {PROBE, "--draws", INTEGER, "N", AT(label_draws), 2, 1000, "10",
     "how often the images that have labels are drawn, for the standard error"},
    {PROBE, "--seed", WHOLE, "N", AT(seed), 0, WORD64, "1", "another seed draws other images"},
    {PCA, "-k", INTEGER, "K", AT(components), 1, VAE_MAX_DIM, NULL, "number of codes"},

    {USES | GMM | FITS | WRITES_SET | INFO, NULL, TEXT, "", 0, 0, 0, NULL, "Output and the rest"},
    {PRIOR, "--out", TARGET, "FILE", AT(out), 0, 0, NULL,
     "the model with the new prior and its weights; training it would begin anew (default: it "
     "replaces MODEL)"},
    {GMM, "--out", TARGET, "FILE.npy", AT(out), 1, 0, NULL,
     "the mixture: float32 (components, 1 + 2 numbers): log of its share, mean, log variance. With "
     "--full the variances are those of A (x - mean), and A follows, row by row: lower triangular "
     "with ones on its diagonal"},
    {GMM, "--picture", TARGET, "FILE.png", AT(picture), 0, 0, NULL, "a picture of samples"},
    {SAMPLE, "--out", TARGET, "FILE.png", AT(out), 0, 0, "samples.png", "the picture"},
    {RECONSTRUCT, "--out", TARGET, "FILE.png", AT(out), 0, 0, "reconstructions.png",
     "the picture: rows of images, and under each row its reconstructions"},
    {COMPLETE, "--out", TARGET, "FILE.png", AT(out), 0, 0, "completions.png",
     "the picture: a row for each image: itself, what is given of it (the rest is grey), "
     "completions"},
    {INTERPOLATE, "--out", TARGET, "FILE.png", AT(out), 0, 0, "interpolations.png",
     "the picture: a row for each pair, with the two images themselves at its ends"},
    {MANIFOLD, "--out", TARGET, "FILE.png", AT(out), 0, 0, "manifold.png",
     "the picture: latent 0 rises to the right, latent 1 upwards, in equally likely steps"},
    {TRAVERSE, "--out", TARGET, "FILE.png", AT(out), 0, 0, "traversal.png",
     "the picture: a row for each latent"},
    {REPORT, "--out", TARGET, "FILE.html", AT(out), 1, 0, "report.html",
     "the page: one file that needs no other; -: stdout"},
    {ENCODE, "--out", TARGET, "FILE.npy", AT(out), 1, 0, "codes.npy",
     "mu: float32 (images, latents); -: stdout"},
    {ENCODE, "--logvar", TARGET, "FILE.npy", AT(logvar_out), 1, 0, NULL,
     "logvar: float32 (images, latents); -: stdout"},
    {DECODE, "--out", TARGET, "FILE", AT(out), 1, 0, "decoded.png",
     "a picture if the name ends in .png; a table of float32 (images, pixels) if it ends in .npy; "
     "-: the table to stdout"},
    {SCORE, "--out", TARGET, "FILE", AT(out), 1, 0, "-", "-ELBO of each image; -: stdout"},
    {SCORE, "--format", CHOICE, "auto|text|csv|npy|", AT(format), 0, 0, "auto",
     "text: a number per line. csv and npy: -ELBO, recon and KL of each image. auto: csv or npy if "
     "--out ends in it, else text"},
    {LAYS_OUT | GMM, "--columns", INTEGER, "N", AT(columns), 1, 1e4, NULL,
     "images side by side (default: the picture becomes about square)"},
    {DRAWS | GMM, "--zoom", INTEGER, "N", AT(zoom), 1, 64, NULL,
     "size of a pixel (default: small images are enlarged)"},
    {PCA, "--out", TARGET, "FILE", AT(model), 0, 0, "pca.safetensors",
     "the model file: a linear autoencoder"},
    {FITS, "--json", TARGET, "FILE", AT(json), 1, 0, NULL,
     "write the figures as one JSON object; -: stdout"},
    {TRAIN | EVAL, "--json", TARGET, "FILE", AT(json), 1, 0, NULL,
     "write the figures as one JSON object; -: stdout. elbo and bound are negative. seconds is the "
     "whole run; images_per_second counts training steps (or evaluation) alone"},
    {GMM, "--json", TARGET, "FILE", AT(json), 1, 0, NULL,
     "write the figures as one JSON object; -: stdout. Log-likelihoods are means over images"},
    {USES | PROBE, "--isa", SET, "WORD", 0, 0, 0, NULL,
     "instruction set; all give the same results, bit by bit"},
    {TRAIN | USES | FITS, "--threads", SET, "N", NO_DEFAULT, 0, 0, NULL,
     "number of threads; the results are the same with any (1 to 256; default: one for each "
     "processor, 16 at most)"},
    {TRAIN | USES | PROBE | INFO, "--max-memory", BYTES, "N[K|M|G]", AT(max_memory), 1, WORD64,
     NULL,
     "refuse a model file that needs more bytes of memory than this; K, M and G are powers of 1024 "
     "(default: 2G and 16 times the size of the file)"},
    {TRAIN | USES | GMM | FITS | WRITES_SET, "--quiet", SWITCH, "", AT(quiet), 0, 0, NULL,
     "print errors only"},

    {TRAIN, NULL, TEXT, "", 0, 0, 0, NULL, "The same settings by the names of the library"},
    SETS("--warmup-steps", "STEPS", "--warmup in steps"),
    SETS("--cycle-steps", "STEPS", "--cycle in steps"),
    SETS("--lr-steps", "STEPS", "--schedule cosine: steps until the rate is 0; 0: the whole run"),
    SETS("--plateau-epochs", "EPOCHS", "as --plateau, but does not choose the schedule"),
    SETS("--no-kl", "0|1", "1: no KL, as with --beta 0"),
    SETS("--no-recon", "0|1", "1: no reconstruction, as with --objective kl"),
    SETS("--no-noise", "0|1", "1: decode mu itself, as with --noise off"),
    SETS("--corruption", "S", "the number S of --corrupt KIND:S"),
};
static size_t flag_count;

typedef char enums_are_ints[sizeof(vae_isa) == sizeof(int) ? 1 : -1];

typedef struct command {
    unsigned bit;
    const char *name;
    const char *operand;    /* what stands after the name; in brackets: may be left out */
    const char *must;       /* a flag that must be given, or NULL */
    int (*run)(options *);
    const char *help;
    const char *examples;
} command;

/* Adds a row for each setting of the library that has none: a setting is a flag at once. */
static void complete_flags(void)
{
    static const char *const left_out[] = {"inference", "keep_gradients"}; /* of no use here */
    static const flag heading = {TRAIN, NULL, TEXT, "", 0, 0, 0, NULL,
                                 "Other settings of the library"};
    static char names[MOST_FLAGS][40];
    const char *name;
    size_t own;
    while (flags[flag_count].commands) flag_count++;
    own = flag_count;
    for (int k = 0; (name = vae_desc_name(k)) != NULL && flag_count < MOST_FLAGS - 1; k++) {
        char *made = names[flag_count];
        const flag row = SETS(made, "VALUE", "see vae.h");
        int known = strcmp(name, left_out[0]) == 0 || strcmp(name, left_out[1]) == 0;
        snprintf(made, sizeof *names, "--%s", name);
        for (char *c = made; *c; c++)
            if (*c == '_') *c = '-';
        for (size_t i = 0; i < own && !known; i++)
            known = flags[i].name && flags[i].commands & TRAIN && strcmp(flags[i].name, made) == 0;
        if (!known && flag_count == own) {
            flags[flag_count++] = heading;
            k--; /* and once more, behind the heading */
        } else if (!known) {
            flags[flag_count] = row;
            flag_count++;
        }
    }
}

/* Row number i of the flags; NULL behind the last. */
static const flag *flag_at(size_t i)
{
    if (!flag_count) complete_flags();
    return i < flag_count ? &flags[i] : NULL;
}

static const flag *find_flag(unsigned command_bit, const char *name)
{
    const flag *f;
    for (size_t i = 0; (f = flag_at(i)) != NULL; i++)
        if (f->name && f->commands & command_bit && strcmp(f->name, name) == 0) return f;
    return NULL;
}

/* Whether a flag of the command at work, or of its recipe, stands on the command line. */
static int given(const options *o, const char *name)
{
    return o->typed[find_flag(o->command, name) - flags] != NULL;
}

/* The name that the library has for the setting of a flag of kind SET. */
static const char *setting_name(const flag *f, char name[40])
{
    snprintf(name, 40, "%s", f->name + 2);
    for (char *c = name; *c; c++)
        if (*c == '-') *c = '_';
    return name;
}

/* Word number i of a CHOICE; 0 behind the last. */
static int choice_word(const flag *f, int i, char *word, size_t size)
{
    const char *own = f->word, *name;
    int n = 0;
    for (; f->lo > 0 && (name = vae_choice_name((vae_choice)((int)f->lo - 1), n)) != NULL; n++)
        if (n == i) return snprintf(word, size, "%s", name) > 0;
    for (; n <= i; n++)
        if (!next_piece(&own, '|', word, size) || !word[0]) return 0;
    return 1;
}

/* Which of its words, or -1; `listed` becomes "a, b, c". */
static int find_choice(const flag *f, const char *typed, char *listed, size_t size)
{
    char word[40];
    int found = -1;
    size_t used = 0;
    listed[0] = '\0';
    for (int i = 0; choice_word(f, i, word, sizeof word); i++) {
        if (strcmp(word, typed) == 0) found = i;
        used += (size_t)snprintf(listed + used, size - used, "%s%s", i ? ", " : "", word);
        if (used >= size) used = size - 1;
    }
    return found;
}

#endif
