/* vae: trains variational autoencoders and uses them, from the command line.
 *
 *   cc -O2 tools/vae.c -o build/vae
 *   build/vae train --data digits --model digits.safetensors
 *   build/vae sample digits.safetensors --out samples.png
 *
 * The rooms, each of which uses only those above it:
 *
 *   platform.h      what differs between systems and compilers
 *   screen.h        what a person sees: sentences, errors, the live line of a terminal
 *   text.h          memory, bytes that grow, words and numbers that were typed
 *   targets.h       files that are written: claims, folders, signals
 *   json.h, mathematics.h
 *   datasets.h      data sets: built-in ones, files and folders; labels, factors, tables
 *   options.h       the table of flags: a new flag is one row
 *   command_line.h  reads the command line into options
 *   paths.h         what is read and what is written must be different files
 *   settings.h      settings of training: from the command line to vae_desc and back
 *   models.h        opens a model file, and gives it data
 *   report.h        figures in words and in JSON, which train and eval share
 *   progress.h      a run of training as it goes: the live line, the log, checkpoints
 *   train.h         the command train
 *   sheets.h        pictures of many images side by side
 *   draw.h          sample, reconstruct, interpolate, manifold, traverse
 *   verdicts.h      eval and score
 *   codes.h         encode and decode
 *   info.h          info
 *   sets.h          digits and shapes: built-in sets as files
 *   vae.c           the table of commands: a new command is one row and its function; help
 *
 * Exit status: 0 all went well, 1 something failed, 2 the command line is wrong, 128 and the number
 * of the signal when one ended it: 130 is Ctrl-C. Training that is stopped by a signal, by a closed
 * terminal or by a closed pipe saves its model first. Whatever fails says so in one line on stderr.
 *
 * Files are written by the library's writer only, so that a file is the old one or the new one,
 * whole, at every instant; each is claimed from the start of a command to its end, so that two
 * commands never write to one file. */

#define VAE_IMPLEMENTATION
#include "platform.h"
#include "screen.h"
#include "text.h"
#include "targets.h"
#include "options.h"
#include "command_line.h"
#include "paths.h"
#include "train.h"
#include "draw.h"
#include "verdicts.h"
#include "codes.h"
#include "info.h"
#include "sets.h"

static int help(options *), version(options *);

