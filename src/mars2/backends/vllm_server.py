"""Generation by an external ``vllm serve``: exact token ids and log-probabilities, and weights that follow a learner.

Weights can be changed only on a server that was started with ``VLLM_SERVER_DEV_MODE=1`` and reads the same file system.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import openai

from mars2.backends.openai_http import OpenAIBackend
from mars2.config.policies import VllmServerPolicyConfig
from mars2.core.completion import Completion, Prompt, Sampling
from mars2.core.errors import BackendError, ConfigError
from mars2.core.protocols import Snapshot

_SYNC_TIMEOUT_S = 600.0


class VllmServerBackend(OpenAIBackend):
    """One model served by vLLM. Requests under way during a weight update finish half on either weights; the trainer
    loads between waves, and `load` waits for requests of this client to end."""

    def __init__(self, policy: str, options: VllmServerPolicyConfig) -> None:
        super().__init__(policy, options)
        self._folder = Path(options.folder or options.model)  # configuration and tokenizer of snapshots
        self._root = options.base_url.rstrip("/").removesuffix("/v1")
        self._version = 0
        self._weights: Path | None = None  # newest snapshot on disk, for a server that lost it
        self._name = uuid.uuid4().hex
        self._swapping = asyncio.Lock()
        self._requests = 0
        self._is_free = asyncio.Event()
        self._is_free.set()
        self._may_ask = asyncio.Event()
        self._may_ask.set()
        self._scratch = Path(tempfile.mkdtemp(prefix=f"mars2-{policy}-"))

    @property
    def version(self) -> int:
        return self._version

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Completion:
        """See `Backend`. Once weights were loaded, the server is asked after each answer which ones it has."""
        await self._may_ask.wait()
        self._requests += 1
        self._is_free.clear()
        try:
            completion = await super().generate(prompt, sampling)
            is_current = self._weights is None or await self._has_weights()
        finally:
            self._requests -= 1
            if not self._requests:
                self._is_free.set()
        if not is_current:
            await self._swap()
            raise BackendError(
                f"policy {self.policy!r}: {self._root} answered with other weights than version {self._version} (it "
                "was started again, or somebody else uses it); they were loaded again"
            )
        return completion

    async def load(self, snapshot: Snapshot) -> None:
        """Wait for requests under way, swap the weights, and drop the prefix cache, which is the old weights'."""
        from mars2.backends.snapshot_folder import snapshot_folder

        folder = await asyncio.to_thread(snapshot_folder, snapshot, self._folder, self._scratch)
        old = self._weights
        await self._swap(folder, snapshot.version)
        if old is not None and old.parent == self._scratch and old != folder:
            shutil.rmtree(old, ignore_errors=True)

    async def _swap(self, weights: Path | None = None, version: int = 0) -> None:
        """Load `weights`; without an argument the newest ones, if the server has lost them."""
        async with self._swapping:
            self._may_ask.clear()
            try:
                await self._is_free.wait()
                if weights is not None:
                    self._weights, self._version = weights, version
                elif await self._has_weights():  # another request has done it already
                    return
                await self._control("update_weight_version", {"new_version": "incomplete"})
                reload = {"method": "reload_weights", "kwargs": {"weights_path": str(self._weights)}}
                await self._control("collective_rpc", reload)
                await self._control("reset_prefix_cache", {})
                await self._control("update_weight_version", {"new_version": self._label})
            finally:
                self._may_ask.set()

    @property
    def _label(self) -> str:
        """The label of these weights on the server: this client and this version."""
        return f"{self._name}/{self._version}"

    async def _has_weights(self) -> bool:
        found = await self._control("weight_info")
        return isinstance(found, dict) and found.get("weight_version") == self._label

    async def close(self) -> None:
        await super().close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    async def _control(self, route: str, body: dict[str, Any] | None = None) -> Any:
        """POST `body`, or GET without one."""
        client = self._client.with_options(base_url=self._root, timeout=_SYNC_TIMEOUT_S, max_retries=0)
        try:
            if body is None:
                return await client.get(f"/{route}", cast_to=object)
            return await client.post(f"/{route}", body=body, cast_to=object)
        except openai.NotFoundError:
            raise ConfigError(
                f"policies.{self.policy}: {self._root} has no /{route}; start vllm serve (0.32 or newer) with "
                "VLLM_SERVER_DEV_MODE=1 so that its weights can follow training"
            ) from None
        except openai.OpenAIError as error:
            words = self._said(str(error))
            raise BackendError(f"policy {self.policy!r}: /{route} of {self._root} failed: {words}") from None

    def _request(self, prompt: Prompt, sampling: Sampling) -> dict[str, Any]:
        request = super()._request(prompt, sampling)
        # What a request leaves open, vllm serve takes from the model's generation_config.json: Qwen2.5-Coder's has
        # top_k 20 and a repetition penalty, and log-probabilities would not be those that tokens were drawn from.
        settled = {"top_k": sampling.top_k, "min_p": 0.0, "repetition_penalty": 1.0}
        body = settled | request["extra_body"] | {"return_token_ids": True}
        return request | {"logprobs": True, "presence_penalty": 0.0, "frequency_penalty": 0.0, "extra_body": body}

    def _completion(self, answer: Any, prompt: Prompt, sampling: Sampling) -> Completion:
        completion = super()._completion(answer, prompt, sampling)
        choice = answer["choices"][0]
        output_ids, prompt_ids = choice.get("token_ids"), answer.get("prompt_token_ids")
        if output_ids is None or prompt_ids is None or choice.get("logprobs") is None:
            raise ConfigError(
                f"policies.{self.policy}: {self._root} gave no token ids; is it vLLM? for other servers use "
                "backend: openai"
            )
        try:
            return replace(
                completion,
                prompt_ids=tuple(prompt_ids),
                output_ids=tuple(output_ids),
                logprobs=tuple(min(0.0, float(token["logprob"])) for token in choice["logprobs"]["content"] or ()),
                prompt_tokens=len(prompt_ids),
                output_tokens=len(output_ids),
            )
        except (TypeError, ValueError, LookupError):
            broken = f"sent no chat completion (token ids or logprobs are malformed): {json.dumps(answer)}"
            raise self._no_answer(broken) from None
