"""The first nodes of a tree as a tree of their own: a search of 64 nodes contains those of 1, 2, 4, … 32 nodes."""

from __future__ import annotations

from dataclasses import replace

from mars2.core.tree import Tree


def prefix(tree: Tree, num_nodes: int) -> Tree:
    """The `num_nodes` nodes of `tree` that were started first, in their order; `tree` itself if it has no more.

    This is the tree that a search with a budget of `num_nodes` would have grown, if the strategy does not look at the
    budget, no limit of tokens, seconds or money ends it, results are told in order of expansion (the default), and
    either expansions ran one at a time or the last few of these were not cancelled. Choice number i then sees only
    results of earlier choices, so it does not depend on later ones.

    Nodes get new ids if expansions did not finish in order. Failures of later expansions are left out.

    Raises:
        ValueError: a negative number of nodes.
    """
    if num_nodes < 0:
        raise ValueError(f"num_nodes must be >= 0, got {num_nodes}")
    if num_nodes >= len(tree):
        return tree
    started = sorted(tree, key=lambda node: node.expansion_id)[:num_nodes]
    last = started[-1].expansion_id if started else -1
    kept = sorted(started, key=lambda node: node.id)
    new_id: dict[int | None, int | None] = {None: None} | {node.id: i for i, node in enumerate(kept)}
    nodes = [
        node
        if new_id[node.id] == node.id and new_id[node.parent_id] == node.parent_id
        else replace(node, id=i, parent_id=new_id[node.parent_id])
        for i, node in enumerate(kept)
    ]
    failures = [failure for failure in tree.failures if failure.expansion_id <= last]
    result = Tree(tree.tree_id, tree.problem_id)
    result.restore(
        nodes,
        next_expansion_id=last + 1,
        num_cancelled=sum(failure.is_cancelled for failure in failures),
        failures=failures,
    )
    return result
