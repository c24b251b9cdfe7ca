#!/usr/bin/python3
"""vae.h beside PyTorch: the same models, taking turns in one run.

    make bench-torch [DATA=folder]
    bench/torch_compare.py [--rounds N] [--seconds S] [--threads 1,2] [--only WORD] [--json FILE]
                           [--text FILE] [--data FOLDER] [--serve build/train_step]

Each round lets vae.h work for S seconds (the program build/train_step, which waits on a pipe in
between), then PyTorch, then vae.h again. A figure is the best, and the median, of all groups of
steps of all rounds. One thread: both on the same core, in CPU time; two: in wall time.

PyTorch is given what makes it fastest on a CPU: AVX-512 kernels, memory that is not returned to
the system, OpenBLAS free to choose its kernels and built for OpenMP, the loss from logits. Of the
ways to write a model (Adam plain or foreach, mu and logvar from one layer or two, images with
channels first or last; decoding eager, frozen or through oneDNN) each is tried at the start and the fastest races. These settings are read
when PyTorch is loaded, so this script starts itself again for each number of threads."""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time

OPENMP_BLAS = "/usr/lib/x86_64-linux-gnu/openblas-openmp"  # Debian: libopenblas0-openmp
NORMALS = 1 << 20  # as in train_step.c

ROWS = [  # name in train_step.c, what it is, unit, how many of them a second
    ("vae-dense", "VAE 784-400-20 step, batch 128, dense input", "ms", 1e3),
    ("vae-pixels", "VAE 784-400-20 step, batch 128, {pixels}", "ms", 1e3),
    ("iwae-1", "IWAE net 784-200-200-50 step, batch 20, L = 1", "ms", 1e3),
    ("iwae-5", "IWAE net 784-200-200-50 step, batch 20, L = 5", "ms", 1e3),
    ("iwae-50", "IWAE net 784-200-200-50 step, batch 20, L = 50", "ms", 1e3),
    ("conv", "convolutional VAE, latent 16, step, batch 128", "ms", 1e3),
    ("decode-1", "decode 20-400-784, batch 1", "us", 1e6),
    ("decode-1024", "decode 20-400-784, batch 1024", "ms", 1e3),
    ("normals", "standard normals, 2^20 of them", "ms", 1e3),
]


# ---- the parent: no PyTorch here, only its environment ----

def environment(threads):
    env = dict(os.environ)
    env.pop("OPENBLAS_CORETYPE", None)
    env.pop("OPENBLAS_L2_SIZE", None)
    env["ATEN_CPU_CAPABILITY"] = "avx512"  # ignored where the processor has less
    env["MALLOC_MMAP_THRESHOLD_"] = env["MALLOC_TRIM_THRESHOLD_"] = "4294967296"
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        env[name] = str(threads)
    if threads > 1 and os.path.isdir(OPENMP_BLAS):
        old = env.get("LD_LIBRARY_PATH")
        env["LD_LIBRARY_PATH"] = OPENMP_BLAS + (":" + old if old else "")
    return env


def line_of(row):
    if "skipped" in row:
        return f"  {row['what']:<52} {row['skipped']}"
    per = dict((r[0], r[3]) for r in ROWS)[row["model"]]
    unit = row["unit"]
    ours, theirs = row["vae"], row["torch"]
    text = (f"  {row['what']:<52} {ours['best'] * per:8.3f} {ours['median'] * per:8.3f} {unit}"
            f" {theirs['best'] * per:9.3f} {theirs['median'] * per:8.3f} {unit}"
            f" {row['ratio_best']:7.2f} {row['ratio_median']:7.2f}   {row['variant']}")
    if row["model"] == "normals":
        text += (f"; {NORMALS / ours['best'] * 1e-6:.0f} and {NORMALS / theirs['best'] * 1e-6:.0f}"
                 " M/s")
    return text


