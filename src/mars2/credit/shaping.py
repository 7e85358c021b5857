"""Tree-consistent shaping: a node is rewarded for being better than where it came from and than its siblings."""

from __future__ import annotations

from collections.abc import Mapping
from math import fsum

from mars2.core.tree import Tree


def shape_rewards(
    tree: Tree, rewards: Mapping[int, float], *, gamma: float, sibling_weight: float = 0.5
) -> dict[int, float]:
    """Shaped reward of every node, in a new mapping; `rewards` is left as it is.

        r'_k = r_k + γ_s (r_k − b_k),    b_k = (1 − λ) · r_parent + λ · mean(siblings without k)

    Every r on the right is *raw*, so the result does not depend on the order of nodes. A first attempt has no parent
    reward, and its siblings are the other first attempts. Where only one of parent and siblings exists, b_k is that
    one; where neither does, r'_k = r_k. arXiv:2604.14564 (tree-consistent reward shaping).

    Args:
        tree: a finished tree; any size.
        rewards: raw reward by node id, for every node of the tree.
        gamma: γ_s >= 0, the strength; 0 is the identity.
        sibling_weight: λ in [0, 1], how much of the baseline comes from the siblings.

    Raises:
        ValueError: a node has no reward, or an argument is out of range.
    """
    if gamma < 0:
        raise ValueError(f"shaping gamma must be >= 0, got {gamma}; use 0 for no shaping")
    if not 0 <= sibling_weight <= 1:
        raise ValueError(f"shaping sibling_weight must be in [0, 1], got {sibling_weight}")
    require_every_node(tree, rewards, "reward")
    sibling_totals = {
        parent_id: fsum(rewards[child] for child in tree.children(parent_id))
        for parent_id in {node.parent_id for node in tree}
    }
    shaped: dict[int, float] = {}
    for node in tree:
        reward = rewards[node.id]
        num_siblings = len(tree.children(node.parent_id)) - 1
        sibling_mean = (sibling_totals[node.parent_id] - reward) / num_siblings if num_siblings else None
        parent_reward = None if node.parent_id is None else rewards[node.parent_id]
        if parent_reward is not None and sibling_mean is not None:
            baseline = (1 - sibling_weight) * parent_reward + sibling_weight * sibling_mean
        elif parent_reward is not None:
            baseline = parent_reward
        elif sibling_mean is not None:
            baseline = sibling_mean
        else:
            baseline = reward
        shaped[node.id] = reward + gamma * (reward - baseline)
    return shaped


def require_every_node(tree: Tree, values: Mapping[int, object], what: str) -> None:
    """Raise ValueError unless `values` holds exactly one value for each node of `tree`."""
    node_ids = {node.id for node in tree}
    if missing := sorted(node_ids - values.keys()):
        raise ValueError(f"tree {tree.tree_id}: {what} missing for nodes {missing}; give every node one")
    if extra := sorted(values.keys() - node_ids):
        raise ValueError(f"tree {tree.tree_id}: {what} given for unknown nodes {extra}")
