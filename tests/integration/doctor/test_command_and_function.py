"""The same findings as a table, as JSON, and over HTTP from the deployed app."""

import http.client
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from support.command import run_tailrace
from support.terminal import in_terminal

from devstack.process import Launch, start
from doctor.report import ROOT

READY = re.compile(r"^Functions host listening on http://(127\.0\.0\.1:\d+)$")


@pytest.fixture
def settings(environ: dict[str, str], clicks: psycopg.Connection, jobs_file: Path) -> dict[str, str]:
    return {**environ, "TAILRACE_JOBS": str(jobs_file)}


@pytest.fixture
def command(settings: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*options: str, **changes: str) -> subprocess.CompletedProcess[str]:
        return run_tailrace(("doctor", *options), {**os.environ, **settings, **changes}, own=True)

    return run


def test_all_well_is_a_table_and_exit_status_0(command: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = command()
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(
        r"^ok +postgres tables +table public\.clicks +all 2 columns can be read$", done.stdout, re.MULTILINE
    )
    assert re.search(r"^\d+ ok$", done.stdout.splitlines()[-1])


def test_a_failure_is_exit_status_1_with_its_fix_below(
    command: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = command(PGHOST="")
    assert done.returncode == 1
    assert re.search(
        r"^failed +settings +PGHOST is missing\n +→ set it to the server's name$", done.stdout, re.MULTILINE
    )


def test_sql_is_copied_as_one_line_from_a_narrow_terminal(settings: dict[str, str], clicks: psycopg.Connection) -> None:
    column = "a_column_whose_name_is_as_long_as_names_of_columns_ever_are"
    clicks.execute(
        f"alter table clicks rename at to {column}; alter table clicks alter {column} drop not null".encode()
    )
    jobs = Path(settings["TAILRACE_JOBS"])
    jobs.write_text(jobs.read_text().replace('column = "at"', f'column = "{column}"'))
    environ = {**os.environ, **settings, "COLUMNS": "80", "TERM": "xterm", "NO_COLOR": "1"}
    shown = in_terminal([sys.executable, "-m", "cli", "doctor"], environ)
    lines = [re.sub(r"\x1b\[\d*m", "", line) for line in shown.splitlines()]
    assert f'    → ALTER TABLE "public"."clicks" ALTER "{column}" SET NOT NULL;' in lines
    assert max(len(line) for line in lines if "→" not in line) <= 80


def test_json_holds_every_finding_and_the_worst_verdict(
    command: Callable[..., subprocess.CompletedProcess[str]], clicks: psycopg.Connection
) -> None:
    clicks.execute("alter table clicks alter at drop not null")
    done = command("--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["verdict"]) == (0, "warning")
    assert {"check", "subject", "verdict", "says", "advice"} == set(report["findings"][0])


def test_no_secret_is_shown_by_a_failing_doctor_either(
    command: Callable[..., subprocess.CompletedProcess[str]], settings: dict[str, str]
) -> None:
    done = command(PGDATABASE="nowhere", TAILRACE_QUEUE="nowhere", TAILRACE_CONTAINER="nowhere")
    key = re.search(r"AccountKey=([^;]+)", settings["ExportStorage"])
    assert key is not None
    assert done.returncode == 1
    for secret in (settings["PGPASSWORD"], key[1], "SharedAccessKey=local"):
        assert secret not in done.stdout + done.stderr


def test_the_deployed_app_answers_with_the_same_findings(settings: dict[str, str], tmp_path: Path) -> None:
    values = {**settings, "TAILRACE_TICK": "0 0 0 1 1 *", "FUNCTIONS_WORKER_RUNTIME": "python"}
    (tmp_path / "settings.json").write_text(json.dumps({"IsEncrypted": False, "Values": values}))
    options = ["--app", str(ROOT), "--settings", str(tmp_path / "settings.json"), "--port", "0", "--only", "doctor"]
    argv = [sys.executable, "-m", "emulators.functions_host", *options]
    with start(argv, ready=READY, cwd=ROOT, launch=Launch(tmp_path / "host.log")) as host:
        assert host.match is not None
        connection = http.client.HTTPConnection(host.match[1], timeout=60)
        connection.request("GET", "/api/doctor")
        answer = connection.getresponse()
        report = json.loads(answer.read())
        connection.close()
    assert (answer.status, report["verdict"]) == (200, "ok"), report
    assert {"postgres tables", "queue", "storage blobs"} <= {finding["check"] for finding in report["findings"]}
