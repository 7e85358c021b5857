"""``mars2 train``: evaluate, train, evaluate again, report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mars2.cli.output import ended_by_sigterm, print_json, print_scores, run_async, stderr, stdout
from mars2.cli.parameters import JsonOption, SetOption
from mars2.cli.progress import LiveView
from mars2.config.load import parse_settings

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
    set_: SetOption = None,
    out: Annotated[Path | None, typer.Option(help="The run's folder; default: runs/NAME.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run; start it if there is none.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Set an older run of this name aside and start anew.")] = False,
    as_json: JsonOption = False,
) -> None:
    from mars2.jobs.train import run_training, train_setup

    settings, folder = train_setup(config, settings=parse_settings(set_), out=out, resume=resume)
    policy_of_agent = {name: agent.policy for name, agent in settings.agents.items()}
    with LiveView(stderr, policy_of_agent=policy_of_agent) as view:
        result = run_async(
            ended_by_sigterm(run_training(settings, folder, resume=resume, fresh=fresh, on_event=view.hear)),
            when_interrupted=f"interrupted; go on with: mars2 train {folder} --resume",
        )
    if as_json:
        print_json(result.to_dict())
        return
    print_scores(result.summary)
    stdout.print(f"tree hash {result.summary['tree_hash']}")
    stdout.print(f"{result.summary['wall_s']:.0f} s, peak memory {result.summary['peak_mib']:.0f} MiB")
    stdout.print(f"summary: {folder / 'summary.json'}", soft_wrap=True)
    stdout.print(f"report:  {result.report}", soft_wrap=True)
