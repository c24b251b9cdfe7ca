#!/usr/bin/python3
"""vae.h beside PyTorch, JAX and ONNX Runtime: the same models, taking turns in one run.

    make bench-torch [DATA=folder] [PYTHON=interpreter]
    bench/torch_compare.py [--rounds N] [--seconds S] [--threads 1,2] [--only WORD] [--json FILE]
                           [--text FILE] [--data FOLDER] [--serve build/train_step] [--no-compile]

Peers that this Python does not have are said to be absent. Each model is written in several ways
for each peer, all of them are tried at the start, and the fastest one races:
    PyTorch       eager; Adam plain, foreach and fused; torch.compile; mu and logvar from one layer
                  or two; images with channels first and last; decoding also frozen, optimised for
                  inference and through oneDNN
    JAX           one jitted step whose parameters and moments are donated; two random generators
    ONNX Runtime  decoding, with input and output bound
Each round lets vae.h work for S seconds (the program build/train_step, which waits on a pipe in
between), then the peer, then vae.h again. A figure is the best, and the median, of all groups of
steps of all rounds. One thread: both on the same core, in CPU time; two: in wall time.

PyTorch is given what makes it fastest on a CPU: AVX-512 kernels, memory that is not returned to
the system, OpenBLAS (where it is linked to that) free to choose its kernels and built for OpenMP,
the loss from logits. These settings are read when it is loaded, so this script starts itself again
for each number of threads."""

import argparse
import importlib
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time

OPENMP_BLAS = "/usr/lib/x86_64-linux-gnu/openblas-openmp"  # Debian: libopenblas0-openmp
PEERS = [("torch", "PyTorch"), ("jax", "JAX"), ("onnxruntime", "ONNX Runtime")]
NORMALS = 1 << 20  # as in tasks.h
PIXELS = 784

ROWS = [  # name in tasks.h, what it is, unit, how many of them a second
    ("vae-dense", "VAE 784-400-20 step, batch 128, dense input", "ms", 1e3),
    ("vae-pixels", "VAE 784-400-20 step, batch 128, {pixels}", "ms", 1e3),
    ("iwae-1", "IWAE net 784-200-200-50 step, batch 20, L = 1", "ms", 1e3),
    ("iwae-5", "IWAE net 784-200-200-50 step, batch 20, L = 5", "ms", 1e3),
    ("iwae-50", "IWAE net 784-200-200-50 step, batch 20, L = 50", "ms", 1e3),
    ("conv", "convolutional VAE, latent 16, step, batch 128", "ms", 1e3),
    ("pixelcnn", "PixelCNN step, batch 32", "ms", 1e3),
    ("pixelcnn-draw", "PixelCNN, 64 images drawn", "s", 1),
    ("decode-1", "decode 20-400-784, batch 1", "us", 1e6),
    ("decode-1024", "decode 20-400-784, batch 1024", "ms", 1e3),
    ("normals", "standard normals, 2^20 of them", "ms", 1e3),
]
# encoder, latents, decoder, activation, draws, batch, data
DENSE = {
    "vae-dense": ([400], 20, [400], "relu", 1, 128, "dense"),
    "vae-pixels": ([400], 20, [400], "relu", 1, 128, "pixels"),
}
for _draws in (1, 5, 50):
    DENSE[f"iwae-{_draws}"] = ([200, 200], 50, [200, 200], "tanh", _draws, 20, "dense")
TIMES = {"pixelcnn-draw": PIXELS}  # the peers' step is one of so many


# ---- the parent: no peer here, only their environment ----

def environment(threads):
    env = dict(os.environ)
    env.pop("OPENBLAS_CORETYPE", None)
    env.pop("OPENBLAS_L2_SIZE", None)
    env["ATEN_CPU_CAPABILITY"] = "avx512"  # ignored where the processor has less
    env["MALLOC_MMAP_THRESHOLD_"] = env["MALLOC_TRIM_THRESHOLD_"] = "4294967296"
    env["JAX_PLATFORMS"] = "cpu"
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
    ours, theirs = row["vae"], row["peer"]
    text = (f"  {row['what']:<52} {ours['best'] * per:8.3f} {ours['median'] * per:8.3f} {unit:<2}"
            f" {theirs['best'] * per:9.3f} {theirs['median'] * per:8.3f} {unit:<2}"
            f" {row['ratio_best']:7.2f} {row['ratio_median']:8.2f}   {row['variant']}")
    if row["model"] == "normals":
        text += (f"; {NORMALS / ours['best'] * 1e-6:.0f} and {NORMALS / theirs['best'] * 1e-6:.0f}"
                 " M/s")
    return text


