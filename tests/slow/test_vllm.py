"""vLLM for real, on the CPU: log-probabilities agree with the trainer's, and trained weights reach the engine."""

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
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("vllm")
pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900)]

from transformers import AutoTokenizer  # noqa: E402

from mars2.backends.vllm_ import VllmBackend  # noqa: E402
from mars2.backends.vllm_server import VllmServerBackend  # noqa: E402
from mars2.core.completion import Completion, Message, Sampling  # noqa: E402
from mars2.core.errors import BackendError  # noqa: E402
from mars2.core.protocols import TrainableBackend  # noqa: E402
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
    learner = TorchLearner("p", model, learning_rate=0.01)
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


async def test_a_trained_step_reaches_the_engine(chat_model: Path) -> None:
    backend = VllmBackend("p", chat_model, dtype="float32", max_model_len=256, engine=ENGINE)
    try:
        await follow_one_step(backend, chat_model)
    finally:
        await backend.close()


async def test_a_trained_step_reaches_a_server(chat_model: Path, server: str) -> None:
    backend = VllmServerBackend("p", "tiny", base_url=server, folder=chat_model)
    try:
        await follow_one_step(backend, chat_model)
    finally:
        await backend.close()


def kill_engines() -> None:
    children = subprocess.run(["pgrep", "-P", str(os.getpid())], capture_output=True, text=True).stdout.split()
    engines = [int(pid) for pid in children if b"EngineCore" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert engines
    for pid in engines:
        os.kill(pid, signal.SIGKILL)


async def test_an_engine_that_dies_is_said_and_started_again(chat_model: Path) -> None:
    backend = VllmBackend("p", chat_model, dtype="float32", max_model_len=256, engine=ENGINE)
    try:
        learner = TorchLearner("p", chat_model, learning_rate=0.01)
        await backend.load(replace(learner.snapshot(), version=3))
        first = await backend.generate(PROMPTS[0], replace(SAMPLING, seed=5))
        kill_engines()
        calls = (backend.generate(PROMPTS[1], SAMPLING) for _ in range(4))
        found = await asyncio.gather(*calls, return_exceptions=True)
        assert any(isinstance(f, BackendError) and "the vLLM engine died" in str(f) for f in found)
        again = await backend.generate(PROMPTS[0], replace(SAMPLING, seed=5))
        assert (again.output_ids, again.policy_version) == (first.output_ids, 3)
    finally:
        await backend.close()
