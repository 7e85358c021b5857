"""A tree takes results, failures and cancellations in any order and any number of times; the first of each counts."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mars2.core.completion import Completion
from mars2.core.tree import Expansion, Result, Tree
from mars2.core.verdict import Status, Verdict
from mars2.search.ab_mcts import AbMcts

EVENTS = st.lists(
    st.tuples(st.sampled_from(["expand", "hold", "admit", "add", "cancel"]), st.integers(0, 15)), max_size=60
)


def result(score: float) -> Result:
    return Result(
        prompt=(),
        completion=Completion("", "stop", "p", 0),
        program="pass",
        public_verdict=Verdict(Status.WA, ()),
        hidden_verdict=None,
        score=score,
    )


@settings(max_examples=200, deadline=None)
@given(events=EVENTS)
def test_every_expansion_has_one_fate_whatever_is_said_of_it_and_however_often(
    events: list[tuple[str, int]],
) -> None:
    tree = Tree("t", "p")
    search = AbMcts(["a", "b"])
    expansions: list[Expansion] = []
    fate: dict[int, str] = {}  # the model: expansion id → pending, held, node or cancelled
    score: dict[int, float] = {}  # of the result that counts
    order: list[int] = []  # expansion ids in the order of their nodes
    for number, (event, which) in enumerate(events):
        if event == "expand" or not expansions:
            parent = which % len(tree) if len(tree) and which % 3 else None
            expansions.append(tree.expand(parent, "ab"[which % 2]))
            fate[expansions[-1].id] = "pending"
            continue
        expansion = expansions[which % len(expansions)]
        before = fate[expansion.id]
        if event in {"hold", "add"} and before == "pending":
            score[expansion.id] = number % 11 / 10
            fate[expansion.id] = "held"
        if event in {"admit", "add"} and fate[expansion.id] == "held":
            fate[expansion.id] = "node"
            order.append(expansion.id)
        if event == "cancel" and before in {"pending", "held"}:
            fate[expansion.id] = "cancelled"
        outcome: Result | bool | None
        match event:
            case "hold":
                outcome = tree.hold(expansion, result(number % 11 / 10))
                assert (outcome is not None) == (fate[expansion.id] == "held")
            case "admit":
                outcome = tree.admit(expansion)
                assert (outcome is not None) == (fate[expansion.id] == "node")
            case "add":
                outcome = tree.add(expansion, result(number % 11 / 10))
                assert (outcome is not None) == (fate[expansion.id] == "node")
            case _:
                assert tree.cancel(expansion) == (before in {"pending", "held"})
        if before != "node" and fate[expansion.id] == "node":
            search.tell(tree, tree.nodes[-1])
    assert [n.expansion_id for n in tree] == order
    assert [n.id for n in tree] == list(range(len(order)))
    assert [n.score for n in tree] == [score[i] for i in order]
    assert set(tree.pending) == {i for i, f in fate.items() if f in {"pending", "held"}}
    assert set(tree.held) == {i for i, f in fate.items() if f == "held"}
    assert tree.num_cancelled == sum(f == "cancelled" for f in fate.values())
    assert sorted(child for parent in [None, *range(len(tree))] for child in tree.children(parent)) == list(
        range(len(tree))
    )
