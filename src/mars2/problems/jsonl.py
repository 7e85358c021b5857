"""The project's own JSONL: one whole problem a line, in the format of docs/problem-format.md."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from mars2.core.errors import ProblemError
from mars2.core.files import atomic
from mars2.core.problem import Problem
from mars2.problems.loaded import REPEATED_ID, Dropped, Loaded, RowFault
from mars2.problems.reading import parse_json, read_text
from mars2.problems.schema import problem_from_data, problem_to_data


def read_jsonl(path: Path) -> Loaded:
    """All problems of a .jsonl or .jsonl.gz file.

    Raises:
        ProblemError: the first malformed line, or an id used twice. The file must be corrected; no line is skipped.
    """
    loaded = check_jsonl(path)
    if loaded.dropped:
        raise ProblemError(loaded.dropped[0].reason)
    return loaded


def check_jsonl(path: Path) -> Loaded:
    """Like `read_jsonl`, but every malformed line is listed in `dropped` with its error as the reason."""
    seen: dict[str, int] = {}
    problems: list[Problem] = []
    dropped: list[Dropped] = []
    for number, problem in _rows(path):
        if isinstance(problem, ProblemError):
            dropped.append(Dropped(f"line {number}", str(problem)))
        elif problem.id in seen:
            place = f'{path}: line {number}: id: "{problem.id}" is used on line {seen[problem.id]}'
            dropped.append(Dropped(problem.id, f"{place}; rename one"))
        else:
            seen[problem.id] = number
            problems.append(problem)
    return Loaded(str(path), tuple(problems), tuple(dropped))


def write_jsonl(problems: Iterable[Problem], path: Path) -> Loaded:
    """Write problems so that `read_jsonl` gives equal ones. The file appears whole or not at all.

    Returns:
        What was written, and what was left out because `read_jsonl` would refuse it.
    """
    written: dict[str, Problem] = {}
    dropped: list[Dropped] = []
    try:
        with atomic(path) as partial, partial.open("w", encoding="ascii", newline="\n") as file:
            for problem in problems:
                name = problem.id.encode(errors="backslashreplace").decode()
                try:
                    if problem.id in written:
                        raise RowFault(REPEATED_ID)
                    file.write(_line(problem))
                    written[problem.id] = problem
                except RowFault as fault:
                    dropped.append(Dropped(name, fault.reason, fault.detail))
    except OSError as error:
        raise ProblemError(f"{path}: cannot be written ({error.strerror}); choose another place") from None
    return Loaded(str(path), tuple(written.values()), tuple(dropped))


def _line(problem: Problem) -> str:
    """The line of a problem.

    Raises:
        RowFault: the problem has no line that can be read back.
    """
    try:
        line = json.dumps(problem_to_data(problem))
    except (TypeError, ValueError, RecursionError) as error:
        raise RowFault("not writable as JSON", str(error)) from None
    try:
        problem_from_data(json.loads(line), problem.id)
    except (ProblemError, RecursionError) as error:
        detail = str(error).removeprefix(f"{problem.id}: ").encode(errors="backslashreplace").decode()
        raise RowFault("not readable again", detail) from None
    return line + "\n"


def _rows(path: Path) -> Iterator[tuple[int, Problem | ProblemError]]:
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            yield number, problem_from_data(parse_json(line, str(path), number), f"{path}: line {number}")
        except ProblemError as error:
            yield number, error
