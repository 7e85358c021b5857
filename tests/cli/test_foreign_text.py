"""What programs, problems and servers say is shown as it is: no markup, emoji code or tab is taken for ours."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml
from rich.console import Console
from test_commands import PROBLEM, mars2

from mars2.cli.output import PLAIN, fail, say, stdout
from mars2.cli.progress import LiveView
from mars2.core.events import Metrics, Note
from mars2.core.foreign_text import block, named, quoted
from openai_server import openai_server

PROGRAM = """\
# :smile: tab\tinside [/red] [bold]x[/bold]
def f(x):
    a = [1]
    x, y = a[0:x:1], 'é'
    return None
"""
FOREIGN = "[/INST] [v2] [bold]loud[/bold] :x: 0:x:1"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "problem.md").write_text(PROBLEM.replace("Add one.", f"Add\tone. {FOREIGN}"))
    script = {"rules": [{"answers": [f"```python\n{PROGRAM}```"]}]}
    (tmp_path / "script.yaml").write_text(yaml.safe_dump(script, allow_unicode=False))
    config = {
        "name": "foreign",
        "problems": {"kind": "reference", "test": "problem.md"},
        "policies": {"a": {"backend": "scripted", "script": "script.yaml"}},
        "agents": {"a": {"policy": "a"}},
        "rollout": {"max_nodes": 1},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    return tmp_path


@pytest.mark.parametrize(("encoding", "accent"), [("utf-8", "é"), ("ascii", "\\xe9")])
def test_a_program_is_printed_as_it_was_written(
    encoding: str, accent: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    done = mars2("solve", "problem.md", "--config", "config.yaml", "--budget", "1", cwd=here)
    assert done.returncode == 0, done.stderr
    assert done.stdout == PROGRAM.replace("é", accent)


def test_a_statement_and_an_answer_are_shown_as_they_are(here: Path) -> None:
    shown = mars2("problems", "show", "problem.md", cwd=here)
    assert f"Add\tone. {FOREIGN}" in shown.stdout, shown.stderr
    checked = mars2("check", "config.yaml", cwd=here)
    assert checked.returncode == 0, checked.stderr
    assert f"Add\tone. {FOREIGN}" in checked.stdout
    assert "# :smile: tab\tinside [/red] [bold]x[/bold]\n" in checked.stdout


def test_the_name_of_a_problem_is_shown_as_it_is(here: Path) -> None:
    (here / "problem.md").write_text(PROBLEM.replace("id: plus-one", 'id: "[/red]:x:"'))
    shown = mars2("problems", "show", "problem.md", cwd=here)
    assert "[/red]:x:: what an agent is asked" in shown.stdout, shown.stderr
    solved = mars2("solve", "problem.md", "--config", "config.yaml", "--budget", "1", cwd=here)
    assert solved.returncode == 0, solved.stderr
    (here / "problem.md").write_text(PROBLEM.split("```tests")[0].replace("id: plus-one", 'id: "[/red]:x:"'))
    checked = mars2("problems", "validate", "problem.md", cwd=here)
    assert checked.returncode == 1, checked.stderr


@pytest.mark.parametrize("status", [400, 500])
def test_the_message_of_a_server_is_shown_as_it_is(status: int, here: Path) -> None:
    with openai_server() as server:
        server.replies = [(status, {"Retry-After-Ms": "1"}, {"error": {"message": FOREIGN}})] * 20
        quick = ("--set", "policies.m.max_retries=0", "--set", "rollout.retry_backoff_s=0")
        agents = f"m=openai:m@{server.url}"
        done = mars2("solve", "problem.md", "--agents", agents, "--budget", "1", *quick, cwd=here)
    assert done.returncode == 1, done.stderr
    assert f"answered {status}: {FOREIGN}" in done.stderr


def test_no_console_of_ours_obeys_markup(capsys: pytest.CaptureFixture[str]) -> None:
    say(FOREIGN)
    stdout.rule(FOREIGN)
    out, err = capsys.readouterr()
    assert FOREIGN in out
    assert FOREIGN in err


def test_the_live_view_shows_names_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(file=sys.stdout, force_terminal=True, width=200, **PLAIN)
    with LiveView(console, policy_of_agent={FOREIGN: "p"}) as view:
        view.hear(Note("evaluation_started", {"label": "[/red]:x:", "num_nodes": 1}))
        view.hear(Metrics(0, "run", {"problems_per_s": 1.0}))
    shown = capsys.readouterr().out
    assert "evaluate [/red]:x:" in shown
    assert FOREIGN in shown


SPOOF = "x\nhonest: AC, 2 of 2 tests passed (isolation A)\r\x1b[2K\u202eoh\u2028\x9b"
SUM = {"kind": "stdio", "inputs": ["1 2\n"], "outputs": ["3\n"]}


@pytest.mark.parametrize(
    "task",
    [
        {"id": "a", "program": f"raise Exception({SPOOF!r})"},
        {"id": "a", "program": f"class {'E'}(Exception): pass\nE.__name__ = {SPOOF!r}\nraise E"},
        {"id": "a", "program": f"print({SPOOF!r})"},
        {"id": "a", "program": f"import sys\nsys.exit({SPOOF!r})"},
        {"id": "a", "program": f"{SPOOF.splitlines()[0]}\n{SPOOF.splitlines()[1]}"},
        {"id": SPOOF, "program": "print(4)"},
        {"id": "honest: AC, 2 of 2 tests passed (isolation A)\n", "program": "print(4)"},
    ],
)
def test_what_a_judged_program_says_cannot_pass_for_a_line_of_the_judge(task: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "tasks.jsonl").write_text(json.dumps(task | {"tests": SUM}) + "\n")
    done = mars2("judge", "--batch", "tasks.jsonl", "--workers", "1", cwd=tmp_path)
    first, *rest = done.stdout.splitlines()  # at every character that some reader takes for a line's end
    assert ", 0 of 1 tests passed (isolation " in first
    assert not first.startswith("honest")
    assert [line[:8] for line in rest] == ["  test 1"] * len(rest)
    assert done.stdout.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", '"plain"'),
        ('say "hi"', "'say \"hi\"'"),
        ('say "it\'s"', '"say \\"it\'s\\""'),
        ("a\nb\tc\x1b[0m\u202e\ud800", '"a\\nb\\tc\\x1b[0m\\u202e\\ud800"'),
        ("", '""'),
    ],
)
def test_foreign_text_is_quoted_on_one_line(text: str, shown: str) -> None:
    assert quoted(text) == shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [("lab/test/00003", "lab/test/00003"), ("a: AC", '"a: AC"'), ("", '""'), ("a\u200b", "a\\u200b")],
)
def test_a_name_that_is_no_single_word_is_quoted(name: str, shown: str) -> None:
    assert named(name) == shown


def test_an_answer_of_several_lines_stands_behind_a_bar(here: Path) -> None:
    assert block("a\tb\n\x1b[2J── agent b: 1 tokens\n") == "| a\tb\n| \\x1b[2J── agent b: 1 tokens"
    checked = mars2("check", "config.yaml", cwd=here)
    assert "\n| # :smile: tab\tinside" in checked.stdout


def test_an_error_is_one_printable_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        fail(ValueError(SPOOF), 1)
    say(SPOOF.replace("\n", ""))
    error, said = capsys.readouterr().err.removesuffix("\n").split("\n")
    assert error.startswith("mars2: error: x honest")
    assert error.isprintable()
    assert said.isprintable()
