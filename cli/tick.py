"""`tailrace tick`: the producer without Azure Functions, for cron and Kubernetes."""

import json
import os
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Annotated

import typer

from cli.ranges import AsJson
from cli.signals import at_first_signal
from cli.terminal import complain, say
from contracts.errors import TailraceError
from contracts.grid import duration
from contracts.jobs_file import load_jobs
from producer.enqueue import Enqueued
from producer.tick import tick as run_tick
from settings import Settings

# As a person calls what a tick counted, in this order; the first three are always shown.
_NAMES = {
    "asked": "due",
    "present": "there",
    "sent": "sent",
    "alive": "on the queue",
    "paused": "paused",
    "dead": "dead",
    "postponed": "dead, asked for again later",
    "held": "held back: the queue is too long to look at",
    "foreign": "foreign blobs",
}


def _every(text: str) -> timedelta:
    units = {"s": "seconds", "m": "minutes", "h": "hours"}
    written = f"{text[:-1]} {units[text[-1]]}" if text[-1:] in units and text[:-1].isdigit() else text
    try:
        every = duration(written)
        assert isinstance(every, timedelta)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no length of time; write 60s, 5m or '15 minutes'") from None
    if not timedelta(seconds=1) <= every <= timedelta(days=1):
        raise typer.BadParameter("from 1s to 24h are possible")
    return every


def tick(
    *,
    every: Annotated[
        timedelta | None,
        typer.Option(parser=_every, metavar="T", show_default=False, help="Tick every T (60s, 5m) until stopped."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask for every export that is due and has neither a blob nor a message on the queue, once.

    It is what the timer function does, for cron and Kubernetes. Ticks may overlap: nothing is asked for twice. With
    --every a tick that fails is reported, and the next one is tried; SIGTERM and Ctrl-C end the loop with 0.

    Example: tailrace tick

    Example: tailrace tick --every 60s --json
    """
    settings = Settings.from_env(os.environ, postgres=False)
    if every is None:
        _tick(settings, as_json=as_json)
        return
    load_jobs(settings.jobs)  # a file that cannot be used ends the loop before it begins
    stopping = Event()
    with at_first_signal(stopping.set):
        while not stopping.is_set():
            try:
                _tick(settings, as_json=as_json)
            except TailraceError as error:
                complain(error.explained.splitlines())
            stopping.wait(_left(every, datetime.now(UTC)))


def _left(every: timedelta, now: datetime) -> float:
    """Seconds until the next multiple of `every` on the clock.

    >>> _left(timedelta(minutes=5), datetime(2026, 1, 31, 13, 4, 30, tzinfo=UTC))
    30.0
    """
    length = every.total_seconds()
    return length - now.timestamp() % length


def _tick(settings: Settings, *, as_json: bool) -> None:
    now, jobs = datetime.now(UTC), load_jobs(settings.jobs)
    for problem in (problem for one in jobs.disabled for problem in one.problems):
        complain([problem])
    done = run_tick(settings, jobs, now)
    if as_json:
        print(json.dumps({"at": now.isoformat(timespec="seconds"), **asdict(done)}), flush=True)
    else:
        say(f"{now.isoformat(timespec='seconds')} {said_of(done)}")


def said_of(done: Enqueued) -> str:
    """What a tick did, in one line.

    >>> said_of(Enqueued(asked=12, present=9, sent=1, alive=2))
    '12 due: 9 there, 1 sent, 2 on the queue'
    """
    counts = asdict(done)
    first, *others = _NAMES
    shown = [f"{counts[key]:,} {_NAMES[key]}" for key in others if counts[key] or key in {"present", "sent"}]
    return f"{counts[first]:,} {_NAMES[first]}: {', '.join(shown)}"
