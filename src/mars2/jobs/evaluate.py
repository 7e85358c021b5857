"""Measures a team: problems × strategies × seeds, at every budget on the way; resumable."""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from mars2 import build
from mars2.config.load import parse_config
from mars2.config.resume import changed_keys
from mars2.config.run import RunConfig
from mars2.core.errors import ConfigError
from mars2.core.events import Listener, Note, nobody
from mars2.core.files import write_json
from mars2.core.problem import Problem
from mars2.core.usage import usage_by_agent
from mars2.jobs.evaluation import EvaluationResult
from mars2.jobs.options import EvaluateOptions, takes
from mars2.jobs.run_folder import commit, is_run, set_aside
from mars2.jobs.running import blocking, job
from mars2.jobs.team import Setup, find_team, load_models, load_team, longest_answer, read_config
from mars2.problems.subset import seeded_subset
from mars2.recipes import all_recipes
from mars2.reports import write_report
from mars2.reports.tables import write_csv
from mars2.runs.measuring.results import problem_rows
from mars2.runs.measuring.summary import summarise_comparison
from mars2.runs.recorder import Recorder
from mars2.store.run_store import RunStore


@job
@takes(EvaluateOptions)
async def evaluate_async(
    target: str | Path | Problem | Sequence[Problem], options: EvaluateOptions
) -> EvaluationResult:
    """Measure a team on problems: Pass@1, Pass@1(MCTS) and Pass@N at every budget on the way, tokens and seconds.

    `target` names problems (a list, one problem, a benchmark, a file or a folder) for the team that `agents`, `config`
    or `run` names; without a team, a configuration, a recipe or the folder of a run, on its own problems.

    Raises:
        ConfigError: names the option, its value and the remedy.
        ProblemError: there are no such problems, or they are malformed.
    """
    given = None if isinstance(target, (str, Path)) else [target] if isinstance(target, Problem) else list(target)
    setup = evaluate_setup(str(target) if given is None else "problems", options)
    out, resume, on_event = options.out, options.resume, options.on_event
    with ExitStack() as stack:
        folder = Path(out or stack.enter_context(tempfile.TemporaryDirectory(prefix="mars2-")))
        result = await run_evaluation(setup, folder, problems=given, resume=resume, on_event=on_event)
    return result if out else replace(result, summary=result.summary | {"run": None}, folder=None)


evaluate = blocking(evaluate_async)


def evaluate_setup(target: str, options: EvaluateOptions) -> Setup:
    """The team and the configuration of an evaluation, checked.

    Raises:
        ConfigError: names the option, its value and the remedy.
    """
    strategies = options.strategies
    if strategies is not None and not strategies:
        raise ConfigError("strategies: names none; for example best_of_n,ab_mcts")
    setup = _team_and_problems(target, options)
    given = {
        "rollout.max_nodes": options.budget,
        "rollout.trees_in_flight": options.parallel,
        "evaluation.num_problems": options.limit,
        "evaluation.seeds": options.seeds,
        "evaluation.per_agent_trees": options.alone,
        "evaluation.strategies": None if strategies is None else list(strategies),
    }
    changes = {key: value for key, value in given.items() if value is not None}
    return setup.changed({}, changes | longest_answer(setup.config, options.max_tokens))


def _team_and_problems(target: str, options: EvaluateOptions) -> Setup:
    """The team and the problems that `target` and the options name."""
    agents, config, run, problems = options.agents, options.config, options.run, options.problems
    settings = options.settings or {}
    sections: dict[str, Any] = {}
    if agents is not None or config is not None or run is not None:
        if problems is not None:
            raise ConfigError(f"problems: the problems are TARGET already, got {target} and {problems}; give one")
        setup = find_team(agents, config, run)
        sections["name"] = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(target.split(":")[0]).name).strip("-._") or "problems"
        if agents is not None:  # whole batches; the trees do not depend on timing
            sections["rollout"] = setup.config.as_dict()["rollout"] | {"lockstep": False}
        problems = target
    elif is_run(Path(target)):
        setup = find_team(run=target)
    else:
        if not Path(target).is_file() and not target.endswith((".yaml", ".yml")) and target not in all_recipes():
            raise ConfigError(
                f"TARGET: {target} is no configuration file, no recipe (mars2 recipes lists them) and no folder of a "
                "run; if it names problems, give the team with agents, config or run"
            )
        setup, settings = Setup(read_config(target, settings)), {}
    if problems is not None:
        sections |= {"problems": {"kind": "reference", "test": problems}, "training": None}
    return setup.changed(sections, settings)


