"""Decides which programs may run several tests in one process: those in a language that cannot keep anything.

It is read off the syntax tree before any of the program has run, in time linear in its size. A program outside of the
language is not wrong, it is only given a fresh process for every test. Why it is this language:

- A program holds only objects that are its own, or that can be neither marked nor filled (`words`). What the library
  has written in Python can be marked: it is only ever called, and not even its class can be had of what it returns.
- No code of the program runs after its end: there are no finalizers, exit handlers, threads, `finally` or `with`.
- Nothing tells a program how much memory, stack or time is left, for that depends on what ran before.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import re
from collections import defaultdict
from typing import Any

from .words import (
    BASES,
    CALLED,
    CAUGHT,
    DEFINED,
    FORBIDDEN,
    GUARDED,
    HIDDEN,
    MOST_ARGUMENTS,
    READ,
    TYPES,
    TYPING,
    VALUES,
)

_ALLOWED = frozenset(
    (
        *(ast.FunctionDef, ast.Lambda, ast.ClassDef, ast.Return, ast.Delete, ast.Assign, ast.AugAssign, ast.AnnAssign),
        *(ast.For, ast.While, ast.If, ast.Raise, ast.Try, ast.ExceptHandler, ast.Assert, ast.Import, ast.ImportFrom),
        *(ast.Global, ast.Nonlocal, ast.Expr, ast.Pass, ast.Break, ast.Continue, ast.BoolOp, ast.NamedExpr, ast.BinOp),
        *(ast.UnaryOp, ast.IfExp, ast.Dict, ast.Set, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
        *(ast.Yield, ast.Compare, ast.Call, ast.FormattedValue, ast.JoinedStr, ast.Constant, ast.Attribute),
        *(ast.Subscript, ast.Name, ast.Starred, ast.List, ast.Tuple, ast.Slice, ast.comprehension, ast.arguments),
        *(ast.arg, ast.keyword, ast.alias, ast.Module),
    )
)
_OPERATORS = (ast.expr_context, ast.boolop, ast.operator, ast.unaryop, ast.cmpop)  # all allowed; nodes share them
_SHARED = frozenset(kind for base in _OPERATORS for kind in base.__subclasses__())
_LEAVES = frozenset((ast.Name, ast.Constant, ast.alias, ast.Global, ast.Nonlocal))
_BUILTINS = frozenset(dir(builtins))
_RAISED = CAUGHT | {"Exception"}
_STAR_IMPORTED = {"bisect", "cmath", "collections", "functools", "heapq", "itertools", "math", "string", "typing"}
_LOOKS_INTO = re.compile(r"\{[^{}:!]*[.\[]")  # a format string that reaches into its argument
_PLAIN = (
    ast.Attribute,
    ast.Subscript,
    ast.Constant,
    ast.Tuple,
    ast.List,
    ast.BinOp,
    ast.BitOr,
    ast.Load,
)  # annotations

_OPENED = ([0], [0, "r"], [0, "rb"])  # what `open` may be given

Source = tuple[str, str]  # module and attribute that a name was imported from; "" for the module itself


def may_share(tree: ast.Module) -> bool:
    """Whether a program may share a process with its next test."""
    return _Scan(tree).passes()


class _Scan:
    def __init__(self, tree: ast.Module) -> None:
        self.parents: dict[ast.AST, ast.AST] = {}
        self.nodes: defaultdict[type, list[Any]] = defaultdict(list)  # by kind
        nodes: list[ast.AST] = [tree]
        for node in nodes:  # it grows meanwhile
            self.nodes[type(node)].append(node)
            for field in () if type(node) in _LEAVES else node._fields:
                value = getattr(node, field)
                for part in value if isinstance(value, list) else (value,):
                    if isinstance(part, ast.AST) and type(part) not in _SHARED:
                        self.parents[part] = node
                        nodes.append(part)
        self.sources: dict[str, Source] = {}  # what a name was imported as
        self.unknown: set[str] = set()  # names that `*` brings and that are not in the language
        self.in_annotations: set[ast.AST] = set()

    def passes(self) -> bool:
        nodes = self.nodes
        if not nodes.keys() <= _ALLOWED or not all(map(self._import, nodes[ast.Import] + nodes[ast.ImportFrom])):
            return False
        classes = {node.name for node in nodes[ast.ClassDef]}
        functions = {node.name for node in nodes[ast.FunctionDef]}
        given = {node.id for node in nodes[ast.Name] if not isinstance(node.ctx, ast.Load)}
        given.update(node.arg for node in nodes[ast.arg])
        given.update(node.name for node in nodes[ast.ExceptHandler] if node.name)
        given.update(name for node in nodes[ast.Global] + nodes[ast.Nonlocal] for name in node.names)
        self.bound = {*given, *classes, *functions, *self.sources}
        self.classes = (
            classes - given - functions - {*self.sources} - _BUILTINS
        )  # names that mean a class, nothing else
        self.exceptions = self._exceptions()
        if any(source[0] == "typing" for source in self.sources.values()):
            for node in nodes[ast.arg] + nodes[ast.AnnAssign]:
                self._note_annotation(node.annotation)
            for node in nodes[ast.FunctionDef]:
                self._note_annotation(node.returns)
        return (
            all(map(self._may_be_given, given | classes | functions))
            and all(map(self._name, nodes[ast.Name]))
            and all(map(self._attribute, nodes[ast.Attribute]))
            and not any(_is_dunder(node.arg or "") for node in nodes[ast.keyword])
            and not any(node.finalbody for node in nodes[ast.Try])
            and all(map(self._catches, nodes[ast.ExceptHandler]))
            and all(map(self._derives, nodes[ast.ClassDef]))
        )

    def _import(self, node: ast.Import | ast.ImportFrom) -> bool:
        if isinstance(node, ast.Import):
            return all(self._import_as(alias.asname or alias.name, (alias.name, "")) for alias in node.names)
        module = node.module or ""
        if module == "__future__":
            return all(alias.name == "annotations" and not alias.asname for alias in node.names)
        if node.level or module not in VALUES:
            return False
        for alias in node.names:
            names = {alias.name}
            if alias.name == "*":
                if module not in _STAR_IMPORTED:
                    return False
                imported = importlib.import_module(module)
                names = {*getattr(imported, "__all__", dir(imported))}
                self.unknown |= names - _words_of(module)
                names &= _words_of(module)
            if not all(self._import_as(alias.asname or name, (module, name)) for name in names):
                return False
        return True

    def _import_as(self, name: str, source: Source) -> bool:
        """Note what an import brings. Scopes are not told apart, so a name has one meaning."""
        module, attribute = source
        if module not in VALUES or (attribute and attribute not in _words_of(module)):
            return False
        if name[:1] == "_" or name in GUARDED or self.sources.get(name, source) != source:
            return False
        self.sources[name] = source
        return True

    def _may_be_given(self, name: str) -> bool:
        """Whether the program may give a name another value."""
        if _is_dunder(name):
            return name in DEFINED
        module, attribute = self.sources.get(name, ("", ""))
        return name not in GUARDED and (not module or attribute in VALUES[module])

    def _note_annotation(self, annotation: ast.AST | None) -> None:
        """Names of `typing`, which remembers what it is given, stand where nothing is of the program's making."""
        if annotation is not None:
            parts = [*ast.walk(annotation)]
            if all(map(self._is_plain, parts)):
                self.in_annotations.update(parts)

    def _is_plain(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Name):
            return self._is_builtin(node) or self.sources.get(node.id, ("", ""))[0] == "typing"
        return isinstance(node, _PLAIN)

    def _is_builtin(self, node: ast.AST | None) -> bool:
        """Whether a name can only mean a builtin."""
        return isinstance(node, ast.Name) and node.id not in self.bound and node.id in _BUILTINS

    def _is_class(self, node: ast.AST | None, builtin: frozenset[str]) -> bool:
        """Whether a name can only mean a class of the program's own, or one of these builtin ones."""
        if not isinstance(node, ast.Name):
            return False
        return node.id in self.classes or (node.id in builtin and self._is_builtin(node))

    def _exceptions(self) -> set[str]:
        """Names that mean a class of the program's own that is an exception: for another, `except` raises TypeError."""
        found: set[str] = set()
        others: set[str] = set()
        for node in self.nodes[ast.ClassDef]:
            known = [base.id for base in node.bases if isinstance(base, ast.Name)]
            is_one = any(name in found or name in _RAISED for name in known)
            (found if is_one else others).add(node.name)
        return (found - others) & self.classes

    def _catches(self, node: ast.ExceptHandler) -> bool:
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        return all(map(self._may_be_caught, caught))

    def _may_be_caught(self, node: ast.expr | None) -> bool:
        is_own = isinstance(node, ast.Name) and node.id in self.exceptions
        return is_own or (self._is_builtin(node) and self._is_class(node, CAUGHT))

    def _derives(self, node: ast.ClassDef) -> bool:
        plain = not node.keywords and not node.decorator_list  # what decorates a class may put anything in its place
        return plain and all(self._is_class(base, BASES) for base in node.bases)

    def _name(self, node: ast.Name) -> bool:
        name = node.id
        if _is_dunder(name):
            return name in DEFINED or (name == "__name__" and isinstance(node.ctx, ast.Load))
        if name in FORBIDDEN or name in self.unknown:
            return False
        if name in GUARDED:
            return self._guarded(node)
        source = self.sources.get(name)
        return source is None or self._library(node, *source)

    def _guarded(self, node: ast.Name) -> bool:
        call = self.parents[node]
        if not isinstance(call, ast.Call) or call.func is not node:
            return False
        if node.id == "super":
            return True
        values = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
        if node.id == "open":
            return not call.keywords and len(call.args) == len(values) and values in _OPENED
        use = self.parents[call]
        if isinstance(use, ast.Compare):  # `==` hands a type to what it is compared with
            return all(map(self._is_type, (use.left, *use.comparators)))
        return isinstance(use, ast.Attribute) and use.attr == "__name__" and len(call.args) == 1

    def _is_type(self, node: ast.expr) -> bool:
        """Whether it is a type, or some, without methods of the program's that a comparison would call."""
        if isinstance(node, (ast.Tuple, ast.List)):
            return all(map(self._is_type, node.elts))
        if isinstance(node, ast.Call):
            return isinstance(node.func, ast.Name) and node.func.id == "type" and len(node.args) == 1
        return self._is_class(node, TYPES)

    def _library(self, node: ast.Name | ast.Attribute, module: str, attribute: str) -> bool:
        """Whether something of a library may stand where it does."""
        if not attribute:
            return isinstance(self.parents[node], ast.Attribute)
        if module == "typing":
            return node in self.in_annotations
        return attribute in VALUES[module] or self._is_called(node, module, attribute)

    def _is_called(self, node: ast.expr, module: str, attribute: str) -> bool:
        call = self.parents[node]
        most = MOST_ARGUMENTS.get(module, {}).get(attribute)
        if isinstance(call, ast.FunctionDef):
            return node in call.decorator_list and most is None
        if not isinstance(call, ast.Call) or call.func is not node:
            return False
        if attribute == "namedtuple":  # the interpreter may remember the names for good
            return len(call.args) == 2 and all(map(_is_text, call.args))
        if most is None:
            return True
        return len(call.args) <= most and not call.keywords and not any(isinstance(a, ast.Starred) for a in call.args)

    def _attribute(self, node: ast.Attribute) -> bool:
        base, name = node.value, node.attr
        is_read = isinstance(node.ctx, ast.Load)
        module, attribute = self.sources.get(base.id, ("", "")) if isinstance(base, ast.Name) else ("", "")
        if module and not attribute:
            return is_read and name in _words_of(module) and self._library(node, module, name)
        if name == "format":
            text = base.value if isinstance(base, ast.Constant) else None
            return isinstance(text, str) and not _LOOKS_INTO.search(text)
        if _is_dunder(name):
            return is_read and (name in READ or (name in DEFINED and self._is_own(base)))
        return name not in HIDDEN

    def _is_own(self, base: ast.expr) -> bool:
        """Whether `base` is a class of the program's, or what it derives from: no file's."""
        if isinstance(base, ast.Call):
            return isinstance(base.func, ast.Name) and base.func.id == "super"
        return self._is_class(base, TYPES)


def _is_text(node: ast.expr) -> bool:
    """Whether a value, or each in it, is written down in the source."""
    return all(map(_is_text, node.elts)) if isinstance(node, (ast.List, ast.Tuple)) else isinstance(node, ast.Constant)


def _words_of(module: str) -> frozenset[str]:
    return TYPING if module == "typing" else VALUES[module] | CALLED.get(module, frozenset())


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")
