"""How many solutions a second the sandbox judges, beside peers written out here, in one run on one machine.

    python benchmarks/sandbox.py [--json] [--quick] [--soak | --pool]

A rate per core is solutions / CPU seconds of every process involved, so that other load on the machine changes it
little; the wall-clock rate is shown beside it. Peers:

- fork_and_guard: LiveCodeBench's manner: per test a fork of the caller, results in a list of a Manager process,
  dangerous functions set to None, an alarm, output captured in memory. No isolation.
- one_process: one fork per solution, tests one after another, no isolation (the manner of evalplus).
- cold_start: `python -I -S` per test.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mars2.core.problem import Limits, StdioTest, Suite
from mars2.core.verdict import Status
from mars2.sandbox import ZygoteSandbox

_TICKS = os.sysconf("SC_CLK_TCK")
_PROGRAMS = (
    "a, b = map(int, input().split())\nprint(a + b)\n",
    "import sys\ndef main():\n    a, b = map(int, sys.stdin.readline().split())\n    sys.stdout.write(str(a + b))\n"
    "main()\n",
    "class Adder:\n    def __init__(self, x): self.x = x\n    def plus(self, y): return self.x + y\n"
    "a, b = [int(t) for t in input().split()]\nprint(Adder(a).plus(b))\n",
)


def tests(count: int) -> tuple[StdioTest, ...]:
    return tuple(StdioTest(f"{i} {2 * i}\n", f"{3 * i}\n") for i in range(count))


def solution(index: int) -> str:
    """Distinct sources, so that no cache can help."""
    return f"# {index}\n{_PROGRAMS[index % len(_PROGRAMS)]}"


def cpu_s() -> float:
    """CPU seconds of this process, its live descendants and all it has waited for."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    done = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = own.ru_utime + own.ru_stime + done.ru_utime + done.ru_stime
    for stat in _descendants():
        total += sum(map(int, stat[11:15])) / _TICKS  # utime stime cutime cstime
    return total


