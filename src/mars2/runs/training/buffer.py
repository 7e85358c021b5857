"""One policy's buffer of training samples: first in, first out, too old ones dropped and counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mars2.core.sample import TrainingSample


class PolicyBuffer:
    """Buffer B_j. Holds only samples of its own policy, in order of arrival."""

    def __init__(self, policy: str, *, batch_samples: int, max_staleness: int) -> None:
        self.policy = policy
        self.batch_samples = batch_samples
        self.max_staleness = max_staleness
        self._samples: list[TrainingSample] = []

    def __len__(self) -> int:
        return len(self._samples)

    @property
    def samples(self) -> Sequence[TrainingSample]:
        return tuple(self._samples)

    @property
    def is_full(self) -> bool:
        """A batch is ready."""
        return len(self._samples) >= self.batch_samples

    def add(self, samples: Iterable[TrainingSample]) -> None:
        for sample in samples:
            if sample.policy != self.policy:
                raise ValueError(f"buffer of {self.policy!r} was given a sample of {sample.policy!r}")
            self._samples.append(sample)

    def drop_stale(self, version: int) -> list[TrainingSample]:
        """Remove and return samples drawn more than `max_staleness` versions before `version`."""
        stale = [s for s in self._samples if version - s.policy_version > self.max_staleness]
        if stale:
            self._samples = [s for s in self._samples if version - s.policy_version <= self.max_staleness]
        return stale

    def batch(self) -> list[TrainingSample]:
        """The oldest batch, which stays until `remove`."""
        if not self.is_full:
            raise ValueError(f"buffer of {self.policy!r} holds {len(self)} of {self.batch_samples} samples")
        return self._samples[: self.batch_samples]

    def remove(self, batch: Sequence[TrainingSample]) -> None:
        """Take out what has been learned from."""
        keys = {sample.key for sample in batch}
        self._samples = [sample for sample in self._samples if sample.key not in keys]
