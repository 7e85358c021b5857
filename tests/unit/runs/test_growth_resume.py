"""A run killed at any moment goes on with the trees it was growing; nothing is paid twice but what was in flight."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from team_of_scripts import HALF, NOTHING, PROBLEM, RIGHT, WRONG, grower
from virtual_time import SlowBackend, run_virtually

from mars2.config.growing import RetryConfig
from mars2.core.events import Cancelled, Chosen, Event, Finished, Held, Opened, Told
from mars2.core.serial import tree_hash
from mars2.core.tree import Failure, Tree
from mars2.runs.growing.rollout import Job, grow_trees
from mars2.runs.growing.slots import Slots
from mars2.runs.recorder import Recorder
from mars2.store.run_store import RunStore

ANSWERS = [RIGHT, HALF, WRONG, NOTHING]
NUM_TREES = 3


class Crash(BaseException):
    pass


class CrashingRecorder(Recorder):
    """Dies after so many writes, and writes nothing more: as a process killed between two of them."""

    def __init__(self, store: RunStore, num_writes: float) -> None:
        super().__init__(store)
        self.left = num_writes
        self.num_written = 0

    def hear(self, event: Event) -> None:
        if isinstance(event, Chosen | Held | Told | Cancelled):
            if self.left <= 0:
                raise Crash
            self.left -= 1
            self.num_written += 1
        super().hear(event)


def grow_in(
    store: RunStore, *, num_writes: float = float("inf"), lockstep: bool, in_flight: int, fail: float
) -> tuple[int, list[int | None]]:
    """Start or go on; returns the number of writes and the seeds of all calls. Raises Crash after `num_writes`."""
    recorder = CrashingRecorder(store, num_writes)
    backends = [SlowBackend("a", ANSWERS, fail=fail), SlowBackend("b", ANSWERS, mean_s=5.0, fail=fail)]
    team = grower(*backends, expansions_in_flight=in_flight, slots=Slots({"a": 4, "b": 4}), max_nodes=6)
    stored = {s.tree.tree_id: s for s in store.trees("phase")}
    jobs: list[Job] = []
    for i in range(NUM_TREES):
        found = stored.get(f"t{i}")
        if found is not None and found.finished:
            continue
        tree = found.tree if found else Tree(f"t{i}", PROBLEM.id)
        recorder.hear(Opened(tree, "phase", 0))
        jobs.append(Job(tree, PROBLEM, team))

    def finish(job: Job, growth: Any) -> None:
        recorder.hear(Finished(job.tree, "phase", 0))

    try:
        if jobs:
            work = grow_trees(jobs, trees_in_flight=NUM_TREES, lockstep=lockstep, hear=recorder.hear, on_tree=finish)
            run_virtually(work)
    except BaseExceptionGroup as group:
        if group.split(Crash)[1] is None:
            raise Crash from None
        raise
    return recorder.num_written, [seed for b in backends for _, seed in b.calls]


def cancelled(store: RunStore) -> dict[str, list[Failure]]:
    return {s.tree.tree_id: [f for f in s.tree.failures if f.is_cancelled] for s in store.trees()}


@settings(max_examples=15, deadline=None)
@given(
    crash_at=st.lists(st.integers(0, 40), max_size=4),
    lockstep=st.booleans(),
    in_flight=st.integers(1, 4),
    fail=st.sampled_from([0.0, 0.3, 0.8]),
)
def test_killed_between_any_two_writes_the_trees_come_out_the_same(
    crash_at: list[int], lockstep: bool, in_flight: int, fail: float
) -> None:
    how: dict[str, Any] = {"lockstep": lockstep, "in_flight": in_flight, "fail": fail}
    with tempfile.TemporaryDirectory() as folder, RunStore.create(Path(folder), config={}) as store:
        grow_in(store, **how)
        wanted = tree_hash(s.tree for s in store.trees())
        failures = cancelled(store)
    with tempfile.TemporaryDirectory() as folder:
        RunStore.create(Path(folder), config={}).close()
        for num_writes in [*crash_at, float("inf")]:
            with RunStore.open(Path(folder)) as store:
                try:
                    grow_in(store, num_writes=num_writes, **how)
                except Crash:
                    continue
        with RunStore.open(Path(folder)) as store:
            assert all(s.finished and not s.tree.pending and not s.tree.held for s in store.trees())
            assert tree_hash(s.tree for s in store.trees()) == wanted
            assert cancelled(store) == failures


def test_nothing_finished_is_paid_twice(tmp_path: Path) -> None:
    """Seeds name generations: after a crash, only those without a recorded result may be asked for again."""
    how: dict[str, Any] = {"lockstep": False, "in_flight": 4, "fail": 0.0}
    with RunStore.create(tmp_path / "whole", config={}) as store:
        total, seeds = grow_in(store, **how)
    assert len(seeds) == len(set(seeds)) == NUM_TREES * 6
    num_held = 0
    for crash_at in range(0, total, 3):
        with RunStore.create(tmp_path / str(crash_at), config={}) as store:
            with pytest.raises(Crash):
                grow_in(store, num_writes=crash_at, **how)
            trees = [s.tree for s in store.trees()]
            num_recorded = sum(len(t) + len(t.held) for t in trees)
            num_held += sum(len(t.held) for t in trees)
            _, again = grow_in(store, **how)
            assert len(again) == NUM_TREES * 6 - num_recorded
    assert num_held, "no result was ever waiting for its turn: the test tests too little"


GROW = """
import asyncio, json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from team_of_scripts import HALF, NOTHING, PROBLEM, RIGHT, WRONG, grower
from mars2.core.events import Finished, Opened
from mars2.core.tree import Tree
from mars2.runs.recorder import Recorder
from mars2.runs.growing.rollout import Job, grow_trees
from mars2.runs.growing.slots import Slots
from mars2.store.run_store import RunStore
from virtual_time import SlowBackend

