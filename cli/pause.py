"""`tailrace pause` and `tailrace resume`: stop the exports of a job, and let them go on, without a deployment."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from threading import Event
from typing import Annotated

import typer

from cli.completion import job_names
from cli.ranges import AsJson
from cli.signals import INTERRUPTED, at_first_signal
from cli.terminal import record, remark, say
from contracts.errors import TailraceError
from contracts.jobs_file import load_jobs
from contracts.steering import Pause
from producer.ask import AskRefused, job_named
from settings import Settings

_BY_THEMSELVES = "messages that were put off come back by themselves, within some six minutes"
_NOTICED = "ticks notice at once, workers within half a minute; what runs goes on"


def pause(
    job: Annotated[
        str | None,
        typer.Argument(metavar="JOB", show_default=False, help="A job of jobs.toml.", autocompletion=job_names),
    ] = None,
    *,
    why: Annotated[
        str | None, typer.Option(metavar="TEXT", show_default=False, help="What others should know.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the paused jobs.")] = False,
    as_json: AsJson = False,
) -> None:
    """Stop the exports of a job until it is resumed, without a deployment.

    Ticks ask for nothing of it, and workers put off what is on the queue, which costs no attempt; `tailrace resume`
    brings that back at once. What runs goes on. `tailrace export` still exports it.

    Example: tailrace pause clicks --why "index build until noon"

    Example: tailrace pause --list
    """
    if (job is None) != list_:
        raise AskRefused("say which job is paused, or --list", advice="tailrace pause JOB")
    settings = Settings.from_env(os.environ, postgres=False, queue=False)
    from operations import pauses

    if job is None:
        _show(pauses.pauses(settings), as_json=as_json)
        return
    job_named(load_jobs(settings.jobs), job)
    found, is_new = pauses.pause(settings, job, why, datetime.now(UTC))
    if as_json:
        print(json.dumps({"job": job, "paused": True, "new": is_new, **_fields(found)}))
    elif is_new:
        say(f"job {job!r} is paused; {_NOTICED}")
    else:
        say(f"job {job!r} was paused already {pauses.said_of(found)}")


def resume(
    job: Annotated[
        str, typer.Argument(metavar="JOB", show_default=False, help="A paused job.", autocompletion=job_names)
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """Let the exports of a paused job go on.

    The next tick asks for what became due meanwhile. Messages that were put off come back at once. Without the settings
    of Service Bus they come back by themselves, within some six minutes.

    Example: tailrace resume clicks
    """
    settings = Settings.from_env(os.environ, postgres=False, queue=False)
    from operations import pauses

    ended = pauses.resume(settings, job)
    if ended is None:
        # A job that is gone from jobs.toml may be paused still.
        job_named(load_jobs(settings.jobs), job)
    if not as_json:
        say(f"job {job!r} goes on; it was paused {pauses.said_of(ended)}" if ended else f"job {job!r} was not paused")
    count = _bring_back(settings, job)
    if as_json:
        print(json.dumps({"job": job, "paused": False, "was_paused": ended is not None, "brought_back": count}))
    elif count:
        say(f"{count:,} {'message' if count == 1 else 'messages'} that had been put off came back to the queue")


def _bring_back(settings: Settings, job: str) -> int | None:
    """How many messages came back at once; None if the queue could not be reached, which is not needed to resume."""
    if settings.service_bus_connection_string is None and settings.service_bus_namespace is None:
        remark(_BY_THEMSELVES)
        return None
    from operations.resuming import bring_back

    stopping = Event()
    try:
        with at_first_signal(stopping.set):
            count = bring_back(settings, job, stopping)
    except TailraceError as error:
        remark(f"{_BY_THEMSELVES}: {error.explained}")
        return None
    if stopping.is_set():
        remark("interrupted; run it again for the other messages, or wait: they come back within some six minutes")
        raise typer.Exit(INTERRUPTED)
    return count


def _show(found: Mapping[str, Pause], *, as_json: bool) -> None:
    for job, one in found.items():
        if as_json:
            print(json.dumps({"job": job, **_fields(one)}))
        else:
            record(job, {"since": one.at.isoformat(timespec="seconds"), "by": one.by, "why": one.why})
    if not found and not as_json:
        say("no job is paused")


def _fields(pause: Pause) -> dict[str, object]:
    return pause.model_dump(mode="json", exclude_none=True)
