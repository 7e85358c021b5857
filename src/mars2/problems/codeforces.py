"""Codeforces problems of open-r1 (the configuration `verifiable`), whose Python checkers decide where several outputs
are right."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mars2.core.problem import Checker, Comparison, Limits, Problem
from mars2.problems.cases import stdio_tests
from mars2.problems.loaded import Row, RowFault, RowFormat, optional_text, text_field
from mars2.problems.source import parse

_SCRIPT = '''
def check(input, expected, actual):
    """Run a checker that is a script: it reads three files that its arguments name, and prints 1 or 0."""
    import builtins, contextlib, io, sys

    files = {{"input.txt": input, "correct_output.txt": expected, "solution_output.txt": actual}}

    def opened(name, mode="r", *args, **options):
        text = files[str(name)]
        if "b" in mode:
            return io.BytesIO(text.encode(errors="surrogateescape"))
        return io.StringIO(text, newline=None)

    sys.argv = ["checker.py", *files]
    builtins.open = io.open = opened
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        try:
            exec(compile({source!r}, "checker.py", "exec"), {{"__name__": "__main__", "__builtins__": builtins}})
        except (Exception, SystemExit):  # what an answer made it raise is no 1, as with open-r1's own judge
            pass
    return printed.getvalue().strip() == "1"
'''
_PARTS = (("input_format", "Input"), ("output_format", "Output"), ("note", "Note"))


def _to_problem(row: Row, problem_id: str) -> Problem:
    """The examples are public; the official tests that are no examples are hidden.

    Left out are interactive problems, those that read or write files, and those without a way to judge them.
    """
    statement = text_field(row, "description").strip()
    if optional_text(row, "interaction_format").strip():
        raise RowFault("interactive: the program would talk with a judge")
    if (mode := optional_text(row, "input_mode")) not in ("", "stdio"):
        raise RowFault("reads or writes files", f"input_mode is {mode}")
    if row.get("executable") is False:
        raise RowFault("not executable", "the source says that its tests cannot be run; use the verifiable part")
    public = stdio_tests(row, "examples")
    hidden = tuple(test for test in stdio_tests(row, "official_tests") if test not in public)
    if not hidden and not public:
        raise RowFault("no tests")
    title = optional_text(row, "title").strip()
    parts = [f"{name}\n\n{text}" for field, name in _PARTS if (text := optional_text(row, field).strip())]
    return Problem(
        id=problem_id,
        statement="\n\n".join([*([title] if title else []), statement, *parts]),
        public_tests=public,
        hidden_tests=hidden,
        limits=_limits(row),
        comparison=_comparison(row, problem_id),
        metadata={name: row[name] for name in ("rating", "tags", "contest_id") if row.get(name)}
        | {"official_tests_complete": bool(row.get("official_tests_complete"))},
    )


def _comparison(row: Row, problem_id: str) -> Comparison:
    source = optional_text(row, "generated_checker")
    if not source.strip():
        return "tokens"
    if parse(source) is None:
        raise RowFault("malformed checker", "generated_checker: not valid Python")
    return Checker(_SCRIPT.format(source=source), problem_id)


def _limits(row: Row) -> Limits:
    """The row's seconds and megabytes where they are wider than the default: they were set for faster languages."""
    default = Limits()
    return replace(
        default,
        cpu_s=max(default.cpu_s, _number(row, "time_limit")),
        memory_mib=max(default.memory_mib, min(4096, int(_number(row, "memory_limit")))),
    )


def _number(row: Row, name: str) -> float:
    value: Any = row.get(name)
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 3600 * 24:
        raise RowFault("malformed field", f"{name} is not a number of seconds or megabytes")
    return float(value)


def _row_id(row: Row, number: int) -> str:
    return f"codeforces/{row.get('id', f'row-{number}')}"


CODEFORCES = RowFormat("codeforces", _row_id, _to_problem)
"""Rows: id, title, description, input_format, output_format, interaction_format, note, examples, official_tests,
input_mode, generated_checker, time_limit, memory_limit, executable. Ids: "codeforces/1500/A"."""
