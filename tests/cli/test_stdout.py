"""stdout is the user's: whatever backends, libraries and child processes write there, results stand there alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from test_commands import PROBLEM, mars2

from mars2.cli.main import ResultCommand, app
from mars2.store.run_store import RunStore

NOISY = """\
import atexit, ctypes, os, subprocess, sys, warnings
import mars2.backends.scripted as scripted
libc = ctypes.CDLL(None)
quiet = scripted.ScriptedBackend.__init__

def noisy(self, *args, **kwargs):
    print("noise of Python")
    sys.__stdout__.write("noise of another reference\\n")
    os.write(1, b"noise of the descriptor\\n")
    libc.puts(b"noise of C")
    subprocess.run(["echo", "noise of a child"], check=True)
    subprocess.Popen(["sh", "-c", "sleep 0.2; echo noise of a child that lives on"])
    warnings.warn("noise of a warning")
    atexit.register(os.write, 1, b"noise at the end\\n")
    atexit.register(print, "noise of Python at the end")
    quiet(self, *args, **kwargs)

scripted.ScriptedBackend.__init__ = noisy
"""
ANSWER = "```python\ndef f(x):\n    return x + 1\n```"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "noise").mkdir()
    (tmp_path / "noise" / "sitecustomize.py").write_text(NOISY)
    monkeypatch.syspath_prepend(str(tmp_path / "noise"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "noise"), prepend=":")
    (tmp_path / "problem.md").write_text(PROBLEM)
    (tmp_path / "script.yaml").write_text(yaml.safe_dump({"rules": [{"answers": [ANSWER]}]}))
    config = {
        "name": "noisy",
        "problems": {"kind": "reference", "test": "problem.md"},
        "policies": {"a": {"backend": "scripted", "script": "script.yaml"}},
        "agents": {"a": {"policy": "a"}},
        "rollout": {"max_nodes": 1},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        ("solve", "problem.md", "--config", "config.yaml", "--budget", "1", "--json"),
        ("evaluate", "config.yaml", "--json"),
        ("check", "config.yaml", "--json"),
    ],
    ids=lambda command: command[0],
)
def test_json_stands_alone_on_stdout_however_noisy_a_backend_is(command: tuple[str, ...], here: Path) -> None:
    done = mars2(*command, cwd=here)
    assert done.returncode == 0, done.stderr
    assert isinstance(json.loads(done.stdout), dict)
    for noise in (
        "Python",
        "another reference",
        "the descriptor",
        "C",
        "a child",
        "a child that lives on",
        "a warning",
    ):
        assert f"noise of {noise}" in done.stderr
    assert "noise at the end" in done.stderr
    assert "noise of Python at the end" in done.stderr


def test_a_program_stands_alone_on_stdout_too(here: Path) -> None:
    done = mars2("solve", "problem.md", "--config", "config.yaml", "--budget", "1", cwd=here)
    assert done.stdout == "def f(x):\n    return x + 1\n", done.stderr


def test_help_and_version_are_on_stdout(here: Path) -> None:
    assert "Usage" in mars2("judge", "--help", cwd=here).stdout
    assert mars2("--version", cwd=here).stdout.startswith("mars2 ")


@pytest.mark.parametrize("command", [("recipes", "show", "quickstart"), ("report", "run")])
def test_a_full_disk_is_told_in_one_line(command: tuple[str, ...], tmp_path: Path) -> None:
    RunStore.create(tmp_path / "run", config={"name": "small"}).close()
    (tmp_path / "run" / "summary.json").write_text('{"team": {}, "agents": {}, "n_problems": 1, "budget": 1}')
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "mars2", *command],
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == "mars2: error: standard output: No space left on device; write the results elsewhere\n"


def test_every_command_keeps_stdout_for_results() -> None:
    def leaves(command: Any) -> Iterator[Any]:
        children = getattr(command, "commands", {})
        yield from (leaf for child in children.values() for leaf in leaves(child))
        if not children:
            yield command

    found = list(leaves(typer.main.get_command(app)))
    assert len(found) > 12
    assert [command.name for command in found if not isinstance(command, ResultCommand)] == []
