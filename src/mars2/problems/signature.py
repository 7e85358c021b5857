"""Reads from the code to complete which values are linked lists and trees, and which argument is changed in place."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from mars2.core.problem import CallTest, Test
from mars2.problems.source import parse_stub

NODES = ("ListNode", "TreeNode")
OPERATIONS = "operations"
KINDS = ("", *NODES, *(f"[{name}]" for name in NODES))
_OPTIONAL = re.compile(r"Optional\[(.*)\]|Union\[(.*),None\]|(.*)\|None|None\|(.*)")
_LIST = re.compile(r"(?:list|List|Sequence|Iterable)\[(.*)\]")
_DOCUMENTED = re.compile(r"^[ \t]*:(?:type[ \t]+(\w+)|(rtype))[ \t]*:[ \t]*(.+?)[ \t]*$", re.MULTILINE)
_MUTABLE = re.compile(r"list|List\b|dict|Dict\b|set\b|Set\b|bytearray|deque|Deque|ListNode|TreeNode")


@dataclass(frozen=True, slots=True)
class Signature:
    """A function as it is to be written. A method's ``self`` is left out."""

    name: str
    is_method: bool  # of class Solution
    parameters: tuple[str, ...]
    num_required: int  # parameters without a default
    annotations: tuple[str, ...]  # of each parameter, without spaces; "" if it has none
    returns: str
    is_coroutine: bool = False

    @property
    def types(self) -> tuple[str, ...]:
        """The types of a `CallTest`: () if all values are plain.

        Raises:
            ValueError: one is an object that cannot be made from plain data.
        """
        kinds = tuple(map(kind_of, (*self.annotations, self.returns)))
        return kinds if any(kinds) else ()

    @property
    def changed(self) -> int | None:
        """Number of the argument that is compared after the call, if the function returns nothing but changes one."""
        if self.returns != "None" or not self.parameters:
            return None
        mutable = (i for i, text in enumerate(self.annotations) if _MUTABLE.match(_required(text)))
        unknown = (i for i, text in enumerate(self.annotations) if not text)
        return next(mutable, next(unknown, None))


def signature(code: str, name: str) -> Signature | None:
    """The signature of the function or method of ``class Solution`` called `name`; None if `code` defines none."""
    tree = parse_stub(code)
    for scope in tree.body if tree else ():
        if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef) and scope.name == name:
            return signature_of(scope, is_method=False)
        if isinstance(scope, ast.ClassDef) and scope.name == "Solution":
            for node in scope.body:
                if isinstance(node, ast.FunctionDef) and node.name == name:
                    return signature_of(node, is_method=True)
    return None


def signature_of(function: ast.FunctionDef | ast.AsyncFunctionDef, *, is_method: bool) -> Signature:
    """The signature, its types read from annotations, or from a docstring with ``:type x: T`` and ``:rtype: T``."""
    given = [*function.args.posonlyargs, *function.args.args]
    num_required = len(given) - len(function.args.defaults)
    if is_method and given and given[0].arg in ("self", "cls"):
        given, num_required = given[1:], num_required - 1
    documented = {m[1] or m[2]: m[3] for m in _DOCUMENTED.finditer(ast.get_docstring(function) or "")}
    return Signature(
        function.name,
        is_method,
        tuple(arg.arg for arg in given),
        num_required,
        tuple(_text(arg.annotation, documented.get(arg.arg, "")) for arg in given),
        _returned(_text(function.returns, documented.get("rtype", ""))),
        isinstance(function, ast.AsyncFunctionDef),
    )


def kind_of(annotation: str) -> str:
    """The type of a `CallTest` for an annotation.

    Raises:
        ValueError: it names a class whose objects cannot be made from plain data.
    """
    needed = _required(annotation)
    if needed in NODES:
        return needed
    if match := _LIST.fullmatch(needed):
        kind = kind_of(match[1])
        if kind.startswith("["):
            raise ValueError("lists of lists of nodes cannot be made")
        return f"[{kind}]" if kind else ""
    unknown = re.search(r"\b(\w*Node|Nested\w+|Interval|Point|Employee)\b", needed)
    if unknown:
        raise ValueError(f"{unknown[1]} objects cannot be made from what is written")
    return ""


def with_types(tests: Sequence[Test], starter_code: str) -> tuple[Test, ...]:
    """`tests`, with the types that `starter_code` declares for calls that have none yet."""
    if "->" not in starter_code and not any(name in starter_code for name in NODES):
        return tuple(tests)
    known: dict[str, Signature | None] = {}
    typed: list[Test] = []
    for test in tests:
        if isinstance(test, CallTest) and not test.types:
            if test.function not in known:
                known[test.function] = signature(starter_code, test.function)
            test = typed_call(test, known[test.function])
        typed.append(test)
    return tuple(typed)


def typed_call(test: CallTest, declared: Signature | None) -> CallTest:
    """`test` with the types that a signature declares; unchanged if its values are plain, or do not fit."""
    if declared is None or len(test.args) != len(declared.parameters):
        return test
    try:
        types = declared.types
    except ValueError:
        return test
    result = types[-1] if types else ""
    if test.expected is not None and (changed := declared.changed) is not None:
        kinds = types[:-1] or ("",) * len(test.args)
        types, result = (*kinds, str(changed)), kinds[changed]
    return replace(test, types=types, expected=_normal(result, test.expected)) if types else test


def types_fault(types: tuple[str, ...], args: tuple[Any, ...]) -> str:
    """What is wrong with the types of a call, and the remedy; "" if nothing is."""
    if types[0] == OPERATIONS:
        fits = len(args) == 2 and all(isinstance(arg, list) for arg in args) and len(args[0]) == len(args[1])
        wrong = [kind for kind in types[1:] if kind not in KINDS]
        return "" if fits and not wrong else "operations take two lists of one length: names, and lists of arguments"
    *kinds, result = types
    if len(kinds) != len(args):
        return f"give one for each argument and one for the result: {len(args) + 1}, got {len(types)}"
    if result.isdecimal() and int(result) >= len(args):
        return f'"{result}" is no argument; they are counted from 0'
    wrong = next((kind for kind in (*kinds, result) if kind not in KINDS and not kind.isdecimal()), None)
    return "" if wrong is None else f'unknown type "{wrong[:40]}"; write one of {", ".join(KINDS[1:])}, or ""'


def _normal(kind: str, value: Any) -> Any:
    """Lists and trees in the one form in which results are compared: none is empty, no None ends a tree."""
    if kind.startswith("[") and isinstance(value, list):
        return [_normal(kind[1:-1], item) for item in value]
    if kind not in NODES:
        return value
    values = list(value) if isinstance(value, list | tuple) else [] if value is None else value
    while kind == "TreeNode" and isinstance(values, list) and values and values[-1] is None:
        values.pop()
    return values


def _required(annotation: str) -> str:
    """The annotation without Optional."""
    while match := _OPTIONAL.fullmatch(annotation):
        annotation = next(part for part in match.groups() if part is not None)
    return annotation


def _returned(annotation: str) -> str:
    """Old stubs of LeetCode document "void Do not return anything"."""
    return "None" if annotation.startswith(("void", "NoneDo", "None.")) else annotation


def _text(annotation: ast.expr | None, documented: str) -> str:
    text = documented if annotation is None else ast.unparse(annotation)
    return re.sub(r"\btyping\.|[\s'\"]", "", text)
