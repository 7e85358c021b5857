"""Log-probs of given output tokens under an ordinary `transformers` model, with logits at output positions only."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import AutoModelForCausalLM
from transformers.modeling_layers import GradientCheckpointingLayer

from mars2.core.errors import ConfigError
from mars2.core.pretrained import load_model
from mars2.learners.batching import ModelInputs

LOGITS_CHUNK_BYTES = 256 * 2**20  # float32 logits held at once; more tokens than fit are done in recomputed chunks


def load_causal_lm(model: str | Path, *, device: torch.device, gradient_checkpointing: bool = False) -> Any:
    """A causal language model in float32, without dropout, from a Hugging Face folder or id.

    Raises:
        ConfigError: it cannot be loaded, or its logits are not simply head(decoder(ids)).
    """
    lm = load_model(AutoModelForCausalLM, model, dtype=torch.float32, attn_implementation="sdpa")
    lm = lm.to(device).eval()  # dropout off: log π_θ must be the sampler's, and the same at every evaluation
    _require_plain_head(lm, str(model))
    if gradient_checkpointing:
        for layer in lm.modules():
            if isinstance(layer, GradientCheckpointingLayer):  # transformers' own switch works in train mode only
                layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)
    return lm


def load_weights(lm: Any, model: str | Path) -> None:
    """Overwrite the weights of `lm` with those of a folder of the same architecture."""
    lm.load_state_dict(load_model(AutoModelForCausalLM, model, dtype=torch.float32).state_dict())


def token_logprobs(
    lm: Any, batch: ModelInputs, *, temperature: float = 1.0, entropy_gradient: bool = False
) -> tuple[Tensor, Tensor]:
    """Log-probs and entropies (nats, float32, [N] each) of a micro-batch's output tokens under softmax(logits / T).

    Never holds float32 logits of more than LOGITS_CHUNK_BYTES: beyond that, chunks are computed again in the backward
    pass instead of being kept.

    Args:
        entropy_gradient: keep the graph of the entropies (for an entropy bonus).
    """
    hidden = lm.base_model(
        input_ids=batch.input_ids,
        position_ids=batch.position_ids,
        attention_mask=batch.attention_mask,
        use_cache=False,
    ).last_hidden_state  # [R, T, H]
    selected = hidden.flatten(0, 1)[batch.positions]  # [N, H]
    head = lm.get_output_embeddings()
    chunk = max(1, LOGITS_CHUNK_BYTES // (4 * head.weight.shape[0]))
    if len(selected) <= chunk:
        return _head_logprobs(selected, batch.targets, head, temperature, entropy_gradient)
    parts = [
        cast(
            tuple[Tensor, Tensor],
            checkpoint(_head_logprobs, h, targets, head, temperature, entropy_gradient, use_reentrant=False),
        )
        for h, targets in zip(selected.split(chunk), batch.targets.split(chunk), strict=True)
    ]
    return torch.cat([p[0] for p in parts]), torch.cat([p[1] for p in parts])


def _head_logprobs(
    hidden: Tensor, targets: Tensor, head: nn.Module, temperature: float, entropy_gradient: bool
) -> tuple[Tensor, Tensor]:
    logits = head(hidden).float()  # [N, V]
    if temperature != 1.0:
        logits = logits / temperature
    all_logprobs = logits.log_softmax(-1)
    logprobs = all_logprobs.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    with torch.set_grad_enabled(torch.is_grad_enabled() and entropy_gradient):
        entropy = -(all_logprobs.exp() * all_logprobs).sum(-1)
    return logprobs, entropy


@torch.no_grad()
def _require_plain_head(lm: Any, name: str) -> None:
    """Refuse architectures that scale or cap their logits after the head: head(decoder(ids)) would be wrong there."""
    ids = torch.arange(4, device=lm.device).unsqueeze(0)
    expected = lm(input_ids=ids, use_cache=False).logits
    logits = lm.get_output_embeddings()(lm.base_model(input_ids=ids, use_cache=False).last_hidden_state)
    if not torch.allclose(logits, expected, rtol=1e-4, atol=1e-4):
        raise ConfigError(
            f"model {name!r} changes its logits after the output head, which is not supported; use another"
        )


@torch.no_grad()
def can_share_prompts(lm: Any) -> bool:
    """Whether this model handles a 4-D attention mask with position ids correctly.

    Every layer must have full attention (a sliding window would be lost). Then a trial is made: two outputs of one
    prompt must have the same hidden states in one row as each alone.
    """
    config = lm.config
    layer_types: list[str] = getattr(config, "layer_types", None) or []
    slides = getattr(config, "sliding_window", None) is not None and getattr(config, "use_sliding_window", True)
    if slides or any(kind != "full_attention" for kind in layer_types):
        return False
    prompt, first, second = [1, 2, 3], [4, 5], [6, 7]
    rows = torch.tensor([[*prompt, *first], [*prompt, *second]], device=lm.device)
    apart = lm.base_model(input_ids=rows, use_cache=False).last_hidden_state
    mask = torch.ones(7, 7, dtype=torch.bool, device=lm.device).tril()
    mask[5:, 3:5] = False
    together = lm.base_model(
        input_ids=torch.tensor([[*prompt, *first, *second]], device=lm.device),
        position_ids=torch.tensor([[0, 1, 2, 3, 4, 3, 4]], device=lm.device),
        attention_mask=mask[None, None],
        use_cache=False,
    ).last_hidden_state
    expected = torch.cat([apart[0], apart[1, 3:]])
    return torch.allclose(together[0], expected, rtol=1e-4, atol=1e-4)
