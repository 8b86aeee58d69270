"""The network with a delay: what the benchmark over a slow link stands on."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from bench.network import Network, network, why_not

pytestmark = pytest.mark.skipif(why_not() is not None, reason=why_not() or "")

DELAY_MS = 60


@pytest.fixture
def line() -> Iterator[Network]:
    with network() as opened:
        yield opened


@contextmanager
def echo() -> Iterator[int]:
    """The port of a server that sends back what it receives."""

    def serve(listener: socket.socket) -> None:
        accepted, _ = listener.accept()
        with accepted:
            while data := accepted.recv(65536):
                accepted.sendall(data)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        thread.join()


def test_an_answer_takes_the_delay_of_its_server_and_no_other(line: Network) -> None:
    with echo() as near, echo() as far:
        line.delay({far: DELAY_MS})
        seconds = {}
        for port in (near, far):
            with line.at_the_worker(), socket.create_connection(("127.0.0.1", port)) as client:
                began = time.perf_counter()
                client.sendall(b"x")
                assert client.recv(1) == b"x"
                seconds[port] = time.perf_counter() - began
    assert seconds[far] >= DELAY_MS / 1000
    assert seconds[near] < seconds[far]


def test_what_is_large_comes_through_unchanged(line: Network) -> None:
    sent = bytes(range(256)) * 40_000
    with echo() as port, line.at_the_worker(), socket.create_connection(("127.0.0.1", port)) as client:
        line.delay({port: 5})
        Thread(target=client.sendall, args=(sent,), daemon=True).start()
        received = bytearray()
        while len(received) < len(sent):
            received += client.recv(65536)
    assert received == sent


def test_round_trips_are_counted_with_what_was_asked(line: Network) -> None:
    with echo() as port:
        with line.at_the_worker(), socket.create_connection(("127.0.0.1", port)) as client:
            for asked in (b"first", b"second"):
                client.sendall(asked)
                assert client.recv(100) == asked
        assert line.delay({})[port] == {"connections": 1, "heads": ["first", "second"]}


def test_the_thread_is_back_where_it_was(line: Network) -> None:
    with line.at_the_worker():
        pass
    with echo() as port, socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
