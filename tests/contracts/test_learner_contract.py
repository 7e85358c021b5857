"""What every learner promises. A new one is added to `learner`'s cases and passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from mars2.config.optimizer import OptimizerConfig
from mars2.core.errors import StoreError
from mars2.core.protocols import Learner
from mars2.core.sample import TrainingSample
from mars2.learners.metrics import SPEED_METRICS
from mars2.learners.recording import RecordingLearner
from mars2.learners.torch_learner import TorchLearner

MakeLearner = Callable[[str], Learner]


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    LlamaForCausalLM(
        LlamaConfig(vocab_size=16, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2)
    ).save_pretrained(folder)
    words = Tokenizer(models.WordLevel({f"t{i}": i for i in range(16)}, unk_token="t0"))
    PreTrainedTokenizerFast(tokenizer_object=words).save_pretrained(folder)
    return folder


@pytest.fixture(params=["recording", "torch"])
def make_learner(request: pytest.FixtureRequest, model_folder: Path) -> MakeLearner:
    if request.param == "recording":
        return RecordingLearner
    return lambda policy: TorchLearner(policy, model_folder, optimizer=OptimizerConfig(learning_rate=1e-2))


def sample(node_id: int, advantage: float) -> TrainingSample:
    return TrainingSample(
        key=f"T/{node_id}",
        tree_id="T",
        node_id=node_id,
        agent="a",
        policy="p",
        policy_version=0,
        prompt_ids=(1, 2, 3),
        output_ids=(4, 5 + node_id),
        rollout_logprobs=(-2.5, -2.9),
        reward=max(0.0, advantage),
        shaped=max(0.0, advantage),
        advantage=advantage,
    )


BATCH = [sample(0, 1.0), sample(1, -1.0)]


def test_version_counts_updates(make_learner: MakeLearner) -> None:
    learner = make_learner("p")
    assert (learner.policy, learner.version) == ("p", 0)
    learner.step(BATCH)
    learner.step(BATCH)
    assert learner.version == 2
    snapshot = learner.snapshot()
    assert (snapshot.policy, snapshot.version) == ("p", 2)


def test_metrics_are_plain_numbers_with_the_common_names(make_learner: MakeLearner) -> None:
    metrics = make_learner("p").step(BATCH)
    assert all(type(value) is float for value in metrics.values())
    assert metrics["num_samples"] == 2
    assert metrics["num_tokens"] == 10
    assert metrics["reward_mean"] == 0.5
    assert metrics["advantage_std"] == 1.0
    assert metrics["response_length"] == 2


def test_a_snapshot_does_not_change_with_later_updates(make_learner: MakeLearner) -> None:
    learner = make_learner("p")
    snapshot = learner.snapshot()
    assert snapshot.state is not None
    before = {name: value.clone() for name, value in snapshot.state.items() if isinstance(value, torch.Tensor)}
    learner.step(BATCH)
    assert snapshot.version == 0
    for name, value in before.items():
        assert torch.equal(snapshot.state[name], value), name  # type: ignore[arg-type]


def test_another_policys_samples_and_empty_batches_are_refused(make_learner: MakeLearner) -> None:
    learner = make_learner("p")
    with pytest.raises(ValueError, match="policy q"):
        learner.step([BATCH[0], replace(BATCH[1], policy="q")])
    with pytest.raises(ValueError, match="at least one sample"):
        learner.step([])
    assert learner.version == 0


def test_save_and_restore(make_learner: MakeLearner, tmp_path: Path) -> None:
    learner = make_learner("p")
    learner.step(BATCH)
    learner.save(tmp_path / "deep" / "checkpoint")
    resumed = make_learner("p")
    resumed.restore(tmp_path / "deep" / "checkpoint")
    assert resumed.version == 1
    expected, actual = learner.step(BATCH), resumed.step(BATCH)
    for name in SPEED_METRICS:
        expected.pop(name, None)
        actual.pop(name, None)
    assert actual == expected
    assert resumed.version == 2


def test_restoring_what_is_not_there_is_an_error(make_learner: MakeLearner, tmp_path: Path) -> None:
    learner = make_learner("p")
    with pytest.raises(StoreError):
        learner.restore(tmp_path / "nothing")
    learner.save(tmp_path / "c")
    with pytest.raises(StoreError, match="policy p"):
        make_learner("q").restore(tmp_path / "c")
