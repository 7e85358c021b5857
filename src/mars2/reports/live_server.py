"""Serves a live page over HTTP: two addresses, GET only. Requests of foreign web sites are refused."""

from __future__ import annotations

import gzip
import http.server
import ipaddress
import json
import re
import socket
import sys
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from mars2.core.errors import Mars2Error
from mars2.reports.live import LivePage

_HOST = re.compile(r"(?:\[(?P<address>[0-9A-Fa-f:.]+(?:%\w+)?)\]|(?P<name>[\w.-]+))(?::[0-9]{0,5})?", re.ASCII)
_CLIENT_TIMEOUT_S = 30.0  # a connection that stays silent longer is closed
_SAFE = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class LiveServer(http.server.ThreadingHTTPServer):
    """Listens as soon as it is made; `serve_forever` answers.

    Args:
        address: host and port to listen on; port 0: any free one.
        page: what is served: the page at ``/`` and its data at ``/data.json``.
        names: host names, besides IP addresses and ``localhost``, by which it may be asked. A web site that points
            its own name at this machine to read the page (DNS rebinding) is refused.

    Raises:
        OSError: the address cannot be listened on.
    """

    daemon_threads = True
    allow_reuse_address = sys.platform != "win32"

    def __init__(self, address: tuple[str, int], page: LivePage, names: Iterable[str] = ()) -> None:
        host = address[0].strip("[]")
        self.page = page
        self.names = {name.lower() for name in (host, *names)}
        found = socket.getaddrinfo(host, address[1], type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family = found[0][0]
        super().__init__((host, address[1]), _Handler)

    @property
    def url(self) -> str:
        host, port = self.server_address[:2]
        shown = f"[{host!s}]" if self.address_family == socket.AF_INET6 else str(host)
        return f"http://{shown}:{port}/"

    def answers_to(self, host: str) -> bool:
        """Whether a ``Host`` header names this server: a name or an address, perhaps a port, and nothing else."""
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = (found["name"] or "").lower()
        return name == "localhost" or name in self.names or _is_ip(found["address"] or name)

    def server_bind(self) -> None:
        """As in the base class, but without looking up the machine's full name, which can take seconds."""
        super(http.server.HTTPServer, self).server_bind()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignores clients that went away; other errors are shown as usual."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: LiveServer  # type: ignore[assignment]
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "mars2", ""
    timeout = _CLIENT_TIMEOUT_S

    def do_GET(self) -> None:
        host, *more = self.headers.get_all("Host", [""])
        if more or not self.server.answers_to(host):
            self._say(HTTPStatus.FORBIDDEN, f"refused: asked as {host[:100]!r}; use an address, or --allow-host NAME")
            return
        try:
            match urlsplit(self.path).path:
                case "/":
                    self._send(HTTPStatus.OK, "text/html; charset=utf-8", self.server.page.html().encode())
                case "/data.json":
                    self._send_data()
                case _:
                    self._say(HTTPStatus.NOT_FOUND, "there is nothing here; the page is at /")
        except Mars2Error as error:
            text = json.dumps({"error": str(error)})
            self._send(HTTPStatus.SERVICE_UNAVAILABLE, "application/json", text.encode(), {"Retry-After": "2"})

    def _refuse(self) -> None:
        self.close_connection = True  # its body is not read
        self._say(HTTPStatus.METHOD_NOT_ALLOWED, "only GET is answered here", {"Allow": "GET"})

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _refuse

    def _send_data(self) -> None:
        snapshot = self.server.page.latest()
        facts = {"ETag": snapshot.etag, "Mars2-Idle-Seconds": f"{self.server.page.idle_s():.1f}"}
        if self.headers.get("If-None-Match") == snapshot.etag:
            self._send(HTTPStatus.NOT_MODIFIED, None, b"", facts)
        elif "gzip" in self.headers.get("Accept-Encoding", ""):
            self._send(HTTPStatus.OK, "application/json", snapshot.data_gzip, facts | {"Content-Encoding": "gzip"})
        else:
            self._send(HTTPStatus.OK, "application/json", gzip.decompress(snapshot.data_gzip), facts)

    def _say(self, status: HTTPStatus, text: str, headers: dict[str, str] | None = None) -> None:
        self._send(status, "text/plain; charset=utf-8", f"{text}\n".encode(), headers)

    def _send(self, status: HTTPStatus, kind: str | None, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**_SAFE, **(headers or {})}.items():
            self.send_header(name, value)
        if kind is not None:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Logs nothing: a page that asks every other second would fill the terminal."""


def _is_ip(name: str) -> bool:
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True
