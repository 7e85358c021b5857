"""``mars2 solve``: one problem, a team, a budget; prints the best program found."""

from __future__ import annotations

import re
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mars2.cli.output import print_json, run_async, say, stderr, write
from mars2.cli.progress import LiveView
from mars2.config.load import load_config, parse_config
from mars2.config.policies import PolicySettings, model_name, parse_model
from mars2.config.run import RunConfig
from mars2.config.search import parse_strategy
from mars2.core.errors import ConfigError
from mars2.core.problem import Problem
from mars2.core.verdict import Verdict
from mars2.jobs.run_folder import RUNS, commit, latest_checkpoint, open_run

if TYPE_CHECKING:
    from mars2.store.run_store import RunStore

MAY_CHANGE = ("threads", "rollout", "budget", "stopping", "selection")
"""Sections of the configuration that may differ between a search and its --resume: how far it goes."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

HELP = """Solve one problem by multi-agent tree search and print the program.

PROBLEM is a problem file (Markdown, YAML or JSON; see docs/problem-format.md), `humaneval:17`, `mbpp:FILE:601`, or,
with --run, a problem of that run such as `lab/test/00003`. TEAM is given by --agents, --config or --run.

Exit code 1 if no program was written, such as when every call to a model failed.

Examples:

    mars2 solve humaneval:0 --agents Qwen/Qwen2.5-Coder-0.5B-Instruct --budget 8

    mars2 solve examples/problems/two-sum.md --agents small=models/qwen-0.5b,large=models/qwen-1.5b --budget 16

    mars2 solve problem.md --agents openai:qwen2.5-coder@http://127.0.0.1:11434/v1

    mars2 solve lab/test/00003 --run runs/quickstart --json
