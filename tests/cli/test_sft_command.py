"""`mars2 sft` as a user runs it: a tiny model learns, an interrupted run goes on, mistakes are one line."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from mars2.backends.in_process import TransformersBackend
from mars2.cli.main import run
from mars2.config.policies import TransformersPolicyConfig
from mars2.core.completion import Message, Sampling
from mars2.lab.tokenizer import build_tokenizer

Mars2 = Callable[..., tuple[int, str, str]]
ANSWERS = {"double it": "def f(x):\n    return x + x", "first": "def f(x):\n    return x[0]", "size": "len(x)"}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    tokenizer = build_tokenizer()
    torch.manual_seed(0)
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=128,
            eos_token_id=tokenizer.eos_token_id,
            initializer_range=0.1,
        )
    ).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def here(tmp_path: Path, base: Path) -> Path:
    def chat(question: str, answer: str) -> str:
        turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        return json.dumps({"messages": turns})

    lines = [chat(*pair) for pair in ANSWERS.items()]
    (tmp_path / "chats.jsonl").write_text("\n".join(lines * 8) + "\n")
    settings = {"data": "chats.jsonl", "model": str(base), "batch_size": 6, "learning_rate": 0.01, "threads": 1}
    (tmp_path / "sft.yaml").write_text(yaml.safe_dump({**settings, "out": "out", "validation_fraction": 0.1}))
    return tmp_path


@pytest.fixture
def mars2(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Mars2]:
    """Runs `mars2 sft` in this process: exit code, stdout, stderr."""
    threads = torch.get_num_threads()
    monkeypatch.chdir(here)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mars2", "sft", *arguments])
        with pytest.raises(SystemExit) as left:
            run()
        return int(left.value.code or 0), *capsys.readouterr()

    yield call
    torch.set_num_threads(threads)


def test_a_tiny_model_learns_its_answers_by_heart(here: Path, mars2: Mars2) -> None:
    code, said, error = mars2("sft.yaml", "--epochs", "20", "--json")
    assert code == 0, error
    summary: dict[str, Any] = json.loads(said)
    assert (summary["num_examples"], summary["num_validation"], summary["steps"]) == (22, 2, 80)
    assert summary["validation_loss_before"] > 4
    assert summary["validation_loss"] < 0.05
    assert not (here / "out" / "checkpoints").exists()
    assert list((here / "out" / "tensorboard").iterdir())

    async def answers() -> list[tuple[str, str]]:  # the folder is a model at once
        backend = TransformersBackend("p", TransformersPolicyConfig(model=str(here / "out"), device="cpu"))
        prompts = ((Message("user", question),) for question in ANSWERS)
        greedy = Sampling(temperature=0.0, max_tokens=64, seed=0)
        found = [await backend.generate(prompt, greedy) for prompt in prompts]
        await backend.close()
        return [(answer.text, answer.finish_reason) for answer in found]

    assert asyncio.run(answers()) == [(answer, "stop") for answer in ANSWERS.values()]
    code, _, error = mars2("sft.yaml", "--epochs", "20", "--resume")
    assert code == 0
    assert "finished already" in error


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_stopped_and_resumed_it_makes_the_same_weights(here: Path, mars2: Mars2, how: signal.Signals) -> None:
    arguments = ["sft.yaml", "--steps", "60", "--set", "checkpoint_every=7"]
    assert mars2(*arguments, "--out", "straight")[0] == 0
    arguments += ["--out", "stopped"]
    command = [sys.executable, "-m", "mars2", "sft", *arguments]
    process = subprocess.Popen(command, cwd=here, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 100
    while not list((here / "stopped" / "checkpoints").glob("*[0-9]")):
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        assert time.monotonic() < deadline, "no checkpoint yet"
        time.sleep(0.002)
    os.kill(process.pid, how)
    _, said = process.communicate(timeout=60)
    assert process.returncode == (130 if how is signal.SIGINT else -signal.SIGKILL), said
    assert not (here / "stopped" / "config.json").exists()  # not yet a model
    code, _, error = mars2(*arguments)
    assert code == 2
    assert "--resume" in error
    code, _, error = mars2(*arguments, "--resume")
    assert code == 0, error
    assert "resumed after step" in error
    expected = AutoModelForCausalLM.from_pretrained(here / "straight").state_dict()
    actual = AutoModelForCausalLM.from_pretrained(here / "stopped").state_dict()
    for name, weight in expected.items():
        assert torch.equal(actual[name], weight), name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["chats.jsonl", "--out", "o"], "model: missing"),
        (["chats.jsonl", "--model", "nowhere/at/all", "--out", "o"], "no such model folder"),
        (["sft.yaml", "--set", "lerning_rate=1"], 'lerning_rate: unknown key; did you mean "learning_rate"?'),
        (["sft.yaml", "--set", "max_length=3"], "max_length: all conversations are longer than 3"),
        (["sft.yaml", "--set", "warmup_steps=99"], "total_steps must be > warmup_steps"),
        (["sft.yaml", "--resume"], "no fine-tuning to resume"),
        (["bad.jsonl", "--model", "BASE", "--out", "o"], "bad.jsonl line 2"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], message: str, here: Path, base: Path, mars2: Mars2) -> None:
    (here / "bad.jsonl").write_text((here / "chats.jsonl").read_text().split("\n")[0] + "\n{}\n")
    code, _, error = mars2(*(str(base) if a == "BASE" else a for a in arguments))
    assert code == 2, error
    last = error.strip().splitlines()[-1]
    assert last.startswith("mars2: error: ")
    assert message in last
    assert "Traceback" not in error
