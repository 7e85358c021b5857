"""Metrics as TensorBoard event files, written without torch: `tensorboard --logdir RUN/tensorboard`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mars2.core.optional import need
from mars2.core.tree import Node, Tree


def _await_a_later_second(folder: Path) -> None:
    """TensorBoard reads files in the order of their names, which start with the second they were opened in."""
    while list(folder.glob(f"events.out.tfevents.{int(time.time()):010d}.*")):
        time.sleep(0.05)


class TensorBoardListener:
    """Hears metrics and writes scalars named ``scope/name``. A resumed run takes back what it does again."""

    def __init__(self, folder: Path) -> None:
        need("tensorboard", "train", "metrics")
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        folder.mkdir(parents=True, exist_ok=True)
        _await_a_later_second(folder)
        self._writer: Any = EventFileWriter(str(folder))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    def metrics(self, step: int, scope: str, values: Mapping[str, float]) -> None:
        from tensorboard.compat.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]
        from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]

        scalars = [Summary.Value(tag=f"{scope}/{name}", simple_value=value) for name, value in values.items()]
        self._writer.add_event(Event(wall_time=time.time(), step=step, summary=Summary(value=scalars)))
        self._writer.flush()

    def event(self, kind: str, payload: Mapping[str, Any]) -> None:
        if kind != "resumed":
            return
        from tensorboard.compat.proto import event_pb2

        pb2: Any = event_pb2
        # TensorBoard then forgets what earlier files say of this step and later ones.
        log = pb2.SessionLog(status=pb2.SessionLog.START)
        self._writer.add_event(pb2.Event(wall_time=time.time(), step=payload["step"] + 1, session_log=log))

    def node(self, tree: Tree, node: Node) -> None:
        pass
