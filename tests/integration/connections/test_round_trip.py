"""What the kernel says of a connection's round trip."""

import socket
import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import psycopg
import pytest
import requests

from connections.round_trip import round_trip_s, watch
from emulators.certificate import create_certificate


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(params=["http", "https"])
def session(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[requests.Session, str, str]]:
    """A session, the server's address, and the file of its authority."""
    made = create_certificate(tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server, requests.Session() as client:
        if request.param == "https":
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(made.certificate, made.key)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, daemon=True).start()
        yield client, f"{request.param}://127.0.0.1:{server.server_port}/", str(made.authority)
        client.close()
        server.shutdown()


def test_each_new_connection_is_reported_once_with_its_round_trip(session: tuple[requests.Session, str, str]) -> None:
    client, address, authority = session
    found: list[float] = []
    adapter = requests.adapters.HTTPAdapter()
    watch(adapter, found.append)
    client.mount(address, adapter)
    for _ in range(3):
        assert client.get(address, timeout=10, verify=authority).status_code == 200
    assert len(found) == 1
    assert 0 < found[0] < 1


def test_the_round_trip_of_a_session_of_postgresql_is_known_and_its_socket_stays_open(
    admin: psycopg.Connection,
) -> None:
    assert 0 < round_trip_s(admin.pgconn.socket) < 1
    assert admin.execute("select 1").fetchone() == (1,)


def test_a_socket_that_is_none_of_tcp_has_no_round_trip() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert round_trip_s(one.fileno()) == 0.0
    assert round_trip_s(-1) == 0.0
