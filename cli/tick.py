"""`tailrace tick`: the producer without Azure Functions, for cron and Kubernetes."""

import json
import os
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Annotated

import typer

from cli.ranges import AsJson, length_of
from cli.signals import at_first_signal
from cli.terminal import complain, say
from contracts.errors import TailraceError
from contracts.jobs_file import load_jobs
from producer.ask import AskRefused
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
    "foreign": "foreign",
}


def _every(text: str) -> timedelta:
    every = length_of(text, "--every")
    if not timedelta(seconds=1) <= every <= timedelta(days=1):
        raise AskRefused(f"--every: {text[:64]!r} is not possible", advice="write a time from 1s to 24h")
    return every


def tick(
    *,
    every: Annotated[
        str | None, typer.Option(metavar="T", show_default=False, help="Tick every T (60s, 5m) until stopped.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask for every export that is due and has neither a blob nor a message on the queue, once.

    It is what the timer function does, for cron and Kubernetes. Ticks may overlap: nothing is asked for twice. With
    --every a tick that fails is reported, and the next one is tried; SIGTERM and Ctrl-C end the loop with 0.

    Example: tailrace tick

    Example: tailrace tick --every 60s --json
    """
    pause = None if every is None else _every(every)
    settings = Settings.from_env(os.environ, postgres=False)
    if pause is None:
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
            stopping.wait(_left(pause, datetime.now(UTC)))


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
