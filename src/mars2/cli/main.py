"""The command ``mars2``: one file a command; user mistakes end in one line and exit code 2."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import Any

import typer
from typer.core import TyperCommand

from mars2 import __version__
from mars2.cli import (
    check,
    doctor,
    evaluate,
    judge,
    problems,
    recipes,
    report,
    serve,
    sft,
    solve,
    train,
    train_reward,
    view,
)
from mars2.cli.output import fail, keep_stdout
from mars2.core.errors import Mars2Error, UserError
from mars2.jobs.running import known_error

app = typer.Typer(
    name="mars2",
    help="Several LLM agents learn to write code together by growing one search tree per problem.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (train, sft, evaluate, solve, serve, judge, problems, recipes, report, view, train_reward, check, doctor):
    module.register(app)


class ResultCommand(TyperCommand):
    """A command whose stdout is the user's alone. Help is printed before, by the parser."""

    def invoke(self, ctx: Any) -> Any:
        keep_stdout()
        return super().invoke(ctx)


for group in (app, *(group.typer_instance for group in app.registered_groups if group.typer_instance)):
    for command in group.registered_commands:
        command.cls = ResultCommand


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mars2 {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version."),
) -> None:
    """Several LLM agents learn to write code together by growing one search tree per problem."""


def run() -> None:
    """Entry point. Exit codes: 0 done, 1 failed, 2 the user's mistake, 130 interrupted."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr: programs hold what a terminal cannot show
    try:
        app()
    except UserError as error:
        fail(error, 2)
    except Mars2Error as error:
        fail(error, 1)
    except BaseExceptionGroup as group:
        if (known := known_error(group)) is None:
            raise
        fail(known, 2 if isinstance(known, UserError) else 1)
