"""Independent first attempts: the baseline every search must beat at equal cost."""

from __future__ import annotations

import numpy as np

from mars2.core.protocols import Choice, Stop
from mars2.core.tree import Tree
from mars2.search.strategy import Strategy


class BestOfN(Strategy):
    """Agents take turns; nothing is ever refined."""

    def choose(self, tree: Tree, rng: np.random.Generator) -> Choice | Stop:
        if not self._agents:
            return Stop("no agents left")
        return Choice(None, self._next_agent(tree))
