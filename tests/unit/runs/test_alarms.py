"""Alarms: silent on a healthy round, one plain sentence each on a sick one."""

from __future__ import annotations

import pytest

from mars2.runs.alarms import find_alarms

HEALTHY = {
    "policy/a": {"logprob_gap": 1e-6, "kl": 0.05, "skipped_steps": 0},
    "agent/a": {"share_of_expansions": 0.5, "truncated_fraction": 0.1},
    "run": {"trees_kept_fraction": 0.6},
}


def test_a_healthy_round_raises_none() -> None:
    assert find_alarms(HEALTHY) == []
    assert find_alarms({"policy/a": {}, "agent/a": {}, "run": {}}) == []


@pytest.mark.parametrize(
    ("scope", "name", "value", "words"),
    [
        ("policy/a", "logprob_gap", 0.2, "policy a: sampler and trainer disagree"),
        ("policy/a", "kl", 3.0, "policy a: KL to the reference is 3"),
        ("policy/a", "skipped_steps", 1, "not finite"),
        ("agent/a", "share_of_expansions", 0.001, "agent a: chosen for only 0.1%"),
        ("agent/a", "truncated_fraction", 0.9, "most answers end at sampling.max_tokens"),
        ("run", "trees_kept_fraction", 0.0, "every tree of the round was filtered out"),
    ],
)
def test_one_sentence_per_trouble(scope: str, name: str, value: float, words: str) -> None:
    sick = {key: dict(values) for key, values in HEALTHY.items()}
    sick[scope][name] = value
    (text,) = find_alarms(sick)
    assert words in text
