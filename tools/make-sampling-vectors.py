"""Writes packages/core/fixtures/sampling/vectors.json: logits, options, and what HF transformers' logits processors leave.

    python3 -m venv venv && venv/bin/pip install torch==2.15.0 transformers==5.18.0
    venv/bin/python tools/make-sampling-vectors.py

The processors come from GenerationMixin itself, in its order. One thing is fixed here that HF leaves open: TopPLogitsWarper
cuts between equal scores in the order of torch.sort, which is not stable; here the lower id counts as the better one.
Frequency and presence penalties are not in HF; for them the vectors hold OpenAI's formula, applied where HF would.
"""

import base64
import json
import pathlib
from types import SimpleNamespace

import numpy as np
import torch
from transformers import GenerationConfig, GenerationMixin
from transformers.generation import LogitsProcessor, LogitsProcessorList, RepetitionPenaltyLogitsProcessor, SequenceBiasLogitsProcessor

random = np.random.default_rng(20260607)
torch_sort = torch.sort


def sort_lower_id_better(scores, descending=False):
    assert not descending
    values, order = torch_sort(scores.flip(-1), dim=-1, stable=True)
    return values, scores.shape[-1] - 1 - order


torch.sort = sort_lower_id_better


class Model(GenerationMixin):
    config = SimpleNamespace(is_encoder_decoder=False)


class CountPenalties(LogitsProcessor):
    def __init__(self, generated, frequency, presence):
        self.generated, self.frequency, self.presence = generated, frequency, presence

    def __call__(self, input_ids, scores):
        scores = scores.clone()
        for token in set(self.generated):
            scores[0, token] -= self.frequency * self.generated.count(token) + self.presence
        return scores


def processors(options, generated):
    config = GenerationConfig(
        do_sample=True,
        temperature=float(options.get("temperature", 1.0)),
        top_k=options.get("topK", 0),
        top_p=float(options.get("topP", 1.0)),
        min_p=options.get("minP"),
        repetition_penalty=float(options.get("repetitionPenalty", 1.0)),
        sequence_bias={(int(token),): bias for token, bias in options.get("logitBias", {}).items()} or None,
    )
    built = Model()._get_logits_processor(config, input_ids_seq_length=1)
    early = (SequenceBiasLogitsProcessor, RepetitionPenaltyLogitsProcessor)
    at = sum(isinstance(processor, early) for processor in built)
    assert all(isinstance(processor, early) for processor in built[:at])
    penalties = [CountPenalties(generated, options.get("frequencyPenalty", 0), options.get("presencePenalty", 0))] if generated else []
    return LogitsProcessorList([*built[:at], *penalties, *built[at:]])


def shapes():
    """Logits of many kinds; quantised ones have ties."""
    for size in (5, 17, 64, 300, 2000):
        yield "normal", random.normal(0, 4, size)
    for size in (5, 40, 256, 1000):
        yield "ties", np.round(random.normal(0, 2, size))
    for size in (5, 10, 64, 400):
        yield "flat", np.full(size, 1.5)
    for size in (8, 100, 1000):
        yield "two levels", np.where(random.random(size) < 0.3, 2.0, -1.0)
    for size in (20, 500):
        peaked = random.normal(0, 1, size)
        peaked[random.integers(size)] = 40
        yield "peaked", peaked
    yield "geometric", np.log(0.5) * np.arange(40)
    yield "linear", np.linspace(-30, 30, 600)
    yield "large", random.normal(0, 200, 300)
    yield "negative", random.normal(-50, 1, 200)
    for size in (30, 500):
        banned = random.normal(0, 3, size)
        banned[random.random(size) < 0.6] = -np.inf
        yield "banned", banned
    only = np.full(50, -np.inf)
    only[31] = 0.25
    yield "one allowed", only


