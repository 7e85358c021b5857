"""What a reward model reads: the statement and public tests as a user's message, the program as the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mars2.core.pretrained import render_chat
from mars2.core.problem import AssertTest, CallTest, Problem, StdioTest, Test

_MAX_TESTS = 4
_MAX_TEST_CHARS = 400


def question(problem: Problem) -> str:
    """Statement and the first public tests, as a policy is shown them."""
    return "\n".join([problem.statement.strip(), *map(_show, problem.public_tests[:_MAX_TESTS])])


def encode(tokenizer: Any, problem: Problem, programs: Sequence[str], max_tokens: int) -> list[list[int]]:
    """Token ids of problem and program, one list for each program, each at most `max_tokens` long.

    The model's score is read at the last token, which has seen all others. A text that is too long first loses the
    middle of the problem's part, then the beginning of the program.
    """
    asked = question(problem)
    return [_fit(tokenizer, asked, program, max_tokens) for program in programs]


def _fit(tokenizer: Any, asked: str, program: str, max_tokens: int) -> list[int]:
    ids = _ids(tokenizer, asked, program)
    while len(ids) > max_tokens and len(asked) > 40:
        kept = int(len(asked) * max(0.1, 0.9 * max_tokens / len(ids)))
        asked = f"{asked[: kept // 2]}\n…\n{asked[len(asked) - kept // 2 :]}" if kept > 40 else ""
        ids = _ids(tokenizer, asked, program)
    return ids[-max_tokens:]


def _ids(tokenizer: Any, asked: str, program: str) -> list[int]:
    if tokenizer.chat_template:
        messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": program}]
        text = render_chat(tokenizer, messages, asks=False)
    else:
        text = f"{asked}\n\n{program}\n{tokenizer.eos_token or ''}"
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def _show(test: Test) -> str:
    match test:
        case CallTest(function, args, expected):
            text = f"{function}({','.join(map(_literal, args))})={_literal(expected)}"
        case StdioTest(given, output):
            text = f"input:\n{given.strip()}\noutput:\n{output.strip()}"
        case AssertTest(code):
            text = code.strip()
    return text if len(text) <= _MAX_TEST_CHARS else f"{text[: _MAX_TEST_CHARS // 2]}…{text[-_MAX_TEST_CHARS // 2 :]}"


def _literal(value: object) -> str:
    return repr(value).replace(", ", ",")
