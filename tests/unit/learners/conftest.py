"""Tiny random models with a tiny tokenizer, saved as ordinary Hugging Face folders, and random samples for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from mars2.core.sample import TrainingSample

VOCAB_SIZE = 48


def save_tokenizer(folder: Path) -> None:
    words = {f"t{i}": i for i in range(VOCAB_SIZE)}
    PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="t0")), eos_token="t1", pad_token="t0"
    ).save_pretrained(folder)


@pytest.fixture(scope="session")
def llama_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "llama"
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCAB_SIZE,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        initializer_range=0.3,  # distributions far from uniform, so that tests can tell formulas apart
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    save_tokenizer(folder)
    return folder


@pytest.fixture(scope="session")
def gpt2_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "gpt2"
    torch.manual_seed(1)
    config = GPT2Config(vocab_size=VOCAB_SIZE, n_embd=32, n_layer=2, n_head=4, n_positions=64, initializer_range=0.3)
    GPT2LMHeadModel(config).save_pretrained(folder)  # dropout 0.1 and tied embeddings, as GPT-2 has them
    save_tokenizer(folder)
    return folder


@pytest.fixture(scope="session")
def neox_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "neox"
    torch.manual_seed(2)
    config = GPTNeoXConfig(
        vocab_size=VOCAB_SIZE,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=64,
        initializer_range=0.3,
        tie_word_embeddings=True,
    )
    GPTNeoXForCausalLM(config).save_pretrained(folder)
    save_tokenizer(folder)
    return folder


MakeSamples = Callable[..., list[TrainingSample]]


@pytest.fixture(scope="session")
def random_samples() -> MakeSamples:
    """`random_samples(num, seed=0, same_prompt=1)`: uneven lengths, random values; runs of `same_prompt` share one."""

    def make(num: int, seed: int = 0, same_prompt: int = 1) -> list[TrainingSample]:
        rng = np.random.default_rng(seed)
        samples: list[TrainingSample] = []
        prompt = np.empty(0)
        for i in range(num):
            if i % same_prompt == 0:
                prompt = rng.integers(2, VOCAB_SIZE, rng.integers(1, 12))
            output = rng.integers(2, VOCAB_SIZE, rng.integers(1, 16))
            samples.append(
                TrainingSample(
                    key=f"tree{i // 4}/{i % 4}",
                    tree_id=f"tree{i // 4}",
                    node_id=i % 4,
                    agent="a",
                    policy="p",
                    policy_version=0,
                    prompt_ids=tuple(prompt.tolist()),
                    output_ids=tuple(output.tolist()),
                    rollout_logprobs=tuple((-rng.exponential(3.0, len(output))).tolist()),
                    reward=float(rng.integers(0, 2)),
                    shaped=float(rng.normal()),
                    advantage=float(rng.normal()),
                )
            )
        return samples

    return make
