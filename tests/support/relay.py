"""A network that goes silent: a TCP relay which can stop passing bytes on without closing anything."""

import gc
import socket
import threading
from contextlib import suppress
from threading import Event, Thread
from typing import Self


class Relay:
    """Listens on `port` and passes bytes to and from a server on this machine; after `fall_silent` it drops them."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._silent = Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._listener]
        self.port = int(self._listener.getsockname()[1])
        self._accepting = Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def fall_silent(self, *, new_ones: bool = False) -> None:
        """Drops all bytes of the connections that are open now, in both directions, and those of new ones if asked."""
        self._silent.set()
        if not new_ones:
            self._silent = Event()

    def speak(self) -> None:
        """Passes the bytes of new connections on again."""
        self._silent = Event()

    def close(self) -> None:
        """Closes all connections, and takes no more."""
        # Closing wakes no thread that waits in `accept` or `recv`: the first would take connections that nobody closes.
        with suppress(OSError):  # closed before
            self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        for one in self._sockets:
            with suppress(OSError):  # closed before, or by the other end
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        _collect_abandoned_calls()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            self._sockets.append(server)
            for source, sink in ((client, server), (server, client)):
                Thread(target=_pass_on, args=(source, sink, self._silent), daemon=True).start()


def _collect_abandoned_calls() -> None:
    """Waits for the calls of Service Bus that their callers gave up; they fail now, and leave sockets unclosed.

    Whichever test the collector then ran in would be the one that fails.
    """
    abandoned = [thread for thread in threading.enumerate() if thread.name == "service-bus"]
    for thread in abandoned:
        thread.join(30)
        assert not thread.is_alive(), "a call of Service Bus goes on, though its connections are closed"
    if abandoned:
        gc.collect()


def _pass_on(source: socket.socket, sink: socket.socket, silent: Event) -> None:
    try:
        while data := source.recv(65536):
            if not silent.is_set():
                sink.sendall(data)
        if not silent.is_set():
            sink.shutdown(socket.SHUT_WR)
    except OSError:
        return
