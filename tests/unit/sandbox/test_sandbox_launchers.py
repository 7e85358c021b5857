"""Workers inside bubblewrap and containers: the commands, the refusals, and that the outer jail changes no promise."""

from __future__ import annotations

import asyncio
import json
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from mars2.config.sandbox import DockerSandboxConfig
from mars2.core.errors import SandboxUnavailable
from mars2.core.problem import Checker, Limits, StdioTest, Suite
from mars2.core.verdict import Status
from mars2.sandbox import ZygoteSandbox, bubblewrap, docker
from mars2.sandbox.bubblewrap import Bubblewrap
from mars2.sandbox.docker import Docker
from mars2.sandbox.launchers import Launcher
from mars2.sandbox.worker_process import WorkerSettings

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the worker needs Linux")
ADD = "a, b = map(int, input().split())\nprint(a + b)\n"
TEST = (StdioTest("1 2\n", "3\n"),)
LIMITS = Limits(cpu_s=1.0, wall_s=3.0, memory_mib=128)
FAKE = Path(__file__).with_name("fake_docker.py")


@pytest.fixture
def program(tmp_path: Path) -> str:
    """A `docker` that runs things without a container."""
    path = tmp_path / "docker"
    path.write_text(f'#!/bin/sh\nexec {sys.executable} {FAKE} "$@"\n')
    path.chmod(0o755)
    return str(path)


@pytest.fixture(params=["bubblewrap", "docker"])
def launcher(request: pytest.FixtureRequest, program: str) -> Launcher:
    if request.param == "docker":
        return Docker(DockerSandboxConfig(program=program))
    if reason := bubblewrap.unavailable():
        pytest.skip(reason)
    return Bubblewrap()


async def test_verdicts_name_the_outer_jail(launcher: Launcher) -> None:
    async with ZygoteSandbox(1, launcher=launcher) as sandbox:
        verdict = await sandbox.judge(ADD, Suite(TEST, LIMITS))
        assert (verdict.status, verdict.tier, sandbox.tier) == (Status.AC, launcher.tier, launcher.tier)
        never = Checker("def check(input, expected, actual): return False")
        assert (await sandbox.judge(ADD, Suite(TEST, LIMITS, never))).status is Status.WA


LOOK_AROUND = """
import os
found = []
for pid in filter(str.isdigit, os.listdir('/proc')):
    if int(pid) == os.getpid():
        continue
    for name in ('mem', 'environ', 'maps', 'fd/0', 'fd/3'):
        path = f'/proc/{pid}/{name}'
        try:
            os.readlink(path) if name[:2] == 'fd' else open(path, 'rb').close()
            found.append(path)
        except OSError:
            pass
others = [pid for pid in os.listdir('/proc') if pid.isdigit()]
print('ESCAPED' if found else 'DENIED', len(others) > 1, found)
"""


