"""What a kind of policy can do is asked of it: outside of config/ and build/ nobody compares its name or its class."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from source_tree import classes, modules

from mars2.config.policies import PolicyConfig
from mars2.config.values import kinds_of

KINDS = {kind.__name__ for kind in kinds_of(PolicyConfig, "backend").values()}


def comparisons(tree: ast.Module) -> Iterator[int]:
    """Lines that tell kinds of policies apart."""
    for node in ast.walk(tree):
        match node:
            case ast.Compare():
                sides = [node.left, *node.comparators]
            case ast.Match():
                sides = [node.subject]
            case ast.Call(func=ast.Name(id="isinstance")):
                sides = node.args[1:]
            case ast.MatchClass():
                sides = [node.cls]
            case _:
                continue
        names = {part.attr for side in sides for part in ast.walk(side) if isinstance(part, ast.Attribute)}
        names |= {part.id for side in sides for part in ast.walk(side) if isinstance(part, ast.Name)}
        if names & {"backend", *KINDS}:
            yield node.lineno


def test_nobody_outside_of_config_and_build_tells_kinds_of_policies_apart() -> None:
    found = {
        f"{file}:{line}"
        for file, tree in modules().items()
        if file.parts[0] not in ("config", "build")
        for line in comparisons(tree)
    }
    assert not found


def test_a_new_kind_of_policy_is_one_class_one_member_of_the_union_and_one_case_in_build() -> None:
    """The three places; its adapter is a fourth file that nothing else names."""
    assert {info.name for info in classes() if info.name in KINDS} == KINDS, "all are declared in the package"
    assert {info.file.as_posix() for info in classes() if info.name in KINDS} == {"config/policies.py"}
    named = {
        file.as_posix()
        for file, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, (ast.Name, ast.MatchClass))
        for name in [node.id if isinstance(node, ast.Name) else getattr(node.cls, "id", "")]
        if name in KINDS and file.parts[0] != "backends"
    }
    assert named == {"config/policies.py", "build/team.py"}


@pytest.mark.parametrize(
    "line",
    [
        "policy.backend == 'openai'",
        "'vllm' in (policy.backend,)",
        "isinstance(policy, VllmPolicyConfig)",
        "match policy.backend:\n    case 'vllm': pass",
        "match policy:\n    case OpenAIPolicyConfig(): pass",
    ],
)
def test_a_comparison_is_found(line: str) -> None:
    assert list(comparisons(ast.parse(line)))
