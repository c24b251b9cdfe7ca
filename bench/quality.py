#!/usr/bin/env python3
"""Trains models by published recipes, evaluates them the papers' way, keeps bench/quality.md.

    make build/vae && python3 bench/quality.py --data FOLDER [--only NAME,NAME] [--passes N] [--list]

One row per run. It may be stopped at any time (Ctrl-C, a kill, a power cut) and started again: a
run goes on from its last checkpoint in build/quality, with the bits it would have had; what is
there already is not done again. A row whose run is not in build/quality stays as it is in
quality.md. --passes N trains with N passes at most: a row says how many it had. The whole takes
days on one core; --only vae-1,two-vae,... names what is wanted. Standard library only."""
import argparse
import array
import csv
import glob
import json
import math
import os
import re
import shlex
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)
LONG = 364  # passes: the first six stages of the schedule of Burda et al. 2016

PAPER = "--recipe iwae-paper"
TWO = PAPER + (' --encoder "dense 200 tanh, dense 200 tanh, z 100, dense 100 tanh, dense 100 tanh"'
               ' --decoder "dense 100 tanh, dense 100 tanh, z 100, dense 200 tanh, dense 200 tanh"'
               ' --warmup 20')
DENSE = '--encoder "dense 400 relu" --decoder "dense 400 relu" --batch 128 --schedule cosine'
CONV = ('--encoder "conv 16 4x4/2 relu, conv 32 4x4/2 relu, dense 128 relu" --decoder '
        '"dense 128 relu, dense 1568 relu, reshape 7x7x32, convt 16 4x4/2 relu, convt 1 4x4/2" '
        '--batch 128 --schedule cosine')
# Gated blocks; 13 of them see 17 lines above; wide windows are for what stands to the right there
BLOCK = "res(maskconv 16 1x1 b elu, maskconv 32 %s b, gated, maskconv 32 1x1 b), "
MASKED = ("image, maskconv 32 9x9 a, " + (BLOCK % "3x5" + BLOCK % "3x3") * 6 + BLOCK % "3x3" +
          "maskconv 32 1x1 b relu")
RNN = ' --decoder "image, maskconv 32 7x7 a, diaglstm 32, maskconv 32 1x1 b relu"'
PIXELS = " --binarize dynamic --batch 32 --lr 0.003 --schedule cosine"
PIXELVAE = (' --encoder "conv 16 5x5/2 relu, conv 32 5x5/2 relu, dense 128 relu" --latent 16'
            ' --decoder "dense 256 relu, dense 1568, reshape 28x28x2, ' + MASKED + '" --warmup 5')
# of the built-in shapes; small steps at the end copy the neighbour's colour exactly
MIXTURE = (' --posterior none --likelihood "logistic_mixture 8" --decoder "image, maskconv 32 3x3 a, '
           'res(gated, maskconv 24 3x3 b, gated, maskconv 32 1x1 b), '
           'res(gated, maskconv 24 3x3 b, gated, maskconv 32 1x1 b)" --images 20000 --batch 2 '
           '--lr 0.006 --beta2 0.98 --schedule cosine --visible-bias mean')
# 20 latents of 10 categories, the temperature falling over 30 passes of 469 steps
TENS = DENSE + ' --binarize dynamic --latent 20 --posterior "categorical 10"'


class Run:
    """One row. `before`: the run it goes on from. `samples`: importance weights of the NLL.
    `against`: the run of which the NLL is subtracted, image by image. `paper`: its figure.
    `kind`: what is done with the model: likelihood, levels (of codes), probe, pixels (`samples`
    then are draws of the bound of the first 1,000 test images), bits (per dimension, of the
    built-in shapes)."""

    def __init__(self, name, flags, passes, paper="", seed=1, before=None, samples=5000,
                 against=None, kind="likelihood"):
        self.name, self.flags, self.passes, self.paper, self.seed = name, flags, passes, paper, seed
        self.before, self.samples, self.against, self.kind = before, samples, against, kind


