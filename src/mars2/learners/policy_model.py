"""The model side of a learner: policy, frozen reference and their weights, with or without adapters."""

from __future__ import annotations

import hashlib
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer

from mars2.config.optimizer import Dtype
from mars2.config.policies import LoraConfig
from mars2.core.errors import StoreError
from mars2.core.pretrained import load_tokenizer
from mars2.learners import lora as lora_adapters
from mars2.learners.batching import ModelInputs
from mars2.learners.causal_lm import can_share_prompts, load_causal_lm, load_weights, token_logprobs
from mars2.learners.flops import ModelSize
from mars2.learners.sharding import TokenLogprobs, shard, storage_key, whole


class PolicyModel:
    """π_θ and, if asked for, the frozen π_ref; both start as the model at `origin`.

    `fingerprint` tells whether two models started from the same weights.

    Args:
        origin: Hugging Face folder or id, with a tokenizer.
        dtype: of the matrix products (autocast); auto: bfloat16 on a GPU, float32 on the CPU. Weights are float32.
        temperature: logits are divided by it.
        keep_reference: for a KL term. A second copy of the weights, except with `lora`.
        seed: of the adapters' first weights.
    """

    def __init__(
        self,
        origin: str,
        *,
        device: torch.device,
        dtype: Dtype = "auto",
        temperature: float = 1.0,
        gradient_checkpointing: bool = False,
        keep_reference: bool = True,
        lora: LoraConfig | None = None,
        seed: int = 0,
    ) -> None:
        self.origin = origin
        self._device = device
        self._autocasts = dtype == "bfloat16" or (dtype == "auto" and device.type == "cuda")
        self._temperature = temperature
        self._lora = lora
        self._lm: Any = load_causal_lm(origin, device=device, gradient_checkpointing=gradient_checkpointing)
        self._tokenizer: Any = load_tokenizer(AutoTokenizer, origin)
        self.fingerprint = _fingerprint(self._lm)
        self._reference: Any = None
        if lora is not None:
            lora_adapters.add_adapters(self._lm, lora, seed)
            self._reference = self._lm if keep_reference else None
        elif keep_reference:
            self._reference = load_causal_lm(origin, device=device).requires_grad_(False)
        self._root = TokenLogprobs(self._lm)

    def shard(self) -> None:
        """Spread π_θ over the processes of `torchrun` (FSDP2); then all of them must make the same calls.

        Make the optimizer afterwards. Gradients become means over processes. Not for a model with adapters.
        """
        shard(self._root)

    @cached_property
    def can_share_prompts(self) -> bool:
        """Whether `make_micro_batches` may put several outputs of one prompt into a row."""
        return can_share_prompts(self._lm)

    @property
    def device(self) -> torch.device:
        return self._device

    @property
    def stop_ids(self) -> list[int]:
        """Tokens that end an answer: the tokenizer's and those of the generation configuration."""
        found = self._lm.generation_config.eos_token_id
        ids = found if isinstance(found, list) else [found]
        return [i for i in [*ids, self._tokenizer.eos_token_id] if i is not None]

    @property
    def tokenizer(self) -> Any:
        return self._tokenizer

    @property
    def hidden_size(self) -> int:
        return self._lm.config.hidden_size

    @cached_property
    def size(self) -> ModelSize:
        """For counting operations. A tied embedding counts once: as the output head."""
        embedding, head = self._lm.get_input_embeddings().weight, self._lm.get_output_embeddings().weight
        total = sum(p.numel() for name, p in self._lm.named_parameters() if ".lora_" not in name)
        config = self._lm.config
        return ModelSize(
            total - (0 if embedding is head else embedding.numel()), config.num_hidden_layers, self.hidden_size
        )

    @property
    def has_adapters(self) -> bool:
        return self._lora is not None

    @property
    def parameters(self) -> list[torch.nn.Parameter]:
        """What is trained."""
        return [p for p in self._lm.parameters() if p.requires_grad]

    @property
    def max_length(self) -> int | None:
        """Most input tokens the model takes; None if it does not say."""
        return getattr(self._lm.config, "max_position_embeddings", None)

    def logprobs(self, batch: ModelInputs, *, entropy_gradient: bool = False) -> tuple[Tensor, Tensor]:
        """log π_θ of the output tokens [N], and entropies [N]."""
        with self._autocast():
            return self._root(batch, temperature=self._temperature, entropy_gradient=entropy_gradient)

    @torch.no_grad()
    def reference_logprobs(self, batch: ModelInputs) -> Tensor | None:
        """log π_ref of the output tokens [N]; None without a reference."""
        if self._reference is None:
            return None
        frozen = nullcontext() if self._lora is None else lora_adapters.without_adapters(self._lm)
        with frozen, self._autocast():
            return token_logprobs(self._reference, batch, temperature=self._temperature)[0]

    def state(self) -> dict[str, Tensor]:
        """Copies of the weights by the model's own names, adapters merged in; tied parameters share one copy."""
        state = self._lm.state_dict() if self._lora is None else lora_adapters.merged_state(self._lm)
        copies: dict[tuple[str, int], Tensor] = {}
        for name, w in state.items():
            if storage_key(name, w) not in copies:
                copies[storage_key(name, w)] = whole(w.detach()).clone()
        return {name: copies[storage_key(name, w)] for name, w in state.items()}

    def save(self, folder: Path) -> None:
        """Write `folder/model`, an ordinary Hugging Face folder (adapters merged in), and `folder/adapters.pt`."""
        whole = self._lm
        if self._lora is not None:
            with torch.device("meta"):  # no second copy is made only to be overwritten
                whole = AutoModelForCausalLM.from_config(self._lm.config)
            whole.load_state_dict(lora_adapters.merged_state(self._lm), assign=True)
            whole.tie_weights()
            torch.save(lora_adapters.adapter_state(self._lm), folder / "adapters.pt")
        whole.save_pretrained(folder / "model")
        self._tokenizer.save_pretrained(folder / "model")

    def load(self, folder: Path) -> None:
        """Overwrite the trained weights with what `save` wrote; `origin` must be the same.

        Raises:
            StoreError: it was saved with other `lora` options.
        """
        adapters = folder / "adapters.pt"
        if adapters.exists() != (self._lora is not None):
            raise StoreError(f"{folder} was saved {'with' if adapters.exists() else 'without'} lora; keep it so")
        if self._lora is None:
            load_weights(self._lm, folder / "model")
            return
        state = torch.load(adapters, map_location=self._device, weights_only=True)
        try:
            lora_adapters.load_adapter_state(self._lm, state)
        except (ValueError, RuntimeError) as error:
            raise StoreError(f"{folder} does not fit: {str(error).splitlines()[0]}") from error

    def _autocast(self) -> torch.autocast | nullcontext[None]:
        return torch.autocast(self._device.type, dtype=torch.bfloat16) if self._autocasts else nullcontext()


@torch.no_grad()
def _fingerprint(lm: Any) -> str:
    """Names weights (float32) by the sum of each tensor's bits: the same wherever their folder is, on every device."""
    digest = hashlib.sha256()
    for name, weights in lm.named_parameters():
        total = weights.view(torch.int32).sum(dtype=torch.int64).item()
        digest.update(f"{name} {tuple(weights.shape)} {total}\n".encode())
    return digest.hexdigest()
