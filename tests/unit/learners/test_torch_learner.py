"""The learner as a whole: exact gradients whatever the micro-batches, π_old, guards, and lossless checkpoints."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer

from mars2.config.objective import ClipObjectiveConfig
from mars2.config.optimizer import OptimizerConfig
from mars2.core.errors import ConfigError, Mars2Error, StoreError
from mars2.core.sample import TrainingSample
from mars2.learners.metrics import SPEED_METRICS
from mars2.learners.optimizer import TrainingDiverged
from mars2.learners.torch_learner import TorchLearner


def without_speed(metrics: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if name not in SPEED_METRICS}


def weights(learner: TorchLearner) -> dict[str, Tensor]:
    state = learner.snapshot().state
    assert state is not None
    return {name: tensor for name, tensor in state.items() if isinstance(tensor, Tensor)}


def gradients(learner: TorchLearner, samples: list[TrainingSample], monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """The gradients the optimizer is given in one step."""
    seen: list[Tensor] = []

    def keep(optimizer: torch.optim.Optimizer) -> None:
        seen.extend(p.grad.clone() for group in optimizer.param_groups for p in group["params"])

    monkeypatch.setattr(torch.optim.AdamW, "step", keep)
    learner.step(samples)
    return seen


OBJECTIVES = {
    "gspo": ClipObjectiveConfig(kl_beta=0.1),
    "dapo": ClipObjectiveConfig(ratio="token", clip_low=0.2, clip_high=0.28, aggregation="token-mean", kl_beta=0.0),
    "dr_grpo": ClipObjectiveConfig(ratio="token", aggregation="constant", kl_beta=0.0, entropy_bonus=0.1),
}


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("micro_batch_tokens", [1, 50])
def test_micro_batched_gradients_equal_those_of_one_batch(
    name: str, micro_batch_tokens: int, llama_folder: Path, random_samples: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def grads(tokens: int) -> list[Tensor]:
        learner = TorchLearner(
            "p",
            llama_folder,
            objective=OBJECTIVES[name],
            constant_length=20,
            optimizer=OptimizerConfig(micro_batch_tokens=tokens, max_grad_norm=1e9),
        )
        return gradients(learner, random_samples(12), monkeypatch)

    whole = grads(100_000)
    assert max(float(g.abs().max()) for g in whole) > 1e-2
    for part, expected in zip(grads(micro_batch_tokens), whole, strict=True):
        torch.testing.assert_close(part, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("folder", ["llama_folder", "gpt2_folder"])
@pytest.mark.parametrize("micro_batch_tokens", [40, 100_000])
def test_shared_prompts_give_the_same_gradients(
    folder: str,
    micro_batch_tokens: int,
    request: pytest.FixtureRequest,
    random_samples: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    samples = random_samples(13, same_prompt=4)

    def grads(share_prompts: bool) -> list[Tensor]:
        learner = TorchLearner(
            "p",
            request.getfixturevalue(folder),
            objective=ClipObjectiveConfig(kl_beta=0.1),
            optimizer=OptimizerConfig(
                micro_batch_tokens=micro_batch_tokens, max_grad_norm=1e9, share_prompts=share_prompts
            ),
        )
        shared = [b for b in learner._micro_batches(samples, range(13)) if b.attention_mask is not None]
        assert bool(shared) == share_prompts
        return gradients(learner, samples, monkeypatch)

    for shared, expected in zip(grads(True), grads(False), strict=True):
        torch.testing.assert_close(shared, expected, rtol=1e-5, atol=1e-5)


def test_gradient_is_the_plain_policy_gradient(
    llama_folder: Path, random_samples: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On-policy, without corrections, GSPO's gradient is REINFORCE's with a length mean; here in plain HF code."""
    samples = random_samples(8)
    model = AutoModelForCausalLM.from_pretrained(llama_folder)
    loss = torch.zeros(())
    for sample in samples:
        ids = torch.tensor([[*sample.prompt_ids, *sample.output_ids]])
        logprobs = model(input_ids=ids).logits[0, :-1].log_softmax(-1).gather(-1, ids[0, 1:, None]).squeeze(-1)
        loss = loss - sample.advantage * logprobs[len(sample.prompt_ids) - 1 :].mean() / len(samples)
    loss.backward()
    learner = TorchLearner(
        "p",
        llama_folder,
        objective=ClipObjectiveConfig(tis_cap=None, kl_beta=0.0),
        optimizer=OptimizerConfig(max_grad_norm=1e9, micro_batch_tokens=60),
    )
    expected = [p.grad for p in model.parameters() if p.ndim >= 2] + [p.grad for p in model.parameters() if p.ndim < 2]
    for actual, wanted in zip(gradients(learner, samples, monkeypatch), expected, strict=True):
        torch.testing.assert_close(actual, wanted, rtol=1e-5, atol=1e-5)


