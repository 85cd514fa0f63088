"""Start the studio: database, workers and web server in one call."""

import contextlib
import ipaddress
import os
import re
import secrets
import socket
import threading
import webbrowser
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import uvicorn

from impasto.errors import ImpastoError
from impasto.files import exclusive, make_folder, user_path
from impasto.serving.app import create_app
from impasto.serving.changes import Changes
from impasto.serving.database import Database, migrate
from impasto.serving.guard import LOOPBACK, Guard
from impasto.serving.jobs import JobQueue
from impasto.serving.library import Library
from impasto.serving.limits import Limits
from impasto.serving.protocol import Protocol
from impasto.serving.supervisor import Supervisor

#: Seconds that open connections get when the server ends.
DRAIN = 5
#: Tokens that fit into an address, a header and a cookie as they are, and take long to guess.
TOKEN = r"[A-Za-z0-9._~-]{16,200}"


def studio(
    folder: str | Path = "studio",
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    database: str | None = None,
    device: str = "auto",
    token: str | None = None,
    keep_days: float | None = None,
    open_browser: bool = False,
    announce: Callable[[str], None] = print,
) -> None:
    """Serve the studio until it is stopped by a signal.

    Args:
        folder: of all files, runs and styles, and of the SQLite database; created if needed.
        host: address to listen on. On any but a loopback address a token is required.
        port: TCP port; 0 for a free one.
        database: SQLAlchemy URL, such as that of a PostgreSQL shared by several servers; default SQLite.
        device: see :func:`impasto.device.choose_device`.
        token: the token, of at least 16 letters, digits and ``._~-``; by default a random one where it is required.
        keep_days: days after which files that are no favourites are deleted; default never.
        open_browser: open the page, unless that needs a token: other users see the addresses that browsers are given.
        announce: called with the address of the page once the server listens.

    Raises:
        ImpastoError: the port is taken, the token is no such word, the database cannot be opened, or another server
            uses the folder.
    """
    place = user_path(folder)
    make_folder(place)
    loopback = is_loopback(host)
    token = token or (None if loopback else secrets.token_urlsafe(24))
    if token is not None and re.fullmatch(TOKEN, token) is None:
        raise ImpastoError("The token has to be 16 to 200 letters, digits and . _ ~ - : leave it out for a random one.")
    url = database or f"sqlite:///{place.resolve() / 'studio.db'}"
    limits = replace(Limits(), keep_days=keep_days)
    busy = f"Another studio serves {place}."
    alone = exclusive(place / "server.lock", busy) if database is None else contextlib.nullcontext()
    with listen(host, port) as listener, alone:
        migrate(url)
        opened = Database(url)
        library = Library(place.resolve(), opened, limits)
        queue = JobQueue(opened, library, limits)
        supervisor = Supervisor(queue, library, limits, database=url, device=device)
        hosts = (*LOOPBACK, host) if loopback else ()
        changes = Changes(queue)
        app = create_app(
            library, queue, supervisor=supervisor, token=token, hosts=hosts, device=device, changes=changes
        )
        address = page_address(host, listener.getsockname()[1], token)

        def listening() -> None:
            announce(address)
            if open_browser and token is None:
                threading.Thread(target=webbrowser.open, args=[address], daemon=True).start()

        server = Server(configuration(app, limits), listening, changes.close)
        try:
            with contextlib.suppress(SystemExit):  # after a message of uvicorn
                server.run([listener])
        finally:
            opened.close()
        if not server.started:
            raise ImpastoError("The studio could not start: see the message above.")


def configuration(app: Guard, limits: Limits) -> uvicorn.Config:
    """Return the configuration of a server: one protocol, no log of requests."""
    return uvicorn.Config(
        app, http=Protocol, ws="none", lifespan="on", log_level="warning", access_log=False, server_header=False,
        limit_concurrency=limits.connections, timeout_keep_alive=max(1, round(limits.idle_seconds)),
        timeout_graceful_shutdown=DRAIN,
    )  # fmt: skip


class Server(uvicorn.Server):
    """A server that calls ``listening`` once it does, and ``ending`` before it waits for open connections."""

    def __init__(
        self, config: uvicorn.Config, listening: Callable[[], None], ending: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(config)
        self._listening, self._ending = listening, ending

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._listening()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._ending()
        await super().shutdown(sockets)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def page_address(host: str, port: int, token: str | None) -> str:
    """Return the address of the page, with the token if there is one."""
    name = socket.gethostname() if host in ("", "0.0.0.0", "::") else host
    name = f"[{name}]" if ":" in name else name
    return f"http://{name}:{port}/" + (f"?token={token}" if token is not None else "")


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises ImpastoError if the port is taken or the address is not this machine's."""
    try:
        host.encode("idna")  # of a name that is none, create_server would leave its socket open
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        made = socket.create_server((host, port), family=family, backlog=512)
    except (OSError, UnicodeError) as error:
        number = error.errno if isinstance(error, OSError) else None
        reason = os.strerror(number) if number is not None and number > 0 else "there is no such host"
        raise ImpastoError(f"Cannot listen on {host}:{port} ({reason}): choose another --port or --host.") from error
    # Opened again, it knows that it is TCP; otherwise asyncio leaves Nagle's algorithm on, which delays each answer.
    return socket.socket(fileno=made.detach())
