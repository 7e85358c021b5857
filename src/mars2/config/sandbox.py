"""Which judge runs programs, and what one test may use."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mars2.config.values import PositiveFloat, PositiveInt, Section


class LimitsConfig(Section):
    """What one test may use; replaces the problems' own limits."""

    cpu_s: PositiveFloat = 6.0
    wall_s: PositiveFloat | None = None  # None: 2·cpu_s + 1
    memory_mib: PositiveInt = 512
    stdout_kib: PositiveInt = 16 * 1024
    stderr_kib: PositiveInt = 64
    source_kib: PositiveInt = 256


class ZygoteSandboxConfig(Section):
    """The judge: jails made by this process itself, on Linux, with nothing to install."""

    backend: Literal["zygote"] = "zygote"
    workers: PositiveInt = 2
    limits: LimitsConfig | None = None
    allow_unsafe: bool = False  # judge even where only weak isolation can be had


class BubblewrapSandboxConfig(Section):
    """The judge in jails made by the program `bwrap`."""

    backend: Literal["bubblewrap"]
    workers: PositiveInt = 2
    limits: LimitsConfig | None = None
    program: str = "bwrap"


class DockerSandboxConfig(Section):
    """The judge in containers, one for each worker; also where there is no Linux."""

    backend: Literal["docker"]
    workers: PositiveInt = 2
    limits: LimitsConfig | None = None
    image: str = "python:3.12-slim"  # any image with Python 3.11 or newer as python3; pull it first
    runtime: str | None = None  # None: the engine's default; runsc: gVisor
    memory_mib: PositiveInt = 2048  # of one container
    pids: PositiveInt = 256  # processes and threads of one container
    program: str = "docker"


class SandboxFusionConfig(Section):
    """The judge on a SandboxFusion service, over HTTP."""

    backend: Literal["sandboxfusion"]
    url: Annotated[str, Field(pattern=r"^https?://\S+$")]  # such as http://localhost:8080
    workers: PositiveInt = 8  # requests at once
    limits: LimitsConfig | None = None
    timeout_s: PositiveFloat = 60.0  # beyond a test's own limits, for a service with a queue


SandboxConfig = Annotated[
    ZygoteSandboxConfig | BubblewrapSandboxConfig | DockerSandboxConfig | SandboxFusionConfig,
    Field(discriminator="backend"),
]
