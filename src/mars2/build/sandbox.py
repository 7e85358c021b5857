"""The judge that runs on this machine and needs no configuration."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Literal

from mars2.core.protocols import Sandbox

Mode = Literal["batch", "hermetic"]
"""hermetic: a fresh process for each test."""


def local_sandbox(
    workers: int, *, mode: Mode = "batch", allow_unsafe: bool = False
) -> AbstractAsyncContextManager[Sandbox]:
    """A sandbox for an ``async with`` block.

    Args:
        workers: programs judged at once.
        allow_unsafe: judge even where only weak isolation can be had.
    """
    from mars2.sandbox import ZygoteSandbox

    return ZygoteSandbox(workers, mode=mode, allow_unsafe=allow_unsafe)
