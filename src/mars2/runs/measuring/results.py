"""From outcomes of trees to the table: estimates per strategy and budget, and paired differences, over problems."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from mars2.core.statistics import Estimate, mean_cis
from mars2.runs.measuring.outcomes import Outcome

TEAM = "team"
"""Who grew a tree: all agents together. Otherwise the name of the agent that grew it alone."""

SCORES = ("pass_at_1", "pass_at_1_mcts", "pass_at_n", "gap")
"""Shares of problems, in [0, 1]: right first attempts, chosen program right, any program right, any minus chosen."""

COSTS = ("num_nodes", "prompt_tokens", "output_tokens", "cost", "seconds", "failed_calls", "cancelled")
"""Per tree: nodes, tokens read and written, money, seconds from start to last node, calls that failed, expansions
given up."""


@dataclass(frozen=True, slots=True)
class Series:
    """The outcomes of one strategy, grown by `who`: problem → seed → one outcome per budget, budgets rising."""

    strategy: str
    who: str
    outcomes: Mapping[str, Mapping[int, Sequence[Outcome]]]

    @property
    def budgets(self) -> list[int]:
        by_seed = next(iter(self.outcomes.values()))
        return [outcome.budget for outcome in next(iter(by_seed.values()))]

    def values(self, metric: str, budget: int) -> list[float | None]:
        """One number per problem, seeds averaged; None where nothing was measured (an agent made no first attempt).

        Args:
            metric: one of `SCORES` or `COSTS`, or pass_at_1/AGENT.
        """
        at = self.budgets.index(budget)
        return [
            _mean(_value(outcomes[at], metric) for outcomes in by_seed.values()) for by_seed in self.outcomes.values()
        ]

    def total(self, name: str) -> Any:
        """The sum of a count over all trees, at their full budget."""
        return sum(getattr(outcomes[-1], name) for by_seed in self.outcomes.values() for outcomes in by_seed.values())


@dataclass(frozen=True, slots=True)
class Results:
    """What an evaluation measured."""

    reported: Sequence[Series]  # [] for a validation
    first_attempts: Series  # the team's best-of-n trees; Pass@1 of the agents comes from their largest budget


@dataclass(frozen=True, slots=True)
class Row:
    """One number of the table, with its 95% bootstrap interval over problems (seeds averaged within a problem)."""

    strategy: str
    who: str
    budget: int
    metric: str
    value: float
    low: float
    high: float
    num_problems: int
    num_seeds: int


@dataclass(frozen=True, slots=True)
class Difference:
    """`first` minus `second` on the same problems, with its 95% bootstrap interval over problems."""

    first: tuple[str, str]  # strategy, who
    second: tuple[str, str]
    budget: int
    metric: str
    value: float
    low: float
    high: float


def rows_of(series: Series) -> list[Row]:
    """Every score and cost at every budget. A score that was not measured (no first attempts) is left out."""
    num_seeds = len(next(iter(series.outcomes.values())))
    measured: dict[tuple[int, str], list[float]] = {}
    for i, budget in enumerate(series.budgets):
        outcomes = [by_seed[seed][i] for by_seed in series.outcomes.values() for seed in by_seed]
        agents = sorted({agent for outcome in outcomes for agent in outcome.first_attempts})
        names = [*SCORES, *COSTS, *(f"pass_at_1/{agent}" for agent in agents if len(agents) > 1)]
        measured |= {(budget, name): [v for v in series.values(name, budget) if v is not None] for name in names}
    estimates: dict[tuple[int, str], Estimate] = {}
    for size in sorted({len(values) for values in measured.values()} - {0}):  # one set of resamples per size
        keys = [key for key, values in measured.items() if len(values) == size]
        estimates |= zip(keys, mean_cis([measured[key] for key in keys]), strict=True)
    return [
        Row(series.strategy, series.who, *key, *estimates[key], len(values), num_seeds)
        for key, values in measured.items()
        if values
    ]


def differences(all_series: Sequence[Series]) -> list[Difference]:
    """Differences of every two strategies of the same agents, and of the team and each agent alone with one strategy.

    The strategy that was named later comes first: "t_plus − best_of_n". There is one for every budget that both have.
    """
    keys: list[tuple[tuple[str, str], tuple[str, str], int, str]] = []
    values: list[list[float]] = []
    for early, late in combinations(all_series, 2):
        same_who, same_strategy = early.who == late.who, early.strategy == late.strategy
        if not same_who and not (same_strategy and TEAM in (early.who, late.who)):
            continue
        first, second = (late, early) if same_who or late.who == TEAM else (early, late)
        for budget in (b for b in first.budgets if b in second.budgets):
            for name in ("pass_at_1_mcts", "pass_at_n"):
                keys.append(((first.strategy, first.who), (second.strategy, second.who), budget, name))
                values.append(paired_differences(second.values(name, budget), first.values(name, budget)))
    return [Difference(*key, *estimate) for key, estimate in zip(keys, mean_cis(values) if values else (), strict=True)]


def problem_rows(all_series: Sequence[Series]) -> list[dict[str, Any]]:
    """One mapping per problem, strategy, who, seed and budget, in this order."""
    return [
        {"problem": problem, "strategy": series.strategy, "who": series.who, "seed": seed}
        | {name: value for name, value in asdict(outcome).items() if not isinstance(value, Mapping)}
        | {"first_attempts": sum(outcome.first_attempts.values())}
        | {"right_first_attempts": sum(outcome.right_first_attempts.values())}
        for series in all_series
        for problem, by_seed in series.outcomes.items()
        for seed in sorted(by_seed)
        for outcome in by_seed[seed]
    ]


def paired_differences(before: Iterable[float | None], after: Iterable[float | None]) -> list[float]:
    """`after` minus `before`, problem by problem, where both were measured."""
    return [b - a for a, b in zip(before, after, strict=True) if a is not None and b is not None]


def _value(outcome: Outcome, name: str) -> float | None:
    match name:
        case "pass_at_1":
            return _first(outcome)
        case "pass_at_1_mcts":
            return float(outcome.is_chosen_right)
        case "pass_at_n":
            return float(outcome.is_any_right)
        case "gap":
            return float(outcome.is_any_right) - float(outcome.is_chosen_right)
        case _ if name.startswith("pass_at_1/"):
            return _first(outcome, name.removeprefix("pass_at_1/"))
        case _:
            return float(getattr(outcome, name))


def _first(outcome: Outcome, agent: str | None = None) -> float | None:
    """Share of right first attempts, of all agents or one; None where there were none."""
    made, right = outcome.first_attempts, outcome.right_first_attempts
    total = sum(made.values()) if agent is None else made.get(agent, 0)
    return (sum(right.values()) if agent is None else right.get(agent, 0)) / total if total else None


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
