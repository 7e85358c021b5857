"""``mars2 solve``: one problem, a team, a budget; prints the best program found."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mars2.cli.output import print_json, run_async, say, stderr, write
from mars2.cli.parameters import AgentsOption, ConfigOption, JsonOption, MaxTokensOption, RunOption, SetOption
from mars2.cli.progress import LiveView
from mars2.config.load import parse_settings
from mars2.core.errors import ConfigError
from mars2.core.foreign_text import quoted
from mars2.jobs.options import SolveOptions
from mars2.jobs.run_folder import RUNS

if TYPE_CHECKING:
    from mars2.jobs.solution import Solution

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

_DEFAULTS = SolveOptions()


def register(app: typer.Typer) -> None:
    app.command(help=HELP)(solve)


def solve(
    problem: Annotated[str, typer.Argument(help="A problem file or reference.")],
    agents: AgentsOption = None,
    config: ConfigOption = None,
    run: RunOption = None,
    budget: Annotated[int, typer.Option(help="Programs to write at most.")] = _DEFAULTS.budget,
    tokens: Annotated[int | None, typer.Option(help="Tokens to spend at most, prompts and answers.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Seconds to search at most.")] = None,
    cost: Annotated[
        float | None, typer.Option(help="Money to spend at most; needs --set policies.NAME.price={…}.")
    ] = None,
    parallel: Annotated[int, typer.Option(help="Programs being written at once.")] = _DEFAULTS.parallel,
    max_tokens: MaxTokensOption = None,
    strategy: Annotated[
        str, typer.Option(help="t_plus, ab_mcts, refine_best, treequest:ABMCTSA, ab_mcts:posterior=gaussian, …")
    ] = str(_DEFAULTS.strategy),
    select: Annotated[
        str,
        typer.Option(help="Of programs equal on public tests: behaviour (most of them act alike), public (earliest)."),
    ] = _DEFAULTS.select,
    reward_model: Annotated[
        Path | None, typer.Option(help="A folder made by train-reward, to weigh the programs in the choice.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same search.")] = _DEFAULTS.seed,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Spend the whole budget even after a program passes all public tests.")
    ] = False,
    set_: SetOption = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the tree; default: runs/solve/PROBLEM-N.")] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with an interrupted search: the same command with its folder as --out."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    from mars2.jobs.solve import solve_problem, solve_setup
    from mars2.jobs.team import find_problem

    if resume and out is None:
        raise ConfigError("--resume: needs the folder of the interrupted search; give it as --out")
    setup = solve_setup(
        SolveOptions(
            agents=agents,
            config=config,
            run=run,
            budget=budget,
            strategy=strategy,
            select=select,
            reward_model=reward_model,
            tokens=tokens,
            seconds=seconds,
            cost=cost,
            parallel=parallel,
            max_tokens=max_tokens,
            seed=seed,
            keep_going=keep_going,
            settings=parse_settings(set_),
        )
    )
    task = find_problem(problem, setup.config)
    folder = out or _new_folder(task.id)
    with LiveView(stderr, policy_of_agent={}) as view:
        solution = run_async(
            solve_problem(setup, task, out=folder, resume=resume, on_event=view.hear),
            when_interrupted=f"interrupted; --resume --out {folder} goes on",
        )
    if as_json:
        print_json(solution.to_dict())
    else:
        _print(solution)
    if solution.program is None:
        raise typer.Exit(1)


def _new_folder(problem_id: str) -> Path:
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", problem_id).strip("-") or "problem"
    number = 1
    while (folder := RUNS / "solve" / f"{name}-{number}").exists():
        number += 1
    return folder


def _print(solution: Solution) -> None:
    if solution.program is None:
        say(f"no program was written ({solution.stop_reason}{': ' + quoted(solution.error) if solution.error else ''})")
    else:
        write(solution.program)
    if solution.public:
        public = solution.public
        say(f"\npublic tests: {public.status}, {public.num_passed} of {len(public.tests)} passed")
    if solution.program is not None:
        say(f"chosen because: {solution.why}")
    if solution.hidden:
        say(f"hidden tests: {solution.hidden.status} (judged once, after the answer was chosen)")
    spent = f"{len(solution.tree)} programs, {solution.output_tokens} tokens, {solution.wall_s:.1f} s"
    say(f"{spent}, {solution.stop_reason}" + (f"; written by {solution.agent}" if solution.agent else ""))
    for name, error in solution.lost_agents.items():
        say(f"agent {name} kept failing and was given up: {quoted(error)}")
    if len(solution.usage) > 1 or solution.cost or solution.num_failed_calls:
        for name, used in solution.usage.items():
            say(
                f"  {name}: {used.num_nodes} programs, {used.prompt_tokens} tokens in, {used.output_tokens} out"
                + (f", cost {used.cost:.4g}" if used.cost else "")
                + (f", {used.num_failed_calls} failed calls" if used.num_failed_calls else "")
            )
    say(f"tree: {solution.report}")
