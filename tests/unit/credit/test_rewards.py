import pytest
from credit_trees import verdict

from mars2.core.errors import SandboxUnavailable
from mars2.core.verdict import Status, Verdict
from mars2.credit.rewards import overlong_penalty, raw_reward, search_score

AC, WA, SKIPPED, IE = Status.AC, Status.WA, Status.SKIPPED, Status.IE


@pytest.mark.parametrize(
    ("public", "hidden", "binary", "fraction"),
    [
        (verdict(AC, AC), verdict(AC, AC), 1.0, 1.0),
        (verdict(AC, AC), verdict(AC, WA), 0.0, 0.75),
        (verdict(AC, WA), verdict(AC, AC), 0.0, 0.75),
        (verdict(WA, SKIPPED), verdict(WA), 0.0, 0.0),
        (verdict(AC, AC), None, 1.0, 1.0),
        (verdict(AC, WA), None, 0.0, 0.5),
        (verdict(), verdict(AC, WA, WA), 0.0, 1 / 3),  # no public tests: all is in the hidden ones
        (Verdict(Status.CE, ()), None, 0.0, 0.0),  # no program: nothing was run
    ],
)
def test_reward_of_verdicts(public: Verdict, hidden: Verdict | None, binary: float, fraction: float) -> None:
    assert raw_reward(public, hidden, "binary") == binary
    assert raw_reward(public, hidden, "fraction") == pytest.approx(fraction)


def test_a_broken_judge_gives_no_reward() -> None:
    with pytest.raises(SandboxUnavailable):
        raw_reward(verdict(AC), verdict(IE))
    with pytest.raises(SandboxUnavailable):
        raw_reward(verdict(WA, IE), None)
    with pytest.raises(SandboxUnavailable):
        search_score(verdict(IE))


def test_a_program_accepted_on_no_tests_has_no_reward() -> None:
    with pytest.raises(ValueError, match="0 tests"):
        raw_reward(verdict(), None)


def test_search_score_sees_public_tests_only() -> None:
    assert search_score(verdict(AC, WA, AC, AC)) == 0.75
    assert search_score(verdict(AC, WA, AC, AC), "binary") == 0.0
    assert search_score(verdict(AC, AC), "binary") == 1.0
    assert search_score(verdict()) == 0.0
    assert search_score(verdict(), "binary") == 0.0


def test_a_reward_models_part_in_the_search_score_by_hand() -> None:
    assert search_score(verdict(AC, WA, AC, AC), estimate=0.35, alpha=0.2) == pytest.approx(0.8 * 0.75 + 0.2 * 0.35)
    assert search_score(verdict(AC, WA), estimate=None, alpha=0.2) == pytest.approx(0.4)
    assert search_score(verdict(AC, WA), estimate=0.9) == 0.5


@pytest.mark.parametrize(
    ("length", "expected"),
    [(0, 0.0), (80, 0.0), (81, -0.025), (90, -0.25), (100, -0.5), (101, -0.5), (10_000, -0.5)],
)
def test_overlong_penalty_by_hand(length: int, expected: float) -> None:
    assert overlong_penalty(length, max_length=100, buffer=20, factor=0.5) == pytest.approx(expected)


def test_overlong_penalty_without_buffer_is_a_step() -> None:
    assert overlong_penalty(100, max_length=100, buffer=0) == 0.0
    assert overlong_penalty(101, max_length=100, buffer=0) == -1.0


def test_overlong_penalty_refuses_nonsense() -> None:
    with pytest.raises(ValueError, match="buffer"):
        overlong_penalty(1, max_length=10, buffer=11)
    with pytest.raises(ValueError, match="factor"):
        overlong_penalty(1, max_length=10, buffer=1, factor=-1.0)
