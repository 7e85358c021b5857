"""kill -9 at random moments of a lab run of 30 steps: nothing is lost, nothing is trained twice, and it ends the same.

MARS2_CRASH_KILLS says how often (6; the full bar is 20).
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mars2.recipes import FOLDER
from mars2.runs.training.checkpoints import Checkpoints
from mars2.store.run_store import RunStore

KILLS = int(os.environ.get("MARS2_CRASH_KILLS", "6"))
ASYNC_KILLS = KILLS if KILLS >= 20 else (KILLS + 1) // 2
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900 + 60 * KILLS)]

CONFIG = FOLDER / "lab_heter.yaml"
BATCH = 4
SMALL = {
    "problems.num_train": 300,
    "problems.num_test": 4,
    "evaluation.before": False,
    "evaluation.per_agent_trees": False,
    "evaluation.samples_per_problem": 1,
    "rollout.trees_in_flight": 8,
    "rollout.max_nodes": 4,
    "training.trees_per_round": 8,
    "training.batch_samples": BATCH,
    "training.steps": 30,
    "training.checkpoint_every": 1,
    "training.evaluate_every": 10,
    "training.evaluate_problems": 4,
    "sandbox.workers": 1,
    "sampling.max_tokens": 48,
}


def command(out: Path, **settings: object) -> list[str]:
    options = [f"--set={key}={value}" for key, value in (SMALL | settings).items()]
    return [sys.executable, "-m", "mars2", "train", str(CONFIG), "--out", str(out), "--json", "--resume", *options]


@dataclass(frozen=True)
class Whole:
    """An uninterrupted run, and how long it took."""

    summary: dict[str, Any]
    num_rounds: int
    startup_s: float  # until training began
    round_s: float


def uninterrupted(arguments: list[str]) -> Whole:
    started = time.monotonic()
    with started_run(arguments, stdout=subprocess.PIPE) as process:
        assert process.stderr is not None
        said: list[str] = []
        begun = started
        for line in process.stderr:
            said.append(line)
            if line.startswith("train …"):
                begun = time.monotonic()
        trained = time.monotonic()
        assert process.stdout is not None
        out = process.stdout.read()
    assert process.returncode == 0, "".join(said)
    num_rounds = sum(line.startswith("round ") for line in said)
    return Whole(json.loads(out), num_rounds, begun - started, (trained - begun) / max(num_rounds, 1))


def started_run(arguments: list[str], stdout: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
    return subprocess.Popen(arguments, stdout=stdout, stderr=subprocess.PIPE, text=True)


def killed_again_and_again(arguments: list[str], whole: Whole, kills: int) -> dict[str, Any]:
    """Start, kill at a random moment, start again, …; then let it end.

    Moments are told by what the run says, so that a busy machine does not shift them: one in five lies in a startup,
    the others at any point of any of the next rounds, so that all of them together spread over the whole run.
    """
    rng = random.Random(kills)
    hits = 0
    for number in range(kills):
        with started_run(arguments) as process:
            assert process.stderr is not None
            if number % 5 == 1:
                time.sleep(rng.uniform(0.1, whole.startup_s))
            else:
                rounds = rng.randint(0, 2 * whole.num_rounds // kills)
                for line in process.stderr:
                    rounds -= line.startswith("round ")
                    if rounds < 0 or (rounds == 0 and line.startswith(("train …", "round "))):
                        break
                time.sleep(rng.uniform(0, whole.round_s))
            hits += process.poll() is None
            process.kill()
            process.stderr.read()
        assert process.returncode in (0, -signal.SIGKILL)
    assert hits >= kills // 2, "the run ended too soon to be killed often"
    return uninterrupted(arguments).summary


def weights(run: Path) -> dict[str, str]:
    latest = Checkpoints(run / "checkpoints", keep=1).latest()
    assert latest is not None
    files = sorted(latest.glob("*/model/*.safetensors"))
    assert len(files) == 2
    return {f.parts[-3]: hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def check_ledger(run: Path) -> None:
    """Each sample of each tree is trained, dropped or waiting in the last checkpoint's buffer: one of them, once."""
    latest = Checkpoints(run / "checkpoints", keep=1).latest()
    assert latest is not None
    state = json.loads((latest / "state.json").read_text())
    with RunStore.open(run, read_only=True) as store:
        ledger = Counter(row.key for row in store.samples())
        waiting = Counter(s["key"] for samples in state["buffers"].values() for s in samples)
        batches = [m for m in store.metrics() if m.scope.startswith("policy/") and m.name == "version"]
        trained = store.samples("trained")
        nodes = set()
        for stored in store.trees("train", finished_only=True):
            rewards = {values["reward"] for values in stored.annotations.values()}
            if len(rewards) > 1:  # the others are filtered out whole
                nodes |= {f"{stored.tree.tree_id}/{n.id}" for n in stored.tree}
        resumed = len(store.events("resumed"))
    fates = ledger + waiting
    assert set(fates.values()) == {1}
    assert set(fates) == nodes, "every sample that was drawn, and no other"
    assert len(trained) == BATCH * len(batches), "as many as the updates took"
    for policy, version in state["versions"].items():
        assert sorted(m.value for m in batches if m.scope == f"policy/{policy}") == list(range(1, version + 1))
    print(f"{len(trained)} samples trained once, {len(batches)} updates, {resumed} resumes from a checkpoint")


def test_in_rounds_the_weights_are_the_same_bit_for_bit(tmp_path: Path) -> None:
    strict = {"training.max_staleness": 0}
    whole = uninterrupted(command(tmp_path / "whole", **strict))
    cut = killed_again_and_again(command(tmp_path / "cut", **strict), whole, KILLS)
    check_ledger(tmp_path / "cut")
    assert weights(tmp_path / "cut") == weights(tmp_path / "whole")
    assert cut["tree_hash"] == whole.summary["tree_hash"]
    assert cut["agents"] == whole.summary["agents"]


def test_in_async_every_sample_is_trained_once(tmp_path: Path) -> None:
    overlapping = {"training.schedule": "async", "rollout.lockstep": False, "training.max_staleness": 2}
    whole = uninterrupted(command(tmp_path / "whole", **overlapping))
    killed_again_and_again(command(tmp_path / "cut", **overlapping), whole, ASYNC_KILLS)
    for name in ("whole", "cut"):
        check_ledger(tmp_path / name)
    assert pass_rate(tmp_path / "cut") == pytest.approx(pass_rate(tmp_path / "whole"), abs=0.2)


def pass_rate(run: Path) -> float:
    """Share of right programs in the last training trees: some hundred nodes, so noise of a few hundredths."""
    with RunStore.open(run, read_only=True) as store:
        nodes = [n.is_correct for s in store.trees("train", limit=60, finished_only=True) for n in s.tree]
    return sum(nodes) / len(nodes)
