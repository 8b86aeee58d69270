"""Edge: the pauses and cancels that people have ordered."""

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from threading import Lock
from typing import TYPE_CHECKING

from connections.records import Records
from contracts.errors import SinkUnavailable, TailraceError
from contracts.steering import Cancel, Pause, Steering
from settings import Settings
from telemetry.events import event

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

_log = logging.getLogger(__name__)
_FRESH_SECONDS = 30.0

PAUSES, CANCELS = "pauses", "cancels"


class SteeringRecords:
    """The records of one container; safe for threads.

    Each look costs two listings, side by side, and one request for each cancel that the process has not read yet.
    """

    def __init__(self, settings: Settings, container: "ContainerClient | None" = None) -> None:
        """`container` is a client whose connections others use, too; without it, each kind has its own."""
        self._pauses = Records(settings, PAUSES, Pause, container)
        self._cancels = Records(settings, CANCELS, Cancel, container)
        # All below are read and written under the lock. A cancel never changes.
        self._lock = Lock()
        self._read: dict[str, Cancel] = {}
        self._known: Steering | None = None
        self._read_at = 0.0

    def look(self) -> Steering:
        """What is ordered now. Raises SinkUnavailable or SinkRejected."""
        with self._lock:
            return self._look()

    def recent(self, within_seconds: float = _FRESH_SECONDS) -> Steering:
        """What was ordered `within_seconds` ago or later.

        If storage cannot be read, what was known last; SinkUnavailable if nothing was. A container that may not be
        listed has no orders: an export finds out by itself whether it may be written.
        """
        with self._lock:
            if self._known is not None and time.monotonic() - self._read_at < within_seconds:
                return self._known
            try:
                return self._look()
            except TailraceError as error:
                if self._known is None and isinstance(error, SinkUnavailable):
                    raise
                event(_log, logging.WARNING, "pauses not read", error=error.explained)
                self._known, self._read_at = self._known or Steering(), time.monotonic()
                return self._known

    def _look(self) -> Steering:
        with ThreadPoolExecutor(1, thread_name_prefix="pauses") as threads:
            paused = threads.submit(copy_context().run, self._pauses.names)
            names = self._cancels.names()
        for name in names:
            if name not in self._read and (record := self._cancels.get(name)):
                self._read[name] = record.value
        cancels = tuple(self._read[name] for name in names if name in self._read)
        self._known = Steering(frozenset(paused.result()), cancels)
        self._read_at = time.monotonic()
        return self._known
