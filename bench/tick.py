"""`python -m bench.tick [--jobs 1000] [--blobs 1000000]`: the cost of one tick over many jobs with a long history.

In process, against a generated index that counts what is listed, 5,000 names a
round trip. Nothing is sent; the last day of every tenth job is missing.
"""

import argparse
import sys
import time
from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

from contracts.jobs_file import Jobs, parse_jobs
from contracts.message import Lineage
from contracts.request import ExportRequest
from producer.enqueue import enqueue_due
from producer.facts import Present, QueueView
from producer.prefixes import prefixes_of
from producer.schedule import request_for_window
from producer.windows import windows_between

_PAGE = 5_000


class Generated:
    """A container's names in order, with their request ids."""

    def __init__(self, blobs: Mapping[str, UUID]) -> None:
        self._ids = blobs
        self._names = sorted(blobs)
        self.listed = self.round_trips = 0

    def present(self, groups: Iterable[Collection[str]]) -> dict[str, Present]:
        found: dict[str, Present] = {}
        for group in groups:
            for prefix, names in prefixes_of(group):
                begin = bisect_left(self._names, prefix)
                under = self._names[begin : bisect_left(self._names, prefix + "\U0010ffff")]
                self.listed += len(under)
                self.round_trips += 1 + len(under) // _PAGE
                wanted = set(names)
                found.update((name, Present(self._ids[name])) for name in under if name in wanted)
        return found


class Outbox:
    """Counts what would be sent."""

    def look(self, _: int | None) -> QueueView:
        return QueueView()

    def send(self, requests: Iterable[ExportRequest], _at: datetime | None, _lineages: Mapping[UUID, Lineage]) -> int:
        return len(list(requests))


def jobs_of(count: int) -> Jobs:
    window = {"column": "at", "type": "timestamptz", "every": "1 day", "catch_up": "7 days"}
    blob = "{job}/{window_start:%Y/%m/%d}.csv.gz"
    table = {"schema": "s", "table": "t", "blob": blob, "window": window}
    return parse_jobs({"job": [{"name": f"job{number:04}", **table} for number in range(count)]})


def history(jobs: Jobs, until: datetime, days: int) -> dict[str, UUID]:
    """The blobs of all jobs for `days` days, without the last day of every tenth job."""
    blobs: dict[str, UUID] = {}
    for number, job in enumerate(jobs.values()):
        requests = (
            request_for_window(job, window, until)
            for window in windows_between(job.window, until - timedelta(days=days), until)  # type: ignore[arg-type]
        )
        blobs.update((request.blob, request.request_id) for request in requests)
        if number % 10 == 0:
            blobs.pop(job.blob_for(window_start=until - timedelta(days=1)))
    return blobs


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.tick", description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--blobs", type=int, default=1_000_000)
    asked = parser.parse_args()
    # Around New Year, the worst time for a common prefix.
    now = datetime(2026, 1, 3, 12, tzinfo=UTC)
    jobs = jobs_of(asked.jobs)
    index = Generated(history(jobs, now.replace(hour=0), asked.blobs // asked.jobs))
    began = time.perf_counter()
    done = enqueue_due(jobs, index, Outbox(), now, 5_000)
    wall = time.perf_counter() - began
    sys.stdout.write(
        f"{asked.jobs:,} jobs, {asked.blobs:,} blobs: {wall:.2f} s of this process, {index.listed:,} names listed in "
        f"{index.round_trips:,} round trips, {done.sent:,} of {done.asked:,} due windows sent\n"
    )


if __name__ == "__main__":
    main()
