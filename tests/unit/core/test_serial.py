"""Everything the project stores comes back equal, whatever a model wrote."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mars2.core import serial
from mars2.core.completion import Completion, Message
from mars2.core.problem import MOST_SECONDS, AssertTest, CallTest, Checker, Limits, Problem, StdioTest
from mars2.core.sample import TrainingSample
from mars2.core.tree import Node, Result, Tree
from mars2.core.verdict import Status, TestResult, Verdict

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

any_text = st.text(st.characters(codec=None))  # every code point, lone surrogates included
any_float = st.floats(allow_nan=False)
scalars = st.none() | st.booleans() | st.integers() | any_float | any_text
hashable_values = st.recursive(scalars, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3))
values = st.recursive(
    hashable_values,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.sets(hashable_values, max_size=3)
        | st.dictionaries(hashable_values, inner, max_size=3)
        | st.dictionaries(st.sampled_from(["$int", "$text", "$dict", "$", "a"]), inner, max_size=2)
    ),
    max_leaves=8,
)
statuses = st.sampled_from(list(Status))
test_results = st.builds(
    TestResult, statuses, any_float, any_float, any_float, any_text, any_text, any_text, any_text, any_text,
    st.none() | st.integers(0, 255), st.none() | st.integers(1, 64), st.booleans(),
)  # fmt: skip
verdicts = st.builds(Verdict, statuses, st.lists(test_results, max_size=3).map(tuple), st.text(), st.text())
token_ids = st.lists(st.integers(0, 2**32), max_size=6).map(tuple)
completions = st.builds(
    Completion, any_text, st.sampled_from(["stop", "length"]), st.text(), st.integers(0, 99), token_ids, token_ids,
    st.lists(any_float, max_size=6).map(tuple), st.integers(0, 9), st.integers(0, 9), any_float,
)  # fmt: skip
messages = st.builds(Message, st.sampled_from(["system", "user", "assistant"]), any_text)
nodes = st.builds(
    Node, id=st.integers(0, 9), expansion_id=st.integers(0, 9), parent_id=st.none() | st.integers(0, 9),
    agent=st.text(), depth=st.integers(1, 9), prompt=st.lists(messages, max_size=3).map(tuple), completion=completions,
    program=st.none() | any_text, public_verdict=verdicts, hidden_verdict=st.none() | verdicts, score=st.floats(0, 1),
    elapsed_s=any_float,
)  # fmt: skip
tests = (
    st.builds(StdioTest, any_text, any_text)
    | st.builds(CallTest, st.text(), st.lists(values, max_size=2).map(tuple), values)
    | st.builds(AssertTest, any_text)
)
test_tuples = st.lists(tests, max_size=2).map(tuple)
problems = st.builds(
    Problem, any_text, any_text, test_tuples, test_tuples, st.none() | st.text(), any_text,
    st.builds(Limits, wall_s=st.none() | st.floats(min_value=0, exclude_min=True, max_value=MOST_SECONDS)),
    st.sampled_from(["exact", "unordered"]) | st.builds(Checker, any_text),
    st.dictionaries(st.text(), values, max_size=2),
)  # fmt: skip


def through_json(data: Any) -> Any:
    """As it would be stored: strict JSON (no NaN) in strict UTF-8."""
    return json.loads(json.dumps(data, allow_nan=False, ensure_ascii=False).encode("utf-8"))


def same(left: Any, right: Any) -> bool:
    """Equality that also tells 1 from 1.0 and True, a list from a tuple, and 0.0 from -0.0."""
    return left == right and repr_sorted(left) == repr_sorted(right)


def repr_sorted(value: Any) -> Any:
    if isinstance(value, (set, frozenset)):
        return type(value).__name__, sorted(map(str, map(repr_sorted, value)))
    if isinstance(value, dict):
        return "dict", [(repr_sorted(k), repr_sorted(v)) for k, v in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [repr_sorted(v) for v in value]
    return repr(value)


@given(values)
def test_any_value_round_trips_with_its_type(value: Any) -> None:
    assert same(serial.value_from_json(through_json(serial.value_to_json(value))), value)


def test_values_that_json_gets_wrong_are_tagged() -> None:
    assert serial.value_to_json((1, {2})) == {"$tuple": [1, {"$set": [2]}]}
    assert serial.value_to_json({1: "a"}) == {"$dict": [[1, "a"]]}
    assert serial.value_to_json({"$int": 1}) == {"$dict": [["$int", 1]]}
    assert serial.value_to_json(2**53) == {"$int": "0x20000000000000"}
    assert serial.value_to_json(-math.inf) == {"$float": "-inf"}
    assert math.isnan(serial.value_from_json(through_json(serial.value_to_json(math.nan))))
    assert serial.value_to_json(np.float32(0.5)) == 0.5
    assert serial.value_to_json(np.int64(3)) == 3


def test_an_integer_too_long_for_decimal_conversion_round_trips() -> None:
    factorial = math.factorial(3000)  # 9131 digits; str() refuses beyond 4300
    assert serial.value_from_json(through_json(serial.value_to_json(factorial))) == factorial


def test_two_lone_surrogates_do_not_merge_into_one_character() -> None:
    text = "\ud83d" + "\ude00"
    assert serial.value_from_json(through_json(serial.value_to_json(text))) == text


def test_an_unknown_type_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="object"):
        serial.value_to_json({"x": object()})


@given(verdicts)
def test_verdicts_round_trip(verdict: Verdict) -> None:
    assert serial.verdict_from_dict(through_json(serial.verdict_to_dict(verdict))) == verdict


@given(completions)
def test_completions_round_trip(completion: Completion) -> None:
    assert serial.completion_from_dict(through_json(serial.completion_to_dict(completion))) == completion


def test_log_probabilities_keep_every_bit() -> None:
    logprobs = (-math.inf, -0.0, 0.1 + 0.2, -1e-320)
    completion = Completion("", "stop", "p", 0, output_ids=(1, 2, 3, 4), logprobs=logprobs)
    restored = serial.completion_from_dict(through_json(serial.completion_to_dict(completion)))
    assert [x.hex() for x in restored.logprobs] == [x.hex() for x in logprobs]


@given(nodes)
def test_nodes_round_trip(node: Node) -> None:
    stored = through_json(serial.result_to_dict(node))
    assert serial.node_from_dict(stored) == node
    assert serial.node_from_dict(stored | {"reward": 1.0}) == node, "files of before kept a reward with each node"


@given(nodes)
def test_results_round_trip(node: Node) -> None:
    result = Result(**{f.name: getattr(node, f.name) for f in fields(Result)})
    assert serial.result_from_dict(through_json(serial.result_to_dict(result))) == result
    assert serial.result_from_dict(through_json(serial.result_to_dict(node))) == result, "as files of before held it"


@given(problems)
def test_problems_round_trip(problem: Problem) -> None:
    restored = serial.problem_from_dict(through_json(serial.problem_to_dict(problem)))
    assert restored == problem
    assert same(restored.metadata, problem.metadata)  # not part of a problem's equality


def test_samples_round_trip() -> None:
    sample = TrainingSample("t/1", "t", 1, "a", "p", 7, (1, 2), (3,), (-0.5,), 1.0, 1.25, -0.75)
    assert serial.sample_from_dict(through_json(serial.sample_to_dict(sample))) == sample


def small_tree(tree_id: str = "t", **changes: Any) -> Tree:
    """One node; `changes` are passed to its completion, verdict or the node itself."""
    tree = Tree(tree_id, changes.pop("problem_id", "p"))
    test = TestResult(changes.pop("status", Status.AC), cpu_s=changes.pop("cpu_s", 0.0), wall_s=0.1, peak_mib=9.0)
    ids = changes.pop("output_ids", (1, 2))
    completion = Completion(changes.pop("text", "x"), "stop", "q", 0, output_ids=ids, cost=changes.pop("cost", 0.0))
    tree.add(
        tree.expand(None, changes.pop("agent", "a")),
        Result(
            prompt=(),
            completion=completion,
            program=changes.pop("program", "x = 1"),
            public_verdict=Verdict(Status.AC, (test,), tier=changes.pop("tier", "A")),
            hidden_verdict=None,
            score=changes.pop("score", 1.0),
        ),
    )
    assert not changes
    return tree


@pytest.mark.parametrize(
    "change",
    [
        {"tree_id": "u"}, {"problem_id": "r"}, {"agent": "b"}, {"output_ids": (1, 3)}, {"text": "y"}, {"program": None},
        {"status": Status.WA}, {"score": 0.5},
    ],
)  # fmt: skip
def test_the_tree_hash_sees_what_a_tree_says(change: dict[str, Any]) -> None:
    assert serial.tree_hash([small_tree(**change)]) != serial.tree_hash([small_tree()])


@pytest.mark.parametrize("change", [{"cpu_s": 3.0}, {"tier": "D"}, {"cost": 2.0}])
def test_the_tree_hash_ignores_what_differs_between_equal_runs(change: dict[str, Any]) -> None:
    assert serial.tree_hash([small_tree(**change)]) == serial.tree_hash([small_tree()])


def test_the_tree_hash_ignores_the_order_of_trees_but_counts_them() -> None:
    a, b = small_tree("a"), small_tree("b")
    assert serial.tree_hash([a, b]) == serial.tree_hash([b, a])
    assert serial.tree_hash([a, b]) != serial.tree_hash([a])


def test_numbers_are_packed_narrow_only_where_that_changes_none() -> None:
    narrow = serial.completion_to_dict(Completion("", "stop", "p", 0, output_ids=(1, -1), logprobs=(-0.5, -math.inf)))
    wide = serial.completion_to_dict(Completion("", "stop", "p", 0, output_ids=(2**31,), logprobs=(0.1,)))
    assert (narrow["output_ids"][:3], narrow["logprobs"][:3]) == ("i4:", "f4:")
    assert (wide["output_ids"][:3], wide["logprobs"][:3]) == ("i8:", "f8:")


def test_the_tree_hash_sees_parents() -> None:
    def chain(parent_of_third: int) -> Tree:
        tree = small_tree()
        for parent in (0, parent_of_third):
            node = tree.nodes[0]
            tree.add(
                tree.expand(parent, "a"),
                Result(
                    prompt=(),
                    completion=node.completion,
                    program=None,
                    public_verdict=node.public_verdict,
                    hidden_verdict=None,
                    score=0.0,
                ),
            )
        return tree

    assert serial.tree_hash([chain(0)]) != serial.tree_hash([chain(1)])


def test_the_tree_hash_takes_trees_one_at_a_time() -> None:
    trees = [small_tree("a"), small_tree("b")]
    assert serial.tree_hash(iter(trees)) == serial.tree_hash(trees)


def test_the_tree_hash_is_stable_between_releases() -> None:
    assert serial.tree_hash([small_tree()]) == "684a29fdd4ae8c2a3464540d8e8f2ac7acb256c022691e26a0d0492c7128074e"
