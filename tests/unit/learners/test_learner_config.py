"""Every key of `training.optimizer`, `training.objective` and `policies.X.lora` reaches the learner and acts there."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from mars2 import build
from mars2.config.load import parse_config
from mars2.core.errors import ConfigError
from mars2.learners.optimizer import TrainingDiverged
from mars2.learners.torch_learner import TorchLearner


def settings(*overrides: str) -> Any:
    data: dict[str, Any] = {
        "name": "x",
        "problems": {"kind": "lab"},
        "policies": {"p": {"backend": "transformers", "model": "m", "device": "cpu"}},
        "agents": {"a": {"policy": "p"}},
        "training": {"steps": 6, "objective": {"kl_beta": 0.0}, "optimizer": {"learning_rate": 1e-3}},
    }
    return parse_config(data, overrides)


def learner(folder: Path, *overrides: str) -> TorchLearner:
    built = build.build_learners(settings(*overrides), {"p": str(folder)})["p"]
    assert isinstance(built, TorchLearner)
    return built


def weights(of: TorchLearner) -> dict[str, Tensor]:
    state = of.snapshot().state
    assert state is not None
    return {name: w for name, w in state.items() if isinstance(w, Tensor)}


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [0.5, 1, 1, 1, 1, 1]),
        ("linear", [0.5, 1, 0.8, 0.6, 0.4, 0.2]),
        ("cosine", [0.5, 1, 0.904508, 0.654508, 0.345492, 0.095492]),
    ],
)
def test_learning_rates_follow_the_schedule_over_training_steps(
    schedule: str, expected: list[float], llama_folder: Path, random_samples: Any
) -> None:
    trained = learner(llama_folder, f"training.optimizer.lr_schedule={schedule}", "training.optimizer.warmup_steps=1")
    rates = [trained.step(random_samples(2))["learning_rate"] for _ in expected]
    assert rates == pytest.approx([1e-3 * share for share in expected], rel=1e-4)


def test_mini_batches_lengthen_the_schedule(llama_folder: Path, random_samples: Any) -> None:
    overrides = ["training.optimizer.lr_schedule=linear", "training.optimizer.mini_batches=2", "training.steps=2"]
    trained = learner(llama_folder, *overrides)
    assert trained.step(random_samples(4))["learning_rate"] == pytest.approx(0.75e-3)
    assert trained.step(random_samples(4))["learning_rate"] == pytest.approx(0.25e-3)


def test_a_warm_up_as_long_as_the_run_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"training.optimizer.warmup_steps must be < steps · mini_batches = 6"):
        settings("training.optimizer.lr_schedule=linear", "training.optimizer.warmup_steps=6")
    assert settings("training.optimizer.warmup_steps=6")


@pytest.mark.parametrize("override", ["betas=[0.9, 1.0]", "max_skipped_in_a_row=0", "lr_schedule=step", "dtype=half"])
def test_wrong_values_are_named(override: str) -> None:
    with pytest.raises(ConfigError, match=f"training.optimizer.{override.split('=')[0]}"):
        settings(f"training.optimizer.{override}")


@pytest.mark.parametrize("override", ["rank=0", "alpha=0.0"])
def test_wrong_values_of_adapters_are_named(override: str) -> None:
    with pytest.raises(ConfigError, match=rf"^policies\.p\.lora\.{override.split('=')[0]}"):
        settings(f"policies.p.lora.{override}")


def test_betas_and_threads(llama_folder: Path, random_samples: Any) -> None:
    trained = learner(llama_folder, "training.optimizer.betas=[0.8, 0.95]", "threads=1")
    assert {group["betas"] for group in trained._optimizer._adamw.param_groups} == {(0.8, 0.95)}
    seen: list[int] = []
    trained._model._lm.base_model.register_forward_hook(lambda *_: seen.append(torch.get_num_threads()))
    trained.step(random_samples(2))
    assert set(seen) == {1}


@pytest.mark.parametrize("share", [True, False])
def test_prompts_are_shared_or_not(share: bool, llama_folder: Path, random_samples: Any) -> None:
    trained = learner(llama_folder, f"training.optimizer.share_prompts={str(share).lower()}")
    samples = [
        replace(s, prompt_ids=(3,) * 30, output_ids=s.output_ids[:2], rollout_logprobs=s.rollout_logprobs[:2])
        for s in random_samples(4)
    ]
    assert any(b.attention_mask is not None for b in trained._micro_batches(samples, range(4))) == share


@pytest.mark.parametrize(("override", "is_rounded"), [("float32", False), ("bfloat16", True), ("auto", False)])
def test_the_matrix_products_type_and_float32_weights(
    override: str, is_rounded: bool, llama_folder: Path, random_samples: Any
) -> None:
    trained = learner(llama_folder, f"training.optimizer.dtype={override}", "policies.p.dtype=bfloat16")
    types: set[torch.dtype] = set()
    trained._model._lm.base_model.layers[0].mlp.register_forward_hook(lambda *args: types.add(args[2].dtype))
    trained.step(random_samples(2))
    assert (torch.bfloat16 in types) == is_rounded
    assert {w.dtype for w in weights(trained).values()} == {torch.float32}
    state = trained._optimizer._adamw.state_dict()["state"]
    assert {moment.dtype for entry in state.values() for moment in entry.values()} == {torch.float32}


def test_non_finite_updates_are_skipped_and_end_the_run_after_so_many(llama_folder: Path, random_samples: Any) -> None:
    trained = learner(
        llama_folder,
        "training.optimizer.max_skipped_in_a_row=2",
        "training.objective.tis_cap=null",
        "training.max_staleness=0",
    )
    bad = [replace(s, advantage=1e308) for s in random_samples(4)]
    before = weights(trained)
    assert trained.step(bad)["skipped_steps"] == 1
    assert all(torch.equal(w, before[name]) for name, w in weights(trained).items())
    with pytest.raises(TrainingDiverged, match=r"policy p: 2 updates in a row .* training.optimizer.learning_rate"):
        trained.step(bad)


@pytest.mark.skipif(importlib.util.find_spec("peft") is None, reason="peft is not installed (extra: peft)")
def test_lora_trains_adapters_and_saves_a_whole_ordinary_model(
    llama_folder: Path, random_samples: Any, tmp_path: Path
) -> None:
    lora = "policies.p.lora={rank: 2, alpha: 6, target_modules: [q_proj, down_proj]}"
    trained = learner(llama_folder, lora)
    assert sorted({tuple(p.shape) for p in trained._model.parameters}) == [(2, 32), (2, 64), (32, 2)]
    trained.step(random_samples(6))
    trained.step(random_samples(6))
    trained.save(tmp_path / "c")
    saved = AutoModelForCausalLM.from_pretrained(tmp_path / "c" / "model", dtype=torch.float32)
    assert type(saved) is type(AutoModelForCausalLM.from_pretrained(llama_folder))
    original = AutoModelForCausalLM.from_pretrained(llama_folder, dtype=torch.float32).state_dict()
    changed = {name.split(".")[-2] for name, w in saved.state_dict().items() if not torch.equal(w, original[name])}
    assert changed == {"q_proj", "down_proj"}
    # What backends are given and what is saved are the same weights, and those that the learner computes with.
    for name, w in weights(trained).items():
        assert torch.equal(saved.state_dict()[name], w), name
    (sample,) = random_samples(1)
    ids = torch.tensor([[*sample.prompt_ids, *sample.output_ids]])
    logprobs = saved(input_ids=ids).logits[0, :-1].log_softmax(-1).gather(-1, ids[0, 1:, None]).squeeze(-1)
    torch.testing.assert_close(
        logprobs[len(sample.prompt_ids) - 1 :], trained._old_logprobs([sample], [[0]])[0], rtol=1e-4, atol=1e-4
    )


def test_no_lora_trains_everything(llama_folder: Path) -> None:
    trained = learner(llama_folder)
    assert len(trained._model.parameters) == len(list(trained._model._lm.parameters()))


def test_saving_flushes_every_file_and_folder_before_the_rename(
    llama_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    flushed: list[str] = []
    real_fsync, real_replace = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        flushed.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        real_fsync(descriptor)

    def replace(self: Path, target: Path) -> Path:
        flushed.append(f"rename to {target.name}")
        return real_replace(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    learner(llama_folder).save(tmp_path / "c")
    at = flushed.index("rename to c")
    before = {Path(name) for name in flushed[:at]}
    partial = tmp_path / "c.partial"
    assert before == {partial, *(partial / p.relative_to(tmp_path / "c") for p in (tmp_path / "c").rglob("*"))}
    assert flushed[at + 1 :] == [str(tmp_path)]


def test_dr_grpo_divides_by_the_longest_answer_of_the_policys_agents(llama_folder: Path) -> None:
    two = ["agents={a: {policy: p}, b: {policy: p, sampling: {max_tokens: 90}}}", "sampling.max_tokens=30"]
    built = learner(llama_folder, "training.objective.aggregation=constant", *two)
    assert built._constant_length == 90
