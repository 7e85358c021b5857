"""kill -9 during `mars2 evaluate`: --resume completes, with an uninterrupted run's figures, and pays nothing twice."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import yaml

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

NUM_KILLS = 20
IN_FLIGHT = 6  # trees growing at once, one expansion each
UNTOLD = {"seconds"}  # differ between any two runs
COMMAND = ["evaluate", "config.yaml", "--strategies", "ab_mcts,best_of_n,refine_best", "--seeds", "2", "--budget", "6"]

# A backend that notes every call it is asked for, fails every ninth, and takes its time.
DRIVER = """
import asyncio, os, sys
from mars2.backends.scripted import ScriptedBackend
from mars2.core.errors import BackendError

answer = ScriptedBackend.generate

async def generate(self, prompt, sampling):
    log = os.open("calls.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(log, f"{sampling.seed}\\n".encode())
    os.close(log)
    await asyncio.sleep(0.01 + sampling.seed % 7 / 300)
    if sampling.seed % 9 == 0:
        raise BackendError("the script failed")
    return await answer(self, prompt, sampling)

ScriptedBackend.generate = generate
sys.argv = ["mars2", *sys.argv[1:]]
from mars2.cli.main import run
run()
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    config = {
        "name": "crash",
        "problems": {"kind": "reference", "test": "problems.jsonl"},
        "policies": {name: {"backend": "scripted", "script": "script.yaml"} for name in "ab"},
        "agents": {name: {"policy": name} for name in "ab"},
        "rollout": {"lockstep": False, "trees_in_flight": IN_FLIGHT, "retry_backoff_s": 0.0, "max_retries": 1},
    }
    problems = [
        {
            "id": f"add-{n}",
            "statement": f"Write f(x) that adds {n}.",
            "entry_point": "f",
            "tests": {
                "public": [{"args": [1], "expected": 1 + n}],
                "hidden": [{"args": [7], "expected": 7 + n}],
            },
        }
        for n in range(3)
    ]
    answers = [f"```python\ndef f(x):\n    return {body}\n```" for body in ("x", "x + 1", "x + 2", "2", "None")]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "problems.jsonl").write_text("".join(json.dumps(p) + "\n" for p in problems))
    (tmp_path / "script.yaml").write_text(yaml.safe_dump({"rules": [{"answers": [*answers, "I do not know."]}]}))
    (tmp_path / "driver.py").write_text(DRIVER)
    return tmp_path


def start(here: Path, out: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "driver.py", *COMMAND, "--out", out, "--resume"]
    return subprocess.Popen(
        command, cwd=here, stdout=subprocess.DEVNULL, stderr=(here / "errors.log").open("ab"), start_new_session=True
    )


def finish(here: Path, out: str) -> None:
    process = start(here, out)
    assert process.wait(timeout=300) == 0, (here / "errors.log").read_text()


def calls(here: Path) -> Counter[str]:
    log = here / "calls.log"
    return Counter(log.read_text().split()) if log.exists() else Counter()


def table(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        rows = list(csv.DictReader(file))
    rows = [row for row in rows if row.get("metric") not in UNTOLD]
    return [{name: value for name, value in row.items() if name not in UNTOLD} for row in rows]


def test_kill_at_random_moments(here: Path) -> None:
    rng = random.Random(int(os.environ.get("MARS2_CRASH_SEED", "0")))
    finish(here, "whole")
    expected = calls(here)
    total = len(expected)
    assert set(expected.values()) == {1}
    (here / "calls.log").unlink()

    moments = sorted(rng.randrange(total) for _ in range(NUM_KILLS - 4))
    kills = 0
    # Some kills before the first call, the others once so many different calls have been made, a moment later.
    for moment in [*([None] * 4), *moments]:
        process = start(here, "killed")
        try:
            if moment is None:
                time.sleep(rng.uniform(0.1, 3.0))
            else:
                before = sum(calls(here).values())
                while process.poll() is None and len(calls(here)) < moment + 1 and before <= sum(calls(here).values()):
                    time.sleep(0.002)
                time.sleep(rng.uniform(0.0, 0.05))
            kills += process.poll() is None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert kills >= NUM_KILLS * 3 // 4, "too few of the kills came before the end"
    finish(here, "killed")

    for name in ("results.csv", "differences.csv", "problems.csv"):
        assert table(here / "killed" / name) == table(here / "whole" / name), name
    whole, killed = (json.loads((here / out / "summary.json").read_text()) for out in ("whole", "killed"))
    for key in ("agents", "team", "failed_calls", "output_tokens", "first_attempts", "n_problems", "budget"):
        assert killed[key] == whole[key], key

    made = calls(here)
    assert made.keys() == expected.keys(), "the same calls, whatever happened"
    again = sum(made.values()) - total
    print(f"{kills} kills, {total} calls, {again} made again")
    assert again <= kills * IN_FLIGHT * 2, "only what was in flight (each with one retry) is paid twice"
