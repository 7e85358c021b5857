"""Trees for the credit tests, written as lists of (parent id or None, agent)."""

from __future__ import annotations

from hypothesis import strategies as st

from mars2.core.completion import Completion
from mars2.core.tree import Result, Tree
from mars2.core.verdict import Status, TestResult, Verdict

Shape = list[tuple[int | None, str]]


def verdict(*statuses: Status) -> Verdict:
    overall = next((s for s in statuses if s is not Status.AC), Status.AC)
    return Verdict(overall, tuple(TestResult(s) for s in statuses))


def build(shape: Shape, *, output_ids: tuple[int, ...] = (5, 6), tree_id: str = "T") -> Tree:
    """A tree with one node per entry; every completion is of policy "policy-<agent>", version 3."""
    tree = Tree(tree_id, "problem")
    for parent_id, agent in shape:
        tree.add(
            tree.expand(parent_id, agent),
            Result(
                prompt=(),
                completion=Completion(
                    text="x",
                    finish_reason="stop",
                    policy=f"policy-{agent}",
                    policy_version=3,
                    prompt_ids=(1, 2),
                    output_ids=output_ids,
                    logprobs=tuple(-0.5 * (i + 1) for i in range(len(output_ids))),
                ),
                program="x",
                public_verdict=verdict(Status.AC),
                hidden_verdict=None,
                score=1.0,
            ),
        )
    return tree


@st.composite
def shapes(draw: st.DrawFn, max_nodes: int = 12) -> Shape:
    """Any tree of 1 to `max_nodes` nodes by agents "a" and "b"."""
    num_nodes = draw(st.integers(1, max_nodes))
    shape: Shape = []
    for i in range(num_nodes):
        parent = draw(st.integers(-1, i - 1))
        shape.append((None if parent < 0 else parent, draw(st.sampled_from("ab"))))
    return shape


def relabel(shape: Shape, order: list[int]) -> Shape:
    """The same tree with its nodes added in `order` (old ids; parents must come first)."""
    new_id = {old: new for new, old in enumerate(order)}
    return [(None if shape[old][0] is None else new_id[shape[old][0]], shape[old][1]) for old in order]


@st.composite
def growth_orders(draw: st.DrawFn, shape: Shape) -> list[int]:
    """Another order in which the same tree could have grown: any one with parents before children."""
    remaining = list(range(len(shape)))
    order: list[int] = []
    while remaining:
        ready = [i for i in remaining if shape[i][0] is None or shape[i][0] in order]
        chosen = draw(st.sampled_from(ready))
        remaining.remove(chosen)
        order.append(chosen)
    return order
