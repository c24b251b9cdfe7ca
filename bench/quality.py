#!/usr/bin/env python3
"""Trains models by published recipes, evaluates them the papers' way, keeps bench/quality.md.

    make build/vae && python3 bench/quality.py --data FOLDER [--only NAME,NAME] [--list]

One row per run. It may be stopped at any time (Ctrl-C, a kill, a power cut) and started again: a
run goes on from its last checkpoint in build/quality, with the bits it would have had; what is
there already is not done again. The whole takes some hours on one core, the longest run about one.
Standard library only."""
import argparse
import csv
import json
import os
import shlex
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)

PAPER = "--recipe iwae-paper"
# title, then runs: name, recipe and flags, passes, seed, run it goes on from, samples, paper's figure
SECTIONS = [
    ("The protocol of Burda et al. 2016, one stochastic layer", [
        ("vae-1", PAPER, 364, 1, None, 5000, "86.76 (19), 3280 passes"),
        ("iwae-5", PAPER + " --objective iwae --k 5", 364, 1, None, 5000,
         "85.54 (22), 3280 passes"),
        ("iwae-50", PAPER + " --objective iwae --k 50", 121, 1, None, 5000,
         "84.78 (25), 3280 passes"),
        ("vae-1-full", PAPER, 3280, 1, "vae-1", 5000, "86.76 (19)"),
    ]),
    ("The example of pytorch/examples: grey pixels, so a loss and not a likelihood", [
        ("pytorch-%d" % seed, "--recipe pytorch-example", 10, seed, None, 0, "105.57")
        for seed in range(1, 6)
    ]),
]
RUNS = [run for _, runs in SECTIONS for run in runs]


def read_seconds(path):
    """What training took, resumes included."""
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    return float(rows[-1]["seconds"])


def run(name, flags, passes, seed, before, samples, args):
    """Trains what is not trained, evaluates what is not evaluated; the figures, or None."""
    def at(tail, of=name):
        return os.path.join(args.work, of + tail)

    train = [args.vae, "train", "--data", args.data, "--test-images", "0"] + shlex.split(flags) + [
        "--epochs", str(passes), "--seed", str(seed), "--threads", str(args.threads), "--resume",
        "--model", at(".safetensors"), "--log", at(".csv"), "--json", at(".train.json"),
        "--checkpoint-every", "5"]
    evaluate = [args.vae, "eval", at(".safetensors"), "--data", args.data, "--split", "test",
                "--threads", str(args.threads), "--json", at(".eval.json")]
    if samples:
        evaluate += ["--samples", str(samples)]
    if not os.path.exists(at(".train.json")):
        if before and not os.path.exists(at(".safetensors")):
            if not os.path.exists(at(".train.json", before)):
                print("%s goes on from %s, which is not there yet" % (name, before))
                return
            shutil.copy(at(".csv", before), at(".csv"))
            shutil.copy(at(".safetensors", before), at(".part"))
            os.replace(at(".part"), at(".safetensors"))
        print("\n== %s\n%s" % (name, " ".join(shlex.quote(word) for word in train)), flush=True)
        subprocess.run(train, check=True)
    if not os.path.exists(at(".eval.json")):
        print("\n== %s\n%s" % (name, " ".join(shlex.quote(word) for word in evaluate)), flush=True)
        subprocess.run(evaluate, check=True)


def figures(name, args):
    """What is known of a run, or None when it is not finished."""
    path = os.path.join(args.work, name)
    try:
        with open(path + ".train.json") as file:
            train = json.load(file)
        with open(path + ".eval.json") as file:
            test = json.load(file)
        if train["params_hash"] != test["params_hash"]:
            sys.exit("%s.eval.json is of another model than %s.train.json: remove it" %
                     (path, path))
        return test, read_seconds(path + ".csv")
    except FileNotFoundError:
        return None


def row(run_, args):
    """A row of the table, and the -ELBO or None."""
    name, flags, passes, seed, _, samples, paper = run_
    found = figures(name, args)
    if not found:
        return "| %s | `%s` | %d | %d | not run yet |" % (name, flags, passes, seed), None
    test, seconds = found
    stats = test["test"]
    nll = "%.2f +- %.2f" % (test["nll"], test["bounds"][-1]["se"]) if samples else ""
    return "| %s | `%s` | %d | %d | %.0f | `%s` | %.2f +- %.2f | %.2f | %.2f | %s | %d | %s |" % (
        name, flags, passes, seed, seconds, test["params_hash"], -stats["elbo"], test["elbo_se"],
        stats["recon"], stats["kl"], nll, test["active_units"], paper), -stats["elbo"]


def table(args):
    """The whole of quality.md."""
    out = ["# Quality record", "",
           "Made by `python3 bench/quality.py --data FOLDER`: models trained on MNIST's 60,000 "
           "images, figures of its 10,000",
           "test images, nats per image, lower is better. NLL is -log of the mean of 5000 "
           "importance weights; +- is the standard",
           "error over images; a unit is active where the variance of mu over the test set is above "
           "0.01. The same command",
           "gives the same params_hash on any machine. Seconds: one thread of %s, shared with "
           "others." % args.machine]
    for title, runs in SECTIONS:
        rows = [row(run_, args) for run_ in runs]
        known = [elbo for _, elbo in rows if elbo is not None]
        out += ["", "## " + title, "",
                "| run | recipe | passes | seed | seconds | params_hash | -ELBO | distortion | rate "
                "| NLL (5000) | active units | paper |", "|---" * 12 + "|"]
        out += [text for text, _ in rows]
        if title.startswith("The example") and len(known) > 1:
            out += ["", "Mean of %d seeds: %.2f, from %.2f to %.2f." %
                    (len(known), sum(known) / len(known), min(known), max(known))]
    return "\n".join(out) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder with MNIST")
    parser.add_argument("--vae", default=os.path.join(TOP, "build", "vae"))
    parser.add_argument("--work", default=os.path.join(TOP, "build", "quality"))
    parser.add_argument("--only", help="names of runs, a comma between them")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--list", action="store_true", help="print the runs and stop")
    args = parser.parse_args()
    names = args.only.split(",") if args.only else [r[0] for r in RUNS]
    for name in names:
        if name not in [r[0] for r in RUNS]:
            parser.error("there is no run %s" % name)
    if args.list:
        for name, flags, passes, seed, *_ in RUNS:
            print("%-12s %d passes, seed %d: %s" % (name, passes, seed, flags))
        return
    args.machine = "processor unknown"
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    args.machine = line.split(":")[1].strip()
    os.makedirs(args.work, exist_ok=True)
    if args.data:
        for name, flags, passes, seed, before, samples, _ in RUNS:
            if name in names:
                run(name, flags, passes, seed, before, samples, args)
    path = os.path.join(HERE, "quality.md")
    with open(path + ".tmp", "w") as file:
        file.write(table(args))
    os.replace(path + ".tmp", path)
    print("wrote %s" % path)


if __name__ == "__main__":
    main()
