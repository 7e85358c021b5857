"""What the sampler says a token's log-prob was is what the trainer computes: float32 on the CPU, mean gap ≤ 1e-4."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mars2 import build
from mars2.backends.in_process import TransformersBackend
from mars2.config.load import parse_config
from mars2.config.policies import TransformersPolicyConfig
from mars2.config.run import RunConfig
from mars2.core.completion import Completion, Message, Sampling
from mars2.core.errors import ConfigError
from mars2.core.sample import TrainingSample
from mars2.lab.policies import POLICIES, build_model
from mars2.lab.tokenizer import build_tokenizer
from mars2.learners.torch_learner import TorchLearner

QUESTIONS = ["double it", "the first letter of each word, then the sum", "f(x): sorted, without 0", "reverse"]


@pytest.fixture(scope="module", params=sorted(POLICIES))
def lab_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy of the lab's size and architecture with random weights, far from uniform."""
    folder = tmp_path_factory.mktemp(request.param)
    tokenizer = build_tokenizer()
    torch.manual_seed(0)
    model = build_model(POLICIES[request.param], len(tokenizer), tokenizer.eos_token_id)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 3 if parameter.ndim > 1 else 1
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def config(*overrides: str) -> RunConfig:
    data: dict[str, Any] = {
        "name": "x",
        "problems": {"kind": "lab"},
        "policies": {"p": {"backend": "transformers", "model": "m", "device": "cpu", "dtype": "float32"}},
        "agents": {"a": {"policy": "p"}},
        "training": {"steps": 1, "objective": {"kl_beta": 0.0}},
    }
    return parse_config(data, overrides)


def sampled(folder: Path, temperature: float, max_tokens: int, num: int) -> list[TrainingSample]:
    """Completions of prompts of uneven length, generated in one batch."""

    async def generate() -> list[Completion]:
        backend = TransformersBackend("p", TransformersPolicyConfig(model=str(folder), device="cpu", dtype="float32"))
        prompts = [(Message("user", QUESTIONS[i % len(QUESTIONS)]),) for i in range(num)]
        calls = [
            backend.generate(prompt, Sampling(temperature=temperature, max_tokens=max_tokens, seed=i))
            for i, prompt in enumerate(prompts)
        ]
        found = await asyncio.gather(*calls)
        await backend.close()
        return found

    rng = np.random.default_rng(0)
    return [
        TrainingSample(
            key=f"T/{i}",
            tree_id="T",
            node_id=i,
            agent="a",
            policy="p",
            policy_version=0,
            prompt_ids=c.prompt_ids,
            output_ids=c.output_ids,
            rollout_logprobs=c.logprobs,
            reward=0.0,
            shaped=0.0,
            advantage=float(rng.normal()),
        )
        for i, c in enumerate(asyncio.run(generate()))
    ]


def step(folder: Path, samples: list[TrainingSample], temperature: float) -> dict[str, float]:
    learner = build.build_learners(config(f"sampling.temperature={temperature}"), {"p": str(folder)})["p"]
    assert isinstance(learner, TorchLearner)
    return learner.step(samples)


@pytest.mark.parametrize("temperature", [1.0, 0.7, 1.3])
def test_lab_policies(lab_folder: Path, temperature: float) -> None:
    samples = sampled(lab_folder, temperature, max_tokens=48, num=12)
    metrics = step(lab_folder, samples, temperature)
    assert metrics["logprob_gap"] <= 1e-4
    assert metrics["tis_weight_mean"] == pytest.approx(1.0, abs=1e-3)
    assert metrics["entropy"] > 0.1  # a gap of certain tokens would prove nothing
    other = 1.0 if temperature != 1.0 else 0.7
    assert step(lab_folder, samples, other)["logprob_gap"] > 1e-2  # the trainer's temperature matters


@pytest.mark.parametrize("override", ["top_p=0.95", "top_k=40", "temperature=0"])
def test_sampling_that_biases_the_ratio_is_refused(override: str) -> None:
    with pytest.raises(ConfigError, match="biases the importance ratio"):
        config(f"sampling.{override}")
    with pytest.raises(ConfigError, match="biases the importance ratio"):
        config(f"agents.a.sampling={{{override.replace('=', ': ')}}}")


@pytest.mark.real_model
@pytest.mark.timeout(900)
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_a_real_model(temperature: float) -> None:
    folder = os.environ.get("MARS2_TEST_MODEL")
    if not folder:
        pytest.skip("MARS2_TEST_MODEL names no model folder")
    samples = sampled(Path(folder), temperature, max_tokens=48, num=6)
    metrics = step(Path(folder), samples, temperature)
    assert metrics["logprob_gap"] <= 1e-4
