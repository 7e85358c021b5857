"""A comparison in machine-readable form (``summary.json``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from mars2.runs.measuring.results import TEAM, Row, Series, differences, rows_of


def summarise_comparison(
    series: Sequence[Series], *, first_attempts: Series, agents: Sequence[str], **facts: Any
) -> dict[str, Any]:
    """Results and differences of every strategy; `agents` and `team` hold the first strategy's at the full budget.

    Args:
        series: what is reported.
        first_attempts: the team's best-of-n trees; Pass@1 of the agents comes from their largest budget.
    """
    rows = [row for one in series for row in rows_of(one)]
    budget = max(series[0].budgets)
    main = [one for one in series if one.strategy == series[0].strategy]
    by_who = {one.who: _scores(rows, one, budget) for one in main}
    last = max(first_attempts.budgets)
    first = {
        row.metric: row
        for row in rows_of(first_attempts)
        if row.budget == last and (row.metric == "pass_at_1" or row.metric.startswith("pass_at_1/"))
    }
    found: dict[str, Any] = {}
    for agent in agents:
        scores = by_who.get(agent, by_who[TEAM] if len(agents) == 1 else {})
        row = first.get("pass_at_1" if len(agents) == 1 else f"pass_at_1/{agent}")
        found[agent] = {"evaluation": (_named("pass_at_1", row) if row else {}) | scores}
    return {
        "agents": found,
        "team": {"evaluation": by_who[TEAM]},
        "n_problems": len(series[0].outcomes),
        "n_seeds": len(next(iter(series[0].outcomes.values()))),
        "budget": budget,
        "strategies": list(dict.fromkeys(one.strategy for one in series)),
        "first_attempts": [asdict(row) for row in first.values()],
        "results": [asdict(row) for row in rows],
        "differences": [
            asdict(difference) | {"first": list(difference.first), "second": list(difference.second)}
            for difference in differences(series)
        ],
        "failed_calls": _total(series, "failed_calls"),
        "output_tokens": _total(series, "output_tokens"),
        "cost": _total(series, "cost"),
    } | facts


def _scores(rows: Sequence[Row], series: Series, budget: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for row in rows:
        is_its = (row.strategy, row.who, row.budget) == (series.strategy, series.who, budget)
        if is_its and row.metric in ("pass_at_1_mcts", "pass_at_n"):
            found |= _named(row.metric, row)
    return found


def _named(name: str, row: Row) -> dict[str, Any]:
    return {name: row.value, "ci95" if name == "pass_at_1" else f"{name}_ci95": [row.low, row.high]}


def _total(series: Sequence[Series], name: str) -> Any:
    """Over all trees, at their full budget."""
    return sum(
        getattr(outcomes[-1], name)
        for one in series
        for by_seed in one.outcomes.values()
        for outcomes in by_seed.values()
    )