def test_on_policy_metrics(llama_folder: Path, random_samples: Any) -> None:
    learner = TorchLearner("p", llama_folder, optimizer=OptimizerConfig(learning_rate=1e-3, warmup_steps=1))
    samples = random_samples(8)
    metrics = learner.step(samples)
    assert metrics["ratio_mean"] == 1.0
    assert metrics["clip_fraction"] == 0.0
    assert metrics["kl"] == pytest.approx(0.0, abs=1e-6)  # the reference is where training starts
    assert metrics["learning_rate"] == pytest.approx(5e-4)
    assert metrics["num_samples"] == 8
    assert metrics["num_tokens"] == sum(len(s.prompt_ids) + len(s.output_ids) for s in samples)
    assert metrics["response_length"] == pytest.approx(sum(len(s.output_ids) for s in samples) / 8)
    assert metrics["reward_mean"] == pytest.approx(sum(s.reward for s in samples) / 8)
    assert metrics["skipped_steps"] == 0
    assert metrics["grad_norm"] > 0
    assert metrics["logprob_gap_max"] >= metrics["logprob_gap"] > 0
    assert learner.step(samples)["kl"] > 1e-6


def test_sampled_with_the_same_weights_there_is_no_gap(llama_folder: Path, random_samples: Any) -> None:
    """Rollout log-probs computed by a plain forward pass at temperature 0.7, as a sampler would report them."""
    model = AutoModelForCausalLM.from_pretrained(llama_folder)
    samples: list[TrainingSample] = []
    for sample in random_samples(8):
        ids = torch.tensor([[*sample.prompt_ids, *sample.output_ids]])
        logprobs = (model(input_ids=ids).logits[0, :-1] / 0.7).log_softmax(-1).gather(-1, ids[0, 1:, None])
        samples.append(replace(sample, rollout_logprobs=tuple(logprobs[len(sample.prompt_ids) - 1 :, 0].tolist())))
    metrics = TorchLearner("p", llama_folder, temperature=0.7).step(samples)
    assert metrics["logprob_gap_max"] < 1e-4
    assert metrics["tis_weight_mean"] == pytest.approx(1.0, abs=1e-4)
    assert TorchLearner("p", llama_folder, temperature=1.0).step(samples)["logprob_gap"] > 0.1


def test_positive_advantage_makes_an_output_likelier(llama_folder: Path, random_samples: Any) -> None:
    good, bad = (replace(s, advantage=a) for s, a in zip(random_samples(2), (1.0, -1.0), strict=True))
    learner = TorchLearner(
        "p",
        llama_folder,
        objective=ClipObjectiveConfig(tis_cap=None, kl_beta=0.0),
        optimizer=OptimizerConfig(learning_rate=1e-3),
    )

    def mean_logprob(sample: TrainingSample) -> float:
        return float(learner._old_logprobs([sample], [[0]])[0].mean())

    before = mean_logprob(good), mean_logprob(bad)
    for _ in range(3):
        learner.step([good, bad])
    assert mean_logprob(good) > before[0]
    assert mean_logprob(bad) < before[1]


