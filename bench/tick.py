"""`python -m bench.tick [--jobs 1000] [--blobs 1000000]`: the cost of one tick over many jobs with a long history.

In process, against a generated index that counts what is listed, 5,000 names a
round trip; then against Azurite, with a tenth of the jobs and so many blobs as it
takes in some seconds. Nothing is sent; the last day of every tenth job is missing.
"""

import argparse
import sys
import time
from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from azure.storage.blob import BlobServiceClient

from contracts.jobs_file import Jobs, parse_jobs
from contracts.message import Lineage
from contracts.request import ExportRequest
from devstack.azurite import Azurite
from producer.enqueue import Enqueued, Index, enqueue_due
from producer.facts import Present, QueueView
from producer.prefixes import prefixes_of
from producer.schedule import request_for_window
from producer.store import BlobIndex
from producer.windows import windows_between
from settings import Settings

_PAGE = 5_000
# Around New Year, the worst time for a common prefix.
_NOW = datetime(2026, 1, 3, 12, tzinfo=UTC)
_DAYS_ON_AZURITE = 100


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
    jobs = jobs_of(asked.jobs)
    blobs = history(jobs, _NOW.replace(hour=0), asked.blobs // asked.jobs)
    index = Generated(blobs)
    wall, done = timed(jobs, index)
    listed = f"{index.listed:,} names listed in {index.round_trips:,} round trips"
    say(f"a tick, {len(jobs):,} jobs, {len(blobs):,} blobs, in process: {wall:.2f} s, {listed}", done)
    jobs = jobs_of(max(1, asked.jobs // 10))
    blobs = history(jobs, _NOW.replace(hour=0), _DAYS_ON_AZURITE)
    wall, done = on_azurite(jobs, blobs)
    say(f"a tick, {len(jobs):,} jobs, {len(blobs):,} blobs, on Azurite: {wall:.2f} s", done)


def timed(jobs: Jobs, index: Index) -> tuple[float, Enqueued]:
    """Seconds of a tick, and what it did."""
    began = time.perf_counter()
    done = enqueue_due(jobs, index, Outbox(), _NOW, 5_000)
    return time.perf_counter() - began, done


def on_azurite(jobs: Jobs, blobs: Mapping[str, UUID]) -> tuple[float, Enqueued]:
    """The same, listed from a real container over HTTP."""
    with TemporaryDirectory() as folder, Azurite.start(Path(folder)) as azurite:
        with BlobServiceClient.from_connection_string(azurite.connection_string) as service:
            container = service.create_container("exports")
            with ThreadPoolExecutor(8) as threads:
                put = [
                    threads.submit(container.upload_blob, name, b"", metadata={"request_id": str(request_id)})
                    for name, request_id in blobs.items()
                ]
                for one in put:
                    one.result()
        bus = "Endpoint=sb://127.0.0.1;SharedAccessKeyName=n;SharedAccessKey=k;"
        environ = {"ExportStorage": azurite.connection_string, "ServiceBusConnection": bus}
        return timed(jobs, BlobIndex(Settings.from_env(environ, postgres=False)))


def say(line: str, done: Enqueued) -> None:
    sys.stdout.write(f"{line}, {done.sent:,} of {done.asked:,} due windows sent\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