def probed(name, flags, passes):
    return Run(name, flags, passes, samples=0, kind="probe")


SECTIONS = [
    ("The protocol of Burda et al. 2016, one stochastic layer", "", [
        Run("vae-1", PAPER, LONG, "86.76 (19), 3280 passes"),
        Run("iwae-5", PAPER + " --objective iwae --k 5", LONG, "85.54 (22), 3280 passes"),
        Run("iwae-50", PAPER + " --objective iwae --k 50", 121, "84.78 (25), 3280 passes"),
        Run("vae-1-full", PAPER, 3280, "86.76 (19)", before="vae-1"),
    ]),
    ("The same protocol, other codes",
     "Difference: of the NLL to that of the run named, image by image, with its standard error. Two "
     "layers warm the KL up over 20 passes.", [
        Run("two-vae", TWO, LONG, "85.33 (16+5), 3280 passes", against="vae-1"),
        Run("two-iwae-5", TWO + " --objective iwae --k 5", LONG, "83.89 (21+5), 3280 passes",
            against="iwae-5"),
        Run("iaf", PAPER + ' --posterior "normal, iaf 320 2"', LONG, against="vae-1"),
        Run("vamp", PAPER + ' --prior "vamp 100"', LONG, against="vae-1"),
     ]),
    ("Categories: dense 400, dynamic binarisation", "The categories' draws are hard.", [
        Run("normal-20", DENSE + " --binarize dynamic --latent 20", 30, samples=0),
        Run("categorical", TENS + " --temperature-steps 14070", 30, samples=0),
        Run("categorical-through", TENS + " --temperature-steps 14070 --straight-through 1", 30,
            samples=0),
        Run("categorical-half", TENS, 30, samples=0),
        Run("categorical-long", TENS + " --temperature-steps 170716", LONG, samples=0),
    ]),
    ("Levels: grey pixels, 1000 codes",
     "Used: the part of the codes that occur on the 60,000 training images; perplexity: e^entropy "
     "of their counts.", [
        Run("fsq", DENSE + ' --latent 4 --visible-bias mean --posterior "fsq 8 5 5 5"', 30, samples=0, kind="levels"),
    ]),
    ("Probes: a linear classifier of the codes, accuracy on the test images in %",
     "With 100 and 1000 labels the mean of ten draws of labels, as many of each class, +- its "
     "standard error; r: the codes as they are, s: each divided by its standard deviation, "
     "whichever is better. Kingma et al. 2014 report 11.8 % errors with 100 labels by a "
     "transductive SVM on the codes of a VAE.",
     [probed("%s-%d" % (kind, k), DENSE + " --latent %d" % k + more, 10)
      for kind, more in (("probe-ae", " --objective ae"), ("probe-vae-0.1", " --beta 0.1"),
                         ("probe-vae-1", "")) for k in (2, 5, 10, 20, 50)] +
     [probed("probe-conv-%d" % k, CONV + " --latent %d --beta 0.3" % k, 16) for k in (5, 10, 20)] +
     [probed("probe-pca-%d" % k, "pca -k %d" % k, 0) for k in (2, 5, 10, 20, 50)]),
    ("Densities of pixels: dynamic binarisation",
     "PFLOP: of training, without the masked taps, backward twice forward. -log p(x): of all test "
     "images; of a model with a code -bound of 100 draws of the first 1,000, and there the "
     "difference to the run named. Published figures are those of fixed binarisation (van den Oord "
     "et al. 2016; Gulrajani et al. 2017). Hours: of one core that others used too; undisturbed "
     "passes took 200, 315 and 100 s, so the runs fit into 0.8, 1.2 and 0.8 hours. Drawing 64 digits "
     "with one thread (AVX-512, a shared Xeon; processor seconds): pixelcnn 0.20, pixelvae 0.22, "
     "pixelrnn 0.15. 784 passes of 64 images at these networks, measured on 10 passes of `vae eval` "
     "and scaled: 164, 231, 79.", [
        Run("pixelcnn", "--posterior none --decoder \"" + MASKED + "\"" + PIXELS, 14, "81.30",
            samples=0, kind="pixels"),
        Run("pixelvae", PIXELVAE[1:] + PIXELS, 14, "80.64", samples=100, against="pixelcnn",
            kind="pixels"),
        Run("pixelrnn", "--posterior none" + RNN + PIXELS, 30, "80.75", samples=0, kind="pixels"),
     ]),
    ("Bits per dimension: the built-in shapes, 32 x 32 in colour",
     "Of 2,000 test images: nats / (3072 log 2). zlib -9 packs these images to 0.49.", [
        Run("shapes-mixture", MIXTURE[1:], 10, samples=0, kind="bits"),
     ]),
    ("The example of pytorch/examples: grey pixels, so a loss and not a likelihood", "", [
        Run("pytorch-%d" % seed, "--recipe pytorch-example", 10, "105.57", seed=seed, samples=0)
        for seed in range(1, 6)
    ]),
]
PICTURED = ("pixels", "bits")  # 64 samples of these runs' models stand below their table
RUNS = {run.name: run for _, _, runs in SECTIONS for run in runs}
HEADS = {
    "likelihood": "run | recipe | passes | seed | seconds | params_hash | -ELBO | distortion | rate "
                  "| NLL (5000) | active units | paper | difference",
    "pixels": "run | recipe | passes | seed | PFLOP | hours | params_hash | -log p(x) | rate "
              "| published | difference",
    "levels": "run | recipe | passes | seed | params_hash | used | perplexity | recon",
    "bits": "run | recipe | passes | seed | PFLOP | seconds | params_hash | -log p(x) | bits per "
            "dimension",
    "probe": "run | recipe | passes | seed | params_hash | softmax 100 | 1000 | all | ridge 100 "
             "| 1000 | all",
}


