"""What is measured: strategies compared, evaluations, validations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mars2.build.growing import build_grower, weigher_of_answers
from mars2.build.team import build_problems
from mars2.config.growing import BudgetConfig, StoppingConfig
from mars2.config.load import parse_search
from mars2.config.run import RunConfig
from mars2.config.search import BestOfNConfig, SearchConfig, TreeQuestConfig
from mars2.core.errors import ConfigError
from mars2.core.problem import Problem
from mars2.core.tree import Tree
from mars2.problems.subset import seeded_subset
from mars2.runs.growing.grow_tree import TreeGrower
from mars2.runs.growing.team import Team
from mars2.runs.measuring.evaluation import ChooseAnswer, Entrant, Evaluation, Measured, Memory
from mars2.runs.measuring.results import TEAM
from mars2.runs.measuring.validation import Validation
from mars2.runs.recorder import Recorder
from mars2.store.run_store import RunStore


def build_problems_to_measure(config: RunConfig) -> Sequence[Problem]:
    """The test split, or the random part of it that `evaluation.num_problems` asks for.

    Raises:
        ProblemError: as `build_problems`.
    """
    return seeded_subset(build_problems(config, "test"), config.evaluation.num_problems, config.seed)


def build_memory(store: RunStore, recorder: Recorder) -> Memory:
    """What the run in `store` holds of its evaluations."""

    def recorded(tree_id: str) -> Tree | None:
        found = store.tree(tree_id)
        return None if found is None else found.tree

    measured = {note.payload["tree_id"]: Measured.from_payload(note.payload) for note in store.events("measured")}
    return Memory(recorder, measured, recorded)


def build_evaluation(config: RunConfig, team: Team, problems: Sequence[Problem], memory: Memory) -> Evaluation:
    """What `mars2 evaluate` measures: every strategy of `build_strategies`, with `evaluation.seeds` trees a problem."""
    return Evaluation(
        problems=problems,
        entrants=_entrants(config, team, build_strategies(config)),
        seeds=config.evaluation.seeds,
        trees_in_flight=config.rollout.trees_in_flight,
        lockstep=config.rollout.lockstep,
        memory=memory,
    )


def build_training_evaluation(
    config: RunConfig, team: Team, problems: Sequence[Problem], memory: Memory, label: str
) -> Evaluation:
    """What is measured before and after training: the run's own strategy, one tree a problem."""
    search = config.evaluation.search or config.search
    return Evaluation(
        problems=problems,
        entrants=_entrants(config, team, {_name(search): search}),
        trees_in_flight=config.rollout.trees_in_flight,
        lockstep=config.rollout.lockstep,
        label=label,
        memory=memory,
    )


def build_validation(config: RunConfig, team: Team, problems: Sequence[Problem]) -> Validation:
    """First attempts of every agent; no strategy is compared."""
    assert config.training is not None
    evaluation = Evaluation(
        problems=problems,
        entrants=[_first_attempts(config, team, config.training.evaluate_samples)],
        trees_in_flight=config.rollout.trees_in_flight,
        lockstep=config.rollout.lockstep,
        label="validation",
    )
    return Validation(evaluation, tuple(config.agents))


def build_strategies(config: RunConfig) -> dict[str, SearchConfig]:
    """What `mars2 evaluate` compares: name in tables → settings. The run's own strategy keeps its settings.

    Raises:
        ConfigError: a strategy that does not exist, or is named twice.
    """
    search = config.evaluation.search or config.search
    own_name = _name(search)
    found: dict[str, SearchConfig] = {}
    for name in config.evaluation.strategies or [own_name]:
        if name in found:
            raise ConfigError(f"evaluation.strategies: {name!r} is named twice; name each strategy once")
        if name == own_name:
            found[name] = search
        else:
            found[name] = parse_search(name)
    return found


def _name(search: SearchConfig) -> str:
    """How a strategy is called in tables and on the command line."""
    return f"{search.strategy}:{search.algorithm}" if isinstance(search, TreeQuestConfig) else search.strategy


def _entrants(config: RunConfig, team: Team, strategies: Mapping[str, SearchConfig]) -> list[Entrant]:
    """Every strategy with the whole team and, where configured, with each agent alone; and the trees for Pass@1.

    Pass@1 comes from the team's best-of-n trees. Where that strategy is not compared, or stop rules or a budget may end
    its trees early, such trees are grown beside: a tree that ends at its first right answer overstates Pass@1.
    """
    teams: dict[str, list[str]] = {TEAM: list(config.agents)}
    if config.evaluation.per_agent_trees and len(config.agents) > 1:
        teams |= {agent: [agent] for agent in config.agents}
    entrants: list[Entrant] = []
    for name, search in strategies.items():
        for who, agents in teams.items():
            grower = build_grower(config, team, agents=agents, search=search)
            grower = replace(grower, expansions_in_flight=config.rollout.expansions_in_flight)  # the same for all
            entrant = Entrant(name, who, grower, _choose(config, team, search))
            if name == "best_of_n" and who == TEAM:
                whole = _never_ended_early(grower)
                if whole != grower:
                    entrants.append(replace(entrant, ending="ended early"))
                entrant = replace(entrant, grower=whole, is_reported=whole == grower, gives_first_attempts=True)
            entrants.append(entrant)
    if not any(entrant.gives_first_attempts for entrant in entrants):
        entrants.append(_first_attempts(config, team, config.evaluation.samples_per_problem))
    return entrants


def _first_attempts(config: RunConfig, team: Team, samples: int) -> Entrant:
    """Best-of-n trees in which every agent makes `samples` attempts."""
    search = BestOfNConfig()
    grower = build_grower(config, team, search=search, max_nodes=samples * len(config.agents))
    choose = _choose(config, team, search)
    return Entrant("best_of_n", TEAM, _never_ended_early(grower), choose, is_reported=False, gives_first_attempts=True)


def _never_ended_early(grower: TreeGrower) -> TreeGrower:
    """Without stop rules and budget."""
    return replace(grower, stop_rules=StoppingConfig(), budget=BudgetConfig())


def _choose(config: RunConfig, team: Team, search: SearchConfig) -> ChooseAnswer:
    selection = config.selection
    if search.strategy == "t_plus":  # the behaviour of programs is part of it
        selection = replace(selection, rule="behaviour")
    return ChooseAnswer(team.sandbox, selection, config.seed, weigher_of_answers(config, team))
