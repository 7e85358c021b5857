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

from .names import Tree, names_given
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
    | {"_abc_caches_clear", "_abc_impl", "_abc_registry_clear", "_dealloc_warn", "_dump_registry", "_field_defaults"}
    | {"_finalizing", "ag_code", "cr_code", "detach", "raw"}
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
_DEEPCOPY = ("copy", "deepcopy")
_BUFFERING = frozenset({("io", "BufferedReader"), ("io", "BufferedWriter")})  # of such files: others see old memory
_CALLED = _DESCRIPTOR_CALLS | _OPENING | _BUFFERING | {_DEEPCOPY}  # only ever called, and with a rule for the call
_RULED = frozenset({"atexit", "copy", "io", "os", "sys", "typing"})  # modules with rules for some of what is in them
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
        if any(names_given(node) and not self._may_be_given(node) for node in nodes):
            return False
        if "typing" in self.used and not all(map(self._annotations, nodes)):
            return False
        return all(map(self._allowed, nodes))

    def _import(self, node: ast.Import | ast.ImportFrom) -> bool:
        if isinstance(node, ast.Import):
            return all(self._import_as(alias.asname or alias.name, (alias.name, "")) for alias in node.names)
        if node.module == "__future__":
            self.forbidden |= {alias.asname or alias.name for alias in node.names}
            return True
        module = node.module or ""
        if node.level or module not in PURE:
            return False
        for alias in node.names:
            names = [alias.name]
            if alias.name == "*":
                if module not in _STAR_IMPORTED:
                    return False
                everything = getattr(imported := importlib.import_module(module), "__all__", None) or dir(imported)
                self.forbidden |= {*everything} - PURE[module]
                names = [*PURE[module]]
            elif alias.name not in PURE[module]:
                return False
            if not all(self._import_as(alias.asname or name, (module, name)) for name in names):
                return False
        return True

    def _import_as(self, name: str, source: Source) -> bool:
        """Note what an import brings (all of a module if it names no attribute), unless the name may be misread.

        Scopes are not told apart, so a name has one meaning; two only where no rule depends on which it is.
        """
        module, attribute = source
        if module not in PURE or _is_mangled(name):
            return False
        others = [(self.modules[name], "")] if name in self.modules else []
        others += [self.sources[name]] if name in self.sources else []
        for other in others:
            alike = other[0] == module or (attribute and other[1])
            if other != source and (_RULED & {module, other[0]} or not alike):
                return False
        self.used.add(module)
        if attribute:
            self.sources[name] = source
        else:
            self.modules[name] = module
        return True

    def _may_be_given(self, node: ast.AST) -> bool:
        """Whether a node that gives names by anything but an assignment gives none that means something already."""
        if isinstance(node, ast.keyword):  # of a call
            return not any(map(_is_dunder, names_given(node)))
        is_function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        is_method = is_function and isinstance(self.tree.parents[node], ast.ClassDef)
        for name in names_given(node):
            if _is_dunder(name) and not (is_function and name in _DEFINED_DUNDERS):
                return False
            if name in _GUARDED and not is_method:
                return False
            if name in self.modules and not isinstance(node, ast.alias):
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
        return not (isinstance(node, ast.ClassDef) and node.keywords)  # no metaclass

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
        if source not in _CALLED:
            return True
        call = self.tree.parents[node]
        if not isinstance(call, ast.Call) or call.func is not node or not call.args:
            return False
        first = call.args[0]
        if source == _DEEPCOPY:  # given a memo, it hands that things of its own
            return len(call.args) == 1 and not call.keywords and not isinstance(first, ast.Starred)
        if source in _OPENING:
            return isinstance(first, ast.Constant) and first.value in (0, 1, 2)
        if source in _BUFFERING:
            return isinstance(first, ast.Call) and self._source_of(first.func) in _OPENING
        if source[1] == "fstat":
            look = self.tree.parents[call]
            if not (isinstance(look, ast.Attribute) and look.attr == "st_size"):
                return False
        return self.tree.holds_descriptor(first)

    def _source_of(self, node: ast.expr) -> Source:
        """What it can only stand for, if that is something imported or builtin."""
        if isinstance(node, ast.Name) and node.id not in self.tree.given | self.tree.classes:
            return self.sources.get(node.id, ("builtins", node.id))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            return self.modules.get(node.value.id, ""), node.attr
        return "", ""

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
            text = base.value if isinstance(base, ast.Constant) else None
            return isinstance(text, str) and not _LOOKS_INTO.search(text)
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
        if base.id in self.sources or base.id in self.tree.bound:
            return False
        if hasattr(builtins, base.id):  # where a class of that name is not, it is the builtin
            return base.id in ("dict", "list", "set", "object", "Exception")
        return self.tree.is_class(base.id)


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _is_mangled(name: str) -> bool:
    """Whether a name is a dunder, or one that a class may have another spelling for (`__b` in class A is `_A__b`)."""
    return name.startswith("_") and "__" in name


def _hidden(attribute: str) -> bool:
    """Whether an attribute leads to interpreter internals."""
    return attribute in _FORBIDDEN_ATTRIBUTES or (_is_dunder(attribute) and attribute not in _READ_DUNDERS)
