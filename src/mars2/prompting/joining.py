"""Puts together a program that an answer shows in several pieces: helpers, constants, imports, steps, the last call."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from mars2.prompting.evidence import Candidate, is_main_guard, is_setup, reads_and_writes, runs
from mars2.prompting.python_source import DEFINITIONS, bound_names, imports_foreign, parse_python

_CORRECTS = re.compile(
    r"\b(?:fix\w*|correct\w*|replac\w+|updated?|chang\w+|should be|improved?|optimi[sz]ed)\b", re.IGNORECASE
)
_FUTURE = re.compile(r"^from __future__ import .*\n?", re.MULTILINE)


def joined(pool: Sequence[Candidate], index: int, entry_point: str | None) -> tuple[str, list[Candidate]]:
    """The program of ``pool[index]`` with what it needs of the others, and the others that gave something.

    Where it stands alone, or nothing valid comes out, it is returned as it is.
    """
    chosen = pool[index]
    givers, parts = _given(pool, index, entry_point)
    if (corrected := _correction(pool, index, entry_point)) is not None:
        givers.append(corrected)
        parts.append(corrected.code)
    code = _without_what_others_give(chosen, givers, corrected)
    behind = _missing_call(pool, index) if entry_point is None else None
    if behind is not None:
        givers.append(behind)
    if not givers:
        return chosen.code, []
    program = "\n\n".join(part.strip("\n") for part in (*parts, code, *([behind.code] if behind else [])))
    if futures := _FUTURE.findall(program):
        program = "".join(dict.fromkeys(line.strip("\n") + "\n" for line in futures)) + _FUTURE.sub("", program)
    return (program, givers) if parse_python(program) is not None else (chosen.code, [])


def _given(pool: Sequence[Candidate], index: int, entry_point: str | None) -> tuple[list[Candidate], list[str]]:
    """Who gives and what, in the order of the answer. The nearest piece before is asked first, then those behind."""
    chosen = pool[index]
    needs = set(chosen.needs)
    taken: dict[int, str] = {}
    order = [*reversed(range(index)), *range(index + 1, len(pool))]
    for at in order * 2:  # twice: what comes late may need what was passed over
        other = pool[at]
        if at in taken or not (needs & other.binds or _sets_up(other, chosen) or (needs and _stars(other))):
            continue
        if other.is_test and not needs & other.defines:
            continue
        is_step = at < index and entry_point is None and not chosen.reads
        given = _supply(other, chosen, needs, is_step=is_step)
        if given is not None:
            code, missing = given
            taken[at] = code
            needs = (needs - other.binds) | missing
    for at in range(min(taken, default=index), index):  # steps between that only change what others have bound
        other = pool[at]
        bound = set[str]().union(*(pool[giver].binds for giver in taken))
        if at not in taken and other.needs & bound and _only_changes(other.tree, bound):
            taken[at] = other.code
    return [pool[at] for at in sorted(taken)], [taken[at] for at in sorted(taken)]


def _supply(giver: Candidate, chosen: Candidate, needs: set[str], *, is_step: bool) -> tuple[str, set[str]] | None:
    """What of `giver` the chosen piece needs, and what that needs in turn; None if there is nothing.

    The whole piece, if all of it is a step or a definition; else only the statements that bind needed names.
    """
    body = giver.tree.body
    if all(not _is_demonstration(node, is_step=is_step) and not _names(node) & chosen.defines for node in body):
        return giver.code, set(giver.needs)
    wanted = set(needs)
    kept: list[ast.stmt] = []
    for node in reversed(body):
        if _is_demonstration(node, is_step=is_step):
            continue
        if is_setup(node) or _names(node) & wanted or _changes(node, wanted):
            kept.append(node)
            inside = ast.Module([node], [])
            wanted |= {name.id for name in ast.walk(inside) if isinstance(name, ast.Name)} - chosen.binds
    if not kept:
        return None
    try:
        return ast.unparse(ast.Module(kept[::-1], [])), wanted - giver.binds
    except RecursionError:
        return giver.code, set(giver.needs)


def _is_demonstration(node: ast.stmt, *, is_step: bool) -> bool:
    """Whether a statement only shows or tests something; in a step of a program, printing and reading do not."""
    if isinstance(node, ast.Assert) or is_main_guard(node):
        return True
    if isinstance(node, DEFINITIONS) or is_step:
        return False
    reads, writes = reads_and_writes(node)
    is_read = reads and any(isinstance(inner, ast.Call) for inner in ast.walk(node))
    is_call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name)
    return is_read or writes or is_call


def _correction(pool: Sequence[Candidate], index: int, entry_point: str | None) -> Candidate | None:
    """The last later piece that is introduced as a better version of some of the chosen one's definitions, no more."""
    chosen = pool[index]
    called = (entry_point or "").partition(".")[0]
    for other in reversed(pool[index + 1 :]):
        only_defines = all(isinstance(node, (*DEFINITIONS, ast.Import, ast.ImportFrom)) for node in other.tree.body)
        if only_defines and other.defines and other.defines <= chosen.defines - {called} and not other.is_cut:
            return other if _CORRECTS.search(other.piece.intro) else None
    return None


