"""What a verdict is worth: to training (raw reward), to search (score), and the price of an overlong answer."""

from __future__ import annotations

from typing import Literal, assert_never

from mars2.core.errors import SandboxUnavailable
from mars2.core.verdict import Status, Verdict

RewardKind = Literal["binary", "fraction"]
"""binary: 1 if every test passes, else 0. fraction: passed tests / all tests."""


def raw_reward(public: Verdict, hidden: Verdict | None, kind: RewardKind = "binary") -> float:
    """Reward of one node in [0, 1], from its public and hidden tests together.

    `hidden` is None where the problem has no hidden tests, or where a failed public test already decided a binary
    reward. For "fraction", judge with `stop_at_first_failure=False`: skipped tests count as not passed.

    Raises:
        SandboxUnavailable: a verdict is the judge's own fault (IE), so it says nothing about the program.
        ValueError: the program was accepted without running a single test, so nothing is known about it.
    """
    verdicts = [public] if hidden is None else [public, hidden]
    for verdict in verdicts:
        require_no_internal_error(verdict)
    num_tests = sum(len(v.tests) for v in verdicts)
    all_accepted = all(v.accepted for v in verdicts)
    if all_accepted and num_tests == 0:
        raise ValueError("reward of a program accepted on 0 tests is undefined; give the problem tests")
    match kind:
        case "binary":
            return float(all_accepted)
        case "fraction":
            return sum(v.num_passed for v in verdicts) / num_tests if num_tests else 0.0
        case _:
            assert_never(kind)


def search_score(
    public: Verdict, kind: RewardKind = "fraction", *, estimate: float | None = None, alpha: float = 0.0
) -> float:
    """What search sees of a node, in [0, 1]: public tests only, as at test time. 0 where there are no public tests.

    With a reward model: (1 − alpha) · that + alpha · estimate (MARS2-T+, part 3).

    Args:
        estimate: how likely the program is right, in [0, 1]; None: no reward model, or no program: counts as 0.
        alpha: weight of the estimate, in [0, 1].

    Raises:
        SandboxUnavailable: the verdict is the judge's own fault (IE).
    """
    require_no_internal_error(public)
    match kind:
        case "binary":
            passed = float(public.accepted and len(public.tests) > 0)
        case "fraction":
            passed = public.fraction_passed
        case _:
            assert_never(kind)
    return (1 - alpha) * passed + alpha * (estimate or 0.0) if alpha else passed


def overlong_penalty(length: int, max_length: int, buffer: int, factor: float = 1.0) -> float:
    """Soft overlong punishment, to be added to the advantage; in [-factor, 0].

    0 up to `max_length - buffer` tokens, then falling linearly to -factor at `max_length`, and -factor beyond.
    arXiv:2503.14476 eq. 13; differs: scaled by `factor` (1 there), and not part of what is normalised. `buffer=0`
    punishes only lengths above `max_length`.

    Args:
        length: output tokens of this completion.
        max_length: longest output allowed, in tokens.
        buffer: width of the slope, in tokens.
        factor: the largest punishment.
    """
    if not 0 <= buffer <= max_length:
        raise ValueError(f"overlong buffer must be in [0, max_length={max_length}], got {buffer}; use 0 for no slope")
    if factor < 0:
        raise ValueError(f"overlong factor must be >= 0, got {factor}; it is subtracted from the reward")
    excess = length - (max_length - buffer)
    if excess <= 0:
        return 0.0
    if excess > buffer:
        return -factor
    return -factor * excess / buffer


def require_no_internal_error(verdict: Verdict) -> None:
    """
    Raises:
        SandboxUnavailable: the verdict is the judge's own fault (IE), so it says nothing about the program.
    """
    if verdict.status is Status.IE or any(t.status is Status.IE for t in verdict.tests):
        raise SandboxUnavailable("a verdict of IE is the judge's fault and has no reward; judge the program again")
