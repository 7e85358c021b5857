"""What an evaluation brought: scores with intervals, paired differences, costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mars2.jobs import display


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """Shares of problems solved, by strategy, agents and budget. In a notebook it shows itself as a table.

    `summary` holds all of it, as ``summary.json`` does.
    """

    summary: dict[str, Any]
    folder: Path | None = None  # of the recorded evaluation; None: nothing was kept on disk
    error: str | None = None  # what a failed call said, if no program was written at all

    @property
    def rows(self) -> Sequence[Mapping[str, Any]]:
        """One number each, with its 95% interval over problems: strategy, who, budget, metric, value, low, high, …"""
        return self.summary["results"]

    @property
    def differences(self) -> Sequence[Mapping[str, Any]]:
        """Differences of two strategies on the same problems: first, second, budget, metric, value, low, high."""
        return self.summary["differences"]

    @property
    def usage(self) -> Mapping[str, Mapping[str, Any]]:
        """Agent → calls, tokens and money, as numbers by name."""
        return self.summary["usage"]

    @property
    def budget(self) -> int:
        """Nodes of a whole tree."""
        return self.summary["budget"]

    def value(self, metric: str, *, strategy: str | None = None, who: str = "team", budget: int | None = None) -> float:
        """One number, such as ``value("pass_at_n")``; of the first strategy and the whole budget, unless given.

        Raises:
            KeyError: it was not measured.
        """
        wanted = (strategy or self.summary["strategies"][0], who, budget or self.budget, metric)
        for row in self.rows:
            if (row["strategy"], row["who"], row["budget"], row["metric"]) == wanted:
                return row["value"]
        raise KeyError(wanted)

    def to_dict(self) -> dict[str, Any]:
        """As `mars2 evaluate --json` prints it."""
        return dict(self.summary)

    def __repr__(self) -> str:
        shown = "; ".join(" ".join(map(str, row)) for row in self._table())
        return f"<EvaluationResult on {self.summary['n_problems']} problems, {self.budget} nodes a tree: {shown}>"

    def _repr_html_(self) -> str:
        title = f"{self.summary['n_problems']} problems, {self.budget} nodes a tree; percent [95% interval]"
        return f"<p>{title}</p>{display.table(self._table(), ('strategy', 'agents', *display.SCORES.values()))}"

    def _table(self) -> list[tuple[str, ...]]:
        """Strategy, who, and each score at the whole budget."""
        cells = {(r["strategy"], r["who"], r["metric"]): r for r in self.rows if r["budget"] == self.budget}
        entrants = dict.fromkeys((strategy, who) for strategy, who, _ in cells)
        return [
            (*entrant, *(_estimate(cells.get((*entrant, name))) for name in display.SCORES)) for entrant in entrants
        ]


def _estimate(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return "–"
    return f"{100 * row['value']:.1f} [{100 * row['low']:.1f}, {100 * row['high']:.1f}]"
