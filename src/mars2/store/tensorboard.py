"""Metrics as TensorBoard event files, written without torch: `tensorboard --logdir RUN/tensorboard`."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mars2.core.events import Event, Metrics, Note
from mars2.core.optional import need


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

    def hear(self, event: Event) -> None:
        match event:
            case Metrics():
                self._metrics(event)
            case Note("resumed", payload):
                self._forget_after(payload["step"])
            case _:
                pass

    def _metrics(self, event: Metrics) -> None:
        from tensorboard.compat.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]
        from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]

        scalars = [Summary.Value(tag=f"{event.scope}/{name}", simple_value=v) for name, v in event.values.items()]
        self._writer.add_event(Event(wall_time=time.time(), step=event.step, summary=Summary(value=scalars)))
        self._writer.flush()

    def _forget_after(self, step: int) -> None:
        """TensorBoard then forgets what earlier files say of later steps."""
        from tensorboard.compat.proto import event_pb2

        pb2: Any = event_pb2
        log = pb2.SessionLog(status=pb2.SessionLog.START)
        self._writer.add_event(pb2.Event(wall_time=time.time(), step=step + 1, session_log=log))