def test_mini_batches_are_off_policy_within_a_batch(llama_folder: Path, random_samples: Any) -> None:
    objective = ClipObjectiveConfig(ratio="token", clip_low=0.2, clip_high=0.2, tis_cap=None, kl_beta=0.0)
    learner = TorchLearner(
        "p", llama_folder, objective=objective, optimizer=OptimizerConfig(learning_rate=1e-2, mini_batches=4)
    )
    metrics = learner.step(random_samples(16))
    assert metrics["ratio_mean"] != 1.0
    assert metrics["clip_fraction"] > 0
    assert learner.version == 1


def test_equal_weights_have_ratio_1_in_bfloat16_too(llama_folder: Path, random_samples: Any) -> None:
    """π_old is packed as π_θ is: in bfloat16 another packing leaves GSPO's narrow clip range with no step made."""
    optimizer = OptimizerConfig(learning_rate=1e-30, mini_batches=4, dtype="bfloat16", micro_batch_tokens=256)
    metrics = TorchLearner("p", llama_folder, optimizer=optimizer).step(random_samples(16))
    assert metrics["ratio_mean"] == 1.0
    assert metrics["clip_fraction"] == 0.0


def test_mini_batches_use_log_probs_from_before_the_update(llama_folder: Path, random_samples: Any) -> None:
    """The second mini-batch's mean ratio is π_now/π_before."""
    samples = random_samples(6)
    objective = ClipObjectiveConfig(ratio="token", clip_low=1.0, clip_high=1e9, tis_cap=None, kl_beta=0.0)
    learner = TorchLearner(
        "p", llama_folder, objective=objective, optimizer=OptimizerConfig(learning_rate=1e-2, mini_batches=2)
    )
    before = learner._old_logprobs(samples, [range(len(samples))])
    ratios: list[Tensor] = []
    accumulate = learner._accumulate_gradients

    def spy(all_samples: Any, indices: Any, old: Any, metrics: Any) -> Tensor:
        now = learner._old_logprobs(all_samples, [range(len(all_samples))])
        ratios.extend((now[i] - before[i]).exp() for i in indices)
        return accumulate(all_samples, indices, old, metrics)

    learner._accumulate_gradients = spy
    metrics = learner.step(samples)
    assert metrics["ratio_mean"] == pytest.approx(float(torch.cat(ratios).mean()), rel=1e-5)
    assert float(torch.cat(ratios).std()) > 0.01


@pytest.mark.parametrize("folder", ["llama_folder", "gpt2_folder"])
@pytest.mark.parametrize("mini_batches", [1, 3])
def test_restored_training_goes_on_bit_for_bit(
    folder: str, mini_batches: int, request: pytest.FixtureRequest, random_samples: Any, tmp_path: Path
) -> None:
    model = request.getfixturevalue(folder)

    def learner(path: Path) -> TorchLearner:
        return TorchLearner(
            "p", path, seed=7, optimizer=OptimizerConfig(learning_rate=1e-3, warmup_steps=5, mini_batches=mini_batches)
        )

    batches = [random_samples(10, seed=s) for s in range(5)]
    straight = learner(model)
    for batch in batches[:3]:
        straight.step(batch)
    straight.save(tmp_path / "checkpoint")
    resumed = learner(tmp_path / "checkpoint" / "model")  # even when made from the checkpoint's own weights
    resumed.restore(tmp_path / "checkpoint")
    assert resumed.version == 3
    for batch in batches[3:]:
        expected, actual = straight.step(batch), resumed.step(batch)
        assert without_speed(actual) == without_speed(expected)
    for name, tensor in weights(straight).items():
        assert torch.equal(weights(resumed)[name], tensor), name


def test_the_saved_folder_is_an_ordinary_model(gpt2_folder: Path, random_samples: Any, tmp_path: Path) -> None:
    learner = TorchLearner("p", gpt2_folder, optimizer=OptimizerConfig(learning_rate=1e-3))
    learner.step(random_samples(4))
    learner.save(tmp_path / "c")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "c" / "model")
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, weights(learner)[name]), name
    assert AutoTokenizer.from_pretrained(tmp_path / "c" / "model").eos_token == "t1"
    assert model.config.attn_pdrop == 0.1  # the configuration is the model's own


