"""``mars2 judge``: verdicts on programs, one or many."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from mars2.cli.output import print_json, run_async, say, stdout, writable
from mars2.core.errors import UserError

HELP = """Run a program against a problem's tests and print the verdict; or many, from a file of tasks.

Each line of TASKS.jsonl is an object with `id`, `program`, `tests` (whose `kind` is stdio, call or assert), `limits`
and `comparison`; docs/sandbox.md has the fields. One answer a line, in input order. `-` reads standard input.

Examples:

    mars2 judge solution.py examples/problems/two-sum.md

    mars2 judge --batch tasks.jsonl --workers 2 --json > verdicts.jsonl
"""


def register(app: typer.Typer) -> None:
    app.command(help=HELP)(judge)


def judge(
    program: Annotated[Path | None, typer.Argument(help="A Python file.")] = None,
    problem: Annotated[str | None, typer.Argument(help="A problem file or reference, such as humaneval:0.")] = None,
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
    options: dict[str, Any] = {"workers": workers, "mode": mode, "allow_unsafe": allow_unsafe}
    if batch is not None:
        if program is not None:
            raise UserError(f"judge: give a program and a problem, or --batch, got both {program} and --batch {batch}")
        run_async(_judge_batch(batch, options, every_test, as_json), when_interrupted="interrupted")
        return
    if program is None or problem is None:
        raise UserError("judge: give a program file and a problem, or --batch TASKS.jsonl; see mars2 judge --help")
    found = run_async(_judge_one(program, problem, options, every_test), when_interrupted="interrupted")
    if as_json:
        print_json(found)
    else:
        _print(found)


async def _judge_one(program: Path, reference: str, options: dict[str, Any], every_test: bool) -> dict[str, Any]:
    from mars2.problems import load_problem
    from mars2.sandbox import ZygoteSandbox
    from mars2.sandbox.batch import answer

    problem = load_problem(reference)
    tests = (*problem.public_tests, *problem.hidden_tests)
    async with ZygoteSandbox(**options) as sandbox:
        verdict = await sandbox.judge(
            _read(program),
            tests,
            problem.limits,
            comparison=problem.comparison,
            stop_at_first_failure=not every_test,
        )
    return answer(problem.id, verdict)


async def _judge_batch(batch: Path, options: dict[str, Any], every_test: bool, as_json: bool) -> None:
    from mars2.sandbox import ZygoteSandbox
    from mars2.sandbox.batch import judge_tasks

    async with ZygoteSandbox(**options) as sandbox:
        answers = judge_tasks(
            _lines(batch), sandbox, at_once=4 * options["workers"], stop_at_first_failure=not every_test
        )
        async with aclosing(answers):  # where writing fails, what is under way ends before the sandbox does
            async for found in answers:
                if as_json:
                    sys.stdout.write(json.dumps(found) + "\n")
                    sys.stdout.flush()
                else:
                    _print(found)
    if sandbox.num_worker_failures:
        say(f"the judge itself failed {sandbox.num_worker_failures} times; those judgements were repeated")


def _lines(batch: Path) -> Iterator[str]:
    if str(batch) == "-":
        try:
            yield from sys.stdin
        except UnicodeDecodeError:
            raise UserError("judge: standard input is not UTF-8 text; write it as UTF-8") from None
    else:
        yield from _read(batch).split("\n")  # not splitlines: a program may hold any character


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")  # with or without a byte order mark
    except UnicodeDecodeError:
        raise UserError(f"judge: {path} is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise UserError(f"judge: {path}: {error.strerror}; give a readable file") from None


def _print(found: dict[str, Any]) -> None:
    passed = sum(test["verdict"] == "AC" for test in found["tests"])
    total = len(found["tests"])
    head = f"{found['id']}: {found['verdict']}, {passed} of {total} tests passed (isolation {found['tier']})"
    stdout.print(writable(head), markup=False, highlight=False, soft_wrap=True)
    for number, test in enumerate(found["tests"], 1):
        if test["detail"]:
            text = f"  test {number}: {test['verdict']}  {test['detail']}"
            stdout.print(writable(text), markup=False, highlight=False)
