"""The ordinary judge inside a Docker container, as clusters run it: tier B, as root and as an ordinary user."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_SUITES = (
    "tests/attacks/test_attacks.py",
    "tests/attacks/test_fidelity.py",
    "tests/contracts/test_sandbox_contract.py",
)
_IMAGE = os.environ.get("MARS2_TEST_DOCKER_IMAGE")
pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(900),
    pytest.mark.skipif(_IMAGE is None, reason="no image: set MARS2_TEST_DOCKER_IMAGE, or run by .ci/with_docker"),
]


def _run(user: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run in the image with this Python, its packages and this repository: read-only, at the same paths as here."""
    folders = dict.fromkeys((sys.base_prefix, sys.prefix, str(_ROOT)))
    docker = ["docker", "run", "--rm", "--network", "none", "--user", user, "--workdir", str(_ROOT)]
    for folder in folders:
        docker += ["--volume", f"{os.path.realpath(folder)}:{folder}:ro"]
    for variable in (f"PYTHONPATH={_ROOT / 'src'}", "PYTHONDONTWRITEBYTECODE=1", "HOME=/tmp"):
        docker += ["--env", variable]
    words = [*docker, str(_IMAGE), sys.executable, *command]
    return subprocess.run(words, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("user", ["0:0", "1000:1000"])
def test_tier_b_is_found(user: str) -> None:
    said = _run(user, "-c", "from mars2.cli.main import run; run()", "doctor").stdout
    assert "sandbox: tier B" in said
    assert "missing: namespaces" in said


@pytest.mark.parametrize("user", ["0:0", "1000:1000"])
def test_attacks_fidelity_and_the_contract_hold(user: str) -> None:
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout", "600"]
    done = _run(user, *words, "-m", "", "-k", "not bubblewrap and not sandboxfusion and not docker", *_SUITES)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    passed, skipped = (re.search(rf"(\d+) {word}", done.stdout) for word in ("passed", "skipped"))
    assert passed is not None
    assert int(passed[1]) > 1300  # every attack in both modes, and the rest
    assert skipped is None, done.stdout[-5000:]
