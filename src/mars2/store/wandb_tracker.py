"""Training metrics to Weights & Biases: one W&B run per run folder; a resumed run continues it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mars2.core.events import Event, Metrics, Note
from mars2.core.optional import need


class WandbTracker:
    """Hears metrics and logs them as ``scope/name`` against ``round``. Mode, entity and key: W&B's own variables.

    Args:
        folder: of the run; W&B's files go to ``wandb/`` in it.
        name: of the W&B project.
        config: shown beside the curves.

    Raises:
        MissingPackage: the package `wandb` is not installed.
    """

    def __init__(self, folder: Path, *, name: str, config: Mapping[str, Any]) -> None:
        need("wandb", "wandb", "tracking")
        import wandb  # pyright: ignore[reportMissingImports]

        self._wandb: Any = wandb
        self._folder, self._name, self._config = folder, name, config
        self._run: Any = None

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._run = self._wandb.init(
            project=self._name,
            name=self._folder.name,
            id=run_id(self._folder),
            config=dict(self._config),
            dir=str(self._folder),
            resume="allow",
        )
        self._run.define_metric("round")
        self._run.define_metric("*", step_metric="round")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run.finish(exit_code=0 if kind is None else 1)

    def hear(self, event: Event) -> None:
        match event:
            case Metrics(step, scope, values):
                self._run.log({"round": step, **{f"{scope}/{name}": value for name, value in values.items()}})
            case Note("alarm", payload):
                self._run.alert(title="mars2", text=payload["text"])
            case _:
                pass


def run_id(folder: Path) -> str:
    """The same for every start of the run in `folder`."""
    return hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
