"""What the page is told of a run: results and their gains, curves, facts, and as many trees as a browser can take."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from fake_run import make_run
from hypothesis import given
from hypothesis import strategies as st

from mars2.core.events import Finished
from mars2.core.problem import AssertTest, CallTest, StdioTest
from mars2.core.tree import Tree
from mars2.core.verdict import Status, TestResult, Verdict
from mars2.reports.evaluations import evaluation_table
from mars2.reports.run_data import curve_groups, flatten, run_state, thin
from mars2.reports.tree_data import fair_shares, shorten, test_entry, trees_data, verdict_entry
from mars2.store.run_store import RunStore

test_entry.__test__ = False  # not a test


@dataclass(frozen=True)
class Event:
    kind: str
    payload: dict[str, Any] = field(default_factory=dict)
    time_s: float = 0.0


@dataclass(frozen=True)
class Metric:
    step: int
    scope: str
    name: str
    value: float
    wall_s: float = 0.0


def evaluation(label: str, **sides: Any) -> Event:
    return Event("evaluation", {"label": label, "n_problems": 2, "budget": 8, **sides})


def test_the_table_pairs_before_and_after() -> None:
    events = [
        evaluation("before", agents={"a": {"pass_at_1": 0.25, "ci95": [0.2, 0.3]}}, team={"pass_at_n": 0.5}),
        evaluation("middle", agents={"a": {"pass_at_1": 0.9}}),
        evaluation("after", agents={"a": {"pass_at_1": 0.75}}, team={"pass_at_n": 0.5, "pass_at_n_ci95": [0.4, 0.6]}),
    ]
    table = evaluation_table(events, {"agents": {"a": {"gain_ci95": [0.1, 0.9]}}})
    assert table
    assert (table["labels"], table["others"], table["n_problems"]) == (["before", "after"], ["middle"], 2)
    agent, team = table["rows"]
    assert (agent["who"], agent["measure"]) == ("a", "Pass@1")
    assert agent["before"] == {"value": 0.25, "ci": [0.2, 0.3]}
    assert agent["after"] == {"value": 0.75, "ci": None}
    assert (agent["gain"], agent["gain_ci"]) == (0.5, [0.1, 0.9])  # the interval of summary.json
    assert (team["who"], team["measure"], team["gain"], team["gain_ci"]) == ("", "Pass@N", 0.0, None)
    assert team["after"]["ci"] == [0.4, 0.6]


def test_gains_are_paired_where_per_problem_values_are_known() -> None:
    def side(values: list[float]) -> dict[str, Any]:
        agents = {"a": {"pass_at_1": sum(values) / len(values)}}
        return {"agents": agents, "per_problem": {"agents": {"a": {"pass_at_1": values}}, "team": {}}}

    before = [0.0, 0.5] * 20
    events = [evaluation("before", **side(before)), evaluation("after", **side([v + 0.5 for v in before]))]
    table = evaluation_table(events, {})
    assert table
    assert table["rows"][0]["gain"] == 0.5
    assert table["rows"][0]["gain_ci"] == [0.5, 0.5]  # every problem gained the same


def test_one_evaluation_has_no_gain() -> None:
    table = evaluation_table([evaluation("solo", team={"pass_at_1_mcts": 0.5})], {})
    assert table
    assert table["labels"] == ["solo"]
    assert table["rows"] == [
        {"who": "", "measure": "Pass@1 (MCTS)", "before": {"value": 0.5, "ci": None}, "after": None, "gain": None,
         "gain_ci": None}
    ]  # fmt: skip


def test_the_summary_stands_in_for_missing_evaluation_events() -> None:
    summary = {
        "agents": {"a": {"before": {"pass_at_1": 0.2}, "after": {"pass_at_1": 0.5}, "gain_ci95": [0.2, 0.4]}},
        "team": {"before": {"pass_at_n": 0.6}, "after": {"pass_at_n": 0.8}},
        "n_problems": 200,
        "budget": 8,
    }
    table = evaluation_table([], summary)
    assert table
    assert [(row["who"], row["gain"]) for row in table["rows"]] == [("a", 0.3), ("", pytest.approx(0.2))]
    assert table["rows"][0]["gain_ci"] == [0.2, 0.4]
    assert evaluation_table([], {"wall_s": 3}) is None


def test_curves_are_grouped_in_a_fixed_order_and_unknown_ones_follow() -> None:
    rows = [
        Metric(1, "run", "tokens_per_s", 5.0),
        Metric(1, "judge", "queue", 3.0),
        Metric(1, "agent/b", "novelty", 1.0),
        Metric(1, "agent/b", "pass_rate", 0.5),
        Metric(1, "agent/a/x", "reward_mean", 0.5),
        Metric(2, "agent/b", "reward_mean", math.nan),
    ]
    groups = curve_groups(rows)
    assert [group["kind"] for group in groups] == ["agent", "run", "judge"]
    assert [chart["title"] for chart in groups[0]["charts"]] == ["Reward", "Pass rate", "novelty"]
    assert groups[0]["charts"][0]["lines"] == [
        {"owner": "a/x", "points": [(1, 0.0, 0.5)]},
        {"owner": "b", "points": [(2, 0.0, None)]},
    ]


def test_long_curves_are_thinned_to_means() -> None:
    rows = [
        Metric(step, "run", "x", math.nan if step == 2 else float(step), wall_s=10.0 * step) for step in range(1, 7)
    ]
    assert thin(rows, max_points=6) == [(s, 10.0 * s, None if s == 2 else float(s)) for s in range(1, 7)]
    assert thin(rows, max_points=3) == [(2, 20.0, 1.0), (4, 40.0, 3.5), (6, 60.0, 5.5)]
    assert len(thin(rows, max_points=4)) == 3


def test_config_is_flattened_as_it_would_be_set() -> None:
    config = {"name": "x", "search": {"gamma": 0.5, "options": {}}, "sizes": [1, 2], "off": None, "path": Path("a")}
    assert flatten(config) == [
        ("name", "x"), ("search.gamma", "0.5"), ("search.options", "{}"), ("sizes", "[1, 2]"), ("off", "null"),
        ("path", '"a"'),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kinds", "state"),
    [
        ([], "in progress"),
        (["run_started", "evaluation"], "in progress"),
        (["run_started", "interrupted", "checkpoint"], "interrupted"),
        (["interrupted", "resumed"], "in progress"),
        (["interrupted", "training_started", "run_finished", "note"], "finished"),
    ],
)
def test_the_state_is_what_the_last_event_says(kinds: list[str], state: str) -> None:
    assert run_state([Event(kind) for kind in kinds]) == state


def test_shares_are_fair_by_hand() -> None:
    assert fair_shares({"train": 1000, "before": 5, "after": 60}, 100) == {"before": 5, "after": 47, "train": 48}
    assert fair_shares({}, 100) == {}


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 50), max_size=6), st.integers(0, 120))
def test_shares_fill_the_room_and_never_exceed_it(counts: dict[str, int], total: int) -> None:
    shares = fair_shares(counts, total)
    assert shares.keys() == counts.keys()
    assert all(0 <= shares[kind] <= counts[kind] for kind in counts)
    assert sum(shares.values()) == min(total, sum(counts.values()))


def test_trees_are_capped_by_number_newest_of_each_phase_first(finished_run: Path) -> None:
    with RunStore.open(finished_run, read_only=True) as run:
        trees, problems = trees_data(run, max_trees=9)
        stored = {phase: [s.tree.tree_id for s in run.trees(phase)] for phase in run.tree_counts()}
    shown = {phase: [t["id"] for t in trees if t["phase"] == phase] for phase in stored}
    assert shown == {phase: ids[-3:][::-1] for phase, ids in stored.items()}
    assert {t["problem"] for t in trees} == problems.keys()


def test_trees_are_capped_by_size(finished_run: Path) -> None:
    with RunStore.open(finished_run, read_only=True) as run:
        trees, problems = trees_data(run, max_bytes=100_000)
    assert 60_000 < len(json.dumps(trees)) + len(json.dumps(problems)) < 101_000
    assert len({t["phase"] for t in trees[:3]}) == 3  # all phases have their share of what fits


@pytest.mark.slow
def test_a_long_run_of_long_programs_makes_a_page_of_bounded_size(tmp_path: Path) -> None:
    from mars2.reports import write_report

    make_run(tmp_path, steps=40, trees_per_step=10)
    with RunStore.open(tmp_path) as store:
        for stored in store.trees("train", limit=200):
            tree = Tree(f"{stored.tree.tree_id}/long", stored.tree.problem_id)
            nodes = [replace(node, program="x = 1  # <&>\n" * 4000) for node in stored.tree]
            tree.restore(nodes, next_expansion_id=stored.tree.next_expansion_id, num_cancelled=0)
            store.hear(Finished(tree, "train", stored.step))
        assert write_report(tmp_path, store).stat().st_size < 10_000_000


def test_long_texts_keep_head_and_tail() -> None:
    assert shorten("abc", 3) == "abc"
    assert shorten("a" * 50 + "b" * 50, 30) == "a" * 20 + "\n… 70 characters left out …\n" + "b" * 10


def test_tests_are_shown_as_one_would_write_them() -> None:
    assert test_entry(StdioTest("1\n", "2\n")) == {"input": "1\n", "expected": "2\n"}
    assert test_entry(CallTest("f", ((1,), "x"), {2})) == {"input": "f((1,), 'x')", "expected": "{2}"}
    assert test_entry(AssertTest("assert f(1)")) == {"input": "assert f(1)", "expected": "no exception"}
    huge = test_entry(CallTest("f", ([10**5000],), 10**5000))  # more digits than Python converts
    assert huge["input"] == "f(<list too long to show>)"
    assert huge["expected"].startswith("0x")


def test_of_many_tests_the_failing_ones_are_shown() -> None:
    statuses = [Status.AC] * 90 + [Status.WA] + [Status.SKIPPED] * 9
    entry = verdict_entry(Verdict(Status.WA, tuple(TestResult(s, cpu_s=0.5, exit_code=0) for s in statuses)))
    assert (entry["passed"], entry["total"]) == (90, 100)
    assert [t["index"] for t in entry["tests"]] == [*range(30), 90]
    assert entry["tests"][-1] == {"index": 90, "status": "WA", "cpu_s": 0.5}
