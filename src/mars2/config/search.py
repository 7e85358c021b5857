"""Search strategies, their options, and how they are named on a command line, such as `treequest:ABMCTSA`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import yaml

from mars2.config.values import NonNegativeFloat, OneOf, PositiveFraction, PositiveInt, Section
from mars2.core.errors import ConfigError, OptionError

PosteriorName = Literal["beta", "gaussian"]
Order = Literal["node-then-model", "stack"]
AgentChoice = Literal["thompson", "ucb1"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeSettings(Section):
    """What all forms of AB-MCTS-A have."""

    posterior: PosteriorName = "beta"  # of every arm: beta (a = b = ½) or gaussian (NIX m=0, κ=1, ν=1, τ²=0.1)
    order: Order = "node-then-model"  # stack: at every node the agent is drawn first, from that node's own posteriors
    agent_choice: AgentChoice = "thompson"  # of node-then-model; ucb1: with exploration √2
    max_pending_per_node: PositiveInt | None = None  # expansions of one node at a time; None: any number


@dataclass(frozen=True, slots=True, kw_only=True)
class AbMctsConfig(TreeSettings):
    """Multi-agent AB-MCTS-A (arXiv:2503.04412, 2602.07848)."""

    strategy: Literal["ab_mcts"] = "ab_mcts"


@dataclass(frozen=True, slots=True, kw_only=True)
class BestOfNConfig(Section):
    """Independent first attempts, agents in turn."""

    strategy: Literal["best_of_n"] = "best_of_n"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefineBestConfig(Section):
    """Always refine the best program so far."""

    strategy: Literal["refine_best"] = "refine_best"
    num_first_attempts: PositiveInt = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SequentialConfig(Section):
    """One chain: always refine the newest program."""

    strategy: Literal["sequential"] = "sequential"


@dataclass(frozen=True, slots=True, kw_only=True)
class MctsConfig(Section):
    """UCT with a fixed number of children per agent."""

    strategy: Literal["mcts"] = "mcts"
    samples_per_agent: PositiveInt = 2
    exploration: NonNegativeFloat = 1.4142135623730951


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthSettings(TreeSettings):
    """What `depth_guided` and `t_plus` share: γ(d) = max(floor, gamma − slope·d) at depth d."""

    gamma: PositiveFraction = 0.98  # 1: no decay at the root
    slope: NonNegativeFloat = 0.1
    floor: PositiveFraction = 0.5
    count_scope: Literal["depth", "node"] = "depth"  # what counts: children made at that depth, or by the node alone

    def _check(self) -> None:
        if self.floor > self.gamma:
            raise OptionError("floor", f"must be in (0, gamma = {self.gamma}], got {self.floor}; 0.5 is the default")


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthGuidedConfig(DepthSettings):
    """AB-MCTS-A that widens less the deeper it is (MARS2-T+, part 2)."""

    strategy: Literal["depth_guided"] = "depth_guided"


@dataclass(frozen=True, slots=True, kw_only=True)
class TPlusConfig(DepthSettings):
    """The search of MARS2-T+ as recommended here: depth-guided, refining its best programs from the start."""

    strategy: Literal["t_plus"] = "t_plus"
    slope: NonNegativeFloat = 0.02
    count_scope: Literal["depth", "node"] = "node"
    own_score_weight: NonNegativeFloat = 100.0  # observations of a node's own score with which its arms start
    # what arms hear of a new node: the best score on the way down, or its own
    back_up: Literal["best", "score"] = "best"
    go_on: Literal["best-child", "arm"] = "best-child"  # what GEN is compared with: the best child's draw, or CONT's


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeQuestConfig(Section):
    """An algorithm of the TreeQuest library (extra `treequest`), for comparison."""

    strategy: Literal["treequest"] = "treequest"
    algorithm: Literal[
        "ABMCTSA",
        "ABMCTSM",
        "StandardMCTS",
        "TreeOfThoughtsBFSAlgo",
        "BestFirstSearchAlgo",
        "MultiArmedBanditUCBAlgo",
    ] = "ABMCTSA"
    options: dict[str, Any] = field(default_factory=dict[str, Any])  # of the algorithm, for example dist_type: beta


SearchConfig = Annotated[
    AbMctsConfig
    | DepthGuidedConfig
    | TPlusConfig
    | BestOfNConfig
    | RefineBestConfig
    | SequentialConfig
    | MctsConfig
    | TreeQuestConfig,
    OneOf("strategy"),
]


def parse_strategy(text: str) -> dict[str, Any]:
    """The `search` section that `text` stands for, not yet checked.

    `text` is the name of a strategy, then settings as KEY=VALUE, all joined by colons. After `treequest` comes the name
    of its algorithm, and the settings are that algorithm's options.

        ab_mcts                             {"strategy": "ab_mcts"}
        ab_mcts:posterior=gaussian          {"strategy": "ab_mcts", "posterior": "gaussian"}
        treequest:ABMCTSA                   {"strategy": "treequest", "algorithm": "ABMCTSA"}
        treequest:ABMCTSA:dist_type=beta    … and "options": {"dist_type": "beta"}

    Raises:
        ConfigError: a part that is not a setting; unknown names and keys are found when the configuration is checked.
    """
    name, *parts = text.split(":")
    section: dict[str, Any] = {"strategy": name}
    settings = section
    if name == "treequest":
        if parts and "=" not in parts[0]:
            section["algorithm"] = parts.pop(0)
        if parts:
            settings = section["options"] = {}
    for part in parts:
        key, sign, value = part.partition("=")
        if not sign or not key:
            raise ConfigError(
                f"strategy: {text!r} has {part!r}; after the name come settings such as posterior=gaussian"
            )
        settings[key] = _value(text, value)
    return section


def _value(text: str, value: str) -> Any:
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError:
        raise ConfigError(f"strategy: {text!r} has {value!r}, which is not YAML; quote it") from None
