"""``mars2 evaluate``: problems × strategies × budgets × seeds; how often is the answer right, and at what cost?"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from mars2.cli.output import print_json, run_async, say, stderr, stdout
from mars2.cli.progress import LiveView
from mars2.config.load import load_config, parse_config
from mars2.config.run import RunConfig
from mars2.core.errors import BackendError, ConfigError
from mars2.jobs.run_folder import RUNS, commit, is_run, latest_checkpoint, open_run, open_store, set_aside
from mars2.jobs.team import find_team
from mars2.recipes import all_recipes

HELP = """Measure a team on problems: Pass@1, Pass@1(MCTS) and Pass@N at every budget on the way, tokens and seconds.

TARGET is a configuration file or a recipe (models as they are), the folder of a run (its newest trained weights), or,
with a team given by --agents, --config or --run, a problem set: `humaneval`, `mbpp:FILE`, `livecodebench:FILE`, a file
or a folder.

One tree of 64 nodes gives the figures for 1, 2, 4 … 64. Interrupted, or to be grown by more problems, strategies,
seeds or nodes: the same command with --resume and the same --out goes on; nothing is generated twice. Exit code 1 if
every call to a model failed.

Examples:

    mars2 evaluate runs/quickstart

    mars2 evaluate quickstart --budget 16 --limit 50 --strategies ab_mcts,best_of_n --seeds 3 --json

    mars2 evaluate humaneval --agents Qwen/Qwen2.5-Coder-0.5B-Instruct --limit 40 --strategies best_of_n,ab_mcts
"""

GROWABLE = ("name", "threads", "problems", "search", "training", "evaluation")
"""Sections that may differ between an evaluation's start and its --resume. Strategies are checked one by one."""

GROWABLE_KEYS = {
    "rollout": ("max_nodes", "trees_in_flight", "lockstep"),
    "sandbox": ("workers",),
}


def register(app: typer.Typer) -> None:
    app.command(help=HELP)(evaluate)


