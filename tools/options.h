/* ======================================================================================
 * options.h   what the command line can say: the table of flags, recipes
 * uses: platform.h screen.h text.h datasets.h
 * tests: tests/test_tool.sh
 * ==================================================================================== */
#ifndef VAE_TOOL_OPTIONS_H
#define VAE_TOOL_OPTIONS_H
#include "platform.h"
#include "screen.h"
#include "text.h"
#include "datasets.h"

typedef struct options {
    vae_desc desc;              /* settings of training, some of them by way of these: */
    int objective;              /* OBJECTIVE_...: objective, no_kl, no_recon, no_noise */
    int likelihood, categories, head, code; /* -> the strings likelihood and posterior */
    double variance;
    char likelihood_text[64], posterior_text[64];
    double beta;                /* 0: no_kl */
    double warmup, cycle;       /* epochs -> warmup, cycle, in steps */
    const char *corrupt;        /* kind:strength -> corrupt, corruption */
    char corrupt_text[60];      /* where that of a file is spelled */
    const char *stages;         /* epochs:rate -> stages; epochs -> lr_steps */
    char stages_text[800];      /* where stages of a file are spelled */
    const char *model, *data, *test, *json, *out, *in, *logvar_out, *latents, *operand;
    const char *labels, *test_labels, *best, *log, *draws, *causes;
    uint64_t images, test_images, validate, seed, image, first, from, to, max_memory;
    int count, columns, zoom, steps, checkpoint_every, split, path, format, recipe, label;
    int resume, weights_only, factors, draw, quiet;
    double range;
    unsigned command;           /* the bit of the one at work */
    text recipe_set;            /* the flags that --recipe set, as they would be typed */
    void *kept[20];             /* texts made here that values point to, for forget() */
    int kept_count;
    unsigned char given[140];   /* given[i]: flags[i] stands on the command line */
} options;

enum {
    TRAIN = 1, EVAL = 2, SAMPLE = 4, RECONSTRUCT = 8, INTERPOLATE = 16, MANIFOLD = 32,
    TRAVERSE = 64, ENCODE = 128, DECODE = 256, SCORE = 512, INFO = 1024, DIGITS = 2048,
    SETTING = 4096, /* kept in the model file: --resume compares, info prints */
    SHAPES = 8192,
    WRITES_SET = DIGITS | SHAPES,
    READS = EVAL | RECONSTRUCT | INTERPOLATE | TRAVERSE | ENCODE | SCORE,
    LAYS_OUT = SAMPLE | RECONSTRUCT | DECODE,
    DRAWS = LAYS_OUT | INTERPOLATE | MANIFOLD | TRAVERSE,
    OF_A_CLASS = SAMPLE | DECODE | MANIFOLD | TRAVERSE,
    USES = READS | DRAWS
};

enum { SPLIT_AUTO, SPLIT_TRAIN, SPLIT_TEST };
enum { PATH_LINEAR, PATH_SPHERICAL };
enum { FORMAT_AUTO, FORMAT_TEXT, FORMAT_CSV, FORMAT_NPY };
/* words of our own, behind the library's */
enum { OBJECTIVE_AE = VAE_OBJECTIVE_COUNT, OBJECTIVE_RECON, OBJECTIVE_KL };
enum { SCHEDULE_IWAE = VAE_SCHEDULE_COUNT };
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
    CHOICE      /* int: which of the words */
} value_kind;

typedef struct flag {
    unsigned commands;      /* who takes it */
    const char *name;       /* NULL: a heading of the help page */
    value_kind kind;
    const char *word;       /* for the value, in the help; CHOICE: the words, a | after each */
    size_t at;              /* of its field in options */
    double lo, hi;
    const char *standard;   /* the default, read like an argument; NULL: none */
    const char *help;
} flag;

#define AT(field) offsetof(options, field)
#define WORD(name, text) text "|"
#define MOST 1e9
#define WORD64 18446744073709551615.0

#define LIKELIHOODS "bernoulli|gaussian|gaussian_learned|gaussian_pixel|continuous_bernoulli|" \
                    "logistic|logistic_pixel|categorical|"