@pytest.mark.parametrize("kind", ["bubblewrap", "docker"])
async def test_the_supervisor_is_out_of_reach_even_without_landlock(
    kind: str, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The supervisor holds the expected outputs in the same outer jail, and is of the same user."""
    if reason := bubblewrap.unavailable():
        pytest.skip(reason)
    launcher: Launcher = Bubblewrap()
    if kind == "docker":
        monkeypatch.setenv("FAKE_DOCKER_JAIL", json.dumps([*bubblewrap.command(), "--"]))
        launcher = Docker(DockerSandboxConfig(program=program))
    async with ZygoteSandbox(1, launcher=launcher, settings=WorkerSettings(landlock=False)) as sandbox:
        verdict = await sandbox.judge(LOOK_AROUND, Suite((StdioTest("", "?"),), LIMITS))
    assert verdict.tests[0].actual == "DENIED True []\n"  # others are seen, and closed


HOST = """
import os
for path in ('/etc/passwd', '/root', '/home', '/tmp/canary-of-mars2', CANARY):
    try:
        os.stat(path) and print('ESCAPED', path)
    except OSError:
        pass
for path in ('/x', '/tmp/x', '/dev/shm/x', '/dev/x'):
    try:
        open(path, 'w').close()
        print('ESCAPED', path)
    except OSError:
        pass
print(os.uname().nodename)
"""


async def test_bubblewrap_shows_no_host_and_keeps_no_file(tmp_path: Path) -> None:
    if reason := bubblewrap.unavailable():
        pytest.skip(reason)
    (tmp_path / "canary").write_text("x")
    source = HOST.replace("CANARY", repr(str(tmp_path / "canary"))).replace("'/root', ", "")
    async with ZygoteSandbox(1, launcher=Bubblewrap(), settings=WorkerSettings(landlock=False)) as sandbox:
        verdict = await sandbox.judge(source, Suite((StdioTest("", "jail\n"),), LIMITS))
    assert verdict.accepted, verdict.tests[0]


async def test_without_seccomp_inside_it_is_refused(launcher: Launcher) -> None:
    settings = WorkerSettings(seccomp=False)
    async with ZygoteSandbox(1, launcher=launcher, settings=settings) as sandbox:
        with pytest.raises(SandboxUnavailable, match=f"{launcher.tier} without seccomp"):
            await sandbox.judge(ADD, Suite(TEST, LIMITS))


async def test_a_dead_worker_is_replaced_and_nothing_is_left(launcher: Launcher) -> None:
    async with ZygoteSandbox(1, launcher=launcher) as sandbox:
        await sandbox.judge(ADD, Suite(TEST, LIMITS))
        (worker,) = sandbox._all
        worker._process.kill()
        assert (await sandbox.judge(ADD + "# again", Suite(TEST, LIMITS))).accepted
        assert sandbox.num_worker_failures == 1
        sessions = {worker._process.pid for worker in sandbox._all} | {worker._process.pid}
    for _ in range(50):  # a namespace ends a moment after its first process
        listing = await asyncio.create_subprocess_exec("ps", "-eo", "sid=,stat=", stdout=asyncio.subprocess.PIPE)
        lines = map(str.split, (await listing.communicate())[0].decode().splitlines())
        alive = {int(session) for session, state in lines if state[0] != "Z"}
        if not sessions & alive:
            return
        await asyncio.sleep(0.1)
    pytest.fail(f"processes of sessions {sessions & alive} are left")


async def test_a_killed_container_is_removed(program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    monkeypatch.setenv("FAKE_DOCKER_LOG", str(log))
    async with ZygoteSandbox(1, launcher=Docker(DockerSandboxConfig(program=program))) as sandbox:
        await sandbox.judge(ADD, Suite(TEST, LIMITS))
        (worker,) = sandbox._all
        worker._process.kill()
        for _ in range(100):
            calls = [json.loads(line) for line in log.read_text().splitlines()]
            if calls[-1][0] == "rm":
                break
            await asyncio.sleep(0.05)
    (name,) = [call[call.index("--name") + 1] for call in calls if call[0] == "run"]
    assert calls[-1] == ["rm", "--force", name]


def test_the_container_has_no_rights() -> None:
    command = docker.command(DockerSandboxConfig(runtime="runsc", memory_mib=512, pids=9), "n")
    pairs = list(pairwise(command))
    for pair in [
        ("--network", "none"),
        ("--ipc", "none"),
        ("--cap-drop", "ALL"),
        ("--security-opt", "no-new-privileges"),
        ("--user", "65534:65534"),
        ("--memory", "512m"),
        ("--memory-swap", "512m"),
        ("--pids-limit", "9"),
        ("--runtime", "runsc"),
        ("--pull", "never"),
        ("--log-driver", "none"),
    ]:
        assert pair in pairs
    assert {"--read-only", "--rm", "--interactive"} <= set(command)
    mounts = [value for flag, value in pairs if flag == "--mount"]
    assert len(mounts) == 1
    assert mounts[0].endswith(",readonly")
    assert "--privileged" not in command
    assert not {"--volume", "-v", "--tmpfs"} & set(command)
    assert "--runtime" not in docker.command(DockerSandboxConfig(), "n")


def test_tiers_of_runtimes() -> None:
    assert Docker().tier == "docker"
    assert Docker(DockerSandboxConfig(runtime="runsc")).tier == "docker+runsc"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"program": "no-such-docker"}, "no-such-docker is not installed; install Docker"),
        ({"image": "other:1"}, "the image other:1 is not on this machine; run: .* pull other:1"),
        ({"runtime": "kata"}, "the engine has no runtime 'kata'; it has runc, runsc"),
    ],
)
async def test_what_is_missing_is_said(program: str, options: dict[str, str], why: str) -> None:
    made = DockerSandboxConfig(**({"program": program} | options))
    async with ZygoteSandbox(1, launcher=Docker(made)) as sandbox:
        with pytest.raises(SandboxUnavailable, match=f"sandbox.backend docker: .*{why}"):
            await sandbox.judge(ADD, Suite(TEST, LIMITS))


async def test_a_container_that_does_not_start_says_why(tmp_path: Path) -> None:
    path = tmp_path / "docker"
    cases = (
        "run) echo 'OCI runtime error: no cgroups' >&2; exit 125;;",
        "image) echo '\"sha256:1\"';;",
        "*) echo '{}';;",
    )
    path.write_text(f"#!/bin/sh\ncase $1 in {' '.join(cases)} esac\n")
    path.chmod(0o755)
    async with ZygoteSandbox(1, launcher=Docker(DockerSandboxConfig(program=str(path)))) as sandbox:
        with pytest.raises(SandboxUnavailable, match="OCI runtime error: no cgroups"):
            await sandbox.judge(ADD, Suite(TEST, LIMITS))


def test_no_engine_is_said(tmp_path: Path) -> None:
    path = tmp_path / "docker"
    path.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    path.chmod(0o755)
    assert "no engine answers (Cannot connect" in docker.unavailable(DockerSandboxConfig(program=str(path)))


def test_no_bubblewrap_is_said() -> None:
    assert bubblewrap.unavailable("no-such-bwrap") == "no-such-bwrap is not installed; install the package bubblewrap"


@pytest.mark.parametrize("platform", ["darwin", "win32"])
async def test_other_systems_are_told_of_docker(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = ZygoteSandbox(1)
    monkeypatch.setattr("mars2.sandbox.pool.sys.platform", platform)
    with pytest.raises(SandboxUnavailable, match=f"this is {platform}; set sandbox.backend: docker"):
        await sandbox.judge(ADD, Suite(TEST, LIMITS))
    monkeypatch.undo()
    async with ZygoteSandbox(1, settings=WorkerSettings(namespaces=False, landlock=False)) as weak:
        with pytest.raises(SandboxUnavailable, match=r"tier C .*set sandbox.backend: docker"):
            await weak.judge(ADD, Suite(TEST, LIMITS))
