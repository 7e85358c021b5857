"""Judges every attack, an honest program after each on the same worker, and looks for what is left over. Prints JSON.

`python driver.py MODE [--ordinary-user]`: with the flag it first becomes a user without privileges (in a user namespace
where its own id is 1000 and its capabilities are gone), so that root's machines test both cases.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
SECRET = "MARS2_TEST_SECRET"


def become_ordinary_user() -> None:
    """Start again as user 1000 of a new user namespace; an ordinary user id has no capabilities after exec."""
    user, group = os.geteuid(), os.getegid()
    if ctypes.CDLL(None).unshare(0x10000000) != 0:
        raise SystemExit("no user namespaces here")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"1000 {user} 1")
    Path("/proc/self/gid_map").write_text(f"1000 {group} 1")
    os.execv(sys.executable, [sys.executable, __file__, sys.argv[1]])


if __name__ == "__main__" and "--ordinary-user" in sys.argv:
    become_ordinary_user()

from programs import ATTACKS, Attack  # noqa: E402

from mars2.core.problem import AssertTest, CallTest, Limits, StdioTest, Suite  # noqa: E402
from mars2.sandbox import ZygoteSandbox  # noqa: E402
from mars2.sandbox.worker_process import WorkerSettings  # noqa: E402

LIMITS = Limits(cpu_s=0.3, wall_s=1.0, memory_mib=96, stdout_kib=1024)
_AT_ONCE = 3  # sandboxes with one worker each, side by side: many attacks only sleep
HONEST = "a, b = map(int, input().split())\nmark = 'HONEST-MARK'\nprint(a + b)\n"
SUMS = (StdioTest("1 2\n", "3\n"), StdioTest("3 4\n", "7\n"))


def tests_for(attack: Attack, facts: dict[str, Any]) -> tuple[Any, ...]:
    if attack.test:
        return (AssertTest(attack.test),) * 2
    if attack.kind == "call":
        return (CallTest("add", (1, 2), 3), CallTest("add", (3, 4), 7))
    if attack.kind == "assert":
        return (AssertTest("assert add(1, 2) == 3"), AssertTest("assert abs(add(3, 4) - 7) == 0"))
    if attack.group == "lasting":
        return (StdioTest("1 2\n", "1\n"), StdioTest("1 2\n", "2\n"))
    if attack.group == "late":
        return (StdioTest("1 2\n", ""), StdioTest("1 2\n", "2\n"))
    if attack.group == "contained":
        text = json.dumps(facts)
        return (StdioTest(text, "ESCAPED\n"), StdioTest(text, "ESCAPED\n"))
    return SUMS


class Surroundings:
    """Things outside the jail that an attack could reach: files, sockets, a secret in the environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "secret").write_text("the host's secret")
        os.environ[SECRET] = "the environment's secret"
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.unix, self.abstract = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        self.unix.bind(str(folder / "socket"))
        self.unix.listen()
        self.abstract.bind(f"\0mars2-{os.getpid()}")
        self.abstract.listen()
        self.facts = {
            "file": str(folder / "secret"),
            "folder": str(folder),
            "variable": SECRET,
            "tcp": self.tcp.getsockname()[1],
            "udp": self.udp.getsockname()[1],
            "unix": str(folder / "socket"),
            "abstract": f"mars2-{os.getpid()}",
            "pid": os.getpid(),
        }

    def untouched(self) -> bool:
        return (self.folder / "secret").read_text() == "the host's secret" and len(list(self.folder.iterdir())) == 2


def processes() -> set[tuple[int, str]]:
    """Every process that descends from this one, zombies included."""
    parents: dict[int, tuple[int, str]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
                parents[int(folder.name)] = (int(fields[1]), fields[0])
            except OSError:
                continue
    found, frontier = set[tuple[int, str]](), {os.getpid()}
    while frontier:
        frontier = {pid for pid, (parent, _) in parents.items() if parent in frontier}
        found |= {(pid, "Z" if parents[pid][1] == "Z" else "") for pid in frontier}
    return found


def busy() -> float:
    """How many times longer than its CPU time a little work takes here and now."""
    start, used = time.monotonic(), time.process_time()
    while time.process_time() < used + 0.05:
        pass
    return max(1.0, (time.monotonic() - start) / 0.05)


async def judge_all(
    mode: Any, attacks: list[Attack], facts: dict[str, Any], settings: WorkerSettings
) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    async with ZygoteSandbox(1, mode=mode, cache_size=0, settings=settings) as sandbox:
        await sandbox.judge(HONEST, Suite(SUMS, LIMITS))
        await sandbox.judge("def add(a, b): return a + b", Suite((AssertTest("assert add(1, 2) == 3"),), LIMITS))
        for attack in attacks:
            start = time.monotonic()
            verdict = await sandbox.judge(attack.source, Suite(tests_for(attack, facts), LIMITS))
            wall_s = time.monotonic() - start
            slowdown = await asyncio.to_thread(busy) if wall_s > LIMITS.effective_wall_s else 1.0
            after = await sandbox.judge(HONEST, Suite(SUMS, LIMITS))
            results.append(
                {
                    "name": attack.name,
                    "status": str(verdict.status),
                    "statuses": [str(test.status) for test in verdict.tests],
                    "actual": verdict.tests[0].actual,
                    "error": f"{verdict.tests[0].error_type}: {verdict.tests[0].error_message}",
                    "weak": any(test.weak for test in verdict.tests),
                    "wall_s": wall_s,
                    "slowdown": slowdown,
                    "next_honest": str(after.status),
                    "tier": verdict.tier,
                    "worker_failures": sandbox.num_worker_failures,
                }
            )
    return results


async def main(mode: str, layers: list[str]) -> dict[str, Any]:
    descriptors = len(os.listdir("/proc/self/fd"))
    settings = WorkerSettings(**dict.fromkeys(layers, False))
    with tempfile.TemporaryDirectory() as folder:
        surroundings = Surroundings(Path(folder))
        opened = len(os.listdir("/proc/self/fd")) - descriptors
        shares = [list(ATTACKS[first::_AT_ONCE]) for first in range(_AT_ONCE)]
        judged = await asyncio.gather(*(judge_all(mode, share, surroundings.facts, settings) for share in shares))
        untouched = surroundings.untouched()
    return {
        "results": [result for share in judged for result in share],
        "untouched": untouched,
        "user": os.geteuid(),
        "descriptors_left": len(os.listdir("/proc/self/fd")) - descriptors - opened,
        "processes_left": len(processes()),
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1], [name for name in sys.argv[2:] if name[:1] != "-"]))))
