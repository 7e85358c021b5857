"""`make` takes PyTorch's CPU build where there is no GPU, says what it downloads, and does without that index."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
INDEX = "https://download.pytorch.org/whl/cpu"
STAND_IN = """#!/bin/sh
echo "$@" >> calls
[ "$1" != -c ] || [ -z "$OUT_OF_REACH" ]
"""

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def make_torch(folder: Path, *variables: str, out_of_reach: bool = False) -> tuple[str, str, int]:
    """Run `make .venv/torch` with a stand-in for Python: (how it was called, what make printed, exit code)."""
    for name in ("Makefile", "constraints.txt"):
        shutil.copy(ROOT / name, folder / name)
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(STAND_IN)
    python.chmod(0o755)
    environment = {k: v for k, v in os.environ.items() if k not in ("MARS2_TORCH", "MAKEFLAGS", "OUT_OF_REACH")}
    environment["PATH"] = f"{folder}:{environment['PATH']}"
    if out_of_reach:
        environment["OUT_OF_REACH"] = "yes"
    done = subprocess.run(
        ["make", ".venv/torch", *variables], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    calls = folder / "calls"
    return (calls.read_text() if calls.exists() else ""), done.stdout + done.stderr, done.returncode


def test_the_cpu_build_comes_from_pytorchs_index_and_torch_alone(tmp_path: Path) -> None:
    calls, printed, code = make_torch(tmp_path, "MARS2_TORCH=cpu")
    assert code == 0
    assert f"--no-deps --index-url {INDEX} torch" in calls
    assert "about 200 MB" in printed


def test_an_index_out_of_reach_is_said_and_done_without(tmp_path: Path) -> None:
    calls, printed, code = make_torch(tmp_path, "MARS2_TORCH=cpu", out_of_reach=True)
    assert code == 0
    assert "--index-url" not in calls
    assert f"{INDEX} does not answer" in printed
    assert "several GB" in printed


def test_pips_own_build_asks_no_index(tmp_path: Path) -> None:
    calls, printed, code = make_torch(tmp_path, "MARS2_TORCH=default")
    assert (calls, code) == ("", 0)
    assert "several GB" in printed


def test_by_default_a_machine_with_an_nvidia_gpu_gets_pips_own_build(tmp_path: Path) -> None:
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    calls, _, code = make_torch(tmp_path)
    assert (calls, code) == ("", 0)


def test_another_word_is_refused(tmp_path: Path) -> None:
    calls, printed, code = make_torch(tmp_path, "MARS2_TORCH=gpu")
    assert "MARS2_TORCH must be auto, cpu or default, got 'gpu'" in printed
    assert (calls, code) == ("", 2)
    assert not (tmp_path / ".venv" / "torch").exists()
