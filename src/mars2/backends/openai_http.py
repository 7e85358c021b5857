"""Generation by any OpenAI-compatible HTTP endpoint: OpenAI, vLLM, SGLang, llama.cpp, Ollama, OpenRouter, …

The official client does retries, 429 with Retry-After and back-off with jitter. A request that waits still counts for
the concurrency limit, so a server that asks for a pause gets one. The key is read from the environment and appears
nowhere else. An answer that is not a chat completion raises BackendError with the server's text.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import openai

if TYPE_CHECKING:
    import httpx2 as httpx
else:
    try:  # what the openai package is built on, by its version
        import httpx2 as httpx
    except ImportError:
        import httpx

from mars2.backends.chat_answers import ChatAnswer, NoAnswer, decode, read_answer, said
from mars2.config.policies import OpenAIPolicyConfig, VllmServerPolicyConfig
from mars2.core.completion import Completion, Prompt, Sampling
from mars2.core.errors import BackendError, ConfigError
from mars2.core.foreign_text import printable
from mars2.core.pretrained import without_system

NO_KEY = "none"
"""Sent where no key is configured: local servers want none, the client wants some."""

BYTES_PER_TOKEN = 4
"""Bytes of UTF-8 per token, if a server does not count tokens: roughly right for English and code."""

_NO_SYSTEM = re.compile(
    r"(system|developer)\W+(role|message|prompt|instruction)|role\b.*\bsystem\b|only user and assistant roles",
    re.IGNORECASE,
)
"""What servers say whose chat template takes no system message."""

_log = logging.getLogger(__name__)


class _TimedClient(openai.DefaultAsyncHttpxClient):
    """Limits a whole request, answer included, to its read time-out. httpx itself limits only each single read."""

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        timeout_s = request.extensions.get("timeout", {}).get("read")
        try:
            async with asyncio.timeout(timeout_s):
                return await super().send(request, **options)
        except TimeoutError:
            raise httpx.ReadTimeout("the answer took too long", request=request) from None


class OpenAIBackend:
    """One model behind one base URL. Its weights never change: version 0.

    Token ids and log-probabilities are empty: the API does not give them. Reasoning text that the server separates is
    left out of `Completion.text` (its tokens are counted); reasoning inside the text is the prompter's to remove.
    """

    def __init__(self, policy: str, options: OpenAIPolicyConfig | VllmServerPolicyConfig) -> None:
        self.policy = policy
        self.model = options.model
        self._where = options.base_url or "https://api.openai.com/v1"
        is_openai = urlsplit(self._where).hostname == "api.openai.com"
        key = os.environ.get(options.api_key_env, "").strip()
        if not (key.isascii() and key.isprintable()):
            raise ConfigError(
                f"policies.{policy}: {options.api_key_env} holds control or non-ASCII characters; export the key alone"
            )
        if not key and is_openai:
            raise ConfigError(f"policies.{policy}: {options.api_key_env} is not set; export it, or name a base_url")
        self._api_key_env, self._key = options.api_key_env, key
        self._max_tokens_field = "max_completion_tokens" if is_openai else "max_tokens"
        self._omit = options.refused_fields
        self._extra_body = dict(options.further_fields)
        self._slots = asyncio.Semaphore(options.concurrency or sys.maxsize)
        self._timeout_s = options.timeout_s
        self._client = openai.AsyncOpenAI(
            api_key=key or NO_KEY,
            base_url=self._where,
            timeout=options.timeout_s,
            max_retries=options.max_retries,
            http_client=_TimedClient(),
        )
        self.num_retries = 0  # requests sent again, in total
        self._refuses_system = False  # True: it was found out
        self._counts_tokens = True  # False: it was said that the server does not

    @property
    def version(self) -> int:
        return 0

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Completion:
        """See `Backend`. Raises ConfigError if another try cannot help: a refused key, an unknown model."""
        async with self._slots:
            return self._completion(await self._ask(prompt, sampling), prompt, sampling)

    async def close(self) -> None:
        await self._client.close()

    def _request(self, prompt: Prompt, sampling: Sampling) -> dict[str, Any]:
        body = dict(self._extra_body)
        if sampling.top_k:
            body["top_k"] = sampling.top_k  # OpenAI itself has no such field; other servers do
        fields: dict[str, Any] = {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": None if sampling.seed is None else sampling.seed & 0x7FFFFFFF,  # some servers take 32 bits, signed
            self._max_tokens_field: sampling.max_tokens,
        }
        wanted = {name: v for name, v in fields.items() if v is not None and name not in self._omit}
        messages = [{"role": m.role, "content": _valid_text(m.content)} for m in prompt]
        if self._refuses_system:
            messages = without_system(messages)
        return {"model": self.model, "messages": messages, "stream": False, "extra_body": body, **wanted}

    async def _ask(self, prompt: Prompt, sampling: Sampling) -> Any:
        """The server's answer: any JSON."""
        try:
            raw = await self._client.chat.completions.with_raw_response.create(**self._request(prompt, sampling))
        except openai.APITimeoutError:
            late = f"no answer from {self._where} in time ({self._timeout_s:g} s)"
            raise BackendError(f"policy {self.policy!r}: {late}") from None
        except openai.APIConnectionError as error:
            cause = self._said(_cause(error))
            raise BackendError(f"policy {self.policy!r}: cannot reach {self._where}: {cause}") from None
        except openai.APIStatusError as error:
            if not self._refuses_system and prompt[0].role == "system" and _NO_SYSTEM.search(error.response.text):
                self._refuses_system = True  # as Gemma's chat template does
                return await self._ask(prompt, sampling)
            raise self._refused(error) from None
        except openai.OpenAIError as error:
            raise BackendError(
                f"policy {self.policy!r}: asking {self._where} failed: {self._said(str(error))}"
            ) from None
        self.num_retries += raw.retries_taken
        try:
            return decode(raw.content)
        except NoAnswer as error:
            raise self._no_answer(error) from None

    def _refused(self, error: openai.APIStatusError) -> ConfigError | BackendError:
        """ConfigError where asking again cannot help."""
        words = self._said(said(error.response.text))
        policy = f"policies.{self.policy}"
        match error.status_code:
            case 401 | 403 if not (error.status_code == 403 and _is_filtered(words)):
                return ConfigError(
                    f"{policy}: {self._where} refused the key in {self._api_key_env} ({error.status_code}: {words}); "
                    "export a valid one"
                )
            case 404:
                return ConfigError(
                    f"{policy}: {self._where} has no model {self.model!r} or no chat completions there ({words}); "
                    "check base_url (it usually ends in /v1) and model"
                )
            case 402 | 429 if error.status_code == 402 or error.code == "insufficient_quota":
                return ConfigError(f"{policy}: {self._where} wants to be paid first ({error.status_code}: {words})")
            case status:
                return BackendError(f"policy {self.policy!r}: {self._where} answered {status}: {words}")

    def _said(self, text: str) -> str:
        """The server's message in one short line, without the key: some servers repeat the key when they refuse it."""
        if self._key:
            for form in (self._key, repr(self._key)[1:-1], json.dumps(self._key)[1:-1]):
                text = text.replace(form, "***")
        text = printable(" ".join(text.split())) or "(nothing)"
        return text if len(text) <= 300 else text[:297] + "…"

    def _no_answer(self, why: object) -> BackendError:
        return BackendError(f"policy {self.policy!r}: {self._where} {self._said(str(why))}")

    def _completion(self, answer: Any, prompt: Prompt, sampling: Sampling) -> Completion:
        """
        Raises:
            BackendError: `answer` is no answer to use.
        """
        try:
            found = read_answer(answer, max_tokens=sampling.max_tokens)
        except NoAnswer as error:
            raise self._no_answer(error) from None
        prompt_tokens, output_tokens = self._usage(found, prompt)
        return Completion(
            text=found.text,
            finish_reason=found.finish_reason,
            policy=self.policy,
            policy_version=self.version,
            prompt_tokens=prompt_tokens,
            output_tokens=output_tokens,
        )

    def _usage(self, answer: ChatAnswer, prompt: Prompt) -> tuple[int, int]:
        """Tokens in and out: the server's count, or else an estimate, so that budgets still hold."""
        if answer.prompt_tokens is not None and answer.output_tokens is not None:
            return answer.prompt_tokens, answer.output_tokens
        if self._counts_tokens:
            self._counts_tokens = False
            _log.warning(
                "policy %r: %s does not count tokens (usage); they are estimated, one for %d bytes of text",
                self.policy,
                self._where,
                BYTES_PER_TOKEN,
            )
        written = (answer.text, answer.reasoning)
        return (
            _estimate(m.content for m in prompt) if answer.prompt_tokens is None else answer.prompt_tokens,
            _estimate(written) if answer.output_tokens is None else answer.output_tokens,
        )


def _estimate(texts: Iterable[str]) -> int:
    """Tokens of `texts`, roughly."""
    return sum(-(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN) for text in texts)


def _is_filtered(words: str) -> bool:
    """Whether a 403 refuses what was asked, not the key."""
    return re.search(r"flagged|moderation|content.?(filter|policy)", words, re.I) is not None


def _cause(error: BaseException) -> str:
    """Why a connection failed. HTTP clients hide the reason, such as a reset, inside other errors."""
    reason = error
    while (deeper := reason.__cause__ or reason.__context__) is not None:
        reason = deeper
        if str(reason):
            break
    return str(reason) or type(reason).__name__


def _valid_text(text: str) -> str:
    """`text` without lone surrogates: programs may print them into feedback, but JSON in UTF-8 cannot hold them."""
    return text.encode("utf-8", "replace").decode("utf-8")
