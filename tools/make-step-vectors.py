"""What PyTorch computes for single plan steps: packages/core/fixtures/steps/vectors.json.

Usage: python tools/make-step-vectors.py packages/core/fixtures/steps/vectors.json   (PyPI: torch 2.13)
Every tensor is a flat list in row-major order; values are rounded to f32 by torch, expected ones computed in f64.
"""
import json, sys
import torch
import torch.nn.functional as F

g = torch.Generator().manual_seed(7)
def rnd(*shape, scale=1.0):
    return (torch.randn(shape, generator=g) * scale).float()
def flat(t):
    return t.flatten().tolist()

out = {}

x, w, b = rnd(3, 37, scale=2), rnd(37), rnd(37)
out["layerNorm"] = dict(x=flat(x), weight=flat(w), bias=flat(b), eps=1e-6, out=flat(F.layer_norm(x.double(), (37,), w.double(), b.double(), 1e-6)))

residual = rnd(3, 37, scale=50)
out["rmsNorm"] = dict(x=flat(x), weight=flat(w), residual=flat(residual), eps=1e-6, out=flat(F.rms_norm(x.double(), (37,), w.double(), 1e-6) + residual.double()))

w2, b2, add = rnd(11, 37, scale=37 ** -0.5), rnd(11), rnd(3, 11)
out["linear"] = dict(x=flat(x), weight=flat(w2), bias=flat(b2), add=flat(add), out=flat(F.gelu(F.linear(x.double(), w2.double(), b2.double()), approximate="tanh") + add.double()))

gate, up = rnd(11, 37, scale=37 ** -0.5), rnd(11, 37, scale=37 ** -0.5)
out["gatedLinear"] = dict(x=flat(x), gate=flat(gate), up=flat(up), out=flat(F.gelu(F.linear(x.double(), gate.double()), approximate="tanh") * F.linear(x.double(), up.double())))

grid = rnd(36, 5)
pooled = F.avg_pool2d(grid.double().T.reshape(1, 5, 6, 6), 3, 3).reshape(5, 4).T
out["avgPool"] = dict(x=flat(grid), size=3, out=flat(pooled))

# Four query heads over two kv heads of width 6, keys 2 … 10 of a sequence; each query its own range.
rows, heads, kv_heads, dim, keys = 5, 4, 2, 6, 11
q, k, v = rnd(rows, heads, dim, scale=2), rnd(keys, kv_heads, dim), rnd(keys, kv_heads, dim)
begin, end = [0, 2, 3, 3, 5], [1, 7, 11, 8, 11]
mask = torch.tensor([[b <= p < e for p in range(keys)] for b, e in zip(begin, end)])
attn = F.scaled_dot_product_attention(
    q.double().transpose(0, 1), k.double().transpose(0, 1).repeat_interleave(heads // kv_heads, 0), v.double().transpose(0, 1).repeat_interleave(heads // kv_heads, 0),
    attn_mask=mask, scale=0.3)
out["attention"] = dict(q=flat(q), k=flat(k), v=flat(v), begin=begin, end=end, headDim=dim, scale=0.3, out=flat(attn.transpose(0, 1).contiguous()))

# RMS norm per head, then rotate-half by transformers' own function.
from transformers.models.gemma3.modeling_gemma3 import apply_rotary_pos_emb
qn, kn = rnd(dim), rnd(dim)
angle = rnd(rows, dim // 2, scale=3)
cos, sin = torch.cat([angle.cos()] * 2, -1), torch.cat([angle.sin()] * 2, -1)
k2 = rnd(rows, kv_heads, dim)
nq = F.rms_norm(q.double(), (dim,), qn.double(), 1e-6).transpose(0, 1)[None]
nk = F.rms_norm(k2.double(), (dim,), kn.double(), 1e-6).transpose(0, 1)[None]
rq, rk = apply_rotary_pos_emb(nq, nk, cos.double()[None], sin.double()[None])
out["normRopeStore"] = dict(q=flat(q), k=flat(k2), v=flat(rnd(rows, kv_heads, dim)), qNorm=flat(qn), kNorm=flat(kn), rope=flat(torch.cat([angle.cos(), angle.sin()], -1)), eps=1e-6,
                            qOut=flat(rq[0].transpose(0, 1).contiguous()), kOut=flat(rk[0].transpose(0, 1).contiguous()))

json.dump(out, open(sys.argv[1], "w"))
