"""MARS2-T+, part 2: the more a level was tried, and the deeper it is, the less one more child there is worth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mars2.config.search import DepthGuidedConfig, DepthSettings
from mars2.core.tree import Node, Tree
from mars2.search.ab_mcts import AbMcts


class DepthGuided(AbMcts):
    """AB-MCTS-A whose GEN draw at depth d becomes γ(d)^c · draw, γ(d) = max(floor, gamma − slope·d).

    arXiv:2602.07848 (r̄_gen = γ(d)^c_d · r_gen). The root has depth 0. c is the number of children generated so far by
    all nodes at depth d (`count_scope` "depth"), or by the node alone ("node"). Differs: a negative draw, possible with
    Gaussian posteriors, is made smaller too: draw − (1 − γ^c)·|draw|, which is γ^c · draw for a draw >= 0.

    γ's keys and `count_scope` are those of the options.
    """

    def __init__(self, agents: Sequence[str], options: DepthSettings | None = None) -> None:
        options = options or DepthGuidedConfig()
        super().__init__(agents, options)
        self._options = options
        self._generated_at: Counter[int] = Counter()  # depth of the parent -> children

    def decay(self, depth: int) -> float:
        """γ(d)."""
        return max(self._options.floor, self._options.gamma - self._options.slope * depth)

    def scale_generation(self, tree: Tree, parent_id: int | None, draw: float) -> float:
        depth = tree.depth(parent_id)
        per_node = self._options.count_scope == "node"
        generated = len(tree.children(parent_id)) if per_node else self._generated_at[depth]
        return draw - (1.0 - self.decay(depth) ** generated) * abs(draw)

    def tell(self, tree: Tree, node: Node) -> None:
        super().tell(tree, node)
        self._generated_at[node.depth - 1] += 1
