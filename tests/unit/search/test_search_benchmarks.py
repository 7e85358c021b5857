"""The search benchmarks run and say what they promise; the simulated world keeps its calibration."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


def run(script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / script), *arguments], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_search_speed_prints_json() -> None:
    rows = json.loads(
        run("search_speed.py", "--json", "--project-only", "--nodes", "5", "20", "--trees=1", "--steps=5")
    )
    assert [(row["implementation"], row["posterior"], row["nodes"], row["agents"]) for row in rows] == [
        ("mars2", posterior, nodes, 2) for posterior in ("beta", "gaussian") for nodes in (5, 20)
    ]
    assert all(0 < row["ms_per_step"] < 100 for row in rows)


def test_search_speed_compares_with_treequest() -> None:
    pytest.importorskip("treequest", reason="treequest is not installed: pip install 'mars2[treequest]'")
    table = run("search_speed.py", "--nodes", "20", "--trees=1", "--steps=5", "--treequest-steps=2")
    assert table.count("×") == 2


def test_yardstick_is_reproducible_and_compares_in_pairs(tmp_path: Path) -> None:
    options = ["--seeds=2", "--problems=3", "--budgets", "4", "8", "--strategies", "best_of_n", "t_plus", "--workers=1"]
    first = run("yardstick.py", *options, "--against=t_plus", f"--json={tmp_path / 'first.json'}")
    assert "t_plus minus" in first
    run("yardstick.py", *options, f"--json={tmp_path / 'second.json'}")
    means = json.loads((tmp_path / "first.json").read_text())
    assert means == json.loads((tmp_path / "second.json").read_text())
    for by_budget in means.values():
        assert list(by_budget) == ["4", "8"]
        assert all(
            row["any"] >= max(row["public"], row["behaviour"], row["reward model"]) for row in by_budget.values()
        )


def test_simulated_first_attempts_look_as_documented(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    from simulated_agents import PUBLIC_TESTS, World

    rows: list[tuple[float, bool]] = []
    for problem in range(300):
        world = World(0, problem, 2)
        for i in range(10):
            program = world.first_attempt(i % 2)
            rows.append((world.public_passed(program) / PUBLIC_TESTS, world.right(program)))
            assert rows[-1][0] == 1 or not rows[-1][1], "a right program passes every public test"
    public, right = np.array(rows, dtype=float).T
    assert 0.015 < right.mean() < 0.045
    assert 0.4 < np.corrcoef(public, right)[0, 1] < 0.6
    assert 0.2 < 1 - right[public == 1].mean() < 0.45
