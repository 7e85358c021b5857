"""How the rooms of the sandbox hang together: no circle of imports, and judging goes on without the room of reuse."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import grimp
import pytest

import mars2.sandbox.worker
from mars2.core.problem import AssertTest, CallTest, Limits, StdioTest, Suite
from mars2.sandbox import ZygoteSandbox

WITHOUT_REUSE = """
from typing import NamedTuple
class Slices(NamedTuple):
    cpu_s: float = 0.0
    wall_s: float = 0.0
slices = lambda cpu_s, wall_s: Slices()
may_share = lambda _: False
def run_tests(candidate, tests, *_):  # only of the rehearsal
    candidate.run_last(*tests[0][:2])
    return False
"""


def test_no_module_of_mars2_imports_itself_by_way_of_others() -> None:
    """Modules that can reach each other are taken out one by one, from those that import nothing that is left."""
    graph = grimp.build_graph("mars2", cache_dir=None)
    left = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    left["mars2"] = set()  # it loads what it names only when that is asked for
    while done := {module for module, imported in left.items() if not imported & left.keys()}:
        for module in done:
            del left[module]
    assert sorted(left) == []


@pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux")
async def test_without_the_room_of_reuse_everything_is_judged_in_fresh_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is deleted; a file in its place says no. The default mode then forks for every test."""
    worker = tmp_path / "worker"
    shutil.copytree(Path(mars2.sandbox.worker.__file__).parent, worker)
    shutil.rmtree(worker / "reuse")
    (worker / "reuse.py").write_text(WITHOUT_REUSE)
    monkeypatch.setattr("mars2.sandbox.worker_process.WORKER_FOLDER", worker)
    tests = (StdioTest("1 2\n", "3\n"), StdioTest("3 4\n", "7\n"), CallTest("add", (5, 6), 11))
    tests += (AssertTest("assert add(1, 2) == 3"),)
    program = "def add(a, b): return a + b\nif __name__ == '__main__': print(add(*map(int, input().split())))\n"
    async with ZygoteSandbox(1, allow_unsafe=True) as sandbox:
        assert (await sandbox.judge(program, Suite(tests, Limits(cpu_s=1.0, wall_s=20.0)))).accepted
        wrong = await sandbox.judge(program.replace("a + b", "a - b"), Suite(tests), stop_at_first_failure=False)
    assert [str(test.status) for test in wrong.tests] == ["WA"] * 4
