"""Parameters that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

AgentsOption = Annotated[
    str | None,
    typer.Option(
        help="Comma-separated models, or NAME=MODEL: a folder or Hugging Face id, vllm:FOLDER, openai:MODEL@URL, "
        "vllm-server:MODEL@URL, scripted:FILE."
    ),
]
ConfigOption = Annotated[Path | None, typer.Option(help="Take the team from a configuration file or a recipe.")]
RunOption = Annotated[Path | None, typer.Option(help="Take the trained team of a run.")]
MaxTokensOption = Annotated[int | None, typer.Option(help="Longest answer of a model, in tokens.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="KEY=VALUE of the configuration, such as seed=1; repeatable.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
ConfigArgument = Annotated[Path, typer.Argument(help="A YAML configuration, or a recipe's name.")]
