"""One key switches between four paradigms, and each comes out as the configuration that spells it out."""

from __future__ import annotations

from typing import Any

import pytest

from mars2.config.load import load_config, parse_config
from mars2.core.errors import ConfigError
from mars2.recipes import FOLDER

CONFIGS = FOLDER


def settings(name: str, *overrides: str) -> dict[str, Any]:
    return load_config(CONFIGS / f"{name}.yaml", overrides).as_dict()


@pytest.mark.parametrize("paradigm", ["grpo", "single", "homo", "heter"])
def test_the_key_gives_what_the_written_out_configuration_says(paradigm: str) -> None:
    switched, written = settings("lab_heter", f"paradigm={paradigm}"), settings(f"lab_{paradigm}")
    for data in (switched, written):
        del data["name"], data["paradigm"]
    assert switched == written


def test_what_each_paradigm_is() -> None:
    found = {p: load_config(CONFIGS / "lab_heter.yaml", [f"paradigm={p}"]) for p in ("grpo", "single", "homo", "heter")}
    agents = {p: {n: (a.policy, a.role) for n, a in c.agents.items()} for p, c in found.items()}
    assert agents == {
        "grpo": {"alpha": ("alpha", "")},
        "single": {"alpha": ("alpha", "")},
        "homo": {"solver": ("alpha", "solver"), "checker": ("alpha", "checker")},
        "heter": {"alpha": ("alpha", ""), "beta": ("beta", "")},
    }
    assert all(list(found[p].policies) == ["alpha"] for p in ("grpo", "single", "homo"))
    assert [p for p, c in found.items() if c.search.strategy == "best_of_n"] == ["grpo"]
    grpo = found["grpo"]
    assert grpo.training
    assert grpo.training.shaping.gamma == 0
    assert grpo.evaluation.search
    assert grpo.evaluation.search.strategy == "ab_mcts", "independent in training, a tree in evaluation like the others"


@pytest.mark.parametrize("paradigm", ["grpo", "single", "homo", "heter"])
def test_a_saved_configuration_reads_back_the_same(paradigm: str) -> None:
    saved = settings("lab_heter", f"paradigm={paradigm}")
    assert parse_config(saved).as_dict() == saved


def test_three_policies_fold_and_unfold() -> None:
    assert set(settings("lab_heter3")["agents"]) == {"alpha", "beta", "gamma"}
    assert set(settings("lab_heter3", "paradigm=homo", "roles=[checker]")["agents"]) == {"checker"}


@pytest.mark.parametrize(
    ("name", "overrides", "words"),
    [
        ("lab_heter", ["paradigm=both"], "paradigm: must be one of"),
        ("lab_single", ["paradigm=heter"], "paradigm: heter needs at least two agents, each with a policy of its own"),
        ("lab_homo", ["paradigm=heter"], "got solver on alpha, checker on alpha; add policies and agents"),
        ("lab_single", ["roles=[solver]"], "roles has no meaning without paradigm"),
        ("lab_heter", ["paradigm=homo", "agents.alpha.policy=alpah"], "agents.alpha.policy names no policy"),
    ],
)
def test_mistakes_are_explained(name: str, overrides: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load_config(CONFIGS / f"{name}.yaml", overrides)
