"""From samples to right-padded tensors: sorted by length and cut by a token budget, common prompts computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from mars2.core.sample import TrainingSample

OVERHEAD_TOKENS = {"cpu": 64, "cuda": 1024}
"""The fixed cost of a forward and backward pass (reading weights, adding gradients, launching kernels), in tokens of
work. Padding up to this many tokens is cheaper than one more pass. A rough figure that changes only the time."""


class ModelInputs(Protocol):
    """The input of a model and the tokens to predict: R rows of T tokens, N predictions."""

    @property
    def input_ids(self) -> Tensor: ...  # [R, T] int64, right-padded with 0
    @property
    def position_ids(self) -> Tensor | None: ...  # [R, T]; None: 0 … T − 1
    @property
    def attention_mask(self) -> Tensor | None: ...  # [R, 1, T, T] bool, True where a query may look at a key
    @property
    def positions(self) -> Tensor: ...  # [N] where in the flattened [R·T] each prediction is
    @property
    def targets(self) -> Tensor: ...  # [N] the tokens predicted


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """A few samples side by side. R rows of T input tokens; B samples, L output tokens each, N of all together.

    A row is a prompt, followed by the outputs of one or more samples of that prompt, each without its last token
    (nothing is predicted from it). If each row has one sample, no attention mask is needed: padding stands after the
    sample, where causal attention never looks. Otherwise `attention_mask` hides the outputs of a row from each other.
    """

    indices: tuple[int, ...]  # B places in the list of samples
    input_ids: Tensor  # [R, T] int64, right-padded with 0
    position_ids: Tensor | None  # [R, T]; None: 0 … T − 1
    attention_mask: Tensor | None  # [R, 1, T, T] bool, True where a query (row) may look at a key (column)
    positions: Tensor  # [N] where in the flattened [R·T] the prediction of each output token is
    targets: Tensor  # [N] the output tokens
    mask: Tensor  # [B, L] bool, True at output tokens
    output_lengths: tuple[int, ...]  # B
    advantages: Tensor  # [B] float32
    rollout_logprobs: Tensor | None  # [B, L] float32; None if any sample has none
    row_lengths: tuple[int, ...]  # R input tokens of each row, padding left out
    versions: Tensor  # [B] int64, of the policy that wrote each sample

    def pad(self, flat: Tensor) -> Tensor:
        """[N] values of output tokens, in order, to [B, L] with 0 at padding; differentiable."""
        return flat.new_zeros(self.mask.shape).masked_scatter(self.mask, flat)

    def split(self, flat: Tensor) -> list[Tensor]:
        """[N] values of output tokens to one [L_i] for each sample."""
        return list(flat.split(self.output_lengths))


@dataclass(frozen=True, slots=True)
class _Row:
    """Samples of the same prompt that share one row."""

    indices: list[int]
    num_prompt: int
    num_inputs: int


def make_micro_batches(
    samples: Sequence[TrainingSample],
    indices: Sequence[int],
    *,
    max_tokens: int,
    device: torch.device,
    share_prompts: bool = False,
    hidden_size: int = 1,
) -> list[MicroBatch]:
    """Micro-batches of at most `max_tokens` tokens each, padding included, longest first (so memory peaks at once).

    A sample longer than `max_tokens` gets a micro-batch of its own.

    Args:
        share_prompts: compute a prompt once for several samples where that saves work. The model must accept a 4-D
            attention mask.
        hidden_size: of the model; weighs attention (quadratic) against the rest (linear) when that is decided.
    """
    rows = _share_prompts(samples, indices, max_tokens, hidden_size) if share_prompts else _one_each(samples, indices)
    rows.sort(key=lambda row: -row.num_inputs)
    overhead = OVERHEAD_TOKENS.get(device.type, 0)
    batches: list[MicroBatch] = []
    for needs_mask in (True, False):
        kind = [row for row in rows if (len(row.indices) > 1) == needs_mask]
        for start, stop in cut_by_budget([row.num_inputs for row in kind], max_tokens, overhead):
            batches.append(_make_micro_batch(samples, kind[start:stop], device))
    return batches


def cut_by_budget(lengths: Sequence[int], max_tokens: int, overhead: int = 0) -> list[tuple[int, int]]:
    """Cut rows, given by their lengths from the longest to the shortest, into groups of at most `max_tokens`.

    A group costs its rows times its longest, padding included, and `overhead` tokens for the passes themselves; the
    cheapest cut is found by dynamic programming over prefixes. A row longer than `max_tokens` gets a group of its own.

    Returns:
        (start, stop) of each group, in order.
    """
    cheapest: list[tuple[int, int]] = [(0, 0)]  # for each prefix: its cost, and where its last group starts
    first = 0  # the group of rows first … stop − 1 still fits
    for stop in range(1, len(lengths) + 1):
        while first < stop - 1 and lengths[first] * (stop - first) > max_tokens:
            first += 1
        cheapest.append(min((cheapest[i][0] + lengths[i] * (stop - i) + overhead, i) for i in range(first, stop)))
    groups: list[tuple[int, int]] = []
    stop = len(lengths)
    while stop:
        start = cheapest[stop][1]
        groups.append((start, stop))
        stop = start
    return groups[::-1]


def _one_each(samples: Sequence[TrainingSample], indices: Sequence[int]) -> list[_Row]:
    return [_Row([i], p := len(samples[i].prompt_ids), p + len(samples[i].output_ids) - 1) for i in indices]


def _share_prompts(
    samples: Sequence[TrainingSample], indices: Sequence[int], max_tokens: int, hidden_size: int
) -> list[_Row]:
    """Rows that share a prompt. An output joins a row as long as that costs less than a row of its own.

    Estimated work of n tokens, in units of a layer's 2·H multiplications: n · (12·H + n) with causal attention, which
    skips half of the n² pairs, and n · (12·H + 2n) with a mask, which does not.
    """
    by_prompt: dict[tuple[int, ...], list[int]] = {}
    for i in indices:
        by_prompt.setdefault(samples[i].prompt_ids, []).append(i)
    linear = 12 * hidden_size
    rows: list[_Row] = []
    for prompt, members in by_prompt.items():
        row: _Row | None = None
        for i in sorted(members, key=lambda i: len(samples[i].output_ids)):
            num_added = len(samples[i].output_ids) - 1
            num_alone = len(prompt) + num_added
            if row is not None and row.num_inputs + num_added <= max_tokens:
                before, after = row.num_inputs, row.num_inputs + num_added
                work_added = num_added * linear + 2 * (after**2 - before**2)
                if work_added <= num_alone * (linear + num_alone):
                    row = rows[-1] = _Row([*row.indices, i], len(prompt), after)
                    continue
            row = _Row([i], len(prompt), num_alone)
            rows.append(row)
    return rows


def _make_micro_batch(samples: Sequence[TrainingSample], rows: Sequence[_Row], device: torch.device) -> MicroBatch:
    width = max(row.num_inputs for row in rows)
    indices = [i for row in rows for i in row.indices]
    num_outputs = [len(samples[i].output_ids) for i in indices]
    shared = any(len(row.indices) > 1 for row in rows)
    input_ids = torch.zeros(len(rows), width, dtype=torch.int64)
    position_ids = torch.zeros(len(rows), width, dtype=torch.int64)
    segments = torch.full((len(rows), width), -1)  # 0: prompt; 1, 2, …: outputs; −1: padding
    positions: list[Tensor] = []
    for r, row in enumerate(rows):
        end = row.num_prompt
        input_ids[r, :end] = torch.tensor(samples[row.indices[0]].prompt_ids)
        position_ids[r, :end] = torch.arange(end)
        segments[r, :end] = 0
        for segment, i in enumerate(row.indices, start=1):
            inputs = samples[i].output_ids[:-1]
            start, end = end, end + len(inputs)
            input_ids[r, start:end] = torch.tensor(inputs, dtype=torch.int64)
            position_ids[r, start:end] = torch.arange(row.num_prompt, row.num_prompt + len(inputs))
            segments[r, start:end] = segment
            positions.append(r * width + torch.tensor([row.num_prompt - 1, *range(start, end)]))
    mask = torch.arange(max(num_outputs)) < torch.tensor(num_outputs).unsqueeze(-1)
    rollout_logprobs = None
    if all(samples[i].rollout_logprobs for i in indices):
        rollout_logprobs = torch.zeros(mask.shape)
        rollout_logprobs[mask] = torch.tensor([p for i in indices for p in samples[i].rollout_logprobs])
        rollout_logprobs = rollout_logprobs.to(device)
    return MicroBatch(
        indices=tuple(indices),
        input_ids=input_ids.to(device),
        position_ids=position_ids.to(device) if shared else None,
        attention_mask=_segment_mask(segments).to(device) if shared else None,
        positions=torch.cat(positions).to(device),
        targets=torch.tensor([t for i in indices for t in samples[i].output_ids]).to(device),
        mask=mask.to(device),
        output_lengths=tuple(num_outputs),
        advantages=torch.tensor([samples[i].advantage for i in indices], dtype=torch.float32).to(device),
        rollout_logprobs=rollout_logprobs,
        row_lengths=tuple(row.num_inputs for row in rows),
        versions=torch.tensor([samples[i].policy_version for i in indices]).to(device),
    )


def _segment_mask(segments: Tensor) -> Tensor:
    """[R, T] segments to [R, 1, T, T]: causal, and only the prompt (segment 0) and one's own segment are seen."""
    queries, keys = segments.unsqueeze(2), segments.unsqueeze(1)
    causal = torch.ones(segments.shape[1], segments.shape[1], dtype=torch.bool).tril()
    return (causal & ((keys == 0) | (keys == queries))).unsqueeze(1)
