"""Processes of an engine end with the process that used them, however that one ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mars2.backends.engine_guard import EngineGuard

OWNER = """
import subprocess, sys, time
from mars2.backends.engine_guard import EngineGuard
engine = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
guard = EngineGuard([engine.pid])
print(engine.pid, flush=True)
time.sleep(600)
"""


STARTING_OWNER = """
import subprocess, sys, time
from mars2.backends.engine_guard import EngineGuard
guard = EngineGuard()
core = "import subprocess, sys, time; w = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
core += "print(w.pid, flush=True); time.sleep(600)"
engine = subprocess.Popen([sys.executable, "-c", core], start_new_session=True)
print(engine.pid, flush=True)
time.sleep(600)
"""


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_owner_takes_its_engine_along(how: signal.Signals) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    engine = int(owner.stdout.readline())
    assert is_running(engine)
    os.kill(owner.pid, how)
    owner.wait()
    owner.stdout.close()
    while is_running(engine):  # pytest's own limit ends a wait for nothing
        time.sleep(0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_an_engine_that_is_still_being_made_goes_too() -> None:
    owner = subprocess.Popen([sys.executable, "-c", STARTING_OWNER], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    family = [int(owner.stdout.readline()) for _ in range(2)]  # the engine's core and the worker of that
    time.sleep(1.0)  # five times as often as the guard looks
    assert all(map(is_running, family))
    owner.kill()
    owner.wait()
    owner.stdout.close()
    while any(map(is_running, family)):
        time.sleep(0.05)


def test_a_released_guard_leaves_the_processes_alone() -> None:
    engine = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    guard = EngineGuard([engine.pid])
    guard.release()
    engine.communicate(b"\n")
    assert engine.returncode == 0


def test_kill_does_not_mind_who_is_gone() -> None:
    engine = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    guard = EngineGuard([engine.pid])
    guard.kill()
    assert engine.wait() == -signal.SIGKILL
    guard.kill()
    guard.release()
    engine.communicate()
