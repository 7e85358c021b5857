"""What is written to a run is read back equal; what must not happen twice cannot."""

from __future__ import annotations

import inspect
import math
import sqlite3
import threading
import time
import zlib
from pathlib import Path

import numpy as np
import pytest

from mars2.core import protocols, serial
from mars2.core.completion import Completion, Message
from mars2.core.errors import StoreError
from mars2.core.events import Finished, Metrics, Note, Opened, Told
from mars2.core.problem import CallTest, Problem
from mars2.core.tree import Result, Tree
from mars2.core.verdict import Status, TestResult, Verdict
from mars2.store.payload import pack, unpack
from mars2.store.run_store import RunStore
from mars2.store.schema import FILE_NAME


@pytest.fixture
def store(tmp_path: Path):
    with RunStore.create(tmp_path / "run", config={"name": "demo", "budget": (1, 2)}) as store:
        yield store


def make_tree(tree_id: str = "t0", num_nodes: int = 3) -> Tree:
    """A chain of nodes, with one expansion cancelled."""
    tree = Tree(tree_id, "p")
    tree.cancel(tree.expand(None, "a"))
    for i in range(num_nodes):
        tree.add(
            tree.expand(None if i == 0 else i - 1, "ab"[i % 2]),
            Result(
                prompt=(Message("user", f"try {i} \ud800"),),
                completion=Completion("```", "length", "q", i, (1, 2), (3, i), (-0.5, -math.inf), 2, 2),
                program="print('\ud83d')" if i else None,
                public_verdict=Verdict(Status.RE, (TestResult(Status.RE, error_type="KeyError", exit_code=1),)),
                hidden_verdict=None,
                score=i / 10,
            ),
        )
    return tree


def same(left: Tree, right: Tree) -> bool:
    return (left.tree_id, left.problem_id, left.nodes, left.next_expansion_id, left.num_cancelled) == (
        right.tree_id,
        right.problem_id,
        right.nodes,
        right.next_expansion_id,
        right.num_cancelled,
    )


def test_a_run_is_found_again_with_its_config(tmp_path: Path) -> None:
    with RunStore.create(tmp_path / "a" / "b", config={"seed": 3, "pair": (1, 2)}) as created:
        created_s = created.created_s
    with RunStore.open(tmp_path / "a" / "b") as store:
        assert store.config == {"seed": 3, "pair": (1, 2)}
        assert store.created_s == created_s


def test_a_closed_run_is_one_file(tmp_path: Path) -> None:
    with RunStore.create(tmp_path, config={}) as store:
        store.hear(Note("x", {}))
    with RunStore.open(tmp_path, read_only=True) as reader:
        assert len(reader.events()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.lock", FILE_NAME]


def test_opening_what_is_no_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no run in .*nowhere"):
        RunStore.open(tmp_path / "nowhere")
    (tmp_path / FILE_NAME).write_bytes(b"")
    with pytest.raises(StoreError, match="start the run again"):
        RunStore.open(tmp_path)
    (tmp_path / FILE_NAME).write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError, match="not a database"):
        RunStore.open(tmp_path)


def test_a_run_that_was_killed_while_being_created_can_be_created(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"")
    RunStore.create(tmp_path, config={}).close()


def test_creating_over_a_run_is_refused_and_leaves_it_free(tmp_path: Path) -> None:
    RunStore.create(tmp_path, config={"n": 1}).close()
    with pytest.raises(StoreError, match="already holds a run"):
        RunStore.create(tmp_path, config={"n": 2})
    with RunStore.open(tmp_path) as store:
        assert store.config == {"n": 1}


def test_a_run_of_another_format_is_refused(tmp_path: Path) -> None:
    RunStore.create(tmp_path, config={}).close()
    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreError, match="format 99"):
        RunStore.open(tmp_path)


def test_events_are_kept_in_order_and_filtered(store: RunStore) -> None:
    store.hear(Note("run_started", {"seed": 1}))
    store.hear(Note("alarm", {"text": "loss is \ud800", "value": math.inf}))
    store.hear(Note("alarm", {"text": "again"}))
    assert [(e.id, e.kind) for e in store.events()] == [(1, "run_started"), (2, "alarm"), (3, "alarm")]
    assert store.events("alarm")[0].payload == {"text": "loss is \ud800", "value": math.inf}
    assert [e.payload["text"] for e in store.events("alarm", since=2)] == ["again"]
    assert store.events()[0].time_s <= store.events()[2].time_s


