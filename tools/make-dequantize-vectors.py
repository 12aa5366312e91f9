"""Writes packages/core/fixtures/dequantize/vectors.json: random blocks of every weight type and what gguf-py makes of them.

    python3 -m venv venv && venv/bin/pip install gguf==0.19.0 numpy
    venv/bin/python tools/make-dequantize-vectors.py
"""

import base64
import json
import pathlib

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as Type
from gguf.quants import dequantize

VALUES = 1024
# Where the f16 scales are within a block.
HALVES = {
    Type.Q4_0: [0],
    Type.Q4_1: [0, 2],
    Type.Q5_0: [0],
    Type.Q5_1: [0, 2],
    Type.Q8_0: [0],
    Type.Q4_K: [0, 2],
    Type.Q5_K: [0, 2],
    Type.Q6_K: [208],
}
# Largest, smallest normal, largest subnormal, smallest subnormal, zeros of both signs.
EDGES = [0x7BFF, 0x0400, 0x03FF, 0x0001, 0x0000, 0x8000, 0xFBFF, 0x8001]

rng = np.random.default_rng(20261124)


def finite_half() -> int:
    bits = int(rng.integers(0, 0x7C00)) | int(rng.integers(0, 2)) << 15
    return bits


def blocks_of(kind: Type) -> np.ndarray:
    values, size = GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (VALUES // values, size), dtype=np.uint8)
    if kind == Type.F32:
        blocks = rng.standard_normal(VALUES).astype(np.float32).view(np.uint8).reshape(-1, 4)
    if kind in (Type.F16, Type.BF16):
        halves = [finite_half() for _ in range(VALUES - len(EDGES))] + EDGES
        blocks = np.array(halves, dtype="<u2").view(np.uint8).reshape(-1, 2)
    for index, block in enumerate(blocks):
        for place, at in enumerate(HALVES.get(kind, [])):
            half = EDGES[(index // 2 + place) % len(EDGES)] if index % 2 else finite_half()
            block[at : at + 2] = np.array([half], dtype="<u2").view(np.uint8)
    return blocks


def text(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


vectors = []
for kind in [Type.F32, Type.F16, Type.BF16, *HALVES]:
    blocks = blocks_of(kind)
    with np.errstate(all="ignore"):
        raw = blocks.reshape(-1)
        values = raw.view("<f4") if kind == Type.F32 else raw.view("<f2").astype(np.float32) if kind == Type.F16 else dequantize(raw, kind)
    vectors.append({"type": kind.name.lower(), "blocks": text(blocks), "values": text(values.astype("<f4").reshape(-1))})

out = pathlib.Path(__file__).parent.parent / "packages/core/fixtures/dequantize/vectors.json"
out.parent.mkdir(parents=True, exist_ok=True)
out.write_text(json.dumps({"producer": "gguf-py 0.19.0, tools/make-dequantize-vectors.py", "vectors": vectors}, indent=1) + "\n")
print(out, out.stat().st_size, "bytes")
