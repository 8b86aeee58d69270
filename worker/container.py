"""The container worker: slots that work the queue side by side, drained when it is stopped."""

import logging
import time
from collections import Counter
from threading import Event, Thread

from contracts.errors import ConfigurationError, TailraceError
from settings import Settings
from telemetry.events import event
from worker.message.delivery import Worker
from worker.slot import Slot

_log = logging.getLogger(__name__)
_LAST_SECONDS = 8.0  # for cancelling a COPY and giving a message back


class Consumer:
    """Works the queue with `settings.concurrency` exports at once, each in its slot."""

    def __init__(self, settings: Settings, worker: Worker, *, until_empty: bool = False) -> None:
        """With `until_empty`, `run` also ends once no slot gets a message any more."""
        self._settings = settings
        self._worker = worker
        # Set by `stop`, also in a signal handler, and by a slot that cannot go on; read by all slots.
        self._stopping = Event()
        self._slots = [
            Slot(settings, worker, self._stopping, until_empty=until_empty) for _ in range(settings.concurrency)
        ]

    def run(self) -> Counter[str]:
        """Works until `stop`; then running exports may finish within the drain time, and the rest is cancelled.

        Returns how many messages were completed, retried, dead-lettered and abandoned. Raises ConfigurationError if
        PostgreSQL refuses the login or the queue cannot be used, QueueUnavailable if `until_empty` waited in vain.
        """
        self._check_source()
        threads = [
            Thread(target=slot.work, name=f"slot-{number}", daemon=True) for number, slot in enumerate(self._slots)
        ]
        for thread in threads:
            thread.start()
        event(_log, logging.INFO, "worker ready", queue=self._settings.queue, concurrency=len(threads))
        while not self._stopping.wait(1.0) and any(thread.is_alive() for thread in threads):
            pass
        self._drain(threads)
        for slot in self._slots:
            if slot.failure is not None:
                raise slot.failure
        return self.totals()

    def stop(self) -> None:
        """Asks `run` to end; safe in a signal handler."""
        self._stopping.set()

    def _check_source(self) -> None:
        """Raises ConfigurationError if PostgreSQL refuses the login. A server that is away only delays the exports."""
        try:
            self._worker.exporter.source.check()
        except TailraceError as error:
            if error.reason == "LoginRefused":
                raise ConfigurationError(str(error), advice=error.advice, reason=error.reason) from None
            event(_log, logging.WARNING, "source unavailable", reason=error.reason, error=error.explained)

    def _drain(self, threads: list[Thread]) -> None:
        event(_log, logging.INFO, "worker draining", seconds=self._settings.drain_seconds)
        _join(threads, self._settings.drain_seconds)
        # An export that still runs gives its message back, and another worker begins anew.
        for slot in self._slots:
            slot.cancel()
        _join(threads, _LAST_SECONDS)
        event(_log, logging.INFO, "worker stopped", **self.totals())

    def totals(self) -> Counter[str]:
        """How many messages were completed, retried, dead-lettered and abandoned so far."""
        # Each slot's thread changes its own counts only; a count that is a moment old does no harm.
        return sum((slot.totals for slot in self._slots), Counter())


def _join(threads: list[Thread], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