def items(text):
    """The items of a string of layers, those of res( ) among them."""
    return [item.split() for item in re.sub(r"res\(|\)", "", text).split(",") if item.strip()]


def multiply_adds(shape, text, image):
    """What the layers of a string and their outputs cost for one image, and the output's shape."""
    (h, w, c), total, beside = shape, 0, 0
    for item in items(text):
        kind, n = item[0], int(item[1]) if len(item) > 1 and item[1].isdigit() else 0
        if kind == "dense":
            total += h * w * c * n
            h, w, c = 1, 1, n
        elif kind == "conv":
            kh, kw, step = (int(word) for word in re.match(r"(\d+)x(\d+)/(\d+)", item[2]).groups())
            h, w = -(-h // step), -(-w // step)
            total, c = total + h * w * kh * kw * c * n, n
        elif kind == "reshape":
            h, w, c = (int(word) for word in item[1].split("x"))
        elif kind == "image":
            h, w, c, beside = image[0], image[1], c + image[2], c
        elif kind == "maskconv":
            kh, kw = (int(word) for word in item[2].split("x"))
            taps = kh // 2 * kw + kw // 2
            total += h * w * n * (taps * c + (beside if item[3] == "a" else c))
            c = n
        elif kind == "gated":
            c //= 2
        elif kind == "diaglstm":  # two directions, four gates each: its input, above, beside
            total += h * w * 2 * 4 * n * (c + 2 * n)
            c = n
        else:
            raise ValueError("multiply-adds of the layer %s are not known" % kind)
    return total, (h, w, c)


def operations(run, images):
    """Floating-point operations of training on so many images. A multiply-add is two; backward is
    twice forward."""
    shape, outputs = ((32, 32, 3), 80) if run.kind == "bits" else ((28, 28, 1), 1)
    flag = dict(zip(*[iter(shlex.split(run.flags))] * 2))
    latent, total = int(flag.get("--latent", "0")), 0
    if flag.get("--posterior") != "none":
        total, (h, w, c) = multiply_adds(shape, flag["--encoder"], None)
        total += h * w * c * 2 * latent
    some, (h, w, c) = multiply_adds((1, 1, latent or 1), flag["--decoder"], shape)
    return 6 * (total + some + h * w * c * outputs) * images


def read_seconds(path):
    """What training took, resumes included."""
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    return float(rows[-1]["seconds"])


def read_table(path):
    """The rows of an NPY file of float32."""
    with open(path, "rb") as file:
        data = file.read()
    start = 10 + data[8] + 256 * data[9]
    shape = re.search(rb"'shape': \((\d+), (\d+)\)", data[:start])
    columns = int(shape.group(2))
    values = array.array("f", data[start:])
    if sys.byteorder == "big":
        values.byteswap()
    return [values[i:i + columns] for i in range(0, len(values), columns)]


def mean_and_error(values):
    mean = sum(values) / len(values)
    return mean, math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1) / len(values))