def parent(options):
    absent = [name for module, name in PEERS if importlib.util.find_spec(module) is None]
    if len(absent) == len(PEERS):
        print("skipped: this Python has neither PyTorch nor JAX nor ONNX Runtime")
        return 0
    if not os.access(options.serve, os.X_OK):
        sys.exit(f"torch_compare: {options.serve} is not there: make bench-torch builds it")
    text = open(options.text, "w") if options.text else None

    def say(line):
        print(line, flush=True)
        if text:
            print(line, file=text)

    result = {"unit": "seconds per step", "absent": absent, "rows": []}
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
                result.setdefault("peers", {})[str(threads)] = about["peers"]
                if len(result["peers"]) == 1:
                    say("{cpu}; vae.h {version}, {compiler}, flags: {flags}".format(
                        **about["vae"]))
                    say(", ".join(about["versions"] + [f"{name} absent" for name in absent]))
                say(f"\n{threads} thread{'s' if threads > 1 else ''}, {about['clock']} time"
                    + "".join("; " + word for word in about["peers"].get("notes", [])))
                say(f"  {'':<52} {'vae.h':>8} {'median':>8}    {'peer':>9} {'median':>8}    "
                    f"{'x best':>7} {'x median':>8}   the fastest peer and way")
            else:
                say(line_of(row))
                result["rows"].append(row)
        if child.wait():
            return child.returncode
    say("\nx: the peer's time over vae.h's. The IWAE network is trained on the ELBO with L draws "
        "in all,\nwhich has the same products as the importance-weighted bound. PixelCNN: 7x7 mask "
        "a to 64\nchannels, six times res(1x1 32, 3x3 mask b 32, 1x1 64), 1x1 64, 1x1 1, relu. No "
        "peer has a sampler\nthat keeps what earlier pixels gave: each pixel is one full forward "
        "there, of which one in\n784 is timed. The JSON has the time of each way that was tried.")
    if text:
        text.close()
    if options.json:
        with open(options.json, "w") as file:
            json.dump(result, file, indent=1)
            file.write("\n")
    return 0


# ---- PyTorch: {way: function that makes one step} for a model ----

