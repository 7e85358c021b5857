"""The sandbox in containers: one long-lived container per worker, by the `docker` command; gVisor if so configured.

Works wherever there is a Docker engine, on macOS too. The image needs Python 3.11 or newer and nothing else.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
from typing import Any

from mars2.config.sandbox import DockerSandboxConfig
from mars2.core.errors import SandboxUnavailable
from mars2.sandbox.launchers import ENVIRONMENT, PYTHON_OPTIONS, WORKER_FOLDER, LaunchedProcess

_INSIDE = "/opt/mars2/worker"
_NOBODY = "65534:65534"
_ASK_S = 20.0


class Docker:
    """Starts each worker in a container of its own."""

    has_numpy = False

    def __init__(self, options: DockerSandboxConfig | None = None) -> None:
        self._options = options or DockerSandboxConfig()
        self._is_checked = False
        self.tier = "docker" if self._options.runtime is None else f"docker+{self._options.runtime}"

    def spawn(self, connection: socket.socket) -> LaunchedProcess:
        """See `Launcher.spawn`."""
        if not self._is_checked:
            reason = unavailable(self._options)
            if reason:
                raise SandboxUnavailable(f"sandbox.backend docker: {reason}")
            self._is_checked = True
        return _Container(self._options, f"mars2-sandbox-{os.getpid()}-{secrets.token_hex(4)}", connection)


class _Container(LaunchedProcess):
    """The `docker run` of one container; the container ends with its standard input, or when this is killed."""

    def __init__(self, options: DockerSandboxConfig, name: str, connection: socket.socket) -> None:
        self._remove = [options.program, "rm", "--force", name]
        super().__init__(command(options, name), stdin=connection, stdout=connection)

    def kill(self) -> None:
        super().kill()
        nothing = subprocess.DEVNULL
        subprocess.Popen(self._remove, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True)


def command(options: DockerSandboxConfig, name: str) -> list[str]:
    """The `docker run` of a worker: no network, nothing to write to, no capability, an ordinary user."""
    arguments = [options.program, "run", "--rm", "--interactive", "--name", name, "--label", "mars2=sandbox"]
    arguments += ["--pull", "never", "--log-driver", "none", "--network", "none", "--ipc", "none", "--read-only"]
    arguments += ["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", _NOBODY, "--workdir", "/"]
    arguments += ["--pids-limit", str(options.pids), "--ulimit", "core=0", "--ulimit", "nofile=1024:1024"]
    arguments += ["--memory", f"{options.memory_mib}m", "--memory-swap", f"{options.memory_mib}m"]
    arguments += ["--mount", f"type=bind,source={WORKER_FOLDER},target={_INSIDE},readonly"]
    if options.runtime is not None:
        arguments += ["--runtime", options.runtime]
    for variable, value in ENVIRONMENT.items():
        arguments += ["--env", f"{variable}={value}"]
    return [*arguments, "--entrypoint", "python3", options.image, *PYTHON_OPTIONS, f"{_INSIDE}/bridge.py"]


def unavailable(options: DockerSandboxConfig | None = None) -> str:
    """Why containers cannot be made here, in a line that names the remedy; "" if they can."""
    options = options or DockerSandboxConfig()
    if sys.platform == "win32":
        return "on Windows, run mars2 inside WSL 2, with Docker's integration switched on"
    if shutil.which(options.program) is None:
        return f"the command {options.program} is not installed; install Docker, or set sandbox.program"
    info = _ask(options.program, "info", "--format", "{{json .}}")
    if isinstance(info, str):
        return f"no engine answers ({info}); start Docker, or give your user access to it"
    errors = info.get("ServerErrors")
    if errors:
        return f"no engine answers ({' '.join(str(errors[0]).split())}); start Docker, or give your user access to it"
    runtimes = info.get("Runtimes") or {}
    if options.runtime is not None and runtimes and options.runtime not in runtimes:
        return f"the engine has no runtime {options.runtime!r}; it has {', '.join(sorted(runtimes))}"
    image = _ask(options.program, "image", "inspect", "--format", "{{json .Id}}", options.image)
    if isinstance(image, str) and not image.startswith("sha256:"):
        return f"the image {options.image} is not on this machine; run: {options.program} pull {options.image}"
    return ""


def _ask(*words: str) -> Any:
    """What a docker command answers, read as JSON; if it fails, the last line of its complaint."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_ASK_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    try:
        if done.returncode == 0:
            return json.loads(done.stdout)
    except ValueError:
        pass
    lines = (done.stderr or done.stdout).strip().splitlines()
    return lines[-1] if lines else f"exit code {done.returncode}"
