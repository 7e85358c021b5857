"""The live page over real HTTP: what it answers, what it refuses, and that it never disturbs the run it reads."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mars2.core.events import Note
from mars2.reports import live as live_module
from mars2.reports.live import LivePage
from mars2.reports.live_server import LiveServer
from mars2.store.run_store import RunStore

WRITER = """
import sys
import time
from pathlib import Path
import numpy as np
from fake_run import credit, grow, log_step, make_problem, skill_at
from mars2.core.events import Finished, Note, Opened, Told
from mars2.core.tree import Tree
from mars2.store.run_store import RunStore

with RunStore.open(Path(sys.argv[1])) as store:
    store.hear(Note("resumed", {}))
    for step in range(100, 100 + int(sys.argv[2])):
        trees = []
        for i in range(4):
            problem = make_problem(4 * step + i)
            store.save_problem(problem)
            tree = Tree(f"train/{step}/{problem.id}", problem.id)
            grow(tree, problem, skill_at(step), step)
            store.hear(Opened(Tree(tree.tree_id, tree.problem_id), "train", step))
            for node in tree:
                store.hear(Told(tree, node))
            store.hear(Finished(tree, "train", step, credit(tree)))
            trees.append(tree)
        log_step(store, step, np.random.Generator(np.random.PCG64(step)), trees)
    while len(sys.argv) > 3 and not Path(sys.argv[3]).exists():  # until a reader has seen the run in progress
        time.sleep(0.01)
    store.hear(Note("run_finished", {}))
"""


@contextmanager
def at_one_moment(folder: Path) -> Iterator[RunStore]:
    with RunStore.open(folder, read_only=True) as store, store.snapshot():
        yield store


@contextmanager
def served(folder: Path, names: tuple[str, ...] = ()) -> Iterator[LiveServer]:
    with LiveServer(("127.0.0.1", 0), LivePage(folder, lambda: at_one_moment(folder)), names) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def run(finished_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished_run, tmp_path / "run"))


@pytest.fixture
def restless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was written is shown at once."""
    monkeypatch.setattr(live_module, "_MIN_INTERVAL_S", 0.0)
    monkeypatch.setattr(live_module, "_REST_FACTOR", 0)


def asked(
    server: LiveServer, path: str = "/data.json", method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=60)
    try:
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def test_the_page_is_the_report_and_may_ask_its_own_server_only(run: Path) -> None:
    with served(run) as server:
        status, headers, body = asked(server, "/")
        data = json.loads(asked(server)[2])
    text = body.decode()
    assert status == 200
    assert headers["Content-Type"].startswith("text/html")
    assert "connect-src 'self'" in text
    assert "default-src 'none'" in text
    assert json.loads(text.split('id="run-data"')[1].partition(">")[2].partition("</script>")[0]) == data
    assert data["state"] == "finished"


@pytest.mark.usefixtures("restless")
def test_nothing_new_costs_nothing(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[None] = []
    monkeypatch.setattr(live_module, "page_data", lambda *a, real=live_module.page_data: built.append(None) or real(*a))
    with served(run) as server:
        _, first, _ = asked(server)
        status, second, body = asked(server, If_None_Match=first["ETag"])
        assert (status, body, second["ETag"]) == (304, b"", first["ETag"])
        assert len(built) == 1
        with RunStore.open(run) as store:
            store.hear(Note("alarm", {"text": "something new"}))
            status, third, body = asked(server, If_None_Match=first["ETag"], Accept_Encoding="gzip")
        assert status == 200
        assert third["ETag"] != first["ETag"]
        assert float(third["Mars2-Idle-Seconds"]) < 60
        assert json.loads(gzip.decompress(body))["alarms"][-1]["text"] == "something new"


def test_a_busy_page_is_built_rarely(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [100.0]
    monkeypatch.setattr(live_module.time, "monotonic", lambda: now_s[0])
    monkeypatch.setattr(live_module.time, "thread_time", lambda: now_s[0] / 1e9)
    page = LivePage(run, lambda: at_one_moment(run))
    first = page.latest()
    with RunStore.open(run) as store:
        store.hear(Note("alarm", {"text": "new"}))
        now_s[0] += 0.9
        assert page.latest() is first  # it rests
        now_s[0] += 0.2
        assert page.latest() is not first


@pytest.mark.parametrize(
    "path",
    ["/run.sqlite", "/../run.sqlite", "/%2e%2e/run.sqlite", "//etc/passwd", "/data.json/..", "/report.html", "/\udcff"],
)
def test_there_is_nothing_else_to_be_had(run: Path, path: str) -> None:
    with served(run) as server, socket.create_connection(server.server_address[:2], timeout=30) as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode("utf-8", "surrogateescape"))
        assert raw.recv(100).startswith((b"HTTP/1.1 404", b"HTTP/1.1 400"))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "BREW"])
