"""Settings, jobs.toml and host.json that cannot work are reported with advice."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from doctor.report import ROOT
from worker.native import library


def test_a_deployment_in_order_has_no_complaint(doctor: Callable[..., Any]) -> None:
    assert doctor(with_queue=True).verdicts == {"ok"}


def test_a_missing_setting_is_named_and_everything_that_needs_it_is_skipped(doctor: Callable[..., Any]) -> None:
    report = doctor(PGHOST="")
    assert report.failure("settings").says == "PGHOST is missing"
    assert {"identity", "network PostgreSQL", "postgres tables", "storage blobs"} <= report.skipped


def test_contradictory_settings_are_named_with_what_to_choose(doctor: Callable[..., Any]) -> None:
    report = doctor(ServiceBusConnection__fullyQualifiedNamespace="a.servicebus.windows.net")
    failure = report.failure("settings")
    assert failure.says.startswith("ServiceBusConnection and ServiceBusConnection__fullyQualifiedNamespace contradict")
    assert failure.advice == "set one of them"


def test_secrets_beside_an_identity_are_reported(doctor: Callable[..., Any]) -> None:
    said = [f.subject for f in doctor(TAILRACE_CREDENTIAL="azure-cli").of("settings", "warning")]
    assert said == ["PGPASSWORD", "ServiceBusConnection", "ExportStorage"]


def test_a_misspelt_setting_is_found(doctor: Callable[..., Any]) -> None:
    [finding] = doctor(TAILRACE_POOLSIZE="9").of("settings", "warning")
    assert (finding.subject, finding.advice) == ("TAILRACE_POOLSIZE", "did you mean TAILRACE_POOL_SIZE?")


def test_settings_of_the_functions_host_are_required_where_it_runs(doctor: Callable[..., Any]) -> None:
    report = doctor(FUNCTIONS_WORKER_RUNTIME="python")
    failure = report.failure("settings")
    assert failure.subject == "TAILRACE_TICK"
    assert "az functionapp config appsettings set" in failure.advice


def test_every_problem_of_jobs_toml_is_reported_and_the_rest_is_still_looked_at(doctor: Callable[..., Any]) -> None:
    report = doctor(jobs='[[job]]\nname = "a"\nschema = "s"\nblob = "b"\n')
    assert "table: missing" in report.failure("jobs").says
    assert report.skipped == {"disabled jobs", "postgres tables", "postgres windows", "closed windows", "large rows"}


def test_a_disabled_job_fails_and_the_tables_of_the_others_are_still_looked_at(
    doctor: Callable[..., Any], jobs_file: Path
) -> None:
    jobs_file.write_text(jobs_file.read_text() + '[[job]]\nname = "bad"\nschema = "s"\nblob = "b"\n')
    report = doctor(jobs=jobs_file.read_text())
    failure = report.failure("disabled jobs")
    assert failure.subject == "bad"
    assert "table: missing" in failure.says
    assert report.skipped == set()
    assert [finding.subject for finding in report.of("postgres tables", "ok")] == ["table public.clicks"]


@pytest.mark.parametrize(
    ("change", "subject", "says"),
    [
        ({"maxAutoLockRenewalDuration": "00:05:00"}, "maxAutoLockRenewalDuration", "a long one would run twice"),
        ({"maxConcurrentCalls": 64}, "maxConcurrentCalls", "the rest waits inside the worker"),
        ({"autoCompleteMessages": False}, "autoCompleteMessages", "would come again"),
    ],
)
def test_a_host_json_that_loses_locks_or_threads_fails(
    doctor: Callable[..., Any], tmp_path: Path, change: dict[str, object], subject: str, says: str
) -> None:
    host = json.loads((ROOT / "host.json").read_text())
    host["extensions"]["serviceBus"] |= change
    (tmp_path / "host.json").write_text(json.dumps(host))
    failure = doctor(root=tmp_path, PYTHON_THREADPOOL_THREAD_COUNT="4").failure("host.json")
    assert failure.subject == subject
    assert says in failure.says


def test_without_a_host_json_there_is_nothing_to_say_about_it(doctor: Callable[..., Any], tmp_path: Path) -> None:
    report = doctor(root=tmp_path)
    assert report.skipped == {"host.json"}
    assert "failed" not in report.verdicts


def test_a_worker_without_its_compiled_loop_is_warned_of(
    doctor: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "_loaded", lambda: "no such file")
    [finding] = doctor().of("reading rows", "warning")
    assert "no such file" in finding.says
    assert finding.advice.startswith("python -m worker.native.build")
