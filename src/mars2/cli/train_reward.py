"""``mars2 train-reward``: a reward model from the trees of finished runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mars2.cli.output import print_json, run_async, say
from mars2.cli.parameters import ConfigArgument, JsonOption, SetOption
from mars2.config.load import parse_as, read_yaml
from mars2.config.reward_model import RewardModelConfig
from mars2.core.events import Event, Note

HELP = """Train a reward model, which estimates how likely a program is right, on the trees of finished runs.

Its labels are hidden verdicts, so CONFIG names runs of `mars2 train` or `mars2 evaluate`. Problems are split into
training, validation, calibration and test; the figures printed are of test problems.

Examples:

    mars2 train-reward lab_reward_model

    mars2 train-reward lab_reward_model --set runs=[runs/mine] --set epochs=3 --out models/mine

    mars2 solve problem.md --config team.yaml --reward-model models/reward
"""


def register(app: typer.Typer) -> None:
    app.command(name="train-reward", help=HELP)(train_reward)


def train_reward(
    config: ConfigArgument,
    set_: SetOption = None,
    out: Annotated[Path | None, typer.Option(help="The folder to make, instead of the configured one.")] = None,
    as_json: JsonOption = False,
) -> None:
    from mars2.jobs.train_reward import train_reward_async

    overrides = [*(set_ or ()), *([f"out={out}"] if out is not None else [])]
    settings = parse_as(RewardModelConfig, read_yaml(config), overrides)
    result = run_async(train_reward_async(settings, on_event=_hear), when_interrupted="interrupted: nothing is kept")
    if as_json:
        print_json(result.to_dict())
        return
    for name, value in result.rows():
        say(f"{name:<42} {value}")
    say(f"reward model: {settings.out} (use it as guidance.reward_model); report: {settings.out / 'report.html'}")


def _hear(event: Event) -> None:
    match event:
        case Note("epoch", epoch):
            auc = "" if epoch["valid_auc"] is None else f", AUC {epoch['valid_auc']:.3f}"
            best = " (best)" if epoch["is_best"] else ""
            losses = f"loss {epoch['train_loss']:.3f}, validation {epoch['valid_loss']:.3f}"
            say(f"epoch {epoch['number']}: {losses}{auc}{best}")
        case Note("set_aside", payload):
            say(f"older reward model set aside: {payload['folder']}")
        case _:
            pass
