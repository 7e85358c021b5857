"""Where each alarm begins: just beyond its bound, not at it."""

from __future__ import annotations

import pytest

from mars2.runs.training.alarms import Alarms


@pytest.mark.parametrize(
    ("scope", "values", "name", "silent", "loud"),
    [
        ("policy/a", {}, "logprob_gap", 0.05, 0.051),
        ("policy/a", {}, "kl", 1.0, 1.01),
        ("policy/a", {}, "skipped_steps", 0.0, 1.0),
        ("policy/a", {"num_samples": 100.0}, "num_stale_dropped", 100.0, 101.0),  # more than half of all
        ("agent/a", {}, "share_of_expansions", 0.02, 0.019),
        ("agent/a", {}, "truncated_fraction", 0.5, 0.51),
        ("run", {}, "trees_kept_fraction", 0.01, 0.0),
        ("run", {}, "sandbox_failure_fraction", 0.05, 0.051),
    ],
)
def test_an_alarm_begins_beyond_its_bound(
    scope: str, values: dict[str, float], name: str, silent: float, loud: float
) -> None:
    assert Alarms().check(scope, values | {name: silent}) == []
    assert len(Alarms().check(scope, values | {name: loud})) == 1


def gaps(*values: float) -> list[bool]:
    """Whether each of these log-prob gaps, one update after the other, raises an alarm."""
    alarms = Alarms()
    return [bool(alarms.check("policy/a", {"logprob_gap": value})) for value in values]


def test_a_jump_is_ten_times_the_median_of_at_least_five_updates_and_more_than_a_thousandth() -> None:
    assert gaps(*[2e-4] * 5, 2.1e-3)[-1]
    assert not gaps(*[2e-4] * 4, 2.1e-3)[-1], "too few updates before it"
    assert not gaps(*[2e-4] * 5, 1.9e-3)[-1], "less than ten times"
    assert gaps(*[1e-5] * 5, 1.1e-3)[-1]
    assert not gaps(*[1e-5] * 5, 0.9e-3)[-1], "harmless"


def test_a_jump_is_measured_against_the_last_twenty_updates() -> None:
    # after 11 updates of 1e-3 the median of the last 20 is 1e-3; of all 41 it would still be 1e-4
    assert not gaps(*[1e-4] * 30, *[1e-3] * 11, 2e-3)[-1]


def test_policies_are_looked_at_one_by_one() -> None:
    alarms = Alarms()
    for _ in range(6):
        alarms.check("policy/a", {"logprob_gap": 1e-4, "skipped_steps": 3.0})
    assert alarms.check("policy/b", {"logprob_gap": 5e-3, "skipped_steps": 0.0}) == []
    (text,) = alarms.check("policy/b", {"logprob_gap": 5e-3, "skipped_steps": 1.0})
    assert text.startswith("policy b")
