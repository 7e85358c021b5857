"""Brings a candidate's exception only to handlers that the test itself wrote: nothing else in the test may act on it.

In plain Python a `StopIteration` of the candidate's ends the loop of `all(map(f, …))`, an `AttributeError` answers
`hasattr`, and the test passes. Here the exception travels inside a `Crossing`, which no loop and no library handler
takes for its own. A `try` with handlers and a `with` statement of the test unwrap it, and wrap it again if it leaves.
"""

from __future__ import annotations

import ast
import sys
import types
from functools import cache
from typing import Any

REPORT = "_report_of_candidate"  # attribute of an exception that came out of a call
_open: list[BaseException] = []  # raised in this test, and not yet given to a handler of the test
_failed: list[str] = []  # messages of assertions

_Compound = ast.Try | ast.TryStar | ast.With | ast.AsyncWith


class Crossing(BaseException):
    """Carries an exception of the candidate's through the test."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


def forget() -> None:
    """Start another test."""
    _open.clear()
    _failed.clear()


def remember(message: str) -> None:
    """An assertion of the test failed while the program called it; the program may have caught that."""
    _failed.append(message)


def lost() -> str:
    """What went wrong in the test without ending it; "" if nothing did."""
    if _open:
        return f"the program's {type(_open[0]).__name__} went unhandled in the test"
    return _failed[0] if _failed else ""


def crossed(error: BaseException) -> Crossing:
    """What to raise in the test for an exception of the candidate's."""
    if not _is_open(error):
        _open.append(error)
    return Crossing(error)


def compiled(tree: ast.Module, code: str, name: str) -> types.CodeType:
    """The code of a test, with its `try` and `with` statements made to meet the candidate's exceptions.

    It is run with the names of `NAMES`, which no test can use.
    """
    if "unittest" in code:
        _meet_unittest()
    if any(word in code for word in ("try", "with", "exception")):
        tree = ast.fix_missing_locations(_Meeting().visit(tree))
    return compile(tree, name, "exec", dont_inherit=True)


@cache
def _meet_unittest() -> None:
    """Have `assertRaises(Error, function)` told of the candidate's exceptions: the library calls the function."""
    from unittest import case

    leave = case._AssertRaisesContext.__exit__  # type: ignore[attr-defined]

    def leave_unwrapped(context: Any, kind: Any, error: Any, trace: Any) -> bool:
        if not isinstance(error, Crossing):
            return leave(context, kind, error, trace)
        is_expected = leave(context, type(error.error), error.error, trace)
        if is_expected:
            close(error.error)
        return is_expected

    case._AssertRaisesContext.__exit__ = leave_unwrapped  # type: ignore[attr-defined]


def _is_open(error: BaseException | None) -> bool:
    return any(error is one for one in _open)


def _unwrapped() -> BaseException:
    """The exception inside the `Crossing` being handled."""
    crossing = sys.exception()
    assert isinstance(crossing, Crossing)
    return crossing.error


def _told() -> BaseException:
    """As `_unwrapped`, for a context manager, which handles what it is told of or lets it pass."""
    error = _unwrapped()
    close(error)
    return error


def _handled() -> None:
    """A handler of the test's has begun."""
    close(sys.exception())


def close(error: BaseException | None) -> None:
    """An exception of the candidate's was given to who asked for it."""
    handled = error.exceptions if isinstance(error, BaseExceptionGroup) else (error,)  # by `except*`
    _open[:] = [one for one in _open if not any(one is other for other in handled)]


def _taken(result: Any) -> Any:
    """What the test asked to be given in place of exceptions raised."""
    if isinstance(result, list):
        return [*map(_taken, result)]
    if not isinstance(result, Crossing):
        return result
    close(result.error)
    return result.error


def _cross_again() -> None:
    """An exception leaves a statement that unwraps."""
    error = sys.exception()
    if error is not None and hasattr(error, REPORT):
        raise crossed(error) from None


NAMES = {
    "<Crossing>": Crossing,
    "<BaseException>": BaseException,
    "<unwrapped>": _unwrapped,
    "<told>": _told,
    "<handled>": _handled,
    "<cross again>": _cross_again,
    "<taken>": _taken,
}


def _call(name: str, *args: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), [*args], [])


class _Meeting(ast.NodeTransformer):
    def visit_Try(self, node: ast.Try) -> ast.AST:
        return self._with_handlers(node)

    def visit_TryStar(self, node: ast.TryStar) -> ast.AST:
        return self._with_handlers(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        match node:
            case ast.Call(func=ast.Attribute(attr="exception"), args=[]):
                return ast.copy_location(_call("<taken>", node), node)
            case _:
                return node

    def visit_Await(self, node: ast.Await) -> ast.AST:
        self.generic_visit(node)
        match node.value:
            case ast.Call(keywords=keywords) if any(word.arg == "return_exceptions" for word in keywords):
                return ast.copy_location(_call("<taken>", node), node)
            case _:
                return node

    def visit_With(self, node: ast.With) -> ast.AST:
        self.generic_visit(node)
        return _surrounded(node, "<told>")

    def visit_AsyncWith(self, node: ast.AsyncWith) -> ast.AST:
        self.generic_visit(node)
        return _surrounded(node, "<told>")

    def _with_handlers(self, node: ast.Try | ast.TryStar) -> ast.AST:
        self.generic_visit(node)
        if not node.handlers:
            return node
        for handler in node.handlers:
            handler.body.insert(0, ast.copy_location(ast.Expr(_call("<handled>")), handler))
        return _surrounded(node, "<unwrapped>")


def _surrounded(node: _Compound, unwrap: str) -> ast.AST:
    """The statement, unwrapping what its body raises, and wrapping it again if it leaves the statement."""
    raised = ast.Raise(_call(unwrap), None)
    inner = ast.Try(node.body, [ast.ExceptHandler(ast.Name("<Crossing>", ast.Load()), None, [raised])], [], [])
    node.body = [ast.copy_location(inner, node)]
    leaving: list[ast.stmt] = [ast.Expr(_call("<cross again>")), ast.Raise(None, None)]
    outer = ast.Try([node], [ast.ExceptHandler(ast.Name("<BaseException>", ast.Load()), None, leaving)], [], [])
    return ast.copy_location(outer, node)
