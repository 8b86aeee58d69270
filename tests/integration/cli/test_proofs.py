"""What audits and drills have proven is in the look that everybody takes first."""

import json
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from azure.storage.blob import ContainerClient
from support.http import Http
from support.terminal import in_terminal
from typer.testing import Result

from contracts.jobs_file import load_jobs
from operations.proofs import proofs_of
from producer.ask import requests_between
from settings import Settings
from web.server import serving
from worker.assemble import open_exporter
from worker.cancellation import Cancellation
from worker.export import run_export

type Tailrace = Callable[..., Result]


@pytest.fixture
def exported(configured: dict[str, str], container: ContainerClient, clicks: None) -> dict[str, str]:
    """The environment; the first three of the ten days are exported."""
    del clicks
    assert container.exists()
    settings = Settings.from_env(configured)
    with open_exporter(settings) as exporter:
        for request in requests_between(exporter.jobs["clicks"], "2026-01-01", "2026-01-04", datetime.now(UTC)):
            run_export(request, exporter, Cancellation())
    return configured


def proof(tailrace: Tailrace) -> dict[str, Any]:
    result = tailrace("status", "clicks", "--from", "2026-01-01", "--to", "2026-01-04", "--json")
    assert result.exit_code == 0, result.output
    names = ("verified_through", "last_audit_at", "last_proven_restorable")
    return {name: json.loads(result.stdout)[name] for name in names}


def test_status_shows_what_audits_and_drills_have_proven(
    tailrace: Tailrace, exported: dict[str, str], admin: psycopg.Connection
) -> None:
    assert proof(tailrace) == {"verified_through": None, "last_audit_at": None, "last_proven_restorable": None}
    begin = datetime.now(UTC)
    assert tailrace("audit", "clicks", "--from", "2026-01-01", "--to", "2026-01-04").exit_code == 0
    assert proof(tailrace)["verified_through"] is None
    assert tailrace("audit", "clicks", "--from", "2026-01-01", "--to", "2026-01-03", "--deep").exit_code == 0
    drill = ("restore", "clicks", "--check", "--to", "2026-01-04")
    assert tailrace(*drill, "--server", f"{admin.info.dsn} password={admin.info.password}").exit_code == 0
    found = proof(tailrace)
    assert found["verified_through"] == "2026-01-03"
    assert begin <= datetime.fromisoformat(found["last_audit_at"]) <= datetime.now(UTC)
    assert begin <= datetime.fromisoformat(found["last_proven_restorable"]) <= datetime.now(UTC)
    with serving(Settings.from_env(exported), "tester") as server:
        status, answer = Http(server.address, {"x-functions-key": server.key}).get("/api/status")
    assert status == 200
    shown = {one["job"]: one for one in answer["jobs"]}
    assert shown["clicks"]["verified_through"] == "2026-01-03"
    assert datetime.fromisoformat(shown["clicks"]["last_proven_restorable"]) >= begin
    assert shown["minutes"]["verified_through"] is None


def test_rows_before_the_first_window_are_named_by_audit_and_status(
    tailrace: Tailrace, exported: dict[str, str], admin: psycopg.Connection
) -> None:
    del exported
    admin.execute("insert into clicks (at) values ('2025-12-30 12:00Z')")
    says = (
        "clicks: the source has rows from 2025-12-30 12:00:00+00 on, before 2026-01-01, where its audited windows "
        "begin; "
        "nothing is proven of them: `tailrace backfill clicks --from 2025-12-30 --to 2026-01-01` exports them\n"
    )
    assert tailrace("audit", "clicks", "--to", "2026-01-04").stderr.endswith(says)
    assert says in tailrace("status", "clicks", "--to", "2026-01-04").stderr
    shown = tailrace("status", "clicks", "--to", "2026-01-04", "--json").stdout
    assert json.loads(shown)["rows_before"] == "2025-12-30 12:00:00+00"


def on_a_terminal(argv: list[str], environ: dict[str, str], columns: int) -> list[str]:
    """What a command shows, without colours."""
    printed = in_terminal(argv, {**environ, "COLUMNS": str(columns), "TERM": "xterm"})
    return [line.rstrip() for line in re.sub(r"\x1b\[[\d;]*m", "", printed).splitlines()]


def test_on_a_narrow_terminal_no_column_is_cut(tailrace: Tailrace, exported: dict[str, str]) -> None:
    assert tailrace("audit", "clicks", "--from", "2026-01-01", "--to", "2026-01-04", "--deep").exit_code == 0
    argv = [sys.executable, "-m", "cli", "status", "clicks", "--from", "2026-01-01", "--to", "2026-01-04"]
    headings, numbers = on_a_terminal(argv, exported, 80)
    assert headings.split()[-4:] == ["lag", "last", "verified", "restorable"]
    assert numbers.split()[-3:] == ["2026-01-03", "2026-01-04", "never"]
    first, _, gap, second, proven = on_a_terminal(argv, exported, 79)
    assert first.split()[-1] == "verified"
    assert (gap, second.split(), proven.split()) == ("", ["job", "restorable"], ["clicks", "never"])


def test_a_bound_is_shown_in_the_zone_of_its_job(
    configured: dict[str, str], container: ContainerClient, tmp_path: Path
) -> None:
    assert container.exists()
    jobs = tmp_path / "jobs.toml"
    text = jobs.read_text().replace('every = "1 day"', 'every = "1 day"\ntimezone = "Europe/Berlin"', 1)
    jobs.write_text(text)
    settings = Settings.from_env(configured)
    client = container.get_blob_client("_tailrace/audits/clicks.json")
    head = {"at": "2026-03-30T01:02:03+00:00", "verified_through": "2026-03-29T22:00:00+00:00"}
    client.upload_blob(b"{}", metadata=head)
    found = proofs_of(settings, load_jobs(jobs).values())
    assert found["clicks"].verified_through == "2026-03-30"
    assert found["clicks"].audited_at == datetime(2026, 3, 30, 1, 2, 3, tzinfo=UTC)
    assert found["countries"].audited_at is None
