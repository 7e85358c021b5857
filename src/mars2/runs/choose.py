"""The answer of a tree (MARS2-T+, part 4): public tests, then behaviour on generated inputs, then a reward model.

Hidden tests are never seen, by the rule or by the reward model.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from mars2.config.growing import SelectionConfig
from mars2.core.problem import Checker, Problem, Suite
from mars2.core.protocols import Sandbox
from mars2.core.seeds import stream
from mars2.core.tree import Node
from mars2.runs.growing.guidance import Guide
from mars2.search.behaviour import Behaviour, behaviour_of, informative
from mars2.search.generated_inputs import generate_inputs
from mars2.search.selection import choose_answer, distinct_programs, finalists


@dataclass(frozen=True, slots=True)
class Answer:
    """The chosen node and why."""

    node_id: int | None  # None: no node has a program
    num_programs: int  # distinct ones
    num_finalists: int  # of them, with the best public score
    num_inputs: int  # generated inputs that some finalist could deal with; 0: none were run
    group_size: int  # finalists that behave like the answer, itself included
    estimate: float | None  # the reward model's, in [0, 1]; None: not asked

    @property
    def why(self) -> str:
        """For people, such as "5 of 7 finalists behave alike on 16 inputs"."""
        if self.node_id is None:
            return "no program was written"
        if self.num_finalists == 1:
            reason = "it passes more public tests than any other" if self.num_programs > 1 else "it is the only program"
        elif self.num_inputs:
            alike = f"{self.group_size} of {self.num_finalists} finalists behave alike on {self.num_inputs} inputs"
            reason = alike if self.group_size > 1 else f"no two of {self.num_finalists} finalists behave alike"
        elif self.estimate is not None:
            return f"the reward model gives it {self.estimate:.2f}, the most of {self.num_finalists} finalists"
        else:
            return f"it is the earliest of {self.num_finalists} finalists"
        return reason if self.estimate is None else f"{reason}; the reward model gives it {self.estimate:.2f}"


async def choose(
    nodes: Iterable[Node],
    problem: Problem,
    sandbox: Sandbox,
    *,
    selection: SelectionConfig,
    seed: int,
    guide: Guide | None = None,
) -> Answer:
    """The answer among `nodes`: a tree, or the first nodes of one.

    The generated inputs are a function of the problem and `seed`, so the same program has the same behaviour in every
    tree, and a sandbox that remembers verdicts runs it once.

    Args:
        guide: the reward model that weighs the finalists; None: none does.

    Raises:
        SandboxUnavailable: the judge is broken.
    """
    nodes = list(nodes)
    last = finalists(nodes)
    behaviours: dict[int, Behaviour] = {}
    weights: Mapping[int, float] | None = None
    if len(last) > 1:
        if guide is not None:
            estimates = await guide.score(problem, [node.program or "" for node in last])
            weights = {node.id: estimate for node, estimate in zip(last, estimates, strict=True)}
        if selection.rule == "behaviour":
            behaviours = await _behaviours(last, problem, sandbox, selection, seed)
    failed = {id_ for id_, behaviour in behaviours.items() if not any(output is not None for output in behaviour)}
    num_inputs = len(next(iter(behaviours.values()), ()))
    if not num_inputs:  # nothing was learnt: every finalist stands alone
        behaviours, failed = {}, set[int]()
    answer = choose_answer(nodes, behaviours=behaviours, weights=weights, failed=failed)
    return Answer(
        node_id=answer,
        num_programs=len(distinct_programs(nodes)),
        num_finalists=len(last),
        num_inputs=num_inputs,
        group_size=sum(b == behaviours[answer] for b in behaviours.values()) if answer in behaviours else 1,
        estimate=None if weights is None or answer is None else weights[answer],
    )


async def _behaviours(
    last: list[Node], problem: Problem, sandbox: Sandbox, selection: SelectionConfig, seed: int
) -> dict[int, Behaviour]:
    """What each finalist did on the generated inputs that at least one of them could deal with.

    Nothing where the problem has its own checker: it has several right outputs, so right programs need not agree.
    """
    comparison = problem.comparison
    if isinstance(comparison, Checker):
        return {}
    rng = stream(seed, "inputs", problem.id)
    inputs = await asyncio.to_thread(
        generate_inputs, problem.public_tests, selection.num_inputs, rng, entry_point=problem.entry_point
    )
    if not inputs:
        return {}
    cpu_s = min(selection.cpu_s, problem.limits.cpu_s)
    limits = replace(problem.limits, cpu_s=cpu_s, wall_s=min(problem.limits.effective_wall_s, 2 * cpu_s + 1))

    async def run(node: Node) -> Behaviour:
        verdict = await sandbox.judge(node.program, Suite(inputs, limits, comparison), stop_at_first_failure=False)
        return behaviour_of(verdict, inputs, comparison)

    async with asyncio.TaskGroup() as group:
        tasks = {node.id: group.create_task(run(node)) for node in last}
    return informative({id_: task.result() for id_, task in tasks.items()})