static const command commands[] = {
    {TRAIN, "train", NULL, "--data", train, "train a model",
     "  # go on after a stop; other images; a schedule; a held-out set and a log\n"
     "  vae train --data mnist/ --latent 10 --epochs 50 --model m.safetensors --resume\n"
     "  vae train --data photos/ --test more-photos/ --model photos.safetensors\n"
     "  vae train --data mnist/ --schedule cosine --epochs 30 --json cosine.json\n"
     "  vae train --data mnist/ --validate 5000 --plateau 5 --patience 20 \\\n"
     "      --epochs 500 --best best.safetensors --log m.csv\n"
     "  vae train --data mnist/ --recipe iwae-paper --objective iwae --k 50\n"
     "  # linear autoencoder (finds the plane of PCA)\n"
     "  vae train --data digits --encoder \"\" --decoder \"\" --objective ae \\\n"
     "      --likelihood gaussian --model linear.safetensors\n"
     "  # non-linear autoencoder\n"
     "  vae train --data digits --objective ae --model ae.safetensors\n"
     "  # sparse autoencoder, of more codes than pixels\n"
     "  vae train --data digits --objective ae --latent 1000 --sparse 0.1 \\\n"
     "      --model sparse.safetensors\n"
     "  # denoising autoencoder\n"
     "  vae train --data digits --objective ae --corrupt mask:0.5 \\\n"
     "      --model dae.safetensors\n"
     "  # contractive autoencoder\n"
     "  vae train --data digits --objective ae --encoder \"\" --code sigmoid \\\n"
     "      --contract 0.1 --model cae.safetensors\n"
     "  # VAE\n"
     "  vae train --data digits --model digits.safetensors\n"
     "  # beta-VAE\n"
     "  vae train --data digits --beta 4 --model beta4.safetensors\n"
     "  # cyclic warm-up of the KL\n"
     "  vae train --data digits --warmup 2.5 --cycle 5 --model cyclic.safetensors\n"
     "  # free bits\n"
     "  vae train --data digits --free-bits 0.25 --model free.safetensors\n"
     "  # importance-weighted autoencoder, and with the gradients of DReG\n"
     "  vae train --data digits --objective iwae --k 5 --model iwae.safetensors\n"
     "  vae train --data digits --objective dreg --k 5 --model dreg.safetensors\n"
     "  # conditional VAE; then: vae sample cvae.safetensors --class 3\n"
     "  vae train --data digits --labels auto --model cvae.safetensors\n"
     "  # denoising VAE\n"
     "  vae train --data digits --corrupt gaussian:0.5 --model dvae.safetensors\n"
     "  # reconstruction only; KL only\n"
     "  vae train --data digits --objective recon --model recon.safetensors\n"
     "  vae train --data digits --objective kl --model kl.safetensors\n"},
    {EVAL, "eval", "MODEL", "--data", eval, "how good a model is on a data set, in many figures",
     "  vae eval m.safetensors --data mnist/\n"
     "  vae eval m.safetensors --data mnist/ --split train --json -\n"
     "  vae eval m.safetensors --data mnist/ --samples 1,50,5000\n"
     "  vae eval s.safetensors --data shapes --factors auto\n"},
    {SAMPLE, "sample", "MODEL", NULL, sample, "draw new images",
     "  vae sample m.safetensors --count 100 --seed 7 --out samples.png\n"
     "  vae sample cvae.safetensors --class 3\n"},
    {RECONSTRUCT, "reconstruct", "MODEL", "--data", reconstruct,
     "images beside what becomes of them",
     "  vae reconstruct m.safetensors --data mnist/ --out reconstructions.png\n"},
    {INTERPOLATE, "interpolate", "MODEL", "--data", interpolate, "walk from one image to another",
     "  vae interpolate m.safetensors --data digits\n"
     "  vae interpolate m.safetensors --data mnist/ --from 3 --to 18 --path spherical\n"},
    {MANIFOLD, "manifold", "MODEL", NULL, manifold, "the whole plane of a model with two latents",
     "  vae manifold m2.safetensors --count 25 --out manifold.png\n"},
    {TRAVERSE, "traverse", "MODEL", NULL, traverse, "what each latent does",
     "  vae traverse m.safetensors --data mnist/ --image 4\n"
     "  vae traverse m.safetensors --latents 0,3,5 --range 2 --out three.png\n"},
    {ENCODE, "encode", "MODEL", "--data", encode, "images to latents (NPY)",
     "  vae encode m.safetensors --data mnist/ --split train --out codes.npy\n"},
    {DECODE, "decode", "MODEL", "--in", decode, "latents (NPY) to images",
     "  vae decode m.safetensors --in codes.npy --out decoded.png\n"
     "  vae decode m.safetensors --in codes.npy --out decoded.npy\n"},
    {SCORE, "score", "MODEL", "--data", score, "how strange each image is: its -ELBO",
     "  vae score m.safetensors --data new.idx --out scores.csv\n"
     "  vae score m.safetensors --data digits --quiet | sort -g | tail\n"},
    {INFO, "info", "MODEL", NULL, info, "what a model file holds",
     "  vae info m.safetensors\n"},
    {DIGITS, "digits", "FOLDER", NULL, write_set, "write the built-in digits as IDX files",
     "  vae digits data/digits\n"
     "  vae digits data/more --images 60000 --test-images 10000 --seed 2 --factors\n"},
    {SHAPES, "shapes", "FOLDER", NULL, write_set, "write the built-in shapes as IDX files",
     "  vae shapes data/shapes\n"
     "  vae shapes data/more --images 60000 --test-images 10000 --factors\n"},
    {0, "help", "[COMMAND]", NULL, help, "explain a command and its flags, layers or recipes",
     "  vae help train\n  vae help layers\n  vae help recipes\n"},
    {0, "version", NULL, NULL, version, "print the version", "  vae version\n"},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

/* Prints words, broken at blanks, from column `at` on and with that indent. */
static void print_wrapped(const char *words, size_t at, size_t width)
{
    size_t column = at;
    while (*words) {
        size_t n = strcspn(words, " ");
        if (column > at && column + 1 + n > width) {
            printf("\n%*s", (int)at, "");
            column = at;
        }
        if (column > at) fputc(' ', stdout), column++;
        fwrite(words, 1, n, stdout);
        column += n;
        words += n + (words[n] == ' ');
    }
    fputc('\n', stdout);
}

static void help_flag(const flag *f, size_t width)
{
    char words[1000], listed[300];
    const char *word = f->kind == CHOICE ? "WORD" : f->word, *standard = f->standard;
    int n;
    find_word(f->kind == CHOICE ? f->word : "", "", listed, sizeof listed);
    n = printf("  %s %s", f->name, word);
    printf(n > 22 ? "\n%*s" : "%*s", n > 22 ? 24 : 24 - n, "");
    n = snprintf(words, sizeof words, standard || listed[0] ? "%s (%s" : "%s", f->help, listed);
    if (standard)
        n += snprintf(words + n, sizeof words - (size_t)n, "%sdefault %s", listed[0] ? "; " : "",
                      standard);
    if (standard || listed[0]) snprintf(words + n, sizeof words - (size_t)n, ")");
    print_wrapped(words, 24, width);
}

static int help_layers(void)
{
    const char *syntax, *rule, *name;
    char word[40];
    printf("An encoder or decoder is a list of layers with ',' between them. A layer may be followed "
           "by an\nactivation, or an activation may stand alone. Shapes are height x width x "
           "channels.\n\nLayers\n");
    for (int i = 0; (syntax = vae_kind_syntax(VAE_TABLE_LAYER, i, &rule)) != NULL; i++)
        printf("  %-24s %s\n", syntax, rule);
    printf("\nActivations\n ");
    for (int i = 0; (name = vae_choice_name(VAE_CHOICE_ACT, i)) != NULL; i++) printf(" %s", name);
    printf("\n\nLikelihoods (--likelihood)\n");
    for (int i = 0; (syntax = vae_kind_syntax(VAE_TABLE_LIKELIHOOD, i, &rule)) != NULL; i++)
        printf("  %-24s %s\n", kind_name(syntax, word), rule);
    printf("\nThe encoder ends in a dense head to mu and logvar. The decoder ends in a dense head to "
           "what the\nlikelihood needs, unless its last layer has no activation and exactly that many "
           "outputs: one\nfor each number, two for gaussian_pixel and logistic_pixel (per pixel: first "
           "means of the channels,\nthen the others), --categories of them for categorical.\n\n"
           "Examples\n"
           "  --encoder \"conv 32 4x4/2 relu, conv 64 4x4/2 relu, dense 256 relu\"\n"
           "  --decoder \"dense 256 relu, dense 3136 relu, reshape 7x7x64, convt 32 4x4/2 relu, "
           "convt 1 4x4/2\"\n"
           "  --encoder \"dense 256 relu, res(batchnorm relu, dense 256), dropout 0.1\"\n");
    return 0;
}

static int help_recipes(size_t width)
{
    printf("A recipe sets the flags of a published experiment; those that are typed too win.\n");
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++) {
        printf("\n%s\n    ", recipes[i].name);
        print_wrapped(recipes[i].line, 4, width);
    }
    printf("\niwae-*: Burda, Grosse, Salakhutdinov 2016, one stochastic layer, as the paper says "
           "and as\nits code does; with --objective iwae --k 50, or --k 50 for the VAE beside it.\n"
           "pytorch-example: the program examples/vae of PyTorch.\n");
    return 0;
}