def torch_networks(torch):
    from torch import nn
    from torch.nn import functional as F

    class Vae(nn.Module):
        """One linear layer gives mu and logvar, as in vae.h, or (two) each has its own."""
        def __init__(self, encoder, latent, decoder, samples, two=False):
            super().__init__()
            self.encoder, self.decoder, self.samples = encoder, decoder, samples
            wide = [layer for layer in encoder if hasattr(layer, "out_features")][-1].out_features
            widths = [latent, latent] if two else [2 * latent]
            self.head = nn.ModuleList([nn.Linear(wide, width) for width in widths])

        def loss(self, x):
            h = self.encoder(x)
            mu, logvar = torch.cat([layer(h) for layer in self.head], 1).chunk(2, dim=1) \
                if len(self.head) == 1 else (self.head[0](h), self.head[1](h))
            std = (0.5 * logvar).exp()
            kl = 0.5 * (mu * mu + std * std - 1 - logvar).sum()
            eps = torch.randn(self.samples * len(mu), mu.shape[1])
            z = (mu + eps.view(self.samples, *mu.shape) * std).view_as(eps)
            out = self.decoder(z).reshape(self.samples, len(x), -1)
            target = x.reshape(1, len(x), -1).expand_as(out)
            recon = F.binary_cross_entropy_with_logits(out, target, reduction="sum")
            return (recon / self.samples + kl) / len(x)

    def stack(widths, act):
        layers = []
        for a, b in zip(widths, widths[1:]):
            layers += [nn.Linear(a, b), act()]
        return layers

    def dense(encoder, latent, decoder, act, samples, two):
        act = {"relu": nn.ReLU, "tanh": nn.Tanh}[act]
        out = stack([latent] + decoder, act) + [nn.Linear(decoder[-1], PIXELS)]
        return Vae(nn.Sequential(*stack([PIXELS] + encoder, act)), latent, nn.Sequential(*out),
                   samples, two)

    def conv():
        encoder = nn.Sequential(
            nn.Conv2d(1, 32, 4, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 4, 2, 1), nn.ReLU(),
            nn.Flatten(), nn.Linear(3136, 256), nn.ReLU())
        decoder = nn.Sequential(
            nn.Linear(16, 256), nn.ReLU(), nn.Linear(256, 3136), nn.ReLU(),
            nn.Unflatten(1, (64, 7, 7)), nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.ReLU(),
            nn.ConvTranspose2d(32, 1, 4, 2, 1))
        return Vae(encoder, 16, decoder, 1)

    class Masked(nn.Conv2d):
        def __init__(self, inputs, outputs, size, own):
            super().__init__(inputs, outputs, size, padding=size // 2)
            seen = torch.zeros(size * size)
            seen[:size * size // 2 + own] = 1
            self.register_buffer("seen", seen.view(1, 1, size, size))

        def forward(self, x):
            return F.conv2d(x, self.weight * self.seen, self.bias, padding=self.padding)

    class Residual(nn.Sequential):
        def forward(self, x):
            return x + super().forward(x)

    class PixelCnn(nn.Module):
        def __init__(self):
            super().__init__()
            blocks = [Residual(nn.Conv2d(64, 32, 1), nn.ReLU(), Masked(32, 32, 3, 1), nn.ReLU(),
                               nn.Conv2d(32, 64, 1)) for _ in range(6)]
            self.layers = nn.Sequential(Masked(1, 64, 7, 0), nn.ReLU(), *blocks, nn.ReLU(),
                                        nn.Conv2d(64, 64, 1), nn.ReLU(), nn.Conv2d(64, 1, 1))

        def loss(self, x):
            return F.binary_cross_entropy_with_logits(self.layers(x), x, reduction="sum") / len(x)

    return dense, conv, PixelCnn


def torch_ways(model, data, options):
    import torch
    from torch import nn
    dense, conv, pixel_cnn = torch_networks(torch)
    inputs = {name: torch.from_numpy(array) for name, array in data.items()}

    def trainer(network, x, batch, adam, last=False, compiled=False):
        how = {"plain": {"foreach": False}, "foreach": {"foreach": True}, "fused": {"fused": True}}
        if last:
            network.to(memory_format=torch.channels_last)
            x = x.contiguous(memory_format=torch.channels_last)
        optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, **how[adam])
        loss = torch.compile(network.loss, dynamic=False) if compiled else network.loss
        at = [0]

        def step():
            i = at[0]
            at[0] = i + batch if i + 2 * batch <= len(x) else 0
            optimiser.zero_grad(set_to_none=True)
            loss(x[i:i + batch]).backward()
            optimiser.step()
        return step

    ways = {}
    if model in DENSE:
        encoder, latent, decoder, act, samples, batch, which = DENSE[model]
        for two, adam, compiled in ((0, "plain", 0), (0, "foreach", 0), (0, "fused", 0),
                                    (1, "fused", 0), (0, "fused", 1)):
            name = f"{'two-layer' if two else 'one-layer'} head, Adam {adam}"
            ways[name + (", torch.compile" if compiled else "")] = lambda a=(two, adam, compiled): \
                trainer(dense(encoder, latent, decoder, act, samples, a[0]), inputs[which], batch,
                        a[1], compiled=a[2])
    elif model in ("conv", "pixelcnn"):
        batch = 128 if model == "conv" else 32
        x = inputs["pixels"].view(-1, 1, 28, 28)
        for last, adam, compiled in ((0, "foreach", 0), (0, "fused", 0), (1, "foreach", 0),
                                     (1, "fused", 0), (0, "fused", 1), (1, "fused", 1)):
            name = f"channels {'last' if last else 'first'}, Adam {adam}"
            ways[name + (", torch.compile" if compiled else "")] = lambda a=(last, adam, compiled): \
                trainer(conv() if model == "conv" else pixel_cnn(), x, batch, a[1], a[0], a[2])
    elif model == "pixelcnn-draw":
        def drawer(last):
            layers = pixel_cnn().layers.eval()
            x = inputs["pixels"][:64].view(-1, 1, 28, 28)
            if last:
                layers.to(memory_format=torch.channels_last)
                x = x.contiguous(memory_format=torch.channels_last)

            def step():  # the pixel in the middle of all
                x[:, :, 14, 14] = torch.bernoulli(layers(x)[:, :, 14, 14].sigmoid())
            return step
        for last in (0, 1):
            ways[f"full recomputation, channels {'last' if last else 'first'}"] = \
                lambda last=last: drawer(last)
    elif model.startswith("decode"):
        z = torch.randn(int(model.split("-")[1]), 20)

        def network():
            return nn.Sequential(nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, PIXELS),
                                 nn.Sigmoid()).eval()

        def one_dnn():
            from torch.utils import mkldnn
            other, plain = mkldnn.to_mkldnn(network()), z.to_mkldnn()
            return lambda: other(plain).to_dense()

        def calling(way):
            return lambda: way(z)
        ways["eager"] = lambda: calling(network())
        ways["torch.compile"] = lambda: calling(torch.compile(network(), dynamic=False))
        ways["torch.jit frozen"] = lambda: calling(torch.jit.freeze(torch.jit.script(network())))
        ways["torch.jit optimised"] = lambda: calling(
            torch.jit.optimize_for_inference(torch.jit.script(network())))
        ways["oneDNN"] = one_dnn
    else:
        buffer = torch.empty(NORMALS)
        ways["torch.randn"] = lambda: lambda: torch.randn(NORMALS)
        ways["normal_()"] = lambda: buffer.normal_
    return {name: way for name, way in ways.items()
            if not (options.no_compile and "torch.compile" in name)}


