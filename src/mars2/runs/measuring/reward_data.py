"""Labelled programs from the trees of finished runs, and the split of problems into training, validation and tests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from mars2.core.problem import Problem
from mars2.core.tree import Node, Tree
from mars2.search.selection import program_key

Part = Literal["train", "valid", "calibration", "test"]
PARTS: tuple[Part, ...] = ("train", "valid", "calibration", "test")


def label(node: Node, problem: Problem) -> bool | None:
    """Whether a node's program is right; None if it is not known.

    Right: every public and hidden test passed. A failed public test is enough to be wrong. Unknown: no program, or the
    hidden tests were never run (as by `mars2 solve`), or there are none.
    """
    if node.program is None:
        return None
    if not node.public_verdict.accepted:
        return False
    return None if node.hidden_verdict is None or not problem.hidden_tests else node.hidden_verdict.accepted


def labelled_programs(trees: Iterable[Tree], problems: Mapping[str, Problem]) -> dict[str, list[tuple[str, bool]]]:
    """Problem id → its distinct programs (by `program_key`) and labels, in order of first appearance."""
    found: dict[str, dict[str, tuple[str, bool]]] = {}
    for tree in trees:
        programs = found.setdefault(tree.problem_id, {})
        for node in tree:
            is_right = label(node, problems[tree.problem_id])
            if node.program is not None and is_right is not None:
                programs.setdefault(program_key(node.program), (node.program, is_right))
    return {problem_id: list(programs.values()) for problem_id, programs in found.items() if programs}


def split_problems(problem_ids: Iterable[str], shares: Sequence[float], seed: int) -> dict[Part, list[str]]:
    """Each problem goes to train, valid, calibration or test by a hash of its id, so the other problems do not matter.

    Args:
        shares: of valid, calibration and test; training has the rest.
    """
    parts: dict[Part, list[str]] = {part: [] for part in PARTS}
    for problem_id in sorted(set(problem_ids)):
        digest = hashlib.sha256(f"{seed}\x1f{problem_id}".encode()).digest()
        place = int.from_bytes(digest[:8], "big") / 2**64
        part: Part = "train"
        for name, share in zip(PARTS[1:], shares, strict=True):
            if place < share:
                part = name
                break
            place -= share
        parts[part].append(problem_id)
    return parts
