"""``mars2 train``: evaluate, train, evaluate again, report."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from mars2.cli.output import print_json, run_async, say, stderr, stdout, summary_table
from mars2.cli.progress import LiveView, warm_start_progress
from mars2.config.load import load_config, parse_config
from mars2.config.run import RunConfig
from mars2.core.errors import ConfigError
from mars2.jobs.run_folder import RUNS, commit, is_begun, open_run, set_aside

HELP = """Train a team as a configuration says: evaluate, train, evaluate again, write the report.

Examples:

    mars2 train quickstart

    mars2 train quickstart --set training.steps=10 --out runs/short

    mars2 train quickstart --resume      (after Ctrl-C or a crash)

    mars2 train lab_heter --set paradigm=homo      (or heter, single, grpo)
"""


def register(app: typer.Typer) -> None:
    app.command(help=HELP)(train)


def train(
    config: Annotated[
        Path, typer.Argument(help="A YAML configuration, a recipe's name, or with --resume the folder of a run.")
    ],
    set_: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE, for example training.steps=10.")] = None,
    out: Annotated[Path | None, typer.Option(help="The run's folder; default: runs/NAME.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run; start it if there is none.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Set an older run of this name aside and start anew.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON on stdout.")] = False,
) -> None:
    from mars2.build import check_installed
    from mars2.store.run_store import RunStore

    if resume and is_begun(config):
        out, settings = config, parse_config(_saved(config), set_ or ())
    else:
        settings = load_config(config, set_ or ())
    if settings.training is None:
        raise ConfigError(f"training: missing in {config}; add a training section, or use mars2 evaluate")
    folder = out or RUNS / settings.name
    if resume and is_begun(folder):
        store, saved = open_run(folder, read_only=False)
        _refuse_other_config(settings, saved, folder)
    else:
        if resume:
            say(f"no run in {folder} yet: starting it")
        elif folder.exists() and any(folder.iterdir()):
            if not fresh:
                raise ConfigError(
                    f"run folder {folder} exists; use --resume to go on with it, --fresh to set it aside and start "
                    "anew, or --out FOLDER"
                )
            say(f"older run set aside: {set_aside(folder)}")
        check_installed(settings)  # before a folder is made
        store = RunStore.create(folder, config=settings.as_dict())
    with store:
        summary = _run(settings, folder, store)
    if as_json:
        print_json(summary)
        return
    stdout.print(summary_table(summary))
    stdout.print(f"tree hash {summary['tree_hash']}")
    stdout.print(f"{summary['wall_s']:.0f} s, peak memory {summary['peak_mib']:.0f} MiB")
    stdout.print(f"summary: {folder / 'summary.json'}", soft_wrap=True)
    stdout.print(f"report:  {folder / 'report.html'}", soft_wrap=True)


def _run(config: RunConfig, folder: Path, store: Any) -> dict[str, Any]:
    """Everything between opening the store and printing the table."""
    from mars2 import build
    from mars2.core.serial import tree_hash
    from mars2.reports import write_report
    from mars2.runs.measuring.summary import summarise
    from mars2.runs.recorder import Recorder
    from mars2.runs.training.experiment import Experiment, peak_memory_mib

    started = time.monotonic()
    trackers = build.build_trackers(config, folder)
    recorder = Recorder(store)
    recorder.event("run_started", name=config.name, commit=commit(), seed=config.seed)
    models = build.resolve_models(config, progress=warm_start_progress())
    learners = build.build_learners(config, models)
    policy_of_agent = {name: agent.policy for name, agent in config.agents.items()}

    async def work() -> Any:
        team = build.build_team(config, models)
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
            with _sigterm_as_interrupt():
                return await experiment.run()
        finally:
            recorder.event("sandbox", **team.sandbox_facts())
            await team.close()

    with ExitStack() as open_trackers:
        view = LiveView(stderr, policy_of_agent=policy_of_agent)
        recorder.listeners += [view, *map(open_trackers.enter_context, trackers)]
        with view:
            evaluations = run_async(work(), when_interrupted=f"interrupted; go on with: mars2 train {folder} --resume")
    summary = summarise(
        evaluations,
        wall_s=round(time.monotonic() - started, 1),
        peak_mib=round(peak_memory_mib(), 1),
        tree_hash=tree_hash(stored.tree for stored in store.iter_trees(finished_only=True)),
        commit=commit(),
        seed=config.seed,
        run=str(folder),
    )
    (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    recorder.event("run_finished", wall_s=summary["wall_s"], tree_hash=summary["tree_hash"])
    write_report(folder, store)
    return summary


def _saved(folder: Path) -> dict[str, Any]:
    from mars2.store.run_store import RunStore

    with RunStore.open(folder, read_only=True) as store:
        return dict(store.config)


def _refuse_other_config(settings: RunConfig, saved: RunConfig, folder: Path) -> None:
    """A resumed run may be made longer, saved and tracked otherwise, and nothing else."""
    free = ("steps", "checkpoint_every", "keep_checkpoints", "max_rounds_without_samples")
    old, new = saved.as_dict(), settings.as_dict()
    for data in (old, new):
        data["training"] = {k: v for k, v in data["training"].items() if k not in free}
        del data["tracking"]
    changed = [key for key in new if new[key] != old.get(key)]
    if changed:
        raise ConfigError(
            f"{changed[0]}: differs from what the run in {folder} was started with; use the same configuration, or "
            "start another run with --out"
        )


@contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """SIGTERM ends a run as Ctrl-C does: with a checkpoint."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
