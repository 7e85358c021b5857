"""Tells everyone what happens in a run: the store first, then whoever else listens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mars2.core.events import Event, Listener, Metrics, Note
from mars2.core.protocols import Store
from mars2.runs.training.alarms import Alarms


class Recorder:
    """The one place that events pass through. What a listener hears is in the store already."""

    def __init__(self, store: Store, listeners: Iterable[Listener] = ()) -> None:
        self.store = store
        self.listeners = list(listeners)
        self._alarms = Alarms()

    def hear(self, event: Event) -> None:
        """Pass an event on, and after metrics any alarm that they raise."""
        for listener in (self.store.hear, *self.listeners):
            listener(event)
        if isinstance(event, Metrics):
            for text in self._alarms.check(event.scope, event.values):
                self.note("alarm", text=text, step=event.step)

    def note(self, kind: str, **payload: Any) -> None:
        self.hear(Note(kind, payload))

    def metrics(self, step: int, scopes: Mapping[str, Mapping[str, float]]) -> None:
        """Scope (``run``, ``agent/NAME``, ``policy/NAME``) → name → value."""
        for scope, values in scopes.items():
            self.hear(Metrics(step, scope, values))
