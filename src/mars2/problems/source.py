"""Parses Python found in problem data, without warnings and without exceptions, whatever the text is."""

from __future__ import annotations

import ast
import warnings


def parse(code: str) -> ast.Module | None:
    """The syntax tree of `code`; None if it is not valid Python or nests too deeply."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a warning about "\d" in a data set is not ours to print
        try:
            return ast.parse(code)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def parse_expression(code: str) -> ast.expr | None:
    """The tree of a single expression; None if `code` is anything else."""
    tree = parse(code)
    match tree.body if tree else []:
        case [ast.Expr(value=expression)]:
            return expression
        case _:
            return None
