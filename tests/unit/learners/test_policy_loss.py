"""The whole loss against a written-out reference, one sequence and one token at a time, for every option."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from mars2.config.objective import ClipObjectiveConfig, ObjectiveConfig
from mars2.learners.losses.seam import TokenStatistics
from mars2.learners.policy_loss import policy_loss

LONGEST = 16  # tokens; the divisor of aggregation constant


def random_tokens(seed: int, num_sequences: int = 6, longest: int = 9) -> TokenStatistics:
    """Random log-probs of sequences of uneven lengths (1 to `longest`); garbage at padding."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, longest + 1, (num_sequences,), generator=generator)
    lengths[0] = longest
    mask = torch.arange(longest) < lengths.unsqueeze(-1)

    def noise(scale: float) -> Tensor:
        return scale * torch.randn(mask.shape, generator=generator, dtype=torch.float64)

    logprobs = -2 + noise(0.5)
    return TokenStatistics(
        logprobs=logprobs.clone().requires_grad_(),
        old_logprobs=logprobs + noise(0.3),
        mask=mask,
        advantages=torch.randn(num_sequences, generator=generator, dtype=torch.float64),
        entropy=noise(1.0).abs(),
        rollout_logprobs=logprobs + noise(0.4),
        reference_logprobs=logprobs + noise(0.4),
    )


def written_out(objective: ObjectiveConfig, tokens: TokenStatistics) -> float:
    """The same loss in plain Python."""
    assert tokens.rollout_logprobs is not None
    assert tokens.reference_logprobs is not None
    low, high = 1 - objective.clip_low, 1 + objective.clip_high
    sequences: list[list[float]] = []
    for i, row in enumerate(tokens.mask):
        n = int(row.sum())
        new = tokens.logprobs[i, :n].tolist()
        old = tokens.old_logprobs[i, :n].tolist()
        rollout = tokens.rollout_logprobs[i, :n].tolist()
        reference = tokens.reference_logprobs[i, :n].tolist()
        advantage = float(tokens.advantages[i])
        log_ratios = [a - b for a, b in zip(new, old, strict=True)]
        log_weights = [a - b for a, b in zip(old, rollout, strict=True)]
        losses: list[float] = []
        for t in range(n):
            ratio = math.exp(log_ratios[t] if objective.ratio == "token" else sum(log_ratios) / n)
            gain = min(ratio * advantage, min(max(ratio, low), high) * advantage)
            if objective.dual_clip is not None and advantage < 0:
                gain = max(gain, objective.dual_clip * advantage)
            loss = -gain
            if objective.tis_cap is not None:
                over = {"token": log_weights[t], "sequence": sum(log_weights), "geometric": sum(log_weights) / n}
                weight = math.exp(over[objective.tis_level])
                if weight > objective.tis_cap:
                    weight = objective.tis_cap if objective.tis_mode == "truncate" else 0.0
                if weight < objective.tis_floor:
                    weight = 0.0
                loss *= weight
            log_r = reference[t] - new[t]
            kl = {"k2": log_r**2 / 2, "k3": math.exp(log_r) - 1 - log_r}[objective.kl_estimator]
            loss += objective.kl_beta * kl - objective.entropy_bonus * float(tokens.entropy[i, t])
            losses.append(loss)
        sequences.append(losses)
    match objective.aggregation:
        case "sequence-mean":
            return sum(sum(s) / len(s) for s in sequences) / len(sequences)
        case "token-mean":
            return sum(map(sum, sequences)) / sum(map(len, sequences))
        case "constant":
            return sum(map(sum, sequences)) / (len(sequences) * LONGEST)