"""


def register(app: typer.Typer) -> None:
    app.command(help=HELP)(solve)


def solve(
    problem: Annotated[str, typer.Argument(help="A problem file or reference.")],
    agents: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated models, or NAME=MODEL: a folder or Hugging Face id, vllm:FOLDER, "
            "openai:MODEL@URL, vllm-server:MODEL@URL, scripted:FILE."
        ),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Take the team from a configuration file or a recipe.")] = None,
    run: Annotated[Path | None, typer.Option(help="Take the trained team of a run.")] = None,
    budget: Annotated[int, typer.Option(help="Programs to write at most.")] = 8,
    tokens: Annotated[int | None, typer.Option(help="Tokens to spend at most, prompts and answers.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Seconds to search at most.")] = None,
    cost: Annotated[
        float | None, typer.Option(help="Money to spend at most; needs --set policies.NAME.price={…}.")
    ] = None,
    parallel: Annotated[int, typer.Option(help="Programs being written at once.")] = 4,
    max_tokens: Annotated[int | None, typer.Option(help="Longest answer, in tokens.")] = None,
    strategy: Annotated[
        str, typer.Option(help="t_plus, ab_mcts, refine_best, treequest:ABMCTSA, ab_mcts:posterior=gaussian, …")
    ] = "t_plus",
    select: Annotated[
        str,
        typer.Option(help="Of programs equal on public tests: behaviour (most of them act alike), public (earliest)."),
    ] = "behaviour",
    reward_model: Annotated[
        Path | None, typer.Option(help="A folder made by train-reward, to weigh the programs in the choice.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same search.")] = 0,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Spend the whole budget even after a program passes all public tests.")
    ] = False,
    set_: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE, for example stopping.patience=8.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the tree; default: runs/solve/PROBLEM-N.")] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with an interrupted search: the same command with its folder as --out."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    if resume and out is None:
        raise ConfigError("--resume: needs the folder of the interrupted search; give it as --out")
    settings, trained = team_config(agents, config, run)
    overrides = [
        f"seed={seed}",
        f"selection.rule={select}",
        f"rollout.max_nodes={budget}",
        f"rollout.expansions_in_flight={parallel}",
        f"stopping.solved={'null' if keep_going else 1}",
    ]
    if reward_model is not None:
        overrides.append(f"guidance.reward_model={reward_model}")
    if max_tokens is not None:
        overrides.append(f"sampling.max_tokens={max_tokens}")
    limits = {"tokens": tokens, "seconds": seconds, "cost": cost}
    overrides += [f"budget.{name}={value}" for name, value in limits.items() if value is not None]
    overrides += set_ or ()
    data = settings.as_dict() | {"training": None, "search": parse_strategy(strategy)}
    settings = parse_config(data, overrides)
    task = find_problem(problem, settings)
    folder = out or _new_folder(task.id)
    result = _solve(settings, task, folder, trained, resume=resume)
    if as_json:
        print_json(result)
    else:
        _print(result)
    if result["program"] is None:
        raise typer.Exit(1)


def team_config(agents: str | None, config: Path | None, run: Path | None) -> tuple[RunConfig, Path | None]:
    """The team that the options name, and the checkpoint to take weights from (None: the models as they are)."""
    given = [name for name, value in (("--agents", agents), ("--config", config), ("--run", run)) if value is not None]
    if len(given) != 1:
        got = " and ".join(given) or "nothing"
        raise ConfigError(f"team: give exactly one of --agents, --config and --run, got {got}")
    if run is not None:
        store, settings = open_run(run)
        store.close()
        return settings, latest_checkpoint(run)
    if config is not None:
        return load_config(config), None
    return _ad_hoc(agents or ""), None


def _ad_hoc(agents: str) -> RunConfig:
    """A team of models named on the command line."""
    from mars2.build.models import check_model

    policies: dict[str, PolicySettings] = {}
    for part in filter(None, (p.strip() for p in agents.split(","))):
        name, sign, model = part.partition("=")
        if not sign or not NAME.fullmatch(name):
            name, model = "", part
        policy = parse_model(model)
        name = name or model_name(policy)
        if name in policies:
            raise ConfigError(f"--agents: two agents are called {name!r}; name them, as in a=MODEL,b=MODEL")
        if policy.has_weights:
            check_model("--agents", policy.named_after)
        policies[name] = policy
    if not policies:
        raise ConfigError("--agents: names no model; give a folder, a Hugging Face id or openai:MODEL@URL")
    return parse_config(
        {
            "name": "solve",
            "problems": {"kind": "reference", "test": "-"},
            "policies": policies,
            "agents": {name: {"policy": name} for name in policies},
            # In waves the batches of an engine in this process repeat; with servers nobody needs to wait.
            "rollout": {"lockstep": any(policy.has_weights for policy in policies.values())},
        }
    )


def find_problem(reference: str, config: RunConfig) -> Problem:
    """The problem that `reference` names; problems of the lab belong to a run's configuration.

    Raises:
        ProblemError: there is no such problem.
    """
    if reference.startswith("lab/"):
        from mars2.build.team import build_problems
        from mars2.core.errors import ProblemError

        if config.problems.kind != "lab":
            raise ProblemError(f"problem {reference!r} belongs to the lab; give --run or --config of a lab run")
        split = "train" if reference.startswith("lab/train/") else "test"
        found = {p.id: p for p in build_problems(config, split)}
        if reference not in found:
            raise ProblemError(f"problem: no {reference!r}; this run has {next(iter(found))} … {list(found)[-1]}")
        return found[reference]
    from mars2.problems import load_problem

    return load_problem(reference)


def _new_folder(problem_id: str) -> Path:
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", problem_id).strip("-") or "problem"
    number = 1
    while (folder := RUNS / "solve" / f"{name}-{number}").exists():
        number += 1
    return folder


def _open_store(config: RunConfig, problem: Problem, folder: Path, *, resume: bool) -> RunStore:
    """The store of a new search, or of the one to go on with.

    Raises:
        ConfigError: the interrupted search was of another problem, team or strategy.
    """
    from mars2.store.run_store import RunStore

    if not (resume and RunStore.exists(folder)):
        return RunStore.create(folder, config=config.as_dict())
    store = RunStore.open(folder)
    old, new = dict(store.config), config.as_dict()
    differing = [key for key in new if key not in MAY_CHANGE and old.get(key) != new[key]]
    stored = store.problem(problem.id)
    if stored is not None and stored != replace(problem, metadata=stored.metadata):
        differing.append("problem")
    if differing:
        store.close()
        raise ConfigError(f"{differing[0]}: differs from the search in {folder}; use its settings, or another --out")
    return store


def _solve(config: RunConfig, problem: Problem, folder: Path, trained: Path | None, *, resume: bool) -> dict[str, Any]:
    from mars2 import build
    from mars2.core.tree import Tree
    from mars2.core.usage import usage_by_agent
    from mars2.reports import write_report
    from mars2.runs.choose import Answer, choose
    from mars2.runs.growing.rollout import Job, grow_trees
    from mars2.runs.recorder import Recorder

    started = time.monotonic()
    models = build.resolve_models(config, trained=trained)
    tree_id = f"solve/{problem.id}"

    async def work() -> tuple[Any, Answer, Verdict | None]:
        team = build.build_team(config, models)
        try:
            grower = build.build_grower(config, team, judge_hidden=False)
            recorder.open_tree(tree, phase="solve", step=0)
            recorder.event("evaluation_started", label=problem.id, num_nodes=config.rollout.max_nodes)
            (growth,) = await grow_trees(
                [Job(tree, problem, grower)],
                trees_in_flight=1,
                lockstep=config.rollout.lockstep,
                log=recorder,
            )
            answer = await choose(
                tree, problem, team.sandbox, selection=build.build_selection(config), guide=team.guide
            )
            hidden = None
            if answer.node_id is not None and problem.hidden_tests:
                hidden = await team.sandbox.judge(tree.nodes[answer.node_id].program, problem.hidden)
            return growth, answer, hidden
        finally:
            await team.close()

    with _open_store(config, problem, folder, resume=resume) as store:
        stored = store.tree(tree_id)
        tree = Tree(tree_id, problem.id) if stored is None else stored.tree
        if stored is not None and stored.finished:
            store.reopen_tree(tree_id)
        view = LiveView(stderr, policy_of_agent={})
        recorder = Recorder(store, [view])
        recorder.event("run_started", name=f"solve {problem.id}", commit=commit(), seed=config.seed)
        store.save_problem(problem)
        with view:
            growth, answer, hidden = run_async(work(), when_interrupted=f"interrupted; --resume --out {folder} goes on")
        recorder.tree(tree, phase="solve", step=0)
        recorder.event("run_finished", wall_s=time.monotonic() - started)
        report = write_report(folder, store)
    node = None if answer.node_id is None else tree.nodes[answer.node_id]
    return {
        "problem": problem.id,
        "program": node.program if node else None,
        "agent": node.agent if node else None,
        "node": answer.node_id,
        "chosen_because": answer.why,
        "public": _verdict(node.public_verdict) if node else None,
        "hidden": _verdict(hidden) if hidden else None,
        "num_nodes": len(tree),
        "stop": growth.stop_reason,
        "error": growth.error,
        "failed_calls": growth.num_failed_calls,
        "lost_agents": growth.lost_agents,
        "agents": {name: asdict(total) for name, total in usage_by_agent([tree]).items()},
        "prompt_tokens": sum(n.completion.prompt_tokens for n in tree),
        "output_tokens": sum(n.completion.output_tokens for n in tree),
        "cost": sum(n.completion.cost for n in tree),
        "wall_s": round(time.monotonic() - started, 1),
        "run": str(folder),
        "tree": str(report),
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "verdict": verdict.status.value,
        "passed": verdict.num_passed,
        "total": len(verdict.tests),
        "tier": verdict.tier,
    }


def _print(result: dict[str, Any]) -> None:
    if result["program"] is None:
        say(f"no program was written ({result['stop']}{': ' + result['error'] if result['error'] else ''})")
    else:
        write(result["program"])
    if result["public"]:
        public = result["public"]
        say(f"\npublic tests: {public['verdict']}, {public['passed']} of {public['total']} passed")
    if result["program"] is not None:
        say(f"chosen because: {result['chosen_because']}")
    if result["hidden"]:
        hidden = result["hidden"]
        say(f"hidden tests: {hidden['verdict']} (judged once, after the answer was chosen)")
    spent = f"{result['num_nodes']} programs, {result['output_tokens']} tokens, {result['wall_s']} s"
    say(f"{spent}, {result['stop']}" + (f"; written by {result['agent']}" if result["agent"] else ""))
    for name, error in result["lost_agents"].items():
        say(f"agent {name} kept failing and was given up: {error}")
    if len(result["agents"]) > 1 or result["cost"] or result["failed_calls"]:
        say("\n".join(_usage_lines(result["agents"])))
    say(f"tree: {result['tree']}")


def _usage_lines(agents: dict[str, dict[str, Any]]) -> list[str]:
    """One line an agent: programs, tokens in and out, money, failures."""
    return [
        f"  {name}: {used['num_nodes']} programs, {used['prompt_tokens']} tokens in, {used['output_tokens']} out"
        + (f", cost {used['cost']:.4g}" if used["cost"] else "")
        + (f", {used['num_failed_calls']} failed calls" if used["num_failed_calls"] else "")
        for name, used in agents.items()
    ]
