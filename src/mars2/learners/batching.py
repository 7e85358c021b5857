"""From samples to right-padded tensors, cut by a token budget after sorting by length, so that little is padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mars2.core.sample import TrainingSample


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """A few samples side by side. B rows, T input tokens, L output tokens, N output tokens of all rows together.

    The last output token is not an input: nothing is predicted from it. There is no attention mask: padding stands
    after the sample, where causal attention never looks.
    """

    indices: tuple[int, ...]  # B places in the list of samples
    input_ids: Tensor  # [B, T] int64, right-padded with 0
    positions: Tensor  # [N] where in the flattened [B·T] the prediction of each output token is
    targets: Tensor  # [N] the output tokens
    mask: Tensor  # [B, L] bool, True at output tokens
    output_lengths: tuple[int, ...]  # B
    advantages: Tensor  # [B] float32
    rollout_logprobs: Tensor | None  # [B, L] float32; None if any sample has none

    def pad(self, flat: Tensor) -> Tensor:
        """[N] values of output tokens, in order, to [B, L] with 0 at padding; differentiable."""
        return flat.new_zeros(self.mask.shape).masked_scatter(self.mask, flat)

    def split(self, flat: Tensor) -> list[Tensor]:
        """[N] values of output tokens to one [L_i] for each row."""
        return list(flat.split(self.output_lengths))


def make_micro_batches(
    samples: Sequence[TrainingSample],
    indices: Sequence[int],
    *,
    max_tokens: int,
    device: torch.device,
) -> list[MicroBatch]:
    """Micro-batches of at most `max_tokens` tokens each, padding included, longest first (so memory peaks at once).

    A sample longer than `max_tokens` gets a micro-batch of its own.
    """
    longest_first = sorted(indices, key=lambda i: -_num_inputs(samples[i]))
    groups: list[list[int]] = []
    for i in longest_first:
        if groups and _num_inputs(samples[groups[-1][0]]) * (len(groups[-1]) + 1) <= max_tokens:
            groups[-1].append(i)
        else:
            groups.append([i])
    return [_make_micro_batch(samples, group, device) for group in groups]


def _num_inputs(sample: TrainingSample) -> int:
    return len(sample.prompt_ids) + len(sample.output_ids) - 1


def _make_micro_batch(samples: Sequence[TrainingSample], group: Sequence[int], device: torch.device) -> MicroBatch:
    rows = [samples[i] for i in group]
    width = max(_num_inputs(s) for s in rows)
    num_outputs = [len(s.output_ids) for s in rows]
    longest_output = max(num_outputs)
    input_ids = torch.zeros(len(rows), width, dtype=torch.int64)
    mask = torch.zeros(len(rows), longest_output, dtype=torch.bool)
    positions: list[Tensor] = []
    for row, sample in enumerate(rows):
        inputs = (*sample.prompt_ids, *sample.output_ids[:-1])
        input_ids[row, : len(inputs)] = torch.tensor(inputs)
        mask[row, : num_outputs[row]] = True
        first = row * width + len(sample.prompt_ids) - 1
        positions.append(torch.arange(first, first + num_outputs[row]))
    rollout_logprobs = None
    if all(s.rollout_logprobs for s in rows):
        rollout_logprobs = torch.zeros(mask.shape)
        rollout_logprobs[mask] = torch.tensor([p for s in rows for p in s.rollout_logprobs])
        rollout_logprobs = rollout_logprobs.to(device)
    return MicroBatch(
        indices=tuple(group),
        input_ids=input_ids.to(device),
        positions=torch.cat(positions).to(device),
        targets=torch.tensor([t for s in rows for t in s.output_ids]).to(device),
        mask=mask.to(device),
        output_lengths=tuple(num_outputs),
        advantages=torch.tensor([s.advantage for s in rows], dtype=torch.float32).to(device),
        rollout_logprobs=rollout_logprobs,
    )
