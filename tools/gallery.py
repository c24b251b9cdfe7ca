#!/usr/bin/env python3
"""The small pictures of examples/pictures/gallery, made of those that the numbered examples drew.

    make gallery                        # make examples, then this
    python3 tools/gallery.py [FOLDER]   # FOLDER: out/examples

Each picture is made to fit WIDTH x HEIGHT pixels; a small pixel is the mean of the area it covers.
Four bits of each channel are kept, and the 256 most frequent colours; a pixel of another colour
takes the nearest of them. The files are PNG with a palette. Needs NumPy."""
import glob
import os
import struct
import sys
import zlib

import numpy as np

WIDTH, HEIGHT = 400, 230
TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def read_png(path):
    """The pixels (height, width, 3) of a file that tools/picture.h wrote: 8 bits, no filters."""
    with open(path, "rb") as file:
        data = file.read()
    at, packed = 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IHDR":
            width, height, _, colour = struct.unpack(">IIBB", data[at + 8:at + 18])
        if kind == b"IDAT":
            packed += data[at + 8:at + 8 + size]
        at += 12 + size
    channels = 3 if colour == 2 else 1
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + width * channels)
    if rows[:, 0].any():
        sys.exit(path + ": its rows have filters; this reads files of tools/picture.h")
    return np.broadcast_to(rows[:, 1:].reshape(height, width, channels), (height, width, 3))


def areas(big, small):
    """(small, big): the share of each of `big` pixels in each of `small` ones."""
    edges = np.arange(small + 1) * big / small
    pixels = np.arange(big)
    low = np.maximum(edges[:-1, None], pixels)
    high = np.minimum(edges[1:, None], pixels + 1)
    return np.maximum(high - low, 0) * small / big


def shrink(pixels):
    height, width, _ = pixels.shape
    scale = min(WIDTH / width, HEIGHT / height)
    down, across = areas(height, round(height * scale)), areas(width, round(width * scale))
    rows = (down @ pixels.reshape(height, -1).astype(float)).reshape(-1, width, 3)
    return np.stack([rows[:, :, c] @ across.T for c in range(3)], axis=2)


def reduce_colours(pixels):
    """A palette of at most 256 colours, and the index (height, width) of each pixel in it."""
    coarse = (np.rint(pixels / 17) * 17).astype(int).reshape(-1, 3)
    colours, index, count = np.unique(coarse, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(-count, kind="stable")[:256]
    far = ((colours[:, None] - colours[None, order]) ** 2).sum(2)
    return colours[order], far.argmin(1)[index.reshape(pixels.shape[:2])]


def write_png(path, palette, index):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = index.shape
    rows = np.zeros((height, 1 + width), np.uint8)
    rows[:, 1:] = index
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + 
                   chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)) +
                   chunk(b"PLTE", palette.astype(np.uint8).tobytes()) +
                   chunk(b"IDAT", zlib.compress(rows.tobytes(), 9)) + chunk(b"IEND", b""))


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(TOP, "out", "examples")
    gallery = os.path.join(TOP, "examples", "pictures", "gallery")
    paths = sorted(glob.glob(os.path.join(folder, "[0-9][0-9]_*.png")))
    if not paths:
        sys.exit(folder + " holds no pictures of examples: run make examples first")
    os.makedirs(gallery, exist_ok=True)
    total = 0
    for path in paths:
        small = os.path.join(gallery, os.path.basename(path))
        write_png(small, *reduce_colours(shrink(read_png(path))))
        total += os.path.getsize(small)
    print("%d pictures, %d KB, in %s" % (len(paths), total // 1000, os.path.relpath(gallery)))


main()