def parent(options):
    if importlib.util.find_spec("torch") is None:
        print("skipped: PyTorch is not installed")
        return 0
    if not os.access(options.serve, os.X_OK):
        sys.exit(f"torch_compare: {options.serve} is not there: make bench-torch builds it")
    text = open(options.text, "w") if options.text else None

    def say(line):
        print(line, flush=True)
        if text:
            print(line, file=text)

    result = {"unit": "seconds per step", "rows": []}
    allowed = sorted(os.sched_getaffinity(0))
    for threads in [int(t) for t in options.threads.split(",")]:
        if threads > len(allowed):
            say(f"\n{threads} threads: skipped, this process may use {len(allowed)} processor(s)")
            continue
        child = subprocess.Popen([sys.executable, os.path.abspath(__file__), "--child",
                                  str(threads)] + sys.argv[1:], env=environment(threads),
                                 stdout=subprocess.PIPE, text=True)
        for line in child.stdout:
            row = json.loads(line)
            if "about" in row:
                about = row["about"]
                result.setdefault("vae", about["vae"])
                result.setdefault("torch", {})[str(threads)] = about["torch"]
                if len(result["torch"]) == 1:
                    say("{cpu}; vae.h {version}, {compiler}, flags: {flags}".format(
                        **about["vae"]))
                    say("PyTorch {version}, Python {python}".format(**about["torch"]))
                say(f"\n{threads} thread{'s' if threads > 1 else ''}, {about['clock']} time; "
                      "{capability}; {blas}".format(**about["torch"]))
                say(f"  {'':<52} {'vae.h':>8} {'median':>8}    {'PyTorch':>9} {'median':>8}    "
                      f"{'x best':>7} {'x median':>8}  PyTorch's fastest way")
            else:
                say(line_of(row))
                result["rows"].append(row)
        if child.wait():
            return child.returncode
    say("\nx: PyTorch's time over vae.h's. The IWAE network is trained on the ELBO with L draws "
          "in both,\nwhich has the same products as the importance-weighted bound.")
    if text:
        text.close()
    if options.json:
        with open(options.json, "w") as file:
            json.dump(result, file, indent=1)
            file.write("\n")
    return 0


# ---- the child: PyTorch with one number of threads ----

