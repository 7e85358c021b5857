"""Asynchronous training: trees grow all the time, and each policy updates by itself as soon as it has a batch.

    grower 1 … trees_in_flight: next tree ──→ buffers ──→ learner of each policy: update, sync
          ↑ waits while every buffer is full                 │ waits until its own buffer holds a batch
          └──────────── `changed` wakes both sides ←─────────┘

Who produces: the growers. Who waits: a grower while no buffer has room (what it grew would only become stale); a
learner for its batch. Who unblocks: whoever filled or emptied a buffer notifies `changed`. A milestone takes the locks
of all policies, so that no update is under way while weights are validated and written; growing goes on meanwhile.
A request that was under way during an update ends on the old weights and says so in its completion; `update` drops
what became too old.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

from mars2.credit.assignment import CreditedTree
from mars2.runs.growing.grow_tree import Growth
from mars2.runs.training.core import TrainingCore, TrainingStalled, finish


async def train_asynchronously(run: TrainingCore) -> None:
    """Grow and learn until some policy has made all its updates.

    Raises:
        TrainingStalled: see `TrainingCore.end_round`.
    """
    await run.milestone()
    run.lost = list(run.progress.unfinished)
    growers: list[asyncio.Task[None]] = []
    overlap = _Overlap(run)
    try:
        async with asyncio.TaskGroup() as group:
            growers += [group.create_task(overlap.grow()) for _ in range(run.rollout.trees_in_flight)]
            group.create_task(overlap.learn_to_the_end(growers))
    except BaseExceptionGroup as errors:
        stalled = errors.subgroup(TrainingStalled)
        if stalled is None:
            raise
        raise TrainingStalled(str(_first(stalled))) from None


class _Overlap:
    """What growers and learners share while both are at work."""

    def __init__(self, run: TrainingCore) -> None:
        self.run = run
        self.changed = asyncio.Condition()  # a buffer was filled or emptied
        self.locks = {name: asyncio.Lock() for name in run.learners}  # held while a policy updates
        self.room = (run.training.max_staleness + 1) * run.training.batch_samples  # more would only grow stale
        self.round: list[tuple[CreditedTree, Growth]] = []  # finished since the last one ended
        self.round_started = time.monotonic()

    async def grow(self) -> None:
        """One tree after another."""
        run = self.run
        while True:
            async with self.changed:
                await self.changed.wait_for(lambda: min(len(b) for b in run.buffers.values()) < self.room)
            index = run.take_index()
            job = run.job(index)
            growth = await run.grower.grow(job.tree, job.problem, hear=run.recorder.hear)
            run.progress.unfinished.remove(index)
            self.round.append((run.receive(growth), growth))
            if len(self.round) == run.training.trees_per_round:
                self._end_round()
            async with self.changed:
                self.changed.notify_all()

    async def learn(self, name: str) -> None:
        """One update of a policy after another."""
        run, buffer = self.run, self.run.buffers[name]
        while True:
            async with self.changed:
                await self.changed.wait_for(lambda: buffer.is_full or run.is_finished)
            if run.is_finished:
                return
            async with self.locks[name]:
                await finish(run.update(name))
            async with self.changed:
                self.changed.notify_all()
            if run.is_due():
                async with AsyncExitStack() as everyone_rests:
                    for lock in self.locks.values():
                        await everyone_rests.enter_async_context(lock)
                    await run.milestone()

    async def learn_to_the_end(self, growers: list[asyncio.Task[None]]) -> None:
        """Every policy at once; the growers end with the last of them."""
        try:
            async with asyncio.TaskGroup() as learners:
                for name in self.run.learners:
                    learners.create_task(self.learn(name))
        finally:
            for task in growers:
                task.cancel()

    def _end_round(self) -> None:
        credited, growths = [c for c, _ in self.round], [g for _, g in self.round]
        elapsed_s = time.monotonic() - self.round_started
        self.round.clear()
        self.round_started = time.monotonic()
        self.run.end_round(credited, growths, elapsed_s)


def _first(group: BaseExceptionGroup[TrainingStalled]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
