"""Real runs in the lab, as a user starts them: they repeat exactly, and Ctrl-C leaves one that goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mars2.recipes import FOLDER
from mars2.store.run_store import RunStore

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

QUICKSTART = FOLDER / "quickstart.yaml"
SMALL = {
    "problems.num_test": 8,
    "evaluation.samples_per_problem": 2,
    "rollout.trees_in_flight": 12,
    "training.trees_per_round": 12,
    "training.batch_samples": 16,
    "sandbox.workers": 1,
}


def command(out: Path, *more: str, **settings: object) -> list[str]:
    options = [f"--set={key}={value}" for key, value in (SMALL | settings).items()]
    return [sys.executable, "-m", "mars2", "train", str(QUICKSTART), "--out", str(out), "--json", *options, *more]


def _listen_to_ctrl_c() -> None:
    """A shell's background jobs, and what they start, ignore SIGINT; a user's foreground command does not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def run(arguments: list[str]) -> dict[str, object]:
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_same_seed_gives_the_same_trees(tmp_path: Path) -> None:
    first = run(command(tmp_path / "1", **{"training.steps": 2}))
    second = run(command(tmp_path / "2", **{"training.steps": 2}))
    other = run(command(tmp_path / "3", **{"training.steps": 2, "problems.seed": 1}))
    assert first["tree_hash"] == second["tree_hash"] != other["tree_hash"]
    assert first["agents"] == second["agents"]


def test_ctrl_c_ends_soon_and_leaves_a_run_that_goes_on(tmp_path: Path) -> None:
    steps = {"training.steps": 500}
    with subprocess.Popen(
        command(tmp_path / "run", **steps), stderr=subprocess.PIPE, text=True, preexec_fn=_listen_to_ctrl_c
    ) as process:
        assert process.stderr is not None
        lines: list[str] = []
        for line in process.stderr:
            lines.append(line)
            if line.startswith("round 3 "):
                break
        process.send_signal(signal.SIGINT)
        pressed = time.monotonic()
        lines += process.stderr.readlines()
        process.wait()
    text = "".join(lines)
    assert process.returncode == 130, text
    assert time.monotonic() - pressed < 10
    assert "--resume" in lines[-1]
    assert "Traceback" not in text
    with RunStore.open(tmp_path / "run", read_only=True) as store:
        versions = [m.value for m in store.metrics() if m.name == "version"]
    reached = int(max(versions))
    summary = run(command(tmp_path / "run", "--resume", **{"training.steps": reached + 2}))
    assert set(summary["agents"]) == {"alpha", "beta"}  # type: ignore[call-overload]
    with RunStore.open(tmp_path / "run", read_only=True) as store:
        assert max(m.value for m in store.metrics() if m.name == "version") == reached + 2
        assert store.events("interrupted")
        assert store.events("resumed")
    assert (tmp_path / "run" / "report.html").is_file()


def test_homogeneous_roles_share_one_policy(tmp_path: Path) -> None:
    arguments = command(tmp_path / "run", **{"training.steps": 2, "training.batch_samples": 32})
    arguments[arguments.index(str(QUICKSTART))] = str(QUICKSTART.with_name("quickstart_homogeneous.yaml"))
    summary = run(arguments)
    assert set(summary["agents"]) == {"solver", "checker"}  # type: ignore[call-overload]
    with RunStore.open(tmp_path / "run", read_only=True) as store:
        scopes = {m.scope for m in store.metrics()}
    assert {s for s in scopes if s.startswith("policy/")} == {"policy/alpha"}


def test_kill_dash_nine_and_resume_trains_nothing_twice(tmp_path: Path) -> None:
    """The ledger refuses a sample trained twice, so a resumed run that ends has trained each once."""
    arguments = command(tmp_path / "run", **{"training.steps": 6, "training.checkpoint_every": 2})
    uninterrupted = run(command(tmp_path / "whole", **{"training.steps": 6, "training.checkpoint_every": 2}))
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("round 3 "):
                break
        os.kill(process.pid, signal.SIGKILL)
    resumed = run([*arguments, "--resume"])
    assert resumed["tree_hash"] == uninterrupted["tree_hash"]
