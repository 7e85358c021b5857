"""Turns what a user names (a benchmark, a file, a folder) into problems."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mars2.core.errors import ProblemError
from mars2.core.problem import Problem
from mars2.core.protocols import Split
from mars2.problems.file import SUFFIXES, load_file
from mars2.problems.humaneval import load_humaneval
from mars2.problems.jsonl import check_jsonl, read_jsonl, write_jsonl
from mars2.problems.loaded import Dropped, Loaded
from mars2.problems.mbpp import load_mbpp

BENCHMARKS = ("humaneval", "mbpp")


def load_problem(reference: str) -> Problem:
    """One problem: `humaneval:17`, `mbpp:PATH:511`, `PATH.jsonl:ID`, or a problem file.

    Raises:
        ProblemError: nothing or more than one problem is named, or it is malformed.
    """
    loaded = load_problems(reference)
    if len(loaded.problems) != 1:
        number = loaded.problems[0].id.rpartition("/")[2] if loaded.problems else "ID"
        example = f", as in {reference}:{number}"
        count = len(loaded.problems)
        raise ProblemError(f"{reference}: names {count} problems, but one is needed; add its id{example}")
    return loaded.problems[0]


def load_problems(reference: str) -> Loaded:
    """All problems of `humaneval`, `humaneval:PATH`, `mbpp:PATH`, a .jsonl file, a folder of files, or a problem file.

    With `:ID` behind it, only the problem of that id (or, in a benchmark, of that number).

    Raises:
        ProblemError: nothing there, or malformed.
    """
    name, _, rest = reference.partition(":")
    if name == "humaneval":
        path, wanted = _path_and_id(rest) if rest and not rest.isdigit() else (None, rest)
        return _only(load_humaneval(path), f"humaneval/{wanted}" if wanted.isdigit() else wanted)
    if name == "mbpp":
        if not rest:
            raise ProblemError(
                "mbpp: needs the path of mbpp.jsonl, as in mbpp:data/mbpp.jsonl or mbpp:data/mbpp.jsonl:511"
            )
        path, wanted = _path_and_id(rest)
        return _only(load_mbpp(path), f"mbpp/{wanted}" if wanted.isdigit() else wanted)
    path, wanted = _path_and_id(reference)
    if not path.suffix and not path.exists():
        near = difflib.get_close_matches(name, BENCHMARKS, n=1)
        remedy = f'did you mean "{near[0]}"?' if near else f"name a file, a folder or one of {', '.join(BENCHMARKS)}"
        raise ProblemError(f"{reference}: neither a benchmark nor a file; {remedy}")
    if path.is_dir():
        return _only(_load_folder(path), wanted)
    if _is_json_lines(path):
        return _only(read_jsonl(path), wanted)
    return _only(Loaded(str(path), (load_file(path),)), wanted)


def validate(reference: str) -> Loaded:
    """Like `load_problems`, but faults in the project's own formats are listed in `dropped` instead of raised."""
    path = Path(reference)
    if path.is_dir():
        return _load_folder(path, keep_going=True)
    if _is_json_lines(path):
        return check_jsonl(path)
    try:
        return load_problems(reference)
    except ProblemError as error:
        return Loaded(reference, (), (Dropped(reference, str(error)),))


def convert(reference: str, target: Path) -> Loaded:
    """Write all problems of `reference` to `target` as the project's own JSONL; returns what was kept and dropped."""
    loaded = load_problems(reference)
    write_jsonl(loaded.problems, target)
    return loaded


@dataclass(frozen=True, slots=True)
class ReferenceSource:
    """A `ProblemSource` of two references, as `load_problems` takes them."""

    train: str
    test: str

    def load(self, split: Split) -> Sequence[Problem]:
        return load_problems(self.train if split == "train" else self.test).problems


def _only(loaded: Loaded, wanted: str) -> Loaded:
    """The one problem called `wanted`; everything if it is ""."""
    if not wanted:
        return loaded
    found = tuple(problem for problem in loaded.problems if problem.id == wanted)
    if found:
        return Loaded(f"{loaded.source}:{wanted}", found)
    for dropped in loaded.dropped:
        if dropped.id == wanted:
            raise ProblemError(f"{loaded.source}: {wanted} cannot be used: {dropped.reason} {dropped.detail}".rstrip())
    ids = [problem.id for problem in loaded.problems]
    known = f"{ids[0]} to {ids[-1]}" if len(ids) > 1 else ", ".join(ids) or "nothing"
    raise ProblemError(f'{loaded.source}: no problem "{wanted}"; it holds {known}')


def _path_and_id(text: str) -> tuple[Path, str]:
    """`PATH` or `PATH:ID`; a path that exists as it stands is taken whole."""
    path, colon, wanted = text.rpartition(":")
    if not colon or Path(text).exists() or "/" in wanted.removeprefix("humaneval/").removeprefix("mbpp/"):
        return Path(text), ""
    return Path(path), wanted


def _load_folder(folder: Path, *, keep_going: bool = False) -> Loaded:
    """Every problem file of a folder, by name. Files that hold another's tests (`*.tests.json`) are not problems."""
    problems: list[Problem] = []
    dropped: list[Dropped] = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in SUFFIXES or Path(path.stem).suffix == ".tests" or path.name.startswith("README"):
            continue
        try:
            problems.append(load_file(path))
        except ProblemError as error:
            if not keep_going:
                raise
            dropped.append(Dropped(str(path), str(error)))
    if not problems and not dropped:
        raise ProblemError(f"{folder}: holds no problem files; their names end in one of {', '.join(SUFFIXES)}")
    return Loaded(str(folder), tuple(problems), tuple(dropped))


def _is_json_lines(path: Path) -> bool:
    return path.suffixes[-1:] == [".jsonl"] or path.suffixes[-2:] == [".jsonl", ".gz"]