def do(path, command):
    """Runs a command unless the file that it makes is there."""
    if os.path.exists(path):
        return
    print("\n%s" % " ".join(shlex.quote(word) for word in command), flush=True)
    subprocess.run(command, check=True)


def stem_of(run, passes, args):
    return os.path.join(args.work, run.name + ("" if passes == run.passes else "-%d" % passes))


def work(run, args):
    """Trains what is not trained, evaluates what is not evaluated."""
    passes = min(run.passes, args.passes or run.passes)
    at = stem_of(run, passes, args)
    data = "shapes" if run.kind == "bits" else args.data
    model, common = at + ".safetensors", ["--data", data, "--threads", str(args.threads)]
    if run.flags.startswith("pca"):
        do(at + ".train.json", [args.vae] + run.flags.split() + common +
           ["--out", model, "--json", at + ".train.json"])
    elif not os.path.exists(at + ".train.json"):
        if run.before and not os.path.exists(model):
            before = os.path.join(args.work, run.before)
            if not os.path.exists(before + ".train.json"):
                print("%s goes on from %s, which is not there yet" % (run.name, run.before))
                return
            shutil.copy(before + ".csv", at + ".csv")
            shutil.copy(before + ".safetensors", at + ".part")
            os.replace(at + ".part", model)
        do(at + ".train.json", [args.vae, "train", "--test-images", "0"] + common +
           shlex.split(run.flags) + ["--epochs", str(passes), "--seed", str(run.seed), "--resume",
                                     "--model", model, "--log", at + ".csv", "--json",
                                     at + ".train.json", "--checkpoint-every",
                                     "1" if run.kind in ("pixels", "bits") else "5"])
    if run.kind == "probe":
        do(at + ".probe.json", [args.vae, "probe", model] + common + ["--json", at + ".probe.json"])
        return
    do(at + ".eval.json", [args.vae, "eval", model, "--split", "test", "--json", at + ".eval.json"] +
       common)
    if run.kind == "levels":
        do(at + ".codes.npy", [args.vae, "encode", model, "--split", "train", "--out",
                               at + ".codes.npy"] + common)
    if run.kind in PICTURED:
        do(at + ".png", [args.vae, "sample", model, "--count", "64", "--seed", "1", "--columns",
                         "8", "--out", at + ".png"])
    if run.samples or run.kind == "pixels":
        first = ["--images", "1000"] if run.samples and run.kind == "pixels" else []
        do(at + ".scores.npy", [args.vae, "score", model, "--split", "test", "--samples",
                                str(run.samples or 1), "--out", at + ".scores.npy"] + first +
           common)


def read_json(path):
    with open(path) as file:
        return json.load(file)


def units_cell(test):
    """Active units, those of the layer next to the pixels first, as papers print them."""
    layers = test.get("active_units_of_layers") or [test["active_units"] or ""]
    return "+".join(str(units) for units in reversed(layers))


