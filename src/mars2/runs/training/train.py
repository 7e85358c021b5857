"""MARS2 training: trees grow, credit flows to the policies' buffers, and each policy learns when its own is full.

schedule ``rounds`` (`rounds`): grow trees, then update; repeatable. schedule ``async`` (`asynchronous`): both at once.
With ``max_staleness`` 0 nothing may overlap, and ``async`` is ``rounds``.
"""

from __future__ import annotations

import time

from mars2.runs.training.asynchronous import train_asynchronously
from mars2.runs.training.core import TrainingCore
from mars2.runs.training.rounds import train_in_rounds


class Trainer(TrainingCore):
    """One training run, from its first tree or from a checkpoint."""

    async def run(self) -> None:
        """Train until some policy has made `steps` updates. Whatever ends it sooner, it leaves a checkpoint and raises.

        Raises:
            TrainingStalled: `max_rounds_without_samples` rounds in a row gave nothing to learn from.
        """
        self.restore()
        for name in self.learners:
            await self.sync(name)  # before the first generation: a backend must never serve other weights
        self.started = time.monotonic() - self.progress.wall_s
        try:
            await (train_asynchronously(self) if self.is_async else train_in_rounds(self))
        except BaseException as error:
            await self._save_after(error)
            raise
        await self.milestone()
        await self.save()

    async def _save_after(self, error: BaseException) -> None:
        """Write a checkpoint of the last moment between two updates. `error` is told if that cannot be."""
        try:
            await self.save()
        except Exception as second:
            error.add_note(f"no checkpoint could be written after this ({second}); --resume takes the last one")
