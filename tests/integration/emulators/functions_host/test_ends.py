"""What becomes of running functions when the worker or the host ends."""

import os
import select
from dataclasses import replace
from pathlib import Path
from typing import Any

from devstack.broker import Broker

APP_THAT_LOADS_ONCE = """
import os
from pathlib import Path

import azure.functions as func

Path("loaded").mkdir()
app = func.FunctionApp()


@app.route(methods=["GET"])
def end(req: func.HttpRequest) -> str:
    os._exit(1)
"""


def test_a_function_timeout_replaces_the_worker_and_delivers_again(hosts: Any, queue: Any, tmp_path: Path) -> None:
    app = hosts.app_with(functionTimeout="00:00:01")
    host = hosts.start("--only", "work", settings=queue.settings, app=app)
    queue.send({"do": "wait", "for": str(tmp_path / "never")})
    first, second = host.wait_for_records("work", 2)[:2]
    # On a busy machine an attempt may be over before its function begins.
    assert first["attempt"] < second["attempt"]
    assert first["pid"] != second["pid"]
    queue.wait_until_empty(host)
    assert [seen["attempt"] for seen in host.records("finally")] == [second["attempt"]]  # the first one was killed
    assert "function=work" in host.wait_for_log("function.timeout")
    assert "Timeout value of 1 s was exceeded by function work." in host.wait_for_log("function.failed")


def test_a_timeout_ends_the_other_calls_of_the_worker_too(hosts: Any, queue: Any, tmp_path: Path) -> None:
    app = hosts.app_with(functionTimeout="00:00:02")
    host = hosts.start("--only", "work", settings=queue.settings, app=app)
    queue.send({"do": "wait", "for": str(tmp_path / "never")}, message_id="first")
    host.wait_for_records("work")
    queue.send({"do": "wait", "for": str(tmp_path / "never")}, message_id="second")
    queue.wait_until_empty(host)
    attempts = sorted((seen["message_id"], seen["attempt"]) for seen in host.records("work"))
    assert attempts == [("first", 1), ("first", 2), ("second", 1), ("second", 2)]
    assert host.process.output().count("function.timeout") == 1
    assert host.process.output().count("The worker process ended with status -9.") == 1


def test_a_message_whose_function_ends_the_process_is_delivered_again(hosts: Any, queue: Any) -> None:
    host = hosts.start("--only", "work", settings=queue.settings)
    queue.send({"do": "end_process"})
    assert [seen["attempt"] for seen in host.wait_for_records("work", 2)] == [1, 2]
    queue.wait_until_empty(host)


def test_processes_that_a_function_started_end_with_the_worker(hosts: Any, queue: Any, tmp_path: Path) -> None:
    app = hosts.app_with(functionTimeout="00:00:01")
    host = hosts.start("--only", "work", settings=queue.settings, app=app)
    queue.send({"do": "start_a_child", "for": str(tmp_path / "never")})
    (child, *_) = host.wait_for_records("child")
    try:
        descriptor = os.pidfd_open(child["pid"])
    except ProcessLookupError:
        return
    assert select.select([descriptor], [], [], 20)[0], "the child is still there"
    os.close(descriptor)


def test_a_stopped_host_kills_running_functions_and_leaves_their_messages(
    hosts: Any, queue: Any, tmp_path: Path
) -> None:
    host = hosts.start("--only", "work", settings=queue.settings)
    queue.send({"do": "wait", "for": str(tmp_path / "never")})
    host.wait_for_records("work")
    host.process.send_signal(15)
    assert host.process.wait(20) == 0
    assert host.records("finally") == []
    queue.end_locks()
    another = hosts.start("--only", "work", settings=queue.settings)
    assert another.wait_for_records("work", 2)[1]["attempt"] == 2
    queue.wait_until_empty(another)


def test_a_draining_host_lets_running_functions_end_and_settles_them(hosts: Any, queue: Any, tmp_path: Path) -> None:
    host = hosts.start("--only", "work", "--drain", "20", settings=queue.settings)
    queue.send({"do": "wait", "for": str(tmp_path / "go")})
    host.wait_for_records("work")
    host.process.send_signal(15)
    host.wait_for_log("host.stopping")
    (tmp_path / "go").touch()
    assert host.process.wait(20) == 0
    assert [seen["attempt"] for seen in host.records("finally")] == [1]
    assert queue.left() == []


def test_a_host_that_finds_no_broker_keeps_trying(hosts: Any) -> None:
    nowhere = "Endpoint=sb://127.0.0.1:9;SharedAccessKeyName=a;SharedAccessKey=secret-key;UseDevelopmentEmulator=true;"
    host = hosts.start("--only", "work", settings={"ServiceBusConnection": nowhere})
    line = host.wait_for_log("queue.unreachable", timeout_s=60)
    assert "queue=work" in line
    assert "secret-key" not in host.process.output()


def test_a_host_goes_on_when_its_broker_was_restarted(hosts: Any, queue: Any, tmp_path: Path) -> None:
    with Broker.start(tmp_path / "broker", ["work"]) as broker:
        host = hosts.start("--only", "work", settings={"ServiceBusConnection": broker.connection_string})
        queue = replace(queue, connection_string=broker.connection_string, name="work")
        queue.send({"do": "succeed"})
        queue.wait_until_empty(host)
        config, port = tmp_path / "broker" / "service-bus.json", broker.port
    with Broker(tmp_path / "broker", config, port):
        queue.send({"do": "succeed"})
        host.wait_for_records("work", 2, timeout_s=60)


def test_a_host_gives_up_when_the_app_no_longer_loads(hosts: Any, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "host.json").write_text("{}")
    (tmp_path / "app" / "function_app.py").write_text(APP_THAT_LOADS_ONCE)
    host = hosts.start(app=tmp_path / "app")
    assert host.request("/api/end").status == 500
    assert host.process.wait(60) == 1
    assert host.process.output().count("worker.start_failed") == 3
