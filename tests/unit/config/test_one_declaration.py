"""No option is declared twice: defaults of their own outside of the section would drift."""

from __future__ import annotations

from pathlib import Path

from declarations import declared_twice

PACKAGE = Path(__file__).parents[3] / "src" / "mars2"
SURFACE = {  # flags and keyword arguments are what a user gives; what is handed on becomes a setting of the section
    "cli/evaluate.py:evaluate",
    "cli/serve.py:serve",
    "cli/sft.py:sft",
    "cli/solve.py:solve",
    "jobs/options.py:EvaluateOptions",
    "jobs/options.py:SolveOptions",
    "serve/requests.py:ChatRequest",  # the fields that OpenAI gave it
}
SAME_WORDS = {  # of a policy (device, lora) and of a run (seed, threads); fine-tuning happens to use all four
    "learners/torch_learner.py:TorchLearner.__init__": "SftConfig",
}


def test_no_option_is_declared_twice() -> None:
    found = [
        twice
        for twice in declared_twice(PACKAGE)
        if twice.where not in SURFACE and SAME_WORDS.get(twice.where) != twice.section
    ]
    assert not found, "\n".join(map(str, found))


def test_every_exception_is_still_needed() -> None:
    assert {twice.where for twice in declared_twice(PACKAGE)} == SURFACE | SAME_WORDS.keys()


def test_a_second_declaration_is_found(tmp_path: Path) -> None:
    """Fields with defaults and keyword arguments with defaults count; names without a default, or two, do not."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "a.py").write_text("class A:\n    x: int = 1\n    y: int = 2\n    z: int\n")
    (tmp_path / "b.py").write_text(
        "class Twice:\n    x: int = 1\n    y: int = 3\n    z: int = 0\n"
        "class Handed:\n    x: int\n    y: int\n    z: int\n"
        "def two(x=1, y=2): ...\n"
        "def three(x, /, y=2, *, z=0): ...\n"
        "class Holder:\n    def method(self, w, x=1, *, y=2, z=3): ...\n"
    )
    assert sorted(str(twice) for twice in declared_twice(tmp_path)) == [
        "b.py:Holder.method repeats A: x, y, z",
        "b.py:Twice repeats A: x, y, z",
    ]
