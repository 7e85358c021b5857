"""Every formula of the loss against figures worked out by hand."""

from math import exp, log

import pytest
import torch
from torch import Tensor

from mars2.config.objective import Aggregation, KlEstimator
from mars2.learners.losses.aggregation import aggregate
from mars2.learners.losses.clip import clipped_objective, is_clipped
from mars2.learners.losses.kl import K3_MAX, kl_estimate
from mars2.learners.losses.ratio import importance_ratio
from mars2.learners.losses.tis import bounded_weights, rollout_weights

MASK = torch.tensor([[True, True, True], [True, False, False]])


def close(actual: Tensor, expected: list) -> None:
    torch.testing.assert_close(actual, torch.tensor(expected), rtol=1e-6, atol=1e-6)


class TestImportanceRatio:
    logprobs = torch.tensor([[log(0.5), log(0.2), log(0.9)], [log(0.4), 7.0, 7.0]])
    old = torch.tensor([[log(0.25), log(0.4), log(0.9)], [log(0.1), -3.0, 9.0]])

    def test_token(self) -> None:
        ratio = importance_ratio(self.logprobs, self.old, MASK, "token")
        close(ratio[MASK], [2.0, 0.5, 1.0, 4.0])

    def test_sequence_is_the_geometric_mean_over_output_tokens_only(self) -> None:
        ratio = importance_ratio(self.logprobs, self.old, MASK, "sequence")
        close(ratio, [[(2.0 * 0.5 * 1.0) ** (1 / 3)], [4.0]])

    def test_sequence_gradient_is_spread_over_the_tokens(self) -> None:
        logprobs = self.logprobs.clone().requires_grad_()
        importance_ratio(logprobs, self.old, MASK, "sequence").sum().backward()
        close(logprobs.grad, [[1 / 3, 1 / 3, 1 / 3], [4.0, 0.0, 0.0]])


class TestClippedObjective:
    ratio = torch.tensor([[0.5, 0.85, 1.0, 1.25, 5.0]])

    def test_positive_advantage(self) -> None:
        value = clipped_objective(self.ratio, torch.tensor([[2.0]]), 0.2, 0.3)
        close(value, [[1.0, 1.7, 2.0, 2.5, 2.6]])

    def test_negative_advantage(self) -> None:
        value = clipped_objective(self.ratio, torch.tensor([[-2.0]]), 0.2, 0.3)
        close(value, [[-1.6, -1.7, -2.0, -2.5, -10.0]])

    def test_dual_clip_bounds_negative_advantages_only(self) -> None:
        bounded = clipped_objective(self.ratio, torch.tensor([[-2.0]]), 0.2, 0.3, 3.0)
        close(bounded, [[-1.6, -1.7, -2.0, -2.5, -6.0]])
        positive = clipped_objective(self.ratio, torch.tensor([[2.0]]), 0.2, 0.3, 3.0)
        close(positive, [[1.0, 1.7, 2.0, 2.5, 2.6]])
        # 3 · 0.5 would be more than each of these: 0.5 · (0.5, 0.85, 1, 1.25, 1.3)
        small = clipped_objective(self.ratio, torch.tensor([[0.5]]), 0.2, 0.3, 3.0)
        close(small, [[0.25, 0.425, 0.5, 0.625, 0.65]])

    @pytest.mark.parametrize("dual_clip", [None, 3.0])
    def test_without_an_advantage_nothing_is_gained_and_nothing_clipped(self, dual_clip: float | None) -> None:
        zero = torch.tensor([[0.0]])
        assert clipped_objective(self.ratio, zero, 0.2, 0.3, dual_clip).tolist() == [[0.0] * 5]
        assert not is_clipped(self.ratio, zero, 0.2, 0.3, dual_clip).any()

    @pytest.mark.parametrize("size", [0.5, 2.0])
    @pytest.mark.parametrize("dual_clip", [None, 3.0])
    def test_is_clipped_says_where_the_gradient_is_gone(self, dual_clip: float | None, size: float) -> None:
        ratio = self.ratio.expand(2, -1).clone().requires_grad_()
        advantages = torch.tensor([[size], [-size]])
        clipped_objective(ratio, advantages, 0.2, 0.3, dual_clip).sum().backward()
        assert ratio.grad is not None
        clipped = is_clipped(ratio, advantages, 0.2, 0.3, dual_clip)
        assert torch.equal(clipped, ratio.grad == 0)
        assert clipped.tolist() == [[False, False, False, False, True], [True, False, False, False, dual_clip == 3.0]]


