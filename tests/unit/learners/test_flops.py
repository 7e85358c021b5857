"""Operations of an update, counted by hand, and the share of a GPU's peak that they are."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from mars2.config.optimizer import OptimizerConfig
from mars2.learners.flops import ModelSize, mfu, peak_flops, training_flops
from mars2.learners.torch_learner import TorchLearner


def test_by_hand() -> None:
    size = ModelSize(num_parameters=1000, num_layers=2, hidden_size=8)
    # 10 tokens: 6·1000·10; attention 12·2·8·10 pairs/2 for each of 10 tokens.
    assert training_flops(size, [10]) == 60_000 + 12 * 2 * 8 * 10 * 10 / 2
    assert training_flops(size, [10, 10]) == 2 * training_flops(size, [10])
    assert training_flops(size, [10], frozen=True) == training_flops(size, [10]) - 2 * 1000 * 10
    assert mfu(5e12, 2.0, 10e12) == 0.25


def test_peaks_are_found_by_the_devices_name() -> None:
    assert peak_flops("NVIDIA H100 80GB HBM3") == 989e12
    assert peak_flops("NVIDIA H100 PCIe") == 756e12
    assert peak_flops("NVIDIA L40S") == 362e12
    assert peak_flops("NVIDIA L4") == 121e12
    assert peak_flops("Some other card") is None


@pytest.mark.parametrize(("folder", "tied"), [("llama_folder", False), ("gpt2_folder", True)])
def test_the_learner_counts_what_it_computes(
    folder: str, tied: bool, request: pytest.FixtureRequest, random_samples: Any
) -> None:
    path: Path = request.getfixturevalue(folder)
    learner = TorchLearner("p", path, optimizer=OptimizerConfig(share_prompts=False, micro_batch_tokens=10_000))
    samples = random_samples(5)
    metrics = learner.step(samples)
    total = sum(p.numel() for p in learner._model._lm.parameters())
    expected = total if tied else total - 48 * 32
    assert learner._model.size == ModelSize(expected, num_layers=2, hidden_size=32)
    lengths = [len(s.prompt_ids) + len(s.output_ids) - 1 for s in samples]
    seconds = metrics["num_tokens"] / metrics["tokens_per_s"]
    assert metrics["tflops_per_s"] == pytest.approx(training_flops(learner._model.size, lengths) / seconds / 1e12)
    assert metrics["padding_fraction"] == pytest.approx(1 - sum(lengths) / (5 * max(lengths)))
    assert metrics["peak_memory_mib"] > 1
    assert "mfu" not in metrics  # no GPU
    assert all(math.isfinite(value) for value in metrics.values())
