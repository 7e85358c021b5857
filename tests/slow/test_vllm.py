"""vLLM for real, on the CPU: log-probabilities agree with the trainer's, trained weights reach the engine, no answer is
taken for one of other weights, an engine that dies or sleeps comes back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

pytest.importorskip("vllm")
pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900), pytest.mark.asyncio(loop_scope="module")]

import torch  # noqa: E402
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer  # noqa: E402

from mars2.backends.vllm_engine import VllmBackend  # noqa: E402
from mars2.backends.vllm_server import VllmServerBackend  # noqa: E402
from mars2.config.optimizer import OptimizerConfig  # noqa: E402
from mars2.config.policies import VllmPolicyConfig, VllmServerPolicyConfig  # noqa: E402
from mars2.core.completion import Completion, Message, Sampling  # noqa: E402
from mars2.core.errors import BackendError  # noqa: E402
from mars2.core.protocols import Snapshot, TrainableBackend  # noqa: E402
from mars2.core.sample import TrainingSample  # noqa: E402
from mars2.learners.torch_learner import TorchLearner  # noqa: E402

PROMPTS = [(Message("user", f"write f {i % 4}"),) for i in range(16)]
SAMPLING = Sampling(max_tokens=24)
ENGINE = {"enforce_eager": True, "kv_cache_memory_bytes": 1 << 28}
MAX_GAP = 1e-3  # nats a token, mean; both sides compute in float32


@pytest.fixture(scope="module")
def chat_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chat") / "tiny"
    shutil.copytree(tiny_model, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def tied_model(chat_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with an output layer that is the embedding, as in small Qwen models."""
    folder = tmp_path_factory.mktemp("tied") / "tiny"
    shutil.copytree(chat_model, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    config = AutoConfig.from_pretrained(chat_model)
    config.tie_word_embeddings = True
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return folder


@pytest.fixture
def server(chat_model: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(chat_model)]
    command += [
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--dtype",
        "float32",
        "--max-model-len",
        "256",
        "--enforce-eager",
    ]
    command += ["--kv-cache-memory-bytes", str(1 << 28), "--served-model-name", "tiny"]
    environment = os.environ | {"VLLM_SERVER_DEV_MODE": "1"}
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        for _ in range(300):
            assert process.poll() is None, "vllm serve ended"
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5)
                break
            except OSError:
                time.sleep(1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


async def sampled(backend: TrainableBackend, first_seed: int) -> list[Completion]:
    return await asyncio.gather(
        *(backend.generate(p, replace(SAMPLING, seed=first_seed + i)) for i, p in enumerate(PROMPTS))
    )


def samples(completions: Sequence[Completion]) -> list[TrainingSample]:
    return [
        TrainingSample(
            key=f"t/{i}",
            tree_id="t",
            node_id=i,
            agent="a",
            policy="p",
            policy_version=c.policy_version,
            prompt_ids=c.prompt_ids,
            output_ids=c.output_ids,
            rollout_logprobs=c.logprobs,
            reward=float(i % 2),
            shaped=float(i % 2),
            advantage=1.0 if i % 2 else -1.0,
        )
        for i, c in enumerate(completions)
    ]


async def follow_one_step(backend: TrainableBackend, model: Path) -> None:
    """Sample, train one step, load it, sample again: each time the engine's log-probs are the trainer's."""
    learner = TorchLearner("p", model, optimizer=OptimizerConfig(learning_rate=0.01))
    before = learner.step(samples(await sampled(backend, 0)))
    assert before["logprob_gap"] < MAX_GAP
    assert before["tis_weight_mean"] == pytest.approx(1.0, abs=0.01)
    await backend.load(learner.snapshot())
    assert backend.version == 1
    new = samples(await sampled(backend, 100))
    assert {s.policy_version for s in new} == {1}
    of_old_weights = TorchLearner("p", model).step(new)["logprob_gap"]
    of_new_weights = learner.step(new)["logprob_gap"]
    gaps = [f"{gap:.1e}" for gap in (before["logprob_gap"], of_new_weights, of_old_weights)]
    print(f"mean |log-prob gap| {gaps[0]}, a step later {gaps[1]} (to the old weights {gaps[2]})")
    assert of_new_weights < MAX_GAP
    assert of_old_weights > 30 * of_new_weights


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(chat_model: Path) -> AsyncIterator[VllmBackend]:
    backend = VllmBackend(
        "p", VllmPolicyConfig(model=str(chat_model), dtype="float32", max_model_len=256, sleeps=True, engine=ENGINE)
    )
    yield backend
    await backend.close()


async def test_a_trained_step_reaches_the_engine(engine: VllmBackend, chat_model: Path) -> None:
    await follow_one_step(engine, chat_model)


async def test_many_long_prompts_at_once(engine: VllmBackend) -> None:
    """More tokens than one step prefills: with prompts cut into chunks vLLM 0.32 dies of it on a CPU."""
    prompts = [(Message("user", f"{i} " + "write f " * 28),) for i in range(24)]
    sizes = [engine.count_tokens(prompt) for prompt in prompts]
    assert sum(sizes) > 4096 > 256 > max(sizes)
    found = await asyncio.gather(*(engine.generate(p, Sampling(max_tokens=4, seed=i)) for i, p in enumerate(prompts)))
    assert [c.prompt_tokens for c in found] == sizes


def perturbed(model: Path, seed: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    state = AutoModelForCausalLM.from_pretrained(model).state_dict()
    if AutoConfig.from_pretrained(model).tie_word_embeddings:
        del state["lm_head.weight"]
    return {name: value + 0.05 * torch.randn_like(value) for name, value in state.items()}


@torch.no_grad()
def gap_to(weights: dict[str, torch.Tensor], model: Path, completion: Completion) -> float:
    """Mean |difference| of log-probs, nats a token, between the completion's and those of `weights`."""
    policy = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    policy.load_state_dict(weights, strict=False)
    ids = torch.tensor([completion.prompt_ids + completion.output_ids])
    logprobs = policy(ids).logits[0, len(completion.prompt_ids) - 1 : -1].log_softmax(-1)
    own = logprobs.gather(1, torch.tensor(completion.output_ids)[:, None])[:, 0]
    return (own - torch.tensor(completion.logprobs)).abs().mean().item()


async def test_answers_name_the_weights_they_come_from(engine: VllmBackend, chat_model: Path) -> None:
    """Also those asked for while weights are swapped, and those whose prompt is in the cache of the old weights."""
    weights = {version: perturbed(chat_model, version) for version in (11, 12)}
    await engine.load(Snapshot("p", 11, state=weights[11]))
    asked = [asyncio.create_task(engine.generate(PROMPTS[0], replace(SAMPLING, seed=i))) for i in range(4)]
    await asyncio.wait(asked[:1], timeout=0.05)
    loading = asyncio.create_task(engine.load(Snapshot("p", 12, state=weights[12])))
    for i in range(4, 12):
        await asyncio.sleep(0.01)
        asked.append(asyncio.create_task(engine.generate(PROMPTS[0], replace(SAMPLING, seed=i))))
    await loading
    asked.append(asyncio.create_task(engine.generate(PROMPTS[0], replace(SAMPLING, seed=12))))
    found = await asyncio.gather(*asked)
    assert found[-1].policy_version == 12
    for completion in found:
        assert gap_to(weights[completion.policy_version], chat_model, completion) < MAX_GAP
        assert gap_to(weights[23 - completion.policy_version], chat_model, completion) > 30 * MAX_GAP


async def test_answers_of_unknown_weights_are_refused(engine: VllmBackend) -> None:
    await engine.generate(PROMPTS[0], SAMPLING)
    await engine._engine.update_weight_version("somebody else's")
    with pytest.raises(BackendError, match="somebody else's"):
        await engine.generate(PROMPTS[0], SAMPLING)
    await engine._engine.update_weight_version(str(engine.version))
    await engine.generate(PROMPTS[0], SAMPLING)


async def test_shared_prefixes_are_computed_once_per_weights(engine: VllmBackend, chat_model: Path) -> None:
    prompt = (Message("user", "a statement " * 16),)
    assert 256 > engine.count_tokens(prompt) > 128  # a block of the cache has at most 128 tokens
    await engine.load(Snapshot("p", 20, state=perturbed(chat_model, 20)))
    before = engine.num_cached_tokens
    await engine.generate(prompt, SAMPLING)
    assert engine.num_cached_tokens == before
    await engine.generate(prompt, SAMPLING)
    assert engine.num_cached_tokens > before
    kept = engine.num_cached_tokens
    await engine.load(Snapshot("p", 21, state=perturbed(chat_model, 21)))
    await engine.generate(prompt, SAMPLING)
    assert engine.num_cached_tokens == kept


async def test_weights_that_do_not_fit_are_an_error_not_an_answer(engine: VllmBackend, chat_model: Path) -> None:
    bad = {n: torch.zeros(3, 3) if "q_proj" in n else value for n, value in perturbed(chat_model, 30).items()}
    with pytest.raises(BackendError, match="did not take the weights"):
        await engine.load(Snapshot("p", 30, state=bad))
    assert any("did not take version 30" in trouble for trouble in engine.troubles())
    await engine.load(Snapshot("p", 31, state=perturbed(chat_model, 31)))
    assert (await engine.generate(PROMPTS[0], SAMPLING)).policy_version == 31


async def test_a_trained_step_reaches_a_server(chat_model: Path, server: str) -> None:
    backend = VllmServerBackend("p", VllmServerPolicyConfig(model="tiny", base_url=server, folder=str(chat_model)))
    try:
        await follow_one_step(backend, chat_model)
        # As after a restart of the server: other weights, and no label of ours.
        await backend._control(
            "collective_rpc", {"method": "reload_weights", "kwargs": {"weights_path": str(chat_model)}}
        )
        await backend._control("update_weight_version", {"new_version": "default"})
        calls = (backend.generate(p, replace(SAMPLING, seed=1)) for p in PROMPTS[:4])
        lost = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(e, BackendError) and "they were loaded again" in str(e) for e in lost)
        state = AutoModelForCausalLM.from_pretrained(next(backend._scratch.iterdir())).state_dict()
        again = await backend.generate(PROMPTS[0], replace(SAMPLING, seed=1))
        assert again.policy_version == 1
        assert gap_to(state, chat_model, again) < MAX_GAP
    finally:
        await backend.close()


def engines_among(pids: Sequence[int]) -> list[int]:
    """Those that are running engine cores."""
    files = {pid: Path(f"/proc/{pid}/cmdline") for pid in pids}
    return [pid for pid, file in files.items() if file.exists() and b"EngineCore" in file.read_bytes()]


async def test_an_engine_that_dies_or_sleeps_comes_back_with_its_weights(tied_model: Path) -> None:
    backend = VllmBackend(
        "p", VllmPolicyConfig(model=str(tied_model), dtype="float32", max_model_len=256, sleeps=True, engine=ENGINE)
    )
    sampling = replace(SAMPLING, seed=5)
    try:
        weights = perturbed(tied_model, 3)
        await backend.load(Snapshot("p", 3, state=weights))
        first = await backend.generate(PROMPTS[0], sampling)
        assert gap_to(weights, tied_model, first) < MAX_GAP

        assert backend._guard is not None
        assert engines_among(backend._guard.pids) == backend._guard.pids != []
        backend._guard.kill()
        calls = (backend.generate(PROMPTS[1], SAMPLING) for _ in range(4))
        found = await asyncio.gather(*calls, return_exceptions=True)
        assert any(isinstance(f, BackendError) and "the vLLM engine died" in str(f) for f in found)
        again = await backend.generate(PROMPTS[0], sampling)
        assert (again.output_ids, again.policy_version) == (first.output_ids, 3)

        running = [asyncio.create_task(backend.generate(p, SAMPLING)) for p in PROMPTS[:2]]
        await asyncio.wait(running, timeout=0.05)
        pids = backend._guard.pids
        await backend.sleep()
        assert engines_among(pids) == []
        assert all(completion.output_tokens for completion in await asyncio.gather(*running))
        again = await backend.generate(PROMPTS[0], sampling)
        assert (again.output_ids, again.policy_version) == (first.output_ids, 3)
    finally:
        await backend.close()
