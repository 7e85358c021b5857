"""CISPO against figures worked out by hand, and its gradient against finite differences."""

from __future__ import annotations

from math import exp, log

import pytest
import torch
from torch import Tensor

from mars2.config.objective import CispoObjectiveConfig
from mars2.learners.losses.cispo import cispo, clipped_weights
from mars2.learners.losses.seam import TokenStatistics
from mars2.learners.policy_loss import policy_loss

MASK = torch.tensor([[True, True, True], [True, False, False]])
OLD = torch.tensor([[log(0.25), log(0.4), log(0.9)], [log(0.1), -3.0, 9.0]], dtype=torch.float64)
ADVANTAGES = torch.tensor([2.0, -1.0], dtype=torch.float64)


def tokens() -> TokenStatistics:
    logprobs = torch.tensor([[log(0.5), log(0.2), log(0.9)], [log(0.4), 7.0, 7.0]], dtype=torch.float64)
    # ratios 2, 1/2 and 1; and 4
    return TokenStatistics(logprobs.requires_grad_(), OLD, MASK, ADVANTAGES, torch.zeros_like(OLD))


def test_weights_by_hand() -> None:
    ratio = torch.tensor([[0.5, 1.0, 2.0, 4.0]], requires_grad=True)
    assert clipped_weights(ratio, 1.0, 0.5).tolist() == [[0.5, 1.0, 1.5, 1.5]]
    assert clipped_weights(ratio, 0.25, 2.0).tolist() == [[0.75, 1.0, 2.0, 3.0]]
    assert not clipped_weights(ratio, 1.0, 0.5).requires_grad


def test_loss_and_diagnostics_by_hand() -> None:
    output = cispo(tokens(), CispoObjectiveConfig(clip_low=1.0, clip_high=0.5))
    # weights 1.5, 0.5, 1; 1.5: −w · A · log π
    expected = [-1.5 * 2 * log(0.5), -0.5 * 2 * log(0.2), -1.0 * 2 * log(0.9), -1.5 * -1 * log(0.4)]
    assert output.per_token[MASK].tolist() == pytest.approx(expected)
    total, count = output.sums["ratio_mean"]
    assert (float(total), count) == (pytest.approx(2.0 + 0.5 + 1.0 + 4.0), 4)
    total, count = output.sums["clip_fraction"]
    assert (float(total), count) == (2.0, 4)


def test_the_gradient_of_a_clipped_token_is_kept_by_hand() -> None:
    given = tokens()
    cispo(given, CispoObjectiveConfig(clip_low=1.0, clip_high=0.5)).per_token[MASK].sum().backward()
    assert given.logprobs.grad is not None
    # −w · A, also where w is clipped
    assert given.logprobs.grad[MASK].tolist() == pytest.approx([-1.5 * 2, -0.5 * 2, -1.0 * 2, 1.5])


@pytest.mark.parametrize("clip_low", [1.0, 0.1])
@pytest.mark.parametrize("seed", range(3))
def test_the_gradient_is_that_of_the_written_out_objective(clip_low: float, seed: int) -> None:
    """Central differences of Σ sg(r̂)·A·log π / Σ|o| in plain Python, the weights held at the present policy."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.tensor([4, 1, 3])
    mask = torch.arange(4) < lengths.unsqueeze(-1)
    logprobs = -2 + torch.randn(mask.shape, generator=generator, dtype=torch.float64)
    old = logprobs + 0.5 * torch.randn(mask.shape, generator=generator, dtype=torch.float64)
    advantages = torch.randn(3, generator=generator, dtype=torch.float64)

    def written_out(moved: Tensor) -> float:
        total = 0.0
        for i, length in enumerate(lengths.tolist()):
            for t in range(length):
                weight = min(max(exp(float(logprobs[i, t]) - float(old[i, t])), 1 - clip_low), 1.4)
                total += weight * float(advantages[i]) * float(moved[i, t])
        return -total / sum(lengths.tolist())

    objective = CispoObjectiveConfig(
        clip_low=clip_low, clip_high=0.4, aggregation="token-mean", tis_cap=None, kl_beta=0.0
    )
    given = TokenStatistics(logprobs.clone().requires_grad_(), old, mask, advantages, torch.zeros_like(old))
    loss = policy_loss(objective, given, num_sequences=3, num_tokens=int(lengths.sum())).loss
    assert loss.item() == pytest.approx(written_out(logprobs))
    (gradient,) = torch.autograd.grad(loss, given.logprobs)
    assert not gradient[~mask].any()
    step = 1e-6
    for i, t in mask.nonzero().tolist():
        above, below = logprobs.clone(), logprobs.clone()
        above[i, t] += step
        below[i, t] -= step
        difference = (written_out(above) - written_out(below)) / (2 * step)
        assert float(gradient[i, t]) == pytest.approx(difference, abs=1e-8)


def test_the_sampler_correction_and_the_kl_term_stand_around_it_by_hand() -> None:
    bare = tokens()
    given = TokenStatistics(
        bare.logprobs, bare.old_logprobs, MASK, ADVANTAGES, bare.entropy, OLD - log(2), bare.logprobs.detach() + log(2)
    )
    objective = CispoObjectiveConfig(clip_high=9.0, aggregation="token-mean", tis_cap=1.5, kl_beta=0.1)
    loss = policy_loss(objective, given, num_sequences=2, num_tokens=4).loss
    # weights 2, 0.5, 1; 4. π_old/π_rollout = 2, cut to 1.5. k3 with r = 2: 2 − 1 − log 2 at each of 4 tokens
    policy = -1.5 * (2 * 2 * log(0.5) + 0.5 * 2 * log(0.2) + 1 * 2 * log(0.9) + 4 * -1 * log(0.4))
    assert loss.item() == pytest.approx(policy / 4 + 0.1 * (1 - log(2)))
