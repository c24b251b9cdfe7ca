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
 *   curve.h         a curve on a terminal
 *   progress.h      a run of training as it goes: the live line, the log, checkpoints
 *   train.h         the command train
 *   sheets.h        pictures of many images side by side
 *   draw.h          sample, reconstruct, complete, interpolate, manifold, traverse
 *   verdicts.h      eval and score
 *   codes.h         encode and decode
 *   gmm.h, mixtures.h   gmm and prior: mixtures of Gaussians, of images and of codes
 *   info.h          info
 *   solvers.h       linear algebra and minimisation in double, without libm
 *   probe.h         probe: what codes are good for
 *   pca.h           pca: principal components as a model
 *   sets.h          digits, shapes, faces: built-in sets as files
 *   page.h          pieces of a web page: words, pictures, charts
 *   study.h, panels.h, sections.h   report: what it finds out, its figures, its page
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
#include "mixtures.h"
#include "info.h"
#include "solvers.h"
#include "probe.h"
#include "pca.h"
#include "sets.h"
#include "page.h"
#include "study.h"
#include "panels.h"
#include "sections.h"

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
     "  vae train --data digits --objective ae --encoder \"\" --contract 0.1 \\\n"
     "      --posterior \"normal code sigmoid\" --model cae.safetensors\n"
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
    {EVAL, "eval", "MODEL", "--data", eval, "measure how good a model is on a data set",
     "  vae eval m.safetensors --data mnist/\n"
     "  vae eval m.safetensors --data mnist/ --split train --json -\n"
     "  vae eval m.safetensors --data mnist/ --samples 1,50,5000\n"
     "  vae eval s.safetensors --data shapes --factors auto\n"},
    {SAMPLE, "sample", "MODEL", NULL, sample, "draw new images",
     "  vae sample m.safetensors --count 100 --seed 7 --out samples.png\n"
     "  vae sample cvae.safetensors --class 3\n"},
    {RECONSTRUCT, "reconstruct", "MODEL", "--data", reconstruct,
     "draw images and their reconstructions",
     "  vae reconstruct m.safetensors --data mnist/ --out reconstructions.png\n"},
    {COMPLETE, "complete", "MODEL", "--data", complete,
     "draw the lower part of images anew (PixelCNN, without a code)",
     "  vae train --data digits --posterior none --binarize dynamic --model p.safetensors \\\n"
     "      --decoder \"image, maskconv 32 7x7 a, gated, maskconv 32 3x3 b, gated\"\n"
     "  vae complete p.safetensors --data digits --rows 14 --out completions.png\n"},
    {INTERPOLATE, "interpolate", "MODEL", "--data", interpolate,
     "draw the way from one image to another",
     "  vae interpolate m.safetensors --data digits\n"
     "  vae interpolate m.safetensors --data mnist/ --from 3 --to 18 --path spherical\n"},
    {MANIFOLD, "manifold", "MODEL", NULL, manifold, "draw the plane of a model with two latents",
     "  vae manifold m2.safetensors --count 25 --out manifold.png\n"},
    {TRAVERSE, "traverse", "MODEL", NULL, traverse, "draw what each latent changes",
     "  vae traverse m.safetensors --data mnist/ --image 4\n"
     "  vae traverse m.safetensors --latents 0,3,5 --range 2 --out three.png\n"},
    {ENCODE, "encode", "MODEL", "--data", encode, "turn images into latents (NPY)",
     "  vae encode m.safetensors --data mnist/ --split train --out codes.npy\n"},
    {DECODE, "decode", "MODEL", "--in", decode, "turn latents (NPY) into images",
     "  vae decode m.safetensors --in codes.npy --out decoded.png\n"
     "  vae decode m.safetensors --in codes.npy --out decoded.npy\n"},
    {SCORE, "score", "MODEL", "--data", score, "tell how unusual each image is: its -ELBO",
     "  vae score m.safetensors --data new.idx --out scores.csv\n"
     "  vae score m.safetensors --data digits --quiet | sort -g | tail\n"},
    {REPORT, "report", "MODEL...", "--data", write_report, "draw all about models on one web page",
     "  vae report m.safetensors --data mnist/ --out report.html\n"
     "  vae report a.safetensors b.safetensors --data mnist/ --samples 1,50,5000\n"},
    {PCA, "pca", NULL, "--data", pca, "find the principal components: a linear autoencoder",
     "  vae pca --data mnist/ -k 20 --out pca20.safetensors\n"
     "  vae eval pca20.safetensors --data mnist/\n"},
    {PROBE, "probe", "MODEL", "--data", probe, "tell how well codes give the classes of images",
     "  vae probe m.safetensors --data mnist/\n"
     "  vae probe m.safetensors --data mnist/ --label-counts 50,all --json -\n"
     "  vae probe codes.npy --test-codes test-codes.npy --data mnist/\n"},
    {GMM, "gmm", NULL, "--data", fit_gmm, "fit a mixture of Gaussians to images or tables",
     "  vae gmm --data digits --components 20 --picture samples.png\n"
     "  vae gmm --data codes.npy --components 5 --full --out mixture.npy\n"},
    {PRIOR, "prior", "MODEL", "--data", fit_prior, "fit the prior of a model to its codes",
     "  # an autoencoder that can generate\n"
     "  vae train --data digits --objective ae --model ae.safetensors\n"
     "  vae prior ae.safetensors --gmm 20 --full --data digits --out ae20.safetensors\n"
     "  vae sample ae20.safetensors\n"},
    {INFO, "info", "MODEL", NULL, info, "tell what a model file holds",
     "  vae info m.safetensors\n"},
    {DIGITS, "digits", "FOLDER", NULL, write_set, "write the built-in digits as IDX files",
     "  vae digits data/digits\n"
     "  vae digits data/more --images 60000 --test-images 10000 --seed 2 --factors\n"},
    {SHAPES, "shapes", "FOLDER", NULL, write_set, "write the built-in shapes as IDX files",
     "  vae shapes data/shapes\n"
     "  vae shapes data/more --images 60000 --test-images 10000 --factors\n"},
    {FACES, "faces", "FOLDER", NULL, write_set, "write the built-in faces as IDX files",
     "  vae faces data/faces\n"
     "  vae faces data/more --images 60000 --test-images 10000 --factors\n"},
    {0, "help", "[TOPIC]", NULL, help,
     "explain a command or another topic",
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

/* What may stand for the value, and the default: "adam, sgd; default adam". */
static void describe_values(const options *standard, const flag *f, char *out, size_t size)
{
    char rule[300] = "", name[40], *usual = NULL;
    if (f->kind == SET && f->at != NO_DEFAULT)
        vae_desc_rule(setting_name(f, name), rule, sizeof rule, NULL);
    if (ends_with(rule, " 18446744073709551615"))
        snprintf(strrchr(rule, ' '), 12, " 2^64 - 1");
    if (f->kind == CHOICE) find_choice(f, "", rule, sizeof rule);
    if (f->kind == REAL && f->commands & SETTING)
        snprintf(rule, sizeof rule, "%.9g to %.9g", f->lo, f->hi);
    if (f->kind == SET && f->at != NO_DEFAULT) usual = value_text(standard, f);
    if (f->standard) usual = joined(f->standard, "", "");
    snprintf(out, size, "%s%s%s", rule, rule[0] && usual ? "; " : "", usual ? "default " : "");
    if (usual) snprintf(out + strlen(out), size - strlen(out), "%s", usual);
    free(usual);
}

static void help_flag(const options *standard, const flag *f, size_t width)
{
    char words[1400], values[400];
    int n;
    describe_values(standard, f, values, sizeof values);
    n = printf("  %s %s", f->name, f->kind == CHOICE ? "WORD" : f->word);
    printf(n > 22 ? "\n%*s" : "%*s", n > 22 ? 24 : 24 - n, "");
    snprintf(words, sizeof words, values[0] ? "%s (%s)" : "%s", f->help, values);
    print_wrapped(words, 24, width);
}

/* The library's tables of kinds: `vae help layers` and so on. */
static const struct {
    const char *word;
    vae_table table;
    const char *before, *after;
} tables[] = {
    {"layers", VAE_TABLE_LAYER,
     "An encoder or decoder is a list of layers with ',' between them. A layer may be followed by "
     "an activation, or an activation may stand alone. Shapes are height x width x channels.",
     "The encoder ends in a dense head to mu and logvar. The decoder ends in a dense head to what "
     "the likelihood needs, unless its last layer has no activation and exactly that many "
     "outputs. Behind `image` that head is a maskconv 1x1 b. Each z N of the encoder has its "
     "partner in the decoder, in reverse order.\n"
     "\nExamples\n"
     "  --encoder \"conv 32 4x4/2 relu, conv 64 4x4/2 relu, dense 256 relu\"\n"
     "  --decoder \"dense 256 relu, dense 3136 relu, reshape 7x7x64, \n"
     "             convt 32 4x4/2 relu, convt 1 4x4/2\"\n"
     "  --encoder \"dense 256 relu, res(batchnorm relu, dense 256), dropout 0.1\"\n"
     "  --encoder \"dense 200 tanh, z 100, dense 100 tanh\"\n"
     "  --decoder \"dense 100 tanh, z 100, dense 200 tanh\"\n"
     "  --posterior none --decoder \"image, maskconv 32 7x7 a, gated, maskconv 16 3x3 b\"\n"
     "  --posterior none --decoder \"image, maskconv 32 7x7 a, diaglstm 32\"\n"},
    {"likelihoods", VAE_TABLE_LIKELIHOOD,
     "The likelihood is the density of an image given its latents. What stands in brackets may be "
     "left out.",
     "The decoder ends in the numbers that the likelihood needs: one for each number of the image. "
     "gaussian_pixel and logistic_pixel need two: for each pixel the means of the channels, then "
     "the others. categorical K needs K. logistic_mixture K needs K times 3 for each pixel, in "
     "colour K times 10: centres, log scales, logits, and how centres move with the channels "
     "before.\n\nExamples\n  --likelihood \"gaussian 0.1\"\n  --likelihood logistic\n"
     "  --posterior none --likelihood \"logistic_mixture 5\" \\\n"
     "      --decoder \"image, maskconv 32 5x5 a, res(gated, maskconv 32 3x3 b)\"\n"},
    {"posteriors", VAE_TABLE_POSTERIOR,
     "The posterior is the density of the latents given an image; the encoder's head gives its "
     "parameters.",
     "Examples\n  --posterior \"normal softplus\"\n  --posterior \"normal code sigmoid\"\n"
     "  --posterior \"normal full\"\n  --posterior \"normal, iaf 320 2\"\n"},
    {"priors", VAE_TABLE_PRIOR,
     "The prior is the density that latents are drawn from for new images. What it has to learn is "
     "learned with the model.",
     "Examples\n  --prior \"mixture 10\"\n  --prior \"vamp 100\"\n"},
};
enum { TABLES = sizeof tables / sizeof *tables };

/* Prints paragraphs: lines that begin with a blank, and empty ones, as they stand. */
static void print_paragraphs(const char *words, size_t width)
{
    char line[700];
    while (next_piece(&words, '\n', line, sizeof line)) {
        if (line[0] == ' ' || !line[0]) printf("%s%s", line, words ? "\n" : "");
        else print_wrapped(line, 0, width);
    }
}

static int help_table(int which, size_t width)
{
    const char *syntax, *rule, *name;
    print_paragraphs(tables[which].before, width);
    printf("\n");
    for (int i = 0; (syntax = vae_kind_syntax(tables[which].table, i, &rule)) != NULL; i++) {
        int n = printf("  %s", syntax);
        printf(n > 28 ? "\n%*s" : "%*s", n > 28 ? 30 : 30 - n, "");
        print_wrapped(rule, 30, width);
    }
    if (tables[which].table == VAE_TABLE_LAYER) {
        printf("\nActivations\n ");
        for (int i = 0; (name = vae_choice_name(VAE_CHOICE_ACT, i)) != NULL; i++)
            printf(" %s", name);
        printf("\n");
    }
    if (tables[which].after[0]) printf("\n");
    print_paragraphs(tables[which].after, width);
    return 0;
}

static int help_recipes(size_t width)
{
    printf("A recipe sets the flags of a published experiment. Flags that are typed too win.\n");
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++) {
        printf("\n%s\n    ", recipes[i].name);
        print_wrapped(recipes[i].line, 4, width);
    }
    printf("\n");
    print_wrapped("iwae-paper, iwae-code: Burda, Grosse, Salakhutdinov 2016, one stochastic layer, "
                  "as the paper and as its code describe it. Add --objective iwae --k 50, or --k "
                  "50 alone for the VAE beside it.", 0, width);
    print_wrapped("pytorch-example: the program examples/vae of PyTorch.", 0, width);
    return 0;
}

