"""Reads Python source that a model wrote, without ever running it, raising, or taking long over hostile text."""

from __future__ import annotations

import ast
import html
import re
import sys
import textwrap
import warnings
from collections.abc import Iterator

MAX_PARSE_CHARS = 100_000
"""Longer source is not parsed and counts as invalid here. (The judge has a size limit of its own.)"""

_ENTITY = re.compile(r"&(?:lt|gt|amp|quot|#39|#x27);")
_TYPEWRITER = str.maketrans("“”‘’：，（）；", "\"\"'':,();")
_MAGIC = re.compile(r"^[ \t]*[%!](?!=).*$", re.MULTILINE)
_PROMPT = re.compile(r"[ \t]*(?:>>>|\.\.\.)(?: |$)")
_NUMBER = re.compile(r"^[ \t]*\d+[ \t]?\|[ ]?")
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def parse_python(source: str) -> ast.Module | None:
    """The syntax tree of `source`; None if it is not valid Python, is nested too deeply, or is longer than the cap."""
    if len(source) > MAX_PARSE_CHARS:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a warning about "\d" in a model's string is not ours to print
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
            return None


def repaired(source: str) -> tuple[str, ast.Module] | None:
    """`source` if it is valid Python, else its first repair that is, with the syntax tree; None if there is none.

    Repairs: a stray language name on the first line, no-break spaces and byte-order marks, indentation of the whole
    block, tabs mixed with spaces; then, for text that went through a web page, a notebook or an interactive session:
    HTML entities, curly quotes and full-width punctuation, lines of IPython magic, ``>>>`` prompts, line numbers.
    """
    if len(source) > MAX_PARSE_CHARS:
        return None
    for candidate in _repairs(source):
        tree = parse_python(candidate)
        if tree is not None:
            return candidate, tree
    return None


def _repairs(source: str) -> Iterator[str]:
    first, _, rest = source.lstrip("\n").partition("\n")
    if first.strip().lower() in {"python", "python3", "py"}:  # on its own it would even parse, as a name
        source = rest
    yield source
    source = source.replace("\u00a0", " ").replace("\ufeff", "").replace("\u200b", "")
    yield source
    yield textwrap.dedent(source)
    if "\t" in source:
        yield textwrap.dedent(source.expandtabs(4))
        yield textwrap.dedent(source.expandtabs(8))
    source = textwrap.dedent(source)
    if _ENTITY.search(source):
        source = html.unescape(source)
        yield source
    if (plain := source.translate(_TYPEWRITER)) != source:
        yield plain
    if _MAGIC.search(source):
        yield _MAGIC.sub("", source)
    if source.lstrip().startswith(">>> "):
        yield "\n".join(line.strip()[4:] for line in source.split("\n") if _PROMPT.match(line))
    if _NUMBER.match(source):
        yield "\n".join(_NUMBER.sub("", line) for line in source.split("\n"))


def bound_names(tree: ast.Module) -> set[str]:
    """Names that the module's top level binds (inside `if`, `try`, `with` and loops too, not inside functions)."""
    names: set[str] = set()
    for node in _top_level(tree):
        if isinstance(node, DEFINITIONS):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names.update(alias.asname or alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


def defined_names(tree: ast.Module) -> set[str]:
    """Names of the functions (``f = lambda …`` too) and classes that the module's top level defines."""
    names: set[str] = set()
    for node in _top_level(tree):
        match node:
            case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name):
                names.add(name)
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Lambda()):
                names.add(name)
    return names


def used_names(tree: ast.Module) -> set[str]:
    """Names read anywhere in the module and bound nowhere in it: what it needs from outside (built-ins included)."""
    read: set[str] = set()
    bound = bound_names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, DEFINITIONS):
            bound.add(node.name)
        elif isinstance(node, ast.ExceptHandler):
            bound.add(node.name or "")
        elif isinstance(node, ast.alias):
            bound.add(node.asname or node.name.partition(".")[0])
    return read - bound


def reads_input(tree: ast.Module) -> bool:
    """Whether the program reads standard input: `input()`, `sys.stdin`, `open(0)`, `fileinput`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in {"input", "raw_input", "fileinput", "stdin"}:
            return True
        if isinstance(node, ast.Attribute) and node.attr == "stdin" and isinstance(node.ctx, ast.Load):
            return True  # a program that replaces it is a test
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open" and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and first.value in (0, "/dev/stdin"):
                return True
    return False


def calls_print(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
        for node in ast.walk(tree)
    )


def writes_output(tree: ast.Module) -> bool:
    """Whether the program prints or uses standard output in another way."""
    return calls_print(tree) or any(
        (isinstance(node, ast.Name) and node.id in {"print", "stdout"})
        or (isinstance(node, ast.Attribute) and node.attr in {"stdout", "write"})
        for node in ast.walk(tree)
    )


def without_imports_of(code: str, tree: ast.Module, names: set[str]) -> str:
    """`code` without its top-level ``from … import`` lines that import nothing but `names` from a foreign module."""
    lines = code.split("\n")
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and imports_foreign(node) and {a.name for a in node.names} <= names:
            for number in range(node.lineno - 1, node.end_lineno or node.lineno):
                lines[number] = ""
    return "\n".join(lines)


def imports_foreign(node: ast.ImportFrom) -> bool:
    """Whether it imports from a module that does not come with Python: a file that the answer may have shown."""
    return (node.module or "").partition(".")[0] not in sys.stdlib_module_names and not any(
        a.asname for a in node.names
    )


def _top_level(tree: ast.Module) -> Iterator[ast.AST]:
    """Every node outside function and class bodies; the definitions themselves included."""
    stack: list[ast.AST] = list(reversed(tree.body))
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, (*DEFINITIONS, ast.Lambda)):
            stack.extend(reversed(list(ast.iter_child_nodes(node))))
