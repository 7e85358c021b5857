"""The same losses and gradients as TRL's GRPOTrainer, an independent implementation (skipped where TRL is absent).

Conventions that differ, and how they are aligned here: TRL's `delta` is our `dual_clip`; its "dapo" divides by the
tokens of the whole generation batch, as our token-mean does by those of the (mini-)batch; its advantages' std is over
n − 1 (advantages are given here); it multiplies the KL term by the ratio unless `use_bias_correction_kl` is off; its
entropy bonus is a mean over tokens whatever the loss, ours follows the aggregation (not compared).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from mars2.config.objective import CispoObjectiveConfig, ClipObjectiveConfig, ObjectiveConfig
from mars2.config.optimizer import OptimizerConfig
from mars2.core.sample import TrainingSample
from mars2.learners.losses.seam import TokenStatistics
from mars2.learners.losses.tis import bounded_weights, rollout_weights
from mars2.learners.policy_loss import policy_loss
from mars2.learners.torch_learner import TorchLearner

pytestmark = pytest.mark.slow
trl = pytest.importorskip("trl", reason="TRL is not installed (pip install trl)")
datasets = pytest.importorskip("datasets", reason="datasets is not installed (extra: benchmarks)")

CASES: dict[str, tuple[ObjectiveConfig, dict[str, Any]]] = {
    "gspo": (
        ClipObjectiveConfig(clip_low=0.1, clip_high=0.15, kl_beta=0.05),  # wide: some of six sequences stay unclipped
        {"loss_type": "grpo", "importance_sampling_level": "sequence", "epsilon": 0.1, "epsilon_high": 0.15},
    ),
    "grpo": (
        ClipObjectiveConfig(ratio="token", clip_low=0.2, clip_high=0.2, kl_beta=0.05),
        {"loss_type": "grpo", "importance_sampling_level": "token", "epsilon": 0.2},
    ),
    "grpo_dual_clip": (
        ClipObjectiveConfig(ratio="token", clip_low=0.2, clip_high=0.2, dual_clip=1.5, kl_beta=0.05),
        {"loss_type": "grpo", "importance_sampling_level": "token", "epsilon": 0.2, "delta": 1.5},
    ),
    "dapo": (
        ClipObjectiveConfig(ratio="token", clip_low=0.2, clip_high=0.28, aggregation="token-mean", kl_beta=0.0),
        {"loss_type": "dapo", "importance_sampling_level": "token", "epsilon": 0.2, "epsilon_high": 0.28},
    ),
    "dr_grpo": (
        ClipObjectiveConfig(ratio="token", clip_low=0.2, clip_high=0.2, aggregation="constant", kl_beta=0.0),
        {"loss_type": "dr_grpo", "importance_sampling_level": "token", "epsilon": 0.2, "max_completion_length": 32},
    ),
    "cispo": (  # TRL's epsilon_high is the largest weight itself
        CispoObjectiveConfig(clip_high=0.3, aggregation="token-mean", kl_beta=0.05),
        {"loss_type": "cispo", "importance_sampling_level": "token", "epsilon_high": 1.3},
    ),
}


def make_trainer(objective: ObjectiveConfig, options: dict[str, Any], model: Path, output: Path) -> Any:
    trainer = trl.GRPOTrainer(
        model=str(model),
        reward_funcs=lambda completions, **_: [0.0] * len(completions),
        train_dataset=datasets.Dataset.from_dict({"prompt": ["t2", "t3"]}),
        args=trl.GRPOConfig(
            output_dir=str(output),
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            report_to=[],
            per_device_train_batch_size=2,
            num_generations=2,
            beta=objective.kl_beta,
            use_bias_correction_kl=False,
            **options,
        ),
    )
    trainer.current_gradient_accumulation_steps = 1
    return trainer


@pytest.mark.parametrize("tis", [None, ("token", "truncate"), ("token", "mask"), ("sequence", "truncate")])
@pytest.mark.parametrize("name", CASES)
def test_off_policy_loss_and_its_gradient(
    name: str, tis: tuple[Any, Any] | None, llama_folder: Path, tmp_path: Path
) -> None:
    base, options = CASES[name]
    level, mode = tis or ("token", "truncate")
    objective = replace(base, tis_cap=None if tis is None else 1.3, tis_level=level, tis_mode=mode)
    generator = torch.Generator().manual_seed(3)
    lengths = torch.tensor([1, 9, 4, 7, 2, 9])
    mask = torch.arange(9) < lengths.unsqueeze(-1)

    def noise(scale: float) -> Tensor:
        return scale * torch.randn(mask.shape, generator=generator)

    logprobs = (-2 + noise(0.5)).requires_grad_()
    old, rollout, reference = (logprobs.detach() + noise(0.3) for _ in range(3))
    advantages, entropy = torch.randn(6, generator=generator), noise(1.0).abs()

    ours = policy_loss(
        objective,
        TokenStatistics(logprobs, old, mask, advantages, entropy, rollout, reference),
        num_sequences=6,
        num_tokens=int(mask.sum()),
        constant_length=32,
    ).loss
    trainer = make_trainer(objective, options, llama_folder, tmp_path)
    trainer._get_per_token_logps_and_entropies = lambda *_, **__: (logprobs, entropy, None)
    inputs = {
        "prompt_ids": torch.ones(6, 1, dtype=torch.int64),
        "prompt_mask": torch.ones(6, 1, dtype=torch.int64),
        "completion_ids": torch.ones(6, 9, dtype=torch.int64),
        "completion_mask": mask.long(),
        "advantages": advantages,
        "old_per_token_logps": old,
        "ref_per_token_logps": reference,
        "num_items_in_batch": mask.sum(),
    }
    if tis is not None:
        trainer.use_vllm = True
        inputs["importance_sampling_ratio"] = bounded_weights(rollout_weights(old, rollout, mask, level), 1.3, mode)
    trainer.model.train()
    trainer.args.steps_per_generation = 1
    theirs = trainer._compute_loss(trainer.model, inputs)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    (our_gradient,) = torch.autograd.grad(ours, logprobs)
    (their_gradient,) = torch.autograd.grad(theirs, logprobs)
    torch.testing.assert_close(our_gradient, their_gradient, rtol=1e-5, atol=1e-6)


def padded(rows: list[tuple[int, ...]], left: bool) -> tuple[Tensor, Tensor]:
    width = max(map(len, rows))
    ids, mask = torch.zeros(len(rows), width, dtype=torch.int64), torch.zeros(len(rows), width, dtype=torch.int64)
    for i, row in enumerate(rows):
        place = slice(width - len(row), width) if left else slice(0, len(row))
        ids[i, place], mask[i, place] = torch.tensor(row), 1
    return ids, mask


@pytest.mark.parametrize("name", CASES)
def test_model_gradients_of_an_on_policy_batch(
    name: str, llama_folder: Path, tmp_path: Path, random_samples: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way from token ids to gradients: our shared prompts and micro-batches, TRL's left-padded prompts."""
    base, options = CASES[name]
    objective = replace(base, tis_cap=None)
    samples: list[TrainingSample] = random_samples(9, same_prompt=3)
    learner = TorchLearner(
        "p",
        llama_folder,
        objective=objective,
        constant_length=32,
        optimizer=OptimizerConfig(max_grad_norm=1e9, micro_batch_tokens=60),
    )
    ours: list[Tensor] = []
    monkeypatch.setattr(
        torch.optim.AdamW,
        "step",
        lambda optimizer: ours.extend(p.grad.clone() for g in optimizer.param_groups for p in g["params"]),
    )
    learner.step(samples)

    trainer = make_trainer(objective, options, llama_folder, tmp_path)
    prompt_ids, prompt_mask = padded([s.prompt_ids for s in samples], left=True)
    completion_ids, completion_mask = padded([s.output_ids for s in samples], left=False)
    reference: dict[str, Tensor] = {}
    if objective.kl_beta:
        reference["ref_per_token_logps"] = trainer._get_per_token_logps_and_entropies(
            trainer.model,
            torch.cat([prompt_ids, completion_ids], 1),
            torch.cat([prompt_mask, completion_mask], 1),
            completion_ids.shape[1],
        )[0].detach()
    trainer.model.train()
    trainer.args.steps_per_generation = 1
    loss = trainer._compute_loss(
        trainer.model,
        {
            "prompt_ids": prompt_ids,
            "prompt_mask": prompt_mask,
            "completion_ids": completion_ids,
            "completion_mask": completion_mask,
            "advantages": torch.tensor([s.advantage for s in samples]),
            "num_items_in_batch": completion_mask.sum(),
            **reference,
        },
    )
    parameters = [p for p in trainer.model.parameters() if p.ndim >= 2]
    parameters += [p for p in trainer.model.parameters() if p.ndim < 2]
    for actual, expected in zip(ours, torch.autograd.grad(loss, parameters), strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)
