"""The HTTP server: uvicorn. When it stops, it first sends every client with a search under way a readable answer."""

from __future__ import annotations

import asyncio
import socket

import uvicorn

from mars2.serve.app import Server

GRACE_S = 5
"""After Ctrl-C, for searches under way to finish."""
_ANSWER_S = 3  # for the answers to those that did not


class Listener(uvicorn.Server):
    """Serves a `Server` at an address."""

    def __init__(self, server: Server, host: str, port: int) -> None:
        super().__init__(
            uvicorn.Config(
                server.app(),
                host=host,
                port=port,
                lifespan="off",
                log_level="warning",
                access_log=False,
                timeout_graceful_shutdown=GRACE_S + _ANSWER_S,
            )
        )
        self._server = server

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends searches after `GRACE_S`, or at once after a second Ctrl-C."""
        ending = asyncio.get_running_loop().call_later(GRACE_S, self._server.end_searches)
        await super().shutdown(sockets)
        ending.cancel()
        self._server.end_searches()
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=_ANSWER_S)
