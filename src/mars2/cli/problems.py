"""``mars2 problems``: see a problem as an agent does, check a file of problems, convert any known format to JSONL."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mars2.cli.output import print_json, run_async, say, stdout, write
from mars2.cli.parameters import JsonOption
from mars2.core.errors import ProblemError, UserError
from mars2.core.foreign_text import block, named, printable, quoted
from mars2.core.problem import Problem

if TYPE_CHECKING:
    from mars2.jobs.references import Checked

HELP = "Show, validate and convert problems."
REFERENCE = (
    "humaneval, mbpp:FILE, livecodebench:FILE, a .jsonl file, a folder, a problem file; see docs/problem-format.md."
)
SHOW = """Print a problem as an agent sees it, and how many tests it has.

Example:

    mars2 problems show humaneval:17
"""
VALIDATE = """Check problems: what is kept, what is dropped and why, and how many tests there are.

Reference solutions that come with them are judged.

Exit code 1 if a problem is dropped or a reference solution fails.

Examples:

    mars2 problems validate my-problems.jsonl

    mars2 problems validate "livecodebench:lcb/?version=v6&from=2025-01" --json
"""
CONVERT = """Write problems of any known format as the project's own JSONL.

Examples:

    mars2 problems convert mbpp:mbpp.jsonl problems.jsonl

    mars2 problems convert humanevalplus:HumanEvalPlus.jsonl.gz right.jsonl --check-references
"""
READ = """Print what is read from a pasted statement: what is asked for, the examples, what is left out.

STATEMENT is a text file, or `-` for standard input. `mars2 solve` and `mars2 serve` read statements in the same way.

Examples:

    mars2 problems read statement.txt

    mars2 problems read - --json < statement.txt
