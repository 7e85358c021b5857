"""The commands as a user runs them: help with examples, mistakes in one line with exit code 2, JSON on stdout."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from mars2.store.payload import pack, unpack
from mars2.store.run_store import RunStore

SCRIPTED = {
    "name": "scripted",
    "problems": {"kind": "lab", "num_train": 4, "num_test": 4},
    "policies": {"a": {"backend": "scripted", "script": "script.yaml"}},
    "agents": {"a": {"policy": "a"}},
    "prompting": {"style": "lab"},
    "rollout": {"max_nodes": 3},
}
PROBLEM = """---
id: plus-one
entry_point: f
---
Add one.

```tests
public:
  - {args: [1], expected: 2}
hidden:
  - {args: [5], expected: 6}
```
"""


def mars2(*arguments: str, cwd: Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mars2", *arguments]
    return subprocess.run(command, cwd=cwd, input=stdin, capture_output=True, text=True, timeout=110, check=False)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(SCRIPTED))
    (tmp_path / "script.yaml").write_text(yaml.safe_dump({"rules": [{"answers": ["def f(x): return x + 1"]}]}))
    (tmp_path / "problem.md").write_text(PROBLEM)
    (tmp_path / "reward.yaml").write_text("runs: [runs/none]\nmodel: lab:alpha\nout: models/reward\n")
    return tmp_path


@pytest.mark.parametrize(
    "command",
    ["train", "sft", "evaluate", "solve", "judge", "report", "view", "check", "doctor", "train-reward", "recipes"],
)
def test_help_has_an_example(command: str, tmp_path: Path) -> None:
    done = mars2(command, "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "Example" in done.stdout
    assert f"mars2 {command} " in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["train", "zzz"],
            "config: no such file or recipe: zzz; give a YAML file or one of deepcoder_8b_",
        ),
        (["train", "confg.yaml"], "config: no such file or recipe: confg.yaml; did you mean config.yaml?"),
        (["evaluate", "quikstart"], "TARGET: quikstart is no configuration file, no recipe (mars2 recipes lists"),
        (["check", "configs/quickstart.yaml"], "recipe: configs/quickstart.yaml; did you mean quickstart?"),
        (["solve", "problem.md", "--config", "quikstart"], "did you mean quickstart?"),
        (["train-reward", "lab_reward"], "did you mean lab_reward_model?"),
        (["sft", "sft_chat"], "did you mean sft_chats?"),
        (["recipes", "show", "quikstart"], "did you mean quickstart?"),
        (["recipes", "copy", "quickstart", "config.yaml"], "FILE: config.yaml exists; name another file"),
        (["recipes", "copy", "quickstart", "gone/x.yaml"], "FILE: cannot write gone/x.yaml: No such file"),
        (["evaluate", "config.yaml", "--set", "rollout.max_nods=3"], "rollout.max_nods: unknown key; did you mean"),
        (["evaluate", "config.yaml", "--budget", "-1"], "rollout.max_nodes: must be >= 1, got -1"),
        (["train", "config.yaml"], "training: missing in config.yaml"),
        (["solve", "problem.md", "--agents", "./no-such-folder"], "no such model folder: ./no-such-folder"),
        (["solve", "problem.md", "--agents", "."], "has no config.json"),
        (["train-reward", "reward.yaml"], "no run in runs/none"),
        (["train-reward", "reward.yaml", "--set", "epoch=3"], 'did you mean "epochs"?'),
        (["train-reward", "reward.yaml", "--set", "split.test=0.9"], "valid + calibration + test must be < 1"),
        (["solve", "problem.md", "--config", "config.yaml", "--reward-model", "."], "no reward model in ."),
        (["solve", "problem.md", "--config", "config.yaml", "--select", "x"], "selection.rule"),
        (["solve", "problem.md"], "give exactly one of agents, config and run, got nothing"),
        (["solve", "problem.md", "--config", "config.yaml", "--budget", "-3"], "max_nodes: must be >= 1, got -3"),
        (["solve", "problem.md", "--config", "config.yaml", "--strategy", "x"], "search.strategy: must be one of"),
        (["solve", "malformed.md", "--config", "config.yaml"], "malformed.md"),
        (["solve", "no-tests.md", "--config", "config.yaml"], "no-tests.md"),
        (["solve", "no-such-file.md", "--config", "config.yaml"], "no-such-file.md"),
        (["report", "."], "run: no run in ."),
        (["judge", "gone.py", "problem.md"], "judge: gone.py: No such file or directory"),
        (["judge", "problem.md"], "judge: give a program file and a problem"),
        (["judge", "--answer", "gone.txt", "problem.md"], "judge: gone.txt: No such file or directory"),
        (
            ["judge", "--answer", "gone.txt", "a.py", "problem.md"],
            "judge: give a program file or --answer, got both a.py",
        ),
        (["judge", "--answer", "gone.txt", "--batch", "tasks.jsonl"], "or --batch, got both --answer gone.txt"),
        (["judge", "--batch", "tasks.jsonl"], 'line 2: tests.outptus: unknown key; did you mean "outputs"?'),
        (["check", "config.yaml", "--set", "policies.a.script=gone.yaml"], "no such file: gone.yaml"),
        (
            ["solve", "problem.md", "--agents", "openai:m@http://127.0.0.1:99999/v1"],
            "base_url: got 'http://127.0.0.1:99999",
        ),
        (["solve", "problem.md", "--agents", "openai:m@http://[::1/v1"], "it is no address (Invalid IPv6 URL)"),
        (
            ["solve", "problem.md", "--agents", "openai:m@http://a..b/v1"],
            "base_url: got 'http://a..b/v1'; it is no address",
        ),
        (["solve", "problem.md", "--agents", "openai:@http://x/v1"], "names no model; write openai:MODEL@http://x/v1"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments: list[str], message: str, here: Path) -> None:
    (here / "malformed.md").write_text(PROBLEM.replace("public:", "public: ["))
    task = {"id": 1, "program": "", "tests": {"kind": "call", "function": "f", "inputs": [[]], "outputs": [1]}}
    bad = json.dumps(task).replace("outputs", "outptus")
    (here / "tasks.jsonl").write_text(f"{json.dumps(task)}\n{bad}\n")
    (here / "no-tests.md").write_text(PROBLEM.split("```tests")[0])
    done = mars2(*arguments, cwd=here)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert done.stdout == ""


def test_solve_spends_no_more_than_its_budgets_and_says_what_each_agent_took(here: Path) -> None:
    config = here / "config.yaml"
    script = {"rules": [{"answers": ["def f(x): return None", "def f(x): return 0"]}]}
    (here / "script.yaml").write_text(yaml.safe_dump(script))
    failing = {"backend": "scripted", "script": "failing.yaml"}
    (here / "failing.yaml").write_text(yaml.safe_dump({"rules": [{"answers": ["x"], "fail": True}]}))
    team = SCRIPTED | {
        "policies": SCRIPTED["policies"] | {"b": failing},  # pyright: ignore[reportOperatorIssue]
        "agents": {"a": {"policy": "a"}, "b": {"policy": "b"}},
        "rollout": {"retry_backoff_s": 0, "lockstep": False},
        "prompting": {"style": "chat"},
    }
    config.write_text(yaml.safe_dump(team))
    refused = mars2("solve", "problem.md", "--config", "config.yaml", "--cost", "1", cwd=here)
    assert refused.returncode == 2
    assert "policies.a.price" in refused.stderr
    price = "policies.{}.price={{input_per_million: 1000, output_per_million: 1000}}"
    done = mars2(
        *("solve", "problem.md", "--config", "config.yaml", "--budget", "50", "--tokens", "30000", "--json"),
        *("--cost", "5", "--set", price.format("a"), "--set", price.format("b")),
        cwd=here,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["stop"] == "cost budget spent"
    assert 1 < found["cost"] <= 5
    assert found["cost"] == pytest.approx((found["prompt_tokens"] + found["output_tokens"]) / 1000)
    assert found["agents"]["a"]["cost"] == found["cost"]
    assert set(found["lost_agents"]) == {"b"}
    assert found["agents"]["b"]["num_failed_calls"] == found["failed_calls"] >= 9
    out = mars2("solve", "problem.md", "--config", "config.yaml", "--budget", "12", cwd=here)
    assert "agent b kept failing and was given up" in out.stderr + out.stdout
    assert " failed calls" in out.stderr + out.stdout


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["plain", "json"])
@pytest.mark.parametrize("command", ["solve", "evaluate"])
def test_where_every_call_failed_the_exit_code_is_1(command: str, options: tuple[str, ...], here: Path) -> None:
    (here / "script.yaml").write_text(yaml.safe_dump({"rules": [{"answers": ["x"], "fail": True}]}))
    quick = ("--set", "rollout.retry_backoff_s=0", "--set", "rollout.max_retries=0")
    done = mars2(command, "problem.md", "--config", "config.yaml", *options, *quick, cwd=here)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    if options:
        assert json.loads(done.stdout)["failed_calls"] > 0
    if command == "evaluate" or not options:
        (line,) = [line for line in done.stderr.splitlines() if "no program was written" in line]
        assert "the script says to fail" in line


def test_solve_without_a_program_says_how_large_a_budget_is_too_small(here: Path) -> None:
    price = "policies.a.price={input_per_million: 1000, output_per_million: 1000}"
    options = ("problem.md", "--config", "config.yaml", "--cost", "0.01", "--set", price)
    done = mars2("solve", *options, cwd=here)
    assert done.returncode == 1
    assert "no program was written (cost budget too small: one call may cost " in done.stderr
    assert done.stdout == ""


def test_solve_prints_one_json_object_and_writes_the_tree(here: Path) -> None:
    done = mars2("solve", "problem.md", "--config", "config.yaml", "--json", cwd=here)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["program"] == "def f(x): return x + 1"
    assert (result["public"]["verdict"], result["hidden"]["verdict"]) == ("AC", "AC")
    assert (here / result["tree"]).read_text().startswith("<!")
    plain = mars2("solve", "problem.md", "--config", "config.yaml", cwd=here)
    assert plain.stdout.strip() == "def f(x): return x + 1"
    assert "public tests: AC, 1 of 1 passed" in plain.stderr


def test_a_killed_solve_goes_on_with_resume(here: Path) -> None:
    """kill -9 in mid-search: --resume grows the tree that an uninterrupted search grows."""
    rule = {"answers": [f"def f(x): return {i}" for i in range(7)], "latency_s": 0.3}
    (here / "script.yaml").write_text(yaml.safe_dump({"rules": [rule]}))
    team = SCRIPTED | {"prompting": {"style": "chat"}, "rollout": {"lockstep": False}}
    (here / "config.yaml").write_text(yaml.safe_dump(team))
    command = ["solve", "problem.md", "--config", "config.yaml", "--budget", "8", "--parallel", "2"]

    def nodes(folder: str) -> list[object]:
        with RunStore.open(here / folder, read_only=True) as store:
            stored = store.tree("solve/plus-one")
        return [] if stored is None else [(n.parent_id, n.agent, n.program, n.score) for n in stored.tree]

    process = subprocess.Popen([sys.executable, "-m", "mars2", *command, "--out", "killed"], cwd=here)
    while process.poll() is None and not (RunStore.exists(here / "killed") and len(nodes("killed")) >= 2):
        time.sleep(0.05)
    process.kill()
    process.wait()
    other = mars2(*command, "--out", "killed", "--resume", "--set", "sampling.temperature=0.5", cwd=here)
    assert other.returncode == 2
    assert "sampling.temperature: differs from the search in killed" in other.stderr
    done = mars2(*command, "--out", "killed", "--resume", "--json", cwd=here)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["num_nodes"] == 8
    assert mars2(*command, "--out", "whole", cwd=here).returncode == 0
    assert nodes("killed") == nodes("whole")


def forget_key(run: Path, section: str, key: str) -> None:
    with contextlib.closing(sqlite3.connect(run / "run.sqlite")) as db, db:
        config = unpack(db.execute("SELECT value FROM meta WHERE name = 'config'").fetchone()[0])
        del config[section][key]
        db.execute("UPDATE meta SET value = ? WHERE name = 'config'", (pack(config),))


def test_evaluate_check_and_report(here: Path) -> None:
    done = mars2("evaluate", "config.yaml", "--json", cwd=here)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["n_problems"] == 4
    assert 0 <= summary["agents"]["a"]["evaluation"]["pass_at_1"] <= 1
    forget_key(here / "runs/scripted-evaluation", "rollout", "max_retries")  # as if begun before there was this key
    again = mars2("evaluate", "config.yaml", "--resume", "--json", cwd=here)
    assert json.loads(again.stdout)["team"] == summary["team"]
    report = mars2("report", "runs/scripted-evaluation", "--json", cwd=here)
    assert json.loads(report.stdout)["summary"]["team"] == summary["team"]
    check = mars2("check", "config.yaml", "--json", cwd=here)
    assert check.returncode == 0, check.stderr
    assert json.loads(check.stdout)["agents"]["a"]["answer"] == "def f(x): return x + 1"


def test_evaluate_completes_with_backends_that_misbehave_and_shows_what_failed(here: Path) -> None:
    """One of two agents fails a third of its calls and says useless things at best."""
    answers = [
        "",
        "no code",
        "```python\n" + "x = 1\n" * 20_000 + "```",
        "```python\ndef f(x):\n    return '\ud800'\n```",
    ]
    bad = {"rules": [{"answers": [*answers, answers[0], answers[0]], "fail": 0.3}]}
    (here / "bad.yaml").write_text(json.dumps(bad))
    (here / "script.yaml").write_text(yaml.safe_dump({"rules": [{"answers": ["def f(x): return 0"]}]}))
    team = SCRIPTED | {
        "problems": {"kind": "reference", "test": "problem.md"},
        "policies": {
            "a": {"backend": "scripted", "script": "script.yaml"},
            "b": {"backend": "scripted", "script": "bad.yaml"},
        },
        "agents": {"a": {"policy": "a"}, "b": {"policy": "b"}},
        "prompting": {"style": "chat"},
        "rollout": {"retry_backoff_s": 0, "max_retries": 1, "lockstep": False, "max_nodes": 12},
    }
    (here / "config.yaml").write_text(yaml.safe_dump(team))
    done = mars2("evaluate", "config.yaml", "--strategies", "ab_mcts,best_of_n", "--no-alone", cwd=here)
    assert done.returncode == 0, done.stderr
    assert " calls to backends failed" in done.stderr
    summary = json.loads((here / "runs" / "scripted-evaluation" / "summary.json").read_text())
    assert summary["usage"]["b"]["num_failed_calls"] == summary["failed_calls"] > 0
    assert sum(used["num_nodes"] for used in summary["usage"].values()) == 24
    assert sum(used["output_tokens"] for used in summary["usage"].values()) == summary["output_tokens"]
    table = done.stdout[done.stdout.index("all trees together") :]
    assert f"{summary['usage']['b']['prompt_tokens']:,}" in table


def test_judge_prints_what_programs_say_without_harm(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tests = {"kind": "stdio", "inputs": [""], "outputs": ["x"]}
    programs = [r"raise ValueError('\ud800 \x1b[2J é')", "print('x')"]
    lines = [json.dumps({"id": f"{n}\n\ud800", "program": p, "tests": tests}) for n, p in enumerate(programs)]
    (here / "odd.jsonl").write_text("\n".join(lines))
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    found = mars2("judge", "--batch", "odd.jsonl", cwd=here)
    assert found.returncode == 0, found.stderr
    first, said, last = found.stdout.splitlines()
    assert first.startswith(r"0\n\ud800: RE")
    assert r"ValueError: \ud800 \x1b[2J \xe9" in said
    assert last.startswith(r"1\n\ud800: AC")


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_judge_says_that_it_cannot_write(here: Path, as_json: list[str]) -> None:
    tests = {"kind": "stdio", "inputs": [""], "outputs": ["x"]}
    (here / "one.jsonl").write_text(json.dumps({"id": 1, "program": "print('x')", "tests": tests}))
    command = [sys.executable, "-m", "mars2", "judge", "--batch", "one.jsonl", *as_json]
    with open("/dev/full", "w") as full:
        found = subprocess.run(
            command, cwd=here, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    assert found.returncode == 2
    assert found.stderr == ("mars2: error: standard output: No space left on device; write the results elsewhere\n")


def test_judge_one_and_many(here: Path) -> None:
    (here / "right.py").write_text("def f(x):\n    return x + 1\n")
    one = mars2("judge", "right.py", "problem.md", "--json", cwd=here)
    assert one.returncode == 0, one.stderr
    assert json.loads(one.stdout)["verdict"] == "AC"
    tests = {"kind": "call", "function": "f", "inputs": [[1], [5]], "outputs": [2, 6]}
    programs = ["def f(x): return x + 1", "def f(x): return 2", "def f(x: return", "def f(x):\n    while True: pass"]
    lines = [
        json.dumps({"id": i, "program": p, "tests": tests, "limits": {"cpu_s": 0.5}}) for i, p in enumerate(programs)
    ]
    (here / "tasks.jsonl").write_text("\n".join(lines))
    many = mars2("judge", "--batch", "tasks.jsonl", "--json", cwd=here)
    assert many.returncode == 0, many.stderr
    found = [json.loads(line) for line in many.stdout.splitlines()]
    assert [(f["id"], f["verdict"]) for f in found] == [(0, "AC"), (1, "WA"), (2, "CE"), (3, "TLE")]
    assert set(found[0]) == {"id", "verdict", "tests", "tier", "mode"}
    assert set(found[1]["tests"][1]) == {"verdict", "cpu_s", "wall_s", "peak_mib", "detail"}


def test_judge_takes_a_whole_answer_and_says_which_program_was_taken_and_why(here: Path) -> None:
    answer = "```python\ndef f(x):\n    return x + 1\n```\nTry it:\n```python\nprint(f(1))\n```\n"
    (here / "answer.txt").write_text(answer)
    (here / "none.txt").write_text("I do not know.")
    found = json.loads(mars2("judge", "--answer", "answer.txt", "problem.md", "--json", cwd=here).stdout)
    assert (found["verdict"], found["program"]) == ("AC", "def f(x):\n    return x + 1\n")
    assert found["reason"] == "block 1 of 2: defines what the tests call"
    shown = mars2("judge", "--answer", "answer.txt", "problem.md", cwd=here).stdout
    assert "program taken: block 1 of 2" in shown
    assert "| def f(x):" in shown
    found = json.loads(mars2("judge", "--answer", "none.txt", "problem.md", "--json", cwd=here).stdout)
    assert (found["verdict"], found["program"], found["reason"]) == ("CE", None, "no program in the answer")


def test_doctor_names_the_tier(tmp_path: Path) -> None:
    done = mars2("doctor", "--json", cwd=tmp_path)
    report = json.loads(done.stdout)["sandbox"]
    assert (done.returncode == 0) == report["safe"]
    assert report["tier"] in ("A", "B", "C", "D", "")


def test_the_command_line_loads_no_heavy_package() -> None:
    heavy = {"torch", "transformers", "tokenizers", "tensorboard", "fastapi", "openai", "vllm"}
    code = f"import sys, mars2.cli.main; sys.exit(', '.join({heavy} & set(sys.modules)) or None)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""


@pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux")
def test_judge_prints_every_answer_whatever_is_in_them(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lone surrogates, and characters that the output's encoding has not."""
    tests = {"kind": "stdio", "inputs": [""], "outputs": ["3"]}
    programs = {"\ud800": "raise ValueError('\\ud800')", "é": "raise ValueError('☃')", "last": "print(3)"}
    tasks = [{"id": name, "program": program, "tests": tests} for name, program in programs.items()]
    (here / "tasks.jsonl").write_text("\n".join(map(json.dumps, tasks)))
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    done = mars2("judge", "--batch", "tasks.jsonl", "--allow-unsafe", cwd=here)
    assert done.returncode == 0, done.stderr
    heads = [line.split(",")[0] for line in done.stdout.splitlines() if " tests passed " in line]
    assert heads == ["\\ud800: RE", "\\xe9: RE", "last: AC"]
