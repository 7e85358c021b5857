"""Generation by `transformers` in this process: batched, KV-cached, seeded per request, on the CPU or one GPU."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.cache_utils import DynamicCache

from mars2.config.policies import TransformersPolicyConfig
from mars2.core.completion import Completion, Prompt, Sampling
from mars2.core.errors import BackendError, ConfigError, UserError
from mars2.core.pretrained import load_model, load_tokenizer, render_chat
from mars2.core.protocols import Snapshot


@dataclass(slots=True)
class _Request:
    prompt_ids: list[int]
    sampling: Sampling
    future: asyncio.Future[Completion]


class TransformersBackend:
    """One policy's weights, generating batches in a thread of its own.

    Requests made in one tick of the event loop form one batch (cut at `max_batch`), in the order in which they were
    made. A request with a seed draws its randomness from that seed alone.
    """

    def __init__(
        self,
        policy: str,
        options: TransformersPolicyConfig,
        model: str | Path | None = None,
        *,
        max_context: int | None = None,
    ) -> None:
        """Load the weights.

        Args:
            model: where they are (a folder or a Hugging Face id), if not at `options.model`.
            max_context: prompt + output tokens; None: what the model's configuration says.
        """
        self.policy = policy
        self.max_batch = options.max_batch
        model, device, dtype = str(model or options.model), options.device, options.dtype
        self.device = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
        wanted = ("bfloat16" if self.device.type == "cuda" else "auto") if dtype == "auto" else dtype
        self.tokenizer: Any = load_tokenizer(AutoTokenizer, model)
        self.model: Any = load_model(
            AutoModelForCausalLM, model, dtype=wanted if wanted == "auto" else getattr(torch, wanted)
        )
        self._origin = model
        self._num_embeddings = int(self.model.get_input_embeddings().weight.shape[0])
        self.model.to(self.device).eval()
        config = self.model.config
        self.max_context = max_context or int(getattr(config, "max_position_embeddings", None) or 1 << 30)
        self._stop_ids = _stop_ids(self.model, self.tokenizer)
        self._version = 0
        self._queue: list[_Request] = []
        self._batch_is_scheduled = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"generate-{policy}")

    @property
    def version(self) -> int:
        return self._version

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Completion:
        prompt_ids = self.encode(prompt)
        if len(prompt_ids) >= self.max_context:
            raise BackendError(
                f"policy {self.policy!r}: the prompt has {len(prompt_ids)} tokens, the model's context is "
                f"{self.max_context}; shorten the problem or the feedback"
            )
        if (largest := max(prompt_ids, default=0)) >= self._num_embeddings:
            raise ConfigError(
                f"policies.{self.policy}.model: the tokenizer of {self._origin} makes token {largest}, its weights end "
                f"before token {self._num_embeddings}; use the tokenizer that belongs to them"
            )
        loop = asyncio.get_running_loop()
        request = _Request(prompt_ids, sampling, loop.create_future())
        self._queue.append(request)
        self._schedule(loop)
        return await request.future

    async def load(self, snapshot: Snapshot) -> None:
        """Copy weights in between two batches."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._load, snapshot)

    async def close(self) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)

    def count_tokens(self, prompt: Prompt) -> int:
        return len(self.encode(prompt))

    def encode(self, prompt: Prompt) -> list[int]:
        """Prompt token ids, through the model's chat template where it has one."""
        if self.tokenizer.chat_template is None:
            return self.tokenizer("\n\n".join(m.content for m in prompt))["input_ids"]
        messages = [{"role": m.role, "content": m.content} for m in prompt]
        text = render_chat(self.tokenizer, messages, asks=True)
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    # ── batches ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._batch_is_scheduled:
            self._batch_is_scheduled = True
            loop.call_soon(self._start_batch, loop)

    def _start_batch(self, loop: asyncio.AbstractEventLoop) -> None:
        self._queue = [r for r in self._queue if not r.future.done()]  # cancelled ones
        if not self._queue:
            self._batch_is_scheduled = False
            return
        batch, self._queue = self._queue[: self.max_batch], self._queue[self.max_batch :]
        work = loop.run_in_executor(self._thread, self._generate, batch)
        work.add_done_callback(lambda done: self._finish_batch(loop, batch, done))

    def _finish_batch(
        self, loop: asyncio.AbstractEventLoop, batch: list[_Request], done: asyncio.Future[list[Completion]]
    ) -> None:
        error = None if done.cancelled() else done.exception()
        for i, request in enumerate(batch):
            if request.future.done():
                continue
            if done.cancelled():
                request.future.cancel()
            elif isinstance(error, UserError):
                request.future.set_exception(error)
            elif error is not None:
                request.future.set_exception(BackendError(f"policy {self.policy!r}: generation failed: {error}"))
            else:
                request.future.set_result(done.result()[i])
        self._start_batch(loop)

    @torch.inference_mode()
    def _generate(self, batch: Sequence[_Request]) -> list[Completion]:
        """Left-padded prefill, then one token a step; sequences that end leave the batch when half have."""
        lengths = [len(r.prompt_ids) for r in batch]
        width = max(lengths)
        pad = self.tokenizer.pad_token_id or 0
        pad = pad if pad < self._num_embeddings else 0
        ids = torch.tensor([[pad] * (width - n) + r.prompt_ids for r, n in zip(batch, lengths, strict=True)])
        mask = torch.tensor([[0] * (width - n) + [1] * n for n in lengths])
        ids, mask = ids.to(self.device), mask.to(self.device)
        position = (mask.cumsum(-1) - 1).clamp(min=0)
        budgets = [min(r.sampling.max_tokens, self.max_context - n) for r, n in zip(batch, lengths, strict=True)]
        draws = [np.random.Generator(np.random.PCG64(r.sampling.seed)) for r in batch]
        tokens: list[list[int]] = [[] for _ in batch]
        logprobs: list[list[float]] = [[] for _ in batch]
        is_stopped = [False] * len(batch)
        rows = list(range(len(batch)))  # batch index of each row still in the cache
        live = set(rows)
        cache = DynamicCache(config=self.model.config)
        sampling = [r.sampling for r in batch]
        while True:
            out = self.model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=position,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
            uniform = np.array([draws[b].random() if b in live else 0.0 for b in rows])
            if not out.logits[:, -1].amax(-1).isfinite().all():  # the largest is NaN if one is
                raise ConfigError(
                    f"policies.{self.policy}.model: {self._origin} (version {self._version}) computes logits that are "
                    "not finite; its weights are damaged, or too large for their dtype: set dtype: float32"
                )
            token, logprob = sample(out.logits[:, -1], [sampling[b] for b in rows], uniform)
            for row, b in enumerate(rows):
                if b not in live:
                    continue
                tokens[b].append(token[row])
                logprobs[b].append(logprob[row])
                is_stopped[b] = token[row] in self._stop_ids
                if is_stopped[b] or len(tokens[b]) >= budgets[b]:
                    live.discard(b)
            if not live:
                break
            keep = list(range(len(rows)))
            if 2 * len(live) <= len(rows):
                keep = [row for row, b in enumerate(rows) if b in live]
                rows = [rows[row] for row in keep]
                index = torch.tensor(keep, device=self.device)
                cache.batch_select_indices(index)
                mask, position = mask[index], position[index]
            ids = torch.tensor([[token[row]] for row in keep], device=self.device)
            mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
            position = position[:, -1:] + 1
        return [self._completion(r, tokens[b], logprobs[b], is_stopped[b]) for b, r in enumerate(batch)]

    def _completion(self, request: _Request, tokens: list[int], logprobs: list[float], is_stopped: bool) -> Completion:
        return Completion(
            text=self.tokenizer.decode(tokens[:-1] if is_stopped else tokens, skip_special_tokens=False),
            finish_reason="stop" if is_stopped else "length",
            policy=self.policy,
            policy_version=self._version,
            prompt_ids=tuple(request.prompt_ids),
            output_ids=tuple(tokens),
            logprobs=tuple(logprobs),
            prompt_tokens=len(request.prompt_ids),
            output_tokens=len(tokens),
        )

    def _load(self, snapshot: Snapshot) -> None:
        if snapshot.state is not None:
            state: Any = snapshot.state
        elif snapshot.folder is not None:
            state = load_model(AutoModelForCausalLM, snapshot.folder).state_dict()
        else:
            raise BackendError(f"policy {self.policy!r}: snapshot {snapshot.version} holds no weights")
        own = dict(self.model.named_parameters())
        missing = own.keys() - state.keys()
        if missing:
            raise BackendError(f"policy {self.policy!r}: snapshot {snapshot.version} lacks {sorted(missing)[:3]}")
        with torch.no_grad():
            for name, parameter in own.items():
                parameter.copy_(state[name])
        self._version = snapshot.version


