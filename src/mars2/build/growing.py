"""Search strategies and the growers of trees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import assert_never

from mars2.config.run import RunConfig
from mars2.config.search import (
    AbMctsConfig,
    BestOfNConfig,
    DepthGuidedConfig,
    MctsConfig,
    RefineBestConfig,
    SearchConfig,
    SequentialConfig,
    TPlusConfig,
    TreeQuestConfig,
)
from mars2.core.protocols import (
    Search,
)
from mars2.runs.growing.attempt import Hidden
from mars2.runs.growing.grow_tree import TreeGrower
from mars2.runs.growing.guidance import Guide
from mars2.runs.growing.team import Team
from mars2.search.ab_mcts import AbMcts
from mars2.search.best_of_n import BestOfN
from mars2.search.depth_guided import DepthGuided
from mars2.search.mcts import Mcts
from mars2.search.refine_best import RefineBest
from mars2.search.sequential import Sequential
from mars2.search.t_plus import TPlus
from mars2.search.treequest_adapter import TreeQuestSearch


def build_search(search: SearchConfig, agents: Sequence[str]) -> Callable[[], Search]:
    """A factory of one search per tree."""
    match search:
        case AbMctsConfig():
            return lambda: AbMcts(agents, search)
        case TPlusConfig():
            return lambda: TPlus(agents, search)
        case DepthGuidedConfig():
            return lambda: DepthGuided(agents, search)
        case BestOfNConfig():
            return lambda: BestOfN(agents)
        case RefineBestConfig():
            return lambda: RefineBest(agents, search)
        case SequentialConfig():
            return lambda: Sequential(agents)
        case MctsConfig():
            return lambda: Mcts(agents, search)
        case TreeQuestConfig():
            TreeQuestSearch(agents, search)  # a mistake is found now
            return lambda: TreeQuestSearch(agents, search)
        case _:
            assert_never(search)


def build_grower(
    config: RunConfig,
    team: Team,
    *,
    agents: Sequence[str] | None = None,
    search: SearchConfig | None = None,
    max_nodes: int | None = None,
    judge_hidden: bool = True,
    guided: bool = True,
) -> TreeGrower:
    """Grows trees with all agents, or with some of them; `search` and `max_nodes` replace the configured ones.

    Args:
        guided: let the reward model have its part in search scores. Training rollouts see public tests only.
    """
    names = list(config.agents) if agents is None else list(agents)
    search = search or config.search
    max_nodes = max_nodes or config.rollout.max_nodes
    return TreeGrower(
        agents={name: team.agents[name] for name in names},
        new_search=build_search(search, names),
        prompter=team.prompter,
        sandbox=team.sandbox,
        seed=config.seed,
        max_nodes=max_nodes,
        hidden=_hidden(config) if judge_hidden else "never",
        # Independent first attempts have nothing to wait for.
        expansions_in_flight=max_nodes if search.strategy == "best_of_n" else config.rollout.expansions_in_flight,
        order=config.rollout.order or "expansion",
        retries=config.rollout,
        budget=config.budget,
        stop_rules=config.stopping,
        slots=team.slots,
        guide=team.guide if guided else None,
        alpha=config.guidance.alpha if config.guidance and guided else 0.0,
    )


def _hidden(config: RunConfig) -> Hidden:
    """A binary reward is known at the first failed test; a share of tests needs them all."""
    return "always" if config.training and config.training.reward.kind == "fraction" else "if public passed"


def weigher_of_answers(config: RunConfig, team: Team) -> Guide | None:
    """The reward model that has a part in the choice of the answer; None: none has."""
    return team.guide if config.guidance is not None and config.guidance.selection else None
