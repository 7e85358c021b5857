"""Generation by a vLLM engine of this run: continuous batching, prefix caching, exact ids and log-probabilities.

The prompts of one tree begin with the same statement, so prefix caching is on. It is reset when weights change; vLLM
does not do that by itself.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import asyncio
import itertools
import math
import multiprocessing
import shutil
import tempfile
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import Any

from mars2.backends.engine_guard import EngineGuard
from mars2.backends.snapshot_folder import snapshot_folder
from mars2.config.policies import VllmPolicyConfig
from mars2.core.completion import Completion, Prompt, Sampling
from mars2.core.errors import BackendError, ConfigError
from mars2.core.optional import need
from mars2.core.pretrained import load_tokenizer, render_chat
from mars2.core.protocols import Snapshot

_SWAP_TIMEOUT_S = 600.0  # of an engine that has no request under way
_LOOK_S = 1.0  # how often a waiting engine is looked at
_MAX_RESTARTS = 3


class VllmBackend:
    """One policy's weights in a vLLM engine, which runs in processes of its own and is started by `start`.

    Log-probabilities are those of the distribution sampled from (`processed_logprobs`). An engine that dies fails the
    requests under way with BackendError and is started again, with the newest weights, by the next one. Versions of
    completions are the labels that the engine itself puts on its tokens.
    """

    def __init__(self, policy: str, options: VllmPolicyConfig, model: str | Path | None = None) -> None:
        """`model`: where the weights are, if not at `options.model`."""
        need("vllm", "vllm", f"policies.{policy}.backend vllm")
        try:
            from vllm import AsyncEngineArgs
            from vllm.platforms import current_platform
        except ImportError as error:
            raise ConfigError(
                f"policies.{policy}.backend: vllm cannot be loaded here ({error}); install it anew as docs/backends.md "
                "says, or use backend: transformers"
            ) from None
        self.policy = policy
        self._model = Path(model or options.model)
        self._is_on_cpu: bool = current_platform.is_cpu()
        arguments: dict[str, Any] = {
            "model": str(model or options.model),
            "dtype": options.dtype,
            "max_model_len": options.max_model_len,
            "tensor_parallel_size": options.tensor_parallel_size,
            "gpu_memory_utilization": options.gpu_memory_utilization,
            "max_num_seqs": options.max_num_seqs,
            "enable_prefix_caching": True,
            "logprobs_mode": "processed_logprobs",
            "disable_log_stats": True,
            "enable_sleep_mode": options.sleeps and current_platform.is_sleep_mode_available(),
            **(_cpu_arguments() if self._is_on_cpu else {}),
            **options.engine,
        }
        try:
            self._arguments = AsyncEngineArgs(**arguments)
        except TypeError as error:
            raise ConfigError(f"policies.{policy}.engine: {error}; see vllm.AsyncEngineArgs") from None
        self._sleeps = options.sleeps
        self._is_asleep = False
        self._engine: Any = None
        self._guard: EngineGuard | None = None
        self._tokenizer: Any = None
        self._weights: Path | None = None  # newest snapshot on disk, for an engine that is started again
        self._version = 0
        self._num_starts = 0
        self._troubles: list[str] = []
        self.num_prompt_tokens = 0  # of all requests
        self.num_cached_tokens = 0  # of these, found in the prefix cache
        self._names = itertools.count()
        self._starting = asyncio.Lock()
        self._scratch = Path(tempfile.mkdtemp(prefix=f"mars2-{policy}-"))

    @property
    def version(self) -> int:
        return self._version

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Completion:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind
        from vllm.v1.engine.exceptions import EngineDeadError

        engine = await self._running_engine()
        prompt_ids = self.encode(prompt)
        context = engine.model_config.max_model_len
        if len(prompt_ids) >= context:
            raise BackendError(
                f"policy {self.policy!r}: the prompt has {len(prompt_ids)} tokens, the model's context is {context}; "
                "shorten the problem or the feedback, or raise max_model_len"
            )
        parameters = SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            max_tokens=min(sampling.max_tokens, context - len(prompt_ids)),
            seed=None if sampling.seed is None else sampling.seed & 0x7FFFFFFFFFFFFFFF,
            logprobs=0,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        last = None
        try:
            async for output in engine.generate(
                {"prompt_token_ids": prompt_ids}, parameters, f"{self.policy}-{next(self._names)}"
            ):
                last = output
        except EngineDeadError as error:
            raise BackendError(f"policy {self.policy!r}: the vLLM engine died ({error}); its log says why") from None
        except (ValueError, RuntimeError) as error:
            raise BackendError(f"policy {self.policy!r}: vLLM refused a request: {error}") from None
        if last is None or last.outputs[0].finish_reason not in ("stop", "length"):
            raise BackendError(f"policy {self.policy!r}: vLLM gave a request up")
        self._num_starts = 0  # it works
        self.num_prompt_tokens += len(prompt_ids)
        self.num_cached_tokens += last.num_cached_tokens or 0
        answer = last.outputs[0]
        ids = tuple(answer.token_ids)
        logprobs = [place[token].logprob for place, token in zip(answer.logprobs, ids, strict=True)]
        if any(map(math.isnan, logprobs)):
            raise ConfigError(
                f"policies.{self.policy}.model: {self._model} (version {self._version}) computes logits that are NaN; "
                "its weights are damaged, or too large for their dtype: set dtype: float32"
            )
        return Completion(
            text=answer.text,
            finish_reason=answer.finish_reason,
            policy=self.policy,
            policy_version=self._version_of(answer.weight_versions),
            prompt_ids=tuple(prompt_ids),
            output_ids=ids,
            logprobs=tuple(min(0.0, logprob) for logprob in logprobs),
            prompt_tokens=len(prompt_ids),
            output_tokens=len(ids),
        )

    async def load(self, snapshot: Snapshot) -> None:
        """Let requests under way end, however long they take, swap the weights, drop the prefix cache.

        Requests made meanwhile wait. If the engine cannot load the weights, it is ended, and another engine is started
        with them; `troubles` then says so.

        Raises:
            BackendError: the other engine cannot load them either.
        """
        folder = await asyncio.to_thread(snapshot_folder, snapshot, self._model, self._scratch)
        old, self._weights = self._weights, folder
        self._version = snapshot.version
        engine = await self._running_engine()  # an engine that starts now has them already
        try:
            await _unless_it_dies(engine, engine.pause_generation(mode="wait", clear_cache=True))
            async with asyncio.timeout(_SWAP_TIMEOUT_S):
                await self._put_weights(engine)
                await engine.resume_generation()
        except Exception as error:  # of vLLM or of its worker
            self._troubles.append(
                f"policy {self.policy!r}: the vLLM engine did not take version {snapshot.version} ({error!r}) and was "
                "ended; requests that were waiting are made again, and a new engine has the new weights"
            )
            await self._end(engine)
            await self._running_engine()
        if old is not None and old.parent == self._scratch and old != folder:
            shutil.rmtree(old, ignore_errors=True)

    async def sleep(self) -> None:
        """Let requests under way end, then give the engine's memory back until the next request or `load`.

        If vLLM can move weights to the host (not on a CPU), the engine stays; otherwise it is ended.
        """
        if not self._sleeps or self._engine is None or self._is_asleep:
            return
        async with self._starting:
            if self._arguments.enable_sleep_mode:
                await _unless_it_dies(self._engine, self._engine.sleep(level=1, mode="wait"))
                self._is_asleep = True
            else:
                await _unless_it_dies(self._engine, self._engine.pause_generation(mode="wait"))
                await asyncio.to_thread(self._stop)

    def troubles(self) -> list[str]:
        """What went wrong since the last call, and what was done about it."""
        found, self._troubles = self._troubles, []
        return found

    async def close(self) -> None:
        listener = getattr(self._engine, "output_handler", None)
        if listener is not None:
            listener.cancel()  # otherwise vLLM logs a normal end as a crash, with a traceback
        await asyncio.to_thread(self._stop)
        shutil.rmtree(self._scratch, ignore_errors=True)

    def count_tokens(self, prompt: Prompt) -> int:
        return len(self.encode(prompt))

    def encode(self, prompt: Prompt) -> list[int]:
        """Prompt token ids, through the model's chat template where it has one."""
        if self._tokenizer is None:
            from transformers import AutoTokenizer

            self._tokenizer = load_tokenizer(AutoTokenizer, self._model)
        if self._tokenizer.chat_template is None:
            return self._tokenizer("\n\n".join(m.content for m in prompt))["input_ids"]
        messages = [{"role": m.role, "content": m.content} for m in prompt]
        text = render_chat(self._tokenizer, messages, asks=True)
        return self._tokenizer(text, add_special_tokens=False)["input_ids"]

    async def _running_engine(self) -> Any:
        async with self._starting:
            if self._engine is not None and not self._engine.errored:
                if self._is_asleep:
                    await self._engine.wake_up()
                    self._is_asleep = False
                return self._engine
            await asyncio.to_thread(self._stop)
            if self._num_starts > _MAX_RESTARTS:
                raise BackendError(
                    f"policy {self.policy!r}: the vLLM engine was started {self._num_starts} times and never answered; "
                    "giving up"
                )
            self._num_starts += 1
            engine = await asyncio.to_thread(self._start)
            self._engine = engine
            try:
                async with asyncio.timeout(_SWAP_TIMEOUT_S):
                    await self._put_weights(engine)
            except Exception as error:
                await asyncio.to_thread(self._stop)
                raise BackendError(
                    f"policy {self.policy!r}: a new vLLM engine did not take the weights: {error}"
                ) from error
            return engine

    async def _end(self, engine: Any) -> None:
        """Kill the engine and wait until its requests have failed. After a normal end they would wait for ever."""
        if self._guard is not None:
            self._guard.kill()
        async with asyncio.timeout(_SWAP_TIMEOUT_S):
            while not engine.errored:  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def _put_weights(self, engine: Any) -> None:
        """Load the newest weights, drop keys and values of older ones, and set the label for the engine's answers."""
        if self._weights is not None:
            await engine.collective_rpc("reload_weights", kwargs={"weights_path": str(self._weights)})
            if self._is_on_cpu:
                await engine.collective_rpc("repack_output_layer")
            if not await engine.reset_prefix_cache():
                raise BackendError("its prefix cache could not be reset")
        await engine.update_weight_version(str(self._version))

    def _version_of(self, spans: Iterable[Any] | None) -> int:
        """The version by which the engine says it generated an answer."""
        labels = sorted({span.version for span in spans or ()})
        if len(labels) != 1 or not labels[0].isdecimal():
            raise BackendError(f"policy {self.policy!r}: an answer comes from weights {labels}, not from one version")
        return int(labels[0])

    def _start(self) -> Any:
        from vllm.v1.engine.async_llm import AsyncLLM

        before = set(multiprocessing.active_children())
        starting = EngineGuard()
        try:
            engine = AsyncLLM.from_engine_args(self._arguments)
        except Exception as error:  # whatever the engine's start may raise: the user needs one line of it
            if "trust_remote_code" in str(error):
                raise ConfigError(
                    f"policies.{self.policy}.model: {self._model} needs code that comes with the model; allow it with "
                    "engine: {trust_remote_code: true}, or use a model that vLLM itself knows"
                ) from None
            raise BackendError(f"policy {self.policy!r}: the vLLM engine did not start: {error}") from error
        finally:
            starting.release()
        started = set(multiprocessing.active_children()) - before
        self._guard = EngineGuard(child.pid for child in started if child.pid is not None)
        return engine

    def _stop(self) -> None:
        if self._engine is not None:
            self._engine.shutdown()
            self._engine, self._is_asleep = None, False
        if self._guard is not None:
            self._guard.release()
            self._guard = None


async def _unless_it_dies(engine: Any, waiting: Coroutine[Any, Any, Any]) -> None:
    """Await what ends when the engine's requests have: no time limit, for an answer may take long.

    Raises:
        BackendError: the engine died meanwhile.
    """
    task = asyncio.ensure_future(waiting)
    try:
        while not (await asyncio.wait([task], timeout=_LOOK_S))[0]:
            if engine.errored:
                raise BackendError("the vLLM engine died while requests were under way")
        task.result()
    finally:
        task.cancel()


def _cpu_arguments() -> dict[str, Any]:
    """On a CPU a prompt is never prefilled in part: vLLM 0.32 then rewinds the request's random generator, which CPU
    generators cannot do, and the engine dies (`CPU Generator does not use offset`)."""
    return {"enable_chunked_prefill": False, "worker_extension_cls": "mars2.backends.vllm_worker.RepackOutput"}
