"""`mars2 train`: what it starts, goes on with, sets aside and refuses. The training itself is left out here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from mars2.cli.main import app
from mars2.cli.output import print_scores
from mars2.config.run import RunConfig
from mars2.core.errors import ConfigError
from mars2.core.events import Listener, Note
from mars2.jobs import train as job
from mars2.recipes import FOLDER
from mars2.store.run_store import RunStore
from mars2.store.schema import FILE_NAME

CONFIG = FOLDER / "lab_heter.yaml"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[RunConfig]:
    """Configurations of the runs that were begun or gone on with."""
    configs: list[RunConfig] = []

    async def record(config: RunConfig, folder: Path, store: RunStore, on_event: Listener) -> dict[str, Any]:
        configs.append(config)
        return {"team": {}, "agents": {}}

    monkeypatch.setattr(job, "_work", record)
    return configs


def train(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["train", *map(str, arguments), "--json"])


def test_resume_starts_a_run_that_is_not_there_and_goes_on_with_one_that_is(
    tmp_path: Path, started: list[RunConfig]
) -> None:
    out = tmp_path / "run"
    assert train(CONFIG, "--out", out, "--resume").exit_code == 0
    with RunStore.open(out) as store:
        store.hear(Note("mark", {}))
    assert train(CONFIG, "--out", out, "--resume", "--set", "training.steps=40").exit_code == 0
    assert train(out, "--resume").exit_code == 0
    with RunStore.open(out, read_only=True) as store:
        assert store.events("mark"), "the same run"
    assert [c.training.steps for c in started if c.training] == [30, 40, 30]


def test_a_run_killed_while_its_file_was_made_is_started(tmp_path: Path, started: list[RunConfig]) -> None:
    (tmp_path / FILE_NAME).touch()
    assert train(CONFIG, "--out", tmp_path, "--resume").exit_code == 0
    assert len(started) == 1


def test_without_resume_an_older_run_is_not_touched(tmp_path: Path, started: list[RunConfig]) -> None:
    assert train(CONFIG, "--out", tmp_path / "run").exit_code == 0
    again = train(CONFIG, "--out", tmp_path / "run")
    assert isinstance(again.exception, ConfigError)
    assert "--resume" in str(again.exception)
    assert train(CONFIG, "--out", tmp_path / "run", "--fresh").exit_code == 0
    assert (tmp_path / "run.old-1" / FILE_NAME).is_file()


@pytest.mark.parametrize(
    ("override", "is_free"),
    [
        ("training.steps=31", True),
        ("training.keep_checkpoints=9", True),
        ("training.max_rounds_without_samples=3", True),
        ("tracking=[trackio]", True),
        ("training.optimizer.micro_batch_tokens=64", True),
        ("rollout.trees_in_flight=3", True),
        ("sandbox.workers=1", True),
        ("evaluation.num_problems=3", True),
        ("training.evaluate_every=5", False),
        ("training.max_staleness=3", False),
        ("paradigm=homo", False),
        ("seed=1", False),
    ],
)
def test_what_a_resumed_run_may_change(tmp_path: Path, started: list[RunConfig], override: str, is_free: bool) -> None:
    assert train(CONFIG, "--out", tmp_path / "run").exit_code == 0
    again = train(CONFIG, "--out", tmp_path / "run", "--resume", "--set", override)
    if is_free:
        assert again.exit_code == 0
    else:
        assert isinstance(again.exception, ConfigError)
        assert "differs from what the run" in str(again.exception)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("training.evaluate_every=-1", "training.evaluate_every: must be >= 0, got -1"),
        ("training.evaluate_problems=0", "training.evaluate_problems: must be >= 1, got 0"),
        ("training.max_rounds_without_samples=0", "training.max_rounds_without_samples: must be >= 1, got 0"),
        ("training.evaluate_each=5", 'training.evaluate_each: unknown key; did you mean "evaluate_every"?'),
        ("tracking=wandb", "tracking: input should be"),
        ("tracking=[mlflow]", "tracking[0]: must be one of"),
        ("paradigm=multi", "paradigm: must be one of"),
        ("evaluation.search={strategy: best}", "evaluation.search.strategy: must be one of"),
    ],
)
def test_a_bad_value_names_key_and_value(tmp_path: Path, started: list[RunConfig], override: str, words: str) -> None:
    done = train(CONFIG, "--out", tmp_path / "run", "--set", override)
    assert isinstance(done.exception, ConfigError)
    assert words in str(done.exception)
    assert "\n" not in str(done.exception)
    assert not started


def test_more_held_out_problems_than_there_are(tmp_path: Path) -> None:
    from mars2 import build
    from mars2.config.load import load_config

    few = ["problems.num_train=20", "training.evaluate_every=5"]
    config = load_config(CONFIG, [*few, "training.evaluate_problems=20"])
    assert config.training
    with pytest.raises(ConfigError, match=r"training\.evaluate_problems must be < the 20 training problems, got 20"):
        build.training._split(build.build_problems(config, "train"), config.training)  # type: ignore[attr-defined]
    config = load_config(CONFIG, [*few, "training.evaluate_problems=8"])
    assert config.training
    trained, held_out = build.training._split(build.build_problems(config, "train"), config.training)  # type: ignore[attr-defined]
    assert (len(trained), len(held_out)) == (12, 8)
    assert not {p.id for p in trained} & {p.id for p in held_out}


def test_a_run_without_evaluations_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """Its summary has no scores: `evaluation.before` and `evaluation.after` are false."""
    print_scores({"seed": 0, "wall_s": 1.0})
    assert "not evaluated" in capsys.readouterr().err
