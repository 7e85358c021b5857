"""The key of a model's server goes to that server and nowhere else: not to the terminal, not into the run's folder."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from openai_server import answer, openai_server

KEY = "sk-not-for-anybody-else-0123456789"


def written(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below `folder`, and what is packed into its databases."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.name, path.read_bytes()
        if path.suffix == ".sqlite":
            with sqlite3.connect(path) as database:
                tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
                for table in tables:
                    for row in database.execute(f"SELECT * FROM {table}"):
                        for value in row:
                            if isinstance(value, bytes):
                                yield f"{path.name}:{table}", zlib.decompress(value)


@pytest.mark.parametrize(("refused", "end"), [(False, ""), (True, ""), (False, "\n"), (True, "\r\n")])
def test_the_key_reaches_the_server_and_nothing_else(refused: bool, end: str, tmp_path: Path) -> None:
    with openai_server() as server:
        if refused:
            words = {"error": {"message": f"Incorrect API key provided: {KEY}.", "code": "invalid_api_key"}}
            server.replies = [(401, {}, words)] * 20
        else:
            program = "```python\ndef has_close_elements(numbers, threshold):\n    return False\n```"
            server.replies = [(200, {}, answer({"model": "m"}, content=program))] * 2
        agents = f"openai:m@{server.url}"
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "mars2",
                *["solve", "humaneval:0", "--budget", "2", "--out", "run", "--json", "--agents"],
                agents,
            ],
            cwd=tmp_path,
            env={**os.environ, "OPENAI_API_KEY": KEY + end},  # a key read from a file may end its line
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    if refused:
        assert done.returncode == 2, done.stderr
        assert "OPENAI_API_KEY" in done.stderr
    else:
        assert done.returncode == 0, done.stderr
        json.loads(done.stdout)
    assert KEY not in done.stdout + done.stderr
    found = [*written(tmp_path / "run")]
    assert any(name.endswith((":events", ":nodes")) for name, _ in found) or refused
    assert [name for name, data in found if KEY.encode() in data] == []