def likelihood_cells(run, passes, at, args):
    train, test = read_json(at + ".train.json"), read_json(at + ".eval.json")
    if train["params_hash"] != test["params_hash"]:
        sys.exit("%s.eval.json is of another model than %s.train.json: remove it" % (at, at))
    stats, nll, difference = test["test"], "", ""
    if run.samples:
        scores = [row[3] for row in read_table(at + ".scores.npy")]
        nll = "%.2f +- %.2f" % mean_and_error(scores)
    other = run.against and stem_of(RUNS[run.against], passes, args) + ".scores.npy"
    if other and os.path.exists(other):
        pairs = [a - b[3] for a, b in zip(scores, read_table(other))]
        difference = "%.2f +- %.2f to %s" % (mean_and_error(pairs) + (run.against,))
    return ["%.0f" % read_seconds(at + ".csv"), "`%s`" % test["params_hash"],
            "%.2f +- %.2f" % (-stats["elbo"], test["elbo_se"]), "%.2f" % stats["recon"],
            "%.2f" % stats["kl"], nll, units_cell(test), run.paper, difference]


def pixel_cells(run, passes, at, args):
    train, test = read_json(at + ".train.json"), read_json(at + ".eval.json")
    if train["params_hash"] != test["params_hash"]:
        sys.exit("%s.eval.json is of another model than %s.train.json: remove it" % (at, at))
    scores, difference = [row[-1] for row in read_table(at + ".scores.npy")], ""
    other = run.against and stem_of(RUNS[run.against], passes, args) + ".scores.npy"
    if other and os.path.exists(other):
        pairs = [a - row[-1] for a, row in zip(scores, read_table(other))]
        difference = "%.2f +- %.2f to %s" % (mean_and_error(pairs) + (run.against,))
    return ["%.3f" % (operations(run, 60000 * passes) / 1e15),
            "%.2f" % (read_seconds(at + ".csv") / 3600), "`%s`" % test["params_hash"],
            "%.2f +- %.2f" % mean_and_error(scores), "%.2f" % test["test"]["kl"], run.paper,
            difference]


def bits_cells(run, passes, at, args):
    test = read_json(at + ".eval.json")
    nats = test["test"]["recon"]
    return ["%.3f" % (operations(run, 20000 * passes) / 1e15),
            "%.0f" % read_seconds(at + ".csv"), "`%s`" % test["params_hash"], "%.1f" % nats,
            "%.3f" % (nats / (3072 * math.log(2)))]


def level_cells(run, passes, at, args):
    counts = {}
    for code in read_table(at + ".codes.npy"):
        counts[tuple(code)] = counts.get(tuple(code), 0) + 1
    total = sum(counts.values())
    entropy = -sum(n / total * math.log(n / total) for n in counts.values())
    levels = 1
    for word in re.search(r"fsq ([0-9 ]+)", run.flags).group(1).split():
        levels *= int(word)
    test = read_json(at + ".eval.json")
    return ["`%s`" % test["params_hash"], "%.1f %%" % (100 * len(counts) / levels),
            "%.0f" % math.exp(entropy), "%.2f" % test["test"]["recon"]]


def probe_cells(run, passes, at, args):
    found = [p for p in read_json(at + ".probe.json")["probes"] if p["better"]]
    cells = ["`%s`" % read_json(at + ".train.json")["params_hash"]]
    for probe in "softmax", "ridge":
        for p in sorted((p for p in found if p["probe"] == probe), key=lambda p: p["labels"]):
            error = " +- %.1f" % (100 * p["se"]) if p["se"] is not None else ""
            cells.append("%.1f%s %s" % (100 * p["accuracy"], error, p["codes"][0]))
    return cells


CELLS = {"likelihood": likelihood_cells, "pixels": pixel_cells, "levels": level_cells,
         "bits": bits_cells, "probe": probe_cells}


def row(run, old, args):
    """A row of the table: of the run with the most passes that is finished; or the old row."""
    begin = "| %s | `%s` |" % (run.name, run.flags)
    done = [run.passes] + sorted((int(path[len(args.work) + len(run.name) + 2:-len(".train.json")])
                                  for path in glob.glob(os.path.join(args.work, run.name +
                                                                     "-[0-9]*.train.json"))
                                  if re.match(r"\d+$", path[len(args.work) + len(run.name) +
                                                            2:-len(".train.json")])), reverse=True)
    for passes in done:
        try:
            cells = CELLS[run.kind](run, passes, stem_of(run, passes, args), args)
        except FileNotFoundError:
            continue
        return "%s %d | %d | %s |" % (begin, passes, run.seed, " | ".join(cells))
    kept = [line for line in old if line.startswith(begin) and "not run yet" not in line]
    if kept:
        missing = HEADS[run.kind].count("|") + 2 - kept[0].count("|")
        return kept[0] + " |" * missing
    return "%s %d | %d | not run yet%s" % (begin, run.passes, run.seed,
                                          " |" * (HEADS[run.kind].count("|") - 2))


