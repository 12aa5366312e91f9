"""Writes packages/core/fixtures/attention/: what HF's attention looks at in models of fixtures/models, and their logit lens.

    python3 -m venv venv && venv/bin/pip install torch==2.15.0 transformers==5.18.0 safetensors
    venv/bin/python tools/make-attention-vectors.py

<model>.safetensors, for P positions of the prompt in the model's expected.safetensors, in f32 with eager attention:
  positions     i32 [P]
  attention     f32 [P, layers, heads, rows]: the softmax, after the mask
  lens_ids      i32 [P, layers + 1, 5]: best first, after the embedding and after each layer, through the final norm and the output matrix
  lens_logprobs f32 [P, layers + 1, 5]
"""

import pathlib

import torch
from safetensors.torch import load_file, save_file
from transformers import Gemma3ForCausalLM, Gemma3ForConditionalGeneration

fixtures = pathlib.Path(__file__).resolve().parent.parent / "packages/core/fixtures"
out = fixtures / "attention"
TOP = 5
# Within the first window, past it, past pictures, at the end. None is within a picture.
POSITIONS = {"text-4b-like": [0, 5, 23, 39], "text-27b-like": [0, 19, 51], "mm-two-images": [3, 30, 62], "mm-three-images": [10, 55, 145]}

out.mkdir(exist_ok=True)
for name, positions in POSITIONS.items():
    folder = fixtures / "models" / name
    expected = load_file(folder / "expected.safetensors")
    ids = expected["input_ids"].long()[None]
    sees = "pixel_values" in expected
    kind = Gemma3ForConditionalGeneration if sees else Gemma3ForCausalLM
    model = kind.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    inputs = {"input_ids": ids}
    if sees:
        is_image = ids == model.config.image_token_id
        assert not is_image[0, positions].any()
        inputs |= {"pixel_values": expected["pixel_values"], "token_type_ids": is_image.long()}
    with torch.no_grad():
        found = model(**inputs, output_attentions=True, output_hidden_states=True, use_cache=False)
        assert torch.allclose(found.logits[0], expected["logits"], atol=1e-4), name  # the model that the other fixture is of
        text = model.model.language_model if sees else model.model
        *before, _ = found.hidden_states  # the last one has been through the norm
        logits = [model.lm_head(text.norm(hidden))[0, positions] for hidden in before] + [found.logits[0, positions]]
        best = torch.stack(logits, 1).log_softmax(-1).topk(TOP, -1)
    attention = torch.stack([layer[0].transpose(0, 1)[positions] for layer in found.attentions], 1)
    save_file(
        {
            "positions": torch.tensor(positions, dtype=torch.int32),
            "attention": attention.contiguous(),
            "lens_ids": best.indices.int().contiguous(),
            "lens_logprobs": best.values.contiguous(),
        },
        out / f"{name}.safetensors",
    )
    print(name, ids.shape[1], "rows; attention", list(attention.shape), "sums", attention.sum(-1).min().item(), attention.sum(-1).max().item())