static void help_command(const command *c, size_t width)
{
    const flag *heading = NULL, *f;
    options standard;
    begin_options(&standard, c->bit);
    printf("vae %s: %s\n\nusage: vae %s", c->name, c->help, c->name);
    if (c->operand) printf(" %s", c->operand);
    if (c->must) printf(" %s %s", c->must, find_flag(c->bit, c->must)->word);
    printf("%s\n", c->bit ? " [FLAGS]" : "");
    for (size_t i = 0; (f = flag_at(i)) != NULL; i++) {
        if (!(f->commands & c->bit)) continue;
        if (!f->name) {
            heading = f;
            continue;
        }
        if (heading) printf("\n%s\n", heading->help);
        heading = NULL;
        help_flag(&standard, f, width);
    }
    printf("\nExamples\n%s", c->examples);
}

static int help(options *o)
{
    const command *c = NULL;
    const char *best = NULL;
    size_t distance = 99, width = screen.terminal ? screen_width() - 1 : 80;
    if (width > 100) width = 100;
    for (size_t i = 0; i < COMMANDS && o->operand; i++) {
        if (strcmp(commands[i].name, o->operand) == 0) c = &commands[i];
        consider(o->operand, commands[i].name, &best, &distance);
    }
    for (int i = 0; i < TABLES && o->operand; i++) {
        if (strcmp(tables[i].word, o->operand) == 0) return help_table(i, width);
        consider(o->operand, tables[i].word, &best, &distance);
    }
    if (o->operand && !strcmp(o->operand, "recipes")) return help_recipes(width);
    if (o->operand) consider(o->operand, "recipes", &best, &distance);
    if (o->operand && !c)
        die(MISUSED, "there is no help on '%s'%s%s%s", o->operand, best ? "; did you mean " : "",
            best ? best : "", best ? "?" : "");
    if (!c) {
        printf("vae %s: variational autoencoders\n\nusage: vae COMMAND ...\n\n", VAE_VERSION_TEXT);
        for (size_t i = 0; i < COMMANDS; i++)
            printf("  %-12s %-10s %s\n", commands[i].name,
                   commands[i].operand ? commands[i].operand : "", commands[i].help);
        printf("\nOther topics of help: layers, likelihoods, posteriors, priors, recipes\n"
               "\nTo begin with:\n"
               "  vae train --data digits --model digits.safetensors\n"
               "  vae sample digits.safetensors --out samples.png\n");
        return 0;
    }
    help_command(c, width);
    return 0;
}