def test_problems_are_kept_once(store: RunStore) -> None:
    problem = Problem("p", "Sum.", (CallTest("f", ((1, {2}),), {3}),), (), metadata={"level": 2})
    store.save_problem(problem)
    store.save_problem(Problem("p", "Other.", (), ()))
    restored = store.problem("p")
    assert restored == problem
    assert restored.metadata == {"level": 2}
    assert store.problem("q") is None


def test_a_saved_tree_comes_back_equal(store: RunStore) -> None:
    tree = make_tree()
    annotations = {0: {"shaped": 1.5, "advantage": -0.25}, 2: {"shaped": math.nan}}
    store.hear(Finished(tree, "train", 4, annotations))
    [stored] = store.trees()
    assert same(stored.tree, tree)
    assert (stored.phase, stored.step, stored.finished) == ("train", 4, True)
    assert stored.annotations[0] == {"shaped": 1.5, "advantage": -0.25}
    assert math.isnan(stored.annotations[2]["shaped"])
    assert store.tree("t0").tree.tree_id == "t0"
    assert store.tree("t1") is None


def test_rewards_that_older_files_keep_with_their_nodes_are_read_as_annotations(store: RunStore) -> None:
    store.hear(Finished(make_tree(), "train", 0, {1: {"shaped": 0.25}}))
    for number, reward in enumerate([1.0, 0.5, None]):
        (payload,) = store._db.execute("SELECT payload FROM nodes WHERE node_id = ?", (number,)).fetchone()
        old = pack(unpack(payload) | {"reward": reward})
        store._db.execute("UPDATE nodes SET payload = ? WHERE node_id = ?", (old, number))
    [stored] = store.trees()
    assert same(stored.tree, make_tree())
    assert stored.annotations == {0: {"reward": 1.0}, 1: {"reward": 0.5, "shaped": 0.25}}


@pytest.mark.parametrize("payload", [b"\x78\x01rotten", zlib.compress(b"{"), zlib.compress(b"\xff"), "text", None])
def test_a_corrupt_payload_is_said_to_be_one(payload: bytes | str | None) -> None:
    with pytest.raises(StoreError, match="the run's file is damaged"):
        unpack(payload)  # type: ignore[arg-type]


def test_a_tree_can_be_read_while_it_grows(store: RunStore) -> None:
    tree = make_tree()
    store.hear(Opened(Tree("t0", "p"), "train", 0))
    store.hear(Told(tree, tree.nodes[0]))
    store.hear(Told(tree, tree.nodes[1]))
    with RunStore.open(store.folder, read_only=True) as reader:
        [half] = reader.trees()
        assert half.tree.nodes == tree.nodes[:2]
        assert (half.finished, half.tree.next_expansion_id) == (False, 3)
        assert reader.trees(finished_only=True) == []
    store.hear(Finished(tree, "train", 0, {2: {"shaped": 0.0}}))  # also adds the third node
    [whole] = store.trees(finished_only=True)
    assert same(whole.tree, tree)


def test_a_tree_that_was_not_opened_is_written_when_it_is_finished(store: RunStore) -> None:
    tree = make_tree()
    store.hear(Told(tree, tree.nodes[0]))
    assert store.trees() == []
    store.hear(Finished(tree, "train", 0))
    assert same(store.trees()[0].tree, tree)


def test_nothing_of_a_tree_is_written_twice(store: RunStore) -> None:
    tree = make_tree()
    store.hear(Opened(Tree("t0", "p"), "train", 0))
    store.hear(Told(tree, tree.nodes[0]))
    with pytest.raises(StoreError, match="node 0 of tree t0 is stored already"):
        store.hear(Told(tree, tree.nodes[0]))
    store.hear(Finished(tree, "train", 0))
    with pytest.raises(StoreError, match="t0 is finished already"):
        store.hear(Opened(Tree("t0", "p"), "train", 0))
    with pytest.raises(StoreError, match="t0 is finished already"):
        store.hear(Finished(tree, "train", 1))
    assert same(store.trees()[0].tree, tree)


def test_an_unfinished_tree_is_replaced_when_opened_again(store: RunStore) -> None:
    tree = make_tree()
    store.hear(Opened(Tree("t0", "p"), "train", 0))
    store.hear(Told(tree, tree.nodes[0]))
    store.hear(Opened(Tree("t0", "p"), "train", 1))
    [stored] = store.trees()
    assert (len(stored.tree), stored.step) == (0, 1)


