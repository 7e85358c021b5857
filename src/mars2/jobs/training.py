"""What a training run brought: scores before and after, and where the weights are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mars2.jobs import display
from mars2.jobs.run_folder import latest_checkpoint


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """A finished training run. In a notebook it shows itself as a table.

    `summary` holds all of it, as ``summary.json`` does.
    """

    summary: Mapping[str, Any]
    folder: Path

    @property
    def agents(self) -> Mapping[str, Mapping[str, Any]]:
        """Agent → its scores ``before`` and ``after``, and its ``gain`` in Pass@1 with ``gain_ci95``."""
        return self.summary.get("agents", {})

    @property
    def team(self) -> Mapping[str, Any]:
        """The team's scores ``before`` and ``after``, and its ``gain`` in Pass@1(MCTS) with ``gain_ci95``."""
        return self.summary.get("team", {})

    @property
    def report(self) -> Path:
        return self.folder / "report.html"

    def model(self, policy: str) -> Path:
        """The folder of a policy's trained weights, an ordinary Hugging Face model.

        Raises:
            ConfigError: the run has no checkpoint.
        """
        return latest_checkpoint(self.folder) / policy / "model"

    def to_dict(self) -> dict[str, Any]:
        """As `mars2 train --json` prints it."""
        return dict(self.summary)

    def __repr__(self) -> str:
        shown = "; ".join(" ".join(row) for row in self._rows())
        return f"<TrainingResult in {self.folder}: {shown or 'nothing was measured'}>"

    def _repr_html_(self) -> str:
        return display.table(self._rows(), ("who", "measure", "before", "after")) + display.facts(
            {"folder": self.folder, "report": self.report, "seconds": self.summary.get("wall_s")}
        )

    def _rows(self) -> Iterator[tuple[str, str, str, str]]:
        """Who, measure, before and after, in percent; what was not measured is left out."""
        for who, entry in [*self.agents.items(), ("team", self.team)]:
            for name, shown in display.SCORES.items():
                values = [entry.get(label, {}).get(name) for label in ("before", "after")]
                if any(value is not None for value in values):
                    before, after = ("–" if value is None else f"{100 * value:.1f}" for value in values)
                    yield who, shown, before, after