static int help(options *o)
{
    const command *c = NULL;
    const flag *heading = NULL;
    const char *best = NULL;
    size_t distance = 99, width = screen.terminal ? screen_width() - 1 : 80;
    if (width > 100) width = 100;
    for (size_t i = 0; i < COMMANDS && o->operand; i++) {
        if (strcmp(commands[i].name, o->operand) == 0) c = &commands[i];
        consider(o->operand, commands[i].name, &best, &distance);
    }
    if (o->operand && !strcmp(o->operand, "layers")) return help_layers();
    if (o->operand && !strcmp(o->operand, "recipes")) return help_recipes(width);
    if (o->operand && !c)
        die(MISUSED, "there is no command '%s'%s%s%s", o->operand, best ? "; did you mean " : "",
            best ? best : "", best ? "?" : "");
    if (!c) {
        printf("vae %s: variational autoencoders\n\nusage: vae COMMAND ...\n\n", VAE_VERSION_TEXT);
        for (size_t i = 0; i < COMMANDS; i++)
            printf("  %-12s %-10s %s\n", commands[i].name,
                   commands[i].operand ? commands[i].operand : "", commands[i].help);
        printf("\nTo begin with:\n"
               "  vae train --data digits --model digits.safetensors\n"
               "  vae sample digits.safetensors --out samples.png\n");
        return 0;
    }
    printf("vae %s: %s\n\nusage: vae %s", c->name, c->help, c->name);
    if (c->operand) printf(" %s", c->operand);
    if (c->must) printf(" %s %s", c->must, find_flag(c->bit, c->must)->word);
    printf("%s\n", c->bit ? " [FLAGS]" : "");
    for (size_t i = 0; i < FLAGS; i++) {
        if (!(flags[i].commands & c->bit)) continue;
        if (!flags[i].name) {
            heading = &flags[i];
            continue;
        }
        if (heading) printf("\n%s\n", heading->help);
        heading = NULL;
        help_flag(&flags[i], width);
    }
    printf("\nExamples\n%s", c->examples);
    return 0;
}

