"""Supervised fine-tuning: masks by hand, batches, losses, checkpoints."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from mars2.config.sft import SftConfig
from mars2.core.errors import ConfigError
from mars2.lab.tokenizer import build_tokenizer
from mars2.learners.conversations import Conversation, Example, encode, ensure_template, read_conversations
from mars2.learners.optimizer import TrainingDiverged
from mars2.learners.policy_model import PolicyModel
from mars2.learners.sft import SftTrainer, make_sft_batches

CPU = torch.device("cpu")


def chat(*contents: str) -> Conversation:
    """User and assistant in turn."""
    roles = ("user", "assistant")
    return Conversation.model_validate(
        {"messages": [{"role": roles[i % 2], "content": content} for i, content in enumerate(contents)]}
    )


def shown(tokenizer: Any, example: Example) -> list[tuple[str, bool]]:
    """The text as runs of learned and not learned tokens."""
    runs: list[tuple[list[int], bool]] = []
    for token, is_trained in zip(example.ids, example.is_trained, strict=True):
        if not runs or runs[-1][1] != is_trained:
            runs.append(([], is_trained))
        runs[-1][0].append(token)
    return [(tokenizer.decode(ids), is_trained) for ids, is_trained in runs]


def test_only_the_assistants_tokens_are_learned_in_every_turn() -> None:
    tokenizer = build_tokenizer()
    example = encode(tokenizer, chat("add 1", "x + 1", "now 2", "x + 2"), [tokenizer.eos_token_id])
    assert shown(tokenizer, example) == [
        ("<|user|>add 1<|end|><|assistant|>", False),
        ("x + 1<|end|>", True),
        ("<|user|>now 2<|end|><|assistant|>", False),
        ("x + 2<|end|>", True),
    ]


def test_what_follows_the_last_turn_of_the_assistant_is_left_out() -> None:
    tokenizer = build_tokenizer()
    example = encode(tokenizer, chat("a", "b", "never answered"), [tokenizer.eos_token_id])
    assert tokenizer.decode(example.ids) == "<|user|>a<|end|><|assistant|>b<|end|>"


def test_templates_that_write_no_stop_token_get_one_and_text_behind_it_is_not_learned() -> None:
    tokenizer = build_tokenizer()
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
    )
    example = encode(tokenizer, chat("a", "b"), [tokenizer.eos_token_id])
    assert shown(tokenizer, example) == [("user: a\nassistant: ", False), ("b\n<|end|>", True)]
    tokenizer.chat_template = tokenizer.chat_template.replace("m['content']", "m['content'] + '<|end|>'")
    example = encode(tokenizer, chat("a", "b"), [tokenizer.eos_token_id])
    assert shown(tokenizer, example) == [
        ("user: a<|end|>\nassistant: ", False),
        ("b<|end|>", True),
        ("\n", False),
    ]


def test_models_without_a_template_get_the_simple_one() -> None:
    tokenizer = build_tokenizer()
    assert not ensure_template(tokenizer)
    tokenizer.chat_template = None
    assert ensure_template(tokenizer)
    example = encode(tokenizer, chat("a", "b", "c", "d"), [tokenizer.eos_token_id])
    assert shown(tokenizer, example) == [
        ("### user\na\n\n### assistant\n", False),
        ("b<|end|>", True),
        ("\n\n### user\nc\n\n### assistant\n", False),
        ("d<|end|>", True),
        ("\n\n", False),
    ]
    tokenizer.eos_token = None
    with pytest.raises(ConfigError, match="no eos_token"):
        ensure_template(tokenizer)


def test_templates_that_rewrite_earlier_turns_are_refused() -> None:
    tokenizer = build_tokenizer()
    tokenizer.chat_template = (
        "{{ messages|length }}{% for m in messages %}{{ m['content'] }}{% endfor %}"
        "{% if add_generation_prompt %}>{% endif %}"
    )
    with pytest.raises(ValueError, match="one conversation for each"):
        encode(tokenizer, chat("a", "b"), [0])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["", '{"messages": ['], "line 2: not JSON"),
        (['{"messages": []}'], "line 1: messages: must hold at least 1, got []"),
        (['{"messages": [{"role": "robot", "content": "x"}]}'], "line 1: messages[0].role: must be one of 'system'"),
        (['{"messages": [{"role": "user", "content": "x"}]}'], "line 1: messages hold nothing by the assistant"),
        (['{"prompt": "x"}', "[]"], "line 1: messages: missing; add it (and 1 more bad lines)"),
        ([""], "has no conversations"),
    ],
)
def test_bad_lines_are_named(lines: Sequence[str], message: str, tmp_path: Path) -> None:
    (tmp_path / "chats.jsonl").write_text("\n".join(lines))
    with pytest.raises(ConfigError) as caught:
        read_conversations(tmp_path / "chats.jsonl")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match="cannot read"):
        read_conversations(tmp_path / "nothing.jsonl")


def test_line_separators_within_a_text_do_not_end_a_line(tmp_path: Path) -> None:
    text = "a\u2028b\x85c"
    line = {"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": text}], "id": 7}
    (tmp_path / "chats.jsonl").write_text(json.dumps(line, ensure_ascii=False) + "\r\n\n", encoding="utf-8")
    ((number, conversation),) = read_conversations(tmp_path / "chats.jsonl")
    assert (number, conversation.messages[0].content) == (1, text)


# ── training ────────────────────────────────────────────────────────────────────────────────────────────────────────


def examples(num: int, seed: int = 0) -> list[Example]:
    generator = torch.Generator().manual_seed(seed)

    def draw(low: int, high: int, size: int = 1) -> list[int]:
        return torch.randint(low, high, (size,), generator=generator).tolist()

    found: list[Example] = []
    for _ in range(num):
        prompt, answer = draw(1, 9)[0], draw(1, 20)[0]
        found.append(Example(tuple(draw(2, 48, prompt + answer + 1)), (False,) * prompt + (True,) * answer + (False,)))
    return found


def model(folder: Path, **options: Any) -> PolicyModel:
    return PolicyModel(str(folder), device=CPU, keep_reference=False, **options)


def options(**options: Any) -> SftConfig:
    return SftConfig(data=Path("unused"), model="unused", out=Path("unused"), **options)


@pytest.mark.parametrize("folder", ["llama_folder", "gpt2_folder"])
@pytest.mark.parametrize("max_tokens", [1, 60, 10_000])
def test_the_step_is_that_of_plain_cross_entropy(
    folder: str, max_tokens: int, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = request.getfixturevalue(folder)
    data = examples(7)
    plain = AutoModelForCausalLM.from_pretrained(path).eval()
    total, count = torch.zeros(()), 0
    for e in data:
        labels = torch.tensor([[t if known else -100 for t, known in zip(e.ids, e.is_trained, strict=True)]])
        logits = plain(input_ids=torch.tensor([e.ids])).logits
        total = total + torch.nn.functional.cross_entropy(logits[0, :-1], labels[0, 1:], reduction="sum")
        count += int((labels[:, 1:] != -100).sum())
    (total / count).backward()
    seen: list[torch.Tensor] = []
    monkeypatch.setattr(torch.optim.AdamW, "step", lambda _: seen.extend(p.grad.clone() for p in trained.parameters))
    trained = model(path)
    trainer = SftTrainer(
        trained, data, data, options(batch_size=7, micro_batch_tokens=max_tokens, max_grad_norm=1e9), num_steps=1
    )
    assert trainer.validation_loss() == pytest.approx(float((total / count).detach()), rel=1e-5)
    metrics = trainer.step()
    assert metrics["loss"] == pytest.approx(float((total / count).detach()), rel=1e-5)
    assert metrics["num_trained_tokens"] == count
    for actual, expected in zip(seen, (p.grad for p in plain.parameters()), strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


def test_every_epoch_sees_every_conversation_once_in_a_new_order(llama_folder: Path) -> None:
    data = examples(10)
    trainer = SftTrainer(model(llama_folder), data, (), options(batch_size=4), num_steps=6)
    epochs = [[e for step in range(3 * k, 3 * k + 3) for e in trainer.batch(step)] for k in range(2)]
    assert [len(trainer.batch(step)) for step in range(3)] == [4, 4, 2]
    for epoch in epochs:
        assert sorted(e.ids for e in epoch) == sorted(e.ids for e in data)
    assert epochs[0] != epochs[1]


def test_short_rows_are_not_padded_to_long_ones() -> None:
    data = [Example((1,) * n, (True,) * n) for n in (401, 41, 41, 41, 41, 41)]
    batches = make_sft_batches(data, max_tokens=10_000, device=CPU)
    assert [tuple(b.input_ids.shape) for b in batches] == [(1, 400), (5, 40)]


def test_a_resumed_training_goes_on_bit_for_bit(gpt2_folder: Path, tmp_path: Path) -> None:
    def trainer() -> SftTrainer:
        return SftTrainer(model(gpt2_folder), examples(9), (), options(batch_size=4, learning_rate=1e-2), num_steps=6)

    straight = trainer()
    for _ in range(4):
        straight.step()
    straight.save(tmp_path / "c")
    resumed = trainer()
    resumed.restore(tmp_path / "c")
    assert resumed.steps_done == 4
    for _ in range(2):
        assert straight.step()["loss"] == resumed.step()["loss"]
    for name, weight in straight.model.state().items():
        assert torch.equal(resumed.model.state()[name], weight), name


def test_what_is_exported_is_an_ordinary_model(gpt2_folder: Path, tmp_path: Path) -> None:
    trainer = SftTrainer(model(gpt2_folder), examples(4), (), options(learning_rate=1e-2), num_steps=1)
    trainer.step()
    (tmp_path / "out").mkdir()
    trainer.export(tmp_path / "out")
    trainer.export(tmp_path / "out")
    saved = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    for name, weight in saved.state_dict().items():
        assert torch.equal(weight, trainer.model.state()[name]), name
    assert isinstance(AutoTokenizer.from_pretrained(tmp_path / "out"), PreTrainedTokenizerFast)
    assert not any(p.is_dir() for p in (tmp_path / "out").iterdir())


def test_non_finite_steps_are_skipped_and_finally_refused(llama_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = SftTrainer(model(llama_folder), examples(4), (), options(max_skipped_in_a_row=2), num_steps=9)
    before = trainer.model.state()
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", lambda *_: torch.tensor(torch.nan))
    assert trainer.step()["skipped_steps"] == 1
    assert all(torch.equal(w, before[name]) for name, w in trainer.model.state().items())
    with pytest.raises(TrainingDiverged, match="step 2: 2 updates in a row"):
        trainer.step()
