"""Multi-agent AB-MCTS-A: at every node, Thompson sampling decides between a new child and going on below an old one.

arXiv:2503.04412 (AB-MCTS-A) with several agents as in arXiv:2602.07848; order `stack` is agent first, then node, as in
arXiv:2604.14564. The distributions equal those of TreeQuest 0.3.3's `ABMCTSA`. Differs: sufficient statistics in flat
arrays, so that a step costs O(depth + children on the path); pending expansions can be capped; agents may come and go.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass
from math import inf, log, sqrt

import numpy as np

from mars2.config.search import AbMctsConfig, TreeSettings
from mars2.core.protocols import Choice, Stop
from mars2.core.tree import Node, Tree
from mars2.search.arms import NOTHING, ROOT, Gate, TreeArms, indices, node_at, site_of
from mars2.search.posteriors import Observations, posterior_named
from mars2.search.strategy import Strategy


@dataclass(frozen=True, slots=True)
class NodeArms:
    """What is known at one node (`stack`: of one agent at one node)."""

    generate: Observations
    go_on: Observations
    children: dict[int, Observations]  # node id -> its child arm


class AbMcts(Strategy):
    """Adaptive-branching Monte Carlo tree search with node aggregation, for several agents.

    Agents are names; ties go to the first. What each option does is said where it is declared.
    """

    def __init__(self, agents: Sequence[str], options: TreeSettings | None = None) -> None:
        super().__init__(agents)
        options = options or AbMctsConfig()
        self._posterior = posterior_named(options.posterior)
        self._stack = options.order == "stack"
        self._ucb1 = options.agent_choice == "ucb1"
        self._cap = options.max_pending_per_node
        self._arms = TreeArms(per_agent=self._stack)

    def choose(self, tree: Tree, rng: np.random.Generator) -> Choice | Stop:
        if not self._agents:
            return Stop("no agents left")
        capped, closed = self._capped_and_closed(tree)
        if ROOT in closed:
            return Stop(f"every node that could grow has {self._cap} expansions pending")
        site = ROOT
        while True:
            agent = self._draw_agent_at(site, capped, closed, rng) if self._stack else None
            gate = self._arms.gate(site, agent)
            if gate is None:
                break
            children = _open_children(gate, closed)
            if not children:
                break
            below = self._descend(tree, site, gate, children, self._may_generate(site, agent, capped), rng)
            if below is None:
                break
            site = below
        return Choice(node_at(site), self._draw_agent(tree, rng) if agent is None else agent)

    def scale_generation(self, tree: Tree, parent_id: int | None, draw: float) -> float:
        """The GEN draw at a node as it is compared with CONT; `DepthGuided` lowers it."""
        return draw

    def _descend(
        self, tree: Tree, site: int, gate: Gate, children: array[int], may_generate: bool, rng: np.random.Generator
    ) -> int | None:
        """The child to go on below; None: make a new child here. Draws GEN and CONT, then the children."""
        if may_generate and self._generates(tree, site, gate, rng):
            return None
        return self._draw_child(children, rng)

    def _generates(self, tree: Tree, site: int, gate: Gate, rng: np.random.Generator) -> bool:
        """GEN against CONT; GEN wins ties."""
        generate = self._posterior.draw(*self._arms.generate.one(gate.row), rng)
        go_on = self._posterior.draw(*self._arms.go_on.one(gate.row), rng)
        return self.scale_generation(tree, node_at(site), generate) >= go_on

    def _draw_child(self, children: array[int], rng: np.random.Generator) -> int:
        if len(children) == 1:
            return children[0]
        best, _ = self._posterior.draw_largest(self._arms.child, indices(children), rng)
        return children[best]

    def _draw_agent(self, tree: Tree, rng: np.random.Generator) -> str:
        """node-then-model: the agent of the new node, from scores over the whole tree."""
        if len(self._agents) == 1:
            return self._agents[0]
        if self._ucb1:
            values = self._ucb1_values(tree)
        else:
            values = [self._posterior.draw(*self._arms.of_agent(agent), rng) for agent in self._agents]
        return self._agents[values.index(max(values))]

    def _ucb1_values(self, tree: Tree) -> list[float]:
        """r̄ + √2·√(ln N / n) per agent (Auer et al. 2002); inf for an agent never used.

        Pending expansions count in n and N (arXiv:1810.11755), so that concurrent choices differ; r̄ is of finished
        nodes, and 1 while there is none.
        """
        pending = Counter(expansion.agent for expansion in tree.pending.values())
        scores = [self._arms.of_agent(agent) for agent in self._agents]
        uses = [n + pending[agent] for agent, (n, _, _) in zip(self._agents, scores, strict=True)]
        means = [total / n if n else 1.0 for n, total, _ in scores]
        return [mean + sqrt(2.0 * log(sum(uses)) / n) if n else inf for mean, n in zip(means, uses, strict=True)]

    def _draw_agent_at(self, site: int, capped: Set[int], closed: Set[int], rng: np.random.Generator) -> str:
        """stack: the agent from this node's own scores, GEN and CONT together, among those with something to do here.

        A removed agent generates no more, but its children can still be grown by others.
        """
        best_agent, best_draw = "", -inf
        removed = [agent for agent in self._arms.agents if agent not in self._agents]
        for agent in [*self._agents, *removed]:
            gate = self._arms.gate(site, agent)
            if not self._may_generate(site, agent, capped) and not (gate and _open_children(gate, closed)):
                continue
            generated = self._arms.generate.one(gate.row) if gate else NOTHING
            below = self._arms.go_on.one(gate.row) if gate else NOTHING
            n, total, squares = (g + b for g, b in zip(generated, below, strict=True))
            draw = self._posterior.draw(n, total, squares, rng)
            if draw > best_draw:
                best_agent, best_draw = agent, draw
        return best_agent

    def _may_generate(self, site: int, agent: str | None, capped: Set[int]) -> bool:
        return site not in capped and (agent is None or agent in self._agents)

    def _capped_and_closed(self, tree: Tree) -> tuple[Set[int], Set[int]]:
        """Sites at the cap of pending expansions, and those of them below which every site is at the cap too."""
        if self._cap is None:
            return frozenset(), frozenset()
        pending = Counter(site_of(expansion.parent_id) for expansion in tree.pending.values())
        capped = {site for site, count in pending.items() if count >= self._cap}
        closed = set[int]()
        for site in sorted(capped, reverse=True):  # children have larger ids than their parents
            if all(site_of(child) in closed for child in tree.children(node_at(site))):
                closed.add(site)
        return capped, closed

    def tell(self, tree: Tree, node: Node) -> None:
        super().tell(tree, node)
        self._arms.back_up(node)

    def arms(self, node_id: int | None, agent: str | None = None) -> NodeArms:
        """Observations of GEN, CONT and the children of a node (None: the root); order `stack`: those of `agent`."""
        gate = self._arms.gate(site_of(node_id), agent)
        if gate is None:
            return NodeArms(NOTHING, NOTHING, {})
        children = {child - 1: self._arms.child.one(child) for child in gate.children}
        return NodeArms(self._arms.generate.one(gate.row), self._arms.go_on.one(gate.row), children)


def _open_children(gate: Gate, closed: Set[int]) -> array[int]:
    return array("q", (child for child in gate.children if child not in closed)) if closed else gate.children
