"""kill -9 at random moments of a lab run of 30 steps: nothing is lost, nothing is trained twice, and it ends the same.

MARS2_CRASH_KILLS says how often (6; the full bar is 20).
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mars2.runs.checkpoints import Checkpoints
from mars2.store.run_store import RunStore

KILLS = int(os.environ.get("MARS2_CRASH_KILLS", "6"))
ASYNC_KILLS = KILLS if KILLS >= 20 else (KILLS + 1) // 2
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900 + 60 * KILLS)]

CONFIG = Path(__file__).parents[2] / "configs" / "lab_heter.yaml"
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
    startup_s: float  # until training began
    training_s: float


def uninterrupted(arguments: list[str]) -> Whole:
    started = time.monotonic()
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said: list[str] = []
        for line in process.stderr:
            said.append(line)
            if line.startswith("train …"):
                break
        begun = time.monotonic()
        out, rest = process.communicate()
    assert process.returncode == 0, "".join(said) + rest
    return Whole(json.loads(out), begun - started, time.monotonic() - begun)


def killed_again_and_again(arguments: list[str], whole: Whole, kills: int) -> dict[str, Any]:
    """Start, kill at a random moment, start again, …; then let it end.

    A start is given up to twice its share of the whole run after its startup, so the moments lie all over the run, and
    some in a startup.
    """
    rng = random.Random(kills)
    hits = 0
    for _ in range(kills):
        patience_s = rng.uniform(0.1 * whole.startup_s, whole.startup_s + 2 * whole.training_s / kills)
        with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
            try:
                _, said = process.communicate(timeout=patience_s)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                hits += 1
            else:
                assert process.returncode == 0, said  # ended before its time was up
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
            rewards = {n.reward for n in stored.tree}
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
