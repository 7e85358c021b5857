"""What the compiling process does, inside its jail; the supervisor's side is `compiler`."""

from __future__ import annotations

import ast
import marshal
import resource
import socket
import warnings
from contextlib import suppress

from .. import reuse, wire
from ..encoding import encode
from ..jail import isolation
from ..jail.isolation import ChildLock
from ..protocol import PROGRAM_NAME
from .run_program import COMPILE_ERRORS, message_of

MEMORY_BYTES = 512 * 2**20
_MOST_SCANNED = 1 << 16  # characters; a longer program gets a process for each test
_SPENT_KIB = 192 * 2**10  # a process that has grown beyond this is replaced


def serve(connection: socket.socket, lock: ChildLock, base_bytes: int) -> None:
    """Compile on request until the supervisor is gone."""
    for limit, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_AS, base_bytes + MEMORY_BYTES),
    ):
        resource.setrlimit(limit, (value, value))
    lock.enter_domain()
    lock.shut()
    warnings.simplefilter("ignore")
    connection.sendall(isolation.READY)
    while True:
        try:
            request = wire.receive(connection)
        except EOFError:
            return
        answer = compiled(request[1:], request[:1] == b"s")
        spent = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > _SPENT_KIB
        connection.sendall(wire.pack(encode((*answer, spent))))


def compiled(source: bytes, scan: bool) -> tuple[str, bytes, bool] | tuple[str, str, str]:
    """("compiled", code, whether its tests may share a process) or ("refused", error type, message)."""
    try:
        text = source.decode("utf-8", "surrogatepass").removeprefix("\ufeff")
        if scan and len(text) <= _MOST_SCANNED:
            with suppress(Exception):  # what is wrong only with its tree is no fault of the program
                tree = ast.parse(text, PROGRAM_NAME)
                return ("compiled", _packed(tree), reuse.may_share(tree))
        return ("compiled", _packed(text), False)
    except COMPILE_ERRORS as error:
        return ("refused", type(error).__name__, message_of(error))


def _packed(program: str | ast.Module) -> bytes:
    return marshal.dumps(compile(program, PROGRAM_NAME, "exec", dont_inherit=True))


_REHEARSED = (
    "import sys\ndef main():\n    for line in sys.stdin:\n        print(sum(map(int, line.split())))\nmain()\n",
    "from collections import deque\nclass Solution:\n    def f(self, a): return [x for x in deque(a) if x > 0]\n",
)


def rehearse() -> int:
    """Warm up before the jail closes; returns the process's size in bytes."""
    for _ in range(20):
        for source in _REHEARSED:
            compiled(source.encode(), True)
    return isolation.address_space_bytes()
