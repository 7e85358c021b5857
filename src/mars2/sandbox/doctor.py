"""Reports the isolation of this machine, layer by layer, and what to do about missing layers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from mars2.core.errors import SandboxUnavailable
from mars2.core.problem import Limits, StdioTest, Suite
from mars2.sandbox import bubblewrap, docker
from mars2.sandbox.pool import ZygoteSandbox
from mars2.sandbox.worker_process import SAFE_TIERS

TIERS = {
    "A": "namespaces, Landlock and seccomp: no files, processes or network of the host in reach",
    "B": "seccomp and one of namespaces or Landlock: stops what A stops, with one layer less behind it",
    "C": "seccomp only: host files can be read and written",
    "D": "resource limits only: programs can do whatever your user can",
}
_PROBE = StdioTest("20 22\n", "42\n")
_PROGRAM = "a, b = map(int, input().split())\nprint(a + b)\n"


@dataclass(frozen=True, slots=True)
class SandboxReport:
    """What `mars2 doctor` shows. `tier` is "" if nothing can be judged here at all."""

    tier: str
    meaning: str
    safe: bool  # judged without allow_unsafe
    missing: tuple[str, ...]  # each absent layer with the kernel's reason
    advice: tuple[str, ...]
    others: dict[str, str]  # other values of sandbox.backend -> "" if they work here, else why not


async def doctor() -> SandboxReport:
    """Start a worker, judge a program, and report."""
    others = await asyncio.to_thread(other_backends)
    sandbox = ZygoteSandbox(1, allow_unsafe=True)
    try:
        verdict = await sandbox.judge(_PROGRAM, Suite((_PROBE,), Limits()))
        missing = sandbox.missing
    except SandboxUnavailable as error:
        return SandboxReport("", str(error), False, ("worker",), (), others)
    finally:
        await sandbox.close()
    if not verdict.accepted:
        return SandboxReport("", f"a right program was judged {verdict.status}", False, ("worker",), (), others)
    is_safe = verdict.tier in SAFE_TIERS
    return SandboxReport(verdict.tier, TIERS[verdict.tier], is_safe, missing, _advice(missing), others)


def other_backends() -> dict[str, str]:
    """For each other backend, why it cannot be used here; "" if it can. Blocking."""
    return {
        "bubblewrap": bubblewrap.unavailable(),
        "docker": docker.unavailable(),
        "sandboxfusion": "needs a running service, named by sandbox.url",
    }


def _advice(missing: tuple[str, ...]) -> tuple[str, ...]:
    advice: list[str] = []
    for layer in missing:
        if layer.startswith("namespaces"):
            advice.append(
                "namespaces: allow user namespaces to ordinary users (Ubuntu 24.04: "
                "sysctl kernel.apparmor_restrict_unprivileged_userns=0; "
                "Docker: a seccomp profile that allows unshare, mount and pivot_root)"
            )
        elif layer.startswith("Landlock"):
            advice.append("Landlock: needs Linux 5.13 or newer with landlock in the kernel's lsm= list")
        elif layer.startswith("seccomp"):
            advice.append("seccomp: needs x86-64 or aarch64 and a kernel with CONFIG_SECCOMP_FILTER")
    return tuple(advice)
