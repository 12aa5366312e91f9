"""SigLIP as Gemma 3 has it (transformers, f32, random weights) on the CPU: ms for one image, one JSON line a request.

Reads lines from standard input: each asks for one run. Arguments: layers, threads.
"""
import json
import sys
import time

import torch
from transformers import SiglipVisionConfig, SiglipVisionModel

layers, threads = int(sys.argv[1]), int(sys.argv[2])
torch.set_num_threads(threads)
torch.manual_seed(1)
config = SiglipVisionConfig(
    hidden_size=1152, intermediate_size=4304, num_hidden_layers=layers, num_attention_heads=16, image_size=896, patch_size=14,
    hidden_act="gelu_pytorch_tanh", layer_norm_eps=1e-6, vision_use_head=False, attn_implementation="sdpa",
)
start = time.perf_counter()
model = SiglipVisionModel(config).eval()
load_ms = (time.perf_counter() - start) * 1000
pixels = torch.rand(1, 3, 896, 896) * 2 - 1
print(json.dumps({"device": f"torch {torch.__version__}, f32, SDPA, {torch.get_num_threads()} threads", "loadMs": load_ms}), flush=True)
for _ in sys.stdin:
    start = time.perf_counter()
    with torch.inference_mode():
        hidden = model(pixel_values=pixels).last_hidden_state
    ms = (time.perf_counter() - start) * 1000
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    assert torch.isfinite(hidden).all()
    print(json.dumps({"ms": ms, "peakBytes": peak}), flush=True)