NAMED = {
    "gspo": ClipObjectiveConfig(),
    "grpo": ClipObjectiveConfig(ratio="token", clip_low=0.2, clip_high=0.2, tis_cap=None, kl_beta=0.04),
    "dapo": ClipObjectiveConfig(ratio="token", clip_low=0.2, clip_high=0.28, aggregation="token-mean", kl_beta=0.0),
    "dr_grpo": ClipObjectiveConfig(ratio="token", clip_low=0.2, clip_high=0.2, aggregation="constant"),
}
GRID = [
    ClipObjectiveConfig(
        ratio=ratio,
        clip_low=0.1,
        clip_high=0.15,
        dual_clip=dual_clip,
        aggregation=aggregation,
        tis_cap=1.3,
        tis_level=tis_level,
        tis_mode=tis_mode,
        tis_floor=0.9 if tis_mode == "mask" else 0.0,
        kl_beta=0.1,
        kl_estimator=kl_estimator,
        entropy_bonus=0.01,
    )
    for ratio, dual_clip, aggregation, tis_level, tis_mode, kl_estimator in itertools.product(
        ("sequence", "token"),
        (None, 1.2),
        ("sequence-mean", "token-mean", "constant"),
        ("token", "sequence", "geometric"),
        ("truncate", "mask"),
        ("k2", "k3"),
    )
]


def loss_of(objective: ObjectiveConfig, tokens: TokenStatistics) -> Tensor:
    num_sequences, num_tokens = len(tokens.mask), int(tokens.mask.sum())
    return policy_loss(
        objective, tokens, num_sequences=num_sequences, num_tokens=num_tokens, constant_length=LONGEST
    ).loss


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("seed", range(5))
def test_named_objectives_equal_the_written_out_reference(name: str, seed: int) -> None:
    tokens = random_tokens(seed)
    assert loss_of(NAMED[name], tokens).item() == pytest.approx(written_out(NAMED[name], tokens), abs=1e-9)


def test_every_combination_of_options_equals_the_written_out_reference() -> None:
    tokens = random_tokens(11)
    assert len(GRID) == 144
    for objective in GRID:
        assert loss_of(objective, tokens).item() == pytest.approx(written_out(objective, tokens), abs=1e-9), objective


@pytest.mark.parametrize("objective", [*NAMED.values(), *GRID[::7]])
def test_gradient_is_that_of_the_written_out_reference(objective: ObjectiveConfig) -> None:
    """By central differences of the reference, at every token; padding gets none."""
    tokens = random_tokens(3, num_sequences=3, longest=4)
    loss_of(objective, tokens).backward()
    gradient = tokens.logprobs.grad
    assert gradient is not None
    assert torch.equal(gradient[~tokens.mask], torch.zeros_like(gradient[~tokens.mask]))
    step = 1e-6
    with torch.no_grad():
        for i, t in tokens.mask.nonzero().tolist():
            tokens.logprobs[i, t] += step
            above = written_out(objective, tokens)
            tokens.logprobs[i, t] -= 2 * step
            below = written_out(objective, tokens)
            tokens.logprobs[i, t] += step
            assert float(gradient[i, t]) == pytest.approx((above - below) / (2 * step), abs=1e-7)


def test_on_policy_gradient_is_the_plain_policy_gradient() -> None:
    """At π_old = π_θ, without corrections: −A/|o| per token, averaged over sequences (REINFORCE with a length mean)."""
    tokens = random_tokens(5)
    on_policy = TokenStatistics(
        tokens.logprobs, tokens.logprobs.detach(), tokens.mask, tokens.advantages, tokens.entropy
    )
    for ratio in ("sequence", "token"):
        objective = ClipObjectiveConfig(ratio=ratio, tis_cap=None, kl_beta=0.0)
        (gradient,) = torch.autograd.grad(loss_of(objective, on_policy), tokens.logprobs)
        lengths = tokens.mask.sum(-1, keepdim=True)
        expected = -tokens.advantages.unsqueeze(-1) / lengths / len(lengths) * tokens.mask
        torch.testing.assert_close(gradient, expected)


