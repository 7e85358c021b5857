"""Advantages against each agent's own past: an estimator that remembers a baseline from tree to tree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import fsum

from mars2.config.training import MovingBaselineConfig
from mars2.core.protocols import EstimatorState
from mars2.core.tree import Tree
from mars2.credit.shaping import require_every_node


@dataclass(frozen=True, slots=True)
class MovingBaseline:
    """b_a ← α·b_a + (1 − α)·R_a, then Â_k = r'_k − b_a for each node k of agent a; b_a starts at 0.

    R_a is the mean shaped reward of the agent's nodes in this tree. Agents that wrote no node keep their baseline.
    SPIRAL's role-conditioned advantage estimation, arXiv:2506.24119; differs: R is one game's return there, the mean
    over the tree here, so the order of nodes does not matter. A tree of equal rewards has advantages too: set
    `training.dynamic_filtering: false` to learn from it.
    """

    options: MovingBaselineConfig

    def initial(self) -> EstimatorState:
        return {}

    def __call__(
        self, tree: Tree, shaped: Mapping[int, float], state: EstimatorState
    ) -> tuple[dict[int, float], EstimatorState]:
        require_every_node(tree, shaped, "shaped reward")
        decay = self.options.decay
        rewards: dict[str, list[float]] = {}
        for node in tree:
            rewards.setdefault(node.agent, []).append(shaped[node.id])
        moved = {a: decay * state.get(a, 0.0) + (1 - decay) * fsum(rs) / len(rs) for a, rs in rewards.items()}
        return {node.id: shaped[node.id] - moved[node.agent] for node in tree}, {**state, **moved}
