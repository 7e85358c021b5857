"""A whole run: measured before, trained, measured after; what is done already is not done again."""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from team_of_scripts import PROBLEM, RIGHT, WRONG, grower, judge, scripted
from test_train import trainer

from mars2.config.growing import SelectionConfig
from mars2.runs.measuring.evaluation import ChooseAnswer, Entrant, Evaluation
from mars2.runs.measuring.results import TEAM
from mars2.runs.training.experiment import Experiment, peak_memory_mib
from mars2.search.best_of_n import BestOfN
from mars2.store.run_store import RunStore


def evaluation(label: str, answer: str) -> Evaluation:
    """One first attempt of agent a at each of three held-out problems."""
    team = grower(scripted("a", ("", [answer])), new_search=lambda: BestOfN(["a"]), max_nodes=1)
    entrant = Entrant(
        "best_of_n",
        TEAM,
        team,
        ChooseAnswer(judge(), SelectionConfig(), seed=0),
        is_reported=True,
        gives_first_attempts=True,
    )
    problems = [replace(PROBLEM, id=f"held-out-{i}") for i in range(3)]
    return Evaluation(problems, [entrant], trees_in_flight=3, lockstep=True, label=label)


def experiment(folder: Path, store: RunStore, *labels: str, **training: Any) -> Experiment:
    answers = {"before": WRONG, "after": RIGHT}
    run = trainer(folder, store, **training)
    return Experiment({label: evaluation(label, answers[label]) for label in labels}, ["a"], run, run.recorder)


async def test_a_run_is_measured_before_and_after_its_training(tmp_path: Path) -> None:
    with RunStore.create(tmp_path, config={}) as store:
        run = experiment(tmp_path, store, "before", "after", steps=2)
        found = await run.run()
        assert run.trainer.steps == 2
        assert list(found) == ["before", "after"]
        assert [figures.team.mean("pass_at_n") for figures in found.values()] == [0.0, 1.0]
        kinds = [event.kind for event in store.events()]
        told = [kind for kind in kinds if kind in ("evaluation_started", "evaluation", "training_started")]
        assert told == ["evaluation_started", "evaluation", "training_started", "evaluation_started", "evaluation"]
        assert [e.payload["label"] for e in store.events("evaluation")] == ["before", "after"]
        assert store.problem("held-out-2") is not None
        assert store.problem(PROBLEM.id) == PROBLEM


async def test_without_evaluations_a_run_only_trains(tmp_path: Path) -> None:
    with RunStore.create(tmp_path, config={}) as store:
        run = experiment(tmp_path, store, steps=1)
        assert await run.run() == {}
        assert run.trainer.steps == 1
        assert store.events("evaluation") == []


async def test_an_interrupted_run_says_so(tmp_path: Path) -> None:
    with RunStore.create(tmp_path, config={}) as store:
        run = experiment(tmp_path, store, steps=1000)
        task = asyncio.create_task(run.run())
        while not run.trainer.steps:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [event.kind for event in store.events()][-1] == "interrupted"


def test_peak_memory_is_that_of_this_process_and_of_its_largest_child() -> None:
    subprocess.run([sys.executable, "-c", ""], check=True)
    own_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 2**20)
    assert 20 < own_mib + 2 < peak_memory_mib() < 200_000
