"""What both training schedules share: crediting a tree, closing a round, one update, validations, checkpoints."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from mars2.config.growing import RolloutConfig
from mars2.config.training import TrainingConfig
from mars2.core.errors import BackendError, Mars2Error
from mars2.core.events import Finished
from mars2.core.problem import Problem
from mars2.core.protocols import CanSleep, HasTroubles, Learner, TrainableBackend
from mars2.core.sample import TrainingSample
from mars2.core.seeds import stream
from mars2.core.tree import Tree
from mars2.credit.assignment import Credit, CreditedTree
from mars2.runs.growing.grow_tree import Growth, TreeGrower
from mars2.runs.growing.rollout import Job
from mars2.runs.growing.sketch import sketch
from mars2.runs.measuring.validation import METRIC, Validation
from mars2.runs.recorder import Recorder
from mars2.runs.training.buffer import PolicyBuffer
from mars2.runs.training.checkpoints import Checkpoints, Progress
from mars2.runs.training.training_metrics import tree_metrics

PHASE = "train"


class TrainingStalled(Mars2Error):
    """Round after round gave no sample to learn from."""


class TrainingCore:
    """The state of one training run and its steps; `rounds` and `asynchronous` say which step comes when."""

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
        validation: Validation | None = None,
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
        self.validation = validation
        self.progress = Progress(credit=credit.estimator.initial())
        self.is_async = training.schedule == "async" and training.max_staleness > 0
        self.lost: list[int] = []  # trees under way at the last checkpoint: to be grown anew (async)
        self.started = time.monotonic() - self.progress.wall_s
        self._saved = 0  # the milestone of the last checkpoint
        self._saved_state: tuple[Any, ...] | None = None  # what tells two checkpoints apart
        self._empty_rounds = 0  # without a sample, in a row
        self._judged = self._sandbox_counts()
        self.buffers = {
            name: PolicyBuffer(name, batch_samples=training.batch_samples, max_staleness=training.max_staleness)
            for name in learners
        }

    @property
    def steps(self) -> int:
        """Updates of the policy that is furthest ahead."""
        return max(learner.version for learner in self.learners.values())

    @property
    def is_finished(self) -> bool:
        return self.steps >= self.training.steps

    # ── one tree, one round, one update ─────────────────────────────────────────────────────────────────────────────

    def take_index(self) -> int:
        if self.lost:
            return self.lost.pop(0)
        index = self.progress.next_tree
        self.progress.next_tree += 1
        self.progress.unfinished.append(index)
        return index

    def job(self, index: int) -> Job:
        """The `index`-th training tree. Problems come in a new order each epoch."""
        epoch, place = divmod(index, len(self.problems))
        order = stream(self.seed, "epoch", epoch).permutation(len(self.problems))
        problem = self.problems[int(order[place])]
        return Job(Tree(f"{PHASE}/{index:06d}", problem.id), problem, self.grower)

    def receive(self, growth: Growth) -> CreditedTree:
        """Credit a finished tree, write it down, and route its samples to the policies' buffers."""
        credited, self.progress.credit = self.credit(growth.tree, self.progress.credit)
        for name, buffer in self.buffers.items():
            buffer.add(s for s in credited.samples if s.policy == name)
        self.recorder.hear(Finished(growth.tree, PHASE, self.progress.rounds + 1, credited.annotations))
        return credited

    def end_round(self, credited: Sequence[CreditedTree], growths: Sequence[Growth], elapsed_s: float) -> None:
        """Count a round (in async: as many trees as one has), log it, and stop a run that has nothing to learn from."""
        if all(len(g.tree) == 0 for g in growths):
            raise BackendError(f"no tree of this round got a single node; the last error was: {growths[-1].error}")
        self.progress.rounds += 1
        self.progress.wall_s = time.monotonic() - self.started
        scopes = tree_metrics(credited, self.grower.agents)
        num_tokens = sum(n.completion.output_tokens for c in credited for n in c.tree)
        judged, failed = (now - before for now, before in zip(self._sandbox_counts(), self._judged, strict=True))
        self._judged = self._sandbox_counts()
        scopes["run"] |= {
            "problems_per_s": len(credited) / elapsed_s,
            "tokens_per_s": num_tokens / elapsed_s,
            "failed_calls": sum(g.num_failed_calls for g in growths),
            "wall_s": self.progress.wall_s,
            "sandbox_failure_fraction": failed / (judged + failed) if judged + failed else 0.0,
        }
        self.recorder.metrics(self.progress.rounds, scopes)
        shown = next((c for c in credited if c.is_kept), credited[0])
        self.recorder.note(
            "sample_tree",
            step=self.progress.rounds,
            tree_id=shown.tree.tree_id,
            problem_id=shown.tree.problem_id,
            text=sketch(shown.tree, shown.rewards),
        )
        self._empty_rounds = 0 if any(c.samples for c in credited) else self._empty_rounds + 1
        if self._empty_rounds >= self.training.max_rounds_without_samples:
            raise TrainingStalled(
                f"the last {self._empty_rounds} rounds gave no sample to learn from: within each tree all rewards were "
                f"equal ({100 * scopes['run']['team_pass_rate']:.0f}% of the last trees hold a right program); use "
                "easier or harder problems, other limits or a stronger model, or raise "
                "training.max_rounds_without_samples; the run is saved, --resume goes on with it"
            )

    async def update(self, name: str) -> None:
        """One step of one policy, if after dropping stale samples there still is a batch.

        The one place where stale samples are dropped: right before a batch is taken, so that none is ever learned from.
        """
        learner, buffer = self.learners[name], self.buffers[name]
        stale = buffer.drop_stale(learner.version)
        self._enter(stale, name, "stale")
        if not buffer.is_full:
            return
        fill, batch = len(buffer), buffer.batch()
        ages = [learner.version - s.policy_version for s in batch]
        self.progress.is_best = False
        backend = self.backends[name]
        if isinstance(backend, CanSleep):
            await backend.sleep()
        metrics = await asyncio.to_thread(learner.step, batch)  # if this fails, the batch stays in the buffer
        buffer.remove(batch)
        self._enter(batch, name, "trained")
        await self.sync(name)
        self.recorder.metrics(
            self.progress.rounds,
            {
                f"policy/{name}": {
                    **metrics,
                    "version": learner.version,
                    "buffer_fill": fill,
                    "staleness_mean": sum(ages) / len(ages),
                    "staleness_max": max(ages),
                    "num_stale_dropped": len(stale),
                }
            },
        )

    async def sync(self, name: str) -> None:
        """Give a policy's weights to its backend.

        The guarantee: once this has returned, every new request is answered by exactly these weights. It is given by
        the comparison of versions below, which ends the run where a backend serves anything else. Requests under way
        end on the weights they began with, and their completions carry that version.
        """
        snapshot = self.learners[name].snapshot()
        backend = self.backends[name]
        await backend.load(snapshot)
        for trouble in backend.troubles() if isinstance(backend, HasTroubles) else ():
            self.recorder.note("alarm", text=trouble)
        if self.backends[name].version != snapshot.version:
            raise BackendError(
                f"policy {name!r}: the backend serves version {self.backends[name].version} after being given "
                f"version {snapshot.version}"
            )

    # ── milestones: validations and checkpoints ─────────────────────────────────────────────────────────────────────

    @property
    def _now(self) -> int:
        """What `evaluate_every` and `checkpoint_every` count: rounds, or in async the steps."""
        return self.steps if self.is_async else self.progress.rounds

    def is_due(self) -> bool:
        return self._validation_is_due() or _is_past(self._now, self._saved, self.training.checkpoint_every)

    def _validation_is_due(self) -> bool:
        every = self.training.evaluate_every
        return self.validation is not None and every > 0 and _is_past(self._now, self.progress.validated, every)

    async def milestone(self) -> None:
        """A validation and a checkpoint, if they are due. No policy may update meanwhile."""
        if not self.is_due():
            return
        if self.validation is not None and self._validation_is_due():
            found = await self.validation()
            self.recorder.metrics(self.progress.rounds, found)
            score, best = found["run"][METRIC], self.progress.best
            self.progress.validated = self._now
            self.progress.is_best = best is None or score > best
            if self.progress.is_best:
                self.progress.best = score
        await self.save()

    async def save(self) -> None:
        """A checkpoint, unless the last one is of this very moment."""
        progress, versions = self.progress, tuple(learner.version for learner in self.learners.values())
        moment = (progress.rounds, progress.next_tree, progress.validated, len(progress.unfinished), versions)
        if moment == self._saved_state:
            return
        store = self.recorder.store
        state = self.checkpoints.state(progress, self.buffers, self.learners, store_position=store.position())
        self._saved, self._saved_state = self._now, moment
        store.sync()  # a checkpoint must not survive a power cut that its ledger does not
        folder = await finish(asyncio.to_thread(self.checkpoints.write, state, self.learners))
        self.recorder.note("checkpoint", folder=folder.name, is_best=progress.is_best)

    def restore(self) -> None:
        checkpoint = self.checkpoints.latest()
        if checkpoint is None:  # killed before the first one: begin again
            self.recorder.store.rollback(dict.fromkeys(self.recorder.store.position(), 0))
            return
        self.progress, position = self.checkpoints.restore(checkpoint, self.buffers, self.learners)
        self.recorder.store.rollback(position)
        self._saved = self._now
        self.recorder.note("resumed", checkpoint=checkpoint.name, step=self.progress.rounds)

    # ── records ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _enter(self, samples: Sequence[TrainingSample], policy: str, outcome: str) -> None:
        self.recorder.store.record_samples((s.key, policy, self.progress.rounds, outcome) for s in samples)

    def _sandbox_counts(self) -> tuple[int, int]:
        """Programs judged, and failures of the judge itself."""
        facts = self.grower.sandbox.facts()
        return facts.num_judged, facts.num_failures


def _is_past(now: int, last: int, every: int) -> bool:
    """Whether a multiple of `every` was reached after `last`."""
    return now // every > last // every


T = TypeVar("T")


async def finish(work: Coroutine[Any, Any, T]) -> T:
    """Await `work` to its end even if the waiting task is cancelled meanwhile; the cancellation is then raised."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        task.result()
        raise