class TestTisWeights:
    old = torch.tensor([[log(0.6), log(0.1), log(0.3)], [log(0.8), 5.0, 5.0]])
    rollout = torch.tensor([[log(0.2), log(0.2), log(0.3)], [log(0.5), -5.0, -5.0]])
    # token ratios: 3, 1/2, 1 and 8/5; their products: 3/2 and 8/5
    token = rollout_weights(old, rollout, MASK, "token")
    sequence = rollout_weights(old, rollout, MASK, "sequence")

    def test_token_truncate(self) -> None:
        close(bounded_weights(self.token, 2.0, "truncate")[MASK], [2.0, 0.5, 1.0, 1.6])

    def test_token_mask(self) -> None:
        close(bounded_weights(self.token, 2.0, "mask")[MASK], [0.0, 0.5, 1.0, 1.6])

    def test_sequence_truncate(self) -> None:
        close(bounded_weights(self.sequence, 1.55, "truncate"), [[1.5], [1.55]])

    def test_sequence_mask(self) -> None:
        close(bounded_weights(self.sequence, 1.55, "mask"), [[1.5], [0.0]])

    def test_weights_carry_no_gradient(self) -> None:
        old = self.old.clone().requires_grad_()
        assert not rollout_weights(old, self.rollout, MASK, "token").requires_grad

    def test_a_hopeless_mismatch_stays_finite(self) -> None:
        long_mask = torch.ones(1, 2000, dtype=torch.bool)
        old, rollout = torch.full((1, 2000), -0.1), torch.full((1, 2000), -1.0)
        weights = rollout_weights(old, rollout, long_mask, "sequence")
        close(bounded_weights(weights, 2.0, "truncate"), [[2.0]])
        close(bounded_weights(weights, 2.0, "mask"), [[0.0]])
        close(rollout_weights(old, rollout, long_mask, "geometric"), [[exp(0.9)]])  # whatever the length

    def test_geometric(self) -> None:
        # the products are 3/2 over 3 tokens and 8/5 over 1
        close(rollout_weights(self.old, self.rollout, MASK, "geometric"), [[1.5 ** (1 / 3)], [1.6]])

    def test_a_band_with_two_sides_drops_what_is_too_unlikely_for_either_engine(self) -> None:
        close(bounded_weights(torch.tensor([0.4, 0.5, 1.0, 5.0, 5.1]), 5.0, "mask", 0.5), [0.0, 0.5, 1.0, 5.0, 0.0])


class TestKlEstimate:
    logprobs = torch.tensor([[log(0.5), log(0.2)]])
    reference = torch.tensor([[log(0.25), log(0.4)]])  # r = 1/2, 2

    @pytest.mark.parametrize(
        ("kind", "expected"),
        [
            ("k2", [[0.5 * log(2) ** 2, 0.5 * log(2) ** 2]]),
            ("k3", [[0.5 - 1 + log(2), 2 - 1 - log(2)]]),
        ],
    )
    def test_by_hand(self, kind: KlEstimator, expected: list) -> None:
        close(kl_estimate(self.logprobs, self.reference, kind), expected)

    def test_expectation_of_k3_under_the_policy_is_the_kl(self) -> None:
        p, q = torch.tensor([0.7, 0.2, 0.1]), torch.tensor([0.2, 0.5, 0.3])
        kl = (p * (p / q).log()).sum()
        torch.testing.assert_close((p * kl_estimate(p.log(), q.log(), "k3")).sum(), kl)

    def test_k2_gradient_is_that_of_the_kl(self) -> None:
        logits = torch.tensor([0.3, -0.2, 1.0], requires_grad=True)
        q = torch.tensor([0.2, 0.5, 0.3])
        p = logits.softmax(-1)
        (exact,) = torch.autograd.grad((p * (p / q).log()).sum(), logits)
        logprobs = logits.log_softmax(-1)
        (estimate,) = torch.autograd.grad((p.detach() * kl_estimate(logprobs, q.log(), "k2")).sum(), logits)
        torch.testing.assert_close(estimate, exact)


class TestAggregate:
    values = torch.tensor([[1.0, 2.0, 6.0], [5.0, 100.0, 100.0]])

    def test_sequence_mean(self) -> None:
        total = aggregate(self.values, MASK, "sequence-mean", num_sequences=2, num_tokens=4)
        close(total, (3.0 + 5.0) / 2)

    def test_token_mean(self) -> None:
        close(aggregate(self.values, MASK, "token-mean", num_sequences=2, num_tokens=4), 14.0 / 4)

    def test_constant(self) -> None:
        total = aggregate(self.values, MASK, "constant", num_sequences=2, num_tokens=4, constant_length=10)
        close(total, 14.0 / 20)

    @pytest.mark.parametrize("kind", ["sequence-mean", "token-mean", "constant"])
    def test_parts_add_up_to_the_whole(self, kind: Aggregation) -> None:
        def part(rows: slice) -> Tensor:
            return aggregate(self.values[rows], MASK[rows], kind, num_sequences=2, num_tokens=4, constant_length=10)

        torch.testing.assert_close(part(slice(0, 1)) + part(slice(1, 2)), part(slice(0, 2)))


def test_k3_is_never_negative() -> None:
    logprobs, reference = torch.tensor([-1.0, -2.0]), torch.tensor([-0.5, -4.0])
    assert (kl_estimate(logprobs, reference, "k3") >= 0).all()
    assert float(kl_estimate(logprobs, reference, "k3")[0]) == pytest.approx(exp(0.5) - 1.5)


@pytest.mark.parametrize("gap", [3.0, 10.0, 90.0, 1e4])
def test_k3_of_one_hopeless_token_is_bounded_and_has_no_gradient(gap: float) -> None:
    logprobs = torch.tensor([-1.0 - gap, -1.0], requires_grad=True)
    estimate = kl_estimate(logprobs, torch.tensor([-1.0, -0.5]), "k3")
    close(estimate[:1], [K3_MAX])
    estimate.sum().backward()
    assert logprobs.grad is not None
    close(logprobs.grad, [0.0, 1 - exp(0.5)])  # d/dl (r − 1 − log r) = 1 − r
