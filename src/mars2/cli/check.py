"""``mars2 check``: is a configuration valid, does it fit into memory, how long will it take, what do agents answer?"""

from __future__ import annotations

import typer

from mars2.cli.output import print_json, run_async, stderr, stdout, write
from mars2.cli.parameters import ConfigArgument, JsonOption, SetOption
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
    config: ConfigArgument,
    set_: SetOption = None,
    as_json: JsonOption = False,
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
