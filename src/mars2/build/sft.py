"""The trainer of a supervised fine-tuning, with its data in tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mars2.build.installed import need_torch
from mars2.build.models import check_model, quiet_torch, torch_device
from mars2.config.sft import SftConfig
from mars2.core.errors import ConfigError
from mars2.core.optional import need
from mars2.core.seeds import derive_seed, stream

if TYPE_CHECKING:
    from mars2.learners.conversations import Conversation, Example
    from mars2.learners.policy_model import PolicyModel
    from mars2.learners.sft import SftTrainer


@dataclass(frozen=True, slots=True, kw_only=True)
class SftData:
    """What a fine-tuning learns from."""

    num_examples: int  # conversations to learn from
    num_validation: int  # conversations to measure on
    num_too_long: int  # conversations that are left out
    num_trained_tokens: int
    has_template: bool = True  # False: the model had no chat template and was given a simple one


def check_sft(config: SftConfig) -> None:
    """Refuse what cannot work before anything is made.

    Raises:
        ConfigError: there is no such model.
        MissingPackage: a package is not installed.
    """
    need_torch("sft")
    need("tensorboard", "train", "sft")
    check_model("model", config.model)


def build_sft(config: SftConfig) -> tuple[SftTrainer, SftData]:
    """
    Raises:
        ConfigError: the data cannot be read, or nothing is left of it.
    """
    from mars2.learners.conversations import ensure_template, read_conversations

    conversations = read_conversations(config.data)  # the data's mistakes are told before a model is loaded
    held_out = None if config.validation_data is None else read_conversations(config.validation_data)

    import torch

    from mars2.learners.policy_model import PolicyModel
    from mars2.learners.sft import SftTrainer

    quiet_torch(config.threads)
    model = PolicyModel(
        config.model,
        device=torch.device(torch_device(config.device)),
        dtype=config.dtype,
        gradient_checkpointing=config.gradient_checkpointing,
        keep_reference=False,
        lora=config.lora,
        seed=derive_seed(config.seed, "sft", "lora"),
    )
    has_template = not ensure_template(model.tokenizer)
    if held_out is None:
        order = stream(config.seed, "sft", "split").permutation(len(conversations)).tolist()
        num_held_out = min(round(config.validation_fraction * len(conversations)), len(conversations) - 1)
        held_out = [conversations[i] for i in sorted(order[:num_held_out])]
        conversations = [conversations[i] for i in sorted(order[num_held_out:])]
    examples, num_too_long = _encode(config.data, conversations, model, config.max_length)
    validation, _ = _encode(config.validation_data or config.data, held_out, model, config.max_length)
    if not examples:
        raise ConfigError(f"max_length: all conversations are longer than {config.max_length} tokens; raise it")
    num_steps = config.steps or config.epochs * -(-len(examples) // config.batch_size)
    data = SftData(
        num_examples=len(examples),
        num_validation=len(validation),
        num_too_long=num_too_long,
        num_trained_tokens=sum(sum(example.is_trained) for example in examples),
        has_template=has_template,
    )
    return SftTrainer(model, examples, validation, config, num_steps=num_steps), data


def _encode(
    path: Path, conversations: Sequence[tuple[int, Conversation]], model: PolicyModel, max_length: int
) -> tuple[list[Example], int]:
    """Conversations in tokens, and how many were too long."""
    from mars2.learners.conversations import encode

    longest = min(max_length, model.max_length or max_length)
    examples: list[Example] = []
    for number, conversation in conversations:
        try:
            example = encode(model.tokenizer, conversation, model.stop_ids)
        except ValueError as error:
            raise ConfigError(f"data: {path} line {number}: {error}") from error
        if len(example.ids) <= longest:
            examples.append(example)
    return examples, len(conversations) - len(examples)