def test_diagnostics_by_hand() -> None:
    mask = torch.tensor([[True, True], [True, False]])
    half, double = math.log(0.5), math.log(2)
    tokens = TokenStatistics(
        logprobs=torch.tensor([[-1 + double, -1.0], [-1 + half, 50.0]]),
        old_logprobs=torch.full((2, 2), -1.0),
        mask=mask,
        advantages=torch.tensor([1.0, -1.0]),
        entropy=torch.tensor([[0.5, 1.5], [1.0, 50.0]]),
        rollout_logprobs=torch.tensor([[-1.0, -1.25], [-0.5, 50.0]]),
        reference_logprobs=torch.tensor([[-1 + double, -1.0], [-1.0, 50.0]]),
    )
    objective = ClipObjectiveConfig(ratio="token", clip_low=0.2, clip_high=0.2, tis_cap=1.1)
    part = policy_loss(objective, tokens, num_sequences=2, num_tokens=3)
    means = {name: float(total) / count for name, (total, count) in part.sums.items() if count}
    assert "stale_logprob_gap" not in means
    assert means["ratio_mean"] == pytest.approx((2.0 + 1.0 + 0.5) / 3)
    assert means["clip_fraction"] == pytest.approx(2 / 3)
    assert means["entropy"] == pytest.approx(1.0)
    assert means["logprob_gap"] == pytest.approx((0.0 + 0.25 + 0.5) / 3)
    assert means["tis_weight_mean"] == pytest.approx((1.0 + 1.1 + math.exp(-0.5)) / 3)
    assert means["tis_weight_square"] == pytest.approx((1.0 + 1.1**2 + math.exp(-1.0)) / 3)
    assert means["tis_bounded_fraction"] == pytest.approx(1 / 3)  # exp(0.25) = 1.28 was above the cap
    assert means["kl"] == pytest.approx((0.0 + 0.0 + (2 - 1 - double)) / 3)
    assert float(part.maxima["logprob_gap_max"]) == pytest.approx(0.5)

    second_is_stale = replace(tokens, is_stale=torch.tensor([False, True]))
    sums = policy_loss(objective, second_is_stale, num_sequences=2, num_tokens=3).sums
    gap, stale_gap = sums["logprob_gap"], sums["stale_logprob_gap"]
    assert (float(gap[0]), gap[1]) == (pytest.approx(0.25), 2)  # engines apart from staleness
    assert (float(stale_gap[0]), stale_gap[1]) == (pytest.approx(0.5), 1)

    by_sequence = policy_loss(ClipObjectiveConfig(clip_low=0.2, clip_high=0.2), tokens, num_sequences=2, num_tokens=3)
    total, count = by_sequence.sums["ratio_mean"]
    assert (float(total), count) == (pytest.approx(math.sqrt(2) + 0.5), 2)
    total, count = by_sequence.sums["clip_fraction"]
    assert (float(total), count) == (2.0, 2)


def test_diagnostics_hold_no_gradient_even_where_the_old_log_probs_do() -> None:
    tokens = random_tokens(0)
    part = policy_loss(
        ClipObjectiveConfig(tis_cap=2.0, kl_beta=0.1),
        replace(tokens, old_logprobs=tokens.old_logprobs.clone().requires_grad_()),
        num_sequences=len(tokens.mask),
        num_tokens=int(tokens.mask.sum()),
    )
    assert part.loss.requires_grad
    assert not any(value.requires_grad for value in part.maxima.values())
    assert not any(total.requires_grad for total, _ in part.sums.values())


def test_missing_log_probs_are_refused() -> None:
    tokens = random_tokens(0)
    bare = TokenStatistics(tokens.logprobs, tokens.old_logprobs, tokens.mask, tokens.advantages, tokens.entropy)
    with pytest.raises(ValueError, match="tis_cap"):
        loss_of(ClipObjectiveConfig(kl_beta=0.0), bare)
    with pytest.raises(ValueError, match="kl_beta"):
        loss_of(ClipObjectiveConfig(tis_cap=None), bare)
