"""What a zygote does before it forks children, each in an interpreter as bare as a worker's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import mars2.sandbox.worker
from mars2.sandbox.launchers import ENVIRONMENT, PYTHON_OPTIONS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the worker needs Linux")
_PARENT = Path(mars2.sandbox.worker.__file__).parents[1]
_HEADER = f"import fcntl, os, sys\nsys.path.insert(0, {str(_PARENT)!r})\nkept = fcntl.fcntl(1, fcntl.F_DUPFD, 100)\n"
_WORKER = """
import marshal, socket
from functools import partial
from worker.supervisor import nursery
settings = dict(namespaces=True, landlock=True, seccomp=True, numpy_folder=None, allow_unsafe=True, safe_tiers=["A"])
nest = nursery.Nursery(partial(nursery.start_zygote, settings))
from worker.supervisor import process, supervisor
tests, zygotes = supervisor._Tests(), supervisor._Zygotes(settings, nest)
ours, theirs = socket.socketpair()
def statuses(program, cpu_s, hermetic):
    options = dict(cpu_s=cpu_s, wall_s=0.5, memory_mib=256, stdout_bytes=1 << 20, stderr_bytes=1 << 16)
    options |= dict(comparison="exact", stop_at_first_failure=True, hermetic=hermetic, checker=None)
    answer = supervisor._answer(marshal.dumps((program, b"key", None, options)), tests, zygotes, theirs)
    return [outcome["status"] for outcome in answer["outcomes"]] if "outcomes" in answer else [str(answer)]
"""


def run(code: str, timeout_s: float = 60.0) -> str:
    """What `code` writes to descriptor `kept`, which outlives the standard ones."""
    done = subprocess.run(
        [sys.executable, *PYTHON_OPTIONS, "-c", _HEADER + code],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_interpreter_moves_to_huge_pages_unchanged() -> None:
    answer = run(
        """
import ctypes, hashlib, json, re
from worker.zygote import huge_pages
code = ctypes.cast(ctypes.pythonapi.PyErr_Occurred, ctypes.c_void_p).value
start, end = huge_pages._read_only_around(code)
def digest():
    return hashlib.sha256(ctypes.string_at(start, end - start)).hexdigest()
before = digest()
moved = huge_pages.keep_interpreter()
huge = sum(int(line.split()[1]) for line in open("/proc/self/smaps") if line.startswith("AnonHugePages"))
try:
    {}["absent"]
except KeyError as error:
    works = re.fullmatch("'ab(.*)'", str(error)).group(1) == "sent" and json.loads("[1]") == [1]
writable = any(first <= code < last and "w" in how for first, last, how in huge_pages._mappings())
os.write(kept, repr((moved, before == digest(), huge >= 2048, works, writable)).encode())
"""
    )
    if answer.startswith("(False"):
        pytest.skip("no huge pages for the interpreter here")
    assert answer == "(True, True, True, True, False)"


def test_nothing_is_moved_where_there_is_no_collapsing() -> None:
    answer = run(
        """
from worker.jail import libc
from worker.zygote import huge_pages
def refuse(*_):
    raise OSError(22, "madvise")
libc.advise_memory = refuse
before = [*huge_pages._mappings()]
moved = huge_pages.keep_interpreter()
gone = {m for m in before if "x" in m[2]} - set(huge_pages._mappings())
os.write(kept, repr((moved, gone)).encode())
"""
    )
    assert answer == "(False, set())"


def test_a_rehearsal_leaves_a_process_ready_for_a_program() -> None:
    answer = run(
        """
from worker.zygote import rehearsal
ready = rehearsal.rehearse()
left = [number for number in range(100) if os.path.exists(f"/proc/self/fd/{number}")]
main = sys.modules["__main__"]
os.write(kept, repr((ready.is_ready, left, main is ready.main, sorted(vars(main)), "solution" in sys.modules,
                     sys.getrecursionlimit(), sys.stdin.fileno(), sys.stdout is ready.streams[1])).encode())
"""
    )
    names = ["__builtins__", "__doc__", "__file__", "__loader__", "__name__", "__package__", "__spec__"]
    assert answer == repr((True, [], True, names, False, 1022, 0, True))


def test_a_rehearsal_ends_on_a_machine_that_stands_still() -> None:
    """With its slices of time used up, a process asks for its next request; there is none."""
    code = """
from worker.zygote import rehearsal
rehearsal._NO_SLICE_S = 0.0
rehearsal.rehearse()
os.write(kept, b'over')
"""
    assert run(code, 30.0) == "over"


def test_after_filling_small_objects_lie_at_the_start_of_a_pool() -> None:
    answer = run(
        """
from worker.zygote import rehearsal
rehearsal.fill_pools()
made = [bytes(size - sys.getsizeof(b"")) for size in range(96, 513, 32)]
at_start = sum(id(thing) % rehearsal._POOL_BYTES < 4096 for thing in made)
os.write(kept, repr(at_start / len(made)).encode())
"""
    )
    assert float(answer) > 0.8  # a quarter by chance


def test_a_zygote_refuses_a_request_without_all_descriptors() -> None:
    answer = run(
        """
import array, socket
from worker import protocol
from worker.jail import isolation
from worker.zygote import zygote
connection, held = zygote.start(isolation.Layers())
request = protocol.FORK.pack(2, 1 << 28, 1 << 20)
two = array.array("i", [os.open(os.devnull, os.O_RDWR)] * 2)
connection.sendmsg([request], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, two)])
connection.settimeout(20)
os.write(kept, repr(connection.recv(64)).encode())
"""
    )
    assert answer == "b''"


@pytest.mark.parametrize("listed", [True, False], ids=["children listed", "children not listed"])
def test_a_child_is_found_with_and_without_a_list_of_children(listed: bool) -> None:
    answer = run(
        _WORKER
        + f"""
process._children_are_listed = lambda: {listed}
tests.loaded[b"key"] = [("stdio", "1", "1")]
programs = ["print(1)", "import time\\ntime.sleep(0.05)\\nprint(1)", "import os\\nos._exit(3)"]
programs += ["while True: pass", "import time\\ntime.sleep(9)", "print(1)"]
os.write(kept, " ".join(statuses(program, 0.2, True)[0] for program in programs).encode())
zygotes.drop_all()
"""
    )
    assert answer == "AC AC RE TLE TLE AC"


def test_a_process_goes_on_after_the_time_it_may_run_by_itself() -> None:
    """Ten milliseconds, see `Judgement`; then it is asked for more, and is not taken to have left something behind."""
    answer = run(
        _WORKER
        + """
tests.loaded[b"key"] = [("stdio", str(number), str(number)) for number in range(6)]
forks, get = [], zygotes.get
zygotes.get = lambda kind: forks.append(kind) or get(kind)
program = "for i in range(1_000_000): pass\\nprint(input())"
os.write(kept, f"{statuses(program, 1.0, False)} {forks.count('plain')}".encode())
zygotes.drop_all()
"""
    )
    assert answer == f"{['AC'] * 6} 1"


def test_a_child_looks_up_no_field_of_its_job_by_name() -> None:
    """Such look-ups change memory that it shares with its zygote, and each changed page is copied."""
    code = """
from worker import protocol
from worker.zygote import rehearsal
for name in protocol.Job._fields:
    setattr(protocol.Job, name, None)
rehearsal.rehearse()
os.write(kept, b'over')
"""
    assert run(code) == "over"
