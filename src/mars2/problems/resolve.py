"""Turns what a user names (a benchmark, a file, a folder) into problems."""

from __future__ import annotations

import difflib
import re
from calendar import monthrange
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from mars2.core.errors import ProblemError
from mars2.core.problem import Problem
from mars2.core.protocols import Split
from mars2.problems.apps import APPS, TACO
from mars2.problems.bigcodebench import BIGCODEBENCH
from mars2.problems.codecontests import CODECONTESTS
from mars2.problems.codecontests_plus import CODECONTESTS_PLUS
from mars2.problems.codeforces import CODEFORCES
from mars2.problems.deepcoder import DEEPCODER
from mars2.problems.file import SUFFIXES, load_file
from mars2.problems.hardtests import HARDTESTS
from mars2.problems.hub import hub_rows, livecodebench_files
from mars2.problems.humaneval import HUMANEVAL, HUMANEVAL_PLUS, installed_file
from mars2.problems.jsonl import check_jsonl, read_jsonl, write_jsonl
from mars2.problems.livecodebench import livecodebench
from mars2.problems.loaded import Dropped, Loaded, Row, RowFormat, named
from mars2.problems.mbpp import MBPP, MBPP_PLUS
from mars2.problems.reading import read_rows

FORMATS = {
    rows.name: rows
    for rows in (
        *(HUMANEVAL, MBPP, HUMANEVAL_PLUS, MBPP_PLUS, livecodebench(), DEEPCODER, TACO, APPS),
        *(CODECONTESTS, CODECONTESTS_PLUS, CODEFORCES, HARDTESTS, BIGCODEBENCH),
    )
}
_NOT_A_LETTER = re.compile(r"[-_]")  # of a benchmark's name: "human-eval", "MBPP_plus"
_OPTIONS = ("version", "from", "to")
_DAY_OR_MONTH = re.compile(r"\d{4}-\d\d(-\d\d)?")
_WINDOW = re.compile(r"@(\d{4}-\d\d-\d\d)?\.\.(\d{4}-\d\d-\d\d)?$")


def load_problem(reference: str) -> Problem:
    """One problem: `humaneval:17`, `mbpp:PATH:511`, `PATH.jsonl:ID`, or a problem file.

    Raises:
        ProblemError: nothing or more than one problem is named, or it is malformed.
    """
    loaded = load_problems(reference)
    if len(loaded.problems) != 1:
        number = loaded.problems[0].id.rpartition("/")[2] if loaded.problems else "ID"
        count = len(loaded.problems)
        raise ProblemError(
            f"{reference}: names {count} problems, but one is needed; add its id, as in {reference}:{number}"
        )
    return loaded.problems[0]


def load_problems(reference: str) -> Loaded:
    """All problems of `humaneval`, `BENCHMARK:PATH`, `hub:BENCHMARK:SPLIT`, a .jsonl file, a folder, or a problem file.

    Benchmarks are the keys of `FORMATS`. `:ID` behind a path selects the problem with that id or number. LiveCodeBench
    takes a date window, both days included: `livecodebench:test6.jsonl@2025-01-01..2025-04-30`, or by day or month
    `livecodebench:test6.jsonl?from=2025-01&to=2025-04`. A folder with its files test.jsonl … test6.jsonl takes a
    version: `livecodebench:FOLDER?version=release_v5`, `?version=v6` (its new ones) or `?version=v4_v6`.

    Raises:
        ProblemError: nothing there, or malformed.
    """
    name, colon, rest = reference.partition(":")
    if colon and name not in FORMATS and not Path(reference).exists():
        name = _NOT_A_LETTER.sub("", name.lower().replace("+", "plus")) if not Path(name).suffix else name
    if name == "hub":
        return _from_hub(rest)
    if name in FORMATS:
        return _benchmark(name, rest)
    path, wanted = _path_and_id(reference)
    if not path.suffix and not path.exists():
        near = difflib.get_close_matches(name, FORMATS, n=1)
        remedy = f'did you mean "{near[0]}"?' if near else f"name a file, a folder or one of {', '.join(FORMATS)}"
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
    if _is_json_lines(path) and path.exists():
        return check_jsonl(path)
    try:
        return load_problems(reference)
    except ProblemError as error:
        return Loaded(reference, (), (Dropped(reference, str(error)),))


def convert(loaded: Loaded, target: Path) -> Loaded:
    """Write the problems of `loaded` to `target` as the project's own JSONL; returns what was kept and dropped."""
    written = write_jsonl(loaded.problems, target)
    return Loaded(loaded.source, written.problems, (*loaded.dropped, *written.dropped))


@dataclass(frozen=True, slots=True)
class ReferenceSource:
    """A `ProblemSource` of two references, as `load_problems` takes them."""

    train: str | None  # None: there is no such split
    test: str | None

    def load(self, split: Split) -> Sequence[Problem]:
        reference = self.train if split == "train" else self.test
        return load_problems(reference).problems if reference else []


