"""Fits a reward model: cross-entropy with balanced classes, stopped early on problems held out for that."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from mars2.config.reward_model import FitConfig
from mars2.core.errors import ConfigError
from mars2.core.problem import Problem
from mars2.core.seeds import stream
from mars2.reward_model.calibration import fit_platt
from mars2.reward_model.metrics import auc
from mars2.reward_model.model import TransformersRewardModel, batches_by_length


@dataclass(frozen=True, slots=True)
class Example:
    """A program and whether it is right: it passed every public and hidden test."""

    problem: Problem
    program: str
    is_right: bool


@dataclass(frozen=True, slots=True)
class Encoded:
    """Examples as a model reads them."""

    sequences: list[list[int]]
    labels: list[float]


@dataclass(frozen=True, slots=True)
class Epoch:
    """The state of training after an epoch. Losses are balanced cross-entropies in nats."""

    number: int  # from 1
    train_loss: float
    valid_loss: float
    valid_auc: float | None
    is_best: bool


def encode_examples(model: TransformersRewardModel, examples: Sequence[Example]) -> Encoded:
    sequences = [model.encode(example.problem, [example.program])[0] for example in examples]
    return Encoded(sequences, [float(example.is_right) for example in examples])


def fit(
    model: TransformersRewardModel,
    train: Encoded,
    valid: Encoded,
    options: FitConfig,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    on_batch: Callable[[int, float], None] = lambda step, loss: None,
) -> list[Epoch]:
    """Train; the model ends with the weights of the epoch with the least validation loss.

    Both classes weigh the same, however rare right programs are: the weights are N / (2 N_class), counted in `train`.
    Calibration puts the base rate back. The learning rate rises over the first 5% of the steps, then falls linearly
    to 0.

    Args:
        on_epoch: called after each epoch.
        on_batch: called after each optimizer step, with its number (from 1) and its loss.

    Raises:
        ConfigError: the loss is not a number any more.
    """
    weights = _class_weights(train.labels)
    optimizer = torch.optim.AdamW(model.parameters, lr=options.learning_rate, weight_decay=options.weight_decay)
    steps_per_epoch = -(-len(train.labels) // options.batch_size)
    total = options.epochs * steps_per_epoch
    warmup = max(1, total // 20)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warmup, (total - step) / max(1, total - warmup))
    )
    best, best_state, history = float("inf"), model.state(), list[Epoch]()
    since_best = 0
    for number in range(1, options.epochs + 1):
        order = stream(options.seed, "reward epoch", number).permutation(len(train.labels))
        losses: list[float] = []
        for start in range(0, len(order), options.batch_size):
            batch = [int(i) for i in order[start : start + options.batch_size]]
            losses.append(_step(model, optimizer, train, batch, weights, options.micro_batch_tokens))
            schedule.step()
            on_batch(schedule.last_epoch, losses[-1])
        logits = model.logits(valid.sequences)
        loss = float(_loss(torch.tensor(logits), torch.tensor(valid.labels), weights).mean())
        if not math.isfinite(loss):
            raise ConfigError(
                f"learning_rate: {options.learning_rate:g} made the loss {loss} in epoch {number}; lower it"
            )
        epoch = Epoch(number, float(np.mean(losses)), loss, auc(valid.labels, logits), loss < best)
        history.append(epoch)
        on_epoch(epoch)
        since_best += 1
        if epoch.is_best:
            best, best_state, since_best = loss, model.state(), 0
        if since_best >= options.patience:
            break
    model.load_state(best_state)
    return history


def calibrate(model: TransformersRewardModel, held_out: Encoded) -> None:
    """Fit the model's Platt scaling on examples of problems that it was not trained on."""
    model.platt = fit_platt(held_out.labels, model.logits(held_out.sequences))


def _step(
    model: TransformersRewardModel,
    optimizer: torch.optim.Optimizer,
    data: Encoded,
    batch: Sequence[int],
    weights: tuple[float, float],
    micro_batch_tokens: int,
) -> float:
    total = 0.0
    for part in batches_by_length([len(data.sequences[i]) for i in batch], micro_batch_tokens):
        chosen = [batch[i] for i in part]
        logits = model.forward([data.sequences[i] for i in chosen])
        labels = torch.tensor([data.labels[i] for i in chosen], device=logits.device)
        loss = _loss(logits, labels, weights).sum() / len(batch)
        loss.backward()
        total += loss.item()
    nn.utils.clip_grad_norm_(model.parameters, 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return total


def _loss(logits: Tensor, labels: Tensor, weights: tuple[float, float]) -> Tensor:
    """Weighted cross-entropies [N]; `weights` of wrong and right."""
    each = torch.where(labels > 0.5, weights[1], weights[0])
    return nn.functional.binary_cross_entropy_with_logits(logits, labels, reduction="none") * each


def _class_weights(labels: Sequence[float]) -> tuple[float, float]:
    num_right = sum(labels)
    num_wrong = len(labels) - num_right
    return (len(labels) / (2 * max(num_wrong, 1)), len(labels) / (2 * max(num_right, 1)))
