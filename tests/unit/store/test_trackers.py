"""W&B and trackio: the real packages, offline, where they are installed; else a stand-in for their few functions."""

from __future__ import annotations

import importlib.util
import json
import sqlite3
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mars2 import build
from mars2.config.load import load_config
from mars2.core.errors import ConfigError, MissingPackage
from mars2.core.events import Metrics, Note
from mars2.recipes import FOLDER
from mars2.store.tensorboard import TensorBoardListener
from mars2.store.trackio_tracker import TrackioTracker
from mars2.store.wandb_tracker import WandbTracker, run_id

CONFIGS = FOLDER


def log_two_rounds(tracker: Any) -> None:
    with tracker as open_tracker:
        for step in (1, 2):
            open_tracker.hear(Metrics(step, "run", {"team_pass_rate": 0.25 * step}))
            open_tracker.hear(Metrics(step, "policy/a", {"kl": 0.5 * step}))
        open_tracker.hear(Note("alarm", {"text": "KL ran away"}))
        open_tracker.hear(Note("checkpoint", {"folder": "00000002"}))


class FakePackage(SimpleNamespace):
    """Records calls of whatever function it is asked for; `init` returns it as the run."""

    def __init__(self) -> None:
        super().__init__(calls=[])

    def __getattr__(self, name: str) -> Any:
        def record(*args: Any, **options: Any) -> Any:
            self.calls.append((name, args, options))
            return self

        return record

    def named(self, name: str) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
        return [(args, options) for n, args, options in self.calls if n == name]


def test_wandb_gets_each_round_once_and_goes_on_with_a_resumed_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = FakePackage()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    for _ in range(2):
        log_two_rounds(WandbTracker(tmp_path / "run", name="lab", config={"seed": 0}))
    first, second = (options for _, options in fake.named("init"))
    assert first["id"] == second["id"] == run_id(tmp_path / "run") != run_id(tmp_path / "other")
    assert (first["project"], first["name"], first["resume"]) == ("lab", "run", "allow")
    logged = [args[0] for args, _ in fake.named("log")]
    assert logged[0] == {"round": 1, "run/team_pass_rate": 0.25}
    assert logged[3] == {"round": 2, "policy/a/kl": 1.0}
    assert fake.named("alert")[0][1]["text"] == "KL ran away"
    assert [options for _, options in fake.named("finish")] == [{"exit_code": 0}, {"exit_code": 0}]


def test_trackio_gets_each_round_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = FakePackage()
    monkeypatch.setitem(sys.modules, "trackio", fake)
    log_two_rounds(TrackioTracker(tmp_path / "run", name="lab", config={"seed": 0}))
    assert fake.named("init")[0][1]["name"] == "run"
    assert fake.named("log")[1] == (({"policy/a/kl": 0.5},), {"step": 1})
    assert len(fake.named("finish")) == 1


@pytest.mark.parametrize("kind", ["wandb", "trackio"])
def test_a_missing_package_is_one_line_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    monkeypatch.setitem(sys.modules, kind, None)
    config = load_config(CONFIGS / "lab_heter.yaml", [f"tracking=[{kind}]"])
    with pytest.raises(
        MissingPackage, match=rf"tracking: {kind} is not installed; pip install 'mars2\[{kind}\]'"
    ) as error:
        build.build_trackers(config, tmp_path)
    assert "\n" not in str(error.value)


def test_tensorboard_is_always_there_and_the_key_chooses_the_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", FakePackage())
    monkeypatch.setitem(sys.modules, "trackio", FakePackage())

    def kinds(*overrides: str) -> list[type]:
        return [type(t) for t in build.build_trackers(load_config(CONFIGS / "lab_heter.yaml", overrides), tmp_path)]

    assert kinds() == [TensorBoardListener]
    assert kinds("tracking=[trackio, wandb]") == [TensorBoardListener, TrackioTracker, WandbTracker]
    with pytest.raises(ConfigError, match="tracking"):
        kinds("tracking=[mlflow]")


def test_tensorboard_shows_what_a_resumed_run_does_again_once(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with TensorBoardListener(tmp_path) as board:
        for step in (1, 2, 3):
            board.hear(Metrics(step, "run", {"pass": 0.1 * step}))
    with TensorBoardListener(tmp_path) as board:  # killed after round 3, resumed from round 1
        board.hear(Note("resumed", {"checkpoint": "00000001", "step": 1}))
        for step in (2, 3):
            board.hear(Metrics(step, "run", {"pass": 0.5 * step}))
    found = EventAccumulator(str(tmp_path)).Reload().Scalars("run/pass")
    assert [(s.step, pytest.approx(s.value)) for s in found] == [(1, 0.1), (2, 1.0), (3, 1.5)]


@pytest.mark.slow
def test_real_wandb_offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    for _ in range(2):
        log_two_rounds(WandbTracker(tmp_path / "run", name="lab", config={"seed": 0}))
    files = list((tmp_path / "run" / "wandb").glob(f"offline-run-*/run-{run_id(tmp_path / 'run')}.wandb"))
    assert files
    assert any(b"team_pass_rate" in f.read_bytes() for f in files)


@pytest.mark.slow
def test_real_trackio(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if importlib.util.find_spec("trackio") is None:
        pytest.skip("trackio is not installed")
    for name in [m for m in sys.modules if m.split(".")[0] == "trackio"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    log_two_rounds(TrackioTracker(tmp_path / "run", name="lab", config={"seed": 0}))
    (database,) = (tmp_path / "trackio").rglob("lab*.db")
    with sqlite3.connect(database) as db:
        rows = db.execute("SELECT step, metrics FROM metrics ORDER BY id").fetchall()
    logged = {(step, json.dumps(json.loads(metrics), sort_keys=True)) for step, metrics in rows}
    assert (2, '{"policy/a/kl": 1.0}') in logged
    assert len(logged) == 4
