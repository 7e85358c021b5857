"""Gives programs private memory where they ask `mmap` for shared: a single process cannot tell, and limits count it."""

from __future__ import annotations

import mmap as module
from typing import Any


def install() -> None:
    """Replace `mmap.mmap` for memory without a file; the jail's filter refuses such memory if it is shared."""

    class mmap(module.mmap):
        __slots__ = ("_has_file",)

        def __new__(cls, fileno: int, length: int, flags: int = module.MAP_SHARED, *rest: Any, **named: Any) -> Any:
            if fileno == -1 and named.get("access") == module.ACCESS_WRITE:
                named["access"] = module.ACCESS_COPY
            elif fileno == -1 and not named.get("access"):
                flags = flags & ~module.MAP_SHARED | module.MAP_PRIVATE
            made = super().__new__(cls, fileno, length, flags, *rest, **named)
            made._has_file = fileno != -1
            return made

        def resize(self, newsize: int, /) -> None:
            if not self._has_file:  # shared memory keeps what is cut off
                raise SystemError("mmap: resizing not available--no mremap()")
            super().resize(newsize)

    mmap.__module__ = "mmap"
    module.mmap = mmap  # type: ignore[misc]
