"""The outcome of one tree at every budget up to its own: is the chosen program right, is any, and what did it cost?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mars2.core.prefix import prefix
from mars2.core.problem import Problem
from mars2.core.tree import Tree

Choose = Callable[[Tree, Problem], Awaitable[int | None]]
"""The node whose program is the answer; None if there is no program. Sees no hidden test."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of the first `budget` nodes of one tree (of all nodes, if the search stopped earlier)."""

    budget: int
    num_nodes: int
    is_chosen_right: bool
    is_any_right: bool
    first_attempts: Mapping[str, int]  # agent → how many it made
    right_first_attempts: Mapping[str, int]
    prompt_tokens: int
    output_tokens: int
    cost: float
    seconds: float  # from the tree's start to its last node, interruptions left out
    failed_calls: int
    cancelled: int  # expansions given up after failed calls

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> Outcome:
        return cls(**payload)

    def payload(self) -> dict[str, Any]:
        return asdict(self)


def curve_budgets(budget: int) -> list[int]:
    """1, 2, 4, … and `budget` itself.

    Raises:
        ValueError: a budget below 1.
    """
    if budget < 1:
        raise ValueError(f"budget must be >= 1, got {budget}")
    return sorted({2**i for i in range(budget.bit_length()) if 2**i <= budget} | {budget})


async def measure(tree: Tree, problem: Problem, budgets: Sequence[int], choose: Choose) -> list[Outcome]:
    """The outcome of a finished tree at each of `budgets`, by `core.prefix.prefix`."""
    outcomes: list[Outcome] = []
    for budget in budgets:
        part = prefix(tree, budget)
        if outcomes and len(part) == outcomes[-1].num_nodes == len(tree):  # it stopped before
            outcomes.append(Outcome.from_payload(outcomes[-1].payload() | {"budget": budget}))
            continue
        answer = await choose(part, problem)
        outcomes.append(_outcome(part, budget, answer))
    return outcomes


def _outcome(tree: Tree, budget: int, answer: int | None) -> Outcome:
    first = [node for node in tree if node.parent_id is None]
    return Outcome(
        budget=budget,
        num_nodes=len(tree),
        is_chosen_right=answer is not None and tree.nodes[answer].is_correct,
        is_any_right=any(node.is_correct for node in tree),
        first_attempts=dict(Counter(node.agent for node in first)),
        right_first_attempts=dict(Counter(node.agent for node in first if node.is_correct)),
        prompt_tokens=sum(node.completion.prompt_tokens for node in tree),
        output_tokens=sum(node.completion.output_tokens for node in tree),
        cost=sum(node.completion.cost for node in tree),
        seconds=max((node.elapsed_s for node in tree), default=0.0),
        failed_calls=sum(failure.num_calls for failure in tree.failures),
        cancelled=tree.num_cancelled,
    )
