"""`python -m bench.day [--windows 9500]`: what an operator waits for, on a year of hourly windows.

Like the flights of New York's airports in 2013, exported by the hour: a job with blobs for all but every fiftieth
window. `status`, `missing`, `history` and a backfill of what is missing, each as a process of its own against Azurite
and the embedded broker; then the request of every window sent anew by a backfill. No database is needed.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from azure.storage.blob import BlobServiceClient, ContainerClient

from bench.coverage import receipt_of
from bench.measure import measured
from contracts.jobs_file import load_jobs
from contracts.request import ExportRequest
from devstack.azurite import Azurite
from devstack.broker import Broker
from producer.ask import requests_between

_JOBS = """
[[job]]
name = "flights"
schema = "nycflights"
table = "flights"
blob = "{job}/{window_start:%Y/%m/%d/%H}.csv.gz"
[job.window]
column = "time_hour"
type = "timestamptz"
every = "1 hour"
catch_up = "30 days"
"""
_TIMEOUT_S = 300
_MISSING = 50  # every so many windows one has no blob


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.day", description=__doc__)
    parser.add_argument("--windows", type=int, default=9_500)
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    since = now - parser.parse_args().windows * timedelta(hours=1)
    with TemporaryDirectory() as name:
        folder, jobs = Path(name), Path(name) / "jobs.toml"
        jobs.write_text(_JOBS)
        with Azurite.start(folder) as azurite, Broker.start(folder, ["exports"]) as broker:
            with BlobServiceClient.from_connection_string(azurite.connection_string) as service:
                wanted = requests_between(load_jobs(jobs)["flights"], since.isoformat(), now.isoformat(), now)
                _plant(service.create_container("exports"), list(wanted))
            environ = {
                **os.environ,
                "ExportStorage": azurite.connection_string,
                "ServiceBusConnection": broker.connection_string,
                "TAILRACE_JOBS": str(jobs),
            }
            for line in _lines("--from", since.isoformat(), "--to", now.isoformat()):
                _run(line, environ)


def _lines(*span: str) -> Iterator[tuple[str, ...]]:
    """The commands of the day."""
    yield ("status",)
    yield ("missing", "flights")
    yield ("history", "flights")
    yield ("backfill", "flights", *span)
    yield ("backfill", "flights", *span, "--only", "all", "--force")
    yield ("status",)


def _plant(container: ContainerClient, requests: list[ExportRequest]) -> None:
    """Uploads a blob with its receipt for all but every fiftieth request."""

    def put(request: ExportRequest) -> None:
        container.upload_blob(request.blob, bytes(30), metadata=receipt_of(request).to_metadata())

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(put, (one for number, one in enumerate(requests) if number % _MISSING)))


def _run(arguments: tuple[str, ...], environ: dict[str, str]) -> None:
    """Runs a command to its end, and prints what it took."""
    code = f"import sys; from cli.main import app; sys.exit(app({json.dumps(arguments)}, standalone_mode=False) and 0)"
    seen = measured([sys.executable, "-c", code], environ, timeout_s=_TIMEOUT_S)
    said = f"tailrace {' '.join(arguments)}: {seen.wall_s:.1f} s, {seen.cpu_s:.1f} s CPU, {seen.rss_mb:.0f} MB"
    sys.stdout.write(said + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