@pytest.mark.parametrize("is_finished", [False, True])
def test_a_tree_that_was_read_from_the_store_goes_on_when_opened(store: RunStore, is_finished: bool) -> None:
    whole = make_tree()
    store.hear(Opened(Tree("t0", "p"), "solve", 0))
    store.hear(Told(whole, whole.nodes[0]))
    if is_finished:
        part = make_tree(num_nodes=1)
        store.hear(Finished(part, "solve", 0, {0: {"shaped": 1.0}}))
    [stored] = store.trees()
    store.hear(Opened(stored.tree, "solve", 0))
    store.hear(Told(whole, whole.nodes[1]))
    [stored] = store.trees()
    assert (stored.tree.nodes, stored.finished, stored.annotations) == (whole.nodes[:2], False, {})


def test_rollback_forgets_what_came_after_and_lets_it_happen_again(store: RunStore) -> None:
    assert store.position() == {"endings": 0, "metrics": 0, "samples": 0}

    def work(step: int) -> None:
        store.hear(Finished(make_tree(f"t{step}"), "train", step))
        store.hear(Metrics(step, "run", {"x": step}))
        store.record_samples([(f"t{step}/0", "q", step, "trained")])

    work(1)
    growing = make_tree("growing")
    store.hear(Opened(Tree("growing", "p"), "train", 1))
    store.hear(Told(growing, growing.nodes[0]))
    position = store.position()
    work(2)
    store.hear(Finished(growing, "train", 1))
    store.hear(Finished(make_tree("e"), "evaluate/after", 2))
    for _ in range(2):  # a position stays true for a second crash
        store.rollback(position)
        assert store.position() | {"endings": 0} == position | {"endings": 0}
        assert [s.tree.tree_id for s in store.trees("train")] == ["t1"]
        assert [(r.step, r.value) for r in store.metrics()] == [(1, 1.0)]
        assert store.samples() == [("t1/0", "q", 1, "trained")]
        work(2)
    assert [s.tree.tree_id for s in store.trees()] == ["t1", "e", "t2"]
    assert same(store.trees()[2].tree, make_tree("t2"))


def test_trees_are_chosen_by_phase_and_newest_first_when_limited(store: RunStore) -> None:
    for i in range(5):
        store.hear(Finished(make_tree(f"t{i}", 1), "train" if i % 2 == 0 else "eval", i))
    store.hear(Opened(Tree("t5", "p"), "train", 5))
    assert [s.tree.tree_id for s in store.trees("train")] == ["t0", "t2", "t4", "t5"]
    assert [s.tree.tree_id for s in store.trees("train", limit=2, finished_only=True)] == ["t2", "t4"]
    assert store.tree_counts() == {"train": 4, "eval": 2}
    assert store.tree_counts(finished_only=True) == {"train": 3, "eval": 2}


def test_a_phase_includes_those_below_it(store: RunStore) -> None:
    for i, phase in enumerate(["evaluate", "evaluate/before", "evaluate/before/team", "evaluate/beforehand", "e%"]):
        store.hear(Finished(make_tree(f"t{i}", 1), phase, 0))
    assert [s.phase for s in store.trees("evaluate/before/")] == ["evaluate/before", "evaluate/before/team"]
    assert len(store.trees("evaluate")) == 4


def test_metrics_keep_their_order_and_values_that_are_no_numbers(store: RunStore) -> None:
    store.hear(Metrics(1, "policy/q", {"loss": math.nan, "kl": np.float32(0.5), "norm": math.inf}))
    store.hear(Metrics(2, "run", {"tokens_per_s": 10}))
    rows = store.metrics()
    assert [(r.step, r.scope, r.name) for r in rows] == [
        (1, "policy/q", "loss"),
        (1, "policy/q", "kl"),
        (1, "policy/q", "norm"),
        (2, "run", "tokens_per_s"),
    ]
    assert math.isnan(rows[0].value)
    assert [r.value for r in rows[1:]] == [0.5, math.inf, 10.0]


def test_the_clock_of_a_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with RunStore.create(tmp_path, config={}) as store:
        store._clock_zero_s -= 100.0  # as if 100 s had been worked
        store.hear(Metrics(1, "run", {"x": 0.0}))
    with RunStore.open(tmp_path) as store:
        store.hear(Metrics(2, "run", {"x": 0.0}))
        first, second = store.metrics()
    assert 100.0 <= first.wall_s <= second.wall_s < 130.0


