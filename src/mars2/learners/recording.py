"""A learner that only records its batches: for tests, examples, and dry runs of a whole training loop."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from mars2.core.errors import StoreError
from mars2.core.files import atomic
from mars2.core.protocols import Metrics, Snapshot
from mars2.core.sample import TrainingSample
from mars2.learners.checks import check_batch
from mars2.learners.metrics import sample_metrics


class RecordingLearner:
    """A `mars2.core.protocols.Learner` without weights. `batches` holds every batch since it was made, in order."""

    def __init__(self, policy: str) -> None:
        self.policy = policy
        self.batches: list[list[TrainingSample]] = []
        self._version = 0

    @property
    def version(self) -> int:
        return self._version

    def step(self, samples: Sequence[TrainingSample]) -> Metrics:
        """Record the batch. Metrics are those that need no model."""
        check_batch(samples, self.policy)
        self.batches.append(list(samples))
        self._version += 1
        return sample_metrics(samples)

    def snapshot(self) -> Snapshot:
        return Snapshot(self.policy, self._version, state={})

    def save(self, folder: Path) -> None:
        with atomic(folder) as partial:
            partial.mkdir(parents=True)
            (partial / "learner.json").write_text(json.dumps({"policy": self.policy, "version": self._version}))

    def restore(self, folder: Path) -> None:
        try:
            state = json.loads((folder / "learner.json").read_text())
        except (OSError, ValueError) as error:
            raise StoreError(f"{folder} is not a learner's checkpoint ({error})") from error
        if state["policy"] != self.policy:
            raise StoreError(f"{folder} is a checkpoint of policy {state['policy']}, not of {self.policy}")
        self._version = state["version"]
