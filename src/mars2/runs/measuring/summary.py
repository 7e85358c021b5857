"""What a run measured in machine-readable form (``summary.json``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from mars2.runs.measuring.figures import Figures, Scores, figures_of, gain
from mars2.runs.measuring.results import Results, differences, rows_of

TOTALS = ("failed_calls", "output_tokens", "cost")
"""Counts that are summed over all reported trees."""


def summarise(figures: Mapping[str, Figures], **facts: Any) -> dict[str, Any]:
    """Per agent and for the team, each evaluation by its label; gains where there is a before and an after; `facts`."""
    first = next(iter(figures.values()), None)
    if first is None:
        return dict(facts)
    agents: dict[str, dict[str, Any]] = {}
    for label, found in figures.items():
        for name, scores in found.agents.items():
            agents.setdefault(name, {})[label] = scores.summary()
    team: dict[str, Any] = {label: found.team.summary() for label, found in figures.items()}
    if {"before", "after"} <= figures.keys():
        before, after = figures["before"], figures["after"]
        for name, entry in agents.items():
            entry |= _gain(before.agents[name], after.agents[name], "pass_at_1")
        team |= _gain(before.team, after.team, "pass_at_1_mcts")
    return {"agents": agents, "team": team, "n_problems": first.num_problems, "budget": first.budget} | facts


def summarise_comparison(results: Results, *, agents: Sequence[str], **facts: Any) -> dict[str, Any]:
    """Results and differences of every strategy; `agents` and `team` hold the first strategy's at the full budget."""
    figures = figures_of("evaluation", results, agents)
    first = results.first_attempts
    of_first_attempts = [
        row
        for row in rows_of(first)
        if row.budget == max(first.budgets) and (row.metric == "pass_at_1" or row.metric.startswith("pass_at_1/"))
    ]
    return summarise(
        {"evaluation": figures},
        n_seeds=len(next(iter(first.outcomes.values()))),
        strategies=list(dict.fromkeys(one.strategy for one in results.reported)),
        first_attempts=[asdict(row) for row in of_first_attempts],
        results=[asdict(row) for one in results.reported for row in rows_of(one)],
        differences=[
            asdict(difference) | {"first": list(difference.first), "second": list(difference.second)}
            for difference in differences(results.reported)
        ],
        **{name: sum(one.total(name) for one in results.reported) for name in TOTALS},
        **facts,
    )


def _gain(before: Scores, after: Scores, name: str) -> dict[str, Any]:
    """Gains, paired by problem; empty if a side was not measured."""
    columns = getattr(before, name), getattr(after, name)
    if not all(any(value is not None for value in column) for column in columns):
        return {}
    found = gain(*columns)
    return {"gain": found.mean, "gain_ci95": [found.lo, found.hi]}
