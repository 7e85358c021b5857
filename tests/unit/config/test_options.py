"""Options: refused wherever they are made, typed values stay typed, and what may change on a resume is said on them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from mars2.build.models import learner_place, resolve_models
from mars2.config.load import load_config, parse_config
from mars2.config.objective import ClipObjectiveConfig
from mars2.config.policies import POLICY_KINDS, LoraConfig, OpenAIPolicyConfig, WeightsPolicy
from mars2.config.resume import changed_keys
from mars2.config.search import TPlusConfig
from mars2.config.training import OptimizerConfig
from mars2.core.completion import SamplingOptions
from mars2.core.errors import ConfigError
from mars2.core.problem import Limits

BASE: dict[str, Any] = {
    "name": "x",
    "problems": {"kind": "lab"},
    "policies": {"a": {"backend": "transformers", "model": "m"}},
    "agents": {"a": {"policy": "a"}},
    "training": {"steps": 3},
}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Limits(cpu_s=0), "cpu_s: got 0; must be > 0"),
        (lambda: Limits(memory_mib=float("nan")), "memory_mib: got nan; must be >= 1"),  # type: ignore[arg-type]
        (lambda: SamplingOptions(top_p=1.5), "top_p: got 1.5; must be <= 1"),
        (lambda: OptimizerConfig(betas=(0.9, 1.0)), "betas: got (0.9, 1.0); must be < 1"),
        (lambda: LoraConfig(rank=0), "rank: got 0; must be >= 1"),
        (lambda: TPlusConfig(max_pending_per_node=0), "max_pending_per_node: got 0; must be >= 1"),
        (lambda: TPlusConfig(back_up="worst"), "back_up: got 'worst'; must be 'best' or 'score'"),  # type: ignore[arg-type]
        (lambda: OpenAIPolicyConfig(model="m", base_url="http://h:0/v1"), "base_url: got 'http://h:0/v1'; it is no"),
    ],
)
def test_an_object_made_in_python_is_held_to_the_bounds_of_its_declaration(make: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make()
    assert str(caught.value).startswith(message)


def test_a_dual_clip_inside_the_clip_range_is_refused_at_once_and_under_the_name_that_was_written() -> None:
    with pytest.raises(ConfigError, match=r"^training\.objective\.dual_clip must be > 1 \+ clip_high = 1\.0004, got"):
        parse_config(BASE, ["training.objective.dual_clip=1.0002"])
    with pytest.raises(ConfigError, match=r"^dual_clip must be > 1 \+ clip_high"):
        ClipObjectiveConfig(dual_clip=1.0002)


@pytest.mark.parametrize("folder", ["2024", "a: b", "null", "[x"])
def test_a_value_given_by_code_is_never_read_as_yaml(folder: str) -> None:
    config = parse_config(BASE, changes={"guidance.reward_model": Path(folder)})
    assert config.guidance is not None
    assert config.guidance.reward_model == Path(folder)


def test_a_set_text_wins_over_a_value_given_by_code() -> None:
    assert parse_config(BASE, ["rollout.max_nodes=3"], {"rollout.max_nodes": 5}).rollout.max_nodes == 3


@pytest.mark.parametrize(
    ("override", "job", "changed"),
    [
        ("threads=2", "solve", []),
        ("rollout.max_nodes=9", "solve", []),
        ("rollout.max_retries=9", "solve", []),
        ("sampling.max_tokens=9", "solve", ["sampling.max_tokens"]),
        ("rollout.max_nodes=9", "evaluate", []),
        ("rollout.max_retries=9", "evaluate", ["rollout.max_retries"]),
        ("sandbox.workers=9", "evaluate", []),
        ("sandbox.backend=docker", "evaluate", ["sandbox"]),
        ("training=null", "evaluate", []),
        ("training.steps=9", "train", []),
        ("tracking=[wandb]", "train", []),
        ("training.batch_samples=9", "train", ["training.batch_samples"]),
        ("policies.a.model=n", "train", ["policies.a.model"]),
    ],
)
def test_what_a_resumed_job_may_change(override: str, job: Any, changed: list[str]) -> None:
    assert changed_keys(parse_config(BASE), parse_config(BASE, [override]), job) == changed


def test_a_kind_of_policy_says_what_it_can_do() -> None:
    says = {name: (k.has_weights, k.trainable, k.in_process) for name, k in POLICY_KINDS.items()}
    assert says == {
        "transformers": (True, True, True),
        "scripted": (False, False, False),
        "vllm": (True, True, False),
        "vllm-server": (False, True, False),
        "openai": (False, False, False),
    }


def test_options_are_imported_without_pydantic_and_torch() -> None:
    code = "import sys, mars2.config.run, mars2.config.sft, mars2.config.reward_model; print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "'pydantic'" not in loaded
    assert "'torch'" not in loaded


def test_a_new_kind_with_weights_is_found_and_trained_without_naming_it_anywhere_else() -> None:
    """Once it died of a `KeyError`: other rooms named the kinds that they knew."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class EngineXConfig(WeightsPolicy):
        backend: str = "engine-x"

    policy = EngineXConfig(model="somebody/model")
    quickstart = load_config(Path("quickstart"))
    config = replace(quickstart, policies=dict.fromkeys(quickstart.policies, policy))  # RunConfig lets it be trained
    assert resolve_models(config) == dict.fromkeys(quickstart.policies, "somebody/model")
    assert learner_place(policy, policy.model) == ("auto", "somebody/model", None)  # type: ignore[arg-type]