def _descendants() -> list[list[str]]:
    """/proc/PID/stat after the command name, of every live descendant."""
    stats: dict[int, list[str]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                stats[int(folder.name)] = (folder / "stat").read_text().rsplit(")", 1)[1].split()
    frontier, found = {os.getpid()}, list[list[str]]()
    while frontier:
        frontier = {pid for pid, stat in stats.items() if int(stat[1]) in frontier}
        found += [stats[pid] for pid in frontier]
    return found


def _resident_mib() -> float:
    """Resident memory of this process and all its descendants."""
    own = int(Path("/proc/self/statm").read_text().split()[1])
    pages = own + sum(int(stat[21]) for stat in _descendants())
    return round(pages * resource.getpagesize() / 2**20, 1)


def _rate(count: int, wall_s: float, used_s: float) -> dict[str, float]:
    return {
        "per_s_per_core": round(count / used_s, 1),
        "per_s_wall": round(count / wall_s, 1),
        "cpu_ms": round(1000 * used_s / count, 2),
        "solutions": count,
    }


def measure(run: Callable[[int], None], count: int) -> dict[str, float]:
    """Rate of `run(index)`, called once per solution."""
    run(-1)
    used, start = cpu_s(), time.perf_counter()
    for index in range(count):
        run(index)
    return _rate(count, time.perf_counter() - start, cpu_s() - used)


async def measure_sandbox(mode: Any, num_tests: int, count: int, workers: int = 1) -> dict[str, float]:
    async with ZygoteSandbox(workers, mode=mode, cache_size=0) as sandbox:
        wanted, limits = tests(num_tests), Limits()

        async def judge(index: int) -> None:
            verdict = await sandbox.judge(solution(index), Suite(wanted, limits))
            assert verdict.accepted, verdict

        await asyncio.gather(*(judge(-1 - i) for i in range(2 * workers)))
        used, start = cpu_s(), time.perf_counter()
        await asyncio.gather(*map(judge, range(count)))
        return _rate(count, time.perf_counter() - start, cpu_s() - used)


def _guarded(source: str, text: str, expected: str, results: Any) -> None:
    """One test the usual way: guard, alarm, redirected standard streams, comparison beside the candidate."""
    import builtins
    import faulthandler
    import shutil

    signal.signal(signal.SIGALRM, lambda *_: sys.exit(1))
    signal.alarm(6)
    faulthandler.disable()
    for module, names in (
        (
            os,
            (
                "kill",
                "system",
                "putenv",
                "remove",
                "removedirs",
                "rmdir",
                "fchdir",
                "setuid",
                "fork",
                "forkpty",
                "killpg",
            ),
        ),
        (os, ("rename", "renames", "truncate", "replace", "unlink", "fchmod", "fchown", "chmod", "chown", "chroot")),
        (shutil, ("rmtree", "move", "chown")),
        (subprocess, ("Popen",)),
        (builtins, ("quit",)),
    ):
        for name in names:
            setattr(module, name, None)
    output = io.StringIO()
    sys.stdin = io.TextIOWrapper(io.BytesIO(text.encode()))
    with contextlib.redirect_stdout(output):
        exec(compile(source, "solution", "exec"), {"__name__": "__main__"})
    results.append(output.getvalue().strip() == expected.strip())
    os._exit(0)


def fork_and_guard(index: int, wanted: tuple[StdioTest, ...]) -> None:
    with multiprocessing.Manager() as manager:
        results = manager.list()
        for test in wanted:
            process = multiprocessing.Process(target=_guarded, args=(solution(index), test.input, test.output, results))
            process.start()
            process.join(7)
        assert list(results) == [True] * len(wanted)


def _all_tests(source: str, wanted: tuple[StdioTest, ...], passed: Any) -> None:
    signal.alarm(60)
    code = compile(source, "solution", "exec")
    for test in wanted:
        output = io.StringIO()
        sys.stdin = io.TextIOWrapper(io.BytesIO(test.input.encode()))
        with contextlib.redirect_stdout(output):
            exec(code, {"__name__": "__main__"})
        passed.value += output.getvalue().strip() == test.output.strip()
    os._exit(0)


def one_process(index: int, wanted: tuple[StdioTest, ...]) -> None:
    passed = multiprocessing.Value("i", 0)
    process = multiprocessing.Process(target=_all_tests, args=(solution(index), wanted, passed))
    process.start()
    process.join(60)
    assert passed.value == len(wanted)


def cold_start(index: int, wanted: tuple[StdioTest, ...]) -> None:
    for test in wanted:
        command = [sys.executable, "-I", "-S", "-c", solution(index)]
        done = subprocess.run(command, input=test.input, capture_output=True, text=True, timeout=10, check=True)
        assert done.stdout.strip() == test.output.strip()


async def soak(count: int) -> dict[str, Any]:
    """Many judgements, a tenth of them hostile: does anything grow?"""
    hostile = (
        "while True: pass",
        "x = []\nwhile True: x.append(bytearray(10**6))",
        "import os\nos._exit(1)",
        "print('x' * 10**7)",
    )
    limits = Limits(cpu_s=0.05, wall_s=0.5, memory_mib=64, stdout_kib=1024)
    wanted = tests(2)
    async with ZygoteSandbox(2, cache_size=0) as sandbox:
        marks: list[dict[str, float]] = []

        async def judge(index: int) -> None:
            bad = index % 10 == 9
            source = hostile[index // 10 % len(hostile)] + f"\n# {index}" if bad else solution(index)
            verdict = await sandbox.judge(source, Suite(wanted, limits))
            assert verdict.accepted != bad, (source, verdict)
            assert verdict.status is not Status.IE

        for first in range(0, count, count // 10):
            await asyncio.gather(*map(judge, range(first, first + count // 10)))
            mib = _resident_mib()
            files = len(os.listdir("/proc/self/fd"))
            marks.append({"judged": first + count // 10, "mib": mib, "processes": len(_descendants()), "files": files})
        return {"marks": marks, "worker_failures": sandbox.num_worker_failures}


async def _watch(stop: asyncio.Event) -> dict[str, float]:
    """The longest time, in ms, by which the event loop was late; and the most CPU time of one stretch of its work."""
    late, busy = 0.0, 0.0
    while not stop.is_set():
        start, used = time.perf_counter(), time.thread_time()
        await asyncio.sleep(0.001)
        late = max(late, time.perf_counter() - start - 0.001)
        busy = max(busy, time.thread_time() - used)
    return {"largest_stall_ms": round(1000 * late, 2), "largest_stall_cpu_ms": round(1000 * busy, 2)}


async def pool(queued: int, looping: int, limit_s: float = 1.0) -> dict[str, Any]:
    """A pool of 2 with endless loops among the programs, then a test of 5 MB: its time, and how late the loop was."""
    limits, wanted = Limits(cpu_s=limit_s), tests(10)
    large = (StdioTest(" ".join(["1234567"] * 650_000), str(1234567 * 650_000)),)
    every = queued // looping

    async with ZygoteSandbox(2, cache_size=2 * queued) as sandbox:

        async def judge(index: int, bad: bool) -> None:
            source = f"while True: pass # {index}" if bad else solution(index)
            verdict = await sandbox.judge(source, Suite(wanted, limits))
            assert verdict.status is (Status.TLE if bad else Status.AC), (source, verdict)

        await asyncio.gather(*(judge(-1 - i, bad=False) for i in range(4)))
        start = time.perf_counter()
        await asyncio.gather(*(judge(queued + i, bad=False) for i in range(queued - looping)))
        honest_s = time.perf_counter() - start
        stop = asyncio.Event()
        watch = asyncio.create_task(_watch(stop))
        start = time.perf_counter()
        await asyncio.gather(*(judge(i, bad=i % every == 0) for i in range(queued)))
        wall_s = time.perf_counter() - start
        assert (await sandbox.judge("print(sum(map(int, input().split())))", Suite(large, Limits()))).accepted
        stop.set()
        allowed_s = 1.2 * looping * limit_s / 2 + honest_s
        return {
            "wall_s": round(wall_s, 2),
            "allowed_s": round(allowed_s, 2),
            "honest_s": round(honest_s, 2),
            **await watch,
            "passed": wall_s <= allowed_s,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work")
    parser.add_argument("--soak", action="store_true", help="also 10,000 judgements, a tenth of them hostile")
    parser.add_argument("--pool", action="store_true", help="only: 500 programs on 2 workers, 50 of them endless loops")
    options = parser.parse_args()
    if options.pool:
        size = (50, 5) if options.quick else (500, 50)
        print(json.dumps(asyncio.run(pool(*size))))
        return
    scale = 0.1 if options.quick else 1.0
    ten = tests(10)

    def size(count: int) -> int:
        return max(3, int(count * scale))

    figures: dict[str, Any] = {
        "batch, 10 tests": asyncio.run(measure_sandbox("batch", 10, size(1000))),
        "batch, 1 test": asyncio.run(measure_sandbox("batch", 1, size(1000))),
        "hermetic, 10 tests": asyncio.run(measure_sandbox("hermetic", 10, size(200))),
        "batch, 10 tests, 2 workers": asyncio.run(measure_sandbox("batch", 10, size(2000), workers=2)),
        "peer fork_and_guard, 10 tests": measure(lambda i: fork_and_guard(i, ten), size(30)),
        "peer one_process, 10 tests": measure(lambda i: one_process(i, ten), size(300)),
        "peer cold_start, 10 tests": measure(lambda i: cold_start(i, ten), size(30)),
    }
    batch = figures["batch, 10 tests"]
    ratios = {
        "batch / fork_and_guard": batch["per_s_per_core"] / figures["peer fork_and_guard, 10 tests"]["per_s_per_core"],
        "batch / one_process": batch["per_s_per_core"] / figures["peer one_process, 10 tests"]["per_s_per_core"],
        "2 workers / 1 worker (wall)": figures["batch, 10 tests, 2 workers"]["per_s_wall"] / batch["per_s_wall"],
    }
    result: dict[str, Any] = {"figures": figures, "ratios": {name: round(ratio, 2) for name, ratio in ratios.items()}}
    if options.soak:
        result["soak"] = asyncio.run(soak(size(10_000)))
    if options.json:
        print(json.dumps(result))
        return
    for name, figure in figures.items():
        rates = f"{figure['per_s_per_core']:8.1f} /s/core {figure['per_s_wall']:8.1f} /s wall"
        print(f"{name:32} {rates} {figure['cpu_ms']:8.2f} CPU ms")
    for name, ratio in result["ratios"].items():
        print(f"{name:32} {ratio:8.2f} x")
    for mark in result.get("soak", {}).get("marks", ()):
        print(mark)


if __name__ == "__main__":
    main()
