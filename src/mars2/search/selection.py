"""Chooses the program that is the answer: on hard problems many programs pass the public tests and few are right.

MARS2-T+, part 4: deduplicate → best public score → largest group of equal behaviour on generated inputs, programs
weighted by a reward model → the earliest. Nothing here sees a hidden test.
"""

from __future__ import annotations

import ast
import hashlib
import warnings
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping

from mars2.core.tree import Node


def program_key(program: str) -> str:
    """Equal for programs that differ only in comments, layout and docstrings (same normalised AST).

    A text that is not Python, or is nested too deeply, is its own key, without white space around it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as invalid escapes: the program's own affair
            normal = ast.dump(_without_docstrings(ast.parse(program)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        normal = program.strip()
    return hashlib.sha256(normal.encode(errors="replace")).hexdigest()


def _without_docstrings(module: ast.Module) -> ast.Module:
    for node in ast.walk(module):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            match node.body:
                case [ast.Expr(ast.Constant(str())), *rest]:
                    node.body = rest
                case _:
                    pass
    return module


def distinct_programs(nodes: Iterable[Node]) -> list[Node]:
    """The earliest node of every distinct program, in id order. Nodes without a program are left out."""
    first: dict[str, Node] = {}
    for node in nodes:
        if node.program is not None:
            first.setdefault(program_key(node.program), node)
    return list(first.values())


def finalists(nodes: Iterable[Node]) -> list[Node]:
    """The distinct programs that pass the largest fraction of public tests, in id order; [] if there is no program.

    These are the programs to run on generated inputs when answers are chosen by behaviour.
    """
    programs = distinct_programs(nodes)
    best = max((node.public_verdict.fraction_passed for node in programs), default=0.0)
    return [node for node in programs if node.public_verdict.fraction_passed == best]


def choose_answer(
    nodes: Iterable[Node],
    *,
    behaviours: Mapping[int, Hashable] | None = None,
    weights: Mapping[int, float] | None = None,
    failed: Collection[int] = (),
) -> int | None:
    """Id of the node whose program is the answer; None if no node has a program.

    Args:
        nodes: of a finished or growing tree, in id order; or its first ones.
        behaviours: node id -> what its program did on generated inputs (equal values: equal behaviour). Finalists that
            are absent stand alone. None: every finalist stands alone.
        weights: finalist's id -> how likely its program is right, in [0, 1], from a reward model. None: all weigh 1.
        failed: finalists that failed on every generated input; none of them is chosen while there are others.

    The group with the largest total weight wins, the earliest on ties; within it the largest weight, then the earliest.
    """
    behaviours = behaviours or {}
    groups: defaultdict[Hashable, list[Node]] = defaultdict(list)
    last = finalists(nodes)
    for node in [node for node in last if node.id not in failed] or last:
        alone = node.id not in behaviours
        groups[alone, node.id if alone else behaviours[node.id]].append(node)
    if not groups:
        return None

    def weight(node: Node) -> float:
        return 1.0 if weights is None else weights[node.id]

    largest = max(groups.values(), key=lambda group: sum(map(weight, group)))  # groups are in order of their first node
    return max(largest, key=weight).id
