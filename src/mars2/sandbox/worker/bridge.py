"""Joins a worker to this process's standard input and output, where no socket can be handed in: inside a container."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

_PIECE = 1 << 16
_PR_SET_DUMPABLE = 4


def main() -> None:
    """Run a worker until standard input ends, then wait for it. Exits with its code."""
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)  # what passes here is not for programs to read
    ours, theirs = socket.socketpair()
    options = sys.orig_argv[1:-1]  # those that this process was started with
    command = [sys.executable, *options, str(Path(__file__).resolve().parent)]
    worker = subprocess.Popen(
        [*command, str(theirs.fileno())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=[theirs.fileno()],
    )
    theirs.close()
    threading.Thread(target=_pump_in, args=(ours,), daemon=True).start()
    while piece := ours.recv(_PIECE):
        view = memoryview(piece)
        while view:
            view = view[os.write(1, view) :]
    sys.exit(worker.wait())


def _pump_in(connection: socket.socket) -> None:
    while piece := os.read(0, _PIECE):
        connection.sendall(piece)
    connection.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    main()
