"""Pass@1 is a share of first attempts; nothing that ends trees early may change it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import mars2

RIGHT, WRONG = "```python\nprint(input())\n```", "```python\nprint(0)\n```"


@pytest.fixture
def problems(tmp_path: Path) -> Path:
    file = tmp_path / "problems.jsonl"
    tests = {"public": [{"input": "1\n", "output": "1\n"}]}
    rows = [{"id": f"p{i}", "statement": f"Echo {i}.", "tests": tests} for i in range(12)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.fixture
def script(tmp_path: Path) -> Path:
    file = tmp_path / "script.yaml"
    file.write_text(json.dumps({"rules": [{"answers": [RIGHT, WRONG, WRONG]}]}))
    return file


@pytest.mark.parametrize("strategies", [["best_of_n"], ["refine_best"], ["best_of_n", "refine_best"]])
def test_stop_rules_and_budgets_leave_pass_at_1_as_it_is(problems: Path, script: Path, strategies: list[str]) -> None:
    def pass_at_1(**settings: object) -> dict[str, object]:
        found = mars2.evaluate(
            str(problems),
            agents=f"scripted:{script}",
            strategies=strategies,
            budget=4,
            settings={"rollout.lockstep": False, "rollout.expansions_in_flight": 1, **settings},
        )
        (figures,) = found.summary["agents"].values()
        return {key: figures["evaluation"][key] for key in ("pass_at_1", "pass_at_1_ci95")}

    usual = pass_at_1()
    assert usual["pass_at_1"] == pytest.approx(1 / 3, abs=0.15)
    assert pass_at_1(**{"stopping.solved": 1}) == usual
    assert pass_at_1(**{"stopping.patience": 1}) == usual
    assert pass_at_1(**{"budget.tokens": 2000}) == usual
