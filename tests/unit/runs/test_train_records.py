"""What a training run writes down about itself."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from team_of_scripts import WRONG
from test_train import trainer, validated

from mars2.runs.measuring.validation import METRIC
from mars2.store.run_store import RunStore


@pytest.mark.parametrize("schedule", ["rounds", "async"])
async def test_a_rounds_speed_is_over_the_time_of_that_round(tmp_path: Path, schedule: str) -> None:
    """Six trees a round; no round lasts longer than the whole run."""
    started = time.monotonic()
    with RunStore.create(tmp_path, config={}) as store:
        await trainer(tmp_path, store, schedule=schedule, steps=8).run()
        whole_s = time.monotonic() - started
        speeds = [m.value for m in store.metrics() if m.name == "problems_per_s"]
        tokens = [m.value for m in store.metrics() if m.name == "tokens_per_s"]
    assert len(speeds) > 1
    assert sum(6 / speed for speed in speeds) <= whole_s
    assert all(per_token > per_problem > 0 for per_token, per_problem in zip(tokens, speeds, strict=True))


async def test_a_resumed_run_says_from_which_checkpoint(tmp_path: Path) -> None:
    with RunStore.create(tmp_path, config={}) as store:
        first = trainer(tmp_path, store, steps=2)
        await first.run()
        assert store.events("resumed") == []
        latest = first.checkpoints.latest()
        assert latest is not None
        await trainer(tmp_path, store, steps=3).run()
        (resumed,) = store.events("resumed")
        assert resumed.payload == {"checkpoint": latest.name, "step": first.progress.rounds}


async def test_a_validation_comes_when_it_is_due_and_not_with_every_checkpoint(tmp_path: Path) -> None:
    with RunStore.create(tmp_path, config={}) as store:
        run = trainer(
            tmp_path, store, steps=6, batch_samples=8, trees_per_round=2, evaluate_every=2, checkpoint_every=1
        )
        await validated(run, [WRONG]).run()
        rounds = [m.step for m in store.metrics() if m.name == METRIC and m.scope == "run"]
        assert rounds == list(range(0, run.progress.rounds + 1, 2))
        assert len(store.events("checkpoint")) > len(rounds)
