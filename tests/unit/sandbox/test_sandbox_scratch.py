"""What a program leaves in its /tmp is gone for the next one, costs the judge little, and counts as its memory."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mars2.core.problem import Limits, StdioTest, Suite
from mars2.core.verdict import TestResult
from mars2.sandbox import ZygoteSandbox
from mars2.sandbox.worker.jail import landlock, namespaces
from mars2.sandbox.worker.jail.isolation import Layers, landlock_rules

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux")
MOUNT = "import os\nprint(os.stat('/tmp').st_dev)\n"  # each zygote has a /tmp of its own


async def judged(sandbox: ZygoteSandbox, program: str) -> TestResult:
    verdict = await sandbox.judge(program, Suite((StdioTest("", ""),), Limits(memory_mib=96)))
    if verdict.tier != "A":
        pytest.skip("no /tmp without namespaces")
    return verdict.tests[0]


@pytest.mark.parametrize(
    "left",
    [
        "os.mkdir('/tmp/a')",
        "os.makedirs('/tmp/a/b/c'); open('/tmp/a/b/x', 'w').write('x')",
        "[os.makedirs(f'/tmp/{i}/{i}') for i in range(200)]",
        "path = '/tmp'\nfor _ in range(900):\n    path += '/a'; os.mkdir(path)",
        "os.mkdir('/tmp/a', 0)",
    ],
)
async def test_folders_are_removed_without_a_new_zygote(left: str) -> None:
    async with ZygoteSandbox(1, allow_unsafe=True, mode="hermetic") as sandbox:
        before = await judged(sandbox, MOUNT)
        assert not (await judged(sandbox, f"import os\n{left}\n")).error_type
        after = await judged(sandbox, MOUNT + "if os.listdir('/tmp'): print('left')\n")
        assert after.actual == before.actual


async def test_what_is_left_in_tmp_counts_as_memory() -> None:
    async with ZygoteSandbox(1, allow_unsafe=True, mode="hermetic") as sandbox:
        empty = await judged(sandbox, "print(1)")
        full = await judged(sandbox, "for i in range(8): open(f'/tmp/{i}', 'wb').write(bytes(1 << 20))")
        assert empty.peak_mib + 8 <= full.peak_mib <= empty.peak_mib + 12


def test_packages_of_another_interpreter_are_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = [tmp_path / "python3.9" / "site-packages", tmp_path / "python3" / "dist-packages"]
    for folder in packages:
        (folder / "data").mkdir(parents=True)
    (tmp_path / "libpython3.so").touch()
    assert {*map(str, packages)} <= {*namespaces.hidden_folders([str(tmp_path)])}
    monkeypatch.setattr(namespaces, "readable_folders", lambda: [str(tmp_path)])
    readable = {rule.path for rule in landlock_rules(False, Layers()) if rule.rights & landlock.READ == landlock.READ}
    assert str(tmp_path / "libpython3.so") in readable
    assert not any(str(folder).startswith(path) for path in readable for folder in packages)
