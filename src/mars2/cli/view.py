"""``mars2 view``: watch a run in the browser while it goes on."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from mars2.cli.addresses import is_loopback
from mars2.cli.output import end_on_signals, say
from mars2.core.errors import ConfigError
from mars2.jobs.run_folder import open_store
from mars2.reports.reading import RunReader

HELP = """Serve the report of a run, kept up to date, for a browser to watch while the run goes on.

Works on runs that go on, are finished or were interrupted, and only ever reads them. Ctrl-C stops.

Example:

    mars2 view runs/quickstart
"""


def register(app: typer.Typer) -> None:
    app.command(help=HELP)(view)


def view(
    run: Annotated[Path, typer.Argument(help="The folder of a run.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free port.")] = 8765,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="A name, besides addresses and localhost, by which browsers may ask; repeatable."),
    ] = None,
) -> None:
    from mars2.reports.live import LivePage
    from mars2.reports.live_server import LiveServer

    end_on_signals()
    open_store(run).close()
    page = LivePage(run, lambda: _at_one_moment(run))
    try:
        server = LiveServer((host, port), page, [*(allow_host or []), socket.gethostname()])
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigError(f"--host, --port: cannot listen on {host}:{port}: {why}; choose others") from None
    if not is_loopback(host):
        say(
            f"warning: listening on {host}: anybody who reaches it can read the run's problems, hidden tests and "
            "programs; there is no password"
        )
    with server:
        try:
            say(f"{run} at {server.url} (Ctrl-C stops)")
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            say("\nstopped")


@contextmanager
def _at_one_moment(run: Path) -> Iterator[RunReader]:
    with open_store(run) as store, store.snapshot():
        yield store
