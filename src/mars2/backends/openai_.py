"""Generation by any OpenAI-compatible HTTP endpoint: OpenAI, vLLM, SGLang, llama.cpp, Ollama, OpenRouter, …

Retries, 429 with Retry-After and jittered back-off are the official client's; the concurrency cap is held meanwhile, so
that a server which asks for patience gets it. The key is read from the environment and appears nowhere else.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import openai
from openai.types.chat import ChatCompletion

from mars2.core.completion import Completion, Prompt, Sampling
from mars2.core.errors import BackendError, ConfigError

NO_KEY = "none"
"""Sent where no key is configured: local servers want none, the client wants some."""


class OpenAIBackend:
    """One model behind one base URL. Its weights never change: version 0.

    Token ids and log-probabilities are empty: the API does not give them. Reasoning text that the server separates is
    left out of `Completion.text` (its tokens are counted); reasoning inside the text is the prompter's to remove.
    """

    def __init__(
        self,
        policy: str,
        model: str,
        *,
        base_url: str | None = None,
        api_key_env: str = "OPENAI_API_KEY",
        concurrency: int | None = 16,
        timeout_s: float = 600.0,
        max_retries: int = 5,
        omit: Sequence[str] = (),
        extra_body: Mapping[str, Any] | None = None,
    ) -> None:
        """
        Args:
            base_url: such as ``http://127.0.0.1:8000/v1``; None: OpenAI's own.
            api_key_env: environment variable with the key; may be unset for a server that wants none.
            concurrency: requests under way at once; None: any number.
            timeout_s: of one request, its generation included.
            max_retries: of one request, on connection errors, time-outs, 408, 409, 429 and 5xx.
            omit: request fields that this model refuses, such as ``temperature`` and ``seed``.
            extra_body: further fields of every request, such as ``{"reasoning_effort": "low"}``.
        """
        self.policy = policy
        self.model = model
        self._where = base_url or "https://api.openai.com/v1"
        is_openai = urlsplit(self._where).hostname == "api.openai.com"
        key = os.environ.get(api_key_env, "")
        if not key and is_openai:
            raise ConfigError(f"policies.{policy}: {api_key_env} is not set; export it, or name a base_url")
        self._api_key_env, self._key = api_key_env, key
        self._max_tokens_field = "max_completion_tokens" if is_openai else "max_tokens"
        self._omit = frozenset(omit)
        self._extra_body = dict(extra_body or {})
        self._slots = asyncio.Semaphore(concurrency or sys.maxsize)
        self._client = openai.AsyncOpenAI(
            api_key=key or NO_KEY, base_url=self._where, timeout=timeout_s, max_retries=max_retries
        )
        self.num_retries = 0  # requests sent again, all told

    @property
    def version(self) -> int:
        return 0

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Completion:
        """See `Backend`. Raises ConfigError where asking again cannot help: a refused key, an unknown model."""
        async with self._slots:
            return self._completion(await self._ask(self._request(prompt, sampling)))

    async def close(self) -> None:
        await self._client.close()

    def _request(self, prompt: Prompt, sampling: Sampling) -> dict[str, Any]:
        body = dict(self._extra_body)
        if sampling.top_k:
            body["top_k"] = sampling.top_k  # not OpenAI's own, but of every server that can do it
        fields: dict[str, Any] = {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": None if sampling.seed is None else sampling.seed & 0x7FFFFFFF,  # some servers take 32 bits, signed
            self._max_tokens_field: sampling.max_tokens,
        }
        wanted = {name: v for name, v in fields.items() if v is not None and name not in self._omit}
        messages = [{"role": m.role, "content": _valid_text(m.content)} for m in prompt]
        return {"model": self.model, "messages": messages, "stream": False, "extra_body": body, **wanted}

    async def _ask(self, request: dict[str, Any]) -> ChatCompletion:
        try:
            raw = await self._client.chat.completions.with_raw_response.create(**request)
            self.num_retries += raw.retries_taken
            return raw.parse()
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise ConfigError(
                f"policies.{self.policy}: {self._where} refused the key in {self._api_key_env} "
                f"({error.status_code}); export a valid one"
            ) from None
        except openai.NotFoundError as error:
            raise ConfigError(
                f"policies.{self.policy}: {self._where} has no model {self.model!r} or no chat completions there "
                f"({self._said(error.message)}); check base_url (it usually ends in /v1) and model"
            ) from None
        except openai.APITimeoutError:
            raise BackendError(f"policy {self.policy!r}: no answer from {self._where} in time") from None
        except openai.APIConnectionError as error:
            cause = self._said(str(error.__cause__ or error))
            raise BackendError(f"policy {self.policy!r}: cannot reach {self._where}: {cause}") from None
        except openai.APIStatusError as error:
            raise BackendError(
                f"policy {self.policy!r}: {self._where} answered {error.status_code}: {self._said(error.message)}"
            ) from None
        except (openai.OpenAIError, ValueError) as error:
            raise BackendError(
                f"policy {self.policy!r}: {self._where} sent no chat completion: {self._said(str(error))}"
            ) from None

    def _said(self, text: str) -> str:
        """What a server said, in one short line, and without the key, which some repeat when they refuse it."""
        if self._key:
            text = text.replace(self._key, "***")
        text = " ".join(text.split())
        return text if len(text) <= 300 else text[:297] + "…"

    def _completion(self, answer: Any) -> Completion:
        choices = getattr(answer, "choices", None)
        if not choices or getattr(choices[0], "message", None) is None:
            raise BackendError(f"policy {self.policy!r}: {self._where} sent an answer without choices")
        choice = choices[0]
        if choice.finish_reason == "content_filter":
            raise BackendError(f"policy {self.policy!r}: {self._where} filtered the answer")
        usage = getattr(answer, "usage", None)
        return Completion(
            text=choice.message.content or "",
            finish_reason="length" if choice.finish_reason == "length" else "stop",
            policy=self.policy,
            policy_version=self.version,
            prompt_tokens=(usage.prompt_tokens or 0) if usage else 0,
            output_tokens=(usage.completion_tokens or 0) if usage else 0,
        )


def _valid_text(text: str) -> str:
    """Lone surrogates, which programs may print into feedback, cannot be sent as JSON in UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")