def test_saving_again_replaces_and_an_interrupted_save_changes_nothing(
    llama_folder: Path, random_samples: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = TorchLearner("p", llama_folder)
    learner.save(tmp_path / "c")
    learner.step(random_samples(4))
    monkeypatch.setattr(torch, "save", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        learner.save(tmp_path / "c")
    monkeypatch.undo()
    fresh = TorchLearner("p", llama_folder)
    fresh.restore(tmp_path / "c")
    assert fresh.version == 0
    learner.save(tmp_path / "c")
    fresh.restore(tmp_path / "c")
    assert fresh.version == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c"]


def test_a_wrong_checkpoint_is_refused(llama_folder: Path, tmp_path: Path) -> None:
    learner = TorchLearner("p", llama_folder)
    with pytest.raises(StoreError, match="not a learner's checkpoint"):
        learner.restore(tmp_path)
    learner.save(tmp_path / "c")
    with pytest.raises(StoreError, match="policy p"):
        TorchLearner("other", llama_folder).restore(tmp_path / "c")


def test_non_finite_updates_are_skipped_counted_and_finally_refused(llama_folder: Path, random_samples: Any) -> None:
    learner = TorchLearner(
        "p",
        llama_folder,
        objective=ClipObjectiveConfig(tis_cap=None),
        optimizer=OptimizerConfig(max_skipped_in_a_row=2),
    )
    good = random_samples(4)
    bad = [replace(s, advantage=1e308) for s in good]  # finite as given, infinite in float32
    before = weights(learner)
    metrics = learner.step(bad)
    assert metrics["skipped_steps"] == 1
    assert "grad_norm" not in metrics
    for name, tensor in weights(learner).items():
        assert torch.equal(tensor, before[name]), name
    assert learner.step(good)["skipped_steps"] == 1
    assert learner.step(bad)["skipped_steps"] == 2
    with pytest.raises(TrainingDiverged, match="2 updates in a row"):
        learner.step(bad)


def test_an_interrupted_update_leaves_no_gradients_behind(
    llama_folder: Path, random_samples: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner, fresh = (
        TorchLearner("p", llama_folder, optimizer=OptimizerConfig(micro_batch_tokens=40)) for _ in range(2)
    )
    batches = learner._micro_batches(random_samples(8), range(8))
    monkeypatch.setattr(learner, "_micro_batches", lambda *_: iter([batches[0], None]))  # fails on the second
    with pytest.raises(AttributeError):
        learner.step(random_samples(8))
    monkeypatch.undo()
    assert learner.version == 0
    assert learner.step(random_samples(8))["grad_norm"] == fresh.step(random_samples(8))["grad_norm"]


def test_snapshot_shares_tied_parameters(gpt2_folder: Path) -> None:
    state = weights(TorchLearner("p", gpt2_folder))
    assert state["lm_head.weight"] is state["transformer.wte.weight"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"policy": "q"}, "of policy q"),
        ({"output_ids": (), "rollout_logprobs": ()}, "prompt and output"),
        ({"prompt_ids": ()}, "prompt and output"),
        ({"rollout_logprobs": ()}, "tis_cap"),
        ({"rollout_logprobs": (0.0,) * 99}, "99 log-probs"),
        ({"advantage": math.nan}, "advantage nan"),
        ({"prompt_ids": (3,) * 80}, "the model takes 64"),
    ],
)
def test_samples_that_cannot_be_trained_on(
    change: dict[str, Any], message: str, llama_folder: Path, random_samples: Any
) -> None:
    learner = TorchLearner("p", llama_folder)
    with pytest.raises(ValueError, match=message):
        learner.step([replace(random_samples(1)[0], **change)])
    assert learner.version == 0


def test_a_wrong_temperature_is_named(llama_folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"learner\.temperature"):
        TorchLearner("p", llama_folder, temperature=0.0)


@pytest.mark.parametrize("length", [None, 0])
def test_a_constant_divisor_is_needed_where_it_divides(length: int | None, llama_folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"learner\.constant_length"):
        TorchLearner("p", llama_folder, objective=ClipObjectiveConfig(aggregation="constant"), constant_length=length)


