"""`tailrace backfill`: the requests of a range of windows."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated

import typer

from cli.terminal import record, remark, say
from contracts.job import ExportJob
from contracts.jobs_file import load_jobs
from contracts.request import ExportRequest
from producer.ask import AskRefused, bound, job_named, one_request, requests_between
from producer.asking import Asked, counts_of
from producer.enqueue import ask
from producer.queue import ExportQueue
from producer.store import BlobIndex
from settings import Settings

_MOST = 50_000  # requests in memory at once, about 3 KB each
_ENDS = 3  # windows that a dry run shows at each end of the range


def backfill(
    job: Annotated[str, typer.Argument(metavar="JOB", show_default=False, help="A job of jobs.toml that has windows.")],
    *,
    since: Annotated[
        str, typer.Option("--from", metavar="X", show_default=False, help="Windows that begin at X or later.")
    ],
    until: Annotated[str, typer.Option("--to", metavar="Y", show_default=False, help="Windows that begin before Y.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be sent, and send nothing.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Also windows that have a blob.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also what is on the queue or dead.")] = False,
) -> None:
    """Send requests for the windows of a range that have no blob and no message on the queue.

    X and Y are days (2026-01-31), times (2026-01-31T13:00, in the job's time zone unless they carry one) or, for
    windows of numbers, numbers. Open windows are left out. After a failure, run it again.
    """
    settings, now = Settings.from_env(os.environ, postgres=False), datetime.now(UTC)
    jobs = load_jobs(settings.jobs)
    wanted = Range(job_named(jobs, job), since, until)
    requests = wanted.requests(now)
    with ExportQueue(settings) as queue:
        index = BlobIndex(settings)
        asked = [Asked(one, "send") for one in requests] if every else ask(requests, jobs, index, queue, now)
        chosen = [one for one in asked if one.state == "send" or (force and one.state != "there")]
        counts = {"windows": len(asked), **_shown(asked, every=every)}
        if dry_run:
            record("", {**_grouped(counts), "to send": f"{len(chosen):,}"})
            say(*_ends_of([one.request for one in chosen]))
        else:
            record(
                "",
                {
                    **_grouped(counts),
                    "sent": f"{_send(chosen, queue, None if force or every else now, wanted.job.version):,}",
                },
            )
    if open_from := wanted.left_open(requests):
        say(f"windows from {open_from} on are still open and were left out")


def _shown(asked: Sequence[Asked], *, every: bool) -> dict[str, int]:
    """Counts of the states in plain words: the main ones always, the others unless zero."""
    if every:
        return {}
    found = counts_of(asked)
    names = {
        "alive": "under way",
        "dead": "dead",
        "postponed": "dead, asked for again later",
        "foreign": "foreign blobs",
    }
    return {"present": found.get("there", 0), **{name: found[state] for state, name in names.items() if state in found}}


def _grouped(counts: Mapping[str, int]) -> dict[str, str]:
    return {name: f"{count:,}" for name, count in counts.items()}


@dataclass(frozen=True, slots=True)
class Range:
    """The windows of a job that begin in [since, until), as a person wrote them."""

    job: ExportJob
    since: str
    until: str

    def requests(self, now: datetime) -> list[ExportRequest]:
        """One for each window closed at `now`. Raises AskRefused, which says why, if there is none."""
        found = list(islice(requests_between(self.job, self.since, self.until, now), _MOST + 1))
        if len(found) > _MOST:
            raise AskRefused(
                f"there are more than {_MOST:,} windows from {self.since} to {self.until}; "
                "ask for them in several ranges"
            )
        if not found:
            one_request(self.job, self.since, now)  # says that the window there is open, or when the next one begins
            raise AskRefused(f"no window of job {self.job.name!r} begins from {self.since} to {self.until}")
        return found

    def left_open(self, closed: Sequence[ExportRequest]) -> str | None:
        """The start of the range's first open window, None if all of the range is in `closed`."""
        end, until = closed[-1].run, bound(self.job, self.until)
        is_open = isinstance(until, datetime) and end < until
        return end.isoformat(timespec="minutes") if is_open else None


def _send(chosen: Sequence[Asked], queue: ExportQueue, asked_at: datetime | None, version: str) -> int:
    """Sends; if interrupted, says how many were sent."""
    if not chosen:
        return 0
    sent = 0

    def count(so_far: int) -> None:
        nonlocal sent
        sent = so_far

    lineages = {one.request.request_id: replace(one.lineage, version=version) for one in chosen}
    try:
        return queue.send([one.request for one in chosen], asked_at, lineages, count)
    except BaseException:
        remark(f"{sent:,} of {len(chosen):,} requests were sent; run it again: what is on the queue is not sent twice")
        raise


def _ends_of(requests: Sequence[ExportRequest]) -> list[str]:
    r"""The first and the last few, a line each.

    >>> from contracts.jobs_file import parse_jobs
    >>> table = {"name": "a", "schema": "s", "table": "t", "blob": "{window_start}"}
    >>> table["window"] = {"column": "id", "type": "integer", "size": 10}
    >>> job = parse_jobs({"job": [table]})["a"]
    >>> print("\n".join(_ends_of(Range(job, "0", "90").requests(datetime.now(UTC)))))
        0 → 0
        10 → 10
        20 → 20
        … 3 more
        60 → 60
        70 → 70
        80 → 80
    """
    lines = [f"    {_start(request)} → {request.blob}" for request in requests]
    hidden = len(lines) - 2 * _ENDS
    return [*lines[:_ENDS], f"    … {hidden:,} more", *lines[-_ENDS:]] if hidden > 0 else lines


def _start(request: ExportRequest) -> object:
    assert request.window is not None
    return request.window.model_dump(mode="json")["start"]