static int version(options *o)
{
    (void)o;
    printf("vae %s (best instruction set here: %s)\n", VAE_VERSION_TEXT,
           isa_name(vae_isa_best()));
    return 0;
}

#ifdef _WIN32
/* A console shows UTF-8 when it is told so, and remembers it after this program. */
static UINT code_page;
static void restore_code_page(void) { (void)SetConsoleOutputCP(code_page); }
#endif

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
#elif defined(_WIN32)
    for (int i = 0; i < 3; i++) (void)_setmode(i, _O_BINARY); /* the same bytes on every system */
    code_page = GetConsoleOutputCP();
    if (code_page && code_page != CP_UTF8 && SetConsoleOutputCP(CP_UTF8)) atexit(restore_code_page);
#endif
}

#ifdef _WIN32
/* The words of the command line in UTF-8, as Microsoft's C library divides it: blanks part words,
 * two " keep blanks together, and "" between them is the character. Before a " each two \ are one,
 * and another one makes the " a character. In the program's own name a \ is a \. */
static char **words_of(const wchar_t *line, int *count)
{
    const int size = WideCharToMultiByte(CP_UTF8, 0, line, -1, NULL, 0, NULL, NULL);
    char *from = (char *)need((size_t)size + 1, 1), *to = from;
    char **words = (char **)need((size_t)size + 2, sizeof *words);
    WideCharToMultiByte(CP_UTF8, 0, line, -1, from, size, NULL, NULL);
    for (*count = 0; *from;) {
        int quoted = 0;
        words[(*count)++] = to;
        for (; *from && (quoted || (*from != ' ' && *from != '\t')); from++) {
            const size_t n = *count > 1 ? strspn(from, "\\") : 0;
            if (from[n] != '"') {
                *to++ = *from;
                continue;
            }
            for (size_t i = 0; i < n / 2; i++) *to++ = '\\';
            from += n;
            if (n % 2) *to++ = '"';
            else if (*count > 1 && quoted && from[1] == '"') *to++ = *from++;
            else quoted = !quoted;
        }
        while (*from == ' ' || *from == '\t') from++;
        *to++ = '\0';
    }
    return words;
}
#endif

