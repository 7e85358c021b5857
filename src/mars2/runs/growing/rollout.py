"""Grows many trees at once, `trees_in_flight` of them open: in lockstep, or free-running (none waits for another)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from mars2.core.problem import Problem
from mars2.core.tree import Tree
from mars2.runs.growing.grow_tree import NO_LOG, Growth, GrowthLog, TreeGrower
from mars2.runs.growing.lockstep import Lockstep


@dataclass(frozen=True, slots=True)
class Job:
    """One tree to grow."""

    tree: Tree
    problem: Problem
    grower: TreeGrower


OnTree = Callable[[Job, Growth], None]


async def grow_trees(
    jobs: Sequence[Job],
    *,
    trees_in_flight: int,
    lockstep: bool,
    log: GrowthLog = NO_LOG,
    on_tree: OnTree | None = None,
) -> list[Growth]:
    """Grow every job's tree; results are in the order of `jobs`. The first exception cancels the rest."""
    num_slots = min(trees_in_flight, len(jobs))
    gate = Lockstep(num_slots) if lockstep else None
    growths: dict[int, Growth] = {}
    numbered = list(enumerate(jobs))
    shared = iter(numbered)

    async def work(slot: int, own: Iterator[tuple[int, Job]]) -> None:
        next_wave = partial(gate.arrive, slot) if gate else None
        for index, job in own:
            growth = await job.grower.grow(job.tree, job.problem, next_wave=next_wave, log=log)
            growths[index] = growth
            if on_tree is not None:
                on_tree(job, growth)
        if gate:
            gate.leave()

    async with asyncio.TaskGroup() as group:
        for slot in range(num_slots):
            # In lockstep each slot has its own jobs: which slot ends first must not decide who gets the next one.
            group.create_task(work(slot, iter(numbered[slot::num_slots]) if gate else shared))
    return [growths[i] for i in range(len(jobs))]
