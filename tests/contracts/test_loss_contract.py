"""What every loss promises. A new one is added to OBJECTIVES and passes."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from math import exp, inf, isfinite
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
import torch
from torch import Tensor

from mars2.config.objective import CispoObjectiveConfig, ClipObjectiveConfig, ObjectiveConfig
from mars2.learners.losses.choose import choose_loss
from mars2.learners.losses.seam import LossOutput, TokenStatistics

OBJECTIVES: dict[str, ObjectiveConfig] = {
    "gspo": ClipObjectiveConfig(clip_low=0.1, clip_high=0.15),
    "grpo": ClipObjectiveConfig(ratio="token", clip_low=0.2, clip_high=0.2),
    "dual clip": ClipObjectiveConfig(ratio="token", clip_low=0.2, clip_high=0.2, dual_clip=3.0),
    "cispo": CispoObjectiveConfig(clip_high=1.0),
    "cispo, clipped below": CispoObjectiveConfig(clip_low=0.2, clip_high=0.5),
}
LARGEST_WEIGHT = {  # the most that a token's gradient may be multiplied by: at A > 0, at A < 0
    "gspo": (1.15, inf),
    "grpo": (1.2, inf),
    "dual clip": (1.2, 3.0),
    "cispo": (2.0, 2.0),
    "cispo, clipped below": (1.5, 1.5),
}

every_loss = pytest.mark.parametrize("name", OBJECTIVES)


def random_tokens(seed: int = 0, *, num_sequences: int = 5, longest: int = 7, moved: float = 0.4) -> TokenStatistics:
    """Sequences of uneven lengths whose policy has moved by about `moved` nats a token since π_old."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, longest + 1, (num_sequences,), generator=generator)
    lengths[0] = longest
    logprobs = -2 + 0.5 * torch.randn(num_sequences, longest, generator=generator, dtype=torch.float64)
    return TokenStatistics(
        logprobs=logprobs.clone().requires_grad_(),
        old_logprobs=logprobs + moved * torch.randn(logprobs.shape, generator=generator, dtype=torch.float64),
        mask=torch.arange(longest) < lengths.unsqueeze(-1),
        advantages=torch.randn(num_sequences, generator=generator, dtype=torch.float64),
        entropy=torch.ones_like(logprobs),
    )


def per_token(name: str, tokens: TokenStatistics) -> Tensor:
    """The policy term, spread over the tokens [B, L]."""
    return choose_loss(OBJECTIVES[name])(tokens).per_token.expand(tokens.mask.shape)


def gradient(name: str, tokens: TokenStatistics) -> Tensor:
    """Of the mean over each sequence's tokens, summed over sequences, at every log-prob [B, L]."""
    lengths = tokens.mask.sum(-1, keepdim=True)
    total = (per_token(name, tokens) * tokens.mask / lengths).sum()
    (found,) = torch.autograd.grad(total, tokens.logprobs)
    return found


@every_loss
def test_one_finite_value_for_each_token_and_finite_diagnostics(name: str) -> None:
    tokens = random_tokens()
    output = choose_loss(OBJECTIVES[name])(tokens)
    assert output.per_token.shape in (tokens.mask.shape, (len(tokens.mask), 1))
    assert output.per_token.requires_grad
    assert bool(output.per_token.expand(tokens.mask.shape)[tokens.mask].isfinite().all())
    assert {"ratio_mean", "clip_fraction"} <= output.sums.keys()
    for total, count in output.sums.values():
        assert not total.requires_grad
        assert total.shape == ()
        assert count in (int(tokens.mask.sum()), len(tokens.mask))
        assert isfinite(float(total))
    total, count = output.sums["clip_fraction"]
    assert 0 <= float(total) / count <= 1


@every_loss
def test_what_stands_at_padding_changes_nothing(name: str) -> None:
    tokens = random_tokens()
    noise = torch.where(tokens.mask, 0.0, 30.0).to(torch.float64)
    other = replace(
        tokens,
        logprobs=(tokens.logprobs.detach() - noise).requires_grad_(),
        old_logprobs=tokens.old_logprobs + noise,
    )
    torch.testing.assert_close(per_token(name, other)[tokens.mask], per_token(name, tokens)[tokens.mask])
    torch.testing.assert_close(gradient(name, other), gradient(name, tokens))
    assert not gradient(name, tokens)[~tokens.mask].any()
    sums, expected = (choose_loss(OBJECTIVES[name])(t).sums for t in (other, tokens))
    assert {k: (float(s), n) for k, (s, n) in sums.items()} == {k: (float(s), n) for k, (s, n) in expected.items()}


