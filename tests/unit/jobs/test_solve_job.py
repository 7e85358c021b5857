"""Solving as a library does it: options are typed, the reward model is always asked, nothing is kept unless asked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from mars2.build import build_grower, build_team, resolve_models, weigher_of_answers
from mars2.core.errors import ConfigError
from mars2.core.problem import Problem, StdioTest
from mars2.core.tree import Tree
from mars2.jobs.options import SolveOptions
from mars2.jobs.solve import search, solve, solve_async, solve_setup
from mars2.jobs.team import read_config
from mars2.reward_model.scripted import ScriptedRewardModel
from mars2.runs.growing.guidance import Guide
from mars2.serve.requests import parse_request

PROBLEM = Problem(
    "sum",
    "Read two numbers, print their sum.",
    (StdioTest("1 2", "3"),),
    (StdioTest("2 2", "4"), StdioTest("9 1", "10")),
)
RIGHT = "print(sum(map(int, input().split())))"
LUCKY = "print(3)"


@pytest.fixture
def script(tmp_path: Path) -> str:
    file = tmp_path / "script.yaml"
    answers = [f"```python\n{program}\n```" for program in (LUCKY, RIGHT)]
    file.write_text(yaml.safe_dump({"rules": [{"answers": answers}]}))
    return f"scripted:{file}"


async def test_a_problem_is_solved_and_nothing_is_kept_on_disk(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    solution = await solve_async(PROBLEM, agents=[script], budget=4, keep_going=True)
    assert solution.program is not None
    assert solution.public is not None
    assert solution.public.accepted
    assert solution.hidden is not None
    assert len(solution.hidden.tests) == 2
    assert (len(solution.tree), solution.stop_reason, solution.folder) == (4, "budget spent", None)
    assert os.listdir(tmp_path) == ["script.yaml"]


def test_a_recorded_search_is_gone_on_with(script: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    first = solve(PROBLEM, agents={"a": script}, budget=2, keep_going=True, out=folder)
    more = solve(PROBLEM, agents={"a": script}, budget=5, keep_going=True, out=folder, resume=True)
    assert [node.program for node in more.tree][:2] == [node.program for node in first.tree]
    assert (len(more.tree), more.folder, more.report) == (5, folder, folder / "report.html")
    with pytest.raises(ConfigError, match="search: differs from the search in"):
        solve(PROBLEM, agents={"a": script}, strategy="best_of_n", out=folder, resume=True)


@pytest.mark.parametrize("folder", ["2024", "a: b", "null", "1e3", "[x]", "models/reward"])
def test_options_given_as_values_are_not_parsed_as_text(folder: str, script: str) -> None:
    guidance = solve_setup(SolveOptions(agents=script, reward_model=folder)).config.guidance
    assert guidance is not None
    assert str(guidance.reward_model) == folder


def test_settings_come_last_and_keep_their_types(script: str) -> None:
    config = solve_setup(
        SolveOptions(agents=script, budget=3, settings={"rollout.max_nodes": 5, "stopping.patience": 2})
    ).config
    assert (config.rollout.max_nodes, config.stopping.patience) == (5, 2)
    with pytest.raises(ConfigError, match=r"rollout\.max_nods: unknown key"):
        solve_setup(SolveOptions(agents=script, settings={"rollout.max_nods": 5}))


def test_a_configuration_that_is_given_is_left_as_it_is() -> None:
    data = {
        "name": "x",
        "problems": {"kind": "reference", "test": "-"},
        "policies": {"a": {"backend": "scripted", "script": "s"}},
        "agents": {"a": {"policy": "a"}},
        "rollout": {"max_nodes": 2},
    }
    assert read_config(data, {"rollout.max_nodes": 7}).rollout.max_nodes == 7
    assert data["rollout"] == {"max_nodes": 2}


@pytest.mark.parametrize(
    ("team", "message"),
    [
        ({}, "exactly one of agents, config and run, got nothing"),
        ({"agents": "scripted:x", "run": "y"}, "got agents and run"),
        ({"agents": ["a=scripted:x", "a=scripted:y"]}, "two agents are called 'a'"),
        ({"agents": []}, "names no model"),
        ({"agents": {"x": "openai:"}}, "names no model"),
    ],
)
def test_a_wrong_team_is_one_plain_error(team: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        solve_setup(SolveOptions(**team))


async def test_every_search_asks_the_reward_model_for_its_choice(script: str) -> None:
    """Also those that `mars2 serve` starts: once its own search forgot to."""
    pytest.importorskip("fastapi", reason="the extra `serve` is not installed")
    from mars2.serve.app import Server

    setup = solve_setup(
        SolveOptions(agents=script, select="public", keep_going=True, settings={"rollout.lockstep": False})
    )
    team = build_team(setup.config, resolve_models(setup.config))
    team.guide = Guide(ScriptedRewardModel(lambda problem, program: 0.9 if program.strip() == RIGHT else 0.1))
    try:
        config = read_config(setup.config, {"guidance.reward_model": "scripted"})
        grower = build_grower(config, team, max_nodes=4, judge_hidden=False)
        weigher = weigher_of_answers(config, team)
        solved = await search(grower, PROBLEM, Tree("solve", "sum"), selection=config.selection, weigher=weigher)
        body = b'{"model": "mars2", "messages": [{"role": "user", "content": "Read two numbers, print their sum."}]}'
        server = Server(config, team, max_nodes=4)
        served = await server._search(parse_request(body), PROBLEM, say=lambda text: None)  # pyright: ignore[reportPrivateUsage]
    finally:
        await team.close()
    assert solved.program is not None
    assert solved.program.strip() == RIGHT
    assert "the reward model gives it 0.90" in solved.why
    assert "the reward model gives it 0.90" in served.why


async def test_a_notebook_shows_the_program_the_tree_and_the_tables_and_no_text_acts_as_html(tmp_path: Path) -> None:
    file = tmp_path / "script.yaml"
    evil = "print('<script>alert(1)</script>')"
    file.write_text(yaml.safe_dump({"rules": [{"answers": [f"```python\n{evil}\n```"]}]}))
    solution = await solve_async(PROBLEM, agents={"<b>x": f"scripted:{file}"}, budget=3, strategy="sequential")
    page = solution._repr_html_()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>" not in page
    assert "<b>x" not in page
    assert page.count("<circle") == 1 + 3  # the root and three nodes
    assert page.count("<line") == 3
    assert repr(solution).startswith("<Solution of sum: public WA, 0 of 1 tests passed; hidden WA")


def test_the_dictionary_is_what_the_command_line_prints(script: str) -> None:
    found = solve(PROBLEM, agents=script, budget=1).to_dict()
    assert set(found) == {
        *("problem", "program", "agent", "node", "chosen_because", "public", "hidden", "num_nodes", "stop", "error"),
        *("failed_calls", "lost_agents", "agents", "prompt_tokens", "output_tokens", "cost", "wall_s", "run", "tree"),
    }
    assert found["public"]["verdict"] == "AC"
