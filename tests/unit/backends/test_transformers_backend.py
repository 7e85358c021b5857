"""The transformers backend: same tokens as `generate`, exact log-probs, batches, truncated sampling, weights."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import torch

from mars2.backends.in_process import TransformersBackend, sample
from mars2.config.policies import TransformersPolicyConfig
from mars2.core.completion import Message, Sampling
from mars2.core.errors import BackendError
from mars2.core.protocols import Snapshot

PROMPTS = [(Message("user", text),) for text in ("f", "sort then double each", "x" * 40, "def f(x): return x + 1")]


@pytest.fixture
async def backend(tiny_model: Path) -> AsyncIterator[TransformersBackend]:
    made = TransformersBackend("p", TransformersPolicyConfig(model=str(tiny_model), device="cpu", max_batch=3))
    yield made
    await made.close()


async def generate(backend: TransformersBackend, **sampling: object) -> list[object]:
    settings = Sampling(**({"max_tokens": 16} | sampling))  # type: ignore[arg-type]
    return await asyncio.gather(*(backend.generate(p, settings) for p in PROMPTS))


async def test_greedy_equals_transformers_generate(backend: TransformersBackend) -> None:
    for prompt, completion in zip(PROMPTS, await generate(backend, temperature=0), strict=True):
        ids = torch.tensor([backend.encode(prompt)])
        expected = backend.model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=16, do_sample=False)
        assert list(completion.output_ids) == expected[0, ids.shape[1] :].tolist()  # type: ignore[attr-defined]


@pytest.mark.parametrize("temperature", [1.0, 0.7])
async def test_logprobs_are_those_of_the_distribution_sampled_from(
    backend: TransformersBackend, temperature: float
) -> None:
    for c in await generate(backend, seed=5, temperature=temperature):
        ids = torch.tensor([c.prompt_ids + c.output_ids])  # type: ignore[attr-defined]
        with torch.no_grad():
            logprobs = (backend.model(ids).logits[0] / temperature).log_softmax(-1)
        n = len(c.prompt_ids)  # type: ignore[attr-defined]
        expected = logprobs[n - 1 : -1].gather(-1, torch.tensor(c.output_ids)[:, None])[:, 0]  # type: ignore[attr-defined]
        np.testing.assert_allclose(c.logprobs, expected.numpy(), atol=2e-5)  # type: ignore[attr-defined]


def test_sampling_follows_the_distribution() -> None:
    probabilities = torch.tensor([0.1, 0.2, 0.3, 0.4])
    logits = probabilities.log().repeat(4000, 1)
    drawn, logprobs = sample(logits, [Sampling()] * 4000, np.random.default_rng(0).random(4000))
    share = np.bincount(drawn, minlength=4) / 4000
    np.testing.assert_allclose(share, probabilities, atol=0.03)
    np.testing.assert_allclose(logprobs, probabilities.log()[drawn], rtol=1e-5)


def test_the_ends_of_the_unit_interval_are_valid_tokens() -> None:
    logits = torch.tensor([[0.0, -torch.inf, 0.0, -torch.inf]]).repeat(2, 1)
    drawn, _ = sample(logits, [Sampling()] * 2, np.array([0.0, 1 - 2**-53]))
    assert drawn == [0, 2]


@pytest.mark.parametrize(
    ("sampling", "kept"),
    [
        (Sampling(top_k=2), {2: 3 / 7, 3: 4 / 7}),
        (Sampling(top_p=0.5), {2: 3 / 7, 3: 4 / 7}),  # 0.4 < 0.5, so 0.3 is still needed
        (Sampling(top_p=0.35), {3: 1.0}),
        (Sampling(top_k=3, top_p=0.5), {2: 3 / 7, 3: 4 / 7}),  # of 0.4, 0.3, 0.2 renormalised: 0.44 + 0.33
        (Sampling(temperature=0.5), {0: 1 / 30, 1: 4 / 30, 2: 9 / 30, 3: 16 / 30}),
    ],
)
def test_truncated_and_tempered_probabilities(sampling: Sampling, kept: dict[int, float]) -> None:
    logits = torch.tensor([0.1, 0.2, 0.3, 0.4]).log().repeat(2000, 1)
    drawn, logprobs = sample(logits, [sampling] * 2000, np.random.default_rng(1).random(2000))
    assert set(drawn) == set(kept)
    for token, logprob in zip(drawn, logprobs, strict=True):
        assert logprob == pytest.approx(np.log(kept[token]), abs=1e-5)


async def test_new_weights_are_used_and_copied(backend: TransformersBackend) -> None:
    before = (await generate(backend, temperature=0))[1]
    state = {name: torch.randn_like(p) for name, p in backend.model.named_parameters()}
    await backend.load(Snapshot("p", 1, state=state))
    after = (await generate(backend, temperature=0))[1]
    assert after.output_ids != before.output_ids  # type: ignore[attr-defined]
    for tensor in state.values():
        tensor.zero_()
    assert (await generate(backend, temperature=0))[1].output_ids == after.output_ids  # type: ignore[attr-defined]


async def test_a_folder_is_a_snapshot_too(backend: TransformersBackend, tiny_model: Path) -> None:
    before = (await generate(backend, temperature=0))[1]
    await backend.load(Snapshot("p", 1, state={n: torch.zeros_like(p) for n, p in backend.model.named_parameters()}))
    await backend.load(Snapshot("p", 2, folder=tiny_model))
    assert backend.version == 2
    assert (await generate(backend, temperature=0))[1].output_ids == before.output_ids  # type: ignore[attr-defined]
    with pytest.raises(BackendError, match="lacks"):
        await backend.load(Snapshot("p", 3, state={}))
    with pytest.raises(BackendError, match="holds no weights"):
        await backend.load(Snapshot("p", 3))


async def test_a_prompt_longer_than_the_context_is_an_error_of_its_own(backend: TransformersBackend) -> None:
    backend.max_context = 20
    with pytest.raises(BackendError, match="the model's context is 20"):
        await backend.generate((Message("user", "word " * 50),), Sampling(max_tokens=4))
    completion = await backend.generate(PROMPTS[0], Sampling(max_tokens=50, seed=0))
    assert completion.prompt_tokens + completion.output_tokens <= 20
