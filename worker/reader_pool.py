"""Edge: the reader processes of this worker, started when a large export needs them and kept for the next one."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any

from contracts import errors
from contracts.errors import ExportInterrupted, SourceUnavailable, TailraceError
from worker.snapshot import Cancellation
from worker.source_errors import Trouble, translated

# What a reader gets of the environment: what libpq and Python need, and no secret.
_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "HOME", "LANG", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
_CHECK_SECONDS = 1.0


class Reader:
    """One process of worker.reader, for one order at a time."""

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair()
        with theirs:
            environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
            self._process = subprocess.Popen(
                [sys.executable, "-m", "worker.reader"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                # Ctrl-C is for the worker, which drains: it must not end an export's reader.
                start_new_session=True,
                env={**environment, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        self._channel.settimeout(_CHECK_SECONDS)
        self.answer: dict[str, Any] = {}

    def read(self, order: dict[str, object], subject: str, cancelled: Cancellation) -> Iterator[bytearray]:
        """Carries an order out: the frames as they come; then `answer` holds rows and csv_bytes.

        Raises what the reader met, and ExportInterrupted once `cancelled` is set; then the reader is to be closed.
        """
        try:
            self._channel.sendall(json.dumps(order).encode() + b"\n")
            while size := int.from_bytes(self._receive(4, cancelled)):
                yield self._receive(size, cancelled)
            self.answer = json.loads(self._line(cancelled))
        except OSError as error:
            raise SourceUnavailable(f"export of {subject} failed: its reader process ended ({error})") from error
        if "trouble" in self.answer:
            raise translated(Trouble(*self.answer["trouble"]), subject)
        if "error" in self.answer:
            kind: type[TailraceError] = getattr(errors, self.answer["kind"])
            raise kind(f"export of {subject}: {self.answer['error']}")

    def close(self) -> None:
        """Ends the process, whatever it is doing; PostgreSQL notices with the next bytes that it sends."""
        self._channel.close()
        self._process.kill()
        self._process.wait()

    def _receive(self, size: int, cancelled: Cancellation) -> bytearray:
        buffer = bytearray(size)
        view, got = memoryview(buffer), 0
        while got < size:
            with suppress(TimeoutError):
                count = self._channel.recv_into(view[got:])
                if not count:
                    raise ConnectionError(f"status {self._process.wait()}")
                got += count
            if cancelled.is_set():
                raise ExportInterrupted("the export was stopped: its lock is lost or this process is stopping")
        return buffer

    def _line(self, cancelled: Cancellation) -> bytes:
        line = bytearray()
        while not line.endswith(b"\n"):
            line += self._receive(1, cancelled)
        return bytes(line)


class ReaderPool:
    """Idle readers to borrow; safe for threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._idle: list[Reader] = []

    @contextmanager
    def borrowed(self) -> Iterator[Reader]:
        """A reader for the block; one whose block raised is closed, since it may be in the middle of an answer."""
        with self._lock:
            reader = self._idle.pop() if self._idle else None
        reader = reader or Reader()
        try:
            yield reader
        except BaseException:
            reader.close()
            raise
        with self._lock:
            self._idle.append(reader)

    def close(self) -> None:
        """Ends the idle readers."""
        with self._lock:
            while self._idle:
                self._idle.pop().close()
