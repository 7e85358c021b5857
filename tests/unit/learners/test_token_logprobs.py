"""Log-probs of the learner are those of a plain forward pass of the same transformers model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from mars2.core.errors import ConfigError
from mars2.core.sample import TrainingSample
from mars2.learners import causal_lm
from mars2.learners.batching import make_micro_batches
from mars2.learners.causal_lm import load_causal_lm, token_logprobs

CPU = torch.device("cpu")


@pytest.fixture(params=["llama_folder", "gpt2_folder"])
def lm(request: pytest.FixtureRequest) -> Any:
    return load_causal_lm(request.getfixturevalue(request.param), device=CPU)


def plain(lm: Any, sample: TrainingSample, temperature: float = 1.0) -> tuple[Tensor, Tensor]:
    """One unpadded sequence through the whole model; log-probs and entropies of its output tokens."""
    ids = torch.tensor([[*sample.prompt_ids, *sample.output_ids]])
    logprobs = (lm(input_ids=ids).logits[0].float() / temperature).log_softmax(-1)
    first = len(sample.prompt_ids) - 1
    rows = logprobs[first : first + len(sample.output_ids)]
    return rows.gather(-1, torch.tensor(sample.output_ids).unsqueeze(-1)).squeeze(-1), -(rows.exp() * rows).sum(-1)


@pytest.mark.parametrize("max_tokens", [1, 40, 10_000])
@pytest.mark.parametrize("temperature", [1.0, 0.6])
@pytest.mark.parametrize("share_prompts", [False, True])
def test_equal_to_a_plain_forward(
    lm: Any, random_samples: Any, max_tokens: int, temperature: float, share_prompts: bool
) -> None:
    samples = random_samples(9, same_prompt=3)
    seen: set[int] = set()
    for batch in make_micro_batches(
        samples, range(9), max_tokens=max_tokens, device=CPU, share_prompts=share_prompts, hidden_size=32
    ):
        logprobs, entropy = token_logprobs(lm, batch, temperature=temperature)
        rows = zip(batch.indices, batch.split(logprobs), batch.split(entropy), strict=True)
        for i, row_logprobs, row_entropy in rows:
            expected_logprobs, expected_entropy = plain(lm, samples[i], temperature)
            torch.testing.assert_close(row_logprobs, expected_logprobs, rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(row_entropy, expected_entropy, rtol=1e-5, atol=1e-5)
            seen.add(i)
    assert seen == set(range(9))


def test_a_prompt_is_computed_once_where_that_saves_work(random_samples: Any) -> None:
    def num_inputs(samples: list[TrainingSample], hidden_size: int) -> int:
        batches = make_micro_batches(
            samples, range(len(samples)), max_tokens=10_000, device=CPU, share_prompts=True, hidden_size=hidden_size
        )
        return sum(int((b.attention_mask is not None) and b.input_ids.numel()) for b in batches)

    sample = replace(random_samples(1)[0], prompt_ids=(2,) * 100, output_ids=(3,) * 11, rollout_logprobs=(-1.0,) * 11)
    # Alone 110 tokens each, together 100 + 4·10. One more adds 10·12·64 + 2·(n² − (n − 10)²) < 110·(12·64 + 110).
    assert num_inputs([sample] * 4, hidden_size=64) == 140
    # Long outputs after a short prompt would only look past each other: 1·(12 + 1) + … never pays.
    long = replace(sample, prompt_ids=(2, 2), output_ids=(3,) * 400, rollout_logprobs=(-1.0,) * 400)
    assert num_inputs([long] * 4, hidden_size=64) == 0
    assert num_inputs([sample, replace(sample, prompt_ids=(4,) * 100)], hidden_size=64) == 0


def test_models_with_sliding_windows_do_not_share_prompts(lm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert causal_lm.can_share_prompts(lm)
    monkeypatch.setattr(lm.config, "sliding_window", 16, raising=False)
    assert not causal_lm.can_share_prompts(lm)


def test_models_that_take_positions_from_the_mask_do_not_share_prompts() -> None:
    from transformers import MptConfig, MptForCausalLM  # ALiBi: distances are those in the row

    torch.manual_seed(0)
    model = MptForCausalLM(MptConfig(d_model=16, n_heads=2, n_layers=1, vocab_size=16, max_seq_len=32)).eval()
    assert not causal_lm.can_share_prompts(model)


def gradients(lm: Any, samples: list[TrainingSample], **options: Any) -> list[Tensor]:
    (batch,) = make_micro_batches(samples, range(len(samples)), max_tokens=10_000, device=CPU)
    logprobs, entropy = token_logprobs(lm, batch, entropy_gradient=True, **options)
    weights = torch.arange(1.0, len(logprobs) + 1)
    return list(torch.autograd.grad((weights * (logprobs + 0.1 * entropy)).mean(), list(lm.parameters())))


def test_chunked_logits_change_nothing(lm: Any, random_samples: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = random_samples(6)
    whole = gradients(lm, samples)
    monkeypatch.setattr(causal_lm, "LOGITS_CHUNK_BYTES", 4 * lm.config.vocab_size * 7)  # 7 tokens at a time
    for chunked, expected in zip(gradients(lm, samples), whole, strict=True):
        torch.testing.assert_close(chunked, expected, rtol=1e-5, atol=1e-5)


def test_gradient_checkpointing_changes_nothing_and_keeps_dropout_off(gpt2_folder: Path, random_samples: Any) -> None:
    samples = random_samples(6)
    kept = load_causal_lm(gpt2_folder, device=CPU)
    recomputed = load_causal_lm(gpt2_folder, device=CPU, gradient_checkpointing=True)
    calls: list[int] = []
    recomputed.transformer.h[0].attn.register_forward_hook(lambda *_: calls.append(1))
    for actual, expected in zip(gradients(recomputed, samples), gradients(kept, samples), strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)
    assert len(calls) == 2  # once forward, once again backward


def test_micro_batches_keep_to_the_budget_and_sort_by_length(random_samples: Any) -> None:
    samples = random_samples(50)
    batches = make_micro_batches(samples, range(50), max_tokens=60, device=CPU)
    assert sorted(i for batch in batches for i in batch.indices) == list(range(50))
    assert all(batch.input_ids.numel() <= 60 for batch in batches)
    widths = [batch.input_ids.shape[1] for batch in batches]
    assert widths == sorted(widths, reverse=True)
    num_real = sum(len(s.prompt_ids) + len(s.output_ids) - 1 for s in samples)
    assert sum(batch.input_ids.numel() for batch in batches) < 1.15 * num_real


def test_a_missing_model_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be loaded") as error:
        load_causal_lm(tmp_path / "nothing", device=CPU)
    assert "\n" not in str(error.value)


def test_a_model_that_scales_its_logits_is_refused(tmp_path: Path) -> None:
    from transformers import GraniteConfig, GraniteForCausalLM

    config = GraniteConfig(
        vocab_size=48,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        logits_scaling=4.0,
        initializer_range=0.3,
    )
    GraniteForCausalLM(config).save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match="output head"):
        load_causal_lm(tmp_path, device=CPU)
