"""A deployment with a past and with troubles, on real servers: what the page and its pictures show.

Blobs of the past are uploaded with receipts; whatever fails, waits or runs does so for real.
"""

import gzip
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import psycopg
from azure.storage.blob import ContainerClient
from support.gate import Gate
from support.waiting import until

from connections.records import Records
from contracts.audit import AuditRecord, DrillRecord
from contracts.jobs_file import Jobs, load_jobs
from contracts.ncrontab import last_fire_time
from contracts.receipt import Closed, Part, Read, Receipt
from contracts.request import ExportRequest
from producer.ask import one_request, requests_between
from producer.queue import ExportQueue
from producer.queue_view import read_queue
from producer.schedule import request_for_run
from settings import Settings

_TABLE = """
[[job]]
name = "{name}"
schema = "public"
table = "{table}"
blob = "{{job}}/{{window_start:{name_format}}}.csv.gz"
[job.window]
column = "{column}"
type = "{type}"
{window}
"""
_DAILY = 'every = "1 day"\ncatch_up = "60 days"'
JOBS = (
    "".join(
        _TABLE.format(name=name, table=table, name_format=name_format, column=column, type=kind, window=window)
        for name, table, name_format, column, kind, window in (
            ("bannerclicked", "bannerclicked", "%Y/%m/%d", "clicked_at", "timestamptz", _DAILY),
            ("pageviews", "pageviews", "%Y/%m/%d/%H", "at", "timestamptz", 'every = "1 hour"\ncatch_up = "12 days"'),
            ("refunds", "refunds", "%Y/%m/%d", "at", "timestamptz", _DAILY),
        )
    )
    + """
[[job]]
name = "orders"
schema = "public"
table = "orders"
blob = "{job}/{window_start}.csv.gz"
[job.window]
column = "id"
type = "integer"
size = 10_000

[[job]]
name = "countries"
schema = "public"
table = "countries"
blob = "{job}/{run:%Y/%m/%d}.csv.gz"
schedule = "0 0 3 * * *"
"""
)


@dataclass
class Scene:
    """What was planted: the start of a window in each state, and the gate that an export waits at."""

    settings: Settings
    environ: dict[str, str]
    jobs: Jobs
    now: datetime
    gate: Gate
    starts: dict[str, str] = field(default_factory=dict)

    def day(self, number: int) -> str:
        """The day so many days ago."""
        return (self.now - timedelta(days=number)).date().isoformat()


@contextmanager
def scene(
    environ: dict[str, str], admin: psycopg.Connection, container: ContainerClient, folder: Path, *, days: int = 330
) -> Iterator[Scene]:
    """The scene, with an export that runs, until the block ends."""
    from support.hosts import Hosts

    file = folder / "jobs.toml"
    file.write_text(JOBS)
    environ = {**environ, "TAILRACE_JOBS": str(file), "TAILRACE_TICK": "0 0 0 1 1 *"}
    settings, now = Settings.from_env(environ), datetime.now(UTC)
    jobs = load_jobs(file)
    gate = Gate(admin, 60_000)
    _tables(admin, now)
    made = Scene(settings, environ, jobs, now, gate)
    with ExitStack() as running:
        _past(made, container, days)
        _troubles(made, container)
        _proofs(made)
        hosts = Hosts(environ, folder, running)
        running.enter_context(gate.closed())
        _send(made, "refunds", *(made.day(number) for number in (2, 3, 4, 9)))
        _send(made, "bannerclicked", made.day(1))
        hosts.container(TAILRACE_CONCURRENCY="2", TAILRACE_LOCK_TIMEOUT_SECONDS="900")
        gate.wait_for()
        until(lambda: len(read_queue(settings, None).dead) == 4, "dead letters")
        # With another export at the gate the worker has both its hands full: what comes now waits.
        _send(made, "bannerclicked", made.day(5))
        gate.wait_for(2)
        _send(made, "bannerclicked", made.day(12), made.day(13))
        made.starts |= {"running": made.day(1), "waiting": made.day(12), "dead": made.day(2)}
        yield made


