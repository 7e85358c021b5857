"""What is measured: strategies compared, evaluations, validations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mars2.build.growing import build_grower, build_selection
from mars2.build.team import Team, build_problems
from mars2.config.load import parse_config
from mars2.config.run import RunConfig
from mars2.config.search import (
    BestOfNConfig,
    SearchConfig,
    TreeQuestConfig,
)
from mars2.config.search import parse_strategy
from mars2.core.errors import ConfigError
from mars2.core.problem import Problem
from mars2.problems.subset import seeded_subset
from mars2.runs.measuring.evaluate import Evaluator
from mars2.runs.measuring.evaluation import ChooseAnswer, Entrant
from mars2.runs.measuring.results import TEAM
from mars2.runs.measuring.validate import Validation
from mars2.runs.recorder import Recorder


def build_validation(config: RunConfig, team: Team, problems: Sequence[Problem]) -> Validation:
    assert config.training is not None
    search, samples = BestOfNConfig(strategy="best_of_n"), config.training.evaluate_samples
    return Validation(
        problems=problems,
        first_attempts={
            agent: build_grower(config, team, agents=[agent], search=search, max_nodes=samples)
            for agent in config.agents
        },
        trees_in_flight=config.rollout.trees_in_flight,
        lockstep=config.rollout.lockstep,
    )


def build_evaluator(
    config: RunConfig, team: Team, recorder: Recorder, problems: Sequence[Problem] | None = None
) -> Evaluator:
    """Evaluates on `problems`, or on the configured test split."""
    settings = config.evaluation
    problems = build_problems(config, "test") if problems is None else problems
    problems = seeded_subset(problems, settings.num_problems, config.seed)
    first_attempts = BestOfNConfig(strategy="best_of_n")
    return Evaluator(
        problems=problems,
        team=build_grower(config, team, search=settings.search),
        alone={a: build_grower(config, team, agents=[a], search=settings.search) for a in config.agents}
        if settings.per_agent_trees
        else {},
        first_attempts={
            a: build_grower(config, team, agents=[a], search=first_attempts, max_nodes=settings.samples_per_problem)
            for a in config.agents
        },
        trees_in_flight=config.rollout.trees_in_flight,
        lockstep=config.rollout.lockstep,
        recorder=recorder,
    )


def build_strategies(config: RunConfig) -> dict[str, SearchConfig]:
    """What `mars2 evaluate` compares: name in tables → settings. The run's own strategy keeps its settings.

    Raises:
        ConfigError: a strategy that does not exist, or is named twice.
    """
    search = config.evaluation.search or config.search
    own = search.algorithm if isinstance(search, TreeQuestConfig) else None
    own_name = search.strategy if own is None else f"{search.strategy}:{own}"
    found: dict[str, SearchConfig] = {}
    for name in config.evaluation.strategies or [own_name]:
        if name in found:
            raise ConfigError(f"evaluation.strategies: {name!r} is named twice; name each strategy once")
        if name == own_name:
            found[name] = search
        else:
            found[name] = parse_config(config.as_dict() | {"search": parse_strategy(name)}).search
    return found


def build_entrants(config: RunConfig, team: Team) -> list[Entrant]:
    """Every strategy with the whole team and, where configured, with each agent alone; and best-of-n trees for Pass@1.

    First attempts come from the team's best-of-n trees; where that strategy is not compared, such trees are grown with
    `evaluation.samples_per_problem` attempts per agent.
    """
    teams: dict[str, list[str]] = {TEAM: list(config.agents)}
    if config.evaluation.per_agent_trees and len(config.agents) > 1:
        teams |= {agent: [agent] for agent in config.agents}

    def entrant(name: str, who: str, search: SearchConfig, max_nodes: int, *, is_reported: bool = True) -> Entrant:
        grower = build_grower(config, team, agents=teams[who], search=search, max_nodes=max_nodes)
        grower = replace(grower, expansions_in_flight=config.rollout.expansions_in_flight)  # the same for all
        selection = build_selection(config)
        if search.strategy == "t_plus":  # the behaviour of programs is part of it
            selection = replace(selection, rule="behaviour")
        return Entrant(name, who, grower, ChooseAnswer(team.sandbox, selection, team.guide), is_reported)

    strategies = build_strategies(config)
    budget = config.rollout.max_nodes
    entrants = [entrant(name, who, search, budget) for name, search in strategies.items() for who in teams]
    if "best_of_n" not in strategies:
        first = BestOfNConfig(strategy="best_of_n")
        attempts = config.evaluation.samples_per_problem * len(config.agents)
        entrants.append(entrant("best_of_n", TEAM, first, attempts, is_reported=False))
    return entrants