OPTIONS = [
    {},
    {"temperature": 0.7},
    {"temperature": 0.05},
    {"temperature": 3},
    {"topK": 1},
    {"topK": 3},
    {"topK": 64},
    {"topK": 5000},
    {"topP": 0.95},
    {"topP": 0.5},
    {"topP": 0.001},
    {"topP": 0.9999},
    {"minP": 0.05},
    {"minP": 0.9},
    {"minP": 1.0},
    {"topK": 64, "topP": 0.95},
    {"topK": 10, "topP": 0.8, "minP": 0.1},
    {"temperature": 1.7, "topK": 40, "topP": 0.9},
    {"temperature": 0.6, "topP": 0.9, "minP": 0.02},
    {"temperature": 2.5, "minP": 0.1},
    {"repetitionPenalty": 1.3, "topK": 20},
    {"repetitionPenalty": 0.8, "logitBias": True, "topP": 0.9},
    {"logitBias": True},
    {"logitBias": True, "repetitionPenalty": 1.2, "frequencyPenalty": 0.5, "presencePenalty": 0.7},
    {"frequencyPenalty": -0.4, "presencePenalty": 1.5, "temperature": 0.8, "topK": 12},
]


def ranges(ids):
    """[first, length, first, length …] of ascending ids."""
    out = []
    for token in ids:
        if out and out[-2] + out[-1] == token:
            out[-1] += 1
        else:
            out += [token, 1]
    return out


def case(logits, options):
    size = len(logits)
    options = dict(options)
    finite = np.flatnonzero(np.isfinite(logits))
    if "logitBias" in options:
        tokens = random.choice(size, 4, replace=False)
        biases = [3.5, -2.25, 0.1, -np.inf if size > 40 else -8.0]
        options["logitBias"] = {str(token): bias for token, bias in zip(tokens, biases)}
    penalised = any("Penalty" in name for name in options)
    prompt = [int(token) for token in random.choice(size, 5)] if penalised else []
    generated = [int(token) for token in random.choice(finite, 8)] if penalised else []
    scores = torch.from_numpy(logits.astype(np.float32))[None]
    out = processors(options, generated)(torch.tensor([prompt + generated or [0]]), scores.clone())
    probabilities = torch.softmax(out, dim=-1)[0].numpy()
    kept = np.flatnonzero(torch.isfinite(out)[0].numpy())
    # A cut that depends on the last bits of f32 is no vector: with exact arithmetic it must be the same.
    exact = torch.isfinite(processors(options, generated)(torch.tensor([prompt + generated or [0]]), scores.double()))[0]
    close = not np.array_equal(np.flatnonzero(exact.numpy()), kept)
    # The best 12 and the last two kept ones: the others follow from these and the logits.
    order = sorted(kept, key=lambda token: (-probabilities[token], token))
    some = order if len(order) <= 14 else [*order[:12], *order[-2:]]
    if "logitBias" in options:
        options["logitBias"] = {token: "-Infinity" if bias == -np.inf else bias for token, bias in options["logitBias"].items()}
    return close, {
        "options": options,
        **({"prompt": prompt, "generated": generated} if penalised else {}),
        "kept": ranges(kept.tolist()),
        "probabilities": {str(token): float(f"{probabilities[token]:.7g}") for token in some},
    }


groups, close_count, total = [], 0, 0
for name, logits in shapes():
    cases = []
    for options in OPTIONS:
        close, vector = case(logits, options)
        total += 1
        close_count += close
        # Level logits and round thresholds are cut exactly at the edge: those stay, f32 is what HF users see.
        if not close or name == "flat":
            cases.append(vector)
    encoded = base64.b64encode(logits.astype("<f4").tobytes()).decode()
    groups.append({"name": f"{name} {len(logits)}", "logits": encoded, "cases": cases})

path = pathlib.Path(__file__).parent.parent / "packages/core/fixtures/sampling/vectors.json"
path.parent.mkdir(parents=True, exist_ok=True)
lines = ",\n".join(json.dumps(group, separators=(",", ":"), allow_nan=False) for group in groups)
path.write_text(f"[\n{lines}\n]\n")
print(f"{path}: {path.stat().st_size} bytes, {total} cases, {close_count} at the edge of f32")
