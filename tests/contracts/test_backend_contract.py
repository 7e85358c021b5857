"""What every backend must do, whether it scripts its answers or computes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from transformers import AutoModelForCausalLM

from mars2.backends.in_process import TransformersBackend
from mars2.backends.openai_http import OpenAIBackend
from mars2.backends.scripted import ScriptedBackend, load_script
from mars2.config.policies import OpenAIPolicyConfig, TransformersPolicyConfig, VllmPolicyConfig
from mars2.core.completion import Message, Sampling
from mars2.core.protocols import Backend, Snapshot, TrainableBackend
from openai_server import openai_server

pytestmark = pytest.mark.asyncio(loop_scope="module")
PROMPT = (Message("user", "write f"),)
SAMPLING = Sampling(max_tokens=12, seed=1)


SMALL_ENGINE = {"enforce_eager": True, "kv_cache_memory_bytes": 1 << 28}
BACKENDS = ["scripted", "transformers", "openai", pytest.param("vllm", marks=pytest.mark.vllm)]


@pytest_asyncio.fixture(params=BACKENDS, scope="module", loop_scope="module")
async def backend(
    request: pytest.FixtureRequest, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Backend]:
    if request.param == "scripted":
        script = tmp_path_factory.mktemp("script") / "script.yaml"
        script.write_text("rules: [{match: write, answers: ['abc', 'def f(x): pass', 'ghi'], latency_s: 0.001}]")
        made: Backend = ScriptedBackend("p", load_script(script))
    elif request.param == "transformers":
        made = TransformersBackend("p", TransformersPolicyConfig(model=str(tiny_model), device="cpu"))
    elif request.param == "openai":
        with openai_server() as server:
            made = OpenAIBackend("p", OpenAIPolicyConfig(model="m", base_url=server.url))
            yield made
            await made.close()
        return
    else:
        pytest.importorskip("vllm")
        from mars2.backends.vllm_engine import VllmBackend

        made = VllmBackend(
            "p", VllmPolicyConfig(model=str(tiny_model), dtype="float32", max_model_len=256, engine=SMALL_ENGINE)
        )
    yield made
    await made.close()


async def test_ids_logprobs_and_counts_align(backend: Backend) -> None:
    completion = await backend.generate(PROMPT, SAMPLING)
    assert completion.policy == "p"
    assert completion.policy_version == backend.version == 0
    assert completion.output_tokens <= 12
    assert completion.prompt_tokens > 0
    if isinstance(backend, OpenAIBackend):  # the API gives neither
        assert completion.prompt_ids == completion.output_ids == completion.logprobs == ()
        return
    assert len(completion.output_ids) == len(completion.logprobs) == completion.output_tokens
    assert len(completion.prompt_ids) == completion.prompt_tokens
    assert all(lp <= 0 for lp in completion.logprobs)


async def test_the_seed_decides_whatever_is_in_the_batch(backend: Backend) -> None:
    alone = await backend.generate(PROMPT, SAMPLING)
    others = [replace(SAMPLING, seed=s) for s in range(2, 9)]
    together = await asyncio.gather(*(backend.generate(PROMPT, s) for s in [*others, SAMPLING]))
    assert (together[-1].output_ids, together[-1].text) == (alone.output_ids, alone.text)
    assert len({c.text for c in together}) > 1


async def test_max_tokens_is_kept_and_said(backend: Backend) -> None:
    completion = await backend.generate(PROMPT, replace(SAMPLING, max_tokens=2))
    assert (completion.output_tokens, completion.finish_reason) == (2, "length")


async def test_cancelling_one_request_leaves_the_others(backend: Backend) -> None:
    tasks = [asyncio.create_task(backend.generate(PROMPT, replace(SAMPLING, seed=s))) for s in range(4)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert all(not isinstance(f, BaseException) for f in found[1:])
    assert (await backend.generate(PROMPT, SAMPLING)).output_tokens > 0


async def test_a_snapshot_changes_the_version(backend: Backend, tiny_model: Path) -> None:
    if isinstance(backend, OpenAIBackend):
        assert not isinstance(backend, TrainableBackend)
        return
    assert isinstance(backend, TrainableBackend)
    state = AutoModelForCausalLM.from_pretrained(tiny_model).state_dict()
    await backend.load(Snapshot("p", 7, state=state))
    assert backend.version == 7
    assert (await backend.generate(PROMPT, SAMPLING)).policy_version == 7
