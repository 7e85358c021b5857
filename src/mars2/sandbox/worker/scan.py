"""Decides which programs may run several tests in one process: those that provably leave nothing behind.

An allow-list, read off the syntax tree before any of the program has run. A program outside of it is not wrong, it is
only given a fresh process for every test. What the tree cannot show (an attribute set on a library class through a
variable) is caught after each test by `Sentinels`.
"""

from __future__ import annotations

import ast
import importlib

from .sentinels import ANY, PURE

_STAR_IMPORTED = frozenset({"collections", "functools", "string", "typing"})  # modules that say what `*` is
_REPLACEABLE = frozenset({"stdin", "stdout"})  # attributes of sys that a program may assign; they are restored
_FORBIDDEN_NAMES = frozenset(
    {"__builtins__", "__import__", "__loader__", "__spec__", "breakpoint", "compile", "copyright", "credits", "delattr"}
    | {"eval", "exec", "getattr", "globals", "help", "license", "locals", "setattr", "vars"}
)
_FORBIDDEN_ATTRIBUTES = frozenset(
    {"ag_frame", "cr_frame", "cr_origin", "f_back", "f_builtins", "f_code", "f_globals", "f_locals", "gi_code"}
    | {"gi_frame", "mro", "tb_frame", "tb_next"}
)
_ALLOWED_DUNDERS = frozenset({"__init__", "__name__", "__len__", "__getitem__"})


def modules_if_stateless(tree: ast.Module) -> frozenset[str] | None:
    """The library modules a program uses, if it may share a process with its next test; else None."""
    scan = _Scan()
    return frozenset(scan.used) if scan.passes([*ast.walk(tree)]) else None


class _Scan:
    def __init__(self) -> None:
        self.used: set[str] = set()
        self.modules: dict[str, str] = {}  # local name -> module
        self.imported: set[str] = set()  # names imported from modules
        self.forbidden: set[str] = {*_FORBIDDEN_NAMES}

    def passes(self, nodes: list[ast.AST]) -> bool:
        imports = [node for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom))]
        if not all(map(self._import, imports)):
            return False
        bases = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}  # names only looked into
        if any(isinstance(node, ast.Name) and node.id == "type" for node in nodes) and any(map(_sets_attribute, nodes)):
            return False  # type(x).attribute = … reaches classes that have no name here
        return all(self._allowed(node, bases) for node in nodes)

    def _import(self, node: ast.Import | ast.ImportFrom) -> bool:
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name not in PURE:
                    return False
                self.modules[alias.asname or alias.name] = alias.name
                self.used.add(alias.name)
            return True
        pure = PURE.get(node.module or "")
        if pure is None or node.level:
            return False
        self.used.add(node.module or "")
        for alias in node.names:
            if alias.name == "*":
                if pure is not ANY and not self._import_all(node.module or "", pure):
                    return False
            elif pure is not ANY and alias.name not in pure:
                return False
            self.imported.add(alias.asname or alias.name)
        return True

    def _import_all(self, module: str, pure: frozenset[str]) -> bool:
        """`from module import *`: what it brings beyond the allowed names may not be used."""
        if module not in _STAR_IMPORTED:
            return False
        self.forbidden |= {*importlib.import_module(module).__all__} - pure
        return True

    def _allowed(self, node: ast.AST, bases: set[int]) -> bool:
        if isinstance(node, ast.Name):
            return self._name(node, bases)
        if isinstance(node, ast.Attribute):
            return self._attribute(node)
        if isinstance(node, ast.MatchClass):
            return not any(_hidden(name) for name in node.kwd_attrs)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open":
            return bool(node.args) and isinstance(node.args[0], ast.Constant) and node.args[0].value in (0, 1, 2)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            return node.name not in self.modules
        if isinstance(node, ast.arg):
            return node.arg not in self.modules
        return True

    def _name(self, node: ast.Name, bases: set[int]) -> bool:
        if node.id in self.forbidden:
            return False
        return node.id not in self.modules or id(node) in bases

    def _attribute(self, node: ast.Attribute) -> bool:
        base = node.value
        if node.attr == "register":  # of an abstract base class, unless it is atexit's
            return isinstance(base, ast.Name) and self.modules.get(base.id) == "atexit"
        if _hidden(node.attr):
            return False
        if isinstance(base, ast.Name) and base.id in self.modules:
            module = self.modules[base.id]
            if not isinstance(node.ctx, ast.Load):
                return module == "sys" and node.attr in _REPLACEABLE and isinstance(node.ctx, ast.Store)
            pure = PURE[module]
            return pure is ANY or node.attr in pure
        return isinstance(node.ctx, ast.Load) or not (isinstance(base, ast.Name) and base.id in self.imported)


def _sets_attribute(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load)


def _hidden(attribute: str) -> bool:
    """Whether an attribute leads to interpreter internals."""
    if attribute in _FORBIDDEN_ATTRIBUTES:
        return True
    return attribute.startswith("__") and attribute.endswith("__") and attribute not in _ALLOWED_DUNDERS
