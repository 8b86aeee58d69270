"""The admin port: HTTP, and HTTPS on the same port if there is a certificate. A client's first byte says which."""

import contextlib
import socket
import ssl
from collections.abc import Callable
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import override
from urllib.parse import parse_qsl, unquote, urlsplit

from emulators.service_bus.admin.http import Request
from emulators.service_bus.admin.routes import answer
from emulators.service_bus.admin.tls import Tls
from emulators.service_bus.control import Control
from emulators.service_bus.hosts import listen

TLS_HANDSHAKE = b"\x16"
SILENCE_S = 60


class AdminServer:
    """Answers until `stop`. Raises OSError if it cannot listen or cannot use the certificate."""

    def __init__(self, control: Control, port: int = 0, *, host: str = "127.0.0.1", tls: Tls | None = None) -> None:
        context = tls.context() if tls else None
        self._server = _Listener(listen(host, port), partial(_Handler, control, context))
        self.port: int = self._server.server_address[1]

    def serve(self) -> None:
        """Answer each client in its own thread, until `stop`."""
        self._server.serve_forever(poll_interval=0.05)

    def stop(self) -> None:
        """End `serve` and stop listening. Call it from another thread than the one that serves."""
        self._server.shutdown()
        self._server.server_close()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, listening: socket.socket, handler: Callable[..., BaseHTTPRequestHandler]) -> None:
        super().__init__(listening.getsockname()[:2], handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening

    @override
    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore a client that disconnects in the middle of a request."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = SILENCE_S

    def __init__(
        self, control: Control, tls: ssl.SSLContext | None, request: socket.socket, address: object, server: _Listener
    ) -> None:
        self._control = control
        self._tls = tls
        self._scheme = "http"
        super().__init__(request, address, server)

    @override
    def setup(self) -> None:
        if self._tls is not None and self.request.recv(1, socket.MSG_PEEK) == TLS_HANDSHAKE:
            self._scheme = "https"
            self.request = self._tls.wrap_socket(self.request, server_side=True)
        super().setup()

    @override
    def finish(self) -> None:
        super().finish()
        if self._scheme == "https":
            with contextlib.suppress(OSError):
                self.request.close()

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        found = answer(
            self._control,
            Request(
                self.command,
                tuple(unquote(segment) for segment in parts.path.strip("/").split("/")),
                dict(parse_qsl(parts.query)),
                self.rfile.read(int(self.headers.get("Content-Length") or 0)),
                changes=self.headers.get("If-Match") is not None,
                base=f"{self._scheme}://{self.headers.get('Host', 'localhost')}",
            ),
        )
        body = found.body.encode()
        self.send_response(found.status)
        self.send_header("Content-Type", found.media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_DELETE = _answer  # noqa: N815  the base class looks for these

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""
