"""Training metrics to trackio, which keeps them on this machine: `trackio show` draws them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mars2.core.optional import need
from mars2.core.tree import Node, Tree


class TrackioTracker:
    """Hears metrics and logs them as ``scope/name`` with their round.

    Args:
        folder: of the run; its name is that of the trackio run, gone on with when the run is resumed.
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

    def metrics(self, step: int, scope: str, values: Mapping[str, float]) -> None:
        self._trackio.log({f"{scope}/{name}": value for name, value in values.items()}, step=step)

    def event(self, kind: str, payload: Mapping[str, Any]) -> None:
        pass

    def node(self, tree: Tree, node: Node) -> None:
        pass