def child(options):
    threads = options.child
    if threads == 1:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    import torch
    from torch import nn
    from torch.nn import functional as F
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    clock = time.process_time if threads == 1 else time.perf_counter

    command = [options.serve, "--serve"] + (["--data", options.data] if options.data else [])
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(request):
        server.stdin.write(request + "\n")
        server.stdin.flush()
        answer = server.stdout.readline().strip()
        if not answer:
            sys.exit("torch_compare: train_step ended")
        return answer

    about = json.loads(ask("about"))
    pixel_file = f"{options.serve}.pixels.{os.getpid()}.tmp"
    try:
        answer = ask("pixels " + pixel_file)  # the images that train_step itself uses
        if answer != "ok":
            sys.exit("torch_compare: " + answer)
        with open(pixel_file, "rb") as file:
            pixels = torch.frombuffer(bytearray(file.read()), dtype=torch.uint8)
    finally:
        if os.path.exists(pixel_file):
            os.remove(pixel_file)
    pixels = pixels.view(-1, 784).float().div(255)
    dense = torch.rand_like(pixels)

    def head(inputs, latent, fused):
        """mu and log variance: one layer of twice the width, as in vae.h, or two layers."""
        if fused:
            return nn.ModuleList([nn.Linear(inputs, 2 * latent)])
        return nn.ModuleList([nn.Linear(inputs, latent), nn.Linear(inputs, latent)])

    class Network(nn.Module):
        def __init__(self, encoder, latent, decoder, act, samples, fused):
            super().__init__()
            def stack(widths):
                layers = []
                for a, b in zip(widths, widths[1:]):
                    layers += [nn.Linear(a, b), act()]
                return layers
            self.encoder = nn.Sequential(*stack([784] + encoder))
            self.head = head(encoder[-1], latent, fused)
            self.decoder = nn.Sequential(*stack([latent] + decoder), nn.Linear(decoder[-1], 784))
            self.samples = samples

        def codes(self, x):
            return self.encoder(x)

        def loss(self, x):
            h = self.codes(x)
            if len(self.head) == 1:
                mu, logvar = self.head[0](h).chunk(2, dim=1)
            else:
                mu, logvar = self.head[0](h), self.head[1](h)
            std = torch.exp(0.5 * logvar)
            kl = -0.5 * torch.sum(1 + logvar - mu.pow(2) - std.pow(2))
            if self.samples > 1:
                z = mu + torch.randn(self.samples, *mu.shape) * std
                x = x.expand(self.samples, *x.shape)
            else:
                z = mu + torch.randn_like(std) * std
            recon = F.binary_cross_entropy_with_logits(self.decoder(z), x, reduction="sum")
            return (recon / self.samples + kl) / mu.shape[0]

    class Convolutional(Network):
        def __init__(self, last):
            super().__init__([256], 16, [256], nn.ReLU, 1, True)
            self.last = last
            self.encoder = nn.Sequential(
                nn.Conv2d(1, 32, 4, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 4, 2, 1), nn.ReLU(),
                nn.Flatten(), nn.Linear(3136, 256), nn.ReLU())
            self.decoder = nn.Sequential(
                nn.Linear(16, 256), nn.ReLU(), nn.Linear(256, 3136), nn.ReLU(),
                nn.Unflatten(1, (64, 7, 7)), nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.ReLU(),
                nn.ConvTranspose2d(32, 1, 4, 2, 1), nn.Flatten())
            if last:
                self.to(memory_format=torch.channels_last)

        def codes(self, x):
            x = x.view(-1, 1, 28, 28)
            return self.encoder(x.contiguous(memory_format=torch.channels_last) if self.last
                                else x)

    def trainer(network, data, batch, foreach):
        adam = torch.optim.Adam(network.parameters(), lr=1e-3, foreach=foreach)
        at = [0]

        def step():
            i = at[0]
            at[0] = i + batch if i + 2 * batch <= len(data) else 0
            adam.zero_grad(set_to_none=True)
            network.loss(data[i:i + batch]).backward()
            adam.step()
        return step

    def trainers(shape, data, batch):
        return {f"{'one' if fused else 'two'}-layer head, Adam {'foreach' if each else 'plain'}":
                trainer(Network(*shape, fused), data, batch, each)
                for fused in (True, False) for each in (True, False)}

    def convolutional():
        return {f"channels {'last' if last else 'first'}, Adam {'foreach' if each else 'plain'}":
                trainer(Convolutional(last), pixels, 128, each)
                for last in (True, False) for each in (True, False)}

    def decoders(batch):
        net = nn.Sequential(nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 784), nn.Sigmoid())
        net.eval()
        z = torch.randn(batch, 20)
        ways = {"eager": net}
        frozen = torch.jit.freeze(torch.jit.script(net))
        ways["torch.jit frozen"] = frozen
        try:
            ways["torch.jit optimised"] = torch.jit.optimize_for_inference(
                torch.jit.script(net))
        except RuntimeError:
            pass  # not in this build
        try:
            from torch.utils import mkldnn
            plain = z.to_mkldnn()
            other = mkldnn.to_mkldnn(net)
            ways["oneDNN"] = lambda _: other(plain).to_dense()
        except (RuntimeError, AttributeError):
            pass

        return {name: lambda way=way: way(z) for name, way in ways.items()}

    def normals():
        buffer = torch.empty(NORMALS)
        return {"torch.randn": lambda: torch.randn(NORMALS), "normal_()": buffer.normal_}

    vae = ([400], 20, [400], nn.ReLU, 1)
    ways = {
        "vae-dense": lambda: trainers(vae, dense, 128),
        "vae-pixels": lambda: trainers(vae, pixels, 128),
        "conv": convolutional,
        "decode-1": lambda: decoders(1),
        "decode-1024": lambda: decoders(1024),
        "normals": normals,
    }
    for samples in (1, 5, 50):
        shape = ([200, 200], 50, [200, 200], nn.Tanh, samples)
        ways[f"iwae-{samples}"] = lambda shape=shape: trainers(shape, dense, 20)

    def seconds_per_group(step, steps):
        """As in train_step.c: about 20 groups of equally many steps."""
        group = max(1, steps // 20)
        times = []
        for _ in range(max(1, steps // group)):
            begin = clock()
            for _ in range(group):
                step()
            times.append((clock() - begin) / group)
        return times

    def steps_for(step, seconds):
        for _ in range(5):
            step()
        best = min(seconds_per_group(step, 3))
        best = min(seconds_per_group(step, max(3, int(0.02 / best))))
        return max(3, int(seconds / best))

    config = torch.__config__.show()
    capability = [s.split(":")[1].strip() for s in config.split("\n") if "capability" in s]
    torch.mm(torch.rand(64, 64), torch.rand(64, 64))
    with open("/proc/self/maps") as maps:
        blas = {line.split()[-1] for line in maps if "libopenblas" in line or "libmkl" in line}
    print(json.dumps({"about": {"vae": about, "clock": "CPU" if threads == 1 else "wall", "torch": {
        "version": torch.__version__, "python": sys.version.split()[0],
        "capability": "PyTorch's kernels: " + (capability or ["not told"])[0],
        "blas": ", ".join(sorted(os.path.realpath(b) for b in blas)),
        "environment": {name: os.environ.get(name) for name in (
            "ATEN_CPU_CAPABILITY", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_",
            "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "LD_LIBRARY_PATH", "OMP_NUM_THREADS")}}}}),
          flush=True)

    for model, what, unit, _ in ROWS:
        if options.only and options.only not in model:
            continue
        if model == "normals" and threads > 1:
            continue  # both draw on one thread
        row = {"model": model, "what": what.format(pixels=about["pixels"]), "threads": threads,
               "unit": unit}
        answer = ask(f"{model} {threads} 3")
        if answer == "unsupported":
            row["skipped"] = f"vae.h: {threads} threads are not in this build"
            print(json.dumps(row), flush=True)
            continue
        # entered once: at each step it would cost as much as a layer
        mode = torch.inference_mode() if model.startswith("decode") else torch.enable_grad()
        with mode:
            contenders = ways[model]()
            tried = {}
            for _ in range(2):
                for name, step in contenders.items():
                    best = min(seconds_per_group(step, steps_for(step, 0.1)))
                    tried[name] = min(best, tried.get(name, best))
            name = min(tried, key=tried.get)
            step = contenders[name]
            steps = steps_for(step, options.seconds)
            best = min(float(ask(f"{model} {threads} 20").split()[0]) for _ in range(2))
            request = f"{model} {threads} {max(3, int(options.seconds / best))}"
            ours, theirs = [], []
            for _ in range(options.rounds):
                ours.append([float(f) for f in ask(request).split()])
                theirs += seconds_per_group(step, steps)
                time.sleep(0.01)  # PyTorch's other threads stop spinning
        row["vae"] = {"best": min(o[0] for o in ours),
                      "median": statistics.median(o[1] for o in ours)}
        row["torch"] = {"best": min(theirs), "median": statistics.median(theirs)}
        row["variant"], row["tried"] = name, tried
        for figure in ("best", "median"):
            row["ratio_" + figure] = row["torch"][figure] / row["vae"][figure]
        print(json.dumps(row), flush=True)
    server.stdin.close()
    server.wait()
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=0.3, help="of each side in each round")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--only", help="rows whose name holds this word")
    parser.add_argument("--json")
    parser.add_argument("--text")
    parser.add_argument("--data", help="folder with MNIST; else the built-in digits")
    parser.add_argument("--serve", default="build/train_step")
    parser.add_argument("--child", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    sys.exit(child(options) if options.child else parent(options))


if __name__ == "__main__":
    main()
