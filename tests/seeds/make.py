"""Makes the seeds of the fuzz targets and the gzip arrays of test_data.c.

    python3 tests/seeds/make.py            writes the folders and the .dict files beside this file
    python3 tests/seeds/make.py arrays     prints the arrays

Files named crash-* are past findings of the fuzzers; nothing here makes or removes them.
"""
import glob, json, os, re, struct, subprocess, sys, tempfile, zlib


# ---- IDX ----

def idx(kind, dims, data):
    return bytes([0, 0, kind, len(dims)]) + b"".join(struct.pack(">I", d) for d in dims) + data


# ---- deflate by hand, for what a compressor never writes ----

class Bits:
    def __init__(self):
        self.out, self.n = 0, 0

    def put(self, value, count):  # lowest bit first
        self.out |= (value & ((1 << count) - 1)) << self.n
        self.n += count

    def bytes(self):
        return self.out.to_bytes((self.n + 7) // 8, "little")


def canonical(lens):
    """symbol -> (code with its bits turned round, length)"""
    codes, code, last = {}, 0, 0
    for length, symbol in sorted((n, s) for s, n in lens.items() if n):
        code <<= length - last
        last = length
        codes[symbol] = (int(format(code, "0%db" % length)[::-1], 2), length)
        code += 1
    return codes


FIXED_LIT = {s: 8 if s < 144 else 9 if s < 256 else 7 if s < 280 else 8 for s in range(288)}
FIXED_DIST = {s: 5 for s in range(32)}


def write(bits, lit, dist, items, end=True):
    """items: a number is a literal, (symbol, extra, width, dsymbol, dextra, dwidth) a match"""
    lit, dist = canonical(lit), canonical(dist)
    for item in items:
        if isinstance(item, int):
            bits.put(*lit[item])
        else:
            bits.put(*lit[item[0]])
            bits.put(item[1], item[2])
            bits.put(*dist[item[3]])
            bits.put(item[4], item[5])
    if end:
        bits.put(*lit[256])


def dynamic_head(bits, lit, dist, final=1):
    bits.put(final, 1)
    bits.put(2, 2)
    lits, dists = max(max(lit) + 1, 257), max(dist) + 1
    bits.put(lits - 257, 5)
    bits.put(dists - 1, 5)
    bits.put(19 - 4, 4)
    order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
    lens = {s: 4 if s < 14 else 5 for s in range(18)}
    for s in order:
        bits.put(lens.get(s, 0), 3)
    codes = canonical(lens)
    row = [lit.get(s, 0) for s in range(lits)] + [dist.get(s, 0) for s in range(dists)]
    i = 0
    while i < len(row):
        run = 1
        while i + run < len(row) and row[i + run] == row[i] and run < 10:
            run += 1
        if row[i] == 0 and run >= 3:
            bits.put(*codes[17])
            bits.put(run - 3, 3)
        else:
            bits.put(*codes[row[i]])
            run = 1
        i += run


def member(data, deflated=None, flags=0, extra=b"", level=9, strategy=0):
    """a gzip member, whose optional fields are named by `flags`"""
    if deflated is None:
        z = zlib.compressobj(level, zlib.DEFLATED, -15, 9, strategy)
        deflated = z.compress(data) + z.flush()
    head = bytes([0x1F, 0x8B, 8, flags, 0, 0, 0, 0, 0, 255])
    if flags & 4:
        head += struct.pack("<H", len(extra)) + extra
    if flags & 8:
        head += b"a name\0"
    if flags & 16:
        head += b"a comment\0"
    if flags & 2:
        head += struct.pack("<H", zlib.crc32(head) & 0xFFFF)
    return head + deflated + struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)


SMALL = idx(8, [2, 3], b"\x00\x01\x7f\x80\xfe\xff")
SKEWED = idx(8, [4, 10, 10], bytes((i * i >> 4) % 23 * (i % 3 > 0) for i in range(400)))


