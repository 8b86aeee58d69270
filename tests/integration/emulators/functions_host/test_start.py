import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from emulators.functions_host.app import Function
from emulators.functions_host.app_settings import HostError
from emulators.functions_host.host_json import QueueOptions
from emulators.functions_host.queue_trigger import source_of
from emulators.functions_host.timer import TimerTrigger

ROOT = Path(__file__).resolve().parents[4]


def ended(argv: list[str]) -> tuple[int, str]:
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == ""
    return done.returncode, done.stderr


def test_a_mistake_is_reported_in_a_sentence(hosts: Any) -> None:
    code, said = ended(hosts.command("--only", "tick,tock"))
    assert code == 1
    assert "The Functions host cannot run: The app has no function tock; it has at_start, echo, end_process" in said
    assert "Traceback" not in said


def function(name: str, kind: str, **options: str) -> Function:
    trigger = {"name": "given", "type": kind, **options}
    return Function(name, "f-1", trigger, (trigger,))


def test_a_schedule_that_is_not_ncrontab_is_refused() -> None:
    calls: Any = None
    with pytest.raises(HostError, match='The schedule "every day" of the function tick is not NCRONTAB'):
        TimerTrigger(function("tick", "timerTrigger", schedule="%TICK%"), calls, {"TICK": "every day"})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "The connection ServiceBusConnection is not set."),
        (
            {"ServiceBusConnection__fullyQualifiedNamespace": "x"},
            "ServiceBusConnection__fullyQualifiedNamespace asks for an identity",
        ),
    ],
)
def test_a_queue_trigger_without_a_connection_string_is_refused(settings: dict[str, str], said: str) -> None:
    work = function("work", "serviceBusTrigger", queueName="work", connection="ServiceBusConnection")
    with pytest.raises(HostError, match=f"The queue trigger of work: {said}"):
        source_of(work, settings, QueueOptions())


def test_an_app_that_cannot_be_imported_is_reported_with_its_place(hosts: Any, tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    (tmp_path / "function_app.py").write_text("import a_module_that_is_not_there\n")
    code, said = ended(hosts.command(app=tmp_path))
    assert code == 1
    expected = f"The app in {tmp_path} cannot be loaded (function_app.py, line 1): ModuleNotFoundError: No module named"
    assert f"{expected} 'a_module_that_is_not_there'" in said.splitlines()[-1]


def test_a_folder_without_an_app_is_reported(hosts: Any, tmp_path: Path) -> None:
    code, said = ended(hosts.command(app=tmp_path))
    assert (code, "holds no function_app.py" in said) == (1, True)


def test_a_wrong_duration_in_host_json_is_reported_with_its_name(hosts: Any, tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text('{"functionTimeout": "5 minutes"}')
    (tmp_path / "function_app.py").write_text("")
    code, said = ended(hosts.command(app=tmp_path))
    assert (code, 'functionTimeout must be a duration hh:mm:ss, not "5 minutes".' in said) == (1, True)


def test_a_taken_port_is_reported(hosts: Any) -> None:
    host = hosts.start("--only", "process")
    port = host.url.rpartition(":")[2]
    code, said = ended([*hosts.command("--only", "process"), "--port", port])
    assert (code, f"Port {port} cannot be used" in said) == (1, True)


def test_the_environment_wins_over_the_settings_file(hosts: Any) -> None:
    settings = {"FIRST": "file", "SECOND": "file"}
    host = hosts.start("--only", "process", settings=settings, environ={"SECOND": "environment"})
    assert host.request("/api/process?setting=FIRST").json()["setting"] == "file"
    assert host.request("/api/process?setting=SECOND").json()["setting"] == "environment"


def test_a_disabled_function_does_not_run(hosts: Any) -> None:
    host = hosts.start("--only", "process,fail", settings={"AzureWebJobs.fail.Disabled": "true"})
    assert [function["name"] for function in host.request("/admin/functions").json()] == ["process"]
    assert host.request("/api/fail").status == 404


def test_the_help_says_what_was_tried_with_core_tools(hosts: Any) -> None:
    done = subprocess.run([*hosts.command(), "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "on a machine without Azure Functions Core Tools" in done.stdout
    said = " ".join(done.stdout.split())
    assert "Core Tools (`func start`) read the same settings file; they were not tried with it." in said


@pytest.mark.parametrize("number", [15, 2])
def test_a_signal_ends_host_and_worker_with_status_0(hosts: Any, number: int) -> None:
    host = hosts.start("--only", "process")
    worker = host.request("/api/process").json()["pid"]
    host.process.send_signal(number)
    assert host.process.wait(20) == 0
    assert not Path(f"/proc/{worker}").exists()


def test_the_worker_dies_with_a_killed_host(hosts: Any) -> None:
    host = hosts.start("--only", "process")
    worker = host.request("/api/process").json()["pid"]
    host.process.send_signal(9)
    host.process.wait(20)
    # The system may take a moment to end it; waiting for a process that is not a child needs a descriptor of it.
    wait_until_gone(worker)


def wait_until_gone(pid: int) -> None:
    import select

    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    assert select.select([descriptor], [], [], 20)[0], f"{pid} is still there"
    os.close(descriptor)
