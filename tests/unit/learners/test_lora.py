"""LoRA through peft: only adapters train, the reference is the model without them, what is saved needs no peft."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from mars2.config.optimizer import OptimizerConfig
from mars2.config.policies import LoraConfig
from mars2.core.errors import MissingPackage, StoreError
from mars2.learners.metrics import SPEED_METRICS
from mars2.learners.torch_learner import TorchLearner

PEFT_IS_MISSING = importlib.util.find_spec("peft") is None


def needs_peft(test: Callable[..., None]) -> Any:
    """Run by `.ci/run`, which installs peft."""
    skip = pytest.mark.skipif(PEFT_IS_MISSING, reason="peft is not installed (extra: peft)")
    return pytest.mark.slow(skip(test))


LORA = LoraConfig(rank=4, alpha=8.0)


def make(folder: Path, lora: LoraConfig | None = LORA, **optimizer: Any) -> TorchLearner:
    return TorchLearner("p", folder, lora=lora, optimizer=OptimizerConfig(learning_rate=1e-2, **optimizer))


def without_speed(metrics: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if name not in SPEED_METRICS}


def weights(learner: TorchLearner) -> dict[str, Tensor]:
    state = learner.snapshot().state
    assert state is not None
    return {name: tensor for name, tensor in state.items() if isinstance(tensor, Tensor)}


@pytest.fixture(params=["llama_folder", "gpt2_folder"])
def folder(request: pytest.FixtureRequest) -> Path:
    return request.getfixturevalue(request.param)


@needs_peft
def test_snapshots_are_the_whole_model_with_adapters_merged_in(folder: Path, random_samples: Any) -> None:
    samples = random_samples(6)
    learner = make(folder)
    original = AutoModelForCausalLM.from_pretrained(folder)
    assert weights(learner).keys() == original.state_dict().keys()
    for name, tensor in original.state_dict().items():
        assert torch.equal(weights(learner)[name], tensor), name  # adapters start as the identity
    first = learner.step(samples)
    assert first["kl"] == pytest.approx(0.0, abs=1e-6)
    assert learner.step(samples)["kl"] > 1e-6
    merged = weights(learner)
    changed = {name for name, tensor in original.state_dict().items() if not torch.equal(merged[name], tensor)}
    assert changed
    assert all("attn" in n or "mlp" in n for n in changed), changed
    original.load_state_dict(merged)
    for sample, expected in zip(samples, learner._old_logprobs(samples, [range(len(samples))]), strict=True):
        ids = torch.tensor([[*sample.prompt_ids, *sample.output_ids]])
        logprobs = original(input_ids=ids).logits[0, :-1].log_softmax(-1).gather(-1, ids[0, 1:, None]).squeeze(-1)
        torch.testing.assert_close(logprobs[len(sample.prompt_ids) - 1 :], expected, rtol=1e-4, atol=1e-4)


@needs_peft
def test_restored_training_goes_on_bit_for_bit(folder: Path, random_samples: Any, tmp_path: Path) -> None:
    straight = make(folder)
    straight.step(random_samples(6))
    straight.save(tmp_path / "c")
    saved = AutoModelForCausalLM.from_pretrained(tmp_path / "c" / "model")
    for name, tensor in weights(straight).items():
        assert torch.equal(saved.state_dict()[name], tensor), name
    resumed = make(tmp_path / "c" / "model")
    resumed.restore(tmp_path / "c")
    expected, actual = straight.step(random_samples(6, seed=1)), resumed.step(random_samples(6, seed=1))
    assert without_speed(actual) == without_speed(expected)
    for name, tensor in weights(straight).items():
        assert torch.equal(weights(resumed)[name], tensor), name


@needs_peft
def test_gradient_checkpointing_trains_the_same(folder: Path, random_samples: Any) -> None:
    kept, recomputed = make(folder), make(folder, gradient_checkpointing=True)
    assert recomputed.step(random_samples(6))["grad_norm"] == pytest.approx(
        kept.step(random_samples(6))["grad_norm"], rel=1e-5
    )


@needs_peft
def test_checkpoints_of_other_options_are_refused(llama_folder: Path, tmp_path: Path) -> None:
    make(llama_folder).save(tmp_path / "with")
    make(llama_folder, lora=None).save(tmp_path / "without")
    with pytest.raises(StoreError, match=r"with lora"):
        make(llama_folder, lora=None).restore(tmp_path / "with")
    with pytest.raises(StoreError, match=r"without lora"):
        make(llama_folder).restore(tmp_path / "without")
    with pytest.raises(StoreError, match="does not fit"):
        make(llama_folder, lora=LoraConfig(rank=2)).restore(tmp_path / "with")
    with pytest.raises(StoreError, match="other layers"):
        make(llama_folder, lora=LoraConfig(rank=4, target_modules=("q_proj",))).restore(tmp_path / "with")


def test_without_peft_the_error_says_what_to_install(llama_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MissingPackage, match=r"pip install 'mars2\[peft\]'"):
        make(llama_folder)
