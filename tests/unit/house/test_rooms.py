"""torch and transformers are imported in the rooms that docs/architecture.md names, and nowhere else."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from source_tree import ROOT, imported_packages, modules

PAGE = ROOT / "docs" / "architecture.md"
HEAVY = {"torch", "transformers"}


def rooms_named(sentence_start: str) -> set[Path]:
    """The paths in the first bullet list below a line of the page; a folder stands for all files in it."""
    below = PAGE.read_text(encoding="utf-8").split(sentence_start, 1)[1]
    listed = below.split("\n\n")[1]
    return {Path(name) for name in re.findall(r"`([\w/.]+)`", listed)}


def room_of(file: Path, rooms: set[Path]) -> Path | None:
    return next((room for room in rooms if file == room or room in file.parents), None)


def heavy_files() -> set[Path]:
    return {file for file, tree in modules().items() if imported_packages(tree) & HEAVY}


def test_torch_is_imported_in_the_rooms_that_the_page_names_and_in_each_of_them() -> None:
    rooms = rooms_named("torch and transformers are imported in")
    outside = sorted(str(file) for file in heavy_files() if room_of(file, rooms) is None)
    assert outside == []
    assert {room_of(file, rooms) for file in heavy_files()} == rooms


def test_import_linter_holds_the_same_rooms() -> None:
    """A module is held by the contract, or it is in a room that the page names."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    contract = next(c for c in settings["contracts"] if c["name"].startswith("torch is imported only"))
    held = {Path(*name.split(".")[1:]) for name in contract["source_modules"]}
    free = {Path(*line.split(" ")[0].split(".")[1:]) for line in contract.get("ignore_imports", ())}
    rooms = rooms_named("torch and transformers are imported in")
    for file in (path for path in modules() if path.name != "__init__.py" and len(path.parts) > 1):
        bare = file.with_suffix("")
        is_held = bare not in free and any(module == bare or module in bare.parents for module in held)
        assert is_held != (room_of(file, rooms) is not None), f"{file}: the page names it or the contract holds it"
