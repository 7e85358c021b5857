"""One chain of refinements: what a single conversation would do."""

from __future__ import annotations

import numpy as np

from mars2.core.protocols import Choice, Stop
from mars2.core.tree import Tree
from mars2.search.strategy import Strategy


class Sequential(Strategy):
    """Refine the newest node; agents take turns. One expansion at a time: the chain has one end."""

    def choose(self, tree: Tree, rng: np.random.Generator) -> Choice | Stop:
        if not self._agents:
            return Stop("no agents left")
        if tree.pending:
            return Stop("the chain's last attempt is still being written")
        return Choice(tree.nodes[-1].id if tree.nodes else None, self._next_agent(tree))
