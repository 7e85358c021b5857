"""`mars2 view` as a user runs it: it says where it is, ends on Ctrl-C, and names what is wrong."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from test_commands import mars2

from mars2.store.run_store import RunStore


@pytest.fixture
def run(tmp_path: Path) -> Path:
    RunStore.create(tmp_path / "run", config={"name": "small"}).close()
    return tmp_path / "run"


@pytest.mark.parametrize(("host", "warned"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_it_prints_its_address_warns_if_others_reach_it_and_ends_on_ctrl_c(run: Path, host: str, warned: bool) -> None:
    command = [sys.executable, "-m", "mars2", "view", str(run), "--port", "0", "--host", host]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stderr is not None
    try:
        said = [process.stderr.readline()]
        while not (found := re.search(r"http://\S+:(\d+)/", said[-1])):
            assert process.poll() is None, said
            said.append(process.stderr.readline())
        with urllib.request.urlopen(f"http://127.0.0.1:{found.group(1)}/data.json", timeout=60) as answer:
            assert json.loads(answer.read())["name"] == "small"
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0
    assert rest.strip() == "stopped"
    assert ("warning" in "".join(said)) == warned


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_on_signals_also_where_a_shell_had_them_ignored(run: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "mars2", "view", str(run), "--port", "0"]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    assert process.stderr is not None
    try:
        assert "http://" in process.stderr.readline()
        process.send_signal(number)
        _, rest = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0
    assert rest.strip().endswith("stopped")


@pytest.mark.parametrize("content", [None, b"", b"no database at all"])
def test_a_folder_without_a_run_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "run.sqlite").write_bytes(content)
    done = mars2("view", str(tmp_path), "--port", "0", cwd=tmp_path)
    assert done.returncode in (1, 2)
    assert done.stderr.startswith("mars2: error: ")
    assert str(tmp_path) in done.stderr
    assert "Traceback" not in done.stderr


def test_an_address_that_is_taken_or_none_is_named(run: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for options in (["--port", port], ["--host", "203.0.113.7"], ["--host", "a..b"]):
            done = mars2("view", str(run), *options, cwd=run)
            assert done.returncode == 2
            assert "--host, --port: cannot listen on" in done.stderr
