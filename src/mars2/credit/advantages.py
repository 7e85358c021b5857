"""Advantages of one finished tree: how much better each node is than its group. One function per estimator.

The group is the tree (arXiv:2604.14564, path-level group advantage), named by `tree.tree_id`, never by list position,
so trees may have any size. These functions remember nothing from tree to tree; `Stateless` makes each a
`mars2.core.protocols.AdvantageEstimator`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import fsum, sqrt

from mars2.core.protocols import EstimatorState
from mars2.core.tree import Tree
from mars2.credit.shaping import require_every_node

STD_EPSILON = 1e-6  # keeps a tree of equal rewards at 0 instead of 0/0


@dataclass(frozen=True, slots=True)
class Stateless:
    """An estimator that looks at one tree only."""

    formula: Callable[[Tree, Mapping[int, float]], dict[int, float]]  # (tree, shaped rewards) → advantages

    def initial(self) -> EstimatorState:
        return {}

    def __call__(
        self, tree: Tree, shaped: Mapping[int, float], state: EstimatorState
    ) -> tuple[dict[int, float], EstimatorState]:
        return self.formula(tree, shaped), state


def tree_group(tree: Tree, shaped: Mapping[int, float]) -> dict[int, float]:
    """Â_k = (r'_k − mean_T r') / (std_T r' + ε), over all nodes of the tree whatever their agent or depth.

    arXiv:2402.03300 §4.1.2 with the tree as the group; differs: std divides by G, not G − 1, so a tree of 1 is defined.
    """
    require_every_node(tree, shaped, "shaped reward")
    return _normalise(dict(shaped))


def no_std(tree: Tree, shaped: Mapping[int, float]) -> dict[int, float]:
    """Â_k = r'_k − mean_T r'. Dr. GRPO, arXiv:2503.20783 §3.2: no bias towards trees whose rewards hardly vary."""
    require_every_node(tree, shaped, "shaped reward")
    mean = _mean(shaped)
    return {node_id: reward - mean for node_id, reward in shaped.items()}


def leave_one_out(tree: Tree, shaped: Mapping[int, float]) -> dict[int, float]:
    """Â_k = r'_k − mean of the other nodes of the tree. RLOO, arXiv:2402.14740 §2.2. 0 in a tree of 1."""
    require_every_node(tree, shaped, "shaped reward")
    num_others = len(shaped) - 1
    if num_others <= 0:
        return dict.fromkeys(shaped, 0.0)
    total = fsum(shaped.values())
    return {node_id: reward - (total - reward) / num_others for node_id, reward in shaped.items()}


def per_agent(tree: Tree, shaped: Mapping[int, float]) -> dict[int, float]:
    """`tree_group` within the nodes of each agent: compared with itself only. 0 for an agent's only node."""
    require_every_node(tree, shaped, "shaped reward")
    by_agent: dict[str, dict[int, float]] = {}
    for node in tree:
        by_agent.setdefault(node.agent, {})[node.id] = shaped[node.id]
    advantages: dict[int, float] = {}
    for group in by_agent.values():
        advantages.update(_normalise(group))
    return advantages


def _normalise(rewards: Mapping[int, float]) -> dict[int, float]:
    if not rewards:
        return {}
    mean = _mean(rewards)
    std = sqrt(fsum((r - mean) ** 2 for r in rewards.values()) / len(rewards))
    return {node_id: (reward - mean) / (std + STD_EPSILON) for node_id, reward in rewards.items()}


def _mean(rewards: Mapping[int, float]) -> float:
    return fsum(rewards.values()) / len(rewards) if rewards else 0.0
