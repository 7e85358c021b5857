"""Recipes by name: listed, shown, copied, and taken wherever a configuration file is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mars2.cli.main import app
from mars2.config.load import load_config
from mars2.recipes import FOLDER, Recipe, all_recipes


def mars2(*arguments: str) -> str:
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


@pytest.mark.parametrize("recipe", all_recipes().values(), ids=lambda recipe: recipe.name)
def test_the_first_line_of_a_recipe_says_what_it_is(recipe: Recipe) -> None:
    assert recipe.text.startswith("# ")
    assert recipe.description.endswith("."), "one whole sentence, which the list shows"


def test_the_list_names_every_recipe_with_its_description() -> None:
    listed, as_json = mars2("recipes"), json.loads(mars2("recipes", "--json"))
    assert [entry["name"] for entry in as_json["recipes"]] == sorted(path.stem for path in FOLDER.glob("*.yaml"))
    for entry in as_json["recipes"]:
        assert entry["name"] in listed
        assert entry["description"] in listed


def test_a_recipe_is_shown_and_copied_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (FOLDER / "quickstart.yaml").read_text()
    assert mars2("recipes", "show", "quickstart") == text
    mars2("recipes", "copy", "quickstart")
    mars2("recipes", "copy", "quickstart", "mine.yaml")
    assert (tmp_path / "quickstart.yaml").read_text() == (tmp_path / "mine.yaml").read_text() == text


def test_a_file_wins_over_the_recipe_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_config(Path("quickstart")).seed == 0
    Path("quickstart").write_text((FOLDER / "quickstart.yaml").read_text().replace("seed: 0", "seed: 7"))
    assert load_config(Path("quickstart")).seed == 7
