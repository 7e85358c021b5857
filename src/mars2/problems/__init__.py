"""Where problems come from: files, the project's JSONL, and public benchmarks."""

from mars2.problems.jsonl import read_jsonl, write_jsonl
from mars2.problems.loaded import Dropped, Loaded
from mars2.problems.resolve import ReferenceSource, convert, load_problem, load_problems, validate

__all__ = [
    "Dropped",
    "Loaded",
    "ReferenceSource",
    "convert",
    "load_problem",
    "load_problems",
    "read_jsonl",
    "validate",
    "write_jsonl",
]