def evaluate(
    target: Annotated[str, typer.Argument(help="A configuration, a recipe, a run, or with a team a problem set.")],
    agents: Annotated[
        str | None,
        typer.Option(help="The team: comma-separated models, each a folder or Hugging Face id, or NAME=MODEL."),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Take the team from a configuration file or a recipe.")] = None,
    run: Annotated[Path | None, typer.Option(help="Take the trained team of a run.")] = None,
    problems: Annotated[
        str | None, typer.Option(help="Other problems than configured: a file, a folder, humaneval, mbpp:FILE.")
    ] = None,
    strategies: Annotated[
        str | None, typer.Option(help="Comma-separated, such as best_of_n,refine_best,treequest:ABMCTSA,ab_mcts.")
    ] = None,
    budget: Annotated[int | None, typer.Option(help="Nodes per tree.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Trees per problem and strategy.")] = None,
    limit: Annotated[
        int | None, typer.Option(help="Only so many problems, drawn at random, fixed by the seed.")
    ] = None,
    alone: Annotated[
        bool | None, typer.Option("--alone/--no-alone", help="Also trees of each agent alone, where there are several.")
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Longest answer, in tokens.")] = None,
    parallel: Annotated[int | None, typer.Option(help="Trees growing at once.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE, for example seed=1.")] = None,
    out: Annotated[Path | None, typer.Option(help="The folder; default: runs/NAME-evaluation.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an evaluation, or grow a finished one.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")] = False,
) -> None:
    settings, trained = _team_and_problems(target, agents, config, run, problems, set_ or ())
    overrides = {
        "rollout.max_nodes": budget,
        "rollout.trees_in_flight": parallel,
        "evaluation.num_problems": limit,
        "evaluation.seeds": seeds,
        "evaluation.per_agent_trees": alone,
    }
    data = settings.as_dict()
    if strategies is not None:
        names = [name.strip() for name in strategies.split(",") if name.strip()]
        if not names:
            raise ConfigError(f"--strategies: names none, got {strategies!r}; for example best_of_n,ab_mcts")
        data["evaluation"]["strategies"] = names
    if max_tokens is not None:
        data["sampling"]["max_tokens"] = max_tokens
        for agent in data["agents"].values():
            if agent["sampling"] is not None:
                agent["sampling"]["max_tokens"] = max_tokens
    given = [f"{key}={json.dumps(value)}" for key, value in overrides.items() if value is not None]
    settings = parse_config(data, given)
    folder = out or RUNS / f"{settings.name}-evaluation"
    summary = _evaluate(settings, folder, trained, resume=resume)
    if as_json:
        print_json(summary)
    else:
        _print(summary, folder)
    if summary["failed_calls"] and not any(used["num_nodes"] for used in summary["usage"].values()):
        raise BackendError(f"no program was written: all {summary['failed_calls']} calls failed: {_an_error(folder)}")


def _an_error(folder: Path) -> str:
    """What one of the failed calls said."""
    with open_store(folder) as store:
        return next(failure.error for stored in store.iter_trees() for failure in stored.tree.failures)


def _print(summary: Mapping[str, Any], folder: Path) -> None:
    from mars2.cli.comparison_table import print_comparison

    print_comparison(stdout, summary)
    if summary["failed_calls"]:
        say(f"{summary['failed_calls']} calls to backends failed")
    if summary["num_problems_of_reward_model"]:
        say(
            f"the reward model was trained on hidden verdicts of {summary['num_problems_of_reward_model']} of these "
            f"{summary['n_problems']} problems: figures that it guides are too good; evaluate on others, or train one "
            "on other trees (phase)"
        )
    say(f"tables: {folder / 'results.csv'}, {folder / 'differences.csv'}, {folder / 'problems.csv'}")
    say(f"report: {folder / 'report.html'}")


def _team_and_problems(
    target: str,
    agents: str | None,
    config: Path | None,
    run: Path | None,
    problems: str | None,
    overrides: list[str] | tuple[str, ...],
) -> tuple[RunConfig, Path | None]:
    """The team, the problems, and the checkpoint to take weights from (None: the models as they are)."""
    if agents is not None or config is not None or run is not None:
        if problems is not None:
            raise ConfigError(f"--problems: the problems are TARGET already, got {target} and {problems}; give one")
        found = find_team(agents, config, run)
        settings, trained = found.config, found.trained
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(target.split(":")[0]).name).strip("-._") or "problems"
        data: dict[str, Any] = settings.as_dict() | {"name": name}
        if agents is not None:
            data["rollout"] |= {"lockstep": False}  # whole batches; the trees do not depend on timing
        problems = target
    elif is_run(Path(target)):
        store, settings = open_run(Path(target))
        store.close()
        trained, data = latest_checkpoint(Path(target)), settings.as_dict()
    else:
        if not Path(target).is_file() and not target.endswith((".yaml", ".yml")) and target not in all_recipes():
            raise ConfigError(
                f"TARGET: {target} is no configuration file, no recipe (mars2 recipes lists them) and no folder of a "
                "run; if it names problems, give the team with --agents, --config or --run"
            )
        trained, data = None, load_config(Path(target), overrides).as_dict()
        overrides = ()
    if problems is not None:
        data |= {"problems": {"kind": "reference", "test": problems}, "training": None}
    return parse_config(data, overrides), trained


def _evaluate(config: RunConfig, folder: Path, trained: Path | None, *, resume: bool) -> dict[str, Any]:
    from mars2 import build
    from mars2.core.usage import usage_by_agent
    from mars2.reports import write_report
    from mars2.reports.tables import write_csv
    from mars2.runs.measuring.results import problem_rows
    from mars2.runs.measuring.summary import summarise_comparison
    from mars2.runs.recorder import Recorder
    from mars2.store.run_store import RunStore

    started = time.monotonic()
    strategies = build.build_strategies(config)
    for search in strategies.values():
        build.build_search(search, list(config.agents))  # a mistake in a strategy is found before models are loaded
    problems = build.build_problems_to_measure(config)
    checkpoint = str(trained) if trained else None
    sections = {name: search.as_dict() for name, search in strategies.items()}
    goes_on = resume and RunStore.exists(folder)
    if goes_on:
        store = RunStore.open(folder)
        try:
            _refuse_others(store, config, checkpoint, sections, problems, folder)
        except BaseException:
            store.close()
            raise
    else:
        if RunStore.exists(folder):
            say(f"older evaluation set aside: {set_aside(folder)}")
        build.check_installed(config)  # before a folder is made
        store = RunStore.create(folder, config=config.as_dict())
    models = build.resolve_models(config, trained=trained)

    async def work() -> Any:
        team = build.build_team(config, models)
        try:
            evaluation = build.build_evaluation(config, team, problems, build.build_memory(store, recorder))
            recorder.event(
                "evaluation_started", label=config.name, num_nodes=evaluation.num_nodes, num_done=evaluation.num_done
            )
            trained_on = team.guide.trained_on if team.guide else frozenset[str]()
            return await evaluation.run(), sum(p.id in trained_on for p in problems)
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
            evaluation=config.evaluation.as_dict(),
            max_nodes=config.rollout.max_nodes,
        )
        store.put_state("strategies", {**(store.get_state("strategies") or {}), **sections})
        for problem in problems:
            store.save_problem(problem)
        with view:
            results, num_seen = run_async(
                work(), when_interrupted="interrupted; the same command with --resume goes on"
            )
        summary = summarise_comparison(
            results,
            agents=list(config.agents),
            wall_s=round(time.monotonic() - started, 1),
            commit=commit(),
            seed=config.seed,
            run=str(folder),
            usage={name: asdict(total) for name, total in usage_by_agent(s.tree for s in store.iter_trees()).items()},
            num_problems_of_reward_model=num_seen,
        )
        write_csv(folder / "results.csv", summary["results"])
        write_csv(folder / "differences.csv", [_named_sides(row) for row in summary["differences"]])
        write_csv(folder / "problems.csv", problem_rows(results.reported))
        shown = ("n_problems", "n_seeds", "budget", "first_attempts", "results", "differences")
        recorder.event("comparison", **{name: summary[name] for name in shown})
        (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
        recorder.event("run_finished", wall_s=summary["wall_s"])
        write_report(folder, store)
    return summary


def _named_sides(row: Mapping[str, Any]) -> dict[str, Any]:
    """A difference with one column per name."""
    first, second = (dict(zip((side, f"{side}_who"), row[side], strict=True)) for side in ("first", "second"))
    return {**first, **second, **{k: v for k, v in row.items() if k not in ("first", "second")}}


def _refuse_others(
    store: Any,
    config: RunConfig,
    checkpoint: str | None,
    sections: Mapping[str, Mapping[str, Any]],
    problems: Any,
    folder: Path,
) -> None:
    """Trees of different models, sampling, limits, … must not end up in one table.

    Raises:
        ConfigError: names the first key that differs.
    """
    remedy = f"use the settings that {folder} was started with, or another --out"
    recorded = parse_config(dict(store.config))  # keys that came later have their defaults
    old, new = _fixed(recorded.as_dict()), _fixed(config.as_dict())
    for key in sorted({*old, *new}):
        if old.get(key) != new.get(key):
            raise ConfigError(f"{key}: is {new.get(key)!r}, but the evaluation has {old.get(key)!r}; {remedy}")
    before = store.events("run_started")
    if before and before[0].payload["checkpoint"] != checkpoint:
        raise ConfigError(
            f"checkpoint: is {checkpoint}, but the evaluation has {before[0].payload['checkpoint']}; {remedy}"
        )
    known = store.get_state("strategies") or {}
    for name, section in sections.items():
        if name in known and known[name] != section:
            raise ConfigError(f"strategy {name}: is {dict(section)}, but the evaluation has {known[name]}; {remedy}")
    for problem in problems:
        stored = store.problem(problem.id)
        if stored is not None and stored != replace(problem, metadata=stored.metadata):
            raise ConfigError(f"problem {problem.id}: differs from the one evaluated; {remedy}")


def _fixed(data: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted keys that must not change."""
    found: dict[str, Any] = {}
    for key, value in data.items():
        if not prefix and key in GROWABLE:
            continue
        if isinstance(value, dict):
            growable = () if prefix else GROWABLE_KEYS.get(key, ())
            found |= _fixed({k: v for k, v in value.items() if k not in growable}, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found
