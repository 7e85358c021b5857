"""What every `Tracker` promises: it hears whatever happens in a run, changes nothing of it, and lets errors through."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from mars2.core.completion import Completion
from mars2.core.events import Cancelled, Chosen, Event, Finished, Held, Metrics, Note, Opened, Told
from mars2.core.protocols import Tracker
from mars2.core.serial import tree_hash
from mars2.core.tree import Failure, Result, Tree
from mars2.core.verdict import Status, TestResult, Verdict
from mars2.store.tensorboard import TensorBoardListener
from mars2.store.trackio_tracker import TrackioTracker
from mars2.store.wandb_tracker import WandbTracker

TRACKERS: dict[str, Callable[[Path], Tracker]] = {
    "tensorboard": TensorBoardListener,
    "wandb": lambda folder: WandbTracker(folder, name="project", config={"seed": 0}),
    "trackio": lambda folder: TrackioTracker(folder, name="project", config={"seed": 0}),
}


@pytest.fixture(params=TRACKERS)
def tracker(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tracker:
    for package in ("wandb", "trackio"):  # stand-ins: nothing is sent anywhere
        monkeypatch.setitem(sys.modules, package, MagicMock())
    return TRACKERS[request.param](tmp_path / "run")


def a_run() -> tuple[Tree, list[Event]]:
    """A tree and one event of each kind."""
    tree = Tree("train/000000", "p")
    first, second = tree.expand(None, "a"), tree.expand(None, "b")
    result = Result(
        prompt=(),
        completion=Completion("x = 1", "stop", "policy", 0),
        program="x = 1",
        public_verdict=Verdict(Status.AC, (TestResult(Status.AC),)),
        hidden_verdict=None,
        score=1.0,
    )
    tree.hold(first, result)
    node = tree.admit(first)
    assert node is not None
    failure = Failure(second.id, "b", 3, True, False, "down")
    tree.cancel(second)
    return tree, [
        Opened(tree, "train", 1),
        Chosen(tree, [first, second]),
        Held(tree, first, result, None),
        Told(tree, node),
        Cancelled(tree, failure),
        Finished(tree, "train", 1, {0: {"reward": 1.0}}),
        Metrics(1, "policy/a", {"loss": 0.5, "kl": float("nan")}),
        Metrics(1, "run", {}),
        Note("alarm", {"text": "KL ran away", "step": 1}),
        Note("resumed", {"checkpoint": "00000001", "step": 1}),
        Note("something new", {}),
    ]


def test_every_event_is_heard_and_the_run_stays_as_it_is(tracker: Tracker) -> None:
    tree, events = a_run()
    before = tree_hash([tree])
    with tracker as opened:
        assert opened is tracker
        for event in events:
            opened.hear(event)
    assert tree_hash([tree]) == before


def test_an_error_of_the_run_goes_through_a_tracker(tracker: Tracker) -> None:
    with pytest.raises(KeyError, match="of the run"), tracker:
        raise KeyError("of the run")
