"""Strategies named on a command line."""

from __future__ import annotations

from typing import Any

import pytest

from mars2.config.load import parse_config
from mars2.config.search import parse_strategy
from mars2.core.errors import ConfigError

TEAM: dict[str, Any] = {
    "name": "x",
    "problems": {"kind": "lab"},
    "policies": {"a": {"backend": "transformers", "model": "m"}},
    "agents": {"a": {"policy": "a"}},
}


@pytest.mark.parametrize(
    ("text", "section"),
    [
        ("ab_mcts", {"strategy": "ab_mcts"}),
        (
            "depth_guided:gamma=0.9:posterior=gaussian",
            {"strategy": "depth_guided", "gamma": 0.9, "posterior": "gaussian"},
        ),
        ("t_plus:own_score_weight=3", {"strategy": "t_plus", "own_score_weight": 3}),
        ("treequest", {"strategy": "treequest"}),
        ("treequest:StandardMCTS", {"strategy": "treequest", "algorithm": "StandardMCTS"}),
        (
            "treequest:ABMCTSA:dist_type=beta",
            {"strategy": "treequest", "algorithm": "ABMCTSA", "options": {"dist_type": "beta"}},
        ),
    ],
)
def test_a_name_stands_for_a_search_section(text: str, section: dict[str, Any]) -> None:
    assert parse_strategy(text) == section
    search = parse_config(TEAM | {"search": section}).search.as_dict()
    assert section.items() <= search.items()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ab_mcts:gaussian", "strategy: 'ab_mcts:gaussian' has 'gaussian'; after the name come settings"),
        ("ab_mcts:=1", "strategy: 'ab_mcts:=1' has '=1'"),
        ("ab_mcts:cap=[", "which is not YAML"),
        ("fastest", "search.strategy: must be one of"),
        ("ab_mcts:gamma=0.9", "search.gamma: unknown key"),
        ("treequest:AlphaZero", "search.algorithm: must be one of 'ABMCTSA', 'ABMCTSM'"),
    ],
)
def test_a_mistake_is_explained(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(TEAM | {"search": parse_strategy(text)})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
