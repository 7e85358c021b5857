"""Checkpoints of a training run: one folder each, complete or absent, with everything needed to go on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mars2.core.protocols import Learner
from mars2.core.serial import sample_from_dict, sample_to_dict
from mars2.runs.buffer import PolicyBuffer

_STATE = "state.json"


@dataclass(slots=True)
class Progress:
    """How far a training run has come, beside the learners' own state."""

    next_tree: int = 0  # index of the next training tree to start
    unfinished: list[int] = field(default_factory=list[int])  # trees started and not finished (async)
    rounds: int = 0
    wall_s: float = 0.0  # training time so far


class Checkpoints:
    """The folder ``checkpoints/`` of a run."""

    def __init__(self, folder: Path, *, keep: int) -> None:
        self.folder = folder
        self.keep = keep

    def latest(self) -> Path | None:
        """The newest complete checkpoint."""
        found = sorted(self.folder.glob("[0-9]*/" + _STATE))
        return found[-1].parent if found else None

    def save(
        self,
        progress: Progress,
        buffers: Mapping[str, PolicyBuffer],
        learners: Mapping[str, Learner],
        *,
        store_position: Mapping[str, int],
    ) -> Path:
        """Write a checkpoint beside the others, rename it into place, then remove the oldest ones."""
        target = self.folder / f"{progress.rounds:08d}"
        partial = target.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for name, learner in learners.items():
            learner.save(partial / name)
        state = {
            "next_tree": progress.next_tree,
            "unfinished": progress.unfinished,
            "rounds": progress.rounds,
            "wall_s": progress.wall_s,
            "versions": {name: learner.version for name, learner in learners.items()},
            "store_position": dict(store_position),
            "buffers": {name: [sample_to_dict(s) for s in buffer.samples] for name, buffer in buffers.items()},
        }
        (partial / _STATE).write_text(json.dumps(state))
        if target.exists():
            shutil.rmtree(target)
        partial.rename(target)
        for old in sorted(self.folder.glob("[0-9]*/"))[: -self.keep]:
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
        progress = Progress(state["next_tree"], state["unfinished"], state["rounds"], state["wall_s"])
        return progress, state["store_position"]
