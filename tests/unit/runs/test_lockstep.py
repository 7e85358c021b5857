"""Waves: who goes first never depends on who came first, and who gets which tree never on who ended first."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import permutations

from team_of_scripts import HALF, PROBLEM, grower, scripted

from mars2.core.tree import Tree
from mars2.runs.growing.lockstep import Lockstep
from mars2.runs.growing.rollout import Job, grow_trees


async def test_members_go_on_in_order_of_their_index_whatever_order_they_arrived_in() -> None:
    for arrivals in permutations(range(3)):
        gate, went_on = Lockstep(3), list[int]()

        async def member(number: int, gate: Lockstep = gate, went_on: list[int] = went_on) -> None:
            for _ in range(2):
                await gate.arrive(number)
                went_on.append(number)

        await asyncio.gather(*(member(number) for number in arrivals))
        assert went_on == [0, 1, 2, 0, 1, 2]


async def test_the_last_to_arrive_or_to_leave_lets_the_others_go_on() -> None:
    gate = Lockstep(3)
    first, second = (asyncio.create_task(gate.arrive(number)) for number in (0, 1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not first.done()
    assert not second.done()
    gate.leave()
    await asyncio.wait_for(asyncio.gather(first, second), 1)


async def test_in_lockstep_each_slot_has_its_own_trees() -> None:
    """Slot 0 has trees 0 and 2, slot 1 has 1 and 3: tree 3 waits for tree 1, although slot 0 is idle before."""
    sizes = [1, 6, 1, 1]
    team = grower(scripted("a", ("", [HALF])))
    jobs = [Job(Tree(f"t{i}", PROBLEM.id), PROBLEM, replace(team, max_nodes=size)) for i, size in enumerate(sizes)]
    ended: dict[bool, list[str]] = {}
    for lockstep in (True, False):
        names = ended[lockstep] = []
        fresh = [replace(job, tree=Tree(job.tree.tree_id, PROBLEM.id)) for job in jobs]
        await grow_trees(
            fresh,
            trees_in_flight=2,
            lockstep=lockstep,
            on_tree=lambda job, growth, names=names: names.append(job.tree.tree_id),
        )
    assert ended[True] == ["t0", "t2", "t1", "t3"]
    assert ended[False] == ["t0", "t2", "t3", "t1"], "without waves an idle slot takes the next tree"
