"""What the page is told of strategies side by side."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_report_data import Event

from mars2.reports.comparison import comparison_data
from mars2.reports.tables import write_csv

METRICS = ("pass_at_1_mcts", "pass_at_n", "prompt_tokens", "output_tokens", "seconds")


def comparison(budget: int) -> Event:
    results = [
        {
            "strategy": strategy,
            "who": "team",
            "budget": at,
            "metric": name,
            "value": value / at,
            "low": 0.0,
            "high": 1.0,
        }
        for strategy in ("best_of_n", "ab_mcts")
        for at in (1, budget)
        for value, name in enumerate(METRICS)
    ]
    differences = [
        {"first": ["ab_mcts", "team"], "second": ["best_of_n", "team"], "budget": at, "metric": name,
         "value": 0.1, "low": -0.1, "high": 0.3}
        for at in (1, budget)
        for name in METRICS[:2]
    ]  # fmt: skip
    first = [{"metric": "pass_at_1/a", "value": 0.5, "low": 0.4, "high": 0.6}]
    facts = {"n_problems": 3, "n_seeds": 2, "budget": budget}
    return Event("comparison", {"results": results, "differences": differences, "first_attempts": first, **facts})


def test_the_newest_comparison_is_shown_at_full_budget_with_its_curve() -> None:
    found = comparison_data([comparison(2), comparison(4)])
    assert found is not None
    assert [(e["strategy"], e["who"]) for e in found["entrants"]] == [("best_of_n", "team"), ("ab_mcts", "team")]
    first = found["entrants"][0]
    assert first["cells"]["pass_at_n"] == {"value": 0.25, "ci": [0.0, 1.0]}
    assert [p["nodes"] for p in first["points"]] == [1, 4]
    assert first["points"][1]["tokens"] == pytest.approx((2 + 3) / 4)
    assert first["points"][1]["any"]["value"] == 0.25
    assert len(found["differences"]) == 1
    assert found["differences"][0]["chosen"] == {"gain": 0.1, "gain_ci": [-0.1, 0.3]}
    assert found["first_attempts"] == [{"agent": "a", "cell": {"value": 0.5, "ci": [0.4, 0.6]}}]
    assert comparison_data([Event("run_started")]) is None


def test_tables_are_csv(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", [{"a": "x,y", "b": 1}, {"a": "é", "b": 0.5}])
    assert (tmp_path / "t.csv").read_text(encoding="utf-8") == 'a,b\n"x,y",1\né,0.5\n'
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]
