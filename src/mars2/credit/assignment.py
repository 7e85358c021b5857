"""From a finished tree to training samples: rewards → shaping → advantages → routing, as configured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mars2.core.protocols import AdvantageEstimator
from mars2.core.sample import TrainingSample
from mars2.core.tree import Tree
from mars2.credit.samples import is_informative, make_samples
from mars2.credit.shaping import shape_rewards


@dataclass(frozen=True, slots=True)
class CreditedTree:
    """A tree, what each node earned, and the samples it gives (none if it was filtered out)."""

    tree: Tree
    shaped: Mapping[int, float]  # node id → shaped reward
    advantages: Mapping[int, float]  # node id → advantage
    samples: list[TrainingSample]
    is_kept: bool

    @property
    def annotations(self) -> dict[int, dict[str, float]]:
        return {k: {"shaped": self.shaped[k], "advantage": self.advantages[k]} for k in self.shaped}


@dataclass(frozen=True, slots=True)
class Credit:
    """The credit assignment of a run."""

    estimator: AdvantageEstimator
    policy_of_agent: Mapping[str, str]
    shaping_gamma: float
    shaping_sibling_weight: float
    dynamic_filtering: bool

    def __call__(self, tree: Tree) -> CreditedTree:
        rewards = {node.id: node.reward for node in tree if node.reward is not None}
        shaped = shape_rewards(tree, rewards, gamma=self.shaping_gamma, sibling_weight=self.shaping_sibling_weight)
        advantages = self.estimator(tree, shaped)
        is_kept = len(tree) > 0 and (not self.dynamic_filtering or is_informative(rewards.values()))
        samples = (
            make_samples(
                tree, rewards=rewards, shaped=shaped, advantages=advantages, policy_of_agent=self.policy_of_agent
            )
            if is_kept
            else []
        )
        return CreditedTree(tree, shaped, advantages, samples, is_kept)