def samples_of(runs, args):
    """Lines with the pictures of samples; what the work folder has of them goes to bench/results."""
    lines = []
    for run in runs:
        name = os.path.join("results", "samples-%s.png" % run.name)
        made = os.path.join(args.work, run.name + ".png")
        if os.path.exists(made):
            shutil.copy(made, os.path.join(HERE, name))
        if os.path.exists(os.path.join(HERE, name)):
            lines += ["", "![64 samples of %s](%s)" % (run.name, name)]
    return lines


def table(old, args):
    """The whole of quality.md."""
    out = ["# Quality record", "",
           "Made by `python3 bench/quality.py --data FOLDER`: models trained on MNIST's 60,000 "
           "images, figures of its 10,000",
           "test images, nats per image, lower is better. NLL is -log of the mean of 5000 "
           "importance weights; +- is the standard",
           "error over images; a unit is active where the variance of mu over the test set is above "
           "0.01. The same command",
           "gives the same params_hash on any machine. Seconds: one thread of server processors that "
           "others used too."]
    rows_of = [[row(run, old, args) for run in runs] for _, _, runs in SECTIONS]
    every = sum(rows_of, [])
    waiting = sum("not run yet" in line for line in every)
    out += ["", "All %d runs have been made." % len(every) if not waiting else
            "Of %d runs %d have been made. The other %d say \"not run yet\": they are plans, without a "
            "figure." % (len(every), len(every) - waiting, waiting)]
    for (title, words, runs), rows in zip(SECTIONS, rows_of):
        head = HEADS[runs[0].kind]
        out += ["", "## " + title, ""] + ([words, ""] if words else [])
        out += ["| %s |" % head, "|---" * (head.count("|") + 1) + "|"] + rows
        out += samples_of([run for run in runs if run.kind in PICTURED], args)
        if title.startswith("The example"):
            known = [float(text.split("|")[7].split("+-")[0]) for text in rows if "+-" in text]
            if len(known) > 1:
                out += ["", "Mean of %d seeds: %.2f, from %.2f to %.2f." %
                        (len(known), sum(known) / len(known), min(known), max(known))]
    return "\n".join(out) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder with MNIST")
    parser.add_argument("--vae", default=os.path.join(TOP, "build", "vae"))
    parser.add_argument("--work", default=os.path.join(TOP, "build", "quality"))
    parser.add_argument("--only", help="names of runs, a comma between them")
    parser.add_argument("--passes", type=int, help="passes over the data at most")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--list", action="store_true", help="print the runs and stop")
    args = parser.parse_args()
    names = args.only.split(",") if args.only else list(RUNS)
    for name in names:
        if name not in RUNS:
            parser.error("there is no run %s" % name)
    if args.list:
        for run in RUNS.values():
            print("%-20s %d passes, seed %d: %s" % (run.name, run.passes, run.seed, run.flags))
            if run.kind == "pixels":
                print("%-20s %.4f PFLOP" % ("", operations(run, 60000 * run.passes) / 1e15))
        return
    os.makedirs(args.work, exist_ok=True)
    if args.data:
        for name in names:
            work(RUNS[name], args)
    path, old = os.path.join(HERE, "quality.md"), []
    if os.path.exists(path):
        with open(path) as file:
            old = file.read().split("\n")
    with open(path + ".tmp", "w") as file:
        file.write(table(old, args))
    os.replace(path + ".tmp", path)
    print("wrote %s" % path)


if __name__ == "__main__":
    main()