@job
async def run_evaluation(
    setup: Setup,
    folder: Path,
    *,
    problems: Sequence[Problem] | None = None,
    resume: bool = False,
    on_event: Listener = nobody,
) -> EvaluationResult:
    """`evaluate_async` for options that are checked, recorded in `folder`. `problems`: in place of the configured."""
    started = time.monotonic()
    config = setup.config
    strategies = build.build_strategies(config)
    for search in strategies.values():
        build.build_search(search, list(config.agents))  # a mistake in a strategy is found before models are loaded
    if problems is None:
        problems = await asyncio.to_thread(build.build_problems_to_measure, config)
    else:
        problems = seeded_subset(problems, config.evaluation.num_problems, config.seed)
    checkpoint = str(setup.trained) if setup.trained else None
    sections = {name: search.as_dict() for name, search in strategies.items()}
    with ExitStack() as stack:
        if resume and build.has_store(folder):
            store = stack.enter_context(build.open_store(folder, read_only=False))
            _refuse_others(store, config, checkpoint, sections, problems, folder)
        else:
            build.check_installed(config)  # before a folder is made
            if build.has_store(folder):
                on_event(Note("set_aside", {"what": "evaluation", "folder": str(set_aside(folder))}))
            store = stack.enter_context(build.create_store(folder, config))
        models = await load_models(config, trained=setup.trained, hear=on_event)
        recorder = Recorder(store, [on_event])
        recorder.note(
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
        team = await load_team(config, models)
        try:
            evaluation = build.build_evaluation(config, team, problems, build.build_memory(store, recorder))
            recorder.note(
                "evaluation_started", label=config.name, num_nodes=evaluation.num_nodes, num_done=evaluation.num_done
            )
            trained_on = team.guide.trained_on if team.guide else frozenset[str]()
            results = await evaluation.run()
        finally:
            recorder.note("sandbox", **team.sandbox_facts())
            await team.close()
        summary = summarise_comparison(
            results,
            agents=list(config.agents),
            wall_s=round(time.monotonic() - started, 1),
            commit=commit(),
            seed=config.seed,
            run=str(folder),
            usage={name: asdict(total) for name, total in usage_by_agent(s.tree for s in store.iter_trees()).items()},
            num_problems_of_reward_model=sum(problem.id in trained_on for problem in problems),
        )
        write_csv(folder / "results.csv", summary["results"])
        write_csv(folder / "differences.csv", [_named_sides(row) for row in summary["differences"]])
        write_csv(folder / "problems.csv", problem_rows(results.reported))
        shown = ("n_problems", "n_seeds", "budget", "first_attempts", "results", "differences")
        recorder.note("comparison", **{name: summary[name] for name in shown})
        write_json(folder / "summary.json", summary)
        recorder.note("run_finished", wall_s=summary["wall_s"])
        write_report(folder, store)
        error = None
        if not any(used["num_nodes"] for used in summary["usage"].values()):
            failures = (failure for stored in store.iter_trees() for failure in stored.tree.failures)
            error = next((failure.error for failure in failures), None)
    return EvaluationResult(summary, folder, error)


def _named_sides(row: Mapping[str, Any]) -> dict[str, Any]:
    """A difference with one column per name."""
    first, second = (dict(zip((side, f"{side}_who"), row[side], strict=True)) for side in ("first", "second"))
    return {**first, **second, **{k: v for k, v in row.items() if k not in ("first", "second")}}


def _refuse_others(
    store: RunStore,
    config: RunConfig,
    checkpoint: str | None,
    sections: Mapping[str, Mapping[str, Any]],
    problems: Sequence[Problem],
    folder: Path,
) -> None:
    """Trees of different models, sampling, limits, … must not end up in one table.

    Raises:
        ConfigError: names the first key that differs.
    """
    remedy = f"use the settings that {folder} was started with, or another folder"
    recorded = parse_config(dict(store.config))  # keys that came later have their defaults
    for key in sorted(changed_keys(recorded, config, "evaluate")):
        new, old = (_value(options.as_dict(), key) for options in (config, recorded))
        raise ConfigError(f"{key}: is {new!r}, but the evaluation has {old!r}; {remedy}")
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


def _value(data: Any, key: str) -> Any:
    """What a dotted key has; None where there is no such key."""
    for name in key.split("."):
        data = data.get(name) if isinstance(data, dict) else None
    return data
