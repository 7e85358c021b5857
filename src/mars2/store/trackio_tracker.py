"""Training metrics to trackio, which keeps them on this machine: `trackio show` draws them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mars2.core.events import Event, Metrics
from mars2.core.optional import need


class TrackioTracker:
    """Hears metrics and logs them as ``scope/name`` with their round.

    Args:
        folder: of the run; the trackio run has the same name, and a resumed run continues it.
        name: of the trackio project.
        config: shown beside the curves.

    Raises:
        MissingPackage: the package `trackio` is not installed.
    """

    def __init__(self, folder: Path, *, name: str, config: Mapping[str, Any]) -> None:
        need("trackio", "trackio", "tracking")
        import trackio  # pyright: ignore[reportMissingImports]

        self._trackio: Any = trackio
        self._folder, self._name, self._config = folder, name, config

    def __enter__(self) -> Self:
        self._trackio.init(
            project=self._name, name=self._folder.name, config=dict(self._config), resume="allow", embed=False
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._trackio.finish()

    def hear(self, event: Event) -> None:
        if isinstance(event, Metrics):
            values = {f"{event.scope}/{name}": value for name, value in event.values.items()}
            self._trackio.log(values, step=event.step)
