"""What `mars2 evaluate` prints: results at full budget, costs, the curve over smaller budgets, paired differences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from mars2.cli.output import PLAIN
from mars2.jobs.display import SCORES

TEAM = "team"
MAX_DIFFERENCES = 30
MEASURES = {**SCORES, "gap": "gap"}
COSTS = {
    "num_nodes": "nodes",
    "prompt_tokens": "tokens in",
    "output_tokens": "tokens out",
    "cost": "cost",
    "seconds": "seconds",
    "failed_calls": "failed calls",
    "cancelled": "given up",
}
USAGE = {
    "num_nodes": "nodes",
    "prompt_tokens": "tokens in",
    "output_tokens": "tokens out",
    "cost": "cost",
    "num_failed_calls": "failed calls",
    "num_cancelled": "given up",
}
WIDTH = 140  # if there is no terminal to ask


def print_comparison(console: Console, summary: Mapping[str, Any]) -> None:
    """`summary`: as `runs.summary.summarise_comparison` makes it."""
    budget = summary["budget"]
    seeds = f", {summary['n_seeds']} seeds" if summary["n_seeds"] > 1 else ""
    console.print(
        f"{summary['n_problems']} problems{seeds}, {budget} nodes a tree; percent [95% interval over problems]"
    )
    cells = {(r["strategy"], r["who"], r["budget"], r["metric"]): r for r in summary["results"]}
    entrants = list(dict.fromkeys((r["strategy"], r["who"]) for r in summary["results"]))
    budgets = sorted({r["budget"] for r in summary["results"]})
    differences = [d for d in summary["differences"] if d["budget"] == budget]
    tables = [
        _main_table(cells, entrants, budget),
        _first_attempts_table(summary["first_attempts"]),
        _cost_table(cells, entrants, budget),
        _usage_table(summary["usage"]),
        *([_curve_table(cells, entrants, budgets)] if len(budgets) > 1 else []),
        *([_difference_table(differences, budget)] if differences else []),
    ]
    wide = console if console.is_terminal else Console(file=console.file, width=WIDTH, **PLAIN)
    for table in tables:
        wide.print(table)


def _main_table(cells: Mapping[Any, Any], entrants: list[tuple[str, str]], budget: int) -> Table:
    table = _table("strategy", "agents", *MEASURES.values())
    for strategy, who in entrants:
        table.add_row(strategy, who, *(_estimate(cells.get((strategy, who, budget, name))) for name in MEASURES))
    return table


def _first_attempts_table(rows: list[Mapping[str, Any]]) -> Table:
    table = _table("first attempts", "Pass@1", title="of best-of-n trees")
    for row in rows:
        table.add_row(row["metric"].partition("/")[2] or "all agents", _estimate(row))
    return table


def _cost_table(cells: Mapping[Any, Any], entrants: list[tuple[str, str]], budget: int) -> Table:
    table = _table("strategy", "agents", *COSTS.values(), title="means per tree")
    for strategy, who in entrants:
        values = [cells[(strategy, who, budget, name)]["value"] for name in COSTS]
        table.add_row(strategy, who, *(f"{value:,.0f}" if value >= 100 else f"{value:.3g}" for value in values))
    return table


def _usage_table(usage: Mapping[str, Mapping[str, Any]]) -> Table:
    table = _table("agent", *USAGE.values(), title="all trees together")
    for agent, total in usage.items():
        table.add_row(agent, *(f"{total[name]:,.4g}" if name == "cost" else f"{total[name]:,}" for name in USAGE))
    return table


def _curve_table(cells: Mapping[Any, Any], entrants: list[tuple[str, str]], budgets: list[int]) -> Table:
    table = _table("strategy", "agents", *map(str, budgets), title="by nodes: chosen right / any right")
    for strategy, who in entrants:
        pairs = [[cells.get((strategy, who, b, name)) for name in ("pass_at_1_mcts", "pass_at_n")] for b in budgets]
        table.add_row(strategy, who, *(" / ".join(map(_percent, pair)) for pair in pairs))
    return table


def _difference_table(differences: list[Mapping[str, Any]], budget: int) -> Table:
    table = _table("difference", "chosen right", "any right", title=f"paired by problem, at {budget} nodes")
    pairs: dict[tuple[str, ...], dict[str, Mapping[str, Any]]] = {}
    for row in differences:
        pairs.setdefault((*row["first"], *row["second"]), {})[row["metric"]] = row
    for (strategy, who, other, other_who), by_metric in list(pairs.items())[:MAX_DIFFERENCES]:
        if strategy == other:
            name = f"{strategy}: {who} − {other_who}"
        else:
            name = f"{strategy} − {other}" + ("" if who == TEAM else f" ({who})")
        table.add_row(name, *(_signed(by_metric[metric]) for metric in ("pass_at_1_mcts", "pass_at_n")))
    if len(pairs) > MAX_DIFFERENCES:
        table.caption = f"{len(pairs) - MAX_DIFFERENCES} more in differences.csv"
    return table


def _table(*columns: str, title: str | None = None) -> Table:
    """Names to the left, numbers to the right."""
    table = Table(title=title, title_justify="left")
    for name in columns:
        is_name = name in ("strategy", "agents", "agent", "first attempts", "difference")
        table.add_column(name, justify="left" if is_name else "right", no_wrap=True)
    return table


def _percent(row: Mapping[str, Any] | None) -> str:
    return "–" if row is None else f"{100 * row['value']:.1f}"


def _estimate(row: Mapping[str, Any] | None) -> str:
    return "–" if row is None else f"{_percent(row)} [{100 * row['low']:.1f}, {100 * row['high']:.1f}]"


def _signed(row: Mapping[str, Any]) -> str:
    return f"{100 * row['value']:+.1f} [{100 * row['low']:+.1f}, {100 * row['high']:+.1f}]"
