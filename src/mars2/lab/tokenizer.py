"""A small tokenizer whose pieces are listed, not learned: short on the family's texts, lossless on any other."""

from __future__ import annotations

import re

from tokenizers import AddedToken, Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

from mars2.core.completion import Prompt
from mars2.lab.ops import ARGUMENT_TYPES, OPS
from mars2.lab.prompting import ROLE_TAGS

USER, ASSISTANT, END = "<|user|>", "<|assistant|>", "<|end|>"
SPECIAL_TOKENS = (END, USER, ASSISTANT)
END_ID = 0  # eos and padding

CHAT_TEMPLATE = (
    "{% for m in messages %}"
    "{{ ('<|assistant|>' if m['role'] == 'assistant' else '<|user|>') + m['content'] + '<|end|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)

_IDIOMS = (
    *("def f(x):", "\n    x = ", "\n    return ", "\n    if ", "\n    while ", "\n    for i, a in enumerate(x):"),
    *("\n        x = ", "\n        if ", "\n            x = ", "\n        break", "\n            break", "\n"),
    *(" for a in x", " for c in x", " for i in range(", " for c in str(", " for w in x", " for a, b in zip(x, x["),
    *("''.join(", "' '.join(", "x.split()", "x.replace('", "', '", "')", "[::-1]", "[", "[a", "[b", "a", "x", "c"),
    *(
        "(x)",
        "abs(x)",
        "len(x)",
        "len(w)",
        "sum(",
        "sorted(",
        "x[",
        "x[:",
        ":]",
        " + 1]",
        "int(c)",
        " % 2 == ",
        "x // 2",
    ),
    *(", reverse=True", ", default=0", "x[:i", "'aeiou'", "x.split()[::-1]", "x.count('", "list(dict.fromkeys(x))"),
    *(
        "\nf(",
        "\nf([",
        "\nf('",
        ")=",
        "])=",
        "')=",
        "])=[",
        "')='",
        ")=[",
        "; ",
        ": ",
        " not ",
        "\nall pass",
        "\nno program",
    ),
    *("NameError", "SyntaxError", "IndentationError", "TypeError", "ValueError", "IndexError", "AttributeError"),
    *("UnboundLocalError", "ZeroDivisionError", "None", "True", "False", "TLE"),
)
_WORD = re.compile(r" ?[A-Za-z]+| ?[^\w\s]+ ?|\d+")
_BYTE_SCORE = -20.0
_CHAR_SCORE = -1.0


def _pieces() -> list[str]:
    """Every piece but the special tokens and bytes, in a fixed order."""
    texts = [text for op in OPS for text in (op.code, *op.slips)]
    phrases = [part for op in OPS for part in op.phrase.split("{k}")]
    numbers = [str(n) for n in range(100)]
    listed = [f",{n}" for n in range(-9, 31)] + [f"-{n}" for n in range(1, 10)]
    words = [word for text in texts for word in _WORD.findall(re.sub(r"\{[kp]\}", "0", text))]
    ascii_chars = [chr(code) for code in (9, 10, 13, *range(32, 127))]
    every = [*ascii_chars, *_IDIOMS, *ARGUMENT_TYPES, *ROLE_TAGS, *phrases, *words, *numbers, *listed]
    return list(dict.fromkeys(piece for piece in every if piece))


def build_tokenizer() -> PreTrainedTokenizerFast:
    """The tokenizer of both policies: fewest pieces win, longer pieces break ties; the same on every machine."""
    vocabulary: list[tuple[str, float]] = [(token, 0.0) for token in SPECIAL_TOKENS]
    vocabulary += [(f"<0x{byte:02X}>", _BYTE_SCORE) for byte in range(256)]
    vocabulary += [(piece, _CHAR_SCORE + 1e-4 * len(piece) ** 2) for piece in _pieces()]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=END_ID, byte_fallback=True))
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL_TOKENS])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=END,
        clean_up_tokenization_spaces=False,
        model_max_length=512,
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


def chat_text(prompt: Prompt) -> str:
    """What the chat template makes of a prompt, generation prompt included; a plain function because it is faster."""
    tags = {"user": USER, "system": USER, "assistant": ASSISTANT}
    return "".join(f"{tags[message.role]}{message.content}{END}" for message in prompt) + ASSISTANT
