"""What the page shows of the run's newest comparison of strategies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mars2.reports.reading import EventLike

CURVES = {"pass_at_1_mcts": "chosen", "pass_at_n": "any"}


def comparison_data(events: Sequence[EventLike]) -> dict[str, Any] | None:
    """Table, curves and differences; None if the run compared nothing."""
    payload = next((event.payload for event in reversed(events) if event.kind == "comparison"), None)
    if payload is None or not payload["results"]:
        return None
    budget = payload["budget"]
    cells: dict[tuple[str, str], dict[int, dict[str, Mapping[str, Any]]]] = {}
    for row in payload["results"]:
        by_budget = cells.setdefault((row["strategy"], row["who"]), {})
        by_budget.setdefault(row["budget"], {})[row["metric"]] = row
    return {
        "budget": budget,
        "n_problems": payload["n_problems"],
        "n_seeds": payload["n_seeds"],
        "entrants": [
            {
                "strategy": strategy,
                "who": who,
                "cells": {name: _cell(row) for name, row in by_budget[budget].items()},
                "points": [_point(at, by_metric) for at, by_metric in sorted(by_budget.items())],
            }
            for (strategy, who), by_budget in cells.items()
        ],
        "first_attempts": [
            {"agent": row["metric"].partition("/")[2], "cell": _cell(row)} for row in payload["first_attempts"]
        ],
        "differences": _differences(payload["differences"], budget),
    }


def _cell(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"value": row["value"], "ci": [row["low"], row["high"]]}


def _point(budget: int, by_metric: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """One point of each curve; tokens and seconds are means per tree."""
    return {
        "nodes": budget,
        "tokens": by_metric["prompt_tokens"]["value"] + by_metric["output_tokens"]["value"],
        "seconds": by_metric["seconds"]["value"],
        **{short: _cell(by_metric[name]) for name, short in CURVES.items()},
    }


def _differences(rows: Sequence[Mapping[str, Any]], budget: int) -> list[dict[str, Any]]:
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in rows:
        if row["budget"] == budget:
            pair = found.setdefault((*row["first"], *row["second"]), {"first": row["first"], "second": row["second"]})
            pair[CURVES[row["metric"]]] = {"gain": row["value"], "gain_ci": [row["low"], row["high"]]}
    return list(found.values())
