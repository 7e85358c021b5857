"""From a credited tree to what the learners are fed, each policy getting the nodes its own agents wrote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mars2.core.sample import TrainingSample
from mars2.core.tree import Node, Tree
from mars2.credit.shaping import require_every_node


def make_samples(
    tree: Tree,
    *,
    rewards: Mapping[int, float],
    shaped: Mapping[int, float],
    advantages: Mapping[int, float],
    policy_of_agent: Mapping[str, str],
    mask_truncated: bool = False,
) -> list[TrainingSample]:
    """One sample per node, in node order, with the sampler's own token ids, log-probs and policy version.

    Nodes without output tokens are left out (nothing to learn from), and so are those of agents that are not in
    `policy_of_agent` (frozen agents).

    Args:
        tree: a finished tree.
        rewards: raw reward by node id; likewise `shaped` and `advantages`.
        policy_of_agent: the trained policy behind each agent.
        mask_truncated: leave out answers that were cut off (overlong filtering, arXiv:2503.14476 §3.4).

    Raises:
        ValueError: a value is missing, the completion is from another policy, or log-probs do not match the tokens.
    """
    require_every_node(tree, rewards, "reward")
    require_every_node(tree, shaped, "shaped reward")
    require_every_node(tree, advantages, "advantage")
    samples: list[TrainingSample] = []
    for node in tree:
        completion = node.completion
        if node.agent not in policy_of_agent or not completion.output_ids:
            continue
        if mask_truncated and is_truncated(node):
            continue
        where = f"tree {tree.tree_id} node {node.id}"
        policy = policy_of_agent[node.agent]
        if completion.policy != policy:
            raise ValueError(f"{where}: agent {node.agent} has policy {policy}, but {completion.policy} wrote the node")
        if len(completion.logprobs) not in (0, len(completion.output_ids)):
            raise ValueError(
                f"{where}: {len(completion.logprobs)} log-probs for {len(completion.output_ids)} output tokens"
            )
        samples.append(
            TrainingSample(
                key=f"{tree.tree_id}/{node.id}",
                tree_id=tree.tree_id,
                node_id=node.id,
                agent=node.agent,
                policy=policy,
                policy_version=completion.policy_version,
                prompt_ids=completion.prompt_ids,
                output_ids=completion.output_ids,
                rollout_logprobs=completion.logprobs,
                reward=rewards[node.id],
                shaped=shaped[node.id],
                advantage=advantages[node.id],
            )
        )
    return samples


def is_truncated(node: Node) -> bool:
    """Whether the answer was cut off, by the limit of its output or by the model's context."""
    return node.completion.finish_reason == "length"


def is_informative(rewards: Iterable[float]) -> bool:
    """False where all rewards are equal: every advantage is 0, and the tree teaches nothing.

    Dynamic filtering drops such trees and keeps sampling until the batch is full (arXiv:2503.14476 eq. 11).
    """
    values = list(rewards)
    return any(value != values[0] for value in values[1:])
