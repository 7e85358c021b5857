"""Checkpoints of a training run: one folder each, complete or absent, with everything needed to go on."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mars2.core.files import PARTIAL, atomic, remove
from mars2.core.protocols import EstimatorState, Learner
from mars2.core.serial import sample_from_dict, sample_to_dict
from mars2.runs.training.buffer import PolicyBuffer

BEST = "best"
"""A link, beside the checkpoints, to the one with the best validation so far."""

_STATE = "state.json"
_NAME = re.compile(r"\d{8}(\.\d+)?")


@dataclass(slots=True)
class Progress:
    """How far a training run has come, beside the learners' own state."""

    next_tree: int = 0  # index of the next training tree to start
    unfinished: list[int] = field(default_factory=list[int])  # trees started and not finished (async)
    rounds: int = 0
    wall_s: float = 0.0  # training time so far
    validated: int = -1  # the last point, in rounds (async: steps), at which there was a validation
    best: float | None = None  # the best validation so far
    is_best: bool = False  # of these very weights
    credit: EstimatorState = field(default_factory=dict[str, float])  # what the advantage estimator remembers


class Checkpoints:
    """The folder ``checkpoints/`` of a run: the newest `keep`, and the best where training is validated."""

    def __init__(self, folder: Path, *, keep: int) -> None:
        self.folder = folder
        self.keep = keep

    def latest(self) -> Path | None:
        """The newest complete checkpoint."""
        found = self._all()
        return found[-1] if found else None

    def best(self) -> Path | None:
        """The checkpoint with the best validation; None where there was none."""
        link = self.folder / BEST
        return link.resolve() if link.exists() else None

    def state(
        self,
        progress: Progress,
        buffers: Mapping[str, PolicyBuffer],
        learners: Mapping[str, Learner],
        *,
        store_position: Mapping[str, int],
    ) -> dict[str, Any]:
        """All but the learners' weights, as of now; training may go on while `write` writes it."""
        return {
            "next_tree": progress.next_tree,
            "unfinished": list(progress.unfinished),
            "rounds": progress.rounds,
            "wall_s": progress.wall_s,
            "validated": progress.validated,
            "best": progress.best,
            "is_best": progress.is_best,
            "credit": dict(progress.credit),
            "versions": {name: learner.version for name, learner in learners.items()},
            "store_position": dict(store_position),
            "buffers": {name: [sample_to_dict(s) for s in buffer.samples] for name, buffer in buffers.items()},
        }

    def write(self, state: Mapping[str, Any], learners: Mapping[str, Learner]) -> Path:
        """Write a checkpoint beside the others, flush it, rename it into place, then remove those no longer kept.

        The learners must not step meanwhile.
        """
        for leftover in self.folder.glob(f"*{PARTIAL}"):
            remove(leftover)
        target = self._free_name(state["rounds"])
        with atomic(target) as partial:
            partial.mkdir(parents=True)
            for name, learner in learners.items():
                learner.save(partial / name)
            (partial / _STATE).write_text(json.dumps(state))
        if state["is_best"]:
            self._mark_best(target)
        best = self.best()
        for old in self._all()[: -self.keep]:
            if old.name != (best.name if best else None):
                shutil.rmtree(old)
        return target

    def restore(
        self, checkpoint: Path, buffers: Mapping[str, PolicyBuffer], learners: Mapping[str, Learner]
    ) -> tuple[Progress, dict[str, int]]:
        """Fill buffers and learners from a checkpoint; returns the progress and the store's position then."""
        state: dict[str, Any] = json.loads((checkpoint / _STATE).read_text())
        for name, learner in learners.items():
            learner.restore(checkpoint / name)
        for name, samples in state["buffers"].items():
            buffers[name].add(sample_from_dict(s) for s in samples)
        if state["is_best"]:
            self._mark_best(checkpoint)  # again, should the process have died between renaming and marking
        progress = Progress(
            next_tree=state["next_tree"],
            unfinished=list(state["unfinished"]),
            rounds=state["rounds"],
            wall_s=state["wall_s"],
            validated=state["validated"],
            best=state["best"],
            is_best=state["is_best"],
            credit=state["credit"],
        )
        return progress, state["store_position"]

    def _all(self) -> list[Path]:
        """Complete checkpoints, oldest first: only a finished one has such a name."""
        found = [path for path in self.folder.glob("[0-9]*") if _NAME.fullmatch(path.name)]
        return sorted(found, key=lambda path: [int(part) for part in path.name.split(".")])

    def _free_name(self, rounds: int) -> Path:
        """The round, or ``ROUND.1`` and so on: a checkpoint is never overwritten, so there is one at every moment."""
        name, number = f"{rounds:08d}", 0
        while (self.folder / name).exists():
            number += 1
            name = f"{rounds:08d}.{number}"
        return self.folder / name

    def _mark_best(self, checkpoint: Path) -> None:
        with atomic(self.folder / BEST) as link:
            link.symlink_to(checkpoint.name)