def _tables(admin: psycopg.Connection, now: datetime) -> None:
    yesterday = (now - timedelta(days=1)).date().isoformat()
    admin.execute(
        f"""
        create view bannerclicked as
            select timestamptz '{yesterday} 12:00 UTC' as clicked_at, filler, gate from gated
            union all select timestamptz '{yesterday} 12:00 UTC' - interval '4 days', filler, gate from gated;
        create table pageviews (at timestamptz not null);
        create table orders (id bigint primary key);
        create table countries (code text);
        grant select on bannerclicked, pageviews, orders, countries to exporter""".encode()
    )


def _past(made: Scene, container: ContainerClient, days: int) -> None:
    """Blobs for all that should be there."""
    lacking = {made.day(number) for number in (1, 5, 12, 13, 20, 21, 22, 41)}
    old = {made.day(number) for number in (days - 6, days - 7)}
    requests = [
        one
        for job, since, until_ in (
            ("bannerclicked", made.day(days), made.day(0)),
            ("refunds", made.day(min(days, 58)), made.day(9)),
            ("pageviews", made.day(13), made.now.isoformat()),
            ("orders", "0", "3000000"),
        )
        for one in requests_between(made.jobs[job], since, until_, made.now)
        if not (job == "bannerclicked" and _start(one)[:10] in lacking | old)
        and not (job == "orders" and 1_200_000 <= int(_start(one)) < 1_250_000)
    ]
    latest = last_fire_time("0 0 3 * * *", made.now)
    requests += [request_for_run(made.jobs["countries"], latest - timedelta(days=number)) for number in range(14)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda request: plant(container, request), requests))


def _troubles(made: Scene, container: ContainerClient) -> None:
    """A blob of something else, and an hour whose window nothing proved closed."""
    foreign = one_request(made.jobs["bannerclicked"], made.day(41), made.now)
    container.upload_blob(foreign.blob, b"somebody else's")
    unproven = one_request(made.jobs["bannerclicked"], made.day(30), made.now)
    container.delete_blob(unproven.blob)
    plant(container, unproven, Closed(by="transactions", at=made.now, open="session 4711 of etl, open since 03:12"))
    made.starts |= {"foreign": made.day(41), "unproven": made.day(30), "missing": made.day(20)}


def _proofs(made: Scene) -> None:
    """Records of an audit and of a drill, as those write them."""
    at, through = made.now - timedelta(hours=9), made.day(24)
    for audit in (
        AuditRecord(at=at, job="bannerclicked", origin=made.day(330), verified_through=through),
        AuditRecord(at=at, job="refunds", origin=made.day(40), rows_before=f"{made.day(400)} 08:15:00+00"),
    ):
        Records(made.settings, "audits", AuditRecord).put(audit.job, audit, head=audit.head)
    for job, age in (("bannerclicked", 20), ("orders", 200)):
        drill = DrillRecord(at=made.now - timedelta(hours=age), job=job, windows=3, rows=14_021, newest=through)
        Records(made.settings, "drills", DrillRecord).put(job, drill, head=drill.head)


def _start(request: ExportRequest) -> str:
    assert request.window is not None
    return str(request.window.model_dump(mode="json")["start"])


def _send(made: Scene, job: str, *windows: str) -> None:
    with ExportQueue(made.settings) as queue:
        queue.send([one_request(made.jobs[job], window, made.now) for window in windows], made.now, {})


def plant(container: ContainerClient, request: ExportRequest, closed: Closed | None = None) -> None:
    """Uploads a small blob with the receipt of a request."""
    rows = 1000 + request.request_id.int % 9000
    data = gzip.compress(b"id\n" + b"1\n" * 9)
    part = Part(rows=rows, csv_bytes=rows * 83, blob_bytes=len(data), sha256=sha256(data).hexdigest())
    at = request.run + timedelta(minutes=2)
    proof = closed or (Closed(by="transactions", at=at) if request.window else None)
    read = Read((part,), "741:741:", row_hash=request.request_id.int % 2**64, closed=proof)
    receipt = Receipt.of(request, read, (at, at + timedelta(seconds=2.4)))
    container.upload_blob(request.blob, data, metadata=receipt.to_metadata(), overwrite=True)
