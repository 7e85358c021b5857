"""The parts of `benchmarks/gpu_qwen05.py` that need no GPU: its configurations, its table, what it says without one."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from mars2.config.load import parse_config
from mars2.store.records import MetricRow

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "gpu_qwen05.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gpu_qwen05", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("variant", ["lora", "full"])
def test_configurations_are_valid(script: Any, variant: str) -> None:
    config = parse_config(script.config_of(variant, model="m", mbpp=Path("mbpp.jsonl"), steps=7))
    assert config.training is not None
    assert config.training.steps == 7
    assert len({agent.policy for agent in config.agents.values()}) == 2  # heterogeneous
    assert all((policy.lora is not None) == (variant == "lora") for policy in config.policies.values())
    assert config.training.optimizer.dtype == "bfloat16"


def test_the_table_has_means_over_stretches(script: Any) -> None:
    metrics = [MetricRow(s, 0.0, "run", "team_pass_rate", 0.1 * s) for s in range(1, 5)]
    metrics += [MetricRow(s, 0.0, "policy/first", "mfu", 0.25) for s in (3, 4)]
    _, _, early, late = script.table(metrics, rows=2)
    assert early.startswith("| 1–2 | 0.15 | – |")
    assert late.startswith("| 3–4 | 0.35 | – |")
    assert "0.25" in late
    assert "0.25" not in early


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so_in_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, SCRIPT, "--mbpp", "x.jsonl"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert done.stderr.strip().startswith("gpu_qwen05: no CUDA GPU found")
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())
