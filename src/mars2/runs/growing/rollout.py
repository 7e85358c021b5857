"""Grows many trees at once, `trees_in_flight` of them open: in lockstep, or free-running (none waits for another)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from mars2.core.events import Listener, nobody
from mars2.core.problem import Problem
from mars2.core.tree import Tree
from mars2.runs.growing.grow_tree import Growth, TreeGrower
from mars2.runs.growing.lockstep import Lockstep


@dataclass(frozen=True, slots=True)
class Job:
    """One tree to grow."""

    tree: Tree
    problem: Problem
    grower: TreeGrower


OnTree = Callable[[Job, Growth], None]
NextWave = Callable[[], Awaitable[None]]
"""Awaited before each wave of a tree that grows in lockstep with others."""

Item = TypeVar("Item")


async def grow_trees(
    jobs: Sequence[Job],
    *,
    trees_in_flight: int,
    lockstep: bool,
    hear: Listener = nobody,
    on_tree: OnTree | None = None,
) -> list[Growth]:
    """Grow every job's tree; results are in the order of `jobs`. The first exception cancels the rest."""
    growths: dict[int, Growth] = {}

    async def work(numbered: tuple[int, Job], next_wave: NextWave | None) -> None:
        index, job = numbered
        growth = await job.grower.grow(job.tree, job.problem, next_wave=next_wave, hear=hear)
        growths[index] = growth
        if on_tree is not None:
            on_tree(job, growth)

    await work_in_slots(list(enumerate(jobs)), work, num_slots=trees_in_flight, lockstep=lockstep)
    return [growths[i] for i in range(len(jobs))]


async def work_in_slots(
    items: Sequence[Item],
    work: Callable[[Item, NextWave | None], Awaitable[None]],
    *,
    num_slots: int,
    lockstep: bool,
) -> None:
    """Do `work` for every item, `num_slots` at a time. The first exception cancels the rest.

    In lockstep each slot has items of its own: which slot ends first must not decide who gets the next one.
    """
    num_slots = min(num_slots, len(items))
    gate = Lockstep(num_slots) if lockstep else None
    shared = iter(items)

    async def slot(index: int, own: Iterator[Item]) -> None:
        next_wave = partial(gate.arrive, index) if gate else None
        for item in own:
            await work(item, next_wave)
        if gate:
            gate.leave()

    async with asyncio.TaskGroup() as group:
        for index in range(num_slots):
            group.create_task(slot(index, iter(items[index::num_slots]) if gate else shared))
