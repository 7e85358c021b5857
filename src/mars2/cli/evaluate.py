"""``mars2 evaluate``: Pass@1, Pass@1(MCTS) and Pass@N of a team on held-out problems."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from mars2.cli.output import print_json, run_async, say, stderr, stdout, summary_table
from mars2.cli.progress import LiveView
from mars2.cli.run_folder import RUNS, commit, is_run, latest_checkpoint, open_run, set_aside
from mars2.config import RunConfig, load_config
from mars2.config.load import parse_config
from mars2.core.errors import ConfigError

HELP = """Measure a team on held-out problems: Pass@1 of each agent, Pass@1(MCTS) and Pass@N of trees.

TARGET is a configuration file (models as they are) or the folder of a run (its newest trained weights).

Examples:

    mars2 evaluate runs/quickstart

    mars2 evaluate configs/quickstart.yaml --budget 16 --limit 50 --json

    mars2 evaluate configs/qwen_mbpp.yaml --problems humaneval --limit 20 --set search.strategy=refine_best
"""


def register(app: typer.Typer) -> None:
    app.command(help=HELP)(evaluate)


def evaluate(
    target: Annotated[Path, typer.Argument(help="A configuration file or the folder of a run.")],
    problems: Annotated[
        str | None, typer.Option(help="Other problems than configured: a file, a folder, humaneval, mbpp:FILE.")
    ] = None,
    budget: Annotated[int | None, typer.Option(help="Nodes per tree.")] = None,
    limit: Annotated[int | None, typer.Option(help="Only the first so many problems.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE, for example seed=1.")] = None,
    out: Annotated[Path | None, typer.Option(help="The folder; default: runs/NAME-evaluation.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted evaluation.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")] = False,
) -> None:
    overrides = list(set_ or ())
    if budget is not None:
        overrides.append(f"rollout.max_nodes={budget}")
    if limit is not None:
        overrides.append(f"evaluation.num_problems={limit}")
    trained: Path | None = None
    if is_run(target):
        store, settings = open_run(target)
        store.close()
        trained = latest_checkpoint(target)
        settings = parse_config(settings.as_dict(), overrides)
    else:
        settings = load_config(target, overrides)
    if problems is not None:
        data = settings.as_dict() | {"problems": {"kind": "reference", "test": problems}, "training": None}
        settings = parse_config(data)
    folder = out or RUNS / f"{settings.name}-evaluation"
    summary = _evaluate(settings, folder, trained, resume=resume)
    if as_json:
        print_json(summary)
        return
    stdout.print(summary_table(summary))
    if summary["failed_calls"]:
        say(f"{summary['failed_calls']} calls to backends failed")
    say(f"report: {folder / 'report.html'}")


def _evaluate(config: RunConfig, folder: Path, trained: Path | None, *, resume: bool) -> dict[str, Any]:
    from mars2 import build
    from mars2.reports import write_report
    from mars2.runs.evaluate import PHASE
    from mars2.runs.experiment import summarise
    from mars2.runs.recorder import Recorder
    from mars2.store.run_store import RunStore

    started = time.monotonic()
    problems = build.build_problems(config, "test")
    models = build.resolve_models(config, trained=trained)
    checkpoint = str(trained) if trained else None
    if resume and is_run(folder):
        store = RunStore.open(folder)
        started_with = store.events("run_started")[0].payload["checkpoint"]
        if dict(store.config) != config.as_dict() or started_with != checkpoint:
            store.close()
            raise ConfigError(f"{folder}: was started with another configuration or checkpoint; use --out FOLDER")
    else:
        if is_run(folder):
            say(f"older evaluation set aside: {set_aside(folder)}")
        store = RunStore.create(folder, config=config.as_dict())

    async def work() -> Any:
        team = build.build_team(config, models)
        try:
            evaluator = build.build_evaluator(config, team, recorder, problems)
            recorder.event("evaluation_started", label="evaluation", num_nodes=evaluator.num_nodes)
            done = [stored.tree for stored in store.trees(f"{PHASE}/", finished_only=True)]
            return await evaluator.run("evaluation", done=done)
        finally:
            recorder.event("sandbox", **team.sandbox_facts())
            await team.close()

    with store:
        view = LiveView(stderr, policy_of_agent={})
        recorder = Recorder(store, [view])
        recorder.event(
            "run_started",
            name=f"evaluation of {config.name}",
            commit=commit(),
            seed=config.seed,
            checkpoint=checkpoint,
        )
        for problem in problems:
            store.save_problem(problem)
        with view:
            evaluation = run_async(work(), when_interrupted="interrupted; the same command with --resume goes on")
        summary = summarise(
            {"evaluation": evaluation},
            failed_calls=evaluation.num_failed_calls,
            wall_s=round(time.monotonic() - started, 1),
            commit=commit(),
            run=str(folder),
        )
        (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
        recorder.event("run_finished", wall_s=summary["wall_s"])
        write_report(folder, store)
    return summary
