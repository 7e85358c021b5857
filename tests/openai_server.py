"""A small OpenAI-compatible HTTP server for tests: real HTTP, scripted behaviour."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ANSWERS = ("abc", "def f(x): pass", "ghi")


@dataclass
class Script:
    """What the server does next: each entry of `replies` serves one request, then plain answers."""

    replies: list[Any] = field(default_factory=list)
    """(status, headers, body; a body as a list is sent piece by piece, one every 0.1 s) | seconds to sleep first | a
    barrier | "reset": the connection is"""

    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    most_at_once: int = 0
    url: str = ""


def answer(request: dict[str, Any], **message: Any) -> dict[str, Any]:
    text = ANSWERS[(request.get("seed") or 0) % len(ANSWERS)]
    limit = request.get("max_tokens", 100)
    words = list(text)[:limit]
    return {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": request["model"],
        "choices": [
            {
                "index": 0,
                "finish_reason": "length" if len(words) < len(text) else "stop",
                "message": {"role": "assistant", "content": "".join(words)} | message,
            }
        ],
        "usage": {"prompt_tokens": 7, "completion_tokens": len(words), "total_tokens": 7 + len(words)},
    }


@contextmanager
def openai_server() -> Iterator[Script]:
    script = Script()
    lock, at_once = threading.Lock(), [0]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                at_once[0] += 1
                script.most_at_once = max(script.most_at_once, at_once[0])
                script.requests.append(request)
                script.headers.append({name.lower(): value for name, value in self.headers.items()})
                reply = script.replies.pop(0) if script.replies else None
            if reply == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True
                return
            if isinstance(reply, threading.Barrier):
                reply.wait(30.0)
            else:
                time.sleep(reply if isinstance(reply, float) else 0.005)
            status, headers, body = reply if isinstance(reply, tuple) else (200, {}, answer(request))
            pieces = body if isinstance(body, list) and isinstance(body[0], bytes) else None
            data = (
                body if isinstance(body, bytes) else json.dumps(body).encode() if pieces is None else b"".join(pieces)
            )
            with lock:
                at_once[0] -= 1
            own = {"Content-Type": "application/json", "Content-Length": str(len(data))}
            with contextlib.suppress(ConnectionError):  # the client may have given up
                self.send_response(status)
                for name, value in (own | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                for piece in pieces or [data]:
                    self.wfile.write(piece)
                    time.sleep(0.1 if pieces else 0.0)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    script.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
