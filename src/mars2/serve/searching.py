"""One request's search: a tree grown for its problem, kept in memory only, and the program chosen in the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mars2 import build
from mars2.config.run import RunConfig
from mars2.core.completion import SamplingOptions
from mars2.core.problem import Problem
from mars2.core.tree import Expansion, Failure, Node, Tree
from mars2.runs.choose import choose
from mars2.serve.requests import ChatRequest


@dataclass(frozen=True, slots=True)
class Solution:
    """What a search found."""

    program: str | None
    agent: str | None
    why: str  # this program
    num_passed: int  # public tests
    num_tests: int
    num_nodes: int
    num_failed_calls: int
    stop_reason: str
    error: str | None
    prompt_tokens: int
    output_tokens: int
    cost: float
    wall_s: float
    tier: str  # isolation tier of the sandbox


class Progress:
    """Tells `say` of every node. A `runs.grow_tree.GrowthLog`."""

    def __init__(self, say: Callable[[str], None], max_nodes: int) -> None:
        self._say = say
        self._max_nodes = max_nodes

    def expansions(self, tree: Tree, chosen: Sequence[Expansion]) -> None:
        pass

    def held(self, tree: Tree, expansion: Expansion, failure: Failure | None) -> None:
        pass

    def node(self, tree: Tree, node: Node, failure: Failure | None = None) -> None:
        verdict = node.public_verdict
        passed = f"{verdict.num_passed} of {len(verdict.tests)} tests" if verdict.tests else "no tests"
        whose = f"refines {node.parent_id}" if node.parent_id is not None else "first attempt"
        self._say(f"[{len(tree)}/{self._max_nodes}] {node.agent}, {whose}: {verdict.status}, {passed}\n")

    def cancelled(self, tree: Tree, failure: Failure) -> None:
        self._say(f"{failure.agent}: {failure.error}\n")


async def search(
    config: RunConfig,
    team: build.Team,
    request: ChatRequest,
    problem: Problem,
    *,
    max_nodes: int,
    say: Callable[[str], None],
) -> Solution:
    """Grow a tree and choose its answer. Cancellation ends every call and judgement of this search."""
    started = time.monotonic()
    grower = build.build_grower(config, team, max_nodes=max_nodes, judge_hidden=False)
    agents = {
        name: replace(agent, sampling=_sampling(agent.sampling, request)) for name, agent in grower.agents.items()
    }
    seconds = request.mars2.seconds if request.mars2.seconds is not None else grower.budget.seconds
    budget = replace(grower.budget, seconds=seconds)
    seed = config.seed if request.seed is None else request.seed & 0x7FFFFFFF
    grower = replace(grower, agents=agents, seed=seed, budget=budget)
    tree = Tree("serve", problem.id)
    growth = await grower.grow(tree, problem, log=Progress(say, max_nodes))
    answer = await choose(tree, problem, team.sandbox, selection=build.build_selection(config))
    node = None if answer.node_id is None else tree.nodes[answer.node_id]
    completions = [n.completion for n in tree]
    return Solution(
        program=node.program if node else None,
        agent=node.agent if node else None,
        why=answer.why,
        num_passed=node.public_verdict.num_passed if node else 0,
        num_tests=len(problem.public_tests),
        num_nodes=len(tree),
        num_failed_calls=growth.num_failed_calls,
        stop_reason=growth.stop_reason,
        error=growth.error,
        prompt_tokens=sum(c.prompt_tokens for c in completions),
        output_tokens=sum(c.output_tokens for c in completions),
        cost=sum(c.cost for c in completions),
        wall_s=round(time.monotonic() - started, 3),
        tier=node.public_verdict.tier if node else "",
    )


def _sampling(sampling: SamplingOptions, request: ChatRequest) -> SamplingOptions:
    limit = request.max_completion_tokens or request.max_tokens
    return replace(
        sampling,
        temperature=sampling.temperature if request.temperature is None else request.temperature,
        top_p=sampling.top_p if request.top_p is None else request.top_p,
        max_tokens=sampling.max_tokens if limit is None else min(limit, sampling.max_tokens),
    )
