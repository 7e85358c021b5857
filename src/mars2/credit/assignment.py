"""From a finished tree to training samples: verdicts → rewards → shaping → advantages → routing, as configured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mars2.config.training import RewardConfig, ShapingConfig
from mars2.core.protocols import AdvantageEstimator, EstimatorState
from mars2.core.sample import TrainingSample
from mars2.core.tree import Node, Tree
from mars2.credit.rewards import overlong_penalty, raw_reward
from mars2.credit.samples import is_informative, is_truncated, make_samples
from mars2.credit.shaping import shape_rewards


@dataclass(frozen=True, slots=True)
class CreditedTree:
    """A tree, what each node earned, and the samples it gives (none if it was filtered out)."""

    tree: Tree
    rewards: Mapping[int, float]  # node id → raw reward
    shaped: Mapping[int, float]  # node id → shaped reward
    advantages: Mapping[int, float]  # node id → advantage
    samples: list[TrainingSample]
    is_kept: bool

    @property
    def annotations(self) -> dict[int, dict[str, float]]:
        """Node id → its three numbers, as the store keeps them."""
        return {
            k: {"reward": self.rewards[k], "shaped": self.shaped[k], "advantage": self.advantages[k]}
            for k in self.rewards
        }


@dataclass(frozen=True, slots=True)
class Credit:
    """The credit assignment of a run: a pure function of a finished tree and of what the estimator remembers."""

    estimator: AdvantageEstimator
    policy_of_agent: Mapping[str, str]
    max_tokens: Mapping[str, int]  # agent → its longest output, which the overlong penalty is measured from
    reward: RewardConfig
    shaping: ShapingConfig
    dynamic_filtering: bool = True

    def __call__(self, tree: Tree, state: EstimatorState) -> tuple[CreditedTree, EstimatorState]:
        """Credit a finished tree; also returns the estimator's state for the next one.

        Trees are filtered by correctness alone (arXiv:2503.14476 eq. 11); those filtered out count for the state. The
        overlong penalty is added to the advantages: in the reward it would be divided by the tree's standard deviation,
        so that one token too many could outweigh being right.

        Raises:
            SandboxUnavailable: a verdict is the judge's own fault (IE).
            ValueError: a program was accepted on 0 tests.
        """
        rewards = {node.id: raw_reward(node.public_verdict, node.hidden_verdict, self.reward.kind) for node in tree}
        shaped = shape_rewards(tree, rewards, gamma=self.shaping.gamma, sibling_weight=self.shaping.sibling_weight)
        advantages, state = self.estimator(tree, shaped, state)
        if self.reward.overlong_buffer:
            advantages = {node.id: advantages[node.id] + self._overlong_penalty(node) for node in tree}
        if len(tree) == 0 or (self.dynamic_filtering and not is_informative(rewards.values())):
            return CreditedTree(tree, rewards, shaped, advantages, [], is_kept=False), state
        samples = make_samples(
            tree,
            rewards=rewards,
            shaped=shaped,
            advantages=advantages,
            policy_of_agent=self.policy_of_agent,
            mask_truncated=self.reward.mask_truncated,
        )
        return CreditedTree(tree, rewards, shaped, advantages, samples, is_kept=True), state

    def _overlong_penalty(self, node: Node) -> float:
        if is_truncated(node):  # by max_tokens, or earlier by the model's context
            return -self.reward.overlong_factor
        return overlong_penalty(
            len(node.completion.output_ids),
            max_length=self.max_tokens[node.agent],
            buffer=self.reward.overlong_buffer,
            factor=self.reward.overlong_factor,
        )
