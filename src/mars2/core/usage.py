"""What trees cost, per agent: calls, tokens in and out, money."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mars2.core.tree import Tree


@dataclass(slots=True)
class Usage:
    """Totals of one agent. Tokens and cost are those of calls that brought a completion."""

    num_nodes: int = 0
    num_failed_calls: int = 0
    num_cancelled: int = 0  # expansions given up because every call failed
    prompt_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0  # in the currency of the price table; 0 where no price is known


def usage_by_agent(trees: Iterable[Tree]) -> dict[str, Usage]:
    """Agent → totals, in order of first use."""
    totals: dict[str, Usage] = {}
    for tree in trees:
        for node in tree:
            total = totals.setdefault(node.agent, Usage())
            total.num_nodes += 1
            total.prompt_tokens += node.completion.prompt_tokens
            total.output_tokens += node.completion.output_tokens
            total.cost += node.completion.cost
        for failure in tree.failures:
            total = totals.setdefault(failure.agent, Usage())
            total.num_failed_calls += failure.num_calls
            total.num_cancelled += failure.is_cancelled
    return totals
