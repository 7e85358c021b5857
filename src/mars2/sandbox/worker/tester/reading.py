"""What the text of an assertion test says: which functions of the candidate it calls, and what it sets for them.

All of it is decided from the test alone, never from anything the candidate does.
"""

from __future__ import annotations

import ast
import builtins
import re
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

MODULES = frozenset(
    {"cmath", "collections", "functools", "itertools", "math", "operator", "random", "re", "string", "sys"}
)

_PLAIN = (int, float, complex, str, bytes, bytearray, list, tuple, set, frozenset, dict, range, Decimal, Fraction)
_PLAIN_ATTRIBUTES = frozenset(
    name
    for kind in (*_PLAIN, Counter, OrderedDict, defaultdict, deque)
    for name in dir(kind)
    if not name.startswith("__")
)
_ARRAY_ATTRIBUTES = """
    T all any argmax argmin argsort astype cumsum diagonal dot dtype flat flatten item itemsize max mean min nbytes ndim
    nonzero prod ravel reshape round shape size sort squeeze std sum swapaxes tobytes tolist trace transpose var
"""
_OF_NAMES = """
    delattr dir getattr hasattr id inspect isclass iscoroutinefunction isfunction isinstance issubclass setattr
    signature type vars
"""  # functions that look into what a name stands for
_MODULES_OF_FILES = ("glob", "shutil", "sqlite3", "subprocess", "tempfile")
_OF_FILES = ("chdir", "exists", "getsize", "isdir", "isfile", "listdir", "makedirs", "mkdir", "read_text", "rmdir")
_OF_FILES += ("scandir", "touch", "unlink", "write_text")
_OF_LOGS = ("assertLogs", "assertNoLogs", "assertWarns", "assertWarnsRegex")
_OF_LOOPS = ("Barrier", "Condition", "Event", "Lock", "Queue", "Semaphore", "cancel", "timeout", "wait", "wait_for")
_OF_RESULTS = ("asdict", "astuple", "dataclasses")  # and into a result, more than plain values have


@lru_cache(maxsize=1024)
def called_names(code: str) -> tuple[str, ...] | None:
    """Names of the candidate that a test calls; None if the test does more with it than call it by value."""
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
    if any(_shares_a_process(node, "asyncio" in code) for node in nodes):
        return None
    looked_into = {n.value.id for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)} & free
    if not looked_into <= MODULES:
        return None  # looks into an object of the candidate's
    called = free - looked_into
    if not called:  # what it is about is imported, or named like a builtin
        return None if any(isinstance(node, ast.Call) for node in nodes) else ()
    attributes = _PLAIN_ATTRIBUTES.union(_ARRAY_ATTRIBUTES.split()) if "numpy" in code else _PLAIN_ATTRIBUTES
    if _asks_for_an_object(nodes, called, attributes):
        return None
    return tuple(sorted(called)) if _only_called(nodes, called) else None


def _bound_names(nodes: list[ast.AST]) -> set[str]:
    """Names that a test gives a value itself."""
    bound: set[str] = set()
    for node in nodes:
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                bound.add(name)
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
                | ast.arg(arg=name)
            ):
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
            if _name_of(node.func) not in _OF_NAMES.split():
                allowed.update(id(argument) for argument in (*node.args, *(word.value for word in node.keywords)))
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            allowed.update(map(id, node.decorator_list))
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


def _asks_for_an_object(nodes: list[ast.AST], names: set[str], attributes: frozenset[str]) -> bool:
    """Whether the result of a call is entered, looked into, or asked for what no plain value has."""

    def is_result(node: ast.AST) -> bool:
        match node:
            case ast.Name(id=name):
                return name in results
            case ast.Await(value=awaited):
                return is_result(awaited)
            case ast.Call(func=ast.Attribute(attr="run" | "run_until_complete"), args=[awaited, *_]):
                return is_result(awaited)
            case ast.Call(func=ast.Name(id=name)) if name in names:
                return True
            case ast.Call(func=called):
                return is_result(called)
            case _:
                return False

    results: set[str] = set()  # names that the test gives to results
    for _ in range(2):  # of results of results
        for node in nodes:
            decorators = node.decorator_list if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) else ()
            if any(is_result(d) or (isinstance(d, ast.Name) and d.id in names) for d in decorators):
                results.add(getattr(node, "name", ""))
            if isinstance(node, ast.Assign) and is_result(node.value):
                results.update(target.id for target in node.targets if isinstance(target, ast.Name))
    for node in nodes:
        match node:
            case ast.Attribute(value=value, attr=name) if name not in attributes and is_result(value):
                return True
            case ast.withitem(context_expr=entered) if is_result(entered):
                return True
            case ast.Call(func=called, args=args) if _name_of(called) in _OF_RESULTS and any(map(is_result, args)):
                return True
            case _:
                pass
    return False