def _benchmark(name: str, rest: str) -> Loaded:
    rows_format, rest, version = _windowed(name, rest)
    if name == "humaneval" and (not rest or rest.isdigit()):
        path, wanted = installed_file(), rest
    elif rest:
        path, wanted = _path_and_id(rest)
    else:
        raise ProblemError(
            f"{name}: needs a file, as in {name}:PATH or {name}:PATH:ID, or the Hub, as in hub:{name}:SPLIT"
        )
    source = name if name == "humaneval" and not rest.strip("0123456789") else f"{name}:{path}"
    prefix = f"{name}/"
    if version:
        source += f"?version={version}"
    rows = _rows(path, version)
    if wanted:
        return rows_format.load_one(source, rows, wanted if prefix in wanted else prefix + wanted)
    return rows_format.load(source, rows)


def _from_hub(rest: str) -> Loaded:
    name, _, part = rest.partition(":")
    rows_format, part, version = _windowed(name, part)
    if version:
        raise ProblemError(f"hub:{rest}: on the Hub the version stands first; write hub:livecodebench:{version}")
    return rows_format.load(f"hub:{rest}", hub_rows(name, part))


def _windowed(name: str, rest: str) -> tuple[RowFormat, str, str]:
    """The benchmark's format (with its date window, for LiveCodeBench), `rest` without the window, and the version."""
    if name not in FORMATS:
        raise ProblemError(f'hub:{name}: unknown benchmark "{name}"; use one of {", ".join(FORMATS)}')
    rest, query = _without_query(name, rest)
    if query:
        since, until = _day(query.get("from"), last=False), _day(query.get("to"), last=True)
        return livecodebench(since, until), rest, query.get("version", "")
    match = _WINDOW.search(rest)
    if match is None:
        return FORMATS[name], rest, ""
    if name != "livecodebench":
        raise ProblemError(f"{name}:{rest}: only livecodebench knows contest dates; remove {match.group()}")
    try:
        since, until = (date.fromisoformat(day) if day else None for day in match.groups())
    except ValueError as error:
        raise ProblemError(f"{name}:{rest}: {match.group()}: {error}; write YYYY-MM-DD..YYYY-MM-DD") from None
    return livecodebench(since, until), rest[: match.start()], ""


def _without_query(name: str, rest: str) -> tuple[str, dict[str, str]]:
    """`rest` without the `?version=…&from=…&to=…` at its end, and the keys and values of that part."""
    path, sign, text = rest.partition("?")
    if not sign or Path(rest).exists():
        return rest, {}
    where = f"{name}:{rest}"
    if name != "livecodebench":
        raise ProblemError(f"{where}: only livecodebench takes options; remove ?{text}")
    query: dict[str, str] = {}
    for part in text.split("&"):
        key, _, value = part.partition("=")
        if key not in _OPTIONS or not value or key in query:
            raise ProblemError(f"{where}: {part!r}: write each of version=v6, from=2025-01 and to=2025-04 once at most")
        query[key] = value
    for key in ("from", "to"):
        if key in query and not _DAY_OR_MONTH.fullmatch(query[key]):
            raise ProblemError(f"{where}: {key}={query[key]}: write a month or a day, as in 2025-01 or 2025-01-31")
    return path, query


def _day(text: str | None, *, last: bool) -> date | None:
    """A day, or the first or last day of a month.

    Raises:
        ProblemError: there is no such day.
    """
    if text is None:
        return None
    try:
        if len(text) > len("YYYY-MM"):
            return date.fromisoformat(text)
        first = date.fromisoformat(f"{text}-01")
    except ValueError as error:
        raise ProblemError(f"livecodebench: {text}: {error}; write YYYY-MM or YYYY-MM-DD") from None
    return first.replace(day=monthrange(first.year, first.month)[1]) if last else first


def _rows(path: Path, version: str = "") -> Iterable[Row]:
    """Rows of a file, or of all .jsonl and .parquet files of a folder by name; with a version only of its files."""
    if version:
        if not path.is_dir():
            raise ProblemError(f"{path}: version={version} needs the folder with test.jsonl, test2.jsonl …; name it")
        numbers = livecodebench_files(version)
        return (row for n in numbers for row in read_rows(path / f"test{n if n > 1 else ''}.jsonl"))
    if not path.is_dir():
        return read_rows(path)
    files = sorted(file for file in path.iterdir() if _is_json_lines(file) or file.suffix == ".parquet")
    if not files:
        raise ProblemError(f"{path}: holds no .jsonl or .parquet files; name a file")
    return (row for file in files for row in read_rows(file))


def _only(loaded: Loaded, wanted: str) -> Loaded:
    """The one problem called `wanted`; everything if it is ""."""
    if not wanted:
        return loaded
    found = tuple(problem for problem in loaded.problems if problem.id == wanted)
    if found:
        return Loaded(f"{loaded.source}:{wanted}", found)
    ids = [problem.id for problem in loaded.problems]
    raise ProblemError(f'{loaded.source}: no problem "{wanted}"; it holds {named(ids)}')


def _path_and_id(text: str) -> tuple[Path, str]:
    """Splits `PATH:ID`. A text that is an existing path is not split."""
    path, colon, wanted = text.rpartition(":")
    if not colon or Path(text).exists() or not (Path(path).suffix or Path(path).exists()):
        return Path(text), ""
    return Path(path), wanted


def _load_folder(folder: Path, *, keep_going: bool = False) -> Loaded:
    """Every problem file of a folder, in the order of names. Files with tests only (`*.tests.json`) are no problems."""
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
