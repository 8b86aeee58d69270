"""Missing exports come back within two ticks, without a person, and nothing is asked for twice."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
import pytest
from support.bus import Bus
from support.hosts import Blobs, Hosts
from support.waiting import until

from contracts.jobs_file import load_jobs
from devstack.postgres import free_port
from producer import asking
from producer.enqueue import Enqueued, enqueue_due
from producer.queue import ExportQueue
from producer.store import BlobIndex
from settings import Settings

# Where the day is less than twelve hours old: ticks of the next hours find the same windows.
ZONE = ZoneInfo(f"Etc/GMT+{min(datetime.now(UTC).hour, 12)}")


@pytest.fixture
def clicks(admin: psycopg.Connection) -> list[str]:
    """Rows of the last three days, and the names of their blobs."""
    today = datetime.now(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    admin.execute("create table clicks (id bigint, at timestamptz, word text)")
    admin.execute(
        "insert into clicks select n, %s::timestamptz - interval '3 days' + n * interval '1 hour', 'w'"
        " from generate_series(0, 71) as n",
        [today],
    )
    return [f"clicks/{today - timedelta(days=back):%Y/%m/%d}.csv.gz" for back in (3, 2, 1)]


def tick(configured: dict[str, str], later: timedelta = timedelta(0)) -> Enqueued:
    """One tick, as the timer runs it; `later` moves its clock."""
    settings = Settings.from_env(configured)
    with ExportQueue(settings) as queue:
        jobs, now = load_jobs(settings.jobs), datetime.now(UTC) + later
        return enqueue_due(jobs, BlobIndex(settings), queue, now, settings.queue_limit)


JOB = """
[[job]]
name = "clicks"
schema = "public"
table = "clicks"
columns = ["id", "WORD"]
blob = "{job}/{window_start:%Y/%m/%d}.csv.gz"
[job.window]
column = "at"
type = "timestamptz"
every = "1 day"
catch_up = "3 days"
closed = "delay"
timezone = "ZONE"
""".replace("ZONE", ZONE.key)


@pytest.fixture
def one_job(configured: dict[str, str], tmp_path: Path) -> dict[str, str]:
    (tmp_path / "jobs.toml").write_text(JOB.replace("WORD", "word"))
    return {**configured, "TAILRACE_JOBS": str(tmp_path / "jobs.toml")}


def exported(hosts: Hosts, blobs: Blobs, bus: Bus, names: list[str]) -> None:
    worker = hosts.container()
    until(lambda: blobs.names() == names, "the blobs of three days")
    bus.wait_until_empty()
    worker.close()


def test_a_deleted_blob_and_an_emptied_container_are_filled_by_the_next_tick(
    one_job: dict[str, str], hosts: Hosts, blobs: Blobs, bus: Bus, clicks: list[str]
) -> None:
    assert tick(one_job).sent == 3
    exported(hosts, blobs, bus, clicks)
    assert tick(one_job) == Enqueued(asked=3, present=3, sent=0)
    blobs.container.delete_blob(clicks[1])
    assert tick(one_job, timedelta(minutes=1)) == Enqueued(asked=3, present=2, sent=1)
    exported(hosts, blobs, bus, clicks)
    for name in clicks:
        blobs.container.delete_blob(name)
    assert tick(one_job, timedelta(minutes=2)).sent == 3
    assert tick(one_job, timedelta(minutes=3)) == Enqueued(asked=3, present=0, sent=0, alive=3)
    exported(hosts, blobs, bus, clicks)


def test_what_an_outage_dead_lettered_is_asked_for_again_once_it_may_have_passed(
    one_job: dict[str, str], hosts: Hosts, blobs: Blobs, bus: Bus, clicks: list[str]
) -> None:
    """PostgreSQL is away for longer than all attempts; then it is back."""
    assert tick(one_job).sent == 3
    away = hosts.container(PGPORT=str(free_port()), TAILRACE_MAX_ATTEMPTS="2", TAILRACE_CONNECT_TIMEOUT_SECONDS="0.3")
    until(lambda: len(bus.dead_letters()) == 3, "three dead letters")
    away.close()
    assert tick(one_job, timedelta(minutes=1)) == Enqueued(asked=3, present=0, sent=0, postponed=3)
    assert tick(one_job, asking._FIRST_PAUSE + timedelta(minutes=1)).sent == 3
    assert tick(one_job, asking._FIRST_PAUSE + timedelta(minutes=2)) == Enqueued(asked=3, present=0, sent=0, alive=3)
    exported(hosts, blobs, bus, clicks)


def test_a_permanent_failure_is_asked_for_again_when_its_job_was_corrected_and_not_before(
    one_job: dict[str, str], hosts: Hosts, blobs: Blobs, bus: Bus, admin: psycopg.Connection, clicks: list[str]
) -> None:
    admin.execute("alter table clicks rename word to words")
    assert tick(one_job).sent == 3
    worker = hosts.container(TAILRACE_JOBS=one_job["TAILRACE_JOBS"])
    until(lambda: len(bus.dead_letters()) == 3, "three dead letters")
    worker.close()
    assert {letter.dead_letter_reason for letter in bus.dead_letters()} == {"ColumnMissing"}
    assert tick(one_job, timedelta(days=0, hours=2)) == Enqueued(asked=3, present=0, sent=0, dead=3)
    Path(one_job["TAILRACE_JOBS"]).write_text(JOB.replace("WORD", "words"))
    assert tick(one_job, timedelta(minutes=1)).sent == 3
    exported(hosts, blobs, bus, clicks)


def test_an_outage_a_deleted_blob_a_corrected_job_and_an_emptied_container_are_healed_within_two_ticks_each(
    one_job: dict[str, str], hosts: Hosts, blobs: Blobs, bus: Bus, clicks: list[str]
) -> None:
    """One run through all four: whatever went wrong before, two ticks later every window of both jobs has its blob."""
    jobs = Path(one_job["TAILRACE_JOBS"])
    other = JOB.replace('"clicks"\nschema', '"others"\nschema')
    jobs.write_text(JOB.replace("WORD", "word") + other)
    both = sorted(clicks + [name.replace("clicks/", "others/") for name in clicks])
    assert tick(one_job).sent == 6
    away = hosts.container(PGPORT=str(free_port()), TAILRACE_MAX_ATTEMPTS="2", TAILRACE_CONNECT_TIMEOUT_SECONDS="0.3")
    until(lambda: len(bus.dead_letters()) == 6, "six dead letters of the outage")
    away.close()
    later = asking._FIRST_PAUSE + timedelta(minutes=1)
    assert tick(one_job, later).sent == 6
    exported(hosts, blobs, bus, clicks)  # the other job names a column that is not there
    until(lambda: len(bus.dead_letters()) == 9, "three dead letters of the column")
    blobs.container.delete_blob(clicks[1])
    jobs.write_text(jobs.read_text().replace("WORD", "word"))
    assert tick(one_job, later + timedelta(minutes=1)).sent == 4
    exported(hosts, blobs, bus, both)
    for name in both:
        blobs.container.delete_blob(name)
    assert tick(one_job, later + timedelta(minutes=2)).sent == 6
    exported(hosts, blobs, bus, both)
    assert tick(one_job, later + timedelta(minutes=3)) == Enqueued(asked=6, present=6, sent=0)


def test_a_foreign_blob_never_stands_for_a_window(one_job: dict[str, str], blobs: Blobs, clicks: list[str]) -> None:
    blobs.container.upload_blob(clicks[0], b"")
    assert tick(one_job) == Enqueued(asked=3, present=0, sent=2, foreign=1)


def test_more_messages_than_are_looked_at_hold_new_requests_back(one_job: dict[str, str], clicks: list[str]) -> None:
    settings = Settings.from_env(one_job)
    with ExportQueue(settings) as queue:
        jobs = load_jobs(settings.jobs)
        enqueue_due(jobs, BlobIndex(settings), queue, datetime.now(UTC), None)
        moved = datetime.now(UTC) + timedelta(days=1)
        assert enqueue_due(jobs, BlobIndex(settings), queue, moved, 2) == Enqueued(3, 0, 0, alive=1, held=2)
    assert clicks