def test_nothing_is_trained_twice(store: RunStore) -> None:
    store.record_samples([("t/0", "q", 1, "trained"), ("t/1", "q", 1, "stale")])
    with pytest.raises(StoreError, match=r"t/0 is in the ledger already \(trained at step 1\)"):
        store.record_samples([("t/2", "q", 2, "trained"), ("t/0", "q", 2, "trained")])
    with pytest.raises(StoreError, match="t/1"):
        store.record_samples([("t/1", "q", 2, "trained")])
    with pytest.raises(StoreError, match="forgotten"):
        store.record_samples([("t/3", "q", 2, "forgotten")])
    assert store.samples() == [("t/0", "q", 1, "trained"), ("t/1", "q", 1, "stale")]
    assert store.samples("stale") == [("t/1", "q", 1, "stale")]


def test_state_is_kept_and_replaced(store: RunStore) -> None:
    assert store.get_state("cursor") is None
    store.put_state("cursor", {"epoch": 1, "order": (3, 1)})
    store.put_state("weights", b"\x00\xff")
    store.put_state("cursor", {"epoch": 2, "order": (3, 1)})
    assert store.get_state("cursor") == {"epoch": 2, "order": (3, 1)}
    assert store.get_state("weights") == b"\x00\xff"


def test_a_transaction_is_kept_whole_or_not_at_all(store: RunStore) -> None:
    with pytest.raises(RuntimeError), store.transaction():  # noqa: PT012
        store.hear(Metrics(1, "run", {"x": 1.0}))
        store.record_samples([("t/0", "q", 1, "trained")])
        store.put_state("cursor", 1)
        store.hear(Finished(make_tree(), "train", 1))
        raise RuntimeError
    assert (store.metrics(), store.samples(), store.get_state("cursor"), store.trees()) == ([], [], None, [])
    with store.transaction():
        store.put_state("cursor", 1)
        with pytest.raises(RuntimeError), store.transaction():  # noqa: PT012
            store.put_state("cursor", 2)
            raise RuntimeError
    assert store.get_state("cursor") == 1


def test_others_see_a_transaction_only_when_it_is_over(store: RunStore) -> None:
    with RunStore.open(store.folder, read_only=True) as reader:
        with store.transaction():
            store.put_state("cursor", 1)
            assert reader.get_state("cursor") is None
        assert reader.get_state("cursor") == 1


def test_a_reader_cannot_write(store: RunStore) -> None:
    with RunStore.open(store.folder, read_only=True) as reader, pytest.raises(StoreError, match="readonly"):
        reader.hear(Note("x", {}))


def test_another_thread_is_refused_rather_than_raced(store: RunStore) -> None:
    errors: list[Exception] = []

    def write() -> None:
        try:
            store.hear(Note("x", {}))
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()
    assert "thread" in str(errors[0])
    assert store.events() == []


def test_closing_does_not_wait_for_readers(tmp_path: Path) -> None:
    store = RunStore.create(tmp_path, config={})
    store.hear(Note("x", {}))
    with RunStore.open(tmp_path, read_only=True) as reader:
        reader.events()
        started = time.monotonic()
        store.close()
        store.close()
        assert time.monotonic() - started < 5
        assert len(reader.events()) == 1
    with RunStore.open(tmp_path) as again:
        assert len(again.events()) == 1


def test_trees_come_one_at_a_time_and_hash_as_they_were(store: RunStore) -> None:
    trees = [make_tree("t1"), make_tree("t0")]
    for tree in trees:
        store.hear(Finished(tree, "train", 0))
    streamed = store.iter_trees(finished_only=True)
    assert next(streamed).tree.tree_id == "t1"
    assert serial.tree_hash(s.tree for s in store.iter_trees()) == serial.tree_hash(trees)


def test_the_store_is_what_the_training_loop_asks_for(store: RunStore) -> None:
    for name, member in inspect.getmembers(protocols.Store, inspect.isfunction):
        if not name.startswith("_"):
            offered = inspect.signature(getattr(RunStore, name)).parameters
            for wanted in inspect.signature(member).parameters.values():
                assert offered[wanted.name].kind == wanted.kind, name


def test_a_snapshot_answers_from_one_moment_and_holds_up_no_writer(tmp_path: Path) -> None:
    with RunStore.create(tmp_path, config={}) as writer, RunStore.open(tmp_path, read_only=True) as reader:
        writer.hear(Note("first", {}))
        with reader.snapshot():
            assert len(reader.events()) == 1
            writer.hear(Note("second", {}))
            assert len(reader.events()) == 1
        assert len(reader.events()) == 2
