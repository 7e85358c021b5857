"""MARS2-T+, part 2: the more a level was tried, and the deeper it is, the less one more child there is worth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from mars2.core.errors import ConfigError
from mars2.core.tree import Node, Tree
from mars2.search.ab_mcts import AbMcts, AgentChoice, Order


class DepthGuided(AbMcts):
    """AB-MCTS-A whose GEN draw at depth d becomes γ(d)^c · draw, γ(d) = max(floor, gamma − slope·d).

    arXiv:2602.07848 (r̄_gen = γ(d)^c_d · r_gen). The root has depth 0. c is the number of children generated so far by
    all nodes at depth d (`count_scope` "depth"), or by the node alone ("node"). Differs: a negative draw, possible with
    Gaussian posteriors, is made smaller too: draw − (1 − γ^c)·|draw|, which is γ^c · draw for a draw >= 0.

    Args:
        agents, posterior, order, agent_choice, max_pending_per_node: see `AbMcts`.
        gamma: γ(0), in (0, 1].
        slope: how much γ falls per level, >= 0.
        floor: the least γ, in (0, gamma].
        count_scope: what c counts.
    """

    def __init__(
        self,
        agents: Sequence[str],
        *,
        gamma: float = 0.98,
        slope: float = 0.1,
        floor: float = 0.5,
        count_scope: Literal["depth", "node"] = "depth",
        posterior: Literal["beta", "gaussian"] = "beta",
        order: Order = "node-then-model",
        agent_choice: AgentChoice = "thompson",
        max_pending_per_node: int | None = None,
    ) -> None:
        super().__init__(
            agents,
            posterior=posterior,
            order=order,
            agent_choice=agent_choice,
            max_pending_per_node=max_pending_per_node,
        )
        if not 0 < gamma <= 1:
            raise ConfigError(
                f"search.gamma must be in (0, 1], got {gamma}; 0.98 is the default, 1 means no decay at the root"
            )
        if slope < 0:
            raise ConfigError(f"search.slope must be >= 0, got {slope}; 0.1 is the default")
        if not 0 < floor <= gamma:
            raise ConfigError(f"search.floor must be in (0, gamma = {gamma}], got {floor}; 0.5 is the default")
        if count_scope not in ("depth", "node"):
            raise ConfigError(f"search.count_scope must be depth or node, got {count_scope!r}; depth is the default")
        self._gamma = gamma
        self._slope = slope
        self._floor = floor
        self._per_node = count_scope == "node"
        self._generated_at: Counter[int] = Counter()  # depth of the parent -> children

    def decay(self, depth: int) -> float:
        """γ(d)."""
        return max(self._floor, self._gamma - self._slope * depth)

    def scale_generation(self, tree: Tree, parent_id: int | None, draw: float) -> float:
        depth = tree.depth(parent_id)
        generated = len(tree.children(parent_id)) if self._per_node else self._generated_at[depth]
        return draw - (1.0 - self.decay(depth) ** generated) * abs(draw)

    def tell(self, tree: Tree, node: Node) -> None:
        super().tell(tree, node)
        self._generated_at[node.depth - 1] += 1