def deep():
    """codes of every length up to 15 bits, for literals and for distances"""
    data = idx(8, [64], bytes(range(16)) * 4)
    used = sorted(set(data[:24])) + [256, 257]
    lens = list(range(1, 16)) + [15]
    while len(lens) < len(used):  # still complete when one code becomes two
        short = min(lens)
        lens.remove(short)
        lens += [short + 1] * 2
    lit = dict(zip(used, sorted(lens)))
    dist = {s: min((s + 8) % 16 + 1, 15) for s in range(16)}
    items = list(data[:24])
    at = 24
    while at < len(data):  # three bytes from 16 back: distance symbol 7, extra 3 of 2 bits
        items.append((257, 0, 0, 7, 3, 2) if at + 3 <= len(data) else data[at])
        at += 3 if at + 3 <= len(data) else 1
    bits = Bits()
    dynamic_head(bits, lit, dist)
    write(bits, lit, dist, items)
    return data, member(data, bits.bytes())


def window():
    """a match at the largest distance, across several fills of any window"""
    head = idx(8, [300000], b"")
    items, out = list(head), bytearray(head)
    def literal(b):
        items.append(b)
        out.append(b)
    def match(length, back):
        symbol = {258: (285, 0, 0), 3: (257, 0, 0)}[length]
        far = {1: (0, 0, 0), 32768: (29, 8191, 13)}[back]
        items.append(symbol + far)
        for _ in range(length):
            out.append(out[-back])
    literal(7)
    literal(0)
    while len(out) < len(head) + 300000 - 6:
        left = len(head) + 300000 - 6 - len(out)
        if left < 258:
            literal(1 + left % 2)
        elif len(items) % 64 == 63 and len(out) >= 32768:
            match(258, 32768)
        else:
            match(258, 1)
    match(3, 32768)
    match(3, 1)
    used = sorted({i if isinstance(i, int) else i[0] for i in items} | {256})
    lit = dict(zip([285, 1, 2] + [s for s in used if s not in (285, 1, 2)],
                   [1, 3, 3] + [5] * 8))
    assert len(lit) <= 11, used
    lit = {s: n for s, n in lit.items() if s in used}
    room = 1 - sum(2.0 ** -n for n in lit.values())
    fill = 100
    while room > 0:  # unused symbols make the code complete
        lit[fill], room, fill = 5, room - 2.0 ** -5, fill + 1
    bits = Bits()
    dynamic_head(bits, lit, {0: 1, 29: 1})
    write(bits, lit, {0: 1, 29: 1}, items)
    return bytes(out), member(bytes(out), bits.bytes())


def too_far():
    """a match 8 back when only 7 bytes are there; the rest would be right"""
    bits = Bits()
    bits.put(3, 3)
    write(bits, FIXED_LIT, FIXED_DIST, list(SMALL[:7]) + [(257, 0, 0, 5, 1, 1)])
    return member(SMALL[:7] + b"\0\0\0", bits.bytes())


def four_blocks():
    """stored, empty stored, fixed, dynamic: one member with all of them"""
    z = zlib.compressobj(9, zlib.DEFLATED, -15)
    tail = SKEWED[60:]
    dynamic = z.compress(tail) + z.flush()
    fixed = Bits()
    fixed.put(2, 3)
    write(fixed, FIXED_LIT, FIXED_DIST, list(SKEWED[40:60]))
    fixed.put(0, 3)  # an empty stored block aligns
    middle = fixed.bytes() + b"\0\0\xff\xff"
    stored = b"\0" + struct.pack("<HH", 40, 40 ^ 0xFFFF) + SKEWED[:40]
    return member(SKEWED, stored + b"\0\0\0\xff\xff" + middle + dynamic)


GZIP = {
    "stored": member(SMALL, level=0),
    "fixed": member(SMALL, strategy=zlib.Z_FIXED),
    "dynamic": member(SKEWED),
    "mixed": four_blocks(),
    "flags": member(SMALL, flags=1 | 2 | 4 | 8 | 16, extra=b"XY\x02\x00hi"),
    "joined": member(SMALL[:5]) + member(b"") + member(SMALL[5:], level=0),
    "deep": deep()[1],
    "window": window()[1],
    "too_far": too_far(),
}


def print_arrays():
    for name, data in list(GZIP.items()) + [("skewed", SKEWED)]:
        if name not in ("too_far", "skewed"):
            assert b"".join(unzip(data))[:4] == b"\0\0\x08" + data_rank(data)
        print("static const unsigned char data_%s[%d] = {" %
              ("raw_skewed" if name == "skewed" else "gz_" + name, len(data)))
        for i in range(0, len(data), 18):
            print("    " + ", ".join("%d" % b for b in data[i:i + 18]) + ",")
        print("};")


