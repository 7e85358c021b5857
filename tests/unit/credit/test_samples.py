import pytest
from credit_trees import build

from mars2.core.tree import Tree
from mars2.credit.samples import is_informative, make_samples

TREE = build([(None, "a"), (None, "b"), (0, "b")], tree_id="run/7")
VALUES = {0: 0.0, 1: 1.0, 2: 0.5}


def samples_of(tree: Tree, **policies: str) -> list:
    return make_samples(
        tree,
        rewards=VALUES,
        shaped={k: v + 10 for k, v in VALUES.items()},
        advantages={k: v + 20 for k, v in VALUES.items()},
        policy_of_agent=policies,
    )


def test_samples_carry_the_samplers_own_numbers() -> None:
    first, second, third = samples_of(TREE, a="policy-a", b="policy-b")
    assert (first.key, first.tree_id, first.node_id, first.agent) == ("run/7/0", "run/7", 0, "a")
    assert (first.policy, first.policy_version) == ("policy-a", 3)
    assert (first.prompt_ids, first.output_ids, first.rollout_logprobs) == ((1, 2), (5, 6), (-0.5, -1.0))
    assert (third.reward, third.shaped, third.advantage) == (0.5, 10.5, 20.5)
    assert [s.policy for s in (second, third)] == ["policy-b", "policy-b"]


def test_frozen_agents_and_empty_outputs_give_no_samples() -> None:
    assert [s.node_id for s in samples_of(TREE, b="policy-b")] == [1, 2]
    empty = build([(None, "a"), (None, "b"), (0, "b")], output_ids=())
    assert samples_of(empty, a="policy-a", b="policy-b") == []


def test_a_completion_of_another_policy_is_refused() -> None:
    with pytest.raises(ValueError, match="policy-a wrote the node"):
        samples_of(TREE, a="policy-z")


@pytest.mark.parametrize(
    ("name", "what"), [("rewards", "reward"), ("shaped", "shaped reward"), ("advantages", "advantage")]
)
def test_missing_values_and_values_of_unknown_nodes_are_refused(name: str, what: str) -> None:
    whole = {"rewards": VALUES, "shaped": VALUES, "advantages": VALUES}
    with pytest.raises(ValueError, match=rf"run/7: {what} missing for nodes \[1, 2\]"):
        make_samples(TREE, **(whole | {name: {0: 1.0}}), policy_of_agent={})
    with pytest.raises(ValueError, match=rf"run/7: {what} given for unknown nodes \[7, 9\]"):
        make_samples(TREE, **(whole | {name: VALUES | {9: 1.0, 7: 1.0}}), policy_of_agent={})


def test_a_tree_of_equal_rewards_is_not_informative() -> None:
    assert is_informative([0.0, 1.0, 0.0])
    assert is_informative([0.0, 0.0, 0.1])
    assert not is_informative([1.0, 1.0, 1.0])
    assert not is_informative([0.3])
    assert not is_informative([])
