"""``mars2 report``: write a run's HTML report anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from mars2.cli.output import print_json, print_scores, say
from mars2.cli.parameters import JsonOption
from mars2.jobs.run_folder import open_store

HELP = """Write the report of a run (one HTML file: curves, tables, tree viewer) and print its table.

Works while the run goes on, and on runs that were interrupted.

Example:

    mars2 report runs/quickstart
"""


def register(app: typer.Typer) -> None:
    app.command(help=HELP)(report)


def report(
    run: Annotated[Path, typer.Argument(help="The folder of a run.")],
    as_json: JsonOption = False,
) -> None:
    from mars2.reports import write_report

    with open_store(run) as store, store.snapshot():
        path = write_report(run, store)
    summary_file = run / "summary.json"
    summary = json.loads(summary_file.read_text(encoding="utf-8")) if summary_file.is_file() else None
    if as_json:
        print_json({"report": str(path), "summary": summary})
        return
    if summary:
        print_scores(summary)
    say(f"report: {path}")
