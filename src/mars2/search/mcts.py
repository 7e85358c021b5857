"""Monte Carlo tree search with UCT: fixed width, deterministic descent."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from math import log, sqrt

import numpy as np

from mars2.config.search import MctsConfig
from mars2.core.protocols import Choice, Stop
from mars2.core.tree import Node, Tree
from mars2.search.strategy import Strategy


class Mcts(Strategy):
    """UCT (Kocsis & Szepesvári 2006) where expanding a node means writing children with every agent in turn.

    A node is widened until it has `samples_per_agent` children of every agent; then the search descends to the child
    with the largest r̄ + exploration·√(ln N / n), the first on ties: r̄ and n are of the child's subtree, N of its
    parent's. Pending expansions count in n and N but not in r̄ (arXiv:1810.11755, "watch the unobserved"). A full node
    whose children are all still being written is widened further rather than waited for.
    """

    def __init__(self, agents: Sequence[str], options: MctsConfig | None = None) -> None:
        super().__init__(agents)
        self._options = options or MctsConfig()
        self._visits: Counter[int | None] = Counter()  # node id -> nodes in its subtree, itself included
        self._totals: defaultdict[int | None, float] = defaultdict(float)  # node id -> sum of their scores

    def choose(self, tree: Tree, rng: np.random.Generator) -> Choice | Stop:
        if not self._agents:
            return Stop("no agents left")
        pending_at = Counter(expansion.parent_id for expansion in tree.pending.values())
        pending_below = Counter[int | None](pending_at)
        for parent_id, count in pending_at.items():
            for ancestor in [None, *tree.path(parent_id)][:-1]:
                pending_below[ancestor] += count
        width = self._options.samples_per_agent * len(self._agents)
        node_id: int | None = None
        while (children := tree.children(node_id)) and len(children) + pending_at[node_id] >= width:
            log_visits = log(self._visits[node_id] + pending_below[node_id])
            node_id = max(children, key=lambda child: self._uct(child, pending_below[child], log_visits))
        agents_here = Counter(tree.nodes[child].agent for child in children)
        agents_here.update(e.agent for e in tree.pending.values() if e.parent_id == node_id)
        return Choice(node_id, min(self._agents, key=lambda agent: agents_here[agent]))

    def _uct(self, node_id: int, pending: int, log_parent_visits: float) -> float:
        mean = self._totals[node_id] / self._visits[node_id]
        return mean + self._options.exploration * sqrt(log_parent_visits / (self._visits[node_id] + pending))

    def tell(self, tree: Tree, node: Node) -> None:
        super().tell(tree, node)
        for ancestor in [None, *tree.path(node.id)]:
            self._visits[ancestor] += 1
            self._totals[ancestor] += node.score