def test_only_get_is_answered(run: Path, method: str) -> None:
    with served(run) as server:
        assert asked(server, "/", method)[0] == (501 if method == "BREW" else 405)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:80", 200),
        ("localhost:9999", 200),
        ("[::1]:80", 200),
        ("LOCALHOST", 200),
        ("my-proxy.example", 200),
        ("evil.example", 403),
        ("evil.example:8765", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("", 403),
        ("[::1", 403),
        ("user@localhost", 403),
        ("evil.example@127.0.0.1:8765", 403),
        ("user:word@my-proxy.example", 403),
        ("localhost/@evil.example", 403),
        ("localhost:80@evil.example", 403),
        ("localhost#evil.example", 403),
        ("localhost:evil", 403),
        ("localhost?", 403),
        ("localhost, evil.example", 403),
        ("localhost\\evil.example", 403),
        ("[127.0.0.1]", 200),
        ("[evil.example]", 403),
        ("[localhost]", 403),
    ],
)
def test_a_foreign_name_is_refused(run: Path, host: str, status: int) -> None:
    with served(run, ("my-proxy.example",)) as server:
        for path in ("/", "/data.json"):
            assert asked(server, path, Host=host)[0] == status


def test_two_hosts_are_refused(run: Path) -> None:
    with served(run) as server, socket.create_connection(server.server_address[:2], timeout=30) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n")
        assert b" 403 " in raw.recv(100)


def test_garbage_and_clients_that_leave_disturb_nobody(run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with served(run) as server:
        for nonsense in (b"\x00\xff\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET " + b"x" * 100_000 + b"\r\n\r\n", b""):
            with socket.create_connection(server.server_address[:2], timeout=30) as raw:
                raw.sendall(nonsense)
        leaving = socket.create_connection(server.server_address[:2], timeout=30)
        leaving.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        leaving.close()
        assert asked(server)[0] == 200
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.usefixtures("restless")
def test_a_run_that_vanishes_is_told_and_found_again(run: Path) -> None:
    aside = run.with_name("aside")
    with served(run) as server:
        assert asked(server)[0] == 200
        run.rename(aside)
        status, _, body = asked(server)
        assert status == 503
        assert "no run in" in json.loads(body)["error"]
        aside.rename(run)
        assert asked(server)[0] == 200


@pytest.mark.usefixtures("restless")
def test_a_writer_is_read_from_moment_to_moment_and_not_held_up(run: Path) -> None:
    """Another process opens trees, adds nodes and finishes while four readers read without pause."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*sys.path, str(Path(__file__).parent)])}
    seen: list[dict[str, Any]] = []
    statuses: list[int] = []
    seen_in_progress = run.with_name("seen in progress")
    with served(run) as server:
        over = threading.Event()

        def read() -> None:
            while not over.is_set():
                status, _, body = asked(server)
                statuses.append(status)
                if status == 200:
                    seen.append(json.loads(body))
                    if seen[-1]["state"] == "in progress":
                        seen_in_progress.touch()

        readers = [threading.Thread(target=read) for _ in range(4)]
        for reader in readers:
            reader.start()
        command = [sys.executable, "-c", WRITER, str(run), "10", str(seen_in_progress)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=110)
        over.set()
        for reader in readers:
            reader.join()
        last = json.loads(asked(server)[2])
    assert done.returncode == 0, done.stderr
    assert set(statuses) == {200}
    assert last["state"] == "finished"
    assert last["tree_counts"]["train"] == 48 + 40
    assert {data["state"] for data in seen} >= {"finished", "in progress"}
    for data in seen:  # of one moment: a tree that is finished has its credit, and each node its parent
        for tree in data["trees"]:
            credited = tree["phase"] == "train" and tree["finished"]
            assert all(("advantage" in node["credit"]) == credited for node in tree["nodes"])
    with RunStore.open(run) as store:  # whole, and writable
        assert len(store.trees("train")) == 88


@pytest.mark.usefixtures("restless")
def test_a_killed_run_is_served(run: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*sys.path, str(Path(__file__).parent)])}
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(run), "1000"], env=environment)
    with served(run) as server:
        while json.loads(asked(server)[2])["state"] != "in progress":
            assert writer.poll() is None
            time.sleep(0.05)
        writer.kill()
        writer.wait()
        data = json.loads(asked(server)[2])
    assert data["state"] == "in progress"
    assert RunStore.exists(run)