#define WITH_VARIANCE "gaussian|gaussian_learned|logistic"
#define HEADS "logvar|abs|relu|softplus|"

static const flag flags[] = {
    {TRAIN | READS | WRITES_SET, NULL, TEXT, "", 0, 0, 0, NULL, "Data"},
    {TRAIN | READS, "--data", SOURCE, "WHERE", AT(data), 0, 0, NULL,
     "the word digits (grey, 28 x 28) or shapes (colour, 32 x 32): a built-in set; or a folder: "
     "with IDX files of the standard names (train-images-idx3-ubyte and t10k-images-idx3-ubyte, "
     "or idx4 for colour, plain or .gz), with CIFAR-10's binary batches, or with pictures of one "
     "size (PNG, PGM, PPM; in the order of their names); or one file: IDX, NPY (uint8 or "
     "float32) or a picture. The axes of IDX and NPY are images, height, width and, for colour, "
     "channels last; channels first, as PyTorch has them, are refused: save x.transpose(0, 2, 3, "
     "1). Integers become numbers from 0 to 1; floats must lie there already, but for the "
     "gaussian likelihoods"},
    {TRAIN, "--test", SOURCE, "WHERE", AT(test), 0, 0, NULL,
     "images to test on, from a folder or file like those of --data"},
    {READS, "--split", CHOICE, "auto|train|test|", AT(split), 0, 0, "auto",
     "which part of a folder or a built-in set; auto: test images if there are some"},
    {TRAIN | READS, "--images", WHOLE, "N", AT(images), 1, MOST, NULL,
     "at most the first N images (default: all; built-in: 10000 for training, 2000 for testing)"},
    {WRITES_SET, "--images", WHOLE, "N", AT(images), 1, MOST, "10000", "images for training"},
    {TRAIN, "--test-images", WHOLE, "N", AT(test_images), 0, MOST, NULL,
     "at most the first N test images; 0: none (default: all; built-in: 2000)"},
    {TRAIN, "--validate", WHOLE, "N", AT(validate), 1, MOST, NULL,
     "hold out the last N training images: they, not the test images, are what is looked at after "
     "each epoch; the test images then wait for the end"},
    {TRAIN, "--labels", SOURCE, "WHERE", AT(labels), 0, 0, NULL,
     "a conditional VAE, told the class of each image: an IDX file of labels, or the word auto: "
     "those of a built-in set, of CIFAR-10, or of the standard file beside the images. Where "
     "neither network has a layer label N, both begin with one"},
    {TRAIN, "--test-labels", SOURCE, "WHERE", AT(test_labels), 0, 0, "auto",
     "labels of the test images, likewise"},
    {READS, "--labels", SOURCE, "WHERE", AT(labels), 0, 0, "auto",
     "classes of the images, for a conditional model: an IDX file of labels, or auto: those that "
     "come with the images"},
    {EVAL, "--factors", SOURCE, "WHERE", AT(causes), 0, 0, NULL,
     "what the images were drawn from, for the mutual information gap (Chen et al. 2018): the file "
     "that vae digits or vae shapes writes, a table in NPY or IDX with a row for each image; or "
     "the word auto for a built-in set. Each mu, and a factor of more than 64 values, is cut into "
     "20 bins of equal width"},
    {WRITES_SET, "--test-images", WHOLE, "N", AT(test_images), 1, MOST, "2000",
     "images for testing"},
    {DIGITS, "--seed", WHOLE, "N", AT(seed), 0, WORD64, "1", "another seed, other images"},
    {SHAPES, "--seed", WHOLE, "N", AT(seed), 0, WORD64, "1", "another seed, another order"},
    {DIGITS, "--factors", SWITCH, "", AT(factors), 0, 0, NULL,
     "also write what each image was drawn from (label, slant, scale, thickness, x, y) as IDX of "
     "int32"},
    {SHAPES, "--factors", SWITCH, "", AT(factors), 0, 0, NULL,
     "also write what each image was drawn from as NPY: columns shape (3 values), size (6), angle "
     "(16), x (16), y (16), hue (12), each counted from 0"},
    {TRAIN | SETTING, "--input", TEXT, "HxWxC", AT(desc.input), 0, 0, NULL,
     "shape of an image, or one number (default: as the data say)"},
    {TRAIN | SETTING, "--binarize", CHOICE, "none|dynamic|", AT(desc.binarize), 0, 0,
     "none", "what becomes of grey pixels; dynamic: 1 or 0, drawn afresh at every use"},

    {TRAIN, NULL, TEXT, "", 0, 0, 0, NULL, "Network"},
    {TRAIN | SETTING, "--encoder", TEXT, "LAYERS", AT(desc.encoder), 0, 0, "dense 400 relu",
     "layers from the image to the head that gives mu and logvar; \"\": only the head. All layers: "
     "vae help layers"},
    {TRAIN | SETTING, "--decoder", TEXT, "LAYERS", AT(desc.decoder), 0, 0, "dense 400 relu",
     "layers from the latents to the head that gives the image"},
    {TRAIN | SETTING, "--latent", INTEGER, "N", AT(desc.latent), 1, 1e6, "20",
     "number of latents"},
    {TRAIN | SETTING, "--likelihood", CHOICE, LIKELIHOODS, AT(likelihood), 0, 0,
     "bernoulli", "of the pixels given the latents"},
    {TRAIN | SETTING, "--variance", REAL, "V", AT(variance), 1e-12, 1e12, "1",
     "of a pixel: fixed with gaussian, where it starts with gaussian_learned and logistic"},
    {TRAIN | SETTING, "--categories", INTEGER, "K", AT(categories), 2, 256, "256",
     "categorical: levels of a pixel"},
    {TRAIN | SETTING, "--head", CHOICE, HEADS, AT(head), 0, 0, "logvar",
     "what the encoder gives beside mu: the log variance, or a number whose abs, relu or softplus "
     "is the deviation"},
    {TRAIN | SETTING, "--code", CHOICE,
     "identity|relu|leaky_relu|elu|tanh|sigmoid|softplus|silu|gelu|", AT(code), 0, 0, "identity",
     "activation of mu itself"},
    {TRAIN | SETTING, "--init", CHOICE, "auto|glorot|he|pytorch|zero|", AT(desc.init), 0, 0, "auto",
     "of the weights at the start; auto: He after relu kinds, Glorot otherwise"},
    {TRAIN | SETTING, "--visible-bias", CHOICE, "zero|mean|", AT(desc.visible_bias), 0, 0,
     "zero", "the decoder's last bias at the start; mean: what gives the mean training image"},

    {TRAIN, NULL, TEXT, "", 0, 0, 0, NULL, "Objective: recon + beta KL, in nats per image"},
    {TRAIN | SETTING, "--objective", CHOICE, "elbo|iwae|dreg|ae|recon|kl|",
     AT(objective), 0, 0, "elbo",
     "iwae: the bound of --k importance weights; dreg: the same with doubly reparameterised "
     "gradients; ae: an autoencoder, no noise and no KL; recon: noise, but no KL; kl: only the KL"},
    {TRAIN | SETTING, "--samples", INTEGER, "L", AT(desc.samples), 1, MOST_DRAWS, "1",
     "draws of the latents per image in training"},
    {TRAIN, "--k", INTEGER, "N", AT(desc.samples), 1, MOST_DRAWS, NULL,
     "another name of --samples, as importance weights are counted"},
    {TRAIN | SETTING, "--beta", REAL, "B", AT(beta), 0, 1e9, "1", "weight of the KL; 0: none"},
    {TRAIN | SETTING, "--warmup", REAL, "EPOCHS", AT(warmup), 0, 1e6, "0",
     "over which beta rises from 0; may be a fraction"},
    {TRAIN | SETTING, "--cycle", REAL, "EPOCHS", AT(cycle), 0, 1e6, "0",
     "after which the warm-up begins anew; 0: never"},
    {TRAIN | SETTING, "--free-bits", REAL, "F", AT(desc.free_bits), 0, 1e6, "0",
     "nats of each latent's KL that cost nothing"},
    {TRAIN | SETTING, "--noise", CHOICE, "on|off|", AT(desc.no_noise), 0, 0, "on",
     "of the latents in training; off: decode mu itself"},
    {TRAIN | SETTING, "--sparse", REAL, "W", AT(desc.sparse), 0, 1e6, "0",
     "weight of the sum of |mu| of an image"},
    {TRAIN | SETTING, "--contract", REAL, "W", AT(desc.contract), 0, 1e6, "0",
     "weight of the squared derivatives of mu by the pixels"},
    {TRAIN | SETTING, "--corrupt", TEXT, "KIND[:S]", AT(corrupt), 0, 0, "none",
     "what the encoder sees in training, while the decoder must give the clean image: gaussian "
     "(noise of deviation S), mask or salt_pepper (of a part S of the pixels); S: 0.3 unless "
     "given"},

    {TRAIN, NULL, TEXT, "", 0, 0, 0, NULL, "Optimiser"},
    {TRAIN | SETTING, "--optimizer", CHOICE, "adam|adamw|sgd|adam_iwae|", AT(desc.optimizer), 0, 0,
     "adam", "how gradients become steps"},
    {TRAIN | SETTING, "--lr", REAL, "RATE", AT(desc.lr), 1e-30, 1e9, "1e-3", "learning rate"},
    {TRAIN | SETTING, "--schedule", CHOICE, "constant|cosine|stages|plateau|iwae|", AT(desc.schedule), 0,
     0, "constant",
     "of the learning rate; cosine falls to 0 at the end of the run; plateau: cut when the test "
     "loss falls no more; iwae: the stages of Burda et al. 2016, 3280 epochs in all"},
    {TRAIN | SETTING, "--stages", TEXT, "E:R,E:R...", AT(stages), 0, 0, NULL,
     "rate R for E epochs, and so on; the last for the rest of the run. Implies --schedule "
     "stages"},
    {TRAIN | SETTING, "--plateau", INTEGER, "EPOCHS", AT(desc.plateau_epochs), 1, 1e6, "10",
     "without a lower test loss before the rate is cut. Implies --schedule plateau"},
    {TRAIN | SETTING, "--lr-factor", REAL, "F", AT(desc.lr_factor), 1e-9, 1, "0.5",
     "plateau: what a cut multiplies the rate by"},
    {TRAIN | SETTING, "--beta1", REAL, "B", AT(desc.beta1), 0, 0.9999999, "0.9",
     "adam: decay of the mean gradient"},
    {TRAIN | SETTING, "--beta2", REAL, "B", AT(desc.beta2), 0, 0.9999999, "0.999",
     "adam: decay of the mean square"},
    {TRAIN | SETTING, "--adam-eps", REAL, "E", AT(desc.adam_eps), 1e-30, 1e9, "1e-8",
     "adam: added to the root"},
    {TRAIN | SETTING, "--momentum", REAL, "M", AT(desc.momentum), 0, 0.9999999, "0", "of sgd"},
    {TRAIN | SETTING, "--weight-decay", REAL, "W", AT(desc.weight_decay), 0, 1e9, "0",
     "adamw: decoupled; adam and sgd: added to the gradient"},
    {TRAIN | SETTING, "--clip", REAL, "NORM", AT(desc.clip), 0, 1e30, "0",
     "largest norm of the whole gradient; 0: no limit"},
    {TRAIN | SETTING, "--ema", REAL, "DECAY", AT(desc.ema), 0, 0.9999999, "0",
     "use a running average of the weights, with this decay; 0: none"},

    {TRAIN, NULL, TEXT, "", 0, 0, 0, NULL, "Run"},
    {TRAIN, "--recipe", CHOICE, RECIPE_LIST(RECIPE_WORD), AT(recipe), 0, 0, NULL,
     "set the flags of a published experiment as though they were typed, but for those that are; "
     "'vae help recipes' shows them"},
    {TRAIN | SETTING, "--batch", INTEGER, "N", AT(desc.batch), 1, 1e6, "128", "images per step"},
    {TRAIN, "--epochs", INTEGER, "N", AT(desc.epochs), 1, 1e6, "10", "passes over the images"},
    {TRAIN | SETTING, "--patience", INTEGER, "EPOCHS", AT(desc.patience), 0, 1e6, "0",
     "end after so many without a lower test loss; 0: go on"},
    {TRAIN | SETTING, "--seed", WHOLE, "N", AT(desc.seed), 1, WORD64, "1", "of everything random"},
    {TRAIN, "--isa", CHOICE, "auto|portable|avx2|avx512|neon|", AT(desc.isa), 0, 0, "auto",
     "instruction set; the results are the same, bit by bit"},

    {TRAIN, NULL, TEXT, "", 0, 0, 0, NULL, "Files"},
    {TRAIN, "--model", TARGET, "FILE", AT(model), 0, 0, NULL,
     "where the model is kept, with all that is needed to go on: at the end, at checkpoints and "
     "on Ctrl-C (default: nowhere)"},
    {TRAIN, "--checkpoint-every", INTEGER, "EPOCHS", AT(checkpoint_every), 1, 1e6, "1",
     "how often to write it"},
    {TRAIN, "--resume", SWITCH, "", AT(resume), 0, 0, NULL,
     "go on from the file of --model, with its settings; start anew if it is not there"},
    {TRAIN, "--best", TARGET, "FILE", AT(best), 0, 0, NULL,
     "also keep the model here whenever its test loss is the lowest so far"},
    {TRAIN, "--log", TARGET, "FILE.csv", AT(log), 0, 0, NULL,
     "a row of figures for each epoch. --resume goes on with it. The file is replaced whole after "
     "each epoch: watch it with tail -F"},
    {TRAIN, "--weights-only", SWITCH, "", AT(weights_only), 0, 0, NULL,
     "leave the optimiser out of the finished file: smaller, but --resume from it starts with a "
     "fresh optimiser"},

    {USES, NULL, TEXT, "", 0, 0, 0, NULL, "What to do"},
    {OF_A_CLASS, "--class", INTEGER, "C", AT(label), 0, MOST_CLASSES - 1, NULL,
     "of a conditional model: the class of what is drawn, counted from 0"},
    {EVAL, "--samples", TEXT, "K,K...", AT(draws), 0, 0, NULL,
     "also the bound of K importance weights; it rises with K towards log p(x), and with 5000 "
     "draws it is what papers call the NLL"},
    {SAMPLE, "--count", INTEGER, "N", AT(count), 1, 1e5, "64", "how many samples"},
    {SAMPLE, "--draw", SWITCH, "", AT(draw), 0, 0, NULL,
     "draw each pixel from its density too, in place of showing its mean"},
    {RECONSTRUCT, "--count", INTEGER, "N", AT(count), 1, 1e5, "20", "how many images"},
    {INTERPOLATE, "--count", INTEGER, "N", AT(count), 1, 1e4, "8",
     "how many pairs, from the first images on"},
    {MANIFOLD, "--count", INTEGER, "N", AT(count), 1, 1000, "20", "images along each side"},
    {TRAVERSE, "--count", INTEGER, "N", AT(count), 1, 1e4, "8", "how many latents at most"},
    {DECODE, "--count", INTEGER, "N", AT(count), 1, 1e5, "400",
     "how many images at most in a picture"},
    {SAMPLE, "--seed", WHOLE, "N", AT(seed), 0, WORD64, "1", "of the latents drawn"},
    {RECONSTRUCT, "--first", WHOLE, "I", AT(first), 0, MOST, "0",
     "the first image, counted from 0"},
    {INTERPOLATE, "--from", WHOLE, "I", AT(from), 0, MOST, NULL,
     "together with --to: one pair, these two images, counted from 0"},
    {INTERPOLATE, "--to", WHOLE, "I", AT(to), 0, MOST, NULL, "see --from"},
    {INTERPOLATE, "--path", CHOICE, "linear|spherical|", AT(path), 0, 0, "linear",
     "between the two mu: straight, or along an arc around 0"},
    {INTERPOLATE, "--steps", INTEGER, "N", AT(steps), 2, 1000, "11",
     "images decoded along the way; of a conditional model with the class of the nearer end"},
    {TRAVERSE, "--latents", TEXT, "I,I...", AT(latents), 0, 0, NULL,
     "which latents, counted from 0 (default: those whose mu varies most on --data, else the "
     "first)"},
    {TRAVERSE, "--steps", INTEGER, "N", AT(steps), 2, 1000, "11", "images along each row"},
    {TRAVERSE, "--range", REAL, "R", AT(range), 1e-6, 1e6, "3", "from -R to R"},
    {TRAVERSE, "--image", WHOLE, "I", AT(image), 0, MOST, NULL,
     "around the mu of this image of --data, counted from 0 (default: around 0)"},
    {DECODE, "--in", SOURCE, "FILE.npy", AT(in), 0, 0, NULL, "latents: float32, one row per image"},

    {USES | WRITES_SET | INFO, NULL, TEXT, "", 0, 0, 0, NULL, "Output and the rest"},
    {SAMPLE, "--out", TARGET, "FILE.png", AT(out), 0, 0, "samples.png", "the picture"},
    {RECONSTRUCT, "--out", TARGET, "FILE.png", AT(out), 0, 0, "reconstructions.png",
     "the picture: rows of images, below each its reconstruction"},
    {INTERPOLATE, "--out", TARGET, "FILE.png", AT(out), 0, 0, "interpolations.png",
     "the picture: a row per pair, with the two images themselves at its ends"},
    {MANIFOLD, "--out", TARGET, "FILE.png", AT(out), 0, 0, "manifold.png",
     "the picture: equally likely steps of latent 0 to the right and of latent 1 upwards"},
    {TRAVERSE, "--out", TARGET, "FILE.png", AT(out), 0, 0, "traversal.png",
     "the picture: a row per latent"},
    {ENCODE, "--out", TARGET, "FILE.npy", AT(out), 1, 0, "codes.npy",
     "mu, float32 (images, latents)"},
    {ENCODE, "--logvar", TARGET, "FILE.npy", AT(logvar_out), 1, 0, NULL, "logvar, likewise"},
    {DECODE, "--out", TARGET, "FILE", AT(out), 1, 0, "decoded.png",
     "a picture, or with a name in .npy float32 (images, pixels)"},
    {SCORE, "--out", TARGET, "FILE", AT(out), 1, 0, "-", "-ELBO of each image; -: stdout"},
    {SCORE, "--format", CHOICE, "auto|text|csv|npy|", AT(format), 0, 0, "auto",
     "text: a number per line; csv and npy: -ELBO, recon and KL; auto: as the name of --out ends"},
    {LAYS_OUT, "--columns", INTEGER, "N", AT(columns), 1, 1e4, NULL,
     "images side by side (default: what makes the picture about square)"},
    {DRAWS, "--zoom", INTEGER, "N", AT(zoom), 1, 64, NULL,
     "size of a pixel (default: small images are enlarged)"},
    {TRAIN | EVAL, "--json", TARGET, "FILE", AT(json), 1, 0, NULL,
     "the figures as one JSON object; -: stdout. elbo and bound are negative; seconds is the whole "
     "run, images_per_second the steps of training (or evaluation) alone"},
    {USES, "--isa", CHOICE, "auto|portable|avx2|avx512|neon|", AT(desc.isa), 0, 0, "auto",
     "instruction set; the results are the same, bit by bit"},
    {TRAIN | USES, "--threads", INTEGER, "N", AT(desc.threads), 1, VAE_MAX_THREADS, NULL,
     "threads that compute (default: one for each processor, 16 at most); the results are the same"},
    {TRAIN | USES | INFO, "--max-memory", BYTES, "N[K|M|G]", AT(max_memory), 1, WORD64, NULL,
     "refuse a model file that needs more bytes of memory than this; K, M and G are powers of 1024 "
     "(default: 2G and 16 times the size of the file)"},
    {TRAIN | USES | WRITES_SET, "--quiet", SWITCH, "", AT(quiet), 0, 0, NULL,
     "print nothing but errors"},
};
enum { FLAGS = sizeof flags / sizeof flags[0] };
typedef char flags_fit[FLAGS <= sizeof(((options *)0)->given) ? 1 : -1];
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

static const flag *find_flag(unsigned command_bit, const char *name)
{
    for (size_t i = 0; i < FLAGS; i++)
        if (flags[i].name && flags[i].commands & command_bit && strcmp(flags[i].name, name) == 0)
            return &flags[i];
    return NULL;
}

static int given(const options *o, const char *name)
{
    return o->given[find_flag(o->command, name) - flags];
}

#endif
