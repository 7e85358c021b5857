"""Runs one test on a remote machine: sent as the program, with `request.bin` and the package `mars2_remote` beside it.

The test runs in a child of this process, under limits; what it printed, what it reports and what it used are left in
files to be fetched. The program under test may write those files itself: they are answers, and are judged elsewhere.
Needs Python 3.10 or newer and a POSIX system; standard library only.
"""

from __future__ import annotations

import atexit
import builtins
import json
import marshal
import os
import resource
import signal
import sys
import threading
import time
import types
from contextlib import suppress
from typing import Any

STARTED = "mars2 started"  # how the other side tells a program's fault from the service's
MIN_FILE_BYTES, MIB = 1 << 20, 1 << 20


def main() -> None:
    """Run the child, wait for it, end what it left in its session, and write down what it used."""
    with open("request.bin", "rb") as file:
        request = marshal.load(file)
    os.unlink("request.bin")
    for name in ("out.bin", "err.bin", "report.bin"):
        open(name, "wb").close()
    with open("stdin.bin", "wb") as file:
        file.write(request["stdin"])
    print(STARTED, flush=True)
    start = time.monotonic()
    pid = os.fork()
    if pid == 0:
        try:
            run_child(request)
        finally:
            os._exit(70)
    limit = ""
    ended, status, usage = os.wait4(pid, os.WNOHANG)
    while not ended:
        time.sleep(0.002)
        if time.monotonic() - start > request["wall_s"]:
            limit = "wall"
            os.kill(pid, signal.SIGKILL)
        ended, status, usage = os.wait4(pid, 0 if limit else os.WNOHANG)
    wall_s = time.monotonic() - start
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    if os.path.getsize("err.bin") > request["stderr_bytes"]:
        os.truncate("err.bin", request["stderr_bytes"])
    used = {"limit": limit, "wall_s": wall_s, "cpu_s": usage.ru_utime + usage.ru_stime, "peak_kib": usage.ru_maxrss}
    used["exit_code"] = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
    used["signal"] = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
    with open("usage.json", "w") as file:
        json.dump(used, file)


def run_child(request: dict[str, Any]) -> None:
    """The test, in a session and under limits of its own; the report goes into `report.bin`."""
    os.setsid()
    box = os.open("report.bin", os.O_WRONLY)
    for standard, name, flags in (
        (0, "stdin.bin", os.O_RDONLY),
        (1, "out.bin", os.O_WRONLY),
        (2, "err.bin", os.O_WRONLY),
    ):
        os.dup2(os.open(name, flags | os.O_APPEND if standard else flags), standard)
    from mars2_remote import encoding, protocol, recursion  # type: ignore[import-not-found]
    from mars2_remote.program import checker  # type: ignore[import-not-found]

    set_limits(request)
    report = checker.run(request["body"]) if request["kind"] == protocol.CHECK else run_test(request)
    recursion.make_room()
    try:
        view = memoryview(encoding.encode(report))
        while view:
            view = view[os.write(box, view) :]
    except OSError:  # larger than the output limit
        os.ftruncate(box, 0)
        os.pwrite(box, encoding.encode(("error", "OutputLimitExceeded", "the returned value is too large", "")), 0)
    os._exit(0)


def set_limits(request: dict[str, Any]) -> None:
    """CPU time, address space over what there is now, and the size of files."""
    seconds = int(request["cpu_s"]) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    largest = max(request["stdout_bytes"] + 1, MIN_FILE_BYTES)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        with open("/proc/self/statm") as statm:
            size = int(statm.read().split()[0]) * resource.getpagesize()
        memory = size + request["memory_mib"] * MIB
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    except (OSError, ValueError):
        pass


def run_test(request: dict[str, Any]) -> Any:
    """A report, see `run_program`, or ("refused", type, message) of a program that does not compile."""
    from mars2_remote import protocol  # type: ignore[import-not-found]
    from mars2_remote.program import run_program as running  # type: ignore[import-not-found]

    kind, source = request["kind"], request["program"]
    try:
        text = source.decode("utf-8", "surrogatepass").removeprefix("\ufeff")
        code = compile(text, protocol.PROGRAM_NAME, "exec", dont_inherit=True)
    except running.COMPILE_ERRORS as error:
        return ("refused", type(error).__name__, running.message_of(error))
    if kind == protocol.COMPILE:
        return ("done",)
    sys.stdin, sys.stdout, sys.stderr = running.standard_streams()
    main = types.ModuleType(running.SCRIPT if kind == protocol.RUN_STDIO else running.MODULE)
    main.__dict__.update(__builtins__=builtins, __file__=protocol.PROGRAM_NAME)
    sys.modules[running.SCRIPT] = sys.modules[main.__name__] = main
    sys.argv = [protocol.PROGRAM_NAME]
    sys.setrecursionlimit(1_000)
    try:
        report = running.run_program(kind, request["body"], code, main.__dict__)
    except SystemExit as error:
        report = ("exit", running.exit_code(error))
    except BaseException as error:
        report = running.error_report(error, source)
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException as error:
        if report in (protocol.EXIT_0, ("done",)):
            report = running.error_report(error, source)
    return report


if __name__ == "__main__":
    main()
