"""Runs assertion tests apart from the candidate: the tester has a jail of its own and calls the candidate by value.

What comes back are plain values, so an object that claims to be equal to everything does not get through, and nothing
the candidate does in its own process can end or skip an assertion.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import os
import threading
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any

from .. import protocol
from ..encoding import EncodingError, decode
from ..program.run_program import assertion_message
from . import by_value, crossing, stand_in

_MODULES = frozenset(
    {"cmath", "collections", "functools", "itertools", "math", "operator", "random", "re", "string", "sys"}
)

_exchange = threading.Lock()
_PLAIN = (int, float, complex, str, bytes, bytearray, list, tuple, set, frozenset, dict, range, Decimal, Fraction)
_PLAIN_ATTRIBUTES = frozenset(
    name
    for kind in (*_PLAIN, Counter, OrderedDict, defaultdict, deque)
    for name in dir(kind)
    if not name.startswith("__")
)


@lru_cache(maxsize=1024)
def called_names(code: str) -> tuple[str, ...] | None:
    """Names of the candidate that a test calls; None if the test does more with it than call it by value.

    Decided from the test alone, never from anything the candidate does.
    """
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    nodes = [*ast.walk(tree)]
    names = [node for node in nodes if isinstance(node, ast.Name)]
    if any(name.id in ("exec", "eval", "globals", "locals", "vars") for name in names):
        return None
    bound = _bound_names(nodes)
    free = {name.id for name in names if name.id not in bound and not hasattr(builtins, name.id)}
    looked_into = {n.value.id for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)} & free
    if not looked_into <= _MODULES:
        return None  # looks into an object of the candidate's
    called = free - looked_into
    if not called:  # what it is about is imported, or named like a builtin
        return None if any(isinstance(node, ast.Call) for node in nodes) else ()
    if _asks_for_an_object(nodes, called):
        return None
    return tuple(sorted(called)) if _only_called(nodes, called) else None


def _bound_names(nodes: list[ast.AST]) -> set[str]:
    """Names that a test gives a value itself."""
    bound: set[str] = set()
    for node in nodes:
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                bound.add(name)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.arg(arg=name):
                bound.add(name)
            case ast.ExceptHandler(name=str(name)):
                bound.add(name)
            case ast.alias(name=name, asname=local):
                bound.add(local or name.split(".")[0])
            case _:
                pass
    return bound


def _only_called(nodes: list[ast.AST], names: set[str]) -> bool:
    """Whether names occur only as `name(…)` or as arguments of a call, as in `check(name)`; and no class is called."""
    allowed: set[int] = set()
    compared: set[int] = set()  # calls whose result is only compared with something of the test's own
    for node in nodes:
        if isinstance(node, ast.Call):
            allowed.add(id(node.func))
            allowed.update(id(argument) for argument in node.args)
            allowed.update(id(keyword.value) for keyword in node.keywords)
        elif isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
            ours = [operand for operand in operands if _calls(operand, names)]
            if len(ours) == 1:
                compared.add(id(ours[0]))
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            may_be_class = node.func.id[:1].isupper()  # its instances could not be carried
            if may_be_class and id(node) not in compared:
                return False
    return all(id(node) in allowed for node in nodes if isinstance(node, ast.Name) and node.id in names)


def _asks_for_an_object(nodes: list[ast.AST], names: set[str]) -> bool:
    """Whether the result of a call is called, awaited, entered, or asked for what no plain value has."""

    def is_result(node: ast.AST) -> bool:
        if isinstance(node, ast.Name):
            return node.id in results
        return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names

    results: set[str] = set()  # names that the test gives to results
    for node in nodes:
        if isinstance(node, ast.Assign) and is_result(node.value):
            results.update(target.id for target in node.targets if isinstance(target, ast.Name))
    for node in nodes:
        match node:
            case ast.Call(func=ast.Attribute()):
                pass
            case ast.Call(func=called) if is_result(called) or (
                not isinstance(called, ast.Name) and any(map(is_result, ast.walk(called)))
            ):
                return True
            case ast.Attribute(value=value, attr=name) if name not in _PLAIN_ATTRIBUTES and is_result(value):
                return True
            case ast.withitem(context_expr=entered) if is_result(entered):
                return True
            case ast.Await() | ast.AsyncFor() | ast.AsyncWith():
                return True
            case _:
                pass
    return False


def _calls(node: ast.AST, names: set[str]) -> bool:
    return any(isinstance(part, ast.Name) and part.id in names for part in ast.walk(node))


def run(code: str, names: tuple[str, ...]) -> Any:
    """Run a test in the tester's process. The report is ("done",), ("error", …), ("candidate",) or ("weak",)."""
    stand_in.forget()
    crossing.forget()
    call, refused, heard = _call, list[str](), list[str]()
    namespace: dict[str, Any] = {"__name__": "__main__", "__builtins__": builtins, **crossing.NAMES}
    for name in _MODULES:
        namespace[name] = importlib.import_module(name)
    for name in names:
        namespace[name] = _proxy(call, name, refused, heard)
    try:
        exec(crossing.compiled(code, protocol.TEST_NAME), namespace)
        report: Any = ("done",)
    except crossing.Crossing:
        report = ("candidate",)
    except BaseException as error:
        report = ("error", type(error).__name__, assertion_message(error, code), "")
    if question := stand_in.asked():  # even if the test caught what it raised
        return ("error", "AssertionError", f"needs more than a plain value: {question}", "")
    unhandled = crossing.unhandled()
    if unhandled is not None and report == ("done",):
        return ("error", "AssertionError", f"the program's {type(unhandled).__name__} went unhandled in the test", "")
    return ("weak",) if refused else report  # and so here


def _call(body: bytes) -> Any:
    """Ask for a call of the candidate's, and wait for what comes of it: one thread of the test at a time."""
    with _exchange:
        os.ftruncate(protocol.BOX, 0)
        protocol.write_all(protocol.BOX, body)
        os.write(protocol.CONTROL, protocol.REPLY.pack(protocol.CALLING, len(body), 0))
        request = os.read(protocol.CONTROL, 64)
        answer = os.pread(protocol.BOX, int.from_bytes(request[1:9], "little"), 0)
    try:
        return decode(answer)
    except EncodingError as error:
        stand_in.fail(f"an answer: {error}")


def _proxy(call: Callable[[bytes], Any], name: str, refused: list[str], heard: list[str]) -> Callable[..., Any]:
    """Stands in for a function of the candidate's.

    `refused` gets its name if arguments cannot be carried, and `heard` if it has answered. What the test passes after
    an answer may be of the candidate's choice, so it cannot have the test run otherwise.
    """

    def proxy(*args: Any, **kwargs: Any) -> Any:
        try:
            passed = by_value.containers((args, kwargs))
            body = by_value.pack_call(name, args, kwargs, passed)
        except EncodingError as error:
            stand_in.fail(f"an argument: {error}")
        except by_value.Uncarriable:
            if heard:
                stand_in.fail("an argument that cannot be carried")
            refused.append(name)
            raise
        heard.append(name)
        match call(body):
            case ("value", bytes(data)):
                try:
                    return by_value.unpack_result(data, passed)
                except Exception as error:  # it may be anything
                    stand_in.fail(f"a returned value: {error}")
            case ("error", str(kind), str(message), _, str(base), bytes(data)):
                raised = by_value.unpack_error(kind, message, base, data)
            case _:
                raised = SystemExit(1)
                setattr(raised, by_value.FROM_CANDIDATE, True)
        raise crossing.crossed(raised)

    proxy.__name__ = name
    return proxy
