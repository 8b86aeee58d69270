"""The answers of HTTP that need no server."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from producer.submit import submit_over_http
from settings import Settings

NOW = datetime(2026, 2, 1, 12, 30, tzinfo=UTC)
NOWHERE = {
    "ServiceBusConnection": "Endpoint=sb://127.0.0.1:9;SharedAccessKeyName=n;SharedAccessKey=k;",
    "ExportStorage": "none",
    "PGHOST": "127.0.0.1",
    "PGDATABASE": "none",
    "PGUSER": "none",
    "PGPASSWORD": "none",
}
JOBS = """
[[job]]
name = "clicks"
schema = "events"
table = "clicks"
blob = "{job}/{window_start:%Y/%m/%d}.csv.gz"
[job.window]
column = "at"
type = "timestamptz"
every = "1 day"

[[job]]
name = "asked"
query = "select 1"
blob = "asked/{run}.csv.gz"

[[job]]
name = "numbers"
schema = "events"
table = "clicks"
blob = "numbers/{window_start}.csv.gz"
[job.window]
column = "id"
type = "integer"
size = 1000
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    jobs = tmp_path / "jobs.toml"
    jobs.write_text(JOBS)
    return Settings.from_env({**NOWHERE, "TAILRACE_JOBS": str(jobs)})


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "the body must be"),
        (b"\xff", "the body must be"),
        (b"[]", "the body must be"),
        (b"[" * 100_000, "the body must be"),
        (b"{}", "job: missing"),
        (b'{"job": 1}', "job: it should be a valid string"),
        (b'{"job": "../x"}', "job: it has 1 to 63 letters"),
        (b'{"job": "clicks", "sql": "select 1"}', "sql: unknown key"),
        (b'{"job": "numbers", "window_start": 5000}', "window_start: it should be a valid string"),
        (b'{"job": "none"}', "there is no job 'none' in jobs.toml"),
        (b'{"job": "clicks"}', "exports windows; say which by its start"),
        (b'{"job": "asked", "window_start": "2026-01-31"}', "has no windows; leave the window's start out"),
        (b'{"job": "clicks", "window_start": "2026-01-31T01:00"}', "no window that begins at 2026-01-31T01:00"),
        (b'{"job": "clicks", "window_start": "2026-02-01"}', "is open until 2026-02-02 00:00:00+00:00"),
        (b'{"job": "clicks", "window_start": "9999-12-31"}', "is not in the years 1000 to 9000"),
        (b'{"job": "clicks", "window_start": "0001-01-01T00:00:00+14:00"}', "is not in the years 1000 to 9000"),
        (b'{"job": "numbers", "window_start": "5"}', "no window that begins at 5; the next one begins at 1000"),
        (b'{"job": "numbers", "window_start": "99999999999999999999999"}', "no bigint can hold"),
    ],
)
def test_what_cannot_be_asked_for_is_answered_with_the_reason(settings: Settings, body: bytes, expected: str) -> None:
    answer = submit_over_http(body, settings, NOW)
    assert answer.status == 400
    assert expected in json.loads(answer.body)["error"]
    assert len(answer.body) < 2000
