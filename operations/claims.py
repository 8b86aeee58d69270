"""One backfill of a job is sent at a time: two that look at the queue at once would both send what neither has sent."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from connections.records import Record, RecordChanged, Records
from contracts.model import Model
from contracts.window import Instant
from producer.ask import AskRefused
from settings import Settings

_CLAIMS = "sending"
# Whoever sends renews its claim every ten seconds, but for a first look at a long queue.
_ALIVE = timedelta(minutes=5)


class Claim(Model):
    """Who sends requests of a job now: a process of a machine, for a backfill; `at` is when it last said so."""

    backfill: str
    by: str
    host: str
    process: int
    at: Instant


class Claims:
    """The claim of one backfill on its job."""

    def __init__(self, settings: Settings, job: str, backfill: str, by: str) -> None:
        self._records = Records(settings, _CLAIMS, Claim)
        self._job, self._backfill, self._by = job, backfill, by

    @contextmanager
    def held(self) -> Iterator[None]:
        """Claims the job for the block. Raises AskRefused if another process sends a backfill of it."""
        self._take()
        try:
            yield
        finally:
            found = self._records.get(self._job)
            if found and found.value.backfill == self._backfill:
                self._records.remove(self._job)

    def renew(self) -> None:
        """Shows others that this process lives."""
        self._records.put(self._job, self._claim())

    def _take(self) -> None:
        """First come, first served: storage creates a record once, and overwrites only what was read."""
        while True:
            found: Record[Claim] | None = self._records.get(self._job)
            if found and _is_alive(found.value):
                one = found.value
                raise AskRefused(
                    f"backfill {one.backfill} of job {self._job!r} is being sent by {one.by}",
                    advice=f"wait until it is sent, or end it: tailrace cancel {one.backfill}",
                )
            try:
                self._records.put(self._job, self._claim(), over=found, is_new=found is None)
            except RecordChanged:
                continue
            return

    def _claim(self) -> Claim:
        now = datetime.now(UTC)
        return Claim(backfill=self._backfill, by=self._by, host=socket.gethostname(), process=os.getpid(), at=now)


def _is_alive(claim: Claim) -> bool:
    """Whether its process still sends, as far as can be seen from here."""
    if datetime.now(UTC) - claim.at > _ALIVE:
        return False
    if claim.host != socket.gethostname():
        return True
    try:
        os.kill(claim.process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
