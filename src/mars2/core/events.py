"""What happens in a run, as values, so that the store, trackers, the live view and a server all hear the same.

The life of a tree, as it is told:

    Opened ─→ Chosen ─→ (Held ─→) Told │ Cancelled, for each expansion ─→ Finished

A listener is any function of one event; it picks those it wants with `match`. Events are told in the order in which
things happen, on the event loop's thread, before anything else is done: a listener must not block for long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mars2.core.tree import Expansion, Failure, Node, Result, Tree

Annotations = Mapping[int, Mapping[str, float]]
"""Node id → what credit assignment made of it: {"reward": 1.0, "shaped": 1.25, "advantage": 0.7}."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A tree starts to grow or, if it holds something already, goes on from where an earlier start left it."""

    tree: Tree
    phase: str
    step: int


@dataclass(frozen=True, slots=True)
class Chosen:
    """Expansions were chosen together: all of them are kept, or none."""

    tree: Tree
    expansions: Sequence[Expansion]


@dataclass(frozen=True, slots=True)
class Held:
    """An expansion brought a result, whose turn to be told to the search has not come."""

    tree: Tree
    expansion: Expansion
    result: Result
    failure: Failure | None  # its calls that failed before


@dataclass(frozen=True, slots=True)
class Told:
    """A node was added to its tree and told to the search."""

    tree: Tree
    node: Node
    failure: Failure | None = None  # the calls that failed before, unless `Held` said so


@dataclass(frozen=True, slots=True)
class Cancelled:
    """An expansion was given up: every call failed."""

    tree: Tree
    failure: Failure


@dataclass(frozen=True, slots=True)
class Finished:
    """A tree is complete. It need not have been opened: most trees are only recorded when they are finished."""

    tree: Tree
    phase: str
    step: int
    annotations: Annotations | None = None


@dataclass(frozen=True, slots=True)
class Metrics:
    """Numbers of one scope: ``run``, ``agent/NAME`` or ``policy/NAME``."""

    step: int
    scope: str
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Note:
    """Anything else that happened to the run: it started, was resumed, wrote a checkpoint, raised an alarm, …"""

    kind: str
    payload: Mapping[str, Any]


Event = Opened | Chosen | Held | Told | Cancelled | Finished | Metrics | Note

Listener = Callable[[Event], None]


def nobody(event: Event) -> None:
    """The listener of whoever wants to hear nothing."""
