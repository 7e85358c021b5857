"""What the objective refuses, by the name that the user wrote; and the learning rate of each step by hand."""

from __future__ import annotations

from typing import Any

import pytest

from mars2.config.load import parse_config
from mars2.config.objective import CispoObjectiveConfig, ClipObjectiveConfig
from mars2.core.errors import ConfigError
from mars2.learners.schedule import learning_rate_at


def objective(*overrides: str) -> Any:
    data: dict[str, Any] = {
        "name": "x",
        "problems": {"kind": "lab"},
        "policies": {"p": {"backend": "transformers", "model": "m"}},
        "agents": {"a": {"policy": "p"}},
        "training": {"steps": 1},
    }
    training = parse_config(data, [f"training.objective.{override}" for override in overrides]).training
    assert training is not None
    return training.objective


@pytest.mark.parametrize(
    "override",
    [
        "clip_low=-0.1",
        "clip_low=1.5",
        "clip_high=-0.1",
        "dual_clip=1.0",
        "dual_clip=1.0002",
        "tis_cap=0.0",
        "kl_beta=-1.0",
        "loss=reinforce",
        "aggregation=sum",
    ],
)
def test_a_wrong_option_is_refused_under_the_name_the_user_wrote(override: str) -> None:
    with pytest.raises(ConfigError, match=rf"^training\.objective\.{override.split('=')[0]}\b"):
        objective(override)


def test_a_loss_has_its_own_options_and_no_others() -> None:
    assert objective("loss=cispo", "clip_high=2") == CispoObjectiveConfig(clip_high=2.0)
    assert objective("loss=clip", "dual_clip=3") == ClipObjectiveConfig(dual_clip=3.0)
    with pytest.raises(ConfigError, match=r"^training\.objective\.dual_clip: unknown key"):
        objective("loss=cispo", "dual_clip=3")


def test_without_a_name_the_loss_is_the_clipped_one() -> None:
    assert objective() == objective("kl_beta=0.001") == ClipObjectiveConfig()


def test_warmup_then_constant() -> None:
    rates = [learning_rate_at(s, peak=4.0, warmup_steps=3) for s in range(5)]
    assert rates == [1.0, 2.0, 3.0, 4.0, 4.0]


def test_linear_falls_to_zero_and_stays() -> None:
    rates = [learning_rate_at(s, peak=4.0, warmup_steps=1, kind="linear", total_steps=5) for s in range(7)]
    assert rates == [2.0, 4.0, 3.0, 2.0, 1.0, 0.0, 0.0]


def test_cosine_is_half_way_at_half_time() -> None:
    rates = [learning_rate_at(s, peak=4.0, kind="cosine", total_steps=4) for s in (0, 1, 2, 4, 9)]
    assert rates == pytest.approx([4.0, 2 + 2**0.5, 2.0, 0.0, 0.0])


@pytest.mark.parametrize("total_steps", [None, 3])
def test_a_falling_schedule_needs_its_end(total_steps: int | None) -> None:
    with pytest.raises(ConfigError, match="total_steps"):
        learning_rate_at(3, peak=1.0, warmup_steps=3, kind="linear", total_steps=total_steps)
