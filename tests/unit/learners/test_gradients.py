"""However a batch is cut up, packed, shared or recomputed: the gradients are those of one padded batch, to 1e-5."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from mars2.config.objective import ClipObjectiveConfig, ObjectiveConfig
from mars2.config.optimizer import OptimizerConfig
from mars2.core.sample import TrainingSample
from mars2.learners import batching, causal_lm
from mars2.learners.torch_learner import TorchLearner

GRPO = {"ratio": "token", "clip_low": 0.2, "clip_high": 0.28}
OBJECTIVES = {
    "gspo": ClipObjectiveConfig(kl_beta=0.1, kl_estimator="k3"),
    "gspo-tis": ClipObjectiveConfig(tis_level="sequence", tis_cap=2.0, kl_beta=0.0),
    "grpo-mis": ClipObjectiveConfig(**GRPO, tis_mode="mask", kl_beta=0.1, kl_estimator="k2", dual_clip=3.0),
    "dapo": ClipObjectiveConfig(**GRPO, aggregation="token-mean", kl_beta=0.0),
    "dr_grpo": ClipObjectiveConfig(**GRPO, aggregation="constant", kl_beta=0.0, entropy_bonus=0.1),
}
WAYS: dict[str, dict[str, Any]] = {
    "micro-batched": {"micro_batch_tokens": 40},
    "one by one": {"micro_batch_tokens": 1},
    "shared prompts": {"share_prompts": True},
    "checkpointed": {"gradient_checkpointing": True},
    "all at once": {"micro_batch_tokens": 40, "share_prompts": True, "gradient_checkpointing": True},
}


def gradients(
    folder: Path,
    objective: ObjectiveConfig,
    samples: list[TrainingSample],
    monkeypatch: pytest.MonkeyPatch,
    **options: Any,
) -> tuple[list[Tensor], int]:
    """What the optimizer is given in one step, and in how many micro-batches it was computed."""
    seen: list[Tensor] = []
    with monkeypatch.context() as patch:
        patch.setattr(
            torch.optim.AdamW,
            "step",
            lambda o: seen.extend(p.grad.clone() for g in o.param_groups for p in g["params"]),
        )
        settings = {"micro_batch_tokens": 100_000, "share_prompts": False, "max_grad_norm": 1e9} | options
        learner = TorchLearner(
            "p",
            folder,
            objective=objective,
            optimizer=OptimizerConfig(**settings),
            constant_length=20,
            threads=1,
        )
        learner.step(samples)
        return seen, len(learner._micro_batches(samples, range(len(samples))))


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("model", ["llama_folder", "neox_folder"])
def test_gradients_are_those_of_one_batch(
    name: str, model: str, request: pytest.FixtureRequest, random_samples: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, objective = request.getfixturevalue(model), OBJECTIVES[name]
    samples = random_samples(13, same_prompt=4)
    monkeypatch.setattr(batching, "OVERHEAD_TOKENS", {"cpu": 10**9})
    expected, num_batches = gradients(folder, objective, samples, monkeypatch)
    assert num_batches == 1
    assert max(float(g.abs().max()) for g in expected) > 1e-3
    monkeypatch.setattr(batching, "OVERHEAD_TOKENS", {"cpu": 0})
    monkeypatch.setattr(causal_lm, "LOGITS_CHUNK_BYTES", 4 * 48 * 7)  # and the logits of 7 tokens at a time
    for way, options in WAYS.items():
        found, num_batches = gradients(folder, objective, samples, monkeypatch, **options)
        assert num_batches > 1, way  # no two lengths share a micro-batch where a pass costs nothing
        for actual, wanted in zip(found, expected, strict=True):
            torch.testing.assert_close(actual, wanted, rtol=1e-5, atol=1e-5, msg=lambda m, way=way: f"{way}: {m}")