# ---- JAX ----

def jax_ways(model, data, options):
    import jax
    import jax.numpy as jnp
    import numpy as np
    draw = np.random.default_rng(1)
    relu = jax.nn.relu

    def affine(*shape):
        limit = float(np.prod(shape[:-1])) ** -0.5
        return {"w": jnp.asarray(draw.uniform(-limit, limit, shape), jnp.float32),
                "b": jnp.zeros(shape[-1])}

    def apply(layer, x):
        return x @ layer["w"] + layer["b"]

    def chain(layers, x, act):
        for layer in layers[:-1]:
            x = act(apply(layer, x))
        return apply(layers[-1], x)

    def windows(x, w, strides, pads, dilation=(1, 1)):
        return jax.lax.conv_general_dilated(x, w, strides, (pads, pads), lhs_dilation=dilation,
                                            dimension_numbers=("NHWC", "HWIO", "NHWC"))

    def bernoulli(out, x):
        return jnp.sum(jax.nn.softplus(out) - out * x)

    def elbo(encode, decode, samples):
        def loss(weights, x, key):
            mu, logvar = jnp.split(encode(weights["encoder"], x), 2, axis=1)
            std = jnp.exp(0.5 * logvar)
            kl = 0.5 * jnp.sum(mu * mu + std * std - 1 - logvar)
            z = mu + std * jax.random.normal(key, (samples,) + mu.shape)
            out = decode(weights["decoder"], z.reshape(-1, mu.shape[1]))
            return (bernoulli(out.reshape(samples, *x.shape), x) / samples + kl) / len(x)
        return loss

    def trainer(weights, loss, which, batch, generator):
        x = jnp.asarray(data[which])
        batches = len(x) // batch

        def step(state):
            weights, first, second, count, key = state
            key, noise = jax.random.split(key)
            here = jax.lax.dynamic_slice_in_dim(x, count % batches * batch, batch)
            slopes = jax.grad(loss)(weights, here, noise)
            count += 1
            first = jax.tree.map(lambda m, g: m + 0.1 * (g - m), first, slopes)
            second = jax.tree.map(lambda v, g: v + 0.001 * (g * g - v), second, slopes)
            rate = 1e-3 * jnp.sqrt(1 - 0.999 ** count) / (1 - 0.9 ** count)
            weights = jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-8),
                                   weights, first, second)
            return weights, first, second, count, key

        def zeros():
            return jax.tree.map(jnp.zeros_like, weights)
        jitted = jax.jit(step, donate_argnums=0)
        state = [(jax.tree.map(jnp.copy, weights), zeros(), zeros(), jnp.int32(0),
                  jax.random.key(1, impl=generator))]

        def run():
            state[0] = jitted(state[0])
            state[0][3].block_until_ready()
        return run

    def dense():
        encoder, latent, decoder, act, samples, batch, which = DENSE[model]
        act = {"relu": relu, "tanh": jnp.tanh}[act]

        def layers(widths):
            return [affine(a, b) for a, b in zip(widths, widths[1:])]
        weights = {"encoder": layers([PIXELS] + encoder + [2 * latent]),
                   "decoder": layers([latent] + decoder + [PIXELS])}
        run = elbo(lambda w, x: chain(w, x, act), lambda w, z: chain(w, z, act), samples)
        return weights, run, which, batch

    def conv():
        weights = {"encoder": [affine(4, 4, 1, 32), affine(4, 4, 32, 64), affine(3136, 256),
                               affine(256, 32)],
                   "decoder": [affine(16, 256), affine(256, 3136), affine(4, 4, 64, 32),
                               affine(4, 4, 32, 1)]}

        def encode(w, x):
            h = x.reshape(-1, 28, 28, 1)
            for layer in w[:2]:
                h = relu(windows(h, layer["w"], (2, 2), (1, 1)) + layer["b"])
            return chain(w[2:], h.reshape(-1, 3136), relu)

        def decode(w, z):
            h = relu(chain(w[:2], z, relu)).reshape(-1, 7, 7, 64)
            h = relu(windows(h, w[2]["w"], (1, 1), (2, 2), (2, 2)) + w[2]["b"])
            return windows(h, w[3]["w"], (1, 1), (2, 2), (2, 2)) + w[3]["b"]
        return weights, elbo(encode, decode, 1), "pixels", 128

    def pixel_cnn():
        weights = {"first": affine(7, 7, 1, 64), "last": [affine(64, 64), affine(64, 1)],
                   "blocks": [[affine(64, 32), affine(3, 3, 32, 32), affine(32, 64)]
                              for _ in range(6)]}

        def masked(x, layer, own):
            size = layer["w"].shape[0]
            seen = (np.arange(size * size) < size * size // 2 + own).astype(np.float32)
            w = layer["w"] * seen.reshape(size, size, 1, 1)
            return windows(x, w, (1, 1), (size // 2, size // 2)) + layer["b"]

        def loss(w, x, key):
            h = relu(masked(x.reshape(-1, 28, 28, 1), w["first"], 0))
            for into, middle, back in w["blocks"]:
                h = h + apply(back, relu(masked(relu(apply(into, h)), middle, 1)))
            return bernoulli(chain(w["last"], relu(h), relu).reshape(x.shape), x) / len(x)
        return weights, loss, "pixels", 32

    builders = {"conv": conv, "pixelcnn": pixel_cnn}
    if model in DENSE or model in builders:
        build = dense if model in DENSE else builders[model]
        return {f"jitted step, donated state, {generator}": lambda generator=generator:
                trainer(*build(), generator) for generator in ("threefry2x32", "unsafe_rbg")}
    if model.startswith("decode"):
        def decoder():
            layers = [affine(20, 400), affine(400, PIXELS)]
            z = jnp.asarray(draw.standard_normal((int(model.split("-")[1]), 20)), jnp.float32)
            run = jax.jit(lambda w, z: jax.nn.sigmoid(chain(w, z, relu)))
            return lambda: run(layers, z).block_until_ready()
        return {"jitted": decoder}
    if model == "normals":
        def normals(generator):
            key = jax.random.key(1, impl=generator)
            run = jax.jit(lambda key: jax.random.normal(key, (NORMALS,)))
            return lambda: run(key).block_until_ready()
        return {generator: lambda generator=generator: normals(generator)
                for generator in ("threefry2x32", "unsafe_rbg")}
    return {}


# ---- ONNX Runtime: decoding ----

def onnx_ways(model, data, options):
    import numpy as np
    import onnxruntime
    if not model.startswith("decode"):
        return {}
    rows = int(model.split("-")[1])

    def decoder():
        from onnx import TensorProto, helper, numpy_helper
        draw = np.random.default_rng(1)
        shapes = {"w0": (20, 400), "b0": (400,), "w1": (400, PIXELS), "b1": (PIXELS,)}
        weights = [numpy_helper.from_array(
            draw.uniform(-0.1, 0.1, shape).astype(np.float32), name)
            for name, shape in shapes.items()]
        nodes = [helper.make_node("Gemm", ["z", "w0", "b0"], ["sums"]),
                 helper.make_node("Relu", ["sums"], ["hidden"]),
                 helper.make_node("Gemm", ["hidden", "w1", "b1"], ["logits"]),
                 helper.make_node("Sigmoid", ["logits"], ["x"])]
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [rows, width])
                for name, width in (("z", 20), ("x", PIXELS))]
        graph = helper.make_graph(nodes, "decoder", ends[:1], ends[1:], weights)
        made = helper.make_model(graph, ir_version=9,
                                 opset_imports=[helper.make_opsetid("", 17)])
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads, settings.inter_op_num_threads = options.child, 1
        session = onnxruntime.InferenceSession(made.SerializeToString(), settings,
                                               providers=["CPUExecutionProvider"])
        binding = session.io_binding()
        z = draw.standard_normal((rows, 20)).astype(np.float32)
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(array)
                  for array in (z, np.zeros((rows, PIXELS), np.float32))]
        binding.bind_ortvalue_input("z", values[0])
        binding.bind_ortvalue_output("x", values[1])
        return lambda: session.run_with_iobinding(binding)
    return {"bound": decoder}


