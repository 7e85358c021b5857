"""Reads files (text, YAML, JSON, JSON lines) and turns every fault into one line that names the place."""

from __future__ import annotations

import difflib
import gzip
import json
import zlib
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import yaml

from mars2.core.errors import ProblemError
from mars2.core.optional import need
from mars2.problems.values import integer


def read_text(path: Path) -> str:
    """The UTF-8 text of a file (gzip if its name ends in .gz), with "\\n" line ends and no byte-order mark.

    Raises:
        ProblemError: missing (with a near name), a folder, unreadable, not UTF-8, or empty.
    """
    with _file_faults(path):
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
    text = _decode(data, str(path))
    if not text.strip():
        raise ProblemError(f"{path}: the file is empty; see docs/problem-format.md for what to write in it")
    return text.replace("\r\n", "\n")


def parse_yaml(text: str, where: str, first_line: int = 1) -> Any:
    """The data in YAML (or JSON) text whose first line is line `first_line` of the file `where`."""
    try:
        return yaml.load(text, Loader=_UniqueKeyLoader)  # a SafeLoader: builds plain data only
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" line {mark.line + first_line}, column {mark.column + 1}:" if mark else ""
        problem = " ".join(str(error.problem or error.context or error).split())
        raise ProblemError(f"{where}:{place} malformed YAML ({problem}); check indentation and quotes") from None
    except (yaml.YAMLError, ValueError) as error:
        raise ProblemError(f"{where}: malformed YAML ({' '.join(str(error).split())})") from None
    except RecursionError:
        raise ProblemError(f"{where}: nested too deeply; flatten the data") from None


def parse_json(text: str, where: str, first_line: int = 1) -> Any:
    """The data in JSON text whose first line is line `first_line` of the file `where`."""
    try:
        return json.loads(text, parse_int=integer)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno + first_line - 1}, column {error.colno}"
        raise ProblemError(f"{where}: {place}: malformed JSON ({error.msg}); check quotes and commas") from None
    except ValueError as error:
        raise ProblemError(f"{where}: malformed JSON ({error})") from None
    except RecursionError:
        raise ProblemError(f"{where}: nested too deeply; flatten the data") from None


def read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The object on each line of a .jsonl or .jsonl.gz file, one at a time; blank lines are skipped.

    Raises:
        ProblemError: as `read_text`; a line is malformed or holds something else.
    """
    number = 0
    with _opened(path) as file, _file_faults(path):
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            row = parse_json(_decode(line, f"{path}: line {number}"), str(path), number)
            if not isinstance(row, dict):
                raise ProblemError(f"{path}: line {number}: must be a JSON object, got {line.strip()[:40]!r}")
            yield row
    if number == 0:
        raise ProblemError(f"{path}: the file is empty")


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a benchmark's file: JSON lines, one JSON list of objects (.json), or Parquet (.parquet).

    Raises:
        ProblemError: as `read_json_lines`.
        MissingPackage: Parquet, and pyarrow is not installed.
    """
    if path.suffix == ".parquet":
        yield from _parquet_rows(path)
    elif path.suffix == ".json":
        data = parse_json(read_text(path), str(path))
        if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
            raise ProblemError(f"{path}: must be a list of objects; or name a .jsonl file")
        yield from data
    else:
        yield from read_json_lines(path)


def _parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    need("pyarrow", "benchmarks", str(path))
    from pyarrow import ArrowException  # pyright: ignore[reportMissingImports]
    from pyarrow.parquet import ParquetFile  # pyright: ignore[reportMissingImports]

    with _file_faults(path):
        try:
            for batch in ParquetFile(path).iter_batches(batch_size=64):
                yield from batch.to_pylist()
        except ArrowException as error:
            raise ProblemError(f"{path}: malformed Parquet ({str(error).splitlines()[0]}); check the file") from None


@contextmanager
def _file_faults(path: Path) -> Iterator[None]:
    """Turns what the operating system or gzip says about a file into one line."""
    try:
        yield
    except FileNotFoundError:
        raise ProblemError(f"{path}: no such file{_near_name(path)}") from None
    except IsADirectoryError:
        raise ProblemError(f"{path}: is a folder; name a file in it") from None
    except (OSError, EOFError, ValueError, zlib.error) as error:  # a ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise ProblemError(f"{path}: cannot be read ({reason}); check the file") from None


def _opened(path: Path) -> IO[bytes]:
    with _file_faults(path):
        file = path.open("rb")
    return gzip.open(file) if path.suffix == ".gz" else file  # type: ignore[return-value]


def _decode(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte = data[error.start]
        raise ProblemError(
            f"{where}: not UTF-8 (byte 0x{byte:02x} at offset {error.start}); save it as UTF-8"
        ) from None


def _near_name(path: Path) -> str:
    try:
        names = [p.name for p in path.parent.iterdir()]
    except OSError:
        return f"; the folder {path.parent} does not exist" if not path.parent.exists() else ""
    near = difflib.get_close_matches(path.name, names, n=1)
    return f'; did you mean "{path.parent / near[0]}"?' if near else "; check the path"


class _UniqueKeyLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice in one mapping. YAML itself would silently keep the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if (key.tag, key.value) in seen:
                    raise yaml.MarkedYAMLError(problem=f"key {key.value!r} given twice", problem_mark=key.start_mark)
                seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep=deep)
