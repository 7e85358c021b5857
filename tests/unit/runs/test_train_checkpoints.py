"""Checkpoints: everything that is needed to go on comes back, the newest is found, the best is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mars2.core.sample import TrainingSample
from mars2.learners.recording import RecordingLearner
from mars2.runs.training.buffer import PolicyBuffer
from mars2.runs.training.checkpoints import Checkpoints, Progress

SAMPLE = TrainingSample(
    key="train/000000/0",
    tree_id="train/000000",
    node_id=0,
    agent="a",
    policy="p",
    policy_version=3,
    prompt_ids=(1, 2),
    output_ids=(3,),
    rollout_logprobs=(-0.5,),
    reward=1.0,
    shaped=1.25,
    advantage=-0.75,
)
POSITION = {"endings": 5, "metrics": 6, "samples": 7}


def buffers(*samples: TrainingSample) -> dict[str, PolicyBuffer]:
    buffer = PolicyBuffer("p", batch_samples=8, max_staleness=1)
    buffer.add(samples)
    return {"p": buffer}


def write(checkpoints: Checkpoints, progress: Progress) -> Path:
    learners = {"p": RecordingLearner("p")}
    return checkpoints.write(checkpoints.state(progress, buffers(), learners, store_position=POSITION), learners)


def test_progress_buffers_learners_and_the_stores_position_come_back(tmp_path: Path) -> None:
    progress = Progress(
        next_tree=9,
        unfinished=[7, 8],
        rounds=4,
        wall_s=12.5,
        validated=3,
        best=0.25,
        is_best=True,
        credit={"a": 0.5},
    )
    assert all(getattr(progress, name) != getattr(Progress(), name) for name in Progress.__slots__)
    learners = {"p": RecordingLearner("p")}
    learners["p"].step([SAMPLE])
    full = buffers(SAMPLE, replace(SAMPLE, key="train/000000/1", node_id=1))
    checkpoints = Checkpoints(tmp_path, keep=2)
    state = checkpoints.state(progress, full, learners, store_position=POSITION)
    folder = checkpoints.write(state, learners)
    empty, fresh = buffers(), {"p": RecordingLearner("p")}
    assert Checkpoints(tmp_path, keep=2).restore(folder, empty, fresh) == (progress, POSITION)
    assert empty["p"].samples == full["p"].samples
    assert fresh["p"].version == 1


def test_a_state_does_not_change_with_the_training_that_goes_on(tmp_path: Path) -> None:
    progress, full, position = Progress(unfinished=[1]), buffers(SAMPLE), dict(POSITION)
    state = Checkpoints(tmp_path, keep=2).state(progress, full, {}, store_position=position)
    progress.unfinished.append(2)
    full["p"].add([SAMPLE])
    position["endings"] = 99
    assert (state["unfinished"], len(state["buffers"]["p"]), state["store_position"]) == ([1], 1, POSITION)


def test_the_newest_is_the_last_written_also_beyond_ten_of_one_round(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep=20)
    assert checkpoints.latest() is None
    written = [write(checkpoints, Progress(rounds=3)) for _ in range(12)]
    assert [path.name for path in written[:3]] == ["00000003", "00000003.1", "00000003.2"]
    assert checkpoints.latest() == written[-1]
    assert checkpoints.latest() != write(checkpoints, Progress(rounds=10)) == checkpoints.latest()


@pytest.mark.parametrize("keep", [1, 3])
def test_the_newest_and_the_best_are_kept(tmp_path: Path, keep: int) -> None:
    checkpoints = Checkpoints(tmp_path, keep=keep)
    assert checkpoints.best() is None
    written = [write(checkpoints, Progress(rounds=i, is_best=i == 2)) for i in range(8)]
    kept = {path for path in tmp_path.iterdir() if not path.is_symlink()}
    assert kept == {written[2], *written[-keep:]}
    best = checkpoints.best()
    assert best is not None
    assert best.samefile(written[2])


def test_a_best_checkpoint_is_marked_again_if_the_process_died_before_its_mark(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep=5)
    plain, best = write(checkpoints, Progress(rounds=1)), write(checkpoints, Progress(rounds=2, is_best=True))
    (tmp_path / "best").unlink()
    checkpoints.restore(plain, buffers(), {"p": RecordingLearner("p")})
    assert checkpoints.best() is None
    checkpoints.restore(best, buffers(), {"p": RecordingLearner("p")})
    assert (tmp_path / "best").readlink() == Path(best.name)