def test_without_kl_no_reference_is_loaded(llama_folder: Path, random_samples: Any) -> None:
    learner = TorchLearner("p", llama_folder, objective=ClipObjectiveConfig(kl_beta=0.0))
    assert learner._model._reference is None
    assert "kl" not in learner.step(random_samples(2))


def test_bfloat16_keeps_float32_weights_and_stays_close(
    llama_folder: Path, random_samples: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def grads(dtype: Any) -> Tensor:
        learner = TorchLearner("p", llama_folder, optimizer=OptimizerConfig(dtype=dtype, max_grad_norm=1e9))
        assert all(w.dtype == torch.float32 for w in weights(learner).values())
        return torch.cat([g.flatten() for g in gradients(learner, random_samples(12), monkeypatch)])

    exact, rounded = grads("float32"), grads("bfloat16")
    assert rounded.dtype == torch.float32
    assert not torch.equal(exact, rounded)
    assert float(torch.cosine_similarity(exact, rounded, dim=0)) > 0.99


def test_threads_are_set_for_the_step_only(
    llama_folder: Path, random_samples: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = torch.get_num_threads()
    seen: list[int] = []
    learner = TorchLearner("p", llama_folder, threads=before + 1)
    learner._model._lm.base_model.register_forward_hook(lambda *_: seen.append(torch.get_num_threads()))
    learner.step(random_samples(2))
    assert set(seen) == {before + 1}
    assert torch.get_num_threads() == before


def out_of_memory_at(learner: TorchLearner, call: int) -> None:
    """From this forward pass on, counted from 1, there is no memory."""
    logprobs, calls = learner._model.logprobs, 0

    def failing(*args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls >= call:
            raise RuntimeError(
                "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
            )
        return logprobs(*args, **options)

    learner._model.logprobs = failing  # type: ignore[method-assign]


def test_after_running_out_of_memory_a_smaller_micro_batch_goes_on_as_if_it_had_been_there(
    llama_folder: Path, random_samples: Any, tmp_path: Path
) -> None:
    first, second = random_samples(8), random_samples(8, seed=1)
    large, small = (OptimizerConfig(learning_rate=1e-4, micro_batch_tokens=tokens) for tokens in (128, 32))
    never, failing = (TorchLearner("p", llama_folder, optimizer=options) for options in (small, large))
    for learner in (never, failing):
        learner.step(first)
    out_of_memory_at(failing, 2)
    with pytest.raises(Mars2Error, match=r"out of memory in an update .* lower training.optimizer.micro_batch_tokens"):
        failing.step(second)
    failing.save(tmp_path / "saved")
    resumed = TorchLearner("p", llama_folder, optimizer=small)
    resumed.restore(tmp_path / "saved")
    for learner in (never, resumed):
        learner.step(second)
    for expected, found in zip(never._model.parameters, resumed._model.parameters, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_an_update_that_failed_half_way_is_never_saved(llama_folder: Path, random_samples: Any, tmp_path: Path) -> None:
    options = OptimizerConfig(learning_rate=1e-2, mini_batches=2, micro_batch_tokens=10_000)
    learner = TorchLearner("p", llama_folder, optimizer=options)
    out_of_memory_at(learner, 4)  # two passes for π_old, one for the first mini-batch
    with pytest.raises(Mars2Error, match="out of memory"):
        learner.step(random_samples(8))
    with pytest.raises(StoreError, match="failed half way"):
        learner.save(tmp_path / "saved")
    assert not (tmp_path / "saved").exists()


def test_the_gap_of_the_engines_is_told_apart_from_what_was_learned_since(
    llama_folder: Path, random_samples: Any
) -> None:
    learner = TorchLearner("p", llama_folder)
    fresh = learner.step(random_samples(4))  # of version 0, which is the learner's
    assert "logprob_gap" in fresh
    assert "stale_logprob_gap" not in fresh
    stale = learner.step(random_samples(4))  # of version 0 still; the learner's is 1
    assert stale["stale_logprob_gap"] > 0
    assert "logprob_gap" not in stale
