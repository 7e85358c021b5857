"""The figures of one update, gathered over its micro-batches and optimizer steps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean, pstdev
from typing import TYPE_CHECKING

from mars2.core.protocols import Metrics
from mars2.core.sample import TrainingSample
from mars2.learners.flops import mfu

if TYPE_CHECKING:
    from torch import Tensor

    from mars2.learners.batching import MicroBatch
    from mars2.learners.optimizer import Update
    from mars2.learners.policy_loss import LossPart


SPEED_METRICS = frozenset({"tokens_per_s", "tflops_per_s", "mfu", "peak_memory_mib"})
"""The figures that differ from one repetition of the same update to the next."""


class BatchMetrics:
    """Exact means over a batch from the sums of its micro-batches. Reads tensors only at the end (no GPU waits)."""

    def __init__(self) -> None:
        self._sums: defaultdict[str, list[Tensor]] = defaultdict(list)
        self._counts: defaultdict[str, int] = defaultdict(int)
        self._maxima: defaultdict[str, list[Tensor]] = defaultdict(list)
        self._updates: list[Update] = []
        self.row_lengths: list[int] = []  # tokens of every row computed, padding left out
        self._num_computed = 0  # tokens computed, padding included

    def add_part(self, part: LossPart) -> None:
        for name, (total, count) in part.sums.items():
            self._sums[name].append(total)
            self._counts[name] += count
        for name, value in part.maxima.items():
            self._maxima[name].append(value)

    def add_rows(self, batch: MicroBatch) -> None:
        """Count what the forward and backward pass of a micro-batch computes."""
        self.row_lengths += batch.row_lengths
        self._num_computed += batch.input_ids.numel()

    def add_update(self, update: Update) -> None:
        """One optimizer step; `result` has the mean over those not skipped (the last learning rate)."""
        if not update.is_skipped:
            self._updates.append(update)

    def result(self) -> Metrics:
        counted = ((name, parts) for name, parts in self._sums.items() if self._counts[name])
        metrics = {name: sum(map(float, parts)) / self._counts[name] for name, parts in counted}
        if square := metrics.pop("tis_weight_square", 0.0):  # effective sample size (Σw)² / Σw², as a share of all
            metrics["tis_effective_fraction"] = metrics["tis_weight_mean"] ** 2 / square
        metrics |= {name: max(map(float, parts)) for name, parts in self._maxima.items()}
        if self._updates:
            metrics["loss"] = fmean(update.loss for update in self._updates)
            metrics["grad_norm"] = fmean(update.grad_norm for update in self._updates)
            metrics["learning_rate"] = self._updates[-1].learning_rate
        if self._num_computed:
            metrics["padding_fraction"] = 1 - sum(self.row_lengths) / self._num_computed
        return metrics


def sample_metrics(samples: Sequence[TrainingSample]) -> Metrics:
    """What can be said of a batch without a model."""
    return {
        "reward_mean": fmean(s.reward for s in samples),
        "advantage_std": pstdev(s.advantage for s in samples),
        "response_length": fmean(len(s.output_ids) for s in samples),
        "num_samples": float(len(samples)),
        "num_tokens": float(sum(len(s.prompt_ids) + len(s.output_ids) for s in samples)),
    }


def speed_metrics(
    *, num_tokens: float, flops: float, seconds: float, peak_flops: float | None, peak_memory_mib: float
) -> Metrics:
    """`SPEED_METRICS` of an update; `mfu` where the device's peak is known."""
    metrics = {
        "tokens_per_s": num_tokens / seconds,
        "tflops_per_s": flops / seconds / 1e12,
        "peak_memory_mib": peak_memory_mib,
    }
    if peak_flops is not None:
        metrics["mfu"] = mfu(flops, seconds, peak_flops)
    return metrics