def _sets_up(other: Candidate, chosen: Candidate) -> bool:
    """Whether a piece is imports and a call such as ``sys.setrecursionlimit(10**6)``, which the chosen one lacks."""
    body = other.tree.body
    is_only = all(isinstance(node, ast.Import | ast.ImportFrom) or is_setup(node) for node in body)
    return is_only and any(map(is_setup, body)) and not any(map(is_setup, chosen.tree.body))


def _stars(other: Candidate) -> bool:
    """Whether a piece is only imports, one of them ``from module import *``."""
    body = other.tree.body
    return all(isinstance(node, ast.Import | ast.ImportFrom) for node in body) and "*" in other.binds


def _names(node: ast.stmt) -> set[str]:
    return bound_names(ast.Module([node], []))


def _only_changes(tree: ast.Module, names: set[str]) -> bool:
    return all(_changes(node, names) for node in tree.body)


def _changes(node: ast.stmt, names: set[str]) -> bool:
    """Whether a statement changes a value that one of the names holds: ``xs.sort()``, ``table[i] = 1``."""
    if isinstance(node, (*DEFINITIONS, ast.Assert)) or reads_and_writes(node)[1]:
        return False
    for inner in ast.walk(node):
        place: ast.AST | None = None
        if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute):
            place = inner.func.value
        elif isinstance(inner, ast.Subscript | ast.Attribute) and isinstance(inner.ctx, ast.Store):
            place = inner.value
        elif isinstance(inner, ast.AugAssign):
            place = inner.target
        while isinstance(place, ast.Subscript | ast.Attribute):
            place = place.value
        if isinstance(place, ast.Name) and place.id in names and not isinstance(node, ast.Assign):
            return True
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript) and place is not None:
            return isinstance(place, ast.Name) and place.id in names
    return False


def _missing_call(pool: Sequence[Candidate], index: int) -> Candidate | None:
    """The later piece with the call that the chosen one lacks: ``main()``, also below a main guard, or one that reads
    its arguments from the input. An example with values of its own is none."""
    chosen = pool[index]
    if runs(chosen.tree):
        return None
    return next((other for other in pool[index + 1 :] if _only_calls(other, chosen)), None)


def _only_calls(other: Candidate, chosen: Candidate) -> bool:
    if other.defines or not other.needs & chosen.defines or not other.needs <= chosen.binds:
        return False
    imports = (ast.Import, ast.ImportFrom)
    return other.reads or all(
        _is_bare_call(node) or is_main_guard(node) or isinstance(node, imports) for node in other.tree.body
    )


def _is_bare_call(node: ast.stmt) -> bool:
    """Whether it is a call without literal values, so not an example."""
    if is_setup(node):
        return True
    values = (ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.Set)
    is_call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    return is_call and not any(isinstance(n, values) for n in ast.walk(node))


def _without_what_others_give(chosen: Candidate, givers: Sequence[Candidate], corrected: Candidate | None) -> str:
    """Its code without imports from another file of the answer, where givers bind every name, and without the
    definitions that another piece corrects."""
    given = set[str]().union(*(giver.binds for giver in givers))
    lines = chosen.code.split("\n")
    for node in chosen.tree.body:
        start = node.lineno
        if isinstance(node, ast.ImportFrom) and imports_foreign(node):
            is_given = {alias.name for alias in node.names} <= given
        elif corrected is not None and isinstance(node, DEFINITIONS):
            is_given = node.name in corrected.defines
            start = min([start, *(decorator.lineno for decorator in node.decorator_list)])
        else:
            is_given = False
        if is_given:
            end = node.end_lineno or node.lineno
            lines[start - 1 : end] = [""] * (end - start + 1)
    return "\n".join(lines)
