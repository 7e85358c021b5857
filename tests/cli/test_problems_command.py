"""`mars2 problems` and the ways to name an evaluation's problems, as a user runs them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import yaml
from test_commands import PROBLEM, mars2

MBPP = {
    "task_id": 11,
    "text": "Write a function plus(x) that adds one.",
    "code": "def plus(x):\n    return x + 1",
    "test_list": ["assert plus(1) == 2", "assert plus(5) == 6"],
}


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "problem.md").write_text(PROBLEM)
    wrong = MBPP | {"task_id": 12, "code": "def plus(x):\n    return x"}
    broken = {"task_id": 13, "text": "No tests."}
    (tmp_path / "mbpp.jsonl").write_text("".join(json.dumps(row) + "\n" for row in (MBPP, wrong, broken)))
    (tmp_path / "one.jsonl").write_text(json.dumps(MBPP) + "\n")
    config = {
        "name": "scripted",
        "problems": {"kind": "reference", "test": "problem.md"},
        "policies": {"a": {"backend": "scripted", "script": "script.yaml"}},
        "agents": {"a": {"policy": "a"}},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    answers = ["```python\ndef plus(x): return x + 1\n```", "```python\ndef plus(x): return x\n```"]
    (tmp_path / "script.yaml").write_text(yaml.safe_dump({"rules": [{"answers": answers}]}))
    return tmp_path


def test_show_prints_what_an_agent_sees(here: Path) -> None:
    done = mars2("problems", "show", "problem.md", cwd=here)
    assert done.returncode == 0, done.stderr
    assert "Add one." in done.stdout
    assert "1 public and 1 hidden tests" in done.stdout
    assert "f(5)" not in done.stdout, "the hidden test is shown"
    facts = json.loads(mars2("problems", "show", "problem.md", "--json", cwd=here).stdout)
    assert (facts["num_public"], facts["num_hidden"], facts["entry_point"]) == (1, 1, "f")


def test_show_names_the_rule_and_whose_it_is(here: Path) -> None:
    row = {"description": "Echo.", "public_tests": {"input": ["1"], "output": ["1"]}}
    (here / "contests.jsonl").write_text(json.dumps(row) + "\n")
    shown = mars2("problems", "show", "codecontests:contests.jsonl", cwd=here).stdout
    assert "comparison codecontests: CodeContests, execution/tester_sandboxer.cc, OutputsMatch" in shown
    facts = json.loads(mars2("problems", "show", "problem.md", "--json", cwd=here).stdout)
    assert (facts["comparison"], facts["rule"][:5]) == ("exact", "lines")


def test_validate_counts_what_is_dropped_and_judges_reference_solutions(here: Path) -> None:
    done = mars2("problems", "validate", "mbpp:mbpp.jsonl", "--json", cwd=here)
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert (found["kept"], found["reference_solutions"]) == (2, 2)
    assert [d["id"] for d in found["dropped"]] == ["mbpp/13"]
    assert [(w["id"], w["verdict"]) for w in found["reference_solutions_failed"]] == [("mbpp/12", "WA")]
    plain = mars2("problems", "validate", "mbpp:mbpp.jsonl", cwd=here)
    assert "kept 2 of 3 problems; dropped 1 (no tests)" in plain.stdout
    assert "1 of 2 reference solutions pass every test" in plain.stdout
    assert "public tests: 1 to 1, median 1" in plain.stdout
    assert [(p["id"], p["num_hidden"], p["status"]) for p in found["problems"]] == [
        ("mbpp/11", 1, "AC"),
        ("mbpp/12", 1, "WA"),
    ]
    assert mars2("problems", "validate", "mbpp:one.jsonl", cwd=here).returncode == 0


def test_converted_problems_read_back(here: Path) -> None:
    done = mars2("problems", "convert", "mbpp:mbpp.jsonl", "mine.jsonl", cwd=here)
    assert done.returncode == 0, done.stderr
    assert "kept 2 of 3" in done.stderr
    found = json.loads(mars2("problems", "validate", "mine.jsonl", "--json", cwd=here).stdout)
    assert (found["kept"], len(found["reference_solutions_failed"])) == (2, 1)


def test_converting_may_leave_out_problems_whose_reference_solution_fails(here: Path) -> None:
    done = mars2("problems", "convert", "mbpp:mbpp.jsonl", "right.jsonl", "--check-references", cwd=here)
    assert done.returncode == 0, done.stderr
    assert "kept 1 of 3 problems; dropped 1 (no tests), 1 (its reference solution fails)" in done.stderr
    assert mars2("problems", "validate", "right.jsonl", cwd=here).returncode == 0


def test_a_problem_set_with_a_team(here: Path) -> None:
    options = ("mbpp:mbpp.jsonl", "--config", "config.yaml", "--out", "out", "--json")
    done = mars2("evaluate", *options, "--budget", "4", "--strategies", "best_of_n", cwd=here)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["n_problems"], summary["budget"], summary["strategies"]) == (2, 4, ["best_of_n"])
    grown = mars2("evaluate", *options, "--budget", "4", "--strategies", "best_of_n,refine_best", "--resume", cwd=here)
    assert grown.returncode == 0, grown.stderr
    with (here / "out" / "problems.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {(r["problem"], r["strategy"], r["budget"]) for r in rows} == {
        (p, s, b) for p in ("mbpp/11", "mbpp/12") for s in ("best_of_n", "refine_best") for b in ("1", "2", "4")
    }
    old = [r for r in summary["results"] if r["metric"] == "pass_at_1_mcts"]
    new = json.loads(grown.stdout)["results"]
    assert [r for r in new if r["metric"] == "pass_at_1_mcts" and r["strategy"] == "best_of_n"] == old
    other = mars2("evaluate", *options, "--budget", "4", "--resume", "--set", "seed=1", cwd=here)
    assert other.returncode == 2
    assert "seed: is 1, but the evaluation has 0; use the settings" in other.stderr
    sampling = mars2("evaluate", *options, "--resume", "--max-tokens", "7", cwd=here)
    assert "sampling.max_tokens: is 7, but the evaluation has 1024" in sampling.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["problems", "show", "humanevil"], 'did you mean "humaneval"?'),
        (["problems", "convert", "problem.md", "out.txt"], "TARGET: must end in .jsonl, got out.txt"),
        (["problems", "convert", "problem.md", "one.jsonl"], "TARGET: one.jsonl exists"),
        (["problems", "convert", "mbpp:blank.jsonl", "out.jsonl"], "kept 0 of 0 problems; nothing to write"),
        (["problems", "show", "livecodebench:x.jsonl?version=v6"], "version=v6 needs the folder"),
        (["problems", "show", "livecodebench:.?version=v9"], 'unknown version "v9"'),
        (["problems", "show", "livecodebench:x.jsonl?from=soon"], "from=soon: write a month or a day"),
        (["problems", "show", "mbpp:x.jsonl?from=2025-01"], "only livecodebench takes options"),
        (["evaluate", "humaneval"], "TARGET: humaneval is no configuration file, no recipe"),
        (["evaluate", "config.yaml", "--strategies", "mtcs"], "search.strategy: must be one of"),
        (["evaluate", "config.yaml", "--strategies", "mcts,mcts"], "'mcts' is named twice"),
        (["evaluate", "config.yaml", "--strategies", ","], "strategies: names none"),
        (["evaluate", "config.yaml", "--seeds", "0"], "evaluation.seeds: must be >= 1, got 0"),
        (
            ["evaluate", "problem.md", "--config", "config.yaml", "--problems", "x"],
            "problems: the problems",
        ),
        (["evaluate", "problem.md", "--config", "config.yaml", "--run", "x"], "give exactly one of agents"),
    ],
    ids=lambda value: " ".join(value[:3]) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments: list[str], message: str, here: Path) -> None:
    (here / "blank.jsonl").write_text("\n\n")
    done = mars2(*arguments, cwd=here)
    assert done.returncode == 2, done.stderr
    assert not (here / "out.jsonl").exists()
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


STATEMENT = """Rotate. Time limit: 2 seconds
```python
class Solution:
    def rotate(self, nums: List[int], k: int) -> None:
```
Example 1:
Input: nums = [1,2,3], k = 1
Output: [3,1,2]
Example 2:
Input: nums = [1,...,9], k = 2
Output: [8,9,1,...]
"""


def test_read_shows_what_a_statement_gives_and_what_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "statement.txt").write_text(STATEMENT)
    found = json.loads(mars2("problems", "read", "statement.txt", "--json", cwd=tmp_path).stdout)
    assert (found["kind"], found["entry_point"]) == ("function", "Solution.rotate")
    assert found["tests"] == [
        {"function": "rotate", "args": [[1, 2, 3], 1], "expected": [3, 1, 2], "types": ["", "", "0"]}
    ]
    assert [left["what"] for left in found["left_out"]] == ["example 2"]
    assert found["stated_limits"] == {"time_s": 2.0, "memory_mib": None}
    plain = mars2("problems", "read", "statement.txt", cwd=tmp_path)
    assert "rotate([1, 2, 3], 1) must change its argument 1 to [3, 1, 2]" in plain.stdout
    assert "left out: example 2: " in plain.stdout


def test_a_pasted_statement_is_a_problem_whose_examples_are_its_tests(tmp_path: Path) -> None:
    (tmp_path / "rotate.txt").write_text(STATEMENT)
    right = "class Solution:\n    def rotate(self, nums, k):\n        nums[:] = nums[-k:] + nums[:-k]\n"
    (tmp_path / "right.py").write_text(right)
    (tmp_path / "wrong.py").write_text(right.replace("nums[:] =", "return"))
    assert mars2("judge", "right.py", "rotate.txt", "--allow-unsafe", cwd=tmp_path).stdout.startswith("rotate: AC")
    assert mars2("judge", "wrong.py", "rotate.txt", "--allow-unsafe", cwd=tmp_path).stdout.startswith("rotate: WA")
    (tmp_path / "none.txt").write_text("Print a greeting.\n")
    done = mars2("problems", "show", "none.txt", cwd=tmp_path)
    assert (done.returncode, "the problem has no tests" in done.stderr) == (2, True)


def test_read_takes_standard_input(tmp_path: Path) -> None:
    done = mars2("problems", "read", "-", "--json", cwd=tmp_path, stdin="Double it.\n\nInput: 2\nOutput: 4\n")
    assert json.loads(done.stdout)["tests"] == [{"input": "2\n", "output": "4\n"}]
