"""Search strategies and their options."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from mars2.config.values import NonNegativeFloat, PositiveInt, Section


class AbMctsConfig(Section):
    """Multi-agent AB-MCTS-A (arXiv:2503.04412, 2602.07848)."""

    strategy: Literal["ab_mcts"]
    posterior: Literal["beta", "gaussian"] = "beta"
    order: Literal["node-then-model", "stack"] = "node-then-model"
    agent_choice: Literal["thompson", "ucb1"] = "thompson"
    max_pending_per_node: PositiveInt | None = None


class BestOfNConfig(Section):
    """Independent first attempts, agents in turn."""

    strategy: Literal["best_of_n"]


class RefineBestConfig(Section):
    """Always refine the best program so far."""

    strategy: Literal["refine_best"]
    num_first_attempts: PositiveInt = 1


class SequentialConfig(Section):
    """One chain: always refine the newest program."""

    strategy: Literal["sequential"]


class MctsConfig(Section):
    """UCT with a fixed number of children per agent."""

    strategy: Literal["mcts"]
    samples_per_agent: PositiveInt = 2
    exploration: NonNegativeFloat = 1.4142135623730951


class DepthGuidance(Section):
    """What `depth_guided` and `t_plus` share."""

    gamma: Annotated[float, Field(gt=0, le=1)] = 0.98
    slope: NonNegativeFloat = 0.1
    floor: Annotated[float, Field(gt=0, le=1)] = 0.5
    count_scope: Literal["depth", "node"] = "depth"
    posterior: Literal["beta", "gaussian"] = "beta"
    order: Literal["node-then-model", "stack"] = "node-then-model"
    agent_choice: Literal["thompson", "ucb1"] = "thompson"
    max_pending_per_node: PositiveInt | None = None


class DepthGuidedConfig(DepthGuidance):
    """AB-MCTS-A that widens less the deeper it is (MARS2-T+, part 2)."""

    strategy: Literal["depth_guided"]


class TPlusConfig(DepthGuidance):
    """The search of MARS2-T+ as recommended here: depth-guided, refining its best programs from the start."""

    strategy: Literal["t_plus"]
    slope: NonNegativeFloat = 0.02
    count_scope: Literal["depth", "node"] = "node"
    own_score_weight: NonNegativeFloat = 100.0
    back_up: Literal["best", "score"] = "best"
    go_on: Literal["best-child", "arm"] = "best-child"


class TreeQuestConfig(Section):
    """An algorithm of the TreeQuest library (extra `treequest`), for comparison."""

    strategy: Literal["treequest"]
    algorithm: Literal[
        "ABMCTSA",
        "ABMCTSM",
        "StandardMCTS",
        "TreeOfThoughtsBFSAlgo",
        "BestFirstSearchAlgo",
        "MultiArmedBanditUCBAlgo",
    ] = "ABMCTSA"
    options: dict[str, Any] = {}  # of the algorithm, for example dist_type: beta


SearchConfig = Annotated[
    AbMctsConfig
    | DepthGuidedConfig
    | TPlusConfig
    | BestOfNConfig
    | RefineBestConfig
    | SequentialConfig
    | MctsConfig
    | TreeQuestConfig,
    Field(discriminator="strategy"),
]
