"""What commands print: results on stdout (or one JSON object), everything else on stderr; errors in one line."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from rich.console import Console
from rich.table import Table

from mars2.reports.evaluations import interval as interval_of

T = TypeVar("T")

# Texts of problems, programs and servers, such as [/INST], :x: and [v2], are printed as they are: they are no markup.
PLAIN: Mapping[str, Any] = {"markup": False, "emoji": False, "highlight": False}

stdout = Console(**PLAIN)
stderr = Console(stderr=True, **PLAIN)


def write(text: str) -> None:
    """Print programs, prompts and statements on stdout without rich, which would expand their tabs."""
    sys.stdout.write(text if text.endswith("\n") else f"{text}\n")


def print_json(data: Mapping[str, Any]) -> None:
    """One JSON object on stdout."""
    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=True, default=str) + "\n")


def say(text: str) -> None:
    """Print a line for people, on stderr."""
    stderr.print(text, soft_wrap=True)


def fail(error: BaseException, code: int) -> None:
    """Print an error in one line and leave."""
    message = " ".join(str(error).split()) or type(error).__name__
    sys.stderr.write(f"mars2: error: {message}\n")
    sys.exit(code)


def run_async(work: Coroutine[Any, Any, T], *, when_interrupted: str) -> T:
    """Run the program's one event loop. Ctrl-C lets `work` clean up, prints `when_interrupted` and exits with 130."""
    try:
        return asyncio.run(work)
    except (KeyboardInterrupt, asyncio.CancelledError):
        say(f"\n{when_interrupted}")
        sys.exit(130)


def percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def interval(scores: Mapping[str, Any], name: str) -> str:
    """For example "31.2 [28.0, 34.5]", in percent."""
    found = interval_of(scores, name)
    if found is None:
        return "–"
    low, high = found
    return f"{percent(scores[name])} [{percent(low)}, {percent(high)}]"


def _gain(entry: Mapping[str, Any]) -> str:
    """For example "+8.0 [+2.0, +14.0]", in percent."""
    if "gain" not in entry:
        return "–"
    low, high = entry["gain_ci95"]
    return f"{100 * entry['gain']:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"


def print_scores(summary: Mapping[str, Any]) -> None:
    """The table of a run's evaluations on stdout, where there were any."""
    if "team" in summary:
        stdout.print(_summary_table(summary))
    else:
        say("not evaluated: evaluation.before and evaluation.after are false")


def _summary_table(summary: Mapping[str, Any]) -> Table:
    """Before and after, per agent and for the team, in percent with 95% intervals."""
    labels = [label for label in ("before", "after", "evaluation") if label in summary["team"]]
    table = Table(title=f"{summary['n_problems']} problems, {summary['budget']} nodes a tree; percent [95% interval]")
    table.add_column("who")
    table.add_column("measure")
    for label in labels:
        table.add_column(label, justify="right")
    if len(labels) == 2:
        table.add_column("gain", justify="right")
    names = {"pass_at_1": "Pass@1", "pass_at_1_mcts": "Pass@1(MCTS)", "pass_at_n": "Pass@N"}
    for who, entry in [*summary["agents"].items(), ("team", summary["team"])]:
        for name, shown in names.items():
            if not any(name in entry[label] for label in labels):
                continue
            row = [who, shown, *(interval(entry[label], name) for label in labels)]
            headline = "pass_at_1_mcts" if who == "team" else "pass_at_1"
            if len(labels) == 2:
                row.append(_gain(entry) if name == headline else "")
            table.add_row(*row)
        table.add_section()
    return table
