"""Chat data for supervised fine-tuning: JSONL conversations to token ids, with the assistant's tokens marked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mars2.core.errors import ConfigError
from mars2.core.explain import explain
from mars2.core.pretrained import render_chat

SIMPLE_TEMPLATE = (
    "{% for m in messages %}"
    "{{ '### ' + m['role'] + '\n' + m['content'] + (eos_token if m['role'] == 'assistant' else '') + '\n\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '### assistant\n' }}{% endif %}"
)
"""For models without a chat template of their own; saved with the tokenizer, so that generation uses it too."""


class Message(BaseModel):
    """One turn."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    role: Literal["system", "user", "assistant"]
    content: str


class Conversation(BaseModel):
    """One line of a data file; other keys beside `messages` are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    messages: tuple[Message, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Example:
    """One conversation in tokens."""

    ids: tuple[int, ...]
    is_trained: tuple[bool, ...]  # True where the token is the assistant's, its end-of-turn token included


def read_conversations(path: Path) -> list[tuple[int, Conversation]]:
    """Line number and conversation of every line that is not blank.

    Raises:
        ConfigError: the file is not there or empty, or lines are not conversations; names the first such line.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise ConfigError(f"data: cannot read {path} ({error.strerror}); give a JSONL file") from None
    except UnicodeDecodeError:
        raise ConfigError(f"data: {path} is not UTF-8 text; save it as UTF-8") from None
    found: list[tuple[int, Conversation]] = []
    bad: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        data: Any = None
        try:
            data = json.loads(line)
            conversation = Conversation.model_validate(data)
        except ValidationError as error:
            mistake = explain(error.errors(include_url=False), data, whole="line")
            bad.append(f"line {number}: {mistake.line}")
            continue
        except (ValueError, RecursionError) as error:
            bad.append(f"line {number}: not JSON: {error}")
            continue
        if not any(m.role == "assistant" and m.content.strip() for m in conversation.messages):
            bad.append(f"line {number}: messages hold nothing by the assistant to learn from")
            continue
        found.append((number, conversation))
    if bad:
        more = f" (and {len(bad) - 1} more bad lines)" if len(bad) > 1 else ""
        raise ConfigError(
            f'data: {path} {bad[0]}{more}; a line must be {{"messages": [{{"role": "user", "content": "…"}}, '
            '{"role": "assistant", "content": "…"}]}'
        )
    if not found:
        raise ConfigError(f"data: {path} has no conversations; write one JSON object a line")
    return found


def ensure_template(tokenizer: Any) -> bool:
    """Give a tokenizer without chat template the simple one; True if that was done.

    Raises:
        ConfigError: the tokenizer has no end-of-text token, so that no answer could ever end.
    """
    if tokenizer.eos_token_id is None:
        raise ConfigError("model: its tokenizer has no eos_token; set one in tokenizer_config.json")
    if tokenizer.chat_template is not None:
        return False
    starts_with_bos = tokenizer.bos_token_id is not None and tokenizer("a")["input_ids"][:1] == [tokenizer.bos_token_id]
    tokenizer.chat_template = ("{{ bos_token }}" if starts_with_bos else "") + SIMPLE_TEMPLATE
    return True


def encode(tokenizer: Any, conversation: Conversation, stop_ids: Sequence[int]) -> Example:
    """Tokens of a conversation under the tokenizer's chat template.

    Every prompt (everything before an assistant's turn) and every answer are tokenised separately, as in generation.
    The tokens of an answer are trained up to its last stop token. If the template writes none, end-of-text is added.

    Raises:
        ValueError: the template writes earlier turns differently once later ones follow.
    """
    messages = [m.model_dump() for m in conversation.messages]
    ids: list[int] = []
    is_trained: list[bool] = []
    done = ""  # the text behind `ids`
    for i, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        prompt = render_chat(tokenizer, messages[:i], asks=True)
        whole = render_chat(tokenizer, messages[: i + 1], asks=False)
        if not (prompt.startswith(done) and whole.startswith(prompt)):
            raise ValueError(
                "the model's chat template writes earlier turns differently once later ones follow; "
                "make one conversation for each of the assistant's turns"
            )
        new_ids = tokenizer(prompt[len(done) :], add_special_tokens=False)["input_ids"]
        ids += new_ids
        is_trained += [False] * len(new_ids)
        answer: list[int] = tokenizer(whole[len(prompt) :], add_special_tokens=False)["input_ids"]
        last_stop = max((place for place, token in enumerate(answer) if token in stop_ids), default=None)
        if last_stop is None:
            answer, last_stop = [*answer, tokenizer.eos_token_id], len(answer)
        is_trained += [place <= last_stop for place in range(len(answer))]
        ids += answer
        done = whole
    return Example(tuple(ids), tuple(is_trained))
