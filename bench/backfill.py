"""`python -m bench.backfill SINCE UNTIL`: sends the requests of the one job, as `tailrace backfill` does."""

import json
import os
import sys
import time
from datetime import UTC, datetime

from contracts.jobs_file import load_jobs
from producer.ask import job_named, requests_between
from producer.enqueue import without_blob
from producer.queue import ExportQueue
from producer.store import BlobIndex
from settings import Settings


def main(since: str, until: str) -> None:
    settings = Settings.from_env(os.environ)
    job = job_named(load_jobs(settings.jobs), "windows")
    index = BlobIndex(settings)
    times = os.times()
    began_at, began = time.time(), time.perf_counter()
    with ExportQueue(settings) as queue:
        sent = queue.send(without_blob(list(requests_between(job, since, until, datetime.now(UTC))), index))
    wall = time.perf_counter() - began
    told = {"wall_s": wall, "began_at": began_at, "sent": sent, "cpu_before_s": times.user + times.system}
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
