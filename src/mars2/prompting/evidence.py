"""What one piece of code shows of itself: what it defines, needs, reads and writes, and whether its end is missing."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from dataclasses import dataclass

from mars2.prompting.python_source import DEFINITIONS, imports_foreign, used_names

INPUT_NAMES = frozenset({"input", "raw_input", "fileinput", "stdin"})
_BUILT_IN = frozenset(dir(builtins)) | {"__name__", "__file__", "__doc__"}
_TEST_NAME = re.compile(r"tests?($|_|[A-Z\d])|check$|Test")
_OTHER_FIELDS = frozenset({"ctx", "op", "ops", "kind", "type_comment", "lineno", "name", "id", "attr", "type_ignores"})
_FIELDS = {
    kind: tuple(name for name in kind._fields if name not in _OTHER_FIELDS or kind is ast.TypeIgnore)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}


@dataclass(frozen=True, slots=True)
class Piece:
    """Code that stands somewhere in an answer."""

    code: str
    place: str  # in words: "block 2"
    is_tagged: bool = True  # meant as Python for sure
    is_closed: bool = True  # ended on purpose, as far as its marks show
    intro: str = ""  # the line of prose in front of it


@dataclass(frozen=True, slots=True)
class Candidate:
    """A piece that is valid Python, perhaps after a repair, and what it shows."""

    piece: Piece
    code: str
    tree: ast.Module
    defines: frozenset[str]  # functions and classes of the top level
    binds: frozenset[str]  # every name of the top level, but not what comes from another file of the answer
    needs: frozenset[str]  # names it uses and does not bind; built-ins left out
    reads: bool
    writes: bool
    stubs: frozenset[str]  # definitions with nothing in them yet
    is_cut: bool  # its end is missing
    is_test: bool  # every definition is a test, or it feeds standard input itself


def candidate(piece: Piece, code: str, tree: ast.Module, *, was_trimmed: bool = False) -> Candidate:
    """`piece`, of which `code` is what parsed: trimmed where its end did not."""
    seen = _Seen()
    seen.look_through(tree)
    foreign = {alias.name for node in tree.body if imports_foreign(node) for alias in node.names}  # type: ignore[attr-defined]
    return Candidate(
        piece,
        code,
        tree,
        defines=frozenset(seen.definitions),
        binds=frozenset(seen.bound_on_top - foreign),
        needs=frozenset(((seen.read - seen.bound) | foreign) - _BUILT_IN),
        reads=seen.reads,
        writes=seen.writes,
        stubs=frozenset(
            name for name, node in seen.definitions.items() if isinstance(node, DEFINITIONS) and _is_empty(node.body)
        ),
        is_test=seen.feeds_input or (bool(seen.definitions) and all(map(is_test_name, seen.definitions))),
        is_cut=not piece.is_closed and (_continues(piece.code[len(code) :]) if was_trimmed else not _ends(tree.body)),
    )


class _Seen:
    """What one pass over a module shows."""

    def __init__(self) -> None:
        self.definitions: dict[str, ast.AST] = {}
        self.bound_on_top: set[str] = set()
        self.bound: set[str] = set()
        self.read: set[str] = set()
        self.reads = False
        self.writes = False
        self.feeds_input = False

    def look_through(self, tree: ast.AST) -> None:
        inner: list[ast.AST] = []  # bodies of functions and classes, looked through last
        stack: list[ast.AST] = [tree]
        self._walk(stack, inner)
        self.bound_on_top = set(self.bound)
        self._walk(inner, None)

    def _walk(self, stack: list[ast.AST], inner: list[ast.AST] | None) -> None:
        while stack:
            node = stack.pop()
            self._look_at(node, on_top=inner is not None)
            into = inner if inner is not None and isinstance(node, (*DEFINITIONS, ast.Lambda)) else stack
            for name in _FIELDS[type(node)]:
                child = getattr(node, name, None)
                if isinstance(child, list):
                    into.extend(item for item in child if isinstance(item, ast.AST))
                elif isinstance(child, ast.AST):
                    into.append(child)

    def _look_at(self, node: ast.AST, *, on_top: bool) -> None:
        match node:
            case ast.Name(id=name):
                (self.read if isinstance(node.ctx, ast.Load) else self.bound).add(name)
                self.reads = self.reads or name in INPUT_NAMES
                self.writes = self.writes or name in {"print", "stdout"}
            case ast.Attribute(attr=name):
                self.reads = self.reads or (name == "stdin" and isinstance(node.ctx, ast.Load))  # set: it is a test
                self.writes = self.writes or name in {"stdout", "write"}
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=[ast.Constant(value=first), *_]):
                self.reads = self.reads or (name in {"open", "fdopen", "read"} and first in (0, "/dev/stdin"))
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                self.bound.add(name)
                if on_top:
                    self.definitions[name] = node
            case ast.Assign(targets=[ast.Attribute(attr="stdin")], value=ast.Call()):
                self.feeds_input = self.feeds_input or not calls(node.value, {"open"})
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Lambda()) if on_top:
                self.definitions[name] = node.value
            case ast.arg(arg=name):
                self.bound.add(name)
            case ast.ExceptHandler(name=str(name)):
                self.bound.add(name)
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                self.bound.add(name)
            case ast.alias():
                self.bound.add(node.asname or node.name.partition(".")[0])
            case _:
                pass


def reads_and_writes(node: ast.AST) -> tuple[bool, bool]:
    """Whether code reads standard input (`input()`, `sys.stdin`, `open(0)`, `fileinput`), and whether it prints."""
    seen = _Seen()
    seen.look_through(node)
    return seen.reads, seen.writes


def runs(tree: ast.Module) -> bool:
    """Whether the module does more than define, import and bind."""
    passive = (*DEFINITIONS, ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)
    return any(
        not isinstance(node, passive)
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        and not is_setup(node)
        for node in tree.body
    )


def is_setup(node: ast.AST) -> bool:
    """Whether it is a call that prepares the interpreter, as ``sys.setrecursionlimit(10**6)``."""
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
        return False
    function = node.value.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in {"setrecursionlimit", "stack_size", "set_int_max_str_digits"}


def is_main_guard(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and any(isinstance(n, ast.Name) and n.id == "__name__" for n in ast.walk(node.test))


def calls(node: ast.AST, names: set[str]) -> bool:
    """Whether it calls a function or method with one of the names."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call):
            function = inner.func
            if (function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")) in names:
                return True
    return False


def is_test_name(name: str) -> bool:
    return _TEST_NAME.match(name) is not None


def _is_empty(body: list[ast.stmt]) -> bool:
    return all(
        isinstance(node, ast.Pass)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        or (isinstance(node, ast.Raise) and used_names(node) == {"NotImplementedError"})
        or (isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _is_empty(node.body))
        for node in body
    )


def _continues(rest: str) -> bool:
    """Whether what was left out behind a program is code, and not a sentence about it."""
    first = next((line for line in rest[:1000].split("\n") if line.strip()), "")[:200]
    if first.lstrip().startswith(("<|", "</", "[/", "**", "- ", "1. ", "###")):
        return False
    return len(re.findall(r"[^\W\d_]{2,}[,.:]? ", first)) < 3 or re.search(r"[=(\[{]", first) is not None


def _ends(body: list[ast.stmt]) -> bool:
    """Whether a body that nothing closed ends where a program ends."""
    last = body[-1] if body else None
    match last:
        case ast.Expr(value=ast.Name() | ast.Constant() | ast.Attribute()) | None:
            return False
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return _leaves(last.body)
        case ast.ClassDef():
            return _ends(last.body)
        case _:
            return not isinstance(last, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.Import | ast.ImportFrom)


def _leaves(body: list[ast.stmt]) -> bool:
    """Whether every way through the body ends in `return` or `raise`, or in output."""
    match body[-1]:
        case ast.Return() | ast.Raise():
            return True
        case ast.If(orelse=[_, *_]) as last:
            return _leaves(last.body) and _leaves(last.orelse)
        case ast.With() | ast.AsyncWith() as last:
            return _leaves(last.body)
        case ast.Try() as last:
            return _leaves(last.finalbody or last.body)
        case ast.Match() as last:
            return _leaves(last.cases[-1].body)
        case ast.While(test=ast.Constant()):
            return True
        case ast.Expr(value=ast.Call()) as last:
            return reads_and_writes(last)[1]
        case _:
            return False


def bare_lines(code: str) -> Iterator[str]:
    """Lines without indentation, comments, and blank ones."""
    for line in code.split("\n"):
        bare = re.sub(r"\s#.*$", "", f" {line}").strip()
        if bare:
            yield bare
