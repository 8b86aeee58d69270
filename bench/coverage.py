"""`python -m bench.coverage [--windows 100000]`: what the state of each window costs once the blobs are listed.

In process: the windows of a quarter of an hour of one job, nine in ten with a blob and its receipt, the others on the
queue, dead, or missing. CPU seconds, the best of some rounds, of the states alone and with `status`'s counts.
"""

import argparse
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from contracts.job import ExportJob
from contracts.jobs_file import parse_jobs
from contracts.message import NO_LINEAGE
from contracts.receipt import Closed, Part, Read, Receipt
from contracts.request import ExportRequest
from operations.blobs import Blob
from operations.coverage import Cell, Evidence, cover
from operations.looking import windows_in
from operations.summary import summary_of
from producer.facts import Dead, Live, QueueView
from producer.schedule import request_for_window
from producer.windows import windows_between

_NOW = datetime(2026, 1, 3, 12, tzinfo=UTC)
_LENGTH = timedelta(minutes=15)
_ROUNDS = 5


def job_of_quarters() -> ExportJob:
    """A job whose windows last a quarter of an hour."""
    window = {"column": "at", "type": "timestamptz", "every": "15 minutes", "catch_up": "7 days"}
    blob = "{job}/{window_start:%Y/%m/%d/%H%M}.csv.gz"
    return parse_jobs({"job": [{"name": "quarters", "schema": "s", "table": "t", "blob": blob, "window": window}]})[
        "quarters"
    ]


def evidence(job: ExportJob, count: int) -> Evidence:
    """Of every twenty windows 18 have a blob, one is on the queue or dead, and one is missing."""
    blobs, live, dead = {}, {}, {}
    for number, window in enumerate(windows_between(job.window, _NOW - count * _LENGTH, _NOW)):  # type: ignore[arg-type]
        request = request_for_window(job, window, _NOW)
        match number % 40:
            case 7:
                live[request.request_id] = Live(1, None)
            case 27:
                dead[request.request_id] = Dead(number, "TableMissing", "no such table", _NOW, NO_LINEAGE)
            case 17 | 37:
                pass
            case _:
                blobs[request.blob] = Blob(request.blob, "0x8DE", 30, receipt_of(request).to_metadata())
    return Evidence(blobs, QueueView(live, dead))


def receipt_of(request: ExportRequest) -> Receipt:
    """The receipt of an export that was proven closed."""
    part = Part(rows=1000, csv_bytes=83_000, blob_bytes=30, sha256="ab" * 32)
    read = Read((part,), "741:741:", row_hash=7, closed=Closed(by="transactions", at=request.run))
    return Receipt.of(request, read, (request.run, request.run + timedelta(seconds=2.4)))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.coverage", description=__doc__)
    parser.add_argument("--windows", type=int, default=100_000)
    asked = parser.parse_args()
    job = job_of_quarters()
    seen = evidence(job, asked.windows)
    since = (_NOW - asked.windows * _LENGTH).isoformat()

    def states() -> list[Cell]:
        # As right after a listing: no blob has read its receipt yet.
        fresh = {name: Blob(name, blob.etag, blob.size, blob.metadata) for name, blob in seen.blobs.items()}
        looked = Evidence(fresh, seen.queue)
        return list(cover(job, windows_in(job, fresh.values(), since, None, _NOW), looked, _NOW))

    cells = states()
    alone, counted = best(states), best(lambda: summary_of(job, cells, _NOW))
    say(f"states of {len(cells):,} windows: {alone:.2f} s CPU; their counts: {counted:.2f} s")


def best(act: Callable[[], object]) -> float:
    """CPU seconds of the best of some rounds."""
    found = []
    for _ in range(_ROUNDS):
        began = time.process_time()
        act()
        found.append(time.process_time() - began)
    return min(found)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
