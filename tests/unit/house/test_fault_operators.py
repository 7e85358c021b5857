"""The faults that `benchmarks/planted_faults.py` plants: of every kind, in code only, each a program of its own."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "fault_operators.py"


@pytest.fixture(scope="module")
def operators() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fault_operators", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fault_operators"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("code", "planted"),
    [
        ("return a < b", {"return (a <= b)", "return (a >= b)"}),
        ("return a == b", {"return (a != b)"}),
        ("return a - b", {"return (a + b)", "return a"}),
        ("return a and b", {"return (a or b)", "return a"}),
        ("return not a", {"return (a)"}),
        ("return 3", {"return 4"}),
        ("return 0.5", {"return 1.0"}),
        ("return True", {"return False"}),
        ("return f(a, k=b)", {"return f(a)"}),
        ("self.a = b", {"pass"}),
        ("f(a)", {"pass"}),
        ("return sorted(a)", {"return sorted(a)[::-1]"}),
        ("return min(a)", {"return max(a)"}),
        ("return a[:b]", {"return a[:b + 1]"}),
        ("return a if b else c", {"return (c if b else a)"}),
        ("if f(a):\n        return b", {"if not (f(a)):\n        return b"}),
        ("return x.detach()", {"return x"}),
        ("for a in b:\n        break", {"for a in b:\n        continue"}),
        ("raise ValueError(1 + 2)", set()),
        ("assert a < 1", set()),
        ('"""A docstring of 3 words."""', set()),
        ('return f"{a + 1}"', set()),
        ("return zip(a, strict=True)", {"return zip(a, strict=False)"}),
    ],
)
def test_a_line_has_these_faults(operators: ModuleType, code: str, planted: set[str]) -> None:
    source = f"def function(self, a: int, b, c):\n    {code}\n".encode()
    faults = operators.faults_of("a.py", source)
    assert {fault.plant(source).decode().split("\n    ", 1)[1].rstrip("\n") for fault in faults} == planted
    assert all(operators.changes_something(fault, source) for fault in faults)
    assert {fault.where for fault in faults} <= {"function"}


def test_a_fault_has_the_same_name_when_its_file_moves_and_lines_are_added_above(operators: ModuleType) -> None:
    code = b"def f(a):\n    return a + 1\n"
    here, there = operators.faults_of("src/a.py", code), operators.faults_of("src/room/a.py", b"# \xc3\xa9\n\n" + code)
    assert [fault.id for fault in here] == [fault.id for fault in there]
    assert len({fault.id for fault in here}) == len(here)
