"""The configurations that come with the project, so that a name is enough after ``pip install``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Recipe:
    """A configuration that ships; its file's first line, a comment, says what it is."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def description(self) -> str:
        return self.text.partition("\n")[0].removeprefix("#").strip()


def all_recipes() -> dict[str, Recipe]:
    """Every recipe by its name, in the order of names."""
    return {path.stem: Recipe(path) for path in sorted(FOLDER.glob("*.yaml"))}
