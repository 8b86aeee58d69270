from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app

type Tailrace = Callable[..., Result]
SETTINGS = {
    "ServiceBusConnection": "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=n;SharedAccessKey=k;",
    "ExportStorage": "AccountName=a;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:1/a",
    "PGHOST": "127.0.0.1",
    "PGDATABASE": "d",
    "PGUSER": "u",
    "PGPASSWORD": "p",
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
name = "orders"
schema = "events"
table = "orders"
columns = ["id", "total"]
blob = "{job}/{window_start:012d}.csv.gz"
[job.window]
column = "id"
type = "integer"
size = 1000

[[job]]
name = "countries"
query = '''
select *
from   countries'''
schedule = "0 30 2 * * *"
blob = "{job}/{run:%Y/%m/%d}.csv.gz"
"""


@pytest.fixture
def jobs_file(tmp_path: Path) -> Path:
    path = tmp_path / "jobs.toml"
    path.write_text(JOBS)
    return path


@pytest.fixture
def tailrace(jobs_file: Path) -> Tailrace:
    """Runs the command with settings that reach no server."""

    def run(*arguments: str, **environ: str | None) -> Result:
        return CliRunner().invoke(app, arguments, env={**SETTINGS, "TAILRACE_JOBS": str(jobs_file), **environ})

    return run


@pytest.fixture
def refused(tailrace: Tailrace) -> Callable[..., str]:
    """Runs the command, which must end with status 2 and print nothing but errors; returns what it prints."""

    def run(*arguments: str, **environ: str | None) -> str:
        result = tailrace(*arguments, **environ)
        assert (result.exit_code, result.stdout) == (2, "")
        return result.stderr

    return run
