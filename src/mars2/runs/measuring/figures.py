"""The headline of an evaluation: Pass@1 of each agent, and of each agent and the team Pass@1(MCTS) and Pass@N."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mars2.core.statistics import Estimate, mean_ci
from mars2.runs.measuring.results import TEAM, Results, Series, paired_differences

Column = tuple[float | None, ...]
"""One value in [0, 1] per problem, in the order of the problems; None where nothing was measured."""


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores of one agent or of the team; () for a score that was not asked for."""

    pass_at_1: Column = ()  # share of right first attempts
    pass_at_1_mcts: Column = ()  # is the chosen program right?
    pass_at_n: Column = ()  # is any program right?

    def mean(self, name: str) -> float | None:
        known = [value for value in getattr(self, name) if value is not None]
        return sum(known) / len(known) if known else None

    def summary(self) -> dict[str, Any]:
        """``name`` and ``name_ci95``: means with 95% bootstrap intervals over problems, of what was measured."""
        found: dict[str, Any] = {}
        for name in asdict(self):
            known = [value for value in getattr(self, name) if value is not None]
            if known:
                estimate = mean_ci(known)
                found |= {name: estimate.mean, f"{name}_ci95": [estimate.lo, estimate.hi]}
        return found


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one evaluation, at its full budget, of its first strategy."""

    label: str
    agents: Mapping[str, Scores]
    team: Scores
    num_problems: int
    budget: int  # nodes per tree
    num_failed_calls: int

    def payload(self) -> dict[str, Any]:
        """The figures as the run's event log keeps them."""
        return {
            "label": self.label,
            "agents": {name: scores.summary() for name, scores in self.agents.items()},
            "team": self.team.summary(),
            "n_problems": self.num_problems,
            "budget": self.budget,
            "failed_calls": self.num_failed_calls,
            "per_problem": {"agents": {n: asdict(s) for n, s in self.agents.items()}, "team": asdict(self.team)},
        }


def figures_of(label: str, results: Results, agents: Sequence[str]) -> Figures:
    """The figures of `results`; a single agent is its own team."""
    first = results.first_attempts
    last = max(first.budgets)
    main = [one for one in results.reported if one.strategy == results.reported[0].strategy]
    by_who = {one.who: _of_trees(one) for one in main}

    def scores(agent: str) -> Scores:
        alone = by_who.get(TEAM if len(agents) == 1 else agent, Scores())
        metric = "pass_at_1" if len(agents) == 1 else f"pass_at_1/{agent}"
        return Scores(tuple(first.values(metric, last)), alone.pass_at_1_mcts, alone.pass_at_n)

    every = [first, *(one for one in results.reported if one is not first)]
    return Figures(
        label=label,
        agents={agent: scores(agent) for agent in agents},
        team=by_who.get(TEAM, Scores()),
        num_problems=len(first.outcomes),
        budget=max(main[0].budgets) if main else last,
        num_failed_calls=int(sum(one.total("failed_calls") for one in every)),
    )


def gain(before: Column, after: Column) -> Estimate:
    """Mean difference, paired by problem, with its 95% bootstrap interval."""
    return mean_ci(paired_differences(before, after))


def _of_trees(series: Series) -> Scores:
    budget = max(series.budgets)
    return Scores((), *(tuple(series.values(name, budget)) for name in ("pass_at_1_mcts", "pass_at_n")))
