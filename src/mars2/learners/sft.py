"""Supervised fine-tuning of one model on conversations: batches, steps, checkpoints. The order is a function of the
seed and the step, so a resumed run goes on with the very batches that were left."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mars2.config.sft import SftConfig
from mars2.core.errors import StoreError
from mars2.core.files import atomic, flush_to_disk
from mars2.core.protocols import Metrics
from mars2.core.seeds import stream
from mars2.learners.batching import OVERHEAD_TOKENS, cut_by_budget
from mars2.learners.conversations import Example
from mars2.learners.optimizer import GuardedOptimizer
from mars2.learners.policy_model import PolicyModel

_STATE = "sft.json"


@dataclass(frozen=True, slots=True)
class SftBatch:
    """Conversations side by side, right-padded; a `mars2.learners.batching.ModelInputs`."""

    input_ids: Tensor  # [R, T] int64; each conversation without its last token
    positions: Tensor  # [N] where in the flattened [R·T] the prediction of each trained token is
    targets: Tensor  # [N] the trained tokens
    position_ids: None = None  # 0 … T − 1
    attention_mask: None = None  # causal attention never looks at padding behind the row


def make_sft_batches(examples: Sequence[Example], *, max_tokens: int, device: torch.device) -> list[SftBatch]:
    """Length-sorted micro-batches of at most `max_tokens` tokens, padding included."""
    rows = sorted(examples, key=lambda e: -len(e.ids))
    cut = cut_by_budget([len(e.ids) - 1 for e in rows], max_tokens, OVERHEAD_TOKENS.get(device.type, 0))
    return [_batch(rows[start:stop], device) for start, stop in cut]


def _batch(rows: Sequence[Example], device: torch.device) -> SftBatch:
    width = len(rows[0].ids) - 1
    input_ids = torch.zeros(len(rows), width, dtype=torch.int64)
    positions: list[int] = []
    targets: list[int] = []
    for r, example in enumerate(rows):
        input_ids[r, : len(example.ids) - 1] = torch.tensor(example.ids[:-1])
        trained = [t for t in range(1, len(example.ids)) if example.is_trained[t]]  # nothing predicts the first token
        positions += [r * width + t - 1 for t in trained]
        targets += [example.ids[t] for t in trained]
    return SftBatch(input_ids.to(device), torch.tensor(positions).to(device), torch.tensor(targets).to(device))


class SftTrainer:
    """Minimises the mean negative log-likelihood (nats) of a batch's trained tokens.

    Each epoch has a new order; its last batch may be smaller.

    Args:
        model: what is trained.
        examples: to train on; `validation`: to measure on.
        options: of the optimizer and the batches; the model and its data are given.
        num_steps: optimizer steps in all.
    """

    def __init__(
        self,
        model: PolicyModel,
        examples: Sequence[Example],
        validation: Sequence[Example],
        options: SftConfig,
        *,
        num_steps: int,
    ) -> None:
        self.model = model
        self.examples = examples
        self.validation = validation
        self.options = options
        self.num_steps = num_steps
        self.steps_done = 0
        self._optimizer = GuardedOptimizer(model.parameters, options, total_steps=num_steps)

    @property
    def steps_per_epoch(self) -> int:
        return math.ceil(len(self.examples) / self.options.batch_size)

    def batch(self, step: int) -> list[Example]:
        """The conversations of a step (0, 1, …)."""
        epoch, place = divmod(step, self.steps_per_epoch)
        order = stream(self.options.seed, "sft", "epoch", epoch).permutation(len(self.examples))
        start = place * self.options.batch_size
        return [self.examples[i] for i in order[start : start + self.options.batch_size]]

    def step(self) -> Metrics:
        """One optimizer step: loss (before it), grad_norm, learning_rate, and speed.

        Raises:
            TrainingDiverged: too many steps in a row had a loss or gradient that is not finite.
        """
        started = time.perf_counter()
        examples = self.batch(self.steps_done)
        batches = self._micro_batches(examples)
        num_trained = sum(len(b.targets) for b in batches)

        def accumulate() -> Tensor:
            loss = torch.zeros((), device=self.model.device)
            for batch in batches:
                part = -self.model.logprobs(batch)[0].sum() / num_trained
                part.backward()
                loss += part.detach()
            return loss

        update = self._optimizer.update(accumulate, schedule_step=self.steps_done)
        self.steps_done += 1
        self._optimizer.check_converges(f"step {self.steps_done}", "lower learning_rate")
        num_tokens = sum(len(e.ids) for e in examples)
        num_computed = sum(b.input_ids.numel() for b in batches)
        return {
            "loss": update.loss,
            "grad_norm": update.grad_norm,
            "learning_rate": update.learning_rate,
            "epoch": self.steps_done / self.steps_per_epoch,
            "num_tokens": float(num_tokens),
            "num_trained_tokens": float(num_trained),
            "padding_fraction": 1 - (num_tokens - len(examples)) / num_computed,
            "skipped_steps": float(self._optimizer.num_skipped),
            "tokens_per_s": num_tokens / (time.perf_counter() - started),
        }

    @torch.no_grad()
    def validation_loss(self) -> float | None:
        """Mean negative log-likelihood of the validation conversations' trained tokens; None without any."""
        if not self.validation:
            return None
        batches = self._micro_batches(self.validation)
        total = sum(float(self.model.logprobs(batch)[0].sum()) for batch in batches)
        return -total / sum(len(b.targets) for b in batches)

    def _micro_batches(self, examples: Sequence[Example]) -> list[SftBatch]:
        return make_sft_batches(examples, max_tokens=self.options.micro_batch_tokens, device=self.model.device)

    def save(self, folder: Path) -> None:
        """Write a checkpoint, all or nothing: `model/`, optimizer and place in the data."""
        with atomic(folder) as unfinished:
            unfinished.mkdir(parents=True)
            self.model.save(unfinished)
            state = {"steps_done": self.steps_done, **self._optimizer.save(unfinished)}
            (unfinished / _STATE).write_text(json.dumps(state))

    def restore(self, folder: Path) -> None:
        """Go on where `save` was called; the model must have been made from the same origin.

        Raises:
            StoreError: `folder` is not a checkpoint.
        """
        try:
            state: dict[str, Any] = json.loads((folder / _STATE).read_text())
        except (OSError, ValueError) as error:
            raise StoreError(f"{folder} is not a checkpoint of mars2 sft ({error})") from error
        self.model.load(folder)
        self._optimizer.restore(folder, state, self.model.device)
        self.steps_done = state["steps_done"]

    def export(self, folder: Path) -> None:
        """Write the model's files straight into `folder`. Its config.json comes last: without it, it is no model."""
        with atomic(folder / "export") as unfinished:
            unfinished.mkdir(parents=True)
            self.model.save(unfinished)
        made = folder / "export" / "model"
        for path in sorted(made.iterdir(), key=lambda path: path.name == "config.json"):
            path.replace(folder / path.name)
        shutil.rmtree(folder / "export")
        flush_to_disk(folder)
