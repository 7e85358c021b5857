"""Which program is the answer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from search_trees import add, new_tree

from mars2.core.tree import Tree
from mars2.search.selection import choose_answer, distinct_programs, finalists, program_key


def tree_of(*programs: tuple[str | None, int]) -> Tree:
    """First attempts with these programs, passing this many of four public tests."""
    tree = new_tree()
    for program, passed in programs:
        add(tree, None, "a", 0.0, program=program, passed=passed)
    return tree


def test_layout_comments_and_docstrings_do_not_make_a_program_distinct() -> None:
    plain = "def f(x):\n    return x+1\n"
    assert program_key(plain) == program_key('"""Module."""\ndef f(x):\n  # add\n  "Doc."\n  return (x  +  1)')
    assert program_key(plain) != program_key("def f(y):\n    return y+1\n")
    assert program_key("def f():\n    'only a docstring'") != program_key("def f():\n    pass")


def test_odd_programs_have_keys() -> None:
    odd = ["def f(:", "x = '\\d'", "\0", "-" * 100_000 + "1", "(" * 500, "\ud800", "", "1+" * 5000 + "1"]
    assert len({program_key(program) for program in odd}) == len(odd)
    assert program_key("def f(:\n") == program_key("  def f(:")


def test_no_program_no_answer() -> None:
    assert choose_answer(tree_of()) is None
    assert choose_answer(tree_of((None, 0), (None, 0))) is None


def test_the_earliest_of_the_best_public_score_wins() -> None:
    tree = tree_of((None, 0), ("a", 1), ("b", 3), ("c", 3), ("d", 2))
    assert choose_answer(tree) == 2
    assert [node.id for node in finalists(tree)] == [2, 3]


def test_search_scores_do_not_matter() -> None:
    tree = new_tree()
    add(tree, None, "a", 1.0, program="a", passed=2)
    add(tree, None, "a", 0.0, program="b", passed=3)
    assert choose_answer(tree) == 1


def test_duplicates_count_once() -> None:
    tree = tree_of(("a", 4), ("a  # again", 4), ("b", 4), ("c", 4))
    assert [node.id for node in distinct_programs(tree)] == [0, 2, 3]
    assert choose_answer(tree, behaviours={0: "x", 1: "x", 2: "y", 3: "y"}) == 2


def test_the_largest_group_of_behaviour_wins_and_its_earliest_is_the_answer() -> None:
    tree = tree_of(("a", 4), ("b", 4), ("c", 4), ("d", 4), ("e", 3), ("f", 3), ("g", 3), ("h", 3))
    behaviours = {0: "x", 1: "y", 2: "z", 3: "y", 4: "w", 5: "w", 6: "w", 7: "w"}
    assert choose_answer(tree, behaviours=behaviours) == 1
    assert choose_answer(tree, behaviours={0: "x", 1: "y", 2: "x", 3: "y"}) == 0  # a tie: the earliest group


def test_programs_without_a_behaviour_stand_alone() -> None:
    tree = tree_of(("a", 4), ("b", 4), ("c", 4), ("d", 4))
    assert choose_answer(tree, behaviours={2: "x", 3: "x"}) == 2
    assert choose_answer(tree, behaviours={}) == 0


def test_the_reward_model_weighs_programs_and_picks_within_the_group() -> None:
    tree = tree_of(("a", 4), ("b", 4), ("c", 4))
    behaviours = {0: "x", 1: "y", 2: "y"}
    assert choose_answer(tree, weights={0: 0.2, 1: 0.9, 2: 0.5}) == 1
    assert choose_answer(tree, behaviours=behaviours, weights={0: 0.8, 1: 0.3, 2: 0.4}) == 0  # 0.8 > 0.7
    assert choose_answer(tree, behaviours=behaviours, weights={0: 0.5, 1: 0.3, 2: 0.4}) == 2  # 0.5 < 0.7, and 0.4 > 0.3


@given(st.lists(st.tuples(st.sampled_from([None, "a", "b", "c", "d"]), st.integers(0, 2)), max_size=12), st.data())
def test_the_answer_is_a_finalist_whatever_else_is_known(
    programs: list[tuple[str | None, int]], data: st.DataObject
) -> None:
    tree = tree_of(*programs)
    ids = [node.id for node in finalists(tree)]
    behaviours = data.draw(st.none() | st.dictionaries(st.sampled_from(range(12)), st.integers(0, 2)))
    weights = data.draw(st.none() | st.fixed_dictionaries({i: st.floats(0, 1) for i in ids}))
    answer = choose_answer(tree, behaviours=behaviours, weights=weights)
    assert answer in ids if ids else answer is None