calls = open(sys.argv[2], "a", buffering=1)

class Counted(SlowBackend):
    async def generate(self, prompt, sampling):
        completion = await super().generate(prompt, sampling)
        calls.write(json.dumps(sampling.seed) + "\\n")
        return completion

store = RunStore.open(Path(sys.argv[1]))
recorder = Recorder(store)
answers = [RIGHT, HALF, WRONG, NOTHING]
team = grower(Counted("a", answers, mean_s=0.002, fail=0.1), Counted("b", answers, mean_s=0.004),
              expansions_in_flight=4, slots=Slots({"a": 8, "b": 8}), max_nodes=24)
stored = {s.tree.tree_id: s for s in store.trees()}
jobs = []
for i in range(12):
    found = stored.get(f"t{i}")
    if found is None or not found.finished:
        tree = found.tree if found else Tree(f"t{i}", PROBLEM.id)
        recorder.hear(Opened(tree, "phase", 0))
        jobs.append(Job(tree, PROBLEM, team))
print("growing", flush=True)
asyncio.run(grow_trees(jobs, trees_in_flight=6, lockstep=False, hear=recorder.hear,
                       on_tree=lambda job, growth: recorder.hear(Finished(job.tree, "phase", 0))))
print("done", flush=True)
"""
TESTS = str(Path(__file__).parent)


def start(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", GROW, str(folder), str(folder / "calls"), TESTS]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_kill_9_at_random_moments(tmp_path: Path) -> None:
    hashes: list[str] = []
    for name, delays_s in (("whole", []), ("killed", [0.05, 0.13, 0.02, 0.21])):
        folder = tmp_path / name
        RunStore.create(folder, config={}).close()
        for delay_s in delays_s:
            process = start(folder)
            assert process.stdout
            process.stdout.readline()
            time.sleep(delay_s)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            process.stdout.close()
        last = start(folder)
        assert last.communicate(timeout=60)[0].split() == ["growing", "done"]
        with RunStore.open(folder) as store:
            assert [len(s.tree) for s in store.trees(finished_only=True)] == [24] * 12
            hashes.append(tree_hash(s.tree for s in store.trees()))
        counts = Counter(json.loads(line) for line in (folder / "calls").read_text().splitlines())
        num_twice = sum(counts.values()) - len(counts)
        # Answered but not yet written when the process died: at most what 16 slots held, each time.
        assert num_twice <= 16 * len(delays_s)
    assert hashes[0] == hashes[1]


def test_ctrl_c_leaves_a_store_that_goes_on(tmp_path: Path) -> None:
    async def interrupted(store: RunStore) -> None:
        recorder = Recorder(store)
        tree = Tree("t0", PROBLEM.id)
        recorder.hear(Opened(tree, "phase", 0))
        team = grower(SlowBackend("a", ANSWERS), expansions_in_flight=3, max_nodes=12)
        task = asyncio.create_task(team.grow(tree, PROBLEM, hear=recorder.hear))
        while len(tree) < 5:
            await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def resumed(store: RunStore) -> Tree:
        recorder = Recorder(store)
        (stored,) = store.trees()
        assert (len(stored.tree), len(stored.tree.pending), stored.finished) == (5, 3, False)
        recorder.hear(Opened(stored.tree, "phase", 0))
        team = grower(SlowBackend("a", ANSWERS), expansions_in_flight=3, max_nodes=12)
        await team.grow(stored.tree, PROBLEM, hear=recorder.hear)
        return stored.tree

    async def whole() -> Tree:
        tree = Tree("t0", PROBLEM.id)
        await grower(SlowBackend("a", ANSWERS), expansions_in_flight=3, max_nodes=12).grow(tree, PROBLEM)
        return tree

    with RunStore.create(tmp_path, config={}) as store:
        run_virtually(interrupted(store))
        assert tree_hash([run_virtually(resumed(store))]) == tree_hash([run_virtually(whole())])


def test_a_retried_call_is_counted_across_a_resume(tmp_path: Path) -> None:
    with RunStore.create(tmp_path, config={}) as store:
        with pytest.raises(Crash):
            grow_in(store, num_writes=20, lockstep=False, in_flight=2, fail=0.3)
        before = sum(f.num_calls for s in store.trees() for f in s.tree.failures)
        assert before > 0
        grow_in(store, lockstep=False, in_flight=2, fail=0.3)
        assert sum(f.num_calls for s in store.trees() for f in s.tree.failures) > before
        assert RetryConfig().max_retries == 2
