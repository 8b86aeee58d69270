"""`python -m bench.backfill SINCE UNTIL`: sends the requests of the one job, as `tailrace backfill` does."""

import json
import os
import sys
import time
from datetime import UTC, datetime

from contracts.jobs_file import load_jobs
from producer.ask import job_named, requests_between
from producer.enqueue import ask, send_asked
from producer.queue import ExportQueue
from producer.store import BlobIndex
from settings import Settings


def main(since: str, until: str) -> None:
    settings = Settings.from_env(os.environ)
    jobs, now = load_jobs(settings.jobs), datetime.now(UTC)
    job = job_named(jobs, "windows")
    index = BlobIndex(settings)
    times = os.times()
    began = time.perf_counter()
    with ExportQueue(settings) as queue:
        asked = ask(list(requests_between(job, since, until, now)), jobs, index, queue, now)
        sending_at = time.time()
        sent = send_asked(asked, queue, now)
    wall = time.perf_counter() - began
    figures = {"wall_s": wall, "began_at": sending_at, "sent": sent, "cpu_before_s": times.user + times.system}
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
