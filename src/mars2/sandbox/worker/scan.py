"""Decides which programs may run several tests in one process: those that provably leave nothing behind.

An allow-list, read off the syntax tree before any of the program has run. A program outside of it is not wrong, it is
only given a fresh process for every test. What the tree cannot show (an attribute set on a library class through a
variable) is caught after each test by `Sentinels`.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import re

from .bindings import Tree
from .sentinels import PURE

_STAR_IMPORTED = frozenset(  # what `*` brings is known
    {"bisect", "cmath", "collections", "functools", "heapq", "itertools", "math", "string", "typing"}
)
_REPLACEABLE = frozenset({"stdin", "stdout"})  # attributes of sys that a program may assign; they are restored
_FORBIDDEN_NAMES = frozenset(
    {"breakpoint", "compile", "copyright", "credits", "delattr", "eval", "exec", "getattr", "globals", "hash", "help"}
    | {"id", "license", "locals", "setattr", "vars"}
)
_FORBIDDEN_ATTRIBUTES = frozenset(
    {"ag_frame", "cr_frame", "cr_origin", "f_back", "f_builtins", "f_code", "f_globals", "f_locals", "format_map"}
    | {"gi_code", "gi_frame", "mro", "tb_frame", "tb_next"}
)
_READ_DUNDERS = frozenset({"__name__", "__file__", "__debug__", "__len__", "__getitem__"})
_DEFINED = """
abs add and bool call contains delitem divmod enter eq exit float floordiv ge getitem gt hash iadd iand imul index init
int invert ior isub iter le len lshift lt matmul missing mod mul ne neg next or pos pow radd rand repr reversed rmul
ror rshift rsub rtruediv rxor setitem slots str sub truediv xor
"""
_DEFINED_DUNDERS = frozenset(f"__{name}__" for name in _DEFINED.split())  # that only the program itself has a use for
_DESCRIPTOR_CALLS = frozenset({("os", "read"), ("os", "write"), ("os", "fstat")})  # of descriptors 0 to 2 only
_OPENING = frozenset({("io", "FileIO"), ("builtins", "open")})  # of descriptors 0 to 2 only
_GUARDED = frozenset({"open", "super", "type"})  # builtins with a rule of their own
_LOOKS_INTO = re.compile(r"\{[^{}:!]*[.\[]")  # a format string that reaches into its argument

Source = tuple[str, str]  # module and attribute that a name was imported from


def modules_if_stateless(tree: ast.Module) -> frozenset[str] | None:
    """The library modules a program uses, if it may share a process with its next test; else None."""
    scan = _Scan(Tree(tree))
    return frozenset(scan.used) if scan.passes() else None


class _Scan:
    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.used: set[str] = set()
        self.modules: dict[str, str] = {}  # local name -> module
        self.sources: dict[str, Source] = {}  # local name -> what it was imported as
        self.forbidden: set[str] = {*_FORBIDDEN_NAMES}
        self.in_annotations: set[ast.AST] = set()  # names of `typing` that stand in an annotation

    def passes(self) -> bool:
        nodes = self.tree.nodes
        imports = [node for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom))]
        if not all(map(self._import, imports)):
            return False
        if "typing" in self.used and not all(map(self._annotations, nodes)):
            return False
        return all(map(self._allowed, nodes))

    def _import(self, node: ast.Import | ast.ImportFrom) -> bool:
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name not in PURE:
                    return False
                self.modules[alias.asname or alias.name] = alias.name
                self.used.add(alias.name)
            return True
        if node.module == "__future__":
            self.forbidden |= {alias.name for alias in node.names}
            return True
        module = node.module or ""
        if node.level or module not in PURE:
            return False
        self.used.add(module)
        for alias in node.names:
            if alias.name == "*":
                if module not in _STAR_IMPORTED:
                    return False
                everything = getattr(imported := importlib.import_module(module), "__all__", None) or dir(imported)
                self.forbidden |= {*everything} - PURE[module]
                self.sources |= {name: (module, name) for name in PURE[module]}
            elif alias.name in PURE[module]:
                self.sources[alias.asname or alias.name] = (module, alias.name)
            else:
                return False
        return True

    def _annotations(self, node: ast.AST) -> bool:
        """Names of `typing` only stand in annotations, and nothing there is of the program's making but classes."""
        for field in ("annotation", "returns"):
            annotation = getattr(node, field, None)
            if annotation is not None:
                parts = [*ast.walk(annotation)]
                ours = [part for part in parts if self._is_typing(part)]
                if ours and not all(map(self._plain_annotation, parts)):
                    return False
                self.in_annotations.update(ours)
        return True

    def _is_typing(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Name):
            return self.sources.get(node.id, ("", ""))[0] == "typing" or self.modules.get(node.id) == "typing"
        return isinstance(node, ast.Attribute) and self._is_typing(node.value)

    def _plain_annotation(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Name):
            known = node.id in self.sources or node.id in self.modules
            mine = self.tree.is_class(node.id)
            return known or mine or (node.id not in self.tree.bound and hasattr(builtins, node.id))
        plain = (ast.Attribute, ast.Subscript, ast.Constant, ast.Tuple, ast.List, ast.BinOp, ast.BitOr, ast.Load)
        return isinstance(node, plain)

    def _allowed(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Name):
            return self._name(node)
        if isinstance(node, ast.Attribute):
            return self._attribute(node)
        if isinstance(node, ast.MatchClass):
            return not any(map(_hidden, node.kwd_attrs))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return node.name not in self.modules and (not _is_dunder(node.name) or node.name in _DEFINED_DUNDERS)
        if isinstance(node, ast.ClassDef):
            return node.name not in self.modules and not node.keywords  # no metaclass
        if isinstance(node, ast.arg):
            return node.arg not in self.modules
        return True

    def _name(self, node: ast.Name) -> bool:
        name = node.id
        if name in self.forbidden:
            return False
        if name in self.modules:
            return isinstance(self.tree.parents[node], ast.Attribute)
        if _is_dunder(name):
            return name in _READ_DUNDERS or name in _DEFINED_DUNDERS
        source = self.sources.get(name)
        if source is not None:
            return self._library(node, source)
        if name not in _GUARDED:
            return True
        if name == "type":
            return self._is_type_test(node)
        if name == "super":
            return self.tree.is_called(node) and "super" not in self.tree.bound | self.tree.classes
        return self._library(node, ("builtins", name))

    def _library(self, node: ast.Name | ast.Attribute, source: Source) -> bool:
        """Whether something of a library may stand where it does."""
        if source[0] == "typing":
            return node in self.in_annotations
        if source in _OPENING:
            call = self.tree.parents[node]
            if not isinstance(call, ast.Call) or call.func is not node or not call.args:
                return False
            return isinstance(call.args[0], ast.Constant) and call.args[0].value in (0, 1, 2)
        if source in _DESCRIPTOR_CALLS:
            call = self.tree.parents[node]
            if not isinstance(call, ast.Call) or call.func is not node or not call.args:
                return False
            if source[1] == "fstat":
                look = self.tree.parents[call]
                if not (isinstance(look, ast.Attribute) and look.attr == "st_size"):
                    return False
            return self.tree.holds_descriptor(call.args[0])
        return True

    def _is_type_test(self, node: ast.Name) -> bool:
        """`type(x)` is only compared, or asked for its name: it makes no class and marks none."""
        call = self.tree.parents[node]
        if not isinstance(call, ast.Call) or call.func is not node or len(call.args) != 1 or call.keywords:
            return False
        use = self.tree.parents[call]
        return isinstance(use, ast.Compare) or (isinstance(use, ast.Attribute) and use.attr == "__name__")

    def _attribute(self, node: ast.Attribute) -> bool:
        base, name = node.value, node.attr
        is_module = isinstance(base, ast.Name) and base.id in self.modules
        if name == "register":  # of an abstract base class, unless it is atexit's
            return isinstance(base, ast.Name) and self.modules.get(base.id) == "atexit"
        if name == "format" and not is_module:
            return isinstance(base, ast.Constant) and not _LOOKS_INTO.search(str(base.value))
        if name == "__init__":
            return self._is_own_class(base)
        if _hidden(name) or (_is_dunder(name) and not isinstance(node.ctx, ast.Load)):
            return False
        if isinstance(base, ast.Name) and base.id in self.modules:
            module = self.modules[base.id]
            if not isinstance(node.ctx, ast.Load):
                return module == "sys" and name in _REPLACEABLE and isinstance(node.ctx, ast.Store)
            return name in PURE[module] and self._library(node, (module, name))
        return isinstance(node.ctx, ast.Load) or not (isinstance(base, ast.Name) and base.id in self.sources)

    def _is_own_class(self, base: ast.expr) -> bool:
        """Whether `base.__init__` is that of a class of the program's or of what it derives from: no file's."""
        if isinstance(base, ast.Call):
            return isinstance(base.func, ast.Name) and base.func.id == "super"
        if not isinstance(base, ast.Name):
            return False
        is_builtin = base.id in ("dict", "list", "set", "object", "Exception") and base.id not in self.tree.bound
        return self.tree.is_class(base.id) or is_builtin


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _hidden(attribute: str) -> bool:
    """Whether an attribute leads to interpreter internals."""
    return attribute in _FORBIDDEN_ATTRIBUTES or (_is_dunder(attribute) and attribute not in _READ_DUNDERS)
