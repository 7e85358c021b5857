"""What commands print: results on stdout (or one JSON object), everything else on stderr; errors in one line."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Coroutine, Mapping
from io import TextIOWrapper
from typing import Any, NoReturn, TypeVar

from rich.console import Console
from rich.table import Table

from mars2.core.errors import UserError
from mars2.core.foreign_text import printable
from mars2.jobs.display import SCORES
from mars2.reports.evaluations import interval as interval_of

T = TypeVar("T")

# Texts of problems, programs and servers, such as [/INST], :x: and [v2], are printed as they are: they are no markup.
PLAIN: Mapping[str, Any] = {"markup": False, "emoji": False, "highlight": False}


class _Results(Console):
    def print(self, *objects: Any, **options: Any) -> None:
        """As in the base class.

        Raises:
            UserError: stdout is full.
        """
        try:
            super().print(*objects, **options)
        except OSError as error:
            raise _unwritable(error) from None

    def on_broken_pipe(self) -> NoReturn:
        _give_up_results()
        raise SystemExit(1)


stdout = _Results(**PLAIN)
stderr = Console(stderr=True, **PLAIN)


def keep_stdout() -> None:
    """Keep stdout for results: what engines, libraries and child processes write there from now on goes to stderr.

    This holds until the process ends, so also for what is written at its end. Where stdout is not the process's own, as
    in a notebook, nothing is changed.
    """
    try:
        if not isinstance(sys.stdout, TextIOWrapper) or sys.stdout.fileno() != 1:
            return
    except OSError:  # it has none: somebody captures it
        return
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY) if sys.stderr is None else 2, 1)
    stdout.file = os.fdopen(kept, "w", encoding=sys.stdout.encoding, errors="backslashreplace")
    sys.stdout.reconfigure(line_buffering=True)


def write(text: str) -> None:
    """Print programs, prompts and statements on stdout, at once and without rich, which would expand their tabs.

    Raises:
        UserError: stdout is closed or full.
    """
    if sys.stdout is None:
        raise UserError("standard output is closed; leave it open")
    try:
        stdout.file.write(text if text.endswith("\n") else f"{text}\n")
        stdout.file.flush()
    except BrokenPipeError:
        _give_up_results()
        raise
    except OSError as error:
        raise _unwritable(error) from None


def _unwritable(error: OSError) -> UserError:
    _give_up_results()
    return UserError(f"standard output: {error.strerror}; write the results elsewhere")


def _give_up_results() -> None:
    """What could not be written is not tried again at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.file.fileno())


def print_json(data: Mapping[str, Any]) -> None:
    """One JSON object on stdout."""
    write(json.dumps(data, indent=2, ensure_ascii=True, default=str))


def say(text: str) -> None:
    """Print lines for people, on stderr."""
    stderr.print("\n".join(map(printable, text.split("\n"))), soft_wrap=True)


def fail(error: BaseException, code: int) -> NoReturn:
    """Print an error in one line and leave."""
    message = printable(" ".join(str(error).split())) or type(error).__name__
    sys.stderr.write(f"mars2: error: {message}\n")
    sys.exit(code)


def end_on_signals() -> None:
    """SIGINT and SIGTERM end the command as Ctrl-C does, also in the background, where shells have SIGINT ignored."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


def run_async(work: Coroutine[Any, Any, T], *, when_interrupted: str) -> T:
    """Run the program's one event loop. Ctrl-C lets `work` clean up, prints `when_interrupted` and exits with 130."""
    try:
        return asyncio.run(work)
    except (KeyboardInterrupt, asyncio.CancelledError):
        say(f"\n{when_interrupted}")
        sys.exit(130)


async def ended_by_sigterm(work: Coroutine[Any, Any, T]) -> T:
    """SIGTERM ends `work` as Ctrl-C does: it can clean up and keep what it has."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        return await work
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


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
    for who, entry in [*summary["agents"].items(), ("team", summary["team"])]:
        for name, shown in SCORES.items():
            if not any(name in entry[label] for label in labels):
                continue
            row = [who, shown, *(interval(entry[label], name) for label in labels)]
            headline = "pass_at_1_mcts" if who == "team" else "pass_at_1"
            if len(labels) == 2:
                row.append(_gain(entry) if name == headline else "")
            table.add_row(*row)
        table.add_section()
    return table
