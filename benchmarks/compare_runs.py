"""Whether two runs grew the same training trees, node by node: the check that a change of the code changed no result.

    python benchmarks/compare_runs.py OLD_RUN NEW_RUN

Both folders are only read. Compared are, in order of tree id: the problem, and of each node its parent, agent, output
ids, program, statuses of all tests, and reward. The first difference is printed; the exit code is then 1.
"""

from __future__ import annotations

import argparse
import sys
from itertools import zip_longest
from pathlib import Path
from typing import Any

from mars2.core.tree import Node
from mars2.core.verdict import Verdict
from mars2.store.records import StoredTree
from mars2.store.run_store import RunStore


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--phase", default="train", help="the trees to compare; default: train")
    options = parser.parse_args()
    old, new = (trees_of(folder, options.phase) for folder in (options.old, options.new))
    difference = first_difference(old, new)
    if difference is not None:
        print(difference)
        return 1
    print(f"{len(old)} trees of phase {options.phase} with {sum(len(s.tree) for s in old.values())} nodes are the same")
    return 0


def trees_of(folder: Path, phase: str) -> dict[str, StoredTree]:
    with RunStore.open(folder, read_only=True) as store:
        found = {stored.tree.tree_id: stored for stored in store.iter_trees(phase, finished_only=True)}
    if not found:
        sys.exit(f"{folder} has no finished trees of phase {phase}: nothing to compare")
    return dict(sorted(found.items()))


def first_difference(old: dict[str, StoredTree], new: dict[str, StoredTree]) -> str | None:
    """A sentence on the first difference; None if there is none."""
    for tree_id in sorted({*old, *new}):
        if tree_id not in old or tree_id not in new:
            return f"{tree_id}: only in the {'old' if tree_id in old else 'new'} run"
        left, right = old[tree_id], new[tree_id]
        if left.tree.problem_id != right.tree.problem_id:
            return f"{tree_id}: problem {left.tree.problem_id} in the old run, {right.tree.problem_id} in the new one"
        for number, (a, b) in enumerate(zip_longest(left.tree, right.tree)):
            if a is None or b is None:
                return f"{tree_id}: {len(left.tree)} nodes in the old run, {len(right.tree)} in the new one"
            was, now = facts(a, left), facts(b, right)
            for name in was:
                if was[name] != now[name]:
                    return f"{tree_id} node {number}: {name} was {was[name]!r}, is {now[name]!r}"
    return None


def facts(node: Node, stored: StoredTree) -> dict[str, Any]:
    return {
        "parent": node.parent_id,
        "agent": node.agent,
        "output ids": node.completion.output_ids,
        "program": node.program,
        "public statuses": statuses(node.public_verdict),
        "hidden statuses": statuses(node.hidden_verdict),
        "reward": stored.annotations.get(node.id, {}).get("reward"),
    }


def statuses(verdict: Verdict | None) -> list[str] | None:
    return None if verdict is None else [verdict.status.value, *(test.status.value for test in verdict.tests)]


if __name__ == "__main__":
    sys.exit(main())