@every_loss
def test_sequences_do_not_see_each_other(name: str) -> None:
    tokens = random_tokens()
    whole = per_token(name, tokens)
    for i in range(len(tokens.mask)):
        row = slice(i, i + 1)
        alone = TokenStatistics(
            tokens.logprobs[row],
            tokens.old_logprobs[row],
            tokens.mask[row],
            tokens.advantages[row],
            tokens.entropy[row],
        )
        torch.testing.assert_close(per_token(name, alone)[alone.mask], whole[row][alone.mask])


@every_loss
def test_without_an_advantage_there_is_no_gradient(name: str) -> None:
    tokens = random_tokens()
    assert not gradient(name, replace(tokens, advantages=torch.zeros_like(tokens.advantages))).any()


@every_loss
def test_before_the_policy_has_moved_the_gradient_is_the_policy_gradient(name: str) -> None:
    tokens = random_tokens()
    on_policy = replace(tokens, old_logprobs=tokens.logprobs.detach())
    expected = -tokens.advantages.unsqueeze(-1) / tokens.mask.sum(-1, keepdim=True) * tokens.mask
    torch.testing.assert_close(gradient(name, on_policy), expected)
    total, count = choose_loss(OBJECTIVES[name])(on_policy).sums["clip_fraction"]
    assert (float(total), count > 0) == (0.0, True)


@every_loss
@pytest.mark.parametrize("moved", [0.4, 3.0, 20.0])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_tokens_gradient_is_bounded_by_the_clip(name: str, moved: float, sign: int) -> None:
    tokens = random_tokens(moved=moved)
    size = tokens.advantages.abs()
    found = gradient(name, replace(tokens, advantages=sign * size)).abs()
    largest = LARGEST_WEIGHT[name][0 if sign > 0 else 1]
    assert bool((found <= size.unsqueeze(-1) * largest / tokens.mask.sum(-1, keepdim=True) * (1 + 1e-9)).all())
    assert bool(found.isfinite().all())


@every_loss
def test_a_step_along_the_gradient_makes_good_answers_likelier_and_bad_ones_less_likely(name: str) -> None:
    tokens = random_tokens(moved=0.0)
    step = -gradient(name, tokens)
    assert bool((step.sign() == (tokens.advantages.unsqueeze(-1).sign() * tokens.mask)).all())


@every_loss
def test_twice_the_advantage_is_twice_the_loss(name: str) -> None:
    tokens = random_tokens()
    doubled = replace(tokens, advantages=2 * tokens.advantages)
    torch.testing.assert_close(per_token(name, doubled), 2 * per_token(name, tokens))


@every_loss
def test_ratio_mean_is_that_of_the_policy_not_of_the_clip(name: str) -> None:
    tokens = random_tokens()
    moved = replace(tokens, old_logprobs=tokens.logprobs.detach() - 1.0)  # every ratio is e, of tokens and of sequences
    total, count = choose_loss(OBJECTIVES[name])(moved).sums["ratio_mean"]
    assert float(total) / count == pytest.approx(exp(1.0), rel=1e-6)


@pytest.mark.parametrize("section", get_args(get_args(ObjectiveConfig)[0]), ids=lambda section: section.__name__)
def test_a_loss_is_a_file_with_its_section_its_case_its_contract_and_its_equation(section: type) -> None:
    """What adding a loss touches; nothing else does. `docs/extending.md` walks it."""
    name = section().loss
    module = import_module(f"mars2.learners.losses.{name}")  # one file, named after the value of `loss`
    function = getattr(module, name)
    hints = get_type_hints(function)
    assert hints == {"tokens": TokenStatistics, "options": section, "return": LossOutput}
    chosen = choose_loss(section())  # a case of `choose_loss`, which pyright asks for
    assert (chosen.func, chosen.keywords) == (function, {"options": section()})  # type: ignore[attr-defined]
    assert section in map(type, OBJECTIVES.values())  # a line here
    equations = Path(__file__).parents[2] / "docs" / "equations.md"
    assert f"`{name}.{name}`" in equations.read_text()
