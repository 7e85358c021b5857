"""MARS2 training: trees grow, credit flows to the policies' buffers, and each policy learns when its own is full.

schedule ``rounds``: grow `trees_per_round` trees, then update every policy whose buffer holds a batch; repeatable.
schedule ``async``: trees grow all the time; each policy updates by itself; nobody waits for anybody.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, TypeVar, assert_never

from mars2.config.schema import RolloutConfig, TrainingConfig
from mars2.core.errors import BackendError
from mars2.core.problem import Problem
from mars2.core.protocols import Learner, TrainableBackend
from mars2.core.sample import TrainingSample
from mars2.core.seeds import stream
from mars2.core.tree import Tree
from mars2.runs.buffer import PolicyBuffer
from mars2.runs.checkpoints import Checkpoints, Progress
from mars2.runs.credit_tree import Credit, CreditedTree
from mars2.runs.grow_tree import Growth, TreeGrower
from mars2.runs.recorder import Recorder
from mars2.runs.rollout import Job, grow_trees
from mars2.runs.training_metrics import tree_metrics

PHASE = "train"


class Trainer:
    """One training run, from its first tree or from a checkpoint."""

    def __init__(
        self,
        *,
        training: TrainingConfig,
        rollout: RolloutConfig,
        seed: int,
        problems: Sequence[Problem],
        grower: TreeGrower,
        credit: Credit,
        backends: Mapping[str, TrainableBackend],
        learners: Mapping[str, Learner],
        recorder: Recorder,
        checkpoints: Checkpoints,
    ) -> None:
        self.training = training
        self.rollout = rollout
        self.seed = seed
        self.problems = problems
        self.grower = grower
        self.credit = credit
        self.backends = backends
        self.learners = learners
        self.recorder = recorder
        self.checkpoints = checkpoints
        self.progress = Progress()
        self._lost: list[int] = []  # trees under way at the last checkpoint: to be grown anew
        self._locks = {name: asyncio.Lock() for name in learners}  # held while a policy updates
        self.buffers = {
            name: PolicyBuffer(name, batch_samples=training.batch_samples, max_staleness=training.max_staleness)
            for name in learners
        }

    @property
    def is_finished(self) -> bool:
        return max(learner.version for learner in self.learners.values()) >= self.training.steps

    async def run(self) -> None:
        """Train until some policy has made `steps` updates. Interrupted, it leaves a checkpoint and re-raises."""
        self._restore()
        for name in self.learners:
            await self._sync(name)  # before the first generation: a backend must never serve other weights
        self._started = time.monotonic() - self.progress.wall_s
        try:
            match self.training.schedule:
                case "rounds":
                    await self._run_rounds()
                case "async":
                    await self._run_async()
                case _:
                    assert_never(self.training.schedule)
        except asyncio.CancelledError:
            self._save()
            raise
        self._save()

    # ── schedules ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def _run_rounds(self) -> None:
        while True:
            await _finish(self._learn())
            if self.is_finished:
                return
            started = time.monotonic()
            first = self.progress.next_tree
            jobs = [self._job(i) for i in range(first, first + self.training.trees_per_round)]
            growths = await grow_trees(
                jobs,
                trees_in_flight=self.rollout.trees_in_flight,
                lockstep=self.rollout.lockstep,
                log=self.recorder,
            )
            self.progress.next_tree += len(growths)
            self.progress.rounds += 1
            credited = self._receive(growths)
            self._record_trees(credited, growths, time.monotonic() - started)

    async def _learn(self) -> None:
        """Every policy uses up the batches in its buffer, all policies at once, then a checkpoint if one is due."""

        async def learn(name: str) -> None:
            while self.buffers[name].is_full and self.learners[name].version < self.training.steps:
                await self._update(name)

        await asyncio.gather(*(learn(name) for name in self.learners))
        if self.progress.rounds and self.progress.rounds % self.training.checkpoint_every == 0:
            self._save()

    async def _run_async(self) -> None:
        changed = asyncio.Condition()
        room = (self.training.max_staleness + 1) * self.training.batch_samples  # more would only grow stale
        self._lost = list(self.progress.unfinished)

        async def grow() -> None:
            while True:
                async with changed:
                    await changed.wait_for(lambda: min(len(b) for b in self.buffers.values()) < room)
                index = self._take_index()
                started = time.monotonic()
                job = self._job(index)
                growth = await self.grower.grow(job.tree, job.problem, log=self.recorder)
                self.progress.unfinished.remove(index)
                self.progress.rounds += 1
                credited = self._receive([growth])
                self._record_trees(credited, [growth], time.monotonic() - started)
                async with changed:
                    changed.notify_all()

        async def learn(name: str) -> None:
            buffer = self.buffers[name]
            while True:
                async with changed:
                    await changed.wait_for(lambda: buffer.is_full or self.is_finished)
                if self.is_finished:
                    return
                async with self._locks[name]:
                    await _finish(self._update(name))
                if self.learners[name].version % self.training.checkpoint_every == 0:
                    async with AsyncExitStack() as everyone_rests:
                        for lock in self._locks.values():
                            await everyone_rests.enter_async_context(lock)
                        self._save()
                async with changed:
                    changed.notify_all()

        async with asyncio.TaskGroup() as group:
            growers = [group.create_task(grow()) for _ in range(self.rollout.trees_in_flight)]
            await asyncio.wait([group.create_task(learn(name)) for name in self.learners])
            for task in growers:
                task.cancel()

    # ── one tree, one update ────────────────────────────────────────────────────────────────────────────────────────

    def _take_index(self) -> int:
        if self._lost:
            return self._lost.pop(0)
        index = self.progress.next_tree
        self.progress.next_tree += 1
        self.progress.unfinished.append(index)
        return index

    def _job(self, index: int) -> Job:
        """The `index`-th training tree. Problems come in a new order each epoch."""
        epoch, place = divmod(index, len(self.problems))
        order = stream(self.seed, "epoch", epoch).permutation(len(self.problems))
        problem = self.problems[int(order[place])]
        return Job(Tree(f"{PHASE}/{index:06d}", problem.id), problem, self.grower)

    def _receive(self, growths: Sequence[Growth]) -> list[CreditedTree]:
        """Credit finished trees and route their samples to the policies' buffers."""
        if all(len(g.tree) == 0 for g in growths):
            raise BackendError(f"no tree of this round got a single node; the last error was: {growths[-1].error}")
        credited = [self.credit(g.tree) for g in growths]
        for name, buffer in self.buffers.items():
            buffer.add(s for c in credited for s in c.samples if s.policy == name)
        return credited

    async def _update(self, name: str) -> None:
        """One step of one policy, if after dropping stale samples there still is a batch."""
        learner, buffer = self.learners[name], self.buffers[name]
        stale = buffer.drop_stale(learner.version)
        self._enter(stale, name, "stale")
        if not buffer.is_full:
            return
        fill, batch = len(buffer), buffer.take()
        version = learner.version
        metrics = await asyncio.to_thread(learner.step, batch)
        await self._sync(name)
        self._enter(batch, name, "trained")
        self.recorder.metrics(
            self.progress.rounds,
            {
                f"policy/{name}": {
                    **metrics,
                    "version": learner.version,
                    "buffer_fill": fill,
                    "staleness_mean": sum(version - s.policy_version for s in batch) / len(batch),
                    "num_stale_dropped": len(stale),
                }
            },
        )

    async def _sync(self, name: str) -> None:
        snapshot = self.learners[name].snapshot()
        await self.backends[name].load(snapshot)
        if self.backends[name].version != snapshot.version:
            raise BackendError(
                f"policy {name!r}: the backend serves version {self.backends[name].version} after being given "
                f"version {snapshot.version}"
            )

    # ── records ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _record_trees(self, credited: Sequence[CreditedTree], growths: Sequence[Growth], generation_s: float) -> None:
        step = self.progress.rounds
        for c in credited:
            self.recorder.tree(c.tree, phase=PHASE, step=step, annotations=c.annotations)
        scopes = tree_metrics(credited, self.grower.agents)
        num_tokens = sum(n.completion.output_tokens for c in credited for n in c.tree)
        self.progress.wall_s = time.monotonic() - self._started
        scopes["run"] |= {
            "problems_per_s": len(credited) / generation_s,
            "tokens_per_s": num_tokens / generation_s,
            "failed_calls": sum(g.num_failed_calls for g in growths),
            "wall_s": self.progress.wall_s,
        }
        self.recorder.metrics(step, scopes)

    def _enter(self, samples: Sequence[TrainingSample], policy: str, outcome: str) -> None:
        self.recorder.samples((s.key for s in samples), policy=policy, step=self.progress.rounds, outcome=outcome)

    def _save(self) -> None:
        position = self.recorder.store.position()
        folder = self.checkpoints.save(self.progress, self.buffers, self.learners, store_position=position)
        self.recorder.event("checkpoint", folder=folder.name)

    def _restore(self) -> None:
        checkpoint = self.checkpoints.latest()
        if checkpoint is None:
            return
        self.progress, position = self.checkpoints.restore(checkpoint, self.buffers, self.learners)
        self.recorder.store.rollback(position)
        self.recorder.event("resumed", checkpoint=checkpoint.name)


T = TypeVar("T")


async def _finish(work: Coroutine[Any, Any, T]) -> T:
    """Await `work` to its end even if the waiting task is cancelled meanwhile; the cancellation is then raised."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        task.result()
        raise
