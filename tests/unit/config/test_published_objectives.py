"""The table of objectives in docs/recipes.md, read from there: each row loads, and is the objective it is called."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mars2.config.load import parse_config
from mars2.config.objective import CispoObjectiveConfig, ClipObjectiveConfig
from mars2.config.training import TrainingConfig

RECIPES = Path(__file__).parents[3] / "docs" / "recipes.md"
BASE: dict[str, Any] = {
    "name": "x",
    "problems": {"kind": "lab"},
    "policies": {"p": {"backend": "transformers", "model": "m"}},
    "agents": {"a": {"policy": "p"}},
    "training": {"steps": 1},
}
CLIP = {"clip_low": 0.2, "clip_high": 0.2}
EXPECTED: dict[str, dict[str, Any]] = {  # what the papers say; other fields as by default
    "GSPO": {"ratio": "sequence", "clip_low": 3e-4, "clip_high": 4e-4},
    "GRPO": {"ratio": "token", **CLIP},
    "DAPO": {"ratio": "token", "clip_low": 0.2, "clip_high": 0.28, "aggregation": "token-mean", "kl_beta": 0},
    "Dr. GRPO": {"ratio": "token", **CLIP, "aggregation": "constant", "kl_beta": 0},
    "CISPO": {"clip_low": 1, "clip_high": 4, "aggregation": "token-mean", "kl_beta": 0},
    "SPIRAL's baseline": {},
    "RLOO": {"tis_cap": None, "kl_beta": 0},
}

ADVANTAGES = {"Dr. GRPO": "no_std", "SPIRAL's baseline": "moving_baseline", "RLOO": "leave_one_out"}


def documented() -> dict[str, TrainingConfig]:
    section = RECIPES.read_text().split("## The objectives of the papers")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \| `([^`]+)` \|$", section, flags=re.MULTILINE)
    found = {}
    for name, keys in rows:
        training = parse_config(BASE, [f"training.{key}" for key in keys.split()]).training
        assert training is not None
        found[name] = training
    return found


def test_every_objective_is_in_the_table() -> None:
    assert documented().keys() == EXPECTED.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_the_keys_give_the_objective(name: str) -> None:
    training = documented()[name]
    default = CispoObjectiveConfig() if name == "CISPO" else ClipObjectiveConfig()
    assert training.objective == replace(default, **EXPECTED[name])
    assert training.advantage == ADVANTAGES.get(name, "tree_group")
    assert (training.reward.overlong_buffer > 0) == (name == "DAPO")
    assert training.dynamic_filtering == (name != "SPIRAL's baseline")