/* The command of that name; dies if there is none. */
static const command *find_command(const char *name)
{
    const char *best = NULL;
    size_t distance = 99;
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0) return &commands[i];
        consider(name, commands[i].name, &best, &distance);
    }
    if (best) die(MISUSED, "unknown command '%s'; did you mean %s?", name, best);
    die(MISUSED, "unknown command '%s'; 'vae help' lists them", name);
    return NULL;
}

/* Whether a person is watching, and likes colours. */
static void begin_screen(void)
{
    const char *term = getenv("TERM"), *plain = getenv("NO_COLOR");
#ifdef HAVE_POSIX
    screen.terminal = isatty(fileno(screen.out)) && term && term[0] && strcmp(term, "dumb") != 0;
#endif
    screen.colour = screen.terminal && !(plain && plain[0]);
    (void)term;
}

int main(int argc, char **argv)
{
    const command *c;
    const char *name = argc > 1 ? argv[1] : "";
    int wants_help = 0, status;
    options o;
    vae__fpenv host;
    screen.out = stdout;
    fill_descriptors();
#ifdef _WIN32
    argv = words_of(GetCommandLineW(), &argc);
#endif
#ifdef SIGXFSZ
    signal(SIGXFSZ, SIG_IGN); /* a file size limit is then an error like others */
#endif
    atexit(release_targets);
    if (argc < 2) die(MISUSED, "no command; 'vae help' lists them");
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) name = "help";
    if (strcmp(name, "--version") == 0) name = "version";
    c = find_command(name);
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) wants_help = 1;
    if (wants_help) {
        memset(&o, 0, sizeof o);
        o.operand = c->name;
        c = find_command("help");
    } else {
        parse(&o, c, commands, COMMANDS, argc - 2, argv + 2);
        claim_targets(&o);
    }
    begin_screen();
    vae__fp_enter(&host); /* linked with -Ofast, a program begins with subnormals flushed to 0 */
    status = c->run(&o);
    vae__fp_leave(&host);
    forget(&o);
    if (status >= 128) return status; /* a signal: nobody may be there to read the rest */
    if (screen.closed && !screen.quiet && (c->bit == 0 || c->bit & (EVAL | INFO | PROBE | GMM)))
        die(FAILED, "the output cannot be written: it is closed");
    if (fflush(screen.out) != 0 || ferror(screen.out))
        die(FAILED, "the output cannot be written: %s", strerror(errno));
    return status;
}
