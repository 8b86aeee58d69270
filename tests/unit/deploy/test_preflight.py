"""Problems of an azd environment are reported before anything is created."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.preflight import problems

HOST = {"TAILRACE_POSTGRES_HOST": "db.example"}
NEW = {"TAILRACE_POSTGRES_MODE": "new", "TAILRACE_POSTGRES_ADMIN": "ann@example.com"}
OBJECT_ID = "11111111-2222-3333-4444-555555555555"


@pytest.mark.parametrize(
    "environ",
    [
        HOST,
        NEW,
        {**HOST, "TAILRACE_IMMUTABILITY_DAYS": "30", "TAILRACE_DELETE_AFTER_DAYS": "31"},
        {**HOST, "TAILRACE_COOL_AFTER_DAYS": "7", "TAILRACE_DELETE_AFTER_DAYS": "0"},
        {**HOST, "TAILRACE_HOSTING_PLAN": "premium", "TAILRACE_OPERATOR_ID": OBJECT_ID},
    ],
)
def test_an_environment_that_lacks_nothing_is_well(environ: dict[str, str]) -> None:
    assert problems(environ) == []


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({}, "no server to export from"),
        ({"TAILRACE_POSTGRES_HOST": ""}, "no server to export from"),
        ({**NEW, "TAILRACE_POSTGRES_ADMIN": ""}, "needs an Entra administrator"),
        ({**HOST, "TAILRACE_COOL_AFTER_DAYS": "soon"}, "must be a number of days, not 'soon'"),
        (
            {**HOST, "TAILRACE_IMMUTABILITY_DAYS": "30", "TAILRACE_DELETE_AFTER_DAYS": "30"},
            "nothing can be deleted for 30",
        ),
        ({**HOST, "TAILRACE_COOL_AFTER_DAYS": "9", "TAILRACE_DELETE_AFTER_DAYS": "9"}, "before they are cooled"),
        ({**HOST, "TAILRACE_OPERATOR_ID": "ann"}, "must be an object id, not 'ann'"),
        ({**HOST, "TAILRACE_HOSTING_PLAN": "premium"}, "package is uploaded by a person"),
    ],
)
def test_what_is_missing_is_named(environ: dict[str, str], message: str) -> None:
    [problem] = problems(environ)
    assert message in problem


@pytest.mark.parametrize(("environ", "code"), [(HOST, 0), ({}, 1)])
def test_azd_stops_if_something_is_missing(root: Path, environ: dict[str, str], code: int) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TAILRACE_", "AZURE_"))}
    command = [sys.executable, "-m", "deploy.preflight"]
    done = subprocess.run(command, cwd=root, env={**kept, **environ}, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert len(done.stderr.splitlines()) == code


def test_azd_runs_it_where_the_templates_are(root: Path) -> None:
    azure = (root / "azure.yaml").read_text("utf-8")
    assert azure.count("-m deploy.preflight") == 3
    assert "path: deploy" in azure
    assert (root / "deploy" / "main.bicep").is_file()
