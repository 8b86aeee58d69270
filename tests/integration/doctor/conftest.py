import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from doctor.examine import Result, examine
from doctor.finding import Finding
from doctor.report import CHECKS, ROOT
from doctor.site import Site

JOBS = """
[[job]]
name = "clicks"
schema = "public"
table = "clicks"
blob = "{job}/{window_start:%Y/%m/%d}.csv.gz"
[job.window]
column = "at"
type = "timestamptz"
every = "1 day"
"""


class Report:
    """The findings of one run."""

    def __init__(self, results: list[Result]) -> None:
        self.results = {result.check: result.findings for result in results}

    def of(self, check: str, verdict: str) -> list[Finding]:
        return [finding for finding in self.results[check] if finding.verdict == verdict]

    def failure(self, check: str) -> Finding:
        """The only failure, which is of this check."""
        failures = [(name, f) for name, findings in self.results.items() for f in findings if f.verdict == "failed"]
        assert [name for name, _ in failures] == [check], failures
        return failures[0][1]

    @property
    def skipped(self) -> set[str]:
        return {name for name, findings in self.results.items() if findings[0].verdict == "skipped"}

    @property
    def verdicts(self) -> set[str]:
        return {finding.verdict for findings in self.results.values() for finding in findings}


type Examine = Callable[..., Report]


@pytest.fixture
def clicks(admin: psycopg.Connection) -> psycopg.Connection:
    """The table of the job, as good as can be."""
    admin.execute("create table clicks (id int, at timestamptz not null); create index on clicks (at)")
    return admin


@pytest.fixture
def jobs_file(tmp_path: Path) -> Path:
    """A jobs.toml with the job of `clicks`."""
    file = tmp_path / "jobs.toml"
    file.write_text(JOBS)
    return file


@pytest.fixture
def doctor(environ: dict[str, str], jobs_file: Path, clicks: psycopg.Connection) -> Examine:
    """Examines this test's database, queue and container; an empty setting is left out.

    The queue only where asked for: the SDK sleeps three seconds over it.
    """

    def run(jobs: str = JOBS, root: Path = ROOT, *, with_queue: bool = False, **settings: str) -> Report:
        jobs_file.write_text(jobs)
        given = {**environ, "TAILRACE_JOBS": str(jobs_file), **settings}
        site = Site({name: value for name, value in given.items() if value}, root)
        return Report(examine([check for check in CHECKS if with_queue or not check.name.startswith("queue")], site))

    return run


@pytest.fixture
def silent_port() -> Iterator[str]:
    """A port that takes connections and then says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept: list[socket.socket] = []

        def accept() -> None:
            try:
                while True:
                    kept.append(server.accept()[0])
            except OSError:
                return

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield str(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection in kept:
            connection.close()