static int version(options *o)
{
    (void)o;
    printf("vae %s (best instruction set here: %s)\n", VAE_VERSION_TEXT,
           isa_name(vae_isa_best()));
    return 0;
}

/* A descriptor from 0 to 2 that was closed would be given to the first file that is opened, and
 * what is printed would go into that file. */
static void fill_descriptors(void)
{
#ifdef HAVE_POSIX
    for (int i = 0; i < 3; i++) {
        if (fcntl(i, F_GETFD) >= 0 || errno != EBADF) continue;
        if (open("/dev/null", O_RDWR) != i) exit(FAILED);
        if (i == 1) screen.closed = 1;
    }
#endif
}

int main(int argc, char **argv)
{
    const command *c = NULL;
    const char *name = argc > 1 ? argv[1] : "", *best = NULL, *term = getenv("TERM");
    const char *plain = getenv("NO_COLOR");
    size_t distance = 99;
    int wants_help = 0, status;
    options o;
    screen.out = stdout;
    fill_descriptors();
#ifdef SIGXFSZ
    signal(SIGXFSZ, SIG_IGN); /* a file size limit is then an error like others */
#endif
    atexit(release_targets);
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) name = "help";
    if (strcmp(name, "--version") == 0) name = "version";
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0) c = &commands[i];
        consider(name, commands[i].name, &best, &distance);
    }
    if (argc < 2) die(MISUSED, "no command; 'vae help' lists them");
    if (!c && best) die(MISUSED, "unknown command '%s'; did you mean %s?", name, best);
    if (!c) die(MISUSED, "unknown command '%s'; 'vae help' lists them", name);
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) wants_help = 1;
    if (wants_help) {
        memset(&o, 0, sizeof o);
        o.operand = c->name;
        c = &commands[COMMANDS - 2];
    } else {
        parse(&o, c, commands, COMMANDS, argc - 2, argv + 2);
        claim_targets(&o);
    }
#ifdef HAVE_POSIX
    screen.terminal = isatty(fileno(screen.out)) && term && term[0] && strcmp(term, "dumb") != 0;
#endif
    screen.colour = screen.terminal && !(plain && plain[0]);
    (void)term;
    status = c->run(&o);
    forget(&o);
    if (status >= 128) return status; /* a signal: nobody may be there to read the rest */
    if (screen.closed && !screen.quiet && (c->bit == 0 || c->bit & (EVAL | INFO)))
        die(FAILED, "the output cannot be written: it is closed");
    if (fflush(screen.out) != 0 || ferror(screen.out))
        die(FAILED, "the output cannot be written: %s", strerror(errno));
    return status;
}