def sample(logits: torch.Tensor, sampling: Sequence[Sampling], uniform: np.ndarray) -> tuple[list[int], list[float]]:
    """Draw one token a row by inverse CDF.

    Args:
        logits: [B, V].
        sampling: B settings; temperature 0 takes the likeliest token.
        uniform: [B] numbers in [0, 1).
    Returns:
        B token ids, and B natural-log probabilities under the distribution drawn from (after temperature, top-k and
        top-p; at temperature 0, of the unscaled distribution).
    """
    scale = torch.tensor([s.temperature or 1.0 for s in sampling], device=logits.device, dtype=torch.float32)
    logprobs = torch.log_softmax(logits.float() / scale[:, None], dim=-1)
    for row, s in enumerate(sampling):
        if s.temperature > 0 and (s.top_k or s.top_p < 1):
            logprobs[row] = _truncate(logprobs[row], s)
    cumulative = logprobs.double().exp().cumsum(dim=-1)
    threshold = torch.as_tensor(uniform, device=logits.device)[:, None] * cumulative[:, -1:]
    drawn = torch.searchsorted(cumulative, threshold, right=True).squeeze(-1).clamp(max=logits.shape[-1] - 1)
    greedy = torch.tensor([s.temperature == 0 for s in sampling], device=logits.device)
    chosen = torch.where(greedy, logprobs.argmax(dim=-1), drawn)
    return chosen.tolist(), logprobs.gather(-1, chosen[:, None]).squeeze(-1).tolist()


def _truncate(logprobs: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """Keep the top-k tokens, then the smallest set of them with mass ≥ top-p; renormalise. [V] → [V]."""
    ordered, order = logprobs.sort(descending=True)
    if sampling.top_k:
        ordered[sampling.top_k :] = -torch.inf
        ordered = ordered.log_softmax(dim=-1)
    if sampling.top_p < 1:
        mass_before = ordered.exp().cumsum(dim=-1) - ordered.exp()
        ordered[mass_before >= sampling.top_p] = -torch.inf
    return torch.empty_like(logprobs).scatter_(0, order, ordered).log_softmax(dim=-1)


def _stop_ids(model: Any, tokenizer: Any) -> set[int]:
    """Every id that ends an answer: the tokenizer's and those of the generation configuration."""
    found = model.generation_config.eos_token_id
    ids = found if isinstance(found, list) else [found]
    return {i for i in [*ids, tokenizer.eos_token_id] if i is not None}