def unzip(data):
    while data:
        z = zlib.decompressobj(31)
        yield z.decompress(data) + z.flush()
        data = z.unused_data


def data_rank(data):
    return b"".join(unzip(data))[3:4]


# ---- safetensors ----

def st(header, data=b"", pad=0):
    if not isinstance(header, bytes):
        header = json.dumps(header, separators=(",", ":")).encode()
    header += b" " * pad
    return struct.pack("<Q", len(header)) + header + data


def tensor(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


SAFETENSORS = {
    "smallest": st({"test": tensor("I32", [2, 2], 0, 16)}, bytes(16)),
    "empty": st({}),
    "metadata": st({"__metadata__": {"vae.format": "1", "k\u00e9": "\U0001f600\n\"\\"},
                    "a": tensor("F32", [], 0, 4), "b": tensor("U8", [0, 3], 4, 4)}, bytes(4), 5),
    "order": st(b'{ "b" : {"data_offsets":[4,8],\n"shape":[1],"dtype":"F32"},\t'
                b'"\\u0061":{"shape":[2,2],"dtype":"U8","data_offsets":[0,4]}}', bytes(8)),
    "unknown": st({"x": tensor("Q3_7", [5], 0, 3), "y": tensor("F4", [3, 2], 3, 6)}, bytes(6)),
    "hole": st({"a": tensor("U8", [1], 0, 1), "b": tensor("U8", [1], 2, 3)}, bytes(3)),
    "twice": st(b'{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1]},'
                b'"a":{"dtype":"U8","shape":[],"data_offsets":[1,2]}}', bytes(2)),
    "overflow": st({"a": tensor("F64", [2**32, 2**32, 2**32], 0, 0)}),
    "surrogate": st(b'{"__metadata__":{"a":"\\ud83d\\ude00","b":"\\ud83d"}}'),
}

# Small models, written by the library itself: with optimiser and average, and without.
MODELS = r"""
#define VAE_IMPLEMENTATION
#include "vae.h"
#include <string.h>
int main(int argc, char **argv) {
    static const float x[2] = {0, 1};
    vae_batch batch;
    vae_desc d;
    vae *m;
    memset(&d, 0, sizeof d), memset(&batch, 0, sizeof batch);
    batch.x = x, batch.rows = 1;
    d.input = "2", d.encoder = d.decoder = "dense 1 tanh", d.latent = 1, d.ema = 0.5f, d.batch = 1;
    if (argc != 3 || vae_create(&d, &m, NULL) || vae_train_step(m, &batch, NULL)) return 1;
    if (vae_save(m, argv[1], 0)) return 1;
    vae_destroy(m);
    d.ema = 0, d.encoder = d.decoder = "";
    if (vae_create(&d, &m, NULL)) return 1;
    return vae_save(m, argv[2], VAE_SAVE_WEIGHTS_ONLY);
}
"""


def write_models(here):
    with tempfile.TemporaryDirectory() as folder:
        source, program = os.path.join(folder, "m.c"), os.path.join(folder, "m")
        with open(source, "w") as f:
            f.write(MODELS)
        root = os.path.join(here, "..", "..")
        subprocess.check_call([os.environ.get("CC", "cc"), "-I" + root, source, "-o", program])
        subprocess.check_call([program] + [os.path.join(here, "safetensors", name)
                                           for name in ("checkpoint", "weights")])


def write_resaved(here):
    """the checkpoint as other tools write it: sorted by name, and with every character escaped"""
    with open(os.path.join(here, "safetensors", "checkpoint"), "rb") as f:
        data = f.read()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    header, data = json.loads(data[8:start]), data[start:]
    metadata = header.pop("__metadata__")
    for name, keep in (("sorted", lambda t: t),
                       ("escaped", lambda t: "".join("\\u%04x" % ord(c) for c in t)),
                       ("many_cuts", lambda t: t)):
        tensors, body = {}, b""
        for key in sorted(header):
            begin, end = header[key]["data_offsets"]
            tensors[keep(key)] = dict(header[key], data_offsets=[len(body), len(body) + end - begin])
            body += data[begin:end]
        course = {keep(k): keep(v) for k, v in metadata.items()}
        if name == "many_cuts":  # of the learning rate: more than there may be
            words = metadata["vae.course"].split()
            course["vae.course"] = " ".join([words[0], str(2**64 - 1), str(2**64 - 1)] + words[3:])
            course["vae.epoch"] = str(2**64 - 1)
        text = json.dumps(dict(tensors, __metadata__=course)).replace("\\\\u", "\\u").encode()
        text += b" " * (-len(text) % 8)
        with open(os.path.join(here, "safetensors", name), "wb") as f:
            f.write(struct.pack("<Q", len(text)) + text + body)


IDX = {"u8": SMALL, "f64": idx(14, [1], struct.pack(">d", 0.1)),
       "i16": idx(11, [2, 1], b"\x80\0\x7f\xff"), "rank8": idx(9, [1] * 7 + [2], b"\x80\x7f"),
       "short": SMALL[:-1], "long": SMALL + b"\0", "huge": idx(8, [2**32 - 1] * 8, b""),
       "empty": b"", "png": b"\x89PNG\r\n\x1a\n", "gz_padded": member(SMALL) + bytes(512),
       "gz_zeros_then_more": member(SMALL) + bytes(9) + b"\1"}


# ---- pictures ----

def chunk(name, data=b""):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width, height, depth, colour, rows, before=b"", interlaced=0, split=1, level=9):
    z = zlib.compress(rows, level)
    parts = [z[i * len(z) // split:(i + 1) * len(z) // split] for i in range(split)]
    return (b"\x89PNG\r\n\x1a\n" +
            chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)) +
            before + b"".join(chunk(b"IDAT", p) for p in parts) + chunk(b"IEND"))


