"""Benchmarks from the Hugging Face Hub: rows through `datasets`, or a repository's own JSON lines files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mars2.core.errors import ProblemError
from mars2.core.optional import need
from mars2.problems.loaded import Row
from mars2.problems.reading import read_json_lines

_TABLES: dict[str, tuple[str, dict[str, list[tuple[str | None, str]]]]] = {
    "humaneval": ("openai/openai_humaneval", {"test": [(None, "test")]}),
    "mbpp": ("google-research-datasets/mbpp", {s: [("full", s)] for s in ("train", "validation", "test", "prompt")}),
    "humanevalplus": ("evalplus/humanevalplus", {"test": [(None, "test")]}),
    "mbppplus": ("evalplus/mbppplus", {"test": [(None, "test")]}),
    "bigcodebench": (
        "bigcode/bigcodebench",
        {v: [(None, v)] for v in ("v0.1.4", "v0.1.3", "v0.1.2", "v0.1.1", "v0.1.0_hf")},
    ),
    "codeforces": ("open-r1/codeforces", {s: [("verifiable", s)] for s in ("train", "test")}),
    "codecontestsplus": ("ByteDance-Seed/Code-Contests-Plus", {f"{n}x": [(f"{n}x", "train")] for n in range(1, 6)}),
    "codecontests": ("deepmind/code_contests", {s: [(None, s)] for s in ("train", "valid", "test")}),
    "deepcoder": (
        "agentica-org/DeepCoder-Preview-Dataset",
        {
            "train": [("primeintellect", "train"), ("taco", "train"), ("lcbv5", "train")],
            "test": [("codeforces", "test"), ("lcbv5", "test")],
        },
    ),
}
"""Benchmark -> (repository, split -> (configuration, split) pairs read one after the other)."""

LIVECODEBENCH_REPOSITORY = "livecodebench/code_generation_lite"
NUM_LIVECODEBENCH_FILES = 6
NAMES = (*_TABLES, "apps", "livecodebench")


def hub_rows(name: str, part: str) -> Iterator[Row]:
    """Rows of a benchmark. `part` is a split; for LiveCodeBench a version, as in `livecodebench_files`.

    Raises:
        ProblemError: unknown name or part, or the Hub does not answer.
        MissingPackage: `datasets` or `huggingface_hub` is not installed.
    """
    if name == "livecodebench":
        files = [f"test{n if n > 1 else ''}.jsonl" for n in livecodebench_files(part)]
        return _file_rows(LIVECODEBENCH_REPOSITORY, files)
    if name == "apps":
        return _file_rows("codeparrot/apps", [f"{_one_of(part, ('train', 'test'), name)}.jsonl"])
    if name not in _TABLES:
        raise ProblemError(f"hub:{name}: not known on the Hub; use one of {', '.join(NAMES)}, or a local file")
    repository, splits = _TABLES[name]
    return _table_rows(repository, splits[_one_of(part, tuple(splits), name)])


def livecodebench_files(version: str) -> list[int]:
    """Numbers of the files of a version: `release_v4` is 1 to 4, `v4` only 4, `v4_v6` 4 to 6."""
    match = re.fullmatch(r"(release_)?v(\d)(?:_v(\d))?", version)
    if match:
        first = 1 if match.group(1) else int(match.group(2))
        last = int(match.group(3) or match.group(2))
        if 1 <= first <= last <= NUM_LIVECODEBENCH_FILES and not (match.group(1) and match.group(3)):
            return list(range(first, last + 1))
    raise ProblemError(f'hub:livecodebench: unknown version "{version}"; use release_v6, v6 (its new ones) or v4_v6')


def _one_of(part: str, known: tuple[str, ...], name: str) -> str:
    if part not in known:
        raise ProblemError(f'hub:{name}: no split "{part}"; use hub:{name}:SPLIT with one of {", ".join(known)}')
    return part


def _table_rows(repository: str, parts: list[tuple[str | None, str]]) -> Iterator[Row]:
    need("datasets", "benchmarks", repository)
    from datasets import load_dataset  # pyright: ignore[reportMissingImports]

    for configuration, split in parts:
        try:
            table = load_dataset(repository, configuration, split=split)
        except Exception as error:  # whatever the network, the Hub and the cache raise
            raise ProblemError(f"{repository}: cannot be loaded ({_first_line(error)}); give a local file") from None
        yield from map(dict, table)


def _file_rows(repository: str, names: list[str]) -> Iterator[Row]:
    need("huggingface_hub", "benchmarks", repository)
    from huggingface_hub import hf_hub_download

    for name in names:
        try:
            path = hf_hub_download(repository, name, repo_type="dataset")
        except Exception as error:  # whatever the network, the Hub and the cache raise
            raise ProblemError(
                f"{repository}/{name}: cannot be loaded ({_first_line(error)}); give a local file"
            ) from None
        yield from read_json_lines(Path(path))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
