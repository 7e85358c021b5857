"""Always refine the best node so far: trivial, and strong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mars2.config.search import RefineBestConfig
from mars2.core.protocols import Choice, Stop
from mars2.core.tree import Node, Tree
from mars2.search.strategy import Strategy


class RefineBest(Strategy):
    """First attempts until there are `num_first_attempts`, then refinements of the best score; the earliest wins ties.

    Agents take turns. While no attempt is finished, further choices are first attempts too.
    """

    def __init__(self, agents: Sequence[str], options: RefineBestConfig | None = None) -> None:
        super().__init__(agents)
        self._num_first_attempts = (options or RefineBestConfig()).num_first_attempts
        self._best: Node | None = None

    def choose(self, tree: Tree, rng: np.random.Generator) -> Choice | Stop:
        if not self._agents:
            return Stop("no agents left")
        agent = self._next_agent(tree)
        first_attempts = len(tree.children(None)) + sum(e.parent_id is None for e in tree.pending.values())
        if self._best is None or first_attempts < self._num_first_attempts:
            return Choice(None, agent)
        return Choice(self._best.id, agent)

    def tell(self, tree: Tree, node: Node) -> None:
        super().tell(tree, node)
        if self._best is None or node.score > self._best.score:
            self._best = node