# ---- the child: one number of threads ----

class Server:
    """build/train_step --serve, and what it says of itself."""
    def __init__(self, options):
        command = [options.serve, "--serve"] + (["--data", options.data] if options.data else [])
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.about = json.loads(self.ask("about"))
        self.path = f"{options.serve}.pixels.{os.getpid()}.tmp"

    def ask(self, request):
        self.process.stdin.write(request + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if not answer:
            sys.exit("torch_compare: train_step ended")
        return answer

    def seconds(self, model, threads, steps):
        """Best and median; None: not in this build."""
        answer = self.ask(f"{model} {threads} {steps}")
        return None if answer == "unsupported" else [float(word) for word in answer.split()]

    def pixels(self, np):
        """The images that train_step itself uses."""
        try:
            answer = self.ask("pixels " + self.path)
            if answer != "ok":
                sys.exit("torch_compare: " + answer)
            return np.fromfile(self.path, np.uint8).reshape(-1, PIXELS).astype(np.float32) / 255
        finally:
            if os.path.exists(self.path):
                os.remove(self.path)


def seconds_per_group(clock, step, steps):
    """As in train_step.c: about 20 groups of equally many steps."""
    group = max(1, steps // 20)
    times = []
    for _ in range(max(1, steps // group)):
        begin = clock()
        for _ in range(group):
            step()
        times.append((clock() - begin) / group)
    return times


def steps_for(clock, step, seconds):
    for _ in range(2):
        step()
    best = min(seconds_per_group(clock, step, 3))
    if best < 0.005:
        best = min(seconds_per_group(clock, step, max(3, int(0.02 / best))))
    return max(3, int(seconds / best))


def peers_of(options):
    """Those that are here: {name: its ways}, versions, and notes."""
    found, versions, notes = {}, [f"Python {sys.version.split()[0]}"], []
    for (module, name), ways in zip(PEERS, (torch_ways, jax_ways, onnx_ways)):
        if importlib.util.find_spec(module) is None:
            continue
        loaded = importlib.import_module(module)
        found[name] = ways
        versions.append(f"{name} {loaded.__version__}")
        if module == "torch":
            loaded.set_num_threads(options.child)
            loaded.manual_seed(0)
            loaded.mm(loaded.rand(64, 64), loaded.rand(64, 64))
            words = [line.split(":")[1].strip() for line in
                     loaded.__config__.show().split("\n") if "capability" in line]
            notes.append("PyTorch's kernels: " + (words or ["not told"])[0])
            with open("/proc/self/maps") as maps:
                blas = {line.split()[-1] for line in maps
                        if "libopenblas" in line or "libmkl" in line}
            notes += sorted(os.path.realpath(b) for b in blas if b.startswith("/usr/lib"))
    return found, versions, notes


def try_all(found, model, data, options, clock):
    """Builds and times each way of each peer: {name: (seconds, step)}, {name: why not}."""
    tried, failed = {}, {}
    for peer, ways in found.items():
        for name, build in ways(model, data, options).items():
            name = f"{peer}, {name}"
            try:
                step = build()
                step()
            except Exception as error:  # not in this version, no compiler: say so, go on
                failed[name] = f"{type(error).__name__}: {str(error)[:200]}"
                continue
            tried[name] = [float("inf"), step]
    for _ in range(2):
        for way in tried.values():
            times = seconds_per_group(clock, way[1], steps_for(clock, way[1], 0.1))
            way[0] = min([way[0]] + times)
    return tried, failed


def race(server, model, found, data, options, clock):
    threads, times = options.child, TIMES.get(model, 1)
    tried, failed = try_all(found, model, data, options, clock)
    if not tried:
        return {"skipped": "no peer is here that does this"}
    name = min(tried, key=lambda way: tried[way][0])
    step = tried[name][1]
    steps = steps_for(clock, step, options.seconds)
    best = server.seconds(model, threads, 3)[0]
    mine = max(3, int(options.seconds / best))
    ours, theirs = [], []
    for _ in range(options.rounds):
        ours.append(server.seconds(model, threads, mine))
        theirs += [times * seconds for seconds in seconds_per_group(clock, step, steps)]
        time.sleep(0.01)  # PyTorch's other threads stop spinning
    row = {"vae": {"best": min(o[0] for o in ours), "median": statistics.median(o[1] for o in ours)},
           "peer": {"best": min(theirs), "median": statistics.median(theirs)}, "variant": name,
           "tried": {way: times * seconds for way, (seconds, _) in tried.items()},
           "failed": failed}
    for figure in ("best", "median"):
        row["ratio_" + figure] = row["peer"][figure] / row["vae"][figure]
    return row


def child(options):
    threads = options.child
    if threads == 1:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    import numpy as np
    clock = time.process_time if threads == 1 else time.perf_counter
    server = Server(options)
    pixels = server.pixels(np)
    data = {"pixels": pixels,
            "dense": np.random.default_rng(1).random(pixels.shape, np.float32)}
    found, versions, notes = peers_of(options)
    print(json.dumps({"about": {
        "vae": server.about, "clock": "CPU" if threads == 1 else "wall", "versions": versions,
        "peers": {"notes": notes, "environment": {name: os.environ.get(name) for name in (
            "ATEN_CPU_CAPABILITY", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_",
            "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "LD_LIBRARY_PATH", "OMP_NUM_THREADS")}}}}),
          flush=True)
    for model, what, unit, _ in ROWS:
        if options.only and options.only not in model or model == "normals" and threads > 1:
            continue  # normals: all draw on one thread
        row = {"model": model, "what": what.format(pixels=server.about["pixels"]),
               "threads": threads, "unit": unit}
        if server.seconds(model, threads, 1) is None:
            row["skipped"] = f"vae.h: {threads} threads are not in this build"
        elif "PyTorch" in found and model.startswith(("decode", "pixelcnn-draw")):
            # entered once: at each step it would cost as much as a layer
            with importlib.import_module("torch").inference_mode():
                row.update(race(server, model, found, data, options, clock))
        else:
            row.update(race(server, model, found, data, options, clock))
        print(json.dumps(row), flush=True)
    server.process.stdin.close()
    server.process.wait()
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
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    parser.add_argument("--child", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    sys.exit(child(options) if options.child else parent(options))


if __name__ == "__main__":
    main()
