"""Trains a team: evaluate, train, evaluate again, sum up; resumable at every point."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from mars2 import build
from mars2.config.resume import changed_keys
from mars2.config.run import RunConfig
from mars2.core.errors import ConfigError
from mars2.core.events import Listener, Note, nobody
from mars2.core.files import write_json
from mars2.core.serial import tree_hash
from mars2.jobs.options import ConfigLike
from mars2.jobs.run_folder import RUNS, commit, is_begun, open_run, open_store, set_aside
from mars2.jobs.running import blocking, job, off_the_loop
from mars2.jobs.team import load_models, load_team, read_config
from mars2.jobs.training import TrainingResult
from mars2.reports import write_report
from mars2.runs.measuring.summary import summarise
from mars2.runs.recorder import Recorder
from mars2.runs.training.experiment import Experiment, peak_memory_mib
from mars2.store.run_store import RunStore


@job
async def train_async(
    config: ConfigLike,
    *,
    settings: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    fresh: bool = False,
    on_event: Listener = nobody,
) -> TrainingResult:
    """Train a team as a configuration says.

    Args:
        config: a recipe's name, a file, its content, or a configuration that was loaded; with `resume` also the folder
            of a run.
        settings: dotted keys of the configuration → values, such as {"training.steps": 10}.
        out: the run's folder; None: ``runs/NAME`` in the current folder, NAME being the configuration's.
        resume: go on with the run in that folder; start it if there is none.
        fresh: set an older run in that folder aside and start anew.
        on_event: called with each `mars2.Event` as it happens.

    Raises:
        ConfigError: names the option, its value and the remedy.
        Mars2Error: why training cannot go on.
    """
    found, folder = train_setup(config, settings=settings, out=out, resume=resume)
    return await run_training(found, folder, resume=resume, fresh=fresh, on_event=on_event)


train = blocking(train_async)


def train_setup(
    config: ConfigLike,
    *,
    settings: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    resume: bool = False,
) -> tuple[RunConfig, Path]:
    """The configuration of a run, checked, and its folder; arguments as those of `train_async`.

    Raises:
        ConfigError: names the key, its value and the remedy.
    """
    if resume and isinstance(config, (str, Path)) and is_begun(Path(config)):
        out = config
        with open_store(Path(config)) as store:
            config = dict(store.config)
    found = read_config(config, settings)
    if found.training is None:
        where = config if isinstance(config, (str, Path)) else found.name
        raise ConfigError(f"training: missing in {where}; add a training section, or use mars2 evaluate")
    return found, Path(out or RUNS / found.name)


@job
async def run_training(
    config: RunConfig, folder: Path, *, resume: bool = False, fresh: bool = False, on_event: Listener = nobody
) -> TrainingResult:
    """`train_async` for a configuration that is checked. A cancelled run writes a checkpoint and can be resumed."""
    with _begin(config, folder, resume=resume, fresh=fresh, on_event=on_event) as store:
        summary = await _work(config, folder, store, on_event)
    return TrainingResult(summary, folder)


async def _work(config: RunConfig, folder: Path, store: RunStore, on_event: Listener) -> dict[str, Any]:
    """Everything between opening the store and the result: the summary."""
    started = time.monotonic()
    trackers = build.build_trackers(config, folder)
    recorder = Recorder(store)
    recorder.note("run_started", name=config.name, commit=commit(), seed=config.seed)
    models = await load_models(config, hear=on_event)
    learners = await off_the_loop(lambda _: build.build_learners(config, models))
    with ExitStack() as stack:
        recorder.listeners += [on_event, *(stack.enter_context(tracker).hear for tracker in trackers)]
        team = await load_team(config, models)
        try:
            memory = build.build_memory(store, recorder)
            problems = build.build_problems_to_measure(config)
            wanted = {"before": config.evaluation.before, "after": config.evaluation.after}
            experiment = Experiment(
                evaluations={
                    label: build.build_training_evaluation(config, team, problems, memory, label)
                    for label, is_wanted in wanted.items()
                    if is_wanted
                },
                agents=list(config.agents),
                trainer=build.build_trainer(config, team, learners, recorder, folder),
                recorder=recorder,
            )
            figures = await experiment.run()
        finally:
            recorder.note("sandbox", **team.sandbox_facts())
            await team.close()
    summary = summarise(
        figures,
        wall_s=round(time.monotonic() - started, 1),
        peak_mib=round(peak_memory_mib(), 1),
        tree_hash=tree_hash(stored.tree for stored in store.iter_trees(finished_only=True)),
        commit=commit(),
        seed=config.seed,
        run=str(folder),
    )
    write_json(folder / "summary.json", summary)
    recorder.note("run_finished", wall_s=summary["wall_s"], tree_hash=summary["tree_hash"])
    write_report(folder, store)
    return summary


def _begin(config: RunConfig, folder: Path, *, resume: bool, fresh: bool, on_event: Listener) -> RunStore:
    """The store of a new run, or of the one to go on with.

    Raises:
        ConfigError: there is a run already and nobody said what becomes of it, or it was started differently.
    """
    if resume and is_begun(folder):
        store, saved = open_run(folder, read_only=False)
        try:
            _refuse_other_config(config, saved, folder)
        except BaseException:
            store.close()
            raise
        return store
    if resume:
        on_event(Note("nothing_to_resume", {"folder": str(folder)}))
    elif folder.exists() and any(folder.iterdir()):
        if not fresh:
            raise ConfigError(
                f"out: {folder} exists; go on with it by resume=True (--resume), set it aside by fresh=True (--fresh), "
                "or give another folder"
            )
        on_event(Note("set_aside", {"what": "run", "folder": str(set_aside(folder))}))
    build.check_installed(config)  # before a folder is made
    return build.create_store(folder, config)


def _has_moved(key: str, saved: RunConfig, settings: RunConfig) -> bool:
    """Whether a key names a model whose folder is gone, and another folder; the learner asks whether it is the same."""
    match key.split("."):
        case ["policies", name, "model"]:
            old, new = Path(saved.policies[name].named_after), Path(settings.policies[name].named_after)
            return old.is_absolute() and not old.exists() and new.is_dir()
        case _:
            return False


def _refuse_other_config(settings: RunConfig, saved: RunConfig, folder: Path) -> None:
    """A resumed run may be made longer, saved and tracked otherwise, and nothing else."""
    changed = [key for key in changed_keys(saved, settings, "train") if not _has_moved(key, saved, settings)]
    if changed:
        raise ConfigError(
            f"{changed[0]}: differs from what the run in {folder} was started with; use the same configuration, or "
            "give another folder as out (--out)"
        )
