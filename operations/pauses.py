"""Pauses of jobs: ticks ask for nothing of a paused job, and workers put off its messages."""

import getpass
import socket
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

from connections.records import Record, RecordChanged, Records
from connections.steering import PAUSES
from contracts.steering import Pause
from producer.ask import AskRefused
from settings import Settings

_LONGEST_WHY = 1000


def pause(settings: Settings, job: str, why: str | None, now: datetime, by: str | None = None) -> tuple[Pause, bool]:
    """Pauses a job. Returns its pause, and whether it is new: a pause that is there stays as it is.

    `by` is who gave the order; None: the user of this machine. Raises AskRefused if `why` is too long.
    """
    if why is not None and len(why) > _LONGEST_WHY:
        raise AskRefused(f"the reason has {len(why):,} characters", advice=f"write {_LONGEST_WHY:,} at most")
    records = Records(settings, PAUSES, Pause)
    wanted = Pause(by=by or operator(), at=now, why=why)
    with suppress(RecordChanged):
        records.put(job, wanted, is_new=True)
        return wanted, True
    found: Record[Pause] | None = records.get(job)
    # Somebody has resumed it in between, so it is paused anew.
    return (found.value, False) if found else pause(settings, job, why, now, by)


def resume(settings: Settings, job: str) -> Pause | None:
    """Ends the pause of a job, and returns it; None if the job is not paused."""
    records = Records(settings, PAUSES, Pause)
    found: Record[Pause] | None = records.get(job)
    return found.value if found and records.remove(job) else None


def refuse_paused(settings: Settings, job: str) -> None:
    """Raises AskRefused if a job is paused."""
    found: Record[Pause] | None = Records(settings, PAUSES, Pause).get(job)
    if found:
        advice = f"resume it first: tailrace resume {job}"
        raise AskRefused(f"job {job!r} was paused {said_of(found.value)}", advice=advice)


def said_of(pause: Pause) -> str:
    """By whom, since when and why."""
    why = f": {pause.why}" if pause.why else ""
    return f"by {pause.by} at {pause.at.isoformat(timespec='seconds')}{why}"


def pauses(settings: Settings) -> Mapping[str, Pause]:
    """The paused jobs, by name."""
    return {record.name: record.value for record in Records(settings, PAUSES, Pause).all()}


def operator() -> str:
    """Who gives an order: the user and the machine.

    >>> "@" in operator()
    True
    """
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
