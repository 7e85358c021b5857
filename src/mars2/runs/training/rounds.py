"""Training in rounds: grow a round of trees, then let every policy use up its batches. The same seed, the same run.

    grow trees_per_round trees ──→ buffers ──→ every policy: update, sync, … while its buffer holds a batch
          ↑                                                        │ all policies at once; the slowest ends it
          └──────────────── milestone, if one is due ←─────────────┘

Who waits: growing waits for the last update, updates wait for the last tree. Nothing overlaps, so weights change only
between rounds, and no timing can change a tree or a batch.
"""

from __future__ import annotations

import asyncio
import time

from mars2.runs.growing.rollout import grow_trees
from mars2.runs.training.core import TrainingCore, finish


async def train_in_rounds(run: TrainingCore) -> None:
    """Rounds until some policy has made all its updates."""
    while True:
        await finish(learn(run))
        await run.milestone()
        if run.is_finished:
            return
        started = time.monotonic()
        first = run.progress.next_tree
        growths = await grow_trees(
            [run.job(i) for i in range(first, first + run.training.trees_per_round)],
            trees_in_flight=run.rollout.trees_in_flight,
            lockstep=run.rollout.lockstep,
            hear=run.recorder.hear,
        )
        run.progress.next_tree += len(growths)
        credited = [run.receive(growth) for growth in growths]
        run.end_round(credited, growths, time.monotonic() - started)


async def learn(run: TrainingCore) -> None:
    """Every policy uses up the batches in its buffer, all policies at once."""

    async def one(name: str) -> None:
        while run.buffers[name].is_full and run.learners[name].version < run.training.steps:
            await run.update(name)

    results = await asyncio.gather(*(one(name) for name in run.learners), return_exceptions=True)
    for error in results:
        if isinstance(error, BaseException):  # raised when no policy is in the middle of an update
            raise error
