"""Writes packages/core/fixtures/image/: what HF's image processor (on Pillow) makes of pictures, and what Pillow reads from small files.

    python3 -m venv venv && venv/bin/pip install torch==2.15.0 transformers==5.18.0 pillow==12.3.0
    venv/bin/python tools/make-image-vectors.py

hf-pixels.json      pixel_values of the demo pictures at 112 x 112
pan-and-scan.json   boxes and pixel_values of crops; the pictures' formula is that of vectors.json
files/, files.json  files of many kinds with Pillow's RGB bytes, turned as EXIF says
Pillow stays at 12.3, which made vectors.json: 13.0 resizes more upright images down before across, which moves some bytes by 1.
SHA-256 is taken of bytes: of u8 [height, width, 3], or of little-endian f32 [3, size, size].
"""

import hashlib
import json
import pathlib
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil

fixtures = pathlib.Path(__file__).resolve().parent.parent / "packages/core/fixtures"
out = fixtures / "image"
files = out / "files"
files.mkdir(parents=True, exist_ok=True)
size = 112
processor = Gemma3ImageProcessorPil(size={"height": size, "width": size}, resample=2, rescale_factor=1 / 255, image_mean=[0.5] * 3, image_std=[0.5] * 3)


def sha256(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def write(name, rows):
    (out / name).write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


def pixel_digest(values):
    flat = np.ascontiguousarray(values, dtype="<f4").ravel()
    picks = [(k * 7919 + 13) % flat.size for k in range(8)]
    return {"sha256": sha256(flat), "samples": [[i, float(flat[i])] for i in picks]}


def demo_pictures():
    for path in sorted((fixtures / "demo/pictures").glob("*.png")):
        values = processor(images=Image.open(path), return_tensors="np")["pixel_values"]
        yield {"file": path.name, **pixel_digest(values[0])}


def procedural(width, height):
    x, y, c = np.arange(width)[None, :, None], np.arange(height)[:, None, None], np.arange(3)[None, None, :]
    return (((3 * x * x + 5 * y * y + 7 * x * y + 91 * c) >> 3) & 255).astype(np.uint8)


def crops(width, height, min_crop=256, max_crops=4, ratio=1.2, pixels=True):
    options = dict(pan_and_scan_min_crop_size=min_crop, pan_and_scan_max_num_crops=max_crops, pan_and_scan_min_ratio_to_activate=ratio)
    places = np.arange(width * height, dtype=np.int64).reshape(1, height, width)  # a crop's first value says where it begins
    boxes = []
    for crop in processor.pan_and_scan(places, **options):
        top, left = divmod(int(crop[0, 0, 0]), width)
        boxes.append([left, top, left + crop.shape[2], top + crop.shape[1]])
    row = {"width": width, "height": height, "minCropSize": min_crop, "maxCrops": max_crops, "minRatio": ratio, "boxes": boxes}
    if pixels:
        batch = processor(images=Image.fromarray(procedural(width, height)), do_pan_and_scan=True, return_tensors="np", **options)
        assert int(batch["num_crops"][0]) == len(boxes)
        row["pixels"] = [pixel_digest(values) for values in batch["pixel_values"]]
    return row


def pan_and_scan():
    for width, height in [(600, 400), (1000, 500), (1400, 500), (500, 1800), (1199, 1000), (1200, 1000), (640, 250), (1025, 512), (1001, 257)]:
        yield crops(width, height)
    yield crops(301, 100, 16, 7, 1.0)
    yield crops(37, 250, 8, 6, 1.5)
    random = np.random.default_rng(5)
    for _ in range(60):
        yield crops(*(int(n) for n in random.integers(200, 2000, 2)), pixels=False)
    for _ in range(30):
        yield crops(*(int(n) for n in random.integers(100, 600, 2)), int(random.integers(20, 200)), int(random.integers(1, 6)), float(random.uniform(1, 2)), pixels=False)


def picture(width=44, height=28):
    """Slopes, an edge and a dot: orientation and colours can be told."""
    y, x = np.mgrid[0:height, 0:width]
    rgb = np.stack([x * 5, y * 8 + 20, 200 - 2 * x - 2 * y], -1).clip(0, 255).astype(np.uint8)
    rgb[4:10, 6:14] = (250, 30, 20)
    rgb[18:24, 30:40] = (10, 60, 240)
    return rgb


def png(path, width, height, depth, colour, rows, chunks=()):
    """What Pillow cannot write. rows: big-endian bytes [height, n]"""
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    body = b"".join(b"\0" + bytes(row) for row in rows)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *(chunk(*c) for c in chunks), chunk(b"IDAT", zlib.compress(body)), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def swapped_profile():
    """An ICC profile (v2, matrix) with red and blue exchanged and a gamma of 1: who applies it cannot miss it."""
    fixed = lambda value: struct.pack(">i", round(value * 65536))
    xyz = lambda *values: b"XYZ \0\0\0\0" + b"".join(fixed(v) for v in values)
    red, green, blue = (0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)
    curve = b"curv\0\0\0\0\0\0\0\1\1\0\0\0"
    text = b"text\0\0\0\0none\0\0\0\0"
    desc = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"swap\0" + bytes(8 + 3 + 67 + 4)
    tags = {b"desc": desc, b"cprt": text, b"wtpt": xyz(0.9642, 1, 0.8249), b"rXYZ": xyz(*blue), b"gXYZ": xyz(*green), b"bXYZ": xyz(*red), b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    at, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data
    total = at + len(body)
    head = struct.pack(">I4sI4s4s4s12s4s", total, b"none", 0x02100000, b"mntr", b"RGB ", b"XYZ ", struct.pack(">6H", 2026, 1, 1, 0, 0, 0), b"acsp")
    head += bytes(28) + fixed(0.9642) + fixed(1) + fixed(0.8249)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def write_files():
    rgb = picture()
    height, width, _ = rgb.shape
    image = Image.fromarray(rgb)
    profile = swapped_profile()
    y, x = np.mgrid[0:height, 0:width]
    alpha = np.where(x < 8, 0, np.where(x > 36, 255, x * 6)).astype(np.uint8)
    rgba = Image.fromarray(np.dstack([rgb, alpha]))

    image.save(files / "rgb.png")
    image.save(files / "icc.png", icc_profile=profile)
    image.convert("L").save(files / "grey.png")
    image.convert("1").save(files / "bilevel.png")
    image.convert("LA").save(files / "grey-opaque-alpha.png")
    Image.merge("LA", [image.convert("L"), Image.fromarray(alpha)]).save(files / "grey-alpha.png")
    rgba.save(files / "alpha.png")
    palette = image.quantize(16, dither=Image.Dither.NONE)
    palette.save(files / "palette.png")
    palette.save(files / "palette-alpha.png", transparency=bytes([0, 64, 128, 192] * 4))
    deep = rgb.astype(np.uint16) * 256 + (x * 5 + y)[..., None]
    png(files / "rgb-16-bit.png", width, height, 16, 2, deep.astype(">u2").reshape(height, -1).view(np.uint8))
    png(files / "grey-16-bit.png", width, height, 16, 0, np.ascontiguousarray(deep[..., 0]).astype(">u2").view(np.uint8))

    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(files / "exif-6.png", exif=exif)
    image.save(files / "exif-6.webp", exif=exif, lossless=True)
    for orientation in range(1, 9):
        exif[0x0112] = orientation
        image.save(files / f"exif-{orientation}.jpg", exif=exif, quality=95, subsampling=0)
    image.save(files / "subsampled.jpg", quality=80, subsampling=2)
    busy = np.random.default_rng(3).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    Image.fromarray(busy).resize((257, 193), Image.Resampling.BICUBIC).save(files / "busy.jpg", quality=75, subsampling=2)
    image.save(files / "progressive.jpg", quality=80, progressive=True)
    image.save(files / "icc.jpg", quality=95, subsampling=0, icc_profile=profile)
    image.convert("L").save(files / "grey.jpg", quality=90)
    image.convert("CMYK").save(files / "cmyk.jpg", quality=95)

    frames = [image.quantize(64), Image.fromarray(255 - rgb).quantize(64)]
    frames[0].save(files / "transparent.gif", transparency=3)
    frames[0].save(files / "animated.gif", save_all=True, append_images=frames[1:], duration=100, loop=0)
    image.save(files / "animated.webp", save_all=True, append_images=[Image.fromarray(255 - rgb)], duration=100, lossless=True)
    image.save(files / "animated.png", save_all=True, append_images=[Image.fromarray(255 - rgb)], duration=100)
    image.save(files / "lossless.webp", lossless=True)
    rgba.save(files / "alpha.webp", lossless=True, exact=True)
    image.save(files / "lossy.webp", quality=80)
    image.save(files / "rgb.tiff", compression="tiff_lzw")
    image.save(files / "rgb.avif", quality=90, subsampling="4:4:4")
    image.save(files / "rgb.bmp")


def read_files():
    for path in sorted(files.iterdir()):
        image = Image.open(path)
        array = np.array(ImageOps.exif_transpose(image).convert("RGB"))
        if path.name == "grey-16-bit.png":  # as 16-bit colour is read; Pillow's own conversion is noted in decode-image.test.ts
            array = np.repeat((np.array(image) >> 8).astype(np.uint8)[..., None], 3, -1)
        height, width, _ = array.shape
        points = [((k * 11 + 3) % width, (k * 17 + 5) % height) for k in range(16)]
        yield {"file": path.name, "width": width, "height": height, "sha256": sha256(array), "samples": [[x, y, *(int(v) for v in array[y, x])] for x, y in points]}


if __name__ == "__main__":
    write("hf-pixels.json", demo_pictures())
    write("pan-and-scan.json", pan_and_scan())
    write_files()
    write("files.json", read_files())
