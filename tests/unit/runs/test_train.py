"""The training loop with scripted agents and recording learners: routing, the ledger, resume, both schedules."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from team_of_scripts import HALF, PROBLEM, RIGHT, WRONG, grower, judge, look, scripted

from mars2.config.growing import RetryConfig, RolloutConfig, SelectionConfig
from mars2.config.training import MovingBaselineConfig, RewardConfig, ShapingConfig, TrainingConfig
from mars2.core.errors import BackendError
from mars2.core.events import Event, Metrics
from mars2.core.problem import Suite
from mars2.core.protocols import Snapshot
from mars2.core.sample import TrainingSample
from mars2.core.serial import tree_hash
from mars2.core.verdict import Verdict
from mars2.credit.advantages import Stateless, tree_group
from mars2.credit.assignment import Credit
from mars2.credit.moving_baseline import MovingBaseline
from mars2.learners.recording import RecordingLearner
from mars2.runs.measuring.evaluation import ChooseAnswer, Entrant, Evaluation
from mars2.runs.measuring.results import TEAM
from mars2.runs.measuring.validation import METRIC, Validation
from mars2.runs.recorder import Recorder
from mars2.runs.training.checkpoints import Checkpoints
from mars2.runs.training.core import TrainingStalled
from mars2.runs.training.train import Trainer
from mars2.sandbox import ScriptedSandbox
from mars2.search.best_of_n import BestOfN
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
        credit=Credit(
            Stateless(tree_group),
            {"a": "a", "b": "b"},
            {"a": 200, "b": 200},
            reward=RewardConfig(),
            shaping=ShapingConfig(),
        ),
        backends=backends,
        learners={name: RecordingLearner(name) for name in backends},
        recorder=Recorder(store),
        checkpoints=Checkpoints(folder / "checkpoints", keep=2),
    )


def die_at_the_end_of_round(run: Trainer, number: int) -> None:
    """As kill -9: nothing is written any more."""

    async def write_nothing() -> None:
        pass

    def hear(event: Event) -> None:
        if isinstance(event, Metrics) and event.scope == "run" and event.step == number:
            run.save = write_nothing
            raise KeyError("killed")

    run.recorder.listeners.append(hear)


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
    expected = await whole_run(tmp_path / "whole", checkpoint_every=1000, steps=8)
    with RunStore.create(tmp_path / "cut", config={}) as store:
        run = trainer(tmp_path / "cut", store, checkpoint_every=3, steps=8)
        die_at_the_end_of_round(run, 5)  # the last checkpoint is that of round 3
        with pytest.raises(KeyError):
            await run.run()
        assert max(row.step for row in store.samples("trained")) == 4, "round 4 was learned from, in vain"
    with RunStore.open(tmp_path / "cut") as store:
        again = trainer(tmp_path / "cut", store, checkpoint_every=3, steps=8)
        await again.run()
        assert tree_hash(s.tree for s in store.trees()) == expected[1]
        assert {(r.key, r.outcome) for r in store.samples()} == {(r.key, r.outcome) for r in expected[2]}


class FailsAt(RecordingLearner):
    """Fails once, in the update that would make this version."""

    def __init__(self, policy: str, version: int) -> None:
        super().__init__(policy)
        self.fatal = version

    def step(self, samples: Sequence[TrainingSample]) -> dict[str, float]:
        if self.version + 1 == self.fatal:
            raise RuntimeError("out of memory")
        return super().step(samples)


@pytest.mark.parametrize("schedule", ["rounds", "async"])
async def test_an_error_in_an_update_leaves_a_run_that_goes_on_with_that_batch(tmp_path: Path, schedule: str) -> None:
    with RunStore.create(tmp_path, config={}) as store:
        run = trainer(tmp_path, store, checkpoint_every=1000, schedule=schedule)
        run.learners = {"a": FailsAt("a", 3), "b": RecordingLearner("b")}
        with pytest.raises((RuntimeError, ExceptionGroup)):
            await run.run()
        first, failed_on = batches(run), [s.key for s in run.buffers["a"].batch()]
    with RunStore.open(tmp_path) as store:
        again = trainer(tmp_path, store, checkpoint_every=1000, schedule=schedule)
        await again.run()
        second, ledger = batches(again), store.samples("trained")
    assert len(first["a"]) == 2
    assert second["a"][0] == failed_on
    keys = [key for found in (first, second) for policy in found.values() for batch in policy for key in batch]
    assert len(keys) == len(set(keys))
    assert sorted(keys) == sorted(row.key for row in ledger)


async def test_in_rounds_a_run_that_failed_goes_on_as_if_it_had_not(tmp_path: Path) -> None:
    expected, expected_hash, _ = await whole_run(tmp_path / "whole")
    with RunStore.create(tmp_path / "cut", config={}) as store:
        run = trainer(tmp_path / "cut", store)
        run.learners = {"a": FailsAt("a", 2), "b": RecordingLearner("b")}
        with pytest.raises(RuntimeError, match="out of memory"):
            await run.run()
        first = batches(run)
    with RunStore.open(tmp_path / "cut") as store:
        again = trainer(tmp_path / "cut", store)
        await again.run()
        second, found_hash = batches(again), tree_hash(s.tree for s in store.trees())
    assert {n: first[n] + second[n] for n in first} == expected
    assert found_hash == expected_hash


async def test_an_error_is_not_hidden_by_a_checkpoint_that_cannot_be_written(tmp_path: Path) -> None:
    with RunStore.create(tmp_path, config={}) as store:
        run = trainer(tmp_path, store)
        run.learners = {"a": FailsAt("a", 1), "b": RecordingLearner("b")}

        async def full_disk() -> None:
            raise OSError("no space left on device")

        run.save = full_disk
        with pytest.raises(RuntimeError, match="out of memory") as failure:
            await run.run()
    assert "no checkpoint could be written after this (no space left on device)" in failure.value.__notes__[0]


async def test_a_checkpoint_that_was_gone_on_with_is_not_written_again_at_once(tmp_path: Path) -> None:
    with RunStore.create(tmp_path, config={}) as store:
        await trainer(tmp_path, store, checkpoint_every=1, steps=2).run()
    with RunStore.open(tmp_path) as store:
        again = trainer(tmp_path, store, checkpoint_every=1, steps=4)
        again.restore()
        assert again.progress.rounds > 0
        assert not again.is_due()


async def test_what_an_estimator_remembers_is_in_the_checkpoint(tmp_path: Path) -> None:
    """Killed with a round behind the checkpoint and resumed: the state of a run that was never killed, bit for bit."""

    def with_memory(folder: Path, store: RunStore) -> Trainer:
        run = trainer(folder, store, checkpoint_every=2)
        run.credit = replace(run.credit, estimator=MovingBaseline(MovingBaselineConfig(decay=0.9)))
        return run

    def advantages(store: RunStore) -> dict[str, Any]:
        return {s.tree.tree_id: s.annotations for s in store.trees()}

    with RunStore.create(tmp_path / "whole", config={}) as store:
        whole = with_memory(tmp_path / "whole", store)
        await whole.run()
        expected = advantages(store)
    with RunStore.create(tmp_path / "cut", config={}) as store:
        run = with_memory(tmp_path / "cut", store)
        die_at_the_end_of_round(run, 3)  # the last checkpoint is that of round 2
        with pytest.raises(KeyError):
            await run.run()
    with RunStore.open(tmp_path / "cut") as store:
        again = with_memory(tmp_path / "cut", store)
        await again.run()
        assert advantages(store) == expected
    assert again.progress.credit == whole.progress.credit
    assert whole.progress.credit.keys() == {"a", "b"}


@pytest.mark.parametrize("schedule", ["rounds", "async"])
async def test_after_a_resume_an_estimator_remembers_the_trees_of_the_ledger_and_no_others(
    tmp_path: Path, schedule: str
) -> None:
    """Killed behind a checkpoint: the trees credited after it are forgotten, and so is what they taught."""
    estimator = MovingBaseline(MovingBaselineConfig(decay=0.9))

    def with_memory(store: RunStore, steps: int) -> Trainer:
        run = trainer(tmp_path, store, latency_s=0.001, schedule=schedule, checkpoint_every=2, steps=steps)
        run.credit = replace(run.credit, estimator=estimator)
        return run

    with RunStore.create(tmp_path, config={}) as store:
        killed = with_memory(store, 12)
        die_at_the_end_of_round(killed, 5)
        with pytest.raises((KeyError, ExceptionGroup)):
            await killed.run()
        num_before = len(store.trees(finished_only=True))
    with RunStore.open(tmp_path) as store:
        again = with_memory(store, 12)
        await again.run()
        order = store._db.execute("SELECT t.tree_id FROM endings e JOIN trees t ON t.id = e.tree ORDER BY e.id")
        credited = [store.tree(tree_id) for (tree_id,) in order]
    assert len(credited) > num_before
    state = estimator.initial()
    for stored in credited:
        assert stored is not None
        shaped = {node_id: values["shaped"] for node_id, values in stored.annotations.items()}
        advantages, state = estimator(stored.tree, shaped, state)
        assert {node_id: values["advantage"] for node_id, values in stored.annotations.items()} == advantages
    assert again.progress.credit == state


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
        run.grower = replace(run.grower, retries=RetryConfig(retry_backoff_s=0.0))
        for name in ("a", "b"):
            run.grower.agents[name].backend.rules = scripted(name, ("never", [RIGHT])).rules  # type: ignore[attr-defined]
        with pytest.raises(BackendError, match="no tree of this round got a single node"):
            await run.run()


async def test_what_a_backend_mended_by_itself_is_an_alarm(tmp_path: Path) -> None:
    with RunStore.create(tmp_path, config={}) as store:
        run = trainer(tmp_path, store)
        waiting = ["policy 'a': the engine was ended"]

        def troubles() -> list[str]:
            found, waiting[:] = list(waiting), []
            return found

        run.backends["a"].troubles = troubles  # type: ignore[attr-defined]
        await run.run()
        assert [note.payload["text"] for note in store.events("alarm")] == ["policy 'a': the engine was ended"]


async def test_backends_are_synced_before_the_first_generation_and_after_each_update(tmp_path: Path) -> None:
    with RunStore.create(tmp_path, config={}) as store:
        run = trainer(tmp_path, store)
        await run.run()
        for name, learner in run.learners.items():
            assert run.backends[name].version == learner.version
        versions = {n.completion.policy_version for s in store.trees() for n in s.tree}
        assert 0 in versions
        assert len(versions) > 1


async def test_a_backend_that_does_not_take_the_new_weights_ends_the_run(tmp_path: Path) -> None:
    async def loads_nothing(snapshot: Snapshot) -> None: ...

    with RunStore.create(tmp_path, config={}) as store:
        run = trainer(tmp_path, store)
        run.backends["b"].load = loads_nothing  # type: ignore[method-assign]
        with pytest.raises(BackendError, match="policy 'b': the backend serves version 0 after being given version 1"):
            await run.run()


async def test_async_logs_rounds_and_not_single_trees(tmp_path: Path) -> None:
    await whole_run(tmp_path, schedule="async", steps=8)
    with RunStore.open(tmp_path, read_only=True) as store:
        rounds = [m.value for m in store.metrics() if m.name == "trees_kept_fraction"]
        trees = store.tree_counts(finished_only=True)["train"]
        steps = {m.step for m in store.metrics() if m.name == "trees_kept_fraction"}
    assert len(rounds) == len(steps) == trees // 6
    assert any(0 < value < 1 for value in rounds), "a share of several trees"


@hypothesis_settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    staleness=st.integers(0, 3),
    batch=st.integers(4, 24),
    slow=st.sampled_from([0.0, 0.001, 0.004]),
    in_flight=st.integers(1, 8),
    schedule=st.sampled_from(["rounds", "async"]),
)
async def test_max_staleness_is_kept_and_measured(
    tmp_path_factory: pytest.TempPathFactory, staleness: int, batch: int, slow: float, in_flight: int, schedule: str
) -> None:
    """Whatever the timing: no sample is learned from more than `max_staleness` updates after it was drawn."""
    folder = tmp_path_factory.mktemp("run")
    with RunStore.create(folder, config={}) as store:
        run = trainer(folder, store, schedule=schedule, steps=5, batch_samples=batch, max_staleness=staleness)
        run.rollout = RolloutConfig(trees_in_flight=in_flight)
        run.grower.agents["b"].backend.rules = scripted("b", ANSWERS, latency_s=slow).rules  # type: ignore[attr-defined]
        await run.run()
        ages = [
            [number - s.policy_version for s in samples]
            for learner in run.learners.values()
            for number, samples in enumerate(learner.batches)  # type: ignore[attr-defined]
        ]
        measured = [m.value for m in store.metrics() if m.name == "staleness_max"]
    assert ages
    assert all(0 <= age <= staleness for batch_ages in ages for age in batch_ages)
    assert sorted(measured) == sorted(max(batch_ages) for batch_ages in ages)


async def test_without_staleness_async_is_rounds_and_repeats_exactly(tmp_path: Path) -> None:
    strict: dict[str, Any] = {"max_staleness": 0, "steps": 5}
    rounds = await whole_run(tmp_path / "rounds", schedule="rounds", **strict)
    again = await whole_run(tmp_path / "again", schedule="async", **strict)
    assert again[:2] == rounds[:2]


async def test_a_fast_policy_does_not_wait_for_a_slow_one(tmp_path: Path) -> None:
    """In async a policy learns while trees grow: more updates than any wait for a whole round would allow."""
    with RunStore.create(tmp_path, config={}) as store:
        run = trainer(tmp_path, store, schedule="async", steps=3, batch_samples=4, trees_per_round=1000)
        run.grower.agents["b"].backend.rules = scripted("b", ANSWERS, latency_s=0.02).rules  # type: ignore[attr-defined]
        await run.run()
        assert run.progress.rounds == 0, "the first 'round' of 1000 trees is far from over"
        assert run.steps == 3


@pytest.mark.parametrize("schedule", ["rounds", "async"])
async def test_a_run_whose_trees_are_all_filtered_out_ends_and_goes_on_when_asked(
    tmp_path: Path, schedule: str
) -> None:
    def always(run: Trainer, answers: Sequence[str]) -> None:
        for name in ("a", "b"):
            run.grower.agents[name].backend.rules = scripted(name, ("", list(answers))).rules  # type: ignore[attr-defined]

    settings: dict[str, Any] = {"schedule": schedule, "max_rounds_without_samples": 3}
    with RunStore.create(tmp_path, config={}) as store:
        run = trainer(tmp_path, store, **settings)
        always(run, [WRONG])
        with pytest.raises(TrainingStalled, match="the last 3 rounds gave no sample") as stalled:
            await run.run()
        assert "max_rounds_without_samples" in str(stalled.value)
        assert run.progress.rounds == 3
        assert [e.payload["text"] for e in store.events("alarm")] == [
            "every tree of the round was filtered out: all its rewards were equal"
        ]
    with RunStore.open(tmp_path) as store:
        again = trainer(tmp_path, store, **settings)
        await again.run()
        assert again.steps == 4
        first = [m for m in store.metrics() if m.name == "trees_kept_fraction"][:4]
    assert [m.value for m in first][:3] == [0, 0, 0], "goes on after the three, not from the start"
    assert first[3].value > 0


async def test_killed_before_the_first_checkpoint_it_begins_again(tmp_path: Path) -> None:
    expected = await whole_run(tmp_path / "whole")
    with RunStore.create(tmp_path / "cut", config={}) as store:
        run = trainer(tmp_path / "cut", store)
        die_at_the_end_of_round(run, 1)
        with pytest.raises(KeyError):
            await run.run()
        run = trainer(tmp_path / "cut", store)
        die_at_the_end_of_round(run, 2)
        with pytest.raises(KeyError):
            await run.run()
        assert store.samples("trained")
        assert not (tmp_path / "cut" / "checkpoints").exists()
        again = trainer(tmp_path / "cut", store)
        await again.run()
        assert tree_hash(s.tree for s in store.trees()) == expected[1]


# ── validation and checkpoints ──────────────────────────────────────────────────────────────────────────────────────


def validated(run: Trainer, answers: Sequence[str]) -> Trainer:
    """Give `run` a validation by two first attempts of agent a, on problems of its own."""
    one = grower(scripted("a", ("", list(answers))), new_search=lambda: BestOfN(["a"]), max_nodes=2)
    problems = [replace(PROBLEM, id=f"held-out-{i}") for i in range(4)]
    choose = ChooseAnswer(judge(), SelectionConfig(), seed=0)
    entrant = Entrant("best_of_n", TEAM, one, choose, is_reported=False, gives_first_attempts=True)
    evaluation = Evaluation(problems, [entrant], trees_in_flight=4, lockstep=True, label="validation")
    run.validation = Validation(evaluation, ["a"])
    return run


@pytest.mark.parametrize("schedule", ["rounds", "async"])
async def test_validation_is_logged_and_the_best_is_kept(tmp_path: Path, schedule: str) -> None:
    """The pass rate is made to rise and fall: the weights of its peak stay, beside the newest."""
    scores = iter([[WRONG], [WRONG, RIGHT], [RIGHT], [WRONG], [WRONG], [WRONG], [WRONG], [WRONG], [WRONG]])
    with RunStore.create(tmp_path, config={}) as store:
        run = trainer(tmp_path, store, schedule=schedule, steps=6, evaluate_every=1, batch_samples=8, trees_per_round=2)
        validated(run, [WRONG])
        measure = run.validation

        async def measured() -> dict[str, dict[str, float]]:
            validated(run, next(scores, [WRONG]))
            assert run.validation is not None
            found = await run.validation()
            run.validation = measured  # type: ignore[assignment]
            return found

        assert measure is not None
        run.validation = measured  # type: ignore[assignment]
        await run.run()
        curve = [m.value for m in store.metrics() if m.name == METRIC and m.scope == "run"]
        assert curve[0] == 0
        assert max(curve) == 1
        assert curve[-1] == 0
        assert not [t for t in store.trees() if "validation" in t.tree.tree_id], "counted and forgotten"
        best = run.checkpoints.best()
        assert best is not None
        assert best.name == next(
            e.payload["folder"] for e in reversed(store.events("checkpoint")) if e.payload["is_best"]
        )
        kept = sorted(p.name for p in (tmp_path / "checkpoints").iterdir())
        assert len(kept) == 4, "two newest, the best, and the link to it"
        assert run.progress.best == 1


async def test_a_checkpoint_is_never_overwritten_and_a_half_written_one_never_read(tmp_path: Path) -> None:
    with RunStore.create(tmp_path, config={}) as store:
        run = trainer(tmp_path, store, steps=2)
        await run.run()
        latest = run.checkpoints.latest()
        assert latest is not None
        half = tmp_path / "checkpoints" / "00009999.partial"
        half.mkdir()
        (half / "state.json").write_text("{")
        assert run.checkpoints.latest() == latest
        run.progress.next_tree += 1  # another moment of the same round
        await run.save()  # type: ignore[attr-defined]
        newer = run.checkpoints.latest()
        assert newer is not None
        assert newer.name == f"{latest.name}.1"
        assert latest.is_dir()
        assert not half.exists(), "swept up by the next one"
        await run.save()  # type: ignore[attr-defined]
        assert run.checkpoints.latest() == newer, "nothing changed: no further checkpoint"


async def test_every_round_leaves_a_sample_tree_in_the_event_log(tmp_path: Path) -> None:
    await whole_run(tmp_path)
    with RunStore.open(tmp_path, read_only=True) as store:
        shown = [e.payload for e in store.events("sample_tree")]
        assert shown[0]["step"] == 1
        tree = store.tree(shown[0]["tree_id"])
        assert tree is not None
    lines = shown[0]["text"].splitlines()
    assert len(lines) == len(tree.tree)
    assert all(("reward 1" in line) == ("AC score 1.00" in line) for line in lines)


async def test_failures_of_the_judge_are_counted(tmp_path: Path) -> None:
    with RunStore.create(tmp_path, config={}) as store:
        run = trainer(tmp_path, store, steps=1)

        def fail_and_judge(program: str, suite: Suite) -> Verdict:
            sandbox.num_failures += 1
            return look(program, suite)

        sandbox = ScriptedSandbox(fail_and_judge)
        run.grower = replace(run.grower, sandbox=sandbox)
        await run.run()
        (share,) = {m.value for m in store.metrics() if m.name == "sandbox_failure_fraction"}
        assert share == 0.5
        assert any("the sandbox itself failed on 50.0%" in e.payload["text"] for e in store.events("alarm"))


async def test_engines_that_can_sleep_do_so_while_their_policy_learns(tmp_path: Path) -> None:
    with RunStore.create(tmp_path, config={}) as store:
        run = trainer(tmp_path, store)
        seen: list[str] = []

        async def sleep() -> None:
            seen.append("sleep")

        step = run.learners["a"].step
        run.backends["a"].sleep = sleep  # type: ignore[attr-defined]
        run.learners["a"].step = lambda samples: seen.append("step") or step(samples)  # type: ignore[method-assign]
        await run.run()
    assert seen == ["sleep", "step"] * 4
