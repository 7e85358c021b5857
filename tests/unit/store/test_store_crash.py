"""A writer killed with SIGKILL, at moments it did not choose, loses nothing committed and leaves nothing half-done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mars2.core.errors import StoreError
from mars2.store.run_store import RunStore

WRITER = """
import sys
from pathlib import Path
from mars2.core.completion import Completion
from mars2.core.events import Finished, Metrics, Opened, Told
from mars2.core.tree import Result, Tree
from mars2.core.verdict import Status, Verdict
from mars2.store.run_store import RunStore

store = RunStore.open(Path(sys.argv[1]))
step = store.get_state("cursor") or 0
while True:
    step += 1
    tree = Tree(f"t{step}", "p")
    store.hear(Opened(tree, "train", step))
    for i in range(3):
        result = Result(prompt=(), completion=Completion("x" * 500, "stop", "q", 0), program=None,
                        public_verdict=Verdict(Status.CE, ()), hidden_verdict=None, score=0)
        node = tree.add(tree.expand(None, "a"), result)
        store.hear(Told(tree, node))
    with store.transaction():
        store.hear(Finished(tree, "train", step))
        store.hear(Metrics(step, "run", {"loss": 1.0, "kl": 2.0}))
        store.record_samples([(f"t{step}/{i}", "q", step, "trained") for i in range(3)])
        store.put_state("cursor", step)
    print(step, flush=True)
"""


def run_writer_and_kill(folder: Path, *, after_steps: int, delay_s: float) -> int:
    """The last step that the writer said was committed."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout
    said = [int(writer.stdout.readline()) for _ in range(after_steps)]
    with pytest.raises(StoreError, match="in use by another process"):
        RunStore.open(folder)
    time.sleep(delay_s)
    os.kill(writer.pid, signal.SIGKILL)
    said += [int(line) for line in writer.stdout.read().split("\n")[:-1]]
    writer.wait()
    writer.stdout.close()
    return said[-1]


def test_kill_9_loses_no_committed_step_and_resume_repeats_none(tmp_path: Path) -> None:
    RunStore.create(tmp_path, config={}).close()
    for attempt in range(4):
        said = run_writer_and_kill(tmp_path, after_steps=5, delay_s=0.0037 * attempt)
        with RunStore.open(tmp_path) as store:
            steps = store.get_state("cursor")
            assert steps >= said
            assert len(store.samples("trained")) == 3 * steps
            assert [row.step for row in store.metrics()] == [s for s in range(1, steps + 1) for _ in range(2)]
            finished = store.trees(finished_only=True)
            assert [(s.step, len(s.tree)) for s in finished] == [(s, 3) for s in range(1, steps + 1)]
            assert len(store.trees()) - len(finished) <= 1  # the one that was growing
    assert steps >= 20
