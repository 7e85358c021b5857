"""What is written atomically is whole or absent, also when the process is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from mars2.core.files import atomic

KINDS = ["file", "folder"]


def write(place: Path, kind: str, text: str) -> None:
    if kind == "folder":
        (place / "inside").mkdir(parents=True)
        place = place / "inside" / "text"
    place.write_text(text)


def read(path: Path, kind: str) -> str:
    return (path / "inside" / "text" if kind == "folder" else path).read_text()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_shared", [False, True])
def test_an_older_one_is_replaced_and_nothing_else_is_left(kind: str, is_shared: bool, tmp_path: Path) -> None:
    path = tmp_path / "x"
    for text in ("old", "new"):
        with atomic(path, is_shared=is_shared) as place:
            write(place, kind, text)
    assert read(path, kind) == ("old" if is_shared else "new"), "of several that write the same, the first is kept"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_leaves_the_older_one_and_no_half(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    with atomic(path) as place:
        write(place, kind, "old")
    with suppress(ZeroDivisionError), atomic(path) as place:
        write(place, kind, "half")
        raise ZeroDivisionError
    assert read(path, kind) == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", KINDS)
def test_all_is_on_the_disk_before_the_name_is_given_and_the_name_before_going_on(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    path = tmp_path / "x"

    def fsync(descriptor: int) -> None:
        done.append(f"flush {Path(os.readlink(f'/proc/self/fd/{descriptor}')).name}")

    def replace(place: Path, target: Path) -> None:
        done.append("rename")
        os.rename(place, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    with atomic(path) as place:
        write(place, kind, "new")
    inside = ["flush text", "flush inside"] if kind == "folder" else []
    assert done == [*inside, "flush x.partial", "rename", f"flush {tmp_path.name}"]
    done.clear()
    with atomic(path, flush=False) as place:
        write(place, kind, "newer")
    assert done == ["rename"]


KILLED = """
import os, signal, sys
from pathlib import Path
from mars2.core.files import atomic

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

path, moment = Path(sys.argv[1]), sys.argv[2]
if moment == "before the flush":
    os.fsync = die
elif moment == "before the rename":
    Path.replace = die
with atomic(path) as place:
    place.mkdir()
    (place / "inside").mkdir()
    (place / "inside" / "text").write_text("new")
    if moment == "while writing":
        die()
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.parametrize("moment", ["while writing", "before the flush", "before the rename"])
@pytest.mark.parametrize("has_older", [False, True])
def test_a_folder_of_a_killed_process_is_whole_or_absent(moment: str, has_older: bool, tmp_path: Path) -> None:
    """Between the two renames an older folder has no name for a moment; the next writer gives it back."""
    path = tmp_path / "x"
    if has_older:
        with atomic(path) as place:
            write(place, "folder", "old")
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path), moment], check=False)
    assert killed.returncode == -signal.SIGKILL
    with suppress(ZeroDivisionError), atomic(path):
        assert path.exists() == has_older
        raise ZeroDivisionError
    assert not has_older or read(path, "folder") == "old"
    with atomic(path) as place:
        write(place, "folder", "newest")
    assert read(path, "folder") == "newest"
    assert list(tmp_path.iterdir()) == [path]
