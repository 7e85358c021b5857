"""Parses Python found in problem data, without warnings and without exceptions, whatever the text is."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from decimal import Decimal

MOST_DIGITS = 4000
"""Of an integer that Python reads and writes in decimal."""


def parse(code: str) -> ast.Module | None:
    """The syntax tree of `code`; None if it is not valid Python or nests too deeply."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a warning about "\d" in a data set is not ours to print
        try:
            return ast.parse(code)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def readable(code: str) -> str:
    """`code`, with integers of more digits than Python reads in hexadecimal."""
    if not re.search(rf"\d{{{MOST_DIGITS}}}", code):
        return code
    try:
        tokens = [*tokenize.generate_tokens(io.StringIO(code).readline)]
    except (tokenize.TokenError, SyntaxError):
        return code
    lines = code.split("\n")
    for token in reversed(tokens):
        if token.type == tokenize.NUMBER and token.string.isdecimal() and len(token.string) >= MOST_DIGITS:
            row, (start, end) = token.start[0] - 1, (token.start[1], token.end[1])
            lines[row] = lines[row][:start] + hex(int(Decimal(token.string))) + lines[row][end:]
    return "\n".join(lines)


def parse_expression(code: str) -> ast.expr | None:
    """The tree of a single expression; None if `code` is anything else."""
    tree = parse(code)
    match tree.body if tree else []:
        case [ast.Expr(value=expression)]:
            return expression
        case _:
            return None


def parse_stub(code: str) -> ast.Module | None:
    """Like `parse`; definitions may lack a body, as in code that is to be completed."""
    return parse(code) or parse(_with_bodies(code))


def _with_bodies(code: str) -> str:
    """`code` with a ``pass`` below each line that opens a block in which nothing stands."""
    lines = code.expandtabs(4).split("\n")
    filled: list[str] = []
    opened: str | None = None  # the last line that opens a block, while nothing stands in it
    for line in (*lines, "pass"):
        text = line.partition("#")[0].strip()
        if text:
            if opened is not None and _indent(line) <= _indent(opened):
                filled.append(" " * (_indent(opened) + 4) + "pass")
            opened = line if text.endswith(":") else None
        filled.append(line)
    return "\n".join(filled[:-1])


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
