"""What programs, problems and servers say is shown as it is: no markup, emoji code or tab is taken for ours."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml
from rich.console import Console
from test_commands import PROBLEM, mars2

from mars2.cli.output import PLAIN, say, stdout
from mars2.cli.progress import LiveView
from mars2.core.events import Metrics, Note
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
