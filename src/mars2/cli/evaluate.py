"""``mars2 evaluate``: problems × strategies × budgets × seeds; how often is the answer right, and at what cost?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from mars2.cli.output import print_json, run_async, say, stderr, stdout
from mars2.cli.parameters import AgentsOption, ConfigOption, JsonOption, MaxTokensOption, RunOption, SetOption
from mars2.cli.progress import LiveView
from mars2.config.load import parse_settings
from mars2.core.errors import BackendError
from mars2.jobs.options import EvaluateOptions
from mars2.jobs.run_folder import RUNS

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


def register(app: typer.Typer) -> None:
    app.command(help=HELP)(evaluate)


def evaluate(
    target: Annotated[str, typer.Argument(help="A configuration, a recipe, a run, or with a team a problem set.")],
    agents: AgentsOption = None,
    config: ConfigOption = None,
    run: RunOption = None,
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
    max_tokens: MaxTokensOption = None,
    parallel: Annotated[int | None, typer.Option(help="Trees growing at once.")] = None,
    set_: SetOption = None,
    out: Annotated[Path | None, typer.Option(help="The folder; default: runs/NAME-evaluation.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an evaluation, or grow a finished one.")] = False,
    as_json: JsonOption = False,
) -> None:
    from mars2.jobs.evaluate import evaluate_setup, run_evaluation

    setup = evaluate_setup(
        target,
        EvaluateOptions(
            agents=agents,
            config=config,
            run=run,
            problems=problems,
            strategies=None if strategies is None else [name.strip() for name in strategies.split(",") if name.strip()],
            budget=budget,
            seeds=seeds,
            limit=limit,
            alone=alone,
            max_tokens=max_tokens,
            parallel=parallel,
            settings=parse_settings(set_),
        ),
    )
    folder = out or RUNS / f"{setup.config.name}-evaluation"
    with LiveView(stderr, policy_of_agent={}) as view:
        result = run_async(
            run_evaluation(setup, folder, resume=resume, on_event=view.hear),
            when_interrupted="interrupted; the same command with --resume goes on",
        )
    if as_json:
        print_json(result.to_dict())
    else:
        _print(result.summary, folder)
    if result.error is not None:
        failed = result.summary["failed_calls"]
        raise BackendError(f"no program was written: all {failed} calls failed: {result.error}")


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
