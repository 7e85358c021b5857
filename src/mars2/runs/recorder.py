"""Where a run writes what happens: the store (always), and whatever else listens (TensorBoard, the live view)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from mars2.core.protocols import Store
from mars2.core.tree import Node, Tree
from mars2.runs.alarms import find_alarms


class Listener(Protocol):
    """Hears of metrics and events as they are recorded."""

    def metrics(self, step: int, scope: str, values: Mapping[str, float]) -> None: ...

    def event(self, kind: str, payload: Mapping[str, Any]) -> None: ...

    def node(self, tree: Tree, node: Node) -> None: ...


class Recorder:
    """Writes to the store, then tells the listeners."""

    def __init__(self, store: Store, listeners: Sequence[Listener] = ()) -> None:
        self.store = store
        self.listeners = list(listeners)

    def event(self, kind: str, **payload: Any) -> None:
        self.store.append_event(kind, **payload)
        for listener in self.listeners:
            listener.event(kind, payload)

    def metrics(self, step: int, scopes: Mapping[str, Mapping[str, float]]) -> None:
        """Record scope (``run``, ``agent/NAME``, ``policy/NAME``) → name → value, and any alarm that it raises."""
        for scope, values in scopes.items():
            self.store.append_metrics(step, scope, values)
            for listener in self.listeners:
                listener.metrics(step, scope, values)
        for text in find_alarms(scopes):
            self.event("alarm", text=text, step=step)

    def node(self, tree: Tree, node: Node) -> None:
        """A node was added to a tree (progress only; `tree` writes it)."""
        for listener in self.listeners:
            listener.node(tree, node)

    def tree(
        self, tree: Tree, *, phase: str, step: int, annotations: Mapping[int, Mapping[str, float]] | None = None
    ) -> None:
        """Record a finished tree. `annotations`: node id → e.g. {"shaped": …, "advantage": …}."""
        self.store.save_tree(tree, phase=phase, step=step, annotations=annotations)

    def samples(self, keys: Iterable[str], *, policy: str, step: int, outcome: str) -> None:
        """Enter samples in the ledger. Entering a key twice is an error: nothing is trained twice."""
        self.store.record_samples([(key, policy, step, outcome) for key in keys])
