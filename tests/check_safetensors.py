#!/usr/bin/env python3
"""Reads a model file by the rules of the safetensors format, with json and NumPy only.

    python3 tests/check_safetensors.py MODEL [VAE]

Checks every rule of the format, prints the tensors and the hash of the parameters; with the vae
command it also compares hash, names and shapes with what `vae info MODEL` prints.
"""
import json
import subprocess
import sys

import numpy as np

BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "U16": 16, "I16": 16, "U32": 32, "I32": 32, "U64": 64, "I64": 64,
    "F16": 16, "BF16": 16, "F32": 32, "F64": 64, "C64": 64,
}


def require(condition, sentence):
    if not condition:
        raise SystemExit("FAIL %s: %s" % (sys.argv[1], sentence))


def pairs_without_twins(pairs):
    names = [name for name, _ in pairs]
    require(len(names) == len(set(names)), "a name stands twice in the header")
    return dict(pairs)


def is_count(value):
    return type(value) is int and 0 <= value < 2**64


def fnv1a(data):
    h = 0xCBF29CE484222325
    for byte in data:
        h = ((h ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return "%016x" % h


def read(path):
    with open(path, "rb") as f:
        raw = f.read()
    require(len(raw) >= 8, "shorter than 8 bytes")
    size = int.from_bytes(raw[:8], "little")
    require(size <= 100_000_000, "a header of more than 100 MB")
    require(8 + size <= len(raw), "the header is longer than the file")
    text = raw[8:8 + size]
    require(text[:1] == b"{", "the header does not begin with {")
    stripped = text.rstrip(b" ")
    require(stripped.endswith(b"}"), "the header ends in something else than } and blanks")
    try:
        header = json.loads(stripped.decode("utf-8"), object_pairs_hook=pairs_without_twins)
    except ValueError as e:
        raise SystemExit("FAIL %s: %s" % (path, e))
    data = raw[8 + size:]
    require((8 + size) % 64 == 0, "data do not begin at a multiple of 64")

    meta = header.pop("__metadata__", {})
    require(type(meta) is dict and all(type(v) is str for v in meta.values()),
            "__metadata__ holds something else than strings")
    tensors = []
    for name, t in header.items():
        require(type(t) is dict and set(t) == {"dtype", "shape", "data_offsets"}, name + ": keys")
        require(t["dtype"] in BITS, "%s: unknown dtype %s" % (name, t["dtype"]))
        require(type(t["shape"]) is list and all(map(is_count, t["shape"])), name + ": shape")
        ends = t["data_offsets"]
        require(type(ends) is list and len(ends) == 2 and all(map(is_count, ends)),
                name + ": data_offsets")
        begin, end = ends
        require(begin <= end <= len(data), "%s: offsets [%d, %d] in %d bytes"
                % (name, begin, end, len(data)))
        bits = BITS[t["dtype"]]
        for n in t["shape"]:
            bits *= n
        require(bits == 8 * (end - begin), name + ": shape and offsets disagree")
        tensors.append((begin, end, name, t))
    tensors.sort(key=lambda t: t[:2])
    at = 0
    for begin, end, name, _ in tensors:
        require(begin == at, "%s: begins at %d, not at %d" % (name, begin, at))
        at = end
    require(at == len(data), "%d bytes behind the last tensor" % (len(data) - at))
    return meta, tensors, data


def main():
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    meta, tensors, data = read(sys.argv[1])
    parameters = 0  # bytes; they stand first
    rows = []
    for begin, end, name, t in tensors:
        require(t["dtype"] == "F32", name + ": not F32")
        array = np.frombuffer(data, dtype="<f4", count=(end - begin) // 4, offset=begin)
        array = array.reshape(t["shape"])
        require(np.isfinite(array).all(), name + ": not finite")
        if name.startswith(("encoder.", "decoder.")):
            require(begin == parameters, name + ": parameters do not stand first")
            parameters = end
            rows.append([name] + [str(n) for n in t["shape"]])
        print("%-28s %-10s mean %+.6f  deviation %.6f  largest %.6f"
              % (name, " x ".join(map(str, t["shape"])), array.mean(dtype=np.float64),
                 array.std(dtype=np.float64), np.abs(array).max() if array.size else 0))
    require(rows, "no parameters")
    require(meta.get("vae.format") == "1", "vae.format is %r" % meta.get("vae.format"))
    for key in ("vae.desc", "vae.step", "vae.epoch", "vae.seed", "vae.data_hash"):
        require(key in meta, "no %s in __metadata__" % key)
    whole, params = fnv1a(data), fnv1a(data[:parameters])
    require(meta["vae.data_hash"] == whole, "vae.data_hash is %s, the data give %s"
            % (meta["vae.data_hash"], whole))
    require(meta.get("vae.params_hash", params) == params, "vae.params_hash is %s, the data give %s"
            % (meta.get("vae.params_hash"), params))
    print("params_hash  %s" % params)
    if len(sys.argv) == 3:
        info = subprocess.run([sys.argv[2], "info", sys.argv[1]], check=True, capture_output=True,
                              text=True).stdout.splitlines()
        words = [line.split() for line in info]
        require(["params_hash", params] in words, "vae info prints another hash:\n" + "\n".join(info))
        printed = [[w[0]] + [n for n in w[1:] if n != "x"] for w in words
                   if w and w[0].startswith(("encoder.", "decoder."))]
        require(printed == rows, "vae info prints other tensors:\n" + "\n".join(info))
        print("as vae info prints")


main()
