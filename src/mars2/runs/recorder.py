"""Where a run writes what happens: the store (always), and whatever else listens (TensorBoard, the live view)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol, Self

from mars2.core.protocols import Store
from mars2.core.tree import Expansion, Failure, Node, Tree
from mars2.runs.training.alarms import Alarms


class Listener(Protocol):
    """Hears of metrics and events as they are recorded."""

    def metrics(self, step: int, scope: str, values: Mapping[str, float]) -> None: ...

    def event(self, kind: str, payload: Mapping[str, Any]) -> None: ...

    def node(self, tree: Tree, node: Node) -> None: ...


class Tracker(Listener, Protocol):
    """A listener with something to open and close around the run."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Recorder:
    """Writes to the store, then tells the listeners."""

    def __init__(self, store: Store, listeners: Sequence[Listener] = ()) -> None:
        self.store = store
        self.listeners = list(listeners)
        self._alarms = Alarms()
        self._open: set[str] = set()  # ids of trees written event by event

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
        for text in self._alarms.check(scopes):
            self.event("alarm", text=text, step=step)

    def open_tree(self, tree: Tree, *, phase: str, step: int) -> None:
        """Record `tree` event by event from now on, so that a killed run goes on with it (`TreeGrower.grow`).

        A tree that holds something already was loaded from the store as an interrupted run left it.
        """
        self.store.open_tree(tree.tree_id, tree.problem_id, phase, step, resume=tree.next_expansion_id > 0)
        self._open.add(tree.tree_id)

    def expansions(self, tree: Tree, chosen: Sequence[Expansion]) -> None:
        """Expansions were chosen. Written, as all of growth, only where `open_tree` asked for it."""
        if tree.tree_id in self._open:
            self.store.append_expansions(tree.tree_id, chosen)

    def held(self, tree: Tree, expansion: Expansion, failure: Failure | None) -> None:
        """An expansion is finished, but its turn to be told has not come."""
        if tree.tree_id in self._open:
            self.store.append_held(tree.tree_id, expansion.id, tree.held[expansion.id], failure)

    def node(self, tree: Tree, node: Node, failure: Failure | None = None) -> None:
        """A node was added to a tree; `failure`: the calls that failed before."""
        if tree.tree_id in self._open:
            self.store.append_node(tree.tree_id, node, failure)
        for listener in self.listeners:
            listener.node(tree, node)

    def cancelled(self, tree: Tree, failure: Failure) -> None:
        """An expansion was given up."""
        if tree.tree_id in self._open:
            self.store.append_cancelled(tree.tree_id, failure)

    def tree(
        self, tree: Tree, *, phase: str, step: int, annotations: Mapping[int, Mapping[str, float]] | None = None
    ) -> None:
        """Record a finished tree. `annotations`: node id → e.g. {"reward": …, "advantage": …}."""
        if tree.tree_id in self._open:
            self.store.finish_tree(tree, annotations)
            self._open.remove(tree.tree_id)
        else:
            self.store.save_tree(tree, phase=phase, step=step, annotations=annotations)

    def samples(self, keys: Iterable[str], *, policy: str, step: int, outcome: str) -> None:
        """Enter samples in the ledger. Entering a key twice is an error: nothing is trained twice."""
        self.store.record_samples([(key, policy, step, outcome) for key in keys])