"""
_SHOWN_CHARS = 2_000  # of a test


def register(app: typer.Typer) -> None:
    group = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode="markdown")
    group.command(help=SHOW)(show)
    group.command(help=VALIDATE)(validate)
    group.command(help=CONVERT)(convert)
    group.command(help=READ)(read)
    app.add_typer(group, name="problems")


def show(
    problem: Annotated[str, typer.Argument(help=REFERENCE)],
    role: Annotated[str, typer.Option(help="The role of the agent: a shipped one, or a text file.")] = "",
    as_json: JsonOption = False,
) -> None:
    from mars2.build import build_prompter
    from mars2.config.prompting import ChatPromptingConfig
    from mars2.problems import load_problems
    from mars2.prompting.roles import load_role

    loaded = load_problems(problem)
    if not loaded.problems:
        raise ProblemError(f"{loaded.summary()}; nothing to show")
    first = loaded.problems[0]
    prompt = build_prompter(ChatPromptingConfig()).first_attempt(first, load_role(role))
    facts = _facts(first)
    if as_json:
        print_json(facts | {"prompt": [{"role": m.role, "content": m.content} for m in prompt]})
        return
    stdout.rule(f"{named(first.id)}: what an agent is asked")
    for message in prompt:
        stdout.print(f"[{message.role}]", style="dim")
        write(block(message.content))
    stdout.rule("not shown to agents")
    limits = first.limits
    stdout.print(
        f"{facts['num_public']} public and {facts['num_hidden']} hidden tests, "
        f"limits {limits.cpu_s:g} s CPU, {limits.memory_mib} MiB"
    )
    stdout.print(f"comparison {facts['comparison']}: {facts['rule']}", soft_wrap=True, highlight=False)
    if len(loaded.problems) > 1:
        say(f"the first of {len(loaded.problems)}; for another one add its id, as in {problem}:ID")


def validate(
    problems: Annotated[str, typer.Argument(help=REFERENCE)],
    judge: Annotated[bool, typer.Option("--judge/--no-judge", help="Judge reference solutions.")] = True,
    workers: Annotated[int, typer.Option(min=1, help="Programs judged at once.")] = 2,
    as_json: JsonOption = False,
) -> None:
    from mars2.problems import validate as check

    loaded = check(problems)
    checked = run_async(_checked(loaded.problems, workers if judge else 0), when_interrupted="interrupted")
    judged = [c for c in checked if c.status is not None]
    wrong = [c for c in judged if c.fails]
    if as_json:
        print_json({
            "source": loaded.source,
            "kept": len(loaded.problems),
            "dropped": [{"id": d.id, "reason": d.reason, "detail": d.detail} for d in loaded.dropped],
            "reference_solutions": len(judged),
            "reference_solutions_failed": [{"id": c.id, "verdict": c.status, "detail": c.detail} for c in wrong],
            "problems": [asdict(c) for c in checked],
        })  # fmt: skip
    else:
        stdout.print(loaded.summary(), soft_wrap=True)
        for dropped in loaded.dropped:
            detail = f": {quoted(dropped.detail)}" if dropped.detail else ""
            stdout.print(f"  {named(dropped.id)}: {dropped.reason}{detail}", soft_wrap=True)
        _print_quality(checked)
        for failed in wrong:
            stdout.print(f"  {named(failed.id)}: {failed.status}: {quoted(failed.detail)}", soft_wrap=True)
    if not loaded.problems and not loaded.dropped:
        raise ProblemError(f"{problems}: holds no problems")
    if loaded.dropped or wrong:
        raise typer.Exit(1)


def convert(
    problems: Annotated[str, typer.Argument(help=REFERENCE)],
    target: Annotated[Path, typer.Argument(help="The .jsonl file to write.")],
    check_references: Annotated[
        bool, typer.Option("--check-references", help="Leave out problems whose reference solution fails.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Programs judged at once.")] = 2,
    as_json: JsonOption = False,
) -> None:
    from mars2.jobs.references import without_failing
    from mars2.problems import convert as convert_to
    from mars2.problems import load_problems

    if target.suffix != ".jsonl":
        raise UserError(f"TARGET: must end in .jsonl, got {target}; for example problems.jsonl")
    if target.exists():
        raise UserError(f"TARGET: {target} exists; choose another name")
    loaded = load_problems(problems)
    if check_references:
        checked = run_async(_checked(loaded.problems, workers), when_interrupted="interrupted")
        loaded = without_failing(loaded, checked)
    loaded = convert_to(loaded, target)
    if not loaded.problems:
        target.unlink()
        raise ProblemError(f"{loaded.summary()}; nothing to write")
    if as_json:
        dropped = [{"id": d.id, "reason": d.reason, "detail": d.detail} for d in loaded.dropped]
        print_json({"source": loaded.source, "target": str(target), "kept": len(loaded.problems), "dropped": dropped})
        return
    say(loaded.summary())
    say(f"written: {target}")


def read(
    statement: Annotated[str, typer.Argument(help="A text file, or - for standard input.")],
    entry_point: Annotated[str | None, typer.Option(help="The function or Solution.METHOD, if it is known.")] = None,
    as_json: JsonOption = False,
) -> None:
    from mars2.problems.reading import read_text
    from mars2.problems.schema import is_function_name
    from mars2.problems.statement import read_statement
    from mars2.prompting.feedback import describe_test

    if entry_point is not None and not is_function_name(entry_point):
        raise UserError(f"--entry-point: must be a function's name, or Solution.METHOD, got {entry_point!r:.60}")
    found = read_statement(_standard_input() if statement == "-" else read_text(Path(statement)), entry_point)
    facts = found.to_dict()
    if as_json:
        print_json(facts)
        return
    kinds = {"stdin": "a program that reads standard input", "function": "the function", "class": "the class"}
    stdout.print(f"asked for: {kinds[found.kind]} {found.entry_point or ''}".rstrip())
    for name, unit in (("time_s", "s"), ("memory_mib", "MiB")):
        if facts["stated_limits"][name] is not None:
            stdout.print(f"the statement's limit: {facts['stated_limits'][name]:g} {unit}")
    stdout.print(f"tests: {len(found.tests)}, comparison {facts['comparison'] or 'a checker'}")
    for number, test in enumerate(found.tests, 1):
        write(f"test {number}:\n{block(describe_test(test, _SHOWN_CHARS))}")
    for left in found.left_out:
        stdout.print(f"left out: {printable(left.what)}: {printable(left.why)}", soft_wrap=True)


def _standard_input() -> str:
    if sys.stdin is None:
        raise UserError("STATEMENT: standard input is closed; name a file or pipe the statement in")
    try:
        text = sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError("STATEMENT: standard input is not UTF-8 text; write it as UTF-8") from None
    if not text.strip():
        raise UserError("STATEMENT: standard input is empty; pipe the statement in")
    return text


def _facts(problem: Problem) -> dict[str, Any]:
    from mars2.sandbox.worker.supervisor.comparison import RULES

    named = problem.comparison if isinstance(problem.comparison, str) else None
    return {
        "id": problem.id,
        "num_public": len(problem.public_tests),
        "num_hidden": len(problem.hidden_tests),
        "entry_point": problem.entry_point,
        "comparison": named or "checker",
        "rule": RULES[named] if named else "the problem's own function check(input, expected, actual) decides",
    }


def _print_quality(checked: Sequence[Checked]) -> None:
    """How many tests there are, and what the reference solutions say of them."""
    for part, counts in (("public", [c.num_public for c in checked]), ("hidden", [c.num_hidden for c in checked])):
        if counts:
            none = f"; {counts.count(0)} problems have none" if 0 in counts else ""
            stdout.print(f"{part} tests: {min(counts)} to {max(counts)}, median {median(counts):g}{none}")
    judged = [c for c in checked if c.status is not None]
    if judged:
        right = [c for c in judged if not c.fails]
        stdout.print(f"{len(right)} of {len(judged)} reference solutions pass every test")
        if weak := sum(c.num_weak > 0 for c in right):
            stdout.print(f"{weak} of them in tests that are weak, see docs/sandbox.md")
        if right:
            slowest = max(right, key=lambda c: c.cpu_s)
            stdout.print(f"CPU seconds of all tests: median {median(c.cpu_s for c in right):.2g}, "
                         f"most {slowest.cpu_s:.2g} ({named(slowest.id)})")  # fmt: skip


async def _checked(problems: Sequence[Problem], workers: int) -> list[Checked]:
    """Every problem; with no workers, or no reference solution anywhere, only the tests are counted."""
    from mars2.build.sandbox import local_sandbox
    from mars2.jobs.references import check_references, references_of, unchecked

    if not workers or not any(map(references_of, problems)):
        return [*map(unchecked, problems)]
    async with local_sandbox(workers) as sandbox:
        return await check_references(problems, sandbox, at_once=2 * workers)
