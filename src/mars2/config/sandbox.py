"""Which judge runs programs, and what one test may use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from mars2.config.values import OneOf, PositiveFloat, PositiveInt, Section, matches, resumable
from mars2.core.problem import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeSettings(Section):
    """What every judge has."""

    workers: PositiveInt = resumable("evaluate", "train", default=2)  # programs judged at once
    limits: Limits | None = None  # of one test; they replace the problems' own


@dataclass(frozen=True, slots=True, kw_only=True)
class ZygoteSandboxConfig(JudgeSettings):
    """The judge: jails made by this process itself, on Linux, with nothing to install."""

    backend: Literal["zygote"] = "zygote"
    allow_unsafe: bool = False  # judge even where only weak isolation can be had


@dataclass(frozen=True, slots=True, kw_only=True)
class BubblewrapSandboxConfig(JudgeSettings):
    """The judge in jails made by the program `bwrap`."""

    backend: Literal["bubblewrap"] = "bubblewrap"
    program: str = "bwrap"


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerSandboxConfig(JudgeSettings):
    """The judge in containers, one for each worker; also where there is no Linux."""

    backend: Literal["docker"] = "docker"
    image: str = "python:3.12-slim"  # any image with Python 3.11 or newer as python3; pull it first
    runtime: str | None = None  # None: the engine's default; runsc: gVisor
    memory_mib: PositiveInt = 2048  # of one container
    pids: PositiveInt = 256  # processes and threads of one container
    program: str = "docker"  # or podman


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxFusionConfig(JudgeSettings):
    """The judge on a SandboxFusion service, over HTTP."""

    backend: Literal["sandboxfusion"] = "sandboxfusion"
    url: Annotated[str, matches(r"https?://\S+", "write http://HOST:PORT")]  # such as http://localhost:8080
    workers: PositiveInt = resumable("evaluate", "train", default=8)  # requests at once
    # beyond a test's own limits, for a service with a queue
    timeout_s: PositiveFloat = resumable("train", default=60.0)


SandboxConfig = Annotated[
    ZygoteSandboxConfig | BubblewrapSandboxConfig | DockerSandboxConfig | SandboxFusionConfig,
    OneOf("backend", default="zygote"),
]
