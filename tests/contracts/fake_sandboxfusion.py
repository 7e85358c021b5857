"""A service with SandboxFusion's `POST /run_code`, which runs the code by a subprocess in a folder of its own."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_PIPE = 65_536  # what a pipe holds: the real service does not read while the program runs


class FakeService(ThreadingHTTPServer):
    """`faults` are answered first, one a request: a status code, "SandboxError", "garbage" or "hang"."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.faults: list[int | str] = []
        self.requests: list[dict[str, Any]] = []
        self.under_way = self.most_under_way = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: FakeService

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.requests.append(asked)
            fault = self.server.faults.pop(0) if self.server.faults else None
            self.server.under_way += 1
            self.server.most_under_way = max(self.server.most_under_way, self.server.under_way)
        try:
            if self.path != "/run_code" or isinstance(fault, int):
                self._answer(fault if isinstance(fault, int) else 404, b'{"detail": "no"}')
            elif fault == "SandboxError":
                self._answer(200, json.dumps({"status": fault, "message": "no disk", "files": {}}).encode())
            elif fault == "garbage":
                self._answer(200, b"<html>")
            elif fault == "hang":
                time.sleep(3)
            else:
                self._answer(200, json.dumps(_run(asked)).encode())
        finally:
            with self.server.lock:
                self.server.under_way -= 1

    def _answer(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


def _run(asked: dict[str, Any]) -> dict[str, Any]:
    assert asked["language"] == "python"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        for path, content in asked["files"].items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(base64.b64decode(content))
        (folder / "tmp1.py").write_text(asked["code"])
        start = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, str(folder / "tmp1.py")],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        result: dict[str, Any] = {"status": "Finished"}
        try:
            result["return_code"] = process.wait(asked["run_timeout"])
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            result["status"] = "TimeLimitExceeded"
        out, err = process.communicate()
        result |= {"execution_time": time.monotonic() - start, "stdout": out[:_PIPE].decode(), "stderr": err.decode()}
        files = {
            p: base64.b64encode((folder / p).read_bytes()).decode()
            for p in asked["fetch_files"]
            if (folder / p).is_file()
        }
    is_fine = result["status"] == "Finished" and result.get("return_code") == 0
    return {"status": "Success" if is_fine else "Failed", "message": "", "run_result": result, "files": files}


@contextmanager
def service() -> Iterator[FakeService]:
    """A service under way on a free port."""
    server = FakeService()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
