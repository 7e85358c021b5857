"""The transformers reward model: what it reads, that it learns, and that it comes back from disk as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mars2.config.reward_model import FitConfig
from mars2.core.errors import ConfigError
from mars2.core.problem import CallTest, Problem
from mars2.lab.policies import POLICIES, build_model
from mars2.lab.tokenizer import END_ID, build_tokenizer
from mars2.reward_model.metrics import auc
from mars2.reward_model.model import TransformersRewardModel, batches_by_length, load_reward_model
from mars2.reward_model.training import Encoded, Example, calibrate, encode_examples, fit

PROBLEM = Problem("p", "add one", (CallTest("f", (1,), 2),), ())


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("backbone")
    torch.manual_seed(0)
    tokenizer = build_tokenizer()
    small = replace(POLICIES["alpha"], hidden_size=32, num_layers=1, intermediate_size=32)
    build_model(small, len(tokenizer), END_ID).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def data(model: TransformersRewardModel, num: int, offset: int = 0) -> Encoded:
    """Programs that are right if they add and wrong if they subtract."""
    programs = [(f"def f(x):\n    return x {'+-'[i % 2]} {i + offset}", i % 2 == 0) for i in range(num)]
    return encode_examples(model, [Example(PROBLEM, program, right) for program, right in programs])


def test_it_reads_statement_tests_and_program_and_padding_changes_nothing(backbone: str) -> None:
    model = TransformersRewardModel(backbone, max_tokens=64)
    (ids,) = model.encode(PROBLEM, ["def f(x):\n    return x + 1"])
    text = build_tokenizer().decode(ids)
    assert "add one" in text
    assert "f(1)=2" in text
    assert "return x + 1" in text
    alone, beside = model.logits([ids])[0], model.logits([ids, [5] * 60])[0]
    assert alone == pytest.approx(beside, abs=1e-5)


def test_what_is_too_long_loses_statement_first_and_keeps_the_end(backbone: str) -> None:
    model = TransformersRewardModel(backbone, max_tokens=60)
    program = "def f(x):\n    return x + 1"
    (short,) = model.encode(replace(PROBLEM, statement="zq " * 400), [program])
    text = build_tokenizer().decode(short)
    assert len(short) <= 60
    assert program in text
    (cut,) = model.encode(PROBLEM, ["y = 1\n" * 100 + program])
    assert len(cut) == 60
    assert "return x + 1" in build_tokenizer().decode(cut)


def test_it_learns_and_stops_at_the_best_epoch(backbone: str) -> None:
    model = TransformersRewardModel(backbone, max_tokens=64)
    train, valid = data(model, 64), data(model, 32, offset=100)
    history = fit(
        model, train, valid, FitConfig(epochs=6, learning_rate=3e-3, batch_size=16, patience=2, micro_batch_tokens=256)
    )
    assert auc(valid.labels, model.logits(valid.sequences)) == pytest.approx(1.0, abs=0.05)
    best = min(epoch.valid_loss for epoch in history)
    labels, logits = torch.tensor(valid.labels), torch.tensor(model.logits(valid.sequences))
    assert torch.nn.functional.binary_cross_entropy_with_logits(logits, labels).item() == pytest.approx(best, abs=1e-4)


def test_a_loss_that_is_no_number_is_an_error(backbone: str) -> None:
    model = TransformersRewardModel(backbone, max_tokens=64)
    with pytest.raises(ConfigError, match=r"learning_rate: 1e\+30 made the loss (nan|inf) in epoch 1; lower it"):
        fit(model, data(model, 16), data(model, 8), FitConfig(epochs=2, learning_rate=1e30, batch_size=4, patience=1))


def test_the_micro_batches_do_not_change_the_step(backbone: str) -> None:
    weights: list[torch.Tensor] = []
    for tokens in (64, 4096):
        model = TransformersRewardModel(backbone, max_tokens=64)
        fit(
            model,
            data(model, 8),
            data(model, 8),
            FitConfig(epochs=1, learning_rate=1e-3, batch_size=8, patience=1, micro_batch_tokens=tokens),
        )
        weights.append(model.head.weight.detach().clone())
    assert torch.allclose(weights[0], weights[1], atol=1e-5)


def test_with_the_backbone_frozen_only_the_head_changes(backbone: str) -> None:
    model = TransformersRewardModel(backbone, max_tokens=64, trainable="head")
    before = model.state()
    fit(model, data(model, 16), data(model, 8), FitConfig(epochs=1, learning_rate=0.1, batch_size=8, patience=1))
    changed = {name for name, weight in model.state().items() if not torch.equal(weight, before[name])}
    assert changed == {"head.weight", "head.bias"}


def test_saved_and_loaded_it_gives_identical_scores(backbone: str, tmp_path: Path) -> None:
    model = TransformersRewardModel(backbone, max_tokens=64, seed=3)
    calibrate(model, data(model, 16))
    model.trained_on = frozenset({"p1", "p2"})
    model.save(tmp_path / "reward", {"note": "for people"})
    programs = ["def f(x):\n    return x + 1", "def f(x):\n    return 7"]
    loaded = load_reward_model(tmp_path / "reward")
    assert loaded.score(PROBLEM, programs) == model.score(PROBLEM, programs)
    assert loaded.trained_on == {"p1", "p2"}
    assert [p.name for p in tmp_path.iterdir()] == ["reward"]


def test_a_folder_without_a_reward_model_is_refused(backbone: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no reward model in"):
        load_reward_model(tmp_path)
    (tmp_path / "reward_model.json").write_text('{"format": 1}')
    with pytest.raises(ConfigError, match="is damaged"):
        load_reward_model(tmp_path)
    with pytest.raises(ConfigError, match="cannot be loaded"):
        TransformersRewardModel(str(tmp_path), max_tokens=8)


def test_batches_hold_similar_lengths_within_the_budget() -> None:
    lengths = [3, 50, 7, 8, 100, 2]
    batches = batches_by_length(lengths, 60)
    assert sorted(i for batch in batches for i in batch) == list(range(6))
    assert all(len(b) == 1 or max(lengths[i] for i in b) * len(b) <= 60 for b in batches)
