"""`tailrace ui` as a process."""

import re
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from azure.storage.blob import ContainerClient
from support.http import Http

from devstack.process import Process

READY = r"the page is at (http://127\.0\.0\.1:\d+)/api/ui#key=(\S+)"


def test_it_prints_the_address_serves_whoever_has_the_key_and_ends_by_ctrl_c(
    starting: Callable[..., Process], container: ContainerClient
) -> None:
    assert container.exists()
    running = starting("ui", "--no-open", ready=READY)
    assert running.match is not None
    http = Http(running.match[1], {"x-functions-key": running.match[2]})
    status, found = http.get("/api/status")
    assert (status, [job["job"] for job in found["jobs"]]) == (200, ["clicks", "minutes", "countries"])
    assert Http(running.match[1], {}).get("/api/status")[0] == 401
    port = running.match[1].rpartition(":")[2]
    second = starting("ui", "--no-open", "--port", port, ready=None)
    assert second.wait(30) == 2
    assert f"error: port {port} of 127.0.0.1 cannot be used: Address already in use" in second.output()
    running.send_signal(signal.SIGINT)
    assert running.wait(30) == 0


def test_ctrl_c_ends_it_at_once_though_a_call_waits_for_a_silent_server(
    starting: Callable[..., Process], environ: dict[str, str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        storage = re.sub(r"(BlobEndpoint=http://127\.0\.0\.1):\d+", rf"\1:{port}", environ["ExportStorage"])
        running = starting("ui", "--no-open", ready=READY, ExportStorage=storage)
        assert running.match is not None
        http = Http(running.match[1], {"x-functions-key": running.match[2]})
        with ThreadPoolExecutor(1) as threads:
            asked = threads.submit(http.get, "/api/status")
            silent.settimeout(30)
            connection, _ = silent.accept()  # the call is under way
            running.send_signal(signal.SIGINT)
            assert running.wait(15) == 0
            connection.close()
            assert asked.exception() or asked.result()[0] == 500
        assert "Traceback" not in running.output()


def test_without_a_jobs_file_nothing_is_served(starting: Callable[..., Process]) -> None:
    process = starting("ui", "--no-open", ready=None, TAILRACE_JOBS="/nowhere/jobs.toml")
    assert process.wait(30) == 2
    assert "error: /nowhere/jobs.toml: no such file; set TAILRACE_JOBS to your jobs.toml" in process.output()
