"""The API and the page on this machine, by uvicorn, for whoever has the key."""

import logging
import secrets
import socket
from asyncio import CancelledError
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from typing import override

import uvicorn

from contracts.errors import ConfigurationError
from settings import Settings
from web.api.app import create_app
from web.api.guard import Limits, with_key

LOOPBACK = "127.0.0.1"


class _BrokenOff(logging.Filter):
    """Leaves out what uvicorn says of calls that the end of the server breaks off: a traceback for each."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        is_cancelled = record.exc_info and isinstance(record.exc_info[1], CancelledError)
        return not is_cancelled and not record.getMessage().startswith("Cancel ")


_BROKEN_OFF = _BrokenOff()


@dataclass(frozen=True, slots=True)
class Server:
    """A server that listens: its address, and the key that each call has to carry."""

    address: str
    key: str
    _uvicorn: uvicorn.Server
    _socket: socket.socket

    @property
    def page(self) -> str:
        """The address of the page. A browser does not send what is behind the #, so that no log has the key."""
        return f"{self.address}/api/ui#key={self.key}"

    def run(self) -> None:
        """Serves until SIGINT or SIGTERM."""
        self._uvicorn.run(sockets=[self._socket])

    def stop(self) -> None:
        """Lets `run`, which another thread is in, return."""
        self._uvicorn.should_exit = True


def listening(settings: Settings, who: str, port: int = 0, limits: Limits | None = None) -> Server:
    """A server that listens on `port`, or on a free one. Raises ConfigurationError if it cannot."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
        # From now on nobody else can have the port, and who calls before `run` waits for it.
        listener.listen()
    except OSError as error:
        listener.close()
        advice = "give another by --port, or leave --port out"
        raise ConfigurationError(f"port {port} of {LOOPBACK} cannot be used: {error.strerror}", advice=advice) from None
    port, key = listener.getsockname()[1], secrets.token_urlsafe(24)
    # A page of another site may have its name lead to this machine: only loopback's own names are served.
    names = frozenset(f"{name}:{port}" for name in (LOOPBACK, "localhost"))
    app = create_app(settings, with_key(key, who), names, limits)
    logger = logging.getLogger("uvicorn.error")
    logger.addFilter(_BROKEN_OFF)
    logger.setLevel(logging.WARNING)
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=2)
    return Server(f"http://{LOOPBACK}:{port}", key, uvicorn.Server(config), listener)


@contextmanager
def serving(settings: Settings, who: str, limits: Limits | None = None) -> Iterator[Server]:
    """A server that runs in a thread of this process during the block."""
    server = listening(settings, who, limits=limits)
    thread = Thread(target=server.run, name="web", daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(10)