def _name_of(called: ast.AST) -> str:
    """The last name of what is called, or that of its module where this says enough."""
    match called:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name(id="inspect" | "dataclasses" as module)):
            return module
        case ast.Attribute(attr=name):
            return name
        case _:
            return ""


def _calls(node: ast.AST, names: set[str]) -> bool:
    return any(isinstance(part, ast.Name) and part.id in names for part in ast.walk(node))


def _shares_a_process(node: ast.AST, is_async: bool) -> bool:
    """Whether it uses what only one process has: files, an event loop, logs and warnings, the program's own module."""
    match node:
        case ast.Constant(value=str(path)):
            return path.startswith(("__main__.", "solution."))
        case ast.Call(func=ast.Name(id="open" | "Path")):
            return True
        case ast.Call(func=called, keywords=keywords):
            return _name_of(called) == "catch_warnings" and any(word.arg == "record" for word in keywords)
        case ast.alias(name=name):
            return name in _MODULES_OF_FILES
        case ast.Attribute(attr=name):
            return name in _OF_FILES or name in _OF_LOGS or (is_async and name in _OF_LOOPS)
        case _:
            return False


@lru_cache(maxsize=1024)
def missing_package(code: str) -> str:
    """A package that a test imports outside of any `try` and that no jail has; "" if there is none, or no syntax."""
    try:
        waiting: list[ast.AST] = [ast.parse(code)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    while waiting:
        node = waiting.pop()
        names: list[str] = []
        match node:
            case ast.Import():
                names = [alias.name for alias in node.names]
            case ast.ImportFrom(module=str(module), level=0):
                names = [module]
            case ast.Try():
                pass
            case _:
                waiting += ast.iter_child_nodes(node)
        for root in (name.split(".")[0] for name in names):
            if root not in sys.stdlib_module_names and root not in ("__main__", "numpy", "solution"):
                return root
    return ""


class Sets(NamedTuple):
    """What a test may set for the program."""

    names: tuple[str, ...]  # of its own globals that it never reads
    places: tuple[tuple[str, str], ...]  # modules and attributes of the library
    seeds: tuple[str, ...]  # modules whose generators it may seed
    states: tuple[str, ...]  # of the library, see `called.STATES`


def what_it_sets(tree: ast.Module) -> Sets:
    """Read it from a test's syntax tree."""
    nodes = [*ast.walk(tree)]
    read = Counter(node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load))
    read = {*(read - Counter(name for name in map(_changes, nodes) if name))}
    bound = {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
    waiting: list[ast.AST] = [*tree.body]
    while waiting:
        node = waiting.pop()
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                bound.add(name)
            case ast.ClassDef():
                pass
            case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
                bound.update(n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
            case _:
                waiting += [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]
    used = read | {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    seeds = () if used.isdisjoint({"seed", "setstate", "set_state"}) else ("random", "numpy.random")
    states = tuple(used & {"environ", "getcontext", "setrecursionlimit"})
    return Sets(tuple(sorted(bound - read - {"_"})), tuple(sorted(_places(nodes))), seeds, states)


def _changes(node: ast.AST) -> str | None:
    """The name of what a part of a test only changes: `name[key] = …`, `name.attribute = …`, `name.append(…)`."""
    match node:
        case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
            return name
        case ast.Attribute(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
            return name
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name)))):
            return name
        case _:
            return None


def _places(nodes: list[ast.AST]) -> set[tuple[str, str]]:
    """Attributes of modules that it may patch."""
    modules = {name: name for name in MODULES}
    for node in nodes:
        if isinstance(node, ast.Import):
            modules |= {alias.asname or alias.name: alias.name for alias in node.names}
    places = {("sys", "stdin"), ("sys", "stdout"), ("sys", "stderr")}
    for node in nodes:
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=attribute, ctx=ast.Store()) if name in modules:
                places.add((modules[name], attribute))
            case ast.Call(args=[ast.Name(id=name), ast.Constant(value=str(attribute)), *_]) if name in modules:
                places.add((modules[name], attribute))
            case ast.Constant(value=str(path)) if re.fullmatch(r"[A-Za-z_]\w*(\.\w+)+", path):
                places.add((path.rpartition(".")[0], path.rpartition(".")[2]))
            case _:
                pass
    return {place for place in places if place[0].split(".")[0] in sys.stdlib_module_names}
