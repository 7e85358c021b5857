"""What a program's syntax tree says of its names: where each stands, and what gives it a value."""

from __future__ import annotations

import ast
from functools import cached_property

_NAMING: dict[type, str] = {  # what holds a name in nodes that give one (or several); type parameters among them
    kind: field
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
    for field in ("name", "asname", "arg", "rest", "names")
    if field in kind._fields and kind not in (ast.Import, ast.ImportFrom)
}


def names_given(node: ast.AST) -> list[str]:
    """The names that a node gives (or declares) otherwise than by an `ast.Name`."""
    field = _NAMING.get(type(node))
    if field is None:
        return []
    given = getattr(node, field)
    if given is None and isinstance(node, ast.alias):
        given = node.name.split(".")[0]
    if isinstance(given, str):
        return [given]
    return given if isinstance(given, list) else []


class Tree:
    """The nodes of a program with their parents, and who binds which name."""

    def __init__(self, root: ast.Module) -> None:
        self.nodes: list[ast.AST] = [root]
        self.parents: dict[ast.AST, ast.AST] = {}
        for node in self.nodes:  # it grows meanwhile
            for child in ast.iter_child_nodes(node):
                if not isinstance(child, ast.expr_context):  # these are shared by many nodes
                    self.parents[child] = node
                    self.nodes.append(child)
        self.classes = {node.name for node in self.nodes if isinstance(node, ast.ClassDef)}

    @cached_property
    def bound(self) -> frozenset[str]:
        """Names that get a value by anything but a class statement; imports included."""
        imported = (names_given(node) for node in self.nodes if isinstance(node, ast.alias))
        return self.given.union(*imported)

    @cached_property
    def given(self) -> frozenset[str]:
        """Names that get a value by anything but a class statement or an import."""
        found: set[str] = set()
        for node in self.nodes:
            if isinstance(node, ast.Name):
                if not isinstance(node.ctx, ast.Load):
                    found.add(node.id)
            elif not isinstance(node, (ast.ClassDef, ast.keyword, ast.alias)):
                found.update(names_given(node))
        return frozenset(found)

    @cached_property
    def may_define_fileno(self) -> bool:
        """Whether `x.fileno()` may be anything but a file's own."""
        for node in self.nodes:
            if isinstance(node, ast.Attribute) and node.attr == "fileno" and not isinstance(node.ctx, ast.Load):
                return True
            if "namedtuple" in (getattr(node, "id", None), getattr(node, "attr", None), getattr(node, "name", None)):
                return True
        return "fileno" in self.bound | self.classes

    def is_class(self, name: str) -> bool:
        """Whether a name can only stand for a class of the program's own."""
        return name in self.classes and name not in self.bound

    def is_called(self, node: ast.AST) -> bool:
        """Whether a node is what a call calls."""
        parent = self.parents.get(node)
        return isinstance(parent, ast.Call) and parent.func is node

    def holds_descriptor(self, node: ast.expr) -> bool:
        """Whether a value can only be a standard stream's descriptor: 0 to 2, `x.fileno()`, or a name for that."""
        if isinstance(node, ast.Constant):
            return node.value in (0, 1, 2)
        if _asks_for_descriptor(node):
            return not self.may_define_fileno
        if isinstance(node, ast.Name):
            return self._only_descriptors(node.id)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
            return node.attr[:1] == "_" and self._only_descriptors(node.attr)
        return False

    def _only_descriptors(self, name: str) -> bool:
        """Whether a name, or an attribute of that name, is only given a value by `name = x.fileno()`."""
        if "__" in name:  # in a class it may have another spelling
            return False
        values: list[ast.expr] = []
        for node in self.nodes:
            if isinstance(node, (ast.Name, ast.Attribute)):
                given = node.id if isinstance(node, ast.Name) else node.attr
                if given != name or isinstance(node.ctx, ast.Load):
                    continue
                assignment = self.parents[node]
                if not isinstance(assignment, ast.Assign):
                    return False
                values.append(assignment.value)
            elif name in (getattr(node, "name", None), getattr(node, "arg", None), getattr(node, "asname", None)):
                return False
        return bool(values) and all(_asks_for_descriptor(value) and self.holds_descriptor(value) for value in values)


def _asks_for_descriptor(node: ast.expr) -> bool:
    """Whether it is `x.fileno()`."""
    if not isinstance(node, ast.Call) or node.args or node.keywords:
        return False
    return isinstance(node.func, ast.Attribute) and node.func.attr == "fileno"
