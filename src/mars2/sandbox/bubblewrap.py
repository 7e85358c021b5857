"""The sandbox in `bwrap` (bubblewrap), which on some systems may make namespaces when Python may not.

On systems that let ordinary users make namespaces only through bubblewrap, this adds the layer that the default backend
misses there. Needs the program `bwrap`; no daemon, no root.
"""

from __future__ import annotations

import glob
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
from pathlib import Path

from mars2.config.sandbox import BubblewrapSandboxConfig
from mars2.core.errors import SandboxUnavailable
from mars2.sandbox.launchers import ENVIRONMENT, PYTHON_OPTIONS, WORKER_FOLDER, LaunchedProcess

_LIBRARIES = ("/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib")
_MORE = ("/etc/ld.so.cache", "/usr/share/zoneinfo")
_PROBE_S = 10.0


class Bubblewrap:
    """Starts each worker under `bwrap`."""

    tier = "bubblewrap"
    has_numpy = True

    def __init__(self, options: BubblewrapSandboxConfig | None = None) -> None:
        self._program = (options or BubblewrapSandboxConfig()).program

    def spawn(self, connection: socket.socket) -> LaunchedProcess:
        """See `Launcher.spawn`."""
        reason = unavailable(self._program)
        if reason:
            raise SandboxUnavailable(f"sandbox.backend bubblewrap: {reason}")
        python = os.path.realpath(sys.executable)
        worker = [python, *PYTHON_OPTIONS, str(WORKER_FOLDER), str(connection.fileno())]
        return LaunchedProcess(
            [*command(self._program), "--", *worker],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[connection.fileno()],
        )


def command(program: str = "bwrap") -> list[str]:
    """The `bwrap` command up to what it runs: all namespaces, read-only libraries, no packages, no rights."""
    python = os.path.realpath(sys.executable)
    arguments = [
        program,
        "--unshare-all",
        "--unshare-user",
        "--uid",
        "1000",
        "--gid",
        "1000",
        "--cap-drop",
        "ALL",
        "--hostname",
        "jail",
        "--clearenv",
    ]
    for name, value in ENVIRONMENT.items():
        arguments += ["--setenv", name, value]
    libraries = [*_LIBRARIES, sysconfig.get_path("stdlib"), sysconfig.get_config_var("LIBDIR") or "/usr/lib"]
    for path in dict.fromkeys(libraries):
        if os.path.islink(path):
            arguments += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path) and not any(path.startswith(f"{outer}/") for outer in libraries):
            arguments += ["--ro-bind", path, path]
    for path in _installed_packages(libraries):
        arguments += ["--tmpfs", path, "--remount-ro", path]
    for path in (python, str(WORKER_FOLDER), *_numpy_folders(), *_MORE):
        arguments += ["--ro-bind-try", path, path]
    arguments += ["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"]
    return [*arguments, "--remount-ro", "/", "--chdir", "/", "--as-pid-1"]  # no helper that programs could reach into


def _installed_packages(libraries: list[str]) -> list[str]:
    """Folders of installed packages under the libraries: data sets with answers live there."""
    shown = [path for path in libraries if not os.path.islink(path)]
    patterns = [f"{path}/{pattern}" for path in shown for pattern in ("*-packages", "python*/*-packages")]
    return sorted({path for pattern in patterns for path in glob.glob(pattern)})


def unavailable(program: str = "bwrap") -> str:
    """Why bubblewrap cannot be used here, in one line; "" if it can."""
    if sys.platform != "linux":
        return f"needs Linux, this is {sys.platform}; use sandbox.backend: docker"
    if shutil.which(program) is None:
        return f"{program} is not installed; install the package bubblewrap"
    python = os.path.realpath(sys.executable)
    try:
        tried = subprocess.run(
            [*command(program), "--", python, "-I", "-S", "-c", "print(42)"],
            capture_output=True,
            text=True,
            timeout=_PROBE_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{program} does not run: {error}"
    if tried.stdout != "42\n":
        lines = tried.stderr.strip().splitlines() or [f"exit code {tried.returncode}"]
        return f"{program} does not work here: {lines[-1]}"
    return ""


def _numpy_folders() -> list[str]:
    """Where numpy lives, to be shown inside."""
    found = importlib.util.find_spec("numpy")
    if found is None or found.origin is None:
        return []
    folder = Path(found.origin).parent
    return [str(path) for path in (folder, folder.parent / "numpy.libs") if path.is_dir()]
