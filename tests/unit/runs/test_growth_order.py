"""What timing can and cannot change of a tree, and who is served when slots are few."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from team_of_scripts import HALF, NOTHING, PROBLEM, RIGHT, WRONG, grower, scripted
from virtual_time import SlowBackend, run_virtually

from mars2.core.completion import Completion
from mars2.core.events import Event, Told
from mars2.core.serial import tree_hash
from mars2.core.tree import Result, Tree
from mars2.core.verdict import Status, Verdict
from mars2.runs.growing.grow_tree import Growth, Order
from mars2.runs.growing.rollout import Job, grow_trees
from mars2.runs.growing.slots import Slots

ANSWERS = [RIGHT, HALF, WRONG, NOTHING]
SOME_RESULT = Result(
    prompt=(),
    completion=Completion("", "stop", "a", 0),
    program=None,
    public_verdict=Verdict(Status.CE, ()),
    hidden_verdict=None,
    score=0.0,
)


def grown(
    num_trees: int,
    *,
    order: Order = "expansion",
    slots: int | None = None,
    mean_s: float = 1.0,
    fail: float = 0.0,
    trees_in_flight: int = 64,
    **options: Any,
) -> list[Growth]:
    """Trees of two agents of very different speed, in virtual time."""
    a = SlowBackend("a", ANSWERS, mean_s=mean_s, fail=fail)
    b = SlowBackend("b", ANSWERS, mean_s=7.0, fail=fail)
    team = grower(a, b, order=order, slots=Slots({"a": slots, "b": slots}), **options)
    jobs = [Job(Tree(f"t{i}", PROBLEM.id), PROBLEM, team) for i in range(num_trees)]
    return run_virtually(grow_trees(jobs, trees_in_flight=trees_in_flight, lockstep=False))


@settings(max_examples=25, deadline=None)
@given(
    in_flight=st.integers(1, 6),
    num_others=st.integers(0, 5),
    slots=st.none() | st.integers(1, 6),
    mean_s=st.floats(0.0, 50.0),
    fail=st.sampled_from([0.0, 0.4]),
)
def test_told_in_order_of_choice_no_timing_changes_a_tree(
    in_flight: int, num_others: int, slots: int | None, mean_s: float, fail: float
) -> None:
    alone = grown(1, expansions_in_flight=in_flight, fail=fail)[0].tree
    beside = grown(1 + num_others, expansions_in_flight=in_flight, slots=slots, mean_s=mean_s, fail=fail)[0].tree
    assert tree_hash([beside]) == tree_hash([alone])
    assert [f for f in beside.failures if f.is_cancelled] == [f for f in alone.failures if f.is_cancelled]


@settings(max_examples=10, deadline=None)
@given(in_flight=st.integers(1, 6), num_others=st.integers(0, 5))
def test_told_as_they_come_trees_repeat_while_every_request_finds_a_slot(in_flight: int, num_others: int) -> None:
    alone = grown(1, order="arrival", expansions_in_flight=in_flight)[0].tree
    beside = grown(1 + num_others, order="arrival", expansions_in_flight=in_flight)[0].tree
    assert tree_hash([beside]) == tree_hash([alone])


def test_told_as_they_come_contention_changes_trees() -> None:
    """The price of `arrival`, and why it is not the default: were this untrue, the other order would not be needed."""
    alone = grown(1, order="arrival", expansions_in_flight=6, max_nodes=16)[0].tree
    crowded = grown(6, order="arrival", expansions_in_flight=6, max_nodes=16, slots=2)[0].tree
    assert tree_hash([crowded]) != tree_hash([alone])


@pytest.mark.parametrize("order", ["expansion", "arrival"])
def test_a_slow_generation_holds_up_only_what_must_wait(order: Order) -> None:
    """In order of choice at most `expansions_in_flight` − 1 results wait behind it; as they come, none does."""
    ids = [n.expansion_id for n in grown(1, order=order, expansions_in_flight=4, max_nodes=24)[0].tree]
    assert sorted(ids) == list(range(24))
    if order == "expansion":
        assert ids == sorted(ids)
    else:
        assert ids != sorted(ids)


def test_slots_are_never_exceeded_and_all_used() -> None:
    backend = SlowBackend("a", ANSWERS)
    team = grower(backend, slots=Slots({"a": 5}), expansions_in_flight=4)
    jobs = [Job(Tree(f"t{i}", PROBLEM.id), PROBLEM, team) for i in range(6)]
    run_virtually(grow_trees(jobs, trees_in_flight=6, lockstep=False))
    assert backend.most_under_way == 5
    assert backend.num_under_way == 0


def test_a_free_slot_goes_to_the_tree_that_is_least_far() -> None:
    async def served() -> list[str]:
        slots = Slots({"p": 1})
        greedy, modest = Tree("greedy", "p"), Tree("modest", "p")
        order: list[str] = []

        async def request(tree: Tree) -> None:
            async with slots.slot("p", tree):
                order.append(tree.tree_id)
                await asyncio.sleep(1)
                tree.add(tree.expand(None, "a"), SOME_RESULT)

        await asyncio.gather(*(request(greedy) for _ in range(4)), request(modest), request(modest))
        return order

    assert run_virtually(served()) == ["greedy", "modest", "greedy", "modest", "greedy", "greedy"]


def test_no_tree_starves() -> None:
    """Eight trees on four slots: at any time none is more than a few nodes behind another."""
    team = grower(SlowBackend("a", ANSWERS), slots=Slots({"a": 4}), expansions_in_flight=8, max_nodes=20)
    trees = [Tree(f"t{i}", PROBLEM.id) for i in range(8)]
    spread: list[int] = []

    def watch(event: Event) -> None:
        if isinstance(event, Told):
            sizes = [len(tree) for tree in trees]
            spread.append(max(sizes) - min(sizes))

    jobs = [Job(tree, PROBLEM, team) for tree in trees]
    run_virtually(grow_trees(jobs, trees_in_flight=8, lockstep=False, hear=watch))
    assert all(len(t) == 20 for t in trees)
    assert max(spread) <= 12, max(spread)


def test_a_cancelled_request_gives_its_slot_back() -> None:
    async def work() -> bool:
        slots = Slots({"p": 1})
        tree = Tree("t", "p")

        async def request(seconds: float) -> bool:
            async with slots.slot("p", tree):
                await asyncio.sleep(seconds)
                return True

        holder = asyncio.create_task(request(5))
        waiter = asyncio.create_task(request(5))
        last = asyncio.create_task(request(1))
        await asyncio.sleep(1)
        waiter.cancel()  # while it waits
        holder.cancel()  # while it holds
        return await asyncio.wait_for(last, 3)

    assert run_virtually(work())


def test_a_request_that_is_cancelled_while_it_waits_frees_no_slot_that_it_never_had() -> None:
    async def work() -> int:
        slots, tree = Slots({"p": 1}), Tree("t", "p")
        under_way, most = 0, 0

        async def request() -> None:
            nonlocal under_way, most
            async with slots.slot("p", tree):
                under_way += 1
                most = max(most, under_way)
                await asyncio.sleep(1)
                under_way -= 1

        holder, waiter = asyncio.create_task(request()), asyncio.create_task(request())
        await asyncio.sleep(0.5)
        waiter.cancel()
        await asyncio.gather(holder, request(), request(), waiter, return_exceptions=True)
        return most

    assert run_virtually(work()) == 1


def test_a_request_that_is_cancelled_in_the_moment_it_is_served_gives_its_slot_back() -> None:
    async def work() -> bool:
        slots, tree = Slots({"p": 1}), Tree("t", "p")

        async def wait_for_a_slot() -> None:
            async with slots.slot("p", tree):
                raise AssertionError("it was cancelled before")

        async with slots.slot("p", tree):
            waiter = asyncio.create_task(wait_for_a_slot())
            await asyncio.sleep(1)
        waiter.cancel()  # the slot is its own since the line before, and it has not run since
        await asyncio.gather(waiter, return_exceptions=True)
        async with asyncio.timeout(5), slots.slot("p", tree):
            return True

    assert run_virtually(work())


def test_told_as_they_come_what_comes_at_one_moment_is_told_in_order_of_choice() -> None:
    tree = Tree("t", PROBLEM.id)
    team = grower(scripted("a", ("", [HALF]), latency_s=1.0), order="arrival", expansions_in_flight=4, max_nodes=4)
    run_virtually(team.grow(tree, PROBLEM))
    assert [node.expansion_id for node in tree] == [0, 1, 2, 3]


def test_a_request_under_way_counts_against_its_tree_until_it_ends() -> None:
    """Two slots, both held by tree a. One is given back: a has still one under way, b none, so b is next."""

    async def served() -> list[str]:
        slots, order = Slots({"p": 2}), list[str]()

        async def request(tree_id: str, seconds: float) -> None:
            async with slots.slot("p", trees[tree_id]):
                order.append(tree_id)
                await asyncio.sleep(seconds)

        trees = {name: Tree(name, "p") for name in "ab"}
        await asyncio.gather(request("a", 1), request("a", 9), request("a", 1), request("b", 1))
        return order

    assert run_virtually(served()) == ["a", "a", "b", "a"]
