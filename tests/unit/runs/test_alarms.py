"""Alarms: silent on a healthy round, one plain sentence each on a sick one, said once while it lasts."""

from __future__ import annotations

import pytest

from mars2.runs.training.alarms import Alarms

HEALTHY = {
    "policy/a": {"logprob_gap": 1e-6, "kl": 0.05, "skipped_steps": 0, "num_stale_dropped": 3, "num_samples": 128},
    "agent/a": {"share_of_expansions": 0.5, "truncated_fraction": 0.1},
    "run": {"trees_kept_fraction": 0.6, "sandbox_failure_fraction": 0.001},
}


def check(alarms: Alarms, scopes: dict[str, dict[str, float]]) -> list[str]:
    return [text for scope, values in scopes.items() for text in alarms.check(scope, values)]


def with_values(scope: str, **values: float) -> dict[str, dict[str, float]]:
    return {key: found | values if key == scope else found for key, found in HEALTHY.items()}


def test_a_healthy_run_raises_none() -> None:
    alarms = Alarms()
    for _ in range(30):
        assert check(alarms, HEALTHY) == []
    assert check(alarms, {"policy/a": {}, "agent/a": {}, "run": {}}) == []


@pytest.mark.parametrize(
    ("scope", "name", "value", "words"),
    [
        ("policy/a", "logprob_gap", 0.2, "policy a: sampler and trainer disagree"),
        ("policy/a", "kl", 3.0, "policy a: KL to the reference ran away, it is 3"),
        ("policy/a", "skipped_steps", 1, "not finite"),
        ("policy/a", "num_stale_dropped", 300, "policy a: 300 samples were too old to learn from, 128 were not"),
        ("agent/a", "share_of_expansions", 0.001, "agent a: starved, chosen for only 0.1%"),
        ("agent/a", "truncated_fraction", 0.9, "90% of answers end at sampling.max_tokens"),
        ("run", "trees_kept_fraction", 0.0, "every tree of the round was filtered out"),
        ("run", "sandbox_failure_fraction", 0.2, "the sandbox itself failed on 20.0% of programs"),
    ],
)
def test_one_sentence_per_trouble(scope: str, name: str, value: float, words: str) -> None:
    (text,) = check(Alarms(), with_values(scope, **{name: value}))
    assert words in text


def test_a_log_prob_gap_that_jumps_is_told_from_one_that_was_always_there() -> None:
    jumping, steady = Alarms(), Alarms()
    for _ in range(10):
        assert check(jumping, with_values("policy/a", logprob_gap=1e-4)) == []
        assert check(steady, with_values("policy/a", logprob_gap=8e-3)) == []
    (text,) = check(jumping, with_values("policy/a", logprob_gap=9e-3))
    assert "log-prob gap between sampler and trainer jumped from 0.0001 to 0.009" in text
    assert check(steady, with_values("policy/a", logprob_gap=9e-3)) == []


def test_a_jump_between_harmless_gaps_is_none() -> None:
    alarms = Alarms()
    for _ in range(10):
        check(alarms, with_values("policy/a", logprob_gap=1e-7))
    assert check(alarms, with_values("policy/a", logprob_gap=1e-4)) == []


def test_an_alarm_is_raised_once_until_it_is_over() -> None:
    alarms, sick = Alarms(), with_values("run", trees_kept_fraction=0.0)
    assert len(check(alarms, sick)) == 1
    assert check(alarms, sick) == []
    assert check(alarms, {"run": {"validation_pass_at_1": 0.1}}) == [], "says nothing of trees"
    assert check(alarms, sick) == []
    assert check(alarms, HEALTHY) == []
    assert len(check(alarms, sick)) == 1


def test_each_skipped_step_is_told() -> None:
    alarms = Alarms()
    told = [len(check(alarms, with_values("policy/a", skipped_steps=n))) for n in (0, 1, 1, 2)]
    assert told[0] == 0
    assert told[1] == 1
    assert told[2] == 0
    assert told[3] == 1
