"""A reward model from real trees of the lab: it ranks programs of unseen problems, and serves an evaluation."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def mars2(*arguments: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-m", "mars2", *arguments, "--json"], capture_output=True, text=True, timeout=800, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_train_on_trees_then_evaluate_with_it(tmp_path: Path) -> None:
    small = ["--set=evaluation.samples_per_problem=1", "--set=evaluation.per_agent_trees=false"]
    mars2("evaluate", "quickstart", "--budget=6", "--set=problems.num_test=200", *small, f"--out={tmp_path / 'run'}")
    summary = mars2(
        "train-reward",
        "lab_reward_model",
        f"--set=runs=[{tmp_path / 'run'}]",
        "--set=split={valid: 0.15, calibration: 0.15, test: 0.25}",
        "--set=epochs=6",
        f"--out={tmp_path / 'reward'}",
    )
    auc = summary["auc"]
    assert isinstance(auc, float)
    assert auc > 0.55
    assert "<svg" in (tmp_path / "reward" / "report.html").read_text()
    assert json.loads((tmp_path / "reward" / "summary.json").read_text()) == summary
    guided = mars2(
        "evaluate",
        "quickstart",
        "--budget=3",
        "--set=problems.num_test=6",
        *small,
        f"--set=guidance.reward_model={tmp_path / 'reward'}",
        "--set=guidance.alpha=0.2",
        f"--out={tmp_path / 'guided'}",
    )
    assert guided["n_problems"] == 6
