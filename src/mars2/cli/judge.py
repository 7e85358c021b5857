"""``mars2 judge``: verdicts on programs, one or many."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from mars2.cli.output import run_async, say, write
from mars2.core.errors import UserError
from mars2.core.foreign_text import block, named, printable, quoted

HELP = """Run a program against a problem's tests and print the verdict; or many, from a file of tasks.

With --answer the file is a model's whole answer. Which program was taken from it, and why, is printed with the verdict.

Each line of TASKS.jsonl is an object with `id`, `program`, `tests` (whose `kind` is stdio, call or assert), `limits`
and `comparison`; docs/sandbox.md has the fields. One answer a line, in input order. `-` reads standard input.

Examples:

    mars2 judge solution.py examples/problems/two-sum.md

    mars2 judge --answer answer.txt examples/problems/two-sum.md

    mars2 judge --batch tasks.jsonl --workers 2 --json > verdicts.jsonl
"""


def register(app: typer.Typer) -> None:
    app.command(help=HELP)(judge)


def judge(
    program: Annotated[Path | None, typer.Argument(help="A Python file.")] = None,
    problem: Annotated[str | None, typer.Argument(help="A problem file or reference, such as humaneval:0.")] = None,
    answer: Annotated[Path | None, typer.Option(help="A model's whole answer, in place of the program file.")] = None,
    batch: Annotated[Path | None, typer.Option(help="A JSONL file of tasks, or - for standard input.")] = None,
    mode: Annotated[Literal["batch", "hermetic"], typer.Option(help="hermetic: a fresh process per test.")] = "batch",
    workers: Annotated[int, typer.Option(min=1, help="Programs judged at once.")] = 2,
    every_test: Annotated[
        bool, typer.Option("--every-test", help="Do not stop a program at its first failing test.")
    ] = False,
    allow_unsafe: Annotated[
        bool, typer.Option("--allow-unsafe", help="Judge even where only weak isolation can be had.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; with --batch an object a line.")] = False,
) -> None:
    from mars2.jobs.judge import judge_async, read_answer, verdict_entry
    from mars2.problems import load_problem

    options: dict[str, Any] = {"workers": workers, "mode": mode, "allow_unsafe": allow_unsafe}
    if batch is not None:
        if program is not None or answer is not None:
            got = program if program is not None else f"--answer {answer}"
            raise UserError(f"judge: give a program and a problem, or --batch, got both {got} and --batch {batch}")
        run_async(_judge_batch(batch, options, every_test, as_json), when_interrupted="interrupted")
        return
    if answer is not None:
        if program is not None and problem is not None:
            raise UserError(f"judge: give a program file or --answer, got both {program} and --answer {answer}")
        problem = problem or (str(program) if program else None)  # with --answer, the problem stands first
    if problem is None or (program is None and answer is None):
        raise UserError("judge: give a program file and a problem, or --batch TASKS.jsonl; see mars2 judge --help")
    task = load_problem(problem)
    reading = read_answer(answer, task) if answer is not None else None
    work = judge_async(
        reading.program if reading else program, task, every_test=every_test, mode=mode, allow_unsafe=allow_unsafe
    )
    found = verdict_entry(task.id, run_async(work, when_interrupted="interrupted"))
    if reading is not None:
        found |= {"program": reading.program, "reason": reading.reason}
    write(json.dumps(found, indent=2) if as_json else _lines_of(found))


async def _judge_batch(batch: Path, options: dict[str, Any], every_test: bool, as_json: bool) -> None:
    from mars2.build.sandbox import local_sandbox
    from mars2.jobs.judge import judge_tasks

    async with local_sandbox(**options) as sandbox:
        answers = judge_tasks(
            _lines(batch), sandbox, at_once=4 * options["workers"], stop_at_first_failure=not every_test
        )
        async with aclosing(answers):  # where writing fails, what is under way ends before the sandbox does
            async for found in answers:
                write(json.dumps(found) if as_json else _lines_of(found))
    if failures := sandbox.facts().num_failures:
        say(f"the judge itself failed {failures} times; those judgements were repeated")


def _lines(batch: Path) -> Iterator[str]:
    from mars2.jobs.judge import read_program

    if str(batch) == "-":
        if sys.stdin is None:
            raise UserError("judge: standard input is closed; give a file or pipe the tasks in")
        try:
            for number, line in enumerate(sys.stdin):
                yield line if number else line.removeprefix("\ufeff")
        except UnicodeDecodeError:
            raise UserError("judge: standard input is not UTF-8 text; write it as UTF-8") from None
    else:
        yield from read_program(batch).split("\n")  # not splitlines: a program may hold any character


def _lines_of(found: dict[str, Any]) -> str:
    """An answer for people: a line, and one more for each test of which there is something to say."""
    passed = sum(test["verdict"] == "AC" for test in found["tests"])
    line = f"{named(str(found['id']))}: {found['verdict']}, {passed} of {len(found['tests'])} tests passed"
    lines = [f"{line} (isolation {found['tier'] or 'none'})"]
    if "reason" in found:
        lines.append(f"  program taken: {printable(found['reason'])}")
        lines += [block(found["program"])] if found["program"] else []
    if "error" in found:
        lines.append(f"  {quoted(found['error'])}")
    for number, test in enumerate(found["tests"], 1):
        if test["detail"]:
            lines.append(f"  test {number}: {test['verdict']}  {quoted(test['detail'])}")
    return "\n".join(lines)
