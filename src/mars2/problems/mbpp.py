"""MBPP (arXiv:2108.07732) from its JSON lines: the first assert is public, the others and the challenge hidden."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Callable

from mars2.core.problem import AssertTest, CallTest, Limits, Problem, Test
from mars2.problems.evalplus import plus_tests
from mars2.problems.evalplus_tests import LIMITS, NOT_NONE_TASKS
from mars2.problems.examples import literal, literal_call
from mars2.problems.loaded import Row, RowFault, RowFormat, optional_text, reference_solution, text_field
from mars2.problems.source import parse, readable


def _row_id(name: str) -> Callable[[Row, int], str]:
    """Ids `name`/NUMBER; EvalPlus writes the number as "Mbpp/511"."""
    return lambda row, number: f"{name}/{str(row.get('task_id', f'row-{number}')).removeprefix('Mbpp/')}"


def _to_problem(row: Row, problem_id: str) -> Problem:
    """A public ``assert f(literals) == literal`` becomes a `CallTest`, so that feedback can show what the program
    returned. Hidden asserts are kept unchanged, each after the row's set-up code. In a row of EvalPlus the hidden tests
    are EvalPlus's.
    """
    text = text_field(row, "text", "prompt")
    if "task_id" not in row:
        raise RowFault("missing field", "task_id")
    code, asserts = optional_text(row, "code"), _strings(row, "test_list")
    if "plus_input" in row:  # a release file: the prompt is a docstring, with the statement and then an assert
        text, asserts = _text_and_asserts(text)
        code = optional_text(row, "canonical_solution")
    if not asserts:
        raise RowFault("no tests")
    entry_point = optional_text(row, "entry_point") or entry_point_of(asserts, code)
    plus = plus_tests(row, entry_point or "", code)
    setup = "\n".join([optional_text(row, "test_setup_code"), *_strings(row, "test_imports")]).strip()
    hidden = [*asserts[1:], *_strings(row, "challenge_test_list")]
    return Problem(
        id=problem_id,
        statement=text.strip(),
        public_tests=(_public_test(asserts[0], setup),),
        hidden_tests=plus or tuple(_assert_test(code, setup) for code in hidden),
        entry_point=entry_point,
        limits=LIMITS if plus else Limits(),
        metadata={"task_id": row["task_id"]} | reference_solution(code),
    )


def _text_and_asserts(prompt: str) -> tuple[str, list[str]]:
    text = prompt.strip().strip('"')
    start = next((match.start() for match in re.finditer(r"^assert\b", text, re.MULTILINE)), len(text))
    tree = parse(text[start:])
    return text[:start], [ast.unparse(node) for node in tree.body if isinstance(node, ast.Assert)] if tree else []


def entry_point_of(asserts: list[str], code: str = "") -> str | None:
    """The function that the asserts are about: one that `code` defines, else the first that is not a built-in."""
    defined = {node.name for node in _nodes(code) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    called = [
        node.func.id
        for text in asserts
        for node in _nodes(text)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    known = [name for name in called if name in defined]
    return next(iter(known or [name for name in called if not hasattr(builtins, name)]), None)


def _public_test(code: str, setup: str) -> Test:
    tree = parse(code)
    match tree.body if tree else []:
        case [ast.Assert(test=ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]))] if not setup:
            call, value = literal_call(left), literal(right)
            if call is not None and value is not None:
                return CallTest(*call, value[0])
    return _assert_test(code, setup)


def _assert_test(code: str, setup: str) -> AssertTest:
    """The assert after the set-up code. Where it asks whether there is a match object, which cannot be carried out of
    the program's jail, it asks whether there is an object.
    """
    tree = parse(code)
    match tree.body if tree else []:
        case [ast.Assert(test=ast.Call(func=ast.Name(id=name)) as call)] if name in NOT_NONE_TASKS:
            plain = "bool, int, float, str, list, tuple, set, dict"
            code = f"found = {ast.unparse(call)}\nassert found if type(found) in ({plain}) else found is not None"
        case _:
            pass
    return AssertTest(f"{setup}\n{code}" if setup else code)


def _nodes(code: str) -> list[ast.AST]:
    """Every node of `code`, outermost first; [] if it does not parse."""
    tree = parse(code)
    return list(ast.walk(tree)) if tree else []


def _strings(row: Row, name: str) -> list[str]:
    texts = row.get(name) or []
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise RowFault("malformed field", f"{name} is not a list of texts")
    return [readable(text.replace("\r\n", "\n").strip()) for text in texts if text.strip()]


MBPP = RowFormat("mbpp", _row_id("mbpp"), _to_problem)
"""Rows: text, code, task_id, test_setup_code, test_list, challenge_test_list; or the sanitized edition's prompt,
task_id, test_imports, test_list; or EvalPlus's. Ids: "mbpp/511"."""

MBPP_PLUS = RowFormat("mbppplus", _row_id("mbppplus"), _to_problem)
"""Rows: task_id, prompt, and code, test_imports, test_list, test or canonical_solution, entry_point, base_input,
plus_input, atol. Ids: "mbppplus/511"."""
