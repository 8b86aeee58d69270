"""jobs.toml, blob metadata and HTTP bodies of any kind: read, or refused on one line.

`make chaos BODIES=50000` tries so many.
"""

import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chaos.inputs import VALUES, changed, dumped, few, pure
from hypothesis import example, given
from hypothesis import strategies as st

from contracts.errors import ConfigurationError
from contracts.jobs_file import load_jobs, parse_jobs
from contracts.receipt import Receipt
from producer.facts import Present
from producer.submit import submit_over_http
from settings import Settings

pytestmark = pytest.mark.timeout(0)  # as many examples as somebody asks for

JOB: dict[str, Any] = {
    "name": "clicks",
    "schema": "public",
    "table": "clicks",
    "columns": ["id", "at"],
    "blob": "{job}/{window_start:%Y/%m/%d}.csv.gz",
    "schedule": "0 0 3 * * *",
    "revision": 2,
    "if_exists": "refuse",
    "output": {"compression": "gzip", "level": 2},
    "window": {"column": "at", "type": "timestamptz", "every": "1 day", "catch_up": "3 days", "delay": "1 hour"},
}


@pure
@given(st.lists(changed(JOB), min_size=1, max_size=3))
@example([{**JOB, "output": {"x\ny": 1}}])
@example([{**JOB, "window": {**JOB["window"], "type": "integer"}}])
def test_any_job_is_usable_or_refused_on_one_line_for_each_problem(jobs: list[dict[str, Any]]) -> None:
    said: list[str] = []
    try:
        parsed = parse_jobs({"job": jobs})
    except ConfigurationError as error:
        said = [problem.says for problem in error.problems]
        assert said  # either way is right
    else:
        said = [problem for one in parsed.disabled for problem in one.problems]
        assert len(parsed) + len(parsed.disabled) >= 1
    assert all(one.startswith("jobs.toml: ") and "\n" not in one for one in said)


@pure
@given(data=st.text(max_size=200) | st.binary(max_size=200))
@example(data="[[job]]\nname = 'a'\n")
@example(data=b"\xff")
@example(data="x = " + "[" * 2000)
def test_any_file_is_read_as_jobs_or_refused_by_name(
    tmp_path_factory: pytest.TempPathFactory, data: str | bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))
    try:
        load_jobs(file)
    except ConfigurationError as error:
        assert all(str(file) in problem.says for problem in error.problems)  # noqa: PT017  # any text may be right


METADATA = {
    "request_id": "00000000-0000-0000-0000-000000000007",
    "job": "j",
    "rows": "1",
    "csv_bytes": "10",
    "blob_bytes": "10",
    "parts": '[{"rows": 1, "csv_bytes": 10, "blob_bytes": 10, "sha256": "00"}]',
    "snapshot": "1:1:",
    "revision": "1",
    "run": "2026-02-01T00:00:00Z",
    "started_at": "2026-02-01T00:00:00Z",
    "exported_at": "2026-02-01T00:00:00Z",
    "window": '{"type": "integer", "column": "id", "start": 0, "end": 10}',
    "columns": "eJyLjlbKTFHSUUrKTE/PzNNRio0FAC8DBP0=",
    "output": "{}",
}


@pure
@given(st.dictionaries(st.sampled_from(sorted(METADATA)), st.text(max_size=60) | VALUES.map(json.dumps), max_size=3))
@example({})
@example({"parts": "[" * 100_000})
@example({"columns": "eJw="})
def test_any_metadata_is_a_receipt_or_none(changes: dict[str, str]) -> None:
    metadata = {**METADATA, **changes}
    receipt = Receipt.from_metadata(metadata)
    if receipt is not None:
        assert Receipt.from_metadata(receipt.to_metadata()) is not None
    present = Present.of(metadata)
    assert present.run is None or receipt is None or present.request_id == receipt.request_id


HTTP = st.binary(max_size=100) | VALUES.map(dumped) | changed({"job": "j", "window_start": "0"}).map(dumped)


def test_any_http_body_is_answered_in_json_and_a_refusal_is_one_line(
    environ: dict[str, str], admin: psycopg.Connection, tmp_path: Path
) -> None:
    jobs = tmp_path / "jobs.toml"
    jobs.write_text(
        '[[job]]\nname = "j"\nschema = "public"\ntable = "t"\nblob = "j/{window_start}.csv.gz"\n'
        'window = { column = "id", type = "integer", size = 10 }\n'
    )
    known = Settings.from_env({**environ, "TAILRACE_JOBS": str(jobs)})
    assert tomllib.loads(jobs.read_text())

    @few
    @given(HTTP)
    def answers(body: bytes) -> None:
        answer = submit_over_http(body, known, datetime(2026, 2, 1, tzinfo=UTC))
        said = json.loads(answer.body)
        assert answer.status in {200, 202, 400, 409}, answer
        if answer.status == 400:
            assert said["error"]
            assert "\n" not in said["error"]

    answers()
