"""Finds the Python in a statement: what it defines, which bodies are still to be written, whether it reads input."""

from __future__ import annotations

import ast
import re
import textwrap
from dataclasses import dataclass

from mars2.problems.signature import Signature, signature_of
from mars2.problems.source import parse_stub

_OPENS = re.compile(r"[ \t>]*(?:```+|~~~+)[ \t]*([\w+-]*)[^`]*$")
_CLOSES = re.compile(r"[ \t>]*(?:```+|~~~+)[ \t]*$")
_PYTHON = frozenset(("", "py", "python", "python3", "py3", "text", "plaintext"))
_STARTS = re.compile(
    r"([ \t]*)(?:(?:async[ \t]+)?def[ \t]+\w+[ \t]*\(|class[ \t]+\w+[^\n]*:|@\w"
    r"|from[ \t]+\w\S*[ \t]+import\b|import[ \t]+\w)"
)
_GOES_ON = re.compile(
    r"[ \t]*(?:\)|\]|\}|#|if __name__|else\b|elif\b|except\b|finally\b"
    r"|[\w.\[\], \t]+[ \t]*[-+*/]?=[ \t]*\S|[\w.]+\([^\n]*\)[ \t]*$)"
)
_READS = re.compile(r"(?<![\w.])input\(|sys\.stdin|\bopen\(0\)|\bstdin\b")
_RUNS = re.compile(r"^(?:[\w.]+\(.*|if __name__.*|print\b.*|for .*|while .*)$", re.MULTILINE)
_MOST_BLOCKS = 20
_MOST_CHARS = 40_000  # of all blocks
_MOST_LINES = 2_000  # of code without a fence
_MOST_LINE = 400
_MOST_CUTS = 4  # tries to find where code ends


@dataclass(frozen=True, slots=True)
class Code:
    """A block of Python in a statement."""

    text: str
    functions: tuple[Signature, ...] = ()  # and methods of class Solution, in order
    open_functions: frozenset[str] = frozenset()  # those whose body is to be written
    docstrings: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()  # but Solution
    open_classes: frozenset[str] = frozenset()  # those whose methods are to be written
    constructors: tuple[tuple[str, Signature], ...] = ()
    reads_input: bool = False
    runs: bool = False  # does something when it is run


def code_in(text: str) -> list[Code]:
    """The Python in a statement: fenced blocks, then code without a fence."""
    found: list[Code] = []
    room = _MOST_CHARS
    for source in _blocks(text)[:_MOST_BLOCKS]:
        if len(source) <= room and ("def " in source or "class " in source or "input" in source):
            room -= len(source)
            code = _read(source)
            if code is not None:
                found.append(code)
    return found


def _read(source: str) -> Code | None:
    text = textwrap.dedent(source).strip("\n") + "\n"
    tree = parse_stub(text)
    for _ in range(_MOST_CUTS):
        if tree is not None or "\n" not in text.rstrip():
            break
        text = _without_last_part(text)
        tree = parse_stub(text)
    if tree is None or not tree.body:
        return None
    functions: list[Signature] = []
    docstrings: list[str] = []
    to_write: set[str] = set()
    classes: dict[str, bool] = {}
    constructors: list[tuple[str, Signature]] = []
    for node in tree.body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                functions.append(signature_of(node, is_method=False))
                docstrings.append(ast.get_docstring(node) or "")
                if _is_open(node):
                    to_write.add(node.name)
            case ast.ClassDef(name=name):
                methods = [part for part in node.body if isinstance(part, ast.FunctionDef)]
                docstrings += [ast.get_docstring(node) or "", *(ast.get_docstring(part) or "" for part in methods)]
                for part in methods:
                    if part.name == "__init__":
                        constructors.append((name, signature_of(part, is_method=True)))
                    elif name == "Solution" and not part.name.startswith("__"):
                        functions.append(signature_of(part, is_method=True))
                        if _is_open(part):
                            to_write.add(part.name)
                others = [part for part in methods if part.name != "__init__"]
                classes[name] = bool(others) and all(map(_is_open, others))
            case _:
                pass
    return Code(
        text,
        tuple(functions),
        frozenset(to_write),
        tuple(filter(None, docstrings)),
        tuple(name for name in classes if name != "Solution"),
        frozenset(name for name, is_open in classes.items() if is_open),
        tuple(constructors),
        _READS.search(text) is not None,
        _RUNS.search(text) is not None,
    )


def _without_last_part(text: str) -> str:
    """The code up to its last line that is not indented: what follows may be no code."""
    lines = text.rstrip().split("\n")
    last = max((i for i, line in enumerate(lines) if line[:1].strip()), default=0)
    return "\n".join(lines[: max(last, 1)]).rstrip() + "\n"


def _is_open(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether the body does nothing: ``pass``, ``…``, a docstring, ``raise NotImplementedError``, ``return None``."""
    for node in function.body:
        match node:
            case ast.Pass() | ast.Expr(value=ast.Constant()) | ast.Return(value=None | ast.Constant(value=None)):
                pass
            case ast.Raise(exc=ast.Name(id="NotImplementedError") | ast.Call(func=ast.Name(id="NotImplementedError"))):
                pass
            case _:
                return False
    return True


def _blocks(text: str) -> list[str]:
    """Texts that may be Python: closed fenced blocks first, then runs of lines that look like code."""
    first = text.lstrip()[:_MOST_LINE]
    fenced: list[str] = [text] if _STARTS.match(first) or first.startswith(("#", '"""')) else []  # as HumanEval's are
    loose: list[list[str]] = []
    language = ""
    block: list[str] | None = None
    run: list[str] | None = None
    indent = 0
    for line in text.split("\n"):
        if block is not None:
            if _CLOSES.match(line):
                if language.lower() in _PYTHON:
                    fenced.append("\n".join(block))
                block = None
            else:
                block.append(line)
            continue
        if "```" in line or "~~~" in line:
            opens = _OPENS.match(line)
            if opens:
                block, language, run = [], opens[1], None
                continue
        starts = _STARTS.match(line[:_MOST_LINE])
        if run is None:
            if starts and len(loose) < _MOST_BLOCKS:
                run, indent = [line], len(starts[1])
                loose.append(run)
        elif len(run) >= _MOST_LINES:
            run = None
        elif not line.strip() or starts or len(line) - len(line.lstrip()) > indent or _GOES_ON.match(line[:_MOST_LINE]):
            run.append(line)
        else:
            run = None
    if block is not None and language.lower() in _PYTHON:  # a fence that is not closed
        fenced.append("\n".join(block))
    return [*fenced, *("\n".join(_without_end(lines)) for lines in loose)]


def _without_end(lines: list[str]) -> list[str]:
    """The run up to its last line of code: examples that look like code may follow a blank line."""
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    return lines[:end]
