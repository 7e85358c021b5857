"""What a run store hands out: plain values, so that readers never see SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from mars2.core.tree import Tree

Outcome = Literal["trained", "stale"]
"""What became of a sample: learned from, or dropped because its policy version was too old."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. `id` counts from 1 in order of writing."""

    id: int
    time_s: float  # seconds since the Unix epoch
    kind: str
    payload: dict[str, Any]


class SampleRecord(NamedTuple):
    """One line of the ledger; `key` is `TrainingSample.key`."""

    key: str
    policy: str
    step: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One number that was logged, `wall_s` seconds into the work on its run (pauses before a resume left out)."""

    step: int
    wall_s: float
    scope: str  # "agent/NAME", "policy/NAME" or "run"
    name: str
    value: float


@dataclass(frozen=True, slots=True)
class StoredTree:
    """A tree with where it came from and what credit assignment made of its nodes."""

    tree: Tree
    phase: str
    step: int
    finished: bool
    annotations: dict[
        int, dict[str, float]
    ]  # node id -> {"reward": …, "shaped": …, "advantage": …}; {} where there are none