def filtered(height, row):
    """rows of some bytes, each with another filter"""
    return b"".join(bytes([y % 5] + [(y * 5 + x * x) % 7 for x in range(row)]) for y in range(height))


def npy(descr, shape, data, version=1):
    head = ("{'descr': '%s', 'fortran_order': False, 'shape': %s, }\n" % (descr, shape)).encode()
    return (b"\x93NUMPY" + bytes([version, 0]) +
            struct.pack("<H" if version == 1 else "<I", len(head)) + head + data)


PALETTE = chunk(b"PLTE", bytes(range(24)))
IMAGES = {
    "grey1": png(11, 6, 1, 0, filtered(6, 2)),
    "grey2_key": png(5, 6, 2, 0, filtered(6, 2), chunk(b"tRNS", b"\0\1")),
    "grey16": png(3, 6, 16, 0, filtered(6, 6), chunk(b"tEXt", b"a\0b")),
    "rgb8": png(3, 7, 8, 2, filtered(7, 9), split=3),
    "rgb16_key": png(2, 5, 16, 2, filtered(5, 12), chunk(b"tRNS", bytes(6))),
    "palette4": png(5, 5, 4, 3, b"".join(b"\0\x12\x34\x50" for _ in range(5)),
                    PALETTE + chunk(b"tRNS", b"\x80\0")),
    "palette8": png(3, 5, 8, 3, bytes([0, 1, 2, 7] * 5), PALETTE, level=0),
    "palette_beyond": png(3, 1, 8, 3, bytes([0, 1, 2, 8]), PALETTE),
    "grey_alpha": png(3, 5, 8, 4, filtered(5, 6)),
    "rgba16": png(2, 5, 16, 6, filtered(5, 16)),
    "interlaced": png(3, 5, 8, 0, filtered(5, 3), interlaced=1),
    "bomb": png(3, 5, 8, 0, bytes(100000)),
    "huge": png(4096, 4096, 8, 2, bytes(10)),
    "pgm": b"P5\n# c\n3 2 255\nabcdef", "pgm16": b"P5 1 2 65535 abcd",
    "pgm_plain": b"P2 2 2 15 0 1\n#c\n14 15\n", "ppm": b"P6 1 2 255 abcdef",
    "ppm_plain": b"P3 1 1 9 1 2 3",
    "npy_u1": npy("|u1", "(2, 2, 3, 1)", bytes(range(12))),
    "npy_f4": npy("<f4", "(2, 3)", bytes(24), 2), "npy_huge": npy("|u1", "(2, %d)" % 2**63, b"ab"),
    "cifar": b"\3" + bytes(i * i // 97 % 256 for i in range(3072)),
}


# ---- texts and choices ----

NPY = {
    "f4": npy("<f4", "(2, 3)", bytes(range(24))), "f4_v3": npy("<f4", "(1, 2)", bytes(8), 3),
    "u1": npy("|u1", "(2, 2, 3, 1)", bytes(range(12))), "f8": npy("<f8", "(1, 1)", bytes(8)),
    "empty": npy("<f4", "(0, 3)", b""), "scalar": npy("<f4", "()", bytes(4)),
    "rank9": npy("<f4", "(1, 1, 1, 1, 1, 1, 1, 1, 1)", bytes(4)),
    "huge": npy("<f4", "(%d, %d)" % (2**63, 2), bytes(8)),
    "python2": npy("<f4", "(1L, 2L)", bytes(8)),
    "keys": b"\x93NUMPY\1\0\x3c\0{\"shape\":(2,1),'descr':'<f4','fortran_order':False}".ljust(70) +
            bytes(8),
    "fortran": npy("<f4", "(2, 1)", bytes(8)).replace(b"False", b"True "),
}

ARCH = {
    "default": "28x28x1\ndense 400 relu\ndense 400 relu", "flat": "784\n\n",
    "conv": "8x8x1\nconv 4 4x4/2 relu, conv 2 3x3 pad 1, dense 6 relu\n"
            "dense 8 relu, reshape 2x2x2, convt 2 4x4/2 relu, convt 1 4x4/2",
    "res": "6\ndense 4 relu, res(batchnorm relu, dense 4, res(noise 0.5)), dropout 0.1\n"
           "res(layernorm gelu)",
    "pools": "4x4x2\nmaxpool 2, avgpool 2 elu, upsample 3\nreshape 1x1x4, upsample 4, conv 2 1x1",
    "label": "2x2\nlabel 3, flatten, label 3, dense 3 softplus\nlabel 3, dense 4",
    "acts": "3\nrelu, leaky_relu, elu, tanh\nsigmoid, softplus, silu, gelu, identity",
    "column": "4x4\nconv 3 3x3/2,\ndense", "large": "4096x4096x64\nconv 64 9x9\ndense 16777216",
    "deep": "2\n" + "res(" * 40 + ")" * 40 + "\n" + ", ".join(["dense 2"] * 40),
}

# the first bytes choose the texts, then come fields, each with its value
DESC = {"plain": bytes([0, 1, 1]), "wide": bytes(range(256)), "back": bytes(range(255, -1, -1)),
        "each": b"".join(bytes([2, 3, 2]) + bytes([i, 17, i, 40]) for i in range(43)),
        "edges": b"".join(bytes([i, i % 16]) for i in range(3, 43))}

# the model to begin with, how to load, edits
MODEL = {"base%d" % i: bytes([i, 0]) for i in range(8)}
MODEL.update({"settings": bytes([1, 0]) + bytes(b for i in range(43) for b in (i % 7, i, 100, 17)),
              "facts": bytes([3, 0]) + bytes(b for i in range(40) for b in (7, i % 12, i % 6, i, 3)),
              "tensors": bytes([2, 4]) + bytes(b for i in range(40) for b in (10, i, i + 1, i % 8, 2)),
              "numbers": bytes([6, 1]) + bytes(b for i in range(40) for b in (12, 0, i, i, i))})
# trainings of 10^19 epochs whose rate was cut as often, by a factor of 1: loops over what a file says
# must have an end
MODEL["long_plateau"] = bytes([7, 0, 0, 38, 8] + [7, 3, 0, 255] + [127] * 8 + [7, 6, 1, 255] + [127] * 8 +
                              [7, 6, 2, 0, 1])
MODEL["long_cycle"] = bytes([7, 0] + [7, 2, 0, 255] + [255] * 8 + [7, 3, 0, 255] + [0] * 4 + [255] * 4)

ARGS = {
    "train": "train|--data|digits|--model|m|--epochs|3|--encoder|dense 20 relu, dense 9|--latent|3",
    "stages": "train|--data=digits|--stages|1:1e-3,3:5e-4,9:1e-4|--optimizer|sgd|--momentum|0.9",
    "objective": "train|--data|digits|--objective|iwae|--k|5|--beta|0.5|--warmup|2|--cycle|4",
    "corrupt": "train|--data|digits|--corrupt|mask:0.25|--objective|ae|--sparse|0.1|--noise|off",
    "recipe": "train|--data|digits|--recipe|iwae-paper|--objective|iwae|--k|5|--epochs|2",
    "recipe2": "train|--data|d|--recipe|pytorch-example|--lr|0.01|--input|28x28",
    "plateau": "train|--data|d|--plateau|3|--lr-factor|0.1|--validate|5|--patience|9|--best|b",
    "labels": "train|--data|d|--labels|auto|--decoder|label 10, dense 5|--quiet|--clip|1|--ema|.9",
    "density": "train|--data|d|--likelihood|logistic 1e-3|--posterior|normal softplus code tanh|--warmup-steps|9",
    "seeds": "train|--data|d|--seed|18446744073709551615|--batch|7|--free-bits|.1|--init|he",
    "sample": "sample|m|--out|a.png|--count|9|--columns|3|--zoom|2|--seed|3",
    "eval": "eval|m|--data|digits|--draws|1,50|--json|-|--factors|auto",
    "traverse": "traverse|m|--data|d|--out|a.png|--latents|0,3-5|--range|2",
    "typo": "trian|--data|d", "unknown": "train|--dat|d", "twice": "train|--data|a|--data|b",
    "help": "help|train", "help_layers": "help|layers", "help_recipes": "help|recipes",
    "help_no": "help|nothing", "flag_help": "score|--help", "version": "version", "none": "",
    "info": "info|m|--json|-", "digits": "digits|out|--images|5|--factors|--seed|2",
    "shapes": "shapes|out|--test-images|3", "encode": "encode|m|--data|d|--out|a.npy|--format|npy",
}


def dictionary(words):
    quoted = sorted({w for w in words if w and '"' not in w and "\\" not in w})
    return "".join('"%s"\n' % w for w in quoted).encode()


def words_of(*sources):
    """Every lower-case word and every flag that stands in quotes, and every setting."""
    text = ""
    for source in sources:
        with open(source) as f:
            text += f.read()
    settings = re.findall(r"VAE__[A-Z]+_ROW\(([a-z][a-z0-9_]*)", text)
    return (re.findall(r'"((?:--)?[a-z][a-z0-9_-]{0,23})"', text) + settings +
            ["--" + s.replace("_", "-") for s in settings])


def write_texts(here):
    root = os.path.join(here, "..", "..")
    library = words_of(os.path.join(root, "vae.h"))
    files = {
        "arch.dict": dictionary(library + ["res(", "z 2", ")", ", ", " pad ", "x", "/2", "3x3", "0.5"]),
        "args.dict": dictionary(library + words_of(*glob.glob(os.path.join(root, "tools", "*.[ch]"))) +
                                ["digits", "shapes", "auto", "none", "mask:0.5", "gaussian:2",
                                 "1:1e-3,2:1e-4", "=", "iwae-paper", "iwae-code", "1e30", "ae",
                                 "0x1p-3", "-1", "dense 3 relu, dense 2", "layers", "recipes"]),
        "npy.dict": dictionary(["'descr'", "'fortran_order'", "'shape'", "True", "False", "<f4",
                                "|u1", "NUMPY", "(", "), ", "L, "]),
    }
    for name, data in files.items():
        with open(os.path.join(here, name), "wb") as f:
            f.write(data)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    if sys.argv[1:] == ["arrays"]:
        return print_arrays()
    inflate = {k: v[10:-8] for k, v in GZIP.items() if not v[3]} # without gzip's frame
    inflate["long"] = zlib.compress(bytes(100000))[2:-4]
    text = lambda d: {k: v.replace("|", "\n").encode() for k, v in d.items()}
    for folder, files in (("idx", dict(IDX, **{"gz_" + k: v for k, v in GZIP.items()})),
                          ("images", IMAGES), ("safetensors", SAFETENSORS), ("npy", NPY),
                          ("arch", text(ARCH)), ("desc", DESC), ("model", MODEL),
                          ("args", text(ARGS)), ("inflate", inflate)):
        os.makedirs(os.path.join(here, folder), exist_ok=True)
        for name, data in files.items():
            with open(os.path.join(here, folder, name), "wb") as f:
                f.write(data)
    write_texts(here)
    write_models(here)
    write_resaved(here)


main()
