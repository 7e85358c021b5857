"""``mars2 check``: is a configuration valid, does it fit into memory, how long will it take, what do agents answer?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mars2.cli.output import print_json, run_async, stderr, stdout, write
from mars2.cli.progress import LiveView
from mars2.config.load import load_config
from mars2.core.foreign_text import block, named

HELP = """Check a configuration: validate it, send one prompt per agent, show the answers, estimate memory and time.

Example:

    mars2 check quickstart
"""


def register(app: typer.Typer) -> None:
    app.command(help=HELP)(check)


def check(
    config: Annotated[Path, typer.Argument(help="A YAML configuration, or a recipe's name.")],
    set_: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE, for example training.steps=10.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON on stdout.")] = False,
) -> None:
    from mars2.jobs.check import check_async

    settings = load_config(config, set_ or ())
    view = LiveView(stderr, policy_of_agent={})
    found = run_async(check_async(settings, on_event=view.hear), when_interrupted="interrupted")
    if as_json:
        print_json(found.to_dict())
        return
    stdout.print(f"{config}: valid")
    for name, agent in found.agents.items():
        stdout.rule(f"agent {named(name)}: {agent.output_tokens} tokens, {agent.finish_reason}, {agent.verdict}")
        write(block(agent.prompt))
        stdout.rule("answer")
        write(block(agent.answer))
    stdout.rule("estimates")
    for name, policy in found.policies.items():
        stdout.print(
            f"policy {name}: {policy.parameters / 1e6:.1f} M parameters, about {policy.memory_mib:.0f} MiB, "
            f"{policy.tokens_per_s:.0f} tokens/s at batch {policy.batch}"
        )
    stdout.print(f"memory in all: about {found.memory_mib:.0f} MiB")
    if found.train_minutes is not None and settings.training is not None:
        stdout.print(f"{settings.training.steps} steps: about {found.train_minutes:.1f} minutes, evaluations aside")
