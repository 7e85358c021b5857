"""The training loop with scripted agents and recording learners: routing, the ledger, resume, both schedules."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from team_of_scripts import HALF, PROBLEM, RIGHT, WRONG, grower, scripted

from mars2.config.schema import RolloutConfig, TrainingConfig
from mars2.core.errors import BackendError
from mars2.core.serial import tree_hash
from mars2.credit.advantages import tree_group
from mars2.learners.recording import RecordingLearner
from mars2.runs.checkpoints import Checkpoints
from mars2.runs.credit_tree import Credit
from mars2.runs.recorder import Recorder
from mars2.runs.train import Trainer
from mars2.store.run_store import RunStore

ANSWERS = ("", [RIGHT, HALF, WRONG])
TRAINING: dict[str, Any] = {"steps": 4, "trees_per_round": 6, "batch_samples": 16, "max_staleness": 2}


def trainer(folder: Path, store: RunStore, latency_s: float = 0.0, **training: Any) -> Trainer:
    backends = {name: scripted(name, ANSWERS, latency_s=latency_s) for name in ("a", "b")}
    return Trainer(
        training=TrainingConfig(**(TRAINING | training)),
        rollout=RolloutConfig(trees_in_flight=3),
        seed=0,
        problems=[PROBLEM],
        grower=grower(*backends.values()),
        credit=Credit(tree_group, {"a": "a", "b": "b"}, 0.5, 0.5, dynamic_filtering=True),
        backends=backends,
        learners={name: RecordingLearner(name) for name in backends},
        recorder=Recorder(store),
        checkpoints=Checkpoints(folder / "checkpoints", keep=2),
    )


def batches(run: Trainer) -> dict[str, list[list[str]]]:
    return {name: [[s.key for s in b] for b in learner.batches] for name, learner in run.learners.items()}  # type: ignore[attr-defined]


async def whole_run(folder: Path, **training: Any) -> tuple[dict[str, list[list[str]]], str, list[Any]]:
    with RunStore.create(folder, config={}) as store:
        run = trainer(folder, store, **training)
        await run.run()
        return batches(run), tree_hash(s.tree for s in store.trees()), store.samples()


@pytest.mark.parametrize("schedule", ["rounds", "async"])
async def test_each_policy_learns_from_its_own_nodes_once(tmp_path: Path, schedule: str) -> None:
    found, _, ledger = await whole_run(tmp_path, schedule=schedule)
    assert max(len(b) for b in found.values()) == 4
    keys = [key for policy in found.values() for batch in policy for key in batch]
    assert len(keys) == len(set(keys))
    assert sorted(keys) == sorted(row.key for row in ledger if row.outcome == "trained")
    with RunStore.open(tmp_path, read_only=True) as store:
        agents = {f"{s.tree.tree_id}/{n.id}": n.agent for s in store.trees() for n in s.tree}
    for policy, policy_batches in found.items():
        assert all(len(batch) == 16 for batch in policy_batches)
        assert all(agents[key] == policy for batch in policy_batches for key in batch)


async def test_rounds_repeat_exactly(tmp_path: Path) -> None:
    first = await whole_run(tmp_path / "1")
    second = await whole_run(tmp_path / "2")
    assert first[:2] == second[:2]


async def test_a_finished_run_resumed_for_longer_equals_one_long_run(tmp_path: Path) -> None:
    long_batches, long_hash, _ = await whole_run(tmp_path / "long", steps=6)
    short_batches, _, _ = await whole_run(tmp_path / "short", steps=3)
    with RunStore.open(tmp_path / "short") as store:
        run = trainer(tmp_path / "short", store, steps=6)
        await run.run()
        more = batches(run)
        assert tree_hash(s.tree for s in store.trees()) == long_hash
    assert {n: short_batches[n] + more[n] for n in more} == long_batches


async def test_what_came_after_the_last_checkpoint_is_done_again(tmp_path: Path) -> None:
    """As after kill -9: the process is gone with two rounds behind the checkpoint; nothing is trained twice."""
    expected = await whole_run(tmp_path / "whole", checkpoint_every=1000)
    with RunStore.create(tmp_path / "cut", config={}) as store:
        run = trainer(tmp_path / "cut", store, checkpoint_every=2)
        saves: list[int] = []

        async def dies() -> None:
            await learn()
            saves.append(1)
            if len(saves) == 4:  # before the first round and after each of three
                raise KeyError("killed")  # not a cancellation: no checkpoint is written

        learn = run._learn  # type: ignore[attr-defined]
        run._learn = dies  # type: ignore[method-assign]
        with pytest.raises(KeyError):
            await run.run()
    with RunStore.open(tmp_path / "cut") as store:
        again = trainer(tmp_path / "cut", store, checkpoint_every=2)
        await again.run()
        assert tree_hash(s.tree for s in store.trees()) == expected[1]
        assert {(r.key, r.outcome) for r in store.samples()} == {(r.key, r.outcome) for r in expected[2]}


@pytest.mark.parametrize("schedule", ["rounds", "async"])
async def test_an_interrupted_run_leaves_a_checkpoint_and_goes_on(tmp_path: Path, schedule: str) -> None:
    with RunStore.create(tmp_path, config={}) as store:
        run = trainer(tmp_path, store, latency_s=0.002, schedule=schedule, steps=30)
        task = asyncio.create_task(run.run())
        while max(learner.version for learner in run.learners.values()) < 3:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        before = batches(run)
    with RunStore.open(tmp_path) as store:
        again = trainer(tmp_path, store, schedule=schedule, steps=8)
        await again.run()
        after = batches(again)
        trained = [r.key for r in store.samples("trained")]
    for name in before:
        assert after[name]
        assert not {k for b in before[name] for k in b} & {k for b in after[name] for k in b}
    assert sorted(trained) == sorted(k for half in (before, after) for p in half.values() for b in p for k in b)


async def test_stale_samples_are_dropped_and_counted(tmp_path: Path) -> None:
    found, _, ledger = await whole_run(tmp_path, max_staleness=0, batch_samples=10, steps=6)
    stale = [row for row in ledger if row.outcome == "stale"]
    assert stale, "rounds of 48 nodes and batches of 10 must leave samples of an older version"
    trained = {key for policy in found.values() for batch in policy for key in batch}
    assert not trained & {row.key for row in stale}


async def test_a_round_without_a_single_node_is_an_error(tmp_path: Path) -> None:
    with RunStore.create(tmp_path, config={}) as store:
        run = trainer(tmp_path, store)
        for name in ("a", "b"):
            run.grower.agents[name].backend.rules = scripted(name, ("never", [RIGHT])).rules  # type: ignore[attr-defined]
        with pytest.raises(BackendError, match="no tree of this round got a single node"):
            await run.run()


async def test_backends_are_synced_before_the_first_generation_and_after_each_update(tmp_path: Path) -> None:
    with RunStore.create(tmp_path, config={}) as store:
        run = trainer(tmp_path, store)
        await run.run()
        for name, learner in run.learners.items():
            assert run.backends[name].version == learner.version
        versions = {n.completion.policy_version for s in store.trees() for n in s.tree}
        assert 0 in versions
        assert len(versions) > 1
