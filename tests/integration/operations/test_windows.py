"""The windows of a range, with their blobs."""

from datetime import UTC, datetime

import psycopg
import pytest
from azure.storage.blob import ContainerClient
from support.exports import NO_JOBS, Exports

from contracts.job import ExportJob
from operations.blobs import Blobs
from operations.windows import windows_of
from producer.ask import AskRefused, requests_between
from settings import Settings
from worker.assemble import open_worker
from worker.message.settlement import Complete

NOW = datetime(2026, 3, 10, tzinfo=UTC)
BY_ID = {"blob": "ids/{window_start:06d}.csv.gz", "window": {"column": "id", "type": "integer", "size": 100}}
BY_DAY = {
    "blob": "days/{window_start:%Y/%m/%d}.csv.gz",
    "window": {"column": "at", "type": "timestamptz", "every": "1 day"},
}


@pytest.fixture
def settings(environ: dict[str, str], tmp_path: object) -> Settings:
    file = tmp_path / "jobs.toml"  # type: ignore[operator]
    file.write_text(NO_JOBS)
    return Settings.from_env({**environ, "TAILRACE_JOBS": str(file)})


def job(**differs: object) -> ExportJob:
    return ExportJob.model_validate({"name": "j", "schema": "public", "table": "t", **differs})


def export(settings: Settings, container: ContainerClient, made: ExportJob, since: str, until: str) -> None:
    with open_worker(settings) as worker:
        for request in requests_between(made, since, until, NOW):
            assert Exports(worker, container).handle(request) == Complete("exported")


def starts(settings: Settings, made: ExportJob, since: str | None, until: str | None) -> list[tuple[str, bool]]:
    return [(one.start, one.is_own) for one in windows_of(made, Blobs(settings), since, until, NOW)]


@pytest.fixture
def t(admin: psycopg.Connection) -> None:
    admin.execute(
        "create table t as select i as id, timestamptz '2026-03-01 UTC' as at from generate_series(1, 9) as i"
    )


@pytest.mark.usefixtures("t")
def test_windows_of_numbers_without_a_range_are_those_from_the_oldest_blob_to_the_newest(
    settings: Settings, container: ContainerClient
) -> None:
    made = job(**BY_ID)
    export(settings, container, made, "200", "300")
    export(settings, container, made, "500", "600")
    gap = [("200", True), ("300", False), ("400", False), ("500", True)]
    assert starts(settings, made, None, None) == gap
    assert starts(settings, made, "400", None) == gap[2:]
    assert starts(settings, made, None, "400") == gap[:2]
    assert starts(settings, made, "400", "700") == [*gap[2:], ("600", False)]


@pytest.mark.usefixtures("t")
def test_windows_of_days_without_a_range_are_those_from_the_oldest_blob_until_now(
    settings: Settings, container: ContainerClient
) -> None:
    made = job(**BY_DAY)
    export(settings, container, made, "2026-03-06", "2026-03-08")
    assert [is_own for _, is_own in starts(settings, made, None, None)] == [True, True, False, False]


def test_an_empty_range_names_now_in_whole_seconds(settings: Settings) -> None:
    says = "the range is empty: 2026-04-01 is not before 2026-03-10T00:00:00[+]00:00$"
    with pytest.raises(AskRefused, match=says):
        list(windows_of(job(**BY_DAY), Blobs(settings), "2026-04-01", None, NOW.replace(microsecond=123_456)))


def test_a_job_without_a_blob_needs_a_range(settings: Settings, container: ContainerClient) -> None:
    assert container.exists()
    for made in (job(**BY_ID), job(**BY_DAY)):
        with pytest.raises(AskRefused, match="no blob of a window yet"):
            starts(settings, made, None, None)
