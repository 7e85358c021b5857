"""What every store of a run promises. A new one is added to `STORES` and passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mars2.core.completion import Completion, Message
from mars2.core.errors import StoreError
from mars2.core.events import Cancelled, Chosen, Finished, Held, Metrics, Note, Opened, Told
from mars2.core.problem import CallTest, Limits, Problem
from mars2.core.serial import tree_hash
from mars2.core.tree import Expansion, Failure, Node, Result, Tree
from mars2.core.verdict import Status, TestResult, Verdict
from mars2.store.run_store import RunStore


@dataclass(frozen=True, slots=True)
class Kind:
    """How a store is made and found again."""

    create: Callable[[Path], Any]
    reopen: Callable[[Path], Any]


STORES = {"sqlite": Kind(lambda folder: RunStore.create(folder, config={}), RunStore.open)}
PROBLEM = Problem("p", "Add one.", (CallTest("f", (1,), 2),), (CallTest("f", (7,), 8),), limits=Limits(cpu_s=3.0))


@pytest.fixture(params=STORES)
def kind(request: pytest.FixtureRequest) -> Kind:
    return STORES[request.param]


@pytest.fixture
def store(kind: Kind, tmp_path: Path) -> Iterator[Any]:
    with kind.create(tmp_path / "run") as made:
        yield made


def result(number: int) -> Result:
    status = Status.AC if number % 2 else Status.WA
    return Result(
        prompt=(Message("user", f"try {number} \ud800"),),
        completion=Completion(f"text {number}", "stop", "policy", number, (1, 2), (3, number), (-0.5, -1.25), 2, 2),
        program=f"x = {number}" if number else None,
        public_verdict=Verdict(status, (TestResult(status, actual=str(number)),)),
        hidden_verdict=Verdict(Status.AC, (TestResult(Status.AC),)) if number % 2 else None,
        score=number / 10,
        elapsed_s=float(number),
    )


def failure(expansion: Expansion, *, is_cancelled: bool = False) -> Failure:
    return Failure(expansion.id, expansion.agent, 2, is_cancelled, False, "down")


def admitted(tree: Tree, expansion: Expansion) -> Node:
    node = tree.admit(expansion)
    assert node is not None
    return node


def half_grown(store: Any, tree_id: str = "t", phase: str = "solve") -> Tree:
    """A tree in every state at once: one node told, one result held, one expansion given up, one still running."""
    tree = Tree(tree_id, PROBLEM.id)
    store.hear(Opened(tree, phase, 1))
    first = tree.expand(None, "a")
    store.hear(Chosen(tree, [first]))
    tree.hold(first, result(0))
    tree.failures.append(failure(first))
    store.hear(Told(tree, admitted(tree, first), tree.failures[-1]))
    rest = [tree.expand(0, "b"), tree.expand(0, "a"), tree.expand(None, "b")]
    store.hear(Chosen(tree, rest))
    tree.hold(rest[1], result(1))
    store.hear(Held(tree, rest[1], tree.held[rest[1].id], None))
    tree.cancel(rest[0])
    tree.failures.append(failure(rest[0], is_cancelled=True))
    store.hear(Cancelled(tree, tree.failures[-1]))
    return tree


def state_of(tree: Tree) -> tuple[object, ...]:
    failures = sorted(tree.failures, key=lambda failed: failed.expansion_id)
    return (tree.nodes, tree.pending, tree.held, failures, tree.next_expansion_id, tree.num_cancelled)


def test_a_half_grown_tree_is_found_again_as_it_was(store: Any) -> None:
    tree = half_grown(store)
    found = store.tree("t")
    assert (found.phase, found.step, found.finished) == ("solve", 1, False)
    assert state_of(found.tree) == state_of(tree)


def test_all_of_it_is_still_there_when_the_run_is_opened_again(kind: Kind, tmp_path: Path) -> None:
    with kind.create(tmp_path) as store:
        tree = half_grown(store)
        store.save_problem(PROBLEM)
        store.hear(Metrics(3, "policy/a", {"loss": 0.5}))
        store.hear(Note("alarm", {"text": "é", "pair": (1, 2)}))
        store.record_samples([("t/0", "a", 3, "trained")])
        position = store.position()
    with kind.reopen(tmp_path) as store:
        assert state_of(store.tree("t").tree) == state_of(tree)
        assert store.problem("p") == PROBLEM
        assert [(m.step, m.scope, m.name, m.value) for m in store.metrics()] == [(3, "policy/a", "loss", 0.5)]
        assert [(e.kind, e.payload) for e in store.events()] == [("alarm", {"text": "é", "pair": (1, 2)})]
        assert [tuple(row) for row in store.samples()] == [("t/0", "a", 3, "trained")]
        assert store.position() == position


def test_a_tree_that_goes_on_after_it_was_found_again_ends_as_one_that_was_never_left(store: Any) -> None:
    left, never = half_grown(store), half_grown(store, "never")
    found = store.tree(left.tree_id).tree
    for tree in (found, never):
        store.hear(Opened(tree, "solve", 1))
        held, running = tree.pending.values()
        store.hear(Told(tree, admitted(tree, held)))
        tree.hold(running, result(2))
        store.hear(Told(tree, admitted(tree, running)))
        store.hear(Finished(tree, "solve", 1, {0: {"reward": 1.0}}))
    first, second = store.tree("t"), store.tree("never")
    assert first.finished
    assert second.finished
    assert state_of(first.tree) == state_of(second.tree)
    assert first.annotations == second.annotations == {0: {"reward": 1.0}}


def test_a_finished_tree_that_was_never_opened_is_kept_whole_and_trees_come_in_their_order(store: Any) -> None:
    trees = [Tree(f"t{i}", PROBLEM.id) for i in (2, 0, 1)]
    for number, tree in enumerate(trees):
        for i in range(number + 1):
            tree.add(tree.expand(None if i == 0 else i - 1, "a"), result(i))
        store.hear(Finished(tree, "train", number))
    found = store.trees()
    assert [(s.tree.tree_id, s.step, s.finished) for s in found] == [("t2", 0, True), ("t0", 1, True), ("t1", 2, True)]
    assert tree_hash(s.tree for s in found) == tree_hash(trees)


def test_a_node_or_a_finished_tree_that_is_there_already_is_refused_and_nothing_changes(store: Any) -> None:
    tree = half_grown(store)
    before = state_of(store.tree("t").tree)
    with pytest.raises(StoreError):
        store.hear(Told(tree, tree.nodes[0]))
    assert state_of(store.tree("t").tree) == before
    whole = Tree("whole", PROBLEM.id)
    whole.add(whole.expand(None, "a"), result(1))
    store.hear(Finished(whole, "solve", 1))
    with pytest.raises(StoreError):
        store.hear(Finished(whole, "solve", 2))
    assert store.tree("whole").step == 1


def test_no_sample_is_entered_twice_and_of_a_refused_batch_none_is(store: Any) -> None:
    store.record_samples([("t/0", "a", 1, "trained"), ("t/1", "a", 1, "stale")])
    with pytest.raises(StoreError, match="t/1"):
        store.record_samples([("t/2", "a", 2, "trained"), ("t/1", "a", 2, "trained")])
    assert [tuple(row) for row in store.samples()] == [("t/0", "a", 1, "trained"), ("t/1", "a", 1, "stale")]


def test_rolling_back_forgets_the_training_since_then_and_nothing_else(store: Any) -> None:
    def train(number: int) -> None:
        tree = Tree(f"train/{number}", PROBLEM.id)
        tree.add(tree.expand(None, "a"), result(1))
        store.hear(Finished(tree, "train", number))
        store.hear(Metrics(number, "run", {"rounds": number}))
        store.record_samples([(f"train/{number}/0", "a", number, "trained")])

    train(1)
    position = store.position()
    train(2)
    half_grown(store, "train/3", "train")
    half_grown(store, "held-out", "evaluate/before")
    store.hear(Note("checkpoint", {}))
    store.sync()
    store.rollback(position)
    assert [s.tree.tree_id for s in store.trees()] == ["train/1", "held-out"]
    assert [m.value for m in store.metrics()] == [1]
    assert [row.key for row in store.samples()] == ["train/1/0"]
    assert [e.kind for e in store.events()] == ["checkpoint"]
    assert store.position() == position
    train(2)
    assert [row.key for row in store.samples()] == ["train/1/0", "train/2/0"]


def test_the_first_problem_saved_under_an_id_stays(store: Any) -> None:
    store.save_problem(PROBLEM)
    store.save_problem(Problem("p", "Another.", (), ()))
    assert store.problem("p") == PROBLEM
    assert store.problem("q") is None
