"""``mars2 recipes``: the configurations that come with the project, listed, shown and copied."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mars2.cli.output import print_json, say, stdout, write
from mars2.cli.parameters import JsonOption
from mars2.config.load import find_recipe
from mars2.core.errors import UserError
from mars2.recipes import all_recipes

HELP = """List, show and copy the recipes: configurations that come with the project.

A command that takes a configuration file takes a recipe's name too. A file of that name in the current folder wins.

Examples:

    mars2 recipes

    mars2 train quickstart --set training.steps=10
"""
SHOW = """Print a recipe.

Example:

    mars2 recipes show quickstart
"""
COPY = """Copy a recipe into a file of your own. A file that exists is left as it is.

Examples:

    mars2 recipes copy quickstart                 (writes quickstart.yaml)

    mars2 recipes copy qwen_mbpp mine.yaml
"""
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="A recipe, as `mars2 recipes` lists them.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help=HELP, rich_markup_mode="markdown")
    group.callback(invoke_without_command=True)(recipes)
    group.command(help=SHOW)(show)
    group.command(help=COPY)(copy)
    app.add_typer(group, name="recipes")


def recipes(
    context: typer.Context,
    as_json: JsonOption = False,
) -> None:
    if context.invoked_subcommand is not None:
        return
    found = all_recipes()
    if as_json:
        print_json({"recipes": [{"name": r.name, "description": r.description} for r in found.values()]})
        return
    width = max(len(name) for name in found)
    for recipe in found.values():
        stdout.print(f"{recipe.name:<{width}}  {recipe.description}", soft_wrap=True)


def show(name: NameArgument) -> None:
    write(find_recipe(name).text)


def copy(
    name: NameArgument,
    file: Annotated[Path | None, typer.Argument(help="The file to write; default: NAME.yaml.")] = None,
) -> None:
    recipe = find_recipe(name)
    target = file or Path(f"{name}.yaml")
    try:
        with target.open("x", encoding="utf-8") as new:
            new.write(recipe.text)
    except FileExistsError:
        raise UserError(f"FILE: {target} exists; name another file") from None
    except OSError as error:
        raise UserError(f"FILE: cannot write {target}: {error.strerror}; name another file") from None
    say(f"written: {target}; give this file, not the name {name}, to a command that is to use it")
